/* SPDX-License-Identifier: Apache-2.0 */
/* Services, endpoints, ingresses. Source: pkg/apis/core/validation, pkg/apis/discovery/validation, pkg/apis/networking/validation. */
#include "kube/kind/check.h"

#include <arpa/inet.h>

static bool is_headless(const struct kube_service_spec *s)
{
	return s->n_cluster_ips == 1 && is(s->cluster_ips[0], "None");
}

static bool is_external(const struct kube_service_spec *s)
{
	return is(s->type, "LoadBalancer") || is(s->type, "NodePort") || (is(s->type, "ClusterIP") && s->n_external_ips);
}

static void check_any_port(struct check *c, const char *field, const struct schema_int_or_string *p)
{
	if (p->string)
		check_port_name(c, field, p->string);
	else
		check_port(c, field, p->number);
}

static void check_ports(struct check *c, const struct kube_service_spec *s)
{
	EACH(c, "ports", i, s->n_ports) {
		const struct kube_service_port *p = &s->ports[i];
		if (s->n_ports > 1 && !is_set(p->name)) {
			wrong(c, "name", REQUIRED);
		} else if (is_set(p->name)) {
			check_name(c, "name", p->name, NAME_LABEL);
			for (uint32_t k = 0; k < i; k++)
				if (is(s->ports[k].name, p->name)) {
					wrong(c, "name", "Duplicate value: %s", check_quote(c, p->name));
					break;
				}
		}
		check_port(c, "port", p->port);
		one_of(c, "protocol", p->protocol, "SCTP|TCP|UDP");
		check_any_port(c, "targetPort", &p->target_port);
		if (p->app_protocol)
			check_qualified_name(c, "appProtocol", p->app_protocol);
	}
}

static void check_port_pairs(struct check *c, const struct kube_service_spec *s)
{
	for (uint32_t i = 0; i < s->n_ports; i++) {
		const struct kube_service_port *p = &s->ports[i];
		WITHIN_ITEM(c, "ports", i) {
			if (is(s->type, "ClusterIP") && p->node_port)
				wrong(c, "nodePort", "Forbidden: may not be used when `type` is 'ClusterIP'");
			for (uint32_t k = 0; k < i; k++) {
				if (p->node_port && s->ports[k].node_port == p->node_port && is(s->ports[k].protocol, or_empty(p->protocol)))
					wrong(c, "nodePort", "Duplicate value: %d", p->node_port);
				if (s->ports[k].port == p->port && is(s->ports[k].protocol, or_empty(p->protocol)))
					wrong(c, NULL, "Duplicate value: {\"Name\":\"\",\"Protocol\":\"%s\",\"AppProtocol\":null,\"Port\":%d,\"TargetPort\":0,\"NodePort\":0}",
						or_empty(p->protocol), p->port);
			}
		}
	}
}

/* ["a","b"] */
static const char *list_text(struct check *c, const char **v, uint32_t n)
{
	AUTO(buf) struct buf b = BUF_INIT(4096);
	for (uint32_t i = 0; i < n; i++)
		buf_addf(&b, "%s\"%s\"", i ? "," : "", v[i]);
	return arena_fmt(c->a, "[%s]", b.ptr);
}

static void check_cluster_ips(struct check *c, const struct kube_service_spec *s)
{
	if (is_set(s->cluster_ip)) {
		if (!s->n_cluster_ips)
			wrong(c, "clusterIPs", REQUIRED);
		else if (!is(s->cluster_ips[0], s->cluster_ip))
			wrong(c, "clusterIPs", "Invalid value: %s: first value must match `clusterIP`", list_text(c, s->cluster_ips, s->n_cluster_ips));
	} else if (s->n_cluster_ips) {
		wrong(c, "clusterIPs", "Invalid value: %s: must be empty when `clusterIP` is not specified", list_text(c, s->cluster_ips, s->n_cluster_ips));
	}
	for (uint32_t i = 0; i < s->n_ip_families; i++)
		WITHIN_ITEM(c, "ipFamilies", i) {
			one_of(c, NULL, s->ip_families[i], "IPv4|IPv6");
			if (i && is(s->ip_families[0], or_empty(s->ip_families[i])))
				wrong(c, NULL, "Duplicate value: %s", check_quote(c, s->ip_families[i]));
		}
	if (s->ip_family_policy)
		one_of(c, "ipFamilyPolicy", s->ip_family_policy, "PreferDualStack|RequireDualStack|SingleStack");
	for (uint32_t i = 0; i < s->n_cluster_ips; i++) {
		if (i == 0 && is(s->cluster_ips[0], "None")) {
			if (s->n_cluster_ips > 1)
				wrong(c, "clusterIPs", "Invalid value: %s: 'None' must be the first and only value", list_text(c, s->cluster_ips, s->n_cluster_ips));
			continue;
		}
		WITHIN_ITEM(c, "clusterIPs", i) check_ip(c, NULL, s->cluster_ips[i]);
	}
	if (s->n_cluster_ips > 2)
		wrong(c, "clusterIPs", "Invalid value: %s: may only hold up to 2 values", list_text(c, s->cluster_ips, s->n_cluster_ips));
}

