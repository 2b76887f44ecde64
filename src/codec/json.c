/* SPDX-License-Identifier: Apache-2.0 */
/* Reading JSON text. */
#include "codec/json.h"

#include <stdio.h>

const char *json_space_slow(const char *p, const char *end)
{
	for (;;) {
		while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')) {
#if defined __SSE2__
			/* indentation comes in runs */
			if (end - p >= 16) {
				unsigned other = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)p),
					_mm_set1_epi8(' '))) ^ 0xffff;
				if (other != 0xffff && !(other & 1)) {
					p += other ? __builtin_ctz(other) : 16;
					continue;
				}
			}
#endif
			p++;
		}
		return p;
	}
}

/* Go's quoteChar: a byte as a quoted character. */
static void quote(unsigned char c, char dst[16])
{
	static const char names[] = "abtnvfr";
	if (c == '\'')
		fmt_into(dst, 16, "'\\''");
	else if (c >= 7 && c <= 13)
		fmt_into(dst, 16, "'\\%c'", names[c - 7]);
	else if (c == '\\')
		fmt_into(dst, 16, "'\\\\'");
	else if (c < ' ' || c == 0x7f)
		fmt_into(dst, 16, "'\\x%02x'", c);
	else if (c < 0x80)
		fmt_into(dst, 16, "'%c'", c);
	else if (c < 0xa1 || c == 0xad)
		fmt_into(dst, 16, "'\\u%04x'", c);
	else
		fmt_into(dst, 16, "'%c%c'", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
}

int json_err(const struct json_in *in, struct err *e)
{
	if (in->p >= in->end)
		return err_set(e, EBADMSG, "unexpected end of JSON input");
	if (in->what && in->what[0] == '!')
		return err_set(e, EBADMSG, "%s", in->what + 1);
	char c[16];
	quote((unsigned char)*in->p, c);
	return err_set(e, EBADMSG, "invalid character %s %s", c, in->what ? in->what : "looking for beginning of value");
}

/* Length of the valid UTF-8 sequence at p, or 0. */
static unsigned utf8_len(const char *s, const char *end)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t n = (size_t)(end - s);
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	if (n < 2 || (p[1] & 0xc0) != 0x80)
		return 0;
	if (p[0] < 0xe0)
		return 2;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	if (n < 3 || (p[2] & 0xc0) != 0x80)
		return 0;
	if (p[0] < 0xf0)
		return 3;
	return n >= 4 && (p[3] & 0xc0) == 0x80 ? 4 : 0;
}

static int hex4(const char *p, const char *end, const char **bad)
{
	int v = 0;
	for (int i = 0; i < 4; i++, p++) {
		if (p >= end) {
			*bad = end;
			return -1;
		}
		char c = *p;
		int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
		if (d < 0) {
			*bad = p;
			return -1;
		}
		v = v << 4 | d;
	}
	return v;
}

int json_string_slow(struct json_in *in, const char *p, struct json_text *ret)
{
	bool plain = true;
	const char *begin = in->p + 1;
	while (p < in->end) {
		unsigned char c = (unsigned char)*p;
		if (c == '"') {
			*ret = (struct json_text){ begin, (size_t)(p - begin), plain };
			in->p = p + 1;
			return 0;
		}
		if (c == '\\') {
			plain = false;
			if (++p == in->end)
				break;
			if (*p == 'u') {
				const char *bad;
				if (hex4(p + 1, in->end, &bad) < 0) {
					in->p = bad;
					return json_bad(in, "in \\u hexadecimal character escape");
				}
				p += 5;
				continue;
			}
			if (!memchr("\"\\/bfnrt", *p, 8) || !*p) {
				in->p = p;
				return json_bad(in, "in string escape code");
			}
			p++;
		} else if (c < ' ') {
			in->p = p;
			return json_bad(in, "in string literal");
		} else if (c < 0x80) {
			p++;
		} else {
			unsigned n = utf8_len(p, in->end);
			plain &= n > 0;
			p += n ? n : 1;
		}
	}
	in->p = in->end;
	return json_bad(in, NULL);
}

static char *put_rune(char *dst, unsigned r)
{
	if (r < 0x80) {
		*dst++ = (char)r;
	} else if (r < 0x800) {
		*dst++ = (char)(0xc0 | r >> 6);
		*dst++ = (char)(0x80 | (r & 0x3f));
	} else if (r < 0x10000) {
		*dst++ = (char)(0xe0 | r >> 12);
		*dst++ = (char)(0x80 | (r >> 6 & 0x3f));
		*dst++ = (char)(0x80 | (r & 0x3f));
	} else {
		*dst++ = (char)(0xf0 | r >> 18);
		*dst++ = (char)(0x80 | (r >> 12 & 0x3f));
		*dst++ = (char)(0x80 | (r >> 6 & 0x3f));
		*dst++ = (char)(0x80 | (r & 0x3f));
	}
	return dst;
}

/* \uXXXX at p (behind the u), maybe with its second half. */
static unsigned unescape_rune(const char **at, const char *end)
{
	const char *bad, *p = *at;
	unsigned r = (unsigned)hex4(p, end, &bad);
	p += 4;
	if (r >= 0xd800 && r < 0xe000) {
		int low = end - p >= 6 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2, end, &bad) : -1;
		if (r < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
			r = 0x10000 + ((r - 0xd800) << 10) + ((unsigned)low - 0xdc00);
			p += 6;
		} else {
			r = 0xfffd;
		}
	}
	*at = p;
	return r;
}

