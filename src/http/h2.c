// SPDX-License-Identifier: Apache-2.0
/*
 * nghttp2's callbacks only note what happened; what must be told is told after
 * nghttp2 has returned, so that nobody calls it from inside itself or frees it
 * under its feet. A stream is counted: by the connection until it is closed,
 * by its handler, by whoever holds it as a struct stream.
 */
#include "http/h2.h"
#include <errno.h>
#include "base/assert.h"

enum { OUT_MAX = 64 * 1024, WINDOW = 256 * 1024, CONN_WINDOW = 1024 * 1024, STREAMS_MAX = 250, LIVE_MAX = 500,
	RESETS_MAX = 1000, BATCH_BYTES = 16 * 1024, NV_MAX = 128 };

struct h2 {
	struct stream *under;
	nghttp2_session *session;
	const struct h2_events *events;
	void *arg;
	struct list streams, touched;
	unsigned n_streams, n_live, resets;
	bool server, dead, flushing;
	unsigned busy;                  /* calls on the stack that use it after telling others */
	struct buf out;                 /* frames that the stream below has not taken yet */
};

static void readable(void *arg, int status);
static void flush(struct h2 *c);

/* --- streams */

void h2_stream_ref(struct h2_stream *st) { st->n_refs++; }

void h2_stream_unref(struct h2_stream *st)
{
	if (--st->n_refs)
		return;
	list_del(&st->touched);
	list_del(&st->node);
	if (st->c)
		st->c->n_live--;
	buf_release(&st->in);
	buf_release(&st->out);
	arena_release(&st->arena);
	free(st);
}

static void touch(struct h2_stream *st, unsigned what)
{
	st->fire |= 1u << what;
	if (st->c && list_empty(&st->touched))
		list_add_tail(&st->c->touched, &st->touched);
}

static ssize_t st_read_now(struct stream *s, void *p, size_t n)
{
	struct h2_stream *st = container_of(s, struct h2_stream, s);

	n = MIN(n, st->in.len);
	if (!n)
		return st->in_ended ? 0 : st->closed ? -ECONNRESET : -EAGAIN;
	memcpy(p, st->in.ptr, n);
	buf_drop(&st->in, n);
	if (st->c && !st->c->dead && !st->closed) {
		nghttp2_session_consume(st->c->session, st->id, n);
		flush(st->c);
	}
	return (ssize_t)n;
}

static ssize_t st_write_now(struct stream *s, const void *p, size_t n)
{
	struct h2_stream *st = container_of(s, struct h2_stream, s);

	if (st->closed || st->out_end || !st->c || st->c->dead)
		return -EPIPE;
	n = MIN(n, OUT_MAX - st->out.len);
	if (!n)
		return -EAGAIN;
	if (buf_add(&st->out, p, n) < 0)
		return -ENOMEM;
	nghttp2_session_resume_data(st->c->session, st->id);
	flush(st->c);
	return (ssize_t)n;
}

static int st_flush_now(struct stream *s)
{
	struct h2_stream *st = container_of(s, struct h2_stream, s);

	return !st->out.len ? 0 : st->closed ? -EPIPE : -EAGAIN;
}

static int st_shutdown_now(struct stream *s) { return h2_end(container_of(s, struct h2_stream, s)); }

static void st_close(struct stream *s)
{
	struct h2_stream *st = container_of(s, struct h2_stream, s);

	h2_end(st);
	if (!st->in_ended)
		h2_reset(st, NGHTTP2_NO_ERROR);
	h2_stream_unref(st);
}

static bool st_want(struct stream *s, unsigned what, bool on)
{
	struct h2_stream *st = container_of(s, struct h2_stream, s);

	return on && st->closed && what != STREAM_READABLE;
}

static const struct stream_ops st_ops = {
	.name = "http2", .read_now = st_read_now, .write_now = st_write_now, .shutdown_now = st_shutdown_now, .close = st_close,
	.want = st_want, .flush_now = st_flush_now,
};

static struct h2_stream *st_new(struct h2 *c, int32_t id)
{
	struct h2_stream *st = c->n_live < LIVE_MAX ? calloc(1, sizeof *st) : NULL;

	if (!st)
		return NULL;
	st->s = (struct stream){ .ops = &st_ops, .loop = c->under->loop };
	st->c = c;
	st->id = id;
	st->n_refs = 1;
	st->in = BUF_INIT(WINDOW + 1024);
	st->out = BUF_INIT(OUT_MAX);
	arena_init(&st->arena, 1024 * 1024);
	list_init(&st->touched);
	list_add_tail(&c->streams, &st->node);
	c->n_live++;
	return st;
}

