/* SPDX-License-Identifier: Apache-2.0 */
/* POST /containers/create: from a request to a recorded container. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "api/image.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/rand.h"
#include "engine/engine_int.h"

#define BAD(...) return err_set(e, EINVAL, __VA_ARGS__)

static const char *const masked[] = { "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
	"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap" };
static const char *const read_only[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" };

void create_config_of(const struct docker_container_create *b, struct docker_container_config *c)
{
	*c = (struct docker_container_config){
		.hostname = b->hostname, .domainname = b->domainname, .user = b->user, .attach_stdin = b->attach_stdin,
		.attach_stdout = b->attach_stdout, .attach_stderr = b->attach_stderr, .exposed_ports = b->exposed_ports,
		.n_exposed_ports = b->n_exposed_ports, .tty = b->tty, .open_stdin = b->open_stdin, .stdin_once = b->stdin_once, .env = b->env,
		.n_env = b->n_env, .cmd = b->cmd, .n_cmd = b->n_cmd, .healthcheck = b->healthcheck, .args_escaped = b->args_escaped,
		.image = b->image, .volumes = b->volumes, .n_volumes = b->n_volumes, .working_dir = b->working_dir, .entrypoint = b->entrypoint,
		.n_entrypoint = b->n_entrypoint, .network_disabled = b->network_disabled, .mac_address = b->mac_address, .on_build = b->on_build,
		.n_on_build = b->n_on_build, .labels = b->labels, .n_labels = b->n_labels, .stop_signal = b->stop_signal,
		.stop_timeout = b->stop_timeout, .shell = b->shell, .n_shell = b->n_shell,
	};
}

int create_defaults(struct engine *eng, struct docker_host_config *h, struct arena *a, struct err *e)
{
	if (!h->shm_size)
		h->shm_size = 64 << 20;
	if (h->memory > 0 && !h->memory_swap)
		h->memory_swap = h->memory > INT64_MAX / 2 ? INT64_MAX : h->memory * 2;
	if (!h->cgroupns_mode || !*h->cgroupns_mode)
		h->cgroupns_mode = eng->is_cgroup_v2 && !h->privileged ? "private" : "host";
	if (!h->ipc_mode || !*h->ipc_mode)
		h->ipc_mode = "private";
	if (netting_is(h->network_mode, "bridge"))
		h->network_mode = "bridge";
	if (!h->restart_policy.name || !*h->restart_policy.name)
		h->restart_policy.name = "no";
	if (!h->log_config.type || !*h->log_config.type) {
		h->log_config.type = str_or(eng->config.log_driver, "json-file");
		if (!h->log_config.n_config) {
			h->log_config.config = (struct schema_pair *)eng->config.log_options;
			h->log_config.n_config = (uint32_t)eng->config.n_log_options;
		}
	}
	if (!h->log_config.config)
		h->log_config.config = arena_array(a, 0, sizeof *h->log_config.config);
	if (!h->runtime || !*h->runtime)
		h->runtime = "runc";
	if (h->pids_limit && *h->pids_limit <= 0)
		h->pids_limit = NULL;
	if (h->memory_swappiness && *h->memory_swappiness == -1)
		h->memory_swappiness = NULL;
	if (!h->oom_kill_disable && !eng->is_cgroup_v2) {
		h->oom_kill_disable = arena_new(a, bool);
		if (!h->oom_kill_disable)
			return err_nomem(e);
	}
	bool unconfined = false;
	uint32_t n = 0;
	for (uint32_t i = 0; i < h->n_security_opt; i++) {
		if (!strcmp(h->security_opt[i], "systempaths=unconfined"))
			unconfined = true;
		else
			h->security_opt[n++] = h->security_opt[i];
	}
	h->n_security_opt = n;
	if (!h->masked_paths) {
		h->masked_paths = strings_copy(a, masked, h->privileged || unconfined ? 0 : ARRAY_LEN(masked));
		h->n_masked_paths = h->privileged || unconfined ? 0 : ARRAY_LEN(masked);
	}
	if (!h->readonly_paths) {
		h->readonly_paths = strings_copy(a, read_only, h->privileged || unconfined ? 0 : ARRAY_LEN(read_only));
		h->n_readonly_paths = h->privileged || unconfined ? 0 : ARRAY_LEN(read_only);
	}
	if (!h->port_bindings)
		h->port_bindings = arena_array(a, 0, sizeof *h->port_bindings);
	return 0;
}

/* The image's configuration, and its id into the container. */
int create_image_config(struct container *c, const char *name, const char *platform, struct docker_image_config *ret, struct err *e)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 8 << 20);
	struct image_info info;
	*ret = (struct docker_image_config){ 0 };
	if (!name || !*name)
		return 0;
	int r = image_get(c->engine->config.images, c->pod ? IMAGE_CRI : IMAGE_DOCKER, name, 0, &a, &info, e);
	if (r < 0)
		return r;
	if (platform && *platform) {
		struct slice os, rest, arch, variant;
		slice_cut(slice_of(platform), '/', &os, &rest);
		slice_cut(rest, '/', &arch, &variant);
		if ((os.len && !slice_is(os, str_or(info.os, "linux"))) || (arch.len && !slice_is(arch, info.architecture)))
			return err_set(e, ENOENT, "image with reference %s was found but its platform (%s/%s) does not match the specified platform (%s)",
				       name, info.os, info.architecture, platform);
	}
	struct image_image img;
	r = schema_from_json(T_image_image, info.config, SCHEMA_FOLD_CASE, &a, &img, e);
	if (r < 0)
		return err_prefix(e, "image %s", name);
	AUTO(buf) struct buf text = BUF_INIT(4 << 20);
	/* the same fields under two names: image.Config and docker.ImageConfig */
	if (schema_to_json(T_image_config, &img.config, 0, &text) < 0 || buf_error(&text))
		return err_nomem(e);
	r = schema_from_json(T_docker_image_config, buf_slice(&text), 0, &c->arena, ret, e);
	if (r < 0)
		return r;
	/* until the record names it, so that nobody removes it in between */
	r = image_hold(c->engine->config.images, info.id, e);
	if (r < 0)
		return r;
	c->is_image_held = true;
	c->image_id = arena_strdup(&c->arena, info.id);
	c->platform = arena_strdup(&c->arena, str_or(info.os, "linux"));
	return c->image_id && c->platform ? 0 : err_nomem(e);
}

