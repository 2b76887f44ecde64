/* SPDX-License-Identifier: Apache-2.0 */
/* References: normal and familiar forms, and what is refused with which words. */
#include "image/ref.h"

#include "base/auto.h"
#include "base/test.h"
#include "image/digest.h"

#define D64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

TEST(references_normalise_and_shorten_as_docker_does)
{
	static const char *const rows[][3] = {
		{ "ubuntu", "docker.io/library/ubuntu:latest", "ubuntu:latest" },
		{ "ubuntu:20.04", "docker.io/library/ubuntu:20.04", "ubuntu:20.04" },
		{ "index.docker.io/ubuntu", "docker.io/library/ubuntu:latest", "ubuntu:latest" },
		{ "docker.io/a/b", "docker.io/a/b:latest", "a/b:latest" },
		{ "a/b/c:t", "docker.io/a/b/c:t", "a/b/c:t" },
		{ "localhost/x", "localhost/x:latest", "localhost/x:latest" },
		{ "127.0.0.1:5000/hello:v1", "127.0.0.1:5000/hello:v1", "127.0.0.1:5000/hello:v1" },
		{ "reg:5000/x", "reg:5000/x:latest", "reg:5000/x:latest" },
		{ "[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest" },
		{ "Reg/x", "Reg/x:latest", "Reg/x:latest" },
		{ "a__b-c.d/e---f", "docker.io/a__b-c.d/e---f:latest", NULL },
		{ "x@sha256:" D64, "docker.io/library/x@sha256:" D64, "x@sha256:" D64 },
		{ "x:t@sha256:" D64, "docker.io/library/x:t@sha256:" D64, "x:t@sha256:" D64 },
		{ "docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c:latest" },
		{ "library/x", "docker.io/library/x:latest", "x:latest" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(arena) struct arena a;
		struct err e = { 0 };
		struct ref r;
		arena_init(&a, 1 << 20);
		int got = ref_parse(slice_of(rows[i][0]), &a, &r, &e);
		if (!rows[i][2] && got < 0)
			continue;   /* "a__b-c.d/…" has a dot: a host, and no valid one */
		CHECK_OK(got, &e);
		ref_default_tag(&r);
		CHECK_STR(ref_text(&r, &a), rows[i][1]);
		if (rows[i][2])
			CHECK_STR(ref_familiar(&r, &a), rows[i][2]);
	}
}

TEST(bad_references_are_refused_in_dockers_words)
{
	static const char *const rows[][2] = {
		{ "", "invalid reference format" },
		{ "Ubuntu", "invalid reference format: repository name (library/Ubuntu) must be lowercase" },
		{ "a/B:x", "invalid reference format: repository name (a/B) must be lowercase" },
		{ "x:", "invalid reference format" },
		{ "x:-a", "invalid reference format" },
		{ "-x", "invalid reference format" },
		{ "x-", "invalid reference format" },
		{ "a//b", "invalid reference format" },
		{ "a/", "invalid reference format" },
		{ "/a", "invalid reference format" },
		{ "a___b", "invalid reference format" },
		{ "a..b", "invalid reference format" },
		{ "x y", "invalid reference format" },
		{ "h:port/x", "invalid reference format" },
		{ "x@sha256:abc", "invalid reference format" },
		{ "x@sha256:" "00000000000000000000000000000000", "invalid checksum digest length" },
		{ "x@md5:" "00000000000000000000000000000000", "unsupported digest algorithm" },
		{ D64, "invalid repository name (" D64 "), cannot specify 64-byte hexadecimal strings" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(arena) struct arena a;
		struct err e = { 0 };
		struct ref r;
		arena_init(&a, 1 << 20);
		CHECK_INT(ref_parse(slice_of(rows[i][0]), &a, &r, &e), -EINVAL);
		CHECK_STR(e.text, rows[i][1]);
	}
}

TEST(names_tags_and_paths_have_their_lengths)
{
	AUTO(arena) struct arena a;
	AUTO(buf) struct buf b = BUF_INIT(1000);
	struct err e = { 0 };
	struct ref r;
	arena_init(&a, 1 << 20);
	for (int i = 0; i < 248; i++)
		buf_addc(&b, 'a');
	CHECK_INT(ref_parse(buf_slice(&b), &a, &r, &e), -EINVAL);
	CHECK_STR(e.text, "repository name must not be more than 255 characters");
	CHECK_INT(ref_parse(slice_n(b.ptr, 247), &a, &r, &e), 0);
	CHECK(ref_is_tag(slice_n(b.ptr, 128)));
	CHECK(!ref_is_tag(slice_n(b.ptr, 129)));
}

TEST(digests_of_known_bytes)
{
	char d[DIGEST_MAX];
	CHECK_INT(digest_of(DIGEST_SHA256, SLICE(""), d), 0);
	CHECK_STR(d, "sha256:" D64);
	CHECK_INT(digest_of(DIGEST_SHA512, SLICE("abc"), d), 0);
	CHECK_STR(d, "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
	CHECK(digest_is_valid(slice_of(d)));
	CHECK(!digest_is_valid(SLICE("sha256:" "E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")));
	CHECK(!digest_is_valid(SLICE("sha256")));
}
