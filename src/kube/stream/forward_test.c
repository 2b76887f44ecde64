// SPDX-License-Identifier: Apache-2.0
/* Port-forward: our client with our server through the tunnel and through SPDY, channels by hand, and peers that break rules. */
#include <errno.h>
#include "base/clock.h"
#include "base/test.h"
#include "http/spdy.h"
#include "http/upgrade.h"
#include "http/ws.h"
#include "io/sim.h"
#include "kube/stream/forward.h"

static struct loop *l;
static struct http_server *server;
static struct http_client *client;
static bool no_websocket;
static char trace[512];
static unsigned n_served;

static void say(const char *fmt, ...)
{
	size_t at = strlen(trace);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(trace + at, sizeof trace - at, fmt, ap);
	va_end(ap);
}

/* Port 7 echoes, 1 refuses, 9 swallows and never ends. */
static int connection(void *arg, unsigned port, struct stream *data, struct err *e)
{
	char p[1000];

	if (port == 1)
		return err_set(e, ECONNREFUSED, "connection refused");
	if (port == 9) {
		while (stream_read_wait(data, p, sizeof p) > 0)
			;
		sleep_wait(NS_PER_S * 1000);
		if (fiber_cancelled(fiber_self()))
			say("[cancelled]");
		return 0;
	}
	stream_copy_wait(data, data);
	return 0;
}

static int forward(struct http_request *r, struct err *e)
{
	static const struct forward_handler h = { connection, NULL };
	int n = no_websocket && ws_wanted(r) ? err_set(e, EINVAL, "no") : forward_serve_wait(r, NULL, 0, &h, e);

	n_served += n == 0;
	return n;
}

static const struct http_route routes[] = { { "GET", "/f", forward }, { "POST", "/f", forward } };

static int dial(void *arg, struct stream **ret, struct err *e)
{
	struct stream *theirs;

	CHECK_INT(stream_pair(l, 3000, ret, &theirs), 0);
	return http_server_serve(server, theirs);
}

static void run(void (*fn)(void *))
{
	struct http_server_config c = { .routes = routes, .n_routes = ARRAY_LEN(routes) };
	struct http_client_config f = { .connect_wait = dial };
	struct err e;

	CHECK_OK(sim_loop_new(&l, &e), &e);
	CHECK_INT(http_server_new(l, &c, &server), 0);
	CHECK_INT(http_client_new(l, &f, &client), 0);
	fiber_start(l, "test", fn, NULL);
	CHECK_INT(loop_run(l), -EDEADLK);
	CHECK_INT(fiber_count(l), 0);
	http_client_free(client);
	CHECK_INT(http_server_connections(server), 0);
	http_server_free(server);
	loop_free(l);
}

static struct forward *f;

enum { MANY = 500000 };

static void write_many(void *arg)
{
	AUTO(free) char *p = malloc(MANY);

	for (int i = 0; i < MANY; i++)
		p[i] = (char)(i % 239);
	CHECK_INT(stream_write_wait(arg, p, MANY), 0);
	CHECK_INT(stream_shutdown_wait(arg), 0);
}

static unsigned n_echoed;

static void echoed(void *arg)
{
	struct stream *data, *error;
	char p[4000];
	ssize_t n;
	int total = 0;
	struct err e;

	CHECK_OK(forward_open_wait(f, 7, &data, &error, &e), &e);
	fiber_start(l, "write", write_many, data);
	while ((n = stream_read_wait(data, p, sizeof p)) > 0)
		for (ssize_t i = 0; i < n; i++, total++)
			CHECK(p[i] == (char)(total % 239));
	CHECK_INT(total, MANY);
	CHECK_INT(stream_read_wait(error, p, sizeof p), 0);
	stream_close(data);
	stream_close(error);
	n_echoed++;
}

static void try_echo(void *arg)
{
	struct stream *data, *error;
	char p[100] = "";
	struct err e;

	CHECK_OK(forward_connect_wait(client, "/f", NULL, &f, &e), &e);
	for (int i = 0; i < 3; i++)
		fiber_start(l, "echoed", echoed, NULL);
	CHECK_OK(forward_open_wait(f, 1, &data, &error, &e), &e);
	CHECK(stream_read_wait(error, p, sizeof p - 1) > 0);
	CHECK_INT(stream_read_wait(data, p, 1) + stream_read_wait(error, p + 50, 10), 0);
	say("%s ", p);
	stream_close(data);
	stream_close(error);
	while (n_echoed < 3)
		sleep_wait(NS_PER_S);
	forward_free(f);
}

TEST(forward_through_the_tunnel)
{
	run(try_echo);
	CHECK_STR(trace, "connection refused ");
	CHECK_INT(n_served, 1);
}

TEST(forward_through_spdy_when_there_is_no_websocket)
{
	no_websocket = true;
	run(try_echo);
	CHECK_STR(trace, "connection refused ");
	CHECK_INT(n_served, 1);
}

static void try_leave(void *arg)
{
	struct stream *data, *error;
	struct err e;

	CHECK_OK(forward_connect_wait(client, "/f", NULL, &f, &e), &e);
	CHECK_OK(forward_open_wait(f, 9, &data, &error, &e), &e);
	CHECK_INT(stream_write_wait(data, "abc", 3), 0);
	sleep_wait(NS_PER_S);
	forward_free(f);
	CHECK_INT(stream_write_wait(data, "abc", 3), -EPIPE);
	stream_close(data);
	stream_close(error);
}

