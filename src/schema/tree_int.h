/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers and writers of trees share. */
#pragma once
#include "schema/tree.h"

/* Of keys that come twice the last value stays, at the first one's place; *twice is such a key. Returns their number. */
uint32_t members_dedup(struct tree_member *m, uint32_t n, struct slice *twice);
/* Indexes by key: in fixed (of max) or malloc'ed; NULL without memory. */
uint32_t *members_sort(const struct tree *map, uint32_t *fixed, uint32_t max);
