/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions on pictures of clusters made from YAML. */
#include <stdlib.h>
#include <string.h>

#include "base/test.h"
#include "kube/sched/sched_int.h"
#include "schema/tree.h"

static struct arena texts;

static struct kobject *object(const char *plural, const char *yaml)
{
	struct err e = { 0 };
	struct tree docs;
	struct kobject *o = calloc(1, sizeof *o);
	o->refs = 1;
	o->resource = kube_resource_find("", "v1", plural);
	arena_init(&o->arena, 1 << 20);
	o->obj = arena_alloc(&o->arena, schema_size(o->resource->type));
	CHECK_OK(tree_from_yaml(slice_of(yaml), 0, &o->arena, &docs, &e), &e);
	CHECK_OK(tree_to_struct(tree_at(&docs, 0), o->resource->type, SCHEMA_STRICT, &o->arena, o->obj, &e), &e);
	const struct kube_object_meta *m = kobject_meta(o);
	o->key = arena_fmt(&o->arena, "%s%s%s", m->namespace ? m->namespace : "", m->namespace ? "/" : "", m->name);
	return o;
}

static void node(struct sched_cluster *c, const char *name, const char *labels, const char *rest)
{
	struct kobject *o = object("nodes", arena_fmt(&texts,
		"metadata: {name: %s, labels: {kubernetes.io/hostname: %s%s%s}}\nstatus: {allocatable: {cpu: '2', memory: 4Gi, pods: '10'}}\n%s\n", name, name,
		*labels ? ", " : "", labels, rest));
	CHECK(sched_cluster_node(c, name, o) == 0);
	kobject_unref(o);
}

static struct kobject *pod(const char *name, const char *labels, const char *spec)
{
	return object("pods", arena_fmt(&texts, "metadata: {namespace: ns, name: %s, uid: u-%s, labels: {%s}}\nspec: {%s}\n", name, name, labels, spec));
}

static void runs(struct sched_cluster *c, const char *on, struct kobject *o)
{
	CHECK(sched_cluster_pod(c, o, on, false) == 0);
	kobject_unref(o);
}

/* The node's name, or the sentence. */
static const char *where(struct sched_cluster *c, struct kobject *o)
{
	static char ret[4096];
	struct sched_question q;
	struct sched_refusals why;
	struct sched_node *n;
	struct buf out = BUF_INIT(4000);
	CHECK(sched_ask(c, o, &q) == 0);
	CHECK(sched_pick(&q, &n, &why) == 0);
	sched_refusals_text(&why, NULL, &out);
	snprintf(ret, sizeof ret, "%s", n ? n->name : out.ptr);
	buf_release(&out);
	sched_question_release(&q);
	kobject_unref(o);
	return ret;
}

#define CLUSTER(c) \
	struct sched_cluster c; \
	arena_init(&texts, 1 << 20); \
	sched_cluster_init(&c)
#define DONE(c) do { sched_cluster_release(&c); arena_release(&texts); } while (0)
#define ONE "containers: [{name: c, image: i}]"
#define CPU(n) "containers: [{name: c, image: i, resources: {requests: {cpu: '" n "'}}}]"

TEST(no_nodes_are_said_so)
{
	CLUSTER(c);
	CHECK_STR(where(&c, pod("p", "", ONE)), "no nodes available to schedule pods");
	DONE(c);
}

TEST(a_pod_goes_where_there_is_most_room)
{
	CLUSTER(c);
	node(&c, "a", "", "");
	node(&c, "b", "", "");
	runs(&c, "a", pod("x", "", CPU("1")));
	CHECK_STR(where(&c, pod("p", "", CPU("500m"))), "b");
	CHECK_STR(where(&c, pod("p", "", CPU("3"))), "0/2 nodes are available: 2 Insufficient cpu.");
	sched_cluster_forget(&c, "ns/x");
	CHECK_INT(((struct sched_node *)map_gets(&c.nodes, "a"))->used.cpu, 0);
	DONE(c);
}

TEST(init_containers_count_by_the_largest_and_sidecars_add_up)
{
	struct sched_amounts a;
	int64_t cpu, memory;
	arena_init(&texts, 1 << 20);
	struct kobject *o = pod("p", "", "initContainers: [{name: i, resources: {requests: {cpu: '3', example.com/gpu: 2}}},"
		"{name: s, restartPolicy: Always, resources: {requests: {cpu: 500m}}}], containers: [{name: c, resources: {requests: {cpu: '1', memory: 1Gi}}}],"
		"overhead: {cpu: 100m}");
	CHECK(sched_asks(sched_spec(o), &a, &cpu, &memory) == 0);
	CHECK_INT(a.cpu, 3100);
	CHECK_INT(a.memory, 1 << 30);
	CHECK_INT(a.extended.n, 1);
	CHECK_INT(a.extended.v[0].value, 2);
	sched_amounts_release(&a);
	kobject_unref(o);
	arena_release(&texts);
}

