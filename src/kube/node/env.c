/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment of a container: services of its namespace, then envFrom, then
 * env, later ones over earlier; $(NAME) refers to what came before. And the
 * values that fieldRef and resourceFieldRef name, for volumes too.
 */
#include "kube/node/node_int.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "schema/quantity.h"

enum { ENV_MAX = 20000 };

struct env {
	const struct config_in *in;
	struct arena *a;
	struct schema_pair *v;
	uint32_t n, cap;
	int error;
};

static void set(struct env *x, const char *key, const char *value)
{
	if (!key || !value) {
		x->error = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < x->n; i++)
		if (!strcmp(x->v[i].key, key)) {
			x->v[i].value = value;
			return;
		}
	if (x->n == x->cap) {
		uint32_t cap = x->cap ? x->cap * 2 : 64;
		struct schema_pair *v = cap <= ENV_MAX ? arena_array(x->a, cap, sizeof *v) : NULL;
		if (!v) {
			x->error = -E2BIG;
			return;
		}
		if (x->n)
			memcpy(v, x->v, x->n * sizeof *v);
		x->v = v;
		x->cap = cap;
	}
	x->v[x->n++] = (struct schema_pair){ key, value };
}

const char *env_expand(struct arena *a, const char *text, const struct schema_pair *env, uint32_t n)
{
	if (!text || !strchr(text, '$'))
		return text;
	AUTO(buf) struct buf b = BUF_INIT(4 << 20);
	for (const char *p = text; *p; p++) {
		const char *end;
		if (*p != '$' || !p[1]) {
			buf_addc(&b, *p);
		} else if (p[1] == '$') {
			buf_addc(&b, '$');
			p++;
		} else if (p[1] == '(' && (end = strchr(p, ')'))) {
			struct slice name = slice_n(p + 2, (size_t)(end - p - 2));
			const char *value = NULL;
			for (uint32_t i = 0; i < n && !value; i++)
				if (slice_is(name, env[i].key))
					value = env[i].value;
			if (value)
				buf_adds(&b, value);
			else
				buf_add(&b, p, (size_t)(end - p + 1));
			p = end;
		} else {
			buf_addc(&b, *p);
		}
	}
	return buf_error(&b) < 0 ? NULL : arena_dup(a, buf_slice(&b));
}

/* --- services ------------------------------------------------------------------------------------------------ */

static const char *env_name(struct arena *a, const char *s)
{
	char *r = arena_strdup(a, s);
	for (char *p = r; p && *p; p++)
		*p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
	return r;
}

static void add_service(struct env *x, const struct kube_service *s)
{
	struct arena *a = x->a;
	const char *name = env_name(a, s->metadata.name), *ip = s->spec.cluster_ip;

	if (!name || !ip || !*ip || !strcmp(ip, "None") || !s->spec.n_ports)
		return;
	set(x, arena_fmt(a, "%s_SERVICE_HOST", name), ip);
	set(x, arena_fmt(a, "%s_SERVICE_PORT", name), arena_fmt(a, "%d", s->spec.ports[0].port));
	for (uint32_t i = 0; i < s->spec.n_ports; i++) {
		const struct kube_service_port *p = &s->spec.ports[i];
		if (p->name && *p->name)
			set(x, arena_fmt(a, "%s_SERVICE_PORT_%s", name, env_name(a, p->name)), arena_fmt(a, "%d", p->port));
	}
	for (uint32_t i = 0; i < s->spec.n_ports; i++) {
		const struct kube_service_port *p = &s->spec.ports[i];
		const char *protocol = p->protocol && *p->protocol ? p->protocol : "TCP";
		char *lower = arena_strdup(a, protocol);
		for (char *c = lower; c && *c; c++)
			*c = (char)tolower((unsigned char)*c);
		const char *url = arena_fmt(a, "%s://%s:%d", lower ? lower : "", ip, p->port);
		const char *prefix = arena_fmt(a, "%s_PORT_%d_%s", name, p->port, protocol);
		if (!prefix)
			return;
		if (i == 0)
			set(x, arena_fmt(a, "%s_PORT", name), url);
		set(x, prefix, url);
		set(x, arena_fmt(a, "%s_PROTO", prefix), lower);
		set(x, arena_fmt(a, "%s_PORT", prefix), arena_fmt(a, "%d", p->port));
		set(x, arena_fmt(a, "%s_ADDR", prefix), arena_strdup(a, ip));
	}
}

