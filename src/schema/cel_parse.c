/* SPDX-License-Identifier: Apache-2.0 */
/* CEL: from text to nodes, macros and names resolved. */
#include "base/num.h"
#include "schema/cel_int.h"
#include "schema/schema_int.h"

enum token_kind { T_END, T_IDENT, T_INT, T_UINT, T_DOUBLE, T_STRING, T_BYTES, T_OP };
struct token {
	uint8_t kind;
	const char *at;
	struct slice text;      /* IDENT, numbers; STRING: its value; OP: itself */
};
struct scope {
	struct slice name;
	const struct scope *up;
};
struct parser {
	const char *start, *p, *end;
	struct token t;
	struct cel_program *program;
	const struct scope *scope;
	struct arena *a;
	struct err *e;
	unsigned depth;
};

static int bad(struct parser *x, const char *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int bad(struct parser *x, const char *at, const char *fmt, ...)
{
	AUTO(buf) struct buf b = BUF_INIT(512);
	va_list ap;
	va_start(ap, fmt);
	buf_addfv(&b, fmt, ap);
	va_end(ap);
	unsigned line = 1, column = 1;
	for (const char *p = x->start; p < at; p++) {
		column = *p == '\n' ? 1 : column + 1;
		line += *p == '\n';
	}
	return err_set(x->e, EINVAL, "compilation failed: ERROR: <input>:%u:%u: %s", line, column, b.ptr);
}

static int no_room(struct parser *x) { return err_set(x->e, E2BIG, "the expression is too large"); }

/* --- tokens --- */

static bool is_letter(char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static size_t put_rune(char *out, uint64_t c)
{
	if (c < 0x80)
		return out[0] = (char)c, 1;
	if (c < 0x800)
		return out[0] = (char)(0xc0 | c >> 6), out[1] = (char)(0x80 | (c & 0x3f)), 2;
	if (c < 0x10000)
		return out[0] = (char)(0xe0 | c >> 12), out[1] = (char)(0x80 | (c >> 6 & 0x3f)), out[2] = (char)(0x80 | (c & 0x3f)), 3;
	return out[0] = (char)(0xf0 | c >> 18), out[1] = (char)(0x80 | (c >> 12 & 0x3f)), out[2] = (char)(0x80 | (c >> 6 & 0x3f)),
		out[3] = (char)(0x80 | (c & 0x3f)), 4;
}

static int unescape(struct parser *x, const char *from, const char *to, bool is_bytes, struct slice *ret)
{
	static const char known[] = "abfnrtv\\?\"'`", meant[] = "\a\b\f\n\r\t\v\\?\"'`";
	char *out = arena_alloc(x->a, (size_t)(to - from) + 1);
	size_t n = 0;
	if (!out)
		return no_room(x);
	for (const char *p = from; p < to; p++) {
		uint64_t code;
		if (*p != '\\') {
			out[n++] = *p;
			continue;
		}
		const char *k = ++p < to ? strchr(known, *p) : NULL;
		size_t width = p >= to ? 0 : *p == 'x' || *p == 'X' ? 2 : *p == 'u' ? 4 : *p == 'U' ? 8 : is_digit(*p) ? 3 : 0;
		bool is_octal = width == 3;
		const char *digits = is_octal ? p : p + 1;
		if (k && *p) {
			out[n++] = meant[k - known];
		} else if (width && digits + width <= to && num_parse_base(slice_n(digits, width), is_octal ? 8 : 16, 0x10ffff, &code) == 0) {
			p = digits + width - 1;
			n += is_bytes ? (out[n] = (char)code, 1) : put_rune(out + n, code);
		} else {
			return bad(x, from, "Syntax error: token recognition error: invalid escape");
		}
	}
	*ret = slice_n(out, n);
	return 0;
}

static int lex_string(struct parser *x, bool is_raw, bool is_bytes)
{
	const char *at = x->p;
	char quote = *x->p;
	bool is_triple = x->end - x->p >= 3 && x->p[1] == quote && x->p[2] == quote;
	size_t width = is_triple ? 3 : 1;
	const char *from = x->p += width;
	for (;; x->p++) {
		if (x->p >= x->end || (!is_triple && *x->p == '\n'))
			return bad(x, at, "Syntax error: token recognition error at: '%.20s'", at);
		if (*x->p == '\\' && !is_raw) {
			x->p++;
			continue;
		}
		if (*x->p == quote && (!is_triple || (x->end - x->p >= 3 && x->p[1] == quote && x->p[2] == quote)))
			break;
	}
	x->t.kind = is_bytes ? T_BYTES : T_STRING;
	x->t.text = slice_n(from, (size_t)(x->p - from));
	int r = is_raw ? 0 : unescape(x, from, x->p, is_bytes, &x->t.text);
	x->p += width;
	return r;
}

static int lex_number(struct parser *x)
{
	const char *from = x->p;
	bool is_hex = x->end - x->p > 2 && x->p[0] == '0' && (x->p[1] | 32) == 'x', is_double = false;
	if (is_hex)
		x->p += 2;
	while (x->p < x->end && (is_digit(*x->p) || (is_hex && (*x->p | 32) >= 'a' && (*x->p | 32) <= 'f')))
		x->p++;
	if (!is_hex && x->p + 1 < x->end && *x->p == '.' && is_digit(x->p[1])) {
		is_double = true;
		for (x->p++; x->p < x->end && is_digit(*x->p); x->p++)
			;
	}
	if (!is_hex && x->p < x->end && (*x->p | 32) == 'e') {
		const char *p = x->p + 1;
		p += p < x->end && (*p == '+' || *p == '-');
		if (p < x->end && is_digit(*p)) {
			is_double = true;
			for (x->p = p; x->p < x->end && is_digit(*x->p); x->p++)
				;
		}
	}
	x->t.text = slice_n(from, (size_t)(x->p - from));
	x->t.kind = is_double ? T_DOUBLE : T_INT;
	if (!is_double && x->p < x->end && (*x->p | 32) == 'u') {
		x->t.kind = T_UINT;
		x->p++;
	}
	return 0;
}

static int next(struct parser *x)
{
	static const char *const long_ops[] = { "&&", "||", "==", "!=", "<=", ">=" };
	for (;;) {
		while (x->p < x->end && strchr(" \t\r\n\f", *x->p) && *x->p)
			x->p++;
		if (x->end - x->p < 2 || x->p[0] != '/' || x->p[1] != '/')
			break;
		while (x->p < x->end && *x->p != '\n')
			x->p++;
	}
	x->t = (struct token){ .at = x->p };
	if (x->p >= x->end)
		return 0;
	char c = *x->p, after = x->p + 1 < x->end ? x->p[1] : 0;
	if (c == '"' || c == '\'')
		return lex_string(x, false, false);
	if (strchr("rRbB", c) && (after == '"' || after == '\'')) {
		x->p++;
		return lex_string(x, (c | 32) == 'r', (c | 32) == 'b');
	}
	if (is_letter(c)) {
		while (x->p < x->end && (is_letter(*x->p) || is_digit(*x->p)))
			x->p++;
		x->t.kind = T_IDENT;
		x->t.text = slice_n(x->t.at, (size_t)(x->p - x->t.at));
		return 0;
	}
	if (is_digit(c) || (c == '.' && is_digit(after)))
		return lex_number(x);
	x->t.kind = T_OP;
	x->t.text = slice_n(x->p, 1);
	for (size_t i = 0; i < ARRAY_LEN(long_ops); i++)
		if (c == long_ops[i][0] && after == long_ops[i][1])
			x->t.text.len = 2;
	if (x->t.text.len == 1 && !strchr("+-*/%!<>?:.,()[]{}", c))
		return bad(x, x->p, "Syntax error: token recognition error at: '%c'", c);
	x->p += x->t.text.len;
	return 0;
}

static bool at(const struct parser *x, const char *op) { return x->t.kind == T_OP && slice_is(x->t.text, op); }

static int expect(struct parser *x, const char *op)
{
	if (at(x, op))
		return next(x);
	return bad(x, x->t.at, "Syntax error: %s, expecting '%s'", x->t.kind == T_END ? "mismatched input '<EOF>'" : "mismatched input", op);
}

/* --- nodes --- */

static int make(struct parser *x, uint8_t kind, uint32_t n, struct cel_node **ret)
{
	struct cel_node *v = arena_new(x->a, struct cel_node);
	if (v)
		v->arg = arena_array(x->a, n, sizeof(struct cel_node *));
	if (!v || !v->arg)
		return no_room(x);
	v->kind = kind;
	v->n = n;
	*ret = v;
	return 0;
}

/* Knows how deep it is, once its operands are there. */
static int finish(struct parser *x, struct cel_node *v)
{
	for (uint32_t i = 0; i < v->n; i++)
		v->depth = MAX(v->depth, v->arg[i]->depth);
	return ++v->depth > CEL_MAX_DEPTH ? err_set(x->e, EINVAL, "compilation failed: expression recursion limit exceeded: %d", CEL_MAX_DEPTH) : 0;
}

static int expression(struct parser *x, struct cel_node **ret);

/* Operands up to `close`, which is consumed. */
static int operands(struct parser *x, const char *close, struct cel_node *v)
{
	struct cel_node **list = NULL;
	uint32_t n = 0, room = 0;
	while (!at(x, close)) {
		if (n == room) {
			room = room ? 2 * room : 4;
			struct cel_node **p = arena_array(x->a, room, sizeof(struct cel_node *));
			if (!p)
				return no_room(x);
			if (n)
				memcpy(p, list, n * sizeof *p);
			list = p;
		}
		int r = expression(x, &list[n++]);
		if (r == 0 && at(x, ":") && v->kind == CELN_MAP)
			r = next(x);
		else if (r == 0 && !at(x, close))
			r = expect(x, ",");
		if (r < 0)
			return r;
	}
	v->arg = list;
	v->n = n;
	if (v->kind == CELN_MAP && n % 2)
		return bad(x, x->t.at, "Syntax error: mismatched input '}' expecting ':'");
	int r = next(x);
	return r < 0 ? r : finish(x, v);
}

static bool in_scope(const struct parser *x, struct slice name)
{
	for (const struct scope *s = x->scope; s; s = s->up)
		if (slice_eq(s->name, name))
			return true;
	return false;
}

static int literal(struct parser *x, struct cel_value value, struct cel_node **ret)
{
	int r = make(x, CELN_CONST, 0, ret);
	if (r < 0)
		return r;
	(*ret)->value = value;
	return finish(x, *ret);
}

static int number(struct parser *x, bool is_negative, struct cel_node **ret)
{
	struct token t = x->t;
	struct slice s = t.text;
	bool is_hex = s.len > 2 && (s.ptr[1] | 32) == 'x';
	uint64_t u = 0;
	int r = next(x);
	if (r < 0)
		return r;
	if (t.kind == T_DOUBLE) {
		AUTO(free) char *copy = slice_dup(s);
		double d = copy ? strtod(copy, NULL) : 0;
		return literal(x, cel_double(is_negative ? -d : d), ret);
	}
	r = is_hex ? num_parse_base(slice_n(s.ptr + 2, s.len - 2), 16, UINT64_MAX, &u) : num_parse_u64(s, UINT64_MAX, &u);
	if (r < 0 || (t.kind == T_INT && u > (uint64_t)INT64_MAX + is_negative))
		return bad(x, t.at, "invalid int literal");
	if (t.kind == T_UINT)
		return literal(x, (struct cel_value){ .type = CEL_UINT, .u = u }, ret);
	return literal(x, cel_integer(is_negative ? (int64_t)(0 - u) : (int64_t)u), ret);
}

static int identifier(struct parser *x, struct token t, struct cel_node **ret)
{
	static const char *const types[] = { "bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type" };
	static const char *const reserved[] = { "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
		"namespace", "return", "var", "void", "while" };
	if (slice_is(t.text, "true") || slice_is(t.text, "false"))
		return literal(x, cel_bool(slice_is(t.text, "true")), ret);
	if (slice_is(t.text, "null"))
		return literal(x, (struct cel_value){ .type = CEL_NULL }, ret);
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (slice_is(t.text, reserved[i]))
			return bad(x, t.at, "reserved identifier: %.*s", SLICE_FMT(t.text));
	bool is_known = in_scope(x, t.text);
	for (uint32_t i = 0; !is_known && x->program->vars[i]; i++) {
		if (slice_is(t.text, x->program->vars[i])) {
			x->program->used |= 1u << i;
			is_known = true;
		}
	}
	for (size_t i = 0; !is_known && i < ARRAY_LEN(types); i++)
		if (slice_is(t.text, types[i]))
			return literal(x, (struct cel_value){ .type = CEL_TYPE, .s = slice_of(types[i]) }, ret);
	if (!is_known)
		return bad(x, t.at, "undeclared reference to '%.*s' (in container '')", SLICE_FMT(t.text));
	int r = make(x, CELN_IDENT, 0, ret);
	if (r < 0)
		return r;
	(*ret)->name = t.text;
	return finish(x, *ret);
}

static const struct cel_function *find_in(const struct cel_function *f, uint32_t count, struct slice name, uint32_t n, unsigned how, bool *exists)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!slice_is(name, f[i].name) || !(f[i].how & how))
			continue;
		*exists = true;
		if (n >= f[i].min && n <= f[i].max)
			return &f[i];
	}
	return NULL;
}

