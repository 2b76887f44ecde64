/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's end of a shim (doc/format/shim.md): starts one, talks to it, and
 * tells the container what it says. A connection that breaks without an exit
 * report means that the shim died: its exit.json, or its absence, decides.
 */
#pragma once
#include "engine/engine_int.h"

struct oci_spec;
struct oci_process;
struct oci_linux_resources;
struct shim;

/* Writes the bundle, starts the shim, waits until the user's program runs. c->shim is set, *ret_pid the program's. */
int shim_launch_wait(struct container *c, const struct oci_spec *spec, int64_t *ret_pid, struct err *e);
/* After a restart of the engine. 0: connected and running; -ESRCH: no shim answers (shim_last_exit tells what is known). */
int shim_connect_wait(struct container *c, struct err *e);
/* What exit.json says: 0, or -ENOENT. */
int shim_last_exit(struct container *c, int64_t *code, bool *oom, int64_t *finished_ns);
/* Lets go of the connection; the shim goes on, or ends by itself after an exit that was told. */
void shim_close(struct container *c);
/* Removes what a dead shim left: mounts, cgroup, bundle. */
void shim_sweep_wait(struct container *c);

/* Takes in what the shim has said by now, without waiting. */
void shim_catch_up(struct container *c);
int shim_kill_wait(struct container *c, int signal, bool all, struct err *e);
int shim_pause_wait(struct container *c, bool pause, struct err *e);
int shim_update_wait(struct container *c, const struct oci_linux_resources *r, struct err *e);
int shim_reopen_log_wait(struct container *c, struct err *e);
/* exec_id NULL: the container itself. */
int shim_resize_wait(struct container *c, const char *exec_id, unsigned h, unsigned w, struct err *e);
/* Hands over a socket (taken): frames (raw with a terminal) out, raw stdin in. */
struct shim_attach { bool is_stdin, is_stdout, is_stderr; const char *detach_keys; };
int shim_attach_wait(struct container *c, int fd, const struct shim_attach *how, struct err *e);
struct shim_run { const char *id; const struct oci_process *process; int fd /* -1: detached; taken */; struct shim_attach attach; };
int shim_exec_wait(struct container *c, const struct shim_run *how, int64_t *ret_pid, struct err *e);
int shim_exec_kill_wait(struct container *c, const char *exec_id, int signal, struct err *e);
/* As attach, without waiting for the answer; during a launch, between create and start. Takes fd. */
int shim_attach_send(struct container *c, int fd, const struct shim_attach *how);
int shim_pids_wait(struct container *c, struct arena *a, int64_t **ret, uint32_t *n, struct err *e);
struct shim_stats;
int shim_stats_wait(struct container *c, struct arena *a, struct shim_stats **ret, struct err *e);
