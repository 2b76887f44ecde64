/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress from many fibers to one client. Whoever works notes lines and never
 * waits; the caller's fiber sends them. A line not sent yet is replaced by the
 * next of the same id and status, so the queue is as short as there are ids.
 */
#pragma once
#include "base/vec.h"
#include "image/image.h"

struct progress_line {
	char *id, *status;               /* owned; id may be NULL */
	int64_t current, total;
	char *aux;                       /* JSON, or NULL */
};
struct progress {
	const struct image_progress_sink *sink;
	VEC(struct progress_line) lines;
	struct waitq q;
	struct fiber *waiter;            /* the caller's, once it was cancelled and only waits for the end */
	bool woken;
	int failed;
};

void progress_init(struct progress *p, const struct image_progress_sink *sink);
void progress_release(struct progress *p);
/* Notes a line; without memory it is left out. */
void progress_say(struct progress *p, const char *id, const char *status, int64_t current, int64_t total);
void progress_aux(struct progress *p, struct slice json);
/* Makes the caller's fiber look at its condition. */
void progress_wake(struct progress *p);
/* Sends what was noted, or waits until something is or somebody wakes. < 0: the client is gone or the fiber was cancelled. */
int progress_drain_wait(struct progress *p);
/* Sends all that was noted. */
int progress_flush_wait(struct progress *p);
