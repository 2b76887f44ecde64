/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's index by key, in memory: what is newest under each key, and which
 * older versions history still holds. Entries are sorted by key in blocks of at
 * most 512, so that an insertion moves little and a prefix is counted by adding
 * up blocks. One thread.
 */
#pragma once
#include "base/vec.h"
#include "store/store.h"

struct store_entry {
	struct store_object *newest;   /* durable; value NULL: deleted. NULL while the first version is being committed */
	struct store_object *pending;  /* in the commit under way, or NULL */
	VEC(int64_t) old;              /* superseded versions within history, ascending; negative: a deletion */
};
static inline const char *store_entry_key(const struct store_entry *x) { return (x->newest ? x->newest : x->pending)->key; }
static inline bool store_entry_is_live(const struct store_entry *x) { return x->newest && x->newest->value; }

struct store_block;
struct store_index {
	VEC(struct store_block *) blocks;
};
/* A place: valid until the next insertion or removal. */
struct store_pos { size_t block, slot; };

void store_index_release(struct store_index *x);       /* and every entry with its objects */
/* The first entry with key >= key, and the first behind all with the prefix. */
struct store_pos store_index_seek(const struct store_index *x, const char *key);
struct store_pos store_index_behind(const struct store_index *x, const char *prefix);
/* The entry there (NULL at the end), and the next place. */
struct store_entry *store_index_at(const struct store_index *x, struct store_pos p);
struct store_pos store_index_next(const struct store_index *x, struct store_pos p);
static inline bool store_pos_is_before(struct store_pos a, struct store_pos b)
{
	return a.block < b.block || (a.block == b.block && a.slot < b.slot);
}
struct store_entry *store_index_find(const struct store_index *x, const char *key);
/* Takes e, whose key is not there yet. 0 or -ENOMEM (e stays the caller's). */
int store_index_insert(struct store_index *x, struct store_entry *e);
/* Takes it out, frees it and its objects. */
void store_index_remove(struct store_index *x, struct store_entry *e);
/* The entry of this key came to life (1) or died (-1); insert and remove do not count. */
void store_index_live(struct store_index *x, const char *key, int change);
/* Living entries in [from, to). */
int64_t store_index_count(const struct store_index *x, struct store_pos from, struct store_pos to);
