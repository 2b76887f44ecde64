/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the Kubernetes store and their tests share.
 *
 *   store.c    opening, closing, reads, turns of the committer
 *   write.c    creates, updates, deletes: planned on the loop, committed on a worker
 *   watch.c    telling watches, from history first
 *   compact.c  dropping history
 *   disk.c     SQLite; only ever one job at a time touches it
 */
#pragma once
#include "base/vec.h"
#include "io/loop.h"
#include "store/index.h"

enum { STORE_KEY_MAX = 1024, STORE_VALUE_MAX = 1536 * 1024 };

/* --- disk.c: on a worker, except open and close. One table:
 * log(revision, key, created, prev, value): value NULL is a deletion, prev the revision of the value it replaced or 0 (a deletion may
 * be compacted away, so nothing refers to one). */
struct store_disk;
/* One row as read; the object is the callee's. */
struct store_row { struct store_object *object; int64_t prev; };
int store_disk_open(const char *path, struct store_disk **ret, struct err *e);
void store_disk_close(struct store_disk *d);
/* Every row in order of revisions; *compacted is what the file says. */
int store_disk_load(struct store_disk *d, int (*fn)(void *arg, struct store_row row), void *arg, int64_t *compacted, struct err *e);
struct store_change { struct store_object *object; int64_t prev; };
/* All or none, synced. fault (may be NULL) is asked just before the commit. */
int store_disk_write(struct store_disk *d, const struct store_change *v, size_t n, int (*fault)(void *), void *fault_arg, struct err *e);
/* The version that was written as `revision`; -ENOENT. */
int store_disk_read(struct store_disk *d, int64_t revision, struct store_object **ret, struct err *e);
/*
 * Rows in (after, until] whose key has the prefix, at most max of them or
 * max_bytes of values, at most 16 * max rows looked at; *upto is the last
 * revision that was looked at (until when there are no more).
 */
int store_disk_range(struct store_disk *d, int64_t after, int64_t until, struct slice prefix, size_t max, size_t max_bytes, struct store_row *rows,
	size_t *n, int64_t *upto, struct err *e);
/* Deletes rows and notes that history begins at `compacted`, in one commit. */
int store_disk_drop(struct store_disk *d, const int64_t *revisions, size_t n, int64_t compacted, int (*fault)(void *), void *fault_arg, struct err *e);
void store_disk_page_limit(struct store_disk *d, unsigned pages);

struct store_object *store_object_new(const char *key, size_t key_len, const void *value, size_t value_len, int64_t created, int64_t revision);

/* --- one job at a time. Work that is ready takes turns: a commit, a read of history, a slice of compaction. */
struct store_task {
	struct list node;
	int (*run)(struct store *s, struct store_task *t, struct err *e);       /* on the worker */
	void (*done)(struct store *s, struct store_task *t, int result);        /* on the loop; may queue it again or free it */
};
enum store_turn { TURN_WRITE, TURN_TASK, TURN_COMPACT, TURNS };

struct store_event { int64_t revision; struct store_entry *entry; };

struct store {
	struct loop *loop;
	struct store_disk *disk;
	struct store_index index;
	int64_t revision;              /* newest that is durable and visible */
	int64_t compacted;             /* history begins here */
	VEC(struct store_event) events;   /* history not yet dropped, by revision; those before events_at are gone */
	size_t events_at;

	enum store_turn turn;
	bool is_busy, is_closing;
	struct store_task *task;       /* that runs now */
	struct err job_err;            /* the running job's */
	struct list tasks;             /* struct store_task */

	struct list queued, committing;   /* struct store_write */
	VEC(struct store_change) batch;
	unsigned commits;

	struct list watches;           /* those that have been told everything */
	struct list catchups;          /* struct store_catchup */
	struct list *cursor;           /* next watch to tell */

	VEC(int64_t) drop;             /* rows of the running slice */
	size_t drop_events;
	bool compaction_failed;
	struct err compact_err;
	struct waitq compact_waiters;
	struct timer compact_timer;
	int64_t compact_every_ns, keep_revisions, last_tick_revision;

	int (*fault)(void *arg);
	void *fault_arg;
};

void store_next(struct store *s);                            /* starts the next job if none runs */
void store_task_queue(struct store *s, struct store_task *t);
/* Each turn: false if there is nothing to do; else the job has been started (or has failed and was finished). */
bool store_write_turn(struct store *s);
bool store_compact_turn(struct store *s);
/* Runs fn(s) on the worker, then done(s, result), then the next turn. */
void store_job(struct store *s, int (*fn)(void *arg), void (*done)(struct store *s, int result));
void store_tell(struct store *s, struct store_object *now, struct store_object *prev);
void store_tell_progress(struct store *s);
void store_watches_end(struct store *s, int error);
int store_compact_start(struct store *s);                    /* the timer */
int store_check_revision(const struct store *s, int64_t at, struct err *e);

/* Test seams: called on the worker just before each commit, < 0 fails it with that errno; the file cannot grow past so many pages. */
void store_set_fault(struct store *s, int (*fault)(void *arg), void *arg);
void store_set_page_limit(struct store *s, unsigned pages);
unsigned store_commits(const struct store *s);
