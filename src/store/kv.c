/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv over SQLite: one table, write-ahead log, synced at every commit, and a
 * sorted copy in memory that all reads come from.
 *
 * Writers queue a batch and suspend. One commit runs at a time, as a worker
 * job, over everything that was queued when it started; what comes meanwhile
 * shares the next one. Memory changes only after the commit, on the loop, in
 * queue order; everything it needs is allocated before, so that a durable
 * change cannot fail to show. A failed commit fails its whole group.
 *
 *   queued --(committer free)--> committing --ok--> memory changed, writer woken
 *                                     \--failed--> rolled back, writer woken with the error
 *
 * The file is locked while open, so two engines never share a folder.
 */
#include "store/kv_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/auto.h"
#include "base/list.h"
#include "base/vec.h"
#include "store/sqlite.h"

struct kv_entry {
	char *value;
	size_t len;
	char key[];
};

struct kv_batch {
	struct list node;
	const struct kv_change *changes;
	struct kv_entry **entries;   /* what memory will hold; NULL for deletes */
	size_t n;
	struct fiber *fiber;
	bool is_done;
	int result;
	struct err err;
};

struct kv {
	struct loop *loop;
	sqlite3 *db;
	sqlite3_stmt *put, *del;
	VEC(struct kv_entry *) entries;   /* sorted by key */
	size_t reserved;                  /* room promised to batches under way */
	struct list queued, committing;
	bool is_committing;
	unsigned commits;
	int (*fault)(void *arg);
	void *fault_arg;
	struct err commit_err;            /* the running job's */
};

static int kv_fail(struct kv *kv, int rc, struct err *e, const char *what) { return sqlite_fail(kv->db, rc, e, what); }

static void kv_entry_free(struct kv_entry *x)
{
	if (x)
		free(x->value);
	free(x);
}

static struct kv_entry *kv_entry_new(const char *key, struct slice value)
{
	size_t n = strlen(key);
	struct kv_entry *x = malloc(sizeof *x + n + 1);
	if (!x)
		return NULL;
	x->value = slice_dup(value);
	x->len = value.len;
	memcpy(x->key, key, n + 1);
	if (!x->value) {
		free(x);
		return NULL;
	}
	return x;
}

