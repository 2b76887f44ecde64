// SPDX-License-Identifier: Apache-2.0
#include "kube/control/job_int.h"

#include "base/clock.h"
#include "kube/control/fake_int.h"

#define JOB(spec) "apiVersion: batch/v1\nkind: Job\nmetadata: {name: work, namespace: ns}\nspec:\n  selector: {matchLabels: {job: work}}\n" spec \
	"\n  template:\n    metadata: {labels: {job: work}}\n    spec: {restartPolicy: Never, containers: [{name: c, image: i}]}\n"

static const char *const names[] = { "job", "garbage-collector", NULL };

static struct kube_job *work(void) { return fake_get("batch/jobs", "ns", "work"); }
static bool is(const char *type, const char *reason)
{
	struct kube_job *j = work();
	struct kube_job_condition *c = KUBE_CONDITION(j->status.conditions, j->status.n_conditions, type);

	return c && text_eq(c->status, "True") && text_eq(c->reason, reason);
}

/* The first pod that is not at its end comes to it. */
static void end_pod(const char *phase)
{
	for (unsigned i = 0; i < fake_count("pods", "ns", NULL); i++) {
		struct kube_pod *p = fake_at("pods", "ns", NULL, i);
		char yaml[100];

		if (kube_pod_is_terminal(p))
			continue;
		fmt_into(yaml, sizeof yaml, "status: {phase: %s}", phase);
		fake_patch("pods", "ns", p->metadata.name, "status", yaml);
		break;
	}
	fake_settle();
}

static void completes(void)
{
	struct kube_pod *p;
	unsigned before;

	fake_create(JOB("  completions: 3\n  parallelism: 2\n  backoffLimit: 1\n  ttlSecondsAfterFinished: 100"));
	fake_settle();
	CHECK_INT(fake_count("pods", "ns", NULL), 2);
	CHECK_INT(work()->status.active, 2);
	CHECK(work()->status.start_time);
	p = fake_at("pods", "ns", NULL, 0);
	CHECK(kube_has_finalizer(&p->metadata, JOB_FINALIZER));
	end_pod("Succeeded");
	CHECK_INT(fake_count("pods", "ns", NULL), 3);
	CHECK_INT(work()->status.succeeded, 1);
	p = fake_at("pods", "ns", NULL, 0);
	CHECK(!kube_has_finalizer(&p->metadata, JOB_FINALIZER));
	end_pod("Succeeded");
	CHECK_INT(fake_count("pods", "ns", NULL), 3);
	end_pod("Succeeded");
	CHECK(is("Complete", "CompletionsReached") && is("SuccessCriteriaMet", "CompletionsReached"));
	CHECK_INT(work()->status.succeeded, 3);
	CHECK_INT(work()->status.active, 0);
	CHECK(work()->status.completion_time);
	CHECK(fake_has_event("Completed", "Job completed"));
	before = fake_writes();
	fake_sleep(50 * NS_PER_S);
	CHECK_INT(fake_writes(), before);
	fake_sleep(60 * NS_PER_S);
	CHECK(!work());
	CHECK_INT(fake_count("pods", "ns", NULL), 0);
}

TEST(a_job_runs_to_its_completions_and_goes_after_its_time)
{
	fake_run(names, completes);
}

static void fails(void)
{
	fake_create(JOB("  completions: 1\n  parallelism: 1\n  backoffLimit: 1"));
	fake_settle();
	end_pod("Failed");
	CHECK_INT(work()->status.failed, 1);
	CHECK_INT(fake_count("pods", "ns", NULL), 1);
	fake_sleep(11 * NS_PER_S);
	CHECK_INT(fake_count("pods", "ns", NULL), 2);
	end_pod("Failed");
	CHECK(is("Failed", "BackoffLimitExceeded") && is("FailureTarget", "BackoffLimitExceeded"));
	CHECK_INT(work()->status.failed, 2);
	fake_sleep(100 * NS_PER_S);
	CHECK_INT(fake_count("pods", "ns", NULL), 2);
	fake_delete("batch/jobs", "ns", "work", "Background");
	fake_settle();
	CHECK_INT(fake_count("pods", "ns", NULL), 0);
}

