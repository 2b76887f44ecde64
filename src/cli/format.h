/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --format for listings: "table" (the default form's columns), "table TEMPLATE",
 * "json", "raw"-less TEMPLATE. A command fills rows; the first says the headings.
 */
#pragma once
#include "cli/cmd.h"
#include "cli/value.h"

struct listing {
	struct cli *c;
	const char *format;              /* as the user or the configuration says; "" for the default */
	const char *table;               /* the default's columns, as a template */
	const char *quiet;               /* template for -q; NULL: none */
	struct template *t;
	bool is_table;
	bool headed;
	struct buf text;                 /* of a table, until it is laid out */
};
/* quiet: -q was given. */
int listing_begin(struct listing *l, struct cli *c, const char *format, bool quiet, const char *table, const char *quiet_template,
		  struct err *e);
/* True if the form asks for this field (".Size"). */
bool listing_uses(const struct listing *l, const char *field);
int listing_row(struct listing *l, const struct val_row *row, struct err *e);
/* heads: fields with headings, for a table without rows. */
int listing_end(struct listing *l, const struct val_field *heads, size_t n, struct err *e);
/* One value by --format (a template or json), with a newline; for version, info, events. */
int format_value(struct cli *c, const char *format, const struct val *v, struct err *e);
