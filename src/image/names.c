/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Naming and removing, after Docker's rules (what `docker rmi` untags, deletes
 * and refuses, in which order and with which words). Every step is one commit;
 * files go after the records, on a worker.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "image/store_int.h"

int image_tag_wait(struct image_store *s, enum image_owner o, const char *image, const char *target, struct err *e)
{
	AUTO(arena) struct arena a;
	struct name_rec *by;
	struct ref r;
	struct slice name_value, image_value;
	arena_init(&a, 1 << 20);
	struct image_rec *i = image_find(s, o, image, &a, &by, e);
	if (!i)
		return e && e->code ? -e->code : -ENOENT;
	int x = ref_parse(slice_of(target), &a, &r, e);
	if (x < 0)
		return x;
	if (r.digest)
		return err_set(e, EINVAL, "refusing to create a tag with a digest reference");
	ref_default_tag(&r);
	const char *text = ref_text(&r, &a);
	int64_t before = i->last_tag_ns;
	i->last_tag_ns = loop_realtime_ns(s->loop);
	const char *name_key = text ? record_key_name(&a, o, text) : NULL, *image_key = record_key_image(&a, i->id);
	if (!name_key || !image_key || record_encode_name(i, &a, &name_value) < 0 || record_encode_image(i, &a, &image_value) < 0 ||
	    vec_reserve(&i->names, 1) < 0)
		return err_nomem(e);
	i->holds++;
	x = kv_apply_wait(s->kv, (struct kv_change[]){ { name_key, name_value }, { image_key, image_value } }, 2, e);
	i->holds--;
	if (x < 0) {
		i->last_tag_ns = before;
		return x;
	}
	return names_set(s, o, text, i) < 0 ? err_nomem(e) : 0;
}

/* --- holds ------------------------------------------------------------------------- */

int image_hold(struct image_store *s, const char *id, struct err *e)
{
	struct image_rec *i = map_gets(&s->images, id);
	if (!i)
		return err_set(e, ENOENT, "No such image: %s", id);
	i->holds++;
	return 0;
}

/* Forgets an image whose record is gone from kv: memory, then files. */
static void forget_image(struct image_store *s, struct image_rec *i)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 20);
	map_dels(&s->images, i->id);
	for (size_t k = 0; k < i->layers.n; k++) {
		i->layers.v[k]->images--;
		layer_drop_if_unused(s, i->layers.v[k]);
	}
	const char *path = image_blob_path(s, &a, i->id);
	if (path)
		image_discard(s, path);
	image_rec_free(i);
}

/* Only this image counts on its layer k, and k is where it comes first (a layer may come twice). */
static bool is_last_user(const struct image_rec *i, size_t k)
{
	const struct layer_rec *l = i->layers.v[k];
	unsigned here = 0;
	for (size_t x = 0; x < i->layers.n; x++) {
		if (i->layers.v[x] != l)
			continue;
		if (x < k)
			return false;
		here++;
	}
	return l->images == here && l->leases == 0;
}

/* Deletes the record and those of layers that only this image counts on, then the files. */
static int erase_image_wait(struct image_store *s, struct image_rec *i, struct err *e)
{
	AUTO(arena) struct arena a;
	size_t n = 0;
	arena_init(&a, 1 << 20);
	struct kv_change *c = arena_array(&a, i->layers.n + 1, sizeof *c);
	if (!c || !(c[n++].key = record_key_image(&a, i->id)))
		return err_nomem(e);
	for (size_t k = 0; k < i->layers.n; k++)
		if (is_last_user(i, k) && !(c[n++].key = record_key_layer(&a, i->layers.v[k]->diff_id)))
			return err_nomem(e);
	int r = kv_apply_wait(s->kv, c, n, e);
	if (r < 0)
		return r;
	for (size_t k = 0; k < i->layers.n; k++)
		if (is_last_user(i, k))
			i->layers.v[k]->is_saved = false;
	forget_image(s, i);
	return 0;
}

struct erase { struct image_store *s; char id[IMAGE_ID_MAX]; };

static void erase_later(void *arg)
{
	struct erase *x = arg;
	struct err e = { 0 };
	struct image_rec *i = map_gets(&x->s->images, x->id);
	if (i && i->is_removed && i->holds == 0 && erase_image_wait(x->s, i, &e) < 0)
		log_warn("removed image keeps its record", "id=%s error=%s", x->id, e.text);
	x->s->removals--;
	free(x);
}

