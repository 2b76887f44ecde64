/* SPDX-License-Identifier: Apache-2.0 */
/* Listings. See format.h. */
#include "cli/format.h"
#include "cli/table.h"
#include "cli/template.h"

/* "\t" and "\n" written as two characters mean what they say. */
static const char *unescape(struct cli *c, const char *s)
{
	char *out = arena_strdup(&c->arena, s), *q = out;

	if (!out)
		return s;
	for (const char *p = out; *p; p++) {
		if (p[0] == '\\' && (p[1] == 't' || p[1] == 'n')) {
			*q++ = p[1] == 't' ? '\t' : '\n';
			p++;
		} else {
			*q++ = *p;
		}
	}
	*q = 0;
	return out;
}

static int parse(struct cli *c, const char *text, struct template **ret, struct err *e)
{
	int r = template_parse(&c->arena, text, ret, e);
	return r < 0 ? err_prefix(e, "failed to parse template") : 0;
}

int listing_begin(struct listing *l, struct cli *c, const char *format, bool quiet, const char *table, const char *quiet_template,
		  struct err *e)
{
	const char *text = format;

	*l = (struct listing){ .c = c, .table = table, .quiet = quiet_template, .text = BUF_INIT(256 << 20) };
	if (quiet && quiet_template && (!*format || strcmp(format, "table") == 0)) {
		text = quiet_template;
	} else if (!*format || strcmp(format, "table") == 0) {
		l->is_table = true;
		text = table;
	} else if (strcmp(format, "json") == 0) {
		text = "{{json .}}";
	} else if (strncmp(format, "table ", 6) == 0) {
		l->is_table = true;
		text = format + 6;
		while (*text == ' ' || *text == '\t')
			text++;
	}
	l->format = unescape(c, text);
	return parse(c, l->format, &l->t, e);
}

bool listing_uses(const struct listing *l, const char *field)
{
	const char *p = l->format;
	size_t n = strlen(field);

	while ((p = strstr(p, field))) {
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", p[n]) || !p[n])
			return true;
		p += n;
	}
	return strstr(l->format, "json .}}") != NULL;
}

static int print_row(struct listing *l, const struct val_row *row, struct err *e)
{
	struct val dot = { .kind = VAL_ROW, .row = row };
	int r = template_run(l->t, &l->c->arena, &dot, false, &l->text, e);

	if (r < 0)
		return err_prefix(e, "failed to execute template");
	buf_addc(&l->text, '\n');
	return 0;
}

static int head(struct listing *l, const struct val_field *fields, size_t n, struct err *e)
{
	struct val_row row = { .fields = fields, .n = n, .headings = true };

	if (!l->is_table || l->headed)
		return 0;
	l->headed = true;
	return print_row(l, &row, e);
}

int listing_row(struct listing *l, const struct val_row *row, struct err *e)
{
	int r = head(l, row->fields, row->n, e);
	return r < 0 ? r : print_row(l, row, e);
}

int listing_end(struct listing *l, const struct val_field *heads, size_t n, struct err *e)
{
	int r = head(l, heads, n, e);

	if (r < 0)
		return r;
	if (l->is_table)
		table_layout(buf_slice(&l->text), 10, 3, &l->c->out);
	else
		buf_addslice(&l->c->out, buf_slice(&l->text));
	r = buf_error(&l->text);
	buf_release(&l->text);
	return r < 0 ? err_set(e, -r, "the list is too long") : 0;
}

int format_value(struct cli *c, const char *format, const struct val *v, struct err *e)
{
	struct template *t;
	int r;

	if (strcmp(format, "json") == 0)
		format = "{{json .}}";
	if ((r = template_parse(&c->arena, unescape(c, format), &t, e)) < 0)
		return err_prefix(e, "template parsing error");
	if ((r = template_run(t, &c->arena, v, true, &c->out, e)) < 0)
		return r;
	cli_print(c, "\n");
	return 0;
}
