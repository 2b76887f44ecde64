/* SPDX-License-Identifier: Apache-2.0 */
/* Merge patches: applying one, and making one of two or three documents. */
#include "schema/patch.h"
#include "schema/patch_int.h"
#include "schema/schema_int.h"

static int no_room(struct err *e)
{
	return err_set(e, E2BIG, "the patched document is too large");
}

/* v without members that are null, at any depth. */
static int without_nulls(const struct tree *v, struct arena *a, struct tree *ret)
{
	struct tree t = { .type = v->type };
	if (v->type == TREE_LIST) {
		for (uint32_t i = 0; i < v->n; i++) {
			struct tree item;
			if (without_nulls(&v->items[i], a, &item) < 0 || !tree_append(a, &t, item))
				return -E2BIG;
		}
	} else if (v->type == TREE_MAP) {
		for (uint32_t i = 0; i < v->n; i++) {
			struct tree item;
			if (v->members[i].value.type == TREE_NULL)
				continue;
			if (without_nulls(&v->members[i].value, a, &item) < 0 || !member_add(a, &t, &v->members[i], item))
				return -E2BIG;
		}
	} else {
		t = *v;
	}
	*ret = t;
	return 0;
}

static int merge(const struct tree *doc, const struct tree *patch, struct arena *a, struct tree *ret)
{
	/* in what takes no map's place nulls mean nothing, not even inside lists: so does Kubernetes */
	if (!doc || doc->type != TREE_MAP)
		return without_nulls(patch, a, ret);
	if (patch->type != TREE_MAP) {
		*ret = *patch;
		return 0;
	}
	struct tree t = tree_map();
	for (uint32_t i = 0; i < doc->n; i++) {
		const struct tree_member *m = &doc->members[i];
		const struct tree *change = tree_get(patch, slice_n(m->key, m->key_len));
		struct tree v = m->value;
		if (change && change->type == TREE_NULL)
			continue;
		if (change && merge(&m->value, change, a, &v) < 0)
			return -E2BIG;
		if (!member_add(a, &t, m, v))
			return -E2BIG;
	}
	for (uint32_t i = 0; i < patch->n; i++) {
		const struct tree_member *m = &patch->members[i];
		struct tree v;
		if (m->value.type == TREE_NULL || tree_get(doc, slice_n(m->key, m->key_len)))
			continue;
		if (without_nulls(&m->value, a, &v) < 0 || !member_add(a, &t, m, v))
			return -E2BIG;
	}
	*ret = t;
	return 0;
}

int tree_merge_patch(const struct tree *doc, const struct tree *patch, struct arena *a, struct tree *ret, struct err *e)
{
	if (patch->type != TREE_MAP && patch->type != TREE_LIST)
		return err_set(e, EBADMSG, "Invalid JSON Patch");
	return merge(doc, patch, a, ret) < 0 ? no_room(e) : 0;
}

/* What turns `from` into `to`. */
static int diff(const struct tree *from, const struct tree *to, struct arena *a, struct tree *ret)
{
	struct tree t = tree_map();
	for (uint32_t i = 0; i < to->n; i++) {
		const struct tree_member *m = &to->members[i];
		const struct tree *old = tree_get(from, key_of(m));
		struct tree v = m->value;
		if (old && tree_equal(old, &m->value))
			continue;
		if (old && old->type == TREE_MAP && m->value.type == TREE_MAP && diff(old, &m->value, a, &v) < 0)
			return -E2BIG;
		if (!member_add(a, &t, m, v))
			return -E2BIG;
	}
	for (uint32_t i = 0; i < from->n; i++) {
		const struct tree_member *m = &from->members[i];
		if (!tree_get(to, key_of(m)) && !member_add(a, &t, m, tree_null()))
			return -E2BIG;
	}
	*ret = t;
	return 0;
}

/* Only the nulls of a patch, or all but them; maps in which nothing stays go. */
static int filter(const struct tree *patch, bool only_nulls, struct arena *a, struct tree *ret)
{
	struct tree t = tree_map();
	for (uint32_t i = 0; i < patch->n; i++) {
		const struct tree_member *m = &patch->members[i];
		struct tree v = m->value;
		bool is_kept = (v.type == TREE_NULL) == only_nulls;
		if (v.type == TREE_MAP && v.n) {
			if (filter(&m->value, only_nulls, a, &v) < 0)
				return -E2BIG;
			is_kept = v.n > 0;
		}
		if (is_kept && !member_add(a, &t, m, v))
			return -E2BIG;
	}
	*ret = t;
	return 0;
}

static int check_maps(const struct tree *x, const struct tree *y, struct err *e)
{
	return x->type != TREE_MAP || y->type != TREE_MAP ? err_set(e, EBADMSG, "Invalid JSON Document") : 0;
}

int tree_merge_diff(const struct tree *original, const struct tree *modified, struct arena *a, struct tree *ret, struct err *e)
{
	int r = check_maps(original, modified, e);
	if (r < 0)
		return r;
	return diff(original, modified, a, ret) < 0 ? no_room(e) : 0;
}

int tree_merge_diff3(const struct tree *original, const struct tree *modified, const struct tree *current, struct arena *a,
	struct tree *ret, struct err *e)
{
	static const struct tree empty = { .type = TREE_MAP };
	struct tree changes, deletions;
	if (!original)
		original = &empty;
	int r = check_maps(original, modified, e);
	if (r == 0)
		r = check_maps(current, current, e);
	if (r < 0)
		return r;
	if (diff(current, modified, a, &changes) < 0 || filter(&changes, false, a, &changes) < 0 ||
	    diff(original, modified, a, &deletions) < 0 || filter(&deletions, true, a, &deletions) < 0 || merge(&deletions, &changes, a, ret) < 0)
		return no_room(e);
	return 0;
}
