// SPDX-License-Identifier: Apache-2.0
/*
 * Waiting on streams, once for all kinds: try, and on -EAGAIN suspend until
 * the kind says that it may work now. The waiter's record is on its own stack
 * and learns of a close, so nobody touches a stream that is gone.
 */
#include "io/stream.h"
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "base/assert.h"
#include "io/loop_int.h"

enum { COPY_BYTES = 32 * 1024 };

bool stream_notify(struct stream *s, unsigned what, void (*fn)(void *arg, int status), void *arg)
{
	bool was = s->on[what].fn != NULL;

	must(what < STREAM_EVENTS && !(fn && was));
	if (!fn && !was)
		return false;
	s->on[what] = (struct stream_waiter){ fn, fn ? arg : NULL };
	if (s->ops->want && s->ops->want(s, what, fn != NULL) && fn) {
		s->on[what] = (struct stream_waiter){ 0 };
		s->ops->want(s, what, false);
		return true;
	}
	return false;
}

void stream_fire(struct stream *s, unsigned what)
{
	struct stream_waiter w = s->on[what];

	if (!w.fn)
		return;
	s->on[what] = (struct stream_waiter){ 0 };
	if (s->ops->want)
		s->ops->want(s, what, false);
	w.fn(w.arg, 0);
}

struct ready_waiter {
	struct timer timer;
	struct fiber *fiber;
	bool woken, rang;
	int status;
};

static void ready_fire(void *arg, int status)
{
	struct ready_waiter *w = arg;

	w->woken = true;
	w->status = status;
	fiber_wake(w->fiber);
}

static void ready_timeout(struct timer *t)
{
	struct ready_waiter *w = container_of(t, struct ready_waiter, timer);

	w->rang = true;
	fiber_wake(w->fiber);
}

int stream_ready_wait(struct stream *s, unsigned what, int64_t timeout_ns)
{
	struct ready_waiter w = { .fiber = fiber_self() };

	must(w.fiber);
	if (fiber_cancelled(w.fiber))
		return -ECANCELED;
	if (timeout_ns > 0) {
		int r = timer_set(fiber_loop(w.fiber), &w.timer, timeout_ns, ready_timeout);

		if (r < 0)
			return r;
	}
	if (stream_notify(s, what, ready_fire, &w)) {
		timer_cancel(&w.timer);
		return 0;
	}
	while (!w.woken && !w.rang && !fiber_cancelled(w.fiber))
		fiber_suspend_wait();
	timer_cancel(&w.timer);
	if (w.woken && w.status < 0)
		return w.status;        /* closed: s is gone */
	if (!w.woken)
		stream_notify(s, what, NULL, NULL);
	if (fiber_cancelled(w.fiber))
		return -ECANCELED;
	return w.woken ? 0 : -ETIMEDOUT;
}

ssize_t stream_read_wait(struct stream *s, void *p, size_t n)
{
	fiber_yield_wait();
	for (;;) {
		ssize_t r;
		int w;

		if (fiber_self() && fiber_cancelled(fiber_self()))
			return -ECANCELED;
		r = s->ops->read_now(s, p, n);
		if (r != -EAGAIN)
			return r;
		w = stream_ready_wait(s, STREAM_READABLE, s->timeout_ns);
		if (w < 0)
			return w;
	}
}

int stream_read_all_wait(struct stream *s, void *p, size_t n)
{
	for (size_t got = 0; got < n;) {
		ssize_t r = stream_read_wait(s, (char *)p + got, n - got);

		if (r <= 0)
			return r < 0 ? (int)r : -EPIPE;
		got += (size_t)r;
	}
	return 0;
}

/* Until what was written has left this process. */
static int flush_wait(struct stream *s)
{
	int r = 0;

	while (s->ops->flush_now && (r = s->ops->flush_now(s)) == -EAGAIN) {
		r = stream_ready_wait(s, STREAM_WRITABLE, s->timeout_ns);
		if (r < 0)
			break;
	}
	return r;
}

int stream_write_wait(struct stream *s, const void *p, size_t n)
{
	const char *at = p;

	fiber_yield_wait();
	while (n > 0) {
		ssize_t r;

		if (fiber_self() && fiber_cancelled(fiber_self()))
			return -ECANCELED;
		r = s->ops->write_now(s, at, n);
		if (r == -EAGAIN)
			r = stream_ready_wait(s, STREAM_WRITABLE, s->timeout_ns);
		if (r < 0)
			return (int)r;
		at += r;
		n -= (size_t)r;
	}
	return flush_wait(s);
}

int stream_shutdown_wait(struct stream *s)
{
	int r;

	while ((r = s->ops->shutdown_now(s)) == -EAGAIN) {
		r = stream_ready_wait(s, STREAM_WRITABLE, s->timeout_ns);
		if (r < 0)
			break;
	}
	return r;
}

void stream_close(struct stream *s)
{
	struct stream_waiter on[STREAM_EVENTS];

	if (!s)
		return;
	memcpy(on, s->on, sizeof on);
	memset(s->on, 0, sizeof s->on);
	s->ops->close(s);
	for (unsigned i = 0; i < STREAM_EVENTS; i++)
		if (on[i].fn)
			on[i].fn(on[i].arg, -ECANCELED);
}

