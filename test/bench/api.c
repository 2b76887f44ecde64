/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API server over HTTPS, as its clients see it:
 *
 *	bench-api KUBECONFIG PID
 *
 * creates of a 2 KB object by 1, 16 and 64 clients, gets, lists as JSON and as
 * Table, one write to many watchers, and what a watch costs the server (PID) in
 * memory. Beside each what Kubernetes' own API machinery 1.34 with etcd 3.4 does
 * on such a machine (2 cores; DESIGN.md section 10).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/rand.h"
#include "http/client.h"
#include "io/loop.h"
#include "kube/client/client.h"

#define MAPS "/api/v1/namespaces/default/configmaps"

enum { DATA_BYTES = 2000, WATCHERS = 1000, ANSWER = 256 << 20 };
static const int64_t RUN_NS = 3 * NS_PER_S;

static struct loop *loop;
static struct kclient *client;
static int pid, exit_code;
static uint64_t run;
static char data[DATA_BYTES + 1];

static void fail(const char *what, const struct err *e)
{
	fprintf(stderr, "bench-api: %s: %s\n", what, e ? e->text : "");
	exit(1);
}

static void show(const char *what, double ours, double peer, const char *unit)
{
	printf("%-46s %10.1f  %10.1f %-6s %6.2f\n", what, ours, peer, unit, peer ? ours / peer : 0);
	fflush(stdout);
}

/* Processor time of the server so far. */
static double server_cpu_s(void)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);
	char path[64];
	struct slice rest, field;
	int64_t ticks = 0, n;
	fmt_into(path, sizeof path, "/proc/%d/stat", pid);
	if (file_read(-100, path, &text) < 0)
		return 0;
	rest = slice_of(strrchr(text.ptr, ')') + 2);
	for (int i = 3; slice_next(&rest, ' ', &field); i++)
		if ((i == 14 || i == 15) && num_parse_i64(field, 0, INT64_MAX, &n) == 0)
			ticks += n;
	return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static double cpu_mark;
static void mark(void) { cpu_mark = server_cpu_s(); }
static void show_cpu(double per, const char *unit) { printf("%-46s %10.1f us of the server's processor a %s\n", "", (server_cpu_s() - cpu_mark) * 1e6 / per, unit); }

/* --- fibers that do the same thing until time is up --------------------------------- */

struct crew {
	void (*step_wait)(struct crew *c, int i);
	int64_t until, done, bytes;
	int running, next;
	struct waitq ended;
};

static void member(void *arg)
{
	struct crew *c = arg;
	while (clock_monotonic_ns() < c->until) {
		c->step_wait(c, c->next++);
		c->done++;
	}
	c->running--;
	waitq_wake_all(&c->ended);
}

/* Steps a second. */
static double work_wait(struct crew *c, int n)
{
	int64_t began = clock_monotonic_ns();
	c->until = began + RUN_NS;
	c->done = c->bytes = 0;
	for (c->running = 0; c->running < n; c->running++)
		if (fiber_start(loop, "bench", member, c) < 0)
			fail("fiber", NULL);
	while (c->running)
		waitq_wait(&c->ended, -1);
	return (double)c->done / ((double)(clock_monotonic_ns() - began) / 1e9);
}

static void call_wait(const char *method, const char *target, const char *type, struct slice body, int want, struct buf *out)
{
	struct err e = { 0 };
	int status;
	if (kclient_raw_wait(client, method, target, type, body, &status, out, &e) < 0)
		fail(target, &e);
	if (status != want) {
		fprintf(stderr, "bench-api: %s %s: %d %.200s\n", method, target, status, out->ptr);
		exit(1);
	}
}

static void create_wait(struct crew *c, int i)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);
	AUTO(buf) struct buf body = BUF_INIT(8192);
	buf_addf(&body, "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"b%llx-%d\",\"labels\":{\"bench\":\"yes\"}},\"data\":{\"x\":\"%s\"}}",
		(unsigned long long)run, i, data);
	call_wait("POST", MAPS, "application/json", buf_slice(&body), 201, &out);
}

static void get_wait(struct crew *c, int i)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);
	char target[128];
	fmt_into(target, sizeof target, MAPS "/b%llx-%d", (unsigned long long)run, i % 100);
	call_wait("GET", target, NULL, slice_n(NULL, 0), 200, &out);
}

/* --- lists ------------------------------------------------------------------------------ */

static double listed;

static double list_wait(const char *accept)
{
	int64_t began = clock_monotonic_ns(), bytes = 0, until = began + RUN_NS;
	while (clock_monotonic_ns() < until) {
		struct http_header h[] = { { SLICE("Accept"), slice_of(accept) } };
		struct http_call call = { .method = "GET", .target = MAPS "?limit=500", .headers = { h, 1 } };
		static char p[1 << 16];
		struct err e = { 0 };
		ssize_t n;
		if (http_call_wait(kclient_http(client), &call, &e) < 0)
			fail("list", &e);
		while ((n = http_call_read_wait(&call, p, sizeof p)) > 0)
			bytes += n;
		if (n < 0 || call.status != 200)
			fail("list", NULL);
		http_call_release(&call);
	}
	listed = (double)bytes;
	return (double)bytes / 1e6 / ((double)(clock_monotonic_ns() - began) / 1e9);
}

