// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP/1 connections of a server. Only a request has a fiber; a connection
 * that waits for one is a state object that the loop calls when bytes come.
 *
 *   new ─▶ IDLE ◀──────────────┐ keep-alive, nothing pipelined
 *            │ first byte      │
 *            ▼                 │
 *          HEAD ──complete──▶ BUSY ──must close──▶ LINGER ─▶ gone
 *            └──too slow──▶ gone └──hijacked──▶ gone (the stream lives on)
 *
 * IDLE and HEAD have time-outs and are the first to go at the ceiling of
 * connections. LINGER reads what the peer still sends for a moment, because
 * closing on unread bytes would destroy the answer on its way.
 */
#include <errno.h>
#include "base/assert.h"
#include "base/clock.h"
#include "http/server_int.h"
#include "http/wire.h"

enum conn_state { CONN_IDLE, CONN_HEAD, CONN_BUSY, CONN_LINGER };
struct port {
	struct list node;
	struct http_server *server;
	struct listener *listener;
	struct tls_config *tls;
};
struct conn {
	struct list node;               /* in the server's idle, heads or busy */
	struct http_server *server;
	struct listener *listener;      /* told when this is over; NULL: http_server_serve */
	struct http_wire w;
	struct timer timer;
	enum conn_state state;
	struct fiber *fiber;            /* while BUSY */
	struct tls_peer *peer;
	bool served;                    /* a request has come */
	bool is_loopback;
	/* of the current request */
	bool close_after, continue_due, chunked_out;
	struct buf out;                 /* scratch for chunks and heads */
	size_t lingered;
};

enum { LINGER_MAX = 1024 * 1024, OUT_MAX = HTTP_HEAD_MAX + BODY_INLINE_MAX + 4096 };
static const int64_t LINGER_NS = 2 * NS_PER_S;

static void conn_readable(void *arg, int status);

void server_ref(struct http_server *s) { s->n_refs++; }
void server_unref(struct http_server *s)
{
	if (--s->n_refs == 0)
		free(s);
}

const char *server_date(struct http_server *s)
{
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t now = loop_realtime_ns(s->loop) / NS_PER_S, year;
	int month, day;

	if (now == s->date_s)
		return s->date;
	date_from_days(now / 86400, &year, &month, &day);
	s->date_s = now;
	fmt_into(s->date, sizeof s->date, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + (now / 86400 + 4) % 7 * 3, day,
		months + (month - 1) * 3, (int)year, (int)(now % 86400 / 3600), (int)(now % 3600 / 60), (int)(now % 60));
	return s->date;
}

/* --- life */

static void conn_free(struct conn *c)
{
	struct http_server *s = c->server;

	timer_cancel(&c->timer);
	list_del(&c->node);
	if (c->w.s) {
		stream_notify(c->w.s, STREAM_READABLE, NULL, NULL);
		stream_close(c->w.s);
	}
	buf_release(&c->w.in);
	buf_release(&c->out);
	s->n_connections--;
	if (c->listener)
		listener_done(c->listener);
	tls_peer_unref(c->peer);
	free(c);
	server_unref(s);
}

static void conn_late(struct timer *t) { conn_free(container_of(t, struct conn, timer)); }

static void conn_move(struct conn *c, enum conn_state to)
{
	struct http_server *s = c->server;
	struct list *lists[] = { &s->idle, &s->heads, &s->busy, &s->busy };

	c->state = to;
	list_del(&c->node);
	list_add_tail(lists[to], &c->node);
	if (to == CONN_BUSY)
		timer_cancel(&c->timer);
	else if (timer_set(s->loop, &c->timer, to == CONN_IDLE ? s->c.idle_timeout_ns : to == CONN_HEAD ? s->c.head_timeout_ns : LINGER_NS,
		conn_late) < 0)
		c->close_after = true;
}

