// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "kube/control/fake_int.h"

#define STS(replicas, more) "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db, namespace: ns}\nspec:\n  serviceName: db\n  replicas: " replicas "\n" more \
	"  selector: {matchLabels: {app: db}}\n  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce]}}]\n" \
	"  template:\n    metadata: {labels: {app: db}}\n    spec: {containers: [{name: c, image: one}]}\n"

static const char *const names[] = { "statefulset", NULL };

static struct kube_stateful_set *db(void) { return fake_get("apps/statefulsets", "ns", "db"); }
static const char *image_of(const char *pod)
{
	struct kube_pod *p = fake_get("pods", "ns", pod);

	return p ? p->spec.containers[0].image : "";
}
static void step(void)
{
	fake_settle();
	fake_run_pods("ns", NULL);
	fake_settle();
}

static void ordered(void)
{
	struct kube_pod *p;
	unsigned before;

	fake_create(STS("3", ""));
	fake_settle();
	CHECK_INT(fake_count("pods", "ns", NULL), 1);
	p = fake_get("pods", "ns", "db-0");
	CHECK_STR(p->spec.hostname, "db-0");
	CHECK_STR(p->spec.subdomain, "db");
	CHECK_STR(p->spec.volumes[0].persistent_volume_claim->claim_name, "data-db-0");
	CHECK_STR(kube_label(&p->metadata, "apps.kubernetes.io/pod-index"), "0");
	CHECK(fake_get("persistentvolumeclaims", "ns", "data-db-0"));
	step();
	CHECK_INT(fake_count("pods", "ns", NULL), 2);
	step();
	step();
	CHECK_INT(fake_count("pods", "ns", NULL), 3);
	CHECK_INT(db()->status.ready_replicas, 3);
	CHECK_INT(db()->status.current_replicas, 3);
	CHECK_STR(db()->status.current_revision, db()->status.update_revision);
	before = fake_writes();
	fake_sleep(100 * NS_PER_S);
	CHECK_INT(fake_writes(), before);

	fake_patch("apps/statefulsets", "ns", "db", NULL, "spec: {template: {spec: {containers: [{name: c, image: two}]}}}");
	fake_settle();
	p = fake_get("pods", "ns", "db-2");
	CHECK(kube_is_deleting(&p->metadata));
	step();
	CHECK_STR(image_of("db-2"), "two");
	CHECK_STR(image_of("db-1"), "one");
	for (int i = 0; i < 5; i++)
		step();
	CHECK_STR(image_of("db-0"), "two");
	CHECK_STR(db()->status.current_revision, db()->status.update_revision);
	CHECK_INT(db()->status.updated_replicas, 3);
	CHECK_INT(fake_count("apps/controllerrevisions", "ns", NULL), 2);

	fake_patch("apps/statefulsets", "ns", "db", NULL, "spec: {replicas: 1}");
	fake_settle();
	p = fake_get("pods", "ns", "db-2");
	CHECK(kube_is_deleting(&p->metadata));
	p = fake_get("pods", "ns", "db-1");
	CHECK(!kube_is_deleting(&p->metadata));
	for (int i = 0; i < 3; i++)
		step();
	CHECK_INT(fake_count("pods", "ns", NULL), 1);
	CHECK_INT(fake_count("persistentvolumeclaims", "ns", NULL), 3);
	CHECK(fake_has_event("SuccessfulCreate", "create Pod db-0 in StatefulSet db successful"));
}

TEST(a_stateful_set_comes_up_in_order_updates_from_the_top_and_keeps_its_claims)
{
	fake_run(names, ordered);
}

static void parallel(void)
{
	fake_create(STS("3", "  podManagementPolicy: Parallel\n  updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 2}}\n"));
	fake_settle();
	CHECK_INT(fake_count("pods", "ns", NULL), 3);
	step();
	fake_patch("apps/statefulsets", "ns", "db", NULL, "spec: {template: {spec: {containers: [{name: c, image: two}]}}}");
	for (int i = 0; i < 4; i++)
		step();
	CHECK_STR(image_of("db-2"), "two");
	CHECK_STR(image_of("db-1"), "one");
	CHECK(!text_eq(db()->status.current_revision, db()->status.update_revision));
	/* what comes again below the partition is the old one */
	fake_kill("pods", "ns", "db-0");
	step();
	CHECK_STR(image_of("db-0"), "one");
	fake_patch("pods", "ns", "db-1", "status", "status: {phase: Failed}");
	step();
	step();
	CHECK_INT(db()->status.ready_replicas, 3);
	CHECK(fake_has_event("RecreatingFailedPod", NULL));
	fake_patch("apps/statefulsets", "ns", "db", NULL, "spec: {replicas: 0}");
	step();
	CHECK_INT(fake_count("pods", "ns", NULL), 0);
}

TEST(a_parallel_stateful_set_keeps_to_its_partition)
{
	fake_run(names, parallel);
}
