// SPDX-License-Identifier: Apache-2.0
/* What handlers call, the same for every version of HTTP. */
#include "http/server_int.h"
#include <errno.h>
#include "base/assert.h"
#include "base/clock.h"
#include "http/parse.h"
#include "http/route.h"

static struct http_req *of(const struct http_request *r) { return container_of(r, struct http_req, pub); }

const char *http_param(const struct http_request *r, const char *name)
{
	for (size_t i = 0; i < r->n_params; i++)
		if (slice_is(r->params[i].name, name))
			return r->params[i].value.ptr;
	return "";
}

/* --- life */

/* "/a%20b?x=1", or "http://host/a" as proxies get it. */
static int split_target(struct http_req *q, struct slice target)
{
	struct slice path, query;
	char *decoded;

	if (slice_starts(target, "http://") || slice_starts(target, "https://")) {
		size_t host = target.ptr[4] == 's' ? 8 : 7;
		ptrdiff_t slash = slice_find(slice_n(target.ptr + host, target.len - host), '/');

		target = slash < 0 ? SLICE("/") : slice_n(target.ptr + host + slash, target.len - host - (size_t)slash);
	}
	slice_cut(target, '?', &path, &query);
	if (!path.len || (path.ptr[0] != '/' && !slice_is(path, "*")))
		return 400;
	if (http_percent_decode(&q->arena, path, false, &decoded) < 0)
		return 400;
	q->pub.path = decoded;
	return http_query_parse(&q->arena, query, &q->pub.query) < 0 ? 400 : 0;
}

int req_init(struct http_req *q, struct http_server *s, struct slice method, struct slice target)
{
	q->pub.server = s;
	q->pub.user = s->c.user;
	q->pub.arena = &q->arena;
	q->pub.method = method;
	q->pub.target = target;
	q->pub.path = "";
	q->is_head = slice_is(method, "HEAD");
	q->left = -1;
	q->began_ns = loop_monotonic_ns(s->loop);
	waitq_init(&q->gone_q);
	return split_target(q, target);
}

void req_release(struct http_req *q)
{
	must(!q->body_stream.on[STREAM_READABLE].fn);
	arena_release(&q->arena);
}

void req_gone(struct http_req *q)
{
	q->gone = true;
	waitq_wake_all(&q->gone_q);
	if (q->cancel_when_gone && q->fiber)
		fiber_cancel(q->fiber);
}

/* --- errors */

static void write_plain(struct http_request *r, int status, const struct err *e)
{
	char text[sizeof e->text + 1];

	fmt_into(text, sizeof text, "%s\n", e->text);
	http_reply(r, status, "text/plain; charset=utf-8", slice_of(text));
}

static void answer_error(struct http_req *q, int status, const struct err *e)
{
	struct http_server *s = q->pub.server;

	(s->c.write_error ? s->c.write_error : write_plain)(&q->pub, status, e);
}

int req_refuse_wait(struct http_req *q, int status, const char *text)
{
	struct err e = { .code = EINVAL };

	fmt_into(e.text, sizeof e.text, "%s", text);
	write_plain(&q->pub, status, &e);
	return q->ended ? 0 : -EPIPE;
}

/* --- running */

static void allow_header(struct http_req *q)
{
	const struct http_server_config *c = &q->pub.server->c;
	struct http_param params[ROUTE_PARAMS_MAX];
	AUTO(buf) struct buf allow = BUF_INIT(256);

	for (size_t i = 0; i < c->n_routes; i++) {
		size_t n = 0;

		if (route_match(c->routes[i].pattern, q->pub.path, params, &n) && !strstr(allow.ptr, c->routes[i].method))
			buf_addf(&allow, "%s%s", allow.len ? ", " : "", c->routes[i].method);
	}
	http_header_add(&q->pub, "Allow", allow.ptr);
}

static int route(struct http_req *q)
{
	struct http_request *r = &q->pub;
	const struct http_server_config *c = &r->server->c;
	bool other_method;

	r->route = route_find(c->routes, c->n_routes, r->method, r->path, q->params, &r->n_params, &other_method);
	r->params = q->params;
	if (!r->route)
		return other_method ? 405 : 404;
	for (size_t i = 0; i < r->n_params; i++) {
		char *copy = arena_dup(r->arena, r->params[i].value);

		if (!copy)
			return 503;
		r->params[i].value.ptr = copy;
	}
	return 0;
}

static int handle_wait(struct http_req *q, struct err *e)
{
	struct http_request *r = &q->pub;
	const struct http_server_config *c = &r->server->c;
	int status, n;

	if (c->before) {
		n = c->before(r, &r->path, e);
		if (n < 0)
			return n;
	}
	if (q->ended || q->hijacked)
		return 0;
	status = route(q);
	if (status == 0)
		return r->route->handle(r, e);
	if (status == 405)
		allow_header(q);
	n = err_set(e, status == 404 ? ENOENT : status == 405 ? EOPNOTSUPP : ENOMEM, "%s",
		status == 404 ? "page not found" : http_status_text(status));
	answer_error(q, status, e);
	return q->begun ? 0 : n;
}

