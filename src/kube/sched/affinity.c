/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules about other pods: affinity, anti-affinity (asked for, and those of pods
 * that already run), spreading over topology domains. All count pods by the
 * value of a node label; the counts are made once a question.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "kube/meta/object.h"
#include "kube/sched/sched_int.h"

/* Pods counted by the value of one node label. */
struct term {
	const char *topology;
	struct map count;               /* value → number */
	unsigned total;
	const void *rule;
};
struct sched_domains { unsigned n; bool self_matches; struct term v[]; };

static const char *label_of(const struct sched_node *n, const char *key)
{
	const struct kube_object_meta *m = &sched_node_of(n)->metadata;
	return schema_pair_get(m->labels, m->n_labels, key);
}

static unsigned count_of(const struct term *t, const char *value) { return value ? (unsigned)(uintptr_t)map_gets(&t->count, value) : 0; }

static int count_up(struct term *t, const char *value, unsigned by)
{
	t->total += by;
	return map_sets(&t->count, value, (void *)(uintptr_t)(count_of(t, value) + by));
}

static int domains_new(struct sched_question *q, unsigned n, struct sched_domains **ret)
{
	struct sched_domains *d = arena_alloc(&q->arena, sizeof *d + n * sizeof d->v[0]);
	if (!d)
		return -ENOMEM;
	d->n = n;
	for (unsigned i = 0; i < n; i++)
		map_init(&d->v[i].count);
	*ret = d;
	return 0;
}

static void domains_release(struct sched_domains *d)
{
	for (unsigned i = 0; d && i < d->n; i++)
		map_release(&d->v[i].count);
}

/* Does the term of a pod in owner_ns select the pod `other`? */
static bool selects(const struct sched_cluster *c, const struct kube_pod_affinity_term *t, const char *owner_ns, const struct kube_pod *other)
{
	const char *ns = other->metadata.namespace ? other->metadata.namespace : "";
	bool in = !t->n_namespaces && !t->namespace_selector && !strcmp(ns, owner_ns ? owner_ns : "");
	for (uint32_t i = 0; i < t->n_namespaces && !in; i++)
		in = !strcmp(t->namespaces[i], ns);
	if (!in && t->namespace_selector && c->namespace) {
		const struct kobject *o = c->namespace(c->arg, ns);
		in = o && sched_selector_matches(t->namespace_selector, kobject_meta(o)->labels, kobject_meta(o)->n_labels);
	}
	return in && sched_selector_matches(t->label_selector, other->metadata.labels, other->metadata.n_labels);
}

/* fn for every pod that has a node which is there; stops at < 0. */
#define EACH_POD(c, p, pos) \
	for (struct map_entry *m_ = (pos = 0, map_next(&(c)->pods, &pos)); m_; m_ = map_next(&(c)->pods, &pos)) \
		if ((p = m_->value)->node->object)

static int count_terms(struct sched_question *q, const struct kube_pod_affinity_term *v, unsigned n, struct sched_domains **ret)
{
	struct sched_domains *d;
	struct sched_pod *p;
	size_t pos;
	const struct kube_pod *me = sched_spec(q->pod);
	int r = domains_new(q, n, &d);
	if (r < 0)
		return r;
	*ret = d;
	d->self_matches = n > 0;
	for (unsigned i = 0; i < n; i++) {
		d->v[i].topology = v[i].topology_key;
		d->v[i].rule = &v[i];
		d->self_matches &= selects(q->cluster, &v[i], me->metadata.namespace, me);
	}
	EACH_POD(q->cluster, p, pos)
		for (unsigned i = 0; i < n && r == 0; i++) {
			const char *value = label_of(p->node, v[i].topology_key);
			if (value && selects(q->cluster, &v[i], me->metadata.namespace, sched_spec(p->object)))
				r = count_up(&d->v[i], value, 1);
		}
	return r;
}

/* Domains where somebody already runs who does not want this pod near. */
static int count_existing_anti(struct sched_question *q)
{
	struct sched_domains *d;
	struct sched_pod *p;
	size_t pos;
	const struct kube_pod *me = sched_spec(q->pod);
	/* one map for all: "key=value" */
	int r = domains_new(q, 1, &d);
	if (r < 0)
		return r;
	q->existing_anti = d;
	EACH_POD(q->cluster, p, pos) {
		const struct kube_pod *other = sched_spec(p->object);
		const struct kube_affinity *a = other->spec.affinity;
		const struct kube_pod_anti_affinity *anti = a ? a->pod_anti_affinity : NULL;
		for (uint32_t i = 0; anti && i < anti->n_required_during_scheduling_ignored_during_execution && r == 0; i++) {
			const struct kube_pod_affinity_term *t = &anti->required_during_scheduling_ignored_during_execution[i];
			const char *value = label_of(p->node, t->topology_key);
			if (!value || !selects(q->cluster, t, other->metadata.namespace, me))
				continue;
			const char *key = arena_fmt(&q->arena, "%s=%s", t->topology_key, value);
			r = key ? count_up(&d->v[0], key, 1) : -ENOMEM;
		}
	}
	return r;
}

