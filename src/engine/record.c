/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers in kv: "container/ID" holds what is configured, "cstate/ID" what
 * changes while it lives, so that a start or an exit writes a few hundred
 * bytes. doc/format/engine.md describes both.
 */
#include <errno.h>

#include "base/log.h"
#include "engine/engine_int.h"

static const char *const status_names[STATUS_N] = { "created", "running", "paused", "restarting", "exited", "removing", "dead" };

static struct slice json_of(struct arena *a, struct schema_ref t, const void *obj)
{
	AUTO(buf) struct buf b = BUF_INIT(RECORD_MAX);
	if (schema_to_json(t, obj, 0, &b) < 0 || buf_error(&b))
		return (struct slice){ 0 };
	char *s = arena_dup(a, buf_slice(&b));
	return s ? slice_n(s, b.len) : (struct slice){ 0 };
}

static struct engine_mount *mounts_out(struct container *c, struct arena *a)
{
	struct engine_mount *m = arena_array(a, c->n_mounts, sizeof *m);
	for (uint32_t i = 0; m && i < c->n_mounts; i++) {
		const struct mount_point *p = &c->mounts[i];
		m[i] = (struct engine_mount){ .type = p->type, .name = p->name, .source = p->source, .target = p->target, .driver = p->driver,
			.mode = p->mode, .propagation = p->propagation, .rw = p->rw, .no_copy = p->no_copy, .anonymous = p->is_anonymous,
			.non_recursive = p->non_recursive, .ro_non_recursive = p->ro_non_recursive,
			.ro_force_recursive = p->ro_force_recursive, .from_binds = p->from_binds, .from_image = p->from_image,
			.subpath = p->subpath, .tmpfs_options = p->tmpfs_options, .image_id = p->image_id };
	}
	return m;
}

static int mounts_in(struct container *c, const struct engine_mount *m, uint32_t n)
{
	c->mounts = arena_array(&c->arena, n, sizeof *c->mounts);
	if (!c->mounts)
		return -ENOMEM;
	c->n_mounts = n;
	for (uint32_t i = 0; i < n; i++)
		c->mounts[i] = (struct mount_point){ .type = str_or(m[i].type, "bind"), .name = str_or(m[i].name, ""),
			.source = str_or(m[i].source, ""), .target = str_or(m[i].target, "/"), .driver = str_or(m[i].driver, ""),
			.mode = str_or(m[i].mode, ""), .propagation = str_or(m[i].propagation, ""), .rw = m[i].rw,
			.no_copy = m[i].no_copy, .is_anonymous = m[i].anonymous, .non_recursive = m[i].non_recursive,
			.ro_non_recursive = m[i].ro_non_recursive, .ro_force_recursive = m[i].ro_force_recursive,
			.from_binds = m[i].from_binds, .from_image = m[i].from_image, .subpath = m[i].subpath,
			.tmpfs_options = m[i].tmpfs_options, .image_id = m[i].image_id };
	return 0;
}

int record_config_text(struct container *c, struct buf *out)
{
	AUTO(arena) struct arena a;
	arena_init(&a, CONTAINER_ARENA_MAX * 2);
	struct docker_networking_config net = { .endpoints_config = c->endpoints, .n_endpoints_config = c->n_endpoints };
	struct engine_container rec = { .id = c->id, .name = c->name, .created = c->created_ns, .image = c->image_id, .platform = c->platform,
		.path = c->path, .args = c->args, .n_args = c->n_args, .apparmor = c->apparmor,
		.config = json_of(&a, T_docker_container_config, c->config), .host_config = json_of(&a, T_docker_host_config, c->host),
		.endpoints = json_of(&a, T_docker_networking_config, &net), .mounts = mounts_out(c, &a), .n_mounts = c->n_mounts, .pod = c->pod };
	if (!rec.config.ptr || !rec.host_config.ptr || !rec.endpoints.ptr || !rec.mounts)
		return -ENOMEM;
	int r = schema_to_json(T_engine_container, &rec, 0, out);
	return r < 0 ? r : buf_error(out);
}

static int state_text(struct container *c, struct buf *out)
{
	struct engine_state rec = { .status = status_names[c->status], .exit_code = c->exit_code, .pid = c->pid, .started = c->started_ns,
		.finished = c->finished_ns, .error = c->error, .oom = c->is_oom, .manually_stopped = c->manually_stopped,
		.restart_count = c->restart_count, .user = c->pod_user };
	int r = schema_to_json(T_engine_state, &rec, 0, out);
	return r < 0 ? r : buf_error(out);
}

struct keys { char config[96], state[96]; };
static struct keys keys_of(const struct container *c)
{
	struct keys k;
	fmt_into(k.config, sizeof k.config, "container/%s", c->id);
	fmt_into(k.state, sizeof k.state, "cstate/%s", c->id);
	return k;
}

