/* SPDX-License-Identifier: Apache-2.0 */
/* kv records of images, layers and names to and from the store's memory. */
#include <errno.h>
#include <stdlib.h>

#include "api/imagedb.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "image/store_int.h"

static const char *const owner_names[] = { [IMAGE_DOCKER] = "docker", [IMAGE_CRI] = "cri" };

const char *record_key_image(struct arena *a, const char *id) { return arena_fmt(a, "image/%s", id + 7); }
const char *record_key_layer(struct arena *a, const char *diff_id) { return arena_fmt(a, "layer/%s", diff_id + 7); }
const char *record_key_name(struct arena *a, enum image_owner o, const char *text)
{
	return arena_fmt(a, "ref/%s/%s", owner_names[o], text);
}

/* --- layers --------------------------------------------------------------------- */

static void blob_free(struct image_blob *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->repos.n; i++)
		free(b->repos.v[i]);
	vec_release(&b->repos);
	free(b->media_type);
	free(b);
}

void layer_rec_free(struct layer_rec *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->blobs.n; i++)
		blob_free(l->blobs.v[i]);
	vec_release(&l->blobs);
	free(l);
}

struct layer_rec *layer_rec_new(struct image_store *s, const char *diff_id)
{
	struct layer_rec *l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	fmt_into(l->diff_id, sizeof l->diff_id, "%s", diff_id);
	if (map_sets(&s->layers, l->diff_id, l) < 0) {
		free(l);
		return NULL;
	}
	return l;
}

struct image_blob *layer_add_blob(struct layer_rec *l, const char *digest, int64_t size, const char *media_type)
{
	for (size_t i = 0; i < l->blobs.n; i++)
		if (strcmp(l->blobs.v[i]->digest, digest) == 0)
			return l->blobs.v[i];
	if (l->blobs.n >= IMAGE_BLOBS_PER_LAYER) {
		blob_free(l->blobs.v[0]);
		vec_remove(&l->blobs, 0);
	}
	struct image_blob *b = calloc(1, sizeof *b);
	if (!b)
		return NULL;
	fmt_into(b->digest, sizeof b->digest, "%s", digest);
	b->size_bytes = size;
	b->media_type = slice_dup(slice_of(media_type));
	if (!b->media_type || vec_push(&l->blobs, b) < 0) {
		blob_free(b);
		return NULL;
	}
	return b;
}

bool blob_has_repo(const struct image_blob *b, const char *repo)
{
	for (size_t i = 0; i < b->repos.n; i++)
		if (strcmp(b->repos.v[i], repo) == 0)
			return true;
	return false;
}

int blob_add_repo(struct image_blob *b, const char *repo)
{
	if (blob_has_repo(b, repo))
		return 0;
	if (b->repos.n >= IMAGE_REPOS_PER_BLOB) {
		free(b->repos.v[0]);
		vec_remove(&b->repos, 0);
	}
	char *copy = slice_dup(slice_of(repo));
	if (!copy || vec_push(&b->repos, copy) < 0) {
		free(copy);
		return -ENOMEM;
	}
	return 0;
}

int record_encode_layer(const struct layer_rec *l, struct arena *a, struct slice *ret)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);
	struct imagedb_layer r = { .size = l->size_bytes, .n_blobs = (uint32_t)l->blobs.n };
	r.blobs = arena_array(a, l->blobs.n, sizeof *r.blobs);
	if (!r.blobs)
		return -ENOMEM;
	for (size_t i = 0; i < l->blobs.n; i++) {
		const struct image_blob *b = l->blobs.v[i];
		r.blobs[i] = (struct imagedb_blob){ .digest = b->digest, .size = b->size_bytes, .media_type = b->media_type,
						    .repos = (const char **)b->repos.v, .n_repos = (uint32_t)b->repos.n };
	}
	int x = schema_to_json(T_imagedb_layer, &r, 0, &out);
	if (x < 0 || (x = buf_error(&out)) < 0)
		return x;
	*ret = slice_n(arena_dup(a, buf_slice(&out)), out.len);
	return ret->ptr ? 0 : -ENOMEM;
}

