/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker push. A layer is compressed once in its life and the result kept, so
 * that the next push of it, to any registry, only asks whether it is there.
 *
 *   preparing ─▶ waiting ─▶ layer already exists
 *                       ├─▶ mounted from REPOSITORY
 *                       └─▶ pushing ─▶ pushed
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/docker.h"
#include "base/auto.h"
#include "image/dist.h"
#include "image/media.h"
#include "image/progress.h"

struct push;
struct push_layer {
	struct push *p;
	struct layer_rec *rec;
	struct image_blob *blob;
	char digest[DIGEST_MAX];
	int64_t size;
	char *media_type;
	char id[13];
	struct fiber *fiber;
};

struct push {
	struct image_store *s;
	const struct image_push *q;
	struct ref ref;
	struct dist *dist;
	struct arena a;
	struct progress out;
	struct image_rec *image;
	struct push_layer *layers;
	uint32_t n_layers, n_running;
	unsigned uploads;
	struct waitq turn;
	int failed;
	struct err e;
};

static void fail(struct push *p, int r, const struct err *why)
{
	if (p->failed)
		return;
	p->failed = r;
	p->e = *why;
	waitq_wake_all(&p->turn);
	for (uint32_t i = 0; i < p->n_layers; i++)
		if (p->layers[i].fiber)
			fiber_cancel(p->layers[i].fiber);
}

static void pushing(void *arg, int64_t done)
{
	struct push_layer *l = arg;
	progress_say(&l->p->out, l->id, "Pushing", done, l->size);
}

/* A repository of the same registry that is known to have the blob: its path. */
static const char *mount_source(struct push_layer *l)
{
	struct push *p = l->p;
	size_t n = strlen(p->ref.domain);
	for (size_t i = l->blob->repos.n; i-- > 0;) {
		const char *repo = l->blob->repos.v[i];
		if (strncmp(repo, p->ref.domain, n) == 0 && repo[n] == '/' && strcmp(repo + n + 1, p->ref.path) != 0)
			return arena_strdup(&p->a, repo + n + 1);
	}
	return NULL;
}

static int upload_wait(struct push_layer *l, struct err *e)
{
	struct push *p = l->p;
	const struct dist_progress say = { pushing, l };
	const char *path = image_blob_path(p->s, &p->a, l->digest);
	AUTO(close) int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return err_sys(e, errno, "opening a compressed layer");
	pushing(l, 0);
	int r = dist_put_blob_wait(p->dist, l->digest, fd, l->size, &say, e);
	if (r >= 0) {
		pushing(l, l->size);
		progress_say(&p->out, l->id, "Pushed", 0, 0);
	}
	return r;
}

static int send_layer_wait(struct push_layer *l, struct err *e)
{
	struct push *p = l->p;
	int r = image_layer_blob_wait(p->s, l->rec, &l->blob, e);
	if (r < 0)
		return r;
	fmt_into(l->digest, sizeof l->digest, "%s", l->blob->digest);
	l->size = l->blob->size_bytes;
	l->media_type = arena_strdup(&p->a, l->blob->media_type);
	if (!l->media_type)
		return err_nomem(e);
	const char *from = mount_source(l);
	r = dist_has_blob_wait(p->dist, l->digest, e);
	if (r == 0) {
		progress_say(&p->out, l->id, "Layer already exists", 0, 0);
		return 0;
	}
	if (r != -ENOENT)
		return r;
	if (from && dist_mount_wait(p->dist, l->digest, from, NULL) > 0) {
		const char *familiar = strncmp(from, "library/", 8) == 0 && strcmp(p->ref.domain, REF_HUB) == 0 ? from + 8 : from;
		const char *status = arena_fmt(&p->a, "Mounted from %s", familiar);
		if (status)
			progress_say(&p->out, l->id, status, 0, 0);
		return 0;
	}
	return upload_wait(l, e);
}

static int layer_wait(struct push_layer *l, struct err *e)
{
	struct push *p = l->p;
	if (p->uploads >= p->s->parallel_uploads)
		progress_say(&p->out, l->id, "Waiting", 0, 0);
	while (p->uploads >= p->s->parallel_uploads && !p->failed)
		if (waitq_wait(&p->turn, -1) < 0)
			return err_set(e, ECANCELED, "cancelled");
	if (p->failed)
		return err_set(e, ECANCELED, "cancelled");
	p->uploads++;
	int r = send_layer_wait(l, e);
	p->uploads--;
	waitq_wake_all(&p->turn);
	return r;
}

static void layer_fiber(void *arg)
{
	struct push_layer *l = arg;
	struct err e = { 0 };
	l->fiber = fiber_self();
	int r = layer_wait(l, &e);
	l->fiber = NULL;
	if (r < 0)
		fail(l->p, r, &e);
	l->p->n_running--;
	progress_wake(&l->p->out);
}

