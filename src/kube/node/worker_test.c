/* SPDX-License-Identifier: Apache-2.0 */
/* A pod's life against a double of the runtime and of the API server, in simulated time. */
#include <errno.h>

#include "base/clock.h"
#include "kube/node/fake_test.h"

#define META "\"metadata\":{\"name\":\"p\",\"namespace\":\"d\",\"uid\":\"u1\",\"generation\":1}"
#define DELETING(grace) "\"metadata\":{\"name\":\"p\",\"namespace\":\"d\",\"uid\":\"u1\",\"deletionTimestamp\":\"2020-01-01T00:00:00Z\"," \
	"\"deletionGracePeriodSeconds\":" #grace "}"
#define C(name) "{\"name\":\"" name "\",\"image\":\"img:1\"}"

static struct node_fake f;

static void begin(const char *json)
{
	node_fake_init(&f);
	kobject_unref(node_fake_pod(&f, json));
	node_fake_run(&f, NS_PER_S);
}

#define P(name, probes) "{" META ",\"spec\":{\"containers\":[{\"name\":\"" name "\",\"image\":\"img:1\"," probes "}]}}"

TEST(a_pod_gets_a_sandbox_then_its_containers)
{
	begin("{" META ",\"spec\":{\"containers\":[" C("a") "," C("b") "]}}");
	CHECK_STR(f.said.ptr, "run-sandbox; create a; start a; create b; start b");
	CHECK_STR(f.events.ptr, "Pulled; Created; Started; Pulled; Created; Started");
	CHECK_STR(f.status.phase, "Running");
	CHECK_STR(f.status.pod_ip, "10.0.0.7");
	CHECK_STR(f.status.host_ip, "192.0.2.1");
	node_fake_release(&f);
}

TEST(nothing_is_written_while_nothing_changes)
{
	begin("{" META ",\"spec\":{\"containers\":[" C("a") "]}}");
	unsigned before = f.n_patches;
	workers_stale(&f.node, NULL);
	node_fake_run(&f, 1000 * NS_PER_S);
	CHECK_INT(f.n_patches, before);
	node_fake_release(&f);
}

TEST(init_containers_run_one_after_another_and_again_when_they_fail)
{
	begin("{" META ",\"spec\":{\"initContainers\":[" C("i") "," C("j") "],\"containers\":[" C("a") "]}}");
	CHECK_STR(f.said.ptr, "run-sandbox; create i; start i");
	CHECK_STR(node_fake_state(&f, "a"), "PodInitializing");
	CHECK_STR(f.status.phase, "Pending");
	node_fake_exit(&f, "i", 1);
	node_fake_run(&f, NS_PER_S);
	CHECK_INT(node_fake_find(&f, "i")->attempt, 1);
	node_fake_exit(&f, "i", 0);
	node_fake_run(&f, NS_PER_S);
	node_fake_exit(&f, "j", 0);
	node_fake_run(&f, NS_PER_S);
	CHECK_STR(f.said.ptr, "run-sandbox; create i; start i; create i; start i; create j; start j; create a; start a");
	CHECK_STR(f.status.phase, "Running");
	node_fake_release(&f);
}

TEST(a_failed_init_container_ends_a_pod_that_is_never_restarted)
{
	begin("{" META ",\"spec\":{\"restartPolicy\":\"Never\",\"initContainers\":[" C("i") "],\"containers\":[" C("a") "]}}");
	node_fake_exit(&f, "i", 1);
	node_fake_run(&f, NS_PER_S);
	CHECK_STR(f.status.phase, "Failed");
	CHECK_STR(f.said.ptr, "run-sandbox; create i; start i; stop-sandbox");
	node_fake_release(&f);
}

TEST(a_crash_is_answered_at_once_then_after_ten_seconds_then_twenty)
{
	begin("{" META ",\"spec\":{\"containers\":[" C("a") "]}}");
	node_fake_exit(&f, "a", 1);
	node_fake_run(&f, NS_PER_S);
	CHECK_INT(node_fake_find(&f, "a")->attempt, 1);
	CHECK_STR(node_fake_state(&f, "a"), "Running");
	node_fake_exit(&f, "a", 1);
	node_fake_run(&f, 9 * NS_PER_S);
	CHECK_STR(node_fake_state(&f, "a"), "CrashLoopBackOff");
	CHECK_STR(f.status.container_statuses[0].state.waiting->message, "back-off 10s restarting failed container=a pod=p_d(u1)");
	CHECK_INT(f.status.container_statuses[0].last_state.terminated->exit_code, 1);
	CHECK_STR(f.status.phase, "Running");
	node_fake_run(&f, 2 * NS_PER_S);
	CHECK_INT(node_fake_find(&f, "a")->attempt, 2);
	node_fake_exit(&f, "a", 1);
	node_fake_run(&f, 19 * NS_PER_S);
	CHECK_INT(node_fake_find(&f, "a")->attempt, 2);
	node_fake_run(&f, 2 * NS_PER_S);
	CHECK_INT(node_fake_find(&f, "a")->attempt, 3);
	node_fake_release(&f);
}

