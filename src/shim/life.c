/* SPDX-License-Identifier: Apache-2.0 */
/* A container's life: made, started, watched, reaped, reported, removed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/oci.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "schema/schema.h"
#include "shim/shim_int.h"

int64_t pid_start_time(pid_t pid)
{
	char path[32];
	AUTO(buf) struct buf b = BUF_INIT(4096);
	int64_t v;
	fmt_into(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (file_read(AT_FDCWD, path, &b) < 0)
		return 0;
	ptrdiff_t p = slice_rfind(buf_slice(&b), ')');
	if (p < 0 || (size_t)p + 2 > b.len)
		return 0;
	struct slice rest = slice_n(b.ptr + p + 2, b.len - (size_t)p - 2), piece = { 0 };
	for (int i = 0; i < 20; i++)
		if (!slice_next(&rest, ' ', &piece))
			return 0;
	return num_parse_i64(piece, 0, INT64_MAX, &v) < 0 ? 0 : v;
}

static int exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void fill_exit(struct shim *s, struct shim_exit *x, char started[CLOCK_TEXT_MAX], char when[CLOCK_TEXT_MAX])
{
	int status = s->main ? s->main->status : 0;
	clock_rfc3339_nano(when, s->exited_ns);
	*x = (struct shim_exit){ .id = s->config->id, .status = exit_code(status), .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
				 .oom = s->had_oom, .time = when, .error = s->error };
	if (s->started_ns) {
		clock_rfc3339_nano(started, s->started_ns);
		x->started = started;
	}
}

/* On disk before anybody is told. */
static void write_exit(struct shim *s)
{
	char started[CLOCK_TEXT_MAX], when[CLOCK_TEXT_MAX];
	struct shim_exit x;
	struct err e = { 0 };
	AUTO(buf) struct buf b = BUF_INIT(64 << 10);
	fill_exit(s, &x, started, when);
	if (schema_to_json(T_shim_exit, &x, SCHEMA_NEWLINE, &b) < 0 || file_write_atomic(AT_FDCWD, s->config->exit_file, buf_slice(&b), 0600, &e) < 0)
		log_error("exit status was not stored", "file=%s error=%s", s->config->exit_file, e.text);
}

/* --- OOM ------------------------------------------------------------------------ */
static void check_oom(struct shim *s)
{
	uint64_t n;
	if (s->config->runtime || runtime_oom_kills(s->config->state_root, s->config->id, &n, NULL) < 0 || n <= s->oom_kills)
		return;
	s->oom_kills = n;
	s->had_oom = true;
	char when[CLOCK_TEXT_MAX];
	clock_rfc3339_nano(when, clock_realtime_ns());
	struct shim_message m = { .event = "oom", .time = when };
	control_event(s, &m);
}

void life_oom(struct shim *s, struct watch *w, uint32_t events)
{
	char drop[4096];
	ssize_t n = read(w->fd, drop, sizeof drop);
	if (n <= 0 && errno != EAGAIN && errno != EINTR) {
		watch_close(s, w);
		return;
	}
	check_oom(s);
}

static void watch_oom(struct shim *s)
{
	int fd = s->config->runtime ? -1 : runtime_oom_watch(s->config->state_root, s->config->id, NULL);
	if (fd < 0)
		return; /* no memory group: then there is no limit either */
	fd_set_nonblock(fd, true);
	runtime_oom_kills(s->config->state_root, s->config->id, &s->oom_kills, NULL);
	watch_add(s, &s->oom, fd, EPOLLIN, life_oom);
}

/* --- create and start -------------------------------------------------------------- */
/* Whether config.json wants a terminal. */
static int spec_tty(struct shim *s, bool *ret, struct err *e)
{
	AUTO(arena) struct arena a;
	AUTO(buf) struct buf text = BUF_INIT(16 << 20);
	AUTO(free) char *path = fmt_new("%s/config.json", s->bundle);
	struct oci_spec spec;
	arena_init(&a, 64 << 20);
	if (!path)
		return err_nomem(e);
	int r = file_read(AT_FDCWD, path, &text);
	if (r < 0)
		return err_sys(e, r, "read %s", path);
	r = schema_from_json(T_oci_spec, buf_slice(&text), SCHEMA_FOLD_CASE, &a, &spec, e);
	*ret = r == 0 && spec.process && spec.process->terminal;
	return r < 0 ? err_prefix(e, "config.json") : 0;
}

static void take_proc(struct session *x, struct runtime_proc *p)
{
	x->pid = p->pid;
	x->pid_start = (uint64_t)pid_start_time(p->pid);
}