/* At the ceiling, the longest idle connection makes room, else the oldest unfinished head. */
static bool make_room(struct http_server *s)
{
	if (s->n_connections < s->c.max_connections)
		return true;
	struct list *from = !list_empty(&s->idle) ? &s->idle : &s->heads;

	if (list_empty(from))
		return false;
	conn_free(list_first(from, struct conn, node));
	return true;
}

static void linger(struct conn *c)
{
	c->fiber = NULL;
	if (!c->w.s || c->w.s->ops->shutdown_now(c->w.s) < 0) {
		conn_free(c);
		return;
	}
	buf_release(&c->w.in);
	conn_move(c, CONN_LINGER);
	conn_readable(c, 0);
}

static void linger_read(struct conn *c)
{
	char drop[4096];
	ssize_t n;

	while ((n = stream_read_now(c->w.s, drop, sizeof drop)) > 0 && c->lingered < LINGER_MAX)
		c->lingered += (size_t)n;
	if (n != -EAGAIN)
		conn_free(c);
	else if (stream_notify(c->w.s, STREAM_READABLE, conn_readable, c))
		conn_free(c);
}

/* --- answers */

static int h1_head_wait(struct http_req *q, int status, int64_t length, struct slice body, bool end)
{
	struct conn *c = q->carrier;
	struct buf *b = &c->out;
	int r;

	/* A client that still waits for "100 Continue" may send the body or not: the connection cannot go on. */
	if (c->continue_due && q->pub.has_body)
		c->close_after = true;
	c->chunked_out = length < 0 && q->pub.http_minor == 1 && !q->no_body;
	if (length < 0 && q->pub.http_minor == 0)
		c->close_after = true;
	buf_reset(b);
	buf_addf(b, "HTTP/1.1 %d %s\r\n", status, http_status_text(status));
	for (size_t i = 0; i < q->extra.n; i++)
		buf_addf(b, "%.*s: %.*s\r\n", SLICE_FMT(q->extra.v[i].name), SLICE_FMT(q->extra.v[i].value));
	buf_addf(b, "Date: %s\r\n", server_date(c->server));
	if (length >= 0 && status != 204 && status != 304 && status >= 200)
		buf_addf(b, "Content-Length: %lld\r\n", (long long)length);
	else if (c->chunked_out)
		buf_adds(b, "Transfer-Encoding: chunked\r\n");
	if (c->close_after)
		buf_adds(b, "Connection: close\r\n");
	else if (q->pub.http_minor == 0)
		buf_adds(b, "Connection: keep-alive\r\n");
	buf_adds(b, "\r\n");
	if (body.len <= BODY_INLINE_MAX) {
		buf_addslice(b, body);
		body = SLICE("");
	}
	r = buf_error(b);
	if (r == 0)
		r = stream_write_wait(c->w.s, b->ptr, b->len);
	if (r == 0 && body.len)
		r = stream_write_wait(c->w.s, body.ptr, body.len);
	return r;
}

static int h1_data_wait(struct http_req *q, const void *p, size_t n)
{
	struct conn *c = q->carrier;

	return c->chunked_out ? wire_chunk_wait(&c->w, &c->out, p, n) : stream_write_wait(c->w.s, p, n);
}

static int h1_end_wait(struct http_req *q)
{
	struct conn *c = q->carrier;
	struct buf *b = &c->out;

	if (!c->chunked_out)
		return 0;
	buf_reset(b);
	buf_adds(b, "0\r\n");
	for (size_t i = 0; i < q->trailers.n; i++)
		buf_addf(b, "%.*s: %.*s\r\n", SLICE_FMT(q->trailers.v[i].name), SLICE_FMT(q->trailers.v[i].value));
	buf_adds(b, "\r\n");
	return buf_error(b) < 0 ? buf_error(b) : stream_write_wait(c->w.s, b->ptr, b->len);
}

