/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tar to files: layers into overlay form, and `docker cp` into a folder. The
 * archive is a stranger's; "/" is the target, so that the worst path leads
 * back into it. A name that leaves it is refused all the same.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/vec.h"
#include "unpack/unpack_int.h"

enum { COPY_BYTES = 1 << 18, DIR_TIMES_MAX = 4 << 20 };

struct dir_time { char *path; int64_t mtime_ns; };
struct apply {
	struct unpack *u;
	struct tar_reader tar;
	int root;                     /* folder that names are relative to */
	bool is_layer;
	bool chown;
	struct owner owner;
	char *parent;                 /* path of parent_fd, "" the root */
	int parent_fd;
	VEC(struct dir_time) times;   /* folders get theirs when nothing more is put into them */
	char *data;
	int64_t bytes, entries;
};

static ssize_t from_stdin(void *arg, void *p, size_t n)
{
	ssize_t r;
	do
		r = read(0, p, n);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static void forget_parent(struct apply *a)
{
	if (a->parent_fd >= 0)
		close(a->parent_fd);
	free(a->parent);
	a->parent = NULL;
	a->parent_fd = -1;
}

/* Descriptor (ours, kept until the next call) of the folder that holds `path`. */
static int parent_of(struct apply *a, const char *path, struct err *e)
{
	const char *base = path_base(path);
	size_t n = base == path ? 0 : (size_t)(base - path) - 1;
	if (a->parent && strlen(a->parent) == n && !memcmp(a->parent, path, n))
		return a->parent_fd;
	forget_parent(a);
	char *dir = slice_dup(slice_n(path, n));
	if (!dir)
		return err_nomem(e);
	int fd = unpack_dirs_make(a->root, dir, a->chown ? a->owner.uid : 0, a->chown ? a->owner.gid : 0, 0755);
	if (fd < 0) {
		err_sys(e, fd, "open the folder of %s", path);
		free(dir);
		return fd;
	}
	a->parent = dir;
	return a->parent_fd = fd;
}

/* Makes room for an entry of another kind than what is there. */
static int clear_way(struct apply *a, int dir, const char *name, const char *path, const struct tar_entry *t, struct err *e)
{
	struct stat st;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "look at %s", path);
	bool was_dir = S_ISDIR(st.st_mode), is_dir = t->type == TAR_DIR;
	if (was_dir && is_dir)
		return 0;
	if (a->u->job->no_overwrite_dir_non_dir && was_dir != is_dir)
		return err_set(e, EINVAL, "cannot overwrite %s \"%s\" with %s \"%s\"", was_dir ? "directory" : "non-directory", path,
			       is_dir ? "directory" : "non-directory", t->name);
	int r = unpack_remove(dir, name);
	/* a later name may lead through what is now gone */
	if (was_dir || S_ISLNK(st.st_mode))
		forget_parent(a);
	return r < 0 ? err_sys(e, r, "replace %s", path) : 0;
}

static int write_data(struct apply *a, int fd, const struct tar_entry *t, const char *path, struct err *e)
{
	int64_t off, end = 0;
	ssize_t n;
	while ((n = tar_data(&a->tar, a->data, COPY_BYTES, &off, e)) > 0) {
		for (ssize_t done = 0; done < n;) {
			ssize_t w = pwrite(fd, a->data + done, (size_t)(n - done), off + done);
			if (w < 0 && errno == EINTR)
				continue;
			if (w < 0)
				return err_sys(e, errno, "write %s", path);
			done += w;
		}
		end = off + n;
		a->bytes += n;
	}
	if (n < 0)
		return (int)n;
	if (end < t->size_bytes && ftruncate(fd, t->size_bytes) < 0)
		return err_sys(e, errno, "write %s", path);
	return 0;
}

static struct timespec spec_of(int64_t ns)
{
	int64_t s = ns / 1000000000, rest = ns % 1000000000;
	return (struct timespec){ rest < 0 ? s - 1 : s, rest < 0 ? rest + 1000000000 : rest };
}

static int set_xattrs(int fd, const struct tar_entry *t, const char *path, struct err *e)
{
	for (size_t i = 0; i < t->n_xattrs; i++) {
		const struct tar_xattr *x = &t->xattrs[i];
		if (!strncmp(x->name, "trusted.", 8) || !strncmp(x->name, "user.overlay.", 13))
			continue;
		if (fsetxattr(fd, x->name, x->value.ptr, x->value.len, 0) < 0 && errno != ENOTSUP && errno != EPERM)
			return err_sys(e, errno, "set %s of %s", x->name, path);
	}
	return 0;
}

static int chown_at(struct apply *a, int dir, const char *name, const struct tar_entry *t, const char *path, struct err *e)
{
	uid_t uid = a->chown ? a->owner.uid : t->uid;
	gid_t gid = a->chown ? a->owner.gid : t->gid;
	return fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0 ? err_sys(e, errno, "change the owner of %s", path) : 0;
}

