/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes' own code as the oracle: test/kube/oracle/cases.jsonl is what it
 * says to the objects of cases.yaml (make kube-oracle writes it anew). The same
 * defaults, refusals, stored object, columns and cells must come out here.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/test.h"
#include "kube/kind/kind.h"
#include "kube/meta/resource.h"

#define S_PER_NS 1000000000LL

static struct arena a = { .max_bytes = 64 << 20 };
static struct err e;
static unsigned n_different;

static const char *text_of(const struct tree *t, const char *key)
{
	return arena_dup(&a, tree_text(tree_gets(t, key)));
}

static const char *json(const struct tree *t)
{
	static const struct tree null;
	AUTO(buf) struct buf b = BUF_INIT(4 << 20);
	CHECK_INT(tree_to_json(t ? t : &null, SCHEMA_SORTED, &b), 0);
	return arena_dup(&a, buf_slice(&b));
}

static void differs(const char *name, const char *what, const char *ours, const char *want)
{
	n_different++;
	printf("%s: %s\n  ours %s\n  want %s\n", name, what, ours, want);
	fflush(stdout);
}

static const struct kube_resource *resource_of(const char *api_version, const char *kind)
{
	const char *slash = strchr(api_version, '/');
	const char *group = slash ? arena_fmt(&a, "%.*s", (int)(slash - api_version), api_version) : "";
	return kube_resource_of_kind(group, slash ? slash + 1 : api_version, kind);
}

/* A decoded object as the server has it: with namespace, uid and times. */
static struct kind_object *received(const struct kube_resource *r, const struct tree *t)
{
	struct kind_object *o = arena_alloc(&a, schema_size(r->type));
	CHECK_OK(tree_to_struct(t, r->type, 0, &a, o, &e), &e);
	CHECK_INT(kind_default(r->type, &a, o), 0);
	if (r->namespaced && (!o->metadata.namespace || !*o->metadata.namespace))
		o->metadata.namespace = "ns";
	o->metadata.uid = "u-1";
	o->metadata.creation_timestamp = "2026-01-01T00:00:00Z";
	return o;
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* Lists of problems in the order of their texts: Kubernetes walks maps in any order. */
static const char *sorted(const char **v, unsigned n)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	qsort(v, n, sizeof *v, by_text);
	for (unsigned i = 0; i < n; i++)
		buf_addf(&b, "%s\n       ", v[i]);
	return arena_dup(&a, buf_slice(&b));
}

/* Kubernetes prints whole structs with the names of Go's fields; what is in the braces is left out then. */
static const char *without_struct(const char *text, bool *is_go)
{
	const char *open = strstr(text, "{\""), *close = strrchr(text, '}');
	if (!open || !close || close < open)
		return text;
	*is_go = *is_go || (open[2] >= 'A' && open[2] <= 'Z');
	return *is_go ? arena_fmt(&a, "%.*s{}%s", (int)(open - text), text, close + 1) : text;
}

