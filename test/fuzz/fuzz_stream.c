/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes' streaming: the first byte picks what is fed. SPDY frames to a
 * server that echoes and to a client that has opened a stream; header blocks;
 * frames built from the input, so that compressed headers are good; WebSocket
 * messages to remote command channels, raw and base64. Whatever comes, nothing
 * is left running.
 */
#include <errno.h>

#include "base/assert.h"
#include "base/clock.h"
#include "http/spdy.h"
#include "http/ws.h"
#include "io/sim.h"
#include "kube/stream/channels.h"

enum { INPUT_MAX = 1 << 15 };

struct feed {
	struct stream *s;
	struct slice in;
	size_t step;
};

static void feeder(void *arg)
{
	struct feed *f = arg;
	for (size_t at = 0; at < f->in.len; at += f->step)
		if (stream_write_wait(f->s, f->in.ptr + at, MIN(f->step, f->in.len - at)) < 0 || sleep_wait(1) < 0)
			break;
	stream_shutdown_wait(f->s);
}

static void drainer(void *arg)
{
	struct feed *f = arg;
	char p[4096];
	while (stream_read_wait(f->s, p, sizeof p) > 0)
		;
}

/* --- SPDY */

static void echo(void *arg)
{
	struct spdy_stream *st = arg;
	spdy_reply(st, &st->headers);
	stream_copy_wait(&st->s, &st->s);
	stream_close(&st->s);
}

static void opened(void *arg, struct spdy_stream *st)
{
	if (st->id % 7 == 5) {
		spdy_refuse(st, SPDY_REFUSED_STREAM);
		stream_close(&st->s);
	} else if (fiber_start(st->s.loop, "echo", echo, st) < 0) {
		stream_close(&st->s);
	}
}

static void opens(void *arg)
{
	static const struct http_header v = { SLICE("a"), SLICE("b") };
	struct spdy_stream *st;
	char p[100];
	if (spdy_open_wait(arg, &(struct http_headers){ (struct http_header *)&v, 1 }, &st) < 0)
		return;
	st->s.timeout_ns = NS_PER_S;
	stream_write_wait(&st->s, "hello", 5);
	while (stream_read_wait(&st->s, p, sizeof p) > 0)
		;
	stream_close(&st->s);
}

static void finishes(void *arg)
{
	sleep_wait(60 * NS_PER_S);
	spdy_finish_wait(arg, NS_PER_S);
	spdy_free(arg);
}

static void spdy_frames(struct slice in, size_t step, bool server)
{
	static const struct spdy_events events = { opened, NULL };
	struct feed f = { .in = in, .step = step };
	struct stream *theirs;
	struct spdy *c;
	struct loop *l;
	must(sim_loop_new(&l, NULL) == 0 && stream_pair(l, 3000, &f.s, &theirs) == 0 && spdy_new(theirs, server, &events, NULL, &c) == 0);
	spdy_go(c);
	if (!server) {
		fiber_start(l, "opens", opens, c);
		fiber_start(l, "opens", opens, c);
	}
	fiber_start(l, "feed", feeder, &f);
	fiber_start(l, "drain", drainer, &f);
	fiber_start(l, "finish", finishes, c);
	must(loop_run(l) == -EDEADLK);
	must(fiber_count(l) == 0);
	stream_close(f.s);
	loop_free(l);
}

static void put32(struct buf *b, uint32_t w)
{
	char p[4] = { (char)(w >> 24), (char)(w >> 16), (char)(w >> 8), (char)w };
	buf_add(b, p, 4);
}

