// SPDX-License-Identifier: Apache-2.0
/* Typed calls: paths, bodies, and what the answers of an API server mean. */
#include <errno.h>

#include "base/auto.h"
#include "kube/client/client_int.h"

/* By the Status' reason, or without one by HTTP's status. */
static const struct { const char *reason; int status, code; } meanings[] = {
	{ "NotFound", 404, ENOENT },
	{ "AlreadyExists", 0, EEXIST },
	{ "Conflict", 409, EBUSY },
	{ "Forbidden", 403, EACCES },
	{ "Unauthorized", 401, EKEYREJECTED },
	{ "Invalid", 422, EINVAL },
	{ "BadRequest", 400, EINVAL },
	{ "Gone", 410, ESTALE },
	{ "Expired", 410, ESTALE },
	{ "TooManyRequests", 429, EAGAIN },
	{ "Timeout", 504, ETIMEDOUT },
	{ "ServerTimeout", 0, ETIMEDOUT },
	{ "ServiceUnavailable", 503, EHOSTDOWN },
	{ "RequestEntityTooLarge", 413, EMSGSIZE },
	{ "MethodNotAllowed", 405, EOPNOTSUPP },
	{ "NotAcceptable", 406, EOPNOTSUPP },
	{ "UnsupportedMediaType", 415, EOPNOTSUPP },
	{ "InternalError", 500, EIO },
};

