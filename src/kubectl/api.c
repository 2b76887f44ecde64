/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the API server, and what its errors look like to people. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "http/client.h"
#include "kubectl/kctl.h"

static int start_call(struct kctl *k, const char *method, const char *target, const char *accept, const char *content_type, struct slice body,
	struct http_call *call, struct err *e)
{
	int r = kctl_client(k, e);
	if (r < 0)
		return r;
	const struct flag_value *groups = flag_list(&k->f, "as-group");
	struct http_header *h = arena_array(&k->arena, 8 + groups->n, sizeof *h);
	size_t n = 0;
	if (!h)
		return err_nomem(e);
	h[n++] = (struct http_header){ SLICE("Accept"), slice_of(accept ? accept : "application/json") };
	h[n++] = (struct http_header){ SLICE("User-Agent"), SLICE("kubectl/v1.36.0 (linux) coracle") };
	if (content_type)
		h[n++] = (struct http_header){ SLICE("Content-Type"), slice_of(content_type) };
	if (kclient_bearer(k->client))
		h[n++] = (struct http_header){ SLICE("Authorization"), slice_of(kclient_bearer(k->client)) };
	if (*flag_str(&k->f, "as"))
		h[n++] = (struct http_header){ SLICE("Impersonate-User"), slice_of(flag_str(&k->f, "as")) };
	if (*flag_str(&k->f, "as-uid"))
		h[n++] = (struct http_header){ SLICE("Impersonate-Uid"), slice_of(flag_str(&k->f, "as-uid")) };
	for (size_t i = 0; i < groups->n; i++)
		h[n++] = (struct http_header){ SLICE("Impersonate-Group"), slice_of(groups->v[i]) };
	*call = (struct http_call){ .method = method, .target = target, .headers = { h, n }, .body = body };
	r = http_call_wait(kclient_http(k->client), call, e);
	if (r < 0 && (e->code == ECONNREFUSED || e->code == EHOSTDOWN || e->code == ENOENT)) {
		char why[400];
		fmt_into(why, sizeof why, "%s", e->text);
		err_set(e, e->code, "The connection to the server was refused - did you specify the right host or port? (%s)", why);
	}
	return r;
}

/* 299 - "text" */
static void say_warnings(struct kctl *k, const struct http_headers *h)
{
	for (size_t i = 0; i < h->n; i++) {
		if (!slice_eq_nocase(h->v[i].name, SLICE("Warning")))
			continue;
		struct slice v = h->v[i].value;
		int64_t at = slice_find(v, '"');
		if (at < 0 || v.len < 2)
			continue;
		v = slice_n(v.ptr + at + 1, v.len - (size_t)at - 1);
		if (v.len && v.ptr[v.len - 1] == '"')
			v.len--;
		struct buf text AUTO(buf) = BUF_INIT(64 << 10);
		for (size_t j = 0; j < v.len; j++) {
			if (v.ptr[j] == '\\' && j + 1 < v.len)
				j++;
			buf_addc(&text, v.ptr[j]);
		}
		kctl_warn(k, "Warning: %s", text.ptr);
	}
}

int kctl_request_wait(struct kctl *k, const char *method, const char *target, const char *accept, const char *content_type, struct slice body,
	struct kctl_reply *ret, struct err *e)
{
	struct http_call call;
	buf_init(&ret->body, KCTL_BODY_MAX);
	int r = start_call(k, method, target, accept, content_type, body, &call, e);
	if (r < 0)
		return r;
	say_warnings(k, &call.reply_headers);
	ret->status = call.status;
	r = http_call_body_wait(&call, KCTL_BODY_MAX, &ret->body, e);
	http_call_release(&call);
	return r;
}

