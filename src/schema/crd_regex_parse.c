/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's regular expressions (RE2's syntax): reading them. Unicode classes (\pL,
 * \p{Greek}) and letters beyond ASCII that match without case are PCRE2's to decide.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/num.h"
#include "schema/crd_regex_int.h"
#include "schema/schema_int.h"

enum flags { FOLD = 1, MULTI = 2, DOT_ALL = 4 };
enum { LAST_RUNE = 0x10ffff };

struct parser {
	struct crd_pattern *re;
	const char *text, *p, *end;
	unsigned flags, depth;
	struct err *e;
};

static int refuse(struct parser *x, const char *what, const char *from, size_t n)
{
	return err_set(x->e, EINVAL, "error parsing regexp: %s: `%.*s`", what, (int)MIN(n, (size_t)400), from);
}

static int no_room(struct parser *x)
{
	return err_set(x->e, EINVAL, "error parsing regexp: expression is too large");
}

uint32_t regex_rune(const char *p, const char *end, unsigned *n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = (unsigned char)*p;
	unsigned len = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : (c & 0xf8) == 0xf0 ? 4 : 0;
	*n = 1;
	if (len == 1)
		return c;
	if (!len || (size_t)(end - p) < len)
		return 0xfffd;
	uint32_t v = c & (0xffu >> (len + 1));
	for (unsigned i = 1; i < len; i++) {
		if (((unsigned char)p[i] & 0xc0) != 0x80)
			return 0xfffd;
		v = v << 6 | ((unsigned char)p[i] & 0x3f);
	}
	if (v < least[len] || v > LAST_RUNE || (v >= 0xd800 && v < 0xe000))
		return 0xfffd;
	*n = len;
	return v;
}

/* --- nodes and classes --- */

static struct regex_node *node(struct parser *x, uint8_t kind)
{
	struct regex_node *n = arena_new(&x->re->arena, struct regex_node);
	if (n)
		n->kind = kind;
	return n;
}

static int add_range(struct parser *x, struct regex_class *c, uint32_t lo, uint32_t hi)
{
	if (!c->room) {
		uint32_t more = MAX(c->n, 8u);
		struct regex_range *v = arena_array(&x->re->arena, (size_t)c->n + more, sizeof *v);
		if (!v)
			return no_room(x);
		if (c->n)
			memcpy(v, c->range, c->n * sizeof *v);
		c->range = v;
		c->room = more;
	}
	c->range[c->n++] = (struct regex_range){ lo, hi };
	c->room--;
	return 0;
}

static int add_property(struct parser *x, struct regex_class *c, const char *pattern, bool is_negative)
{
	struct crd_pattern *re = x->re;
	size_t where;
	int why;
	struct regex_property *p = arena_new(&re->arena, struct regex_property);
	if (re->n_properties == re->properties_room) {
		uint32_t room = re->properties_room ? 2 * re->properties_room : 4;
		struct regex_property **v = arena_array(&re->arena, room, sizeof(struct regex_property *));
		if (!v)
			return no_room(x);
		if (re->n_properties)
			memcpy(v, re->properties, re->n_properties * sizeof *v);
		re->properties = v;
		re->properties_room = room;
	}
	if (!p)
		return no_room(x);
	p->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED | PCRE2_DOTALL, &why, &where, NULL);
	if (!p->code)
		return -ENOENT;
	re->properties[re->n_properties++] = p;
	p->is_negative = is_negative;
	p->next = c->property;
	c->property = p;
	return 0;
}

/* A range, with the other case of its letters when case does not matter. */
static int add_folded(struct parser *x, struct regex_class *c, uint32_t lo, uint32_t hi)
{
	int r = add_range(x, c, lo, hi);
	if (r < 0 || !(x->flags & FOLD))
		return r;
	uint32_t a = MAX(lo, (uint32_t)'A'), z = MIN(hi, (uint32_t)'Z');
	if (a <= z)
		r = add_range(x, c, a + 32, z + 32);
	a = MAX(lo, (uint32_t)'a');
	z = MIN(hi, (uint32_t)'z');
	if (r == 0 && a <= z)
		r = add_range(x, c, a - 32, z - 32);
	if (r == 0 && hi >= 0x80) {
		char pattern[64];
		(void)fmt_into(pattern, sizeof pattern, "(?i)[\\x{%x}-\\x{%x}]", MAX(lo, 0x80u), hi);
		r = add_property(x, c, pattern, false);
	}
	return r == -ENOENT ? 0 : r;
}

