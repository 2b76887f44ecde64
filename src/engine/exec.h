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

/* Used by health checks: starts `how` with its output on out_fd (taken), waits for its end up to timeout_ns. */
int exec_probe_wait(struct container *c, const struct docker_exec_create *how, int out_fd, int64_t timeout_ns, int64_t *ret_code, struct err *e);
