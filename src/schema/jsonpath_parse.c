/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSONPath templates: reading them. Where kubectl's reader is odd, so is this
 * one, because people's scripts rely on it: a quoted key in brackets is read as a
 * path of its own, so dots in it must be escaped (['app\.kubernetes\.io/name']).
 */
#include "base/num.h"
#include "schema/jsonpath_int.h"
#include "schema/schema_int.h"

struct parser {
	const char *p, *end;
	struct arena *a;
	struct err *e;
	unsigned depth;
};

static int no_room(struct parser *x) { return err_set(x->e, E2BIG, "the template is too large"); }

static int bad(struct parser *x, const char *what) { return err_set(x->e, EINVAL, "%s", what); }

static struct jp_step *add(struct parser *x, struct jp_list *l, uint8_t kind)
{
	if (!l->room) {
		uint32_t more = MAX(l->n, 4u);
		struct jp_step *v = arena_array(x->a, (size_t)l->n + more, sizeof *v);
		if (!v)
			return NULL;
		if (l->n)
			memcpy(v, l->v, l->n * sizeof *v);
		l->v = v;
		l->room = more;
	}
	struct jp_step *s = &l->v[l->n++];
	l->room--;
	*s = (struct jp_step){ .kind = kind };
	return s;
}

static bool is_line_end(char c) { return c == '\r' || c == '\n'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_word(char c) { return c == '_' || is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80; }

static bool is_terminator(const struct parser *x, const char *p)
{
	return p >= x->end || is_line_end(*p) || (*p && strchr(" \t.,[]$@{}", *p));
}

static bool at(const struct parser *x, const char *what)
{
	size_t n = strlen(what);
	return (size_t)(x->end - x->p) >= n && !memcmp(x->p, what, n);
}

static int steps(struct parser *x, struct jp_list *l, bool has_end);

/* Reads text as the inside of an action. */
static int inside(struct parser *x, struct slice text, struct jp_list *ret)
{
	struct parser below = { text.ptr, text.ptr + text.len, x->a, x->e, x->depth + 1 };
	if (below.depth > JSONPATH_MAX_DEPTH)
		return err_set(x->e, E2BIG, "the template is nested too deeply");
	return steps(&below, ret, false);
}

/* Escapes of a quoted string, as Go has them. */
static int unquote(struct parser *x, struct slice s, struct slice *ret)
{
	static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
	char *out = arena_chars(x->a, s.len + 1);
	size_t n = 0;
	if (!out)
		return no_room(x);
	for (size_t i = 0; i < s.len; i++) {
		const char *known;
		uint64_t code;
		if (s.ptr[i] != '\\') {
			out[n++] = s.ptr[i];
			continue;
		}
		char c = ++i < s.len ? s.ptr[i] : 0;
		size_t width = c == 'x' ? 2 : c == 'u' ? 4 : 0;
		if (c && (known = strchr(from, c))) {
			out[n++] = to[known - from];
		} else if (width && i + width < s.len && num_parse_base(slice_n(s.ptr + i + 1, width), 16, 0xffff, &code) == 0) {
			i += width;
			if (code < 0x80 || width == 2) {
				out[n++] = (char)code;
			} else if (code < 0x800) {
				out[n++] = (char)(0xc0 | code >> 6);
				out[n++] = (char)(0x80 | (code & 0x3f));
			} else {
				out[n++] = (char)(0xe0 | code >> 12);
				out[n++] = (char)(0x80 | (code >> 6 & 0x3f));
				out[n++] = (char)(0x80 | (code & 0x3f));
			}
		} else {
			return err_set(x->e, EINVAL, "unquote string %.*s error invalid syntax", SLICE_FMT(s));
		}
	}
	*ret = slice_n(out, n);
	return 0;
}

static int quoted(struct parser *x, struct jp_list *l)
{
	char quote = *x->p++;
	const char *from = x->p;
	for (;; x->p++) {
		if (x->p >= x->end || *x->p == '\n')
			return bad(x, "unterminated quoted string");
		if (*x->p == quote && x->p[-1] != '\\')
			break;
	}
	struct slice text = { 0 };
	int r = unquote(x, slice_n(from, (size_t)(x->p - from)), &text);
	struct jp_step *s = r < 0 ? NULL : add(x, l, JP_CONST);
	if (!s)
		return r < 0 ? r : no_room(x);
	x->p++;
	s->value = tree_string(text);
	s->is_text = true;
	return 0;
}

static int field(struct parser *x, struct jp_list *l)
{
	const char *from = x->p;
	bool is_escaped = false;
	while (!is_terminator(x, x->p)) {
		is_escaped |= *x->p == '\\';
		x->p += *x->p == '\\' && x->p + 1 < x->end ? 2 : 1;
	}
	struct slice name = slice_n(from, (size_t)(x->p - from));
	if (is_escaped) {
		char *out = arena_chars(x->a, name.len + 1);
		size_t n = 0;
		if (!out)
			return no_room(x);
		for (size_t i = 0; i < name.len; i++)
			if (name.ptr[i] != '\\')
				out[n++] = name.ptr[i];
		name = slice_n(out, n);
	}
	struct jp_step *s = add(x, l, slice_is(name, "*") ? JP_WILDCARD : JP_FIELD);
	if (!s)
		return no_room(x);
	s->name = name;
	return 0;
}

static int number(struct parser *x, struct jp_list *l)
{
	const char *from = x->p;
	int64_t i;
	x->p += *x->p == '+' || *x->p == '-';
	while (x->p < x->end && (*x->p == '.' || is_digit(*x->p)))
		x->p++;
	struct slice text = slice_n(from, (size_t)(x->p - from));
	if (text.len && text.ptr[0] == '+')
		text = slice_n(text.ptr + 1, text.len - 1);
	bool has_digit = false;
	unsigned dots = 0;
	for (size_t k = 0; k < text.len; k++) {
		has_digit |= is_digit(text.ptr[k]);
		dots += text.ptr[k] == '.';
	}
	if (!has_digit || dots > 1 || (!dots && num_parse_i64(text, INT64_MIN, INT64_MAX, &i) < 0))
		return err_set(x->e, EINVAL, "cannot parse number %.*s", (int)(x->p - from), from);
	struct jp_step *s = add(x, l, JP_CONST);
	if (!s)
		return no_room(x);
	s->value = tree_number(text);
	return 0;
}

static int identifier(struct parser *x, struct jp_list *l)
{
	const char *from = x->p;
	while (!is_terminator(x, x->p))
		x->p++;
	struct slice name = slice_n(from, (size_t)(x->p - from));
	bool is_bool = slice_is(name, "true") || slice_is(name, "false");
	if (!is_bool && !slice_is(name, "range") && !slice_is(name, "end"))
		return err_set(x->e, EINVAL, "unrecognized identifier %.*s", SLICE_FMT(name));
	struct jp_step *s = add(x, l, is_bool ? JP_CONST : slice_is(name, "range") ? JP_RANGE : JP_END);
	if (!s)
		return no_room(x);
	s->value = tree_bool(slice_is(name, "true"));
	return 0;
}

/* "1:3:2" of a bracket; each part may be empty. */
static int slices(struct parser *x, struct slice text, struct jp_list *l)
{
	struct jp_param p[3] = { { 0 } };
	struct slice rest = text, part;
	unsigned n = 0;
	while (slice_next(&rest, ':', &part)) {
		if (n >= 3 || (part.len && num_parse_i64(part, INT32_MIN, INT32_MAX, &p[n].value) < 0))
			return err_set(x->e, EINVAL, "invalid array index %.*s", SLICE_FMT(text));
		p[n].is_known = part.len > 0;
		n++;
	}
	if (n == 0 || (n == 1 && !p[0].is_known && text.len))
		return err_set(x->e, EINVAL, "invalid array index %.*s", SLICE_FMT(text));
	if (n == 1)
		p[1] = (struct jp_param){ p[0].value + 1, true, true };
	struct jp_step *s = add(x, l, JP_ARRAY);
	if (!s)
		return no_room(x);
	memcpy(s->param, p, sizeof p);
	return 0;
}

static int bracket(struct parser *x, struct jp_list *l);

static int union_of(struct parser *x, struct slice text, struct jp_list *l)
{
	uint32_t n = 1;
	struct slice part;
	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] == ',';
	struct jp_list *branch = arena_array(x->a, n, sizeof *branch);
	if (!branch)
		return no_room(x);
	for (uint32_t i = 0; slice_next(&text, ',', &part); i++) {
		part = slice_trim(part);
		char *copy = arena_fmt(x->a, "[%.*s]", SLICE_FMT(part));
		int r = copy ? inside(x, slice_of(copy), &branch[i]) : no_room(x);
		if (r < 0)
			return r;
	}
	struct jp_step *s = add(x, l, JP_UNION);
	if (!s)
		return no_room(x);
	s->branch = branch;
	s->n_branches = n;
	return 0;
}