size_t json_unescape(const struct json_text *t, char *dst)
{
	char *o = dst;
	const char *p = t->ptr, *end = t->ptr + t->len;
	while (p < end) {
		unsigned char c = (unsigned char)*p;
		if (c == '\\') {
			c = (unsigned char)p[1];
			p += 2;
			if (c == 'u') {
				o = put_rune(o, unescape_rune(&p, end));
				continue;
			}
			*o++ = c == 'b' ? '\b' : c == 'f' ? '\f' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : (char)c;
		} else if (c < 0x80) {
			*o++ = (char)c;
			p++;
		} else {
			unsigned n = utf8_len(p, end);
			if (!n) {
				o = put_rune(o, 0xfffd);
				p++;
			}
			for (; n; n--)
				*o++ = *p++;
		}
	}
	return (size_t)(o - dst);
}

static bool is_digit(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

int json_number(struct json_in *in, struct slice *ret)
{
	const char *p = in->p, *end = in->end, *what = NULL;
	if (*p == '-') {
		p++;
		what = "in numeric literal";
	}
	if (!is_digit(p, end))
		goto bad;
	if (*p++ != '0')
		while (is_digit(p, end))
			p++;
	if (p < end && *p == '.') {
		what = "after decimal point in numeric literal";
		if (!is_digit(++p, end))
			goto bad;
		while (is_digit(p, end))
			p++;
	}
	if (p < end && (*p | 32) == 'e') {
		what = "in exponent of numeric literal";
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		if (!is_digit(p, end))
			goto bad;
		while (is_digit(p, end))
			p++;
	}
	*ret = slice_n(in->p, (size_t)(p - in->p));
	in->p = p;
	return 0;
bad:
	in->p = p;
	return json_bad(in, what);
}

int json_literal(struct json_in *in, const char *word, size_t n)
{
	if ((size_t)(in->end - in->p) >= n && memcmp(in->p, word, n) == 0) {
		in->p += n;
		return 0;
	}
	/* the table is small, and Go's sentence names the letter */
	static const struct { const char *word; const char *what[4]; } all[] = {
		{ "true", { "in literal true (expecting 'r')", "in literal true (expecting 'u')", "in literal true (expecting 'e')" } },
		{ "false", { "in literal false (expecting 'a')", "in literal false (expecting 'l')", "in literal false (expecting 's')",
			"in literal false (expecting 'e')" } },
		{ "null", { "in literal null (expecting 'u')", "in literal null (expecting 'l')", "in literal null (expecting 'l')" } },
	};
	size_t i = 1;
	while (in->p + i < in->end && i < n && in->p[i] == word[i])
		i++;
	in->p += i;
	for (size_t k = 0; k < 3; k++)
		if (all[k].word[0] == word[0] && i < n)
			return json_bad(in, all[k].what[i - 1]);
	return json_bad(in, NULL);
}

/* One scalar, or the opening of a container. */
static int skip_scalar(struct json_in *in)
{
	struct json_text t;
	struct slice s;
	switch (*in->p) {
	case '"': return json_string(in, &t);
	case 't': return json_literal(in, "true", 4);
	case 'f': return json_literal(in, "false", 5);
	case 'n': return json_literal(in, "null", 4);
	default:
		if (*in->p == '-' || (*in->p >= '0' && *in->p <= '9'))
			return json_number(in, &s);
		return json_bad(in, "looking for beginning of value");
	}
}

static int skip_key(struct json_in *in, const char *what)
{
	struct json_text t;
	if (json_peek(in) != '"')
		return json_bad(in, what);
	int r = json_string(in, &t);
	if (r < 0)
		return r;
	if (json_peek(in) != ':')
		return json_bad(in, "after object key");
	in->p++;
	return 0;
}

int json_skip(struct json_in *in, struct slice *ret)
{
	uint64_t is_object[(JSON_MAX_DEPTH + 63) / 64] = { 0 };
	unsigned depth = 0;
	json_peek(in);
	const char *begin = in->p;
	for (;;) {
		char c = json_peek(in);
		bool opened = false;
		if (c == '{' || c == '[') {
			if (depth == JSON_MAX_DEPTH)
				return json_bad(in, "!exceeded max depth");
			if (c == '{')
				is_object[depth / 64] |= 1ull << depth % 64;
			else
				is_object[depth / 64] &= ~(1ull << depth % 64);
			depth++;
			in->p++;
			opened = true;
		} else {
			if (in->p >= in->end)
				return json_bad(in, NULL);
			int r = skip_scalar(in);
			if (r < 0)
				return r;
		}
		/* close what ends here, then step over a comma */
		for (;;) {
			if (depth == 0) {
				*ret = slice_n(begin, (size_t)(in->p - begin));
				return 0;
			}
			bool object = is_object[(depth - 1) / 64] >> (depth - 1) % 64 & 1;
			c = json_peek(in);
			if (c == (object ? '}' : ']')) {
				in->p++;
				depth--;
				opened = false;
				continue;
			}
			if (!opened) {
				if (c != ',')
					return json_bad(in, object ? "after object key:value pair" : "after array element");
				in->p++;
			}
			if (object) {
				int r = skip_key(in, "looking for beginning of object key string");
				if (r < 0)
					return r;
			}
			break;
		}
	}
}

int json_end(struct json_in *in)
{
	json_peek(in);
	return in->p == in->end ? 0 : json_bad(in, "after top-level value");
}

const char *json_kind(char c)
{
	switch (c) {
	case '"': return "string";
	case '{': return "object";
	case '[': return "array";
	case 't': case 'f': return "bool";
	case 'n': return "null";
	default: return "number";
	}
}

int json_check(struct slice text, struct err *e)
{
	struct json_in in = json_in(text);
	struct slice s;
	if (json_skip(&in, &s) < 0 || json_end(&in) < 0)
		return json_err(&in, e);
	return 0;
}
