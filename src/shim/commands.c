/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine can ask: one row an operation. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "shim/shim_int.h"

enum { PROTOCOL = 1 };

struct call {
	struct shim *s;
	const struct shim_request *q;
	int fd;                          /* -1, or what came with the request; who uses it sets it to -1 */
	struct arena *a;
	struct shim_message *m;
};

static char *when_text(struct call *c, int64_t ns)
{
	char *t = ns ? arena_alloc(c->a, CLOCK_TEXT_MAX) : NULL;
	if (t)
		clock_rfc3339_nano(t, ns);
	return t;
}

static int do_create(struct call *c, struct err *e)
{
	int r = life_create(c->s, e);
	if (r == 0)
		c->m->pid = c->s->main->pid;
	return r;
}

static int do_start(struct call *c, struct err *e)
{
	struct shim *s = c->s;
	int r = s->status == SHIM_NEW ? life_create(s, e) : 0;
	if (r < 0 || (r = life_start(s, e)) < 0)
		return r;
	c->m->pid = s->main->pid;
	c->m->time = when_text(c, s->started_ns);
	struct shim_message m = { .event = "started", .pid = s->main->pid, .time = c->m->time };
	control_event(s, &m);
	return 0;
}

static int do_state(struct call *c, struct err *e)
{
	static const char *const names[] = { "new", "created", "running", "paused", "stopped", "stopped" };
	struct shim *s = c->s;
	struct shim_state *st = arena_new(c->a, struct shim_state);
	struct shim_exec *x = arena_array(c->a, s->n_sessions + 1, sizeof *x);
	if (!st || !x)
		return err_nomem(e);
	*st = (struct shim_state){ .version = PROTOCOL, .id = s->config->id, .shim_pid = getpid(), .status = names[s->status], .tty = s->tty,
				   .oom = s->had_oom, .clients = s->n_clients, .started = when_text(c, s->started_ns), .execs = x };
	struct session *i;
	list_each(i, &s->sessions, link) {
		int code = WIFSIGNALED(i->status) ? 128 + WTERMSIG(i->status) : WEXITSTATUS(i->status);
		if (i->id) {
			x[st->n_execs++] = (struct shim_exec){ .id = arena_strdup(c->a, i->id), .pid = i->pid, .running = !i->has_exited,
							       .status = i->has_exited ? code : 0 };
			i->is_told = i->has_exited;
			continue;
		}
		st->pid = i->pid;
		st->pid_start = i->pid ? i->pid_start : 0;
		st->stdin_open = i->in.fd >= 0;
		if (!i->has_exited)
			continue;
		struct shim_exit *end = arena_new(c->a, struct shim_exit);
		if (!end)
			return err_nomem(e);
		*end = (struct shim_exit){ .id = s->config->id, .status = code, .signal = WIFSIGNALED(i->status) ? WTERMSIG(i->status) : 0,
					   .oom = s->had_oom, .time = when_text(c, s->exited_ns), .error = s->error };
		st->exit = end;
	}
	c->m->state = st;
	return 0;
}

static int do_kill(struct call *c, struct err *e)
{
	struct shim *s = c->s;
	if (s->status == SHIM_NEW || s->status >= SHIM_STOPPED)
		return err_set(e, ESRCH, "container is not running");
	if (c->q->signal < 0 || c->q->signal > 64)
		return err_set(e, EINVAL, "no signal %lld", (long long)c->q->signal);
	int r = s->backend->kill(s, (int)c->q->signal, c->q->all, e);
	/* what is frozen does not die: Docker's clients expect that it does */
	if (r == 0 && c->q->signal == SIGKILL && s->status == SHIM_PAUSED) {
		/* our runtime has thawed it itself, and says that it is not paused */
		s->backend->pause(s, false, NULL);
		s->status = SHIM_RUNNING;
	}
	return r;
}

/* Clients may come before the container is made. */
static int do_attach(struct call *c, struct err *e)
{
	int r = c->q->exec_id ? 0 : life_session(c->s, e);
	if (r < 0)
		return r;
	struct session *x = session_find(c->s, c->q->exec_id);
	int fd = c->fd;
	c->fd = -1;
	if (!x || x->has_exited) {
		if (fd >= 0)
			close(fd);
		return err_set(e, x ? ESRCH : ENOENT, x ? "the process has ended" : "no such process");
	}
	return session_attach(c->s, x, fd, c->q, e);
}

static int do_exec(struct call *c, struct err *e)
{
	pid_t pid = 0;
	int fd = c->fd;
	c->fd = -1;
	int r = life_exec(c->s, c->q, fd, c->a, &pid, e);
	if (r < 0)
		return r;
	c->m->pid = pid;
	c->m->exec_id = c->q->exec_id;
	return 0;
}

