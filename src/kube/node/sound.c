/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a pod what an API server may hand out? Names become paths here and
 * members are looked at without asking, so what the server's validation
 * promises is checked once more at the door. Pure.
 */
#include <errno.h>

#include "base/path.h"
#include "kube/node/node_int.h"

static bool is_name(const char *s)
{
	return s && path_is_name(slice_of(s)) && strlen(s) < 254;
}

static int bad(struct err *e, const char *what)
{
	return err_set(e, EINVAL, "the pod's %s is missing or no name", what);
}

static int words(const char **v, uint32_t n, const char *what, struct err *e)
{
	for (uint32_t i = 0; i < n; i++)
		if (!v[i])
			return bad(e, what);
	return 0;
}

static int handler(const struct kube_lifecycle_handler *h, struct err *e)
{
	if (!h)
		return 0;
	if (h->exec && words(h->exec->command, h->exec->n_command, "hook", e) < 0)
		return -EINVAL;
	for (uint32_t i = 0; h->http_get && i < h->http_get->n_http_headers; i++)
		if (!h->http_get->http_headers[i].name || !h->http_get->http_headers[i].value)
			return bad(e, "hook's header");
	return 0;
}

static int probe(const struct kube_probe *p, struct err *e)
{
	struct kube_lifecycle_handler h = { .exec = p ? p->exec : NULL, .http_get = p ? p->http_get : NULL };
	return handler(&h, e);
}

static int environment(const struct kube_container *c, struct err *e)
{
	for (uint32_t i = 0; i < c->n_env; i++) {
		const struct kube_env_var_source *s = c->env[i].value_from;
		if (!c->env[i].name)
			return bad(e, "variable");
		if (s && ((s->config_map_key_ref && (!is_name(s->config_map_key_ref->name) || !s->config_map_key_ref->key)) ||
			(s->secret_key_ref && (!is_name(s->secret_key_ref->name) || !s->secret_key_ref->key))))
			return bad(e, "variable's source");
	}
	for (uint32_t i = 0; i < c->n_env_from; i++) {
		const struct kube_env_from_source *f = &c->env_from[i];
		if ((f->config_map_ref && !is_name(f->config_map_ref->name)) || (f->secret_ref && !is_name(f->secret_ref->name)))
			return bad(e, "environment's source");
	}
	return 0;
}

static int container(const struct kube_container *c, struct err *e)
{
	if (!is_name(c->name) || strlen(c->name) > 63)
		return bad(e, "container");
	for (uint32_t i = 0; i < c->n_volume_mounts; i++)
		if (!is_name(c->volume_mounts[i].name) || !c->volume_mounts[i].mount_path || !*c->volume_mounts[i].mount_path)
			return bad(e, "volume mount");
	for (uint32_t i = 0; i < c->n_resize_policy; i++)
		if (!c->resize_policy[i].resource_name)
			return bad(e, "resize policy");
	int r = words(c->command, c->n_command, "command", e);
	if (r == 0)
		r = words(c->args, c->n_args, "arguments", e);
	if (r == 0)
		r = environment(c, e);
	if (r == 0)
		r = probe(c->startup_probe, e);
	if (r == 0)
		r = probe(c->liveness_probe, e);
	if (r == 0)
		r = probe(c->readiness_probe, e);
	if (r == 0 && c->lifecycle)
		r = handler(c->lifecycle->post_start, e);
	if (r == 0 && c->lifecycle)
		r = handler(c->lifecycle->pre_stop, e);
	return r;
}

static int items(const struct kube_key_to_path *v, uint32_t n, struct err *e)
{
	for (uint32_t i = 0; i < n; i++)
		if (!v[i].key || !v[i].path)
			return bad(e, "volume item");
	return 0;
}

static int downward(const struct kube_downward_api_volume_file *v, uint32_t n, struct err *e)
{
	for (uint32_t i = 0; i < n; i++)
		if (!v[i].path)
			return bad(e, "volume item");
	return 0;
}

static int projected(const struct kube_projected_volume_source *p, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; i < p->n_sources && r == 0; i++) {
		const struct kube_volume_projection *s = &p->sources[i];
		if ((s->config_map && !is_name(s->config_map->name)) || (s->secret && !is_name(s->secret->name)) ||
			(s->service_account_token && !s->service_account_token->path))
			return bad(e, "projected source");
		if (s->config_map)
			r = items(s->config_map->items, s->config_map->n_items, e);
		else if (s->secret)
			r = items(s->secret->items, s->secret->n_items, e);
		else if (s->downward_api)
			r = downward(s->downward_api->items, s->downward_api->n_items, e);
	}
	return r;
}

static int volume(const struct kube_volume *v, struct err *e)
{
	if (!is_name(v->name))
		return bad(e, "volume");
	if ((v->host_path && !v->host_path->path) || (v->config_map && !is_name(v->config_map->name)) || (v->secret && !is_name(v->secret->secret_name)) ||
		(v->persistent_volume_claim && !is_name(v->persistent_volume_claim->claim_name)))
		return bad(e, "volume source");
	if (v->config_map)
		return items(v->config_map->items, v->config_map->n_items, e);
	if (v->secret)
		return items(v->secret->items, v->secret->n_items, e);
	if (v->downward_api)
		return downward(v->downward_api->items, v->downward_api->n_items, e);
	return v->projected ? projected(v->projected, e) : 0;
}

static int network(const struct kube_pod_spec *s, struct err *e)
{
	for (uint32_t i = 0; i < s->n_host_aliases; i++)
		if (!s->host_aliases[i].ip || words(s->host_aliases[i].hostnames, s->host_aliases[i].n_hostnames, "host alias", NULL) < 0)
			return bad(e, "host alias");
	for (uint32_t i = 0; s->dns_config && i < s->dns_config->n_options; i++)
		if (!s->dns_config->options[i].name)
			return bad(e, "DNS option");
	for (uint32_t i = 0; i < s->n_readiness_gates; i++)
		if (!s->readiness_gates[i].condition_type)
			return bad(e, "readiness gate");
	return 0;
}

int pod_is_sound(const struct kube_pod *pod, struct err *e)
{
	const struct kube_pod_spec *s = &pod->spec;
	struct kube_container copy;
	int r = 0;

	if (!is_name(pod->metadata.name) || !is_name(pod->metadata.namespace) || !is_name(pod->metadata.uid))
		return bad(e, "name, namespace or uid");
	for (uint32_t i = 0; i < s->n_containers && r == 0; i++)
		r = container(&s->containers[i], e);
	for (uint32_t i = 0; i < s->n_init_containers && r == 0; i++)
		r = container(&s->init_containers[i], e);
	for (uint32_t i = 0; i < s->n_ephemeral_containers && r == 0; i++) {
		memcpy(&copy, &s->ephemeral_containers[i], sizeof copy);
		r = container(&copy, e);
	}
	for (uint32_t i = 0; i < s->n_volumes && r == 0; i++)
		r = volume(&s->volumes[i], e);
	return r < 0 ? r : network(s, e);
}
