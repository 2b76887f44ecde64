/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authorization: Basic, and the token flow of the distribution project
 * ("Docker Registry v2 authentication via central service" and its OAuth2
 * variant). The credentials go to the realm that the registry names, over TLS
 * or where the registry itself is spoken to without.
 */
#include "image/dist_int.h"

#include <errno.h>
#include <stdlib.h>

#include "api/dist.h"
#include "base/auto.h"
#include "codec/base64.h"

struct challenge { struct slice scheme; const char *realm, *service, *scope, *error; };

static const char *unquote(struct slice s, struct arena *a)
{
	char *out = arena_alloc(a, s.len + 1);
	size_t n = 0;
	for (size_t i = 0; out && i < s.len; i++) {
		if (s.ptr[i] == '\\' && i + 1 < s.len)
			i++;
		out[n++] = s.ptr[i];
	}
	return out;
}

/* One challenge of a header: Bearer realm="…",service="…",scope="a,b". */
static int parse_challenge(struct slice s, struct arena *a, struct challenge *ret)
{
	struct slice rest;
	*ret = (struct challenge){ 0 };
	slice_cut(slice_trim(s), ' ', &ret->scheme, &rest);
	while ((rest = slice_trim(rest)).len) {
		struct slice name, value;
		if (!slice_cut(rest, '=', &name, &rest))
			return 0;
		name = slice_trim(name);
		if (rest.len && rest.ptr[0] == '"') {
			size_t i = 1;
			while (i < rest.len && rest.ptr[i] != '"')
				i += rest.ptr[i] == '\\' ? 2 : 1;
			i = MIN(i, rest.len);
			value = slice_n(rest.ptr + 1, i - 1);
			rest = slice_n(rest.ptr + MIN(i + 1, rest.len), rest.len - MIN(i + 1, rest.len));
		} else {
			struct slice tail;
			slice_cut(rest, ',', &value, &tail);
			rest = slice_n(rest.ptr + value.len, rest.len - value.len);
		}
		const char *text = unquote(value, a);
		if (!text)
			return -ENOMEM;
		if (slice_eq_nocase(name, SLICE("realm")))
			ret->realm = text;
		else if (slice_eq_nocase(name, SLICE("service")))
			ret->service = text;
		else if (slice_eq_nocase(name, SLICE("scope")))
			ret->scope = text;
		else if (slice_eq_nocase(name, SLICE("error")))
			ret->error = text;
		rest = slice_trim(rest);
		if (rest.len && rest.ptr[0] == ',')
			rest = slice_n(rest.ptr + 1, rest.len - 1);
	}
	return 0;
}

static const char *basic_value(const struct image_auth *auth, struct arena *a)
{
	AUTO(buf) struct buf out = BUF_INIT(DIST_TOKEN_MAX);
	const char *plain = arena_fmt(a, "%s:%s", auth->username, auth->password ? auth->password : "");
	buf_adds(&out, "Basic ");
	return plain && base64_encode(&out, slice_of(plain), false) == 0 ? arena_dup(a, buf_slice(&out)) : NULL;
}

static int add_param(struct buf *b, const char *name, const char *value)
{
	buf_addf(b, "%s%s=", b->len && b->ptr[b->len - 1] != '?' ? "&" : "", name);
	return http_percent_encode(b, slice_of(value));
}

static void add_scopes(struct dist *d, const struct challenge *c, struct arena *a, struct buf *b, bool joined)
{
	const char *own = d->ref->path ? arena_fmt(a, "repository:%s:%s", d->ref->path, d->access == DIST_PUSH ? "pull,push" : "pull") : c->scope;
	const char *more = d->extra_scope ? arena_fmt(a, "repository:%s:pull", d->extra_scope) : NULL;
	if (joined) {
		const char *both = own && more ? arena_fmt(a, "%s %s", own, more) : own;
		if (both)
			add_param(b, "scope", both);
		return;
	}
	if (own)
		add_param(b, "scope", own);
	if (more)
		add_param(b, "scope", more);
}

