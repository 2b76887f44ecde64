/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images that come and go: streams of JSON lines over one use case each. An
 * error after the first line is a line of its own, as clients expect.
 */
#include "docker_api/transfer.h"

#include <errno.h>

#include "api/image.h"
#include "base/num.h"
#include "build/build.h"
#include "image/image.h"

static struct image_store *images(struct http_request *r)
{
	return engine_images(engine_of(r));
}

/* "[=====>     ]  1.2MB/3.4MB", as docker's own progress text. */
static const char *bar(int64_t current, int64_t total, char *dst, size_t size)
{
	char now[16], all[16];
	num_human_size(now, (double)current);
	if (total <= 0 || current > total) {
		fmt_into(dst, size, "%8s", now);
		return dst;
	}
	num_human_size(all, (double)total);
	unsigned p = (unsigned)((double)current * 100 / (double)total) / 2;
	char fill[52];
	memset(fill, '=', sizeof fill);
	fmt_into(dst, size, "[%.*s>%*s] %8s/%s", (int)p, fill, p < 50 ? (int)(50 - p) : 0, "", now, all);
	return dst;
}

static int progress(void *arg, const struct image_progress *p)
{
	struct http_request *r = arg;
	char text[128];
	struct docker_message_progress detail = { .current = p->current, .total = p->total };
	struct docker_message m = { .stream = p->stream, .status = p->status, .id = p->id, .aux = p->aux };
	if (p->current || p->total) {
		m.progress = bar(p->current, p->total, text, sizeof text);
		m.progress_detail = &detail;
	} else if (p->id && p->status) {
		m.progress_detail = &detail;
	}
	return json_line(r, T_docker_message, &m);
}

/* Before the first line errors have a status; afterwards they are a line. */
static int finish(struct http_request *r, int ret, struct err *e)
{
	if (ret >= 0)
		return http_begun(r) ? 0 : http_begin_wait(r, 200, "application/json");
	if (!http_begun(r))
		return ret;
	struct docker_message_error detail = { .message = e->text };
	struct docker_message m = { .error_detail = &detail, .error = e->text };
	json_line(r, T_docker_message, &m);
	return 0;
}

static void event(struct http_request *r, const char *action, const char *id, const char *name)
{
	engine_event(engine_of(r), "image", action, id, (struct schema_pair[]){ { "name", name } }, 1);
}

static int platform_of(struct http_request *r, struct image_platform *ret, bool *have, struct err *e)
{
	const char *p = query(r, "platform");
	struct slice os, rest, arch, variant;
	*ret = (struct image_platform){ 0 };
	*have = p && *p;
	if (!*have)
		return 0;
	slice_cut(slice_of(p), '/', &os, &rest);
	slice_cut(rest, '/', &arch, &variant);
	if (!slice_is(os, "linux") && !slice_is(os, "windows") && !slice_is(os, "amd64") && !slice_is(os, "arm64"))
		return err_set(e, EINVAL, "\"%s\": unknown operating system or architecture: invalid argument", p);
	ret->os = arena_dup(r->arena, os);
	ret->architecture = arch.len ? arena_dup(r->arena, arch) : NULL;
	ret->variant = variant.len ? arena_dup(r->arena, variant) : NULL;
	return 0;
}

static struct image_auth auth_of(const struct docker_auth_config *a)
{
	return (struct image_auth){ a->username, a->password, a->identitytoken, a->registrytoken };
}

/* "repo" and "tag" (a tag or a digest) as one reference. */
static const char *joined(struct http_request *r, const char *repo, const char *tag)
{
	if (!tag || !*tag)
		return repo;
	return arena_fmt(r->arena, strchr(tag, ':') ? "%s@%s" : "%s:%s", repo, tag);
}