static const struct cel_function *find(struct slice name, uint32_t n, unsigned how, bool *exists)
{
	const struct cel_function *f = find_in(cel_functions, cel_n_functions, name, n, how, exists);
	return f ? f : find_in(cel_kube_functions, cel_n_kube_functions, name, n, how, exists);
}

/* Resolves a call; a pattern that is a text is compiled now. */
static int resolve(struct parser *x, struct token name, struct cel_node *v, unsigned how)
{
	bool exists = false;
	v->function = find(name.text, v->n, how, &exists);
	if (!v->function)
		return exists ? bad(x, name.at, "found no matching overload for '%.*s' applied to %u arguments", SLICE_FMT(name.text), v->n)
			: bad(x, name.at, "undeclared reference to '%.*s' (in container '')", SLICE_FMT(name.text));
	if (slice_is(name.text, "matches") && v->arg[1]->kind == CELN_CONST && v->arg[1]->value.type == CEL_STRING) {
		struct err why;
		AUTO(free) char *text = slice_dup(v->arg[1]->value.s);
		int r = text ? crd_pattern_new(text, x->program->patterns, &v->pattern, &why) : -ENOMEM;
		if (r < 0)
			return r == -EINVAL ? bad(x, name.at, "invalid matches argument: %.300s", why.text) : no_room(x);
		x->program->patterns = v->pattern;
	}
	return 0;
}

