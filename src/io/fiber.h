/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fibers: code on a loop that waits for a disk, a peer or a worker and still
 * reads from top to bottom. A fiber is pinned to its loop; switching costs some
 * hundred nanoseconds; stacks are guarded and pooled. A function that may
 * suspend says so in its comment and its name ends in _wait; it must run on a
 * fiber (asserted), and nothing uncounted may be held across it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/list.h"
#include "io/loop.h"

struct fiber;

enum { FIBER_STACK_BYTES = 256 * 1024 };  /* reserved, not resident: a fiber that calls little has two or three pages */
/* Starts fn(arg) as a fiber at once (it runs until it first suspends). -EAGAIN past the loop's ceiling, -ENOMEM. name is static text. */
int fiber_start(struct loop *l, const char *name, void (*fn)(void *arg), void *arg);
/* The running fiber, NULL outside of one; and its loop. */
struct fiber *fiber_self(void);
struct loop *fiber_loop(struct fiber *f);
void fiber_set_limit(struct loop *l, unsigned most);     /* default 10,000 */
unsigned fiber_count(struct loop *l);

/* The two primitives that everything below is made of. fiber_wake may come before the suspend and is then not lost. */
void fiber_suspend_wait(void);
void fiber_wake(struct fiber *f);         /* loop thread only; the fiber runs on the next turn */

/* Lets others run if this fiber has done much without suspending; streams call it. Harmless outside of a fiber. */
void fiber_yield_wait(void);

/* Sleeps; -ECANCELED if the fiber was cancelled. */
int sleep_wait(int64_t ns);
/* Waits until fd is ready; events that are, -ETIMEDOUT, -ECANCELED. timeout_ns < 0: no end. */
int fd_wait(int fd, unsigned events, int64_t timeout_ns);
/* Asks a fiber to end: every *_wait in it returns -ECANCELED from now on, except job_wait (what must be undone still can be).
 * f must be alive: its fn has not returned. */
void fiber_cancel(struct fiber *f);
bool fiber_cancelled(const struct fiber *f);

/* --- meeting points between fibers of one loop; a zeroed one is valid as well */
struct waitq { struct list waiters; };                     /* condition without a lock: state belongs to the loop */
void waitq_init(struct waitq *q);
int waitq_wait(struct waitq *q, int64_t timeout_ns);       /* 0 woken, -ETIMEDOUT, -ECANCELED; look at your condition again */
void waitq_wake_one(struct waitq *q);
void waitq_wake_all(struct waitq *q);

struct fmutex { struct fiber *owner; struct waitq q; };    /* for sequences that must not interleave across suspends */
void fmutex_init(struct fmutex *m);
int fmutex_lock_wait(struct fmutex *m);                    /* 0 or -ECANCELED; not recursive */
void fmutex_unlock(struct fmutex *m);

/* --- workers: blocking system calls and anything over a millisecond */
/* Runs fn(arg) on a worker thread and suspends until it has returned; gives its result. The fiber's memory stays valid for it
 * (a cancel waits for the job to end). fn must not touch loop state. */
int job_wait(int (*fn)(void *arg), void *arg);
/* Without a fiber: done(arg, result) is called on the loop. Own the memory until then. */
int job_start(struct loop *l, int (*fn)(void *arg), void *arg, void (*done)(void *arg, int result));
void job_set_threads(struct loop *l, unsigned most);       /* default 4; threads start when needed and end when idle */

/* Spawns an executable and waits for its end; the wait status or -errno. Cancelling kills it. */
int child_run_wait(const struct spawn *how, struct err *e);
