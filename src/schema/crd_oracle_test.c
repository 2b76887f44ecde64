/* SPDX-License-Identifier: Apache-2.0 */
/* Custom resources against Kubernetes' own code: see oracle_test.c. */
#include <fcntl.h>

#include "api/kube.h"
#include "base/auto.h"
#include "base/fd.h"
#include "base/test.h"
#include "schema/crd.h"
#include "schema/crd_int.h"

static struct err e;

static const char *json(struct arena *a, const struct tree *t)
{
	AUTO(buf) struct buf b = BUF_INIT(16 << 20);
	CHECK_INT(tree_to_json(t, SCHEMA_SORTED, &b), 0);
	return arena_dup(a, buf_slice(&b));
}

static int by_text(const void *x, const void *y) { return strcmp(*(const char *const *)x, *(const char *const *)y); }

static const char *lines(struct arena *a, const struct schema_problems *p)
{
	const char **v = arena_array(a, p->n, sizeof *v);
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	for (uint32_t i = 0; i < p->n; i++)
		v[i] = arena_fmt(a, "%s: %s", p->v[i].field, p->v[i].message);
	if (p->n)
		qsort(v, p->n, sizeof *v, by_text);
	for (uint32_t i = 0; i < p->n; i++)
		buf_addf(&b, "%s\n", v[i]);
	return arena_dup(a, buf_slice(&b));
}

static const char *wanted(struct arena *a, const struct tree *list)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	for (uint32_t i = 0; list && list->type == TREE_LIST && i < list->n; i++)
		buf_addf(&b, "%.*s\n", SLICE_FMT(tree_text(&list->items[i])));
	return arena_dup(a, buf_slice(&b));
}

static void one(struct arena *ar, const struct crd_schema *s, const struct tree *t, struct slice line, unsigned number)
{
	struct arena a = *ar;
	struct tree obj;
	AUTO(buf) struct buf unknown = BUF_INIT(1 << 20);
	struct schema_problems p = { .a = &a };
	unsigned n;
	CHECK_INT(tree_copy(tree_gets(t, "doc"), &a, &obj), 0);
	crd_prune(s, &obj, &unknown, &n);
	if (!tree_equal(&obj, tree_gets(t, "pruned")))
		test_fail(__FILE__, __LINE__, "line %u, pruned: %s\n want %s\n of %.*s", number, json(&a, &obj), json(&a, tree_gets(t, "pruned")), SLICE_FMT(line));
	const struct tree *names = tree_gets(t, "unknown");
	CHECK_INT(n, names->type == TREE_LIST ? names->n : 0);
	for (uint32_t i = 0; i < n; i++)
		if (!strstr(unknown.ptr, arena_fmt(&a, "unknown field \"%.*s\"", SLICE_FMT(tree_text(&names->items[i])))))
			test_fail(__FILE__, __LINE__, "line %u: %s lacks %.*s", number, unknown.ptr, SLICE_FMT(tree_text(&names->items[i])));
	CHECK_INT(crd_default(s, &obj, &a), 0);
	if (!tree_equal(&obj, tree_gets(t, "filled")))
		test_fail(__FILE__, __LINE__, "line %u, filled: %s\n want %s\n of %.*s", number, json(&a, &obj), json(&a, tree_gets(t, "filled")), SLICE_FMT(line));
	n = crd_validate(s, &obj, NULL, &p);
	CHECK_INT(n, p.n);
	if (strcmp(lines(&a, &p), wanted(&a, tree_gets(t, "problems"))))
		test_fail(__FILE__, __LINE__, "line %u: %s\n want\n%s\n object %s\n of %.*s", number, lines(&a, &p), wanted(&a, tree_gets(t, "problems")),
			json(&a, &obj), SLICE_FMT(line));
	*ar = a;
}

TEST(custom_resources_are_pruned_filled_and_checked_as_kubernetes_does)
{
	AUTO(buf) struct buf text = BUF_INIT(64 << 20);
	const char *dir = getenv("CORACLE_SCHEMA_ORACLE");
	struct arena a;
	struct slice line;
	unsigned number = 0;
	arena_init(&a, 64 << 20);
	if (file_read(AT_FDCWD, arena_fmt(&a, "%s/crd.jsonl", dir ? dir : "build/schema-oracle"), &text) < 0)
		test_skip("no documents by Kubernetes' code (make schema-oracle needs Go)");
	struct slice rest = buf_slice(&text);
	while (slice_next(&rest, '\n', &line)) {
		struct tree t;
		struct crd_schema *s = NULL;
		arena_release(&a);
		arena_init(&a, 64 << 20);
		number++;
		if (!line.len)
			continue;
		CHECK_OK(tree_from_json(line, 0, &a, &t, &e), &e);
		struct schema_problems p = { .a = &a };
		int r = crd_compile(tree_gets(&t, "schema"), T_kube_object_meta, "schema", &p, &s);
		const struct tree *structure = tree_gets(&t, "structure"), *cases = tree_gets(&t, "cases");
		const char *want = wanted(&a, structure);
		if (structure ? r != -EINVAL : r < 0)
			test_fail(__FILE__, __LINE__, "line %u: %d\n%s\n not\n%s\n of %.*s", number, r, lines(&a, &p), want, SLICE_FMT(line));
		/* more may be wrong than structure */
		struct slice more = slice_of(want), each;
		while (slice_next(&more, '\n', &each)) {
			const char *isnt = memmem(each.ptr, each.len, "but isn't", 9);
			if (isnt)
				each.len = (size_t)(isnt - each.ptr);     /* PCRE2 has words of its own */
			if (each.len && !strstr(lines(&a, &p), arena_fmt(&a, "%.*s", SLICE_FMT(each))))
				test_fail(__FILE__, __LINE__, "line %u:\n%s\n lacks %.*s\n of %.*s", number, lines(&a, &p), SLICE_FMT(each), SLICE_FMT(line));
		}
		for (uint32_t i = 0; cases && i < cases->n; i++)
			one(&a, s, &cases->items[i], line, number);
		crd_unref(s);
	}
	CHECK(number > 500);
	arena_release(&a);
}