TEST(a_crash_after_ten_good_minutes_begins_anew)
{
	struct container_memory m = { 0 };
	plan_backoff_next(&m, 0);
	CHECK_INT(m.backoff_ns / NS_PER_S, 10);
	for (int i = 1; i < 10; i++)
		plan_backoff_next(&m, i * NS_PER_S);
	CHECK_INT(m.backoff_ns / NS_PER_S, 300);
	plan_backoff_next(&m, 9 * NS_PER_S + 601 * NS_PER_S);
	CHECK_INT(m.backoff_ns / NS_PER_S, 10);
}

TEST(only_the_newest_dead_container_is_kept_beside_the_running_one)
{
	begin("{" META ",\"spec\":{\"containers\":[" C("a") "]}}");
	for (int i = 0; i < 4; i++) {
		node_fake_exit(&f, "a", 1);
		node_fake_run(&f, 301 * NS_PER_S);
	}
	unsigned n = 0;
	for (unsigned i = 0; i < f.n_containers; i++)
		n += f.containers[i].exists;
	CHECK_INT(n, 2);
	CHECK_INT(f.status.container_statuses[0].restart_count, 4);
	node_fake_release(&f);
}

TEST(a_pod_that_has_ended_well_succeeds_and_is_not_started_again)
{
	begin("{" META ",\"spec\":{\"restartPolicy\":\"OnFailure\",\"containers\":[" C("a") "," C("b") "]}}");
	node_fake_exit(&f, "a", 0);
	node_fake_exit(&f, "b", 2);
	node_fake_run(&f, NS_PER_S);
	CHECK_STR(f.status.phase, "Running");
	CHECK_STR(node_fake_state(&f, "a"), "Completed");
	CHECK_INT(node_fake_find(&f, "b")->attempt, 1);
	node_fake_exit(&f, "b", 0);
	node_fake_run(&f, 1000 * NS_PER_S);
	CHECK_STR(f.status.phase, "Succeeded");
	CHECK_STR(f.said.ptr, "run-sandbox; create a; start a; create b; start b; create b; start b; stop-sandbox");
	node_fake_release(&f);
}

TEST(a_deleted_pod_is_stopped_reported_deleted_and_forgotten)
{
	begin("{" META ",\"spec\":{\"containers\":[" C("a") "]}}");
	node_fake_find(&f, "a")->ignores_term = true;
	kobject_unref(node_fake_pod(&f, "{" DELETING(7) ",\"spec\":{\"containers\":[" C("a") "]}}"));
	node_fake_run(&f, 6 * NS_PER_S);
	CHECK_INT(f.n_deletes, 0);
	node_fake_run(&f, 3 * NS_PER_S);
	CHECK_INT(f.n_deletes, 1);
	CHECK_STR(f.said.ptr, "run-sandbox; create a; start a; stop a:7; stop-sandbox; remove a; remove-sandbox");
	CHECK_STR(node_fake_state(&f, "a"), "Error");
	CHECK_STR(f.status.phase, "Failed");
	CHECK(list_empty(&f.node.workers));
	node_fake_release(&f);
}

TEST(less_patience_is_passed_on_to_the_runtime)
{
	begin("{" META ",\"spec\":{\"containers\":[" C("a") "]}}");
	node_fake_find(&f, "a")->ignores_term = true;
	kobject_unref(node_fake_pod(&f, "{" DELETING(60) ",\"spec\":{\"containers\":[" C("a") "]}}"));
	node_fake_run(&f, NS_PER_S);
	kobject_unref(node_fake_pod(&f, "{" DELETING(3) ",\"spec\":{\"containers\":[" C("a") "]}}"));
	node_fake_run(&f, 8 * NS_PER_S);
	CHECK_STR(f.said.ptr, "run-sandbox; create a; start a; stop a:60; stop a:3; stop-sandbox; remove a; remove-sandbox");
	node_fake_release(&f);
}

