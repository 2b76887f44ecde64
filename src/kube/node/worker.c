/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod's life on this node. One worker a pod, one fiber, woken by what
 * changes: the pod in the API server, a container in the runtime, a probe, a
 * timer. A turn looks at all of it again, decides (plan.c), starts what takes
 * time in fibers of its own (build.c, kill.c), and computes the status.
 *
 *             ┌──────┐ deleted, deadline, all ended   ┌─────────────┐
 *   new ────▶ │ SYNC │ ─────────────────────────────▶ │ TERMINATING │  containers are stopped, sidecars last
 *             └──────┘                                └──────┬──────┘
 *                                                            │ nothing runs, sandbox stopped
 *   ┌──────┐ the API server has it no more  ┌────────────┐   │
 *   │ GONE │ ◀───────────────────────────── │ TERMINATED │ ◀─┘  volumes and cgroup go; final status, then final delete
 *   └──────┘ containers, logs, folder go    └────────────┘
 *
 * Nothing is kept on disk: after a restart the runtime says what runs (labels
 * and annotations carry names, uid, restart count), the API server what should.
 */
#include "kube/node/node_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "schema/schema.h"

#define REFRESH_NS (60 * NS_PER_S)
enum { OBSERVE_MOST = 20 };

static const bool legal[4][4] = {
	[WORKER_SYNC] = { [WORKER_TERMINATING] = true },
	[WORKER_TERMINATING] = { [WORKER_TERMINATED] = true },
	[WORKER_TERMINATED] = { [WORKER_GONE] = true },
};

static int64_t now_ns(const struct pod_worker *w)
{
	return loop_realtime_ns(w->owner->loop);
}

static void move(struct pod_worker *w, enum worker_state to)
{
	static const char *const names[] = { "sync", "terminating", "terminated", "gone" };

	must(legal[w->state][to]);
	log_debug("pod moves on", "pod=%s from=%s to=%s", w->key, names[w->state], names[to]);
	w->state = to;
	w->is_dirty = true;
}

void worker_wake(struct pod_worker *w)
{
	w->is_dirty = true;
	waitq_wake_all(&w->wake);
}

void worker_ref(struct pod_worker *w)
{
	w->refs++;
}

void worker_unref(struct pod_worker *w)
{
	if (--w->refs)
		return;
	struct container_memory *m;
	list_each(m, &w->memories, node) {
		probes_stop(m);
		list_del(&m->node);
		free(m);
	}
	list_del(&w->node);
	if (map_gets(&w->owner->by_uid, w->uid) == w)
		map_dels(&w->owner->by_uid, w->uid);
	observed_release(&w->observed);
	arena_release(&w->want_arena);
	kobject_unref(w->pod);
	free(w->key);
	free(w->uid);
	free(w);
}

void worker_event(struct pod_worker *w, const struct pod_container *c, const char *type, const char *reason, const char *fmt, ...)
{
	AUTO(buf) struct buf b = BUF_INIT(4096);
	struct arena a;
	va_list ap;

	arena_init(&a, 64 << 10);
	va_start(ap, fmt);
	buf_addfv(&b, fmt, ap);
	va_end(ap);
	w->owner->api->event(w->owner->api, worker_pod(w), c ? container_field_path(c, &a) : NULL, type, reason, b.ptr);
	arena_release(&a);
}

void worker_fail(struct pod_worker *w, const char *reason, const char *fmt, ...)
{
	va_list ap;
	AUTO(buf) struct buf b = BUF_INIT(4096);

	if (w->state != WORKER_SYNC || w->has_failed)
		return;
	va_start(ap, fmt);
	buf_addfv(&b, fmt, ap);
	va_end(ap);
	w->has_failed = true;
	fmt_into(w->failed_reason, sizeof w->failed_reason, "%s", reason);
	fmt_into(w->failed_message, sizeof w->failed_message, "%s", b.ptr);
	worker_event(w, NULL, "Warning", reason, "%s", b.ptr);
	worker_wake(w);
}

/* --- what a turn sees ---------------------------------------------------------------------------------------- */

static bool is_foreign(const char *type)
{
	static const char *const ours[] = { "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled" };
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (!strcmp(type ? type : "", ours[i]))
			return false;
	return true;
}

