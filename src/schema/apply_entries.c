/* SPDX-License-Identifier: Apache-2.0 */
/* metadata.managedFields: read, written, kept small. */
#include "schema/apply_int.h"
#include "schema/schema_int.h"

static int no_room(struct err *e)
{
	return err_set(e, E2BIG, "managed fields are too large");
}

static bool same_entry(const struct apply_entry *x, const struct apply_entry *y)
{
	return x->is_apply == y->is_apply && slice_eq(x->manager, y->manager) && slice_eq(x->subresource, y->subresource) &&
		(x->is_apply || slice_eq(x->api_version, y->api_version));
}

struct apply_entry *apply_entry_find(struct apply_entries *x, const struct apply_entry *like)
{
	for (uint32_t i = 0; i < x->n; i++)
		if (same_entry(&x->v[i], like))
			return &x->v[i];
	return NULL;
}

struct apply_entry *apply_entry_add(struct apply_entries *x, const struct apply_entry *like, struct arena *a)
{
	if (!x->room) {
		uint32_t more = MAX(x->n, 4u);
		struct apply_entry *p = arena_array(a, (size_t)x->n + more, sizeof *p);
		if (!p)
			return NULL;
		if (x->n)
			memcpy(p, x->v, x->n * sizeof *p);
		x->v = p;
		x->room = more;
	}
	struct apply_entry *entry = &x->v[x->n++];
	x->room--;
	*entry = *like;
	entry->set = (struct fields){ 0 };
	return entry;
}

void apply_entry_remove(struct apply_entries *x, struct apply_entry *entry)
{
	memmove(entry, entry + 1, (size_t)(x->v + x->n - entry - 1) * sizeof *entry);
	x->n--;
	x->room++;
}

static int read_entry(const struct tree *v, uint32_t i, struct arena *a, struct apply_entries *x, struct err *e)
{
	struct slice operation = tree_text(tree_gets(v, "operation")), type = tree_text(tree_gets(v, "fieldsType"));
	const struct tree *set = tree_gets(v, "fieldsV1");
	struct apply_entry like = {
		.manager = tree_text(tree_gets(v, "manager")), .subresource = tree_text(tree_gets(v, "subresource")),
		.api_version = tree_text(tree_gets(v, "apiVersion")), .time = tree_text(tree_gets(v, "time")),
		.is_apply = slice_is(operation, "Apply"),
	};
	if (!like.is_apply && !slice_is(operation, "Update"))
		return err_set(e, EINVAL, "operation must be `Apply` or `Update`");
	if (!like.api_version.len)
		return err_set(e, EINVAL, "apiVersion must not be empty");
	if (!type.len)
		return err_set(e, EINVAL, "missing fieldsType in managed fields entry %u", i);
	if (!slice_is(type, "FieldsV1"))
		return err_set(e, EINVAL, "invalid fieldsType \"%.*s\" in managed fields entry %u", SLICE_FMT(type), i);
	struct apply_entry *entry = apply_entry_find(x, &like);
	if (!entry)
		entry = apply_entry_add(x, &like, a);
	if (!entry)
		return no_room(e);
	int r = set ? fields_from_tree(set, a, &entry->set, e) : 0;
	return r == -EBADMSG ? (err_prefix(e, "error decoding versioned set"), e ? e->code = EINVAL : 0, -EINVAL) : r;
}

int apply_entries_read(const struct tree *list, struct arena *a, struct apply_entries *ret, struct err *e)
{
	struct apply_entries x = { 0 };
	if (list && list->type == TREE_LIST && list->n > APPLY_MAX_ENTRIES)
		return no_room(e);
	for (uint32_t i = 0; list && list->type == TREE_LIST && i < list->n; i++) {
		int r = read_entry(&list->items[i], i, a, &x, e);
		if (r < 0)
			return r;
	}
	*ret = x;
	return 0;
}

/* Times are RFC 3339 in UTC and whole seconds: they sort as text. */
static int by_order(const void *p, const void *q)
{
	const struct apply_entry *x = p, *y = q;
	if (x->is_apply != y->is_apply)
		return x->is_apply ? -1 : 1;
	int r = slice_cmp(x->time, y->time);
	r = r ? r : slice_cmp(x->manager, y->manager);
	r = r ? r : slice_cmp(x->api_version, y->api_version);
	return r ? r : slice_cmp(x->subresource, y->subresource);
}

