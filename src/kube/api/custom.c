/* SPDX-License-Identifier: Apache-2.0 */
/* What a custom resource is to the generic registry: schema, columns, subresources, selectable fields. */
#include "kube/api/custom.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kube/api/columns.h"
#include "kube/meta/text.h"
#include "kube/kind/kind.h"

enum { COLUMNS_MAX = 64 };

/* --- making */

static int columns(struct api_custom *c, const struct kube_custom_resource_definition_version *v, struct err *e)
{
	c->columns = arena_array(&c->arena, v->n_additional_printer_columns + 1, sizeof *c->columns);
	if (!c->columns)
		return err_nomem(e);
	for (uint32_t i = 0; i < v->n_additional_printer_columns && i < COLUMNS_MAX; i++) {
		const struct kube_custom_resource_column_definition *from = &v->additional_printer_columns[i];
		struct api_column *to = &c->columns[c->n_columns++];
		*to = (struct api_column){ arena_strdup(&c->arena, from->name), arena_strdup(&c->arena, from->type), arena_strdup(&c->arena, from->format ? from->format : ""),
			arena_strdup(&c->arena, from->description ? from->description : ""), from->priority };
		const char *text = arena_fmt(&c->arena, "{%s}", from->json_path ? from->json_path : "");
		if (!text)
			return err_nomem(e);
		/* a path that cannot be read gives empty cells */
		if (jsonpath_parse(slice_of(text), 0, &c->arena, &to->path, NULL) < 0)
			to->path = NULL;
	}
	return 0;
}

static const char *without_dot(struct arena *a, const char *path) { return path && *path ? arena_strdup(a, *path == '.' ? path + 1 : path) : NULL; }

static int subresources(struct api_custom *c, const struct kube_custom_resource_definition_version *v)
{
	if (!v->subresources)
		return 0;
	c->has_status = v->subresources->status;
	if (!v->subresources->scale)
		return 0;
	c->has_scale = true;
	c->scale = (struct api_scale_paths){ without_dot(&c->arena, v->subresources->scale->spec_replicas_path),
		without_dot(&c->arena, v->subresources->scale->status_replicas_path), without_dot(&c->arena, v->subresources->scale->label_selector_path) };
	return c->scale.replicas && c->scale.status_replicas ? 0 : -EINVAL;
}

static int fields(struct api_custom *c, const struct kube_custom_resource_definition_version *v)
{
	c->fields = arena_array(&c->arena, v->n_selectable_fields, sizeof *c->fields);
	for (uint32_t i = 0; c->fields && i < v->n_selectable_fields; i++)
		c->fields[c->n_fields++] = without_dot(&c->arena, v->selectable_fields[i].json_path);
	return c->fields ? 0 : -ENOMEM;
}

static int schema(struct api_custom *c, const struct kube_custom_resource_definition_version *v, struct err *e)
{
	struct schema_problems p = { .a = &c->arena };
	if (!v->schema || !v->schema->open_apiv3_schema)
		return 0;
	int x = tree_from_struct(T_kube_json_schema_props, v->schema->open_apiv3_schema, &c->arena, &c->document, e);
	return x < 0 ? x : crd_compile(&c->document, T_kube_object_meta, "", &p, &c->schema);
}

static const char **texts(struct arena *a, const char **v, uint32_t n)
{
	const char **copy = arena_array(a, n + 1, sizeof *copy);
	for (uint32_t i = 0; copy && i < n; i++)
		copy[i] = arena_strdup(a, v[i]);
	return copy;
}

static const char *joined(struct arena *a, const char **v, uint32_t n)
{
	AUTO(buf) struct buf b = BUF_INIT(4096);
	for (uint32_t i = 0; i < n; i++)
		buf_addf(&b, "%s%s", i ? "," : "", v[i]);
	return n ? arena_dup(a, buf_slice(&b)) : NULL;
}