int create_command(struct container *c, struct err *e)
{
	struct docker_container_config *g = c->config;
	if (g->n_entrypoint == 1 && !*g->entrypoint[0]) {
		g->entrypoint = NULL;
		g->n_entrypoint = 0;
	}
	uint32_t n = g->n_entrypoint + g->n_cmd;
	if (!n)
		BAD("no command specified");
	const char **v = arena_array(&c->arena, n, sizeof *v);
	if (!v)
		return err_nomem(e);
	uint32_t at = 0;
	for (uint32_t i = 0; i < g->n_entrypoint; i++)
		v[at++] = g->entrypoint[i];
	for (uint32_t i = 0; i < g->n_cmd; i++)
		v[at++] = g->cmd[i];
	c->path = v[0];
	c->args = v + 1;
	c->n_args = n - 1;
	return 0;
}

static int endpoints_of(struct container *c, const struct docker_networking_config *n, struct err *e)
{
	const char *mode = c->host->network_mode;
	if (netting_is(mode, "container:") || c->config->network_disabled)
		return 0;
	uint32_t room = (n ? n->n_endpoints_config : 0) + 1, count = 0;
	struct docker_endpoint_settings_entry *v = arena_array(&c->arena, room, sizeof *v);
	if (!v)
		return err_nomem(e);
	v[count++].key = mode;
	for (uint32_t i = 0; n && i < n->n_endpoints_config; i++) {
		const struct docker_endpoint_settings_entry *x = &n->endpoints_config[i];
		bool is_mode = !strcmp(x->key, mode) || (!strcmp(mode, "bridge") && !strcmp(x->key, "default"));
		const struct net_network *a, *b;
		if (!is_mode && net_find(c->engine->config.net, x->key, &a, NULL) == 0 && net_find(c->engine->config.net, mode, &b, NULL) == 0)
			is_mode = !strcmp(a->id, b->id);
		if (is_mode)
			v[0].value = x->value;
		else
			v[count++] = *x;
	}
	c->endpoints = v;
	c->n_endpoints = count;
	if ((netting_is(mode, "host") || netting_is(mode, "none")) && count > 1)
		BAD("%s", netting_is(mode, "host") ? "container cannot be disconnected from host network or connected to host network"
						   : "container cannot be connected to multiple networks with one of the networks in private (none) mode");
	return 0;
}

