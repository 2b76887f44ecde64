/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our clients of remote commands and port-forward against a server on
 * 127.0.0.1 (tools/extract/stream's, which is made of Kubernetes' own parts):
 * stream-client PORT ECHO-PORT. One line a case; prefix /spdy has no WebSocket.
 */
#include <errno.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/num.h"
#include "kube/stream/forward.h"
#include "kube/stream/remote.h"

enum { MANY = 3000000 };

static struct loop *l;
static struct http_client *http;
static unsigned port, echo_port, n_bad;

static void say(const char *where, const char *what, bool ok, const char *why)
{
	printf("%s %s: %s%s%s\n", ok ? "ok  " : "FAIL", where, what, ok || !why[0] ? "" : ": ", ok ? "" : why);
	n_bad += !ok;
}

static int start(const char *where, const char *query, struct remote_wants w, struct remote **ret, struct err *e)
{
	char target[256];

	fmt_into(target, sizeof target, "%s/exec?%s%s%s%s%s", where, query, w.in ? "&stdin=true" : "", w.out ? "&stdout=true" : "",
		w.err ? "&stderr=true" : "", w.tty ? "&tty=true" : "");
	return remote_connect_wait(http, target, NULL, &w, ret, e);
}

static char *pattern(void)
{
	char *p = malloc(MANY);

	for (int i = 0; p && i < MANY; i++)
		p[i] = (char)(i % 251);
	return p;
}

struct writer {
	struct stream *to;
	bool done;
};

static void write_fiber(void *arg)
{
	struct writer *w = arg;
	AUTO(free) char *p = pattern();

	if (p && stream_write_wait(w->to, p, MANY) == 0)
		stream_shutdown_wait(w->to);
	w->done = true;
}

/* Writes the pattern in a fiber; join it before the stream is closed. */
static void write_start(struct writer *w, struct stream *to)
{
	*w = (struct writer){ .to = to };
	if (fiber_start(l, "write", write_fiber, w) < 0)
		w->done = true;
}

static void write_join_wait(struct writer *w)
{
	while (!w->done)
		sleep_wait(NS_PER_MS);
}

/* Reads to the end: bytes, or -errno; `same`: they are the pattern. */
static int64_t read_all(struct stream *s, bool *same)
{
	char p[16384];
	int64_t total = 0;
	ssize_t n;

	*same = true;
	while ((n = stream_read_wait(s, p, sizeof p)) > 0)
		for (ssize_t i = 0; i < n; i++, total++)
			*same &= p[i] == (char)(total % 251);
	return n < 0 ? n : total;
}

static void cat(const char *where)
{
	struct err e = { 0 };
	struct writer w;
	struct remote *x;
	int64_t n = -1;
	bool same = false;
	int r = start(where, "command=cat", (struct remote_wants){ .in = true, .out = true }, &x, &e);

	if (r == 0) {
		write_start(&w, x->in);
		n = read_all(x->out, &same);
		r = remote_result_wait(x, &e);
		write_join_wait(&w);
		remote_close_wait(x);
	}
	say(where, "cat", r == 0 && n == MANY && same, e.text);
}

static void both(const char *where)
{
	struct err e = { 0 };
	struct remote *x;
	char p[10] = "", q[10] = "";
	int r = start(where, "command=both", (struct remote_wants){ .out = true, .err = true }, &x, &e);

	if (r == 0) {
		stream_read_all_wait(x->out, p, 3);
		stream_read_all_wait(x->err, q, 3);
		r = remote_result_wait(x, &e);
		remote_close_wait(x);
	}
	say(where, "both outputs", r == 0 && !strcmp(p, "out") && !strcmp(q, "err"), e.text);
}

static void ends(const char *where, const char *query, const char *what, int want, const char *text)
{
	struct err e = { 0 };
	struct remote *x;
	int r = start(where, query, (struct remote_wants){ .out = true }, &x, &e);

	if (r == 0) {
		r = remote_result_wait(x, &e);
		remote_close_wait(x);
	}
	say(where, what, (want < 0 ? r < 0 : r == want) && strstr(e.text, text), e.text);
}