/* Behind "[". */
static int bracket(struct parser *x, struct jp_list *l)
{
	const char *from = x->p;
	while (x->p < x->end && *x->p != ']' && *x->p != '\n')
		x->p++;
	if (x->p >= x->end || *x->p == '\n')
		return bad(x, "unterminated array");
	struct slice text = slice_n(from, (size_t)(x->p++ - from));
	if (slice_is(text, "*"))
		text = SLICE(":");
	if (slice_find(text, ',') >= 0)
		return union_of(x, text, l);
	if (text.len >= 2 && text.ptr[0] == '\'' && text.ptr[text.len - 1] == '\'' && !memchr(text.ptr + 1, '\'', text.len - 2)) {
		char *copy = arena_fmt(x->a, ".%.*s", (int)text.len - 2, text.ptr + 1);
		struct jp_list below = { 0 };
		int r = copy ? inside(x, slice_of(copy), &below) : no_room(x);
		for (uint32_t i = 0; r == 0 && i < below.n; i++) {
			struct jp_step *s = add(x, l, 0);
			r = s ? (*s = below.v[i], 0) : no_room(x);
		}
		return r;
	}
	return slices(x, text, l);
}

static int op_of(struct parser *x, struct slice s, uint8_t *ret)
{
	static const char *const ops[] = { [JP_EQ] = "==", [JP_NE] = "!=", [JP_LT] = "<", [JP_LE] = "<=", [JP_GT] = ">", [JP_GE] = ">=" };
	for (uint8_t i = JP_EQ; i <= JP_GE; i++)
		if (slice_is(s, ops[i])) {
			*ret = i;
			return 0;
		}
	return err_set(x->e, EINVAL, "unrecognized filter operator %.*s", SLICE_FMT(s));
}

