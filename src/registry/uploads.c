/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs in.
 *
 *   POST ──▶ open ──PATCH*──▶ open ──PUT──▶ blob (digest checked, synced, linked)
 *              └──DELETE──▶ gone
 *
 * An upload is a file and a running digest. After a restart the file is hashed
 * again when somebody goes on with it, so uploads survive both sides. One
 * request at a time works on an upload.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/rand.h"
#include "image/ref.h"
#include "registry/registry_int.h"

struct upload {
	char uuid[37];
	char *repo;
	int fd;
	int64_t size;
	enum digest_algorithm algorithm;
	struct hasher *hash;
	bool is_busy;
};

static void upload_free(struct upload *u)
{
	if (!u)
		return;
	if (u->fd >= 0)
		close(u->fd);
	hasher_free(u->hash);
	free(u->repo);
	free(u);
}

void reg_uploads_release(struct registry *g)
{
	size_t at = 0;
	struct map_entry *m;
	while ((m = map_next(&g->uploads, &at)))
		upload_free(m->value);
	map_release(&g->uploads);
}

static void upload_forget(struct registry *g, struct upload *u)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 16);
	const char *path = reg_upload_path(g, &a, u->uuid), *note = path ? arena_fmt(&a, "%s.repo", path) : NULL;
	if (note) {
		unlink(path);
		unlink(note);
	}
	map_dels(&g->uploads, u->uuid);
	upload_free(u);
}

static struct upload *upload_new(struct registry *g, const char *uuid, const char *repo, enum digest_algorithm algorithm)
{
	struct upload *u = calloc(1, sizeof *u);
	if (!u)
		return NULL;
	u->fd = -1;
	u->algorithm = algorithm;
	fmt_into(u->uuid, sizeof u->uuid, "%s", uuid);
	u->repo = slice_dup(slice_of(repo));
	if (!u->repo || hasher_new(algorithm, &u->hash) < 0 || map_sets(&g->uploads, u->uuid, u) < 0) {
		upload_free(u);
		return NULL;
	}
	return u;
}

