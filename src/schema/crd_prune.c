/* SPDX-License-Identifier: Apache-2.0 */
/* Unknown fields go, defaults come; in place. */
#include "schema/crd_int.h"
#include "schema/schema_int.h"

struct pruner {
	struct buf *unknown;
	unsigned n;
	struct buf path;
};

static bool is_type_meta(struct slice key)
{
	return slice_is(key, "apiVersion") || slice_is(key, "kind") || slice_is(key, "metadata");
}

static void note(struct pruner *r, struct slice key)
{
	if (!r->unknown || r->n++ >= SCHEMA_MAX_PROBLEMS)
		return;
	buf_addf(r->unknown, "%sunknown field \"%s%s%.*s\"", r->n > 1 ? ", " : "", r->path.ptr, r->path.len ? "." : "", SLICE_FMT(key));
}

static void prune(struct pruner *r, const struct crd_prop *p, struct tree *v, bool keeps);

static void below(struct pruner *r, const struct crd_prop *p, struct tree *v, struct slice key, bool keeps)
{
	size_t len = r->path.len;
	buf_addf(&r->path, "%s%.*s", len ? "." : "", SLICE_FMT(key));
	prune(r, p, v, keeps);
	if (!buf_error(&r->path))
		buf_truncate(&r->path, len);
}

/* Metadata has a type: what its rows do not name goes. */
static void prune_rows(struct pruner *r, const struct schema_node *n, struct tree *v)
{
	if (schema_node_kind(n, v) == NODE_LEAF)
		return;
	struct schema_node item = schema_node_item(n);
	for (uint32_t i = 0; (v->type == TREE_MAP || v->type == TREE_LIST) && i < v->n;) {
		size_t len = r->path.len;
		struct slice key = v->type == TREE_MAP ? key_of(&v->members[i]) : slice_n(NULL, 0);
		struct schema_node at = v->type == TREE_MAP ? schema_node_member(n, key) : item;
		if (v->type == TREE_MAP && !at.domain) {
			note(r, key);
			(void)tree_remove(v, key);
			continue;
		}
		if (v->type == TREE_MAP)
			buf_addf(&r->path, ".%.*s", SLICE_FMT(key));
		else
			buf_addf(&r->path, "[%u]", i);
		prune_rows(r, &at, v->type == TREE_MAP ? &v->members[i].value : &v->items[i]);
		if (!buf_error(&r->path))
			buf_truncate(&r->path, len);
		i++;
	}
}

static void prune_metadata(struct pruner *r, const struct crd_prop *p, struct tree *v)
{
	struct schema_node n = schema_node_of(p->schema->metadata);
	size_t len = r->path.len;
	buf_addf(&r->path, "%smetadata", len ? "." : "");
	prune_rows(r, &n, v);
	if (!buf_error(&r->path))
		buf_truncate(&r->path, len);
}

static void prune_map(struct pruner *r, const struct crd_prop *p, struct tree *v, bool keeps)
{
	bool has_type_meta = p && (p->is_embedded || p->is_root);
	for (uint32_t i = 0; i < v->n;) {
		struct slice key = key_of(&v->members[i]);
		const struct crd_prop *at = p ? crd_find(p, key) : NULL;
		if (has_type_meta && is_type_meta(key)) {
			if (slice_is(key, "metadata") && p->schema->metadata.domain)
				prune_metadata(r, p, &v->members[i].value);
			i++;
		} else if (at || (p && p->has_additional)) {
			below(r, at ? at : p->additional, &v->members[i].value, key, false);
			i++;
		} else if (keeps) {
			i++;
		} else {
			note(r, key);
			(void)tree_remove(v, key);
		}
	}
}

/* p NULL: nothing is known here. keeps: unknown members stay, as above in the same value. */
static void prune(struct pruner *r, const struct crd_prop *p, struct tree *v, bool keeps)
{
	keeps |= p && p->is_preserving;
	if (v->type == TREE_MAP)
		prune_map(r, p, v, keeps);
	for (uint32_t i = 0; v->type == TREE_LIST && i < v->n; i++) {
		size_t len = r->path.len;
		if (keeps && !(p && p->items))
			return;
		buf_addf(&r->path, "[%u]", i);
		prune(r, p ? p->items : NULL, &v->items[i], keeps);
		if (!buf_error(&r->path))
			buf_truncate(&r->path, len);
	}
}

void crd_prune_at(const struct crd_prop *p, struct tree *v)
{
	struct pruner r = { .path = BUF_INIT(64 << 10) };
	prune(&r, p, v, false);
	buf_release(&r.path);
}

void crd_prune(const struct crd_schema *s, struct tree *obj, struct buf *unknown, unsigned *n)
{
	struct pruner r = { .unknown = unknown, .path = BUF_INIT(64 << 10) };
	prune(&r, &s->root, obj, false);
	buf_release(&r.path);
	if (n)
		*n = r.n;
}

/* --- defaults --- */

static bool is_bad_null(const struct tree *v, const struct crd_prop *p)
{
	return v->type == TREE_NULL && p && !p->is_nullable;
}

/* Nulls that are neither allowed nor defaulted go. */
static void drop_nulls(const struct crd_prop *p, struct tree *v)
{
	for (uint32_t i = 0; v->type == TREE_MAP && i < v->n;) {
		const struct crd_prop *at = p ? crd_member(p, key_of(&v->members[i])) : NULL;
		if (is_bad_null(&v->members[i].value, at) && !at->default_value) {
			(void)tree_remove(v, key_of(&v->members[i]));
			continue;
		}
		drop_nulls(at, &v->members[i].value);
		i++;
	}
	for (uint32_t i = 0; v->type == TREE_LIST && i < v->n; i++)
		drop_nulls(p ? p->items : NULL, &v->items[i]);
}

static int fill(const struct crd_prop *p, struct tree *v, struct arena *a);

/* A null that has a default becomes it; then what is below. */
static int fill_at(const struct crd_prop *p, struct tree *v, struct arena *a)
{
	if (is_bad_null(v, p) && p->default_value && tree_copy(p->default_value, a, v) < 0)
		return -E2BIG;
	return fill(p, v, a);
}

static int fill(const struct crd_prop *p, struct tree *v, struct arena *a)
{
	int r = 0;
	if (!p)
		return 0;
	for (uint32_t i = 0; v->type == TREE_MAP && i < p->n_props; i++) {
		struct tree copy;
		if (!p->props[i].prop.default_value || tree_get(v, p->props[i].name))
			continue;
		char *name = arena_dup(a, p->props[i].name);
		if (!name || tree_copy(p->props[i].prop.default_value, a, &copy) < 0 ||
		    !tree_set(a, v, slice_n(name, p->props[i].name.len), copy))
			return -E2BIG;
	}
	for (uint32_t i = 0; r == 0 && v->type == TREE_MAP && i < v->n; i++)
		r = fill_at(crd_member(p, key_of(&v->members[i])), &v->members[i].value, a);
	for (uint32_t i = 0; r == 0 && v->type == TREE_LIST && i < v->n; i++)
		r = fill_at(p->items, &v->items[i], a);
	return r;
}

int crd_default(const struct crd_schema *s, struct tree *obj, struct arena *a)
{
	drop_nulls(&s->root, obj);
	return fill(&s->root, obj, a);
}
