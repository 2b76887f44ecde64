// SPDX-License-Identifier: Apache-2.0
/*
 * Daemon sets: one pod on each node that its template may be on. Pods carry an
 * affinity for their node and the scheduler binds them. Updates replace pods
 * node by node (maxUnavailable), or start the new one beside the old (maxSurge).
 */
#include <errno.h>

#include "base/clock.h"
#include "kube/control/nodefit_int.h"
#include "kube/control/revisions_int.h"

#define HASH_LABEL "controller-revision-hash"
#define GENERATION_LABEL "pod-template-generation"
enum { BURST = 250 };
static const int64_t FAILED_LEAST_NS = NS_PER_S, FAILED_MOST_NS = 900 * NS_PER_S;

struct state {
	struct informer *sets, *pods, *nodes, *revisions;
	struct expects *expects, *revision_expects;
	struct map failed;                   /* "key node" → struct failures */
};
struct failures { unsigned n; int64_t again_ns; };

/* One node and what of the set is there. */
struct place {
	const struct kube_node *node;
	const char *name;
	bool should_run, may_stay;
	const struct kube_pod **pods;        /* by creation, the oldest first */
	uint32_t n;
};
struct work {
	struct sync *s;
	struct state *st;
	struct kube_daemon_set ds;           /* own copy of the head */
	struct owner o;
	struct kube_toleration *tolerations;
	uint32_t n_tolerations;
	struct place *places;
	uint32_t n;
	struct revisions revisions;
	int32_t surge, unavailable, desired;
	VEC(const char *) create;            /* node names */
	VEC(const struct kube_pod *) kill;
};

/* --- places */

static int add_tolerations(struct work *w)
{
	static const char *const keys[][2] = {
		{ "node.kubernetes.io/not-ready", "NoExecute" }, { "node.kubernetes.io/unreachable", "NoExecute" },
		{ "node.kubernetes.io/disk-pressure", "NoSchedule" }, { "node.kubernetes.io/memory-pressure", "NoSchedule" },
		{ "node.kubernetes.io/pid-pressure", "NoSchedule" }, { "node.kubernetes.io/unschedulable", "NoSchedule" },
		{ "node.kubernetes.io/network-unavailable", "NoSchedule" },
	};
	const struct kube_pod_spec *p = &w->ds.spec.template.spec;
	uint32_t n = p->n_tolerations;
	struct kube_toleration *v = arena_array(&w->s->a, n + ARRAY_LEN(keys), sizeof *v);

	if (!v)
		return -ENOMEM;
	if (n)
		memcpy(v, p->tolerations, n * sizeof *v);
	for (size_t i = 0; i < ARRAY_LEN(keys) - !p->host_network; i++)
		v[n++] = (struct kube_toleration){ .key = keys[i][0], .operator = "Exists", .effect = keys[i][1] };
	w->tolerations = v;
	w->n_tolerations = n;
	return 0;
}

static void judge(const struct work *w, struct place *p)
{
	static const char *const both[] = { "NoSchedule", "NoExecute", NULL }, *const execute[] = { "NoExecute", NULL };
	const struct kube_pod_spec *spec = &w->ds.spec.template.spec;

	if (!p->node || (spec->node_name && *spec->node_name && !text_eq(spec->node_name, p->name)) || !node_fits_affinity(spec, p->node))
		return;
	p->should_run = !node_untolerated(p->node, w->tolerations, w->n_tolerations, both);
	p->may_stay = p->should_run || !node_untolerated(p->node, w->tolerations, w->n_tolerations, execute);
}

/* The node that a pod is on or will be bound to. */
static const char *node_of(const struct kube_pod *p)
{
	const struct kube_node_selector *s;

	if (p->spec.node_name && *p->spec.node_name)
		return p->spec.node_name;
	s = p->spec.affinity && p->spec.affinity->node_affinity ? p->spec.affinity->node_affinity->required_during_scheduling_ignored_during_execution : NULL;
	for (uint32_t i = 0; s && i < s->n_node_selector_terms; i++)
		for (uint32_t k = 0; k < s->node_selector_terms[i].n_match_fields; k++) {
			const struct kube_node_selector_requirement *q = &s->node_selector_terms[i].match_fields[k];

			if (text_eq(q->key, "metadata.name") && text_eq(q->operator, "In") && q->n_values == 1)
				return q->values[0];
		}
	return "";
}