TEST(a_pod_deleted_before_anything_ran_leaves_at_once)
{
	node_fake_init(&f);
	f.no_image = f.pull_fails = true;
	kobject_unref(node_fake_pod(&f, "{" META ",\"spec\":{\"containers\":[" C("a") "]}}"));
	node_fake_run(&f, NS_PER_S);
	CHECK_STR(node_fake_state(&f, "a"), "ErrImagePull");
	node_fake_run(&f, 4 * NS_PER_S);
	CHECK_STR(node_fake_state(&f, "a"), "ImagePullBackOff");
	kobject_unref(node_fake_pod(&f, "{" DELETING(30) ",\"spec\":{\"containers\":[" C("a") "]}}"));
	node_fake_run(&f, NS_PER_S);
	CHECK_INT(f.n_deletes, 1);
	CHECK(list_empty(&f.node.workers));
	node_fake_release(&f);
}

TEST(a_pull_that_failed_is_tried_again_after_ten_seconds)
{
	node_fake_init(&f);
	f.no_image = f.pull_fails = true;
	kobject_unref(node_fake_pod(&f, "{" META ",\"spec\":{\"containers\":[" C("a") "]}}"));
	node_fake_run(&f, 9 * NS_PER_S);
	CHECK_STR(f.said.ptr, "run-sandbox; pull img:1");
	f.pull_fails = false;
	node_fake_run(&f, 3 * NS_PER_S);
	CHECK_STR(f.said.ptr, "run-sandbox; pull img:1; pull img:1; create a; start a");
	CHECK_STR(node_fake_state(&f, "a"), "Running");
	node_fake_release(&f);
}

TEST(a_sandbox_that_died_is_made_again_with_all_containers)
{
	begin("{" META ",\"spec\":{\"initContainers\":[" C("i") "],\"containers\":[" C("a") "]}}");
	node_fake_exit(&f, "i", 0);
	node_fake_run(&f, NS_PER_S);
	f.boxes[0].state = CRI_SANDBOX_NOTREADY;
	node_fake_exit(&f, "a", 137);
	node_fake_run(&f, NS_PER_S);
	node_fake_exit(&f, "i", 0);
	node_fake_run(&f, NS_PER_S);
	CHECK_INT(f.boxes[1].attempt, 1);
	CHECK_INT(f.boxes[1].state, CRI_SANDBOX_READY);
	CHECK_STR(node_fake_state(&f, "a"), "Running");
	CHECK_INT(f.status.container_statuses[0].restart_count, 1);
	node_fake_release(&f);
}

TEST(a_sandbox_that_cannot_be_made_is_tried_again_ever_more_slowly)
{
	node_fake_init(&f);
	f.fail_sandbox = "no network";
	kobject_unref(node_fake_pod(&f, "{" META ",\"spec\":{\"containers\":[" C("a") "]}}"));
	node_fake_run(&f, 20 * NS_PER_S);
	CHECK_STR(f.said.ptr, "run-sandbox; run-sandbox; run-sandbox; run-sandbox; run-sandbox");   /* at 0, 1, 3, 7, 15 s */
	CHECK_STR(node_fake_state(&f, "a"), "ContainerCreating");
	f.fail_sandbox = NULL;
	node_fake_run(&f, 20 * NS_PER_S);
	CHECK_STR(f.status.phase, "Running");
	node_fake_release(&f);
}

TEST(a_new_node_adopts_what_runs)
{
	begin("{" META ",\"spec\":{\"containers\":[" C("a") "]}}");
	node_stop(&f.node);
	node_fake_run(&f, NS_PER_S);
	CHECK(list_empty(&f.node.workers));
	struct node_settings s = f.node.set;
	map_release(&f.node.by_uid);
	node_init(&f.node, f.loop, &s, &f.rt, &f.api);
	kobject_unref(node_fake_pod(&f, "{" META ",\"spec\":{\"containers\":[" C("a") "]}}"));
	node_fake_run(&f, 10 * NS_PER_S);
	CHECK_STR(f.said.ptr, "run-sandbox; create a; start a");
	CHECK_STR(f.status.phase, "Running");
	CHECK_INT(f.status.container_statuses[0].restart_count, 0);
	node_fake_release(&f);
}

TEST(a_container_that_was_created_and_never_started_is_made_again_under_the_same_number)
{
	begin("{" META ",\"spec\":{\"containers\":[" C("a") "]}}");
	node_fake_find(&f, "a")->state = CRI_CONTAINER_CREATED;
	workers_stale(&f.node, NULL);
	node_fake_run(&f, NS_PER_S);
	CHECK_STR(f.said.ptr, "run-sandbox; create a; start a; remove a; create a; start a");
	CHECK_INT(node_fake_find(&f, "a")->attempt, 0);
	node_fake_release(&f);
}

