// SPDX-License-Identifier: Apache-2.0
/*
 * ReplicaSets and replication controllers: as many pods of a template as said.
 * The two differ in how they write selector, template and status, so both come
 * to one `set` and only reading and writing exist twice.
 */
#include <errno.h>

#include "base/clock.h"
#include "kube/control/control_int.h"

enum { BURST = 500 };

struct state {
	bool is_controller;                  /* a ReplicationController */
	struct informer *sets, *pods;
	struct expects *expects;
};

/* The condition that both have, as they both write it. */
struct set_status {
	int32_t replicas, labeled, ready, available, terminating;
	int64_t observed;
	struct kube_replica_set_condition *conditions;
	uint32_t n_conditions;
};
struct set {
	struct owner o;
	const void *obj;
	int32_t replicas, min_ready;
	const struct kube_pod_template_spec *template;
	struct set_status status;
};

static int read_set(struct sync *s, const struct state *st, const void *obj, const char *key, struct set *ret, struct err *e)
{
	*ret = (struct set){ .obj = obj, .o = { .r = informer_resource(st->sets), .m = &((const struct kube_head *)obj)->metadata, .key = key } };
	if (st->is_controller) {
		const struct kube_replication_controller *c = obj;
		const struct kube_replication_controller_status *t = &c->status;

		ret->replicas = count_or(c->spec.replicas, 1);
		ret->min_ready = c->spec.min_ready_seconds;
		ret->template = c->spec.template;
		/* The two kinds of condition are the same five texts. */
		ret->status = (struct set_status){ t->replicas, t->fully_labeled_replicas, t->ready_replicas, t->available_replicas, 0, t->observed_generation,
			(struct kube_replica_set_condition *)t->conditions, t->n_conditions };
		if (!ret->template)
			return err_set(e, EINVAL, "replication controller %s has no template", key);
		return selector_of_map(&s->a, c->spec.selector, c->spec.n_selector, &ret->o.selector) < 0 ? err_nomem(e) : 0;
	}
	const struct kube_replica_set *r = obj;
	const struct kube_replica_set_status *t = &r->status;

	ret->replicas = count_or(r->spec.replicas, 1);
	ret->min_ready = r->spec.min_ready_seconds;
	ret->template = &r->spec.template;
	ret->status = (struct set_status){ t->replicas, t->fully_labeled_replicas, t->ready_replicas, t->available_replicas, count_or(t->terminating_replicas, -1),
		t->observed_generation, t->conditions, t->n_conditions };
	return selector_of(&s->a, r->spec.selector, &ret->o.selector, e);
}

/* --- making and removing */

struct work {
	struct sync *s;
	struct state *st;
	struct set *set;
	const struct kube_pod **pods;
};

static int create_one_wait(void *arg, unsigned i, struct err *e)
{
	struct work *w = arg;
	struct kube_pod *p = pod_of_template(w->s, &w->set->o, w->set->template, NULL);

	return p ? control_pod_create_wait(w->s, &w->set->o, p, w->st->expects, e) : err_nomem(e);
}

static int delete_one_wait(void *arg, unsigned i, struct err *e)
{
	struct work *w = arg;

	return control_pod_delete_wait(w->s, &w->set->o, w->pods[i], w->st->expects, e);
}

static int count_node(const struct kube_pod **v, uint32_t n, const char *node)
{
	int found = 0;

	for (uint32_t i = 0; i < n; i++)
		found += text_eq(v[i]->spec.node_name, node);
	return found;
}

/* How many pods of the same deployment run on each pod's node: the crowded nodes give first. */
static unsigned *ranks_of(struct work *w, const struct kube_pod **v, uint32_t n)
{
	const struct kube_owner_reference *up = kube_controller_of(w->set->o.m);
	unsigned *ranks = arena_array(&w->s->a, n, sizeof *ranks);
	struct objects sets, pods;

	if (!ranks)
		return NULL;
	if (!up || sync_list(w->s, w->st->sets, "controller", up->uid, &sets) < 0) {
		for (uint32_t i = 0; i < n; i++)
			ranks[i] = (unsigned)count_node(v, n, v[i]->spec.node_name);
		return ranks;
	}
	for (uint32_t k = 0; k < sets.n; k++) {
		const struct kube_pod **active;
		uint32_t n_active = 0;

		if (sync_list(w->s, w->st->pods, "controller", ((struct kube_head *)sets.v[k])->metadata.uid, &pods) < 0)
			return NULL;
		active = arena_array(&w->s->a, pods.n, sizeof *active);
		if (!active)
			return NULL;
		for (uint32_t i = 0; i < pods.n; i++)
			if (kube_pod_is_active(pods.v[i]))
				active[n_active++] = pods.v[i];
		for (uint32_t i = 0; i < n; i++)
			ranks[i] += (unsigned)count_node(active, n_active, v[i]->spec.node_name);
	}
	return ranks;
}

