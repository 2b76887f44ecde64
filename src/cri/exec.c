/* SPDX-License-Identifier: Apache-2.0 */
/* ExecSync; and Exec, Attach, PortForward: URLs of the streaming server (stream.h), whose seam is filled here. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cri/cri_int.h"
#include "cri/stream.h"

UNARY(exec_sync)
{
	const struct cri_exec_sync_request *q = request;
	struct cri_exec_sync_response *p = reply;
	/* both together fit one message */
	AUTO(buf) struct buf out = BUF_INIT(CRI_EXEC_OUTPUT_MAX / 2);
	AUTO(buf) struct buf err = BUF_INIT(CRI_EXEC_OUTPUT_MAX / 2);
	int code = 0;
	if (!q->n_cmd)
		return err_set(e, EINVAL, "no command is given");
	int64_t limit = q->timeout > 0 ? q->timeout * NS_PER_S : c->deadline_ns ? grpc_time_left_ns(c, INT64_MAX) : 0;
	int r = pod_exec_sync_wait(cri_of(c)->engine, text_or(q->container_id, ""), (const char *const *)q->cmd, q->n_cmd, limit, &out, &err, &code, e);
	if (r < 0)
		return r;
	p->stdout_ = slice_n(arena_dup(c->arena, buf_slice(&out)), out.len);
	p->stderr_ = slice_n(arena_dup(c->arena, buf_slice(&err)), err.len);
	p->exit_code = code;
	return p->stdout_.ptr && p->stderr_.ptr ? 0 : err_nomem(e);
}

/* --- a remote client and a session */

struct bridge {
	struct pod_session *session;
	struct remote *io;
	struct fiber *in, *size, *gone;
	struct waitq ended;
};

static void done(struct bridge *b, struct fiber **f)
{
	*f = NULL;
	waitq_wake_all(&b->ended);
}

static void in_fiber(void *arg)
{
	struct bridge *b = arg;
	b->in = fiber_self();
	stream_copy_wait(pod_session_stream(b->session), b->io->in);
	stream_shutdown_wait(pod_session_stream(b->session));
	done(b, &b->in);
}

static void size_fiber(void *arg)
{
	struct bridge *b = arg;
	struct remote_size s;
	b->size = fiber_self();
	while (remote_size_wait(b->io, &s) == 1)
		if (s.width && s.height)
			pod_session_resize_wait(b->session, s.height, s.width, NULL);
	done(b, &b->size);
}

static void gone_fiber(void *arg)
{
	struct bridge *b = arg;
	b->gone = fiber_self();
	if (remote_gone_wait(b->io, -1) == 0)
		stream_abandon(pod_session_stream(b->session));
	done(b, &b->gone);
}

static void join_wait(struct bridge *b)
{
	struct fiber **all[] = { &b->in, &b->size, &b->gone };
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (*all[i])
			fiber_cancel(*all[i]);
		while (*all[i] && waitq_wait(&b->ended, NS_PER_S) != -ECANCELED)
			;
	}
	/* in a cancelled fiber a wait returns at once: the others still have to run */
	while (b->in || b->size || b->gone)
		fiber_yield_wait();
}

static int pass(struct stream *to, const char *p, size_t n) { return to ? stream_write_wait(to, p, n) : 0; }

/* Output to its end, or until the client goes. */
static void output_wait(struct bridge *b, bool tty)
{
	struct stream *s = pod_session_stream(b->session);
	unsigned char head[8];
	char data[16 * 1024];
	ssize_t n;
	while (tty && (n = stream_read_wait(s, data, sizeof data)) > 0)
		if (pass(b->io->out, data, (size_t)n) < 0)
			return;
	while (!tty && stream_read_all_wait(s, head, sizeof head) == 0) {
		size_t left = (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
		for (; left; left -= (size_t)n) {
			n = stream_read_wait(s, data, MIN(left, sizeof data));
			if (n <= 0 || pass(head[0] == 2 ? b->io->err : b->io->out, data, (size_t)n) < 0)
				return;
		}
	}
}

static void bridge_wait(struct cri *x, struct pod_session *session, struct remote *io, bool tty)
{
	struct bridge b = { .session = session, .io = io };
	waitq_init(&b.ended);
	if (io->in)
		fiber_start(x->loop, "stream-in", in_fiber, &b);
	if (tty)
		fiber_start(x->loop, "stream-size", size_fiber, &b);
	fiber_start(x->loop, "stream-gone", gone_fiber, &b);
	output_wait(&b, tty);
	join_wait(&b);
}

static int exec_wait(void *arg, const struct cri_stream_request *q, struct remote *io, int *exit_code, struct err *e)
{
	struct cri *x = arg;
	struct pod_exec how = { .container = q->id, .cmd = q->cmd, .n_cmd = (uint32_t)q->n_cmd, .tty = q->wants.tty, .in = io->in != NULL,
		.out = io->out != NULL, .err = io->err != NULL };
	struct pod_session *s;
	int r = pod_exec_open_wait(x->engine, &how, &s, e);
	if (r < 0)
		return r;
	bridge_wait(x, s, io, q->wants.tty);
	r = remote_gone(io) ? err_set(e, ECANCELED, "the client has left") : pod_session_code_wait(s, 10 * NS_PER_S, exit_code, e);
	pod_session_close_wait(s);
	return r;
}

static int attach_wait(void *arg, const struct cri_stream_request *q, struct remote *io, struct err *e)
{
	struct cri *x = arg;
	struct pod_session *s;
	bool tty;
	int r = pod_attach_open_wait(x->engine, q->id, io->in != NULL, io->out != NULL, io->err != NULL, &s, &tty, e);
	if (r < 0)
		return r;
	bridge_wait(x, s, io, tty);
	pod_session_close_wait(s);
	return 0;
}

struct dial_job { int fd; bool v6; unsigned port; };

static int dial_job(void *arg)
{
	struct dial_job *j = arg;
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)j->port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)j->port), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	const struct sockaddr *to = j->v6 ? (const struct sockaddr *)&v6 : (const struct sockaddr *)&v4;
	return connect(j->fd, to, j->v6 ? sizeof v6 : sizeof v4) < 0 ? -errno : 0;
}

