/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/test.h"
#include "shim/shim_int.h"

static struct slice bytes(const char *s, size_t n)
{
	return slice_n(s, n);
}

TEST(detach_keys_are_parsed_as_docker_does)
{
	struct detach d;
	struct err e = { 0 };
	CHECK_INT(detach_parse("", &d, &e), 0);
	CHECK(d.n == 2 && d.keys[0] == 16 && d.keys[1] == 17);
	CHECK_INT(detach_parse("ctrl-@,a,ctrl-[,ctrl-_,ctrl-z", &d, &e), 0);
	CHECK(d.n == 5 && d.keys[0] == 0 && d.keys[1] == 'a' && d.keys[2] == 27 && d.keys[3] == 31 && d.keys[4] == 26);
	CHECK_INT(detach_parse("ctrl-A", &d, &e), -EINVAL);
	CHECK_STR(e.text, "Unknown character: 'ctrl-A'");
	CHECK_INT(detach_parse("ab", &d, &e), -EINVAL);
	CHECK_INT(detach_parse("a,,b", &d, &e), -EINVAL);
}

TEST(detach_sequence_over_several_reads_and_what_looks_like_one)
{
	struct detach d;
	AUTO(buf) struct buf out = BUF_INIT(1000);
	CHECK_INT(detach_parse("ctrl-p,ctrl-q", &d, NULL), 0);
	CHECK(!detach_filter(&d, "ab\x10", 3, &out));
	CHECK_SLICE(buf_slice(&out), "ab");
	CHECK(!detach_filter(&d, "c", 1, &out));
	CHECK_SLICE(buf_slice(&out), "ab\x10" "c");
	CHECK(!detach_filter(&d, "\x10\x10", 2, &out));
	CHECK_SLICE(buf_slice(&out), "ab\x10" "c\x10");
	CHECK(detach_filter(&d, "\x11rest", 5, &out));
	CHECK_SLICE(buf_slice(&out), "ab\x10" "c\x10");
}

TEST(json_log_lines_have_dockers_form)
{
	struct line l = { 0 };
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);
	CHECK_INT(line_add(&l, LOG_JSON_FILE, "stdout", slice_n(NULL, 0), SLICE("one\ntw"), false, 1500000000000000000LL, &out), 0);
	CHECK_INT(line_add(&l, LOG_JSON_FILE, "stdout", slice_n(NULL, 0), SLICE("o<\"\n"), false, 1500000000500000000LL, &out), 0);
	CHECK_INT(line_add(&l, LOG_JSON_FILE, "stdout", SLICE("{\"a\":\"b\"}"), bytes("x\0y", 3), false, 0, &out), 0);
	CHECK_INT(line_add(&l, LOG_JSON_FILE, "stdout", SLICE("{\"a\":\"b\"}"), SLICE(""), true, 0, &out), 0);
	CHECK_SLICE(buf_slice(&out), "{\"log\":\"one\\n\",\"stream\":\"stdout\",\"time\":\"2017-07-14T02:40:00Z\"}\n"
		"{\"log\":\"two\\u003c\\\"\\n\",\"stream\":\"stdout\",\"time\":\"2017-07-14T02:40:00.5Z\"}\n"
		"{\"log\":\"x\\u0000y\",\"stream\":\"stdout\",\"attrs\":{\"a\":\"b\"},\"time\":\"1970-01-01T00:00:00Z\"}\n");
}

TEST(long_lines_are_cut_at_16_kib)
{
	struct line l = { 0 };
	static char text[40000];
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);
	memset(text, 'x', sizeof text);
	text[39999] = '\n';
	for (size_t at = 0; at < sizeof text; at += 8000)
		CHECK_INT(line_add(&l, LOG_CRI, "stderr", slice_n(NULL, 0), bytes(text + at, 8000), false, 0, &out), 0);
	CHECK_INT(l.n, 0);
	struct slice rest = buf_slice(&out), line;
	size_t n = 0, sum = 0;
	while (slice_next(&rest, '\n', &line) && line.len) {
		const char *head = "1970-01-01T00:00:00.000000000Z stderr P ";
		CHECK(line.len - strlen(head) == (n < 2 ? 16384 : 39999 - 32768));
		CHECK(line.ptr[strlen(head) - 2] == (n < 2 ? 'P' : 'F'));
		sum += line.len - strlen(head);
		n++;
	}
	CHECK_INT(n, 3);
	CHECK_INT(sum, 39999);
	free(l.rest);
}
