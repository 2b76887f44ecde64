// SPDX-License-Identifier: Apache-2.0
/*
 * What users call (reads, writes, closes) changes state and queues frames, but
 * tells nobody: waiters are told and events given by calls of the loop, so
 * that nothing is freed or entered twice under somebody's feet. A stream is
 * counted: by the connection until both directions are over, by its holder.
 *
 * Frames, section 2.2 of the draft:
 *   control  1|version:15  type:16   flags:8 length:24   payload
 *   data     0|stream:31             flags:8 length:24   bytes
 */
#include "http/spdy.h"
#include <errno.h>
#include "base/assert.h"
#include "base/clock.h"

enum { SYN_STREAM = 1, SYN_REPLY, RST_STREAM, SETTINGS, PING = 6, GOAWAY, HEADERS, WINDOW_UPDATE };
enum { FLAG_FIN = 1, FLAG_UNIDIRECTIONAL = 2, SETTING_MAX_STREAMS = 4, SETTING_WINDOW = 7 };
enum { DEFAULT_WINDOW = 64 * 1024, WINDOW = 256 * 1024, IN_MAX = WINDOW + 32 * 1024, BUFFERED_MAX = 8 * 1024 * 1024, FRAME_MAX = 16 * 1024,
	BATCH = 16 * 1024, OUT_DATA_MAX = 64 * 1024, OUT_STOP_READING = 192 * 1024, OUT_MAX = 512 * 1024, CONTROL_MAX = 64 * 1024,
	STREAMS_MAX = 1024, ID_MAX = 0x7fffffff };
static const int64_t REPLY_NS = 30 * NS_PER_S;

struct spdy {
	struct stream *under;           /* NULL once dead */
	struct loop *loop;
	const struct spdy_events *events;
	void *arg;
	struct list streams, touched;
	unsigned n_live, n_over, busy;
	bool server, going, dead, told, freed, posted, clean;
	bool goaway_in, goaway_out, finished /* nothing more is sent */, windows /* the peer does flow control */;
	struct loop_call call;
	struct waitq gone_q, out_q;
	struct spdy_block *encode, *decode;
	uint32_t next_id, last_id;      /* ours to come, the peer's last */
	int64_t send_window, initial_window;
	size_t received, buffered;
	/* the frame being read */
	unsigned char head[8];
	unsigned head_n;
	bool in_frame, control;
	uint32_t type, flags, id;
	size_t left;
	struct buf payload;
	struct buf out;                 /* frames that the stream below has not taken yet */
	uint64_t queued, sent;
};

static struct spdy_stream *of(struct stream *s) { return container_of(s, struct spdy_stream, s); }
static void readable(void *arg, int status);
static void writable(void *arg, int status);
static void work(struct spdy *c);

/* --- telling */

static void called(struct loop_call *call);

static void later(struct spdy *c)
{
	if (c->posted || c->freed)
		return;
	c->posted = true;
	loop_post(c->loop, &c->call);
}

static void touch(struct spdy_stream *st, unsigned what)
{
	st->fire |= 1u << what;
	if (st->c && list_empty(&st->touched))
		list_add_tail(&st->c->touched, &st->touched);
}

static void touch_all(struct spdy_stream *st)
{
	for (unsigned i = 0; i < STREAM_EVENTS; i++)
		touch(st, i);
	waitq_wake_all(&st->answer_q);
}

static bool st_over(const struct spdy_stream *st) { return st->reset || (st->in_ended && st->out_ended); }

static bool spdy_lost(const struct spdy_stream *st) { return !st->c || st->c->dead; }

static void die(struct spdy *c, bool clean)
{
	struct spdy_stream *st;

	if (c->dead)
		return;
	c->dead = true;
	c->clean = clean;
	list_each(st, &c->streams, node)
		touch_all(st);
	for (unsigned i = 0; i < STREAM_EVENTS; i++)
		stream_notify(c->under, i, NULL, NULL);
	stream_close(take_ptr(c->under));
	waitq_wake_all(&c->gone_q);
	waitq_wake_all(&c->out_q);
	later(c);
}

