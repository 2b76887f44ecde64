/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing and running kubectl's JSONPath templates. Source: kubernetes.io, "JSONPath Support". */
#include "schema/jsonpath.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/num.h"

enum { DEPTH_MOST = 32, RESULTS_MOST = 10000000, STEPS_MOST = 10000 };
enum kind { FIELD, WILDCARD, INDEX, FILTER, RECURSIVE, UNION, ROOT, CURRENT };
enum operation { EXISTS, EQUAL, NOT_EQUAL, LESS, GREATER, LESS_EQUAL, GREATER_EQUAL };

struct path { struct step *steps; uint32_t n; };
struct operand { bool is_path; struct path path; struct tree literal; };
struct step {
	enum kind kind;
	struct slice name;                       /* FIELD */
	int64_t from, to, by;                    /* INDEX; by 1 and to = from + 1 for one */
	bool has_from, has_to, single;
	enum operation op;                       /* FILTER */
	struct operand left, right;
	struct path *parts;                      /* UNION */
	uint32_t n_parts;
};
enum piece_kind { TEXT, PATH, RANGE, END };
struct piece { enum piece_kind kind; struct slice text; struct path path; };
struct jsonpath { struct piece *pieces; uint32_t n; };

/* --- parsing ---------------------------------------------------------------------------------- */
struct parser { const char *at, *end; struct arena *a; struct err *e; unsigned depth; unsigned steps; };

static int bad(struct parser *p, const char *why) { return err_set(p->e, EINVAL, "%s", why); }

static int push(struct parser *p, struct path *to, struct step s)
{
	if (++p->steps > STEPS_MOST)
		return err_set(p->e, E2BIG, "the JSONPath is too long");
	if ((to->n & (to->n - 1)) == 0) {
		struct step *v = arena_array(p->a, to->n ? to->n * 2 : 1, sizeof *v);
		if (!v)
			return err_nomem(p->e);
		if (to->n)
			memcpy(v, to->steps, to->n * sizeof *v);
		to->steps = v;
	}
	to->steps[to->n++] = s;
	return 0;
}

static void skip_space(struct parser *p)
{
	while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r'))
		p->at++;
}

static int parse_path(struct parser *p, struct path *ret);

/* A name behind a dot; a backslash takes the next character as it is. */
static int parse_name(struct parser *p, struct slice *ret)
{
	char *name = arena_alloc(p->a, (size_t)(p->end - p->at) + 1);
	size_t n = 0;
	if (!name)
		return err_nomem(p->e);
	while (p->at < p->end && !strchr(" \t\r\n.[],(){}=<>!&|@$\"'", *p->at)) {
		if (*p->at == '\\' && p->at + 1 < p->end)
			p->at++;
		name[n++] = *p->at++;
	}
	*ret = slice_n(name, n);
	return 0;
}

static int parse_int(struct parser *p, int64_t *ret)
{
	const char *from = p->at;
	if (p->at < p->end && *p->at == '-')
		p->at++;
	while (p->at < p->end && *p->at >= '0' && *p->at <= '9')
		p->at++;
	return num_parse_i64(slice_n(from, (size_t)(p->at - from)), INT32_MIN, INT32_MAX, ret);
}

static int parse_quoted(struct parser *p, struct slice *ret)
{
	char quote = *p->at++, *text = arena_alloc(p->a, (size_t)(p->end - p->at) + 1);
	size_t n = 0;
	if (!text)
		return err_nomem(p->e);
	while (p->at < p->end && *p->at != quote) {
		char c = *p->at++;
		if (c == '\\' && p->at < p->end) {
			char x = *p->at++;
			c = x == 'n' ? '\n' : x == 't' ? '\t' : x == 'r' ? '\r' : x;
			if (x != 'n' && x != 't' && x != 'r' && x != quote && x != '\\')
				text[n++] = '\\', c = x;
		}
		text[n++] = c;
	}
	if (p->at == p->end)
		return bad(p, "unterminated quoted string");
	p->at++;
	*ret = slice_n(text, n);
	return 0;
}

