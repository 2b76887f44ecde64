/* SPDX-License-Identifier: Apache-2.0 */
/* Digests by OpenSSL's EVP; only SHA-2, whose state is small and needs no clean-up of secrets. */
#include "image/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/auto.h"

static const struct {
	const char *name;
	size_t bytes;
} algorithms[] = {
	[DIGEST_SHA256] = { "sha256", 32 },
	[DIGEST_SHA512] = { "sha512", 64 },
};

struct hasher {
	enum digest_algorithm algorithm;
	EVP_MD_CTX *ctx;
};

int digest_algorithm_named(struct slice name, enum digest_algorithm *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
		if (slice_is(name, algorithms[i].name)) {
			*ret = (enum digest_algorithm)i;
			return 0;
		}
	return -EINVAL;
}

int digest_parse(struct slice s, enum digest_algorithm *ret, struct err *e)
{
	struct slice name, hex;
	enum digest_algorithm a;
	if (!slice_cut(s, ':', &name, &hex) || name.len == 0 || hex.len == 0)
		return err_set(e, EINVAL, "invalid checksum digest format");
	for (size_t i = 0; i < name.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789+._-", name.ptr[i]) || name.ptr[i] == 0)
			return err_set(e, EINVAL, "invalid checksum digest format");
	if (digest_algorithm_named(name, &a) < 0)
		return err_set(e, EINVAL, "unsupported digest algorithm");
	if (hex.len != algorithms[a].bytes * 2)
		return err_set(e, EINVAL, "invalid checksum digest length");
	for (size_t i = 0; i < hex.len; i++)
		if (!((hex.ptr[i] >= '0' && hex.ptr[i] <= '9') || (hex.ptr[i] >= 'a' && hex.ptr[i] <= 'f')))
			return err_set(e, EINVAL, "invalid checksum digest format");
	*ret = a;
	return 0;
}

struct slice digest_hex(const char *digest)
{
	return slice_of(digest + 7);
}

static int hasher_begin(struct hasher *h)
{
	const EVP_MD *md = h->algorithm == DIGEST_SHA512 ? EVP_sha512() : EVP_sha256();
	return EVP_DigestInit_ex(h->ctx, md, NULL) == 1 ? 0 : -ENOMEM;
}

int hasher_new(enum digest_algorithm a, struct hasher **ret)
{
	struct hasher *h = calloc(1, sizeof *h);
	if (!h)
		return -ENOMEM;
	h->algorithm = a;
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx || hasher_begin(h) < 0) {
		hasher_free(h);
		return -ENOMEM;
	}
	*ret = h;
	return 0;
}

void hasher_free(struct hasher *h)
{
	if (h)
		EVP_MD_CTX_free(h->ctx);
	free(h);
}

void hasher_add(struct hasher *h, const void *p, size_t n)
{
	must(EVP_DigestUpdate(h->ctx, p, n) == 1);
}

void hasher_end(struct hasher *h, char ret[DIGEST_MAX])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	must(EVP_DigestFinal_ex(h->ctx, raw, &n) == 1);
	must(n == algorithms[h->algorithm].bytes);
	memcpy(ret, algorithms[h->algorithm].name, 6);
	ret[6] = ':';
	for (unsigned i = 0; i < n; i++) {
		ret[7 + 2 * i] = digits[raw[i] >> 4];
		ret[8 + 2 * i] = digits[raw[i] & 15];
	}
	ret[7 + 2 * n] = 0;
	must(hasher_begin(h) == 0);
}

int digest_of(enum digest_algorithm a, struct slice p, char ret[DIGEST_MAX])
{
	AUTO(hasher) struct hasher *h = NULL;
	int r = hasher_new(a, &h);
	if (r < 0)
		return r;
	hasher_add(h, p.ptr ? p.ptr : "", p.len);
	hasher_end(h, ret);
	return 0;
}