/* Dockerfile lines of import and commit on a configuration. */
static int import_(struct http_request *r, struct err *e)
{
	const char *src = query(r, "fromSrc"), *repo = query(r, "repo");
	if (strcmp(src, "-"))
		return err_set(e, EOPNOTSUPP, "importing from a URL is not supported by this engine; send the archive");
	uint32_t n;
	const char **changes = query_all(r, "changes", &n);
	struct image_config config = { 0 };
	int ret = 0;
	for (uint32_t i = 0; changes && ret == 0 && i < n; i++)
		ret = build_change(changes[i], r->arena, &config, e);
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	if (ret == 0 && n)
		ret = schema_to_json(T_image_config, &config, 0, &text);
	struct image_platform platform;
	bool has_platform;
	if (ret == 0)
		ret = platform_of(r, &platform, &has_platform, e);
	const char *name = repo && *repo ? joined(r, repo, query(r, "tag")) : NULL, *full, *familiar;
	if (ret == 0 && name)
		ret = image_ref_normal(name, r->arena, &full, &familiar, e);
	if (ret < 0)
		return ret;
	char id[IMAGE_ID_MAX];
	struct image_import how = { .tar = http_body_stream(r), .config = buf_slice(&text), .message = query(r, "message"), .name = name,
		.platform = has_platform ? &platform : NULL };
	ret = image_import_wait(images(r), IMAGE_DOCKER, &how, id, e);
	if (ret < 0)
		return ret;
	event(r, "import", id, name ? name : id);
	struct docker_message m = { .status = id };
	return json_line(r, T_docker_message, &m);
}

int images_create(struct http_request *r, struct err *e)
{
	const char *from = query(r, "fromImage"), *src = query(r, "fromSrc"), *tag = query(r, "tag");
	if ((!from || !*from) && src && *src)
		return import_(r, e);
	if (!from || !*from)
		return err_set(e, EINVAL, "invalid reference format");
	struct docker_auth_config auth;
	struct image_platform platform;
	bool has_platform;
	int ret = auth_header(r, &auth, e);
	if (ret == 0)
		ret = platform_of(r, &platform, &has_platform, e);
	const char *ref = joined(r, from, tag), *full, *familiar;
	if (ret == 0)
		ret = image_ref_normal(ref, r->arena, &full, &familiar, e);
	if (ret < 0)
		return ret;
	/* without a tag every tag is meant: clients that want one say so */
	bool all = (!tag || !*tag) && !strchr(strrchr(from, '/') ? strrchr(from, '/') : from, ':') && !strchr(from, '@');
	struct image_pull how = { .ref = ref, .all_tags = all, .platform = has_platform ? &platform : NULL, .auth = auth_of(&auth),
		.sink = { progress, r } };
	char id[IMAGE_ID_MAX];
	ret = image_pull_wait(images(r), IMAGE_DOCKER, &how, id, e);
	if (ret >= 0)
		event(r, "pull", familiar, all ? from : familiar);
	return finish(r, ret, e);
}

int images_push(struct http_request *r, struct err *e)
{
	const char *name = http_param(r, "name"), *tag = query(r, "tag"), *full, *familiar;
	struct docker_auth_config auth;
	int ret = auth_header(r, &auth, e);
	const char *ref = joined(r, name, tag);
	if (ret == 0)
		ret = image_ref_normal(ref, r->arena, &full, &familiar, e);
	if (ret < 0)
		return ret;
	bool all = (!tag || !*tag) && !strchr(strrchr(name, '/') ? strrchr(name, '/') : name, ':');
	struct image_push how = { .ref = ref, .all_tags = all, .auth = auth_of(&auth), .sink = { progress, r } };
	ret = image_push_wait(images(r), IMAGE_DOCKER, &how, e);
	if (ret >= 0)
		event(r, "push", familiar, familiar);
	return finish(r, ret, e);
}

/* --- load and save */
int images_load(struct http_request *r, struct err *e)
{
	struct image_progress_sink sink = { progress, r };
	int ret = image_load_wait(images(r), IMAGE_DOCKER, http_body_stream(r), query_bool(r, "quiet"), &sink, e);
	return finish(r, ret, e);
}

/* The answer as a stream: the head goes out with the first bytes. */
struct reply_stream { struct stream s; struct http_request *r; };

static ssize_t reply_read(struct stream *s, void *p, size_t n)
{
	return -EBADF;
}

static ssize_t reply_write(struct stream *s, const void *p, size_t n)
{
	struct reply_stream *x = container_of(s, struct reply_stream, s);
	int ret = http_begun(x->r) ? 0 : http_begin_wait(x->r, 200, "application/x-tar");
	if (ret == 0)
		ret = http_write_wait(x->r, p, n);
	return ret < 0 ? ret : (ssize_t)n;
}

