/* SPDX-License-Identifier: Apache-2.0 */
/* The Kubernetes store: revisions, conflicts, history, watches, compaction, and what a failing disk does. */
#include "store/store_int.h"

#include "base/clock.h"
#include "base/test.h"
#include "io/sim.h"

struct world {
	struct loop *loop;
	struct store *s;
	void (*body)(struct world *w);
	int left;
	bool sim;
};
static char path[512];

static void world_main(void *arg)
{
	struct world *w = arg;
	w->body(w);
	if (--w->left == 0)
		loop_stop(w->loop);
}

static void run_world(struct world *w, int64_t keep, void (*body)(struct world *w))
{
	struct err e = { 0 };
	int n = w->left ? w->left : 1;
	w->body = body;
	w->left = n;
	fmt_into(path, sizeof path, "%s/store.db", test_dir());
	CHECK_OK(w->sim ? sim_loop_new(&w->loop, &e) : loop_new(&w->loop, &e), &e);
	struct store_options o = { .path = path, .keep_revisions = keep };
	CHECK_OK(store_open(w->loop, &o, &w->s, &e), &e);
	for (int i = 0; i < n; i++)
		CHECK_INT(fiber_start(w->loop, "test", world_main, w), 0);
	if (w->left)
		CHECK_INT(loop_run(w->loop), 0);
	CHECK_INT(w->left, 0);
	store_close(w->s);
	loop_free(w->loop);
}

static void run(void (*body)(struct world *w))
{
	struct world w = { 0 };
	run_world(&w, 0, body);
}

static int64_t create(struct world *w, const char *key, const char *value)
{
	struct err e = { 0 };
	struct store_object *o;
	CHECK_OK(store_create_wait(w->s, key, slice_of(value), &o, &e), &e);
	CHECK_INT(o->revision, o->create_revision);
	int64_t r = o->revision;
	store_object_unref(o);
	return r;
}

static int64_t update(struct world *w, const char *key, const char *value)
{
	struct err e = { 0 };
	struct store_object *o;
	CHECK_OK(store_update_wait(w->s, key, slice_of(value), 0, &o, NULL, &e), &e);
	int64_t r = o->revision;
	store_object_unref(o);
	return r;
}

static int64_t delete(struct world *w, const char *key)
{
	struct err e = { 0 };
	struct store_object *o;
	CHECK_OK(store_delete_wait(w->s, key, 0, &o, NULL, &e), &e);
	CHECK(o->value);
	int64_t r = o->revision;
	store_object_unref(o);
	return r;
}

static void check_get(struct world *w, const char *key, int64_t at, const char *want)
{
	struct err e = { 0 };
	struct store_object *o;
	if (!want) {
		CHECK_INT(store_get_wait(w->s, key, at, &o, &e), -ENOENT);
		return;
	}
	CHECK_OK(store_get_wait(w->s, key, at, &o, &e), &e);
	CHECK_STR(o->value, want);
	CHECK_STR(o->key, key);
	store_object_unref(o);
}

static void check_list(struct world *w, const char *prefix, const char *from, size_t limit, int64_t at, const char *want, int64_t remaining)
{
	struct err e = { 0 };
	struct store_list l;
	AUTO(buf) struct buf text = BUF_INIT(100000);
	CHECK_OK(store_list_wait(w->s, prefix, from, limit, at, &l, &e), &e);
	for (size_t i = 0; i < l.n; i++)
		buf_addf(&text, "%s=%s;", l.items[i]->key, l.items[i]->value);
	CHECK_STR(text.ptr, want);
	CHECK_INT(l.remaining, remaining);
	CHECK_INT(l.revision, at ? at : store_revision(w->s));
	store_list_release(&l);
}

/* --- writes ---------------------------------------------------------------------- */

