/* SPDX-License-Identifier: Apache-2.0 */
/* CEL's standard functions: sizes, conversions, strings, times, lists, sets, optionals. */
#include "base/clock.h"
#include "base/num.h"
#include "schema/cel_int.h"
#include "schema/crd_regex_int.h"
#include "schema/number.h"
#include "schema/schema_int.h"

typedef const struct cel_value *args;
typedef struct cel_value *result;

static bool are(args v, uint32_t n, uint8_t type)
{
	for (uint32_t i = 0; i < n; i++)
		if (v[i].type != type)
			return false;
	return true;
}

/* --- characters --- */

static size_t characters(struct slice s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
	return n;
}

/* Offset of the n-th character; the length for one past the end. */
static size_t offset_of(struct slice s, int64_t n)
{
	size_t i = 0;
	while (i < s.len && n > 0) {
		i++;
		while (i < s.len && ((unsigned char)s.ptr[i] & 0xc0) == 0x80)
			i++;
		n--;
	}
	return i;
}

static ptrdiff_t find(struct slice s, struct slice what, size_t from)
{
	if (from > s.len)
		return -1;
	if (!what.len)
		return (ptrdiff_t)from;
	const char *p = memmem(s.ptr + from, s.len - from, what.ptr, what.len);
	return p ? p - s.ptr : -1;
}

/* --- sizes and conversions --- */

static int f_size(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (v->type == CEL_STRING)
		*ret = cel_integer((int64_t)characters(v->s));
	else if (v->type == CEL_BYTES)
		*ret = cel_integer((int64_t)v->s.len);
	else if (v->type == CEL_LIST || v->type == CEL_MAP)
		*ret = cel_integer(cel_size(v));
	else
		return cel_no_overload(x);
	return 0;
}

static int f_int(struct cel_run *x, args v, uint32_t n, result ret)
{
	int64_t i = 0;
	switch (v->type) {
	case CEL_INT: i = v->i; break;
	case CEL_UINT:
		if (v->u > INT64_MAX)
			return cel_fail(x, "integer overflow");
		i = (int64_t)v->u;
		break;
	case CEL_DOUBLE:
		if (!(v->d > -9223372036854775808.0 && v->d < 9223372036854775808.0))
			return cel_fail(x, "integer overflow");
		i = (int64_t)v->d;
		break;
	case CEL_STRING:
		if (num_parse_i64(v->s, INT64_MIN, INT64_MAX, &i) < 0)
			return cel_fail(x, "type conversion error from 'string' to 'int'");
		break;
	case CEL_TIME: i = (v->i - (v->i % NS_PER_S + NS_PER_S) % NS_PER_S) / NS_PER_S; break;
	default: return cel_no_overload(x);
	}
	*ret = cel_integer(i);
	return 0;
}

static int f_uint(struct cel_run *x, args v, uint32_t n, result ret)
{
	uint64_t u = 0;
	if (v->type == CEL_UINT)
		u = v->u;
	else if (v->type == CEL_INT && v->i >= 0)
		u = (uint64_t)v->i;
	else if (v->type == CEL_DOUBLE && v->d >= 0 && v->d < 18446744073709551616.0)
		u = (uint64_t)v->d;
	else if (v->type == CEL_INT || v->type == CEL_DOUBLE)
		return cel_fail(x, "unsigned integer overflow");
	else if (v->type != CEL_STRING)
		return cel_no_overload(x);
	else if (num_parse_u64(v->s, UINT64_MAX, &u) < 0)
		return cel_fail(x, "type conversion error from 'string' to 'uint'");
	*ret = (struct cel_value){ .type = CEL_UINT, .u = u };
	return 0;
}

