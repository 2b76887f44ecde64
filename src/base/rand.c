/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rand.h"

#include <errno.h>
#include <sys/random.h>

#include "base/assert.h"

void rand_bytes(void *p, size_t n)
{
	char *at = p;
	while (n) {
		ssize_t r = getrandom(at, n, 0);
		if (r < 0) {
			must(errno == EINTR);
			continue;
		}
		at += r;
		n -= (size_t)r;
	}
}

uint64_t rand_u64(void)
{
	uint64_t x;
	rand_bytes(&x, sizeof x);
	return x;
}

void rand_hex(char *dst, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < n; i++) {
		unsigned char b;
		rand_bytes(&b, 1);
		dst[2 * i] = digits[b >> 4];
		dst[2 * i + 1] = digits[b & 15];
	}
	dst[2 * n] = 0;
}
