/* SPDX-License-Identifier: Apache-2.0 */
/* The files of config map, secret, downward API and projected volumes, gathered from the API server. */
#include "kube/node/node_int.h"

#include <errno.h>

enum { FILES_MAX = 10000 };

struct gather {
	const struct config_in *in;
	struct arena *a;
	struct data_files *out;
	unsigned mode;
	int64_t uid;
};

static int put(struct gather *g, const char *path, struct slice data, const int32_t *mode, struct err *e)
{
	struct data_files *f = g->out;

	if (f->n == f->cap) {
		unsigned cap = f->cap ? f->cap * 2 : 16;
		struct atomic_file *v = cap <= FILES_MAX ? arena_array(g->a, cap, sizeof *v) : NULL;
		if (!v)
			return err_set(e, E2BIG, "a volume has too many files");
		if (f->n)
			memcpy(v, f->v, f->n * sizeof *v);
		f->v = v;
		f->cap = cap;
	}
	for (unsigned i = 0; i < f->n; i++)
		if (!strcmp(f->v[i].path, path)) {
			f->v[i].data = data;         /* the later source of a projected volume counts */
			return 0;
		}
	f->v[f->n++] = (struct atomic_file){ .path = path, .data = data, .mode = mode ? (unsigned)*mode & 07777 : g->mode, .uid = g->uid };
	return 0;
}

/* Key and bytes of config maps and secrets in one form. */
struct entry { const char *key; struct slice data; };

static int put_entries(struct gather *g, const struct entry *v, uint32_t n, const struct kube_key_to_path *items, uint32_t n_items, bool optional,
	const char *what, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; i < n && !n_items && r == 0; i++)
		r = put(g, v[i].key, v[i].data, NULL, e);
	for (uint32_t k = 0; k < n_items && r == 0; k++) {
		uint32_t i = 0;
		while (i < n && strcmp(v[i].key, items[k].key))
			i++;
		if (i < n)
			r = put(g, items[k].path, v[i].data, items[k].mode, e);
		else if (!optional)
			r = err_set(e, EINVAL, "references non-existent %s key: %s", what, items[k].key);
	}
	return r;
}

static int config_map_wait(struct gather *g, const char *name, const struct kube_key_to_path *items, uint32_t n_items, bool optional, struct err *e)
{
	struct kube_config_map m = { 0 };
	uint32_t n = 0;
	int r = g->in->api->get_wait(g->in->api, kube_resource_find("", "v1", "configmaps"), g->in->pod->metadata.namespace, name, g->a, &m, e);

	if (r == -ENOENT)
		return optional ? 0 : err_set(e, EINVAL, "configmap \"%s\" not found", name);
	struct entry *v = r < 0 ? NULL : arena_array(g->a, m.n_data + m.n_binary_data + 1, sizeof *v);
	if (!v)
		return r < 0 ? r : err_nomem(e);
	for (uint32_t i = 0; i < m.n_data; i++)
		v[n++] = (struct entry){ m.data[i].key, slice_of(m.data[i].value ? m.data[i].value : "") };
	for (uint32_t i = 0; i < m.n_binary_data; i++)
		v[n++] = (struct entry){ m.binary_data[i].key, m.binary_data[i].value };
	return put_entries(g, v, n, items, n_items, optional, "config", e);
}

static int secret_wait(struct gather *g, const char *name, const struct kube_key_to_path *items, uint32_t n_items, bool optional, struct err *e)
{
	struct kube_secret s = { 0 };
	int r = g->in->api->get_wait(g->in->api, kube_resource_find("", "v1", "secrets"), g->in->pod->metadata.namespace, name, g->a, &s, e);

	if (r == -ENOENT)
		return optional ? 0 : err_set(e, EINVAL, "secret \"%s\" not found", name);
	struct entry *v = r < 0 ? NULL : arena_array(g->a, s.n_data + 1, sizeof *v);
	if (!v)
		return r < 0 ? r : err_nomem(e);
	for (uint32_t i = 0; i < s.n_data; i++)
		v[i] = (struct entry){ s.data[i].key, s.data[i].value };
	return put_entries(g, v, s.n_data, items, n_items, optional, "secret", e);
}

static const struct kube_container *container_named(const struct kube_pod *pod, const char *name)
{
	for (uint32_t i = 0; name && i < pod->spec.n_containers; i++)
		if (!strcmp(pod->spec.containers[i].name, name))
			return &pod->spec.containers[i];
	for (uint32_t i = 0; name && i < pod->spec.n_init_containers; i++)
		if (!strcmp(pod->spec.init_containers[i].name, name))
			return &pod->spec.init_containers[i];
	return NULL;
}

