// SPDX-License-Identifier: Apache-2.0
#include "kube/control/deployment_int.h"

#include <errno.h>

#include "base/clock.h"
#include "kube/control/fake_int.h"

#define DEPLOYMENT(replicas, strategy) "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: ns, annotations: {note: x}}\nspec:\n" \
	"  replicas: " replicas "\n  progressDeadlineSeconds: 600\n  revisionHistoryLimit: 1\n  strategy: " strategy "\n" \
	"  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: c, image: one}]}\n"
#define ROLLING "{type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}"

static const char *const names[] = { "replicaset", "deployment", NULL };

static struct kube_deployment *web(void) { return fake_get("apps/deployments", "ns", "web"); }

static struct kube_replica_set *set_of(const char *image)
{
	for (unsigned i = 0; i < fake_count("apps/replicasets", "ns", NULL); i++) {
		struct kube_replica_set *rs = fake_at("apps/replicasets", "ns", NULL, i);

		if (!strcmp(rs->spec.template.spec.containers[0].image, image))
			return rs;
	}
	return NULL;
}

static const char *reason(const char *type)
{
	struct kube_deployment *d = web();
	struct kube_deployment_condition *c = deployment_condition(&d->status, type);

	return c ? c->reason : "";
}

static void image(const char *name)
{
	char yaml[200];

	fmt_into(yaml, sizeof yaml, "spec: {template: {spec: {containers: [{name: c, image: %s}]}}}", name);
	fake_patch("apps/deployments", "ns", "web", NULL, yaml);
}

/* Everything runs, as long as it takes; never fewer or more pods than the strategy allows. */
static void roll(unsigned least, unsigned most)
{
	for (int i = 0; i < 50; i++) {
		unsigned ready = 0, n;

		fake_settle();
		n = fake_count("pods", "ns", "app=web");
		for (unsigned k = 0; k < n; k++) {
			struct kube_pod *p = fake_at("pods", "ns", "app=web", k);

			ready += kube_pod_is_ready(p) && !kube_is_deleting(&p->metadata);
			most += kube_is_deleting(&p->metadata);
		}
		CHECK(ready >= least);
		CHECK(n <= most);
		for (unsigned k = 0; k < n; k++)
			most -= kube_is_deleting(&((struct kube_pod *)fake_at("pods", "ns", "app=web", k))->metadata);
		fake_run_pods("ns", NULL);
	}
	fake_settle();
}

static void rolls(void)
{
	struct kube_replica_set *one, *two;
	unsigned before;

	fake_create(DEPLOYMENT("4", ROLLING));
	fake_settle();
	CHECK_INT(fake_count("pods", "ns", "app=web"), 4);
	CHECK_STR(reason("Available"), "MinimumReplicasUnavailable");
	fake_run_pods("ns", NULL);
	fake_settle();
	CHECK_STR(reason("Available"), "MinimumReplicasAvailable");
	CHECK_STR(reason("Progressing"), "NewReplicaSetAvailable");
	CHECK_STR(kube_annotation(&web()->metadata, REVISION_ANNOTATION), "1");
	one = set_of("one");
	CHECK_STR(kube_annotation(&one->metadata, "note"), "x");
	CHECK(kube_label(&one->metadata, HASH_LABEL));
	before = fake_writes();
	fake_sleep(700 * NS_PER_S);
	CHECK_INT(fake_writes(), before);

	image("two");
	roll(3, 5);
	two = set_of("two");
	CHECK_INT(*two->spec.replicas, 4);
	CHECK_INT(*set_of("one")->spec.replicas, 0);
	CHECK_STR(kube_annotation(&web()->metadata, REVISION_ANNOTATION), "2");
	CHECK_INT(web()->status.updated_replicas, 4);
	CHECK_STR(reason("Progressing"), "NewReplicaSetAvailable");
	CHECK(fake_has_event("ScalingReplicaSet", NULL));

	/* back: the same set comes to life with a new number */
	image("one");
	roll(3, 5);
	CHECK_STR(set_of("one")->metadata.uid, one->metadata.uid);
	CHECK_STR(kube_annotation(&set_of("one")->metadata, REVISION_ANNOTATION), "3");
	CHECK_STR(kube_annotation(&set_of("one")->metadata, HISTORY_ANNOTATION), "1");
	CHECK_INT(fake_count("apps/replicasets", "ns", NULL), 2);
	image("three");
	roll(3, 5);
	CHECK_INT(fake_count("apps/replicasets", "ns", NULL), 2);
	CHECK(!set_of("two"));
}

TEST(a_deployment_rolls_within_its_limits_and_back_again)
{
	fake_run(names, rolls);
}