static bool spread_selects(const struct kube_topology_spread_constraint *c, const struct kube_pod *me, const struct kube_pod *other)
{
	if (strcmp(me->metadata.namespace ? me->metadata.namespace : "", other->metadata.namespace ? other->metadata.namespace : "") ||
		other->metadata.deletion_timestamp || !sched_selector_matches(c->label_selector, other->metadata.labels, other->metadata.n_labels))
		return false;
	for (uint32_t i = 0; i < c->n_match_label_keys; i++) {
		const char *mine = schema_pair_get(me->metadata.labels, me->metadata.n_labels, c->match_label_keys[i]);
		const char *theirs = schema_pair_get(other->metadata.labels, other->metadata.n_labels, c->match_label_keys[i]);
		if (mine && (!theirs || strcmp(mine, theirs)))
			return false;
	}
	return true;
}

static bool is(const char *s, const char *what) { return s && !strcmp(s, what); }

static bool counts_node(const struct kube_topology_spread_constraint *c, const struct kube_pod *me, const struct kube_node *n)
{
	if (!is(c->node_affinity_policy, "Ignore") && !sched_node_affinity_matches(me, n))
		return false;
	for (uint32_t i = 0; is(c->node_taints_policy, "Honor") && i < n->spec.n_taints; i++)
		if (!is(n->spec.taints[i].effect, "PreferNoSchedule") &&
			!sched_tolerates(me->spec.tolerations, me->spec.n_tolerations, &n->spec.taints[i]))
			return false;
	return true;
}

static int count_spread(struct sched_question *q)
{
	const struct kube_pod *me = sched_spec(q->pod);
	struct sched_domains *d;
	size_t pos = 0;
	int r = domains_new(q, me->spec.n_topology_spread_constraints, &d);
	if (r < 0)
		return r;
	q->spread = d;
	for (unsigned i = 0; i < d->n; i++) {
		d->v[i].rule = &me->spec.topology_spread_constraints[i];
		d->v[i].topology = me->spec.topology_spread_constraints[i].topology_key;
	}
	for (struct map_entry *m; (m = map_next(&q->cluster->nodes, &pos)) && r == 0;) {
		const struct sched_node *n = m->value;
		for (unsigned i = 0; n->object && i < d->n && r == 0; i++) {
			const struct kube_topology_spread_constraint *c = d->v[i].rule;
			const char *value = label_of(n, c->topology_key);
			unsigned found = 0;
			if (!value || !counts_node(c, me, sched_node_of(n)))
				continue;
			for (size_t k = 0; k < n->pods.n; k++)
				found += spread_selects(c, me, sched_spec(n->pods.v[k]->object));
			r = count_up(&d->v[i], value, found);
		}
	}
	return r;
}

int sched_affinity_prepare(struct sched_question *q)
{
	const struct kube_pod_spec *s = &sched_spec(q->pod)->spec;
	const struct kube_pod_affinity *a = s->affinity ? s->affinity->pod_affinity : NULL;
	const struct kube_pod_anti_affinity *anti = s->affinity ? s->affinity->pod_anti_affinity : NULL;
	int r = 0;
	if (a && a->n_required_during_scheduling_ignored_during_execution)
		r = count_terms(q, a->required_during_scheduling_ignored_during_execution, a->n_required_during_scheduling_ignored_during_execution, &q->affinity);
	if (r == 0 && anti && anti->n_required_during_scheduling_ignored_during_execution)
		r = count_terms(q, anti->required_during_scheduling_ignored_during_execution, anti->n_required_during_scheduling_ignored_during_execution,
			&q->anti);
	if (r == 0 && q->cluster->n_anti)
		r = count_existing_anti(q);
	if (r == 0 && s->n_topology_spread_constraints)
		r = count_spread(q);
	return r;
}

void sched_question_release(struct sched_question *q)
{
	domains_release(q->affinity);
	domains_release(q->anti);
	domains_release(q->existing_anti);
	domains_release(q->spread);
	sched_amounts_release(&q->asks);
	arena_release(&q->arena);
}

static const char *affinity_refuses(const struct sched_question *q, const struct sched_node *n)
{
	const struct sched_domains *d = q->affinity;
	bool all = true, none_anywhere = true;
	for (unsigned i = 0; d && i < d->n; i++) {
		const char *value = label_of(n, d->v[i].topology);
		if (!value)
			return "node(s) didn't match pod affinity rules";
		all &= count_of(&d->v[i], value) > 0;
		none_anywhere &= d->v[i].total == 0;
	}
	/* the first of a group that wants to be together may go anywhere */
	return !d || all || (none_anywhere && d->self_matches) ? NULL : "node(s) didn't match pod affinity rules";
}

