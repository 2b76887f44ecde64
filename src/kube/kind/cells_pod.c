/* SPDX-License-Identifier: Apache-2.0 */
/* What kubectl get shows of pods: one word for everything that may go on in one. */
#include "kube/kind/kind_int.h"

#include "base/clock.h"
#include "kube/meta/text.h"

/* What is found out while the statuses are walked. */
struct summary {
	char reason[160];
	long restarts;
	int64_t last_restart_ns;   /* INT64_MIN: unknown */
	uint32_t ready, total;
};

static void count_restarts(struct summary *s, const struct kube_container_status *c)
{
	const struct kube_container_state_terminated *t = c->last_state.terminated;
	int64_t ns;
	s->restarts += c->restart_count;
	if (t && t->finished_at && clock_parse_rfc3339(slice_of(t->finished_at), &ns) == 0 && ns > s->last_restart_ns)
		s->last_restart_ns = ns;
}

static void say(struct summary *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct summary *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(s->reason, sizeof s->reason, fmt, ap);
	va_end(ap);
}

static void say_terminated(struct summary *s, const char *prefix, const struct kube_container_state_terminated *t)
{
	if (is_set(t->reason))
		say(s, "%s%s", prefix, t->reason);
	else if (t->signal)
		say(s, "%sSignal:%d", prefix, t->signal);
	else
		say(s, "%sExitCode:%d", prefix, t->exit_code);
}

/* A sidecar: an init container that restarts. */
static bool is_sidecar(const struct kube_pod *p, const char *name)
{
	for (uint32_t i = 0; i < p->spec.n_init_containers; i++)
		if (is(p->spec.init_containers[i].name, or_empty(name)))
			return is(p->spec.init_containers[i].restart_policy, "Always");
	return false;
}

static bool has_condition(const struct kube_pod *p, const char *type)
{
	for (uint32_t i = 0; i < p->status.n_conditions; i++)
		if (is(p->status.conditions[i].type, type))
			return is(p->status.conditions[i].status, "True");
	return false;
}

/* True while init containers hold the rest back; restarts of sidecars alone go to *sidecars. */
static bool look_at_init(const struct kube_pod *p, struct summary *s, struct summary *sidecars)
{
	for (uint32_t i = 0; i < p->status.n_init_container_statuses; i++) {
		const struct kube_container_status *c = &p->status.init_container_statuses[i];
		bool sidecar = is_sidecar(p, c->name);
		count_restarts(s, c);
		if (sidecar)
			count_restarts(sidecars, c);
		if (c->state.terminated && !c->state.terminated->exit_code)
			continue;
		if (sidecar && c->started && *c->started) {
			s->ready += c->ready;
			continue;
		}
		if (c->state.terminated)
			say_terminated(s, "Init:", c->state.terminated);
		else if (c->state.waiting && is_set(c->state.waiting->reason) && !is(c->state.waiting->reason, "PodInitializing"))
			say(s, "Init:%s", c->state.waiting->reason);
		else
			say(s, "Init:%u/%u", i, p->spec.n_init_containers);
		return true;
	}
	return false;
}

static void look_at_containers(const struct kube_pod *p, struct summary *s)
{
	bool has_running = false;
	char failure[sizeof s->reason] = "";
	for (uint32_t i = p->status.n_container_statuses; i-- > 0;) {
		const struct kube_container_status *c = &p->status.container_statuses[i];
		count_restarts(s, c);
		if (c->state.waiting && is_set(c->state.waiting->reason)) {
			say(s, "%s", c->state.waiting->reason);
		} else if (c->state.terminated) {
			say_terminated(s, "", c->state.terminated);
			if (c->state.terminated->exit_code)
				memcpy(failure, s->reason, sizeof failure);
		} else if (c->ready && c->state.running) {
			has_running = true;
			s->ready++;
		}
	}
	if (strcmp(s->reason, "Completed"))
		return;
	if (has_running && has_condition(p, "Ready"))
		say(s, "Running");
	else if (*failure)
		memcpy(s->reason, failure, sizeof failure);
	else if (has_running)
		say(s, "NotReady");
}

