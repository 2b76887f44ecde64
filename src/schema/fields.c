/* SPDX-License-Identifier: Apache-2.0 */
/* Field sets: the algebra, and FieldsV1. */
#include "schema/fields.h"

#include "base/num.h"
#include "schema/fields_int.h"
#include "schema/schema_int.h"

static int rank(char kind)
{
	return kind == FIELD_NAME ? 0 : kind == FIELD_KEY ? 1 : kind == FIELD_VALUE ? 2 : 3;
}

int field_elem_cmp(const struct field_elem *x, const struct field_elem *y)
{
	return x->kind != y->kind ? rank(x->kind) - rank(y->kind) : slice_cmp(x->text, y->text);
}

struct fields *fields_append(struct arena *a, struct fields *f, struct field_elem elem)
{
	if (!f->room) {
		uint32_t more = MAX(f->n, 4u);
		struct field_child *p = arena_array(a, (size_t)f->n + more, sizeof *p);
		if (!p)
			return NULL;
		if (f->n)
			memcpy(p, f->child, f->n * sizeof *p);
		f->child = p;
		f->room = more;
	}
	struct field_child *c = &f->child[f->n++];
	f->room--;
	*c = (struct field_child){ .elem = elem };
	return &c->set;
}

static int compare(const void *x, const void *y)
{
	return field_elem_cmp(&((const struct field_child *)x)->elem, &((const struct field_child *)y)->elem);
}

int fields_sort(struct arena *a, struct fields *f)
{
	bool is_sorted = true;
	for (uint32_t i = 1; i < f->n && is_sorted; i++)
		is_sorted = compare(&f->child[i - 1], &f->child[i]) < 0;
	if (is_sorted)
		return 0;
	qsort(f->child, f->n, sizeof *f->child, compare);
	uint32_t kept = 1;
	for (uint32_t i = 1; i < f->n; i++) {
		if (compare(&f->child[kept - 1], &f->child[i])) {
			f->child[kept++] = f->child[i];
			continue;
		}
		if (fields_union(&f->child[kept - 1].set, &f->child[i].set, a, &f->child[kept - 1].set) < 0)
			return -E2BIG;
	}
	f->room += f->n - kept;
	f->n = kept;
	return 0;
}

