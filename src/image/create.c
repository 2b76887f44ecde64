/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making an image known: configuration and layers go to the disk first, then
 * one commit names them all. A crash before it leaves files that the next
 * start removes; after it everything is there.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/clock.h"
#include "image/store_int.h"

struct making {
	struct image_store *s;
	enum image_owner owner;
	const struct image_create *c;
	struct arena a;
	struct image_image config;
	char id[DIGEST_MAX];
	struct layer_rec **layers;
	uint32_t n_layers, n_leased;
	const char **names;              /* full texts */
};

static int read_config(struct making *m, struct err *e)
{
	struct err why = { 0 };
	if (m->c->config.len > IMAGE_CONFIG_MAX)
		return err_set(e, EFBIG, "image configuration of %zu bytes is too large", m->c->config.len);
	int r = schema_from_json(T_image_image, m->c->config, SCHEMA_FOLD_CASE, &m->a, &m->config, &why);
	if (r < 0)
		return err_set(e, r == -ENOMEM ? ENOMEM : EINVAL, "image configuration: %s", why.text);
	if (m->config.rootfs.n_diff_ids > IMAGE_LAYERS_MAX)
		return err_set(e, EINVAL, "max depth exceeded");
	return digest_of(DIGEST_SHA256, m->c->config, m->id) < 0 ? err_nomem(e) : 0;
}

/* Takes leases on the layers for as long as the making lasts. */
static int find_layers(struct making *m, struct err *e)
{
	const struct image_root_fs *fs = &m->config.rootfs;
	m->layers = arena_array(&m->a, fs->n_diff_ids, sizeof *m->layers);
	if (!m->layers)
		return err_nomem(e);
	m->n_layers = fs->n_diff_ids;
	for (uint32_t i = 0; i < m->n_layers; i++) {
		m->layers[i] = fs->diff_ids[i] ? map_gets(&m->s->layers, fs->diff_ids[i]) : NULL;
		if (!m->layers[i])
			return err_set(e, ENOENT, "layer %s does not exist", fs->diff_ids[i] ? fs->diff_ids[i] : "");
	}
	for (; m->n_leased < m->n_layers; m->n_leased++)
		m->layers[m->n_leased]->leases++;
	return 0;
}

static int read_names(struct making *m, struct err *e)
{
	m->names = arena_array(&m->a, m->c->n_names, sizeof *m->names);
	if (!m->names)
		return err_nomem(e);
	for (size_t i = 0; i < m->c->n_names; i++) {
		struct ref r;
		int x = ref_parse(slice_of(m->c->names[i]), &m->a, &r, e);
		if (x < 0)
			return x;
		ref_default_tag(&r);
		if (r.digest)
			r.tag = NULL;
		if (!(m->names[i] = ref_text(&r, &m->a)))
			return err_nomem(e);
	}
	return 0;
}

static struct image_rec *new_rec(struct making *m)
{
	struct image_rec *i = calloc(1, sizeof *i);
	const struct image_image *c = &m->config;
	if (!i)
		return NULL;
	fmt_into(i->id, sizeof i->id, "%s", m->id);
	i->parent = slice_dup(slice_of(m->c->parent ? m->c->parent : ""));
	i->created = slice_dup(slice_of(c->created ? c->created : ""));
	i->os = slice_dup(slice_of(c->os ? c->os : ""));
	i->architecture = slice_dup(slice_of(c->architecture ? c->architecture : ""));
	i->variant = slice_dup(slice_of(c->variant ? c->variant : ""));
	if (clock_parse_rfc3339(slice_of(i->created ? i->created : ""), &i->created_ns) < 0 || i->created_ns == INT64_MIN)
		i->created_ns = 0;
	if (!i->parent || !i->created || !i->os || !i->architecture || !i->variant || vec_reserve(&i->layers, m->n_layers) < 0) {
		image_rec_free(i);
		return NULL;
	}
	for (uint32_t k = 0; k < m->n_layers; k++)
		i->layers.v[i->layers.n++] = m->layers[k];
	return i;
}