static int parse_operand(struct parser *p, struct operand *ret)
{
	skip_space(p);
	*ret = (struct operand){ 0 };
	if (p->at == p->end)
		return bad(p, "invalid filter");
	if (*p->at == '\'' || *p->at == '"') {
		struct slice s;
		int r = parse_quoted(p, &s);
		ret->literal = tree_string(s);
		return r;
	}
	if (*p->at == '@' || *p->at == '$' || *p->at == '.') {
		ret->is_path = true;
		return parse_path(p, &ret->path);
	}
	const char *from = p->at;
	while (p->at < p->end && !strchr(" )=<>!\t", *p->at))
		p->at++;
	struct slice word = slice_n(from, (size_t)(p->at - from));
	if (slice_is(word, "true") || slice_is(word, "false"))
		ret->literal = tree_bool(slice_is(word, "true"));
	else if (word.len && (strchr("-0123456789", word.ptr[0])))
		ret->literal = tree_number(word);
	else
		return err_set(p->e, EINVAL, "unrecognized identifier %.*s", SLICE_FMT(word));
	return 0;
}

/* "?(@.x==1)", at the question mark */
static int parse_filter(struct parser *p, struct path *to)
{
	static const struct { const char *text; enum operation op; } ops[] = {
		{ "==", EQUAL }, { "!=", NOT_EQUAL }, { "<=", LESS_EQUAL }, { ">=", GREATER_EQUAL }, { "<", LESS }, { ">", GREATER },
	};
	struct step s = { .kind = FILTER };
	p->at++;
	skip_space(p);
	if (p->at == p->end || *p->at != '(')
		return bad(p, "unterminated filter");
	p->at++;
	int r = parse_operand(p, &s.left);
	if (r < 0)
		return r;
	skip_space(p);
	for (size_t i = 0; i < ARRAY_LEN(ops) && s.op == EXISTS; i++)
		if ((size_t)(p->end - p->at) >= strlen(ops[i].text) && !memcmp(p->at, ops[i].text, strlen(ops[i].text))) {
			s.op = ops[i].op;
			p->at += strlen(ops[i].text);
			if ((r = parse_operand(p, &s.right)) < 0)
				return r;
		}
	skip_space(p);
	if (p->at == p->end || *p->at != ')')
		return bad(p, "unterminated filter");
	p->at++;
	return push(p, to, s);
}

static int parse_index(struct parser *p, struct step *s)
{
	*s = (struct step){ .kind = INDEX, .by = 1 };
	skip_space(p);
	if (p->at < p->end && *p->at != ':') {
		s->has_from = true;
		if (parse_int(p, &s->from) < 0)
			return bad(p, "invalid array index");
	}
	skip_space(p);
	if (p->at == p->end || *p->at != ':') {
		s->single = true;
		return s->has_from ? 0 : bad(p, "invalid array index");
	}
	p->at++;
	skip_space(p);
	if (p->at < p->end && (*p->at == '-' || (*p->at >= '0' && *p->at <= '9'))) {
		s->has_to = true;
		if (parse_int(p, &s->to) < 0)
			return bad(p, "invalid array index");
	}
	skip_space(p);
	if (p->at < p->end && *p->at == ':') {
		p->at++;
		if (parse_int(p, &s->by) < 0)
			return bad(p, "invalid array index");
	}
	return 0;
}

/* One member of a bracket: a quoted path, a star, an index or slice, a filter */
static int parse_member(struct parser *p, struct path *to)
{
	struct step s;
	skip_space(p);
	if (p->at == p->end)
		return bad(p, "unterminated array");
	if (*p->at == '\'' || *p->at == '"') {
		/* what is quoted is a path again: a dot in a key is written \. */
		const char *from = p->at + 1;
		char quote = *p->at++;
		while (p->at < p->end && *p->at != quote)
			p->at++;
		if (p->at == p->end)
			return bad(p, "unterminated array");
		struct parser inner = { from, p->at, p->a, p->e, p->depth + 1, p->steps };
		char *dotted = arena_alloc(p->a, (size_t)(p->at - from) + 2);
		if (!dotted)
			return err_nomem(p->e);
		dotted[0] = '.';
		memcpy(dotted + 1, from, (size_t)(p->at - from));
		inner.at = *from == '.' ? from : dotted;
		inner.end = *from == '.' ? p->at : dotted + 1 + (p->at - from);
		p->at++;
		if (inner.depth > DEPTH_MOST)
			return err_set(p->e, E2BIG, "the JSONPath is too deep");
		return parse_path(&inner, to);
	}
	if (*p->at == '*') {
		p->at++;
		return push(p, to, (struct step){ .kind = WILDCARD });
	}
	if (*p->at == '?')
		return parse_filter(p, to);
	int r = parse_index(p, &s);
	return r < 0 ? r : push(p, to, s);
}

