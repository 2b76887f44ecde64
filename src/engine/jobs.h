/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-shot jobs on a container's root file system, each in a confined process:
 * `coracle-runtime unpack` (doc/format/unpack.md). The job goes in by a memory
 * file, reports come back by a pipe, data by the standard streams.
 */
#pragma once
#include "api/unpack.h"
#include "engine/engine_int.h"
#include "io/stream.h"

struct job_proc;
/* Starts the process. in_fd, out_fd: -1 for nothing; they stay the caller's. */
int jobs_start(struct engine *eng, const struct unpack_job *job, int in_fd, int out_fd, struct job_proc **ret, struct err *e);
/* The next report: 1, or 0 at the end, -errno with the job's own words when it failed. Strings live in a. */
int jobs_next_wait(struct job_proc *p, struct arena *a, struct unpack_report *ret, struct err *e);
/* Waits for the end of the process (killing it first when `kill`) and frees. */
void jobs_end_wait(struct job_proc *p, bool kill);
/* Start, last report, end. */
int jobs_run_wait(struct engine *eng, const struct unpack_job *job, int in_fd, int out_fd, struct arena *a, struct unpack_report *ret, struct err *e);

/* The root file system of a container as a job's target: its process's while it runs, its layers otherwise. */
int jobs_root(struct container *c, bool writable, struct arena *a, struct unpack_root *ret, struct err *e);
/* Layers of an image, read only. */
int jobs_image_root(struct engine *eng, const char *image_id, struct arena *a, struct unpack_root *ret, struct err *e);
/* Copies what the image has at `target` into the (empty) folder of a volume; nothing when it has nothing there or the volume is not empty. */
int jobs_copy_up_wait(struct container *c, const char *target, const char *volume_dir, struct err *e);
/* user[:group] inside the container's root; extra groups. */
int jobs_lookup_wait(struct container *c, const char *user, const char *const *groups, uint32_t n_groups, struct arena *a, struct spec_user *ret,
		     struct err *e);
