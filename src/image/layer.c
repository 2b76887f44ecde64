/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers: from compressed bytes, or from a folder, to ROOT/image/layers/HEX.
 *
 *   file --(worker: decompress, hash)--> pipe --> unpacker --> tmp/X/diff --rename--> layers/HEX/diff
 *
 * Nothing appears under layers/ before its DiffID is known and is the one
 * expected. A layer that no kv record names is removed at the next start.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "codec/compress.h"
#include "image/media.h"
#include "image/store_int.h"

enum { CHUNK = 256 * 1024, PIPE_BYTES = 1 << 20 };

/* --- the worker: source -> inflate -> hash -> pipe, and the blob beside it ------- */

struct feed {
	const struct layer_source *from;
	int out;                         /* -1: hash only */
	int blob;                        /* file for the compressed form, or -1 */
	struct hasher *hash, *blob_hash;
	struct inflate *inflate;
	struct deflate *deflate;         /* set when the source is plain and a blob is wanted */
	enum compression kind;
	char *in, *plain, *squeezed;
	int64_t left;
	_Atomic int64_t done;
	int64_t plain_bytes, blob_bytes;
	/* run state, on the loop */
	struct fiber *waiter;
	bool is_ended;
	int result;
	struct timer timer;
	struct loop *loop;
	struct err e;
};

static ssize_t feed_read(struct feed *f, size_t at)
{
	size_t want = CHUNK - at;
	int64_t done = atomic_load(&f->done);
	if (f->left >= 0)
		want = (size_t)MIN((int64_t)want, f->left);
	if (want == 0)
		return 0;
	ssize_t n;
	do
		n = f->from->offset < 0 ? read(f->from->fd, f->in + at, want) : pread(f->from->fd, f->in + at, want, f->from->offset + done);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(&f->e, errno, "reading a layer");
	if (n == 0 && f->left > 0)
		return err_set(&f->e, EPIPE, "unexpected EOF");
	if (f->left >= 0)
		f->left -= n;
	atomic_store(&f->done, done + n);
	return n;
}

static int blob_write(struct feed *f, const void *p, size_t n)
{
	if (f->blob < 0 || n == 0)
		return 0;
	hasher_add(f->blob_hash, p, n);
	f->blob_bytes += (int64_t)n;
	int r = fd_write_all(f->blob, p, n);
	return r < 0 ? err_sys(&f->e, r, "writing a blob") : 0;
}

static int squeeze(struct feed *f, struct slice s, bool last)
{
	while (f->deflate && (s.len || (last && !deflate_is_done(f->deflate)))) {
		ssize_t n = deflate_step(f->deflate, &s, last, f->squeezed, CHUNK);
		int r = n < 0 ? (int)n : blob_write(f, f->squeezed, (size_t)n);
		if (r < 0)
			return r;
	}
	return 0;
}

static int plain_write(struct feed *f, size_t n)
{
	hasher_add(f->hash, f->plain, n);
	f->plain_bytes += (int64_t)n;
	int r = squeeze(f, slice_n(f->plain, n), false);
	if (r < 0 || f->out < 0)
		return r;
	r = fd_write_all(f->out, f->plain, n);
	return r < 0 ? err_sys(&f->e, r, "unpacking a layer") : 0;
}

static int feed_begin(struct feed *f, struct slice start)
{
	f->kind = compression_detect(start);
	int r = inflate_new(f->kind, &f->inflate);
	if (r == -ENOTSUP)
		return err_set(&f->e, ENOTSUP, "%s compression is not supported: use gzip, zstd or no compression", compression_name(f->kind));
	if (r >= 0 && f->blob >= 0 && f->kind == COMPRESSION_NONE)
		r = deflate_new(COMPRESSION_GZIP, 0, &f->deflate);
	return r < 0 ? err_nomem(&f->e) : 0;
}