/* "The Pod "x" is invalid: …" for a list of causes, "Error from server (NotFound): …" for the rest. */
int kctl_server_error(struct kctl *k, int status, struct slice body, struct err *e)
{
	struct tree t;
	const char *reason = "", *message = "";
	int code = EIO;
	if (tree_from_json(body, 0, &k->arena, &t, NULL) == 0) {
		reason = kctl_text_at(k, &t, "reason");
		message = kctl_text_at(k, &t, "message");
	}
	k->server_message = message;
	static const struct { const char *reason; int code; } codes[] = {
		{ "NotFound", ENOENT }, { "AlreadyExists", EEXIST }, { "Conflict", EBUSY }, { "Forbidden", EACCES }, { "Unauthorized", EKEYREJECTED },
		{ "Invalid", EINVAL }, { "BadRequest", EINVAL }, { "Expired", ESTALE }, { "Gone", ESTALE }, { "UnsupportedMediaType", EOPNOTSUPP },
		{ "MethodNotAllowed", EOPNOTSUPP },
	};
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (!strcmp(codes[i].reason, reason))
			code = codes[i].code;
	if (status == 404 && !*message)
		code = ENOENT;
	if (!*message && status == 404)
		k->long_error = "Error from server (NotFound): the server could not find the requested resource";
	else if (!*message)
		k->long_error = kctl_fmt(k, "Error from server: the server answered %d: %.*s", status, (int)MIN(body.len, (size_t)2000), body.ptr ? body.ptr : "");
	else if (!strcmp(reason, "Invalid") && !strncmp(message, "The ", 4))
		k->long_error = message;
	else if (!strcmp(reason, "Invalid") && tree_path(&t, "details.causes.0") == NULL && !tree_path(&t, "details.causes"))
		k->long_error = kctl_fmt(k, "The request is invalid: patch: %s", strstr(message, "error in ") ? strstr(message, "error in ") : strstr(message, "patch: ") ? strstr(message, "patch: ") + 7 : message);
	else if (!strcmp(reason, "Invalid") && (*kctl_text_at(k, &t, "details.kind") || tree_path(&t, "details.causes"))) {
		/* kubectl says it anew from the causes: one a line when there are several */
		const struct tree *causes = tree_path(&t, "details.causes");
		struct buf out AUTO(buf) = BUF_INIT(1 << 20);
		if (!*kctl_text_at(k, &t, "details.kind"))
			buf_adds(&out, "The request is invalid");
		else
			buf_addf(&out, "The %s \"%s\" is invalid", kctl_text_at(k, &t, "details.kind"), kctl_text_at(k, &t, "details.name"));
		if (causes && causes->n > 1)
			buf_adds(&out, ": ");
		for (uint32_t i = 0; causes && i < causes->n; i++)
			buf_addf(&out, "%s%s: %s", causes->n > 1 ? "\n* " : ": ", kctl_text_at(k, tree_at(causes, i), "field"), kctl_text_at(k, tree_at(causes, i), "message"));
		k->long_error = kctl_fmt(k, "%s", out.ptr);
	} else if (!strcmp(reason, "Unauthorized"))
		k->long_error = "error: You must be logged in to the server (Unauthorized)";
	else
		k->long_error = *reason ? kctl_fmt(k, "Error from server (%s): %s", reason, message) : kctl_fmt(k, "Error from server: %s", message);
	return err_set(e, code, "%s", k->long_error);
}

int kctl_call_wait(struct kctl *k, const char *method, const char *target, const char *accept, const char *content_type, struct slice body,
	struct tree *ret, struct err *e)
{
	struct kctl_reply reply;
	int r = kctl_request_wait(k, method, target, accept, content_type, body, &reply, e);
	if (r == 0 && (reply.status < 200 || reply.status > 299)) {
		char *copy = arena_dup(&k->arena, buf_slice(&reply.body));
		r = copy ? kctl_server_error(k, reply.status, slice_n(copy, reply.body.len), e) : err_nomem(e);
	} else if (r == 0 && ret) {
		r = tree_from_json(buf_slice(&reply.body), 0, &k->arena, ret, e);
		if (r < 0)
			err_prefix(e, "read the answer to %s %s", method, target);
	}
	buf_release(&reply.body);
	return r;
}

int kctl_send_wait(struct kctl *k, const char *method, const char *target, const char *content_type, const struct tree *body, struct tree *ret, struct err *e)
{
	struct buf text AUTO(buf) = BUF_INIT(64 << 20);
	int r = body ? tree_to_json(body, 0, &text) : 0;
	if (r < 0)
		return err_sys(e, -r, "write the body of %s %s", method, target);
	return kctl_call_wait(k, method, target, NULL, body ? (content_type ? content_type : "application/json") : NULL, buf_slice(&text), ret, e);
}

int kctl_get_wait(struct kctl *k, const char *target, struct tree *ret, struct err *e)
{
	return kctl_call_wait(k, "GET", target, NULL, NULL, slice_n("", 0), ret, e);
}

