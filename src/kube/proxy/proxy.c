/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From services and endpoint slices to elements. Any change sets a short timer
 * (so that a burst is one batch); then the table that should be is made from the
 * caches and the difference goes to the kernel as a job.
 */
#include "kube/proxy/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/vec.h"
#include "kube/proxy/proxy_int.h"

#define BURST_NS (5 * NS_PER_MS)
#define AGAIN_NS (1 * NS_PER_S)

struct proxy {
	struct loop *loop;
	char *table, *node_name;
	struct informer *services, *slices;
	struct informer_handler on_service, on_slice;
	struct proxy_table is;
	bool in_kernel;                 /* `is` is what the kernel has */
	struct timer timer;
	bool dirty, due, stopping, running;
	struct waitq work, ready;
};

static bool is(const char *s, const char *what) { return s && !strcmp(s, what); }

static bool parse_addr(const char *text, uint32_t *ret)
{
	struct in_addr a;
	if (!text || inet_pton(AF_INET, text, &a) != 1)
		return false;
	*ret = ntohl(a.s_addr);
	return true;
}

static uint8_t proto_of(const char *s) { return is(s, "UDP") ? IPPROTO_UDP : is(s, "SCTP") ? IPPROTO_SCTP : IPPROTO_TCP; }

/* --- endpoints of a service port ---------------------------------------------------------- */
struct found { struct proxy_endpoint e; bool ready, serving, local; };
struct gather {
	const char *namespace, *port_name, *node_name;
	uint8_t proto;
	VEC(struct found) v;
	int error;
};

static int by_address(const void *a, const void *b)
{
	const struct proxy_endpoint *x = a, *y = b;
	return x->addr != y->addr ? (x->addr < y->addr ? -1 : 1) : (int)x->port - (int)y->port;
}

static int gather_slice(void *arg, struct kobject *o)
{
	struct gather *g = arg;
	const struct kube_endpoint_slice *s = o->obj;
	if (!is(s->address_type, "IPv4") || !is(s->metadata.namespace, g->namespace))
		return 0;
	for (uint32_t k = 0; k < s->n_ports; k++) {
		const struct kube_endpoint_port *p = &s->ports[k];
		if (!p->port || proto_of(p->protocol) != g->proto || strcmp(p->name ? p->name : "", g->port_name))
			continue;
		for (uint32_t i = 0; i < s->n_endpoints; i++) {
			const struct kube_endpoint *e = &s->endpoints[i];
			struct found f = { .e.port = (uint16_t)*p->port };
			if (!e->n_addresses || !parse_addr(e->addresses[0], &f.e.addr))
				continue;
			f.ready = !e->conditions.ready || *e->conditions.ready;
			f.serving = e->conditions.serving ? *e->conditions.serving : f.ready;
			f.local = e->node_name && g->node_name && !strcmp(e->node_name, g->node_name);
			if (vec_push(&g->v, f) < 0)
				return g->error = -ENOMEM;
		}
	}
	return 0;
}

/* Those that are ready; without any, those that still serve while they end. */
static size_t choose(const struct gather *g, bool local_only, struct proxy_endpoint *ret)
{
	size_t n = 0;
	for (int last = 0; last < 2 && !n; last++)
		for (size_t i = 0; i < g->v.n; i++)
			if ((last ? g->v.v[i].serving : g->v.v[i].ready) && (!local_only || g->v.v[i].local))
				ret[n++] = g->v.v[i].e;
	if (!n)
		return 0;
	qsort(ret, n, sizeof *ret, by_address);
	size_t k = 1;
	for (size_t i = 1; i < n; i++) /* an address may stand in two slices for a moment */
		if (by_address(&ret[k - 1], &ret[i]))
			ret[k++] = ret[i];
	return k;
}

