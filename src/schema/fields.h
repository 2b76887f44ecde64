/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of field paths: who owns what in an object. On the wire they are FieldsV1
 * (metadata.managedFields[].fieldsV1): `f:name` a member, `k:{"name":"x"}` an element
 * of a list by its keys, `v:"x"` an element of a set, `i:0` an index; "." says that
 * the place itself is in the set. Everything lies in arenas; sets are not changed
 * by what reads them, and results share memory with what they are made of.
 */
#pragma once
#include "schema/node.h"

enum field_elem_kind { FIELD_NAME = 'f', FIELD_VALUE = 'v', FIELD_INDEX = 'i', FIELD_KEY = 'k' };
/* One step of a path. */
struct field_elem {
	char kind;
	struct slice text;    /* FIELD_NAME: the name; others: canonical JSON of value, key map (members sorted) or index */
};
struct field_child;
struct fields {
	bool is_member;                /* the place itself */
	uint32_t n, room;
	struct field_child *child;     /* in order of their elements */
};
struct field_child {
	struct field_elem elem;
	struct fields set;
};

/* Errors: -EBADMSG (no FieldsV1), -E2BIG. */
int fields_from_tree(const struct tree *v, struct arena *a, struct fields *ret, struct err *e);
/* Strings share memory with the set and the arena. 0 or -E2BIG. */
int fields_to_tree(const struct fields *f, struct arena *a, struct tree *ret);
bool fields_is_empty(const struct fields *f);
bool fields_equal(const struct fields *x, const struct fields *y);
/* 0 or -E2BIG. */
int fields_union(const struct fields *x, const struct fields *y, struct arena *a, struct fields *ret);
int fields_and(const struct fields *x, const struct fields *y, struct arena *a, struct fields *ret);
/* x without the members of y. */
int fields_minus(const struct fields *x, const struct fields *y, struct arena *a, struct fields *ret);
/* x without the members of y and everything below them. */
int fields_minus_below(const struct fields *x, const struct fields *y, struct arena *a, struct fields *ret);
/*
 * Calls each for every member, places before what is below them, with the path as Kubernetes prints it:
 * .spec.containers[name="x"].image. Ends early with what each returns when that is not 0; -E2BIG.
 */
int fields_each(const struct fields *f, int (*each)(void *arg, const char *path), void *arg);
/* Is a path of names ("metadata.labels") with everything below it; a list of them separated by commas. 0 or -E2BIG. */
int fields_add_names(struct fields *f, const char *paths, struct arena *a);

enum fields_of_flags {
	FIELDS_STRICT = 1,     /* members that a struct does not name, and list elements that come twice, are errors */
};
/* Every field that v has. Errors: -EINVAL with the path first (an element without its key, and the flags'), -E2BIG. */
int fields_from_object(const struct schema_node *n, const struct tree *v, unsigned flags, struct arena *a, struct fields *ret, struct err *e);
/* What differs between two objects (either may be NULL). */
struct fields_diff { struct fields added, modified, removed; };
int fields_compare(const struct schema_node *n, const struct tree *before, const struct tree *after, struct arena *a,
	struct fields_diff *ret, struct err *e);
/* x and every named field above its members (what pruning removes as a whole when nothing in it is left). */
int fields_with_named(const struct fields *x, const struct schema_node *n, struct arena *a, struct fields *ret);
/* v without the members of drop (structure shared where untouched). 0 or -E2BIG. */
int fields_remove(const struct schema_node *n, const struct tree *v, const struct fields *drop, struct arena *a, struct tree *ret);