static ssize_t h1_body_now(struct http_req *q, void *p, size_t n)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct conn *c = q->carrier;

	if (c->continue_due && !q->begun && !c->w.body_ended) {
		/* It is the first thing sent since a whole head was read, so there is room for it. */
		c->continue_due = false;
		if (stream_write_now(c->w.s, go_on, sizeof go_on - 1) != sizeof go_on - 1)
			return -EPIPE;
	}
	return wire_body_now(&c->w, p, n);
}

static struct stream *h1_body_source(struct http_req *q) { return ((struct conn *)q->carrier)->w.s; }

static int h1_hijack_wait(struct http_req *q, int status, const char *reason, const char *upgrade, struct stream **ret)
{
	struct conn *c = q->carrier;
	struct buf *b = &c->out;
	int r;

	buf_reset(b);
	buf_addf(b, "HTTP/1.1 %d %s\r\n", status, reason);
	for (size_t i = 0; i < q->extra.n; i++)
		buf_addf(b, "%.*s: %.*s\r\n", SLICE_FMT(q->extra.v[i].name), SLICE_FMT(q->extra.v[i].value));
	if (status == 101)
		buf_addf(b, "Connection: Upgrade\r\nUpgrade: %s\r\n", upgrade);
	buf_adds(b, "\r\n");
	r = buf_error(b);
	if (r == 0)
		r = stream_write_wait(c->w.s, b->ptr, b->len);
	stream_notify(c->w.s, STREAM_HANGUP, NULL, NULL);
	return r < 0 ? r : wire_take_stream(&c->w, ret);
}

static const struct http_transport h1 = {
	.head_wait = h1_head_wait, .data_wait = h1_data_wait, .end_wait = h1_end_wait, .body_now = h1_body_now,
	.body_source = h1_body_source, .hijack_wait = h1_hijack_wait,
};

/* --- requests */

static void peer_closed(void *arg, int status)
{
	if (status == 0)
		req_gone(arg);
}

/* Reads the rest of a body nobody wanted; false if the connection had better end. */
static bool drain_wait(struct conn *c)
{
	char drop[4096];
	size_t total = 0;
	ssize_t n = 0;

	c->w.s->timeout_ns = LINGER_NS;
	while (!c->w.body_ended && total < DRAIN_MAX && (n = wire_body_wait(&c->w, drop, sizeof drop)) > 0)
		total += (size_t)n;
	c->w.s->timeout_ns = 0;
	return c->w.body_ended && n >= 0;
}

static void fill(struct http_req *q, struct conn *c, const struct http_head *h)
{
	q->pub.headers = h->headers;
	q->pub.http_minor = h->minor;
	q->pub.content_length = h->content_length;
	q->pub.has_body = h->chunked || h->content_length > 0;
	req_set_peer(q, c->peer);
	q->pub.is_loopback = c->is_loopback;
	c->close_after = !h->keep_alive;
	c->continue_due = h->expect_continue && q->pub.has_body;
	wire_body_begin(&c->w, h->chunked ? BODY_CHUNKED : h->content_length > 0 ? BODY_LENGTH : BODY_NONE, h->content_length);
}

/* One request, whose head is complete. True: the connection can carry another. */
static bool serve_one_wait(struct conn *c, size_t head_len)
{
	struct http_req q = { .t = &h1, .carrier = c };
	struct http_head h;
	const char *why = "malformed request target";
	char *text;
	int r, status;

	arena_init(&q.arena, REQUEST_ARENA_MAX);
	text = head_len > HTTP_HEAD_MAX ? NULL : arena_dup(&q.arena, slice_n(c->w.in.ptr, head_len));
	if (text)
		r = http_head_parse(&q.arena, slice_n(text, head_len), false, &h, &why);
	else
		r = head_len > HTTP_HEAD_MAX ? -EMSGSIZE : -ENOMEM;
	status = r < 0 ? http_parse_status(r) : 0;
	if (r == 0) {
		wire_used(&c->w, head_len);
		fill(&q, c, &h);
		status = req_init(&q, c->server, h.method, h.target);
	} else {
		req_init(&q, c->server, SLICE("GET"), SLICE("/"));
		q.pub.http_minor = 1;
	}
	if (status) {
		c->close_after = true;
		c->continue_due = false;
		r = req_refuse_wait(&q, status, r == -EMSGSIZE && !text ? "request head is too large" : why);
	} else {
		if (stream_notify(c->w.s, STREAM_HANGUP, peer_closed, &q))
			q.gone = true;
		r = req_run_wait(&q);
		if (c->w.s)
			stream_notify(c->w.s, STREAM_HANGUP, NULL, NULL);
	}
	req_release(&q);
	if (r < 0 || q.hijacked || fiber_cancelled(fiber_self())) {
		if (c->w.s)
			stream_close(take_ptr(c->w.s));
		return false;
	}
	return !c->close_after && drain_wait(c);
}

