/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl get: tables as the server prints them, objects in any form, watches. */
#include <stdlib.h>
#include <string.h>

#include "kubectl/commands.h"
#include "schema/jsonpath.h"
#include "schema/quantity.h"

#define TABLE "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"

struct get {
	struct kctl *k;
	struct kctl_printer *printer;
	struct kctl_targets targets;
	struct jsonpath *sort;
	bool table, found_any, failed;
	struct kctl_kind *kind;      /* of the watch under way */
	struct buf lines;
	bool head_done;
};

static const char *list_query(struct get *g, bool watch)
{
	struct kctl *k = g->k;
	const char *q = NULL;
	if (*flag_str(&k->f, "selector"))
		q = kctl_query(k, q, "labelSelector", flag_str(&k->f, "selector"));
	if (*flag_str(&k->f, "field-selector"))
		q = kctl_query(k, q, "fieldSelector", flag_str(&k->f, "field-selector"));
	if (g->table && (g->sort || flag_list(&k->f, "label-columns")->n))
		q = kctl_query(k, q, "includeObject", "Object");
	if (!watch && !g->sort && flag_num(&k->f, "chunk-size") > 0)
		q = kctl_query(k, q, "limit", kctl_fmt(k, "%lld", (long long)flag_num(&k->f, "chunk-size")));
	return q;
}

/* Asks page after page and joins rows or items. */
static int fetch(struct get *g, const struct kctl_target *t, struct tree *ret, struct err *e)
{
	struct kctl *k = g->k;
	const char *base = t->name ? NULL : list_query(g, false), *next = NULL;
	const char *sub = *flag_str(&k->f, "subresource") ? flag_str(&k->f, "subresource") : NULL;
	struct tree *into = NULL;
	if (t->name && g->table && g->sort)
		base = kctl_query(k, NULL, "includeObject", "Object");
	do {
		struct tree page;
		int r = kctl_call_wait(k, "GET", kctl_path(k, &t->kind, t->ns, t->name, sub, next ? kctl_query(k, base, "continue", next) : base),
			g->table ? TABLE : NULL, NULL, slice_n("", 0), into ? &page : ret, e);
		if (r < 0 && !t->name && k->long_error && !strncmp(k->long_error, "Error from server (BadRequest): ", 32))
			k->long_error = kctl_fmt(k, "Error from server (BadRequest): Unable to find \"%s%s%s, Resource=%s\" that match label selector \"%s\", field selector \"%s\": %s", t->kind.group,
				"/", t->kind.version, t->kind.plural, flag_str(&k->f, "selector"), flag_str(&k->f, "field-selector"), k->long_error + 32);
		if (r < 0)
			return r;
		const struct tree *got = into ? &page : ret;
		const char *key = tree_gets(got, "rows") ? "rows" : "items";
		const struct tree *more = tree_gets(got, key);
		for (uint32_t i = 0; into && more && i < more->n; i++)
			if (!tree_append(&k->arena, into, *tree_at(more, i)))
				return err_nomem(e);
		if (!into)
			into = tree_get_mut(ret, slice_of(key));
		next = kctl_text_at(k, got, "metadata.continue");
	} while (into && *next && !t->name);
	/* one list: its own continue is used up */
	struct tree *meta = tree_get_mut(ret, SLICE("metadata"));
	if (!t->name && meta && meta->type == TREE_MAP) {
		tree_remove(meta, SLICE("continue"));
		tree_remove(meta, SLICE("remainingItemCount"));
	}
	return 0;
}

/* --- --sort-by --------------------------------------------------------------------------------- */
struct keyed { struct tree v; const struct tree *key; uint32_t at; };

static int compare(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;
	struct slice s = tree_text(x->key), t = tree_text(y->key);
	int64_t i, j;
	int c;
	if (x->key && y->key && tree_i64(x->key, &i) == 0 && tree_i64(y->key, &j) == 0) {
		c = i < j ? -1 : i > j;
	} else {
		struct quantity q, r;
		/* quantities by value; times and names by their text */
		if (s.len && t.len && quantity_parse(s, &q, NULL) == 0 && quantity_parse(t, &r, NULL) == 0)
			c = quantity_cmp(&q, &r);
		else
			c = slice_cmp(s, t);
	}
	return c ? c : (int)x->at - (int)y->at;
}

