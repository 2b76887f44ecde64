/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker load: an archive is spooled to an unnamed file, decompressed if need
 * be, its entries are listed once with their places, and images are made from
 * either description in it: manifest.json (docker-archive) or else index.json
 * (OCI layout). Names in the archive only look up that list; nothing is ever
 * opened by them.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/docker.h"
#include "base/auto.h"
#include "base/path.h"
#include "codec/compress.h"
#include "codec/tar.h"
#include "image/media.h"
#include "image/platform.h"
#include "image/store_int.h"

enum { LOAD_ENTRIES_MAX = 100000, LOAD_LINKS_MAX = 8, LOAD_IMAGES_MAX = 10000, LOAD_INDEX_DEPTH = 4 };

struct place {
	int64_t offset, size;
	const char *link;               /* path of another entry, or NULL */
};

struct load {
	struct image_store *s;
	enum image_owner owner;
	const struct image_progress_sink *sink;
	bool quiet;
	int fd;
	struct arena a;
	struct map places;              /* clean path -> struct place */
	/* of the listing job */
	int64_t at;
	struct err e;
};

/* --- listing, on a worker ------------------------------------------------------------ */

static ssize_t list_read(void *arg, void *p, size_t n)
{
	struct load *x = arg;
	ssize_t r = pread(x->fd, p, n, x->at);
	if (r < 0)
		return -errno;
	x->at += r;
	return r;
}

static const char *clean_name(struct load *x, const char *name)
{
	char *p = arena_alloc(&x->a, strlen(name) + 3);
	if (!p)
		return NULL;
	path_clean(p, name);
	while (*p == '/')
		p++;
	return p;
}

static int list_add(struct load *x, const struct tar_entry *t, const struct tar_reader *r)
{
	struct place *p = arena_new(&x->a, struct place);
	const char *name = clean_name(x, t->name);
	if (!p || !name)
		return err_nomem(&x->e);
	if (x->places.n >= LOAD_ENTRIES_MAX)
		return err_set(&x->e, E2BIG, "the archive has more than %d entries", LOAD_ENTRIES_MAX);
	p->offset = x->at - (int64_t)(r->end - r->at);
	p->size = t->size_bytes;
	if (t->type == TAR_SYMLINK) {
		const char *base = path_base(name);
		const char *full = t->link[0] == '/' ? t->link : arena_fmt(&x->a, "%.*s%s", (int)(base - name), name, t->link);
		p->link = full ? clean_name(x, full) : NULL;
	} else if (t->type == TAR_HARDLINK) {
		p->link = clean_name(x, t->link);
	} else if (t->type != TAR_FILE || r->n_pieces > 1) {
		return 0;
	}
	return map_sets(&x->places, name, p) < 0 ? err_nomem(&x->e) : 0;
}

static int list_job(void *arg)
{
	struct load *x = arg;
	AUTO(tar_reader) struct tar_reader r;
	struct tar_entry t;
	int n;
	tar_reader_init(&r, list_read, x);
	while ((n = tar_next(&r, &t, &x->e)) > 0) {
		n = list_add(x, &t, &r);
		if (n < 0)
			return n;
	}
	return n;
}

static const struct place *find_place(struct load *x, const char *name, struct err *e)
{
	const char *clean = clean_name(x, name);
	const struct place *p = clean ? map_gets(&x->places, clean) : NULL;
	for (int hops = 0; p && p->link && hops < LOAD_LINKS_MAX; hops++)
		p = map_gets(&x->places, p->link);
	if (!p || p->link) {
		err_set(e, ENOENT, "open %s: no such file or directory", name);
		return NULL;
	}
	return p;
}

