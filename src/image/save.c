/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker save: one tar that older readers take for a docker-archive
 * (manifest.json, repositories) and newer ones for an OCI layout (index.json,
 * oci-layout); both name the same files below blobs/sha256. Layers are plain
 * tars there, so that their digest is their DiffID, as Docker 25 and later do.
 * The same images always give the same bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/docker.h"
#include "base/auto.h"
#include "codec/tar.h"
#include "image/media.h"
#include "image/store_int.h"

enum { SAVE_CHUNK = 1 << 20, SAVE_IMAGES_MAX = 10000 };

struct saved {
	struct image_rec *rec;
	const char *id;
	VEC(const char *) tags;         /* full names */
	const char *manifest_digest;
	int64_t manifest_size;
};

struct save {
	struct image_store *s;
	struct stream *out;
	struct arena a;
	struct map written;             /* digest -> itself: blobs in the tar already */
	VEC(struct saved) images;
};

/* --- writing the tar --------------------------------------------------------------- */

static int put_header_wait(struct save *x, char type, const char *name, int64_t size, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 16);
	struct tar_entry t = { .type = type, .name = name, .link = "", .mode = type == TAR_DIR ? 0755 : 0644, .size_bytes = size };
	int r = tar_put_header(&b, &t);
	if (r >= 0)
		r = stream_write_wait(x->out, b.ptr, b.len);
	return r < 0 ? err_sys(e, r, "writing the archive") : 0;
}

static int put_padding_wait(struct save *x, int64_t size, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(4096);
	int r = tar_put_padding(&b, size);
	if (r >= 0 && b.len)
		r = stream_write_wait(x->out, b.ptr, b.len);
	return r < 0 ? err_sys(e, r, "writing the archive") : 0;
}

static int put_bytes_wait(struct save *x, const char *name, struct slice s, struct err *e)
{
	int r = put_header_wait(x, TAR_FILE, name, (int64_t)s.len, e);
	if (r >= 0 && s.len && (r = stream_write_wait(x->out, s.ptr, s.len)) < 0)
		err_sys(e, r, "writing the archive");
	return r < 0 ? r : put_padding_wait(x, (int64_t)s.len, e);
}

struct read_job { int fd; char *p; int64_t offset; };

static int read_job(void *arg)
{
	struct read_job *j = arg;
	ssize_t n = pread(j->fd, j->p, SAVE_CHUNK, j->offset);
	return n < 0 ? -errno : (int)n;
}

static int put_file_wait(struct save *x, const char *name, int fd, struct err *e)
{
	struct stat st;
	AUTO(free) char *chunk = malloc(SAVE_CHUNK);
	if (!chunk)
		return err_nomem(e);
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "reading a layer");
	int r = put_header_wait(x, TAR_FILE, name, st.st_size, e);
	if (r < 0)
		return r;
	for (int64_t at = 0; at < st.st_size;) {
		struct read_job j = { fd, chunk, at };
		int n = job_wait(read_job, &j);
		if (n <= 0)
			return err_sys(e, n ? n : EPIPE, "reading a layer");
		n = (int)MIN((int64_t)n, st.st_size - at);
		if ((r = stream_write_wait(x->out, chunk, (size_t)n)) < 0)
			return err_sys(e, r, "writing the archive");
		at += n;
	}
	return put_padding_wait(x, st.st_size, e);
}

static int first_time(struct save *x, const char *digest)
{
	if (map_gets(&x->written, digest))
		return 0;
	return map_sets(&x->written, digest, x) < 0 ? -ENOMEM : 1;
}

static const char *blob_name(struct save *x, const char *digest) { return arena_fmt(&x->a, "blobs/sha256/%s", digest + 7); }

static int put_blob_wait(struct save *x, const char *digest, struct slice s, struct err *e)
{
	int r = first_time(x, digest);
	const char *name = blob_name(x, digest);
	if (r < 0 || !name)
		return err_nomem(e);
	return r ? put_bytes_wait(x, name, s, e) : 0;
}

static int put_layer_wait(struct save *x, struct layer_rec *l, int64_t *size, struct err *e)
{
	AUTO(close) int fd = -1;
	struct stat st;
	const char *name = blob_name(x, l->diff_id);
	int64_t *known = map_gets(&x->written, l->diff_id);
	if (known) {
		*size = *known;
		return 0;
	}
	int r = name ? image_layer_plain_wait(x->s, l, &fd, e) : err_nomem(e);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "reading a layer");
	if (!(known = arena_new(&x->a, int64_t)) || map_sets(&x->written, l->diff_id, known) < 0)
		return err_nomem(e);
	*size = *known = st.st_size;
	return put_file_wait(x, name, fd, e);
}

/* --- which images ------------------------------------------------------------------------ */

static struct saved *saved_of(struct save *x, struct image_rec *i)
{
	for (size_t k = 0; k < x->images.n; k++)
		if (x->images.v[k].rec == i)
			return &x->images.v[k];
	if (x->images.n >= SAVE_IMAGES_MAX || vec_push(&x->images, (struct saved){ .rec = i, .id = i->id }) < 0)
		return NULL;
	i->holds++;
	return &x->images.v[x->images.n - 1];
}