static int manage_wait(struct work *w, const struct kube_pod **active, uint32_t n, struct err *e)
{
	int64_t diff = (int64_t)n - w->set->replicas;
	int r;

	if (diff < 0) {
		r = batch_wait(w->s->c, (unsigned)MIN(-diff, BURST), create_one_wait, w, NULL, e);
		return r < 0 && is_namespace_ending(e) ? 0 : r;
	}
	if (diff == 0)
		return 0;
	if ((uint32_t)diff < n)
		pods_sort_for_deletion(active, n, ranks_of(w, active, n), w->s->now_ns);
	w->pods = active;
	return batch_wait(w->s->c, (unsigned)MIN(diff, BURST), delete_one_wait, w, NULL, e);
}

/* --- status */

static bool has_template_labels(const struct kube_pod *p, const struct kube_pod_template_spec *t)
{
	for (uint32_t i = 0; i < t->metadata.n_labels; i++)
		if (!text_eq(kube_label(&p->metadata, t->metadata.labels[i].key), t->metadata.labels[i].value) ||
		    !kube_label(&p->metadata, t->metadata.labels[i].key))
			return false;
	return true;
}

/* ReplicaFailure is there while the last attempt failed. */
static int failure_condition(struct sync *s, struct set_status *t, int64_t diff, int failed, const struct err *why)
{
	const struct kube_replica_set_condition *old = KUBE_CONDITION(t->conditions, t->n_conditions, "ReplicaFailure");
	struct kube_replica_set_condition *v = arena_array(&s->a, t->n_conditions + 1, sizeof *v);
	uint32_t n = 0;

	if (!!old == !!failed)
		return 0;
	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->n_conditions; i++)
		if (!text_eq(t->conditions[i].type, "ReplicaFailure"))
			v[n++] = t->conditions[i];
	if (failed)
		v[n++] = (struct kube_replica_set_condition){ "ReplicaFailure", "True", sync_now_text(s), diff < 0 ? "FailedCreate" : "FailedDelete",
			arena_strdup(&s->a, why->text) };
	t->conditions = v;
	t->n_conditions = n;
	return 0;
}

static int write_status_wait(struct sync *s, struct state *st, struct set *set, const struct set_status *t, struct err *e)
{
	if (st->is_controller) {
		struct kube_replication_controller c = *(const struct kube_replication_controller *)set->obj;

		c.status = (struct kube_replication_controller_status){ t->replicas, t->labeled, t->ready, t->available, t->observed,
			(struct kube_replication_controller_condition *)t->conditions, t->n_conditions };
		return kclient_update_wait(s->c->client, set->o.r, "status", &c, &s->a, NULL, e);
	}
	struct kube_replica_set r = *(const struct kube_replica_set *)set->obj;
	int32_t terminating = t->terminating;

	r.status = (struct kube_replica_set_status){ t->replicas, t->labeled, t->ready, t->available, &terminating, t->observed, t->conditions, t->n_conditions };
	return kclient_update_wait(s->c->client, set->o.r, "status", &r, &s->a, NULL, e);
}

