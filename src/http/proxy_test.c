// SPDX-License-Identifier: Apache-2.0
/* A client, a server that proxies, and the server behind it, on simulated time. */
#include <errno.h>
#include "base/clock.h"
#include "base/test.h"
#include "http/proxy.h"
#include "http/spdy.h"
#include "http/ws.h"
#include "io/sim.h"

static struct loop *l;
static struct http_server *front, *back;
static struct http_client *client, *to_back;
static char trace[1024];
static bool back_down;

static void say(const char *fmt, ...)
{
	size_t at = strlen(trace);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(trace + at, sizeof trace - at, fmt, ap);
	va_end(ap);
}

/* --- behind */

static int show(struct http_request *r, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(10000);
	struct slice body;
	int n = http_body_all_wait(r, 1000000, &body, e);

	if (n < 0)
		return n;
	buf_addf(&b, "%.*s %.*s\n", SLICE_FMT(r->method), SLICE_FMT(r->target));
	for (size_t i = 0; i < r->headers.n; i++)
		buf_addf(&b, "%.*s: %.*s\n", SLICE_FMT(r->headers.v[i].name), SLICE_FMT(r->headers.v[i].value));
	buf_addf(&b, "%zu\n", body.len);
	http_header_add(r, "X-Back", "yes");
	http_header_add(r, "Connection", "X-Hop");
	http_header_add(r, "X-Hop", "1");
	return http_reply(r, 201, "text/plain", buf_slice(&b));
}

static int redirect(struct http_request *r, struct err *e)
{
	http_header_add(r, "Location", http_query_get(&r->query, "to"));
	return http_reply(r, 302, NULL, SLICE(""));
}

static int follow(struct http_request *r, struct err *e)
{
	int n = http_begin_wait(r, 200, "text/plain");

	http_cancel_when_gone(r, true);
	while (n == 0) {
		n = http_write_wait(r, "line\n", 5);
		if (n == 0)
			n = sleep_wait(NS_PER_S);
	}
	say("[followed]");
	return n;
}

static int cut(struct http_request *r, struct err *e)
{
	http_begin_length_wait(r, 200, "text/plain", 100);
	http_write_wait(r, "some", 4);
	return -EIO;
}

static int ws_echo(struct http_request *r, struct err *e)
{
	struct stream *s;
	int n = ws_accept_wait(r, "chat", false, &s, e);

	if (n < 0)
		return n;
	stream_copy_wait(s, s);
	stream_close(s);
	say("[ws over]");
	return 0;
}

static int raw(struct http_request *r, struct err *e)
{
	struct stream *s;
	int n = http_hijack_wait(r, 101, NULL, "raw", &s);

	if (n < 0)
		return n;
	stream_write_wait(s, "hello", 5);
	stream_copy_wait(s, s);
	stream_write_wait(s, "bye", 3);
	stream_close(s);
	return 0;
}

static int never(struct http_request *r, struct err *e)
{
	struct stream *s;
	char p[10];
	int n = http_hijack_wait(r, 101, NULL, "raw", &s);

	if (n < 0)
		return n;
	while (stream_read_wait(s, p, sizeof p) > 0)
		;
	say("[backend saw the end]");
	stream_close(s);
	return 0;
}

static int text(struct http_request *r, struct err *e) { return http_reply(r, 200, "text/plain", SLICE("hello")); }

static const struct http_route back_routes[] = { { "GET", "/text", text },
	{ "GET", "/show/{x:*}", show }, { "POST", "/show/{x:*}", show }, { "GET", "/redirect", redirect }, { "GET", "/follow", follow },
	{ "GET", "/cut", cut }, { "GET", "/ws", ws_echo }, { "GET", "/raw", raw }, { "GET", "/never", never },
};

/* --- in front: everything below /p/ goes to the same path without it */