static int f_double(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (v->type == CEL_STRING) {
		AUTO(free) char *copy = slice_dup(v->s);
		char *end = copy;
		double d = copy ? strtod(copy, &end) : 0;
		if (!copy || end == copy || *end)
			return cel_fail(x, "type conversion error from 'string' to 'double'");
		*ret = cel_double(d);
		return 0;
	}
	if (v->type < CEL_INT || v->type > CEL_DOUBLE)
		return cel_no_overload(x);
	*ret = cel_double(v->type == CEL_INT ? (double)v->i : v->type == CEL_UINT ? (double)v->u : v->d);
	return 0;
}

static int f_string(struct cel_run *x, args v, uint32_t n, result ret)
{
	char text[64];
	switch (v->type) {
	case CEL_STRING: case CEL_BYTES: *ret = cel_string(v->s); return 0;
	case CEL_URL: case CEL_IP: case CEL_CIDR: *ret = cel_string(v->s); return 0;
	case CEL_BOOL: *ret = cel_string(v->b ? SLICE("true") : SLICE("false")); return 0;
	case CEL_INT: (void)fmt_into(text, sizeof text, "%lld", (long long)v->i); break;
	case CEL_UINT: (void)fmt_into(text, sizeof text, "%llu", (unsigned long long)v->u); break;
	case CEL_DOUBLE: go_double(text, v->d); break;
	case CEL_TIME: clock_rfc3339_nano(text, v->i); break;
	case CEL_DURATION: {
		bool is_negative = v->i < 0;
		uint64_t ns = is_negative ? 0 - (uint64_t)v->i : (uint64_t)v->i;
		(void)fmt_into(text, sizeof text, "%s%llu.%09llu", is_negative ? "-" : "", (unsigned long long)(ns / 1000000000u), (unsigned long long)(ns % 1000000000u));
		size_t len = strlen(text);
		while (text[len - 1] == '0')
			len--;
		len -= text[len - 1] == '.';
		text[len] = 's';
		text[len + 1] = 0;
		break;
	}
	default: return cel_no_overload(x);
	}
	return cel_text(x, ret, slice_of(text));
}

static int f_bool(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (v->type == CEL_BOOL) {
		*ret = *v;
		return 0;
	}
	if (v->type != CEL_STRING)
		return cel_no_overload(x);
	bool is_true = slice_is(v->s, "true") || slice_is(v->s, "True") || slice_is(v->s, "TRUE") || slice_is(v->s, "t") || slice_is(v->s, "1");
	if (!is_true && !slice_is(v->s, "false") && !slice_is(v->s, "False") && !slice_is(v->s, "FALSE") && !slice_is(v->s, "f") && !slice_is(v->s, "0"))
		return cel_fail(x, "type conversion error from 'string' to 'bool'");
	*ret = cel_bool(is_true);
	return 0;
}

static int f_bytes(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (v->type != CEL_STRING && v->type != CEL_BYTES)
		return cel_no_overload(x);
	*ret = (struct cel_value){ .type = CEL_BYTES, .s = v->s };
	return 0;
}

static int f_dyn(struct cel_run *x, args v, uint32_t n, result ret)
{
	*ret = *v;
	return 0;
}

static int f_type(struct cel_run *x, args v, uint32_t n, result ret)
{
	static const char *const names[] = { "null_type", "bool", "int", "uint", "double", "string", "bytes", "list", "map", "type", "google.protobuf.Timestamp",
		"google.protobuf.Duration", "optional_type", "kubernetes.Quantity", "net.IP", "net.CIDR", "kubernetes.URL" };
	*ret = (struct cel_value){ .type = CEL_TYPE, .s = slice_of(names[v->type]) };
	return 0;
}

static int f_duration(struct cel_run *x, args v, uint32_t n, result ret)
{
	struct cel_value d = { .type = CEL_DURATION };
	if (v->type == CEL_DURATION)
		d = *v;
	else if (v->type != CEL_STRING)
		return cel_no_overload(x);
	else if (duration_parse(v->s, &d.i) < 0)
		return cel_fail(x, "type conversion error from 'string' to 'google.protobuf.Duration'");
	*ret = d;
	return 0;
}

