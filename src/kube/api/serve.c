/* SPDX-License-Identifier: Apache-2.0 */
/* The life of the server: resources, the HTTP servers in front (one for sockets, one for each identity in this process). */
#include "kube/api/api_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "kube/api/crds.h"
#include "kube/api/custom.h"
#include "kube/api/quota.h"

static const struct http_route routes[] = {
	{ "GET", "/", api_handle_wait, NULL }, { "GET", "/{path:*}", api_handle_wait, NULL },
	{ "POST", "/{path:*}", api_handle_wait, NULL }, { "PUT", "/{path:*}", api_handle_wait, NULL },
	{ "PATCH", "/{path:*}", api_handle_wait, NULL }, { "DELETE", "/{path:*}", api_handle_wait, NULL },
};

const char *const api_methods[API_METHODS] = { "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other" };

static void done(struct http_request *r, int status, int64_t duration_ns)
{
	const struct front *f = r->user;
	unsigned m = 0;
	while (m < API_METHODS - 1 && !slice_is(r->method, api_methods[m]))
		m++;
	f->api->n_answers[m][status >= 100 && status < 600 ? status / 100 : 0]++;
	log_debug("request", "method=%.*s target=%.*s status=%d us=%lld", SLICE_FMT(r->method), SLICE_FMT(r->target), status,
		(long long)(duration_ns / 1000));
}

static int front_new(struct kube_api *a, const struct kube_user *u, struct front **ret)
{
	struct front *f = calloc(1, sizeof *f);
	if (!f)
		return -ENOMEM;
	*f = (struct front){ .api = a, .user = u };
	const struct http_server_config c = { .routes = routes, .n_routes = ARRAY_LEN(routes), .user = f, .write_error = api_write_error, .done = done,
					      .max_connections = 10000 };
	int r = http_server_new(a->loop, &c, &f->server);
	if (r < 0) {
		free(f);
		return r;
	}
	f->next = a->fronts;
	a->fronts = f;
	*ret = f;
	return 0;
}

/* --- resources */

static char *path_key(const char *group, const char *version, const char *plural) { return fmt_new("%s/%s/%s", group, version, plural); }

struct api_resource *api_resource_find(const struct kube_api *a, const char *group, const char *version, const char *plural)
{
	char key[800];
	return fmt_into(key, sizeof key, "%s/%s/%s", group, version, plural) ? map_gets(&a->by_path, key) : NULL;
}

struct api_resource *api_resource_ref(struct api_resource *r)
{
	r->refs++;
	return r;
}

void api_resource_unref(struct api_resource *r)
{
	if (!r || --r->refs)
		return;
	struct api_resource *stored = r->stored != r ? r->stored : NULL;
	if (r->custom) {
		api_custom_free(r);
		api_resource_unref(stored);
		return;
	}
	free((char *)r->text);
	free((char *)r->api_version);
	free(r);
}

int api_resource_add(struct kube_api *a, struct api_resource *r)
{
	AUTO(free) char *key = path_key(r->row->group, r->row->version, r->row->plural);
	if (!key || map_sets(&a->by_path, key, r) < 0 || vec_push(&a->resources, r) < 0)
		return -ENOMEM;
	a->epoch++;
	return 0;
}

void api_resource_remove(struct kube_api *a, struct api_resource *r)
{
	AUTO(free) char *key = path_key(r->row->group, r->row->version, r->row->plural);
	if (key && map_gets(&a->by_path, key) == r)
		map_dels(&a->by_path, key);
	for (size_t i = 0; i < a->resources.n; i++)
		if (a->resources.v[i] == r) {
			vec_remove(&a->resources, i);
			break;
		}
	a->epoch++;
}

static int add_built_in(struct kube_api *a, const struct kube_resource *row)
{
	char text[300], version[300];
	struct api_resource *r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	r->refs = 1;
	r->row = row;
	r->text = fmt_new("%s", kube_resource_text(row, text, sizeof text));
	r->api_version = fmt_new("%s", kube_group_version_text(row->group, row->version, version, sizeof version));
	r->stored = r;
	r->has_status = kube_subresource_find(row, "status");
	if (!r->text || !r->api_version)
		return -ENOMEM;
	return api_resource_add(a, r);
}

static int add_built_ins(struct kube_api *a)
{
	for (unsigned i = 0; i < n_kube_resources; i++)
		if (add_built_in(a, &kube_resources[i]) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < a->resources.n; i++) {
		struct api_resource *r = a->resources.v[i];
		if (r->row->stored_as_group)
			r->stored = api_resource_find(a, r->row->stored_as_group, r->row->stored_as_version, r->row->plural);
		r->cache = api_cache_of(a, r->stored->text);
		if (!r->cache)
			return -ENOMEM;
		if (!r->row->stored_as_group)
			r->cache->of = r;
	}
	return 0;
}

/* --- life */

