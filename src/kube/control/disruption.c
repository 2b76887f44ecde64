// SPDX-License-Identifier: Apache-2.0
/* Pod disruption budgets: how many of the selected pods may be evicted now. The API server's eviction takes from what is written here. */
#include <errno.h>

#include "base/clock.h"
#include "kube/control/control_int.h"

static const int64_t DISRUPTED_NS = 120 * NS_PER_S;

struct state { struct informer *budgets, *pods, *sets, *deployments, *stateful, *controllers, *daemons; };

/* --- how many there should be */

/* The number that the pod's controller wants, and its uid; 0 for none that can be scaled. */
static int32_t scale_of(struct state *st, const struct kube_pod *p, const char **uid)
{
	const struct kube_owner_reference *ref = kube_controller_of(&p->metadata);
	const char *ns = p->metadata.namespace;
	struct kobject *o;

	*uid = NULL;
	if (!ref)
		return 0;
	*uid = ref->uid;
	if (text_eq(ref->kind, "ReplicaSet") && (o = informer_get(st->sets, ns, ref->name))) {
		const struct kube_owner_reference *up = kube_controller_of(kobject_meta(o));
		struct kobject *d = up && text_eq(up->kind, "Deployment") ? informer_get(st->deployments, ns, up->name) : NULL;

		if (d) {
			*uid = kobject_meta(d)->uid;
			return count_or(((const struct kube_deployment *)d->obj)->spec.replicas, 1);
		}
		return count_or(((const struct kube_replica_set *)o->obj)->spec.replicas, 1);
	}
	if (text_eq(ref->kind, "StatefulSet") && (o = informer_get(st->stateful, ns, ref->name)))
		return count_or(((const struct kube_stateful_set *)o->obj)->spec.replicas, 1);
	if (text_eq(ref->kind, "ReplicationController") && (o = informer_get(st->controllers, ns, ref->name)))
		return count_or(((const struct kube_replication_controller *)o->obj)->spec.replicas, 1);
	if (text_eq(ref->kind, "DaemonSet") && (o = informer_get(st->daemons, ns, ref->name)))
		return ((const struct kube_daemon_set *)o->obj)->status.desired_number_scheduled;
	return 0;
}

static int expected(struct sync *s, struct state *st, const struct objects *pods, int32_t *ret)
{
	const char **uids = arena_array(&s->a, pods->n, sizeof *uids);
	uint32_t n = 0;

	*ret = 0;
	if (!uids)
		return -ENOMEM;
	for (uint32_t i = 0; i < pods->n; i++) {
		const char *uid;
		int32_t scale = scale_of(st, pods->v[i], &uid);
		bool known = false;

		for (uint32_t k = 0; k < n && uid && !known; k++)
			known = !strcmp(uids[k], uid);
		if (known)
			continue;
		if (uid)
			uids[n++] = uid;
		/* One without a controller that scales stands for itself. */
		*ret += uid && scale ? scale : 1;
	}
	return 0;
}

/* Pods that eviction has let go and that are still there. */
static int disrupted(struct sync *s, struct state *st, const struct kube_pod_disruption_budget *b, struct kube_pod_disruption_budget_status *t)
{
	uint32_t n = 0;

	t->disrupted_pods = arena_array(&s->a, b->status.n_disrupted_pods, sizeof *t->disrupted_pods);
	if (!t->disrupted_pods)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->status.n_disrupted_pods; i++) {
		struct kobject *p = informer_get(st->pods, b->metadata.namespace, b->status.disrupted_pods[i].key);
		int64_t left = kube_time_ns(b->status.disrupted_pods[i].value) + DISRUPTED_NS - s->now_ns;

		if (!p || kube_is_deleting(kobject_meta(p)) || left <= 0)
			continue;
		ctl_add_after(s->k, b->metadata.namespace && b->metadata.name ? arena_fmt(&s->a, "%s/%s", b->metadata.namespace, b->metadata.name) : "", left);
		t->disrupted_pods[n++] = b->status.disrupted_pods[i];
	}
	t->n_disrupted_pods = n;
	if (!n)
		t->disrupted_pods = NULL;
	return 0;
}

static int set_condition(struct sync *s, const struct kube_pod_disruption_budget *b, struct kube_pod_disruption_budget_status *t)
{
	const struct kube_condition *old = KUBE_CONDITION(b->status.conditions, b->status.n_conditions, "DisruptionAllowed");
	bool yes = t->disruptions_allowed > 0;
	const char *status = yes ? "True" : "False";
	struct kube_condition *v = arena_new(&s->a, struct kube_condition);

	if (!v)
		return -ENOMEM;
	*v = (struct kube_condition){ .type = "DisruptionAllowed", .status = status, .reason = yes ? "SufficientPods" : "InsufficientPods", .message = "",
		.observed_generation = b->metadata.generation, .last_transition_time = old && text_eq(old->status, status) ? old->last_transition_time : sync_now_text(s) };
	t->conditions = v;
	t->n_conditions = 1;
	return 0;
}

static int compute(struct sync *s, struct state *st, const struct kube_pod_disruption_budget *b, struct objects *pods,
	struct kube_pod_disruption_budget_status *t, struct err *e)
{
	int32_t number = 0;
	int r;

