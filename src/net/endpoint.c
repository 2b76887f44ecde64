// SPDX-License-Identifier: Apache-2.0
/* Endpoints: a sandbox on a network. Address first, then the veth, then the record, then the name. */
#include <errno.h>
#include <stdio.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "net/net_int.h"

/* --- the thing itself */

struct endpoint *endpoint_new(struct net *n, struct sandbox *s, struct network *w)
{
	struct endpoint *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	arena_init(&p->arena, OBJECT_MAX_BYTES);
	p->sandbox = s;
	p->network = w;
	p->pub.ifname = "";
	p->pub.id = "";
	w->users++;
	list_add_tail(&s->endpoints, &p->node);
	return p;
}

void endpoint_free(struct net *n, struct endpoint *p)
{
	if (p->addr) {
		ipam_give_back(&p->network->ipam, p->addr);
		struct quarantine q = { .addr = p->addr };
		memcpy(q.veth, p->veth, sizeof q.veth);
		if (!n->closing && n->kernel->link_is(q.veth))
			(void)vec_push(&n->quarantine, q);
	}
	p->network->users--;
	list_del(&p->node);
	arena_release(&p->arena);
	free(p);
}

bool net_addr_busy(void *arg, uint32_t addr)
{
	struct net *n = arg;
	for (size_t i = 0; i < n->quarantine.n; i++) {
		if (n->quarantine.v[i].addr != addr)
			continue;
		if (n->kernel->link_is(n->quarantine.v[i].veth))
			return true;
		vec_remove(&n->quarantine, i);
		i--;
	}
	return false;
}

void endpoint_fill(struct endpoint *p)
{
	struct network *w = p->network;
	bool has = p->addr != 0;
	char addr[NET_ADDR_TEXT], mac[NET_MAC_TEXT];
	net_addr_format(addr, p->addr);
	net_mac_format(mac, p->mac);
	p->pub.network = w->pub.id;
	p->pub.container = p->sandbox->container;
	p->pub.container_name = p->sandbox->name;
	if (!p->pub.ipv4 || (has && strcmp(p->pub.ipv4, addr))) {
		p->pub.ipv4 = has ? arena_strdup(&p->arena, addr) : "";
		p->pub.mac = has ? arena_strdup(&p->arena, mac) : "";
	}
	p->pub.prefix_len = has ? w->subnet.len : 0;
	p->pub.gateway = has && !w->pub.internal ? w->pub.gateway : "";
	p->pub.host_ifname = p->veth;
}

static void add_name(struct endpoint *p, const char **v, uint32_t *n, const char *name)
{
	for (uint32_t i = 0; i < *n; i++)
		if (!strcmp(v[i], name))
			return;
	if (name[0] && (name = arena_strdup(&p->arena, name)))
		v[(*n)++] = name;
}

int endpoint_name(struct endpoint *p)
{
	p->pub.dns_names = NULL;
	p->pub.n_dns_names = 0;
	if (p->network->pub.is_default_bridge || p->network->pub.owner[0] || !p->addr)
		return 0;
	const char **v = arena_array(&p->arena, p->n_aliases + 3, sizeof *v);
	char short_id[13];
	uint32_t n = 0;
	if (!v)
		return -ENOMEM;
	fmt_into(short_id, sizeof short_id, "%.12s", p->sandbox->container);
	add_name(p, v, &n, p->sandbox->name);
	for (uint32_t i = 0; i < p->n_aliases; i++)
		add_name(p, v, &n, p->aliases[i]);
	add_name(p, v, &n, short_id);
	add_name(p, v, &n, p->sandbox->hostname);
	p->pub.dns_names = v;
	p->pub.n_dns_names = n;
	return 0;
}

/* The endpoint whose network gives the default route: highest priority, then the first by the network's name; never an internal one. */
struct endpoint *sandbox_gateway(const struct sandbox *s)
{
	struct endpoint *p, *best = NULL;
	list_each(p, &s->endpoints, node) {
		if (!p->addr || p->network->pub.internal)
			continue;
		if (!best || p->pub.gw_priority > best->pub.gw_priority ||
		    (p->pub.gw_priority == best->pub.gw_priority && strcmp(p->network->pub.name, best->network->pub.name) < 0))
			best = p;
	}
	return best;
}