/* --- frames out */

static void flush(struct spdy *c)
{
	while (!c->dead && c->out.len) {
		ssize_t n = stream_write_now(c->under, c->out.ptr, c->out.len);

		if (n == -EAGAIN) {
			if (c->under->on[STREAM_WRITABLE].fn || !stream_notify(c->under, STREAM_WRITABLE, writable, c))
				return;
		} else if (n < 0) {
			die(c, false);
		} else {
			buf_drop(&c->out, (size_t)n);
			c->sent += (uint64_t)n;
		}
	}
	if (!c->dead && c->under->ops->flush_now && c->under->ops->flush_now(c->under) == -EAGAIN && !c->under->on[STREAM_WRITABLE].fn &&
	    stream_notify(c->under, STREAM_WRITABLE, writable, c))
		later(c);
}

static void put(struct spdy *c, const void *p, size_t n)
{
	if (c->dead || c->finished)
		return;
	if (buf_add(&c->out, p, n) < 0)
		die(c, false);
	else
		c->queued += n;
}

static void put_words(struct spdy *c, unsigned n, const uint32_t *w)
{
	unsigned char p[6 * 4];

	for (unsigned i = 0; i < n * 4; i++)
		p[i] = (unsigned char)(w[i / 4] >> (24 - 8 * (i % 4)));
	put(c, p, n * 4);
}

static uint32_t control_word(unsigned type) { return 0x80030000u | type; }

static void put_rst(struct spdy *c, uint32_t id, uint32_t status)
{
	put_words(c, 4, (uint32_t[]){ control_word(RST_STREAM), 8, id, status });
}

/* Not to a server that does no flow control: it may close with one of these unread, and the reset takes away what we have not read. */
static void put_window(struct spdy *c, uint32_t id, size_t n)
{
	if (!c->server && !c->windows && id)
		return;
	put_words(c, 4, (uint32_t[]){ control_word(WINDOW_UPDATE), 8, id, (uint32_t)n });
}

static void put_goaway(struct spdy *c, uint32_t status)
{
	if (!c->goaway_out)
		put_words(c, 4, (uint32_t[]){ control_word(GOAWAY), 8, c->last_id, status });
	c->goaway_out = true;
}

static void put_data(struct spdy *c, uint32_t id, const void *p, size_t n, bool fin)
{
	put_words(c, 2, (uint32_t[]){ id, (fin ? (uint32_t)FLAG_FIN << 24 : 0) | (uint32_t)n });
	if (n)
		put(c, p, n);
}

static int put_headers(struct spdy *c, unsigned type, uint32_t id, const struct http_headers *h)
{
	AUTO(buf) struct buf block = BUF_INIT(CONTROL_MAX);
	size_t fixed = type == SYN_STREAM ? 10 : 4;
	int r = spdy_block_encode(&c->encode, h, &block);

	if (r < 0) {
		die(c, false);          /* the compressor and the peer no longer agree */
		return r;
	}
	put_words(c, 3, (uint32_t[]){ control_word(type), (uint32_t)(fixed + block.len), id });
	if (type == SYN_STREAM)
		put(c, "\0\0\0\0\0\0", 6);      /* no associated stream, highest priority, no slot */
	put(c, block.ptr, block.len);
	flush(c);
	return c->dead ? -EPIPE : 0;
}

/* --- streams */

static void st_unref(struct spdy_stream *st)
{
	if (--st->n_refs)
		return;
	list_del(&st->touched);
	list_del(&st->node);
	if (st->c)
		st->c->n_live--;
	buf_release(&st->in);
	arena_release(&st->arena);
	free(st);
}

static void may_read_again(struct spdy *c)
{
	if (!c->dead && c->going && !c->under->on[STREAM_READABLE].fn && !c->n_over && c->buffered < BUFFERED_MAX)
		later(c);
}

