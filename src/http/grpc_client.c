// SPDX-License-Identifier: Apache-2.0
/*
 * gRPC's client: one HTTP/2 connection that all calls share, made by the first
 * call that needs it and forgotten when it breaks, so that the next call makes
 * another. A call is a stream of it; a unary call is one that reads one reply.
 */
#include <errno.h>
#include "base/clock.h"
#include "base/num.h"
#include "http/grpc.h"
#include "http/grpc_int.h"
#include "http/h2.h"

enum { READ_STEP = 64 * 1024, HEADERS_OWN = 8 };

/* Outlives the client while somebody is inside of a call. */
struct grpc_client {
	struct loop *loop;
	struct grpc_client_config c;
	struct arena strings;
	struct h2 *h2;                  /* NULL: none now */
	struct fmutex connecting;
	unsigned refs;
	bool freed;
};

struct grpc_stream {
	struct grpc_client *client;
	struct h2_stream *st;
	int64_t deadline_ns;            /* 0: none */
	bool over;                      /* its end was read */
};

static void client_unref(struct grpc_client *c)
{
	if (--c->refs)
		return;
	arena_release(&c->strings);
	free(c);
}

static const char *copy(struct grpc_client *c, const char *s, bool *bad)
{
	char *p = arena_strdup(&c->strings, s);

	*bad = *bad || (s && !p);
	return p;
}

static int copy_headers(struct grpc_client *c, const struct grpc_client_config *from)
{
	struct http_header *v = arena_array(&c->strings, from->n_headers + 1, sizeof *v);

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_headers; i++) {
		v[i] = (struct http_header){ slice_n(arena_dup(&c->strings, from->headers[i].name), from->headers[i].name.len),
			slice_n(arena_dup(&c->strings, from->headers[i].value), from->headers[i].value.len) };
		if (!v[i].name.ptr || !v[i].value.ptr)
			return -ENOMEM;
	}
	c->c.headers = v;
	return 0;
}

