/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to do next with a pod, decided from its spec, what the runtime has of it
 * and what the node remembers. Pure: the same view gives the same plan, so
 * that a node that was killed at any instant finds its way from what it sees.
 *
 * Order: sandbox, init containers one after another (a sidecar counts when it
 * has started), then all others; ephemeral ones whenever there is a sandbox.
 */
#include "kube/node/node_int.h"

#include <errno.h>

#include "base/clock.h"

#define BACKOFF_FIRST_NS (10 * NS_PER_S)
#define BACKOFF_MOST_NS (300 * NS_PER_S)

bool cri_is_running(const struct cri_container_status *s)
{
	return s && s->state == CRI_CONTAINER_RUNNING;
}

bool cri_has_ended(const struct cri_container_status *s)
{
	return s && s->state == CRI_CONTAINER_EXITED;
}

static bool is_policy(const struct kube_pod *pod, const char *policy)
{
	return !strcmp(pod->spec.restart_policy ? pod->spec.restart_policy : "Always", policy);
}

/* 1: a rule of the container asks for a restart; 0: none fits. */
static bool rule_restarts(const struct kube_container *c, int exit_code)
{
	for (uint32_t i = 0; i < c->n_restart_policy_rules; i++) {
		const struct kube_container_restart_rule_on_exit_codes *x = c->restart_policy_rules[i].exit_codes;
		bool in = false;
		if (!x || !c->restart_policy_rules[i].action || strcmp(c->restart_policy_rules[i].action, "Restart"))
			continue;
		for (uint32_t k = 0; k < x->n_values; k++)
			in |= x->values[k] == exit_code;
		if (x->operator && (!strcmp(x->operator, "In") ? in : !strcmp(x->operator, "NotIn") && !in))
			return true;
	}
	return false;
}

bool plan_restarts(const struct kube_pod *pod, const struct pod_container *c, int exit_code)
{
	if (c->kind == CONTAINER_EPHEMERAL)
		return false;
	if (c->is_sidecar || rule_restarts(c->spec, exit_code))
		return true;
	if (c->kind == CONTAINER_INIT)
		return exit_code != 0 && !is_policy(pod, "Never");
	if (c->spec->restart_policy && *c->spec->restart_policy) {
		/* a container's own policy stands above the pod's */
		if (!strcmp(c->spec->restart_policy, "Never"))
			return false;
		return !strcmp(c->spec->restart_policy, "Always") || exit_code != 0;
	}
	return is_policy(pod, "Always") || (is_policy(pod, "OnFailure") && exit_code != 0);
}

int64_t plan_backoff_end(const struct container_memory *m, int64_t finished_ns)
{
	return m->backoff_ns ? finished_ns + m->backoff_ns : 0;
}

void plan_backoff_next(struct container_memory *m, int64_t finished_ns)
{
	if (!m->backoff_ns || finished_ns - m->backoff_set_ns > 2 * BACKOFF_MOST_NS)
		m->backoff_ns = BACKOFF_FIRST_NS;
	else
		m->backoff_ns = MIN(m->backoff_ns * 2, BACKOFF_MOST_NS);
	m->backoff_set_ns = finished_ns;
}

void plan_hash(const struct kube_container *c, char *dst)
{
	/* resources can change in place, everything else that may change in a running pod is the image */
	uint64_t h = hash_bytes(0, c->name ? c->name : "", strlen(c->name ? c->name : ""));
	h = hash_bytes(h, c->image ? c->image : "", strlen(c->image ? c->image : ""));
	fmt_into(dst, 9, "%08x", (unsigned)(h ^ h >> 32));
}

static bool same_or_none(int64_t want, int64_t have)
{
	return want > 0 ? want == have : have <= 0;
}

bool plan_is_resized(const struct node_settings *set, const struct kube_pod *pod, const struct pod_container *c)
{
	const struct cri_linux_container_resources *have = c->now && c->now->resources ? c->now->resources->linux : NULL;
	struct cri_linux_container_resources want;

	if (!set || !have || !cri_is_running(c->now) || c->kind == CONTAINER_EPHEMERAL || (!have->cpu_shares && !have->memory_limit_in_bytes && !have->cpu_quota))
		return false;
	config_resources(set, pod, c->spec, &want);
	return want.cpu_shares != have->cpu_shares || !same_or_none(want.cpu_quota, have->cpu_quota) ||
		!same_or_none(want.memory_limit_in_bytes, have->memory_limit_in_bytes);
}

