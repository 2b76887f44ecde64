/* SPDX-License-Identifier: Apache-2.0 */
/* What is served: /, /api, /apis and below, plain and aggregated (v2, v2beta1). */
#include "kube/api/api_int.h"

#include <string.h>

static const struct { const char *name; unsigned bit; } verb_names[] = {
	{ "create", KV_CREATE }, { "delete", KV_DELETE }, { "deletecollection", KV_DELETECOLLECTION }, { "get", KV_GET }, { "list", KV_LIST },
	{ "patch", KV_PATCH }, { "update", KV_UPDATE }, { "watch", KV_WATCH },
};

static const char **verbs_of(struct arena *a, unsigned bits, uint32_t *n)
{
	const char **v = arena_array(a, ARRAY_LEN(verb_names), sizeof *v);
	*n = 0;
	for (size_t i = 0; v && i < ARRAY_LEN(verb_names); i++)
		if (bits & verb_names[i].bit)
			v[(*n)++] = verb_names[i].name;
	return v;
}

/* categories of custom resources are several, parted by commas */
static const char **words(struct arena *a, const char *text, uint32_t *n)
{
	struct slice piece, rest = slice_of(text);
	const char **v = text && *text ? arena_array(a, 16, sizeof *v) : NULL;
	*n = 0;
	while (v && *n < 16 && slice_next(&rest, ',', &piece))
		v[(*n)++] = arena_dup(a, piece);
	return v;
}

/* Group versions that are served, in order: the built-in ones, then custom ones as they came. */
struct served { const char *group, *version; };
typedef VEC(struct served) served_list;

static bool has(const served_list *v, const char *group, const char *version)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i].group, group) && (!version || !strcmp(v->v[i].version, version)))
			return true;
	return false;
}

static int served(const struct kube_api *a, served_list *v)
{
	int x = 0;
	for (unsigned i = 0; i < n_kube_group_versions && x == 0; i++)
		x = vec_push(v, (struct served){ kube_group_versions[i].group, kube_group_versions[i].version });
	for (size_t i = 0; i < a->resources.n && x == 0; i++) {
		const struct kube_resource *r = a->resources.v[i]->row;
		if (a->resources.v[i]->custom && !has(v, r->group, r->version))
			x = vec_push(v, (struct served){ r->group, r->version });
	}
	return x;
}

static uint32_t count_lists(const char *const *v)
{
	uint32_t n = 0;
	while (v && v[n])
		n++;
	return n;
}

/* --- plain */

static int resource_list(struct api_req *q, const char *group, const char *version)
{
	const struct kube_api *a = q->api;
	char gv[300];
	VEC(struct kube_api_resource) v = { 0 };
	for (size_t i = 0; i < a->resources.n; i++) {
		const struct kube_resource *r = a->resources.v[i]->row;
		if (strcmp(r->group, group) || strcmp(r->version, version))
			continue;
		struct kube_api_resource x = { .name = r->plural, .singular_name = r->singular, .namespaced = r->namespaced, .kind = r->kind,
			.short_names = (const char **)r->short_names, .n_short_names = count_lists(r->short_names) };
		x.verbs = verbs_of(q->arena, r->verbs, &x.n_verbs);
		x.categories = words(q->arena, r->category, &x.n_categories);
		if (r->list.domain || a->resources.v[i]->custom)
			x.storage_version_hash = arena_fmt(q->arena, "%08x", kube_fnv32(KUBE_FNV32, slice_of(a->resources.v[i]->text)));
		if (vec_push(&v, x) < 0)
			break;
		for (unsigned k = 0; k < api_n_subresources(a->resources.v[i]); k++) {
			struct kube_subresource s = api_subresource_at(a->resources.v[i], k);
			struct kube_api_resource y = { .name = arena_fmt(q->arena, "%s/%s", r->plural, s.name), .singular_name = "", .namespaced = r->namespaced,
				.kind = s.kind };
			if (strcmp(s.kind_group, r->group) || strcmp(s.kind_version, r->version)) {
				y.group = s.kind_group;
				y.version = s.kind_version;
			}
			y.verbs = verbs_of(q->arena, s.verbs, &y.n_verbs);
			vec_push(&v, y);
		}
	}
	kube_group_version_text(group, version, gv, sizeof gv);
	struct kube_api_resource_list l = { "APIResourceList", "v1", gv, v.v, (uint32_t)v.n };
	int x = v.n ? api_reply_struct(q, 200, T_kube_api_resource_list, &l) : -ENOENT;
	vec_release(&v);
	return x;
}

static int group_of(struct api_req *q, const served_list *all, const char *group, struct kube_api_group *ret)
{
	*ret = (struct kube_api_group){ .name = group };
	ret->versions = arena_array(q->arena, all->n, sizeof *ret->versions);
	if (!ret->versions)
		return -ENOMEM;
	for (size_t i = 0; i < all->n; i++) {
		if (strcmp(all->v[i].group, group))
			continue;
		const char *gv = arena_fmt(q->arena, "%s/%s", group, all->v[i].version);
		ret->versions[ret->n_versions++] = (struct kube_group_version_for_discovery){ gv, all->v[i].version };
	}
	ret->preferred_version = ret->versions[0];
	return ret->n_versions ? 0 : -ENOENT;
}