/* --- macros --- */

static int loop_kind(struct slice name, uint8_t *ret)
{
	static const struct { const char *name; uint8_t loop; } macros[] = {
		{ "all", CEL_ALL }, { "exists", CEL_EXISTS }, { "exists_one", CEL_EXISTS_ONE }, { "existsOne", CEL_EXISTS_ONE }, { "filter", CEL_FILTER },
		{ "map", CEL_TRANSFORM }, { "optMap", CEL_FILTER_TRANSFORM + 1 }, { "optFlatMap", CEL_FILTER_TRANSFORM + 2 },
	};
	for (size_t i = 0; i < ARRAY_LEN(macros); i++)
		if (slice_is(name, macros[i].name)) {
			*ret = macros[i].loop;
			return 1;
		}
	return 0;
}

/* Behind "target.all(" */
static int loop(struct parser *x, struct token name, uint8_t kind, struct cel_node *target, struct cel_node **ret)
{
	struct cel_node *list[3] = { target };
	uint32_t n = 1;
	if (x->t.kind != T_IDENT)
		return bad(x, x->t.at, "argument must be a simple name");
	struct scope s = { x->t.text, x->scope };
	int r = next(x);
	if (r == 0)
		r = expect(x, ",");
	x->scope = &s;
	if (r == 0)
		r = expression(x, &list[n++]);
	if (r == 0 && at(x, ",") && kind == CEL_TRANSFORM) {
		kind = CEL_FILTER_TRANSFORM;
		r = next(x);
		if (r == 0)
			r = expression(x, &list[n++]);
	}
	x->scope = s.up;
	if (r == 0)
		r = expect(x, ")");
	if (r == 0)
		r = make(x, CELN_LOOP, n, ret);
	if (r < 0)
		return r;
	memcpy((*ret)->arg, list, n * sizeof list[0]);
	(*ret)->op = kind;
	(*ret)->name = s.name;
	(void)name;
	return finish(x, *ret);
}

