/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generator: .kind and .over files of api/DOMAIN -> DOMAIN.h (plain structs) and
 * DOMAIN.c (constant rows). Runs on the build machine, once a domain; dies with
 * file:line on the first thing it does not understand. See api/README.md.
 */
#pragma once
#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "schema/rows.h"

struct gen_field {
	char *json, *c;           /* wire name, member name */
	const char *where;        /* file:line */
	int kind, shape;
	unsigned flags;
	struct gen_type *message; /* MESSAGE and entries of MAP */
	unsigned number, outer, since, until;
	char *go, *in, *list_type, *list_keys, *patch, *merge_key, *help;
	VEC(struct gen_rule) rules;
};
struct gen_rule {
	int kind;
	char *text;
};
struct gen_type {
	char *name, *c;           /* definition, and domain_snake_case */
	char *go, *help;
	const char *where;
	VEC(struct gen_field) fields;
	unsigned flags;           /* schema_type_flags */
	bool is_defined, is_printed, is_printing, is_atomic;
	unsigned index;
};
struct gen {
	const char *domain;
	struct arena a;
	VEC(struct gen_type *) types;
	struct map by_name;
};

_Noreturn void die(const char *where, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *copy(struct gen *g, struct slice s);

/* parse.c */
void parse_kind_file(struct gen *g, const char *path);
void parse_check(struct gen *g);
/* over.c: after all .kind files */
void parse_over_file(struct gen *g, const char *path);
/* lines.c: splits a line into words; "quoted words" lose their quotes. Returns their number. */
unsigned words_split(struct gen *g, const char *where, struct slice line, char **words, unsigned max);
void each_line(struct gen *g, const char *path, void (*fn)(struct gen *g, const char *where, struct slice line, void *data), void *data);
/* names.c */
char *snake_case(struct gen *g, const char *name);
/* emit_h.c, emit_c.c */
void emit_header(struct gen *g, struct buf *out);
void emit_rows(struct gen *g, struct buf *out);
