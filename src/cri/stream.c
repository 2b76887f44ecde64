// SPDX-License-Identifier: Apache-2.0
#include "cri/stream.h"
#include <arpa/inet.h>
#include <errno.h>
#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rand.h"
#include "kube/stream/forward.h"

enum { TICKETS_MAX = 1000, TOKEN_BYTES = 16, TICKET_ARENA_MAX = 4 * 1024 * 1024 };
static const int64_t TICKET_NS = 60 * NS_PER_S;

struct ticket {
	struct list node;               /* oldest first */
	char token[2 * TOKEN_BYTES + 1];
	int64_t until_ns;
	struct cri_stream_request q;
	struct arena arena;
};
struct cri_streams {
	struct loop *loop;
	const struct cri_stream_ops *ops;
	void *arg;
	struct http_server *http;
	struct map tickets;
	struct list order;
	unsigned port;
	unsigned n_refs;                /* its owner's, and those of requests that are still on their way out */
};

static const char *const paths[] = { "exec", "attach", "portforward" };
static const char *const failures[] = { "error executing command in container", "error attaching to container" };

/* --- tickets */

static void ticket_free(struct ticket *t)
{
	if (!t)
		return;
	arena_release(&t->arena);
	free(t);
}
AUTO_DEFINE(ticket, struct ticket *, ticket_free)

static struct ticket *take_out(struct cri_streams *s, const char *token)
{
	struct ticket *t = map_dels(&s->tickets, token);

	if (t)
		list_del(&t->node);
	return t;
}

static void drop_old(struct cri_streams *s)
{
	while (!list_empty(&s->order)) {
		struct ticket *t = list_first(&s->order, struct ticket, node);

		if (t->until_ns > loop_monotonic_ns(s->loop))
			return;
		ticket_free(take_out(s, t->token));
	}
}

static int copy_request(struct ticket *t, const struct cri_stream_request *q)
{
	const char **cmd = arena_array(&t->arena, q->n_cmd, sizeof *cmd);
	uint16_t *ports = arena_array(&t->arena, q->n_ports, sizeof *ports);

	t->q = *q;
	t->q.id = arena_strdup(&t->arena, q->id);
	if (!cmd || !ports || !t->q.id)
		return -ENOMEM;
	for (size_t i = 0; i < q->n_cmd; i++) {
		cmd[i] = arena_strdup(&t->arena, q->cmd[i]);
		if (!cmd[i])
			return -ENOMEM;
	}
	if (q->n_ports)
		memcpy(ports, q->ports, q->n_ports * sizeof *ports);
	t->q.cmd = cmd;
	t->q.ports = ports;
	return 0;
}

static int check(const struct cri_stream_request *q, struct err *e)
{
	const struct remote_wants *w = &q->wants;

	if (!q->id || !*q->id)
		return err_set(e, EINVAL, "missing required %s", q->kind == CRI_STREAM_PORT_FORWARD ? "pod_sandbox_id" : "container_id");
	if (q->kind == CRI_STREAM_PORT_FORWARD)
		return 0;
	if (w->tty && w->err)
		return err_set(e, EINVAL, "tty and stderr cannot both be true");
	if (!w->in && !w->out && !w->err)
		return err_set(e, EINVAL, "one of stdin, stdout, or stderr must be set");
	return 0;
}

int cri_streams_url(struct cri_streams *s, const struct cri_stream_request *q, char url[CRI_STREAM_URL_MAX], struct err *e)
{
	AUTO(ticket) struct ticket *t = NULL;
	int r = check(q, e);

	if (r < 0)
		return r;
	drop_old(s);
	if (s->tickets.n >= TICKETS_MAX)
		return err_set(e, EAGAIN, "maximum number of in-flight requests exceeded");
	t = calloc(1, sizeof *t);
	if (!t)
		return err_nomem(e);
	arena_init(&t->arena, TICKET_ARENA_MAX);
	list_init(&t->node);
	rand_hex(t->token, TOKEN_BYTES);
	t->until_ns = loop_monotonic_ns(s->loop) + TICKET_NS;
	if (copy_request(t, q) < 0 || map_sets(&s->tickets, t->token, t) < 0)
		return err_nomem(e);
	list_add_tail(&s->order, &t->node);
	fmt_into(url, CRI_STREAM_URL_MAX, "http://127.0.0.1:%u/%s/%s", s->port, paths[q->kind], t->token);
	take_ptr(t);
	return 0;
}

static int claim(struct http_request *r, enum cri_stream_kind kind, struct ticket **ret, struct err *e)
{
	struct cri_streams *s = r->user;
	struct ticket *t;

	drop_old(s);
	t = take_out(s, http_param(r, "token"));
	if (!t || t->q.kind != kind) {
		ticket_free(t);
		return err_set(e, ENOENT, "page not found");
	}
	*ret = t;
	return 0;
}

