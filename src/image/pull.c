/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker pull. The manifest and the configuration first, then the layers, each
 * on a fiber of its own, a few at a time:
 *
 *   pulling ─▶ waiting ─▶ downloading ─▶ verified ─▶ extracting ─▶ complete
 *      └──▶ already there
 *
 * The fiber that called reports: layers only note what is to be said, and what
 * was not said yet when the next number comes is replaced by it, so a slow
 * client costs no memory. One failure stops the others.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "image/dist.h"
#include "image/media.h"
#include "image/platform.h"
#include "image/progress.h"

enum { EXTRACT_AT_ONCE = 2 };

struct pull;
struct pull_layer {
	struct pull *p;
	const struct image_descriptor *d;
	const char *diff_id;
	char id[13];
	struct image_layer *lease;
	const char *tmp;               /* its blob, while it is not kept */
	struct fiber *fiber;           /* while it runs */
	int result;
};

struct pull {
	struct image_store *s;
	enum image_owner owner;
	const struct image_pull *q;
	struct ref ref;
	struct dist *dist;
	struct arena a;
	struct progress out;
	struct image_manifest manifest;
	struct slice config;
	struct pull_layer *layers;
	uint32_t n_layers, n_running;
	unsigned downloads, extracts;
	struct waitq turn;
	int failed;
	struct err e;
};

/* --- one layer, on its own fiber ------------------------------------------------------ */

static int fail(struct pull *p, int r, const struct err *why)
{
	if (!p->failed) {
		p->failed = r;
		p->e = *why;
		waitq_wake_all(&p->turn);
		for (uint32_t i = 0; i < p->n_layers; i++)
			if (p->layers[i].fiber)
				fiber_cancel(p->layers[i].fiber);
	}
	return r;
}

static int take_turn_wait(struct pull *p, unsigned *count, unsigned most)
{
	while (*count >= most && !p->failed) {
		int r = waitq_wait(&p->turn, -1);
		if (r < 0)
			return r;
	}
	if (p->failed)
		return -ECANCELED;
	(*count)++;
	return 0;
}

static void give_turn(struct pull *p, unsigned *count)
{
	(*count)--;
	waitq_wake_all(&p->turn);
}

static void downloading(void *arg, int64_t done)
{
	struct pull_layer *l = arg;
	progress_say(&l->p->out, l->id, "Downloading", done, l->d->size);
}

static void extracting(void *arg, int64_t done)
{
	struct pull_layer *l = arg;
	progress_say(&l->p->out, l->id, "Extracting", done, l->d->size);
}

static int download_wait(struct pull_layer *l, struct err *e)
{
	struct pull *p = l->p;
	const struct dist_progress say = { downloading, l };
	l->tmp = image_tmp_path(p->s, &p->a);
	if (!l->tmp)
		return err_nomem(e);
	int r = dist_get_blob_wait(p->dist, l->d->digest, l->d->size, l->tmp, &say, e);
	if (r >= 0) {
		progress_say(&p->out, l->id, "Verifying Checksum", 0, 0);
		progress_say(&p->out, l->id, "Download complete", 0, 0);
	}
	return r;
}

static int extract_wait(struct pull_layer *l, struct err *e)
{
	struct pull *p = l->p;
	AUTO(close) int fd = open(l->tmp, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "opening a downloaded layer");
	struct layer_source from = { .fd = fd, .len = -1, .progress = extracting, .progress_arg = l };
	extracting(l, 0);
	int r = image_layer_apply_wait(p->s, &from, l->diff_id, &l->lease, e);
	if (r < 0)
		return r;
	extracting(l, l->d->size);
	/* keep the blob: a push needs no second compression, and gives the same digest */
	const char *kept = image_blob_path(p->s, &p->a, l->d->digest);
	struct layer_rec *rec = l->lease->rec;
	if (kept && rename(l->tmp, kept) == 0) {
		struct image_blob *b = layer_add_blob(rec, l->d->digest, l->d->size, l->d->media_type ? l->d->media_type : MEDIA_DOCKER_LAYER);
		const char *repo = ref_name(&p->ref, &p->a);
		if (b && repo)
			blob_add_repo(b, repo);
	}
	progress_say(&p->out, l->id, "Pull complete", 0, 0);
	return 0;
}

