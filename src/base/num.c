/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"

#include <errno.h>
#include <stdio.h>

#include "base/auto.h"

int num_parse_base(struct slice s, int base, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	if (!s.len)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
		if (d >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) || __builtin_add_overflow(v, (uint64_t)d, &v)) {
			v = UINT64_MAX;
			max = 0;
		}
	}
	if (v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int num_parse_u64(struct slice s, uint64_t max, uint64_t *ret)
{
	return num_parse_base(s, 10, max, ret);
}

int num_parse_i64(struct slice s, int64_t min, int64_t max, int64_t *ret)
{
	bool negative = s.len && s.ptr[0] == '-';
	uint64_t u;
	if (negative)
		s = slice_n(s.ptr + 1, s.len - 1);
	int r = num_parse_base(s, 10, negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX, &u);
	if (r < 0)
		return r;
	int64_t v = negative ? (int64_t)-u : (int64_t)u;
	if (v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int num_parse_nano(struct slice s, int64_t *ret)
{
	struct slice whole, frac;
	uint64_t w = 0, f = 0;
	bool dot = slice_cut(s, '.', &whole, &frac);
	if (!whole.len && !frac.len)
		return -EINVAL;
	int r = whole.len ? num_parse_u64(whole, (uint64_t)INT64_MAX / 1000000000, &w) : 0;
	if (r < 0)
		return r;
	if (dot && frac.len > 9)
		return -EINVAL;
	r = frac.len ? num_parse_u64(frac, 999999999, &f) : 0;
	if (r < 0)
		return r;
	for (size_t i = frac.len; i < 9; i++)
		f *= 10;
	*ret = (int64_t)(w * 1000000000 + f);
	return 0;
}

int num_parse_bytes(struct slice s, int64_t *ret)
{
	static const char units[] = "kmgtp";
	int64_t shift = 0, v;
	s = slice_trim(s);
	if (s.len && (s.ptr[s.len - 1] | 32) == 'b')
		s.len--;
	if (s.len && (s.ptr[s.len - 1] | 32) == 'i')
		s.len--;
	if (s.len)
		for (int i = 0; units[i]; i++)
			if ((s.ptr[s.len - 1] | 32) == units[i]) {
				shift = 10 * (i + 1);
				s.len--;
				break;
			}
	s = slice_trim(s);
	int r = num_parse_nano(s, &v);
	if (r < 0)
		return r;
	__int128 bytes = ((__int128)v << shift) / 1000000000;
	if (bytes > INT64_MAX)
		return -ERANGE;
	*ret = (int64_t)bytes;
	return 0;
}

static void human(char *dst, double v, double unit, const char *const *names, const char *fmt)
{
	int i = 0;
	while (v >= unit && i < 8) {
		v /= unit;
		i++;
	}
	char num[32];
	snprintf(num, sizeof num, fmt, v);
	snprintf(dst, 16, "%.8s%s", num, names[i]);
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
void num_human_size(char *dst, double bytes)
{
	static const char *const names[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB" };
	human(dst, bytes, 1000, names, "%.4g");
}

void num_human_bytes(char *dst, double bytes)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB" };
	human(dst, bytes, 1024, names, "%.4g");
}
