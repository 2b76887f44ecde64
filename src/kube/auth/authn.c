// SPDX-License-Identifier: Apache-2.0
#include "kube/auth/authn.h"
#include <errno.h>
#include "base/auto.h"
#include "codec/base64.h"
#include "http/server.h"

enum { TOKEN_MAX = 16 * 1024, IMPERSONATED_MAX = 100 };

#define ANONYMOUS "system:anonymous"
#define AUTHENTICATED "system:authenticated"
#define UNAUTHENTICATED "system:unauthenticated"
#define PROTOCOL_PREFIX "base64url.bearer.authorization.k8s.io."

/* --- credentials --------------------------------------------------------------------- */

static int from_certificate(struct http_request *r, struct kube_user *ret, struct err *e)
{
	const char **groups = arena_array(r->arena, r->n_peer_organizations + 1, sizeof *groups);
	if (!groups)
		return err_nomem(e);
	if (r->n_peer_organizations)
		memcpy(groups, r->peer_organizations, r->n_peer_organizations * sizeof *groups);
	groups[r->n_peer_organizations] = AUTHENTICATED;
	*ret = (struct kube_user){ .name = r->peer_name, .groups = groups, .n_groups = r->n_peer_organizations + 1 };
	return 0;
}

static int anonymous(struct http_request *r, struct kube_user *ret, struct err *e)
{
	const char **groups = arena_array(r->arena, 1, sizeof *groups);
	if (!groups)
		return err_nomem(e);
	groups[0] = UNAUTHENTICATED;
	*ret = (struct kube_user){ .name = ANONYMOUS, .groups = groups, .n_groups = 1 };
	return 0;
}

/* Of the WebSocket's offered protocols; browsers cannot set headers. */
static const char *token_of_protocol(struct http_request *r)
{
	struct slice rest = http_header_get(&r->headers, "Sec-WebSocket-Protocol"), one;
	AUTO(buf) struct buf text = BUF_INIT(TOKEN_MAX);
	while (slice_next(&rest, ',', &one)) {
		one = slice_trim(one);
		if (!slice_starts(one, PROTOCOL_PREFIX))
			continue;
		size_t n = sizeof PROTOCOL_PREFIX - 1;
		if (base64_decode(&text, slice_n(one.ptr + n, one.len - n)) < 0 || memchr(text.ptr, 0, text.len))
			return NULL;
		return arena_dup(r->arena, buf_slice(&text));
	}
	return NULL;
}

static const char *bearer(struct http_request *r)
{
	struct slice h = slice_trim(http_header_get(&r->headers, "Authorization")), scheme, token;
	if (!h.len)
		return token_of_protocol(r);
	if (!slice_cut(h, ' ', &scheme, &token) || !slice_eq_nocase(scheme, SLICE("Bearer")))
		return NULL;
	token = slice_trim(token);
	return token.len && token.len <= TOKEN_MAX && !memchr(token.ptr, 0, token.len) ? arena_dup(r->arena, token) : NULL;
}

/* --- impersonation ---------------------------------------------------------------------- */

static int may(struct kube_authn *x, const struct kube_user *u, struct arena *a, const char *group, const char *resource, const char *sub, const char *ns,
	const char *name, struct err *e)
{
	const struct kube_attributes at = { .verb = "impersonate", .group = group, .version = "v1", .resource = resource, .subresource = sub, .namespace_ = ns,
		.name = name, .path = "", .is_resource = true };
	const char *reason = NULL;
	AUTO(buf) struct buf text = BUF_INIT(4096);
	if (x->authorizer.allowed(x->authorizer.arg, u, &at, a, &reason) == 1)
		return 0;
	kube_forbidden_text(u, &at, reason, &text);
	return err_set(e, EACCES, "%s", text.ptr);
}

/* "system:serviceaccount:NS:NAME"; false for other names. */
static bool split_account(struct arena *a, const char *name, const char **ns, const char **account)
{
	static const char prefix[] = "system:serviceaccount:";
	struct slice head, tail;
	if (strncmp(name, prefix, sizeof prefix - 1) != 0 || !slice_cut(slice_of(name + sizeof prefix - 1), ':', &head, &tail))
		return false;
	if (!head.len || !tail.len || slice_find(tail, ':') >= 0)
		return false;
	*ns = arena_dup(a, head);
	*account = arena_dup(a, tail);
	return *ns && *account;
}

static int impersonated_user(struct kube_authn *x, struct arena *a, const struct kube_user *u, const char *name, const char **groups, size_t *n_groups,
	struct err *e)
{
	const char *ns, *account;
	if (!split_account(a, name, &ns, &account))
		return may(x, u, a, "", "users", "", "", name, e);
	int r = may(x, u, a, "", "serviceaccounts", "", ns, account, e);
	if (r == 0 && *n_groups == 0) {
		groups[(*n_groups)++] = "system:serviceaccounts";
		groups[*n_groups] = arena_fmt(a, "system:serviceaccounts:%s", ns);
		if (!groups[(*n_groups)++])
			return err_nomem(e);
	}
	return r;
}

