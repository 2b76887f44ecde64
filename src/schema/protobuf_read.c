/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf -> C structs. A message is walked twice: once to count its lists,
 * then to fill them. Unknown fields are skipped, as everywhere in protobuf.
 */
#include "base/clock.h"
#include "codec/protobuf.h"
#include "schema/quantity.h"
#include "schema/schema_int.h"

struct dec {
	const struct schema_domain *d;
	struct arena *a;
	unsigned depth;
	struct err *e;
};

static int message(struct dec *d, const struct schema_type *t, struct slice bytes, char *obj);

static int no_room(struct dec *d)
{
	return err_set(d->e, E2BIG, "the message is too large");
}

static int broken(struct dec *d)
{
	return err_set(d->e, EBADMSG, "proto: the message is cut off or no protobuf");
}

static int wrong_wire(struct dec *d, const struct schema_field *f, uint8_t wire)
{
	return err_set(d->e, EINVAL, "proto: wrong wireType = %u for field %s", wire, text_at(d->d, f->name));
}

static int text(struct dec *d, struct slice s, const char **ret)
{
	if (!s.len) {
		*ret = "";
		return 0;
	}
	if (memchr(s.ptr, 0, s.len))
		return err_set(d->e, EINVAL, "proto: a string contains a NUL character");
	char *p = arena_chars(d->a, s.len + 1);
	if (!p)
		return no_room(d);
	memcpy(p, s.ptr, s.len);
	p[s.len] = 0;
	*ret = p;
	return 0;
}

static int bytes_copy(struct dec *d, struct slice s, struct slice *ret)
{
	char *p = arena_chars(d->a, s.len + 1);
	if (!p)
		return no_room(d);
	if (s.len)
		memcpy(p, s.ptr, s.len);
	p[s.len] = 0;
	*ret = slice_n(p, s.len);
	return 0;
}

/* The few scalars of Kubernetes that are messages on this wire: fields 1 to 3. */
struct small {
	struct pb_field f[4];
};
static int small(struct dec *d, struct slice s, struct small *ret)
{
	struct pb_in in = pb_in(s);
	struct pb_field f;
	bool bad;
	memset(ret, 0, sizeof *ret);
	while (pb_next(&in, &f, &bad))
		if (f.number < 4)
			ret->f[f.number] = f;
	return bad ? broken(d) : 0;
}

static int time_text(struct dec *d, const struct schema_field *f, struct slice s, const char **ret)
{
	struct small m;
	int r = small(d, s, &m);
	if (r < 0 || !s.len)
		return r;
	int64_t seconds = (int64_t)m.f[1].value, nanos = (int32_t)m.f[2].value, ns;
	if (nanos < 0 || nanos >= NS_PER_S || __builtin_mul_overflow(seconds, NS_PER_S, &ns) || __builtin_add_overflow(ns, nanos, &ns))
		return err_set(d->e, EINVAL, "proto: %s is no time", text_at(d->d, f->name));
	char tmp[CLOCK_TEXT_MAX], tail[16];
	if (f->kind == SCHEMA_TIME)
		clock_rfc3339_nano(tmp, ns);
	else
		clock_rfc3339(tmp, ns);
	if (f->kind == SCHEMA_MICROTIME) {
		size_t n = strlen(tmp);
		fmt_into(tail, sizeof tail, ".%06dZ", (int)(nanos / 1000));
		fmt_into(tmp + n - 1, sizeof tmp - n + 1, "%s", tail);
	}
	*ret = arena_strdup(d->a, tmp);
	return *ret ? 0 : no_room(d);
}

static int text_value(struct dec *d, const struct schema_field *f, struct slice s, const char **ret)
{
	struct small m;
	int r;
	char tmp[40];
	switch (f->kind) {
	case SCHEMA_TIME: case SCHEMA_METATIME: case SCHEMA_MICROTIME:
		return time_text(d, f, s, ret);
	case SCHEMA_DURATION:
		r = small(d, s, &m);
		if (r < 0)
			return r;
		duration_format(tmp, (int64_t)m.f[1].value);
		*ret = arena_strdup(d->a, tmp);
		return *ret ? 0 : no_room(d);
	case SCHEMA_QUANTITY:
		r = small(d, s, &m);
		if (r == 0)
			r = text(d, m.f[1].bytes, ret);
		if (r < 0 || !**ret)
			return r;
		*ret = quantity_canonical(d->a, *ret, d->e);
		return *ret ? 0 : d->e ? -d->e->code : -EINVAL;
	default:
		return text(d, s, ret);
	}
}

