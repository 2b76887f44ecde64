/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C structs -> protobuf, byte for byte as Kubernetes' generated code: values
 * by value are always written, pointers and empty lists are not, maps by key,
 * fields by number. Back to front.
 */
#include "base/clock.h"
#include "codec/protobuf.h"
#include "schema/schema_int.h"

struct enc {
	const struct schema_domain *d;
	struct pb_out out;
};

static void message(struct enc *c, const struct schema_type *t, const char *obj);

static void put_string(struct enc *c, uint32_t number, const char *s)
{
	size_t n = s ? strlen(s) : 0, mark = pb_out_len(&c->out);
	pb_put(&c->out, s, n);
	pb_put_head(&c->out, number, mark);
}

static void put_varint(struct enc *c, uint32_t number, uint64_t v)
{
	pb_put_varint(&c->out, v);
	pb_put_tag(&c->out, number, PB_VARINT);
}

static void put_slice(struct enc *c, uint32_t number, struct slice s)
{
	size_t mark = pb_out_len(&c->out);
	pb_put(&c->out, s.ptr, s.len);
	pb_put_head(&c->out, number, mark);
}

/* Seconds and nanoseconds; a Time has no nanoseconds on this wire. */
static void put_time(struct enc *c, uint8_t kind, const char *s)
{
	int64_t ns;
	if (!s || clock_parse_rfc3339(slice_of(s), &ns) < 0)
		return;
	int64_t seconds = ns / NS_PER_S - (ns % NS_PER_S < 0), rest = ns - seconds * NS_PER_S;
	put_varint(c, 2, kind == SCHEMA_METATIME ? 0 : (uint64_t)(rest / 1000 * 1000));
	put_varint(c, 1, (uint64_t)seconds);
}

static void put_text(struct enc *c, const struct schema_field *f, const char *s)
{
	size_t mark = pb_out_len(&c->out);
	int64_t ns = 0;
	switch (f->kind) {
	case SCHEMA_METATIME: case SCHEMA_MICROTIME: case SCHEMA_TIME:
		put_time(c, f->kind, s);
		break;
	case SCHEMA_DURATION:
		(void)duration_parse(slice_of(s), &ns);
		put_varint(c, 1, (uint64_t)ns);
		break;
	case SCHEMA_QUANTITY:
		put_string(c, 1, s ? s : "0");
		break;
	default:
		put_string(c, f->number, s);
		return;
	}
	pb_put_head(&c->out, f->number, mark);
}

static void put_int_or_string(struct enc *c, const struct schema_field *f, const struct schema_int_or_string *v)
{
	size_t mark = pb_out_len(&c->out);
	put_string(c, 3, v->string);
	put_varint(c, 2, (uint64_t)v->number);
	put_varint(c, 1, v->string != NULL);
	pb_put_head(&c->out, f->number, mark);
}

static uint64_t integer(uint8_t kind, const char *p)
{
	switch (kind) {
	case SCHEMA_BOOL: return *(const bool *)p;
	case SCHEMA_I8: return (uint64_t)(int64_t)*(const int8_t *)p;
	case SCHEMA_I16: return (uint64_t)(int64_t)*(const int16_t *)p;
	case SCHEMA_I32: return (uint64_t)(int64_t)*(const int32_t *)p;
	case SCHEMA_U8: return *(const uint8_t *)p;
	case SCHEMA_U16: return *(const uint16_t *)p;
	case SCHEMA_U32: return *(const uint32_t *)p;
	default: return *(const uint64_t *)p;
	}
}

