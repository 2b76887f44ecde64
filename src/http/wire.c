// SPDX-License-Identifier: Apache-2.0
#include "http/wire.h"
#include <errno.h>
#include "base/auto.h"

enum { FILL_BYTES = 4096, CHUNK_BYTES = 64 * 1024 };

void wire_init(struct http_wire *w, struct stream *s)
{
	*w = (struct http_wire){ .s = s, .in = BUF_INIT(HTTP_HEAD_MAX + FILL_BYTES), .body_ended = true };
}

/* By way of the stack, so that a connection keeps no more memory than the bytes it has sent. */
ssize_t wire_fill_now(struct http_wire *w)
{
	char p[FILL_BYTES];
	ssize_t n;
	int r;

	if (w->in.len >= HTTP_HEAD_MAX)
		return -EMSGSIZE;
	n = stream_read_now(w->s, p, sizeof p);
	if (n > 0) {
		r = buf_add(&w->in, p, (size_t)n);
		if (r < 0)
			return r;
	} else if (!w->in.len) {
		buf_release(&w->in);    /* an idle connection keeps no buffer */
	}
	return n;
}

size_t wire_head(struct http_wire *w)
{
	if (!w->scan) {
		size_t n = 0;

		while (n + 1 < w->in.len && w->in.ptr[n] == '\r' && w->in.ptr[n + 1] == '\n')
			n += 2;
		if (n)
			wire_used(w, n);
		if (w->in.len == 1 && w->in.ptr[0] == '\r')
			return 0;
		/* A TLS hello on a plain port and the like: refused now, not when a head that never ends has timed out. */
		if (w->in.len && (unsigned char)w->in.ptr[0] < ' ' && w->in.ptr[0] != '\r' && w->in.ptr[0] != '\n')
			return w->in.len;
	}
	return w->in.len ? http_head_length(w->in.ptr, w->in.len, &w->scan) : 0;
}

void wire_used(struct http_wire *w, size_t n)
{
	buf_drop(&w->in, n);
	w->scan = 0;
}

void wire_body_begin(struct http_wire *w, enum body_kind kind, int64_t length)
{
	w->kind = kind;
	w->left = length;
	w->chunks = (struct http_chunks){ 0 };
	w->body_ended = kind == BODY_NONE || (kind == BODY_LENGTH && length == 0);
}

/* From `in` or straight from the stream, at most n bytes. */
static ssize_t raw_now(struct http_wire *w, void *p, size_t n)
{
	if (!w->in.len)
		return stream_read_now(w->s, p, n);
	n = MIN(n, w->in.len);
	memcpy(p, w->in.ptr, n);
	wire_used(w, n);
	return (ssize_t)n;
}

static ssize_t chunked_now(struct http_wire *w, void *p, size_t n)
{
	for (;;) {
		uint64_t direct = http_chunks_direct(&w->chunks);
		struct slice in = buf_slice(&w->in), data;
		ssize_t r;

		if (direct) {
			r = raw_now(w, p, MIN((uint64_t)n, direct));
			if (r > 0)
				http_chunks_skip(&w->chunks, (uint64_t)r);
			return r == 0 ? -EPIPE : r;
		}
		if (in.len) {
			/* A run of data never comes without `direct` before it: the size line ends first. */
			r = 0;
			while (r == 0 && in.len && !http_chunks_direct(&w->chunks)) {
				struct slice one = slice_n(in.ptr, 1);

				r = http_chunks_next(&w->chunks, &one, &data);
				in.ptr++;
				in.len--;
			}
			wire_used(w, w->in.len - in.len);
			if (r == 1)
				w->body_ended = true;
			if (r)
				return r < 0 ? r : 0;
			continue;
		}
		r = wire_fill_now(w);
		if (r <= 0)
			return r == 0 ? -EPIPE : r;
	}
}

ssize_t wire_body_now(struct http_wire *w, void *p, size_t n)
{
	ssize_t r;

	if (w->body_ended || n == 0)
		return 0;
	if (w->kind == BODY_CHUNKED)
		return chunked_now(w, p, n);
	if (w->kind == BODY_LENGTH)
		n = MIN((uint64_t)n, (uint64_t)w->left);
	r = raw_now(w, p, n);
	if (r == 0) {
		if (w->kind == BODY_LENGTH)
			return -EPIPE;
		w->body_ended = true;
	} else if (r > 0 && w->kind == BODY_LENGTH) {
		w->left -= r;
		w->body_ended = w->left == 0;
	}
	return r;
}

ssize_t wire_body_wait(struct http_wire *w, void *p, size_t n)
{
	fiber_yield_wait();
	for (;;) {
		ssize_t r = wire_body_now(w, p, n);
		int e;

		if (r != -EAGAIN)
			return r;
		e = stream_ready_wait(w->s, STREAM_READABLE, w->s->timeout_ns);
		if (e < 0)
			return e;
	}
}

int wire_chunk_wait(struct http_wire *w, struct buf *out, const void *p, size_t n)
{
	const char *at = p;
	int r = 0;

	while (n > 0 && r == 0) {
		size_t piece = MIN(n, (size_t)CHUNK_BYTES);

		buf_reset(out);
		buf_addf(out, "%zx\r\n", piece);
		buf_add(out, at, piece);
		buf_adds(out, "\r\n");
		r = buf_error(out);
		if (r == 0)
			r = stream_write_wait(w->s, out->ptr, out->len);
		at += piece;
		n -= piece;
	}
	return r;
}

int wire_take_stream(struct http_wire *w, struct stream **ret)
{
	struct stream *s = take_ptr(w->s);
	int r = 0;

	if (w->in.len)
		r = stream_prepend(buf_slice(&w->in), s, ret);
	else
		*ret = s;
	buf_release(&w->in);
	return r;
}
