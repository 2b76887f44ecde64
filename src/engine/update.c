/* SPDX-License-Identifier: Apache-2.0 */
/* POST …/update; connecting and disconnecting networks of a container. */
#include <errno.h>

#include "api/oci.h"
#include "engine/shim_link.h"
#include "engine/spec.h"

static void merge(struct docker_host_config *h, const struct docker_container_update *u)
{
#define TAKE(f) do { if (u->f) h->f = u->f; } while (0)
	TAKE(cpu_shares);
	TAKE(memory);
	TAKE(nano_cpus);
	TAKE(blkio_weight);
	TAKE(cpu_period);
	TAKE(cpu_quota);
	TAKE(cpu_realtime_period);
	TAKE(cpu_realtime_runtime);
	TAKE(memory_reservation);
	TAKE(memory_swap);
	if (u->nano_cpus) {
		h->cpu_period = 0;
		h->cpu_quota = 0;
	}
	if (u->cpuset_cpus && *u->cpuset_cpus)
		h->cpuset_cpus = u->cpuset_cpus;
	if (u->cpuset_mems && *u->cpuset_mems)
		h->cpuset_mems = u->cpuset_mems;
	if (u->pids_limit && *u->pids_limit)
		h->pids_limit = u->pids_limit;
}

/* Puts a new host configuration and endpoints into a fresh arena, so that what was replaced does not pile up. */
static int reload(struct container *c, const struct docker_host_config *h, const struct docker_endpoint_settings_entry *ep, uint32_t n_ep, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(RECORD_MAX);
	struct docker_host_config *was_h = c->host;
	struct docker_endpoint_settings_entry *was_ep = c->endpoints;
	uint32_t was_n = c->n_endpoints;
	c->host = (struct docker_host_config *)h;
	c->endpoints = (struct docker_endpoint_settings_entry *)ep;
	c->n_endpoints = n_ep;
	int r = record_config_text(c, &text);
	struct container fresh = *c;
	arena_init(&fresh.arena, CONTAINER_ARENA_MAX);
	if (r == 0)
		r = record_config_load(&fresh, buf_slice(&text), e);
	c->host = was_h;
	c->endpoints = was_ep;
	c->n_endpoints = was_n;
	if (r < 0) {
		arena_release(&fresh.arena);
		return e && e->code ? r : err_sys(e, r, "the container's configuration cannot be changed");
	}
	struct arena old = c->arena;
	c->arena = fresh.arena;
	c->config = fresh.config;
	c->host = fresh.host;
	c->endpoints = fresh.endpoints;
	c->n_endpoints = fresh.n_endpoints;
	c->mounts = fresh.mounts;
	c->n_mounts = fresh.n_mounts;
	c->image_id = fresh.image_id;
	c->path = fresh.path;
	c->args = fresh.args;
	c->n_args = fresh.n_args;
	c->platform = fresh.platform;
	c->apparmor = fresh.apparmor;
	/* fibers may still read what they took before they waited: it goes with the container */
	return arena_keep(c, &old);
}

int container_update_wait(struct engine *eng, const char *name, const struct docker_container_update *how, bool has_restart_policy,
			  struct arena *a, struct docker_container_updated *ret, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	*ret = (struct docker_container_updated){ .warnings = NULL };
	int r = container_find(eng, name, &c, e);
	if (r == 0)
		r = fmutex_lock_wait(&c->op);
	if (r < 0)
		return r;
	struct docker_host_config h = *c->host;
	merge(&h, how);
	if (how->memory > 0 && !how->memory_swap && h.memory_swap > 0 && h.memory_swap < h.memory)
		r = err_set(e, EINVAL, "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time");
	if (has_restart_policy) {
		h.restart_policy = how->restart_policy;
		if (c->host->auto_remove && !str_is(how->restart_policy.name, "no"))
			r = err_set(e, EINVAL, "Restart policy cannot be updated because AutoRemove is enabled for the container");
	}
	if (r == 0 && (c->status == STATUS_REMOVING || c->status == STATUS_DEAD))
		r = err_set(e, EBUSY, "Container is marked for removal and cannot be \"update\".");
	if (r == 0)
		r = validate_host(eng, &h, true, a, &ret->warnings, &ret->n_warnings, e);
	struct oci_linux_resources limits = { 0 };
	if (r == 0 && container_is_alive(c)) {
		r = spec_limits(a, &h, &limits, e);
		if (r == 0)
			r = shim_update_wait(c, &limits, e);
		if (r < 0)
			err_prefix(e, "Cannot update container %s", c->id);
	}
	if (r == 0)
		r = reload(c, &h, c->endpoints, c->n_endpoints, e);
	if (r == 0)
		r = record_save_wait(c, e);
	if (r == 0)
		container_event(c, "update", NULL, 0);
	fmutex_unlock(&c->op);
	return r;
}

