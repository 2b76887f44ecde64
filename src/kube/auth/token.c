// SPDX-License-Identifier: Apache-2.0
/* What the claims mean: pkg/serviceaccount of Kubernetes. The form is jwt.c's business. */
#include <errno.h>
#include <openssl/evp.h>
#include "base/auto.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/rand.h"
#include "kube/auth/jwt.h"

enum { LEEWAY_S = 60, LEAST_S = 600 };

#define ACCOUNT_PREFIX "system:serviceaccount:"
#define LEGACY_ISSUER "kubernetes/serviceaccount"

struct static_user { char *name; char **groups; size_t n_groups; };
struct kube_tokens {
	struct jwt_key key;
	char *issuer, *server;
	int64_t (*now_ns)(void);
	struct kube_token_lookup lookup;
	struct map users;              /* SHA-256 of a static token -> struct static_user */
};

static int64_t now_s(const struct kube_tokens *t) { return (t->now_ns ? t->now_ns() : clock_realtime_ns()) / NS_PER_S; }

static void static_user_free(struct static_user *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->n_groups; i++)
		free(u->groups[i]);
	free(u->groups);
	free(u->name);
	free(u);
}

int kube_tokens_open(const struct kube_tokens_options *o, struct kube_tokens **ret, struct err *e)
{
	struct kube_tokens *t = calloc(1, sizeof *t);
	if (!t)
		return err_nomem(e);
	map_init(&t->users);
	t->issuer = slice_dup(slice_of(o->issuer ? o->issuer : "https://kubernetes.default.svc.cluster.local"));
	t->server = o->server ? slice_dup(slice_of(o->server)) : NULL;
	t->now_ns = o->now_ns;
	int r = t->issuer && (t->server || !o->server) ? jwt_key_open(o->key_path, &t->key, e) : err_nomem(e);
	if (r < 0)
		kube_tokens_free(t);
	else
		*ret = t;
	return r;
}

void kube_tokens_free(struct kube_tokens *t)
{
	if (!t)
		return;
	struct map_entry *x;
	for (size_t pos = 0; (x = map_next(&t->users, &pos));)
		static_user_free(x->value);
	map_release(&t->users);
	jwt_key_release(&t->key);
	free(t->issuer);
	free(t->server);
	free(t);
}

void kube_tokens_set_lookup(struct kube_tokens *t, const struct kube_token_lookup *lookup) { t->lookup = *lookup; }
const struct kube_token_lookup *kube_tokens_lookup(const struct kube_tokens *t) { return &t->lookup; }
const char *kube_tokens_issuer(const struct kube_tokens *t) { return t->issuer; }

/* --- issuing ------------------------------------------------------------------------ */

static struct auth_reference *reference(struct arena *a, const struct kube_token_binding *b)
{
	struct auth_reference *r = arena_new(a, struct auth_reference);
	if (r)
		*r = (struct auth_reference){ b->name, b->uid };
	return r;
}

static int bind(struct auth_claims *c, const struct kube_token_binding *b, struct arena *a, struct err *e)
{
	struct auth_reference **at = !strcmp(b->kind, "Pod") ? &c->bound.pod : !strcmp(b->kind, "Secret") ? &c->bound.secret :
		!strcmp(b->kind, "Node") ? &c->bound.node : NULL;
	if (!at)
		return err_set(e, EINVAL, "cannot bind token to object of kind %s", b->kind);
	*at = reference(a, b);
	return *at ? 0 : err_nomem(e);
}

