/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the node says about a pod: phase, conditions, one status a container.
 * Pure: from the view of one turn; times of transition are kept where nothing
 * changed, so that an equal status is recognised and not sent.
 */
#include "kube/node/node_int.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/num.h"
#include "schema/quantity.h"
#include "schema/tree.h"

static const char *time_text(struct arena *a, int64_t ns)
{
	char text[CLOCK_TEXT_MAX];
	if (ns <= 0)
		return NULL;
	clock_rfc3339(text, ns);
	return arena_strdup(a, text);
}

static bool is(const char *a, const char *b)
{
	return a && !strcmp(a, b);
}

/* --- quality of service -------------------------------------------------------------------------------------- */

static const char *quantity_of(const struct kube_quantity_entry *v, uint32_t n, const char *key)
{
	for (uint32_t i = 0; i < n; i++)
		if (is(v[i].key, key))
			return v[i].value;
	return NULL;
}

/* 0 nothing, 1 something, 2 limits for both and requests equal to them */
static int container_qos(const struct kube_container *c)
{
	static const char *const names[] = { "cpu", "memory" };
	const struct kube_resource_requirements *r = &c->resources;
	int some = 0, full = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int64_t limit = quantity_text_milli(quantity_of(r->limits, r->n_limits, names[i]));
		int64_t request = quantity_text_milli(quantity_of(r->requests, r->n_requests, names[i]));
		some |= limit > 0 || request > 0;
		full += limit > 0 && (request == limit || request == 0);
	}
	return full == 2 ? 2 : some;
}

const char *pod_qos(const struct kube_pod *pod)
{
	bool any = false, all = true;

	if (pod->status.qos_class && *pod->status.qos_class)
		return pod->status.qos_class;
	for (uint32_t i = 0; i < pod->spec.n_init_containers + pod->spec.n_containers; i++) {
		const struct kube_container *c = i < pod->spec.n_init_containers ? &pod->spec.init_containers[i] :
			&pod->spec.containers[i - pod->spec.n_init_containers];
		int q = container_qos(c);
		any |= q > 0;
		all &= q == 2;
	}
	return !any ? "BestEffort" : all ? "Guaranteed" : "Burstable";
}

/* --- containers ---------------------------------------------------------------------------------------------- */

static const char *container_id(const struct pod_view *v, const struct cri_container_status *s, struct arena *a)
{
	return arena_fmt(a, "%s://%s", v->runtime_name, s->id);
}

static int32_t restarts_of(const struct cri_container_status *s)
{
	int64_t n = s->metadata ? s->metadata->attempt : 0;
	num_parse_i64(slice_of(annotation(s->annotations, s->n_annotations, "io.kubernetes.container.restartCount")), 0, INT32_MAX, &n);
	return (int32_t)n;
}

static struct kube_container_state_terminated *terminated(const struct pod_view *v, const struct cri_container_status *s, struct arena *a)
{
	struct kube_container_state_terminated *t = arena_new(a, struct kube_container_state_terminated);

	if (!t)
		return NULL;
	*t = (struct kube_container_state_terminated){
		.exit_code = s->exit_code,
		.reason = s->reason && *s->reason ? s->reason : s->exit_code ? "Error" : "Completed",
		.message = s->message && *s->message ? s->message : NULL,
		.started_at = time_text(a, s->started_at),
		.finished_at = time_text(a, s->finished_at),
		.container_id = container_id(v, s, a),
	};
	return t;
}

static struct kube_container_state_waiting *waiting(const char *reason, const char *message, struct arena *a)
{
	struct kube_container_state_waiting *w = arena_new(a, struct kube_container_state_waiting);

	if (w)
		*w = (struct kube_container_state_waiting){ .reason = reason, .message = message && *message ? arena_strdup(a, message) : NULL };
	return w;
}

