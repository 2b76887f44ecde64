/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs and manifests over the distribution client: bounded, checked, resumed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/dist.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "image/dist_int.h"
#include "image/media.h"

enum { GET_CHUNK = 256 * 1024, TAGS_MAX = 100000, TAGS_BODY_MAX = 8 << 20 };

static const char accepts[] = MEDIA_DOCKER_MANIFEST ", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST ", " MEDIA_OCI_INDEX ", "
	MEDIA_DOCKER_SCHEMA1_SIGNED ";q=0.5";

static int body_wait(struct answer *x, size_t max, struct arena *a, struct slice *ret, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(max);
	int r = http_call_body_wait(&x->call, max, &b, e);
	if (r < 0)
		return r;
	*ret = slice_n(arena_dup(a, buf_slice(&b)), b.len);
	return ret->ptr ? 0 : err_nomem(e);
}

static int check_digest(const char *want, struct slice text, struct err *e)
{
	char got[DIGEST_MAX];
	enum digest_algorithm algorithm;
	int r = digest_parse(slice_of(want), &algorithm, e);
	if (r < 0)
		return r;
	if (digest_of(algorithm, text, got) < 0)
		return err_nomem(e);
	return strcmp(got, want) == 0 ? 0 : err_set(e, EBADMSG, "content does not match digest: expected %s, got %s", want, got);
}

int dist_get_manifest_wait(struct dist *d, const char *reference, struct arena *a, struct dist_manifest *ret, struct err *e)
{
	AUTO(answer) struct answer x = { 0 };
	char got[DIGEST_MAX];
	struct ask q = { .method = "GET", .path = arena_fmt(a, "manifests/%s", reference),
			 .headers = { { SLICE("Accept"), slice_of(accepts) } }, .n_headers = 1 };
	if (!q.path)
		return err_nomem(e);
	int r = dist_ask_wait(d, &q, &x, e);
	if (r < 0)
		return r;
	struct slice type = http_header_get(&x.call.reply_headers, "Content-Type"), head, tail;
	slice_cut(type, ';', &head, &tail);
	if ((r = body_wait(&x, IMAGE_MANIFEST_MAX, a, &ret->text, e)) < 0)
		return r;
	if (digest_is_valid(slice_of(reference)) && (r = check_digest(reference, ret->text, e)) < 0)
		return r;
	if (digest_of(DIGEST_SHA256, ret->text, got) < 0)
		return err_nomem(e);
	ret->digest = digest_is_valid(slice_of(reference)) ? arena_strdup(a, reference) : arena_strdup(a, got);
	ret->type = arena_dup(a, slice_trim(head));
	return ret->digest && ret->type ? 0 : err_nomem(e);
}

int dist_put_manifest_wait(struct dist *d, const char *reference, const char *type, struct slice text, struct err *e)
{
	AUTO(answer) struct answer x = { 0 };
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 16);
	struct ask q = { .method = "PUT", .path = arena_fmt(&a, "manifests/%s", reference), .body = text,
			 .headers = { { SLICE("Content-Type"), slice_of(type) } }, .n_headers = 1 };
	return q.path ? dist_ask_wait(d, &q, &x, e) : err_nomem(e);
}

int dist_get_small_wait(struct dist *d, const char *digest, size_t max, struct arena *a, struct slice *ret, struct err *e)
{
	AUTO(answer) struct answer x = { 0 };
	struct ask q = { .method = "GET", .path = arena_fmt(a, "blobs/%s", digest) };
	if (!q.path)
		return err_nomem(e);
	int r = dist_ask_wait(d, &q, &x, e);
	if (r < 0 || (r = body_wait(&x, max, a, ret, e)) < 0)
		return r;
	return check_digest(digest, *ret, e);
}

/* --- a big blob into a file ------------------------------------------------------------------ */

struct take { int fd; struct hasher *h; const char *p; size_t n; };

static int take_job(void *arg)
{
	struct take *j = arg;
	hasher_add(j->h, j->p, j->n);
	return fd_write_all(j->fd, j->p, j->n);
}

