/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the command line: every flag of every command lands in one struct. */
#pragma once
#include "runtime/runtime_int.h"

enum { CLI_LIST_MAX = 256 };
struct cli_list {
	const char *v[CLI_LIST_MAX];
	uint32_t n;
};

struct cli {
	/* before the command */
	const char *root, *log, *log_format, *rootless, *criu, *cgroup_manager;
	bool debug, systemd_cgroup, version, help;
	/* create, run, exec, restore */
	const char *bundle, *pid_file, *console_socket, *preserve_fds, *process, *cwd, *user, *apparmor, *process_label, *cgroup;
	bool no_pivot, no_new_keyring, no_subreaper, detach, keep, tty, no_new_privs, ignore_paused;
	struct cli_list env, caps, gids;
	/* the others */
	const char *format, *resources, *interval, *config;
	bool force, all, quiet, stats, spec_rootless;
	const char *memory, *memory_swap, *memory_reservation, *cpu_share, *cpu_quota, *cpu_period, *cpu_burst, *cpu_idle,
		*cpu_rt_runtime, *cpu_rt_period, *cpuset_cpus, *cpuset_mems, *pids_limit, *blkio_weight, *kernel_memory, *kernel_tcp,
		*l3, *membw;
	/* what is left: the command's own words */
	char **args;
	int n_args;
	char **argv;                /* of the whole program */
	struct arena arena;
};

int cmd_create(struct cli *c, struct err *e);
int cmd_run(struct cli *c, struct err *e);
int cmd_start(struct cli *c, struct err *e);
int cmd_exec(struct cli *c, struct err *e);
int cmd_state(struct cli *c, struct err *e);
int cmd_list(struct cli *c, struct err *e);
int cmd_kill(struct cli *c, struct err *e);
int cmd_delete(struct cli *c, struct err *e);
int cmd_pause(struct cli *c, struct err *e);
int cmd_resume(struct cli *c, struct err *e);
int cmd_ps(struct cli *c, struct err *e);
int cmd_update(struct cli *c, struct err *e);
int cmd_events(struct cli *c, struct err *e);
int cmd_spec(struct cli *c, struct err *e);
int cmd_features(struct cli *c, struct err *e);
int cmd_checkpoint(struct cli *c, struct err *e);
/* Prints JSON and a newline. */
int cli_print(struct schema_ref t, const void *obj, unsigned flags, struct err *e);
/* Signals wait from here on for cli_attend to pass them on: one that comes right after the start is not lost, nor ends us. */
void cli_hold_signals(void);
/* Between this program's terminal and a container's until it ends (relay.c). Returns its exit code. */
int cli_attend(struct runtime_proc *p, bool tty, struct err *e);
