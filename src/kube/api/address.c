/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses and node ports of services. Each one that is given out is a key in
 * the store ("/serviceaddresses/10.96.0.1", "/nodeports/30080"): creating it is
 * taking it, so that two writers never get the same. What is left over from a
 * crash between taking and storing the service is found at start.
 */
#include "kube/api/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "base/rand.h"
#include "kube/api/admit.h"

enum { PORT_FROM = 30000, PORT_TO = 32767, TRIES = 64 };

static bool is_text(const char *s, const char *want) { return s && !strcmp(s, want); }

static void range_of(const struct kube_api *a, uint32_t *base, uint32_t *n)
{
	struct slice host, bits;
	struct in_addr in;
	int64_t b = 12;
	char text[32];
	*base = 0x0a600000;
	*n = 1u << 20;
	if (!a->c.service_cidr || !slice_cut(slice_of(a->c.service_cidr), '/', &host, &bits) || num_parse_i64(bits, 8, 30, &b) < 0)
		return;
	fmt_into(text, sizeof text, "%.*s", SLICE_FMT(host));
	if (inet_pton(AF_INET, text, &in) == 1) {
		*n = 1u << (32 - b);
		*base = ntohl(in.s_addr) & ~(*n - 1);
	}
}

const char *api_first_address(const struct kube_api *a, struct arena *arena)
{
	uint32_t base, n;
	range_of(a, &base, &n);
	base++;
	return arena_fmt(arena, "%u.%u.%u.%u", base >> 24, base >> 16 & 255, base >> 8 & 255, base & 255);
}

/* --- what a service holds */

struct held { const char *kind, *value; };      /* "serviceaddresses" "10.96.0.1"; "nodeports" "30080" */
typedef VEC(struct held) held_list;

static bool holds(const held_list *v, const char *kind, const char *value)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i].kind, kind) && !strcmp(v->v[i].value, value))
			return true;
	return false;
}

static int held_by(struct arena *a, const struct kube_service *s, held_list *v)
{
	int x = 0;
	if (!s)
		return 0;
	for (uint32_t i = 0; i < s->spec.n_cluster_ips && x == 0; i++)
		if (s->spec.cluster_ips[i] && *s->spec.cluster_ips[i] && strcmp(s->spec.cluster_ips[i], "None"))
			x = vec_push(v, (struct held){ "serviceaddresses", s->spec.cluster_ips[i] });
	for (uint32_t i = 0; i < s->spec.n_ports && x == 0; i++) {
		const char *text = s->spec.ports[i].node_port ? arena_fmt(a, "%d", s->spec.ports[i].node_port) : NULL;
		if (text && !holds(v, "nodeports", text))
			x = vec_push(v, (struct held){ "nodeports", text });
	}
	if (x == 0 && s->spec.health_check_node_port)
		x = vec_push(v, (struct held){ "nodeports", arena_fmt(a, "%d", s->spec.health_check_node_port) });
	return x;
}

/* --- the keys */

static const char *key_of(struct arena *a, const struct held *h) { return arena_fmt(a, "/%s/%s", h->kind, h->value); }

static int take_wait(struct api_req *q, const struct held *h, const struct kube_service *s)
{
	AUTO(buf) struct buf b = BUF_INIT(4096);
	struct err e = { 0 };
	const char *key = key_of(q->arena, h);
	struct schema_pair owner = { "coracle.service", arena_fmt(q->arena, "%s/%s", s->metadata.namespace, s->metadata.name) };
	struct kube_partial_object_metadata m = { "Allocation", "v1", .metadata = { .name = h->value, .uid = s->metadata.uid, .annotations = &owner, .n_annotations = 1 } };
	if (q->dry_run)
		return api_cache_get(api_cache_of(q->api, h->kind), "", h->value) ? -EEXIST : 0;
	if (!key || schema_to_json(T_kube_partial_object_metadata, &m, 0, &b) < 0)
		return -ENOMEM;
	int x = store_create_wait(q->api->store, key, buf_slice(&b), NULL, &e);
	return x < 0 && x != -EEXIST ? api_from_err(q, &e) : x;
}

static void give_back_wait(struct api_req *q, const struct held *h)
{
	struct err e = { 0 };
	const char *key = key_of(q->arena, h);
	if (q->dry_run || !key)
		return;
	int x = store_delete_wait(q->api->store, key, 0, NULL, NULL, &e);
	if (x < 0 && x != -ENOENT)
		log_warn("an address could not be given back", "key=%s error=%s", key, e.text);
}

/* --- choosing */

static int take_any_address_wait(struct api_req *q, const struct kube_service *s, const char **ret)
{
	uint32_t base, n;
	range_of(q->api, &base, &n);
	/* the lower part is for those who choose themselves */
	uint32_t low = MIN(MAX(n / 16, 16u), 256u);
	for (int i = 0; i < TRIES; i++) {
		uint32_t at = base + low + (uint32_t)(rand_u64() % (n - low - 1));
		struct held h = { "serviceaddresses", arena_fmt(q->arena, "%u.%u.%u.%u", at >> 24, at >> 16 & 255, at >> 8 & 255, at & 255) };
		if (!h.value)
			return -ENOMEM;
		int x = take_wait(q, &h, s);
		if (x == -EEXIST)
			continue;
		*ret = h.value;
		return x;
	}
	return api_refuse(q, 500, "InternalError", "Internal error occurred: failed to allocate a serviceIP: range is full");
}

