/* SPDX-License-Identifier: Apache-2.0 */
/* A pod's status on its way to the API server: one fiber a pod while there is something to tell, which tries until it is told. */
#include "kube/node/node_int.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "schema/schema.h"

static void publish_main(void *arg)
{
	struct pod_worker *w = arg;
	int64_t pause = NS_PER_S / 5;

	w->publisher = fiber_self();
	while (!w->is_published && w->want && !w->is_deleted && !w->owner->is_stopping) {
		struct arena a;
		AUTO(buf) struct buf body = BUF_INIT(4 << 20);
		struct err e = { 0 };
		struct kobject *pod = kobject_ref(w->pod);

		arena_init(&a, POD_ARENA_MAX);
		int r = status_patch(pod->obj, w->want, &a, &body, &e);
		w->is_published = true;
		if (r >= 0)
			r = w->owner->api->patch_status_wait(w->owner->api, pod->obj, buf_slice(&body), &e);
		arena_release(&a);
		kobject_unref(pod);
		if (r == -ECANCELED)
			break;
		if (r >= 0 || r == -ENOENT || r == -EINVAL) {
			if (r < 0)
				log_warn("status of a pod was refused", "pod=%s error=%s", w->key, e.text);
			pause = NS_PER_S / 5;
			continue;
		}
		w->is_published = false;
		log_warn("status of a pod cannot be written", "pod=%s error=%s", w->key, e.text);
		if (sleep_wait(pause) < 0)
			break;
		pause = MIN(pause * 2, 10 * NS_PER_S);
	}
	w->publisher = NULL;
	worker_wake(w);
	worker_unref(w);
}

int worker_publish(struct pod_worker *w, struct pod_view *v)
{
	struct arena a;
	struct kube_pod_status s;
	struct kube_pod_status *copy;

	arena_init(&a, POD_ARENA_MAX);
	int r = status_make(v, &a, &s);
	const struct kube_pod_status *old = w->want ? w->want : &worker_pod(w)->status;
	if (r < 0 || schema_equal(T_kube_pod_status, old, &s)) {
		if (r == 0 && !w->want)
			w->is_published = true;
		arena_release(&a);
		return r;
	}
	struct arena fresh;
	arena_init(&fresh, POD_ARENA_MAX);
	copy = arena_new(&fresh, struct kube_pod_status);
	r = copy ? schema_copy(T_kube_pod_status, &s, &fresh, copy) : -ENOMEM;
	arena_release(&a);
	if (r < 0) {
		arena_release(&fresh);
		return r;
	}
	arena_release(&w->want_arena);
	w->want_arena = fresh;
	w->want = copy;
	w->is_published = false;
	if (!w->publisher && !w->is_deleted) {
		worker_ref(w);
		r = fiber_start(w->owner->loop, "pod status", publish_main, w);
		if (r < 0)
			worker_unref(w);
	}
	return r;
}