static int by_creation(const void *a, const void *b)
{
	const struct kube_pod *p = *(const struct kube_pod *const *)a, *q = *(const struct kube_pod *const *)b;
	int64_t s = kube_time_ns(p->metadata.creation_timestamp), t = kube_time_ns(q->metadata.creation_timestamp);

	return s != t ? (s < t ? -1 : 1) : strcmp(p->metadata.name, q->metadata.name);
}

static int load_places_wait(struct work *w, struct err *e)
{
	struct objects nodes, pods;
	struct map by_name;
	int r = claim_wait(w->s, w->st->pods, &w->o, &pods, e);

	if (r < 0)
		return r;
	r = sync_list(w->s, w->st->nodes, NULL, NULL, &nodes);
	w->places = r < 0 ? NULL : arena_array(&w->s->a, nodes.n + pods.n, sizeof *w->places);
	if (!w->places || add_tolerations(w) < 0)
		return err_nomem(e);
	map_init(&by_name);
	for (uint32_t i = 0; i < nodes.n && r == 0; i++) {
		struct place *p = &w->places[w->n++];

		p->node = nodes.v[i];
		p->name = p->node->metadata.name;
		judge(w, p);
		w->desired += p->should_run;
		r = map_sets(&by_name, p->name, p);
	}
	if (pods.n)
		qsort(pods.v, pods.n, sizeof *pods.v, by_creation);
	for (uint32_t i = 0; i < pods.n && r == 0; i++) {
		const char *name = node_of(pods.v[i]);
		struct place *p = map_gets(&by_name, name);

		if (!p) {
			p = &w->places[w->n++];
			p->name = name;
			r = map_sets(&by_name, name, p);
		}
		if (!p->pods)
			p->pods = arena_array(&w->s->a, pods.n, sizeof *p->pods);
		if (!p->pods)
			r = -ENOMEM;
		else
			p->pods[p->n++] = pods.v[i];
	}
	map_release(&by_name);
	return r < 0 ? err_nomem(e) : 0;
}

/* --- what shall be there */

static bool is_new(const struct work *w, const struct kube_pod *p) { return text_eq(kube_label(&p->metadata, HASH_LABEL), w->revisions.hash); }
static bool is_available(const struct work *w, const struct kube_pod *p)
{
	return kube_pod_is_available(p, w->ds.spec.min_ready_seconds, w->s->now_ns, NULL);
}

/* A pod that failed comes again, but ever later. */
static bool may_try_again(struct work *w, const struct place *p)
{
	char key[900];
	struct failures *f;

	fmt_into(key, sizeof key, "%s %s", w->o.key, p->name);
	f = map_gets(&w->st->failed, key);
	if (!f) {
		f = calloc(1, sizeof *f);
		if (!f || map_sets(&w->st->failed, key, f) < 0) {
			free(f);
			return true;
		}
	}
	if (w->s->now_ns < f->again_ns) {
		ctl_add_after(w->s->k, w->o.key, f->again_ns - w->s->now_ns);
		return false;
	}
	f->n = MIN(f->n + 1, 20u);
	f->again_ns = w->s->now_ns + MIN(FAILED_LEAST_NS << (f->n - 1), FAILED_MOST_NS);
	return true;
}