static int feed_piece(struct feed *f, struct slice in)
{
	int r = f->kind == COMPRESSION_NONE ? 0 : blob_write(f, in.ptr, in.len);
	while (r >= 0) {
		ssize_t n = inflate_step(f->inflate, &in, f->plain, CHUNK);
		if (n < 0)
			return err_set(&f->e, (int)n, "%s: the compressed data is broken", compression_name(f->kind));
		if (n == 0)
			return in.len ? err_set(&f->e, EBADMSG, "%s: data behind the end", compression_name(f->kind)) : 0;
		r = plain_write(f, (size_t)n);
	}
	return r;
}

static int feed_run(struct feed *f)
{
	size_t at = 0;
	for (;;) {
		ssize_t n = feed_read(f, at);
		if (n < 0)
			return (int)n;
		at += (size_t)n;
		if (!f->inflate) {
			if (n > 0 && at < COMPRESSION_MAGIC_BYTES)
				continue;
			int r = feed_begin(f, slice_n(f->in, at));
			if (r < 0)
				return r;
		}
		int r = feed_piece(f, slice_n(f->in, at));
		if (r < 0)
			return r;
		if (n == 0)
			break;
		at = 0;
	}
	if (!inflate_is_whole(f->inflate))
		return err_set(&f->e, EPIPE, "unexpected EOF");
	return squeeze(f, slice_n(NULL, 0), true);
}

static int feed_job(void *arg)
{
	struct feed *f = arg;
	int r = feed_run(f);
	if (f->out >= 0)
		close(take_fd(&f->out));
	return r;
}

static void feed_ended(void *arg, int result)
{
	struct feed *f = arg;
	f->result = result;
	f->is_ended = true;
	timer_cancel(&f->timer);
	if (f->waiter)
		fiber_wake(f->waiter);
}

static void feed_tick(struct timer *t)
{
	struct feed *f = container_of(t, struct feed, timer);
	f->from->progress(f->from->progress_arg, atomic_load(&f->done));
	timer_set(f->loop, t, 100 * NS_PER_MS, feed_tick);
}

static void feed_release(struct feed *f)
{
	if (f->out >= 0)
		close(f->out);
	if (f->blob >= 0)
		close(f->blob);
	hasher_free(f->hash);
	hasher_free(f->blob_hash);
	inflate_free(f->inflate);
	deflate_free(f->deflate);
	free(f->in);
	free(f->plain);
	free(f->squeezed);
}
static inline void auto_feed(struct feed *f) { feed_release(f); }

/* out is taken. */
static int feed_start(struct feed *f, struct image_store *s, const struct layer_source *from, int out, const char *blob_path, struct err *e)
{
	f->from = from;
	f->out = out;
	f->loop = s->loop;
	f->left = from->len;
	f->in = malloc(CHUNK);
	f->plain = malloc(CHUNK);
	f->squeezed = blob_path ? malloc(CHUNK) : NULL;
	if (!f->in || !f->plain || (blob_path && !f->squeezed) || hasher_new(DIGEST_SHA256, &f->hash) < 0 ||
	    hasher_new(DIGEST_SHA256, &f->blob_hash) < 0)
		return err_nomem(e);
	if (blob_path) {
		f->blob = open(blob_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (f->blob < 0)
			return err_sys(e, errno, "making %s", blob_path);
	}
	int r = job_start(s->loop, feed_job, f, feed_ended);
	if (r < 0)
		return err_sys(e, r, "starting a worker");
	if (from->progress)
		timer_set(s->loop, &f->timer, 100 * NS_PER_MS, feed_tick);
	return 0;
}

static void feed_end_wait(struct feed *f)
{
	f->waiter = fiber_self();
	while (!f->is_ended)
		fiber_suspend_wait();
	f->waiter = NULL;
}

/* --- leases ------------------------------------------------------------------------- */

struct image_layer *image_layer_lease(struct image_store *s, struct layer_rec *l)
{
	struct image_layer *x = calloc(1, sizeof *x);
	if (!x)
		return NULL;
	x->store = s;
	x->rec = l;
	l->leases++;
	return x;
}

struct forget { struct image_store *s; char diff_id[IMAGE_ID_MAX]; };

static void drop_now(struct image_store *s, struct layer_rec *l)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 20);
	const char *dir = image_layer_path(s, &a, l->diff_id);
	if (dir)
		image_discard(s, dir);
	for (size_t i = 0; i < l->blobs.n; i++) {
		const char *path = image_blob_path(s, &a, l->blobs.v[i]->digest);
		if (path)
			image_discard(s, path);
	}
	map_dels(&s->layers, l->diff_id);
	layer_rec_free(l);
}