TEST(a_job_backs_off_and_gives_up)
{
	fake_run(names, fails);
}

static void indexed(void)
{
	struct kube_pod *p;

	fake_create(JOB("  completions: 3\n  parallelism: 3\n  completionMode: Indexed\n  backoffLimit: 6"));
	fake_settle();
	CHECK_INT(fake_count("pods", "ns", NULL), 3);
	for (int i = 0; i < 3; i++) {
		char label[100];

		fmt_into(label, sizeof label, JOB_INDEX "=%d", i);
		CHECK_INT(fake_count("pods", "ns", label), 1);
	}
	p = fake_at("pods", "ns", JOB_INDEX "=2", 0);
	CHECK_STR(p->spec.containers[0].env[0].name, "JOB_COMPLETION_INDEX");
	CHECK_STR(p->spec.hostname, "work-2");
	fake_patch("pods", "ns", p->metadata.name, "status", "status: {phase: Succeeded}");
	fake_settle();
	CHECK_STR(work()->status.completed_indexes, "2");
	p = fake_at("pods", "ns", JOB_INDEX "=0", 0);
	fake_patch("pods", "ns", p->metadata.name, "status", "status: {phase: Failed}");
	fake_sleep(11 * NS_PER_S);
	CHECK_INT(fake_count("pods", "ns", JOB_INDEX "=0"), 2);
	end_pod("Succeeded");
	end_pod("Succeeded");
	CHECK_STR(work()->status.completed_indexes, "0-2");
	CHECK_INT(work()->status.succeeded, 3);
	CHECK_INT(work()->status.failed, 1);
	CHECK(is("Complete", "CompletionsReached"));
}

TEST(an_indexed_job_completes_each_index)
{
	fake_run(names, indexed);
}

static void suspended(void)
{
	fake_create(JOB("  completions: 2\n  parallelism: 2\n  suspend: true\n  activeDeadlineSeconds: 30"));
	fake_settle();
	CHECK_INT(fake_count("pods", "ns", NULL), 0);
	CHECK(is("Suspended", "JobSuspended") && !work()->status.start_time);
	fake_patch("batch/jobs", "ns", "work", NULL, "spec: {suspend: false}");
	fake_settle();
	CHECK_INT(fake_count("pods", "ns", NULL), 2);
	CHECK(!is("Suspended", "JobSuspended"));
	fake_sleep(40 * NS_PER_S);
	CHECK(is("Failed", "DeadlineExceeded"));
	CHECK_INT(fake_count("pods", "ns", NULL), 0);
}

TEST(a_job_is_suspended_resumed_and_has_a_deadline)
{
	fake_run(names, suspended);
}

TEST(sets_of_indexes_read_and_print)
{
	AUTO(arena) struct arena a;
	struct index_set x;

	arena_init(&a, 65536);
	CHECK_INT(index_set_init(&a, &x, 12), 0);
	CHECK(!index_set_text(&a, &x));
	index_set_read(&x, "0-2,5,7-8,50");
	CHECK_INT(x.n, 6);
	CHECK_STR(index_set_text(&a, &x), "0-2,5,7,8");
	index_set_add(&x, 6);
	CHECK_STR(index_set_text(&a, &x), "0-2,5-8");
	CHECK_INT(job_backoff_ns(3), 40 * NS_PER_S);
	CHECK_INT(job_backoff_ns(300), 600 * NS_PER_S);
}

static void adopted(void)
{
	struct kube_pod *p;

	fake_create(JOB("  completions: 1\n  parallelism: 1\n  backoffLimit: 1"));
	fake_settle();
	p = fake_at("pods", "ns", NULL, 0);
	fake_patch("pods", "ns", p->metadata.name, NULL, "metadata: {ownerReferences: null}");
	fake_settle();
	p = fake_at("pods", "ns", NULL, 0);
	CHECK(kube_controller_of(&p->metadata) && kube_has_finalizer(&p->metadata, JOB_FINALIZER));
	fake_patch("pods", "ns", p->metadata.name, NULL, "metadata: {labels: {job: other}}");
	fake_settle();
	p = fake_get("pods", "ns", p->metadata.name);
	CHECK(!kube_controller_of(&p->metadata) && !kube_has_finalizer(&p->metadata, JOB_FINALIZER));
	CHECK_INT(fake_count("pods", "ns", NULL), 2);
}

