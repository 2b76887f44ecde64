// SPDX-License-Identifier: Apache-2.0
/*
 * Writes. A turn plans a batch on the loop: conditions are checked against
 * what is durable, so a conflict that is reported is a fact; a second write to
 * a key that the batch already changes stays for the next one.
 */
#include "base/assert.h"
#include "store/store_int.h"

enum { BATCH_MAX = 1024, BATCH_BYTES = 16 * 1024 * 1024 };

enum write_kind { WRITE_CREATE, WRITE_UPDATE, WRITE_DELETE };
struct store_write {
	struct list node;
	enum write_kind kind;
	struct store_object *object;   /* what is written; ours until it is visible */
	int64_t if_revision;
	bool wants_result;
	struct store_entry *entry;
	struct store_object *result_object;    /* for the caller */
	struct store_object *current;          /* of a conflict */
	struct fiber *fiber;
	int result;
	bool is_done;
	struct err err;
};

static void finish(struct store_write *w, int result)
{
	list_del(&w->node);
	w->result = result;
	w->is_done = true;
	fiber_wake(w->fiber);
}

/* --- planning ----------------------------------------------------------------------- */

/* 1: goes into the batch; 0: nothing to do, done; -errno. */
static int check(struct store_write *w, const struct store_entry *x)
{
	const char *key = w->object->key;
	bool live = x && store_entry_is_live(x);

	if (w->kind == WRITE_CREATE) {
		if (!live)
			return 1;
		w->current = store_object_ref(x->newest);
		return err_set(&w->err, EEXIST, "%s already exists", key);
	}
	if (!live)
		return err_set(&w->err, ENOENT, "%s is not in the store", key);
	if (w->if_revision && w->if_revision != x->newest->revision) {
		w->current = store_object_ref(x->newest);
		return err_set(&w->err, EBUSY, "%s has changed: it is at revision %lld, not %lld", key, (long long)x->newest->revision, (long long)w->if_revision);
	}
	if (w->kind == WRITE_UPDATE && x->newest->value_len == w->object->value_len && memcmp(x->newest->value, w->object->value, w->object->value_len) == 0) {
		w->result_object = store_object_ref(x->newest);
		return 0;
	}
	return 1;
}

/* Everything that showing the change will need. */
static int prepare(struct store *s, struct store_write *w, struct store_entry *x, int64_t revision)
{
	struct store_object *o = w->object;
	bool is_new = !x;

	o->revision = revision;
	o->create_revision = w->kind == WRITE_CREATE ? revision : x->newest->create_revision;
	if (vec_reserve(&s->batch, 1) < 0 || vec_reserve(&s->events, s->batch.n + 1) < 0 || (x && vec_reserve(&x->old, 1) < 0))
		return -ENOMEM;
	if (w->kind == WRITE_DELETE && w->wants_result) {
		const struct store_object *last = x->newest;
		w->result_object = store_object_new(last->key, last->key_len, last->value, last->value_len, last->create_revision, revision);
		if (!w->result_object)
			return -ENOMEM;
	}
	if (is_new && !(x = calloc(1, sizeof *x)))
		return -ENOMEM;
	x->pending = o;
	if (is_new && store_index_insert(&s->index, x) < 0) {
		free(x);
		return -ENOMEM;
	}
	w->entry = x;
	s->batch.v[s->batch.n++] = (struct store_change){ store_object_ref(o), x->newest && x->newest->value ? x->newest->revision : 0 };
	return 0;
}

static void plan(struct store *s)
{
	struct store_write *w;
	int64_t revision = s->revision;
	size_t bytes = 0;

	list_each(w, &s->queued, node) {
		struct store_entry *x = store_index_find(&s->index, w->object->key);
		if (x && x->pending)
			continue;
		if (s->batch.n >= BATCH_MAX || bytes >= BATCH_BYTES)
			break;
		int r = check(w, x);
		if (r == 1 && (r = prepare(s, w, x, revision + 1)) < 0)
			err_nomem(&w->err);
		if (!w->entry) {
			finish(w, r);
			continue;
		}
		revision++;
		bytes += w->object->value_len;
		list_del(&w->node);
		list_add_tail(&s->committing, &w->node);
	}
}

/* --- the commit ----------------------------------------------------------------------- */

static int commit_run(void *arg)
{
	struct store *s = arg;
	return store_disk_write(s->disk, s->batch.v, s->batch.n, s->fault, s->fault_arg, &s->job_err);
}

