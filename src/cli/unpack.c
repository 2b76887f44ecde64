/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking below a folder. See unpack.h. Every path is resolved by the kernel beneath the folder's descriptor. */
#include "cli/unpack.h"
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"

/* The entry's name here, "" for the folder itself; -EINVAL for names that would leave it. */
static int new_name(const struct unpack *x, const char *name, char *dst, size_t size)
{
	char tidy[PATH_MAX + 2];
	const char *rest;

	if (strlen(name) >= PATH_MAX)
		return -ENAMETOOLONG;
	path_clean(tidy, name);
	rest = tidy;
	while (*rest == '/')
		rest++;
	if (strcmp(rest, "..") == 0 || strncmp(rest, "../", 3) == 0)
		return -EINVAL;
	if (name[0] == '.' && (name[1] == '/' || !name[1])) {
		/* "./a": the archive of a folder's contents */
		if (strcmp(rest, ".") == 0)
			rest = "";
		return fmt_into(dst, size, "%s%s%s", x->rename, *x->rename && *rest ? "/" : "", rest) ? 0 : -ENAMETOOLONG;
	}
	rest += strcspn(rest, "/");
	rest += *rest == '/';
	return fmt_into(dst, size, "%s%s%s", x->rename, *x->rename && *rest ? "/" : "", rest) ? 0 : -ENAMETOOLONG;
}

/* A descriptor of the folder that holds `path`, and the last component. */
static int open_parent(int root, const char *path, const char **base)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');

	*base = slash ? slash + 1 : path;
	if (!slash)
		return fcntl(root, F_DUPFD_CLOEXEC, 0);
	fmt_into(dir, sizeof dir, "%.*s", (int)(slash - path), path);
	return path_open_beneath(root, dir, O_PATH | O_DIRECTORY, 0);
}

static int write_file(struct unpack *x, struct tar_reader *r, int dir, const char *base, const struct tar_entry *t, struct err *e)
{
	enum { CHUNK = 16 << 10 };
	AUTO(close) int fd = -1;
	char chunk[CHUNK];
	int64_t at;
	ssize_t n;

	unlinkat(dir, base, 0);
	fd = openat(dir, base, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "open %s", base);
	while ((n = tar_data(r, chunk, sizeof chunk, &at, e)) > 0) {
		if (pwrite(fd, chunk, (size_t)n, at) != n)
			return err_sys(e, errno ? errno : EIO, "write %s", base);
		x->bytes += n;
	}
	if (n < 0)
		return (int)n;
	if (ftruncate(fd, t->size_bytes) < 0 || (x->owner && fchown(fd, t->uid, t->gid) < 0 && geteuid() == 0) || fchmod(fd, t->mode) < 0)
		return err_sys(e, errno, "finish %s", base);
	return 0;
}

static int make_entry(struct unpack *x, struct tar_reader *r, int root, const struct tar_entry *t, const char *path, struct err *e)
{
	struct timespec times[2] = { { 0, UTIME_OMIT }, { (time_t)(t->mtime_ns / NS_PER_S), 0 } };
	char link[PATH_MAX];
	const char *base;
	AUTO(close) int dir = open_parent(root, path, &base);
	int ret = 0;

	if (dir < 0)
		return err_sys(e, errno ? errno : ENOENT, "open the folder of %s", path);
	switch (t->type) {
	case TAR_DIR:
		if (mkdirat(dir, base, 0700) < 0 && errno != EEXIST)
			return err_sys(e, errno, "make the folder %s", path);
		if (fchmodat(dir, base, t->mode | 0700, 0) < 0)
			return err_sys(e, errno, "chmod %s", path);
		if (x->owner)
			ret = fchownat(dir, base, t->uid, t->gid, AT_SYMLINK_NOFOLLOW);
		break;
	case TAR_SYMLINK:
		unlinkat(dir, base, 0);
		if (symlinkat(t->link, dir, base) < 0)
			return err_sys(e, errno, "make the link %s", path);
		break;
	case TAR_HARDLINK: {
		const char *old;
		if (new_name(x, t->link, link, sizeof link) < 0)
			return err_set(e, EINVAL, "the archive's link %s leads out of it", t->link);
		AUTO(close) int from = open_parent(root, link, &old);
		unlinkat(dir, base, 0);
		if (from < 0 || linkat(from, old, dir, base, 0) < 0)
			return err_sys(e, errno, "make the link %s", path);
		return 0;
	}
	case TAR_FILE:
		if ((ret = write_file(x, r, dir, base, t, e)) < 0)
			return ret;
		break;
	case TAR_FIFO:
		unlinkat(dir, base, 0);
		if (mkfifoat(dir, base, t->mode) < 0)
			return err_sys(e, errno, "make the pipe %s", path);
		break;
	default:
		return 0;     /* devices stay in the container */
	}
	(void)ret;
	utimensat(dir, base, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

int unpack_run_wait(struct unpack *x, const char *folder, struct err *e)
{
	AUTO(close) int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct tar_reader reader;
	struct tar_entry t;
	char path[PATH_MAX];
	int r;

	if (root < 0)
		return err_sys(e, errno, "open %s", folder);
	tar_reader_init(&reader, x->read, x->arg);
	while ((r = tar_next(&reader, &t, e)) > 0) {
		if (new_name(x, t.name, path, sizeof path) < 0) {
			r = err_set(e, EINVAL, "the archive's name %s leads out of it", t.name);
			break;
		}
		if (*path && (r = make_entry(x, &reader, root, &t, path, e)) < 0)
			break;
	}
	tar_reader_release(&reader);
	return r < 0 ? r : 0;
}
