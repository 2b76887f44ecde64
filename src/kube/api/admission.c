/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission: what the server adds to a write and what it refuses. Rows by
 * resource; those of pods are in admit_pod.c, limits and quotas in admit_quota.c.
 */
#include "kube/api/admit.h"

#include <string.h>

/* What is cached of a resource, decoded; NULL when there is none. */
void *api_cached(struct api_req *q, const char *group, const char *version, const char *plural, const char *ns, const char *name)
{
	struct api_resource *r = api_resource_find(q->api, group, version, plural);
	struct api_entry *x = r ? api_cache_get(r->cache, ns, name) : NULL;
	struct api_object o;
	return x && api_object_from_stored(r, x->o, q->arena, &o, NULL) == 0 ? o.head : NULL;
}

int api_cached_each(struct api_req *q, const char *group, const char *version, const char *plural, const char *ns, int (*fn)(void *arg, void *obj), void *arg)
{
	struct api_resource *r = api_resource_find(q->api, group, version, plural);
	size_t from, to;
	int x = 0;
	if (!r)
		return 0;
	api_cache_range(r->cache, ns, &from, &to);
	for (size_t i = from; i < to && x == 0; i++) {
		struct api_object o;
		if (api_object_from_stored(r, r->cache->items.v[i]->o, q->arena, &o, NULL) == 0)
			x = fn(arg, o.head);
	}
	return x;
}

/* --- DefaultStorageClass */

struct newest { const char *name, *since; };

static int default_class(void *arg, void *obj)
{
	struct newest *n = arg;
	const struct kube_storage_class *c = obj;
	const char *is = schema_pair_get(c->metadata.annotations, c->metadata.n_annotations, "storageclass.kubernetes.io/is-default-class");
	if (is && !strcmp(is, "true") && (!n->name || strcmp(c->metadata.creation_timestamp, n->since) > 0))
		*n = (struct newest){ c->metadata.name, c->metadata.creation_timestamp };
	return 0;
}

static int admit_claim(struct api_req *q, struct api_object *o)
{
	struct kube_persistent_volume_claim *c = (struct kube_persistent_volume_claim *)o->head;
	struct newest n = { 0 };
	if (c->spec.storage_class_name || schema_pair_get(c->metadata.annotations, c->metadata.n_annotations, "volume.beta.kubernetes.io/storage-class"))
		return 0;
	api_cached_each(q, "storage.k8s.io", "v1", "storageclasses", NULL, default_class, &n);
	c->spec.storage_class_name = n.name;
	return 0;
}

/* --- DefaultIngressClass */

static int default_ingress_class(void *arg, void *obj)
{
	struct newest *n = arg;
	const struct kube_ingress_class *c = obj;
	const char *is = schema_pair_get(c->metadata.annotations, c->metadata.n_annotations, "ingressclass.kubernetes.io/is-default-class");
	if (is && !strcmp(is, "true") && (!n->name || strcmp(c->metadata.creation_timestamp, n->since) > 0))
		*n = (struct newest){ c->metadata.name, c->metadata.creation_timestamp };
	return 0;
}

static int admit_ingress(struct api_req *q, struct api_object *o)
{
	struct kube_ingress *x = (struct kube_ingress *)o->head;
	struct newest n = { 0 };
	if (x->spec.ingress_class_name || schema_pair_get(x->metadata.annotations, x->metadata.n_annotations, "kubernetes.io/ingress.class"))
		return 0;
	api_cached_each(q, "networking.k8s.io", "v1", "ingressclasses", NULL, default_ingress_class, &n);
	x->spec.ingress_class_name = n.name;
	return 0;
}

/* --- PriorityClass: one global default */

struct global { const char *except, *found; };

static int is_global(void *arg, void *obj)
{
	struct global *g = arg;
	const struct kube_priority_class *c = obj;
	if (c->global_default && strcmp(c->metadata.name, g->except))
		g->found = c->metadata.name;
	return 0;
}

static int admit_priority_class(struct api_req *q, struct api_object *o)
{
	const struct kube_priority_class *c = (const struct kube_priority_class *)o->head;
	struct global g = { c->metadata.name, NULL };
	if (!c->global_default)
		return 0;
	api_cached_each(q, "scheduling.k8s.io", "v1", "priorityclasses", NULL, is_global, &g);
	return g.found ? api_forbidden(q, o->res, c->metadata.name, arena_fmt(q->arena, "PriorityClass %s is already marked as default. Only one default can exist",
		g.found)) : 0;
}

static const struct row {
	const char *resource;
	int (*create)(struct api_req *q, struct api_object *o);
} rows[] = {
	{ "pods", api_admit_pod }, { "persistentvolumeclaims", admit_claim }, { "ingresses.networking.k8s.io", admit_ingress },
	{ "priorityclasses.scheduling.k8s.io", admit_priority_class },
};

/* NodeRestriction, and nobody gives rights that he has not. */
static int ask_reviewer(struct api_req *q, const struct api_object *old, const struct api_object *o)
{
	const struct kube_reviewer *v = q->api->c.reviewer;
	struct err e = { 0 };
	int x = 0;
	if (!v || q->is_own || o->res->custom)
		return 0;
	if (v->node_write && kube_user_node(&q->user))
		x = v->node_write(v->arg, &q->user, &q->at, o->head, old ? old->head : NULL, &e);
	if (x == 0 && v->rbac_write && !strcmp(o->res->row->group, "rbac.authorization.k8s.io"))
		x = v->rbac_write(v->arg, &q->user, o->res->row, o->head, old ? old->head : NULL, q->arena, &e);
	if (x == -EACCES)
		return api_forbidden(q, o->res, o->head->metadata.name, arena_strdup(q->arena, e.text));
	return x < 0 ? api_from_err(q, &e) : 0;
}

int api_admit_wait(struct api_req *q, const struct api_object *old, struct api_object *o)
{
	int x = ask_reviewer(q, old, o);
	if (x == 0 && old)
		x = api_admit_request(q, old, o);
	for (size_t i = 0; x == 0 && !old && !o->res->custom && i < ARRAY_LEN(rows); i++)
		if (!strcmp(rows[i].resource, o->res->text))
			x = rows[i].create(q, o);
	return x;
}

int api_admit_delete(struct api_req *q, const struct api_object *old)
{
	const struct kube_reviewer *v = q->api->c.reviewer;
	struct err e = { 0 };
	if (!v || !v->node_write || q->is_own || old->res->custom || !kube_user_node(&q->user))
		return 0;
	int x = v->node_write(v->arg, &q->user, &q->at, NULL, old->head, &e);
	if (x == -EACCES)
		return api_forbidden(q, old->res, old->head->metadata.name, arena_strdup(q->arena, e.text));
	return x < 0 ? api_from_err(q, &e) : 0;
}