static int f_timestamp(struct cel_run *x, args v, uint32_t n, result ret)
{
	struct cel_value t = { .type = CEL_TIME };
	if (v->type == CEL_TIME)
		t = *v;
	else if (v->type != CEL_STRING)
		return cel_no_overload(x);
	else if (clock_parse_rfc3339(v->s, &t.i) < 0)
		return cel_fail(x, "type conversion error from 'string' to 'google.protobuf.Timestamp'");
	*ret = t;
	return 0;
}

/* --- parts of times --- */

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static int time_part(struct cel_run *x, args v, char what, result ret)
{
	if (v->type == CEL_DURATION && strchr("hmsl", what)) {
		*ret = cel_integer(what == 'l' ? v->i / NS_PER_MS : v->i / NS_PER_S / (what == 'h' ? 3600 : what == 'm' ? 60 : 1));
		return 0;
	}
	if (v->type != CEL_TIME)
		return cel_no_overload(x);
	int64_t s = floor_div(v->i, NS_PER_S), days = floor_div(s, 86400), in_day = s - days * 86400, year;
	int month, day;
	date_from_days(days, &year, &month, &day);
	int64_t got = what == 'Y' ? year : what == 'M' ? month - 1 : what == 'D' ? day : what == 'd' ? day - 1 : what == 'w' ? ((days + 4) % 7 + 7) % 7
		: what == 'y' ? days - date_to_days(year, 1, 1) : what == 'h' ? in_day / 3600 : what == 'm' ? in_day / 60 % 60 : what == 's' ? in_day % 60
		: (v->i - s * NS_PER_S) / NS_PER_MS;
	*ret = cel_integer(got);
	return 0;
}

static int f_year(struct cel_run *x, args v, uint32_t n, result ret) { return time_part(x, v, 'Y', ret); }
static int f_month(struct cel_run *x, args v, uint32_t n, result ret) { return time_part(x, v, 'M', ret); }
static int f_date(struct cel_run *x, args v, uint32_t n, result ret) { return time_part(x, v, 'D', ret); }
static int f_day_of_month(struct cel_run *x, args v, uint32_t n, result ret) { return time_part(x, v, 'd', ret); }
static int f_day_of_week(struct cel_run *x, args v, uint32_t n, result ret) { return time_part(x, v, 'w', ret); }
static int f_day_of_year(struct cel_run *x, args v, uint32_t n, result ret) { return time_part(x, v, 'y', ret); }
static int f_hours(struct cel_run *x, args v, uint32_t n, result ret) { return time_part(x, v, 'h', ret); }
static int f_minutes(struct cel_run *x, args v, uint32_t n, result ret) { return time_part(x, v, 'm', ret); }
static int f_seconds(struct cel_run *x, args v, uint32_t n, result ret) { return time_part(x, v, 's', ret); }
static int f_milliseconds(struct cel_run *x, args v, uint32_t n, result ret) { return time_part(x, v, 'l', ret); }

/* --- strings --- */

static int f_starts(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (!are(v, 2, CEL_STRING))
		return cel_no_overload(x);
	*ret = cel_bool(v[0].s.len >= v[1].s.len && (!v[1].s.len || !memcmp(v[0].s.ptr, v[1].s.ptr, v[1].s.len)));
	return 0;
}

static int f_ends(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (!are(v, 2, CEL_STRING))
		return cel_no_overload(x);
	*ret = cel_bool(v[0].s.len >= v[1].s.len && (!v[1].s.len || !memcmp(v[0].s.ptr + v[0].s.len - v[1].s.len, v[1].s.ptr, v[1].s.len)));
	return 0;
}

static int f_contains(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (!are(v, 2, CEL_STRING))
		return cel_no_overload(x);
	int r = cel_spend(x, v[0].s.len / 16);
	if (r == 0)
		*ret = cel_bool(find(v[0].s, v[1].s, 0) >= 0);
	return r;
}

