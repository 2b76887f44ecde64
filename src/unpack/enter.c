/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a root process in the host's namespaces to a worker whose "/" is the
 * job's target. Order: private mount namespace; source and target opened as
 * detached mounts (or the container's mount namespace joined); pivot_root; the
 * helper forked where a job needs one; network closed by seccomp; all
 * capabilities but six dropped. What stays open: standard streams, the report,
 * the roots.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "sys/caps.h"
#include "sys/kernel.h"
#include "sys/mounts.h"
#include "sys/overlay.h"
#include "unpack/unpack_int.h"

#define KEPT (1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_FOWNER | 1ULL << CAP_FSETID | 1ULL << CAP_MKNOD | 1ULL << CAP_SETFCAP)

/* Field 22 of /proc/PID/stat: behind the last ')', the 20th. */
static int pid_start(pid_t pid, uint64_t *ret)
{
	char path[32];
	AUTO(buf) struct buf b = BUF_INIT(4096);
	fmt_into(path, sizeof path, "/proc/%d/stat", (int)pid);
	int r = file_read(AT_FDCWD, path, &b);
	if (r < 0)
		return r;
	ptrdiff_t p = slice_rfind(buf_slice(&b), ')');
	if (p < 0 || (size_t)p + 2 > b.len)
		return -EBADMSG;
	struct slice rest = slice_n(b.ptr + p + 2, b.len - (size_t)p - 2), piece = { 0 };
	for (int i = 0; i < 20; i++)
		if (!slice_next(&rest, ' ', &piece))
			return -EBADMSG;
	return num_parse_u64(piece, UINT64_MAX, ret);
}

static int ns_open(const struct unpack_root *t, struct err *e)
{
	char path[40];
	uint64_t start;
	fmt_into(path, sizeof path, "/proc/%lld/ns/mnt", (long long)t->pid);
	AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno == ENOENT ? ESRCH : errno, "open the mount namespace of process %lld", (long long)t->pid);
	if (t->pid_start && (pid_start((pid_t)t->pid, &start) < 0 || start != t->pid_start))
		return err_set(e, ESRCH, "process %lld is gone", (long long)t->pid);
	return take_fd(&fd);
}

static int put_bind(int root, const struct unpack_bind *b, struct err *e)
{
	AUTO(close) int from = sys_bind_open(AT_FDCWD, b->source, true);
	if (from < 0)
		return err_sys(e, from, "open %s", b->source);
	int r = b->read_only ? sys_mount_setattr(from, MOUNT_ATTR_RDONLY, 0, true) : 0;
	if (r < 0)
		return err_sys(e, r, "make %s read-only", b->source);
	AUTO(close) int at = unpack_open_in(root, b->target, O_PATH);
	/* never mounted since there: nothing of it can be seen */
	if (at == -ENOENT)
		return 0;
	if (at < 0)
		return err_sys(e, at, "open %s in the target", b->target);
	r = sys_mount_attach(from, at);
	return r < 0 ? err_sys(e, r, "mount on %s in the target", b->target) : 0;
}

/* A detached mount of what t names (not for pid). */
static int root_open(const struct unpack_root *t, struct err *e)
{
	if (t->dir) {
		int fd = sys_bind_open(AT_FDCWD, t->dir, false);
		if (fd < 0)
			return err_sys(e, fd, "open %s", t->dir);
		sys_mount_setattr(fd, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0, false);
		return fd;
	}
	if (!t->n_lower)
		return err_set(e, EINVAL, "unpack job: no target");
	if (t->upper && !t->work)
		return err_set(e, EINVAL, "unpack job: upper without work");
	return sys_overlay_open((const char *const *)t->lower, t->n_lower, t->upper, t->work, e);
}

