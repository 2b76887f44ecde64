/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/test.h"
#include "unpack/unpack_int.h"

TEST(wildcards_match_as_in_go)
{
	static const struct { const char *pattern, *name; int want; } rows[] = {
		{ "abc", "abc", 1 }, { "*", "abc", 1 }, { "*c", "abc", 1 }, { "a*", "a", 1 }, { "a*", "abc", 1 }, { "a*", "ab/c", 0 },
		{ "a*/b", "abc/b", 1 }, { "a*/b", "a/c/b", 0 }, { "a*b*c*d*e*/f", "axbxcxdxe/f", 1 }, { "a*b*c*d*e*/f", "axbxcxdxexxx/f", 1 },
		{ "a*b*c*d*e*/f", "axbxcxdxe/xxx/f", 0 }, { "a*b*c*d*e*/f", "axbxcxdxexxx/fff", 0 }, { "a*b?c*x", "abxbbxdbxebxczzx", 1 },
		{ "a*b?c*x", "abxbbxdbxebxczzy", 0 }, { "ab[c]", "abc", 1 }, { "ab[b-d]", "abc", 1 }, { "ab[e-g]", "abc", 0 },
		{ "ab[^c]", "abc", 0 }, { "ab[^b-d]", "abc", 0 }, { "ab[^e-g]", "abc", 1 }, { "a\\*b", "a*b", 1 }, { "a\\*b", "ab", 0 },
		{ "a?b", "a\xe2\x98\xba" "b", 1 }, { "a[^a]b", "a\xe2\x98\xba" "b", 1 }, { "a???b", "a\xe2\x98\xba" "b", 0 }, { "[a-\xce\xb6]*", "\xce\xb1", 1 },
		{ "*[a-\xce\xb6]", "A", 0 }, { "a?b", "a/b", 0 }, { "a*b", "a/b", 0 }, { "[\\]a]", "]", 1 }, { "[\\-]", "-", 1 },
		{ "[x\\-]", "x", 1 }, { "[x\\-]", "z", 0 }, { "[\\-x]", "a", 0 }, { "[]a]", "]", -EINVAL }, { "[-]", "-", -EINVAL },
		{ "[x-]", "x", -EINVAL }, { "[-x]", "x", -EINVAL }, { "\\", "a", -EINVAL }, { "[a-b-c]", "a", -EINVAL }, { "[", "a", -EINVAL },
		{ "[^", "a", -EINVAL }, { "[^bc", "a", -EINVAL }, { "a[", "a", -EINVAL }, { "a[", "ab", -EINVAL }, { "a[", "x", -EINVAL },
		{ "a/b[", "x", -EINVAL }, { "*x", "xxx", 1 }, { "", "", 1 }, { "", "a", 0 }, { "*", "", 1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int got = unpack_match(rows[i].pattern, rows[i].name);
		if (got != rows[i].want)
			test_fail(__FILE__, __LINE__, "%s against %s: %d, not %d", rows[i].pattern, rows[i].name, got, rows[i].want);
	}
	CHECK(unpack_has_wildcards("a?") && unpack_has_wildcards("[") && !unpack_has_wildcards("a\\*b") && !unpack_has_wildcards("abc"));
}

TEST(file_modes_are_gos)
{
	CHECK_INT(unpack_go_mode(S_IFREG | 04755), 1u << 23 | 0755);
	CHECK_INT(unpack_go_mode(S_IFDIR | 01777), 1u << 31 | 1u << 20 | 0777);
	CHECK_INT(unpack_go_mode(S_IFLNK | 0777), 1u << 27 | 0777);
	CHECK_INT(unpack_go_mode(S_IFCHR | 0600), 1u << 26 | 1u << 21 | 0600);
}

TEST(paths_of_archives_stay_inside)
{
	char p[64];
	CHECK(unpack_path_inside(p, "/etc//passwd") == 0);
	CHECK_STR(p, "etc/passwd");
	CHECK(unpack_path_inside(p, "./") == 0);
	CHECK_STR(p, ".");
	CHECK(unpack_path_inside(p, "a/../b/") == 0);
	CHECK_STR(p, "b");
	CHECK_INT(unpack_path_inside(p, "a/../../b"), -EXDEV);
	CHECK_INT(unpack_path_inside(p, ".."), -EXDEV);
	CHECK_INT(unpack_path_inside(p, "/../etc/passwd"), -EXDEV);
}

TEST(skipped_paths_take_what_is_below_along)
{
	const char *skip[] = { "/etc/hosts", "dev/" };
	struct unpack_job j = { .skip = skip, .n_skip = 2 };
	CHECK(unpack_is_skipped(&j, "etc/hosts") && unpack_is_skipped(&j, "dev") && unpack_is_skipped(&j, "dev/pts"));
	CHECK(!unpack_is_skipped(&j, "etc/hosts.allow") && !unpack_is_skipped(&j, "etc") && !unpack_is_skipped(&j, "devel"));
}
