/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of jobs: sets of indexes as their status writes them, pod failure and success policies. */
#pragma once
#include "kube/control/control_int.h"

enum { JOB_INDEXES_MAX = 10 * 1000 * 1000 };
#define JOB_FINALIZER "batch.kubernetes.io/job-tracking"
#define JOB_INDEX "batch.kubernetes.io/job-completion-index"
#define JOB_INDEX_FAILURES "batch.kubernetes.io/job-index-failure-count"

/* Indexes 0 … size - 1. */
struct index_set {
	uint8_t *bits;
	int32_t size, n;
};
int index_set_init(struct arena *a, struct index_set *x, int32_t size);
/* "0-2,5"; what is not below size is left out, as upstream does. */
void index_set_read(struct index_set *x, const char *text);
bool index_set_has(const struct index_set *x, int32_t i);
void index_set_add(struct index_set *x, int32_t i);
/* NULL for none. */
const char *index_set_text(struct arena *a, const struct index_set *x);

/* -1 without one. */
int32_t job_pod_index(const struct kube_pod *p);
int64_t job_pod_finished_ns(const struct kube_pod *p);
/* What the job's policy says of a failed pod. *why (in arena) is for FailJob. */
enum job_action { JOB_COUNT, JOB_IGNORE, JOB_FAIL, JOB_FAIL_INDEX };
enum job_action job_failure_action(struct arena *a, const struct kube_job *j, const struct kube_pod *p, const char **why);
/* The first rule of the success policy that holds, or -1. */
int job_success_rule(struct arena *a, const struct kube_job *j, const struct index_set *succeeded);
/* How long to wait after `failures` failed pods in a row. */
int64_t job_backoff_ns(unsigned failures);
