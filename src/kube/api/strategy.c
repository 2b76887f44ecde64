/* SPDX-License-Identifier: Apache-2.0 */
/* What is particular to a kind, asked of kube/kind for built-ins and of the compiled schema for custom resources. */
#include "kube/api/api_int.h"

#include <string.h>

#include "kube/api/custom.h"
#include "kube/kind/kind.h"

static int copy_member(const struct tree *from, const char *name, struct tree *to, struct arena *a)
{
	const struct tree *v = tree_gets(from, name);
	struct tree copy;
	if (!v) {
		tree_remove(to, slice_of(name));
		return 0;
	}
	if (tree_copy(v, a, &copy) < 0 || !tree_set(a, to, slice_of(name), copy))
		return -ENOMEM;
	return 0;
}

bool api_spec_differs(const struct api_object *a, const struct api_object *b, struct arena *arena)
{
	struct tree x, y;
	if (api_object_to_tree(a, arena, &x, NULL) < 0 || api_object_to_tree(b, arena, &y, NULL) < 0)
		return true;
	for (int i = 0; i < 2; i++) {
		struct tree *t = i ? &y : &x;
		tree_remove(t, SLICE("metadata"));
		tree_remove(t, SLICE("status"));
	}
	return !tree_equal(&x, &y);
}

int api_default(struct api_req *q, struct api_object *o)
{
	if (o->res->custom)
		return api_custom_default(q, o);
	return kind_default(o->res->row->type, q->arena, o->head);
}

static int custom_prepare(struct api_req *q, const struct api_object *old, struct api_object *o, enum api_what what)
{
	struct kube_object_meta *m = &o->head->metadata;
	if (!old) {
		if (o->res->has_status)
			tree_remove(&o->tree, SLICE("status"));
		m->generation = 1;
		return 0;
	}
	if (what == API_STATUS) {
		struct tree rest;
		struct kube_managed_fields_entry *managed = m->managed_fields;
		uint32_t n = m->n_managed_fields;
		if (tree_copy(&old->tree, q->arena, &rest) < 0 || copy_member(&o->tree, "status", &rest, q->arena) < 0)
			return -ENOMEM;
		o->tree = rest;
		*m = old->head->metadata;
		m->managed_fields = managed;
		m->n_managed_fields = n;
		return 0;
	}
	if (o->res->has_status && copy_member(&old->tree, "status", &o->tree, q->arena) < 0)
		return -ENOMEM;
	if (api_spec_differs(old, o, q->arena))
		m->generation++;
	return 0;
}

int api_prepare_create(struct api_req *q, struct api_object *o)
{
	if (o->res->custom)
		return custom_prepare(q, NULL, o, API_SPEC);
	return kind_prepare_create(o->res->row->type, q->arena, o->head);
}

int api_prepare_update(struct api_req *q, const struct api_object *old, struct api_object *o, enum api_what what)
{
	if (o->res->custom)
		return custom_prepare(q, old, o, what);
	return kind_prepare_update(o->res->row->type, (enum kind_write)what, q->arena, o->head, old->head);
}

int api_validate(struct api_req *q, const struct api_object *old, struct api_object *o, enum api_what what)
{
	/* the server's own objects need not be what a client may write: the endpoints of a server on loopback */
	if (q->is_own)
		return 0;
	if (o->res->custom)
		return api_custom_validate(q, old, o);
	if (!strcmp(o->res->text, "customresourcedefinitions.apiextensions.k8s.io") && what == API_SPEC) {
		int x = api_custom_check_definition(q, (const struct kube_custom_resource_definition *)o->head,
			old ? (const struct kube_custom_resource_definition *)old->head : NULL);
		if (x < 0)
			return x;
	}
	struct kind_problems *p = arena_new(q->arena, struct kind_problems);
	if (!p)
		return -ENOMEM;
	p->a = q->arena;
	if (!kind_validate(o->res->row->type, (enum kind_write)what, o->head, old ? old->head : NULL, p))
		return 0;
	AUTO(buf) struct buf text = BUF_INIT(256 * 1024);
	const struct kube_resource *row = o->res->row;
	const char *kind = *row->group ? arena_fmt(q->arena, "%s.%s", row->kind, row->group) : row->kind;
	kind_problems_text(p, kind, o->head->metadata.name, &text);
	int x = api_refuse(q, 422, "Invalid", "%s", text.ptr);
	for (unsigned i = 0; i < p->n; i++)
		api_cause(q, p->v[i].type, p->v[i].message, p->v[i].field);
	if (q->refusal && q->refusal->details) {
		q->refusal->details->name = o->head->metadata.name;
		q->refusal->details->group = row->group;
		q->refusal->details->kind = row->kind;
	}
	return x;
}