static int slice_value(struct dec *d, const struct schema_field *f, struct slice s, struct slice *ret)
{
	struct small m;
	if (f->kind == SCHEMA_BYTES)
		return bytes_copy(d, s, ret);
	int r = small(d, s, &m);
	if (r < 0 || m.f[1].wire != PB_BYTES)
		return r;
	return bytes_copy(d, m.f[1].bytes, ret);
}

static int int_or_string(struct dec *d, struct slice s, struct schema_int_or_string *ret)
{
	struct small m;
	int r = small(d, s, &m);
	if (r < 0)
		return r;
	ret->number = (int32_t)m.f[2].value;
	return m.f[1].value ? text(d, m.f[3].bytes, &ret->string) : 0;
}

static int one(struct dec *d, const struct schema_field *f, const struct pb_field *w, void *dst)
{
	uint8_t want = f->kind < SCHEMA_F64 ? PB_VARINT : f->kind == SCHEMA_F64 ? PB_FIXED64 : PB_BYTES;
	if (w->wire != want)
		return wrong_wire(d, f, w->wire);
	if (f->kind == SCHEMA_BOOL)
		*(bool *)dst = w->value != 0;
	else if (f->kind <= SCHEMA_F64)
		memcpy(dst, &w->value, schema_kind_size[f->kind]);   /* protobuf cuts too */
	else if (f->kind == SCHEMA_MESSAGE)
		return message(d, type_at(d->d, f->sub), w->bytes, dst);
	else if (kind_is_text(f->kind))
		return text_value(d, f, w->bytes, dst);
	else if (kind_is_slice(f->kind))
		return slice_value(d, f, w->bytes, dst);
	else if (f->kind == SCHEMA_INTSTR)
		return int_or_string(d, w->bytes, dst);
	return 0;
}

static int pair(struct dec *d, struct slice s, struct schema_pair *ret)
{
	struct small m;
	int r = small(d, s, &m);
	if (r == 0)
		r = text(d, m.f[1].bytes, &ret->key);
	return r < 0 ? r : text(d, m.f[2].bytes, &ret->value);
}

static int set(struct dec *d, const struct schema_field *f, const struct pb_field *w, char *obj)
{
	char *p = obj + f->offset;
	if (f->shape == SCHEMA_ONE)
		return one(d, f, w, p);
	void **at = (void **)p;
	if (f->shape == SCHEMA_PTR) {
		if (!*at || f->kind != SCHEMA_MESSAGE)
			*at = arena_alloc(d->a, value_size(d->d, f));
		return *at ? one(d, f, w, *at) : no_room(d);
	}
	uint32_t *n = (uint32_t *)(obj + f->n_offset);
	char *item = (char *)*at + *n * value_size(d->d, f);
	++*n;
	if (f->shape == SCHEMA_LIST)
		return one(d, f, w, item);
	if (w->wire != PB_BYTES)
		return wrong_wire(d, f, w->wire);
	if (f->flags & SCHEMA_PAIRS)
		return pair(d, w->bytes, (struct schema_pair *)item);
	int r = message(d, type_at(d->d, f->sub), w->bytes, item);
	if (r == 0 && !*(const char **)item)
		*(const char **)item = "";
	return r;
}

/* Packed scalars: some writers pack what Kubernetes does not. */
static int packed(struct dec *d, const struct schema_field *f, struct slice s, char *obj, bool counting)
{
	struct pb_in in = pb_in(s);
	struct pb_field w = { .wire = f->kind == SCHEMA_F64 ? PB_FIXED64 : PB_VARINT };
	while (in.p < in.end) {
		if (f->kind == SCHEMA_F64) {
			if (in.end - in.p < 8)
				return broken(d);
			memcpy(&w.value, in.p, 8);
			in.p += 8;
		} else if (!pb_varint(&in, &w.value)) {
			return broken(d);
		}
		if (counting)
			++*(uint32_t *)(obj + f->n_offset);
		else if (set(d, f, &w, obj) < 0)
			return -d->e->code;
	}
	return 0;
}

