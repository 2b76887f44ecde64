// SPDX-License-Identifier: Apache-2.0
/* As in http/spdy.c, users' calls change state and tell nobody; the loop's own calls tell. */
#include "kube/stream/channels.h"
#include <errno.h>
#include "base/assert.h"
#include "base/clock.h"
#include "codec/base64.h"
#include "http/ws.h"

enum { IN_MAX = 256 * 1024, BATCH = 16 * 1024, RAW_MAX = 16 * 1024, BASE64_RAW_MAX = 12 * 1024, CHANNELS_MAX = 200 };
enum message { MESSAGE_NONE, MESSAGE_DATA, MESSAGE_CLOSE, MESSAGE_IGNORED };

struct channel {
	struct stream s;
	struct channels *c;
	unsigned id, fire;
	bool reads, writes, in_ended, out_ended;
	struct buf in;
};
struct channels {
	struct stream *ws;              /* NULL once dead */
	struct loop *loop;
	struct waitq *gone;
	struct waitq finish_q;
	struct channel *v;
	unsigned n, busy;
	bool base64, closes, client, dead, clean, freed, posted, finishing;
	struct loop_call call;
	enum message message;           /* what the message being read is */
	unsigned at;                    /* its channel */
	char quad[4];                   /* base64 digits not yet decoded */
	unsigned n_quad;
};

static struct channel *of(struct stream *s) { return container_of(s, struct channel, s); }
static void writable(void *arg, int status);
static void readable(void *arg, int status);

static void later(struct channels *c)
{
	if (c->posted || c->freed)
		return;
	c->posted = true;
	loop_post(c->loop, &c->call);
}

static void touch(struct channel *x, unsigned what) { x->fire |= 1u << what; }

static void die(struct channels *c, bool clean)
{
	if (c->dead)
		return;
	c->dead = true;
	c->clean = clean;
	for (unsigned i = 0; i < c->n; i++)
		c->v[i].fire = (1u << STREAM_EVENTS) - 1;
	for (unsigned i = 0; i < STREAM_EVENTS; i++)
		stream_notify(c->ws, i, NULL, NULL);
	stream_close(take_ptr(c->ws));
	waitq_wake_all(c->gone);
	waitq_wake_all(&c->finish_q);
	later(c);
}

/* --- one channel */

static bool is_full(const struct channels *c)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->v[i].in.len >= IN_MAX)
			return true;
	return false;
}

static ssize_t ch_read_now(struct stream *s, void *p, size_t n)
{
	struct channel *x = of(s);
	struct channels *c = x->c;
	bool was_full = x->in.len >= IN_MAX;

	n = MIN(n, x->in.len);
	if (!n) {
		if (x->in_ended || !x->reads)
			return 0;
		return !c->dead ? -EAGAIN : c->clean ? 0 : -ECONNRESET;
	}
	memcpy(p, x->in.ptr, n);
	buf_drop(&x->in, n);
	if (was_full && x->in.len < IN_MAX && !c->dead)
		later(c);
	return (ssize_t)n;
}

/* 0, -EAGAIN, -errno. */
static int send_message(struct channels *c, unsigned id, struct slice p)
{
	AUTO(buf) struct buf text = BUF_INIT(WS_MESSAGE_MAX);
	char head = (char)(c->base64 && id != CHANNEL_CLOSE ? '0' + id : id);
	int r = c->base64 ? base64_encode(&text, p, false) : 0;

	if (r == 0)
		r = ws_message_now(c->ws, slice_n(&head, 1), c->base64 ? buf_slice(&text) : p);
	if (r < 0 && r != -EAGAIN)
		die(c, false);
	return r;
}

static ssize_t ch_write_now(struct stream *s, const void *p, size_t n)
{
	struct channel *x = of(s);
	struct channels *c = x->c;
	int r;

	if (c->dead || c->finishing || x->out_ended || !x->writes)
		return -EPIPE;
	n = MIN(n, (size_t)(c->base64 ? BASE64_RAW_MAX : RAW_MAX));
	r = send_message(c, x->id, slice_n(p, n));
	return r == -EAGAIN ? r : r < 0 ? -EPIPE : (ssize_t)n;
}

