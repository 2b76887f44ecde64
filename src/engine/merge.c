/* SPDX-License-Identifier: Apache-2.0 */
/* A container's configuration over its image's: what the user left open is the image's. */
#include <errno.h>

#include "engine/engine_int.h"

static size_t key_len(const char *s)
{
	return strcspn(s, "=");
}

static bool env_has(const char *const *v, uint32_t n, const char *var)
{
	size_t k = key_len(var);
	for (uint32_t i = 0; i < n; i++)
		if (key_len(v[i]) == k && !strncmp(v[i], var, k))
			return true;
	return false;
}

static int merge_env(struct docker_container_config *c, const struct docker_image_config *i, struct arena *a)
{
	const char **v = arena_array(a, c->n_env + i->n_env, sizeof *v);
	uint32_t n = 0;
	if (!v)
		return -ENOMEM;
	for (uint32_t k = 0; k < c->n_env; k++)
		v[n++] = c->env[k];
	for (uint32_t k = 0; k < i->n_env; k++)
		if (!env_has(c->env, c->n_env, i->env[k]))
			v[n++] = i->env[k];
	c->env = v;
	c->n_env = n;
	return 0;
}

static int merge_set(struct docker_empty_entry **v, uint32_t *n, const struct docker_empty_entry *more, uint32_t n_more, struct arena *a)
{
	if (!n_more)
		return 0;
	struct docker_empty_entry *all = arena_array(a, *n + n_more, sizeof *all);
	uint32_t at = 0;
	if (!all)
		return -ENOMEM;
	for (uint32_t i = 0; i < *n; i++)
		all[at++] = (*v)[i];
	for (uint32_t i = 0; i < n_more; i++) {
		bool have = false;
		for (uint32_t k = 0; k < *n && !have; k++)
			have = !strcmp((*v)[k].key, more[i].key);
		if (!have)
			all[at++] = more[i];
	}
	*v = all;
	*n = at;
	return 0;
}

static int merge_labels(struct docker_container_config *c, const struct docker_image_config *i, struct arena *a)
{
	struct schema_pair *v = arena_array(a, c->n_labels + i->n_labels, sizeof *v);
	uint32_t n = 0;
	if (!v)
		return -ENOMEM;
	for (uint32_t k = 0; k < c->n_labels; k++)
		v[n++] = c->labels[k];
	for (uint32_t k = 0; k < i->n_labels; k++)
		if (!schema_pair_get(c->labels, c->n_labels, i->labels[k].key))
			v[n++] = i->labels[k];
	c->labels = v;
	c->n_labels = n;
	return 0;
}

static int merge_health(struct docker_container_config *c, const struct docker_healthcheck_config *i, struct arena *a)
{
	if (!i)
		return 0;
	struct docker_healthcheck_config *h = arena_new(a, struct docker_healthcheck_config);
	if (!h)
		return -ENOMEM;
	*h = c->healthcheck ? *c->healthcheck : *i;
	if (c->healthcheck) {
		if (!h->n_test) {
			h->test = i->test;
			h->n_test = i->n_test;
		}
		h->interval = h->interval ? h->interval : i->interval;
		h->timeout = h->timeout ? h->timeout : i->timeout;
		h->start_period = h->start_period ? h->start_period : i->start_period;
		h->start_interval = h->start_interval ? h->start_interval : i->start_interval;
		h->retries = h->retries ? h->retries : i->retries;
	}
	c->healthcheck = h;
	return 0;
}

int merge_image(struct docker_container_config *c, const struct docker_image_config *i, struct arena *a, struct err *e)
{
	if (!c->user || !*c->user)
		c->user = i->user;
	if (!c->working_dir || !*c->working_dir)
		c->working_dir = i->working_dir;
	if (!c->stop_signal || !*c->stop_signal)
		c->stop_signal = i->stop_signal;
	if (!c->shell) {
		c->shell = i->shell;
		c->n_shell = i->n_shell;
	}
	if (!c->n_entrypoint) {
		if (!c->n_cmd) {
			c->cmd = i->cmd;
			c->n_cmd = i->n_cmd;
		}
		if (!c->entrypoint) {
			c->entrypoint = i->entrypoint;
			c->n_entrypoint = i->n_entrypoint;
		}
	}
	int r = merge_env(c, i, a);
	if (r == 0)
		r = merge_labels(c, i, a);
	if (r == 0)
		r = merge_set(&c->exposed_ports, &c->n_exposed_ports, i->exposed_ports, i->n_exposed_ports, a);
	if (r == 0)
		r = merge_set(&c->volumes, &c->n_volumes, i->volumes, i->n_volumes, a);
	if (r == 0)
		r = merge_health(c, i->healthcheck, a);
	return r < 0 ? err_nomem(e) : 0;
}
