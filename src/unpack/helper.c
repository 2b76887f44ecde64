/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's parent keeps CAP_SYS_ADMIN and does with it the one thing that
 * the worker may not: set and read trusted.overlay.opaque on a folder whose
 * descriptor the worker sends. A request is one byte and one descriptor, the
 * answer one byte.
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "unpack/unpack_int.h"

#define OPAQUE "trusted.overlay.opaque"

static char answer(char what, int fd)
{
	char v = 0;
	if (what == 's')
		return fsetxattr(fd, OPAQUE, "y", 1, 0) == 0 ? 0 : (char)errno;
	if (what == 'g')
		return fgetxattr(fd, OPAQUE, &v, 1) == 1 && v == 'y';
	return EINVAL;
}

static _Noreturn void serve(int sock, pid_t child)
{
	for (;;) {
		char c;
		int fd = -1;
		size_t n_fds = 1;
		ssize_t n = fd_recv(sock, &c, 1, &fd, &n_fds);
		if (n <= 0 && n != -EINTR)
			break;
		if (n != 1)
			continue;
		c = n_fds == 1 ? answer(c, fd) : EINVAL;
		if (n_fds == 1)
			close(fd);
		if (fd_send(sock, &c, 1, NULL, 0) < 0)
			break;
	}
	int status;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int unpack_helper_fork(int *ret_sock, struct err *e)
{
	int s[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) < 0)
		return err_sys(e, errno, "make a socket");
	pid_t parent = getpid(), child = fork();
	if (child < 0)
		return err_sys(e, errno, "fork");
	if (child > 0) {
		close(s[0]);
		/* nobody waits on the data through this process */
		for (int fd = 0; fd < 16; fd++)
			if (fd != s[1] && fd != 2)
				close(fd);
		serve(s[1], child);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	close(s[1]);
	*ret_sock = s[0];
	return 0;
}

static int ask(int sock, char what, int dirfd)
{
	char c = what;
	size_t none = 0;
	ssize_t n = fd_send(sock, &c, 1, &dirfd, 1);
	if (n == 1)
		n = fd_recv(sock, &c, 1, NULL, &none);
	return n == 1 ? (unsigned char)c : -EPIPE;
}

int unpack_set_opaque(int sock, int dirfd)
{
	int r = ask(sock, 's', dirfd);
	return r <= 0 ? r : -r;
}

bool unpack_is_opaque(int sock, int dirfd)
{
	return sock >= 0 && ask(sock, 'g', dirfd) == 1;
}