static int add_tag(struct save *x, struct saved *s, const char *full)
{
	for (size_t i = 0; i < s->tags.n; i++)
		if (strcmp(s->tags.v[i], full) == 0)
			return 0;
	const char *copy = arena_strdup(&x->a, full);
	return copy ? vec_push(&s->tags, copy) : -ENOMEM;
}

/* "repo" alone means all its tags, as in docker save; an ID none. */
static int add_name(struct save *x, enum image_owner o, const char *name, struct err *e)
{
	struct name_rec *by;
	struct ref r;
	struct err why = { 0 };
	if (!digest_is_valid(slice_of(name)) && ref_parse(slice_of(name), &x->a, &r, NULL) >= 0 && !r.tag && !r.digest) {
		const char *prefix = ref_name(&r, &x->a);
		size_t at = 0, n = prefix ? strlen(prefix) : 0;
		struct map_entry *m;
		bool any = false;
		while (prefix && (m = map_next(&x->s->names[o], &at))) {
			struct name_rec *k = m->value;
			if (k->is_digest || k->image->is_removed || strncmp(k->text, prefix, n) != 0 || k->text[n] != ':')
				continue;
			struct saved *s = saved_of(x, k->image);
			if (!s || add_tag(x, s, k->text) < 0)
				return err_nomem(e);
			any = true;
		}
		if (any)
			return 0;
	}
	struct image_rec *i = image_find(x->s, o, name, &x->a, &by, &why);
	if (!i)
		return err_set(e, why.code, "%s", why.text);
	struct saved *s = saved_of(x, i);
	return !s || (by && !by->is_digest && add_tag(x, s, by->text) < 0) ? err_nomem(e) : 0;
}

/* --- one image ------------------------------------------------------------------------------ */

static int save_image_wait(struct save *x, struct saved *s, struct docker_save_manifest *m, struct err *e)
{
	struct image_rec *i = s->rec;
	AUTO(buf) struct buf text = BUF_INIT(IMAGE_MANIFEST_MAX);
	struct slice config;
	char digest[DIGEST_MAX];
	int r = image_read_blob(x->s, i->id, &x->a, &config, e);
	if (r < 0 || (r = put_blob_wait(x, i->id, config, e)) < 0)
		return r;
	size_t n = i->layers.n;
	struct image_manifest om = { .schema_version = 2, .media_type = MEDIA_OCI_MANIFEST, .n_layers = (uint32_t)n,
				     .config = { .media_type = MEDIA_OCI_CONFIG, .digest = s->id, .size = (int64_t)config.len } };
	om.layers = arena_array(&x->a, n, sizeof *om.layers);
	m->layers = arena_array(&x->a, n, sizeof(char *));
	m->layer_sources = arena_array(&x->a, n, sizeof *m->layer_sources);
	m->repo_tags = arena_array(&x->a, s->tags.n, sizeof(char *));
	m->config = blob_name(x, i->id);
	if (!om.layers || !m->layers || !m->layer_sources || !m->repo_tags || !m->config)
		return err_nomem(e);
	for (size_t k = 0; k < n; k++) {
		int64_t size = 0;
		if ((r = put_layer_wait(x, i->layers.v[k], &size, e)) < 0)
			return r;
		const char *id = i->layers.v[k]->diff_id;
		om.layers[k] = (struct image_descriptor){ .media_type = MEDIA_OCI_LAYER, .digest = id, .size = size };
		m->layers[m->n_layers++] = blob_name(x, id);
		bool is_double = false;
		for (uint32_t q = 0; q < m->n_layer_sources; q++)
			is_double |= strcmp(m->layer_sources[q].key, id) == 0;
		if (!is_double)
			m->layer_sources[m->n_layer_sources++] =
				(struct docker_save_source_entry){ id, { .media_type = MEDIA_OCI_LAYER, .digest = id, .size = size } };
	}
	for (size_t k = 0; k < s->tags.n; k++) {
		struct ref ref;
		if (ref_parse(slice_of(s->tags.v[k]), &x->a, &ref, NULL) >= 0)
			m->repo_tags[m->n_repo_tags++] = ref_familiar(&ref, &x->a);
	}
	if (m->n_repo_tags == 0)
		m->repo_tags = NULL;
	if (schema_to_json(T_image_manifest, &om, 0, &text) < 0 || buf_error(&text) < 0 || digest_of(DIGEST_SHA256, buf_slice(&text), digest) < 0)
		return err_nomem(e);
	s->manifest_digest = arena_strdup(&x->a, digest);
	s->manifest_size = (int64_t)text.len;
	return s->manifest_digest ? put_blob_wait(x, s->manifest_digest, buf_slice(&text), e) : err_nomem(e);
}

/* --- what describes it all --------------------------------------------------------------------- */

static int put_message_wait(struct save *x, const char *name, struct schema_ref t, const void *obj, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(64 << 20);
	if (schema_to_json(t, obj, 0, &text) < 0 || buf_error(&text) < 0)
		return err_nomem(e);
	return put_bytes_wait(x, name, buf_slice(&text), e);
}

