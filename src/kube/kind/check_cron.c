/* SPDX-License-Identifier: Apache-2.0 */
/* The syntax of cron schedules, with the sentences of the parser that Kubernetes uses (robfig/cron v3, standard form). */
#include "kube/kind/check_work.h"

#include <strings.h>

#include "base/num.h"

static const struct field {
	int min, max;
	const char *names[13];
} fields[] = {
	{ 0, 59, { NULL } }, { 0, 23, { NULL } }, { 1, 31, { NULL } },
	{ 1, 12, { "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL } },
	{ 0, 6, { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL } },
};

static bool number(const struct field *f, struct slice s, int64_t *ret, struct buf *why)
{
	for (int i = 0; f->names[i]; i++) {
		if (s.len == 3 && !strncasecmp(s.ptr, f->names[i], 3)) {
			*ret = f->min + i;
			return true;
		}
	}
	bool negative = s.len > 1 && s.ptr[0] == '-';
	struct slice digits = negative ? slice_n(s.ptr + 1, s.len - 1) : s;
	if (num_parse_i64(digits, 0, INT32_MAX, ret) < 0) {
		buf_addf(why, "failed to parse int from %.*s: strconv.Atoi: parsing \"%.*s\": invalid syntax", SLICE_FMT(s), SLICE_FMT(s));
		return false;
	}
	if (negative) {
		buf_addf(why, "negative number (%lld) not allowed: %.*s", -(long long)*ret, SLICE_FMT(s));
		return false;
	}
	return true;
}

/* number | number "-" number [ "/" number ], with * for all. */
static bool range(const struct field *f, struct slice expr, struct buf *why)
{
	struct slice span, step, low, high;
	int64_t start = f->min, end = f->max, every = 1;
	bool has_step = slice_cut(expr, '/', &span, &step), has_high = slice_cut(span, '-', &low, &high);
	if (has_step && slice_find(step, '/') >= 0) {
		buf_addf(why, "too many slashes: %.*s", SLICE_FMT(expr));
		return false;
	}
	if (!slice_is(low, "*") && !slice_is(low, "?")) {
		if (has_high && slice_find(high, '-') >= 0) {
			buf_addf(why, "too many hyphens: %.*s", SLICE_FMT(expr));
			return false;
		}
		if (!number(f, low, &start, why) || (has_high && !number(f, high, &end, why)))
			return false;
		if (!has_high && !has_step)
			end = start;
	}
	if (has_step && !number(f, step, &every, why))
		return false;
	if (start < f->min)
		buf_addf(why, "beginning of range (%lld) below minimum (%d): %.*s", (long long)start, f->min, SLICE_FMT(expr));
	else if (end > f->max)
		buf_addf(why, "end of range (%lld) above maximum (%d): %.*s", (long long)end, f->max, SLICE_FMT(expr));
	else if (start > end)
		buf_addf(why, "beginning of range (%lld) beyond end of range (%lld): %.*s", (long long)start, (long long)end, SLICE_FMT(expr));
	else if (!every)
		buf_addf(why, "step of range should be a positive number: %.*s", SLICE_FMT(expr));
	return !why->len;
}

static bool is_descriptor(const char *s, struct buf *why)
{
	static const char *const names[] = { "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(s, names[i]))
			return true;
	if (!strncmp(s, "@every ", 7) && s[7] >= '0' && s[7] <= '9')
		return true;
	buf_addf(why, "unrecognized descriptor: %s", s);
	return false;
}

bool cron_is_valid(const char *schedule, struct buf *why)
{
	struct slice words[64], rest = slice_trim(slice_of(schedule));
	size_t n = 0;
	if (*schedule == '@')
		return is_descriptor(schedule, why);
	while (rest.len && n < ARRAY_LEN(words)) {
		size_t k = 0;
		while (k < rest.len && rest.ptr[k] != ' ' && rest.ptr[k] != '\t')
			k++;
		words[n++] = slice_n(rest.ptr, k);
		rest = slice_trim(slice_n(rest.ptr + k, rest.len - k));
	}
	/* a time zone in front is said to be wrong by the caller */
	size_t first = n && (slice_starts(words[0], "TZ=") || slice_starts(words[0], "CRON_TZ=")) ? 1 : 0;
	if (n - first != ARRAY_LEN(fields)) {
		buf_addf(why, "expected exactly 5 fields, found %zu: [", n - first);
		for (size_t i = first; i < n; i++)
			buf_addf(why, "%s%.*s", i > first ? " " : "", SLICE_FMT(words[i]));
		buf_addc(why, ']');
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct slice list = words[first + i], part;
		while (slice_next(&list, ',', &part))
			if (part.len && !range(&fields[i], part, why))
				return false;
	}
	return true;
}
