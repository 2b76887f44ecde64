/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `docker diff`: what an upper folder changes of the layers below it. A folder
 * counts as changed when its own mode or owner differ or something in it does;
 * a deleted folder is named once; sorted by path. "/" is the layers below.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/vec.h"
#include "unpack/unpack_int.h"

enum { CHANGES_MAX = 1 << 20 };
enum { MODIFIED, ADDED, DELETED };

struct diff {
	struct unpack *u;
	VEC(struct unpack_change) list;
};

static int note(struct diff *d, const char *path, int kind, struct err *e)
{
	char *copy = arena_fmt(d->u->arena, "/%s", path);
	if (!copy || d->list.n >= CHANGES_MAX || vec_push(&d->list, (struct unpack_change){ copy, kind }) < 0)
		return err_nomem(e);
	return 0;
}

static bool differs(const struct stat *a, const struct stat *b)
{
	if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		return true;
	if (S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode))
		return a->st_rdev != b->st_rdev;
	if (S_ISDIR(a->st_mode))
		return false;
	return a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

static int walk(struct diff *d, int upper, int lower, const char *path, int depth, struct err *e);

/* What an opaque folder hides: everything of the lower one that it has not itself. */
static int hidden(struct diff *d, int upper, int lower, const char *path, struct err *e)
{
	AUTO(names) struct names n = { 0 };
	struct stat st;
	int r = lower < 0 ? 0 : unpack_names_read(lower, &n);
	for (size_t i = 0; r == 0 && i < n.n; i++) {
		AUTO(free) char *below = *path ? fmt_new("%s/%s", path, n.v[i]) : strdup(n.v[i]);
		if (!below)
			return err_nomem(e);
		if (fstatat(upper, n.v[i], &st, AT_SYMLINK_NOFOLLOW) < 0 && !unpack_is_skipped(d->u->job, below))
			r = note(d, below, DELETED, e);
	}
	return r;
}

static int entry(struct diff *d, int upper, int lower, const char *name, const char *path, int depth, struct err *e)
{
	struct stat now, was;
	if (fstatat(upper, name, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "look at %s", path);
	bool existed = lower >= 0 && fstatat(lower, name, &was, AT_SYMLINK_NOFOLLOW) == 0;
	if (unpack_is_whiteout(&now))
		return existed ? note(d, path, DELETED, e) : 0;
	size_t at = d->list.n;
	int r = 0;
	bool changed = !existed || differs(&now, &was);
	if (changed && (r = note(d, path, existed ? MODIFIED : ADDED, e)) < 0)
		return r;
	if (!S_ISDIR(now.st_mode))
		return 0;
	AUTO(close) int up = openat(upper, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO(close) int low = existed && S_ISDIR(was.st_mode) ? openat(lower, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	if (up < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "open %s", path);
	r = walk(d, up, low, path, depth + 1, e);
	/* something below it has changed, and with that it */
	if (r == 0 && !changed && d->list.n > at) {
		if ((r = note(d, path, MODIFIED, e)) < 0)
			return r;
		struct unpack_change mine = d->list.v[d->list.n - 1];
		memmove(&d->list.v[at + 1], &d->list.v[at], (d->list.n - 1 - at) * sizeof mine);
		d->list.v[at] = mine;
	}
	return r;
}

static int walk(struct diff *d, int upper, int lower, const char *path, int depth, struct err *e)
{
	AUTO(names) struct names n = { 0 };
	if (depth > UNPACK_DEPTH_MAX)
		return err_sys(e, ELOOP, "folders are too deep at %s", path);
	int r = unpack_names_read(upper, &n);
	if (r < 0)
		return err_sys(e, r, "list %s", path);
	for (size_t i = 0; r == 0 && i < n.n; i++) {
		AUTO(free) char *below = *path ? fmt_new("%s/%s", path, n.v[i]) : strdup(n.v[i]);
		if (!below)
			return err_nomem(e);
		if (!unpack_is_skipped(d->u->job, below))
			r = entry(d, upper, lower, n.v[i], below, depth, e);
	}
	if (r == 0 && lower >= 0 && unpack_is_opaque(d->u->helper, upper))
		r = hidden(d, upper, lower, path, e);
	return r;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct unpack_change *)a)->path, ((const struct unpack_change *)b)->path);
}

int unpack_do_changes(struct unpack *u, struct err *e)
{
	struct diff d = { .u = u };
	int r = walk(&d, u->upper, u->root, "", 0, e);
	if (r == 0 && d.list.n)
		qsort(d.list.v, d.list.n, sizeof *d.list.v, by_path);
	struct unpack_change *kept = r == 0 ? arena_array(u->arena, d.list.n + 1, sizeof *kept) : NULL;
	if (kept) {
		if (d.list.n)
			memcpy(kept, d.list.v, d.list.n * sizeof *kept);
		u->report.changes = kept;
		u->report.n_changes = (uint32_t)d.list.n;
		u->report.entries = (int64_t)d.list.n;
	}
	vec_release(&d.list);
	return r < 0 ? r : kept ? 0 : err_nomem(e);
}
