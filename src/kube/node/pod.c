/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at pods: containers of a spec beside what was observed, names for people, ports. Pure. */
#include "kube/node/node_int.h"

#include <errno.h>
#include <stddef.h>

#include "base/clock.h"

/* An ephemeral container is a container with a target behind it. */
_Static_assert(offsetof(struct kube_ephemeral_container, target_container_name) == sizeof(struct kube_container), "layout");

bool is_true(const bool *p)
{
	return p && *p;
}

const char *annotation(const struct schema_pair *v, uint32_t n, const char *key)
{
	const char *s = schema_pair_get(v, n, key);
	return s ? s : "";
}

bool pod_is_host_network(const struct kube_pod *pod)
{
	return pod->spec.host_network;
}

const char *pod_full_name(const struct kube_pod *pod, struct arena *a)
{
	const char *s = arena_fmt(a, "%s_%s(%s)", pod->metadata.name, pod->metadata.namespace, pod->metadata.uid);
	return s ? s : "";
}

const char *container_field_path(const struct pod_container *c, struct arena *a)
{
	static const char *const lists[] = { "initContainers", "containers", "ephemeralContainers" };
	return arena_fmt(a, "spec.%s{%s}", lists[c->kind], c->spec->name);
}

int64_t pod_grace_s(const struct kube_pod *pod)
{
	if (pod->metadata.deletion_timestamp && pod->metadata.deletion_grace_period_seconds)
		return MAX(*pod->metadata.deletion_grace_period_seconds, 0);
	return pod->spec.termination_grace_period_seconds ? MAX(*pod->spec.termination_grace_period_seconds, 0) : 30;
}

const struct kube_container_status *pod_old_status(const struct kube_pod *pod, const struct pod_container *c)
{
	const struct kube_pod_status *s = &pod->status;
	const struct kube_container_status *v = c->kind == CONTAINER_INIT ? s->init_container_statuses :
		c->kind == CONTAINER_REGULAR ? s->container_statuses : s->ephemeral_container_statuses;
	uint32_t n = c->kind == CONTAINER_INIT ? s->n_init_container_statuses :
		c->kind == CONTAINER_REGULAR ? s->n_container_statuses : s->n_ephemeral_container_statuses;

	for (uint32_t i = 0; i < n; i++)
		if (v[i].name && !strcmp(v[i].name, c->spec->name))
			return &v[i];
	return NULL;
}

unsigned container_port(const struct kube_container *c, const struct schema_int_or_string *port)
{
	if (!port->string)
		return port->number > 0 && port->number < 65536 ? (unsigned)port->number : 0;
	for (uint32_t i = 0; i < c->n_ports; i++)
		if (c->ports[i].name && !strcmp(c->ports[i].name, port->string))
			return (unsigned)c->ports[i].container_port;
	unsigned n = 0;
	for (const char *s = port->string; *s; s++) {
		if (*s < '0' || *s > '9' || n > 65535)
			return 0;
		n = n * 10 + (unsigned)(*s - '0');
	}
	return n < 65536 ? n : 0;
}

static struct container_memory *memory_of(struct list *memories, const char *name)
{
	struct container_memory *m;
	list_each(m, memories, node)
		if (!strcmp(m->name, name))
			return m;
	m = calloc(1, sizeof *m);
	if (!m)
		return NULL;
	fmt_into(m->name, sizeof m->name, "%s", name);
	m->failed_grace = -1;
	list_add_tail(memories, &m->node);
	return m;
}

static void find_observed(struct pod_container *c, const struct pod_observed *o)
{
	for (uint32_t i = 0; i < o->n_containers; i++) {
		const struct cri_container_status *s = &o->containers[i];
		if (!s->metadata || !s->metadata->name || strcmp(s->metadata->name, c->spec->name))
			continue;
		if (!c->now) {
			c->now = s;
			c->is_current = o->n_sandboxes && o->sandbox_of[i] && !strcmp(o->sandbox_of[i], o->sandboxes[0].id);
		} else if (!c->before) {
			c->before = s;
		}
	}
}