static int group_list(struct api_req *q, const served_list *all)
{
	struct kube_api_group_list l = { "APIGroupList", "v1" };
	l.groups = arena_array(q->arena, all->n, sizeof *l.groups);
	if (!l.groups)
		return -ENOMEM;
	for (size_t i = 0; i < all->n; i++) {
		bool twice = !*all->v[i].group;
		for (uint32_t k = 0; k < l.n_groups; k++)
			twice |= !strcmp(l.groups[k].name, all->v[i].group);
		if (!twice && group_of(q, all, all->v[i].group, &l.groups[l.n_groups]) == 0)
			l.n_groups++;
	}
	return api_reply_struct(q, 200, T_kube_api_group_list, &l);
}

static int core_versions(struct api_req *q)
{
	const char *v1[] = { "v1" };
	struct kube_server_address_by_client_cidr address = { "0.0.0.0/0", arena_fmt(q->arena, "%s:%u", q->api->c.advertise_host ? q->api->c.advertise_host : "127.0.0.1",
		q->api->c.advertise_port) };
	struct kube_api_versions v = { "APIVersions", "v1", v1, 1, &address, 1 };
	return api_reply_struct(q, 200, T_kube_api_versions, &v);
}

/* --- aggregated */

static struct kube_group_version_kind *gvk(struct arena *a, const char *group, const char *version, const char *kind)
{
	struct kube_group_version_kind *k = arena_new(a, struct kube_group_version_kind);
	if (k)
		*k = (struct kube_group_version_kind){ group, version, kind };
	return k;
}

static int discovered(struct api_req *q, const struct api_resource *r, struct kube_api_resource_discovery *x)
{
	struct arena *a = q->arena;
	const struct kube_resource *row = r->row;
	unsigned n = api_n_subresources(r);
	*x = (struct kube_api_resource_discovery){ .resource = row->plural, .scope = row->namespaced ? "Namespaced" : "Cluster", .singular_resource = row->singular,
		.short_names = (const char **)row->short_names, .n_short_names = count_lists(row->short_names) };
	x->response_kind = gvk(a, row->group, row->version, row->kind);
	x->verbs = verbs_of(a, row->verbs, &x->n_verbs);
	x->categories = words(a, row->category, &x->n_categories);
	x->subresources = n ? arena_array(a, n, sizeof *x->subresources) : NULL;
	for (unsigned k = 0; k < n && x->subresources; k++) {
		struct kube_subresource s = api_subresource_at(r, k);
		struct kube_api_subresource_discovery *y = &x->subresources[x->n_subresources++];
		*y = (struct kube_api_subresource_discovery){ .subresource = arena_strdup(a, s.name) };
		y->response_kind = gvk(a, arena_strdup(a, s.kind_group), arena_strdup(a, s.kind_version), arena_strdup(a, s.kind));
		y->verbs = verbs_of(a, s.verbs, &y->n_verbs);
	}
	return x->response_kind && x->verbs ? 0 : -ENOMEM;
}

static int version_of(struct api_req *q, const struct served *s, struct kube_api_version_discovery *v)
{
	const struct kube_api *a = q->api;
	*v = (struct kube_api_version_discovery){ .version = s->version, .freshness = "Current" };
	v->resources = arena_array(q->arena, a->resources.n, sizeof *v->resources);
	if (!v->resources)
		return -ENOMEM;
	for (size_t i = 0; i < a->resources.n; i++) {
		const struct kube_resource *r = a->resources.v[i]->row;
		if (strcmp(r->group, s->group) || strcmp(r->version, s->version))
			continue;
		int x = discovered(q, a->resources.v[i], &v->resources[v->n_resources++]);
		if (x < 0)
			return x;
	}
	return 0;
}