/* The pod with our own last word as its status (the informer may lag behind it), and others' conditions as they are now. */
static const struct kube_pod *pod_with_own_status(const struct pod_worker *w, struct arena *a)
{
	const struct kube_pod *pod = worker_pod(w);
	if (!w->want)
		return pod;
	struct kube_pod *copy = arena_new(a, struct kube_pod);
	struct kube_pod_condition *v = arena_array(a, w->want->n_conditions + pod->status.n_conditions + 1, sizeof *v);
	uint32_t n = 0;

	if (!copy || !v)
		return pod;
	for (uint32_t i = 0; i < w->want->n_conditions; i++)
		if (!is_foreign(w->want->conditions[i].type))
			v[n++] = w->want->conditions[i];
	for (uint32_t i = 0; i < pod->status.n_conditions; i++)
		if (is_foreign(pod->status.conditions[i].type))
			v[n++] = pod->status.conditions[i];
	*copy = *pod;
	copy->status = *w->want;
	copy->status.conditions = v;
	copy->status.n_conditions = n;
	copy->status.nominated_node_name = pod->status.nominated_node_name;
	return copy;
}

int worker_view(struct pod_worker *w, struct arena *a, struct pod_view *ret)
{
	const struct node *n = w->owner;

	*ret = (struct pod_view){
		.pod = pod_with_own_status(w, a), .observed = &w->observed, .now_ns = now_ns(w),
		.is_terminating = w->state == WORKER_TERMINATING, .is_terminated = w->state >= WORKER_TERMINATED,
		.is_builder_at_work = w->builder != NULL, .has_failed = w->has_failed,
		.failed_reason = w->failed_reason, .failed_message = w->failed_message,
		.runtime_name = n->runtime_name, .host_ip = n->set.ip, .set = &n->set,
	};
	return pod_containers(ret->pod, &w->observed, &w->memories, a, &ret->containers, &ret->n_containers);
}

/* A container that was not running at the last turn and is now, or the other way. */
static void note_runs(struct pod_view *v)
{
	for (unsigned i = 0; i < v->n_containers; i++) {
		struct pod_container *c = &v->containers[i];
		struct container_memory *m = c->memory;
		if (!cri_is_running(c->now)) {
			m->running_id[0] = 0;
			continue;
		}
		if (strcmp(m->running_id, c->now->id)) {
			fmt_into(m->running_id, sizeof m->running_id, "%s", c->now->id);
			m->started = !c->spec->startup_probe;
			m->ready = !c->spec->readiness_probe;
			m->failed_liveness = false;
			m->waiting_reason = NULL;
		}
	}
}

static int observe_turn_wait(struct pod_worker *w, struct err *e)
{
	struct pod_observed o;

	/*
	 * Again when something has happened while the runtime was asked: the answer may be older than what a builder that has ended
	 * meanwhile has made, and a plan from it would make that twice.
	 */
	for (int i = 0; w->is_observed_stale; i++) {
		if (i == OBSERVE_MOST)
			return err_set(e, EAGAIN, "the pod changes faster than it can be looked at");
		w->is_observed_stale = false;
		int r = observe_wait(w->owner->rt, w->uid, &o, e);
		if (r < 0) {
			w->is_observed_stale = true;
			return r;
		}
		observed_messages(&w->owner->set, worker_pod(w), &o);
		observed_release(&w->observed);
		w->observed = o;
	}
	return 0;
}

/* --- the states ---------------------------------------------------------------------------------------------- */

static void begin_end(struct pod_worker *w, int64_t grace_s)
{
	w->grace_s = grace_s;
	w->grace_began_ns = now_ns(w);
	w->build_is_unwanted = true;
	if (w->builder && !w->build_must_finish)
		fiber_cancel(w->builder);
	move(w, WORKER_TERMINATING);
}

/* Realtime at which activeDeadlineSeconds is over; NEVER. */
static int64_t deadline_of(const struct pod_worker *w, const struct kube_pod *pod)
{
	int64_t started;
	if (!pod->spec.active_deadline_seconds || !pod->status.start_time ||
		clock_parse_rfc3339(slice_of(pod->status.start_time), &started) < 0)
		return NEVER;
	return started + MIN(*pod->spec.active_deadline_seconds, INT32_MAX) * NS_PER_S;
}

static bool is_over(const struct kube_pod *pod)
{
	const char *phase = pod->status.phase ? pod->status.phase : "";
	return !strcmp(phase, "Failed") || !strcmp(phase, "Succeeded");
}

