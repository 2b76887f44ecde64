/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that templates can call: Go's own, then docker's. */
#include "cli/template_int.h"
#include <ctype.h>
#include "codec/base64.h"
#include "base/auto.h"

typedef struct val V;

static struct val text_of(struct arena *a, struct buf *b)
{
	const char *kept = arena_dup(a, buf_slice(b));
	struct val v = val_slice(slice_n(kept ? kept : "", kept ? b->len : 0));
	buf_release(b);
	return v;
}

/* Any value as text. */
static struct slice as_text(struct arena *a, const V *v)
{
	struct buf b = BUF_INIT(64 << 20);

	if (v->kind == VAL_STR)
		return v->s;
	val_print(v, &b);
	return text_of(a, &b).s;
}

/* --- logic and comparison -------------------------------------------------------- */

static int f_and(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	size_t i = 0;
	while (i + 1 < n && val_truth(&v[i]))
		i++;
	*ret = v[i];
	return 0;
}

static int f_or(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	size_t i = 0;
	while (i + 1 < n && !val_truth(&v[i]))
		i++;
	*ret = v[i];
	return 0;
}

static int f_not(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	*ret = val_bool(!val_truth(&v[0]));
	return 0;
}

/* -1, 0, 1, or -EINVAL where the two do not compare. 2: unequal without order. */
static int compare(const V *x, const V *y, struct err *e)
{
	if (x->kind == VAL_STR && y->kind == VAL_STR)
		return slice_cmp(x->s, y->s) < 0 ? -1 : slice_cmp(x->s, y->s) > 0;
	if (x->kind == VAL_INT && y->kind == VAL_INT)
		return x->i < y->i ? -1 : x->i > y->i;
	if (x->kind == VAL_FLOAT && y->kind == VAL_FLOAT)
		return x->f < y->f ? -1 : x->f > y->f;
	if (x->kind == VAL_BOOL && y->kind == VAL_BOOL)
		return x->b == y->b ? 0 : 2;
	if (x->kind == VAL_NIL || x->kind == VAL_NONE || y->kind == VAL_NIL || y->kind == VAL_NONE)
		return (x->kind == VAL_NIL || x->kind == VAL_NONE) && (y->kind == VAL_NIL || y->kind == VAL_NONE) ? 0 : 2;
	if (x->kind == VAL_TREE || x->kind == VAL_LIST || y->kind == VAL_TREE || y->kind == VAL_LIST)
		return err_set(e, EINVAL, "non-comparable type %s", val_kind_name(x->kind == VAL_TREE ? x : y));
	return err_set(e, EINVAL, "incompatible types for comparison");
}

static int f_eq(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	bool any = false;

	for (size_t i = 1; i < n && !any; i++) {
		int r = compare(&v[0], &v[i], e);
		if (r <= -EINVAL)
			return r;
		any = r == 0;
	}
	*ret = val_bool(any);
	return 0;
}

static int f_ne(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	int r = compare(&v[0], &v[1], e);
	if (r <= -EINVAL)
		return r;
	*ret = val_bool(r != 0);
	return 0;
}

#define ORDER(name, test) \
	static int name(struct arena *a, const V *v, size_t n, V *ret, struct err *e) \
	{ \
		int r = compare(&v[0], &v[1], e); \
		if (r <= -EINVAL || r == 2) \
			return r == 2 ? err_set(e, EINVAL, "invalid type for comparison") : r; \
		*ret = val_bool(test); \
		return 0; \
	}
ORDER(f_lt, r < 0)
ORDER(f_le, r <= 0)
ORDER(f_gt, r > 0)
ORDER(f_ge, r >= 0)

/* --- members ------------------------------------------------------------------- */

static int f_len(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	int64_t len = val_len(&v[0]);
	if (len < 0)
		return err_set(e, EINVAL, "len of type %s", val_kind_name(&v[0]));
	*ret = val_int(len);
	return 0;
}