int kclient_status_error(int status, struct slice body, struct err *e)
{
	struct kube_status s = { 0 };
	struct arena a;
	int code = EIO;

	arena_init(&a, 4 * 1024 * 1024);
	if (schema_from_json(T_kube_status, body, 0, &a, &s, NULL) < 0 || !s.kind || strcmp(s.kind, "Status") != 0)
		s = (struct kube_status){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (s.reason && *s.reason ? !strcmp(s.reason, meanings[i].reason) : meanings[i].status == status) {
			code = meanings[i].code;
			break;
		}
	if (s.message && *s.message)
		err_set(e, code, "%s", s.message);
	else
		err_set(e, code, "the API server answered %d: %.*s", status, (int)MIN(body.len, (size_t)200), body.ptr ? body.ptr : "");
	arena_release(&a);
	return -code;
}

void kclient_param(struct buf *target, const char *name, const char *value)
{
	if (!value)
		return;
	buf_addf(target, "%c%s=", memchr(target->ptr, '?', target->len) ? '&' : '?', name);
	http_percent_encode(target, slice_of(value));
}

int kclient_call_wait(struct kclient *c, struct http_client *http, const char *method, const char *target, const char *content_type, struct slice body,
	struct arena *a, struct http_call *call, struct err *e)
{
	struct http_header *h = arena_array(a, 4, sizeof *h);
	size_t n = 0;

	*call = (struct http_call){ .method = method, .target = *c->prefix ? arena_fmt(a, "%s%s", c->prefix, target) : target, .body = body };
	if (!h || !call->target)
		return err_nomem(e);
	h[n++] = (struct http_header){ SLICE("Accept"), SLICE("application/json") };
	h[n++] = (struct http_header){ SLICE("User-Agent"), slice_of(c->user_agent) };
	if (content_type)
		h[n++] = (struct http_header){ SLICE("Content-Type"), slice_of(content_type) };
	if (c->bearer)
		h[n++] = (struct http_header){ SLICE("Authorization"), slice_of(c->bearer) };
	call->headers = (struct http_headers){ h, n };
	return http_call_wait(http, call, e);
}

int kclient_raw_wait(struct kclient *c, const char *method, const char *target, const char *content_type, struct slice body, int *status, struct buf *out,
	struct err *e)
{
	struct http_call call;
	struct arena a;
	int r;

	arena_init(&a, 256 * 1024);
	r = kclient_call_wait(c, c->http, method, target, content_type, body, &a, &call, e);
	if (r == 0) {
		*status = call.status;
		r = http_call_body_wait(&call, out->max, out, e);
	}
	http_call_release(&call);
	arena_release(&a);
	return r;
}

/* Sends, and decodes an answer of 2xx into ret (of type, when not NULL). */
static int ask_wait(struct kclient *c, const char *method, const struct buf *target, const char *content_type, struct slice body, struct schema_ref type,
	struct arena *a, void *ret, struct err *e)
{
	AUTO(buf) struct buf out = BUF_INIT(ANSWER_MAX);
	struct err mine;
	int status, r;

	e = e ? e : &mine;
	r = buf_error(target);
	if (r < 0)
		return err_sys(e, r, "%s %s", method, target->ptr);
	r = kclient_raw_wait(c, method, target->ptr, content_type, body, &status, &out, e);
	if (r < 0)
		return r;
	if (status < 200 || status > 299)
		return kclient_status_error(status, buf_slice(&out), e);
	if (!ret)
		return 0;
	r = schema_from_json(type, buf_slice(&out), 0, a, ret, e);
	if (r < 0)
		err_prefix(e, "reading the answer to %s %s", method, target->ptr);
	return r;
}

int kclient_get_wait(struct kclient *c, const struct kube_resource *r, const char *ns, const char *name, struct arena *a, void *ret_obj, struct err *e)
{
	AUTO(buf) struct buf target = BUF_INIT(4096);

	kube_resource_path(r, ns, name, NULL, &target);
	return ask_wait(c, "GET", &target, NULL, slice_n(NULL, 0), r->type, a, ret_obj, e);
}

int kclient_list_wait(struct kclient *c, const struct kube_resource *r, const char *ns, const char *label_selector, const char *field_selector,
	struct arena *a, void *ret_list, struct err *e)
{
	AUTO(buf) struct buf target = BUF_INIT(64 * 1024);

	kube_resource_path(r, ns, NULL, NULL, &target);
	kclient_param(&target, "labelSelector", label_selector);
	kclient_param(&target, "fieldSelector", field_selector);
	return ask_wait(c, "GET", &target, NULL, slice_n(NULL, 0), r->list, a, ret_list, e);
}

/* obj as JSON, with the kind and version that its type has when it does not say so itself. */
static int put_object(struct schema_ref type, const char *group, const char *version, const char *kind, const void *obj, struct buf *out, struct err *e)
{
	size_t n = schema_size(type);
	AUTO(free) struct kube_head *h = malloc(n);
	char gv[128];
	int r;

	if (!h)
		return err_nomem(e);
	memcpy(h, obj, n);
	if (!h->kind || !*h->kind)
		h->kind = kind;
	if (!h->api_version || !*h->api_version)
		h->api_version = kube_group_version_text(group, version, gv, sizeof gv);
	r = schema_to_json(type, h, 0, out);
	return r < 0 ? err_sys(e, r, "encoding a %s", kind) : 0;
}

static int send_object_wait(struct kclient *c, const char *method, const struct kube_resource *r, const char *ns, const char *name, const char *sub,
	const void *obj, struct arena *a, void *ret_obj, struct err *e)
{
	const struct kube_subresource *s = sub ? kube_subresource_find(r, sub) : NULL;
	struct schema_ref type = s && s->type.domain ? s->type : r->type;
	AUTO(buf) struct buf target = BUF_INIT(4096);
	AUTO(buf) struct buf body = BUF_INIT(ANSWER_MAX);
	int rc;

	if (s && s->type.domain)
		rc = put_object(type, s->kind_group ? s->kind_group : "", s->kind_version, s->kind, obj, &body, e);
	else
		rc = put_object(type, r->group, r->version, r->kind, obj, &body, e);
	if (rc < 0)
		return rc;
	kube_resource_path(r, ns, name, sub, &target);
	return ask_wait(c, method, &target, "application/json", buf_slice(&body), type, a, ret_obj, e);
}

int kclient_create_wait(struct kclient *c, const struct kube_resource *r, const char *ns, const void *obj, struct arena *a, void *ret_obj, struct err *e)
{
	return send_object_wait(c, "POST", r, ns, NULL, NULL, obj, a, ret_obj, e);
}

int kclient_create_sub_wait(struct kclient *c, const struct kube_resource *r, const char *ns, const char *name, const char *sub, const void *obj,
	struct arena *a, void *ret_obj, struct err *e)
{
	return send_object_wait(c, "POST", r, ns, name, sub, obj, a, ret_obj, e);
}

int kclient_update_wait(struct kclient *c, const struct kube_resource *r, const char *sub, const void *obj, struct arena *a, void *ret_obj, struct err *e)
{
	const struct kube_object_meta *m = &((const struct kube_head *)obj)->metadata;

	return send_object_wait(c, "PUT", r, m->namespace, m->name, sub, obj, a, ret_obj, e);
}

int kclient_patch_wait(struct kclient *c, const struct kube_resource *r, const char *ns, const char *name, const char *sub, enum kclient_patch type,
	struct slice body, struct arena *a, void *ret_obj, struct err *e)
{
	static const char *const types[] = {
		[KPATCH_JSON] = "application/json-patch+json",
		[KPATCH_MERGE] = "application/merge-patch+json",
		[KPATCH_STRATEGIC] = "application/strategic-merge-patch+json",
		[KPATCH_APPLY] = "application/apply-patch+yaml",
	};
	AUTO(buf) struct buf target = BUF_INIT(4096);

	kube_resource_path(r, ns, name, sub, &target);
	if (type == KPATCH_APPLY) {
		kclient_param(&target, "fieldManager", c->user_agent);
		kclient_param(&target, "force", "true");
	}
	return ask_wait(c, "PATCH", &target, types[type], body, r->type, a, ret_obj, e);
}

int kclient_delete_wait(struct kclient *c, const struct kube_resource *r, const char *ns, const char *name, const struct kube_delete_options *o, struct err *e)
{
	AUTO(buf) struct buf target = BUF_INIT(4096);
	AUTO(buf) struct buf body = BUF_INIT(64 * 1024);

	kube_resource_path(r, ns, name, NULL, &target);
	if (o) {
		struct kube_delete_options d = *o;
		int rc;

		d.kind = "DeleteOptions";
		d.api_version = "v1";
		rc = schema_to_json(T_kube_delete_options, &d, 0, &body);
		if (rc < 0)
			return err_sys(e, rc, "encoding delete options");
	}
	return ask_wait(c, "DELETE", &target, o ? "application/json" : NULL, buf_slice(&body), r->type, NULL, NULL, e);
}