static void tell_backoffs(struct pod_worker *w, const struct pod_view *v)
{
	for (unsigned i = 0; i < v->n_containers; i++) {
		const struct pod_container *c = &v->containers[i];
		struct container_memory *m = c->memory;
		if (!cri_has_ended(c->now) || !m->waiting_reason || strcmp(m->waiting_reason, "CrashLoopBackOff") ||
			m->backoff_told_ns == c->now->finished_at)
			continue;
		m->backoff_told_ns = c->now->finished_at;
		struct arena a;
		arena_init(&a, 64 << 10);
		worker_event(w, c, "Warning", "BackOff", "Back-off restarting failed container %s in pod %s", c->spec->name, pod_full_name(v->pod, &a));
		arena_release(&a);
	}
}

/* Asked once, before anything was made for the pod. */
static bool refuse(struct pod_worker *w, const struct pod_view *v)
{
	const char *reason;
	struct err e = { 0 };

	w->is_admitted = true;
	if (v->observed->n_sandboxes || admit_pod(worker_pod(w), &reason, &e) == 0)
		return false;
	w->has_failed = true;
	fmt_into(w->failed_reason, sizeof w->failed_reason, "%s", reason);
	fmt_into(w->failed_message, sizeof w->failed_message, "Pod was rejected: %s", e.text);
	worker_event(w, NULL, "Warning", reason, "%s", e.text);
	begin_end(w, 0);
	return true;
}

static int turn_sync(struct pod_worker *w, struct pod_view *v, struct arena *a, int64_t *wake)
{
	const struct kube_pod *pod = worker_pod(w);
	struct pod_plan plan;
	int64_t deadline = deadline_of(w, v->pod);

	if (w->is_deleted || pod->metadata.deletion_timestamp || is_over(pod) || is_over(v->pod)) {
		begin_end(w, pod_grace_s(pod));
		return 0;
	}
	if (w->has_failed) {
		begin_end(w, 0);
		return 0;
	}
	if (!w->is_admitted && refuse(w, v))
		return 0;
	if (deadline <= v->now_ns) {
		w->has_failed = true;
		fmt_into(w->failed_reason, sizeof w->failed_reason, "DeadlineExceeded");
		fmt_into(w->failed_message, sizeof w->failed_message, "Pod was active on the node longer than the specified deadline");
		worker_event(w, NULL, "Normal", "DeadlineExceeded", "%s", w->failed_message);
		begin_end(w, pod_grace_s(pod));
		return 0;
	}
	int r = plan_make(v, a, &plan);
	if (r < 0)
		return r;
	*wake = MIN(*wake, deadline);
	*wake = MIN(*wake, plan.wake_ns);
	for (unsigned i = 0; i < plan.n_kill; i++)
		kill_start(w, plan.kill[i].c->memory, plan.kill[i].id, plan.kill[i].grace_s >= 0 ? plan.kill[i].grace_s : pod_grace_s(pod),
			plan.kill[i].message);
	tell_backoffs(w, v);
	if (plan.is_finished && !w->builder) {
		begin_end(w, pod_grace_s(pod));
		return 0;
	}
	if (!w->refresh_ns && volumes_are_live(pod))
		w->refresh_ns = v->now_ns;         /* adopted: nothing follows its volumes yet */
	if (w->refresh_ns)
		*wake = MIN(*wake, w->refresh_ns);
	bool wants = plan.replace_sandbox || plan.n_start || plan.n_resize || (w->refresh_ns && w->refresh_ns <= v->now_ns);
	if (!wants || w->builder)
		return 0;
	if (w->setup_retry_ns > v->now_ns) {
		*wake = MIN(*wake, w->setup_retry_ns);
		return 0;
	}
	w->refresh_ns = volumes_are_live(pod) ? v->now_ns + REFRESH_NS : 0;
	return build_start(w, &plan);
}

/* What still runs; those that may be stopped now are. */
static bool stop_containers(struct pod_worker *w, struct pod_view *v)
{
	int64_t left = MAX(w->grace_s - (v->now_ns - w->grace_began_ns) / NS_PER_S, w->grace_s ? 2 : 0);
	bool others = false, any = false;
	char text[256];

	for (unsigned i = 0; i < v->n_containers; i++) {
		struct pod_container *c = &v->containers[i];
		if (!cri_is_running(c->now) || c->is_sidecar)
			continue;
		others = any = true;
		fmt_into(text, sizeof text, "Stopping container %s", c->spec->name);
		kill_start(w, c->memory, c->now->id, left, text);
	}
	for (unsigned i = v->n_containers; i-- > 0 && !others;) {
		struct pod_container *c = &v->containers[i];
		if (!c->is_sidecar || !cri_is_running(c->now))
			continue;
		any = others = true;              /* one after another, the last of the spec first */
		fmt_into(text, sizeof text, "Stopping container %s", c->spec->name);
		kill_start(w, c->memory, c->now->id, left, text);
	}
	return any;
}