enum next { NEXT_WAIT, NEXT_REQUEST, NEXT_TOO_LARGE, NEXT_CLOSE };

/* Takes what has come; NEXT_WAIT: the loop calls when there is more. */
static enum next conn_receive(struct conn *c)
{
	for (;;) {
		ssize_t n;

		if (wire_head(&c->w))
			return NEXT_REQUEST;
		if (c->w.in.len && c->state != CONN_HEAD)
			conn_move(c, CONN_HEAD);
		n = wire_fill_now(&c->w);
		if (n == -EMSGSIZE)
			return NEXT_TOO_LARGE;
		if (n == -EAGAIN) {
			if (!c->w.in.len && c->state != CONN_IDLE)
				conn_move(c, CONN_IDLE);
			if (!stream_notify(c->w.s, STREAM_READABLE, conn_readable, c))
				return NEXT_WAIT;
			continue;
		}
		if (n <= 0)
			return NEXT_CLOSE;
	}
}

static void conn_fiber(void *arg)
{
	struct conn *c = arg;
	struct http_server *s = c->server;
	enum next next;

	c->fiber = fiber_self();
	do {
		size_t len = wire_head(&c->w);

		if (!serve_one_wait(c, len ? len : HTTP_HEAD_MAX + 1) || s->freed) {
			linger(c);
			return;
		}
		next = conn_receive(c);
		if (next == NEXT_REQUEST || next == NEXT_TOO_LARGE)
			conn_move(c, CONN_BUSY);
	} while (next == NEXT_REQUEST || next == NEXT_TOO_LARGE);
	c->fiber = NULL;
	buf_release(&c->out);
	if (next == NEXT_CLOSE)
		conn_free(c);
}

/* The client knew before it asked. */
static void become_http2(struct conn *c)
{
	struct http_server *s = c->server;
	struct listener *x = take_ptr(c->listener);
	struct stream *stream;
	int r = wire_take_stream(&c->w, &stream);

	server_ref(s);
	conn_free(c);
	if (r == 0)
		server2_serve(s, x, stream);
	else if (x)
		listener_done(x);
	server_unref(s);
}

static void conn_readable(void *arg, int status)
{
	struct conn *c = arg;
	enum next next;

	if (c->state == CONN_LINGER) {
		linger_read(c);
		return;
	}
	next = conn_receive(c);
	if (next == NEXT_WAIT)
		return;
	if (next == NEXT_CLOSE) {
		conn_free(c);
		return;
	}
	if (next == NEXT_REQUEST && !c->served && slice_starts(buf_slice(&c->w.in), "PRI * HTTP/2.0\r\n\r\n")) {
		become_http2(c);
		return;
	}
	c->served = true;
	conn_move(c, CONN_BUSY);
	if (fiber_start(c->server->loop, "request", conn_fiber, c) < 0) {
		static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

		stream_write_now(c->w.s, busy, sizeof busy - 1);
		linger(c);
	}
}