static int push_layers_wait(struct push *p, struct err *e)
{
	int r = 0;
	/* as docker prints them: top first */
	for (uint32_t i = p->n_layers; i-- > 0;)
		progress_say(&p->out, p->layers[i].id, "Preparing", 0, 0);
	for (uint32_t i = p->n_layers; i-- > 0 && r >= 0;) {
		bool repeated = false;
		for (uint32_t k = i + 1; k < p->n_layers; k++)
			repeated |= p->layers[k].rec == p->layers[i].rec;
		if (repeated)
			continue;
		p->n_running++;
		if ((r = fiber_start(p->s->loop, "push layer", layer_fiber, &p->layers[i])) < 0) {
			p->n_running--;
			fail(p, r, &(struct err){ EAGAIN, "too much at once" });
		}
	}
	while (p->n_running > 0) {
		r = progress_drain_wait(&p->out);
		if (r < 0)
			fail(p, r, &(struct err){ ECANCELED, "cancelled" });
	}
	if (p->failed)
		return err_set(e, p->failed, "%s", p->e.text);
	for (uint32_t i = 0; i < p->n_layers; i++)
		for (uint32_t k = 0; k < p->n_layers && !p->layers[i].digest[0]; k++)
			if (p->layers[k].rec == p->layers[i].rec && p->layers[k].digest[0]) {
				memcpy(p->layers[i].digest, p->layers[k].digest, DIGEST_MAX);
				p->layers[i].size = p->layers[k].size;
				p->layers[i].media_type = p->layers[k].media_type;
			}
	return 0;
}

static int push_config_wait(struct push *p, struct slice *config, struct err *e)
{
	int r = image_read_blob(p->s, p->image->id, &p->a, config, e);
	if (r < 0 || (r = dist_has_blob_wait(p->dist, p->image->id, e)) != -ENOENT)
		return r;
	const char *path = image_blob_path(p->s, &p->a, p->image->id);
	AUTO(close) int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return err_sys(e, errno, "opening the configuration");
	return dist_put_blob_wait(p->dist, p->image->id, fd, (int64_t)config->len, NULL, e);
}

/* Docker's media types, unless a layer is in a form that only OCI has a name for. */
static int make_manifest(struct push *p, struct slice config, struct buf *out, const char **type, struct err *e)
{
	bool is_oci = false;
	struct image_manifest m = { .schema_version = 2, .n_layers = p->n_layers };
	m.layers = arena_array(&p->a, p->n_layers, sizeof *m.layers);
	if (!m.layers)
		return err_nomem(e);
	for (uint32_t i = 0; i < p->n_layers; i++)
		is_oci |= strcmp(p->layers[i].media_type, MEDIA_DOCKER_LAYER) != 0 && strcmp(p->layers[i].media_type, MEDIA_OCI_LAYER_GZIP) != 0;
	for (uint32_t i = 0; i < p->n_layers; i++) {
		const char *t = p->layers[i].media_type;
		bool is_gzip = !strcmp(t, MEDIA_DOCKER_LAYER) || !strcmp(t, MEDIA_OCI_LAYER_GZIP);
		m.layers[i] = (struct image_descriptor){ .media_type = !is_gzip ? t : is_oci ? MEDIA_OCI_LAYER_GZIP : MEDIA_DOCKER_LAYER,
							 .digest = p->layers[i].digest, .size = p->layers[i].size };
	}
	*type = is_oci ? MEDIA_OCI_MANIFEST : MEDIA_DOCKER_MANIFEST;
	m.media_type = *type;
	m.config = (struct image_descriptor){ .media_type = is_oci ? MEDIA_OCI_CONFIG : MEDIA_DOCKER_CONFIG, .digest = p->image->id,
					      .size = (int64_t)config.len };
	int r = schema_to_json(T_image_manifest, &m, 0, out);
	return r < 0 || (r = buf_error(out)) < 0 ? err_sys(e, r, "writing the manifest") : 0;
}

/* What was pushed is also a name of the image, and its blobs are known to be there. */
static int remember_wait(struct push *p, enum image_owner o, const char *digest, struct err *e)
{
	struct ref by_digest = { p->ref.domain, p->ref.path, NULL, digest };
	const char *name = ref_text(&by_digest, &p->a), *repo = ref_name(&p->ref, &p->a), *key = name ? record_key_name(&p->a, o, name) : NULL;
	struct slice value;
	if (!key || !repo || record_encode_name(p->image, &p->a, &value) < 0)
		return err_nomem(e);
	int r = kv_put_wait(p->s->kv, key, value, e);
	if (r < 0 || names_set(p->s, o, name, p->image) < 0)
		return r < 0 ? r : err_nomem(e);
	for (uint32_t i = 0; i < p->n_layers && r >= 0; i++) {
		struct layer_rec *l = p->layers[i].rec;
		for (size_t k = 0; k < l->blobs.n; k++)
			if (strcmp(l->blobs.v[k]->digest, p->layers[i].digest) == 0 && !blob_has_repo(l->blobs.v[k], repo)) {
				blob_add_repo(l->blobs.v[k], repo);
				r = layer_save_wait(p->s, l, e);
				break;
			}
	}
	return r;
}