static int own_service(void *arg, const struct kube_service *s)
{
	struct env *x = arg;
	/* strings of the cache may go while this fiber waits */
	struct kube_service copy;
	if (schema_copy(T_kube_service, s, x->a, &copy) == 0)
		add_service(x, &copy);
	return 0;
}

static int master_service(void *arg, const struct kube_service *s)
{
	return s->metadata.name && !strcmp(s->metadata.name, "kubernetes") ? own_service(arg, s) : 0;
}

static void services(struct env *x)
{
	struct node_api *api = x->in->api;
	const struct kube_pod *pod = x->in->pod;
	bool links = !pod->spec.enable_service_links || *pod->spec.enable_service_links;

	if (!api->each_service)
		return;
	api->each_service(api, "default", master_service, x);
	if (links)
		api->each_service(api, pod->metadata.namespace, own_service, x);
}

/* --- config maps and secrets --------------------------------------------------------------------------------- */

static int config_map_wait(struct env *x, const char *name, bool optional, struct kube_config_map *ret, struct err *e)
{
	const char *ns = x->in->pod->metadata.namespace;
	int r = x->in->api->get_wait(x->in->api, kube_resource_find("", "v1", "configmaps"), ns, name, x->a, ret, e);

	if (r == -ENOENT)
		return optional ? 0 : err_set(e, EINVAL, "configmap \"%s\" not found", name);
	return r < 0 ? r : 1;
}

static int secret_wait(struct env *x, const char *name, bool optional, struct kube_secret *ret, struct err *e)
{
	const char *ns = x->in->pod->metadata.namespace;
	int r = x->in->api->get_wait(x->in->api, kube_resource_find("", "v1", "secrets"), ns, name, x->a, ret, e);

	if (r == -ENOENT)
		return optional ? 0 : err_set(e, EINVAL, "secret \"%s\" not found", name);
	return r < 0 ? r : 1;
}

static bool is_env_name(const char *s)
{
	if (!s || !*s || (*s >= '0' && *s <= '9'))
		return false;
	for (; *s; s++)
		if (*s == '=' || (unsigned char)*s < 33 || (unsigned char)*s > 126)
			return false;
	return true;
}

static void set_prefixed(struct env *x, const char *prefix, const char *key, const char *value)
{
	const char *name = prefix && *prefix ? arena_fmt(x->a, "%s%s", prefix, key) : key;
	if (is_env_name(name))
		set(x, name, value);
}

static int from_wait(struct env *x, const struct kube_env_from_source *f, struct err *e)
{
	int r = 0;

	if (f->config_map_ref) {
		struct kube_config_map m;
		r = config_map_wait(x, f->config_map_ref->name, is_true(f->config_map_ref->optional), &m, e);
		for (uint32_t i = 0; r > 0 && i < m.n_data; i++)
			set_prefixed(x, f->prefix, m.data[i].key, m.data[i].value);
	}
	if (r >= 0 && f->secret_ref) {
		struct kube_secret s;
		r = secret_wait(x, f->secret_ref->name, is_true(f->secret_ref->optional), &s, e);
		for (uint32_t i = 0; r > 0 && i < s.n_data; i++)
			set_prefixed(x, f->prefix, s.data[i].key, arena_dup(x->a, s.data[i].value));
	}
	return r < 0 ? r : 0;
}

/* 1 and a value; 0: optional and not there. */
static int config_map_key_wait(struct env *x, const struct kube_config_map_key_selector *k, const char **ret, struct err *e)
{
	struct kube_config_map m;
	int r = config_map_wait(x, k->name, is_true(k->optional), &m, e);

	if (r <= 0)
		return r;
	*ret = schema_pair_get(m.data, m.n_data, k->key);
	if (*ret)
		return 1;
	return is_true(k->optional) ? 0 : err_set(e, EINVAL, "couldn't find key %s in ConfigMap %s/%s", k->key, x->in->pod->metadata.namespace, k->name);
}

