/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strategic merge patches: applying one. The same code joins two patches, which
 * is the last step of making one of three documents.
 *
 * Order of a merged list: what the patch names in the patch's order, what only
 * the document has in the document's order, woven together.
 */
#include "schema/patch.h"
#include "schema/patch_int.h"
#include "schema/schema_int.h"

int smp_no_room(struct smp *s)
{
	return err_set(s->e, E2BIG, "the patched document is too large");
}

static const char *go_kind(const struct tree *v)
{
	static const char *const names[] = { "nil", "bool", "number", "string", "slice", "map" };
	return names[v->type];
}

static int bad_kind(struct smp *s, const char *want, const struct tree *v)
{
	return err_set(s->e, EBADMSG, "expected a %s, but received a %s", want, go_kind(v));
}

static int no_merge_key(struct smp *s, const struct tree *v, struct slice key)
{
	AUTO(buf) struct buf text = BUF_INIT(256);
	(void)tree_to_json(v, SCHEMA_SORTED, &text);
	return err_set(s->e, EBADMSG, "map: %.200s does not contain declared merge key: %.*s", text.ptr, SLICE_FMT(key));
}

int smp_element_type(struct smp *s, const struct tree *x, const struct tree *y)
{
	int type = -1;
	const struct tree *lists[] = { x, y };
	if ((x && x->n > SMP_MAX_LIST) || (y && y->n > SMP_MAX_LIST))
		return err_set(s->e, E2BIG, "a list that is merged has more than %d elements", SMP_MAX_LIST);
	for (int k = 0; k < 2; k++) {
		for (uint32_t i = 0; lists[k] && i < lists[k]->n; i++) {
			int t = lists[k]->items[i].type;
			if (t == TREE_LIST)
				return err_set(s->e, EDOM, "lists of lists are not supported");
			if (type >= 0 && t != type)
				return err_set(s->e, EBADMSG, "list element types are not identical");
			type = t;
		}
	}
	return type < 0 ? TREE_STRING : type;
}

int64_t smp_index(const struct tree *list, const struct tree *v, struct slice key)
{
	const struct tree *want = key.len ? tree_get(v, key) : v;
	for (uint32_t i = 0; want && list && i < list->n; i++) {
		const struct tree *have = key.len ? tree_get(&list->items[i], key) : &list->items[i];
		if (have && tree_equal(have, want))
			return i;
	}
	return -1;
}

int smp_check_keys(struct smp *s, const struct tree *list, struct slice key)
{
	for (uint32_t i = 0; list && i < list->n; i++) {
		if (list->items[i].type != TREE_MAP)
			return bad_kind(s, "map", &list->items[i]);
		if (!tree_get(&list->items[i], key))
			return no_merge_key(s, &list->items[i], key);
	}
	return 0;
}

static bool is_directive(struct slice key)
{
	return slice_is(key, SMP_PATCH) || slice_is(key, SMP_RETAIN) || slice_starts(key, SMP_DELETE) || slice_starts(key, SMP_ORDER);
}

/* A value of the patch that goes in as it is: without directives and (in documents) nulls. false: it is to be left out. */
static int clean(struct smp *s, const struct tree *v, struct tree *ret)
{
	struct tree t = { .type = v->type };
	if (v->type != TREE_LIST && v->type != TREE_MAP) {
		*ret = *v;
		return true;
	}
	if (tree_gets(v, SMP_PATCH))
		return false;
	for (uint32_t i = 0; i < v->n; i++) {
		const struct tree *below = v->type == TREE_LIST ? &v->items[i] : &v->members[i].value;
		struct tree item;
		if (v->type == TREE_MAP && !s->joins_patches && (below->type == TREE_NULL || is_directive(key_of(&v->members[i]))))
			continue;
		int r = clean(s, below, &item);
		if (r < 0)
			return r;
		if (r && !(v->type == TREE_LIST ? tree_append(s->a, &t, item) : member_add(s->a, &t, &v->members[i], item)))
			return smp_no_room(s);
	}
	*ret = t;
	return true;
}