/* The runtime knows nothing of it: not yet, or it was lost. */
static void state_of_unknown(const struct pod_view *v, const struct pod_container *c, struct arena *a, struct kube_container_status *ret)
{
	const struct kube_container_status *old = pod_old_status(v->pod, c);
	const struct container_memory *m = c->memory;
	bool had = old && old->container_id && *old->container_id;

	if (had) {
		ret->restart_count = old->restart_count;
		ret->last_state = old->last_state;
		ret->image_id = old->image_id;
		ret->container_id = old->container_id;
		if (old->state.terminated) {
			ret->state = old->state;
			if (c->kind == CONTAINER_INIT)
				ret->ready = old->ready;
			return;
		}
	}
	if (v->is_terminated || (had && old->state.running)) {
		struct kube_container_state_terminated *t = arena_new(a, struct kube_container_state_terminated);
		if (t)
			*t = (struct kube_container_state_terminated){ .exit_code = 137, .reason = "ContainerStatusUnknown",
				.message = v->is_terminated ? "The container could not be located when the pod was terminated" :
				"The container could not be located when the pod was deleted.  The container used to be Running" };
		if (v->is_terminated) {
			ret->state.terminated = t;
			return;
		}
		ret->last_state = (struct kube_container_state){ .terminated = t };
	}
	ret->state.waiting = waiting(m->waiting_reason ? m->waiting_reason : v->pod->spec.n_init_containers ? "PodInitializing" : "ContainerCreating",
		m->waiting_reason ? m->waiting_message : NULL, a);
}

static void state_of_known(const struct pod_view *v, const struct pod_container *c, struct arena *a, struct kube_container_status *ret)
{
	const struct cri_container_status *s = c->now;
	const struct container_memory *m = c->memory;
	const struct kube_container_status *old = pod_old_status(v->pod, c);
	bool is_mine = !strcmp(m->running_id, s->id);

	ret->restart_count = restarts_of(s);
	ret->container_id = container_id(v, s, a);
	ret->image_id = s->image_ref && *s->image_ref ? s->image_ref : "";
	if (s->image && s->image->user_specified_image && *s->image->user_specified_image)
		ret->image = s->image->user_specified_image;
	if (c->before && cri_has_ended(c->before))
		ret->last_state.terminated = terminated(v, c->before, a);
	else if (old && old->restart_count == ret->restart_count)
		ret->last_state = old->last_state;
	if (cri_is_running(s)) {
		struct kube_container_state_running *r = arena_new(a, struct kube_container_state_running);
		if (r)
			r->started_at = time_text(a, s->started_at);
		ret->state.running = r;
		*(bool *)ret->started = is_mine && m->started && !m->is_post_starting;
		ret->ready = is_true(ret->started) && m->ready;
	} else if (cri_has_ended(s)) {
		struct kube_container_state_terminated *t = terminated(v, s, a);
		if (m->waiting_reason && !v->is_terminating && !v->is_terminated && plan_restarts(v->pod, c, s->exit_code)) {
			ret->state.waiting = waiting(m->waiting_reason, m->waiting_message, a);
			ret->last_state = (struct kube_container_state){ .terminated = t };
		} else {
			ret->state.terminated = t;
		}
		if (c->kind == CONTAINER_INIT && !c->is_sidecar)
			ret->ready = s->exit_code == 0;
	} else {
		ret->state.waiting = waiting(m->waiting_reason ? m->waiting_reason : "ContainerCreating", m->waiting_reason ? m->waiting_message : NULL, a);
	}
}

static void mounts_of(const struct kube_container *c, struct arena *a, struct kube_container_status *ret)
{
	ret->volume_mounts = c->n_volume_mounts ? arena_array(a, c->n_volume_mounts, sizeof *ret->volume_mounts) : NULL;
	if (!ret->volume_mounts)
		return;
	ret->n_volume_mounts = c->n_volume_mounts;
	for (uint32_t i = 0; i < c->n_volume_mounts; i++) {
		const struct kube_volume_mount *m = &c->volume_mounts[i];
		ret->volume_mounts[i] = (struct kube_volume_mount_status){ .name = m->name, .mount_path = m->mount_path, .read_only = m->read_only,
			.recursive_read_only = m->read_only ? "Disabled" : NULL };
	}
}

static int container_status(const struct pod_view *v, const struct pod_container *c, struct arena *a, struct kube_container_status *ret)
{
	bool *started = arena_new(a, bool);
	struct kube_resource_requirements *resources = arena_new(a, struct kube_resource_requirements);

	if (!started || !resources)
		return -ENOMEM;
	*ret = (struct kube_container_status){ .name = c->spec->name, .image = c->spec->image, .image_id = "", .started = started };
	if (c->now)
		state_of_known(v, c, a, ret);
	else
		state_of_unknown(v, c, a, ret);
	mounts_of(c->spec, a, ret);
	if (cri_is_running(c->now) && c->kind != CONTAINER_EPHEMERAL) {
		const struct kube_container_status *old = pod_old_status(v->pod, c);
		bool pending = plan_is_resized(v->set, v->pod, c) && old && old->resources;
		*resources = pending ? *old->resources : c->spec->resources;
		resources->claims = NULL;
		resources->n_claims = 0;
		ret->resources = resources;
		ret->allocated_resources = c->spec->resources.requests;
		ret->n_allocated_resources = c->spec->resources.n_requests;
	}
	if (cri_is_running(c->now) && c->now->user && c->now->user->linux) {
		const struct cri_linux_container_user *u = c->now->user->linux;
		ret->user = arena_new(a, struct kube_container_user);
		struct kube_linux_container_user *x = arena_new(a, struct kube_linux_container_user);
		if (!ret->user || !x)
			return -ENOMEM;
		*x = (struct kube_linux_container_user){ u->uid, u->gid, u->supplemental_groups, u->n_supplemental_groups };
		ret->user->linux = x;
	}
	return 0;
}

