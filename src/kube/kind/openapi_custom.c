/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Custom resources in the documents: their own schema, with kind, apiVersion
 * and metadata added. Version 2 has no nullable, oneOf and the like; what they
 * say is left out there, so that nothing valid is refused.
 */
#include "kube/kind/openapi_int.h"

#include "api/kube.h"

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

/* "stable.example.com", "v1", "CronTab" -> "com.example.stable.v1.CronTab" */
static const char *custom_name(struct openapi *o, const char *group, const char *version, const char *kind)
{
	AUTO(buf) struct buf b = BUF_INIT(2048);
	struct slice rest = slice_of(group);
	for (ptrdiff_t dot; (dot = slice_rfind(rest, '.')) >= 0; rest.len = (size_t)dot)
		buf_addf(&b, "%.*s.", (int)(rest.len - (size_t)dot - 1), rest.ptr + dot + 1);
	buf_addf(&b, "%.*s.%s.%s", SLICE_FMT(rest), version, kind);
	const char *s = arena_dup(o->a, buf_slice(&b));
	if (!s)
		o->error = -E2BIG;
	return s ? s : "";
}

static bool is_true(const struct tree *t, const char *key)
{
	return tree_is_true(tree_gets(t, key));
}

/* A copy that version 2 can say. */
static struct tree simplified(struct openapi *o, const struct tree *s, unsigned depth)
{
	static const char *const dropped[] = { "nullable", "oneOf", "anyOf", "allOf", "not", "default", "x-kubernetes-validations", "x-kubernetes-embedded-resource" };
	struct tree out = tree_map();
	if (s->type != TREE_MAP || depth > 100)
		return s->type == TREE_MAP ? out : *s;
	bool is_open = is_true(s, "x-kubernetes-preserve-unknown-fields"), is_nullable = is_true(s, "nullable"), is_either = is_true(s, "x-kubernetes-int-or-string");
	for (uint32_t i = 0; i < s->n; i++) {
		const struct tree_member *m = &s->members[i];
		struct slice key = slice_n(m->key, m->key_len);
		bool drop = false;
		for (size_t k = 0; k < ARRAY_LEN(dropped); k++)
			drop |= slice_is(key, dropped[k]);
		bool has_shape = slice_is(key, "properties") || slice_is(key, "items") || slice_is(key, "additionalProperties") || slice_is(key, "required");
		if (drop || ((is_open || is_nullable) && has_shape) || ((is_nullable || is_either) && slice_is(key, "type")))
			continue;
		struct tree v = m->value;
		if (slice_is(key, "items") || slice_is(key, "additionalProperties")) {
			v = simplified(o, &m->value, depth + 1);
		} else if (slice_is(key, "properties") && m->value.type == TREE_MAP) {
			v = tree_map();
			for (uint32_t p = 0; p < m->value.n; p++)
				if (!tree_set(o->a, &v, slice_n(m->value.members[p].key, m->value.members[p].key_len), simplified(o, &m->value.members[p].value, depth + 1)))
					o->error = -E2BIG;
		}
		if (!tree_set(o->a, &out, key, v))
			o->error = -E2BIG;
	}
	return out;
}

static void text_property(struct openapi *o, struct tree *properties, const char *name, const char *help)
{
	struct tree p = tree_map();
	oa_text(o, &p, "description", help);
	oa_text(o, &p, "type", "string");
	oa_set(o, properties, name, p);
}

static void ref_property(struct openapi *o, struct tree *properties, const char *name, const char *type, const char *help)
{
	struct tree p = tree_map(), ref, all = tree_list();
	if (schema_openapi_ref(o->v, type, o->a, &ref) < 0)
		o->error = -E2BIG;
	if (o->v == OPENAPI_V3) {
		oa_append(o, &all, ref);
		oa_set(o, &p, "allOf", all);
	} else {
		p = ref;
	}
	oa_text(o, &p, "description", help);
	oa_set(o, properties, name, p);
}

#define KIND_HELP "Kind of the object, in capitals and singular."
#define VERSION_HELP "Group and version of this form of the object."

static void object_schema(struct openapi *o, const struct kind_openapi_custom *c, const char *name)
{
	struct tree schema = tree_map(), kinds = tree_list();
	if (c->schema && c->schema->type == TREE_MAP) {
		if (o->v == OPENAPI_V2)
			schema = simplified(o, c->schema, 0);
		else if (tree_copy(c->schema, o->a, &schema) < 0)
			o->error = -E2BIG;
	}
	oa_text(o, &schema, "type", "object");
	/* unknown fields at the root: version 2 must not name any */
	if (!(o->v == OPENAPI_V2 && is_true(c->schema, "x-kubernetes-preserve-unknown-fields"))) {
		struct tree *properties = tree_get_mut(&schema, SLICE("properties"));
		if (!properties || properties->type != TREE_MAP)
			properties = oa_set(o, &schema, "properties", tree_map());
		text_property(o, properties, "apiVersion", VERSION_HELP);
		text_property(o, properties, "kind", KIND_HELP);
		ref_property(o, properties, "metadata", META "ObjectMeta", "What every object has: name, namespace, labels and the like.");
	}
	oa_append(o, &kinds, oa_gvk(o, c->group, c->version, c->kind));
	oa_set(o, &schema, "x-kubernetes-group-version-kind", kinds);
	oa_set(o, &o->schemas, name, schema);
}

static void list_schema(struct openapi *o, const struct kind_openapi_custom *c, const char *name, const char *item)
{
	struct tree schema = tree_map(), properties = tree_map(), items = tree_map(), ref, required = tree_list(), kinds = tree_list();
	if (schema_openapi_ref(o->v, item, o->a, &ref) < 0)
		o->error = -E2BIG;
	oa_set(o, &items, "items", ref);
	oa_text(o, &items, "type", "array");
	oa_text(o, &items, "description", "The objects.");
	text_property(o, &properties, "apiVersion", VERSION_HELP);
	text_property(o, &properties, "kind", KIND_HELP);
	oa_set(o, &properties, "items", items);
	ref_property(o, &properties, "metadata", META "ListMeta", "Version of the list, and where it goes on.");
	oa_append(o, &required, tree_string(SLICE("items")));
	oa_append(o, &kinds, oa_gvk(o, c->group, c->version, c->list_kind));
	oa_set(o, &schema, "properties", properties);
	oa_set(o, &schema, "required", required);
	oa_text(o, &schema, "type", "object");
	oa_set(o, &schema, "x-kubernetes-group-version-kind", kinds);
	oa_set(o, &o->schemas, name, schema);
}

void oa_custom(struct openapi *o, const struct kind_openapi_custom *c)
{
	struct openapi_resource r = { .group = c->group, .version = c->version, .plural = c->plural, .kind = c->kind, .namespaced = c->namespaced,
		.verbs = KV_ALL, .schema = custom_name(o, c->group, c->version, c->kind), .list_schema = custom_name(o, c->group, c->version, c->list_kind) };
	object_schema(o, c, r.schema);
	list_schema(o, c, r.list_schema, r.schema);
	oa_paths(o, &r);
	if (c->has_status) {
		struct openapi_sub s = { "status", c->group, c->version, c->kind, r.schema, KV_GPU };
		oa_sub_paths(o, &r, &s);
	}
	if (c->has_scale) {
		struct openapi_sub s = { "scale", "autoscaling", "v1", "Scale", schema_openapi_name(T_kube_scale, o->a), KV_GPU };
		if (!s.schema || schema_openapi_add(T_kube_scale, o->v, o->a, &o->schemas) < 0)
			o->error = -E2BIG;
		else
			oa_sub_paths(o, &r, &s);
	}
}
