// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "kube/control/fake_int.h"

#define RS(replicas) "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: web, namespace: ns}\nspec:\n  replicas: " replicas "\n" \
	"  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: c, image: i}]}\n"

static const char *const names[] = { "replicaset", NULL };

static void keeps(void)
{
	struct kube_replica_set *rs;
	struct kube_pod *p;
	unsigned before;

	fake_create(RS("5"));
	fake_settle();
	CHECK_INT(fake_count("pods", "ns", "app=web"), 5);
	p = fake_at("pods", "ns", NULL, 0);
	CHECK(kube_controlled_by(&p->metadata, "uid-1"));
	CHECK(!strncmp(p->metadata.name, "web-", 4));
	fake_run_pods("ns", NULL);
	fake_settle();
	rs = fake_get("apps/replicasets", "ns", "web");
	CHECK_INT(rs->status.replicas, 5);
	CHECK_INT(rs->status.available_replicas, 5);
	CHECK_INT(rs->status.observed_generation, 1);
	CHECK(fake_has_event("SuccessfulCreate", NULL));
	before = fake_writes();
	fake_sleep(600 * NS_PER_S);
	CHECK_INT(fake_writes(), before);

	fake_kill("pods", "ns", p->metadata.name);
	fake_settle();
	CHECK_INT(fake_count("pods", "ns", "app=web"), 5);
	fake_patch("apps/replicasets", "ns", "web", NULL, "spec: {replicas: 2}");
	fake_settle();
	fake_run_pods("ns", NULL);
	fake_settle();
	CHECK_INT(fake_count("pods", "ns", "app=web"), 2);
	fake_sleep(NS_PER_S);
	rs = fake_get("apps/replicasets", "ns", "web");
	CHECK_INT(rs->status.replicas, 2);
	CHECK_INT(rs->status.ready_replicas, 2);
	CHECK_INT(rs->status.observed_generation, 2);
}

TEST(a_replica_set_keeps_as_many_pods_as_said_and_then_is_quiet)
{
	fake_run(names, keeps);
}

static void adopts(void)
{
	struct kube_pod *p;

	fake_create("apiVersion: v1\nkind: Pod\nmetadata: {name: lost, namespace: ns, labels: {app: web}}\nspec: {containers: [{name: c, image: i}]}\n");
	fake_create(RS("2"));
	fake_settle();
	CHECK_INT(fake_count("pods", "ns", NULL), 2);
	p = fake_get("pods", "ns", "lost");
	CHECK(kube_controller_of(&p->metadata));
	fake_patch("pods", "ns", "lost", NULL, "metadata: {labels: {app: other}}");
	fake_settle();
	CHECK_INT(fake_count("pods", "ns", NULL), 3);
	p = fake_get("pods", "ns", "lost");
	CHECK(!kube_controller_of(&p->metadata));
}

TEST(a_replica_set_adopts_what_matches_and_releases_what_no_longer_does)
{
	fake_run(names, adopts);
}

static void many(void)
{
	fake_create(RS("300"));
	fake_settle();
	CHECK_INT(fake_count("pods", "ns", NULL), 300);
	fake_sleep(10 * NS_PER_S);
	CHECK_INT(fake_count("pods", "ns", NULL), 300);
	fake_patch("apps/replicasets", "ns", "web", NULL, "spec: {replicas: 0}");
	fake_settle();
	CHECK_INT(fake_count("pods", "ns", NULL), 0);
}

TEST(a_replica_set_makes_exactly_as_many_while_its_cache_is_behind)
{
	fake_run(names, many);
}

TEST(pods_that_matter_least_go_first)
{
	struct kube_pod_condition ready = { .type = "Ready", .status = "True", .last_transition_time = "2020-01-01T00:00:00Z" };
	struct schema_pair cheap = { "controller.kubernetes.io/pod-deletion-cost", "-5" };
	struct kube_pod good = { .metadata = { .name = "good", .uid = "1" }, .spec = { .node_name = "a" }, .status = { .phase = "Running", .conditions = &ready, .n_conditions = 1 } };
	struct kube_pod unassigned = good, pending = good, unready = good, low = good, crowded = good;
	const struct kube_pod *v[] = { &good, &crowded, &low, &unready, &pending, &unassigned };
	unsigned ranks[] = { 1, 2, 1, 1, 1, 1 };

	unassigned.spec.node_name = NULL;
	pending.status.phase = "Pending";
	unready.status.n_conditions = 0;
	low.metadata.annotations = &cheap;
	low.metadata.n_annotations = 1;
	pods_sort_for_deletion(v, 6, ranks, 1600000000 * NS_PER_S);
	CHECK(v[0] == &unassigned && v[1] == &pending && v[2] == &unready && v[3] == &low && v[4] == &crowded && v[5] == &good);
}
