/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kind/openapi_int.h"

#include "api/kube.h"

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."
enum { MAX_BYTES = 256 << 20 };

struct tree *oa_set(struct openapi *o, struct tree *map, const char *key, struct tree v)
{
	static struct tree nowhere;
	struct tree *p = tree_set(o->a, map, slice_of(key), v);
	if (p)
		return p;
	o->error = -E2BIG;
	nowhere = tree_map();
	return &nowhere;
}

void oa_text(struct openapi *o, struct tree *map, const char *key, const char *text)
{
	oa_set(o, map, key, tree_string(slice_of(text)));
}

void oa_append(struct openapi *o, struct tree *list, struct tree v)
{
	if (!tree_append(o->a, list, v))
		o->error = -E2BIG;
}

struct tree oa_gvk(struct openapi *o, const char *group, const char *version, const char *kind)
{
	struct tree t = tree_map();
	oa_text(o, &t, "group", group);
	oa_text(o, &t, "kind", kind);
	oa_text(o, &t, "version", version);
	return t;
}

/* Adds a type's schemas and says which kind it is; its name. */
static const char *add_kind(struct openapi *o, struct schema_ref t, const char *group, const char *version, const char *kind)
{
	const char *name = schema_openapi_name(t, o->a);
	if (!name || schema_openapi_add(t, o->v, o->a, &o->schemas) < 0) {
		o->error = -E2BIG;
		return "";
	}
	struct tree *schema = tree_get_mut(&o->schemas, slice_of(name));
	struct tree *kinds = schema ? tree_get_mut(schema, SLICE("x-kubernetes-group-version-kind")) : NULL;
	if (schema && !kinds)
		kinds = oa_set(o, schema, "x-kubernetes-group-version-kind", tree_list());
	for (uint32_t i = 0; kinds && i < kinds->n; i++)
		if (slice_is(tree_text(tree_gets(&kinds->items[i], "group")), group) && slice_is(tree_text(tree_gets(&kinds->items[i], "version")), version))
			return name;
	if (kinds)
		oa_append(o, kinds, oa_gvk(o, group, version, kind));
	return name;
}

/* Types that belong to every document. */
static void add_common(struct openapi *o, const char *group, const char *version)
{
	add_kind(o, T_kube_delete_options, "", "v1", "DeleteOptions");
	if (*group)
		add_kind(o, T_kube_delete_options, group, version, "DeleteOptions");
	add_kind(o, T_kube_watch_event, group, version, "WatchEvent");
	add_kind(o, T_kube_status, "", "v1", "Status");
	if (schema_openapi_add(T_kube_api_resource_list, o->v, o->a, &o->schemas) < 0 || schema_openapi_add(T_kube_object_meta, o->v, o->a, &o->schemas) < 0 ||
		schema_openapi_add(T_kube_list_meta, o->v, o->a, &o->schemas) < 0)
		o->error = -E2BIG;
	struct tree patch = tree_map();
	oa_text(o, &patch, "description", "A change, in one of the forms of PATCH.");
	oa_text(o, &patch, "type", "object");
	oa_set(o, &o->schemas, META "Patch", patch);
}

static bool add_built_in(struct openapi *o, const char *group, const char *version)
{
	bool found = false;
	for (unsigned i = 0; i < n_kube_resources && !o->error; i++) {
		const struct kube_resource *r = &kube_resources[i];
		if (strcmp(r->group, group) || strcmp(r->version, version))
			continue;
		found = true;
		struct openapi_resource res = { .group = group, .version = version, .plural = r->plural, .kind = r->kind, .namespaced = r->namespaced,
			.verbs = r->verbs, .schema = add_kind(o, r->type, group, version, r->kind) };
		if (r->list.domain)
			res.list_schema = add_kind(o, r->list, group, version, arena_fmt(o->a, "%sList", r->kind));
		oa_paths(o, &res);
		for (unsigned k = 0; k < n_kube_subresources; k++) {
			const struct kube_subresource *s = &kube_subresources[k];
			if (strcmp(s->plural, r->plural) || strcmp(s->group, group) || strcmp(s->version, version))
				continue;
			struct openapi_sub sub = { .name = s->name, .group = s->kind_group, .version = s->kind_version, .kind = s->kind, .verbs = s->verbs,
				.schema = add_kind(o, s->type, s->kind_group, s->kind_version, s->kind) };
			oa_sub_paths(o, &res, &sub);
		}
	}
	return found;
}

/* Kinds of other groups that came along: what a stateful set claims is a PersistentVolumeClaim. */
static void name_kinds(struct openapi *o)
{
	for (unsigned i = 0; i < n_kube_resources; i++) {
		const struct kube_resource *r = &kube_resources[i];
		const char *name = schema_openapi_name(r->type, o->a);
		if (name && tree_gets(&o->schemas, name))
			add_kind(o, r->type, r->group, r->version, r->kind);
	}
}

static int finish(struct openapi *o, struct buf *out)
{
	name_kinds(o);
	struct tree doc = tree_map(), info = tree_map();
	oa_text(o, &info, "title", "Kubernetes");
	oa_text(o, &info, "version", o->v == OPENAPI_V3 ? "unversioned" : "v1.36.0");
	if (o->v == OPENAPI_V3) {
		struct tree components = tree_map();
		oa_set(o, &components, "schemas", o->schemas);
		oa_set(o, &doc, "components", components);
		oa_set(o, &doc, "info", info);
		oa_text(o, &doc, "openapi", "3.0.0");
		oa_set(o, &doc, "paths", o->paths);
	} else {
		oa_text(o, &doc, "swagger", "2.0");
		oa_set(o, &doc, "info", info);
		oa_set(o, &doc, "paths", o->paths);
		oa_set(o, &doc, "definitions", o->schemas);
	}
	if (o->error)
		return o->error;
	return tree_to_json(&doc, SCHEMA_SORTED, out) < 0 || buf_error(out) ? -E2BIG : 0;
}

int kind_openapi_v3(const char *group, const char *version, const struct kind_openapi_custom *custom, size_t n, struct buf *out)
{
	AUTO(arena) struct arena a;
	arena_init(&a, MAX_BYTES);
	struct openapi o = { .v = OPENAPI_V3, .a = &a, .paths = tree_map(), .schemas = tree_map() };
	oa_discovery_path(&o, group, version);
	add_common(&o, group, version);
	bool found = add_built_in(&o, group, version);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(custom[i].group, group) || strcmp(custom[i].version, version))
			continue;
		found = true;
		oa_custom(&o, &custom[i]);
	}
	return found ? finish(&o, out) : -ENOENT;
}

int kind_openapi_v2(const struct kind_openapi_custom *custom, size_t n, struct buf *out)
{
	AUTO(arena) struct arena a;
	arena_init(&a, MAX_BYTES);
	struct openapi o = { .v = OPENAPI_V2, .a = &a, .paths = tree_map(), .schemas = tree_map() };
	for (unsigned i = 0; i < n_kube_group_versions; i++) {
		const struct kube_group_version *gv = &kube_group_versions[i];
		oa_discovery_path(&o, gv->group, gv->version);
		add_common(&o, gv->group, gv->version);
		add_built_in(&o, gv->group, gv->version);
	}
	for (size_t i = 0; i < n; i++)
		oa_custom(&o, &custom[i]);
	return finish(&o, out);
}
