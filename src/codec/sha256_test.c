/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/sha256.h"

#include "base/test.h"

TEST(sha256_of_the_standards_examples)
{
	struct sha256 s;
	char hex[65];
	sha256_init(&s);
	sha256_end_hex(&s, hex);
	CHECK_STR(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_init(&s);
	sha256_add(&s, "abc", 3);
	sha256_end_hex(&s, hex);
	CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_init(&s);
	sha256_add(&s, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56);
	sha256_end_hex(&s, hex);
	CHECK_STR(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(sha256_of_a_million_letters_in_odd_pieces)
{
	struct sha256 s;
	char hex[65], a[997];
	memset(a, 'a', sizeof a);
	sha256_init(&s);
	size_t left = 1000000;
	for (size_t n = 1; left; n = n * 7 % 997 + 1) {
		size_t m = n < left ? n : left;
		sha256_add(&s, a, m);
		left -= m;
	}
	sha256_end_hex(&s, hex);
	CHECK_STR(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
