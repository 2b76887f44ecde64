/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing the image store: folders, records, and the sweep of files that no record names. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "base/auto.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/rand.h"
#include "image/store_int.h"

const char *image_blob_path(struct image_store *s, struct arena *a, const char *digest)
{
	struct slice name, hex;
	slice_cut(slice_of(digest), ':', &name, &hex);
	return arena_fmt(a, "%s/blobs/%.*s/%.*s", s->root, SLICE_FMT(name), SLICE_FMT(hex));
}

const char *image_layer_path(struct image_store *s, struct arena *a, const char *diff_id)
{
	return arena_fmt(a, "%s/layers/%s", s->root, diff_id + 7);
}

const char *image_tmp_path(struct image_store *s, struct arena *a)
{
	char name[33];
	rand_hex(name, 16);
	return arena_fmt(a, "%s/tmp/%s", s->root, name);
}

/* --- the sweep ---------------------------------------------------------------- */

/* Calls remove(arg, name) for each entry of ROOT/image/SUB. */
static int each_entry(struct image_store *s, const char *sub, void (*fn)(struct image_store *s, const char *path, const char *name), struct err *e)
{
	AUTO(free) char *dir = fmt_new("%s/%s", s->root, sub);
	if (!dir)
		return err_nomem(e);
	DIR *d = opendir(dir);
	if (!d)
		return err_sys(e, errno, "opening %s", dir);
	struct dirent *x;
	while ((x = readdir(d))) {
		if (strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0)
			continue;
		AUTO(free) char *path = fmt_new("%s/%s", dir, x->d_name);
		if (path)
			fn(s, path, x->d_name);
	}
	closedir(d);
	return 0;
}

static void remove_path(const char *path)
{
	struct err e = { 0 };
	if (dir_remove(AT_FDCWD, path, &e) < 0)
		log_warn("left-over image file stays", "path=%s error=%s", path, e.text);
}

static void sweep_tmp(struct image_store *s, const char *path, const char *name)
{
	remove_path(path);
}

static void sweep_layer(struct image_store *s, const char *path, const char *name)
{
	char id[IMAGE_ID_MAX];
	if (!fmt_into(id, sizeof id, "sha256:%s", name) || !map_gets(&s->layers, id))
		remove_path(path);
}

static bool blob_is_wanted(struct image_store *s, const char *digest)
{
	size_t at = 0;
	struct map_entry *m;
	if (map_gets(&s->images, digest))
		return true;
	while ((m = map_next(&s->layers, &at))) {
		struct layer_rec *l = m->value;
		for (size_t i = 0; i < l->blobs.n; i++)
			if (strcmp(l->blobs.v[i]->digest, digest) == 0)
				return true;
	}
	return false;
}

static void sweep_sha256(struct image_store *s, const char *path, const char *name)
{
	char id[DIGEST_MAX];
	if (!fmt_into(id, sizeof id, "sha256:%s", name) || !blob_is_wanted(s, id))
		remove_path(path);
}

static void sweep_sha512(struct image_store *s, const char *path, const char *name)
{
	char id[DIGEST_MAX];
	if (!fmt_into(id, sizeof id, "sha512:%s", name) || !blob_is_wanted(s, id))
		remove_path(path);
}

/* Leaves out images whose configuration or layers are not on the disk (somebody removed files by hand). */
static void check_images(struct image_store *s)
{
	size_t at = 0;
	struct map_entry *m;
	while ((m = map_next(&s->images, &at))) {
		struct image_rec *i = m->value;
		AUTO(arena) struct arena a;
		struct stat st;
		const char *missing = NULL;
		arena_init(&a, 1 << 20);
		const char *path = image_blob_path(s, &a, i->id);
		if (!path || stat(path, &st) < 0)
			missing = path;
		for (size_t k = 0; k < i->layers.n && !missing; k++) {
			path = image_layer_path(s, &a, i->layers.v[k]->diff_id);
			if (!path || stat(path, &st) < 0)
				missing = path;
		}
		if (missing && !i->is_removed) {
			log_error("image has lost files and is not shown", "id=%s missing=%s", i->id, missing);
			i->is_removed = true;
		}
	}
}

/* Layers that no image counts on: a crash between two records cannot leave them (one commit), old versions could. */
static void drop_orphans(struct image_store *s)
{
	size_t at = 0;
	struct map_entry *m;
	while ((m = map_next(&s->layers, &at))) {
		struct layer_rec *l = m->value;
		if (l->images == 0) {
			map_del(&s->layers, slice_n(m->key, m->key_len));
			layer_rec_free(l);
		}
	}
}

