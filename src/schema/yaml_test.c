/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/tree.h"

#include "base/auto.h"
#include "base/test.h"

static struct arena a = { .max_bytes = 64 << 20 };
static struct err e;

static void means(const char *yaml, const char *want)
{
	struct tree t;
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	CHECK_OK(tree_from_yaml(slice_of(yaml), 0, &a, &t, &e), &e);
	CHECK_INT(t.n, 1);
	CHECK_INT(tree_to_json(&t.items[0], 0, &b), 0);
	CHECK_STR(b.ptr, want);
}

static void refused(const char *yaml, unsigned flags, int code, const char *why)
{
	struct tree t;
	CHECK_INT(tree_from_yaml(slice_of(yaml), flags, &a, &t, &e), code);
	CHECK_STR(e.text, why);
}

TEST(yaml_scalars_mean_what_they_mean_to_kubernetes)
{
	means("a: yes", "{\"a\":true}");
	means("a: 'yes'", "{\"a\":\"yes\"}");
	means("a: 0777", "{\"a\":511}");
	means("a: 0x1F", "{\"a\":31}");
	means("a: 0b101", "{\"a\":5}");
	means("a: 1_000", "{\"a\":1000}");
	means("a: +12", "{\"a\":12}");
	means("a: 1.50", "{\"a\":1.50}");
	means("a: .5", "{\"a\":0.5}");
	means("a: 1e3", "{\"a\":1e3}");
	means("a: 08", "{\"a\":8}");
	means("a: -0x10", "{\"a\":-16}");
	means("a: ~", "{\"a\":null}");
	means("a:", "{\"a\":null}");
	means("a: 2026-01-02T03:04:05Z", "{\"a\":\"2026-01-02T03:04:05Z\"}");
	means("a: 1.2.3", "{\"a\":\"1.2.3\"}");
	means("a: 100m", "{\"a\":\"100m\"}");
	means("a: !!str 12", "{\"a\":\"12\"}");
	means("1: x", "{\"1\":\"x\"}");
	means("on: x", "{\"true\":\"x\"}");
}

TEST(yaml_structures_anchors_and_merges_are_read)
{
	means("- a\n- {b: [1, 2]}\n- |\n  x\n  y\n", "[\"a\",{\"b\":[1,2]},\"x\\ny\\n\"]");
	means("a: &x {k: 1}\nb: *x\n", "{\"a\":{\"k\":1},\"b\":{\"k\":1}}");
	means("base: &x {k: 1, l: 2}\nc:\n  <<: *x\n  k: 3\n", "{\"base\":{\"k\":1,\"l\":2},\"c\":{\"k\":3,\"l\":2}}");
	means("{\"json\": [1, true]}", "{\"json\":[1,true]}");
}

TEST(yaml_streams_have_many_documents)
{
	struct tree t;
	CHECK_OK(tree_from_yaml(SLICE("a: 1\n---\nb: 2\n---\n# nothing\n"), 0, &a, &t, &e), &e);
	CHECK_INT(t.n, 3);
	CHECK_INT(t.items[2].type, TREE_NULL);
	CHECK_OK(tree_from_yaml(SLICE(""), 0, &a, &t, &e), &e);
	CHECK_INT(t.n, 0);
}

TEST(yaml_mistakes_are_named_with_their_line)
{
	refused("a: 1\nb: c: d\n", 0, -EBADMSG, "yaml: line 2: mapping values are not allowed in this context");
	refused("a:\n\t- b\n", 0, -EBADMSG, "yaml: line 2: found character that cannot start any token");
	refused("a: *x\n", 0, -EINVAL, "yaml: unknown anchor 'x' referenced");
	refused("a: 1\nb: 2\na: 3\n", SCHEMA_STRICT, -EINVAL, "yaml: unmarshal errors:\n  line 3: key \"a\" already set in map");
	means("a: 1\na: 3\n", "{\"a\":3}");
}

TEST(yaml_that_grows_by_aliases_meets_the_ceiling)
{
	AUTO(buf) struct buf b = BUF_INIT(4096);
	buf_adds(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 12; i++)
		buf_addf(&b, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1,
			i - 1, i - 1, i - 1);
	struct tree t;
	CHECK_INT(tree_from_yaml(buf_slice(&b), 0, &a, &t, &e), -E2BIG);
}

TEST(yaml_is_written_as_kubectl_writes_it)
{
	struct tree t;
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	CHECK_OK(tree_from_json(SLICE("{\"z\":[],\"m\":{},\"l\":[{\"a\":1,\"b\":null},\"x\"],\"s\":[\"yes\",\"12\",\"\",\"2026-01-02\",\"1:20\",\"a: b\",\"-\","
		"\"null\",\"multi\\nline\\n\",\"#c\",\"plain text\",\"<<\"],\"f\":1.50,\"t\":true}"), 0, &a, &t, &e), &e);
	CHECK_INT(tree_to_yaml(&t, 0, &b), 0);
	CHECK_STR(b.ptr, "z: []\nm: {}\nl:\n- a: 1\n  b: null\n- x\ns:\n- \"yes\"\n- \"12\"\n- \"\"\n- \"2026-01-02\"\n- \"1:20\"\n- 'a: b'\n- '-'\n"
		"- \"null\"\n- |\n  multi\n  line\n- '#c'\n- plain text\n- \"<<\"\nf: 1.50\nt: true\n");
	struct tree back;
	CHECK_OK(tree_from_yaml(buf_slice(&b), SCHEMA_STRICT, &a, &back, &e), &e);
	CHECK(tree_equal(&t, &back.items[0]));
	buf_reset(&b);
	CHECK_INT(tree_to_yaml(&t, SCHEMA_SORTED, &b), 0);
	CHECK(!strncmp(b.ptr, "f: 1.50\nl:\n", 10));
}
