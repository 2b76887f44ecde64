// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "kube/control/fake_int.h"
#include "kube/control/nodefit_int.h"

#define DS(strategy) "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: agent, namespace: ns}\nspec:\n  updateStrategy: " strategy "\n" \
	"  selector: {matchLabels: {app: a}}\n  template:\n    metadata: {labels: {app: a}}\n    spec: {nodeSelector: {disk: ssd}, containers: [{name: c, image: one}]}\n"
#define NODE(name, disk) "---\napiVersion: v1\nkind: Node\nmetadata: {name: " name ", labels: {disk: " disk "}}\n"

static const char *const names[] = { "daemonset", NULL };

static struct kube_daemon_set *agent(void) { return fake_get("apps/daemonsets", "ns", "agent"); }

/* The scheduler and the kubelets in one. */
static void run(void)
{
	fake_settle();
	for (unsigned i = 0; i < fake_count("pods", "ns", NULL); i++) {
		struct kube_pod *p = fake_at("pods", "ns", NULL, i);
		AUTO(free) char *yaml = p->spec.node_name ? NULL : fmt_new("spec: {nodeName: %s}",
			p->spec.affinity->node_affinity->required_during_scheduling_ignored_during_execution->node_selector_terms[0].match_fields[0].values[0]);

		if (yaml)
			fake_patch("pods", "ns", p->metadata.name, NULL, yaml);
	}
	fake_run_pods("ns", NULL);
	fake_settle();
}

static unsigned with_image(const char *image)
{
	unsigned n = 0;

	for (unsigned i = 0; i < fake_count("pods", "ns", NULL); i++)
		n += !strcmp(((struct kube_pod *)fake_at("pods", "ns", NULL, i))->spec.containers[0].image, image);
	return n;
}

static void daemons(void)
{
	unsigned before;

	fake_create(NODE("n1", "ssd") NODE("n2", "ssd") NODE("n3", "slow") NODE("n4", "ssd"));
	fake_patch("nodes", "", "n4", NULL, "spec: {taints: [{key: k, value: v, effect: NoSchedule}]}");
	fake_create(DS("{type: RollingUpdate, rollingUpdate: {maxUnavailable: 1}}"));
	run();
	CHECK_INT(fake_count("pods", "ns", NULL), 2);
	CHECK_INT(agent()->status.desired_number_scheduled, 2);
	CHECK_INT(agent()->status.number_available, 2);
	CHECK_INT(agent()->status.updated_number_scheduled, 2);
	CHECK_INT(fake_count("apps/controllerrevisions", "ns", NULL), 1);
	before = fake_writes();
	fake_sleep(100 * NS_PER_S);
	CHECK_INT(fake_writes(), before);
	fake_patch("nodes", "", "n3", NULL, "metadata: {labels: {disk: ssd}}");
	run();
	CHECK_INT(fake_count("pods", "ns", NULL), 3);
	fake_patch("apps/daemonsets", "ns", "agent", NULL, "spec: {template: {spec: {containers: [{name: c, image: two}]}}}");
	fake_settle();
	CHECK(with_image("one") >= 2);
	for (int i = 0; i < 6; i++)
		run();
	CHECK_INT(with_image("two"), 3);
	CHECK_INT(agent()->status.updated_number_scheduled, 3);
	CHECK_INT(fake_count("apps/controllerrevisions", "ns", NULL), 2);
	fake_patch("nodes", "", "n3", NULL, "metadata: {labels: {disk: slow}}");
	run();
	CHECK_INT(fake_count("pods", "ns", NULL), 2);
	fake_patch("pods", "ns", ((struct kube_pod *)fake_at("pods", "ns", NULL, 0))->metadata.name, "status", "status: {phase: Failed}");
	run();
	CHECK_INT(with_image("two"), 2);
	CHECK(fake_has_event("FailedDaemonPod", NULL));
}

TEST(a_daemon_set_has_a_pod_on_each_node_that_fits_and_updates_them_in_turn)
{
	fake_run(names, daemons);
}

static void surges(void)
{
	fake_create(NODE("n1", "ssd") NODE("n2", "ssd"));
	fake_create(DS("{type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}"));
	run();
	fake_patch("apps/daemonsets", "ns", "agent", NULL, "spec: {template: {spec: {containers: [{name: c, image: two}]}}}");
	fake_settle();
	CHECK_INT(fake_count("pods", "ns", NULL), 3);
	CHECK_INT(with_image("one"), 2);
	for (int i = 0; i < 6; i++)
		run();
	CHECK_INT(fake_count("pods", "ns", NULL), 2);
	CHECK_INT(with_image("two"), 2);
}

TEST(a_daemon_set_with_surge_starts_the_new_pod_first)
{
	fake_run(names, surges);
}

TEST(tolerations_match_taints)
{
	struct kube_taint t = { .key = "k", .value = "v", .effect = "NoSchedule" };
	struct kube_toleration any = { .operator = "Exists" }, equal = { .key = "k", .value = "v" }, other = { .key = "k", .value = "w" },
		effect = { .key = "k", .operator = "Exists", .effect = "NoExecute" };

	CHECK(taint_is_tolerated(&t, &any, 1) && taint_is_tolerated(&t, &equal, 1));
	CHECK(!taint_is_tolerated(&t, &other, 1) && !taint_is_tolerated(&t, &effect, 1) && !taint_is_tolerated(&t, NULL, 0));
}
