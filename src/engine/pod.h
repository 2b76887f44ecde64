/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers of pods: what the container runtime interface (cri/) needs beside
 * Docker's use cases. They have owner `cri`: Docker's API neither lists nor
 * finds them, and these calls find no others. They run by the same shim,
 * runtime, records and life cycle.
 *
 * A pod's sandbox is not a container here but what its containers join: a
 * network namespace of net/, IPC and UTS namespaces and a /dev/shm that are
 * kept by bind mounts below RUN/pods/ID, without a process. Records of
 * sandboxes are the CRI server's (kv "sandbox/ID").
 *
 * Everything on the engine's loop, *_wait functions in a fiber.
 */
#pragma once
#include "engine/engine.h"

/* --- what the containers of a pod share ------------------------------------ */
struct pod_share {
	const char *id;                    /* of the sandbox */
	const char *hostname;              /* of its UTS namespace; NULL: no such namespace (the host's) */
	bool ipc;                          /* an IPC namespace and /dev/shm of its own */
	int64_t shm_bytes;                 /* 0: 64 MiB */
	const struct schema_pair *sysctls; /* of the IPC and UTS namespaces: kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.* */
	uint32_t n_sysctls;
};
/* RUN/pods/ID with uts, ipc, shm/. What an earlier try left is replaced. */
int pod_share_open_wait(struct engine *eng, const struct pod_share *s, struct err *e);
void pod_share_close_wait(struct engine *eng, const char *id);
/* Path of one of them: "uts", "ipc", "shm"; "" for the folder. */
const char *pod_share_path(struct engine *eng, const char *id, const char *what, struct arena *a);
/* Is it there? Not after a boot. */
bool pod_share_is(struct engine *eng, const struct pod_share *s);
/* Ids of all that are there, for what a crash left behind. */
int pod_share_list(struct engine *eng, struct arena *a, const char ***ret, uint32_t *n);

/* The outermost part of a cgroup path that no hierarchy has; "" when it is there (or is no such path). NULL without memory. */
const char *pod_cgroup_missing_wait(struct engine *eng, const char *path, struct arena *a);
/* Removes path and what is above it up to top, as far as nothing is in them. */
void pod_cgroup_remove_wait(struct engine *eng, const char *path, const char *top);

/* --- containers ------------------------------------------------------------ */
struct pod_mount {
	const char *source, *target;       /* a missing source becomes a folder */
	const char *image, *subpath;       /* instead of source: an image's id, read only */
	const char *propagation;           /* NULL: rprivate; rslave, rshared */
	bool read_only, recursive;         /* recursive: what is mounted below is read-only too */
};
/* Namespaces: path of a file to join, "host", NULL: one of its own. */
struct pod_container {
	const char *sandbox;
	/* image: its id. Command, environment, user, terminal, limits, capabilities, security options, devices; no networks, mounts, names. */
	const struct docker_container_create *body;
	const struct pod_mount *mounts;
	uint32_t n_mounts;
	const char *net, *ipc, *uts, *pid;
	const char *shm;                   /* folder that becomes /dev/shm; NULL: a tmpfs of its own */
	const char *files;                 /* folder whose hostname, hosts and resolv.conf go to /etc, those that are there */
	const char *log;                   /* file in CRI's format; NULL: no log */
	bool strict_groups;                /* no groups of the image beyond those named */
	struct slice keep;                 /* JSON that pod_get gives back */
};
int pod_create_wait(struct engine *eng, const struct pod_container *how, char ret_id[65], struct err *e);
/* -EALREADY: runs. A start that fails leaves it exited, with `error`. */
int pod_start_wait(struct engine *eng, const char *id, struct err *e);
/* 0 also when it does not run. timeout_s < 0: its image's. */
int pod_stop_wait(struct engine *eng, const char *id, int64_t timeout_s, struct err *e);
/* Kills it first. 0 also when there is none. */
int pod_remove_wait(struct engine *eng, const char *id, struct err *e);
/* New limits, running or not: memory, swap, cpu_period, cpu_quota, cpu_shares, cpusets of h; 0 or NULL leaves one as it is. */
int pod_update_wait(struct engine *eng, const char *id, const struct docker_host_config *h, struct err *e);
int pod_reopen_log_wait(struct engine *eng, const char *id, struct err *e);

enum pod_state { POD_CREATED, POD_RUNNING, POD_EXITED };
/* Strings live as long as the container does not change: copy before suspending. */
struct pod_view {
	const char *id, *sandbox, *image, *error, *log;
	enum pod_state state;
	int64_t created_ns, started_ns, finished_ns;   /* 0: not yet */
	int64_t exit_code, pid;
	bool oom;
	bool has_user;                     /* it was started as: */
	uint32_t uid, gid;
	const uint32_t *groups;
	uint32_t n_groups;
	struct slice keep;
	const struct docker_host_config *host;
	const struct docker_container_config *config;
};
/* By id or a unique prefix; -ENOENT. */
int pod_get(struct engine *eng, const char *id, struct pod_view *ret, struct err *e);
/* All, in order of creation; *pos starts at 0. */
bool pod_next(struct engine *eng, size_t *pos, struct pod_view *ret);
/* fn is told of "create" "start" "die" "oom" "destroy" on the loop; it must not suspend. One listener. */
void pod_listen(struct engine *eng, void (*fn)(void *arg, const char *id, const char *sandbox, const char *action), void *arg);
struct shim_stats;
int pod_stats_wait(struct engine *eng, const char *id, struct arena *a, struct shim_stats **ret, struct err *e);
/* Bytes (and inodes) of its writable layer, at most a minute old. */
int pod_disk_wait(struct engine *eng, const char *id, uint64_t *ret_bytes, uint64_t *ret_inodes);

/* "CAP_NET_ADMIN", "ALL": one that there is? */
bool pod_capability_is(const char *name);

/* --- commands inside, and streams ------------------------------------------- */
struct pod_exec {
	const char *container;
	const char *const *cmd;
	uint32_t n_cmd;
	bool tty, in, out, err;
};
/* Runs a command to its end, at most timeout_ns (<= 0: none; then it is killed: -ETIMEDOUT). Output past a buffer's ceiling is dropped. */
int pod_exec_sync_wait(struct engine *eng, const char *container, const char *const *cmd, uint32_t n_cmd, int64_t timeout_ns,
		       struct buf *out, struct buf *err, int *ret_code, struct err *e);

/*
 * A session's stream: what is written is standard input (half-close ends it), what is read is output, with a terminal as it is,
 * else in frames of {stream 1 or 2, 0, 0, 0, length as four bytes big-endian} and data. It ends with the process.
 */
struct pod_session;
int pod_exec_open_wait(struct engine *eng, const struct pod_exec *how, struct pod_session **ret, struct err *e);
/* Joins the streams of a running container; *tty says how they are framed. */
int pod_attach_open_wait(struct engine *eng, const char *id, bool in, bool out, bool err, struct pod_session **ret, bool *tty, struct err *e);
struct stream *pod_session_stream(struct pod_session *s);
int pod_session_resize_wait(struct pod_session *s, unsigned height, unsigned width, struct err *e);
/* Of an exec, once its stream has ended: 0 and the code, -ETIMEDOUT. */
int pod_session_code_wait(struct pod_session *s, int64_t timeout_ns, int *ret_code, struct err *e);
/* Closes the stream; a command that still runs is killed. Suspends. */
void pod_session_close_wait(struct pod_session *s);
