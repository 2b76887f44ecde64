/* SPDX-License-Identifier: Apache-2.0 */
/* Formats of strings that Kubernetes checks in custom resources; names are compared without dashes. */
#include <arpa/inet.h>
#include <ctype.h>

#include "base/num.h"
#include "codec/base64.h"
#include "schema/crd_int.h"
#include "schema/schema_int.h"

static bool digits(struct slice s, size_t from, size_t n)
{
	for (size_t i = from; i < from + n; i++)
		if (i >= s.len || s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
	return true;
}

static unsigned two(struct slice s, size_t at)
{
	return (unsigned)(s.ptr[at] - '0') * 10 + (unsigned)(s.ptr[at + 1] - '0');
}

static bool is_date(struct slice s)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	if (s.len != 10 || !digits(s, 0, 4) || s.ptr[4] != '-' || !digits(s, 5, 2) || s.ptr[7] != '-' || !digits(s, 8, 2))
		return false;
	unsigned year = two(s, 0) * 100 + two(s, 2), month = two(s, 5), day = two(s, 8);
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && is_leap ? 1u : 0u);
}

static bool is_datetime(struct slice s)
{
	if (s.len < 20 || !is_date(slice_n(s.ptr, 10)) || (s.ptr[10] != 'T' && s.ptr[10] != 't'))
		return false;
	if (!digits(s, 11, 2) || s.ptr[13] != ':' || !digits(s, 14, 2) || s.ptr[16] != ':' || !digits(s, 17, 2))
		return false;
	if (two(s, 11) > 23 || two(s, 14) > 59 || two(s, 17) > 59)
		return false;
	size_t at = 19;
	if (s.ptr[at] == '.') {
		size_t from = ++at;
		while (at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9')
			at++;
		if (at == from)
			return false;
	}
	if (at + 1 == s.len)
		return s.ptr[at] == 'Z' || s.ptr[at] == 'z';
	return at + 6 == s.len && (s.ptr[at] == '+' || s.ptr[at] == '-') && digits(s, at + 1, 2) && s.ptr[at + 3] == ':' && digits(s, at + 4, 2);
}

static bool is_hex(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isxdigit((unsigned char)s.ptr[i]))
			return false;
	return s.len > 0;
}

/* version and variant may be 0: any */
static bool is_uuid_of(struct slice s, char version, bool has_variant)
{
	static const uint8_t groups[] = { 8, 4, 4, 4, 12 };
	for (int i = 0; i < 5; i++) {
		if (i && s.len && s.ptr[0] == '-')
			s = slice_n(s.ptr + 1, s.len - 1);
		if (s.len < groups[i] || !is_hex(slice_n(s.ptr, groups[i])))
			return false;
		if ((i == 2 && version && s.ptr[0] != version) || (i == 3 && has_variant && !strchr("89abAB", s.ptr[0])))
			return false;
		s = slice_n(s.ptr + groups[i], s.len - groups[i]);
	}
	return !s.len;
}

static bool is_uuid(struct slice s) { return is_uuid_of(s, 0, false); }
static bool is_uuid3(struct slice s) { return is_uuid_of(s, '3', false); }
static bool is_uuid4(struct slice s) { return is_uuid_of(s, '4', true); }
static bool is_uuid5(struct slice s) { return is_uuid_of(s, '5', true); }

static bool address(int family, struct slice s)
{
	char text[64];
	unsigned char bytes[16];
	return s.len < sizeof text && !memchr(s.ptr, 0, s.len) && fmt_into(text, sizeof text, "%.*s", SLICE_FMT(s)) && inet_pton(family, text, bytes) == 1;
}

static bool is_ipv4(struct slice s) { return address(AF_INET, s); }
static bool is_ipv6(struct slice s) { return address(AF_INET6, s); }

static bool is_cidr(struct slice s)
{
	struct slice ip, bits;
	uint64_t n;
	if (!slice_cut(s, '/', &ip, &bits) || num_parse_u64(bits, 128, &n) < 0 || (bits.len > 1 && bits.ptr[0] == '0'))
		return false;
	return is_ipv6(ip) || (is_ipv4(ip) && n <= 32);
}

static bool is_mac(struct slice s)
{
	struct slice part;
	if (!s.len)
		return false;
	bool has_dots = slice_find(s, '.') >= 0;
	char separator = has_dots ? '.' : slice_find(s, '-') >= 0 ? '-' : ':';
	size_t n = 0, width = has_dots ? 4 : 2;
	while (slice_next(&s, separator, &part)) {
		if (part.len != width || !is_hex(part))
			return false;
		n += width / 2;
	}
	return n == 6 || n == 8 || n == 20;
}