int api_custom_new(const struct kube_custom_resource_definition *d, const struct kube_custom_resource_definition_version *v, struct api_resource **ret, struct err *e)
{
	const struct kube_custom_resource_definition_names *n = &d->spec.names;
	struct api_custom *c = calloc(1, sizeof *c);
	struct api_resource *r = calloc(1, sizeof *r);
	if (!c || !r) {
		free(c);
		free(r);
		return err_nomem(e);
	}
	struct arena *a = &c->arena;
	arena_init(a, 64 << 20);
	c->definition = arena_strdup(a, d->metadata.name);
	c->list_kind = arena_strdup(a, n->list_kind);
	c->row = (struct kube_resource){ .group = arena_strdup(a, d->spec.group), .version = arena_strdup(a, v->name), .plural = arena_strdup(a, n->plural),
		.singular = arena_strdup(a, n->singular), .kind = arena_strdup(a, n->kind), .namespaced = d->spec.scope && !strcmp(d->spec.scope, "Namespaced"),
		.verbs = KV_ALL, .short_names = texts(a, n->short_names, n->n_short_names), .category = joined(a, n->categories, n->n_categories) };
	c->is_deprecated = v->deprecated;
	c->deprecation = v->deprecation_warning ? arena_strdup(a, v->deprecation_warning) :
		arena_fmt(a, "%s/%s %s is deprecated", d->spec.group, v->name, n->kind);
	char text[600];
	*r = (struct api_resource){ .row = &c->row, .custom = c, .refs = 1, .stored = r };
	r->text = fmt_new("%s", kube_resource_text(&c->row, text, sizeof text));
	r->api_version = fmt_new("%s/%s", d->spec.group, v->name);
	int x = r->text && r->api_version && c->row.kind ? 0 : err_nomem(e);
	if (x == 0)
		x = columns(c, v, e);
	if (x == 0)
		x = subresources(c, v);
	if (x == 0)
		x = fields(c, v);
	if (x == 0)
		x = schema(c, v, e);
	r->has_status = c->has_status;
	if (x < 0) {
		api_custom_free(r);
		return e->code ? x : err_sys(e, x, "definition %s", d->metadata.name);
	}
	*ret = r;
	return 0;
}

void api_custom_free(struct api_resource *r)
{
	crd_unref(r->custom->schema);
	arena_release(&r->custom->arena);
	free(r->custom);
	free((char *)r->text);
	free((char *)r->api_version);
	free(r);
}

/* --- objects */

int api_custom_check(struct api_req *q, const struct tree *t, const struct buf *duplicates)
{
	AUTO(buf) struct buf problems = BUF_INIT(128 * 1024), unknown = BUF_INIT(64 * 1024);
	struct tree copy;
	unsigned n = 0;
	if (!q->res->custom->schema || q->fields == API_FIELDS_IGNORE)
		return 0;
	if (tree_copy(t, q->arena, &copy) < 0)
		return -ENOMEM;
	crd_prune(q->res->custom->schema, &copy, &unknown, &n);
	bool twice = duplicates && duplicates->len;
	if (!n && !twice)
		return 0;
	if (buf_addf(&problems, "%s%s%s", twice ? duplicates->ptr : "", twice && n ? ", " : "", n ? unknown.ptr : "") < 0)
		return -ENOMEM;
	if (q->fields == API_FIELDS_STRICT)
		return api_bad_request(q, "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s", q->res->row->kind, q->res->row->version,
			q->res->row->kind, problems.ptr);
	api_warn_each(q, &problems);
	return 0;
}

int api_custom_default(struct api_req *q, struct api_object *o)
{
	struct crd_schema *s = o->res->custom->schema;
	struct tree copy;
	if (!s)
		return 0;
	/* what came from the request or the store may be shared */
	if (tree_copy(&o->tree, q->arena, &copy) < 0)
		return -ENOMEM;
	crd_prune(s, &copy, NULL, NULL);
	int x = crd_default(s, &copy, q->arena);
	o->tree = copy;
	return x;
}

static int meta_problems(struct api_req *q, const struct api_object *old, const struct api_object *o, struct kind_problems *p)
{
	struct api_head head = *o->head, was;
	/* the general behaviour is that of objects in namespaces */
	if (!o->res->row->namespaced)
		head.metadata.namespace = "default";
	if (old) {
		was = *old->head;
		if (!o->res->row->namespaced)
			was.metadata.namespace = "default";
	}
	p->a = q->arena;
	return (int)kind_validate(T_kube_partial_object_metadata, KIND_SPEC, &head, old ? &was : NULL, p);
}