/* A terminal is both ways one descriptor; each way has its own copy in the loop. */
static int take_master(struct shim *s, struct session *x, int master, struct err *e)
{
	int in = fcntl(master, F_DUPFD_CLOEXEC, 3);
	return session_streams(s, x, in, master, -1, e);
}

int life_session(struct shim *s, struct err *e)
{
	if (s->main)
		return 0;
	int r = spec_tty(s, &s->tty, e);
	if (r < 0)
		return r;
	if (session_new(s, NULL, s->tty, &s->main) < 0)
		return err_nomem(e);
	s->main->stdin_once = s->config->stdin_once;
	return 0;
}

int life_create(struct shim *s, struct err *e)
{
	struct pipes p = { { -1, -1, -1 }, { -1, -1, -1 } };
	if (s->status != SHIM_NEW)
		return err_set(e, EEXIST, "the container has been created already");
	int r = life_session(s, e);
	if (r < 0 || (!s->tty && (r = pipes_make(&p, s->config->open_stdin, e)) < 0))
		return r;
	struct runtime_stdio io = { .fds = { p.theirs[0], p.theirs[1], p.theirs[2] }, .console_socket = -1 };
	s->proc = RUNTIME_PROC_INIT;
	r = s->backend->create(s, &io, e);
	pipes_close_theirs(&p);
	if (r < 0) {
		pipes_close(&p);
		/* who attached before learns that nothing comes */
		session_finish(s, s->main);
		return r;
	}
	r = s->tty ? take_master(s, s->main, take_fd(&s->proc.master), e) : session_streams(s, s->main, p.ours[0], p.ours[1], p.ours[2], e);
	if (r < 0) {
		s->backend->remove(s, true, NULL);
		return r;
	}
	take_proc(s->main, &s->proc);
	s->status = SHIM_CREATED;
	watch_oom(s);
	return 0;
}

int life_start(struct shim *s, struct err *e)
{
	if (s->status != SHIM_CREATED)
		return err_set(e, EINVAL, "the container is not in the state that start needs");
	int r = s->backend->start(s, e);
	if (r < 0) {
		s->error = strdup(e ? e->text : "");
		return r;
	}
	s->started_ns = clock_realtime_ns();
	s->status = SHIM_RUNNING;
	return 0;
}

int life_exec(struct shim *s, const struct shim_request *q, int fd, struct arena *a, pid_t *ret_pid, struct err *e)
{
	AUTO(close) int client = fd;
	struct session *x;
	struct runtime_proc proc = RUNTIME_PROC_INIT;
	struct pipes p = { { -1, -1, -1 }, { -1, -1, -1 } };
	bool tty = false;
	if (s->status != SHIM_RUNNING && s->status != SHIM_PAUSED)
		return err_set(e, ESRCH, "container is not running");
	if (!q->exec_id || session_find(s, q->exec_id))
		return err_set(e, q->exec_id ? EEXIST : EINVAL, q->exec_id ? "exec %s exists" : "exec without an id%s", q->exec_id ? q->exec_id : "");
	if (s->n_sessions > SHIM_EXECS)
		return err_set(e, EMFILE, "%d processes have been started already", SHIM_EXECS);
	int r = s->backend->exec(s, q, a, &tty, NULL, NULL, e);
	if (r < 0 || (!tty && (r = pipes_make(&p, q->stdin_, e)) < 0))
		return r;
	if (session_new(s, q->exec_id, tty, &x) < 0) {
		pipes_close(&p);
		return err_nomem(e);
	}
	/* the client is there first: it sees everything */
	if (client >= 0 && (r = session_attach(s, x, take_fd(&client), q, e)) < 0)
		goto fail;
	struct runtime_stdio io = { .fds = { p.theirs[0], p.theirs[1], p.theirs[2] }, .console_socket = -1 };
	r = s->backend->exec(s, q, a, &tty, &io, &proc, e);
	pipes_close_theirs(&p);
	if (r < 0)
		goto fail;
	take_proc(x, &proc);
	*ret_pid = proc.pid;
	r = tty ? take_master(s, x, take_fd(&proc.master), e) : session_streams(s, x, p.ours[0], p.ours[1], p.ours[2], e);
	runtime_proc_release(&proc);
	if (r < 0)
		kill(x->pid, SIGKILL);
	return r;
fail:
	pipes_close(&p);
	session_free(s, x);
	return r;
}

