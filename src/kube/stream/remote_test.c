// SPDX-License-Identifier: Apache-2.0
/* Remote commands: our client with our server in every protocol, clients written by hand for the others, and those that break rules. */
#include <errno.h>
#include "base/clock.h"
#include "base/test.h"
#include "http/ws.h"
#include "io/sim.h"
#include "kube/stream/remote.h"

static struct loop *l;
static struct http_server *server;
static struct http_client *client;
static bool no_websocket;
static char trace[512];
static unsigned n_closed;
static struct stream *last;

static void say(const char *fmt, ...)
{
	size_t at = strlen(trace);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(trace + at, sizeof trace - at, fmt, ap);
	va_end(ap);
}

/* --- a server whose commands are words of the query */

static void cat(struct remote *io)
{
	if (io->in && io->out)
		stream_copy_wait(io->out, io->in);
	else if (io->in)
		say("[no stdout]");
}

static void spit(struct stream *out, size_t n)
{
	char p[1000];

	memset(p, 'x', sizeof p);
	for (size_t i = 0; i < n; i += sizeof p)
		if (stream_write_wait(out, p, sizeof p) < 0) {
			say("[gone]");
			return;
		}
}

static void sizes(struct remote *io)
{
	struct remote_size s;
	char text[64];

	while (remote_size_wait(io, &s) == 1) {
		fmt_into(text, sizeof text, "%ux%u ", s.width, s.height);
		stream_write_wait(io->out, text, strlen(text));
	}
}

static int exec(struct http_request *r, struct err *e)
{
	const char *what = http_query_get(&r->query, "command");
	struct remote_wants w;
	struct remote *io;
	int n = remote_wants_from_query(r, &w, e), code = 0;

	if (n == 0 && no_websocket && ws_wanted(r))
		n = err_set(e, EINVAL, "no WebSocket here");
	if (n == 0)
		n = remote_accept_wait(r, &w, &io, e);
	if (n < 0)
		return n;
	say("[v%u]", io->version);
	if (!strcmp(what, "cat")) {
		cat(io);
	} else if (!strcmp(what, "both")) {
		stream_write_wait(io->out, "out", 3);
		stream_write_wait(io->err, "err", 3);
		code = 3;
	} else if (!strcmp(what, "spit")) {
		spit(io->out, 2000000);
	} else if (!strcmp(what, "sizes")) {
		sizes(io);
	} else if (!strcmp(what, "wait")) {
		say(remote_gone_wait(io, NS_PER_S * 100) == 0 ? "[client gone]" : "[still there]");
	} else if (!strcmp(what, "fail")) {
		struct err why;

		err_set(&why, ENOENT, "no such file");
		CHECK_INT(remote_fail_wait(io, &why), 0);
	}
	if (strcmp(what, "fail") != 0)
		n = remote_exit_wait(io, code);
	remote_close_wait(io);
	n_closed++;
	return n;
}

static int refuse(struct http_request *r, struct err *e)
{
	return http_reply(r, 404, "application/json",
		SLICE("{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"pods \\\"x\\\" not found\",\"reason\":\"NotFound\",\"code\":404}"));
}

static const struct http_route routes[] = { { "GET", "/exec", exec }, { "POST", "/exec", exec }, { "GET", "/none", refuse }, { "POST", "/none", refuse } };