/* --- opening ---------------------------------------------------------------------- */

static int make_folders(struct image_store *s, struct err *e)
{
	static const struct { const char *name; mode_t mode; } rows[] = {
		{ "", 0711 }, { "blobs", 0700 }, { "blobs/sha256", 0700 }, { "blobs/sha512", 0700 }, { "layers", 0711 }, { "tmp", 0711 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(free) char *path = fmt_new("%s/%s", s->root, rows[i].name);
		if (!path)
			return err_nomem(e);
		int r = dir_make(AT_FDCWD, path, rows[i].mode);
		if (r < 0)
			return err_sys(e, r, "making %s", path);
	}
	return 0;
}

static int copy_settings(struct image_store *s, const struct image_settings *c)
{
	s->root = fmt_new("%s/image", c->root);
	s->config_dir = slice_dup(slice_of(c->config_dir ? c->config_dir : "/etc/coracle"));
	s->coracled = c->coracled ? slice_dup(slice_of(c->coracled)) : NULL;
	s->user_agent = slice_dup(slice_of(c->user_agent ? c->user_agent : "docker/28.5.2 (linux) coracle"));
	s->hub = slice_dup(slice_of(c->hub ? c->hub : "https://registry-1.docker.io"));
	if (!s->root || !s->config_dir || !s->user_agent || !s->hub || (c->coracled && !s->coracled))
		return -ENOMEM;
	for (size_t i = 0; i < c->n_mirrors; i++)
		if (vec_push(&s->mirrors, slice_dup(slice_of(c->mirrors[i]))) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < c->n_insecure; i++)
		if (vec_push(&s->insecure, slice_dup(slice_of(c->insecure[i]))) < 0)
			return -ENOMEM;
	s->parallel_downloads = c->parallel_downloads ? c->parallel_downloads : 3;
	s->parallel_uploads = c->parallel_uploads ? c->parallel_uploads : 5;
	return 0;
}

AUTO_DEFINE(image_store, struct image_store *, image_close)

int image_open(struct loop *l, const struct image_settings *c, struct image_store **ret, struct err *e)
{
	AUTO(image_store) struct image_store *s = calloc(1, sizeof *s);
	if (!s)
		return err_nomem(e);
	s->loop = l;
	s->kv = c->kv;
	s->unpacker = c->unpacker;
	map_init(&s->images);
	map_init(&s->layers);
	map_init(&s->names[0]);
	map_init(&s->names[1]);
	if (copy_settings(s, c) < 0)
		return err_nomem(e);
	int r = make_folders(s, e);
	if (r < 0 || (r = records_load(s, e)) < 0)
		return r;
	drop_orphans(s);
	if ((r = each_entry(s, "tmp", sweep_tmp, e)) < 0 || (r = each_entry(s, "layers", sweep_layer, e)) < 0 ||
	    (r = each_entry(s, "blobs/sha256", sweep_sha256, e)) < 0 || (r = each_entry(s, "blobs/sha512", sweep_sha512, e)) < 0)
		return r;
	check_images(s);
	*ret = take_ptr(s);
	return 0;
}

bool image_is_idle(const struct image_store *s)
{
	return s->removals == 0;
}

void image_close(struct image_store *s)
{
	size_t at;
	struct map_entry *m;
	if (!s)
		return;
	for (int o = 0; o < 2; o++) {
		for (at = 0; (m = map_next(&s->names[o], &at));) {
			free(((struct name_rec *)m->value)->text);
			free(m->value);
		}
		map_release(&s->names[o]);
	}
	for (at = 0; (m = map_next(&s->images, &at));)
		image_rec_free(m->value);
	for (at = 0; (m = map_next(&s->layers, &at));)
		layer_rec_free(m->value);
	map_release(&s->images);
	map_release(&s->layers);
	for (size_t i = 0; i < s->mirrors.n; i++)
		free(s->mirrors.v[i]);
	for (size_t i = 0; i < s->insecure.n; i++)
		free(s->insecure.v[i]);
	vec_release(&s->mirrors);
	vec_release(&s->insecure);
	free(s->root);
	free(s->config_dir);
	free(s->coracled);
	free(s->user_agent);
	free(s->hub);
	free(s);
}
