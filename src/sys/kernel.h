/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls and constants that the C library may not have (musl, old
 * glibc): thin wrappers that return -errno. Nothing here decides anything.
 */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#define SYS_fspick 433
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static inline long k_ret(long r)
{
	return r < 0 ? -errno : r;
}
static inline int k_open_tree(int dir, const char *path, unsigned flags)
{
	return (int)k_ret(syscall(SYS_open_tree, dir, path, flags));
}
static inline int k_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags)
{
	return (int)k_ret(syscall(SYS_move_mount, from, from_path, to, to_path, flags));
}
static inline int k_fsopen(const char *type, unsigned flags)
{
	return (int)k_ret(syscall(SYS_fsopen, type, flags));
}
static inline int k_fsconfig(int fd, unsigned cmd, const char *key, const void *value, int aux)
{
	return (int)k_ret(syscall(SYS_fsconfig, fd, cmd, key, value, aux));
}
static inline int k_fsmount(int fd, unsigned flags, unsigned attrs)
{
	return (int)k_ret(syscall(SYS_fsmount, fd, flags, attrs));
}
/* struct mount_attr under another name: musl's and glibc's headers disagree about who defines it. */
struct k_mount_attr {
	uint64_t attr_set, attr_clr, propagation, userns_fd;
};
static inline int k_mount_setattr(int dir, const char *path, unsigned flags, const struct k_mount_attr *a)
{
	return (int)k_ret(syscall(SYS_mount_setattr, dir, path, flags, a, sizeof *a));
}
static inline int k_pidfd_open(pid_t pid, unsigned flags)
{
	return (int)k_ret(syscall(SYS_pidfd_open, pid, flags));
}
static inline int k_pidfd_signal(int pidfd, int sig)
{
	return (int)k_ret(syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0));
}
static inline int k_pivot_root(const char *new_root, const char *put_old)
{
	return (int)k_ret(syscall(SYS_pivot_root, new_root, put_old));
}
static inline int k_close_range(unsigned from, unsigned to, unsigned flags)
{
	return (int)k_ret(syscall(SYS_close_range, from, to, flags));
}
/* struct clone_args, complete since 5.7. */
struct k_clone_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
/* Like fork; the child runs on a copy of everything. Only for processes with one thread. */
static inline pid_t k_clone3(const struct k_clone_args *a, size_t size)
{
	return (pid_t)k_ret(syscall(SYS_clone3, a, size));
}
