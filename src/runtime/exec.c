/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A further process in a running container. The parent only takes the
 * container's PID namespace for its next child, clones, and takes its own
 * back; the child enters the rest through init's pidfd in one call.
 */
#include "runtime/runtime_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/process_int.h"
#include "sys/kernel.h"
#include "sys/names.h"

struct entering {
	const struct runtime_exec_args *args;
	struct container c;
	struct oci_spec spec;
	struct job job;
	int sync, root;
	struct runtime_proc proc;
};

int runtime_exec_process(const char *state_root, const char *id, struct arena *a, struct oci_process *ret, struct err *e)
{
	struct oci_spec spec;
	AUTO(close) int dir = state_dir_open(state_root, id, e);
	int r = dir < 0 ? dir : state_read_spec(dir, a, &spec, e);
	if (r < 0)
		return r;
	*ret = *spec.process;
	return 0;
}

/* Joining one's own user namespace is an error: leave out what init shares with us. */
static bool same_namespace(const char *file, pid_t pid)
{
	char path[64];
	struct stat own, other;
	fmt_into(path, sizeof path, "/proc/self/ns/%s", file);
	if (stat(path, &own) < 0)
		return true;
	fmt_into(path, sizeof path, "/proc/%d/ns/%s", pid, file);
	return stat(path, &other) < 0 || (own.st_ino == other.st_ino && own.st_dev == other.st_dev);
}

static void plan_namespaces(struct entering *x)
{
	for (const struct sys_ns *n = sys_namespaces; n->name; n++)
		if (spec_namespace(&x->spec, n->name) && !(n->flag == CLONE_NEWUSER && same_namespace("user", x->job.init_pid)))
			x->job.join_flags |= n->flag;
}

/* On v2 init may have moved below its own cgroup, which then takes no processes: go where it is. */
static int cgroup_of_init(struct entering *x, struct sys_cgroup *ret, struct err *e)
{
	char path[64];
	struct slice rest, line;
	if (!x->c.cgroup.layout)
		return 0;
	if (x->args->cgroup && *x->args->cgroup) {
		char *sub = arena_fmt(&x->c.arena, "%s/%s", x->c.state.cgroup, x->args->cgroup);
		return sub ? sys_cgroup_open(ret, &x->c.layout, sub, e) : err_nomem(e);
	}
	if (!x->c.layout.is_v2)
		return sys_cgroup_open(ret, &x->c.layout, x->c.state.cgroup, e);
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);
	fmt_into(path, sizeof path, "/proc/%d/cgroup", x->job.init_pid);
	int r = file_read(AT_FDCWD, path, &text);
	if (r < 0)
		return err_sys(e, r, "read %s", path);
	rest = buf_slice(&text);
	while (slice_next(&rest, '\n', &line))
		if (slice_starts(line, "0::")) {
			char *now = arena_dup(&x->c.arena, slice_n(line.ptr + 3, line.len - 3));
			return now ? sys_cgroup_open(ret, &x->c.layout, now, e) : err_nomem(e);
		}
	return err_set(e, ENOENT, "the container's process is in no control group");
}

