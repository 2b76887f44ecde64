/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers as objects: finding, holding, and the one function that changes
 * their status. The life of a container:
 *
 *   created ──start──▶ running ◀──unpause── paused
 *      │                │  │ ──pause──────▶   │
 *      │       exit     │  └─exit, policy─┐   │ exit
 *      │   ┌────────────┘   wants more    ▼   │
 *      │   │             ┌────────── restarting
 *      │   ▼             │ gives up       │ next start ──▶ running
 *      │ exited ◀────────┴────────────────┘
 *      │   │ ──start──▶ running
 *      ▼   ▼
 *    removing ──▶ gone          (or dead, when removing failed; dead can be removed again)
 *
 * "stopping" is not a status: a stopped container is exited.
 */
#include <errno.h>

#include "base/assert.h"
#include "base/log.h"
#include "engine/engine_int.h"

static const char *const status_texts[STATUS_N] = { "created", "running", "paused", "restarting", "exited", "removing", "dead" };

#define TO(s) (1u << STATUS_##s)
static const unsigned legal[STATUS_N] = {
	[STATUS_CREATED] = TO(RUNNING) | TO(REMOVING) | TO(EXITED),
	[STATUS_RUNNING] = TO(PAUSED) | TO(EXITED) | TO(RESTARTING),
	[STATUS_PAUSED] = TO(RUNNING) | TO(EXITED) | TO(RESTARTING),
	[STATUS_RESTARTING] = TO(RUNNING) | TO(EXITED) | TO(RESTARTING) | TO(REMOVING),
	[STATUS_EXITED] = TO(RUNNING) | TO(RESTARTING) | TO(REMOVING),
	[STATUS_REMOVING] = TO(DEAD),
	[STATUS_DEAD] = TO(REMOVING),
};

struct container *container_new(struct engine *eng, const char *id, const char *name)
{
	struct container *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->engine = eng;
	c->refs = 1;
	fmt_into(c->id, sizeof c->id, "%s", id);
	c->name = strdup(name);
	c->error = strdup("");
	arena_init(&c->arena, CONTAINER_ARENA_MAX);
	fmutex_init(&c->op);
	waitq_init(&c->changed);
	list_init(&c->execs);
	list_init(&c->attached);
	if (!c->name || !c->error) {
		container_unref(c);
		return NULL;
	}
	return c;
}

struct container *container_ref(struct container *c)
{
	c->refs++;
	return c;
}

void container_unref(struct container *c)
{
	if (!c || --c->refs)
		return;
	must(list_empty(&c->changed.waiters));
	health_free(c);
	arena_release(&c->arena);
	for (size_t i = 0; i < c->old_arenas.n; i++)
		arena_release(&c->old_arenas.v[i]);
	vec_release(&c->old_arenas);
	free(c->name);
	free(c->error);
	free(c);
}

int arena_keep(struct container *c, struct arena *old)
{
	/* the engine's own reference and the caller's: nobody else can point into them */
	if (c->refs <= 2) {
		for (size_t i = 0; i < c->old_arenas.n; i++)
			arena_release(&c->old_arenas.v[i]);
		c->old_arenas.n = 0;
	}
	return vec_push(&c->old_arenas, *old);
}

int container_add(struct engine *eng, struct container *c)
{
	if (map_sets(&eng->by_id, c->id, c) < 0)
		return -ENOMEM;
	if (map_sets(&eng->by_name, c->name, c) < 0) {
		map_dels(&eng->by_id, c->id);
		return -ENOMEM;
	}
	if (vec_push(&eng->list, c) < 0) {
		map_dels(&eng->by_id, c->id);
		map_dels(&eng->by_name, c->name);
		return -ENOMEM;
	}
	container_ref(c);
	return 0;
}

void container_drop(struct engine *eng, struct container *c)
{
	if (map_gets(&eng->by_id, c->id) != c)
		return;
	map_dels(&eng->by_id, c->id);
	if (map_gets(&eng->by_name, c->name) == c)
		map_dels(&eng->by_name, c->name);
	for (size_t i = 0; i < eng->list.n; i++) {
		if (eng->list.v[i] == c) {
			vec_remove(&eng->list, i);
			break;
		}
	}
	c->is_gone = true;
	waitq_wake_all(&c->changed);
	container_unref(c);
}

static bool is_hex(const char *s)
{
	for (; *s; s++)
		if (!strchr("0123456789abcdef", *s))
			return false;
	return true;
}

int container_find(struct engine *eng, const char *name, struct container **ret, struct err *e)
{
	const char *bare = *name == '/' ? name + 1 : name;
	struct container *c = map_gets(&eng->by_id, name);
	if (!c)
		c = map_gets(&eng->by_name, bare);
	if (c && (c->is_creating || c->pod))
		c = NULL;
	size_t n = strlen(name);
	if (!c && n && n < 64 && is_hex(name)) {
		for (size_t i = 0; i < eng->list.n; i++) {
			if (eng->list.v[i]->pod || strncmp(eng->list.v[i]->id, name, n))
				continue;
			if (c)
				return err_set(e, EINVAL, "multiple IDs found with provided prefix: %s", name);
			c = eng->list.v[i];
		}
	}
	if (!c)
		return err_set(e, ENOENT, "No such container: %s", name);
	*ret = container_ref(c);
	return 0;
}

