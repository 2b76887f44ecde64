/* SPDX-License-Identifier: Apache-2.0 */
/* Forms for people. See human.h. */
#include "cli/human.h"
#include <math.h>
#include "base/auto.h"
#include "base/clock.h"
#include "base/num.h"

static void scaled(char *dst, double n, double unit, const char *const *names, int precision)
{
	int i = 0;

	while (n >= unit && i < 8) {
		n /= unit;
		i++;
	}
	fmt_into(dst, HUMAN_MAX, "%.*g%s", precision, n, names[i]);
}

void human_size(char *dst, double bytes, int precision)
{
	static const char *const names[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB" };
	scaled(dst, bytes, 1000, names, precision);
}

void human_binary_size(char *dst, double bytes)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB" };
	scaled(dst, bytes, 1024, names, 4);
}

void human_duration(char *dst, int64_t ns)
{
	int64_t s = ns / NS_PER_S, minutes = s / 60, hours = (int64_t)((double)ns / NS_PER_S / 3600 + 0.5);

	if (s < 1)
		fmt_into(dst, HUMAN_MAX, "Less than a second");
	else if (s == 1)
		fmt_into(dst, HUMAN_MAX, "1 second");
	else if (s < 60)
		fmt_into(dst, HUMAN_MAX, "%lld seconds", (long long)s);
	else if (minutes == 1)
		fmt_into(dst, HUMAN_MAX, "About a minute");
	else if (minutes < 60)
		fmt_into(dst, HUMAN_MAX, "%lld minutes", (long long)minutes);
	else if (hours == 1)
		fmt_into(dst, HUMAN_MAX, "About an hour");
	else if (hours < 48)
		fmt_into(dst, HUMAN_MAX, "%lld hours", (long long)hours);
	else if (hours < 24 * 14)
		fmt_into(dst, HUMAN_MAX, "%lld days", (long long)hours / 24);
	else if (hours < 24 * 60)
		fmt_into(dst, HUMAN_MAX, "%lld weeks", (long long)hours / 24 / 7);
	else if (hours < 24 * 365 * 2)
		fmt_into(dst, HUMAN_MAX, "%lld months", (long long)hours / 24 / 30);
	else
		fmt_into(dst, HUMAN_MAX, "%lld years", (long long)(s / 3600 / 24 / 365));
}

void human_ago(char *dst, int64_t now_ns, int64_t then_ns)
{
	char text[HUMAN_MAX];

	if (then_ns == INT64_MIN) {
		fmt_into(dst, HUMAN_MAX, "N/A");
		return;
	}
	human_duration(text, now_ns - then_ns);
	fmt_into(dst, HUMAN_MAX, "%.40s ago", text);
}

const char *human_id(struct arena *a, const char *id)
{
	struct slice s = slice_of(id);

	if (!id)
		return "";
	if (slice_starts(s, "sha256:"))
		s = slice_n(s.ptr + 7, s.len - 7);
	return arena_dup(a, slice_n(s.ptr, MIN(s.len, (size_t)12)));
}

const char *human_cut(struct arena *a, const char *text, size_t most)
{
	size_t n = 0, at = 0, keep = 0;

	for (at = 0; text[at]; at++) {
		if (((unsigned char)text[at] & 0xc0) == 0x80)
			continue;
		if (n == most - 1)
			keep = at;
		n++;
	}
	return n <= most ? text : arena_fmt(a, "%.*s…", (int)keep, text);
}

const char *human_timestamp(struct arena *a, const char *text, int64_t now_ns)
{
	int64_t ns, days;
	struct slice s = slice_of(text);
	struct tm tm = { 0 };
	int n = 0;

	if (duration_parse(s, &ns) == 0 && strpbrk(text, "hmsuµn"))
		ns = now_ns - ns;
	else if (clock_parse_rfc3339(s, &ns) < 0) {
		/* a date without zone is local time; seconds may be missing */
		if (sscanf(text, "%d-%d-%d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &n) != 3 || n < 8)
			return text;
		if (text[n] == 'T' && sscanf(text + n, "T%d:%d:%d", &tm.tm_hour, &tm.tm_min, &tm.tm_sec) < 1)
			return text;
		days = date_to_days(tm.tm_year, tm.tm_mon, tm.tm_mday);
		(void)days;
		tm.tm_year -= 1900;
		tm.tm_mon -= 1;
		tm.tm_isdst = -1;
		ns = (int64_t)mktime(&tm) * NS_PER_S;
	}
	return arena_fmt(a, "%lld.%09lld", (long long)(ns / NS_PER_S), (long long)(ns % NS_PER_S));
}

void human_local_time(char *dst, int64_t realtime_ns)
{
	time_t t = (time_t)(realtime_ns / NS_PER_S);
	struct tm tm;

	localtime_r(&t, &tm);
	if (!strftime(dst, 64, "%Y-%m-%d %H:%M:%S %z %Z", &tm))
		dst[0] = 0;
}