static int f_index(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	V at = v[0], key, got;

	for (size_t i = 1; i < n; i++) {
		if (at.kind == VAL_NONE || at.kind == VAL_NIL)
			return err_set(e, EINVAL, "index of untyped nil");
		if (at.kind == VAL_STR && v[i].kind == VAL_INT) {
			if (v[i].i < 0 || (size_t)v[i].i >= at.s.len)
				return err_set(e, EINVAL, "index out of range: %lld", (long long)v[i].i);
			at = val_int((unsigned char)at.s.ptr[v[i].i]);
			continue;
		}
		if (v[i].kind == VAL_STR && (at.kind == VAL_TREE || at.kind == VAL_ROW)) {
			if (at.kind == VAL_TREE && !val_is_object(&at))
				return err_set(e, EINVAL, "cannot index slice/array with type string");
			at = val_field_get(&at, v[i].s, false, &got) ? got : (V){ .kind = VAL_NONE };
			continue;
		}
		if (v[i].kind != VAL_INT || (at.kind != VAL_TREE && at.kind != VAL_LIST) || val_is_object(&at))
			return err_set(e, EINVAL, "can't index item of type %s", val_kind_name(&at));
		if (v[i].i < 0 || v[i].i >= val_len(&at))
			return err_set(e, EINVAL, "reflect: slice index out of range");
		val_at(&at, v[i].i, &key, &got);
		at = got;
	}
	*ret = at;
	return 0;
}

static int f_slice(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	int64_t len = val_len(&v[0]), from = 0, to = len;

	if (len < 0 || val_is_object(&v[0]))
		return err_set(e, EINVAL, "can't slice item of type %s", val_kind_name(&v[0]));
	for (size_t i = 1; i < n; i++)
		if (v[i].kind != VAL_INT)
			return err_set(e, EINVAL, "cannot index slice/array with type %s", val_kind_name(&v[i]));
	if (n > 1)
		from = v[1].i;
	if (n > 2)
		to = v[2].i;
	if (from < 0 || to > len || from > to)
		return err_set(e, EINVAL, "index out of range: %lld", (long long)(from < 0 || from > to ? from : to));
	if (v[0].kind == VAL_STR) {
		*ret = val_slice(slice_n(v[0].s.ptr + from, (size_t)(to - from)));
		return 0;
	}
	V *items = arena_array(a, (size_t)(to - from) + 1, sizeof *items), key;
	if (!items)
		return err_nomem(e);
	for (int64_t i = from; i < to; i++)
		val_at(&v[0], i, &key, &items[i - from]);
	*ret = (V){ .kind = VAL_LIST, .list = items, .i = to - from };
	return 0;
}

/* --- printing ------------------------------------------------------------------ */

static int f_print(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	struct buf b = BUF_INIT(64 << 20);

	for (size_t i = 0; i < n; i++) {
		if (i && v[i].kind != VAL_STR && v[i - 1].kind != VAL_STR)
			buf_addc(&b, ' ');
		val_print(&v[i], &b);
	}
	*ret = text_of(a, &b);
	return 0;
}

static int f_println(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	struct buf b = BUF_INIT(64 << 20);

	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_addc(&b, ' ');
		val_print(&v[i], &b);
	}
	buf_addc(&b, '\n');
	*ret = text_of(a, &b);
	return 0;
}

/* One verb of a format; the flags were checked to be printf's. */
static void print_verb(struct buf *b, struct arena *a, const char *flags, char verb, const V *v)
{
	char spec[40];
	struct buf quoted = BUF_INIT(64 << 20);

	switch (verb) {
	case 'd':
		if (v->kind != VAL_INT)
			break;
		fmt_into(spec, sizeof spec, "%%%slld", flags);
		buf_addf(b, spec, (long long)v->i);
		return;
	case 'x': case 'X': case 'o': case 'c':
		if (v->kind != VAL_INT)
			break;
		fmt_into(spec, sizeof spec, "%%%s%s%c", flags, verb == 'c' ? "" : "ll", verb);
		buf_addf(b, spec, (long long)v->i);
		return;
	case 'f': case 'g': case 'e':
		if (v->kind != VAL_FLOAT)
			break;
		fmt_into(spec, sizeof spec, "%%%s%c", flags, verb);
		buf_addf(b, spec, v->f);
		return;
	case 'q':
		val_json(&(V){ .kind = VAL_STR, .s = as_text(a, v) }, &quoted);
		fmt_into(spec, sizeof spec, "%%%ss", flags);
		buf_addf(b, spec, quoted.ptr);
		buf_release(&quoted);
		return;
	case 's': case 'v': case 't': {
		struct slice s = as_text(a, v);
		const char *text = arena_dup(a, s);
		fmt_into(spec, sizeof spec, "%%%ss", flags);
		buf_addf(b, spec, text ? text : "");
		return;
	}
	default:
		break;
	}
	buf_addf(b, "%%!%c(%s=", verb, val_kind_name(v));
	val_print(v, b);
	buf_addc(b, ')');
}