static int layer_wait(struct pull_layer *l, struct err *e)
{
	struct pull *p = l->p;
	if (p->downloads >= p->s->parallel_downloads)
		progress_say(&p->out, l->id, "Waiting", 0, 0);
	int r = take_turn_wait(p, &p->downloads, p->s->parallel_downloads);
	if (r < 0)
		return err_sys(e, r, "pulling");
	r = download_wait(l, e);
	give_turn(p, &p->downloads);
	if (r < 0)
		return r;
	if ((r = take_turn_wait(p, &p->extracts, EXTRACT_AT_ONCE)) < 0)
		return err_sys(e, r, "pulling");
	r = extract_wait(l, e);
	give_turn(p, &p->extracts);
	return r;
}

static void layer_fiber(void *arg)
{
	struct pull_layer *l = arg;
	struct err e = { 0 };
	l->fiber = fiber_self();
	l->result = layer_wait(l, &e);
	l->fiber = NULL;
	if (l->tmp)
		unlink(l->tmp);
	if (l->result < 0)
		fail(l->p, l->result, &e);
	l->p->n_running--;
	progress_wake(&l->p->out);
}

/* --- manifest and configuration ----------------------------------------------------------- */

static int explain(struct pull *p, int r, const struct err *why, struct err *e)
{
	const char *code = dist_last_code(p->dist), *name = ref_familiar_name(&p->ref, &p->a), *full = ref_familiar(&p->ref, &p->a);
	if (!name || !full)
		return err_nomem(e);
	if (!strcmp(code, "MANIFEST_UNKNOWN"))
		return err_set(e, ENOENT, "manifest for %s not found: %s", full, why->text);
	if (!strcmp(code, "NAME_UNKNOWN"))
		return err_set(e, ENOENT, "repository %s not found: %s", name, why->text);
	if (!strcmp(code, "DENIED") || (!strcmp(code, "UNAUTHORIZED") && !strcmp(p->ref.domain, REF_HUB)))
		return err_set(e, ENOENT, "pull access denied for %s, repository does not exist or may require 'docker login': %s", name, why->text);
	return err_set(e, r, "%s", why->text);
}

static bool is_list(const char *type) { return !strcmp(type, MEDIA_OCI_INDEX) || !strcmp(type, MEDIA_DOCKER_LIST); }

/* The manifest for the wanted platform; *digest is what the name stood for (an index's, if it is one). */
static int get_manifest_wait(struct pull *p, const char **digest, struct err *e)
{
	struct dist_manifest m;
	struct err why = { 0 };
	int r = dist_get_manifest_wait(p->dist, p->ref.digest ? p->ref.digest : p->ref.tag, &p->a, &m, &why);
	if (r < 0)
		return explain(p, r, &why, e);
	*digest = m.digest;
	for (int depth = 0; is_list(m.type); depth++) {
		struct image_index index;
		if (depth > 3)
			return err_set(e, EINVAL, "indexes inside indexes too deep");
		if ((r = schema_from_json(T_image_index, m.text, SCHEMA_FOLD_CASE, &p->a, &index, &why)) < 0)
			return err_set(e, EINVAL, "invalid manifest list: %s", why.text);
		const struct image_descriptor *d = platform_pick(&index, p->q->platform);
		if (!d || !d->digest) {
			struct image_platform here = platform_here();
			const struct image_platform *w = p->q->platform;
			return err_set(e, ENOENT, "no matching manifest for %s/%s%s%s in the manifest list entries", w && w->os ? w->os : here.os,
				       w && w->architecture ? w->architecture : here.architecture, w && w->variant && *w->variant ? "/" : "",
				       w && w->variant ? w->variant : "");
		}
		if ((r = dist_get_manifest_wait(p->dist, d->digest, &p->a, &m, &why)) < 0)
			return explain(p, r, &why, e);
	}
	if (!strcmp(m.type, MEDIA_DOCKER_SCHEMA1) || !strcmp(m.type, MEDIA_DOCKER_SCHEMA1_SIGNED))
		return err_set(e, EOPNOTSUPP, "[DEPRECATION NOTICE] Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has been "
			       "removed: push the image again with a current client");
	if ((r = schema_from_json(T_image_manifest, m.text, SCHEMA_FOLD_CASE, &p->a, &p->manifest, &why)) < 0)
		return err_set(e, EINVAL, "invalid manifest: %s", why.text);
	if (!p->manifest.config.digest || !digest_is_valid(slice_of(p->manifest.config.digest)))
		return err_set(e, EINVAL, "invalid manifest: it has no configuration");
	return 0;
}

