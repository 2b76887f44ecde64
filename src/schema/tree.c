/* SPDX-License-Identifier: Apache-2.0 */
/* Looking into trees, comparing, editing. */
#include "schema/tree.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/map.h"
#include "base/num.h"
#include "schema/patch_int.h"
#include "schema/tree_int.h"

static bool key_is(const struct tree_member *m, const char *key, size_t n)
{
	return m->key_len == n && !memcmp(m->key, key, n);
}

static uint32_t dedup_many(struct tree_member *m, uint32_t n, struct slice *twice)
{
	struct map seen;
	uint32_t kept = 0;
	map_init(&seen);
	for (uint32_t i = 0; i < n; i++) {
		struct slice key = slice_n(m[i].key, m[i].key_len);
		uintptr_t at = (uintptr_t)map_get(&seen, key);
		if (at) {
			m[at - 1].value = m[i].value;
			*twice = key;
			continue;
		}
		m[kept++] = m[i];
		/* without memory a later duplicate stays; lookups find the first */
		(void)map_set(&seen, key, (void *)(uintptr_t)kept, NULL);
	}
	map_release(&seen);
	return kept;
}

uint32_t members_dedup(struct tree_member *m, uint32_t n, struct slice *twice)
{
	if (n > 40)
		return dedup_many(m, n, twice);
	uint32_t kept = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = 0;
		while (k < kept && !key_is(&m[k], m[i].key, m[i].key_len))
			k++;
		if (k < kept) {
			m[k].value = m[i].value;
			*twice = slice_n(m[i].key, m[i].key_len);
			continue;
		}
		if (kept != i)
			m[kept] = m[i];
		kept++;
	}
	return kept;
}

static int compare(const struct tree_member *a, const struct tree_member *b)
{
	return slice_cmp(slice_n(a->key, a->key_len), slice_n(b->key, b->key_len));
}

uint32_t *members_sort(const struct tree *map, uint32_t *fixed, uint32_t max)
{
	uint32_t n = map->n, *v = 2 * (uint64_t)n <= max ? fixed : malloc(2 * (size_t)n * sizeof *v);
	if (!v)
		return NULL;
	for (uint32_t i = 0; i < n; i++)
		v[i] = i;
	uint32_t *tmp = v + n;
	for (uint32_t width = 1; width < n; width *= 2) {
		for (uint32_t lo = 0; lo < n; lo += 2 * width) {
			uint32_t mid = MIN(lo + width, n), hi = MIN(lo + 2 * width, n), i = lo, j = mid;
			for (uint32_t k = lo; k < hi; k++)
				tmp[k] = i < mid && (j >= hi || compare(&map->members[v[i]], &map->members[v[j]]) <= 0) ? v[i++] : v[j++];
		}
		memcpy(v, tmp, n * sizeof *v);
	}
	return v;
}

const struct tree *tree_get(const struct tree *v, struct slice key)
{
	if (!v || v->type != TREE_MAP)
		return NULL;
	for (uint32_t i = 0; i < v->n; i++)
		if (key_is(&v->members[i], key.ptr, key.len))
			return &v->members[i].value;
	return NULL;
}

const struct tree *tree_at(const struct tree *v, uint32_t i)
{
	return v && v->type == TREE_LIST && i < v->n ? &v->items[i] : NULL;
}

/* One "[…]" of a path, behind the bracket: an index or a quoted key. */
static const struct tree *bracket(const struct tree *v, struct slice *rest)
{
	struct slice inside, tail;
	if (rest->len && rest->ptr[0] == '"') {
		struct slice s = slice_n(rest->ptr + 1, rest->len - 1);
		if (!slice_cut(s, '"', &inside, &tail) || !tail.len || tail.ptr[0] != ']')
			return NULL;
		*rest = slice_n(tail.ptr + 1, tail.len - 1);
		return tree_get(v, inside);
	}
	uint64_t i;
	if (!slice_cut(*rest, ']', &inside, &tail) || num_parse_u64(inside, UINT32_MAX, &i) < 0)
		return NULL;
	*rest = tail;
	return tree_at(v, (uint32_t)i);
}

const struct tree *tree_path(const struct tree *v, const char *path)
{
	struct slice rest = slice_of(path);
	while (v && rest.len) {
		if (rest.ptr[0] == '[') {
			rest = slice_n(rest.ptr + 1, rest.len - 1);
			v = bracket(v, &rest);
			continue;
		}
		if (rest.ptr[0] == '.')
			rest = slice_n(rest.ptr + 1, rest.len - 1);
		size_t n = 0;
		while (n < rest.len && rest.ptr[n] != '.' && rest.ptr[n] != '[')
			n++;
		v = tree_get(v, slice_n(rest.ptr, n));
		rest = slice_n(rest.ptr + n, rest.len - n);
	}
	return v;
}

static int number(struct slice s, double *ret)
{
	AUTO(free) char *copy = slice_dup(s);
	if (!copy)
		return -ENOMEM;
	*ret = strtod(copy, NULL);
	return 0;
}

int tree_i64(const struct tree *v, int64_t *ret)
{
	if (!v || v->type != TREE_NUMBER)
		return -EINVAL;
	struct slice s = tree_text(v);
	int r = num_parse_i64(s, INT64_MIN, INT64_MAX, ret);
	if (r != -EINVAL)
		return r;
	double d;
	if (number(s, &d) < 0 || d != (double)(int64_t)d)
		return -EINVAL;
	if (d < -9e15 || d > 9e15)
		return -ERANGE;
	*ret = (int64_t)d;
	return 0;
}

