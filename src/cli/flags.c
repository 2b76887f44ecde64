/* SPDX-License-Identifier: Apache-2.0 */
/* Flags: parsing, values, help text. See flags.h. */
#include "cli/flags.h"
#include "cli/text.h"
#include <ctype.h>
#include "base/assert.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/num.h"

static const char *const type_words[] = {
	[FLAG_BOOL] = "", [FLAG_STRING] = "string", [FLAG_INT] = "int", [FLAG_UINT16] = "uint16", [FLAG_UINT] = "uint",
	[FLAG_BYTES] = "bytes", [FLAG_SWAP] = "bytes", [FLAG_DECIMAL] = "decimal", [FLAG_DURATION] = "duration",
	[FLAG_LIST] = "list", [FLAG_CSV] = "strings", [FLAG_MAP] = "map", [FLAG_FILTER] = "filter",
};

const char *flag_type_word(const struct flag *f)
{
	return f->type_name ? f->type_name : type_words[f->type];
}

static bool is_many(enum flag_type t)
{
	return t >= FLAG_LIST;
}

static const struct flag *row_by_name(const struct flags *f, struct slice name)
{
	for (size_t i = 0; i < f->n; i++)
		if (slice_is(name, f->rows[i].name))
			return &f->rows[i];
	return NULL;
}

static const struct flag *row_by_letter(const struct flags *f, char c)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->rows[i].letter == c)
			return &f->rows[i];
	return NULL;
}

/* --- values ------------------------------------------------------------------ */

