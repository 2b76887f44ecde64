/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs out (whole, or one range) and away. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/num.h"
#include "registry/registry_int.h"

struct read_job { int fd; char *p; int64_t at, n; };

static int read_job(void *arg)
{
	struct read_job *j = arg;
	ssize_t n = pread(j->fd, j->p, (size_t)MIN(j->n, (int64_t)REG_CHUNK), j->at);
	return n < 0 ? -errno : (int)n;
}

static int send_range_wait(struct http_request *r, int fd, int64_t from, int64_t n)
{
	AUTO(free) char *chunk = malloc(REG_CHUNK);
	if (!chunk)
		return -ENOMEM;
	while (n > 0) {
		struct read_job j = { fd, chunk, from, n };
		int got = job_wait(read_job, &j);
		if (got <= 0)
			return got ? got : -EIO;
		int x = http_write_wait(r, chunk, (size_t)got);
		if (x < 0)
			return x;
		from += got;
		n -= got;
	}
	return 0;
}

/* "bytes=a-b", "bytes=a-", "bytes=-n": 1 and the range, 0 when it is to be ignored, -ERANGE. */
static int parse_range(struct slice s, int64_t size, int64_t *from, int64_t *to)
{
	struct slice a, b;
	int64_t x, y = 0;
	if (!slice_starts(s, "bytes=") || slice_find(s, ',') >= 0 || !slice_cut(slice_n(s.ptr + 6, s.len - 6), '-', &a, &b))
		return 0;
	if (a.len == 0) {
		if (num_parse_i64(b, 0, INT64_MAX, &y) < 0)
			return 0;
		if (y == 0 || size == 0)
			return -ERANGE;
		*from = MAX(size - y, (int64_t)0);
		*to = size - 1;
		return 1;
	}
	if (num_parse_i64(a, 0, INT64_MAX, &x) < 0 || (b.len && num_parse_i64(b, 0, INT64_MAX, &y) < 0))
		return 0;
	if (x >= size || (b.len && y < x))
		return -ERANGE;
	*from = x;
	*to = b.len ? MIN(y, size - 1) : size - 1;
	return 1;
}

static int send_blob_wait(struct http_request *r, int fd, int64_t size)
{
	struct slice range = http_header_get(&r->headers, "Range");
	int64_t from = 0, to = size - 1;
	char text[80];
	int ranged = range.ptr ? parse_range(range, size, &from, &to) : 0;
	if (ranged < 0) {
		fmt_into(text, sizeof text, "bytes */%lld", (long long)size);
		http_header_add(r, "Content-Range", text);
		return reg_fail(r, REG_RANGE_INVALID, NULL);
	}
	if (ranged) {
		fmt_into(text, sizeof text, "bytes %lld-%lld/%lld", (long long)from, (long long)to, (long long)size);
		http_header_add(r, "Content-Range", text);
	}
	int64_t n = to - from + 1;
	int x = http_begin_length_wait(r, ranged ? 206 : 200, "application/octet-stream", n);
	return x < 0 || slice_is(r->method, "HEAD") ? x : send_range_wait(r, fd, from, n);
}

int reg_get_blob(struct http_request *r, struct err *e)
{
	struct registry *g = r->user;
	struct stat st;
	const char *name = reg_name(r), *digest = name ? reg_digest(r, http_param(r, "digest")) : NULL;
	if (!digest)
		return 0;
	const char *path = reg_repo_blob_path(g, r->arena, name, digest);
	AUTO(close) int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0 && path) {
		/* a manifest is a blob too */
		path = reg_manifest_path(g, r->arena, name, digest);
		fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	}
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? reg_fail(r, reg_has_repo(g, r->arena, name) ? REG_BLOB_UNKNOWN : REG_NAME_UNKNOWN, digest)
							   : err_sys(e, errno, "opening %s", digest);
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "reading %s", digest);
	http_header_add(r, "Docker-Content-Digest", digest);
	http_header_add(r, "Accept-Ranges", "bytes");
	http_header_add(r, "Cache-Control", "max-age=31536000");
	return send_blob_wait(r, fd, st.st_size);
}

struct delete_job { const char *link, *blob; };

/* The content goes with its last repository. */
static int delete_job(void *arg)
{
	struct delete_job *j = arg;
	struct stat st;
	if (unlink(j->link) < 0)
		return -errno;
	reg_sync_parent(j->link);
	if (stat(j->blob, &st) == 0 && st.st_nlink == 1)
		unlink(j->blob);
	return 0;
}

int reg_delete_blob(struct http_request *r, struct err *e)
{
	struct registry *g = r->user;
	const char *name = reg_name(r), *digest = name ? reg_digest(r, http_param(r, "digest")) : NULL;
	if (!digest)
		return 0;
	struct delete_job j = { reg_repo_blob_path(g, r->arena, name, digest), reg_blob_path(g, r->arena, digest) };
	if (!j.link || !j.blob)
		return err_nomem(e);
	int x = job_wait(delete_job, &j);
	if (x == -ENOENT || x == -ENOTDIR)
		return reg_fail(r, REG_BLOB_UNKNOWN, digest);
	if (x < 0)
		return err_sys(e, x, "deleting %s", digest);
	return http_reply(r, 202, NULL, SLICE(""));
}
