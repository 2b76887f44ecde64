// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP/1.1 client. A body is sent by a fiber of its own while the caller
 * already waits for the answer, so that neither a server that answers early
 * nor one that streams both ways can block the two of them on each other.
 *
 * A connection belongs to one call, then (all sent, all read, keep-alive) to
 * the pool, where the loop watches it and drops it when the peer does.
 */
#include "http/client.h"
#include <errno.h>
#include "base/assert.h"
#include "base/clock.h"
#include "base/list.h"
#include "http/wire.h"

enum { POOL_MAX = 16, CALL_ARENA_MAX = 1024 * 1024, INLINE_MAX = 64 * 1024, SEND_BYTES = 32 * 1024 };
static const int64_t IDLE_NS = 60 * NS_PER_S;

struct http_client {
	struct loop *loop;
	struct http_client_config c;
	struct arena strings;
	const char *host_header;
	struct list pool;              /* longest idle first */
	unsigned n_pool, n_refs;
	bool freed;
};
struct client_conn {
	struct list node;              /* in the pool; alone otherwise */
	struct http_client *client;
	struct http_wire w;
	struct timer idle;
	bool reused;
};
struct http_call_int {
	struct http_client *client;
	struct client_conn *conn;
	struct arena arena;
	struct http_call *call;        /* NULL once released while the sender still runs */
	struct fiber *sender;
	struct buf out;
	bool took_body, answered, keep, failed_body;
	int send_error;
	unsigned n_refs;               /* the call, and the sender */
	struct stream body;
};

static void client_unref(struct http_client *c)
{
	if (--c->n_refs)
		return;
	arena_release(&c->strings);
	free(c);
}

/* --- connections */

static void conn_close(struct client_conn *x)
{
	if (!x)
		return;
	if (!list_empty(&x->node)) {
		list_del(&x->node);
		x->client->n_pool--;
	}
	timer_cancel(&x->idle);
	if (x->w.s) {
		stream_notify(x->w.s, STREAM_READABLE, NULL, NULL);
		stream_close(x->w.s);
	}
	buf_release(&x->w.in);
	free(x);
}

/* Bytes, an end or an error on an idle connection: in every case it is of no more use. */
static void pooled_readable(void *arg, int status) { conn_close(arg); }
static void pooled_late(struct timer *t) { conn_close(container_of(t, struct client_conn, idle)); }

static void pool_put(struct client_conn *x)
{
	struct http_client *c = x->client;
	char probe;

	if (c->freed || x->w.in.len || stream_read_now(x->w.s, &probe, 1) != -EAGAIN ||
	    timer_set(c->loop, &x->idle, IDLE_NS, pooled_late) < 0 || stream_notify(x->w.s, STREAM_READABLE, pooled_readable, x)) {
		conn_close(x);
		return;
	}
	buf_release(&x->w.in);
	list_add_tail(&c->pool, &x->node);
	if (++c->n_pool > POOL_MAX)
		conn_close(list_first(&c->pool, struct client_conn, node));
}

static struct client_conn *pool_get(struct http_client *c)
{
	struct client_conn *x;

	if (list_empty(&c->pool))
		return NULL;
	x = list_entry(c->pool.prev, struct client_conn, node);
	list_del(&x->node);
	c->n_pool--;
	timer_cancel(&x->idle);
	stream_notify(x->w.s, STREAM_READABLE, NULL, NULL);
	x->reused = true;
	return x;
}

static int dial_wait(struct http_client *c, struct stream **ret, struct err *e)
{
	const struct http_client_config *f = &c->c;
	struct stream *s;
	int r;

	if (f->connect_wait)
		r = f->connect_wait(f->connect_arg, &s, e);
	else if (f->unix_path)
		r = stream_connect_unix_wait(f->unix_path, &s, e);
	else
		r = stream_connect_tcp_wait(f->host, f->port, f->connect_timeout_ns, &s, e);
	if (r < 0)
		return r;
	s->timeout_ns = f->connect_timeout_ns;
	if (f->tls) {
		r = tls_wrap_wait(f->tls, s, f->host, "http/1.1", &s, e);
		if (r < 0)
			return r;
	}
	s->timeout_ns = f->io_timeout_ns;
	*ret = s;
	return 0;
}

