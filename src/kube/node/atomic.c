/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that change together: DIR/FILE -> ..data/FILE, DIR/..data -> ..TIME.
 * A new set is written beside the old one and appears by one rename of
 * ..data, so that a reader sees all old or all new. As upstream lays it out;
 * programs watch ..data. Blocking: for workers.
 */
#include "kube/node/node_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/rand.h"

static int check_path(const char *path, struct err *e)
{
	struct slice rest = slice_of(path), piece;

	if (!*path || *path == '/' || strlen(path) > 4000)
		return err_set(e, EINVAL, "invalid path: must be relative path: %s", path);
	if (!strncmp(path, "..", 2) && path[2] != '/')
		return err_set(e, EINVAL, "invalid path: must not start with '..': %s", path);
	while (slice_next(&rest, '/', &piece))
		if (!path_is_name(piece))
			return err_set(e, EINVAL, "invalid path: must not contain '..': %s", path);
	return 0;
}

static int count_files(int dirfd, int depth)
{
	int fd = dup(dirfd), n = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *x;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	rewinddir(d);
	while ((x = readdir(d))) {
		if (!strcmp(x->d_name, ".") || !strcmp(x->d_name, ".."))
			continue;
		AUTO(close) int sub = openat(dirfd, x->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		n += sub < 0 ? 1 : depth > 0 ? count_files(sub, depth - 1) : 0;
	}
	closedir(d);
	return n;
}

/* What is there is what is wanted. */
static bool is_same(int dirfd, const struct atomic_file *files, unsigned n, int64_t gid)
{
	AUTO(close) int data = openat(dirfd, "..data/.", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (data < 0 || count_files(data, 20) != (int)n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		AUTO(buf) struct buf b = BUF_INIT(8 << 20);
		struct stat st;
		AUTO(close) int fd = openat(data, files[i].path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 || fstat(fd, &st) < 0 || (st.st_mode & 07777) != files[i].mode || (gid >= 0 && st.st_gid != (gid_t)gid) ||
			fd_slurp(fd, &b) < 0 || !slice_eq(buf_slice(&b), files[i].data))
			return false;
	}
	return true;
}

static int write_one(int dirfd, const struct atomic_file *f, int64_t gid, struct err *e)
{
	const char *slash = strrchr(f->path, '/');

	if (slash) {
		AUTO(buf) struct buf parent = BUF_INIT(4096);
		buf_add(&parent, f->path, (size_t)(slash - f->path));
		int r = dir_make(dirfd, parent.ptr, 0755);
		if (r < 0)
			return err_sys(e, r, "making folder %s", parent.ptr);
	}
	AUTO(close) int fd = openat(dirfd, f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "writing %s", f->path);
	int r = fd_write_all(fd, f->data.ptr, f->data.len);
	if (r == 0 && (gid >= 0 || f->uid >= 0) && fchown(fd, f->uid >= 0 ? (uid_t)f->uid : (uid_t)-1, gid >= 0 ? (gid_t)gid : (gid_t)-1) < 0 && errno != EPERM)
		r = -errno;
	if (r == 0 && fchmod(fd, f->mode) < 0)
		r = -errno;
	return r < 0 ? err_sys(e, r, "writing %s", f->path) : 0;
}

/* Links of the first components of all paths; those that are no longer wanted go. */
static int link_all(int dirfd, const struct atomic_file *files, unsigned n, struct err *e)
{
	int fd = dup(dirfd);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *x;

	for (unsigned i = 0; i < n; i++) {
		struct slice top, rest;
		char name[256], target[300];
		slice_cut(slice_of(files[i].path), '/', &top, &rest);
		fmt_into(name, sizeof name, "%.*s", SLICE_FMT(top));
		fmt_into(target, sizeof target, "..data/%s", name);
		if (symlinkat(target, dirfd, name) < 0 && errno != EEXIST) {
			int r = err_sys(e, errno, "linking %s", name);
			if (d)
				closedir(d);
			return r;
		}
	}
	if (d)
		rewinddir(d);
	while (d && (x = readdir(d))) {
		bool wanted = !strncmp(x->d_name, "..", 2) || !strcmp(x->d_name, ".");
		for (unsigned i = 0; i < n && !wanted; i++) {
			struct slice top, rest;
			slice_cut(slice_of(files[i].path), '/', &top, &rest);
			wanted = slice_is(top, x->d_name);
		}
		if (!wanted)
			unlinkat(dirfd, x->d_name, 0);
	}
	if (d)
		closedir(d);
	return 0;
}

static int swap(int dirfd, const char *fresh, struct err *e)
{
	char old[256];
	ssize_t n = readlinkat(dirfd, "..data", old, sizeof old - 1);

	unlinkat(dirfd, "..data_tmp", 0);
	if (symlinkat(fresh, dirfd, "..data_tmp") < 0 || renameat(dirfd, "..data_tmp", dirfd, "..data") < 0)
		return err_sys(e, errno, "changing ..data");
	if (n > 2) {
		old[n] = 0;
		if (!strncmp(old, "..", 2) && !strchr(old, '/') && strcmp(old, fresh))
			dir_remove(dirfd, old, NULL);
	}
	return 0;
}

int atomic_write(const char *dir, const struct atomic_file *files, unsigned n, int64_t gid, struct err *e)
{
	char fresh[64], hex[17];
	AUTO(close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? err_sys(e, errno, "opening %s", dir) : 0;

	for (unsigned i = 0; i < n && r == 0; i++)
		r = check_path(files[i].path, e);
	if (r < 0 || is_same(fd, files, n, gid))
		return r;
	rand_hex(hex, 5);
	char text[CLOCK_TEXT_MAX];
	clock_rfc3339(text, clock_realtime_ns());
	fmt_into(fresh, sizeof fresh, "..%.19s.%s", text, hex);
	for (char *p = fresh; *p; p++)
		if (*p == ':' || *p == '-' || *p == 'T')
			*p = '_';
	if (mkdirat(fd, fresh, 0755) < 0)
		return err_sys(e, errno, "making %s/%s", dir, fresh);
	AUTO(close) int sub = openat(fd, fresh, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sub < 0)
		return err_sys(e, errno, "opening %s/%s", dir, fresh);
	fchmod(sub, 0755);
	if (gid >= 0 && fchown(sub, (uid_t)-1, (gid_t)gid) < 0 && errno != EPERM)
		r = err_sys(e, errno, "giving %s to group %lld", dir, (long long)gid);
	for (unsigned i = 0; i < n && r == 0; i++)
		r = write_one(sub, &files[i], gid, e);
	if (r == 0)
		r = swap(fd, fresh, e);
	if (r < 0) {
		dir_remove(fd, fresh, NULL);
		return r;
	}
	return link_all(fd, files, n, e);
}