/* --- networks of a container */
static int connect_locked_wait(struct container *c, const char *network, const struct docker_endpoint_settings *s, struct arena *a, struct err *e)
{
	struct net *net = c->engine->config.net;
	const struct net_network *n;
	int r = net_find(net, network, &n, e);
	if (r < 0)
		return r;
	const char *name = arena_strdup(a, n->name);
	if (netting_is(c->host->network_mode, "container:"))
		return err_set(e, EINVAL, "container sharing network namespace with another container or host cannot be connected to any other network");
	if (netting_is(c->host->network_mode, "host") || !strcmp(n->driver, "host"))
		return err_set(e, EINVAL, "container cannot be disconnected from host network or connected to host network");
	if (netting_is(c->host->network_mode, "none") || !strcmp(n->driver, "null"))
		return err_set(e, EINVAL, "container cannot be connected to multiple networks with one of the networks in private (none) mode");
	for (uint32_t i = 0; i < c->n_endpoints; i++) {
		const struct net_network *o;
		if (net_find(net, c->endpoints[i].key, &o, NULL) == 0 && !strcmp(o->id, n->id))
			return err_set(e, EACCES, "endpoint with name %s already exists in network %s", c->name, n->name);
	}
	struct docker_endpoint_settings_entry *v = arena_array(a, c->n_endpoints + 1, sizeof *v);
	if (!v || !name)
		return err_nomem(e);
	for (uint32_t i = 0; i < c->n_endpoints; i++)
		v[i] = c->endpoints[i];
	v[c->n_endpoints] = (struct docker_endpoint_settings_entry){ name, s ? *s : (struct docker_endpoint_settings){ 0 } };
	if (container_is_alive(c)) {
		r = netting_attach_wait(c, name, &v[c->n_endpoints].value, e);
		if (r == 0)
			r = netting_files_wait(c, e);
		if (r < 0)
			return r;
	}
	r = reload(c, c->host, v, c->n_endpoints + 1, e);
	return r == 0 ? record_save_wait(c, e) : r;
}

int engine_networks_connect_wait(struct engine *eng, const char *network, const char *container, const struct docker_endpoint_settings *s,
				 struct err *e)
{
	AUTO(container) struct container *c = NULL;
	AUTO(arena) struct arena a;
	arena_init(&a, 4 << 20);
	int r = container_find(eng, container, &c, e);
	if (r == 0)
		r = fmutex_lock_wait(&c->op);
	if (r < 0)
		return r;
	if (c->status == STATUS_REMOVING || c->status == STATUS_DEAD)
		r = err_set(e, EACCES, "container %s is marked for removal and cannot be connected or disconnected to the network", c->id);
	else
		r = connect_locked_wait(c, network, s, &a, e);
	fmutex_unlock(&c->op);
	return r;
}

static int disconnect_locked_wait(struct container *c, const char *network, bool force, struct arena *a, struct err *e)
{
	struct net *net = c->engine->config.net;
	const struct net_network *n;
	int r = net_find(net, network, &n, e);
	if (r < 0)
		return r;
	char id[65], name[256];
	fmt_into(id, sizeof id, "%s", n->id);
	fmt_into(name, sizeof name, "%s", n->name);
	if (!strcmp(n->driver, "host"))
		return err_set(e, EINVAL, "container cannot be disconnected from host network or connected to host network");
	uint32_t at = 0;
	for (; at < c->n_endpoints; at++) {
		const struct net_network *o;
		if (net_find(net, c->endpoints[at].key, &o, NULL) == 0 && !strcmp(o->id, id))
			break;
	}
	if (at == c->n_endpoints)
		return err_set(e, EACCES, "container %s is not connected to network %s", c->id, name);
	struct docker_endpoint_settings_entry *v = arena_array(a, c->n_endpoints, sizeof *v);
	if (!v)
		return err_nomem(e);
	uint32_t k = 0;
	for (uint32_t i = 0; i < c->n_endpoints; i++)
		if (i != at)
			v[k++] = c->endpoints[i];
	if (container_is_alive(c)) {
		r = net_detach_wait(net, c->id, id, e);
		if (r < 0 && !force)
			return r;
		netting_files_wait(c, NULL);
		engine_event(c->engine, "network", "disconnect", id,
			     (struct schema_pair[]){ { "container", c->id }, { "name", name }, { "type", "bridge" } }, 3);
	}
	r = reload(c, c->host, v, k, e);
	return r == 0 ? record_save_wait(c, e) : r;
}

int engine_networks_disconnect_wait(struct engine *eng, const char *network, const char *container, bool force, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	AUTO(arena) struct arena a;
	arena_init(&a, 4 << 20);
	int r = container_find(eng, container, &c, e);
	if (r == 0)
		r = fmutex_lock_wait(&c->op);
	if (r < 0)
		return r;
	r = disconnect_locked_wait(c, network, force, &a, e);
	fmutex_unlock(&c->op);
	return r;
}