static int reply_shutdown(struct stream *s)
{
	return 0;
}

static void reply_close(struct stream *s)
{
}

static int reply_fd(struct stream *s)
{
	return -1;
}

static const struct stream_ops reply_ops = { "reply", reply_read, reply_write, reply_shutdown, reply_close, reply_fd };

static int save(struct http_request *r, const char *const *names, size_t n, struct err *e)
{
	struct reply_stream out = { .s = { .ops = &reply_ops }, .r = r };
	for (size_t i = 0; i < n; i++) {
		char id[IMAGE_ID_MAX];
		int ret = image_resolve(images(r), IMAGE_DOCKER, names[i], id, e);
		if (ret < 0)
			return ret;
		event(r, "save", id, names[i]);
	}
	int ret = image_save_wait(images(r), IMAGE_DOCKER, names, n, &out.s, e);
	return ret < 0 && http_begun(r) ? -EPIPE : ret;
}

int images_save(struct http_request *r, struct err *e)
{
	uint32_t n;
	const char **names = query_all(r, "names", &n);
	if (!n)
		return err_set(e, EINVAL, "no image names given");
	return save(r, names, n, e);
}

int images_save_one(struct http_request *r, struct err *e)
{
	const char *name = http_param(r, "name");
	return save(r, &name, 1, e);
}

int images_commit(struct http_request *r, struct err *e)
{
	uint32_t n;
	const char **raw = query_all(r, "changes", &n);
	uint32_t n_changes = 0, room = 0;
	for (uint32_t i = 0; raw && i < n; i++)
		for (const char *s = raw[i]; s; s = strchr(s + 1, '\n'))
			room++;
	const char **changes = arena_array(r->arena, room, sizeof *changes);
	for (uint32_t i = 0; raw && changes && i < n; i++) {
		struct slice rest = slice_of(raw[i]), line;
		while (n_changes < room && slice_next(&rest, '\n', &line))
			if (slice_trim(line).len)
				changes[n_changes++] = arena_dup(r->arena, line);
	}
	const char *pause = query(r, "pause"), *container = query(r, "container");
	struct docker_container_config config = { 0 };
	int ret = body_json(r, T_docker_container_config, &config, true, e);
	if (ret < 0)
		return ret;
	struct container_commit how = { .container = container ? container : "", .repo = query(r, "repo"), .tag = query(r, "tag"),
		.comment = query(r, "comment"), .author = query(r, "author"), .pause = !pause || query_bool(r, "pause"), .changes = changes,
		.n_changes = n_changes, .config = &config };
	char id[72];
	ret = container_commit_wait(engine_of(r), &how, id, e);
	struct docker_id out = { .id = id };
	return ret < 0 ? ret : reply_json(r, 201, T_docker_id, &out);
}

int images_distribution(struct http_request *r, struct err *e)
{
	struct docker_auth_config auth;
	struct image_remote remote;
	int ret = auth_header(r, &auth, e);
	struct image_auth a = auth_of(&auth);
	if (ret == 0)
		ret = image_inspect_remote_wait(images(r), http_param(r, "name"), &a, r->arena, &remote, e);
	if (ret < 0)
		return ret;
	struct docker_distribution_inspect out = { .descriptor = { .media_type = remote.media_type, .digest = remote.digest, .size = remote.size_bytes } };
	struct image_index index;
	if (schema_from_json(T_image_index, remote.raw, 0, r->arena, &index, NULL) == 0 && index.n_manifests) {
		out.platforms = arena_array(r->arena, index.n_manifests, sizeof *out.platforms);
		for (uint32_t i = 0; out.platforms && i < index.n_manifests; i++)
			if (index.manifests[i].platform)
				out.platforms[out.n_platforms++] = (struct docker_platform){ .architecture = index.manifests[i].platform->architecture,
					.os = index.manifests[i].platform->os, .variant = index.manifests[i].platform->variant };
	}
	if (!out.platforms)
		out.platforms = arena_array(r->arena, 0, sizeof *out.platforms);
	return reply_json(r, 200, T_docker_distribution_inspect, &out);
}
