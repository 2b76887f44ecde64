// SPDX-License-Identifier: Apache-2.0
/*
 * The loop itself: epoll, timers in a heap, calls from other threads through
 * an eventfd, signals through a signalfd. See loop_int.h for one turn's order.
 */
#include "io/loop_int.h"
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/clock.h"

static int64_t os_monotonic(void *ctx) { return clock_monotonic_ns(); }
static int64_t os_realtime(void *ctx) { return clock_realtime_ns(); }

int loop_os_wait(void *ctx, struct loop *l, struct epoll_event *ev, int n, int64_t timeout_ns)
{
	int r;

	if (timeout_ns > 0 && !l->no_pwait2) {
		struct timespec ts = { timeout_ns / NS_PER_S, timeout_ns % NS_PER_S };

		r = epoll_pwait2(l->epfd, ev, n, &ts, NULL);
		if (r >= 0 || errno != ENOSYS)
			return r < 0 ? -errno : r;
		l->no_pwait2 = true;    /* kernels before 5.11: whole milliseconds, rounded up */
	}
	int64_t ms = timeout_ns < 0 ? -1 : (timeout_ns + NS_PER_MS - 1) / NS_PER_MS;
	r = epoll_wait(l->epfd, ev, n, ms > 1000000 ? 1000000 : (int)ms);
	return r < 0 ? -errno : r;
}

static const struct loop_os real_os = { os_monotonic, os_realtime, loop_os_wait };

static void posted_ready(struct watch *w, unsigned events)
{
	struct loop *l = container_of(w, struct loop, post_watch);
	uint64_t count;
	struct list calls;

	if (read(l->post_fd, &count, sizeof count) < 0 && errno != EAGAIN)
		must(errno == EINTR);
	list_init(&calls);
	pthread_mutex_lock(&l->post_lock);
	l->post_signalled = false;
	while (!list_empty(&l->posted)) {
		struct list *n = l->posted.next;

		list_del(n);
		list_add_tail(&calls, n);
	}
	pthread_mutex_unlock(&l->post_lock);
	while (!list_empty(&calls)) {
		struct loop_call *c = list_first(&calls, struct loop_call, node);

		list_del(&c->node);
		c->fn(c);
	}
}

int loop_new(struct loop **ret, struct err *e)
{
	return loop_new_os(&real_os, NULL, ret, e);
}

int loop_new_os(const struct loop_os *os, void *ctx, struct loop **ret, struct err *e)
{
	struct loop *l = calloc(1, sizeof *l);
	int r;

	if (!l)
		return err_nomem(e);
	l->os = os;
	l->os_ctx = ctx;
	l->signal_fd = -1;
	sigemptyset(&l->signal_set);
	list_init(&l->deferred);
	list_init(&l->posted);
	pthread_mutex_init(&l->post_lock, NULL);
	fibers_init(l);
	workers_init(l);
	l->now_ns = os->monotonic_ns(ctx);
	/* A peer that leaves is -EPIPE from a write, also for pipes, where no flag of the call says so. */
	signal(SIGPIPE, SIG_IGN);
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	l->post_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->epfd < 0 || l->post_fd < 0)
		r = -errno;
	else
		r = watch_add(l, &l->post_watch, l->post_fd, WATCH_READ, posted_ready);
	if (r < 0) {
		loop_free(l);
		return err_sys(e, r, "cannot make an event loop");
	}
	*ret = l;
	return 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	workers_release(l);
	fibers_release(l);
	heap_release(&l->timers);
	free(l->signals);
	if (l->signal_fd >= 0)
		close(l->signal_fd);
	if (l->post_fd >= 0)
		close(l->post_fd);
	if (l->epfd >= 0)
		close(l->epfd);
	pthread_mutex_destroy(&l->post_lock);
	if (l->owns_ctx)
		free(l->os_ctx);
	free(l);
}

void loop_stop(struct loop *l) { l->stop = true; }
int64_t loop_monotonic_ns(struct loop *l) { return l->now_ns; }
int64_t loop_realtime_ns(struct loop *l) { return l->os->realtime_ns(l->os_ctx); }

void loop_post(struct loop *l, struct loop_call *c)
{
	bool first;

	pthread_mutex_lock(&l->post_lock);
	list_add_tail(&l->posted, &c->node);
	first = !l->post_signalled;
	l->post_signalled = true;
	/* Written under the lock: once the last call is taken out, its owner may free the loop. */
	if (first) {
		uint64_t one = 1;
		ssize_t r = write(l->post_fd, &one, sizeof one);

		must(r == sizeof one || errno == EAGAIN);
	}
	pthread_mutex_unlock(&l->post_lock);
}

void loop_defer(struct loop *l, struct loop_call *c)
{
	if (list_empty(&c->node))
		list_add_tail(&l->deferred, &c->node);
}

static void run_deferred(struct loop *l)
{
	struct list calls;

	list_init(&calls);
	while (!list_empty(&l->deferred)) {
		struct list *n = l->deferred.next;

		list_del(n);
		list_add_tail(&calls, n);
	}
	while (!list_empty(&calls)) {
		struct loop_call *c = list_first(&calls, struct loop_call, node);

		list_del(&c->node);
		c->fn(c);
	}
}

/* --- timers */

int timer_set(struct loop *l, struct timer *t, int64_t after_ns, void (*fire)(struct timer *))
{
	uint64_t at;

	timer_cancel(t);
	t->loop = l;
	t->fire = fire;
	if (after_ns < 0)
		after_ns = 0;
	at = (uint64_t)l->now_ns + (uint64_t)after_ns;
	return heap_add(&l->timers, &t->node, at > INT64_MAX ? INT64_MAX : at);
}

