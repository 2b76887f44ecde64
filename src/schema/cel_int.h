/* SPDX-License-Identifier: Apache-2.0 */
/* CEL from inside: values, parsed expressions, functions. */
#pragma once
#include "schema/cel.h"
#include "schema/crd_int.h"

enum cel_type { CEL_NULL, CEL_BOOL, CEL_INT, CEL_UINT, CEL_DOUBLE, CEL_STRING, CEL_BYTES, CEL_LIST, CEL_MAP, CEL_TYPE, CEL_TIME, CEL_DURATION,
	CEL_OPTIONAL, CEL_QUANTITY, CEL_IP, CEL_CIDR, CEL_URL };
struct cel_value {
	uint8_t type;
	uint32_t n;                        /* LIST: items; MAP: pairs; of those that are no document's */
	union {
		bool b;
		int64_t i;                     /* INT; TIME, DURATION: nanoseconds */
		uint64_t u;
		double d;
		const struct cel_value *v;     /* LIST; MAP: key, value, key, value; OPTIONAL: NULL is none */
		const void *p;                 /* QUANTITY, IP, CIDR */
	};
	struct slice s;                    /* STRING, BYTES, URL; TYPE: its name */
	const struct tree *tree;           /* LIST, MAP of a document */
	const struct crd_prop *prop;
};

enum cel_kind { CELN_CONST, CELN_IDENT, CELN_SELECT, CELN_HAS, CELN_INDEX, CELN_CALL, CELN_LIST, CELN_MAP, CELN_AND, CELN_OR, CELN_NOT, CELN_NEG,
	CELN_COND, CELN_BINARY, CELN_LOOP, CELN_BIND };
enum cel_op { CEL_ADD, CEL_SUB, CEL_MUL, CEL_DIV, CEL_MOD, CEL_LT, CEL_LE, CEL_GT, CEL_GE, CEL_EQ, CEL_NE, CEL_IN };
enum cel_loop { CEL_ALL, CEL_EXISTS, CEL_EXISTS_ONE, CEL_FILTER, CEL_TRANSFORM, CEL_FILTER_TRANSFORM };

struct cel_function;
struct cel_node {
	uint8_t kind, op;
	bool is_optional;                  /* SELECT, INDEX: .?x, [?x] */
	uint16_t depth;
	struct slice name;                 /* IDENT, SELECT, HAS; LOOP, BIND: the variable */
	struct cel_value value;            /* CONST */
	struct cel_node **arg;             /* operands; LOOP: list, condition, what is made */
	uint32_t n;
	const struct cel_function *function;
	struct crd_pattern *pattern;       /* of a call of matches() with a text */
};
struct cel_program {
	struct cel_node *root;
	struct crd_pattern *patterns;
	const char *const *vars;
	uint32_t used;                     /* bits of vars */
};

struct cel_frame {
	struct slice name;
	const struct cel_value *value;
	const struct cel_frame *up;
};
struct cel_run {
	struct arena *a;
	struct err *e;
	unsigned *budget;
};
struct cel_function {
	const char *name;
	uint8_t min, max;                  /* arguments, the target among them */
	uint8_t how;                       /* 1 global, 2 member, 3 both */
	int (*run)(struct cel_run *x, const struct cel_value *v, uint32_t n, struct cel_value *ret);
};
enum { CEL_GLOBAL = 1, CEL_MEMBER = 2 };
extern const struct cel_function cel_functions[], cel_kube_functions[];
extern const uint32_t cel_n_functions, cel_n_kube_functions;

/* cel_eval.c */
int cel_no_overload(struct cel_run *x);
int cel_no_room(struct cel_run *x);
int cel_fail(struct cel_run *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int cel_spend(struct cel_run *x, size_t n);
struct cel_value cel_of_tree(const struct tree *t, const struct crd_prop *p);
struct cel_value cel_string(struct slice s);
static inline struct cel_value cel_bool(bool b) { return (struct cel_value){ .type = CEL_BOOL, .b = b }; }
static inline struct cel_value cel_integer(int64_t i) { return (struct cel_value){ .type = CEL_INT, .i = i }; }
static inline struct cel_value cel_double(double d) { return (struct cel_value){ .type = CEL_DOUBLE, .d = d }; }
uint32_t cel_size(const struct cel_value *list);
struct cel_value cel_item(const struct cel_value *list, uint32_t i);
/* The i-th key and value of a map. */
void cel_pair(const struct cel_value *map, uint32_t i, struct cel_value *key, struct cel_value *value);
bool cel_map_get(const struct cel_value *map, const struct cel_value *key, struct cel_value *ret);
bool cel_equal(const struct cel_value *x, const struct cel_value *y);
/* -1, 0, 1; 2: they have no order. */
int cel_compare(const struct cel_value *x, const struct cel_value *y);
/* A list of n values in the arena. */
int cel_list(struct cel_run *x, uint32_t n, struct cel_value **items, struct cel_value *ret);
/* Ends in the arena; text of a format. */
int cel_text(struct cel_run *x, struct cel_value *ret, struct slice s);
int cel_binary(struct cel_run *x, enum cel_op op, const struct cel_value *l, const struct cel_value *r, struct cel_value *ret);
