// SPDX-License-Identifier: Apache-2.0
/* Time zones: a TZif file's 64-bit transitions, and the rule in its footer for the time behind them. */
#include <errno.h>
#include <fcntl.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "kube/control/cron_int.h"

enum { FILE_MAX = 1024 * 1024, TRANSITIONS_MAX = 10000 };

/* "M3.2.0/2": week 2's Sunday of March at two. */
struct rule { int month, week, weekday; int32_t at_s; };
struct zone {
	uint32_t n;
	int64_t *at;
	int32_t *offset;                 /* from at[i] on */
	int32_t first;                   /* before the first */
	bool has_rule, has_dst;          /* the footer's */
	int32_t std, dst;
	struct rule begin, end;
};

static int64_t big(const unsigned char *p, int n)
{
	uint64_t v = n == 8 ? 0 : (p[0] & 0x80 ? ~0ull : 0);

	for (int i = 0; i < n; i++)
		v = v << 8 | p[i];
	return (int64_t)v;
}

/* --- the footer: "EST5EDT,M3.2.0,M11.1.0", "<+03>-3" */

static bool skip_name(const char **p)
{
	const char *from = *p;

	if (**p == '<') {
		while (**p && **p != '>')
			++*p;
		return *(*p)++ == '>';
	}
	while ((**p >= 'A' && **p <= 'Z') || (**p >= 'a' && **p <= 'z'))
		++*p;
	return *p > from;
}

static bool read_int(const char **p, int *ret)
{
	const char *from = *p;

	*ret = 0;
	while (**p >= '0' && **p <= '9' && *p - from < 4)
		*ret = *ret * 10 + (*(*p)++ - '0');
	return *p > from;
}

/* hh[:mm[:ss]] with a sign */
static bool read_time(const char **p, int32_t *ret)
{
	int sign = **p == '-' ? -1 : 1, h, m = 0, s = 0;

	if (**p == '-' || **p == '+')
		++*p;
	if (!read_int(p, &h))
		return false;
	if (**p == ':' && (++*p, !read_int(p, &m)))
		return false;
	if (**p == ':' && (++*p, !read_int(p, &s)))
		return false;
	*ret = sign * (h * 3600 + m * 60 + s);
	return true;
}

static bool read_rule(const char **p, struct rule *r)
{
	r->at_s = 2 * 3600;
	if (*(*p)++ != ',' || *(*p)++ != 'M' || !read_int(p, &r->month) || *(*p)++ != '.' || !read_int(p, &r->week) || *(*p)++ != '.' ||
	    !read_int(p, &r->weekday) || r->month < 1 || r->month > 12 || r->weekday > 6)
		return false;
	return **p != '/' || (++*p, read_time(p, &r->at_s));
}

static void read_footer(struct zone *z, const char *p)
{
	int32_t v;

	if (!skip_name(&p) || !read_time(&p, &v))
		return;
	z->std = -v;
	z->has_rule = true;
	if (!skip_name(&p))
		return;
	z->dst = z->std + 3600;
	if (*p && *p != ',' && read_time(&p, &v))
		z->dst = -v;
	z->has_dst = read_rule(&p, &z->begin) && read_rule(&p, &z->end);
}

/* Local seconds since the epoch at which the rule takes hold in a year. */
static int64_t rule_at(const struct rule *r, int64_t year)
{
	int64_t first = date_to_days(year, r->month, 1), next = r->month == 12 ? date_to_days(year + 1, 1, 1) : date_to_days(year, r->month + 1, 1);
	int weekday = (int)((first % 7 + 11) % 7);
	int64_t n = first + (r->weekday - weekday + 7) % 7 + 7 * (r->week - 1);

	while (n >= next)
		n -= 7;
	return n * 86400 + r->at_s;
}

static int32_t by_rule(const struct zone *z, int64_t at_s)
{
	int64_t year, begin, end;
	int m, d;

	if (!z->has_dst)
		return z->std;
	date_from_days((at_s + z->std) / 86400, &year, &m, &d);
	begin = rule_at(&z->begin, year) - z->std;
	end = rule_at(&z->end, year) - z->dst;
	if (begin < end)
		return at_s >= begin && at_s < end ? z->dst : z->std;
	return at_s >= end && at_s < begin ? z->std : z->dst;
}

