/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks: each gets the container's state on stdin; the first that fails ends the operation. runtime-spec config.md "POSIX-platform Hooks". */
#include "runtime/runtime_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "runtime/process_int.h"
#include "sys/kernel.h"

enum { OUTPUT_MAX = 400 };

_Noreturn static void child(const struct oci_hook *h, const char *bundle, int in, int out)
{
	static char *const none[] = { NULL };
	char *self[] = { (char *)h->path, NULL };
	char **argv = self, *env[256];
	/* Lists of the specification are not terminated by NULL. */
	char *args[256];
	uint32_t n = 0;
	process_signals();
	for (; h->n_args && n < h->n_args && n < ARRAY_LEN(args) - 1; n++)
		args[n] = (char *)h->args[n];
	args[n] = NULL;
	if (n)
		argv = args;
	uint32_t k = 0;
	for (; k < h->n_env && k < ARRAY_LEN(env) - 1; k++)
		env[k] = (char *)h->env[k];
	env[k] = NULL;
	if (bundle && chdir(bundle) < 0)
		_exit(126);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(126);
	k_close_range(3, ~0U, 0);
	execve(h->path, argv, k ? env : none);
	char text[128];
	if (fmt_into(text, sizeof text, "%s", strerror(errno)))
		(void)!write(2, text, strlen(text));
	_exit(127);
}

/* Collects what it prints until it ends. 0, -ETIMEDOUT. */
static int wait_for(int pidfd, int out, int64_t timeout_ns, char *said)
{
	int64_t until = timeout_ns ? clock_monotonic_ns() + timeout_ns : 0;
	size_t n = 0;
	said[0] = 0;
	for (;;) {
		struct pollfd p[2] = { { pidfd, POLLIN, 0 }, { out, POLLIN, 0 } };
		int64_t left = until ? (until - clock_monotonic_ns()) / NS_PER_MS + 1 : -1;
		if (until && left <= 0)
			return -ETIMEDOUT;
		int r = poll(p, 2, (int)left);
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r > 0 && p[1].revents) {
			char skip[4096];
			bool keep = n < OUTPUT_MAX;
			ssize_t got = read(out, keep ? said + n : skip, keep ? OUTPUT_MAX - n : sizeof skip);
			if (got > 0 && keep) {
				n += (size_t)got;
				said[n] = 0;
				continue;
			}
		}
		if (r > 0 && p[0].revents)
			return 0;
		if (r > 0 && p[1].revents & POLLHUP) {
			struct pollfd only = p[0];
			if (poll(&only, 1, until ? (int)left : -1) == 0)
				return -ETIMEDOUT;
			return 0;
		}
	}
}

static int run_one(const struct oci_hook *h, const char *bundle, struct slice state, const char *what, struct err *e)
{
	int in[2], out[2], status = 0;
	char said[OUTPUT_MAX + 1];
	if (pipe2(in, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe for a hook");
	if (pipe2(out, O_CLOEXEC) < 0) {
		close(in[0]);
		close(in[1]);
		return err_sys(e, errno, "make a pipe for a hook");
	}
	pid_t pid = fork();
	if (pid == 0)
		child(h, bundle, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	int r = pid < 0 ? err_sys(e, errno, "start %s", what) : 0;
	if (r == 0) {
		AUTO(close) int pidfd = k_pidfd_open(pid, 0);
		/* A hook that does not read its state is not our problem. */
		void (*old)(int) = signal(SIGPIPE, SIG_IGN);
		(void)fd_write_all(in[1], state.ptr, state.len);
		signal(SIGPIPE, old);
		close(take_fd(&in[1]));
		r = pidfd < 0 ? pidfd : wait_for(pidfd, out[0], h->timeout ? *h->timeout * NS_PER_S : 0, said);
		if (r < 0)
			kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		struct slice s = slice_trim(slice_of(said));
		if (r == -ETIMEDOUT)
			r = err_set(e, ETIMEDOUT, "error running %s: timeout of %llds exceeded", what, (long long)*h->timeout);
		else if (r < 0)
			r = err_sys(e, r, "error running %s", what);
		else if (status)
			r = err_set(e, EIO, "error running %s: %s %d, stdout: , stderr: %.*s", what,
				    WIFEXITED(status) ? "exit status" : "signal",
				    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), SLICE_FMT(s));
	}
	if (in[1] >= 0)
		close(in[1]);
	close(out[0]);
	return r;
}

int hooks_run(const struct oci_hook *h, uint32_t n, const char *kind, const char *bundle, const struct oci_state *state,
	      struct err *e)
{
	if (n == 0)
		return 0;
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	int r = schema_to_json(T_oci_state, state, 0, &text);
	if (r < 0 || (r = buf_error(&text)) < 0)
		return err_sys(e, r, "write the state for a hook");
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		char what[64];
		fmt_into(what, sizeof what, "%s hook #%u", kind, i);
		r = run_one(&h[i], bundle, buf_slice(&text), what, e);
	}
	return r;
}
