/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/tree.h"

#include "api/docker.h"
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

static const char *json(const struct tree *t, unsigned flags)
{
	AUTO(buf) struct buf b = BUF_INIT(16 << 20);
	CHECK_INT(tree_to_json(t, flags, &b), 0);
	return arena_dup(&a, buf_slice(&b));
}

TEST(a_tree_keeps_order_raw_numbers_and_null)
{
	static const char doc[] = "{\"z\":1.50,\"a\":[1e3,null,true,\"x\\\"y\"],\"m\":{},\"l\":[],\"big\":123456789012345678901234567890}";
	struct tree t = tree_of(doc);
	CHECK_STR(json(&t, 0), doc);
	CHECK_STR(json(&t, SCHEMA_SORTED), "{\"a\":[1e3,null,true,\"x\\\"y\"],\"big\":123456789012345678901234567890,\"l\":[],\"m\":{},\"z\":1.50}");
	CHECK_STR(json(tree_gets(&t, "a"), SCHEMA_INDENT), "[\n    1e3,\n    null,\n    true,\n    \"x\\\"y\"\n]");
}

TEST(the_last_of_equal_keys_counts)
{
	struct tree t = tree_of("{\"a\":1,\"b\":2,\"a\":3}");
	CHECK_STR(json(&t, 0), "{\"a\":3,\"b\":2}");
	struct tree u;
	CHECK_INT(tree_from_json(SLICE("{\"x\":{\"a\":1,\"a\":3}}"), SCHEMA_STRICT, &a, &u, &e), -EINVAL);
	CHECK_STR(e.text, "duplicate field \"a\"");
}

TEST(keys_that_come_twice_can_be_reported_with_their_paths)
{
	AUTO(buf) struct buf problems = BUF_INIT(4096);
	struct tree t;
	unsigned n;
	CHECK_OK(tree_from_json_report(SLICE("{\"a\":1,\"s\":{\"x\":1,\"l\":[1,{\"y\":1,\"y\":2}],\"x\":2,\"x\":3},\"a\":2}"), 0, &a, &t, &problems, &n, &e), &e);
	CHECK_STR(problems.ptr, "duplicate field \"s.l[1].y\", duplicate field \"s.x\", duplicate field \"a\"");
	CHECK_INT(n, 3);
	CHECK_STR(json(&t, 0), "{\"a\":2,\"s\":{\"x\":3,\"l\":[1,{\"y\":2}]}}");
	CHECK_OK(tree_from_json_report(SLICE("{\"a\":{\"b\":1},\"b\":1}"), 0, &a, &t, &problems, &n, &e), &e);
	CHECK_INT(n, 0);
}

TEST(paths_lead_through_maps_and_lists)
{
	struct tree t = tree_of("{\"spec\":{\"containers\":[{\"image\":\"a\"},{\"image\":\"b\"}]},\"labels\":{\"a.b/c\":\"d\"}}");
	CHECK_SLICE(tree_text(tree_path(&t, "spec.containers[1].image")), "b");
	CHECK_SLICE(tree_text(tree_path(&t, ".spec.containers[0].image")), "a");
	CHECK_SLICE(tree_text(tree_path(&t, "labels[\"a.b/c\"]")), "d");
	CHECK(!tree_path(&t, "spec.containers[2].image"));
	CHECK(!tree_path(&t, "spec.nothing.image"));
	CHECK(!tree_path(&t, "spec[0]"));
}

TEST(integers_are_read_in_every_spelling)
{
	struct tree t = tree_of("[12,1.0,1e3,1.5,99999999999999999999,\"1\",-9223372036854775808]");
	int64_t v;
	CHECK(tree_i64(tree_at(&t, 0), &v) == 0 && v == 12);
	CHECK(tree_i64(tree_at(&t, 1), &v) == 0 && v == 1);
	CHECK(tree_i64(tree_at(&t, 2), &v) == 0 && v == 1000);
	CHECK_INT(tree_i64(tree_at(&t, 3), &v), -EINVAL);
	CHECK_INT(tree_i64(tree_at(&t, 4), &v), -ERANGE);
	CHECK_INT(tree_i64(tree_at(&t, 5), &v), -EINVAL);
	CHECK(tree_i64(tree_at(&t, 6), &v) == 0 && v == INT64_MIN);
}

TEST(trees_are_edited_in_place)
{
	struct tree t = tree_of("{\"a\":1,\"l\":[]}"), n;
	for (int i = 0; i < 100; i++) {
		CHECK_INT(tree_int(&a, i, &n), 0);
		CHECK(tree_append(&a, tree_get_mut(&t, SLICE("l")), n) != NULL);
		CHECK(tree_set(&a, &t, slice_of(arena_fmt(&a, "k%d", i)), n) != NULL);
	}
	CHECK_INT(t.n, 102);
	CHECK_SLICE(tree_text(tree_path(&t, "l[99]")), "99");
	CHECK(tree_set(&a, &t, SLICE("a"), tree_string(SLICE("<"))) != NULL);
	CHECK(tree_remove(&t, SLICE("l")) && !tree_remove(&t, SLICE("l")));
	while (t.n > 2)
		tree_remove(&t, slice_n(t.members[1].key, t.members[1].key_len));
	CHECK_STR(json(&t, SCHEMA_ESCAPE_HTML), "{\"a\":\"\\u003c\",\"k99\":99}");
	struct tree l = tree_of("[1,2,3]");
	tree_remove_at(&l, 1);
	CHECK_STR(json(&l, 0), "[1,3]");
}

TEST(trees_compare_by_value)
{
	struct tree x = tree_of("{\"a\":1,\"b\":[1.0,{\"c\":null}]}"), y = tree_of("{\"b\":[1,{\"c\":null}],\"a\":1e0}"), z = tree_of("{\"a\":1,\"b\":[1]}"), c;
	CHECK(tree_equal(&x, &y));
	CHECK(!tree_equal(&x, &z));
	CHECK_INT(tree_copy(&x, &a, &c), 0);
	CHECK(tree_equal(&x, &c));
}

TEST(a_tree_becomes_a_struct_and_back)
{
	struct tree t = tree_of("{\"Name\":\"v\",\"Driver\":\"local\",\"Labels\":{\"a\":\"b\"}}"), back;
	struct docker_volume_create v;
	CHECK_OK(tree_to_struct(&t, T_docker_volume_create, SCHEMA_STRICT, &a, &v, &e), &e);
	CHECK_STR(v.name, "v");
	CHECK_OK(tree_from_struct(T_docker_volume_create, &v, &a, &back, &e), &e);
	CHECK_SLICE(tree_text(tree_path(&back, "Labels.a")), "b");
}

TEST(documents_that_are_no_json_or_too_deep_are_refused)
{
	struct tree t;
	CHECK_INT(tree_from_json(SLICE("{\"a\":}"), 0, &a, &t, &e), -EBADMSG);
	CHECK_STR(e.text, "invalid character '}' looking for beginning of value");
	CHECK_INT(tree_from_json(SLICE(""), 0, &a, &t, &e), -EBADMSG);
	CHECK_INT(tree_from_json(SLICE("[1] 2"), 0, &a, &t, &e), -EBADMSG);
	char deep[2 * TREE_MAX_DEPTH + 3];
	memset(deep, '[', TREE_MAX_DEPTH + 1);
	memset(deep + TREE_MAX_DEPTH + 1, ']', TREE_MAX_DEPTH + 1);
	CHECK_INT(tree_from_json(slice_n(deep, 2 * TREE_MAX_DEPTH + 2), 0, &a, &t, &e), -E2BIG);
}
