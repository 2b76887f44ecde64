/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests: a file beside the code says
 *   TEST(watch_from_compacted_revision_is_expired) { CHECK(x == y); CHECK_STR(a, "b"); }
 * and is linked into the unit runner, which finds it by itself. Each test runs
 * in a child process of its own. No sleep, no real clock, no network, no root.
 */
#pragma once
#include <stdbool.h>
#include "base/buf.h"

struct test {
	const char *name, *file;
	void (*run)(void);
	struct test *next;
};

void test_register(struct test *t);
/* End the test as failed, with a message. */
_Noreturn void test_fail(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* End the test as skipped; the reason is printed. */
_Noreturn void test_skip(const char *reason);
void test_check_str(const char *file, int line, const char *got, const char *want);
void test_check_slice(const char *file, int line, struct slice got, const char *want);
/* A fresh folder of this test's, removed when it ends. */
const char *test_dir(void);

#define TEST(id) \
	static void test_##id(void); \
	__attribute__((constructor)) static void test_register_##id(void) \
	{ \
		static struct test t = { #id, __FILE__, test_##id, NULL }; \
		test_register(&t); \
	} \
	static void test_##id(void)

#define CHECK(x) ((x) ? (void)0 : test_fail(__FILE__, __LINE__, "%s", #x))
#define CHECK_INT(got, want) do { \
	long long got_ = (long long)(got), want_ = (long long)(want); \
	if (got_ != want_) \
		test_fail(__FILE__, __LINE__, "%s is %lld, not %lld", #got, got_, want_); } while (0)
#define CHECK_STR(got, want) test_check_str(__FILE__, __LINE__, got, want)
#define CHECK_SLICE(got, want) test_check_slice(__FILE__, __LINE__, got, want)
/* r is >= 0; prints the err otherwise. */
#define CHECK_OK(r, e) do { \
	int ok_ = (r); \
	if (ok_ < 0) \
		test_fail(__FILE__, __LINE__, "%s: %d: %s", #r, ok_, (e)->text); } while (0)
