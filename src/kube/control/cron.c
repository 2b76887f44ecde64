// SPDX-License-Identifier: Apache-2.0
#include "kube/control/cron_int.h"

#include <errno.h>

#include "base/clock.h"
#include "base/num.h"

struct range { int low, high; const char *const *names; };
static const char *const months[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL };
static const char *const days[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };
static const struct range minute = { 0, 59, NULL }, hour = { 0, 23, NULL }, day = { 1, 31, NULL }, month = { 1, 12, months }, weekday = { 0, 6, days };

static int number(const struct range *r, struct slice s, int64_t *ret)
{
	for (int i = 0; r->names && r->names[i]; i++)
		if (slice_eq_nocase(s, slice_of(r->names[i]))) {
			*ret = r->low + i;
			return 0;
		}
	return num_parse_i64(s, 0, 100, ret);
}

/* "*", "5", "1-5", "*\/2", "3-20/4", "7/2" */
static int piece(const struct range *r, struct slice s, uint64_t *bits, bool *any)
{
	struct slice span, step_text, first, last;
	bool has_step = slice_cut(s, '/', &span, &step_text), has_last;
	int64_t low = r->low, high = r->high, step = 1;

	if (slice_is(span, "*") || slice_is(span, "?")) {
		*any |= !has_step;
	} else {
		has_last = slice_cut(span, '-', &first, &last);
		if (number(r, first, &low) < 0)
			return -EINVAL;
		high = has_step ? r->high : low;
		if (has_last && number(r, last, &high) < 0)
			return -EINVAL;
	}
	if (has_step && (num_parse_i64(step_text, 1, 1000, &step) < 0))
		return -EINVAL;
	/* Sunday may be 7. */
	if (r == &weekday && low == 7 && high == 7)
		low = high = 0;
	if (low < r->low || high > r->high || low > high)
		return -EINVAL;
	for (int64_t i = low; i <= high; i += step)
		*bits |= 1ull << i;
	return 0;
}

static int field(const struct range *r, struct slice s, uint64_t *bits, bool *any)
{
	struct slice p;

	*bits = 0;
	*any = false;
	while (slice_next(&s, ',', &p))
		if (piece(r, p, bits, any) < 0)
			return -EINVAL;
	return *bits ? 0 : -EINVAL;
}

static bool next_word(struct slice *s, struct slice *ret)
{
	*s = slice_trim(*s);
	if (!s->len)
		return false;
	*ret = slice_n(s->ptr, 0);
	while (ret->len < s->len && s->ptr[ret->len] != ' ' && s->ptr[ret->len] != '\t')
		ret->len++;
	*s = slice_n(s->ptr + ret->len, s->len - ret->len);
	return true;
}

int cron_parse(const char *text, struct cron *ret, struct err *e)
{
	static const struct { const char *name, *same; } macros[] = {
		{ "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" }, { "@weekly", "0 0 * * 0" },
		{ "@daily", "0 0 * * *" }, { "@midnight", "0 0 * * *" }, { "@hourly", "0 * * * *" },
	};
	static const struct range *const rows[] = { &minute, &hour, &day, &month, &weekday };
	struct slice s = slice_trim(slice_of(text ? text : "")), words[5], more;
	uint64_t bits[5];
	bool any[5];

	*ret = (struct cron){ 0 };
	if (slice_starts(s, "@every ")) {
		int64_t ns;

		if (duration_parse(slice_trim(slice_n(s.ptr + 7, s.len - 7)), &ns) < 0 || ns < NS_PER_S)
			return err_set(e, EINVAL, "failed to parse duration %s", text);
		ret->every_s = ns / NS_PER_S;
		return 0;
	}
	for (size_t i = 0; i < sizeof macros / sizeof *macros; i++)
		if (slice_is(s, macros[i].name))
			s = slice_of(macros[i].same);
	for (int i = 0; i < 5; i++)
		if (!next_word(&s, &words[i]))
			return err_set(e, EINVAL, "expected exactly 5 fields, found %d: [%s]", i, text ? text : "");
	if (next_word(&s, &more))
		return err_set(e, EINVAL, "expected exactly 5 fields, found more: [%s]", text);
	for (int i = 0; i < 5; i++)
		if (field(rows[i], words[i], &bits[i], &any[i]) < 0)
			return err_set(e, EINVAL, "cannot read \"%.*s\" in schedule \"%s\"", SLICE_FMT(words[i]), text);
	*ret = (struct cron){ .minute = bits[0], .hour = (uint32_t)bits[1], .day = (uint32_t)bits[2], .month = (uint32_t)bits[3], .weekday = (uint32_t)bits[4],
		.any_day = any[2], .any_weekday = any[4] };
	return 0;
}

static bool day_matches(const struct cron *c, int64_t days_since, int m, int d)
{
	bool by_day = c->day >> d & 1, by_weekday = c->weekday >> ((days_since % 7 + 11) % 7) & 1;     /* day 0 was a Thursday */

	if (!(c->month >> m & 1))
		return false;
	return c->any_day || c->any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

/* A wall-clock time as seconds since the epoch; false when the clock jumps over it. */
static bool from_wall(const struct zone *z, int64_t wall_s, int64_t *ret)
{
	/* The offset before a change first: of a time that comes twice the first is meant. */
	int32_t before = zone_offset(z, wall_s - 86400), after = zone_offset(z, wall_s + 86400);

	if (zone_offset(z, wall_s - before) == before) {
		*ret = wall_s - before;
		return true;
	}
	*ret = wall_s - after;
	return zone_offset(z, wall_s - after) == after;
}

int64_t cron_next(const struct cron *c, const struct zone *z, int64_t after_s)
{
	int64_t wall, first_day;

	if (c->every_s)
		return after_s + c->every_s;
	wall = after_s + zone_offset(z, after_s);
	first_day = wall >= 0 ? wall / 86400 : (wall - 86399) / 86400;
	for (int64_t n = first_day; n < first_day + 5 * 366; n++) {
		int64_t y;
		int m, d;

		date_from_days(n, &y, &m, &d);
		if (!day_matches(c, n, m, d))
			continue;
		for (int h = 0; h < 24; h++) {
			if (!(c->hour >> h & 1))
				continue;
			for (int i = 0; i < 60; i++) {
				int64_t at;

				if ((c->minute >> i & 1) && from_wall(z, n * 86400 + h * 3600 + i * 60, &at) && at > after_s)
					return at;
			}
		}
	}
	return 0;
}