/* Impersonate-Extra-KEY: VALUE; the key is percent-encoded and without case. */
static int add_extra(struct arena *a, struct slice key, const char *value, struct kube_extra *v, size_t *n, char **ret_key, struct err *e)
{
	char *k;
	if (http_percent_decode(a, key, false, &k) < 0)
		return err_set(e, EINVAL, "a key in Impersonate-Extra cannot be decoded");
	for (char *p = k; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	*ret_key = k;
	size_t i = 0;
	while (i < *n && strcmp(v[i].key, k) != 0)
		i++;
	const char **values = arena_array(a, i < *n ? v[i].n_values + 1 : 1, sizeof *values);
	if (!values)
		return err_nomem(e);
	if (i == *n)
		v[(*n)++] = (struct kube_extra){ .key = k };
	else
		memcpy(values, v[i].values, v[i].n_values * sizeof *values);
	values[v[i].n_values++] = value;
	v[i].values = values;
	return 0;
}

static bool is_impersonation(struct slice name)
{
	return name.len > 12 && slice_eq_nocase(slice_n(name.ptr, 12), SLICE("Impersonate-"));
}

static int impersonate(struct kube_authn *x, struct http_request *r, struct kube_user *u, struct err *e)
{
	struct arena *a = r->arena;
	struct kube_user as = { 0 };
	const char **groups = arena_array(a, IMPERSONATED_MAX + 3, sizeof *groups);
	struct kube_extra *extra = arena_array(a, IMPERSONATED_MAX, sizeof *extra);
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < r->headers.n; i++)
		n += is_impersonation(r->headers.v[i].name);
	if (n == 0)
		return 0;
	if (!groups || !extra)
		return err_nomem(e);
	if (n > IMPERSONATED_MAX)
		return err_set(e, EINVAL, "more than %d Impersonate- headers", IMPERSONATED_MAX);
	struct slice name = http_header_get(&r->headers, "Impersonate-User");
	if (!name.len)
		return err_set(e, EINVAL, "requested impersonation without impersonating a user");
	as.name = arena_dup(a, name);
	if (!as.name)
		return err_nomem(e);
	for (size_t i = 0; i < r->headers.n && rc == 0; i++) {
		struct slice key = r->headers.v[i].name;
		const char *value = is_impersonation(key) ? arena_dup(a, r->headers.v[i].value) : NULL;
		char *extra_key = NULL;
		if (!value)
			continue;
		key = slice_n(key.ptr + 12, key.len - 12);
		if (slice_eq_nocase(key, SLICE("Group"))) {
			rc = may(x, u, a, "", "groups", "", "", value, e);
			groups[as.n_groups++] = value;
		} else if (slice_eq_nocase(key, SLICE("Uid"))) {
			rc = may(x, u, a, "authentication.k8s.io", "uids", "", "", value, e);
			as.uid = value;
		} else if (key.len > 6 && slice_eq_nocase(slice_n(key.ptr, 6), SLICE("Extra-"))) {
			rc = add_extra(a, slice_n(key.ptr + 6, key.len - 6), value, extra, &as.n_extra, &extra_key, e);
			if (rc == 0)
				rc = may(x, u, a, "authentication.k8s.io", "userextras", extra_key, "", value, e);
		}
	}
	if (rc == 0)
		rc = impersonated_user(x, a, u, as.name, groups, &as.n_groups, e);
	if (rc < 0)
		return rc;
	as.groups = groups;
	as.extra = extra;
	bool is_anonymous = strcmp(as.name, ANONYMOUS) == 0;
	if (!kube_user_in_group(&as, AUTHENTICATED) && !kube_user_in_group(&as, UNAUTHENTICATED))
		groups[as.n_groups++] = is_anonymous ? UNAUTHENTICATED : AUTHENTICATED;
	*u = as;
	return 0;
}

static int authenticate_wait(void *arg, struct http_request *r, struct kube_user *ret, struct err *e)
{
	struct kube_authn *x = arg;
	struct err why = { 0 };
	const char *token;
	int rc;

	if (r->peer_name) {
		rc = from_certificate(r, ret, e);
	} else if ((token = bearer(r))) {
		rc = kube_token_verify_wait(x->tokens, token, NULL, 0, r->arena, ret, NULL, NULL, &why);
		if (rc < 0)            /* why is for TokenReview and logs; a stranger learns nothing */
			return err_set(e, EKEYREJECTED, "Unauthorized");
	} else if (x->no_anonymous) {
		return err_set(e, EKEYREJECTED, "Unauthorized");
	} else {
		rc = anonymous(r, ret, e);
	}
	return rc == 0 ? impersonate(x, r, ret, e) : rc;
}

struct kube_authenticator kube_authn_authenticator(struct kube_authn *x) { return (struct kube_authenticator){ authenticate_wait, x }; }