const struct fields *fields_child(const struct fields *f, const struct field_elem *elem)
{
	uint32_t lo = 0, hi = f->n;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		int r = field_elem_cmp(&f->child[mid].elem, elem);
		if (r == 0)
			return &f->child[mid].set;
		if (r < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

bool fields_is_empty(const struct fields *f)
{
	if (f->is_member)
		return false;
	for (uint32_t i = 0; i < f->n; i++)
		if (!fields_is_empty(&f->child[i].set))
			return false;
	return true;
}

bool fields_equal(const struct fields *x, const struct fields *y)
{
	if (x->is_member != y->is_member || x->n != y->n)
		return false;
	for (uint32_t i = 0; i < x->n; i++)
		if (field_elem_cmp(&x->child[i].elem, &y->child[i].elem) || !fields_equal(&x->child[i].set, &y->child[i].set))
			return false;
	return true;
}

enum op { UNION, AND, MINUS, MINUS_BELOW };

/* Walks both in order; where one has no such child, the other's stays whole or goes. */
static int combine(enum op op, const struct fields *x, const struct fields *y, struct arena *a, struct fields *ret)
{
	struct fields out = { 0 };
	out.is_member = op == UNION ? x->is_member || y->is_member : op == AND ? x->is_member && y->is_member
		: x->is_member && !y->is_member;
	for (uint32_t i = 0, k = 0; i < x->n || k < y->n;) {
		const struct field_child *l = i < x->n ? &x->child[i] : NULL, *r = k < y->n ? &y->child[k] : NULL;
		int order = !l ? 1 : !r ? -1 : field_elem_cmp(&l->elem, &r->elem);
		struct fields below = { 0 };
		i += order <= 0;
		k += order >= 0;
		if (order < 0 && op != AND)
			below = l->set;
		else if (order > 0 && op == UNION)
			below = r->set;
		else if (order == 0 && !(op == MINUS_BELOW && r->set.is_member) && combine(op, &l->set, &r->set, a, &below) < 0)
			return -E2BIG;
		if (!below.is_member && !below.n)
			continue;
		struct fields *place = fields_append(a, &out, order <= 0 ? l->elem : r->elem);
		if (!place)
			return -E2BIG;
		*place = below;
	}
	*ret = out;
	return 0;
}

int fields_union(const struct fields *x, const struct fields *y, struct arena *a, struct fields *ret)
{
	return combine(UNION, x, y, a, ret);
}

int fields_and(const struct fields *x, const struct fields *y, struct arena *a, struct fields *ret)
{
	return combine(AND, x, y, a, ret);
}

int fields_minus(const struct fields *x, const struct fields *y, struct arena *a, struct fields *ret)
{
	return combine(MINUS, x, y, a, ret);
}

int fields_minus_below(const struct fields *x, const struct fields *y, struct arena *a, struct fields *ret)
{
	return combine(MINUS_BELOW, x, y, a, ret);
}

int fields_add_names(struct fields *f, const char *paths, struct arena *a)
{
	struct slice rest = slice_of(paths), path, name;
	while (slice_next(&rest, ',', &path)) {
		struct fields one = { 0 }, *at = &one;
		while (slice_next(&path, '.', &name))
			if (!(at = fields_append(a, at, (struct field_elem){ FIELD_NAME, name })))
				return -E2BIG;
		at->is_member = true;
		if (fields_union(f, &one, a, f) < 0)
			return -E2BIG;
	}
	return 0;
}

/* --- FieldsV1 --- */

int field_text(struct arena *a, const struct tree *v, struct slice *ret)
{
	int64_t number;
	char *s;
	if (v->type == TREE_NUMBER && tree_i64(v, &number) == 0) {
		s = arena_fmt(a, "%lld", (long long)number);
		*ret = slice_of(s);
		return s ? 0 : -E2BIG;
	}
	AUTO(buf) struct buf b = BUF_INIT(64 << 10);
	if (tree_to_json(v, SCHEMA_ESCAPE_HTML | SCHEMA_SORTED, &b) < 0)
		return -E2BIG;
	s = arena_dup(a, buf_slice(&b));
	*ret = slice_n(s, b.len);
	return s ? 0 : -E2BIG;
}

static int bad(struct err *e, struct slice key, const char *why)
{
	return err_set(e, EBADMSG, "%s: %.*s", why, (int)MIN(key.len, (size_t)100), key.ptr);
}

/* `k:{"name":"x"}` */
static int read_elem(struct slice key, struct arena *a, struct field_elem *ret, struct err *e)
{
	struct tree v;
	struct err why;
	uint64_t i;
	if (key.len < 2)
		return bad(e, key, "key must be 2 characters long");
	if (key.ptr[1] != ':')
		return bad(e, key, "missing colon");
	struct slice text = slice_n(key.ptr + 2, key.len - 2);
	*ret = (struct field_elem){ key.ptr[0], text };
	switch (key.ptr[0]) {
	case FIELD_NAME:
		return 0;
	case FIELD_INDEX:
		return num_parse_u64(text, INT32_MAX, &i) < 0 ? bad(e, key, "invalid index") : 0;
	case FIELD_KEY: case FIELD_VALUE:
		if (tree_from_json(text, 0, a, &v, &why) < 0 || (ret->kind == FIELD_KEY && v.type != TREE_MAP))
			return bad(e, key, "invalid path element");
		if (field_text(a, &v, &ret->text) < 0)
			return err_set(e, E2BIG, "managed fields are too large");
		return 0;
	}
	return bad(e, key, "unknown path element type");
}

static int read_set(const struct tree *v, struct arena *a, struct fields *ret, struct err *e)
{
	struct fields f = { 0 };
	if (v->type != TREE_MAP)
		return v->type == TREE_NULL ? 0 : err_set(e, EBADMSG, "managed fields are not an object");
	for (uint32_t i = 0; i < v->n; i++) {
		struct slice key = key_of(&v->members[i]);
		struct field_elem elem;
		if (slice_is(key, ".")) {
			f.is_member = true;
			continue;
		}
		int r = read_elem(key, a, &elem, e);
		if (r < 0)
			return r;
		struct fields *below = fields_append(a, &f, elem);
		if (!below)
			return err_set(e, E2BIG, "managed fields are too large");
		r = read_set(&v->members[i].value, a, below, e);
		if (r < 0)
			return r;
		/* an element with nothing in it is a member */
		below->is_member |= !below->n;
	}
	*ret = f;
	return fields_sort(a, ret) < 0 ? err_set(e, E2BIG, "managed fields are too large") : 0;
}

int fields_from_tree(const struct tree *v, struct arena *a, struct fields *ret, struct err *e)
{
	struct fields f = { 0 };
	int r = read_set(v, a, &f, e);
	f.is_member = false;
	if (r == 0)
		*ret = f;
	return r;
}

static int write_set(const struct fields *f, struct arena *a, struct tree *ret)
{
	struct tree t = tree_map();
	if (f->is_member && f->n && !tree_set(a, &t, SLICE("."), tree_map()))
		return -E2BIG;
	for (uint32_t i = 0; i < f->n; i++) {
		const struct field_child *c = &f->child[i];
		size_t len = c->elem.text.len + 2;
		char *key = arena_chars(a, len + 1);
		struct tree below;
		if (!key || write_set(&c->set, a, &below) < 0)
			return -E2BIG;
		key[0] = c->elem.kind;
		key[1] = ':';
		if (c->elem.text.len)
			memcpy(key + 2, c->elem.text.ptr, c->elem.text.len);
		key[len] = 0;
		struct tree_member named = { .key = key, .key_len = len };
		if (!member_add(a, &t, &named, below))
			return -E2BIG;
	}
	*ret = t;
	return 0;
}

int fields_to_tree(const struct fields *f, struct arena *a, struct tree *ret)
{
	return write_set(f, a, ret);
}

/* --- paths for people --- */

static void print_elem(const struct field_elem *x, struct buf *out)
{
	struct tree v;
	struct err ignored;
	struct arena a;
	if (x->kind == FIELD_NAME) {
		buf_addf(out, ".%.*s", SLICE_FMT(x->text));
		return;
	}
	if (x->kind != FIELD_KEY) {
		buf_addf(out, "[%s%.*s]", x->kind == FIELD_VALUE ? "=" : "", SLICE_FMT(x->text));
		return;
	}
	arena_init(&a, 1 << 20);
	buf_addc(out, '[');
	if (tree_from_json(x->text, 0, &a, &v, &ignored) == 0) {
		for (uint32_t i = 0; i < v.n; i++) {
			buf_addf(out, "%s%.*s=", i ? "," : "", SLICE_FMT(key_of(&v.members[i])));
			(void)tree_to_json(&v.members[i].value, 0, out);
		}
	}
	buf_addc(out, ']');
	arena_release(&a);
}

static int each_below(const struct fields *f, struct buf *path, int (*each)(void *arg, const char *path), void *arg)
{
	size_t len = path->len;
	int r = 0;
	for (int below = 0; below < 2; below++) {
		for (uint32_t i = 0; r == 0 && i < f->n; i++) {
			const struct field_child *c = &f->child[i];
			if (below ? !c->set.n : !c->set.is_member)
				continue;
			print_elem(&c->elem, path);
			if (buf_error(path))
				return -E2BIG;
			r = below ? each_below(&c->set, path, each, arg) : each(arg, path->ptr);
			buf_truncate(path, len);
		}
	}
	return r;
}

int fields_each(const struct fields *f, int (*each)(void *arg, const char *path), void *arg)
{
	AUTO(buf) struct buf path = BUF_INIT(256 << 10);
	return each_below(f, &path, each, arg);
}
