/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1: the first byte picks what is fed. The chunk decoder must give the
 * same whether bytes come together or one by one; the server and the client
 * must survive any peer, with nothing left running.
 */
#include <errno.h>

#include "base/assert.h"
#include "http/client.h"
#include "http/parse.h"
#include "http/server.h"
#include "http/ws.h"
#include "io/sim.h"

enum { INPUT_MAX = 1 << 15 };

/* Decodes in pieces of `step` bytes; what came out, and how it ended. */
static int decode(struct slice in, size_t step, struct buf *out, size_t *used)
{
	struct http_chunks c = { 0 };
	size_t at = 0;
	while (at < in.len) {
		struct slice piece = slice_n(in.ptr + at, MIN(step, in.len - at)), data;
		size_t before = piece.len;
		int r = http_chunks_next(&c, &piece, &data);
		buf_addslice(out, data);
		at += before - piece.len;
		if (r) {
			*used = at;
			return r;
		}
	}
	*used = at;
	return 0;
}

static void chunks(struct slice in)
{
	AUTO(buf) struct buf a = BUF_INIT(INPUT_MAX), b = BUF_INIT(INPUT_MAX);
	size_t used_a, used_b;
	int r = decode(in, in.len, &a, &used_a);
	must(r == decode(in, 1, &b, &used_b));
	must(slice_eq(buf_slice(&a), buf_slice(&b)));
	must(r < 0 || used_a == used_b);
	buf_release(&b);
}

static void head(struct slice in, bool response)
{
	struct arena a;
	struct http_head h;
	const char *why;
	size_t scan = 0, whole = 0, n = 0;
	size_t at_once = http_head_length(in.ptr, in.len, &scan);
	scan = 0;
	while (n < in.len && !whole)
		whole = http_head_length(in.ptr, ++n, &scan);
	must(whole == at_once);
	arena_init(&a, 1 << 20);
	if (whole && http_head_parse(&a, slice_n(in.ptr, whole), response, &h, &why) == 0) {
		must(h.headers.n <= HTTP_HEADERS_MAX);
		must(!(h.chunked && h.content_length >= 0));
		http_header_has(&h.headers, "Connection", "upgrade");
	}
	arena_release(&a);
}

static int echo(struct http_request *r, struct err *e)
{
	struct slice body;
	int n = http_body_all_wait(r, 1000, &body, e);
	return n < 0 ? n : http_reply(r, 200, "text/plain", body);
}

static int hijack(struct http_request *r, struct err *e)
{
	struct stream *s;
	int n = http_hijack_wait(r, 0, NULL, NULL, &s);
	if (n < 0)
		return n;
	stream_copy_wait(s, s);
	stream_close(s);
	return 0;
}

static int pieces(struct http_request *r, struct err *e)
{
	int n = http_begin_wait(r, 200, NULL);
	for (int i = 0; i < 3 && n == 0; i++)
		n = http_write_wait(r, "abc", 3);
	return n;
}

static const struct http_route routes[] = {
	{ "POST", "/{name:*}/echo", echo }, { "GET", "/h", hijack }, { "GET", "/{a}", pieces }, { "GET", "/{a}/{b}/c", pieces },
};

struct feed {
	struct stream *s;
	struct slice in;
	size_t step;
};

static void feeder(void *arg)
{
	struct feed *f = arg;
	for (size_t at = 0; at < f->in.len; at += f->step) {
		if (stream_write_wait(f->s, f->in.ptr + at, MIN(f->step, f->in.len - at)) < 0)
			break;
		if (sleep_wait(1) < 0)
			break;
	}
	stream_shutdown_wait(f->s);
}

static void drainer(void *arg)
{
	struct feed *f = arg;
	char p[4096];
	while (stream_read_wait(f->s, p, sizeof p) > 0)
		;
}

static void server(struct slice in, size_t step)
{
	const struct http_server_config c = { .routes = routes, .n_routes = ARRAY_LEN(routes) };
	struct http_server *s;
	struct stream *theirs;
	struct feed f = { .in = in, .step = step };
	struct loop *l;
	must(sim_loop_new(&l, NULL) == 0 && http_server_new(l, &c, &s) == 0 && stream_pair(l, 5000, &f.s, &theirs) == 0);
	fiber_start(l, "feed", feeder, &f);
	fiber_start(l, "drain", drainer, &f);
	http_server_serve(s, theirs);
	must(loop_run(l) == -EDEADLK);
	must(fiber_count(l) == 0 && http_server_connections(s) == 0);
	stream_close(f.s);
	http_server_free(s);
	loop_free(l);
}

static int dial(void *arg, struct stream **ret, struct err *e)
{
	struct feed *f = arg;
	if (f->s)
		return -ECONNREFUSED;
	must(stream_pair(fiber_loop(fiber_self()), 5000, ret, &f->s) == 0);
	fiber_start(fiber_loop(fiber_self()), "feed", feeder, f);
	fiber_start(fiber_loop(fiber_self()), "drain", drainer, f);
	return 0;
}

static void calls(void *arg)
{
	struct http_client *c = arg;
	for (int i = 0; i < 3; i++) {
		struct http_call call = { .method = i == 1 ? "HEAD" : "GET", .target = "/x" };
		struct stream *s;
		char p[100];
		struct err e;
		if (http_call_wait(c, &call, &e) < 0)
			break;
		if (call.status == 101 && http_call_hijack(&call, &s) == 0) {
			stream_read_wait(s, p, sizeof p);
			stream_close(s);
		} else {
			while (http_call_read_wait(&call, p, sizeof p) > 0)
				;
		}
		http_call_release(&call);
	}
	http_client_free(c);
}

static void client(struct slice in, size_t step)
{
	struct feed f = { .in = in, .step = step };
	const struct http_client_config c = { .connect_wait = dial, .connect_arg = &f };
	struct http_client *x;
	struct loop *l;
	must(sim_loop_new(&l, NULL) == 0 && http_client_new(l, &c, &x) == 0);
	fiber_start(l, "calls", calls, x);
	must(loop_run(l) == -EDEADLK);
	must(fiber_count(l) == 0);
	stream_close(f.s);
	loop_free(l);
}

static void ws_echo(void *arg)
{
	stream_copy_wait(arg, arg);
	stream_close(arg);
}

static void frames(struct slice in, bool as_client)
{
	struct feed f = { .in = in, .step = 5 };
	struct stream *theirs, *ws;
	struct loop *l;
	must(sim_loop_new(&l, NULL) == 0 && stream_pair(l, 300, &f.s, &theirs) == 0 && ws_wrap(theirs, as_client, false, &ws) == 0);
	fiber_start(l, "feed", feeder, &f);
	fiber_start(l, "drain", drainer, &f);
	fiber_start(l, "echo", ws_echo, ws);
	must(loop_run(l) == -EDEADLK);
	must(fiber_count(l) == 0);
	stream_close(f.s);
	loop_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_n(data + 1, size - 1);
	struct arena a;
	struct http_query q;
	if (!size || size > INPUT_MAX)
		return 0;
	switch (data[0] % 10) {
	case 0: chunks(in); break;
	case 1: head(in, false); break;
	case 2: head(in, true); break;
	case 3: server(in, INPUT_MAX); break;
	case 4: server(in, 7); break;
	case 5: client(in, INPUT_MAX); break;
	case 6: client(in, 7); break;
	case 8: frames(in, false); break;
	case 9: frames(in, true); break;
	case 7:
		arena_init(&a, 1 << 20);
		http_query_parse(&a, in, &q);
		arena_release(&a);
	}
	return 0;
}