/* --- nghttp2's callbacks */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *f, void *arg)
{
	struct h2 *c = arg;
	struct h2_stream *st;

	if (!c->server || f->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	st = st_new(c, f->hd.stream_id);
	if (!st) {
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, f->hd.stream_id, NGHTTP2_REFUSED_STREAM);
		return 0;
	}
	nghttp2_session_set_stream_user_data(session, f->hd.stream_id, st);
	if (c->n_streams++ == 0)
		c->events->idle(c->arg, false);
	return 0;
}

static int add_header(struct h2_stream *st, struct slice name, struct slice value)
{
	if (st->headers.n == st->cap) {
		size_t cap = st->cap ? st->cap * 2 : 16;
		struct http_header *v = cap > 2 * HTTP_HEADERS_MAX ? NULL : arena_array(&st->arena, cap, sizeof *v);

		if (!v)
			return -E2BIG;
		if (st->headers.n)
			memcpy(v, st->headers.v, st->headers.n * sizeof *v);
		st->headers.v = v;
		st->cap = cap;
	}
	st->headers.v[st->headers.n++] = (struct http_header){ name, value };
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *f, const uint8_t *name, size_t name_len, const uint8_t *value,
	size_t value_len, uint8_t flags, void *arg)
{
	struct h2_stream *st = nghttp2_session_get_stream_user_data(session, f->hd.stream_id);
	struct slice n, v;

	if (!st)
		return 0;
	st->header_bytes += name_len + value_len + 32;
	n = slice_n(arena_dup(&st->arena, slice_n(name, name_len)), name_len);
	v = slice_n(arena_dup(&st->arena, slice_n(value, value_len)), value_len);
	if (st->header_bytes > HTTP_HEAD_MAX || !n.ptr || !v.ptr)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (slice_is(n, ":method"))
		st->method = v;
	else if (slice_is(n, ":path"))
		st->path = v;
	else if (slice_is(n, ":authority"))
		st->authority = v;
	else if (slice_is(n, ":scheme"))
		st->scheme = v;
	else if (slice_is(n, ":status") && v.len == 3)
		st->status = (v.ptr[0] - '0') * 100 + (v.ptr[1] - '0') * 10 + v.ptr[2] - '0';
	else if (n.len && n.ptr[0] != ':' && add_header(st, n, v) < 0)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *f, void *arg)
{
	struct h2_stream *st = nghttp2_session_get_stream_user_data(session, f->hd.stream_id);

	if (!st)
		return 0;
	if (f->hd.type == NGHTTP2_HEADERS && !st->head_done && (st->status < 100 || st->status >= 200)) {
		st->head_done = true;
		st->n_head = st->headers.n;
		touch(st, STREAM_READABLE);
	} else if (f->hd.type == NGHTTP2_HEADERS && !st->head_done) {
		st->headers.n = 0;      /* an interim answer: the real one follows */
	}
	if ((f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA) && (f->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
		st->in_ended = true;
		touch(st, STREAM_READABLE);
	}
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
	struct h2_stream *st = nghttp2_session_get_stream_user_data(session, id);

	if (!st || buf_add(&st->in, p, n) < 0) {
		nghttp2_session_consume(session, id, n);
		if (st)
			nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_FLOW_CONTROL_ERROR);
		return 0;
	}
	touch(st, STREAM_READABLE);
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct h2 *c = arg;
	struct h2_stream *st = nghttp2_session_get_stream_user_data(session, id);

	if (!st)
		return 0;
	/* What nobody has read will not be consumed stream by stream any more. */
	if (st->in.len)
		nghttp2_session_consume_connection(session, st->in.len);
	st->closed = true;
	st->error = code;
	if (code != NGHTTP2_NO_ERROR && c->server)
		c->resets++;
	touch(st, STREAM_READABLE);
	touch(st, STREAM_WRITABLE);
	touch(st, STREAM_HANGUP);
	nghttp2_session_set_stream_user_data(session, id, NULL);
	return 0;
}

static ssize_t take_data(nghttp2_session *session, int32_t id, uint8_t *p, size_t n, uint32_t *flags, nghttp2_data_source *src, void *arg)
{
	struct h2_stream *st = src->ptr;

	n = MIN(n, st->out.len);
	memcpy(p, st->out.ptr, n);
	buf_drop(&st->out, n);
	if (n)
		touch(st, STREAM_WRITABLE);
	if (st->out.len || !st->out_end)
		return n ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (st->trailers.n) {
		nghttp2_nv nv[16];
		size_t k = MIN(st->trailers.n, ARRAY_LEN(nv));

		for (size_t i = 0; i < k; i++)
			nv[i] = (nghttp2_nv){ (uint8_t *)st->trailers.v[i].name.ptr, (uint8_t *)st->trailers.v[i].value.ptr,
				st->trailers.v[i].name.len, st->trailers.v[i].value.len, 0 };
		if (nghttp2_submit_trailer(session, id, nv, k) == 0)
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	}
	return (ssize_t)n;
}