	*t = (struct kube_pod_disruption_budget_status){ .observed_generation = b->metadata.generation };
	if (disrupted(s, st, b, t) < 0)
		return err_nomem(e);
	for (uint32_t i = 0; i < pods->n; i++) {
		const struct kube_pod *p = pods->v[i];
		bool going = kube_is_deleting(&p->metadata);

		for (uint32_t k = 0; k < t->n_disrupted_pods; k++)
			going |= text_eq(t->disrupted_pods[k].key, p->metadata.name);
		t->current_healthy += kube_pod_is_ready(p) && !going;
	}
	t->expected_pods = (int32_t)pods->n;
	if (b->spec.max_unavailable) {
		if (expected(s, st, pods, &t->expected_pods) < 0)
			return err_nomem(e);
		r = int_or_percent(b->spec.max_unavailable, t->expected_pods, true, &number);
		t->desired_healthy = MAX(t->expected_pods - number, 0);
	} else if (b->spec.min_available && b->spec.min_available->string) {
		if (expected(s, st, pods, &t->expected_pods) < 0)
			return err_nomem(e);
		r = int_or_percent(b->spec.min_available, t->expected_pods, true, &t->desired_healthy);
	} else {
		r = int_or_percent(b->spec.min_available, t->expected_pods, true, &t->desired_healthy);
	}
	if (r < 0)
		return err_set(e, EINVAL, "pod disruption budget %s: neither a number nor a percentage", b->metadata.name);
	t->disruptions_allowed = t->expected_pods > 0 ? MAX(t->current_healthy - t->desired_healthy, 0) : 0;
	return set_condition(s, b, t) < 0 ? err_nomem(e) : 0;
}

static int sync_wait(struct ctl *k, const char *key, struct err *e)
{
	struct state *st = k->own;
	AUTO(sync) struct sync s;
	const struct kube_pod_disruption_budget *b;
	struct kube_pod_disruption_budget copy;
	struct selector sel;
	struct objects pods;
	uint32_t n = 0;
	int r;

	sync_begin(&s, k);
	b = sync_get(&s, st->budgets, key);
	if (!b)
		return 0;
	r = selector_of(&s.a, b->spec.selector, &sel, e);
	if (r == 0)
		r = sync_list(&s, st->pods, NULL, b->metadata.namespace, &pods);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < pods.n; i++) {
		const struct kube_pod *p = pods.v[i];

		if (!kube_pod_is_terminal(p) && selector_matches(&sel, p->metadata.labels, p->metadata.n_labels))
			pods.v[n++] = pods.v[i];
	}
	pods.n = n;
	copy = *b;
	r = compute(&s, st, b, &pods, &copy.status, e);
	if (r < 0 || schema_equal(T_kube_pod_disruption_budget_status, &copy.status, &b->status))
		return r;
	r = kclient_update_wait(k->c->client, informer_resource(st->budgets), "status", &copy, &s.a, NULL, e);
	return r == -ENOENT ? 0 : r;
}

/* --- what wakes it */

struct wanting { struct ctl *k; const struct kube_object_meta *pod; };
static int want_one(void *arg, struct kobject *o)
{
	struct wanting *w = arg;
	AUTO(arena) struct arena a;
	struct selector sel;

	arena_init(&a, 1024 * 1024);
	if (selector_of(&a, ((const struct kube_pod_disruption_budget *)o->obj)->spec.selector, &sel, NULL) == 0 &&
	    selector_matches(&sel, w->pod->labels, w->pod->n_labels))
		ctl_add(w->k, o->key);
	return 0;
}

static void on_pod(struct ctl *k, struct kobject *old, struct kobject *now)
{
	struct state *st = k->own;
	struct wanting w = { k, kobject_meta(now ? now : old) };

	informer_each(st->budgets, w.pod->namespace, want_one, &w);
}

static int add_one(void *arg, struct kobject *o)
{
	ctl_add(arg, o->key);
	return 0;
}

/* A controller that was resized changes what is expected. */
static void on_scale(struct ctl *k, struct kobject *old, struct kobject *now)
{
	if (old && now && kobject_meta(old)->generation != kobject_meta(now)->generation)
		informer_each(((struct state *)k->own)->budgets, kobject_meta(now)->namespace, add_one, k);
}

int disruption_start(struct control *c, struct err *e)
{
	struct ctl *k = ctl_new(c, "disruption", "controllermanager", 2, sync_wait, sizeof(struct state));
	struct state *st;
	int r;

	if (!k)
		return -ENOMEM;
	st = k->own;
	st->budgets = ctl_need(k, "policy", "poddisruptionbudgets");
	st->pods = ctl_need(k, "", "pods");
	st->sets = ctl_need(k, "apps", "replicasets");
	st->deployments = ctl_need(k, "apps", "deployments");
	st->stateful = ctl_need(k, "apps", "statefulsets");
	st->controllers = ctl_need(k, "", "replicationcontrollers");
	st->daemons = ctl_need(k, "apps", "daemonsets");
	struct informer *const scaled[] = { st->sets, st->deployments, st->stateful, st->controllers, st->daemons };

	r = ctl_on(k, st->budgets, ctl_enqueue);
	if (r == 0)
		r = ctl_on(k, st->pods, on_pod);
	for (size_t i = 0; i < ARRAY_LEN(scaled) && r == 0; i++)
		r = ctl_on(k, scaled[i], on_scale);
	return r;
}
