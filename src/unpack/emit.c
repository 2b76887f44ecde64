/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files to tar, always the same bytes for the same files: layers (whiteouts
 * named as archives do), whole root file systems, `docker cp` out. A running
 * container may change what is being read: sizes are kept as the header says.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/map.h"
#include "base/path.h"
#include "unpack/unpack_int.h"

enum { OUT_BYTES = 1 << 17, SMALL_FILE = 1 << 15 };

struct emit {
	struct unpack *u;
	struct buf out;
	struct map links;      /* dev:ino of files with several names -> the first name */
	bool is_layer;
	int64_t bytes, entries;
};

static int flush(struct emit *m, struct err *e)
{
	int r = buf_error(&m->out);
	if (r == 0)
		r = fd_write_all(1, m->out.ptr, m->out.len);
	m->bytes += (int64_t)m->out.len;
	buf_reset(&m->out);
	return r < 0 ? err_sys(e, r, "write the archive") : 0;
}

static int put(struct emit *m, const struct tar_entry *t, struct err *e)
{
	m->entries++;
	int r = tar_put_header(&m->out, t);
	if (r < 0)
		return err_sys(e, r, "write the header of %s", t->name);
	return m->out.len > OUT_BYTES / 2 ? flush(m, e) : 0;
}

static int put_zeros(struct emit *m, int64_t n, struct err *e)
{
	static const char zero[4096];
	int r = 0;
	for (; n > 0 && r == 0; n -= (int64_t)sizeof zero) {
		buf_add(&m->out, zero, (size_t)MIN(n, (int64_t)sizeof zero));
		if (m->out.len > OUT_BYTES / 2)
			r = flush(m, e);
	}
	return r;
}

static int put_data(struct emit *m, int fd, int64_t size, const char *path, struct err *e)
{
	int64_t left = size;
	int r = 0;
	if (size <= SMALL_FILE) {
		if (buf_reserve(&m->out, (size_t)size) < 0)
			return err_nomem(e);
		while (left) {
			ssize_t n = read(fd, m->out.ptr + m->out.len, (size_t)left);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return err_sys(e, errno, "read %s", path);
			if (n == 0)
				break;
			m->out.len += (size_t)n;
			left -= n;
		}
	} else if ((r = flush(m, e)) == 0) {
		while (left) {
			ssize_t n = sendfile(1, fd, NULL, (size_t)MIN(left, (int64_t)(1 << 30)));
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return err_sys(e, errno, "copy %s", path);
			if (n == 0)
				break;
			m->bytes += n;
			left -= n;
		}
	}
	if (r == 0)
		r = put_zeros(m, left, e);
	tar_put_padding(&m->out, size);
	return r;
}

/* A file seen before under another name becomes a link to that. */
static const char *first_name(struct emit *m, const struct stat *st, const char *name, struct err *e)
{
	char key[48];
	if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
		return NULL;
	fmt_into(key, sizeof key, "%llx:%llx", (unsigned long long)st->st_dev, (unsigned long long)st->st_ino);
	const char *first = map_gets(&m->links, key);
	if (first)
		return first;
	char *copy = strdup(name);
	if (!copy || map_sets(&m->links, key, copy) < 0)
		free(copy);
	return NULL;
}

static bool is_kernels(int fd)
{
	static const unsigned long magic[] = { 0x9fa0 /* proc */, 0x62656572 /* sysfs */, 0x27e0eb /* cgroup */, 0x63677270 /* cgroup2 */,
				      0x1cd1 /* devpts */, 0x19800202 /* mqueue */, 0x64626720 /* debugfs */, 0x74726163 /* tracefs */,
				      0x73636673 /* securityfs */, 0xcafe4a11 /* bpf */ };
	struct statfs fs;
	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(magic); i++)
		if ((unsigned long)fs.f_type == magic[i])
			return true;
	return false;
}

static int put_tree(struct emit *m, int dirfd, const char *name, const char *as, const char *real, int depth, struct err *e);