static int enter(struct entering *x, struct err *e)
{
	struct job *j = &x->job;
	const struct oci_cpu_affinity *cpu = j->process->exec_cpu_affinity;
	int r;
	if (cpu && cpu->initial && *cpu->initial && (r = process_affinity(cpu->initial, e)) < 0)
		return r;
	if ((r = sys_cgroup_join(j->join_fds, j->n_join, e)) < 0)
		return r;
	if (cpu && cpu->final && *cpu->final && (r = process_affinity(cpu->final, e)) < 0)
		return r;
	if ((r = process_early(j, e)) < 0 || (r = process_rlimits(j->process, 0, e)) < 0)
		return r;
	/* From here on the container could see us. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, errno, "protect the process");
	if (setns(j->init_pidfd, (int)(j->join_flags & ~(uint64_t)CLONE_NEWPID)) < 0)
		return err_sys(e, errno, "join the container's namespaces");
	if (!(j->join_flags & CLONE_NEWNS) && x->root >= 0 && (fchdir(x->root) < 0 || chroot(".") < 0))
		return err_sys(e, errno, "enter the container's root");
	if (j->join_flags & CLONE_NEWUSER && (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0))
		return err_sys(e, errno, "become root of the user namespace");
	setsid();
	AUTO(close) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, errno, "open the container's root");
	r = j->process->terminal ? process_terminal(j, root, false, e) : process_stdio(j, e);
	if (r < 0 || (r = process_credentials(j, e)) < 0 || (r = process_find(j, e)) < 0)
		return r;
	return process_exec(j, e);
}

_Noreturn static void child(struct entering *x)
{
	struct err e = { 0 };
	process_signals();
	enter(x, &e);
	(void)sync_send(x->job.sync, SYNC_ERROR, &e, -1);
	_exit(1);
}

static int clone_in(struct entering *x, const struct sys_cgroup *cg, struct err *e)
{
	struct job *j = &x->job;
	int pidfd = -1;
	struct k_clone_args a = { .flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd, .exit_signal = SIGCHLD };
	if (x->c.layout.is_v2 && cg->layout) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (uint64_t)cg->dirs[0];
	}
	AUTO(close) int own = -1;
	if (j->join_flags & CLONE_NEWPID) {
		own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
		if (own < 0 || setns(j->init_pidfd, CLONE_NEWPID) < 0)
			return err_sys(e, errno, "join the container's PID namespace");
	}
	pid_t pid = k_clone3(&a, sizeof a);
	if (pid == 0) {
		close(x->sync);
		child(x);
	}
	int back = own >= 0 && setns(own, CLONE_NEWPID) < 0 ? -errno : 0;
	if (pid < 0)
		return err_sys(e, pid, "make a process in the container");
	x->proc.pid = pid;
	x->proc.pidfd = pidfd;
	return back < 0 ? err_sys(e, back, "return to the PID namespace") : 0;
}

static int until_exec(struct entering *x, struct err *e)
{
	for (;;) {
		struct sync_msg m;
		int fd, r = sync_recv(x->sync, &m, &fd);
		if (r == 1)
			return 0;
		if (r < 0)
			return err_sys(e, r, "talk to the new process");
		if (m.type == SYNC_MASTER && fd >= 0) {
			if (x->args->stdio.console_socket < 0) {
				x->proc.master = fd;
				continue;
			}
			r = console_send(x->args->stdio.console_socket, fd, e);
			close(fd);
			if (r < 0)
				return r;
			continue;
		}
		if (fd >= 0)
			close(fd);
		if (m.type == SYNC_LISTENER)
			return err_set(e, EOPNOTSUPP, "exec in a container with a seccomp agent is not supported");
		if (m.type != SYNC_ERROR)
			return err_set(e, EPROTO, "the new process said something unknown");
		if (e)
			*e = m.err;
		return -m.err.code;
	}
}

static int open_container(struct entering *x, struct err *e)
{
	const struct runtime_exec_args *a = x->args;
	int r = container_open(&x->c, a->state_root, a->id, false, e);
	if (r < 0)
		return r;
	if (x->c.status == RUNTIME_STOPPED || x->c.status == RUNTIME_CREATING)
		return err_set(e, ESRCH, "cannot exec in a stopped container");
	if (x->c.status == RUNTIME_PAUSED && !a->ignore_paused)
		return err_set(e, EBUSY, "cannot exec in a paused container (use --ignore-paused to override)");
	return state_read_spec(x->c.dir, &x->c.arena, &x->spec, e);
}

static int run(struct entering *x, struct err *e)
{
	const struct runtime_exec_args *a = x->args;
	struct job *j = &x->job;
	int pair[2], r = spec_check_process(a->process, e);
	if (r < 0 || (r = open_container(x, e)) < 0)
		return r;
	j->process = a->process;
	j->id = a->id;
	j->bundle = x->c.state.bundle;
	j->arena = &x->c.arena;
	j->stdio = a->stdio;
	j->preserve_fds = a->preserve_fds;
	j->seccomp_spec = x->spec.linux ? x->spec.linux->seccomp : NULL;
	j->init_pid = (pid_t)x->c.state.pid;
	if ((r = process_prepare(j, e)) < 0)
		return r;
	AUTO(close) int pidfd = k_pidfd_open(j->init_pid, 0);
	uint64_t start;
	char letter;
	if (pidfd < 0 || proc_start(j->init_pid, &start, &letter) < 0 || start != x->c.state.pid_start)
		return err_set(e, ESRCH, "cannot exec in a stopped container");
	j->init_pidfd = pidfd;
	plan_namespaces(x);
	char path[64];
	fmt_into(path, sizeof path, "/proc/%d/root", j->init_pid);
	AUTO(close) int root = j->join_flags & CLONE_NEWNS ? -1 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	x->root = root;
	AUTO(sys_cgroup) struct sys_cgroup cg;
	sys_cgroup_init(&cg);
	if ((r = cgroup_of_init(x, &cg, e)) < 0)
		return r;
	if (cg.layout && !x->c.layout.is_v2 && (r = j->n_join = sys_cgroup_join_open(&cg, j->join_fds, e)) < 0)
		return r;
	r = sync_pair(pair, e);
	if (r == 0) {
		x->sync = pair[0];
		j->sync = pair[1];
		r = clone_in(x, &cg, e);
		close(pair[1]);
	}
	for (int i = 0; i < j->n_join; i++)
		close(j->join_fds[i]);
	if (r == 0)
		r = until_exec(x, e);
	if (x->sync >= 0)
		close(x->sync);
	return r;
}

int runtime_exec(const struct runtime_exec_args *args, struct runtime_proc *ret, struct err *e)
{
	struct entering *x = calloc(1, sizeof *x);
	if (!x)
		return err_nomem(e);
	x->args = args;
	x->c.dir = x->sync = x->root = -1;
	x->job.listen = x->job.sync = -1;
	sys_cgroup_init(&x->c.cgroup);
	arena_init(&x->c.arena, RUNTIME_ARENA_MAX);
	x->proc = RUNTIME_PROC_INIT;
	int r = run(x, e);
	if (r < 0) {
		if (x->proc.pid > 0) {
			kill(x->proc.pid, SIGKILL);
			waitpid(x->proc.pid, NULL, 0);
		}
		runtime_proc_release(&x->proc);
	} else {
		*ret = x->proc;
	}
	container_release(&x->c);
	free(x);
	return r;
}
