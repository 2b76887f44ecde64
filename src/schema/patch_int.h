/* SPDX-License-Identifier: Apache-2.0 */
/* What the makers and appliers of patches share. */
#pragma once
#include "schema/node_int.h"
#include "schema/tree.h"

static inline struct slice key_of(const struct tree_member *m) { return slice_n(m->key, m->key_len); }
/* Appends a member whose key is known to be new. */
struct tree *member_add(struct arena *a, struct tree *map, const struct tree_member *named, struct tree value);

/* Lists and maps one in another: 0 for a scalar. */
unsigned tree_depth(const struct tree *v);

#define SMP_PATCH "$patch"
#define SMP_RETAIN "$retainKeys"
#define SMP_DELETE "$deleteFromPrimitiveList"
#define SMP_ORDER "$setElementOrder"

enum { SMP_MAX_LIST = 10000 };      /* lists are merged by looking through them */

/* A run of strategic merging. */
struct smp {
	struct arena *a;
	struct err *e;
	bool joins_patches;      /* both sides are patches: directives and nulls are kept */
};
/* original may be NULL. */
int smp_merge_map(struct smp *s, const struct schema_node *n, const struct tree *original, const struct tree *patch, struct tree *ret);
/* The type of all elements of both lists (either may be NULL): enum tree_type, or -errno when they differ or are lists. */
int smp_element_type(struct smp *s, const struct tree *x, const struct tree *y);
/* Position of an element in a list, by its merge key or (key empty) by value; -1. */
int64_t smp_index(const struct tree *list, const struct tree *v, struct slice key);
/* Each of the elements has the merge key. */
int smp_check_keys(struct smp *s, const struct tree *list, struct slice key);
int smp_no_room(struct smp *s);
