/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON text <-> trees. The text is copied into the arena once and strings
 * point into that copy.
 */
#include "base/map.h"
#include "codec/json.h"
#include "schema/schema_int.h"
#include "schema/tree.h"
#include "schema/tree_int.h"

struct reader {
	struct json_in in;
	struct arena *a;
	struct gather g;
	unsigned flags, depth;
	struct err *e;
	struct buf *problems;      /* NULL: duplicates are not reported */
	unsigned n_problems;
	struct buf path;           /* of the map that is read; with problems only */
};

static int no_room(struct reader *r)
{
	return err_set(r->e, E2BIG, "the document is too large");
}

static int bad(struct reader *r, const char *what)
{
	json_bad(&r->in, what);
	return json_err(&r->in, r->e);
}

static int string(struct reader *r, const char **ret, size_t *ret_len)
{
	struct json_text t;
	if (json_string(&r->in, &t) < 0)
		return json_err(&r->in, r->e);
	if (t.is_plain) {
		*ret = t.ptr;
		*ret_len = t.len;
		return 0;
	}
	char *p = arena_chars(r->a, json_text_room(&t) + 1);
	if (!p)
		return no_room(r);
	*ret = p;
	*ret_len = json_unescape(&t, p);
	return 0;
}

static int value(struct reader *r, struct tree *v);

/* Behind an element: 1 another follows, 0 the container ends. */
static int next(struct reader *r, char close, const char *what)
{
	char c = json_peek(&r->in);
	if (c != ',' && c != close)
		return bad(r, what);
	r->in.p++;
	return c == ',';
}

static int list(struct reader *r, struct tree *v)
{
	struct gather_list l;
	gather_begin(&r->g, &l, sizeof(struct tree));
	r->in.p++;
	int k = json_peek(&r->in) != ']';
	r->in.p += !k;
	while (k > 0) {
		struct tree *item = gather_push(&r->g, &l);
		if (!item)
			return no_room(r);
		size_t len = r->path.len;
		if (r->problems)
			buf_addf(&r->path, "[%zu]", l.n - 1);
		k = value(r, item);
		if (r->problems)
			buf_truncate(&r->path, len);
		if (k < 0)
			return k;
		k = next(r, ']', "after array element");
	}
	if (k < 0)
		return k;
	*v = (struct tree){ .type = TREE_LIST, .n = (uint32_t)l.n };
	v->items = gather_end(&r->g, &l, r->a);
	return v->items ? 0 : no_room(r);
}

/* Names each key that comes twice, once. */
static void report_twice(struct reader *r, const struct tree_member *m, uint32_t n)
{
	struct map seen;
	map_init(&seen);
	for (uint32_t i = 0; i < n && r->n_problems < SCHEMA_MAX_PROBLEMS; i++) {
		struct slice key = slice_n(m[i].key, m[i].key_len);
		uintptr_t times = (uintptr_t)map_get(&seen, key);
		if (times == 1) {
			buf_addf(r->problems, "%sduplicate field \"%s%s%.*s\"", r->n_problems ? ", " : "", r->path.ptr, r->path.len ? "." : "", SLICE_FMT(key));
			r->n_problems++;
		}
		(void)map_set(&seen, key, (void *)(times + 1), NULL);
	}
	map_release(&seen);
}

static int value_at(struct reader *r, const struct tree_member *m, struct tree *v)
{
	size_t len = r->path.len;
	if (r->problems)
		buf_addf(&r->path, "%s%.*s", len ? "." : "", (int)m->key_len, m->key);
	int k = value(r, v);
	if (r->problems)
		buf_truncate(&r->path, len);
	return k;
}

static int map(struct reader *r, struct tree *v)
{
	struct gather_list l;
	gather_begin(&r->g, &l, sizeof(struct tree_member));
	r->in.p++;
	int k = json_peek(&r->in) != '}';
	r->in.p += !k;
	while (k > 0) {
		struct tree_member *m = gather_push(&r->g, &l);
		if (!m)
			return no_room(r);
		if (json_peek(&r->in) != '"')
			return bad(r, "looking for beginning of object key string");
		k = string(r, &m->key, &m->key_len);
		if (k < 0)
			return k;
		if (json_peek(&r->in) != ':')
			return bad(r, "after object key");
		r->in.p++;
		k = value_at(r, m, &m->value);
		if (k < 0)
			return k;
		k = next(r, '}', "after object key:value pair");
	}
	if (k < 0)
		return k;
	struct slice twice = { 0 };
	if (r->problems && l.n > 1)
		report_twice(r, (const struct tree_member *)l.base, (uint32_t)l.n);
	l.n = members_dedup((struct tree_member *)l.base, (uint32_t)l.n, &twice);
	if (twice.ptr && r->flags & SCHEMA_STRICT)
		return err_set(r->e, EINVAL, "duplicate field \"%.*s\"", SLICE_FMT(twice));
	*v = (struct tree){ .type = TREE_MAP, .n = (uint32_t)l.n };
	v->members = gather_end(&r->g, &l, r->a);
	return v->members ? 0 : no_room(r);
}

static int container(struct reader *r, char c, struct tree *v)
{
	if (r->depth >= TREE_MAX_DEPTH)
		return err_set(r->e, E2BIG, "the document is nested too deeply");
	r->depth++;
	int k = c == '{' ? map(r, v) : list(r, v);
	r->depth--;
	return k;
}