static bool is_deletion(const struct tree *v)
{
	return slice_is(tree_text(tree_gets(v, SMP_PATCH)), "delete");
}

/* Sorts by place in `order`; what has none stays where it is, deletions go to the end. */
static int sort_by(struct smp *s, struct tree *list, const struct tree *order, struct slice key)
{
	struct tree kept = tree_list(), gone = tree_list();
	for (uint32_t i = 0; i < list->n; i++)
		if (!tree_append(s->a, key.len && is_deletion(&list->items[i]) ? &gone : &kept, list->items[i]))
			return smp_no_room(s);
	int64_t *at = arena_array(s->a, kept.n, sizeof *at);
	if (!at)
		return smp_no_room(s);
	for (uint32_t i = 0; i < kept.n; i++)
		at[i] = smp_index(order, &kept.items[i], key);
	for (uint32_t i = 1; i < kept.n; i++) {
		struct tree v = kept.items[i];
		int64_t place = at[i];
		uint32_t k = i;
		for (; place >= 0 && k > 0 && at[k - 1] > place; k--) {
			kept.items[k] = kept.items[k - 1];
			at[k] = at[k - 1];
		}
		kept.items[k] = v;
		at[k] = place;
	}
	for (uint32_t i = 0; i < gone.n; i++)
		if (!tree_append(s->a, &kept, gone.items[i]))
			return smp_no_room(s);
	*list = kept;
	return 0;
}

/* Splits merged into what `order` names and the rest, sorts both, and weaves them by their places in original. */
static int arrange(struct smp *s, const struct tree *merged, const struct tree *order, const struct tree *original, struct slice key,
	struct tree *ret)
{
	struct tree named = tree_list(), rest = tree_list(), out = tree_list();
	for (uint32_t i = 0; i < merged->n; i++)
		if (!tree_append(s->a, smp_index(order, &merged->items[i], key) >= 0 ? &named : &rest, merged->items[i]))
			return smp_no_room(s);
	int r = sort_by(s, &named, order, key);
	if (r == 0)
		r = sort_by(s, &rest, original, key);
	if (r < 0)
		return r;
	uint32_t i = 0, k = 0;
	while (i < rest.n || k < named.n) {
		bool takes_rest = k >= named.n;
		if (i < rest.n && k < named.n) {
			int64_t x = smp_index(original, &rest.items[i], key), y = smp_index(original, &named.items[k], key);
			takes_rest = x >= 0 && y >= 0 && x < y;
		}
		if (!tree_append(s->a, &out, takes_rest ? rest.items[i++] : named.items[k++]))
			return smp_no_room(s);
	}
	*ret = out;
	return 0;
}

/* Handles elements with $patch: original without what they delete, patch without them. */
static int special_elements(struct smp *s, struct slice key, struct tree *original, struct tree *patch)
{
	struct tree plain = tree_list();
	bool is_replaced = false;
	for (uint32_t i = 0; i < patch->n; i++) {
		const struct tree *v = &patch->items[i], *directive = tree_gets(v, SMP_PATCH), *value = tree_get(v, key);
		struct slice text = tree_text(directive);
		if (!directive) {
			if (!tree_append(s->a, &plain, *v))
				return smp_no_room(s);
		} else if (slice_is(text, "replace")) {
			is_replaced = true;
		} else if (slice_is(text, "merge")) {
			return err_set(s->e, EBADMSG, "merging lists cannot yet be specified in the patch");
		} else if (!slice_is(text, "delete")) {
			return err_set(s->e, EBADMSG, "unknown patch type: %.*s in map", SLICE_FMT(text));
		} else if (!value) {
			return no_merge_key(s, v, key);
		} else {
			for (int64_t at; (at = smp_index(original, v, key)) >= 0;)
				tree_remove_at(original, (uint32_t)at);
		}
	}
	*patch = is_replaced ? tree_list() : plain;
	if (is_replaced)
		*original = plain;
	return 0;
}