static void forget_fiber(void *arg)
{
	struct forget *x = arg;
	struct err e = { 0 };
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 16);
	const char *key = record_key_layer(&a, x->diff_id);
	struct layer_rec *l = map_gets(&x->s->layers, x->diff_id);
	if (key && l && l->images == 0 && l->leases == 0) {
		l->leases++;   /* nobody else removes it meanwhile */
		int r = kv_delete_wait(x->s->kv, key, &e);
		l->leases--;
		l->is_saved = r < 0;
		if (r < 0)
			log_warn("unused layer keeps its record", "layer=%s error=%s", x->diff_id, e.text);
		else
			layer_drop_if_unused(x->s, l);
	}
	x->s->removals--;
	free(x);
}

void layer_drop_if_unused(struct image_store *s, struct layer_rec *l)
{
	if (l->images || l->leases)
		return;
	if (!l->is_saved) {
		drop_now(s, l);
		return;
	}
	struct forget *x = calloc(1, sizeof *x);
	if (!x)
		return;
	x->s = s;
	memcpy(x->diff_id, l->diff_id, sizeof x->diff_id);
	s->removals++;
	if (fiber_start(s->loop, "layer forget", forget_fiber, x) < 0) {
		s->removals--;
		free(x);
	}
}

void image_layer_release(struct image_layer *x)
{
	if (!x)
		return;
	x->rec->leases--;
	layer_drop_if_unused(x->store, x->rec);
	free(x);
}

const char *image_layer_diff_id(const struct image_layer *x) { return x->rec->diff_id; }
int64_t image_layer_size(const struct image_layer *x) { return x->rec->size_bytes; }

int image_layer_dir(const struct image_layer *x, struct arena *a, const char **ret)
{
	*ret = arena_fmt(a, "%s/layers/%s/diff", x->store->root, x->rec->diff_id + 7);
	return *ret ? 0 : -ENOMEM;
}

/* --- making ---------------------------------------------------------------------------- */

struct work {
	struct arena a;
	const char *dir, *diff, *blob;    /* tmp/X, tmp/X/diff, tmp/Y */
};

static int work_begin(struct image_store *s, struct work *w, struct err *e)
{
	arena_init(&w->a, 1 << 20);
	w->dir = image_tmp_path(s, &w->a);
	w->blob = image_tmp_path(s, &w->a);
	w->diff = w->dir ? arena_fmt(&w->a, "%s/diff", w->dir) : NULL;
	if (!w->diff || !w->blob)
		return err_nomem(e);
	if (mkdir(w->dir, 0711) < 0 || mkdir(w->diff, 0755) < 0)
		return err_sys(e, errno, "making %s", w->dir);
	return 0;
}

static void work_end(struct image_store *s, struct work *w)
{
	if (w->dir)
		image_discard(s, w->dir);
	if (w->blob)
		unlink(w->blob);
	arena_release(&w->a);
}

/* tmp/X becomes layers/HEX, unless the layer is there already. */
static int settle(struct image_store *s, struct work *w, const char *diff_id, int64_t size, struct layer_rec **ret, struct err *e)
{
	struct layer_rec *l = map_gets(&s->layers, diff_id);
	if (!l) {
		const char *final = image_layer_path(s, &w->a, diff_id);
		if (!final || !(l = layer_rec_new(s, diff_id)))
			return err_nomem(e);
		if (rename(w->dir, final) < 0) {
			int r = err_sys(e, errno, "moving a layer to %s", final);
			map_dels(&s->layers, diff_id);
			layer_rec_free(l);
			return r;
		}
		w->dir = NULL;
		l->size_bytes = size;
	}
	*ret = l;
	return 0;
}

static void settle_blob(struct image_store *s, struct work *w, struct layer_rec *l, const char *digest, int64_t size, const char *media_type)
{
	const char *final = image_blob_path(s, &w->a, digest);
	if (final && rename(w->blob, final) == 0)
		layer_add_blob(l, digest, size, media_type);
}