static int take_any_port_wait(struct api_req *q, const struct kube_service *s, int32_t *ret)
{
	for (int i = 0; i < TRIES; i++) {
		int32_t port = PORT_FROM + (int32_t)(rand_u64() % (PORT_TO - PORT_FROM + 1));
		struct held h = { "nodeports", arena_fmt(q->arena, "%d", port) };
		if (!h.value)
			return -ENOMEM;
		int x = take_wait(q, &h, s);
		if (x == -EEXIST)
			continue;
		*ret = port;
		return x;
	}
	return api_refuse(q, 500, "InternalError", "Internal error occurred: failed to allocate a nodePort: range is full");
}

static int bad_address(struct api_req *q, const struct kube_service *s, const char *ip, const char *why)
{
	return api_invalid(q, "Service", "", s->metadata.name, slice_of(arena_fmt(q->arena, "spec.clusterIPs: Invalid value: [\"%s\"]: failed to allocate IP %s: %s",
		ip, ip, why)));
}

static int take_address_wait(struct api_req *q, const struct kube_service *s, const char *ip)
{
	struct in_addr in;
	uint32_t base, n;
	range_of(q->api, &base, &n);
	if (inet_pton(AF_INET, ip, &in) != 1)
		return 0;       /* validation says what is wrong with it */
	uint32_t at = ntohl(in.s_addr);
	if (at <= base || at - base >= n - 1)
		return bad_address(q, s, ip, arena_fmt(q->arena, "the provided IP (%s) is not in the valid range. The range of valid IPs is %s", ip,
			q->api->c.service_cidr ? q->api->c.service_cidr : "10.96.0.0/12"));
	struct held h = { "serviceaddresses", ip };
	int x = take_wait(q, &h, s);
	return x == -EEXIST ? bad_address(q, s, ip, "provided IP is already allocated") : x;
}

static int addresses_wait(struct api_req *q, struct kube_service *s, const held_list *old, held_list *mine)
{
	struct kube_service_spec *p = &s->spec;
	int x = 0;
	if (is_text(p->type, "ExternalName") || is_text(p->cluster_ip, "None"))
		return 0;
	for (uint32_t i = 0; i < p->n_cluster_ips && x == 0; i++)
		if (p->cluster_ips[i] && *p->cluster_ips[i] && strcmp(p->cluster_ips[i], "None") && !holds(old, "serviceaddresses", p->cluster_ips[i])) {
			x = take_address_wait(q, s, p->cluster_ips[i]);
			if (x == 0)
				x = vec_push(mine, (struct held){ "serviceaddresses", p->cluster_ips[i] });
		}
	if (x < 0 || p->n_cluster_ips)
		return x;
	p->cluster_ips = arena_array(q->arena, 1, sizeof *p->cluster_ips);
	if (!p->cluster_ips)
		return -ENOMEM;
	x = take_any_address_wait(q, s, &p->cluster_ips[0]);
	if (x < 0)
		return x;
	p->n_cluster_ips = 1;
	p->cluster_ip = p->cluster_ips[0];
	return vec_push(mine, (struct held){ "serviceaddresses", p->cluster_ip });
}

static int port_wait(struct api_req *q, const struct kube_service *s, const char *field, int32_t *port, const held_list *old, held_list *mine)
{
	if (!*port) {
		int x = take_any_port_wait(q, s, port);
		return x < 0 ? x : vec_push(mine, (struct held){ "nodeports", arena_fmt(q->arena, "%d", *port) });
	}
	struct held h = { "nodeports", arena_fmt(q->arena, "%d", *port) };
	if (!h.value)
		return -ENOMEM;
	if (holds(old, h.kind, h.value) || holds(mine, h.kind, h.value))
		return 0;
	if (*port < PORT_FROM || *port > PORT_TO)
		return api_invalid(q, "Service", "", s->metadata.name, slice_of(arena_fmt(q->arena,
			"%s: Invalid value: %d: provided port is not in the valid range. The range of valid ports is %d-%d", field, *port, PORT_FROM, PORT_TO)));
	int x = take_wait(q, &h, s);
	if (x == -EEXIST)
		return api_invalid(q, "Service", "", s->metadata.name, slice_of(arena_fmt(q->arena, "%s: Invalid value: %d: provided port is already allocated", field,
			*port)));
	return x < 0 ? x : vec_push(mine, h);
}