static int shallow(struct smp *s, const struct tree *v, struct tree *ret)
{
	struct tree t = *v;
	size_t size = v->type == TREE_LIST ? sizeof(struct tree) : sizeof(struct tree_member);
	t.room = 0;
	t.items = arena_array(s->a, v->n, size);
	if (!t.items)
		return smp_no_room(s);
	if (v->n)
		memcpy(t.items, v->items, v->n * size);
	*ret = t;
	return 0;
}

/* *places (may be NULL): the original's places as new elements have taken those of deleted ones. */
static int merge_maps_list(struct smp *s, const struct schema_node *n, struct slice key, const struct tree *original,
	const struct tree *patch, struct tree *ret, struct tree *places)
{
	struct tree merged, plain = *patch;
	struct schema_node item = schema_node_item(n);
	if (!key.len)
		return err_set(s->e, EBADMSG, "cannot merge lists without merge key");
	int r = shallow(s, original, &merged);
	if (r == 0)
		r = special_elements(s, key, &merged, &plain);
	struct tree before = merged;
	if (r == 0)
		r = shallow(s, &merged, &before);
	if (r == 0)
		r = smp_check_keys(s, &plain, key);
	for (uint32_t i = 0; r >= 0 && i < plain.n; i++) {
		int64_t at = smp_index(&merged, &plain.items[i], key);
		struct tree v;
		if (at >= 0) {
			r = smp_merge_map(s, &item, &merged.items[at], &plain.items[i], &merged.items[at]);
			continue;
		}
		r = s->joins_patches ? (v = plain.items[i], true) : clean(s, &plain.items[i], &v);
		if (r > 0 && !tree_append(s->a, &merged, v))
			return smp_no_room(s);
	}
	if (r >= 0)
		r = smp_check_keys(s, &merged, key);
	if (r >= 0 && places && before.n < original->n) {
		*places = merged;
		places->n = MIN(merged.n, original->n);
		places->room = 0;
	}
	return r < 0 ? r : arrange(s, &merged, &plain, &before, key, ret);
}

static int merge_list(struct smp *s, const struct schema_node *n, const struct schema_patch_how *how, const struct tree *original,
	const struct tree *patch, struct tree *ret, struct tree *places)
{
	if (!original->n && !patch->n) {
		*ret = *original;
		return 0;
	}
	int type = smp_element_type(s, original, patch);
	if (type < 0)
		return type;
	if (type == TREE_MAP)
		return merge_maps_list(s, n, how->key, original, patch, ret, places);
	struct tree both = tree_list();
	struct slice none = { 0 };
	const struct tree *lists[] = { original, patch };
	for (int k = 0; k < 2; k++)
		for (uint32_t i = 0; i < lists[k]->n; i++)
			if (smp_index(&both, &lists[k]->items[i], none) < 0 && !tree_append(s->a, &both, lists[k]->items[i]))
				return smp_no_room(s);
	return arrange(s, &both, patch, original, none, ret);
}

static int delete_scalars(struct smp *s, const struct tree *original, const struct tree *gone, struct tree *ret)
{
	struct tree t = tree_list();
	for (uint32_t i = 0; i < original->n; i++)
		if (smp_index(gone, &original->items[i], slice_n(NULL, 0)) < 0 && !tree_append(s->a, &t, original->items[i]))
			return smp_no_room(s);
	*ret = t;
	return 0;
}

/* The name behind "$setElementOrder/". */
static int parallel_name(struct smp *s, struct slice key, const char *prefix, const char *list, struct slice *ret)
{
	struct slice head, tail;
	if (!slice_cut(key, '/', &head, &tail) || !slice_is(head, prefix))
		return err_set(s->e, EBADMSG, "invalid patch format of %s", list);
	*ret = tail;
	return 0;
}

