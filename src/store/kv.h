/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durable key/value records for the engine: containers, images, networks,
 * volumes. SQLite (WAL, full sync) behind one committer thread that batches what
 * queued during the last sync, so many writers share one fsync. Not the
 * Kubernetes store, which has revisions and watches.
 *
 * A key is "bucket/name"; reads come from a copy in memory.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "io/fiber.h"

struct kv;
/* Opens or makes the file and loads it. Blocking: at start-up. */
int kv_open(struct loop *l, const char *path, struct kv **ret, struct err *e);
/* Waits for what is queued, then closes. Blocking. */
void kv_close(struct kv *kv);
/* The stored value (lives until the key changes or the next suspend); ptr NULL when absent. */
struct slice kv_get(struct kv *kv, const char *key);
/* Durable when it returns; suspends. Reads see it at once. 0, -ENOSPC, -EIO: then memory and disk keep the old value. */
int kv_put_wait(struct kv *kv, const char *key, struct slice value, struct err *e);
int kv_delete_wait(struct kv *kv, const char *key, struct err *e);
/* Several changes, all or none. value.ptr NULL deletes. */
struct kv_change { const char *key; struct slice value; };
int kv_apply_wait(struct kv *kv, const struct kv_change *c, size_t n, struct err *e);
/* Calls fn for each key with the prefix, in key order; stops when it returns non-zero and returns that. fn must not suspend or change. */
int kv_each(struct kv *kv, const char *prefix, int (*fn)(void *arg, const char *key, struct slice value), void *arg);