static void scales(void)
{
	fake_create(DEPLOYMENT("10", "{type: RollingUpdate, rollingUpdate: {maxSurge: 3, maxUnavailable: 2}}"));
	fake_settle();
	fake_run_pods("ns", NULL);
	fake_settle();
	image("two");
	fake_settle();
	CHECK_INT(*set_of("one")->spec.replicas, 8);
	CHECK_INT(*set_of("two")->spec.replicas, 5);
	fake_patch("apps/deployments", "ns", "web", NULL, "spec: {replicas: 15}");
	fake_settle();
	CHECK_INT(*set_of("one")->spec.replicas, 11);
	CHECK_INT(*set_of("two")->spec.replicas, 7);
	roll(0, 18);
	CHECK_INT(*set_of("two")->spec.replicas, 15);
	fake_patch("apps/deployments", "ns", "web", NULL, "spec: {replicas: 0}");
	roll(0, 18);
	CHECK_INT(fake_count("pods", "ns", NULL), 0);
}

TEST(a_deployment_resized_in_a_roll_out_shares_out)
{
	fake_run(names, scales);
}

static void recreates(void)
{
	fake_create(DEPLOYMENT("3", "{type: Recreate}"));
	fake_settle();
	fake_run_pods("ns", NULL);
	fake_settle();
	image("two");
	fake_settle();
	CHECK(!set_of("two"));
	CHECK_INT(*set_of("one")->spec.replicas, 0);
	fake_run_pods("ns", NULL);     /* the last pods end */
	fake_settle();
	CHECK_INT(*set_of("two")->spec.replicas, 3);
	CHECK_INT(fake_count("pods", "ns", NULL), 3);
}

TEST(a_deployment_that_recreates_waits_for_the_old_pods)
{
	fake_run(names, recreates);
}

static void pauses(void)
{
	fake_create(DEPLOYMENT("2", ROLLING));
	fake_settle();
	fake_run_pods("ns", NULL);
	fake_settle();
	fake_patch("apps/deployments", "ns", "web", NULL, "spec: {paused: true}");
	fake_settle();
	CHECK_STR(reason("Progressing"), "DeploymentPaused");
	image("two");
	fake_patch("apps/deployments", "ns", "web", NULL, "spec: {replicas: 3}");
	fake_settle();
	CHECK(!set_of("two"));
	CHECK_INT(*set_of("one")->spec.replicas, 3);
	fake_patch("apps/deployments", "ns", "web", NULL, "spec: {paused: null}");
	roll(1, 4);
	CHECK_INT(*set_of("two")->spec.replicas, 3);
}

TEST(a_paused_deployment_is_resized_but_not_rolled)
{
	fake_run(names, pauses);
}

static void times_out(void)
{
	fake_create(DEPLOYMENT("1", ROLLING));
	fake_sleep(650 * NS_PER_S);
	CHECK_STR(reason("Progressing"), "ProgressDeadlineExceeded");
	fake_run_pods("ns", NULL);
	fake_settle();
	CHECK_STR(reason("Progressing"), "NewReplicaSetAvailable");
}

TEST(a_deployment_that_does_not_progress_says_so)
{
	fake_run(names, times_out);
}

TEST(roll_out_arithmetic)
{
	struct schema_int_or_string p25 = { .string = "25%" }, zero = { .number = 0 };
	struct kube_rolling_update_deployment u = { .max_surge = &p25, .max_unavailable = &p25 };
	int32_t replicas = 10, sizes[3], now[] = { 8, 5 }, before[] = { 13, 13 };
	struct kube_deployment d = { .spec = { .replicas = &replicas, .strategy = { .rolling_update = &u } } };
	struct wishes w;

	CHECK_INT(deployment_wishes(&d, &w), 0);
	CHECK_INT(w.surge, 3);
	CHECK_INT(w.unavailable, 2);
	CHECK_INT(deployment_new_size(&w, 0, 10), 3);
	CHECK_INT(deployment_new_size(&w, 3, 13), 3);
	CHECK_INT(deployment_new_size(&w, 9, 10), 10);
	CHECK_INT(deployment_scale_down_room(&w, 13, 3, 0), 2);
	w = (struct wishes){ 15, 3, 2, true };
	deployment_share_out(&w, now, before, 2, sizes);
	CHECK_INT(sizes[0] + sizes[1], 18);
	CHECK_INT(sizes[0], 11);
	u.max_surge = u.max_unavailable = &zero;
	CHECK_INT(deployment_wishes(&d, &w), 0);
	CHECK_INT(w.unavailable, 1);
	p25.string = "x";
	u.max_surge = &p25;
	CHECK_INT(deployment_wishes(&d, &w), -EINVAL);
}
