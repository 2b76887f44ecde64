// SPDX-License-Identifier: Apache-2.0
/* HTTP/2: the server's handlers, asked by our own client side, on simulated time. */
#include <errno.h>
#include "base/clock.h"
#include "base/test.h"
#include "http/h2.h"
#include "http/server.h"
#include "io/sim.h"

static struct loop *l;
static struct http_server *server;
static struct h2 *client;
static bool gone;
static char trace[256];

static void note(const char *s)
{
	size_t n = strlen(trace);

	fmt_into(trace + n, sizeof trace - n, "%s", s);
}

static int echo(struct http_request *r, struct err *e)
{
	char p[3000];
	ssize_t n;

	CHECK_INT(http_begin_wait(r, 200, "application/grpc"), 0);
	while ((n = http_body_read_wait(r, p, sizeof p)) > 0)
		CHECK_INT(http_write_wait(r, p, (size_t)n), 0);
	CHECK_INT(http_trailer_add(r, "Grpc-Status", "0"), 0);
	return (int)n;
}

static int host(struct http_request *r, struct err *e)
{
	struct slice h = http_header_get(&r->headers, "Host");

	CHECK(!r->has_body);
	return http_reply(r, 200, NULL, h);
}

static int waits(struct http_request *r, struct err *e)
{
	http_cancel_when_gone(r, true);
	CHECK_INT(sleep_wait(3600 * NS_PER_S), -ECANCELED);
	note("cancelled ");
	return -ECANCELED;
}

static int refuses(struct http_request *r, struct err *e) { return err_set(e, EINVAL, "not this"); }

static int hijacks(struct http_request *r, struct err *e)
{
	struct stream *s;

	/* The rest of a body is the connection's input: nothing may be left of it that is not read. */
	CHECK_INT(http_hijack_wait(r, 200, NULL, NULL, &s), 0);
	CHECK_INT(stream_write_wait(s, "hi", 2), 0);
	stream_close(s);
	return 0;
}

static const struct http_route routes[] = {
	{ "POST", "/echo", echo }, { "GET", "/host", host }, { "GET", "/waits", waits }, { "POST", "/refuses", refuses },
	{ "GET", "/hijacks", hijacks },
};

static void on_head(void *arg, struct h2_stream *st) { }
static void on_gone(void *arg) { gone = true; }
static void on_idle(void *arg, bool idle) { }

static void begin(void)
{
	static const struct h2_events events = { on_head, on_gone, on_idle };
	struct http_server_config c = { .routes = routes, .n_routes = ARRAY_LEN(routes) };
	struct stream *a, *b;
	struct err e;

	CHECK_OK(sim_loop_new(&l, &e), &e);
	CHECK_INT(http_server_new(l, &c, &server), 0);
	CHECK_INT(stream_pair(l, 5000, &a, &b), 0);
	CHECK_INT(http_server_serve(server, b), 0);
	CHECK_INT(h2_new(a, false, &events, NULL, &client), 0);
	h2_go(client);
}

static void run(void (*fn)(void *))
{
	begin();
	CHECK_INT(fiber_start(l, "test", fn, NULL), 0);
	CHECK_INT(loop_run(l), -EDEADLK);
	if (!gone)
		h2_free(client);
	CHECK_INT(loop_run(l), -EDEADLK);
	CHECK_INT(fiber_count(l), 0);
	CHECK_INT(http_server_connections(server), 0);
	http_server_free(server);
	loop_free(l);
	CHECK(strstr(trace, "end"));
}

static struct h2_stream *ask(const char *method, const char *path, bool finish)
{
	struct http_header h[] = {
		{ SLICE(":method"), slice_of(method) }, { SLICE(":path"), slice_of(path) }, { SLICE(":scheme"), SLICE("http") },
		{ SLICE(":authority"), SLICE("there") },
	};
	struct http_headers headers = { h, 4 };
	struct h2_stream *st;

	CHECK_INT(h2_request(client, &headers, finish, &st), 0);
	return st;
}