/* Takes stream, and x's count, also on failure. */
static int conn_new(struct http_server *s, struct listener *x, struct stream *stream)
{
	struct conn *c = make_room(s) ? calloc(1, sizeof *c) : NULL;

	if (!c) {
		stream_close(stream);
		if (x)
			listener_done(x);
		return -EBUSY;
	}
	c->server = s;
	c->listener = x;
	c->out = BUF_INIT(OUT_MAX);
	list_init(&c->node);
	wire_init(&c->w, stream);
	c->peer = tls_peer_ref(tls_peer(stream));
	c->is_loopback = stream->is_loopback;
	s->n_connections++;
	server_ref(s);
	/* The first head has to come in time; later ones may be long in coming. */
	conn_move(c, CONN_HEAD);
	c->state = CONN_IDLE;
	conn_readable(c, 0);
	return 0;
}

int http_server_serve(struct http_server *s, struct stream *stream) { return conn_new(s, NULL, stream); }

/* --- listening */

struct greeting {
	struct http_server *server;
	struct listener *listener;
	struct tls_config *tls;
	struct stream *s;
};

static void tls_fiber(void *arg)
{
	struct greeting g = *(struct greeting *)arg;
	struct stream *s = NULL;

	g.s->timeout_ns = g.server->c.head_timeout_ns;
	server_ref(g.server);
	if (tls_wrap_wait(g.tls, g.s, NULL, "h2,http/1.1", &s, NULL) == 0 && !g.server->freed) {
		if (!strcmp(tls_alpn(s), "h2"))
			server2_serve(g.server, g.listener, s);
		else
			conn_new(g.server, g.listener, s);
	} else {
		stream_close(s);
		listener_done(g.listener);
	}
	server_unref(g.server);
}

static void port_accepted(void *arg, struct stream *s)
{
	struct port *p = arg;
	struct greeting g = { p->server, p->listener, p->tls, s };

	if (!p->tls) {
		conn_new(p->server, p->listener, s);
	} else if (fiber_start(p->server->loop, "tls", tls_fiber, &g) < 0) {
		stream_close(s);
		listener_done(p->listener);
	}
}

int http_server_listen(struct http_server *s, int fd, struct tls_config *tls, struct err *e)
{
	struct port *p = calloc(1, sizeof *p);
	int r;

	if (!p) {
		close(fd);
		return err_nomem(e);
	}
	p->server = s;
	p->tls = tls;
	/* Room above the ceiling: a newcomer is accepted before it is known whom it replaces. */
	r = listener_new_raw(s->loop, fd, s->c.max_connections * 2, port_accepted, p, &p->listener);
	if (r < 0) {
		free(p);
		return err_sys(e, r, "cannot serve a listening socket");
	}
	list_add_tail(&s->listeners, &p->node);
	return 0;
}

int http_server_new(struct loop *l, const struct http_server_config *c, struct http_server **ret)
{
	struct http_server *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	s->loop = l;
	s->c = *c;
	if (s->c.head_timeout_ns <= 0)
		s->c.head_timeout_ns = 30 * NS_PER_S;
	if (s->c.idle_timeout_ns <= 0)
		s->c.idle_timeout_ns = 180 * NS_PER_S;
	if (!s->c.max_connections)
		s->c.max_connections = 4096;
	list_init(&s->listeners);
	list_init(&s->idle);
	list_init(&s->heads);
	list_init(&s->busy);
	list_init(&s->http2);
	s->n_refs = 1;
	*ret = s;
	return 0;
}

unsigned http_server_connections(const struct http_server *s) { return s->n_connections; }

void http_server_free(struct http_server *s)
{
	struct conn *c;
	struct port *p;

	if (!s)
		return;
	s->freed = true;
	list_each(p, &s->listeners, node) {
		listener_free(p->listener);
		free(p);
	}
	while (!list_empty(&s->idle))
		conn_free(list_first(&s->idle, struct conn, node));
	while (!list_empty(&s->heads))
		conn_free(list_first(&s->heads, struct conn, node));
	server2_free_all(s);
	list_each(c, &s->busy, node)
		if (c->state == CONN_BUSY && c->fiber)
			fiber_cancel(c->fiber);
	server_unref(s);
}
