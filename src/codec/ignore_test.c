/* SPDX-License-Identifier: Apache-2.0 */
/* .dockerignore patterns. */
#include "base/test.h"
#include "codec/ignore.h"

static bool out(const char *patterns, const char *path)
{
	static struct arena a;
	struct ignore x;
	struct err e;

	arena_release(&a);
	arena_init(&a, 1 << 20);
	CHECK_OK(ignore_parse(&a, slice_of(patterns), &x, &e), &e);
	return ignore_matches(&x, path);
}

TEST(ignore_plain_patterns_match_from_the_root)
{
	CHECK(out("a", "a") && out("a", "a/b") && !out("a", "b/a") && out("/a", "a") && out("a/", "a/x"));
	CHECK(out("*.md", "x.md") && !out("*.md", "d/x.md") && out("*/x", "d/x") && !out("*/x", "x"));
	CHECK(out("?.c", "a.c") && !out("?.c", "ab.c") && out("[a-c].c", "b.c") && !out("[^a-c].c", "b.c"));
	CHECK(out("a\\*b", "a*b") && !out("a\\*b", "axb"));
}

TEST(ignore_two_stars_cross_folders)
{
	CHECK(out("**/x", "x") && out("**/x", "a/b/x") && !out("**/x", "a/bx"));
	CHECK(out("a/**", "a/b/c") && out("**", "anything/at/all") && out("a/**/z", "a/z") && out("a/**/z", "a/b/c/z"));
	CHECK(out("**/*.go", "a/b.go") && out("**/*.go", "b.go"));
}

TEST(ignore_last_match_wins)
{
	CHECK(!out("*.md\n!README.md", "README.md") && out("*.md\n!README.md", "other.md"));
	CHECK(out("*.md\n!README*.md\nREADME-secret.md", "README-secret.md"));
	CHECK(!out("dir\n!dir/keep", "dir/keep") && out("dir\n!dir/keep", "dir/drop"));
	CHECK(!out("*\n!src", "src/a.c") && out("*\n!src", "doc/a"));
	CHECK(!out("# comment\n\n  \n", "# comment"));
}
