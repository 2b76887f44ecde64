/* SPDX-License-Identifier: Apache-2.0 */
/* Resources that are questions: may I, may he, who am I, whose token is this. Nothing is stored. */
#include "kube/api/api_int.h"

#include <string.h>

static const char *or_empty(const char *s) { return s ? s : ""; }

static int ask(struct api_req *q, const struct kube_user *u, const struct kube_resource_attributes *r, const struct kube_non_resource_attributes *n,
	struct kube_subject_access_review_status *ret)
{
	struct kube_attributes at = { "", "", "", "", "", "", "", "", false };
	const struct kube_authorizer *a = q->api->c.authorizer;
	const char *reason = NULL;
	if (!r == !n)
		return api_bad_request(q, "spec: Invalid value: exactly one of nonResourceAttributes or resourceAttributes must be specified");
	if (r)
		at = (struct kube_attributes){ or_empty(r->verb), or_empty(r->group), or_empty(r->version), or_empty(r->resource), or_empty(r->subresource),
			or_empty(r->namespace), or_empty(r->name), "", true };
	else
		at = (struct kube_attributes){ .verb = or_empty(n->verb), .path = or_empty(n->path), .group = "", .version = "", .resource = "", .subresource = "",
			.namespace_ = "", .name = "" };
	ret->allowed = !a || kube_user_in_group(u, "system:masters") || a->allowed(a->arg, u, &at, q->arena, &reason) > 0;
	ret->reason = reason;
	return 0;
}

static int self_access(struct api_req *q)
{
	struct kube_self_subject_access_review x;
	int r = api_decode(q, T_kube_self_subject_access_review, q->res->api_version, q->res->row->kind, &x);
	if (r == 0)
		r = ask(q, &q->user, x.spec.resource_attributes, x.spec.non_resource_attributes, &x.status);
	x.kind = q->res->row->kind;
	x.api_version = q->res->api_version;
	return r < 0 ? r : api_reply_struct(q, 201, T_kube_self_subject_access_review, &x);
}

static int subject_access(struct api_req *q)
{
	struct kube_subject_access_review x;
	int r = api_decode(q, T_kube_subject_access_review, q->res->api_version, q->res->row->kind, &x);
	if (r < 0)
		return r;
	if (q->res->row->namespaced && (!x.spec.resource_attributes || strcmp(or_empty(x.spec.resource_attributes->namespace), q->at.namespace_)))
		return api_bad_request(q, "spec.resourceAttributes.namespace must match namespace: %s", q->at.namespace_);
	if (!x.spec.user && !x.spec.n_groups)
		return api_bad_request(q, "spec: at least one of user or group must be specified");
	struct kube_user u = { .name = or_empty(x.spec.user), .groups = x.spec.groups, .n_groups = x.spec.n_groups };
	r = ask(q, &u, x.spec.resource_attributes, x.spec.non_resource_attributes, &x.status);
	x.kind = q->res->row->kind;
	x.api_version = q->res->api_version;
	return r < 0 ? r : api_reply_struct(q, 201, T_kube_subject_access_review, &x);
}

static int user_info(struct api_req *q, const struct kube_user *u, struct kube_user_info *ret)
{
	*ret = (struct kube_user_info){ .username = u->name, .uid = u->uid, .groups = (const char **)u->groups, .n_groups = (uint32_t)u->n_groups };
	ret->extra = u->n_extra ? arena_array(q->arena, u->n_extra, sizeof *ret->extra) : NULL;
	for (size_t i = 0; i < u->n_extra && ret->extra; i++) {
		ret->extra[i].key = u->extra[i].key;
		ret->extra[i].value = (const char **)u->extra[i].values;
		ret->extra[i].n_value = (uint32_t)u->extra[i].n_values;
		ret->n_extra++;
	}
	return 0;
}

static int who_am_i(struct api_req *q)
{
	struct kube_self_subject_review x;
	int r = api_decode(q, T_kube_self_subject_review, q->res->api_version, q->res->row->kind, &x);
	if (r < 0)
		return r;
	x.kind = q->res->row->kind;
	x.api_version = q->res->api_version;
	x.metadata.creation_timestamp = api_time_text(q, api_now_ns(q));
	user_info(q, &q->user, &x.status.user_info);
	return api_reply_struct(q, 201, T_kube_self_subject_review, &x);
}

/* The token is shown to the authenticator as if it had come with a request of its own. */
static int token_review(struct api_req *q)
{
	struct kube_token_review x;
	struct err e = { 0 };
	struct kube_user u;
	const struct kube_authenticator *a = q->api->c.authenticator;
	int r = api_decode(q, T_kube_token_review, q->res->api_version, q->res->row->kind, &x);
	if (r < 0)
		return r;
	if (!x.spec.token || !*x.spec.token)
		return api_bad_request(q, "token is required for TokenReview in authentication");
	x.kind = q->res->row->kind;
	x.api_version = q->res->api_version;
	struct http_header h = { SLICE("Authorization"), slice_of(arena_fmt(q->arena, "Bearer %s", x.spec.token)) };
	struct http_request shown = *q->http;
	shown.headers = (struct http_headers){ &h, 1 };
	shown.peer_name = NULL;
	r = a ? a->authenticate_wait(a->arg, &shown, &u, &e) : -EKEYREJECTED;
	if (r == 0 && strcmp(u.name, "system:anonymous")) {
		x.status.authenticated = true;
		user_info(q, &u, &x.status.user);
		x.status.audiences = x.spec.audiences;
		x.status.n_audiences = x.spec.n_audiences;
	} else {
		x.status.error = e.code ? arena_strdup(q->arena, e.text) : NULL;
	}
	x.spec.token = NULL;
	return api_reply_struct(q, 201, T_kube_token_review, &x);
}

static int self_rules(struct api_req *q)
{
	struct kube_self_subject_rules_review x;
	int r = api_decode(q, T_kube_self_subject_rules_review, q->res->api_version, q->res->row->kind, &x);
	if (r < 0)
		return r;
	x.kind = q->res->row->kind;
	x.api_version = q->res->api_version;
	if (q->api->c.rules)
		r = q->api->c.rules(q->api->c.rules_arg, &q->user, or_empty(x.spec.namespace), q->arena, &x.status);
	else
		x.status.incomplete = true;
	if (!x.status.resource_rules)
		x.status.resource_rules = arena_alloc(q->arena, 0);
	if (!x.status.non_resource_rules)
		x.status.non_resource_rules = arena_alloc(q->arena, 0);
	return r < 0 ? r : api_reply_struct(q, 201, T_kube_self_subject_rules_review, &x);
}

static const struct { const char *plural; int (*run)(struct api_req *q); } rows[] = {
	{ "selfsubjectaccessreviews", self_access }, { "subjectaccessreviews", subject_access }, { "localsubjectaccessreviews", subject_access },
	{ "selfsubjectreviews", who_am_i }, { "tokenreviews", token_review }, { "selfsubjectrulesreviews", self_rules }, { "bindings", api_bindings_wait },
};

int api_review_wait(struct api_req *q)
{
	q->media.shape = API_WHOLE;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!strcmp(rows[i].plural, q->res->row->plural))
			return rows[i].run(q);
	return api_method_refused(q);
}
