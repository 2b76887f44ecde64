/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One object in its three forms. Built-ins are structs of their type, custom
 * ones a tree with a decoded head; both become trees for patches and field
 * ownership, and canonical JSON without resourceVersion for the store.
 */
#include "kube/api/api_int.h"

#include <string.h>

#include "codec/json.h"

static void name_kind(struct api_object *o)
{
	o->head->kind = o->res->row->kind;
	o->head->api_version = o->res->api_version;
}

int api_object_from_tree(struct api_resource *r, const struct tree *t, struct arena *a, struct api_object *ret, struct err *e)
{
	struct api_object o = { .res = r };
	struct schema_ref type = r->custom ? T_kube_partial_object_metadata : r->row->type;
	o.head = arena_alloc(a, schema_size(type));
	if (!o.head)
		return err_nomem(e);
	int x = tree_to_struct(t, type, 0, a, o.head, e);
	if (x < 0)
		return x;
	if (r->custom)
		o.tree = *t;
	name_kind(&o);
	*ret = o;
	return 0;
}

int api_object_to_tree(const struct api_object *o, struct arena *a, struct tree *ret, struct err *e)
{
	struct tree meta, t;
	if (!o->res->custom)
		return tree_from_struct(o->res->row->type, o->head, a, ret, e);
	int x = tree_from_struct(T_kube_object_meta, &o->head->metadata, a, &meta, e);
	if (x == 0)
		x = tree_copy(&o->tree, a, &t);
	if (x < 0)
		return x;
	if (!tree_set(a, &t, SLICE("apiVersion"), tree_string(slice_of(o->head->api_version))) ||
	    !tree_set(a, &t, SLICE("kind"), tree_string(slice_of(o->head->kind))) || !tree_set(a, &t, SLICE("metadata"), meta))
		return err_nomem(e);
	*ret = t;
	return 0;
}

static int from_json(struct api_resource *r, struct slice json, struct arena *a, struct api_object *ret, struct err *e)
{
	struct api_object o = { .res = r };
	struct schema_ref type = r->custom ? T_kube_partial_object_metadata : r->row->type;
	o.head = arena_alloc(a, schema_size(type));
	if (!o.head)
		return err_nomem(e);
	int x = schema_from_json(type, json, 0, a, o.head, e);
	if (x == 0 && r->custom)
		x = tree_from_json(json, 0, a, &o.tree, e);
	if (x < 0)
		return x;
	name_kind(&o);
	*ret = o;
	return 0;
}

int api_object_from_stored(struct api_resource *r, const struct store_object *s, struct arena *a, struct api_object *ret, struct err *e)
{
	struct slice json = slice_n(s->value, s->value_len);
	int x = r->custom && api_needs_view(r) ? api_view(r, json, a, &json, e) : 0;
	if (x == 0)
		x = from_json(r->custom ? r : r->stored, json, a, ret, e);
	if (x == 0 && r->stored != r && !r->custom) {
		ret->base = ret->head;
		x = api_convert(r->stored, ret->base, r, NULL, a, &ret->head, e);
		ret->res = r;
	}
	if (x == 0)
		ret->head->metadata.resource_version = arena_fmt(a, "%lld", (long long)s->revision);
	return x;
}

int api_object_copy(const struct api_object *o, struct arena *a, struct api_object *ret, struct err *e)
{
	struct schema_ref type = o->res->custom ? T_kube_partial_object_metadata : o->res->row->type;
	*ret = *o;
	ret->head = arena_alloc(a, schema_size(type));
	if (!ret->head || schema_copy(type, o->head, a, ret->head) < 0 || (o->res->custom && tree_copy(&o->tree, a, &ret->tree) < 0))
		return err_nomem(e);
	return 0;
}

int api_object_encode(const struct api_object *o, struct arena *a, struct slice *ret, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(2 * API_OBJECT_MAX);
	struct tree t;
	const char *rv = o->head->metadata.resource_version;
	int x = 0;
	o->head->metadata.resource_version = NULL;
	if (o->res->custom) {
		x = api_object_to_tree(o, a, &t, e);
		if (x == 0 && !tree_set(a, &t, SLICE("apiVersion"), tree_string(slice_of(o->res->stored->api_version))))
			x = err_nomem(e);
		if (x == 0)
			x = tree_to_json(&t, SCHEMA_ESCAPE_HTML | SCHEMA_SORTED, &b);
	} else {
		struct api_head *h = o->head;
		if (o->res->stored != o->res)
			x = api_convert(o->res, o->head, o->res->stored, o->base, a, &h, e);
		if (x == 0)
			x = schema_to_json(o->res->stored->row->type, h, SCHEMA_ESCAPE_HTML, &b);
	}
	o->head->metadata.resource_version = rv;
	if (x < 0)
		return e && e->code ? x : err_set(e, E2BIG, "the object is too large");
	if (b.len > API_OBJECT_MAX)
		return err_set(e, E2BIG, "etcdserver: request is too large");
	ret->ptr = arena_dup(a, buf_slice(&b));
	ret->len = b.len;
	return ret->ptr ? 0 : err_nomem(e);
}

int api_splice_points(struct slice value, uint32_t *meta_at, uint32_t *rv_at)
{
	struct json_in in = json_in(value);
	struct json_text key;
	struct slice skipped;
	if (json_peek(&in) != '{')
		return -EBADMSG;
	in.p++;
	while (json_peek(&in) == '"') {
		uint32_t at = (uint32_t)(in.p - value.ptr);
		if (json_string(&in, &key) < 0 || json_peek(&in) != ':')
			return -EBADMSG;
		in.p++;
		if (key.len == 8 && !memcmp(key.ptr, "metadata", 8) && json_peek(&in) == '{') {
			*meta_at = at;
			in.p++;
			break;
		}
		if (json_peek(&in) == 0 || json_skip(&in, &skipped) < 0)
			return -EBADMSG;
		if (json_peek(&in) == ',')
			in.p++;
	}
	*rv_at = 0;
	while (json_peek(&in) == '"') {
		if (json_string(&in, &key) < 0 || json_peek(&in) != ':')
			return -EBADMSG;
		in.p++;
		if (json_peek(&in) == 0 || json_skip(&in, &skipped) < 0)
			return -EBADMSG;
		if (key.len == 3 && !memcmp(key.ptr, "uid", 3))
			*rv_at = (uint32_t)(in.p - value.ptr);
		if (json_peek(&in) == ',')
			in.p++;
	}
	return *rv_at ? 0 : -EBADMSG;
}

void api_splice(struct buf *out, struct slice value, uint32_t rv_at, int64_t revision)
{
	char text[48];
	if (!revision) {
		buf_addslice(out, value);       /* of a dry run */
		return;
	}
	fmt_into(text, sizeof text, ",\"resourceVersion\":\"%lld\"", (long long)revision);
	if (rv_at > value.len || buf_reserve(out, value.len + 48) < 0)
		return;
	buf_add(out, value.ptr, rv_at);
	buf_adds(out, text);
	buf_add(out, value.ptr + rv_at, value.len - rv_at);
}