int record_save_wait(struct container *c, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(RECORD_MAX);
	AUTO(buf) struct buf state = BUF_INIT(RECORD_MAX);
	int r = record_config_text(c, &text);
	if (r == 0)
		r = state_text(c, &state);
	if (r < 0)
		return err_sys(e, r, "the container's configuration cannot be kept");
	struct keys k = keys_of(c);
	struct kv_change change[] = { { k.config, buf_slice(&text) }, { k.state, buf_slice(&state) } };
	return kv_apply_wait(c->engine->config.kv, change, ARRAY_LEN(change), e);
}

int record_save_state_wait(struct container *c, struct err *e)
{
	if (c->is_gone)
		return 0;
	AUTO(buf) struct buf state = BUF_INIT(RECORD_MAX);
	int r = state_text(c, &state);
	if (r < 0)
		return err_sys(e, r, "the container's state cannot be kept");
	return kv_put_wait(c->engine->config.kv, keys_of(c).state, buf_slice(&state), e);
}

int record_delete_wait(struct container *c, struct err *e)
{
	struct keys k = keys_of(c);
	struct kv_change change[] = { { k.config, { 0 } }, { k.state, { 0 } } };
	return kv_apply_wait(c->engine->config.kv, change, ARRAY_LEN(change), e);
}

/* --- reading */
static int state_load(struct container *c, struct err *e)
{
	struct slice text = kv_get(c->engine->config.kv, keys_of(c).state);
	if (!text.ptr)
		return 0;
	AUTO(arena) struct arena a;
	arena_init(&a, RECORD_MAX);
	struct engine_state s;
	int r = schema_from_json(T_engine_state, text, 0, &a, &s, e);
	if (r < 0)
		return r;
	for (int i = 0; i < STATUS_N; i++)
		if (str_is(s.status, status_names[i]))
			c->status = i;
	c->exit_code = s.exit_code;
	c->pid = s.pid;
	c->started_ns = s.started;
	c->finished_ns = s.finished;
	c->is_oom = s.oom;
	c->manually_stopped = s.manually_stopped;
	c->restart_count = s.restart_count;
	if (s.user) {
		c->pod_user = arena_new(&c->arena, struct engine_user);
		if (!c->pod_user || schema_copy(T_engine_user, s.user, &c->arena, c->pod_user) < 0)
			return err_nomem(e);
	}
	if (s.error)
		container_set_error(c, s.error);
	return 0;
}

static int config_load(struct container *c, const struct engine_container *rec, struct err *e)
{
	c->config = arena_new(&c->arena, struct docker_container_config);
	c->host = arena_new(&c->arena, struct docker_host_config);
	if (!c->config || !c->host)
		return err_nomem(e);
	struct docker_networking_config net = { 0 };
	int r = schema_from_json(T_docker_container_config, rec->config, 0, &c->arena, c->config, e);
	if (r == 0)
		r = schema_from_json(T_docker_host_config, rec->host_config, 0, &c->arena, c->host, e);
	if (r == 0 && rec->endpoints.ptr)
		r = schema_from_json(T_docker_networking_config, rec->endpoints, 0, &c->arena, &net, e);
	if (r < 0)
		return r;
	c->endpoints = net.endpoints_config;
	c->n_endpoints = net.n_endpoints_config;
	c->image_id = str_or(rec->image, "");
	c->platform = str_or(rec->platform, "linux");
	c->apparmor = str_or(rec->apparmor, "");
	c->path = str_or(rec->path, "");
	c->args = rec->args;
	c->n_args = rec->n_args;
	c->created_ns = rec->created;
	c->pod = rec->pod;
	return mounts_in(c, rec->mounts, rec->n_mounts);
}

int record_config_load(struct container *c, struct slice text, struct err *e)
{
	struct engine_container rec;
	int r = schema_from_json(T_engine_container, text, 0, &c->arena, &rec, e);
	return r == 0 ? config_load(c, &rec, e) : r;
}

static int load_one(void *arg, const char *key, struct slice value)
{
	struct engine *eng = arg;
	struct err e = { 0 };
	const char *id = strchr(key, '/') + 1;
	struct container *c = container_new(eng, id, id);
	if (!c)
		return -ENOMEM;
	struct engine_container rec;
	int r = schema_from_json(T_engine_container, value, 0, &c->arena, &rec, &e);
	if (r == 0)
		r = config_load(c, &rec, &e);
	if (r == 0)
		r = state_load(c, &e);
	if (r == 0) {
		free(c->name);
		c->name = strdup(str_or(rec.name, id));
		r = c->name ? container_add(eng, c) : -ENOMEM;
	}
	if (r < 0)
		log_error("container record unreadable", "id=%s error=%s", id, e.text);
	container_unref(c);
	return 0;
}

static int by_age(const void *a, const void *b)
{
	const struct container *x = *(struct container *const *)a, *y = *(struct container *const *)b;
	return (x->created_ns > y->created_ns) - (x->created_ns < y->created_ns);
}

int record_load_all(struct engine *eng, struct err *e)
{
	int r = kv_each(eng->config.kv, "container/", load_one, eng);
	if (r < 0)
		return err_nomem(e);
	if (eng->list.n)
		qsort(eng->list.v, eng->list.n, sizeof *eng->list.v, by_age);
	return 0;
}
