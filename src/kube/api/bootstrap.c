/* SPDX-License-Identifier: Apache-2.0 */
/* What every cluster has: made at start where it is missing. */
#include "kube/api/api_int.h"

#include <string.h>

int api_own_req(struct kube_api *a, struct arena *arena, const char *group, const char *version, const char *plural, const char *ns, struct api_req *q)
{
	static const char *const groups[] = { "system:masters" };
	const struct kube_user self = { .name = "system:apiserver", .groups = groups, .n_groups = 1 };
	struct http_request *r = arena_new(arena, struct http_request);
	if (!r)
		return -ENOMEM;
	r->arena = arena;
	r->method = SLICE("");
	*q = (struct api_req){ .http = r, .api = a, .arena = arena, .user = self, .is_own = true, .is_local = true, .field_manager = "coracle" };
	q->at = (struct kube_attributes){ "create", group, version, plural, "", ns, "", "", true };
	q->res = api_resource_find(a, group, version, plural);
	q->rest = "";
	return q->res ? 0 : -ENOENT;
}

int api_own_error(const struct api_req *q, int r, struct err *e)
{
	if (r >= 0)
		return r;
	return q->refusal ? err_set(e, EIO, "%s", q->refusal->message) : err_sys(e, r, "a request of the server itself failed");
}

/* head: a struct of the resource's type. Fine if it is there already. */
int api_ensure_wait(struct kube_api *a, const char *group, const char *version, const char *plural, const char *ns, void *obj, struct err *e)
{
	AUTO(arena) struct arena arena;
	AUTO(api_version) struct api_version v = { 0 };
	struct api_req q;
	struct api_head *head = obj;
	arena_init(&arena, 16 << 20);
	int r = api_own_req(a, &arena, group, version, plural, ns, &q);
	if (r < 0)
		return err_set(e, ENOENT, "no resource %s", plural);
	if (api_cache_get(q.res->cache, ns, head->metadata.name))
		return 0;
	struct api_object o = { .res = q.res, .head = head };
	head->kind = q.res->row->kind;
	head->api_version = q.res->api_version;
	r = api_insert_wait(&q, &o, &v);
	if (r < 0 && q.refusal && q.refusal->code == 409)
		return 0;
	r = api_own_error(&q, r, e);
	return r < 0 ? r : api_seen_wait(a, v.revision, 10000000000LL) < 0 ? err_set(e, EIO, "the watch cache does not follow the store") : 0;
}

static int namespaces_wait(struct kube_api *a, struct err *e)
{
	static const char *const names[] = { "kube-system", "kube-public", "kube-node-lease", "default" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct kube_namespace ns = { .metadata.name = names[i] };
		int r = api_ensure_wait(a, "", "v1", "namespaces", "", &ns, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int api_bootstrap_wait(struct kube_api *a, struct err *e)
{
	return namespaces_wait(a, e);
}
