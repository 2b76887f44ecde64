/* SPDX-License-Identifier: Apache-2.0 */
/* What `docker cp` asks before it copies: HEAD …/archive. */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "unpack/unpack_int.h"

uint32_t unpack_go_mode(mode_t m)
{
	static const struct { mode_t kind; uint32_t go; } kinds[] = {
		{ S_IFDIR, 1u << 31 }, { S_IFLNK, 1u << 27 }, { S_IFIFO, 1u << 25 }, { S_IFSOCK, 1u << 24 },
		{ S_IFBLK, 1u << 26 }, { S_IFCHR, 1u << 26 | 1u << 21 },
	};
	uint32_t go = m & 0777;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if ((m & S_IFMT) == kinds[i].kind)
			go |= kinds[i].go;
	return go | (m & S_ISUID ? 1u << 23 : 0) | (m & S_ISGID ? 1u << 22 : 0) | (m & S_ISVTX ? 1u << 20 : 0);
}

int unpack_follow(struct unpack *u, const char *path, char *dst, size_t size, struct err *e)
{
	char now[PATH_MAX], link[PATH_MAX], next[2 * PATH_MAX + 2];
	if (!fmt_into(now, sizeof now, "%s", path))
		return err_sys(e, ENAMETOOLONG, "follow %s", path);
	for (int hops = 0; hops < 255; hops++) {
		/* the first link on the way, from the left */
		size_t at = 1, len = strlen(now);
		ssize_t n = -1;
		while (at <= len && n < 0) {
			size_t end = at + strcspn(now + at, "/");
			char saved = now[end];
			now[end] = 0;
			if (end > 1)
				n = readlinkat(u->root, now, link, sizeof link - 1);
			now[end] = saved;
			if (n < 0)
				at = end + 1;
		}
		if (n < 0)
			return fmt_into(dst, size, "%s", now) ? 0 : err_sys(e, ENAMETOOLONG, "follow %s", path);
		link[n] = 0;
		size_t end = at + strcspn(now + at, "/");
		fmt_into(next, sizeof next, "/%.*s/%s%s", link[0] == '/' ? 0 : (int)at, now, link, now + end);
		char clean[sizeof next + 2];
		path_clean(clean, next);
		if (!fmt_into(now, sizeof now, "%s", clean))
			return err_sys(e, ENAMETOOLONG, "follow %s", path);
	}
	return err_sys(e, ELOOP, "follow %s", path);
}

/* Fills u->report.stat; *st too. path is absolute as the user gave it. */
static int stat_path(struct unpack *u, const char *path, struct stat *st, struct err *e)
{
	AUTO(close) int fd = unpack_open(u->root, path, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0 || fstat(fd, st) < 0)
		return err_sys(e, fd < 0 ? fd : errno, "lstat %s", path);
	struct unpack_stat *s = arena_new(u->arena, struct unpack_stat);
	char *when = arena_alloc(u->arena, CLOCK_TEXT_MAX), *link = arena_alloc(u->arena, PATH_MAX), *name = arena_strdup(u->arena, path);
	if (!s || !when || !link || !name)
		return err_nomem(e);
	size_t n = strlen(name);
	while (n > 1 && name[n - 1] == '/')
		name[--n] = 0;
	s->name = n == 1 ? "/" : path_base(name);
	s->size = st->st_size;
	s->mode = unpack_go_mode(st->st_mode);
	clock_rfc3339_nano(when, st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec);
	s->mtime = when;
	s->link_target = "";
	if (S_ISLNK(st->st_mode)) {
		char clean[PATH_MAX + 2];
		if (n > PATH_MAX)
			return err_sys(e, ENAMETOOLONG, "lstat %s", path);
		path_clean(clean, name);
		int r = unpack_follow(u, clean, link, PATH_MAX, e);
		if (r < 0)
			return r;
		s->link_target = link;
	}
	u->report.stat = s;
	return 0;
}

int unpack_do_stat(struct unpack *u, struct err *e)
{
	struct stat st;
	return stat_path(u, u->job->path ? u->job->path : "/", &st, e);
}