static int by_low(const void *x, const void *y)
{
	const struct regex_range *l = x, *r = y;
	return l->lo < r->lo ? -1 : l->lo > r->lo;
}

/* Everything but the ranges from `from` on, in their place. */
static int complement(struct parser *x, struct regex_class *c, uint32_t from)
{
	uint32_t n = c->n - from, next = 0;
	struct regex_range *old = arena_array(&x->re->arena, n, sizeof *old);
	if (!old)
		return no_room(x);
	if (n)
		memcpy(old, c->range + from, n * sizeof *old);
	qsort(old, n, sizeof *old, by_low);
	c->room += n;
	c->n = from;
	for (uint32_t i = 0; i < n; i++) {
		if (old[i].lo > next && add_range(x, c, next, old[i].lo - 1) < 0)
			return -EINVAL;
		next = MAX(next, old[i].hi + 1);
	}
	return next <= LAST_RUNE ? add_range(x, c, next, LAST_RUNE) : 0;
}

struct named { const char *name, *ranges; };   /* ranges: pairs of characters */

static const struct named perl[] = { { "d", "09" }, { "w", "09AZaz__" }, { "s", "\t\n\f\r  " } };
static const struct named posix[] = {
	{ "alnum", "09AZaz" }, { "alpha", "AZaz" }, { "ascii", "\1\x7f" }, { "blank", "\t\t  " }, { "cntrl", "\1\x1f\x7f\x7f" }, { "digit", "09" },
	{ "graph", "!~" }, { "lower", "az" }, { "print", " ~" }, { "punct", "!/:@[`{~" }, { "space", "\t\r  " }, { "upper", "AZ" },
	{ "word", "09AZaz__" }, { "xdigit", "09AFaf" },
};

static int add_named(struct parser *x, struct regex_class *c, const struct named *v, bool is_negative)
{
	uint32_t from = c->n;
	int r = 0;
	if (!strcmp(v->name, "ascii") || !strcmp(v->name, "cntrl"))
		r = add_range(x, c, 0, 0);
	for (const char *s = v->ranges; r == 0 && *s; s += 2)
		r = add_folded(x, c, (unsigned char)s[0], (unsigned char)s[1]);
	return r == 0 && is_negative ? complement(x, c, from) : r;
}

/* \d and its like; 1 when it was one. */
static int perl_class(struct parser *x, struct regex_class *c)
{
	if (x->end - x->p < 2 || x->p[0] != '\\')
		return 0;
	char letter = x->p[1];
	for (size_t i = 0; i < ARRAY_LEN(perl); i++) {
		if ((letter | 32) != perl[i].name[0])
			continue;
		x->p += 2;
		int r = add_named(x, c, &perl[i], letter < 'a');
		return r < 0 ? r : 1;
	}
	return 0;
}

/* \pL, \p{Greek}, \P…; 1 when it was one. */
static int unicode_class(struct parser *x, struct regex_class *c)
{
	const char *from = x->p;
	if (x->end - x->p < 2 || x->p[0] != '\\' || (x->p[1] != 'p' && x->p[1] != 'P'))
		return 0;
	bool is_negative = x->p[1] == 'P';
	x->p += 2;
	if (x->p >= x->end)
		return refuse(x, "invalid character class range", from, 2);
	struct slice name = slice_n(x->p, 1);
	if (*x->p == '{') {
		const char *close = memchr(x->p, '}', (size_t)(x->end - x->p));
		if (!close)
			return refuse(x, "invalid character class range", from, (size_t)(x->end - from));
		name = slice_n(x->p + 1, (size_t)(close - x->p - 1));
		x->p = close + 1;
	} else {
		x->p++;
	}
	if (name.len && name.ptr[0] == '^') {
		is_negative = !is_negative;
		name = slice_n(name.ptr + 1, name.len - 1);
	}
	char pattern[96];
	bool is_word = name.len > 0;
	for (size_t i = 0; i < name.len; i++)
		is_word &= (name.ptr[i] | 32) >= 'a' ? (name.ptr[i] | 32) <= 'z' : name.ptr[i] == '_';
	if (slice_is(name, "Any")) {
		int k = is_negative ? 0 : add_range(x, c, 0, LAST_RUNE);
		return k < 0 ? k : 1;
	}
	int r = is_word && fmt_into(pattern, sizeof pattern, "%s\\p{%.*s}", x->flags & FOLD ? "(?i)" : "", SLICE_FMT(name)) ? add_property(x, c, pattern, is_negative)
		: -ENOENT;
	return r == -ENOENT ? refuse(x, "invalid character class range", from, (size_t)(x->p - from)) : r < 0 ? r : 1;
}