int pod_containers(const struct kube_pod *pod, const struct pod_observed *o, struct list *memories, struct arena *a, struct pod_container **ret,
	unsigned *n)
{
	const struct kube_pod_spec *spec = &pod->spec;
	unsigned total = spec->n_init_containers + spec->n_containers + spec->n_ephemeral_containers, k = 0;
	struct pod_container *v = arena_array(a, total + 1, sizeof *v);
	struct kube_container *copies = arena_array(a, spec->n_ephemeral_containers + 1, sizeof *copies);

	if (!v || !copies || total > NODE_MAX_CONTAINERS)
		return total > NODE_MAX_CONTAINERS ? -E2BIG : -ENOMEM;
	for (uint32_t i = 0; i < spec->n_init_containers; i++) {
		const struct kube_container *c = &spec->init_containers[i];
		v[k++] = (struct pod_container){ .kind = CONTAINER_INIT, .spec = c,
			.is_sidecar = c->restart_policy && !strcmp(c->restart_policy, "Always") };
	}
	for (uint32_t i = 0; i < spec->n_containers; i++)
		v[k++] = (struct pod_container){ .kind = CONTAINER_REGULAR, .spec = &spec->containers[i] };
	for (uint32_t i = 0; i < spec->n_ephemeral_containers; i++) {
		memcpy(&copies[i], &spec->ephemeral_containers[i], sizeof copies[i]);
		v[k++] = (struct pod_container){ .kind = CONTAINER_EPHEMERAL, .spec = &copies[i],
			.target = spec->ephemeral_containers[i].target_container_name };
	}
	for (unsigned i = 0; i < k; i++) {
		v[i].memory = memory_of(memories, v[i].spec->name);
		if (!v[i].memory)
			return -ENOMEM;
		find_observed(&v[i], o);
	}
	*ret = v;
	*n = k;
	return 0;
}

/* --- references ---------------------------------------------------------------------------------------------- */

static bool is(const char *a, const char *b)
{
	return a && !strcmp(a, b);
}

static bool container_refers(const struct kube_container *c, bool secret, const char *name)
{
	for (uint32_t i = 0; i < c->n_env_from; i++) {
		const struct kube_env_from_source *f = &c->env_from[i];
		if (secret ? f->secret_ref && is(f->secret_ref->name, name) : f->config_map_ref && is(f->config_map_ref->name, name))
			return true;
	}
	for (uint32_t i = 0; i < c->n_env; i++) {
		const struct kube_env_var_source *v = c->env[i].value_from;
		if (v && (secret ? v->secret_key_ref && is(v->secret_key_ref->name, name) : v->config_map_key_ref && is(v->config_map_key_ref->name, name)))
			return true;
	}
	return false;
}

static bool volume_refers(const struct kube_volume *v, bool secret, const char *name)
{
	if (secret ? v->secret && is(v->secret->secret_name, name) : v->config_map && is(v->config_map->name, name))
		return true;
	for (uint32_t i = 0; v->projected && i < v->projected->n_sources; i++) {
		const struct kube_volume_projection *p = &v->projected->sources[i];
		if (secret ? p->secret && is(p->secret->name, name) : p->config_map && is(p->config_map->name, name))
			return true;
	}
	return false;
}

bool pod_refers(const struct kube_pod *pod, const char *plural, const char *name)
{
	bool secret = is(plural, "secrets");

	for (uint32_t i = 0; i < pod->spec.n_volumes; i++)
		if (volume_refers(&pod->spec.volumes[i], secret, name))
			return true;
	for (uint32_t i = 0; i < pod->spec.n_init_containers; i++)
		if (container_refers(&pod->spec.init_containers[i], secret, name))
			return true;
	for (uint32_t i = 0; i < pod->spec.n_containers; i++)
		if (container_refers(&pod->spec.containers[i], secret, name))
			return true;
	for (uint32_t i = 0; secret && i < pod->spec.n_image_pull_secrets; i++)
		if (is(pod->spec.image_pull_secrets[i].name, name))
			return true;
	return false;
}
