// SPDX-License-Identifier: Apache-2.0
/*
 * The embedded store. Latest values live in memory, each once, as counted
 * objects; of older versions within history memory knows the revisions, and
 * their values are read from the file when somebody asks.
 *
 * One job at a time runs on a worker: a commit of all writes that queued
 * during the last one, a read of history, or a slice of compaction, in turns.
 * Memory changes on the loop, after the commit, in order of revisions;
 * whatever it needs is allocated before, so that a durable change cannot fail to show.
 *
 *   queued --(its turn; conditions hold)--> committing --ok--> visible, watches told, writer woken
 *     |                                          \--failed--> nothing changed, writer woken with the error
 *     \--(condition does not hold)--> writer woken with the conflict
 */
#include "base/assert.h"
#include "store/store_int.h"

enum { FIRST_REVISION = 1, FETCH_ROWS = 500 };

/* --- opening ---------------------------------------------------------------------- */

static int load_row(void *arg, struct store_row row)
{
	struct store *s = arg;
	struct store_object *o = row.object;
	struct store_entry *x = store_index_find(&s->index, o->key);
	bool was = x && store_entry_is_live(x), is_new = !x;

	if (is_new && !(x = calloc(1, sizeof *x))) {
		store_object_unref(o);
		return -ENOMEM;
	}
	if (is_new) {
		x->newest = o;
		if (store_index_insert(&s->index, x) < 0) {
			store_object_unref(o);
			free(x);
			return -ENOMEM;
		}
	} else {
		if (vec_push(&x->old, x->newest->value ? x->newest->revision : -x->newest->revision) < 0) {
			store_object_unref(o);
			return -ENOMEM;
		}
		store_object_unref(x->newest);
		x->newest = o;
	}
	if (was != store_entry_is_live(x))
		store_index_live(&s->index, o->key, was ? -1 : 1);
	s->revision = o->revision;
	return vec_push(&s->events, (struct store_event){ o->revision, x });
}

static void release(struct store *s)
{
	if (!s)
		return;
	timer_cancel(&s->compact_timer);
	store_disk_close(s->disk);
	store_index_release(&s->index);
	vec_release(&s->events);
	vec_release(&s->batch);
	vec_release(&s->drop);
	free(s);
}
AUTO_DEFINE(store, struct store *, release)

int store_open(struct loop *l, const struct store_options *o, struct store **ret, struct err *e)
{
	AUTO(store) struct store *s = calloc(1, sizeof *s);
	if (!s)
		return err_nomem(e);
	s->loop = l;
	s->compact_every_ns = o->compact_every_ns ? o->compact_every_ns : 300 * 1000000000LL;
	s->keep_revisions = o->keep_revisions ? o->keep_revisions : 10000;
	list_init(&s->tasks);
	list_init(&s->queued);
	list_init(&s->committing);
	list_init(&s->watches);
	list_init(&s->catchups);
	waitq_init(&s->compact_waiters);
	int r = store_disk_open(o->path, &s->disk, e);
	if (r < 0)
		return r;
	r = store_disk_load(s->disk, load_row, s, &s->compacted, e);
	if (r < 0)
		return err_prefix(e, "%s", o->path);
	/* the newest row may have been a deletion that compaction dropped */
	s->revision = MAX(s->revision, s->compacted);
	s->revision = MAX(s->revision, FIRST_REVISION);
	s->last_tick_revision = s->revision;
	while (s->events_at < s->events.n && s->events.v[s->events_at].revision <= s->compacted)
		s->events_at++;
	r = store_compact_start(s);
	if (r < 0)
		return err_nomem(e);
	*ret = take_ptr(s);
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	store_watches_end(s, -ESHUTDOWN);
	s->is_closing = true;
	while (s->is_busy)
		if (loop_run(s->loop) < 0 && s->is_busy)
			break;
	must(!s->is_busy && list_empty(&s->queued));
	release(s);
}

/* --- turns ------------------------------------------------------------------------- */

struct store_job {
	struct store *s;
	void (*done)(struct store *s, int result);
	int (*fn)(void *arg);
};

static int job_run(void *arg)
{
	struct store_job *j = arg;
	return j->fn(j->s);
}

static void job_done(void *arg, int result)
{
	struct store_job j = *(struct store_job *)arg;
	free(arg);
	j.done(j.s, result);           /* still busy: what it queues waits until all is shown */
	j.s->is_busy = false;
	store_next(j.s);
	if (j.s->is_closing && !j.s->is_busy)
		loop_stop(j.s->loop);
}

