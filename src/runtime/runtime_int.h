/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the runtime. create.c (parent) and init.c (child) share a struct
 * job: everything that the child needs is computed before the clone and
 * reaches it by the copy of the address space, so that the two talk only about
 * what happens (sync.c).
 */
#pragma once
#include <linux/filter.h>
#include "api/oci.h"
#include "api/runtime.h"
#include "base/auto.h"
#include "runtime/runtime.h"
#include "sys/caps.h"
#include "sys/cgroup.h"
#include "sys/seccomp.h"

enum { RUNTIME_ARENA_MAX = 64 << 20, RUNTIME_SPEC_MAX = 16 << 20 };

/* --- state.c ------------------------------------------------------------ */
/* O_PATH of STATE_ROOT/ID; -ENOENT "container ID does not exist". */
int state_dir_open(const char *state_root, const char *id, struct err *e);
/* Makes it, exclusively; -EEXIST. */
int state_dir_make(const char *state_root, const char *id, struct err *e);
int state_write(int dir, const struct runtime_state *s, struct err *e);
int state_read(int dir, struct arena *a, struct runtime_state *ret, struct err *e);
int state_write_file(int dir, const char *name, struct slice text, struct err *e);
int state_read_spec(int dir, struct arena *a, struct oci_spec *ret, struct err *e);
/* Whether config.json has a word anywhere: cheaper than decoding it to find that there are no hooks. */
int state_spec_says(int dir, struct arena *a, const char *word);
/* Everything of a container that commands need. */
struct container {
	struct arena arena;
	int dir;
	struct runtime_state state;
	enum runtime_status status;
	struct sys_cgroup_layout layout;
	struct sys_cgroup cgroup;    /* dirs all -1 without one */
};
/* half_made: a state that cannot be read is no error (delete --force); status is then CREATING. */
int container_open(struct container *c, const char *state_root, const char *id, bool half_made, struct err *e);
void container_release(struct container *c);
static inline void auto_container(struct container *c) { container_release(c); }
/* Start time of a process in clock ticks since boot, and its state letter; -ESRCH. */
int proc_start(pid_t pid, uint64_t *ret_start, char *ret_state);
#define START_SOCKET "start.sock"

/* --- spec.c ------------------------------------------------------------- */
/* What can be refused before anything is made. */
int spec_check(const struct oci_spec *s, struct err *e);
int spec_check_process(const struct oci_process *p, struct err *e);
/* The namespace of a type, or NULL. */
const struct oci_linux_namespace *spec_namespace(const struct oci_spec *s, const char *type);
bool spec_new_namespace(const struct oci_spec *s, const char *type);

/* --- resources.c -------------------------------------------------------- */
struct cgroup_write {
	const char *controller, *file, *value;
	bool optional;               /* a missing file is no error */
};
struct cgroup_plan {
	struct cgroup_write *v;
	uint32_t n;
	struct sys_device_rule *devices;  /* v2: one program; NULL: leave devices alone */
	uint32_t n_devices;
};
/* What to write for resources; pure. with_devices also adds the runtime's own device rules (create). */
int resources_plan(const struct oci_linux_resources *r, bool v2, bool with_devices, struct arena *a, struct cgroup_plan *ret,
		   struct err *e);
int resources_apply(const struct cgroup_plan *p, const struct sys_cgroup *cg, struct err *e);

/* --- sync.c ------------------------------------------------------------- */
enum sync_type {
	SYNC_ERROR = 1,     /* child: err says what failed; it exits */
	SYNC_GO,            /* parent: ids are mapped */
	SYNC_HOOKS,         /* child: mounts are made: run prestart and createRuntime hooks */
	SYNC_HOOKS_DONE,    /* parent */
	SYNC_MASTER,        /* child: the terminal's master is attached */
	SYNC_LISTENER,      /* child: the seccomp listener is attached */
	SYNC_READY,         /* child: waits for START */
	SYNC_START,         /* parent or `start` */
	SYNC_PID,           /* intermediate process: err.code is the pid */
	SYNC_CGROUP,        /* parent: the cgroups are made and limited; enter them */
};
struct sync_msg {
	int type;
	struct err err;
};
int sync_pair(int ret[2], struct err *e);
int sync_send(int fd, enum sync_type type, const struct err *err, int pass_fd);
/* 0; 1 at the end (closed); -errno. *ret_fd (may be NULL) gets a passed descriptor or -1. */
int sync_recv(int fd, struct sync_msg *ret, int *ret_fd);

