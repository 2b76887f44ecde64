/* SPDX-License-Identifier: Apache-2.0 */
/* Archives from clients into jobs: whatever compression comes, plain bytes go on. */
#pragma once
#include "engine/jobs.h"

/* Copies `in` to its end into fd (not taken), decompressed. -EBADMSG broken, -EOPNOTSUPP bzip2 and xz, -EPIPE the reader left. */
int feed_wait(struct stream *in, int fd, struct err *e);
/* Runs a job that reads a plain tar from its standard input, fed from `in`. The job's own error wins. */
int feed_job_wait(struct engine *eng, const struct unpack_job *job, struct stream *in, struct arena *a, struct unpack_report *ret, struct err *e);