/* Six bytes a frame: kind, stream, flags, and a length. */
static void built_frames(struct slice in)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 22);
	struct spdy_block *block = NULL;
	for (; in.len >= 6; in = slice_n(in.ptr + 6, in.len - 6)) {
		const unsigned char *p = (const unsigned char *)in.ptr;
		uint32_t kind = p[0] % 12, id = p[1], flags = p[2] & 3, n = (uint32_t)p[3] << 8 | p[4];
		AUTO(buf) struct buf frame = BUF_INIT(1 << 18);
		struct http_header v[2] = { { SLICE("streamtype"), SLICE("data") }, { SLICE("x"), slice_n(in.ptr, p[5] % 6) } };
		if (kind == 0) {
			put32(&out, id);
			put32(&out, flags << 24 | n);
			for (uint32_t i = 0; i < n; i++)
				buf_addc(&out, (char)i);
			continue;
		}
		put32(&frame, id);
		if (kind == 1)
			buf_add(&frame, "\0\0\0\0\0\0", 6);
		if (kind == 1 || kind == 2 || kind == 8)
			spdy_block_encode(&block, &(struct http_headers){ v, 1 + p[5] % 2 }, &frame);
		else if (kind == 4)
			put32(&frame, 7), put32(&frame, n);
		else if (kind != 6)
			put32(&frame, n << (p[5] % 17));
		put32(&out, 0x80030000u | kind);
		put32(&out, flags << 24 | (uint32_t)frame.len);
		buf_addslice(&out, buf_slice(&frame));
	}
	spdy_block_free(block);
	spdy_frames(buf_slice(&out), 10000, true);
}

static void blocks(struct slice in)
{
	struct spdy_block *b = NULL;
	struct http_headers h;
	struct arena a;
	arena_init(&a, 1 << 22);
	for (struct slice rest = in, one; in.len && slice_next(&rest, '|', &one);)
		if (spdy_block_decode(&b, one, &a, &h) == 0)
			must(h.n <= HTTP_HEADERS_MAX);
	spdy_block_free(b);
	arena_release(&a);
}

/* --- channels: the input is messages, a byte of length before each */

struct talk {
	struct stream *ws;
	struct slice in;
	struct channels *c;
};

static void talker(void *arg)
{
	struct talk *t = arg;
	char p[4096];
	while (t->in.len) {
		size_t n = MIN((size_t)(unsigned char)t->in.ptr[0], t->in.len - 1);
		int r;
		while ((r = ws_message_now(t->ws, SLICE(""), slice_n(t->in.ptr + 1, n))) == -EAGAIN)
			if (stream_ready_wait(t->ws, STREAM_WRITABLE, NS_PER_S) < 0)
				break;
		if (r < 0)
			break;
		t->in = slice_n(t->in.ptr + 1 + n, t->in.len - 1 - n);
	}
	while (stream_read_wait(t->ws, p, sizeof p) > 0)
		;
	stream_close(t->ws);
}

static void answerer(void *arg)
{
	struct talk *t = arg;
	struct stream *in = channels_stream(t->c, 0), *out = channels_stream(t->c, 1);
	in->timeout_ns = NS_PER_S;
	stream_copy_wait(out, in);
	channels_finish_wait(t->c, NS_PER_S);
	channels_free(t->c);
}

static void messages(struct slice in, bool base64, bool closes)
{
	static const bool reads[] = { true, false, false, false, true }, writes[] = { false, true, true, true, false };
	const struct channels_config f = { .n = 5, .reads = reads, .writes = writes, .base64 = base64, .closes = closes };
	struct talk t = { .in = in };
	struct stream *a, *b, *ws;
	struct waitq gone;
	struct loop *l;
	waitq_init(&gone);
	must(sim_loop_new(&l, NULL) == 0 && stream_pair(l, 700, &a, &b) == 0);
	must(ws_wrap(a, true, base64, &t.ws) == 0 && ws_wrap(b, false, base64, &ws) == 0 && channels_new(ws, &f, &gone, &t.c) == 0);
	fiber_start(l, "talk", talker, &t);
	fiber_start(l, "answer", answerer, &t);
	must(loop_run(l) == -EDEADLK);
	must(fiber_count(l) == 0);
	loop_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_n(data + 1, size - 1);
	if (!size || size > INPUT_MAX)
		return 0;
	switch (data[0] % 8) {
	case 0: spdy_frames(in, INPUT_MAX, true); break;
	case 1: spdy_frames(in, 7, true); break;
	case 2: spdy_frames(in, INPUT_MAX, false); break;
	case 3: blocks(in); break;
	case 4: built_frames(in); break;
	case 5: messages(in, false, true); break;
	case 6: messages(in, true, false); break;
	case 7: messages(in, false, false); break;
	}
	return 0;
}