static int sort_items(struct get *g, struct tree *list, bool rows, struct err *e)
{
	struct kctl *k = g->k;
	if (!list || list->type != TREE_LIST || list->n < 2)
		return 0;
	struct keyed *v AUTO(free) = calloc(list->n, sizeof(*v));
	if (!v)
		return err_nomem(e);
	for (uint32_t i = 0; i < list->n; i++) {
		struct jsonpath_results found = { 0 };
		v[i] = (struct keyed){ list->items[i], NULL, i };
		int r = jsonpath_find(g->sort, rows ? tree_gets(&list->items[i], "object") : &list->items[i], JSONPATH_ALLOW_MISSING, &k->arena, &found, e);
		if (r < 0)
			return r;
		v[i].key = found.n ? found.v[0] : NULL;
	}
	qsort(v, list->n, sizeof *v, compare);
	for (uint32_t i = 0; i < list->n; i++)
		list->items[i] = v[i].v;
	return 0;
}

/* --- tables -------------------------------------------------------------------------------------- */
static unsigned table_flags(struct get *g)
{
	struct kctl *k = g->k;
	return (!strcmp(flag_str(&k->f, "output"), "wide") ? KTABLE_WIDE : 0) | (flag_bool(&k->f, "no-headers") ? KTABLE_NO_HEADERS : 0) |
		(flag_bool(&k->f, "all-namespaces") ? KTABLE_NAMESPACE : 0) |
		(flag_bool(&k->f, "show-kind") || g->targets.several_kinds ? KTABLE_KIND : 0) | (flag_bool(&k->f, "show-labels") ? KTABLE_LABELS : 0);
}

/* Rows of one kind follow each other; another kind is another table below an empty line. */
static void add_table(struct get *g, const struct kctl_target *t, const struct tree *table, bool new_table)
{
	unsigned flags = table_flags(g);
	const struct tree *rows = tree_gets(table, "rows");
	if (!t->kind.namespaced)
		flags &= ~(unsigned)KTABLE_NAMESPACE;
	if (!rows || !rows->n)
		return;
	if (!new_table)
		flags |= KTABLE_NO_HEADERS;
	if (new_table && g->lines.len) {
		kctl_columns(g->k, buf_slice(&g->lines));
		buf_reset(&g->lines);
		kctl_print(g->k, "\n");
	}
	kctl_table_lines(g->k, table, &t->kind, flags, flag_list(&g->k->f, "label-columns"), &g->lines);
}

static bool same_kind(const struct kctl_target *a, const struct kctl_target *b)
{
	return !strcmp(a->kind.plural, b->kind.plural) && !strcmp(a->kind.group, b->kind.group);
}

static int get_tables(struct get *g, struct err *e)
{
	struct kctl *k = g->k;
	const struct kctl_target *last = NULL;
	struct err *errors = arena_array(&k->arena, g->targets.n + 1, sizeof *errors);
	const char **texts = arena_array(&k->arena, g->targets.n + 1, sizeof *texts);
	size_t n_errors = 0;
	if (!errors || !texts)
		return err_nomem(e);
	for (size_t i = 0; i < g->targets.n; i++) {
		const struct kctl_target *t = &g->targets.v[i];
		struct tree table;
		struct err why = { 0 };
		int r = fetch(g, t, &table, &why);
		if (r == -ENOENT && flag_bool(&k->f, "ignore-not-found")) {
			k->long_error = NULL;
			continue;
		}
		if (r < 0) {
			texts[n_errors] = k->long_error;
			k->long_error = NULL;
			errors[n_errors++] = why;
			continue;
		}
		if (g->sort && (r = sort_items(g, tree_get_mut(&table, SLICE("rows")), true, e)) < 0)
			return r;
		const struct tree *rows = tree_gets(&table, "rows");
		if (!rows) {
			/* a server that makes no tables: name and age by ourselves would be a guess; say so */
			texts[n_errors] = NULL;
			err_set(&errors[n_errors++], EOPNOTSUPP, "the server did not answer with a table for %s; use -o yaml", t->kind.plural);
			continue;
		}
		add_table(g, t, &table, !last || !same_kind(last, t));
		if (rows->n) {
			g->found_any = true;
			last = t;
		}
	}
	kctl_columns(k, buf_slice(&g->lines));
	buf_reset(&g->lines);
	for (size_t i = 0; i < n_errors; i++) {
		k->long_error = texts[i];
		kctl_failed(k, &errors[i]);
	}
	bool lists = false;
	for (size_t i = 0; i < g->targets.n; i++)
		lists |= !g->targets.v[i].name;
	if (!g->found_any && !n_errors && lists && !flag_bool(&k->f, "ignore-not-found")) {
		bool namespaced = g->targets.n && g->targets.v[0].kind.namespaced && !flag_bool(&k->f, "all-namespaces");
		if (namespaced)
			kctl_warn(k, "No resources found in %s namespace.", k->ns);
		else
			kctl_warn(k, "No resources found");
	}
	return n_errors ? 1 : 0;
}