void image_unhold(struct image_store *s, const char *id)
{
	struct image_rec *i = map_gets(&s->images, id);
	if (!i || i->holds == 0)
		return;
	if (--i->holds > 0 || !i->is_removed)
		return;
	struct erase *x = calloc(1, sizeof *x);
	if (!x)
		return;
	x->s = s;
	memcpy(x->id, i->id, sizeof x->id);
	s->removals++;
	if (fiber_start(s->loop, "image erase", erase_later, x) < 0) {
		s->removals--;
		free(x);
	}
}

int image_settle_wait(struct image_store *s, struct err *e)
{
	size_t at = 0;
	struct map_entry *m;
	while ((m = map_next(&s->images, &at))) {
		struct image_rec *i = m->value;
		if (!i->is_removed || i->holds)
			continue;
		int r = erase_image_wait(s, i, e);
		if (r < 0)
			return r;
		at = 0;
	}
	return 0;
}

/* --- removing ------------------------------------------------------------------------ */

struct removal {
	struct image_store *s;
	enum image_owner owner;
	const struct image_remove_options *how;
	struct arena *a;
	VEC(struct image_removed) done;
};

static int said(struct removal *x, const char *untagged, const char *deleted, struct err *e)
{
	struct image_removed r = { untagged ? arena_strdup(x->a, untagged) : NULL, deleted ? arena_strdup(x->a, deleted) : NULL };
	return vec_push(&x->done, r) < 0 ? err_nomem(e) : 0;
}

static int untag_wait(struct removal *x, struct name_rec *n, struct err *e)
{
	struct ref r;
	enum image_owner o = n->owner;
	const char *text = arena_strdup(x->a, n->text), *key = text ? record_key_name(x->a, o, text) : NULL;
	if (!key || ref_parse(slice_of(text), x->a, &r, e) < 0)
		return err_nomem(e);
	int k = kv_delete_wait(x->s->kv, key, e);
	if (k < 0)
		return k;
	names_set(x->s, o, text, NULL);
	return said(x, ref_familiar(&r, x->a), NULL, e);
}

static const struct image_use *used(const struct removal *x, const char *id, bool running)
{
	for (size_t i = 0; i < x->how->n_uses; i++)
		if (strcmp(x->how->uses[i].image_id, id) == 0 && (!running || x->how->uses[i].running))
			return &x->how->uses[i];
	return NULL;
}

static bool has_children(struct image_store *s, const char *id)
{
	size_t at = 0;
	struct map_entry *m;
	while ((m = map_next(&s->images, &at))) {
		struct image_rec *i = m->value;
		if (!i->is_removed && strcmp(i->parent, id) == 0)
			return true;
	}
	return false;
}

enum conflict { C_CHILD = 1, C_RUNNING = 2, C_REFERENCED = 4, C_STOPPED = 8, C_HARD = 3, C_SOFT = 12 };

/* 0, or -EBUSY with Docker's sentence; *is_used says that a container is the reason. */
static int conflict(struct removal *x, const struct image_rec *i, unsigned mask, bool *is_used, struct err *e)
{
	const struct image_use *u;
	*is_used = false;
	if ((mask & C_CHILD) && has_children(x->s, i->id))
		return err_set(e, EBUSY, "conflict: unable to delete %.12s (cannot be forced) - image has dependent child images", i->id + 7);
	if ((mask & C_RUNNING) && (u = used(x, i->id, true))) {
		*is_used = true;
		return err_set(e, EBUSY, "conflict: unable to delete %.12s (cannot be forced) - image is being used by running container %.12s",
			       i->id + 7, u->container_id);
	}
	if ((mask & C_REFERENCED) && i->names.n > 0)
		return err_set(e, EBUSY, "conflict: unable to delete %.12s (must be forced) - image is referenced in multiple repositories",
			       i->id + 7);
	if ((mask & C_STOPPED) && (u = used(x, i->id, false))) {
		*is_used = true;
		return err_set(e, EBUSY, "conflict: unable to delete %.12s (must be forced) - image is being used by stopped container %.12s",
			       i->id + 7, u->container_id);
	}
	return 0;
}

/* Names of this owner only in one repository, and at most one tag among them. */
static bool is_single(const struct image_rec *i, enum image_owner o, struct arena *a)
{
	const char *repo = NULL;
	unsigned tags = 0;
	for (size_t k = 0; k < i->names.n; k++) {
		struct ref r;
		if (i->names.v[k]->owner != o || ref_parse(slice_of(i->names.v[k]->text), a, &r, NULL) < 0)
			continue;
		const char *name = ref_name(&r, a);
		tags += !i->names.v[k]->is_digest;
		if (!name || (repo && strcmp(repo, name) != 0) || tags > 1)
			return false;
		repo = name;
	}
	return true;
}

