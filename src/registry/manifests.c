/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests in, out and away; tags; the list of who refers to a manifest. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/dist.h"
#include "api/image.h"
#include "base/auto.h"
#include "image/media.h"
#include "image/ref.h"
#include "registry/registry_int.h"

enum { REG_TAGS_AT_ONCE = 64 };

static bool is_index(const char *type) { return !strcmp(type, MEDIA_OCI_INDEX) || !strcmp(type, MEDIA_DOCKER_LIST); }
static bool is_manifest(const char *type) { return !strcmp(type, MEDIA_OCI_MANIFEST) || !strcmp(type, MEDIA_DOCKER_MANIFEST); }

/* The digest that a tag or digest names in a repository; NULL when there is none. */
static const char *resolve(struct registry *g, struct arena *a, const char *repo, const char *ref)
{
	struct slice text;
	if (digest_is_valid(slice_of(ref)))
		return ref;
	if (!ref_is_tag(slice_of(ref)))
		return NULL;
	const char *path = reg_tag_path(g, a, repo, ref);
	if (!path || reg_read_file(a, path, DIGEST_MAX, &text, NULL) < 0 || !digest_is_valid(text))
		return NULL;
	return text.ptr;
}

int reg_get_manifest(struct http_request *r, struct err *e)
{
	struct registry *g = r->user;
	struct slice text, type;
	const char *name = reg_name(r), *ref = http_param(r, "reference");
	if (!name)
		return 0;
	const char *digest = resolve(g, r->arena, name, ref), *path = digest ? reg_manifest_path(g, r->arena, name, digest) : NULL;
	const char *type_path = path ? arena_fmt(r->arena, "%s.type", path) : NULL;
	if (!type_path || reg_read_file(r->arena, path, REG_MANIFEST_MAX, &text, NULL) < 0 ||
	    reg_read_file(r->arena, type_path, 1024, &type, NULL) < 0)
		return reg_fail(r, reg_has_repo(g, r->arena, name) ? REG_MANIFEST_UNKNOWN : REG_NAME_UNKNOWN, ref);
	http_header_add(r, "Docker-Content-Digest", digest);
	const char *etag = arena_fmt(r->arena, "\"%s\"", digest);
	if (etag)
		http_header_add(r, "ETag", etag);
	return http_reply(r, 200, type.ptr, text);
}

/* --- checking what is pushed ----------------------------------------------------------- */

struct incoming {
	struct slice text;
	const char *type, *digest, *name, *tag;
	const char *tags[REG_TAGS_AT_ONCE];
	size_t n_tags;
	struct image_descriptor *subject;
	struct image_descriptor about;      /* what the referrers list says of it */
};

static bool has_content(struct registry *g, struct arena *a, const char *repo, const char *digest)
{
	return digest && digest_is_valid(slice_of(digest)) &&
	       (reg_exists(reg_repo_blob_path(g, a, repo, digest), NULL) || reg_exists(reg_manifest_path(g, a, repo, digest), NULL));
}

static bool may_be_elsewhere(const struct image_descriptor *d)
{
	return d->n_urls || (d->media_type && (strstr(d->media_type, "nondistributable") || strstr(d->media_type, ".foreign.")));
}

/* 0, or 1 after an error was sent. */
static int check_image(struct http_request *r, struct incoming *in)
{
	struct registry *g = r->user;
	struct image_manifest m;
	struct err why = { 0 };
	if (schema_from_json(T_image_manifest, in->text, 0, r->arena, &m, &why) < 0)
		return reg_fail(r, REG_MANIFEST_INVALID, why.text), 1;
	if (m.schema_version != 2 || (m.media_type && *m.media_type && strcmp(m.media_type, in->type) != 0))
		return reg_fail(r, REG_MANIFEST_INVALID, "schemaVersion or mediaType does not fit"), 1;
	if (!m.config.digest || !digest_is_valid(slice_of(m.config.digest)))
		return reg_fail(r, REG_MANIFEST_INVALID, "the manifest has no config"), 1;
	if (!has_content(g, r->arena, in->name, m.config.digest))
		return reg_fail(r, REG_MANIFEST_BLOB_UNKNOWN, m.config.digest), 1;
	for (uint32_t i = 0; i < m.n_layers; i++) {
		const struct image_descriptor *d = &m.layers[i];
		if (!d->digest || !digest_is_valid(slice_of(d->digest)))
			return reg_fail(r, REG_MANIFEST_INVALID, "a layer has no digest"), 1;
		if (!may_be_elsewhere(d) && !has_content(g, r->arena, in->name, d->digest))
			return reg_fail(r, REG_MANIFEST_BLOB_UNKNOWN, d->digest), 1;
	}
	in->subject = m.subject;
	in->about.artifact_type = m.artifact_type && *m.artifact_type ? m.artifact_type : m.config.media_type;
	in->about.annotations = m.annotations;
	in->about.n_annotations = m.n_annotations;
	return 0;
}

