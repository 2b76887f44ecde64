/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C structs -> JSON text, as Go's encoding/json writes: fields in their order,
 * maps by key, omitempty in Go's sense, a nil list null.
 */
#include "codec/json.h"
#include "schema/schema_int.h"

#define ZERO_TIME "0001-01-01T00:00:00Z"

enum { NAME_BLOCK = 16 };

struct enc {
	const struct schema_domain *d;
	struct buf *out;
	unsigned flags, depth, api;
};

static void message(struct enc *c, const struct schema_type *t, const char *obj);
static void field(struct enc *c, const struct schema_field *f, const char *obj);

static inline void put(struct enc *c, char ch)
{
	struct buf *b = c->out;
	if (b->cap > b->len && !b->error) {
		b->ptr[b->len++] = ch;
		return;
	}
	buf_addc(b, ch);
}

/* Room for n more bytes; false when there is none. */
static inline bool room(struct enc *c, size_t n)
{
	struct buf *b = c->out;
	return __builtin_expect(!b->error && b->cap - b->len >= n, 1) || buf_reserve(b, n) == 0;
}

static void word(struct enc *c, const char *s, size_t n)
{
	if (!room(c, n))
		return;
	memcpy(c->out->ptr + c->out->len, s, n);
	c->out->len += n;
}

static void null(struct enc *c)
{
	word(c, "null", 4);
}

static void indent(struct enc *c)
{
	if (c->flags & SCHEMA_INDENT)
		json_put_indent(c->out, c->depth);
}

static void bytes(struct enc *c, struct slice s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)s.ptr;
	if (buf_reserve(c->out, (s.len + 2) / 3 * 4 + 2) < 0)
		return;
	char *o = c->out->ptr + c->out->len;
	*o++ = '"';
	for (size_t i = 0; i < s.len; i += 3) {
		unsigned v = (unsigned)p[i] << 16 | (i + 1 < s.len ? (unsigned)p[i + 1] << 8 : 0) | (i + 2 < s.len ? p[i + 2] : 0);
		*o++ = digits[v >> 18];
		*o++ = digits[v >> 12 & 63];
		*o++ = i + 1 < s.len ? digits[v >> 6 & 63] : '=';
		*o++ = i + 2 < s.len ? digits[v & 63] : '=';
	}
	*o++ = '"';
	*o = 0;
	c->out->len = (size_t)(o - c->out->ptr);
}

static void text(struct enc *c, const struct schema_field *f, const char *s)
{
	if (!s && (f->flags & SCHEMA_NULLABLE || f->kind == SCHEMA_METATIME || f->kind == SCHEMA_MICROTIME)) {
		null(c);
		return;
	}
	if (!s)
		s = f->kind == SCHEMA_TIME ? ZERO_TIME : f->kind == SCHEMA_QUANTITY ? "0" : f->kind == SCHEMA_DURATION ? "0s" : "";
	json_put_string(c->out, s, strlen(s), c->flags & SCHEMA_ESCAPE_HTML ? JSON_ESCAPE_HTML : 0);
}

static void raw(struct enc *c, struct slice s)
{
	if (!s.ptr) {
		null(c);
		return;
	}
	json_put_raw(c->out, s, (c->flags & SCHEMA_ESCAPE_HTML ? JSON_ESCAPE_HTML : 0) | (c->flags & SCHEMA_INDENT ? JSON_INDENT : 0), c->depth);
}

static int64_t signed_at(uint8_t kind, const char *p)
{
	switch (kind) {
	case SCHEMA_I8: return *(const int8_t *)p;
	case SCHEMA_I16: return *(const int16_t *)p;
	case SCHEMA_I32: return *(const int32_t *)p;
	default: return *(const int64_t *)p;
	}
}