/* --- the file */

static int parse(struct zone *z, const unsigned char *p, size_t n)
{
	const unsigned char *h = p, *types;
	int64_t counts[6];
	size_t skip;

	if (n < 44 || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
		return -EBADMSG;
	for (int i = 0; i < 6; i++)
		counts[i] = big(h + 20 + i * 4, 4);
	for (int i = 0; i < 6; i++)
		if (counts[i] < 0 || counts[i] > TRANSITIONS_MAX)
			return -EBADMSG;
	skip = 44 + (size_t)(counts[3] * 5 + counts[4] * 6 + counts[5] + counts[2] * 8 + counts[1] + counts[0]);
	if (n < skip + 44)
		return -EBADMSG;
	h = p + skip;
	for (int i = 0; i < 6; i++) {
		counts[i] = big(h + 20 + i * 4, 4);
		if (counts[i] < 0 || counts[i] > TRANSITIONS_MAX)
			return -EBADMSG;
	}
	skip += 44 + (size_t)(counts[3] * 9 + counts[4] * 6 + counts[5] + counts[2] * 12 + counts[1] + counts[0]);
	if (n < skip || counts[4] == 0)
		return -EBADMSG;
	z->n = (uint32_t)counts[3];
	z->at = calloc(z->n + 1, sizeof *z->at);
	z->offset = calloc(z->n + 1, sizeof *z->offset);
	if (!z->at || !z->offset)
		return -ENOMEM;
	types = h + 44 + counts[3] * 9;
	z->first = (int32_t)big(types, 4);
	for (uint32_t i = 0; i < z->n; i++) {
		unsigned type = h[44 + counts[3] * 8 + i];

		if (type >= counts[4])
			return -EBADMSG;
		z->at[i] = big(h + 44 + i * 8, 8);
		z->offset[i] = (int32_t)big(types + type * 6, 4);
	}
	if (skip + 1 < n && p[skip] == '\n') {
		char footer[200];
		struct slice rest = slice_n(p + skip + 1, n - skip - 1), line;

		slice_cut(rest, '\n', &line, &rest);
		if (fmt_into(footer, sizeof footer, "%.*s", SLICE_FMT(line)))
			read_footer(z, footer);
	}
	return 0;
}

static bool is_name(const char *s)
{
	for (const char *p = s; *p; p++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/", *p))
			return false;
	return *s != '/' && strlen(s) < 100;
}

int zone_parse(struct slice file, struct zone **ret)
{
	AUTO(zone) struct zone *z = calloc(1, sizeof *z);
	int r = z ? parse(z, (const unsigned char *)file.ptr, file.len) : -ENOMEM;

	if (r == 0)
		*ret = take_ptr(z);
	return r;
}

int zone_load(const char *name, struct zone **ret)
{
	AUTO(buf) struct buf text = BUF_INIT(FILE_MAX);
	char path[200];
	int r;

	if (name && *name && strcmp(name, "UTC") != 0 && strcmp(name, "Etc/UTC") != 0) {
		if (!is_name(name) || !fmt_into(path, sizeof path, "/usr/share/zoneinfo/%s", name))
			return -ENOENT;
		r = file_read(AT_FDCWD, path, &text);
		if (r < 0)
			return r == -EISDIR || r == -ENOTDIR ? -ENOENT : r;
		r = zone_parse(buf_slice(&text), ret);
		return r == -EBADMSG ? -ENOENT : r;
	}
	*ret = calloc(1, sizeof **ret);
	return *ret ? 0 : -ENOMEM;
}

void zone_free(struct zone *z)
{
	if (!z)
		return;
	free(z->at);
	free(z->offset);
	free(z);
}

int32_t zone_offset(const struct zone *z, int64_t at_s)
{
	uint32_t low = 0, high;

	if (!z || (!z->n && !z->has_rule))
		return z ? z->first : 0;
	if (z->has_rule && (!z->n || at_s >= z->at[z->n - 1]))
		return by_rule(z, at_s);
	high = z->n;
	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (z->at[mid] <= at_s)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? z->offset[low - 1] : z->first;
}
