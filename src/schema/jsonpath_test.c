/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/jsonpath.h"

#include <fcntl.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/test.h"

static struct arena a = { .max_bytes = 64 << 20 };
static struct err e;

static struct tree tree_of(struct slice doc)
{
	struct tree t;
	CHECK_OK(tree_from_json(doc, 0, &a, &t, &e), &e);
	return t;
}

static const char doc[] = "{\"items\":[{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"labels\":{\"app.kubernetes.io/name\":\"n\"}},\"n\":1},"
	"{\"kind\":\"Node\",\"metadata\":{\"name\":\"b\"},\"n\":2.50,\"s\":null}],\"m\":{\"z\":1,\"a\":[\"<\"]}}";

static int print(const char *template, unsigned flags, struct buf *out)
{
	struct tree t = tree_of(slice_of(doc));
	struct jsonpath *p;
	int r = jsonpath_parse(slice_of(template), flags, &a, &p, &e);
	return r < 0 ? r : jsonpath_print(p, &t, flags, &a, out, &e);
}

static void gives(const char *template, unsigned flags, const char *want)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	CHECK_OK(print(template, flags, &b), &e);
	CHECK_STR(b.ptr, want);
}

static void refuses(const char *template, unsigned flags, int code, const char *why)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	CHECK_INT(print(template, flags, &b), code);
	CHECK_STR(e.text, why);
}

TEST(templates_find_what_kubectl_finds)
{
	gives("{.items[*].metadata.name}", 0, "a b");
	gives("{range .items[*]}{.metadata.name}={.n}{\"\\n\"}{end}", 0, "a=1\nb=2.5\n");
	gives("{.items[?(@.kind==\"Node\")].metadata.name}", 0, "b");
	gives("{.items[?(@.n>1)].kind} {.items[-1:].kind}", 0, "Node Node");
	gives("{.items[0].metadata.labels['app\\.kubernetes\\.io/name']}", 0, "n");
	gives("{.items[0]['metadata.name','kind']}", 0, "a Pod");
	gives("{..name}", 0, "a b");
	gives("{.m}", 0, "{\"a\":[\"\\u003c\"],\"z\":1}");
	gives("{.items[*].kind}", JSONPATH_AS_JSON, "[\n    \"Pod\",\n    \"Node\"\n]\n");
	gives("{.items[1].s}", 0, "null");
	gives("text only", 0, "text only");
}

TEST(missing_keys_are_errors_unless_allowed)
{
	refuses("{.items[*].nope}", 0, -ENOENT, "nope is not found");
	gives("[{.nope.x}]", JSONPATH_ALLOW_MISSING, "[]");
	refuses("{.items[5]}", JSONPATH_ALLOW_MISSING, -EINVAL, "array index out of bounds: index 5, length 2");
	gives("{range .nope[*]}{.x}{end}.", JSONPATH_ALLOW_MISSING, ".");
}

TEST(relaxed_templates_are_paths)
{
	gives("metadata.name", JSONPATH_RELAXED | JSONPATH_ALLOW_MISSING, "");
	gives(".items[0].kind", JSONPATH_RELAXED, "Pod");
	gives("{items[0].kind}", JSONPATH_RELAXED, "Pod");
	refuses("{.a}{.b}", JSONPATH_RELAXED, -EINVAL,
		"unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'");
}

TEST(templates_that_are_none_are_refused)
{
	refuses("{.a", 0, -EINVAL, "unclosed action");
	refuses("{.a[0", 0, -EINVAL, "unterminated array");
	refuses("{.a[x]}", 0, -EINVAL, "invalid array index x");
	refuses("{.a[?(@.b}", 0, -EINVAL, "unterminated filter");
	refuses("{\"x}", 0, -EINVAL, "unterminated quoted string");
	refuses("{foo}", 0, -EINVAL, "unrecognized identifier foo");
	refuses("{end}", 0, -EINVAL, "not in range, nothing to end");
	refuses("{....}", 0, -EINVAL, "invalid multiple recursive descent");
}