int container_find_pod(struct engine *eng, const char *id, struct container **ret, struct err *e)
{
	struct container *c = NULL;
	size_t n = strlen(id);
	for (size_t i = 0; n && i < eng->list.n; i++) {
		struct container *o = eng->list.v[i];
		if (!o->pod || strncmp(o->id, id, n))
			continue;
		if (c)
			return err_set(e, EINVAL, "more than one container has an ID that starts with \"%s\"", id);
		c = o;
	}
	if (!c)
		return err_set(e, ENOENT, "an error occurred when try to find container \"%s\": not found", id);
	*ret = container_ref(c);
	return 0;
}

int container_take_name(struct engine *eng, struct container *c, const char *name, struct err *e)
{
	struct container *other = map_gets(&eng->by_name, name);
	if (other && other != c)
		return err_set(e, EEXIST, "Conflict. The container name \"/%s\" is already in use by container \"%s\". You have to remove (or rename) that container to be able to reuse that name.", name, other->id);
	return 0;
}

const char *container_status_text(const struct container *c)
{
	return status_texts[c->status];
}

bool container_is_running(const struct container *c)
{
	return c->status == STATUS_RUNNING || c->status == STATUS_PAUSED || c->status == STATUS_RESTARTING;
}

bool container_is_alive(const struct container *c)
{
	return c->status == STATUS_RUNNING || c->status == STATUS_PAUSED;
}

void container_move(struct container *c, enum container_status to)
{
	if (c->status != to) {
		must(legal[c->status] & 1u << to);
		c->status = to;
	}
	waitq_wake_all(&c->changed);
}

void container_set_error(struct container *c, const char *text)
{
	char *copy = strdup(text);
	if (!copy)
		return;
	free(c->error);
	c->error = copy;
}

const char *container_dir(const struct container *c, struct arena *a)
{
	return arena_fmt(a, "%s/engine/containers/%s", c->engine->config.root, c->id);
}

const char *container_bundle(const struct container *c, struct arena *a)
{
	return arena_fmt(a, "%s/shim/%s", c->engine->config.run, c->id);
}

const char *container_platform_os(void)
{
	return "linux";
}

void container_event(struct container *c, const char *action, const struct schema_pair *more, uint32_t n_more)
{
	if (c->pod) {
		if (c->engine->pod_event)
			c->engine->pod_event(c->engine->pod_event_arg, c->id, c->pod->sandbox, action);
		return;
	}
	AUTO(arena) struct arena a;
	arena_init(&a, 2 << 20);
	uint32_t n = 0;
	struct schema_pair *p = arena_array(&a, c->config->n_labels + n_more + 2, sizeof *p);
	if (!p)
		return;
	for (uint32_t i = 0; i < c->config->n_labels; i++)
		p[n++] = c->config->labels[i];
	p[n++] = (struct schema_pair){ "image", c->config->image ? c->config->image : "" };
	p[n++] = (struct schema_pair){ "name", c->name };
	for (uint32_t i = 0; i < n_more; i++)
		p[n++] = more[i];
	engine_event(c->engine, "container", action, c->id, p, n);
}

/* --- waiting for an end */
struct container_waiter {
	struct container *c;
	enum container_condition condition;
	uint64_t exits;                /* seen when it began */
};

int container_waiter_new(struct engine *eng, const char *name, enum container_condition condition, struct container_waiter **ret, struct err *e)
{
	struct container *c;
	int r = container_find(eng, name, &c, e);
	if (r < 0)
		return r;
	struct container_waiter *w = calloc(1, sizeof *w);
	if (!w) {
		container_unref(c);
		return err_nomem(e);
	}
	*w = (struct container_waiter){ c, condition, c->exits };
	*ret = w;
	return 0;
}

static bool waiter_done(const struct container_waiter *w)
{
	const struct container *c = w->c;
	switch (w->condition) {
	case CONTAINER_NOT_RUNNING:
		return c->is_gone || (!container_is_running(c) && !c->is_starting);
	case CONTAINER_NEXT_EXIT:
		return c->is_gone || c->exits != w->exits;
	case CONTAINER_REMOVED:
		return c->is_gone;
	}
	return true;
}

int container_waiter_wait(struct container_waiter *w, int64_t timeout_ns, int64_t *ret_code, const char **ret_error)
{
	int64_t start = loop_monotonic_ns(w->c->engine->loop);
	while (!waiter_done(w)) {
		int64_t left = timeout_ns < 0 ? -1 : timeout_ns - (loop_monotonic_ns(w->c->engine->loop) - start);
		if (timeout_ns >= 0 && left <= 0)
			return -ETIMEDOUT;
		int r = waitq_wait(&w->c->changed, left);
		if (r < 0)
			return r;
	}
	*ret_code = w->c->exit_code;
	*ret_error = NULL;
	return 0;
}

void container_waiter_free(struct container_waiter *w)
{
	if (!w)
		return;
	container_unref(w->c);
	free(w);
}
