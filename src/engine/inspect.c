/* SPDX-License-Identifier: Apache-2.0 */
/* GET /containers/{id}/json and the numbers of a list's line. */
#include <errno.h>

#include "engine/exec.h"

int container_brief(struct engine *eng, const char *name, struct arena *a, struct container_brief *ret, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	if (r < 0)
		return r;
	*ret = (struct container_brief){ .name = arena_strdup(a, c->name), .tty = c->config->tty, .running = container_is_running(c) };
	fmt_into(ret->id, sizeof ret->id, "%s", c->id);
	return ret->name ? 0 : err_nomem(e);
}

struct docker_mount_point *mounts_view(const struct container *c, struct arena *a)
{
	struct docker_mount_point *v = arena_array(a, c->n_mounts, sizeof *v);
	for (uint32_t i = 0; v && i < c->n_mounts; i++) {
		const struct mount_point *p = &c->mounts[i];
		v[i] = (struct docker_mount_point){ .type = arena_strdup(a, p->type), .name = arena_strdup(a, p->name),
			.source = arena_strdup(a, p->source), .destination = arena_strdup(a, p->target), .driver = arena_strdup(a, p->driver),
			.mode = arena_strdup(a, p->mode), .rw = p->rw, .propagation = arena_strdup(a, p->propagation) };
	}
	return v;
}

static struct docker_container_state *state_view(const struct container *c, struct arena *a)
{
	struct docker_container_state *s = arena_new(a, struct docker_container_state);
	if (!s)
		return NULL;
	*s = (struct docker_container_state){ .status = container_status_text(c), .running = container_is_running(c),
		.paused = c->status == STATUS_PAUSED, .restarting = c->status == STATUS_RESTARTING, .oom_killed = c->is_oom,
		.dead = c->status == STATUS_DEAD, .pid = container_is_alive(c) ? c->pid : 0, .exit_code = container_is_alive(c) ? 0 : c->exit_code,
		.error = arena_strdup(a, c->error), .started_at = time_text(a, c->started_ns), .finished_at = time_text(a, c->finished_ns) };
	health_fill(c, a, &s->health);
	return s;
}

static int graph_view(struct container *c, struct arena *a, struct docker_driver_data *ret)
{
	const char *dir = container_dir(c, a), **lower = NULL;
	size_t n = 0;
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	if (*c->image_id)
		image_lowerdirs(c->engine->config.images, c->image_id, a, &lower, &n, NULL);
	for (size_t i = 0; i < n; i++)
		buf_addf(&text, "%s%s", i ? ":" : "", lower[i]);
	struct schema_pair *p = arena_array(a, 5, sizeof *p);
	if (!p || !dir)
		return -ENOMEM;
	uint32_t k = 0;
	p[k++] = (struct schema_pair){ "ID", c->id };
	p[k++] = (struct schema_pair){ "LowerDir", arena_dup(a, buf_slice(&text)) };
	p[k++] = (struct schema_pair){ "MergedDir", arena_fmt(a, "%s/rootfs", container_bundle(c, a)) };
	p[k++] = (struct schema_pair){ "UpperDir", arena_fmt(a, "%s/upper", dir) };
	p[k++] = (struct schema_pair){ "WorkDir", arena_fmt(a, "%s/work", dir) };
	*ret = (struct docker_driver_data){ .name = "overlay2", .data = p, .n_data = k };
	return 0;
}

static void paths_view(struct container *c, struct arena *a, struct docker_container_inspect *ret)
{
	struct container *owner = netting_joined(c);
	const char *dir = container_dir(owner ? owner : c, a), *own = container_dir(c, a);
	container_unref(owner);
	bool began = c->started_ns || owner;
	ret->resolv_conf_path = began ? arena_fmt(a, "%s/resolv.conf", dir) : "";
	ret->hostname_path = began ? arena_fmt(a, "%s/hostname", dir) : "";
	ret->hosts_path = began ? arena_fmt(a, "%s/hosts", dir) : "";
	ret->log_path = began && !str_is(c->host->log_config.type, "none") ? arena_fmt(a, "%s/%s-json.log", own, c->id) : "";
}

int container_inspect_wait(struct engine *eng, const char *name, bool with_size, struct arena *a, struct docker_container_inspect *ret,
			   struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	if (r < 0)
		return r;
	int64_t rw = with_size ? container_size_wait(c) : 0, root = 0;
	if (with_size && *c->image_id) {
		struct image_info info;
		if (image_get(eng->config.images, IMAGE_DOCKER, c->image_id, 0, a, &info, NULL) == 0)
			root = info.size_bytes;
	}
	*ret = (struct docker_container_inspect){ .id = c->id, .created = time_text(a, c->created_ns), .path = arena_strdup(a, c->path),
		.args = strings_copy(a, c->args, c->n_args), .n_args = c->n_args, .state = state_view(c, a), .image = arena_strdup(a, c->image_id),
		.name = arena_fmt(a, "/%s", c->name), .restart_count = c->restart_count, .driver = "overlay2", .platform = arena_strdup(a, c->platform),
		.mount_label = "", .process_label = "", .app_armor_profile = arena_strdup(a, c->apparmor) };
	ret->id = arena_strdup(a, c->id);
	paths_view(c, a, ret);
	r = exec_ids(c, a, &ret->exec_ids, &ret->n_exec_ids);
	ret->config = arena_new(a, struct docker_container_config);
	ret->host_config = arena_new(a, struct docker_host_config);
	ret->network_settings = arena_new(a, struct docker_network_settings);
	if (r < 0 || !ret->state || !ret->config || !ret->host_config || !ret->network_settings || !ret->name)
		return err_nomem(e);
	/* copies: the answer is written after the handler may have waited */
	if (schema_copy(T_docker_container_config, c->config, a, ret->config) < 0 || schema_copy(T_docker_host_config, c->host, a, ret->host_config) < 0)
		return err_nomem(e);
	ret->mounts = mounts_view(c, a);
	ret->n_mounts = c->n_mounts;
	if (!ret->mounts || graph_view(c, a, &ret->graph_driver) < 0)
		return err_nomem(e);
	if (with_size) {
		ret->size_rw = arena_new(a, int64_t);
		ret->size_root_fs = arena_new(a, int64_t);
		if (!ret->size_rw || !ret->size_root_fs)
			return err_nomem(e);
		*ret->size_rw = MAX(rw, (int64_t)0);
		*ret->size_root_fs = root + MAX(rw, (int64_t)0);
	}
	return netting_fill(c, a, ret->network_settings, e);
}