static int proxy(struct http_request *r, struct err *e)
{
	static const struct http_header set[] = { { SLICE("Authorization"), SLICE("") }, { SLICE("X-User"), SLICE("me") } };
	struct http_proxy p = { .to = to_back, .target = arena_fmt(r->arena, "%.*s", (int)r->target.len - 2, r->target.ptr + 2),
		.set = &(struct http_headers){ (struct http_header *)set, 2 }, .prefix = "/p", .backend = "http://10.0.0.1:80", .scheme = "https",
		.peer = "1.2.3.4" };

	return http_upgrade_wanted(r) ? http_proxy_upgrade_wait(r, &p, e) : http_proxy_wait(r, &p, e);
}

static int log_request(struct http_request *r, struct err *e)
{
	struct http_proxy p = { .to = to_back, .target = arena_fmt(r->arena, "%.*s", (int)r->target.len - 2, r->target.ptr + 2) };

	return http_proxy_websocket_wait(r, &p, e);
}

static const struct http_route front_routes[] = { { "GET", "/l/{x:*}", log_request }, { "GET", "/p/{x:*}", proxy }, { "POST", "/p/{x:*}", proxy } };

static int dial(void *arg, struct stream **ret, struct err *e)
{
	struct stream *theirs;

	if (arg == &back && back_down)
		return err_set(e, ECONNREFUSED, "connection refused");
	CHECK_INT(stream_pair(l, 2000, ret, &theirs), 0);
	return http_server_serve(*(struct http_server **)arg, theirs);
}

static void run(void (*fn)(void *))
{
	struct http_server_config b = { .routes = back_routes, .n_routes = ARRAY_LEN(back_routes) };
	struct http_server_config f = { .routes = front_routes, .n_routes = ARRAY_LEN(front_routes) };
	struct http_client_config c = { .connect_wait = dial, .connect_arg = &front, .host_header = "api:6443" };
	struct http_client_config d = { .connect_wait = dial, .connect_arg = &back };
	struct err e;

	CHECK_OK(sim_loop_new(&l, &e), &e);
	CHECK_INT(http_server_new(l, &b, &back), 0);
	CHECK_INT(http_server_new(l, &f, &front), 0);
	CHECK_INT(http_client_new(l, &c, &client), 0);
	CHECK_INT(http_client_new(l, &d, &to_back), 0);
	fiber_start(l, "test", fn, NULL);
	CHECK_INT(loop_run(l), -EDEADLK);
	CHECK_INT(fiber_count(l), 0);
	http_client_free(client);
	http_client_free(to_back);
	CHECK_INT(loop_run(l), -EDEADLK);
	http_server_free(front);
	http_server_free(back);
	loop_free(l);
}

static void get(const char *method, const char *target, struct slice body, int status)
{
	static const struct http_header h[] = { { SLICE("Authorization"), SLICE("Bearer secret") }, { SLICE("Connection"), SLICE("X-Mine") },
		{ SLICE("X-Mine"), SLICE("1") }, { SLICE("X-Forwarded-For"), SLICE("9.9.9.9") } };
	struct http_call call = { .method = method, .target = target, .headers = { (struct http_header *)h, 4 }, .body = body };
	AUTO(buf) struct buf b = BUF_INIT(100000);
	struct slice at;
	struct err e;

	CHECK_OK(http_call_wait(client, &call, &e), &e);
	CHECK_INT(call.status, status);
	at = http_header_get(&call.reply_headers, "Location");
	if (at.len)
		say("<%.*s>", SLICE_FMT(at));
	CHECK(!http_header_get(&call.reply_headers, "X-Hop").len);
	say(http_header_get(&call.reply_headers, "X-Back").len ? "back " : "");
	say("%lld ", (long long)call.reply_length);
	if (http_call_body_wait(&call, 100000, &b, &e) < 0)
		say("broken ");
	say("%s", b.ptr);
	http_call_release(&call);
}

static void try_show(void *arg)
{
	AUTO(free) char *big = calloc(1, 300000);

	get("GET", "/p/show/a%20b?x=1", SLICE(""), 201);
	CHECK_STR(trace, "back 165 GET /show/a%20b?x=1\nHost: api:6443\nX-User: me\nX-Forwarded-For: 9.9.9.9, 1.2.3.4\n"
		"X-Forwarded-Uri: /p/show/a%20b\nX-Forwarded-Host: api:6443\nX-Forwarded-Proto: https\n0\n");
	trace[0] = 0;
	get("POST", "/p/show/x", slice_n(big, 300000), 201);
	CHECK(strstr(trace, "Content-Length: 300000\n300000\n"));
}