static int f_matches(struct cel_run *x, args v, uint32_t n, result ret)
{
	struct crd_pattern *p = NULL;
	struct err why;
	if (!are(v, 2, CEL_STRING))
		return cel_no_overload(x);
	AUTO(free) char *text = slice_dup(v[1].s);
	int r = cel_spend(x, v[0].s.len + 100);
	if (r < 0)
		return r;
	r = text ? crd_pattern_new(text, NULL, &p, &why) : -ENOMEM;
	if (r < 0)
		return r == -EINVAL ? cel_fail(x, "%.400s", why.text) : cel_no_room(x);
	r = crd_pattern_match(p, v[0].s);
	crd_patterns_free(p);
	if (r < 0)
		return cel_no_room(x);
	*ret = cel_bool(r);
	return 0;
}

static int f_char_at(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (v[0].type != CEL_STRING || v[1].type != CEL_INT)
		return cel_no_overload(x);
	int64_t size = (int64_t)characters(v[0].s);
	if (v[1].i < 0 || v[1].i > size)
		return cel_fail(x, "index out of range: %lld", (long long)v[1].i);
	size_t from = offset_of(v[0].s, v[1].i), to = offset_of(v[0].s, v[1].i + 1);
	*ret = cel_string(slice_n(v[0].s.ptr + from, to - from));
	return 0;
}

/* The last place of what in s that begins at or before `from`. */
static ptrdiff_t find_last(struct slice s, struct slice what, size_t from)
{
	if (what.len > s.len)
		return -1;
	for (size_t i = MIN(from, s.len - what.len) + 1; i-- > 0;)
		if (!what.len || !memcmp(s.ptr + i, what.ptr, what.len))
			return (ptrdiff_t)i;
	return -1;
}

static int index_in_list(struct cel_run *x, args v, bool is_last, result ret)
{
	int64_t found = -1;
	int r = cel_spend(x, cel_size(v));
	for (uint32_t i = 0; r == 0 && i < cel_size(v); i++) {
		struct cel_value item = cel_item(v, i);
		if (cel_equal(&item, &v[1]) && (found < 0 || is_last))
			found = i;
	}
	*ret = cel_integer(found);
	return r;
}

static int index_of(struct cel_run *x, args v, uint32_t n, bool is_last, result ret)
{
	if (v[0].type == CEL_LIST && n == 2)
		return index_in_list(x, v, is_last, ret);
	if (!are(v, 2, CEL_STRING) || (n > 2 && v[2].type != CEL_INT))
		return cel_no_overload(x);
	struct slice s = v[0].s;
	if (n > 2 && (v[2].i < 0 || v[2].i > (int64_t)characters(s)))
		return cel_fail(x, "index out of range: %lld", (long long)v[2].i);
	size_t from = n > 2 ? offset_of(s, v[2].i) : is_last ? s.len : 0;
	int r = cel_spend(x, s.len);
	ptrdiff_t at = is_last ? find_last(s, v[1].s, from) : find(s, v[1].s, from);
	*ret = cel_integer(at < 0 ? -1 : (int64_t)characters(slice_n(s.ptr, (size_t)at)));
	return r;
}

static int f_index_of(struct cel_run *x, args v, uint32_t n, result ret) { return index_of(x, v, n, false, ret); }
static int f_last_index_of(struct cel_run *x, args v, uint32_t n, result ret) { return index_of(x, v, n, true, ret); }

static int change_case(struct cel_run *x, args v, char from, result ret)
{
	if (v->type != CEL_STRING)
		return cel_no_overload(x);
	int r = cel_text(x, ret, v->s);
	for (size_t i = 0; r == 0 && i < v->s.len; i++)
		if (v->s.ptr[i] >= from && v->s.ptr[i] <= from + 25)
			((char *)ret->s.ptr)[i] ^= 32;
	return r;
}

static int f_lower(struct cel_run *x, args v, uint32_t n, result ret) { return change_case(x, v, 'A', ret); }
static int f_upper(struct cel_run *x, args v, uint32_t n, result ret) { return change_case(x, v, 'a', ret); }