static int downward(struct gather *g, const struct kube_downward_api_volume_file *v, uint32_t n, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; i < n && r == 0; i++) {
		const char *text = "";
		if (v[i].field_ref) {
			r = field_value(g->in, v[i].field_ref->field_path ? v[i].field_ref->field_path : "", g->a, &text, e);
		} else if (v[i].resource_field_ref) {
			const struct kube_resource_field_selector *f = v[i].resource_field_ref;
			const struct kube_container *c = container_named(g->in->pod, f->container_name);
			r = c ? resource_value(g->in, c, f->resource ? f->resource : "", f->divisor, g->a, &text, e) :
				err_set(e, EINVAL, "container %s not found", f->container_name ? f->container_name : "");
		}
		if (r == 0)
			r = put(g, v[i].path, slice_of(text), v[i].mode, e);
	}
	return r;
}

/* The one user that all containers run as, or -1. */
static int64_t only_user(const struct kube_pod *pod)
{
	const struct kube_pod_security_context *p = pod->spec.security_context;
	int64_t user = -1;

	for (uint32_t i = 0; i < pod->spec.n_containers + pod->spec.n_init_containers; i++) {
		const struct kube_container *c = i < pod->spec.n_containers ? &pod->spec.containers[i] : &pod->spec.init_containers[i - pod->spec.n_containers];
		const int64_t *u = c->security_context && c->security_context->run_as_user ? c->security_context->run_as_user : p ? p->run_as_user : NULL;
		if (!u || (i && *u != user))
			return -1;
		user = *u;
	}
	return user;
}

static int token_wait(struct gather *g, const struct kube_service_account_token_projection *t, struct err *e)
{
	const struct kube_pod *pod = g->in->pod;
	const char *account = pod->spec.service_account_name && *pod->spec.service_account_name ? pod->spec.service_account_name : "default";
	const char *audience = t->audience;
	int64_t seconds = t->expiration_seconds ? *t->expiration_seconds : 3600;
	struct kube_bound_object_reference bound = { .kind = "Pod", .api_version = "v1", .name = pod->metadata.name, .uid = pod->metadata.uid };
	struct kube_token_request q = { .spec = { .expiration_seconds = &seconds, .bound_object_ref = &bound } }, got = { 0 };
	int64_t user = only_user(pod), keep = g->uid;

	if (audience && *audience) {
		q.spec.audiences = &audience;
		q.spec.n_audiences = 1;
	}
	int r = g->in->api->token_wait(g->in->api, pod->metadata.namespace, account, &q, g->a, &got, e);
	if (r < 0)
		return e && e->code ? err_prefix(e, "failed to fetch token") : r;
	bool has_group = pod->spec.security_context && pod->spec.security_context->fs_group;
	int32_t mode = has_group || user >= 0 ? 0600 : (int32_t)g->mode;
	g->uid = has_group ? -1 : user;
	r = put(g, t->path, slice_of(got.status.token ? got.status.token : ""), &mode, e);
	g->uid = keep;
	return r;
}

static int projected_wait(struct gather *g, const struct kube_projected_volume_source *p, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; i < p->n_sources && r == 0; i++) {
		const struct kube_volume_projection *s = &p->sources[i];
		if (s->config_map)
			r = config_map_wait(g, s->config_map->name, s->config_map->items, s->config_map->n_items, is_true(s->config_map->optional), e);
		else if (s->secret)
			r = secret_wait(g, s->secret->name, s->secret->items, s->secret->n_items, is_true(s->secret->optional), e);
		else if (s->downward_api)
			r = downward(g, s->downward_api->items, s->downward_api->n_items, e);
		else if (s->service_account_token)
			r = token_wait(g, s->service_account_token, e);
		else
			r = err_set(e, EOPNOTSUPP, "a projected volume has a source that this node does not know");
	}
	return r;
}

int data_files_wait(const struct config_in *in, const struct kube_volume *v, struct arena *a, struct data_files *ret, struct err *e)
{
	struct gather g = { .in = in, .a = a, .out = ret, .mode = 0644, .uid = -1 };
	const int32_t *mode = v->config_map ? v->config_map->default_mode : v->secret ? v->secret->default_mode :
		v->downward_api ? v->downward_api->default_mode : v->projected->default_mode;
	int r;

	*ret = (struct data_files){ 0 };
	if (mode)
		g.mode = (unsigned)*mode & 07777;
	if (v->config_map)
		r = config_map_wait(&g, v->config_map->name, v->config_map->items, v->config_map->n_items, is_true(v->config_map->optional), e);
	else if (v->secret)
		r = secret_wait(&g, v->secret->secret_name, v->secret->items, v->secret->n_items, is_true(v->secret->optional), e);
	else if (v->downward_api)
		r = downward(&g, v->downward_api->items, v->downward_api->n_items, e);
	else
		r = projected_wait(&g, v->projected, e);
	const struct kube_pod_security_context *s = in->pod->spec.security_context;
	for (unsigned i = 0; r == 0 && s && s->fs_group && i < ret->n; i++)
		ret->v[i].mode |= 0040 | (ret->v[i].mode & 0200 ? 0040 : 0);     /* the group reads */
	return r;
}
