/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a template computes with: scalars, pieces of a message's tree, and rows
 * of a listing. Numbers in trees keep their text, so that they print as they
 * came.
 */
#pragma once
#include <stdbool.h>
#include "base/arena.h"
#include "schema/schema.h"
#include "schema/tree.h"

enum val_kind { VAL_NONE /* "<no value>" */, VAL_NIL, VAL_BOOL, VAL_INT, VAL_FLOAT, VAL_STR, VAL_TREE /* object or list */, VAL_LIST, VAL_ROW };

struct val {
	enum val_kind kind;
	bool b;
	int64_t i;               /* VAL_INT; and the number of members of VAL_LIST (list NULL: a nil one, b: of a map) */
	double f;
	struct slice s;          /* VAL_STR; and the digits of a number that came as text */
	const struct tree *node;
	const struct val *list;
	const struct val_row *row;
};

/* A line of a listing: fields by name, with the heading that a table gives them. */
struct val_field { const char *name, *heading; struct val v; };
struct val_row {
	const struct val_field *fields;
	size_t n;
	const struct schema_pair *labels;   /* for .Label "key" */
	size_t n_labels;
	bool headings;                      /* this row stands for the table's head: fields print their heading */
};

static inline struct val val_str(const char *s) { return (struct val){ .kind = VAL_STR, .s = slice_of(s ? s : "") }; }
static inline struct val val_slice(struct slice s) { return (struct val){ .kind = VAL_STR, .s = s }; }
static inline struct val val_int(int64_t i) { return (struct val){ .kind = VAL_INT, .i = i }; }
static inline struct val val_bool(bool b) { return (struct val){ .kind = VAL_BOOL, .b = b }; }
struct val val_tree(const struct tree *node);    /* scalars become scalars */

bool val_truth(const struct val *v);             /* as `if` sees it */
int64_t val_len(const struct val *v);            /* members or bytes; -1: has none */
/* Member by name or position; false where there is none. Keys match exactly, then without case where `fold`. */
bool val_field_get(const struct val *v, struct slice name, bool fold, struct val *ret);
bool val_at(const struct val *v, int64_t i, struct val *ret_key, struct val *ret);   /* walks lists and (sorted) objects */
void val_print(const struct val *v, struct buf *out);      /* Go's %v */
void val_json(const struct val *v, struct buf *out);       /* compact JSON */
bool val_is_object(const struct val *v);
const char *val_kind_name(const struct val *v);
