/* SPDX-License-Identifier: Apache-2.0 */
/* Finding images by what people type, and the facts about them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/fd.h"
#include "image/store_int.h"

int image_ref_normal(const char *text, struct arena *a, const char **ret_full, const char **ret_familiar, struct err *e)
{
	struct ref r;
	int x = ref_parse(slice_of(text), a, &r, e);
	if (x < 0)
		return x;
	ref_default_tag(&r);
	const char *full = ref_text(&r, a), *familiar = ref_familiar(&r, a);
	if (!full || !familiar)
		return err_nomem(e);
	if (ret_full)
		*ret_full = full;
	if (ret_familiar)
		*ret_familiar = familiar;
	return 0;
}

bool image_has_owner(const struct image_rec *i, enum image_owner o)
{
	if (i->names.n == 0)
		return o == IMAGE_DOCKER;
	for (size_t k = 0; k < i->names.n; k++)
		if (i->names.v[k]->owner == o)
			return true;
	return false;
}

/* Docker does not see what only has names of others; CRI sees all (what Docker tagged is pinned there). */
static bool is_seen(const struct image_rec *i, enum image_owner o) { return o == IMAGE_CRI || image_has_owner(i, o); }

/* The one visible image whose ID starts with the hex digits, or NULL. */
static struct image_rec *find_prefix(struct image_store *s, enum image_owner o, struct slice hex)
{
	size_t at = 0;
	struct map_entry *m;
	struct image_rec *found = NULL;
	if (hex.len == 0 || hex.len > 64)
		return NULL;
	while ((m = map_next(&s->images, &at))) {
		struct image_rec *i = m->value;
		if (i->is_removed || !is_seen(i, o) || strncmp(i->id + 7, hex.ptr, hex.len) != 0)
			continue;
		if (found)
			return NULL;
		found = i;
	}
	return found;
}

struct image_rec *image_find(struct image_store *s, enum image_owner o, const char *text, struct arena *a, struct name_rec **by_name, struct err *e)
{
	struct slice t = slice_of(text), hex = t;
	struct ref r;
	*by_name = NULL;
	bool is_digest = digest_is_valid(t);
	if (slice_starts(t, "sha256:"))
		hex = slice_n(t.ptr + 7, t.len - 7);
	if (is_digest || ref_is_hex_id(t)) {
		struct image_rec *i = find_prefix(s, o, hex);
		if (!i)
			err_set(e, ENOENT, "No such image: %s%s", is_digest ? "" : "sha256:", text);
		return i;
	}
	if (ref_parse(t, a, &r, e) < 0)
		return NULL;
	ref_default_tag(&r);
	const char *familiar = ref_familiar(&r, a);
	if (r.digest)
		r.tag = NULL;
	const char *full = ref_text(&r, a);
	if (!full || !familiar) {
		err_nomem(e);
		return NULL;
	}
	struct name_rec *n = map_gets(&s->names[o], full);
	if (n && !n->image->is_removed) {
		*by_name = n;
		return n->image;
	}
	struct image_rec *i = find_prefix(s, o, hex);
	if (!i)
		err_set(e, ENOENT, "No such image: %s", familiar);
	return i;
}

int image_resolve(struct image_store *s, enum image_owner o, const char *name, char id[IMAGE_ID_MAX], struct err *e)
{
	AUTO(arena) struct arena a;
	struct name_rec *by;
	struct err x = { 0 };
	arena_init(&a, 1 << 20);
	struct image_rec *i = image_find(s, o, name, &a, &by, &x);
	if (!i)
		return err_set(e, x.code, "%s", x.text);
	memcpy(id, i->id, IMAGE_ID_MAX);
	return 0;
}

