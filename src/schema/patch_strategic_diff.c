/* SPDX-License-Identifier: Apache-2.0 */
/* Strategic merge patches: making one of two documents, and of three as kubectl apply does. */
#include "schema/patch.h"
#include "schema/patch_int.h"
#include "schema/schema_int.h"

struct differ {
	struct smp s;
	bool no_changes, no_deletions;
};

static int diff_map(struct differ *d, const struct schema_node *n, const struct tree *original, const struct tree *modified,
	bool is_retain, struct tree *ret);

static int set(struct differ *d, struct tree *patch, struct slice key, struct tree v)
{
	return tree_set(d->s.a, patch, key, v) ? 0 : smp_no_room(&d->s);
}

static int append(struct differ *d, struct tree *list, struct tree v)
{
	return tree_append(d->s.a, list, v) ? 0 : smp_no_room(&d->s);
}

/* "$setElementOrder/containers" */
static int set_parallel(struct differ *d, struct tree *patch, const char *prefix, struct slice key, struct tree v)
{
	char *name = arena_fmt(d->s.a, "%s/%.*s", prefix, SLICE_FMT(key));
	return name ? set(d, patch, slice_of(name), v) : smp_no_room(&d->s);
}

/* By their text, as Go prints them. */
static int sort_texts(struct differ *d, struct tree *list, struct slice key)
{
	for (uint32_t i = 1; i < list->n; i++) {
		struct tree v = list->items[i];
		struct slice text = tree_text(key.len ? tree_get(&v, key) : &v);
		uint32_t k = i;
		for (; k > 0; k--) {
			const struct tree *left = &list->items[k - 1];
			if (slice_cmp(tree_text(key.len ? tree_get(left, key) : left), text) <= 0)
				break;
			list->items[k] = *left;
		}
		list->items[k] = v;
	}
	return 0;
}

static int deletion(struct differ *d, struct slice key, const struct tree *v, struct tree *ret)
{
	struct tree t = tree_map();
	if (!tree_set(d->s.a, &t, key, *tree_get(v, key)) || !tree_set(d->s.a, &t, SLICE(SMP_PATCH), tree_string(SLICE("delete"))))
		return smp_no_room(&d->s);
	*ret = t;
	return 0;
}

/* Changed and new elements in modified's order, then deletions. */
static int diff_elements(struct differ *d, const struct schema_node *item, struct slice key, const struct tree *original,
	const struct tree *modified, bool is_retain, struct tree *ret)
{
	struct tree list = tree_list(), gone = tree_list(), v;
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < modified->n; i++) {
		const struct tree *now = &modified->items[i];
		int64_t at = smp_index(original, now, key);
		if (at < 0) {
			r = d->no_changes ? 0 : append(d, &list, *now);
			continue;
		}
		r = diff_map(d, item, &original->items[at], now, is_retain, &v);
		if (r == 0 && v.n)
			r = set(d, &v, key, *tree_get(now, key));
		if (r == 0 && v.n)
			r = append(d, &list, v);
	}
	for (uint32_t i = 0; r == 0 && !d->no_deletions && i < original->n; i++) {
		if (smp_index(modified, &original->items[i], key) >= 0)
			continue;
		r = deletion(d, key, &original->items[i], &v);
		if (r == 0)
			r = append(d, &gone, v);
	}
	if (r == 0)
		r = sort_texts(d, &gone, key);
	for (uint32_t i = 0; r == 0 && i < gone.n; i++)
		r = append(d, &list, gone.items[i]);
	if (r == 0)
		*ret = list;
	return r;
}

static bool is_order_same(const struct tree *original, const struct tree *modified, struct slice key)
{
	if (original->n != modified->n)
		return false;
	for (uint32_t i = 0; i < modified->n; i++)
		if (!tree_equal(tree_get(&original->items[i], key), tree_get(&modified->items[i], key)))
			return false;
	return true;
}

static int diff_maps_list(struct differ *d, const struct schema_node *n, struct slice name, struct slice key, const struct tree *original,
	const struct tree *modified, bool is_retain, struct tree *patch)
{
	struct schema_node item = schema_node_item(n);
	struct tree list, order = tree_list();
	int r = key.len ? smp_check_keys(&d->s, original, key) : err_set(d->s.e, EBADMSG, "cannot merge lists without merge key");
	if (r == 0)
		r = smp_check_keys(&d->s, modified, key);
	if (r == 0)
		r = diff_elements(d, &item, key, original, modified, is_retain, &list);
	if (r < 0)
		return r;
	if (list.n)
		r = set(d, patch, name, list);
	bool has_order = (!d->no_changes && (list.n || !is_order_same(original, modified, key))) || (!d->no_deletions && list.n);
	for (uint32_t i = 0; r == 0 && has_order && i < modified->n; i++) {
		struct tree only = tree_map();
		r = set(d, &only, key, *tree_get(&modified->items[i], key));
		if (r == 0)
			r = append(d, &order, only);
	}
	return r == 0 && order.n ? set_parallel(d, patch, SMP_ORDER, name, order) : r;
}

