/* SPDX-License-Identifier: Apache-2.0 */
/* JSON web tokens signed with ES256 (RFC 7515, 7518 section 3.4), and the key that signs them. */
#pragma once
#include <openssl/evp.h>
#include "api/auth.h"
#include "kube/auth/token.h"

enum { JWT_MAX = 16 * 1024 };

/* Digests of tokens whose signature was found good: a signature that is good stays so, and checking one costs 100 µs. */
enum { JWT_KNOWN = 1024 };
struct jwt_key {
	EVP_PKEY *pkey;
	unsigned char (*known)[32];    /* JWT_KNOWN slots, by the digest's first bytes */
	char id[48];                   /* base64url of the SHA-256 of the public key's DER */
};
/* Reads or makes the key file. */
int jwt_key_open(const char *path, struct jwt_key *ret, struct err *e);
void jwt_key_release(struct jwt_key *k);
/* Signs claims; the token is in the arena. */
int jwt_sign(const struct jwt_key *k, const struct auth_claims *c, struct arena *a, const char **ret, struct err *e);
/* Splits, checks header and signature, decodes the claims. -EKEYREJECTED. */
int jwt_verify(const struct jwt_key *k, const char *token, struct arena *a, struct auth_claims *ret, struct err *e);
/* The public half, for a key set; texts in the arena. */
int jwt_public(const struct jwt_key *k, struct arena *a, struct auth_key *ret, struct err *e);
/* base64url without padding. */
int jwt_base64(struct slice s, struct buf *out);
