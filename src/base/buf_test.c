/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <errno.h>

#include "base/arena.h"
#include "base/test.h"

TEST(buf_keeps_its_ceiling_and_remembers_the_failure)
{
	struct buf b = BUF_INIT(8);
	CHECK_INT(buf_adds(&b, "12345678"), 0);
	CHECK_INT(buf_addc(&b, '9'), -EMSGSIZE);
	CHECK_INT(buf_adds(&b, ""), -EMSGSIZE);
	CHECK_INT(buf_error(&b), -EMSGSIZE);
	CHECK_STR(b.ptr, "12345678");
	buf_reset(&b);
	CHECK_INT(buf_error(&b), 0);
	CHECK_STR(b.ptr, "");
	buf_release(&b);
}

TEST(buf_addf_takes_text_of_any_length)
{
	struct buf b = BUF_INIT(4096);
	CHECK_INT(buf_addf(&b, "%0600d|%s", 7, "end"), 0);
	CHECK_INT(b.len, 604);
	buf_drop(&b, 600);
	CHECK_STR(b.ptr, "|end");
	buf_truncate(&b, 1);
	CHECK_STR(b.ptr, "|");
	buf_release(&b);
}

TEST(slice_next_gives_empty_pieces_too)
{
	struct slice rest = SLICE("a,,b"), p;
	CHECK(slice_next(&rest, ',', &p) && slice_is(p, "a"));
	CHECK(slice_next(&rest, ',', &p) && slice_is(p, ""));
	CHECK(slice_next(&rest, ',', &p) && slice_is(p, "b"));
	CHECK(!slice_next(&rest, ',', &p));
}

TEST(slice_cut_splits_at_the_first_separator)
{
	struct slice head, tail;
	CHECK(slice_cut(SLICE("k=v=w"), '=', &head, &tail));
	CHECK_SLICE(head, "k");
	CHECK_SLICE(tail, "v=w");
	CHECK(!slice_cut(SLICE("plain"), '=', &head, &tail));
	CHECK_SLICE(head, "plain");
	CHECK_INT(tail.len, 0);
	CHECK_INT(slice_rfind(SLICE("a/b/c"), '/'), 3);
	CHECK_SLICE(slice_trim(SLICE(" \tx y\r\n")), "x y");
}

TEST(arena_refuses_past_its_ceiling_and_gives_zeroed_memory)
{
	struct arena a;
	arena_init(&a, 64 * 1024);
	size_t total = 0;
	for (char *p; (p = arena_alloc(&a, 100)); total += 100)
		for (int i = 0; i < 100; i++) {
			CHECK(p[i] == 0);
			p[i] = 1;
		}
	CHECK(total > 50 * 1024 && total <= 66 * 1024);
	CHECK(arena_alloc(&a, (size_t)-1) == NULL);
	CHECK(arena_array(&a, (size_t)-1 / 2, 4) == NULL);
	arena_release(&a);
	CHECK_STR(arena_fmt(&a, "%s-%d", "x", 5), "x-5");
	arena_release(&a);
}
