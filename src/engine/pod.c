/* SPDX-License-Identifier: Apache-2.0 */
/* Containers of pods (pod.h): created without Docker's rules for requests, then the same life as all others. */
#include "engine/pod.h"

#include <errno.h>
#include <fcntl.h>

#include "api/oci.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/rand.h"
#include "engine/caps.h"
#include "engine/engine_int.h"
#include "engine/shim_link.h"
#include "engine/spec.h"

#define COPY(s) ((s) ? arena_strdup(&c->arena, s) : NULL)

static int mounts_of(struct container *c, const struct pod_mount *v, uint32_t n, struct err *e)
{
	c->mounts = arena_array(&c->arena, n, sizeof *c->mounts);
	if (!c->mounts)
		return err_nomem(e);
	for (uint32_t i = 0; i < n; i++) {
		char *target = arena_alloc(&c->arena, strlen(v[i].target) + 2);
		if (!target)
			return err_nomem(e);
		path_clean(target, v[i].target);
		if (*target != '/' || !target[1])
			return err_set(e, EINVAL, "mount target \"%s\" is no absolute path of a place inside", v[i].target);
		struct mount_point *p = &c->mounts[c->n_mounts++];
		*p = (struct mount_point){ .type = v[i].image ? "image" : "bind", .name = "", .source = str_or(COPY(v[i].source), ""), .target = target,
			.driver = "", .mode = "", .propagation = str_or(COPY(v[i].propagation), "rprivate"), .rw = !v[i].read_only,
			.ro_non_recursive = !v[i].recursive, .from_binds = true, .subpath = COPY(v[i].subpath), .image_id = COPY(v[i].image) };
		if (!strcmp(p->propagation, "rshared"))
			c->pod->shared_mounts = true;
	}
	return 0;
}

static int part_of(struct container *c, const struct pod_container *how, struct err *e)
{
	struct engine_pod *p = c->pod = arena_new(&c->arena, struct engine_pod);
	if (!p)
		return err_nomem(e);
	*p = (struct engine_pod){ .sandbox = COPY(how->sandbox), .net = COPY(how->net), .ipc = COPY(how->ipc), .uts = COPY(how->uts), .pid = COPY(how->pid),
		.shm = COPY(how->shm), .files = COPY(how->files), .log = COPY(how->log), .strict_groups = how->strict_groups };
	p->keep = slice_n(arena_dup(&c->arena, how->keep), how->keep.len);
	return p->keep.ptr ? 0 : err_nomem(e);
}

static int fill_wait(struct container *c, const struct pod_container *how, struct arena *a, struct err *e)
{
	struct docker_container_create body;
	struct docker_image_config image;
	if (schema_copy(T_docker_container_create, how->body, &c->arena, &body) < 0)
		return err_nomem(e);
	c->config = arena_new(&c->arena, struct docker_container_config);
	c->host = body.host_config ? body.host_config : arena_new(&c->arena, struct docker_host_config);
	if (!c->config || !c->host)
		return err_nomem(e);
	create_config_of(&body, c->config);
	c->image_id = "";
	c->platform = "linux";
	c->apparmor = "";
	c->host->network_mode = "none";
	int r = part_of(c, how, e);
	if (r == 0)
		r = create_image_config(c, c->config->image, NULL, &image, e);
	if (r < 0)
		return r;
	/* Docker's own: a pod has probes and volumes instead */
	image.healthcheck = NULL;
	image.n_volumes = 0;
	image.labels = NULL;
	image.n_labels = 0;
	r = merge_image(c->config, &image, &c->arena, e);
	c->host->log_config.type = "none";
	if (r == 0)
		r = create_defaults(c->engine, c->host, &c->arena, e);
	if (r == 0)
		r = create_command(c, e);
	if (r == 0)
		r = mounts_of(c, how->mounts, how->n_mounts, e);
	c->created_ns = clock_realtime_ns();
	if (r == 0)
		r = create_dirs_wait(c, a, e);
	return r == 0 ? record_save_wait(c, e) : r;
}

int pod_create_wait(struct engine *eng, const struct pod_container *how, char ret_id[65], struct err *e)
{
	AUTO(container) struct container *c = NULL;
	AUTO(arena) struct arena a;
	char id[65];
	arena_init(&a, 4 << 20);
	if (eng->list.n >= CONTAINERS_MAX)
		return err_set(e, ENOSPC, "no more than %d containers", CONTAINERS_MAX);
	do
		rand_hex(id, 32);
	while (map_gets(&eng->by_id, id));
	c = container_new(eng, id, id);
	if (!c)
		return err_nomem(e);
	int r = fill_wait(c, how, &a, e);
	if (r == 0)
		r = container_add(eng, c) < 0 ? err_nomem(e) : 0;
	if (c->is_image_held)
		image_unhold(eng->config.images, c->image_id);
	c->is_image_held = false;
	if (r < 0) {
		create_undo_wait(c, &a);
		return r;
	}
	c->status = STATUS_CREATED;
	fmt_into(ret_id, 65, "%s", c->id);
	container_event(c, "create", NULL, 0);
	return 0;
}

int pod_start_wait(struct engine *eng, const char *id, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find_pod(eng, id, &c, e);
	if (r < 0)
		return r;
	if (c->status != STATUS_CREATED)
		return err_set(e, container_is_alive(c) ? EALREADY : EBUSY, "container \"%s\" is in state %s: a container is started once", c->id,
			       container_status_text(c));
	if (c->pod->log) {
		char *dir = arena_strdup(&c->arena, c->pod->log), *slash = dir ? strrchr(dir, '/') : NULL;
		if (slash && slash != dir) {
			*slash = 0;
			dir_make(AT_FDCWD, dir, 0755);
		}
	}
	return lifecycle_start_found_wait(c, e);
}

