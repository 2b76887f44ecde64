/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An applied configuration laid over a live object. Elements of lists keep the
 * live object's order, except that those which both have come in the configuration's.
 */
#include "schema/fields_int.h"
#include "schema/schema_int.h"

static int no_room(struct err *e)
{
	return err_set(e, E2BIG, "the object is too large");
}

static int merge_maps(const struct schema_node *n, const struct tree *l, const struct tree *r, struct arena *a, struct tree *ret,
	bool *is_there, struct err *e)
{
	struct member_index left, right;
	struct tree out = tree_map();
	if (member_index_init(&left, l, a) < 0 || member_index_init(&right, r, a) < 0)
		return no_room(e);
	for (int side = 0; side < 2; side++) {
		const struct tree *map = side ? r : l;
		for (uint32_t i = 0; map && map->type == TREE_MAP && i < map->n; i++) {
			const struct tree_member *m = &map->members[i];
			const struct tree *other = member_index_get(side ? &left : &right, key_of(m));
			struct schema_node at = schema_node_member(n, key_of(m));
			struct tree v;
			bool is_kept;
			if (side && other)
				continue;
			int k = apply_merge(&at, side ? NULL : &m->value, side ? &m->value : other, a, &v, &is_kept, e);
			if (k < 0)
				return k;
			if (is_kept && !member_add(a, &out, m, v))
				return no_room(e);
		}
	}
	*is_there = out.n > 0;
	*ret = out;
	return 0;
}

struct weave {
	const struct schema_node *item;
	struct items l, r;
	const struct item **shared;    /* of r: those that l has, in r's order */
	uint32_t n_shared, next;
	bool *is_merged;               /* of r */
	struct arena *a;
	struct tree out;
	struct err *e;
};

static const struct item *next_shared(const struct weave *w)
{
	return w->next < w->n_shared ? w->shared[w->next] : NULL;
}

static bool same(const struct item *x, const struct item *y)
{
	return x && y && !field_elem_cmp(&x->elem, &y->elem);
}

static int put(struct weave *w, const struct tree *l, const struct tree *r)
{
	struct tree v;
	bool is_kept;
	int k = apply_merge(w->item, l, r, w->a, &v, &is_kept, w->e);
	if (k < 0)
		return k;
	return !is_kept || tree_append(w->a, &w->out, v) ? 0 : no_room(w->e);
}

/* An element of r, with l's of the same step unless that comes twice there. */
static int put_right(struct weave *w, const struct item *r)
{
	const struct item *l = items_get(&w->l, &r->elem);
	static const struct tree null;
	w->is_merged[r->index] = true;
	return put(w, !l ? NULL : l->is_twice ? &null : l->value, r->value);
}

static int weave(struct weave *w)
{
	int k = 0;
	for (uint32_t i = 0, j = 0; k == 0 && (i < w->l.n || j < w->r.n);) {
		const struct item *l = i < w->l.n ? &w->l.v[i] : NULL, *r = j < w->r.n ? &w->r.v[j] : NULL;
		const struct item *in_r = l ? items_get(&w->r, &l->elem) : NULL;
		if (l && r && same(l, r)) {
			k = put_right(w, r);
			i++;
			j++;
			w->next++;
			continue;
		}
		if (l && r && in_r && next_shared(w) && !same(next_shared(w), l)) {
			i++;       /* both have it, but it is not its turn */
			continue;
		}
		if (l && !in_r) {
			k = put(w, l->value, NULL);
			i++;
			continue;
		}
		if (l && w->is_merged[in_r->index])
			i++;
		if (!r)
			continue;
		k = put_right(w, r);
		j++;
		w->next += same(next_shared(w), r);
	}
	return k;
}

static int merge_lists(const struct schema_node *n, enum schema_node_kind kind, const struct tree *l, const struct tree *r, struct arena *a,
	struct tree *ret, bool *is_there, struct err *e)
{
	struct schema_node item = schema_node_item(n);
	struct weave w = { .item = &item, .a = a, .out = tree_list(), .e = e };
	int k = items_of(n, kind, l, a, &w.l, e);
	if (k == 0)
		k = items_of(n, kind, r, a, &w.r, e);
	if (k < 0)
		return k;
	w.shared = arena_array(a, w.r.n, sizeof *w.shared);
	w.is_merged = arena_array(a, w.r.n, sizeof *w.is_merged);
	if (!w.shared || !w.is_merged)
		return no_room(e);
	for (uint32_t i = 0; i < w.r.n; i++) {
		if (w.r.v[i].is_twice)
			return err_set(e, EINVAL, "duplicate entries for key [%.*s]", SLICE_FMT(w.r.v[i].elem.text));
		if (items_get(&w.l, &w.r.v[i].elem))
			w.shared[w.n_shared++] = &w.r.v[i];
	}
	k = weave(&w);
	*is_there = w.out.n > 0;
	*ret = w.out;
	return k;
}

int apply_merge(const struct schema_node *n, const struct tree *live, const struct tree *config, struct arena *a, struct tree *ret,
	bool *is_there, struct err *e)
{
	enum schema_node_kind l = kind_of(n, live ? live : config), r = kind_of(n, config ? config : live);
	if (l != r || r == NODE_LEAF || (is_empty(live) && is_empty(config))) {
		*ret = config ? *config : *live;
		*is_there = true;
		return 0;
	}
	if (!live || !config) {
		*ret = config ? *config : *live;
		*is_there = !is_empty(ret);
		return 0;
	}
	return r == NODE_MAP ? merge_maps(n, live, config, a, ret, is_there, e) : merge_lists(n, r, live, config, a, ret, is_there, e);
}
