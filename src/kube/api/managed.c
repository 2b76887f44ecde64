/* SPDX-License-Identifier: Apache-2.0 */
/* metadata.managedFields of every write, and server-side apply. */
#include "kube/api/api_int.h"

#include <string.h>

#include "base/clock.h"
#include "schema/apply.h"

static struct apply_who who(struct api_req *q, const struct api_resource *r)
{
	const char *sub = q->sub && q->res == r ? q->at.subresource : NULL;
	const char *force = http_query_get(&q->http->query, "force");
	return (struct apply_who){ .node = r->custom ? api_custom_node(r) : schema_node_of(r->row->type), .api_version = r->api_version,
		.manager = q->field_manager, .subresource = sub, .now = api_time_text(q, api_now_ns(q)), .is_forced = api_param_is(force),
		.reset = sub ? (strcmp(sub, "status") ? NULL : "spec") : r->has_status ? "status" : NULL };
}

int api_track(struct api_req *q, const struct api_object *old, struct api_object *o, const char *operation)
{
	struct tree was, now, ret;
	struct err e = { 0 };
	const struct apply_who w = who(q, o->res);
	if (!strcmp(operation, "Apply"))
		return 0;
	int x = old ? api_object_to_tree(old, q->arena, &was, &e) : 0;
	if (x == 0)
		x = api_object_to_tree(o, q->arena, &now, &e);
	/* what the server puts into the status of a new object is nobody's */
	if (x == 0 && !old && o->res->has_status)
		tree_remove(&now, SLICE("status"));
	if (x == 0)
		x = apply_track(&w, old ? &was : NULL, &now, q->arena, &ret, &e);
	if (x < 0)
		return api_from_err(q, &e);
	const struct tree *m = tree_path(&ret, "metadata.managedFields");
	struct tree meta = tree_map();
	struct kube_object_meta only;
	if (m && !tree_set(q->arena, &meta, SLICE("managedFields"), *m))
		return -ENOMEM;
	if (tree_to_struct(&meta, T_kube_object_meta, 0, q->arena, &only, &e) < 0)
		return api_from_err(q, &e);
	o->head->metadata.managed_fields = only.managed_fields;
	o->head->metadata.n_managed_fields = only.n_managed_fields;
	return 0;
}

/* --- apply */

static int conflicts(struct api_req *q, const struct apply_conflicts *c, const struct err *e)
{
	int x = api_refuse(q, 409, "Conflict", "%s", e->text);
	for (uint32_t i = 0; i < c->n; i++)
		api_cause(q, "FieldManagerConflict", c->v[i].message, c->v[i].field);
	return x;
}

struct applying { struct tree config; bool changed; };

/* live NULL: makes the object. */
static int merge(struct api_req *q, struct applying *a, const struct api_object *live, struct api_object *ret)
{
	struct tree was, merged;
	struct err e = { 0 };
	struct apply_conflicts c = { 0 };
	const struct apply_who w = who(q, q->res);
	if (live && api_object_to_tree(live, q->arena, &was, &e) < 0)
		return api_from_err(q, &e);
	int x = apply_patch(&w, live ? &was : NULL, &a->config, q->arena, &merged, &a->changed, &c, &e);
	if (x == -EBUSY)
		return conflicts(q, &c, &e);
	if (x < 0)
		return x == -EINVAL ? api_bad_request(q, "%s", e.text) : api_from_err(q, &e);
	if (api_object_from_tree(q->res, &merged, q->arena, ret, &e) < 0)
		return api_bad_request(q, "failed to create typed patch object (%s%s%s; %s, Kind=%s): %s", q->at.namespace_, *q->at.namespace_ ? "/" : "", q->at.name,
			q->res->api_version, q->res->row->kind, e.text);
	return 0;
}

static int make_apply(struct api_req *q, void *arg, const struct api_object *old, struct api_object *now)
{
	struct applying *a = arg;
	const struct tree *uid = tree_path(&a->config, "metadata.uid"), *rv = tree_path(&a->config, "metadata.resourceVersion");
	if (uid && !slice_is(tree_text(uid), old->head->metadata.uid))
		return api_conflict(q, q->res, q->at.name, arena_fmt(q->arena, "Precondition failed: UID in precondition: %.*s, UID in object meta: %s",
			SLICE_FMT(tree_text(uid)), old->head->metadata.uid));
	if (rv && tree_text(rv).len && !slice_is(tree_text(rv), old->head->metadata.resource_version))
		return api_conflict(q, q->res, q->at.name, NULL);
	int x = merge(q, a, old, now);
	if (x == 0 && !a->changed)
		return api_object_copy(old, q->arena, now, NULL) < 0 ? -ENOMEM : 0;
	return x;
}