/* Reads the answer's body behind what is there; *done grows. */
static int take_body_wait(struct answer *x, int fd, struct hasher *h, char *chunk, int64_t size, int64_t *done, const struct dist_progress *p,
			  struct err *e)
{
	for (;;) {
		size_t got = 0;
		ssize_t n = 1;
		while (got < GET_CHUNK && (n = http_call_read_wait(&x->call, chunk + got, GET_CHUNK - got)) > 0)
			got += (size_t)n;
		if (*done + (int64_t)got > size)
			return err_set(e, EBADMSG, "the registry sends more than the %lld bytes that it promised", (long long)size);
		if (got) {
			struct take j = { fd, h, chunk, got };
			int r = job_wait(take_job, &j);
			if (r < 0)
				return err_sys(e, r, "writing a blob");
			*done += (int64_t)got;
			if (p)
				p->fn(p->arg, *done);
		}
		if (n < 0)
			return err_sys(e, (int)n, "reading a blob");
		if (n == 0)
			return *done == size ? 0 : err_set(e, EPIPE, "unexpected EOF");
	}
}

static int get_part_wait(struct dist *d, const char *digest, int fd, struct hasher *h, char *chunk, int64_t size, int64_t *done,
			 const struct dist_progress *p, struct err *e)
{
	AUTO(answer) struct answer x = { 0 };
	AUTO(arena) struct arena a;
	char range[48];
	arena_init(&a, 1 << 16);
	struct ask q = { .method = "GET", .path = arena_fmt(&a, "blobs/%s", digest) };
	fmt_into(range, sizeof range, "bytes=%lld-", (long long)*done);
	if (*done)
		q.headers[q.n_headers++] = (struct http_header){ SLICE("Range"), slice_of(range) };
	int r = q.path ? dist_ask_wait(d, &q, &x, e) : err_nomem(e);
	if (r < 0)
		return r;
	if (*done && x.call.status != 206) {
		/* the whole again: start over */
		if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
			return err_sys(e, errno, "writing a blob");
		char ignored[DIGEST_MAX];
		hasher_end(h, ignored);
		*done = 0;
	}
	return take_body_wait(&x, fd, h, chunk, size, done, p, e);
}

int dist_get_blob_wait(struct dist *d, const char *digest, int64_t size, const char *path, const struct dist_progress *p, struct err *e)
{
	enum digest_algorithm algorithm;
	AUTO(hasher) struct hasher *h = NULL;
	AUTO(free) char *chunk = malloc(GET_CHUNK);
	char got[DIGEST_MAX];
	int64_t done = 0;
	int r = digest_parse(slice_of(digest), &algorithm, e);
	if (r < 0)
		return r;
	if (!chunk || hasher_new(algorithm, &h) < 0)
		return err_nomem(e);
	AUTO(close) int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, errno, "making %s", path);
	struct err why = { 0 };
	for (int i = 0; i < DIST_TRIES; i++) {
		int64_t before = done;
		r = get_part_wait(d, digest, fd, h, chunk, size, &done, p, &why);
		if (r >= 0 || (r != -EPIPE && r != -ECONNRESET && r != -ETIMEDOUT && r != -EPROTO))
			break;
		if (done > before)
			i = -1;           /* as long as something comes, go on */
		if (i >= 0 && (r = sleep_wait((250 * NS_PER_MS) << i)) < 0)
			break;
	}
	if (r < 0)
		return err_set(e, r, "%s", why.code ? why.text : "cancelled");
	hasher_end(h, got);
	return strcmp(got, digest) == 0 ? 0 : err_set(e, EBADMSG, "filesystem layer verification failed for digest %s", digest);
}

int dist_has_blob_wait(struct dist *d, const char *digest, struct err *e)
{
	AUTO(answer) struct answer x = { 0 };
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 16);
	struct ask q = { .method = "HEAD", .path = arena_fmt(&a, "blobs/%s", digest), .keep_errors = true };
	int r = q.path ? dist_ask_wait(d, &q, &x, e) : err_nomem(e);
	if (r < 0)
		return r;
	if (x.call.status == 404)
		return -ENOENT;
	return x.call.status < 400 ? 0 : dist_error_wait(d, &x, "HEAD", e);
}

/* --- pushing ------------------------------------------------------------------------------------ */

static const char *with_digest(struct arena *a, const char *target, const char *digest)
{
	AUTO(buf) struct buf b = BUF_INIT(65536);
	buf_addf(&b, "%s%cdigest=", target, strchr(target, '?') ? '&' : '?');
	http_percent_encode(&b, slice_of(digest));
	return buf_error(&b) < 0 ? NULL : arena_dup(a, buf_slice(&b));
}