static int parse_bracket(struct parser *p, struct path *to)
{
	struct path parts[64] = { 0 };
	uint32_t n = 0;
	p->at++;
	for (;;) {
		if (n == ARRAY_LEN(parts))
			return err_set(p->e, E2BIG, "the JSONPath's union is too long");
		int r = parse_member(p, &parts[n++]);
		if (r < 0)
			return r;
		skip_space(p);
		if (p->at == p->end)
			return bad(p, "unterminated array");
		if (*p->at == ']')
			break;
		if (*p->at++ != ',')
			return bad(p, "invalid array index");
	}
	p->at++;
	int r = 0;
	if (n == 1) {
		for (uint32_t i = 0; i < parts[0].n && r == 0; i++)
			r = push(p, to, parts[0].steps[i]);
		return r;
	}
	struct step s = { .kind = UNION, .n_parts = n, .parts = arena_array(p->a, n, sizeof *parts) };
	if (!s.parts)
		return err_nomem(p->e);
	memcpy(s.parts, parts, n * sizeof *parts);
	return push(p, to, s);
}

static int parse_path(struct parser *p, struct path *ret)
{
	if (++p->depth > DEPTH_MOST)
		return err_set(p->e, E2BIG, "the JSONPath is too deep");
	if (p->at < p->end && (*p->at == '@' || *p->at == '$')) {
		int r = push(p, ret, (struct step){ .kind = *p->at == '@' ? CURRENT : ROOT });
		if (r < 0)
			return r;
		p->at++;
	}
	while (p->at < p->end) {
		int r;
		if (*p->at == '[') {
			r = parse_bracket(p, ret);
		} else if (*p->at == '.' && p->at + 1 < p->end && p->at[1] == '.') {
			p->at++;
			r = push(p, ret, (struct step){ .kind = RECURSIVE });
			/* "..name": the second dot is the field's */
			if (r == 0 && p->at + 1 < p->end && p->at[1] == '[')
				p->at++;
		} else if (*p->at == '.') {
			struct step s = { .kind = FIELD };
			p->at++;
			if (p->at < p->end && *p->at == '[')
				continue;
			if (p->at < p->end && *p->at == '*') {
				p->at++;
				r = push(p, ret, (struct step){ .kind = WILDCARD });
			} else {
				r = parse_name(p, &s.name);
				/* a lone dot is the object itself */
				if (r == 0 && s.name.len)
					r = push(p, ret, s);
			}
		} else {
			break;
		}
		if (r < 0)
			return r;
	}
	p->depth--;
	return 0;
}

static int add_piece(struct parser *p, struct jsonpath *j, struct piece x)
{
	if ((j->n & (j->n - 1)) == 0) {
		struct piece *v = arena_array(p->a, j->n ? j->n * 2 : 1, sizeof *v);
		if (!v)
			return err_nomem(p->e);
		if (j->n)
			memcpy(v, j->pieces, j->n * sizeof *v);
		j->pieces = v;
	}
	j->pieces[j->n++] = x;
	return 0;
}

/* What stands between braces: paths, quoted texts, range, end. */
static int parse_block(struct parser *p, struct jsonpath *j, unsigned *open)
{
	for (;;) {
		struct piece x = { .kind = PATH };
		int r;
		skip_space(p);
		if (p->at == p->end)
			return bad(p, "unclosed action");
		if (*p->at == '}') {
			p->at++;
			return 0;
		}
		if (*p->at == '\'' || *p->at == '"') {
			x.kind = TEXT;
			r = parse_quoted(p, &x.text);
		} else if (strchr(".[@$", *p->at)) {
			r = parse_path(p, &x.path);
		} else {
			const char *from = p->at;
			while (p->at < p->end && ((*p->at | 32) >= 'a' && (*p->at | 32) <= 'z'))
				p->at++;
			struct slice word = slice_n(from, (size_t)(p->at - from));
			if (slice_is(word, "end")) {
				x.kind = END;
				if (!(*open)--)
					return bad(p, "not in range, nothing to end");
				r = 0;
			} else if (slice_is(word, "range")) {
				x.kind = RANGE;
				(*open)++;
				skip_space(p);
				r = parse_path(p, &x.path);
			} else if (word.len) {
				return err_set(p->e, EINVAL, "unrecognized identifier %.*s", SLICE_FMT(word));
			} else {
				return err_set(p->e, EINVAL, "unexpected character in JSONPath: %c", *p->at);
			}
		}
		if (r < 0 || (r = add_piece(p, j, x)) < 0)
			return r;
	}
}

