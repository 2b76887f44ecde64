// SPDX-License-Identifier: Apache-2.0
/*
 * Fibers' lives.
 *
 *   start ──▶ running ──suspend──▶ suspended ──wake──▶ queued ──▶ running …
 *                └──fn returns──▶ gone, its stack back in the pool
 *
 * Whoever resumes a fiber (the loop, or a fiber that starts another) gets
 * control back when it suspends or ends; so stacks of resumers nest and the
 * loop is always at the bottom. The struct lives at the top of its own stack:
 * one mapping is all that a fiber costs.
 */
#include "io/loop_int.h"
#include <errno.h>
#include <sys/mman.h>
#include "base/assert.h"

enum { GUARD_BYTES = 64 * 1024, BUDGET = 64 };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STACK_BYTES = 4 * FIBER_STACK_BYTES };     /* instrumented frames are several times as large */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { STACK_BYTES = 4 * FIBER_STACK_BYTES };
#else
enum { STACK_BYTES = FIBER_STACK_BYTES };
#endif
#else
enum { STACK_BYTES = FIBER_STACK_BYTES };
#endif

/* Which fiber runs on this thread: the one thing that cannot be passed as a parameter through code that suspends. */
static __thread struct fiber *self;

void fibers_init(struct loop *l)
{
	list_init(&l->fibers);
	list_init(&l->runnable);
	l->fiber_limit = 10000;
}

static char *stack_get(struct loop *l)
{
	char *p;

	if (l->n_pool)
		return l->pool[--l->n_pool];
	p = mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (mprotect(p + GUARD_BYTES, STACK_BYTES, PROT_READ | PROT_WRITE) < 0) {
		munmap(p, GUARD_BYTES + STACK_BYTES);
		return NULL;
	}
	return p;
}

static void stack_put(struct loop *l, char *p)
{
	if (l->n_pool < STACK_POOL_MAX)
		l->pool[l->n_pool++] = p;
	else
		munmap(p, GUARD_BYTES + STACK_BYTES);
}

void fibers_release(struct loop *l)
{
	struct fiber *f;

	/* Fibers that never ended: what their frames held is lost, their stacks are not. */
	list_each(f, &l->fibers, all_node) {
		fiber_ctx_release(&f->ctx);
		munmap(f->stack, GUARD_BYTES + STACK_BYTES);
	}
	while (l->n_pool)
		munmap(l->pool[--l->n_pool], GUARD_BYTES + STACK_BYTES);
}

static void resume(struct fiber *f)
{
	struct fiber *before = self;
	struct fiber_ctx *back = before ? &before->ctx : &f->loop->main_ctx;

	f->suspended = false;
	f->budget = 0;
	f->resumer = back;
	self = f;
	fiber_switch(back, &f->ctx, false);
	self = before;
	if (f->done) {
		struct loop *l = f->loop;

		list_del(&f->all_node);
		l->n_fibers--;
		fiber_ctx_release(&f->ctx);
		stack_put(l, f->stack);
	}
}

static void fiber_main(void)
{
	struct fiber *f = self;

	fiber_ctx_entered(f->resumer);
	f->fn(f->arg);
	f->done = true;
	fiber_switch(&f->ctx, f->resumer, true);
	must(!"a finished fiber was resumed");
}

int fiber_start(struct loop *l, const char *name, void (*fn)(void *arg), void *arg)
{
	char *stack;
	struct fiber *f;
	size_t room = (sizeof *f + 63) & ~(size_t)63;

	if (l->n_fibers >= l->fiber_limit)
		return -EAGAIN;
	stack = stack_get(l);
	if (!stack)
		return -ENOMEM;
	f = (struct fiber *)(stack + GUARD_BYTES + STACK_BYTES - room);
	*f = (struct fiber){ .loop = l, .name = name, .fn = fn, .arg = arg, .stack = stack };
	fiber_ctx_make(&f->ctx, stack + GUARD_BYTES, STACK_BYTES - room, fiber_main);
	list_init(&f->run_node);
	list_add_tail(&l->fibers, &f->all_node);
	l->n_fibers++;
	resume(f);
	return 0;
}

void fibers_run(struct loop *l)
{
	/* Those woken meanwhile run on the next turn, so that descriptors and timers get theirs. */
	for (unsigned n = l->n_runnable; n > 0; n--) {
		struct fiber *f = list_first(&l->runnable, struct fiber, run_node);

		list_del(&f->run_node);
		l->n_runnable--;
		f->queued = false;
		resume(f);
	}
}

struct fiber *fiber_self(void) { return self; }
struct loop *fiber_loop(struct fiber *f) { return f->loop; }
void fiber_set_limit(struct loop *l, unsigned most) { l->fiber_limit = most; }
unsigned fiber_count(struct loop *l) { return l->n_fibers; }
bool fiber_cancelled(const struct fiber *f) { return f->cancelled; }

void fiber_suspend_wait(void)
{
	struct fiber *f = self;

	must(f);
	if (f->wake_pending) {
		f->wake_pending = false;
		return;
	}
	f->suspended = true;
	fiber_switch(&f->ctx, f->resumer, false);
}

void fiber_wake(struct fiber *f)
{
	if (f->queued) {
		f->wake_pending |= f->yielding;
		return;
	}
	if (!f->suspended) {
		f->wake_pending = true;
		return;
	}
	f->queued = true;
	list_add_tail(&f->loop->runnable, &f->run_node);
	f->loop->n_runnable++;
}

void fiber_cancel(struct fiber *f)
{
	f->cancelled = true;
	fiber_wake(f);
}

void fiber_yield_wait(void)
{
	struct fiber *f = self;

	if (!f || f->budget++ < BUDGET)
		return;
	f->suspended = f->queued = f->yielding = true;
	list_add_tail(&f->loop->runnable, &f->run_node);
	f->loop->n_runnable++;
	fiber_switch(&f->ctx, f->resumer, false);
	f->yielding = false;
}