static int check_index(struct http_request *r, struct incoming *in)
{
	struct image_index m;
	struct err why = { 0 };
	if (schema_from_json(T_image_index, in->text, 0, r->arena, &m, &why) < 0)
		return reg_fail(r, REG_MANIFEST_INVALID, why.text), 1;
	if (m.schema_version != 2 || (m.media_type && *m.media_type && strcmp(m.media_type, in->type) != 0))
		return reg_fail(r, REG_MANIFEST_INVALID, "schemaVersion or mediaType does not fit"), 1;
	for (uint32_t i = 0; i < m.n_manifests; i++)
		if (!m.manifests[i].digest || !digest_is_valid(slice_of(m.manifests[i].digest)))
			return reg_fail(r, REG_MANIFEST_INVALID, "a member has no digest"), 1;
	in->subject = m.subject;
	in->about.artifact_type = m.artifact_type && *m.artifact_type ? m.artifact_type : NULL;
	in->about.annotations = m.annotations;
	in->about.n_annotations = m.n_annotations;
	return 0;
}

static int read_incoming_wait(struct http_request *r, struct incoming *in, struct err *e)
{
	char got[DIGEST_MAX];
	enum digest_algorithm algorithm = DIGEST_SHA256;
	const char *ref = http_param(r, "reference");
	struct slice type = http_header_get(&r->headers, "Content-Type"), head, tail;
	struct err why = { 0 };
	int x = http_body_all_wait(r, REG_MANIFEST_MAX, &in->text, &why);
	if (x < 0)
		return x == -E2BIG || x == -EMSGSIZE ? (reg_fail(r, REG_TOO_LARGE, NULL), 1) : err_set(e, x, "%s", why.text);
	slice_cut(type, ';', &head, &tail);
	in->type = head.ptr ? arena_dup(r->arena, slice_trim(head)) : "";
	if (!in->type)
		return err_nomem(e);
	bool by_digest = slice_find(slice_of(ref), ':') >= 0;
	if (by_digest && digest_parse(slice_of(ref), &algorithm, NULL) < 0)
		return reg_fail(r, REG_DIGEST_INVALID, ref), 1;
	if (!by_digest && !ref_is_tag(slice_of(ref)))
		return reg_fail(r, REG_MANIFEST_INVALID, "invalid tag"), 1;
	if (digest_of(algorithm, in->text, got) < 0 || !(in->digest = arena_strdup(r->arena, got)))
		return err_nomem(e);
	if (by_digest && strcmp(got, ref) != 0)
		return reg_fail(r, REG_DIGEST_INVALID, got), 1;
	if (!by_digest)
		in->tags[in->n_tags++] = ref;
	for (size_t i = 0; i < r->query.n; i++) {
		if (!slice_is(r->query.v[i].name, "tag"))
			continue;
		const char *tag = arena_dup(r->arena, r->query.v[i].value);
		if (!tag || !ref_is_tag(slice_of(tag)))
			return reg_fail(r, REG_MANIFEST_INVALID, "invalid tag"), 1;
		if (in->n_tags == REG_TAGS_AT_ONCE)
			return reg_fail(r, REG_MANIFEST_INVALID, "too many tags"), 1;
		in->tags[in->n_tags++] = tag;
	}
	if (is_index(in->type))
		return check_index(r, in);
	if (is_manifest(in->type))
		return check_image(r, in);
	return reg_fail(r, REG_MANIFEST_INVALID, *in->type ? "media type is not supported" : "no media type"), 1;
}