static int secret_key_wait(struct env *x, const struct kube_secret_key_selector *k, const char **ret, struct err *e)
{
	struct kube_secret s;
	int r = secret_wait(x, k->name, is_true(k->optional), &s, e);

	if (r <= 0)
		return r;
	for (uint32_t i = 0; i < s.n_data; i++)
		if (!strcmp(s.data[i].key, k->key)) {
			*ret = arena_dup(x->a, s.data[i].value);
			return *ret ? 1 : err_nomem(e);
		}
	return is_true(k->optional) ? 0 : err_set(e, EINVAL, "couldn't find key %s in Secret %s/%s", k->key, x->in->pod->metadata.namespace, k->name);
}

/* --- fields -------------------------------------------------------------------------------------------------- */

static const char *joined(const struct config_in *in, struct arena *a)
{
	AUTO(buf) struct buf b = BUF_INIT(4096);
	for (unsigned i = 0; i < in->n_pod_ips; i++)
		buf_addf(&b, "%s%s", i ? "," : "", in->pod_ips[i]);
	return arena_dup(a, buf_slice(&b));
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct schema_pair *)a)->key, ((const struct schema_pair *)b)->key);
}

static void quote(struct buf *b, const char *s)
{
	buf_addc(b, '"');
	for (; s && *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\')
			buf_addf(b, "\\%c", c);
		else if (c == '\n')
			buf_adds(b, "\\n");
		else if (c == '\t')
			buf_adds(b, "\\t");
		else if (c == '\r')
			buf_adds(b, "\\r");
		else if (c < 32 || c == 127)
			buf_addf(b, "\\x%02x", c);
		else
			buf_addc(b, (char)c);
	}
	buf_addc(b, '"');
}

/* key="value" lines by key, as the downward API writes maps. */
static const char *map_text(struct arena *a, const struct schema_pair *v, uint32_t n)
{
	AUTO(buf) struct buf b = BUF_INIT(4 << 20);
	struct schema_pair *sorted = arena_array(a, n + 1, sizeof *sorted);

	if (!sorted)
		return NULL;
	if (n)
		memcpy(sorted, v, n * sizeof *v);
	qsort(sorted, n, sizeof *sorted, by_key);
	for (uint32_t i = 0; i < n; i++) {
		buf_addf(&b, "%s%s=", i ? "\n" : "", sorted[i].key);
		quote(&b, sorted[i].value);
	}
	return arena_dup(a, buf_slice(&b));
}

int field_value(const struct config_in *in, const char *path, struct arena *a, const char **ret, struct err *e)
{
	const struct kube_pod *p = in->pod;
	const struct kube_object_meta *m = &p->metadata;
	const struct { const char *path, *value; } rows[] = {
		{ "metadata.name", m->name }, { "metadata.namespace", m->namespace }, { "metadata.uid", m->uid },
		{ "spec.nodeName", p->spec.node_name ? p->spec.node_name : in->set->name },
		{ "spec.serviceAccountName", p->spec.service_account_name }, { "status.hostIP", in->set->ip }, { "status.hostIPs", in->set->ip },
		{ "status.podIP", in->pod_ip },
	};
	struct slice s = slice_of(path);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (slice_is(s, rows[i].path)) {
			*ret = rows[i].value ? rows[i].value : "";
			return 0;
		}
	bool labels = slice_starts(s, "metadata.labels");
	const struct schema_pair *v = labels ? m->labels : m->annotations;
	uint32_t n = labels ? m->n_labels : m->n_annotations;
	if (slice_is(s, "status.podIPs")) {
		*ret = joined(in, a);
	} else if (slice_is(s, "metadata.labels") || slice_is(s, "metadata.annotations")) {
		*ret = map_text(a, v, n);
	} else if ((labels || slice_starts(s, "metadata.annotations")) && slice_ends(s, "']")) {
		ptrdiff_t at = slice_find(s, '\'');
		const char *key = at > 0 && (size_t)at + 3 <= s.len ? arena_dup(a, slice_n(s.ptr + at + 1, s.len - (size_t)at - 3)) : NULL;
		const char *value = key ? schema_pair_get(v, n, key) : NULL;
		*ret = value ? value : "";
	} else {
		return err_set(e, EINVAL, "unsupported fieldPath: %s", path);
	}
	return *ret ? 0 : err_nomem(e);
}

