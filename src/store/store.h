/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Kubernetes store: keys with values, one revision counter, history for
 * watches. Modelled on what an API server needs of etcd and no more, so that an
 * etcd implementation fits behind it: calls complete later with a revision, as
 * over a network; who must read its own write waits for that revision.
 *
 * Embedded: SQLite (WAL, full sync), one append-only table keyed by revision,
 * under an index by key in memory; one committer thread that batches what
 * queued during the last sync. What was acknowledged survives a kill at any
 * instant. All functions on the loop's thread; *_wait in a fiber.
 *
 * Keys are bytes without NUL, at most 1,024 ("/pods/default/nginx"); values at most 1.5 MiB.
 */
#pragma once
#include <stdatomic.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "io/fiber.h"

struct store;

/* One version of one key: frozen, counted, shared between threads. One allocation. */
struct store_object {
	atomic_uint refs;
	uint32_t key_len, value_len;
	int64_t create_revision, revision;
	const char *key;               /* terminated */
	const char *value;             /* terminated; NULL with value_len 0 for a deletion */
};
struct store_object *store_object_ref(struct store_object *o);
struct store_object *store_object_unref(struct store_object *o);     /* NULL is fine; gives NULL */

struct store_options {
	const char *path;              /* the database file; its folder exists */
	int64_t compact_every_ns;      /* history older than this is dropped by itself; 0: 5 minutes */
	int64_t keep_revisions;        /* and at least so many are kept; 0: 10,000 */
};
/* Opens or makes the file and loads the index. Blocking: at start-up. */
int store_open(struct loop *l, const struct store_options *o, struct store **ret, struct err *e);
/* Waits for what is queued, then closes. Blocking: not while the loop runs (it runs it until then). Watches end. */
void store_close(struct store *s);

/* The newest revision that is durable and visible to reads; the oldest that reads and watches can still ask for. */
int64_t store_revision(const struct store *s);
int64_t store_compacted(const struct store *s);

/*
 * Reads at a revision (0: newest). -ENOENT; -ESTALE (compacted: "the resource
 * version … is too old"); -ERANGE (newer than any). The caller unrefs.
 */
int store_get_wait(struct store *s, const char *key, int64_t at_revision, struct store_object **ret, struct err *e);
struct store_list {
	struct store_object **items;   /* in key order */
	size_t n;
	int64_t revision;              /* of the snapshot */
	int64_t remaining;             /* keys behind the last one, when limited */
};
/* Keys with the prefix, >= from (NULL: all), at most limit (0: all). Release with store_list_release. */
int store_list_wait(struct store *s, const char *prefix, const char *from, size_t limit, int64_t at_revision, struct store_list *ret, struct err *e);
void store_list_release(struct store_list *l);
int64_t store_count(struct store *s, const char *prefix);

/*
 * Writes; durable when they return, *ret (may be NULL) is the new version (for
 * deletes: the last value with the deletion's revision), the caller's reference.
 * create: -EEXIST. update and delete: if_revision != 0 must be the current one,
 * else -EBUSY and *ret_current (may be NULL) is the current version; -ENOENT.
 * -ENOSPC, -EIO: nothing changed. -EMSGSIZE past the ceilings.
 * An update whose value equals the current one is none: 0 and the current version.
 */
int store_create_wait(struct store *s, const char *key, struct slice value, struct store_object **ret, struct err *e);
int store_update_wait(struct store *s, const char *key, struct slice value, int64_t if_revision, struct store_object **ret, struct store_object **ret_current,
	struct err *e);
int store_delete_wait(struct store *s, const char *key, int64_t if_revision, struct store_object **ret, struct store_object **ret_current, struct err *e);

/*
 * Everything that happens below prefix after from_revision, in order, each
 * exactly once, called on the loop (fn must not suspend): first what history
 * holds, then as it is committed. prev is the version before (NULL: created);
 * now->value NULL: deleted. progress (may be NULL) says that all up to revision
 * was told. -ESTALE when from_revision is compacted. The struct is the caller's; store_unwatch ends it, harmless twice.
 */
struct store_watch {
	struct list node;
	struct store *store;
	const char *prefix;            /* must live as long */
	size_t prefix_len;
	int64_t told;                  /* last revision told */
	void (*event)(struct store_watch *w, struct store_object *now, struct store_object *prev);
	void (*progress)(struct store_watch *w, int64_t revision);
	void (*ended)(struct store_watch *w, int error);     /* the store closed (-ESHUTDOWN) or lost its history (-ESTALE) */
	struct store_catchup *catchup; /* the store's own: history that is still being told */
};
int store_watch(struct store *s, struct store_watch *w, const char *prefix, int64_t from_revision, struct err *e);
void store_unwatch(struct store_watch *w);

/* Drops history before revision; slices between commits. */
int store_compact_wait(struct store *s, int64_t revision, struct err *e);
