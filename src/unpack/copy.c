/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COPY and ADD: sources into the target by the Dockerfile's rules. Of a folder
 * its contents go; a file goes into a folder that exists or whose name ends
 * with a slash; what is there is replaced, folders are merged; owners are 0:0
 * or --chown's, times are kept.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/path.h"
#include "unpack/unpack_int.h"

struct copy {
	struct unpack *u;
	struct owner owner;
	bool keep_owner;
};

static int copy_bytes(struct copy *c, int from, int to, const char *path, struct err *e)
{
	bool plain = false;
	for (;;) {
		ssize_t n = plain ? sendfile(to, from, NULL, 1 << 30) : copy_file_range(from, NULL, to, NULL, 1 << 30, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !plain && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
			plain = true;
			continue;
		}
		/* files of proc and the like answer copy_file_range with nothing */
		if (n == 0 && !plain && lseek(to, 0, SEEK_CUR) == 0) {
			plain = true;
			continue;
		}
		if (n < 0)
			return err_sys(e, errno, "copy %s", path);
		if (n == 0)
			return 0;
		c->u->report.size += n;
	}
}

static int set_meta(struct copy *c, int fd, const struct stat *st, const char *path, struct err *e)
{
	const int64_t *chmod = c->u->job->chmod;
	uint32_t uid = c->keep_owner ? st->st_uid : c->owner.uid, gid = c->keep_owner ? st->st_gid : c->owner.gid;
	struct timespec when[2] = { st->st_mtim, st->st_mtim };
	if (fchown(fd, uid, gid) < 0 || fchmod(fd, (chmod ? (mode_t)*chmod : st->st_mode) & 07777) < 0 || futimens(fd, when) < 0)
		return err_sys(e, errno, "set the owner and mode of %s", path);
	return 0;
}

