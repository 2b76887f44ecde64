/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selectors. Of labels: the text of queries ("a=b,c in (d,e),!f") and the
 * LabelSelector of objects come to one form, a list of requirements that must all hold.
 * Of fields: "metadata.name=x,status.phase!=Running". Errors are worded as Kubernetes words them.
 */
#pragma once
#include <stdbool.h>
#include "api/kube.h"
#include "base/arena.h"
#include "base/err.h"

enum selector_op { SELECT_IN, SELECT_NOT_IN, SELECT_EXISTS, SELECT_ABSENT, SELECT_GREATER, SELECT_LESS, SELECT_NOTHING };
struct selector_term {
	const char *key;
	enum selector_op op;
	const char **values;           /* IN, NOT_IN: one or more; GREATER, LESS: one integer */
	uint32_t n_values;
};
struct selector {
	struct selector_term *terms;   /* none: everything matches */
	uint32_t n_terms;
};

/* NULL or "" selects everything. -EINVAL with the reason. */
int selector_parse(struct arena *a, const char *text, struct selector *ret, struct err *e);
/* As Kubernetes has it: NULL selects nothing, an empty one everything. -EINVAL. Strings stay s's. */
int selector_of(struct arena *a, const struct kube_label_selector *s, struct selector *ret, struct err *e);
/* From a plain map, as services and replication controllers have; an empty one selects nothing. */
int selector_of_map(struct arena *a, const struct schema_pair *v, uint32_t n, struct selector *ret);
bool selector_matches(const struct selector *s, const struct schema_pair *labels, uint32_t n);
bool selector_is_empty(const struct selector *s);      /* matches everything */
/* The text that selector_parse reads, as Kubernetes prints it; appended. */
void selector_text(const struct selector *s, struct buf *out);

/* Terms are IN or NOT_IN of one value each; "=", "==" and "!=". */
int field_selector_parse(struct arena *a, const char *text, struct selector *ret, struct err *e);
/* value() gives the text of a field ("" when unset, NULL when there is no such field: nothing matches). */
bool field_selector_matches(const struct selector *s, const char *(*value)(void *arg, const char *field), void *arg);