static const char *blob_media_type(enum compression c)
{
	return c == COMPRESSION_ZSTD ? MEDIA_OCI_LAYER_ZSTD : MEDIA_DOCKER_LAYER;
}

static int make_pipe(int p[2], struct err *e)
{
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, errno, "making a pipe");
	fcntl(p[1], F_SETPIPE_SZ, PIPE_BYTES);
	return 0;
}

/* The unpacker's own reason counts, unless it only saw the feed end early. */
static int first_error(const struct feed *f, int unpacked, const struct err *u, struct err *e)
{
	if (f->result < 0 && !(f->result == -EPIPE && unpacked < 0 && f->e.code == EPIPE && strncmp(f->e.text, "unpacking", 9) == 0))
		return err_set(e, f->result, "%s", f->e.code ? f->e.text : "reading a layer failed");
	return unpacked < 0 ? err_set(e, unpacked, "failed to register layer: %s", u->text) : 0;
}

static int apply_in_wait(struct image_store *s, struct work *w, const struct layer_source *from, const char *expected, struct image_layer **ret,
			 struct err *e)
{
	AUTO(feed) struct feed f = { .out = -1, .blob = -1 };
	int p[2];
	int64_t size = 0;
	struct err u = { 0 };
	char diff_id[DIGEST_MAX], blob[DIGEST_MAX];
	struct layer_rec *l;
	int r = make_pipe(p, e);
	if (r < 0)
		return r;
	r = feed_start(&f, s, from, p[1], from->keep ? w->blob : NULL, e);
	if (r < 0) {
		close(p[0]);
		return r;
	}
	int unpacked = s->unpacker.layer_wait(s->unpacker.arg, p[0], w->diff, &size, &u);
	feed_end_wait(&f);
	if ((r = first_error(&f, unpacked, &u, e)) < 0)
		return r;
	hasher_end(f.hash, diff_id);
	hasher_end(f.blob_hash, blob);
	if (expected && strcmp(expected, diff_id) != 0)
		return err_set(e, EBADMSG, "filesystem layer verification failed: expected %s, got %s", expected, diff_id);
	r = settle(s, w, diff_id, size, &l, e);
	if (r < 0)
		return r;
	if (from->keep && l->blobs.n == 0)
		settle_blob(s, w, l, blob, f.blob_bytes, blob_media_type(f.kind));
	*ret = image_layer_lease(s, l);
	return *ret ? 0 : err_nomem(e);
}

int image_layer_apply_wait(struct image_store *s, const struct layer_source *from, const char *expected, struct image_layer **ret, struct err *e)
{
	struct layer_rec *l = expected ? map_gets(&s->layers, expected) : NULL;
	struct work w;
	if (l) {
		*ret = image_layer_lease(s, l);
		return *ret ? 0 : err_nomem(e);
	}
	int r = work_begin(s, &w, e);
	if (r >= 0)
		r = apply_in_wait(s, &w, from, expected, ret, e);
	work_end(s, &w);
	return r;
}

int image_layer_from_tar_wait(struct image_store *s, struct stream *tar, struct image_layer **ret, struct err *e)
{
	AUTO(close) int fd = image_spool_wait(s, tar, NULL, INT64_MAX, NULL, NULL, e);
	if (fd < 0)
		return fd;
	struct layer_source from = { .fd = fd, .len = -1, .keep = true };
	return image_layer_apply_wait(s, &from, NULL, ret, e);
}

/* A folder is packed in a fiber of its own, because unpacking its bytes waits too. */
struct pack {
	struct image_store *s;
	const char *dir;
	int out;
	struct fiber *waiter;
	bool is_ended;
	int result;
	struct err e;
};

static void pack_fiber(void *arg)
{
	struct pack *p = arg;
	p->result = p->s->unpacker.pack_wait(p->s->unpacker.arg, p->dir, take_fd(&p->out), &p->e);
	p->is_ended = true;
	if (p->waiter)
		fiber_wake(p->waiter);
}