static int dial(void *arg, struct stream **ret, struct err *e)
{
	struct stream *theirs;

	CHECK_INT(stream_pair(l, 3000, ret, &theirs), 0);
	last = *ret;
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

/* --- our client */

static struct remote *connect_to(const char *target, struct remote_wants w)
{
	struct remote *x;
	struct err e;

	CHECK_OK(remote_connect_wait(client, target, NULL, &w, &x, &e), &e);
	return x;
}

static size_t read_all(struct stream *s, char *p, size_t n)
{
	size_t at = 0;
	ssize_t r;

	while (at < n && (r = stream_read_wait(s, p + at, n - at)) > 0)
		at += (size_t)r;
	return at;
}

enum { MANY = 700000 };

static void write_many(void *arg)
{
	AUTO(free) char *p = malloc(MANY);

	for (int i = 0; i < MANY; i++)
		p[i] = (char)(i % 251);
	CHECK_INT(stream_write_wait(arg, p, MANY), 0);
	CHECK_INT(stream_shutdown_wait(arg), 0);
}

static void try_cat(void *arg)
{
	struct remote *x = connect_to("/exec?command=cat&stdin=true&stdout=true", (struct remote_wants){ .in = true, .out = true });
	AUTO(free) char *p = malloc(MANY + 1);
	struct err e;

	CHECK(x->in && x->out && !x->err && !x->resize);
	fiber_start(l, "writer", write_many, x->in);
	CHECK_INT(read_all(x->out, p, MANY + 1), MANY);
	for (int i = 0; i < MANY; i++)
		CHECK(p[i] == (char)(i % 251));
	CHECK_OK(remote_result_wait(x, &e), &e);
	remote_close_wait(x);
	say("ok");
}

TEST(remote_cat_over_websocket)
{
	run(try_cat);
	CHECK_STR(trace, "[v5]ok");
}

TEST(remote_cat_over_spdy_when_there_is_no_websocket)
{
	no_websocket = true;
	run(try_cat);
	CHECK_STR(trace, "[v4]ok");
}

static void try_both(void *arg)
{
	struct remote *x = connect_to("/exec?command=both&stdout=1&stderr=1", (struct remote_wants){ .out = true, .err = true });
	char p[10] = "", q[10] = "";
	struct err e;

	CHECK_INT(read_all(x->err, q, 10), 3);
	CHECK_INT(read_all(x->out, p, 10), 3);
	CHECK_STR(p, "out");
	CHECK_STR(q, "err");
	CHECK_INT(remote_result_wait(x, &e), 3);
	CHECK_INT(remote_gone_wait(x, NS_PER_S * 10), 0);
	remote_close_wait(x);
	say("ok");
}

TEST(remote_outputs_are_apart_and_the_exit_code_comes_over_websocket)
{
	run(try_both);
	CHECK_STR(trace, "[v5]ok");
}

TEST(remote_outputs_are_apart_and_the_exit_code_comes_over_spdy)
{
	no_websocket = true;
	run(try_both);
	CHECK_STR(trace, "[v4]ok");
}

static void try_fail(void *arg)
{
	struct remote *x = connect_to("/exec?command=fail&stdout=1", (struct remote_wants){ .out = true });
	struct err e;

	CHECK_INT(remote_result_wait(x, &e), -EIO);
	CHECK_STR(e.text, "Internal error occurred: no such file");
	remote_close_wait(x);
}

TEST(remote_command_that_cannot_run_says_why)
{
	run(try_fail);
}

static void try_sizes(void *arg)
{
	struct remote *x = connect_to("/exec?command=sizes&stdin=1&stdout=1&tty=1", (struct remote_wants){ .in = true, .out = true, .tty = true });
	char p[100] = "";

	CHECK_INT(remote_send_size_wait(x, (struct remote_size){ 80, 24 }), 0);
	CHECK_INT(remote_send_size_wait(x, (struct remote_size){ 132, 43 }), 0);
	CHECK_INT(stream_shutdown_wait(x->resize), 0);
	read_all(x->out, p, 99);
	say("%s", p);
	remote_close_wait(x);
}

TEST(remote_terminal_sizes_over_websocket)
{
	run(try_sizes);
	CHECK_STR(trace, "[v5]80x24 132x43 ");
}

TEST(remote_terminal_sizes_over_spdy)
{
	no_websocket = true;
	run(try_sizes);
	CHECK_STR(trace, "[v4]80x24 132x43 ");
}

static void try_leave(void *arg)
{
	struct remote *x = connect_to("/exec?command=spit&stdout=1", (struct remote_wants){ .out = true });
	char p[1000];

	CHECK(stream_read_wait(x->out, p, sizeof p) > 0);
	remote_close_wait(x);
}

TEST(remote_client_that_leaves_ends_the_output_over_websocket)
{
	run(try_leave);
	CHECK_INT(n_closed, 1);
}

TEST(remote_client_that_leaves_ends_the_output_over_spdy)
{
	no_websocket = true;
	run(try_leave);
	CHECK_STR(trace, "[v4][gone]");
}

static void try_idle_leave(void *arg)
{
	struct remote *x = connect_to("/exec?command=wait&stdout=1", (struct remote_wants){ .out = true });

	sleep_wait(NS_PER_S);
	remote_close_wait(x);
}

TEST(remote_server_that_waits_hears_of_a_client_that_leaves)
{
	run(try_idle_leave);
	CHECK_STR(trace, "[v5][client gone]");
	trace[0] = 0;
	no_websocket = true;
	run(try_idle_leave);
	CHECK_STR(trace, "[v4][client gone]");
}

static void try_refused(void *arg)
{
	struct remote_wants w = { .out = true };
	struct remote *x;
	struct err e;

	CHECK_INT(remote_connect_wait(client, "/none", NULL, &w, &x, &e), -ENOENT);
	CHECK_STR(e.text, "pods \"x\" not found");
	CHECK_INT(remote_connect_wait(client, "/exec?command=cat", NULL, &w, &x, &e), -EINVAL);
	say("%s", e.text);
}

TEST(remote_refusals_carry_the_servers_message)
{
	run(try_refused);
	CHECK_STR(trace, "unable to upgrade connection: you must specify at least 1 of stdin, stdout, stderr");
}

/* --- clients written by hand */

static struct stream *ask(const char *target, const char *protocol)
{
	struct stream *ws;
	struct err e;

	CHECK_OK(ws_connect_wait(client, target, protocol, protocol && strstr(protocol, "base64"), &ws, &e), &e);
	return ws;
}

static void tell(struct stream *ws, const char *p, size_t n)
{
	while (ws_message_now(ws, SLICE(""), slice_n(p, n)) == -EAGAIN)
		CHECK_INT(stream_ready_wait(ws, STREAM_WRITABLE, 0), 0);
}

/* All messages until the end, each as {first byte in decimal: rest}. */
static void hear(struct stream *ws)
{
	char p[1000];
	ssize_t n;

	while ((n = stream_read_wait(ws, p, sizeof p)) > 0) {
		if (ws_message_began(ws))
			say("{%d:%.*s}", p[0], (int)n - 1, p + 1);
		else
			say("%.*s", (int)n, p);
	}
	say(n == 0 ? "end" : "broken");
	stream_close(ws);
}

static void try_v4(void *arg)
{
	struct stream *ws = ask("/exec?command=both&stdout=1&stderr=1", "v4.channel.k8s.io");

	hear(ws);
}

TEST(remote_v4_messages_are_as_published)
{
	run(try_v4);
	CHECK_STR(trace, "[v4]{1:}{1:out}{2:err}{3:{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with non-zero exit code: exit status 3\","
		"\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"3\"}]}}}end");
}

static void try_v1(void *arg)
{
	hear(ask("/exec?command=cat&stdout=1", "channel.k8s.io"));
	hear(ask("/exec?command=cat&stdout=1", NULL));
	hear(ask("/exec?command=both&stdout=1&stderr=1", "channel.k8s.io"));
}

TEST(remote_v1_has_a_text_for_failures_only)
{
	run(try_v1);
	CHECK_STR(trace, "[v1]{1:}end[v1]{1:}end[v1]{1:}{1:out}{2:err}{3:command terminated with non-zero exit code: exit status 3}end");
}

static void try_base64(void *arg)
{
	struct stream *ws = ask("/exec?command=cat&stdin=1&stdout=1", "v4.base64.channel.k8s.io");

	tell(ws, "0aGVsbG8=", 9);
	tell(ws, "0IHdvcmxk", 9);
	stream_write_wait(ws, "0", 1);
	sleep_wait(NS_PER_S);
	stream_shutdown_wait(ws);
	hear(ws);
}

TEST(remote_base64_messages_are_text)
{
	run(try_base64);
	CHECK(strstr(trace, "{49:}"));
	CHECK(strstr(trace, "{49:aGVsbG8gd29ybGQ=}") || strstr(trace, "{49:aGVsbG8=}{49:IHdvcmxk}"));
}

static void try_v5_close(void *arg)
{
	struct stream *ws = ask("/exec?command=cat&stdin=1&stdout=1", "v5.channel.k8s.io");

	tell(ws, "\7nobody", 7);
	tell(ws, "\1not ours", 9);
	tell(ws, "\0hi", 3);
	tell(ws, "\377\7", 2);
	tell(ws, "\377\0", 2);
	tell(ws, "\0late", 5);
	hear(ws);
}

TEST(remote_v5_close_ends_stdin_and_strange_channels_are_ignored)
{
	run(try_v5_close);
	CHECK_STR(trace, "[v5]{1:hi}{3:{\"metadata\":{},\"status\":\"Success\"}}end");
}

static void try_bad_base64(void *arg)
{
	struct stream *ws = ask("/exec?command=cat&stdin=1&stdout=1", "base64.channel.k8s.io");

	tell(ws, "0!!!!", 5);
	hear(ws);
}

TEST(remote_bad_base64_ends_the_connection)
{
	run(try_bad_base64);
	CHECK_INT(n_closed, 1);
}


static void flood(void *arg)
{
	char p[1001] = { 0 };

	for (int i = 0; i < 3000; i++) {
		int r;

		while ((r = ws_message_now(arg, SLICE(""), slice_n(p, sizeof p))) == -EAGAIN)
			if (stream_ready_wait(arg, STREAM_WRITABLE, NS_PER_S) < 0)
				return;
		if (r < 0)
			return;
	}
}

static void try_flood(void *arg)
{
	struct stream *ws = ask("/exec?command=both&stdin=1&stdout=1&stderr=1", "v4.channel.k8s.io");

	fiber_start(l, "flood", flood, ws);
	sleep_wait(NS_PER_S / 2);
	hear(ws);
}

TEST(remote_status_reaches_a_client_whose_stdin_nobody_reads)
{
	run(try_flood);
	CHECK(strstr(trace, "{1:out}{2:err}{3:{"));
	CHECK_INT(n_closed, 1);
}

static void try_unknown(void *arg)
{
	struct stream *ws;
	struct err e;

	CHECK(ws_connect_wait(client, "/exec?command=cat&stdin=1", "v9.channel.k8s.io", false, &ws, &e) < 0);
	say("%s", e.text);
}

TEST(remote_unknown_subprotocols_are_refused)
{
	run(try_unknown);
	CHECK_STR(trace, "GET /exec?command=cat&stdin=1: no upgrade to websocket: status 403");
}