/* One value with its tag. */
static void one(struct enc *c, const struct schema_field *f, const char *p)
{
	size_t mark = pb_out_len(&c->out);
	if (f->kind == SCHEMA_MESSAGE) {
		message(c, type_at(c->d, f->sub), p);
		pb_put_head(&c->out, f->number, mark);
	} else if (f->kind == SCHEMA_F64) {
		pb_put(&c->out, p, 8);
		pb_put_tag(&c->out, f->number, PB_FIXED64);
	} else if (f->kind < SCHEMA_F64) {
		put_varint(c, f->number, integer(f->kind, p));
	} else if (kind_is_text(f->kind)) {
		put_text(c, f, *(const char *const *)p);
	} else if (f->kind == SCHEMA_BYTES) {
		put_slice(c, f->number, *(const struct slice *)p);
	} else if (kind_is_slice(f->kind)) {
		if (((const struct slice *)p)->ptr)
			put_slice(c, 1, *(const struct slice *)p);
		pb_put_head(&c->out, f->number, mark);
	} else if (f->kind == SCHEMA_INTSTR) {
		put_int_or_string(c, f, (const void *)p);
	} else {
		pb_put_head(&c->out, f->number, mark);
	}
}

static void map(struct enc *c, const struct schema_field *f, const char *p, uint32_t n)
{
	size_t size = value_size(c->d, f);
	uint32_t fixed[64], *order = entries_sort(p, n, size, fixed, ARRAY_LEN(fixed));
	if (!order) {
		c->out.error = -ENOMEM;
		return;
	}
	while (n--) {
		const char *entry = p + order[n] * size;
		size_t mark = pb_out_len(&c->out);
		if (f->flags & SCHEMA_PAIRS) {
			put_string(c, 2, ((const struct schema_pair *)entry)->value);
			put_string(c, 1, ((const struct schema_pair *)entry)->key);
		} else {
			message(c, type_at(c->d, f->sub), entry);
		}
		pb_put_head(&c->out, f->number, mark);
	}
	if (order != fixed)
		free(order);
}

static void field(struct enc *c, const struct schema_field *f, const char *obj)
{
	const char *p = obj + f->offset;
	if (f->shape == SCHEMA_ONE) {
		bool is_absent = (f->flags & SCHEMA_NULLABLE && !*(const char *const *)p) ||
			(f->kind == SCHEMA_BYTES && !((const struct slice *)p)->ptr) ||
			((f->kind == SCHEMA_JSON || f->kind == SCHEMA_FIELDSV1) && !((const struct slice *)p)->ptr);
		if (!is_absent)
			one(c, f, p);
		return;
	}
	p = *(const char *const *)p;
	if (!p)
		return;
	if (f->shape == SCHEMA_PTR) {
		one(c, f, p);
		return;
	}
	uint32_t n = *(const uint32_t *)(obj + f->n_offset);
	if (f->shape == SCHEMA_MAP) {
		map(c, f, p, n);
		return;
	}
	size_t size = value_size(c->d, f);
	while (n--)
		one(c, f, p + n * size);
}

static void message(struct enc *c, const struct schema_type *t, const char *obj)
{
	const struct schema_field *fields = fields_of(c->d, t);
	const uint8_t *order = c->d->order + t->first;
	uint32_t outer = 0;
	size_t mark = 0;
	for (uint8_t i = t->n_fields; i-- > 0;) {
		const struct schema_field *f = &fields[order[i]];
		if (f->outer != outer) {
			if (outer)
				pb_put_head(&c->out, outer, mark);
			outer = f->outer;
			mark = pb_out_len(&c->out);
		}
		if (f->number)
			field(c, f, obj);
	}
	if (outer)
		pb_put_head(&c->out, outer, mark);
}

int schema_to_protobuf(struct schema_ref t, const void *obj, struct buf *out)
{
	if (!t.domain->order)
		return -ENOTSUP;
	struct enc c = { .d = t.domain, .out = { .max = out->max } };
	message(&c, type_at(t.domain, t.type), obj);
	int r = c.out.error;
	if (r == 0)
		r = buf_add(out, c.out.base + c.out.at, pb_out_len(&c.out));
	else if (!out->error)
		out->error = r;
	pb_out_release(&c.out);
	return r;
}
