/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON text -> C structs, in one pass. Behaves as Go's encoding/json: null
 * leaves a value alone, a key that comes twice sets it twice, the last entry
 * of a map wins.
 */
#include "schema/json_read_int.h"

static int message(struct dec *d, const struct frame *up, const struct schema_type *t, char *obj);

static int one(struct dec *d, const struct frame *fr, const struct schema_field *f, void *dst)
{
	if (f->kind == SCHEMA_MESSAGE)
		return message(d, fr, type_at(d->d, f->sub), dst);
	return dec_scalar(d, fr, f, dst);
}

static bool is_null(struct dec *d)
{
	return json_peek(&d->in) == 'n';
}

static int null(struct dec *d)
{
	return json_literal(&d->in, "null", 4) < 0 ? dec_syntax(d) : 0;
}

/* Behind an element: 1 another follows, 0 the container ends. */
static int next(struct dec *d, char close, const char *what)
{
	char c = json_peek(&d->in);
	if (c != ',' && c != close)
		return dec_bad(d, what);
	d->in.p++;
	return c == ',';
}

static int set_list(struct dec *d, const struct schema_field *f, struct gather_list *l, char *obj)
{
	if (l->n > UINT32_MAX)
		return dec_no_room(d);
	uint32_t n = (uint32_t)l->n;
	if (f->shape == SCHEMA_MAP)
		n = entries_dedup(l->base, n, l->size), l->n = n;
	void *p = gather_end(&d->g, l, d->a);
	if (!p)
		return dec_no_room(d);
	*(void **)(obj + f->offset) = p;
	*(uint32_t *)(obj + f->n_offset) = n;
	return 0;
}

static int list(struct dec *d, struct frame *fr, const struct schema_field *f, char *obj)
{
	struct gather_list l;
	gather_begin(&d->g, &l, value_size(d->d, f));
	d->in.p++;
	int r = json_peek(&d->in) != ']';
	if (!r)
		d->in.p++;
	while (r > 0) {
		void *p = gather_push(&d->g, &l);
		if (!p)
			return dec_no_room(d);
		fr->index++;
		r = is_null(d) ? null(d) : one(d, fr, f, p);
		if (r < 0)
			return r;
		r = next(d, ']', "after array element");
	}
	fr->index = -1;
	return r < 0 ? r : set_list(d, f, &l, obj);
}

/* A bare string where a list of them is expected; Go says "string" whatever it found. */
static int list_or_string(struct dec *d, struct frame *fr, const struct schema_field *f, char *obj)
{
	char c = json_peek(&d->in);
	if (c == '[') {
		const char *begin = d->in.p;
		struct gather_list l;
		gather_begin(&d->g, &l, sizeof(char *));
		int r = list(d, fr, f, obj);
		if (r != -EINVAL)
			return r;
		gather_drop(&d->g, &l);
		d->in.p = begin;
		fr->index = -1;
	}
	if (c != '"')
		return dec_wrong(d, fr, "string");
	const char **v = arena_new(d->a, const char *);
	if (!v)
		return dec_no_room(d);
	*(const char ***)(obj + f->offset) = v;
	*(uint32_t *)(obj + f->n_offset) = 1;
	return dec_text(d, v);
}

static int field(struct dec *d, struct frame *fr, const struct schema_field *f, char *obj);

/* One value of a map; p is a pair or an entry. */
static int map_value(struct dec *d, struct frame *fr, const struct schema_field *f, char *p)
{
	if (f->flags & SCHEMA_PAIRS) {
		struct schema_pair *pair = (struct schema_pair *)p;
		if (!is_null(d))
			return dec_scalar(d, fr, f, &pair->value);
		if (!(f->flags & SCHEMA_NULLABLE))
			pair->value = "";
		return null(d);
	}
	const struct schema_type *entry = type_at(d->d, f->sub);
	const struct schema_field *value = value_of(d->d, entry);
	struct frame in_entry = { .up = fr, .t = entry, .f = value, .index = -1 };
	return field(d, &in_entry, value, p);
}

static bool key_seen(const struct gather_list *l, const char *key)
{
	for (size_t i = 0; i + 1 < l->n; i++)
		if (!strcmp(*(const char *const *)(l->base + i * l->size), key))
			return true;
	return false;
}

static int map(struct dec *d, struct frame *fr, const struct schema_field *f, char *obj)
{
	struct gather_list l;
	gather_begin(&d->g, &l, value_size(d->d, f));
	d->in.p++;
	int r = json_peek(&d->in) != '}';
	if (!r)
		d->in.p++;
	while (r > 0) {
		char *p = gather_push(&d->g, &l);
		if (!p)
			return dec_no_room(d);
		if (json_peek(&d->in) != '"')
			return dec_bad(d, "looking for beginning of object key string");
		r = dec_text(d, (const char **)p);
		if (r < 0)
			return r;
		if (json_peek(&d->in) != ':')
			return dec_bad(d, "after object key");
		d->in.p++;
		fr->key = slice_n(NULL, 0);
		if (d->problems && l.n < 4096 && key_seen(&l, *(const char **)p))
			dec_problem(d, fr, "duplicate", slice_of(*(const char **)p));
		fr->key = slice_of(*(const char **)p);
		r = map_value(d, fr, f, p);
		if (r < 0)
			return r;
		r = next(d, '}', "after object key:value pair");
	}
	fr->key = slice_n(NULL, 0);
	return r < 0 ? r : set_list(d, f, &l, obj);
}