static void revisions(struct world *w)
{
	struct err e = { 0 };
	struct store_object *o, *c = NULL;
	CHECK_INT(store_revision(w->s), 1);
	CHECK_INT(create(w, "/a", "1"), 2);
	CHECK_INT(create(w, "/b", "1"), 3);
	CHECK_INT(update(w, "/a", "2"), 4);
	CHECK_INT(store_create_wait(w->s, "/a", SLICE("x"), &o, &e), -EEXIST);
	CHECK_INT(store_update_wait(w->s, "/none", SLICE("x"), 0, &o, &c, &e), -ENOENT);
	CHECK(!c);
	CHECK_INT(store_update_wait(w->s, "/a", SLICE("x"), 2, &o, &c, &e), -EBUSY);
	CHECK_STR(c->value, "2");
	CHECK_INT(c->create_revision, 2);
	c = store_object_unref(c);
	CHECK_OK(store_update_wait(w->s, "/a", SLICE("3"), 4, &o, &c, &e), &e);
	CHECK_INT(o->revision, 5);
	store_object_unref(o);
	CHECK_INT(update(w, "/a", "3"), 5);
	CHECK_INT(store_delete_wait(w->s, "/a", 2, &o, &c, &e), -EBUSY);
	c = store_object_unref(c);
	CHECK_INT(delete(w, "/a"), 6);
	check_get(w, "/a", 0, NULL);
	CHECK_INT(store_delete_wait(w->s, "/a", 0, &o, &c, &e), -ENOENT);
	CHECK_INT(create(w, "/a", "4"), 7);
	CHECK_INT(store_revision(w->s), 7);
	CHECK_INT(store_create_wait(w->s, "", SLICE("x"), NULL, &e), -EINVAL);
	static char big[STORE_VALUE_MAX + 1];
	CHECK_INT(store_create_wait(w->s, "/big", slice_n(big, sizeof big), NULL, &e), -EMSGSIZE);
}

static void revisions_again(struct world *w)
{
	CHECK_INT(store_revision(w->s), 7);
	check_get(w, "/a", 0, "4");
	check_get(w, "/a", 5, "3");
	check_get(w, "/b", 0, "1");
	CHECK_INT(create(w, "/c", ""), 8);
	check_get(w, "/c", 0, "");
}

TEST(revisions_count_on_over_conflicts_and_reopening)
{
	run(revisions);
	run(revisions_again);
}

static int number;

static void racer(struct world *w)
{
	struct err e = { 0 };
	for (int done = 0; done < 10;) {
		struct store_object *o, *n = NULL;
		int64_t v = 0;
		CHECK_OK(store_get_wait(w->s, "/n", 0, &o, &e), &e);
		for (const char *p = o->value; *p; p++)
			v = v * 10 + *p - '0';
		char text[32];
		fmt_into(text, sizeof text, "%lld", (long long)v + 1);
		int r = store_update_wait(w->s, "/n", slice_of(text), o->revision, NULL, &n, &e);
		CHECK(r == 0 || r == -EBUSY);
		done += r == 0;
		store_object_unref(n);
		store_object_unref(o);
	}
	if (w->left == 1)
		check_get(w, "/n", 0, "200");
}

static void zero(struct world *w) { create(w, "/n", "0"); }

TEST(writers_of_one_key_never_overwrite_each_other)
{
	struct world w = { .left = 20 };
	run(zero);
	run_world(&w, 0, racer);
}

static void one_writer(struct world *w)
{
	char key[32];
	fmt_into(key, sizeof key, "/w/%03d", number++);
	create(w, key, "v");
	if (w->left == 1) {
		CHECK_INT(store_count(w->s, "/w/"), 64);
		CHECK(store_commits(w->s) <= 3);
	}
}

TEST(writers_that_come_together_share_a_commit)
{
	struct world w = { .left = 64 };
	run_world(&w, 0, one_writer);
}

/* --- reads ------------------------------------------------------------------------- */