static int read_place(struct load *x, const struct place *p, size_t max, struct slice *ret, struct err *e)
{
	if (p->size > (int64_t)max)
		return err_set(e, EFBIG, "a description of %lld bytes is too large", (long long)p->size);
	char *text = arena_alloc(&x->a, (size_t)p->size + 1);
	if (!text)
		return err_nomem(e);
	for (int64_t got = 0; got < p->size;) {
		ssize_t n = pread(x->fd, text + got, (size_t)(p->size - got), p->offset + got);
		if (n <= 0)
			return err_sys(e, n ? errno : EPIPE, "reading the archive");
		got += n;
	}
	*ret = slice_n(text, (size_t)p->size);
	return 0;
}

static int read_file(struct load *x, const char *name, size_t max, struct slice *ret, struct err *e)
{
	const struct place *p = find_place(x, name, e);
	return p ? read_place(x, p, max, ret, e) : -ENOENT;
}

/* --- one image -------------------------------------------------------------------------- */

static int say(struct load *x, const struct image_progress *p)
{
	return x->sink && x->sink->event ? x->sink->event(x->sink->arg, p) : 0;
}

static int load_layer_wait(struct load *x, const struct place *p, const char *diff_id, struct image_layer **ret, struct err *e)
{
	struct layer_source from = { .fd = x->fd, .offset = p->offset, .len = p->size, .keep = true };
	bool is_new = !map_gets(&x->s->layers, diff_id);
	char id[13];
	fmt_into(id, sizeof id, "%.12s", diff_id + 7);
	int r = is_new && !x->quiet ? say(x, &(struct image_progress){ .id = id, .status = "Loading layer", .current = 0, .total = p->size }) : 0;
	if (r < 0)
		return err_set(e, r, "cancelled");
	r = image_layer_apply_wait(x->s, &from, diff_id, ret, e);
	if (r >= 0 && is_new && !x->quiet)
		say(x, &(struct image_progress){ .id = id, .status = "Loading layer", .current = p->size, .total = p->size });
	return r;
}

struct described {
	struct slice config;
	const struct place **layers;
	uint32_t n_layers;
	const char **names;
	uint32_t n_names;
};

static int say_loaded(struct load *x, const struct described *d, const char *id, struct err *e)
{
	for (uint32_t i = 0; i < MAX(d->n_names, 1u); i++) {
		const char *familiar = NULL;
		if (i < d->n_names && image_ref_normal(d->names[i], &x->a, NULL, &familiar, e) < 0)
			return -EINVAL;
		const char *line = d->n_names ? arena_fmt(&x->a, "Loaded image: %s\n", familiar) : arena_fmt(&x->a, "Loaded image ID: %s\n", id);
		if (!line)
			return err_nomem(e);
		int r = say(x, &(struct image_progress){ .stream = line });
		if (r < 0)
			return err_set(e, r, "cancelled");
	}
	return 0;
}

static int load_image_wait(struct load *x, const struct described *d, struct err *e)
{
	struct image_image c;
	struct err why = { 0 };
	char id[IMAGE_ID_MAX];
	int r = schema_from_json(T_image_image, d->config, SCHEMA_FOLD_CASE, &x->a, &c, &why);
	if (r < 0)
		return err_set(e, EINVAL, "invalid image configuration: %s", why.text);
	if (c.rootfs.n_diff_ids != d->n_layers)
		return err_set(e, EINVAL, "invalid manifest, layers length mismatch: expected %u, got %u", d->n_layers, c.rootfs.n_diff_ids);
	if (d->n_layers > IMAGE_LAYERS_MAX)
		return err_set(e, EINVAL, "max depth exceeded");
	struct image_layer **leases = arena_array(&x->a, d->n_layers, sizeof *leases);
	if (!leases)
		return err_nomem(e);
	for (uint32_t i = 0; i < d->n_layers && r >= 0; i++) {
		const char *diff_id = c.rootfs.diff_ids[i];
		if (!diff_id || strncmp(diff_id, "sha256:", 7) != 0 || !digest_is_valid(slice_of(diff_id)))
			r = err_set(e, EINVAL, "invalid image configuration: diff_ids[%u] is no sha256 digest", i);
		else
			r = load_layer_wait(x, d->layers[i], diff_id, &leases[i], e);
	}
	struct image_create make = { .config = d->config, .names = d->names, .n_names = d->n_names };
	if (r >= 0)
		r = image_create_wait(x->s, x->owner, &make, id, e);
	for (uint32_t i = 0; i < d->n_layers; i++)
		image_layer_release(leases[i]);
	return r < 0 ? r : say_loaded(x, d, id, e);
}

