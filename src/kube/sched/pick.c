/* SPDX-License-Identifier: Apache-2.0 */
/* One decision: filter, score, choose; and whom to evict when nothing fits. */
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "kube/sched/sched_int.h"

enum { QUESTION_MAX = 8 << 20, FULL_SEARCH_NODES = 100 };

/* Claims that a pod names must be there and bound. */
static void check_claims(struct sched_question *q)
{
	const struct kube_pod *p = sched_spec(q->pod);
	for (uint32_t i = 0; i < p->spec.n_volumes && !*q->claim_problem; i++) {
		const struct kube_persistent_volume_claim_volume_source *v = p->spec.volumes[i].persistent_volume_claim;
		if (!v || !q->cluster->claim)
			continue;
		const struct kobject *o = q->cluster->claim(q->cluster->arg, p->metadata.namespace, v->claim_name);
		const struct kube_persistent_volume_claim *c = o ? o->obj : NULL;
		if (!c)
			snprintf(q->claim_problem, sizeof q->claim_problem, "persistentvolumeclaim \"%s\" not found", v->claim_name);
		else if (c->metadata.deletion_timestamp)
			snprintf(q->claim_problem, sizeof q->claim_problem, "persistentvolumeclaim \"%s\" is being deleted", v->claim_name);
		else if (!c->spec.volume_name || !*c->spec.volume_name)
			snprintf(q->claim_problem, sizeof q->claim_problem, "pod has unbound immediate PersistentVolumeClaims");
	}
}

int sched_ask(struct sched_cluster *c, const struct kobject *pod, struct sched_question *q)
{
	memset(q, 0, sizeof *q);
	arena_init(&q->arena, QUESTION_MAX);
	q->cluster = c;
	q->pod = pod;
	int r = sched_asks(sched_spec(pod), &q->asks, &q->scored_cpu, &q->scored_memory);
	if (r == 0)
		r = sched_affinity_prepare(q);
	if (r == 0)
		check_claims(q);
	return r;
}

static void refuse(struct sched_refusals *w, const char *text)
{
	for (unsigned i = 0; i < w->n; i++)
		if (!strcmp(w->v[i].text, text)) {
			w->v[i].n++;
			return;
		}
	if (w->n == ARRAY_LEN(w->v))
		return;
	snprintf(w->v[w->n].text, sizeof w->v[0].text, "%s", text);
	w->v[w->n++].n = 1;
}

/* Enough nodes to choose from: all of a small cluster, a share of a large one (as kube-scheduler: 50 % falling to 5 %). */
static unsigned enough(unsigned nodes)
{
	if (nodes < FULL_SEARCH_NODES)
		return nodes;
	unsigned percent = 50 - MIN(nodes / 125, 45u);
	return MAX(nodes * percent / 100, (unsigned)FULL_SEARCH_NODES);
}

