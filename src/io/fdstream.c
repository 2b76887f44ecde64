// SPDX-License-Identifier: Apache-2.0
/*
 * Streams over descriptors. A descriptor is registered once, edge-triggered,
 * so a wait costs no system call; interest in writability is added only after
 * a full buffer (sockets would report every byte that the peer takes).
 */
#include "io/stream.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fd.h"
#include "io/loop_int.h"

struct fdstream {
	struct stream s;
	struct watch watch;
	int fd;
	bool is_socket, is_tty, wants_out, hung_up;
	bool busy, closed;         /* events are being handed out; closed meanwhile: freed behind it */
};

static struct fdstream *of(struct stream *s) { return container_of(s, struct fdstream, s); }

static void fd_ready(struct watch *w, unsigned events)
{
	struct fdstream *x = container_of(w, struct fdstream, watch);

	x->busy = true;
	if (events & WATCH_HANGUP)
		x->hung_up = true;
	if (events & WATCH_READ)
		stream_fire(&x->s, STREAM_READABLE);
	if (!x->closed && (events & WATCH_WRITE))
		stream_fire(&x->s, STREAM_WRITABLE);
	if (!x->closed && (events & WATCH_HANGUP))
		stream_fire(&x->s, STREAM_HANGUP);
	x->busy = false;
	if (x->closed)
		free(x);
}

static ssize_t fd_read_now(struct stream *s, void *p, size_t n)
{
	struct fdstream *x = of(s);
	ssize_t r;

	do
		r = read(x->fd, p, n);
	while (r < 0 && errno == EINTR);
	if (r >= 0)
		return r;
	if (errno == EIO && x->is_tty)
		return 0;               /* the other side of a terminal is closed */
	return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

static ssize_t fd_write_now(struct stream *s, const void *p, size_t n)
{
	struct fdstream *x = of(s);
	ssize_t r;

	if (x->fd < 0)
		return -EPIPE;
	do
		r = x->is_socket ? send(x->fd, p, n, MSG_NOSIGNAL) : write(x->fd, p, n);
	while (r < 0 && errno == EINTR);
	if (r >= 0)
		return r;
	return errno == ECONNRESET ? -EPIPE : errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

static int fd_shutdown_now(struct stream *s)
{
	struct fdstream *x = of(s);
	int flags;

	if (x->is_socket)
		return shutdown(x->fd, SHUT_WR) < 0 && errno != ENOTCONN ? -errno : 0;
	/* The end of a pipe that is only written to ends by closing it; terminals have no such thing. */
	flags = x->fd < 0 ? -1 : fcntl(x->fd, F_GETFL);
	if (flags >= 0 && (flags & O_ACCMODE) == O_WRONLY) {
		watch_del(&x->watch);
		close(take_fd(&x->fd));
	}
	return 0;
}

static void fd_close(struct stream *s)
{
	struct fdstream *x = of(s);

	watch_del(&x->watch);
	if (x->fd >= 0)
		close(x->fd);
	x->closed = true;
	if (!x->busy)
		free(x);
}

static bool fd_want(struct stream *s, unsigned what, bool on)
{
	struct fdstream *x = of(s);

	if (!x->watch.loop)
		return on;              /* a regular file: always ready */
	if (what == STREAM_HANGUP)
		return on && x->hung_up;
	if (what == STREAM_WRITABLE && on != x->wants_out) {
		x->wants_out = on;
		/* Setting it again reports what is already so. */
		watch_set(&x->watch, WATCH_READ | WATCH_HANGUP | WATCH_EDGE | (on ? WATCH_WRITE : 0));
	}
	return false;
}

static int fd_fd(struct stream *s) { return of(s)->fd; }

static const struct stream_ops fd_ops = {
	.name = "fd", .read_now = fd_read_now, .write_now = fd_write_now, .shutdown_now = fd_shutdown_now,
	.close = fd_close, .fd = fd_fd, .want = fd_want,
};

int stream_from_fd(struct loop *l, int fd, struct stream **ret)
{
	struct fdstream *x = calloc(1, sizeof *x);
	struct stat st;
	int r = x ? 0 : -ENOMEM;

	if (r == 0)
		r = fstat(fd, &st) < 0 ? -errno : fd_set_nonblock(fd, true);
	if (r == 0) {
		x->s = (struct stream){ .ops = &fd_ops, .loop = l };
		x->fd = fd;
		x->is_socket = S_ISSOCK(st.st_mode);
		x->is_tty = S_ISCHR(st.st_mode);
		r = watch_add(l, &x->watch, fd, WATCH_READ | WATCH_HANGUP | WATCH_EDGE, fd_ready);
		if (r == -EPERM)
			r = 0;
	}
	if (r < 0) {
		close(fd);
		free(x);
		return r;
	}
	*ret = &x->s;
	return 0;
}