/* Behind "has(" */
static int has(struct parser *x, const char *from, struct cel_node **ret)
{
	int r = expression(x, ret);
	if (r == 0 && (*ret)->kind != CELN_SELECT)
		return bad(x, from, "invalid argument to has() macro");
	if (r == 0)
		(*ret)->kind = CELN_HAS;
	return r < 0 ? r : expect(x, ")");
}

/* Behind "cel.bind(" */
static int bind(struct parser *x, struct cel_node **ret)
{
	struct cel_node *v[2];
	if (x->t.kind != T_IDENT)
		return bad(x, x->t.at, "cel.bind() variable names must be simple identifiers");
	struct scope s = { x->t.text, x->scope };
	int r = next(x);
	if (r == 0)
		r = expect(x, ",");
	if (r == 0)
		r = expression(x, &v[0]);
	if (r == 0)
		r = expect(x, ",");
	x->scope = &s;
	if (r == 0)
		r = expression(x, &v[1]);
	x->scope = s.up;
	if (r == 0)
		r = expect(x, ")");
	if (r == 0)
		r = make(x, CELN_BIND, 2, ret);
	if (r < 0)
		return r;
	(*ret)->arg[0] = v[0];
	(*ret)->arg[1] = v[1];
	(*ret)->name = s.name;
	return finish(x, *ret);
}

