/* SPDX-License-Identifier: Apache-2.0 */
/* The set of workers: finding them, and who tells them what. */
#include "kube/node/node_int.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"

struct pod_worker *worker_find_uid(struct node *n, const char *uid)
{
	return map_gets(&n->by_uid, uid);
}

struct pod_worker *worker_find(struct node *n, const char *ns, const char *name)
{
	struct pod_worker *w, *found = NULL;
	list_each(w, &n->workers, node) {
		const struct kube_object_meta *m = &worker_pod(w)->metadata;
		if (!strcmp(m->name, name) && !strcmp(m->namespace, ns) && (!found || !w->is_deleted))
			found = w;
	}
	return found;
}

static int worker_new(struct node *n, struct kobject *pod, struct pod_worker **ret)
{
	const struct kube_object_meta *m = kobject_meta(pod);
	struct pod_worker *w = calloc(1, sizeof *w);

	if (!w)
		return -ENOMEM;
	w->owner = n;
	w->refs = 1;
	list_init(&w->memories);
	list_init(&w->kills);
	list_init(&w->node);
	waitq_init(&w->wake);
	arena_init(&w->observed.arena, POD_ARENA_MAX);
	arena_init(&w->want_arena, POD_ARENA_MAX);
	w->pod = kobject_ref(pod);
	w->key = fmt_new("%s/%s", m->namespace, m->name);
	w->uid = slice_dup(slice_of(m->uid));
	w->is_observed_stale = true;
	w->first_seen_ns = loop_realtime_ns(n->loop);
	int r = w->key && w->uid ? map_sets(&n->by_uid, w->uid, w) : -ENOMEM;
	if (r == 0) {
		list_add_tail(&n->workers, &w->node);
		r = fiber_start(n->loop, "pod", worker_main, w);
	}
	if (r < 0) {
		worker_unref(w);
		return r;
	}
	*ret = w;
	return 0;
}

static bool same_list(const struct schema_pair *a, uint32_t n_a, const struct schema_pair *b, uint32_t n_b)
{
	if (n_a != n_b)
		return false;
	for (uint32_t i = 0; i < n_a; i++) {
		const char *other = schema_pair_get(b, n_b, a[i].key);
		if (!other || strcmp(other, a[i].value ? a[i].value : ""))
			return false;
	}
	return true;
}

static bool same_pairs(const struct kube_object_meta *a, const struct kube_object_meta *b)
{
	return same_list(a->labels, a->n_labels, b->labels, b->n_labels) && same_list(a->annotations, a->n_annotations, b->annotations, b->n_annotations);
}

int workers_update(struct node *n, struct kobject *pod)
{
	const struct kube_object_meta *m = kobject_meta(pod);
	struct pod_worker *w = m->uid ? worker_find_uid(n, m->uid) : NULL;

	struct err e = { 0 };

	if (n->is_stopping)
		return -ECANCELED;
	if (pod_is_sound(pod->obj, &e) < 0) {
		log_warn("pod is refused", "pod=%s error=%s", pod->key, e.text);
		return -EINVAL;
	}
	if (!w)
		return worker_new(n, pod, &w);
	if (pod == w->pod)
		return 0;
	struct kobject *old = w->pod;
	w->pod = kobject_ref(pod);
	if (w->refresh_ns && !same_pairs(kobject_meta(old), m))
		w->refresh_ns = 1;                 /* volumes may show labels and annotations */
	kobject_unref(old);
	worker_wake(w);
	return 0;
}

void workers_deleted(struct node *n, struct kobject *pod)
{
	const struct kube_object_meta *m = kobject_meta(pod);
	struct pod_worker *w = m->uid ? worker_find_uid(n, m->uid) : NULL;

	if (!w)
		return;
	w->is_deleted = true;
	worker_wake(w);
}

void workers_stale(struct node *n, const char *uid)
{
	struct pod_worker *w;

	if (uid) {
		w = worker_find_uid(n, uid);
		if (w) {
			w->is_observed_stale = true;
			worker_wake(w);
		}
		return;
	}
	list_each(w, &n->workers, node) {
		w->is_observed_stale = true;
		worker_wake(w);
	}
}

static void refresh(struct pod_worker *w)
{
	struct container_memory *m;

	if (w->refresh_ns)
		w->refresh_ns = 1;
	w->setup_retry_ns = 0;
	list_each(m, &w->memories, node)
		if (m->waiting_reason && !strcmp(m->waiting_reason, "CreateContainerConfigError"))
			m->retry_ns = 0;
	worker_wake(w);
}

void workers_refresh(struct node *n, const char *plural, const char *ns, const char *name)
{
	struct pod_worker *w;

	list_each(w, &n->workers, node) {
		const struct kube_pod *pod = worker_pod(w);
		if (w->state != WORKER_SYNC || strcmp(pod->metadata.namespace, ns) || !pod_refers(pod, plural, name))
			continue;
		refresh(w);
	}
}
