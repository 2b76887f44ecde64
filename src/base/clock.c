/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/auto.h"

int64_t clock_realtime_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t clock_monotonic_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Both after the usual 400-year-era arithmetic on years that start in March. */
int64_t date_to_days(int64_t y, int m, int d)
{
	y -= m <= 2;
	int64_t era = floor_div(y, 400), yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void date_from_days(int64_t z, int64_t *year, int *month, int *day)
{
	z += 719468;
	int64_t era = floor_div(z, 146097), doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = yoe + era * 400 + (*month <= 2);
}

static int print_seconds(char *dst, int64_t s)
{
	int64_t days = floor_div(s, 86400), rest = s - days * 86400, y;
	int m, d;
	date_from_days(days, &y, &m, &d);
	return snprintf(dst, CLOCK_TEXT_MAX, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)y, m, d, (int)(rest / 3600),
			(int)(rest / 60 % 60), (int)(rest % 60));
}

static void print(char *dst, int64_t ns, int least, int most)
{
	if (ns == INT64_MIN) {
		snprintf(dst, CLOCK_TEXT_MAX, "%s", CLOCK_ZERO_TEXT);
		return;
	}
	int64_t s = floor_div(ns, NS_PER_S);
	int n = print_seconds(dst, s), digits = most;
	int64_t frac = ns - s * NS_PER_S;
	for (int64_t f = frac; digits > least && f % 10 == 0; f /= 10)
		digits--;
	if (digits > 0) {
		char nine[16];
		snprintf(nine, sizeof nine, "%09lld", (long long)frac);
		n += snprintf(dst + n, (size_t)(CLOCK_TEXT_MAX - n), ".%.*s", digits, nine);
	}
	snprintf(dst + n, (size_t)(CLOCK_TEXT_MAX - n), "Z");
}

void clock_rfc3339_nano(char *dst, int64_t ns)
{
	print(dst, ns, 0, 9);
}

void clock_rfc3339(char *dst, int64_t ns)
{
	print(dst, ns, 0, 0);
}

void clock_rfc3339_fixed(char *dst, int64_t ns)
{
	print(dst, ns, 9, 9);
}

static bool digits(struct slice *s, int n, int *ret)
{
	int v = 0;
	if (s->len < (size_t)n)
		return false;
	for (int i = 0; i < n; i++) {
		if (s->ptr[i] < '0' || s->ptr[i] > '9')
			return false;
		v = v * 10 + (s->ptr[i] - '0');
	}
	s->ptr += n;
	s->len -= (size_t)n;
	*ret = v;
	return true;
}

static bool take(struct slice *s, char a, char b)
{
	if (!s->len || (s->ptr[0] != a && s->ptr[0] != b))
		return false;
	s->ptr++;
	s->len--;
	return true;
}

