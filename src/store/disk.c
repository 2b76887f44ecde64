// SPDX-License-Identifier: Apache-2.0
/*
 * The store's file: SQLite with a write-ahead log, synced at every commit, one
 * table that is only appended to (its rowid is the revision) and from which
 * compaction deletes. The file is locked while open. Format: doc/format/store.md.
 */
#include "base/assert.h"
#include "base/auto.h"
#include "store/sqlite.h"
#include "store/store_int.h"

enum { FORMAT = 1 };

struct store_disk {
	sqlite3 *db;
	sqlite3_stmt *insert, *get, *range, *drop, *meta;
};

struct store_object *store_object_new(const char *key, size_t key_len, const void *value, size_t value_len, int64_t created, int64_t revision)
{
	struct store_object *o = malloc(sizeof *o + key_len + 1 + (value ? value_len + 1 : 0));
	if (!o)
		return NULL;
	char *k = (char *)(o + 1), *v = k + key_len + 1;
	*o = (struct store_object){ .refs = 1, .key_len = (uint32_t)key_len, .create_revision = created, .revision = revision, .key = k };
	memcpy(k, key, key_len);
	k[key_len] = 0;
	if (value) {
		memcpy(v, value, value_len);
		v[value_len] = 0;
		o->value = v;
		o->value_len = (uint32_t)value_len;
	}
	return o;
}

struct store_object *store_object_ref(struct store_object *o)
{
	if (o)
		atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
	return o;
}

struct store_object *store_object_unref(struct store_object *o)
{
	if (o && atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) == 1)
		free(o);
	return NULL;
}

/* --- open and close ------------------------------------------------------------ */

void store_disk_close(struct store_disk *d)
{
	if (!d)
		return;
	sqlite3_finalize(d->insert);
	sqlite3_finalize(d->get);
	sqlite3_finalize(d->range);
	sqlite3_finalize(d->drop);
	sqlite3_finalize(d->meta);
	sqlite3_close(d->db);
	free(d);
}
AUTO_DEFINE(store_disk_close, struct store_disk *, store_disk_close)

