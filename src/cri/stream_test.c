// SPDX-License-Identifier: Apache-2.0
/* The CRI streaming server's tickets, and what its seam is asked; its protocols are tested in kube/stream. */
#include <errno.h>
#include "base/clock.h"
#include "base/test.h"
#include "cri/stream.h"
#include "io/sim.h"
#include "kube/stream/forward.h"

static struct loop *l;
static struct cri_streams *streams;
static struct http_client *client;
static char trace[512];

static void say(const char *fmt, ...)
{
	size_t at = strlen(trace);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(trace + at, sizeof trace - at, fmt, ap);
	va_end(ap);
}

static int exec_wait(void *arg, const struct cri_stream_request *q, struct remote *io, int *code, struct err *e)
{
	say("[exec %s", q->id);
	for (size_t i = 0; i < q->n_cmd; i++)
		say(" %s", q->cmd[i]);
	say("]");
	if (!strcmp(q->cmd[0], "bad"))
		return err_set(e, ENOENT, "no such file");
	if (!strcmp(q->cmd[0], "worse"))
		return -EIO;
	*code = 5;
	return 0;
}

static int attach_wait(void *arg, const struct cri_stream_request *q, struct remote *io, struct err *e)
{
	say("[attach %s]", q->id);
	return stream_write_wait(io->out, "attached", 8);
}

static int connect_wait(void *arg, const char *sandbox, unsigned port, struct stream **ret, struct err *e)
{
	struct stream *theirs;

	say("[connect %s %u]", sandbox, port);
	if (port == 1)
		return err_set(e, ECONNREFUSED, "connection refused");
	CHECK_INT(stream_pair(l, 100, ret, &theirs), 0);
	CHECK_INT(stream_write_wait(theirs, "banner", 6), 0);
	stream_close(theirs);
	return 0;
}

static int dial(void *arg, struct stream **ret, struct err *e)
{
	struct stream *theirs;

	CHECK_INT(stream_pair(l, 3000, ret, &theirs), 0);
	return cri_streams_serve(streams, theirs);
}

static void run(void (*fn)(void *))
{
	static const struct cri_stream_ops ops = { exec_wait, attach_wait, connect_wait };
	struct http_client_config f = { .connect_wait = dial };
	struct err e;

	CHECK_OK(sim_loop_new(&l, &e), &e);
	CHECK_OK(cri_streams_new(l, &ops, NULL, &streams, &e), &e);
	CHECK_INT(http_client_new(l, &f, &client), 0);
	fiber_start(l, "test", fn, NULL);
	CHECK_INT(loop_run(l), -EDEADLK);
	CHECK_INT(fiber_count(l), 0);
	http_client_free(client);
	cri_streams_free(streams);
	loop_free(l);
}

static const struct remote_wants out = { .out = true };
static char url[CRI_STREAM_URL_MAX];

/* The URL's path for a request. */
static const char *ticket(const struct cri_stream_request *q)
{
	struct err e;

	CHECK_OK(cri_streams_url(streams, q, url, &e), &e);
	CHECK(!strncmp(url, "http://127.0.0.1:", 17));
	return strchr(url + 7, '/');
}

static const char *exec_ticket(const char *word)
{
	const char *cmd[] = { word, "arg" };

	return ticket(&(struct cri_stream_request){ .kind = CRI_STREAM_EXEC, .id = "c1", .cmd = cmd, .n_cmd = 2, .wants = out });
}

static int try_remote(const char *path, struct err *e)
{
	struct remote *x;
	char p[20] = "";
	int r = remote_connect_wait(client, path, NULL, &out, &x, e);

	if (r < 0)
		return r;
	if (stream_read_wait(x->out, p, sizeof p - 1) > 0)
		say("%s", p);
	r = remote_result_wait(x, e);
	remote_close_wait(x);
	return r;
}

static void try_tickets(void *arg)
{
	char used[CRI_STREAM_URL_MAX];
	struct err e;

	fmt_into(used, sizeof used, "%s", exec_ticket("ls"));
	CHECK_INT(try_remote(used, &e), 5);
	CHECK_INT(try_remote(used, &e), -ENOENT);
	CHECK_INT(try_remote("/exec/0123", &e), -ENOENT);
	/* of another kind */
	fmt_into(used, sizeof used, "/attach%s", strrchr(exec_ticket("ls"), '/'));
	CHECK_INT(try_remote(used, &e), -ENOENT);
	/* too late */
	fmt_into(used, sizeof used, "%s", exec_ticket("ls"));
	sleep_wait(61 * NS_PER_S);
	CHECK_INT(try_remote(used, &e), -ENOENT);
}

TEST(a_streaming_ticket_is_good_for_one_use_and_a_minute)
{
	run(try_tickets);
	CHECK_STR(trace, "[exec c1 ls arg]");
}

static void try_failures(void *arg)
{
	struct err e;

	CHECK_INT(try_remote(exec_ticket("bad"), &e), -EIO);
	CHECK_STR(e.text, "Internal error occurred: error executing command in container: no such file");
	CHECK_INT(try_remote(exec_ticket("worse"), &e), -EIO);
	CHECK_STR(e.text, "Internal error occurred: error executing command in container: Input/output error");
	CHECK_INT(try_remote(ticket(&(struct cri_stream_request){ .kind = CRI_STREAM_ATTACH, .id = "c2", .wants = out }), &e), 0);
}

TEST(a_streaming_failure_is_told_as_containerd_tells_it)
{
	run(try_failures);
	CHECK_STR(trace, "[exec c1 bad arg][exec c1 worse arg][attach c2]attached");
}

static void try_requests(void *arg)
{
	const struct cri_stream_request bad[] = {
		{ .kind = CRI_STREAM_EXEC, .id = "", .wants = out }, { .kind = CRI_STREAM_EXEC, .id = "c" }, { .kind = CRI_STREAM_PORT_FORWARD },
		{ .kind = CRI_STREAM_ATTACH, .id = "c", .wants = { .out = true, .err = true, .tty = true } },
	};
	struct err e;

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(cri_streams_url(streams, &bad[i], url, &e), -EINVAL);
	for (unsigned i = 0; i < 1000; i++)
		exec_ticket("ls");
	CHECK_INT(cri_streams_url(streams, &(struct cri_stream_request){ .id = "c", .wants = out }, url, &e), -EAGAIN);
	sleep_wait(60 * NS_PER_S);
	exec_ticket("ls");
}

TEST(streaming_requests_are_checked_and_few)
{
	run(try_requests);
}

static void try_forward(void *arg)
{
	struct stream *data, *error;
	struct forward *f;
	char p[200] = "";
	struct err e;

	CHECK_OK(forward_connect_wait(client, ticket(&(struct cri_stream_request){ .kind = CRI_STREAM_PORT_FORWARD, .id = "pod" }), NULL, &f, &e), &e);
	CHECK_OK(forward_open_wait(f, 80, &data, &error, &e), &e);
	CHECK(stream_read_wait(data, p, sizeof p - 1) == 6);
	CHECK_STR(p, "banner");
	stream_close(data);
	stream_close(error);
	CHECK_OK(forward_open_wait(f, 1, &data, &error, &e), &e);
	CHECK(stream_read_wait(error, p, sizeof p - 1) > 0);
	CHECK_STR(p, "error forwarding port 1 to pod pod, uid : connection refused");
	stream_close(data);
	stream_close(error);
	forward_free(f);
}

TEST(forwarded_ports_of_a_sandbox)
{
	run(try_forward);
	CHECK_STR(trace, "[connect pod 80][connect pod 1]");
}
