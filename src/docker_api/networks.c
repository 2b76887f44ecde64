/* SPDX-License-Identifier: Apache-2.0 */
/* /networks */
#include <errno.h>

#include "base/clock.h"
#include "docker_api/api_int.h"
#include "net/net.h"

static struct schema_pair *pairs(struct arena *a, const struct schema_pair *v, uint32_t n)
{
	struct schema_pair *o = arena_array(a, n, sizeof *o);
	for (uint32_t i = 0; o && i < n; i++)
		o[i] = (struct schema_pair){ arena_strdup(a, v[i].key), arena_strdup(a, v[i].value) };
	return o;
}

/* Endpoints of running containers. */
static int fill_containers(struct http_request *r, const struct net_network *n, struct docker_network *o)
{
	struct net *net = engine_net(engine_of(r));
	size_t pos = 0, room = 0;
	while (net_endpoint_next(net, NULL, n->id, &pos))
		room++;
	o->containers = arena_array(r->arena, room, sizeof *o->containers);
	if (!o->containers)
		return -ENOMEM;
	pos = 0;
	for (const struct net_endpoint *ep; o->n_containers < room && (ep = net_endpoint_next(net, NULL, n->id, &pos));)
		o->containers[o->n_containers++] = (struct docker_endpoint_resource_entry){ arena_strdup(r->arena, ep->container),
			{ .name = arena_strdup(r->arena, ep->container_name), .endpoint_id = arena_strdup(r->arena, ep->id),
			  .mac_address = arena_strdup(r->arena, ep->mac),
			  .ipv4_address = *ep->ipv4 ? arena_fmt(r->arena, "%s/%u", ep->ipv4, ep->prefix_len) : "", .ipv6_address = "" } };
	return 0;
}

static int view(struct http_request *r, const struct net_network *n, bool with_containers, struct docker_network *o)
{
	struct arena *a = r->arena;
	*o = (struct docker_network){ .name = arena_strdup(a, n->name), .id = arena_strdup(a, n->id), .created = arena_strdup(a, n->created),
		.scope = "local", .driver = arena_strdup(a, n->driver), .enable_ipv4 = true, .enable_ipv6 = n->enable_ipv6, .internal = n->internal,
		.attachable = n->attachable, .config_only = n->config_only, .config_from = { .network = "" }, .ipam = { .driver = "default" },
		.options = pairs(a, n->options, n->n_options), .n_options = n->n_options, .labels = pairs(a, n->labels, n->n_labels),
		.n_labels = n->n_labels };
	struct docker_ipam_config *c = o->ipam.config = arena_array(a, 1, sizeof *c);
	if (!c || !o->options || !o->labels)
		return -ENOMEM;
	if (!n->predefined)
		o->ipam.options = arena_array(a, 0, sizeof *o->ipam.options);
	if (*n->subnet) {
		*c = (struct docker_ipam_config){ .subnet = arena_strdup(a, n->subnet), .gateway = arena_strdup(a, n->gateway),
			.ip_range = arena_strdup(a, n->ip_range), .auxiliary_addresses = n->n_aux ? pairs(a, n->aux, n->n_aux) : NULL,
			.n_auxiliary_addresses = n->n_aux };
		o->ipam.n_config = 1;
	}
	o->containers = arena_array(a, 0, sizeof *o->containers);
	return with_containers ? fill_containers(r, n, o) : 0;
}

static bool wanted(struct engine *eng, const struct filters *f, const struct net_network *n, bool by_dangling, bool dangling)
{
	const struct filter *id = filters_get(f, "id"), *type = filters_get(f, "type");
	bool ok = id == NULL;
	for (uint32_t i = 0; id && i < id->n; i++)
		ok = ok || strstr(n->id, id->values[i]);
	if (!ok || !filters_exact(f, "driver", n->driver) || !filters_exact(f, "scope", "local") || !filters_match(f, "name", n->name) ||
	    !filters_labels(f, n->labels, n->n_labels, false))
		return false;
	ok = type == NULL;
	for (uint32_t i = 0; type && i < type->n; i++)
		ok = ok || !strcmp(type->values[i], n->predefined ? "builtin" : "custom");
	if (!ok)
		return false;
	size_t pos = 0;
	return !by_dangling || dangling == (!n->predefined && !net_endpoint_next(engine_net(eng), NULL, n->id, &pos));
}