/* Asks the realm. The answer's tokens live in the arena. */
static int fetch_token_wait(struct dist *d, const struct challenge *c, const struct url *from, struct arena *a, struct dist_token *ret, struct err *e)
{
	struct url u;
	AUTO(buf) struct buf q = BUF_INIT(DIST_TOKEN_MAX), reply = BUF_INIT(DIST_TOKEN_MAX * 4);
	struct tls_config *tls = NULL;
	struct http_client *client = NULL;
	struct http_call call = { .method = "GET" };
	struct http_header h[3];
	int r = url_parse(slice_of(c->realm), from, a, &u, e);
	if (r < 0)
		return r;
	if (from->is_https && !u.is_https)
		return err_set(e, EPERM, "the registry's token server %s has no TLS", u.authority);
	bool by_post = d->auth && d->auth->identity_token && *d->auth->identity_token;
	call.headers.v = h;
	h[call.headers.n++] = (struct http_header){ SLICE("User-Agent"), slice_of(d->s->user_agent) };
	if (by_post) {
		add_param(&q, "grant_type", "refresh_token");
		add_param(&q, "service", c->service ? c->service : "");
		add_param(&q, "client_id", "docker");
		add_scopes(d, c, a, &q, true);
		add_param(&q, "refresh_token", d->auth->identity_token);
		h[call.headers.n++] = (struct http_header){ SLICE("Content-Type"), SLICE("application/x-www-form-urlencoded") };
		call.method = "POST";
		call.target = u.target;
		call.body = buf_slice(&q);
	} else {
		buf_adds(&q, u.target);
		if (!strchr(u.target, '?'))
			buf_addc(&q, '?');
		if (d->auth && d->auth->username && *d->auth->username) {
			add_param(&q, "account", d->auth->username);
			const char *basic = basic_value(d->auth, a);
			if (!basic)
				return err_nomem(e);
			h[call.headers.n++] = (struct http_header){ SLICE("Authorization"), slice_of(basic) };
			if (!d->ref->path) {
				add_param(&q, "client_id", "docker");
				add_param(&q, "offline_token", "true");
			}
		}
		if (c->service)
			add_param(&q, "service", c->service);
		add_scopes(d, c, a, &q, false);
		call.target = q.ptr;
	}
	if (buf_error(&q) < 0)
		return err_nomem(e);
	if (u.is_https && (r = dist_tls(d, &u, !d->ends[d->at].may_be_insecure, &tls, e)) < 0)
		return r;
	if ((r = dist_client(d, &u, tls, &client, e)) >= 0 && (r = http_call_wait(client, &call, e)) >= 0) {
		if ((r = http_call_body_wait(&call, DIST_TOKEN_MAX * 4, &reply, e)) < 0)
			;
		else if (call.status == 401 || call.status == 403)
			r = err_set(e, EKEYREJECTED, "unauthorized: incorrect username or password");
		else if (call.status != 200)
			r = err_set(e, EPROTO, "token server %s answered %d", u.authority, call.status);
		else
			r = schema_from_json(T_dist_token, buf_slice(&reply), SCHEMA_FOLD_CASE, a, ret, e);
	}
	http_call_release(&call);
	http_client_free(client);
	tls_config_free(tls);
	return r;
}

static int set_authorization(struct dist *d, const char *prefix, const char *value, struct err *e)
{
	char *text = fmt_new("%s%s", prefix, value);
	if (!text)
		return err_nomem(e);
	free(d->authorization);
	d->authorization = text;
	d->auth_round++;
	return 0;
}

static int use_bearer_wait(struct dist *d, const struct challenge *c, const struct url *from, struct arena *a, struct err *e)
{
	struct dist_token t = { 0 };
	if (d->auth && d->auth->registry_token && *d->auth->registry_token)
		return set_authorization(d, "Bearer ", d->auth->registry_token, e);
	if (!c->realm)
		return err_set(e, EPROTO, "the registry asks for a token and names no realm");
	int r = fetch_token_wait(d, c, from, a, &t, e);
	if (r < 0)
		return r;
	const char *token = t.token && *t.token ? t.token : t.access_token;
	if (!token || !*token)
		return err_set(e, EPROTO, "authorization server did not include a token in the response");
	for (const char *p = token; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return err_set(e, EPROTO, "authorization server sent a token that cannot be used");
	return set_authorization(d, "Bearer ", token, e);
}

int dist_authorize_wait(struct dist *d, const struct http_headers *h, const struct url *from, struct err *e)
{
	AUTO(arena) struct arena a;
	bool any = false;
	arena_init(&a, 4 << 20);
	for (int pass = 0; pass < 2; pass++)      /* Bearer before Basic */
		for (size_t i = 0; i < h->n; i++) {
			struct challenge c;
			if (!slice_eq_nocase(h->v[i].name, SLICE("WWW-Authenticate")))
				continue;
			any = true;
			if (parse_challenge(h->v[i].value, &a, &c) < 0)
				return err_nomem(e);
			if (pass == 0 && slice_eq_nocase(c.scheme, SLICE("Bearer")))
				return use_bearer_wait(d, &c, from, &a, e);
			if (pass == 1 && slice_eq_nocase(c.scheme, SLICE("Basic"))) {
				if (!d->auth || !d->auth->username || !*d->auth->username)
					return err_set(e, EKEYREJECTED, "no basic auth credentials");
				const char *basic = basic_value(d->auth, &a);
				return basic ? set_authorization(d, "", basic, e) : err_nomem(e);
			}
		}
	return err_set(e, EKEYREJECTED, any ? "the registry asks for an authentication that is not supported" : "unauthorized: authentication required");
}

int dist_login_wait(struct dist *d, struct arena *a, const char **identity_token, struct err *e)
{
	AUTO(answer) struct answer x = { 0 };
	struct ask q = { .method = "GET", .path = "/v2/", .keep_errors = true };
	*identity_token = "";
	int r = dist_ask_wait(d, &q, &x, e);
	if (r < 0)
		return r;
	if (x.call.status == 401 || x.call.status == 403)
		return err_set(e, EKEYREJECTED, "login attempt to %s%s/v2/ failed with status: %d Unauthorized",
			       d->ends[d->at].url.is_https ? "https://" : "http://", d->ends[d->at].url.authority, x.call.status);
	return x.call.status < 400 ? 0 : dist_error_wait(d, &x, "GET", e);
}