static int pack_start(struct pack *p, struct err *e)
{
	int r = fiber_start(p->s->loop, "layer pack", pack_fiber, p);
	if (r < 0) {
		close(p->out);
		return err_sys(e, r, "starting a fiber");
	}
	return 0;
}

static void pack_end_wait(struct pack *p)
{
	p->waiter = fiber_self();
	while (!p->is_ended)
		fiber_suspend_wait();
}

/* Packs dir through a feed: its DiffID; with blob_path its gzip form there; with plain >= 0 (taken) its tar there. */
static int pack_through_wait(struct image_store *s, const char *dir, const char *blob_path, int plain, char diff_id[DIGEST_MAX],
			     char blob[DIGEST_MAX], int64_t *blob_bytes, struct err *e)
{
	AUTO(close) int out = plain;
	AUTO(feed) struct feed f = { .out = -1, .blob = -1 };
	int p[2];
	int r = make_pipe(p, e);
	if (r < 0)
		return r;
	AUTO(close) int in = p[0];
	struct layer_source from = { .fd = in, .offset = -1, .len = -1, .keep = blob_path != NULL };
	struct pack pack = { .s = s, .dir = dir, .out = p[1] };
	if ((r = pack_start(&pack, e)) < 0)
		return r;
	r = feed_start(&f, s, &from, take_fd(&out), blob_path, e);
	if (r >= 0)
		feed_end_wait(&f);
	close(take_fd(&in));
	pack_end_wait(&pack);
	if (r < 0)
		return r;
	if (pack.result < 0)
		return err_set(e, pack.result, "packing a layer: %s", pack.e.text);
	if (f.result < 0)
		return err_set(e, f.result, "%s", f.e.text);
	hasher_end(f.hash, diff_id);
	hasher_end(f.blob_hash, blob);
	*blob_bytes = f.blob_bytes;
	return 0;
}

static int copy_dir_wait(struct image_store *s, const char *dir, struct image_layer **ret, struct err *e)
{
	int p[2];
	int r = make_pipe(p, e);
	if (r < 0)
		return r;
	AUTO(close) int in = p[0];
	struct layer_source from = { .fd = in, .offset = -1, .len = -1 };
	struct pack pack = { .s = s, .dir = dir, .out = p[1] };
	if ((r = pack_start(&pack, e)) < 0)
		return r;
	r = image_layer_apply_wait(s, &from, NULL, ret, e);
	close(take_fd(&in));
	pack_end_wait(&pack);
	if (r >= 0 && pack.result < 0) {
		image_layer_release(*ret);
		*ret = NULL;
		return err_set(e, pack.result, "packing a layer: %s", pack.e.text);
	}
	return r;
}

static int take_dir_wait(struct image_store *s, struct work *w, const char *dir, struct image_layer **ret, struct err *e)
{
	char diff_id[DIGEST_MAX], blob[DIGEST_MAX];
	int64_t size, ignored;
	struct layer_rec *l;
	int r = image_dir_bytes_wait(dir, &size, e);
	if (r < 0 || (r = pack_through_wait(s, dir, NULL, -1, diff_id, blob, &ignored, e)) < 0)
		return r;
	if (rmdir(w->diff) < 0 || rename(dir, w->diff) < 0)
		return err_sys(e, errno, "taking %s as a layer", dir);
	if ((r = settle(s, w, diff_id, size, &l, e)) < 0)
		return r;
	*ret = image_layer_lease(s, l);
	return *ret ? 0 : err_nomem(e);
}

int image_layer_from_dir_wait(struct image_store *s, const char *dir, bool take, struct image_layer **ret, struct err *e)
{
	struct work w;
	if (!take)
		return copy_dir_wait(s, dir, ret, e);
	int r = work_begin(s, &w, e);
	if (r >= 0)
		r = take_dir_wait(s, &w, dir, ret, e);
	work_end(s, &w);
	return r;
}

/* --- the compressed form ------------------------------------------------------------------- */

