/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCI: specification -> process. In-process interface for the command line
 * (main/runtime.c) and the shim. Source: opencontainers/runtime-spec 1.2/1.3.
 *
 * The caller has exactly one thread. runtime_create and runtime_exec clone from
 * the calling process, which becomes the direct parent of the new process
 * (through CLONE_PARENT where a namespace that must be joined first needs an
 * intermediate process, which is reaped before the call returns). The caller
 * reaps the process itself (waitid on pidfd). All calls block, for
 * milliseconds, unless a hook takes longer; there is no loop here.
 *
 * Every failure is one sentence in struct err, also when it happened between
 * clone and exec or in a hook. A failed create or exec leaves nothing behind.
 *
 * On disk: STATE_ROOT/ID/state.json (api/runtime, "state"), STATE_ROOT/ID/config.json
 * (the specification as given). Whoever knows STATE_ROOT and ID can list,
 * kill, exec, update and delete, so also `coracle-runtime --root STATE_ROOT …`
 * for containers that a shim made.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct oci_spec;
struct oci_process;
struct oci_linux_resources;
struct schema_pair;

enum runtime_cgroup_manager {
	RUNTIME_CGROUPFS,      /* linux.cgroupsPath is a path below each hierarchy's root; default "/ID" */
	RUNTIME_SYSTEMD,       /* "slice:prefix:name", a transient scope made over D-Bus */
	RUNTIME_NO_CGROUPS,    /* stay where the caller is */
};

/* The standard streams of a new process. */
struct runtime_stdio {
	int fds[3];                 /* duplicated onto 0, 1, 2; the caller keeps and closes its own. -1 means the caller's own 0, 1, 2.
	                               Ignored where the process has a terminal */
	int console_socket;         /* connected Unix socket that is sent the terminal's master (one message, its path as
	                               payload), or -1: the master is then handed back in struct runtime_proc */
};

struct runtime_create_args {
	const char *state_root;     /* folder of all containers' states; made when missing */
	const char *id;             /* [A-Za-z0-9_+.-]+, at most 255 bytes */
	const char *bundle;         /* absolute; root.path is relative to it */
	const struct oci_spec *spec;
	struct slice spec_text;     /* the JSON that spec was decoded from, kept as ID/config.json; empty: encoded from spec */
	struct runtime_stdio stdio;
	enum runtime_cgroup_manager cgroup_manager;
	unsigned preserve_fds;      /* descriptors 3 … 3+n-1 stay open in the process (all else is closed) */
	bool no_pivot;              /* MS_MOVE + chroot instead of pivot_root (root file system is an initramfs) */
	bool no_new_keyring;        /* keep the caller's session keyring */
	bool start_socket;          /* also listen in STATE_ROOT/ID/ so that another process can start it (`create` of the
	                               command line). Without it only the caller can, through struct runtime_proc */
};

/* A process that was made. runtime_proc_release closes the descriptors; it does not kill. */
struct runtime_proc {
	pid_t pid;                  /* in the caller's PID namespace */
	int pidfd;
	int master;                 /* terminal's master, or -1 */
	int start_fd;               /* what runtime_start writes to; -1 for exec and after start */
};
#define RUNTIME_PROC_INIT ((struct runtime_proc){ .pid = -1, .pidfd = -1, .master = -1, .start_fd = -1 })
void runtime_proc_release(struct runtime_proc *p);
static inline void auto_runtime_proc(struct runtime_proc *p) { runtime_proc_release(p); }

/*
 * Namespaces, mounts, limits, everything up to the user's program, which waits
 * for runtime_start. The executable has been looked for: ENOENT
 * (`exec: "x": executable file not found in $PATH`) and EACCES errors come
 * from here. Hooks prestart, createRuntime and createContainer have run.
 * Errors: -EEXIST the id is taken, -EINVAL the specification is wrong (the
 * sentence names the field), or what the kernel said.
 */
int runtime_create(const struct runtime_create_args *args, struct runtime_proc *ret, struct err *e);

/*
 * Lets the user's program run: startContainer hooks, exec, poststart hooks.
 * Returns when exec has succeeded; on an error from exec the process has
 * exited (the caller reaps it and calls runtime_delete).
 * p: from runtime_create in the same process; NULL: through the start socket.
 */
int runtime_start(const char *state_root, const char *id, struct runtime_proc *p, struct err *e);

struct runtime_exec_args {
	const char *state_root;
	const char *id;
	const struct oci_process *process;  /* what is absent (capabilities, labels, no_new_privileges…) is NOT taken from the
	                                       container's own: see runtime_exec_process */
	struct runtime_stdio stdio;
	unsigned preserve_fds;
	bool ignore_paused;         /* exec in a paused container instead of -EBUSY */
	const char *cgroup;         /* sub-cgroup for the process, relative to the container's, or NULL */
	bool keep_process_fields;   /* reserved for --process files: use process exactly as given (seccomp still is the container's) */
};
/* Runs a process in a running container: returns when its exec has succeeded. Errors: -ENOENT no container, -ESRCH it is not running. */
int runtime_exec(const struct runtime_exec_args *args, struct runtime_proc *ret, struct err *e);

