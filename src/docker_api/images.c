/* SPDX-License-Identifier: Apache-2.0 */
/* /images: looking, naming, removing. Pull, push, load, save and import: transfer.c. */
#include <errno.h>
#include <fnmatch.h>

#include "api/image.h"
#include "base/clock.h"
#include "docker_api/transfer.h"
#include "image/image.h"

static const char *name_of(const struct http_request *r)
{
	return http_param(r, "name");
}

static struct image_store *images(struct http_request *r)
{
	return engine_images(engine_of(r));
}

static void event(struct http_request *r, const char *action, const char *id, const char *name)
{
	engine_event(engine_of(r), "image", action, id, (struct schema_pair[]){ { "name", name } }, 1);
}

static int decode(struct http_request *r, const struct image_info *i, struct image_image *ret, struct err *e)
{
	return schema_from_json(T_image_image, i->config, SCHEMA_FOLD_CASE, r->arena, ret, e);
}

/* --- list */
struct listing {
	const struct filters *f;
	bool by_dangling, dangling;
	int64_t before_ns, since_ns, until_ns;
};

/* Patterns of path.Match against the name with and without its tag. */
static bool reference_matches(const struct filter *f, const char *tag)
{
	const char *colon = strrchr(tag, ':');
	AUTO(free) char *bare = slice_dup(slice_n(tag, colon && !strchr(colon, '/') ? (size_t)(colon - tag) : strlen(tag)));
	for (uint32_t i = 0; bare && i < f->n; i++)
		if (!fnmatch(f->values[i], tag, FNM_PATHNAME) || !fnmatch(f->values[i], bare, FNM_PATHNAME))
			return true;
	return false;
}

static bool wanted(const struct listing *l, const struct image_info *i, const struct image_image *img)
{
	if (l->by_dangling && l->dangling != !i->n_repo_tags)
		return false;
	if ((l->before_ns && i->created_ns >= l->before_ns) || (l->since_ns && i->created_ns <= l->since_ns) ||
	    (l->until_ns && i->created_ns > l->until_ns))
		return false;
	return filters_labels(l->f, img->config.labels, img->config.n_labels, true);
}

static int moment(struct http_request *r, const struct filters *f, const char *key, int64_t *ret, struct err *e)
{
	const struct filter *v = filters_get(f, key);
	for (uint32_t i = 0; v && i < v->n; i++) {
		struct image_info info;
		int x = image_get(images(r), IMAGE_DOCKER, v->values[i], 0, r->arena, &info, e);
		if (x < 0)
			return x;
		*ret = info.created_ns;
	}
	return 0;
}

static int64_t users_of(const struct image_use *uses, size_t n, const char *id)
{
	int64_t count = 0;
	for (size_t i = 0; i < n; i++)
		count += !strcmp(uses[i].image_id, id);
	return count;
}

static int summary(struct http_request *r, const struct image_info *i, const struct image_image *img, bool shared, struct docker_image_summary *o)
{
	*o = (struct docker_image_summary){ .containers = -1, .created = i->created_ns / NS_PER_S, .id = i->id, .labels = img->config.labels,
		.n_labels = img->config.n_labels, .parent_id = i->parent, .repo_digests = i->repo_digests, .n_repo_digests = i->n_repo_digests,
		.repo_tags = i->repo_tags, .n_repo_tags = i->n_repo_tags, .shared_size = shared ? i->shared_bytes : -1, .size = i->size_bytes };
	if (!o->repo_tags)
		o->repo_tags = arena_array(r->arena, 0, sizeof(char *));
	if (!o->repo_digests)
		o->repo_digests = arena_array(r->arena, 0, sizeof(char *));
	if (api_minor(r) < 44)
		o->virtual_size = i->size_bytes;
	return 0;
}