static int prepare_layers(struct pull *p, struct err *e)
{
	struct image_image c;
	struct err why = { 0 };
	int r = schema_from_json(T_image_image, p->config, SCHEMA_FOLD_CASE, &p->a, &c, &why);
	if (r < 0)
		return err_set(e, EINVAL, "invalid image configuration: %s", why.text);
	p->n_layers = p->manifest.n_layers;
	if (c.rootfs.n_diff_ids != p->n_layers)
		return err_set(e, EINVAL, "mismatched image rootfs and manifest layers");
	if (p->n_layers > IMAGE_LAYERS_MAX)
		return err_set(e, EINVAL, "max depth exceeded");
	if (!(p->layers = arena_array(&p->a, p->n_layers, sizeof *p->layers)))
		return err_nomem(e);
	for (uint32_t i = 0; i < p->n_layers; i++) {
		struct pull_layer *l = &p->layers[i];
		*l = (struct pull_layer){ .p = p, .d = &p->manifest.layers[i], .diff_id = c.rootfs.diff_ids[i] };
		if (!l->d->digest || !digest_is_valid(slice_of(l->d->digest)) || l->d->size < 0 || !l->diff_id ||
		    strncmp(l->diff_id, "sha256:", 7) != 0 || !digest_is_valid(slice_of(l->diff_id)))
			return err_set(e, EINVAL, "invalid manifest: layer %u has no usable digest or size", i);
		fmt_into(l->id, sizeof l->id, "%.12s", digest_hex(l->d->digest).ptr);
	}
	return 0;
}

/* The same DiffID twice is downloaded once: the later ones wait for nothing, they are leased at the end. */
static bool is_repeat(const struct pull *p, uint32_t i)
{
	for (uint32_t k = 0; k < i; k++)
		if (strcmp(p->layers[k].diff_id, p->layers[i].diff_id) == 0)
			return true;
	return false;
}

static int lease_existing(struct pull_layer *l, struct err *e)
{
	struct layer_rec *rec = map_gets(&l->p->s->layers, l->diff_id);
	if (!rec)
		return 0;
	l->lease = image_layer_lease(l->p->s, rec);
	if (!l->lease)
		return err_nomem(e);
	/* its registry is known to have this form of it: a later push there is only a question */
	for (size_t i = 0; i < rec->blobs.n; i++)
		if (strcmp(rec->blobs.v[i]->digest, l->d->digest) == 0) {
			const char *repo = ref_name(&l->p->ref, &l->p->a);
			if (repo)
				blob_add_repo(rec->blobs.v[i], repo);
		}
	return 1;
}

