// SPDX-License-Identifier: Apache-2.0
/*
 * Two connected streams in memory. What one side does reaches the other's
 * waiters by a deferred call, never from within the call that caused it.
 */
#include "io/stream.h"
#include <errno.h>
#include "base/assert.h"
#include "io/loop_int.h"

struct half {
	struct stream s;
	struct half *peer;         /* NULL once it is closed */
	char *ring;                /* what the peer has written and this side not yet read */
	size_t size, head, used;
	bool in_ended;             /* the peer writes no more */
	bool out_ended;
	struct loop_call tell;
	unsigned pending;          /* bits of STREAM_… to fire */
	bool busy, closed;         /* waiters are being told; closed meanwhile: freed behind it */
};

static struct half *of(struct stream *s) { return container_of(s, struct half, s); }

static void tell_later(struct half *h, unsigned what)
{
	h->pending |= 1u << what;
	loop_defer(h->s.loop, &h->tell);
}

static void tell_now(struct loop_call *c)
{
	struct half *h = container_of(c, struct half, tell);
	unsigned pending = h->pending;

	h->pending = 0;
	h->busy = true;
	for (unsigned i = 0; i < STREAM_EVENTS && !h->closed; i++)
		if (pending & (1u << i))
			stream_fire(&h->s, i);
	h->busy = false;
	if (h->closed)
		free(h);
}

static ssize_t pair_read(struct stream *s, void *p, size_t n)
{
	struct half *h = of(s);
	size_t first;

	n = MIN(n, h->used);
	if (n == 0)
		return h->in_ended ? 0 : -EAGAIN;
	first = MIN(n, h->size - h->head);
	memcpy(p, h->ring + h->head, first);
	memcpy((char *)p + first, h->ring, n - first);
	h->head = (h->head + n) % h->size;
	h->used -= n;
	if (h->peer)
		tell_later(h->peer, STREAM_WRITABLE);
	return (ssize_t)n;
}

static ssize_t pair_write(struct stream *s, const void *p, size_t n)
{
	struct half *h = of(s), *to = h->peer;
	size_t at, first;

	if (!to || h->out_ended)
		return -EPIPE;
	n = MIN(n, to->size - to->used);
	if (n == 0)
		return -EAGAIN;
	at = (to->head + to->used) % to->size;
	first = MIN(n, to->size - at);
	memcpy(to->ring + at, p, first);
	memcpy(to->ring, (const char *)p + first, n - first);
	to->used += n;
	tell_later(to, STREAM_READABLE);
	return (ssize_t)n;
}

static void end_input(struct half *h)
{
	h->in_ended = true;
	tell_later(h, STREAM_READABLE);
	tell_later(h, STREAM_HANGUP);
}

static int pair_shutdown(struct stream *s)
{
	struct half *h = of(s);

	if (!h->out_ended && h->peer)
		end_input(h->peer);
	h->out_ended = true;
	return 0;
}

static void pair_close(struct stream *s)
{
	struct half *h = of(s), *peer = h->peer;

	if (peer) {
		peer->peer = NULL;
		end_input(peer);
		tell_later(peer, STREAM_WRITABLE);
	}
	list_del(&h->tell.node);
	free(h->ring);
	h->ring = NULL;
	h->closed = true;
	if (!h->busy)
		free(h);
}

static bool pair_want(struct stream *s, unsigned what, bool on)
{
	return on && what == STREAM_HANGUP && of(s)->in_ended;
}

static const struct stream_ops pair_ops = {
	.name = "pair", .read_now = pair_read, .write_now = pair_write, .shutdown_now = pair_shutdown,
	.close = pair_close, .want = pair_want,
};

static struct half *half_new(struct loop *l, size_t bytes)
{
	struct half *h = calloc(1, sizeof *h);

	if (!h || !(h->ring = malloc(bytes))) {
		free(h);
		return NULL;
	}
	h->s = (struct stream){ .ops = &pair_ops, .loop = l };
	h->size = bytes;
	loop_call_init(&h->tell, tell_now);
	return h;
}

int stream_pair(struct loop *l, size_t buffer_bytes, struct stream **a, struct stream **b)
{
	struct half *x = half_new(l, buffer_bytes), *y = half_new(l, buffer_bytes);

	must(buffer_bytes > 0);
	if (!x || !y) {
		if (x)
			pair_close(&x->s);
		if (y)
			pair_close(&y->s);
		return -ENOMEM;
	}
	x->peer = y;
	y->peer = x;
	*a = &x->s;
	*b = &y->s;
	return 0;
}
