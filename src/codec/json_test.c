/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json.h"

#include "base/auto.h"
#include "base/test.h"

static void valid(const char *s)
{
	struct err e = { 0 };
	CHECK_OK(json_check(slice_of(s), &e), &e);
}

static void invalid(const char *s, const char *why)
{
	struct err e = { 0 };
	if (json_check(slice_of(s), &e) != -EBADMSG)
		test_fail(__FILE__, __LINE__, "accepted: %s", s);
	CHECK_STR(e.text, why);
}

TEST(json_check_accepts_documents)
{
	valid("{}");
	valid(" [ ] ");
	valid("null");
	valid("-0.5e+10");
	valid("[1,2,{\"a\":[{}],\"b\":\"\\u00e9\\n\"},true,false,null,\"x\"]");
	valid("\t{ \"a\" : 1 ,\r\n \"b\":[ 1 , 2 ] }\n");
}

TEST(json_check_says_what_go_says)
{
	invalid("", "unexpected end of JSON input");
	invalid("{", "unexpected end of JSON input");
	invalid("[1,", "unexpected end of JSON input");
	invalid("\"abc", "unexpected end of JSON input");
	invalid("\"\\u12", "unexpected end of JSON input");
	invalid("{a", "invalid character 'a' looking for beginning of object key string");
	invalid("{\"a\" 1}", "invalid character '1' after object key");
	invalid("{\"a\":1 2}", "invalid character '2' after object key:value pair");
	invalid("{\"a\":1,}", "invalid character '}' looking for beginning of object key string");
	invalid("[1 2]", "invalid character '2' after array element");
	invalid("[1,]", "invalid character ']' looking for beginning of value");
	invalid("{} x", "invalid character 'x' after top-level value");
	invalid("nul!", "invalid character '!' in literal null (expecting 'l')");
	invalid("fa1se", "invalid character '1' in literal false (expecting 'l')");
	invalid("01", "invalid character '1' after top-level value");
	invalid("1.x", "invalid character 'x' after decimal point in numeric literal");
	invalid("1ex", "invalid character 'x' in exponent of numeric literal");
	invalid("-x", "invalid character 'x' in numeric literal");
	invalid("\"a\nb\"", "invalid character '\\n' in string literal");
	invalid("\"\\q\"", "invalid character 'q' in string escape code");
	invalid("\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape");
	invalid("'", "invalid character '\\'' looking for beginning of value");
}

TEST(json_nesting_has_a_ceiling)
{
	char deep[4001];
	memset(deep, '[', 4000);
	deep[4000] = 0;
	invalid(deep, "exceeded max depth");
}

static void string_is(const char *text, const char *want, bool plain)
{
	struct json_in in = json_in(slice_of(text));
	struct json_text t;
	CHECK_INT(json_string(&in, &t), 0);
	CHECK(in.p == in.end);
	CHECK(t.is_plain == plain);
	char tmp[256];
	size_t n = t.len;
	if (plain)
		memcpy(tmp, t.ptr, n);
	else
		n = json_unescape(&t, tmp);
	CHECK_SLICE(slice_n(tmp, n), want);
}

TEST(json_strings_are_unescaped)
{
	string_is("\"\"", "", true);
	string_is("\"abcdefghijklmnopqrstuvwxyz 0123456789\"", "abcdefghijklmnopqrstuvwxyz 0123456789", true);
	string_is("\"é\"", "é", true);
	string_is("\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t\"", "a\"b\\c/d\b\f\n\r\t", false);
	string_is("\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"", "Aé€😀", false);
	string_is("\"\\ud83d\"", "\xef\xbf\xbd", false);
	string_is("\"\\ude00x\"", "\xef\xbf\xbdx", false);
	string_is("\"\xff" "a\"", "\xef\xbf\xbd" "a", false);
	string_is("\"\xed\xa0\x80\"", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", false);
}

static void written(const char *s, unsigned flags, const char *want)
{
	AUTO(buf) struct buf b = BUF_INIT(1000);
	json_put_string(&b, s, strlen(s), flags);
	CHECK_STR(b.ptr, want);
}

TEST(json_strings_are_escaped_in_both_habits)
{
	written("plain", 0, "\"plain\"");
	written("a<b>&c", 0, "\"a<b>&c\"");
	written("a<b>&c", JSON_ESCAPE_HTML, "\"a\\u003cb\\u003e\\u0026c\"");
	written("long enough for sixteen bytes < and more \"quotes\"", JSON_ESCAPE_HTML,
		"\"long enough for sixteen bytes \\u003c and more \\\"quotes\\\"\"");
	written("\"\\\n\r\t\b\f\x01", 0, "\"\\\"\\\\\\n\\r\\t\\b\\f\\u0001\"");
	written("é€😀", 0, "\"é€😀\"");
	written("\xe2\x80\xa8", 0, "\"\\u2028\"");
	written("a\xff" "b", 0, "\"a\\ufffdb\"");
}

static void number(double v, const char *want)
{
	AUTO(buf) struct buf b = BUF_INIT(100);
	json_put_f64(&b, v);
	CHECK_STR(b.ptr, want);
}

TEST(json_numbers_are_written_as_go_does)
{
	number(0, "0");
	number(1.5, "1.5");
	number(100, "100");
	number(1e21, "1e+21");
	number(123456789012345680000.0, "123456789012345680000");
	number(1e-7, "1e-7");
	number(0.000001, "0.000001");
	number(0.1 + 0.2, "0.30000000000000004");
	number(-2.5e-9, "-2.5e-9");
	AUTO(buf) struct buf b = BUF_INIT(100);
	json_put_i64(&b, INT64_MIN);
	buf_addc(&b, ' ');
	json_put_u64(&b, UINT64_MAX);
	CHECK_STR(b.ptr, "-9223372036854775808 18446744073709551615");
}

TEST(json_raw_text_is_compacted_and_indented)
{
	AUTO(buf) struct buf b = BUF_INIT(1000);
	struct slice s = SLICE(" { \"a\\\"<\" : [ 1 , 2.50 , [ ] ] , \"b\" : { } , \"c\":null } ");
	json_put_raw(&b, s, 0, 0);
	CHECK_STR(b.ptr, "{\"a\\\"<\":[1,2.50,[]],\"b\":{},\"c\":null}");
	buf_reset(&b);
	json_put_raw(&b, s, JSON_ESCAPE_HTML | JSON_INDENT, 0);
	CHECK_STR(b.ptr, "{\n    \"a\\\"\\u003c\": [\n        1,\n        2.50,\n        []\n    ],\n    \"b\": {},\n    \"c\": null\n}");
}

TEST(json_writing_stops_at_the_ceiling)
{
	AUTO(buf) struct buf b = BUF_INIT(8);
	json_put_string(&b, "123456789", 9, 0);
	CHECK_INT(buf_error(&b), -EMSGSIZE);
}