static int get_layers_wait(struct pull *p, struct err *e)
{
	int r = 0;
	for (uint32_t i = 0; i < p->n_layers && r >= 0; i++) {
		struct pull_layer *l = &p->layers[i];
		r = lease_existing(l, e);
		progress_say(&p->out, l->id, r > 0 ? "Already exists" : "Pulling fs layer", 0, 0);
	}
	for (uint32_t i = 0; i < p->n_layers && r >= 0; i++) {
		if (p->layers[i].lease || is_repeat(p, i))
			continue;
		p->n_running++;
		if ((r = fiber_start(p->s->loop, "pull layer", layer_fiber, &p->layers[i])) < 0) {
			p->n_running--;
			err_sys(e, r, "starting a fiber");
		}
	}
	struct err why = { 0 };
	if (r < 0)
		fail(p, r, e ? e : &why);
	while (p->n_running > 0) {
		int x = progress_drain_wait(&p->out);
		if (x < 0)
			fail(p, x, &(struct err){ ECANCELED, "cancelled" });
	}
	progress_flush_wait(&p->out);
	if (p->failed)
		return err_set(e, p->failed, "%s", p->e.code ? p->e.text : "cancelled");
	for (uint32_t i = 0; i < p->n_layers && r >= 0; i++)
		if (!p->layers[i].lease && lease_existing(&p->layers[i], e) <= 0)
			return err_set(e, EIO, "layer %s is missing after the pull", p->layers[i].diff_id);
	return 0;
}

/* --- the whole --------------------------------------------------------------------------------- */

static int finish_wait(struct pull *p, const char *digest, char id[IMAGE_ID_MAX], struct err *e)
{
	struct ref by_digest = { p->ref.domain, p->ref.path, NULL, digest };
	struct ref by_tag = { p->ref.domain, p->ref.path, p->ref.tag, NULL };
	const char *names[2];
	size_t n = 0;
	names[n++] = ref_text(&by_digest, &p->a);
	if (!p->ref.digest)
		names[n++] = ref_text(&by_tag, &p->a);
	if (!names[0] || (n > 1 && !names[1]))
		return err_nomem(e);
	struct name_rec *before = map_gets(&p->s->names[p->owner], names[n - 1]);
	bool is_same = before && !before->image->is_removed && strcmp(before->image->id, p->manifest.config.digest) == 0;
	struct image_create make = { .config = p->config, .names = names, .n_names = n };
	int r = image_create_wait(p->s, p->owner, &make, id, e);
	if (r < 0)
		return r;
	const char *familiar = ref_familiar(&p->ref, &p->a);
	const char *a = arena_fmt(&p->a, "Digest: %s", digest);
	const char *b = arena_fmt(&p->a, "Status: %s for %s", is_same ? "Image is up to date" : "Downloaded newer image", familiar ? familiar : "");
	if (!a || !b)
		return err_nomem(e);
	progress_say(&p->out, NULL, a, 0, 0);
	progress_say(&p->out, NULL, b, 0, 0);
	return progress_flush_wait(&p->out);
}

static int run_wait(struct pull *p, char id[IMAGE_ID_MAX], struct err *e)
{
	const char *digest = NULL;
	const char *path = strcmp(p->ref.domain, REF_HUB) == 0 ? p->ref.path : ref_familiar_name(&p->ref, &p->a);
	const char *title = arena_fmt(&p->a, "Pulling from %s", strcmp(p->ref.domain, REF_HUB) == 0 ? path : p->ref.path);
	int r = get_manifest_wait(p, &digest, e);
	if (r < 0)
		return r;
	if (!title)
		return err_nomem(e);
	progress_say(&p->out, p->ref.digest ? p->ref.digest : p->ref.tag, title, 0, 0);
	struct image_rec *known = map_gets(&p->s->images, p->manifest.config.digest);
	if (known)
		r = image_read_blob(p->s, known->id, &p->a, &p->config, e);
	else
		r = dist_get_small_wait(p->dist, p->manifest.config.digest, IMAGE_CONFIG_MAX, &p->a, &p->config, e);
	if (r < 0 || (r = prepare_layers(p, e)) < 0 || (r = get_layers_wait(p, e)) < 0)
		return r;
	return finish_wait(p, digest, id, e);
}