static void lists(struct world *w)
{
	struct err e = { 0 };
	struct store_list l;
	struct store_object *o;
	create(w, "/p/b", "1");
	create(w, "/p/a", "1");
	create(w, "/q/a", "1");
	int64_t first = create(w, "/p/c", "1");
	update(w, "/p/b", "2");
	delete(w, "/p/a");
	create(w, "/p/d", "1");
	check_list(w, "/p/", NULL, 0, 0, "/p/b=2;/p/c=1;/p/d=1;", 0);
	check_list(w, "/p/", NULL, 0, first, "/p/a=1;/p/b=1;/p/c=1;", 0);
	check_list(w, "/p/", NULL, 2, first, "/p/a=1;/p/b=1;", 1);
	check_list(w, "/p/", "/p/b\x01", 2, first, "/p/c=1;", 0);
	check_list(w, "/p/", NULL, 1, 0, "/p/b=2;", 2);
	check_list(w, "", NULL, 0, first - 1, "/p/a=1;/p/b=1;/q/a=1;", 0);
	check_list(w, "/none/", NULL, 0, 0, "", 0);
	CHECK_INT(store_count(w->s, "/p/"), 3);
	CHECK_INT(store_count(w->s, ""), 4);
	CHECK_INT(store_list_wait(w->s, "/", NULL, 0, 1000, &l, &e), -ERANGE);
	CHECK_STR(e.text, "Too large resource version: 1000, current: 8");
	CHECK_OK(store_compact_wait(w->s, first, &e), &e);
	CHECK_INT(store_get_wait(w->s, "/p/a", first - 1, &o, &e), -ESTALE);
	CHECK_STR(e.text, "too old resource version: 4 (5)");
	check_list(w, "/p/", NULL, 0, first, "/p/a=1;/p/b=1;/p/c=1;", 0);
	CHECK_OK(store_compact_wait(w->s, store_revision(w->s), &e), &e);
	check_list(w, "/p/", NULL, 0, 0, "/p/b=2;/p/c=1;/p/d=1;", 0);
}

static void lists_again(struct world *w)
{
	CHECK_INT(store_revision(w->s), 8);
	CHECK_INT(store_compacted(w->s), 8);
	check_list(w, "/p/", NULL, 0, 0, "/p/b=2;/p/c=1;/p/d=1;", 0);
}

TEST(lists_see_the_revision_they_ask_for_until_it_is_compacted)
{
	run(lists);
	run(lists_again);
}

static void drop_last(struct world *w)
{
	struct err e = { 0 };
	create(w, "/x", "1");
	CHECK_INT(delete(w, "/x"), 3);
	CHECK_OK(store_compact_wait(w->s, 3, &e), &e);
	CHECK_INT(store_count(w->s, ""), 0);
}

static void after_drop(struct world *w) { CHECK_INT(create(w, "/x", "1"), 4); }

TEST(a_revision_is_not_used_again_after_its_deletion_was_compacted)
{
	run(drop_last);
	run(after_drop);
}

static void many_keys(struct world *w)
{
	enum { N = 4000 };
	struct err e = { 0 };
	char key[32];
	for (int i = 0; i < N; i++) {        /* in an order that splits blocks everywhere */
		struct store_entry *x = calloc(1, sizeof *x);
		fmt_into(key, sizeof key, "/k/%05d", (int)((int64_t)i * 7919 % N));
		x->newest = store_object_new(key, strlen(key), "v", 1, 1, 1);
		CHECK_INT(store_index_insert(&w->s->index, x), 0);
		store_index_live(&w->s->index, key, 1);
	}
	CHECK_INT(store_count(w->s, ""), N);
	CHECK_INT(store_count(w->s, "/k/03"), 1000);
	CHECK_INT(store_count(w->s, "/k/0399"), 10);
	CHECK_INT(store_count(w->s, "/k/1"), 0);
	struct store_list l;
	CHECK_OK(store_list_wait(w->s, "/k/", "/k/00100", 3000, 0, &l, &e), &e);
	CHECK_INT(l.n, 3000);
	CHECK_INT(l.remaining, 900);
	for (size_t i = 0; i < l.n; i++) {
		fmt_into(key, sizeof key, "/k/%05zu", i + 100);
		CHECK_STR(l.items[i]->key, key);
	}
	store_list_release(&l);
	for (int i = 0; i < N; i += 2) {
		fmt_into(key, sizeof key, "/k/%05d", i);
		store_index_live(&w->s->index, key, -1);
		store_index_remove(&w->s->index, store_index_find(&w->s->index, key));
	}
	CHECK_INT(store_count(w->s, ""), N / 2);
	CHECK_INT(store_count(w->s, "/k/03"), 500);
}

TEST(the_index_keeps_order_and_counts) { run(many_keys); }