/* $retainKeys: members that it does not name go. */
static int retain_keys(struct smp *s, struct tree *doc, struct tree *patch)
{
	const struct tree *retain = tree_gets(patch, SMP_RETAIN);
	if (!retain)
		return 0;
	struct tree keys = *retain;
	(void)tree_remove(patch, SLICE(SMP_RETAIN));
	if (s->joins_patches) {
		const struct tree *other = tree_gets(doc, SMP_RETAIN);
		if (other && !tree_equal(other, &keys))
			return err_set(s->e, EBADMSG, "invalid patch format of retainKeys");
		return other || tree_set(s->a, doc, SLICE(SMP_RETAIN), keys) ? 0 : smp_no_room(s);
	}
	if (keys.type != TREE_LIST)
		return err_set(s->e, EBADMSG, "invalid patch format of retainKeys");
	for (uint32_t i = 0; i < patch->n; i++) {
		struct slice key = key_of(&patch->members[i]);
		struct tree name = tree_string(key);
		if (patch->members[i].value.type == TREE_NULL || slice_starts(key, SMP_DELETE) || slice_starts(key, SMP_ORDER))
			continue;
		if (smp_index(&keys, &name, slice_n(NULL, 0)) < 0)
			return err_set(s->e, EBADMSG, "invalid patch format of retainKeys");
	}
	for (uint32_t i = 0; i < doc->n;) {
		struct tree name = tree_string(key_of(&doc->members[i]));
		if (smp_index(&keys, &name, slice_n(NULL, 0)) < 0)
			(void)tree_remove(doc, key_of(&doc->members[i]));
		else
			i++;
	}
	return 0;
}

/* What the patch sets must be in the order list, in that order. */
static int check_order(struct smp *s, const struct tree *patch, const struct tree *order, struct slice key)
{
	uint32_t at = 0;
	if (!patch || !order->n)
		return 0;
	for (uint32_t i = 0; i < patch->n; i++) {
		const struct tree *v = &patch->items[i];
		if (key.len && v->type == TREE_MAP && tree_gets(v, SMP_PATCH))
			continue;
		if (key.len && !tree_get(v, key))
			return no_merge_key(s, v, key);
		struct tree one = { .type = TREE_LIST, .n = 1 };
		while (at < order->n) {
			one.items = &order->items[at++];
			if (smp_index(&one, v, key) == 0)
				break;
			one.items = NULL;
		}
		if (!one.items)
			return err_set(s->e, EBADMSG, "The order in patch list doesn't match " SMP_ORDER " list");
	}
	return 0;
}

/* One $setElementOrder/x of the patch, together with x. */
static int set_order(struct smp *s, const struct schema_node *n, struct tree *doc, struct tree *patch, struct slice directive)
{
	struct slice name = { 0 };
	struct tree order = *tree_get(patch, directive), merged;
	int r = parallel_name(s, directive, SMP_ORDER, "setElementOrder list", &name);
	if (r == 0 && order.type != TREE_LIST)
		r = bad_kind(s, "slice", &order);
	if (r < 0)
		return r;
	if (s->joins_patches) {
		const struct tree *other = tree_get(doc, directive);
		if (other && !tree_equal(other, &order))
			return err_set(s->e, EBADMSG, "invalid patch format of setElementOrder list");
		if (!other && !tree_set(s->a, doc, directive, order))
			return smp_no_room(s);
	}
	(void)tree_remove(patch, directive);
	const struct tree *have = tree_get(doc, name), *change = tree_get(patch, name);
	struct schema_node field = schema_node_member(n, name);
	struct schema_patch_how how;
	schema_node_patch(&field, &how);
	if (have && have->type != TREE_LIST)
		return bad_kind(s, "slice", have);
	if (change && change->type != TREE_LIST)
		return bad_kind(s, "slice", change);
	if (!have && !change)
		return 0;
	r = check_order(s, change, &order, how.key);
	if (r < 0)
		return r;
	struct tree places = have ? *have : tree_list();
	if (!change)
		merged = *have;
	else if (!have || !how.is_merge)
		r = s->joins_patches ? (merged = *change, 0) : clean(s, change, &merged);
	else
		r = merge_list(s, &field, &how, have, change, &merged, &places);
	if (r >= 0)
		r = smp_element_type(s, &merged, NULL);
	struct slice key = r == TREE_MAP ? how.key : slice_n(NULL, 0);
	if (r >= 0 && key.len)
		r = smp_check_keys(s, &merged, key);
	struct tree out;
	if (r >= 0)
		r = arrange(s, &merged, &order, have ? &places : &merged, key, &out);
	if (r < 0)
		return r;
	(void)tree_remove(patch, name);
	return tree_set(s->a, doc, name, out) ? 0 : smp_no_room(s);
}