static int list(struct http_request *r, struct err *e)
{
	static const char *const known[] = { "dangling", "driver", "id", "label", "name", "scope", "type", NULL };
	struct filters f;
	bool dangling = false;
	int ret = query_filters(r, &f, e);
	if (ret == 0)
		ret = filters_check(&f, known, e);
	if (ret == 0)
		ret = filters_bool(&f, "dangling", &dangling, e);
	const struct filter *type = ret == 0 ? filters_get(&f, "type") : NULL;
	for (uint32_t i = 0; type && i < type->n; i++)
		if (strcmp(type->values[i], "custom") && strcmp(type->values[i], "builtin"))
			return err_set(e, EINVAL, "invalid filter: 'type'='%s'", type->values[i]);
	if (ret < 0)
		return ret;
	struct net *net = engine_net(engine_of(r));
	struct docker_networks out = { 0 };
	size_t pos = 0, room = 0;
	while (net_next(net, &pos))
		room++;
	out.items = arena_array(r->arena, room, sizeof *out.items);
	pos = 0;
	for (const struct net_network *n; out.items && out.n_items < room && (n = net_next(net, &pos));)
		if (wanted(engine_of(r), &f, n, filters_get(&f, "dangling") != NULL, dangling))
			ret = view(r, n, false, &out.items[out.n_items++]);
	return ret < 0 || !out.items ? err_nomem(e) : reply_json(r, 200, T_docker_networks, &out);
}

static int inspect(struct http_request *r, struct err *e)
{
	const struct net_network *n;
	const char *scope = query(r, "scope");
	int ret = net_find(engine_net(engine_of(r)), http_param(r, "id"), &n, e);
	if (ret < 0)
		return ret;
	if (scope && *scope && strcmp(scope, "local"))
		return err_set(e, ENOENT, "network %s not found", http_param(r, "id"));
	struct docker_network out;
	return view(r, n, true, &out) < 0 ? err_nomem(e) : reply_json(r, 200, T_docker_network, &out);
}

static void event(struct http_request *r, const char *action, const char *id, const char *name, const char *type)
{
	engine_event(engine_of(r), "network", action, id, (struct schema_pair[]){ { "name", name }, { "type", type } }, 2);
}

static int create(struct http_request *r, struct err *e)
{
	struct docker_network_create b;
	int ret = body_json(r, T_docker_network_create, &b, false, e);
	if (ret < 0)
		return ret;
	if (!b.name || !*b.name)
		return err_set(e, EINVAL, "network name cannot be empty");
	if (b.config_only || (b.config_from && b.config_from->network && *b.config_from->network))
		return err_set(e, EOPNOTSUPP, "configuration-only networks are not supported by this engine");
	if (b.ingress || (b.scope && !strcmp(b.scope, "swarm")))
		return err_set(e, EHOSTDOWN, "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.");
	if (b.ipam && b.ipam->driver && *b.ipam->driver && strcmp(b.ipam->driver, "default"))
		return err_set(e, EINVAL, "could not find an available IPAM driver \"%s\"", b.ipam->driver);
	const struct docker_ipam_config *v4 = NULL;
	for (uint32_t i = 0; b.ipam && i < b.ipam->n_config; i++) {
		const struct docker_ipam_config *c = &b.ipam->config[i];
		if (c->subnet && strchr(c->subnet, ':'))
			continue;       /* IPv6 ranges are accepted and not used: EnableIPv6 says so in inspect */
		if (v4)
			return err_set(e, EINVAL, "only one IPv4 subnet per network is supported");
		v4 = c;
	}
	struct net_create how = { .name = b.name, .driver = b.driver, .internal = b.internal, .attachable = b.attachable,
		.enable_ipv6 = b.enable_ipv6 && *b.enable_ipv6, .options = b.options, .n_options = b.n_options, .labels = b.labels, .n_labels = b.n_labels };
	if (v4) {
		how.subnet = v4->subnet;
		how.gateway = v4->gateway;
		how.ip_range = v4->ip_range;
		how.aux = v4->auxiliary_addresses;
		how.n_aux = v4->n_auxiliary_addresses;
	}
	const struct net_network *n;
	ret = net_create_wait(engine_net(engine_of(r)), &how, &n, e);
	if (ret < 0)
		return ret;
	event(r, "create", n->id, n->name, n->driver);
	struct docker_network_created out = { .id = arena_strdup(r->arena, n->id), .warning = "" };
	return reply_json(r, 201, T_docker_network_created, &out);
}