enum { MANY = 1500000 };

static void writer(void *arg)
{
	struct h2_stream *st = arg;
	AUTO(free) char *p = malloc(MANY);

	for (int i = 0; i < MANY; i++)
		p[i] = (char)(i % 239);
	CHECK_INT(stream_write_wait(&st->s, p, MANY), 0);
	CHECK_INT(stream_shutdown_wait(&st->s), 0);
}

static void big(void *arg)
{
	struct h2_stream *st = ask("POST", "/echo", false), *other;
	char p[5000];
	ssize_t n;
	int total = 0;

	fiber_start(l, "writer", writer, st);
	while ((n = stream_read_wait(&st->s, p, sizeof p)) > 0) {
		for (ssize_t i = 0; i < n; i++, total++)
			CHECK(p[i] == (char)(total % 239));
		/* Another request goes through in the middle of it. */
		if (total < 5000) {
			other = ask("GET", "/host", true);
			CHECK_INT(stream_read_wait(&other->s, p, sizeof p), 5);
			CHECK_SLICE(slice_n(p, 5), "there");
			CHECK_INT(other->status, 200);
			stream_close(&other->s);
		}
	}
	CHECK_INT(n, 0);
	CHECK_INT(total, MANY);
	CHECK_INT(st->headers.n, st->n_head + 1);
	CHECK_SLICE(st->headers.v[st->n_head].name, "grpc-status");
	stream_close(&st->s);
	note("end");
}

TEST(http2_streams_both_ways_under_flow_control_with_trailers) { run(big); }

static void resets(void *arg)
{
	struct h2_stream *st = ask("GET", "/waits", true);

	CHECK_INT(sleep_wait(NS_PER_S), 0);
	h2_reset(st, NGHTTP2_CANCEL);
	CHECK_INT(sleep_wait(NS_PER_S), 0);
	stream_close(&st->s);
	st = ask("GET", "/waits", true);
	CHECK_INT(sleep_wait(NS_PER_S), 0);
	h2_free(client);
	gone = true;
	CHECK_INT(sleep_wait(NS_PER_S), 0);
	stream_close(&st->s);
	note("end");
}

TEST(http2_handlers_learn_of_resets_and_of_lost_connections)
{
	run(resets);
	CHECK_STR(trace, "cancelled cancelled end");
}

static void errors(void *arg)
{
	char p[100];
	struct h2_stream *st = ask("POST", "/refuses", false);

	/* Answered without its body, which is then not wanted. */
	CHECK_INT(stream_read_wait(&st->s, p, sizeof p), 9);
	CHECK_INT(st->status, 400);
	CHECK_INT(stream_read_wait(&st->s, p, sizeof p), 0);
	CHECK_INT(sleep_wait(1), 0);
	CHECK_INT(stream_write_wait(&st->s, "x", 1), -EPIPE);
	stream_close(&st->s);

	st = ask("GET", "/nowhere", true);
	CHECK(stream_read_wait(&st->s, p, sizeof p) > 0);
	CHECK_INT(st->status, 404);
	stream_close(&st->s);

	st = ask("GET", "/hijacks", true);
	CHECK_INT(stream_read_all_wait(&st->s, p, 2), 0);
	CHECK_INT(stream_read_wait(&st->s, p, sizeof p), 0);
	stream_close(&st->s);
	note("end");
}

TEST(http2_answers_errors_and_hijacks) { run(errors); }

static void idles(void *arg)
{
	struct h2_stream *st = ask("GET", "/host", true);

	CHECK_INT(sleep_wait(170 * NS_PER_S), 0);
	CHECK_INT(http_server_connections(server), 1);
	CHECK_INT(sleep_wait(20 * NS_PER_S), 0);
	CHECK_INT(http_server_connections(server), 0);
	CHECK(gone);
	stream_close(&st->s);
	note("end");
}

TEST(http2_connections_without_streams_end_in_time) { run(idles); }
