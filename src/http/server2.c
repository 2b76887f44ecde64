// SPDX-License-Identifier: Apache-2.0
/* HTTP/2 connections of a server: each stream is a request, and runs the same handlers in a fiber of its own. */
#include <errno.h>
#include "base/clock.h"
#include "base/num.h"
#include "http/h2.h"
#include "http/server_int.h"

struct conn2 {
	struct list node;
	struct http_server *server;
	struct listener *listener;
	struct h2 *h2;
	struct timer idle;
	struct tls_peer *peer;
	bool is_loopback;
};

static int h2t_head_wait(struct http_req *q, int status, int64_t length, struct slice body, bool end)
{
	struct h2_stream *st = q->carrier;
	int r;

	char text[24];
	int minor = q->begun;

	q->begun = false;       /* http_header_add refuses once it has begun; these two are ours */
	r = http_header_add(&q->pub, "Date", server_date(q->pub.server));
	if (r == 0 && length >= 0 && status != 204 && status != 304) {
		fmt_into(text, sizeof text, "%lld", (long long)length);
		r = http_header_add(&q->pub, "Content-Length", text);
	}
	q->begun = minor;
	if (r == 0)
		r = h2_answer(st, status, &q->extra, q->no_body || (end && !body.len && !q->trailers.n));
	if (r == 0 && body.len)
		r = stream_write_wait(&st->s, body.ptr, body.len);
	return r == 0 && end ? q->t->end_wait(q) : r;
}

static int h2t_data_wait(struct http_req *q, const void *p, size_t n)
{
	return stream_write_wait(&((struct h2_stream *)q->carrier)->s, p, n);
}

static int h2t_end_wait(struct http_req *q)
{
	struct h2_stream *st = q->carrier;

	/* The names and values outlive the request only in the stream's own memory. */
	if (q->trailers.n && !st->out_end) {
		struct http_header *v = arena_array(&st->arena, q->trailers.n, sizeof *v);

		for (size_t i = 0; v && i < q->trailers.n; i++) {
			const struct http_header *t = &q->trailers.v[i];

			v[i] = (struct http_header){ slice_n(arena_dup(&st->arena, t->name), t->name.len),
				slice_n(arena_dup(&st->arena, t->value), t->value.len) };
			if (!v[i].name.ptr || !v[i].value.ptr)
				return -ENOMEM;
			for (char *p = (char *)v[i].name.ptr; *p; p++)
				*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
		}
		if (!v)
			return -ENOMEM;
		st->trailers = (struct http_headers){ v, q->trailers.n };
	}
	return h2_end(st);
}

static ssize_t h2t_body_now(struct http_req *q, void *p, size_t n)
{
	return stream_read_now(&((struct h2_stream *)q->carrier)->s, p, n);
}

static struct stream *h2t_body_source(struct http_req *q) { return &((struct h2_stream *)q->carrier)->s; }

/* No 101 here (RFC 9113 8.6): a stream is a connection already. */
static int h2t_hijack_wait(struct http_req *q, int status, const char *reason, const char *upgrade, struct stream **ret)
{
	struct h2_stream *st = q->carrier;
	int r = h2_answer(st, status == 101 ? 200 : status, &q->extra, false);

	if (r < 0)
		return r;
	stream_notify(&st->s, STREAM_HANGUP, NULL, NULL);
	h2_stream_ref(st);
	*ret = &st->s;
	return 0;
}

static const struct http_transport h2t = {
	.head_wait = h2t_head_wait, .data_wait = h2t_data_wait, .end_wait = h2t_end_wait, .body_now = h2t_body_now,
	.body_source = h2t_body_source, .hijack_wait = h2t_hijack_wait,
};

static void stream_gone(void *arg, int status)
{
	if (status == 0)
		req_gone(arg);
}

