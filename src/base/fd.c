/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/rand.h"

int fd_write_all(int fd, const void *p, size_t n)
{
	const char *at = p;
	while (n) {
		ssize_t r = write(fd, at, n);
		if (r < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		at += r;
		n -= (size_t)r;
	}
	return 0;
}

int fd_read_all(int fd, void *p, size_t n)
{
	char *at = p;
	while (n) {
		ssize_t r = read(fd, at, n);
		if (r < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (r == 0)
			return -EPIPE;
		at += r;
		n -= (size_t)r;
	}
	return 0;
}

int fd_slurp(int fd, struct buf *out)
{
	for (;;) {
		size_t room = out->cap > out->len ? out->cap - out->len : 4096;
		room = MIN(room, out->max - out->len);
		if (room == 0) {
			char more;
			ssize_t r = read(fd, &more, 1);
			return r == 0 ? 0 : r < 0 ? -errno : -EMSGSIZE;
		}
		int r = buf_reserve(out, room);
		if (r < 0)
			return r;
		ssize_t n = read(fd, out->ptr + out->len, room);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		out->ptr[out->len] = 0;
	}
}

int file_read(int dirfd, const char *path, struct buf *out)
{
	AUTO(close) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd_slurp(fd, out);
}

int file_poke(int dirfd, const char *path, const char *text)
{
	AUTO(close) int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	size_t n = strlen(text);
	ssize_t r;
	do
		r = write(fd, text, n);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : (size_t)r == n ? 0 : -EIO;
}

int file_write_atomic(int dirfd, const char *path, struct slice data, mode_t mode, struct err *e)
{
	char tmp[4096], hex[17];
	rand_hex(hex, 8);
	if (!fmt_into(tmp, sizeof tmp, "%s.%s.tmp", path, hex))
		return err_sys(e, ENAMETOOLONG, "write %s", path);
	AUTO(close) int fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return err_sys(e, errno, "create %s", tmp);
	int r = fd_write_all(fd, data.ptr, data.len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dirfd, tmp, dirfd, path) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(dirfd, tmp, 0);
		return err_sys(e, r, "write %s", path);
	}
	char *slash = strrchr(tmp, '/');
	if (slash)
		slash[slash == tmp] = 0;
	AUTO(close) int dir = openat(dirfd, slash ? tmp : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fsync(dir) < 0)
		return err_sys(e, errno, "sync the folder of %s", path);
	return 0;
}

int dir_make(int dirfd, const char *path, mode_t mode)
{
	char p[4096];
	if (!fmt_into(p, sizeof p, "%s", path))
		return -ENAMETOOLONG;
	for (char *s = p + 1; p[0]; s++) {
		char c = *s;
		if (c != '/' && c != 0)
			continue;
		*s = 0;
		if (mkdirat(dirfd, p, mode) < 0 && errno != EEXIST)
			return -errno;
		*s = c;
		if (c == 0)
			break;
	}
	return 0;
}

static int remove_at(int dirfd, const char *name, dev_t dev, int depth)
{
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (depth > 2000)
		return -ELOOP;
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	struct stat st;
	if (fstat(fd, &st) < 0 || st.st_dev != dev) {
		int r = st.st_dev != dev ? -EXDEV : -errno;
		close(fd);
		return r;
	}
	DIR *d = fdopendir(fd);
	if (!d) {
		int r = -errno;
		close(fd);
		return r;
	}
	int r = 0;
	for (struct dirent *x; r == 0 && (x = readdir(d));)
		if (strcmp(x->d_name, ".") && strcmp(x->d_name, ".."))
			r = remove_at(fd, x->d_name, dev, depth + 1);
	closedir(d);
	if (r == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

int dir_remove(int dirfd, const char *path, struct err *e)
{
	struct stat st;
	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "remove %s", path);
	int r = remove_at(dirfd, path, st.st_dev, 0);
	return r < 0 ? err_sys(e, r, "remove %s", path) : 0;
}

int fd_set_nonblock(int fd, bool on)
{
	int f = fcntl(fd, F_GETFL);
	return f < 0 || fcntl(fd, F_SETFL, on ? f | O_NONBLOCK : f & ~O_NONBLOCK) < 0 ? -errno : 0;
}

int fd_set_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

enum { FDS_MAX = 16 };

ssize_t fd_send(int sock, const void *p, size_t n, const int *fds, size_t n_fds)
{
	union {
		char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} c = { 0 };
	struct iovec io = { (void *)p, n };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };
	if (n_fds > FDS_MAX)
		return -EINVAL;
	if (n_fds) {
		m.msg_control = c.room;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(h), fds, n_fds * sizeof(int));
	}
	ssize_t r;
	do
		r = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

ssize_t fd_recv(int sock, void *p, size_t n, int *fds, size_t *n_fds)
{
	union {
		char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} c = { 0 };
	struct iovec io = { p, n };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = c.room, .msg_controllen = sizeof c.room };
	size_t room = n_fds ? *n_fds : 0, got = 0;
	ssize_t r;
	do
		r = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (n_fds)
		*n_fds = 0;
	if (r < 0)
		return -errno;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		size_t k = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < k; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof fd);
			if (got < room)
				fds[got++] = fd;
			else
				close(fd);
		}
	}
	if (n_fds)
		*n_fds = got;
	return r;
}

/* A path past the kernel's 107 bytes is reached through its folder, whose descriptor *dir keeps open meanwhile. */
static int unix_address(const char *path, struct sockaddr_un *a, int *dir, struct err *e)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (fmt_into(a->sun_path, sizeof a->sun_path, "%s", path))
		return 0;
	const char *slash = strrchr(path, '/');
	char parent[4096];
	if (!slash || !fmt_into(parent, sizeof parent, "%.*s/", (int)(slash - path), path))
		return err_set(e, ENAMETOOLONG, "socket path %s is too long", path);
	*dir = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*dir < 0)
		return err_sys(e, errno, "open the folder of %s", path);
	if (!fmt_into(a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d%s", *dir, slash))
		return err_set(e, ENAMETOOLONG, "socket path %s is too long", path);
	return 0;
}

int unix_listen(const char *path, mode_t mode, int type, struct err *e)
{
	struct sockaddr_un a;
	AUTO(close) int dir = -1;
	int r = unix_address(path, &a, &dir, e);
	if (r < 0)
		return r;
	AUTO(close) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, errno, "make a socket for %s", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, errno, "remove the old %s", path);
	if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0)
		return err_sys(e, errno, "listen on %s", path);
	if (chmod(path, mode) < 0 || listen(fd, 1024) < 0)
		return err_sys(e, errno, "listen on %s", path);
	return take_fd(&fd);
}

int unix_connect(const char *path, int type, struct err *e)
{
	struct sockaddr_un a;
	AUTO(close) int dir = -1;
	int r = unix_address(path, &a, &dir, e);
	if (r < 0)
		return r;
	AUTO(close) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, errno, "make a socket for %s", path);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
		return err_sys(e, errno, "connect to %s", path);
	return take_fd(&fd);
}