/* --- phase --------------------------------------------------------------------------------------------------- */

struct counts { unsigned waiting, running, stopped, succeeded, unknown, init_waiting; bool init_failed; };

static void count_one(const struct pod_view *v, const struct pod_container *c, const struct kube_container_status *s, struct counts *n)
{
	if (c->kind == CONTAINER_INIT) {
		const struct kube_container_state_terminated *t = s->state.terminated ? s->state.terminated : s->last_state.terminated;
		if (c->is_sidecar) {
			if (!is_true(s->started) && !s->state.terminated)
				n->init_waiting++;
		} else if (s->state.terminated && s->state.terminated->exit_code == 0) {
			return;
		} else if (t && t->exit_code && (is(v->pod->spec.restart_policy, "Never") || v->is_terminated)) {
			n->init_failed = true;
		} else {
			n->init_waiting++;
		}
	} else if (c->kind == CONTAINER_REGULAR) {
		if (s->state.running) {
			n->running++;
		} else if (s->state.terminated) {
			n->stopped++;
			n->succeeded += s->state.terminated->exit_code == 0;
		} else if (s->state.waiting) {
			if (s->last_state.terminated)
				n->stopped++;
			else
				n->waiting++;
		} else {
			n->unknown++;
		}
	}
}

static const char *phase_of(const struct pod_view *v, const struct counts *n)
{
	const char *policy = v->pod->spec.restart_policy ? v->pod->spec.restart_policy : "Always";

	if (v->has_failed)
		return "Failed";
	if (is(v->pod->status.phase, "Failed") || is(v->pod->status.phase, "Succeeded"))
		return v->pod->status.phase;       /* never leaves these */
	if (n->init_failed)
		return "Failed";
	if (v->is_terminated && n->waiting)
		return "Failed";
	if (n->waiting || (n->init_waiting && !n->running && !n->stopped))
		return "Pending";
	if (n->running && !n->unknown)
		return "Running";
	if (n->stopped && !n->unknown) {
		if (v->is_terminated)
			return n->stopped == n->succeeded ? "Succeeded" : "Failed";
		if (is(policy, "Always"))
			return "Running";
		if (n->stopped == n->succeeded)
			return "Succeeded";
		return is(policy, "Never") ? "Failed" : "Running";
	}
	return "Pending";
}

/* --- conditions ---------------------------------------------------------------------------------------------- */

struct conditions {
	const struct pod_view *v;
	struct arena *a;
	struct kube_pod_condition *out;
	uint32_t n;
};

static const struct kube_pod_condition *old_condition(const struct kube_pod *pod, const char *type)
{
	for (uint32_t i = 0; i < pod->status.n_conditions; i++)
		if (is(pod->status.conditions[i].type, type))
			return &pod->status.conditions[i];
	return NULL;
}

static void put(struct conditions *x, const char *type, bool status, const char *reason, const char *message)
{
	const struct kube_pod_condition *old = old_condition(x->v->pod, type);
	const char *text = status ? "True" : "False";

	x->out[x->n++] = (struct kube_pod_condition){
		.type = type, .status = text, .reason = reason, .message = message,
		.observed_generation = x->v->pod->metadata.generation,
		.last_transition_time = old && is(old->status, text) && old->last_transition_time ? old->last_transition_time :
			time_text(x->a, x->v->now_ns),
	};
}