int req_run_wait(struct http_req *q)
{
	struct http_server *s = q->pub.server;
	struct err e = { 0 };
	int r;

	q->fiber = fiber_self();
	r = handle_wait(q, &e);
	q->cancel_when_gone = false;
	if (!q->hijacked && !q->begun) {
		if (r < 0) {
			if (!e.code)
				err_sys(&e, r, "request failed");
			answer_error(q, err_http_status(e.code), &e);
		}
		if (!q->begun)
			http_reply(&q->pub, r < 0 ? 500 : 200, NULL, SLICE(""));
		r = 0;
	}
	if (r >= 0 && !q->hijacked)
		r = http_end_wait(&q->pub);
	if (s->c.done)
		s->c.done(&q->pub, q->status, loop_monotonic_ns(s->loop) - q->began_ns);
	return r;
}

/* --- body */

ssize_t http_body_read_wait(struct http_request *r, void *p, size_t n)
{
	struct http_req *q = of(r);

	fiber_yield_wait();
	for (;;) {
		ssize_t got = q->t->body_now(q, p, n);
		int e;

		if (got != -EAGAIN)
			return got;
		e = stream_ready_wait(q->t->body_source(q), STREAM_READABLE, 0);
		if (e < 0)
			return e;
	}
}

int http_body_all_wait(struct http_request *r, size_t max_bytes, struct slice *ret, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(max_bytes + 1);
	ssize_t n = 1;
	char *copy;

	if (r->content_length > 0 && (uint64_t)r->content_length > max_bytes)
		return err_set(e, E2BIG, "request body is larger than %zu bytes", max_bytes);
	while (r->has_body && n > 0) {
		size_t room = b.cap - b.len;

		if (room < 512)
			room = MIN(MAX(b.cap, (size_t)4096), b.max - b.len);
		if (b.len > max_bytes || !room)
			return err_set(e, E2BIG, "request body is larger than %zu bytes", max_bytes);
		if (buf_reserve(&b, room) < 0)
			return err_nomem(e);
		n = http_body_read_wait(r, b.ptr + b.len, room);
		if (n < 0)
			return err_sys(e, (int)n, "cannot read the request body");
		b.len += (size_t)n;
	}
	if (b.len > max_bytes)
		return err_set(e, E2BIG, "request body is larger than %zu bytes", max_bytes);
	copy = arena_dup(r->arena, buf_slice(&b));
	if (!copy)
		return err_nomem(e);
	*ret = slice_n(copy, b.len);
	return 0;
}

static ssize_t body_read_now(struct stream *s, void *p, size_t n)
{
	struct http_req *q = container_of(s, struct http_req, body_stream);

	return q->t->body_now(q, p, n);
}

static ssize_t body_write_now(struct stream *s, const void *p, size_t n) { return -EBADF; }
static int body_shutdown_now(struct stream *s) { return 0; }
static void body_close(struct stream *s) { }

static void body_relay(void *arg, int status)
{
	struct http_req *q = arg;

	if (status == 0)
		stream_fire(&q->body_stream, STREAM_READABLE);
}

static bool body_want(struct stream *s, unsigned what, bool on)
{
	struct http_req *q = container_of(s, struct http_req, body_stream);

	if (what != STREAM_READABLE)
		return false;
	return stream_notify(q->t->body_source(q), what, on ? body_relay : NULL, q);
}

struct stream *http_body_stream(struct http_request *r)
{
	static const struct stream_ops ops = {
		.name = "request body", .read_now = body_read_now, .write_now = body_write_now, .shutdown_now = body_shutdown_now,
		.close = body_close, .want = body_want,
	};
	struct http_req *q = of(r);

	q->body_stream.ops = &ops;
	q->body_stream.loop = r->server->loop;
	return &q->body_stream;
}

/* --- answer */

int http_header_add(struct http_request *r, const char *name, const char *value)
{
	struct http_req *q = of(r);
	char *n = arena_strdup(r->arena, name), *v = arena_strdup(r->arena, value);

	if (!n || !v)
		return -ENOMEM;
	if (q->begun || !http_is_token(slice_of(n)) || !http_is_value(slice_of(v)))
		return -EINVAL;
	if (q->extra.n == q->extra_cap) {
		size_t cap = q->extra_cap ? q->extra_cap * 2 : 8;
		struct http_header *grown = cap > HTTP_HEADERS_MAX ? NULL : arena_array(r->arena, cap, sizeof *grown);

		if (!grown)
			return -ENOMEM;
		if (q->extra.n)
			memcpy(grown, q->extra.v, q->extra.n * sizeof *grown);
		q->extra.v = grown;
		q->extra_cap = cap;
	}
	q->extra.v[q->extra.n++] = (struct http_header){ slice_of(n), slice_of(v) };
	return 0;
}