static int load_layer(void *arg, const char *key, struct slice value)
{
	struct image_store *s = arg;
	AUTO(arena) struct arena a;
	struct imagedb_layer r;
	struct err e = { 0 };
	char id[IMAGE_ID_MAX];
	arena_init(&a, 4 << 20);
	fmt_into(id, sizeof id, "sha256:%s", key + 6);
	int x = schema_from_json(T_imagedb_layer, value, 0, &a, &r, &e);
	if (x < 0 || !digest_is_valid(slice_of(id))) {
		log_error("image layer record is damaged", "key=%s error=%s", key, e.text);
		return 0;
	}
	struct layer_rec *l = layer_rec_new(s, id);
	if (!l)
		return -ENOMEM;
	l->size_bytes = r.size;
	l->is_saved = l->is_synced = true;
	for (uint32_t i = 0; i < r.n_blobs; i++) {
		if (!r.blobs[i].digest || !digest_is_valid(slice_of(r.blobs[i].digest)))
			continue;
		struct image_blob *b = layer_add_blob(l, r.blobs[i].digest, r.blobs[i].size, r.blobs[i].media_type ? r.blobs[i].media_type : "");
		if (!b)
			return -ENOMEM;
		for (uint32_t k = 0; k < r.blobs[i].n_repos; k++)
			if (blob_add_repo(b, r.blobs[i].repos[k]) < 0)
				return -ENOMEM;
	}
	return 0;
}

int layer_save_wait(struct image_store *s, struct layer_rec *l, struct err *e)
{
	AUTO(arena) struct arena a;
	struct slice value;
	arena_init(&a, 4 << 20);
	if (!l->is_saved)
		return 0;
	const char *key = record_key_layer(&a, l->diff_id);
	if (!key || record_encode_layer(l, &a, &value) < 0)
		return err_nomem(e);
	return kv_put_wait(s->kv, key, value, e);
}

/* --- images ----------------------------------------------------------------------- */

void image_rec_free(struct image_rec *i)
{
	if (!i)
		return;
	free(i->parent);
	free(i->created);
	free(i->os);
	free(i->architecture);
	free(i->variant);
	vec_release(&i->layers);
	vec_release(&i->names);
	free(i);
}

int record_encode_image(const struct image_rec *i, struct arena *a, struct slice *ret)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);
	struct imagedb_image r = { .parent = i->parent, .created = i->created, .last_tag = i->last_tag_ns, .os = i->os,
				   .architecture = i->architecture, .variant = i->variant, .removed = i->is_removed,
				   .n_layers = (uint32_t)i->layers.n };
	r.layers = arena_array(a, i->layers.n, sizeof *r.layers);
	if (!r.layers)
		return -ENOMEM;
	for (size_t k = 0; k < i->layers.n; k++)
		r.layers[k] = i->layers.v[k]->diff_id;
	int x = schema_to_json(T_imagedb_image, &r, 0, &out);
	if (x < 0 || (x = buf_error(&out)) < 0)
		return x;
	*ret = slice_n(arena_dup(a, buf_slice(&out)), out.len);
	return ret->ptr ? 0 : -ENOMEM;
}

static char *dup_or_empty(const char *s) { return slice_dup(slice_of(s ? s : "")); }

static struct image_rec *image_from_record(struct image_store *s, const char *id, const struct imagedb_image *r)
{
	struct image_rec *i = calloc(1, sizeof *i);
	if (!i)
		return NULL;
	fmt_into(i->id, sizeof i->id, "%s", id);
	i->parent = dup_or_empty(r->parent);
	i->created = dup_or_empty(r->created);
	i->os = dup_or_empty(r->os);
	i->architecture = dup_or_empty(r->architecture);
	i->variant = dup_or_empty(r->variant);
	i->last_tag_ns = r->last_tag;
	i->is_removed = r->removed;
	if (clock_parse_rfc3339(slice_of(i->created ? i->created : ""), &i->created_ns) < 0)
		i->created_ns = 0;
	if (!i->parent || !i->created || !i->os || !i->architecture || !i->variant || vec_reserve(&i->layers, r->n_layers) < 0) {
		image_rec_free(i);
		return NULL;
	}
	for (uint32_t k = 0; k < r->n_layers; k++) {
		struct layer_rec *l = map_gets(&s->layers, r->layers[k]);
		if (l)
			i->layers.v[i->layers.n++] = l;
	}
	return i;
}

