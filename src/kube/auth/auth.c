// SPDX-License-Identifier: Apache-2.0
/* The parts together, and the objects that are answered and never stored: reviews and token requests. */
#include "kube/auth/auth_int.h"
#include <errno.h>
#include "base/auto.h"
#include "base/clock.h"
#include "kube/meta/resource.h"

enum { TOKEN_DEFAULT_S = 3600 };

int kube_auth_open(const struct kube_auth_options *o, struct kube_auth **ret, struct err *e)
{
	struct kube_auth *x = calloc(1, sizeof *x);
	if (!x)
		return err_nomem(e);
	int r = kube_tokens_open(&o->tokens, &x->tokens, e);
	if (r == 0 && kube_rbac_new(&x->rbac) < 0)
		r = err_nomem(e);
	if (r < 0) {
		kube_auth_free(x);
		return r;
	}
	x->authn = (struct kube_authn){ .tokens = x->tokens, .authorizer = kube_rbac_authorizer(x->rbac), .no_anonymous = o->no_anonymous };
	*ret = x;
	return 0;
}

void kube_auth_free(struct kube_auth *x)
{
	if (!x)
		return;
	kube_auth_stop(x);
	kube_tokens_free(x->tokens);
	kube_rbac_free(x->rbac);
	free(x);
}

struct kube_authenticator kube_auth_authenticator(struct kube_auth *x) { return kube_authn_authenticator(&x->authn); }
struct kube_authorizer kube_auth_authorizer(struct kube_auth *x) { return kube_rbac_authorizer(x->rbac); }
struct kube_tokens *kube_auth_tokens(struct kube_auth *x) { return x->tokens; }
struct kube_rbac *kube_auth_rbac(struct kube_auth *x) { return x->rbac; }

/* --- access reviews ------------------------------------------------------------------- */

static const char *text(const char *s) { return s ? s : ""; }

static int answer(struct kube_auth *x, const struct kube_user *u, const struct kube_resource_attributes *r, const struct kube_non_resource_attributes *n,
	struct kube_subject_access_review_status *ret, struct arena *a, struct err *e)
{
	const char *reason = NULL;
	if (!r == !n)
		return err_set(e, EINVAL, "spec.nonResourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified");
	struct kube_attributes at = { .verb = text(r ? r->verb : n->verb), .group = r ? text(r->group) : "", .version = r ? text(r->version) : "",
		.resource = r ? text(r->resource) : "", .subresource = r ? text(r->subresource) : "", .namespace_ = r ? text(r->namespace) : "",
		.name = r ? text(r->name) : "", .path = n ? text(n->path) : "", .is_resource = r != NULL };
	int ok = kube_rbac_allowed(x->rbac, u, &at, a, &reason);
	*ret = (struct kube_subject_access_review_status){ .allowed = ok == 1, .reason = reason };
	return 0;
}

static int extra_of(const struct kube_string_list_entry *v, uint32_t n, struct arena *a, struct kube_user *ret)
{
	struct kube_extra *extra = arena_array(a, n, sizeof *extra);
	if (!extra)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		extra[i] = (struct kube_extra){ v[i].key, v[i].value, v[i].n_value };
	ret->extra = extra;
	ret->n_extra = n;
	return 0;
}

static int subject_review(struct kube_auth *x, const char *ns, struct kube_subject_access_review *s, struct arena *a, struct err *e)
{
	struct kube_user u = { .name = text(s->spec.user), .uid = s->spec.uid, .groups = s->spec.groups, .n_groups = s->spec.n_groups };
	if (!*u.name && !u.n_groups)
		return err_set(e, EINVAL, "spec.user: Invalid value: \"\": at least one of user or group must be specified");
	if (ns && *ns && s->spec.resource_attributes && strcmp(text(s->spec.resource_attributes->namespace), ns) != 0)
		return err_set(e, EINVAL, "spec.resourceAttributes.namespace: Invalid value: \"%s\": must match metadata.namespace",
			text(s->spec.resource_attributes->namespace));
	if (ns && *ns && s->spec.non_resource_attributes)
		return err_set(e, EINVAL, "spec.nonResourceAttributes: Invalid value: disallowed on this kind of request");
	if (extra_of(s->spec.extra, s->spec.n_extra, a, &u) < 0)
		return err_nomem(e);
	return answer(x, &u, s->spec.resource_attributes, s->spec.non_resource_attributes, &s->status, a, e);
}