TEST(taints_keep_pods_away_unless_tolerated)
{
	CLUSTER(c);
	node(&c, "a", "", "spec: {taints: [{key: k, value: v, effect: NoSchedule}]}");
	node(&c, "b", "", "spec: {unschedulable: true}");
	CHECK_STR(where(&c, pod("p", "", ONE)), "0/2 nodes are available: 1 node(s) had untolerated taint {k: v}, 1 node(s) were unschedulable.");
	CHECK_STR(where(&c, pod("p", "", ONE ", tolerations: [{key: k, operator: Exists}]")), "a");
	CHECK_STR(where(&c, pod("p", "", ONE ", tolerations: [{key: k, value: other}]")),
		"0/2 nodes are available: 1 node(s) had untolerated taint {k: v}, 1 node(s) were unschedulable.");
	DONE(c);
}

TEST(node_selectors_and_affinity_choose_by_label)
{
	CLUSTER(c);
	node(&c, "a", "disk: ssd, gen: '3'", "");
	node(&c, "b", "disk: hdd", "");
	CHECK_STR(where(&c, pod("p", "", ONE ", nodeSelector: {disk: hdd}")), "b");
	CHECK_STR(where(&c, pod("p", "", ONE ", nodeSelector: {disk: tape}")), "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.");
#define REQUIRED(x) ONE ", affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [" x "]}]}}}"
	CHECK_STR(where(&c, pod("p", "", REQUIRED("{key: gen, operator: Gt, values: ['2']}"))), "a");
	CHECK_STR(where(&c, pod("p", "", REQUIRED("{key: disk, operator: NotIn, values: [ssd]}"))), "b");
	DONE(c);
}

TEST(a_host_port_is_taken_once_a_node)
{
	CLUSTER(c);
	node(&c, "a", "", "");
#define PORT(ip) "containers: [{name: c, image: i, ports: [{containerPort: 80, hostPort: 8080, hostIP: " ip "}]}]"
	runs(&c, "a", pod("x", "", PORT("127.0.0.1")));
	CHECK_STR(where(&c, pod("p", "", PORT("''"))), "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.");
	CHECK_STR(where(&c, pod("p", "", PORT("127.0.0.2"))), "a");
	DONE(c);
}

TEST(anti_affinity_holds_both_ways)
{
	CLUSTER(c);
#define ANTI ", affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: w}}}]}}"
	node(&c, "a", "", "");
	node(&c, "b", "", "");
	runs(&c, "a", pod("x", "app: w", ONE ANTI));
	CHECK_STR(where(&c, pod("p", "app: w", ONE ANTI)), "b");
	CHECK_STR(where(&c, pod("p", "app: w", ONE)), "b");
	runs(&c, "b", pod("z", "app: w", ONE));
	CHECK_STR(where(&c, pod("p", "app: w", ONE ANTI)), "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.");
	CHECK(strlen(where(&c, pod("p", "app: other", ONE))) == 1);
	DONE(c);
}

TEST(affinity_brings_pods_together_and_lets_the_first_in)
{
	CLUSTER(c);
#define TOGETHER ", affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: zone, labelSelector: {matchLabels: {app: w}}}]}}"
	node(&c, "a", "zone: z1", "");
	node(&c, "b", "zone: z2", "");
	node(&c, "d", "", "");
	CHECK_STR(where(&c, pod("p", "app: x", ONE TOGETHER)), "0/3 nodes are available: 3 node(s) didn't match pod affinity rules.");
	CHECK(strcmp(where(&c, pod("p", "app: w", ONE TOGETHER)), "d"));
	runs(&c, "b", pod("x", "app: w", ONE));
	CHECK_STR(where(&c, pod("p", "app: x", ONE TOGETHER)), "b");
	DONE(c);
}

TEST(spreading_keeps_the_skew)
{
	CLUSTER(c);
#define SPREAD ", topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: w}}}]"
	node(&c, "a", "zone: z1", "");
	node(&c, "b", "zone: z2", "spec: {taints: [{key: k, effect: NoSchedule}]}");
	runs(&c, "a", pod("x", "app: w", ONE));
	CHECK_STR(where(&c, pod("p", "app: w", ONE SPREAD)),
		"0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) had untolerated taint {k: }.");
	CHECK_STR(where(&c, pod("p", "app: w", ONE SPREAD ", tolerations: [{operator: Exists}]")), "b");
	DONE(c);
}

TEST(preemption_evicts_the_least_important_that_makes_room)
{
	CLUSTER(c);
	node(&c, "a", "", "");
	node(&c, "b", "", "");
	runs(&c, "a", pod("high", "", CPU("1500m") ", priority: 100"));
	runs(&c, "b", pod("low", "", CPU("1") ", priority: 1"));
	runs(&c, "b", pod("mid", "", CPU("500m") ", priority: 5"));
	struct kobject *o = pod("p", "", CPU("1") ", priority: 50");
	struct sched_question q;
	struct sched_refusals why;
	struct sched_node *n;
	struct sched_pod **victims;
	unsigned k;
	CHECK(sched_ask(&c, o, &q) == 0);
	CHECK(sched_pick(&q, &n, &why) == 0);
	CHECK(!n && why.preemption_may_help);
	n = sched_preempt(&q, &victims, &k);
	CHECK(n);
	CHECK_STR(n->name, "b");
	CHECK_INT(k, 1);
	CHECK_STR(victims[0]->object->key, "ns/low");
	CHECK_INT(n->used.cpu, 1500);
	CHECK_INT(n->pods.n, 2);
	sched_question_release(&q);
	kobject_unref(o);
	DONE(c);
}
