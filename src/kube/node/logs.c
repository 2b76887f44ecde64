/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a container's log: "TIME STREAM TAG TEXT" lines, P for a line that
 * goes on. The files of one container: N.log and what was rotated away from it,
 * N.log.20251124-101500; following goes across a rotation.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vec.h"
#include "kube/node/server.h"

enum { BLOCK = 32 << 10, LINE_MAX_BYTES = 1 << 20, FILES_MAX = 100 };

bool log_line_parse(struct slice line, struct log_line *ret)
{
	struct slice rest, tag;

	if (!slice_cut(line, ' ', &ret->time, &rest) || !slice_cut(rest, ' ', &ret->stream, &rest))
		return false;
	slice_cut(rest, ' ', &tag, &ret->text);
	ret->is_partial = tag.len && tag.ptr[0] == 'P';
	return (slice_is(ret->stream, "stdout") || slice_is(ret->stream, "stderr")) && tag.len;
}

struct reader {
	struct http_request *r;
	const struct log_options *o;
	struct buf out;
	bool goes_on;                  /* the last chunk was partial */
	int64_t left;                  /* of limit_bytes; -1 none */
	bool full;
};

static int flush_wait(struct reader *x)
{
	int r = x->out.len ? http_write_wait(x->r, x->out.ptr, x->out.len) : 0;
	buf_reset(&x->out);
	return r;
}

static void emit(struct reader *x, struct slice s)
{
	if (x->left >= 0) {
		s.len = MIN(s.len, (size_t)x->left);
		x->left -= (int64_t)s.len;
		x->full = x->left == 0;
	}
	buf_addslice(&x->out, s);
}

static int line_wait(struct reader *x, struct slice line)
{
	struct log_line l;
	int64_t at;

	if (!log_line_parse(line, &l))
		return 0;
	if (x->o->stream && !slice_is(l.stream, x->o->stream))
		return 0;
	if (x->o->since_ns && clock_parse_rfc3339(l.time, &at) == 0 && at < x->o->since_ns)
		return 0;
	if (x->o->timestamps && !x->goes_on) {
		emit(x, l.time);
		emit(x, SLICE(" "));
	}
	emit(x, l.text);
	if (!l.is_partial)
		emit(x, SLICE("\n"));
	x->goes_on = l.is_partial;
	return x->out.len >= BLOCK || x->full ? flush_wait(x) : 0;
}

/* Complete lines from *at on; stops at the end. */
static int file_wait(struct reader *x, int fd, off_t *at)
{
	AUTO(buf) struct buf in = BUF_INIT(LINE_MAX_BYTES + BLOCK);

	while (!x->full) {
		if (buf_reserve(&in, BLOCK) < 0)
			return -EMSGSIZE;
		ssize_t n = pread(fd, in.ptr + in.len, BLOCK, *at + (off_t)in.len);
		if (n <= 0)
			return n < 0 ? -errno : flush_wait(x);
		in.len += (size_t)n;
		in.ptr[in.len] = 0;
		size_t used = 0;
		char *nl;
		while (!x->full && (nl = memchr(in.ptr + used, '\n', in.len - used))) {
			int r = line_wait(x, slice_n(in.ptr + used, (size_t)(nl - in.ptr) - used));
			if (r < 0)
				return r;
			used = (size_t)(nl - in.ptr) + 1;
		}
		if (!used && in.len > LINE_MAX_BYTES)
			used = in.len;         /* no log of ours: skip */
		buf_drop(&in, used);
		*at += (off_t)used;
		fiber_yield_wait();
	}
	return 0;
}

/* --- which files, and from where ----------------------------------------------------------------------------- */

typedef VEC(char *) names;

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void find_files(const char *path, names *v)
{
	const char *base = strrchr(path, '/') + 1;
	struct dirent *x;
	char dir[4096];

	fmt_into(dir, sizeof dir, "%.*s", (int)(base - 1 - path), path);
	DIR *d = opendir(dir);
	while (d && (x = readdir(d)) && v->n < FILES_MAX)
		if (!strncmp(x->d_name, base, strlen(base)) && x->d_name[strlen(base)] == '.')
			vec_push(v, fmt_new("%s/%s", dir, x->d_name));
	if (d)
		closedir(d);
	if (v->n)
		qsort(v->v, v->n, sizeof *v->v, by_text);
	vec_push(v, slice_dup(slice_of(path)));
}