static int f_replace(struct cel_run *x, args v, uint32_t n, result ret)
{
	AUTO(buf) struct buf b = BUF_INIT(4 << 20);
	if (!are(v, 3, CEL_STRING) || (n > 3 && v[3].type != CEL_INT))
		return cel_no_overload(x);
	int64_t left = n > 3 && v[3].i >= 0 ? v[3].i : INT64_MAX;
	struct slice s = v[0].s;
	size_t at = 0;
	while (left-- > 0) {
		ptrdiff_t hit = find(s, v[1].s, at);
		if (hit < 0)
			break;
		/* nothing is found before each character and at the end */
		size_t next = v[1].s.len ? (size_t)hit + v[1].s.len : at + offset_of(slice_n(s.ptr + at, s.len - at), 1);
		buf_add(&b, s.ptr + at, (size_t)hit - at);
		buf_addslice(&b, v[2].s);
		if (!v[1].s.len) {
			if (at >= s.len) {
				at = s.len + 1;
				break;
			}
			buf_add(&b, s.ptr + at, next - at);
		}
		at = next;
	}
	if (at < s.len)
		buf_add(&b, s.ptr + at, s.len - at);
	return buf_error(&b) ? cel_no_room(x) : cel_text(x, ret, buf_slice(&b));
}

static int f_split(struct cel_run *x, args v, uint32_t n, result ret)
{
	struct cel_value *items;
	if (!are(v, 2, CEL_STRING) || (n > 2 && v[2].type != CEL_INT))
		return cel_no_overload(x);
	struct slice s = v[0].s, by = v[1].s;
	int64_t max = n > 2 ? v[2].i : -1;
	size_t parts = by.len ? 1 : characters(s), at = 0, k = 0;
	for (ptrdiff_t hit = by.len ? find(s, by, 0) : -1; hit >= 0; hit = find(s, by, (size_t)hit + by.len))
		parts++;
	if (max >= 0)
		parts = MIN(parts, (size_t)max);
	int r = cel_list(x, (uint32_t)parts, &items, ret);
	for (; r == 0 && k < parts; k++) {
		size_t end = by.len ? (size_t)find(s, by, at) : at + offset_of(slice_n(s.ptr + at, s.len - at), 1);
		if (k + 1 == parts)
			end = s.len;
		items[k] = cel_string(slice_n(s.ptr + at, end - at));
		at = end + by.len;
	}
	return r;
}

static int f_substring(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (v[0].type != CEL_STRING || !are(v + 1, n - 1, CEL_INT))
		return cel_no_overload(x);
	int64_t size = (int64_t)characters(v[0].s), from = v[1].i, to = n > 2 ? v[2].i : size;
	if (from < 0 || from > size)
		return cel_fail(x, "index out of range: %lld", (long long)from);
	if (to < 0 || to > size)
		return cel_fail(x, "index out of range: %lld", (long long)to);
	if (from > to)
		return cel_fail(x, "invalid substring range. start: %lld, end: %lld", (long long)from, (long long)to);
	size_t a = offset_of(v[0].s, from), b = offset_of(v[0].s, to);
	*ret = cel_string(slice_n(v[0].s.ptr + a, b - a));
	return 0;
}

static int f_trim(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (v->type != CEL_STRING)
		return cel_no_overload(x);
	struct slice s = v->s;
	while (s.len && strchr(" \t\n\v\f\r", s.ptr[0]) && s.ptr[0])
		s = slice_n(s.ptr + 1, s.len - 1);
	while (s.len && strchr(" \t\n\v\f\r", s.ptr[s.len - 1]) && s.ptr[s.len - 1])
		s.len--;
	*ret = cel_string(s);
	return 0;
}