/* n bytes of st's input have been taken out. */
static void taken(struct spdy_stream *st, size_t n)
{
	struct spdy *c = st->c;

	if (!c)
		return;
	c->buffered -= n;
	if (st->in.len + n > WINDOW && st->in.len <= WINDOW)
		c->n_over--;
	may_read_again(c);
}

static ssize_t st_read_now(struct stream *s, void *p, size_t n)
{
	struct spdy_stream *st = of(s);
	struct spdy *c = st->c;

	n = MIN(n, st->in.len);
	if (!n) {
		if (st->in_ended || st->status == SPDY_CANCEL)
			return 0;
		return st->reset ? -ECONNRESET : !c ? 0 : c->dead ? (c->clean ? 0 : -ECONNRESET) : -EAGAIN;
	}
	memcpy(p, st->in.ptr, n);
	buf_drop(&st->in, n);
	taken(st, n);
	st->unacked += n;
	if (c && !c->dead && !st->in_ended && !st->reset && st->unacked >= WINDOW / 2) {
		put_window(c, st->id, st->unacked);
		st->unacked = 0;
		flush(c);
	}
	return (ssize_t)n;
}

static ssize_t st_write_now(struct stream *s, const void *p, size_t n)
{
	struct spdy_stream *st = of(s);
	struct spdy *c = st->c;

	if (!c || c->dead || st->out_ended || st->reset)
		return -EPIPE;
	if (c->out.len >= OUT_DATA_MAX)
		flush(c);
	if (c->dead)
		return -EPIPE;
	if (c->out.len >= OUT_DATA_MAX)
		return -EAGAIN;
	n = MIN(n, (size_t)FRAME_MAX);
	if (c->windows) {
		int64_t room = MIN(st->send_window, c->send_window);

		if (room <= 0)
			return -EAGAIN;
		n = (size_t)MIN((int64_t)n, room);
	}
	st->send_window -= (int64_t)n;
	c->send_window -= (int64_t)n;
	put_data(c, st->id, p, n, false);
	flush(c);
	return c->dead ? -EPIPE : (ssize_t)n;
}

static int st_flush_now(struct stream *s)
{
	struct spdy *c = of(s)->c;

	if (!c)
		return 0;
	if (!c->dead)
		flush(c);
	return c->dead ? (c->out.len ? -EPIPE : 0) : c->out.len ? -EAGAIN : 0;
}

static int st_shutdown_now(struct stream *s)
{
	struct spdy_stream *st = of(s);

	if (st->out_ended)
		return 0;
	st->out_ended = true;
	if (!st->c || st->c->dead || st->reset)
		return -EPIPE;
	put_data(st->c, st->id, NULL, 0, true);
	flush(st->c);
	if (st_over(st)) {
		touch(st, STREAM_HANGUP);
		later(st->c);
	}
	return 0;
}

static void st_end(struct spdy_stream *st, uint32_t status)
{
	struct spdy *c = st->c;

	if (!c || c->dead || st_over(st))
		return;
	put_rst(c, st->id, status);
	flush(c);
	st->reset = true;
	touch_all(st);
	later(c);
}

static void st_close(struct stream *s)
{
	struct spdy_stream *st = of(s);
	size_t n = st->in.len;

	st_shutdown_now(s);
	if (!st->in_ended)
		st_end(st, SPDY_CANCEL);
	st->dropped = true;
	buf_release(&st->in);
	taken(st, n);
	st_unref(st);
}

static bool st_want(struct stream *s, unsigned what, bool on)
{
	struct spdy_stream *st = of(s);
	bool over = st->reset || !st->c || st->c->dead;

	if (!on)
		return false;
	if (what == STREAM_HANGUP)
		return over || st->in_ended;
	if (what == STREAM_READABLE)
		return over || st->in_ended || st->in.len;
	return over;
}

static const struct stream_ops st_ops = {
	.name = "spdy", .read_now = st_read_now, .write_now = st_write_now, .shutdown_now = st_shutdown_now, .close = st_close,
	.want = st_want, .flush_now = st_flush_now,
};

