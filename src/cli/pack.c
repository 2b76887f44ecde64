/* SPDX-License-Identifier: Apache-2.0 */
/* Packing files into tar. See pack.h. */
#include "cli/pack.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "base/auto.h"
#include "base/clock.h"
#include "base/vec.h"
#include "codec/tar.h"

enum { ENTRIES_MAX = 4 << 20, DEPTH_MAX = 100 /* a fiber walks: its stack is small */ };

struct item {
	const char *path, *name, *link;
	struct slice text;          /* contents from memory when path is NULL */
	struct stat st;
};
struct pack {
	struct stream s;
	struct arena arena;
	VEC(struct item) items;
	size_t at;
	struct buf out;             /* header or padding waiting to go */
	size_t out_at;
	int fd;                     /* of the file being sent */
	int64_t left, size;
	bool owner, ended, in_file;
	int64_t bytes;
	struct err error;
	void (*progress)(void *arg, int64_t bytes);
	void *arg;
};

/* --- walking -------------------------------------------------------------------- */

static int add_item(struct pack *p, const char *path, const char *name, const struct stat *st, struct err *e)
{
	struct item it = { .path = arena_strdup(&p->arena, path), .st = *st };
	char target[PATH_MAX];

	if (p->items.n == ENTRIES_MAX)
		return err_set(e, E2BIG, "too many files below %s", path);
	it.name = S_ISDIR(st->st_mode) ? arena_fmt(&p->arena, "%s/", name) : arena_strdup(&p->arena, name);
	it.link = "";
	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlink(path, target, sizeof target - 1);
		if (n < 0)
			return err_sys(e, errno, "read the link %s", path);
		it.link = arena_dup(&p->arena, slice_n(target, (size_t)n));
	}
	return !it.path || !it.name || !it.link || vec_push(&p->items, it) < 0 ? err_nomem(e) : 0;
}

