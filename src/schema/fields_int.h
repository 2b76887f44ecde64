/* SPDX-License-Identifier: Apache-2.0 */
/* What field sets, walks over objects and server-side apply share. */
#pragma once
#include "schema/fields.h"
#include "schema/patch_int.h"

int field_elem_cmp(const struct field_elem *x, const struct field_elem *y);
/* Appends a child, in no order; NULL without room. Call fields_sort when all are there. */
struct fields *fields_append(struct arena *a, struct fields *f, struct field_elem elem);
int fields_sort(struct arena *a, struct fields *f);
const struct fields *fields_child(const struct fields *f, const struct field_elem *elem);

/* Canonical JSON of a value, in the arena. */
int field_text(struct arena *a, const struct tree *v, struct slice *ret);
/* The step that leads to an element of a set or of a list with keys: 0, -EINVAL (e: why), -E2BIG. */
int field_elem_of(const struct schema_node *list, enum schema_node_kind kind, const struct tree *item, struct arena *a,
	struct field_elem *ret, struct err *e);

/* Looks up members of one map many times. */
struct member_index {
	const struct tree *map;
	const struct tree_member **sorted;     /* NULL: few enough to look through */
};
int member_index_init(struct member_index *x, const struct tree *map, struct arena *a);
const struct tree *member_index_get(const struct member_index *x, struct slice key);

/* The elements of a list with their steps. */
struct item {
	struct field_elem elem;
	const struct tree *value;
	uint32_t index;
	bool is_twice;         /* others have the same step */
	bool is_first;         /* the first of them */
};
struct items {
	struct item *v;        /* in the list's order */
	struct item **sorted;  /* by step, then index */
	uint32_t n;
};
int items_of(const struct schema_node *list, enum schema_node_kind kind, const struct tree *v, struct arena *a, struct items *ret,
	struct err *e);
/* The first with this step, or NULL. */
const struct item *items_get(const struct items *x, const struct field_elem *elem);

/* How v is treated at a place where `kind` is: lists and maps that are neither are leaves. */
static inline enum schema_node_kind kind_of(const struct schema_node *n, const struct tree *v)
{
	enum schema_node_kind k = schema_node_kind(n, v);
	if (!v || v->type == TREE_NULL || k == NODE_LEAF)
		return k;
	return v->type == (k == NODE_MAP ? TREE_MAP : TREE_LIST) ? k : NODE_LEAF;
}
static inline bool is_empty(const struct tree *v)
{
	return !v || v->type == TREE_NULL || ((v->type == TREE_MAP || v->type == TREE_LIST) && !v->n);
}
/* apply_merge.c: config laid over live (either may be NULL). *is_there false: nothing is left. */
int apply_merge(const struct schema_node *n, const struct tree *live, const struct tree *config, struct arena *a, struct tree *ret,
	bool *is_there, struct err *e);