/* --- watches ---------------------------------------------------------------------------- */

static struct { int ready, told; struct waitq changed; bool stop; } watches;

static void watcher(void *arg)
{
	struct http_call call = { .method = "GET", .target = "/api/v1/namespaces/kube-public/configmaps?watch=1&resourceVersion=0&timeoutSeconds=600" };
	char p[16384];
	struct err e = { 0 };
	if (http_call_wait(kclient_http(client), &call, &e) < 0)
		fail("watch", &e);
	watches.ready++;
	waitq_wake_all(&watches.changed);
	while (!watches.stop) {
		ssize_t n = http_call_read_wait(&call, p, sizeof p - 1);
		if (n <= 0)
			break;
		p[n] = 0;
		if (strstr(p, "\"name\":\"told\"")) {
			watches.told++;
			waitq_wake_all(&watches.changed);
		}
	}
	http_call_release(&call);
}

static double resident_kb(void)
{
	AUTO(buf) struct buf text = BUF_INIT(65536);
	char path[64];
	int64_t kb = 0;
	fmt_into(path, sizeof path, "/proc/%d/status", pid);
	if (file_read(-100, path, &text) < 0)
		return 0;
	const char *at = strstr(text.ptr, "VmRSS:");
	struct slice s = slice_trim(slice_of(at ? at + 6 : "")), first, rest;
	slice_cut(s, ' ', &first, &rest);
	num_parse_i64(first, 0, INT64_MAX, &kb);
	return (double)kb;
}

static void bench_watches_wait(void)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);
	double before = resident_kb(), ms = 0;
	char what[64];
	for (int i = 0; i < WATCHERS; i++)
		fiber_start(loop, "watch", watcher, NULL);
	while (watches.ready < WATCHERS)
		waitq_wait(&watches.changed, -1);
	show("memory of a watch over TLS", (resident_kb() - before) / WATCHERS, 75, "KB");
	for (int round = 0; round < 3; round++) {
		int64_t began = clock_monotonic_ns();
		watches.told = 0;
		call_wait("POST", "/api/v1/namespaces/kube-public/configmaps", "application/json",
			SLICE("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"told\"}}"), 201, &out);
		while (watches.told < WATCHERS)
			waitq_wait(&watches.changed, -1);
		ms = (double)(clock_monotonic_ns() - began) / 1e6;
		buf_reset(&out);
		watches.told = -WATCHERS;
		call_wait("DELETE", "/api/v1/namespaces/kube-public/configmaps/told", NULL, slice_n(NULL, 0), 200, &out);
		while (watches.told < 0)
			waitq_wait(&watches.changed, -1);
		buf_reset(&out);
	}
	fmt_into(what, sizeof what, "one write seen by %d watchers", WATCHERS);
	show(what, ms, 25, "ms");
}

static void bench(void *arg)
{
	static const struct { int n; double peer; } creates[] = { { 1, 540 }, { 16, 1341 }, { 64, 1892 } };
	struct crew c = { .step_wait = create_wait };
	char what[64];
	double rss = resident_kb();
	waitq_init(&c.ended);
	waitq_init(&watches.changed);
	printf("%-46s %10s  %10s %-6s %6s\n", "", "ours", "reference", "", "ratio");
	for (size_t i = 0; i < ARRAY_LEN(creates); i++) {
		fmt_into(what, sizeof what, "creates of a 2 KB object, %d client%s", creates[i].n, creates[i].n > 1 ? "s" : "");
		mark();
		show(what, work_wait(&c, creates[i].n), creates[i].peer, "/s");
		show_cpu((double)c.done, "create");
	}
	printf("%-46s %10.1f KB resident for each of %d\n", "", (resident_kb() - rss) / c.next, c.next);
	c.step_wait = get_wait;
	mark();
	show("gets, 16 clients", work_wait(&c, 16), 4057, "/s");
	show_cpu((double)c.done, "get");
	mark();
	show("list of 500 as JSON", list_wait("application/json"), 80, "MB/s");
	show_cpu(listed / 1e6, "MB");
	mark();
	show("list of 500 as Table", list_wait("application/json;as=Table;v=v1;g=meta.k8s.io"), 36, "MB/s");
	show_cpu(listed / 1e6, "MB");
	bench_watches_wait();
	printf("resident at the end: %.0f MB\n", resident_kb() / 1024);
	exit(exit_code);
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	int64_t n = 0;
	if (argc != 3 || num_parse_i64(slice_of(argv[2]), 1, INT32_MAX, &n) < 0) {
		fprintf(stderr, "usage: bench-api KUBECONFIG PID\n");
		return 2;
	}
	pid = (int)n;
	run = rand_u64() >> 24;
	memset(data, 'd', DATA_BYTES);
	if (loop_new(&loop, &e) < 0 || kclient_new(loop, &(struct kclient_config){ .kubeconfig = argv[1] }, &client, &e) < 0)
		fail("client", &e);
	fiber_start(loop, "bench", bench, NULL);
	return loop_run(loop) < 0;
}
