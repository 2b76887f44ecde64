// SPDX-License-Identifier: Apache-2.0
/* WebSocket: our client against our server, the specification's examples, and peers that break the rules. */
#include <errno.h>
#include "base/test.h"
#include "http/sha1.h"
#include "http/ws.h"
#include "io/sim.h"

static struct loop *l;
static struct http_server *server;
static struct stream *raw, *ws;
static char trace[64];

static int ws_echo(struct http_request *r, struct err *e)
{
	struct stream *s;
	int n = ws_accept_wait(r, "chat", false, &s, e);

	if (n < 0)
		return n;
	stream_copy_wait(s, s);
	stream_close(s);
	return 0;
}

static const struct http_route routes[] = { { "GET", "/ws", ws_echo } };

static void begin(void)
{
	struct http_server_config c = { .routes = routes, .n_routes = ARRAY_LEN(routes) };
	struct err e;

	CHECK_OK(sim_loop_new(&l, &e), &e);
	CHECK_INT(http_server_new(l, &c, &server), 0);
}

static void end(void)
{
	CHECK_INT(loop_run(l), -EDEADLK);
	CHECK_INT(fiber_count(l), 0);
	http_server_free(server);
	loop_free(l);
}

static int dial(void *arg, struct stream **ret, struct err *e)
{
	struct stream *theirs;

	CHECK_INT(stream_pair(l, 1000, ret, &theirs), 0);
	return http_server_serve(server, theirs);
}

TEST(sha1_of_the_standard_examples)
{
	unsigned char d[20];

	sha1("abc", 3, d);
	CHECK(!memcmp(d, "\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d", 20));
	sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, d);
	CHECK(!memcmp(d, "\x84\x98\x3e\x44\x1c\x3b\xd2\x6e\xba\xae\x4a\xa1\xf9\x51\x29\xe5\xe5\x46\x70\xf1", 20));
}

enum { MANY = 100000 };

static void writer(void *arg)
{
	AUTO(free) char *p = malloc(MANY);

	for (int i = 0; i < MANY; i++)
		p[i] = (char)(i % 241);
	CHECK_INT(stream_write_wait(arg, p, MANY), 0);
}

static void conversation(void *arg)
{
	struct http_client_config f = { .connect_wait = dial };
	struct http_client *c;
	struct err e;
	char p[500];

	CHECK_INT(http_client_new(l, &f, &c), 0);
	CHECK_OK(ws_connect_wait(c, "/ws", "chat", false, &ws, &e), &e);
	CHECK_INT(fiber_start(l, "writer", writer, ws), 0);
	for (int total = 0; total < MANY;) {
		ssize_t n = stream_read_wait(ws, p, sizeof p);

		CHECK(n > 0);
		for (ssize_t i = 0; i < n; i++, total++)
			CHECK(p[i] == (char)(total % 241));
	}
	CHECK_INT(stream_shutdown_wait(ws), 0);
	CHECK_INT(stream_read_wait(ws, p, sizeof p), 0);
	CHECK_INT(stream_write_wait(ws, p, 1), -EPIPE);
	stream_close(ws);
	http_client_free(c);
	fmt_into(trace, sizeof trace, "end");
}

TEST(a_websocket_is_a_stream)
{
	begin();
	fiber_start(l, "test", conversation, NULL);
	end();
	CHECK_STR(trace, "end");
}

static void reader(void *arg)
{
	char p[100];
	ssize_t n;
	size_t at = 0;

	while ((n = stream_read_wait(ws, p, sizeof p)) > 0) {
		memcpy(trace + at, p, (size_t)n);
		at += (size_t)n;
		trace[at] = 0;
	}
	fmt_into(trace + at, sizeof trace - at, "%s", n == 0 ? "." : n == -EPROTO ? "!" : "?");
	stream_close(ws);
}

/* What a server reads of these bytes, and what it says itself. */
static void frames(const char *in, size_t n, const char *want, const char *out, size_t out_n)
{
	char p[200];
	struct stream *b;

	begin();
	trace[0] = 0;
	CHECK_INT(stream_pair(l, 1000, &raw, &b), 0);
	CHECK_INT(ws_wrap(b, false, false, &ws), 0);
	fiber_start(l, "reader", reader, NULL);
	for (size_t i = 0; i < n; i++)
		stream_write_now(raw, in + i, 1);
	CHECK_INT(loop_run(l), -EDEADLK);
	raw->ops->shutdown_now(raw);
	end();
	CHECK_STR(trace, want);
	ssize_t got = stream_read_now(raw, p, sizeof p);
	CHECK_INT(MAX(got, (ssize_t)0), out_n);
	CHECK(!memcmp(p, out, out_n));
	stream_close(raw);
}

#define KEY "\x37\xfa\x21\x3d"
#define HELLO "\x7f\x9f\x4d\x51\x58"
TEST(websocket_frames_are_unmasked_joined_and_answered)
{
	/* Section 5.7's masked "Hello", a ping with its pong, a close that is echoed. */
	frames("\x81\x85" KEY HELLO "\x89\x85" KEY HELLO "\x88\x80" KEY, 11 + 11 + 6, "Hello.", "\x8a\x05Hello\x88\x02\x03\xe8", 11);
	/* Fragments with a ping between them, and an empty one. */
	frames("\x01\x85" KEY HELLO "\x89\x80" KEY "\x00\x80" KEY "\x80\x85" KEY HELLO "\x88\x80" KEY, 11 + 6 + 6 + 11 + 6,
		"HelloHello.", "\x8a\x00\x88\x02\x03\xe8", 6);
}

TEST(websocket_violations_are_closed_with_1002)
{
	static const struct {
		const char *p;
		size_t n;
	} bad[] = {
		{ "\x81\x05Hello", 7 },                          /* a client must mask */
		{ "\xc1\x85" KEY HELLO, 11 },                    /* reserved bit */
		{ "\x80\x85" KEY HELLO, 11 },                    /* continues nothing */
		{ "\x01\x85" KEY HELLO "\x81\x85" KEY, 17 },     /* begins anew within a message */
		{ "\x09\x80" KEY, 6 },                           /* fragmented control frame */
		{ "\x89\xfe\x00\x7e" KEY, 8 },                   /* control frame past 125 bytes */
		{ "\x83\x80" KEY, 6 },                           /* unknown kind */
		{ "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff" KEY, 14 },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		frames(bad[i].p, bad[i].n, i == 3 ? "Hello!" : "!", "\x88\x02\x03\xea", 4);
	frames("\x82\x85" KEY "\x7f", 7, "H?", "\x88\x02\x03\xe8", 4);
}