/* A value that takes the place of what is there, or of nothing. */
static int put(struct smp *s, struct tree *doc, struct slice key, const struct tree *v)
{
	struct tree cleaned;
	int r = clean(s, v, &cleaned);
	if (r == 0)
		(void)tree_remove(doc, key);
	return r <= 0 ? r : tree_set(s->a, doc, key, cleaned) ? 0 : smp_no_room(s);
}

static int merge_member(struct smp *s, const struct schema_node *n, struct tree *doc, struct slice key, const struct tree *v)
{
	struct slice name = key;
	bool is_deletions = slice_starts(key, SMP_DELETE);
	if (is_deletions && s->joins_patches)
		return tree_set(s->a, doc, key, *v) ? 0 : smp_no_room(s);
	int r = is_deletions ? parallel_name(s, key, SMP_DELETE, "primitive list", &name) : 0;
	if (r < 0)
		return r;
	if (v->type == TREE_NULL) {
		(void)tree_remove(doc, name);
		return !s->joins_patches || tree_set(s->a, doc, name, *v) ? 0 : smp_no_room(s);
	}
	struct tree *have = tree_get_mut(doc, name), out;
	if (is_deletions) {
		if (!have || have->type != v->type || v->type != TREE_LIST)
			return 0;
		r = smp_element_type(s, have, v);
		if (r >= 0)
			r = delete_scalars(s, have, v, &out);
	} else {
		struct schema_node field = schema_node_member(n, name);
		struct schema_patch_how how;
		schema_node_patch(&field, &how);
		bool is_map = v->type == TREE_MAP, is_list = v->type == TREE_LIST;
		if (!have || have->type != v->type || (!is_map && !is_list) || (is_map ? how.is_replace : !how.is_merge))
			return put(s, doc, name, v);
		r = is_map ? smp_merge_map(s, &field, have, v, &out) : merge_list(s, &field, &how, have, v, &out, NULL);
	}
	if (r >= 0)
		*tree_get_mut(doc, name) = out;
	return MIN(r, 0);
}

int smp_merge_map(struct smp *s, const struct schema_node *n, const struct tree *original, const struct tree *patch_in, struct tree *ret)
{
	const struct tree *directive = tree_gets(patch_in, SMP_PATCH);
	struct tree doc = tree_map(), patch;
	int r = shallow(s, patch_in, &patch);
	if (r == 0 && original && original->type == TREE_MAP)
		r = shallow(s, original, &doc);
	if (r < 0)
		return r;
	if (directive) {
		struct slice text = tree_text(directive);
		if (slice_is(text, "delete")) {
			*ret = tree_map();
			return 0;
		}
		if (!slice_is(text, "replace"))
			return err_set(s->e, EBADMSG, "unknown patch type: %.*s in map", SLICE_FMT(text));
		(void)tree_remove(&patch, SLICE(SMP_PATCH));
		r = clean(s, &patch, ret);
		return MIN(r, 0);
	}
	r = retain_keys(s, &doc, &patch);
	for (uint32_t i = 0; r == 0 && i < patch_in->n; i++)
		if (slice_starts(key_of(&patch_in->members[i]), SMP_ORDER))
			r = set_order(s, n, &doc, &patch, key_of(&patch_in->members[i]));
	for (uint32_t i = 0; r == 0 && i < patch.n; i++)
		r = merge_member(s, n, &doc, key_of(&patch.members[i]), &patch.members[i].value);
	if (r == 0)
		*ret = doc;
	return r;
}

int tree_strategic_patch(struct schema_ref t, const struct tree *doc, const struct tree *patch, struct arena *a, struct tree *ret,
	struct err *e)
{
	struct smp s = { .a = a, .e = e };
	struct schema_node n = schema_node_of(t);
	if (patch->type != TREE_MAP || doc->type != TREE_MAP)
		return err_set(e, EBADMSG, "invalid JSON document");
	return smp_merge_map(&s, &n, doc, patch, ret);
}