int cli_parse_bool(const char *v, bool *ret)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (strcmp(v, yes[i]) == 0) {
			*ret = true;
			return 0;
		}
		if (strcmp(v, no[i]) == 0) {
			*ret = false;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_number(const struct flag *row, const char *v, int64_t *ret, struct err *e)
{
	struct slice s = slice_of(v);
	uint64_t u = 0;
	int r;

	switch (row->type) {
	case FLAG_INT: {
		struct slice digits = s;
		if (slice_starts(digits, "+"))
			digits = slice_n(s.ptr + 1, s.len - 1);
		r = num_parse_i64(digits, INT64_MIN, INT64_MAX, ret);
		if (r < 0)
			return err_set(e, EINVAL, "strconv.ParseInt: parsing \"%s\": %s", v,
				       r == -ERANGE ? "value out of range" : "invalid syntax");
		return 0;
	}
	case FLAG_UINT16:
	case FLAG_UINT:
		r = num_parse_u64(s, row->type == FLAG_UINT16 ? 65535 : INT64_MAX, &u);
		if (r < 0)
			return err_set(e, EINVAL, "strconv.ParseUint: parsing \"%s\": %s", v,
				       r == -ERANGE ? "value out of range" : "invalid syntax");
		*ret = (int64_t)u;
		return 0;
	case FLAG_SWAP:
		if (strcmp(v, "-1") == 0) {
			*ret = -1;
			return 0;
		}
		/* fallthrough */
	case FLAG_BYTES:
		if (num_parse_bytes(s, ret) < 0)
			return err_set(e, EINVAL, "invalid size: '%s'", v);
		return 0;
	case FLAG_DECIMAL: {
		bool negative = slice_starts(s, "-");
		if (num_parse_nano(negative ? slice_n(s.ptr + 1, s.len - 1) : s, ret) < 0)
			return err_set(e, EINVAL, "failed to parse %s as a rational number", v);
		if (negative)
			*ret = -*ret;
		return 0;
	}
	case FLAG_DURATION:
		if (duration_parse(s, ret) < 0)
			return err_set(e, EINVAL, "time: invalid duration \"%s\"", v);
		return 0;
	default:
		return 0;
	}
}

static int check_pair(const struct flag *row, const char *v, struct err *e)
{
	const char *eq = strchr(v, '=');

	if (row->type == FLAG_FILTER && *v && (!eq))
		return err_set(e, EINVAL, "bad format of filter (expected name=value)");
	return 0;
}

static int push(struct flags *f, struct flag_value *fv, const char *v)
{
	if (fv->n == fv->cap) {
		size_t cap = fv->cap ? fv->cap * 2 : 4;
		const char **grown = arena_array(f->arena, cap, sizeof *grown);
		if (!grown)
			return -ENOMEM;
		if (fv->n)
			memcpy(grown, fv->v, fv->n * sizeof *grown);
		fv->v = grown;
		fv->cap = cap;
	}
	fv->v[fv->n++] = v;
	return 0;
}

static int store(struct flags *f, const struct flag *row, const char *v, struct err *why)
{
	struct flag_value *fv = &f->values[row - f->rows];
	int64_t ignored;
	bool b;
	int r;

	if (row->type == FLAG_BOOL) {
		if (cli_parse_bool(v, &b) < 0)
			return err_set(why, EINVAL, "strconv.ParseBool: parsing \"%s\": invalid syntax", v);
		v = b ? "true" : "false";
	} else if ((r = parse_number(row, v, &ignored, why)) < 0) {
		return r;
	}
	if (is_many(row->type) && (r = check_pair(row, v, why)) < 0)
		return r;
	if (row->check && (r = row->check(v, why)) < 0)
		return r;
	fv->changed = true;
	if (!is_many(row->type))
		fv->n = 0;
	if (row->type != FLAG_CSV)
		return push(f, fv, v) < 0 ? err_nomem(why) : 0;
	struct slice rest = slice_of(v), piece;
	while (slice_next(&rest, ',', &piece))
		if (push(f, fv, arena_dup(f->arena, piece)) < 0)
			return err_nomem(why);
	return 0;
}

static int set_value(struct flags *f, const struct flag *row, const char *v, struct err *e)
{
	struct err why = { 0 };
	int r = store(f, row, v, &why);

	if (r >= 0)
		return 0;
	if (row->letter)
		return err_set(e, EINVAL, "invalid argument \"%s\" for \"-%c, --%s\" flag: %s", v, row->letter, row->name, why.text);
	return err_set(e, EINVAL, "invalid argument \"%s\" for \"--%s\" flag: %s", v, row->name, why.text);
}

/* --- parsing ------------------------------------------------------------------ */

struct words {
	int argc, at;
	const char *const *argv;
};

static int parse_long(struct flags *f, const char *arg, struct words *w, struct err *e)
{
	struct slice name, value, all = slice_of(arg + 2);
	bool has_value = slice_cut(all, '=', &name, &value);
	const struct flag *row;

	if (name.len == 0 || name.ptr[0] == '-')
		return err_set(e, EINVAL, "bad flag syntax: %s", arg);
	row = row_by_name(f, name);
	if (!row) {
		if (slice_is(name, "help")) {
			f->help = true;
			return 0;
		}
		return err_set(e, EINVAL, "unknown flag: --%.*s", SLICE_FMT(name));
	}
	if (has_value)
		return set_value(f, row, value.ptr, e);
	if (row->type == FLAG_BOOL || row->bare)
		return set_value(f, row, row->bare ? row->bare : "true", e);
	if (w->at >= w->argc)
		return err_set(e, EINVAL, "flag needs an argument: %s", arg);
	return set_value(f, row, w->argv[w->at++], e);
}

static int parse_shorts(struct flags *f, const char *arg, struct words *w, struct err *e)
{
	for (const char *p = arg + 1; *p; p++) {
		const struct flag *row = row_by_letter(f, *p);
		if (!row) {
			if (*p == 'h') {
				f->help = true;
				return 0;
			}
			return err_set(e, EINVAL, "unknown shorthand flag: '%c' in %s", *p, arg);
		}
		if (p[1] == '=')
			return set_value(f, row, p + 2, e);
		if (row->type == FLAG_BOOL || (row->bare && !p[1])) {
			int r = set_value(f, row, row->bare ? row->bare : "true", e);
			if (r < 0)
				return r;
			continue;
		}
		if (p[1])
			return set_value(f, row, p + 1, e);
		if (w->at >= w->argc)
			return err_set(e, EINVAL, "flag needs an argument: '%c' in %s", *p, arg);
		return set_value(f, row, w->argv[w->at++], e);
	}
	return 0;
}

int flags_parse(struct flags *f, struct arena *a, const struct flag *rows, size_t n, int argc, const char *const *argv,
		bool intermixed, struct err *e)
{
	struct words w = { .argc = argc, .argv = argv };
	int r = 0;

	*f = (struct flags){ .rows = rows, .n = n, .arena = a, .dash = -1 };
	f->values = arena_array(a, n ? n : 1, sizeof *f->values);
	f->argv = arena_array(a, (size_t)argc + 1, sizeof *f->argv);
	if (!f->values || !f->argv)
		return err_nomem(e);
	while (w.at < argc && r >= 0) {
		const char *arg = argv[w.at++];
		if (arg[0] != '-' || arg[1] == '\0') {
			f->argv[f->argc++] = arg;
			if (!intermixed)
				break;
		} else if (arg[1] == '-' && arg[2] == '\0') {
			f->dash = f->argc;
			break;
		} else if (arg[1] == '-') {
			r = parse_long(f, arg, &w, e);
		} else {
			r = parse_shorts(f, arg, &w, e);
		}
		if (f->help)
			return 0;
	}
	while (w.at < argc)
		f->argv[f->argc++] = argv[w.at++];
	return r;
}

/* --- asking ------------------------------------------------------------------ */

static const struct flag_value *value_of(const struct flags *f, const char *name, const struct flag **row)
{
	*row = row_by_name(f, slice_of(name));
	must(*row != NULL);
	return &f->values[*row - f->rows];
}

bool flag_known(const struct flags *f, const char *name)
{
	return row_by_name(f, slice_of(name)) != NULL;
}

const char *flag_str(const struct flags *f, const char *name)
{
	const struct flag *row;
	const struct flag_value *v = value_of(f, name, &row);

	if (v->n)
		return v->v[v->n - 1];
	return row->initial ? row->initial : "";
}

bool flag_bool(const struct flags *f, const char *name)
{
	return strcmp(flag_str(f, name), "true") == 0;
}

int64_t flag_num(const struct flags *f, const char *name)
{
	const struct flag *row;
	int64_t n = 0;

	value_of(f, name, &row);
	const char *text = flag_str(f, name);
	if (*text)
		parse_number(row, text, &n, NULL);
	return n;
}

bool flag_changed(const struct flags *f, const char *name)
{
	const struct flag *row;
	return value_of(f, name, &row)->changed;
}

const struct flag_value *flag_list(const struct flags *f, const char *name)
{
	const struct flag *row;
	return value_of(f, name, &row);
}

/* --- help ------------------------------------------------------------------ */

static void add_wrapped(struct buf *out, const char *text, size_t indent, size_t width)
{
	size_t col = 0;
	const char *p = text;

	while (*p) {
		size_t word = strcspn(p, " ");
		if (col && col + 1 + word > width) {
			buf_addf(out, "\n%*s", (int)indent, "");
			col = 0;
		} else if (col) {
			buf_addc(out, ' ');
			col++;
		}
		buf_add(out, p, word);
		col += word;
		p += word;
		while (*p == ' ')
			p++;
	}
}

static void add_default(const struct flag *row, char *dst, size_t size)
{
	dst[0] = 0;
	if (!row->initial || !*row->initial || strcmp(row->initial, "false") == 0)
		return;
	if (row->type == FLAG_STRING)
		fmt_into(dst, size, " (default \"%s\")", row->initial);
	else
		fmt_into(dst, size, " (default %s)", row->initial);
}

void flags_help(const struct flag *rows, size_t n, unsigned columns, struct buf *out)
{
	size_t widest = 0;

	for (size_t i = 0; i < n; i++) {
		const char *word = flag_type_word(&rows[i]);
		size_t len = 8 + strlen(rows[i].name) + (*word ? 1 + strlen(word) : 0);
		if (!(rows[i].bits & FLAG_HIDDEN))
			widest = MAX(widest, len);
	}
	for (size_t i = 0; i < n; i++) {
		const struct flag *row = &rows[i];
		const char *word = flag_type_word(row);
		size_t at = out->len;
		char initial[160], letter[8] = "   ";
		if (row->bits & FLAG_HIDDEN)
			continue;
		if (row->letter)
			fmt_into(letter, sizeof letter, "-%c,", row->letter);
		buf_addf(out, "  %s --%s%s%s", letter, row->name, *word ? " " : "", word);
		buf_addf(out, "%*s", (int)(widest + 3 - (out->len - at)), "");
		add_default(row, initial, sizeof initial);
		char *text = fmt_new("%s%s", row->help, initial);
		size_t room = columns > widest + 20 ? columns - widest - 3 : 20;
		if (text)
			add_wrapped(out, text, widest + 3, room);
		free(text);
		buf_addc(out, '\n');
	}
}
