/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes' own code as the oracle: test/schema/oracle runs it on random
 * objects and writes a document a line; ours must come to the same. test/schema.mk
 * makes them (make schema-oracle); without Go the tests are skipped.
 */
#include <fcntl.h>

#include "api/kube.h"
#include "base/auto.h"
#include "base/fd.h"
#include "base/test.h"
#include "schema/apply.h"
#include "schema/patch.h"

static struct err e;
static struct buf text = { .ptr = (char *)"", .max = 64 << 20 };

static struct slice lines_of(const char *name)
{
	const char *dir = getenv("CORACLE_SCHEMA_ORACLE");
	char path[512];
	CHECK(fmt_into(path, sizeof path, "%s/%s.jsonl", dir ? dir : "build/schema-oracle", name));
	if (file_read(AT_FDCWD, path, &text) < 0)
		test_skip("no documents by Kubernetes' code (make schema-oracle needs Go)");
	return buf_slice(&text);
}

static const char *json(struct arena *a, const struct tree *t)
{
	static const struct tree null;
	AUTO(buf) struct buf b = BUF_INIT(16 << 20);
	CHECK_INT(tree_to_json(t ? t : &null, SCHEMA_SORTED, &b), 0);
	return arena_dup(a, buf_slice(&b));
}

static bool same(const struct tree *x, const struct tree *y)
{
	static const struct tree null;
	return tree_equal(x ? x : &null, y ? y : &null);
}

static unsigned line_number;

#define SAME(what, got, want) do { \
	if (!same(got, want)) \
		test_fail(__FILE__, __LINE__, "line %u, %s:\n ours %s\n want %s\n of %.*s", line_number, what, json(&a, got), json(&a, want), SLICE_FMT(line)); \
	} while (0)

static bool next_case(struct slice *rest, struct slice *line, struct arena *a, struct tree *ret)
{
	arena_release(a);
	arena_init(a, 64 << 20);
	do {
		line_number++;
		if (!slice_next(rest, '\n', line))
			return false;
	} while (!line->len);
	CHECK_OK(tree_from_json(*line, 0, a, ret, &e), &e);
	return true;
}

TEST(json_patches_do_what_kubernetes_does)
{
	struct slice rest = lines_of("jsonpatch"), line;
	struct arena a = { 0 };
	struct tree t;
	while (next_case(&rest, &line, &a, &t)) {
		struct tree out;
		struct slice want = tree_text(tree_gets(&t, "error"));
		int r = tree_json_patch(tree_gets(&t, "doc"), tree_gets(&t, "patch"), &a, &out, &e);
		if (r == 0 && !want.len)
			SAME("after", &out, tree_gets(&t, "after"));
		else if (r == 0 || !slice_eq(slice_of(e.text), want))
			test_fail(__FILE__, __LINE__, "line %u: %s, not %.*s: %.*s", line_number, r ? e.text : "success", SLICE_FMT(want), SLICE_FMT(line));
	}
}

TEST(merge_patches_do_what_kubernetes_does)
{
	struct slice rest = lines_of("mergepatch"), line;
	struct arena a = { 0 };
	struct tree t;
	while (next_case(&rest, &line, &a, &t)) {
		struct tree out;
		CHECK_OK(tree_merge_patch(tree_gets(&t, "doc"), tree_gets(&t, "patch"), &a, &out, &e), &e);
		SAME("after", &out, tree_gets(&t, "after"));
		CHECK_OK(tree_merge_diff(tree_gets(&t, "doc"), tree_gets(&t, "patch"), &a, &out, &e), &e);
		SAME("diff", &out, tree_gets(&t, "diff"));
		CHECK_OK(tree_merge_diff3(tree_gets(&t, "doc"), tree_gets(&t, "patch"), tree_gets(&t, "third"), &a, &out, &e), &e);
		SAME("three", &out, tree_gets(&t, "three"));
	}
}

/* What of a patched document means something: no nulls, no directives that were left over. */
static void clean(struct tree *v)
{
	for (uint32_t i = 0; i < v->n && (v->type == TREE_MAP || v->type == TREE_LIST);) {
		struct tree *below = v->type == TREE_MAP ? &v->members[i].value : &v->items[i];
		if (v->type == TREE_MAP && (below->type == TREE_NULL || v->members[i].key[0] == '$')) {
			(void)tree_remove(v, slice_n(v->members[i].key, v->members[i].key_len));
			continue;
		}
		if (v->type == TREE_LIST && tree_gets(below, "$patch")) {
			tree_remove_at(v, i);
			continue;
		}
		clean(below);
		i++;
	}
}

static void patch_gives(struct arena *ar, struct slice line, struct schema_ref type, const struct tree *doc, const struct tree *patch,
	const struct tree *want)
{
	struct arena a = *ar;
	struct tree out, copy, wanted;
	CHECK_OK(tree_strategic_patch(type, doc, patch, &a, &out, &e), &e);
	CHECK_INT(tree_copy(&out, &a, &copy), 0);
	CHECK_INT(tree_copy(want, &a, &wanted), 0);
	clean(&copy);
	clean(&wanted);
	SAME("patched", &copy, &wanted);
	*ar = a;
}

static struct schema_ref type_of(const struct tree *t)
{
	return slice_is(tree_text(tree_gets(t, "kind")), "Service") ? T_kube_service : T_kube_deployment;
}