static int write_files_wait(struct making *m, struct err *e)
{
	const char *path = image_blob_path(m->s, &m->a, m->id);
	bool is_synced = true;
	if (!path)
		return err_nomem(e);
	int r = image_write_file_wait(path, m->c->config, e);
	for (uint32_t k = 0; k < m->n_layers; k++)
		is_synced &= m->layers[k]->is_synced;
	if (r < 0 || is_synced)
		return r;
	r = image_sync_wait(m->s, e);
	for (uint32_t k = 0; k < m->n_layers && r >= 0; k++)
		m->layers[k]->is_synced = true;
	return r;
}

/* All records in one commit; i may be new or an image that exists. */
static int commit_wait(struct making *m, struct image_rec *i, bool is_new, struct err *e)
{
	size_t n = 0;
	struct kv_change *c = arena_array(&m->a, m->n_layers + m->c->n_names + 1, sizeof *c);
	if (!c || !(c[n].key = record_key_image(&m->a, i->id)) || record_encode_image(i, &m->a, &c[n].value) < 0)
		return err_nomem(e);
	n++;
	for (uint32_t k = 0; is_new && k < m->n_layers; k++) {
		if (m->layers[k]->is_saved)
			continue;
		if (!(c[n].key = record_key_layer(&m->a, m->layers[k]->diff_id)) || record_encode_layer(m->layers[k], &m->a, &c[n].value) < 0)
			return err_nomem(e);
		n++;
	}
	for (size_t k = 0; k < m->c->n_names; k++) {
		if (!(c[n].key = record_key_name(&m->a, m->owner, m->names[k])) || record_encode_name(i, &m->a, &c[n].value) < 0)
			return err_nomem(e);
		n++;
	}
	return kv_apply_wait(m->s->kv, c, n, e);
}

static int set_names(struct making *m, struct image_rec *i, struct err *e)
{
	for (size_t k = 0; k < m->c->n_names; k++)
		if (names_set(m->s, m->owner, m->names[k], i) < 0)
			return err_nomem(e);
	return 0;
}

static int join_existing_wait(struct making *m, struct image_rec *i, struct err *e)
{
	bool was_removed = i->is_removed;
	int64_t tagged = i->last_tag_ns;
	i->is_removed = false;
	if (m->c->n_names)
		i->last_tag_ns = loop_realtime_ns(m->s->loop);
	i->holds++;
	int r = was_removed || m->c->n_names ? commit_wait(m, i, false, e) : 0;
	i->holds--;
	if (r < 0) {
		i->is_removed = was_removed;
		i->last_tag_ns = tagged;
		return r;
	}
	return set_names(m, i, e);
}

static int make_new_wait(struct making *m, struct err *e)
{
	int r = write_files_wait(m, e);
	if (r < 0)
		return r;
	struct image_rec *i = new_rec(m), *other;
	if (!i)
		return err_nomem(e);
	if (m->c->n_names)
		i->last_tag_ns = loop_realtime_ns(m->s->loop);
	r = commit_wait(m, i, true, e);
	if (r < 0 || (other = map_gets(&m->s->images, m->id))) {
		image_rec_free(i);
		return r < 0 ? r : join_existing_wait(m, other, e);
	}
	for (uint32_t k = 0; k < m->n_layers; k++)
		m->layers[k]->is_saved = true;
	if (map_sets(&m->s->images, i->id, i) < 0) {
		image_rec_free(i);
		return err_nomem(e);
	}
	for (uint32_t k = 0; k < m->n_layers; k++)
		m->layers[k]->images++;
	return set_names(m, i, e);
}

int image_create_wait(struct image_store *s, enum image_owner o, const struct image_create *c, char id[IMAGE_ID_MAX], struct err *e)
{
	struct making m = { .s = s, .owner = o, .c = c };
	arena_init(&m.a, IMAGE_ARENA_MAX);
	int r = read_config(&m, e);
	if (r >= 0 && (r = find_layers(&m, e)) >= 0 && (r = read_names(&m, e)) >= 0) {
		struct image_rec *i = map_gets(&s->images, m.id);
		r = i ? join_existing_wait(&m, i, e) : make_new_wait(&m, e);
	}
	for (uint32_t k = 0; k < m.n_leased; k++)
		m.layers[k]->leases--;
	for (uint32_t k = 0; r < 0 && k < m.n_leased; k++)
		layer_drop_if_unused(s, m.layers[k]);
	if (r >= 0 && id)
		memcpy(id, m.id, IMAGE_ID_MAX);
	arena_release(&m.a);
	return r;
}