int jsonpath_parse(struct slice text, unsigned flags, struct arena *a, struct jsonpath **ret, struct err *e)
{
	struct err mine;
	struct parser p = { text.ptr, text.ptr + text.len, a, e ? e : &mine, 0, 0 };
	struct jsonpath *j = arena_new(a, struct jsonpath);
	unsigned open = 0;
	if (!j)
		return err_nomem(p.e);
	if ((flags & JSONPATH_RELAXED) && !memchr(text.ptr, '{', text.len)) {
		char *whole = arena_fmt(a, "{%s%.*s}", text.len && *text.ptr != '.' && *text.ptr != '[' && *text.ptr != '$' && *text.ptr != '@' ? "." : "", SLICE_FMT(text));
		if (!whole)
			return err_nomem(p.e);
		p.at = whole;
		p.end = whole + strlen(whole);
	}
	while (p.at < p.end) {
		const char *brace = memchr(p.at, '{', (size_t)(p.end - p.at));
		size_t n = (size_t)((brace ? brace : p.end) - p.at);
		if (n) {
			char *copy = arena_dup(a, slice_n(p.at, n));
			if (!copy)
				return err_nomem(p.e);
			int r = add_piece(&p, j, (struct piece){ .kind = TEXT, .text = slice_n(copy, n) });
			if (r < 0)
				return r;
		}
		p.at += n;
		if (!brace)
			break;
		p.at++;
		int r = parse_block(&p, j, &open);
		if (r < 0)
			return r;
	}
	if (open)
		return bad(&p, "unexpected end of the template: a range is not ended");
	*ret = j;
	return 0;
}

/* --- running -------------------------------------------------------------------------------------- */
struct run { const struct tree *root; unsigned flags; struct arena *a; struct err *e; unsigned depth; };
struct found { const struct tree **v; uint32_t n, cap; };

static int take(struct run *x, struct found *f, const struct tree *v)
{
	if (f->n == f->cap) {
		uint32_t cap = f->cap ? f->cap * 2 : 8;
		const struct tree **grown = cap <= RESULTS_MOST ? arena_array(x->a, cap, sizeof *grown) : NULL;
		if (!grown)
			return err_set(x->e, E2BIG, "the JSONPath finds too much");
		if (f->n)
			memcpy(grown, f->v, f->n * sizeof *grown);
		f->v = grown;
		f->cap = cap;
	}
	f->v[f->n++] = v;
	return 0;
}

static int walk(struct run *x, const struct path *p, const struct tree *from, struct found *ret);

static int take_children(struct run *x, const struct tree *v, struct found *ret)
{
	int r = 0;
	for (uint32_t i = 0; v->type == TREE_LIST && i < v->n && r == 0; i++)
		r = take(x, ret, &v->items[i]);
	for (uint32_t i = 0; v->type == TREE_MAP && i < v->n && r == 0; i++)
		r = take(x, ret, &v->members[i].value);
	return r;
}

static int take_all_below(struct run *x, const struct tree *v, struct found *ret)
{
	if (++x->depth > TREE_MAX_DEPTH)
		return err_set(x->e, E2BIG, "the object is too deep");
	int r = take(x, ret, v);
	for (uint32_t i = 0; v->type == TREE_LIST && i < v->n && r == 0; i++)
		r = take_all_below(x, &v->items[i], ret);
	for (uint32_t i = 0; v->type == TREE_MAP && i < v->n && r == 0; i++)
		r = take_all_below(x, &v->members[i].value, ret);
	x->depth--;
	return r;
}

