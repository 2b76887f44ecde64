/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/man.h"

static void text(const char *s, struct buf *out)
{
	for (; *s; s++) {
		if (*s == '-')
			buf_adds(out, "\\-");
		else if (*s == '\\')
			buf_adds(out, "\\e");
		else
			buf_addf(out, "%c", *s);
	}
}

void man_command(const char *usage, const char *help, struct buf *out)
{
	buf_adds(out, ".SS ");
	text(usage, out);
	buf_adds(out, "\n");
	text(help, out);
	buf_adds(out, ".\n");
}

void man_flags(const struct flag *rows, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (rows[i].bits & FLAG_HIDDEN)
			continue;
		buf_adds(out, ".TP\n");
		if (rows[i].letter)
			buf_addf(out, "\\fB\\-%c\\fR, ", rows[i].letter);
		buf_adds(out, "\\fB\\-\\-");
		text(rows[i].name, out);
		buf_addf(out, "\\fR \\fI%s\\fR\n", flag_type_word(&rows[i]));
		text(rows[i].help, out);
		buf_adds(out, "\n");
	}
}