static int f_join(struct cel_run *x, args v, uint32_t n, result ret)
{
	AUTO(buf) struct buf b = BUF_INIT(4 << 20);
	if (v[0].type != CEL_LIST || (n > 1 && v[1].type != CEL_STRING))
		return cel_no_overload(x);
	for (uint32_t i = 0; i < cel_size(v); i++) {
		struct cel_value item = cel_item(v, i);
		if (item.type != CEL_STRING)
			return cel_no_overload(x);
		if (i && n > 1)
			buf_addslice(&b, v[1].s);
		buf_addslice(&b, item.s);
	}
	return buf_error(&b) ? cel_no_room(x) : cel_text(x, ret, buf_slice(&b));
}

static int f_reverse(struct cel_run *x, args v, uint32_t n, result ret)
{
	struct cel_value *items;
	if (v->type == CEL_LIST) {
		uint32_t size = cel_size(v);
		int r = cel_list(x, size, &items, ret);
		for (uint32_t i = 0; r == 0 && i < size; i++)
			items[i] = cel_item(v, size - 1 - i);
		return r;
	}
	if (v->type != CEL_STRING)
		return cel_no_overload(x);
	int r = cel_text(x, ret, v->s);
	for (size_t i = 0, len; r == 0 && i < v->s.len; i += len) {
		len = offset_of(slice_n(v->s.ptr + i, v->s.len - i), 1);
		memcpy((char *)ret->s.ptr + v->s.len - i - len, v->s.ptr + i, len);
	}
	return r;
}

/* --- lists and sets --- */

static int f_is_sorted(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (v->type != CEL_LIST)
		return cel_no_overload(x);
	bool is_sorted = true;
	int r = cel_spend(x, cel_size(v));
	for (uint32_t i = 1; r == 0 && is_sorted && i < cel_size(v); i++) {
		struct cel_value a = cel_item(v, i - 1), b = cel_item(v, i);
		int order = cel_compare(&a, &b);
		if (order == 2)
			return cel_no_overload(x);
		is_sorted = order <= 0;
	}
	*ret = cel_bool(is_sorted);
	return r;
}

static int f_sum(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (v->type != CEL_LIST)
		return cel_no_overload(x);
	struct cel_value sum = cel_integer(0);
	int r = cel_spend(x, cel_size(v));
	for (uint32_t i = 0; r == 0 && i < cel_size(v); i++) {
		struct cel_value item = cel_item(v, i), before = sum;
		if (item.type != CEL_INT && item.type != CEL_UINT && item.type != CEL_DOUBLE && item.type != CEL_DURATION)
			return cel_no_overload(x);
		r = i ? cel_binary(x, CEL_ADD, &before, &item, &sum) : (sum = item, 0);
	}
	*ret = sum;
	return r;
}

static int extreme(struct cel_run *x, args list, bool is_max, const char *name, result ret)
{
	uint32_t size = cel_size(list);
	if (!size)
		return cel_fail(x, "%s called on empty list", name);
	struct cel_value best = cel_item(list, 0);
	int r = cel_spend(x, size);
	for (uint32_t i = 1; r == 0 && i < size; i++) {
		struct cel_value item = cel_item(list, i);
		int order = cel_compare(&item, &best);
		if (order == 2)
			return cel_no_overload(x);
		if (is_max ? order > 0 : order < 0)
			best = item;
	}
	*ret = best;
	return r;
}

static int f_min(struct cel_run *x, args v, uint32_t n, result ret)
{
	return v->type == CEL_LIST ? extreme(x, v, false, "min", ret) : cel_no_overload(x);
}

static int f_max(struct cel_run *x, args v, uint32_t n, result ret)
{
	return v->type == CEL_LIST ? extreme(x, v, true, "max", ret) : cel_no_overload(x);
}

static int of_arguments(struct cel_run *x, args v, uint32_t n, bool is_max, result ret)
{
	struct cel_value list = { .type = CEL_LIST, .n = n, .v = v };
	if (n == 1 && v->type == CEL_LIST)
		list = *v;
	return extreme(x, &list, is_max, is_max ? "math.@max" : "math.@min", ret);
}

