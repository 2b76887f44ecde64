// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "kube/control/service_int.h"

bool service_is_headless(const struct kube_service *svc) { return text_eq(svc->spec.cluster_ip, "None"); }

bool service_takes(const struct kube_pod *p, bool terminating)
{
	if (kube_pod_is_terminal(p) || !p->status.pod_ip || !*p->status.pod_ip)
		return false;
	return terminating || !kube_is_deleting(&p->metadata);
}

static bool find_named(const struct kube_container *v, uint32_t n, const struct kube_service_port *port, bool sidecars, int32_t *ret)
{
	const char *protocol = port->protocol ? port->protocol : "TCP";

	for (uint32_t i = 0; i < n; i++) {
		if (sidecars && !text_eq(v[i].restart_policy, "Always"))
			continue;
		for (uint32_t k = 0; k < v[i].n_ports; k++) {
			const struct kube_container_port *q = &v[i].ports[k];

			if (text_eq(q->name, port->target_port.string) && !strcmp(q->protocol ? q->protocol : "TCP", protocol)) {
				*ret = q->container_port;
				return true;
			}
		}
	}
	return false;
}

int service_pod_port(const struct kube_pod *p, const struct kube_service_port *port, int32_t *ret)
{
	if (!port->target_port.string) {
		*ret = port->target_port.number ? (int32_t)port->target_port.number : port->port;
		return 0;
	}
	return find_named(p->spec.containers, p->spec.n_containers, port, false, ret) ||
		find_named(p->spec.init_containers, p->spec.n_init_containers, port, true, ret) ? 0 : -ENOENT;
}

const char *service_hostname(const struct kube_service *svc, const struct kube_pod *p)
{
	return p->spec.hostname && *p->spec.hostname && text_eq(p->spec.subdomain, svc->metadata.name) ? p->spec.hostname : NULL;
}

struct kube_object_reference *service_target(struct arena *a, const struct kube_pod *p)
{
	struct kube_object_reference *r = arena_new(a, struct kube_object_reference);

	if (r)
		*r = (struct kube_object_reference){ .kind = "Pod", .namespace = p->metadata.namespace, .name = p->metadata.name, .uid = p->metadata.uid };
	return r;
}

const char *pod_address(const struct kube_pod *p, const char *family)
{
	bool six = !strcmp(family, "IPv6");

	for (uint32_t i = 0; i < p->status.n_pod_ips; i++)
		if (p->status.pod_ips[i].ip && !!strchr(p->status.pod_ips[i].ip, ':') == six)
			return p->status.pod_ips[i].ip;
	return p->status.pod_ip && *p->status.pod_ip && !!strchr(p->status.pod_ip, ':') == six ? p->status.pod_ip : NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct kube_head *const *)a)->metadata.name, (*(struct kube_head *const *)b)->metadata.name);
}

int service_pods(struct sync *s, struct service_state *st, const struct kube_service *svc, struct objects *ret)
{
	struct selector sel;
	struct objects all;
	uint32_t n = 0;
	int r = selector_of_map(&s->a, svc->spec.selector, svc->spec.n_selector, &sel);

	if (r == 0)
		r = sync_list(s, st->pods, NULL, svc->metadata.namespace, &all);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < all.n; i++) {
		const struct kube_head *h = all.v[i];

		if (selector_matches(&sel, h->metadata.labels, h->metadata.n_labels))
			all.v[n++] = all.v[i];
	}
	if (n)
		qsort(all.v, n, sizeof *all.v, by_name);
	*ret = (struct objects){ all.v, n };
	return 0;
}

struct schema_pair *service_labels(struct arena *a, const struct kube_service *svc, const struct schema_pair *more, uint32_t n_more, uint32_t *n)
{
	struct schema_pair *v = svc->metadata.labels;

	*n = svc->metadata.n_labels;
	/* A label of this name is ours to give or not. */
	v = kube_pairs_with(a, v, n, "service.kubernetes.io/headless", service_is_headless(svc) ? "" : NULL);
	for (uint32_t i = 0; i < n_more && v; i++)
		v = kube_pairs_with(a, v, n, more[i].key, more[i].value);
	return v;
}

bool pairs_equal(const struct schema_pair *a, uint32_t n, const struct schema_pair *b, uint32_t n_b)
{
	if (n != n_b)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		const char *v = schema_pair_get(b, n_b, a[i].key);

		if (!v || !text_eq(v, a[i].value))
			return false;
	}
	return true;
}

/* --- what wakes them */

struct wanting { struct ctl *k; const struct kube_object_meta *pod; };
static int want_one(void *arg, struct kobject *o)
{
	struct wanting *w = arg;
	const struct kube_service *svc = o->obj;

	if (!svc->spec.n_selector)
		return 0;
	for (uint32_t i = 0; i < svc->spec.n_selector; i++) {
		const char *v = kube_label(w->pod, svc->spec.selector[i].key);

		if (!v || !text_eq(v, svc->spec.selector[i].value))
			return 0;
	}
	ctl_add(w->k, o->key);
	return 0;
}

/* Most changes of pods mean nothing to services. */
static bool is_same_endpoint(const struct kube_pod *a, const struct kube_pod *b)
{
	return text_eq(a->status.pod_ip, b->status.pod_ip) && a->status.n_pod_ips == b->status.n_pod_ips && text_eq(a->spec.node_name, b->spec.node_name) &&
		kube_pod_is_ready(a) == kube_pod_is_ready(b) && kube_is_deleting(&a->metadata) == kube_is_deleting(&b->metadata) &&
		kube_pod_is_terminal(a) == kube_pod_is_terminal(b) && pairs_equal(a->metadata.labels, a->metadata.n_labels, b->metadata.labels, b->metadata.n_labels);
}

static void on_pod(struct ctl *k, struct kobject *old, struct kobject *now)
{
	struct service_state *st = k->own;
	struct wanting w = { k, NULL };

	if (old && now && is_same_endpoint(old->obj, now->obj))
		return;
	if (now) {
		w.pod = kobject_meta(now);
		informer_each(st->services, w.pod->namespace, want_one, &w);
	}
	if (old) {
		w.pod = kobject_meta(old);
		informer_each(st->services, w.pod->namespace, want_one, &w);
	}
}

static void release(struct ctl *k) { expects_free(((struct service_state *)k->own)->expects); }

int service_start(struct control *c, const char *name, const char *group, const char *plural, int (*sync_wait)(struct ctl *k, const char *key, struct err *e),
	void (*on_written)(struct ctl *k, struct kobject *old, struct kobject *now), struct ctl **ret)
{
	struct ctl *k = ctl_new(c, name, name, 4, sync_wait, sizeof(struct service_state));
	struct service_state *st;
	int r;

	if (!k)
		return -ENOMEM;
	st = k->own;
	k->release = release;
	st->services = ctl_need(k, "", "services");
	st->pods = ctl_need(k, "", "pods");
	st->nodes = ctl_need(k, "", "nodes");
	st->written = ctl_need(k, group, plural);
	r = expects_new(c->loop, &st->expects);
	if (r == 0)
		r = ctl_on(k, st->services, ctl_enqueue);
	if (r == 0)
		r = ctl_on(k, st->pods, on_pod);
	if (r == 0)
		r = ctl_on(k, st->written, on_written);
	*ret = k;
	return r;
}