static struct spdy_stream *st_new(struct spdy *c, uint32_t id, bool ours)
{
	struct spdy_stream *st = c->n_live < STREAMS_MAX ? calloc(1, sizeof *st) : NULL;

	if (!st)
		return NULL;
	st->s = (struct stream){ .ops = &st_ops, .loop = c->loop };
	st->c = c;
	st->id = id;
	st->ours = ours;
	st->n_refs = 2;                 /* the connection's and the holder's */
	st->send_window = c->initial_window;
	st->in = BUF_INIT(IN_MAX);
	arena_init(&st->arena, 256 * 1024);
	waitq_init(&st->answer_q);
	list_init(&st->touched);
	list_add_tail(&c->streams, &st->node);
	c->n_live++;
	return st;
}

static struct spdy_stream *find(struct spdy *c, uint32_t id)
{
	struct spdy_stream *st;

	list_each(st, &c->streams, node)
		if (st->id == id && !st_over(st)) {
			/* the next frame is likely to be for it too */
			list_del(&st->node);
			list_add_head(&c->streams, &st->node);
			return st;
		}
	return NULL;
}

/* --- frames in */

static uint32_t word(const struct spdy *c, size_t at)
{
	const unsigned char *p = (const unsigned char *)c->payload.ptr + at;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void broken(struct spdy *c)
{
	put_goaway(c, 1);               /* section 2.4.1: PROTOCOL_ERROR */
	flush(c);
	die(c, false);
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
	st = r == 0 && !c->goaway_out && c->events->opened ? st_new(c, id, false) : NULL;
	if (st) {
		st->arena = a;
		st->headers = h;
		st->in_ended = c->flags & FLAG_FIN;
		st->out_ended = c->flags & FLAG_UNIDIRECTIONAL;
		touch(st, STREAM_READABLE);
	} else {
		arena_release(&a);
		if (r >= 0)
			put_rst(c, id, r ? SPDY_PROTOCOL_ERROR : SPDY_REFUSED_STREAM);
	}
	if (r >= 0)
		c->last_id = id;
}

static void end_input(struct spdy_stream *st)
{
	st->in_ended = true;
	touch(st, STREAM_READABLE);
	touch(st, STREAM_HANGUP);
}

/* SYN_REPLY and HEADERS; the latter are decoded for the compressor's sake only. */
static void more_headers(struct spdy *c)
{
	struct spdy_stream *st = find(c, word(c, 0) & ID_MAX);
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
		st_end(st, SPDY_PROTOCOL_ERROR);
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
	struct spdy_stream *st = find(c, word(c, 0) & ID_MAX);

	if (!st)
		return;
	st->status = word(c, 4);
	st->reset = true;
	touch_all(st);
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
			touch(st, STREAM_WRITABLE);
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
			touch(st, STREAM_WRITABLE);
		return;
	}
	st = find(c, id);
	if (!st)
		return;
	st->send_window += n;
	if (st->send_window > ID_MAX)
		st_end(st, SPDY_FLOW_CONTROL_ERROR);
	touch(st, STREAM_WRITABLE);
}