static int days_in(int y, int m)
{
	static const int n[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	return m == 2 && (y % 4 == 0 && (y % 100 != 0 || y % 400 == 0)) ? 29 : n[m - 1];
}

int clock_parse_rfc3339(struct slice s, int64_t *ret_ns)
{
	int y, mo, d, h, mi, sec, oh = 0, om = 0, sign = 1;
	int64_t frac = 0;
	if (!digits(&s, 4, &y) || !take(&s, '-', '-') || !digits(&s, 2, &mo) || !take(&s, '-', '-') ||
	    !digits(&s, 2, &d) || !take(&s, 'T', 't') || !digits(&s, 2, &h) || !take(&s, ':', ':') ||
	    !digits(&s, 2, &mi) || !take(&s, ':', ':') || !digits(&s, 2, &sec))
		return -EINVAL;
	if (y < 1 || mo < 1 || mo > 12 || d < 1 || d > days_in(y, mo) || h > 23 || mi > 59 || sec > 59)
		return -EINVAL;
	if (take(&s, '.', ',')) {
		int64_t unit = NS_PER_S / 10;
		if (!s.len || s.ptr[0] < '0' || s.ptr[0] > '9')
			return -EINVAL;
		for (; s.len && s.ptr[0] >= '0' && s.ptr[0] <= '9'; s.ptr++, s.len--, unit /= 10)
			frac += (s.ptr[0] - '0') * unit;
	}
	if (!take(&s, 'Z', 'z')) {
		sign = take(&s, '-', '-') ? -1 : take(&s, '+', '+') ? 1 : 0;
		if (!sign || !digits(&s, 2, &oh) || !take(&s, ':', ':') || !digits(&s, 2, &om) || oh > 23 || om > 59)
			return -EINVAL;
	}
	if (s.len)
		return -EINVAL;
	int64_t t = date_to_days(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec - sign * (oh * 3600 + om * 60), ns;
	if (__builtin_mul_overflow(t, NS_PER_S, &ns) || __builtin_add_overflow(ns, frac, &ns))
		ns = t < 0 ? INT64_MIN : INT64_MAX;
	*ret_ns = ns;
	return 0;
}

static const struct {
	const char *name;
	int64_t ns;
} units[] = {
	{ "ns", 1 }, { "us", NS_PER_US }, { "\xC2\xB5s", NS_PER_US }, { "\xCE\xBCs", NS_PER_US },
	{ "ms", NS_PER_MS }, { "s", NS_PER_S }, { "m", 60 * NS_PER_S }, { "h", 3600 * NS_PER_S },
};

int duration_parse(struct slice s, int64_t *ret_ns)
{
	bool negative = false;
	int64_t total = 0;
	if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+')) {
		negative = s.ptr[0] == '-';
		s = slice_n(s.ptr + 1, s.len - 1);
	}
	if (slice_is(s, "0")) {
		*ret_ns = 0;
		return 0;
	}
	if (!s.len)
		return -EINVAL;
	while (s.len) {
		int64_t whole = 0, frac = 0, scale = 1;
		size_t n = 0;
		for (; s.len && s.ptr[0] >= '0' && s.ptr[0] <= '9'; s.ptr++, s.len--, n++)
			if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, s.ptr[0] - '0', &whole))
				return -EINVAL;
		if (s.len && s.ptr[0] == '.') {
			s = slice_n(s.ptr + 1, s.len - 1);
			for (; s.len && s.ptr[0] >= '0' && s.ptr[0] <= '9'; s.ptr++, s.len--, n++)
				if (scale < NS_PER_S * 1000) {
					frac = frac * 10 + (s.ptr[0] - '0');
					scale *= 10;
				}
		}
		if (n == 0)
			return -EINVAL;
		size_t u = 0;
		while (u < s.len && s.ptr[u] != '.' && (s.ptr[u] < '0' || s.ptr[u] > '9'))
			u++;
		int64_t unit = 0, part;
		for (size_t i = 0; i < ARRAY_LEN(units); i++)
			if (slice_is(slice_n(s.ptr, u), units[i].name))
				unit = units[i].ns;
		if (!unit || __builtin_mul_overflow(whole, unit, &part) ||
		    __builtin_add_overflow(part, (int64_t)((__int128)frac * unit / scale), &part) ||
		    __builtin_add_overflow(total, part, &total))
			return -EINVAL;
		s = slice_n(s.ptr + u, s.len - u);
	}
	*ret_ns = negative ? -total : total;
	return 0;
}

/* v with up to `places` decimals of a number scaled by 10^places, trailing zeros dropped. */
static int decimals(char *dst, size_t size, uint64_t whole, uint64_t frac, int places)
{
	char text[16];
	snprintf(text, sizeof text, "%0*llu", places, (unsigned long long)frac);
	int n = places;
	while (n > 0 && text[n - 1] == '0')
		n--;
	return n ? snprintf(dst, size, "%llu.%.*s", (unsigned long long)whole, n, text) :
		   snprintf(dst, size, "%llu", (unsigned long long)whole);
}

void duration_format(char *dst, int64_t ns)
{
	enum { SIZE = 32 };
	uint64_t u = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	int n = 0;
	if (u == 0) {
		snprintf(dst, SIZE, "0s");
		return;
	}
	if (ns < 0)
		dst[n++] = '-';
	if (u < (uint64_t)NS_PER_S) {
		int places = u < 1000 ? 0 : u < 1000000 ? 3 : 6;
		uint64_t scale = places == 0 ? 1 : places == 3 ? 1000 : 1000000;
		n += decimals(dst + n, (size_t)(SIZE - n), u / scale, u % scale, places);
		snprintf(dst + n, (size_t)(SIZE - n), "%s", places == 0 ? "ns" : places == 3 ? "\xC2\xB5s" : "ms");
		return;
	}
	uint64_t s = u / (uint64_t)NS_PER_S;
	if (s >= 3600)
		n += snprintf(dst + n, (size_t)(SIZE - n), "%lluh", (unsigned long long)(s / 3600));
	if (s >= 60)
		n += snprintf(dst + n, (size_t)(SIZE - n), "%llum", (unsigned long long)(s / 60 % 60));
	n += decimals(dst + n, (size_t)(SIZE - n), s % 60, u % (uint64_t)NS_PER_S, 9);
	snprintf(dst + n, (size_t)(SIZE - n), "s");
}
