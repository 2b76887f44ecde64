/* SPDX-License-Identifier: Apache-2.0 */
/* gzip, zstd and plain streams through small windows, cut short and broken. */
#include "codec/compress.h"

#include <errno.h>

#include "base/auto.h"
#include "base/test.h"

static void squeeze(enum compression c, int level, struct slice s, struct buf *out)
{
	AUTO(deflate) struct deflate *d = NULL;
	char tmp[37];
	CHECK_INT(deflate_new(c, level, &d), 0);
	while (!deflate_is_done(d)) {
		struct slice in = slice_n(s.ptr, MIN(s.len, (size_t)1000));
		size_t before = in.len;
		ssize_t n = deflate_step(d, &in, before == s.len, tmp, sizeof tmp);
		CHECK(n >= 0);
		s.ptr += before - in.len;
		s.len -= before - in.len;
		buf_add(out, tmp, (size_t)n);
	}
}

/* Feeds `piece` bytes at a time; the bytes, or -errno. */
static int unsqueeze(enum compression c, struct slice s, size_t piece, struct buf *out, bool *is_whole)
{
	AUTO(inflate) struct inflate *x = NULL;
	char tmp[53];
	CHECK_INT(inflate_new(c, &x), 0);
	while (s.len) {
		struct slice in = slice_n(s.ptr, MIN(s.len, piece));
		s.ptr += in.len;
		s.len -= in.len;
		for (;;) {
			ssize_t n = inflate_step(x, &in, tmp, sizeof tmp);
			if (n < 0)
				return (int)n;
			buf_add(out, tmp, (size_t)n);
			if (n == 0 && in.len == 0)
				break;
		}
	}
	*is_whole = inflate_is_whole(x);
	return 0;
}

static void sample(struct buf *b)
{
	for (int i = 0; i < 5000; i++)
		buf_addf(b, "line %d of %d\n", i * 7919 % 5003, i % 13);
}

TEST(every_kind_and_level_gives_back_what_went_in)
{
	static const struct { enum compression c; int level; } rows[] = {
		{ COMPRESSION_NONE, 0 }, { COMPRESSION_GZIP, 0 }, { COMPRESSION_GZIP, 2 }, { COMPRESSION_GZIP, 3 },
		{ COMPRESSION_GZIP, 6 }, { COMPRESSION_ZSTD, 0 }, { COMPRESSION_ZSTD, 10 },
	};
	AUTO(buf) struct buf in = BUF_INIT(1 << 20);
	sample(&in);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t piece = 1; piece < 100000; piece = piece * 17 + 3) {
			AUTO(buf) struct buf z = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
			bool whole = false;
			squeeze(rows[i].c, rows[i].level, buf_slice(&in), &z);
			CHECK_INT(compression_detect(buf_slice(&z)), rows[i].c);
			CHECK_INT(unsqueeze(rows[i].c, buf_slice(&z), piece, &out, &whole), 0);
			CHECK(slice_eq(buf_slice(&in), buf_slice(&out)));
			CHECK(whole);
		}
}

TEST(two_members_are_one_stream_and_padding_is_skipped)
{
	enum compression kinds[] = { COMPRESSION_GZIP, COMPRESSION_ZSTD };
	for (size_t i = 0; i < 2; i++) {
		AUTO(buf) struct buf z = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
		bool whole = false;
		squeeze(kinds[i], 0, SLICE("hello "), &z);
		squeeze(kinds[i], 0, SLICE("world"), &z);
		if (kinds[i] == COMPRESSION_GZIP)
			buf_add(&z, "\0\0\0\0", 4);
		CHECK_INT(unsqueeze(kinds[i], buf_slice(&z), 3, &out, &whole), 0);
		CHECK_STR(out.ptr, "hello world");
		CHECK(whole);
	}
}

TEST(a_stream_cut_short_is_not_whole_and_a_flipped_byte_is_refused)
{
	enum compression kinds[] = { COMPRESSION_GZIP, COMPRESSION_ZSTD };
	AUTO(buf) struct buf in = BUF_INIT(1 << 20);
	sample(&in);
	for (size_t i = 0; i < 2; i++) {
		AUTO(buf) struct buf z = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
		bool whole = true;
		squeeze(kinds[i], 0, buf_slice(&in), &z);
		CHECK_INT(unsqueeze(kinds[i], slice_n(z.ptr, z.len - 3), 1000, &out, &whole), 0);
		CHECK(!whole);
		buf_reset(&out);
		z.ptr[z.len / 2] ^= 0x20;
		CHECK_INT(unsqueeze(kinds[i], buf_slice(&z), 1000, &out, &whole), -EBADMSG);
	}
}

TEST(bzip2_and_xz_are_known_by_name_only)
{
	struct inflate *x = NULL;
	CHECK_INT(compression_detect(SLICE("BZh91AY")), COMPRESSION_BZIP2);
	CHECK_INT(compression_detect(slice_n("\xfd""7zXZ\0", 6)), COMPRESSION_XZ);
	CHECK_INT(inflate_new(COMPRESSION_XZ, &x), -ENOTSUP);
	CHECK_STR(compression_name(COMPRESSION_BZIP2), "bzip2");
}

/* Found by the fuzzer: isa-l refuses the reference before the start, and by then has counted its input below zero. */
TEST(a_broken_gzip_stream_leaves_the_input_in_its_bounds)
{
	static const unsigned char bad[] = {
		0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0xa2, 0x48, 0xcd, 0xc9, 0xc9, 0xe7, 2, 0, 0x20, 0x30, 0x3a, 0x36, 6, 0, 0, 0,
	};
	AUTO(inflate) struct inflate *x = NULL;
	char out[256];
	struct slice in = slice_n(bad, sizeof bad);
	CHECK_INT(inflate_new(COMPRESSION_GZIP, &x), 0);
	CHECK_INT(inflate_step(x, &in, out, sizeof out), -EBADMSG);
	CHECK(in.len <= sizeof bad);
	CHECK(in.ptr >= (const char *)bad && in.ptr + in.len <= (const char *)bad + sizeof bad);
}

/* A header with a name and a comment, as `gzip FILE` and others write it. */
TEST(a_gzip_header_with_a_name_may_come_in_any_pieces)
{
	static const unsigned char named[] = {
		0x1f, 0x8b, 8, 0x18, 0, 0, 0, 0, 0, 3, 'n', 'a', 'm', 'e', 0, 'w', 'h', 'y', 0,
		1, 2, 0, 0xfd, 0xff, 'o', 'k', 0x47, 0xdd, 0xdc, 0x79, 2, 0, 0, 0,
	};
	for (size_t piece = 1; piece <= sizeof named; piece++) {
		AUTO(buf) struct buf out = BUF_INIT(100);
		bool whole = false;
		CHECK_INT(unsqueeze(COMPRESSION_GZIP, slice_n(named, sizeof named), piece, &out, &whole), 0);
		CHECK(whole && slice_is(buf_slice(&out), "ok"));
	}
}