static int make_file(struct apply *a, int dir, const char *name, const struct tar_entry *t, const char *path, struct err *e)
{
	AUTO(close) int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, errno, "create %s", path);
	struct timespec when[2] = { spec_of(t->mtime_ns), spec_of(t->mtime_ns) };
	int r = write_data(a, fd, t, path, e);
	if (r < 0 || (r = chown_at(a, fd, "", t, path, e)) < 0 || (r = set_xattrs(fd, t, path, e)) < 0)
		return r;
	if (fchmod(fd, t->mode) < 0 || futimens(fd, when) < 0)
		return err_sys(e, errno, "set the mode of %s", path);
	return 0;
}

static int make_dir(struct apply *a, int dir, const char *name, const struct tar_entry *t, const char *path, struct err *e)
{
	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "create %s", path);
	AUTO(close) int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "open %s", path);
	int r = chown_at(a, fd, "", t, path, e);
	if (r < 0 || (r = set_xattrs(fd, t, path, e)) < 0)
		return r;
	if (fchmod(fd, t->mode) < 0)
		return err_sys(e, errno, "set the mode of %s", path);
	char *copy = a->times.n < DIR_TIMES_MAX ? strdup(path) : NULL;
	if (!copy || vec_push(&a->times, (struct dir_time){ copy, t->mtime_ns }) < 0) {
		free(copy);
		return err_nomem(e);
	}
	return 0;
}