TEST(patterns_match_what_go_matches)
{
	AUTO(buf) struct buf text = BUF_INIT(64 << 20);
	AUTO(buf) struct buf report = BUF_INIT(1 << 20);
	const char *dir = getenv("CORACLE_SCHEMA_ORACLE");
	struct arena a;
	struct slice line;
	unsigned n = 0, wrong = 0;
	arena_init(&a, 64 << 20);
	if (file_read(AT_FDCWD, arena_fmt(&a, "%s/regex.jsonl", dir ? dir : "build/schema-oracle"), &text) < 0)
		test_skip("no documents by Kubernetes' code (make schema-oracle needs Go)");
	struct slice rest = buf_slice(&text);
	while (slice_next(&rest, '\n', &line)) {
		struct tree t;
		struct crd_pattern *p = NULL;
		arena_release(&a);
		arena_init(&a, 64 << 20);
		if (!line.len)
			continue;
		CHECK_OK(tree_from_json(line, 0, &a, &t, &e), &e);
		n++;
		struct slice why = tree_text(tree_gets(&t, "error"));
		const char *pattern = arena_dup(&a, tree_text(tree_gets(&t, "pattern")));
		int r = crd_pattern_new(pattern, NULL, &p, &e);
		if (why.len ? r == 0 || !slice_eq(why, slice_of(e.text)) : r < 0) {
			wrong++;
			buf_addf(&report, "%s: %s\n  not %.*s\n", pattern, r < 0 ? e.text : "fine", SLICE_FMT(why));
		}
		const struct tree *cases = tree_gets(&t, "cases");
		for (uint32_t i = 0; r == 0 && cases && i < cases->n; i++) {
			bool want = tree_is_true(tree_at(&cases->items[i], 1));
			int got = crd_pattern_match(p, tree_text(tree_at(&cases->items[i], 0)));
			wrong += got != want;
			if (got != want)
				buf_addf(&report, "%s on \"%.*s\": %d\n", pattern, SLICE_FMT(tree_text(tree_at(&cases->items[i], 0))), got);
		}
		crd_patterns_free(p);
	}
	CHECK(n > 1000);
	if (wrong)
		test_fail(__FILE__, __LINE__, "%u wrong:\n%s", wrong, report.ptr);
	arena_release(&a);
}

TEST(rules_come_to_what_kubernetes_comes_to)
{
	AUTO(buf) struct buf text = BUF_INIT(64 << 20);
	AUTO(buf) struct buf report = BUF_INIT(1 << 20);
	const char *dir = getenv("CORACLE_SCHEMA_ORACLE");
	struct arena a;
	struct slice line;
	unsigned n = 0, wrong = 0;
	arena_init(&a, 64 << 20);
	if (file_read(AT_FDCWD, arena_fmt(&a, "%s/cel.jsonl", dir ? dir : "build/schema-oracle"), &text) < 0)
		test_skip("no documents by Kubernetes' code (make schema-oracle needs Go)");
	struct slice rest = buf_slice(&text);
	while (slice_next(&rest, '\n', &line)) {
		struct tree t;
		struct crd_schema *s = NULL;
		arena_release(&a);
		arena_init(&a, 64 << 20);
		if (!line.len)
			continue;
		CHECK_OK(tree_from_json(line, 0, &a, &t, &e), &e);
		struct schema_problems p = { .a = &a };
		struct slice rule = tree_text(tree_gets(&t, "rule"));
		const struct tree *docs = tree_gets(&t, "docs");
		/* Kubernetes knows types before an expression runs */
		if (memmem(line.ptr, line.len, "rule compile error", 18))
			continue;
		if (crd_compile(tree_gets(&t, "schema"), T_kube_object_meta, "schema", &p, &s) < 0) {
			wrong++;
			buf_addf(&report, "%.*s: %s", SLICE_FMT(rule), lines(&a, &p));
			continue;
		}
		for (uint32_t i = 0; i < docs->n; i++) {
			const struct tree *d = &docs->items[i];
			struct schema_problems got = { .a = &a };
			crd_validate(s, tree_gets(d, "doc"), tree_gets(d, "old"), &got);
			const char *ours = lines(&a, &got), *want = wanted(&a, tree_gets(d, "problems"));
			n++;
			/* why an address is none Go says in more ways than we do */
			const char *l = strstr(ours, "ParseAddr("), *r = strstr(want, "ParseAddr(");
			if (l && r && l - ours == r - want && !memcmp(ours, want, (size_t)(l - ours)))
				continue;
			if (strcmp(ours, want)) {
				wrong++;
				buf_addf(&report, "%.*s on %s\n   ours %s   want %s\n", SLICE_FMT(rule), json(&a, tree_path(d, "doc.spec")), *ours ? ours : "fine\n", *want ? want : "fine\n");
			}
		}
		crd_unref(s);
	}
	CHECK(n > 1000);
	if (wrong)
		test_fail(__FILE__, __LINE__, "%u of %u wrong:\n%s", wrong, n, report.ptr);
	arena_release(&a);
}