void store_job(struct store *s, int (*fn)(void *arg), void (*done)(struct store *s, int result))
{
	struct store_job *j = malloc(sizeof *j);
	int r = -ENOMEM;

	must(!s->is_busy);
	s->job_err = (struct err){ 0 };
	if (j) {
		*j = (struct store_job){ s, done, fn };
		s->is_busy = true;
		r = job_start(s->loop, job_run, j, job_done);
	}
	if (r >= 0)
		return;
	free(j);
	err_sys(&s->job_err, r, "saving to the store");
	s->is_busy = true;
	done(s, r);
	s->is_busy = false;
}

static int task_run(void *arg)
{
	struct store *s = arg;
	return s->task->run(s, s->task, &s->job_err);
}

static void task_done(struct store *s, int result)
{
	struct store_task *t = take_ptr(s->task);
	t->done(s, t, result);
}

static bool task_turn(struct store *s)
{
	if (list_empty(&s->tasks))
		return false;
	s->task = list_first(&s->tasks, struct store_task, node);
	list_del(&s->task->node);
	store_job(s, task_run, task_done);
	return true;
}

void store_next(struct store *s)
{
	static bool (*const turns[TURNS])(struct store *) = { store_write_turn, task_turn, store_compact_turn };

	for (unsigned idle = 0; !s->is_busy && idle < TURNS;) {
		enum store_turn t = s->turn;
		s->turn = (t + 1) % TURNS;
		idle = turns[t](s) ? 0 : idle + 1;
	}
}

void store_task_queue(struct store *s, struct store_task *t)
{
	list_add_tail(&s->tasks, &t->node);
	store_next(s);
}

/* --- reads ------------------------------------------------------------------------- */

int64_t store_revision(const struct store *s) { return s->revision; }
int64_t store_compacted(const struct store *s) { return s->compacted; }

int store_check_revision(const struct store *s, int64_t at, struct err *e)
{
	if (at && at < s->compacted)
		return err_set(e, ESTALE, "too old resource version: %lld (%lld)", (long long)at, (long long)s->compacted);
	if (at > s->revision)
		return err_set(e, ERANGE, "Too large resource version: %lld, current: %lld", (long long)at, (long long)s->revision);
	return 0;
}

/* Values of older versions, from the file. A zero leaves its place alone. */
struct fetch {
	struct store_task task;
	const int64_t *revisions;
	struct store_object **objects;
	size_t n, at;
	struct fiber *fiber;
	int result;
	bool is_done;
	struct err err;
};

static int fetch_run(struct store *s, struct store_task *t, struct err *e)
{
	struct fetch *f = container_of(t, struct fetch, task);
	for (int i = 0; f->at < f->n && i < FETCH_ROWS; f->at++) {
		if (!f->revisions[f->at])
			continue;
		int r = store_disk_read(s->disk, f->revisions[f->at], &f->objects[f->at], e);
		if (r < 0)
			return r;
		i++;
	}
	return 0;
}

static void fetch_done(struct store *s, struct store_task *t, int result)
{
	struct fetch *f = container_of(t, struct fetch, task);
	if (result >= 0 && f->at < f->n) {
		store_task_queue(s, t);
		return;
	}
	f->result = result;
	f->err = s->job_err;
	f->is_done = true;
	fiber_wake(f->fiber);
}

static int fetch_wait(struct store *s, const int64_t *revisions, struct store_object **objects, size_t n, int64_t at, struct err *e)
{
	struct fetch f = { .task = { .run = fetch_run, .done = fetch_done }, .revisions = revisions, .objects = objects, .n = n, .fiber = fiber_self() };
	must(f.fiber);
	if (s->is_closing)
		return err_set(e, ESHUTDOWN, "the store is closing");
	store_task_queue(s, &f.task);
	while (!f.is_done)
		fiber_suspend_wait();
	int r = store_check_revision(s, at, e);     /* compaction may have overtaken us */
	if (r == 0 && f.result < 0)
		r = err_set(e, f.result, "%s", f.err.text);
	return r;
}