/* With surge, two may run beside each other until the new one is available. */
static int surplus(struct work *w, const struct kube_pod **v, uint32_t n)
{
	const struct kube_pod *old = NULL, *new_ = NULL;
	int r = 0;

	for (uint32_t i = 0; i < n && r == 0; i++) {
		const struct kube_pod **slot = w->surge && !is_new(w, v[i]) ? &old : &new_;

		if (!w->surge)
			slot = &new_;
		if (*slot)
			r = vec_push(&w->kill, v[i]);
		else
			*slot = v[i];
	}
	if (r == 0 && old && new_ && (is_available(w, new_) || !kube_pod_is_ready(old)))
		r = vec_push(&w->kill, old);
	return r;
}

static int decide(struct work *w, struct place *p)
{
	const struct kube_pod **running = arena_array(&w->s->a, p->n, sizeof *running);
	uint32_t n = 0;
	bool ending = false;
	int r = 0;

	if (!running)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->n && r == 0; i++) {
		const struct kube_pod *x = p->pods[i];

		if (kube_is_deleting(&x->metadata)) {
			ending |= !kube_pod_is_terminal(x) || !p->may_stay;
		} else if (!p->may_stay) {
			r = vec_push(&w->kill, x);
		} else if (kube_pod_is_terminal(x)) {
			bool failed = text_eq(x->status.phase, "Failed");

			ending = true;
			if (failed && !may_try_again(w, p))
				continue;
			kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, failed ? "Warning" : "Normal", failed ? "FailedDaemonPod" : "SucceededDaemonPod",
				"Found %s daemon pod %s/%s on node %s, will try to %s it", failed ? "failed" : "succeeded", x->metadata.namespace, x->metadata.name,
				p->name, failed ? "kill" : "delete");
			r = vec_push(&w->kill, x);
		} else {
			running[n++] = x;
		}
	}
	if (r < 0 || !p->may_stay)
		return r;
	if (n == 0 && p->should_run && !ending)
		return vec_push(&w->create, p->name);
	return n > 1 ? surplus(w, running, n) : 0;
}

static void pair_on(const struct work *w, const struct place *p, const struct kube_pod **old, const struct kube_pod **new_)
{
	*old = *new_ = NULL;
	for (uint32_t i = 0; i < p->n; i++)
		if (!kube_is_deleting(&p->pods[i]->metadata) && !kube_pod_is_terminal(p->pods[i]))
			*(is_new(w, p->pods[i]) ? new_ : old) = p->pods[i];
}

/* Old pods that may go now. */
static int roll(struct work *w)
{
	VEC(const struct kube_pod *) candidates = { 0 };
	int32_t down = 0;
	int r = 0;

	for (uint32_t i = 0; i < w->n && r == 0; i++) {
		const struct place *p = &w->places[i];
		const struct kube_pod *old, *new_;

		if (!p->should_run)
			continue;
		pair_on(w, p, &old, &new_);
		if (!old == !new_)
			down++;
		else if (new_)
			down += !is_available(w, new_);
		else if (!is_available(w, old)) {
			r = vec_push(&w->kill, old);
			down++;
		} else
			r = vec_push(&candidates, old);
	}
	for (size_t i = 0; i < candidates.n && r == 0 && down < w->unavailable; i++, down++)
		r = vec_push(&w->kill, candidates.v[i]);
	vec_release(&candidates);
	return r;
}

static int roll_with_surge(struct work *w)
{
	VEC(const char *) candidates = { 0 };
	int32_t extra = 0;
	int r = 0;

	for (uint32_t i = 0; i < w->n && r == 0; i++) {
		const struct place *p = &w->places[i];
		const struct kube_pod *old, *new_;

		if (!p->should_run)
			continue;
		pair_on(w, p, &old, &new_);
		if (!old)
			continue;
		if (new_)
			extra += !is_available(w, new_);
		else if (!is_available(w, old))
			r = vec_push(&w->create, p->name);
		else
			r = vec_push(&candidates, p->name);
	}
	for (size_t i = 0; i < candidates.n && r == 0 && extra < w->surge; i++, extra++)
		r = vec_push(&w->create, candidates.v[i]);
	vec_release(&candidates);
	return r;
}

/* --- writing */