static void names_free(names *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->v[i]);
	vec_release(v);
}

/* Where the last n lines begin; what is missing to n is left in *n. */
static off_t tail_of(int fd, int64_t *n)
{
	char data[BLOCK];
	off_t end = lseek(fd, 0, SEEK_END), at = end;

	while (at > 0) {
		size_t want = (size_t)MIN(at, (off_t)sizeof data);
		ssize_t got = pread(fd, data, want, at - (off_t)want);
		if (got != (ssize_t)want)
			return 0;
		for (size_t i = want; i-- > 0;) {
			off_t here = at - (off_t)want + (off_t)i;
			if (data[i] != '\n' || here == end - 1)
				continue;
			if (--*n == 0)
				return here + 1;
		}
		at -= (off_t)want;
	}
	if (end > 0)
		--*n;
	return 0;
}

/* --- following ----------------------------------------------------------------------------------------------- */

static int watch_dir(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[4096];
	AUTO(close) int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	fmt_into(dir, sizeof dir, "%.*s", (int)(slash - path), path);
	if (fd < 0 || inotify_add_watch(fd, dir, IN_MODIFY | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE) < 0)
		return -errno;
	return take_fd(&fd);
}

static bool is_other_file(int fd, const char *path)
{
	struct stat a, b;
	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && (a.st_ino != b.st_ino || a.st_dev != b.st_dev);
}

static int follow_wait(struct reader *x, int fd, off_t at, const char *path, bool (*runs)(void *arg), void *arg)
{
	AUTO(close) int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	AUTO(close) int notes = watch_dir(path);
	char drop[4096];
	int r = 0;

	while (r >= 0 && !x->full) {
		bool more = runs(arg);           /* before reading: what was written until then is read */
		r = file_wait(x, own, &at);
		if (r < 0 || x->full)
			break;
		if (is_other_file(own, path)) {
			int next = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
			if (next >= 0) {
				close(own);
				own = next;
				at = 0;
				continue;
			}
		}
		if (!more || http_peer_gone(x->r))
			break;
		r = notes >= 0 ? fd_wait(notes, WATCH_READ, NS_PER_S) : sleep_wait(NS_PER_S / 5);
		if (r == -ETIMEDOUT)
			r = 0;
		while (notes >= 0 && read(notes, drop, sizeof drop) > 0)
			;
	}
	return r;
}

int logs_send_wait(struct http_request *r, const char *path, const struct log_options *o, bool (*runs)(void *arg), void *arg, struct err *e)
{
	struct reader x = { .r = r, .o = o, .out = BUF_INIT(LINE_MAX_BYTES * 2), .left = o->limit_bytes, .full = o->limit_bytes == 0 };
	names v = { 0 };
	size_t first = 0;
	off_t at = 0;
	int64_t want = o->tail;

	find_files(path, &v);
	if (want >= 0) {
		first = v.n;
		while (want > 0 && first > 0) {
			AUTO(close) int fd = open(v.v[first - 1], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
			first--;
			at = fd < 0 ? 0 : tail_of(fd, &want);
		}
	}
	int rc = http_begin_wait(r, 200, "text/plain");
	http_cancel_when_gone(r, true);
	for (size_t i = MIN(first, v.n - 1); rc >= 0 && i < v.n; i++) {
		AUTO(close) int fd = open(v.v[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		bool is_last = i + 1 == v.n;
		if (fd < 0)
			continue;
		if (want >= 0 && first == v.n)
			at = lseek(fd, 0, SEEK_END);
		rc = file_wait(&x, fd, &at);
		if (rc >= 0 && is_last && o->follow && !x.full)
			rc = follow_wait(&x, fd, at, path, runs, arg);
		at = 0;
	}
	names_free(&v);
	buf_release(&x.out);
	return rc < 0 && rc != -EPIPE && rc != -ECANCELED ? rc : 0;
}
