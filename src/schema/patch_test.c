/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/patch.h"

#include "base/auto.h"
#include "base/test.h"

static struct arena a = { .max_bytes = 64 << 20 };
static struct err e;

static struct tree tree_of(const char *doc)
{
	struct tree t;
	CHECK_OK(tree_from_json(slice_of(doc), 0, &a, &t, &e), &e);
	return t;
}

static const char *json(const struct tree *t)
{
	AUTO(buf) struct buf b = BUF_INIT(16 << 20);
	CHECK_INT(tree_to_json(t, 0, &b), 0);
	return arena_dup(&a, buf_slice(&b));
}

typedef int patcher(const struct tree *doc, const struct tree *patch, struct arena *arena, struct tree *ret, struct err *err);

static void gives(patcher *run, const char *doc, const char *patch, const char *want)
{
	struct tree d = tree_of(doc), p = tree_of(patch), out;
	CHECK_OK(run(&d, &p, &a, &out, &e), &e);
	CHECK_STR(json(&out), want);
	CHECK_STR(json(&d), doc);
}

static void refuses(patcher *run, const char *doc, const char *patch, int code, const char *why)
{
	struct tree d = tree_of(doc), p = tree_of(patch), out;
	CHECK_INT(run(&d, &p, &a, &out, &e), code);
	CHECK_STR(e.text, why);
	CHECK_STR(json(&d), doc);
}

