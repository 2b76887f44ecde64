/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CEL, the expression language of Kubernetes' validation rules
 * (x-kubernetes-validations), on trees: operators, has() all() exists() exists_one()
 * map() filter(), the standard functions and Kubernetes' own for lists, strings, quantities,
 * addresses, URLs, sets and optionals. Types are checked when an expression runs, not when it is compiled.
 * Not there: find() findAll() format() semver(), comprehensions with two variables, protobuf messages.
 */
#pragma once
#include "schema/tree.h"

struct cel_program;
struct crd_prop;

enum { CEL_MAX_TEXT = 64 << 10, CEL_MAX_DEPTH = 60, CEL_BUDGET = 2000000 };

/*
 * vars: the names that may be used, ended by NULL. The program lies in the arena; its
 * patterns do not: cel_release. Errors: -EINVAL ("compilation failed: ERROR: <input>:1:5: undeclared
 * reference to 'x' (in container '')"), -E2BIG.
 */
int cel_compile(struct slice text, const char *const *vars, struct arena *a, struct cel_program **ret, struct err *e);
void cel_release(struct cel_program *p);
bool cel_uses(const struct cel_program *p, const char *var);

struct cel_input {
	const char *name;
	const struct tree *value;        /* NULL with is_optional: none */
	const struct crd_prop *prop;     /* its schema: numbers are doubles where it says so; may be NULL */
	bool is_optional;
};
/*
 * *budget is what is left of CEL_BUDGET steps, for all programs of one object together. Errors: -EINVAL ("no such key: x",
 * "no such overload", "division by zero", …), -E2BIG (no room, or the budget is used up).
 */
int cel_eval_bool(const struct cel_program *p, const struct cel_input *in, uint32_t n, unsigned *budget, struct arena *a, bool *ret, struct err *e);
int cel_eval_string(const struct cel_program *p, const struct cel_input *in, uint32_t n, unsigned *budget, struct arena *a, struct slice *ret,
	struct err *e);
