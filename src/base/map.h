/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash map from bytes (copied, owned by the map) to a pointer (owned by the
 * caller). Seeded SipHash-like mixing, so strangers cannot choose collisions.
 * Iteration order is that of insertion while nothing is removed.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"

struct map_entry {
	char *key;          /* terminated; NULL marks a removed entry */
	size_t key_len;
	void *value;
	uint32_t hash;
};
struct map {
	struct map_entry *entries;   /* dense, in insertion order */
	uint32_t *index;             /* slot -> entry number + 1; 0 empty */
	size_t n;                    /* live entries */
	size_t used, cap, slots;
	uint64_t seed;
};

void map_init(struct map *m);
void map_release(struct map *m);                     /* frees keys, not values */
void *map_get(const struct map *m, struct slice key);   /* NULL when absent */
/* Sets or replaces; *old (may be NULL) gets the replaced value. 0 or -ENOMEM. */
int map_set(struct map *m, struct slice key, void *value, void **old);
void *map_del(struct map *m, struct slice key);      /* the removed value, or NULL */
/* Walks live entries; start with *pos = 0. The body may delete the entry it got. */
struct map_entry *map_next(const struct map *m, size_t *pos);
static inline void *map_gets(const struct map *m, const char *key) { return map_get(m, slice_of(key)); }
static inline int map_sets(struct map *m, const char *key, void *value) { return map_set(m, slice_of(key), value, NULL); }
static inline void *map_dels(struct map *m, const char *key) { return map_del(m, slice_of(key)); }
/* The hash behind it, for other tables. */
uint64_t hash_bytes(uint64_t seed, const void *p, size_t n);