static int ch_flush_now(struct stream *s)
{
	struct channels *c = of(s)->c;

	return c->dead || c->finishing ? -EPIPE : c->ws->ops->flush_now(c->ws);
}

static int ch_shutdown_now(struct stream *s)
{
	struct channel *x = of(s);
	struct channels *c = x->c;
	char id = (char)x->id;
	int r = 0;

	if (x->out_ended || !x->writes)
		return 0;
	if (c->dead)
		return -EPIPE;
	if (c->closes && c->client)
		r = send_message(c, CHANNEL_CLOSE, slice_n(&id, 1));
	if (r == 0)
		x->out_ended = true;
	return r;
}

static void ch_close(struct stream *s) { ch_shutdown_now(s); }

static bool ch_want(struct stream *s, unsigned what, bool on)
{
	struct channel *x = of(s);
	struct channels *c = x->c;

	if (!on)
		return false;
	if (c->dead || c->finishing)
		return true;
	if (what == STREAM_READABLE)
		return x->in.len || x->in_ended || !x->reads;
	if (what == STREAM_HANGUP)
		return x->in_ended;
	return !c->ws->on[STREAM_WRITABLE].fn && stream_notify(c->ws, STREAM_WRITABLE, writable, c);
}

static const struct stream_ops ch_ops = {
	.name = "channel", .read_now = ch_read_now, .write_now = ch_write_now, .shutdown_now = ch_shutdown_now, .close = ch_close,
	.want = ch_want, .flush_now = ch_flush_now,
};

/* --- messages in */

static void end_channel(struct channels *c, unsigned i)
{
	if (i >= c->n)
		return;
	c->v[i].in_ended = true;
	touch(&c->v[i], STREAM_READABLE);
	touch(&c->v[i], STREAM_HANGUP);
}

static void keep(struct channels *c, const char *p, size_t n)
{
	struct channel *x = &c->v[c->at];

	if (x->in_ended || !x->reads || c->finishing || !n)
		return;
	if (buf_add(&x->in, p, n) < 0)
		die(c, false);
	touch(x, STREAM_READABLE);
}

static void keep_base64(struct channels *c, const char *p, size_t n)
{
	AUTO(buf) struct buf raw = BUF_INIT(BATCH + 16);

	for (size_t i = 0; i < n; i++) {
		c->quad[c->n_quad++] = p[i];
		if (c->n_quad < 4)
			continue;
		c->n_quad = 0;
		if (base64_decode(&raw, slice_n(c->quad, 4)) < 0) {
			die(c, false);
			return;
		}
	}
	keep(c, raw.ptr, raw.len);
}

static void begin_message(struct channels *c, unsigned char first)
{
	unsigned id = c->base64 ? first - (unsigned)'0' : first;

	c->n_quad = 0;
	if (first == CHANNEL_CLOSE && c->closes) {
		c->message = MESSAGE_CLOSE;
	} else if (id < c->n) {
		c->message = MESSAGE_DATA;
		c->at = id;
	} else {
		c->message = MESSAGE_IGNORED;
	}
}

static void take(struct channels *c, const char *p, size_t n, bool begins)
{
	if (begins) {
		begin_message(c, (unsigned char)*p);
		p++;
		n--;
	}
	if (c->message == MESSAGE_CLOSE) {
		for (size_t i = 0; i < n; i++)
			end_channel(c, (unsigned char)p[i]);
	} else if (c->message == MESSAGE_DATA && c->base64) {
		keep_base64(c, p, n);
	} else if (c->message == MESSAGE_DATA) {
		keep(c, p, n);
	}
}

/* --- the connection */

static void release(struct channels *c)
{
	for (unsigned i = 0; i < c->n; i++)
		buf_release(&c->v[i].in);
	free(c->v);
	free(c);
}

static void leave(struct channels *c)
{
	if (--c->busy == 0 && c->freed && !c->posted)
		release(c);
}