/* The chain IDs of an image's layers, top first: what Docker prints as deleted. */
static int say_layers(struct removal *x, const struct image_rec *i, struct err *e)
{
	char chain[DIGEST_MAX] = "";
	const char **v = arena_array(x->a, i->layers.n, sizeof *v);
	if (!v)
		return err_nomem(e);
	for (size_t k = 0; k < i->layers.n; k++) {
		const char *both = k == 0 ? i->layers.v[0]->diff_id : arena_fmt(x->a, "%s %s", chain, i->layers.v[k]->diff_id);
		if (!both)
			return err_nomem(e);
		if (k == 0)
			fmt_into(chain, sizeof chain, "%s", both);
		else if (digest_of(DIGEST_SHA256, slice_of(both), chain) < 0)
			return err_nomem(e);
		if (!(v[k] = arena_strdup(x->a, chain)))
			return err_nomem(e);
	}
	for (size_t k = i->layers.n; k-- > 0;) {
		unsigned here = 0;
		for (size_t q = 0; q < i->layers.n; q++)
			here += i->layers.v[q] == i->layers.v[k];
		if (i->layers.v[k]->images > here || i->holds)
			break;
		int r = said(x, NULL, v[k], e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int hide_image_wait(struct image_store *s, struct image_rec *i, struct err *e)
{
	AUTO(arena) struct arena a;
	struct slice value;
	arena_init(&a, 1 << 20);
	i->is_removed = true;
	const char *key = record_key_image(&a, i->id);
	int r = key && record_encode_image(i, &a, &value) >= 0 ? kv_put_wait(s->kv, key, value, e) : err_nomem(e);
	if (r < 0)
		i->is_removed = false;
	return r;
}

static int remove_image_wait(struct removal *x, struct image_rec *i, bool force, bool prune, bool quiet, struct err *e)
{
	bool is_used;
	struct err why = { 0 };
	int r = conflict(x, i, force ? C_HARD : C_HARD | C_SOFT, &is_used, &why);
	if (r < 0) {
		if (quiet && (i->names.n > 0 || has_children(x->s, i->id) || is_used))
			return 0;
		return err_set(e, why.code, "%s", why.text);
	}
	const char *parent = arena_strdup(x->a, i->parent);
	while (i->names.n > 0 && r >= 0)
		r = untag_wait(x, i->names.v[i->names.n - 1], e);
	if (r < 0 || (r = said(x, NULL, i->id, e)) < 0 || (r = say_layers(x, i, e)) < 0)
		return r;
	r = i->holds ? hide_image_wait(x->s, i, e) : erase_image_wait(x->s, i, e);
	if (r < 0 || !prune || !parent || !*parent)
		return r;
	struct image_rec *p = map_gets(&x->s->images, parent);
	return p && !p->is_removed ? remove_image_wait(x, p, false, true, true, e) : 0;
}

/* Without a tag left in the repository, its digests go too. */
static int untag_digests_wait(struct removal *x, struct image_rec *i, const char *repo, struct err *e)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t k = i->names.n; k-- > 0;) {
			struct name_rec *n = i->names.v[k];
			struct ref r;
			if (n->owner != x->owner || ref_parse(slice_of(n->text), x->a, &r, NULL) < 0)
				continue;
			const char *name = ref_name(&r, x->a);
			if (!name || strcmp(name, repo) != 0)
				continue;
			if (!n->is_digest)
				return 0;
			if (pass == 1) {
				int u = untag_wait(x, n, e);
				if (u < 0)
					return u;
				k = MIN(k, i->names.n);
			}
		}
	return 0;
}

static int remove_by_name_wait(struct removal *x, struct image_rec *i, struct name_rec *n, const char *given, struct err *e)
{
	struct ref r;
	const struct image_use *u;
	if (ref_parse(slice_of(n->text), x->a, &r, e) < 0)
		return -EINVAL;
	const char *repo = ref_name(&r, x->a);
	if (!repo)
		return err_nomem(e);
	if (!x->how->force && is_single(i, x->owner, x->a) && (u = used(x, i->id, false)))
		return err_set(e, EBUSY, "conflict: unable to remove repository reference \"%s\" (must force) - container %.12s is using its referenced image %.12s",
			       given, u->container_id, i->id + 7);
	bool was_digest = n->is_digest;
	int k = untag_wait(x, n, e);
	if (k < 0 || (!was_digest && (k = untag_digests_wait(x, i, repo, e)) < 0))
		return k;
	if (i->names.n > 0)
		return 0;
	/* the name is gone already: what still needs the image is no error now */
	return remove_image_wait(x, i, x->how->force, !x->how->noprune, true, e);
}

static bool has_others(const struct image_rec *i, enum image_owner o)
{
	for (size_t k = 0; k < i->names.n; k++)
		if (i->names.v[k]->owner != o)
			return true;
	return false;
}

/* An image that another owner names too stays; only one's own names go. */
static int remove_own_names_wait(struct removal *x, struct image_rec *i, struct err *e)
{
	int r = 0;
	for (size_t k = i->names.n; k-- > 0 && r >= 0;)
		if (i->names.v[k]->owner == x->owner)
			r = untag_wait(x, i->names.v[k], e);
	return r;
}

static int remove_by_id_wait(struct removal *x, struct image_rec *i, struct err *e)
{
	bool is_used;
	if (has_others(i, x->owner))
		return remove_own_names_wait(x, i, e);
	if (is_single(i, x->owner, x->a)) {
		int r = conflict(x, i, x->how->force ? C_HARD : C_HARD | (C_SOFT & ~C_REFERENCED), &is_used, e);
		while (r >= 0 && i->names.n > 0 && i->names.v[i->names.n - 1]->owner == x->owner)
			r = untag_wait(x, i->names.v[i->names.n - 1], e);
		if (r < 0)
			return r;
	}
	return remove_image_wait(x, i, x->how->force, !x->how->noprune, false, e);
}

static int give_result(struct removal *x, struct image_removed **ret, size_t *ret_n, struct err *e)
{
	struct image_removed *v = arena_array(x->a, x->done.n, sizeof *v);
	if (!v)
		return err_nomem(e);
	if (x->done.n)
		memcpy(v, x->done.v, x->done.n * sizeof *v);
	*ret = v;
	*ret_n = x->done.n;
	return 0;
}

int image_remove_wait(struct image_store *s, enum image_owner o, const char *name, const struct image_remove_options *how,
		      struct arena *a, struct image_removed **ret, size_t *ret_n, struct err *e)
{
	struct name_rec *by;
	struct err why = { 0 };
	struct removal x = { .s = s, .owner = o, .how = how, .a = a };
	struct image_rec *i = image_find(s, o, name, a, &by, &why);
	if (!i)
		return err_set(e, why.code, "%s", why.text);
	int r = by ? remove_by_name_wait(&x, i, by, name, e) : remove_by_id_wait(&x, i, e);
	if (r >= 0)
		r = give_result(&x, ret, ret_n, e);
	vec_release(&x.done);
	return r < 0 ? r : 0;
}

/* --- prune ------------------------------------------------------------------------------ */

static bool may_prune(struct removal *x, const struct image_prune_options *how, const char *id)
{
	AUTO(arena) struct arena a;
	struct image_info info;
	struct image_rec *i = map_gets(&x->s->images, id);
	arena_init(&a, IMAGE_ARENA_MAX);
	if (!i || i->is_removed || i->holds || !image_has_owner(i, x->owner) || used(x, id, false) || has_children(x->s, id))
		return false;
	bool tagged = false;
	for (size_t k = 0; k < i->names.n; k++)
		tagged |= !i->names.v[k]->is_digest || i->names.v[k]->owner != x->owner;
	if (tagged && !how->all)
		return false;
	for (size_t k = 0; k < i->names.n; k++)
		if (i->names.v[k]->owner != x->owner)
			return false;
	if (!how->keep)
		return true;
	return image_get(x->s, x->owner, id, 0, &a, &info, NULL) >= 0 && !how->keep(how->arg, &info);
}

int image_prune_wait(struct image_store *s, enum image_owner o, const struct image_prune_options *how, struct arena *a,
		     struct image_removed **ret, size_t *ret_n, int64_t *ret_bytes, struct err *e)
{
	const struct image_remove_options remove = { .force = true, .uses = how->uses, .n_uses = how->n_uses };
	struct removal x = { .s = s, .owner = o, .how = &remove, .a = a };
	int64_t before = image_layers_bytes(s);
	size_t at = 0, n = 0;
	struct map_entry *m;
	int r = 0;
	const char **ids = arena_array(a, s->images.n, sizeof *ids);
	if (!ids)
		return err_nomem(e);
	while ((m = map_next(&s->images, &at)))
		if (!(ids[n++] = arena_strdup(a, ((struct image_rec *)m->value)->id)))
			return err_nomem(e);
	for (size_t k = 0; k < n && r >= 0; k++)
		if (may_prune(&x, how, ids[k]))
			r = remove_image_wait(&x, map_gets(&s->images, ids[k]), true, true, true, e);
	if (r >= 0)
		r = give_result(&x, ret, ret_n, e);
	vec_release(&x.done);
	*ret_bytes = MAX((int64_t)0, before - image_layers_bytes(s));
	return r < 0 ? r : 0;
}