/* --- the connection */

static void h2_release(struct h2 *c)
{
	struct h2_stream *st;

	list_each(st, &c->streams, node) {
		st->c = NULL;
		list_del(&st->node);
		list_del(&st->touched);
	}
	nghttp2_session_del(c->session);
	buf_release(&c->out);
	free(c);
}

static void tell_one(struct h2 *c, struct h2_stream *st)
{
	unsigned fire = st->fire;
	bool was_open;

	st->fire = 0;
	list_del(&st->touched);
	h2_stream_ref(st);
	if (st->head_done && !st->announced) {
		st->announced = true;
		c->events->head(c->arg, st);
	}
	for (unsigned i = 0; i < STREAM_EVENTS; i++)
		if (fire & (1u << i))
			stream_fire(&st->s, i);
	was_open = st->closed && (fire & (1u << STREAM_HANGUP));
	if (was_open) {
		h2_stream_unref(st);    /* the connection's own */
		if (--c->n_streams == 0 && !c->dead)
			c->events->idle(c->arg, true);
	}
	h2_stream_unref(st);
}

static void tell(struct h2 *c)
{
	while (!list_empty(&c->touched))
		tell_one(c, list_first(&c->touched, struct h2_stream, touched));
}

/* All streams are reset, the owner is told, the memory goes when nobody is in the middle of it. */
static void die(struct h2 *c, bool told)
{
	struct h2_stream *st;

	if (c->dead)
		return;
	c->dead = true;
	c->busy++;
	list_each(st, &c->streams, node)
		if (!st->closed) {
			st->closed = true;
			st->error = NGHTTP2_INTERNAL_ERROR;
			touch(st, STREAM_READABLE);
			touch(st, STREAM_WRITABLE);
			touch(st, STREAM_HANGUP);
		}
	tell(c);
	for (unsigned i = 0; i < STREAM_EVENTS; i++)
		stream_notify(c->under, i, NULL, NULL);
	stream_close(take_ptr(c->under));
	if (!told)
		c->events->gone(c->arg);
	if (--c->busy == 0)
		h2_release(c);
}

static void leave(struct h2 *c)
{
	if (--c->busy == 0 && c->dead)
		h2_release(c);
}

static void writable(void *arg, int status)
{
	if (status == 0)
		flush(arg);
}

static void flush(struct h2 *c)
{
	bool blocked = false;

	if (c->dead || c->flushing || c->under->on[STREAM_WRITABLE].fn)
		return;
	c->busy++;
	c->flushing = true;
	while (!c->dead && !blocked) {
		const uint8_t *p;
		ssize_t n = 1;

		while (c->out.len < BATCH_BYTES && (n = nghttp2_session_mem_send(c->session, &p)) > 0)
			if (buf_add(&c->out, p, (size_t)n) < 0)
				n = -1;
		if (!c->out.len)
			break;
		n = stream_write_now(c->under, c->out.ptr, c->out.len);
		if (n > 0)
			buf_drop(&c->out, (size_t)n);
		else if (n == -EAGAIN)
			blocked = !stream_notify(c->under, STREAM_WRITABLE, writable, c);
		else
			die(c, false);
	}
	c->flushing = false;
	if (!c->dead && !nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session) && !c->out.len)
		die(c, false);
	if (!c->dead && c->busy == 1)
		tell(c);
	leave(c);
}

static void readable(void *arg, int status)
{
	struct h2 *c = arg;
	uint8_t p[16 * 1024];

	if (status < 0)
		return;
	c->busy++;
	while (!c->dead) {
		ssize_t n = stream_read_now(c->under, p, sizeof p);

		if (n == -EAGAIN && !stream_notify(c->under, STREAM_READABLE, readable, c))
			break;
		if (n == -EAGAIN)
			continue;
		if (n <= 0 || nghttp2_session_mem_recv(c->session, p, (size_t)n) < 0) {
			flush(c);
			die(c, false);
			break;
		}
		if (c->resets > RESETS_MAX)
			nghttp2_session_terminate_session(c->session, NGHTTP2_ENHANCE_YOUR_CALM);
		flush(c);
		if (!c->dead)
			tell(c);
	}
	if (!c->dead) {
		flush(c);
		if (!c->dead)
			tell(c);
	}
	leave(c);
}

