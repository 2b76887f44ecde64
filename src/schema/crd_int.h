/* SPDX-License-Identifier: Apache-2.0 */
/* A compiled schema from inside. */
#pragma once
#include <stdatomic.h>
#include "schema/crd.h"
#include "schema/node_int.h"
#include "schema/patch_int.h"

enum { CRD_MAX_PROBLEMS = 200, CRD_MAX_BYTES = 64 << 20, CRD_MAX_PATTERN = 16 << 10 };

enum crd_type { CRD_ANY, CRD_OBJECT, CRD_ARRAY, CRD_STRING, CRD_INTEGER, CRD_NUMBER, CRD_BOOLEAN };

struct crd_named;
struct crd_pattern;
struct crd_rule;
struct cel_program;
struct crd_limit { bool is_set; double v; };
struct crd_prop {
	const struct crd_hooks *hooks;        /* first: see node_int.h */
	const struct crd_schema *schema;
	const struct tree *doc;               /* as written */
	uint8_t type;                         /* enum crd_type */
	char list_type;                       /* 'a'tomic 's'et 'm'ap, 0 not said */
	bool is_atomic_map, is_nullable, is_preserving, is_embedded, is_int_or_string, is_root;
	bool is_max_exclusive, is_min_exclusive;
	bool has_additional, allows_additional;
	const char *type_text, *keys, *format, *pattern_text;
	const struct tree *default_value, *enums, *required;     /* NULL: none */
	struct crd_limit max, min, multiple, max_len, min_len, max_items, min_items, max_props, min_props;
	struct crd_pattern *pattern;
	struct crd_named *props;              /* by name */
	struct crd_prop *items, *additional, *not_, *all_of, *any_of, *one_of;
	uint32_t n_props, n_all, n_any, n_one;
	struct crd_rule *rules;
	uint32_t n_rules;
};
struct crd_named {
	struct slice name;
	struct crd_prop prop;
};
struct crd_schema {
	atomic_uint refs;
	struct arena a;
	struct schema_ref metadata;
	struct tree doc;
	struct crd_prop root;
	struct crd_pattern *patterns;         /* all of them, to be freed */
	struct cel_program **programs;        /* likewise */
	uint32_t n_programs, n_rules;
};

extern const struct crd_hooks crd_hooks;
const struct crd_prop *crd_find(const struct crd_prop *p, struct slice name);
/* The schema of a member: named, or additional; NULL. */
const struct crd_prop *crd_member(const struct crd_prop *p, struct slice name);

/* --- problems --- */
void problem_add(struct schema_problems *p, const char *field, const char *reason, const char *message);
void problem_addf(struct schema_problems *p, const char *field, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* "Invalid value: VALUE: detail", in the words of Kubernetes' field errors. */
void problem_invalid(struct schema_problems *p, const char *field, const struct tree *value, const char *detail);
void problem_required(struct schema_problems *p, const char *field, const char *detail);
void problem_forbidden(struct schema_problems *p, const char *field, const char *detail);
/* A value as field errors show it. */
void problem_value(const struct tree *v, struct buf *out);

/* --- crd_regex.c: Go's regular expressions --- */
/* 0, -EINVAL (e: why not), -ENOMEM. */
int crd_pattern_new(const char *text, struct crd_pattern *next, struct crd_pattern **ret, struct err *e);
void crd_patterns_free(struct crd_pattern *all);
/* 1 it matches, 0 not, or -E2BIG / -ENOMEM: cannot say. */
int crd_pattern_match(const struct crd_pattern *p, struct slice text);

/* --- crd_rules.c: rules in CEL --- */
/* 0, -E2BIG or -ENOMEM; what is wrong with a rule goes to p. */
int crd_rules_compile(struct crd_schema *s, struct crd_prop *prop, const char *path, struct schema_problems *p);
void crd_rules_release(struct crd_schema *s);
/* Problems from first_problem on are those of the same object. */
void crd_rules_run(const struct crd_schema *s, const struct tree *obj, const struct tree *old, uint32_t first_problem, struct schema_problems *p);

/* --- crd_format.c --- */
/* Is it a format that strings are checked against; others are ignored. */
bool crd_format_known(const char *format);
bool crd_format_matches(const char *format, struct slice text);

/* --- crd_structure.c: is the schema structural? Compiles its patterns on the way. Appends to p. 0 or -ENOMEM. --- */
int crd_check_structure(struct crd_schema *s, const char *path, struct schema_problems *p);
void crd_prune_at(const struct crd_prop *p, struct tree *v);
/* crd_validate.c: a default against its own schema */
void crd_check_default(const struct crd_prop *prop, const char *path, struct schema_problems *p);