/* --- objects ---------------------------------------------------------------------------------------- */
static int get_objects(struct get *g, struct err *e)
{
	struct kctl *k = g->k;
	struct tree list = tree_map();
	bool one = g->targets.n == 1, failed = false;
	kctl_set_text(k, &list, "apiVersion", "v1");
	struct tree *items = kctl_set(k, &list, "items", tree_list());
	for (size_t i = 0; i < g->targets.n; i++) {
		const struct kctl_target *t = &g->targets.v[i];
		struct tree got;
		int r = fetch(g, t, &got, e);
		if (r == -ENOENT && flag_bool(&k->f, "ignore-not-found")) {
			k->long_error = NULL;
			continue;
		}
		if (r < 0 && one)
			return r;
		if (r < 0) {
			kctl_failed(k, e);
			failed = true;
			continue;
		}
		if (t->name && one)
			return kctl_print_object(k, g->printer, &got, e);
		if (t->name) {
			tree_append(&k->arena, items, got);
			continue;
		}
		const struct tree *these = tree_gets(&got, "items");
		for (uint32_t j = 0; these && j < these->n; j++) {
			/* items of a list do not say what they are */
			struct tree *item = (struct tree *)tree_at(these, j), named = tree_map();
			kctl_set_text(k, &named, "apiVersion", kctl_group_version(k, &t->kind));
			kctl_set_text(k, &named, "kind", t->kind.kind);
			for (uint32_t m = 0; m < item->n; m++)
				if (!slice_is(slice_n(item->members[m].key, item->members[m].key_len), "kind") && !slice_is(slice_n(item->members[m].key, item->members[m].key_len), "apiVersion"))
					tree_set(&k->arena, &named, slice_n(item->members[m].key, item->members[m].key_len), item->members[m].value);
			tree_append(&k->arena, items, named);
		}
	}
	items = tree_get_mut(&list, SLICE("items"));
	kctl_set_text(k, &list, "kind", "List");
	kctl_set_text(k, kctl_map(k, &list, "metadata"), "resourceVersion", "");
	if (g->sort) {
		int r = sort_items(g, tree_get_mut(&list, SLICE("items")), false, e);
		if (r < 0)
			return r;
	}
	if (one && !items->n && flag_bool(&k->f, "ignore-not-found") && g->targets.v[0].name)
		return 0;
	int r = kctl_print_object(k, g->printer, &list, e);
	return r < 0 ? r : failed;
}

/* --- watches ------------------------------------------------------------------------------------------- */
static void event_head(struct get *g, const char *type, const struct tree *table)
{
	/* with --output-watch-events a column EVENT comes first */
	(void)table;
	if (flag_bool(&g->k->f, "output-watch-events"))
		kctl_print(g->k, "%-10s ", type);
}

static int on_event(void *arg, const char *type, const struct tree *object, struct arena *a)
{
	struct get *g = arg;
	struct kctl *k = g->k;
	struct err e = { 0 };
	if (!strcmp(type, "BOOKMARK"))
		return 0;
	if (g->table) {
		struct kctl_target t = { .kind = *g->kind };
		const struct tree *columns = tree_gets(object, "columnDefinitions");
		unsigned flags = table_flags(g) | (g->head_done || !columns || !columns->n ? KTABLE_NO_HEADERS : 0);
		event_head(g, type, object);
		kctl_table_lines(k, object, &t.kind, flags, flag_list(&k->f, "label-columns"), &g->lines);
		kctl_columns(k, buf_slice(&g->lines));
		buf_reset(&g->lines);
		g->head_done = true;
	} else if (kctl_print_object(k, g->printer, object, &e) < 0) {
		return kctl_failed(k, &e);
	}
	kctl_flush(k);
	return 0;
}

