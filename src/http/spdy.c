// SPDX-License-Identifier: Apache-2.0
/* The connection: what it tells whom and when, and the frames it sends. */
#include <errno.h>
#include "base/clock.h"
#include "http/spdy_int.h"

static const int64_t REPLY_NS = 30 * NS_PER_S;

static void readable(void *arg, int status);
static void writable(void *arg, int status);

/* --- telling */

static void called(struct loop_call *call);

void spdy_later(struct spdy *c)
{
	if (c->posted || c->freed)
		return;
	c->posted = true;
	loop_post(c->loop, &c->call);
}

void spdy_touch(struct spdy_stream *st, unsigned what)
{
	st->fire |= 1u << what;
	if (st->c && list_empty(&st->touched))
		list_add_tail(&st->c->touched, &st->touched);
}

void spdy_touch_all(struct spdy_stream *st)
{
	for (unsigned i = 0; i < STREAM_EVENTS; i++)
		spdy_touch(st, i);
	waitq_wake_all(&st->answer_q);
}

static bool spdy_lost(const struct spdy_stream *st) { return !st->c || st->c->dead; }

void spdy_die(struct spdy *c, bool clean)
{
	struct spdy_stream *st;

	if (c->dead)
		return;
	c->dead = true;
	c->clean = clean;
	list_each(st, &c->streams, node)
		spdy_touch_all(st);
	for (unsigned i = 0; i < STREAM_EVENTS; i++)
		stream_notify(c->under, i, NULL, NULL);
	stream_close(take_ptr(c->under));
	waitq_wake_all(&c->gone_q);
	waitq_wake_all(&c->out_q);
	spdy_later(c);
}

/* --- frames out */

void spdy_flush(struct spdy *c)
{
	while (!c->dead && c->out.len) {
		ssize_t n = stream_write_now(c->under, c->out.ptr, c->out.len);

		if (n == -EAGAIN) {
			if (c->under->on[STREAM_WRITABLE].fn || !stream_notify(c->under, STREAM_WRITABLE, writable, c))
				return;
		} else if (n < 0) {
			spdy_die(c, false);
		} else {
			buf_drop(&c->out, (size_t)n);
			c->sent += (uint64_t)n;
		}
	}
	if (!c->dead && c->under->ops->flush_now && c->under->ops->flush_now(c->under) == -EAGAIN && !c->under->on[STREAM_WRITABLE].fn &&
	    stream_notify(c->under, STREAM_WRITABLE, writable, c))
		spdy_later(c);
}

static void put(struct spdy *c, const void *p, size_t n)
{
	if (c->dead || c->finished)
		return;
	if (buf_add(&c->out, p, n) < 0)
		spdy_die(c, false);
	else
		c->queued += n;
}

void spdy_put_words(struct spdy *c, unsigned n, const uint32_t *w)
{
	unsigned char p[6 * 4];

	for (unsigned i = 0; i < n * 4; i++)
		p[i] = (unsigned char)(w[i / 4] >> (24 - 8 * (i % 4)));
	put(c, p, n * 4);
}

void spdy_put_rst(struct spdy *c, uint32_t id, uint32_t status)
{
	spdy_put_words(c, 4, (uint32_t[]){ spdy_control_word(RST_STREAM), 8, id, status });
}

/* Not to a server that does no flow control: it may close with one of these unread, and the reset takes away what we have not read. */
void spdy_put_window(struct spdy *c, uint32_t id, size_t n)
{
	if (!c->server && !c->windows && id)
		return;
	spdy_put_words(c, 4, (uint32_t[]){ spdy_control_word(WINDOW_UPDATE), 8, id, (uint32_t)n });
}

void spdy_put_goaway(struct spdy *c, uint32_t status)
{
	if (!c->goaway_out)
		spdy_put_words(c, 4, (uint32_t[]){ spdy_control_word(GOAWAY), 8, c->last_id, status });
	c->goaway_out = true;
}

void spdy_put_data(struct spdy *c, uint32_t id, const void *p, size_t n, bool fin)
{
	spdy_put_words(c, 2, (uint32_t[]){ id, (fin ? (uint32_t)FLAG_FIN << 24 : 0) | (uint32_t)n });
	if (n)
		put(c, p, n);
}

static int put_headers(struct spdy *c, unsigned type, uint32_t id, const struct http_headers *h)
{
	AUTO(buf) struct buf block = BUF_INIT(CONTROL_MAX);
	size_t fixed = type == SYN_STREAM ? 10 : 4;
	int r = spdy_block_encode(&c->encode, h, &block);

	if (r < 0) {
		spdy_die(c, false);          /* the compressor and the peer no longer agree */
		return r;
	}
	spdy_put_words(c, 3, (uint32_t[]){ spdy_control_word(type), (uint32_t)(fixed + block.len), id });
	if (type == SYN_STREAM)
		put(c, "\0\0\0\0\0\0", 6);      /* no associated stream, highest priority, no slot */
	put(c, block.ptr, block.len);
	spdy_flush(c);
	return c->dead ? -EPIPE : 0;
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
			spdy_st_unref(st);
		if (!st->settled)
			spdy_st_unref(st);
		spdy_st_unref(st);
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
	spdy_st_unref(st);
}

/* Lets go of the streams that are over. */
static void sweep(struct spdy *c)
{
	struct spdy_stream *st;

	list_each(st, &c->streams, node)
		if (spdy_st_over(st) && !st->settled && (st->ours || st->announced)) {
			st->settled = true;
			spdy_st_unref(st);
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
			spdy_parse(c, p, (size_t)n);
		else
			spdy_die(c, n == 0 && !c->in_frame && !c->head_n);
		spdy_flush(c);
		tell(c);
	}
}

static void work(struct spdy *c)
{
	c->busy++;
	spdy_flush(c);
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
	spdy_flush(c);
	waitq_wake_all(&c->out_q);
	list_each(st, &c->streams, node)
		spdy_touch(st, STREAM_WRITABLE);
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
	spdy_put_words(c, 3, (uint32_t[]){ spdy_control_word(SETTINGS), 4 + 2 * 8, 2 });
	spdy_put_words(c, 4, (uint32_t[]){ SETTING_MAX_STREAMS, STREAMS_MAX, SETTING_WINDOW, WINDOW });
	spdy_put_window(c, 0, WINDOW * 4 - DEFAULT_WINDOW);
	spdy_flush(c);
	spdy_later(c);
}

bool spdy_gone(const struct spdy *c) { return c->dead; }

void spdy_free(struct spdy *c)
{
	if (!c)
		return;
	spdy_die(c, true);
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
	st = spdy_st_new(c, c->next_id, true);
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

void spdy_refuse(struct spdy_stream *st, uint32_t status) { spdy_st_end(st, status); }

void spdy_finish_wait(struct spdy *c, int64_t most_ns)
{
	int64_t until = loop_monotonic_ns(c->loop) + most_ns, left = most_ns;
	int r = 0;

	if (c->dead)
		return;
	spdy_put_goaway(c, 0);
	c->busy++;
	spdy_flush(c);
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