static bool put(struct arena *a, struct tree *map, const char *key, struct slice text)
{
	return !text.len || tree_set(a, map, slice_of(key), tree_string(text));
}

int apply_entries_write(struct apply_entries *x, struct arena *a, struct tree *ret)
{
	struct tree list = tree_list();
	if (x->n)
		qsort(x->v, x->n, sizeof *x->v, by_order);
	for (uint32_t i = 0; i < x->n; i++) {
		const struct apply_entry *entry = &x->v[i];
		struct tree v = tree_map(), set;
		if (!put(a, &v, "manager", entry->manager) || !put(a, &v, "operation", entry->is_apply ? SLICE("Apply") : SLICE("Update")) ||
		    !put(a, &v, "apiVersion", entry->api_version) || !put(a, &v, "time", entry->time) ||
		    !put(a, &v, "fieldsType", SLICE("FieldsV1")) || fields_to_tree(&entry->set, a, &set) < 0 ||
		    !tree_set(a, &v, SLICE("fieldsV1"), set) || !put(a, &v, "subresource", entry->subresource) || !tree_append(a, &list, v))
			return -E2BIG;
	}
	*ret = x->n ? list : tree_null();
	return 0;
}

static int by_age(const void *p, const void *q)
{
	const struct apply_entry *x = *(struct apply_entry *const *)p, *y = *(struct apply_entry *const *)q;
	int r = slice_cmp(x->time, y->time);
	r = r ? r : slice_cmp(x->manager, y->manager);
	return r ? r : slice_cmp(x->subresource, y->subresource);
}

/* Folds two updaters of one version, the second the younger, into ancient-changes. */
static int fold(struct apply_entries *x, const struct apply_entry *old, const struct apply_entry *young, struct arena *a)
{
	struct apply_entry like = { .manager = SLICE("ancient-changes"), .api_version = young->api_version, .time = young->time };
	struct apply_entry first = *old, second = *young;
	struct fields both = { 0 };
	struct apply_entry *bucket = apply_entry_find(x, &like);
	if (bucket)
		both = bucket->set;
	if (fields_union(&both, &first.set, a, &both) < 0 || fields_union(&both, &second.set, a, &both) < 0)
		return -E2BIG;
	struct apply_entry *gone;
	if ((gone = apply_entry_find(x, &second)))
		apply_entry_remove(x, gone);
	if ((gone = apply_entry_find(x, &first)))
		apply_entry_remove(x, gone);
	if ((gone = apply_entry_find(x, &like)))
		apply_entry_remove(x, gone);
	bucket = apply_entry_add(x, &like, a);
	if (!bucket)
		return -E2BIG;
	bucket->set = both;
	return 0;
}

int apply_entries_cap(struct apply_entries *x, struct arena *a)
{
	for (;;) {
		struct apply_entry **old = arena_array(a, x->n, sizeof *old);
		uint32_t n = 0;
		if (!old)
			return -E2BIG;
		for (uint32_t i = 0; i < x->n; i++)
			if (!x->v[i].is_apply)
				old[n++] = &x->v[i];
		if (n <= APPLY_MAX_UPDATE_MANAGERS)
			return 0;
		qsort(old, n, sizeof *old, by_age);
		bool is_folded = false;
		for (uint32_t k = 1; k < n && !is_folded; k++) {
			for (uint32_t i = 0; i < k && !is_folded; i++) {
				if (!slice_eq(old[i]->api_version, old[k]->api_version))
					continue;
				if (fold(x, old[i], old[k], a) < 0)
					return -E2BIG;
				is_folded = true;
			}
		}
		if (!is_folded)
			return 0;
	}
}

const char *apply_entry_print(const struct apply_entry *x, struct arena *a)
{
	AUTO(buf) struct buf b = BUF_INIT(4096);
	struct tree name = tree_string(x->manager), sub = tree_string(x->subresource);
	(void)tree_to_json(&name, 0, &b);
	if (x->subresource.len) {
		buf_adds(&b, " with subresource ");
		(void)tree_to_json(&sub, 0, &b);
	}
	if (!x->is_apply)
		buf_addf(&b, " using %.*s", SLICE_FMT(x->api_version));
	return arena_dup(a, buf_slice(&b));
}
