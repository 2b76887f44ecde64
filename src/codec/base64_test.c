/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 against RFC 4648 section 10. */
#include "codec/base64.h"

#include <errno.h>

#include "base/auto.h"
#include "base/test.h"

static const char *const vectors[][2] = {
	{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
};

TEST(base64_vectors_of_the_standard_go_both_ways)
{
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		AUTO(buf) struct buf b = BUF_INIT(100), c = BUF_INIT(100);
		CHECK_INT(base64_encode(&b, slice_of(vectors[i][0]), false), 0);
		CHECK_STR(b.ptr, vectors[i][1]);
		CHECK_INT(base64_decode(&c, buf_slice(&b)), 0);
		CHECK_STR(c.ptr, vectors[i][0]);
	}
}

TEST(base64_reads_the_url_alphabet_and_missing_padding)
{
	AUTO(buf) struct buf b = BUF_INIT(100), c = BUF_INIT(100);
	CHECK_INT(base64_encode(&b, slice_n("\xfb\xff\xfe\xff", 4), true), 0);
	CHECK_STR(b.ptr, "-__-_w==");
	CHECK_INT(base64_decode(&c, SLICE("-__-_w")), 0);
	CHECK(slice_eq(buf_slice(&c), slice_n("\xfb\xff\xfe\xff", 4)));
}

TEST(base64_refuses_what_is_not_base64)
{
	static const char *const bad[] = { "A", "A===", "AB=C", "A B=", "AAA==", "\x80\x80\x80\x80" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		AUTO(buf) struct buf b = BUF_INIT(100);
		CHECK_INT(base64_decode(&b, slice_of(bad[i])), -EINVAL);
	}
}