int api_custom_validate(struct api_req *q, const struct api_object *old, struct api_object *o)
{
	struct schema_problems p = { .a = q->arena };
	struct kind_problems *m = arena_new(q->arena, struct kind_problems);
	AUTO(buf) struct buf b = BUF_INIT(256 * 1024);
	struct tree t, was;
	struct err e = { 0 };
	const struct kube_resource *row = o->res->row;
	if (!m)
		return -ENOMEM;
	int x = api_object_to_tree(o, q->arena, &t, &e);
	if (x == 0 && old)
		x = api_object_to_tree(old, q->arena, &was, &e);
	if (x < 0)
		return api_from_err(q, &e);
	meta_problems(q, old, o, m);
	if (o->res->custom->schema)
		crd_validate(o->res->custom->schema, &t, old ? &was : NULL, &p);
	if (!p.n && !m->n)
		return 0;
	bool many = p.n + m->n > 1;
	for (unsigned i = 0; i < m->n; i++)
		buf_addf(&b, "%s%s: %s", b.len ? ", " : "", m->v[i].field, m->v[i].message);
	for (uint32_t i = 0; i < p.n; i++)
		buf_addf(&b, "%s%s: %s", b.len ? ", " : "", p.v[i].field, p.v[i].message);
	x = api_refuse(q, 422, "Invalid", "%s.%s \"%s\" is invalid: %s%s%s", row->kind, row->group, o->head->metadata.name, many ? "[" : "", b.ptr, many ? "]" : "");
	for (unsigned i = 0; i < m->n; i++)
		api_cause(q, m->v[i].type, m->v[i].message, m->v[i].field);
	for (uint32_t i = 0; i < p.n; i++)
		api_cause(q, p.v[i].reason, p.v[i].message, p.v[i].field);
	if (q->refusal && q->refusal->details) {
		q->refusal->details->name = o->head->metadata.name;
		q->refusal->details->group = row->group;
		q->refusal->details->kind = row->kind;
	}
	return x;
}

struct schema_node api_custom_node(const struct api_resource *r) { return r->custom->schema ? crd_node(r->custom->schema) : schema_node_any(); }

/* --- subresources */

unsigned api_custom_subresources(const struct api_resource *r, struct kube_subresource *ret, unsigned at)
{
	const struct api_custom *c = r->custom;
	unsigned n = 0;
	if (c->has_status && n++ == at && ret)
		*ret = (struct kube_subresource){ r->row->group, r->row->version, r->row->plural, "status", KV_GPU, r->row->group, r->row->version, r->row->kind };
	if (c->has_scale && n++ == at && ret)
		*ret = (struct kube_subresource){ r->row->group, r->row->version, r->row->plural, "scale", KV_GPU, "autoscaling", "v1", "Scale", T_kube_scale };
	return n;
}

struct api_scale_paths api_custom_scale_paths(const struct api_resource *r) { return r->custom->scale; }

/* --- selectable fields */

bool api_custom_field(const struct api_resource *r, const char *field)
{
	for (size_t i = 0; i < r->custom->n_fields; i++)
		if (r->custom->fields[i] && !strcmp(r->custom->fields[i], field))
			return true;
	return false;
}

int api_custom_fields(const struct api_resource *r, struct slice value, struct arena *a, struct schema_pair *ret, unsigned most, unsigned *n)
{
	struct tree t;
	*n = 0;
	if (!r->custom->n_fields)
		return 0;
	if (tree_from_json(value, 0, a, &t, NULL) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < r->custom->n_fields && *n < most; i++) {
		const struct tree *v = tree_path(&t, r->custom->fields[i]);
		struct slice s = v && v->type == TREE_BOOL ? (v->is_true ? SLICE("true") : SLICE("false")) : tree_text(v);
		ret[(*n)++] = (struct schema_pair){ r->custom->fields[i], arena_dup(a, s) };
	}
	return 0;
}

/* --- another version of what is stored: conversion None changes the version and nothing else */

int api_custom_view(const struct api_resource *r, struct slice stored, struct arena *a, struct slice *ret, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(4 * API_OBJECT_MAX);
	struct tree t;
	int x = tree_from_json(stored, 0, a, &t, e);
	if (x < 0)
		return x;
	if (slice_is(tree_text(tree_gets(&t, "apiVersion")), r->api_version)) {
		*ret = stored;
		return 0;
	}
	if (!tree_set(a, &t, SLICE("apiVersion"), tree_string(slice_of(r->api_version))))
		return err_nomem(e);
	if (r->custom->schema) {
		crd_prune(r->custom->schema, &t, NULL, NULL);
		x = crd_default(r->custom->schema, &t, a);
	}
	if (x < 0 || tree_to_json(&t, SCHEMA_ESCAPE_HTML | SCHEMA_SORTED, &b) < 0)
		return err_set(e, E2BIG, "the object is too large");
	*ret = slice_n(arena_dup(a, buf_slice(&b)), b.len);
	return ret->ptr ? 0 : err_nomem(e);
}

