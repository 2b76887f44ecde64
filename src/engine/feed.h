/* SPDX-License-Identifier: Apache-2.0 */
/* Archives from clients into jobs: whatever compression comes, a plain tar goes in. */
#pragma once
#include "engine/jobs.h"

/*
 * Runs a job that reads a plain tar from its standard input, fed from `in` to its end. The job's own error wins over one of the
 * archive (-EINVAL: broken, cut short, or bzip2 or xz); a job that ends without its last report is -EIO. Suspends.
 */
int feed_job_wait(struct engine *eng, const struct unpack_job *job, struct stream *in, struct arena *a, struct unpack_report *ret, struct err *e);