int sched_pick(struct sched_question *q, struct sched_node **ret, struct sched_refusals *why)
{
	struct sched_cluster *c = q->cluster;
	unsigned n = 0, fit = 0;
	memset(why, 0, sizeof *why);
	*ret = NULL;
	struct sched_node **all AUTO(free) = calloc(MAX(c->nodes.n, (size_t)1), sizeof(*all));
	struct sched_node **good AUTO(free) = calloc(MAX(c->nodes.n, (size_t)1), sizeof(*good));
	int64_t *score AUTO(free) = calloc(MAX(c->nodes.n, (size_t)1), sizeof(*score));
	if (!all || !good || !score)
		return -ENOMEM;
	size_t pos = 0;
	for (struct map_entry *m; (m = map_next(&c->nodes, &pos));)
		if (((struct sched_node *)m->value)->object)
			all[n++] = m->value;
	why->n_nodes = n;
	if (*q->claim_problem) {
		refuse(why, q->claim_problem);
		why->v[0].n = 0; /* of the pod, not of n nodes */
		return 0;
	}
	unsigned want = enough(n), seen = 0;
	for (; seen < n && fit < want; seen++) {
		struct sched_node *node = all[(c->next + seen) % n];
		const char *reasons[SCHED_REASONS];
		bool hard;
		unsigned r = sched_filter(q, node, reasons, &hard);
		if (r == 0)
			good[fit++] = node;
		for (unsigned i = 0; i < r; i++)
			refuse(why, reasons[i]);
		why->preemption_may_help |= r > 0 && !hard;
	}
	c->next = n ? (c->next + seen) % n + (seen == n && n > 1) : 0;
	if (!fit)
		return 0;
	int r = fit > 1 ? sched_score(q, good, fit, score) : 0;
	unsigned best = 0;
	for (unsigned i = 1; i < fit; i++)
		if (score[i] > score[best])
			best = i;
	*ret = good[best];
	return r;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

void sched_refusals_text(const struct sched_refusals *r, const char *preemption, struct buf *out)
{
	char line[ARRAY_LEN(r->v)][192], *sorted[ARRAY_LEN(r->v)];
	if (!r->n_nodes) {
		buf_adds(out, "no nodes available to schedule pods");
		return;
	}
	for (unsigned i = 0; i < r->n; i++) {
		if (r->v[i].n)
			snprintf(line[i], sizeof line[i], "%u %s", r->v[i].n, r->v[i].text);
		else
			snprintf(line[i], sizeof line[i], "%s", r->v[i].text);
		sorted[i] = line[i];
	}
	qsort(sorted, r->n, sizeof *sorted, by_text);
	buf_addf(out, "0/%u nodes are available:", r->n_nodes);
	for (unsigned i = 0; i < r->n; i++)
		buf_addf(out, "%s %s", i ? "," : "", sorted[i]);
	buf_adds(out, ".");
	if (preemption)
		buf_addf(out, " preemption: 0/%u nodes are available: %u %s.", r->n_nodes, r->n_nodes, preemption);
}

/* --- preemption ------------------------------------------------------------------ */
static int by_importance(const void *a, const void *b)
{
	const struct sched_pod *x = *(struct sched_pod *const *)a, *y = *(struct sched_pod *const *)b;
	int32_t p = sched_priority(sched_spec(x->object)), q = sched_priority(sched_spec(y->object));
	if (p != q)
		return p > q ? -1 : 1;
	const char *s = sched_spec(x->object)->status.start_time, *t = sched_spec(y->object)->status.start_time;
	return strcmp(s ? s : "9", t ? t : "9");
}

static void put(struct sched_node *n, const struct sched_pod *p, int sign)
{
	n->used.cpu += sign * p->asks.cpu;
	n->used.memory += sign * p->asks.memory;
	n->used.ephemeral += sign * p->asks.ephemeral;
	n->used.pods += sign;
	for (size_t i = 0; i < p->asks.extended.n; i++)
		for (size_t k = 0; k < n->used.extended.n; k++)
			if (!strcmp(n->used.extended.v[k].name, p->asks.extended.v[i].name))
				n->used.extended.v[k].value += sign * p->asks.extended.v[i].value;
}

/* Whom to evict from n so that the pod fits: those of less priority, as few and as unimportant as can be. Their number; 0: it does not fit. */
static unsigned victims_on(struct sched_question *q, struct sched_node *n, struct sched_pod **ret)
{
	int32_t mine = sched_priority(sched_spec(q->pod));
	struct sched_pod **lower AUTO(free) = calloc(MAX(n->pods.n, (size_t)1), sizeof(*lower));
	struct sched_pod **keep AUTO(free) = calloc(MAX(n->pods.n, (size_t)1), sizeof(*keep));
	const char *reasons[SCHED_REASONS];
	size_t n_lower = 0, n_keep = 0;
	unsigned n_victims = 0;
	bool hard;
	if (!lower || !keep)
		return 0;
	for (size_t i = 0; i < n->pods.n; i++) {
		if (sched_priority(sched_spec(n->pods.v[i]->object)) < mine)
			lower[n_lower++] = n->pods.v[i];
		else
			keep[n_keep++] = n->pods.v[i];
	}
	if (!n_lower)
		return 0;
	/* the node as it would be without them; put back whom it bears, the most important first */
	struct sched_pod **was = n->pods.v;
	size_t n_was = n->pods.n;
	for (size_t i = 0; i < n_lower; i++)
		put(n, lower[i], -1);
	n->pods.v = keep;
	n->pods.n = n_keep;
	bool fits = sched_filter(q, n, reasons, &hard) == 0;
	qsort(lower, n_lower, sizeof *lower, by_importance);
	for (size_t i = 0; fits && i < n_lower; i++) {
		put(n, lower[i], 1);
		keep[n->pods.n++] = lower[i];
		if (sched_filter(q, n, reasons, &hard)) {
			put(n, lower[i], -1);
			n->pods.n--;
			ret[n_victims++] = lower[i];
		}
	}
	for (size_t i = 0; i < n_lower; i++) {
		bool out = !fits;
		for (unsigned k = 0; k < n_victims && !out; k++)
			out = ret[k] == lower[i];
		if (out)
			put(n, lower[i], 1);
	}
	n->pods.v = was;
	n->pods.n = n_was;
	return n_victims;
}

struct sched_node *sched_preempt(struct sched_question *q, struct sched_pod ***ret_victims, unsigned *ret_n)
{
	const struct kube_pod *me = sched_spec(q->pod);
	struct sched_node *best = NULL;
	int64_t best_cost = INT64_MAX;
	size_t pos = 0;
	if (*q->claim_problem || (me->spec.preemption_policy && !strcmp(me->spec.preemption_policy, "Never")))
		return NULL;
	for (struct map_entry *m; (m = map_next(&q->cluster->nodes, &pos));) {
		struct sched_node *n = m->value;
		const char *reasons[SCHED_REASONS];
		bool hard;
		if (!n->object || !sched_filter(q, n, reasons, &hard) || hard)
			continue;
		struct sched_pod **v = arena_array(&q->arena, MAX(n->pods.n, (size_t)1), sizeof *v);
		unsigned k = v ? victims_on(q, n, v) : 0;
		if (!k)
			continue;
		/* the least important worst victim first, then the fewest */
		int64_t worst = INT32_MIN;
		for (unsigned i = 0; i < k; i++)
			worst = MAX(worst, (int64_t)sched_priority(sched_spec(v[i]->object)));
		int64_t cost = worst * 65536 + MIN(k, 65535u);
		if (cost >= best_cost)
			continue;
		best_cost = cost;
		best = n;
		*ret_victims = v;
		*ret_n = k;
	}
	return best;
}