/* --- what is served */

static void streams_unref(struct cri_streams *s)
{
	if (--s->n_refs)
		return;
	map_release(&s->tickets);
	free(s);
}
AUTO_DEFINE(streams, struct cri_streams *, streams_unref)

static struct cri_streams *streams_ref(struct http_request *r)
{
	struct cri_streams *s = r->user;

	s->n_refs++;
	return s;
}

static int remote_request(struct http_request *r, enum cri_stream_kind kind, struct err *e)
{
	AUTO(streams) struct cri_streams *s = streams_ref(r);
	AUTO(ticket) struct ticket *t = NULL;
	struct remote *io;
	struct err why = { 0 };
	int code = 0, n = claim(r, kind, &t, e);

	if (n == 0)
		n = remote_accept_wait(r, &t->q.wants, &io, e);
	if (n < 0)
		return n;
	if (kind == CRI_STREAM_EXEC)
		n = s->ops->exec_wait(s->arg, &t->q, io, &code, &why);
	else
		n = s->ops->attach_wait(s->arg, &t->q, io, &why);
	if (n < 0 && why.code)
		err_prefix(&why, "%s", failures[kind]);
	else if (n < 0)
		err_sys(&why, n, "%s", failures[kind]);
	n = n < 0 ? remote_fail_wait(io, &why) : remote_exit_wait(io, code);
	remote_close_wait(io);
	return n;
}

static int exec_request(struct http_request *r, struct err *e) { return remote_request(r, CRI_STREAM_EXEC, e); }
static int attach_request(struct http_request *r, struct err *e) { return remote_request(r, CRI_STREAM_ATTACH, e); }

struct target {
	struct cri_streams *s;
	const char *sandbox;
};

static int forward_connection(void *arg, unsigned port, struct stream *data, struct err *e)
{
	struct target *t = arg;
	AUTO(stream) struct stream *there = NULL;
	int r = t->s->ops->connect_wait(t->s->arg, t->sandbox, port, &there, e);

	if (r < 0)
		return err_prefix(e, "error forwarding port %u to pod %s, uid ", port, t->sandbox);
	/* how a connection ends is the business of its two ends */
	stream_pump_wait(data, there, 0);
	return 0;
}

static int forward_request(struct http_request *r, struct err *e)
{
	AUTO(streams) struct cri_streams *s = streams_ref(r);
	AUTO(ticket) struct ticket *t = NULL;
	int n = claim(r, CRI_STREAM_PORT_FORWARD, &t, e);

	if (n < 0)
		return n;
	return forward_serve_wait(r, t->q.ports, t->q.n_ports,
		&(struct forward_handler){ forward_connection, &(struct target){ s, t->q.id } }, e);
}

static const struct http_route routes[] = {
	{ "GET", "/exec/{token}", exec_request }, { "POST", "/exec/{token}", exec_request },
	{ "GET", "/attach/{token}", attach_request }, { "POST", "/attach/{token}", attach_request },
	{ "GET", "/portforward/{token}", forward_request }, { "POST", "/portforward/{token}", forward_request },
};

/* --- life */

static int listen_loopback(struct cri_streams *s, struct err *e)
{
	struct sockaddr_in a = { 0 };
	socklen_t n = sizeof a;
	int fd = listen_tcp("127.0.0.1", 0, e);

	if (fd < 0)
		return fd;
	if (getsockname(fd, (struct sockaddr *)&a, &n) < 0) {
		int r = -errno;

		close(fd);
		return err_sys(e, r, "streaming server");
	}
	s->port = ntohs(a.sin_port);
	return http_server_listen(s->http, fd, NULL, e);
}

int cri_streams_new(struct loop *l, const struct cri_stream_ops *ops, void *arg, struct cri_streams **ret, struct err *e)
{
	struct cri_streams *s = calloc(1, sizeof *s);
	const struct http_server_config c = { .routes = routes, .n_routes = ARRAY_LEN(routes), .user = s };
	int r;

	if (!s)
		return err_nomem(e);
	s->n_refs = 1;
	s->loop = l;
	s->ops = ops;
	s->arg = arg;
	map_init(&s->tickets);
	list_init(&s->order);
	r = http_server_new(l, &c, &s->http);
	r = r < 0 ? err_sys(e, r, "streaming server") : listen_loopback(s, e);
	if (r < 0) {
		cri_streams_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

int cri_streams_serve(struct cri_streams *s, struct stream *stream) { return http_server_serve(s->http, stream); }

void cri_streams_free(struct cri_streams *s)
{
	if (!s)
		return;
	http_server_free(s->http);
	while (!list_empty(&s->order))
		ticket_free(take_out(s, list_first(&s->order, struct ticket, node)->token));
	streams_unref(s);
}