TEST(proxy_passes_requests_without_what_belongs_to_the_connection)
{
	run(try_show);
}

static void try_head(void *arg)
{
	struct http_call call = { .method = "HEAD", .target = "/p/show/x" };
	struct err e;

	CHECK_OK(http_call_wait(client, &call, &e), &e);
	CHECK_INT(call.status, 201);
	CHECK(http_header_get(&call.reply_headers, "Content-Length").len > 0);
	http_call_release(&call);
	get("GET", "/p/show/y", SLICE(""), 201);
}

TEST(proxy_keeps_the_length_of_what_a_head_leaves_out)
{
	run(try_head);
}

static void try_redirect(void *arg)
{
	get("GET", "/p/redirect?to=/x/", SLICE(""), 302);
	get("GET", "/p/redirect?to=http://10.0.0.1:80/y?z=1", SLICE(""), 302);
	get("GET", "/p/redirect?to=http://api:6443/y", SLICE(""), 302);
	get("GET", "/p/redirect?to=http://elsewhere/y", SLICE(""), 302);
	get("GET", "/p/redirect?to=y", SLICE(""), 302);
	get("GET", "/p/redirect?to=/p/y", SLICE(""), 302);
	get("GET", "/p/redirect?to=//evil/y", SLICE(""), 302);
}

TEST(proxy_rewrites_redirects_that_lead_back)
{
	run(try_redirect);
	CHECK_STR(trace, "<https://api:6443/p/x/>0 <https://api:6443/p/y?z=1>0 <https://api:6443/p/y>0 <http://elsewhere/y>0 <y>0 </p/y>0 <//evil/y>0 ");
}

static void try_follow(void *arg)
{
	struct http_call call = { .method = "GET", .target = "/p/follow" };
	struct err e;
	char p[100];

	CHECK_OK(http_call_wait(client, &call, &e), &e);
	for (int i = 0; i < 5; i++)
		CHECK_INT(http_call_read_wait(&call, p, sizeof p), 5);
	say("5 lines ");
	http_call_release(&call);
}

TEST(proxy_streams_and_ends_when_the_client_goes)
{
	run(try_follow);
	CHECK_STR(trace, "5 lines [followed]");
}

static void try_errors(void *arg)
{
	get("GET", "/p/cut", SLICE(""), 200);
	back_down = true;
	http_client_free(to_back);
	struct http_client_config d = { .connect_wait = dial, .connect_arg = &back };

	CHECK_INT(http_client_new(l, &d, &to_back), 0);
	get("GET", "/p/show/x", SLICE(""), 500);
}

TEST(proxy_errors_are_the_callers_and_a_broken_answer_is_seen_broken)
{
	run(try_errors);
	CHECK_STR(trace, "100 broken some19 connection refused\n");
}

static void try_ws(void *arg)
{
	struct stream *s;
	struct err e;
	char p[10] = "";

	CHECK_OK(ws_connect_wait(client, "/p/ws", "chat", false, &s, &e), &e);
	CHECK_INT(stream_write_wait(s, "abc", 3), 0);
	CHECK_INT(stream_read_wait(s, p, 9), 3);
	CHECK_STR(p, "abc");
	CHECK_INT(stream_shutdown_wait(s), 0);
	CHECK_INT(stream_read_wait(s, p, 9), 0);
	stream_close(s);
	CHECK(ws_connect_wait(client, "/p/show/x", NULL, false, &s, &e) < 0);
	say("%s", e.text);
}

TEST(proxy_passes_websockets_and_refusals_of_them)
{
	run(try_ws);
	CHECK_STR(trace, "[ws over]GET /p/show/x: no upgrade to websocket: status 201");
}