static uint64_t unsigned_at(uint8_t kind, const char *p)
{
	switch (kind) {
	case SCHEMA_U8: return *(const uint8_t *)p;
	case SCHEMA_U16: return *(const uint16_t *)p;
	case SCHEMA_U32: return *(const uint32_t *)p;
	default: return *(const uint64_t *)p;
	}
}

static void number(struct enc *c, const struct schema_field *f, const char *p)
{
	if (f->flags & SCHEMA_QUOTED)
		put(c, '"');
	if (f->kind == SCHEMA_F64)
		json_put_f64(c->out, *(const double *)p);
	else if (f->kind <= SCHEMA_I64)
		json_put_i64(c->out, signed_at(f->kind, p));
	else
		json_put_u64(c->out, unsigned_at(f->kind, p));
	if (f->flags & SCHEMA_QUOTED)
		put(c, '"');
}

/* One value: a member by value, what a pointer points to, an element. */
static void one(struct enc *c, const struct schema_field *f, const char *p)
{
	if (f->kind == SCHEMA_MESSAGE) {
		message(c, type_at(c->d, f->sub), p);
	} else if (f->kind == SCHEMA_BOOL) {
		if (*(const bool *)p)
			word(c, "true", 4);
		else
			word(c, "false", 5);
	} else if (f->kind <= SCHEMA_F64) {
		number(c, f, p);
	} else if (kind_is_text(f->kind)) {
		text(c, f, *(const char *const *)p);
	} else if (f->kind == SCHEMA_BYTES) {
		const struct slice *s = (const struct slice *)p;
		s->ptr ? bytes(c, *s) : null(c);
	} else if (kind_is_slice(f->kind)) {
		raw(c, *(const struct slice *)p);
	} else if (f->kind == SCHEMA_INTSTR) {
		const struct schema_int_or_string *v = (const struct schema_int_or_string *)p;
		v->string ? text(c, f, v->string) : json_put_i64(c->out, v->number);
	} else {
		buf_add(c->out, "{}", 2);
	}
}

static void list(struct enc *c, const struct schema_field *f, const char *p, uint32_t n)
{
	size_t size = value_size(c->d, f);
	put(c, '[');
	c->depth++;
	for (uint32_t i = 0; i < n; i++, p += size) {
		if (i)
			put(c, ',');
		indent(c);
		one(c, f, p);
	}
	c->depth--;
	if (n)
		indent(c);
	put(c, ']');
}

static void map(struct enc *c, const struct schema_field *f, const char *p, uint32_t n)
{
	size_t size = value_size(c->d, f);
	uint32_t fixed[64], *order = entries_sort(p, n, size, fixed, ARRAY_LEN(fixed));
	if (!order) {
		c->out->error = c->out->error ? c->out->error : -ENOMEM;
		return;
	}
	put(c, '{');
	c->depth++;
	for (uint32_t i = 0; i < n; i++) {
		const char *entry = p + order[i] * size, *key = *(const char *const *)entry;
		if (i)
			put(c, ',');
		indent(c);
		json_put_string(c->out, key, strlen(key), c->flags & SCHEMA_ESCAPE_HTML ? JSON_ESCAPE_HTML : 0);
		put(c, ':');
		if (c->flags & SCHEMA_INDENT)
			put(c, ' ');
		if (f->flags & SCHEMA_PAIRS)
			text(c, f, ((const struct schema_pair *)entry)->value);
		else
			field(c, value_of(c->d, type_at(c->d, f->sub)), entry);
	}
	c->depth--;
	if (n)
		indent(c);
	put(c, '}');
	if (order != fixed)
		free(order);
}

static void field(struct enc *c, const struct schema_field *f, const char *obj)
{
	const char *p = obj + f->offset;
	if (f->shape == SCHEMA_ONE) {
		one(c, f, p);
		return;
	}
	p = *(const char *const *)p;
	if (!p)
		null(c);
	else if (f->shape == SCHEMA_PTR)
		one(c, f, p);
	else if (f->shape == SCHEMA_LIST)
		list(c, f, p, *(const uint32_t *)(obj + f->n_offset));
	else
		map(c, f, p, *(const uint32_t *)(obj + f->n_offset));
}