static int list_into(struct http_request *r, const struct filters *f, bool all, bool shared, struct docker_image_summary **ret, uint32_t *ret_n, struct err *e)
{
	struct listing l = { .f = f, .by_dangling = filters_get(f, "dangling") != NULL };
	struct image_info *v;
	size_t n;
	int x = filters_bool(f, "dangling", &l.dangling, e);
	if (x == 0)
		x = moment(r, f, "before", &l.before_ns, e);
	if (x == 0)
		x = moment(r, f, "since", &l.since_ns, e);
	if (x == 0)
		x = filters_until(f, clock_realtime_ns(), &l.until_ns, e);
	if (x == 0)
		x = image_list(images(r), IMAGE_DOCKER, shared ? IMAGE_SHARED_SIZE : 0, r->arena, &v, &n, e);
	if (x < 0)
		return x;
	const struct filter *ref = filters_get(f, "reference");
	*ret = arena_array(r->arena, n, sizeof **ret);
	*ret_n = 0;
	if (!*ret)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		struct image_image img;
		if (decode(r, &v[i], &img, NULL) < 0 || !wanted(&l, &v[i], &img))
			continue;
		/* intermediate images of builds: a child and no name */
		if (!all && !v[i].n_repo_tags && !v[i].n_repo_digests) {
			const char **children;
			size_t n_children = 0;
			if (image_children(images(r), v[i].id, r->arena, &children, &n_children, NULL) == 0 && n_children)
				continue;
		}
		if (ref) {
			uint32_t kept = 0;
			for (uint32_t k = 0; k < v[i].n_repo_tags; k++)
				if (reference_matches(ref, v[i].repo_tags[k]))
					v[i].repo_tags[kept++] = v[i].repo_tags[k];
			v[i].n_repo_tags = kept;
			if (!kept)
				continue;
		}
		summary(r, &v[i], &img, shared, &(*ret)[(*ret_n)++]);
	}
	return 0;
}

static int list(struct http_request *r, struct err *e)
{
	static const char *const known[] = { "before", "dangling", "label", "label!", "reference", "since", "until", NULL };
	struct filters f;
	struct docker_image_summaries out = { 0 };
	int x = query_filters(r, &f, e);
	if (x == 0)
		x = filters_check(&f, known, e);
	if (x == 0)
		x = list_into(r, &f, query_bool(r, "all"), query_bool(r, "shared-size"), &out.items, &out.n_items, e);
	return x < 0 ? x : reply_json(r, 200, T_docker_image_summaries, &out);
}

int images_df(struct http_request *r, struct docker_disk_usage *out, struct err *e)
{
	struct filters none = { 0 };
	struct image_use *uses;
	size_t n_uses;
	int x = list_into(r, &none, false, true, &out->images, &out->n_images, e);
	if (x == 0)
		x = engine_image_uses(engine_of(r), r->arena, &uses, &n_uses);
	for (uint32_t i = 0; x == 0 && i < out->n_images; i++)
		out->images[i].containers = users_of(uses, n_uses, out->images[i].id);
	out->layers_size = image_layers_bytes(images(r));
	return x;
}

/* --- inspect and history */
static int config_view(struct http_request *r, const struct image_config *c, struct docker_image_config **ret, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(4 << 20);
	*ret = arena_new(r->arena, struct docker_image_config);
	if (!*ret || schema_to_json(T_image_config, c, 0, &b) < 0 || buf_error(&b))
		return err_nomem(e);
	return schema_from_json(T_docker_image_config, buf_slice(&b), 0, r->arena, *ret, e);
}

static int graph(struct http_request *r, const struct image_info *i, struct docker_driver_data *o)
{
	struct schema_pair *p = arena_array(r->arena, 4, sizeof *p);
	if (!p)
		return -ENOMEM;
	*o = (struct docker_driver_data){ .name = "overlay2", .data = p };
	AUTO(buf) struct buf lower = BUF_INIT(1 << 20);
	for (uint32_t k = i->n_layers; k-- > 0;)
		if (k + 1 < i->n_layers)
			buf_addf(&lower, "%s%s", lower.len ? ":" : "", i->layers[k].dir);
	if (lower.len)
		p[o->n_data++] = (struct schema_pair){ "LowerDir", arena_dup(r->arena, buf_slice(&lower)) };
	if (i->n_layers)
		p[o->n_data++] = (struct schema_pair){ "UpperDir", i->layers[i->n_layers - 1].dir };
	return 0;
}