static struct kube_pod *pod_for(struct work *w, const char *node)
{
	struct arena *a = &w->s->a;
	struct kube_pod *p = pod_of_template(w->s, &w->o, &w->ds.spec.template, NULL);
	struct kube_affinity *affinity = arena_new(a, struct kube_affinity);
	struct kube_node_affinity *na = arena_new(a, struct kube_node_affinity);
	struct kube_node_selector *sel = arena_new(a, struct kube_node_selector);
	struct kube_node_selector_requirement *q = arena_new(a, struct kube_node_selector_requirement);
	const char **value = arena_new(a, const char *), *generation = kube_annotation(w->o.m, "deprecated.daemonset.template.generation");
	uint32_t n;

	if (!p || !affinity || !na || !sel || !q || !value)
		return NULL;
	*value = node;
	*q = (struct kube_node_selector_requirement){ .key = "metadata.name", .operator = "In", .values = value, .n_values = 1 };
	if (p->spec.affinity)
		*affinity = *p->spec.affinity;
	if (affinity->node_affinity)
		*na = *affinity->node_affinity;
	if (na->required_during_scheduling_ignored_during_execution)
		*sel = *na->required_during_scheduling_ignored_during_execution;
	n = sel->n_node_selector_terms ? sel->n_node_selector_terms : 1;
	struct kube_node_selector_term *terms = arena_array(a, n, sizeof *terms);

	if (!terms)
		return NULL;
	/* In every term: they are alternatives. */
	for (uint32_t i = 0; i < n; i++) {
		if (sel->n_node_selector_terms)
			terms[i] = sel->node_selector_terms[i];
		terms[i].match_fields = q;
		terms[i].n_match_fields = 1;
	}
	sel->node_selector_terms = terms;
	sel->n_node_selector_terms = n;
	na->required_during_scheduling_ignored_during_execution = sel;
	affinity->node_affinity = na;
	p->spec.affinity = affinity;
	p->spec.tolerations = w->tolerations;
	p->spec.n_tolerations = w->n_tolerations;
	p->metadata.labels = kube_pairs_with(a, p->metadata.labels, &p->metadata.n_labels, HASH_LABEL, w->revisions.hash);
	if (p->metadata.labels)
		p->metadata.labels = kube_pairs_with(a, p->metadata.labels, &p->metadata.n_labels, GENERATION_LABEL,
			generation ? generation : arena_fmt(a, "%lld", (long long)w->o.m->generation));
	return p->metadata.labels ? p : NULL;
}

static int create_one_wait(void *arg, unsigned i, struct err *e)
{
	struct work *w = arg;
	struct kube_pod *p = pod_for(w, w->create.v[i]);

	return p ? control_pod_create_wait(w->s, &w->o, p, w->st->expects, e) : err_nomem(e);
}

static int kill_one_wait(void *arg, unsigned i, struct err *e)
{
	struct work *w = arg;

	return control_pod_delete_wait(w->s, &w->o, w->kill.v[i], w->st->expects, e);
}

static int write_pods_wait(struct work *w, struct err *e)
{
	int r = batch_wait(w->s->c, (unsigned)MIN(w->create.n, (size_t)BURST), create_one_wait, w, NULL, e);

	if (r < 0 && is_namespace_ending(e))
		return 0;
	return r < 0 ? r : batch_wait(w->s->c, (unsigned)MIN(w->kill.n, (size_t)BURST), kill_one_wait, w, NULL, e);
}