void timer_cancel(struct timer *t)
{
	if (t->node.pos)
		heap_del(&t->loop->timers, &t->node);
}

int64_t loop_next_timer_ns(struct loop *l)
{
	struct heap_node *n = heap_min(&l->timers);

	if (!n)
		return -1;
	return (int64_t)n->key > l->now_ns ? (int64_t)n->key - l->now_ns : 0;
}

static void run_timers(struct loop *l)
{
	struct heap_node *n;
	size_t most = l->timers.n;      /* one that sets itself to "now" waits for the next turn */

	while (most-- > 0 && (n = heap_min(&l->timers)) && (int64_t)n->key <= l->now_ns) {
		struct timer *t = container_of(n, struct timer, node);

		heap_del(&l->timers, n);
		t->fire(t);
	}
}

/* --- descriptors */

static uint32_t to_epoll(unsigned events)
{
	return ((events & WATCH_READ) ? EPOLLIN : 0) | ((events & WATCH_WRITE) ? EPOLLOUT : 0) |
		((events & WATCH_HANGUP) ? EPOLLRDHUP : 0) | ((events & WATCH_EDGE) ? EPOLLET : 0);
}

static unsigned from_epoll(uint32_t ev)
{
	unsigned r = 0;

	if (ev & EPOLLIN)
		r |= WATCH_READ;
	if (ev & EPOLLOUT)
		r |= WATCH_WRITE;
	if (ev & EPOLLRDHUP)
		r |= WATCH_READ | WATCH_HANGUP;
	if (ev & (EPOLLHUP | EPOLLERR))
		r |= WATCH_READ | WATCH_WRITE | WATCH_HANGUP;
	return r;
}

int watch_add(struct loop *l, struct watch *w, int fd, unsigned events, void (*ready)(struct watch *, unsigned))
{
	struct epoll_event ev = { .events = to_epoll(events), .data.ptr = w };

	w->loop = NULL;
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	*w = (struct watch){ .loop = l, .fd = fd, .events = events, .ready = ready };
	return 0;
}

int watch_set(struct watch *w, unsigned events)
{
	struct epoll_event ev = { .events = to_epoll(events), .data.ptr = w };

	if (!w->loop)
		return -EBADF;
	/* epoll reports HUP and ERR even for no events at all: parked means out of the set. */
	int op = !events ? EPOLL_CTL_DEL : !w->events ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	if ((events || w->events) && epoll_ctl(w->loop->epfd, op, w->fd, &ev) < 0)
		return -errno;
	w->events = events;
	return 0;
}

void watch_del(struct watch *w)
{
	struct loop *l = w->loop;

	if (!l)
		return;
	if (w->events)
		epoll_ctl(l->epfd, EPOLL_CTL_DEL, w->fd, NULL);
	for (int i = l->batch_at; i < l->batch_n; i++)
		if (l->batch[i].data.ptr == w)
			l->batch[i].data.ptr = NULL;
	w->loop = NULL;
}

/* --- signals */

static void signal_ready(struct watch *w, unsigned events)
{
	struct loop *l = container_of(w, struct loop, signal_watch);
	struct signalfd_siginfo si;

	while (read(l->signal_fd, &si, sizeof si) == sizeof si)
		for (size_t i = 0; i < l->n_signals; i++)
			if (l->signals[i].signal == (int)si.ssi_signo)
				l->signals[i].fn(l->signals[i].arg, (int)si.ssi_signo);
}

int loop_signal(struct loop *l, int signal, void (*fn)(void *arg, int signal), void *arg)
{
	struct signal_row *v = realloc(l->signals, (l->n_signals + 1) * sizeof *v);
	sigset_t one;
	int fd;

	if (!v)
		return -ENOMEM;
	l->signals = v;
	sigemptyset(&one);
	if (sigaddset(&one, signal) < 0 || sigaddset(&l->signal_set, signal) < 0)
		return -EINVAL;
	fd = signalfd(l->signal_fd, &l->signal_set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (l->signal_fd < 0) {
		int r = watch_add(l, &l->signal_watch, fd, WATCH_READ, signal_ready);

		if (r < 0) {
			close(fd);
			return r;
		}
		l->signal_fd = fd;
	}
	pthread_sigmask(SIG_BLOCK, &one, NULL);
	v[l->n_signals++] = (struct signal_row){ signal, fn, arg };
	return 0;
}

/* --- running */

static void hand_out(struct loop *l, int n)
{
	l->batch_n = n;
	for (l->batch_at = 0; l->batch_at < l->batch_n;) {
		struct epoll_event *ev = &l->batch[l->batch_at++];
		struct watch *w = ev->data.ptr;

		if (w)
			w->ready(w, from_epoll(ev->events));
	}
	l->batch_at = l->batch_n = 0;
}

int loop_run(struct loop *l)
{
	l->stop = false;
	fiber_ctx_main(&l->main_ctx);
	l->now_ns = l->os->monotonic_ns(l->os_ctx);
	for (;;) {
		int64_t timeout;
		int n;

		run_timers(l);
		run_deferred(l);
		fibers_run(l);
		if (l->stop)
			return 0;
		timeout = l->n_runnable || !list_empty(&l->deferred) ? 0 : loop_next_timer_ns(l);
		n = l->os->wait(l->os_ctx, l, l->batch, LOOP_BATCH, timeout);
		l->now_ns = l->os->monotonic_ns(l->os_ctx);
		if (n < 0 && n != -EINTR)
			return n;
		hand_out(l, n < 0 ? 0 : n);
	}
}