static int number(struct store_disk *d, const char *sql, int64_t *ret, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(d->db, sql, -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	*ret = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
	int r = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : sqlite_fail(d->db, rc, e, "reading the store");
	sqlite3_finalize(st);
	return r;
}

static int prepare(struct store_disk *d, struct err *e)
{
	const struct { sqlite3_stmt **st; const char *sql; } rows[] = {
		{ &d->insert, "INSERT INTO log(revision, key, created, prev, value) VALUES(?1, ?2, ?3, ?4, ?5)" },
		{ &d->get, "SELECT revision, key, created, prev, value FROM log WHERE revision = ?1" },
		{ &d->range, "SELECT revision, key, created, prev, value FROM log WHERE revision > ?1 AND revision <= ?2 ORDER BY revision" },
		{ &d->drop, "DELETE FROM log WHERE revision = ?1" },
		{ &d->meta, "INSERT OR REPLACE INTO meta(name, value) VALUES('compacted', ?1)" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc = sqlite3_prepare_v3(d->db, rows[i].sql, -1, SQLITE_PREPARE_PERSISTENT, rows[i].st, NULL);
		if (rc != SQLITE_OK)
			return sqlite_fail(d->db, rc, e, "preparing");
	}
	return 0;
}

static int setup(struct store_disk *d, struct err *e)
{
	static const char *const sql[] = {
		"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA cache_size=-1024",
		"PRAGMA wal_autocheckpoint=1000", "PRAGMA journal_size_limit=16777216", "BEGIN EXCLUSIVE",
		"CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) WITHOUT ROWID",
		"CREATE TABLE IF NOT EXISTS log(revision INTEGER PRIMARY KEY, key TEXT NOT NULL, created INTEGER NOT NULL, prev INTEGER NOT NULL, value BLOB)",
		"INSERT OR IGNORE INTO meta(name, value) VALUES('format', 1)", "COMMIT",
	};
	int64_t format;
	for (size_t i = 0; i < ARRAY_LEN(sql); i++) {
		int r = sqlite_run(d->db, sql[i], e);
		if (r < 0)
			return r;
	}
	int r = number(d, "SELECT value FROM meta WHERE name = 'format'", &format, e);
	if (r < 0)
		return r;
	if (format != FORMAT)
		return err_set(e, EBADMSG, "the store has format %lld, this program reads %d", (long long)format, FORMAT);
	return prepare(d, e);
}

int store_disk_open(const char *path, struct store_disk **ret, struct err *e)
{
	AUTO(store_disk_close) struct store_disk *d = calloc(1, sizeof *d);
	if (!d)
		return err_nomem(e);
	int rc = sqlite3_open_v2(path, &d->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL);
	int r = rc == SQLITE_OK ? setup(d, e) : sqlite_fail(d->db, rc, e, "opening");
	if (r < 0)
		return err_prefix(e, "%s", path);
	*ret = take_ptr(d);
	return 0;
}

void store_disk_page_limit(struct store_disk *d, unsigned pages)
{
	char sql[64];
	fmt_into(sql, sizeof sql, "PRAGMA max_page_count=%u", pages ? pages : 1);
	sqlite3_exec(d->db, sql, NULL, NULL, NULL);
}

/* --- rows ------------------------------------------------------------------------ */

static int row_read(sqlite3_stmt *st, struct store_row *ret)
{
	const char *key = (const char *)sqlite3_column_text(st, 1);
	bool deleted = sqlite3_column_type(st, 4) == SQLITE_NULL;
	const void *value = deleted ? NULL : sqlite3_column_blob(st, 4);
	if (!key)
		return SQLITE_NOMEM;
	if (!deleted && !value)
		value = "";
	ret->object = store_object_new(key, (size_t)sqlite3_column_bytes(st, 1), value, (size_t)sqlite3_column_bytes(st, 4),
		sqlite3_column_int64(st, 2), sqlite3_column_int64(st, 0));
	ret->prev = sqlite3_column_int64(st, 3);
	return ret->object ? SQLITE_OK : SQLITE_NOMEM;
}

static void reset(sqlite3_stmt *st)
{
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
}

int store_disk_load(struct store_disk *d, int (*fn)(void *arg, struct store_row row), void *arg, int64_t *compacted, struct err *e)
{
	int r = number(d, "SELECT value FROM meta WHERE name = 'compacted'", compacted, e);
	if (r < 0)
		return r;
	sqlite3_bind_int64(d->range, 1, 0);
	sqlite3_bind_int64(d->range, 2, INT64_MAX);
	int rc;
	while ((rc = sqlite3_step(d->range)) == SQLITE_ROW) {
		struct store_row row;
		rc = row_read(d->range, &row);
		if (rc == SQLITE_OK && fn(arg, row) < 0)
			rc = SQLITE_NOMEM;
		if (rc != SQLITE_OK)
			break;
	}
	r = rc == SQLITE_DONE ? 0 : sqlite_fail(rc == SQLITE_NOMEM ? NULL : d->db, rc, e, "reading the store");
	reset(d->range);
	return r;
}

int store_disk_read(struct store_disk *d, int64_t revision, struct store_object **ret, struct err *e)
{
	struct store_row row = { 0 };
	sqlite3_bind_int64(d->get, 1, revision);
	int rc = sqlite3_step(d->get), r = 0;
	if (rc == SQLITE_ROW)
		rc = row_read(d->get, &row) == SQLITE_OK ? SQLITE_DONE : SQLITE_NOMEM;
	if (rc != SQLITE_DONE)
		r = sqlite_fail(d->db, rc, e, "reading the store");
	else if (!row.object)
		r = err_set(e, ENOENT, "revision %lld is not in the store", (long long)revision);
	else
		*ret = row.object;
	reset(d->get);
	return r;
}

int store_disk_range(struct store_disk *d, int64_t after, int64_t until, struct slice prefix, size_t max, size_t max_bytes, struct store_row *rows,
	size_t *n, int64_t *upto, struct err *e)
{
	size_t seen = 0, bytes = 0;
	int rc = SQLITE_DONE;

	*n = 0;
	sqlite3_bind_int64(d->range, 1, after);
	sqlite3_bind_int64(d->range, 2, until);
	*upto = after;
	while (*n < max && bytes < max_bytes && seen++ < 16 * max && (rc = sqlite3_step(d->range)) == SQLITE_ROW) {
		const char *key = (const char *)sqlite3_column_text(d->range, 1);
		int64_t revision = sqlite3_column_int64(d->range, 0);
		if (key && strncmp(key, prefix.ptr, prefix.len) == 0) {
			rc = row_read(d->range, &rows[*n]);
			if (rc != SQLITE_OK)
				break;
			bytes += rows[(*n)++].object->value_len;
		}
		*upto = revision;
	}
	if (rc == SQLITE_DONE)
		*upto = until;
	int r = rc == SQLITE_DONE || rc == SQLITE_ROW || rc == SQLITE_OK ? 0 : sqlite_fail(d->db, rc, e, "reading the store");
	reset(d->range);
	while (r < 0 && *n)
		store_object_unref(rows[--*n].object);
	return r;
}

/* --- commits ----------------------------------------------------------------------- */

/* Ends a transaction that went as r says. */
static int finish(struct store_disk *d, int r, int (*fault)(void *), void *fault_arg, struct err *e)
{
	if (r == 0 && fault && (r = fault(fault_arg)) < 0)
		err_sys(e, r, "saving to the store");
	int rc = r == 0 ? sqlite3_exec(d->db, "COMMIT", NULL, NULL, NULL) : SQLITE_OK;
	if (rc != SQLITE_OK)
		r = sqlite_fail(d->db, rc, e, "saving to the store");
	if (r < 0 && !sqlite3_get_autocommit(d->db))
		sqlite3_exec(d->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int insert(struct store_disk *d, const struct store_change *c)
{
	const struct store_object *o = c->object;
	sqlite3_stmt *st = d->insert;
	int rc = sqlite3_bind_int64(st, 1, o->revision);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(st, 2, o->key, (int)o->key_len, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(st, 3, o->create_revision);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(st, 4, c->prev);
	if (rc == SQLITE_OK && o->value)
		rc = sqlite3_bind_blob64(st, 5, o->value, o->value_len, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	reset(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int store_disk_write(struct store_disk *d, const struct store_change *v, size_t n, int (*fault)(void *), void *fault_arg, struct err *e)
{
	int r = sqlite_run(d->db, "BEGIN IMMEDIATE", e);
	for (size_t i = 0; i < n && r == 0; i++) {
		int rc = insert(d, &v[i]);
		if (rc != SQLITE_OK)
			r = sqlite_fail(d->db, rc, e, "saving to the store");
	}
	return finish(d, r, fault, fault_arg, e);
}

static int step_int64(sqlite3_stmt *st, int64_t v)
{
	sqlite3_bind_int64(st, 1, v);
	int rc = sqlite3_step(st);
	reset(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int store_disk_drop(struct store_disk *d, const int64_t *revisions, size_t n, int64_t compacted, int (*fault)(void *), void *fault_arg, struct err *e)
{
	int rc = SQLITE_OK, r = sqlite_run(d->db, "BEGIN IMMEDIATE", e);
	for (size_t i = 0; i < n && r == 0 && rc == SQLITE_OK; i++)
		rc = step_int64(d->drop, revisions[i]);
	if (r == 0 && rc == SQLITE_OK)
		rc = step_int64(d->meta, compacted);
	if (rc != SQLITE_OK)
		r = sqlite_fail(d->db, rc, e, "compacting the store");
	return finish(d, r, fault, fault_arg, e);
}
