/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another OCI runtime, as a program with the runc command line. Its processes
 * come to us because we are a subreaper. What it has to say is in its log,
 * since its standard error is the container's.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/oci.h"
#include "base/fd.h"
#include "base/num.h"
#include "schema/schema.h"
#include "shim/shim_int.h"
#include "sys/kernel.h"

enum { ARGS_MAX = 64, LOG_MAX = 1 << 20 };

struct tool {
	struct shim *s;
	const char *argv[ARGS_MAX + 1];
	int n;
	int fds[3];                      /* -1: /dev/null */
	char *log;
};

static void add(struct tool *t, const char *arg)
{
	if (t->n < ARGS_MAX)
		t->argv[t->n++] = arg;
}

static int begin(struct tool *t, struct shim *s, const char *command)
{
	*t = (struct tool){ .s = s, .fds = { -1, -1, -1 }, .log = fmt_new("%s/runtime.log", s->bundle) };
	if (!t->log)
		return -ENOMEM;
	unlink(t->log);
	add(t, s->config->runtime);
	for (uint32_t i = 0; i < s->config->n_runtime_args && i < ARGS_MAX / 2; i++)
		add(t, s->config->runtime_args[i]);
	const char *const head[] = { "--root", s->config->state_root, "--log", t->log, "--log-format", "json" };
	for (size_t i = 0; i < ARRAY_LEN(head); i++)
		add(t, head[i]);
	if (s->cgroup_manager == RUNTIME_SYSTEMD)
		add(t, "--systemd-cgroup");
	add(t, command);
	return 0;
}

/* The last thing that it complained about. */
static int complaint(struct tool *t, int status, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(LOG_MAX);
	AUTO(arena) struct arena a;
	struct shim_runtime_log l = { 0 };
	struct slice line;
	const char *text = NULL;
	arena_init(&a, LOG_MAX);
	file_read(AT_FDCWD, t->log, &b);
	struct slice rest = buf_slice(&b);
	while (slice_next(&rest, '\n', &line))
		if (schema_from_json(T_shim_runtime_log, line, 0, &a, &l, NULL) == 0 && l.msg && (!text || (l.level && !strcmp(l.level, "error"))))
			text = l.msg;
	if (text)
		return err_set(e, EIO, "%s", text);
	return err_set(e, EIO, "%s ended with %s %d", t->argv[0], WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static int run(struct tool *t, struct err *e)
{
	pid_t pid = fork();
	if (pid < 0)
		return err_sys(e, errno, "fork");
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		for (int i = 0; i < 3; i++)
			dup2(t->fds[i] >= 0 ? t->fds[i] : null, i);
		execv(t->argv[0], (char *const *)t->argv);
		_exit(127);
	}
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "wait for %s", t->argv[0]);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : complaint(t, status, e);
}

static int read_pid(const char *path, struct runtime_proc *ret, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(64);
	int64_t pid;
	int r = file_read(AT_FDCWD, path, &b);
	if (r < 0 || num_parse_i64(slice_trim(buf_slice(&b)), 1, INT32_MAX, &pid) < 0)
		return err_sys(e, r < 0 ? r : EBADMSG, "read %s", path);
	unlink(path);
	ret->pid = (pid_t)pid;
	int fd = k_pidfd_open(ret->pid, 0);
	ret->pidfd = fd < 0 ? -1 : fd;
	return 0;
}

/* create and exec: streams or a terminal, a pid file. */
static int spawn(struct tool *t, const struct runtime_stdio *io, bool tty, struct runtime_proc *ret, struct err *e)
{
	struct shim *s = t->s;
	AUTO(free) char *pid_file = fmt_new("%s/runtime.pid", s->bundle);
	AUTO(free) char *console = fmt_new("%s/console.sock", s->bundle);
	AUTO(close) int listener = -1;
	if (!pid_file || !console)
		return err_nomem(e);
	add(t, "--pid-file");
	add(t, pid_file);
	if (tty) {
		if ((listener = unix_listen(console, 0600, SOCK_STREAM, e)) < 0)
			return listener;
		fd_set_nonblock(listener, true);
		add(t, "--console-socket");
		add(t, console);
	} else {
		memcpy(t->fds, io->fds, sizeof t->fds);
	}
	add(t, s->config->id);
	int r = run(t, e);
	/* it has connected and sent before it ended */
	if (r == 0 && tty) {
		AUTO(close) int conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		char name[256];
		size_t n = 1;
		if (conn < 0 || fd_recv(conn, name, sizeof name, &ret->master, &n) < 0 || n != 1)
			r = err_set(e, EPROTO, "%s sent no terminal", t->argv[0]);
	}
	if (tty)
		unlink(console);
	return r < 0 ? r : read_pid(pid_file, ret, e);
}