static int take_range(struct run *x, const struct step *s, const struct tree *v, struct found *ret)
{
	if (v->type != TREE_LIST)
		return x->flags & JSONPATH_ALLOW_MISSING || v->type == TREE_NULL ? 0 : err_set(x->e, EINVAL, "an index is asked of what is no list");
	int64_t n = v->n, from = s->has_from ? s->from : s->by < 0 ? n - 1 : 0, to = s->has_to ? s->to : s->by < 0 ? -1 : n;
	if (from < 0 && s->has_from)
		from += n;
	if (s->single) {
		if (from < 0 || from >= n)
			return x->flags & JSONPATH_ALLOW_MISSING ? 0 : err_set(x->e, EINVAL, "array index out of bounds: index %lld, length %lld", (long long)from, (long long)n);
		return take(x, ret, &v->items[from]);
	}
	if (to < 0 && s->has_to)
		to += n;
	if (s->by == 0)
		return err_set(x->e, EINVAL, "step must be non-zero");
	if (s->by < 0)
		return err_set(x->e, EINVAL, "step must be > 0");
	int r = 0;
	for (int64_t i = MAX(from, (int64_t)0); i < MIN(to, n) && r == 0; i += s->by)
		r = take(x, ret, &v->items[i]);
	return r;
}

static int operand_value(struct run *x, const struct operand *o, const struct tree *at, const struct tree **ret)
{
	struct found f = { 0 };
	*ret = NULL;
	if (!o->is_path) {
		*ret = &o->literal;
		return 0;
	}
	unsigned flags = x->flags;
	x->flags |= JSONPATH_ALLOW_MISSING;
	int r = walk(x, &o->path, at, &f);
	x->flags = flags;
	if (r == 0 && f.n)
		*ret = f.v[0];
	return r;
}

static int compare(const struct tree *a, const struct tree *b, bool *comparable)
{
	*comparable = true;
	if (a->type == TREE_NUMBER && b->type == TREE_NUMBER) {
		char s[64], t[64];
		fmt_into(s, sizeof s, "%.*s", SLICE_FMT(tree_text(a)));
		fmt_into(t, sizeof t, "%.*s", SLICE_FMT(tree_text(b)));
		double x = strtod(s, NULL), y = strtod(t, NULL);
		return x < y ? -1 : x > y;
	}
	if (a->type == TREE_STRING && b->type == TREE_STRING)
		return slice_cmp(tree_text(a), tree_text(b));
	if (a->type == TREE_BOOL && b->type == TREE_BOOL)
		return (int)a->is_true - (int)b->is_true;
	*comparable = false;
	return 0;
}

static int passes(struct run *x, const struct step *s, const struct tree *v, bool *ret)
{
	const struct tree *a, *b;
	bool comparable;
	int r = operand_value(x, &s->left, v, &a);
	*ret = false;
	if (r < 0 || !a)
		return r;
	if (s->op == EXISTS) {
		*ret = true;
		return 0;
	}
	r = operand_value(x, &s->right, v, &b);
	if (r < 0 || !b)
		return r;
	int c = compare(a, b, &comparable);
	switch (s->op) {
	case EQUAL: *ret = comparable ? c == 0 : tree_equal(a, b); break;
	case NOT_EQUAL: *ret = comparable ? c != 0 : !tree_equal(a, b); break;
	case LESS: *ret = comparable && c < 0; break;
	case GREATER: *ret = comparable && c > 0; break;
	case LESS_EQUAL: *ret = comparable && c <= 0; break;
	default: *ret = comparable && c >= 0; break;
	}
	return 0;
}

static int step(struct run *x, const struct step *s, const struct tree *v, bool recursing, struct found *ret)
{
	const struct tree *m;
	int r = 0;
	switch (s->kind) {
	case FIELD:
		m = tree_get(v, s->name);
		if (m)
			return take(x, ret, m);
		return recursing || (x->flags & JSONPATH_ALLOW_MISSING) ? 0 : err_set(x->e, ENOENT, "%.*s is not found", SLICE_FMT(s->name));
	case WILDCARD: return take_children(x, v, ret);
	case INDEX:
		return recursing && v->type != TREE_LIST ? 0 : take_range(x, s, v, ret);
	case RECURSIVE: return take_all_below(x, v, ret);
	case ROOT: return take(x, ret, x->root);
	case CURRENT: return take(x, ret, v);
	case UNION:
		for (uint32_t i = 0; i < s->n_parts && r == 0; i++)
			r = walk(x, &s->parts[i], v, ret);
		return r;
	case FILTER:
		for (uint32_t i = 0; i < v->n && r == 0 && (v->type == TREE_LIST || v->type == TREE_MAP); i++) {
			bool yes;
			m = v->type == TREE_LIST ? &v->items[i] : &v->members[i].value;
			r = passes(x, s, m, &yes);
			if (r == 0 && yes)
				r = take(x, ret, m);
		}
		return r;
	}
	return 0;
}