static void look_at(const struct kube_pod *p, struct summary *s)
{
	struct summary sidecars = { .last_restart_ns = INT64_MIN };
	say(s, "%s", is_set(p->status.reason) ? p->status.reason : or_empty(p->status.phase));
	for (uint32_t i = 0; i < p->status.n_conditions; i++)
		if (is(p->status.conditions[i].type, "PodScheduled") && is(p->status.conditions[i].reason, "SchedulingGated"))
			say(s, "SchedulingGated");
	s->total = p->spec.n_containers;
	for (uint32_t i = 0; i < p->spec.n_init_containers; i++)
		s->total += is(p->spec.init_containers[i].restart_policy, "Always");
	if (!look_at_init(p, s, &sidecars) || has_condition(p, "Initialized")) {
		s->restarts = sidecars.restarts;
		s->last_restart_ns = sidecars.last_restart_ns;
		look_at_containers(p, s);
	}
	bool has_ended = is(p->status.phase, "Succeeded") || is(p->status.phase, "Failed");
	if (p->metadata.deletion_timestamp && is(p->status.reason, "NodeLost"))
		say(s, "Unknown");
	else if (p->metadata.deletion_timestamp && !has_ended)
		say(s, "Terminating");
}

static void cell_or_none(struct cells *c, const char *s)
{
	cell_text(c, is_set(s) ? s : "<none>");
}

static void cell_gates(struct cells *c, const struct kube_pod *p)
{
	uint32_t met = 0;
	if (!p->spec.n_readiness_gates) {
		cell_text(c, "<none>");
		return;
	}
	for (uint32_t i = 0; i < p->spec.n_readiness_gates; i++)
		met += has_condition(p, or_empty(p->spec.readiness_gates[i].condition_type));
	cell_fmt(c, "%u/%u", met, p->spec.n_readiness_gates);
}

static const struct kind_column pod_columns[] = {
	{ "Name", "string", "name", 0, "The object's name" },
	{ "Ready", "string", "", 0, "Containers that are ready, of all" },
	{ "Status", "string", "", 0, "What its containers do, in one word" },
	{ "Restarts", "string", "", 0, "How often containers were restarted, and when last" },
	{ "Age", "string", "", 0, "Time since it was created" },
	{ "IP", "string", "", 1, "Address of the pod" },
	{ "Node", "string", "", 1, "Machine it runs on" },
	{ "Nominated Node", "string", "", 1, "Machine that is being cleared for it" },
	{ "Readiness Gates", "string", "", 1, "Conditions met, of those it waits for" },
};
static void pod_cells(struct cells *c, const void *obj)
{
	const struct kube_pod *p = obj;
	struct summary s = { .last_restart_ns = INT64_MIN };
	char age[KUBE_DURATION_MAX];
	look_at(p, &s);
	cell_text(c, p->metadata.name);
	cell_fmt(c, "%u/%u", s.ready, s.total);
	cell_fmt(c, "%s", s.reason);
	if (s.restarts && s.last_restart_ns != INT64_MIN)
		cell_fmt(c, "%ld (%s ago)", s.restarts, kube_human_duration(age, c->now_ns - s.last_restart_ns));
	else
		cell_fmt(c, "%ld", s.restarts);
	cell_age(c, p->metadata.creation_timestamp);
	cell_or_none(c, p->status.n_pod_ips ? p->status.pod_ips[0].ip : NULL);
	cell_or_none(c, p->spec.node_name);
	cell_or_none(c, p->status.nominated_node_name);
	cell_gates(c, p);
}
TABLE(pod);

static const struct kind_column pod_template_columns[] = {
	{ "Name", "string", "name", 0, "The object's name" },
	{ "Containers", "string", "", 0, "Names of the template's containers" },
	{ "Images", "string", "", 0, "Images of the template's containers" },
	{ "Pod Labels", "string", "", 0, "Labels that its pods get" },
};
static void pod_template_cells(struct cells *c, const void *obj)
{
	const struct kube_pod_template *p = obj;
	cell_text(c, p->metadata.name);
	cell_containers(c, &p->template.spec);
	cell_labels(c, p->template.metadata.labels, p->template.metadata.n_labels);
}
TABLE(pod_template);
