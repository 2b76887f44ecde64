// SPDX-License-Identifier: Apache-2.0
/*
 * What fibers wait for besides streams: time, a descriptor, each other. Every
 * wait is a record on the waiter's own stack; it looks at the record, not at
 * why it was woken, so a spurious wake does no harm.
 */
#include "io/fiber.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "base/assert.h"

struct alarm {
	struct timer timer;
	struct fiber *fiber;
	bool rang;
};

static void alarm_fire(struct timer *t)
{
	struct alarm *a = container_of(t, struct alarm, timer);

	a->rang = true;
	fiber_wake(a->fiber);
}

int sleep_wait(int64_t ns)
{
	struct alarm a = { .fiber = fiber_self() };
	int r;

	must(a.fiber);
	r = timer_set(fiber_loop(a.fiber), &a.timer, ns, alarm_fire);
	if (r < 0)
		return r;
	while (!a.rang && !fiber_cancelled(a.fiber))
		fiber_suspend_wait();
	timer_cancel(&a.timer);
	return fiber_cancelled(a.fiber) ? -ECANCELED : 0;
}

struct fd_waiter {
	struct watch watch;
	struct fiber *fiber;
	unsigned got;
};

static void fd_waiter_ready(struct watch *w, unsigned events)
{
	struct fd_waiter *x = container_of(w, struct fd_waiter, watch);

	x->got = events;
	watch_del(w);
	fiber_wake(x->fiber);
}

int fd_wait(int fd, unsigned events, int64_t timeout_ns)
{
	struct fd_waiter x = { .fiber = fiber_self() };
	struct alarm a = { .fiber = x.fiber };
	AUTO(close) int copy = -1;
	struct loop *l;
	int r;

	must(x.fiber);
	l = fiber_loop(x.fiber);
	if (fiber_cancelled(x.fiber))
		return -ECANCELED;
	r = watch_add(l, &x.watch, fd, events, fd_waiter_ready);
	if (r == -EPERM)
		return (int)(events & (WATCH_READ | WATCH_WRITE));
	if (r == -EEXIST) {
		/* Somebody else on this loop watches it too; epoll tells registrations apart by number. */
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		r = copy < 0 ? -errno : watch_add(l, &x.watch, copy, events, fd_waiter_ready);
	}
	if (r == 0 && timeout_ns >= 0)
		r = timer_set(l, &a.timer, timeout_ns, alarm_fire);
	while (r == 0 && !x.got && !a.rang && !fiber_cancelled(x.fiber))
		fiber_suspend_wait();
	timer_cancel(&a.timer);
	watch_del(&x.watch);
	if (r < 0)
		return r;
	return x.got ? (int)x.got : fiber_cancelled(x.fiber) ? -ECANCELED : -ETIMEDOUT;
}

/* --- waitq */

struct waiter {
	struct list node;
	struct fiber *fiber;
	bool woken;
};

void waitq_init(struct waitq *q) { list_init(&q->waiters); }

/* Not inlined: gcc would take the link from the queue to the frame for one that outlives it. */
__attribute__((noinline)) static void waiter_enter(struct waitq *q, struct waiter *w)
{
	must(fiber_self());
	*w = (struct waiter){ .fiber = fiber_self() };
	if (!q->waiters.next)
		waitq_init(q);
	list_add_tail(&q->waiters, &w->node);
}

int waitq_wait(struct waitq *q, int64_t timeout_ns)
{
	struct waiter w;
	struct alarm a = { .fiber = fiber_self() };

	must(a.fiber);
	if (fiber_cancelled(a.fiber))
		return -ECANCELED;
	if (timeout_ns >= 0) {
		int r = timer_set(fiber_loop(a.fiber), &a.timer, timeout_ns, alarm_fire);

		if (r < 0)
			return r;
	}
	waiter_enter(q, &w);
	while (!w.woken && !a.rang && !fiber_cancelled(a.fiber))
		fiber_suspend_wait();
	timer_cancel(&a.timer);
	list_del(&w.node);
	if (w.woken)
		return 0;       /* also when cancelled meanwhile: a wake_one must not be lost */
	return fiber_cancelled(a.fiber) ? -ECANCELED : -ETIMEDOUT;
}

/* The queue may be freed as soon as its last waiter is out of it. */
static struct waiter *wake_first(struct waitq *q)
{
	struct waiter *w = list_first(&q->waiters, struct waiter, node);

	list_del(&w->node);
	w->woken = true;
	fiber_wake(w->fiber);
	return w;
}

void waitq_wake_one(struct waitq *q)
{
	if (q->waiters.next && !list_empty(&q->waiters))
		wake_first(q);
}

void waitq_wake_all(struct waitq *q)
{
	while (q->waiters.next && !list_empty(&q->waiters))
		wake_first(q);
}

/* --- fmutex: the lock is handed over, so that nobody overtakes */

void fmutex_init(struct fmutex *m)
{
	m->owner = NULL;
	waitq_init(&m->q);
}

int fmutex_lock_wait(struct fmutex *m)
{
	struct fiber *f = fiber_self();
	struct waiter w;

	must(f && m->owner != f);
	if (fiber_cancelled(f))
		return -ECANCELED;
	if (!m->owner) {
		m->owner = f;
		return 0;
	}
	waiter_enter(&m->q, &w);
	while (!w.woken && !fiber_cancelled(f))
		fiber_suspend_wait();
	list_del(&w.node);
	return w.woken ? 0 : -ECANCELED;
}

void fmutex_unlock(struct fmutex *m)
{
	must(m->owner == fiber_self());
	m->owner = NULL;
	if (m->q.waiters.next && !list_empty(&m->q.waiters))
		m->owner = wake_first(&m->q)->fiber;
}