static int conn_open_wait(struct http_client *c, struct client_conn **ret, struct err *e)
{
	struct client_conn *x = calloc(1, sizeof *x);
	struct stream *s;
	int r;

	if (!x)
		return err_nomem(e);
	r = dial_wait(c, &s, e);
	if (r < 0) {
		free(x);
		return r;
	}
	x->client = c;
	list_init(&x->node);
	wire_init(&x->w, s);
	*ret = x;
	return 0;
}

/* --- sending */

static void call_unref(struct http_call_int *x)
{
	if (--x->n_refs)
		return;
	conn_close(x->conn);
	buf_release(&x->out);
	arena_release(&x->arena);
	client_unref(x->client);
	free(x);
}

static bool wants_length(const char *method)
{
	return !strcmp(method, "POST") || !strcmp(method, "PUT") || !strcmp(method, "PATCH");
}

static int put_head(struct http_call_int *x, const struct http_call *call)
{
	struct buf *b = &x->out;
	const struct http_headers *h = &call->headers;

	buf_reset(b);
	buf_addf(b, "%s %s HTTP/1.1\r\n", call->method, call->target);
	if (!http_header_get(h, "Host").ptr)
		buf_addf(b, "Host: %s\r\n", x->client->host_header);
	for (size_t i = 0; i < h->n; i++) {
		if (!http_is_token(h->v[i].name) || !http_is_value(h->v[i].value))
			return -EINVAL;
		buf_addf(b, "%.*s: %.*s\r\n", SLICE_FMT(h->v[i].name), SLICE_FMT(h->v[i].value));
	}
	if (call->body_stream && call->body_length < 0)
		buf_adds(b, "Transfer-Encoding: chunked\r\n");
	else if (call->body_stream)
		buf_addf(b, "Content-Length: %lld\r\n", (long long)call->body_length);
	else if (call->body.len || wants_length(call->method))
		buf_addf(b, "Content-Length: %zu\r\n", call->body.len);
	buf_adds(b, "\r\n");
	if (!call->body_stream && call->body.len <= INLINE_MAX)
		buf_addslice(b, call->body);
	return buf_error(b);
}

static int send_stream_wait(struct http_call_int *x, struct stream *from, int64_t length)
{
	AUTO(free) char *p = malloc(SEND_BYTES);
	struct http_wire *w = &x->conn->w;
	int r = 0;

	if (!p)
		return -ENOMEM;
	while (r == 0 && length != 0) {
		size_t room = length > 0 ? MIN((uint64_t)SEND_BYTES, (uint64_t)length) : SEND_BYTES;
		ssize_t n = stream_read_wait(from, p, room);

		x->took_body |= n > 0;
		x->failed_body = n < 0 || (n == 0 && length > 0);
		if (x->failed_body)
			return n < 0 ? (int)n : -EPIPE;
		if (n == 0)
			return stream_write_wait(w->s, "0\r\n\r\n", 5);
		if (length > 0) {
			length -= n;
			r = stream_write_wait(w->s, p, (size_t)n);
		} else {
			r = wire_chunk_wait(w, &x->out, p, (size_t)n);
		}
	}
	return r;
}

static void sender_fiber(void *arg)
{
	struct http_call_int *x = arg;
	struct http_call *call = x->call;
	int r;

	x->sender = fiber_self();
	if (call->body_stream)
		r = send_stream_wait(x, call->body_stream, call->body_length);
	else
		r = stream_write_wait(x->conn->w.s, call->body.ptr, call->body.len);
	x->sender = NULL;
	x->send_error = r;
	/* Wakes a caller that waits for an answer that will not come. */
	if (r < 0 && x->call && x->conn && x->conn->w.s)
		stream_fire(x->conn->w.s, STREAM_READABLE);
	call_unref(x);
}

static int send_wait(struct http_call_int *x, struct http_call *call)
{
	bool by_fiber = call->body_stream || call->body.len > INLINE_MAX;
	int r = put_head(x, call);

	if (r == 0)
		r = stream_write_wait(x->conn->w.s, x->out.ptr, x->out.len);
	if (r < 0 || !by_fiber)
		return r;
	x->n_refs++;
	r = fiber_start(x->client->loop, "http body", sender_fiber, x);
	if (r < 0)
		x->n_refs--;
	return r;
}