static void check_by_type(struct check *c, const struct kube_service_spec *s)
{
	if (!s->n_ports && !is_headless(s) && !is(s->type, "ExternalName"))
		wrong(c, "ports", REQUIRED);
	if ((is(s->type, "LoadBalancer") || is(s->type, "NodePort")) && is_headless(s))
		WITHIN_ITEM(c, "clusterIPs", 0) wrong_text(c, NULL, "None", "may not be set to 'None' for %s services", s->type);
	if (!is(s->type, "ExternalName"))
		return;
	if (s->n_cluster_ips)
		wrong(c, "clusterIPs", "Forbidden: may not be set for ExternalName services");
	if (s->n_ip_families)
		wrong(c, "ipFamilies", "Forbidden: may not be set for ExternalName services");
	if (s->ip_family_policy)
		wrong(c, "ipFamilyPolicy", "Forbidden: may not be set for ExternalName services");
	char *name = arena_strdup(c->a, or_empty(s->external_name));
	if (name && *name && name[strlen(name) - 1] == '.')
		name[strlen(name) - 1] = 0;
	if (!name || !*name)
		wrong(c, "externalName", REQUIRED);
	else
		check_name(c, "externalName", name, NAME_SUBDOMAIN);
}

/*
 * The API server's own endpoints are the one exception below: a server that listens on the loopback only (tests, one machine) says
 * so, and nobody else can write default/kubernetes without being allowed to anyhow.
 */
static bool is_server_itself(const struct kube_object_meta *m)
{
	return is(m->namespace, "default") && (is(m->name, "kubernetes") || is(schema_pair_get(m->labels, m->n_labels, "kubernetes.io/service-name"), "kubernetes"));
}