static int run_wait(struct push *p, enum image_owner o, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(IMAGE_MANIFEST_MAX), aux = BUF_INIT(4096);
	struct slice config;
	const char *type = NULL;
	char digest[DIGEST_MAX];
	int r = push_layers_wait(p, e);
	if (r < 0 || (r = push_config_wait(p, &config, e)) < 0 || (r = make_manifest(p, config, &text, &type, e)) < 0)
		return r;
	if (digest_of(DIGEST_SHA256, buf_slice(&text), digest) < 0)
		return err_nomem(e);
	if ((r = dist_put_manifest_wait(p->dist, p->ref.tag, type, buf_slice(&text), e)) < 0 || (r = remember_wait(p, o, digest, e)) < 0)
		return r;
	const char *line = arena_fmt(&p->a, "%s: digest: %s size: %zu", p->ref.tag, digest, text.len);
	struct docker_image_pushed pushed = { .tag = p->ref.tag, .digest = digest, .size = (int64_t)text.len };
	if (!line || schema_to_json(T_docker_image_pushed, &pushed, 0, &aux) < 0)
		return err_nomem(e);
	progress_say(&p->out, NULL, line, 0, 0);
	progress_aux(&p->out, buf_slice(&aux));
	return progress_flush_wait(&p->out);
}

static int push_one_wait(struct image_store *s, enum image_owner o, const struct image_push *q, const struct ref *ref, struct err *e)
{
	struct push p = { .s = s, .q = q, .ref = *ref };
	struct name_rec *n;
	arena_init(&p.a, IMAGE_ARENA_MAX);
	waitq_init(&p.turn);
	progress_init(&p.out, &q->sink);
	const char *full = ref_text(ref, &p.a), *name = ref_name(ref, &p.a), *familiar = ref_familiar_name(ref, &p.a);
	int r = full && name && familiar ? 0 : err_nomem(e);
	if (r >= 0 && (!(n = map_gets(&s->names[o], full)) || n->image->is_removed))
		r = err_set(e, ENOENT, "An image does not exist locally with the tag: %s", familiar);
	if (r >= 0) {
		p.image = n->image;
		p.image->holds++;
		p.n_layers = (uint32_t)p.image->layers.n;
		p.layers = arena_array(&p.a, p.n_layers, sizeof *p.layers);
		for (uint32_t i = 0; p.layers && i < p.n_layers; i++) {
			p.layers[i] = (struct push_layer){ .p = &p, .rec = p.image->layers.v[i] };
			fmt_into(p.layers[i].id, sizeof p.layers[i].id, "%.12s", p.layers[i].rec->diff_id + 7);
		}
		r = p.layers ? dist_new(s, &p.ref, &q->auth, DIST_PUSH, &p.dist, e) : err_nomem(e);
		if (r >= 0)
			r = run_wait(&p, o, e);
		char id[IMAGE_ID_MAX];
		memcpy(id, p.image->id, sizeof id);
		image_unhold(s, id);
	}
	dist_free(p.dist);
	progress_release(&p.out);
	arena_release(&p.a);
	return r < 0 ? r : 0;
}

static int push_all_wait(struct image_store *s, enum image_owner o, const struct image_push *q, struct ref *ref, struct arena *a, struct err *e)
{
	const char *prefix = ref_name(ref, a), *familiar = ref_familiar_name(ref, a);
	size_t at = 0, n = 0, len = prefix ? strlen(prefix) : 0;
	struct map_entry *m;
	const char **tags = arena_array(a, s->names[o].n, sizeof *tags);
	if (!tags || !familiar)
		return err_nomem(e);
	while ((m = map_next(&s->names[o], &at))) {
		struct name_rec *x = m->value;
		if (!x->is_digest && strncmp(x->text, prefix, len) == 0 && x->text[len] == ':' && !(tags[n++] = arena_strdup(a, x->text + len + 1)))
			return err_nomem(e);
	}
	if (n == 0)
		return err_set(e, ENOENT, "An image does not exist locally with the tag: %s", familiar);
	int r = 0;
	for (size_t i = 0; i < n && r >= 0; i++) {
		ref->tag = tags[i];
		r = push_one_wait(s, o, q, ref, e);
	}
	return r;
}

int image_push_wait(struct image_store *s, enum image_owner o, const struct image_push *q, struct err *e)
{
	AUTO(arena) struct arena a;
	struct ref ref;
	arena_init(&a, IMAGE_ARENA_MAX);
	int r = ref_parse(slice_of(q->ref), &a, &ref, e);
	if (r < 0)
		return r;
	if (ref.digest)
		return err_set(e, EINVAL, "cannot push a digest reference");
	const char *name = ref_name(&ref, &a), *line = name ? arena_fmt(&a, "The push refers to repository [%s]", name) : NULL;
	if (!line)
		return err_nomem(e);
	struct image_progress p = { .status = line };
	if (q->sink.event && (r = q->sink.event(q->sink.arg, &p)) < 0)
		return err_set(e, r, "cancelled");
	if (q->all_tags && !ref.tag)
		return push_all_wait(s, o, q, &ref, &a, e);
	ref_default_tag(&ref);
	return push_one_wait(s, o, q, &ref, e);
}
