/* SPDX-License-Identifier: Apache-2.0 */
/* What -o asks for: tables as the server made them, JSON, YAML, names, JSONPath, Go templates, custom columns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/num.h"
#include "cli/table.h"
#include "cli/template.h"
#include "cli/value.h"
#include "kubectl/kctl.h"
#include "kube/meta/text.h"
#include "base/clock.h"
#include "schema/jsonpath.h"
#include <ctype.h>
#include <fcntl.h>

enum format { FORMAT_TABLE, FORMAT_WIDE, FORMAT_NAME, FORMAT_JSON, FORMAT_YAML, FORMAT_JSONPATH, FORMAT_JSONPATH_JSON, FORMAT_TEMPLATE, FORMAT_COLUMNS };
struct column { const char *title; struct jsonpath *path; };
struct kctl_printer {
	enum format format;
	struct jsonpath *path;
	struct template *template;
	struct column *columns;
	size_t n_columns;
	bool *started;              /* documents of YAML are divided by ---, columns have one head */
};

static int parse_columns(struct kctl *k, struct kctl_printer *p, const char *spec, struct err *e)
{
	struct slice rest = slice_of(spec), one;
	size_t n = 1;
	for (const char *c = spec; *c; c++)
		n += *c == ',';
	p->columns = arena_array(&k->arena, n, sizeof *p->columns);
	if (!p->columns)
		return err_nomem(e);
	while (slice_next(&rest, ',', &one)) {
		struct slice title, path;
		if (!slice_cut(one, ':', &title, &path))
			return err_set(e, EINVAL, "unexpected custom-columns spec: %.*s, expected <header>:<json-path-expr>", SLICE_FMT(one));
		struct column *c = &p->columns[p->n_columns++];
		c->title = kctl_fmt(k, "%.*s", SLICE_FMT(title));
		int r = jsonpath_parse(slice_of(kctl_fmt(k, "%.*s", SLICE_FMT(path))), JSONPATH_RELAXED, &k->arena, &c->path, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Two lines: titles, and paths below them */
static const char *columns_of_file(struct kctl *k, const char *text)
{
	struct slice head, paths;
	struct buf out AUTO(buf) = BUF_INIT(1 << 20);
	slice_cut(slice_of(text), '\n', &head, &paths);
	for (;;) {
		head = slice_trim(head);
		paths = slice_trim(paths);
		if (!head.len || !paths.len)
			return kctl_fmt(k, "%s", out.ptr);
		size_t n = strcspn(head.ptr, " \t\n"), m = strcspn(paths.ptr, " \t\n");
		n = MIN(n, head.len);
		m = MIN(m, paths.len);
		buf_addf(&out, "%s%.*s:%.*s", out.len ? "," : "", (int)n, head.ptr, (int)m, paths.ptr);
		head = slice_n(head.ptr + n, head.len - n);
		paths = slice_n(paths.ptr + m, paths.len - m);
	}
}

int kctl_printer_new(struct kctl *k, const char *format, struct kctl_printer **ret, struct err *e)
{
	static const struct { const char *name; enum format format; bool file; } forms[] = {
		{ "", FORMAT_TABLE }, { "wide", FORMAT_WIDE }, { "name", FORMAT_NAME }, { "json", FORMAT_JSON }, { "yaml", FORMAT_YAML },
		{ "jsonpath", FORMAT_JSONPATH }, { "jsonpath-as-json", FORMAT_JSONPATH_JSON }, { "jsonpath-file", FORMAT_JSONPATH, true },
		{ "go-template", FORMAT_TEMPLATE }, { "go-template-file", FORMAT_TEMPLATE, true }, { "template", FORMAT_TEMPLATE },
		{ "templatefile", FORMAT_TEMPLATE, true }, { "custom-columns", FORMAT_COLUMNS }, { "custom-columns-file", FORMAT_COLUMNS, true },
	};
	struct slice name, argument;
	bool has = slice_cut(slice_of(format), '=', &name, &argument);
	struct kctl_printer *p = arena_new(&k->arena, struct kctl_printer);
	bool *started = arena_new(&k->arena, bool);
	if (!p || !started)
		return err_nomem(e);
	p->started = started;
	size_t i = 0;
	while (i < ARRAY_LEN(forms) && !slice_is(name, forms[i].name))
		i++;
	if (i == ARRAY_LEN(forms))
		return err_set(e, EINVAL, "unable to match a printer suitable for the output format \"%s\", allowed formats are: custom-columns,custom-columns-file,"
			"go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,name,template,templatefile,wide,yaml", format);
	p->format = forms[i].format;
	const char *text = has ? argument.ptr : "";
	if (p->format == FORMAT_TEMPLATE && !has && flag_known(&k->f, "template"))
		text = flag_str(&k->f, "template");
	if (p->format >= FORMAT_JSONPATH && !*text)
		return err_set(e, EINVAL, "%s specified but no %s given", p->format == FORMAT_TEMPLATE || p->format < FORMAT_COLUMNS ? "template format" : "custom-columns format",
			p->format < FORMAT_COLUMNS ? "template" : "custom columns");
	if (forms[i].file) {
		struct buf b AUTO(buf) = BUF_INIT(4 << 20);
		int r = file_read(AT_FDCWD, text, &b);
		if (r < 0)
			return err_set(e, -r, "error reading template %s, open %s: %s", text, text, r == -ENOENT ? "no such file or directory" : strerror(-r));
		text = kctl_fmt(k, "%s", b.ptr);
		if (p->format == FORMAT_COLUMNS)
			text = columns_of_file(k, text);
	}
	*ret = p;
	switch (p->format) {
	case FORMAT_JSONPATH: case FORMAT_JSONPATH_JSON: {
		struct err why = { 0 };
		int r = jsonpath_parse(slice_of(text), 0, &k->arena, &p->path, &why);
		return r < 0 ? err_set(e, -r, "error parsing jsonpath %s, %s", text, why.text) : 0;
	}
	case FORMAT_TEMPLATE: return template_parse(&k->arena, text, &p->template, e);
	case FORMAT_COLUMNS: return parse_columns(k, p, text, e);
	default: return 0;
	}
}

bool kctl_printer_is_table(const struct kctl_printer *p) { return p->format == FORMAT_TABLE || p->format == FORMAT_WIDE; }

/* Without what people seldom want to see. */
static int strip(struct kctl *k, const struct tree *object, struct tree *ret, struct err *e)
{
	if (tree_copy(object, &k->arena, ret) < 0)
		return err_nomem(e);
	if (flag_known(&k->f, "show-managed-fields") && flag_bool(&k->f, "show-managed-fields"))
		return 0;
	struct tree *m = tree_get_mut(ret, SLICE("metadata"));
	if (m && m->type == TREE_MAP)
		tree_remove(m, SLICE("managedFields"));
	struct tree *items = tree_get_mut(ret, SLICE("items"));
	for (uint32_t i = 0; items && items->type == TREE_LIST && i < items->n; i++) {
		m = tree_get_mut(&items->items[i], SLICE("metadata"));
		if (m && m->type == TREE_MAP)
			tree_remove(m, SLICE("managedFields"));
	}
	return 0;
}

static int print_template(struct kctl *k, const struct kctl_printer *p, const struct tree *t, struct err *e)
{
	struct val v = val_tree(t);
	return template_run(p->template, &k->arena, &v, false, &k->out, e);
}

static int print_columns(struct kctl *k, const struct kctl_printer *p, const struct tree *object, struct err *e)
{
	struct buf lines AUTO(buf) = BUF_INIT(KCTL_BODY_MAX);
	const struct tree *items = tree_gets(object, "items");
	uint32_t n = items && items->type == TREE_LIST ? items->n : 1;
	bool quiet = flag_known(&k->f, "no-headers") && flag_bool(&k->f, "no-headers");
	for (size_t c = 0; c < p->n_columns && !*p->started && !quiet; c++)
		buf_addf(&lines, "%s%s", p->columns[c].title, c + 1 < p->n_columns ? "\t" : "\n");
	*p->started = true;
	for (uint32_t i = 0; i < n; i++) {
		const struct tree *o = items && items->type == TREE_LIST ? tree_at(items, i) : object;
		for (size_t c = 0; c < p->n_columns; c++) {
			struct jsonpath_results found;
			int r = jsonpath_find(p->columns[c].path, o, JSONPATH_ALLOW_MISSING, &k->arena, &found, e);
			if (r < 0)
				return r;
			if (!found.n)
				buf_adds(&lines, "<none>");
			for (uint32_t j = 0; j < found.n; j++) {
				if (j)
					buf_addc(&lines, ',');
				if (found.v[j]->type == TREE_NULL)
					buf_adds(&lines, "<nil>");
				else
					jsonpath_print_value(found.v[j], &lines);
			}
			buf_addc(&lines, c + 1 < p->n_columns ? '\t' : '\n');
		}
	}
	kctl_columns(k, buf_slice(&lines));
	return 0;
}

static int print_name(struct kctl *k, const struct tree *o, struct err *e)
{
	struct kctl_kind kind;
	const struct tree *items = tree_gets(o, "items");
	if (items && items->type == TREE_LIST) {
		for (uint32_t i = 0; i < items->n; i++) {
			int r = print_name(k, tree_at(items, i), e);
			if (r < 0)
				return r;
		}
		return 0;
	}
	int r = kctl_kind_of_wait(k, kctl_text_at(k, o, "apiVersion"), kctl_text_at(k, o, "kind"), &kind, e);
	if (r == 0)
		kctl_print(k, "%s/%s\n", kctl_kind_text(k, &kind), kctl_text_at(k, o, "metadata.name"));
	return r;
}

/* keys by name at every level, as Go prints its maps */
int kctl_print_object(struct kctl *k, const struct kctl_printer *p, const struct tree *object, struct err *e)
{
	struct tree t;
	int r = strip(k, object, &t, e);
	if (r < 0)
		return r;
	switch (p->format) {
	case FORMAT_JSON: {
		r = tree_to_json(&t, SCHEMA_INDENT | SCHEMA_SORTED | SCHEMA_ESCAPE_HTML, &k->out);
		buf_addc(&k->out, '\n');
		return r;
	}
	case FORMAT_YAML:
		if (*p->started)
			buf_adds(&k->out, "---\n");
		*p->started = true;
		return tree_to_yaml(&t, SCHEMA_SORTED, &k->out);
	case FORMAT_NAME: return print_name(k, &t, e);
	case FORMAT_JSONPATH: return jsonpath_print(p->path, &t, JSONPATH_ALLOW_MISSING, &k->arena, &k->out, e);
	case FORMAT_JSONPATH_JSON: return jsonpath_print(p->path, &t, JSONPATH_ALLOW_MISSING | JSONPATH_AS_JSON, &k->arena, &k->out, e);
	case FORMAT_TEMPLATE: return print_template(k, p, &t, e);
	case FORMAT_COLUMNS: return print_columns(k, p, &t, e);
	default: return 0;
	}
}

int kctl_print_done(struct kctl *k, const struct kctl_target *t, const struct tree *object, const char *did, struct err *e)
{
	const char *format = flag_known(&k->f, "output") ? flag_str(&k->f, "output") : "", *dry = "none";
	if (flag_known(&k->f, "dry-run"))
		kctl_dry_run(k, &dry, NULL);
	if (*format && !(!strcmp(format, "name") && !object)) {
		struct kctl_printer *p;
		int r = kctl_printer_new(k, format, &p, e);
		return r < 0 ? r : kctl_print_object(k, p, object ? object : &t->object, e);
	}
	const char *name = t->name ? t->name : kctl_text_at(k, object, "metadata.name");
	kctl_print(k, "%s/%s", kctl_kind_text(k, &t->kind), name);
	if (!*format)
		kctl_print(k, " %s%s", did, !strcmp(dry, "client") ? " (dry run)" : !strcmp(dry, "server") ? " (server dry run)" : "");
	kctl_print(k, "\n");
	return 0;
}

/* --- tables --------------------------------------------------------------------------------------- */
void kctl_cell(const struct tree *v, struct buf *out)
{
	if (!v || v->type == TREE_NULL) {
		buf_adds(out, "<none>");
		return;
	}
	struct slice s = tree_text(v);
	if (v->type == TREE_STRING || v->type == TREE_NUMBER) {
		/* lines and tabs would break the table */
		for (size_t i = 0; i < s.len; i++) {
			if (s.ptr[i] == '\n' && i + 1 == s.len)
				break;
			if (s.ptr[i] == '\n') {
				buf_adds(out, "...");
				break;
			}
			buf_addc(out, s.ptr[i] == '\t' || s.ptr[i] == '\r' ? ' ' : s.ptr[i]);
		}
		if (!s.len)
			buf_adds(out, "");
		return;
	}
	if (v->type == TREE_BOOL)
		buf_adds(out, v->is_true ? "true" : "false");
	else
		tree_to_json(v, 0, out);
}

static void upper(struct kctl *k, const char *text, struct buf *out)
{
	for (; *text; text++)
		buf_addc(out, (char)toupper((unsigned char)*text));
}

int kctl_table_lines(struct kctl *k, const struct tree *table, const struct kctl_kind *kind, unsigned flags, const struct flag_value *label_columns,
	struct buf *lines)
{
	const struct tree *columns = tree_gets(table, "columnDefinitions"), *rows = tree_gets(table, "rows");
	int64_t priority;
	if (columns && !(flags & KTABLE_NO_HEADERS)) {
		if (flags & KTABLE_NAMESPACE)
			buf_adds(lines, "NAMESPACE\t");
		for (uint32_t c = 0; c < columns->n; c++) {
			const struct tree *d = tree_at(columns, c);
			if (tree_i64(tree_gets(d, "priority"), &priority) == 0 && priority > 0 && !(flags & KTABLE_WIDE))
				continue;
			if (lines->len && lines->ptr[lines->len - 1] != '\t' && lines->ptr[lines->len - 1] != '\n')
				buf_addc(lines, '\t');
			upper(k, kctl_text_at(k, d, "name"), lines);
		}
		for (size_t i = 0; label_columns && i < label_columns->n; i++) {
			const char *slash = strrchr(label_columns->v[i], '/');
			buf_addc(lines, '\t');
			upper(k, slash ? slash + 1 : label_columns->v[i], lines);
		}
		if (flags & KTABLE_LABELS)
			buf_adds(lines, "\tLABELS");
		buf_addc(lines, '\n');
	}
	for (uint32_t i = 0; rows && i < rows->n; i++) {
		const struct tree *row = tree_at(rows, i), *cells = tree_gets(row, "cells"), *meta = tree_path(row, "object.metadata");
		bool first = true;
		if (flags & KTABLE_NAMESPACE)
			buf_addf(lines, "%s\t", kctl_text_at(k, meta, "namespace"));
		for (uint32_t c = 0; cells && c < cells->n; c++) {
			const struct tree *d = columns ? tree_at(columns, c) : NULL;
			if (d && tree_i64(tree_gets(d, "priority"), &priority) == 0 && priority > 0 && !(flags & KTABLE_WIDE))
				continue;
			if (!first)
				buf_addc(lines, '\t');
			if (first && (flags & KTABLE_KIND))
				buf_addf(lines, "%s/", kctl_kind_text(k, kind));
			first = false;
			kctl_cell(tree_at(cells, c), lines);
		}
		for (size_t l = 0; label_columns && l < label_columns->n; l++) {
			const char *v = kctl_text(k, tree_get(tree_gets(meta, "labels"), slice_of(label_columns->v[l])));
			buf_addf(lines, "\t%s", v);
		}
		if (flags & KTABLE_LABELS) {
			const struct tree *labels = tree_gets(meta, "labels");
			buf_addc(lines, '\t');
			struct tree sorted;
			if (!labels || !labels->n || tree_copy(labels, &k->arena, &sorted) < 0) {
				buf_adds(lines, "<none>");
			} else {
				for (uint32_t j = 0; j < sorted.n; j++) /* few: insertion is enough */
					for (uint32_t m = j; m > 0 && slice_cmp(slice_n(sorted.members[m].key, sorted.members[m].key_len), slice_n(sorted.members[m - 1].key, sorted.members[m - 1].key_len)) < 0; m--) {
						struct tree_member swap = sorted.members[m];
						sorted.members[m] = sorted.members[m - 1];
						sorted.members[m - 1] = swap;
					}
				for (uint32_t j = 0; j < sorted.n; j++)
					buf_addf(lines, "%s%.*s=%.*s", j ? "," : "", (int)sorted.members[j].key_len, sorted.members[j].key, SLICE_FMT(tree_text(&sorted.members[j].value)));
			}
		}
		buf_addc(lines, '\n');
	}
	return rows ? (int)rows->n : 0;
}

void kctl_columns(struct kctl *k, struct slice lines) { table_layout(lines, 6, 3, &k->out); }

void kctl_columns_narrow(struct kctl *k, struct slice lines) { table_layout(lines, 0, 2, &k->out); }

/* --- small things ------------------------------------------------------------------------------------ */
const char *kctl_text(struct kctl *k, const struct tree *v)
{
	struct slice s = tree_text(v);
	if (!s.len)
		return v && v->type == TREE_BOOL ? (v->is_true ? "true" : "false") : "";
	char *p = arena_dup(&k->arena, s);
	return p ? p : "";
}

const char *kctl_text_at(struct kctl *k, const struct tree *v, const char *path) { return kctl_text(k, tree_path(v, path)); }

/* Without memory there is nothing sensible to go on with: a place that is thrown away. */
static struct tree *or_nowhere(struct tree *t)
{
	static _Thread_local struct tree nowhere;
	return t ? t : &nowhere;
}

struct tree *kctl_set(struct kctl *k, struct tree *map, const char *key, struct tree v)
{
	return or_nowhere(tree_set(&k->arena, map, slice_of(key), v));
}

struct tree *kctl_set_text(struct kctl *k, struct tree *map, const char *key, const char *text) { return kctl_set(k, map, key, tree_string(slice_of(text))); }

struct tree *kctl_set_int(struct kctl *k, struct tree *map, const char *key, int64_t v)
{
	struct tree t = { 0 };
	tree_int(&k->arena, v, &t);
	return kctl_set(k, map, key, t);
}

struct tree *kctl_map(struct kctl *k, struct tree *map, const char *key)
{
	struct tree *t = tree_get_mut(map, slice_of(key));
	return t && t->type == TREE_MAP ? t : kctl_set(k, map, key, tree_map());
}

struct tree *kctl_list(struct kctl *k, struct tree *map, const char *key)
{
	struct tree *t = tree_get_mut(map, slice_of(key));
	return t && t->type == TREE_LIST ? t : kctl_set(k, map, key, tree_list());
}

int kctl_dry_run(struct kctl *k, const char **ret, struct err *e)
{
	const char *v = flag_str(&k->f, "dry-run");
	static const char *const known[][2] = { { "", "none" }, { "none", "none" }, { "false", "none" }, { "client", "client" }, { "true", "client" }, { "unchanged", "client" }, { "server", "server" } };
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (!strcmp(known[i][0], v)) {
			if (!strcmp(v, "unchanged") && e)
				kctl_warn(k, "W0000 --dry-run is deprecated and can be replaced with --dry-run=client.");
			*ret = known[i][1];
			return 0;
		}
	return err_set(e, EINVAL, "Invalid dry-run value (%s). Must be \"none\", \"server\", or \"client\".", v);
}

const char *kctl_write_query(struct kctl *k, const char *manager)
{
	const char *q = NULL, *dry = "none", *validate = flag_known(&k->f, "validate") ? flag_str(&k->f, "validate") : "";
	if (flag_known(&k->f, "dry-run"))
		kctl_dry_run(k, &dry, NULL);
	if (!strcmp(dry, "server"))
		q = kctl_query(k, q, "dryRun", "All");
	if (flag_known(&k->f, "field-manager") && *flag_str(&k->f, "field-manager"))
		manager = flag_str(&k->f, "field-manager");
	q = kctl_query(k, q, "fieldManager", manager);
	if (*validate)
		q = kctl_query(k, q, "fieldValidation", !strcmp(validate, "warn") ? "Warn" : !strcmp(validate, "ignore") || !strcmp(validate, "false") ? "Ignore" : "Strict");
	return q;
}
