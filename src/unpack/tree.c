/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/unpack_int.h"

#include <errno.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/path.h"
#include "base/vec.h"

enum { NAMES_MAX = 4 << 20, XATTR_MAX = 65536 };

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void unpack_names_release(struct names *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->v[i]);
	free(n->v);
	*n = (struct names){ 0 };
}

int unpack_names_read(int dirfd, struct names *ret)
{
	VEC(char *) v = { 0 };
	int r = 0, fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	for (struct dirent *x; r == 0 && (errno = 0, x = readdir(d));) {
		if (!strcmp(x->d_name, ".") || !strcmp(x->d_name, ".."))
			continue;
		char *copy = v.n >= NAMES_MAX ? NULL : strdup(x->d_name);
		r = copy ? vec_push(&v, copy) : -ENOMEM;
		if (r < 0)
			free(copy);
	}
	if (r == 0 && errno)
		r = -errno;
	closedir(d);
	*ret = (struct names){ v.v, v.n };
	if (r < 0)
		unpack_names_release(ret);
	else if (v.n)
		qsort(v.v, v.n, sizeof *v.v, by_bytes);
	return r;
}

static int open2(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)flags | O_CLOEXEC, .mode = mode, .resolve = resolve };
	long fd;
	do
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd < 0 ? -errno : (int)fd;
}

int unpack_open(int dirfd, const char *path, int flags, mode_t mode)
{
	return open2(dirfd, path, flags, mode, RESOLVE_NO_MAGICLINKS);
}

int unpack_open_in(int rootfd, const char *path, int flags)
{
	return open2(rootfd, path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int unpack_dirs_make(int dirfd, const char *path, uint32_t uid, uint32_t gid, mode_t mode)
{
	int fd = unpack_open(dirfd, *path ? path : ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd != -ENOENT)
		return fd;
	AUTO(close) int at = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return -errno;
	struct slice rest = slice_of(path), piece;
	while (slice_next(&rest, '/', &piece)) {
		char name[256];
		if (!piece.len)
			continue;
		if (piece.len > 255)
			return -ENAMETOOLONG;
		memcpy(name, piece.ptr, piece.len);
		name[piece.len] = 0;
		fd = unpack_open(at, name, O_RDONLY | O_DIRECTORY, 0);
		if (fd == -ENOENT) {
			if (mkdirat(at, name, mode) < 0)
				return -errno;
			fd = unpack_open(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
			if (fd >= 0 && (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)) {
				close(fd);
				return -errno;
			}
		}
		if (fd < 0)
			return fd;
		close(at);
		at = fd;
	}
	return take_fd(&at);
}

static int remove_below(int dirfd, const char *name, int depth)
{
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (depth > UNPACK_DEPTH_MAX)
		return -ELOOP;
	AUTO(close) int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	AUTO(names) struct names n = { 0 };
	int r = unpack_names_read(fd, &n);
	for (size_t i = 0; r == 0 && i < n.n; i++)
		r = remove_below(fd, n.v[i], depth + 1);
	if (r == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

int unpack_remove(int dirfd, const char *name)
{
	return remove_below(dirfd, name, 0);
}

static bool is_kept_xattr(const char *name)
{
	return !strcmp(name, "security.capability") || (!strncmp(name, "user.", 5) && strncmp(name, "user.overlay.", 13));
}

int unpack_xattrs(int fd, struct arena *a, struct tar_xattr **ret, size_t *ret_n)
{
	char list[XATTR_MAX], value[XATTR_MAX];
	*ret = NULL;
	*ret_n = 0;
	ssize_t n = flistxattr(fd, list, sizeof list);
	if (n <= 0)
		return n == 0 || errno == ENOTSUP ? 0 : -errno;
	for (char *p = list; p < list + n; p += strlen(p) + 1) {
		if (!is_kept_xattr(p) || *ret_n >= TAR_XATTRS_MAX)
			continue;
		ssize_t m = fgetxattr(fd, p, value, sizeof value);
		if (m < 0) {
			if (errno == ENODATA || errno == ENOTSUP)
				continue;
			return -errno;
		}
		if (!*ret && !(*ret = arena_array(a, TAR_XATTRS_MAX, sizeof **ret)))
			return -ENOMEM;
		char *copy = arena_dup(a, slice_n(value, (size_t)m)), *name = arena_strdup(a, p);
		if (!copy || !name)
			return -ENOMEM;
		/* listing order is the file system's: keep it sorted */
		size_t i = (*ret_n)++;
		for (; i && strcmp((*ret)[i - 1].name, name) > 0; i--)
			(*ret)[i] = (*ret)[i - 1];
		(*ret)[i] = (struct tar_xattr){ name, slice_n(copy, (size_t)m) };
	}
	return 0;
}

int unpack_path_inside(char *dst, const char *path)
{
	while (*path == '/')
		path++;
	path_clean(dst, path);
	return !strcmp(dst, "..") || !strncmp(dst, "../", 3) ? -EXDEV : 0;
}

bool unpack_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

bool unpack_is_skipped(const struct unpack_job *job, const char *path)
{
	for (uint32_t i = 0; i < job->n_skip; i++) {
		const char *s = job->skip[i];
		while (*s == '/')
			s++;
		size_t n = strlen(s);
		while (n && s[n - 1] == '/')
			n--;
		if (n && !strncmp(path, s, n) && (path[n] == '/' || !path[n]))
			return true;
	}
	return false;
}