/* --- receiving */

/* Waits for a whole head; its length, or -errno. */
static ssize_t head_wait(struct http_call_int *x)
{
	struct http_wire *w = &x->conn->w;

	for (;;) {
		size_t n = wire_head(w);
		ssize_t r;

		if (n)
			return (ssize_t)n;
		if (x->failed_body)
			return x->send_error;
		r = wire_fill_now(w);
		if (r == 0)
			return -ECONNRESET;
		if (r == -EAGAIN)
			r = stream_ready_wait(w->s, STREAM_READABLE, w->s->timeout_ns);
		if (r < 0)
			return r;
	}
}

static int receive_wait(struct http_call_int *x, struct http_call *call, const char **why)
{
	struct http_wire *w = &x->conn->w;
	struct http_head h;
	bool none;

	do {
		ssize_t n = head_wait(x);
		char *text;
		int r;

		if (n < 0)
			return (int)n;
		x->answered = true;
		text = arena_dup(&x->arena, slice_n(w->in.ptr, (size_t)n));
		if (!text)
			return -ENOMEM;
		wire_used(w, (size_t)n);
		r = http_head_parse(&x->arena, slice_n(text, (size_t)n), true, &h, why);
		if (r < 0)
			return r;
	} while (h.status < 200 && h.status != 101);
	call->status = h.status;
	call->reply_headers = h.headers;
	none = !strcmp(call->method, "HEAD") || h.status == 204 || h.status == 304 || h.status == 101;
	call->reply_length = none ? 0 : h.chunked ? -1 : h.content_length;
	x->keep = h.keep_alive && h.status != 101 && (none || h.chunked || h.content_length >= 0);
	wire_body_begin(w, none ? BODY_NONE : h.chunked ? BODY_CHUNKED : h.content_length >= 0 ? BODY_LENGTH : BODY_TO_END, h.content_length);
	return 0;
}

static bool was_dropped(int r) { return r == -EPIPE || r == -ECONNRESET; }

static int attempt_wait(struct http_call_int *x, struct http_call *call, const char **why)
{
	int r = send_wait(x, call);

	/* A server may refuse a body by answering and closing: look for its answer before giving up. */
	if (r == 0 || was_dropped(r)) {
		int got = receive_wait(x, call, why);

		r = got == 0 || r == 0 ? got : r;
	}
	return r;
}

int http_call_wait(struct http_client *c, struct http_call *call, struct err *e)
{
	struct http_call_int *x = calloc(1, sizeof *x);
	const char *why = NULL;
	int r;

	if (!x)
		return err_nomem(e);
	must(!call->x);
	call->x = x;
	x->n_refs = 1;
	x->client = c;
	c->n_refs++;
	x->call = call;
	x->out = BUF_INIT(HTTP_HEAD_MAX + INLINE_MAX + 4096);
	arena_init(&x->arena, CALL_ARENA_MAX);
	x->conn = pool_get(c);
	for (;;) {
		if (!x->conn) {
			r = conn_open_wait(c, &x->conn, e);
			if (r < 0) {
				http_call_release(call);
				return r;
			}
		}
		r = attempt_wait(x, call, &why);
		if (!was_dropped(r) || !x->conn->reused || x->answered || x->took_body || x->sender)
			break;
		/* It was closed while idle, before this request was looked at. */
		conn_close(take_ptr(x->conn));
		x->send_error = 0;
	}
	if (r == 0)
		return 0;
	if (why)
		r = err_set(e, EPROTO, "%s %s: %s in the answer", call->method, call->target, why);
	else
		err_sys(e, r, "%s %s%s", call->method, call->target, x->failed_body ? ": cannot read what is to be sent" : "");
	http_call_release(call);
	return r;
}

ssize_t http_call_read_wait(struct http_call *call, void *p, size_t n)
{
	return call->x && call->x->conn ? wire_body_wait(&call->x->conn->w, p, n) : -EBADF;
}

