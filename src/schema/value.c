/* SPDX-License-Identifier: Apache-2.0 */
/* Deep copy and comparison of messages. */
#include "schema/schema_int.h"

static int copy_message(const struct schema_domain *d, const struct schema_type *t, const char *from, struct arena *a, char *to);

static int copy_text(struct arena *a, const char **at)
{
	if (!*at)
		return 0;
	size_t n = strlen(*at) + 1;
	char *p = arena_chars(a, n);
	if (!p)
		return -ENOMEM;
	memcpy(p, *at, n);
	*at = p;
	return 0;
}

static int copy_slice(struct arena *a, struct slice *s)
{
	if (!s->ptr)
		return 0;
	char *p = arena_chars(a, s->len + 1);
	if (!p)
		return -ENOMEM;
	memcpy(p, s->ptr, s->len);
	p[s->len] = 0;
	s->ptr = p;
	return 0;
}

/* *to holds the same bytes as *from; makes what it points to its own. */
static int own_one(const struct schema_domain *d, const struct schema_field *f, const char *from, struct arena *a, char *to)
{
	if (f->flags & SCHEMA_PAIRS) {
		struct schema_pair *p = (struct schema_pair *)to;
		return copy_text(a, &p->key) < 0 || copy_text(a, &p->value) < 0 ? -ENOMEM : 0;
	}
	if (f->kind == SCHEMA_MESSAGE)
		return copy_message(d, type_at(d, f->sub), from, a, to);
	if (kind_is_text(f->kind))
		return copy_text(a, (const char **)to);
	if (kind_is_slice(f->kind))
		return copy_slice(a, (struct slice *)to);
	if (f->kind == SCHEMA_INTSTR)
		return copy_text(a, &((struct schema_int_or_string *)to)->string);
	return 0;
}

static int own_field(const struct schema_domain *d, const struct schema_field *f, const char *from, struct arena *a, char *to)
{
	if (f->shape == SCHEMA_ONE)
		return own_one(d, f, from + f->offset, a, to + f->offset);
	const char *src = *(const char *const *)(from + f->offset);
	if (!src)
		return 0;
	uint32_t n = f->shape == SCHEMA_PTR ? 1 : *(const uint32_t *)(from + f->n_offset);
	size_t size = value_size(d, f);
	char *dst = arena_array(a, n, size);
	if (!dst)
		return -ENOMEM;
	if (n)
		memcpy(dst, src, n * size);
	*(char **)(to + f->offset) = dst;
	if (f->kind <= SCHEMA_F64 || f->kind == SCHEMA_EMPTY || (f->kind == SCHEMA_MESSAGE && type_at(d, f->sub)->is_plain))
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		int r = own_one(d, f, src + i * size, a, dst + i * size);
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_message(const struct schema_domain *d, const struct schema_type *t, const char *from, struct arena *a, char *to)
{
	const struct schema_field *f = fields_of(d, t);
	if (t->is_plain)
		return 0;
	for (uint8_t i = 0; i < t->n_fields; i++) {
		int r = own_field(d, &f[i], from, a, to);
		if (r < 0)
			return r;
	}
	return 0;
}

int schema_copy(struct schema_ref ref, const void *from, struct arena *a, void *to)
{
	const struct schema_type *t = type_at(ref.domain, ref.type);
	memmove(to, from, t->size);
	return copy_message(ref.domain, t, from, a, to);
}

static bool equal_message(const struct schema_domain *d, const struct schema_type *t, const char *a, const char *b);

static bool equal_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool equal_one(const struct schema_domain *d, const struct schema_field *f, const char *a, const char *b)
{
	if (f->kind == SCHEMA_MESSAGE)
		return equal_message(d, type_at(d, f->sub), a, b);
	if (kind_is_text(f->kind)) {
		const char *x = *(const char *const *)a, *y = *(const char *const *)b;
		return f->flags & SCHEMA_NULLABLE ? equal_text(x, y) : !strcmp(x ? x : "", y ? y : "");
	}
	if (kind_is_slice(f->kind)) {
		const struct slice *x = (const struct slice *)a, *y = (const struct slice *)b;
		return !x->ptr == !y->ptr && slice_eq(*x, *y);
	}
	if (f->kind == SCHEMA_INTSTR) {
		const struct schema_int_or_string *x = (const void *)a, *y = (const void *)b;
		return equal_text(x->string, y->string) && (x->string || x->number == y->number);
	}
	if (f->kind == SCHEMA_F64)
		return *(const double *)a == *(const double *)b;
	return f->kind == SCHEMA_EMPTY || !memcmp(a, b, schema_kind_size[f->kind]);
}

static bool equal_field(const struct schema_domain *d, const struct schema_field *f, const char *a, const char *b);

static bool equal_map(const struct schema_domain *d, const struct schema_field *f, const char *a, const char *b, uint32_t n)
{
	size_t size = value_size(d, f);
	uint32_t fixed_a[64], fixed_b[64];
	uint32_t *x = entries_sort(a, n, size, fixed_a, ARRAY_LEN(fixed_a)), *y = entries_sort(b, n, size, fixed_b, ARRAY_LEN(fixed_b));
	bool same = x && y;
	for (uint32_t i = 0; same && i < n; i++) {
		const char *p = a + x[i] * size, *q = b + y[i] * size;
		same = equal_text(*(const char *const *)p, *(const char *const *)q);
		if (f->flags & SCHEMA_PAIRS)
			same = same && equal_text(((const struct schema_pair *)p)->value, ((const struct schema_pair *)q)->value);
		else
			same = same && equal_field(d, value_of(d, type_at(d, f->sub)), p, q);
	}
	if (x != fixed_a)
		free(x);
	if (y != fixed_b)
		free(y);
	return same;
}

static bool equal_field(const struct schema_domain *d, const struct schema_field *f, const char *a, const char *b)
{
	if (f->shape == SCHEMA_ONE)
		return equal_one(d, f, a + f->offset, b + f->offset);
	const char *p = *(const char *const *)(a + f->offset), *q = *(const char *const *)(b + f->offset);
	if (!p || !q)
		return p == q;
	if (f->shape == SCHEMA_PTR)
		return equal_one(d, f, p, q);
	uint32_t n = *(const uint32_t *)(a + f->n_offset);
	if (n != *(const uint32_t *)(b + f->n_offset))
		return false;
	if (f->shape == SCHEMA_MAP)
		return equal_map(d, f, p, q, n);
	size_t size = value_size(d, f);
	for (uint32_t i = 0; i < n; i++)
		if (!equal_one(d, f, p + i * size, q + i * size))
			return false;
	return true;
}

static bool equal_message(const struct schema_domain *d, const struct schema_type *t, const char *a, const char *b)
{
	const struct schema_field *f = fields_of(d, t);
	for (uint8_t i = 0; i < t->n_fields; i++)
		if (!equal_field(d, &f[i], a, b))
			return false;
	return true;
}

bool schema_equal(struct schema_ref t, const void *a, const void *b)
{
	return equal_message(t.domain, type_at(t.domain, t.type), a, b);
}

bool schema_field_equal(const struct schema_domain *d, const struct schema_field *f, const char *a, const char *b)
{
	return equal_field(d, f, a, b);
}