int resource_value(const struct config_in *in, const struct kube_container *c, const char *resource, const char *divisor, struct arena *a,
	const char **ret, struct err *e)
{
	struct slice kind, name;
	struct quantity q = { 0 }, d = { 0 };
	const char *text = NULL;

	slice_cut(slice_of(resource), '.', &kind, &name);
	bool limit = slice_is(kind, "limits");
	const struct kube_quantity_entry *v = limit ? c->resources.limits : c->resources.requests;
	uint32_t n = limit ? c->resources.n_limits : c->resources.n_requests;
	if (!limit && !slice_is(kind, "requests"))
		return err_set(e, EINVAL, "Unsupported container resource : %s", resource);
	for (uint32_t i = 0; i < n; i++)
		if (slice_is(name, v[i].key))
			text = v[i].value;
	if (text)
		quantity_parse(slice_of(text), &q, NULL);
	else if (limit && slice_is(name, "cpu"))
		q.nano = (__int128)in->set->cpu_milli * 1000000;      /* without a limit, the node's */
	else if (limit && slice_is(name, "memory"))
		q.nano = (__int128)in->set->memory_bytes * 1000000000;
	if (!divisor || !*divisor || quantity_parse(slice_of(divisor), &d, NULL) < 0 || d.nano <= 0)
		d.nano = 1000000000;
	__int128 r = (q.nano + d.nano - 1) / d.nano;
	*ret = arena_fmt(a, "%lld", (long long)r);
	return *ret ? 0 : err_nomem(e);
}

static const struct kube_container *container_named(const struct kube_pod *pod, const char *name)
{
	for (uint32_t i = 0; i < pod->spec.n_containers; i++)
		if (!strcmp(pod->spec.containers[i].name, name))
			return &pod->spec.containers[i];
	for (uint32_t i = 0; i < pod->spec.n_init_containers; i++)
		if (!strcmp(pod->spec.init_containers[i].name, name))
			return &pod->spec.init_containers[i];
	return NULL;
}

static int source_wait(struct env *x, const struct pod_container *c, const struct kube_env_var_source *s, const char **ret, struct err *e)
{
	if (s->field_ref) {
		int r = field_value(x->in, s->field_ref->field_path ? s->field_ref->field_path : "", x->a, ret, e);
		return r < 0 ? r : 1;
	}
	if (s->resource_field_ref) {
		const struct kube_resource_field_selector *f = s->resource_field_ref;
		const struct kube_container *of = f->container_name && *f->container_name ? container_named(x->in->pod, f->container_name) : c->spec;
		if (!of)
			return err_set(e, EINVAL, "container %s not found", f->container_name);
		int r = resource_value(x->in, of, f->resource ? f->resource : "", f->divisor, x->a, ret, e);
		return r < 0 ? r : 1;
	}
	if (s->config_map_key_ref)
		return config_map_key_wait(x, s->config_map_key_ref, ret, e);
	if (s->secret_key_ref)
		return secret_key_wait(x, s->secret_key_ref, ret, e);
	return err_set(e, EINVAL, "an environment variable has a source that this node does not know");
}

int env_make_wait(const struct config_in *in, const struct pod_container *c, struct arena *a, struct schema_pair **ret, uint32_t *n, struct err *e)
{
	struct env x = { .in = in, .a = a };
	int r = 0;

	services(&x);
	for (uint32_t i = 0; r >= 0 && i < c->spec->n_env_from; i++)
		r = from_wait(&x, &c->spec->env_from[i], e);
	for (uint32_t i = 0; r >= 0 && i < c->spec->n_env; i++) {
		const struct kube_env_var *v = &c->spec->env[i];
		const char *value = NULL;
		if (v->value_from) {
			r = source_wait(&x, c, v->value_from, &value, e);
			if (r <= 0)
				continue;
		} else {
			value = env_expand(a, v->value ? v->value : "", x.v, x.n);
		}
		set(&x, v->name, value);
	}
	if (r < 0)
		return r;
	if (x.error)
		return err_set(e, x.error, "the environment of container %s is too large", c->spec->name);
	*ret = x.v;
	*n = x.n;
	return 0;
}