static int value(struct reader *r, struct tree *v)
{
	char c = json_peek(&r->in);
	int k = 0;
	size_t n;
	struct slice s;
	switch (c) {
	case '{': case '[':
		return container(r, c, v);
	case '"':
		v->type = TREE_STRING;
		k = string(r, &v->text, &n);
		v->n = (uint32_t)n;
		return k;
	case 't': case 'f':
		*v = tree_bool(c == 't');
		k = json_literal(&r->in, c == 't' ? "true" : "false", c == 't' ? 4 : 5);
		break;
	case 'n':
		*v = tree_null();
		k = json_literal(&r->in, "null", 4);
		break;
	default:
		if (c != '-' && (c < '0' || c > '9'))
			return bad(r, "looking for beginning of value");
		k = json_number(&r->in, &s);
		*v = tree_number(s);
	}
	return k < 0 ? json_err(&r->in, r->e) : 0;
}

int tree_from_json_report(struct slice text, unsigned flags, struct arena *a, struct tree *ret, struct buf *problems, unsigned *n_problems,
	struct err *e)
{
	if (text.len > UINT32_MAX / 2)
		return err_set(e, E2BIG, "the document is too large");
	struct reader r = { .a = a, .flags = flags, .e = e, .problems = problems, .path = BUF_INIT(64 << 10) };
	if (!(flags & SCHEMA_NO_COPY)) {
		char *p = arena_chars(a, text.len + 1);
		if (!p)
			return no_room(&r);
		if (text.len)
			memcpy(p, text.ptr, text.len);
		p[text.len] = 0;
		text.ptr = p;
	}
	r.in = json_in(text);
	gather_init(&r.g, a->max_bytes);
	struct tree v = { 0 };
	int k = value(&r, &v);
	if (k == 0 && json_end(&r.in) < 0)
		k = json_err(&r.in, e);
	gather_release(&r.g);
	buf_release(&r.path);
	if (n_problems)
		*n_problems = r.n_problems;
	if (k == 0)
		*ret = v;
	return k;
}

int tree_from_json(struct slice text, unsigned flags, struct arena *a, struct tree *ret, struct err *e)
{
	return tree_from_json_report(text, flags, a, ret, NULL, NULL, e);
}

struct writer {
	struct buf *out;
	unsigned flags, json_flags, depth;
};

static void write_value(struct writer *w, const struct tree *v);

static inline void put(struct writer *w, const char *s, size_t n)
{
	struct buf *b = w->out;
	if ((b->error || b->cap - b->len < n) && buf_reserve(b, n) < 0)
		return;
	memcpy(b->ptr + b->len, s, n);
	b->len += n;
}

static void indent(struct writer *w)
{
	if (w->flags & SCHEMA_INDENT)
		json_put_indent(w->out, w->depth);
}

static void write_map(struct writer *w, const struct tree *v)
{
	uint32_t fixed[64], *order = NULL;
	if (w->flags & SCHEMA_SORTED && !(order = members_sort(v, fixed, ARRAY_LEN(fixed)))) {
		w->out->error = w->out->error ? w->out->error : -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < v->n; i++) {
		const struct tree_member *m = &v->members[order ? order[i] : i];
		if (i)
			put(w, ",", 1);
		indent(w);
		json_put_string(w->out, m->key, m->key_len, w->json_flags);
		put(w, ": ", w->flags & SCHEMA_INDENT ? 2 : 1);
		write_value(w, &m->value);
	}
	if (order != fixed)
		free(order);
}

static void write_value(struct writer *w, const struct tree *v)
{
	switch (v->type) {
	case TREE_NULL:
		put(w, "null", 4);
		return;
	case TREE_BOOL:
		put(w, v->is_true ? "true" : "false", v->is_true ? 4 : 5);
		return;
	case TREE_NUMBER:
		put(w, v->text, v->n);
		return;
	case TREE_STRING:
		json_put_string(w->out, v->text, v->n, w->json_flags);
		return;
	}
	bool is_map = v->type == TREE_MAP;
	put(w, is_map ? "{" : "[", 1);
	w->depth++;
	if (is_map)
		write_map(w, v);
	for (uint32_t i = 0; !is_map && i < v->n; i++) {
		if (i)
			put(w, ",", 1);
		indent(w);
		write_value(w, &v->items[i]);
	}
	w->depth--;
	if (v->n)
		indent(w);
	put(w, is_map ? "}" : "]", 1);
}

int tree_to_json(const struct tree *v, unsigned flags, struct buf *out)
{
	struct writer w = { .out = out, .flags = flags, .json_flags = flags & SCHEMA_ESCAPE_HTML ? JSON_ESCAPE_HTML : 0 };
	write_value(&w, v);
	if (flags & SCHEMA_NEWLINE)
		put(&w, "\n", 1);
	if (out->cap)
		out->ptr[out->len] = 0;
	return buf_error(out);
}

int tree_to_struct(const struct tree *v, struct schema_ref t, unsigned flags, struct arena *a, void *obj, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(a->max_bytes);
	if (tree_to_json(v, 0, &b) < 0)
		return err_set(e, E2BIG, "the document is too large");
	return schema_from_json(t, buf_slice(&b), flags & ~(unsigned)SCHEMA_NO_COPY, a, obj, e);
}

int tree_from_struct(struct schema_ref t, const void *obj, struct arena *a, struct tree *ret, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(a->max_bytes);
	if (schema_to_json(t, obj, 0, &b) < 0)
		return err_set(e, E2BIG, "the document is too large");
	return tree_from_json(buf_slice(&b), 0, a, ret, e);
}
