/* SPDX-License-Identifier: Apache-2.0 */
/* kv: durability over reopen, order, shared commits, and what a failing disk does. */
#include "store/kv_int.h"

#include <unistd.h>

#include "base/test.h"
#include "io/loop.h"

struct world {
	struct loop *loop;
	struct kv *kv;
	void (*body)(struct world *w);
	int left;
};

static void world_main(void *arg)
{
	struct world *w = arg;
	w->body(w);
	if (--w->left == 0)
		loop_stop(w->loop);
}

static char path[512];

static void run_n(int n, void (*body)(struct world *w))
{
	struct err e = { 0 };
	struct world w = { .body = body, .left = n };
	fmt_into(path, sizeof path, "%s/state.db", test_dir());
	CHECK_OK(loop_new(&w.loop, &e), &e);
	CHECK_OK(kv_open(w.loop, path, &w.kv, &e), &e);
	for (int i = 0; i < n; i++)
		CHECK_INT(fiber_start(w.loop, "test", world_main, &w), 0);
	if (w.left)
		CHECK_INT(loop_run(w.loop), 0);
	kv_close(w.kv);
	loop_free(w.loop);
}

static void put(struct world *w, const char *key, const char *value)
{
	struct err e = { 0 };
	CHECK_OK(kv_put_wait(w->kv, key, slice_of(value), &e), &e);
}

static void write_some(struct world *w)
{
	struct err e = { 0 };
	put(w, "b/2", "two");
	put(w, "b/1", "one");
	put(w, "a/1", "x");
	put(w, "b/1", "uno");
	CHECK_OK(kv_delete_wait(w->kv, "a/1", &e), &e);
	CHECK(!kv_get(w->kv, "a/1").ptr);
	CHECK_SLICE(kv_get(w->kv, "b/1"), "uno");
}

static int collect(void *arg, const char *key, struct slice value)
{
	buf_addf(arg, "%s=%.*s;", key, SLICE_FMT(value));
	return 0;
}

static void read_some(struct world *w)
{
	AUTO(buf) struct buf out = BUF_INIT(1000);
	CHECK_INT(kv_each(w->kv, "b/", collect, &out), 0);
	CHECK_STR(out.ptr, "b/1=uno;b/2=two;");
	CHECK(!kv_get(w->kv, "a/1").ptr);
}

TEST(what_was_put_is_there_after_reopening_in_key_order)
{
	run_n(1, write_some);
	run_n(1, read_some);
}

static void empty_value(struct world *w)
{
	put(w, "k", "");
	CHECK(kv_get(w->kv, "k").ptr != NULL);
	CHECK_INT(kv_get(w->kv, "k").len, 0);
	struct err e = { 0 };
	CHECK_INT(kv_put_wait(w->kv, "", SLICE("x"), &e), -EINVAL);
}

TEST(an_empty_value_is_not_an_absent_one)
{
	run_n(1, empty_value);
}

static int always_full(void *arg)
{
	return -ENOSPC;
}

static void fail_commit(struct world *w)
{
	struct err e = { 0 };
	put(w, "k", "old");
	kv_set_fault(w->kv, always_full, NULL);
	struct kv_change c[] = { { "k", SLICE("new") }, { "l", SLICE("x") } };
	CHECK_INT(kv_apply_wait(w->kv, c, 2, &e), -ENOSPC);
	CHECK_SLICE(kv_get(w->kv, "k"), "old");
	CHECK(!kv_get(w->kv, "l").ptr);
	kv_set_fault(w->kv, NULL, NULL);
	put(w, "m", "later");
}

static void after_fail(struct world *w)
{
	CHECK_SLICE(kv_get(w->kv, "k"), "old");
	CHECK(!kv_get(w->kv, "l").ptr);
	CHECK_SLICE(kv_get(w->kv, "m"), "later");
}

TEST(a_failed_commit_changes_neither_memory_nor_disk)
{
	run_n(1, fail_commit);
	run_n(1, after_fail);
}

static void disk_full(struct world *w)
{
	static char big[256 * 1024];
	struct err e = { 0 };
	put(w, "small", "1");
	kv_set_page_limit(w->kv, 0);
	memset(big, 'x', sizeof big);
	CHECK_INT(kv_put_wait(w->kv, "big", slice_n(big, sizeof big), &e), -ENOSPC);
	CHECK_SLICE(kv_get(w->kv, "small"), "1");
	CHECK(!kv_get(w->kv, "big").ptr);
	kv_set_page_limit(w->kv, 100000);
	CHECK_OK(kv_put_wait(w->kv, "big", slice_n(big, sizeof big), &e), &e);
}

TEST(a_full_disk_is_an_error_that_passes)
{
	run_n(1, disk_full);
}

static int writer_number;

static void one_writer(struct world *w)
{
	char key[32];
	fmt_into(key, sizeof key, "w/%03d", writer_number++);
	put(w, key, "v");
	if (w->left == 1)
		CHECK(kv_commits(w->kv) < 20);
}

TEST(many_writers_share_commits)
{
	run_n(200, one_writer);
}

TEST(a_second_opener_is_refused)
{
	struct err e = { 0 };
	struct loop *l;
	struct kv *a, *b;
	fmt_into(path, sizeof path, "%s/state.db", test_dir());
	CHECK_OK(loop_new(&l, &e), &e);
	CHECK_OK(kv_open(l, path, &a, &e), &e);
	CHECK_INT(kv_open(l, path, &b, &e), -EBUSY);
	kv_close(a);
	loop_free(l);
}