/* --- characters --- */

static int hex_escape(struct parser *x, const char *from, uint32_t *ret)
{
	uint64_t v;
	struct slice s = slice_n(x->p, 2);
	const char *next = x->p + 2;
	if (x->p < x->end && *x->p == '{') {
		const char *close = memchr(x->p, '}', (size_t)(x->end - x->p));
		if (!close)
			return refuse(x, "invalid escape sequence", from, (size_t)(x->end - from));
		s = slice_n(x->p + 1, (size_t)(close - x->p - 1));
		next = close + 1;
	}
	if (next > x->end || num_parse_base(s, 16, LAST_RUNE, &v) < 0)
		return refuse(x, "invalid escape sequence", from, (size_t)(MIN(next, x->end) - from));
	x->p = next;
	*ret = (uint32_t)v;
	return 0;
}

/* At a backslash: one character. */
static int escape(struct parser *x, uint32_t *ret)
{
	static const char from_[] = "afnrtv", to[] = "\a\f\n\r\t\v";
	const char *from = x->p++;
	if (x->p >= x->end)
		return refuse(x, "trailing backslash at end of expression", "", 0);
	unsigned n;
	uint32_t c = regex_rune(x->p, x->end, &n);
	const char *known = c && c < 0x80 ? strchr(from_, (int)c) : NULL;
	bool has_more = x->p + 1 < x->end && x->p[1] >= '0' && x->p[1] <= '7';
	x->p += n;
	if (known) {
		*ret = (unsigned char)to[known - from_];
	} else if (c == 'x') {
		return hex_escape(x, from, ret);
	} else if (c == '0' || (c >= '1' && c <= '7' && has_more)) {
		uint32_t v = c - '0';
		for (int i = 0; i < 2 && x->p < x->end && *x->p >= '0' && *x->p <= '7'; i++)
			v = v * 8 + (uint32_t)(*x->p++ - '0');
		*ret = v;
	} else if (c < 0x80 && !(c >= '0' && c <= '9') && !((c | 32) >= 'a' && (c | 32) <= 'z')) {
		*ret = c;
	} else {
		return refuse(x, "invalid escape sequence", from, (size_t)(x->p - from));
	}
	return 0;
}

/* [:alpha:] within brackets; 1 when it was one. */
static int posix_class(struct parser *x, struct regex_class *c)
{
	if (x->end - x->p < 2 || x->p[0] != '[' || x->p[1] != ':')
		return 0;
	const char *close = memmem(x->p + 2, (size_t)(x->end - x->p - 2), ":]", 2);
	if (!close)
		return 0;
	struct slice name = slice_n(x->p + 2, (size_t)(close - x->p - 2));
	bool is_negative = name.len && name.ptr[0] == '^';
	if (is_negative)
		name = slice_n(name.ptr + 1, name.len - 1);
	for (size_t i = 0; i < ARRAY_LEN(posix); i++) {
		if (!slice_is(name, posix[i].name))
			continue;
		x->p = close + 2;
		int r = add_named(x, c, &posix[i], is_negative);
		return r < 0 ? r : 1;
	}
	return refuse(x, "invalid character class range", x->p, (size_t)(close + 2 - x->p));
}

static int class_char(struct parser *x, const char *open, uint32_t *ret)
{
	unsigned n;
	if (x->p >= x->end)
		return refuse(x, "missing closing ]", open, (size_t)(x->end - open));
	if (*x->p == '\\')
		return escape(x, ret);
	*ret = regex_rune(x->p, x->end, &n);
	x->p += n;
	return 0;
}

static int brackets(struct parser *x, struct regex_node **ret)
{
	const char *open = x->p++;
	struct regex_node *v = node(x, RN_CLASS);
	struct regex_class *c = arena_new(&x->re->arena, struct regex_class);
	if (!v || !c)
		return no_room(x);
	v->class = c;
	if (x->p < x->end && *x->p == '^') {
		c->is_negative = true;
		x->p++;
	}
	for (bool first = true; x->p >= x->end || *x->p != ']' || first; first = false) {
		const char *from = x->p;
		uint32_t lo, hi;
		int r = posix_class(x, c);
		if (r == 0)
			r = unicode_class(x, c);
		if (r == 0)
			r = perl_class(x, c);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		r = class_char(x, open, &lo);
		if (r < 0)
			return r;
		hi = lo;
		if (x->end - x->p >= 2 && x->p[0] == '-' && x->p[1] != ']') {
			x->p++;
			r = class_char(x, open, &hi);
			if (r == 0 && hi < lo)
				r = refuse(x, "invalid character class range", from, (size_t)(x->p - from));
		}
		if (r == 0)
			r = add_folded(x, c, lo, hi);
		if (r < 0)
			return r;
	}
	x->p++;
	*ret = v;
	return 0;
}