static int f_greatest(struct cel_run *x, args v, uint32_t n, result ret) { return of_arguments(x, v, n, true, ret); }
static int f_least(struct cel_run *x, args v, uint32_t n, result ret) { return of_arguments(x, v, n, false, ret); }

static bool has(args list, const struct cel_value *v)
{
	for (uint32_t i = 0; i < cel_size(list); i++) {
		struct cel_value item = cel_item(list, i);
		if (cel_equal(&item, v))
			return true;
	}
	return false;
}

/* How many of b are in a: all, or some. */
static int overlap(struct cel_run *x, args a, args b, bool *all, bool *any)
{
	*all = true;
	*any = false;
	if (a->type != CEL_LIST || b->type != CEL_LIST)
		return cel_no_overload(x);
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < cel_size(b); i++) {
		struct cel_value item = cel_item(b, i);
		bool is_in = has(a, &item);
		r = cel_spend(x, cel_size(a));
		*all &= is_in;
		*any |= is_in;
	}
	return r;
}

static int f_sets_contains(struct cel_run *x, args v, uint32_t n, result ret)
{
	bool all, any;
	int r = overlap(x, v, v + 1, &all, &any);
	*ret = cel_bool(all);
	return r;
}

static int f_sets_intersects(struct cel_run *x, args v, uint32_t n, result ret)
{
	bool all, any;
	int r = overlap(x, v, v + 1, &all, &any);
	*ret = cel_bool(any);
	return r;
}

static int f_sets_equivalent(struct cel_run *x, args v, uint32_t n, result ret)
{
	bool one, other, any;
	int r = overlap(x, v, v + 1, &one, &any);
	if (r == 0)
		r = overlap(x, v + 1, v, &other, &any);
	*ret = cel_bool(r == 0 && one && other);
	return r;
}

/* --- optionals --- */

static int f_none(struct cel_run *x, args v, uint32_t n, result ret)
{
	*ret = (struct cel_value){ .type = CEL_OPTIONAL };
	return 0;
}

static int f_of(struct cel_run *x, args v, uint32_t n, result ret)
{
	*ret = (struct cel_value){ .type = CEL_OPTIONAL, .v = v };
	return 0;
}

static int f_of_non_zero(struct cel_run *x, args v, uint32_t n, result ret)
{
	bool is_zero = v->type == CEL_NULL || (v->type == CEL_BOOL && !v->b) || (v->type == CEL_INT && !v->i) || (v->type == CEL_UINT && !v->u) ||
		(v->type == CEL_DOUBLE && v->d == 0) || ((v->type == CEL_STRING || v->type == CEL_BYTES) && !v->s.len) ||
		((v->type == CEL_LIST || v->type == CEL_MAP) && !cel_size(v));
	return is_zero ? f_none(x, v, n, ret) : f_of(x, v, n, ret);
}

static int f_has_value(struct cel_run *x, args v, uint32_t n, result ret)
{
	*ret = cel_bool(v->v != NULL);
	return v->type == CEL_OPTIONAL ? 0 : cel_no_overload(x);
}

static int f_value(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (v->type != CEL_OPTIONAL)
		return cel_no_overload(x);
	if (!v->v)
		return cel_fail(x, "optional.none() dereference");
	*ret = *v->v;
	return 0;
}

static int f_or_value(struct cel_run *x, args v, uint32_t n, result ret)
{
	*ret = v->type == CEL_OPTIONAL && v->v ? *v->v : v[1];
	return v->type == CEL_OPTIONAL ? 0 : cel_no_overload(x);
}

static int f_or(struct cel_run *x, args v, uint32_t n, result ret)
{
	*ret = v->type == CEL_OPTIONAL && v->v ? v[0] : v[1];
	return are(v, 2, CEL_OPTIONAL) ? 0 : cel_no_overload(x);
}