/* The list first, printed; then what changes. Lines of a watch are laid out one by one, under widths that the list had. */
static int watch(struct get *g, struct err *e)
{
	struct kctl *k = g->k;
	struct kctl_target *t = &g->targets.v[0];
	struct tree list;
	if (g->targets.n != 1)
		return err_set(e, EINVAL, "you may only specify a single resource type");
	g->kind = &t->kind;
	const char *query = list_query(g, true);
	if (t->name)
		query = kctl_query(k, query, "fieldSelector", kctl_fmt(k, "metadata.name=%s", t->name));
	bool table = g->table;
	const char *one = t->name;
	t->name = NULL;
	int r = kctl_call_wait(k, "GET", kctl_path(k, &t->kind, t->ns, NULL, NULL, query), table ? TABLE : NULL, NULL, slice_n("", 0), &list, e);
	if (r < 0)
		return r;
	if (!flag_bool(&k->f, "watch-only")) {
		const struct tree *rows = tree_gets(&list, "rows"), *items = tree_gets(&list, "items");
		if (one && !(rows ? rows->n : items ? items->n : 0)) {
			k->long_error = kctl_fmt(k, "Error from server (NotFound): %s%s%s \"%s\" not found", t->kind.plural, *t->kind.group ? "." : "", t->kind.group, one);
			return err_set(e, ENOENT, "%s", k->long_error);
		}
		if (table && rows && rows->n) {
			kctl_table_lines(k, &list, &t->kind, table_flags(g), flag_list(&k->f, "label-columns"), &g->lines);
			kctl_columns(k, buf_slice(&g->lines));
			buf_reset(&g->lines);
			g->head_done = true;
		}
		for (uint32_t i = 0; !table && items && i < items->n; i++) {
			struct tree item = *tree_at(items, i);
			kctl_set_text(k, &item, "apiVersion", kctl_group_version(k, &t->kind));
			kctl_set_text(k, &item, "kind", t->kind.kind);
			if ((r = kctl_print_object(k, g->printer, &item, e)) < 0)
				return r;
		}
		kctl_flush(k);
	}
	query = kctl_query(k, query, "resourceVersion", kctl_text_at(k, &list, "metadata.resourceVersion"));
	const char *limit = flag_str(&k->f, "request-timeout");
	if (*limit && strcmp(limit, "0"))
		query = kctl_query(k, query, "timeout", limit);
	return kctl_watch_wait(k, kctl_path(k, &t->kind, t->ns, NULL, NULL, query), table ? TABLE : NULL, 0, on_event, g, e);
}

int kcmd_get(struct kctl *k, struct err *e)
{
	struct get g = { .k = k, .lines = BUF_INIT(KCTL_BODY_MAX) };
	if (*flag_str(&k->f, "raw")) {
		struct kctl_reply reply;
		int r = kctl_request_wait(k, "GET", flag_str(&k->f, "raw"), "application/json, */*", NULL, slice_n("", 0), &reply, e);
		if (r < 0)
			return r;
		if (reply.status > 299)
			return kctl_server_error(k, reply.status, buf_slice(&reply.body), e);
		buf_addslice(&k->out, buf_slice(&reply.body));
		buf_release(&reply.body);
		return 0;
	}
	int r = kctl_printer_new(k, flag_str(&k->f, "output"), &g.printer, e);
	if (r == 0 && *flag_str(&k->f, "sort-by"))
		r = jsonpath_parse(slice_of(flag_str(&k->f, "sort-by")), JSONPATH_RELAXED, &k->arena, &g.sort, e);
	if (r == 0)
		r = kctl_targets_wait(k, 0, KARGS_FILES, &g.targets, e);
	if (r < 0)
		return r;
	g.table = kctl_printer_is_table(g.printer);
	if (flag_bool(&k->f, "watch") || flag_bool(&k->f, "watch-only"))
		r = watch(&g, e);
	else
		r = g.table ? get_tables(&g, e) : get_objects(&g, e);
	buf_release(&g.lines);
	return r;
}
