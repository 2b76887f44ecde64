/* SPDX-License-Identifier: Apache-2.0 */
/* What the makers and appliers of patches share. */
#pragma once
#include "schema/tree.h"

static inline struct slice key_of(const struct tree_member *m) { return slice_n(m->key, m->key_len); }
/* Appends a member whose key is known to be new. */
struct tree *member_add(struct arena *a, struct tree *map, const struct tree_member *named, struct tree value);