static int literal(struct parser *x, uint32_t c, struct regex_node **ret)
{
	bool is_letter = (c | 32) >= 'a' && (c | 32) <= 'z';
	if (!(x->flags & FOLD) || (c < 0x80 && !is_letter)) {
		struct regex_node *v = node(x, RN_CHAR);
		if (!v)
			return no_room(x);
		v->c = c;
		*ret = v;
		return 0;
	}
	struct regex_node *v = node(x, RN_CLASS);
	struct regex_class *class = arena_new(&x->re->arena, struct regex_class);
	if (!v || !class)
		return no_room(x);
	v->class = class;
	*ret = v;
	return add_folded(x, class, c, c);
}

static int assertion(struct parser *x, uint8_t op, struct regex_node **ret)
{
	struct regex_node *v = node(x, RN_ASSERT);
	if (!v)
		return no_room(x);
	v->op = op;
	*ret = v;
	return 0;
}

/* A class of its own, by one of the readers above. */
static int one_class(struct parser *x, int (*read)(struct parser *x, struct regex_class *c), struct regex_node **ret)
{
	struct regex_node *v = node(x, RN_CLASS);
	struct regex_class *c = arena_new(&x->re->arena, struct regex_class);
	if (!v || !c)
		return no_room(x);
	v->class = c;
	int r = read(x, c);
	if (r > 0)
		*ret = v;
	return r;
}

static int any(struct parser *x, struct regex_class *c)
{
	int r = x->flags & DOT_ALL ? add_range(x, c, 0, LAST_RUNE) : add_range(x, c, 0, '\n' - 1);
	if (r == 0 && !(x->flags & DOT_ALL))
		r = add_range(x, c, '\n' + 1, LAST_RUNE);
	return r < 0 ? r : 1;
}

static int join(struct parser *x, uint8_t kind, struct regex_node *right, struct regex_node **io)
{
	struct regex_node *v = *io ? node(x, kind) : right;
	if (!v)
		return no_room(x);
	if (*io) {
		v->left = *io;
		v->right = right;
	}
	*io = v;
	return 0;
}

/* --- the grammar --- */

static int alternatives(struct parser *x, struct regex_node **ret);

/* Behind "(?": 1 flags alone, 0 a group follows. */
static int group_head(struct parser *x, unsigned *flags)
{
	const char *from = x->p - 2;
	bool is_off = false, any_flag = false;
	if ((x->p[0] == 'P' && x->p + 1 < x->end && x->p[1] == '<') || x->p[0] == '<') {
		const char *name = x->p + (x->p[0] == 'P' ? 2 : 1), *close = memchr(name, '>', (size_t)(x->end - name));
		if (x->p[0] == '<' && name < x->end && (*name == '=' || *name == '!'))
			return refuse(x, "invalid or unsupported Perl syntax", from, 4);
		bool is_good = close && close > name;
		for (const char *s = name; is_good && s < close; s++)
			is_good = *s == '_' || (*s >= '0' && *s <= '9') || ((*s | 32) >= 'a' && (*s | 32) <= 'z');
		if (!is_good)
			return refuse(x, "invalid named capture", from, (size_t)((close ? close + 1 : x->end) - from));
		x->p = close + 1;
		return 0;
	}
	for (; x->p < x->end; x->p++) {
		unsigned bit = *x->p == 'i' ? FOLD : *x->p == 'm' ? MULTI : *x->p == 's' ? DOT_ALL : 0;
		if (*x->p == ')' || *x->p == ':') {
			if (is_off && !any_flag)
				break;
			return *x->p++ == ')';
		}
		if (*x->p == '-' && !is_off) {
			is_off = true;
			any_flag = false;
			continue;
		}
		if (!bit && *x->p != 'U')
			break;
		any_flag = true;
		*flags = is_off ? *flags & ~bit : *flags | bit;
	}
	return refuse(x, "invalid or unsupported Perl syntax", from, (size_t)(MIN(x->p + 1, x->end) - from));
}