static int copy_xattrs(int from, int to, const char *path, struct err *e)
{
	AUTO(arena) struct arena a;
	struct tar_xattr *x;
	size_t n;
	arena_init(&a, 8 << 20);
	int r = unpack_xattrs(from, &a, &x, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (fsetxattr(to, x[i].name, x[i].value.ptr, x[i].value.len, 0) < 0 && errno != ENOTSUP && errno != EPERM)
			r = -errno;
	return r < 0 ? err_sys(e, r, "copy the attributes of %s", path) : 0;
}

static int copy_file(struct copy *c, int fromdir, const char *from, int todir, const char *to, const char *path, struct err *e)
{
	struct stat st;
	AUTO(close) int in = openat(fromdir, from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (in < 0 || fstat(in, &st) < 0)
		return err_sys(e, errno, "open %s", path);
	AUTO(close) int out = openat(todir, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return err_sys(e, errno, "create %s", path);
	int r = copy_bytes(c, in, out, path, e);
	if (r < 0 || (r = copy_xattrs(in, out, path, e)) < 0)
		return r;
	/* owner first: a new owner takes capabilities away */
	if ((r = set_meta(c, out, &st, path, e)) < 0)
		return r;
	return copy_xattrs(in, out, path, e);
}

static int copy_odd(struct copy *c, int fromdir, const char *from, const struct stat *st, int todir, const char *to, const char *path, struct err *e)
{
	char link[PATH_MAX];
	uint32_t uid = c->keep_owner ? st->st_uid : c->owner.uid, gid = c->keep_owner ? st->st_gid : c->owner.gid;
	struct timespec when[2] = { st->st_mtim, st->st_mtim };
	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlinkat(fromdir, from, link, sizeof link - 1);
		if (n < 0)
			return err_sys(e, errno, "read the link %s", path);
		link[n] = 0;
		if (symlinkat(link, todir, to) < 0)
			return err_sys(e, errno, "create the link %s", path);
	} else if (S_ISSOCK(st->st_mode)) {
		return 0;
	} else if (mknodat(todir, to, st->st_mode, st->st_rdev) < 0) {
		return err_sys(e, errno, "create %s", path);
	}
	if (fchownat(todir, to, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "change the owner of %s", path);
	if (!S_ISLNK(st->st_mode) && fchmodat(todir, to, st->st_mode & 07777, 0) < 0)
		return err_sys(e, errno, "set the mode of %s", path);
	utimensat(todir, to, when, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static int copy_entry(struct copy *c, int fromdir, const char *from, int todir, const char *to, const char *path, int depth, struct err *e);

static int copy_contents(struct copy *c, int from, int to, const char *path, int depth, struct err *e)
{
	AUTO(names) struct names n = { 0 };
	if (depth > UNPACK_DEPTH_MAX)
		return err_sys(e, ELOOP, "folders are too deep at %s", path);
	int r = unpack_names_read(from, &n);
	if (r < 0)
		return err_sys(e, r, "list %s", path);
	for (size_t i = 0; r == 0 && i < n.n; i++) {
		AUTO(free) char *below = fmt_new("%s/%s", path, n.v[i]);
		r = below ? copy_entry(c, from, n.v[i], to, n.v[i], below, depth + 1, e) : err_nomem(e);
	}
	return r;
}

static int copy_dir(struct copy *c, int fromdir, const char *from, int todir, const char *to, const char *path, int depth, struct err *e)
{
	struct stat st;
	AUTO(close) int in = openat(fromdir, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0 || fstat(in, &st) < 0)
		return err_sys(e, errno, "open %s", path);
	if (mkdirat(todir, to, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "create %s", path);
	AUTO(close) int out = openat(todir, to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return err_sys(e, errno, "open %s", path);
	int r = copy_contents(c, in, out, path, depth, e);
	if (r == 0)
		r = copy_xattrs(in, out, path, e);
	return r == 0 ? set_meta(c, out, &st, path, e) : r;
}

static int copy_entry(struct copy *c, int fromdir, const char *from, int todir, const char *to, const char *path, int depth, struct err *e)
{
	struct stat st, there;
	if (fstatat(fromdir, from, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "look at %s", path);
	if (fstatat(todir, to, &there, AT_SYMLINK_NOFOLLOW) == 0 && !(S_ISDIR(st.st_mode) && S_ISDIR(there.st_mode))) {
		int r = unpack_remove(todir, to);
		if (r < 0)
			return err_sys(e, r, "replace %s", path);
	}
	c->u->report.entries++;
	if (S_ISDIR(st.st_mode))
		return copy_dir(c, fromdir, from, todir, to, path, depth, e);
	if (S_ISREG(st.st_mode))
		return copy_file(c, fromdir, from, todir, to, path, e);
	return copy_odd(c, fromdir, from, &st, todir, to, path, e);
}

/* A folder for the sources' contents or files, made where nothing is. */
static int dest_dir(struct copy *c, const char *path, struct err *e)
{
	const int64_t *chmod = c->u->job->chmod;
	int fd = unpack_dirs_make(c->u->root, path, c->owner.uid, c->owner.gid, chmod ? (mode_t)*chmod & 07777 : 0755);
	return fd < 0 ? err_sys(e, fd, "create the folder %s", path) : fd;
}

/* The source again, without following: its own folder and name there, so that files are copied by name. */
static int copy_source(struct copy *c, const struct source *s, const char *dest, bool is_dir, struct err *e)
{
	if (S_ISDIR(s->st.st_mode)) {
		AUTO(close) int from = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		AUTO(close) int to = from < 0 ? -1 : dest_dir(c, dest, e);
		if (from < 0)
			return err_sys(e, errno, "open %s", s->path);
		int r = to < 0 ? to : copy_contents(c, from, to, s->path, 0, e);
		/* a volume filled from an image looks like the folder it covers */
		if (r == 0 && c->keep_owner && !strcmp(dest, "/") && (r = copy_xattrs(from, to, s->path, e)) == 0)
			r = set_meta(c, to, &s->st, s->path, e);
		return r;
	}
	AUTO(free) char *path = is_dir ? fmt_new("%s/%s", strcmp(dest, "/") ? dest : "", path_base(s->path)) : strdup(dest);
	if (!path)
		return err_nomem(e);
	const char *base = path_base(path);
	AUTO(free) char *folder = slice_dup(slice_n(path, (size_t)(base - path)));
	if (!folder)
		return err_nomem(e);
	AUTO(close) int to = unpack_dirs_make(c->u->root, folder, c->owner.uid, c->owner.gid, 0755);
	if (to < 0)
		return err_sys(e, to, "create the folder of %s", path);
	/* links on the way were followed when the source was found: find where it really is */
	AUTO(close) int base_fd = unpack_open_in(c->u->source, c->u->job->source_dir && *c->u->job->source_dir ? c->u->job->source_dir : ".", O_RDONLY | O_DIRECTORY);
	AUTO(close) int in = base_fd < 0 ? base_fd : unpack_open_in(base_fd, s->path, O_RDONLY | O_NONBLOCK);
	if (in < 0)
		return err_sys(e, in, "open %s", s->path);
	if (!S_ISREG(s->st.st_mode))
		return err_set(e, EINVAL, "cannot copy %s: it is neither a file nor a folder", s->path);
	struct stat there;
	if (fstatat(to, base, &there, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISDIR(there.st_mode))
			return err_set(e, EISDIR, "cannot copy to %s: it is a directory", path);
		if (unlinkat(to, base, 0) < 0)
			return err_sys(e, errno, "replace %s", path);
	}
	AUTO(close) int out = openat(to, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return err_sys(e, errno, "create %s", path);
	c->u->report.entries++;
	int r = copy_bytes(c, in, out, path, e);
	if (r < 0 || (r = set_meta(c, out, &s->st, path, e)) < 0)
		return r;
	return copy_xattrs(in, out, path, e);
}

int unpack_do_copy(struct unpack *u, struct err *e)
{
	struct copy c = { .u = u, .keep_owner = u->job->keep_owner && !u->job->chown };
	AUTO(sources) struct sources s = { 0 };
	const char *path = u->job->path;
	char clean[PATH_MAX + 2], dest[PATH_MAX];
	if (!path || !*path)
		return err_set(e, EINVAL, "unpack job: copy without a destination");
	size_t n = strlen(path);
	if (n > PATH_MAX - 2)
		return err_sys(e, ENAMETOOLONG, "open %s", path);
	int r = u->job->chown ? unpack_owner(u, u->job->chown, &c.owner, e) : 0;
	if (r < 0 || (r = unpack_sources_find(u, &s, e)) < 0)
		return r;
	bool slash = path[n - 1] == '/' || !strcmp(path, ".") || (n > 1 && !strcmp(path + n - 2, "/."));
	if (s.n > 1 && !slash)
		return err_set(e, EINVAL, "When using COPY with more than one source file, the destination must be a directory and end with a /");
	AUTO(free) char *rooted = fmt_new("/%s", path);
	if (!rooted)
		return err_nomem(e);
	path_clean(clean, rooted);
	if ((r = unpack_follow(u, clean, dest, sizeof dest, e)) < 0)
		return r;
	struct stat st;
	bool is_dir = slash || (fstatat(u->root, dest, &st, 0) == 0 && S_ISDIR(st.st_mode));
	for (size_t i = 0; r == 0 && i < s.n; i++)
		r = copy_source(&c, &s.v[i], dest, is_dir, e);
	if (r == 0 && u->job->sync && syncfs(u->root) < 0)
		r = err_sys(e, errno, "sync the target");
	return r;
}