/* --- docker-archive ---------------------------------------------------------------------------- */

static int load_docker_wait(struct load *x, struct slice text, struct err *e)
{
	struct docker_save_manifests all;
	struct err why = { 0 };
	if (schema_from_json(T_docker_save_manifests, text, SCHEMA_FOLD_CASE, &x->a, &all, &why) < 0)
		return err_set(e, EINVAL, "invalid manifest.json: %s", why.text);
	for (uint32_t i = 0; i < MIN(all.n_items, (uint32_t)LOAD_IMAGES_MAX); i++) {
		const struct docker_save_manifest *m = &all.items[i];
		struct described d = { .names = m->repo_tags, .n_names = m->n_repo_tags, .n_layers = m->n_layers };
		int r = read_file(x, m->config ? m->config : "", IMAGE_CONFIG_MAX, &d.config, e);
		if (r < 0)
			return r;
		d.layers = arena_array(&x->a, m->n_layers, sizeof *d.layers);
		if (!d.layers)
			return err_nomem(e);
		for (uint32_t k = 0; k < m->n_layers; k++)
			if (!(d.layers[k] = find_place(x, m->layers[k] ? m->layers[k] : "", e)))
				return -ENOENT;
		if ((r = load_image_wait(x, &d, e)) < 0)
			return r;
	}
	return 0;
}

/* --- OCI layout ------------------------------------------------------------------------------------ */

static const struct place *blob_place(struct load *x, const struct image_descriptor *d, struct err *e)
{
	struct slice name, hex;
	if (!d->digest || !digest_is_valid(slice_of(d->digest))) {
		err_set(e, EINVAL, "invalid index.json: a descriptor without a digest");
		return NULL;
	}
	slice_cut(slice_of(d->digest), ':', &name, &hex);
	const char *path = arena_fmt(&x->a, "blobs/%.*s/%.*s", SLICE_FMT(name), SLICE_FMT(hex));
	return path ? find_place(x, path, e) : NULL;
}

/* Reads a small blob and checks its digest. */
static int read_blob(struct load *x, const struct image_descriptor *d, size_t max, struct slice *ret, struct err *e)
{
	char got[DIGEST_MAX];
	enum digest_algorithm a;
	const struct place *p = blob_place(x, d, e);
	if (!p)
		return -ENOENT;
	int r = read_place(x, p, max, ret, e);
	if (r < 0)
		return r;
	digest_parse(slice_of(d->digest), &a, NULL);
	if (digest_of(a, *ret, got) < 0)
		return err_nomem(e);
	return strcmp(got, d->digest) == 0 ? 0 : err_set(e, EBADMSG, "blob %s has the digest %s", d->digest, got);
}

static const char *layout_name(const struct image_descriptor *d)
{
	const char *full = schema_pair_get(d->annotations, d->n_annotations, "io.containerd.image.name");
	const char *ref = schema_pair_get(d->annotations, d->n_annotations, "org.opencontainers.image.ref.name");
	/* a bare tag is no name; tools other than containerd put whole references here */
	return full ? full : ref && (strchr(ref, '/') || strchr(ref, ':')) ? ref : NULL;
}