int kube_api_new(struct loop *l, const struct kube_api_config *c, struct kube_api **ret, struct err *e)
{
	struct kube_api *a = calloc(1, sizeof *a);
	struct front *f;
	if (!a)
		return err_nomem(e);
	a->loop = l;
	a->c = *c;
	a->store = c->store;
	map_init(&a->by_path);
	map_init(&a->caches);
	waitq_init(&a->seen);
	list_init(&a->watch.node);
	if (add_built_ins(a) < 0 || front_new(a, NULL, &f) < 0) {
		kube_api_free(a);
		return err_nomem(e);
	}
	const struct tls_files nothing = { 0 };
	int r = c->kubelet_tls ? tls_config_new(c->kubelet_tls, false, &a->kubelet_tls, e) : 0;
	if (r == 0 && c->kubelet_tls)
		r = tls_config_new(&nothing, false, &a->backend_tls, e);
	if (r < 0) {
		kube_api_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

int kube_api_reload(struct kube_api *a, const struct tls_files *kubelet, struct err *e)
{
	return a->kubelet_tls ? tls_config_reload(a->kubelet_tls, kubelet, e) : 0;
}

int kube_api_each_pod(struct kube_api *a, const char *node, int (*fn)(void *arg, const struct kube_pod *pod), void *arg)
{
	struct api_resource *r = api_resource_find(a, "", "v1", "pods");
	int x = 0;
	for (size_t i = 0; r && x == 0 && i < r->cache->items.n; i++) {
		const struct api_entry *it = r->cache->items.v[i];
		const char *on = schema_pair_get(it->fields, it->n_fields, "spec.nodeName");
		AUTO(arena) struct arena arena;
		struct api_object o;
		if (!on || strcmp(on, node))
			continue;
		arena_init(&arena, 16 << 20);
		if (api_object_from_stored(r, it->o, &arena, &o, NULL) == 0)
			x = fn(arg, (const struct kube_pod *)o.head);
	}
	return x;
}

int kube_api_start_wait(struct kube_api *a, struct err *e)
{
	int r = api_caches_start_wait(a, e);
	if (r == 0)
		r = api_bootstrap_wait(a, e);
	if (r == 0)
		r = api_crds_start_wait(a, e);
	if (r == 0)
		r = api_quotas_start(a, e);
	if (r == 0)
		r = api_keeper_start(a, e);
	if (r == 0)
		a->started = true;
	return r;
}

void kube_api_stop(struct kube_api *a)
{
	a->stopping = true;
	api_crds_stop(a);
	api_quotas_stop(a);
	if (a->keeper)
		fiber_cancel(a->keeper);
	for (struct front *f = a->fronts; f; f = f->next) {
		http_server_free(f->server);
		f->server = NULL;
	}
	size_t at = 0;
	for (struct map_entry *m; (m = map_next(&a->caches, &at));)
		waitq_wake_all(&((struct api_cache *)m->value)->changed);
}

bool kube_api_is_idle(const struct kube_api *a) { return a->n_requests == 0 && api_crds_is_idle(a) && api_quotas_is_idle(a) && !a->keeper; }

void kube_api_free(struct kube_api *a)
{
	if (!a)
		return;
	if (!a->stopping)
		kube_api_stop(a);
	api_crds_free(a);
	api_quotas_free(a);
	api_caches_stop(a);
	api_openapi_free(a->openapi);
	tls_config_free(a->kubelet_tls);
	tls_config_free(a->backend_tls);
	for (struct front *f = a->fronts, *next; f; f = next) {
		next = f->next;
		free(f);
	}
	for (size_t i = 0; i < a->resources.n; i++)
		api_resource_unref(a->resources.v[i]);
	vec_release(&a->resources);
	map_release(&a->by_path);
	free(a);
}

static struct front *front_of(struct kube_api *a, const struct kube_user *u)
{
	struct front *f = a->fronts;
	while (f && (u ? !f->user || strcmp(f->user->name, u->name) : !!f->user))
		f = f->next;
	return f;
}

int kube_api_listen(struct kube_api *a, int fd, struct tls_config *tls, struct err *e)
{
	return http_server_listen(front_of(a, NULL)->server, fd, tls, e);
}

int kube_api_connect(struct kube_api *a, const struct kube_user *u, struct stream **ret, struct err *e)
{
	struct stream *mine, *theirs;
	struct front *f = front_of(a, u);
	int r = a->stopping ? -ECANCELED : 0;
	if (r == 0 && !f)
		r = front_new(a, u, &f);
	if (r == 0)
		r = stream_pair(a->loop, 256 * 1024, &mine, &theirs);
	if (r < 0)
		return err_sys(e, r, "connecting to the API server");
	r = http_server_serve(f->server, theirs);
	if (r < 0) {
		stream_close(mine);
		return err_sys(e, r, "connecting to the API server");
	}
	*ret = mine;
	return 0;
}

int kube_api_door_wait(void *door, struct stream **ret, struct err *e)
{
	struct kube_api_door *d = door;
	return kube_api_connect(d->api, &d->user, ret, e);
}