static struct endpoint *on_network(const struct sandbox *s, const struct network *w)
{
	struct endpoint *p;
	list_each(p, &s->endpoints, node)
		if (p->network == w)
			return p;
	return NULL;
}

const struct net_endpoint *net_endpoint_next(struct net *n, const char *container, const char *network, size_t *pos)
{
	struct network *w = network ? network_find(n, network, NULL) : NULL;
	size_t at = 0, i = 0;
	if (network && !w)
		return NULL;
	for (struct map_entry *x; (x = map_next(&n->sandboxes, &at));) {
		struct endpoint *p;
		struct sandbox *s = x->value;
		if (container && strcmp(x->key, container))
			continue;
		list_each(p, &s->endpoints, node) {
			if ((w && p->network != w) || !p->pub.id[0] || i++ < *pos)
				continue;
			(*pos)++;
			return &p->pub;
		}
	}
	return NULL;
}

/* --- names */

static bool wants_names(const struct sandbox *s)
{
	struct endpoint *p;
	list_each(p, &s->endpoints, node)
		if (p->addr && !p->network->pub.is_default_bridge && !p->network->pub.owner[0])
			return true;
	return false;
}

static bool dns_describe(void *arg, const char *container, struct arena *a, struct dns_request *ret)
{
	struct net *n = arg;
	struct sandbox *s = sandbox_find(n, container);
	if (!s || s->closed || !wants_names(s))
		return false;
	struct endpoint *p;
	uint32_t count = 0;
	list_each(p, &s->endpoints, node)
		count++;
	*ret = (struct dns_request){ .op = "set", .container = s->container, .servers = s->dns, .n_servers = s->n_dns, .no_forward = !sandbox_gateway(s) };
	if (!(ret->endpoints = arena_array(a, count + 1, sizeof *ret->endpoints)))
		return false;
	list_each(p, &s->endpoints, node)
		if (p->pub.dns_names && p->addr)
			ret->endpoints[ret->n_endpoints++] = (struct dns_endpoint){ .network = p->pub.network,
				.network_name = p->network->pub.name, .address = p->pub.ipv4, .names = (const char **)p->pub.dns_names, .n_names = p->pub.n_dns_names };
	return true;
}

struct sockets_job { const struct net_kernel *k; char *netns; int fds[2]; struct err err; };
static int sockets_job(void *arg)
{
	struct sockets_job *j = arg;
	return j->k->dns_sockets(j->netns, j->fds, &j->err);
}

static int dns_sockets_wait(void *arg, const char *container, int fds[2])
{
	struct net *n = arg;
	struct sandbox *s = sandbox_find(n, container);
	AUTO(free) char *path = s && !s->closed ? slice_dup(slice_of(s->path)) : NULL;
	if (!path)
		return -ENOENT;
	struct sockets_job j = { n->kernel, path, { -1, -1 }, { 0 } };
	int r = net_job_wait(sockets_job, &j);
	if (r < 0)
		log_warn("cannot give a container its name server", "container=%.12s error=\"%s\"", container, j.err.text);
	fds[0] = j.fds[0];
	fds[1] = j.fds[1];
	return r;
}

static void dns_each(void *arg, void (*fn)(void *, const char *), void *fn_arg)
{
	struct net *n = arg;
	size_t pos = 0;
	for (struct map_entry *x; (x = map_next(&n->sandboxes, &pos));)
		fn(fn_arg, x->key);
}

struct dns_source net_dns_source(struct net *n)
{
	return (struct dns_source){ n, dns_describe, dns_sockets_wait, dns_each };
}

void sandbox_tell_dns_wait(struct net *n, struct sandbox *s)
{
	enum { PATIENCE_MS = 1000 };
	if (!n->dns || !s->path[0])
		return;
	int r = dns_client_sync_wait(n->dns, s->container, PATIENCE_MS * NS_PER_MS);
	if (r < 0)
		log_warn("names of a container reach the dns process later", "container=%.12s error=%s", s->container, err_name(-r));
}

/* --- attach and detach */

struct attach_job { const struct net_kernel *k; struct net_plan plan; struct err err; };
static int attach_job(void *arg)
{
	struct attach_job *j = arg;
	return j->k->attach(&j->plan, &j->err);
}

