/* SPDX-License-Identifier: Apache-2.0 */
/* What parent and child tell each other: packets of one struct sync_msg, sometimes with a descriptor. */
#include "runtime/runtime_int.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/fd.h"

int sync_pair(int ret[2], struct err *e)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0 ? err_sys(e, errno, "make a socket pair") : 0;
}

int sync_send(int fd, enum sync_type type, const struct err *err, int pass_fd)
{
	struct sync_msg m = { .type = (int)type };
	size_t n = sizeof m.type + sizeof m.err.code;
	if (err) {
		m.err = *err;
		n = sizeof m;
	}
	ssize_t r = fd_send(fd, &m, n, &pass_fd, pass_fd >= 0);
	return r < 0 ? (int)r : 0;
}

int sync_recv(int fd, struct sync_msg *ret, int *ret_fd)
{
	int got = -1;
	size_t n = 1;
	memset(ret, 0, sizeof *ret);
	ssize_t r = fd_recv(fd, ret, sizeof *ret, &got, &n);
	/* A peer that ended with something of ours unread resets the connection, which is told before what it still said. */
	if (r == -ECONNRESET) {
		n = 1;
		r = fd_recv(fd, ret, sizeof *ret, &got, &n);
	}
	if (ret_fd)
		*ret_fd = n ? got : -1;
	else if (n)
		close(got);
	if (r == 0 || r == -ECONNRESET)
		return 1;
	if (r < (ssize_t)(sizeof ret->type + sizeof ret->err.code))
		return r < 0 ? (int)r : -EBADMSG;
	ret->err.text[sizeof ret->err.text - 1] = 0;
	return 0;
}