/* RFC 6902, appendix A */
TEST(json_patch_does_what_its_specification_shows)
{
	static const char *const rows[][3] = {
		{ "{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]", "{\"foo\":\"bar\",\"baz\":\"qux\"}" },
		{ "{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]", "{\"foo\":[\"bar\",\"qux\",\"baz\"]}" },
		{ "{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"remove\",\"path\":\"/baz\"}]", "{\"foo\":\"bar\"}" },
		{ "{\"foo\":[\"bar\",\"qux\",\"baz\"]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]", "{\"foo\":[\"bar\",\"baz\"]}" },
		{ "{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]", "{\"baz\":\"boo\",\"foo\":\"bar\"}" },
		{ "{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":\"grault\"}}",
		  "[{\"op\":\"move\",\"from\":\"/foo/waldo\",\"path\":\"/qux/thud\"}]",
		  "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\",\"thud\":\"fred\"}}" },
		{ "{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}", "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",
		  "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}" },
		{ "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}", "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},{\"op\":\"test\",\"path\":\"/foo/1\",\"value\":2}]",
		  "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}" },
		{ "{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/child\",\"value\":{\"grandchild\":{}}}]", "{\"foo\":\"bar\",\"child\":{\"grandchild\":{}}}" },
		{ "{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"xyz\":123}]", "{\"foo\":\"bar\",\"baz\":\"qux\"}" },
		{ "{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10}]", "{\"/\":9,\"~1\":10}" },
		{ "{\"foo\":[\"bar\"]}", "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"abc\",\"def\"]}]", "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}" },
		{ "{\"a\":{\"b\":[1,{\"c\":2}]}}", "[{\"op\":\"copy\",\"from\":\"/a/b\",\"path\":\"/d\"},{\"op\":\"add\",\"path\":\"/d/1/c\",\"value\":3}]",
		  "{\"a\":{\"b\":[1,{\"c\":2}]},\"d\":[1,{\"c\":3}]}" },
		{ "{\"a\":[1,2,3]}", "[{\"op\":\"remove\",\"path\":\"/a/-1\"},{\"op\":\"replace\",\"path\":\"/a/-2\",\"value\":0}]", "{\"a\":[0,2]}" },
		{ "{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":2},{\"op\":\"test\",\"path\":\"/c\"}]", "{\"a\":1,\"b\":2}" },
		{ "{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"b\":1}}]", "{\"b\":1}" },
		{ "{\"metadata\":{}}", "[{\"op\":\"add\",\"path\":\"/metadata/labels\",\"value\":{}},{\"op\":\"add\",\"path\":\"/metadata/labels/a~1b\",\"value\":\"c\"}]",
		  "{\"metadata\":{\"labels\":{\"a/b\":\"c\"}}}" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		gives(tree_json_patch, rows[i][0], rows[i][1], rows[i][2]);
}

TEST(json_patches_that_do_not_fit_are_refused_in_kubernetes_words)
{
	static const struct { const char *doc, *patch; int code; const char *why; } rows[] = {
		{ "{\"baz\":\"qux\"}", "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"bar\"}]", -EBADE, "testing value /baz failed: test failed" },
		{ "{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":\"10\"}]", -EBADE, "testing value /~01 failed: test failed" },
		{ "{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz/bat\",\"value\":\"qux\"}]", -EDOM,
		  "add operation does not apply: doc is missing path: \"/baz/bat\": missing value" },
		{ "{\"foo\":\"bar\"}", "[{\"op\":\"remove\",\"path\":\"/baz\"}]", -EDOM,
		  "error in remove for path: '/baz': Unable to remove nonexistent key: baz: missing value" },
		{ "{\"foo\":[1]}", "[{\"op\":\"add\",\"path\":\"/foo/3\",\"value\":1}]", -EDOM,
		  "error in add for path: '/foo/3': Unable to access invalid index: 3: invalid index referenced" },
		{ "{\"foo\":[1]}", "[{\"op\":\"replace\",\"path\":\"/foo/x\",\"value\":1}]", -EDOM,
		  "replace operation does not apply: doc is missing key: /foo/x: missing value" },
		{ "{}", "[{\"op\":\"frob\",\"path\":\"/foo\"}]", -EDOM, "Unexpected kind: frob" },
		{ "{}", "{\"op\":\"add\"}", -EBADMSG, "json: cannot unmarshal object into Go value of type jsonpatch.Patch" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		refuses(tree_json_patch, rows[i].doc, rows[i].patch, rows[i].code, rows[i].why);
}

TEST(copies_that_double_and_double_meet_a_ceiling)
{
	struct tree doc = tree_of("{\"a\":{\"x\":\"0123456789\"}}"), patch = tree_list(), out;
	struct tree wide = tree_of("{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/b\"}");
	for (int i = 0; i < 300; i++)
		CHECK(tree_append(&a, &patch, wide) != NULL);
	CHECK_INT(tree_json_patch(&doc, &patch, &a, &out, &e), -E2BIG);
}

/* RFC 7396, appendix A */
TEST(merge_patch_does_what_its_specification_shows)
{
	static const char *const rows[][3] = {
		{ "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
		{ "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
		{ "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
		{ "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
		{ "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
		{ "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
		{ "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
		{ "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
		{ "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
		{ "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		gives(tree_merge_patch, rows[i][0], rows[i][1], rows[i][2]);
	refuses(tree_merge_patch, "{}", "null", -EBADMSG, "Invalid JSON Patch");
}

TEST(a_merge_diff_holds_what_changed_and_null_for_what_went)
{
	gives(tree_merge_diff, "{\"a\":1,\"b\":{\"c\":1,\"d\":[1]},\"z\":{\"y\":1}}", "{\"a\":1,\"b\":{\"d\":[2]},\"e\":\"f\",\"z\":{\"y\":1}}",
		"{\"b\":{\"d\":[2],\"c\":null},\"e\":\"f\"}");
	gives(tree_merge_diff, "{\"a\":1}", "{\"a\":1.0}", "{}");
}

TEST(a_merge_diff_of_three_deletes_only_what_was_applied_before)
{
	struct tree original = tree_of("{\"spec\":{\"a\":1,\"gone\":2}}"), modified = tree_of("{\"spec\":{\"a\":5}}");
	struct tree current = tree_of("{\"spec\":{\"a\":1,\"gone\":2,\"theirs\":3},\"status\":{}}"), out;
	CHECK_OK(tree_merge_diff3(&original, &modified, &current, &a, &out, &e), &e);
	CHECK_STR(json(&out), "{\"spec\":{\"gone\":null,\"a\":5}}");
	CHECK_OK(tree_merge_diff3(NULL, &modified, &current, &a, &out, &e), &e);
	CHECK_STR(json(&out), "{\"spec\":{\"a\":5}}");
}

TEST(patches_without_room_fail_and_nothing_else)
{
	struct tree doc = tree_of("{\"a\":{\"b\":[1,2,3],\"c\":\"d\"}}"), merge = tree_of("{\"a\":{\"x\":{\"y\":1}}}");
	struct tree patch = tree_of("[{\"op\":\"add\",\"path\":\"/a/b/-\",\"value\":{\"z\":1}}]");
	struct arena tiny;
	struct tree out;
	arena_init(&tiny, 0);
	CHECK_INT(tree_json_patch(&doc, &patch, &tiny, &out, &e), -E2BIG);
	CHECK_INT(tree_merge_patch(&doc, &merge, &tiny, &out, &e), -E2BIG);
	CHECK_INT(tree_merge_diff(&doc, &merge, &tiny, &out, &e), -E2BIG);
	arena_release(&tiny);
}
