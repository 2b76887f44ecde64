/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/quantity.h"

#include <errno.h>
#include <limits.h>

typedef unsigned __int128 u128;

static const u128 ceiling = (u128)1000000000000000000u * 1000000000000000000u;   /* 10^36 billionths */

static const struct suffix {
	char text[3];
	enum quantity_format format;
	int exponent;   /* of 10, or of 2 */
} suffixes[] = {
	{ "", QUANTITY_DECIMAL, 0 }, { "m", QUANTITY_DECIMAL, -3 }, { "k", QUANTITY_DECIMAL, 3 }, { "M", QUANTITY_DECIMAL, 6 },
	{ "G", QUANTITY_DECIMAL, 9 }, { "T", QUANTITY_DECIMAL, 12 }, { "P", QUANTITY_DECIMAL, 15 }, { "E", QUANTITY_DECIMAL, 18 },
	{ "u", QUANTITY_DECIMAL, -6 }, { "n", QUANTITY_DECIMAL, -9 },
	{ "Ki", QUANTITY_BINARY, 10 }, { "Mi", QUANTITY_BINARY, 20 }, { "Gi", QUANTITY_BINARY, 30 }, { "Ti", QUANTITY_BINARY, 40 },
	{ "Pi", QUANTITY_BINARY, 50 }, { "Ei", QUANTITY_BINARY, 60 },
};

static int wrong(struct err *e)
{
	return err_set(e, EINVAL, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
}

static int find_suffix(struct slice s, enum quantity_format *format, int *exponent)
{
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		if (slice_is(s, suffixes[i].text)) {
			*format = suffixes[i].format;
			*exponent = suffixes[i].exponent;
			return 0;
		}
	}
	if (s.len < 2 || s.len > 6 || (s.ptr[0] != 'e' && s.ptr[0] != 'E'))
		return -EINVAL;
	size_t i = s.ptr[1] == '-' || s.ptr[1] == '+' ? 2 : 1;
	int v = 0;
	if (i == s.len)
		return -EINVAL;
	for (size_t k = i; k < s.len; k++) {
		if (s.ptr[k] < '0' || s.ptr[k] > '9')
			return -EINVAL;
		v = v * 10 + (s.ptr[k] - '0');
	}
	*format = QUANTITY_EXPONENT;
	*exponent = s.ptr[1] == '-' ? -v : v;
	return 0;
}

/* v * 10^n, kept below the ceiling; rounded up when n is negative. */
static u128 shift10(u128 v, int n, bool *is_rounded)
{
	for (; n > 0 && v; n--) {
		if (v >= ceiling / 10)
			return ceiling;
		v *= 10;
	}
	for (; n < 0 && v; n++) {
		*is_rounded |= v % 10 != 0;
		v /= 10;
	}
	return v;
}

static bool is_suffix_char(char c)
{
	return c && strchr("eEinumkKMGTP", c);
}

int quantity_parse(struct slice s, struct quantity *ret, struct err *e)
{
	const char *p = s.ptr, *end = p + s.len;
	bool negative = false, has_digit = false, in_fraction = false, is_rounded = false;
	u128 mantissa = 0;
	int scale = 0;
	if (!s.len)
		return wrong(e);
	if (*p == '-' || *p == '+')
		negative = *p++ == '-';
	for (; p < end; p++) {
		if (*p == '.' && !in_fraction) {
			in_fraction = true;
			continue;
		}
		if (*p < '0' || *p > '9')
			break;
		has_digit = true;
		if (mantissa < (u128)100000000000000000u) {
			mantissa = mantissa * 10 + (u128)(*p - '0');
			scale -= in_fraction;
		} else {
			/* more than eighteen digits: what lies behind only rounds */
			is_rounded |= *p != '0';
			scale += !in_fraction;
		}
	}
	const char *suffix = p;
	while (p < end && is_suffix_char(*p))
		p++;
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	if (p < end || !has_digit)
		return wrong(e);
	int exponent;
	struct quantity q = { 0 };
	if (find_suffix(slice_n(suffix, (size_t)(end - suffix)), &q.format, &exponent) < 0)
		return err_set(e, EINVAL, "unable to parse quantity's suffix");
	u128 v = mantissa;
	if (q.format == QUANTITY_BINARY)
		v <<= exponent;    /* below 2^117 */
	else
		scale += exponent;
	v = shift10(v, scale + 9, &is_rounded);
	v += is_rounded;
	if (q.format == QUANTITY_BINARY && v > (u128)INT64_MAX * 1000000000u)
		v = (u128)INT64_MAX * 1000000000u;
	q.nano = negative ? -(__int128)v : (__int128)v;
	*ret = q;
	return 0;
}

