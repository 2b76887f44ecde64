/* SPDX-License-Identifier: Apache-2.0 */
/* Managers of an object's fields: metadata.managedFields in memory. */
#pragma once
#include "schema/apply.h"
#include "schema/fields_int.h"

struct apply_entry {
	struct slice manager, subresource, api_version, time;
	bool is_apply;
	struct fields set;
};
struct apply_entries {
	struct apply_entry *v;
	uint32_t n, room;
};
enum { APPLY_MAX_ENTRIES = 1000 };

/* Errors: -EINVAL with Kubernetes' words, -E2BIG. list may be NULL or null. */
int apply_entries_read(const struct tree *list, struct arena *a, struct apply_entries *ret, struct err *e);
/* Sorts and writes; *ret is null when there are none. 0 or -E2BIG. */
int apply_entries_write(struct apply_entries *x, struct arena *a, struct tree *ret);
/* The entry of the same manager, operation, subresource and (of updates) version; NULL. */
struct apply_entry *apply_entry_find(struct apply_entries *x, const struct apply_entry *like);
/* Adds one with an empty set; NULL without room. */
struct apply_entry *apply_entry_add(struct apply_entries *x, const struct apply_entry *like, struct arena *a);
void apply_entry_remove(struct apply_entries *x, struct apply_entry *entry);
/* Folds the oldest updaters together while there are more than APPLY_MAX_UPDATE_MANAGERS. 0 or -E2BIG. */
int apply_entries_cap(struct apply_entries *x, struct arena *a);
/* `"kubectl" using apps/v1`; NULL without room. */
const char *apply_entry_print(const struct apply_entry *x, struct arena *a);