/* --- storing ------------------------------------------------------------------------------ */

struct store_job {
	struct registry *g;
	struct arena a;
	struct incoming *in;
	struct err e;
};

static const char *referrer_path(struct registry *g, struct arena *a, const char *repo, const char *subject, const char *digest)
{
	const char *dir = reg_referrers_dir(g, a, repo, subject);
	struct slice alg, hex;
	slice_cut(slice_of(digest), ':', &alg, &hex);
	return dir ? arena_fmt(a, "%s/%.*s-%.*s", dir, SLICE_FMT(alg), SLICE_FMT(hex)) : NULL;
}

/* Type first: a manifest that is there always has one. Tags last. */
static int store_job(void *arg)
{
	struct store_job *j = arg;
	struct incoming *in = j->in;
	const char *path = reg_manifest_path(j->g, &j->a, in->name, in->digest), *type = path ? arena_fmt(&j->a, "%s.type", path) : NULL;
	if (!type)
		return err_nomem(&j->e);
	int r = reg_write_file(type, slice_of(in->type), &j->e);
	if (r >= 0)
		r = reg_write_file(path, in->text, &j->e);
	if (r >= 0 && in->subject) {
		AUTO(buf) struct buf text = BUF_INIT(REG_MANIFEST_MAX);
		const char *ref = referrer_path(j->g, &j->a, in->name, in->subject->digest, in->digest);
		if (!ref || schema_to_json(T_image_descriptor, &in->about, 0, &text) < 0 || buf_error(&text) < 0)
			return err_nomem(&j->e);
		r = reg_write_file(ref, buf_slice(&text), &j->e);
	}
	for (size_t i = 0; i < in->n_tags && r >= 0; i++) {
		const char *tag = reg_tag_path(j->g, &j->a, in->name, in->tags[i]);
		r = tag ? reg_write_file(tag, slice_of(in->digest), &j->e) : err_nomem(&j->e);
	}
	return r;
}

int reg_put_manifest(struct http_request *r, struct err *e)
{
	struct store_job j = { .g = r->user };
	struct incoming in = { .name = reg_name(r) };
	if (!in.name)
		return 0;
	int x = read_incoming_wait(r, &in, e);
	if (x != 0)
		return x < 0 ? x : 0;
	if (in.subject && (!in.subject->digest || !digest_is_valid(slice_of(in.subject->digest))))
		return reg_fail(r, REG_MANIFEST_INVALID, "the subject has no digest");
	in.about.media_type = in.type;
	in.about.digest = in.digest;
	in.about.size = (int64_t)in.text.len;
	j.in = &in;
	arena_init(&j.a, 16 << 20);
	x = job_wait(store_job, &j);
	arena_release(&j.a);
	if (x < 0)
		return err_set(e, x, "%s", j.e.text);
	const char *where = arena_fmt(r->arena, "/v2/%s/manifests/%s", in.name, in.digest);
	http_header_add(r, "Location", where ? where : "");
	http_header_add(r, "Docker-Content-Digest", in.digest);
	if (in.subject)
		http_header_add(r, "OCI-Subject", in.subject->digest);
	for (size_t i = 0; i < r->query.n; i++)
		if (slice_is(r->query.v[i].name, "tag"))
			http_header_add(r, "OCI-Tag", arena_dup(r->arena, r->query.v[i].value));
	return http_reply(r, 201, NULL, SLICE(""));
}

/* --- deleting ----------------------------------------------------------------------------------- */

struct drop_job {
	struct registry *g;
	struct arena a;
	const char *name, *ref;
	struct err e;
};

static int drop_tags(struct drop_job *j, const char *digest)
{
	const char **tags;
	size_t n;
	const char *dir = arena_fmt(&j->a, "%s/repos/%s/_tags", j->g->root, j->name);
	int r = dir ? reg_list(&j->a, dir, &tags, &n) : -ENOMEM;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		const char *now = resolve(j->g, &j->a, j->name, tags[i]), *path = reg_tag_path(j->g, &j->a, j->name, tags[i]);
		if (now && path && strcmp(now, digest) == 0 && unlink(path) < 0)
			r = -errno;
	}
	return r;
}