static int take_address(struct net *n, struct endpoint *p, const struct net_attach *how, struct err *e)
{
	struct network *w = p->network;
	int r;
	if (how->ipv4 && how->ipv4[0]) {
		if (net_addr_parse(slice_of(how->ipv4), &p->addr) < 0)
			return p->addr = 0, err_set(e, EINVAL, "invalid IPv4 address: %s", how->ipv4);
		r = ipam_take(&w->ipam, p->addr);
		if (r < 0) {
			p->addr = 0;
			return r == -EADDRINUSE ? err_set(e, EADDRINUSE, "Address already in use") :
				err_set(e, EINVAL, "invalid config for network %s: invalid endpoint settings:\nno configured subnet contains IP address %s",
					w->pub.name, how->ipv4);
		}
	} else if ((r = ipam_take_any(&w->ipam, net_addr_busy, n, &p->addr)) < 0) {
		p->addr = 0;
		return err_set(e, -r, "no available IPv4 addresses on this network's address pools: %s (%s)", w->pub.name, w->pub.id);
	}
	net_mac_of_addr(p->mac, p->addr);
	if (how->mac && how->mac[0] && net_mac_parse(slice_of(how->mac), p->mac) < 0)
		return err_set(e, EINVAL, "invalid MAC address: %s", how->mac);
	return 0;
}

static const char *choose_ifname(struct endpoint *p, const char *wanted)
{
	char name[16];
	if (wanted && wanted[0])
		return arena_strdup(&p->arena, wanted);
	for (unsigned i = 0;; i++) {
		struct endpoint *x;
		bool taken = false;
		fmt_into(name, sizeof name, "eth%u", i);
		list_each(x, &p->sandbox->endpoints, node)
			taken |= x != p && !strcmp(x->pub.ifname, name);
		if (!taken)
			return arena_strdup(&p->arena, name);
	}
}

/* Everything but the kernel: id, address, name of the interface, aliases. */
static int endpoint_plan(struct net *n, struct endpoint *p, const struct net_attach *how, struct err *e)
{
	char hex[65];
	struct network *w = p->network;
	p->pub.gw_priority = how->gw_priority;
	if (how->n_aliases && !(p->aliases = arena_array(&p->arena, how->n_aliases, sizeof *p->aliases)))
		return err_nomem(e);
	for (; p->n_aliases < how->n_aliases; p->n_aliases++)
		if (!(p->aliases[p->n_aliases] = arena_strdup(&p->arena, how->aliases[p->n_aliases])))
			return err_nomem(e);
	if (w->pub.bridge[0]) {
		if (!w->bridge_index)
			return err_set(e, ENETDOWN, "network %s is not up: its bridge %s could not be made", w->pub.name, w->pub.bridge);
		int r = take_address(n, p, how, e);
		if (r < 0)
			return r;
		if (!(p->pub.ifname = choose_ifname(p, how->ifname)))
			return p->pub.ifname = "", err_nomem(e);
		rand_hex(hex, 4);
		fmt_into(p->veth, sizeof p->veth, "veth%.7s", hex);
	}
	endpoint_fill(p);
	return 0;
}

static int check_attach(struct net *n, const struct sandbox *s, const struct network *w, struct err *e)
{
	struct endpoint *p;
	if (on_network(s, w))
		return err_set(e, EEXIST, "endpoint with name %s already exists in network %s", s->name, w->pub.name);
	if (!s->path[0] != !strcmp(w->pub.driver, "host"))
		return err_set(e, EPERM, "container cannot be disconnected from host network or connected to host network");
	list_each(p, &s->endpoints, node)
		if (!strcmp(p->network->pub.driver, "null") || !strcmp(w->pub.driver, "null"))
			return err_set(e, EPERM, "container cannot be connected to multiple networks with one of the networks in private (none) mode");
	return 0;
}

void sandbox_self_elements(struct net *n, struct nft_batch *b, const struct sandbox *s, bool add)
{
	struct endpoint *p;
	list_each(p, &s->endpoints, node)
		if (p->network->pub.owner[0] && p->addr)
			rules_self(b, n->table, p->addr, add);
}

static int self_commit_wait(struct net *n, const struct endpoint *p, bool add, struct err *e)
{
	if (!p->network->pub.owner[0] || !p->addr)
		return 0;
	AUTO(nft_batch) struct nft_batch b;
	nft_batch_init(&b);
	rules_self(&b, n->table, p->addr, add);
	return net_commit_wait(n, &b, e);
}

