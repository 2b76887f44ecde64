/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Kubernetes store by hand, for test/store and test/bench:
 *
 *	store-driver write PATH     random writes, compactions and a watch, until it is killed; a line for each fact as it is known
 *	store-driver dump PATH      what is there, and the history that is left
 *	store-driver bench PATH     puts a second with 1, 16 and 64 writers; loading 100,000 keys
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/rand.h"
#include "io/loop.h"
#include "store/store.h"

enum { WRITERS = 24, KEYS = 40, BENCH_VALUE = 1000, BENCH_NS = 2000000000 };

static struct loop *loop;
static struct store *store;

static void fail(const char *what, const struct err *e)
{
	fprintf(stderr, "store-driver: %s: %s\n", what, e ? e->text : "");
	exit(1);
}

/* One write(2) a line, so that a killed process leaves whole lines of what it knew. */
static void line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void line(const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (write(1, text, (size_t)n) != n)
		exit(1);
}

static void open_store(const char *path)
{
	struct err e = { 0 };
	const struct store_options o = { .path = path, .keep_revisions = 200 };
	if (loop_new(&loop, &e) < 0)
		fail("loop", &e);
	if (store_open(loop, &o, &store, &e) < 0)
		fail("open", &e);
}

static void on_end(struct store_watch *w, int error)
{
	struct err e = { 0 };
	if (error == -ESHUTDOWN)
		return;
	err_sys(&e, error, "ended");
	fail("watch", &e);
}

/* --- write ------------------------------------------------------------------------- */

static void on_event(struct store_watch *w, struct store_object *now, struct store_object *prev)
{
	line("event %lld %s %s %s\n", (long long)now->revision, now->key, prev ? prev->value : "-", now->value ? now->value : "-");
}

static void writer(void *arg)
{
	struct err e = { 0 };
	for (;;) {
		uint64_t r = rand_u64();
		char key[32], value[600];
		fmt_into(key, sizeof key, "/k/%02u", (unsigned)(r % KEYS));
		int n = (int)(r >> 20 & 511) + 1;
		fmt_into(value, sizeof value, "%016llx%.*s", (unsigned long long)rand_u64(), n < 20 ? n : 20, "xxxxxxxxxxxxxxxxxxxx");
		struct store_object *o = NULL;
		unsigned what = (unsigned)(r >> 40) % 10;
		int x = what < 3 ? store_create_wait(store, key, slice_of(value), &o, &e) : what < 8 ? store_update_wait(store, key, slice_of(value), 0, &o, NULL, &e) :
			store_delete_wait(store, key, 0, &o, NULL, &e);
		if (x == 0)
			line("done %lld %s %s\n", (long long)o->revision, key, what < 8 ? value : "-");
		else if (x != -EEXIST && x != -ENOENT)
			fail("write", &e);
		store_object_unref(o);
		if (what == 9 && (r >> 50) % 20 == 0 && store_compact_wait(store, store_revision(store) - 100, &e) == 0)
			line("compacted %lld\n", (long long)store_compacted(store));
	}
}

static int do_write(void)
{
	static struct store_watch w;
	struct err e = { 0 };
	w.event = on_event;
	w.ended = on_end;
	line("open %lld %lld\n", (long long)store_revision(store), (long long)store_compacted(store));
	if (store_watch(store, &w, "/", store_revision(store), &e) < 0)
		fail("watch", &e);
	for (int i = 0; i < WRITERS; i++)
		fiber_start(loop, "writer", writer, NULL);
	return loop_run(loop);
}

/* --- dump --------------------------------------------------------------------------- */

static void on_progress(struct store_watch *w, int64_t revision)
{
	if (revision >= store_revision(store))
		loop_stop(loop);
}

static void dumper(void *arg)
{
	static struct store_watch w;
	struct err e = { 0 };
	struct store_list l;
	line("open %lld %lld\n", (long long)store_revision(store), (long long)store_compacted(store));
	if (store_list_wait(store, "/", NULL, 0, 0, &l, &e) < 0)
		fail("list", &e);
	for (size_t i = 0; i < l.n; i++)
		line("key %lld %s %s\n", (long long)l.items[i]->revision, l.items[i]->key, l.items[i]->value);
	store_list_release(&l);
	int64_t from = store_compacted(store) ? store_compacted(store) : 1;
	if (store_list_wait(store, "/", NULL, 0, from, &l, &e) < 0)
		fail("list at the oldest revision", &e);
	for (size_t i = 0; i < l.n; i++)
		line("base %lld %s %s\n", (long long)l.items[i]->revision, l.items[i]->key, l.items[i]->value);
	store_list_release(&l);
	if (from == store_revision(store)) {
		sleep_wait(1);           /* the loop runs now, and can be stopped */
		loop_stop(loop);
		return;
	}
	w.event = on_event;
	w.ended = on_end;
	w.progress = on_progress;
	if (store_watch(store, &w, "/", from, &e) < 0)
		fail("watch", &e);
}

/* --- bench -------------------------------------------------------------------------- */

static struct { int64_t until, n; int running, id; } bench;
static char value[BENCH_VALUE];

static void putter(void *arg)
{
	struct err e = { 0 };
	char key[64];
	int id = bench.id++;
	for (int i = 0; clock_monotonic_ns() < bench.until; i++) {
		fmt_into(key, sizeof key, "/bench/%p/%d/%d", arg, id, i);
		if (store_create_wait(store, key, slice_n(value, sizeof value), NULL, &e) < 0)
			fail("put", &e);
		bench.n++;
	}
	if (--bench.running == 0)
		loop_stop(loop);
}

static int do_bench(const char *path)
{
	static const int counts[] = { 1, 16, 64, 256 };
	memset(value, 'v', sizeof value);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		int64_t began = clock_monotonic_ns();
		bench.until = began + BENCH_NS;
		bench.n = 0;
		bench.running = counts[i];
		for (int k = 0; k < counts[i]; k++)
			fiber_start(loop, "putter", putter, (void *)&counts[i]);
		loop_run(loop);
		line("%3d writers: %8.0f puts/s of %d bytes\n", counts[i], (double)bench.n / ((double)(clock_monotonic_ns() - began) / 1e9), BENCH_VALUE);
	}
	int64_t n = store_count(store, "");
	store_close(store);
	loop_free(loop);
	int64_t began = clock_monotonic_ns();
	clock_t cpu = clock();
	open_store(path);
	line("loading %lld keys: %.0f ms, %.0f ms of them on a processor\n", (long long)n, (double)(clock_monotonic_ns() - began) / 1e6,
		(double)(clock() - cpu) * 1000 / CLOCKS_PER_SEC);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: store-driver write|dump|bench PATH\n");
		return 2;
	}
	open_store(argv[2]);
	int r = 0;
	if (strcmp(argv[1], "write") == 0) {
		r = do_write();
	} else if (strcmp(argv[1], "dump") == 0) {
		fiber_start(loop, "dump", dumper, NULL);
		r = loop_run(loop);
	} else if (strcmp(argv[1], "bench") == 0) {
		r = do_bench(argv[2]);
	}
	store_close(store);
	loop_free(loop);
	return r < 0;
}