/* Every rule that holds in a namespace, one entry a rule. */
static int rules_review(struct kube_auth *x, const struct kube_user *u, struct kube_self_subject_rules_review *s, struct arena *a, struct err *e)
{
	struct kube_rules rules;
	const char *ns = text(s->spec.namespace);
	if (!*ns)
		return err_set(e, EINVAL, "no namespace on request");
	if (kube_rbac_rules(x->rbac, u, ns, a, &rules) < 0)
		return err_nomem(e);
	struct kube_resource_rule *r = arena_array(a, rules.n, sizeof *r);
	struct kube_non_resource_rule *n = arena_array(a, rules.n, sizeof *n);
	if (!r || !n)
		return err_nomem(e);
	s->status = (struct kube_subject_rules_review_status){ .resource_rules = r, .non_resource_rules = n };
	for (size_t i = 0; i < rules.n; i++) {
		struct kube_policy_rule copy;       /* the fed rules may be gone when the answer is written */
		if (schema_copy(T_kube_policy_rule, rules.v[i], a, &copy) < 0)
			return err_nomem(e);
		if (copy.n_resources)
			r[s->status.n_resource_rules++] = (struct kube_resource_rule){ copy.verbs, copy.n_verbs, copy.api_groups, copy.n_api_groups, copy.resources,
				copy.n_resources, copy.resource_names, copy.n_resource_names };
		if (copy.n_non_resource_urls)
			n[s->status.n_non_resource_rules++] = (struct kube_non_resource_rule){ copy.verbs, copy.n_verbs, copy.non_resource_urls, copy.n_non_resource_urls };
	}
	return 0;
}

/* --- who ------------------------------------------------------------------------------------ */

static int user_info(const struct kube_user *u, struct arena *a, struct kube_user_info *ret)
{
	const char **groups = arena_array(a, u->n_groups, sizeof *groups);
	struct kube_string_list_entry *extra = arena_array(a, u->n_extra, sizeof *extra);
	if (!groups || !extra)
		return -ENOMEM;
	for (size_t i = 0; i < u->n_groups; i++)
		groups[i] = arena_strdup(a, u->groups[i]);
	for (size_t i = 0; i < u->n_extra; i++)
		extra[i] = (struct kube_string_list_entry){ u->extra[i].key, (const char **)u->extra[i].values, (uint32_t)u->extra[i].n_values };
	*ret = (struct kube_user_info){ .username = arena_strdup(a, u->name), .uid = arena_strdup(a, u->uid), .groups = groups, .n_groups = (uint32_t)u->n_groups,
		.extra = u->n_extra ? extra : NULL, .n_extra = (uint32_t)u->n_extra };
	return ret->username ? 0 : -ENOMEM;
}

static int token_review_wait(struct kube_auth *x, struct kube_token_review *s, struct arena *a, struct err *e)
{
	struct kube_user u;
	struct err why = { 0 };
	const char **audiences;
	size_t n;
	if (!s->spec.token || !*s->spec.token)
		return err_set(e, EINVAL, "token is required for TokenReview in authentication");
	s->status = (struct kube_token_review_status){ 0 };
	int r = kube_token_verify_wait(x->tokens, s->spec.token, (const char *const *)s->spec.audiences, s->spec.n_audiences, a, &u, &audiences, &n, &why);
	if (r < 0) {
		s->status.error = arena_fmt(a, "[invalid bearer token, %s]", why.text);
		return 0;
	}
	s->status.authenticated = true;
	s->status.audiences = audiences;
	s->status.n_audiences = (uint32_t)n;
	return user_info(&u, a, &s->status.user) < 0 ? err_nomem(e) : 0;
}

