/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of process.c that create.c and exec.c call for a child in a user namespace, and what process.c is made of. */
#pragma once
#include "runtime/runtime_int.h"

int process_rlimits(const struct oci_process *p, pid_t pid, struct err *e);     /* pid 0: itself */
int process_oom_score(const struct oci_process *p, pid_t pid, struct err *e);
int process_affinity(const char *list, struct err *e);                          /* "0-3,7" */
/* Signals as a new program expects them: default and not blocked. */
void process_signals(void);
/* Compiles the job's seccomp section (of j->seccomp_spec). */
int seccomp_prepare(struct job *j, struct err *e);
/* argv and envp for exec; HOME from the root's passwd where it is not set. */
int process_home(struct job *j, struct err *e);
