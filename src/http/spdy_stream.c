// SPDX-License-Identifier: Apache-2.0
/* A SPDY stream as a struct stream. */
#include <errno.h>
#include "http/spdy_int.h"

static struct spdy_stream *of(struct stream *s) { return container_of(s, struct spdy_stream, s); }

void spdy_st_unref(struct spdy_stream *st)
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
		spdy_later(c);
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
		spdy_put_window(c, st->id, st->unacked);
		st->unacked = 0;
		spdy_flush(c);
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
		spdy_flush(c);
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
	spdy_put_data(c, st->id, p, n, false);
	st->mark = c->queued;
	spdy_flush(c);
	return c->dead ? -EPIPE : (ssize_t)n;
}

static int st_flush_now(struct stream *s)
{
	struct spdy_stream *st = of(s);
	struct spdy *c = st->c;

	if (!c)
		return 0;
	if (!c->dead)
		spdy_flush(c);
	return c->sent >= st->mark ? 0 : c->dead ? -EPIPE : -EAGAIN;
}

static int st_shutdown_now(struct stream *s)
{
	struct spdy_stream *st = of(s);

	if (st->out_ended)
		return 0;
	st->out_ended = true;
	if (!st->c || st->c->dead || st->reset)
		return -EPIPE;
	spdy_put_data(st->c, st->id, NULL, 0, true);
	spdy_flush(st->c);
	if (spdy_st_over(st)) {
		spdy_touch(st, STREAM_HANGUP);
		spdy_later(st->c);
	}
	return 0;
}

void spdy_st_end(struct spdy_stream *st, uint32_t status)
{
	struct spdy *c = st->c;

	if (!c || c->dead || spdy_st_over(st))
		return;
	spdy_put_rst(c, st->id, status);
	spdy_flush(c);
	st->reset = true;
	spdy_touch_all(st);
	spdy_later(c);
}

static void st_close(struct stream *s)
{
	struct spdy_stream *st = of(s);
	size_t n = st->in.len;

	st_shutdown_now(s);
	if (!st->in_ended)
		spdy_st_end(st, SPDY_CANCEL);
	st->dropped = true;
	buf_release(&st->in);
	taken(st, n);
	spdy_st_unref(st);
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

struct spdy_stream *spdy_st_new(struct spdy *c, uint32_t id, bool ours)
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

struct spdy_stream *spdy_st_find(struct spdy *c, uint32_t id)
{
	struct spdy_stream *st;

	list_each(st, &c->streams, node)
		if (st->id == id && !spdy_st_over(st)) {
			/* the next frame is likely to be for it too */
			list_del(&st->node);
			list_add_head(&c->streams, &st->node);
			return st;
		}
	return NULL;
}