int image_read_blob(struct image_store *s, const char *digest, struct arena *a, struct slice *ret, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(IMAGE_CONFIG_MAX);
	const char *path = image_blob_path(s, a, digest);
	if (!path)
		return err_nomem(e);
	int r = file_read(AT_FDCWD, path, &b);
	if (r < 0)
		return err_sys(e, r, "reading %s", path);
	*ret = slice_n(arena_dup(a, buf_slice(&b)), b.len);
	return ret->ptr ? 0 : err_nomem(e);
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *familiar_of(const char *full, struct arena *a)
{
	struct ref r;
	return ref_parse(slice_of(full), a, &r, NULL) < 0 ? arena_strdup(a, full) : ref_familiar(&r, a);
}

static int fill_names(const struct image_rec *i, enum image_owner o, struct arena *a, struct image_info *ret)
{
	ret->repo_tags = arena_array(a, i->names.n, sizeof(char *));
	ret->repo_digests = arena_array(a, i->names.n, sizeof(char *));
	if (!ret->repo_tags || !ret->repo_digests)
		return -ENOMEM;
	for (size_t k = 0; k < i->names.n; k++) {
		if (i->names.v[k]->owner != o)
			continue;
		const char *t = familiar_of(i->names.v[k]->text, a);
		if (!t)
			return -ENOMEM;
		if (i->names.v[k]->is_digest)
			ret->repo_digests[ret->n_repo_digests++] = t;
		else
			ret->repo_tags[ret->n_repo_tags++] = t;
	}
	if (ret->n_repo_tags > 1)
		qsort(ret->repo_tags, ret->n_repo_tags, sizeof(char *), compare_text);
	if (ret->n_repo_digests > 1)
		qsort(ret->repo_digests, ret->n_repo_digests, sizeof(char *), compare_text);
	return 0;
}

/* Everything but the configuration is in memory. */
static int fill_info(struct image_store *s, const struct image_rec *i, enum image_owner o, unsigned flags, struct arena *a,
		     struct image_info *ret, struct err *e)
{
	*ret = (struct image_info){ .created_ns = i->created_ns, .last_tag_ns = i->last_tag_ns, .n_layers = (uint32_t)i->layers.n,
				    .shared_bytes = flags & IMAGE_SHARED_SIZE ? 0 : -1 };
	ret->id = arena_strdup(a, i->id);
	ret->parent = arena_strdup(a, i->parent);
	ret->os = arena_strdup(a, i->os);
	ret->architecture = arena_strdup(a, i->architecture);
	ret->variant = arena_strdup(a, i->variant);
	ret->created = arena_strdup(a, i->created);
	ret->layers = arena_array(a, i->layers.n, sizeof *ret->layers);
	if (!ret->id || !ret->parent || !ret->os || !ret->architecture || !ret->variant || !ret->created || !ret->layers ||
	    fill_names(i, o, a, ret) < 0)
		return err_nomem(e);
	for (size_t k = 0; k < i->layers.n; k++) {
		const struct layer_rec *l = i->layers.v[k];
		ret->layers[k] = (struct image_layer_info){ arena_strdup(a, l->diff_id),
							    arena_fmt(a, "%s/layers/%s/diff", s->root, l->diff_id + 7), l->size_bytes };
		if (!ret->layers[k].diff_id || !ret->layers[k].dir)
			return err_nomem(e);
		ret->size_bytes += l->size_bytes;
		if ((flags & IMAGE_SHARED_SIZE) && l->images > 1)
			ret->shared_bytes += l->size_bytes;
	}
	return image_read_blob(s, i->id, a, &ret->config, e);
}

int image_get(struct image_store *s, enum image_owner o, const char *name, unsigned flags, struct arena *a, struct image_info *ret, struct err *e)
{
	struct name_rec *by;
	struct err x = { 0 };
	struct image_rec *i = image_find(s, o, name, a, &by, &x);
	if (!i)
		return err_set(e, x.code, "%s", x.text);
	return fill_info(s, i, o, flags, a, ret, e);
}

static int newest_first(const void *a, const void *b)
{
	const struct image_rec *x = *(struct image_rec *const *)a, *y = *(struct image_rec *const *)b;
	if (x->created_ns != y->created_ns)
		return x->created_ns < y->created_ns ? 1 : -1;
	return strcmp(x->id, y->id);
}

int image_list(struct image_store *s, enum image_owner o, unsigned flags, struct arena *a, struct image_info **ret, size_t *ret_n, struct err *e)
{
	size_t at = 0, n = 0, out = 0;
	struct map_entry *m;
	struct image_rec **v = arena_array(a, s->images.n, sizeof *v);
	if (!v)
		return err_nomem(e);
	while ((m = map_next(&s->images, &at))) {
		struct image_rec *i = m->value;
		if (!i->is_removed && image_has_owner(i, o))
			v[n++] = i;
	}
	if (n > 1)
		qsort(v, n, sizeof *v, newest_first);
	struct image_info *list = arena_array(a, n, sizeof *list);
	if (!list)
		return err_nomem(e);
	for (size_t k = 0; k < n; k++) {
		int r = fill_info(s, v[k], o, flags, a, &list[out], e);
		if (r < 0)
			return r;
		out++;
	}
	*ret = list;
	*ret_n = out;
	return 0;
}

int image_lowerdirs(struct image_store *s, const char *id, struct arena *a, const char ***ret, size_t *ret_n, struct err *e)
{
	struct image_rec *i = map_gets(&s->images, id);
	if (!i)
		return err_set(e, ENOENT, "No such image: %s", id);
	const char **v = arena_array(a, i->layers.n, sizeof *v);
	if (!v)
		return err_nomem(e);
	for (size_t k = 0; k < i->layers.n; k++) {
		v[k] = arena_fmt(a, "%s/layers/%s/diff", s->root, i->layers.v[i->layers.n - 1 - k]->diff_id + 7);
		if (!v[k])
			return err_nomem(e);
	}
	*ret = v;
	*ret_n = i->layers.n;
	return 0;
}

int image_children(struct image_store *s, const char *id, struct arena *a, const char ***ret, size_t *ret_n, struct err *e)
{
	size_t at = 0, n = 0;
	struct map_entry *m;
	struct image_rec **v = arena_array(a, s->images.n, sizeof *v);
	if (!v)
		return err_nomem(e);
	while ((m = map_next(&s->images, &at))) {
		struct image_rec *i = m->value;
		if (!i->is_removed && strcmp(i->parent, id) == 0)
			v[n++] = i;
	}
	if (n > 1)
		qsort(v, n, sizeof *v, newest_first);
	const char **ids = arena_array(a, n, sizeof *ids);
	if (!ids)
		return err_nomem(e);
	for (size_t k = 0; k < n; k++)
		if (!(ids[k] = arena_strdup(a, v[n - 1 - k]->id)))
			return err_nomem(e);
	*ret = ids;
	*ret_n = n;
	return 0;
}

int64_t image_layers_bytes(struct image_store *s)
{
	size_t at = 0;
	int64_t sum = 0;
	struct map_entry *m;
	while ((m = map_next(&s->layers, &at)))
		sum += ((struct layer_rec *)m->value)->size_bytes;
	return sum;
}