/* Unknown fields of the applied configuration. */
static int check_fields(struct api_req *q, const struct tree *config)
{
	AUTO(buf) struct buf json = BUF_INIT(4 * API_OBJECT_MAX);
	AUTO(buf) struct buf problems = BUF_INIT(64 * 1024);
	struct err e = { 0 };
	unsigned n = 0;
	if (q->res->custom)
		return api_custom_check(q, config, NULL);
	void *obj = arena_alloc(q->arena, schema_size(q->res->row->type));
	if (!obj || tree_to_json(config, 0, &json) < 0)
		return -ENOMEM;
	if (schema_from_json_report(q->res->row->type, buf_slice(&json), SCHEMA_STRICT, q->arena, obj, &problems, &n, &e) < 0)
		return api_bad_request(q, "failed to create typed patch object (%s%s%s; %s, Kind=%s): %s", q->at.namespace_, *q->at.namespace_ ? "/" : "", q->at.name,
			q->res->api_version, q->res->row->kind, e.text);
	if (n && q->fields == API_FIELDS_STRICT)
		return api_bad_request(q, "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s", q->res->row->kind, q->res->row->version,
			q->res->row->kind, problems.ptr);
	if (n)
		api_warn_each(q, &problems);
	return 0;
}

/* What the rows do not name is dropped, as decoding it would. */
static int read_config(struct api_req *q, struct tree *ret)
{
	struct tree docs;
	struct err e = { 0 };
	const char *manager = http_query_get(&q->http->query, "fieldManager");
	if (!manager || !*manager)
		return api_refuse(q, 422, "Invalid", "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch");
	if (tree_from_yaml(q->body, q->fields == API_FIELDS_STRICT ? SCHEMA_STRICT : 0, q->arena, &docs, &e) < 0)
		return api_bad_request(q, "error decoding YAML: %s", e.text);
	if (docs.n != 1 || docs.items[0].type != TREE_MAP)
		return api_bad_request(q, "error decoding YAML: the configuration must be one object");
	*ret = docs.items[0];
	struct slice version = tree_text(tree_gets(ret, "apiVersion")), kind = tree_text(tree_gets(ret, "kind")), name = tree_text(tree_path(ret, "metadata.name"));
	if (!slice_is(version, q->res->api_version) || !slice_is(kind, q->res->row->kind))
		return api_bad_request(q, "invalid object type: %.*s, Kind=%.*s", SLICE_FMT(version), SLICE_FMT(kind));
	if (name.len && !slice_is(name, q->at.name))
		return api_bad_request(q, "metadata.name: Invalid value: \"%.*s\": must match the name in the URL", SLICE_FMT(name));
	struct tree *meta = tree_get_mut(ret, SLICE("metadata"));
	if (!meta && !(meta = tree_set(q->arena, ret, SLICE("metadata"), tree_map())))
		return -ENOMEM;
	if (meta->type != TREE_MAP)
		return api_bad_request(q, "metadata must be a map");
	if (!name.len && !tree_set(q->arena, meta, SLICE("name"), tree_string(slice_of(q->at.name))))
		return -ENOMEM;
	return check_fields(q, ret);
}

/* The object is not there: it is created as applied. */
static int create_wait(struct api_req *q, struct applying *a, struct api_version *v)
{
	struct api_object o;
	if (tree_path(&a->config, "metadata.uid"))
		return api_conflict(q, q->res, q->at.name, arena_fmt(q->arena, "uid mismatch: the provided object specified uid %.*s, and no existing object was found",
			SLICE_FMT(tree_text(tree_path(&a->config, "metadata.uid")))));
	int x = merge(q, a, NULL, &o);
	if (x < 0)
		return x;
	q->is_apply = true;
	x = api_insert_wait(q, &o, v);
	q->is_apply = false;
	return x;
}

int api_apply_wait(struct api_req *q)
{
	struct applying a = { 0 };
	AUTO(api_version) struct api_version v = { 0 };
	int x = read_config(q, &a.config);
	if (x < 0)
		return x;
	const struct api_change c = { .make = make_apply, .arg = &a, .what = api_what_of(q), .operation = "Apply" };
	for (int tries = 0; tries < 3; tries++) {
		x = api_change_wait(q, q->res, q->at.namespace_, q->at.name, &c, &v);
		if (x == 0)
			return api_reply_version(q, 200, &v);
		if (!q->refusal || q->refusal->code != 404 || *q->at.subresource)
			return x;
		q->refusal = NULL;
		x = create_wait(q, &a, &v);
		if (x == 0)
			return api_reply_version(q, 201, &v);
		if (!q->refusal || strcmp(q->refusal->reason, "AlreadyExists"))
			return x;
		q->refusal = NULL;
	}
	return api_conflict(q, q->res, q->at.name, NULL);
}
