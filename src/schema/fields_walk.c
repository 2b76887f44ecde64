/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field sets of objects: which fields one has, what differs between two, and
 * an object without some of its fields. The rules (what counts as a member,
 * how empty and null lists and maps behave) are those of Kubernetes'
 * structured merge and diff, which other clients' managedFields rely on.
 */
#include "schema/fields_int.h"
#include "schema/schema_int.h"

static int no_room(struct err *e)
{
	return err_set(e, E2BIG, "the object is too large");
}

/* --- helpers --- */

static int compare_members(const void *x, const void *y)
{
	return slice_cmp(key_of(*(const struct tree_member *const *)x), key_of(*(const struct tree_member *const *)y));
}

int member_index_init(struct member_index *x, const struct tree *map, struct arena *a)
{
	*x = (struct member_index){ .map = map };
	if (!map || map->type != TREE_MAP || map->n <= 16)
		return 0;
	x->sorted = arena_array(a, map->n, sizeof *x->sorted);
	if (!x->sorted)
		return -E2BIG;
	for (uint32_t i = 0; i < map->n; i++)
		x->sorted[i] = &map->members[i];
	qsort(x->sorted, map->n, sizeof *x->sorted, compare_members);
	return 0;
}

const struct tree *member_index_get(const struct member_index *x, struct slice key)
{
	if (!x->sorted)
		return tree_get(x->map, key);
	uint32_t lo = 0, hi = x->map->n;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		int r = slice_cmp(key_of(x->sorted[mid]), key);
		if (r == 0)
			return &x->sorted[mid]->value;
		if (r < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static int key_elem(const struct schema_node *list, const struct tree *item, struct arena *a, struct field_elem *ret, struct err *e)
{
	struct schema_node at = schema_node_item(list);
	struct slice rest = slice_of(schema_node_keys(list)), key;
	struct tree keys = tree_map(), v;
	if (item->type == TREE_NULL)
		return err_set(e, EINVAL, "associative list with keys may not have a null element");
	if (item->type != TREE_MAP)
		return err_set(e, EINVAL, "associative list with keys may not have non-map elements");
	while (slice_next(&rest, ',', &key)) {
		const struct tree *have = tree_get(item, key);
		if (have)
			v = *have;
		else if (!schema_node_key_default(&at, key, &v))
			continue;
		if (!tree_set(a, &keys, key, v))
			return no_room(e);
	}
	if (!keys.n)
		return err_set(e, EINVAL, "associative list with keys has an element that omits all key fields [\"%s\"] "
			"(and doesn't have default values for any key fields)", schema_node_keys(list));
	ret->kind = FIELD_KEY;
	return field_text(a, &keys, &ret->text) < 0 ? no_room(e) : 0;
}

int field_elem_of(const struct schema_node *list, enum schema_node_kind kind, const struct tree *item, struct arena *a,
	struct field_elem *ret, struct err *e)
{
	if (kind == NODE_ASSOC)
		return key_elem(list, item, a, ret, e);
	if (item->type == TREE_MAP)
		return err_set(e, EINVAL, "associative list without keys has an element that's a map type");
	if (item->type == TREE_LIST)
		return err_set(e, EINVAL, "not supported: associative list with lists as elements");
	if (item->type == TREE_NULL)
		return err_set(e, EINVAL, "associative list without keys has an element that's an explicit null");
	ret->kind = FIELD_VALUE;
	return field_text(a, item, &ret->text) < 0 ? no_room(e) : 0;
}

static int compare_items(const void *x, const void *y)
{
	const struct item *l = *(struct item *const *)x, *r = *(struct item *const *)y;
	int order = field_elem_cmp(&l->elem, &r->elem);
	return order ? order : l->index < r->index ? -1 : 1;
}

int items_of(const struct schema_node *list, enum schema_node_kind kind, const struct tree *v, struct arena *a, struct items *ret,
	struct err *e)
{
	*ret = (struct items){ 0 };
	if (!v || v->type != TREE_LIST)
		return 0;
	ret->v = arena_array(a, v->n, sizeof *ret->v);
	ret->sorted = arena_array(a, v->n, sizeof *ret->sorted);
	if (!ret->v || !ret->sorted)
		return no_room(e);
	ret->n = v->n;
	for (uint32_t i = 0; i < v->n; i++) {
		struct item *x = &ret->v[i];
		int r = field_elem_of(list, kind, &v->items[i], a, &x->elem, e);
		if (r < 0)
			return r == -EINVAL ? err_prefix(e, "element %u", i) : r;
		*x = (struct item){ .elem = x->elem, .value = &v->items[i], .index = i };
		ret->sorted[i] = x;
	}
	qsort(ret->sorted, ret->n, sizeof *ret->sorted, compare_items);
	for (uint32_t i = 0; i < ret->n; i++) {
		ret->sorted[i]->is_first = !i || field_elem_cmp(&ret->sorted[i - 1]->elem, &ret->sorted[i]->elem);
		bool has_next = i + 1 < ret->n && !field_elem_cmp(&ret->sorted[i + 1]->elem, &ret->sorted[i]->elem);
		ret->sorted[i]->is_twice = !ret->sorted[i]->is_first || has_next;
	}
	return 0;
}

const struct item *items_get(const struct items *x, const struct field_elem *elem)
{
	uint32_t lo = 0, hi = x->n;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		if (field_elem_cmp(&x->sorted[mid]->elem, elem) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < x->n && !field_elem_cmp(&x->sorted[lo]->elem, elem) ? x->sorted[lo] : NULL;
}

/* --- the fields of one object --- */

static int walk(const struct schema_node *n, const struct tree *v, unsigned flags, struct arena *a, struct fields *f, struct err *e);

static int walk_map(const struct schema_node *n, const struct tree *v, unsigned flags, struct arena *a, struct fields *f, struct err *e)
{
	bool has_schema = n->domain != NULL;
	for (uint32_t i = 0; i < v->n; i++) {
		struct slice key = key_of(&v->members[i]);
		const struct tree *below = &v->members[i].value;
		struct schema_node at = schema_node_member(n, key);
		struct fields *set = fields_append(a, f, (struct field_elem){ FIELD_NAME, key });
		if (!set)
			return no_room(e);
		bool is_named = schema_node_has_member(n, key);
		if (flags & FIELDS_STRICT && has_schema && !is_named && !at.domain && !at.prop)
			return err_set(e, EINVAL, ".%.*s: field not declared in schema", SLICE_FMT(key));
		int r = walk(&at, below, flags, a, set, e);
		if (r < 0)
			return r == -EINVAL ? err_prefix(e, ".%.*s", SLICE_FMT(key)) : r;
		if (below->type == TREE_NULL || (below->type == TREE_MAP && !below->n) || !is_named)
			set->is_member = true;
		if (!set->is_member && !set->n) {
			/* an empty list is nobody's */
			f->n--;
			f->room++;
		}
	}
	return fields_sort(a, f) < 0 ? no_room(e) : 0;
}

static int walk_list(const struct schema_node *n, enum schema_node_kind kind, const struct tree *v, unsigned flags, struct arena *a,
	struct fields *f, struct err *e)
{
	struct schema_node at = schema_node_item(n);
	struct items items;
	int r = items_of(n, kind, v, a, &items, e);
	for (uint32_t i = 0; r == 0 && i < items.n; i++) {
		const struct item *x = items.sorted[i];
		if (!x->is_first)
			continue;
		if (x->is_twice && flags & FIELDS_STRICT)
			return err_set(e, EINVAL, "duplicate entries for key [%.*s]", SLICE_FMT(x->elem.text));
		struct fields *set = fields_append(a, f, x->elem);
		if (!set)
			return no_room(e);
		if (!x->is_twice)
			r = walk(&at, x->value, flags, a, set, e);
		if (r == -EINVAL)
			err_prefix(e, "[%.*s]", SLICE_FMT(x->elem.text));
		set->is_member = true;
	}
	return r;
}

static int walk(const struct schema_node *n, const struct tree *v, unsigned flags, struct arena *a, struct fields *f, struct err *e)
{
	enum schema_node_kind kind = kind_of(n, v);
	if (kind == NODE_LEAF) {
		f->is_member = true;
		return 0;
	}
	if (v->type == TREE_NULL)
		return 0;
	return kind == NODE_MAP ? walk_map(n, v, flags, a, f, e) : walk_list(n, kind, v, flags, a, f, e);
}

/* ".spec: .containers: x" of nested prefixes becomes ".spec.containers: x". */
static void join_path(struct err *e)
{
	char *out = e->text, *p = e->text;
	while (*p) {
		if (p[0] == ':' && p[1] == ' ' && (p[2] == '.' || p[2] == '['))
			p += 2;
		else
			*out++ = *p++;
	}
	*out = 0;
}

int fields_from_object(const struct schema_node *n, const struct tree *v, unsigned flags, struct arena *a, struct fields *ret, struct err *e)
{
	struct fields f = { 0 };
	int r = walk(n, v, flags, a, &f, e);
	if (r == -EINVAL)
		join_path(e);
	f.is_member = false;
	if (r == 0)
		*ret = f;
	return r;
}

/* --- the difference of two --- */

static int compare(const struct schema_node *n, const struct tree *l, const struct tree *r, struct arena *a, struct fields_diff *d,
	struct err *e);

/* Compares one step down and keeps what it finds. */
static int compare_below(const struct schema_node *at, struct field_elem elem, const struct tree *l, const struct tree *r, struct arena *a,
	struct fields_diff *d, struct err *e)
{
	struct fields_diff below = { 0 };
	int k = compare(at, l, r, a, &below, e);
	if (k < 0)
		return k;
	struct fields *from[] = { &below.added, &below.modified, &below.removed }, *to[] = { &d->added, &d->modified, &d->removed };
	for (int i = 0; i < 3; i++) {
		if (!from[i]->is_member && !from[i]->n)
			continue;
		struct fields *place = fields_append(a, to[i], elem);
		if (!place)
			return no_room(e);
		*place = *from[i];
	}
	return 0;
}

static int compare_maps(const struct schema_node *n, const struct tree *l, const struct tree *r, struct arena *a, struct fields_diff *d,
	struct err *e)
{
	struct member_index left, right;
	if (member_index_init(&left, l, a) < 0 || member_index_init(&right, r, a) < 0)
		return no_room(e);
	for (int side = 0; side < 2; side++) {
		const struct tree *map = side ? r : l;
		for (uint32_t i = 0; map && map->type == TREE_MAP && i < map->n; i++) {
			struct slice key = key_of(&map->members[i]);
			const struct tree *other = member_index_get(side ? &left : &right, key), *v = &map->members[i].value;
			struct schema_node at = schema_node_member(n, key);
			if (side && other)
				continue;
			int k = compare_below(&at, (struct field_elem){ FIELD_NAME, key }, side ? NULL : v, side ? v : other, a, d, e);
			if (k < 0)
				return k;
		}
	}
	return 0;
}

static bool same_items(const struct items *x, const struct items *y, const struct field_elem *elem)
{
	const struct item *l = items_get(x, elem), *r = items_get(y, elem);
	uint32_t i = 0, k = 0;
	while (x->sorted[i] != l)
		i++;
	while (y->sorted[k] != r)
		k++;
	for (;; i++, k++) {
		bool has_l = i < x->n && !field_elem_cmp(&x->sorted[i]->elem, elem), has_r = k < y->n && !field_elem_cmp(&y->sorted[k]->elem, elem);
		if (!has_l || !has_r)
			return has_l == has_r;
		if (!tree_equal(x->sorted[i]->value, y->sorted[k]->value))
			return false;
	}
}

static int mark(struct arena *a, struct fields *f, struct field_elem elem, struct err *e)
{
	struct fields *place = fields_append(a, f, elem);
	if (!place)
		return no_room(e);
	place->is_member = true;
	return 0;
}

/* Elements that come twice are compared as if they were one value. */
static int compare_twice(const struct schema_node *at, const struct items *x, const struct items *y, const struct item *l, const struct item *r,
	struct arena *a, struct fields_diff *d, struct err *e)
{
	struct field_elem elem = l ? l->elem : r->elem;
	bool l_twice = l && l->is_twice, r_twice = r && r->is_twice;
	if (l_twice && r_twice)
		return same_items(x, y, &elem) ? 0 : mark(a, &d->modified, elem, e);
	if (l_twice) {
		int k = r ? compare_below(at, elem, NULL, r->value, a, d, e) : 0;
		return k < 0 ? k : mark(a, &d->removed, elem, e);
	}
	int k = l ? compare_below(at, elem, l->value, NULL, a, d, e) : 0;
	return k < 0 ? k : mark(a, &d->added, elem, e);
}

static int compare_lists(const struct schema_node *n, enum schema_node_kind kind, const struct tree *l, const struct tree *r, struct arena *a,
	struct fields_diff *d, struct err *e)
{
	struct schema_node at = schema_node_item(n);
	struct items x, y;
	int k = items_of(n, kind, l, a, &x, e);
	if (k == 0)
		k = items_of(n, kind, r, a, &y, e);
	for (int side = 0; side < 2; side++) {
		for (uint32_t i = 0; k == 0 && i < (side ? y.n : x.n); i++) {
			const struct item *v = side ? y.sorted[i] : x.sorted[i], *other = items_get(side ? &x : &y, &v->elem);
			if (!v->is_first || (side && other))
				continue;
			const struct item *left = side ? NULL : v, *right = side ? v : other;
			if ((left && left->is_twice) || (right && right->is_twice))
				k = compare_twice(&at, &x, &y, left, right, a, d, e);
			else
				k = compare_below(&at, v->elem, left ? left->value : NULL, right ? right->value : NULL, a, d, e);
		}
	}
	return k;
}

static void compare_leaf(const struct tree *l, const struct tree *r, struct fields_diff *d)
{
	if (!l)
		d->added.is_member = true;
	else if (!r)
		d->removed.is_member = true;
	else if (!tree_equal(l, r))
		d->modified.is_member = true;
}

static int compare(const struct schema_node *n, const struct tree *l, const struct tree *r, struct arena *a, struct fields_diff *d,
	struct err *e)
{
	enum schema_node_kind lk = kind_of(n, l ? l : r), rk = kind_of(n, r ? r : l), kind = lk == NODE_LEAF ? rk : lk;
	bool is_mixed = lk != rk;
	if (is_mixed || kind == NODE_LEAF || (is_empty(l) && is_empty(r)))
		compare_leaf(l, r, d);
	if (kind == NODE_LEAF || (is_empty(l) && is_empty(r)))
		return 0;
	if (is_mixed) {
		/* without a schema: a leaf on one side, a list or map on the other */
		l = lk == NODE_LEAF ? NULL : l;
		r = rk == NODE_LEAF ? NULL : r;
	}
	int k = kind == NODE_MAP ? compare_maps(n, l, r, a, d, e) : compare_lists(n, kind, l, r, a, d, e);
	if (k == 0 && (fields_sort(a, &d->added) < 0 || fields_sort(a, &d->modified) < 0 || fields_sort(a, &d->removed) < 0))
		return no_room(e);
	d->added.is_member |= !is_mixed && !l;
	d->removed.is_member |= !is_mixed && !r;
	return k;
}

int fields_compare(const struct schema_node *n, const struct tree *before, const struct tree *after, struct arena *a,
	struct fields_diff *ret, struct err *e)
{
	struct fields_diff d = { 0 };
	int r = !before && !after ? 0 : compare(n, before, after, a, &d, e);
	d.added.is_member = d.modified.is_member = d.removed.is_member = false;
	if (r == 0)
		*ret = d;
	return r;
}

/* --- taking fields away --- */

int fields_with_named(const struct fields *x, const struct schema_node *n, struct arena *a, struct fields *ret)
{
	struct fields out = { .is_member = x->is_member };
	for (uint32_t i = 0; i < x->n; i++) {
		const struct field_child *c = &x->child[i];
		bool is_name = c->elem.kind == FIELD_NAME;
		struct schema_node at = is_name ? schema_node_member(n, c->elem.text) : schema_node_item(n);
		struct fields *place = fields_append(a, &out, c->elem);
		if (!place || fields_with_named(&c->set, &at, a, place) < 0)
			return -E2BIG;
		if (is_name && c->set.n && schema_node_has_member(n, c->elem.text))
			place->is_member = true;
	}
	*ret = out;
	return 0;
}

/* Apart, so that its error takes no room in each frame of the recursion. */
static __attribute__((noinline)) int elem_quietly(const struct schema_node *list, enum schema_node_kind kind, const struct tree *item,
	struct arena *a, struct field_elem *ret)
{
	struct err ignored;
	return field_elem_of(list, kind, item, a, ret, &ignored);
}

static int remove_from(const struct schema_node *n, const struct tree *v, const struct fields *drop, struct arena *a, struct tree *ret)
{
	enum schema_node_kind kind = kind_of(n, v);
	struct tree out = { .type = v->type };
	*ret = *v;
	if (kind == NODE_LEAF || v->type == TREE_NULL || !drop->n)
		return 0;
	struct schema_node item = kind == NODE_MAP ? *n : schema_node_item(n);
	for (uint32_t i = 0; i < v->n; i++) {
		bool is_map = kind == NODE_MAP;
		const struct tree *below = is_map ? &v->members[i].value : &v->items[i];
		struct field_elem elem = { FIELD_NAME, { 0 } };
		int r = 0;
		if (is_map)
			elem.text = key_of(&v->members[i]);
		else
			r = elem_quietly(n, kind, below, a, &elem);
		if (r == -E2BIG)
			return r;
		const struct fields *set = r < 0 ? NULL : fields_child(drop, &elem);
		struct tree kept = *below;
		if (set && set->is_member)
			continue;
		if (set && set->n) {
			struct schema_node at = is_map ? schema_node_member(n, elem.text) : item;
			if (remove_from(&at, below, set, a, &kept) < 0)
				return -E2BIG;
			/* where nothing is left there is null, so that whoever owns the place itself still does */
			if (is_empty(&kept) && !is_empty(below))
				kept = tree_null();
		}
		if (!(is_map ? member_add(a, &out, &v->members[i], kept) : tree_append(a, &out, kept)))
			return -E2BIG;
	}
	*ret = out;
	return 0;
}

int fields_remove(const struct schema_node *n, const struct tree *v, const struct fields *drop, struct arena *a, struct tree *ret)
{
	return remove_from(n, v, drop, a, ret);
}
