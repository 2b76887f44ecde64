/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's side of networks: which it wants (by its mode and endpoint
 * settings), its sandbox at start and end, ports, the three files in /etc, and
 * what inspect shows.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "engine/engine_int.h"

#define BAD(...) return err_set(e, EINVAL, __VA_ARGS__)

bool netting_is(const char *mode, const char *what)
{
	const char *m = mode && *mode ? mode : "bridge";
	if (!strcmp(m, "default"))
		m = "bridge";
	size_t n = strlen(what);
	return what[n - 1] == ':' ? !strncmp(m, what, n) : !strcmp(m, what);
}

/* The network that the mode names: "bridge" for the default. */
static const char *mode_network(const struct container *c)
{
	return netting_is(c->host->network_mode, "bridge") ? "bridge" : c->host->network_mode;
}

struct container *netting_joined(struct container *c)
{
	if (!netting_is(c->host->network_mode, "container:"))
		return NULL;
	struct container *o;
	return container_find(c->engine, c->host->network_mode + 10, &o, NULL) == 0 ? o : NULL;
}

int port_spec_parse(const char *key, uint16_t *ret_port, enum net_proto *ret_proto)
{
	struct slice port, proto;
	int64_t n;
	slice_cut(slice_of(key), '/', &port, &proto);
	if (num_parse_i64(port, 1, 65535, &n) < 0 || net_proto_parse(proto, ret_proto) < 0)
		return -EINVAL;
	*ret_port = (uint16_t)n;
	return 0;
}

/* --- validation at create */
static int check_endpoint(const char *network, const struct docker_endpoint_settings *s, struct err *e)
{
	struct in_addr v4;
	struct in6_addr v6;
	unsigned m[6];
	char extra;
	const struct docker_endpoint_ipam *i = s->ipam_config;
	if (i && i->ipv4_address && *i->ipv4_address && inet_pton(AF_INET, i->ipv4_address, &v4) != 1)
		BAD("invalid endpoint settings:\ninvalid IPv4 address: %s", i->ipv4_address);
	if (i && i->ipv6_address && *i->ipv6_address && inet_pton(AF_INET6, i->ipv6_address, &v6) != 1)
		BAD("invalid endpoint settings:\ninvalid IPv6 address: %s", i->ipv6_address);
	if (s->mac_address && *s->mac_address &&
	    (sscanf(s->mac_address, "%2x:%2x:%2x:%2x:%2x:%2x%c", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &extra) != 6))
		BAD("invalid endpoint settings:\ninvalid MAC address %s", s->mac_address);
	return 0;
}

