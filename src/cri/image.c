/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ImageService. What Docker has tagged is seen here too, pinned: the kubelet's
 * garbage collection takes only names that were pulled through CRI.
 */
#include <errno.h>
#include <sys/statvfs.h>

#include "api/image.h"
#include "codec/base64.h"
#include "cri/cri_int.h"

int cri_image_get(struct cri *x, const char *name, struct arena *a, struct image_info *ret, struct err *e)
{
	int r = *name ? image_get(x->images, IMAGE_CRI, name, 0, a, ret, NULL) : -EINVAL;
	if (r == -ENOENT)
		r = image_get(x->images, IMAGE_DOCKER, name, 0, a, ret, NULL);
	if (r < 0)
		return err_set(e, r == -EINVAL ? EINVAL : ENOENT, "image \"%s\": not found", name);
	/* by id: the names of whoever has some */
	if (!ret->n_repo_tags && !ret->n_repo_digests) {
		struct image_info other;
		for (int o = IMAGE_DOCKER; o <= IMAGE_CRI; o++)
			if (image_get(x->images, o, ret->id, 0, a, &other, NULL) == 0 && (other.n_repo_tags || other.n_repo_digests)) {
				ret->repo_tags = other.repo_tags;
				ret->n_repo_tags = other.n_repo_tags;
				ret->repo_digests = other.repo_digests;
				ret->n_repo_digests = other.n_repo_digests;
				break;
			}
	}
	for (uint32_t i = 0; i < ret->n_repo_tags; i++)
		if (image_ref_normal(ret->repo_tags[i], a, &ret->repo_tags[i], NULL, NULL) < 0)
			continue;
	for (uint32_t i = 0; i < ret->n_repo_digests; i++)
		if (image_ref_normal(ret->repo_digests[i], a, &ret->repo_digests[i], NULL, NULL) < 0)
			continue;
	return 0;
}


static int strings_merge(struct arena *a, const char ***to, uint32_t *n, const char *const *from, uint32_t n_from)
{
	const char **v = arena_array(a, *n + n_from, sizeof *v);
	uint32_t at = 0;
	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < *n; i++)
		v[at++] = (*to)[i];
	for (uint32_t i = 0; i < n_from; i++) {
		const char *full = from[i];
		bool have = false;
		image_ref_normal(from[i], a, &full, NULL, NULL);
		for (uint32_t k = 0; k < at && !have; k++)
			have = !strcmp(v[k], full);
		if (!have)
			v[at++] = full;
	}
	*to = v;
	*n = at;
	return 0;
}

/* "1000", "1000:1000", "nobody": a number or a name. */
static int user_fill(struct cri_image *p, const char *user, struct arena *a)
{
	struct slice name, group;
	int64_t uid = 0;
	slice_cut(slice_of(text_or(user, "")), ':', &name, &group);
	bool number = name.len > 0 && name.len < 12;
	for (size_t i = 0; i < name.len && number; i++) {
		number = name.ptr[i] >= '0' && name.ptr[i] <= '9';
		uid = uid * 10 + (name.ptr[i] - '0');
	}
	if (name.len && !number) {
		p->username = arena_dup(a, name);
		return p->username ? 0 : -ENOMEM;
	}
	p->uid = arena_new(a, struct cri_int64_value);
	if (!p->uid)
		return -ENOMEM;
	p->uid->value = number ? uid : 0;
	return 0;
}


static int image_fill(struct cri *x, const char *id, struct arena *a, struct cri_image *p, struct err *e)
{
	struct image_info mine, theirs;
	struct image_image config;
	int r = image_get(x->images, IMAGE_CRI, id, 0, a, &mine, e);
	if (r < 0)
		return r;
	/* not there for Docker: it has no names for it */
	if (image_get(x->images, IMAGE_DOCKER, id, 0, a, &theirs, NULL) < 0)
		theirs = (struct image_info){ 0 };
	*p = (struct cri_image){ .id = mine.id, .size = (uint64_t)mine.size_bytes, .pinned = theirs.n_repo_tags || theirs.n_repo_digests };
	if (strings_merge(a, &p->repo_tags, &p->n_repo_tags, mine.repo_tags, mine.n_repo_tags) < 0 ||
	    strings_merge(a, &p->repo_tags, &p->n_repo_tags, theirs.repo_tags, theirs.n_repo_tags) < 0 ||
	    strings_merge(a, &p->repo_digests, &p->n_repo_digests, mine.repo_digests, mine.n_repo_digests) < 0 ||
	    strings_merge(a, &p->repo_digests, &p->n_repo_digests, theirs.repo_digests, theirs.n_repo_digests) < 0)
		return err_nomem(e);
	p->spec = arena_new(a, struct cri_image_spec);
	if (!p->spec)
		return err_nomem(e);
	p->spec->image = p->id;
	r = schema_from_json(T_image_image, mine.config, SCHEMA_FOLD_CASE, a, &config, NULL);
	return user_fill(p, r == 0 ? config.config.user : NULL, a) < 0 ? err_nomem(e) : 0;
}