static int load_image(void *arg, const char *key, struct slice value)
{
	struct image_store *s = arg;
	AUTO(arena) struct arena a;
	struct imagedb_image r;
	struct err e = { 0 };
	char id[IMAGE_ID_MAX];
	arena_init(&a, 4 << 20);
	fmt_into(id, sizeof id, "sha256:%s", key + 6);
	if (schema_from_json(T_imagedb_image, value, 0, &a, &r, &e) < 0 || !digest_is_valid(slice_of(id))) {
		log_error("image record is damaged", "key=%s error=%s", key, e.text);
		return 0;
	}
	struct image_rec *i = image_from_record(s, id, &r);
	if (!i)
		return -ENOMEM;
	if (i->layers.n != r.n_layers) {
		log_error("image lacks layers and is left out", "id=%s layers=%u found=%zu", id, r.n_layers, i->layers.n);
		image_rec_free(i);
		return 0;
	}
	if (map_sets(&s->images, i->id, i) < 0) {
		image_rec_free(i);
		return -ENOMEM;
	}
	for (size_t k = 0; k < i->layers.n; k++)
		i->layers.v[k]->images++;
	return 0;
}

/* --- names --------------------------------------------------------------------------- */

int record_encode_name(const struct image_rec *i, struct arena *a, struct slice *ret)
{
	AUTO(buf) struct buf out = BUF_INIT(4096);
	struct imagedb_name r = { .id = i->id };
	int x = schema_to_json(T_imagedb_name, &r, 0, &out);
	if (x < 0 || (x = buf_error(&out)) < 0)
		return x;
	*ret = slice_n(arena_dup(a, buf_slice(&out)), out.len);
	return ret->ptr ? 0 : -ENOMEM;
}

static void names_unlink(struct name_rec *n)
{
	for (size_t i = 0; i < n->image->names.n; i++)
		if (n->image->names.v[i] == n) {
			vec_remove(&n->image->names, i);
			return;
		}
}

int names_set(struct image_store *s, enum image_owner o, const char *text, struct image_rec *i)
{
	struct name_rec *n = map_gets(&s->names[o], text);
	if (!i) {
		if (n) {
			names_unlink(n);
			map_dels(&s->names[o], text);
			free(n->text);
			free(n);
		}
		return 0;
	}
	if (n && n->image == i)
		return 0;
	if (vec_reserve(&i->names, 1) < 0)
		return -ENOMEM;
	if (n) {
		names_unlink(n);
	} else {
		n = calloc(1, sizeof *n);
		if (!n || !(n->text = slice_dup(slice_of(text))) || map_sets(&s->names[o], text, n) < 0) {
			if (n)
				free(n->text);
			free(n);
			return -ENOMEM;
		}
		n->owner = o;
		n->is_digest = strchr(text, '@') != NULL;
	}
	n->image = i;
	i->names.v[i->names.n++] = n;
	return 0;
}

static int load_name(struct image_store *s, enum image_owner o, const char *text, struct slice value)
{
	AUTO(arena) struct arena a;
	struct imagedb_name r;
	arena_init(&a, 1 << 20);
	if (schema_from_json(T_imagedb_name, value, 0, &a, &r, NULL) < 0 || !r.id) {
		log_error("image name record is damaged", "name=%s", text);
		return 0;
	}
	struct image_rec *i = map_gets(&s->images, r.id);
	if (!i) {
		log_warn("image name points nowhere", "name=%s id=%s", text, r.id);
		return 0;
	}
	return names_set(s, o, text, i);
}

static int load_docker_name(void *arg, const char *key, struct slice value)
{
	return load_name(arg, IMAGE_DOCKER, key + strlen("ref/docker/"), value);
}

static int load_cri_name(void *arg, const char *key, struct slice value)
{
	return load_name(arg, IMAGE_CRI, key + strlen("ref/cri/"), value);
}

int records_load(struct image_store *s, struct err *e)
{
	static const struct {
		const char *prefix;
		int (*load)(void *arg, const char *key, struct slice value);
	} rows[] = {
		{ "layer/", load_layer }, { "image/", load_image }, { "ref/docker/", load_docker_name }, { "ref/cri/", load_cri_name },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r = kv_each(s->kv, rows[i].prefix, rows[i].load, s);
		if (r < 0)
			return err_sys(e, r, "reading image records");
	}
	return 0;
}