/* First position whose key is >= key. */
static size_t kv_find(const struct kv *kv, const char *key, bool *found)
{
	size_t lo = 0, hi = kv->entries.n;
	*found = false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(kv->entries.v[mid]->key, key);
		if (c == 0) {
			*found = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Puts x (taken) or removes the key; room was reserved. */
static void kv_memory_set(struct kv *kv, const char *key, struct kv_entry *x)
{
	bool found;
	size_t i = kv_find(kv, key, &found);
	if (found) {
		kv_entry_free(kv->entries.v[i]);
		if (x)
			kv->entries.v[i] = x;
		else
			vec_remove(&kv->entries, i);
		return;
	}
	if (!x)
		return;
	must(kv->entries.n < kv->entries.cap);
	memmove(&kv->entries.v[i + 1], &kv->entries.v[i], (kv->entries.n - i) * sizeof kv->entries.v[0]);
	kv->entries.v[i] = x;
	kv->entries.n++;
}

static int kv_load(struct kv *kv, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(kv->db, "SELECT key, value FROM kv ORDER BY key", -1, &st, NULL);
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(st);
		if (rc != SQLITE_ROW)
			break;
		const char *key = (const char *)sqlite3_column_text(st, 0);
		const void *value = sqlite3_column_blob(st, 1);
		struct kv_entry *x = key ? kv_entry_new(key, slice_n(value, sqlite3_column_bytes(st, 1))) : NULL;
		if (!x || vec_push(&kv->entries, x) < 0) {
			kv_entry_free(x);
			rc = SQLITE_NOMEM;
		}
	}
	int r = rc == SQLITE_DONE ? 0 : kv_fail(kv, rc, e, "reading the state");
	sqlite3_finalize(st);
	return r;
}

static int kv_exec(struct kv *kv, const char *sql, struct err *e) { return sqlite_run(kv->db, sql, e); }

static void kv_release(struct kv *kv)
{
	if (!kv)
		return;
	sqlite3_finalize(kv->put);
	sqlite3_finalize(kv->del);
	sqlite3_close(kv->db);
	for (size_t i = 0; i < kv->entries.n; i++)
		kv_entry_free(kv->entries.v[i]);
	vec_release(&kv->entries);
	free(kv);
}
AUTO_DEFINE(kv_release, struct kv *, kv_release)

int kv_open(struct loop *l, const char *path, struct kv **ret, struct err *e)
{
	AUTO(kv_release) struct kv *kv = calloc(1, sizeof *kv);
	if (!kv)
		return err_nomem(e);
	kv->loop = l;
	list_init(&kv->queued);
	list_init(&kv->committing);
	int rc = sqlite3_open_v2(path, &kv->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL);
	if (rc != SQLITE_OK) {
		kv_fail(kv, rc, e, "opening");
		return err_prefix(e, "%s", path);
	}
	static const char *const setup[] = {
		"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA cache_size=-512",
		"CREATE TABLE IF NOT EXISTS kv(key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID",
		"BEGIN EXCLUSIVE; COMMIT",
	};
	for (size_t i = 0; i < ARRAY_LEN(setup); i++) {
		int r = kv_exec(kv, setup[i], e);
		if (r < 0)
			return err_prefix(e, "%s", path);
	}
	rc = sqlite3_prepare_v3(kv->db, "INSERT OR REPLACE INTO kv(key, value) VALUES(?1, ?2)", -1, SQLITE_PREPARE_PERSISTENT, &kv->put, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v3(kv->db, "DELETE FROM kv WHERE key = ?1", -1, SQLITE_PREPARE_PERSISTENT, &kv->del, NULL);
	if (rc != SQLITE_OK) {
		kv_fail(kv, rc, e, "preparing");
		return err_prefix(e, "%s", path);
	}
	int r = kv_load(kv, e);
	if (r < 0)
		return err_prefix(e, "%s", path);
	*ret = take_ptr(kv);
	return 0;
}

/* --- the commit, on a worker ------------------------------------------------- */

static int kv_write_change(struct kv *kv, const struct kv_change *c)
{
	sqlite3_stmt *st = c->value.ptr ? kv->put : kv->del;
	int rc = sqlite3_bind_text(st, 1, c->key, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK && c->value.ptr)
		rc = sqlite3_bind_blob64(st, 2, c->value.ptr, c->value.len, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int kv_commit_all(struct kv *kv, struct err *e)
{
	int r = kv_exec(kv, "BEGIN IMMEDIATE", e);
	if (r < 0)
		return r;
	struct kv_batch *b;
	list_each(b, &kv->committing, node)
		for (size_t i = 0; i < b->n; i++) {
			int rc = kv_write_change(kv, &b->changes[i]);
			if (rc != SQLITE_OK)
				return kv_fail(kv, rc, e, "saving state");
		}
	if (kv->fault && (r = kv->fault(kv->fault_arg)) < 0)
		return err_sys(e, r, "saving state");
	return kv_exec(kv, "COMMIT", e);
}

static int kv_commit_job(void *arg)
{
	struct kv *kv = arg;
	int r = kv_commit_all(kv, &kv->commit_err);
	if (r < 0 && !sqlite3_get_autocommit(kv->db))
		sqlite3_exec(kv->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

/* --- the queue, on the loop ---------------------------------------------------- */

static void kv_finish(struct kv *kv, struct kv_batch *b, int result)
{
	for (size_t i = 0; i < b->n; i++) {
		if (result >= 0)
			kv_memory_set(kv, b->changes[i].key, take_ptr(b->entries[i]));
		else
			kv_entry_free(take_ptr(b->entries[i]));
	}
	kv->reserved -= b->n;
	b->result = result;
	if (result < 0)
		b->err = kv->commit_err;
	b->is_done = true;
	list_del(&b->node);
	if (b->fiber)
		fiber_wake(b->fiber);
}

static void kv_start(struct kv *kv);

static void kv_committed(void *arg, int result)
{
	struct kv *kv = arg;
	struct kv_batch *b;
	kv->is_committing = false;
	kv->commits++;
	list_each(b, &kv->committing, node)
		kv_finish(kv, b, result);
	kv_start(kv);
}

static void kv_start(struct kv *kv)
{
	struct kv_batch *b;
	if (kv->is_committing || list_empty(&kv->queued))
		return;
	list_each(b, &kv->queued, node) {
		list_del(&b->node);
		list_add_tail(&kv->committing, &b->node);
	}
	kv->is_committing = true;
	int r = job_start(kv->loop, kv_commit_job, kv, kv_committed);
	if (r < 0) {
		err_sys(&kv->commit_err, r, "saving state");
		kv_committed(kv, r);
	}
}

static int kv_check(const struct kv_change *c, struct err *e)
{
	size_t n = strlen(c->key);
	if (n == 0 || n > KV_KEY_MAX)
		return err_set(e, EINVAL, "a key of %zu bytes cannot be saved", n);
	if (c->value.ptr && c->value.len > KV_VALUE_MAX)
		return err_set(e, EFBIG, "%s: a value of %zu bytes is too large to save", c->key, c->value.len);
	return 0;
}

int kv_apply_wait(struct kv *kv, const struct kv_change *c, size_t n, struct err *e)
{
	struct kv_batch b = { .changes = c, .n = n, .fiber = fiber_self() };
	int r = 0;
	must(b.fiber);
	if (n == 0)
		return 0;
	for (size_t i = 0; i < n && r == 0; i++)
		r = kv_check(&c[i], e);
	if (r < 0)
		return r;
	if (vec_reserve(&kv->entries, kv->reserved + n) < 0)
		return err_nomem(e);
	AUTO(free) struct kv_entry **entries = calloc(n, sizeof *entries);
	if (!entries)
		return err_nomem(e);
	b.entries = entries;
	for (size_t i = 0; i < n && r == 0; i++)
		if (c[i].value.ptr && !(entries[i] = kv_entry_new(c[i].key, c[i].value)))
			r = -ENOMEM;
	if (r < 0) {
		for (size_t i = 0; i < n; i++)
			kv_entry_free(entries[i]);
		return err_nomem(e);
	}
	kv->reserved += n;
	list_add_tail(&kv->queued, &b.node);
	kv_start(kv);
	while (!b.is_done)
		fiber_suspend_wait();
	if (b.result < 0)
		return err_set(e, b.result, "%s", b.err.text);
	return 0;
}

int kv_put_wait(struct kv *kv, const char *key, struct slice value, struct err *e)
{
	if (!value.ptr)
		value = SLICE("");
	return kv_apply_wait(kv, &(struct kv_change){ key, value }, 1, e);
}

int kv_delete_wait(struct kv *kv, const char *key, struct err *e)
{
	return kv_apply_wait(kv, &(struct kv_change){ key, { NULL, 0 } }, 1, e);
}

/* --- reading ---------------------------------------------------------------------- */

struct slice kv_get(struct kv *kv, const char *key)
{
	bool found;
	size_t i = kv_find(kv, key, &found);
	return found ? slice_n(kv->entries.v[i]->value, kv->entries.v[i]->len) : (struct slice){ NULL, 0 };
}

int kv_each(struct kv *kv, const char *prefix, int (*fn)(void *arg, const char *key, struct slice value), void *arg)
{
	bool found;
	size_t n = strlen(prefix);
	for (size_t i = kv_find(kv, prefix, &found); i < kv->entries.n; i++) {
		struct kv_entry *x = kv->entries.v[i];
		if (strncmp(x->key, prefix, n) != 0)
			break;
		int r = fn(arg, x->key, slice_n(x->value, x->len));
		if (r != 0)
			return r;
	}
	return 0;
}

/* The loop no longer runs: finishes what is queued here. A commit that runs on a worker must have ended (its loop waits for it). */
void kv_close(struct kv *kv)
{
	if (!kv)
		return;
	must(!kv->is_committing);
	must(list_empty(&kv->queued));
	kv_release(kv);
}

void kv_set_fault(struct kv *kv, int (*fault)(void *arg), void *arg)
{
	kv->fault = fault;
	kv->fault_arg = arg;
}

void kv_set_page_limit(struct kv *kv, unsigned pages)
{
	char sql[64];
	fmt_into(sql, sizeof sql, "PRAGMA max_page_count=%u", pages ? pages : 1);
	sqlite3_exec(kv->db, sql, NULL, NULL, NULL);
}

unsigned kv_commits(const struct kv *kv)
{
	return kv->commits;
}