int grpc_client_new(struct loop *l, const struct grpc_client_config *from, struct grpc_client **ret)
{
	struct grpc_client *c = calloc(1, sizeof *c);
	bool bad = false;

	if (!c)
		return -ENOMEM;
	c->loop = l;
	c->c = *from;
	c->refs = 1;
	arena_init(&c->strings, 256 * 1024);
	fmutex_init(&c->connecting);
	c->c.unix_path = copy(c, from->unix_path, &bad);
	c->c.host = copy(c, from->host, &bad);
	c->c.authority = copy(c, from->authority, &bad);
	if (!c->c.authority && c->c.host)
		c->c.authority = arena_fmt(&c->strings, "%s:%u", c->c.host, c->c.port);
	if (!c->c.authority)
		c->c.authority = "localhost";
	if (!c->c.connect_timeout_ns)
		c->c.connect_timeout_ns = 10 * NS_PER_S;
	if (bad || copy_headers(c, from) < 0) {
		client_unref(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

void grpc_client_free(struct grpc_client *c)
{
	struct h2 *h2;

	if (!c)
		return;
	c->freed = true;
	h2 = take_ptr(c->h2);
	if (h2) {
		h2_free(h2);
		c->refs--;              /* the connection's */
	}
	client_unref(c);
}

/* --- the connection */

static void on_head(void *arg, struct h2_stream *st) { }
static void on_idle(void *arg, bool is_idle) { }

static void on_gone(void *arg)
{
	struct grpc_client *c = arg;

	c->h2 = NULL;
	client_unref(c);
}

static int dial_wait(struct grpc_client *c, struct stream **ret, struct err *e)
{
	const struct grpc_client_config *o = &c->c;
	int r;

	if (o->connect_wait)
		return o->connect_wait(o->connect_arg, ret, e);
	if (o->unix_path)
		return stream_connect_unix_wait(o->unix_path, ret, e);
	r = stream_connect_tcp_wait(o->host ? o->host : "127.0.0.1", o->port, o->connect_timeout_ns, ret, e);
	return r == 0 && o->tls ? tls_wrap_wait(o->tls, *ret, o->host, "h2", ret, e) : r;
}

static int connect_wait(struct grpc_client *c, struct err *e)
{
	static const struct h2_events events = { .head = on_head, .gone = on_gone, .idle = on_idle };
	struct stream *s = NULL;
	struct h2 *h2;
	int r;

	if (c->h2)
		return 0;
	r = fmutex_lock_wait(&c->connecting);
	if (r < 0)
		return err_sys(e, r, "grpc: connecting");
	if (c->freed)
		r = err_set(e, ECANCELED, "grpc: the client was closed");
	else if (!c->h2)
		r = dial_wait(c, &s, e);
	if (r < 0 && r != -ECANCELED && e)
		e->code = EHOSTDOWN;
	if (r < 0 && r != -ECANCELED)
		r = -EHOSTDOWN;
	if (r == 0 && s && c->freed) {
		stream_close(s);
		r = err_set(e, ECANCELED, "grpc: the client was closed");
	} else if (r == 0 && s) {
		r = h2_new(s, false, &events, c, &h2);
		if (r < 0) {
			err_sys(e, r, "grpc: connecting");
		} else {
			c->h2 = h2;
			c->refs++;
			h2_go(h2);
		}
	}
	fmutex_unlock(&c->connecting);
	return r;
}

/* --- calls */

static int request_head(struct grpc_client *c, const char *path, int64_t timeout_ns, struct h2_stream **ret)
{
	struct http_header h[HEADERS_OWN + 32];
	size_t n = 0;
	char timeout[16];

	h[n++] = (struct http_header){ SLICE(":method"), SLICE("POST") };
	h[n++] = (struct http_header){ SLICE(":scheme"), c->c.tls ? SLICE("https") : SLICE("http") };
	h[n++] = (struct http_header){ SLICE(":path"), slice_of(path) };
	h[n++] = (struct http_header){ SLICE(":authority"), slice_of(c->c.authority) };
	h[n++] = (struct http_header){ SLICE("content-type"), SLICE("application/grpc") };
	h[n++] = (struct http_header){ SLICE("te"), SLICE("trailers") };
	h[n++] = (struct http_header){ SLICE("user-agent"), SLICE("grpc-c-coracle/1.0") };
	if (timeout_ns > 0) {
		grpc_timeout_format(timeout, timeout_ns);
		h[n++] = (struct http_header){ SLICE("grpc-timeout"), slice_of(timeout) };
	}
	for (size_t i = 0; i < c->c.n_headers && n < ARRAY_LEN(h); i++)
		h[n++] = c->c.headers[i];
	struct http_headers all = { h, n };
	return c->h2 ? h2_request(c->h2, &all, false, ret) : -EPIPE;
}

int grpc_stream_open_wait(struct grpc_client *c, const char *path, int64_t timeout_ns, struct grpc_stream **ret, struct err *e)
{
	struct grpc_stream *s = calloc(1, sizeof *s);
	int64_t began_ns = loop_monotonic_ns(c->loop);
	int r = 0;

	if (!s)
		return err_nomem(e);
	s->client = c;
	c->refs++;
	s->deadline_ns = timeout_ns > 0 ? began_ns + timeout_ns : 0;
	/* a connection that broke just now is made again, once: nothing was sent */
	for (int i = 0; i < 2 && !s->st; i++) {
		r = connect_wait(c, e);
		if (r < 0)
			break;
		r = request_head(c, path, timeout_ns, &s->st);
		if (r < 0 && r != -EPIPE)
			break;
	}
	if (!s->st) {
		if (r == -EAGAIN)
			r = err_set(e, EAGAIN, "grpc: too many calls on one connection");
		else if (r == -EPIPE)
			r = err_set(e, EHOSTDOWN, "grpc: the connection to %s is closing", c->c.unix_path ? c->c.unix_path : c->c.authority);
		grpc_stream_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void grpc_stream_free(struct grpc_stream *s)
{
	if (!s)
		return;
	if (s->st) {
		if (!s->over)
			h2_reset(s->st, NGHTTP2_CANCEL);
		h2_stream_unref(s->st);
	}
	client_unref(s->client);
	free(s);
}

/* The time that one read or write may take; -ETIMEDOUT when there is none left. */
static int arm(struct grpc_stream *s)
{
	int64_t left = s->deadline_ns ? s->deadline_ns - loop_monotonic_ns(s->client->loop) : 0;

	if (s->deadline_ns && left <= 0)
		return -ETIMEDOUT;
	s->st->s.timeout_ns = left;
	return 0;
}

/* What a failed read or write means. */
static int failed(struct grpc_stream *s, int r, struct err *e)
{
	if (r == -ETIMEDOUT)
		return err_set(e, ETIMEDOUT, "context deadline exceeded");
	if (r == -ECANCELED)
		return err_set(e, ECANCELED, "context canceled");
	if (s->st->closed && s->st->error == NGHTTP2_CANCEL)
		return err_set(e, ECANCELED, "grpc: the server cancelled the call");
	if (s->st->closed)
		return err_set(e, EHOSTDOWN, "grpc: the connection to %s broke during the call",
			s->client->c.unix_path ? s->client->c.unix_path : s->client->c.authority);
	return err_sys(e, r, "grpc: reading a reply");
}

int grpc_stream_send_wait(struct grpc_stream *s, struct schema_ref type, const void *request, struct err *e)
{
	AUTO(buf) struct buf out = BUF_INIT(GRPC_MESSAGE_MAX + GRPC_PREFIX);
	int r = grpc_frame(type, request, &out, e);

	if (r < 0)
		return r;
	r = arm(s);
	if (r == 0)
		r = stream_write_wait(&s->st->s, out.ptr, out.len);
	/* a server that answers before it has read everything: its status is what counts */
	if (r == -EPIPE && s->st->head_done)
		return 0;
	return r < 0 ? failed(s, r, e) : 0;
}

int grpc_stream_done_wait(struct grpc_stream *s, struct err *e)
{
	int r = h2_end(s->st);

	return r == -EPIPE && s->st->head_done ? 0 : r < 0 ? failed(s, r, e) : 0;
}

/* The status behind the last message; 0 or the error it says. */
static int status(struct grpc_stream *s, struct err *e)
{
	struct slice code = http_header_get(&s->st->headers, "grpc-status"), text = http_header_get(&s->st->headers, "grpc-message");
	int64_t n;

	s->over = true;
	if (!code.ptr || num_parse_i64(code, 0, 1000, &n) < 0) {
		int http = s->st->status;

		return err_set(e, http == 404 ? EOPNOTSUPP : http == 401 ? EKEYREJECTED : http == 403 ? EACCES : http >= 500 ? EHOSTDOWN : EPROTO,
			http == 200 ? "grpc: the server closed the stream without a status" : "grpc: unexpected HTTP status code received from server: %d",
			http);
	}
	if (n == 0)
		return 0;
	if (e) {
		e->code = grpc_errno_of((unsigned)n);
		grpc_message_decode(e->text, sizeof e->text, text);
	}
	return -grpc_errno_of((unsigned)n);
}

/* n bytes behind what out holds: n, or 0 at a clean end before the first of them. */
static int read_wait(struct grpc_stream *s, struct buf *out, size_t n)
{
	size_t got = 0;

	while (got < n) {
		size_t step = MIN(n - got, (size_t)READ_STEP);
		ssize_t r = arm(s);

		if (r == 0)
			r = buf_reserve(out, step);
		if (r == 0)
			r = stream_read_wait(&s->st->s, out->ptr + out->len, step);
		else if (r > 0)
			r = -ENOMEM;
		if (r < 0)
			return (int)r;
		if (r == 0)
			return got ? -EBADMSG : 0;
		out->len += (size_t)r;
		out->ptr[out->len] = 0;
		got += (size_t)r;
	}
	return 1;
}

int grpc_stream_next_wait(struct grpc_stream *s, struct schema_ref type, struct arena *a, void *reply, struct err *e)
{
	AUTO(buf) struct buf in = BUF_INIT(GRPC_MESSAGE_MAX + 1);
	int64_t n;
	int r;

	if (s->over)
		return 0;
	r = read_wait(s, &in, GRPC_PREFIX);
	if (r == 0) {
		/* the end of DATA may come before the trailers, which end the stream */
		return status(s, e);
	}
	if (r < 0)
		return failed(s, r, e);
	n = grpc_prefix_length((const unsigned char *)in.ptr, e);
	if (n < 0)
		return (int)n;
	buf_reset(&in);
	r = n ? read_wait(s, &in, (size_t)n) : 1;
	if (r <= 0)
		return r == 0 || r == -EBADMSG ? err_set(e, EBADMSG, "grpc: the reply is cut off") : failed(s, r, e);
	r = schema_from_protobuf(type, buf_slice(&in), a, reply, e);
	return r < 0 ? r : 1;
}

int grpc_stream_call_wait(struct grpc_client *c, const char *path, struct schema_ref type, const void *request, int64_t timeout_ns,
			  struct grpc_stream **ret, struct err *e)
{
	struct grpc_stream *s;
	int r = grpc_stream_open_wait(c, path, timeout_ns, &s, e);

	if (r < 0)
		return r;
	r = grpc_stream_send_wait(s, type, request, e);
	if (r == 0)
		r = grpc_stream_done_wait(s, e);
	if (r < 0) {
		grpc_stream_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

int grpc_unary_wait(struct grpc_client *c, const char *path, struct schema_ref request_type, const void *request,
		    struct schema_ref reply_type, struct arena *a, void *reply, int64_t timeout_ns, struct err *e)
{
	AUTO(grpc_stream) struct grpc_stream *s = NULL;
	int r = grpc_stream_call_wait(c, path, request_type, request, timeout_ns, &s, e);

	if (r < 0)
		return r;
	r = grpc_stream_next_wait(s, reply_type, a, reply, e);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(e, EPROTO, "grpc: the server sent no reply to %s", path);
	/* the status behind it */
	struct buf rest = BUF_INIT(16);
	r = read_wait(s, &rest, 1);
	buf_release(&rest);
	if (r > 0)
		return err_set(e, EPROTO, "grpc: more than one reply to %s", path);
	return r < 0 ? failed(s, r, e) : status(s, e);
}