static int f_printf(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	struct buf b = BUF_INIT(64 << 20);
	size_t next = 1;

	if (v[0].kind != VAL_STR)
		return err_set(e, EINVAL, "wrong type for value; expected string; got %s", val_kind_name(&v[0]));
	for (size_t i = 0; i < v[0].s.len; i++) {
		const char *p = v[0].s.ptr + i;
		char flags[24];
		size_t k = 0;
		if (*p != '%') {
			buf_addc(&b, *p);
			continue;
		}
		i++;
		while (i < v[0].s.len && strchr("-+ #0123456789.", v[0].s.ptr[i]) && k < sizeof flags - 1)
			flags[k++] = v[0].s.ptr[i++];
		flags[k] = 0;
		if (strlen(flags) > 8)
			flags[8] = 0;
		if (i >= v[0].s.len)
			buf_adds(&b, "%!(NOVERB)");
		else if (v[0].s.ptr[i] == '%')
			buf_addc(&b, '%');
		else if (next >= n)
			buf_addf(&b, "%%!%c(MISSING)", v[0].s.ptr[i]);
		else
			print_verb(&b, a, flags, v[0].s.ptr[i], &v[next++]);
	}
	*ret = text_of(a, &b);
	return 0;
}

static int f_json(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	struct buf b = BUF_INIT(64 << 20);
	val_json(&v[0], &b);
	*ret = text_of(a, &b);
	return 0;
}

static int escape_text(struct arena *a, const V *v, size_t n, V *ret, const char *const table[256])
{
	struct buf b = BUF_INIT(64 << 20);

	for (size_t i = 0; i < n; i++) {
		struct slice s = as_text(a, &v[i]);
		for (size_t k = 0; k < s.len; k++) {
			const char *to = table[(unsigned char)s.ptr[k]];
			if (to)
				buf_adds(&b, to);
			else
				buf_addc(&b, s.ptr[k]);
		}
	}
	*ret = text_of(a, &b);
	return 0;
}

