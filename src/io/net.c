// SPDX-License-Identifier: Apache-2.0
/*
 * Listening and connecting. Accepting is bounded a turn and stops at a ceiling
 * of connections; when the process is out of descriptors it pauses instead of
 * spinning on the same readable socket.
 */
#include "io/stream.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/fd.h"
#include "io/loop_int.h"

enum { ACCEPTS_A_TURN = 32, PAUSE_MS = 100, BACKLOG = 1024 };

struct listener {
	struct watch watch;
	struct timer pause;
	struct loop *loop;
	int fd;
	unsigned n, most;
	bool raw, freed;
	void (*accepted)(void *arg, struct stream *s);
	void *arg;
};

struct accepted {
	struct listener *x;
	struct stream *s;
};

static void listener_unref(struct listener *x)
{
	if (x->freed && x->n == 0)
		free(x);
}

void listener_done(struct listener *x)
{
	x->n--;
	if (!x->freed && x->n < x->most && !x->pause.node.pos)
		watch_set(&x->watch, WATCH_READ);
	listener_unref(x);
}

static void accepted_fiber(void *arg)
{
	struct accepted a = *(struct accepted *)arg;

	a.x->accepted(a.x->arg, a.s);
	listener_done(a.x);
}

static void hand_over(struct listener *x, struct stream *s)
{
	struct accepted a = { x, s };

	x->n++;
	if (x->raw)
		x->accepted(x->arg, s);
	else if (fiber_start(x->loop, "connection", accepted_fiber, &a) < 0) {
		stream_close(s);
		listener_done(x);
	}
}

static void unpause(struct timer *t)
{
	struct listener *x = container_of(t, struct listener, pause);

	if (x->n < x->most)
		watch_set(&x->watch, WATCH_READ);
}

static bool is_loopback(const struct sockaddr_storage *a)
{
	static const uint8_t mapped[13] = { [10] = 0xff, 0xff, 127 };
	const struct sockaddr_in6 *six = (const void *)a;
	if (a->ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 == 127;
	if (a->ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) || !memcmp(&six->sin6_addr, mapped, sizeof mapped);
	return a->ss_family == AF_UNIX;
}

static void listener_ready(struct watch *w, unsigned events)
{
	struct listener *x = container_of(w, struct listener, watch);
	struct loop *l = x->loop;

	x->n++;         /* keeps x while callbacks may free it */
	for (int i = 0; i < ACCEPTS_A_TURN && !x->freed && x->n <= x->most; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t from_len = sizeof from;
		int fd = accept4(x->fd, (struct sockaddr *)&from, &from_len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct stream *s;

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
				watch_set(&x->watch, 0);
				timer_set(l, &x->pause, PAUSE_MS * NS_PER_MS, unpause);
			}
			if (errno == ECONNABORTED || errno == EINTR)
				continue;
			break;
		}
		int one = 1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);     /* fails, rightly, on other families */
		if (stream_from_fd(l, fd, &s) == 0) {
			s->is_loopback = is_loopback(&from);
			hand_over(x, s);
		}
	}
	x->n--;
	if (!x->freed && x->n >= x->most)
		watch_set(&x->watch, 0);
	listener_unref(x);
}

static int listener_make(struct loop *l, int fd, unsigned most, bool raw, void (*accepted)(void *, struct stream *), void *arg,
	struct listener **ret)
{
	struct listener *x = calloc(1, sizeof *x);
	int r = x ? fd_set_nonblock(fd, true) : -ENOMEM;

	if (r == 0) {
		*x = (struct listener){ .loop = l, .fd = fd, .most = most, .raw = raw, .accepted = accepted, .arg = arg };
		r = watch_add(l, &x->watch, fd, WATCH_READ, listener_ready);
	}
	if (r < 0) {
		close(fd);
		free(x);
		return r;
	}
	*ret = x;
	return 0;
}

int listener_new(struct loop *l, int fd, unsigned most, void (*accepted)(void *arg, struct stream *s), void *arg, struct listener **ret)
{
	return listener_make(l, fd, most, false, accepted, arg, ret);
}

int listener_new_raw(struct loop *l, int fd, unsigned most, void (*accepted)(void *arg, struct stream *s), void *arg, struct listener **ret)
{
	return listener_make(l, fd, most, true, accepted, arg, ret);
}

void listener_free(struct listener *x)
{
	if (!x)
		return;
	watch_del(&x->watch);
	timer_cancel(&x->pause);
	close(x->fd);
	x->freed = true;
	listener_unref(x);
}