static const char *random_id(struct arena *a)
{
	unsigned char b[16];
	rand_bytes(b, sizeof b);
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	return arena_fmt(a, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8],
		b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

int kube_token_issue(struct kube_tokens *t, const struct kube_token_subject *s, const struct kube_token_binding *b, const struct kube_token_binding *node,
	const char *const *audiences, size_t n_audiences, int64_t seconds, struct arena *a, const char **ret, int64_t *expires, struct err *e)
{
	int64_t now = now_s(t);
	const char *own[] = { t->issuer };
	struct auth_claims c = { .aud = n_audiences ? (const char **)audiences : own, .n_aud = n_audiences ? (uint32_t)n_audiences : 1,
		.exp = now + seconds, .iat = now, .nbf = now, .iss = t->issuer, .jti = random_id(a),
		.sub = arena_fmt(a, ACCOUNT_PREFIX "%s:%s", s->ns, s->name), .bound = { .namespace = s->ns, .serviceaccount = { s->name, s->uid } } };
	if (!c.sub || !c.jti)
		return err_nomem(e);
	if (seconds < LEAST_S)
		return err_set(e, EINVAL, "spec.expirationSeconds: Invalid value: %lld: may not specify a duration less than 10 minutes", (long long)seconds);
	if (seconds > 1LL << 32)
		return err_set(e, EINVAL, "spec.expirationSeconds: Invalid value: %lld: may not specify a duration larger than 2^32 seconds", (long long)seconds);
	int r = b && b->kind ? bind(&c, b, a, e) : 0;
	if (r == 0 && c.bound.pod && node && node->name)
		c.bound.node = reference(a, node);
	if (r == 0)
		r = jwt_sign(&t->key, &c, a, ret, e);
	if (r == 0)
		*expires = c.exp;
	return r;
}

int kube_token_issue_legacy(struct kube_tokens *t, const struct kube_token_subject *s, const char *secret, struct arena *a, const char **ret, struct err *e)
{
	struct auth_claims c = { .iss = LEGACY_ISSUER, .sub = arena_fmt(a, ACCOUNT_PREFIX "%s:%s", s->ns, s->name), .legacy_namespace = s->ns,
		.legacy_secret = secret, .legacy_name = s->name, .legacy_uid = s->uid };
	return c.sub ? jwt_sign(&t->key, &c, a, ret, e) : err_nomem(e);
}

/* --- users ----------------------------------------------------------------------------- */

int kube_token_account_user(const struct kube_token_subject *s, struct arena *a, struct kube_user *ret)
{
	const char **groups = arena_array(a, 3, sizeof *groups);
	if (!groups)
		return -ENOMEM;
	groups[0] = "system:serviceaccounts";
	groups[1] = arena_fmt(a, "system:serviceaccounts:%s", s->ns);
	groups[2] = "system:authenticated";
	*ret = (struct kube_user){ .name = arena_fmt(a, ACCOUNT_PREFIX "%s:%s", s->ns, s->name), .uid = arena_strdup(a, s->uid), .groups = groups, .n_groups = 3 };
	return groups[1] && ret->name ? 0 : -ENOMEM;
}

static void add_extra(struct arena *a, struct kube_extra *v, size_t *n, const char *key, const char *value)
{
	const char **values = value && *value ? arena_array(a, 1, sizeof *values) : NULL;
	if (!values)
		return;
	values[0] = value;
	v[(*n)++] = (struct kube_extra){ key, values, 1 };
}

static int bound_user(const struct auth_claims *c, struct arena *a, struct kube_user *ret)
{
	const struct kube_token_subject s = { c->bound.namespace, c->bound.serviceaccount.name, c->bound.serviceaccount.uid };
	struct kube_extra *v = arena_array(a, 5, sizeof *v);
	int r = v ? kube_token_account_user(&s, a, ret) : -ENOMEM;
	if (r < 0)
		return r;
	if (c->jti && *c->jti)
		add_extra(a, v, &ret->n_extra, "authentication.kubernetes.io/credential-id", arena_fmt(a, "JTI=%s", c->jti));
	if (c->bound.node) {
		add_extra(a, v, &ret->n_extra, "authentication.kubernetes.io/node-name", c->bound.node->name);
		add_extra(a, v, &ret->n_extra, "authentication.kubernetes.io/node-uid", c->bound.node->uid);
	}
	if (c->bound.pod) {
		add_extra(a, v, &ret->n_extra, "authentication.kubernetes.io/pod-name", c->bound.pod->name);
		add_extra(a, v, &ret->n_extra, "authentication.kubernetes.io/pod-uid", c->bound.pod->uid);
	}
	ret->extra = v;
	return 0;
}

/* --- verifying -------------------------------------------------------------------------- */

static int check_exists_wait(struct kube_tokens *t, const char *plural, const char *ns, const char *name, const char *uid, struct arena *a, struct err *e)
{
	struct kube_token_object o = { 0 };
	int r = -EAGAIN;
	for (int fresh = 0; t->lookup.find_wait && fresh < 2; fresh++) {
		r = t->lookup.find_wait(t->lookup.arg, plural, ns, name ? name : "", fresh, a, &o);
		if (r == 0 && (!uid || !*uid || (o.uid && strcmp(o.uid, uid) == 0)))
			break;
	}
	if (r == -ENOENT)
		return err_set(e, EKEYREJECTED, "%s \"%s\" of the token no longer exists", plural, name ? name : "");
	if (r < 0)
		return err_set(e, EKEYREJECTED, "whether %s \"%s\" of the token exists is not known yet", plural, name ? name : "");
	if (uid && *uid && (!o.uid || strcmp(o.uid, uid) != 0))
		return err_set(e, EKEYREJECTED, "%s \"%s\" of the token has been replaced by another of that name", plural, name ? name : "");
	return 0;
}

static int check_time(struct kube_tokens *t, const struct auth_claims *c, struct err *e)
{
	int64_t now = now_s(t);
	if (now >= c->exp)
		return err_set(e, EKEYREJECTED, "service account token has expired");
	if (c->nbf > now + LEEWAY_S)
		return err_set(e, EKEYREJECTED, "service account token is not valid yet");
	return 0;
}

/* Those of `wanted` that the token names. */
static int match_audiences(const struct auth_claims *c, const char *const *wanted, size_t n_wanted, struct arena *a, const char ***ret, size_t *n_ret,
	struct err *e)
{
	const char **v = arena_array(a, n_wanted, sizeof *v);
	size_t n = 0;
	if (!v)
		return err_nomem(e);
	for (size_t i = 0; i < n_wanted; i++)
		for (uint32_t k = 0; k < c->n_aud; k++)
			if (c->aud[k] && strcmp(c->aud[k], wanted[i]) == 0) {
				v[n++] = wanted[i];
				break;
			}
	if (n == 0)
		return err_set(e, EKEYREJECTED, "token audiences [\"%s\"%s] is invalid for the target audiences [\"%s\"%s]", c->n_aud && c->aud[0] ? c->aud[0] : "",
			c->n_aud > 1 ? " …" : "", n_wanted ? wanted[0] : "", n_wanted > 1 ? " …" : "");
	*ret = v;
	*n_ret = n;
	return 0;
}

static int verify_bound_wait(struct kube_tokens *t, const struct auth_claims *c, struct arena *a, struct kube_user *ret, struct err *e)
{
	const struct auth_bound *b = &c->bound;
	const char *ns = b->namespace, *name = b->serviceaccount.name;
	const char *sub = ns && name ? arena_fmt(a, ACCOUNT_PREFIX "%s:%s", ns, name) : NULL;
	if (!sub || !c->sub || strcmp(c->sub, sub) != 0)
		return err_set(e, EKEYREJECTED, "the token is not a service account's");
	int r = check_time(t, c, e);
	if (r == 0)
		r = check_exists_wait(t, "serviceaccounts", ns, name, b->serviceaccount.uid, a, e);
	if (r == 0 && b->secret)
		r = check_exists_wait(t, "secrets", ns, b->secret->name, b->secret->uid, a, e);
	if (r == 0 && b->pod)
		r = check_exists_wait(t, "pods", ns, b->pod->name, b->pod->uid, a, e);
	if (r == 0 && b->node && !b->pod)
		r = check_exists_wait(t, "nodes", "", b->node->name, b->node->uid, a, e);
	if (r == 0 && (r = bound_user(c, a, ret)) < 0)
		err_nomem(e);
	return r;
}

static int verify_legacy_wait(struct kube_tokens *t, const char *token, const struct auth_claims *c, struct arena *a, struct kube_user *ret, struct err *e)
{
	const struct kube_token_subject s = { c->legacy_namespace, c->legacy_name, c->legacy_uid };
	const char *sub = s.ns && s.name ? arena_fmt(a, ACCOUNT_PREFIX "%s:%s", s.ns, s.name) : NULL;
	if (!sub || !c->sub || strcmp(c->sub, sub) != 0 || !c->legacy_secret || !*c->legacy_secret)
		return err_set(e, EKEYREJECTED, "the token is not a service account's");
	int r = check_exists_wait(t, "serviceaccounts", s.ns, s.name, s.uid, a, e);
	if (r < 0)
		return r;
	if (!t->lookup.secret_holds_wait || t->lookup.secret_holds_wait(t->lookup.arg, s.ns, c->legacy_secret, token) != 1)
		return err_set(e, EKEYREJECTED, "service account token has been invalidated");
	return kube_token_account_user(&s, a, ret) < 0 ? err_nomem(e) : 0;
}

/* --- static tokens ------------------------------------------------------------------------ */

static void digest(const char *token, unsigned char out[32]) { EVP_Digest(token, strlen(token), out, NULL, EVP_sha256(), NULL); }

static struct static_user *static_user_new(const char *name, const char *const *groups, size_t n)
{
	struct static_user *u = calloc(1, sizeof *u);
	if (!u)
		return NULL;
	u->name = slice_dup(slice_of(name));
	u->groups = calloc(n + 1, sizeof *u->groups);
	bool ok = u->name && u->groups;
	for (size_t i = 0; i < n && ok; i++) {
		u->groups[u->n_groups] = slice_dup(slice_of(groups[i]));
		ok = u->groups[u->n_groups++] != NULL;
	}
	if (ok && (u->groups[u->n_groups] = slice_dup(SLICE("system:authenticated")))) {
		u->n_groups++;
		return u;
	}
	static_user_free(u);
	return NULL;
}

int kube_token_static(struct kube_tokens *t, const char *name, const char *const *groups, size_t n_groups, struct arena *a, const char **ret, struct err *e)
{
	unsigned char secret[32], sum[32];
	AUTO(buf) struct buf text = BUF_INIT(64);
	rand_bytes(secret, sizeof secret);
	jwt_base64(slice_n(secret, sizeof secret), &text);
	const char *token = buf_error(&text) ? NULL : arena_strdup(a, text.ptr);
	struct static_user *u = token ? static_user_new(name, groups, n_groups) : NULL;
	if (!u)
		return err_nomem(e);
	digest(token, sum);
	if (map_set(&t->users, slice_n(sum, sizeof sum), u, NULL) < 0) {
		static_user_free(u);
		return err_nomem(e);
	}
	*ret = token;
	return 0;
}

static bool verify_static(struct kube_tokens *t, const char *token, struct kube_user *ret)
{
	unsigned char sum[32];
	digest(token, sum);
	const struct static_user *u = map_get(&t->users, slice_n(sum, sizeof sum));
	if (u)
		*ret = (struct kube_user){ .name = u->name, .groups = (const char *const *)u->groups, .n_groups = u->n_groups };
	return u != NULL;
}

int kube_token_verify_wait(struct kube_tokens *t, const char *token, const char *const *audiences, size_t n_audiences, struct arena *a, struct kube_user *ret,
	const char ***ret_audiences, size_t *n_ret_audiences, struct err *e)
{
	const char *own[] = { t->issuer };
	const char **matched = NULL;
	size_t n_matched = 0;
	struct auth_claims c;
	bool is_own = n_audiences == 0;
	if (is_own) {
		audiences = own;
		n_audiences = 1;
	}
	if (!strchr(token, '.')) {
		if (!verify_static(t, token, ret))
			return err_set(e, EKEYREJECTED, "the token is not known");
		for (size_t i = 0; i < n_audiences && !is_own; i++)
			is_own = strcmp(audiences[i], t->issuer) == 0;
		if (!is_own)
			return err_set(e, EKEYREJECTED, "token audiences [\"%s\"] is invalid for the target audiences [\"%s\"]", t->issuer, audiences[0]);
		matched = arena_array(a, 1, sizeof *matched);
		if (!matched)
			return err_nomem(e);
		matched[n_matched++] = t->issuer;
	} else {
		int r = jwt_verify(&t->key, token, a, &c, e);
		if (r < 0)
			return r;
		bool legacy = c.iss && strcmp(c.iss, LEGACY_ISSUER) == 0;
		if (!legacy && (!c.iss || strcmp(c.iss, t->issuer) != 0))
			return err_set(e, EKEYREJECTED, "the token is another issuer's");
		if (legacy) {
			c.aud = own;
			c.n_aud = 1;
		}
		r = match_audiences(&c, audiences, n_audiences, a, &matched, &n_matched, e);
		if (r == 0)
			r = legacy ? verify_legacy_wait(t, token, &c, a, ret, e) : verify_bound_wait(t, &c, a, ret, e);
		if (r < 0)
			return r;
	}
	if (ret_audiences) {
		for (size_t i = 0; i < n_matched; i++)
			if (!(matched[i] = arena_strdup(a, matched[i])))
				return err_nomem(e);
		*ret_audiences = matched;
		*n_ret_audiences = n_matched;
	}
	return 0;
}

/* --- discovery ----------------------------------------------------------------------------- */

int kube_tokens_jwks(struct kube_tokens *t, struct buf *out)
{
	AUTO(arena) struct arena a;
	struct auth_key key;
	arena_init(&a, 65536);
	int r = jwt_public(&t->key, &a, &key, NULL);
	const struct auth_key_set set = { &key, 1 };
	return r == 0 ? schema_to_json(T_auth_key_set, &set, 0, out) : r;
}

int kube_tokens_discovery(struct kube_tokens *t, struct buf *out)
{
	const char *base = t->server ? t->server : t->issuer;
	AUTO(free) char *uri = fmt_new("%s/openid/v1/jwks", base);
	const char *response[] = { "id_token" }, *subject[] = { "public" }, *alg[] = { "ES256" };
	const struct auth_discovery d = { .issuer = t->issuer, .jwks_uri = uri, .response_types_supported = response, .n_response_types_supported = 1,
		.subject_types_supported = subject, .n_subject_types_supported = 1, .id_token_signing_alg_values_supported = alg,
		.n_id_token_signing_alg_values_supported = 1 };
	return uri ? schema_to_json(T_auth_discovery, &d, 0, out) : -ENOMEM;
}
