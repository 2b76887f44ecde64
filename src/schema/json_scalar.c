/* SPDX-License-Identifier: Apache-2.0 */
/* JSON values that are no messages: numbers, text, raw JSON, bytes. */
#include "schema/json_read_int.h"

#include "base/clock.h"
#include "codec/base64.h"
#include "schema/quantity.h"

int dec_text(struct dec *d, const char **ret)
{
	struct json_text t;
	if (json_string(&d->in, &t) < 0)
		return dec_syntax(d);
	if (!t.len) {
		*ret = "";
		return 0;
	}
	char *p = arena_chars(d->a, json_text_room(&t) + 1);
	if (!p)
		return dec_no_room(d);
	size_t n = t.len;
	if (t.is_plain)
		memcpy(p, t.ptr, n);
	else
		n = json_unescape(&t, p);
	/* a C string would end there, behind whatever was checked */
	if (!t.is_plain && memchr(p, 0, n))
		return err_set(d->e, EINVAL, "json: a string contains a NUL character");
	p[n] = 0;
	*ret = p;
	return 0;
}

static int text(struct dec *d, const struct frame *fr, const char **ret)
{
	return json_peek(&d->in) == '"' ? dec_text(d, ret) : dec_wrong(d, fr, NULL);
}

/* A time must be one, but keeps its text. */
static int time_text(struct dec *d, const struct frame *fr, const char **ret)
{
	const char *s;
	int64_t ns;
	int r = text(d, fr, &s);
	if (r < 0)
		return r;
	if (clock_parse_rfc3339(slice_of(s), &ns) < 0)
		return err_set(d->e, EINVAL, "parsing time \"\\\"%s\\\"\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"%s\" as \"2006\"", s, s);
	*ret = s;
	return 0;
}

static int not_a_number(struct dec *d, const struct frame *fr, const char *begin)
{
	struct slice s;
	d->in.p = begin;
	if (json_number(&d->in, &s) < 0)
		return dec_syntax(d);
	char value[64];
	fmt_into(value, sizeof value, "number %.*s", (int)MIN(s.len, (size_t)50), s.ptr);
	return dec_type_error(d, fr, value, NULL);
}

/* Digits at the cursor, as magnitude and sign. */
static int integer(struct dec *d, const struct frame *fr, bool *is_negative, uint64_t *ret)
{
	const char *p = d->in.p, *end = d->in.end, *begin = p;
	uint64_t v = 0;
	*is_negative = *p == '-';
	p += *is_negative;
	const char *digits = p;
	for (; p < end && (unsigned char)(*p - '0') < 10; p++) {
		if (p - digits >= 19 && (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v)))
			return not_a_number(d, fr, begin);
		else if (p - digits < 19)
			v = v * 10 + (uint64_t)(*p - '0');
	}
	if (p > digits && *digits == '0') {
		/* nothing may follow a leading zero; if something does, the next token is wrong */
		p = digits + 1;
		v = 0;
	}
	if (p == digits || (p < end && (*p == '.' || (*p | 32) == 'e')))
		return not_a_number(d, fr, begin);
	d->in.p = p;
	*ret = v;
	return 0;
}

static int number(struct dec *d, const struct frame *fr, uint8_t kind, void *dst)
{
	static const uint64_t max[] = {
		[SCHEMA_I8] = INT8_MAX, [SCHEMA_I16] = INT16_MAX, [SCHEMA_I32] = INT32_MAX, [SCHEMA_I64] = INT64_MAX,
		[SCHEMA_U8] = UINT8_MAX, [SCHEMA_U16] = UINT16_MAX, [SCHEMA_U32] = UINT32_MAX, [SCHEMA_U64] = UINT64_MAX,
	};
	const char *begin = d->in.p;
	bool negative = false;
	uint64_t v = 0;
	int r = integer(d, fr, &negative, &v);
	if (r < 0)
		return r;
	bool is_signed = kind <= SCHEMA_I64;
	if (negative ? !is_signed || v > max[kind] + 1 : v > max[kind]) {
		if (!(negative && v == 0))
			return not_a_number(d, fr, begin);
	}
	uint64_t bits = negative ? 0 - v : v;
	memcpy(dst, &bits, schema_kind_size[kind]);  /* little endian, as all our machines are */
	return 0;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "number() writes the low bytes first");

static int floating(struct dec *d, double *ret)
{
	struct slice s;
	if (json_number(&d->in, &s) < 0)
		return dec_syntax(d);
	char tmp[64];
	if (s.len < sizeof tmp) {
		memcpy(tmp, s.ptr, s.len);
		tmp[s.len] = 0;
		*ret = strtod(tmp, NULL);
		return 0;
	}
	AUTO(free) char *copy = slice_dup(s);
	if (!copy)
		return dec_no_room(d);
	*ret = strtod(copy, NULL);
	return 0;
}