static void drop_referrer(struct drop_job *j, const char *path, const char *digest)
{
	struct slice text;
	struct image_manifest m;
	if (reg_read_file(&j->a, path, REG_MANIFEST_MAX, &text, NULL) < 0 ||
	    schema_from_json(T_image_manifest, text, 0, &j->a, &m, NULL) < 0 || !m.subject || !m.subject->digest ||
	    !digest_is_valid(slice_of(m.subject->digest)))
		return;
	const char *ref = referrer_path(j->g, &j->a, j->name, m.subject->digest, digest);
	if (ref)
		unlink(ref);
}

static int drop_job(void *arg)
{
	struct drop_job *j = arg;
	if (!digest_is_valid(slice_of(j->ref))) {
		const char *tag = reg_tag_path(j->g, &j->a, j->name, j->ref);
		if (!tag || unlink(tag) < 0)
			return tag ? -errno : -ENOMEM;
		return reg_sync_parent(tag);
	}
	const char *path = reg_manifest_path(j->g, &j->a, j->name, j->ref), *type = path ? arena_fmt(&j->a, "%s.type", path) : NULL;
	if (!type)
		return -ENOMEM;
	if (!reg_exists(path, NULL))
		return -ENOENT;
	int r = drop_tags(j, j->ref);
	if (r < 0)
		return r;
	drop_referrer(j, path, j->ref);
	if (unlink(path) < 0)
		return -errno;
	unlink(type);
	return reg_sync_parent(path);
}

int reg_delete_manifest(struct http_request *r, struct err *e)
{
	struct drop_job j = { .g = r->user, .name = reg_name(r), .ref = http_param(r, "reference") };
	if (!j.name)
		return 0;
	if (!ref_is_tag(slice_of(j.ref)) && !digest_is_valid(slice_of(j.ref)))
		return reg_fail(r, REG_DIGEST_INVALID, j.ref);
	arena_init(&j.a, 64 << 20);
	int x = job_wait(drop_job, &j);
	arena_release(&j.a);
	if (x == -ENOENT || x == -ENOTDIR)
		return reg_fail(r, REG_MANIFEST_UNKNOWN, j.ref);
	return x < 0 ? err_sys(e, x, "deleting %s", j.ref) : http_reply(r, 202, NULL, SLICE(""));
}

/* --- referrers -------------------------------------------------------------------------------------- */

int reg_referrers(struct http_request *r, struct err *e)
{
	struct registry *g = r->user;
	AUTO(buf) struct buf text = BUF_INIT(64 << 20);
	struct image_index all = { .schema_version = 2, .media_type = MEDIA_OCI_INDEX };
	const char **names;
	size_t n = 0;
	const char *name = reg_name(r), *digest = name ? reg_digest(r, http_param(r, "digest")) : NULL;
	if (!digest)
		return 0;
	const char *wanted = http_query_get(&r->query, "artifactType"), *dir = reg_referrers_dir(g, r->arena, name, digest);
	int x = dir ? reg_list(r->arena, dir, &names, &n) : -ENOMEM;
	if (x < 0)
		return err_sys(e, x, "listing referrers");
	all.manifests = arena_array(r->arena, n, sizeof *all.manifests);
	if (!all.manifests)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		struct slice one;
		struct image_descriptor *d = &all.manifests[all.n_manifests];
		const char *path = arena_fmt(r->arena, "%s/%s", dir, names[i]);
		if (!path || reg_read_file(r->arena, path, REG_MANIFEST_MAX, &one, NULL) < 0 ||
		    schema_from_json(T_image_descriptor, one, 0, r->arena, d, NULL) < 0)
			continue;
		if (!wanted || !*wanted || (d->artifact_type && strcmp(d->artifact_type, wanted) == 0))
			all.n_manifests++;
	}
	if (schema_to_json(T_image_index, &all, 0, &text) < 0 || buf_error(&text) < 0)
		return err_nomem(e);
	if (wanted && *wanted)
		http_header_add(r, "OCI-Filters-Applied", "artifactType");
	return http_reply(r, 200, MEDIA_OCI_INDEX, buf_slice(&text));
}