static int ports_expose(struct container *c, struct err *e)
{
	/* what is published is exposed too */
	struct docker_container_config *g = c->config;
	struct docker_host_config *h = c->host;
	struct docker_empty_entry *v = arena_array(&c->arena, g->n_exposed_ports + h->n_port_bindings, sizeof *v);
	uint32_t n = 0;
	if (!v)
		return err_nomem(e);
	for (uint32_t i = 0; i < g->n_exposed_ports; i++) {
		const char *k = g->exposed_ports[i].key;
		v[n++].key = strchr(k, '/') ? k : arena_fmt(&c->arena, "%s/tcp", k);
	}
	for (uint32_t i = 0; i < h->n_port_bindings; i++) {
		struct docker_port_binding_list_entry *p = &h->port_bindings[i];
		if (!strchr(p->key, '/'))
			p->key = arena_fmt(&c->arena, "%s/tcp", p->key);
		bool have = false;
		for (uint32_t k = 0; k < n && !have; k++)
			have = !strcmp(v[k].key, p->key);
		if (!have)
			v[n++].key = p->key;
	}
	if (n) {
		g->exposed_ports = v;
		g->n_exposed_ports = n;
	}
	return 0;
}

struct dirs_job { const char *dir; };
static int dirs_make_job(void *arg)
{
	struct dirs_job *j = arg;
	int r = dir_make(AT_FDCWD, j->dir, 0710);
	AUTO(close) int fd = r < 0 ? -1 : open(j->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return r < 0 ? r : -errno;
	if (mkdirat(fd, "upper", 0755) < 0 && errno != EEXIST)
		return -errno;
	if (mkdirat(fd, "work", 0755) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

int create_dirs_wait(struct container *c, struct arena *a, struct err *e)
{
	struct dirs_job dirs = { container_dir(c, a) };
	int r = dirs.dir ? job_wait(dirs_make_job, &dirs) : -ENOMEM;
	return r < 0 ? err_sys(e, r, "making %s", dirs.dir) : 0;
}

static int remove_dir(void *arg)
{
	return dir_remove(AT_FDCWD, arg, NULL);
}

int create_undo_wait(struct container *c, struct arena *a)
{
	char *dir = (char *)container_dir(c, a);
	return dir ? job_wait(remove_dir, dir) : -ENOMEM;
}

static int fill_wait(struct container *c, const struct container_create *how, struct arena *a, struct docker_container_created *ret, struct err *e)
{
	struct engine *eng = c->engine;
	struct docker_container_create body;
	if (schema_copy(T_docker_container_create, how->body, &c->arena, &body) < 0)
		return err_nomem(e);
	c->config = arena_new(&c->arena, struct docker_container_config);
	if (!body.host_config)
		body.host_config = arena_new(&c->arena, struct docker_host_config);
	c->host = body.host_config;
	if (!c->config || !c->host)
		return err_nomem(e);
	create_config_of(&body, c->config);
	c->image_id = "";
	c->platform = "linux";
	c->apparmor = "";
	int r = validate_config(eng, c->config, c->host, a, e);
	if (r == 0)
		r = validate_host(eng, c->host, false, a, &ret->warnings, &ret->n_warnings, e);
	if (r == 0)
		r = netting_validate(eng, &body, how->api, a, e);
	struct docker_image_config image;
	if (r == 0)
		r = create_image_config(c, c->config->image, how->platform, &image, e);
	if (r == 0)
		r = merge_image(c->config, &image, &c->arena, e);
	if (r == 0)
		r = create_defaults(eng, c->host, &c->arena, e);
	if (r == 0)
		r = create_command(c, e);
	if (r == 0)
		r = ports_expose(c, e);
	if (r == 0)
		r = endpoints_of(c, body.networking_config, e);
	if (r < 0)
		return r;
	if (netting_is(c->host->network_mode, "host") && c->host->n_port_bindings)
		strings_push(a, &ret->warnings, &ret->n_warnings, "Published ports are discarded when using host network mode");
	if (!c->config->hostname || !*c->config->hostname) {
		if (netting_is(c->host->network_mode, "host") || str_is(c->host->uts_mode, "host"))
			c->config->hostname = arena_strdup(&c->arena, eng->config.hostname);
		else
			c->config->hostname = arena_fmt(&c->arena, "%.12s", c->id);
	}
	if (c->config->working_dir && *c->config->working_dir) {
		char *clean = arena_alloc(&c->arena, strlen(c->config->working_dir) + 2);
		if (!clean)
			return err_nomem(e);
		path_clean(clean, c->config->working_dir);
		c->config->working_dir = clean;
	}
	c->created_ns = clock_realtime_ns();
	r = create_dirs_wait(c, a, e);
	if (r < 0)
		return r;
	r = mounts_resolve_wait(c, &image, e);
	return r == 0 ? record_save_wait(c, e) : r;
}

/* Takes the name before anything suspends, so that two creates cannot both have it. */
static int named_new(struct engine *eng, const char *name, struct container **ret, struct err *e)
{
	char id[65], random[96];
	if (eng->list.n >= CONTAINERS_MAX)
		return err_set(e, ENOSPC, "no more than %d containers", CONTAINERS_MAX);
	do
		rand_hex(id, 32);
	while (map_gets(&eng->by_id, id) || strspn(id, "0123456789") >= 12);
	if (name && *name) {
		int r = name_check(name, e);
		if (r < 0)
			return r;
		if (*name == '/')
			name++;
		struct container *o = map_gets(&eng->by_name, name);
		if (o)
			return container_take_name(eng, NULL, name, e);
	} else {
		name_random(eng, random, sizeof random);
		name = random;
	}
	*ret = container_new(eng, id, name);
	return *ret ? 0 : err_nomem(e);
}

int container_create_wait(struct engine *eng, const struct container_create *how, struct arena *a, struct docker_container_created *ret,
			  struct err *e)
{
	AUTO(container) struct container *c = NULL;
	*ret = (struct docker_container_created){ .warnings = arena_array(a, 0, sizeof(char *)) };
	const struct docker_container_create *b = how->body;
	if (!b->image && !b->cmd && !b->entrypoint && !b->env && !b->hostname && !b->labels && !b->user && !b->working_dir)
		BAD("config cannot be empty in order to create a container");
	int r = named_new(eng, how->name, &c, e);
	if (r < 0)
		return r;
	/* the name is taken, but nobody can find the container before it is whole */
	if (map_sets(&eng->by_name, c->name, c) < 0)
		return err_nomem(e);
	c->is_creating = true;
	r = fill_wait(c, how, a, ret, e);
	c->is_creating = false;
	map_dels(&eng->by_name, c->name);
	if (r == 0)
		r = container_add(eng, c) < 0 ? err_nomem(e) : 0;
	if (c->is_image_held)
		image_unhold(eng->config.images, c->image_id);
	c->is_image_held = false;
	if (r < 0) {
		create_undo_wait(c, a);
		return r;
	}
	c->status = STATUS_CREATED;
	ret->id = arena_strdup(a, c->id);
	container_event(c, "create", NULL, 0);
	return ret->id ? 0 : err_nomem(e);
}