static int f_html(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	static const char *const table[256] = { ['"'] = "&#34;", ['\''] = "&#39;", ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;" };
	return escape_text(a, v, n, ret, table);
}

static int f_js(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	static const char *const table[256] = { ['"'] = "\\\"", ['\''] = "\\'", ['\\'] = "\\\\", ['<'] = "\\u003C", ['>'] = "\\u003E",
						['&'] = "\\u0026", ['='] = "\\u003D", ['\n'] = "\\u000A" };
	return escape_text(a, v, n, ret, table);
}

static int f_urlquery(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	struct buf b = BUF_INIT(64 << 20);
	struct slice s = as_text(a, &v[0]);

	for (size_t i = 0; i < s.len; i++) {
		unsigned char ch = (unsigned char)s.ptr[i];
		if (isalnum(ch) || strchr("-_.~", ch))
			buf_addc(&b, (char)ch);
		else if (ch == ' ')
			buf_addc(&b, '+');
		else
			buf_addf(&b, "%%%02X", ch);
	}
	*ret = text_of(a, &b);
	return 0;
}

/* --- docker's ------------------------------------------------------------------ */

static int want_text(const V *v, struct err *e)
{
	return v->kind == VAL_STR ? 0 : err_set(e, EINVAL, "wrong type for value; expected string; got %s", val_kind_name(v));
}

static int f_split(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	int r = want_text(&v[0], e) < 0 ? -EINVAL : want_text(&v[1], e);
	V *items;
	size_t k = 0;

	if (r < 0)
		return r;
	struct slice s = v[0].s, sep = v[1].s;
	if (!(items = arena_array(a, s.len + 2, sizeof *items)))
		return err_nomem(e);
	for (;;) {
		const char *hit = sep.len ? memmem(s.ptr, s.len, sep.ptr, sep.len) : s.len ? s.ptr + 1 : NULL;
		if (!hit || (!sep.len && s.len == 1)) {
			if (sep.len || s.len)
				items[k++] = val_slice(s);
			break;
		}
		items[k++] = val_slice(slice_n(s.ptr, (size_t)(hit - s.ptr)));
		s = slice_n(hit + sep.len, s.len - (size_t)(hit - s.ptr) - sep.len);
	}
	*ret = (V){ .kind = VAL_LIST, .list = items, .i = (int64_t)k };
	return 0;
}

static int f_join(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	struct buf b = BUF_INIT(64 << 20);
	int64_t len = val_len(&v[0]);
	V key, item;

	if (len < 0 || v[0].kind == VAL_STR || want_text(&v[1], e) < 0)
		return err_set(e, EINVAL, "wrong type for value; expected []string; got %s", val_kind_name(&v[0]));
	for (int64_t i = 0; i < len; i++) {
		if (i)
			buf_addslice(&b, v[1].s);
		val_at(&v[0], i, &key, &item);
		val_print(&item, &b);
	}
	*ret = text_of(a, &b);
	return 0;
}

static int change_case(struct arena *a, const V *v, V *ret, int (*fn)(int), bool words, struct err *e)
{
	char *p;
	bool start = true;

	if (want_text(&v[0], e) < 0)
		return -EINVAL;
	if (!(p = arena_dup(a, v[0].s)))
		return err_nomem(e);
	for (size_t i = 0; i < v[0].s.len; i++) {
		if (!words || start)
			p[i] = (char)fn((unsigned char)p[i]);
		start = !isalnum((unsigned char)p[i]) && p[i] != '_' && p[i] != '\'';
	}
	*ret = val_slice(slice_n(p, v[0].s.len));
	return 0;
}

static int f_lower(struct arena *a, const V *v, size_t n, V *ret, struct err *e) { return change_case(a, v, ret, tolower, false, e); }
static int f_upper(struct arena *a, const V *v, size_t n, V *ret, struct err *e) { return change_case(a, v, ret, toupper, false, e); }
static int f_title(struct arena *a, const V *v, size_t n, V *ret, struct err *e) { return change_case(a, v, ret, toupper, true, e); }

static int f_pad(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	if (want_text(&v[0], e) < 0 || v[1].kind != VAL_INT || v[2].kind != VAL_INT || v[1].i < 0 || v[2].i < 0 || v[1].i > 65536 || v[2].i > 65536)
		return err_set(e, EINVAL, "wrong type for value");
	*ret = val_slice(v[0].s);
	if (v[0].s.len) {
		const char *s = arena_fmt(a, "%*s%.*s%*s", (int)v[1].i, "", SLICE_FMT(v[0].s), (int)v[2].i, "");
		*ret = val_str(s);
	}
	return 0;
}

static int f_truncate(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	size_t at = 0;
	int64_t left = v[1].i;

	if (want_text(&v[0], e) < 0 || v[1].kind != VAL_INT || left < 0)
		return err_set(e, EINVAL, "wrong type for value");
	while (at < v[0].s.len) {
		if (((unsigned char)v[0].s.ptr[at] & 0xc0) != 0x80 && left-- == 0)
			break;
		at++;
	}
	*ret = val_slice(slice_n(v[0].s.ptr, at));
	return 0;
}

static int f_base64decode(struct arena *a, const V *v, size_t n, V *ret, struct err *e)
{
	struct buf b = BUF_INIT(64 << 20);
	if (base64_decode(&b, as_text(a, &v[0])) < 0) {
		buf_release(&b);
		return err_set(e, EINVAL, "base64decode: illegal base64 data");
	}
	*ret = text_of(a, &b);
	return 0;
}

const struct func *func_find(struct slice name)
{
	static const struct func funcs[] = {
		{ "and", 1, -1, f_and }, { "or", 1, -1, f_or }, { "not", 1, 1, f_not },
		{ "eq", 2, -1, f_eq }, { "ne", 2, 2, f_ne }, { "lt", 2, 2, f_lt }, { "le", 2, 2, f_le }, { "gt", 2, 2, f_gt }, { "ge", 2, 2, f_ge },
		{ "len", 1, 1, f_len }, { "index", 1, -1, f_index }, { "slice", 1, 4, f_slice },
		{ "print", 0, -1, f_print }, { "printf", 1, -1, f_printf }, { "println", 0, -1, f_println },
		{ "html", 1, -1, f_html }, { "js", 1, -1, f_js }, { "urlquery", 1, 1, f_urlquery },
		{ "json", 1, 1, f_json }, { "split", 2, 2, f_split }, { "join", 2, 2, f_join },
		{ "title", 1, 1, f_title }, { "lower", 1, 1, f_lower }, { "upper", 1, 1, f_upper },
		{ "base64decode", 1, 1, f_base64decode }, { "pad", 3, 3, f_pad }, { "truncate", 2, 2, f_truncate },
	};
	for (size_t i = 0; i < ARRAY_LEN(funcs); i++)
		if (slice_is(name, funcs[i].name))
			return &funcs[i];
	return NULL;
}