/* "containers with unready status: [a b]"; NULL when there is none. */
static const char *names_of(const struct pod_view *v, const struct kube_container_status *s, bool init, const char *what, struct arena *a)
{
	AUTO(buf) struct buf b = BUF_INIT(16 << 10);
	unsigned n = 0;

	for (unsigned i = 0; i < v->n_containers; i++) {
		const struct pod_container *c = &v->containers[i];
		bool bad;
		if (init)
			bad = c->kind == CONTAINER_INIT && (c->is_sidecar ? !is_true(s[i].started) : !s[i].ready);
		else
			bad = (c->kind == CONTAINER_REGULAR || (c->kind == CONTAINER_INIT && c->is_sidecar)) && !s[i].ready;
		if (bad)
			buf_addf(&b, "%s%s", n++ ? " " : "", c->spec->name);
	}
	return n ? arena_fmt(a, "%s: [%s]", what, b.ptr) : NULL;
}

static bool gates_are_open(const struct conditions *x, const char **message)
{
	const struct kube_pod *pod = x->v->pod;
	AUTO(buf) struct buf b = BUF_INIT(16 << 10);
	unsigned n = 0;

	for (uint32_t i = 0; i < pod->spec.n_readiness_gates; i++) {
		const char *type = pod->spec.readiness_gates[i].condition_type;
		const struct kube_pod_condition *c = old_condition(pod, type);
		if (!c)
			buf_addf(&b, "%scorresponding condition of pod readiness gate \"%s\" does not exist.", n++ ? " " : "", type);
		else if (!is(c->status, "True"))
			buf_addf(&b, "%sthe status of pod readiness gate \"%s\" is not \"True\", but %s", n++ ? ", " : "", type, c->status);
	}
	*message = n ? arena_strdup(x->a, b.ptr) : NULL;
	return n == 0;
}

static bool is_ours(const char *type)
{
	static const char *const ours[] = { "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled" };
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (is(type, ours[i]))
			return true;
	return false;
}

static int conditions_make(const struct pod_view *v, const struct kube_container_status *s, const char *phase, struct arena *a, struct kube_pod_status *ret)
{
	const struct kube_pod *pod = v->pod;
	const struct pod_observed *o = v->observed;
	struct conditions x = { v, a, arena_array(a, pod->status.n_conditions + 8, sizeof *x.out), 0 };
	const char *incomplete, *unready, *gates;
	bool has_sandbox = o->n_sandboxes && o->sandboxes[0].state == CRI_SANDBOX_READY &&
		(pod_is_host_network(pod) || (o->sandboxes[0].network && o->sandboxes[0].network->ip && *o->sandboxes[0].network->ip));

	if (!x.out)
		return -ENOMEM;
	incomplete = names_of(v, s, true, "containers with incomplete status", a);
	unready = names_of(v, s, false, "containers with unready status", a);
	put(&x, "PodReadyToStartContainers", has_sandbox, NULL, NULL);
	if (is(phase, "Succeeded"))
		put(&x, "Initialized", true, "PodCompleted", NULL);
	else if (incomplete && (is(phase, "Pending") || is(phase, "Failed") || !old_condition(pod, "Initialized") ||
			!is(old_condition(pod, "Initialized")->status, "True")))
		put(&x, "Initialized", false, "ContainersNotInitialized", incomplete);
	else
		put(&x, "Initialized", true, NULL, NULL);
	bool done = is(phase, "Succeeded"), failed = is(phase, "Failed");
	const char *reason = done ? "PodCompleted" : failed ? "PodFailed" : "ContainersNotReady";
	if (done || failed || unready) {
		put(&x, "Ready", false, reason, done || failed ? NULL : unready);
		put(&x, "ContainersReady", false, reason, done || failed ? NULL : unready);
	} else {
		bool open = gates_are_open(&x, &gates);
		put(&x, "Ready", open, open ? NULL : "ReadinessGatesNotReady", gates);
		put(&x, "ContainersReady", true, NULL, NULL);
	}
	put(&x, "PodScheduled", true, NULL, NULL);
	for (uint32_t i = 0; i < pod->status.n_conditions; i++)
		if (!is_ours(pod->status.conditions[i].type))
			x.out[x.n++] = pod->status.conditions[i];
	ret->conditions = x.out;
	ret->n_conditions = x.n;
	return 0;
}

/* --- all of it ----------------------------------------------------------------------------------------------- */