/* The text between "[?(" and ")]": a comparison, or something that must be there. */
static int condition(struct parser *x, struct slice text, struct jp_list *l)
{
	size_t i = 0, k;
	uint8_t op = JP_EXISTS;
	struct jp_list left = { 0 }, right = { 0 };
	while (i < text.len && !strchr("!<>=", text.ptr[i] ? text.ptr[i] : ' '))
		i++;
	for (k = i; k < text.len && text.ptr[k] && strchr("!<>=", text.ptr[k]); k++)
		;
	int r;
	if (i == 0 || i == text.len || k == text.len) {
		r = inside(x, text, &left);
	} else {
		r = inside(x, slice_n(text.ptr, i), &left);
		if (r == 0)
			r = inside(x, slice_n(text.ptr + k, text.len - k), &right);
		if (r == 0)
			r = op_of(x, slice_n(text.ptr + i, k - i), &op);
	}
	struct jp_step *s = r < 0 ? NULL : add(x, l, JP_FILTER);
	if (!s)
		return r < 0 ? r : no_room(x);
	s->op = op;
	s->left = left;
	s->right = right;
	return 0;
}

/* At "[?(". */
static int filter(struct parser *x, struct jp_list *l)
{
	const char *from = x->p += 3;
	char quote = 0;
	bool is_open = false;
	for (;; x->p++) {
		if (x->p >= x->end || *x->p == '\n')
			return bad(x, "unterminated filter");
		if (*x->p == '"' || *x->p == '\'') {
			if (!quote) {
				quote = *x->p;
				is_open = true;
			} else if (*x->p == quote && x->p[-1] != '\\') {
				is_open = false;
			}
		} else if (*x->p == ')' && !is_open) {
			break;
		}
	}
	struct slice text = slice_n(from, (size_t)(x->p++ - from));
	if (x->p >= x->end || *x->p != ']')
		return bad(x, "unclosed array expect ]");
	x->p++;
	return condition(x, text, l);
}