static int inspect(struct http_request *r, struct err *e)
{
	struct image_info i;
	struct image_image img;
	int x = image_get(images(r), IMAGE_DOCKER, name_of(r), 0, r->arena, &i, e);
	if (x == 0)
		x = decode(r, &i, &img, e);
	if (x < 0)
		return x;
	struct docker_image_inspect o = { .id = i.id, .repo_tags = i.repo_tags, .n_repo_tags = i.n_repo_tags, .repo_digests = i.repo_digests,
		.n_repo_digests = i.n_repo_digests, .parent = i.parent, .comment = img.comment, .created = *i.created ? i.created : NULL,
		.docker_version = img.docker_version, .author = img.author, .architecture = i.architecture, .variant = i.variant, .os = i.os,
		.os_version = img.os_version, .size = i.size_bytes, .virtual_size = api_minor(r) < 44 ? i.size_bytes : 0 };
	if (!o.repo_tags)
		o.repo_tags = arena_array(r->arena, 0, sizeof(char *));
	if (!o.repo_digests)
		o.repo_digests = arena_array(r->arena, 0, sizeof(char *));
	if (!o.comment && img.n_history)
		o.comment = img.history[img.n_history - 1].comment;
	x = config_view(r, &img.config, &o.config, e);
	if (x < 0)
		return x;
	o.root_fs = (struct docker_image_rootfs){ .type = "layers", .layers = arena_array(r->arena, i.n_layers, sizeof(char *)) };
	if (!o.root_fs.layers || graph(r, &i, &o.graph_driver) < 0)
		return err_nomem(e);
	for (uint32_t k = 0; k < i.n_layers; k++)
		o.root_fs.layers[o.root_fs.n_layers++] = i.layers[k].diff_id;
	if (i.last_tag_ns) {
		char t[CLOCK_TEXT_MAX];
		clock_rfc3339_nano(t, i.last_tag_ns);
		o.metadata.last_tag_time = arena_strdup(r->arena, t);
	}
	return reply_json(r, 200, T_docker_image_inspect, &o);
}

/* The parent chain by record: ids of the images that the history's steps left. */
static int history(struct http_request *r, struct err *e)
{
	struct image_info i;
	struct image_image img;
	int x = image_get(images(r), IMAGE_DOCKER, name_of(r), 0, r->arena, &i, e);
	if (x == 0)
		x = decode(r, &i, &img, e);
	if (x < 0)
		return x;
	struct docker_image_histories out = { .items = arena_array(r->arena, img.n_history, sizeof *out.items) };
	if (!out.items)
		return err_nomem(e);
	uint32_t layer = i.n_layers;
	struct image_info at = i;
	bool have = true;
	for (uint32_t k = img.n_history; k-- > 0;) {
		const struct image_history *h = &img.history[k];
		struct docker_image_history *o = &out.items[out.n_items++];
		int64_t created = 0;
		if (h->created)
			clock_parse_rfc3339(slice_of(h->created), &created);
		*o = (struct docker_image_history){ .comment = h->comment, .created = created > INT64_MIN ? created / NS_PER_S : 0,
			.created_by = h->created_by, .id = have ? at.id : "<missing>" };
		if (have && at.n_repo_tags) {
			o->tags = at.repo_tags;
			o->n_tags = at.n_repo_tags;
		}
		if (!h->empty_layer && layer)
			o->size = i.layers[--layer].size_bytes;
		have = have && *at.parent && image_get(images(r), IMAGE_DOCKER, at.parent, 0, r->arena, &at, NULL) == 0;
	}
	return reply_json(r, 200, T_docker_image_histories, &out);
}

/* --- naming and removing */
static int tag(struct http_request *r, struct err *e)
{
	const char *repo = query(r, "repo"), *t = query(r, "tag");
	if (!repo || !*repo)
		return err_set(e, EINVAL, "invalid reference format");
	const char *target = t && *t ? arena_fmt(r->arena, "%s:%s", repo, t) : repo, *full, *familiar;
	char id[IMAGE_ID_MAX];
	int x = image_ref_normal(target, r->arena, &full, &familiar, e);
	if (x == 0)
		x = image_resolve(images(r), IMAGE_DOCKER, name_of(r), id, e);
	if (x == 0)
		x = image_tag_wait(images(r), IMAGE_DOCKER, id, target, e);
	if (x < 0)
		return x;
	event(r, "tag", id, familiar);
	return reply_empty(r, 201);
}

static int reply_removed(struct http_request *r, const struct image_removed *v, size_t n, struct docker_image_deleted **ret, uint32_t *ret_n,
			 const char *id)
{
	*ret = arena_array(r->arena, n, sizeof **ret);
	*ret_n = 0;
	for (size_t i = 0; *ret && i < n; i++) {
		(*ret)[(*ret_n)++] = (struct docker_image_deleted){ .untagged = v[i].untagged, .deleted = v[i].deleted };
		if (v[i].untagged && id)
			event(r, "untag", id, v[i].untagged);
		else if (v[i].deleted)
			event(r, "delete", v[i].deleted, v[i].deleted);
	}
	return *ret ? 0 : -ENOMEM;
}