static void try_log(void *arg)
{
	struct stream *s;
	struct err e;
	char p[100] = "";
	ssize_t n;

	CHECK_OK(ws_connect_wait(client, "/l/follow", "binary.k8s.io", false, &s, &e), &e);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(stream_read_wait(s, p, sizeof p), 5);
		CHECK(ws_message_began(s) && !memcmp(p, "line\n", 5));
	}
	CHECK_INT(stream_shutdown_wait(s), 0);
	CHECK_INT(stream_read_wait(s, p, sizeof p), 0);
	stream_close(s);
	say("[left]");
	CHECK_OK(ws_connect_wait(client, "/l/text", "base64.binary.k8s.io", false, &s, &e), &e);
	while ((n = stream_read_wait(s, p, sizeof p)) > 0)
		say("%.*s", (int)n, p);
	CHECK_INT(n, 0);
	stream_close(s);
	CHECK(ws_connect_wait(client, "/l/nothing", NULL, false, &s, &e) < 0);
	say(" %s", e.text);
}

TEST(proxy_gives_a_log_in_messages)
{
	run(try_log);
	CHECK(strstr(trace, "[followed]"));
	CHECK(strstr(trace, "aGVsbG8= GET /l/nothing: no upgrade to websocket: status 404"));
}

static void try_big_message(void *arg)
{
	AUTO(free) char *p = calloc(1, 200000);
	struct stream *a, *b, *x, *y;

	CHECK_INT(stream_pair(l, 1000000, &a, &b), 0);
	CHECK_INT(ws_wrap(a, true, false, &x), 0);
	CHECK_INT(ws_wrap(b, false, false, &y), 0);
	memset(p, 'q', 200000);
	CHECK_INT(ws_send_wait(x, slice_n(p, 200000)), 0);
	CHECK_INT(ws_send_wait(x, SLICE("end")), 0);
	memset(p, 0, 200000);
	for (size_t n = 0; n < 200000;) {
		ssize_t k = stream_read_wait(y, p + n, 200000 - n);

		CHECK(k > 0 && ws_message_began(y) == (n == 0));
		n += (size_t)k;
	}
	CHECK(p[0] == 'q' && p[199999] == 'q');
	CHECK_INT(stream_read_wait(y, p, 100), 3);
	CHECK(ws_message_began(y));
	CHECK_INT(ws_send_wait(x, slice_n(p, 9000000)), -EMSGSIZE);
	stream_close(x);
	stream_close(y);
}

TEST(websocket_messages_may_be_large)
{
	run(try_big_message);
}

enum { MANY = 200000 };

static void write_many(void *arg)
{
	AUTO(free) char *p = malloc(MANY);

	for (int i = 0; i < MANY; i++)
		p[i] = (char)(i % 239);
	CHECK_INT(stream_write_wait(arg, p, MANY), 0);
	CHECK_INT(stream_shutdown_wait(arg), 0);
}

static void raw_to(const char *target, struct stream **s)
{
	static const struct http_header h[] = { { SLICE("Connection"), SLICE("Upgrade") }, { SLICE("Upgrade"), SLICE("raw") } };
	struct http_call call = { .method = "GET", .target = target, .headers = { (struct http_header *)h, 2 } };
	struct err e;

	CHECK_OK(http_call_wait(client, &call, &e), &e);
	CHECK_INT(call.status, 101);
	CHECK_SLICE(http_header_get(&call.reply_headers, "Upgrade"), "raw");
	CHECK_INT(http_call_hijack(&call, s), 0);
	http_call_release(&call);
}

static void try_raw(void *arg)
{
	AUTO(buf) struct buf b = BUF_INIT(1000000);
	struct stream *s;
	char p[1000];
	ssize_t n;

	raw_to("/p/raw", &s);
	fiber_start(l, "write", write_many, s);
	while ((n = stream_read_wait(s, p, sizeof p)) > 0)
		buf_add(&b, p, (size_t)n);
	CHECK_INT(n, 0);
	CHECK_INT(b.len, 5 + MANY + 3);
	CHECK(slice_starts(buf_slice(&b), "hello") && slice_ends(buf_slice(&b), "bye"));
	stream_close(s);
	raw_to("/p/never", &s);
	stream_close(s);
	say("ok");
}

TEST(proxy_passes_bytes_both_ways_with_half_close)
{
	run(try_raw);
	CHECK_STR(trace, "ok[backend saw the end]");
}