static int make_node(struct apply *a, int dir, const char *name, const struct tar_entry *t, const char *path, struct err *e)
{
	mode_t kind = t->type == TAR_CHAR ? S_IFCHR : t->type == TAR_BLOCK ? S_IFBLK : S_IFIFO;
	/* 0/0 is how overlay says "deleted": an archive says that with a name */
	if (a->is_layer && kind == S_IFCHR && !t->dev_major && !t->dev_minor)
		return err_set(e, EINVAL, "refused device 0:0 at %s", path);
	if (mknodat(dir, name, kind | 0600, kind == S_IFIFO ? 0 : makedev(t->dev_major, t->dev_minor)) < 0)
		return err_sys(e, errno, "create %s", path);
	struct timespec when[2] = { spec_of(t->mtime_ns), spec_of(t->mtime_ns) };
	int r = chown_at(a, dir, name, t, path, e);
	if (r < 0)
		return r;
	if (fchmodat(dir, name, t->mode, 0) < 0 || utimensat(dir, name, when, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "set the mode of %s", path);
	return 0;
}

static int make_symlink(struct apply *a, int dir, const char *name, const struct tar_entry *t, const char *path, struct err *e)
{
	if (symlinkat(t->link, dir, name) < 0)
		return err_sys(e, errno, "create the link %s", path);
	struct timespec when[2] = { spec_of(t->mtime_ns), spec_of(t->mtime_ns) };
	int r = chown_at(a, dir, name, t, path, e);
	if (r == 0 && utimensat(dir, name, when, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "set the time of %s", path);
	return r;
}

static int make_hardlink(struct apply *a, int dir, const char *name, const struct tar_entry *t, const char *path, struct err *e)
{
	AUTO(free) char *target = malloc(strlen(t->link) + 2);
	if (!target)
		return err_nomem(e);
	if (unpack_path_inside(target, t->link) < 0)
		return err_set(e, EINVAL, "refused hard link %s: its target %s is outside", path, t->link);
	const char *base = path_base(target);
	AUTO(free) char *folder = slice_dup(slice_n(target, (size_t)(base - target)));
	if (!folder)
		return err_nomem(e);
	AUTO(close) int from = unpack_open(a->root, *folder ? folder : ".", O_RDONLY | O_DIRECTORY, 0);
	if (from < 0)
		return err_sys(e, from, "link %s to %s", path, t->link);
	return linkat(from, base, dir, name, 0) < 0 ? err_sys(e, errno, "link %s to %s", path, t->link) : 0;
}

/* ".wh.x" deletes x of the layers below; ".wh..wh..opq" everything of the folder. */
static int whiteout(struct apply *a, int dir, const char *name, const char *path, struct err *e)
{
	if (!strcmp(name, ".wh..wh..opq")) {
		int r = unpack_set_opaque(a->u->helper, dir);
		return r < 0 ? err_sys(e, r, "make the folder of %s opaque", path) : 0;
	}
	if (!strncmp(name, ".wh..wh.", 8))
		return 0; /* AUFS' own bookkeeping */
	const char *victim = name + 4;
	if (!path_is_name(slice_of(victim)))
		return err_set(e, EINVAL, "refused whiteout %s", path);
	if (mknodat(dir, victim, S_IFCHR, makedev(0, 0)) == 0)
		return 0;
	/* also a file of this very layer goes */
	int r = errno == EEXIST ? unpack_remove(dir, victim) : -errno;
	forget_parent(a);
	if (r == 0 && (dir = parent_of(a, path, e)) < 0)
		return dir;
	if (r == 0 && mknodat(dir, victim, S_IFCHR, makedev(0, 0)) < 0)
		r = -errno;
	return r < 0 ? err_sys(e, r, "delete %s", path) : 0;
}

/* The root's own entry: "./". */
static int set_root(struct apply *a, const struct tar_entry *t, struct err *e)
{
	if (t->type != TAR_DIR || !a->is_layer)
		return 0;
	int r = chown_at(a, a->root, "", t, "/", e);
	if (r == 0 && fchmod(a->root, t->mode) < 0)
		return err_sys(e, errno, "set the mode of /");
	return r;
}

static int apply_entry(struct apply *a, const struct tar_entry *t, struct err *e)
{
	AUTO(free) char *path = malloc(strlen(t->name) + 2);
	if (!path)
		return err_nomem(e);
	if (unpack_path_inside(path, t->name) < 0)
		return err_set(e, EINVAL, "refused %s: it is outside", t->name);
	if (!strcmp(path, "."))
		return set_root(a, t, e);
	int dir = parent_of(a, path, e);
	if (dir < 0)
		return dir;
	const char *name = path_base(path);
	if (a->is_layer && !strncmp(name, ".wh.", 4))
		return whiteout(a, dir, name, path, e);
	int r = clear_way(a, dir, name, path, t, e);
	if (r < 0 || (dir = parent_of(a, path, e)) < 0)
		return r < 0 ? r : dir;
	switch (t->type) {
	case TAR_FILE:
		return make_file(a, dir, name, t, path, e);
	case TAR_DIR:
		return make_dir(a, dir, name, t, path, e);
	case TAR_SYMLINK:
		return make_symlink(a, dir, name, t, path, e);
	case TAR_HARDLINK:
		return make_hardlink(a, dir, name, t, path, e);
	case TAR_CHAR:
	case TAR_BLOCK:
	case TAR_FIFO:
		return make_node(a, dir, name, t, path, e);
	default:
		return err_set(e, EINVAL, "unhandled tar header type %d at %s", t->type, path);
	}
}

static void set_times(struct apply *a)
{
	for (size_t i = a->times.n; i-- > 0;) {
		struct timespec when[2] = { spec_of(a->times.v[i].mtime_ns), spec_of(a->times.v[i].mtime_ns) };
		AUTO(close) int fd = unpack_open(a->root, a->times.v[i].path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
		/* one that a later entry has replaced keeps its own */
		if (fd >= 0)
			futimens(fd, when);
	}
}

static int apply_all(struct apply *a, struct err *e)
{
	struct tar_entry t;
	int r;
	a->parent_fd = -1;
	tar_reader_init(&a->tar, from_stdin, NULL);
	fcntl(0, F_SETPIPE_SZ, 1 << 20);
	if (!(a->data = malloc(COPY_BYTES)))
		return err_nomem(e);
	while ((r = tar_next(&a->tar, &t, e)) > 0) {
		a->entries++;
		if ((r = apply_entry(a, &t, e)) < 0)
			break;
	}
	if (r == 0)
		r = tar_drain(&a->tar, e);
	if (r == 0)
		set_times(a);
	if (r == 0 && a->u->job->sync && syncfs(a->root) < 0)
		r = err_sys(e, errno, "sync the target");
	forget_parent(a);
	tar_reader_release(&a->tar);
	for (size_t i = 0; i < a->times.n; i++)
		free(a->times.v[i].path);
	vec_release(&a->times);
	free(a->data);
	a->u->report.size = a->bytes;
	a->u->report.entries = a->entries;
	return r;
}

int unpack_do_layer(struct unpack *u, struct err *e)
{
	struct apply a = { .u = u, .root = u->root, .is_layer = true };
	return apply_all(&a, e);
}

int unpack_do_extract(struct unpack *u, struct err *e)
{
	struct apply a = { .u = u };
	const char *path = u->job->path ? u->job->path : "/";
	AUTO(close) int dir = unpack_open(u->root, path, O_RDONLY | O_DIRECTORY, 0);
	if (dir == -ENOTDIR)
		return err_set(e, ENOTDIR, "extraction point is not a directory");
	if (dir < 0)
		return err_sys(e, dir, "open %s", path);
	int r = u->job->chown ? unpack_owner(u, u->job->chown, &a.owner, e) : 0;
	if (r < 0)
		return r;
	a.root = dir;
	a.chown = u->job->chown;
	return apply_all(&a, e);
}
