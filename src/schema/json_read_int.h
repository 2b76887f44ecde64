/* SPDX-License-Identifier: Apache-2.0 */
/* The state of one decoding from JSON; shared by json_read.c, json_scalar.c and json_error.c. */
#pragma once
#include "codec/json.h"
#include "schema/schema_int.h"

struct dec {
	struct json_in in;
	const struct schema_domain *d;
	struct arena *a;
	struct gather g;
	unsigned flags, depth;
	struct buf *problems;       /* NULL unless strict */
	unsigned n_problems;
	struct err *e;
	char key[768];              /* a key with escapes, until the next one */
};

/* json_error.c; each fills d->e and returns its code */
int dec_bad(struct dec *d, const char *what);                   /* not JSON */
int dec_syntax(struct dec *d);                                  /* json_* has failed */
/* "json: cannot unmarshal VALUE into Go struct field T.path of type X"; type NULL: the field's own */
int dec_type_error(struct dec *d, const struct frame *fr, const char *value, const char *type);
/* The same for whatever the cursor is at. */
int dec_wrong(struct dec *d, const struct frame *fr, const char *type);
int dec_no_room(struct dec *d);
/* Notes an unknown or duplicate field at fr. */
void dec_problem(struct dec *d, const struct frame *fr, const char *what, struct slice name);

/* json_scalar.c: one value that is no message; fr says where. */
int dec_scalar(struct dec *d, const struct frame *fr, const struct schema_field *f, void *dst);
/* A string's value in the arena, terminated; the cursor is at the quote. */
int dec_text(struct dec *d, const char **ret);