static int connect_wait(void *arg, const char *sandbox_id, unsigned port, struct stream **ret, struct err *e)
{
	struct cri *x = arg;
	AUTO(sandbox) struct sandbox *s = NULL;
	int r = pod_sandbox_find(x, sandbox_id, &s, e);
	if (r == 0 && !s->rec.ready)
		r = err_set(e, EBUSY, "sandbox container \"%s\" is not running", s->rec.id);
	if (r < 0)
		return r;
	for (int v6 = 0; v6 < 2; v6++) {
		struct dial_job j = { .v6 = v6, .port = port };
		j.fd = net_sandbox_socket_wait(x->net, s->rec.id, v6, e);
		if (j.fd < 0)
			return j.fd;
		/* to loopback: an answer comes at once */
		r = job_wait(dial_job, &j);
		if (r == 0) {
			r = stream_from_fd(x->loop, j.fd, ret);
			if (r < 0)
				close(j.fd);
			return r < 0 ? err_sys(e, r, "watching a connection") : 0;
		}
		close(j.fd);
	}
	return err_sys(e, r, "failed to connect to localhost:%u inside namespace \"%s\"", port, s->rec.id);
}

static const struct cri_stream_ops ops = { exec_wait, attach_wait, connect_wait };

int streams_open(struct cri *x, struct err *e) { return cri_streams_new(x->loop, &ops, x, &x->streams, e); }

void streams_close(struct cri *x)
{
	if (x->streams)
		cri_streams_free(take_ptr(x->streams));
}

static int url_of(struct grpc_call *c, const struct cri_stream_request *q, const char **ret, struct err *e)
{
	char url[CRI_STREAM_URL_MAX];
	int r = cri_streams_url(cri_of(c)->streams, q, url, e);
	if (r < 0)
		return r;
	*ret = arena_strdup(c->arena, url);
	return *ret ? 0 : err_nomem(e);
}

static int running(struct grpc_call *c, const char *id, struct pod_view *v, struct err *e)
{
	int r = pod_get(cri_of(c)->engine, text_or(id, ""), v, e);
	if (r == 0 && v->state != POD_RUNNING)
		r = err_set(e, EBUSY, "container is in %s state", v->state == POD_CREATED ? "CONTAINER_CREATED" : "CONTAINER_EXITED");
	return r;
}

UNARY(exec)
{
	const struct cri_exec_request *q = request;
	struct pod_view v;
	int r = running(c, q->container_id, &v, e);
	if (r < 0)
		return r;
	struct cri_stream_request s = { .kind = CRI_STREAM_EXEC, .id = v.id, .cmd = (const char *const *)q->cmd, .n_cmd = q->n_cmd,
		.wants = { q->stdin_, q->stdout_, q->stderr_, q->tty } };
	return url_of(c, &s, &((struct cri_exec_response *)reply)->url, e);
}

UNARY(attach)
{
	const struct cri_attach_request *q = request;
	struct pod_view v;
	int r = running(c, q->container_id, &v, e);
	if (r < 0)
		return r;
	struct cri_stream_request s = { .kind = CRI_STREAM_ATTACH, .id = v.id, .wants = { q->stdin_, q->stdout_, q->stderr_, q->tty } };
	return url_of(c, &s, &((struct cri_attach_response *)reply)->url, e);
}

UNARY(port_forward)
{
	const struct cri_port_forward_request *q = request;
	AUTO(sandbox) struct sandbox *s = NULL;
	int r = pod_sandbox_find(cri_of(c), q->pod_sandbox_id, &s, e);
	if (r == 0 && !s->rec.ready)
		r = err_set(e, EBUSY, "sandbox container \"%s\" is not running", s->rec.id);
	if (r < 0)
		return r;
	uint16_t *ports = arena_array(c->arena, q->n_port, sizeof *ports);
	if (!ports)
		return err_nomem(e);
	for (uint32_t i = 0; i < q->n_port; i++) {
		if (q->port[i] < 1 || q->port[i] > 65535)
			return err_set(e, EINVAL, "invalid port %d", q->port[i]);
		ports[i] = (uint16_t)q->port[i];
	}
	struct cri_stream_request f = { .kind = CRI_STREAM_PORT_FORWARD, .id = s->rec.id, .ports = ports, .n_ports = q->n_port };
	return url_of(c, &f, &((struct cri_port_forward_response *)reply)->url, e);
}