static bool spec_wanted(const struct cri_image *p, const char *name, struct arena *a)
{
	const char *full = name;
	if (!name || !*name)
		return true;
	image_ref_normal(name, a, &full, NULL, NULL);
	if (!strcmp(p->id, name))
		return true;
	for (uint32_t i = 0; i < p->n_repo_tags; i++)
		if (!strcmp(p->repo_tags[i], full))
			return true;
	for (uint32_t i = 0; i < p->n_repo_digests; i++)
		if (!strcmp(p->repo_digests[i], full))
			return true;
	return false;
}

static int list(struct cri *x, const struct cri_image_filter *f, struct arena *a, struct cri_image **ret, uint32_t *ret_n, struct err *e)
{
	struct image_info *v[2];
	size_t n[2];
	const char *name = f && f->image ? f->image->image : NULL;
	*ret_n = 0;
	for (int o = IMAGE_DOCKER; o <= IMAGE_CRI; o++) {
		int r = image_list(x->images, o, 0, a, &v[o], &n[o], e);
		if (r < 0)
			return r;
	}
	*ret = arena_array(a, n[0] + n[1], sizeof **ret);
	if (!*ret)
		return err_nomem(e);
	for (int o = IMAGE_DOCKER; o <= IMAGE_CRI; o++)
		for (size_t i = 0; i < n[o]; i++) {
			bool have = !v[o][i].n_repo_tags && !v[o][i].n_repo_digests;    /* nameless: Docker's alone */
			for (uint32_t k = 0; k < *ret_n && !have; k++)
				have = !strcmp((*ret)[k].id, v[o][i].id);
			if (have)
				continue;
			int r = image_fill(x, v[o][i].id, a, &(*ret)[*ret_n], e);
			if (r < 0)
				return r;
			if (spec_wanted(&(*ret)[*ret_n], name, a))
				++*ret_n;
		}
	return 0;
}

UNARY(list_images)
{
	const struct cri_list_images_request *q = request;
	struct cri_list_images_response *p = reply;
	return list(cri_of(c), q->filter, c->arena, &p->images, &p->n_images, e);
}

STREAM(stream_images)
{
	const struct cri_stream_images_request *q = request;
	struct cri_stream_images_response p = { 0 };
	int r = list(cri_of(c), q->filter, c->arena, &p.images, &p.n_images, e);
	return r < 0 ? r : grpc_send_wait(c, &p, e);
}

UNARY(image_status)
{
	const struct cri_image_status_request *q = request;
	struct cri_image_status_response *p = reply;
	struct image_info i;
	int r = cri_image_get(cri_of(c), q->image ? text_or(q->image->image, "") : "", c->arena, &i, e);
	if (r == -ENOENT)
		return 0;       /* no image in the answer says that there is none */
	if (r < 0)
		return r;
	p->image = arena_new(c->arena, struct cri_image);
	if (!p->image)
		return err_nomem(e);
	r = image_fill(cri_of(c), i.id, c->arena, p->image, e);
	struct cri_image_info info = { .image_spec = i.config };
	return r < 0 || !q->verbose ? r : info_fill(T_cri_image_info, &info, c->arena, &p->info, &p->n_info, e);
}

/* --- pull and remove */

