/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pure part of the scheduler: a picture of the cluster (nodes, what runs on
 * each, what was promised to each), and the question "where does this pod fit
 * best". No I/O; unit tests build the picture by hand.
 */
#pragma once
#include "base/map.h"
#include "base/vec.h"
#include "kube/client/client.h"

/* Amounts of resources: cpu in thousandths of a core, the others in units (bytes, pieces). */
struct sched_extended { char *name; int64_t value; };
struct sched_amounts {
	int64_t cpu, memory, ephemeral, pods;
	VEC(struct sched_extended) extended;     /* names are its own */
};
void sched_amounts_release(struct sched_amounts *a);

struct sched_node;
/* A pod with a node, promised or real. */
struct sched_pod {
	struct kobject *object;
	struct sched_node *node;
	struct sched_amounts asks;
	int64_t scored_cpu, scored_memory;       /* as asks, with a least amount for containers that ask for nothing */
	bool assumed;
};
struct sched_node {
	char *name;
	struct kobject *object;                  /* NULL: pods name it, but it is not there (yet) */
	struct sched_amounts has, used;
	int64_t scored_cpu, scored_memory;       /* sums over pods */
	VEC(struct sched_pod *) pods;
};
struct sched_cluster {
	struct map nodes, pods;                  /* name → sched_node; pod key → sched_pod */
	unsigned n_anti;                         /* pods that have required anti-affinity */
	unsigned next;                           /* where the next search starts, so that ties go round */
	const struct kobject *(*namespace)(void *arg, const char *name);             /* the three may be NULL in tests */
	const struct kobject *(*claim)(void *arg, const char *ns, const char *name);
	const struct kobject *(*volume)(void *arg, const char *name);
	void *arg;
};
void sched_cluster_init(struct sched_cluster *c);
void sched_cluster_release(struct sched_cluster *c);
/* now NULL: gone. 0 or -ENOMEM. */
int sched_cluster_node(struct sched_cluster *c, const char *name, struct kobject *now);
/* A pod that runs on, or is promised to, a node; replaces what was known of it. */
int sched_cluster_pod(struct sched_cluster *c, struct kobject *pod, const char *node, bool assumed);
void sched_cluster_forget(struct sched_cluster *c, const char *pod_key);

static inline const struct kube_pod *sched_spec(const struct kobject *o) { return o->obj; }
static inline const struct kube_node *sched_node_of(const struct sched_node *n) { return n->object->obj; }
int32_t sched_priority(const struct kube_pod *p);
/* What the pod asks for: the larger of its containers together and its init containers one by one, plus overhead. */
int sched_asks(const struct kube_pod *p, struct sched_amounts *ret, int64_t *ret_scored_cpu, int64_t *ret_scored_memory);
/* Thousandths (cpu) or whole units of a quantity; 0 for what is none. */
int64_t sched_quantity(const char *text, bool milli);
bool sched_selector_matches(const struct kube_label_selector *s, const struct schema_pair *labels, uint32_t n);

/* --- one decision ------------------------------------------------------------ */
enum { SCHED_REASONS = 8 };
/* Why nodes were refused: a sentence and how many nodes. */
struct sched_refusals {
	struct { char text[160]; unsigned n; } v[32];
	unsigned n;
	unsigned n_nodes;
	bool preemption_may_help;
};
/* What is worked out once a pod, before its nodes are looked at. */
struct sched_question {
	struct sched_cluster *cluster;
	const struct kobject *pod;
	struct sched_amounts asks;
	int64_t scored_cpu, scored_memory;
	char claim_problem[256];                 /* "" or why no node will do */
	struct arena arena;
	struct sched_domains *affinity, *anti, *existing_anti, *spread;      /* affinity.c's */
};
int sched_ask(struct sched_cluster *c, const struct kobject *pod, struct sched_question *q);
void sched_question_release(struct sched_question *q);
/* The reasons against a node (0: fits); each text is static or in the question's arena. *hard: no eviction helps. */
unsigned sched_filter(struct sched_question *q, struct sched_node *n, const char *ret[SCHED_REASONS], bool *hard);
/* Parts of it. */
unsigned sched_filter_resources(const struct sched_question *q, const struct sched_node *n, const char *ret[SCHED_REASONS]);
bool sched_node_affinity_matches(const struct kube_pod *p, const struct kube_node *n);
bool sched_term_matches(const struct kube_node_selector_term *t, const struct kube_node *n);
bool sched_tolerates(const struct kube_toleration *v, uint32_t n, const struct kube_taint *t);
bool sched_ports_free(const struct kube_pod *p, const struct sched_node *n);
int sched_affinity_prepare(struct sched_question *q);
const char *sched_affinity_refuses(struct sched_question *q, const struct sched_node *n);
/* 0..100 for each of n nodes, added with the plugin's weight to total. */
int sched_score(struct sched_question *q, struct sched_node *const *nodes, unsigned n, int64_t *total);
int sched_affinity_score(struct sched_question *q, struct sched_node *const *nodes, unsigned n, int64_t *pod_affinity, int64_t *spread);
/*
 * The best node, or NULL with the refusals filled ("no nodes" when n_nodes is 0). -ENOMEM.
 */
int sched_pick(struct sched_question *q, struct sched_node **ret, struct sched_refusals *why);
/* "0/2 nodes are available: 1 Insufficient cpu, …." */
void sched_refusals_text(const struct sched_refusals *r, const char *preemption, struct buf *out);
/* The node where evicting the fewest and least important pods makes room; victims in the arena. NULL: nowhere. */
struct sched_node *sched_preempt(struct sched_question *q, struct sched_pod ***ret_victims, unsigned *ret_n);