static void tell(struct channels *c)
{
	for (unsigned i = 0; i < c->n; i++)
		for (unsigned k = 0; k < STREAM_EVENTS && !c->freed; k++)
			if (c->v[i].fire & (1u << k)) {
				c->v[i].fire &= ~(1u << k);
				stream_fire(&c->v[i].s, k);
			}
}

static void work(struct channels *c)
{
	char p[BATCH];

	c->busy++;
	while (!c->dead && !c->freed && !is_full(c) && !c->ws->on[STREAM_READABLE].fn) {
		ssize_t n = stream_read_now(c->ws, p, sizeof p);

		if (n == -EAGAIN) {
			stream_notify(c->ws, STREAM_READABLE, readable, c);
			continue;
		}
		if (n > 0)
			take(c, p, (size_t)n, ws_message_began(c->ws));
		else
			die(c, n == 0);
		tell(c);
	}
	tell(c);
	leave(c);
}

static void called(struct loop_call *call)
{
	struct channels *c = container_of(call, struct channels, call);

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
	struct channels *c = arg;

	if (status < 0)
		return;
	for (unsigned i = 0; i < c->n; i++)
		touch(&c->v[i], STREAM_WRITABLE);
	waitq_wake_all(&c->finish_q);
	work(c);
}

int channels_new(struct stream *ws, const struct channels_config *f, struct waitq *gone, struct channels **ret)
{
	struct channels *c = calloc(1, sizeof *c);

	if (c)
		c->v = calloc(f->n, sizeof *c->v);
	if (!c || !c->v || f->n > CHANNELS_MAX) {
		int r = c && c->v ? -E2BIG : -ENOMEM;

		if (c)
			free(c->v);
		free(c);
		stream_close(ws);
		return r;
	}
	c->ws = ws;
	c->loop = ws->loop;
	c->gone = gone;
	c->n = f->n;
	c->base64 = f->base64;
	c->closes = f->closes;
	c->client = f->client;
	c->call.fn = called;
	list_init(&c->call.node);
	waitq_init(&c->finish_q);
	for (unsigned i = 0; i < c->n; i++)
		c->v[i] = (struct channel){ .s = { .ops = &ch_ops, .loop = c->loop }, .c = c, .id = i, .reads = f->reads[i], .writes = f->writes[i],
			.in = BUF_INIT(IN_MAX + BATCH) };
	later(c);
	*ret = c;
	return 0;
}

struct stream *channels_stream(struct channels *c, unsigned i) { return &c->v[i].s; }
bool channels_gone(const struct channels *c) { return c->dead; }

int channels_send_wait(struct channels *c, unsigned i, struct slice p)
{
	int r = -EPIPE;

	while (!c->dead && (r = send_message(c, i, p)) == -EAGAIN) {
		r = stream_ready_wait(&c->v[i].s, STREAM_WRITABLE, 0);
		if (r < 0)
			return r;
	}
	return c->dead ? -EPIPE : r;
}

void channels_finish_wait(struct channels *c, int64_t most_ns)
{
	int64_t until = loop_monotonic_ns(c->loop) + most_ns, left;
	int r = 0;

	c->finishing = true;
	for (unsigned i = 0; i < c->n; i++)
		buf_reset(&c->v[i].in);
	if (c->dead)
		return;
	c->busy++;
	if (!c->ws->on[STREAM_READABLE].fn)
		later(c);
	stream_notify(c->ws, STREAM_WRITABLE, NULL, NULL);
	c->ws->timeout_ns = most_ns;
	r = stream_shutdown_wait(c->ws);
	while (r == 0 && !c->dead && (left = until - loop_monotonic_ns(c->loop)) > 0)
		r = waitq_wait(&c->finish_q, left);
	leave(c);
}

void channels_free(struct channels *c)
{
	if (!c)
		return;
	die(c, true);
	for (unsigned i = 0; i < c->n; i++)
		stream_abandon(&c->v[i].s);
	c->freed = true;
	if (!c->busy && !c->posted)
		release(c);
}