int http_call_body_wait(struct http_call *call, size_t max_bytes, struct buf *out, struct err *e)
{
	char p[8192];
	ssize_t n;

	while ((n = http_call_read_wait(call, p, sizeof p)) > 0) {
		if (out->len + (size_t)n > max_bytes)
			return err_set(e, EMSGSIZE, "%s %s: the answer is larger than %zu bytes", call->method, call->target, max_bytes);
		int r = buf_add(out, p, (size_t)n);

		if (r < 0)
			return err_sys(e, r, "%s %s", call->method, call->target);
	}
	return n < 0 ? err_sys(e, (int)n, "%s %s: cannot read the answer", call->method, call->target) : 0;
}

/* --- the body as a stream */

static struct http_call_int *body_of(struct stream *s) { return container_of(s, struct http_call_int, body); }
static ssize_t body_read_now(struct stream *s, void *p, size_t n) { return wire_body_now(&body_of(s)->conn->w, p, n); }
static ssize_t body_write_now(struct stream *s, const void *p, size_t n) { return -EBADF; }
static int body_shutdown_now(struct stream *s) { return 0; }
static void body_close(struct stream *s) { }

static void body_relay(void *arg, int status)
{
	if (status == 0)
		stream_fire(arg, STREAM_READABLE);
}

static bool body_want(struct stream *s, unsigned what, bool on)
{
	return what == STREAM_READABLE && stream_notify(body_of(s)->conn->w.s, what, on ? body_relay : NULL, s);
}

struct stream *http_call_stream(struct http_call *call)
{
	static const struct stream_ops ops = {
		.name = "answer body", .read_now = body_read_now, .write_now = body_write_now, .shutdown_now = body_shutdown_now,
		.close = body_close, .want = body_want,
	};
	struct http_call_int *x = call->x;

	must(x && x->conn);
	x->body.ops = &ops;
	x->body.loop = x->client->loop;
	x->body.timeout_ns = x->conn->w.s->timeout_ns;
	return &x->body;
}

/* --- ends */

int http_call_hijack(struct http_call *call, struct stream **ret)
{
	struct http_call_int *x = call->x;

	if (!x || !x->conn || x->sender)
		return -EBUSY;
	x->keep = false;
	x->conn->w.s->timeout_ns = 0;
	return wire_take_stream(&x->conn->w, ret);
}

void http_call_release(struct http_call *call)
{
	struct http_call_int *x = take_ptr(call->x);

	if (!x)
		return;
	x->call = NULL;
	if (x->sender) {
		fiber_cancel(x->sender);
		if (call->body_stream)
			stream_abandon(call->body_stream);      /* its owner may end it as it likes from here on */
	} else if (x->conn && x->conn->w.s && x->keep && x->conn->w.body_ended && x->send_error == 0) {
		x->conn->reused = false;
		pool_put(take_ptr(x->conn));
	}
	call_unref(x);
}

int http_client_new(struct loop *l, const struct http_client_config *f, struct http_client **ret)
{
	struct http_client *c = calloc(1, sizeof *c);

	if (!c)
		return -ENOMEM;
	c->loop = l;
	c->n_refs = 1;
	c->c = *f;
	arena_init(&c->strings, 64 * 1024);
	list_init(&c->pool);
	if (c->c.connect_timeout_ns <= 0)
		c->c.connect_timeout_ns = 30 * NS_PER_S;
	c->c.unix_path = arena_strdup(&c->strings, f->unix_path);
	c->c.host = arena_strdup(&c->strings, f->host);
	if (f->host_header)
		c->host_header = arena_strdup(&c->strings, f->host_header);
	else if (!f->host)
		c->host_header = "localhost";
	else if (!f->port || f->port == (f->tls ? 443 : 80))
		c->host_header = c->c.host;
	else
		c->host_header = arena_fmt(&c->strings, strchr(f->host, ':') ? "[%s]:%u" : "%s:%u", f->host, f->port);
	if ((f->unix_path && !c->c.unix_path) || (f->host && !c->c.host) || !c->host_header) {
		client_unref(c);
		return -ENOMEM;
	}
	if (!c->c.port)
		c->c.port = f->tls ? 443 : 80;
	*ret = c;
	return 0;
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	c->freed = true;
	while (!list_empty(&c->pool))
		conn_close(list_first(&c->pool, struct client_conn, node));
	client_unref(c);
}