static int no_dots(const struct dirent *d)
{
	return strcmp(d->d_name, ".") && strcmp(d->d_name, "..");
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* rel: path from the root of the walk, for the patterns. */
static int walk(struct pack *p, const char *path, const char *name, const char *rel, const struct ignore *ignore, int depth, struct err *e)
{
	struct stat st;
	bool skip = ignore && *rel && ignore_matches(ignore, rel);
	int r = 0;

	if (lstat(path, &st) < 0)
		return err_set(e, errno, "lstat %s: %s", path, errno == ENOENT ? "no such file or directory" : strerror(errno));
	if (depth > DEPTH_MAX)
		return err_set(e, ELOOP, "%s: too deep", path);
	if (skip && (!S_ISDIR(st.st_mode) || !ignore->has_exceptions || !ignore_may_keep_below(ignore, rel)))
		return 0;
	if (S_ISSOCK(st.st_mode))
		return 0;
	if (!skip && *name && (r = add_item(p, path, name, &st, e)) < 0)
		return r;
	if (!S_ISDIR(st.st_mode))
		return 0;
	struct dirent **v;
	int n = scandir(path, &v, no_dots, by_bytes);
	if (n < 0)
		return err_set(e, errno, "open %s: %s", path, errno == EACCES ? "permission denied" : strerror(errno));
	for (int i = 0; i < n; i++) {
		char *below = fmt_new("%s/%s", path, v[i]->d_name), *inner = fmt_new("%s%s%s", name, *name ? "/" : "", v[i]->d_name),
		     *relative = fmt_new("%s%s%s", rel, *rel ? "/" : "", v[i]->d_name);
		if (r >= 0)
			r = !below || !inner || !relative ? err_nomem(e) : walk(p, below, inner, relative, ignore, depth + 1, e);
		free(below);
		free(inner);
		free(relative);
		free(v[i]);
	}
	free(v);
	return r;
}

int pack_add(struct pack *p, const char *root, const char *prefix, const struct ignore *ignore, bool owner, struct err *e)
{
	p->owner = owner;
	return walk(p, root, prefix, "", ignore, 0, e);
}

int pack_add_text(struct pack *p, const char *name, struct slice text)
{
	struct item it = { .name = arena_strdup(&p->arena, name), .link = "" };

	it.text = slice_n(arena_dup(&p->arena, text), text.len);
	it.st.st_mode = S_IFREG | 0600;
	it.st.st_size = (off_t)text.len;
	it.st.st_mtime = clock_realtime_ns() / NS_PER_S;
	for (size_t i = 0; i < p->items.n; i++)
		if (strcmp(p->items.v[i].name, name) == 0) {
			p->items.v[i] = it;
			return 0;
		}
	return it.name && it.text.ptr ? vec_push(&p->items, it) : -ENOMEM;
}

/* --- sending -------------------------------------------------------------------- */

static char type_of(mode_t m)
{
	switch (m & S_IFMT) {
	case S_IFDIR: return TAR_DIR;
	case S_IFLNK: return TAR_SYMLINK;
	case S_IFCHR: return TAR_CHAR;
	case S_IFBLK: return TAR_BLOCK;
	case S_IFIFO: return TAR_FIFO;
	default: return TAR_FILE;
	}
}

static int next_item(struct pack *p)
{
	struct item *it = &p->items.v[p->at++];
	struct tar_entry t = { .type = type_of(it->st.st_mode), .name = it->name, .link = it->link, .uname = "", .gname = "",
			       .mode = it->st.st_mode & 07777, .mtime_ns = (int64_t)it->st.st_mtime * NS_PER_S };
	struct stat st;

	if (p->owner) {
		t.uid = it->st.st_uid;
		t.gid = it->st.st_gid;
	}
	if (t.type == TAR_CHAR || t.type == TAR_BLOCK) {
		t.dev_major = major(it->st.st_rdev);
		t.dev_minor = minor(it->st.st_rdev);
	}
	p->in_file = t.type == TAR_FILE;
	if (p->in_file && it->path) {
		p->fd = open(it->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (p->fd < 0)
			return err_set(&p->error, errno, "open %s: %s", it->path, errno == EACCES ? "permission denied" : strerror(errno));
		if (fstat(p->fd, &st) == 0)
			it->st.st_size = st.st_size;
	}
	p->size = p->left = t.size_bytes = p->in_file ? it->st.st_size : 0;
	tar_put_header(&p->out, &t);
	if (p->in_file && !it->path) {
		buf_addslice(&p->out, it->text);
		p->left = 0;
	}
	return buf_error(&p->out);
}

static int finish_file(struct pack *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->in_file = false;
	tar_put_padding(&p->out, p->size);
	return 0;
}

static ssize_t pack_read(struct stream *s, void *dst, size_t n)
{
	struct pack *p = container_of(s, struct pack, s);
	ssize_t got;
	int r;

	for (;;) {
		if (p->out_at < p->out.len) {
			size_t take = MIN(n, p->out.len - p->out_at);
			memcpy(dst, p->out.ptr + p->out_at, take);
			p->out_at += take;
			got = (ssize_t)take;
			break;
		}
		buf_reset(&p->out);
		p->out_at = 0;
		if (p->in_file && p->left > 0) {
			got = read(p->fd, dst, (size_t)MIN((int64_t)n, p->left));
			if (got <= 0) {
				err_set(&p->error, EIO, "%s changed while it was read", p->items.v[p->at - 1].path);
				return -EIO;
			}
			p->left -= got;
			break;
		}
		if (p->in_file) {
			finish_file(p);
			continue;
		}
		if (p->at < p->items.n) {
			if ((r = next_item(p)) < 0)
				return r;
			continue;
		}
		if (p->ended)
			return 0;
		tar_put_end(&p->out);
		p->ended = true;
	}
	p->bytes += got;
	if (p->progress)
		p->progress(p->arg, p->bytes);
	return got;
}

static ssize_t pack_write(struct stream *s, const void *p, size_t n) { return -EBADF; }
static int pack_shutdown(struct stream *s) { return 0; }
static bool pack_want(struct stream *s, unsigned what, bool on) { return true; }
static void pack_close(struct stream *s) { }

int pack_new(struct loop *l, struct pack **ret)
{
	static const struct stream_ops ops = { .name = "pack", .read_now = pack_read, .write_now = pack_write, .shutdown_now = pack_shutdown,
					       .close = pack_close, .want = pack_want };
	struct pack *p = calloc(1, sizeof *p);

	if (!p)
		return -ENOMEM;
	p->s.ops = &ops;
	p->s.loop = l;
	p->fd = -1;
	arena_init(&p->arena, 2ULL << 30);
	buf_init(&p->out, 64 << 20);
	*ret = p;
	return 0;
}

struct stream *pack_stream(struct pack *p) { return &p->s; }
int64_t pack_bytes(const struct pack *p) { return p->bytes; }
const struct err *pack_error(const struct pack *p) { return p->error.code ? &p->error : NULL; }

void pack_on_progress(struct pack *p, void (*fn)(void *arg, int64_t bytes), void *arg)
{
	p->progress = fn;
	p->arg = arg;
}

void pack_free(struct pack *p)
{
	if (!p)
		return;
	if (p->fd >= 0)
		close(p->fd);
	vec_release(&p->items);
	buf_release(&p->out);
	arena_release(&p->arena);
	free(p);
}