static void fill(struct http_req *q, struct h2_stream *st, const struct tls_peer *peer)
{
	struct http_headers *h = &st->headers;
	int64_t length;

	q->pub.headers = (struct http_headers){ h->v, st->n_head };
	q->pub.http_minor = 2;
	q->pub.content_length = num_parse_i64(http_header_get(&q->pub.headers, "content-length"), 0, INT64_MAX, &length) == 0 ? length : -1;
	q->pub.has_body = !st->in_ended || st->in.len > 0;
	req_set_peer(q, peer);
	if (st->authority.len && !http_header_get(h, "host").ptr && st->n_head == h->n) {
		struct http_header *v = arena_array(&q->arena, h->n + 1, sizeof *v);

		if (!v)
			return;
		v[0] = (struct http_header){ SLICE("host"), st->authority };
		if (h->n)
			memcpy(v + 1, h->v, h->n * sizeof *v);
		q->pub.headers = (struct http_headers){ v, h->n + 1 };
	}
}

static void request_fiber(void *arg)
{
	struct h2_stream *st = arg;
	struct conn2 *x = st->user;
	struct http_server *s = x->server;
	struct http_req q = { .t = &h2t, .carrier = st };
	int r, status;

	server_ref(s);
	h2_stream_ref(st);
	arena_init(&q.arena, REQUEST_ARENA_MAX);
	fill(&q, st, x->peer);
	q.pub.is_loopback = x->is_loopback;
	status = req_init(&q, s, st->method, st->path);
	if (status) {
		r = req_refuse_wait(&q, status, "malformed request target");
	} else {
		if (stream_notify(&st->s, STREAM_HANGUP, stream_gone, &q))
			q.gone = true;
		r = req_run_wait(&q);
		if (!q.hijacked)
			stream_notify(&st->s, STREAM_HANGUP, NULL, NULL);
	}
	req_release(&q);
	if (r < 0)
		h2_reset(st, NGHTTP2_INTERNAL_ERROR);
	else if (!q.hijacked && !st->in_ended)
		h2_reset(st, NGHTTP2_NO_ERROR);
	h2_stream_unref(st);
	server_unref(s);
}

static void on_head(void *arg, struct h2_stream *st)
{
	struct conn2 *x = arg;

	st->user = x;
	if (x->server->freed || fiber_start(x->server->loop, "request", request_fiber, st) < 0)
		h2_reset(st, NGHTTP2_REFUSED_STREAM);
}

static void conn2_release(struct conn2 *x)
{
	struct http_server *s = x->server;

	timer_cancel(&x->idle);
	list_del(&x->node);
	s->n_connections--;
	if (x->listener)
		listener_done(x->listener);
	tls_peer_unref(x->peer);
	free(x);
	server_unref(s);
}

static void on_gone(void *arg) { conn2_release(arg); }

static void idle_late(struct timer *t)
{
	struct conn2 *x = container_of(t, struct conn2, idle);

	h2_free(x->h2);
	conn2_release(x);
}

static void on_idle(void *arg, bool is_idle)
{
	struct conn2 *x = arg;

	timer_cancel(&x->idle);
	if (is_idle)
		timer_set(x->server->loop, &x->idle, x->server->c.idle_timeout_ns, idle_late);
}

int server2_serve(struct http_server *s, struct listener *listener, struct stream *stream)
{
	static const struct h2_events events = { .head = on_head, .gone = on_gone, .idle = on_idle };
	struct conn2 *x = calloc(1, sizeof *x);

	if (x) {
		x->is_loopback = stream->is_loopback;
		x->peer = tls_peer_ref(tls_peer(stream));    /* h2 may close the stream before us */
	}
	if (!x || h2_new(stream, true, &events, x, &x->h2) < 0) {
		if (!x)
			stream_close(stream);
		if (listener)
			listener_done(listener);
		tls_peer_unref(x ? x->peer : NULL);
		free(x);
		return -ENOMEM;
	}
	x->server = s;
	x->listener = listener;
	s->n_connections++;
	server_ref(s);
	list_add_tail(&s->http2, &x->node);
	timer_set(s->loop, &x->idle, s->c.head_timeout_ns, idle_late);
	h2_go(x->h2);
	return 0;
}

void server2_free_all(struct http_server *s)
{
	while (!list_empty(&s->http2)) {
		struct conn2 *x = list_first(&s->http2, struct conn2, node);

		h2_free(x->h2);
		conn2_release(x);
	}
}
