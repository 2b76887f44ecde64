// SPDX-License-Identifier: Apache-2.0
/* What the garbage collector watches, and which changes concern whom. */
#include <errno.h>

#include "base/log.h"
#include "kube/control/gc_int.h"

static unsigned owner_keys(const struct kobject *o, const char *ret[8])
{
	const struct kube_object_meta *m = kobject_meta(o);
	unsigned n = 0;

	for (uint32_t i = 0; i < m->n_owner_references && n < 8; i++)
		if (m->owner_references[i].uid)
			ret[n++] = m->owner_references[i].uid;
	return n;
}

struct monitor *gc_monitor_of_kind(struct gc *gc, const char *api_version, const char *kind)
{
	struct monitor *m;
	char gv[300];

	list_each(m, &gc->monitors, node)
		if (text_eq(m->resource.kind, kind) && text_eq(kube_group_version_text(m->resource.group, m->resource.version, gv, sizeof gv), api_version))
			return m;
	return NULL;
}

struct monitor *gc_monitor_by_number(struct gc *gc, unsigned number)
{
	struct monitor *m;

	list_each(m, &gc->monitors, node)
		if (m->number == number)
			return m;
	return NULL;
}

void gc_enqueue(struct monitor *m, const struct kobject *o)
{
	char key[1024];

	if (fmt_into(key, sizeof key, "%u|%s|%s", m->number, o->key, kobject_meta(o)->uid))
		ctl_add(m->gc->k, key);
}

void gc_mark_absent(struct gc *gc, const char *uid)
{
	char **slot = &gc->absent_ring[gc->absent_at % GC_ABSENT_MAX], *copy;

	if (gc_is_absent(gc, uid))
		return;
	copy = slice_dup(slice_of(uid));
	if (!copy)
		return;
	if (*slot)
		map_dels(&gc->absent, *slot);
	free(*slot);
	*slot = copy;
	gc->absent_at++;
	map_sets(&gc->absent, uid, gc);
}

static int enqueue_dependent(void *arg, struct kobject *o)
{
	gc_enqueue(arg, o);
	return 0;
}

static void enqueue_dependents(struct gc *gc, const char *uid)
{
	struct monitor *m;

	list_each(m, &gc->monitors, node)
		informer_each_indexed(m->informer, "owner", uid, enqueue_dependent, m);
}

/* An owner that waits for its dependents looks again when one of them changes. */
static void wake_owners(struct gc *gc, const struct kube_object_meta *o)
{
	for (uint32_t i = 0; i < o->n_owner_references; i++) {
		const struct kube_owner_reference *ref = &o->owner_references[i];
		struct monitor *m = gc_monitor_of_kind(gc, ref->api_version, ref->kind);
		struct kobject *owner = m ? informer_get(m->informer, m->resource.namespaced ? o->namespace : NULL, ref->name) : NULL;

		if (owner && text_eq(kobject_meta(owner)->uid, ref->uid) && gc_waits_for_dependents(kobject_meta(owner)))
			gc_enqueue(m, owner);
	}
}

static bool same_owners(const struct kube_object_meta *a, const struct kube_object_meta *b)
{
	if (a->n_owner_references != b->n_owner_references)
		return false;
	for (uint32_t i = 0; i < a->n_owner_references; i++)
		if (!schema_equal(T_kube_owner_reference, &a->owner_references[i], &b->owner_references[i]))
			return false;
	return true;
}

static void on_event(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	struct monitor *m = container_of(h, struct monitor, handler);
	struct gc *gc = m->gc;
	const struct kube_object_meta *is = now ? kobject_meta(now) : NULL, *was = old ? kobject_meta(old) : NULL;

	if (gc->k->c->freed)
		return;
	if (!is) {
		gc_mark_absent(gc, was->uid);
		enqueue_dependents(gc, was->uid);
		wake_owners(gc, was);
		return;
	}
	if (kube_is_deleting(is) && (kube_has_finalizer(is, FINALIZER_FOREGROUND) || kube_has_finalizer(is, FINALIZER_ORPHAN))) {
		gc_enqueue(m, now);
		/* From now on it holds its dependents no more. */
		if (!was || !kube_is_deleting(was))
			enqueue_dependents(gc, is->uid);
	}
	if (is->n_owner_references && (!was || !same_owners(was, is)))
		gc_enqueue(m, now);
	if (was && (!same_owners(was, is) || kube_is_deleting(was) != kube_is_deleting(is)))
		wake_owners(gc, was);
}

int gc_monitor_add(struct gc *gc, const struct kube_resource *r, bool is_custom, struct arena *strings, struct monitor **ret)
{
	struct monitor *m = calloc(1, sizeof *m);
	struct err e;
	int rc;

	if (!m)
		return -ENOMEM;
	m->gc = gc;
	m->resource = *r;
	m->is_custom = is_custom;
	m->number = gc->next_number++;
	if (strings)
		m->strings = *strings;
	m->informer = is_custom ? NULL : informers_find(gc->k->c->informers, r);
	m->is_shared = m->informer;
	if (!m->informer) {
		m->resource.type = T_kube_partial_object_metadata;
		m->resource.list = T_kube_partial_object_metadata_list;
		rc = informer_new(gc->k->c->client, &m->resource, NULL, NULL, NULL, &m->informer, &e);
		if (rc < 0) {
			free(m);
			return rc;
		}
	}
	rc = informer_add_index(m->informer, "owner", owner_keys);
	list_add_tail(&gc->monitors, &m->node);
	m->handler.event = on_event;
	informer_add_handler(m->informer, &m->handler);
	if (ret)
		*ret = m;
	return rc;
}

void gc_monitor_end(struct monitor *m)
{
	list_del(&m->node);
	list_add_tail(&m->gc->ended, &m->node);
	informer_remove_handler(&m->handler);
	if (!m->is_shared)
		informer_free(m->informer);
	m->informer = NULL;
}