void stream_abandon(struct stream *s)
{
	for (unsigned i = 0; i < STREAM_EVENTS; i++) {
		struct stream_waiter w = s->on[i];

		stream_notify(s, i, NULL, NULL);
		if (w.fn)
			w.fn(w.arg, -ECANCELED);
	}
}

int stream_fd(struct stream *s) { return s->ops->fd ? s->ops->fd(s) : -1; }

int64_t stream_copy_wait(struct stream *to, struct stream *from)
{
	AUTO(free) char *p = malloc(COPY_BYTES);
	int64_t total = 0;

	if (!p)
		return -ENOMEM;
	for (;;) {
		ssize_t n = stream_read_wait(from, p, COPY_BYTES);
		int r;

		if (n <= 0)
			return n < 0 ? n : total;
		r = stream_write_wait(to, p, (size_t)n);
		if (r < 0)
			return r;
		total += n;
	}
}

/* --- bytes in front of another stream */

struct prepend {
	struct stream s;
	struct stream *under;
	char *first;
	size_t at, len;
	struct loop_call again;
};

static void relay(void *arg, int status, unsigned what)
{
	struct prepend *x = arg;

	if (status == 0)
		stream_fire(&x->s, what);
}

static void relay_read(void *arg, int status) { relay(arg, status, STREAM_READABLE); }
static void relay_write(void *arg, int status) { relay(arg, status, STREAM_WRITABLE); }
static void relay_hangup(void *arg, int status) { relay(arg, status, STREAM_HANGUP); }

static bool prepend_want(struct stream *s, unsigned what, bool on)
{
	static void (*const fns[])(void *, int) = { relay_read, relay_write, relay_hangup };
	struct prepend *x = container_of(s, struct prepend, s);

	if (what == STREAM_READABLE && on && x->at < x->len)
		return true;
	return stream_notify(x->under, what, on ? fns[what] : NULL, x);
}

static ssize_t prepend_read(struct stream *s, void *p, size_t n)
{
	struct prepend *x = container_of(s, struct prepend, s);

	if (x->at == x->len)
		return stream_read_now(x->under, p, n);
	n = MIN(n, x->len - x->at);
	memcpy(p, x->first + x->at, n);
	x->at += n;
	return (ssize_t)n;
}

static ssize_t prepend_write(struct stream *s, const void *p, size_t n)
{
	return stream_write_now(container_of(s, struct prepend, s)->under, p, n);
}

static int prepend_shutdown(struct stream *s)
{
	struct stream *under = container_of(s, struct prepend, s)->under;

	return under->ops->shutdown_now(under);
}

static int prepend_flush(struct stream *s)
{
	struct stream *under = container_of(s, struct prepend, s)->under;

	return under->ops->flush_now ? under->ops->flush_now(under) : 0;
}

static void prepend_close(struct stream *s)
{
	struct prepend *x = container_of(s, struct prepend, s);

	for (unsigned i = 0; i < STREAM_EVENTS; i++)
		stream_notify(x->under, i, NULL, NULL);
	stream_close(x->under);
	free(x->first);
	free(x);
}

/* Once the first bytes are read, nothing of it is left to be seen. */
static int prepend_fd(struct stream *s)
{
	struct prepend *x = container_of(s, struct prepend, s);

	return x->at == x->len ? stream_fd(x->under) : -1;
}

static const struct stream_ops prepend_ops = {
	.name = "prepend", .read_now = prepend_read, .write_now = prepend_write, .shutdown_now = prepend_shutdown,
	.close = prepend_close, .fd = prepend_fd, .want = prepend_want, .flush_now = prepend_flush,
};

int stream_prepend(struct slice first, struct stream *under, struct stream **ret)
{
	struct prepend *x = calloc(1, sizeof *x);
	char *copy = malloc(first.len ? first.len : 1);

	if (!x || !copy) {
		free(x);
		free(copy);
		stream_close(under);
		return -ENOMEM;
	}
	if (first.len)
		memcpy(copy, first.ptr, first.len);
	x->s = (struct stream){ .ops = &prepend_ops, .loop = under->loop, .timeout_ns = under->timeout_ns };
	x->under = under;
	x->first = copy;
	x->len = first.len;
	*ret = &x->s;
	return 0;
}

void stream_drained_wait(struct stream *s, int64_t most_ns)
{
	enum { FIRST_NS = 50000, MOST_NS = 2000000 };
	int fd = stream_fd(s), domain = 0, unread = 0;
	socklen_t n = sizeof domain;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) < 0 || domain != AF_UNIX)
		return;
	/* the kernel has no event for this, so it is looked at in growing steps */
	for (int64_t step = FIRST_NS, waited = 0; waited < most_ns; waited += step, step = MIN(step * 2, (int64_t)MOST_NS))
		if (ioctl(fd, SIOCOUTQ, &unread) < 0 || unread == 0 || sleep_wait(step) < 0)
			return;
}
