/* SPDX-License-Identifier: Apache-2.0 */
/* Writing JSON text. */
#include "codec/json.h"

#include <math.h>
#include <stdio.h>

/* 0: as it is; 1: needs care; 2: only when escaping for HTML */
static const uint8_t care[256] = {
	[0 ... 31] = 1, ['"'] = 1, ['\\'] = 1, ['<'] = 2, ['>'] = 2, ['&'] = 2, [0x80 ... 0xff] = 1,
};

#if defined __SSE2__
/* Bit i: byte i needs care. */
static inline unsigned odd_bytes(__m128i v, bool html)
{
	/* signed: bytes over 0x7f are below ' ' too */
	__m128i odd = _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(' ')),
		_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
	if (html)
		odd = _mm_or_si128(odd, _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('&')),
			_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('<')), _mm_cmpeq_epi8(v, _mm_set1_epi8('>')))));
	return (unsigned)_mm_movemask_epi8(odd);
}
#endif

/* Copies s up to the first byte that needs care; returns how many. dst has room for n. */
static inline size_t copy_plain(char *dst, const char *s, size_t n, bool html)
{
	size_t i = 0;
	unsigned mask = html ? 3 : 1;
#if defined __SSE2__
	for (; i + 16 <= n; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(s + i));
		unsigned m = odd_bytes(v, html);
		_mm_storeu_si128((__m128i *)(dst + i), v);
		if (m)
			return i + (size_t)__builtin_ctz(m);
	}
	if (i == n)
		return n;
	/* the tail: two loads that overlap, so that short text has no loop; a hit is found by the loop below */
	if (n >= 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(s + n - 16));
		_mm_storeu_si128((__m128i *)(dst + n - 16), v);
		if (!odd_bytes(v, html))
			return n;
	} else if (n >= 8) {
		uint64_t a, b;
		memcpy(&a, s, 8);
		memcpy(&b, s + n - 8, 8);
		memcpy(dst, &a, 8);
		memcpy(dst + n - 8, &b, 8);
		if (!odd_bytes(_mm_set_epi64x((long long)a, (long long)b), html))
			return n;
	}
#endif
	for (; i < n && !(care[(unsigned char)s[i]] & mask); i++)
		dst[i] = s[i];
	return i;
}

/* A multi-byte sequence: copied when valid; U+2028 and U+2029 are escaped, as Go does. Returns its length. */
static size_t put_wide(struct buf *out, const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t len = p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : 0;
	bool ok = len && len <= n;
	for (size_t i = 1; ok && i < len; i++)
		ok = (p[i] & 0xc0) == 0x80;
	if (ok && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)))
		ok = false;
	if (!ok) {
		buf_adds(out, "\\ufffd");
		return 1;
	}
	if (p[0] == 0xe2 && p[1] == 0x80 && (p[2] & 0xfe) == 0xa8)
		buf_addf(out, "\\u202%x", p[2] & 0xf);
	else
		buf_add(out, s, len);
	return len;
}