/* --- watches ------------------------------------------------------------------------ */

struct watcher {
	struct store_watch w;
	struct buf text;
	int64_t progress;
	int ended;
	int leave_after;
	struct waitq *q;
};

static void on_event(struct store_watch *sw, struct store_object *now, struct store_object *prev)
{
	struct watcher *w = container_of(sw, struct watcher, w);
	buf_addf(&w->text, "%lld %s %s>%s;", (long long)now->revision, now->key, prev ? prev->value : "-", now->value ? now->value : "-");
	if (w->leave_after && --w->leave_after == 0)
		store_unwatch(sw);
}

static void on_progress(struct store_watch *sw, int64_t revision)
{
	struct watcher *w = container_of(sw, struct watcher, w);
	CHECK(revision >= w->progress);
	w->progress = revision;
	if (w->q)
		waitq_wake_all(w->q);
}

static void on_end(struct store_watch *sw, int error)
{
	struct watcher *w = container_of(sw, struct watcher, w);
	w->ended = error;
	if (w->q)
		waitq_wake_all(w->q);
}

static struct watcher watcher(struct waitq *q)
{
	return (struct watcher){ .w = { .event = on_event, .progress = on_progress, .ended = on_end }, .text = BUF_INIT(1 << 24), .q = q };
}

static void watches(struct world *w)
{
	struct err e = { 0 };
	struct waitq q;
	waitq_init(&q);
	create(w, "/p/a", "1");
	update(w, "/p/a", "2");
	create(w, "/q/a", "1");
	struct watcher all = watcher(NULL), p = watcher(&q), q1 = watcher(&q), brief = watcher(NULL);
	brief.leave_after = 1;
	CHECK_OK(store_watch(w->s, &brief.w, "/", store_revision(w->s), &e), &e);
	CHECK_OK(store_watch(w->s, &all.w, "/", store_revision(w->s), &e), &e);
	CHECK_OK(store_watch(w->s, &p.w, "/p/", 2, &e), &e);
	CHECK_OK(store_watch(w->s, &q1.w, "/q/", 1, &e), &e);
	delete(w, "/p/a");
	create(w, "/p/a", "3");
	while (p.progress < 6 || q1.progress < 6)
		waitq_wait(&q, -1);
	CHECK_STR(all.text.ptr, "5 /p/a 2>-;6 /p/a ->3;");
	CHECK_STR(p.text.ptr, "3 /p/a 1>2;5 /p/a 2>-;6 /p/a ->3;");
	CHECK_STR(q1.text.ptr, "4 /q/a ->1;");
	CHECK_STR(brief.text.ptr, "5 /p/a 2>-;");
	CHECK_INT(q1.progress, 6);
	store_unwatch(&p.w);
	store_unwatch(&p.w);
	store_unwatch(&all.w);
	CHECK_OK(store_compact_wait(w->s, 4, &e), &e);
	CHECK_INT(store_watch(w->s, &p.w, "/", 3, &e), -ESTALE);
	buf_reset(&p.text);
	p.progress = 0;
	CHECK_OK(store_watch(w->s, &p.w, "/", 4, &e), &e);
	while (p.progress < 6)
		waitq_wait(&q, -1);
	CHECK_STR(p.text.ptr, "5 /p/a 2>-;6 /p/a ->3;");
	store_unwatch(&p.w);
	store_unwatch(&q1.w);
	buf_release(&p.text);
	buf_release(&q1.text);
	buf_release(&all.text);
	buf_release(&brief.text);
}

TEST(watches_tell_history_then_news_each_once) { run(watches); }

static void watch_reborn(struct world *w)
{
	struct err e = { 0 };
	struct waitq q;
	waitq_init(&q);
	create(w, "/a", "1");
	CHECK_INT(delete(w, "/a"), 3);
	CHECK_INT(create(w, "/a", "2"), 4);
	CHECK_OK(store_compact_wait(w->s, 3, &e), &e);
	struct watcher a = watcher(&q);
	CHECK_OK(store_watch(w->s, &a.w, "/", 3, &e), &e);
	while (a.progress < 4 && !a.ended)
		waitq_wait(&q, -1);
	CHECK_STR(a.text.ptr, "4 /a ->2;");
	store_unwatch(&a.w);
	buf_release(&a.text);
}