static bool is_label(struct slice s, size_t max)
{
	if (!s.len || s.len > max || !isalnum((unsigned char)s.ptr[0]) || !isalnum((unsigned char)s.ptr[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.ptr[i]) && s.ptr[i] != '-')
			return false;
	return true;
}

static bool is_lower(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (isupper((unsigned char)s.ptr[i]))
			return false;
	return true;
}

static bool labels(struct slice s, size_t max)
{
	struct slice label;
	if (!s.len || s.len > 253)
		return false;
	while (slice_next(&s, '.', &label))
		if (!is_label(label, max))
			return false;
	return true;
}

static bool is_hostname(struct slice s) { return labels(s, 63); }
static bool is_short_name(struct slice s) { return is_label(s, 63) && is_lower(s); }
static bool is_long_name(struct slice s) { return labels(s, 253) && is_lower(s); }

/* As Go's url.ParseRequestURI: a scheme and something behind it, or a rooted path. */
static bool is_uri(struct slice s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f || s.ptr[i] == ' ')
			return false;
	if (!s.len)
		return false;
	if (s.ptr[0] == '/')
		return true;
	while (n < s.len && (isalnum((unsigned char)s.ptr[n]) || strchr("+-.", s.ptr[n])))
		n++;
	return n && isalpha((unsigned char)s.ptr[0]) && n < s.len && s.ptr[n] == ':' && n + 1 < s.len;
}

static bool is_email(struct slice s)
{
	ptrdiff_t at = slice_rfind(s, '@');
	if (at <= 0 || (size_t)at + 1 >= s.len)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (isspace((unsigned char)s.ptr[i]) || strchr("<>()[],;:\\\"", s.ptr[i] ? s.ptr[i] : ','))
			return false;
	struct slice local = slice_n(s.ptr, (size_t)at);
	return local.ptr[0] != '.' && local.ptr[local.len - 1] != '.' && slice_find(local, '@') < 0;
}

/* "1h2m3.5s" as Go, or "3 days" as Scala. */
static bool is_duration(struct slice s)
{
	static const char *const units[] = { "ns", "us", "\xc2\xb5s", "\xce\xbcs", "ms", "s", "m", "h", "d", "w", "nano", "nanos", "nanosecond",
		"nanoseconds", "micro", "micros", "microsecond", "microseconds", "milli", "millis", "millisecond", "milliseconds", "sec", "secs",
		"second", "seconds", "min", "mins", "minute", "minutes", "hr", "hour", "hours", "day", "days", "week", "weeks", "wk", "wks" };
	s = slice_trim(s);
	if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+'))
		s = slice_n(s.ptr + 1, s.len - 1);
	if (slice_is(s, "0"))
		return true;
	bool any = false;
	while (s.len) {
		size_t n = 0, from;
		while (n < s.len && (isdigit((unsigned char)s.ptr[n]) || s.ptr[n] == '.'))
			n++;
		if (!n || (n == 1 && s.ptr[0] == '.'))
			return false;
		while (n < s.len && s.ptr[n] == ' ')
			n++;
		for (from = n; n < s.len && !isdigit((unsigned char)s.ptr[n]) && s.ptr[n] != '.' && s.ptr[n] != ' '; n++)
			;
		bool is_known = false;
		for (size_t i = 0; i < ARRAY_LEN(units); i++)
			is_known |= slice_is(slice_n(s.ptr + from, n - from), units[i]);
		if (!is_known)
			return false;
		while (n < s.len && s.ptr[n] == ' ')
			n++;
		s = slice_n(s.ptr + n, s.len - n);
		any = true;
	}
	return any;
}