int netting_validate(struct engine *eng, struct docker_container_create *b, unsigned api, struct arena *a, struct err *e)
{
	struct docker_host_config *h = b->host_config;
	const char *mode = h->network_mode;
	if (netting_is(mode, "container:")) {
		if (!mode[10])
			BAD("invalid container format container:<name|id>");
		if (b->hostname && *b->hostname)
			BAD("conflicting options: hostname and the network mode");
		if (h->n_links)
			BAD("conflicting options: container type network can't be used with links. This would result in undefined behavior");
		if (h->n_dns)
			BAD("conflicting options: dns and the network mode");
		if (h->n_extra_hosts)
			BAD("conflicting options: custom host-to-IP mapping and the network mode");
		if (b->mac_address && *b->mac_address)
			BAD("conflicting options: mac-address and the network mode");
		if (h->n_port_bindings || h->publish_all_ports)
			BAD("conflicting options: port publishing and the container type network mode");
		if (b->n_exposed_ports)
			BAD("conflicting options: port exposing and the container type network mode");
	}
	if (netting_is(mode, "host") && h->n_links)
		BAD("conflicting options: host type networking can't be used with links. This would result in undefined behavior");
	unsigned m[6];
	if (b->mac_address && *b->mac_address && sscanf(b->mac_address, "%2x:%2x:%2x:%2x:%2x:%2x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]) != 6)
		BAD("invalid MAC address: %s", b->mac_address);
	const struct docker_networking_config *n = b->networking_config;
	for (uint32_t i = 0; n && i < n->n_endpoints_config; i++) {
		int r = check_endpoint(n->endpoints_config[i].key, &n->endpoints_config[i].value, e);
		if (r < 0)
			return r;
	}
	if (n && n->n_endpoints_config > 1 && api < 44) {
		AUTO(buf) struct buf names = BUF_INIT(4096);
		for (uint32_t i = 0; i < n->n_endpoints_config; i++)
			buf_addf(&names, "%s%s", i ? ", " : "", n->endpoints_config[i].key);
		BAD("Container cannot be connected to network endpoints: %s", names.ptr);
	}
	for (uint32_t i = 0; i < h->n_links; i++)
		if (!*h->links[i] || *h->links[i] == ':')
			BAD("bad format for links: %s", h->links[i]);
	return 0;
}

/* --- start */
static int check_attach(struct container *c, const struct net_network *n, const struct docker_endpoint_settings *s, struct err *e)
{
	const struct docker_endpoint_ipam *i = s->ipam_config;
	bool has_ip = i && ((i->ipv4_address && *i->ipv4_address) || (i->ipv6_address && *i->ipv6_address));
	if (has_ip && (n->is_default_bridge || n->predefined))
		BAD("invalid config for network %s: invalid endpoint settings:\nuser specified IP address is supported on user defined networks only", n->name);
	if (has_ip && !n->has_ipam_config)
		BAD("invalid config for network %s: invalid endpoint settings:\nuser specified IP address is supported only when connecting to networks with user configured subnets", n->name);
	if (s->n_aliases && n->predefined)
		BAD("network-scoped alias is supported only for containers in user defined networks");
	return 0;
}

int netting_attach_wait(struct container *c, const char *network, const struct docker_endpoint_settings *s, struct err *e)
{
	const struct net_network *n;
	int r = net_find(c->engine->config.net, network, &n, e);
	if (r == 0)
		r = check_attach(c, n, s, e);
	if (r < 0)
		return r;
	const struct docker_endpoint_ipam *i = s->ipam_config;
	struct net_attach how = { .container = c->id, .network = n->id, .ipv4 = i ? i->ipv4_address : NULL, .mac = s->mac_address,
		.aliases = s->aliases, .n_aliases = s->n_aliases, .gw_priority = (int32_t)s->gw_priority };
	if ((!how.mac || !*how.mac) && c->config->mac_address && *c->config->mac_address && !strcmp(network, mode_network(c)))
		how.mac = c->config->mac_address;
	const struct net_endpoint *ep;
	char name[256];
	char id[65];
	fmt_into(name, sizeof name, "%s", n->name);
	fmt_into(id, sizeof id, "%s", n->id);
	r = net_attach_wait(c->engine->config.net, &how, &ep, e);
	if (r == 0)
		engine_event(c->engine, "network", "connect", id,
			     (struct schema_pair[]){ { "container", c->id }, { "name", name }, { "type", netting_is(name, "host") ? "host" : netting_is(name, "none") ? "null" : "bridge" } }, 3);
	return r;
}

int netting_ports(struct container *c, struct arena *a, struct net_port_request **ret, uint32_t *n_ret, struct err *e)
{
	struct docker_host_config *h = c->host;
	uint32_t room = c->config->n_exposed_ports, n = 0;
	for (uint32_t i = 0; i < h->n_port_bindings; i++)
		room += MAX(h->port_bindings[i].n_value, 1u);
	struct net_port_request *v = arena_array(a, room, sizeof *v);
	if (!v)
		return err_nomem(e);
	for (uint32_t i = 0; i < h->n_port_bindings; i++) {
		const struct docker_port_binding_list_entry *p = &h->port_bindings[i];
		for (uint32_t k = 0; k < MAX(p->n_value, 1u); k++) {
			struct net_port_request r = { 0 };
			if (port_spec_parse(p->key, &r.container_port, &r.proto) < 0)
				BAD("invalid port specification: \"%s\"", p->key);
			if (k < p->n_value) {
				struct slice first, last;
				int64_t f = 0, l = 0;
				r.host_ip = p->value[k].host_ip;
				slice_cut(slice_of(p->value[k].host_port), '-', &first, &last);
				if (first.len && num_parse_i64(first, 0, 65535, &f) == 0)
					l = f;
				if (last.len)
					num_parse_i64(last, 0, 65535, &l);
				r.host_first = (uint16_t)f;
				r.host_last = (uint16_t)l;
			}
			v[n++] = r;
		}
	}
	for (uint32_t i = 0; h->publish_all_ports && i < c->config->n_exposed_ports; i++) {
		struct net_port_request r = { 0 };
		bool have = false;
		if (port_spec_parse(c->config->exposed_ports[i].key, &r.container_port, &r.proto) < 0)
			continue;
		for (uint32_t k = 0; k < n; k++)
			have = have || (v[k].container_port == r.container_port && v[k].proto == r.proto);
		if (!have)
			v[n++] = r;
	}
	*ret = v;
	*n_ret = n;
	return 0;
}

int netting_open_wait(struct container *c, const char **ret_path, struct err *e)
{
	struct net *net = c->engine->config.net;
	*ret_path = NULL;
	if (c->pod) {
		*ret_path = str_is(c->pod->net, "host") ? "" : str_or(c->pod->net, "");
		return 0;
	}
	if (netting_is(c->host->network_mode, "container:")) {
		AUTO(container) struct container *o = NULL;
		int r = container_find(c->engine, c->host->network_mode + 10, &o, e);
		if (r < 0)
			return r;
		if (!container_is_alive(o))
			return err_set(e, EBUSY, "cannot join network of a non running container: %s", o->id);
		if (o == c)
			BAD("cannot join own network namespace");
		const char *path = net_sandbox_path(net, o->id);
		*ret_path = path ? path : "";
		return 0;
	}
	bool is_host = netting_is(c->host->network_mode, "host");
	struct schema_pair *sysctls = calloc(c->host->n_sysctls + 1, sizeof *sysctls);
	uint32_t n_sysctls = 0;
	if (!sysctls)
		return err_nomem(e);
	for (uint32_t i = 0; i < c->host->n_sysctls; i++)
		if (!strncmp(c->host->sysctls[i].key, "net.", 4))
			sysctls[n_sysctls++] = c->host->sysctls[i];
	const struct engine_config *g = &c->engine->config;
	struct net_sandbox_options o = { .container = c->id, .name = c->name, .hostname = c->config->hostname, .sysctls = sysctls, .n_sysctls = n_sysctls,
		.dns = c->host->n_dns ? c->host->dns : g->dns, .n_dns = c->host->n_dns ? c->host->n_dns : (uint32_t)g->n_dns, .host = is_host };
	const char *path;
	int r = net_sandbox_open_wait(net, &o, &path, e);
	free(sysctls);
	if (r < 0)
		return r;
	for (uint32_t i = 0; r == 0 && !c->config->network_disabled && i < c->n_endpoints; i++)
		r = netting_attach_wait(c, c->endpoints[i].key, &c->endpoints[i].value, e);
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 20);
	struct net_port_request *ports;
	uint32_t n_ports = 0;
	if (r == 0)
		r = netting_ports(c, &a, &ports, &n_ports, e);
	if (r == 0 && n_ports && !is_host && !netting_is(c->host->network_mode, "none") && c->n_endpoints)
		r = net_publish_wait(net, c->id, ports, n_ports, e);
	if (r < 0) {
		net_sandbox_close_wait(net, c->id);
		if (e && strncmp(e->text, "failed to set up", 16) && strncmp(e->text, "invalid config", 14) && strncmp(e->text, "network-scoped", 14))
			err_prefix(e, "failed to set up container networking");
		return r;
	}
	*ret_path = net_sandbox_path(net, c->id);
	return 0;
}

void netting_close_wait(struct container *c)
{
	if (c->pod || netting_is(c->host->network_mode, "container:"))
		return;
	struct net *net = c->engine->config.net;
	size_t pos = 0;
	for (const struct net_endpoint *ep; (ep = net_endpoint_next(net, c->id, NULL, &pos));) {
		const struct net_network *n;
		if (net_find(net, ep->network, &n, NULL) == 0)
			engine_event(c->engine, "network", "disconnect", n->id,
				     (struct schema_pair[]){ { "container", c->id }, { "name", n->name }, { "type", n->driver } }, 3);
	}
	net_sandbox_close_wait(net, c->id);
}

/* --- /etc/hostname, hosts, resolv.conf */
static int file_put(const char *dir, const char *name, struct slice text, struct err *e)
{
	char *path = fmt_new("%s/%s", dir, name);
	if (!path)
		return err_nomem(e);
	/* in place: a running container has it mounted; a crash in between costs nothing, it is written before each start */
	AUTO(close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	int r = fd < 0 ? -errno : fd_write_all(fd, text.ptr, text.len);
	if (r < 0)
		err_sys(e, r, "writing %s", path);
	free(path);
	return r;
}

/* Addresses, the one with the default route (highest priority) first. */
static uint32_t addresses(struct container *c, const char **v, uint32_t room)
{
	size_t pos = 0;
	uint32_t n = 0;
	int32_t best = INT32_MIN;
	for (const struct net_endpoint *ep; n < room && (ep = net_endpoint_next(c->engine->config.net, c->id, NULL, &pos));) {
		if (!*ep->ipv4)
			continue;
		v[n++] = ep->ipv4;
		if (ep->gw_priority > best && n > 1) {
			const char *first = v[0];
			v[0] = v[n - 1];
			v[n - 1] = first;
		}
		best = MAX(best, ep->gw_priority);
	}
	return n;
}

static bool on_user_network(struct container *c)
{
	size_t pos = 0;
	for (const struct net_endpoint *ep; (ep = net_endpoint_next(c->engine->config.net, c->id, NULL, &pos));) {
		const struct net_network *n;
		if (net_find(c->engine->config.net, ep->network, &n, NULL) == 0 && !n->predefined && !n->is_default_bridge)
			return true;
	}
	return false;
}

/* --link other[:alias] becomes a line of hosts, as "alias hostname name:address". */
static int add_links(struct container *c, struct arena *a, const char ***extra, uint32_t *n, struct err *e)
{
	for (uint32_t i = 0; i < c->host->n_links; i++) {
		struct slice name, alias;
		bool has_alias = slice_cut(slice_of(c->host->links[i]), ':', &name, &alias);
		AUTO(container) struct container *o = NULL;
		char *text = arena_dup(a, name);
		if (!text)
			return err_nomem(e);
		int r = container_find(c->engine, text, &o, e);
		if (r < 0)
			return err_set(e, EINVAL, "could not get container for %s", text);
		size_t pos = 0;
		const struct net_endpoint *ep = net_endpoint_next(c->engine->config.net, o->id, NULL, &pos);
		if (!container_is_alive(o) || !ep || !*ep->ipv4)
			BAD("Cannot link to a non running container: /%s AS /%s/%.*s", o->name, c->name, SLICE_FMT(has_alias ? alias : name));
		const char *as = has_alias ? arena_dup(a, alias) : o->name, *host = str_or(o->config->hostname, "");
		if (!as)
			return err_nomem(e);
		bool same = !strcmp(as, o->name);
		if (strings_push(a, extra, n, arena_fmt(a, "%s %s%s%s:%s", as, host, same ? "" : " ", same ? "" : o->name, ep->ipv4)) < 0)
			return err_nomem(e);
	}
	return 0;
}

static int hosts_text(struct container *c, struct arena *a, struct buf *out, struct err *e)
{
	struct net *net = c->engine->config.net;
	const char *v[64];
	const char **extra = NULL;
	uint32_t n_extra = 0;
	for (uint32_t i = 0; i < c->host->n_extra_hosts; i++)
		if (strings_push(a, &extra, &n_extra, c->host->extra_hosts[i]) < 0)
			return err_nomem(e);
	int r = add_links(c, a, &extra, &n_extra, e);
	if (r < 0)
		return r;
	if (netting_is(c->host->network_mode, "host")) {
		r = file_read(AT_FDCWD, "/etc/hosts", out);
		if (r < 0 && r != -ENOENT)
			return err_sys(e, r, "reading /etc/hosts");
		for (uint32_t i = 0; i < n_extra; i++) {
			const char *sep = strchr(extra[i], ':'), *ip = sep + 1;
			buf_addf(out, "%s\t%.*s\n", strcmp(ip, "host-gateway") ? ip : net_host_gateway(net), (int)(sep - extra[i]), extra[i]);
		}
		return 0;
	}
	struct net_hosts_settings s = { .hostname = c->config->hostname, .domainname = c->config->domainname, .addresses = v,
		.n_addresses = addresses(c, v, ARRAY_LEN(v)), .extra = extra, .n_extra = n_extra, .host_gateway = net_host_gateway(net) };
	return net_hosts(&s, out, e);
}

int netting_files_wait(struct container *c, struct err *e)
{
	if (c->pod || netting_is(c->host->network_mode, "container:"))
		return 0;
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 20);
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	const char *dir = container_dir(c, &a);
	if (!dir)
		return err_nomem(e);
	int r = hosts_text(c, &a, &text, e);
	if (r == 0)
		r = file_put(dir, "hosts", buf_slice(&text), e);
	buf_reset(&text);
	const struct engine_config *g = &c->engine->config;
	const struct docker_host_config *h = c->host;
	struct net_dns_settings dns = {
		.servers = h->n_dns ? h->dns : g->dns, .n_servers = h->n_dns ? h->n_dns : (uint32_t)g->n_dns,
		.search = h->n_dns_search ? h->dns_search : g->dns_search, .n_search = h->n_dns_search ? h->n_dns_search : (uint32_t)g->n_dns_search,
		.options = h->n_dns_options ? h->dns_options : g->dns_options,
		.n_options = h->n_dns_options ? h->n_dns_options : (uint32_t)g->n_dns_options,
	};
	if (r == 0)
		r = net_resolv_conf(net_host_resolv_conf(g->net), &dns, on_user_network(c), &text);
	if (r == 0)
		r = file_put(dir, "resolv.conf", buf_slice(&text), e);
	buf_reset(&text);
	buf_addf(&text, "%s\n", str_or(c->config->hostname, ""));
	return r == 0 ? file_put(dir, "hostname", buf_slice(&text), e) : r;
}

/* --- inspect */
static void fill_endpoint(struct arena *a, const struct net_endpoint *ep, struct docker_endpoint_settings *s)
{
	s->network_id = arena_strdup(a, ep->network);
	s->endpoint_id = arena_strdup(a, ep->id);
	s->gateway = arena_strdup(a, ep->gateway);
	s->ip_address = arena_strdup(a, ep->ipv4);
	s->ip_prefix_len = ep->prefix_len;
	s->mac_address = arena_strdup(a, ep->mac);
	s->gw_priority = ep->gw_priority;
	if (ep->dns_names) {
		s->dns_names = strings_copy(a, ep->dns_names, ep->n_dns_names);
		s->n_dns_names = s->dns_names ? ep->n_dns_names : 0;
	}
}

static int fill_networks(struct container *c, struct arena *a, struct docker_network_settings *ret, struct err *e)
{
	struct net *net = c->engine->config.net;
	uint32_t room = c->n_endpoints;
	size_t pos = 0;
	while (net_endpoint_next(net, c->id, NULL, &pos))
		room++;
	ret->networks = arena_array(a, room, sizeof *ret->networks);
	if (!ret->networks)
		return err_nomem(e);
	for (uint32_t i = 0; i < c->n_endpoints; i++) {
		struct docker_endpoint_settings_entry *x = &ret->networks[ret->n_networks++];
		*x = c->endpoints[i];
		const struct net_network *n;
		pos = 0;
		if (net_find(net, x->key, &n, NULL) < 0)
			continue;
		x->key = arena_strdup(a, n->name);
		const struct net_endpoint *ep = net_endpoint_next(net, c->id, n->id, &pos);
		if (ep)
			fill_endpoint(a, ep, &x->value);
		else if (c->started_ns)
			x->value.network_id = arena_strdup(a, n->id);
	}
	return 0;
}

static int fill_ports(struct container *c, struct arena *a, struct docker_network_settings *ret, struct err *e)
{
	const struct net_port *live;
	uint32_t n_live = net_ports(c->engine->config.net, c->id, &live);
	uint32_t room = c->config->n_exposed_ports + n_live;
	ret->ports = arena_array(a, room, sizeof *ret->ports);
	if (!ret->ports)
		return err_nomem(e);
	if (!container_is_alive(c))
		return 0;
	for (uint32_t i = 0; i < n_live; i++) {
		const char *key = arena_fmt(a, "%u/%s", live[i].container_port, net_proto_name(live[i].proto));
		struct docker_port_binding_list_entry *x = NULL;
		for (uint32_t k = 0; key && k < ret->n_ports && !x; k++)
			if (!strcmp(ret->ports[k].key, key))
				x = &ret->ports[k];
		if (!x) {
			x = &ret->ports[ret->n_ports++];
			x->key = key;
			x->value = arena_array(a, n_live, sizeof *x->value);
		}
		if (!x->value)
			return err_nomem(e);
		x->value[x->n_value++] = (struct docker_port_binding){ arena_strdup(a, live[i].host_ip), arena_fmt(a, "%u", live[i].host_port) };
	}
	for (uint32_t i = 0; i < c->config->n_exposed_ports; i++) {
		bool have = false;
		for (uint32_t k = 0; k < ret->n_ports; k++)
			have = have || !strcmp(ret->ports[k].key, c->config->exposed_ports[i].key);
		if (!have)
			ret->ports[ret->n_ports++].key = c->config->exposed_ports[i].key;
	}
	return 0;
}

int netting_fill(struct container *c, struct arena *a, struct docker_network_settings *ret, struct err *e)
{
	*ret = (struct docker_network_settings){ .bridge = "", .sandbox_id = "", .sandbox_key = "" };
	int r = fill_networks(c, a, ret, e);
	if (r == 0)
		r = fill_ports(c, a, ret, e);
	if (r < 0)
		return r;
	const char *path = net_sandbox_path(c->engine->config.net, c->id);
	if (path) {
		ret->sandbox_id = c->id;
		ret->sandbox_key = arena_strdup(a, path);
	}
	for (uint32_t i = 0; i < ret->n_networks; i++) {
		const struct docker_endpoint_settings *s = &ret->networks[i].value;
		if (strcmp(ret->networks[i].key, "bridge"))
			continue;
		ret->endpoint_id = s->endpoint_id;
		ret->gateway = s->gateway;
		ret->ip_address = s->ip_address;
		ret->ip_prefix_len = s->ip_prefix_len;
		ret->mac_address = s->mac_address;
	}
	return 0;
}