/* Does its policy ask for a restart when this changes? */
static bool restarts_for(const struct kube_container *c, const char *resource)
{
	for (uint32_t i = 0; i < c->n_resize_policy; i++)
		if (!strcmp(c->resize_policy[i].resource_name, resource) && c->resize_policy[i].restart_policy &&
			!strcmp(c->resize_policy[i].restart_policy, "RestartContainer"))
			return true;
	return false;
}

struct planner {
	struct pod_view *v;
	struct arena *a;
	struct pod_plan *p;
};

static void wake_at(struct planner *x, int64_t ns)
{
	x->p->wake_ns = MIN(x->p->wake_ns, ns);
}

static bool has_own_policy_failed(const struct planner *x, const struct pod_container *c)
{
	return !plan_restarts(x->v->pod, c, c->now->exit_code);
}

/* It must run again or for the first time: now, or when its waits are over. */
static void want_start(struct planner *x, unsigned i)
{
	struct pod_container *c = &x->v->containers[i];
	struct container_memory *m = c->memory;
	int64_t now = x->v->now_ns;

	if (cri_has_ended(c->now)) {
		int64_t end = plan_backoff_end(m, c->now->finished_at);
		if (end > now) {
			char text[32];
			duration_format(text, m->backoff_ns);
			m->waiting_reason = "CrashLoopBackOff";
			fmt_into(m->waiting_message, sizeof m->waiting_message, "back-off %s restarting failed container=%s pod=%s", text, c->spec->name,
				pod_full_name(x->v->pod, x->a));
			wake_at(x, end);
			return;
		}
	}
	if (m->retry_ns > now) {
		wake_at(x, m->retry_ns);
		return;
	}
	x->p->start[x->p->n_start++] = i;
}

static void want_kill(struct planner *x, unsigned i, int64_t grace_s, const char *message)
{
	struct pod_container *c = &x->v->containers[i];

	if (!c->memory->is_killing)
		x->p->kill[x->p->n_kill++] = (struct plan_kill){ .id = c->now->id, .c = c, .message = message, .grace_s = grace_s };
}

static void check_resize(struct planner *x, unsigned i)
{
	struct pod_container *c = &x->v->containers[i];
	struct cri_linux_container_resources want;

	config_resources(x->v->set, x->v->pod, c->spec, &want);
	bool memory = !same_or_none(want.memory_limit_in_bytes, c->now->resources->linux->memory_limit_in_bytes);
	bool cpu = want.cpu_shares != c->now->resources->linux->cpu_shares || !same_or_none(want.cpu_quota, c->now->resources->linux->cpu_quota);
	if ((memory && restarts_for(c->spec, "memory")) || (cpu && restarts_for(c->spec, "cpu")))
		want_kill(x, i, -1, arena_fmt(x->a, "Container %s resize requires restart", c->spec->name));
	else if (c->memory->retry_ns <= x->v->now_ns)
		x->p->resize[x->p->n_resize++] = i;
	else
		wake_at(x, c->memory->retry_ns);
}

/* Does a running container have to go? */
static void check_running(struct planner *x, unsigned i)
{
	struct pod_container *c = &x->v->containers[i];
	struct container_memory *m = c->memory;
	char hash[9];
	const char *had = annotation(c->now->annotations, c->now->n_annotations, "io.kubernetes.container.hash");

	plan_hash(c->spec, hash);
	if (*had && strcmp(had, hash) && c->kind != CONTAINER_EPHEMERAL)
		want_kill(x, i, -1, arena_fmt(x->a, "Container %s definition changed, will be restarted", c->spec->name));
	else if (m->failed_liveness && !strcmp(m->running_id, c->now->id))
		want_kill(x, i, m->failed_grace, m->failed_message);
	else if (plan_is_resized(x->v->set, x->v->pod, c))
		check_resize(x, i);
}

static const struct cri_container_status *current(const struct pod_container *c)
{
	return c->is_current && c->now->state != CRI_CONTAINER_CREATED ? c->now : NULL;
}

