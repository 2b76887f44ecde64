/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of io/ know about a loop and nobody else does.
 *
 * One turn: due timers, posted calls, deferred calls, runnable fibers, then
 * waiting (not at all if something is runnable), then ready descriptors. All
 * of it on the loop's thread; only `posted` and the workers' queue are shared
 * and stand under their locks.
 */
#pragma once
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include "io/fiber.h"
#include "io/loop.h"

/* The seam to the kernel's clocks and waiting; loop.c has the real one, sim.c the double. */
struct loop_os {
	int64_t (*monotonic_ns)(void *ctx);
	int64_t (*realtime_ns)(void *ctx);
	/* Events got, or -errno. timeout_ns < 0: no end. */
	int (*wait)(void *ctx, struct loop *l, struct epoll_event *ev, int n, int64_t timeout_ns);
};

/* What a switch saves of a stack: the pointer, and what sanitizers want to know. */
struct fiber_ctx {
	void *sp;
	void *asan_fake;
	const void *stack_bottom;
	size_t stack_bytes;
	void *tsan;
};

struct fiber {
	struct list run_node;        /* in loop->runnable while queued */
	struct list all_node;
	struct loop *loop;
	const char *name;
	void (*fn)(void *arg);
	void *arg;
	struct fiber_ctx ctx;
	struct fiber_ctx *resumer;   /* where a suspend goes back to */
	char *stack;                 /* lowest address of the mapping, guard included */
	unsigned budget;             /* operations since it last suspended; see fiber_yield_wait */
	bool queued, suspended, yielding, wake_pending, cancelled, done;
};

struct workers {
	pthread_mutex_t lock;        /* guards what follows */
	pthread_cond_t work, ended;
	struct list queue;           /* struct job */
	unsigned n_queued, n_threads, n_idle, most;
	bool stop;
};

struct signal_row {
	int signal;
	void (*fn)(void *arg, int signal);
	void *arg;
};

enum { LOOP_BATCH = 64, STACK_POOL_MAX = 64 };

struct loop {
	const struct loop_os *os;
	void *os_ctx;
	bool owns_ctx;                          /* malloc'ed; freed with the loop */
	int epfd;
	bool stop, no_pwait2;
	int64_t now_ns;
	struct heap timers;
	struct epoll_event batch[LOOP_BATCH];   /* events being handed out; watch_del clears its own */
	int batch_at, batch_n;

	struct list deferred;                   /* loop_defer: this thread only */

	pthread_mutex_t post_lock;              /* guards posted and post_signalled */
	struct list posted;
	bool post_signalled;
	int post_fd;
	struct watch post_watch;

	int signal_fd;
	sigset_t signal_set;
	struct watch signal_watch;
	struct signal_row *signals;
	size_t n_signals;

	struct list fibers;                     /* all */
	struct list runnable;
	unsigned n_fibers, n_runnable, fiber_limit;
	char *pool[STACK_POOL_MAX];
	unsigned n_pool;
	struct fiber_ctx main_ctx;

	struct workers workers;
	unsigned n_jobs;                        /* started and not yet handed back */
	unsigned n_children;                    /* spawned and watched */
};

/* loop_new with another kernel; os and ctx outlive the loop. */
int loop_new_os(const struct loop_os *os, void *ctx, struct loop **ret, struct err *e);
/* epoll_pwait2 on the real clock; the waiting half of the real seam, which the double borrows. */
int loop_os_wait(void *ctx, struct loop *l, struct epoll_event *ev, int n, int64_t timeout_ns);
/* Time until the next timer: 0 if due, -1 without one. */
int64_t loop_next_timer_ns(struct loop *l);

/* Calls c->fn this turn or the next, on this thread; list_del(&c->node) takes it back. Harmless when already deferred. */
void loop_defer(struct loop *l, struct loop_call *c);
/* A call that was never deferred must have its node initialised. */
static inline void loop_call_init(struct loop_call *c, void (*fn)(struct loop_call *))
{
	list_init(&c->node);
	c->fn = fn;
}

void fibers_init(struct loop *l);
void fibers_run(struct loop *l);
void fibers_release(struct loop *l);
void workers_init(struct loop *l);
void workers_release(struct loop *l);   /* waits for running jobs */

/* Switches stacks; returns when somebody switches back to `from`. from_dies: it never will. */
void fiber_switch(struct fiber_ctx *from, struct fiber_ctx *to, bool from_dies);
/* Prepares a fresh stack so that the first switch to ctx enters entry(). */
void fiber_ctx_make(struct fiber_ctx *ctx, char *stack_bottom, size_t bytes, void (*entry)(void));
void fiber_ctx_main(struct fiber_ctx *ctx);
void fiber_ctx_release(struct fiber_ctx *ctx);
/* First thing on a new stack. */
void fiber_ctx_entered(struct fiber_ctx *from);
