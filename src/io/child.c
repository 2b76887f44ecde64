// SPDX-License-Identifier: Apache-2.0
/*
 * Children. Spawning shares memory with the child until it executes (clone
 * with CLONE_VM | CLONE_VFORK), so its cost does not grow with the parent, and
 * the child can leave the reason of a failure in a struct of the parent's. The
 * child makes raw system calls only: libc's wrappers would act on the parent's
 * state (and sanitizers would watch them).
 */
#include "io/loop_int.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/assert.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
enum { CHILD_STACK_BYTES = 64 * 1024, FDS_MAX = 256 };

struct birth {
	const struct spawn *how;
	const char *const *envp;
	int moved[FDS_MAX];
	unsigned n_fds;
	int failed;                /* errno */
	const char *what;          /* the step that failed */
};

#if defined(__clang__)
#define BARE __attribute__((no_sanitize("address", "thread", "undefined"), no_stack_protector))
#else
#define BARE __attribute__((no_sanitize("address", "thread", "undefined"), optimize("no-stack-protector")))
#endif

#define TRY(step, call) do { if ((call) < 0) { b->failed = errno; b->what = (step); goto out; } } while (0)

/* struct sigaction as the kernel has it. */
struct kernel_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	unsigned long mask;
};

BARE static void default_signals(void)
{
	struct kernel_sigaction dfl = { 0 };

	for (int s = 1; s <= 64; s++)
		if (s != SIGKILL && s != SIGSTOP)
			syscall(SYS_rt_sigaction, s, &dfl, NULL, 8);
}

BARE static int child_main(void *arg)
{
	struct birth *b = arg;
	const struct spawn *how = b->how;
	unsigned long no_signals = 0;
	int null_fd = -1;

	default_signals();
	if (how->new_session)
		TRY("setsid", syscall(SYS_setsid));
	/* First out of the way of the targets, then into place. */
	for (unsigned i = 0; i < b->n_fds; i++) {
		int from = i < how->n_fds ? how->fds[i] : -1;

		if (from < 0) {
			if (null_fd < 0)
				TRY("open /dev/null", null_fd = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0));
			from = null_fd;
		}
		TRY("duplicate a descriptor", b->moved[i] = (int)syscall(SYS_fcntl, from, F_DUPFD_CLOEXEC, (long)b->n_fds));
	}
	for (unsigned i = 0; i < b->n_fds; i++)
		TRY("place a descriptor", syscall(SYS_dup3, b->moved[i], (int)i, 0));
	TRY("close descriptors", syscall(SYS_close_range, b->n_fds, ~0U, 0));
	if (how->uid) {
		TRY("setgroups", syscall(SYS_setgroups, 0, NULL));
		TRY("setgid", syscall(SYS_setresgid, how->gid, how->gid, how->gid));
		TRY("setuid", syscall(SYS_setresuid, how->uid, how->uid, how->uid));
	}
	if (how->cwd)
		TRY("enter the working directory", syscall(SYS_chdir, how->cwd));
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, 8);
	syscall(SYS_execve, how->path, how->argv, b->envp);
	b->failed = errno;
	b->what = "execute";
out:
	syscall(SYS_exit_group, 127);
	__builtin_unreachable();
}

static void child_ready(struct watch *w, unsigned events)
{
	struct child *c = container_of(w, struct child, watch);
	siginfo_t si = { 0 };
	int status;

	if (waitid((idtype_t)P_PIDFD, (id_t)c->pidfd, &si, WEXITED | WNOHANG) < 0)
		status = 0xff00;        /* reaped by somebody else: its status is lost */
	else if (si.si_pid == 0)
		return;
	else
		status = si.si_code == CLD_EXITED ? (si.si_status & 0xff) << 8 : si.si_status | (si.si_code == CLD_DUMPED ? 0x80 : 0);
	w->loop->n_children--;
	watch_del(w);
	close(take_fd(&c->pidfd));
	c->exited(c, status);
}

/* glibc's clone under the name that the thread sanitizer does not replace: its version prepares the child for a copy of memory, and
 * here would leave the parent itself in that state. */
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);

/* Runs child_main to its exec on a stack of its own; pid or -errno. */
static pid_t give_birth(struct birth *b, int *pidfd)
{
	char *stack = mmap(NULL, CHILD_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	sigset_t all, before;
	pid_t pid;
	int saved;

	if (stack == MAP_FAILED)
		return -errno;
	/* No handler of ours may run in the child. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = __clone(child_main, stack + CHILD_STACK_BYTES, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, b, pidfd);
	saved = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	munmap(stack, CHILD_STACK_BYTES);
	if (b->how->uid)
		prctl(PR_SET_DUMPABLE, 1);      /* the child's change of user cleared it for the memory that it shared */
	return pid < 0 ? -saved : pid;
}

int child_spawn(struct loop *l, struct child *c, const struct spawn *how, void (*exited)(struct child *, int), struct err *e)
{
	static const char *const least_env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	struct birth b = { .how = how, .envp = how->envp ? how->envp : least_env, .n_fds = MAX(how->n_fds, 3U) };
	int pidfd = -1, r;
	pid_t pid;

	*c = (struct child){ .pidfd = -1 };
	if (b.n_fds > FDS_MAX)
		return err_set(e, E2BIG, "cannot start %s: more than %d descriptors", how->path, FDS_MAX);
	pid = give_birth(&b, &pidfd);
	if (pid < 0)
		return err_sys(e, pid, "cannot start %s: clone", how->path);
	*c = (struct child){ .pid = pid, .pidfd = pidfd, .exited = exited };
	r = b.failed ? -b.failed : watch_add(l, &c->watch, pidfd, WATCH_READ, child_ready);
	if (r < 0) {
		siginfo_t si;

		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		waitid((idtype_t)P_PIDFD, (id_t)pidfd, &si, WEXITED);
		close(take_fd(&c->pidfd));
		return err_sys(e, r, "cannot start %s: %s", how->path, b.what ? b.what : "watch");
	}
	l->n_children++;
	return 0;
}

void child_kill(struct child *c, int signal)
{
	if (c->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, c->pidfd, signal, NULL, 0);
}

void child_forget(struct child *c)
{
	if (c->pidfd < 0)
		return;
	if (c->watch.loop)
		c->watch.loop->n_children--;
	watch_del(&c->watch);
	close(take_fd(&c->pidfd));
}

struct run {
	struct child child;
	struct fiber *fiber;
	int status;
	bool over;
};

static void run_exited(struct child *c, int status)
{
	struct run *r = container_of(c, struct run, child);

	r->status = status;
	r->over = true;
	fiber_wake(r->fiber);
}

int child_run_wait(const struct spawn *how, struct err *e)
{
	struct run x = { .fiber = fiber_self() };
	bool killed = false;
	int r;

	must(x.fiber);
	if (fiber_cancelled(x.fiber))
		return err_set(e, ECANCELED, "cannot start %s: canceled", how->path);
	r = child_spawn(fiber_loop(x.fiber), &x.child, how, run_exited, e);
	if (r < 0)
		return r;
	while (!x.over) {
		if (fiber_cancelled(x.fiber) && !killed) {
			child_kill(&x.child, SIGKILL);
			killed = true;
		}
		fiber_suspend_wait();
	}
	return killed ? err_set(e, ECANCELED, "%s was stopped: canceled", how->path) : x.status;
}
