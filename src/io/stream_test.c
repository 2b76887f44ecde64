// SPDX-License-Identifier: Apache-2.0
/* Streams: pairs, sockets, pipes, back-pressure, half-close, listeners. */
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/fd.h"
#include "base/test.h"
#include "io/sim.h"

static struct loop *l;
static struct stream *a, *b;
static int64_t total;
static char trace[256];

static void note(const char *s)
{
	size_t n = strlen(trace);

	fmt_into(trace + n, sizeof trace - n, "%s", s);
}

static void begin(bool sockets)
{
	struct err e;
	int fds[2];

	CHECK_OK(sim_loop_new(&l, &e), &e);
	if (!sockets) {
		CHECK_INT(stream_pair(l, 1000, &a, &b), 0);
		return;
	}
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	CHECK_INT(stream_from_fd(l, fds[0], &a), 0);
	CHECK_INT(stream_from_fd(l, fds[1], &b), 0);
}

static void finish(void)
{
	CHECK_INT(loop_run(l), -EDEADLK);
	CHECK_INT(fiber_count(l), 0);
	loop_free(l);
}

enum { MANY = 3000000 };

static void writes_many(void *arg)
{
	AUTO(free) char *p = malloc(MANY);

	for (int i = 0; i < MANY; i++)
		p[i] = (char)(i * 7 >> 3);
	CHECK_INT(stream_write_wait(arg, p, MANY), 0);
	CHECK_INT(stream_shutdown_wait(arg), 0);
	note("w");
	/* The other direction goes on after the half-close. */
	CHECK_INT(stream_read_wait(arg, p, 10), 3);
	CHECK_INT(stream_read_wait(arg, p, 10), 0);
	CHECK_INT(stream_write_wait(arg, p, 1), -EPIPE);
	stream_close(arg);
}

static void reads_many(void *arg)
{
	char p[777];
	ssize_t n;

	while ((n = stream_read_wait(arg, p, sizeof p)) > 0)
		for (ssize_t i = 0; i < n; i++, total++)
			CHECK(p[i] == (char)(total * 7 >> 3));
	CHECK_INT(n, 0);
	CHECK_INT(stream_write_wait(arg, "abc", 3), 0);
	stream_close(arg);
	note("r");
}

static void pump(bool sockets)
{
	begin(sockets);
	fiber_start(l, "w", writes_many, a);
	fiber_start(l, "r", reads_many, b);
	finish();
	CHECK_INT(total, MANY);
	CHECK_STR(trace, "wr");
}

TEST(a_pair_carries_more_than_its_buffer_and_half_closes) { pump(false); }
TEST(a_socket_carries_more_than_its_buffer_and_half_closes) { pump(true); }

static void blocked_reader(void *arg)
{
	char c;
	ssize_t r;

	((struct stream *)arg)->timeout_ns = NS_PER_S;
	r = stream_read_wait(arg, &c, 1);
	note(r == -ETIMEDOUT ? "t" : r == -ECANCELED ? "c" : r == 0 ? "0" : "?");
}

TEST(a_read_past_the_time_out_ends)
{
	begin(false);
	fiber_start(l, "r", blocked_reader, a);
	finish();
	CHECK_STR(trace, "t");
}

TEST(closing_a_stream_frees_its_waiters)
{
	begin(true);
	fiber_start(l, "r", blocked_reader, a);
	stream_close(a);
	stream_close(b);
	finish();
	CHECK_STR(trace, "c");
}

static void hung_up(void *arg, int status) { note(status == 0 ? "h" : "?"); }

static void hangup(bool sockets)
{
	begin(sockets);
	CHECK(!stream_notify(a, STREAM_HANGUP, hung_up, NULL));
	CHECK_INT(loop_run(l), -EDEADLK);
	CHECK_STR(trace, "");
	stream_close(b);
	CHECK_INT(loop_run(l), -EDEADLK);
	CHECK_STR(trace, "h");
	CHECK(stream_notify(a, STREAM_HANGUP, hung_up, NULL));
	stream_close(a);
	finish();
}

TEST(a_pair_says_when_its_peer_hangs_up) { hangup(false); }
TEST(a_socket_says_when_its_peer_hangs_up) { hangup(true); }