/* --- grammar --- */

static int call(struct parser *x, struct token name, struct cel_node *target, unsigned how, struct cel_node **ret)
{
	struct cel_node *v;
	int r = make(x, CELN_CALL, 0, &v);
	if (r == 0)
		r = operands(x, ")", v);
	if (r < 0)
		return r;
	if (target) {
		struct cel_node **all = arena_array(x->a, (size_t)v->n + 1, sizeof(struct cel_node *));
		if (!all)
			return no_room(x);
		all[0] = target;
		if (v->n)
			memcpy(all + 1, v->arg, v->n * sizeof *all);
		v->arg = all;
		v->n++;
	}
	*ret = v;
	r = finish(x, v);
	return r < 0 ? r : resolve(x, name, v, how);
}

/* "math.greatest(": names with a dot that are functions, not members. 1 when it was one. */
static int dotted(struct parser *x, struct token name, struct cel_node **ret)
{
	static const char *const spaces[] = { "math", "sets", "optional", "cel", "ip", "cidr", "strings" };
	struct parser saved = *x;
	bool is_space = false, exists = false;
	for (size_t i = 0; i < ARRAY_LEN(spaces); i++)
		is_space |= slice_is(name.text, spaces[i]);
	if (!is_space || in_scope(x, name.text) || !at(x, "."))
		return 0;
	int r = next(x);
	struct token member = x->t;
	if (r == 0 && member.kind == T_IDENT)
		r = next(x);
	if (r < 0 || member.kind != T_IDENT || !at(x, "(")) {
		*x = saved;
		return 0;
	}
	r = next(x);
	if (r == 0 && slice_is(name.text, "cel") && slice_is(member.text, "bind")) {
		r = bind(x, ret);
		return r < 0 ? r : 1;
	}
	struct token full = { T_IDENT, name.at, slice_of(arena_fmt(x->a, "%.*s.%.*s", SLICE_FMT(name.text), SLICE_FMT(member.text))) };
	(void)find(full.text, 0, CEL_GLOBAL, &exists);
	if (r == 0)
		r = call(x, full, NULL, CEL_GLOBAL, ret);
	return r < 0 ? r : 1;
}