static bool equal_number(const struct tree *a, const struct tree *b)
{
	if (a->n == b->n && !memcmp(a->text, b->text, a->n))
		return true;
	int64_t i, k;
	int r = num_parse_i64(tree_text(a), INT64_MIN, INT64_MAX, &i), q = num_parse_i64(tree_text(b), INT64_MIN, INT64_MAX, &k);
	if (r == 0 && q == 0)
		return i == k;
	double x, y;
	return number(tree_text(a), &x) == 0 && number(tree_text(b), &y) == 0 && x == y;
}

bool tree_equal(const struct tree *a, const struct tree *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case TREE_NULL: return true;
	case TREE_BOOL: return a->is_true == b->is_true;
	case TREE_NUMBER: return equal_number(a, b);
	case TREE_STRING: return a->n == b->n && !memcmp(a->text, b->text, a->n);
	}
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		const struct tree *x, *y;
		if (a->type == TREE_LIST) {
			x = &a->items[i];
			y = &b->items[i];
		} else {
			const struct tree_member *m = &a->members[i], *same = &b->members[i];
			x = &m->value;
			y = key_is(same, m->key, m->key_len) ? &same->value : tree_get(b, slice_n(m->key, m->key_len));
		}
		if (!y || !tree_equal(x, y))
			return false;
	}
	return true;
}

int tree_int(struct arena *a, int64_t v, struct tree *ret)
{
	char *s = arena_fmt(a, "%lld", (long long)v);
	if (!s)
		return -ENOMEM;
	*ret = tree_number(slice_of(s));
	return 0;
}

/* Room for one more element of `size` bytes. */
static int grow(struct arena *a, struct tree *v, size_t size)
{
	if (v->room)
		return 0;
	uint32_t more = MIN(MAX(v->n, 4u), 32768u);
	char *p = arena_array(a, (size_t)v->n + more, size);
	if (!p)
		return -ENOMEM;
	if (v->n)
		memcpy(p, v->items, v->n * size);
	v->items = (struct tree *)p;
	v->room = (uint16_t)more;
	return 0;
}

struct tree *tree_set(struct arena *a, struct tree *map, struct slice key, struct tree value)
{
	struct tree *old = tree_get_mut(map, key);
	if (old) {
		*old = value;
		return old;
	}
	if (grow(a, map, sizeof(struct tree_member)) < 0)
		return NULL;
	struct tree_member *m = &map->members[map->n++];
	map->room--;
	*m = (struct tree_member){ key.ptr, key.len, value };
	return &m->value;
}

struct tree *member_add(struct arena *a, struct tree *map, const struct tree_member *named, struct tree value)
{
	if (grow(a, map, sizeof(struct tree_member)) < 0)
		return NULL;
	struct tree_member *m = &map->members[map->n++];
	map->room--;
	*m = (struct tree_member){ named->key, named->key_len, value };
	return &m->value;
}

bool tree_remove(struct tree *map, struct slice key)
{
	struct tree *v = tree_get_mut(map, key);
	if (!v)
		return false;
	struct tree_member *m = container_of(v, struct tree_member, value);
	memmove(m, m + 1, (size_t)(map->members + map->n - m - 1) * sizeof *m);
	map->n--;
	map->room += map->room < UINT16_MAX;
	return true;
}

struct tree *tree_append(struct arena *a, struct tree *list, struct tree value)
{
	if (grow(a, list, sizeof(struct tree)) < 0)
		return NULL;
	struct tree *v = &list->items[list->n++];
	list->room--;
	*v = value;
	return v;
}

void tree_remove_at(struct tree *list, uint32_t i)
{
	if (i >= list->n)
		return;
	memmove(&list->items[i], &list->items[i + 1], (size_t)(list->n - i - 1) * sizeof(struct tree));
	list->n--;
	list->room += list->room < UINT16_MAX;
}

static int copy_text(struct arena *a, const char **at, size_t n)
{
	char *p = arena_dup(a, slice_n(*at, n));
	if (!p)
		return -ENOMEM;
	*at = p;
	return 0;
}

int tree_copy(const struct tree *v, struct arena *a, struct tree *ret)
{
	struct tree t = *v;
	t.room = 0;
	if (t.type == TREE_STRING || t.type == TREE_NUMBER) {
		if (copy_text(a, &t.text, t.n) < 0)
			return -ENOMEM;
	} else if (t.type == TREE_LIST) {
		t.items = arena_array(a, t.n, sizeof *t.items);
		if (!t.items)
			return -ENOMEM;
		for (uint32_t i = 0; i < t.n; i++)
			if (tree_copy(&v->items[i], a, &t.items[i]) < 0)
				return -ENOMEM;
	} else if (t.type == TREE_MAP) {
		t.members = arena_array(a, t.n, sizeof *t.members);
		if (!t.members)
			return -ENOMEM;
		for (uint32_t i = 0; i < t.n; i++) {
			t.members[i] = v->members[i];
			if (copy_text(a, &t.members[i].key, t.members[i].key_len) < 0 ||
			    tree_copy(&v->members[i].value, a, &t.members[i].value) < 0)
				return -ENOMEM;
		}
	}
	*ret = t;
	return 0;
}