static int ips_make(const struct pod_view *v, struct arena *a, struct kube_pod_status *ret)
{
	const struct pod_observed *o = v->observed;
	const struct cri_pod_sandbox_network_status *net = o->n_sandboxes ? o->sandboxes[0].network : NULL;
	bool has_ip = net && net->ip && *net->ip;
	uint32_t n = 0;

	ret->host_ip = v->host_ip;
	ret->host_ips = arena_array(a, 1, sizeof *ret->host_ips);
	ret->pod_ips = arena_array(a, 1 + (has_ip ? net->n_additional_ips : 0), sizeof *ret->pod_ips);
	if (!ret->host_ips || !ret->pod_ips)
		return -ENOMEM;
	ret->host_ips[0].ip = v->host_ip;
	ret->n_host_ips = 1;
	if (pod_is_host_network(v->pod)) {
		ret->pod_ip = v->host_ip;
		ret->pod_ips[n++].ip = v->host_ip;
	} else if (has_ip) {
		ret->pod_ip = net->ip;
		ret->pod_ips[n++].ip = net->ip;
		for (uint32_t i = 0; i < net->n_additional_ips; i++)
			ret->pod_ips[n++].ip = net->additional_ips[i].ip;
	} else if (v->is_terminating || v->is_terminated) {
		ret->pod_ip = v->pod->status.pod_ip;
		ret->pod_ips = v->pod->status.pod_ips;
		n = v->pod->status.n_pod_ips;
	}
	ret->n_pod_ips = n;
	if (!n)
		ret->pod_ips = NULL;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct kube_container_status *)a)->name, ((const struct kube_container_status *)b)->name);
}

int status_make(const struct pod_view *v, struct arena *a, struct kube_pod_status *ret)
{
	const struct kube_pod_status *old = &v->pod->status;
	struct kube_container_status *s = arena_array(a, v->n_containers + 1, sizeof *s);
	struct counts n = { 0 };
	int r = s ? 0 : -ENOMEM;

	/* what others wrote stays */
	*ret = (struct kube_pod_status){ .nominated_node_name = old->nominated_node_name, .resize = old->resize,
		.resource_claim_statuses = old->resource_claim_statuses, .n_resource_claim_statuses = old->n_resource_claim_statuses,
		.observed_generation = v->pod->metadata.generation, .qos_class = pod_qos(v->pod) };
	for (unsigned i = 0; i < v->n_containers && r == 0; i++) {
		const struct pod_container *c = &v->containers[i];
		r = container_status(v, c, a, &s[i]);
		if (r < 0)
			break;
		count_one(v, c, &s[i], &n);
		switch (c->kind) {
		case CONTAINER_INIT:
			if (!ret->n_init_container_statuses++)
				ret->init_container_statuses = &s[i];
			break;
		case CONTAINER_REGULAR:
			if (!ret->n_container_statuses++)
				ret->container_statuses = &s[i];
			break;
		case CONTAINER_EPHEMERAL:
			if (!ret->n_ephemeral_container_statuses++)
				ret->ephemeral_container_statuses = &s[i];
		}
	}
	if (r < 0)
		return r;
	ret->phase = phase_of(v, &n);
	bool was_over = is(old->phase, "Failed") || is(old->phase, "Succeeded");
	if ((is(ret->phase, "Failed") || is(ret->phase, "Succeeded")) && !v->is_terminated && !was_over)
		ret->phase = old->phase && *old->phase ? old->phase : "Pending";      /* not before all of it has ended, sidecars too */
	bool tells = v->has_failed && is(ret->phase, "Failed");
	ret->reason = tells ? v->failed_reason : old->reason;
	ret->message = tells ? v->failed_message : old->message;
	ret->start_time = old->start_time && *old->start_time ? old->start_time : time_text(a, v->now_ns);
	r = ips_make(v, a, ret);
	if (r == 0)
		r = conditions_make(v, s, ret->phase, a, ret);
	if (r == 0 && ret->n_container_statuses)
		qsort(ret->container_statuses, ret->n_container_statuses, sizeof *ret->container_statuses, by_name);
	return r;
}

int status_patch(const struct kube_pod *pod, const struct kube_pod_status *s, struct arena *a, struct buf *out, struct err *e)
{
	struct tree now, old, body = tree_map(), meta = tree_map();
	int r = tree_from_struct(T_kube_pod_status, s, a, &now, e);

	if (r == 0)
		r = tree_from_struct(T_kube_pod_status, &pod->status, a, &old, e);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < old.n; i++) {
		struct slice key = slice_n(old.members[i].key, old.members[i].key_len);
		if (!tree_get(&now, key) && !tree_set(a, &now, key, tree_null()))
			return err_nomem(e);
	}
	if (!tree_set(a, &meta, SLICE("uid"), tree_string(slice_of(pod->metadata.uid))) || !tree_set(a, &body, SLICE("metadata"), meta) ||
		!tree_set(a, &body, SLICE("status"), now))
		return err_nomem(e);
	return tree_to_json(&body, 0, out);
}