static int aggregated(struct api_req *q, const served_list *all, bool core, const char *version)
{
	struct kube_api_group_discovery_list l = { "APIGroupDiscoveryList", arena_fmt(q->arena, "apidiscovery.k8s.io/%s", version) };
	AUTO(buf) struct buf b = BUF_INIT(16 << 20);
	l.items = arena_array(q->arena, all->n, sizeof *l.items);
	if (!l.items || !l.api_version)
		return -ENOMEM;
	for (size_t i = 0; i < all->n; i++) {
		struct kube_api_group_discovery *g = NULL;
		if (core != !*all->v[i].group)
			continue;
		for (uint32_t k = 0; k < l.n_items && !core; k++)
			if (!strcmp(l.items[k].metadata.name, all->v[i].group))
				g = &l.items[k];
		if (!g) {
			g = &l.items[l.n_items++];
			g->metadata.name = core ? NULL : all->v[i].group;
			g->versions = arena_array(q->arena, all->n, sizeof *g->versions);
			if (!g->versions)
				return -ENOMEM;
		}
		int x = version_of(q, &all->v[i], &g->versions[g->n_versions++]);
		if (x < 0)
			return x;
	}
	if (schema_to_json(T_kube_api_group_discovery_list, &l, 0, &b) < 0)
		return -E2BIG;
	const char *type = arena_fmt(q->arena, "application/json;g=apidiscovery.k8s.io;v=%s;as=APIGroupDiscoveryList", version);
	const char *etag = arena_fmt(q->arena, "\"%08X%08X\"", kube_fnv32(KUBE_FNV32, buf_slice(&b)), (unsigned)b.len);
	if (!type || !etag)
		return -ENOMEM;
	http_header_add(q->http, "Vary", "Accept");
	http_header_add(q->http, "ETag", etag);
	if (slice_is(http_header_get(&q->http->headers, "If-None-Match"), etag))
		return http_reply(q->http, 304, NULL, SLICE(""));
	return api_reply_bytes(q, 200, type, buf_slice(&b));
}

/* The first that the client would take and we have: "v2", "v2beta1", or NULL for plain. */
static const char *wanted_version(struct api_req *q)
{
	struct slice clause, piece, rest = http_header_get(&q->http->headers, "Accept");
	while (slice_next(&rest, ',', &clause)) {
		const char *version = NULL;
		bool group = false, list = false;
		for (struct slice p = clause; slice_next(&p, ';', &piece);) {
			piece = slice_trim(piece);
			group |= slice_is(piece, "g=apidiscovery.k8s.io");
			list |= slice_is(piece, "as=APIGroupDiscoveryList");
			if (slice_is(piece, "v=v2"))
				version = "v2";
			else if (slice_is(piece, "v=v2beta1"))
				version = "v2beta1";
		}
		if (group && list && version)
			return version;
		if (!group && (slice_starts(slice_trim(clause), "application/json") || slice_starts(slice_trim(clause), "*/*")))
			return NULL;
	}
	return NULL;
}

static int root(struct api_req *q, const served_list *all)
{
	static const char *const others[] = { "/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version" };
	struct kube_root_paths p = { 0 };
	p.paths = arena_array(q->arena, 2 * all->n + ARRAY_LEN(others) + 3, sizeof *p.paths);
	if (!p.paths)
		return -ENOMEM;
	p.paths[p.n_paths++] = "/api";
	p.paths[p.n_paths++] = "/api/v1";
	p.paths[p.n_paths++] = "/apis";
	for (size_t i = 0; i < all->n; i++) {
		if (!*all->v[i].group)
			continue;
		if (!i || strcmp(all->v[i - 1].group, all->v[i].group))
			p.paths[p.n_paths++] = arena_fmt(q->arena, "/apis/%s", all->v[i].group);
		p.paths[p.n_paths++] = arena_fmt(q->arena, "/apis/%s/%s", all->v[i].group, all->v[i].version);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		p.paths[p.n_paths++] = others[i];
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	schema_to_json(T_kube_root_paths, &p, SCHEMA_INDENT, &b);
	return http_reply(q->http, 200, "application/json", buf_slice(&b));
}

static int answer(struct api_req *q, const served_list *all, bool *mine)
{
	struct slice piece, rest = slice_of(q->http->path);
	const char *v[4] = { 0 };
	size_t n = 0;
	while (slice_next(&rest, '/', &piece))
		if (piece.len) {
			if (n == 3)
				return 0;
			v[n++] = arena_dup(q->arena, piece);
		}
	if (n == 0) {
		*mine = true;
		return root(q, all);
	}
	bool core = !strcmp(v[0], "api");
	if (!core && strcmp(v[0], "apis"))
		return 0;
	const char *version = n == 1 ? wanted_version(q) : NULL;
	if (!version) {
		int x = api_negotiate(q, false);
		if (x < 0)
			return x;
	}
	*mine = true;
	if (n == 1)
		return version ? aggregated(q, all, core, version) : core ? core_versions(q) : group_list(q, all);
	if (n == 2 && !core) {
		struct kube_api_group g;
		if (!has(all, v[1], NULL) || group_of(q, all, v[1], &g) < 0) {
			*mine = false;
			return 0;
		}
		g.kind = "APIGroup";
		g.api_version = "v1";
		return api_reply_struct(q, 200, T_kube_api_group, &g);
	}
	*mine = n == (core ? 2u : 3u) && has(all, core ? "" : v[1], v[n - 1]);
	return *mine ? resource_list(q, core ? "" : v[1], v[n - 1]) : 0;
}

int api_discovery(struct api_req *q, bool *mine)
{
	served_list all = { 0 };
	*mine = false;
	if (!slice_is(q->http->method, "GET") && !slice_is(q->http->method, "HEAD"))
		return 0;
	int x = served(q->api, &all);
	if (x == 0)
		x = answer(q, &all, mine);
	vec_release(&all);
	return x;
}
