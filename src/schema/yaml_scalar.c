/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The meaning of plain scalars: YAML 1.1 (yaml.org/type) as Kubernetes' reader
 * has it: yes/on/y are true, 0777 is octal, 1_000 a thousand, a date is text.
 */
#include "schema/yaml_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "codec/json.h"

static const struct { const char *word; enum yaml_meaning meaning; } words[] = {
	{ "y", YAML_IS_TRUE }, { "Y", YAML_IS_TRUE }, { "yes", YAML_IS_TRUE }, { "Yes", YAML_IS_TRUE }, { "YES", YAML_IS_TRUE },
	{ "true", YAML_IS_TRUE }, { "True", YAML_IS_TRUE }, { "TRUE", YAML_IS_TRUE },
	{ "on", YAML_IS_TRUE }, { "On", YAML_IS_TRUE }, { "ON", YAML_IS_TRUE },
	{ "n", YAML_IS_FALSE }, { "N", YAML_IS_FALSE }, { "no", YAML_IS_FALSE }, { "No", YAML_IS_FALSE }, { "NO", YAML_IS_FALSE },
	{ "false", YAML_IS_FALSE }, { "False", YAML_IS_FALSE }, { "FALSE", YAML_IS_FALSE },
	{ "off", YAML_IS_FALSE }, { "Off", YAML_IS_FALSE }, { "OFF", YAML_IS_FALSE },
	{ "", YAML_IS_NULL }, { "~", YAML_IS_NULL }, { "null", YAML_IS_NULL }, { "Null", YAML_IS_NULL }, { "NULL", YAML_IS_NULL },
	{ ".nan", YAML_IS_NAN }, { ".NaN", YAML_IS_NAN }, { ".NAN", YAML_IS_NAN },
	{ ".inf", YAML_IS_NAN }, { ".Inf", YAML_IS_NAN }, { ".INF", YAML_IS_NAN },
	{ "+.inf", YAML_IS_NAN }, { "+.Inf", YAML_IS_NAN }, { "+.INF", YAML_IS_NAN },
	{ "-.inf", YAML_IS_NAN }, { "-.Inf", YAML_IS_NAN }, { "-.INF", YAML_IS_NAN },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t digits(struct slice s, size_t at)
{
	size_t n = at;
	while (n < s.len && is_digit(s.ptr[n]))
		n++;
	return n - at;
}

/* 2026-1-2, alone or with a time behind it. */
static bool is_time(struct slice s)
{
	if (digits(s, 0) != 4 || s.len < 8 || s.ptr[4] != '-')
		return false;
	size_t month = digits(s, 5), at = 5 + month;
	if (month < 1 || month > 2 || at >= s.len || s.ptr[at] != '-')
		return false;
	size_t day = digits(s, at + 1);
	at += 1 + day;
	if (day < 1 || day > 2)
		return false;
	return at == s.len || (at + 1 < s.len && memchr("Tt ", s.ptr[at], 3) && is_digit(s.ptr[at + 1]));
}

/* Go's ParseInt with base 0, after underscores are gone; 64 bits either way. */
static bool integer(const char *s, bool *negative, uint64_t *ret)
{
	*negative = *s == '-';
	s += *s == '-' || *s == '+';
	unsigned base = 10;
	if (s[0] == '0' && s[1]) {
		char c = (char)(s[1] | 32);
		base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
		s += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
	}
	if (!*s)
		return false;
	uint64_t v = 0;
	for (; *s; s++) {
		unsigned d = is_digit(*s) ? (unsigned)(*s - '0') : (*s | 32) >= 'a' && (*s | 32) <= 'f' ? (unsigned)((*s | 32) - 'a' + 10) : 99;
		if (d >= base || __builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
			return false;
	}
	*ret = v;
	return !*negative || v <= (uint64_t)INT64_MAX + 1;
}

static bool is_float(const char *s)
{
	s += *s == '-' || *s == '+';
	size_t whole = 0, fraction = 0;
	for (; is_digit(*s); s++)
		whole++;
	if (*s == '.')
		for (s++; is_digit(*s); s++)
			fraction++;
	if (!whole && !fraction)
		return false;
	if ((*s | 32) == 'e') {
		s++;
		s += *s == '-' || *s == '+';
		if (!is_digit(*s))
			return false;
		while (is_digit(*s))
			s++;
	}
	return !*s;
}

/* Without underscores; false when too long to be a number. */
static bool plain(struct slice s, char tmp[72])
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '_')
			continue;
		if (n == 71 || !s.ptr[i])
			return false;
		tmp[n++] = s.ptr[i];
	}
	tmp[n] = 0;
	return n > 0;
}

enum yaml_meaning yaml_resolve(struct slice s)
{
	if (s.len <= 5)
		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			if (slice_is(s, words[i].word))
				return words[i].meaning;
	char c = s.len ? s.ptr[0] : 0;
	if (!is_digit(c) && c != '-' && c != '+' && c != '.')
		return YAML_TEXT;
	if (is_time(s))
		return YAML_IS_TIME;
	char tmp[72];
	bool negative;
	uint64_t v;
	if (!plain(s, tmp))
		return YAML_TEXT;
	/* a number too large for a double is text, as in Go */
	return (c != '.' && integer(tmp, &negative, &v)) || (is_float(tmp) && isfinite(strtod(tmp, NULL))) ? YAML_IS_NUMBER : YAML_TEXT;
}

struct slice yaml_number(struct slice s, char out[40])
{
	char tmp[72];
	bool negative;
	uint64_t v;
	struct json_in in = json_in(s);
	struct slice whole;
	if ((is_digit(s.ptr[0]) || s.ptr[0] == '-') && json_number(&in, &whole) == 0 && in.p == in.end)
		return s;
	if (!plain(s, tmp))
		return s;
	AUTO(buf) struct buf b = BUF_INIT(39);
	if (integer(tmp, &negative, &v)) {
		if (negative && v)
			buf_addc(&b, '-');
		json_put_u64(&b, v);
	} else {
		json_put_f64(&b, strtod(tmp, NULL));
	}
	fmt_into(out, 40, "%s", b.ptr);
	return slice_of(out);
}

bool yaml_is_base60(struct slice s)
{
	size_t at = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+'), parts = 0, n = 0;
	while (at + n < s.len && (is_digit(s.ptr[at + n]) || (n && s.ptr[at + n] == '_')))
		n++;
	for (at += n; n && at < s.len && s.ptr[at] == ':'; at += 1 + n, parts++) {
		n = digits(s, at + 1);
		if (n < 1 || n > 2 || (n == 2 && s.ptr[at + 1] > '5'))
			return false;
	}
	if (!parts)
		return false;
	if (at < s.len && s.ptr[at] == '.')
		for (at++; at < s.len && (is_digit(s.ptr[at]) || s.ptr[at] == '_');)
			at++;
	return at == s.len;
}
