/* SPDX-License-Identifier: Apache-2.0 */
/* One input as several documents: lines. */
#pragma once
#include "schema/tree.h"

/* The next line as JSON; null where it is none. */
static inline struct tree next_tree(struct slice *rest, struct arena *a)
{
	struct slice line = { 0 };
	struct tree t = { 0 };
	struct err e;
	if (!slice_next(rest, '\n', &line) || tree_from_json(line, 0, a, &t, &e) < 0)
		return tree_null();
	return t;
}