static int take_event(struct kctl *k, struct slice line, int (*fn)(void *arg, const char *type, const struct tree *object, struct arena *a), void *arg,
	struct arena *a, struct err *e)
{
	struct tree ev;
	char type[16];
	int r = tree_from_json(line, 0, a, &ev, e);
	if (r < 0)
		return r;
	struct slice t = tree_text(tree_gets(&ev, "type"));
	fmt_into(type, sizeof type, "%.*s", SLICE_FMT(t));
	const struct tree *object = tree_gets(&ev, "object");
	if (!strcmp(type, "ERROR")) {
		struct buf text AUTO(buf) = BUF_INIT(1 << 20);
		if (object)
			tree_to_json(object, 0, &text);
		return kctl_server_error(k, 410, buf_slice(&text), e);
	}
	return fn(arg, type, object, a);
}

int kctl_watch_wait(struct kctl *k, const char *target, const char *accept, int64_t timeout_ns,
	int (*fn)(void *arg, const char *type, const struct tree *object, struct arena *a), void *arg, struct err *e)
{
	struct http_call call;
	struct buf in AUTO(buf) = BUF_INIT(64 << 20);
	struct arena a AUTO(arena);
	arena_init(&a, 256 << 20);
	const char *full = kctl_fmt(k, "%s%swatch=true", target, strchr(target, '?') ? "&" : "?");
	int r = start_call(k, "GET", full, accept, NULL, slice_n("", 0), &call, e);
	if (r < 0)
		return r;
	say_warnings(k, &call.reply_headers);
	if (call.status != 200) {
		r = http_call_body_wait(&call, 1 << 20, &in, e);
		http_call_release(&call);
		return r < 0 ? r : kctl_server_error(k, call.status, buf_slice(&in), e);
	}
	struct stream *s = http_call_stream(&call);
	int64_t end = timeout_ns > 0 ? clock_monotonic_ns() + timeout_ns : 0;
	char part[16384];
	while (r == 0) {
		int64_t left = end ? end - clock_monotonic_ns() : 0;
		if (end && left <= 0) {
			r = err_set(e, ETIMEDOUT, "timed out waiting for the condition");
			break;
		}
		s->timeout_ns = left;
		ssize_t n = stream_read_wait(s, part, sizeof part);
		if (n == -ETIMEDOUT)
			continue;
		if (n <= 0) {
			r = n < 0 ? err_sys(e, (int)-n, "watch %s", target) : 0;
			break;
		}
		buf_add(&in, part, (size_t)n);
		size_t at = 0;
		for (char *nl; r == 0 && (nl = memchr(in.ptr + at, '\n', in.len - at)); at = (size_t)(nl - in.ptr) + 1) {
			r = take_event(k, slice_n(in.ptr + at, (size_t)(nl - in.ptr) - at), fn, arg, &a, e);
			arena_release(&a);
		}
		buf_drop(&in, at);
		if (buf_error(&in))
			r = err_set(e, EMSGSIZE, "one event of the watch is too large");
	}
	http_call_release(&call);
	return r;
}

const char *kctl_path(struct kctl *k, const struct kctl_kind *kind, const char *ns, const char *name, const char *sub, const char *query)
{
	struct buf b AUTO(buf) = BUF_INIT(1 << 20);
	buf_addf(&b, *kind->group ? "/apis/%s/%s" : "/api%s/%s", kind->group, kind->version);
	if (kind->namespaced && ns && *ns) {
		buf_adds(&b, "/namespaces/");
		http_percent_encode(&b, slice_of(ns));
	}
	buf_addf(&b, "/%s", kind->plural);
	if (name) {
		buf_addc(&b, '/');
		http_percent_encode(&b, slice_of(name));
	}
	if (sub)
		buf_addf(&b, "/%s", sub);
	if (query && *query)
		buf_addf(&b, "?%s", query);
	return kctl_fmt(k, "%s", b.ptr);
}

const char *kctl_query(struct kctl *k, const char *query, const char *name, const char *value)
{
	struct buf b AUTO(buf) = BUF_INIT(1 << 20);
	if (!value)
		return query ? query : "";
	buf_addf(&b, "%s%s%s=", query ? query : "", query && *query ? "&" : "", name);
	http_percent_encode(&b, slice_of(value));
	return kctl_fmt(k, "%s", b.ptr);
}
