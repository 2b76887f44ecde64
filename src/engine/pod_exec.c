/* SPDX-License-Identifier: Apache-2.0 */
/* Commands inside a pod's container, and its own streams: one end of a socket pair goes to the shim, the other is a stream here. */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "engine/exec.h"
#include "engine/pod.h"
#include "engine/shim_link.h"

enum { HEAD = 8 };

struct pod_session {
	struct container *c;            /* counted */
	struct stream *stream;
	char exec[65];                  /* "" for an attach */
};

static int session_new(struct container *c, struct pod_session **ret, int *theirs, struct err *e)
{
	struct pod_session *s = calloc(1, sizeof *s);
	int ends[2];
	if (!s || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		free(s);
		return err_sys(e, errno, "making a socket pair");
	}
	int r = stream_from_fd(c->engine->loop, ends[0], &s->stream);
	if (r < 0) {
		close(ends[0]);
		close(ends[1]);
		free(s);
		return err_sys(e, r, "watching a socket");
	}
	s->c = container_ref(c);
	*ret = s;
	*theirs = ends[1];
	return 0;
}

struct stream *pod_session_stream(struct pod_session *s) { return s->stream; }

static void session_free(struct pod_session *s)
{
	if (*s->exec)
		exec_forget(s->c->engine, s->exec);
	stream_close(s->stream);
	container_unref(s->c);
	free(s);
}

void pod_session_close_wait(struct pod_session *s)
{
	int64_t code;
	if (!s)
		return;
	if (*s->exec && exec_end_wait(s->c->engine, s->exec, 0, &code, NULL) == -ETIMEDOUT)
		shim_exec_kill_wait(s->c, s->exec, SIGKILL, NULL);
	session_free(s);
}

int pod_session_resize_wait(struct pod_session *s, unsigned height, unsigned width, struct err *e)
{
	if (*s->exec)
		return exec_resize_wait(s->c->engine, s->exec, height, width, e);
	return container_is_alive(s->c) ? shim_resize_wait(s->c, NULL, height, width, e) : 0;
}

int pod_session_code_wait(struct pod_session *s, int64_t timeout_ns, int *ret_code, struct err *e)
{
	int64_t code = 0;
	int r = exec_end_wait(s->c->engine, s->exec, timeout_ns, &code, e);
	if (r == -ETIMEDOUT)
		return err_set(e, ETIMEDOUT, "the command did not end in time");
	*ret_code = (int)code;
	return r;
}

int pod_exec_open_wait(struct engine *eng, const struct pod_exec *how, struct pod_session **ret, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	struct pod_session *s;
	int theirs, r = container_find_pod(eng, how->container, &c, e);
	if (r < 0)
		return r;
	struct docker_exec_create x = { .tty = how->tty, .attach_stdin = how->in, .attach_stdout = how->out, .attach_stderr = how->err && !how->tty,
		.cmd = (const char **)how->cmd, .n_cmd = how->n_cmd, .detach_keys = "ctrl-@,ctrl-@,ctrl-@,ctrl-@,ctrl-@,ctrl-@,ctrl-@,ctrl-@" };
	r = session_new(c, &s, &theirs, e);
	if (r < 0)
		return r;
	r = exec_create_in(c, &x, s->exec, e);
	if (r == 0)
		r = exec_run_fd_wait(eng, s->exec, theirs, e);
	else
		close(theirs);
	if (r < 0) {
		session_free(s);
		return err_prefix(e, "failed to exec in container"), r;
	}
	*ret = s;
	return 0;
}

int pod_attach_open_wait(struct engine *eng, const char *id, bool in, bool out, bool err, struct pod_session **ret, bool *tty, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	struct pod_session *s;
	int theirs, r = container_find_pod(eng, id, &c, e);
	if (r == 0 && c->status != STATUS_RUNNING)
		r = err_set(e, EBUSY, "container is in state %s", container_status_text(c));
	if (r == 0)
		r = session_new(c, &s, &theirs, e);
	if (r < 0)
		return r;
	struct shim_attach how = { in && c->config->open_stdin, out, err && !c->config->tty, "ctrl-@,ctrl-@,ctrl-@,ctrl-@,ctrl-@,ctrl-@,ctrl-@,ctrl-@" };
	*tty = c->config->tty;
	r = shim_attach_wait(c, theirs, &how, e);
	if (r < 0) {
		session_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* --- to the end, with the output kept */

struct reader {
	struct stream *stream;
	struct buf *out, *err;
	bool done;
	struct waitq ended;
};

static void add(struct buf *b, const char *p, size_t n)
{
	if (b && b->len < b->max)
		buf_add(b, p, MIN(n, b->max - b->len));
}

static void read_wait(struct reader *r)
{
	unsigned char head[HEAD];
	char data[16 * 1024];
	while (stream_read_all_wait(r->stream, head, HEAD) == 0) {
		size_t left = (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
		while (left) {
			ssize_t n = stream_read_wait(r->stream, data, MIN(left, sizeof data));
			if (n <= 0)
				return;
			left -= (size_t)n;
			add(head[0] == 2 ? r->err : r->out, data, (size_t)n);
		}
	}
}

static void read_fiber(void *arg)
{
	struct reader *r = arg;
	read_wait(r);
	r->done = true;
	waitq_wake_all(&r->ended);
}

/* The reader lets go of the stream before anybody closes it. */
static void reader_end_wait(struct reader *r)
{
	while (!r->done) {
		stream_abandon(r->stream);
		/* in a cancelled fiber a wait returns at once: the reader still has to run */
		if (waitq_wait(&r->ended, 10 * NS_PER_MS) == -ECANCELED)
			fiber_yield_wait();
	}
}

int pod_exec_sync_wait(struct engine *eng, const char *container, const char *const *cmd, uint32_t n_cmd, int64_t timeout_ns,
		       struct buf *out, struct buf *err, int *ret_code, struct err *e)
{
	struct pod_exec how = { .container = container, .cmd = cmd, .n_cmd = n_cmd, .out = true, .err = true };
	struct pod_session *s;
	int r = pod_exec_open_wait(eng, &how, &s, e);
	if (r < 0)
		return r;
	struct reader rd = { .stream = s->stream, .out = out, .err = err };
	waitq_init(&rd.ended);
	if (fiber_start(eng->loop, "exec-output", read_fiber, &rd) < 0)
		rd.done = true;
	int64_t end = loop_monotonic_ns(eng->loop) + timeout_ns;
	r = pod_session_code_wait(s, timeout_ns > 0 ? timeout_ns : -1, ret_code, NULL);
	if (r == -ETIMEDOUT) {
		char text[32];
		duration_format(text, timeout_ns);
		err_set(e, ETIMEDOUT, "failed to exec in container: timeout %s exceeded", text);
		shim_exec_kill_wait(s->c, s->exec, SIGKILL, NULL);
	} else if (r < 0) {
		err_sys(e, r, "failed to exec in container");
	}
	/* the last of its output: the shim closes its end when it has sent all */
	while (r == 0 && !rd.done) {
		int64_t left = timeout_ns > 0 ? MAX(end - loop_monotonic_ns(eng->loop), 3 * NS_PER_S) : 3 * NS_PER_S;
		if (waitq_wait(&rd.ended, left) < 0)
			break;
	}
	reader_end_wait(&rd);
	pod_session_close_wait(s);
	return r;
}
