/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubectl's JSONPath templates: {.items[*].metadata.name}, {range …}{end}, filters
 * ?(@.x=="y"), recursive descent, slices, unions, quoted keys, text between. Used for -o jsonpath, custom-columns,
 * printer columns, wait. What is parsed lies in the arena and is not changed by use.
 */
#pragma once
#include "schema/tree.h"

struct jsonpath;
enum jsonpath_flags {
	JSONPATH_ALLOW_MISSING = 1,   /* a key that is not there gives nothing, not an error (kubectl get's default) */
	JSONPATH_RELAXED = 2,         /* parse: "metadata.name" and ".metadata.name" mean {.metadata.name} (custom-columns, wait, --sort-by) */
	JSONPATH_AS_JSON = 4,         /* print: one JSON list of all results (-o jsonpath-as-json) */
};

/* Errors: -EINVAL with kubectl's words, -E2BIG. */
int jsonpath_parse(struct slice text, unsigned flags, struct arena *a, struct jsonpath **ret, struct err *e);
/* Executes the template on doc and appends the text. Errors: -ENOENT (`foo is not found`), -EINVAL, -E2BIG. */
int jsonpath_print(const struct jsonpath *p, const struct tree *doc, unsigned flags, struct arena *a, struct buf *out, struct err *e);

struct jsonpath_results {
	const struct tree **v;
	uint32_t n;
};
/* The values that all of the template's expressions find, in order; text between is ignored. Errors as above. */
int jsonpath_find(const struct jsonpath *p, const struct tree *doc, unsigned flags, struct arena *a, struct jsonpath_results *ret,
	struct err *e);
/* One value as a template prints it: text bare, lists and maps as JSON. */
int jsonpath_print_value(const struct tree *v, struct buf *out);
