/* SPDX-License-Identifier: Apache-2.0 */
/* A regular expression as a program for all states at once. */
#pragma once
#include "schema/crd_int.h"

enum { REGEX_MAX_REPEAT = 1000, REGEX_MAX_DEPTH = 200, REGEX_MAX_PROGRAM = 20000, REGEX_MAX_WORK = 1 << 28 };

enum regex_op { RE_MATCH, RE_CHAR, RE_CLASS, RE_SPLIT, RE_JUMP, RE_BEGIN_TEXT, RE_END_TEXT, RE_BEGIN_LINE, RE_END_LINE, RE_WORD, RE_NO_WORD };

struct regex_range { uint32_t lo, hi; };
/* Unicode properties: PCRE2 says for one character. */
struct regex_property {
	struct regex_property *next;
	void *code;                     /* pcre2_code */
	bool is_negative;
};
struct regex_class {
	struct regex_range *range;
	uint32_t n, room;
	bool is_negative;
	struct regex_property *property;
};
struct regex_inst {
	uint8_t op;
	uint32_t a, b;                  /* CHAR: the character; SPLIT, JUMP: where to */
	const struct regex_class *class;
};
struct crd_pattern {
	struct crd_pattern *next;
	struct arena arena;
	struct regex_inst *program;
	uint32_t n, room;
	struct regex_property **properties;   /* all, to be freed */
	uint32_t n_properties, properties_room;
};

/* Parsed. */
enum regex_node_kind { RN_EMPTY, RN_CHAR, RN_CLASS, RN_ASSERT, RN_CAT, RN_ALT, RN_REPEAT };
struct regex_node {
	uint8_t kind, op;               /* ASSERT: its enum regex_op */
	uint32_t c;
	struct regex_class *class;
	struct regex_node *left, *right;  /* CAT, ALT; REPEAT: left */
	int min, max;                   /* REPEAT; max -1: no end */
};
/* One character of UTF-8; *n bytes. Broken bytes stand for U+FFFD. */
uint32_t regex_rune(const char *p, const char *end, unsigned *n);
/* crd_regex_parse.c: 0, -EINVAL (e: Go's words), -E2BIG */
int regex_parse(struct crd_pattern *p, const char *text, struct regex_node **ret, struct err *e);
/* Is c a member, as PCRE2 sees it? */
bool regex_has_property(const struct regex_property *x, uint32_t c);