static int turn_terminating_wait(struct pod_worker *w, struct pod_view *v, struct err *e)
{
	const struct kube_pod *pod = worker_pod(w);

	if (pod->metadata.deletion_timestamp && pod_grace_s(pod) < w->grace_s) {
		w->grace_s = pod_grace_s(pod);   /* somebody has lost patience */
		w->grace_began_ns = v->now_ns;
	}
	if (w->builder)
		return 0;
	if (stop_containers(w, v) || !list_empty(&w->kills))
		return 0;
	int r = w->sandbox_stopped ? 0 : runtime_pod_stop_wait(w->owner->rt, w->uid, w->grace_s, e);
	if (r < 0)
		return r;
	w->sandbox_stopped = true;
	w->is_observed_stale = true;
	if (w->is_dirty)
		return 0;                        /* things have changed meanwhile: look again */
	move(w, WORKER_TERMINATED);
	return 0;
}

static int turn_terminated_wait(struct pod_worker *w, struct err *e)
{
	struct node *n = w->owner;
	int r = 0;

	if (!w->volumes_gone) {
		r = volumes_teardown_wait(&n->set, w->uid, false, e);
		if (r < 0)
			return r;
		cgroup_remove_wait(&n->set, w->uid);
		w->volumes_gone = true;
	}
	if (!w->is_deleted) {
		if (!worker_pod(w)->metadata.deletion_timestamp || !w->is_published || w->is_delete_sent)
			return 0;
		w->is_delete_sent = true;
		struct kobject *pod = kobject_ref(w->pod);
		r = n->api->delete_wait(n->api, pod->obj, e);
		kobject_unref(pod);
		if (r < 0)
			w->is_delete_sent = false;
		return r == -ENOENT ? 0 : r;
	}
	const struct kube_object_meta *m = &worker_pod(w)->metadata;
	r = runtime_pod_remove_wait(n->rt, w->uid, e);
	if (r >= 0)
		r = volumes_teardown_wait(&n->set, w->uid, true, e);
	if (r >= 0)
		r = logs_remove_wait(&n->set, m->namespace, m->name, w->uid, e);
	if (r >= 0)
		move(w, WORKER_GONE);
	return r;
}

static int turn_wait(struct pod_worker *w, int64_t *wake, struct err *e)
{
	struct arena a;
	struct pod_view v;
	int r = observe_turn_wait(w, e);

	if (r < 0)
		return r;
	arena_init(&a, POD_ARENA_MAX);
	r = worker_view(w, &a, &v);
	if (r >= 0) {
		note_runs(&v);
		if (w->state == WORKER_SYNC)
			r = turn_sync(w, &v, &a, wake);
		if (r >= 0) {
			v.is_terminating = w->state == WORKER_TERMINATING;
			v.has_failed = w->has_failed;
			probes_sync(w, &v);
			r = worker_publish(w, &v);
		}
	}
	if (r >= 0 && w->state == WORKER_TERMINATING)
		r = turn_terminating_wait(w, &v, e);
	else if (r >= 0 && w->state == WORKER_TERMINATED)
		r = turn_terminated_wait(w, e);
	arena_release(&a);
	return r;
}

void worker_main(void *arg)
{
	struct pod_worker *w = arg;
	struct node *n = w->owner;
	int64_t pause = NS_PER_S / 2;

	w->fiber = fiber_self();
	while (w->state != WORKER_GONE && !n->is_stopping) {
		int64_t wake = NEVER, wait;
		struct err e = { 0 };
		w->is_dirty = false;
		int r = turn_wait(w, &wake, &e);
		if (r == -ECANCELED)
			break;
		if (r < 0) {
			log_warn("pod cannot be synced", "pod=%s error=%s", w->key, e.code ? e.text : err_name(-r));
			wake = MIN(wake, now_ns(w) + pause);
			pause = MIN(pause * 2, 20 * NS_PER_S);
			w->is_dirty = false;
		} else {
			pause = NS_PER_S / 2;
		}
		if (w->is_dirty || w->state == WORKER_GONE)
			continue;
		wait = wake == NEVER ? -1 : MAX(wake - now_ns(w), NS_PER_MS);
		if (waitq_wait(&w->wake, wait) == -ECANCELED)
			break;
	}
	w->fiber = NULL;
	worker_unref(w);
}