static int no_network(struct err *e)
{
	static const int closed[] = { SYS_socket, SYS_connect, SYS_bind, SYS_listen, SYS_accept4, SYS_sendto, SYS_ptrace,
				      SYS_mount, SYS_execve, SYS_execveat, SYS_bpf, SYS_setns, SYS_unshare };
	enum { N = ARRAY_LEN(closed) };
	struct sock_filter f[5 + N + 2] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
#if defined(__x86_64__)
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
#elif defined(__aarch64__)
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_AARCH64, 1, 0),
#else
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 1),
#endif
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		/* the x32 numbers */
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, N + 1, 0),
	};
	for (size_t i = 0; i < N; i++)
		f[5 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)closed[i], (uint8_t)(N - i), 0);
	f[5 + N] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	f[6 + N] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	struct sock_fprog prog = { ARRAY_LEN(f), f };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return err_sys(e, errno, "close the network");
	return 0;
}

static int confine(struct unpack *u, struct err *e)
{
	const char *op = u->job->op;
	int r;
	if (!strcmp(op, "layer") || !strcmp(op, "pack") || !strcmp(op, "changes"))
		if ((r = unpack_helper_fork(&u->helper, e)) < 0)
			return r;
	struct sys_caps caps = { .effective = KEPT, .permitted = KEPT };
	if ((r = sys_caps_set(&caps, e)) < 0)
		return r;
	return no_network(e);
}

/* Attaches the root, what is to be mounted in it, and makes it "/". */
static int pivot(const struct unpack_root *t, int root, struct err *e)
{
	AUTO(close) int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = slash < 0 ? -errno : sys_mount_attach(root, slash);
	if (r < 0)
		return err_sys(e, r, "mount the target");
	for (uint32_t i = 0; r == 0 && i < t->n_mounts; i++)
		r = put_bind(root, &t->mounts[i], e);
	if (r < 0)
		return r;
	if (fchdir(root) < 0)
		return err_sys(e, errno, "enter the target");
	if (k_pivot_root(".", ".") == 0)
		umount2(".", MNT_DETACH);
	else if (chroot(".") < 0)
		return err_sys(e, errno, "enter the target");
	return chdir("/") < 0 ? err_sys(e, errno, "enter the target") : 0;
}

/* The diff of a container is its upper folder against what is below. */
static int changes_open(struct unpack *u, struct err *e)
{
	struct unpack_root t = u->job->target;
	if (!t.upper || !t.n_lower)
		return err_set(e, EINVAL, "unpack job: changes needs lower and upper");
	u->upper = sys_bind_open(AT_FDCWD, t.upper, false);
	if (u->upper < 0)
		return err_sys(e, u->upper, "open %s", t.upper);
	t.upper = t.work = NULL;
	return root_open(&t, e);
}

int unpack_enter(struct unpack *u, struct err *e)
{
	const struct unpack_job *j = u->job;
	AUTO(close) int ns = -1;
	AUTO(close) int root = -1;
	if (j->target.pid && (ns = ns_open(&j->target, e)) < 0)
		return ns;
	if (unshare(CLONE_NEWNS | CLONE_FS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, errno, "make a mount namespace");
	if (j->source && (u->source = root_open(j->source, e)) < 0)
		return u->source;
	if (ns >= 0) {
		if (setns(ns, CLONE_NEWNS) < 0)
			return err_sys(e, errno, "join the mount namespace of process %lld", (long long)j->target.pid);
		/* a namespace of our own, so that nothing we do to mounts is seen */
		if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			return err_sys(e, errno, "make a mount namespace");
		/* export and pack want the root file system alone, not what is mounted on it */
		if (!strcmp(j->op, "export") || !strcmp(j->op, "du"))
			if ((root = sys_bind_open(AT_FDCWD, "/", false)) < 0)
				return err_sys(e, root, "open the root of process %lld", (long long)j->target.pid);
	} else if (!strcmp(j->op, "changes"))
		root = changes_open(u, e);
	else
		root = root_open(&j->target, e);
	if (root < 0 && ns < 0)
		return root;
	int r = root >= 0 ? pivot(&j->target, root, e) : 0;
	if (r < 0)
		return r;
	if ((u->root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_sys(e, errno, "open the target");
	if (u->source < 0)
		u->source = u->root;
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	umask(0);
	return confine(u, e);
}