/* What the entry was at a revision: nothing (0, NULL), *shared in memory, or a revision that must be fetched. */
static int64_t version_at(const struct store_entry *x, int64_t at, struct store_object **shared)
{
	*shared = NULL;
	if (!x->newest)
		return 0;
	if (!at || x->newest->revision <= at) {
		if (x->newest->value)
			*shared = x->newest;
		return 0;
	}
	size_t lo = 0, hi = x->old.n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (llabs(x->old.v[mid]) <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && x->old.v[lo - 1] > 0 ? x->old.v[lo - 1] : 0;
}

int store_get_wait(struct store *s, const char *key, int64_t at_revision, struct store_object **ret, struct err *e)
{
	struct store_object *o = NULL;
	int64_t fetch = 0;
	int r = store_check_revision(s, at_revision, e);
	if (r < 0)
		return r;
	struct store_entry *x = store_index_find(&s->index, key);
	if (x)
		fetch = version_at(x, at_revision, &o);
	if (fetch) {
		r = fetch_wait(s, &fetch, &o, 1, at_revision, e);
		if (r < 0) {
			store_object_unref(o);
			return r;
		}
	} else {
		store_object_ref(o);
	}
	if (!o)
		return err_set(e, ENOENT, "%s is not in the store", key);
	*ret = o;
	return 0;
}

void store_list_release(struct store_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		store_object_unref(l->items[i]);
	free(l->items);
	*l = (struct store_list){ 0 };
}

int64_t store_count(struct store *s, const char *prefix)
{
	return store_index_count(&s->index, store_index_seek(&s->index, prefix), store_index_behind(&s->index, prefix));
}

struct scan {
	VEC(struct store_object *) items;
	VEC(int64_t) fetch;            /* beside items */
	bool must_fetch;
	struct store_pos at, end;
};

/* Collects up to limit (0: all) versions; the rest begins at sc->at. */
static int scan(struct store *s, struct scan *sc, size_t limit, int64_t at_revision)
{
	while (store_pos_is_before(sc->at, sc->end) && (!limit || sc->items.n < limit)) {
		struct store_object *o;
		int64_t fetch = version_at(store_index_at(&s->index, sc->at), at_revision, &o);
		sc->at = store_index_next(&s->index, sc->at);
		if (!o && !fetch)
			continue;
		if (vec_reserve(&sc->items, 1) < 0 || vec_push(&sc->fetch, fetch) < 0)
			return -ENOMEM;
		sc->items.v[sc->items.n++] = store_object_ref(o);
		sc->must_fetch |= fetch != 0;
	}
	return 0;
}

/* Versions that are left at sc->at. */
static int64_t rest(struct store *s, struct scan *sc, int64_t at_revision)
{
	int64_t n = 0;
	struct store_object *o;
	if (!at_revision)
		return store_index_count(&s->index, sc->at, sc->end);
	for (; store_pos_is_before(sc->at, sc->end); sc->at = store_index_next(&s->index, sc->at))
		n += version_at(store_index_at(&s->index, sc->at), at_revision, &o) || o;
	return n;
}

int store_list_wait(struct store *s, const char *prefix, const char *from, size_t limit, int64_t at_revision, struct store_list *ret, struct err *e)
{
	struct scan sc = { 0 };
	int r = store_check_revision(s, at_revision, e);
	if (r < 0)
		return r;
	if (at_revision == s->revision)
		at_revision = 0;
	int64_t snapshot = at_revision ? at_revision : s->revision;
	sc.at = store_index_seek(&s->index, from && strcmp(from, prefix) > 0 ? from : prefix);
	sc.end = store_index_behind(&s->index, prefix);
	r = scan(s, &sc, limit, at_revision);
	int64_t remaining = r == 0 && limit ? rest(s, &sc, at_revision) : 0;
	if (r < 0)
		err_nomem(e);
	else if (sc.must_fetch)
		r = fetch_wait(s, sc.fetch.v, sc.items.v, sc.items.n, snapshot, e);
	vec_release(&sc.fetch);
	struct store_list l = { .items = sc.items.v, .n = sc.items.n, .revision = snapshot, .remaining = remaining };
	if (r < 0)
		store_list_release(&l);
	else
		*ret = l;
	return r;
}

void store_set_fault(struct store *s, int (*fault)(void *arg), void *arg)
{
	s->fault = fault;
	s->fault_arg = arg;
}

void store_set_page_limit(struct store *s, unsigned pages) { store_disk_page_limit(s->disk, pages); }
unsigned store_commits(const struct store *s) { return s->commits; }