static int attach_locked_wait(struct net *n, struct sandbox *s, struct network *w, const struct net_attach *how, struct endpoint **ret, struct err *e)
{
	struct endpoint *before = sandbox_gateway(s), *p = endpoint_new(n, s, w);
	if (!p)
		return err_nomem(e);
	int r = endpoint_plan(n, p, how, e);
	if (r == 0 && w->pub.bridge[0]) {
		bool leads = sandbox_gateway(s) == p;
		struct attach_job j = { .k = n->kernel, .plan = { .netns = s->path, .veth = p->veth, .ifname = p->pub.ifname, .bridge_index = w->bridge_index,
			.mtu = w->pub.mtu, .addr = p->addr, .len = w->subnet.len, .gateway = w->pub.internal ? 0 : w->gateway,
			.default_route = leads, .isolated = !w->icc, .routed = w->pub.owner[0] != 0 } };
		memcpy(j.plan.mac, p->mac, 6);
		r = net_job_wait(attach_job, &j);
		if (r < 0)
			err_set(e, r, "%s", j.err.text);
		p->index = j.plan.index;
	}
	if (r == 0)
		r = self_commit_wait(n, p, true, e);
	if (r < 0) {
		endpoint_free(n, p);
		return r;
	}
	char id[65];
	rand_hex(id, 32);
	p->pub.id = arena_strdup(&p->arena, id);
	p->pub.id = p->pub.id ? p->pub.id : "";
	endpoint_name(p);
	if (before && sandbox_gateway(s) != before)
		ports_follow_wait(n, s, NULL);
	r = sandbox_save(n, s, e);
	*ret = p;
	return r;
}

int net_attach_wait(struct net *n, const struct net_attach *how, const struct net_endpoint **ret, struct err *e)
{
	struct sandbox *s = sandbox_lock_wait(n, how->container, e);
	if (!s)
		return -ENOENT;
	struct err why = { 0 };
	struct network *w = network_find(n, how->network, &why);
	struct endpoint *p = NULL;
	int r = w ? check_attach(n, s, w, e) : err_set(e, why.code, "%s", why.text);
	if (r == 0)
		r = attach_locked_wait(n, s, w, how, &p, e);
	if (r == 0 && !w->pub.is_default_bridge && !w->pub.owner[0])
		sandbox_tell_dns_wait(n, s);
	if (r == 0 && ret)
		*ret = &p->pub;
	sandbox_unlock(n, s);
	return r;
}

struct detach_job { const struct net_kernel *k; const char *veth, *netns; uint32_t index, gateway; bool move; struct err err; };
static int detach_job(void *arg)
{
	struct detach_job *j = arg;
	int r = j->k->detach(j->veth, &j->err);
	if (r == 0 && j->move)
		r = j->k->default_route(j->netns, j->index, j->gateway, &j->err);
	return r;
}

int net_detach_wait(struct net *n, const char *container, const char *network, struct err *e)
{
	struct sandbox *s = sandbox_lock_wait(n, container, e);
	if (!s)
		return -ENOENT;
	struct err why = { 0 };
	struct network *w = network_find(n, network, &why);
	struct endpoint *p = w ? on_network(s, w) : NULL;
	int r = 0;
	if (!w)
		r = err_set(e, why.code, "%s", why.text);
	else if (!p)
		r = err_set(e, ENOENT, "container %s is not connected to network %s", container, w->pub.name);
	if (r == 0) {
		struct endpoint *before = sandbox_gateway(s);
		char veth[16];
		memcpy(veth, p->veth, sizeof veth);
		/* The name and the ports go first, then the link. */
		list_del(&p->node);
		struct endpoint *after = sandbox_gateway(s);
		if (after != before)
			ports_follow_wait(n, s, NULL);
		struct detach_job j = { .k = n->kernel, .veth = veth, .netns = s->path, .move = after && after != before };
		if (after) {
			j.index = after->index;
			j.gateway = after->network->gateway;
		}
		self_commit_wait(n, p, false, NULL);
		if (veth[0] && net_job_wait(detach_job, &j) < 0)
			log_warn("a container's interface could not be removed", "veth=%s error=\"%s\"", veth, j.err.text);
		endpoint_free(n, p);
		r = sandbox_save(n, s, e);
		sandbox_tell_dns_wait(n, s);
	}
	sandbox_unlock(n, s);
	return r;
}