static int primary(struct parser *x, struct cel_node **ret)
{
	struct token t = x->t;
	int r;
	switch (t.kind) {
	case T_INT: case T_UINT: case T_DOUBLE:
		return number(x, false, ret);
	case T_STRING: case T_BYTES:
		r = next(x);
		return r < 0 ? r : literal(x, (struct cel_value){ .type = t.kind == T_STRING ? CEL_STRING : CEL_BYTES, .s = t.text }, ret);
	case T_IDENT:
		r = next(x);
		if (r == 0)
			r = dotted(x, t, ret);
		if (r)
			return MIN(r, 0);
		if (!at(x, "("))
			return identifier(x, t, ret);
		r = next(x);
		if (r < 0)
			return r;
		return slice_is(t.text, "has") ? has(x, t.at, ret) : call(x, t, NULL, CEL_GLOBAL, ret);
	}
	if (at(x, "(")) {
		r = next(x);
		if (r == 0)
			r = expression(x, ret);
		return r < 0 ? r : expect(x, ")");
	}
	if (at(x, "[") || at(x, "{")) {
		bool is_list = at(x, "[");
		r = next(x);
		if (r == 0)
			r = make(x, is_list ? CELN_LIST : CELN_MAP, 0, ret);
		return r < 0 ? r : operands(x, is_list ? "]" : "}", *ret);
	}
	return bad(x, t.at, "Syntax error: mismatched input '%s' expecting an expression", t.kind == T_END ? "<EOF>" : "");
}

/* Behind "." */
static int member(struct parser *x, struct cel_node **io)
{
	struct cel_node *v;
	uint8_t kind;
	int r = 0;
	bool is_optional = at(x, "?");
	if (is_optional)
		r = next(x);
	struct token name = x->t;
	if (r == 0 && name.kind != T_IDENT)
		return bad(x, name.at, "Syntax error: no viable alternative at input '.'");
	if (r == 0)
		r = next(x);
	if (r < 0)
		return r;
	if (at(x, "(") && !is_optional) {
		r = next(x);
		if (r < 0)
			return r;
		return loop_kind(name.text, &kind) ? loop(x, name, kind, *io, io) : call(x, name, *io, CEL_MEMBER, io);
	}
	r = make(x, CELN_SELECT, 1, &v);
	if (r < 0)
		return r;
	v->arg[0] = *io;
	v->name = name.text;
	v->is_optional = is_optional;
	*io = v;
	return finish(x, v);
}

/* Behind "[" */
static int subscript(struct parser *x, struct cel_node **io)
{
	struct cel_node *v;
	int r = make(x, CELN_INDEX, 2, &v);
	if (r == 0 && at(x, "?")) {
		v->is_optional = true;
		r = next(x);
	}
	if (r == 0)
		r = expression(x, &v->arg[1]);
	if (r == 0)
		r = expect(x, "]");
	if (r < 0)
		return r;
	v->arg[0] = *io;
	*io = v;
	return finish(x, v);
}

static int postfix(struct parser *x, struct cel_node **ret)
{
	int r = primary(x, ret);
	while (r == 0 && (at(x, ".") || at(x, "["))) {
		bool is_member = at(x, ".");
		r = next(x);
		if (r == 0)
			r = is_member ? member(x, ret) : subscript(x, ret);
	}
	return r;
}

static int unary(struct parser *x, struct cel_node **ret)
{
	struct cel_node *v;
	bool is_not = at(x, "!");
	if (!is_not && !at(x, "-"))
		return postfix(x, ret);
	int r = next(x);
	if (r == 0 && !is_not && (x->t.kind == T_INT || x->t.kind == T_DOUBLE))
		return number(x, true, ret);
	if (r == 0 && ++x->depth > CEL_MAX_DEPTH)
		return err_set(x->e, EINVAL, "compilation failed: expression recursion limit exceeded: %d", CEL_MAX_DEPTH);
	if (r == 0)
		r = make(x, is_not ? CELN_NOT : CELN_NEG, 1, &v);
	if (r == 0)
		r = unary(x, &v->arg[0]);
	x->depth--;
	if (r < 0)
		return r;
	*ret = v;
	return finish(x, v);
}

static const struct { const char *text; uint8_t op, level; } binaries[] = {
	{ "*", CEL_MUL, 3 }, { "/", CEL_DIV, 3 }, { "%", CEL_MOD, 3 }, { "+", CEL_ADD, 2 }, { "-", CEL_SUB, 2 }, { "<", CEL_LT, 1 }, { "<=", CEL_LE, 1 },
	{ ">", CEL_GT, 1 }, { ">=", CEL_GE, 1 }, { "==", CEL_EQ, 1 }, { "!=", CEL_NE, 1 },
};