static int session_new(struct h2 *c)
{
	nghttp2_session_callbacks *cb;
	nghttp2_option *opt;
	int r;

	if (nghttp2_session_callbacks_new(&cb))
		return -ENOMEM;
	if (nghttp2_option_new(&opt)) {
		nghttp2_session_callbacks_del(cb);
		return -ENOMEM;
	}
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
	/* Windows grow back as handlers read, not as bytes arrive. */
	nghttp2_option_set_no_auto_window_update(opt, 1);
	r = c->server ? nghttp2_session_server_new2(&c->session, cb, c, opt) : nghttp2_session_client_new2(&c->session, cb, c, opt);
	nghttp2_option_del(opt);
	nghttp2_session_callbacks_del(cb);
	return r ? -ENOMEM : 0;
}

int h2_new(struct stream *under, bool server, const struct h2_events *events, void *arg, struct h2 **ret)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX }, { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEAD_MAX }, { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
	};
	struct h2 *c = calloc(1, sizeof *c);

	if (!c) {
		stream_close(under);
		return -ENOMEM;
	}
	*c = (struct h2){ .under = under, .events = events, .arg = arg, .server = server, .out = BUF_INIT(BATCH_BYTES * 4) };
	list_init(&c->streams);
	list_init(&c->touched);
	if (session_new(c) < 0 || nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, server ? 3 : 4) ||
	    nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW)) {
		stream_close(under);
		h2_release(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

void h2_go(struct h2 *c) { readable(c, 0); }
void h2_free(struct h2 *c) { die(c, true); }

void h2_goaway(struct h2 *c)
{
	nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(c->session), NGHTTP2_NO_ERROR, NULL, 0);
	flush(c);
}

/* --- sending */

/* RFC 9113 section 8.2.2: what belongs to a connection has no place here. */
static bool is_of_connection(struct slice n)
{
	static const char *const names[] = { "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (slice_eq_nocase(n, slice_of(names[i])))
			return true;
	return false;
}

static size_t to_nv(struct arena *a, const struct http_headers *h, nghttp2_nv *nv, size_t n)
{
	for (size_t i = 0; i < h->n && n < NV_MAX; i++) {
		char *name = arena_dup(a, h->v[i].name);

		if (!name)
			return 0;
		if (is_of_connection(h->v[i].name))
			continue;
		for (char *p = name; *p; p++)
			*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
		nv[n++] = (nghttp2_nv){ (uint8_t *)name, (uint8_t *)h->v[i].value.ptr, h->v[i].name.len, h->v[i].value.len, 0 };
	}
	return n;
}

int h2_answer(struct h2_stream *st, int status, const struct http_headers *h, bool end)
{
	nghttp2_nv nv[NV_MAX];
	nghttp2_data_provider data = { .source.ptr = st, .read_callback = take_data };
	char text[12];
	size_t n;

	if (st->closed || !st->c || st->c->dead)
		return -EPIPE;
	fmt_into(text, sizeof text, "%d", status);
	nv[0] = (nghttp2_nv){ (uint8_t *)":status", (uint8_t *)text, 7, strlen(text), 0 };
	n = to_nv(&st->arena, h, nv, 1);
	st->out_end = end;
	if (!n || nghttp2_submit_response(st->c->session, st->id, nv, n, end && !st->out.len ? NULL : &data))
		return -ENOMEM;
	st->submitted = true;
	flush(st->c);
	return 0;
}

int h2_request(struct h2 *c, const struct http_headers *h, bool end, struct h2_stream **ret)
{
	nghttp2_nv nv[NV_MAX];
	struct h2_stream *st = c->dead ? NULL : st_new(c, 0);
	nghttp2_data_provider data = { .source.ptr = st, .read_callback = take_data };
	size_t n;

	if (!st)
		return c->dead ? -EPIPE : -EAGAIN;
	n = to_nv(&st->arena, h, nv, 0);
	st->out_end = end;
	st->id = n ? nghttp2_submit_request(c->session, NULL, nv, n, end ? NULL : &data, st) : -1;
	if (st->id < 0) {
		h2_stream_unref(st);
		return -EPIPE;
	}
	st->submitted = true;
	if (c->n_streams++ == 0)
		c->events->idle(c->arg, false);
	h2_stream_ref(st);
	flush(c);
	*ret = st;
	return 0;
}

int h2_end(struct h2_stream *st)
{
	if (st->out_end)
		return 0;
	st->out_end = true;
	if (st->closed || !st->c || st->c->dead)
		return -EPIPE;
	nghttp2_session_resume_data(st->c->session, st->id);
	flush(st->c);
	return 0;
}

void h2_reset(struct h2_stream *st, uint32_t code)
{
	if (st->closed || !st->c || st->c->dead)
		return;
	nghttp2_submit_rst_stream(st->c->session, NGHTTP2_FLAG_NONE, st->id, code);
	flush(st->c);
}
