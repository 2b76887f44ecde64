/* SPDX-License-Identifier: Apache-2.0 */
/* The small jobs: folders (WORKDIR, mount points), the size of a tree. */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/map.h"
#include "base/path.h"
#include "unpack/unpack_int.h"

/* The folder of a path, made when missing; *base is the last piece. */
static int folder_of(struct unpack *u, const char *path, const struct owner *o, char clean[PATH_MAX + 2], const char **base, struct err *e)
{
	if (strlen(path) > PATH_MAX - 2)
		return err_sys(e, ENAMETOOLONG, "create %s", path);
	AUTO(free) char *rooted = fmt_new("/%s", path);
	if (!rooted)
		return err_nomem(e);
	path_clean(clean, rooted);
	*base = path_base(clean);
	AUTO(free) char *folder = slice_dup(slice_n(clean, (size_t)(*base - clean)));
	if (!folder)
		return err_nomem(e);
	int fd = unpack_dirs_make(u->root, folder, o->uid, o->gid, 0755);
	return fd < 0 ? err_sys(e, fd, "create the folder of %s", path) : fd;
}

static int make_file(struct unpack *u, const char *path, const struct owner *o, struct err *e)
{
	char clean[PATH_MAX + 2];
	const char *base;
	AUTO(close) int dir = folder_of(u, path, o, clean, &base, e);
	if (dir < 0)
		return dir;
	AUTO(close) int fd = openat(dir, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755);
	if (fd < 0)
		return errno == EEXIST ? 0 : err_sys(e, errno, "create %s", path);
	u->report.entries++;
	return fchown(fd, o->uid, o->gid) < 0 ? err_sys(e, errno, "change the owner of %s", path) : 0;
}

static int make_link(struct unpack *u, const char *path, const char *target, const struct owner *o, struct err *e)
{
	char clean[PATH_MAX + 2];
	const char *base;
	AUTO(close) int dir = folder_of(u, path, o, clean, &base, e);
	if (dir < 0)
		return dir;
	if (symlinkat(target, dir, base) < 0)
		return errno == EEXIST ? 0 : err_sys(e, errno, "create the link %s", path);
	u->report.entries++;
	return 0;
}

int unpack_do_mkdir(struct unpack *u, struct err *e)
{
	const struct unpack_job *j = u->job;
	struct owner o = { 0 };
	int r = j->chown ? unpack_owner(u, j->chown, &o, e) : 0;
	for (uint32_t i = 0; r == 0 && i < j->n_paths; i++) {
		int fd = unpack_dirs_make(u->root, j->paths[i], o.uid, o.gid, j->chmod ? (mode_t)*j->chmod & 07777 : 0755);
		if (fd == -ENOTDIR)
			return err_set(e, ENOTDIR, "Cannot mkdir: %s is not a directory", j->paths[i]);
		if (fd < 0)
			return err_sys(e, fd, "create the folder %s", j->paths[i]);
		close(fd);
	}
	for (uint32_t i = 0; r == 0 && i < j->n_files; i++)
		r = make_file(u, j->files[i], &o, e);
	for (uint32_t i = 0; r == 0 && i < j->n_links; i++)
		r = make_link(u, j->links[i].key, j->links[i].value, &o, e);
	return r;
}

struct du {
	struct unpack *u;
	struct map seen;      /* dev:ino of files with several names */
};

static int du_below(struct du *d, int fd, const char *path, int depth, struct err *e)
{
	AUTO(names) struct names n = { 0 };
	if (depth > UNPACK_DEPTH_MAX)
		return err_sys(e, ELOOP, "folders are too deep at %s", path);
	int r = unpack_names_read(fd, &n);
	if (r < 0)
		return err_sys(e, r, "list %s", path);
	for (size_t i = 0; r == 0 && i < n.n; i++) {
		struct stat st;
		char key[48];
		if (fstatat(fd, n.v[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		d->u->report.entries++;
		if (S_ISDIR(st.st_mode)) {
			AUTO(close) int below = openat(fd, n.v[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (below >= 0)
				r = du_below(d, below, n.v[i], depth + 1, e);
			continue;
		}
		if (st.st_nlink > 1) {
			fmt_into(key, sizeof key, "%llx:%llx", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
			if (map_gets(&d->seen, key))
				continue;
			if (map_sets(&d->seen, key, d) < 0)
				return err_nomem(e);
		}
		d->u->report.size += st.st_size;
	}
	return r;
}

int unpack_do_du(struct unpack *u, struct err *e)
{
	struct du d = { .u = u };
	map_init(&d.seen);
	int r = du_below(&d, u->root, "/", 0, e);
	map_release(&d.seen);
	return r;
}