static bool is_started(const struct pod_container *c)
{
	return c->memory->started && !c->memory->is_post_starting && !strcmp(c->memory->running_id, c->now->id);
}

/* One init container; false: those behind it must wait. */
static bool plan_init(struct planner *x, unsigned i, bool initialized)
{
	struct pod_container *c = &x->v->containers[i];
	const struct cri_container_status *s = current(c);

	if (c->is_sidecar) {
		if (cri_is_running(s)) {
			check_running(x, i);
			return initialized || is_started(c);
		}
		want_start(x, i);
		return initialized;
	}
	if (initialized)
		return true;
	if (cri_has_ended(s) && s->exit_code == 0)
		return true;
	if (cri_is_running(s)) {
		check_running(x, i);
		return false;
	}
	if (cri_has_ended(s) && has_own_policy_failed(x, c))
		x->p->is_finished = true;
	else
		want_start(x, i);
	return false;
}

static void plan_regular(struct planner *x, unsigned i)
{
	struct pod_container *c = &x->v->containers[i];
	const struct cri_container_status *s = current(c);

	if (cri_is_running(s))
		check_running(x, i);
	else if (s && s->state == CRI_CONTAINER_UNKNOWN)
		want_kill(x, i, -1, arena_fmt(x->a, "Container %s is in unknown state, try killing it before restart", c->spec->name));
	else if (!cri_has_ended(c->now) || plan_restarts(x->v->pod, c, c->now->exit_code))
		want_start(x, i);
}

/* All regular containers have ended for good. */
static bool is_done(const struct pod_view *v)
{
	bool any = false;

	for (unsigned i = 0; i < v->n_containers; i++) {
		const struct pod_container *c = &v->containers[i];
		if (c->kind != CONTAINER_REGULAR)
			continue;
		any = true;
		if (!cri_has_ended(c->now) || plan_restarts(v->pod, c, c->now->exit_code))
			return false;
	}
	return any;
}

static bool sandbox_is_good(const struct pod_view *v)
{
	const struct pod_observed *o = v->observed;

	if (!o->n_sandboxes || o->sandboxes[0].state != CRI_SANDBOX_READY)
		return false;
	for (uint32_t i = 1; i < o->n_sandboxes; i++)
		if (o->sandboxes[i].state == CRI_SANDBOX_READY)
			return false;
	return pod_is_host_network(v->pod) || (o->sandboxes[0].network && o->sandboxes[0].network->ip && *o->sandboxes[0].network->ip);
}

int plan_make(struct pod_view *v, struct arena *a, struct pod_plan *ret)
{
	struct planner x = { v, a, ret };
	bool initialized = false, goes_on = true;

	*ret = (struct pod_plan){ .wake_ns = NEVER };
	ret->start = arena_array(a, v->n_containers + 1, sizeof *ret->start);
	ret->kill = arena_array(a, v->n_containers + 1, sizeof *ret->kill);
	ret->resize = arena_array(a, v->n_containers + 1, sizeof *ret->resize);
	if (!ret->start || !ret->kill || !ret->resize)
		return -ENOMEM;
	if (is_done(v)) {
		ret->is_finished = true;
		return 0;
	}
	if (!sandbox_is_good(v)) {
		ret->replace_sandbox = true;
		if (v->observed->n_sandboxes && v->observed->sandboxes[0].metadata)
			ret->attempt = v->observed->sandboxes[0].metadata->attempt + 1;
		return 0;
	}
	for (unsigned i = 0; i < v->n_containers; i++)
		initialized |= v->containers[i].kind == CONTAINER_REGULAR && current(&v->containers[i]);
	for (unsigned i = 0; i < v->n_containers; i++) {
		const struct pod_container *c = &v->containers[i];
		if (c->kind == CONTAINER_INIT && goes_on)
			goes_on = plan_init(&x, i, initialized);
		else if (c->kind == CONTAINER_REGULAR && goes_on)
			plan_regular(&x, i);
		else if (c->kind == CONTAINER_EPHEMERAL && !c->now)
			want_start(&x, i);
	}
	if (ret->is_finished)
		ret->n_start = 0;
	return 0;
}
