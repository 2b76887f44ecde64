/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the nodes that fit is best: rows of scorers with kube-scheduler's weights, each normalised to 0..100. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "kube/sched/sched_int.h"

struct scores {
	struct sched_question *q;
	struct sched_node *const *nodes;
	unsigned n;
	int64_t *v;
};

/* From any range to 0..100; reverse: what was most is least. */
static void normalise(struct scores *s, bool reverse)
{
	int64_t least = INT64_MAX, most = INT64_MIN;
	for (unsigned i = 0; i < s->n; i++) {
		least = MIN(least, s->v[i]);
		most = MAX(most, s->v[i]);
	}
	for (unsigned i = 0; i < s->n; i++) {
		int64_t x = most == least ? 0 : (s->v[i] - least) * 100 / (most - least);
		s->v[i] = most == least ? 100 : reverse ? 100 - x : x;
	}
}

static int taints(struct scores *s)
{
	const struct kube_pod_spec *p = &sched_spec(s->q->pod)->spec;
	for (unsigned i = 0; i < s->n; i++) {
		const struct kube_node_spec *n = &sched_node_of(s->nodes[i])->spec;
		for (uint32_t k = 0; k < n->n_taints; k++)
			s->v[i] += n->taints[k].effect && !strcmp(n->taints[k].effect, "PreferNoSchedule") &&
				!sched_tolerates(p->tolerations, p->n_tolerations, &n->taints[k]);
	}
	normalise(s, true);
	return 0;
}

static int node_affinity(struct scores *s)
{
	const struct kube_affinity *a = sched_spec(s->q->pod)->spec.affinity;
	const struct kube_node_affinity *na = a ? a->node_affinity : NULL;
	for (unsigned i = 0; na && i < s->n; i++)
		for (uint32_t k = 0; k < na->n_preferred_during_scheduling_ignored_during_execution; k++) {
			const struct kube_preferred_scheduling_term *t = &na->preferred_during_scheduling_ignored_during_execution[k];
			if (sched_term_matches(&t->preference, sched_node_of(s->nodes[i])))
				s->v[i] += t->weight;
		}
	normalise(s, false);
	return 0;
}

static int least_allocated(struct scores *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct sched_node *n = s->nodes[i];
		int64_t cpu = n->has.cpu - n->scored_cpu - s->q->scored_cpu, memory = n->has.memory - n->scored_memory - s->q->scored_memory;
		int64_t a = n->has.cpu > 0 && cpu > 0 ? cpu * 100 / n->has.cpu : 0;
		int64_t b = n->has.memory > 0 && memory > 0 ? (int64_t)((double)memory * 100 / (double)n->has.memory) : 0;
		s->v[i] = (a + b) / 2;
	}
	return 0;
}

static double share(int64_t used, int64_t has) { return has > 0 ? MIN((double)used / (double)has, 1.0) : 1; }

static int balanced(struct scores *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct sched_node *n = s->nodes[i];
		double a = share(n->scored_cpu + s->q->scored_cpu, n->has.cpu), b = share(n->scored_memory + s->q->scored_memory, n->has.memory);
		s->v[i] = (int64_t)((1 - fabs(a - b) / 2) * 100);
	}
	return 0;
}

/* Images that are there already, by size: 23 MB are worth nothing, 1000 MB a container all. */
static int images(struct scores *s)
{
	const struct kube_pod_spec *p = &sched_spec(s->q->pod)->spec;
	const int64_t least = 23LL << 20, most = (1000LL << 20) * MAX(p->n_containers, 1u);
	for (unsigned i = 0; i < s->n; i++) {
		const struct kube_node_status *st = &sched_node_of(s->nodes[i])->status;
		int64_t sum = 0;
		for (uint32_t c = 0; c < p->n_containers; c++)
			for (uint32_t k = 0; k < st->n_images; k++)
				for (uint32_t j = 0; j < st->images[k].n_names; j++)
					if (p->containers[c].image && !strcmp(st->images[k].names[j], p->containers[c].image))
						sum += st->images[k].size_bytes;
		s->v[i] = (MIN(MAX(sum, least), most) - least) * 100 / (most - least);
	}
	return 0;
}

static const struct { int (*score)(struct scores *s); int weight; } rows[] = {
	{ taints, 3 },
	{ node_affinity, 2 },
	{ least_allocated, 1 },
	{ balanced, 1 },
	{ images, 1 },
};
enum { AFFINITY_WEIGHT = 2, SPREAD_WEIGHT = 2 };

int sched_score(struct sched_question *q, struct sched_node *const *nodes, unsigned n, int64_t *total)
{
	int64_t *v AUTO(free) = calloc(n, sizeof(*v)), *spread AUTO(free) = calloc(n, sizeof(*spread));
	struct scores s = { q, nodes, n, v };
	int r = v && spread ? 0 : -ENOMEM;
	for (size_t k = 0; k < ARRAY_LEN(rows) && r == 0; k++) {
		memset(v, 0, n * sizeof *v);
		r = rows[k].score(&s);
		for (unsigned i = 0; i < n; i++)
			total[i] += v[i] * rows[k].weight;
	}
	if (r < 0)
		return r;
	memset(v, 0, n * sizeof *v);
	r = sched_affinity_score(q, nodes, n, v, spread);
	normalise(&s, false);
	for (unsigned i = 0; i < n; i++)
		total[i] += v[i] * AFFINITY_WEIGHT;
	s.v = spread;
	normalise(&s, false);
	for (unsigned i = 0; i < n; i++)
		total[i] += spread[i] * SPREAD_WEIGHT;
	return r;
}