static int add_port(struct proxy_table *t, const struct kube_service *s, const struct kube_service_port *p, struct gather *g)
{
	struct proxy_port out = {
		.proto = proto_of(p->protocol), .port = (uint16_t)p->port, .node_port = (uint16_t)p->node_port,
		.sticky = is(s->spec.session_affinity, "ClientIP"),
	};
	uint32_t addrs[2], external[64];
	struct proxy_endpoint *cluster AUTO(free) = calloc(MAX(g->v.n, (size_t)1), sizeof(*cluster));
	struct proxy_endpoint *node AUTO(free) = calloc(MAX(g->v.n, (size_t)1), sizeof(*node));
	if (!cluster || !node)
		return -ENOMEM;
	if (parse_addr(s->spec.cluster_ip, &addrs[out.n_addrs]))
		out.n_addrs++;
	for (uint32_t i = 0; i < s->spec.n_external_ips && out.n_external < ARRAY_LEN(external); i++)
		if (parse_addr(s->spec.external_ips[i], &external[out.n_external]))
			out.n_external++;
	for (uint32_t i = 0; i < s->status.load_balancer.n_ingress && out.n_external < ARRAY_LEN(external); i++)
		if (parse_addr(s->status.load_balancer.ingress[i].ip, &external[out.n_external]))
			out.n_external++;
	out.addrs = addrs;
	out.external = external;
	out.cluster = cluster;
	out.node = node;
	out.n_cluster = choose(g, is(s->spec.internal_traffic_policy, "Local"), cluster);
	out.n_node = choose(g, is(s->spec.external_traffic_policy, "Local"), node);
	return proxy_table_add(t, &out);
}

struct build { struct proxy_table *t; const struct informer *slices; const char *node_name; };

static int build_service(void *arg, struct kobject *o)
{
	struct build *b = arg;
	const struct kube_service *s = o->obj;
	int r = 0;
	if (is(s->spec.type, "ExternalName") || is(s->spec.cluster_ip, "None"))
		return 0;
	if (schema_pair_get(s->metadata.labels, s->metadata.n_labels, "service.kubernetes.io/service-proxy-name"))
		return 0;
	for (uint32_t i = 0; i < s->spec.n_ports && r == 0; i++) {
		const struct kube_service_port *p = &s->spec.ports[i];
		struct gather g = { .namespace = s->metadata.namespace, .port_name = p->name ? p->name : "", .node_name = b->node_name, .proto = proto_of(p->protocol) };
		informer_each_indexed(b->slices, "service", s->metadata.name, gather_slice, &g);
		r = g.error;
		if (r == 0)
			r = add_port(b->t, s, p, &g);
		vec_release(&g.v);
	}
	return r;
}

int proxy_table_build(struct proxy_table *t, const struct informer *services, const struct informer *slices, const char *node_name)
{
	struct build b = { t, slices, node_name };
	return informer_each(services, NULL, build_service, &b);
}

/* --- the loop --------------------------------------------------------------------------------- */
static void due(struct timer *t)
{
	struct proxy *p = container_of(t, struct proxy, timer);
	p->due = true;
	waitq_wake_all(&p->work);
}

static void changed(struct proxy *p, int64_t after_ns)
{
	if (p->dirty || p->stopping)
		return;
	p->dirty = true;
	timer_set(p->loop, &p->timer, after_ns, due);
}

static void on_service(struct informer_handler *h, struct kobject *old, struct kobject *now) { changed(container_of(h, struct proxy, on_service), BURST_NS); }
static void on_slice(struct informer_handler *h, struct kobject *old, struct kobject *now) { changed(container_of(h, struct proxy, on_slice), BURST_NS); }

struct commit { struct nft_batch *b; struct err e; };
static int commit_job(void *arg)
{
	struct commit *c = arg;
	return nft_batch_commit(c->b, &c->e);
}