static int remove_(struct http_request *r, struct err *e)
{
	const struct net_network *n;
	struct net *net = engine_net(engine_of(r));
	int ret = net_find(net, http_param(r, "id"), &n, e);
	if (ret < 0)
		return ret;
	const char *id = arena_strdup(r->arena, n->id), *name = arena_strdup(r->arena, n->name), *type = arena_strdup(r->arena, n->driver);
	ret = net_remove_wait(net, id, e);
	if (ret < 0)
		return ret;
	event(r, "destroy", id, name, type);
	return reply_empty(r, 204);
}

static int connect_(struct http_request *r, struct err *e)
{
	struct docker_network_connect b;
	int ret = body_json(r, T_docker_network_connect, &b, false, e);
	if (ret == 0)
		ret = engine_networks_connect_wait(engine_of(r), http_param(r, "id"), b.container ? b.container : "", b.endpoint_config, e);
	return ret < 0 ? ret : reply_empty(r, 200);
}

static int disconnect(struct http_request *r, struct err *e)
{
	struct docker_network_disconnect b;
	int ret = body_json(r, T_docker_network_disconnect, &b, false, e);
	if (ret == 0)
		ret = engine_networks_disconnect_wait(engine_of(r), http_param(r, "id"), b.container ? b.container : "", b.force, e);
	return ret < 0 ? ret : reply_empty(r, 200);
}

static int prune(struct http_request *r, struct err *e)
{
	static const char *const known[] = { "label", "label!", "until", NULL };
	struct filters f;
	int64_t until;
	int ret = query_filters(r, &f, e);
	if (ret == 0)
		ret = filters_check(&f, known, e);
	if (ret == 0)
		ret = filters_until(&f, clock_realtime_ns(), &until, e);
	if (ret < 0)
		return ret;
	struct net *net = engine_net(engine_of(r));
	struct docker_networks_pruned out = { 0 };
	size_t pos = 0, room = 0;
	while (net_next(net, &pos))
		room++;
	const char **names = arena_array(r->arena, room, sizeof *names);
	uint32_t n_names = 0;
	pos = 0;
	for (const struct net_network *n; names && (n = net_next(net, &pos));) {
		int64_t created = 0;
		clock_parse_rfc3339(slice_of(n->created), &created);
		if (n->predefined || engine_network_users(engine_of(r), n->id, n->name) || (until && created > until) ||
		    !filters_labels(&f, n->labels, n->n_labels, true))
			continue;
		names[n_names++] = arena_strdup(r->arena, n->name);
	}
	out.networks_deleted = arena_array(r->arena, n_names, sizeof *names);
	for (uint32_t i = 0; out.networks_deleted && i < n_names; i++)
		if (net_remove_wait(net, names[i], NULL) == 0)
			out.networks_deleted[out.n_networks_deleted++] = names[i];
	if (!out.n_networks_deleted)
		out.networks_deleted = NULL;
	engine_event(engine_of(r), "network", "prune", "", (struct schema_pair[]){ { "reclaimed", "0" } }, 1);
	return reply_json(r, 200, T_docker_networks_pruned, &out);
}

const struct http_route routes_networks[] = {
	{ "GET", "/networks", list },
	{ "GET", "/networks/", list },
	{ "POST", "/networks/create", create },
	{ "POST", "/networks/prune", prune },
	{ "GET", "/networks/{id}", inspect },
	{ "DELETE", "/networks/{id}", remove_ },
	{ "POST", "/networks/{id}/connect", connect_ },
	{ "POST", "/networks/{id}/disconnect", disconnect },
	{ 0 }
};