/* --- columns */

int api_custom_columns(struct api_req *q, struct kube_table *t, struct err *e)
{
	const struct api_custom *c = q->res->custom;
	size_t n = c->n_columns ? c->n_columns + 1 : 2;
	struct kube_table_column_definition *v = arena_array(q->arena, n, sizeof *v);
	if (!v)
		return err_nomem(e);
	v[0] = (struct kube_table_column_definition){ "Name", "string", "name", "Name must be unique within a namespace.", 0 };
	v[1] = (struct kube_table_column_definition){ "Age", "date", "", "CreationTimestamp is a timestamp representing the server time when this object was created.", 0 };
	for (size_t i = 0; i < c->n_columns; i++)
		v[i + 1] = (struct kube_table_column_definition){ c->columns[i].name, c->columns[i].type, c->columns[i].format, c->columns[i].description,
			c->columns[i].priority };
	t->column_definitions = v;
	t->n_column_definitions = (uint32_t)n;
	return 0;
}

static struct tree printed(struct api_req *q, const struct jsonpath_results *found)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	for (uint32_t i = 0; i < found->n; i++) {
		if (i)
			buf_addc(&b, ',');
		jsonpath_print_value(found->v[i], &b);
	}
	return tree_string(slice_of(arena_dup(q->arena, buf_slice(&b))));
}

/* As kubectl's tables have it: numbers stay numbers, times become ages, what is missing is empty. */
static struct tree cell(struct api_req *q, const struct api_column *c, const struct tree *obj)
{
	struct jsonpath_results found = { 0 };
	char age[32];
	if (!c->path || jsonpath_find(c->path, obj, JSONPATH_ALLOW_MISSING, q->arena, &found, NULL) < 0 || !found.n || found.v[0]->type == TREE_NULL)
		return tree_null();
	const struct tree *v = found.v[0];
	if (!strcmp(c->type, "date") && v->type == TREE_STRING)
		return tree_string(slice_of(arena_strdup(q->arena, kube_age(age, arena_dup(q->arena, tree_text(v)), api_now_ns(q)))));
	if (found.n > 1 || (!strcmp(c->type, "string") && v->type != TREE_STRING))
		return printed(q, &found);
	return *v;
}

int api_custom_cells(struct api_req *q, const struct api_item *item, struct tree *ret, struct err *e)
{
	const struct api_custom *c = q->res->custom;
	struct tree t;
	char text[32];
	int x = tree_from_json(item->value, 0, q->arena, &t, e);
	if (x < 0)
		return x;
	const struct tree *name = tree_path(&t, "metadata.name"), *created = tree_path(&t, "metadata.creationTimestamp");
	*ret = tree_list();
	bool ok = tree_append(q->arena, ret, name ? *name : tree_null());
	if (!c->n_columns)
		ok = ok && tree_append(q->arena, ret, tree_string(slice_of(arena_strdup(q->arena, kube_age(text, arena_dup(q->arena, tree_text(created)), api_now_ns(q))))));
	for (size_t i = 0; i < c->n_columns && ok; i++)
		ok = tree_append(q->arena, ret, cell(q, &c->columns[i], &t));
	return ok ? 0 : err_nomem(e);
}

/* --- documents */

int api_custom_documents(struct api_req *q, const struct kind_openapi_custom **ret, size_t *n)
{
	struct kube_api *a = q->api;
	struct kind_openapi_custom *v = arena_array(q->arena, a->resources.n, sizeof *v);
	*n = 0;
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < a->resources.n; i++) {
		const struct api_custom *c = a->resources.v[i]->custom;
		struct arena *m = q->arena;
		if (!c)
			continue;
		struct tree *copy = c->document.type == TREE_MAP ? arena_new(m, struct tree) : NULL;
		if (c->document.type == TREE_MAP && (!copy || tree_copy(&c->document, m, copy) < 0))
			return -ENOMEM;
		v[(*n)++] = (struct kind_openapi_custom){ arena_strdup(m, c->row.group), arena_strdup(m, c->row.version), arena_strdup(m, c->row.plural),
			arena_strdup(m, c->row.kind), arena_strdup(m, c->list_kind), c->row.namespaced, c->has_status, c->has_scale, copy };
	}
	*ret = v;
	return 0;
}