static void spit(const char *where)
{
	struct err e = { 0 };
	struct remote *x;
	bool same;
	int64_t n = -1;
	int r = start(where, "command=spit&command=20000000", (struct remote_wants){ .out = true }, &x, &e);

	if (r == 0) {
		n = read_all(x->out, &same);
		r = remote_result_wait(x, &e);
		remote_close_wait(x);
	}
	say(where, "20 MB of output", r == 0 && n == 20000000, e.text);
}

static void sizes(const char *where)
{
	static const struct remote_size v[] = { { 80, 24 }, { 132, 43 }, { 1, 1 } };
	struct err e = { 0 };
	struct remote *x;
	char p[15] = "";
	int r = start(where, "command=sizes", (struct remote_wants){ .in = true, .out = true, .tty = true }, &x, &e);

	if (r == 0) {
		for (unsigned i = 0; i < ARRAY_LEN(v); i++)
			remote_send_size_wait(x, v[i]);
		stream_read_all_wait(x->out, p, 13);
		r = remote_result_wait(x, &e);
		remote_close_wait(x);
	}
	say(where, "terminal sizes", r == 0 && !strcmp(p, "80x24 132x43 "), e.text);
}

static struct forward *forward;
static unsigned n_running, n_good;

static void echo_fiber(void *arg)
{
	struct stream *data, *error;
	struct writer w;
	struct err e;
	bool same;

	if (forward_open_wait(forward, echo_port, &data, &error, &e) == 0) {
		write_start(&w, data);
		n_good += read_all(data, &same) == MANY && same;
		write_join_wait(&w);
		stream_close(data);
		stream_close(error);
	}
	n_running--;
}

static void forwards(const char *where)
{
	struct err e = { 0 };
	struct stream *data, *error;
	char target[64], p[200] = "";
	int r;

	fmt_into(target, sizeof target, "%s/portforward", where);
	r = forward_connect_wait(http, target, NULL, &forward, &e);
	if (r < 0) {
		say(where, "port-forward", false, e.text);
		return;
	}
	n_good = 0;
	for (int i = 0; i < 5; i++) {
		n_running++;
		fiber_start(l, "echo", echo_fiber, NULL);
	}
	while (n_running)
		sleep_wait(NS_PER_MS);
	say(where, "port-forward: connections beside each other", n_good == 5, "");
	r = forward_open_wait(forward, 1, &data, &error, &e);
	if (r == 0) {
		stream_read_wait(error, p, sizeof p - 1);
		stream_close(data);
		stream_close(error);
	}
	say(where, "port-forward: refused port", strstr(r < 0 ? e.text : p, "refused"), r < 0 ? e.text : p);
	forward_free(forward);
}

static void all(void *arg)
{
	static const char *const where[] = { "", "/spdy" };

	for (unsigned i = 0; i < ARRAY_LEN(where); i++) {
		cat(where[i]);
		both(where[i]);
		spit(where[i]);
		ends(where[i], "command=exit&command=42", "exit code", 42, "");
		ends(where[i], "command=exit&command=0", "no exit code", 0, "");
		ends(where[i], "command=nosuch", "cannot run", -1, "executable file not found in $PATH");
		sizes(where[i]);
		forwards(where[i]);
	}
	ends("/none", "", "not there", -1, "404 page not found");
	loop_stop(l);
}

int main(int argc, char **argv)
{
	struct http_client_config f = { .host = "127.0.0.1" };
	uint64_t a = 0, b = 0;
	struct err e;

	if (argc != 3 || num_parse_u64(slice_of(argv[1]), 65535, &a) < 0 || num_parse_u64(slice_of(argv[2]), 65535, &b) < 0)
		return 2;
	port = (unsigned)a;
	echo_port = (unsigned)b;
	f.port = port;
	if (loop_new(&l, &e) < 0 || http_client_new(l, &f, &http) < 0 || fiber_start(l, "all", all, NULL) < 0)
		return 2;
	return loop_run(l) < 0 || n_bad > 0;
}