static void ping(struct spdy *c)
{
	uint32_t id = word(c, 0);

	if ((id & 1) == (c->server ? 1u : 0u))
		put_words(c, 3, (uint32_t[]){ control_word(PING), 4, id });
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
	struct spdy_stream *st = find(c, c->id);

	c->received += n;
	if (c->received >= WINDOW / 2 && (c->server || c->windows)) {
		put_window(c, 0, c->received);
		c->received = 0;
	}
	if (!st || st->dropped || st->in_ended)
		return;
	if (buf_add(&st->in, p, n) < 0) {
		st_end(st, SPDY_INTERNAL_ERROR);
		return;
	}
	c->buffered += n;
	if (st->in.len > WINDOW && st->in.len - n <= WINDOW)
		c->n_over++;
	touch(st, STREAM_READABLE);
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
	st = find(c, c->id);
	if (st && st->in_ended && !st->dropped)
		st_end(st, SPDY_STREAM_CLOSED);
	else if (st && (c->flags & FLAG_FIN))
		end_input(st);
	else if (!st && c->id > c->last_id && (c->id & 1) == (c->server ? 1u : 0u))
		put_rst(c, c->id, SPDY_INVALID_STREAM);
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

static void parse(struct spdy *c, const unsigned char *p, size_t n)
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

/* --- the connection */

static void release(struct spdy *c)
{
	while (!list_empty(&c->streams)) {
		struct spdy_stream *st = list_first(&c->streams, struct spdy_stream, node);
		bool orphan = !st->ours && !st->announced;

		st->c = NULL;
		list_del(&st->node);
		list_del(&st->touched);
		waitq_wake_all(&st->answer_q);
		st->n_refs++;
		for (unsigned i = 0; i < STREAM_EVENTS && !orphan; i++)
			stream_fire(&st->s, i);
		if (orphan)
			st_unref(st);
		if (!st->settled)
			st_unref(st);
		st_unref(st);
	}
	spdy_block_free(c->encode);
	spdy_block_free(c->decode);
	buf_release(&c->payload);
	buf_release(&c->out);
	free(c);
}

static void leave(struct spdy *c)
{
	if (--c->busy == 0 && c->freed && !c->posted)
		release(c);
}

static void tell_one(struct spdy *c, struct spdy_stream *st)
{
	unsigned fire = st->fire;

	st->fire = 0;
	list_del(&st->touched);
	st->n_refs++;
	if (!st->ours && !st->announced) {
		st->announced = true;
		c->events->opened(c->arg, st);
	}
	for (unsigned i = 0; i < STREAM_EVENTS; i++)
		if (fire & (1u << i))
			stream_fire(&st->s, i);
	st_unref(st);
}

/* Lets go of the streams that are over. */
static void sweep(struct spdy *c)
{
	struct spdy_stream *st;

	list_each(st, &c->streams, node)
		if (st_over(st) && !st->settled && (st->ours || st->announced)) {
			st->settled = true;
			st_unref(st);
		}
}

static void tell(struct spdy *c)
{
	while (!list_empty(&c->touched) && !c->freed)
		tell_one(c, list_first(&c->touched, struct spdy_stream, touched));
	if (!c->freed)
		sweep(c);
	if (c->dead && !c->told && !c->freed) {
		c->told = true;
		if (c->events->gone)
			c->events->gone(c->arg);
	}
}

static bool held_back(const struct spdy *c) { return c->n_over || c->buffered >= BUFFERED_MAX || c->out.len >= OUT_STOP_READING; }

static void receive(struct spdy *c)
{
	unsigned char p[BATCH];

	while (c->going && !c->dead && !c->freed && !held_back(c) && !c->under->on[STREAM_READABLE].fn) {
		ssize_t n = stream_read_now(c->under, p, sizeof p);

		if (n == -EAGAIN) {
			stream_notify(c->under, STREAM_READABLE, readable, c);
			if (c->under->on[STREAM_READABLE].fn)
				return;
			continue;
		}
		if (n > 0)
			parse(c, p, (size_t)n);
		else
			die(c, n == 0 && !c->in_frame && !c->head_n);
		flush(c);
		tell(c);
	}
}

static void work(struct spdy *c)
{
	c->busy++;
	flush(c);
	receive(c);
	tell(c);
	leave(c);
}

static void called(struct loop_call *call)
{
	struct spdy *c = container_of(call, struct spdy, call);

	c->posted = false;
	if (!c->freed)
		work(c);
	else if (!c->busy)
		release(c);
}

static void readable(void *arg, int status)
{
	if (status == 0)
		work(arg);
}

static void writable(void *arg, int status)
{
	struct spdy *c = arg;
	struct spdy_stream *st;

	if (status < 0)
		return;
	flush(c);
	waitq_wake_all(&c->out_q);
	list_each(st, &c->streams, node)
		touch(st, STREAM_WRITABLE);
	work(c);
}

int spdy_new(struct stream *under, bool server, const struct spdy_events *events, void *arg, struct spdy **ret)
{
	struct spdy *c = calloc(1, sizeof *c);

	if (!c) {
		stream_close(under);
		return -ENOMEM;
	}
	*c = (struct spdy){ .under = under, .loop = under->loop, .events = events, .arg = arg, .server = server, .next_id = server ? 2 : 1,
		.send_window = DEFAULT_WINDOW, .initial_window = DEFAULT_WINDOW, .payload = BUF_INIT(CONTROL_MAX), .out = BUF_INIT(OUT_MAX) };
	c->call.fn = called;
	list_init(&c->call.node);
	list_init(&c->streams);
	list_init(&c->touched);
	waitq_init(&c->gone_q);
	waitq_init(&c->out_q);
	*ret = c;
	return 0;
}

void spdy_go(struct spdy *c)
{
	c->going = true;
	put_words(c, 3, (uint32_t[]){ control_word(SETTINGS), 4 + 2 * 8, 2 });
	put_words(c, 4, (uint32_t[]){ SETTING_MAX_STREAMS, STREAMS_MAX, SETTING_WINDOW, WINDOW });
	put_window(c, 0, WINDOW * 4 - DEFAULT_WINDOW);
	flush(c);
	later(c);
}

bool spdy_gone(const struct spdy *c) { return c->dead; }

void spdy_free(struct spdy *c)
{
	if (!c)
		return;
	die(c, true);
	c->freed = true;
	if (!c->busy && !c->posted)
		release(c);
}

int spdy_open_wait(struct spdy *c, const struct http_headers *h, struct spdy_stream **ret)
{
	int64_t until = loop_monotonic_ns(c->loop) + REPLY_NS;
	struct spdy_stream *st;
	int r;

	if (c->dead || c->goaway_in || c->goaway_out || c->next_id > ID_MAX - 2)
		return -ECONNRESET;
	st = st_new(c, c->next_id, true);
	if (!st)
		return -EBUSY;
	c->next_id += 2;
	r = put_headers(c, SYN_STREAM, st->id, h);
	while (r == 0 && !st->answered && !st->reset && !spdy_lost(st)) {
		int64_t left = until - loop_monotonic_ns(st->s.loop);

		r = left <= 0 ? -ETIMEDOUT : waitq_wait(&st->answer_q, left);
	}
	if (r == 0 && !st->answered)
		r = st->reset ? -ECONNREFUSED : -ECONNRESET;
	if (r < 0)
		stream_close(&st->s);
	else
		*ret = st;
	return r;
}

int spdy_reply(struct spdy_stream *st, const struct http_headers *h)
{
	if (spdy_lost(st) || st->reset)
		return -EPIPE;
	if (st->answered || st->ours)
		return -EALREADY;
	st->answered = true;
	return put_headers(st->c, SYN_REPLY, st->id, h);
}

void spdy_refuse(struct spdy_stream *st, uint32_t status) { st_end(st, status); }

void spdy_finish_wait(struct spdy *c, int64_t most_ns)
{
	int64_t until = loop_monotonic_ns(c->loop) + most_ns, left = most_ns;
	int r = 0;

	if (c->dead)
		return;
	put_goaway(c, 0);
	c->busy++;
	flush(c);
	while (r == 0 && !c->dead && c->out.len && (left = until - loop_monotonic_ns(c->loop)) > 0)
		r = waitq_wait(&c->out_q, left);
	if (r == 0 && !c->dead && !c->out.len) {
		c->finished = true;
		stream_notify(c->under, STREAM_WRITABLE, NULL, NULL);
		r = stream_shutdown_wait(c->under);
	}
	while (r == 0 && !c->dead && (left = until - loop_monotonic_ns(c->loop)) > 0)
		r = waitq_wait(&c->gone_q, left);
	leave(c);
}
