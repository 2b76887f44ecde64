// SPDX-License-Identifier: Apache-2.0
/* SPDY frames as they come, in pieces of any size. */
#include <errno.h>
#include "http/spdy_int.h"

static uint32_t word(const struct spdy *c, size_t at)
{
	const unsigned char *p = (const unsigned char *)c->payload.ptr + at;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void broken(struct spdy *c)
{
	spdy_put_goaway(c, 1);               /* section 2.4.1: PROTOCOL_ERROR */
	spdy_flush(c);
	spdy_die(c, false);
}

/* 0: the headers are good; > 0: the stream is to be reset; < 0: the connection is over. */
static int take_headers(struct spdy *c, size_t at, struct arena *a, struct http_headers *h)
{
	int r = spdy_block_decode(&c->decode, slice_n(c->payload.ptr + at, c->payload.len - at), a, h);

	if (r == 0 || r == -EINVAL)
		return r == 0 ? 0 : 1;
	broken(c);
	return r;
}

static void syn_stream(struct spdy *c)
{
	uint32_t id = word(c, 0) & ID_MAX;
	struct spdy_stream *st;
	struct http_headers h = { 0 };
	struct arena a;
	int r;

	if (id <= c->last_id || (id & 1) != (c->server ? 1u : 0u)) {
		broken(c);
		return;
	}
	arena_init(&a, 256 * 1024);
	r = take_headers(c, 10, &a, &h);        /* refused or not, the compressor's state goes on */
	st = r == 0 && !c->goaway_out && c->events->opened ? spdy_st_new(c, id, false) : NULL;
	if (st) {
		st->arena = a;
		st->headers = h;
		st->in_ended = c->flags & FLAG_FIN;
		st->out_ended = c->flags & FLAG_UNIDIRECTIONAL;
		spdy_touch(st, STREAM_READABLE);
	} else {
		arena_release(&a);
		if (r >= 0)
			spdy_put_rst(c, id, r ? SPDY_PROTOCOL_ERROR : SPDY_REFUSED_STREAM);
	}
	if (r >= 0)
		c->last_id = id;
}

static void end_input(struct spdy_stream *st)
{
	st->in_ended = true;
	spdy_touch(st, STREAM_READABLE);
	spdy_touch(st, STREAM_HANGUP);
}

/* SYN_REPLY and HEADERS; the latter are decoded for the compressor's sake only. */
static void more_headers(struct spdy *c)
{
	struct spdy_stream *st = spdy_st_find(c, word(c, 0) & ID_MAX);
	bool reply = c->type == SYN_REPLY && st && st->ours && !st->answered;
	struct http_headers h;
	struct arena a;
	int r;

	arena_init(&a, 256 * 1024);
	r = take_headers(c, 4, reply ? &st->arena : &a, &h);
	arena_release(&a);
	if (r < 0 || !st)
		return;
	if (r > 0 || (c->type == SYN_REPLY && !reply)) {
		spdy_st_end(st, SPDY_PROTOCOL_ERROR);
		return;
	}
	if (reply) {
		st->headers = h;
		st->answered = true;
		waitq_wake_all(&st->answer_q);
	}
	if (c->flags & FLAG_FIN)
		end_input(st);
}

static void rst_stream(struct spdy *c)
{
	struct spdy_stream *st = spdy_st_find(c, word(c, 0) & ID_MAX);

	if (!st)
		return;
	st->status = word(c, 4);
	st->reset = true;
	spdy_touch_all(st);
}

static void settings(struct spdy *c)
{
	uint32_t n = word(c, 0);
	struct spdy_stream *st;

	if (n > (c->payload.len - 4) / 8) {
		broken(c);
		return;
	}
	c->windows = true;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = word(c, 4 + i * 8) & 0xffffff, value = word(c, 8 + i * 8);

		if (id != SETTING_WINDOW)
			continue;
		if (value > ID_MAX) {
			broken(c);
			return;
		}
		list_each(st, &c->streams, node) {
			st->send_window += (int64_t)value - c->initial_window;
			spdy_touch(st, STREAM_WRITABLE);
		}
		c->initial_window = value;
	}
}