static int sync_wait(struct proxy *p, struct err *e)
{
	struct proxy_table should;
	struct nft_batch b AUTO(nft_batch);
	proxy_table_init(&should);
	nft_batch_init(&b);
	int r = proxy_table_build(&should, p->services, p->slices, p->node_name);
	if (r < 0) {
		proxy_table_release(&should);
		return err_nomem(e);
	}
	if (!p->in_kernel)
		proxy_rules_base(&b, p->table);
	proxy_rules_change(&b, p->table, p->in_kernel ? &p->is : NULL, &should);
	struct commit c = { .b = &b };
	r = nft_batch_empty(&b) ? 0 : job_wait(commit_job, &c);
	if (r < 0) {
		/* the kernel took nothing, or somebody else changed our table: begin anew */
		p->in_kernel = false;
		*e = c.e;
		if (!e->code)
			err_set(e, -r, "change the nftables table %s", p->table);
		proxy_table_release(&should);
		return r;
	}
	proxy_table_release(&p->is);
	p->is = should;
	p->in_kernel = true;
	return 0;
}

static void proxy_fiber(void *arg)
{
	struct proxy *p = arg;
	if (informer_synced_wait(p->services, -1) < 0 || informer_synced_wait(p->slices, -1) < 0)
		return;
	informer_add_handler(p->services, &p->on_service);
	informer_add_handler(p->slices, &p->on_slice);
	p->running = true;
	changed(p, 0);
	while (!p->stopping) {
		if (!p->due) {
			if (waitq_wait(&p->work, -1) == -ECANCELED)
				break;
			continue;
		}
		struct err e = { 0 };
		p->due = p->dirty = false;
		if (sync_wait(p, &e) < 0) {
			log_error("service rules not written", "table=%s error=\"%s\"", p->table, e.text);
			changed(p, AGAIN_NS);
		} else {
			waitq_wake_all(&p->ready);
		}
	}
	p->running = false;
	waitq_wake_all(&p->ready);
}

static unsigned service_of(const struct kobject *o, const char *ret[8])
{
	const struct kube_object_meta *m = kobject_meta(o);
	ret[0] = schema_pair_get(m->labels, m->n_labels, "kubernetes.io/service-name");
	return ret[0] ? 1 : 0;
}

int proxy_start(struct kclient *c, const struct proxy_config *cfg, struct proxy **ret, struct err *e)
{
	struct proxy *p = calloc(1, sizeof *p);
	if (!p)
		return err_nomem(e);
	p->loop = kclient_loop(c);
	p->table = strdup(cfg->table ? cfg->table : "coracle_node");
	p->node_name = strdup(cfg->node_name ? cfg->node_name : "");
	p->services = informers_get(cfg->informers, kube_resource_find("", "v1", "services"));
	p->slices = informers_get(cfg->informers, kube_resource_find("discovery.k8s.io", "v1", "endpointslices"));
	p->on_service.event = on_service;
	p->on_slice.event = on_slice;
	proxy_table_init(&p->is);
	waitq_init(&p->work);
	waitq_init(&p->ready);
	int r = p->table && p->node_name && p->services && p->slices ? informer_add_index(p->slices, "service", service_of) : -ENOMEM;
	if (r == 0)
		r = fiber_start(p->loop, "proxy", proxy_fiber, p);
	if (r < 0) {
		proxy_stop(p);
		return err_set(e, -r, "start the service proxy");
	}
	*ret = p;
	return 0;
}

int proxy_ready_wait(struct proxy *p, int64_t timeout_ns)
{
	while (!p->in_kernel) {
		int r = waitq_wait(&p->ready, timeout_ns);
		if (r < 0)
			return r;
	}
	return 0;
}

void proxy_stop(struct proxy *p)
{
	if (!p)
		return;
	p->stopping = true;
	timer_cancel(&p->timer);
	waitq_wake_all(&p->work);
	while (p->running && fiber_self())
		if (waitq_wait(&p->ready, -1) < 0)
			break;
	if (p->on_service.node.next)
		informer_remove_handler(&p->on_service);
	if (p->on_slice.node.next)
		informer_remove_handler(&p->on_slice);
	proxy_table_release(&p->is);
	free(p->table);
	free(p->node_name);
	free(p);
}

int proxy_down(const char *table, struct err *e)
{
	struct nft_batch b AUTO(nft_batch);
	nft_batch_init(&b);
	nft_table_add(&b, NFT_INET, table ? table : "coracle_node");
	nft_table_del(&b, NFT_INET, table ? table : "coracle_node");
	return nft_batch_commit(&b, e);
}
