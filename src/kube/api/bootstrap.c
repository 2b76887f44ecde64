/* SPDX-License-Identifier: Apache-2.0 */
/* What every cluster has: made at start where it is missing. */
#include "kube/api/api_int.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "kube/api/address.h"

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

static int priority_classes_wait(struct kube_api *a, struct err *e)
{
	static const struct { const char *name; int32_t value; const char *about; } rows[] = {
		{ "system-node-critical", 2000001000, "Used for system critical pods that must not be moved from their current node." },
		{ "system-cluster-critical", 2000000000, "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary." },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct kube_priority_class c = { .metadata.name = rows[i].name, .value = rows[i].value, .description = rows[i].about };
		int r = api_ensure_wait(a, "scheduling.k8s.io", "v1", "priorityclasses", "", &c, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- the service "kubernetes" and where it leads */

struct wanted { const char *host; int32_t port; };

static int make_endpoints(struct api_req *q, void *arg, const struct api_object *old, struct api_object *now)
{
	const struct wanted *w = arg;
	struct kube_endpoints *ep = (struct kube_endpoints *)now->head;
	struct kube_endpoint_subset *s = arena_new(q->arena, struct kube_endpoint_subset);
	struct kube_endpoint_address *address = arena_new(q->arena, struct kube_endpoint_address);
	struct kube_core_endpoint_port *port = arena_new(q->arena, struct kube_core_endpoint_port);
	if (!s || !address || !port)
		return -ENOMEM;
	address->ip = w->host;
	*port = (struct kube_core_endpoint_port){ .name = "https", .port = w->port, .protocol = "TCP" };
	*s = (struct kube_endpoint_subset){ .addresses = address, .n_addresses = 1, .ports = port, .n_ports = 1 };
	ep->subsets = s;
	ep->n_subsets = 1;
	return 0;
}

static int make_slice(struct api_req *q, void *arg, const struct api_object *old, struct api_object *now)
{
	const struct wanted *w = arg;
	struct kube_endpoint_slice *x = (struct kube_endpoint_slice *)now->head;
	struct kube_endpoint *ep = arena_new(q->arena, struct kube_endpoint);
	struct kube_endpoint_port *port = arena_new(q->arena, struct kube_endpoint_port);
	const char **address = arena_array(q->arena, 1, sizeof *address);
	bool *ready = arena_new(q->arena, bool);
	int32_t *number = arena_new(q->arena, int32_t);
	if (!ep || !port || !address || !ready || !number)
		return -ENOMEM;
	*address = w->host;
	*ready = true;
	*number = w->port;
	*ep = (struct kube_endpoint){ .addresses = address, .n_addresses = 1, .conditions.ready = ready };
	*port = (struct kube_endpoint_port){ .name = "https", .port = number, .protocol = "TCP" };
	x->address_type = "IPv4";
	x->endpoints = ep;
	x->n_endpoints = 1;
	x->ports = port;
	x->n_ports = 1;
	return 0;
}

/* Makes the object, or changes the one that is there. */
static int reconcile_wait(struct kube_api *a, const char *group, const char *plural, void *obj,
	int (*make)(struct api_req *q, void *arg, const struct api_object *old, struct api_object *now), struct wanted *w, struct err *e)
{
	AUTO(arena) struct arena arena;
	AUTO(api_version) struct api_version v = { 0 };
	struct api_req q;
	arena_init(&arena, 16 << 20);
	int r = api_own_req(a, &arena, group, "v1", plural, "default", &q);
	if (r < 0)
		return err_set(e, ENOENT, "no resource %s", plural);
	struct api_object o = { .res = q.res, .head = obj };
	r = make(&q, w, NULL, &o);
	if (r == 0)
		r = api_ensure_wait(a, group, "v1", plural, "default", obj, e);
	if (r < 0)
		return r;
	const struct api_change c = { .make = make, .arg = w };
	return api_own_error(&q, api_change_wait(&q, q.res, "default", "kubernetes", &c, &v), e);
}

static int service_wait(struct kube_api *a, struct err *e)
{
	AUTO(arena) struct arena arena;
	static struct schema_pair labels[2] = { { "component", "apiserver" }, { "provider", "kubernetes" } };
	static struct schema_pair slice_labels[1] = { { "kubernetes.io/service-name", "kubernetes" } };
	struct wanted w = { a->c.advertise_host ? a->c.advertise_host : "127.0.0.1", a->c.advertise_port ? (int32_t)a->c.advertise_port : 6443 };
	arena_init(&arena, 1 << 20);
	const char *ip = api_first_address(a, &arena), *ips[] = { ip };
	struct kube_service_port port = { .name = "https", .protocol = "TCP", .port = 443, .target_port = { NULL, w.port } };
	struct kube_service s = { .metadata = { .name = "kubernetes", .labels = labels, .n_labels = 2 },
		.spec = { .ports = &port, .n_ports = 1, .cluster_ip = ip, .cluster_ips = ips, .n_cluster_ips = 1, .type = "ClusterIP" } };
	struct kube_endpoints ep = { .metadata = { .name = "kubernetes", .labels = (struct schema_pair[]){ { "endpointslice.kubernetes.io/skip-mirror", "true" } },
		.n_labels = 1 } };
	struct kube_endpoint_slice slice = { .metadata = { .name = "kubernetes", .labels = slice_labels, .n_labels = 1 } };
	int r = ip ? api_ensure_wait(a, "", "v1", "services", "default", &s, e) : err_nomem(e);
	if (r == 0)
		r = reconcile_wait(a, "", "endpoints", &ep, make_endpoints, &w, e);
	if (r == 0)
		r = reconcile_wait(a, "discovery.k8s.io", "endpointslices", &slice, make_slice, &w, e);
	return r;
}

int api_bootstrap_wait(struct kube_api *a, struct err *e)
{
	int r = api_addresses_repair_wait(a, e);
	if (r == 0)
		r = namespaces_wait(a, e);
	if (r == 0)
		r = priority_classes_wait(a, e);
	return r < 0 ? r : service_wait(a, e);
}

/* --- events are kept for an hour */

static int64_t last_seen_ns(const struct kube_event *ev)
{
	int64_t at = MAX(kube_time_ns(ev->metadata.creation_timestamp), kube_time_ns(ev->last_timestamp));
	return ev->series ? MAX(at, kube_time_ns(ev->series->last_observed_time)) : at;
}

static void expire_events_wait(struct kube_api *a)
{
	AUTO(arena) struct arena arena;
	struct api_req q;
	VEC(struct api_entry *) old = { 0 };
	int64_t before = loop_realtime_ns(a->loop) - 3600 * NS_PER_S;
	arena_init(&arena, 256 << 20);
	if (api_own_req(a, &arena, "", "v1", "events", "", &q) < 0)
		return;
	const struct api_cache *c = q.res->cache;
	for (size_t i = 0; i < c->items.n; i++) {
		struct api_object o;
		if (api_object_from_stored(q.res, c->items.v[i]->o, &arena, &o, NULL) == 0 && last_seen_ns((const struct kube_event *)o.head) < before &&
		    vec_push(&old, c->items.v[i]) == 0)
			api_entry_ref(c->items.v[i]);
		if (i % 1000 == 999) {
			arena_release(&arena);
			if (api_own_req(a, &arena, "", "v1", "events", "", &q) < 0)
				break;
		}
	}
	for (size_t i = 0; i < old.n; i++) {
		AUTO(api_version) struct api_version v = { 0 };
		const struct kube_delete_options o = { 0 };
		bool gone;
		if (!a->stopping)
			(void)api_remove_wait(&q, q.res, old.v[i]->ns, old.v[i]->name, &o, &v, &gone);
		api_entry_unref(old.v[i]);
	}
	vec_release(&old);
}

static void keep(void *arg)
{
	struct kube_api *a = arg;
	a->keeper = fiber_self();
	for (unsigned i = 1; sleep_wait(10 * NS_PER_S) == 0; i++) {
		struct err e = { 0 };
		if (i % 30 == 0)
			expire_events_wait(a);
		int r = namespaces_wait(a, &e);
		if (r == 0)
			r = priority_classes_wait(a, &e);
		if (r == 0)
			r = service_wait(a, &e);
		if (r < 0 && !a->stopping)
			log_warn("what every cluster has could not be made again", "error=%s", e.text);
		api_expire_wait(a);
	}
	a->keeper = NULL;
}

int api_keeper_start(struct kube_api *a, struct err *e)
{
	int r = fiber_start(a->loop, "keeper", keep, a);
	return r < 0 ? err_sys(e, r, "keeping what every cluster has") : 0;
}
