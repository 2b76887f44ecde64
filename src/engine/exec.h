/* SPDX-License-Identifier: Apache-2.0 */
/* Execs: extra processes in a running container. */
#pragma once
#include "engine/engine_int.h"

/* The shim says that one has ended. */
void exec_ended(struct container *c, const char *id, int64_t code);
/* The container's process has ended: everything inside is gone. */
void exec_container_ended(struct container *c);
/* Forgets them all. */
void exec_container_removed(struct container *c);
/* Ids of those that run or have not begun (inspect's ExecIDs). */
int exec_ids(const struct container *c, struct arena *a, const char ***ret, uint32_t *n);

/* exec_create_wait in a container found. */
int exec_create_in(struct container *c, const struct docker_exec_create *how, char ret_id[65], struct err *e);
/* Starts one with a socket as its streams (taken). */
int exec_run_fd_wait(struct engine *eng, const char *id, int fd, struct err *e);
/* Nobody will ask for it any more. */
void exec_forget(struct engine *eng, const char *id);
/* Waits for the end of one that was started: 0 and its code, -ETIMEDOUT. */
int exec_end_wait(struct engine *eng, const char *id, int64_t timeout_ns, int64_t *ret_code, struct err *e);
/* Used by health checks: starts `how` with its output on out_fd (taken), waits for its end up to timeout_ns. */
int exec_probe_wait(struct container *c, const struct docker_exec_create *how, int out_fd, int64_t timeout_ns, int64_t *ret_code, struct err *e);