TEST(forward_ends_connections_whose_client_has_left)
{
	run(try_leave);
	CHECK_STR(trace, "[cancelled]");
	CHECK_INT(n_served, 1);
}

/* --- channels by hand */

static void hear(struct stream *ws, unsigned n)
{
	char p[1000];
	ssize_t k;

	while (n-- && (k = stream_read_wait(ws, p, sizeof p)) > 0) {
		CHECK(ws_message_began(ws));
		say("{%d:", p[0]);
		for (ssize_t i = 1; i < k; i++)
			say(p[i] >= ' ' ? "%c" : "<%d>", p[i]);
		say("}");
	}
}

static struct stream *ask(const char *target, const char *protocol)
{
	struct stream *ws;
	struct err e;

	CHECK_OK(ws_connect_wait(client, target, protocol, protocol && strstr(protocol, "base64"), &ws, &e), &e);
	return ws;
}

static void try_channels(void *arg)
{
	struct stream *ws = ask("/f?ports=7,1&port=7", "v4.channel.k8s.io");

	hear(ws, 7);
	CHECK_INT(ws_message_now(ws, SLICE("\0"), SLICE("hi")), 0);
	hear(ws, 1);
	CHECK_INT(ws_message_now(ws, SLICE("\4"), SLICE("ho")), 0);
	hear(ws, 1);
	stream_close(ws);
}

TEST(forward_channels_begin_with_their_ports)
{
	run(try_channels);
	/* 7 little-endian, and 1 that is refused */
	CHECK_STR(trace, "{0:<7><0>}{1:<7><0>}{2:<1><0>}{3:<1><0>}{3:connection refused}{4:<7><0>}{5:<7><0>}{0:hi}{4:ho}");
	CHECK_INT(n_served, 1);
}

static void try_all_refused(void *arg)
{
	struct stream *ws = ask("/f?port=1", "v4.channel.k8s.io");

	hear(ws, 10);
	stream_close(ws);
}

TEST(forward_channels_end_when_all_connections_have)
{
	run(try_all_refused);
	CHECK_STR(trace, "{0:<1><0>}{1:<1><0>}{1:connection refused}");
}

static void try_bad_ports(void *arg)
{
	static const char *const targets[] = { "/f", "/f?port=0", "/f?port=7,x", "/f?port=70000" };
	struct stream *ws;
	struct err e;

	for (unsigned i = 0; i < ARRAY_LEN(targets); i++) {
		struct http_upgraded how = { 0 };

		CHECK(ws_ask_wait(client, targets[i], "v4.channel.k8s.io", NULL, false, &how, &ws, &e) < 0);
		CHECK_INT(how.status, 400);
		http_upgraded_release(&how);
	}
}

TEST(forward_ports_must_be_ports)
{
	run(try_bad_ports);
}

/* --- SPDY by hand: halves that do not match */

static struct spdy *c;

static int open_half(const char *type, const char *port, const char *id, struct spdy_stream **ret)
{
	struct http_header v[] = { { SLICE("streamType"), slice_of(type) }, { SLICE("port"), slice_of(port) }, { SLICE("requestID"), slice_of(id) } };
	const struct http_headers h = { v, id ? 3 : 2 };

	return spdy_open_wait(c, &h, ret);
}

static void try_halves(void *arg)
{
	static const struct http_header v = { SLICE("X-Stream-Protocol-Version"), SLICE("portforward.k8s.io") };
	static const struct spdy_events none = { NULL, NULL };
	const struct http_headers h = { (struct http_header *)&v, 1 };
	struct http_upgraded how;
	struct spdy_stream *a, *b, *x;
	struct stream *s;
	struct err e;
	char p[10] = "";

	CHECK_OK(http_upgrade_wait(client, "POST", "/f", "SPDY/3.1", &h, &how, &s, &e), &e);
	CHECK_STR(how.protocol, "portforward.k8s.io");
	http_upgraded_release(&how);
	CHECK_INT(spdy_new(s, false, &none, NULL, &c), 0);
	spdy_go(c);
	CHECK_INT(open_half("other", "7", "1", &x), -ECONNREFUSED);
	CHECK_INT(open_half("data", "0", "1", &x), -ECONNREFUSED);
	CHECK_INT(open_half("data", "7", "1", &a), 0);
	CHECK_INT(open_half("data", "7", "1", &x), -ECONNREFUSED);
	CHECK_INT(open_half("error", "8", "1", &x), -ECONNREFUSED);
	/* the other half does not come */
	CHECK_INT(stream_read_wait(&a->s, p, 1), 0);
	say("late ");
	stream_close(&a->s);
	/* an old client: no numbers, the data stream right behind the error stream */
	CHECK_INT(open_half("error", "7", NULL, &a), 0);
	CHECK_INT(open_half("data", "7", NULL, &b), 0);
	CHECK_INT(stream_write_wait(&b->s, "old", 3), 0);
	CHECK_INT(stream_read_wait(&b->s, p, 9), 3);
	say("%s", p);
	stream_close(&a->s);
	stream_close(&b->s);
	spdy_finish_wait(c, NS_PER_S);
	spdy_free(c);
}

TEST(forward_halves_are_matched_by_request)
{
	run(try_halves);
	CHECK_STR(trace, "late old");
	CHECK_INT(n_served, 1);
}