static bool binary_at(const struct parser *x, uint8_t level, uint8_t *op)
{
	if (level == 1 && x->t.kind == T_IDENT && slice_is(x->t.text, "in")) {
		*op = CEL_IN;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(binaries); i++)
		if (binaries[i].level == level && at(x, binaries[i].text)) {
			*op = binaries[i].op;
			return true;
		}
	return false;
}

static int binary(struct parser *x, uint8_t level, struct cel_node **ret)
{
	uint8_t op;
	int r = level > 3 ? unary(x, ret) : binary(x, level + 1, ret);
	while (r == 0 && level <= 3 && binary_at(x, level, &op)) {
		struct cel_node *v;
		r = next(x);
		if (r == 0)
			r = make(x, CELN_BINARY, 2, &v);
		if (r < 0)
			return r;
		v->op = op;
		v->arg[0] = *ret;
		r = level == 3 ? unary(x, &v->arg[1]) : binary(x, level + 1, &v->arg[1]);
		if (r == 0)
			r = finish(x, v);
		*ret = v;
	}
	return r;
}

/* a || b || c as one node */
static int logic(struct parser *x, bool is_or, struct cel_node **ret)
{
	const char *op = is_or ? "||" : "&&";
	int r = is_or ? logic(x, false, ret) : binary(x, 1, ret);
	if (r < 0 || !at(x, op))
		return r;
	struct cel_node *all;
	uint32_t room = 4;
	r = make(x, is_or ? CELN_OR : CELN_AND, room, &all);
	if (r < 0)
		return r;
	all->arg[0] = *ret;
	all->n = 1;
	while (r == 0 && at(x, op)) {
		if (all->n == room) {
			struct cel_node **p = arena_array(x->a, 2 * (size_t)room, sizeof(struct cel_node *));
			if (!p)
				return no_room(x);
			memcpy(p, all->arg, room * sizeof *p);
			all->arg = p;
			room *= 2;
		}
		r = next(x);
		if (r == 0)
			r = is_or ? logic(x, false, &all->arg[all->n]) : binary(x, 1, &all->arg[all->n]);
		all->n += r == 0;
	}
	*ret = all;
	return r < 0 ? r : finish(x, all);
}

static int expression(struct parser *x, struct cel_node **ret)
{
	struct cel_node *v;
	if (++x->depth > CEL_MAX_DEPTH)
		return err_set(x->e, EINVAL, "compilation failed: expression recursion limit exceeded: %d", CEL_MAX_DEPTH);
	int r = logic(x, true, ret);
	if (r == 0 && at(x, "?")) {
		r = next(x);
		if (r == 0)
			r = make(x, CELN_COND, 3, &v);
		if (r == 0)
			r = logic(x, true, &v->arg[1]);
		if (r == 0)
			r = expect(x, ":");
		if (r == 0)
			r = expression(x, &v->arg[2]);
		if (r < 0)
			return r;
		v->arg[0] = *ret;
		*ret = v;
		r = finish(x, v);
	}
	x->depth--;
	return r;
}

int cel_compile(struct slice text, const char *const *vars, struct arena *a, struct cel_program **ret, struct err *e)
{
	struct cel_program *program = arena_new(a, struct cel_program);
	char *copy = arena_dup(a, text);
	if (!program || !copy || text.len > CEL_MAX_TEXT)
		return err_set(e, E2BIG, "the expression is too large");
	program->vars = vars;
	struct parser x = { .start = copy, .p = copy, .end = copy + text.len, .program = program, .a = a, .e = e };
	int r = next(&x);
	if (r == 0)
		r = expression(&x, &program->root);
	if (r == 0 && x.t.kind != T_END)
		r = bad(&x, x.t.at, "Syntax error: extraneous input '%.*s' expecting <EOF>", SLICE_FMT(x.t.text));
	if (r < 0) {
		cel_release(program);
		return r;
	}
	*ret = program;
	return 0;
}

void cel_release(struct cel_program *p)
{
	if (p)
		crd_patterns_free(p->patterns);
}

bool cel_uses(const struct cel_program *p, const char *var)
{
	for (uint32_t i = 0; p->vars[i]; i++)
		if (!strcmp(p->vars[i], var))
			return p->used >> i & 1;
	return false;
}