static int group(struct parser *x, struct regex_node **ret)
{
	unsigned saved = x->flags, flags = x->flags;
	x->p++;
	if (x->depth >= REGEX_MAX_DEPTH)
		return err_set(x->e, EINVAL, "error parsing regexp: expression nests too deeply: `%.60s`", x->text);
	if (x->p < x->end && *x->p == '?') {
		if (++x->p >= x->end)
			return refuse(x, "invalid or unsupported Perl syntax", "(?", 2);
		int r = group_head(x, &flags);
		if (r < 0)
			return r;
		x->flags = flags;
		if (r == 1) {
			*ret = node(x, RN_EMPTY);
			return *ret ? 1 : no_room(x);
		}
	}
	x->depth++;
	int r = alternatives(x, ret);
	x->depth--;
	x->flags = saved;
	if (r < 0)
		return r;
	if (x->p >= x->end)
		return refuse(x, "missing closing )", x->text, (size_t)(x->end - x->text));
	x->p++;
	return 0;
}

/* {2,5}: 1 when it is one. */
static int counts(struct parser *x, int *min, int *max)
{
	const char *s = x->p + 1;
	uint64_t lo, hi;
	size_t n = strspn(s, "0123456789");
	if (!n || num_parse_u64(slice_n(s, n), 1 << 20, &lo) < 0)
		lo = n ? 1 << 20 : 0;
	if (!n)
		return 0;
	s += n;
	hi = lo;
	if (*s == ',') {
		n = strspn(++s, "0123456789");
		hi = UINT64_MAX;
		if (n && num_parse_u64(slice_n(s, n), 1 << 20, &hi) < 0)
			hi = 1 << 20;
		s += n;
	}
	if (*s != '}')
		return 0;
	s++;
	if (lo > REGEX_MAX_REPEAT || (hi != UINT64_MAX && (hi > REGEX_MAX_REPEAT || hi < lo)))
		return refuse(x, "invalid repeat count", x->p, (size_t)(s - x->p));
	x->p = s;
	*min = (int)lo;
	*max = hi == UINT64_MAX ? -1 : (int)hi;
	return 1;
}

/* * + ? {…} behind an atom; a lazy one is the same here. */
static int repeats(struct parser *x, struct regex_node **io)
{
	const char *last = NULL;
	for (;;) {
		int min = 0, max = -1, r = 1;
		const char *from = x->p;
		char c = x->p < x->end ? *x->p : 0;
		if (c == '{')
			r = counts(x, &min, &max);
		else if (c == '*' || c == '+' || c == '?')
			x->p++;
		else
			r = 0;
		if (r <= 0)
			return r;
		min = c == '+' ? 1 : min;
		max = c == '?' ? 1 : max;
		x->p += x->p < x->end && *x->p == '?';
		if (last)
			return refuse(x, "invalid nested repetition operator", last, (size_t)(x->p - last));
		last = from;
		struct regex_node *v = node(x, RN_REPEAT);
		if (!v)
			return no_room(x);
		v->left = *io;
		v->min = min;
		v->max = max;
		*io = v;
	}
}

/* At a backslash, outside brackets. */
static int escaped(struct parser *x, struct regex_node **ret)
{
	static const struct { char c; uint8_t op; } asserts[] = {
		{ 'A', RE_BEGIN_TEXT }, { 'z', RE_END_TEXT }, { 'b', RE_WORD }, { 'B', RE_NO_WORD },
	};
	uint32_t c;
	for (size_t i = 0; i < ARRAY_LEN(asserts) && x->end - x->p >= 2; i++) {
		if (x->p[1] == asserts[i].c) {
			x->p += 2;
			return assertion(x, asserts[i].op, ret);
		}
	}
	int r = one_class(x, perl_class, ret);
	if (r == 0)
		r = one_class(x, unicode_class, ret);
	if (r)
		return MIN(r, 0);
	r = escape(x, &c);
	return r < 0 ? r : literal(x, c, ret);
}

/* One thing that can be repeated. 1: flags alone, which cannot. */
static int atom(struct parser *x, struct regex_node **ret)
{
	unsigned n;
	switch (*x->p) {
	case '(': return group(x, ret);
	case '[': return brackets(x, ret);
	case '\\': return escaped(x, ret);
	case '.': x->p++; return MIN(one_class(x, any, ret), 0);
	case '^': x->p++; return assertion(x, x->flags & MULTI ? RE_BEGIN_LINE : RE_BEGIN_TEXT, ret);
	case '$': x->p++; return assertion(x, x->flags & MULTI ? RE_END_LINE : RE_END_TEXT, ret);
	}
	uint32_t c = regex_rune(x->p, x->end, &n);
	x->p += n;
	return literal(x, c, ret);
}