static size_t put_odd(struct buf *out, const char *s, size_t n)
{
	unsigned char c = (unsigned char)*s;
	if (c >= 0x80)
		return put_wide(out, s, n);
	if (c == '"' || c == '\\')
		buf_addf(out, "\\%c", c);
	else if (c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f')
		buf_addf(out, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : c == '\b' ? 'b' : 'f');
	else
		buf_addf(out, "\\u%04x", c);
	return 1;
}

/* The rest of a text from its first byte that needs care on, and the closing quote. */
static void put_escaped(struct buf *out, const char *s, size_t n, bool html)
{
	while (n) {
		if (buf_reserve(out, n + 1) < 0)
			return;
		size_t k = copy_plain(out->ptr + out->len, s, n, html);
		out->len += k;
		s += k;
		n -= k;
		if (!n)
			break;
		k = put_odd(out, s, n);
		s += k;
		n -= k;
	}
	buf_addc(out, '"');
}

void json_put_string(struct buf *out, const char *s, size_t n, unsigned flags)
{
	bool html = flags & JSON_ESCAPE_HTML;
	if ((out->error || out->cap - out->len < n + 2) && buf_reserve(out, n + 2) < 0)
		return;
	char *o = out->ptr + out->len;
	*o++ = '"';
	size_t k = copy_plain(o, s, n, html);
	if (__builtin_expect(k < n, 0)) {
		out->len += 1 + k;
		put_escaped(out, s + k, n - k, html);
		return;
	}
	o[n] = '"';
	o[n + 1] = 0;
	out->len += n + 2;
}

static const char two_digits[] =
	"00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960"
	"616263646566676869707172737475767778798081828384858687888990919293949596979899";

void json_put_u64(struct buf *out, uint64_t v)
{
	char tmp[20], *p = tmp + sizeof tmp;
	while (v >= 100) {
		unsigned d = (unsigned)(v % 100) * 2;
		v /= 100;
		*--p = two_digits[d + 1];
		*--p = two_digits[d];
	}
	if (v >= 10) {
		*--p = two_digits[v * 2 + 1];
		*--p = two_digits[v * 2];
	} else {
		*--p = (char)('0' + v);
	}
	buf_add(out, p, (size_t)(tmp + sizeof tmp - p));
}

void json_put_i64(struct buf *out, int64_t v)
{
	if (v < 0)
		buf_addc(out, '-');
	json_put_u64(out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void json_put_f64(struct buf *out, double v)
{
	char digits[40];
	if (!isfinite(v)) {
		buf_adds(out, "null");
		return;
	}
	if (v == 0) {
		buf_adds(out, signbit(v) ? "-0" : "0");
		return;
	}
	/* the fewest digits that read back the same */
	int precision = 0;
	for (; precision < 17; precision++) {
		snprintf(digits, sizeof digits, "%.*e", precision, v);
		if (strtod(digits, NULL) == v)
			break;
	}
	char *e = strchr(digits, 'e');
	int exponent = (int)strtol(e + 1, NULL, 10);
	if (exponent < -6 || exponent >= 21)
		buf_addf(out, "%.*se%s%d", (int)(e - digits), digits, exponent < 0 ? "" : "+", exponent);
	else if (precision > exponent)
		buf_addf(out, "%.*f", precision - exponent, v);
	else {
		/* %f would go on with digits that the shortest text does not have */
		for (char *p = digits; p < e; p++)
			if (*p != '.')
				buf_addc(out, *p);
		for (int i = precision; i < exponent; i++)
			buf_addc(out, '0');
	}
}

void json_put_indent(struct buf *out, unsigned depth)
{
	if (buf_reserve(out, 1 + 4 * (size_t)depth) < 0)
		return;
	out->ptr[out->len] = '\n';
	memset(out->ptr + out->len + 1, ' ', 4 * (size_t)depth);
	out->len += 1 + 4 * (size_t)depth;
	out->ptr[out->len] = 0;
}

/* Copies a string token; only HTML's characters may need care. */
static void put_token(struct buf *out, const char *s, size_t n, bool html)
{
	size_t done = 0;
	for (size_t i = 0; html && i < n; i++) {
		if (care[(unsigned char)s[i]] != 2)
			continue;
		buf_add(out, s + done, i - done);
		buf_addf(out, "\\u%04x", s[i]);
		done = i + 1;
	}
	buf_add(out, s + done, n - done);
}

void json_put_raw(struct buf *out, struct slice text, unsigned flags, unsigned depth)
{
	const char *p = text.ptr, *end = text.ptr + text.len;
	bool indent = flags & JSON_INDENT;
	while (p < end) {
		char c = *p;
		const char *q = p + 1;
		if (c == '"') {
			while (q < end && *q != '"')
				q += *q == '\\' ? 2 : 1;
			q = q < end ? q + 1 : end;
			put_token(out, p, (size_t)(q - p), flags & JSON_ESCAPE_HTML);
		} else if (c == '{' || c == '[') {
			buf_addc(out, c);
			q = json_space_slow(q, end);
			if (q < end && (*q == '}' || *q == ']'))
				buf_addc(out, *q++);
			else if (indent)
				json_put_indent(out, ++depth);
		} else if (c == '}' || c == ']') {
			if (indent)
				json_put_indent(out, depth ? --depth : 0);
			buf_addc(out, c);
		} else if (c == ',') {
			buf_addc(out, c);
			if (indent)
				json_put_indent(out, depth);
		} else if (c == ':') {
			buf_adds(out, indent ? ": " : ":");
		} else if (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
			while (q < end && !memchr(" \n\t\r,:]}", *q, 8))
				q++;
			buf_add(out, p, (size_t)(q - p));
		}
		p = q;
	}
}
