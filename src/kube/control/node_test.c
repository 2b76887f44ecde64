// SPDX-License-Identifier: Apache-2.0
#include "kube/control/node_int.h"

#include <errno.h>

#include "base/clock.h"
#include "kube/control/fake_int.h"

#define NODE(name) "---\napiVersion: v1\nkind: Node\nmetadata: {name: " name "}\nstatus: {conditions: [{type: Ready, status: 'True', lastHeartbeatTime: '2020-01-01T00:00:00Z'}]}\n"
#define LEASE(name) "---\napiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: " name ", namespace: kube-node-lease}\nspec: {holderIdentity: " name "}\n"

static const char *const names[] = { "node-lifecycle", "pod-garbage-collector", NULL };

static struct kube_node *node(const char *name) { return fake_get("nodes", "", name); }
static const char *ready(const char *name)
{
	struct kube_node *n = node(name);

	return KUBE_CONDITION(n->status.conditions, n->status.n_conditions, "Ready")->status;
}

/* Seconds in which some kubelets renew their leases. */
static void live(int seconds, bool first, bool second)
{
	static unsigned t;

	for (int i = 0; i < seconds; i += 10) {
		char yaml[100];

		t++;
		fmt_into(yaml, sizeof yaml, "spec: {renewTime: '2020-01-01T00:%02u:%02u.000000Z'}", t / 60, t % 60);
		if (first)
			fake_patch("coordination.k8s.io/leases", "kube-node-lease", "n1", NULL, yaml);
		if (second)
			fake_patch("coordination.k8s.io/leases", "kube-node-lease", "n2", NULL, yaml);
		fake_sleep(10 * NS_PER_S);
	}
}

static void lives(void)
{
	struct kube_pod *p;

	fake_create(NODE("n1") NODE("n2") LEASE("n1") LEASE("n2"));
	fake_create("apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: ns}\nspec: {nodeName: n2, containers: [{name: c, image: i}], tolerations: "
		"[{key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 100}]}\n"
		"status: {phase: Running, podIP: 1.2.3.4, conditions: [{type: Ready, status: 'True'}]}\n");
	live(200, true, true);
	CHECK_STR(ready("n1"), "True");
	CHECK_STR(ready("n2"), "True");
	CHECK_STR(node("n1")->spec.pod_cidr, "10.244.0.0/24");
	CHECK_STR(node("n2")->spec.pod_cidr, "10.244.1.0/24");
	live(80, true, false);
	CHECK_STR(ready("n1"), "True");
	CHECK_STR(ready("n2"), "Unknown");
	CHECK_INT(node("n2")->spec.n_taints, 2);
	p = fake_get("pods", "ns", "a");
	CHECK(p && !kube_pod_is_ready(p) && !kube_is_deleting(&p->metadata));
	live(60, true, false);
	p = fake_get("pods", "ns", "a");
	CHECK(!kube_is_deleting(&p->metadata));
	live(60, true, false);
	p = fake_get("pods", "ns", "a");
	CHECK(kube_is_deleting(&p->metadata));
	CHECK(fake_has_event("TaintManagerEviction", "Marking for deletion Pod ns/a"));
	/* the kubelet is back */
	fake_patch("nodes", "", "n2", "status", "status: {conditions: [{type: Ready, status: 'True', lastHeartbeatTime: '2020-01-01T00:10:00Z'}]}");
	live(30, true, true);
	CHECK_INT(node("n2")->spec.n_taints, 0);
	fake_delete("nodes", "", "n2", NULL);
	live(120, true, false);
	CHECK(!fake_get("pods", "ns", "a"));
}

TEST(a_node_that_is_silent_becomes_unknown_and_loses_its_pods)
{
	fake_config.cluster_cidr = "10.244.0.0/16";
	fake_run(names, lives);
}

static void alone(void)
{
	fake_create(NODE("n1") LEASE("n1"));
	live(20, true, false);
	fake_sleep(200 * NS_PER_S);
	CHECK_STR(ready("n1"), "Unknown");
	CHECK_INT(node("n1")->spec.n_taints, 1);
	CHECK_STR(node("n1")->spec.taints[0].effect, "NoSchedule");
}

TEST(when_no_node_is_ready_nothing_is_evicted)
{
	fake_run(names, alone);
}

static void by_hand(void)
{
	struct kube_pod *p;

	fake_create(NODE("n1") LEASE("n1"));
	fake_create("apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: ns}\nspec: {nodeName: n1, containers: [{name: c, image: i}], tolerations: "
		"[{key: k, operator: Exists, effect: NoExecute, tolerationSeconds: 30}]}\nstatus: {phase: Running}\n");
	fake_patch("nodes", "", "n1", NULL, "spec: {taints: [{key: k, value: v, effect: NoExecute}]}");
	live(20, true, false);
	fake_patch("nodes", "", "n1", NULL, "spec: {taints: null}");
	live(40, true, false);
	p = fake_get("pods", "ns", "a");
	CHECK(!kube_is_deleting(&p->metadata));
	fake_patch("nodes", "", "n1", NULL, "spec: {taints: [{key: k, value: v, effect: NoExecute}]}");
	live(20, true, false);
	p = fake_get("pods", "ns", "a");
	CHECK(!kube_is_deleting(&p->metadata));
	live(20, true, false);
	p = fake_get("pods", "ns", "a");
	CHECK(kube_is_deleting(&p->metadata));
}

TEST(a_taint_by_hand_evicts_when_it_is_tolerated_no_longer)
{
	fake_run(names, by_hand);
}

TEST(networks_of_nodes_are_slices_of_the_clusters)
{
	char text[20];

	CHECK_INT(cidr_slice("10.244.0.0/16", 255, text), 0);
	CHECK_STR(text, "10.244.255.0/24");
	CHECK_INT(cidr_slice("10.244.0.0/16", 256, text), -ERANGE);
	CHECK_INT(cidr_slice("10.244.0.0", 0, text), -EINVAL);
	CHECK_INT(cidr_index("10.244.0.0/16", "10.244.7.0/24"), 7);
	CHECK_INT(cidr_index("10.244.0.0/16", "10.245.0.0/24"), -1);
}

/* --- budgets */

#define PDB(spec) "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b, namespace: ns}\nspec: {selector: {matchLabels: {app: web}}, " spec "}\n"
#define RS "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: web, namespace: ns}\nspec:\n  replicas: 4\n" \
	"  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: c, image: i}]}\n"

static void budget(void)
{
	struct kube_pod_disruption_budget *b;

	fake_create(RS);
	fake_create(PDB("maxUnavailable: 25%"));
	fake_settle();
	b = fake_get("policy/poddisruptionbudgets", "ns", "b");
	CHECK_INT(b->status.expected_pods, 4);
	CHECK_INT(b->status.desired_healthy, 3);
	CHECK_INT(b->status.disruptions_allowed, 0);
	CHECK_STR(b->status.conditions[0].reason, "InsufficientPods");
	fake_run_pods("ns", NULL);
	fake_settle();
	b = fake_get("policy/poddisruptionbudgets", "ns", "b");
	CHECK_INT(b->status.current_healthy, 4);
	CHECK_INT(b->status.disruptions_allowed, 1);
	fake_patch("policy/poddisruptionbudgets", "ns", "b", NULL, "spec: {maxUnavailable: null, minAvailable: 2}");
	fake_settle();
	b = fake_get("policy/poddisruptionbudgets", "ns", "b");
	CHECK_INT(b->status.disruptions_allowed, 2);
}

TEST(a_budget_says_how_many_may_go)
{
	static const char *const some[] = { "replicaset", "disruption", NULL };

	fake_run(some, budget);
}
