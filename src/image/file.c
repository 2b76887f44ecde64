/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the store, moved by worker jobs so that the loop never waits for the disk. */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/log.h"
#include "image/store_int.h"

enum { SPOOL_CHUNK = 1 << 20 };

struct write_job { const char *path; struct slice data; struct err e; };

static int write_job(void *arg)
{
	struct write_job *j = arg;
	return file_write_atomic(AT_FDCWD, j->path, j->data, 0600, &j->e);
}

int image_write_file_wait(const char *path, struct slice data, struct err *e)
{
	struct write_job j = { path, data, { 0 } };
	int r = job_wait(write_job, &j);
	return r < 0 ? err_set(e, r, "%s", j.e.text) : 0;
}

static int sync_job(void *arg)
{
	AUTO(close) int fd = open(arg, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || syncfs(fd) < 0 ? -errno : 0;
}

int image_sync_wait(struct image_store *s, struct err *e)
{
	int r = job_wait(sync_job, s->root);
	return r < 0 ? err_sys(e, r, "syncing %s", s->root) : 0;
}

int image_tmp_file(struct image_store *s, struct err *e)
{
	AUTO(free) char *dir = fmt_new("%s/tmp", s->root);
	if (!dir)
		return err_nomem(e);
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? err_sys(e, errno, "making a temporary file in %s", dir) : fd;
}

/* --- spooling --------------------------------------------------------------------- */

struct spool_job { int fd; const char *p; size_t n; struct hasher *h; };

static int spool_job(void *arg)
{
	struct spool_job *j = arg;
	if (j->h)
		hasher_add(j->h, j->p, j->n);
	return fd_write_all(j->fd, j->p, j->n);
}

/* Fills p as far as the stream gives; bytes (0 at the end) or -errno. */
static ssize_t read_full_wait(struct stream *in, char *p, size_t n)
{
	size_t got = 0;
	while (got < n) {
		ssize_t r = stream_read_wait(in, p + got, n - got);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (ssize_t)got;
}

int image_spool_wait(struct image_store *s, struct stream *in, const char *path, int64_t max_bytes, char digest[DIGEST_MAX], int64_t *size,
		     struct err *e)
{
	AUTO(hasher) struct hasher *h = NULL;
	AUTO(close) int fd = path ? open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : image_tmp_file(s, e);
	AUTO(free) char *chunk = malloc(SPOOL_CHUNK);
	int64_t total = 0;
	if (fd < 0)
		return path ? err_sys(e, errno, "making %s", path) : fd;
	if (!chunk || (digest && hasher_new(DIGEST_SHA256, &h) < 0))
		return err_nomem(e);
	for (;;) {
		ssize_t n = read_full_wait(in, chunk, SPOOL_CHUNK);
		if (n < 0)
			return err_sys(e, (int)n, "reading");
		if (n == 0)
			break;
		total += n;
		if (total > max_bytes)
			return err_set(e, EFBIG, "more than %lld bytes", (long long)max_bytes);
		struct spool_job j = { fd, chunk, (size_t)n, h };
		int r = job_wait(spool_job, &j);
		if (r < 0)
			return err_sys(e, r, "writing");
	}
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, errno, "seeking");
	if (digest)
		hasher_end(h, digest);
	if (size)
		*size = total;
	return take_fd(&fd);
}

/* --- sizes --------------------------------------------------------------------------- */

struct bytes_job { const char *dir; int64_t bytes; };

static int bytes_job(void *arg)
{
	struct bytes_job *j = arg;
	struct map seen;
	char *paths[] = { (char *)j->dir, NULL };
	FTS *f = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	if (!f)
		return -errno;
	map_init(&seen);
	FTSENT *x;
	while ((x = fts_read(f))) {
		if (x->fts_info != FTS_F)
			continue;
		ino_t ino = x->fts_statp->st_ino;
		struct slice key = slice_n(&ino, sizeof ino);
		if (x->fts_statp->st_nlink > 1) {
			if (map_get(&seen, key))
				continue;
			map_set(&seen, key, j, NULL);
		}
		j->bytes += x->fts_statp->st_size;
	}
	map_release(&seen);
	fts_close(f);
	return 0;
}

int image_dir_bytes_wait(const char *dir, int64_t *ret, struct err *e)
{
	struct bytes_job j = { dir, 0 };
	int r = job_wait(bytes_job, &j);
	if (r < 0)
		return err_sys(e, r, "measuring %s", dir);
	*ret = j.bytes;
	return 0;
}

/* --- discarding ------------------------------------------------------------------------ */

struct discard { struct image_store *s; char *path; };

static int discard_job(void *arg)
{
	struct discard *d = arg;
	struct err e = { 0 };
	int r = dir_remove(AT_FDCWD, d->path, &e);
	if (r < 0)
		log_warn("image file stays until the next start", "path=%s error=%s", d->path, e.text);
	return r;
}

static void discard_done(void *arg, int result)
{
	struct discard *d = arg;
	d->s->removals--;
	free(d->path);
	free(d);
}

void image_discard(struct image_store *s, const char *path)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 16);
	const char *tmp = image_tmp_path(s, &a);
	struct discard *d = calloc(1, sizeof *d);
	if (!d || !tmp || rename(path, tmp) < 0 || !(d->path = slice_dup(slice_of(tmp)))) {
		free(d);
		return;
	}
	d->s = s;
	s->removals++;
	if (job_start(s->loop, discard_job, d, discard_done) < 0)
		discard_done(d, 0);
}