static int ports_wait(struct api_req *q, struct kube_service *s, const held_list *old, held_list *mine)
{
	struct kube_service_spec *p = &s->spec;
	bool balanced = is_text(p->type, "LoadBalancer");
	bool wanted = is_text(p->type, "NodePort") || (balanced && (!p->allocate_load_balancer_node_ports || *p->allocate_load_balancer_node_ports));
	int x = 0;
	/* those that were chosen first, so that none is given away before */
	for (int pass = 0; pass < 2 && x == 0; pass++)
		for (uint32_t i = 0; i < p->n_ports && x == 0; i++)
			if (pass == !p->ports[i].node_port && (wanted || (balanced && p->ports[i].node_port)))
				x = port_wait(q, s, arena_fmt(q->arena, "spec.ports[%u].nodePort", i), &p->ports[i].node_port, old, mine);
	if (x == 0 && balanced && is_text(p->external_traffic_policy, "Local"))
		x = port_wait(q, s, "spec.healthCheckNodePort", &p->health_check_node_port, old, mine);
	return x;
}

static void families(struct api_req *q, struct kube_service *s)
{
	struct kube_service_spec *p = &s->spec;
	if (is_text(p->type, "ExternalName"))
		return;
	if (!p->n_ip_families && (p->ip_families = arena_array(q->arena, 1, sizeof *p->ip_families))) {
		p->ip_families[0] = "IPv4";
		p->n_ip_families = 1;
	}
	if (!p->ip_family_policy || !*p->ip_family_policy)
		p->ip_family_policy = "SingleStack";
}

static void release_difference_wait(struct api_req *q, const struct kube_service *of, const struct kube_service *but)
{
	held_list v = { 0 }, keep = { 0 };
	held_by(q->arena, of, &v);
	held_by(q->arena, but, &keep);
	for (size_t i = 0; i < v.n; i++)
		if (!holds(&keep, v.v[i].kind, v.v[i].value))
			give_back_wait(q, &v.v[i]);
	vec_release(&v);
	vec_release(&keep);
}

static const struct kube_service *service_of(const struct api_object *o)
{
	return o && !o->res->custom && !strcmp(o->res->text, "services") ? (const struct kube_service *)o->head : NULL;
}

int api_allocate_wait(struct api_req *q, const struct api_object *old, struct api_object *o)
{
	struct kube_service *s = (struct kube_service *)service_of(o);
	held_list had = { 0 }, mine = { 0 };
	if (!s)
		return 0;
	int x = held_by(q->arena, service_of(old), &had);
	families(q, s);
	if (x == 0)
		x = addresses_wait(q, s, &had, &mine);
	if (x == 0)
		x = ports_wait(q, s, &had, &mine);
	if (x < 0) {
		/* what was taken before the refusal */
		for (size_t i = 0; i < mine.n; i++)
			give_back_wait(q, &mine.v[i]);
		o->is_allocated = false;
	} else {
		o->is_allocated = true;
	}
	vec_release(&had);
	vec_release(&mine);
	return x;
}

void api_unallocate_wait(struct api_req *q, const struct api_object *old, struct api_object *o)
{
	if (service_of(o) && o->is_allocated)
		release_difference_wait(q, service_of(o), service_of(old));
	o->is_allocated = false;
}

void api_allocated_wait(struct api_req *q, const struct api_object *old, const struct api_object *now)
{
	if (service_of(old))
		release_difference_wait(q, service_of(old), service_of(now));
}

/* --- at start: the keys are what the services say */

struct repair { struct api_req *q; held_list all; };

static int note_service(void *arg, void *obj)
{
	struct repair *r = arg;
	return held_by(r->q->arena, obj, &r->all);
}

static int drop_stale_wait(struct api_req *q, const char *kind, const held_list *all)
{
	struct api_cache *c = api_cache_of(q->api, kind);
	VEC(const char *) names = { 0 };
	for (size_t i = 0; c && i < c->items.n; i++)
		if (!holds(all, kind, c->items.v[i]->name) && vec_push(&names, arena_strdup(q->arena, c->items.v[i]->name)) < 0)
			break;
	for (size_t i = 0; i < names.n; i++)
		if (names.v[i])
			give_back_wait(q, &(struct held){ kind, names.v[i] });
	vec_release(&names);
	return 0;
}

int api_addresses_repair_wait(struct kube_api *a, struct err *e)
{
	AUTO(arena) struct arena arena;
	struct api_req q;
	arena_init(&arena, 256 << 20);
	int x = api_own_req(a, &arena, "", "v1", "services", "", &q);
	struct repair r = { .q = &q };
	struct kube_service nobody = { .metadata = { .name = "unknown", .namespace = "", .uid = "0" } };
	if (x == 0)
		x = api_cached_each(&q, "", "v1", "services", NULL, note_service, &r);
	for (size_t i = 0; x == 0 && i < r.all.n; i++) {
		x = take_wait(&q, &r.all.v[i], &nobody);
		if (x == -EEXIST)
			x = 0;
	}
	if (x == 0)
		x = drop_stale_wait(&q, "serviceaddresses", &r.all);
	if (x == 0)
		x = drop_stale_wait(&q, "nodeports", &r.all);
	vec_release(&r.all);
	return api_own_error(&q, x, e);
}