static int diff_scalars(struct differ *d, struct slice name, const struct tree *original, const struct tree *modified, struct tree *patch)
{
	struct tree added = tree_list(), gone = tree_list();
	struct slice none = { 0 };
	int r = 0;
	for (uint32_t i = 0; r == 0 && !d->no_changes && i < modified->n; i++)
		if (smp_index(original, &modified->items[i], none) < 0)
			r = append(d, &added, modified->items[i]);
	for (uint32_t i = 0; r == 0 && !d->no_deletions && i < original->n; i++)
		if (smp_index(modified, &original->items[i], none) < 0 && smp_index(&gone, &original->items[i], none) < 0)
			r = append(d, &gone, original->items[i]);
	if (r == 0)
		r = sort_texts(d, &gone, none);
	if (r == 0 && added.n)
		r = set(d, patch, name, added);
	if (r == 0 && gone.n)
		r = set_parallel(d, patch, SMP_DELETE, name, gone);
	bool has_order = (!d->no_deletions && gone.n) || (!d->no_changes && !tree_equal(original, modified));
	return r == 0 && has_order && modified->n ? set_parallel(d, patch, SMP_ORDER, name, *modified) : r;
}

static int diff_list(struct differ *d, const struct schema_node *n, struct slice name, const struct tree *original,
	const struct tree *modified, struct tree *patch)
{
	struct schema_patch_how how;
	schema_node_patch(n, &how);
	if (!how.is_merge)
		return d->no_changes || tree_equal(original, modified) ? 0 : set(d, patch, name, *modified);
	if (!original->n)
		return !modified->n || d->no_changes ? 0 : set(d, patch, name, *modified);
	int type = smp_element_type(&d->s, original, modified);
	if (type < 0)
		return type;
	if (type == TREE_MAP)
		return diff_maps_list(d, n, name, how.key, original, modified, how.is_retain, patch);
	return diff_scalars(d, name, original, modified, patch);
}

static int diff_member(struct differ *d, const struct schema_node *n, const struct tree_member *m, const struct tree *old, struct tree *patch)
{
	struct slice key = key_of(m);
	const struct tree *now = &m->value;
	struct schema_node field = schema_node_member(n, key);
	struct schema_patch_how how;
	struct tree below;
	if (!old || old->type != now->type || (now->type != TREE_MAP && now->type != TREE_LIST))
		return d->no_changes || (old && tree_equal(old, now)) ? 0 : set(d, patch, key, *now);
	if (now->type == TREE_LIST)
		return diff_list(d, &field, key, old, now, patch);
	schema_node_patch(&field, &how);
	if (how.is_replace)
		return d->no_changes || tree_equal(old, now) ? 0 : set(d, patch, key, *now);
	int r = diff_map(d, &field, old, now, how.is_retain, &below);
	return r == 0 && below.n ? set(d, patch, key, below) : r;
}

static int diff_map(struct differ *d, const struct schema_node *n, const struct tree *original, const struct tree *modified,
	bool is_retain, struct tree *ret)
{
	struct tree patch = tree_map(), retain = tree_list();
	bool has_more = false;
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < modified->n; i++) {
		const struct tree_member *m = &modified->members[i];
		r = diff_member(d, n, m, tree_get(original, key_of(m)), &patch);
		if (r == 0 && is_retain && m->value.type != TREE_NULL)
			r = append(d, &retain, tree_string(key_of(m)));
	}
	for (uint32_t i = 0; r == 0 && i < original->n; i++) {
		const struct tree_member *m = &original->members[i];
		if (tree_get(modified, key_of(m)))
			continue;
		has_more |= m->value.type != TREE_NULL;
		r = d->no_deletions ? 0 : set(d, &patch, key_of(m), tree_null());
	}
	if (r == 0 && retain.n && (patch.n || has_more)) {
		sort_texts(d, &retain, slice_n(NULL, 0));
		r = set(d, &patch, SLICE(SMP_RETAIN), retain);
	}
	if (r == 0)
		*ret = patch;
	return r;
}

static int check_maps(const struct tree *x, const struct tree *y, struct err *e)
{
	return x->type != TREE_MAP || y->type != TREE_MAP ? err_set(e, EBADMSG, "invalid JSON document") : 0;
}

int tree_strategic_diff(struct schema_ref t, const struct tree *original, const struct tree *modified, struct arena *a,
	struct tree *ret, struct err *e)
{
	struct differ d = { .s = { .a = a, .e = e } };
	struct schema_node n = schema_node_of(t);
	int r = check_maps(original, modified, e);
	return r < 0 ? r : diff_map(&d, &n, original, modified, false, ret);
}

int tree_strategic_diff3(struct schema_ref t, const struct tree *original, const struct tree *modified, const struct tree *current,
	struct arena *a, struct tree *ret, struct err *e)
{
	static const struct tree empty = { .type = TREE_MAP };
	struct differ changes = { .s = { .a = a, .e = e }, .no_deletions = true }, deletions = { .s = { .a = a, .e = e }, .no_changes = true };
	struct smp join = { .a = a, .e = e, .joins_patches = true };
	struct schema_node n = schema_node_of(t);
	struct tree changed, gone;
	original = original ? original : &empty;
	int r = check_maps(original, modified, e);
	if (r == 0)
		r = check_maps(current, current, e);
	if (r == 0)
		r = diff_map(&changes, &n, current, modified, false, &changed);
	if (r == 0)
		r = diff_map(&deletions, &n, original, modified, false, &gone);
	return r < 0 ? r : smp_merge_map(&join, &n, &gone, &changed, ret);
}