static int put_below(struct emit *m, int fd, const char *as, const char *real, int depth, struct err *e)
{
	AUTO(names) struct names n = { 0 };
	if (depth > UNPACK_DEPTH_MAX)
		return err_sys(e, ELOOP, "folders are too deep at %s", real);
	int r = unpack_names_read(fd, &n);
	if (r < 0)
		return err_sys(e, r, "list %s", real);
	for (size_t i = 0; r == 0 && i < n.n; i++) {
		AUTO(free) char *below = *as ? fmt_new("%s%s%s", as, slice_ends(slice_of(as), "/") ? "" : "/", n.v[i]) : strdup(n.v[i]);
		AUTO(free) char *path = *real ? fmt_new("%s/%s", real, n.v[i]) : strdup(n.v[i]);
		if (!below || !path)
			return err_nomem(e);
		if (!unpack_is_skipped(m->u->job, path))
			r = put_tree(m, fd, n.v[i], below, path, depth + 1, e);
	}
	return r;
}

static void fill(struct tar_entry *t, const struct stat *st)
{
	t->mode = st->st_mode & 07777;
	t->uid = st->st_uid;
	t->gid = st->st_gid;
	t->mtime_ns = st->st_mtim.tv_sec * 1000000000LL;
	t->link = "";
}

static int put_file(struct emit *m, int dirfd, const char *name, struct tar_entry *t, const char *real, struct err *e)
{
	AUTO(close) int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	AUTO(arena) struct arena a;
	arena_init(&a, 8 << 20);
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "open %s", real);
	if (!S_ISREG(st.st_mode))
		return 0;
	int r = unpack_xattrs(fd, &a, &t->xattrs, &t->n_xattrs);
	if (r < 0)
		return err_sys(e, r, "read the attributes of %s", real);
	fill(t, &st);
	t->type = TAR_FILE;
	t->size_bytes = st.st_size;
	if ((r = put(m, t, e)) < 0)
		return r;
	return put_data(m, fd, t->size_bytes, real, e);
}

static int put_dir(struct emit *m, int dirfd, const char *name, struct tar_entry *t, const char *as, const char *real, int depth, struct err *e)
{
	AUTO(close) int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO(arena) struct arena a;
	arena_init(&a, 8 << 20);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "open %s", real);
	AUTO(free) char *slash = slice_ends(slice_of(as), "/") ? strdup(as) : fmt_new("%s/", as);
	if (!slash)
		return err_nomem(e);
	int r = unpack_xattrs(fd, &a, &t->xattrs, &t->n_xattrs);
	if (r < 0)
		return err_sys(e, r, "read the attributes of %s", real);
	t->type = TAR_DIR;
	t->name = slash;
	if ((r = put(m, t, e)) < 0)
		return r;
	if (m->is_layer && unpack_is_opaque(m->u->helper, fd)) {
		AUTO(free) char *opq = fmt_new("%s.wh..wh..opq", slash);
		struct tar_entry w = { .type = TAR_FILE, .name = opq, .link = "", .mode = 0600, .mtime_ns = t->mtime_ns };
		if (!opq)
			return err_nomem(e);
		if ((r = put(m, &w, e)) < 0)
			return r;
	}
	return is_kernels(fd) ? 0 : put_below(m, fd, slash, real, depth, e);
}

/* Its time is that of nothing: a layer that was applied and packed again must be the same bytes, and applying makes the device anew. */
static int put_whiteout(struct emit *m, const char *as, struct err *e)
{
	const char *base = path_base(as);
	AUTO(free) char *name = fmt_new("%.*s.wh.%s", (int)(base - as), as, base);
	struct tar_entry t = { .type = TAR_FILE, .name = name, .link = "", .mode = 0600 };
	return name ? put(m, &t, e) : err_nomem(e);
}