/* --- addresses */

static int listen_on(const struct addrinfo *a)
{
	AUTO(close) int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
	int one = 1, zero = 0;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (a->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return take_fd(&fd);
}

int listen_tcp(const char *host, unsigned port, struct err *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *list;
	char service[8];
	int r;

	if (!host)
		host = "";
	fmt_into(service, sizeof service, "%u", port);
	if (!*host)
		hints.ai_family = AF_INET6;     /* also takes IPv4 */
	r = getaddrinfo(*host ? host : NULL, service, &hints, &list);
	if (r)
		return err_set(e, EADDRNOTAVAIL, "cannot listen on %s:%u: %s", host, port, gai_strerror(r));
	r = listen_on(list);
	freeaddrinfo(list);
	if (r == -EAFNOSUPPORT && !*host)
		return listen_tcp("0.0.0.0", port, e);
	return r < 0 ? err_sys(e, r, "cannot listen on %s:%u", host, port) : r;
}

/* Finishes a non-blocking connect; takes fd. */
static int connect_wait(struct loop *l, int fd, const struct sockaddr *sa, socklen_t len, int64_t timeout_ns, struct stream **ret)
{
	AUTO(close) int own = fd;
	int error = 0;
	socklen_t size = sizeof error;

	if (connect(fd, sa, len) < 0) {
		if (errno == EAGAIN)            /* a Unix socket whose backlog is full does not say when it is not */
			return -EAGAIN;
		if (errno != EINPROGRESS && errno != EINTR)
			return -errno;
		int r = fd_wait(fd, WATCH_WRITE, timeout_ns > 0 ? timeout_ns : -1);

		if (r < 0)
			return r;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
			return -errno;
		if (error)
			return -error;
	}
	return stream_from_fd(l, take_fd(&own), ret);
}

int stream_connect_unix_wait(const char *path, struct stream **ret, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct loop *l = fiber_loop(fiber_self());
	int64_t pause = NS_PER_MS;
	int r;

	if (!fmt_into(sa.sun_path, sizeof sa.sun_path, "%s", path))
		return err_set(e, ENAMETOOLONG, "cannot connect to %s: path is longer than %zu bytes", path, sizeof sa.sun_path - 1);
	for (;;) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		r = fd < 0 ? -errno : connect_wait(l, fd, (struct sockaddr *)&sa, sizeof sa, 0, ret);
		if (r != -EAGAIN || pause > NS_PER_S)
			break;
		r = sleep_wait(pause);
		if (r < 0)
			break;
		pause *= 2;
	}
	return r < 0 ? err_sys(e, r, "cannot connect to %s", path) : 0;
}

struct lookup {
	const char *host;
	char service[8];
	struct addrinfo *list;
};

static int lookup_job(void *arg)
{
	struct lookup *x = arg;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV };
	int r = getaddrinfo(x->host, x->service, &hints, &x->list);

	/* AI_ADDRCONFIG forgets loopback: try again without it. */
	if (r == EAI_NONAME || r == EAI_FAMILY) {
		hints.ai_flags = AI_NUMERICSERV;
		r = getaddrinfo(x->host, x->service, &hints, &x->list);
	}
	return r;
}

/* Numbers need no worker. */
static int lookup_wait(struct lookup *x)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };

	if (getaddrinfo(x->host, x->service, &hints, &x->list) == 0)
		return 0;
	return job_wait(lookup_job, x);
}

int stream_connect_tcp_wait(const char *host, unsigned port, int64_t timeout_ns, struct stream **ret, struct err *e)
{
	struct lookup x = { .host = host };
	struct loop *l = fiber_loop(fiber_self());
	int r, one = 1;

	fmt_into(x.service, sizeof x.service, "%u", port);
	r = lookup_wait(&x);
	if (r)
		return err_set(e, EHOSTUNREACH, "cannot find the address of %s: %s", host, gai_strerror(r));
	r = -EHOSTUNREACH;
	for (const struct addrinfo *a = x.list; a && r < 0 && r != -ECANCELED; a = a->ai_next) {
		int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);

		if (fd >= 0)
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		r = fd < 0 ? -errno : connect_wait(l, fd, a->ai_addr, a->ai_addrlen, timeout_ns, ret);
	}
	freeaddrinfo(x.list);
	return r < 0 ? err_sys(e, r, "cannot connect to %s:%u", host, port) : 0;
}