static int walk(struct run *x, const struct path *p, const struct tree *from, struct found *ret)
{
	struct found now = { 0 };
	int r = take(x, &now, from);
	bool recursing = false;
	for (uint32_t i = 0; i < p->n && r == 0; i++) {
		struct found next = { 0 };
		for (uint32_t k = 0; k < now.n && r == 0; k++)
			r = step(x, &p->steps[i], now.v[k], recursing, &next);
		recursing = p->steps[i].kind == RECURSIVE;
		now = next;
	}
	for (uint32_t k = 0; k < now.n && r == 0; k++)
		r = take(x, ret, now.v[k]);
	return r;
}

int jsonpath_print_value(const struct tree *v, struct buf *out)
{
	if (v->type == TREE_STRING || v->type == TREE_NUMBER)
		return buf_addslice(out, tree_text(v));
	if (v->type == TREE_NULL)
		return 0;
	return tree_to_json(v, SCHEMA_SORTED, out);
}

static uint32_t end_of(const struct jsonpath *j, uint32_t range)
{
	unsigned depth = 1;
	uint32_t i = range + 1;
	for (; i < j->n; i++) {
		depth += j->pieces[i].kind == RANGE;
		if (j->pieces[i].kind == END && !--depth)
			break;
	}
	return i;
}

/* Pieces from..to on v. out NULL: values into all instead. */
static int execute(struct run *x, const struct jsonpath *j, uint32_t from, uint32_t to, const struct tree *v, struct buf *out, struct found *all)
{
	int r = 0;
	for (uint32_t i = from; i < to && r == 0; i++) {
		const struct piece *p = &j->pieces[i];
		struct found f = { 0 };
		if (p->kind == TEXT && out)
			r = buf_addslice(out, p->text);
		if (p->kind != PATH && p->kind != RANGE)
			continue;
		r = walk(x, &p->path, v, &f);
		if (p->kind == RANGE) {
			uint32_t end = end_of(j, i);
			for (uint32_t k = 0; k < f.n && r == 0; k++)
				r = execute(x, j, i + 1, end, f.v[k], out, all);
			i = end;
			continue;
		}
		for (uint32_t k = 0; k < f.n && r == 0; k++) {
			if (all)
				r = take(x, all, f.v[k]);
			if (out && k)
				buf_addc(out, ' ');
			if (out)
				r = jsonpath_print_value(f.v[k], out);
		}
	}
	return r;
}

int jsonpath_print(const struct jsonpath *p, const struct tree *doc, unsigned flags, struct arena *a, struct buf *out, struct err *e)
{
	struct err mine;
	struct run x = { doc, flags, a, e ? e : &mine, 0 };
	struct found all = { 0 };
	if (!(flags & JSONPATH_AS_JSON))
		return execute(&x, p, 0, p->n, doc, out, NULL);
	int r = execute(&x, p, 0, p->n, doc, NULL, &all);
	struct tree list = tree_list();
	for (uint32_t i = 0; i < all.n && r == 0; i++)
		r = tree_append(a, &list, *all.v[i]) ? 0 : err_nomem(x.e);
	return r < 0 ? r : tree_to_json(&list, SCHEMA_INDENT | SCHEMA_SORTED | SCHEMA_NEWLINE, out);
}

int jsonpath_find(const struct jsonpath *p, const struct tree *doc, unsigned flags, struct arena *a, struct jsonpath_results *ret, struct err *e)
{
	struct err mine;
	struct run x = { doc, flags, a, e ? e : &mine, 0 };
	struct found all = { 0 };
	int r = execute(&x, p, 0, p->n, doc, NULL, &all);
	if (r == 0)
		*ret = (struct jsonpath_results){ all.v, all.n };
	return r;
}