static int load_manifest_wait(struct load *x, const struct image_descriptor *md, const char *name, struct err *e)
{
	struct slice text;
	struct image_manifest m;
	struct err why = { 0 };
	int r = read_blob(x, md, IMAGE_MANIFEST_MAX, &text, e);
	if (r < 0)
		return r;
	if (schema_from_json(T_image_manifest, text, SCHEMA_FOLD_CASE, &x->a, &m, &why) < 0)
		return err_set(e, EINVAL, "invalid manifest: %s", why.text);
	struct described d = { .names = &name, .n_names = name ? 1 : 0, .n_layers = m.n_layers };
	if ((r = read_blob(x, &m.config, IMAGE_CONFIG_MAX, &d.config, e)) < 0)
		return r;
	d.layers = arena_array(&x->a, m.n_layers, sizeof *d.layers);
	if (!d.layers)
		return err_nomem(e);
	for (uint32_t k = 0; k < m.n_layers; k++)
		if (!(d.layers[k] = blob_place(x, &m.layers[k], e)))
			return -ENOENT;
	return load_image_wait(x, &d, e);
}

static int load_index_wait(struct load *x, struct slice text, const char *name, int depth, struct err *e)
{
	struct image_index index;
	struct err why = { 0 };
	if (depth > LOAD_INDEX_DEPTH)
		return err_set(e, EINVAL, "invalid index.json: indexes inside indexes too deep");
	if (schema_from_json(T_image_index, text, SCHEMA_FOLD_CASE, &x->a, &index, &why) < 0)
		return err_set(e, EINVAL, "invalid index.json: %s", why.text);
	const struct image_descriptor *best = depth ? platform_pick(&index, NULL) : NULL;
	if (depth && !best)
		return err_set(e, ENOENT, "the archive holds no image for this platform");
	for (uint32_t i = 0; i < index.n_manifests; i++) {
		const struct image_descriptor *d = &index.manifests[i];
		struct slice inner;
		if (depth && d != best)
			continue;
		const char *n = layout_name(d) ? layout_name(d) : name;
		int r;
		if (d->media_type && (!strcmp(d->media_type, MEDIA_OCI_INDEX) || !strcmp(d->media_type, MEDIA_DOCKER_LIST)))
			r = (r = read_blob(x, d, IMAGE_MANIFEST_MAX, &inner, e)) < 0 ? r : load_index_wait(x, inner, n, depth + 1, e);
		else
			r = load_manifest_wait(x, d, n, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- the archive ----------------------------------------------------------------------------------------- */

static int open_archive_wait(struct load *x, struct stream *in, struct err *e)
{
	char start[COMPRESSION_MAGIC_BYTES], digest[DIGEST_MAX];
	AUTO(close) int raw = image_spool_wait(x->s, in, NULL, INT64_MAX, NULL, NULL, e);
	if (raw < 0)
		return raw;
	ssize_t n = pread(raw, start, sizeof start, 0);
	if (n > 0 && compression_detect(slice_n(start, (size_t)n)) != COMPRESSION_NONE) {
		int r = image_inflate_wait(x->s, raw, 0, -1, &x->fd, digest, e);
		if (r < 0)
			return r;
	} else {
		x->fd = take_fd(&raw);
	}
	int r = job_wait(list_job, x);
	return r < 0 ? err_set(e, r, "%s", x->e.text) : 0;
}

int image_load_wait(struct image_store *s, enum image_owner o, struct stream *in, bool quiet, const struct image_progress_sink *sink, struct err *e)
{
	struct load x = { .s = s, .owner = o, .sink = sink, .quiet = quiet, .fd = -1 };
	struct slice text;
	arena_init(&x.a, 4 * IMAGE_ARENA_MAX);
	map_init(&x.places);
	int r = open_archive_wait(&x, in, e);
	if (r >= 0) {
		if (find_place(&x, "manifest.json", NULL))
			r = (r = read_file(&x, "manifest.json", IMAGE_MANIFEST_MAX, &text, e)) < 0 ? r : load_docker_wait(&x, text, e);
		else if (find_place(&x, "index.json", NULL))
			r = (r = read_file(&x, "index.json", IMAGE_MANIFEST_MAX, &text, e)) < 0 ? r : load_index_wait(&x, text, NULL, 0, e);
		else
			r = err_set(e, EINVAL, "open manifest.json: no such file or directory");
	}
	if (x.fd >= 0)
		close(x.fd);
	map_release(&x.places);
	arena_release(&x.a);
	return r < 0 ? r : 0;
}