static int put_index_wait(struct save *x, struct err *e)
{
	struct image_index index = { .schema_version = 2, .media_type = MEDIA_OCI_INDEX };
	size_t n = 0;
	for (size_t i = 0; i < x->images.n; i++)
		n += MAX(x->images.v[i].tags.n, (size_t)1);
	index.manifests = arena_array(&x->a, n, sizeof *index.manifests);
	if (!index.manifests)
		return err_nomem(e);
	for (size_t i = 0; i < x->images.n; i++) {
		struct saved *s = &x->images.v[i];
		for (size_t k = 0; k < MAX(s->tags.n, (size_t)1); k++) {
			struct image_descriptor *d = &index.manifests[index.n_manifests++];
			*d = (struct image_descriptor){ .media_type = MEDIA_OCI_MANIFEST, .digest = s->manifest_digest, .size = s->manifest_size };
			struct ref r;
			if (k >= s->tags.n || ref_parse(slice_of(s->tags.v[k]), &x->a, &r, NULL) < 0)
				continue;
			if (!(d->annotations = arena_array(&x->a, 2, sizeof *d->annotations)))
				return err_nomem(e);
			d->annotations[d->n_annotations++] = (struct schema_pair){ "io.containerd.image.name", s->tags.v[k] };
			d->annotations[d->n_annotations++] = (struct schema_pair){ "org.opencontainers.image.ref.name", r.tag };
		}
	}
	struct image_layout layout = { .image_layout_version = "1.0.0" };
	int r = put_message_wait(x, "index.json", T_image_index, &index, e);
	return r < 0 ? r : put_message_wait(x, "oci-layout", T_image_layout, &layout, e);
}

static int put_repositories_wait(struct save *x, struct err *e)
{
	struct docker_save_repositories all = { 0 };
	size_t n = 0;
	for (size_t i = 0; i < x->images.n; i++)
		n += x->images.v[i].tags.n;
	if (n == 0)
		return 0;
	all.items = arena_array(&x->a, n, sizeof *all.items);
	if (!all.items)
		return err_nomem(e);
	for (size_t i = 0; i < x->images.n; i++) {
		struct saved *s = &x->images.v[i];
		for (size_t k = 0; k < s->tags.n; k++) {
			struct ref r;
			if (s->rec->layers.n == 0 || ref_parse(slice_of(s->tags.v[k]), &x->a, &r, NULL) < 0)
				continue;
			const char *name = ref_familiar_name(&r, &x->a);
			struct docker_string_map_entry *m = NULL;
			for (uint32_t q = 0; q < all.n_items; q++)
				if (name && strcmp(all.items[q].key, name) == 0)
					m = &all.items[q];
			if (!m) {
				m = &all.items[all.n_items++];
				m->key = name;
				m->value = arena_array(&x->a, n, sizeof *m->value);
			}
			if (!name || !m->value)
				return err_nomem(e);
			m->value[m->n_value++] = (struct schema_pair){ r.tag, s->rec->layers.v[s->rec->layers.n - 1]->diff_id + 7 };
		}
	}
	return put_message_wait(x, "repositories", T_docker_save_repositories, &all, e);
}

static int save_all_wait(struct save *x, struct err *e)
{
	struct docker_save_manifests all = { 0 };
	static const char end[1024];
	int r = put_header_wait(x, TAR_DIR, "blobs/", 0, e);
	if (r >= 0)
		r = put_header_wait(x, TAR_DIR, "blobs/sha256/", 0, e);
	all.items = arena_array(&x->a, x->images.n, sizeof *all.items);
	if (!all.items)
		return err_nomem(e);
	for (size_t i = 0; i < x->images.n && r >= 0; i++)
		r = save_image_wait(x, &x->images.v[i], &all.items[all.n_items++], e);
	if (r < 0 || (r = put_index_wait(x, e)) < 0 || (r = put_message_wait(x, "manifest.json", T_docker_save_manifests, &all, e)) < 0 ||
	    (r = put_repositories_wait(x, e)) < 0)
		return r;
	r = stream_write_wait(x->out, end, sizeof end);
	return r < 0 ? err_sys(e, r, "writing the archive") : 0;
}

int image_save_wait(struct image_store *s, enum image_owner o, const char *const *names, size_t n_names, struct stream *out, struct err *e)
{
	struct save x = { .s = s, .out = out };
	int r = 0;
	arena_init(&x.a, IMAGE_ARENA_MAX);
	map_init(&x.written);
	for (size_t i = 0; i < n_names && r >= 0; i++)
		r = add_name(&x, o, names[i], e);
	if (r >= 0)
		r = save_all_wait(&x, e);
	for (size_t i = 0; i < x.images.n; i++) {
		vec_release(&x.images.v[i].tags);
		image_unhold(s, x.images.v[i].id);
	}
	vec_release(&x.images);
	map_release(&x.written);
	arena_release(&x.a);
	return r < 0 ? r : 0;
}