static int review_wait(void *arg, const struct kube_user *u, const struct kube_resource *r, const char *ns, void *obj, struct arena *a, struct err *e)
{
	struct kube_auth *x = arg;
	if (strcmp(r->kind, "SelfSubjectAccessReview") == 0) {
		struct kube_self_subject_access_review *s = obj;
		return answer(x, u, s->spec.resource_attributes, s->spec.non_resource_attributes, &s->status, a, e);
	}
	if (strcmp(r->kind, "SubjectAccessReview") == 0)
		return subject_review(x, NULL, obj, a, e);
	if (strcmp(r->kind, "LocalSubjectAccessReview") == 0)       /* the same fields */
		return subject_review(x, ns, obj, a, e);
	if (strcmp(r->kind, "SelfSubjectRulesReview") == 0)
		return rules_review(x, u, obj, a, e);
	if (strcmp(r->kind, "SelfSubjectReview") == 0) {
		struct kube_self_subject_review *s = obj;
		return user_info(u, a, &s->status.user_info) < 0 ? err_nomem(e) : 0;
	}
	if (strcmp(r->kind, "TokenReview") == 0)
		return token_review_wait(x, obj, a, e);
	return err_set(e, EINVAL, "%s is not a review", r->kind);
}
_Static_assert(sizeof(struct kube_subject_access_review) == sizeof(struct kube_local_subject_access_review), "one code for both");

/* --- token requests --------------------------------------------------------------------------- */

static int bind_wait(struct kube_auth *x, const struct kube_service_account *sa, struct kube_bound_object_reference *ref, struct kube_token_binding *ret,
	struct kube_token_binding *node, struct arena *a, struct err *e)
{
	const struct kube_token_lookup *l = kube_tokens_lookup(x->tokens);
	const char *kind = text(ref->kind), *name = text(ref->name), *ns = text(sa->metadata.namespace);
	const char *plural = !strcmp(kind, "Pod") ? "pods" : !strcmp(kind, "Secret") ? "secrets" : !strcmp(kind, "Node") ? "nodes" : NULL;
	struct kube_token_object o = { 0 };
	if (!plural || strcmp(text(ref->api_version), "v1") != 0)
		return err_set(e, EINVAL, "cannot bind token to object of type %s, Kind=%s", text(ref->api_version), kind);
	int r = -EAGAIN;
	for (int fresh = 0; l->find_wait && fresh < 2; fresh++) {
		r = l->find_wait(l->arg, plural, strcmp(kind, "Node") == 0 ? "" : ns, name, fresh, a, &o);
		/* a pod that has just come, or come again under its name, may not be in a cache yet */
		if (r == 0 && (!ref->uid || !*ref->uid || strcmp(ref->uid, text(o.uid)) == 0) && (strcmp(kind, "Pod") != 0 || *text(o.node_name)))
			break;
	}
	if (r < 0)
		return r == -ENOENT ? err_set(e, ENOENT, "%s \"%s\" not found", plural, name) : err_set(e, r, "whether %s \"%s\" exists is not known yet", plural, name);
	if (ref->uid && *ref->uid && strcmp(ref->uid, text(o.uid)) != 0)
		return err_set(e, EBUSY, "the UID in the bound object reference (%s) does not match the UID in record. The object might have been deleted and then recreated",
			ref->uid);
	if (strcmp(kind, "Pod") == 0 && strcmp(text(o.service_account), text(sa->metadata.name)) != 0)
		return err_set(e, EINVAL, "cannot bind token for serviceaccount \"%s\" to pod running with different serviceaccount name.", text(sa->metadata.name));
	*ret = (struct kube_token_binding){ kind, name, o.uid };
	if (strcmp(kind, "Pod") == 0 && o.node_name && *o.node_name) {
		struct kube_token_object n = { 0 };
		*node = (struct kube_token_binding){ "Node", o.node_name, l->find_wait(l->arg, "nodes", "", o.node_name, false, a, &n) == 0 ? n.uid : NULL };
	}
	return 0;
}

