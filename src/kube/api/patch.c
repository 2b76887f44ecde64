/* SPDX-License-Identifier: Apache-2.0 */
/* PATCH: JSON patch, merge patch, strategic merge patch; server-side apply is in managed.c. */
#include "kube/api/api_int.h"

#include <string.h>

#include "schema/patch.h"

enum patch_type { PATCH_JSON, PATCH_MERGE, PATCH_STRATEGIC, PATCH_APPLY };

static int type_of(struct api_req *q, enum patch_type *ret)
{
	static const struct { const char *name; enum patch_type type; } rows[] = {
		{ "application/json-patch+json", PATCH_JSON }, { "application/merge-patch+json", PATCH_MERGE },
		{ "application/strategic-merge-patch+json", PATCH_STRATEGIC }, { "application/apply-patch+yaml", PATCH_APPLY },
	};
	struct slice type, rest;
	slice_cut(http_header_get(&q->http->headers, "Content-Type"), ';', &type, &rest);
	type = slice_trim(type);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!slice_is(type, rows[i].name) || (rows[i].type == PATCH_STRATEGIC && q->res->custom))
			continue;
		*ret = rows[i].type;
		return 0;
	}
	return api_refuse(q, 415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted media types include: "
		"application/json-patch+json, application/merge-patch+json, %sapplication/apply-patch+yaml", q->res->custom ? "" : "application/strategic-merge-patch+json, ");
}

static int from_patch_err(struct api_req *q, int x, const struct err *e)
{
	if (x == -EDOM || x == -EBADE) {
		int r = api_refuse(q, 422, "Invalid", "the server rejected our request due to an error in our request: %s", e->text);
		api_cause(q, "FieldValueInvalid", arena_strdup(q->arena, e->text), "patch");
		return r;
	}
	if (x == -EBADMSG || x == -EINVAL)
		return api_bad_request(q, "error decoding patch: %s", e->text);
	return api_from_err(q, e);
}

int api_patch_tree(struct api_req *q, struct schema_ref t, const struct tree *doc, struct tree *ret)
{
	enum patch_type type;
	struct tree patch;
	struct err e = { 0 };
	int x = type_of(q, &type);
	if (x < 0)
		return x;
	if (type == PATCH_APPLY) {
		struct tree docs;
		x = tree_from_yaml(q->body, 0, q->arena, &docs, &e);
		if (x == 0 && docs.n != 1)
			return api_bad_request(q, "error decoding YAML: one document is wanted");
		if (x == 0)
			patch = docs.items[0];
		type = PATCH_MERGE;
	} else {
		x = tree_from_json(q->body, 0, q->arena, &patch, &e);
	}
	if (x < 0)
		return api_bad_request(q, "error decoding patch: %s", e.text);
	switch (type) {
	case PATCH_JSON: x = tree_json_patch(doc, &patch, q->arena, ret, &e); break;
	case PATCH_STRATEGIC: x = tree_strategic_patch(t, doc, &patch, q->arena, ret, &e); break;
	default: x = patch.type == TREE_MAP ? tree_merge_patch(doc, &patch, q->arena, ret, &e) : err_set(&e, EBADMSG, "the patch must be a map"); break;
	}
	return x < 0 ? from_patch_err(q, x, &e) : 0;
}

/* A patched tree as an object; unknown fields in it are the patch's. */
static int as_object(struct api_req *q, const struct tree *t, struct api_object *ret)
{
	struct err e = { 0 };
	AUTO(buf) struct buf json = BUF_INIT(4 * API_OBJECT_MAX);
	AUTO(buf) struct buf problems = BUF_INIT(64 * 1024);
	unsigned n = 0;
	if (t->type != TREE_MAP)
		return api_bad_request(q, "the patched object is no map");
	if (q->res->custom) {
		if (api_object_from_tree(q->res, t, q->arena, ret, &e) < 0)
			return api_bad_request(q, "%s", e.text);
		return api_custom_check(q, t, NULL);
	}
	if (tree_to_json(t, 0, &json) < 0)
		return api_refuse(q, 413, "RequestEntityTooLarge", "the patched object is too large");
	*ret = (struct api_object){ .res = q->res, .head = arena_alloc(q->arena, schema_size(q->res->row->type)) };
	if (!ret->head)
		return -ENOMEM;
	int x = schema_from_json_report(q->res->row->type, buf_slice(&json), q->fields == API_FIELDS_IGNORE ? 0 : SCHEMA_STRICT, q->arena, ret->head, &problems, &n, &e);
	const char *why = x < 0 ? e.text : NULL;
	if (x == 0 && n && q->fields == API_FIELDS_STRICT)
		why = arena_fmt(q->arena, "strict decoding error: %s", problems.ptr);
	if (why) {
		x = api_refuse(q, 422, "Invalid", " \"\" is invalid: patch: Invalid value: \"%.*s\": %s", SLICE_FMT(q->body), why);
		api_cause(q, "FieldValueInvalid", arena_strdup(q->arena, q->refusal ? strstr(q->refusal->message, "Invalid value") : why), "patch");
		return x;
	}
	if (n)
		api_warn_each(q, &problems);
	ret->head->kind = q->res->row->kind;
	ret->head->api_version = q->res->api_version;
	return 0;
}

static int make_patch(struct api_req *q, void *arg, const struct api_object *old, struct api_object *now)
{
	struct tree doc, patched;
	struct err e = { 0 };
	if (api_object_to_tree(old, q->arena, &doc, &e) < 0)
		return api_from_err(q, &e);
	int x = api_patch_tree(q, q->res->row->type, &doc, &patched);
	if (x == 0)
		x = as_object(q, &patched, now);
	if (x < 0)
		return x;
	const struct kube_object_meta *m = &now->head->metadata, *was = &old->head->metadata;
	if (m->resource_version && *m->resource_version && strcmp(m->resource_version, was->resource_version))
		return api_conflict(q, q->res, q->at.name, NULL);
	if (!m->name || strcmp(m->name, was->name))
		return api_bad_request(q, "the name of the object (%s) does not match the name on the URL (%s)", m->name ? m->name : "", was->name);
	if (m->uid && *m->uid && strcmp(m->uid, was->uid))
		return api_conflict(q, q->res, q->at.name, arena_fmt(q->arena, "Precondition failed: UID in precondition: %s, UID in object meta: %s", m->uid, was->uid));
	return 0;
}

int api_patch_wait(struct api_req *q)
{
	enum patch_type type;
	AUTO(api_version) struct api_version v = { 0 };
	int x = type_of(q, &type);
	if (x == 0)
		x = api_read_body_wait(q);
	if (x < 0)
		return x;
	if (type == PATCH_APPLY)
		return api_apply_wait(q);
	const struct api_change c = { .make = make_patch, .what = api_what_of(q) };
	x = api_change_wait(q, q->res, q->at.namespace_, q->at.name, &c, &v);
	return x < 0 ? x : api_reply_version(q, 200, &v);
}
