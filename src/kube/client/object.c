// SPDX-License-Identifier: Apache-2.0
/*
 * Cached objects. What comes from the wire is decoded beside it and copied, so
 * that an object holds no more than its own bytes; managedFields, which no
 * part of the control plane reads and which are half of many objects, are left out.
 */
#include <errno.h>

#include "base/num.h"
#include "kube/client/client_int.h"

enum { SCRATCH_BYTES = 32 * 1024 };

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

/* The object in the arena, all of it. */
static int build(struct arena *a, const struct kube_resource *r, const void *obj, struct kobject **ret)
{
	struct kobject *o = arena_new(a, struct kobject);
	struct kube_head *h;
	char gv[128];
	int64_t revision = 0;
	int rc;

	if (!o || !(o->obj = arena_alloc(a, schema_size(r->type))))
		return -ENOMEM;
	o->refs = 1;
	o->resource = r;
	rc = schema_copy(r->type, obj, a, o->obj);
	if (rc < 0)
		return rc;
	h = o->obj;
	if (h->metadata.resource_version)
		num_parse_i64(slice_of(h->metadata.resource_version), 0, INT64_MAX, &revision);
	o->revision = revision;
	/* Items of lists do not say what they are. */
	if (!h->kind)
		h->kind = r->kind;
	if (!h->api_version)
		h->api_version = arena_strdup(a, kube_group_version_text(r->group, r->version, gv, sizeof gv));
	if (!h->metadata.name)
		h->metadata.name = "";
	if (!h->metadata.uid)
		h->metadata.uid = "";
	if (h->metadata.namespace && *h->metadata.namespace)
		o->key = arena_fmt(a, "%s/%s", h->metadata.namespace, h->metadata.name);
	else
		o->key = h->metadata.name;
	if (!o->key || !h->api_version)
		return -ENOMEM;
	*ret = o;
	return 0;
}

/* A first chunk with room for n bytes, all of them still to be had. */
static int reserve(struct arena *a, size_t n)
{
	char *p = arena_alloc(a, n);

	if (!p)
		return -ENOMEM;
	a->at = p;
	return 0;
}

/* Twice: once to know how large it is, once into just so much. What is cached stays for long, and chunks that double are half empty. */
int kobject_from_struct(const struct kube_resource *r, const void *obj, struct kobject **ret)
{
	struct arena a, scratch;
	struct kobject *o;
	size_t first, left, taken = 0;
	int rc;

	arena_init(&scratch, OBJECT_ARENA_MAX);
	arena_init(&a, OBJECT_ARENA_MAX);
	rc = reserve(&scratch, SCRATCH_BYTES);
	first = scratch.used_bytes;
	left = (size_t)(scratch.end - scratch.at);
	if (rc == 0)
		rc = build(&scratch, r, obj, &o);
	if (rc == 0) {
		/* One that needed more chunks is as large as they are, or a little smaller. */
		taken = scratch.used_bytes == first ? left - (size_t)(scratch.end - scratch.at) : scratch.used_bytes - SCRATCH_BYTES / 2;
		rc = reserve(&a, taken);
	}
	arena_release(&scratch);
	if (rc == 0)
		rc = build(&a, r, obj, &o);
	if (rc < 0) {
		arena_release(&a);
		return rc;
	}
	o->arena = a;
	*ret = o;
	return 0;
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