static struct image_blob *blob_on_disk(struct image_store *s, struct layer_rec *l, struct arena *a)
{
	for (size_t i = 0; i < l->blobs.n; i++) {
		struct stat st;
		const char *path = image_blob_path(s, a, l->blobs.v[i]->digest);
		if (path && stat(path, &st) == 0 && st.st_size == l->blobs.v[i]->size_bytes)
			return l->blobs.v[i];
	}
	return NULL;
}

int image_layer_blob_wait(struct image_store *s, struct layer_rec *l, struct image_blob **ret, struct err *e)
{
	struct work w;
	char diff_id[DIGEST_MAX], blob[DIGEST_MAX];
	int64_t bytes;
	arena_init(&w.a, 1 << 20);
	w.dir = NULL;
	w.blob = NULL;
	int r = 0;
	*ret = blob_on_disk(s, l, &w.a);
	if (!*ret) {
		const char *dir = arena_fmt(&w.a, "%s/layers/%s/diff", s->root, l->diff_id + 7);
		w.blob = image_tmp_path(s, &w.a);
		l->leases++;
		r = dir && w.blob ? pack_through_wait(s, dir, w.blob, -1, diff_id, blob, &bytes, e) : err_nomem(e);
		l->leases--;
		if (r >= 0 && strcmp(diff_id, l->diff_id) != 0)
			r = err_set(e, EBADMSG, "layer %s: its files no longer give this digest but %s", l->diff_id, diff_id);
		if (r >= 0) {
			settle_blob(s, &w, l, blob, bytes, MEDIA_DOCKER_LAYER);
			*ret = blob_on_disk(s, l, &w.a);
			r = *ret ? layer_save_wait(s, l, e) : err_set(e, EIO, "layer %s: its compressed form cannot be kept", l->diff_id);
		}
	}
	work_end(s, &w);
	return r;
}

/* --- the plain tar -------------------------------------------------------------------------------- */

int image_inflate_wait(struct image_store *s, int fd, int64_t offset, int64_t len, int *ret, char digest[DIGEST_MAX], struct err *e)
{
	AUTO(feed) struct feed f = { .out = -1, .blob = -1 };
	AUTO(close) int tmp = image_tmp_file(s, e);
	struct layer_source from = { .fd = fd, .offset = offset, .len = len };
	if (tmp < 0)
		return tmp;
	int out = fcntl(tmp, F_DUPFD_CLOEXEC, 3);
	if (out < 0)
		return err_sys(e, errno, "duplicating a descriptor");
	int r = feed_start(&f, s, &from, out, NULL, e);
	if (r < 0)
		return r;
	feed_end_wait(&f);
	if (f.result < 0)
		return err_set(e, f.result, "%s", f.e.text);
	hasher_end(f.hash, digest);
	*ret = take_fd(&tmp);
	return 0;
}

int image_layer_plain_wait(struct image_store *s, struct layer_rec *l, int *ret, struct err *e)
{
	AUTO(arena) struct arena a;
	AUTO(close) int fd = -1;
	char diff_id[DIGEST_MAX], blob[DIGEST_MAX];
	int64_t bytes;
	arena_init(&a, 1 << 20);
	struct image_blob *b = blob_on_disk(s, l, &a);
	const char *path = b ? image_blob_path(s, &a, b->digest) : arena_fmt(&a, "%s/layers/%s/diff", s->root, l->diff_id + 7);
	if (!path)
		return err_nomem(e);
	int r;
	l->leases++;
	if (b) {
		AUTO(close) int in = open(path, O_RDONLY | O_CLOEXEC);
		r = in < 0 ? err_sys(e, errno, "opening %s", path) : image_inflate_wait(s, in, 0, -1, &fd, diff_id, e);
	} else {
		fd = image_tmp_file(s, e);
		int out = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
		r = out < 0 ? err_sys(e, errno, "making a temporary file") : pack_through_wait(s, path, NULL, out, diff_id, blob, &bytes, e);
	}
	l->leases--;
	if (r >= 0 && strcmp(diff_id, l->diff_id) != 0)
		r = err_set(e, EBADMSG, "layer %s: its bytes give %s", l->diff_id, diff_id);
	if (r >= 0)
		*ret = take_fd(&fd);
	return r;
}