static void reads_prepended(void *arg)
{
	char p[8];
	struct stream *s;

	CHECK_INT(stream_prepend(SLICE("abc"), a, &s), 0);
	CHECK_INT(stream_fd(s), -1);
	CHECK_INT(stream_read_all_wait(s, p, 5), 0);
	CHECK_SLICE(slice_n(p, 5), "abcde");
	CHECK(stream_fd(s) >= 0);
	CHECK_INT(stream_read_all_wait(s, p, 1), -EPIPE);
	stream_close(s);
	note("end");
}

static void writes_de(void *arg)
{
	CHECK_INT(sleep_wait(5), 0);
	CHECK_INT(stream_write_wait(b, "de", 2), 0);
	CHECK_INT(sleep_wait(5), 0);
	stream_close(b);
}

TEST(prepended_bytes_come_first)
{
	begin(true);
	fiber_start(l, "r", reads_prepended, NULL);
	fiber_start(l, "w", writes_de, NULL);
	finish();
	CHECK_STR(trace, "end");
}

static void pipe_reader(void *arg)
{
	char p[8];

	CHECK_INT(stream_read_wait(a, p, 8), 2);
	CHECK_INT(stream_read_wait(a, p, 8), 0);
	stream_close(a);
	note("end");
}

TEST(half_closing_a_pipe_ends_it)
{
	struct err e;
	int fds[2];

	CHECK_OK(sim_loop_new(&l, &e), &e);
	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	CHECK_INT(stream_from_fd(l, fds[0], &a), 0);
	CHECK_INT(stream_from_fd(l, fds[1], &b), 0);
	fiber_start(l, "r", pipe_reader, NULL);
	CHECK_INT(stream_write_wait(b, "xy", 2), 0);
	CHECK_INT(stream_shutdown_wait(b), 0);
	CHECK_INT(stream_write_wait(b, "xy", 2), -EPIPE);
	finish();
	CHECK_STR(trace, "end");
}

static void echo(void *arg, struct stream *s)
{
	stream_copy_wait(s, s);
	stream_close(s);
	note("e");
}

static struct listener *listener;
static unsigned port;
static unsigned clients;

static void echo_client(void *arg)
{
	struct stream *s;
	struct err e;
	char p[5];

	if (port)
		CHECK_OK(stream_connect_tcp_wait("127.0.0.1", port, NS_PER_S, &s, &e), &e);
	else
		CHECK_OK(stream_connect_unix_wait(arg, &s, &e), &e);
	CHECK_INT(stream_write_wait(s, "hello", 5), 0);
	CHECK_INT(stream_read_all_wait(s, p, 5), 0);
	CHECK_SLICE(slice_n(p, 5), "hello");
	stream_close(s);
	if (--clients == 0)
		listener_free(listener);
}

static void echo_all(int fd, const char *path)
{
	begin(false);
	stream_close(a);
	stream_close(b);
	/* Two at a time: the others wait in the backlog. */
	CHECK_INT(listener_new(l, fd, 2, echo, NULL, &listener), 0);
	clients = 8;
	for (int i = 0; i < 8; i++)
		fiber_start(l, "client", echo_client, (void *)path);
	finish();
	CHECK_STR(trace, "eeeeeeee");
}

TEST(a_listener_serves_unix_clients_within_its_ceiling)
{
	char path[100];
	struct err e;

	fmt_into(path, sizeof path, "%s/s", test_dir());
	int fd = unix_listen(path, 0600, SOCK_STREAM, &e);
	CHECK_OK(fd, &e);
	echo_all(fd, path);
}

TEST(a_listener_serves_tcp_clients)
{
	struct sockaddr_in sa;
	socklen_t n = sizeof sa;
	struct err e;
	int fd = listen_tcp("127.0.0.1", 0, &e);

	CHECK_OK(fd, &e);
	CHECK_INT(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	port = ntohs(sa.sin_port);
	echo_all(fd, NULL);
}

static void refused(void *arg)
{
	struct stream *s;
	struct err e = { 0 };

	CHECK_INT(stream_connect_unix_wait("/does/not/exist", &s, &e), -ENOENT);
	CHECK_STR(e.text, "cannot connect to /does/not/exist: No such file or directory");
	CHECK(stream_connect_tcp_wait("127.0.0.1", 1, NS_PER_S, &s, &e) < 0);
	note("end");
}

TEST(connecting_to_nobody_says_so)
{
	begin(false);
	fiber_start(l, "x", refused, NULL);
	finish();
	CHECK_STR(trace, "end");
}