static int status_wait(struct work *w, struct err *e)
{
	struct kube_daemon_set ds = w->ds;
	struct kube_daemon_set_status t = { .observed_generation = ds.metadata.generation, .collision_count = ds.status.collision_count,
		.conditions = ds.status.conditions, .n_conditions = ds.status.n_conditions, .desired_number_scheduled = w->desired };
	int64_t again = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		const struct place *p = &w->places[i];
		const struct kube_pod *best = NULL;
		int64_t one;

		if (!p->node)
			continue;
		if (!p->should_run) {
			t.number_misscheduled += p->n > 0;
			continue;
		}
		for (uint32_t k = 0; k < p->n; k++)
			if (!best || (!kube_pod_is_active(best) && kube_pod_is_active(p->pods[k])) || (kube_pod_is_active(p->pods[k]) && is_new(w, p->pods[k])))
				best = p->pods[k];
		if (!best)
			continue;
		t.current_number_scheduled++;
		t.number_ready += kube_pod_is_ready(best);
		t.number_available += kube_pod_is_available(best, ds.spec.min_ready_seconds, w->s->now_ns, &one);
		t.updated_number_scheduled += is_new(w, best);
		if (one && (!again || one < again))
			again = one;
	}
	t.number_unavailable = t.desired_number_scheduled - t.number_available;
	if (again)
		ctl_add_after(w->s->k, w->o.key, again + NS_PER_MS);
	if (schema_equal(T_kube_daemon_set_status, &t, &ds.status))
		return 0;
	ds.status = t;
	return kclient_update_wait(w->s->c->client, w->o.r, "status", &ds, &w->s->a, NULL, e);
}

static bool is_live(void *arg, const struct kube_controller_revision *r)
{
	struct work *w = arg;
	const char *hash = kube_label(&r->metadata, HASH_LABEL);

	for (uint32_t i = 0; i < w->n; i++)
		for (uint32_t k = 0; k < w->places[i].n; k++)
			if (text_eq(kube_label(&w->places[i].pods[k]->metadata, HASH_LABEL), hash))
				return true;
	return r == w->revisions.now;
}

/* --- */

static int limits(struct work *w, struct err *e)
{
	const struct kube_rolling_update_daemon_set *u = w->ds.spec.update_strategy.rolling_update;
	struct schema_int_or_string one = { .number = 1 };

	if (int_or_percent(u && u->max_unavailable ? u->max_unavailable : &one, w->desired, true, &w->unavailable) < 0 ||
	    int_or_percent(u ? u->max_surge : NULL, w->desired, true, &w->surge) < 0)
		return err_set(e, EINVAL, "daemon set %s: maxUnavailable or maxSurge is neither a number nor a percentage", w->o.key);
	if (!w->surge && !w->unavailable)
		w->unavailable = 1;
	return 0;
}

static int work_wait(struct work *w, struct err *e)
{
	int32_t collisions = count_or(w->ds.status.collision_count, 0);
	int r = load_places_wait(w, e);

	if (r < 0)
		return r;
	r = revisions_wait(w->s, w->st->revisions, &w->o, &w->ds.spec.template, HASH_LABEL, &collisions, w->st->revision_expects, &w->revisions, e);
	if (r == -EEXIST && collisions != count_or(w->ds.status.collision_count, 0)) {
		struct kube_daemon_set ds = w->ds;
		struct err ignored;

		ds.status.collision_count = &collisions;
		kclient_update_wait(w->s->c->client, w->o.r, "status", &ds, &w->s->a, NULL, &ignored);
		return r;
	}
	if (r < 0)
		return is_namespace_ending(e) ? 0 : r;
	r = limits(w, e);
	if (r == 0 && !kube_is_deleting(w->o.m)) {
		for (uint32_t i = 0; i < w->n && r == 0; i++)
			r = decide(w, &w->places[i]);
		/* A step of an update only when nothing else is to do. */
		if (r == 0 && !w->create.n && !w->kill.n && !text_eq(w->ds.spec.update_strategy.type, "OnDelete"))
			r = w->surge ? roll_with_surge(w) : roll(w);
		r = r < 0 ? err_nomem(e) : write_pods_wait(w, e);
	}
	if (r == 0)
		r = revisions_trim_wait(w->s, &w->revisions, count_or(w->ds.spec.revision_history_limit, 10), is_live, w, e);
	if (r != -ECANCELED) {
		struct err mine;
		int rc = status_wait(w, r == 0 ? e : &mine);

		if (r == 0 && rc < 0)
			r = rc;
	}
	return r;
}