/* \Q…\E: each character for itself; the last can be repeated. */
static int quoted(struct parser *x, struct regex_node **io)
{
	x->p += 2;
	while (x->p < x->end && !(x->end - x->p >= 2 && x->p[0] == '\\' && x->p[1] == 'E')) {
		struct regex_node *v = NULL;
		unsigned n;
		uint32_t c = regex_rune(x->p, x->end, &n);
		x->p += n;
		bool is_last = x->p >= x->end || (x->end - x->p >= 2 && x->p[0] == '\\' && x->p[1] == 'E');
		int r = literal(x, c, &v);
		if (r == 0 && is_last) {
			x->p += MIN(x->end - x->p, (ptrdiff_t)2);
			r = repeats(x, &v);
			return r < 0 ? r : join(x, RN_CAT, v, io);
		}
		if (r == 0)
			r = join(x, RN_CAT, v, io);
		if (r < 0)
			return r;
	}
	x->p += MIN(x->end - x->p, (ptrdiff_t)2);
	return 0;
}

/* At a repetition that follows nothing. */
static int lonely(struct parser *x)
{
	const char *from = x->p;
	int min, max, r = 1;
	if (*x->p == '{')
		r = counts(x, &min, &max);
	else
		x->p++;
	if (r <= 0)
		return r;
	x->p += x->p < x->end && *x->p == '?';
	return refuse(x, "missing argument to repetition operator", from, (size_t)(x->p - from));
}

/* `last` waits for a repetition, which may stand behind flags that come between: a(?i)* */
static int sequence(struct parser *x, struct regex_node **ret)
{
	struct regex_node *all = NULL, *last = NULL;
	int r = 0;
	while (r >= 0 && x->p < x->end && *x->p != '|' && *x->p != ')') {
		struct regex_node *v = NULL;
		const char *from = x->p;
		if (strchr("*+?{", *x->p)) {
			r = last ? repeats(x, &last) : lonely(x);
			if (r < 0 || x->p != from)
				continue;
		}
		if (last)
			r = join(x, RN_CAT, last, &all);
		bool is_quote = x->end - x->p >= 2 && x->p[0] == '\\' && x->p[1] == 'Q';
		struct regex_node *before = last;
		last = NULL;
		if (r >= 0)
			r = is_quote ? quoted(x, &all) : atom(x, &v);
		if (r == 0 && !is_quote)
			r = repeats(x, &v);
		last = r == 0 ? v : NULL;
		if (r == 1 && before) {
			/* flags: what was before them is the last one still */
			last = before;
			all = all == before ? NULL : all->left;
		}
	}
	if (r >= 0 && last)
		r = join(x, RN_CAT, last, &all);
	if (r < 0)
		return r;
	if (!all && !(all = node(x, RN_EMPTY)))
		return no_room(x);
	*ret = all;
	return 0;
}

static int alternatives(struct parser *x, struct regex_node **ret)
{
	struct regex_node *all = NULL, *v = NULL;
	for (;;) {
		int r = sequence(x, &v);
		if (r == 0)
			r = join(x, RN_ALT, v, &all);
		if (r < 0)
			return r;
		if (x->p >= x->end || *x->p != '|')
			break;
		x->p++;
	}
	*ret = all;
	return 0;
}

int regex_parse(struct crd_pattern *p, const char *text, struct regex_node **ret, struct err *e)
{
	size_t len = strlen(text);
	struct parser x = { .re = p, .text = text, .p = text, .end = text + len, .e = e };
	for (const char *s = text; s < x.end;) {
		unsigned n;
		if (regex_rune(s, x.end, &n) == 0xfffd && n == 1)
			return refuse(&x, "invalid UTF-8", s, len - (size_t)(s - text));
		s += n;
	}
	int r = alternatives(&x, ret);
	if (r == 0 && x.p < x.end)
		return refuse(&x, "unexpected )", text, len);
	return r;
}

bool regex_has_property(const struct regex_property *x, uint32_t c)
{
	char s[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		s[i] = (char)(0x80 | (c & 0x3f));
	s[0] = (char)(lead[n] | c);
	pcre2_match_data *m = pcre2_match_data_create(1, NULL);
	int r = m ? pcre2_match(x->code, (PCRE2_SPTR)s, n, 0, 0, m, NULL) : -1;
	pcre2_match_data_free(m);
	return (r >= 0) != x->is_negative;
}