static size_t put(char *dst, bool negative, u128 v, const char *suffix, int exponent)
{
	char digits[44];
	size_t n = 0, o = 0;
	for (; v; v /= 10)
		digits[n++] = (char)('0' + (int)(v % 10));
	if (negative)
		dst[o++] = '-';
	while (n)
		dst[o++] = digits[--n];
	dst[o] = 0;
	if (exponent)
		fmt_into(dst + o, QUANTITY_TEXT_MAX - o, "e%d", exponent);
	else
		fmt_into(dst + o, QUANTITY_TEXT_MAX - o, "%s", suffix);
	return strlen(dst);
}

size_t quantity_format(char *dst, const struct quantity *q)
{
	static const char *const decimal[] = { "n", "u", "m", "", "k", "M", "G", "T", "P", "E" };
	static const char *const binary[] = { "", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" };
	bool negative = q->nano < 0;
	u128 v = (u128)(negative ? -q->nano : q->nano);
	if (!v) {
		memcpy(dst, "0", 2);
		return 1;
	}
	if (q->format == QUANTITY_BINARY && v % 1000000000u == 0 && v / 1000000000u >= 1024) {
		unsigned i = 0;
		for (v /= 1000000000u; v % 1024 == 0 && i < 6; i++)
			v /= 1024;
		return put(dst, negative, v, binary[i], 0);
	}
	int exponent = -9;
	for (; v % 1000 == 0 && (q->format == QUANTITY_EXPONENT || exponent < 18); exponent += 3)
		v /= 1000;
	return q->format == QUANTITY_EXPONENT ? put(dst, negative, v, "", exponent) : put(dst, negative, v, decimal[exponent / 3 + 3], 0);
}

static int64_t rounded(__int128 nano, int64_t unit)
{
	__int128 v = nano / unit;
	if (nano % unit)
		v += nano < 0 ? -1 : 1;
	return v > INT64_MAX ? INT64_MAX : v < INT64_MIN ? INT64_MIN : (int64_t)v;
}

int64_t quantity_value(const struct quantity *q)
{
	return rounded(q->nano, 1000000000);
}

int64_t quantity_milli(const struct quantity *q)
{
	return rounded(q->nano, 1000000);
}

int64_t quantity_text_value(const char *s)
{
	struct quantity q;
	return s && quantity_parse(slice_of(s), &q, NULL) == 0 ? quantity_value(&q) : 0;
}

int64_t quantity_text_milli(const char *s)
{
	struct quantity q;
	return s && quantity_parse(slice_of(s), &q, NULL) == 0 ? quantity_milli(&q) : 0;
}

int quantity_cmp(const struct quantity *a, const struct quantity *b)
{
	return a->nano < b->nano ? -1 : a->nano > b->nano;
}

static void sum(struct quantity *a, __int128 b, enum quantity_format format)
{
	if (!a->nano)
		a->format = format;
	a->nano += b;
	if (a->nano > (__int128)ceiling)
		a->nano = (__int128)ceiling;
	if (a->nano < -(__int128)ceiling)
		a->nano = -(__int128)ceiling;
}

void quantity_add(struct quantity *a, const struct quantity *b)
{
	sum(a, b->nano, b->format);
}

void quantity_sub(struct quantity *a, const struct quantity *b)
{
	sum(a, -b->nano, b->format);
}

const char *quantity_text(struct arena *a, const struct quantity *q)
{
	char text[QUANTITY_TEXT_MAX];
	return arena_dup(a, slice_n(text, quantity_format(text, q)));
}

const char *quantity_canonical(struct arena *a, const char *s, struct err *e)
{
	struct quantity q;
	char text[QUANTITY_TEXT_MAX];
	if (quantity_parse(slice_trim(slice_of(s)), &q, e) < 0)
		return NULL;
	size_t n = quantity_format(text, &q);
	if (!strcmp(text, s))
		return s;
	char *copy = arena_dup(a, slice_n(text, n));
	if (!copy)
		err_set(e, E2BIG, "the message is too large");
	return copy;
}
