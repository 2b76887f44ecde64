/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: descriptors, timers, deferred calls, children and workers of
 * one thread, on epoll. A loop owns the state of everything that runs on it;
 * nothing here may be called from another thread except loop_post.
 *
 * The kernel side is a seam (struct loop_os): the simulation replaces clock
 * and waiting, so that tests run without sleeping. See io/sim.h.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/heap.h"
#include "base/list.h"

struct loop;

/* One loop a thread. Ignores SIGPIPE in this process: a peer that left is -EPIPE. */
int loop_new(struct loop **ret, struct err *e);
/* Waits for running jobs; descriptors and children stay their owners' business. Not while it runs. */
void loop_free(struct loop *l);
/* Runs until loop_stop; 0 or -errno. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* Time as of this turn of the loop. */
int64_t loop_monotonic_ns(struct loop *l);
int64_t loop_realtime_ns(struct loop *l);
/* Calls fn(arg) on the loop soon; any thread. Never fails (queue nodes come with the caller). */
struct loop_call {
	struct list node;
	void (*fn)(struct loop_call *c);
};
void loop_post(struct loop *l, struct loop_call *c);

/* --- descriptors: level-triggered, callback style. Most code uses streams or fd_wait instead.
 * One watch a descriptor (-EEXIST); regular files cannot be watched (-EPERM), they are always ready.
 * ready may delete its own watch or any other. WATCH_HANGUP: the peer has closed, or closed its writing half. */
enum { WATCH_READ = 1, WATCH_WRITE = 4, WATCH_HANGUP = 16, WATCH_EDGE = 32 /* only changes are reported */ };
struct watch {
	struct loop *loop;
	int fd;
	unsigned events;               /* what is asked for; 0 = parked */
	void (*ready)(struct watch *w, unsigned events);
};
int watch_add(struct loop *l, struct watch *w, int fd, unsigned events, void (*ready)(struct watch *, unsigned));
int watch_set(struct watch *w, unsigned events);
void watch_del(struct watch *w);        /* harmless twice; does not close fd */

/* --- timers */
struct timer {
	struct heap_node node;
	struct loop *loop;
	void (*fire)(struct timer *t);
};
int timer_set(struct loop *l, struct timer *t, int64_t after_ns, void (*fire)(struct timer *));  /* sets again if set */
void timer_cancel(struct timer *t);     /* harmless when not set; a zeroed timer is not set */

/* --- children, by pidfd */
struct child {
	struct watch watch;
	pid_t pid;
	int pidfd;
	void (*exited)(struct child *c, int wait_status);   /* status as of waitpid; the child is reaped */
};
struct spawn {
	const char *path;
	const char *const *argv;
	const char *const *envp;       /* NULL: the minimum (PATH) */
	const int *fds;                /* fds[i] becomes descriptor i in the child; -1: /dev/null */
	unsigned n_fds;                /* missing ones of 0..2 are /dev/null; all other descriptors are closed */
	uid_t uid;                     /* 0: keep; otherwise drops to this user and group, no supplementary groups */
	gid_t gid;
	bool new_session;
	const char *cwd;
};
/* Starts an executable (vfork-like, cheap with a large parent). exited is called once. 0 or -errno (exec's errno included). */
int child_spawn(struct loop *l, struct child *c, const struct spawn *how, void (*exited)(struct child *, int), struct err *e);
void child_kill(struct child *c, int signal);
/* Stops watching without killing; the child is reaped by nobody here (its pidfd is closed). */
void child_forget(struct child *c);

/* --- signals of this process, as events */
/* Blocks the signal in this thread (call it before other threads start) and calls fn on the loop; several fn for one signal all run. */
int loop_signal(struct loop *l, int signal, void (*fn)(void *arg, int signal), void *arg);
