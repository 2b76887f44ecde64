/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4) for programs that link no library; daemons use OpenSSL. Uses the processor's SHA instructions where it has them. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct sha256 {
	uint32_t h[8];
	uint64_t n_bytes;
	uint8_t block[64];
};
void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *p, size_t n);
void sha256_end(struct sha256 *s, uint8_t out[32]);
/* The digest as 64 lower-case hex digits and a NUL. */
void sha256_end_hex(struct sha256 *s, char out[65]);