static void window_update(struct spdy *c)
{
	uint32_t id = word(c, 0) & ID_MAX, n = word(c, 4) & ID_MAX;
	struct spdy_stream *st;

	c->windows = true;
	if (id == 0) {
		c->send_window += n;
		if (c->send_window > ID_MAX)
			broken(c);
		list_each(st, &c->streams, node)
			spdy_touch(st, STREAM_WRITABLE);
		return;
	}
	st = spdy_st_find(c, id);
	if (!st)
		return;
	st->send_window += n;
	if (st->send_window > ID_MAX)
		spdy_st_end(st, SPDY_FLOW_CONTROL_ERROR);
	spdy_touch(st, STREAM_WRITABLE);
}

static void ping(struct spdy *c)
{
	uint32_t id = word(c, 0);

	if ((id & 1) == (c->server ? 1u : 0u))
		spdy_put_words(c, 3, (uint32_t[]){ spdy_control_word(PING), 4, id });
}

static void control_frame(struct spdy *c)
{
	static const unsigned least[] = { 0, 10, 4, 8, 4, 0, 4, 8, 4, 8 };

	if (c->type < ARRAY_LEN(least) && c->payload.len < least[c->type]) {
		broken(c);
		return;
	}
	switch (c->type) {
	case SYN_STREAM: syn_stream(c); break;
	case SYN_REPLY: case HEADERS: more_headers(c); break;
	case RST_STREAM: rst_stream(c); break;
	case SETTINGS: settings(c); break;
	case PING: ping(c); break;
	case GOAWAY: c->goaway_in = true; break;
	case WINDOW_UPDATE: window_update(c); break;
	}
}

static void data_run(struct spdy *c, const unsigned char *p, size_t n)
{
	struct spdy_stream *st = spdy_st_find(c, c->id);

	c->received += n;
	if (c->received >= WINDOW / 2 && (c->server || c->windows)) {
		spdy_put_window(c, 0, c->received);
		c->received = 0;
	}
	if (!st || st->dropped || st->in_ended)
		return;
	if (buf_add(&st->in, p, n) < 0) {
		spdy_st_end(st, SPDY_INTERNAL_ERROR);
		return;
	}
	c->buffered += n;
	if (st->in.len > WINDOW && st->in.len - n <= WINDOW)
		c->n_over++;
	spdy_touch(st, STREAM_READABLE);
}

static void end_frame(struct spdy *c)
{
	struct spdy_stream *st;

	c->in_frame = false;
	c->head_n = 0;
	if (c->control) {
		control_frame(c);
		buf_release(&c->payload);
		return;
	}
	st = spdy_st_find(c, c->id);
	if (st && st->in_ended && !st->dropped)
		spdy_st_end(st, SPDY_STREAM_CLOSED);
	else if (st && (c->flags & FLAG_FIN))
		end_input(st);
	else if (!st && c->id > c->last_id && (c->id & 1) == (c->server ? 1u : 0u))
		spdy_put_rst(c, c->id, SPDY_INVALID_STREAM);
}

static void begin_frame(struct spdy *c)
{
	const unsigned char *h = c->head;
	uint32_t first = (uint32_t)h[0] << 24 | (uint32_t)h[1] << 16 | (uint32_t)h[2] << 8 | h[3];

	c->in_frame = true;
	c->control = first >> 31;
	c->type = first & 0xffff;
	c->id = first & ID_MAX;
	c->flags = h[4];
	c->left = (size_t)h[5] << 16 | (size_t)h[6] << 8 | h[7];
	if (c->control && ((first >> 16) != 0x8003 || c->left > CONTROL_MAX))
		broken(c);
	else if (!c->control && c->id == 0)
		broken(c);
	else if (!c->left)
		end_frame(c);
}

void spdy_parse(struct spdy *c, const unsigned char *p, size_t n)
{
	while (n && !c->dead) {
		size_t k;

		if (!c->in_frame) {
			k = MIN(n, sizeof c->head - c->head_n);
			memcpy(c->head + c->head_n, p, k);
			c->head_n += (unsigned)k;
			if (c->head_n == sizeof c->head)
				begin_frame(c);
		} else {
			k = MIN(n, c->left);
			if (!c->control)
				data_run(c, p, k);
			else if (buf_add(&c->payload, p, k) < 0)
				broken(c);
			c->left -= k;
			if (!c->left && !c->dead)
				end_frame(c);
		}
		p += k;
		n -= k;
	}
}