static int remove_(struct http_request *r, struct err *e)
{
	struct image_remove_options how = { .force = query_bool(r, "force"), .noprune = query_bool(r, "noprune") };
	struct image_use *uses;
	struct image_removed *v;
	size_t n;
	char id[IMAGE_ID_MAX];
	int x = image_resolve(images(r), IMAGE_DOCKER, name_of(r), id, e);
	if (x == 0)
		x = engine_image_uses(engine_of(r), r->arena, &uses, &how.n_uses);
	if (x < 0)
		return x;
	how.uses = uses;
	x = image_remove_wait(images(r), IMAGE_DOCKER, name_of(r), &how, r->arena, &v, &n, e);
	struct docker_images_deleted out;
	if (x == 0)
		x = reply_removed(r, v, n, &out.items, &out.n_items, id);
	return x < 0 ? x : reply_json(r, 200, T_docker_images_deleted, &out);
}

struct prune_keep { struct http_request *r; const struct filters *f; int64_t until; };

static bool keep(void *arg, const struct image_info *i)
{
	struct prune_keep *k = arg;
	struct image_image img;
	AUTO(arena) struct arena a;
	arena_init(&a, 8 << 20);
	if (k->until && i->created_ns > k->until)
		return true;
	if (schema_from_json(T_image_image, i->config, SCHEMA_FOLD_CASE, &a, &img, NULL) < 0)
		return true;
	return !filters_labels(k->f, img.config.labels, img.config.n_labels, true);
}

static int prune(struct http_request *r, struct err *e)
{
	static const char *const known[] = { "dangling", "label", "label!", "until", NULL };
	struct filters f;
	struct prune_keep k = { .r = r, .f = &f };
	bool dangling = true;
	int x = query_filters(r, &f, e);
	if (x == 0)
		x = filters_check(&f, known, e);
	if (x == 0)
		x = filters_bool(&f, "dangling", &dangling, e);
	if (x == 0)
		x = filters_until(&f, clock_realtime_ns(), &k.until, e);
	struct image_use *uses;
	size_t n_uses;
	if (x == 0)
		x = engine_image_uses(engine_of(r), r->arena, &uses, &n_uses);
	if (x < 0)
		return x;
	struct image_prune_options how = { .all = !dangling, .uses = uses, .n_uses = n_uses, .keep = keep, .arg = &k };
	struct image_removed *v;
	size_t n;
	int64_t bytes;
	struct docker_images_pruned out = { 0 };
	x = image_prune_wait(images(r), IMAGE_DOCKER, &how, r->arena, &v, &n, &bytes, e);
	if (x == 0)
		x = reply_removed(r, v, n, &out.images_deleted, &out.n_images_deleted, NULL);
	if (x < 0)
		return x;
	out.space_reclaimed = (uint64_t)bytes;
	if (!n)
		out.images_deleted = NULL;
	engine_event(engine_of(r), "image", "prune", "", (struct schema_pair[]){ { "reclaimed", arena_fmt(r->arena, "%lld", (long long)bytes) } }, 1);
	return reply_json(r, 200, T_docker_images_pruned, &out);
}

static int search(struct http_request *r, struct err *e)
{
	return err_set(e, EOPNOTSUPP, "searching Docker Hub is not supported by this engine");
}

static int build_prune(struct http_request *r, struct err *e)
{
	struct docker_build_pruned out = { .caches_deleted = NULL };
	return reply_json(r, 200, T_docker_build_pruned, &out);
}

const struct http_route routes_images[] = {
	{ "GET", "/images/json", list },
	{ "GET", "/images/search", search },
	{ "GET", "/images/get", images_save },
	{ "POST", "/images/load", images_load },
	{ "POST", "/images/create", images_create },
	{ "POST", "/images/prune", prune },
	{ "GET", "/images/{name:*}/json", inspect },
	{ "GET", "/images/{name:*}/history", history },
	{ "GET", "/images/{name:*}/get", images_save_one },
	{ "POST", "/images/{name:*}/push", images_push },
	{ "POST", "/images/{name:*}/tag", tag },
	{ "DELETE", "/images/{name:*}", remove_ },
	{ "POST", "/commit", images_commit },
	{ "GET", "/distribution/{name:*}/json", images_distribution },
	{ "POST", "/build/prune", build_prune },
	{ 0 }
};
