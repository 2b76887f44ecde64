// SPDX-License-Identifier: Apache-2.0
/*
 * Watches. One that asks for the past first reads it from the file in slices,
 * as tasks between commits; when it has been told everything up to now it
 * joins the list that commits tell. Both happen on the loop, so nothing falls between.
 *
 *   store_watch --(from the newest revision)--> live --(unwatch, close)--> gone
 *        \--(from an older one)--> catching up --(told = newest)--/
 *                                       \--(its history was compacted, or cannot be read)--> ended
 */
#include "base/assert.h"
#include "store/store_int.h"

enum { SLICE_ROWS = 256, SLICE_BYTES = 4 * 1024 * 1024 };

struct store_catchup {
	struct store_task task;
	struct list node;              /* in store->catchups */
	struct store_watch *watch;     /* NULL: it has left */
	char *prefix;                  /* ours: the watch may leave while the worker compares */
	int64_t after, until, upto;
	size_t n;
	struct store_row rows[SLICE_ROWS];
	struct store_object *prev[SLICE_ROWS];
};

/* --- live ------------------------------------------------------------------------------ */

/* Walks the live watches; fn may take any watch away and add new ones. */
static void each(struct store *s, void (*fn)(struct store_watch *w, void *arg), void *arg)
{
	struct list *outer = s->cursor;

	must(!outer);
	for (struct list *n = s->watches.next; n != &s->watches; n = s->cursor) {
		s->cursor = n->next;
		fn(list_entry(n, struct store_watch, node), arg);
	}
	s->cursor = NULL;
}

struct tell { struct store_object *now, *prev; };

static void tell_one(struct store_watch *w, void *arg)
{
	struct tell *t = arg;
	if (t->now->revision <= w->told)
		return;
	w->told = t->now->revision;
	if (strncmp(t->now->key, w->prefix, w->prefix_len) == 0)
		w->event(w, t->now, t->prev);
}

void store_tell(struct store *s, struct store_object *now, struct store_object *prev)
{
	struct tell t = { now, prev };
	each(s, tell_one, &t);
}

static void progress_one(struct store_watch *w, void *arg)
{
	if (w->progress)
		w->progress(w, w->told);
}

void store_tell_progress(struct store *s) { each(s, progress_one, NULL); }

static void end(struct store_watch *w, int error)
{
	void (*ended)(struct store_watch *, int) = w->ended;
	store_unwatch(w);
	if (ended)
		ended(w, error);
}

static void end_one(struct store_watch *w, void *arg) { end(w, *(int *)arg); }

void store_watches_end(struct store *s, int error)
{
	struct store_catchup *c;

	each(s, end_one, &error);
	list_each(c, &s->catchups, node)
		if (c->watch)
			end(c->watch, error);
}

/* --- history ---------------------------------------------------------------------------- */

static void rows_release(struct store_catchup *c)
{
	for (size_t i = 0; i < c->n; i++) {
		store_object_unref(c->rows[i].object);
		c->prev[i] = store_object_unref(c->prev[i]);
	}
	c->n = 0;
}

static void catchup_free(struct store_catchup *c)
{
	rows_release(c);
	list_del(&c->node);
	free(c->prefix);
	free(c);
}

static int catchup_run(struct store *s, struct store_task *t, struct err *e)
{
	struct store_catchup *c = container_of(t, struct store_catchup, task);
	int r = store_disk_range(s->disk, c->after, c->until, slice_of(c->prefix), SLICE_ROWS, SLICE_BYTES, c->rows, &c->n, &c->upto, e);

	for (size_t i = 0; r == 0 && i < c->n; i++)
		if (c->rows[i].prev)
			r = store_disk_read(s->disk, c->rows[i].prev, &c->prev[i], e);
	return r;
}

/* The one in memory, if the row is its newest version: objects are held once. */
static struct store_object *shared(struct store *s, struct store_object *o)
{
	struct store_entry *x = store_index_find(&s->index, o->key);
	return x && x->newest && x->newest->revision == o->revision ? x->newest : o;
}

static void catchup_tell(struct store *s, struct store_catchup *c)
{
	for (size_t i = 0; i < c->n && c->watch; i++) {
		struct store_object *prev = c->prev[i] && c->prev[i]->value ? c->prev[i] : NULL;
		c->watch->told = c->rows[i].object->revision;
		c->watch->event(c->watch, shared(s, c->rows[i].object), prev);
	}
	if (c->watch)
		c->watch->told = c->after = c->upto;
	rows_release(c);
}

static void catchup_done(struct store *s, struct store_task *t, int result)
{
	struct store_catchup *c = container_of(t, struct store_catchup, task);

	/* what was read may have lost rows to a compaction that began since */
	if (c->watch && (result < 0 || c->after < s->compacted))
		end(c->watch, c->after < s->compacted ? -ESTALE : result);
	if (c->watch)
		catchup_tell(s, c);
	if (!c->watch) {
		catchup_free(c);
		return;
	}
	if (c->after < s->revision) {
		c->until = s->revision;
		store_task_queue(s, t);
		return;
	}
	struct store_watch *w = c->watch;
	w->catchup = NULL;
	catchup_free(c);
	list_add_tail(&s->watches, &w->node);
	if (w->progress)
		w->progress(w, w->told);
}

static int catchup_start(struct store *s, struct store_watch *w, struct err *e)
{
	struct store_catchup *c = calloc(1, sizeof *c);
	if (!c || !(c->prefix = slice_dup(slice_of(w->prefix)))) {
		free(c);
		return err_nomem(e);
	}
	c->task = (struct store_task){ .run = catchup_run, .done = catchup_done };
	c->watch = w;
	c->after = w->told;
	c->until = s->revision;
	w->catchup = c;
	list_add_tail(&s->catchups, &c->node);
	store_task_queue(s, &c->task);
	return 0;
}

/* --- the calls --------------------------------------------------------------------------- */

int store_watch(struct store *s, struct store_watch *w, const char *prefix, int64_t from_revision, struct err *e)
{
	if (s->is_closing)
		return err_set(e, ESHUTDOWN, "the store is closing");
	if (from_revision < s->compacted)
		return err_set(e, ESTALE, "too old resource version: %lld (%lld)", (long long)from_revision, (long long)s->compacted);
	list_init(&w->node);
	w->store = s;
	w->prefix = prefix;
	w->prefix_len = strlen(prefix);
	w->told = from_revision;
	w->catchup = NULL;
	if (from_revision < s->revision) {
		int r = catchup_start(s, w, e);
		if (r < 0)
			w->store = NULL;
		return r;
	}
	list_add_tail(&s->watches, &w->node);
	return 0;
}

void store_unwatch(struct store_watch *w)
{
	if (!w->store)
		return;
	if (w->store->cursor == &w->node)
		w->store->cursor = w->node.next;
	if (w->catchup)
		w->catchup->watch = NULL;
	w->catchup = NULL;
	list_del(&w->node);
	w->store = NULL;
}