TEST(another_image_in_the_spec_restarts_the_container)
{
	begin("{" META ",\"spec\":{\"containers\":[" C("a") "]}}");
	kobject_unref(node_fake_pod(&f, "{" META ",\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"img:2\"}]}}"));
	node_fake_run(&f, NS_PER_S);
	CHECK_STR(f.said.ptr, "run-sandbox; create a; start a; stop a:30; create a; start a");
	node_fake_release(&f);
}

TEST(a_sidecar_runs_beside_and_ends_after_the_others)
{
	begin("{" META ",\"spec\":{\"restartPolicy\":\"Never\",\"initContainers\":[{\"name\":\"s\",\"image\":\"img:1\",\"restartPolicy\":\"Always\"}],"
		"\"containers\":[" C("a") "]}}");
	CHECK_STR(f.said.ptr, "run-sandbox; create s; start s; create a; start a");
	node_fake_exit(&f, "a", 0);
	node_fake_run(&f, NS_PER_S);
	CHECK_STR(f.said.ptr, "run-sandbox; create s; start s; create a; start a; stop s:30; stop-sandbox");
	CHECK_STR(f.status.phase, "Succeeded");
	node_fake_release(&f);
}

TEST(a_pod_past_its_deadline_fails)
{
	begin("{" META ",\"spec\":{\"activeDeadlineSeconds\":20,\"containers\":[" C("a") "]}}");
	node_fake_run(&f, 15 * NS_PER_S);
	CHECK_STR(f.status.phase, "Running");
	node_fake_run(&f, 6 * NS_PER_S);
	CHECK_STR(f.status.phase, "Failed");
	CHECK_STR(f.status.reason, "DeadlineExceeded");
	node_fake_release(&f);
}

TEST(a_container_waits_for_its_config_map)
{
	node_fake_init(&f);
	kobject_unref(node_fake_pod(&f, "{" META ",\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"img:1\",\"env\":[{\"name\":\"X\",\"valueFrom\":"
		"{\"configMapKeyRef\":{\"name\":\"m\",\"key\":\"k\"}}}]}]}}"));
	node_fake_run(&f, NS_PER_S);
	CHECK_STR(node_fake_state(&f, "a"), "CreateContainerConfigError");
	CHECK_STR(f.status.container_statuses[0].state.waiting->message, "configmap \"m\" not found");
	f.config_map = "{\"metadata\":{\"name\":\"m\"},\"data\":{\"k\":\"v\"}}";
	workers_refresh(&f.node, "configmaps", "d", "m");
	node_fake_run(&f, NS_PER_S);
	CHECK_STR(node_fake_state(&f, "a"), "Running");
	node_fake_release(&f);
}

TEST(what_runs_for_pods_that_are_no_more_is_ended)
{
	begin("{" META ",\"spec\":{\"containers\":[" C("a") "]}}");
	node_stop(&f.node);
	node_fake_run(&f, NS_PER_S);
	struct node_settings s = f.node.set;
	map_release(&f.node.by_uid);
	node_init(&f.node, f.loop, &s, &f.rt, &f.api);
	void adopt(void *arg) { struct err e = { 0 }; CHECK_OK(node_adopt_wait(arg, &e), &e); }
	CHECK_INT(fiber_start(f.loop, "adopt", adopt, &f.node), 0);
	node_fake_run(&f, NS_PER_S);
	CHECK_STR(f.said.ptr, "run-sandbox; create a; start a; stop a:30; stop-sandbox; remove a; remove-sandbox");
	node_fake_release(&f);
}

TEST(three_failures_in_a_row_of_a_liveness_probe_restart_the_container)
{
	begin(P("a", "\"livenessProbe\":{\"exec\":{\"command\":[\"x\"]},\"periodSeconds\":10,\"failureThreshold\":3}"));
	CHECK_STR(node_fake_state(&f, "a"), "Running");
	f.exec_code = 1;
	node_fake_run(&f, 25 * NS_PER_S);
	CHECK_INT(node_fake_find(&f, "a")->attempt, 0);
	node_fake_run(&f, 10 * NS_PER_S);
	CHECK_INT(node_fake_find(&f, "a")->attempt, 1);
	CHECK(strstr(f.events.ptr, "Unhealthy; Unhealthy; Unhealthy; Killing"));
	node_fake_release(&f);
}

