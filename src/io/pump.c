// SPDX-License-Identifier: Apache-2.0
/* Two streams joined: one fiber copies each direction; what breaks one ends the other. */
#include <errno.h>
#include "base/assert.h"
#include "io/stream.h"

enum { PUMP_BYTES = 32 * 1024 };

struct pump {
	struct stream *a, *b;
	struct fiber *parent;
	int64_t linger_ns;
	bool broken, other_done;
	int error;
};

static void fail(struct pump *p, int error)
{
	if (p->broken)
		return;
	p->broken = true;
	p->error = error;
	/* wakes the other direction wherever it waits; it looks at `broken` */
	stream_abandon(p->a);
	stream_abandon(p->b);
}

static void copy_wait(struct pump *p, struct stream *to, struct stream *from)
{
	char *buf = malloc(PUMP_BYTES);
	int r = buf ? 0 : -ENOMEM;

	while (r == 0 && !p->broken) {
		ssize_t n = stream_read_wait(from, buf, PUMP_BYTES);

		if (n == 0) {
			if (from == p->b && p->linger_ns > 0)
				p->a->timeout_ns = p->linger_ns;
			r = p->broken ? 0 : stream_shutdown_wait(to);
			/* the peer may have left in peace just before */
			r = r == -EPIPE || r == -ENOTCONN || r == -ECONNRESET ? 0 : r;
			break;
		}
		r = n < 0 ? (int)n : p->broken ? 0 : stream_write_wait(to, buf, (size_t)n);
	}
	free(buf);
	if (r < 0)
		fail(p, r);
}

static void other_fiber(void *arg)
{
	struct pump *p = arg;

	copy_wait(p, p->b, p->a);
	p->other_done = true;
	if (p->parent)
		fiber_wake(p->parent);
}

int stream_pump_wait(struct stream *a, struct stream *b, int64_t b_linger_ns)
{
	struct pump p = { .a = a, .b = b, .linger_ns = b_linger_ns };
	int64_t timeout_ns = a->timeout_ns;
	int r = fiber_start(a->loop, "pump", other_fiber, &p);

	if (r < 0)
		return r;
	p.parent = fiber_self();
	must(p.parent);
	copy_wait(&p, a, b);
	/* a direction that waits for a read with no time-out is told of the new one */
	if (!p.other_done && !p.broken && b_linger_ns > 0)
		stream_fire(a, STREAM_READABLE);
	while (!p.other_done) {
		if (fiber_cancelled(p.parent))
			fail(&p, -ECANCELED);
		fiber_suspend_wait();
	}
	a->timeout_ns = timeout_ns;
	return p.error;
}
