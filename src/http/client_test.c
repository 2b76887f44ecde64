// SPDX-License-Identifier: Apache-2.0
/* The HTTP client against scripted peers and against our own server, on simulated time. */
#include "base/clock.h"
#include "base/test.h"
#include "http/client.h"
#include "http/server.h"
#include "io/sim.h"

static struct loop *l;
static struct http_client *client;
static struct http_server *server;
static char trace[512];
static unsigned dials;

static void note(const char *s)
{
	size_t n = strlen(trace);

	fmt_into(trace + n, sizeof trace - n, "%s", s);
}

/* --- scripted peers: each connection takes the next script */

struct script {
	const char *want, *answer;     /* waits for all of want, then sends answer */
	bool stay;                     /* does not close then */
};
static const struct script *scripts;

static void peer_fiber(void *arg)
{
	const struct script *x = scripts;
	struct stream *s = arg;
	char p[4096] = "";

	for (; x->want; x++) {
		size_t n = strlen(x->want);

		if (stream_read_all_wait(s, p, n) == 0) {
			p[n] = 0;
			CHECK_STR(p, x->want);
		}
		CHECK_INT(stream_write_wait(s, x->answer, strlen(x->answer)), 0);
		scripts = x + 1 + (x->stay && !x[1].want);
		if (!x->stay)
			break;
		if (x[1].want == NULL)
			stream_read_wait(s, p, 1);
	}
	stream_close(s);
}

static int dial_script(void *arg, struct stream **ret, struct err *e)
{
	struct stream *theirs;

	dials++;
	CHECK_INT(stream_pair(l, 65536, ret, &theirs), 0);
	fiber_start(l, "peer", peer_fiber, theirs);
	return 0;
}

static int dial_server(void *arg, struct stream **ret, struct err *e)
{
	struct stream *theirs;

	dials++;
	CHECK_INT(stream_pair(l, 1000, ret, &theirs), 0);
	return http_server_serve(server, theirs);
}

static void begin(int (*dial)(void *, struct stream **, struct err *))
{
	struct http_client_config c = { .connect_wait = dial, .io_timeout_ns = 10 * NS_PER_S };
	struct err e;

	CHECK_OK(sim_loop_new(&l, &e), &e);
	CHECK_INT(http_client_new(l, &c, &client), 0);
}

static void run(void (*fn)(void *))
{
	CHECK_INT(fiber_start(l, "test", fn, NULL), 0);
	CHECK_INT(loop_run(l), -EDEADLK);
	CHECK_INT(fiber_count(l), 0);
	http_client_free(client);
	http_server_free(server);
	loop_free(l);
	CHECK(strstr(trace, "end"));
}

static void get(const char *target, int status, const char *body)
{
	struct http_call call = { .method = "GET", .target = target };
	AUTO(buf) struct buf b = BUF_INIT(1000);
	struct err e;

	CHECK_OK(http_call_wait(client, &call, &e), &e);
	CHECK_INT(call.status, status);
	CHECK_OK(http_call_body_wait(&call, 1000, &b, &e), &e);
	CHECK_STR(b.ptr, body);
	http_call_release(&call);
	http_call_release(&call);
}

static void several(void *arg)
{
	get("/a", 200, "abc");
	get("/b", 200, "defg");
	get("/c", 200, "rest");
	get("/d", 404, "");
	CHECK_INT(dials, 2);
	note("end");
}