static void compare(const struct tree *c)
{
	static struct kind_problems p;
	const char *name = text_of(c, "case"), *texts[100], *wanted[100];
	const struct kube_resource *r = resource_of(text_of(c, "version"), text_of(c, "kind"));
	const struct tree *old_tree = tree_gets(c, "old"), *problems = tree_gets(c, "problems"), *made = tree_gets(c, "made"), *columns = tree_gets(c, "columns");
	struct kind_object *old = NULL, *o;
	if (!r || (!made && !problems)) {
		differs(name, "no such kind, or no outcome", text_of(c, "kind"), text_of(c, "error"));
		return;
	}
	if (old_tree) {
		old = received(r, old_tree);
		CHECK_INT(kind_prepare_create(r->type, &a, old), 0);
		old->metadata.resource_version = "1";
	}
	o = received(r, tree_gets(c, "input"));
	if (old) {
		o->metadata.resource_version = "1";
		CHECK_INT(kind_prepare_update(r->type, KIND_SPEC, &a, o, old), 0);
	} else {
		CHECK_INT(kind_prepare_create(r->type, &a, o), 0);
	}
	p = (struct kind_problems){ .a = &a };
	kind_validate(r->type, KIND_SPEC, o, old, &p);
	unsigned n = 0;
	bool is_go = false;
	for (; problems && n < problems->n && n < 100; n++) {
		const struct tree *w = tree_at(problems, n);
		struct slice message = tree_text(tree_gets(w, "message"));
		const char *line = memchr(message.ptr ? message.ptr : "", '\n', message.len);
		if (line)       /* the difference of two pods, as Go prints structs */
			message.len = (size_t)(line - message.ptr);
		wanted[n] = without_struct(arena_fmt(&a, "%s %s %.*s", text_of(w, "type"), text_of(w, "field"), SLICE_FMT(message)), &is_go);
	}
	for (unsigned i = 0; i < p.n; i++) {
		struct slice message = slice_of(p.v[i].message), line;
		slice_next(&message, '\n', &line);
		texts[i] = arena_fmt(&a, "%s %s %.*s", p.v[i].type, p.v[i].field, SLICE_FMT(line));
		if (is_go)
			texts[i] = without_struct(texts[i], &is_go);
	}
	const char *got = sorted(texts, p.n), *want = sorted(wanted, n);
	if (strcmp(got, want))
		differs(name, "problems", got, want);
	if (p.n || problems)
		return;

	struct tree ours, cells, out = tree_list();
	CHECK_OK(tree_from_struct(r->type, o, &a, &ours, &e), &e);
	if (!tree_equal(&ours, made))
		differs(name, "object", json(&ours), json(made));
	if (!columns)
		return;
	unsigned n_columns;
	const struct kind_column *col = kind_columns(r->type, &n_columns);
	for (unsigned i = 0; i < n_columns; i++) {
		struct tree row = tree_map(), priority;
		CHECK_INT(tree_int(&a, col[i].priority, &priority), 0);
		tree_set(&a, &row, SLICE("name"), tree_string(slice_of(col[i].name)));
		tree_set(&a, &row, SLICE("type"), tree_string(slice_of(col[i].type)));
		tree_set(&a, &row, SLICE("format"), tree_string(slice_of(col[i].format)));
		tree_set(&a, &row, SLICE("description"), tree_string(SLICE("")));
		tree_set(&a, &row, SLICE("priority"), priority);
		CHECK(tree_append(&a, &out, row) != NULL);
	}
	if (!tree_equal(&out, columns))
		differs(name, "columns", json(&out), json(columns));
	int64_t now;
	CHECK_INT(tree_i64(tree_gets(c, "now"), &now), 0);
	CHECK_INT(kind_cells(r->type, o, now * S_PER_NS, &a, &cells), 0);
	if (!tree_equal(&cells, tree_gets(c, "cells")))
		differs(name, "cells", json(&cells), json(tree_gets(c, "cells")));
}

TEST(every_case_comes_out_as_in_kubernetes)
{
	static struct buf text = { .ptr = (char *)"", .max = 64 << 20 };
	const char *file = getenv("CORACLE_KUBE_ORACLE");
	struct slice rest, line;
	unsigned n = 0;
	if (file_read(AT_FDCWD, file ? file : "test/kube/oracle/cases.jsonl", &text) < 0)
		test_skip("no test/kube/oracle/cases.jsonl (make kube-oracle)");
	rest = buf_slice(&text);
	while (slice_next(&rest, '\n', &line)) {
		struct tree c;
		if (!line.len)
			continue;
		arena_release(&a);
		arena_init(&a, 64 << 20);
		CHECK_OK(tree_from_json(line, 0, &a, &c, &e), &e);
		compare(&c);
		n++;
	}
	CHECK(n > 100);
	CHECK_INT(n_different, 0);
}
