/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/volumes.h"

#include <errno.h>

#include "base/clock.h"
#include "engine/engine_int.h"

static uint32_t users(struct engine *eng, const char *name, struct buf *ids)
{
	uint32_t n = 0;
	for (size_t i = 0; i < eng->list.n; i++) {
		const struct container *c = eng->list.v[i];
		for (uint32_t k = 0; k < c->n_mounts; k++) {
			if (strcmp(c->mounts[k].type, "volume") || strcmp(c->mounts[k].name, name))
				continue;
			if (ids)
				buf_addf(ids, "%s%s", n ? ", " : "", c->id);
			n++;
			break;
		}
	}
	return n;
}

static struct schema_pair *pairs_copy(struct arena *a, const struct schema_pair *v, uint32_t n)
{
	struct schema_pair *o = arena_array(a, n, sizeof *o);
	for (uint32_t i = 0; o && i < n; i++)
		o[i] = (struct schema_pair){ arena_strdup(a, v[i].key), arena_strdup(a, v[i].value) };
	return o;
}

static void view(const struct volume *v, struct arena *a, struct docker_volume *o)
{
	char t[CLOCK_TEXT_MAX];
	clock_rfc3339(t, v->created_ns);
	*o = (struct docker_volume){ .name = arena_strdup(a, v->name), .driver = arena_strdup(a, v->driver),
		.mountpoint = arena_strdup(a, v->mountpoint), .created_at = arena_strdup(a, t), .scope = "local" };
	if (v->labels) {
		o->labels = pairs_copy(a, v->labels, v->n_labels);
		o->n_labels = v->n_labels;
	}
	if (v->n_options) {
		o->options = pairs_copy(a, v->options, v->n_options);
		o->n_options = v->n_options;
	}
}

int engine_volume_list(struct engine *eng, const struct filters *f, struct arena *a, struct docker_volume_list *ret, struct err *e)
{
	static const char *const known[] = { "dangling", "driver", "label", "name", NULL };
	bool dangling = false;
	int r = filters_check(f, known, e);
	if (r == 0)
		r = filters_bool(f, "dangling", &dangling, e);
	if (r < 0)
		return r;
	bool by_use = filters_get(f, "dangling") != NULL;
	VEC(struct docker_volume) v = { 0 };
	size_t pos = 0;
	for (const struct volume *x; (x = volume_next(eng->config.volumes, &pos));) {
		if (!filters_match(f, "name", x->name) || !filters_exact(f, "driver", x->driver) || !filters_labels(f, x->labels, x->n_labels, false) ||
		    (by_use && dangling != !users(eng, x->name, NULL)))
			continue;
		struct docker_volume o;
		view(x, a, &o);
		if (vec_push(&v, o) < 0)
			break;
	}
	*ret = (struct docker_volume_list){ .volumes = arena_array(a, v.n, sizeof *v.v), .n_volumes = (uint32_t)v.n };
	if (ret->volumes && v.n)
		memcpy(ret->volumes, v.v, v.n * sizeof *v.v);
	vec_release(&v);
	return ret->volumes ? 0 : err_nomem(e);
}

int engine_volume_create_wait(struct engine *eng, const struct docker_volume_create *how, struct arena *a, struct docker_volume *ret, struct err *e)
{
	struct volume_create c = { .name = how->name, .driver = how->driver, .labels = how->labels, .n_labels = how->n_labels,
		.options = how->driver_opts, .n_options = how->n_driver_opts };
	const struct volume *v;
	bool is_new;
	if (how->cluster_volume_spec.ptr && !slice_is(how->cluster_volume_spec, "null"))
		return err_set(e, EHOSTDOWN, "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.");
	int r = volume_create_wait(eng->config.volumes, &c, &v, &is_new, e);
	if (r < 0)
		return r;
	view(v, a, ret);
	if (is_new)
		engine_event(eng, "volume", "create", ret->name, (struct schema_pair[]){ { "driver", "local" } }, 1);
	return 0;
}

int engine_volume_get(struct engine *eng, const char *name, struct arena *a, struct docker_volume *ret, struct err *e)
{
	const struct volume *v = volume_get(eng->config.volumes, name);
	if (!v)
		return err_set(e, ENOENT, "get %s: no such volume", name);
	view(v, a, ret);
	return 0;
}

int engine_volume_remove_wait(struct engine *eng, const char *name, bool force, struct err *e)
{
	AUTO(buf) struct buf ids = BUF_INIT(64 * 1024);
	if (!volume_get(eng->config.volumes, name))
		return force ? 0 : err_set(e, ENOENT, "get %s: no such volume", name);
	if (users(eng, name, &ids))
		return err_set(e, EBUSY, "remove %s: volume is in use - [%.400s]", name, ids.ptr);
	char *copy = strdup(name);
	int r = copy ? volume_remove_wait(eng->config.volumes, copy, e) : err_nomem(e);
	if (r == 0)
		engine_event(eng, "volume", "destroy", copy, (struct schema_pair[]){ { "driver", "local" } }, 1);
	free(copy);
	return r;
}

int engine_volume_prune_wait(struct engine *eng, const struct filters *f, unsigned api, struct arena *a, struct docker_volumes_pruned *ret,
			     struct err *e)
{
	static const char *const known[] = { "all", "label", "label!", NULL };
	bool all = api < 42;
	int r = filters_check(f, known, e);
	if (r == 0)
		r = filters_bool(f, "all", &all, e);
	if (r < 0)
		return r;
	*ret = (struct docker_volumes_pruned){ .volumes_deleted = arena_array(a, 0, sizeof(char *)) };
	const char **victims = NULL;
	uint32_t n = 0;
	size_t pos = 0;
	for (const struct volume *v; (v = volume_next(eng->config.volumes, &pos));)
		if ((all || v->is_anonymous || schema_pair_get(v->labels, v->n_labels, "com.docker.volume.anonymous")) && !users(eng, v->name, NULL) &&
		    filters_labels(f, v->labels, v->n_labels, true))
			strings_push(a, &victims, &n, arena_strdup(a, v->name));
	ret->volumes_deleted = NULL;
	for (uint32_t i = 0; i < n; i++) {
		int64_t bytes = volume_size_wait(eng->config.volumes, victims[i]);
		if (engine_volume_remove_wait(eng, victims[i], false, NULL) < 0)
			continue;
		ret->space_reclaimed += bytes > 0 ? (uint64_t)bytes : 0;
		strings_push(a, &ret->volumes_deleted, &ret->n_volumes_deleted, victims[i]);
	}
	char num[24];
	fmt_into(num, sizeof num, "%llu", (unsigned long long)ret->space_reclaimed);
	engine_event(eng, "volume", "prune", "", (struct schema_pair[]){ { "reclaimed", num } }, 1);
	return 0;
}

int engine_volume_usage_wait(struct engine *eng, struct arena *a, struct docker_volume **ret, uint32_t *n, struct err *e)
{
	struct filters none = { 0 };
	struct docker_volume_list l;
	int r = engine_volume_list(eng, &none, a, &l, e);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < l.n_volumes; i++) {
		struct docker_volume_usage *u = l.volumes[i].usage_data = arena_new(a, struct docker_volume_usage);
		if (!u)
			return err_nomem(e);
		u->size = volume_size_wait(eng->config.volumes, l.volumes[i].name);
		u->ref_count = users(eng, l.volumes[i].name, NULL);
	}
	*ret = l.volumes;
	*n = l.n_volumes;
	return 0;
}