static int raw(struct dec *d, struct slice *ret)
{
	struct slice s;
	if (json_skip(&d->in, &s) < 0)
		return dec_syntax(d);
	if (!(d->flags & SCHEMA_NO_COPY)) {
		char *p = arena_chars(d->a, s.len + 1);
		if (!p)
			return dec_no_room(d);
		memcpy(p, s.ptr, s.len);
		p[s.len] = 0;
		s.ptr = p;
	}
	*ret = s;
	return 0;
}

static int bytes(struct dec *d, const struct frame *fr, struct slice *ret)
{
	const char *s;
	int r = text(d, fr, &s);
	if (r < 0)
		return r;
	AUTO(buf) struct buf b = BUF_INIT(strlen(s) + 4);
	if (base64_decode(&b, slice_of(s)) < 0)
		return err_set(d->e, EINVAL, "illegal base64 data");
	char *p = arena_chars(d->a, b.len + 1);
	if (!p)
		return dec_no_room(d);
	memcpy(p, b.ptr, b.len + 1);
	*ret = slice_n(p, b.len);
	return 0;
}

static int is_number(char c)
{
	return c == '-' || (c >= '0' && c <= '9');
}

static int quantity(struct dec *d, const struct frame *fr, const char **ret)
{
	char c = json_peek(&d->in);
	const char *t;
	if (is_number(c)) {
		struct slice s;
		if (json_number(&d->in, &s) < 0)
			return dec_syntax(d);
		t = arena_dup(d->a, s);
		if (!t)
			return dec_no_room(d);
	} else {
		int r = text(d, fr, &t);
		if (r < 0)
			return r;
	}
	struct err why = { 0 };
	*ret = quantity_canonical(d->a, t, &why);
	return *ret ? 0 : err_set(d->e, why.code, "%s", why.text);
}

static int int_or_string(struct dec *d, const struct frame *fr, struct schema_int_or_string *ret)
{
	if (json_peek(&d->in) == '"')
		return dec_text(d, &ret->string);
	if (is_number(json_peek(&d->in)))
		return number(d, fr, SCHEMA_I64, &ret->number);
	return dec_wrong(d, fr, "intstr.IntOrString");
}

/* A number inside a string. */
static int quoted(struct dec *d, const struct frame *fr, const struct schema_field *f, void *dst)
{
	const char *s;
	int r = text(d, fr, &s);
	if (r < 0)
		return r;
	struct json_in saved = d->in;
	d->in = json_in(slice_of(s));
	r = is_number(*s) ? number(d, fr, f->kind, dst) : -EINVAL;
	bool whole = d->in.p == d->in.end;
	d->in = saved;
	if (r < 0 || !whole)
		return err_set(d->e, EINVAL, "json: invalid use of ,string struct tag, trying to unmarshal \"%s\" into a number", s);
	return 0;
}

int dec_scalar(struct dec *d, const struct frame *fr, const struct schema_field *f, void *dst)
{
	char c = json_peek(&d->in);
	switch (f->kind) {
	case SCHEMA_BOOL:
		if (c != 't' && c != 'f')
			return dec_wrong(d, fr, NULL);
		*(bool *)dst = c == 't';
		return json_literal(&d->in, c == 't' ? "true" : "false", c == 't' ? 4 : 5) < 0 ? dec_syntax(d) : 0;
	case SCHEMA_I8: case SCHEMA_I16: case SCHEMA_I32: case SCHEMA_I64:
	case SCHEMA_U8: case SCHEMA_U16: case SCHEMA_U32: case SCHEMA_U64:
		if (f->flags & SCHEMA_QUOTED)
			return quoted(d, fr, f, dst);
		return is_number(c) ? number(d, fr, f->kind, dst) : dec_wrong(d, fr, NULL);
	case SCHEMA_F64:
		return is_number(c) ? floating(d, dst) : dec_wrong(d, fr, NULL);
	case SCHEMA_STRING: case SCHEMA_DURATION:
		return c == '"' ? dec_text(d, dst) : dec_wrong(d, fr, NULL);
	case SCHEMA_TIME: case SCHEMA_METATIME: case SCHEMA_MICROTIME:
		return time_text(d, fr, dst);
	case SCHEMA_QUANTITY:
		return quantity(d, fr, dst);
	case SCHEMA_BYTES:
		return bytes(d, fr, dst);
	case SCHEMA_INTSTR:
		return int_or_string(d, fr, dst);
	case SCHEMA_EMPTY: {
		struct slice s;
		if (c != '{')
			return dec_wrong(d, fr, NULL);
		return json_skip(&d->in, &s) < 0 ? dec_syntax(d) : 0;
	}
	default:
		return raw(d, dst);
	}
}
