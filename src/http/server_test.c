// SPDX-License-Identifier: Apache-2.0
/* The HTTP/1 server, spoken to in raw bytes over a pair, on simulated time. */
#include <stdio.h>
#include "base/clock.h"
#include "base/test.h"
#include "http/server.h"
#include "io/sim.h"

static struct loop *l;
static struct http_server *server;
static struct buf got;
static char trace[256];
static struct stream *peer;

static void note(const char *s)
{
	size_t n = strlen(trace);

	fmt_into(trace + n, sizeof trace - n, "%s", s);
}

static int hello(struct http_request *r, struct err *e)
{
	return http_reply(r, 200, "text/plain", SLICE("hello"));
}

static int name(struct http_request *r, struct err *e)
{
	return http_reply(r, 200, NULL, slice_of(http_param(r, "name")));
}

static int echo(struct http_request *r, struct err *e)
{
	struct slice body;
	int n = http_body_all_wait(r, 100, &body, e);

	return n < 0 ? n : http_reply(r, 200, NULL, body);
}

static int pieces(struct http_request *r, struct err *e)
{
	CHECK_INT(http_begin_wait(r, 200, NULL), 0);
	CHECK_INT(http_write_wait(r, "ab", 2), 0);
	CHECK_INT(http_write_wait(r, "", 0), 0);
	CHECK_INT(sleep_wait(NS_PER_S), 0);
	CHECK_INT(http_write_wait(r, "cde", 3), 0);
	return 0;
}

static int broken(struct http_request *r, struct err *e)
{
	http_begin_wait(r, 200, NULL);
	http_write_wait(r, "ab", 2);
	return err_set(e, EIO, "too late");
}

static int fails(struct http_request *r, struct err *e)
{
	return err_set(e, ENOENT, "No such container: x");
}

static int ignores_body(struct http_request *r, struct err *e)
{
	return http_reply(r, 204, NULL, SLICE(""));
}

static int hijack(struct http_request *r, struct err *e)
{
	struct stream *s;

	CHECK_INT(http_hijack_wait(r, 0, "application/vnd.docker.raw-stream", NULL, &s), 0);
	stream_copy_wait(s, s);
	stream_write_wait(s, "bye", 3);
	stream_close(s);
	return 0;
}

static int until_gone(struct http_request *r, struct err *e)
{
	CHECK_INT(http_begin_wait(r, 200, NULL), 0);
	CHECK_INT(http_peer_gone_wait(r, NS_PER_S), -ETIMEDOUT);
	CHECK_INT(http_peer_gone_wait(r, -1), 0);
	CHECK(http_peer_gone(r));
	note("gone");
	return 0;
}

static int cancelled(struct http_request *r, struct err *e)
{
	http_cancel_when_gone(r, true);
	CHECK_INT(sleep_wait(3600 * NS_PER_S), -ECANCELED);
	note("cancelled");
	return -ECANCELED;
}

static int forever(struct http_request *r, struct err *e)
{
	return sleep_wait(INT64_MAX / 4);
}

static const struct http_route routes[] = {
	{ "GET", "/hello", hello },
	{ "GET", "/images/{name:*}/json", name },
	{ "GET", "/images/{name:*}", name },
	{ "GET", "/c/{name}/x", name },
	{ "POST", "/echo", echo },
	{ "GET", "/pieces", pieces },
	{ "GET", "/broken", broken },
	{ "GET", "/fails", fails },
	{ "POST", "/ignores", ignores_body },
	{ "POST", "/hijack", hijack },
	{ "GET", "/until-gone", until_gone },
	{ "GET", "/cancelled", cancelled },
	{ "GET", "/forever", forever },
};

static void collect(void *arg)
{
	char p[4096];
	ssize_t n;

	while ((n = stream_read_wait(arg, p, sizeof p)) > 0)
		buf_add(&got, p, (size_t)n);
	if (peer == arg)
		peer = NULL;
	stream_close(arg);
}

static void begin(void)
{
	struct http_server_config c = { .routes = routes, .n_routes = ARRAY_LEN(routes), .max_connections = 100 };
	struct err e;

	CHECK_OK(sim_loop_new(&l, &e), &e);
	CHECK_INT(http_server_new(l, &c, &server), 0);
	buf_init(&got, 16 * 1024 * 1024);
}