/* A node gets tokens for its own pods only. */
static int check_node(struct kube_auth *x, const struct kube_user *u, const struct kube_service_account *sa, const struct kube_bound_object_reference *ref,
	struct err *e)
{
	const char *node = kube_user_node(u), *name = text(sa->metadata.name);
	if (!node)
		return 0;
	if (!ref || strcmp(text(ref->kind), "Pod") != 0 || !ref->name)
		return err_set(e, EACCES, "serviceaccounts \"%s\" is forbidden: node requested token not bound to a pod", name);
	if (!ref->uid || !*ref->uid)
		return err_set(e, EACCES, "serviceaccounts \"%s\" is forbidden: node requested token with a pod binding without a uid", name);
	if (!kube_rbac_pod_is_on(x->rbac, text(sa->metadata.namespace), ref->name, node))
		return err_set(e, EACCES, "serviceaccounts \"%s\" is forbidden: node requested token bound to a pod scheduled on a different node", name);
	return 0;
}

static int token_wait(void *arg, const struct kube_user *u, const struct kube_service_account *sa, struct kube_token_request *q, struct arena *a, struct err *e)
{
	struct kube_auth *x = arg;
	const struct kube_token_subject s = { text(sa->metadata.namespace), text(sa->metadata.name), text(sa->metadata.uid) };
	struct kube_token_binding b = { 0 }, node = { 0 };
	char when[CLOCK_TEXT_MAX];
	int64_t expires;

	if (!q->spec.expiration_seconds) {
		q->spec.expiration_seconds = arena_new(a, int64_t);
		if (!q->spec.expiration_seconds)
			return err_nomem(e);
		*q->spec.expiration_seconds = TOKEN_DEFAULT_S;
	}
	if (!q->spec.n_audiences) {
		const char **v = arena_new(a, const char *);
		if (!v)
			return err_nomem(e);
		v[0] = kube_tokens_issuer(x->tokens);
		q->spec.audiences = v;
		q->spec.n_audiences = 1;
	}
	int r = check_node(x, u, sa, q->spec.bound_object_ref, e);
	if (r == 0 && q->spec.bound_object_ref)
		r = bind_wait(x, sa, q->spec.bound_object_ref, &b, &node, a, e);
	if (r == 0)
		r = kube_token_issue(x->tokens, &s, &b, &node, q->spec.audiences, q->spec.n_audiences, *q->spec.expiration_seconds, a, &q->status.token, &expires, e);
	if (r < 0)
		return r;
	clock_rfc3339(when, expires * NS_PER_S);
	q->status.expiration_timestamp = arena_strdup(a, when);
	return q->status.expiration_timestamp ? 0 : err_nomem(e);
}

/* --- the other seams ----------------------------------------------------------------------------- */

static int rbac_write(void *arg, const struct kube_user *u, const struct kube_resource *r, const void *obj, const void *old, struct arena *a, struct err *e)
{
	return kube_rbac_check_write(((struct kube_auth *)arg)->rbac, u, r, obj, old, a, e);
}

static int node_write(void *arg, const struct kube_user *u, const struct kube_attributes *at, const void *obj, const void *old, struct err *e)
{
	return kube_rbac_check_node_write(((struct kube_auth *)arg)->rbac, u, at, obj, old, e);
}

static int document(void *arg, const char *path, struct buf *out, const char **content_type, struct err *e)
{
	struct kube_auth *x = arg;
	bool keys = strcmp(path, "/openid/v1/jwks") == 0 || strcmp(path, "/openid/v1/jwks/") == 0;
	if (!keys && strcmp(path, "/.well-known/openid-configuration") != 0 && strcmp(path, "/.well-known/openid-configuration/") != 0)
		return err_set(e, ENOENT, "%s is not found", path);
	int r = keys ? kube_tokens_jwks(x->tokens, out) : kube_tokens_discovery(x->tokens, out);
	if (r < 0)
		return err_sys(e, r, "writing %s", path);
	*content_type = keys ? "application/jwk-set+json" : "application/json";
	return 0;
}

struct kube_reviewer kube_auth_reviewer(struct kube_auth *x)
{
	return (struct kube_reviewer){ .review_wait = review_wait, .token_wait = token_wait, .rbac_write = rbac_write, .node_write = node_write, .document = document,
		.arg = x };
}