static int other_create(struct shim *s, struct runtime_stdio *io, struct err *e)
{
	struct tool t;
	int r = begin(&t, s, "create");
	if (r < 0)
		return err_nomem(e);
	add(&t, "--bundle");
	add(&t, s->bundle);
	if (s->config->no_pivot)
		add(&t, "--no-pivot");
	r = spawn(&t, io, s->tty, &s->proc, e);
	free(take_ptr(t.log));
	return r;
}

static int other_exec(struct shim *s, const struct shim_request *q, struct arena *a, bool *ret_tty, struct runtime_stdio *io, struct runtime_proc *ret, struct err *e)
{
	struct oci_process p;
	struct tool t;
	int r = schema_from_json(T_oci_process, q->process, SCHEMA_FOLD_CASE, a, &p, e);
	if (r < 0)
		return err_prefix(e, "process");
	*ret_tty = p.terminal;
	if (!io)
		return 0;
	AUTO(free) char *path = fmt_new("%s/process.json", s->bundle);
	if (!path || begin(&t, s, "exec") < 0)
		return err_nomem(e);
	if ((r = file_write_atomic(AT_FDCWD, path, q->process, 0600, e)) == 0) {
		add(&t, "--process");
		add(&t, path);
		add(&t, "--detach");
		r = spawn(&t, io, p.terminal, ret, e);
		unlink(path);
	}
	free(take_ptr(t.log));
	return r;
}

/* A command with at most two more words behind the id. */
static int simple(struct shim *s, const char *command, const char *flag, const char *word, struct err *e)
{
	struct tool t;
	if (begin(&t, s, command) < 0)
		return err_nomem(e);
	if (flag)
		add(&t, flag);
	add(&t, s->config->id);
	if (word)
		add(&t, word);
	int r = run(&t, e);
	free(take_ptr(t.log));
	return r;
}

static int other_start(struct shim *s, struct err *e)
{
	return simple(s, "start", NULL, NULL, e);
}

static int other_kill(struct shim *s, int signal, bool all, struct err *e)
{
	char number[16];
	fmt_into(number, sizeof number, "%d", signal);
	return simple(s, "kill", all ? "--all" : NULL, number, e);
}

static int other_pause(struct shim *s, bool paused, struct err *e)
{
	return simple(s, paused ? "pause" : "resume", NULL, NULL, e);
}

static int other_remove(struct shim *s, bool force, struct err *e)
{
	return simple(s, "delete", force ? "--force" : NULL, NULL, e);
}

static int other_update(struct shim *s, struct slice resources, struct err *e)
{
	struct tool t;
	AUTO(free) char *path = fmt_new("%s/resources.json", s->bundle);
	if (!path || begin(&t, s, "update") < 0)
		return err_nomem(e);
	int r = file_write_atomic(AT_FDCWD, path, resources, 0600, e);
	if (r == 0) {
		add(&t, "--resources");
		add(&t, path);
		add(&t, s->config->id);
		r = run(&t, e);
		unlink(path);
	}
	free(take_ptr(t.log));
	return r;
}

static int other_pids(struct shim *s, struct arena *a, pid_t **ret, uint32_t *n, struct err *e)
{
	struct tool t;
	int p[2];
	AUTO(buf) struct buf text = BUF_INIT(60 << 10);
	struct shim_pids pids;
	if (begin(&t, s, "ps") < 0)
		return err_nomem(e);
	add(&t, "--format");
	add(&t, "json");
	add(&t, s->config->id);
	int r = pipe2(p, O_CLOEXEC) < 0 ? err_sys(e, errno, "make a pipe") : 0;
	if (r == 0) {
		/* the whole answer has to fit the pipe: it is read when the program has ended */
		fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
		t.fds[1] = p[1];
		r = run(&t, e);
		close(p[1]);
		if (r == 0 && fd_slurp(p[0], &text) < 0)
			r = err_set(e, EIO, "read the processes of %s", s->config->id);
		close(p[0]);
	}
	free(take_ptr(t.log));
	if (r < 0 || (r = schema_from_json(T_shim_pids, slice_trim(buf_slice(&text)), 0, a, &pids, e)) < 0)
		return r;
	if (!(*ret = arena_array(a, pids.n_items + 1, sizeof **ret)))
		return err_nomem(e);
	for (uint32_t i = 0; i < pids.n_items; i++)
		(*ret)[i] = (pid_t)pids.items[i];
	*n = pids.n_items;
	return 0;
}

const struct backend backend_other = {
	.create = other_create, .start = other_start, .exec = other_exec, .kill = other_kill, .pause = other_pause, .update = other_update,
	.pids = other_pids, .remove = other_remove,
};