static int sync_wait(struct ctl *k, const char *key, struct err *e)
{
	struct state *st = k->own;
	AUTO(sync) struct sync s;
	struct work w = { .s = &s, .st = st };
	const struct kube_daemon_set *cached;
	int r;

	sync_begin(&s, k);
	cached = sync_get(&s, st->sets, key);
	if (!cached) {
		expects_forget(st->expects, key);
		expects_forget(st->revision_expects, key);
		return 0;
	}
	if (!expects_met(st->expects, k, key, st->pods) || !expects_met(st->revision_expects, k, key, st->revisions))
		return 0;
	w.ds = *cached;
	w.o = (struct owner){ .r = informer_resource(st->sets), .m = &w.ds.metadata, .key = key };
	r = selector_of(&s.a, w.ds.spec.selector, &w.o.selector, e);
	if (r == 0)
		r = work_wait(&w, e);
	vec_release(&w.create);
	vec_release(&w.kill);
	return r == -ENOENT ? 0 : r;
}

static int want_one(void *arg, struct kobject *o)
{
	ctl_add(arg, o->key);
	return 0;
}

static bool same_for_us(const struct kube_node *a, const struct kube_node *b)
{
	if (a->spec.n_taints != b->spec.n_taints || a->metadata.n_labels != b->metadata.n_labels)
		return false;
	for (uint32_t i = 0; i < a->spec.n_taints; i++)
		if (!schema_equal(T_kube_taint, &a->spec.taints[i], &b->spec.taints[i]))
			return false;
	for (uint32_t i = 0; i < a->metadata.n_labels; i++)
		if (!text_eq(kube_label(&b->metadata, a->metadata.labels[i].key), a->metadata.labels[i].value))
			return false;
	return true;
}

static void on_node(struct ctl *k, struct kobject *old, struct kobject *now)
{
	struct state *st = k->own;

	if (!old || !now || !same_for_us(old->obj, now->obj))
		informer_each(st->sets, NULL, want_one, k);
}

static int selector_of_set(struct arena *a, const void *o, struct selector *ret)
{
	return selector_of(a, ((const struct kube_daemon_set *)o)->spec.selector, ret, NULL);
}

static void on_child(struct ctl *k, struct kobject *old, struct kobject *now)
{
	ctl_enqueue_owner(k, "DaemonSet", old, now);
	if (now)
		ctl_enqueue_selecting(k, ((struct state *)k->own)->sets, now, selector_of_set);
}

static void release(struct ctl *k)
{
	struct state *st = k->own;
	struct map_entry *m;
	size_t pos = 0;

	expects_free(st->expects);
	expects_free(st->revision_expects);
	while ((m = map_next(&st->failed, &pos)))
		free(m->value);
	map_release(&st->failed);
}

int daemonset_start(struct control *c, struct err *e)
{
	struct ctl *k = ctl_new(c, "daemonset", "daemonset-controller", 4, sync_wait, sizeof(struct state));
	struct state *st;
	int r;

	if (!k)
		return -ENOMEM;
	st = k->own;
	map_init(&st->failed);
	k->release = release;
	st->sets = ctl_need(k, "apps", "daemonsets");
	st->pods = ctl_need(k, "", "pods");
	st->nodes = ctl_need(k, "", "nodes");
	st->revisions = ctl_need(k, "apps", "controllerrevisions");
	r = expects_new(c->loop, &st->expects);
	if (r == 0)
		r = expects_new(c->loop, &st->revision_expects);
	if (r == 0)
		r = ctl_index_controller(st->pods);
	if (r == 0)
		r = ctl_index_controller(st->revisions);
	if (r == 0)
		r = ctl_on(k, st->sets, ctl_enqueue);
	if (r == 0)
		r = ctl_on(k, st->pods, on_child);
	if (r == 0)
		r = ctl_on(k, st->revisions, on_child);
	return r == 0 ? ctl_on(k, st->nodes, on_node) : r;
}