static int pointer(struct dec *d, struct frame *fr, const struct schema_field *f, void **at)
{
	if (is_null(d)) {
		*at = NULL;
		return null(d);
	}
	if (!*at || f->kind != SCHEMA_MESSAGE) {
		*at = arena_alloc(d->a, value_size(d->d, f));
		if (!*at)
			return dec_no_room(d);
	}
	return one(d, fr, f, *at);
}

static int field(struct dec *d, struct frame *fr, const struct schema_field *f, char *obj)
{
	char c = json_peek(&d->in);
	switch (f->shape) {
	case SCHEMA_ONE:
		if (c != 'n')
			return one(d, fr, f, obj + f->offset);
		if (kind_is_slice(f->kind) || f->flags & SCHEMA_NULLABLE || f->kind == SCHEMA_METATIME)
			memset(obj + f->offset, 0, schema_kind_size[f->kind]);
		return null(d);
	case SCHEMA_PTR:
		return pointer(d, fr, f, (void **)(obj + f->offset));
	default:
		if (c == 'n') {
			*(void **)(obj + f->offset) = NULL;
			*(uint32_t *)(obj + f->n_offset) = 0;
			return null(d);
		}
		if (f->flags & SCHEMA_OR_STRING)
			return list_or_string(d, fr, f, obj);
		if (c != (f->shape == SCHEMA_LIST ? '[' : '{'))
			return dec_wrong(d, fr, NULL);
		return f->shape == SCHEMA_LIST ? list(d, fr, f, obj) : map(d, fr, f, obj);
	}
}

/* The field that the key at the cursor names, or NULL; *name is its text (unescaped if it fits). */
static int key(struct dec *d, const struct schema_type *t, const struct schema_field **ret, struct slice *name)
{
	struct json_text text;
	if (json_peek(&d->in) != '"')
		return dec_bad(d, "looking for beginning of object key string");
	if (json_string(&d->in, &text) < 0)
		return dec_syntax(d);
	*name = slice_n(text.ptr, text.len);
	if (!text.is_plain && text.len <= 256)
		*name = slice_n(d->key, json_unescape(&text, d->key));
	if (json_peek(&d->in) != ':')
		return dec_bad(d, "after object key");
	d->in.p++;
	*ret = field_find(d->d, t, name->ptr, name->len, d->flags & SCHEMA_FOLD_CASE);
	return 0;
}

static int members(struct dec *d, struct frame *fr, const struct schema_type *t, char *obj)
{
	const struct schema_field *all = fields_of(d->d, t);
	uint64_t seen[4] = { 0 };
	int r = json_peek(&d->in) != '}';
	if (!r)
		d->in.p++;
	while (r > 0) {
		struct slice name, skipped;
		r = key(d, t, &fr->f, &name);
		if (r < 0)
			return r;
		if (!fr->f) {
			dec_problem(d, fr, "unknown", name);
			if (json_skip(&d->in, &skipped) < 0)
				return dec_syntax(d);
		} else {
			size_t i = (size_t)(fr->f - all);
			if (d->problems && seen[i / 64] >> i % 64 & 1) {
				const struct schema_field *f = fr->f;
				fr->f = NULL;
				dec_problem(d, fr, "duplicate", name);
				fr->f = f;
			}
			seen[i / 64] |= 1ull << i % 64;
			r = field(d, fr, fr->f, obj);
			if (r < 0)
				return r;
		}
		fr->f = NULL;
		r = next(d, '}', "after object key:value pair");
	}
	return r;
}

static int message(struct dec *d, const struct frame *up, const struct schema_type *t, char *obj)
{
	struct frame fr = { .up = up, .t = t, .index = -1 };
	if (t->flags & SCHEMA_TRANSPARENT) {
		fr.f = fields_of(d->d, t);
		return field(d, &fr, fr.f, obj);
	}
	if (json_peek(&d->in) != '{')
		return dec_wrong(d, up ? up : &fr, NULL);
	if (d->depth >= SCHEMA_MAX_DEPTH)
		return err_set(d->e, E2BIG, "the message is nested too deeply");
	d->depth++;
	d->in.p++;
	int r = members(d, &fr, t, obj);
	d->depth--;
	return r;
}

static int decode(struct dec *d, struct schema_ref ref, void *obj)
{
	const struct schema_type *t = type_at(ref.domain, ref.type);
	memset(obj, 0, t->size);
	int r = is_null(d) ? null(d) : message(d, NULL, t, obj);
	if (r == 0 && json_end(&d->in) < 0)
		r = dec_syntax(d);
	gather_release(&d->g);
	return r;
}

static struct dec begin(struct schema_ref t, struct slice text, unsigned flags, struct arena *a, struct err *e)
{
	struct dec d = { .in = json_in(text), .d = t.domain, .a = a, .flags = flags, .e = e };
	gather_init(&d.g, a->max_bytes);
	return d;
}

int schema_from_json_report(struct schema_ref t, struct slice text, unsigned flags, struct arena *a, void *obj, struct buf *problems,
	unsigned *n_problems, struct err *e)
{
	struct dec d = begin(t, text, flags, a, e);
	if (flags & SCHEMA_STRICT)
		d.problems = problems;
	int r = decode(&d, t, obj);
	*n_problems = d.n_problems;
	return r;
}

int schema_from_json(struct schema_ref t, struct slice text, unsigned flags, struct arena *a, void *obj, struct err *e)
{
	AUTO(buf) struct buf problems = BUF_INIT(4096);
	unsigned n;
	int r = schema_from_json_report(t, text, flags, a, obj, &problems, &n, e);
	if (r == 0 && n)
		return err_set(e, EINVAL, "%s", problems.ptr);
	return r;
}
