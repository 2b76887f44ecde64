/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the template engine: the parsed form and the functions. */
#pragma once
#include "cli/template.h"

enum node_kind { NODE_TEXT, NODE_ACTION, NODE_IF, NODE_RANGE, NODE_WITH, NODE_BREAK, NODE_CONTINUE };
enum term_kind { TERM_DOT, TERM_NIL, TERM_VALUE, TERM_FIELD, TERM_VARIABLE, TERM_FUNCTION, TERM_PIPE };

struct pipe;
struct term {
	enum term_kind kind;
	struct val value;
	struct slice name;               /* variable or function */
	const struct func *func;
	struct slice *chain;             /* .A.B behind it */
	size_t n_chain;
	struct pipe *pipe;
	struct slice text;               /* as written, for errors */
	size_t at;                       /* offset in the template */
	struct term *next;
};
struct command { struct term *terms; struct command *next; };
struct pipe {
	struct slice variables[2];
	unsigned n_variables;
	bool declares;                   /* := against = */
	struct command *commands;
};
struct node {
	enum node_kind kind;
	struct slice text;
	struct pipe *pipe;
	struct node *body, *other;
	struct node *next;
};
struct template { struct node *nodes; const char *text; };

struct func {
	const char *name;
	int least, most;                 /* arguments; most < 0: any */
	int (*call)(struct arena *a, const struct val *args, size_t n, struct val *ret, struct err *e);
};
const struct func *func_find(struct slice name);