TEST(strategic_patches_do_what_kubernetes_does)
{
	struct slice rest = lines_of("strategic"), line;
	struct arena a = { 0 };
	struct tree t;
	while (next_case(&rest, &line, &a, &t)) {
		struct schema_ref type = type_of(&t);
		const struct tree *original = tree_gets(&t, "original"), *modified = tree_gets(&t, "modified"), *current = tree_gets(&t, "current");
		struct tree out;
		CHECK_OK(tree_strategic_diff(type, original, modified, &a, &out, &e), &e);
		SAME("two", &out, tree_gets(&t, "two"));
		patch_gives(&a, line, type, original, tree_gets(&t, "two"), tree_gets(&t, "back"));
		CHECK_OK(tree_strategic_diff3(type, original, modified, current, &a, &out, &e), &e);
		SAME("three", &out, tree_gets(&t, "three"));
		patch_gives(&a, line, type, current, tree_gets(&t, "three"), tree_gets(&t, "applied"));
		patch_gives(&a, line, type, current, original, tree_gets(&t, "laid"));
	}
}

/* Without times, entries by their text. */
static void normalize(struct arena *a, struct tree *object)
{
	struct tree *list = tree_get_mut(tree_get_mut(object, SLICE("metadata")), SLICE("managedFields"));
	if (!list || list->type != TREE_LIST)
		return;
	for (uint32_t i = 0; i < list->n; i++)
		(void)tree_remove(&list->items[i], SLICE("time"));
	for (uint32_t i = 1; i < list->n; i++)
		for (uint32_t k = i; k > 0 && strcmp(json(a, &list->items[k - 1]), json(a, &list->items[k])) > 0; k--) {
			struct tree v = list->items[k];
			list->items[k] = list->items[k - 1];
			list->items[k - 1] = v;
		}
}

/* Conflicts by line: Go's order is that of a hash map. */
static const char *sorted_lines(struct arena *a, struct slice s)
{
	struct tree list = tree_list();
	struct slice line;
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	while (slice_next(&s, '\n', &line)) {
		CHECK(tree_append(a, &list, tree_string(line)));
	}
	for (uint32_t i = 1; i < list.n; i++)
		for (uint32_t k = i; k > 0 && slice_cmp(tree_text(&list.items[k - 1]), tree_text(&list.items[k])) > 0; k--) {
			struct tree v = list.items[k];
			list.items[k] = list.items[k - 1];
			list.items[k - 1] = v;
		}
	for (uint32_t i = 0; i < list.n; i++)
		buf_addf(&b, "%.*s\n", SLICE_FMT(tree_text(&list.items[i])));
	return arena_dup(a, buf_slice(&b));
}

static void step(struct apply_who *who, const struct tree *s, const struct tree **live, struct arena *ar, struct slice line)
{
	struct arena a = *ar;
	const struct tree *object = tree_gets(s, "object");
	struct slice want = tree_text(tree_gets(s, "error"));
	struct tree out, copy, wanted;
	struct apply_conflicts conflicts;
	bool changed, is_apply = slice_is(tree_text(tree_gets(s, "op")), "apply");
	who->manager = arena_dup(&a, tree_text(tree_gets(s, "manager")));
	who->is_forced = tree_is_true(tree_gets(s, "force"));
	int r = is_apply ? apply_patch(who, *live, object, &a, &out, &changed, &conflicts, &e) : apply_track(who, *live, object, &a, &out, &e);
	if (r < 0 || want.len) {
		if (r == 0)
			test_fail(__FILE__, __LINE__, "line %u: success, not %.*s\n of %.*s", line_number, SLICE_FMT(want), SLICE_FMT(line));
		if (strlen(e.text) < 480 && strcmp(sorted_lines(&a, want), sorted_lines(&a, slice_of(e.text))))
			test_fail(__FILE__, __LINE__, "line %u: %s\n not %.*s\n live %s\n object %s", line_number, e.text, SLICE_FMT(want),
				json(&a, *live), json(&a, object));
	} else {
		CHECK_INT(tree_copy(&out, &a, &copy), 0);
		CHECK_INT(tree_copy(tree_gets(s, "live"), &a, &wanted), 0);
		struct tree *meta = tree_get_mut(&copy, SLICE("metadata"));
		CHECK(meta != NULL && tree_set(&a, meta, SLICE("uid"), tree_string(SLICE("u"))));
		normalize(&a, &copy);
		normalize(&a, &wanted);
		if (!same(&copy, &wanted))
			test_fail(__FILE__, __LINE__, "line %u: %s by %s\n live %s\n object %s\n ours %s\n want %s", line_number, is_apply ? "apply" : "update",
				who->manager, json(&a, *live), json(&a, object), json(&a, &copy), json(&a, &wanted));
		*live = tree_gets(s, "live");
	}
	*ar = a;
}

TEST(objects_are_applied_as_kubernetes_applies_them)
{
	struct slice rest = lines_of("apply"), line;
	struct arena a = { 0 };
	struct tree t;
	while (next_case(&rest, &line, &a, &t)) {
		const struct tree *steps = tree_gets(&t, "steps"), *live = NULL;
		struct apply_who who = { .api_version = arena_dup(&a, tree_text(tree_gets(&t, "apiVersion"))), .now = "2026-01-01T00:00:00Z" };
		if (!slice_is(tree_text(tree_gets(&t, "kind")), "Thing"))
			who.node = schema_node_of(type_of(&t));
		for (uint32_t i = 0; i < steps->n; i++)
			step(&who, &steps->items[i], &live, &a, line);
	}
}