/* --- job ------------------------------------------------------------------ */
struct job {
	const struct oci_spec *spec;        /* NULL for exec */
	const struct oci_process *process;
	const char *id, *bundle;
	char rootfs[4096];
	struct arena *arena;
	struct runtime_stdio stdio;
	unsigned preserve_fds;
	bool no_pivot, no_new_keyring, in_userns;
	int sync;                           /* the child's end */
	int listen;                         /* start socket, or -1 */
	/* computed before the clone */
	struct sys_caps caps;
	bool has_caps;
	struct sock_fprog seccomp;
	unsigned seccomp_flags;
	bool has_seccomp, seccomp_notify;
	uint64_t clone_flags;               /* namespaces that are new */
	uint64_t unshare_flags;             /* and those that the child makes by itself, while the parent makes the cgroups */
	bool late_cgroup;                   /* enter the cgroups when SYNC_CGROUP has come (init_enter_cgroup) */
	int join_fds[SYS_CGROUP_MAX];
	int n_join;
	struct sys_cgroup_layout *layout;   /* NULL without cgroups */
	const char *cgroup;
	int *mount_fds;                     /* detached bind sources opened by the parent, one a mount, -1 where the child opens */
	int label_fd, start_label_fd;       /* /proc/self/attr/…, -1 */
	int attr_fd;
	const struct oci_linux_seccomp *seccomp_spec;
	const char *exe;                    /* found by process_find */
	const char **argv, **envp;
	pid_t init_pid;
	int init_pidfd;                     /* exec: namespaces to join */
	uint64_t join_flags;                /* exec: CLONE_NEW* of what init has for itself */
};

/* --- process.c: from "in the namespaces" to exec, for init and exec alike --- */
int process_prepare(struct job *j, struct err *e);           /* parent: capabilities, seccomp -> job */
int process_early(struct job *j, struct err *e);             /* child, host's /proc still there: labels, oom score, limits */
int process_credentials(struct job *j, struct err *e);       /* user, groups, capabilities (keeps SYS_ADMIN for seccomp) */
int process_find(struct job *j, struct err *e);              /* chdir, looks for the executable */
int process_exec(struct job *j, struct err *e);              /* labels, seccomp, exec; returns only on failure */
int process_stdio(struct job *j, struct err *e);
int process_terminal(struct job *j, int rootfd, int is_init, struct err *e);

/* --- rootfs.c, devices.c, mount_spec.c ------------------------------------- */
int rootfs_open_sources(struct job *j, struct err *e);       /* parent, user namespaces: fills mount_fds */
int rootfs_mount(struct job *j, int *ret_rootfd, struct err *e);
int rootfs_finish(struct job *j, int rootfd, struct err *e); /* masks, read-only, pivot */
int mount_all(struct job *j, int rootfd, struct err *e);
int mount_cgroup(struct job *j, int rootfd, const struct oci_mount *m, struct err *e);
int devices_make(struct job *j, int rootfd, struct err *e);
int masks_make(struct job *j, int rootfd, struct err *e);

/* --- init.c, userns.c, hooks.c ---------------------------------------------- */
_Noreturn void init_main(struct job *j);
/* Joins the namespaces given by path that j->join_flags names. */
int init_join_paths(struct job *j, struct err *e);
/* Enters the cgroups and their namespace if that has not happened: at the first cgroup mount, else after the mounts. */
int init_enter_cgroup(struct job *j, struct err *e);
int userns_map(pid_t pid, const struct oci_linux *l, struct err *e);
int hooks_run(const struct oci_hook *h, uint32_t n, const char *kind, const char *bundle, const struct oci_state *state,
	      struct err *e);
/* Looks for `name` in PATH of env below the current root; -ENOENT, -EACCES with runc's wording. */
int find_executable(const char *name, const char *const *env, uint32_t n_env, char *dst, size_t size, struct err *e);
/* Sends the terminal's master over a console socket. */
int console_send(int sock, int master, struct err *e);