static int upload_begin(struct registry *g, struct arena *a, const char *repo, enum digest_algorithm algorithm, struct upload **ret, struct err *e)
{
	char hex[33], uuid[37];
	rand_hex(hex, 16);
	fmt_into(uuid, sizeof uuid, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
	if (g->uploads.n >= REG_UPLOADS_MAX)
		return err_set(e, EAGAIN, "too many uploads at once");
	const char *path = reg_upload_path(g, a, uuid), *note = path ? arena_fmt(a, "%s.repo", path) : NULL;
	struct upload *u = note ? upload_new(g, uuid, repo, algorithm) : NULL;
	if (!u)
		return err_nomem(e);
	u->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	AUTO(close) int fd = u->fd < 0 ? -1 : open(note, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || fd_write_all(fd, repo, strlen(repo)) < 0) {
		int r = err_sys(e, errno, "starting an upload");
		upload_forget(g, u);
		return r;
	}
	*ret = u;
	return 0;
}

/* --- hashing and writing on workers ------------------------------------------------- */

struct rehash { int fd; struct hasher *h; int64_t size; };

static int rehash_job(void *arg)
{
	struct rehash *j = arg;
	AUTO(free) char *chunk = malloc(REG_CHUNK);
	if (!chunk)
		return -ENOMEM;
	for (;;) {
		ssize_t n = pread(j->fd, chunk, REG_CHUNK, j->size);
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		hasher_add(j->h, chunk, (size_t)n);
		j->size += n;
	}
}

struct append { int fd; struct hasher *h; const char *p; size_t n; int64_t at; };

static int append_job(void *arg)
{
	struct append *j = arg;
	for (size_t done = 0; done < j->n;) {
		ssize_t n = pwrite(j->fd, j->p + done, j->n - done, j->at + (int64_t)done);
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	hasher_add(j->h, j->p, j->n);
	return 0;
}

/* Takes up an upload of before a restart. */
static struct upload *upload_resume_wait(struct registry *g, struct arena *a, const char *uuid)
{
	struct slice repo;
	for (const char *p = uuid; *p; p++)
		if (!strchr("0123456789abcdef-", *p))
			return NULL;
	const char *path = reg_upload_path(g, a, uuid), *note = path ? arena_fmt(a, "%s.repo", path) : NULL;
	if (strlen(uuid) != 36 || !note || reg_read_file(a, note, 1024, &repo, NULL) < 0)
		return NULL;
	AUTO(close) int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	struct upload *u = upload_new(g, uuid, repo.ptr, DIGEST_SHA256);
	if (!u)
		return NULL;
	u->fd = take_fd(&fd);
	u->is_busy = true;
	struct rehash j = { u->fd, u->hash, 0 };
	int r = job_wait(rehash_job, &j);
	u->is_busy = false;
	u->size = j.size;
	if (r < 0) {
		map_dels(&g->uploads, u->uuid);
		upload_free(u);
		return NULL;
	}
	return u;
}

/* The request's upload, marked busy; NULL after an error was sent. */
static struct upload *upload_of_wait(struct http_request *r)
{
	struct registry *g = r->user;
	const char *name = reg_name(r), *uuid = http_param(r, "uuid");
	if (!name)
		return NULL;
	struct upload *u = map_gets(&g->uploads, uuid);
	if (!u)
		u = upload_resume_wait(g, r->arena, uuid);
	if (!u || strcmp(u->repo, name) != 0) {
		reg_fail(r, REG_BLOB_UPLOAD_UNKNOWN, uuid);
		return NULL;
	}
	if (u->is_busy) {
		reg_fail(r, REG_BLOB_UPLOAD_INVALID, "another request is writing to this upload");
		return NULL;
	}
	u->is_busy = true;
	return u;
}

static void upload_headers(struct http_request *r, const struct upload *u)
{
	char range[40];
	const char *where = arena_fmt(r->arena, "/v2/%s/blobs/uploads/%s", u->repo, u->uuid);
	fmt_into(range, sizeof range, "0-%lld", (long long)(u->size ? u->size - 1 : 0));
	http_header_add(r, "Location", where ? where : "");
	http_header_add(r, "Range", range);
	http_header_add(r, "Docker-Upload-UUID", u->uuid);
}

/* Appends the request's body. What arrived before an error stays and counts. */
static int append_body_wait(struct http_request *r, struct upload *u, struct err *e)
{
	AUTO(free) char *chunk = malloc(REG_CHUNK);
	ssize_t n = 1;
	if (!chunk)
		return err_nomem(e);
	while (n > 0) {
		size_t got = 0;
		while (got < REG_CHUNK && (n = http_body_read_wait(r, chunk + got, REG_CHUNK - got)) > 0)
			got += (size_t)n;
		if (got == 0)
			break;
		struct append j = { u->fd, u->hash, chunk, got, u->size };
		int x = job_wait(append_job, &j);
		if (x < 0)
			return err_sys(e, x, "writing the upload");
		u->size += (int64_t)got;
	}
	return n < 0 ? err_sys(e, (int)n, "reading the upload") : 0;
}

/* Checks Content-Range ("a-b") against what is there: 0, or 1 after an error was sent. */
static int check_range(struct http_request *r, struct upload *u)
{
	struct slice range = http_header_get(&r->headers, "Content-Range"), a, b;
	int64_t from, to;
	if (!range.ptr)
		return 0;
	if (slice_starts(range, "bytes "))
		range = slice_n(range.ptr + 6, range.len - 6);
	if (!slice_cut(range, '-', &a, &b) || num_parse_i64(a, 0, INT64_MAX, &from) < 0 || num_parse_i64(b, 0, INT64_MAX - 1, &to) < 0 ||
	    from != u->size || to < from || (r->content_length >= 0 && to - from + 1 != r->content_length)) {
		upload_headers(r, u);
		reg_fail(r, REG_RANGE_INVALID, NULL);
		return 1;
	}
	return 0;
}

/* --- finishing -------------------------------------------------------------------------- */

struct finish { struct upload *u; const char *path, *blob, *link; struct err e; };

static int finish_job(void *arg)
{
	struct finish *j = arg;
	int r = reg_make_parent(j->blob);
	if (r < 0)
		return err_sys(&j->e, r, "making a folder");
	if (fsync(j->u->fd) < 0)
		return err_sys(&j->e, errno, "syncing the upload");
	if (link(j->path, j->blob) < 0 && errno != EEXIST)
		return err_sys(&j->e, errno, "keeping the blob");
	if ((r = reg_sync_parent(j->blob)) < 0)
		return err_sys(&j->e, r, "keeping the blob");
	if ((r = reg_link(j->blob, j->link, &j->e)) < 0)
		return r;
	unlink(j->path);   /* links count repositories */
	return 0;
}

/* digest against the bytes; links the blob. 1: an error was sent. The upload is gone either way, but for errors of the disk. */
static int finish_wait(struct http_request *r, struct upload *u, const char *digest, struct err *e)
{
	struct registry *g = r->user;
	char got[DIGEST_MAX];
	enum digest_algorithm want;
	digest_parse(slice_of(digest), &want, NULL);
	if (want == u->algorithm) {
		hasher_end(u->hash, got);
	} else {
		AUTO(hasher) struct hasher *h = NULL;
		if (hasher_new(want, &h) < 0)
			return err_nomem(e);
		struct rehash j = { u->fd, h, 0 };
		int x = job_wait(rehash_job, &j);
		if (x < 0)
			return err_sys(e, x, "hashing the upload");
		hasher_end(h, got);
	}
	if (strcmp(got, digest) != 0) {
		upload_forget(g, u);
		reg_fail(r, REG_DIGEST_INVALID, got);
		return 1;
	}
	struct finish j = { .u = u, .path = reg_upload_path(g, r->arena, u->uuid), .blob = reg_blob_path(g, r->arena, digest),
			    .link = reg_repo_blob_path(g, r->arena, u->repo, digest) };
	int x = j.path && j.blob && j.link ? job_wait(finish_job, &j) : err_nomem(&j.e);
	upload_forget(g, u);
	return x < 0 ? err_set(e, x, "%s", j.e.text) : 0;
}

static int created(struct http_request *r, const char *name, const char *digest)
{
	const char *where = arena_fmt(r->arena, "/v2/%s/blobs/%s", name, digest);
	http_header_add(r, "Location", where ? where : "");
	http_header_add(r, "Docker-Content-Digest", digest);
	return http_reply(r, 201, NULL, SLICE(""));
}

/* --- handlers ------------------------------------------------------------------------------ */

struct mount_job { const char *blob, *link; struct err e; };

static int mount_job(void *arg)
{
	struct mount_job *j = arg;
	return reg_link(j->blob, j->link, &j->e);
}

/* 1: mounted and answered; 0: not possible. */
static int mount_wait(struct http_request *r, const char *name, const char *digest, const char *from, struct err *e)
{
	struct registry *g = r->user;
	struct mount_job j = { .blob = reg_blob_path(g, r->arena, digest), .link = reg_repo_blob_path(g, r->arena, name, digest) };
	if (from && (!ref_is_path(slice_of(from)) || !reg_exists(reg_repo_blob_path(g, r->arena, from, digest), NULL)))
		return 0;
	if (!j.blob || !j.link || !reg_exists(j.blob, NULL))
		return 0;
	int x = job_wait(mount_job, &j);
	if (x < 0)
		return err_set(e, x, "%s", j.e.text);
	x = created(r, name, digest);
	return x < 0 ? x : 1;
}

int reg_start_upload(struct http_request *r, struct err *e)
{
	struct registry *g = r->user;
	struct upload *u = NULL;
	const char *name = reg_name(r);
	if (!name)
		return 0;
	const char *mount = http_query_get(&r->query, "mount"), *digest = http_query_get(&r->query, "digest");
	const char *named = http_query_get(&r->query, "digest-algorithm");
	enum digest_algorithm algorithm = DIGEST_SHA256;
	if (named && digest_algorithm_named(slice_of(named), &algorithm) < 0)
		return reg_fail(r, REG_DIGEST_INVALID, named);
	if (mount) {
		if (!reg_digest(r, mount))
			return 0;
		int x = mount_wait(r, name, mount, http_query_get(&r->query, "from"), e);
		if (x != 0)
			return x < 0 ? x : 0;
	}
	if (digest) {
		if (!reg_digest(r, digest))
			return 0;
		digest_parse(slice_of(digest), &algorithm, NULL);
	}
	int x = upload_begin(g, r->arena, name, algorithm, &u, e);
	if (x < 0)
		return x;
	if (!digest) {
		upload_headers(r, u);
		return http_reply(r, 202, NULL, SLICE(""));
	}
	u->is_busy = true;
	x = append_body_wait(r, u, e);
	if (x < 0) {
		upload_forget(g, u);
		return x;
	}
	x = finish_wait(r, u, digest, e);
	return x < 0 ? x : x > 0 ? 0 : created(r, name, digest);
}

int reg_upload_status(struct http_request *r, struct err *e)
{
	struct upload *u = upload_of_wait(r);
	if (!u)
		return 0;
	u->is_busy = false;
	upload_headers(r, u);
	return http_reply(r, 204, NULL, SLICE(""));
}

int reg_patch_upload(struct http_request *r, struct err *e)
{
	struct upload *u = upload_of_wait(r);
	if (!u)
		return 0;
	if (check_range(r, u)) {
		u->is_busy = false;
		return 0;
	}
	int x = append_body_wait(r, u, e);
	u->is_busy = false;
	if (x < 0)
		return x;
	upload_headers(r, u);
	return http_reply(r, 202, NULL, SLICE(""));
}

int reg_put_upload(struct http_request *r, struct err *e)
{
	const char *digest = http_query_get(&r->query, "digest");
	struct upload *u = upload_of_wait(r);
	if (!u)
		return 0;
	const char *name = arena_strdup(r->arena, u->repo);
	if (!reg_digest(r, digest) || check_range(r, u)) {
		u->is_busy = false;
		return 0;
	}
	int x = append_body_wait(r, u, e);
	if (x < 0 || !name) {
		u->is_busy = false;
		return name ? x : err_nomem(e);
	}
	x = finish_wait(r, u, digest, e);
	return x < 0 ? x : x > 0 ? 0 : created(r, name, digest);
}

int reg_cancel_upload(struct http_request *r, struct err *e)
{
	struct upload *u = upload_of_wait(r);
	if (!u)
		return 0;
	upload_forget(r->user, u);
	return http_reply(r, 204, NULL, SLICE(""));
}
