/* SPDX-License-Identifier: Apache-2.0 */
/* Times, numbers, paths and errors as text. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/test.h"

TEST(rfc3339_survives_a_round_trip)
{
	static const char *const good[] = { "1970-01-01T00:00:00Z", "2026-11-25T03:25:34.123456789Z",
					    "1969-12-31T23:59:59.9Z", "2000-02-29T12:00:00.05Z", CLOCK_ZERO_TEXT };
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		int64_t t;
		char text[CLOCK_TEXT_MAX];
		CHECK_INT(clock_parse_rfc3339(slice_of(good[i]), &t), 0);
		clock_rfc3339_nano(text, t);
		CHECK_STR(text, good[i]);
	}
	int64_t a, b;
	CHECK_INT(clock_parse_rfc3339(SLICE("2026-11-25T05:25:34+02:00"), &a), 0);
	CHECK_INT(clock_parse_rfc3339(SLICE("2026-11-25T03:25:34Z"), &b), 0);
	CHECK_INT(a, b);
	static const char *const bad[] = { "", "2026-11-25", "2026-13-01T00:00:00Z", "2025-02-29T00:00:00Z",
					   "2026-11-25T24:00:00Z", "2026-11-25T03:25:34", "2026-11-25T03:25:34.Z", "2026-11-25T03:25:34Zx" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(clock_parse_rfc3339(slice_of(bad[i]), &a), -EINVAL);
}

TEST(durations_read_and_print_as_go_does)
{
	static const struct {
		const char *in;
		int64_t ns;
		const char *out;
	} rows[] = {
		{ "1h2m3.5s", 3723500000000, "1h2m3.5s" }, { "300ms", 300000000, "300ms" }, { "1.5us", 1500, "1.5\xC2\xB5s" },
		{ "-2m", -120000000000, "-2m0s" }, { "0", 0, "0s" }, { "90m", 5400000000000, "1h30m0s" }, { "7ns", 7, "7ns" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ns;
		char text[32];
		CHECK_INT(duration_parse(slice_of(rows[i].in), &ns), 0);
		CHECK_INT(ns, rows[i].ns);
		duration_format(text, ns);
		CHECK_STR(text, rows[i].out);
	}
	static const char *const bad[] = { "", "5", "h", "1x", "-", "1h-2m", "9999999999h" };
	int64_t ns;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(duration_parse(slice_of(bad[i]), &ns), -EINVAL);
}

TEST(numbers_keep_their_bounds)
{
	int64_t v;
	CHECK_INT(num_parse_i64(SLICE("-9223372036854775808"), INT64_MIN, INT64_MAX, &v), 0);
	CHECK_INT(v, INT64_MIN);
	CHECK_INT(num_parse_i64(SLICE("9223372036854775808"), INT64_MIN, INT64_MAX, &v), -ERANGE);
	CHECK_INT(num_parse_i64(SLICE("11"), 0, 10, &v), -ERANGE);
	CHECK_INT(num_parse_i64(SLICE("1 "), 0, 10, &v), -EINVAL);
	CHECK_INT(num_parse_i64(SLICE(""), 0, 10, &v), -EINVAL);
	CHECK_INT(num_parse_nano(SLICE("0.2"), &v), 0);
	CHECK_INT(v, 200000000);
	CHECK_INT(num_parse_nano(SLICE("."), &v), -EINVAL);
	CHECK_INT(num_parse_bytes(SLICE("64m"), &v), 0);
	CHECK_INT(v, 64 << 20);
	CHECK_INT(num_parse_bytes(SLICE("1.5GiB"), &v), 0);
	CHECK_INT(v, 3LL << 29);
	CHECK_INT(num_parse_bytes(SLICE("100kb"), &v), 0);
	CHECK_INT(v, 102400);
	CHECK_INT(num_parse_bytes(SLICE("12q"), &v), -EINVAL);
	char text[16];
	num_human_size(text, 3072);
	CHECK_STR(text, "3.072kB");
	num_human_size(text, 1981234);
	CHECK_STR(text, "1.981MB");
	num_human_bytes(text, 64 << 20);
	CHECK_STR(text, "64MiB");
}

TEST(path_clean_works_as_in_go)
{
	static const char *const rows[][2] = {
		{ "", "." }, { "a//b/../c", "a/c" }, { "/../a", "/a" }, { "../../a", "../../a" }, { "a/..", "." },
		{ "/", "/" }, { "/a/..", "/" }, { "./a/.", "a" }, { "a/../../b", "../b" }, { "/a/b/../../c/", "/c" },
		{ "abc/def/../..", "." }, { "../a/..", ".." },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[64];
		path_clean(out, rows[i][0]);
		CHECK_STR(out, rows[i][1]);
	}
	CHECK(path_is_name(SLICE("a.b")) && !path_is_name(SLICE("..")) && !path_is_name(SLICE("a/b")) && !path_is_name(SLICE("")));
}

TEST(errors_keep_their_code_and_are_cut_on_a_character)
{
	struct err e;
	CHECK_INT(err_set(&e, ENOENT, "No such container: %s", "x"), -ENOENT);
	CHECK_INT(err_http_status(e.code), 404);
	CHECK_STR(err_reason(-ENOENT), "NotFound");
	CHECK_INT(err_prefix(&e, "start"), -ENOENT);
	CHECK_STR(e.text, "start: No such container: x");
	char big[1024];
	for (size_t i = 0; i + 2 < sizeof big; i += 2)
		memcpy(big + i, "\xC3\xA9", 2);
	big[sizeof big - 2] = 0;
	err_set(&e, EINVAL, "x%s", big);
	CHECK_INT(strlen(e.text), 507);
	err_set(&e, EINVAL, "%s", big);
	CHECK_INT(strlen(e.text), 506);
	CHECK_INT(sizeof e, 512);
}

TEST(files_appear_whole_and_folders_go_with_all_they_hold)
{
	struct err e;
	char p[256];
	fmt_into(p, sizeof p, "%s/a/b/c", test_dir());
	CHECK_INT(dir_make(AT_FDCWD, p, 0755), 0);
	CHECK_INT(dir_make(AT_FDCWD, p, 0755), 0);
	fmt_into(p, sizeof p, "%s/a/b/c/file", test_dir());
	CHECK_OK(file_write_atomic(AT_FDCWD, p, SLICE("hello"), 0600, &e), &e);
	CHECK_OK(file_write_atomic(AT_FDCWD, p, SLICE("again"), 0600, &e), &e);
	struct buf b = BUF_INIT(100);
	CHECK_INT(file_read(AT_FDCWD, p, &b), 0);
	CHECK_STR(b.ptr, "again");
	struct buf small = BUF_INIT(4);
	CHECK_INT(file_read(AT_FDCWD, p, &small), -EMSGSIZE);
	fmt_into(p, sizeof p, "%s/a/link", test_dir());
	CHECK_INT(symlink("/etc/passwd", p), 0);
	fmt_into(p, sizeof p, "%s/a", test_dir());
	CHECK_OK(dir_remove(AT_FDCWD, p, &e), &e);
	CHECK(access(p, F_OK) < 0 && access("/etc/passwd", F_OK) == 0);
	CHECK_OK(dir_remove(AT_FDCWD, p, &e), &e);
	buf_release(&b);
	buf_release(&small);
}

TEST(descriptors_travel_over_unix_sockets)
{
	int s[2], p[2], got[2];
	size_t n = 2;
	char text[8];
	CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
	CHECK_INT(pipe(p), 0);
	CHECK_INT(fd_send(s[0], "hi", 2, &p[0], 1), 2);
	CHECK_INT(fd_recv(s[1], text, sizeof text, got, &n), 2);
	CHECK_INT(n, 1);
	CHECK_INT(fd_write_all(p[1], "x", 1), 0);
	CHECK_INT(fd_read_all(got[0], text, 1), 0);
	CHECK(text[0] == 'x');
}

TEST(sockets_below_long_paths_are_reached)
{
	char p[400];
	struct err e;
	fmt_into(p, sizeof p, "%s/%0120d", test_dir(), 7);
	CHECK_INT(dir_make(AT_FDCWD, p, 0755), 0);
	fmt_into(p, sizeof p, "%s/%0120d/s", test_dir(), 7);
	int l = unix_listen(p, 0600, SOCK_STREAM, &e);
	CHECK_OK(l, &e);
	int c = unix_connect(p, SOCK_STREAM, &e);
	CHECK_OK(c, &e);
	close(c);
	close(l);
}