static int pull_one_wait(struct image_store *s, enum image_owner o, const struct image_pull *q, const struct ref *ref, char id[IMAGE_ID_MAX],
			 struct err *e)
{
	struct pull p = { .s = s, .owner = o, .q = q, .ref = *ref };
	char got[IMAGE_ID_MAX];
	arena_init(&p.a, IMAGE_ARENA_MAX);
	waitq_init(&p.turn);
	progress_init(&p.out, &q->sink);
	int r = dist_new(s, &p.ref, &q->auth, DIST_PULL, &p.dist, e);
	if (r >= 0)
		r = run_wait(&p, got, e);
	for (uint32_t i = 0; p.layers && i < p.n_layers; i++)
		image_layer_release(p.layers[i].lease);
	dist_free(p.dist);
	progress_release(&p.out);
	arena_release(&p.a);
	if (r >= 0 && id)
		memcpy(id, got, IMAGE_ID_MAX);
	return r < 0 ? r : 0;
}

static int pull_all_wait(struct image_store *s, enum image_owner o, const struct image_pull *q, struct ref *ref, char id[IMAGE_ID_MAX],
			 struct arena *a, struct err *e)
{
	AUTO(dist) struct dist *d = NULL;
	const char **tags;
	size_t n;
	int r = dist_new(s, ref, &q->auth, DIST_PULL, &d, e);
	if (r < 0 || (r = dist_tags_wait(d, a, &tags, &n, e)) < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++) {
		if (!tags[i] || !ref_is_tag(slice_of(tags[i])))
			continue;
		ref->tag = tags[i];
		r = pull_one_wait(s, o, q, ref, id, e);
	}
	return r;
}

int image_pull_wait(struct image_store *s, enum image_owner o, const struct image_pull *q, char id[IMAGE_ID_MAX], struct err *e)
{
	AUTO(arena) struct arena a;
	struct ref ref;
	arena_init(&a, IMAGE_ARENA_MAX);
	int r = ref_parse(slice_of(q->ref), &a, &ref, e);
	if (r < 0)
		return r;
	if (q->all_tags && !ref.tag && !ref.digest)
		return pull_all_wait(s, o, q, &ref, id, &a, e);
	ref_default_tag(&ref);
	return pull_one_wait(s, o, q, &ref, id, e);
}

/* --- without pulling ------------------------------------------------------------------------------ */

int image_inspect_remote_wait(struct image_store *s, const char *text, const struct image_auth *auth, struct arena *a, struct image_remote *ret,
			      struct err *e)
{
	AUTO(dist) struct dist *d = NULL;
	struct ref ref;
	struct dist_manifest m;
	int r = ref_parse(slice_of(text), a, &ref, e);
	if (r < 0)
		return r;
	ref_default_tag(&ref);
	if ((r = dist_new(s, &ref, auth, DIST_PULL, &d, e)) < 0 || (r = dist_get_manifest_wait(d, ref.digest ? ref.digest : ref.tag, a, &m, e)) < 0)
		return r;
	*ret = (struct image_remote){ m.type, m.digest, (int64_t)m.text.len, m.text };
	return 0;
}

int image_login_wait(struct image_store *s, const char *server, const struct image_auth *auth, struct arena *a, const char **identity_token,
		     struct err *e)
{
	AUTO(dist) struct dist *d = NULL;
	struct slice host = slice_of(server ? server : "");
	if (slice_starts(host, "https://"))
		host = slice_n(host.ptr + 8, host.len - 8);
	else if (slice_starts(host, "http://"))
		host = slice_n(host.ptr + 7, host.len - 7);
	struct slice head, tail;
	slice_cut(host, '/', &head, &tail);
	bool is_hub = head.len == 0 || slice_is(head, REF_HUB) || slice_is(head, "index.docker.io") || slice_is(head, "registry-1.docker.io");
	struct ref ref = { .domain = is_hub ? REF_HUB : arena_dup(a, head) };
	if (!ref.domain)
		return err_nomem(e);
	int r = dist_new(s, &ref, auth, DIST_PULL, &d, e);
	return r < 0 ? r : dist_login_wait(d, a, identity_token, e);
}