static void connect_peer(void)
{
	struct stream *s;

	CHECK_INT(stream_pair(l, 64 * 1024, &peer, &s), 0);
	CHECK_INT(http_server_serve(server, s), 0);
	CHECK_INT(fiber_start(l, "collect", collect, peer), 0);
}

static void settle(void) { CHECK_INT(loop_run(l), -EDEADLK); }
static void stop(struct timer *t) { loop_stop(l); }
static void run_for(int64_t ns)
{
	struct timer t = { 0 };

	timer_set(l, &t, ns, stop);
	CHECK_INT(loop_run(l), 0);
}

static void say(const char *s)
{
	CHECK_INT(stream_write_now(peer, s, strlen(s)), strlen(s));
}

static void end(void)
{
	settle();
	CHECK_INT(http_server_connections(server), 0);
	CHECK_INT(fiber_count(l), 0);
	http_server_free(server);
	loop_free(l);
	buf_release(&got);
}

/* What has come, without Date headers. */
static const char *answer(void)
{
	char *d;

	while ((d = strstr(got.ptr, "Date: "))) {
		char *nl = strchr(d, '\n') + 1;
		size_t at = (size_t)(d - got.ptr), n = (size_t)(nl - d);

		memmove(d, nl, got.len - at - n + 1);
		got.len -= n;
	}
	return got.ptr;
}

static const char *exchange(const char *request)
{
	begin();
	connect_peer();
	say(request);
	run_for(10 * NS_PER_S);
	return answer();
}

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
#define REFUSED(status, text) "HTTP/1.1 " status "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "

TEST(a_get_is_answered_with_its_length_and_date)
{
	begin();
	connect_peer();
	say("GET /hello HTTP/1.1\r\nHost: \r\n\r\n");
	run_for(NS_PER_S);
	CHECK_STR(got.ptr, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Wed, 01 Jan 2020 00:00:00 GMT\r\nContent-Length: 5\r\n\r\nhello");
	end();
}

TEST(a_head_may_come_byte_by_byte)
{
	const char *text = "\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n";

	begin();
	connect_peer();
	for (size_t i = 0; text[i]; i++) {
		CHECK_INT(stream_write_now(peer, text + i, 1), 1);
		run_for(1);
	}
	CHECK_STR(answer(), OK_HELLO);
	end();
}

TEST(pipelined_requests_are_answered_in_order)
{
	CHECK_STR(exchange("GET /hello HTTP/1.1\r\nHost: x\r\n\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
		"GET /c/1/x HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
		OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
	end();
}

TEST(a_head_request_gets_the_length_and_no_body)
{
	CHECK_STR(exchange("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n");
	end();
}

TEST(a_stream_is_chunked_for_1_1_and_ends_with_the_connection_for_1_0)
{
	CHECK_STR(exchange("GET /pieces HTTP/1.1\r\nHost: x\r\n\r\n"),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n");
	end();
	CHECK_STR(exchange("GET /pieces HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde");
	end();
}

TEST(a_stream_that_fails_midway_is_cut)
{
	CHECK_STR(exchange("GET /broken HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
	CHECK(peer == NULL);
	end();
}

TEST(a_chunked_body_is_read_with_extensions_and_trailers)
{
	CHECK_STR(exchange("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3;x=y\r\nabc\r\n00A\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
		"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nabc0123456789" OK_HELLO);
	end();
}

TEST(a_body_past_its_ceiling_is_413)
{
	CHECK(slice_starts(slice_of(exchange("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n")), "HTTP/1.1 413 "));
	end();
}

TEST(errors_become_answers)
{
	CHECK_STR(exchange("GET /fails HTTP/1.1\r\nHost: x\r\n\r\n"),
		"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 21\r\n\r\nNo such container: x\n");
	end();
	CHECK_STR(exchange("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"),
		"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 15\r\n\r\npage not found\n");
	end();
	CHECK(strstr(exchange("POST /hello HTTP/1.1\r\nHost: x\r\n\r\n"), "405 Method Not Allowed\r\nAllow: GET\r\n"));
	end();
}

TEST(paths_are_decoded_and_matched_longest_first)
{
	CHECK(strstr(exchange("GET /images/a/b%3a1/json?x=1 HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\n\r\na/b:1"));
	end();
	CHECK(strstr(exchange("GET /images/json/json HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\n\r\njson"));
	end();
	CHECK(strstr(exchange("GET /images/a/b HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\n\r\na/b"));
	end();
	CHECK(strstr(exchange("GET http://host/c/%41/x HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\n\r\nA"));
	end();
	CHECK(strstr(exchange("GET /c/a/b/x HTTP/1.1\r\nHost: x\r\n\r\n"), " 404 "));
	end();
	CHECK(strstr(exchange("GET /c//x HTTP/1.1\r\nHost: x\r\n\r\n"), " 404 "));
	end();
	CHECK(strstr(exchange("GET /c/%00/x HTTP/1.1\r\nHost: x\r\n\r\n"), " 400 "));
	end();
}

TEST(expect_continue_is_answered_when_the_body_is_wanted)
{
	begin();
	connect_peer();
	say("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	run_for(NS_PER_S);
	CHECK_STR(answer(), "HTTP/1.1 100 Continue\r\n\r\n");
	say("ok");
	run_for(NS_PER_S);
	CHECK_STR(answer(), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	end();
	CHECK_STR(exchange("POST /ignores HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
		"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
	end();
}

TEST(an_unwanted_body_is_drained_and_the_connection_goes_on)
{
	CHECK_STR(exchange("POST /ignores HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcdGET /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
		"HTTP/1.1 204 No Content\r\n\r\n" OK_HELLO);
	end();
}

TEST(what_lets_parsers_disagree_is_refused)
{
	static const char *const bad[] = {
		"GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: \r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET /hello HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost : x\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"GET /hello HTTP/1.1\r\n\r\n",
		"GET /hello HTTP/1.1\nHost: x\n\n",
		"GET /hello HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
		"GET  /hello HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /hello\r\nHost: x\r\n\r\n",
		"GET /hello HTTP/1.1 \r\nHost: x\r\n\r\n",
		"GET hello HTTP/1.1\r\nHost: x\r\n\r\n",
		"G(T /hello HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *a = exchange(bad[i]);

		if (!slice_starts(slice_of(a), "HTTP/1.1 400 ") || strstr(a, "hello"))
			test_fail(__FILE__, __LINE__, "%s is answered with %s", bad[i], a);
		CHECK(peer == NULL);
		end();
	}
	CHECK(slice_starts(slice_of(exchange("GET /hello HTTP/2.0\r\nHost: x\r\n\r\n")), "HTTP/1.1 505 "));
	end();
	CHECK(slice_starts(slice_of(exchange("GET /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n")), "HTTP/1.1 501 "));
	end();
}

TEST(bad_chunks_end_the_connection)
{
	static const char *const bad[] = {
		"x\r\n", "-1\r\n", "\r\n", "3\nabc\n", "3\r\nabcd\r\n0\r\n\r\n", "1111111111111111\r\n", "3 ;\rx\r\n", "0\r\n bad\r\n\r\n", "0x3\r\nabc\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char text[200];

		fmt_into(text, sizeof text, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%s", bad[i]);
		const char *a = exchange(text);
		if (strstr(a, "200 OK"))
			test_fail(__FILE__, __LINE__, "%s is answered with %s", bad[i], a);
		end();
	}
}

TEST(a_head_past_the_ceiling_is_431)
{
	AUTO(free) char *p = malloc(70000);

	begin();
	connect_peer();
	memset(p, 'a', 70000);
	memcpy(p, "GET /hello HTTP/1.1\r\nHost: ", 27);
	CHECK_INT(stream_write_now(peer, p, 65000), 65000);
	run_for(NS_PER_S);
	CHECK_STR(answer(), "");
	CHECK_INT(stream_write_now(peer, p + 65000, 5000), 5000);
	run_for(NS_PER_S);
	CHECK(slice_starts(slice_of(answer()), "HTTP/1.1 431 "));
	end();
}

TEST(a_hijacked_connection_is_raw_and_half_closes)
{
	begin();
	connect_peer();
	say("POST /hijack HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{}early");
	run_for(NS_PER_S);
	CHECK_STR(answer(), "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly");
	say("late");
	run_for(NS_PER_S);
	CHECK_INT(peer->ops->shutdown_now(peer), 0);
	settle();
	CHECK(strstr(got.ptr, "\r\n\r\nearlylatebye"));
	end();
	CHECK_STR(exchange("POST /hijack HTTP/1.1\r\nHost: x\r\n\r\n"),
		"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n");
	CHECK_INT(peer->ops->shutdown_now(peer), 0);
	end();
}

TEST(a_silent_handler_learns_that_its_peer_left)
{
	begin();
	connect_peer();
	say("GET /until-gone HTTP/1.1\r\nHost: x\r\n\r\n");
	run_for(100 * NS_PER_S);
	CHECK_STR(trace, "");
	CHECK_INT(peer->ops->shutdown_now(peer), 0);
	run_for(1);
	CHECK_STR(trace, "gone");
	end();
}

TEST(a_handler_can_be_cancelled_when_its_peer_leaves)
{
	begin();
	connect_peer();
	say("GET /cancelled HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	run_for(100 * NS_PER_S);
	CHECK_STR(trace, "");
	CHECK_INT(peer->ops->shutdown_now(peer), 0);
	run_for(1);
	CHECK_STR(trace, "cancelled");
	end();
}

TEST(a_slow_head_and_an_idle_connection_are_closed_in_time)
{
	begin();
	connect_peer();
	run_for(29 * NS_PER_S);
	CHECK_INT(http_server_connections(server), 1);
	run_for(2 * NS_PER_S);
	CHECK_INT(http_server_connections(server), 0);

	connect_peer();
	for (int i = 0; i < 29; i++) {
		say("G");
		run_for(NS_PER_S);
		CHECK_INT(http_server_connections(server), 1);
	}
	run_for(2 * NS_PER_S);
	CHECK_INT(http_server_connections(server), 0);

	connect_peer();
	say("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	run_for(170 * NS_PER_S);
	CHECK_INT(http_server_connections(server), 1);
	run_for(20 * NS_PER_S);
	CHECK_INT(http_server_connections(server), 0);
	end();
}

TEST(idle_connections_make_room_at_the_ceiling_and_busy_ones_do_not)
{
	begin();
	for (int i = 0; i < 150; i++)
		connect_peer();
	CHECK_INT(http_server_connections(server), 100);
	CHECK_INT(fiber_count(l), 150);       /* the test's own: no connection has one */
	for (int i = 0; i < 100; i++) {
		connect_peer();
		say("GET /forever HTTP/1.1\r\nHost: x\r\n\r\n");
		run_for(1);
	}
	CHECK_INT(http_server_connections(server), 100);
	struct stream *a, *b;
	CHECK_INT(stream_pair(l, 100, &a, &b), 0);
	CHECK_INT(http_server_serve(server, b), -EBUSY);
	stream_close(a);
	http_server_free(server);
	settle();
	CHECK_INT(fiber_count(l), 0);
}

TEST(a_thousand_idle_and_a_thousand_half_open_connections_have_no_fiber)
{
	struct http_server_config c = { .routes = routes, .n_routes = ARRAY_LEN(routes) };
	static struct stream *mine[2000];
	struct err e;

	CHECK_OK(sim_loop_new(&l, &e), &e);
	CHECK_INT(http_server_new(l, &c, &server), 0);
	buf_init(&got, 1024 * 1024);
	for (int i = 0; i < 2000; i++) {
		const char *text = i % 2 ? "GET /hello HTTP/1.1\r\nHo" : "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
		struct stream *theirs;

		CHECK_INT(stream_pair(l, 500, &mine[i], &theirs), 0);
		CHECK_INT(http_server_serve(server, theirs), 0);
		CHECK_INT(stream_write_now(mine[i], text, strlen(text)), strlen(text));
	}
	run_for(NS_PER_S);
	CHECK_INT(http_server_connections(server), 2000);
	CHECK_INT(fiber_count(l), 0);
	connect_peer();
	say("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	run_for(NS_PER_S);
	CHECK_STR(answer(), OK_HELLO);
	run_for(30 * NS_PER_S);
	CHECK_INT(http_server_connections(server), 1001);
	for (int i = 0; i < 2000; i++)
		stream_close(mine[i]);
	end();
}
