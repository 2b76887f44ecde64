/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the builder's cache compares: a digest over the sources of a COPY:
 * names, kinds, modes, owners, sizes, contents, attributes, link targets;
 * not times. Each record is made of lengths and bytes, so that no two trees
 * give the same text.
 */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/path.h"
#include "codec/sha256.h"
#include "unpack/unpack_int.h"

struct sum {
	struct unpack *u;
	struct sha256 hash;
};

static void add_number(struct sum *s, uint64_t v)
{
	uint8_t b[8];
	for (int i = 0; i < 8; i++)
		b[i] = (uint8_t)(v >> (8 * i));
	sha256_add(&s->hash, b, sizeof b);
}

static void add_text(struct sum *s, struct slice t)
{
	add_number(s, t.len);
	sha256_add(&s->hash, t.ptr, t.len);
}

static void add_head(struct sum *s, const char *name, const struct stat *st)
{
	add_text(s, slice_of(name));
	add_number(s, st->st_mode);
	add_number(s, st->st_uid);
	add_number(s, st->st_gid);
	add_number(s, S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode) ? st->st_rdev : 0);
	s->u->report.entries++;
}

/* Attributes and content of an open file. */
static int add_file(struct sum *s, int fd, const char *path, struct err *e)
{
	char data[65536];
	AUTO(arena) struct arena a;
	struct tar_xattr *x;
	size_t n_x;
	arena_init(&a, 8 << 20);
	int r = unpack_xattrs(fd, &a, &x, &n_x);
	if (r < 0)
		return err_sys(e, r, "read the attributes of %s", path);
	add_number(s, n_x);
	for (size_t i = 0; i < n_x; i++) {
		add_text(s, slice_of(x[i].name));
		add_text(s, x[i].value);
	}
	uint64_t total = 0;
	for (;;) {
		ssize_t n = read(fd, data, sizeof data);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "read %s", path);
		if (n == 0)
			break;
		sha256_add(&s->hash, data, (size_t)n);
		total += (uint64_t)n;
	}
	add_number(s, total);
	s->u->report.size += (int64_t)total;
	return 0;
}

static int add_below(struct sum *s, int fd, const char *prefix, int depth, struct err *e);

static int add_entry(struct sum *s, int dirfd, const char *name, const char *path, int depth, struct err *e)
{
	struct stat st;
	char link[PATH_MAX];
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "look at %s", path);
	if (S_ISSOCK(st.st_mode))
		return 0;
	add_head(s, path, &st);
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlinkat(dirfd, name, link, sizeof link);
		if (n < 0)
			return err_sys(e, errno, "read the link %s", path);
		add_text(s, slice_n(link, (size_t)n));
		return 0;
	}
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return 0;
	AUTO(close) int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "open %s", path);
	return S_ISREG(st.st_mode) ? add_file(s, fd, path, e) : add_below(s, fd, path, depth + 1, e);
}

static int add_below(struct sum *s, int fd, const char *prefix, int depth, struct err *e)
{
	AUTO(names) struct names n = { 0 };
	if (depth > UNPACK_DEPTH_MAX)
		return err_sys(e, ELOOP, "folders are too deep at %s", prefix);
	int r = unpack_names_read(fd, &n);
	if (r < 0)
		return err_sys(e, r, "list %s", prefix);
	for (size_t i = 0; r == 0 && i < n.n; i++) {
		AUTO(free) char *path = *prefix ? fmt_new("%s/%s", prefix, n.v[i]) : strdup(n.v[i]);
		r = path ? add_entry(s, fd, n.v[i], path, depth, e) : err_nomem(e);
	}
	return r;
}

int unpack_do_sum(struct unpack *u, struct err *e)
{
	struct sum s = { .u = u };
	AUTO(sources) struct sources found = { 0 };
	int r = unpack_sources_find(u, &found, e);
	if (r < 0)
		return r;
	sha256_init(&s.hash);
	AUTO(close) int base = unpack_open_in(u->source, u->job->source_dir && *u->job->source_dir ? u->job->source_dir : ".", O_RDONLY | O_DIRECTORY);
	for (size_t i = 0; r == 0 && i < found.n; i++) {
		const struct source *x = &found.v[i];
		AUTO(close) int fd = base < 0 ? base : unpack_open_in(base, x->path, O_RDONLY | O_NONBLOCK);
		if (fd < 0)
			return err_sys(e, fd, "open %s", x->path);
		if (S_ISDIR(x->st.st_mode)) {
			add_text(&s, SLICE("folder"));
			r = add_below(&s, fd, "", 0, e);
		} else {
			add_head(&s, path_base(x->path), &x->st);
			r = S_ISREG(x->st.st_mode) ? add_file(&s, fd, x->path, e) : 0;
		}
	}
	char hex[65];
	sha256_end_hex(&s.hash, hex);
	if (r == 0 && !(u->report.digest = arena_fmt(u->arena, "sha256:%s", hex)))
		r = err_nomem(e);
	return r;
}
