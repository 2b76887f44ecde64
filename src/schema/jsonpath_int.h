/* SPDX-License-Identifier: Apache-2.0 */
/* A parsed JSONPath template. */
#pragma once
#include "schema/jsonpath.h"

enum { JSONPATH_MAX_DEPTH = 32, JSONPATH_MAX_RESULTS = 1 << 20 };

enum jp_kind { JP_CONST, JP_FIELD, JP_ARRAY, JP_FILTER, JP_WILDCARD, JP_RECURSIVE, JP_UNION, JP_RANGE, JP_END };
enum jp_op { JP_EXISTS, JP_EQ, JP_NE, JP_LT, JP_LE, JP_GT, JP_GE };

struct jp_param {
	int64_t value;
	bool is_known, is_derived;
};
struct jp_list {
	struct jp_step *v;
	uint32_t n, room;
};
struct jp_step {
	uint8_t kind, op;
	struct slice name;                /* FIELD */
	struct tree value;                /* CONST */
	bool is_text;                     /* CONST: it stands for itself once, not once for each input */
	struct jp_param param[3];         /* ARRAY: from, to, step */
	struct jp_list left, right;       /* FILTER */
	struct jp_list *branch;           /* UNION */
	uint32_t n_branches;
};
struct jp_item {                      /* of the template */
	bool is_text;
	struct tree text;
	struct jp_list steps;
};
struct jsonpath {
	struct jp_item *v;
	uint32_t n, room;
};