int http_trailer_add(struct http_request *r, const char *name, const char *value)
{
	struct http_req *q = of(r);
	char *n = arena_strdup(r->arena, name), *v = arena_strdup(r->arena, value);

	if (!n || !v)
		return -ENOMEM;
	if (q->ended || q->trailers.n == ARRAY_LEN(q->trailer_rows) || !http_is_token(slice_of(n)) || !http_is_value(slice_of(v)))
		return -EINVAL;
	q->trailers.v = q->trailer_rows;
	q->trailers.v[q->trailers.n++] = (struct http_header){ slice_of(n), slice_of(v) };
	return 0;
}

static int begin(struct http_req *q, int status, const char *content_type, int64_t length, struct slice body, bool end)
{
	int r;

	if (q->begun)
		return -EALREADY;
	if (content_type) {
		r = http_header_add(&q->pub, "Content-Type", content_type);
		if (r < 0)
			return r;
	}
	q->begun = true;
	q->status = status;
	q->no_body = q->is_head || status == 204 || status == 304 || status < 200;
	q->left = length;
	if (q->no_body)
		body = SLICE("");
	r = q->t->head_wait(q, status, length, body, end);
	if (r == 0 && end)
		q->ended = true;
	return r;
}

int http_reply(struct http_request *r, int status, const char *content_type, struct slice body)
{
	return begin(of(r), status, content_type, (int64_t)body.len, body, true);
}

int http_begin_wait(struct http_request *r, int status, const char *content_type)
{
	return begin(of(r), status, content_type, -1, SLICE(""), false);
}

int http_begin_length_wait(struct http_request *r, int status, const char *content_type, int64_t length)
{
	return begin(of(r), status, content_type, length, SLICE(""), false);
}

int http_write_wait(struct http_request *r, const void *p, size_t n)
{
	struct http_req *q = of(r);

	if (!q->begun || q->ended)
		return -EBADF;
	if (q->gone && q->cancel_when_gone)
		return -EPIPE;
	if (q->left >= 0) {
		if ((uint64_t)q->left < n)
			return -EOVERFLOW;
		q->left -= (int64_t)n;
	}
	return q->no_body || n == 0 ? 0 : q->t->data_wait(q, p, n);
}

int http_end_wait(struct http_request *r)
{
	struct http_req *q = of(r);
	int e;

	if (q->ended)
		return 0;
	if (!q->begun)
		return -EBADF;
	if (q->left > 0 && !q->no_body)
		return -EPIPE;          /* promised more than was written: the connection cannot go on */
	e = q->t->end_wait(q);
	if (e == 0)
		q->ended = true;
	return e;
}

bool http_begun(const struct http_request *r) { return of(r)->begun; }
bool http_peer_gone(struct http_request *r) { return of(r)->gone; }

int http_peer_gone_wait(struct http_request *r, int64_t timeout_ns)
{
	struct http_req *q = of(r);

	return q->gone ? 0 : waitq_wait(&q->gone_q, timeout_ns);
}

void http_cancel_when_gone(struct http_request *r, bool on)
{
	struct http_req *q = of(r);

	q->cancel_when_gone = on;
	if (on && q->gone && q->fiber)
		fiber_cancel(q->fiber);
}

int http_hijack_wait(struct http_request *r, int status, const char *content_type, const char *upgrade, struct stream **ret)
{
	struct http_req *q = of(r);
	const char *reason = http_status_text(status);
	char drop[1024];
	size_t dropped = 0;
	ssize_t n;
	int e;

	if (q->begun)
		return -EALREADY;
	while ((n = http_body_read_wait(r, drop, sizeof drop)) > 0)
		if ((dropped += (size_t)n) > DRAIN_MAX)
			return -EBUSY;
	if (n < 0)
		return (int)n;
	if (status == 0) {
		struct slice proto = http_header_get(&r->headers, "Upgrade");

		status = proto.len ? 101 : 200;
		reason = proto.len ? "UPGRADED" : "OK";
		upgrade = proto.len ? arena_dup(r->arena, proto) : NULL;
	}
	if (content_type && http_header_add(r, "Content-Type", content_type) < 0)
		return -ENOMEM;
	q->begun = true;
	q->status = status;
	e = q->t->hijack_wait(q, status, reason, upgrade, ret);
	if (e == 0)
		q->hijacked = true;
	return e;
}

void req_set_peer(struct http_req *q, const struct tls_peer *p)
{
	const char **v = p ? arena_array(&q->arena, p->n_organizations, sizeof *v) : NULL;
	const char *name = p ? arena_strdup(&q->arena, p->name) : NULL;

	if (!v || !name)
		return;
	for (size_t i = 0; i < p->n_organizations; i++)
		if (!(v[i] = arena_strdup(&q->arena, p->organizations[i])))
			return;
	q->pub.peer_name = name;
	q->pub.peer_organizations = v;
	q->pub.n_peer_organizations = p->n_organizations;
}
