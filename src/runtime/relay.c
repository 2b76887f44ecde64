/* SPDX-License-Identifier: Apache-2.0 */
/* The foreground: signals go to the container's process, the terminal (when there is one) both ways, until it ends. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/cli_int.h"
#include "sys/kernel.h"

static void copy_size(int master)
{
	struct winsize w;
	if (ioctl(0, TIOCGWINSZ, &w) == 0)
		ioctl(master, TIOCSWINSZ, &w);
}

static bool set_raw(struct termios *saved)
{
	struct termios t;
	if (tcgetattr(0, saved) < 0)
		return false;
	t = *saved;
	cfmakeraw(&t);
	t.c_oflag |= OPOST;
	return tcsetattr(0, TCSANOW, &t) == 0;
}

static bool pump(int from, int to)
{
	char data[32768];
	ssize_t n = read(from, data, sizeof data);
	return n > 0 ? fd_write_all(to, data, (size_t)n) == 0 : n < 0 && (errno == EINTR || errno == EAGAIN);
}

/* Reaps; true when it was the container's process. */
static bool reap(pid_t pid, int *code)
{
	int status;
	pid_t got;
	bool done = false;
	while ((got = waitpid(-1, &status, WNOHANG)) > 0)
		if (got == pid) {
			*code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			done = true;
		}
	return done;
}

static void take_signals(int sfd, struct runtime_proc *p, bool tty, bool *done, int *code)
{
	struct signalfd_siginfo s;
	while (read(sfd, &s, sizeof s) == (ssize_t)sizeof s) {
		if (s.ssi_signo == SIGCHLD)
			*done |= reap(p->pid, code);
		else if (s.ssi_signo == SIGWINCH && tty)
			copy_size(p->master);
		else if (s.ssi_signo != SIGURG) /* Go programs use it among themselves */
			(void)k_pidfd_signal(p->pidfd, (int)s.ssi_signo);
	}
}

void cli_hold_signals(void)
{
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
}

int cli_attend(struct runtime_proc *p, bool tty, struct err *e)
{
	sigset_t all;
	struct termios saved;
	sigfillset(&all);
	cli_hold_signals();
	AUTO(close) int sfd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sfd < 0)
		return err_sys(e, errno, "watch signals");
	bool raw = tty && set_raw(&saved), done = false;
	int code = 0;
	if (tty)
		copy_size(p->master);
	done = reap(p->pid, &code);
	struct pollfd f[3] = { { sfd, POLLIN, 0 }, { tty ? p->master : -1, POLLIN, 0 }, { tty ? 0 : -1, POLLIN, 0 } };
	while (!done) {
		if (poll(f, 3, -1) < 0 && errno != EINTR)
			break;
		if (f[1].revents && !pump(p->master, 1))
			f[1].fd = -1;
		if (f[2].revents && !pump(0, p->master))
			f[2].fd = -1;
		if (f[0].revents)
			take_signals(sfd, p, tty, &done, &code);
	}
	/* What it wrote last. */
	while (tty && f[1].fd >= 0 && poll(&f[1], 1, 0) > 0 && pump(p->master, 1))
		;
	if (raw)
		tcsetattr(0, TCSANOW, &saved);
	return code;
}