TEST(results_can_be_had_as_values)
{
	struct tree t = tree_of(slice_of(doc));
	struct jsonpath *p;
	struct jsonpath_results found;
	CHECK_OK(jsonpath_parse(SLICE("x{.items[*].n}y{.m.z}"), 0, &a, &p, &e), &e);
	CHECK_OK(jsonpath_find(p, &t, 0, &a, &found, &e), &e);
	CHECK_INT(found.n, 3);
	CHECK_SLICE(tree_text(found.v[1]), "2.50");
	CHECK_SLICE(tree_text(found.v[2]), "1");
}

TEST(templates_without_room_fail_and_nothing_else)
{
	struct tree t = tree_of(slice_of(doc));
	int r = -1;
	for (size_t max = 0; r < 0 && max < 1 << 20; max += 512) {
		struct arena small;
		struct jsonpath *p;
		AUTO(buf) struct buf out = BUF_INIT(4096);
		arena_init(&small, max);
		r = jsonpath_parse(SLICE("{range .items[*]}{..name}{.metadata['name','labels']}{end}"), 0, &small, &p, &e);
		if (r == 0)
			r = jsonpath_print(p, &t, JSONPATH_ALLOW_MISSING, &small, &out, &e);
		CHECK(r == 0 || r == -E2BIG);
		arena_release(&small);
	}
	CHECK_INT(r, 0);
}

TEST(templates_print_what_kubernetes_own_code_prints)
{
	AUTO(buf) struct buf text = BUF_INIT(16 << 20);
	AUTO(buf) struct buf whole = BUF_INIT(1 << 20);
	const char *dir = getenv("CORACLE_SCHEMA_ORACLE");
	dir = dir ? dir : "build/schema-oracle";
	struct slice line;
	unsigned n = 0, wrong = 0;
	if (file_read(AT_FDCWD, arena_fmt(&a, "%s/jsonpath.jsonl", dir), &text) < 0 || file_read(AT_FDCWD, arena_fmt(&a, "%s/jsonpath-doc.jsonl", dir), &whole) < 0)
		test_skip("no documents by Kubernetes' code (make schema-oracle needs Go)");
	struct slice rest = buf_slice(&text);
	struct tree d = tree_of(buf_slice(&whole));
	AUTO(buf) struct buf report = BUF_INIT(1 << 20);
	while (slice_next(&rest, '\n', &line)) {
		if (!line.len)
			continue;
		struct tree t = tree_of(line);
		struct jsonpath *p;
		AUTO(buf) struct buf out = BUF_INIT(1 << 20);
		unsigned flags = (tree_is_true(tree_gets(&t, "allow")) ? JSONPATH_ALLOW_MISSING : 0) | (tree_is_true(tree_gets(&t, "json")) ? JSONPATH_AS_JSON : 0);
		struct slice why = tree_text(tree_gets(&t, "error")), want = tree_text(tree_gets(&t, "output"));
		int r = jsonpath_parse(tree_text(tree_gets(&t, "template")), 0, &a, &p, &e);
		if (r == 0)
			r = jsonpath_print(p, tree_gets(&d, "doc"), flags, &a, &out, &e);
		bool same = r < 0 ? slice_eq(why, slice_of(e.text)) : !why.len && slice_eq(want, buf_slice(&out));
		n++;
		if (same)
			continue;
		wrong++;
		buf_addf(&report, "%.*s allow %d json %d:\n  ours %s\n  want %.*s%.*s\n", SLICE_FMT(tree_text(tree_gets(&t, "template"))),
			!!(flags & JSONPATH_ALLOW_MISSING), !!(flags & JSONPATH_AS_JSON), r < 0 ? e.text : out.ptr, SLICE_FMT(why), SLICE_FMT(want));
	}
	CHECK(n > 100);
	if (wrong)
		test_fail(__FILE__, __LINE__, "%u of %u:\n%s", wrong, n, report.ptr);
}
