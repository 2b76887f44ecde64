/* SPDX-License-Identifier: Apache-2.0 */
/* docker commit: a container's upper folder becomes a layer on its image. */
#include <errno.h>

#include "api/image.h"
#include "base/clock.h"
#include "build/build.h"
#include "engine/engine_int.h"
#include "engine/shim_link.h"

/* The container's settings as an image has them (runtime-only fields go). */
static int config_of(const struct docker_container_config *c, struct arena *a, struct image_config *ret, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(RECORD_MAX);
	struct docker_image_config d = { .user = c->user, .exposed_ports = c->exposed_ports, .n_exposed_ports = c->n_exposed_ports, .env = c->env,
		.n_env = c->n_env, .entrypoint = c->entrypoint, .n_entrypoint = c->n_entrypoint, .cmd = c->cmd, .n_cmd = c->n_cmd,
		.volumes = c->volumes, .n_volumes = c->n_volumes, .working_dir = c->working_dir, .labels = c->labels, .n_labels = c->n_labels,
		.stop_signal = c->stop_signal, .healthcheck = c->healthcheck, .on_build = c->on_build, .n_on_build = c->n_on_build,
		.shell = c->shell, .n_shell = c->n_shell };
	if (schema_to_json(T_docker_image_config, &d, 0, &b) < 0 || buf_error(&b))
		return err_nomem(e);
	return schema_from_json(T_image_config, buf_slice(&b), 0, a, ret, e);
}

/* The image's own configuration text with one layer and one line of history more. */
static int next_config(struct container *c, const struct container_commit *how, const struct image_layer *layer, struct arena *a, struct image_image *img,
		       struct err *e)
{
	struct image_info info;
	*img = (struct image_image){ .os = "linux", .rootfs = { .type = "layers" } };
	if (*c->image_id) {
		int r = image_get(c->engine->config.images, IMAGE_DOCKER, c->image_id, 0, a, &info, e);
		if (r == 0)
			r = schema_from_json(T_image_image, info.config, SCHEMA_FOLD_CASE, a, img, e);
		if (r < 0)
			return r;
	}
#if defined(__x86_64__)
	if (!img->architecture)
		img->architecture = "amd64";
#else
	if (!img->architecture)
		img->architecture = "arm64";
#endif
	int r = config_of(c->config, a, &img->config, e);
	for (size_t i = 0; r == 0 && i < how->n_changes; i++)
		r = build_change(how->changes[i], a, &img->config, e);
	if (r < 0)
		return r;
	const char **diffs = arena_array(a, img->rootfs.n_diff_ids + 1, sizeof *diffs);
	struct image_history *h = arena_array(a, img->n_history + 1, sizeof *h);
	if (!diffs || !h)
		return err_nomem(e);
	for (uint32_t i = 0; i < img->rootfs.n_diff_ids; i++)
		diffs[i] = img->rootfs.diff_ids[i];
	diffs[img->rootfs.n_diff_ids] = image_layer_diff_id(layer);
	for (uint32_t i = 0; i < img->n_history; i++)
		h[i] = img->history[i];
	AUTO(buf) struct buf cmd = BUF_INIT(64 * 1024);
	buf_adds(&cmd, c->path);
	for (uint32_t i = 0; i < c->n_args; i++)
		buf_addf(&cmd, " %s", c->args[i]);
	img->created = time_text(a, clock_realtime_ns());
	h[img->n_history] = (struct image_history){ .created = img->created, .created_by = arena_dup(a, buf_slice(&cmd)),
		.author = how->author && *how->author ? how->author : NULL, .comment = how->comment && *how->comment ? how->comment : NULL };
	img->rootfs.diff_ids = diffs;
	img->rootfs.n_diff_ids++;
	img->history = h;
	img->n_history++;
	img->author = how->author && *how->author ? how->author : img->author;
	img->comment = how->comment && *how->comment ? how->comment : NULL;
	img->container = c->id;
	img->docker_version = "28.5.2";
	img->parent = NULL;
	img->id = NULL;
	return 0;
}

int container_commit_wait(struct engine *eng, const struct container_commit *how, char ret_id[72], struct err *e)
{
	AUTO(container) struct container *c = NULL;
	AUTO(arena) struct arena a;
	arena_init(&a, 16 << 20);
	const char *name = how->repo && *how->repo ? how->tag && *how->tag ? arena_fmt(&a, "%s:%s", how->repo, how->tag) : how->repo : NULL,
		*full, *familiar = NULL;
	int r = container_find(eng, how->container, &c, e);
	if (r == 0 && name)
		r = image_ref_normal(name, &a, &full, &familiar, e);
	if (r < 0)
		return r;
	if (c->status == STATUS_REMOVING || c->status == STATUS_DEAD)
		return err_set(e, EBUSY, "You cannot commit container %s which is %s", c->id, c->status == STATUS_DEAD ? "Dead" : "being removed");
	bool paused = how->pause && c->status == STATUS_RUNNING && shim_pause_wait(c, true, NULL) == 0;
	struct image_layer *layer = NULL;
	const char *upper = arena_fmt(&a, "%s/upper", container_dir(c, &a));
	r = image_layer_from_dir_wait(eng->config.images, upper, false, &layer, e);
	if (paused)
		shim_pause_wait(c, false, NULL);
	struct image_image img;
	if (r == 0)
		r = next_config(c, how, layer, &a, &img, e);
	AUTO(buf) struct buf text = BUF_INIT(8 << 20);
	if (r == 0 && (schema_to_json(T_image_image, &img, 0, &text) < 0 || buf_error(&text)))
		r = err_nomem(e);
	char id[IMAGE_ID_MAX];
	if (r == 0) {
		struct image_create create = { .parent = *c->image_id ? c->image_id : NULL, .config = buf_slice(&text), .names = name ? &name : NULL,
			.n_names = name ? 1 : 0 };
		r = image_create_wait(eng->config.images, IMAGE_DOCKER, &create, id, e);
	}
	image_layer_release(layer);
	if (r < 0)
		return r;
	fmt_into(ret_id, 72, "%s", id);
	container_event(c, "commit", (struct schema_pair[]){ { "comment", str_or(how->comment, "") }, { "imageID", id }, { "imageRef", str_or(familiar, "") } }, 3);
	return 0;
}