#define GET(x) "GET " x " HTTP/1.1\r\nHost: localhost\r\n\r\n"
TEST(a_connection_is_used_again_until_it_must_end)
{
	static const struct script s[] = {
		{ GET("/a"), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", true },
		{ GET("/b"), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nd\r\n3\r\nefg\r\n0\r\n\r\n", true },
		{ GET("/c"), "HTTP/1.1 200 OK\r\n\r\nrest", false },
		{ GET("/d"), "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false },
		{ 0 },
	};

	begin(dial_script);
	scripts = s;
	run(several);
}

static void dropped(void *arg)
{
	get("/a", 200, "abc");
	CHECK_INT(sleep_wait(1), 0);
	get("/b", 200, "def");
	CHECK_INT(dials, 2);
	note("end");
}

TEST(a_connection_dropped_while_idle_is_not_used)
{
	static const struct script s[] = {
		{ GET("/a"), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false },
		{ GET("/b"), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ndef", false },
		{ 0 },
	};

	begin(dial_script);
	scripts = s;
	run(dropped);
}

static void raced(void *arg)
{
	get("/a", 200, "abc");
	get("/b", 200, "def");
	CHECK_INT(dials, 2);
	note("end");
}

TEST(a_request_lost_to_a_closing_connection_is_sent_again)
{
	static const struct script s[] = {
		{ GET("/a"), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", true },
		{ GET("/b"), "", false },
		{ GET("/b"), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ndef", false },
		{ 0 },
	};

	begin(dial_script);
	scripts = s;
	run(raced);
}

static void failures(void *arg)
{
	static const struct {
		int code;
		const char *text;
	} wants[] = {
		{ EPROTO, "GET /x: malformed status line in the answer" },
		{ ECONNRESET, "GET /x: Connection reset by peer" },
		{ ETIMEDOUT, "GET /x: Connection timed out" },
	};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
		struct http_call call = { .method = "GET", .target = "/x" };

		CHECK_INT(http_call_wait(client, &call, &e), -wants[i].code);
		CHECK_STR(e.text, wants[i].text);
	}
	struct http_call call = { .method = "GET", .target = "/x" };
	AUTO(buf) struct buf b = BUF_INIT(1000);
	CHECK_OK(http_call_wait(client, &call, &e), &e);
	CHECK_INT(http_call_body_wait(&call, 1000, &b, &e), -EPIPE);
	http_call_release(&call);
	CHECK_OK(http_call_wait(client, &call, &e), &e);
	CHECK_INT(http_call_body_wait(&call, 10, &b, &e), -EMSGSIZE);
	http_call_release(&call);
	note("end");
}

TEST(broken_answers_are_errors)
{
	static const struct script s[] = {
		{ GET("/x"), "HTTP/1.1 abc\r\n\r\n", false },
		{ GET("/x"), "HTTP/1.1 200 OK\r\n", false },
		{ GET("/x"), "HTTP/1.1 200", true }, { 0 },
		{ GET("/x"), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", false },
		{ GET("/x"), "HTTP/1.1 200 OK\r\n\r\n0123456789abcdef", false },
		{ 0 },
	};

	begin(dial_script);
	scripts = s;
	scripts = s;
	run(failures);
}

/* --- against our server */

static int count(struct http_request *r, struct err *e)
{
	char p[700], text[40];
	ssize_t n;
	size_t total = 0;

	while ((n = http_body_read_wait(r, p, sizeof p)) > 0)
		for (ssize_t i = 0; i < n; i++, total++)
			CHECK(p[i] == (char)(total % 251));
	CHECK_INT(n, 0);
	fmt_into(text, sizeof text, "%zu", total);
	return http_reply(r, 200, NULL, slice_of(text));
}

static int both_ways(struct http_request *r, struct err *e)
{
	CHECK_INT(http_begin_wait(r, 200, NULL), 0);
	struct stream *body = http_body_stream(r);
	char p[333];
	ssize_t n;

	while ((n = stream_read_wait(body, p, sizeof p)) > 0)
		CHECK_INT(http_write_wait(r, p, (size_t)n), 0);
	return (int)n;
}

static int refuse(struct http_request *r, struct err *e) { return err_set(e, EINVAL, "not this"); }

static int upgrade(struct http_request *r, struct err *e)
{
	struct stream *s;

	CHECK_INT(http_hijack_wait(r, 0, NULL, NULL, &s), 0);
	CHECK_INT(stream_write_wait(s, "hi", 2), 0);
	stream_copy_wait(s, s);
	stream_close(s);
	return 0;
}

static const struct http_route routes[] = {
	{ "POST", "/count", count },
	{ "POST", "/both", both_ways },
	{ "POST", "/refuse", refuse },
	{ "POST", "/upgrade", upgrade },
};

static void begin_server(void)
{
	struct http_server_config c = { .routes = routes, .n_routes = ARRAY_LEN(routes) };

	begin(dial_server);
	CHECK_INT(http_server_new(l, &c, &server), 0);
}

enum { MANY = 300000 };
static char many[MANY];

static void feed(void *arg)
{
	struct stream *s = arg;

	if (stream_write_wait(s, many, MANY) == 0)
		stream_shutdown_wait(s);
	stream_close(s);
}

static struct stream *source(void)
{
	struct stream *a, *b;

	for (int i = 0; i < MANY; i++)
		many[i] = (char)(i % 251);
	CHECK_INT(stream_pair(l, 5000, &a, &b), 0);
	CHECK_INT(fiber_start(l, "feed", feed, b), 0);
	return a;
}

static void bodies(void *arg)
{
	struct err e;

	for (int i = 0; i < 3; i++) {
		AUTO(stream) struct stream *from = source();
		AUTO(buf) struct buf b = BUF_INIT(1000);
		struct http_call call = { .method = "POST", .target = "/count", .body_length = -1 };

		if (i == 0)
			call.body = slice_n(many, MANY);
		else
			call.body_stream = from;
		if (i == 1)
			call.body_length = MANY;
		CHECK_OK(http_call_wait(client, &call, &e), &e);
		CHECK_OK(http_call_body_wait(&call, 100, &b, &e), &e);
		CHECK_STR(b.ptr, "300000");
		http_call_release(&call);
	}
	CHECK_INT(dials, 1);
	note("end");
}

TEST(bodies_go_out_whole_by_length_and_in_chunks)
{
	begin_server();
	run(bodies);
}

static void duplex(void *arg)
{
	AUTO(stream) struct stream *from = source();
	struct http_call call = { .method = "POST", .target = "/both", .body_length = -1, .body_stream = from };
	struct err e;
	char p[1000];
	ssize_t n;
	size_t total = 0;

	CHECK_OK(http_call_wait(client, &call, &e), &e);
	while ((n = stream_read_wait(http_call_stream(&call), p, sizeof p)) > 0)
		for (ssize_t i = 0; i < n; i++, total++)
			CHECK(p[i] == (char)(total % 251));
	CHECK_INT(n, 0);
	CHECK_INT(total, MANY);
	http_call_release(&call);
	note("end");
}

TEST(a_body_and_its_answer_stream_at_the_same_time)
{
	begin_server();
	run(duplex);
}

static void refused_body(void *arg)
{
	AUTO(stream) struct stream *from = source();
	struct http_call call = { .method = "POST", .target = "/refuse", .body_length = -1, .body_stream = from };
	AUTO(buf) struct buf b = BUF_INIT(1000);
	struct err e;

	CHECK_OK(http_call_wait(client, &call, &e), &e);
	CHECK_INT(call.status, 400);
	CHECK_OK(http_call_body_wait(&call, 100, &b, &e), &e);
	CHECK_STR(b.ptr, "not this\n");
	http_call_release(&call);
	note("end");
}

TEST(an_answer_before_the_body_is_sent_is_seen)
{
	begin_server();
	run(refused_body);
}

static void hijacks(void *arg)
{
	static const struct http_header h[] = { { SLICE("Connection"), SLICE("Upgrade") }, { SLICE("Upgrade"), SLICE("tcp") } };
	struct http_call call = { .method = "POST", .target = "/upgrade", .headers = { (struct http_header *)h, 2 } };
	struct stream *s;
	struct err e;
	char p[10];

	CHECK_OK(http_call_wait(client, &call, &e), &e);
	CHECK_INT(call.status, 101);
	CHECK_INT(http_call_hijack(&call, &s), 0);
	http_call_release(&call);
	CHECK_INT(stream_read_all_wait(s, p, 2), 0);
	CHECK_SLICE(slice_n(p, 2), "hi");
	CHECK_INT(stream_write_wait(s, "echo", 4), 0);
	CHECK_INT(stream_read_all_wait(s, p, 4), 0);
	CHECK_INT(stream_shutdown_wait(s), 0);
	CHECK_INT(stream_read_wait(s, p, 1), 0);
	stream_close(s);
	note("end");
}

TEST(a_connection_can_be_hijacked)
{
	begin_server();
	run(hijacks);
}