const struct cel_function cel_functions[] = {
	{ "size", 1, 1, CEL_GLOBAL | CEL_MEMBER, f_size }, { "int", 1, 1, CEL_GLOBAL, f_int }, { "uint", 1, 1, CEL_GLOBAL, f_uint },
	{ "double", 1, 1, CEL_GLOBAL, f_double }, { "string", 1, 1, CEL_GLOBAL, f_string }, { "bool", 1, 1, CEL_GLOBAL, f_bool },
	{ "bytes", 1, 1, CEL_GLOBAL, f_bytes }, { "dyn", 1, 1, CEL_GLOBAL, f_dyn }, { "type", 1, 1, CEL_GLOBAL, f_type },
	{ "duration", 1, 1, CEL_GLOBAL, f_duration }, { "timestamp", 1, 1, CEL_GLOBAL, f_timestamp },
	{ "getFullYear", 1, 1, CEL_MEMBER, f_year }, { "getMonth", 1, 1, CEL_MEMBER, f_month }, { "getDate", 1, 1, CEL_MEMBER, f_date },
	{ "getDayOfMonth", 1, 1, CEL_MEMBER, f_day_of_month }, { "getDayOfWeek", 1, 1, CEL_MEMBER, f_day_of_week },
	{ "getDayOfYear", 1, 1, CEL_MEMBER, f_day_of_year }, { "getHours", 1, 1, CEL_MEMBER, f_hours }, { "getMinutes", 1, 1, CEL_MEMBER, f_minutes },
	{ "getSeconds", 1, 1, CEL_MEMBER, f_seconds }, { "getMilliseconds", 1, 1, CEL_MEMBER, f_milliseconds },
	{ "startsWith", 2, 2, CEL_MEMBER, f_starts }, { "endsWith", 2, 2, CEL_MEMBER, f_ends }, { "contains", 2, 2, CEL_MEMBER, f_contains },
	{ "matches", 2, 2, CEL_GLOBAL | CEL_MEMBER, f_matches }, { "charAt", 2, 2, CEL_MEMBER, f_char_at }, { "indexOf", 2, 3, CEL_MEMBER, f_index_of },
	{ "lastIndexOf", 2, 3, CEL_MEMBER, f_last_index_of }, { "lowerAscii", 1, 1, CEL_MEMBER, f_lower }, { "upperAscii", 1, 1, CEL_MEMBER, f_upper },
	{ "replace", 3, 4, CEL_MEMBER, f_replace }, { "split", 2, 3, CEL_MEMBER, f_split }, { "substring", 2, 3, CEL_MEMBER, f_substring },
	{ "trim", 1, 1, CEL_MEMBER, f_trim }, { "join", 1, 2, CEL_MEMBER, f_join }, { "reverse", 1, 1, CEL_MEMBER, f_reverse },
	{ "isSorted", 1, 1, CEL_MEMBER, f_is_sorted }, { "sum", 1, 1, CEL_MEMBER, f_sum }, { "min", 1, 1, CEL_MEMBER, f_min },
	{ "max", 1, 1, CEL_MEMBER, f_max }, { "math.greatest", 1, 16, CEL_GLOBAL, f_greatest }, { "math.least", 1, 16, CEL_GLOBAL, f_least },
	{ "sets.contains", 2, 2, CEL_GLOBAL, f_sets_contains }, { "sets.intersects", 2, 2, CEL_GLOBAL, f_sets_intersects },
	{ "sets.equivalent", 2, 2, CEL_GLOBAL, f_sets_equivalent }, { "optional.none", 0, 0, CEL_GLOBAL, f_none }, { "optional.of", 1, 1, CEL_GLOBAL, f_of },
	{ "optional.ofNonZeroValue", 1, 1, CEL_GLOBAL, f_of_non_zero }, { "hasValue", 1, 1, CEL_MEMBER, f_has_value }, { "value", 1, 1, CEL_MEMBER, f_value },
	{ "orValue", 2, 2, CEL_MEMBER, f_or_value }, { "or", 2, 2, CEL_MEMBER, f_or },
};
const uint32_t cel_n_functions = ARRAY_LEN(cel_functions);
