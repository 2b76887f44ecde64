/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 by table, both alphabets at once when reading. */
#include "codec/base64.h"

#include <errno.h>

static const char std_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int base64_encode(struct buf *out, struct slice s, bool url)
{
	const char *d = url ? url_digits : std_digits;
	const unsigned char *p = (const unsigned char *)s.ptr;
	for (size_t i = 0; i < s.len; i += 3) {
		size_t n = s.len - i < 3 ? s.len - i : 3;
		unsigned v = p[i] << 16 | (n > 1 ? p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0);
		char q[4] = { d[v >> 18], d[v >> 12 & 63], n > 1 ? d[v >> 6 & 63] : '=', n > 2 ? d[v & 63] : '=' };
		buf_add(out, q, 4);
	}
	return buf_error(out);
}

static int digit_value(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

int base64_decode(struct buf *out, struct slice text)
{
	unsigned acc = 0, bits = 0, pads = 0;
	size_t digits = 0;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c == '\n' || c == '\r')
			continue;
		if (c == '=') {
			pads++;
			continue;
		}
		int v = digit_value(c);
		if (v < 0 || pads)
			return -EINVAL;
		digits++;
		acc = (acc << 6 | (unsigned)v) & 0xffffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			buf_addc(out, (char)(acc >> bits & 0xff));
		}
	}
	if (digits % 4 == 1 || pads > 2 || (pads && (digits + pads) % 4 != 0))
		return -EINVAL;
	return buf_error(out);
}