/*
 * A copy, in the arena, of the container's own process from its config.json,
 * to be changed (args, env, user, cwd, terminal) and given to runtime_exec:
 * what `exec` without --process starts from.
 */
int runtime_exec_process(const char *state_root, const char *id, struct arena *a, struct oci_process *ret, struct err *e);

/* Signal to init (all: to every process of the container's cgroup). -ESRCH: it is not running ("container not running"). */
int runtime_kill(const char *state_root, const char *id, int signal, bool all, struct err *e);
int runtime_pause(const char *state_root, const char *id, struct err *e);
int runtime_resume(const char *state_root, const char *id, struct err *e);
/* Changes limits; fields that are absent stay as they are. */
int runtime_update(const char *state_root, const char *id, const struct oci_linux_resources *r, struct err *e);

enum runtime_status { RUNTIME_CREATING, RUNTIME_CREATED, RUNTIME_RUNNING, RUNTIME_PAUSED, RUNTIME_STOPPED };
const char *runtime_status_text(enum runtime_status s);   /* "creating" … as the specification spells it */

/* What is known of a container; the strings live in the arena. */
struct runtime_info {
	const char *id, *bundle, *rootfs, *created /* RFC 3339 */, *owner;
	enum runtime_status status;
	pid_t pid;                  /* 0 when stopped */
	uint64_t pid_start;         /* field 22 of /proc/PID/stat: tells a reused pid */
	enum runtime_cgroup_manager cgroup_manager;
	const char *cgroup;         /* path below the hierarchies' roots, e.g. "/docker/ID"; NULL without cgroups */
	const char *scope;          /* systemd unit, or NULL */
	const struct schema_pair *annotations;
	uint32_t n_annotations;
};
int runtime_state(const char *state_root, const char *id, struct arena *a, struct runtime_info *ret, struct err *e);
/* All containers below state_root, by id; one whose state cannot be read is left out. */
int runtime_list(const char *state_root, struct arena *a, struct runtime_info **ret, uint32_t *n_ret, struct err *e);
/* PIDs in the container's cgroup. */
int runtime_ps(const char *state_root, const char *id, struct arena *a, pid_t **ret, uint32_t *n_ret, struct err *e);

/*
 * Removes state and cgroups, runs poststop hooks. force: kills what still
 * runs first, and one that does not exist, or was half made when its
 * maker was killed, is no error. Without it a running one is -EBUSY. In the
 * shim: reap init before.
 */
int runtime_delete(const char *state_root, const char *id, bool force, struct err *e);

/* Counters of the container's cgroup, v1 and v2 alike; what is not available is 0, limits that are not set are UINT64_MAX. */
struct runtime_blkio_entry { uint64_t major, minor; const char *op /* "Read" "Write" "Sync" "Async" "Discard" "Total" */; uint64_t value; };
struct runtime_stat { const char *key; uint64_t value; };
struct runtime_stats {
	uint64_t cpu_usage_ns, cpu_user_ns, cpu_system_ns;
	uint64_t *cpu_per_cpu_ns;   /* v1 only */
	uint32_t n_cpu_per_cpu_ns;
	uint64_t cpu_periods, cpu_throttled, cpu_throttled_ns;
	uint64_t memory_usage, memory_max_usage, memory_limit, memory_failcnt;
	uint64_t swap_usage, swap_limit, kernel_usage;
	struct runtime_stat *memory_stat;   /* memory.stat as it is */
	uint32_t n_memory_stat;
	uint64_t pids_current, pids_limit;
	struct runtime_blkio_entry *io_bytes, *io_ops;
	uint32_t n_io_bytes, n_io_ops;
	uint64_t oom_kills;
	bool is_v2;
};
int runtime_stats(const char *state_root, const char *id, struct arena *a, struct runtime_stats *ret, struct err *e);

/*
 * A descriptor that becomes readable when the container's memory events change:
 * v1: an eventfd on memory.oom_control (read 8 bytes); v2: an inotify on
 * memory.events (read and drop what it says). After each wake-up ask
 * runtime_oom_kills and compare. -EOPNOTSUPP without a memory cgroup.
 */
int runtime_oom_watch(const char *state_root, const char *id, struct err *e);
/* Number of processes that the kernel killed for memory in the container, so far (v1: oom_control's oom_kill, v2: memory.events). */
int runtime_oom_kills(const char *state_root, const char *id, uint64_t *ret, struct err *e);

/*
 * Re-executes the calling program from a detached read-only mount of itself
 * (a sealed copy where that cannot be), so that a container cannot write to
 * it through /proc/PID/exe (CVE-2019-5736); returns when it already is. Call
 * first in main of whatever will call runtime_create or runtime_exec.
 */
int runtime_protect(char **argv, struct err *e);

/* Checks an id; -EINVAL with runc's wording. */
int runtime_check_id(const char *id, struct err *e);