/* Starts an upload (or mounts). *where is set for 202. */
static int begin_wait(struct dist *d, const char *path, struct arena *a, struct url *where, struct err *e)
{
	AUTO(answer) struct answer x = { 0 };
	struct ask q = { .method = "POST", .path = path };
	int r = dist_ask_wait(d, &q, &x, e);
	if (r < 0)
		return r;
	if (x.call.status == 201)
		return 1;
	struct slice location = http_header_get(&x.call.reply_headers, "Location");
	if (x.call.status != 202 || !location.ptr)
		return err_set(e, EPROTO, "the registry answered an upload with %d", x.call.status);
	struct url base = { .is_https = x.url.is_https, .host = arena_strdup(a, x.url.host), .port = x.url.port,
			    .authority = arena_strdup(a, x.url.authority), .target = arena_strdup(a, x.url.target) };
	if (!base.host || !base.authority || !base.target)
		return err_nomem(e);
	return url_parse(location, &base, a, where, e);
}

int dist_mount_wait(struct dist *d, const char *digest, const char *from, struct err *e)
{
	AUTO(arena) struct arena a;
	struct url where;
	arena_init(&a, 1 << 20);
	const char *path = arena_fmt(&a, "blobs/uploads/?mount=%s&from=%s", digest, from);
	int r = path ? begin_wait(d, path, &a, &where, e) : err_nomem(e);
	if (r != 0)
		return r;
	/* it opened an upload instead: not needed */
	AUTO(answer) struct answer x = { 0 };
	struct ask q = { .method = "DELETE", .url = &where, .keep_errors = true };
	dist_ask_wait(d, &q, &x, NULL);
	return 0;
}

int dist_put_blob_wait(struct dist *d, const char *digest, int fd, int64_t size, const struct dist_progress *p, struct err *e)
{
	AUTO(arena) struct arena a;
	struct url where;
	arena_init(&a, 1 << 20);
	int r = begin_wait(d, "blobs/uploads/", &a, &where, e);
	if (r != 0)
		return r < 0 ? r : 0;
	if (!(where.target = with_digest(&a, where.target, digest)))
		return err_nomem(e);
	AUTO(answer) struct answer x = { 0 };
	struct ask q = { .method = "PUT", .url = &where, .body_fd = &fd, .body_length = size, .progress = p,
			 .headers = { { SLICE("Content-Type"), SLICE("application/octet-stream") } }, .n_headers = 1 };
	return dist_ask_wait(d, &q, &x, e);
}

/* --- tags --------------------------------------------------------------------------------------------- */

int dist_tags_wait(struct dist *d, struct arena *a, const char ***ret, size_t *ret_n, struct err *e)
{
	const char *path = "tags/list";
	const char **all = NULL;
	size_t n = 0, cap = 0;
	while (path) {
		AUTO(answer) struct answer x = { 0 };
		struct ask q = { .method = "GET", .path = path };
		struct slice text, link;
		struct dist_tags t;
		int r = dist_ask_wait(d, &q, &x, e);
		if (r < 0 || (r = body_wait(&x, TAGS_BODY_MAX, a, &text, e)) < 0 ||
		    (r = schema_from_json(T_dist_tags, text, SCHEMA_FOLD_CASE, a, &t, e)) < 0)
			return r;
		if (n + t.n_tags > TAGS_MAX)
			return err_set(e, E2BIG, "the repository has more than %d tags", TAGS_MAX);
		if (n + t.n_tags > cap) {
			cap = 2 * (n + t.n_tags);
			const char **more = arena_array(a, cap, sizeof *more);
			if (!more)
				return err_nomem(e);
			if (n)
				memcpy(more, all, n * sizeof *all);
			all = more;
		}
		for (uint32_t i = 0; i < t.n_tags; i++)
			all[n++] = t.tags[i];
		link = http_header_get(&x.call.reply_headers, "Link");
		struct slice head, tail;
		path = NULL;
		if (link.len > 2 && link.ptr[0] == '<' && slice_cut(slice_n(link.ptr + 1, link.len - 1), '>', &head, &tail) &&
		    head.len && head.ptr[0] == '/' && t.n_tags)
			path = arena_dup(a, head);
	}
	*ret = all;
	*ret_n = n;
	return 0;
}