/* --- the end ---------------------------------------------------------------------- */
int life_delete(struct shim *s, bool force, struct err *e)
{
	if (s->status == SHIM_DELETED || s->status == SHIM_NEW) {
		if (s->main)
			session_finish(s, s->main);
		s->status = SHIM_DELETED;
		return 0;
	}
	if (s->status != SHIM_STOPPED) {
		if (!force)
			return err_set(e, EBUSY, "the container is running");
		int r = s->backend->kill(s, SIGKILL, false, e);
		if (r < 0 && r != -ESRCH)
			return r;
		/* what is frozen does not die */
		if (s->status == SHIM_PAUSED)
			s->backend->pause(s, false, NULL);
		int status;
		if (s->main->pid && waitpid(s->main->pid, &status, 0) == s->main->pid) {
			session_exited(s, s->main, status);
			s->exited_ns = clock_realtime_ns();
			s->status = SHIM_STOPPED;
			write_exit(s);
		}
	}
	watch_close(s, &s->oom);
	int r = s->backend->remove(s, true, e);
	if (r == 0)
		s->status = SHIM_DELETED;
	return r;
}

static void tell_exit(struct shim *s, struct session *x)
{
	char when[CLOCK_TEXT_MAX];
	int64_t code = exit_code(x->status);
	clock_rfc3339_nano(when, x->id ? clock_realtime_ns() : s->exited_ns);
	struct shim_message m = { .event = x->id ? "exec_exited" : "exited", .exec_id = x->id, .status = &code, .time = when,
				  .signal = WIFSIGNALED(x->status) ? WTERMSIG(x->status) : 0, .oom = x->id ? false : s->had_oom };
	x->is_told = s->n_controls > 0;
	control_event(s, &m);
}

static void main_exited(struct shim *s, int status)
{
	bool had_started = s->status != SHIM_CREATED;
	check_oom(s);
	session_exited(s, s->main, status);
	s->exited_ns = clock_realtime_ns();
	s->status = SHIM_STOPPED;
	runtime_proc_release(&s->proc);
	s->proc = RUNTIME_PROC_INIT;
	write_exit(s);
	/* without a start there was no container: who asked has the error */
	if (had_started)
		tell_exit(s, s->main);
}

void life_reap(struct shim *s)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct session *x, *hit = NULL;
		list_each(x, &s->sessions, link)
			if (x->pid == pid)
				hit = x;
		/* children of the container's that lost their parents are reaped, too */
		if (!hit)
			continue;
		if (hit == s->main) {
			main_exited(s, status);
		} else {
			/* first the code, then the end of the streams: who sees the end may ask for the code at once */
			hit->status = status;
			tell_exit(s, hit);
			session_exited(s, hit, status);
		}
	}
}

/* Clients that take nothing for longer than the configuration allows; when the next one is due. */
static int64_t cut_stalled_of(struct session *x, int64_t limit, int64_t now)
{
	int64_t next = INT64_MAX;
	struct client *c;
	list_each(c, &x->clients, link) {
		if (!c->out.len)
			continue;
		if (now >= c->moved_ns + limit)
			shutdown(c->w.fd, SHUT_RDWR);
		else if (c->moved_ns + limit < next)
			next = c->moved_ns + limit;
	}
	return next;
}

static int64_t cut_stalled(struct shim *s, int64_t now)
{
	int64_t limit = s->config->stall_seconds * NS_PER_S, next = INT64_MAX;
	struct session *x;
	if (limit <= 0)
		return next;
	list_each(x, &s->sessions, link) {
		int64_t due = cut_stalled_of(x, limit, now);
		if (due < next)
			next = due;
	}
	return next;
}

int life_tick(struct shim *s)
{
	int64_t now = clock_monotonic_ns(), next = cut_stalled(s, now);
	struct session *x;
	list_each(x, &s->sessions, link) {
		if (!x->has_exited)
			continue;
		if (x->linger_until_ns && (session_is_done(x) || now >= x->linger_until_ns))
			session_finish(s, x);
		else if (x->linger_until_ns && x->linger_until_ns < next)
			next = x->linger_until_ns;
		/* an exec that everybody knows the end of is forgotten */
		if (x->id && !x->linger_until_ns && x->is_told && list_empty(&x->clients))
			session_free(s, x);
	}
	bool nobody = !s->n_controls && s->status >= SHIM_STOPPED;
	bool streams = s->main && !list_empty(&s->main->clients);
	if (s->status == SHIM_DELETED || nobody || (s->status == SHIM_NEW && !s->n_controls)) {
		if (s->status == SHIM_STOPPED)
			life_delete(s, true, NULL);
		/* clients get what was written for them */
		if (!streams && !(s->main && s->main->linger_until_ns))
			s->is_over = true;
		else if (next > now + NS_PER_S)
			next = now + NS_PER_S;
	}
	return next == INT64_MAX ? -1 : next <= now ? 0 : (int)((next - now) / NS_PER_MS + 1);
}
