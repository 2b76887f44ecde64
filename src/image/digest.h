/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content digests as text, "sha256:HEX" or "sha512:HEX" (OCI image
 * specification, descriptor.md), computed in one go or as bytes pass.
 */
#pragma once
#include <stdbool.h>
#include "base/buf.h"
#include "base/err.h"

enum { DIGEST_MAX = 7 + 128 + 1 };          /* text of any supported digest with its NUL */
enum digest_algorithm { DIGEST_SHA256, DIGEST_SHA512 };

/* Checks the form: 0; -EINVAL: "invalid checksum digest format", "unsupported digest algorithm", "invalid checksum digest length". */
int digest_parse(struct slice s, enum digest_algorithm *ret, struct err *e);
static inline bool digest_is_valid(struct slice s)
{
	enum digest_algorithm a;
	return digest_parse(s, &a, NULL) == 0;
}
/* "sha256" or "sha512" -> algorithm; -EINVAL. */
int digest_algorithm_named(struct slice name, enum digest_algorithm *ret);
/* The part behind the colon. s must be valid. */
struct slice digest_hex(const char *digest);

struct hasher;
int hasher_new(enum digest_algorithm a, struct hasher **ret);
void hasher_free(struct hasher *h);
static inline void auto_hasher(struct hasher **h) { hasher_free(*h); }
void hasher_add(struct hasher *h, const void *p, size_t n);
/* The text of what was added; the hasher starts over. */
void hasher_end(struct hasher *h, char ret[DIGEST_MAX]);
/* Hashes p at once. 0 or -ENOMEM. */
int digest_of(enum digest_algorithm a, struct slice p, char ret[DIGEST_MAX]);