static const char *spread_refuses(const struct sched_question *q, const struct sched_node *n)
{
	const struct kube_pod *me = sched_spec(q->pod);
	for (unsigned i = 0; q->spread && i < q->spread->n; i++) {
		const struct term *t = &q->spread->v[i];
		const struct kube_topology_spread_constraint *c = t->rule;
		const char *value = label_of(n, c->topology_key);
		if (!is(c->when_unsatisfiable, "DoNotSchedule"))
			continue;
		if (!value)
			return "node(s) didn't match pod topology spread constraints (missing required label)";
		unsigned least = UINT_MAX, domains = 0;
		size_t pos = 0;
		for (struct map_entry *m; (m = map_next(&t->count, &pos)); domains++)
			least = MIN(least, (unsigned)(uintptr_t)m->value);
		if (!domains || (c->min_domains && domains < (unsigned)*c->min_domains))
			least = 0;
		int64_t skew = (int64_t)count_of(t, value) + spread_selects(c, me, me) - least;
		if (skew > c->max_skew)
			return "node(s) didn't match pod topology spread constraints";
	}
	return NULL;
}

const char *sched_affinity_refuses(struct sched_question *q, const struct sched_node *n)
{
	const char *why = affinity_refuses(q, n);
	for (unsigned i = 0; !why && q->anti && i < q->anti->n; i++)
		if (count_of(&q->anti->v[i], label_of(n, q->anti->v[i].topology)))
			why = "node(s) didn't match pod anti-affinity rules";
	const struct kube_object_meta *m = &sched_node_of(n)->metadata;
	for (uint32_t i = 0; !why && q->existing_anti && q->existing_anti->v[0].total && i < m->n_labels; i++) {
		char key[600];
		snprintf(key, sizeof key, "%s=%s", m->labels[i].key, m->labels[i].value);
		if (map_gets(&q->existing_anti->v[0].count, key))
			why = "node(s) didn't satisfy existing pods anti-affinity rules";
	}
	return why ? why : spread_refuses(q, n);
}

/* --- preferences ---------------------------------------------------------------- */
static int prefer_terms(struct sched_question *q, const struct kube_weighted_pod_affinity_term *v, uint32_t n, int sign, struct sched_node *const *nodes,
	unsigned n_nodes, int64_t *score)
{
	struct kube_pod_affinity_term *terms = arena_array(&q->arena, n, sizeof *terms);
	struct sched_domains *d;
	if (!terms)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		terms[i] = v[i].pod_affinity_term;
	int r = count_terms(q, terms, n, &d);
	for (unsigned k = 0; r == 0 && k < n_nodes; k++)
		for (uint32_t i = 0; i < n; i++)
			score[k] += (int64_t)sign * v[i].weight * count_of(&d->v[i], label_of(nodes[k], d->v[i].topology));
	if (d)
		domains_release(d);
	return r;
}

static const char *controller_uid(const struct kube_pod *p)
{
	const struct kube_owner_reference *o = kube_controller_of(&p->metadata);
	return o ? o->uid : NULL;
}

/* Without constraints of its own, a pod is spread from its controller's other pods: over hosts. */
static void spread_by_owner(struct sched_question *q, struct sched_node *const *nodes, unsigned n, int64_t *score)
{
	const char *uid = controller_uid(sched_spec(q->pod));
	for (unsigned k = 0; uid && k < n; k++)
		for (size_t i = 0; i < nodes[k]->pods.n; i++) {
			const char *other = controller_uid(sched_spec(nodes[k]->pods.v[i]->object));
			score[k] -= other && !strcmp(uid, other);
		}
}

int sched_affinity_score(struct sched_question *q, struct sched_node *const *nodes, unsigned n, int64_t *pod_affinity, int64_t *spread)
{
	const struct kube_pod_spec *s = &sched_spec(q->pod)->spec;
	const struct kube_pod_affinity *a = s->affinity ? s->affinity->pod_affinity : NULL;
	const struct kube_pod_anti_affinity *anti = s->affinity ? s->affinity->pod_anti_affinity : NULL;
	int r = 0;
	if (a && a->n_preferred_during_scheduling_ignored_during_execution)
		r = prefer_terms(q, a->preferred_during_scheduling_ignored_during_execution, a->n_preferred_during_scheduling_ignored_during_execution, 1, nodes,
			n, pod_affinity);
	if (r == 0 && anti && anti->n_preferred_during_scheduling_ignored_during_execution)
		r = prefer_terms(q, anti->preferred_during_scheduling_ignored_during_execution, anti->n_preferred_during_scheduling_ignored_during_execution, -1,
			nodes, n, pod_affinity);
	for (unsigned i = 0; r == 0 && q->spread && i < q->spread->n; i++) {
		const struct term *t = &q->spread->v[i];
		for (unsigned k = 0; k < n; k++)
			spread[k] -= count_of(t, label_of(nodes[k], t->topology));
	}
	if (!q->spread)
		spread_by_owner(q, nodes, n, spread);
	return r;
}