/* One pass over a message, or over the part of it that sits in another one on the wire. */
static int walk(struct dec *d, const struct schema_type *t, struct slice bytes, uint32_t outer, char *obj, bool counting)
{
	const struct schema_field *fields = fields_of(d->d, t);
	const uint8_t *order = d->d->order + t->first;
	struct pb_in in = pb_in(bytes);
	struct pb_field w;
	uint8_t at = 0;
	bool bad;
	while (pb_next(&in, &w, &bad)) {
		const struct schema_field *f = NULL;
		bool is_outer = false;
		/* fields mostly come by number: go on from the last one */
		for (uint8_t tries = 0; tries < t->n_fields; tries++) {
			f = &fields[order[at]];
			is_outer = !outer && f->outer && f->outer == w.number;
			if (is_outer || (f->number == w.number && f->outer == outer))
				break;
			at = (uint8_t)(at + 1 == t->n_fields ? 0 : at + 1);
			f = NULL;
		}
		int r = 0;
		if (!f)
			continue;
		if (is_outer)
			r = w.wire == PB_BYTES ? walk(d, t, w.bytes, w.number, obj, counting) : wrong_wire(d, f, w.wire);
		else if (f->shape == SCHEMA_LIST && f->kind <= SCHEMA_F64 && w.wire == PB_BYTES)
			r = packed(d, f, w.bytes, obj, counting);
		else if (!counting)
			r = set(d, f, &w, obj);
		else if (f->shape >= SCHEMA_LIST)
			++*(uint32_t *)(obj + f->n_offset);
		if (r < 0)
			return r;
	}
	return bad ? broken(d) : 0;
}

/* Room for the lists that the first pass has counted. */
static int prepare(struct dec *d, const struct schema_type *t, char *obj)
{
	const struct schema_field *f = fields_of(d->d, t);
	for (uint8_t i = 0; i < t->n_fields; i++) {
		if (f[i].shape < SCHEMA_LIST)
			continue;
		uint32_t *n = (uint32_t *)(obj + f[i].n_offset);
		if (!*n)
			continue;
		void *p = arena_array(d->a, *n, value_size(d->d, &f[i]));
		if (!p)
			return no_room(d);
		*(void **)(obj + f[i].offset) = p;
		*n = 0;
	}
	return 0;
}

static int message(struct dec *d, const struct schema_type *t, struct slice bytes, char *obj)
{
	if (d->depth >= SCHEMA_MAX_DEPTH)
		return err_set(d->e, E2BIG, "the message is nested too deeply");
	d->depth++;
	/* a message that comes in two pieces: the second one counts */
	if (t->n_fields)
		memset(obj, 0, t->size);
	int r = walk(d, t, bytes, 0, obj, true);
	if (r == 0)
		r = prepare(d, t, obj);
	if (r == 0)
		r = walk(d, t, bytes, 0, obj, false);
	const struct schema_field *f = fields_of(d->d, t);
	for (uint8_t i = 0; r == 0 && i < t->n_fields; i++) {
		if (f[i].shape != SCHEMA_MAP)
			continue;
		uint32_t *n = (uint32_t *)(obj + f[i].n_offset);
		*n = entries_dedup(*(char **)(obj + f[i].offset), *n, value_size(d->d, &f[i]));
	}
	d->depth--;
	return r;
}

int schema_from_protobuf(struct schema_ref ref, struct slice bytes, struct arena *a, void *obj, struct err *e)
{
	struct err own;
	struct dec d = { .d = ref.domain, .a = a, .e = e ? e : &own };
	if (!ref.domain->order)
		return err_set(e, ENOTSUP, "the domain %s has no protobuf form", ref.domain->name);
	return message(&d, type_at(ref.domain, ref.type), bytes, obj);
}