static int recursive(struct parser *x, struct jp_list *l)
{
	if (l->n && l->v[l->n - 1].kind == JP_RECURSIVE)
		return bad(x, "invalid multiple recursive descent");
	x->p += 2;
	if (!add(x, l, JP_RECURSIVE))
		return no_room(x);
	return x->p < x->end && is_word(*x->p) ? field(x, l) : 0;
}

/* Up to "}", or to the end where there is none to come. */
static int steps(struct parser *x, struct jp_list *l, bool has_end)
{
	for (;;) {
		int r = 0;
		if (x->p >= x->end)
			return has_end ? bad(x, "unclosed action") : 0;
		if (*x->p == '}' && has_end) {
			x->p++;
			return 0;
		}
		if (at(x, "[?("))
			r = filter(x, l);
		else if (at(x, ".."))
			r = recursive(x, l);
		else if (is_line_end(*x->p))
			r = bad(x, "unclosed action");
		else if (*x->p == ' ' || *x->p == '@' || *x->p == '$')
			x->p++;
		else if (*x->p == '[')
			r = (x->p++, bracket(x, l));
		else if (*x->p == '"' || *x->p == '\'')
			r = quoted(x, l);
		else if (*x->p == '.')
			r = (x->p++, field(x, l));
		else if (*x->p == '+' || *x->p == '-' || is_digit(*x->p))
			r = number(x, l);
		else if (is_word(*x->p))
			r = identifier(x, l);
		else
			r = err_set(x->e, EINVAL, "unrecognized character in action: U+%04X '%c'", (unsigned char)*x->p, *x->p);
		if (r < 0)
			return r;
	}
}

static struct jp_item *add_item(struct parser *x, struct jsonpath *t)
{
	if (!t->room) {
		uint32_t more = MAX(t->n, 4u);
		struct jp_item *v = arena_array(x->a, (size_t)t->n + more, sizeof *v);
		if (!v)
			return NULL;
		if (t->n)
			memcpy(v, t->v, t->n * sizeof *v);
		t->v = v;
		t->room = more;
	}
	t->room--;
	return &t->v[t->n++];
}

static int template(struct parser *x, struct jsonpath *t)
{
	while (x->p < x->end) {
		const char *open = memchr(x->p, '{', (size_t)(x->end - x->p));
		size_t n = (size_t)((open ? open : x->end) - x->p);
		struct jp_item *item = add_item(x, t);
		if (!item)
			return no_room(x);
		if (n) {
			*item = (struct jp_item){ .is_text = true, .text = tree_string(slice_n(x->p, n)) };
			x->p += n;
			continue;
		}
		x->p++;
		*item = (struct jp_item){ 0 };
		int r = steps(x, &item->steps, true);
		if (r < 0)
			return r;
	}
	return 0;
}

/* "metadata.name", ".metadata.name" and "{metadata.name}" are {.metadata.name}. */
static int relax(struct slice text, struct arena *a, struct slice *ret, struct err *e)
{
	struct slice s = text;
	bool is_braced = s.len >= 2 && s.ptr[0] == '{' && s.ptr[s.len - 1] == '}';
	if (is_braced)
		s = slice_n(s.ptr + 1, s.len - 2);
	if (s.len && s.ptr[0] == '.')
		s = slice_n(s.ptr + 1, s.len - 1);
	if (!s.len || slice_find(s, '{') >= 0 || slice_find(s, '}') >= 0)
		return err_set(e, EINVAL, "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'");
	char *out = arena_fmt(a, "{.%.*s}", SLICE_FMT(s));
	*ret = slice_of(out);
	return out ? 0 : err_set(e, E2BIG, "the template is too large");
}

int jsonpath_parse(struct slice text, unsigned flags, struct arena *a, struct jsonpath **ret, struct err *e)
{
	char *copy = arena_dup(a, text);
	struct jsonpath *t = arena_new(a, struct jsonpath);
	if (!copy || !t)
		return err_set(e, E2BIG, "the template is too large");
	text = slice_n(copy, text.len);
	if (flags & JSONPATH_RELAXED && text.len) {
		int r = relax(text, a, &text, e);
		if (r < 0)
			return r;
	}
	struct parser x = { text.ptr, text.ptr + text.len, a, e, 0 };
	int r = template(&x, t);
	if (r == 0)
		*ret = t;
	return r;
}
