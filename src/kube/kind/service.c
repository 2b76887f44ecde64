/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services: addresses and ports in two forms, and what happens to them when
 * the type changes. Giving out addresses and node ports is kube/api's.
 */
#include "kube/kind/kind_int.h"

static bool needs_cluster_ip(const struct kube_service *s)
{
	return !is(s->spec.type, "ExternalName");
}

static bool needs_node_port(const struct kube_service *s)
{
	if (is(s->spec.type, "LoadBalancer"))
		return !s->spec.allocate_load_balancer_node_ports || *s->spec.allocate_load_balancer_node_ports;
	return is(s->spec.type, "NodePort");
}

static bool is_external(const struct kube_service *s)
{
	return is(s->spec.type, "LoadBalancer") || is(s->spec.type, "NodePort") || (is(s->spec.type, "ClusterIP") && s->spec.n_external_ips);
}

static bool needs_health_port(const struct kube_service *s)
{
	return is(s->spec.type, "LoadBalancer") && is(s->spec.external_traffic_policy, "Local");
}

static bool same_list(const char **a, uint32_t n_a, const char **b, uint32_t n_b)
{
	if (n_a != n_b)
		return false;
	for (uint32_t i = 0; i < n_a; i++)
		if (!is(a[i], or_empty(b[i])))
			return false;
	return true;
}

static bool same_ips(const struct kube_service_spec *a, const struct kube_service_spec *b)
{
	return same_list(a->cluster_ips, a->n_cluster_ips, b->cluster_ips, b->n_cluster_ips);
}

static int one_ip(struct arena *a, struct kube_service_spec *s)
{
	s->cluster_ips = arena_array(a, 1, sizeof *s->cluster_ips);
	if (!s->cluster_ips)
		return -E2BIG;
	s->cluster_ips[0] = s->cluster_ip;
	s->n_cluster_ips = 1;
	return 0;
}

/* Old clients know one address, new ones a list: what one says is said for the other. */
static int normalize_ips(struct arena *a, struct kube_service_spec *s, const struct kube_service_spec *old)
{
	if (!old)
		return is_set(s->cluster_ip) && !s->n_cluster_ips ? one_ip(a, s) : 0;
	bool same_ip = !strcmp(or_empty(s->cluster_ip), or_empty(old->cluster_ip));
	if (old->n_cluster_ips && !s->n_cluster_ips && same_ip) {
		s->cluster_ips = old->cluster_ips;
		s->n_cluster_ips = old->n_cluster_ips;
	}
	if (same_ip || !same_ips(s, old))
		return 0;
	if (is_set(s->cluster_ip))
		return one_ip(a, s);
	s->cluster_ips = NULL;
	s->n_cluster_ips = 0;
	return 0;
}

static bool uses_node_port(const struct kube_service_spec *s, int32_t port)
{
	for (uint32_t i = 0; i < s->n_ports; i++)
		if (s->ports[i].node_port == port)
			return true;
	return false;
}

/* A client that leaves out what was given to the service means to keep it. */
static void keep_given(struct kube_service *s, const struct kube_service *old)
{
	if (needs_cluster_ip(old) && needs_cluster_ip(s)) {
		if (!is_set(s->spec.cluster_ip))
			s->spec.cluster_ip = old->spec.cluster_ip;
		if (!s->spec.n_cluster_ips && old->spec.n_cluster_ips) {
			s->spec.cluster_ips = old->spec.cluster_ips;
			s->spec.n_cluster_ips = old->spec.n_cluster_ips;
		}
	}
	for (uint32_t i = 0; needs_node_port(old) && needs_node_port(s) && i < s->spec.n_ports; i++) {
		struct kube_service_port *p = &s->spec.ports[i];
		for (uint32_t k = 0; !p->node_port && k < old->spec.n_ports; k++)
			if (!strcmp(or_empty(old->spec.ports[k].name), or_empty(p->name)) && !uses_node_port(&s->spec, old->spec.ports[k].node_port))
				p->node_port = old->spec.ports[k].node_port;
	}
	if (needs_health_port(old) && needs_health_port(s) && !s->spec.health_check_node_port)
		s->spec.health_check_node_port = old->spec.health_check_node_port;
}

static bool same_node_ports(const struct kube_service_spec *a, const struct kube_service_spec *b)
{
	for (uint32_t i = 0; i < a->n_ports; i++)
		if (a->ports[i].node_port && !uses_node_port(b, a->ports[i].node_port))
			return false;
	return true;
}

static bool same_text(const char *a, const char *b)
{
	return !strcmp(or_empty(a), or_empty(b));
}

/* What the new type has no use for goes, unless the client changed it as well (then validation refuses it). */
static void drop_useless(struct kube_service *s, const struct kube_service *old)
{
	struct kube_service_spec *n = &s->spec;
	const struct kube_service_spec *o = &old->spec;
	if (needs_cluster_ip(old) && !needs_cluster_ip(s)) {
		if (same_ips(n, o)) {
			n->cluster_ip = NULL;
			n->cluster_ips = NULL;
			n->n_cluster_ips = 0;
		}
		if (same_list(n->ip_families, n->n_ip_families, o->ip_families, o->n_ip_families)) {
			n->ip_families = NULL;
			n->n_ip_families = 0;
		}
		if (same_text(n->ip_family_policy, o->ip_family_policy))
			n->ip_family_policy = NULL;
	}
	if (needs_node_port(old) && !needs_node_port(s) && same_node_ports(n, o))
		for (uint32_t i = 0; i < n->n_ports; i++)
			n->ports[i].node_port = 0;
	if (needs_health_port(old) && !needs_health_port(s) && n->health_check_node_port == o->health_check_node_port)
		n->health_check_node_port = 0;
	bool was_balanced = is(o->type, "LoadBalancer"), is_balanced = is(n->type, "LoadBalancer");
	if (was_balanced && !is_balanced) {
		if (n->allocate_load_balancer_node_ports && o->allocate_load_balancer_node_ports &&
			*n->allocate_load_balancer_node_ports == *o->allocate_load_balancer_node_ports)
			n->allocate_load_balancer_node_ports = NULL;
		if (same_text(n->load_balancer_class, o->load_balancer_class))
			n->load_balancer_class = NULL;
	}
	if (is_external(old) && !is_external(s) && same_text(n->external_traffic_policy, o->external_traffic_policy))
		n->external_traffic_policy = NULL;
}

int kind_create_service(struct arena *a, void *obj)
{
	return normalize_ips(a, &((struct kube_service *)obj)->spec, NULL);
}

int kind_update_service(enum kind_write what, struct arena *a, void *obj, const void *old)
{
	struct kube_service *s = obj;
	const struct kube_service *was = old;
	if (what != KIND_SPEC)
		return 0;
	/* before the rest, so that what is kept is not taken for a change */
	keep_given(s, was);
	int r = normalize_ips(a, &s->spec, &was->spec);
	drop_useless(s, was);
	return r;
}