static struct session *exec_of(struct call *c, struct err *e)
{
	struct session *x = c->q->exec_id ? session_find(c->s, c->q->exec_id) : NULL;
	if (!x)
		err_set(e, ENOENT, "no exec %s", c->q->exec_id ? c->q->exec_id : "");
	return x;
}

static int do_exec_kill(struct call *c, struct err *e)
{
	struct session *x = exec_of(c, e);
	if (!x)
		return -ENOENT;
	if (!x->pid || c->q->signal < 0 || c->q->signal > 64)
		return err_set(e, x->pid ? EINVAL : ESRCH, x->pid ? "no such signal" : "the process has ended");
	return kill(x->pid, (int)c->q->signal) < 0 ? err_sys(e, errno, "kill") : 0;
}

static int do_resize(struct call *c, struct err *e)
{
	return c->s->main ? session_resize(c->s->main, c->q->height, c->q->width, e) : 0;
}

static int do_exec_resize(struct call *c, struct err *e)
{
	struct session *x = exec_of(c, e);
	return x ? session_resize(x, c->q->height, c->q->width, e) : -ENOENT;
}

static int do_pause(struct call *c, struct err *e)
{
	if (c->s->status != SHIM_RUNNING)
		return err_set(e, EBUSY, c->s->status == SHIM_PAUSED ? "container is already paused" : "container is not running");
	int r = c->s->backend->pause(c->s, true, e);
	if (r == 0)
		c->s->status = SHIM_PAUSED;
	return r;
}

static int do_resume(struct call *c, struct err *e)
{
	if (c->s->status != SHIM_PAUSED)
		return err_set(e, EBUSY, "container is not paused");
	int r = c->s->backend->pause(c->s, false, e);
	if (r == 0)
		c->s->status = SHIM_RUNNING;
	return r;
}

static int do_update(struct call *c, struct err *e)
{
	if (c->s->status < SHIM_CREATED || c->s->status > SHIM_PAUSED)
		return err_set(e, ESRCH, "container is not running");
	return c->s->backend->update(c->s, c->q->resources, e);
}

static int do_top(struct call *c, struct err *e)
{
	pid_t *pids;
	uint32_t n;
	int r = c->s->backend->pids(c->s, c->a, &pids, &n, e);
	if (r < 0)
		return r;
	int64_t *out = arena_array(c->a, n + 1, sizeof *out);
	if (!out)
		return err_nomem(e);
	for (uint32_t i = 0; i < n; i++)
		out[i] = pids[i];
	c->m->pids = out;
	c->m->n_pids = n;
	return 0;
}

static int do_stats(struct call *c, struct err *e)
{
	struct shim_stats *st = arena_new(c->a, struct shim_stats);
	if (!st)
		return err_nomem(e);
	int r = stats_read(c->s, c->a, st, e);
	if (r == 0)
		c->m->stats = st;
	return r;
}

static int do_close_stdin(struct call *c, struct err *e)
{
	struct session *x = session_find(c->s, c->q->exec_id);
	if (!x)
		return err_set(e, ENOENT, "no such process");
	session_end_input(c->s, x);
	return 0;
}

static int do_reopen_log(struct call *c, struct err *e)
{
	return log_reopen(&c->s->log, e);
}

static int do_delete(struct call *c, struct err *e)
{
	return life_delete(c->s, c->q->force, e);
}

static const struct row {
	const char *op;
	int (*run)(struct call *c, struct err *e);
} rows[] = {
	{ "create", do_create }, { "start", do_start }, { "state", do_state }, { "kill", do_kill }, { "attach", do_attach },
	{ "exec", do_exec }, { "exec_kill", do_exec_kill }, { "resize", do_resize }, { "exec_resize", do_exec_resize },
	{ "pause", do_pause }, { "resume", do_resume }, { "update", do_update }, { "top", do_top }, { "stats", do_stats },
	{ "close_stdin", do_close_stdin }, { "reopen_log", do_reopen_log }, { "delete", do_delete },
};

void command_run(struct shim *s, const struct shim_request *q, int fd, struct arena *a, struct shim_message *m)
{
	struct call c = { s, q, fd, a, m };
	struct err e = { 0 };
	int r = err_set(&e, EINVAL, "no operation \"%s\"", q->op ? q->op : "");
	for (size_t i = 0; q->op && i < ARRAY_LEN(rows); i++)
		if (!strcmp(rows[i].op, q->op)) {
			e = (struct err){ 0 };
			r = rows[i].run(&c, &e);
			break;
		}
	if (c.fd >= 0)
		close(c.fd);
	if (r < 0) {
		*m = (struct shim_message){ .code = e.code ? e.code : -r, .error = arena_strdup(a, e.text[0] ? e.text : err_name(-r)) };
		if (!m->error)
			m->error = "out of memory";
	}
}