/* Addresses that no client may be sent to. */
static void check_endpoint_ip(struct check *c, const char *field, const char *ip)
{
	struct in_addr a;
	if (!is_ip(ip)) {
		check_ip(c, field, ip);
		if (field)
			wrong_text(c, field, ip, "must be a valid IP address");
		return;
	}
	if (inet_pton(AF_INET, ip, &a) == 1) {
		uint32_t v = ntohl(a.s_addr);
		if (!v)
			wrong_text(c, field, ip, "may not be unspecified (0.0.0.0 or ::)");
		else if (v >> 24 == 127)
			wrong_text(c, field, ip, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
		else if (v >> 16 == 0xa9fe)
			wrong_text(c, field, ip, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
		else if (v >> 8 == 0xe00000)
			wrong_text(c, field, ip, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
	} else if (!strcmp(ip, "::1")) {
		wrong_text(c, field, ip, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
	}
}

static void check_traffic(struct check *c, const struct kube_service_spec *s)
{
	bool is_balanced = is(s->type, "LoadBalancer");
	if (!is_external(s)) {
		if (is_set(s->external_traffic_policy))
			wrong_text(c, "externalTrafficPolicy", s->external_traffic_policy, "may only be set for externally-accessible services");
	} else if (!is_set(s->external_traffic_policy)) {
		wrong(c, "externalTrafficPolicy", REQUIRED);
	} else {
		one_of(c, "externalTrafficPolicy", s->external_traffic_policy, "Cluster|Local");
	}
	if (s->health_check_node_port && !(is_balanced && is(s->external_traffic_policy, "Local")))
		wrong_int(c, "healthCheckNodePort", s->health_check_node_port, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
	if (s->n_load_balancer_source_ranges && !is_balanced)
		wrong(c, "LoadBalancerSourceRanges", "Forbidden: may only be used when `type` is 'LoadBalancer'");
	if (s->allocate_load_balancer_node_ports && !is_balanced)
		wrong(c, "allocateLoadBalancerNodePorts", "Forbidden: may only be used when `type` is 'LoadBalancer'");
	if (s->load_balancer_class && !is_balanced)
		wrong(c, "loadBalancerClass", "Forbidden: may only be used when `type` is 'LoadBalancer'");
	if (s->internal_traffic_policy && !is(s->type, "ExternalName"))
		one_of(c, "internalTrafficPolicy", s->internal_traffic_policy, "Cluster|Local");
	if (s->traffic_distribution)
		one_of(c, "trafficDistribution", s->traffic_distribution, "PreferClose|PreferSameZone|PreferSameNode");
}

static void check_affinity_config(struct check *c, const struct kube_service_spec *s)
{
	const struct kube_session_affinity_config *a = s->session_affinity_config;
	if (is(s->session_affinity, "ClientIP")) {
		if (!a || !a->client_ip || !a->client_ip->timeout_seconds)
			wrong(c, "sessionAffinityConfig", REQUIRED ": when session affinity type is ClientIP");
		else if (*a->client_ip->timeout_seconds <= 0 || *a->client_ip->timeout_seconds > 86400)
			WITHIN(c, "sessionAffinityConfig") WITHIN(c, "clientIP")
				wrong_int(c, "timeoutSeconds", *a->client_ip->timeout_seconds, "must be greater than 0 and less than 86400");
	} else if (a) {
		wrong(c, "sessionAffinityConfig", "Forbidden: must not be set when session affinity is None");
	}
}

static void check_update(struct check *c, const struct kube_service_spec *s, const struct kube_service_spec *old)
{
	if (is(s->type, "ExternalName") || is(old->type, "ExternalName") || (is_headless(s) && is_headless(old)))
		return;
	const char *list = list_text(c, s->cluster_ips, s->n_cluster_ips);
	if (old->n_cluster_ips > s->n_cluster_ips && !s->n_cluster_ips)
		WITHIN_ITEM(c, "clusterIPs", 0) wrong(c, NULL, "Invalid value: %s: primary clusterIP can not be unset", list);
	for (uint32_t i = 0; i < s->n_cluster_ips && i < old->n_cluster_ips; i++)
		if (!is(s->cluster_ips[i], or_empty(old->cluster_ips[i])))
			WITHIN_ITEM(c, "clusterIPs", i) wrong(c, NULL, "Invalid value: %s: may not change once set", list);
}

void kind_validate_service(struct check *c, const void *obj, const void *old)
{
	const struct kube_service_spec *s = &((const struct kube_service *)obj)->spec;
	WITHIN(c, "spec") {
		if (old)
			check_update(c, s, &((const struct kube_service *)old)->spec);
		check_by_type(c, s);
		check_ports(c, s);
		check_labels(c, "selector", s->selector, s->n_selector);
		one_of(c, "sessionAffinity", s->session_affinity, "ClientIP|None");
		check_affinity_config(c, s);
		if (!is(s->type, "ExternalName"))
			check_cluster_ips(c, s);
		for (uint32_t i = 0; i < s->n_external_ips; i++)
			WITHIN_ITEM(c, "externalIPs", i) check_endpoint_ip(c, NULL, s->external_ips[i]);
		one_of(c, "type", s->type, "ClusterIP|ExternalName|LoadBalancer|NodePort");
		check_port_pairs(c, s);
		check_traffic(c, s);
	}
}

static void check_addresses(struct check *c, const char *field, const struct kube_endpoint_address *v, uint32_t n, bool is_server)
{
	EACH(c, field, i, n) {
		if (is_server)
			check_ip(c, "ip", v[i].ip);
		else
			check_endpoint_ip(c, "ip", v[i].ip);
		if (is_set(v[i].hostname))
			check_name(c, "hostname", v[i].hostname, NAME_LABEL);
		if (v[i].node_name)
			check_name(c, "nodeName", v[i].node_name, NAME_SUBDOMAIN);
	}
}

void kind_validate_endpoints(struct check *c, const void *obj, const void *old)
{
	const struct kube_endpoints *o = obj;
	(void)old;
	EACH(c, "subsets", i, o->n_subsets) {
		const struct kube_endpoint_subset *s = &o->subsets[i];
		if (!s->n_addresses && !s->n_not_ready_addresses)
			wrong(c, NULL, REQUIRED ": must specify `addresses` or `notReadyAddresses`");
		check_addresses(c, "addresses", s->addresses, s->n_addresses, is_server_itself(&o->metadata));
		check_addresses(c, "notReadyAddresses", s->not_ready_addresses, s->n_not_ready_addresses, is_server_itself(&o->metadata));
		EACH(c, "ports", k, s->n_ports) {
			const struct kube_core_endpoint_port *p = &s->ports[k];
			if (s->n_ports > 1 && !is_set(p->name))
				wrong(c, "name", REQUIRED);
			else if (is_set(p->name))
				check_name(c, "name", p->name, NAME_LABEL);
			check_port(c, "port", p->port);
			one_of(c, "protocol", p->protocol, "SCTP|TCP|UDP");
		}
	}
}

void kind_validate_endpoint_slice(struct check *c, const void *obj, const void *old)
{
	const struct kube_endpoint_slice *o = obj;
	if (!is_set(o->address_type))
		wrong(c, "addressType", REQUIRED);
	else
		one_of(c, "addressType", o->address_type, "FQDN|IPv4|IPv6");
	if (old)
		check_immutable_text(c, "addressType", o->address_type, ((const struct kube_endpoint_slice *)old)->address_type);
	if (o->n_endpoints > 1000)
		wrong(c, "endpoints", "Too many: %u: must have at most 1000 items", o->n_endpoints);
	EACH(c, "endpoints", i, o->n_endpoints) {
		const struct kube_endpoint *e = &o->endpoints[i];
		if (!e->n_addresses)
			wrong(c, "addresses", REQUIRED ": must contain at least 1 address");
		if (e->n_addresses > 100)
			wrong(c, "addresses", "Too many: %u: must have at most 100 items", e->n_addresses);
		for (uint32_t k = 0; k < e->n_addresses; k++)
			WITHIN_ITEM(c, "addresses", k) {
				if (is(o->address_type, "FQDN"))
					check_name(c, NULL, e->addresses[k], NAME_SUBDOMAIN);
				else if ((is(o->address_type, "IPv4") || is(o->address_type, "IPv6")) && !is_server_itself(&o->metadata))
					check_endpoint_ip(c, NULL, e->addresses[k]);
			}
		if (e->node_name)
			check_name(c, "nodeName", e->node_name, NAME_SUBDOMAIN);
		if (e->hostname)
			check_name(c, "hostname", e->hostname, NAME_LABEL);
	}
	EACH(c, "ports", i, o->n_ports) {
		const struct kube_endpoint_port *p = &o->ports[i];
		if (is_set(p->name))
			check_name(c, "name", p->name, NAME_LABEL);
		for (uint32_t k = 0; k < i; k++)
			if (!strcmp(or_empty(o->ports[k].name), or_empty(p->name)))
				wrong(c, "name", "Duplicate value: %s", check_quote(c, p->name));
		if (p->protocol)
			one_of(c, "protocol", p->protocol, "SCTP|TCP|UDP");
	}
}

static void check_backend(struct check *c, const struct kube_ingress_backend *b)
{
	const struct kube_ingress_service_backend *s = b->service;
	if (s && b->resource) {
		wrong_text(c, NULL, "", "cannot set both resource and service backends");
	} else if (s) {
		WITHIN(c, "service") {
			if (!is_set(s->name))
				wrong(c, "name", REQUIRED);
			else
				check_name(c, "name", s->name, NAME_LABEL);
			if (is_set(s->port.name) && !s->port.number)
				WITHIN(c, "port") check_port_name(c, "name", s->port.name);
			else if (s->port.number && !is_set(s->port.name))
				WITHIN(c, "port") check_port(c, "number", s->port.number);
		}
		if (is_set(s->port.name) && s->port.number)
			wrong_text(c, NULL, "", "cannot set both port name & port number");
		else if (!is_set(s->port.name) && !s->port.number)
			wrong(c, NULL, REQUIRED ": port name or number is required");
	} else if (!b->resource) {
		wrong_text(c, NULL, "", "resource or service backend is required");
	}
}

static void check_path(struct check *c, const struct kube_http_ingress_path *p)
{
	static const char *const sequences[] = { "//", "/./", "/../", "%2f", "%2F" }, *const endings[] = { "/..", "/." };
	const char *path = or_empty(p->path);
	if (!p->path_type) {
		wrong(c, "pathType", REQUIRED ": pathType must be specified");
		return;
	}
	if (one_of(c, "pathType", p->path_type, "Exact|ImplementationSpecific|Prefix")) {
		bool is_strict = !is(p->path_type, "ImplementationSpecific");
		if ((is_strict || *path) && *path != '/')
			wrong_text(c, "path", path, "must be an absolute path");
		for (size_t i = 0; is_strict && i < ARRAY_LEN(sequences); i++)
			if (strstr(path, sequences[i]))
				wrong_text(c, "path", path, "must not contain '%s'", sequences[i]);
		for (size_t i = 0; is_strict && i < ARRAY_LEN(endings); i++)
			if (slice_ends(slice_of(path), endings[i]))
				wrong_text(c, "path", path, "cannot end with '%s'", endings[i]);
	}
	WITHIN(c, "backend") check_backend(c, &p->backend);
}

void kind_validate_ingress(struct check *c, const void *obj, const void *old)
{
	const struct kube_ingress_spec *s = &((const struct kube_ingress *)obj)->spec;
	(void)old;
	if (!s->n_rules && !s->default_backend)
		wrong(c, "spec", "Invalid value: null: either `defaultBackend` or `rules` must be specified");
	WITHIN(c, "spec") {
		if (s->default_backend)
			WITHIN(c, "defaultBackend") check_backend(c, s->default_backend);
		EACH(c, "rules", i, s->n_rules) {
			const struct kube_ingress_rule *r = &s->rules[i];
			if (is_set(r->host)) {
				if (is_ip(r->host))
					wrong_text(c, "host", r->host, "must be a DNS name, not an IP address");
				if (strncmp(r->host, "*.", 2))
					check_name(c, "host", r->host, NAME_SUBDOMAIN);
				else
					check_name(c, "host", r->host + 2, NAME_SUBDOMAIN);
			}
			if (r->http) WITHIN(c, "http") {
				if (!r->http->n_paths)
					wrong(c, "paths", REQUIRED);
				EACH(c, "paths", k, r->http->n_paths)
					check_path(c, &r->http->paths[k]);
			}
		}
		EACH(c, "tls", i, s->n_tls) {
			for (uint32_t k = 0; k < s->tls[i].n_hosts; k++)
				WITHIN_ITEM(c, "hosts", k)
					check_name(c, NULL, s->tls[i].hosts[k] + (strncmp(s->tls[i].hosts[k], "*.", 2) ? 0 : 2), NAME_SUBDOMAIN);
			if (is_set(s->tls[i].secret_name))
				check_name(c, "secretName", s->tls[i].secret_name, NAME_SUBDOMAIN);
		}
		if (s->ingress_class_name)
			check_name(c, "ingressClassName", s->ingress_class_name, NAME_SUBDOMAIN);
	}
}

void kind_validate_ingress_class(struct check *c, const void *obj, const void *old)
{
	const struct kube_ingress_class_spec *s = &((const struct kube_ingress_class *)obj)->spec;
	const struct kube_ingress_class_spec *was = old ? &((const struct kube_ingress_class *)old)->spec : NULL;
	WITHIN(c, "spec") {
		if (!is_set(s->controller))
			wrong(c, "controller", REQUIRED);
		else if (!strchr(s->controller, '/'))
			wrong_text(c, "controller", s->controller, "must be a domain-prefixed path (such as \"acme.io/foo\")");
		if (s->parameters) WITHIN(c, "parameters") {
			if (is_set(s->parameters->api_group))
				check_name(c, "apiGroup", s->parameters->api_group, NAME_SUBDOMAIN);
			if (is_set(s->parameters->scope))
				one_of(c, "scope", s->parameters->scope, "Cluster|Namespace");
			if (!is_set(s->parameters->kind))
				wrong(c, "kind", REQUIRED);
			if (!is_set(s->parameters->name))
				wrong(c, "name", REQUIRED);
		}
		if (was)
			check_immutable_text(c, "controller", s->controller, was->controller);
	}
}