TEST(a_key_that_came_back_is_told_after_its_deletion_was_compacted) { run(watch_reborn); }

static void long_history(struct world *w)
{
	struct err e = { 0 };
	struct waitq q;
	waitq_init(&q);
	char key[32];
	if (store_revision(w->s) == 1) {
		create(w, "/n", "0");
		for (int i = 1; i < 1500; i++) {
			fmt_into(key, sizeof key, "%d", i);
			update(w, "/n", key);
		}
		return;
	}
	struct watcher a = watcher(&q);
	CHECK_OK(store_watch(w->s, &a.w, "/", 1, &e), &e);
	for (int i = 1500; i < 1600; i++) {      /* news while it still reads history */
		fmt_into(key, sizeof key, "%d", i);
		update(w, "/n", key);
	}
	while (a.progress < 1601)
		waitq_wait(&q, -1);
	AUTO(buf) struct buf want = BUF_INIT(1 << 24);
	buf_addf(&want, "2 /n ->0;");
	for (int i = 1; i < 1600; i++)
		buf_addf(&want, "%d /n %d>%d;", i + 2, i - 1, i);
	CHECK_STR(a.text.ptr, want.ptr);
	store_unwatch(&a.w);
	/* one that is still reading when its history goes */
	struct watcher b = watcher(&q);
	CHECK_OK(store_watch(w->s, &b.w, "/", 5, &e), &e);
	CHECK_OK(store_compact_wait(w->s, 1500, &e), &e);
	while (!b.ended && b.progress < 1601)
		waitq_wait(&q, -1);
	CHECK_INT(b.ended, -ESTALE);
	/* one that leaves while a worker reads for it, and one that is there at the end */
	struct watcher c = watcher(&q);
	CHECK_OK(store_watch(w->s, &c.w, "/", 1500, &e), &e);
	store_unwatch(&c.w);
	CHECK_STR(c.text.ptr, "");
	buf_release(&a.text);
	buf_release(&b.text);
	static struct watcher last, reading;
	last = watcher(NULL);
	reading = watcher(NULL);
	CHECK_OK(store_watch(w->s, &last.w, "/", store_revision(w->s), &e), &e);
	CHECK_OK(store_watch(w->s, &reading.w, "/", 1500, &e), &e);
}

TEST(long_history_is_told_in_slices_while_writes_go_on)
{
	run(long_history);
	run(long_history);
}

static struct watcher until_end;

static void watch_to_the_end(struct world *w)
{
	struct err e = { 0 };
	until_end = watcher(NULL);
	create(w, "/a", "1");
	CHECK_OK(store_watch(w->s, &until_end.w, "/", 2, &e), &e);
}

TEST(closing_ends_watches)
{
	run(watch_to_the_end);
	CHECK_INT(until_end.ended, -ESHUTDOWN);
}

/* --- failing disks -------------------------------------------------------------------- */

static int fault_in;

static int nth_fails(void *arg) { return fault_in > 0 && --fault_in == 0 ? *(int *)arg : 0; }

static void failing(struct world *w)
{
	struct err e = { 0 };
	int full = -ENOSPC, broken = -EIO;
	struct watcher a = watcher(NULL);
	struct store_object *c = NULL;
	create(w, "/k", "old");
	CHECK_OK(store_watch(w->s, &a.w, "/", store_revision(w->s), &e), &e);
	store_set_fault(w->s, nth_fails, &full);
	fault_in = 1;
	CHECK_INT(store_create_wait(w->s, "/new", SLICE("x"), NULL, &e), -ENOSPC);
	fault_in = 1;
	CHECK_INT(store_update_wait(w->s, "/k", SLICE("x"), 0, NULL, &c, &e), -ENOSPC);
	CHECK(!c);
	store_set_fault(w->s, nth_fails, &broken);
	fault_in = 1;
	CHECK_INT(store_delete_wait(w->s, "/k", 0, &c, NULL, &e), -EIO);
	CHECK(!c);
	check_get(w, "/k", 0, "old");
	check_get(w, "/new", 0, NULL);
	CHECK_INT(store_count(w->s, ""), 1);
	CHECK_INT(store_revision(w->s), 2);
	CHECK_INT(create(w, "/new", "y"), 3);
	update(w, "/k", "new");
	fault_in = 1;
	CHECK_INT(store_compact_wait(w->s, 4, &e), -EIO);
	CHECK_OK(store_compact_wait(w->s, 4, &e), &e);
	CHECK_STR(a.text.ptr, "3 /new ->y;4 /k old>new;");
	store_unwatch(&a.w);
	buf_release(&a.text);
}

