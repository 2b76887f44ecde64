// SPDX-License-Identifier: Apache-2.0
/*
 * Compaction. History before a revision goes: versions that were superseded at
 * or before it, and deletions themselves. Reads and watches are refused from
 * the moment it is decided; rows are deleted in slices between commits, each
 * of which notes how far it came. A slice that fails is tried again by the next timer or call.
 */
#include "base/assert.h"
#include "store/store_int.h"

enum { SLICE_EVENTS = 512 };

static bool is_left(const struct store *s)
{
	return s->events_at < s->events.n && s->events.v[s->events_at].revision <= s->compacted;
}

/* How many versions of x are older than the event at revision, and so superseded by it. */
static size_t older(const struct store_entry *x, int64_t revision)
{
	size_t lo = 0, hi = x->old.n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (llabs(x->old.v[mid]) < revision)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The event was a deletion that something newer has superseded. */
static bool is_old_deletion(const struct store_entry *x, size_t at, int64_t revision) { return at < x->old.n && x->old.v[at] == -revision; }

static bool newest_is_doomed(const struct store_entry *x, int64_t revision) { return x->newest->revision == revision && !x->newest->value; }

static int collect(struct store *s)
{
	s->drop.n = s->drop_events = 0;
	for (size_t i = s->events_at; i < s->events.n && s->drop_events < SLICE_EVENTS; i++, s->drop_events++) {
		const struct store_event *ev = &s->events.v[i];
		if (ev->revision > s->compacted)
			break;
		size_t n = older(ev->entry, ev->revision);
		if (vec_reserve(&s->drop, 2) < 0)
			return -ENOMEM;
		if (n)                 /* those before it fell with its own event */
			s->drop.v[s->drop.n++] = llabs(ev->entry->old.v[n - 1]);
		if (is_old_deletion(ev->entry, n, ev->revision) || newest_is_doomed(ev->entry, ev->revision))
			s->drop.v[s->drop.n++] = ev->revision;
	}
	return 0;
}

static int slice_run(void *arg)
{
	struct store *s = arg;
	int64_t upto = s->events.v[s->events_at + s->drop_events - 1].revision;
	return store_disk_drop(s->disk, s->drop.v, s->drop.n, upto, s->fault, s->fault_arg, &s->job_err);
}

static void forget(struct store *s, const struct store_event *ev)
{
	size_t n = older(ev->entry, ev->revision);
	n += is_old_deletion(ev->entry, n, ev->revision);
	if (newest_is_doomed(ev->entry, ev->revision)) {
		store_index_remove(&s->index, ev->entry);
		return;
	}
	if (ev->entry->old.n > n)
		memmove(ev->entry->old.v, ev->entry->old.v + n, (ev->entry->old.n - n) * sizeof(int64_t));
	ev->entry->old.n -= n;
	if (ev->entry->old.n == 0)
		vec_release(&ev->entry->old);
}

static void slice_done(struct store *s, int result)
{
	if (result < 0) {
		s->compaction_failed = true;
		s->compact_err = s->job_err;
		waitq_wake_all(&s->compact_waiters);
		return;
	}
	for (size_t i = 0; i < s->drop_events; i++)
		forget(s, &s->events.v[s->events_at++]);
	if (s->events_at > s->events.n / 2) {
		memmove(s->events.v, s->events.v + s->events_at, (s->events.n - s->events_at) * sizeof s->events.v[0]);
		s->events.n -= s->events_at;
		s->events_at = 0;
	}
	if (!is_left(s))
		waitq_wake_all(&s->compact_waiters);
}

bool store_compact_turn(struct store *s)
{
	if (!is_left(s) || s->compaction_failed || s->is_closing)
		return false;
	if (collect(s) < 0) {
		s->compaction_failed = true;
		err_nomem(&s->compact_err);
		waitq_wake_all(&s->compact_waiters);
		return false;
	}
	store_job(s, slice_run, slice_done);
	return true;
}

static void compact(struct store *s, int64_t revision)
{
	s->compacted = MAX(s->compacted, MIN(revision, s->revision));
	s->compaction_failed = false;
	store_next(s);
}

int store_compact_wait(struct store *s, int64_t revision, struct err *e)
{
	if (revision > s->revision)
		return err_set(e, ERANGE, "cannot compact at revision %lld, the newest is %lld", (long long)revision, (long long)s->revision);
	compact(s, revision);
	while (is_left(s) && !s->compaction_failed && s->events.v[s->events_at].revision <= revision) {
		int r = waitq_wait(&s->compact_waiters, -1);
		if (r < 0)
			return err_sys(e, r, "compacting the store");
	}
	return s->compaction_failed && is_left(s) ? err_set(e, s->compact_err.code, "%s", s->compact_err.text) : 0;
}

static void tick(struct timer *t)
{
	struct store *s = container_of(t, struct store, compact_timer);
	int64_t target = MIN(s->last_tick_revision, s->revision - s->keep_revisions);

	s->last_tick_revision = s->revision;
	store_compact_start(s);
	if (target > s->compacted || is_left(s))
		compact(s, target);
}

int store_compact_start(struct store *s) { return timer_set(s->loop, &s->compact_timer, s->compact_every_ns, tick); }