int pod_stop_wait(struct engine *eng, const char *id, int64_t timeout_s, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find_pod(eng, id, &c, e);
	if (r < 0)
		return r;
	r = lifecycle_stop_found_wait(c, NULL, timeout_s < 0 ? -2 : timeout_s, e);
	return r == -EALREADY ? 0 : r;
}

int pod_remove_wait(struct engine *eng, const char *id, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	struct err own = { 0 };
	int r = container_find_pod(eng, id, &c, &own);
	if (r == 0)
		r = lifecycle_remove_wait(c, true, true, &own);
	if (r == -ENOENT || (c && c->is_gone))
		return 0;
	return r < 0 ? err_set(e, own.code, "%s", own.text) : 0;
}

int pod_reopen_log_wait(struct engine *eng, const char *id, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find_pod(eng, id, &c, e);
	if (r < 0)
		return r;
	if (!container_is_alive(c))
		return err_set(e, EBUSY, "container \"%s\" is not running", c->id);
	return shim_reopen_log_wait(c, e);
}

static void take_limits(struct docker_host_config *to, const struct docker_host_config *h, struct arena *a)
{
	if (h->memory)
		to->memory = h->memory;
	if (h->memory_swap || h->memory)
		to->memory_swap = h->memory_swap ? h->memory_swap : h->memory;
	if (h->cpu_period)
		to->cpu_period = h->cpu_period;
	if (h->cpu_quota)
		to->cpu_quota = h->cpu_quota;
	if (h->cpu_shares)
		to->cpu_shares = h->cpu_shares;
	if (h->cpuset_cpus && *h->cpuset_cpus)
		to->cpuset_cpus = arena_strdup(a, h->cpuset_cpus);
	if (h->cpuset_mems && *h->cpuset_mems)
		to->cpuset_mems = arena_strdup(a, h->cpuset_mems);
}

int pod_update_wait(struct engine *eng, const char *id, const struct docker_host_config *h, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	AUTO(arena) struct arena a;
	struct oci_linux_resources limits = { 0 };
	arena_init(&a, 1 << 20);
	int r = container_find_pod(eng, id, &c, e);
	if (r == 0)
		r = fmutex_lock_wait(&c->op);
	if (r < 0)
		return r;
	if (container_is_alive(c)) {
		r = spec_limits(&a, h, &limits, e);
		if (r == 0)
			r = shim_update_wait(c, &limits, e);
	}
	if (r == 0 && !c->is_gone) {
		take_limits(c->host, h, &c->arena);
		r = record_save_wait(c, e);
	}
	fmutex_unlock(&c->op);
	return r;
}

/* --- looking */

static void view(const struct container *c, struct pod_view *v)
{
	*v = (struct pod_view){ .id = c->id, .sandbox = c->pod->sandbox, .image = c->image_id, .error = c->error, .log = c->pod->log,
		.state = container_is_running(c) ? POD_RUNNING : c->status == STATUS_CREATED ? POD_CREATED : POD_EXITED,
		.created_ns = c->created_ns, .started_ns = c->started_ns, .finished_ns = c->finished_ns, .exit_code = c->exit_code, .pid = c->pid,
		.oom = c->is_oom, .keep = c->pod->keep, .host = c->host, .config = c->config };
	if (c->pod_user) {
		v->has_user = true;
		v->uid = c->pod_user->uid;
		v->gid = c->pod_user->gid;
		v->groups = c->pod_user->groups;
		v->n_groups = c->pod_user->n_groups;
	}
}

int pod_get(struct engine *eng, const char *id, struct pod_view *ret, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find_pod(eng, id, &c, e);
	if (r < 0)
		return r;
	if (c->shim)
		shim_catch_up(c);
	view(c, ret);
	return 0;
}

bool pod_next(struct engine *eng, size_t *pos, struct pod_view *ret)
{
	while (*pos < eng->list.n) {
		struct container *c = eng->list.v[(*pos)++];
		if (!c->pod || c->status == STATUS_REMOVING)
			continue;
		view(c, ret);
		return true;
	}
	return false;
}

bool pod_capability_is(const char *name)
{
	char out[64];
	return cap_normal(name, out);
}

void pod_listen(struct engine *eng, void (*fn)(void *arg, const char *id, const char *sandbox, const char *action), void *arg)
{
	eng->pod_event = fn;
	eng->pod_event_arg = arg;
}

int pod_stats_wait(struct engine *eng, const char *id, struct arena *a, struct shim_stats **ret, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find_pod(eng, id, &c, e);
	if (r < 0)
		return r;
	return container_is_alive(c) ? shim_stats_wait(c, a, ret, e) : err_set(e, EBUSY, "container \"%s\" is not running", c->id);
}

int pod_disk_wait(struct engine *eng, const char *id, uint64_t *ret_bytes, uint64_t *ret_inodes)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find_pod(eng, id, &c, NULL);
	if (r < 0)
		return r;
	/* counting walks the whole layer; the kubelet asks every ten seconds */
	int64_t now = loop_monotonic_ns(eng->loop);
	if (!c->disk_at_ns || now - c->disk_at_ns > 60 * NS_PER_S) {
		c->disk_at_ns = now;
		c->disk_bytes = container_size_wait(c);
	}
	*ret_bytes = c->disk_bytes > 0 ? (uint64_t)c->disk_bytes : 0;
	*ret_inodes = 0;
	return 0;
}