/* name in dirfd goes into the archive as `as`; real is its path for messages and skips. */
static int put_tree(struct emit *m, int dirfd, const char *name, const char *as, const char *real, int depth, struct err *e)
{
	struct stat st;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "look at %s", real);
	if (m->is_layer && unpack_is_whiteout(&st))
		return put_whiteout(m, as, e);
	struct tar_entry t = { .name = as };
	fill(&t, &st);
	const char *first = first_name(m, &st, as, e);
	if (first) {
		t.type = TAR_HARDLINK;
		t.link = first;
		return put(m, &t, e);
	}
	char link[PATH_MAX];
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		return put_file(m, dirfd, name, &t, real, e);
	case S_IFDIR:
		return put_dir(m, dirfd, name, &t, as, real, depth, e);
	case S_IFLNK: {
		ssize_t n = readlinkat(dirfd, name, link, sizeof link - 1);
		if (n < 0)
			return errno == ENOENT || errno == EINVAL ? 0 : err_sys(e, errno, "read the link %s", real);
		link[n] = 0;
		t.type = TAR_SYMLINK;
		t.link = link;
		return put(m, &t, e);
	}
	case S_IFCHR:
	case S_IFBLK:
		t.type = S_ISCHR(st.st_mode) ? TAR_CHAR : TAR_BLOCK;
		t.dev_major = major(st.st_rdev);
		t.dev_minor = minor(st.st_rdev);
		return put(m, &t, e);
	case S_IFIFO:
		t.type = TAR_FIFO;
		return put(m, &t, e);
	default:
		return 0; /* an archive has no sockets */
	}
}

static void begin(struct emit *m)
{
	buf_init(&m->out, 4 << 20);
	map_init(&m->links);
	fcntl(1, F_SETPIPE_SZ, 1 << 20);
}

static int finish(struct emit *m, int r, struct err *e)
{
	if (r == 0) {
		tar_put_end(&m->out);
		r = flush(m, e);
	}
	struct map_entry *x;
	for (size_t pos = 0; (x = map_next(&m->links, &pos));)
		free(x->value);
	map_release(&m->links);
	buf_release(&m->out);
	m->u->report.size = m->bytes;
	m->u->report.entries = m->entries;
	return r;
}

int unpack_do_pack(struct unpack *u, struct err *e)
{
	struct emit m = { .u = u, .is_layer = true };
	begin(&m);
	int r = put_below(&m, u->root, "", "", 0, e);
	return finish(&m, r, e);
}

int unpack_do_export(struct unpack *u, struct err *e)
{
	struct emit m = { .u = u };
	begin(&m);
	int r = put_below(&m, u->root, "", "", 0, e);
	return finish(&m, r, e);
}

/* Docker's rebasing: entries of /a/b are named b, b/…; with "." at the end ./, ./…; of / itself /, /…. */
int unpack_do_archive(struct unpack *u, struct err *e)
{
	const char *path = u->job->path ? u->job->path : "/";
	int r = unpack_do_stat(u, e);
	if (r < 0 || (r = unpack_report_send(u, e)) < 0)
		return r;
	size_t n = strlen(path);
	bool dot = (n >= 2 && !strcmp(path + n - 2, "/.")) || !strcmp(path, ".");
	char clean[PATH_MAX + 2], folder[PATH_MAX + 2];
	if (n >= PATH_MAX - 1)
		return err_sys(e, ENAMETOOLONG, "open %s", path);
	AUTO(free) char *rooted = fmt_new("/%s", path);
	if (!rooted)
		return err_nomem(e);
	path_clean(clean, rooted);
	const char *base = path_base(clean);
	fmt_into(folder, sizeof folder, "%.*s", (int)(base - clean), clean);
	bool slash = n > 1 && path[n - 1] == '/';
	bool whole = dot || slash || !*base;
	/* a trailing slash or dot follows a link at the end; otherwise it is copied as a link */
	AUTO(close) int dir = unpack_open(u->root, whole ? clean : folder, O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0)
		return err_sys(e, dir, "open %s", path);
	struct emit m = { .u = u };
	begin(&m);
	r = put_tree(&m, dir, whole ? "." : base, !*base ? "/" : dot ? "." : base, clean + 1, 0, e);
	return finish(&m, r, e);
}
