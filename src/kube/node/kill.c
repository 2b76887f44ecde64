/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stopping one container: the event, its preStop hook, SIGTERM, and SIGKILL
 * when the grace is over, all in a fiber of its own. A second request with
 * less grace goes to the runtime beside the first.
 */
#include "kube/node/node_int.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

struct container_kill {
	struct list node;
	struct pod_worker *w;
	struct container_memory *m;
	struct kobject *pod;
	struct fiber *fiber;
	int64_t grace_s;
	bool is_first;
	char id[128], message[256], pod_ip[64];
};

static const struct kube_container *spec_of(const struct kube_pod *pod, const char *name, enum container_kind *kind)
{
	for (uint32_t i = 0; i < pod->spec.n_init_containers; i++)
		if (!strcmp(pod->spec.init_containers[i].name, name)) {
			*kind = CONTAINER_INIT;
			return &pod->spec.init_containers[i];
		}
	for (uint32_t i = 0; i < pod->spec.n_containers; i++)
		if (!strcmp(pod->spec.containers[i].name, name)) {
			*kind = CONTAINER_REGULAR;
			return &pod->spec.containers[i];
		}
	return NULL;
}

/* Runs the hook within the grace; what is left of it. */
static int64_t pre_stop_wait(struct container_kill *k, const struct kube_container *spec, const struct pod_container *c)
{
	struct node *n = k->w->owner;
	struct probe_target t = { .rt = n->rt, .loop = n->loop, .container_id = k->id, .pod_ip = k->pod_ip, .spec = spec };
	int64_t began = loop_monotonic_ns(n->loop);
	struct err e = { 0 };

	if (!spec->lifecycle || !spec->lifecycle->pre_stop || k->grace_s <= 0)
		return k->grace_s;
	int r = hook_run_wait(&t, spec->lifecycle->pre_stop, k->grace_s, &e);
	if (r < 0 && r != -ECANCELED)
		worker_event(k->w, c, "Warning", "FailedPreStopHook", "PreStopHook failed: %s", e.text);
	return MAX(k->grace_s - (loop_monotonic_ns(n->loop) - began) / NS_PER_S, 2);
}

static void kill_main(void *arg)
{
	struct container_kill *k = arg;
	struct pod_worker *w = k->w;
	struct node_runtime *rt = w->owner->rt;
	enum container_kind kind = CONTAINER_EPHEMERAL;
	const struct kube_container *spec = spec_of(k->pod->obj, k->m->name, &kind);
	struct kube_container none = { .name = k->m->name };
	struct pod_container c = { .kind = kind, .spec = spec ? spec : &none, .memory = k->m };
	int64_t grace_s = k->grace_s;
	struct err e = { 0 };
	struct arena a;

	k->fiber = fiber_self();
	arena_init(&a, 1 << 20);
	if (k->is_first) {
		worker_event(w, &c, "Normal", "Killing", "%s", k->message);
		grace_s = pre_stop_wait(k, c.spec, &c);
	}
	struct cri_stop_container_request q = { .container_id = k->id, .timeout = grace_s };
	struct cri_stop_container_response p;
	int r = rt->call_wait(rt, CRI_STOP, &q, &a, &p, (grace_s + 120) * NS_PER_S, &e);
	if (r < 0 && r != -ENOENT && r != -ECANCELED) {
		log_warn("container cannot be stopped", "pod=%s container=%s error=%s", w->key, k->m->name, e.text);
		sleep_wait(NS_PER_S);
	}
	arena_release(&a);
	list_del(&k->node);
	bool more = false;
	struct container_kill *o;
	list_each(o, &w->kills, node)
		more |= o->m == k->m;
	k->m->is_killing = more;
	kobject_unref(k->pod);
	free(k);
	w->is_observed_stale = true;
	worker_wake(w);
	worker_unref(w);
}

void kill_start(struct pod_worker *w, struct container_memory *m, const char *id, int64_t grace_s, const char *message)
{
	struct container_kill *k;
	bool is_first = true;

	list_each(k, &w->kills, node) {
		if (strcmp(k->id, id))
			continue;
		if (k->grace_s <= grace_s + 2)
			return;
		is_first = false;
	}
	k = calloc(1, sizeof *k);
	if (!k)
		return;
	k->w = w;
	k->m = m;
	k->grace_s = grace_s;
	k->is_first = is_first;
	fmt_into(k->id, sizeof k->id, "%s", id);
	fmt_into(k->message, sizeof k->message, "%s", message ? message : "");
	if (w->want && w->want->pod_ip)
		fmt_into(k->pod_ip, sizeof k->pod_ip, "%s", w->want->pod_ip);
	k->pod = kobject_ref(w->pod);
	m->is_killing = true;
	list_add_tail(&w->kills, &k->node);
	worker_ref(w);
	if (fiber_start(w->owner->loop, "stop container", kill_main, k) < 0) {
		list_del(&k->node);
		m->is_killing = false;
		kobject_unref(k->pod);
		free(k);
		worker_unref(w);
	}
}

void kills_cancel(struct pod_worker *w)
{
	struct container_kill *k;
	list_each(k, &w->kills, node)
		if (k->fiber)
			fiber_cancel(k->fiber);
}