/* Makes a durable change visible and tells it. */
static void show(struct store *s, struct store_entry *x)
{
	struct store_object *prev = x->newest, *now = take_ptr(x->pending);
	bool was = store_entry_is_live(x);

	if (prev) {
		must(x->old.n < x->old.cap);
		x->old.v[x->old.n++] = prev->value ? prev->revision : -prev->revision;
	}
	x->newest = now;
	if (was != store_entry_is_live(x))
		store_index_live(&s->index, now->key, was ? -1 : 1);
	must(s->events.n < s->events.cap);
	s->events.v[s->events.n++] = (struct store_event){ now->revision, x };
	s->revision = now->revision;
	store_object_ref(now);
	store_tell(s, now, prev && prev->value ? prev : NULL);
	store_object_unref(now);
	store_object_unref(prev);
}

static void undo(struct store *s, struct store_write *w)
{
	w->err = s->job_err;
	w->result_object = store_object_unref(w->result_object);
	if (w->entry->newest) {
		w->entry->pending = store_object_unref(w->object);
	} else {
		store_index_remove(&s->index, w->entry);   /* and with it the object */
	}
	w->object = NULL;
}

static void commit_done(struct store *s, int result)
{
	struct store_write *w;

	for (size_t i = 0; i < s->batch.n; i++)
		store_object_unref(s->batch.v[i].object);
	s->batch.n = 0;
	s->commits++;
	list_each(w, &s->committing, node) {
		if (result < 0) {
			undo(s, w);
		} else {
			if (w->kind != WRITE_DELETE && w->wants_result)
				w->result_object = store_object_ref(w->object);
			w->object = NULL;
			show(s, w->entry);
		}
		finish(w, result);
	}
	if (result >= 0)
		store_tell_progress(s);
}

bool store_write_turn(struct store *s)
{
	if (list_empty(&s->queued))
		return false;
	plan(s);
	if (s->batch.n == 0)
		return false;
	store_job(s, commit_run, commit_done);
	return true;
}

/* --- the calls -------------------------------------------------------------------------- */

static int write_wait(struct store *s, enum write_kind kind, const char *key, struct slice value, int64_t if_revision, struct store_object **ret,
	struct store_object **ret_current, struct err *e)
{
	size_t n = strlen(key);
	struct store_write w = { .kind = kind, .if_revision = if_revision, .wants_result = ret != NULL, .fiber = fiber_self() };

	must(w.fiber);
	if (s->is_closing)
		return err_set(e, ESHUTDOWN, "the store is closing");
	if (n == 0)
		return err_set(e, EINVAL, "a key of no bytes cannot be stored");
	if (n > STORE_KEY_MAX || value.len > STORE_VALUE_MAX)
		return err_set(e, EMSGSIZE, "%.100s: a key of %zu and a value of %zu bytes are too large to store", key, n, value.len);
	w.object = store_object_new(key, n, kind == WRITE_DELETE ? NULL : value.ptr ? value.ptr : "", value.len, 0, 0);
	if (!w.object)
		return err_nomem(e);
	list_add_tail(&s->queued, &w.node);
	store_next(s);
	while (!w.is_done)
		fiber_suspend_wait();
	store_object_unref(w.object);
	if (w.result >= 0 && ret)
		*ret = take_ptr(w.result_object);
	if (w.result < 0 && w.current && ret_current)
		*ret_current = take_ptr(w.current);
	store_object_unref(w.result_object);
	store_object_unref(w.current);
	return w.result < 0 ? err_set(e, w.result, "%s", w.err.text) : 0;
}

int store_create_wait(struct store *s, const char *key, struct slice value, struct store_object **ret, struct err *e)
{
	return write_wait(s, WRITE_CREATE, key, value, 0, ret, NULL, e);
}

int store_update_wait(struct store *s, const char *key, struct slice value, int64_t if_revision, struct store_object **ret, struct store_object **ret_current,
	struct err *e)
{
	return write_wait(s, WRITE_UPDATE, key, value, if_revision, ret, ret_current, e);
}

int store_delete_wait(struct store *s, const char *key, int64_t if_revision, struct store_object **ret, struct store_object **ret_current, struct err *e)
{
	return write_wait(s, WRITE_DELETE, key, (struct slice){ NULL, 0 }, if_revision, ret, ret_current, e);
}
