// SPDX-License-Identifier: Apache-2.0
#include "kube/control/cron_int.h"

#include <errno.h>

#include "base/clock.h"
#include "kube/control/fake_int.h"

static const char *next(const char *schedule, const char *zone, const char *after)
{
	static char text[CLOCK_TEXT_MAX];
	AUTO(zone) struct zone *z = NULL;
	struct cron c;
	struct err e;
	int64_t at;

	if (zone_load(zone, &z) < 0)
		test_skip("no zoneinfo files");
	CHECK_OK(cron_parse(schedule, &c, &e), &e);
	CHECK_INT(clock_parse_rfc3339(slice_of(after), &at), 0);
	at = cron_next(&c, z, at / NS_PER_S);
	if (!at)
		return "never";
	clock_rfc3339(text, at * NS_PER_S);
	return text;
}

TEST(cron_schedules_find_the_next_time)
{
	CHECK_STR(next("*/15 * * * *", NULL, "2026-03-01T10:14:59Z"), "2026-03-01T10:15:00Z");
	CHECK_STR(next("*/15 * * * *", NULL, "2026-03-01T10:15:00Z"), "2026-03-01T10:30:00Z");
	CHECK_STR(next("0 0 1 * *", NULL, "2026-12-01T00:00:00Z"), "2027-01-01T00:00:00Z");
	CHECK_STR(next("30 4 * * mon-fri", NULL, "2026-11-27T05:00:00Z"), "2026-11-30T04:30:00Z");
	CHECK_STR(next("0 12 13 * fri", NULL, "2026-11-12T13:00:00Z"), "2026-11-13T12:00:00Z");
	CHECK_STR(next("0 12 13 * fri", NULL, "2026-11-13T13:00:00Z"), "2026-11-20T12:00:00Z");
	CHECK_STR(next("0 0 29 feb *", NULL, "2026-01-01T00:00:00Z"), "2028-02-29T00:00:00Z");
	CHECK_STR(next("0 0 31 2 *", NULL, "2026-01-01T00:00:00Z"), "never");
	CHECK_STR(next("@hourly", NULL, "2026-01-01T00:00:00Z"), "2026-01-01T01:00:00Z");
	CHECK_STR(next("@weekly", NULL, "2026-11-25T00:00:00Z"), "2026-11-29T00:00:00Z");
	CHECK_STR(next("@every 90s", NULL, "2026-01-01T00:00:00Z"), "2026-01-01T00:01:30Z");
}

TEST(cron_schedules_that_make_no_sense_are_refused)
{
	static const char *const bad[] = { "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 9", "5-1 * * * *",
		"*/0 * * * *", "a * * * *", "@sometimes", "@every 1x" };
	struct cron c;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (cron_parse(bad[i], &c, NULL) != -EINVAL)
			test_fail(__FILE__, __LINE__, "%s was taken", bad[i]);
}

TEST(cron_schedules_follow_their_time_zone)
{
	CHECK_STR(next("0 9 * * *", "Europe/Berlin", "2026-07-01T00:00:00Z"), "2026-07-01T07:00:00Z");
	CHECK_STR(next("0 9 * * *", "Europe/Berlin", "2026-01-01T00:00:00Z"), "2026-01-01T08:00:00Z");
	CHECK_STR(next("30 2 * * *", "America/New_York", "2026-03-08T00:00:00-05:00"), "2026-03-09T06:30:00Z");
	CHECK_STR(next("0 9 * * *", "America/New_York", "2040-07-01T00:00:00Z"), "2040-07-01T13:00:00Z");
	CHECK_STR(next("0 0 * * *", "Asia/Kolkata", "2026-01-01T00:00:00Z"), "2026-01-01T18:30:00Z");
}

TEST(unknown_time_zones_are_refused)
{
	struct zone *z;

	CHECK_INT(zone_load("Mars/Olympus", &z), -ENOENT);
	CHECK_INT(zone_load("../../../etc/passwd", &z), -ENOENT);
}

#define CRON(more) "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: tick, namespace: ns}\nspec:\n  schedule: '*/5 * * * *'\n  successfulJobsHistoryLimit: 1\n" more \
	"  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}\n"
static const char *const names[] = { "cronjob", NULL };

static void finish_all(void)
{
	for (unsigned i = 0; i < fake_count("batch/jobs", "ns", NULL); i++)
		fake_patch("batch/jobs", "ns", ((struct kube_job *)fake_at("batch/jobs", "ns", NULL, i))->metadata.name, "status",
			"status: {completionTime: '2020-01-01T00:20:00Z', conditions: [{type: Complete, status: 'True'}]}");
	fake_settle();
}

static void ticks(void)
{
	struct kube_cron_job *cj;

	fake_create(CRON(""));
	fake_sleep(250 * NS_PER_S);
	CHECK_INT(fake_count("batch/jobs", "ns", NULL), 0);
	fake_sleep(100 * NS_PER_S);
	CHECK_INT(fake_count("batch/jobs", "ns", NULL), 1);
	cj = fake_get("batch/cronjobs", "ns", "tick");
	CHECK_INT(cj->status.n_active, 1);
	CHECK_STR(cj->status.last_schedule_time, "2020-01-01T00:05:00Z");
	finish_all();
	cj = fake_get("batch/cronjobs", "ns", "tick");
	CHECK_INT(cj->status.n_active, 0);
	CHECK(cj->status.last_successful_time);
	fake_sleep(600 * NS_PER_S);
	CHECK_INT(fake_count("batch/jobs", "ns", NULL), 3);
	finish_all();
	CHECK_INT(fake_count("batch/jobs", "ns", NULL), 1);
	fake_patch("batch/cronjobs", "ns", "tick", NULL, "spec: {suspend: true}");
	fake_sleep(1000 * NS_PER_S);
	CHECK_INT(fake_count("batch/jobs", "ns", NULL), 1);
	CHECK(fake_has_event("SuccessfulCreate", NULL) && fake_has_event("SawCompletedJob", NULL));
}

TEST(a_cron_job_makes_jobs_and_keeps_its_history_short)
{
	fake_run(names, ticks);
}

static void forbids(void)
{
	fake_create(CRON("  concurrencyPolicy: Forbid\n"));
	fake_sleep(1000 * NS_PER_S);
	CHECK_INT(fake_count("batch/jobs", "ns", NULL), 1);
	CHECK(fake_has_event("JobAlreadyActive", NULL));
	fake_patch("batch/cronjobs", "ns", "tick", NULL, "spec: {concurrencyPolicy: Replace}");
	fake_sleep(600 * NS_PER_S);
	CHECK_INT(fake_count("batch/jobs", "ns", NULL), 1);
}

TEST(a_cron_job_keeps_to_its_concurrency_policy)
{
	fake_run(names, forbids);
}
