/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/rootpath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"

enum { LINKS_MAX = 40, DEPTH_MAX = 500 };

void sys_fd_path(char *dst, int fd)
{
	fmt_into(dst, 32, "/proc/self/fd/%d", fd);
}

/* What a dangling link at prefix points to, followed by the rest, as a new path inside the root. */
static int follow(int parent, const char *name, const char *prefix, const char *rest, char *out, size_t size)
{
	char link[PATH_MAX], joined[PATH_MAX];
	ssize_t n = readlinkat(parent, name, link, sizeof link - 1);
	if (n < 0)
		return -errno;
	link[n] = 0;
	int dir_len = (int)(path_base(prefix) - prefix);
	bool ok = link[0] == '/' ? fmt_into(joined, sizeof joined, "%s/%s", link, rest)
				 : fmt_into(joined, sizeof joined, "/%.*s/%s/%s", dir_len, prefix, link, rest);
	if (!ok || strlen(joined) + 2 > size)
		return -ENAMETOOLONG;
	path_clean(out, joined);
	return 0;
}

/* Opens prefix (a folder inside the root), or makes it below parent. fd, or 1 - that is - -ELOOP when a dangling link stands there. */
static int step(int rootfd, const char *prefix, int parent, const char *name, bool is_dir, mode_t mode)
{
	int fd = path_open_in_root(rootfd, prefix, O_PATH, 0);
	if (fd >= 0 || fd != -ENOENT)
		return fd;
	if (is_dir) {
		if (mkdirat(parent, name, mode) < 0)
			return errno == EEXIST ? -ELOOP : -errno;
		/* The umask of whoever called must not decide. */
		fchmodat(parent, name, mode, 0);
	} else {
		AUTO(close) int made = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		if (made < 0)
			return errno == EEXIST ? -ELOOP : -errno;
		fchmod(made, mode);
	}
	return path_open_in_root(rootfd, prefix, O_PATH | O_NOFOLLOW, 0);
}

static int make(int rootfd, const char *path, bool is_dir, mode_t mode)
{
	char clean[PATH_MAX + 2], tmp[PATH_MAX];
	if (!fmt_into(tmp, sizeof tmp, "/%s", path))
		return -ENAMETOOLONG;
	path_clean(clean, tmp);
	for (int links = 0; links < LINKS_MAX; links++) {
		AUTO(close) int parent = fcntl(rootfd, F_DUPFD_CLOEXEC, 3);
		if (parent < 0)
			return -errno;
		char prefix[PATH_MAX + 2];
		size_t at = 1;
		bool again = false;
		while (clean[at]) {
			size_t k = strcspn(clean + at, "/");
			char name[256];
			if (!fmt_into(name, sizeof name, "%.*s", (int)k, clean + at))
				return -ENAMETOOLONG;
			memcpy(prefix, clean, at + k);
			prefix[at + k] = 0;
			bool last = clean[at + k] == 0;
			int fd = step(rootfd, prefix, parent, name, last ? is_dir : true, last ? mode : 0755);
			if (fd == -ELOOP) {
				char next[PATH_MAX + 2];
				int r = follow(parent, name, prefix, last ? "" : clean + at + k + 1, next, sizeof next);
				if (r < 0)
					return r == -EINVAL ? -EEXIST : r;
				memcpy(clean, next, strlen(next) + 1);
				again = true;
				break;
			}
			if (fd < 0)
				return fd;
			close(parent);
			parent = fd;
			at += k + !last;
		}
		if (!again)
			return take_fd(&parent);
	}
	return -ELOOP;
}

int sys_root_make(int rootfd, const char *path, bool is_dir, mode_t mode, struct err *e)
{
	int fd = path_open_in_root(rootfd, path, O_PATH, 0);
	if (fd == -ENOENT)
		fd = make(rootfd, path, is_dir, mode);
	return fd < 0 ? err_sys(e, fd, "open %s in the root file system", path) : fd;
}

int sys_root_parent(int rootfd, const char *path, char name[256], struct err *e)
{
	char clean[PATH_MAX + 2], tmp[PATH_MAX];
	if (!fmt_into(tmp, sizeof tmp, "/%s", path))
		return err_sys(e, ENAMETOOLONG, "open %s in the root file system", path);
	path_clean(clean, tmp);
	char *base = (char *)path_base(clean);
	if (!*base || !fmt_into(name, 256, "%s", base))
		return err_sys(e, EINVAL, "open %s in the root file system", path);
	*base = 0;
	return sys_root_make(rootfd, clean, true, 0755, e);
}

static void copy_xattrs(int from, int to)
{
	char list[4096], value[4096];
	ssize_t n = flistxattr(from, list, sizeof list);
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(list + i) + 1) {
		ssize_t k = fgetxattr(from, list + i, value, sizeof value);
		if (k >= 0)
			fsetxattr(to, list + i, value, (size_t)k, 0);
	}
}

static int copy_file(int from, int to, const char *name, const struct stat *st)
{
	AUTO(close) int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0)
		return -errno;
	AUTO(close) int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	for (;;) {
		ssize_t n = sendfile(out, in, NULL, 1 << 20);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
	}
	copy_xattrs(in, out);
	struct timespec t[2] = { st->st_atim, st->st_mtim };
	if (fchown(out, st->st_uid, st->st_gid) < 0 || fchmod(out, st->st_mode & 07777) < 0 || futimens(out, t) < 0)
		return -errno;
	return 0;
}

static int copy_dir(int from, int to, int depth);

static int copy_one(int from, int to, const char *name, int depth)
{
	struct stat st;
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		return copy_file(from, to, name, &st);
	if (S_ISLNK(st.st_mode)) {
		char link[PATH_MAX];
		ssize_t n = readlinkat(from, name, link, sizeof link - 1);
		if (n < 0)
			return -errno;
		link[n] = 0;
		return symlinkat(link, to, name) < 0 || fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ?
			       -errno :
			       0;
	}
	if (!S_ISDIR(st.st_mode)) {
		if (mknodat(to, name, st.st_mode, st.st_rdev) < 0 ||
		    fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		return fchmodat(to, name, st.st_mode & 07777, 0) < 0 ? -errno : 0;
	}
	AUTO(close) int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0 || (mkdirat(to, name, 0700) < 0 && errno != EEXIST))
		return -errno;
	AUTO(close) int out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return -errno;
	int r = copy_dir(in, out, depth + 1);
	if (r < 0)
		return r;
	copy_xattrs(in, out);
	struct timespec t[2] = { st.st_atim, st.st_mtim };
	if (fchown(out, st.st_uid, st.st_gid) < 0 || fchmod(out, st.st_mode & 07777) < 0 || futimens(out, t) < 0)
		return -errno;
	return 0;
}

static int copy_dir(int from, int to, int depth)
{
	if (depth > DEPTH_MAX)
		return -ELOOP;
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		int r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	int r = 0;
	for (struct dirent *x; r == 0 && (x = readdir(d));)
		if (strcmp(x->d_name, ".") && strcmp(x->d_name, ".."))
			r = copy_one(from, to, x->d_name, depth);
	closedir(d);
	return r;
}

int sys_copy_tree(int from, int to, struct err *e)
{
	int r = copy_dir(from, to, 0);
	return r < 0 ? err_sys(e, r, "copy a folder's contents") : 0;
}