static int auth_of(const struct cri_auth_config *q, struct arena *a, struct image_auth *ret, struct err *e)
{
	if (!q)
		return 0;
	*ret = (struct image_auth){ .username = q->username, .password = q->password, .identity_token = q->identity_token,
		.registry_token = q->registry_token };
	if (q->auth && *q->auth && !(q->username && *q->username)) {
		AUTO(buf) struct buf text = BUF_INIT(64 << 10);
		struct slice name, password;
		if (base64_decode(&text, slice_of(q->auth)) < 0 || !slice_cut(buf_slice(&text), ':', &name, &password))
			return err_set(e, EINVAL, "invalid auth config: no base64 of user:password");
		ret->username = arena_dup(a, name);
		ret->password = arena_dup(a, password);
		if (!ret->username || !ret->password)
			return err_nomem(e);
	}
	return 0;
}

static int no_progress(void *arg, const struct image_progress *p) { return 0; }

UNARY(pull_image)
{
	const struct cri_pull_image_request *q = request;
	struct cri_pull_image_response *p = reply;
	const char *name = q->image ? text_or(q->image->image, "") : "", *full;
	struct image_pull how = { .sink = { no_progress, NULL } };
	char id[IMAGE_ID_MAX];
	int r = *name ? image_ref_normal(name, c->arena, &full, NULL, e) : err_set(e, EINVAL, "no image is named");
	if (r < 0)
		return err_prefix(e, "failed to parse image reference \"%s\"", name), r;
	how.ref = full;
	r = auth_of(q->auth, c->arena, &how.auth, e);
	if (r == 0)
		r = image_pull_wait(cri_of(c)->images, IMAGE_CRI, &how, id, e);
	if (r < 0)
		return err_prefix(e, "failed to pull and unpack image \"%s\"", full), r;
	p->image_ref = arena_strdup(c->arena, id);
	return p->image_ref ? 0 : err_nomem(e);
}

UNARY(remove_image)
{
	const struct cri_remove_image_request *q = request;
	struct cri *x = cri_of(c);
	struct image_info i, mine;
	struct image_remove_options how = { .noprune = true };
	struct image_removed *done;
	struct image_use *uses;
	size_t n;
	int r = cri_image_get(x, q->image ? text_or(q->image->image, "") : "", c->arena, &i, e);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = image_get(x->images, IMAGE_CRI, i.id, 0, c->arena, &mine, e);
	/* Docker's names stay: whoever tagged it there still wants it */
	for (uint32_t k = 0; r == 0 && k < mine.n_repo_tags + mine.n_repo_digests; k++) {
		const char *name = k < mine.n_repo_tags ? mine.repo_tags[k] : mine.repo_digests[k - mine.n_repo_tags];
		r = engine_image_uses(x->engine, c->arena, &uses, &n);
		how.uses = uses;
		how.n_uses = n;
		how.force = true;
		if (r == 0)
			r = image_remove_wait(x->images, IMAGE_CRI, name, &how, c->arena, &done, &n, e);
		if (r == -ENOENT)
			r = 0;
	}
	if (r < 0 && !e->code)
		err_sys(e, r, "removing image \"%s\"", i.id);
	return r;
}

UNARY(image_fs_info)
{
	struct cri_image_fs_info_response *p = reply;
	struct cri *x = cri_of(c);
	struct arena *a = c->arena;
	struct cri_filesystem_usage *v = arena_array(a, 2, sizeof *v);
	if (!v)
		return err_nomem(e);
	for (int i = 0; i < 2; i++) {
		v[i].timestamp = loop_realtime_ns(x->loop);
		v[i].fs_id = arena_new(a, struct cri_filesystem_identifier);
		v[i].used_bytes = arena_new(a, struct cri_u_int64_value);
		v[i].inodes_used = arena_new(a, struct cri_u_int64_value);
		if (!v[i].fs_id || !v[i].used_bytes || !v[i].inodes_used)
			return err_nomem(e);
		v[i].fs_id->mountpoint = arena_fmt(a, "%s/%s", engine_root(x->engine), i ? "engine/containers" : "image");
	}
	v[0].used_bytes->value = (uint64_t)image_layers_bytes(x->images);
	struct statvfs fs;
	if (statvfs(v[0].fs_id->mountpoint, &fs) == 0)
		v[0].inodes_used->value = fs.f_files - fs.f_ffree;
	p->image_filesystems = v;
	p->n_image_filesystems = 1;
	p->container_filesystems = v + 1;
	p->n_container_filesystems = 1;
	return 0;
}