TEST(a_container_is_not_ready_before_its_probe_says_so_and_again_when_it_no_longer_does)
{
	node_fake_init(&f);
	f.exec_code = 1;
	kobject_unref(node_fake_pod(&f, P("a", "\"readinessProbe\":{\"exec\":{\"command\":[\"x\"]},\"periodSeconds\":5,\"failureThreshold\":2}")));
	node_fake_run(&f, 20 * NS_PER_S);
	CHECK(!f.status.container_statuses[0].ready);
	f.exec_code = 0;
	node_fake_run(&f, 6 * NS_PER_S);
	CHECK(f.status.container_statuses[0].ready);
	f.exec_code = 1;
	node_fake_run(&f, 6 * NS_PER_S);
	CHECK(f.status.container_statuses[0].ready);
	node_fake_run(&f, 5 * NS_PER_S);
	CHECK(!f.status.container_statuses[0].ready);
	CHECK_INT(node_fake_find(&f, "a")->attempt, 0);
	node_fake_release(&f);
}

TEST(other_probes_wait_for_the_startup_probe)
{
	node_fake_init(&f);
	f.exec_code = 1;
	kobject_unref(node_fake_pod(&f, P("a", "\"startupProbe\":{\"exec\":{\"command\":[\"x\"]},\"periodSeconds\":1,\"failureThreshold\":30},"
		"\"livenessProbe\":{\"tcpSocket\":{\"port\":1},\"periodSeconds\":1,\"failureThreshold\":1}")));
	node_fake_run(&f, 20 * NS_PER_S);
	CHECK_INT(node_fake_find(&f, "a")->attempt, 0);
	CHECK(!*f.status.container_statuses[0].started);
	node_fake_run(&f, 15 * NS_PER_S);
	CHECK(node_fake_find(&f, "a")->attempt > 0);           /* thirty tries are over */
	node_fake_release(&f);
}

TEST(limits_that_change_are_given_to_the_running_container)
{
	begin(P("a", "\"resources\":{\"limits\":{\"memory\":\"64Mi\"},\"requests\":{\"memory\":\"64Mi\",\"cpu\":\"100m\"}}"));
	kobject_unref(node_fake_pod(&f, P("a", "\"resources\":{\"limits\":{\"memory\":\"96Mi\"},\"requests\":{\"memory\":\"64Mi\",\"cpu\":\"100m\"}}")));
	node_fake_run(&f, NS_PER_S);
	CHECK_STR(f.said.ptr, "run-sandbox; create a; start a; resize a");
	CHECK_INT(node_fake_find(&f, "a")->r.memory_limit_in_bytes, 96 << 20);
	CHECK_STR(f.status.container_statuses[0].resources->limits[0].value, "96Mi");
	node_fake_release(&f);
}

TEST(a_status_that_could_not_be_written_is_written_later)
{
	node_fake_init(&f);
	f.api_is_down = true;
	kobject_unref(node_fake_pod(&f, "{" META ",\"spec\":{\"containers\":[" C("a") "]}}"));
	node_fake_run(&f, 60 * NS_PER_S);
	CHECK_INT(node_fake_find(&f, "a")->state, CRI_CONTAINER_RUNNING);
	CHECK_INT(f.n_patches, 0);
	f.api_is_down = false;
	node_fake_run(&f, 11 * NS_PER_S);
	CHECK_STR(f.status.phase, "Running");
	CHECK_INT(f.n_patches, 1);
	node_fake_release(&f);
}

TEST(a_rule_of_the_container_restarts_it_in_a_pod_that_never_does)
{
	begin("{" META ",\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"a\",\"image\":\"img:1\",\"restartPolicyRules\":"
		"[{\"action\":\"Restart\",\"exitCodes\":{\"operator\":\"In\",\"values\":[42]}}]}]}}");
	node_fake_exit(&f, "a", 42);
	node_fake_run(&f, NS_PER_S);
	CHECK_INT(node_fake_find(&f, "a")->attempt, 1);
	node_fake_exit(&f, "a", 1);
	node_fake_run(&f, NS_PER_S);
	CHECK_STR(f.status.phase, "Failed");
	node_fake_release(&f);
}

TEST(an_unsafe_sysctl_is_refused_before_anything_is_made)
{
	begin("{" META ",\"spec\":{\"securityContext\":{\"sysctls\":[{\"name\":\"kernel.msgmax\",\"value\":\"1\"}]},\"containers\":[" C("a") "]}}");
	CHECK_STR(f.status.phase, "Failed");
	CHECK_STR(f.status.reason, "SysctlForbidden");
	CHECK_STR(f.said.ptr, "");
	node_fake_release(&f);
}