static bool is_byte(struct slice s)
{
	size_t pad = 0;
	if (s.len % 4)
		return false;
	while (pad < 2 && pad < s.len && s.ptr[s.len - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < s.len - pad; i++)
		if (!isalnum((unsigned char)s.ptr[i]) && s.ptr[i] != '+' && s.ptr[i] != '/')
			return false;
	return true;
}

static bool is_any(struct slice s) { return true; }

static bool is_objectid(struct slice s) { return s.len == 24 && is_hex(s); }

static bool is_color(struct slice s)
{
	if (s.len && s.ptr[0] == '#')
		s = slice_n(s.ptr + 1, s.len - 1);
	return (s.len == 3 || s.len == 6) && is_hex(s);
}

static bool is_rgb(struct slice s)
{
	struct slice part;
	unsigned n = 0;
	if (!slice_starts(s, "rgb(") || !slice_ends(s, ")"))
		return false;
	s = slice_n(s.ptr + 4, s.len - 5);
	while (slice_next(&s, ',', &part)) {
		uint64_t v;
		n++;
		if (num_parse_u64(slice_trim(part), 255, &v) < 0)
			return false;
	}
	return n == 3;
}

static bool is_ssn(struct slice s)
{
	char out[16];
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++) {
		bool may_separate = (n == 3 || n == 5) && i && (s.ptr[i] == '-' || s.ptr[i] == ' ') && isdigit((unsigned char)s.ptr[i - 1]);
		if (may_separate)
			continue;
		if (!isdigit((unsigned char)s.ptr[i]) || n >= 9)
			return false;
		out[n++] = s.ptr[i];
	}
	return n == 9 && out[0];
}

/* Digits without blanks and dashes; X counts where it may stand. */
static size_t strip(struct slice s, char out[32])
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '-' || s.ptr[i] == ' ')
			continue;
		if (n >= 31 || (!isdigit((unsigned char)s.ptr[i]) && s.ptr[i] != 'X'))
			return 0;
		out[n++] = s.ptr[i];
	}
	return n;
}

static bool is_isbn10(struct slice s)
{
	char d[32];
	unsigned sum = 0;
	if (strip(s, d) != 10)
		return false;
	for (unsigned i = 0; i < 10; i++) {
		if (d[i] == 'X' && i < 9)
			return false;
		sum += (i + 1) * (d[i] == 'X' ? 10u : (unsigned)(d[i] - '0'));
	}
	return sum % 11 == 0;
}

static bool is_isbn13(struct slice s)
{
	char d[32];
	unsigned sum = 0;
	if (strip(s, d) != 13)
		return false;
	for (unsigned i = 0; i < 13; i++) {
		if (d[i] == 'X')
			return false;
		sum += (i % 2 ? 3u : 1u) * (unsigned)(d[i] - '0');
	}
	return sum % 10 == 0;
}

static bool is_isbn(struct slice s) { return is_isbn10(s) || is_isbn13(s); }

static bool is_card(struct slice s)
{
	unsigned n = 0, sum = 0;
	for (size_t i = s.len; i-- > 0;) {
		if (!isdigit((unsigned char)s.ptr[i]))
			continue;
		unsigned d = (unsigned)(s.ptr[i] - '0') * (n % 2 ? 2u : 1u);
		sum += d > 9 ? d - 9 : d;
		n++;
	}
	return n >= 13 && n <= 19 && sum % 10 == 0;
}

static const struct {
	const char *name;
	bool (*matches)(struct slice s);
} formats[] = {
	{ "bsonobjectid", is_objectid }, { "uri", is_uri }, { "email", is_email }, { "hostname", is_hostname }, { "ipv4", is_ipv4 },
	{ "ipv6", is_ipv6 }, { "cidr", is_cidr }, { "mac", is_mac }, { "uuid", is_uuid }, { "uuid3", is_uuid3 }, { "uuid4", is_uuid4 },
	{ "uuid5", is_uuid5 }, { "isbn", is_isbn }, { "isbn10", is_isbn10 }, { "isbn13", is_isbn13 }, { "creditcard", is_card },
	{ "ssn", is_ssn }, { "hexcolor", is_color }, { "rgbcolor", is_rgb }, { "byte", is_byte }, { "password", is_any }, { "date", is_date },
	{ "duration", is_duration }, { "datetime", is_datetime }, { "k8sshortname", is_short_name }, { "k8slongname", is_long_name },
};

static bool (*find(const char *format))(struct slice s)
{
	char name[32];
	size_t n = 0;
	for (const char *s = format; *s; s++) {
		if (*s == '-')
			continue;
		if (n + 1 >= sizeof name)
			return NULL;
		name[n++] = *s;
	}
	name[n] = 0;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (!strcmp(formats[i].name, name))
			return formats[i].matches;
	return NULL;
}

bool crd_format_known(const char *format)
{
	return find(format) != NULL;
}

bool crd_format_matches(const char *format, struct slice text)
{
	bool (*matches)(struct slice s) = find(format);
	return !matches || matches(text);
}