static int status_wait(struct sync *s, struct state *st, struct set *set, const struct objects *all, const struct kube_pod **active, uint32_t n, int failed,
	const struct err *why, struct err *e)
{
	const struct set_status *old = &set->status;
	struct set_status t = { .replicas = (int32_t)n, .observed = set->o.m->generation, .conditions = old->conditions, .n_conditions = old->n_conditions };
	int64_t again = 0;

	for (uint32_t i = 0; i < n; i++) {
		int64_t one;

		t.labeled += has_template_labels(active[i], set->template);
		t.ready += kube_pod_is_ready(active[i]);
		t.available += kube_pod_is_available(active[i], set->min_ready, s->now_ns, &one);
		if (one && (!again || one < again))
			again = one;
	}
	for (uint32_t i = 0; i < all->n; i++) {
		const struct kube_pod *p = all->v[i];

		t.terminating += kube_is_deleting(&p->metadata) && !kube_pod_is_terminal(p);
	}
	if (st->is_controller)
		t.terminating = 0;
	if (failure_condition(s, &t, (int64_t)n - set->replicas, failed, why) < 0)
		return err_nomem(e);
	if (again)
		ctl_add_after(s->k, set->o.key, again + NS_PER_MS);
	if (t.replicas == old->replicas && t.labeled == old->labeled && t.ready == old->ready && t.available == old->available &&
	    t.terminating == old->terminating && t.observed == old->observed && t.conditions == old->conditions)
		return 0;
	return write_status_wait(s, st, set, &t, e);
}

/* --- */

static int sync_wait(struct ctl *k, const char *key, struct err *e)
{
	struct state *st = k->own;
	AUTO(sync) struct sync s;
	struct objects pods;
	struct set set;
	struct work w = { &s, st, &set, NULL };
	const struct kube_pod **active;
	struct err why = { 0 };
	uint32_t n = 0;
	void *obj;
	int r, failed = 0;

	sync_begin(&s, k);
	obj = sync_get(&s, st->sets, key);
	if (!obj) {
		expects_forget(st->expects, key);
		return 0;
	}
	if (!expects_met(st->expects, k, key, st->pods))
		return 0;
	r = read_set(&s, st, obj, key, &set, e);
	if (r == 0)
		r = claim_wait(&s, st->pods, &set.o, &pods, e);
	if (r < 0)
		return r;
	active = arena_array(&s.a, pods.n, sizeof *active);
	if (!active)
		return err_nomem(e);
	for (uint32_t i = 0; i < pods.n; i++)
		if (kube_pod_is_active(pods.v[i]))
			active[n++] = pods.v[i];
	if (!kube_is_deleting(set.o.m))
		failed = manage_wait(&w, active, n, &why);
	if (failed == -ECANCELED)
		return failed;
	r = status_wait(&s, st, &set, &pods, active, n, failed, &why, e);
	if (r == -ENOENT)
		r = 0;
	if (r == 0 && failed) {
		*e = why;
		r = failed;
	}
	return r;
}

static int selector_of_set(struct arena *a, const void *o, struct selector *ret)
{
	return selector_of(a, ((const struct kube_replica_set *)o)->spec.selector, ret, NULL);
}

static int selector_of_controller(struct arena *a, const void *o, struct selector *ret)
{
	const struct kube_replication_controller *c = o;

	return selector_of_map(a, c->spec.selector, c->spec.n_selector, ret);
}

/* Pods: their set; of one without, all sets that select it. */
static void on_pod(struct ctl *k, struct kobject *old, struct kobject *now)
{
	struct state *st = k->own;

	ctl_enqueue_owner(k, informer_resource(st->sets)->kind, old, now);
	if (now)
		ctl_enqueue_selecting(k, st->sets, now, st->is_controller ? selector_of_controller : selector_of_set);
}

static void release(struct ctl *k) { expects_free(((struct state *)k->own)->expects); }

static int start(struct control *c, bool is_controller)
{
	struct ctl *k = ctl_new(c, is_controller ? "replicationcontroller" : "replicaset", is_controller ? "replication-controller" : "replicaset-controller", 8,
		sync_wait, sizeof(struct state));
	struct state *st;
	int r;

	if (!k)
		return -ENOMEM;
	st = k->own;
	st->is_controller = is_controller;
	k->release = release;
	st->sets = is_controller ? ctl_need(k, "", "replicationcontrollers") : ctl_need(k, "apps", "replicasets");
	st->pods = ctl_need(k, "", "pods");
	r = expects_new(c->loop, &st->expects);
	if (r == 0)
		r = ctl_index_controller(st->pods);
	if (r == 0)
		r = ctl_index_controller(st->sets);
	if (r == 0)
		r = ctl_on(k, st->sets, ctl_enqueue);
	return r == 0 ? ctl_on(k, st->pods, on_pod) : r;
}

int replicaset_start(struct control *c, struct err *e) { return start(c, false); }
int replicationcontroller_start(struct control *c, struct err *e) { return start(c, true); }
