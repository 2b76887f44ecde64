/* SPDX-License-Identifier: Apache-2.0 */
/* The examples of kubernetes.io's JSONPath page and what users write. */
#include "base/test.h"
#include "schema/jsonpath.h"

static const char doc[] =
	"{\"kind\":\"List\",\"items\":["
	"{\"kind\":\"None\",\"metadata\":{\"name\":\"127.0.0.1\",\"labels\":{\"kubernetes.io/hostname\":\"127.0.0.1\"}},\"status\":{\"capacity\":{\"cpu\":\"4\"},\"addresses\":[{\"type\":\"LegacyHostIP\",\"address\":\"127.0.0.1\"}]}},"
	"{\"kind\":\"None\",\"metadata\":{\"name\":\"127.0.0.2\"},\"status\":{\"capacity\":{\"cpu\":\"8\"},\"n\":7,\"ready\":true,\"addresses\":[{\"type\":\"LegacyHostIP\",\"address\":\"127.0.0.2\"},{\"type\":\"another\",\"address\":\"127.0.0.3\"}]}}],"
	"\"users\":[{\"name\":\"myself\",\"user\":{}},{\"name\":\"e2e\",\"user\":{\"username\":\"admin\",\"password\":\"secret\"}}]}";

static const char *run(const char *template, unsigned flags)
{
	static char text[4096];
	struct arena a;
	struct tree t;
	struct jsonpath *p;
	struct err e = { 0 };
	struct buf out = BUF_INIT(4000);
	arena_init(&a, 1 << 20);
	CHECK_OK(tree_from_json(slice_of(doc), 0, &a, &t, &e), &e);
	int r = jsonpath_parse(slice_of(template), flags, &a, &p, &e);
	if (r == 0)
		r = jsonpath_print(p, &t, flags, &a, &out, &e);
	snprintf(text, sizeof text, "%s", r < 0 ? e.text : out.ptr);
	buf_release(&out);
	arena_release(&a);
	return text;
}

TEST(jsonpath_finds_what_the_manual_says)
{
	CHECK_STR(run("kind is {.kind}", 0), "kind is List");
	CHECK_STR(run("{['kind']}", 0), "List");
	CHECK_STR(run("{..name}", 0), "127.0.0.1 127.0.0.2 myself e2e");
	CHECK_STR(run("{.items[*].metadata.name}", 0), "127.0.0.1 127.0.0.2");
	CHECK_STR(run("{.users[0].name}", 0), "myself");
	CHECK_STR(run("{.users[-1:].name}", 0), "e2e");
	CHECK_STR(run("{.users[-1].name}", 0), "e2e");
	CHECK_STR(run("{.items[*]['metadata.name', 'status.capacity']}", 0), "127.0.0.1 {\"cpu\":\"4\"} 127.0.0.2 {\"cpu\":\"8\"}");
	CHECK_STR(run("{.users[?(@.name==\"e2e\")].user.password}", 0), "secret");
	CHECK_STR(run("{range .items[*]}[{.metadata.name}, {.status.capacity}] {end}", 0), "[127.0.0.1, {\"cpu\":\"4\"}] [127.0.0.2, {\"cpu\":\"8\"}] ");
	CHECK_STR(run("{range .items[*]}{.metadata.name}{'\\t'}{end}", 0), "127.0.0.1\t127.0.0.2\t");
	CHECK_STR(run("{.items[0].metadata.labels.kubernetes\\.io/hostname}", 0), "127.0.0.1");
	CHECK_STR(run("{.items[0].metadata.labels['kubernetes\\.io/hostname']}", 0), "127.0.0.1");
	CHECK_STR(run("{.users[0:2].name}", 0), "myself e2e");
	CHECK_STR(run("{.items[*].status.addresses[?(@.type!='LegacyHostIP')].address}", 0), "127.0.0.3");
	CHECK_STR(run("{.items[?(@.status.n>5)].metadata.name}", JSONPATH_ALLOW_MISSING), "127.0.0.2");
	CHECK_STR(run("{.items[?(@.status.ready)].metadata.name}", 0), "127.0.0.2");
	CHECK_STR(run("{.items[1].status.ready}", 0), "true");
}

TEST(jsonpath_nested_ranges_end_where_they_began)
{
	CHECK_STR(run("{range .items[*]}{.metadata.name}:{range .status.addresses[*]}{.address},{end};{end}", 0),
		"127.0.0.1:127.0.0.1,;127.0.0.2:127.0.0.2,127.0.0.3,;");
}

TEST(jsonpath_missing_keys_are_errors_unless_allowed)
{
	CHECK_STR(run("{.items[*].spec}", 0), "spec is not found");
	CHECK_STR(run("{.items[*].spec}", JSONPATH_ALLOW_MISSING), "");
	CHECK_STR(run("{.users[7]}", 0), "array index out of bounds: index 7, length 2");
}

TEST(jsonpath_relaxed_takes_bare_paths)
{
	CHECK_STR(run("users[0].name", JSONPATH_RELAXED), "myself");
	CHECK_STR(run(".kind", JSONPATH_RELAXED), "List");
	CHECK_STR(run("{.kind}", JSONPATH_RELAXED), "List");
	CHECK_STR(run("{.users[*].name}", JSONPATH_AS_JSON), "[\n    \"myself\",\n    \"e2e\"\n]\n");
}

TEST(jsonpath_refuses_broken_templates)
{
	CHECK_STR(run("{.kind", 0), "unclosed action");
	CHECK_STR(run("{.items[}", 0), "invalid array index");
	CHECK_STR(run("{range .items[*]}x", 0), "unexpected end of the template: a range is not ended");
	CHECK_STR(run("{end}", 0), "not in range, nothing to end");
	CHECK_STR(run("{foo}", 0), "unrecognized identifier foo");
	CHECK_STR(run("{.items[?(@.x=='a']}", 0), "unterminated filter");
}