static void after_failing(struct world *w)
{
	CHECK_INT(store_revision(w->s), 4);
	check_list(w, "/", NULL, 0, 0, "/k=new;/new=y;", 0);
}

TEST(a_failed_commit_changes_neither_store_memory_nor_disk)
{
	run(failing);
	run(after_failing);
}

static void disk_full(struct world *w)
{
	static char big[256 * 1024];
	struct err e = { 0 };
	create(w, "/small", "1");
	store_set_page_limit(w->s, 0);
	memset(big, 'x', sizeof big);
	CHECK_INT(store_create_wait(w->s, "/big", slice_n(big, sizeof big), NULL, &e), -ENOSPC);
	check_list(w, "/", NULL, 0, 0, "/small=1;", 0);
	store_set_page_limit(w->s, 100000);
	CHECK_OK(store_create_wait(w->s, "/big", slice_n(big, sizeof big), NULL, &e), &e);
	CHECK_INT(store_revision(w->s), 3);
}

TEST(a_full_disk_is_an_error_of_the_store_that_passes) { run(disk_full); }

/* Every commit of a run of writes and compactions fails once; what is told and what is there agree all the same. */
static void nth_write_fails(struct world *w)
{
	int broken = -EIO, n = number++;
	struct err e = { 0 };
	struct watcher a = watcher(NULL);
	AUTO(buf) struct buf want = BUF_INIT(10000);
	CHECK_OK(store_watch(w->s, &a.w, "/", store_revision(w->s), &e), &e);
	store_set_fault(w->s, nth_fails, &broken);
	fault_in = n + 1;
	bool there = store_count(w->s, "/f") > 0;
	for (int i = 0; i < 6; i++) {
		int64_t next = store_revision(w->s) + 1;
		int r = there ? store_delete_wait(w->s, "/f", 0, NULL, NULL, &e) : store_create_wait(w->s, "/f", SLICE("v"), NULL, &e);
		CHECK(r == 0 || r == -EIO);
		if (r == 0) {
			buf_addf(&want, "%lld /f %s>%s;", (long long)next, there ? "v" : "-", there ? "-" : "v");
			there = !there;
		}
		check_get(w, "/f", 0, there ? "v" : NULL);
		r = store_compact_wait(w->s, store_revision(w->s) - 1, &e);
		CHECK(r == 0 || r == -EIO);
	}
	CHECK_STR(a.text.ptr, want.ptr);
	store_unwatch(&a.w);
	buf_release(&a.text);
}

TEST(whichever_commit_fails_store_and_watches_agree)
{
	for (int i = 0; i < 14; i++)
		run(nth_write_fails);
}

static void two_open(struct world *w)
{
	struct err e = { 0 };
	struct store *other;
	struct store_options o = { .path = path };
	CHECK_INT(store_open(w->loop, &o, &other, &e), -EBUSY);
}

TEST(a_store_is_opened_once) { run(two_open); }

static void by_itself(struct world *w)
{
	char v[32];
	create(w, "/a", "0");
	for (int i = 1; i < 50; i++) {
		fmt_into(v, sizeof v, "%d", i);
		update(w, "/a", v);
	}
	CHECK_INT(sleep_wait(301 * NS_PER_S), 0);
	CHECK_INT(store_compacted(w->s), 1);
	CHECK_INT(sleep_wait(300 * NS_PER_S), 0);
	CHECK_INT(store_compacted(w->s), 41);
	check_get(w, "/a", 41, "39");
}

TEST(old_history_goes_by_itself_and_the_newest_is_kept)
{
	struct world w = { .sim = true };
	run_world(&w, 10, by_itself);
}
