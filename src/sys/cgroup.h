/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups, v1 (one folder in each hierarchy) and v2 (one folder)
 * behind one face. cgroups(7), Documentation/admin-guide/cgroup-v{1,2}.
 * What is written into which file is decided by the caller
 * (runtime/resources.c makes a plan that a test can read).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { SYS_CGROUP_MAX = 20 };

struct sys_cgroup_hierarchy {
	char names[64];    /* "cpu,cpuacct", "name=systemd"; "" for v2 */
	char mount[200];
};
/* How this machine has its cgroups mounted. */
struct sys_cgroup_layout {
	bool is_v2;        /* unified only; a hybrid machine is v1 */
	unsigned n;
	struct sys_cgroup_hierarchy h[SYS_CGROUP_MAX];
};
/* /sys/fs/cgroup, or what mountinfo says where it is elsewhere. -EOPNOTSUPP when none is mounted. */
int sys_cgroup_layout_read(struct sys_cgroup_layout *ret, struct err *e);

struct sys_cgroup {
	const struct sys_cgroup_layout *layout;
	const char *path;               /* below the roots, "/a/b"; borrowed */
	int dirs[SYS_CGROUP_MAX];       /* O_PATH of the folder in each hierarchy, -1 where there is none */
};
void sys_cgroup_init(struct sys_cgroup *cg);
void sys_cgroup_release(struct sys_cgroup *cg);   /* closes; removes nothing */
static inline void auto_sys_cgroup(struct sys_cgroup *cg) { sys_cgroup_release(cg); }

/* Makes the folders (parents too; v2: turns controllers on along the way; v1 cpuset: inherits cpus and mems). */
int sys_cgroup_make(struct sys_cgroup *ret, const struct sys_cgroup_layout *l, const char *path, struct err *e);
/* Opens what exists; -ENOENT when it exists in no hierarchy. */
int sys_cgroup_open(struct sys_cgroup *ret, const struct sys_cgroup_layout *l, const char *path, struct err *e);
/* The folder for a controller (v2: always the one), or -1. */
int sys_cgroup_dir(const struct sys_cgroup *cg, const char *controller);
int sys_cgroup_write(const struct sys_cgroup *cg, const char *controller, const char *file, const char *value, struct err *e);
int sys_cgroup_read(const struct sys_cgroup *cg, const char *controller, const char *file, struct buf *out);
/* A file that is one number; "max" is UINT64_MAX. -ENOENT and so on when it cannot be read. */
int sys_cgroup_number(const struct sys_cgroup *cg, const char *controller, const char *file, uint64_t *ret);
/* A number behind a key in a flat keyed file ("oom_kill 3"). */
int sys_cgroup_keyed(const struct sys_cgroup *cg, const char *controller, const char *file, const char *key, uint64_t *ret);
/* Opens what a process of one thread writes "0" to in order to enter (v1: tasks; v2: cgroup.procs). Number of descriptors. */
int sys_cgroup_join_open(const struct sys_cgroup *cg, int fds[SYS_CGROUP_MAX], struct err *e);
/* Enters with descriptors from it. */
int sys_cgroup_join(const int *fds, int n, struct err *e);
/* PIDs in it and below it. */
int sys_cgroup_pids(const struct sys_cgroup *cg, struct arena *a, pid_t **ret, uint32_t *n, struct err *e);
/* Signals every process in it and below; SIGKILL uses cgroup.kill or freezes first where it can, so that a fork bomb cannot run away. */
int sys_cgroup_kill(const struct sys_cgroup *cg, int sig, struct err *e);
/* Freezes or thaws and waits until it is so. */
int sys_cgroup_freeze(const struct sys_cgroup *cg, bool frozen, struct err *e);
/* Whether it is frozen (or freezing). */
bool sys_cgroup_is_frozen(const struct sys_cgroup *cg);
/* Removes the folders and those below. -EBUSY when a process is still inside after a quarter of a second. */
int sys_cgroup_remove(const struct sys_cgroup_layout *l, const char *path, struct err *e);
/* Calls for which the hierarchy of a named controller (v1) is at; "" is v2. NULL when not mounted. */
const struct sys_cgroup_hierarchy *sys_cgroup_hierarchy(const struct sys_cgroup_layout *l, const char *controller);

/* One device rule. */
struct sys_device_rule {
	bool allow;
	char type;              /* 'a', 'b', 'c' */
	int64_t major, minor;   /* -1: any */
	bool r, w, m;
};
/* Replaces the device program of a v2 cgroup: the last rule that matches decides; none: denied. */
int sys_cgroup_devices_v2(int cgroup_dir, const struct sys_device_rule *rules, uint32_t n, struct err *e);
