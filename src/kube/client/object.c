// SPDX-License-Identifier: Apache-2.0
/*
 * Cached objects. What comes from the wire is decoded beside it and copied, so
 * that an object holds no more than its own bytes; managedFields, which no
 * part of the control plane reads and which are half of many objects, are left out.
 */
#include <errno.h>

#include "base/num.h"
#include "kube/client/client_int.h"

struct kobject *kobject_ref(struct kobject *o)
{
	o->refs++;
	return o;
}

struct kobject *kobject_unref(struct kobject *o)
{
	struct arena a;

	if (!o || --o->refs)
		return NULL;
	a = o->arena;            /* o lies in it */
	arena_release(&a);
	return NULL;
}

int kobject_from_struct(const struct kube_resource *r, const void *obj, struct kobject **ret)
{
	struct arena a;
	struct kobject *o;
	struct kube_head *h;
	char gv[128];
	int64_t revision = 0;
	int rc = -ENOMEM;

	arena_init(&a, OBJECT_ARENA_MAX);
	o = arena_new(&a, struct kobject);
	if (!o)
		return -ENOMEM;
	o->refs = 1;
	o->resource = r;
	o->obj = arena_alloc(&a, schema_size(r->type));
	if (!o->obj)
		goto out;
	rc = schema_copy(r->type, obj, &a, o->obj);
	if (rc < 0)
		goto out;
	h = o->obj;
	if (h->metadata.resource_version)
		num_parse_i64(slice_of(h->metadata.resource_version), 0, INT64_MAX, &revision);
	o->revision = revision;
	/* Items of lists do not say what they are. */
	rc = -ENOMEM;
	if (!h->kind)
		h->kind = r->kind;
	if (!h->api_version)
		h->api_version = arena_strdup(&a, kube_group_version_text(r->group, r->version, gv, sizeof gv));
	if (!h->metadata.name)
		h->metadata.name = "";
	if (!h->metadata.uid)
		h->metadata.uid = "";
	if (h->metadata.namespace && *h->metadata.namespace)
		o->key = arena_fmt(&a, "%s/%s", h->metadata.namespace, h->metadata.name);
	else
		o->key = h->metadata.name;
	if (!o->key || !h->api_version)
		goto out;
	o->arena = a;
	*ret = o;
	return 0;
out:
	arena_release(&a);
	return rc;
}

int kobject_from_json(const struct kube_resource *r, struct slice json, struct kobject **ret, struct err *e)
{
	struct arena a;
	struct kube_head *h;
	int rc;

	arena_init(&a, 4 * OBJECT_ARENA_MAX);
	h = arena_alloc(&a, schema_size(r->type));
	if (!h) {
		arena_release(&a);
		return err_nomem(e);
	}
	rc = schema_from_json(r->type, json, SCHEMA_NO_COPY, &a, h, e);
	if (rc == 0) {
		h->metadata.managed_fields = NULL;
		h->metadata.n_managed_fields = 0;
		rc = kobject_from_struct(r, h, ret);
		if (rc < 0)
			err_sys(e, rc, "keeping a %s", r->kind);
	}
	arena_release(&a);
	return rc;
}