static bool is_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static inline bool is_zero_number(const char *p, uint8_t kind)
{
	switch (schema_kind_size[kind]) {
	case 1: return !*p;
	case 2: return !*(const uint16_t *)p;
	case 4: return !*(const uint32_t *)p;
	default: return !*(const uint64_t *)p;    /* so is -0.0 none: it is written */
	}
}

/* Go's omitempty: false, 0, "", nil, no elements; a struct never. */
static inline bool is_empty(const struct schema_field *f, const char *obj)
{
	const char *p = obj + f->offset;
	if (f->shape == SCHEMA_PTR)
		return !*(const char *const *)p;
	if (f->shape != SCHEMA_ONE)
		return !*(const uint32_t *)(obj + f->n_offset);
	if (f->kind <= SCHEMA_F64)
		return is_zero_number(p, f->kind);
	if (kind_is_text(f->kind)) {
		const char *s = *(const char *const *)p;
		return f->flags & SCHEMA_NULLABLE ? !s : f->kind == SCHEMA_STRING && (!s || !*s);
	}
	if (f->kind == SCHEMA_BYTES)
		return !((const struct slice *)p)->len;
	return kind_is_slice(f->kind) && f->kind != SCHEMA_RAWEXT && !((const struct slice *)p)->ptr;
}

static inline bool is_left_out(const struct enc *c, const struct schema_field *f, const char *obj)
{
	if (c->api && ((f->since && c->api < f->since) || (f->until && c->api > f->until)))
		return true;
	if (f->flags & SCHEMA_OMITEMPTY && is_empty(f, obj))
		return true;
	if (!(f->flags & SCHEMA_OMITZERO))
		return false;
	return f->shape >= SCHEMA_LIST ? !*(const char *const *)(obj + f->offset) :
		is_zero(obj + f->offset, f->shape == SCHEMA_PTR ? sizeof(char *) : value_size(c->d, f));
}

static void message(struct enc *c, const struct schema_type *t, const char *obj)
{
	const struct schema_field *f = fields_of(c->d, t), *end = f + t->n_fields;
	if (t->flags & SCHEMA_TRANSPARENT) {
		field(c, f, obj);
		return;
	}
	bool any = false;
	put(c, '{');
	c->depth++;
	for (; f < end; f++) {
		if (is_left_out(c, f, obj))
			continue;
		if (c->flags & SCHEMA_INDENT) {
			if (any)
				put(c, ',');
			indent(c);
		}
		if (!room(c, f->name_len + 5u + NAME_BLOCK))
			return;
		char *o = c->out->ptr + c->out->len;
		if (any && !(c->flags & SCHEMA_INDENT))
			*o++ = ',';
		any = true;
		*o++ = '"';
		/* whole blocks: the generator pads its strings, and a call would cost more than a name */
		const char *name = text_at(c->d, f->name);
		for (size_t k = 0; k < f->name_len; k += NAME_BLOCK)
			memcpy(o + k, name + k, NAME_BLOCK);
		o += f->name_len;
		*o++ = '"';
		*o++ = ':';
		if (c->flags & SCHEMA_INDENT)
			*o++ = ' ';
		c->out->len = (size_t)(o - c->out->ptr);
		field(c, f, obj);
	}
	c->depth--;
	if (any)
		indent(c);
	put(c, '}');
}

int schema_to_json(struct schema_ref t, const void *obj, unsigned flags, struct buf *out)
{
	struct enc c = { .d = t.domain, .out = out, .flags = flags, .api = flags >> 16 };
	message(&c, type_at(t.domain, t.type), obj);
	if (flags & SCHEMA_NEWLINE)
		put(&c, '\n');
	if (out->cap)
		out->ptr[out->len] = 0;
	return buf_error(out);
}