TEST(a_job_adopts_and_releases_its_pods)
{
	fake_run(names, adopted);
}

static void per_index(void)
{
	fake_create(JOB("  completions: 2\n  parallelism: 2\n  completionMode: Indexed\n  backoffLimitPerIndex: 1"));
	fake_settle();
	for (int i = 0; i < 2; i++) {
		struct kube_pod *p = fake_at("pods", "ns", JOB_INDEX "=0", (unsigned)i);

		CHECK(p);
		CHECK_STR(kube_annotation(&p->metadata, JOB_INDEX_FAILURES), i ? "1" : "0");
		fake_patch("pods", "ns", p->metadata.name, "status", "status: {phase: Failed}");
		fake_sleep(30 * NS_PER_S);
	}
	CHECK_STR(work()->status.failed_indexes, "0");
	CHECK_INT(fake_count("pods", "ns", JOB_INDEX "=0"), 2);
	CHECK(!is("Failed", "FailedIndexes"));
	end_pod("Succeeded");
	CHECK(is("Failed", "FailedIndexes"));
	CHECK_STR(work()->status.completed_indexes, "1");
}

TEST(an_index_that_failed_too_often_fails_its_job_at_the_end)
{
	fake_run(names, per_index);
}

TEST(failure_and_success_policies_decide_by_rule)
{
	AUTO(arena) struct arena a;
	struct kube_pod_failure_policy_on_exit_codes_requirement codes = { .operator = "In", .values = (int32_t[]){ 42 }, .n_values = 1 };
	struct kube_pod_failure_policy_on_pod_conditions_pattern target = { .type = "DisruptionTarget", .status = "True" };
	struct kube_pod_failure_policy_rule rules[] = { { .action = "Ignore", .on_pod_conditions = &target, .n_on_pod_conditions = 1 },
		{ .action = "FailJob", .on_exit_codes = &codes } };
	struct kube_pod_failure_policy policy = { rules, 2 };
	int32_t one = 1;
	struct kube_success_policy_rule wins = { .succeeded_indexes = "0,2-3", .succeeded_count = &one };
	struct kube_success_policy success = { &wins, 1 };
	struct kube_job j = { .spec = { .pod_failure_policy = &policy, .success_policy = &success } };
	struct kube_container_state_terminated t = { .exit_code = 42 };
	struct kube_container_status c = { .name = "c", .state = { .terminated = &t } };
	struct kube_pod_condition disrupted = { .type = "DisruptionTarget", .status = "True" };
	struct kube_pod p = { .metadata = { .name = "p", .namespace = "n" }, .status = { .container_statuses = &c, .n_container_statuses = 1 } };
	struct index_set done;
	const char *why = NULL;

	arena_init(&a, 65536);
	CHECK_INT(job_failure_action(&a, &j, &p, &why), JOB_FAIL);
	CHECK_STR(why, "Container c for pod n/p failed with exit code 42 matching FailJob rule at index 1");
	p.status.conditions = &disrupted;
	p.status.n_conditions = 1;
	CHECK_INT(job_failure_action(&a, &j, &p, &why), JOB_IGNORE);
	p.status.n_conditions = 0;
	t.exit_code = 1;
	CHECK_INT(job_failure_action(&a, &j, &p, &why), JOB_COUNT);
	CHECK_INT(index_set_init(&a, &done, 5), 0);
	index_set_add(&done, 1);
	CHECK_INT(job_success_rule(&a, &j, &done), -1);
	index_set_add(&done, 3);
	CHECK_INT(job_success_rule(&a, &j, &done), 0);
}
