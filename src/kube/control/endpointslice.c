// SPDX-License-Identifier: Apache-2.0
/*
 * Endpoint slices: the endpoints of a service by address family and ports, at
 * most 100 in one. An endpoint stays in the slice where it is; new ones fill
 * what has room. Endpoints that people write for services without a selector are mirrored.
 */
#include <errno.h>

#include "kube/control/service_int.h"

enum { SLICE_MAX = 100, MIRROR_MAX = 1000 };
#define SERVICE_LABEL "kubernetes.io/service-name"
#define MANAGED_LABEL "endpointslice.kubernetes.io/managed-by"
static const char slice_manager[] = "endpointslice-controller.k8s.io", mirror_manager[] = "endpointslicemirroring-controller.k8s.io";

/* Endpoints with the same ports. */
struct group {
	struct kube_endpoint_port *ports;
	uint32_t n_ports;
	struct kube_endpoint *v;
	uint32_t n, room;
	bool *is_placed;
};
struct groups { VEC(struct group) v; };

struct work {
	struct sync *s;
	struct service_state *st;
	const char *key, *manager, *family;
	const struct kube_service *svc;
	const struct kube_object_meta *labels_of;   /* whose labels slices carry: the service, or the mirrored Endpoints */
	struct owner owner;
};

static bool same_ports(const struct kube_endpoint_port *a, uint32_t n, const struct kube_endpoint_port *b, uint32_t n_b)
{
	if (n != n_b)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!text_eq(a[i].name, b[i].name) || !text_eq(a[i].protocol, b[i].protocol) || !text_eq(a[i].app_protocol, b[i].app_protocol) ||
		    !a[i].port != !b[i].port || (a[i].port && *a[i].port != *b[i].port))
			return false;
	return true;
}

static int port_cmp(const void *va, const void *vb)
{
	const struct kube_endpoint_port *a = va, *b = vb;
	int r = strcmp(a->name ? a->name : "", b->name ? b->name : "");

	return r ? r : (a->port && b->port ? (*a->port > *b->port) - (*a->port < *b->port) : 0);
}

static struct group *group_of(struct groups *all, struct kube_endpoint_port *ports, uint32_t n)
{
	struct group fresh = { .ports = ports, .n_ports = n };

	for (size_t i = 0; i < all->v.n; i++)
		if (same_ports(all->v.v[i].ports, all->v.v[i].n_ports, ports, n))
			return &all->v.v[i];
	return vec_push(&all->v, fresh) < 0 ? NULL : &all->v.v[all->v.n - 1];
}

static int group_push(struct arena *a, struct group *g, const struct kube_endpoint *x)
{
	if (g->n == g->room) {
		uint32_t room = g->room ? g->room * 2 : 8;
		struct kube_endpoint *more = arena_array(a, room, sizeof *more);

		if (!more)
			return -ENOMEM;
		if (g->n)
			memcpy(more, g->v, g->n * sizeof *more);
		g->v = more;
		g->room = room;
	}
	g->v[g->n++] = *x;
	return 0;
}

/* --- from pods */

static bool *truth(struct arena *a, bool v)
{
	bool *p = arena_new(a, bool);

	if (p)
		*p = v;
	return p;
}

static int endpoint_of_pod(struct work *w, const struct kube_pod *p, const char *address, struct kube_endpoint *ret)
{
	struct arena *a = &w->s->a;
	bool ready = kube_pod_is_ready(p), terminating = kube_is_deleting(&p->metadata);
	const struct kube_node *node = p->spec.node_name ? sync_get(w->s, w->st->nodes, p->spec.node_name) : NULL;
	const char **addresses = arena_new(a, const char *);

	*ret = (struct kube_endpoint){ .addresses = addresses, .n_addresses = 1, .hostname = service_hostname(w->svc, p), .target_ref = service_target(a, p),
		.node_name = p->spec.node_name, .zone = node ? kube_label(&node->metadata, "topology.kubernetes.io/zone") : NULL };
	ret->conditions.ready = truth(a, w->svc->spec.publish_not_ready_addresses || (ready && !terminating));
	ret->conditions.serving = truth(a, ready || w->svc->spec.publish_not_ready_addresses);
	ret->conditions.terminating = truth(a, terminating);
	if (!addresses || !ret->target_ref || !ret->conditions.ready || !ret->conditions.serving || !ret->conditions.terminating)
		return -ENOMEM;
	*addresses = address;
	return 0;
}

static int add_pod(struct work *w, const struct kube_pod *p, struct groups *all)
{
	struct arena *a = &w->s->a;
	const struct kube_service *svc = w->svc;
	const char *address = pod_address(p, w->family);
	struct kube_endpoint_port *ports = arena_array(a, svc->spec.n_ports, sizeof *ports);
	struct kube_endpoint x;
	struct group *g;
	uint32_t n = 0;

	if (!address)
		return 0;
	if (!ports || endpoint_of_pod(w, p, address, &x) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < svc->spec.n_ports; i++) {
		const struct kube_service_port *q = &svc->spec.ports[i];
		int32_t *number = arena_new(a, int32_t);

		if (!number)
			return -ENOMEM;
		if (service_pod_port(p, q, number) == 0)
			ports[n++] = (struct kube_endpoint_port){ q->name ? q->name : "", q->protocol ? q->protocol : "TCP", number, q->app_protocol };
	}
	if (n)
		qsort(ports, n, sizeof *ports, port_cmp);
	g = group_of(all, ports, n);
	return g ? group_push(a, g, &x) : -ENOMEM;
}

/* --- from Endpoints that people write */

static int mirror_addresses(struct work *w, struct group *g, const struct kube_endpoint_address *v, uint32_t n, bool ready)
{
	for (uint32_t i = 0; i < n && g->n < MIRROR_MAX; i++) {
		const char **addresses = arena_new(&w->s->a, const char *);
		struct kube_endpoint x = { .addresses = addresses, .n_addresses = 1, .hostname = v[i].hostname, .node_name = v[i].node_name,
			.target_ref = v[i].target_ref, .conditions.ready = truth(&w->s->a, ready) };

		if (!v[i].ip || !!strchr(v[i].ip, ':') != !strcmp(w->family, "IPv6"))
			continue;
		if (!addresses || !x.conditions.ready || (*addresses = v[i].ip, group_push(&w->s->a, g, &x)) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int mirror(struct work *w, const struct kube_endpoints *ep, struct groups *all)
{
	for (uint32_t i = 0; i < ep->n_subsets; i++) {
		const struct kube_endpoint_subset *sub = &ep->subsets[i];
		struct kube_endpoint_port *ports = arena_array(&w->s->a, sub->n_ports, sizeof *ports);
		struct group *g;

		if (!ports)
			return -ENOMEM;
		for (uint32_t k = 0; k < sub->n_ports; k++) {
			int32_t *number = arena_new(&w->s->a, int32_t);

			if (!number)
				return -ENOMEM;
			*number = sub->ports[k].port;
			ports[k] = (struct kube_endpoint_port){ sub->ports[k].name ? sub->ports[k].name : "", sub->ports[k].protocol ? sub->ports[k].protocol : "TCP",
				number, sub->ports[k].app_protocol };
		}
		if (sub->n_ports)
			qsort(ports, sub->n_ports, sizeof *ports, port_cmp);
		g = group_of(all, ports, sub->n_ports);
		if (!g || mirror_addresses(w, g, sub->addresses, sub->n_addresses, true) < 0 ||
		    mirror_addresses(w, g, sub->not_ready_addresses, sub->n_not_ready_addresses, false) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* --- bringing slices there */

static bool is_same_target(const struct kube_endpoint *a, const struct kube_endpoint *b)
{
	if (a->target_ref && b->target_ref && a->target_ref->uid && b->target_ref->uid)
		return !strcmp(a->target_ref->uid, b->target_ref->uid);
	return !a->target_ref == !b->target_ref && a->n_addresses && b->n_addresses && !strcmp(a->addresses[0], b->addresses[0]);
}

static int labels_of(struct work *w, struct schema_pair **ret, uint32_t *n)
{
	struct schema_pair more[] = { { SERVICE_LABEL, w->svc->metadata.name }, { MANAGED_LABEL, w->manager } };
	struct kube_service as = *w->svc;

	as.metadata.labels = w->labels_of->labels;
	as.metadata.n_labels = w->labels_of->n_labels;
	*ret = service_labels(&w->s->a, &as, more, 2, n);
	return *ret ? 0 : -ENOMEM;
}

/* Sends the slice if it is new or another than it was. */
static int write_wait(struct work *w, const struct kube_endpoint_slice *old, struct group *g, struct kube_endpoint *v, uint32_t n, struct err *e)
{
	const struct kube_resource *r = informer_resource(w->st->written);
	struct kube_endpoint_slice *answer = arena_new(&w->s->a, struct kube_endpoint_slice), x = { 0 };
	const char *now = sync_now_text(w->s);
	int rc;

	if (old)
		x = *old;
	x.endpoints = v;
	x.n_endpoints = n;
	x.ports = g ? g->ports : NULL;
	x.n_ports = g ? g->n_ports : 0;
	if (!answer || !now || labels_of(w, &x.metadata.labels, &x.metadata.n_labels) < 0)
		return err_nomem(e);
	if (old && pairs_equal(old->metadata.labels, old->metadata.n_labels, x.metadata.labels, x.metadata.n_labels)) {
		struct kube_endpoint_slice was = *old, is = x;

		was.metadata = is.metadata = (struct kube_object_meta){ 0 };
		if (!was.n_endpoints)
			was.endpoints = NULL;
		if (!is.n_endpoints)
			is.endpoints = NULL;
		if (!was.n_ports)
			was.ports = NULL;
		if (!is.n_ports)
			is.ports = NULL;
		if (schema_equal(T_kube_endpoint_slice, &was, &is))
			return 0;
	}
	x.metadata.annotations = kube_pairs_with(&w->s->a, x.metadata.annotations, &x.metadata.n_annotations, TRIGGER_ANNOTATION, now);
	if (!x.metadata.annotations)
		return err_nomem(e);
	if (old) {
		rc = kclient_update_wait(w->s->c->client, r, NULL, &x, &w->s->a, answer, e);
	} else {
		x.metadata.generate_name = arena_fmt(&w->s->a, "%.200s-", w->svc->metadata.name);
		x.metadata.namespace = w->svc->metadata.namespace;
		x.metadata.owner_references = kube_controller_ref(&w->s->a, w->owner.r, w->owner.m);
		x.metadata.n_owner_references = 1;
		x.address_type = w->family;
		if (!x.metadata.generate_name || !x.metadata.owner_references)
			return err_nomem(e);
		rc = kclient_create_wait(w->s->c->client, r, x.metadata.namespace, &x, &w->s->a, answer, e);
	}
	if (rc == 0)
		expects_wrote(w->st->expects, w->key, &answer->metadata);
	return rc;
}

static int remove_wait(struct work *w, const struct kube_endpoint_slice *x, struct err *e)
{
	int r = kclient_delete_wait(w->s->c->client, informer_resource(w->st->written), x->metadata.namespace, x->metadata.name, NULL, e);

	if (r == 0)
		expects_deleted(w->st->expects, w->key, &x->metadata);
	return r == -ENOENT ? 0 : r;
}

/* What of the group the slice holds already, as it is now; its number. */
static uint32_t keep_placed(struct group *g, const struct kube_endpoint_slice *x, struct kube_endpoint *v)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < x->n_endpoints && n < SLICE_MAX; i++)
		for (uint32_t k = 0; k < g->n; k++)
			if (!g->is_placed[k] && is_same_target(&x->endpoints[i], &g->v[k])) {
				g->is_placed[k] = true;
				v[n++] = g->v[k];
				break;
			}
	return n;
}

static uint32_t place_new(struct group *g, struct kube_endpoint *v, uint32_t n)
{
	for (uint32_t k = 0; k < g->n && n < SLICE_MAX; k++)
		if (!g->is_placed[k]) {
			g->is_placed[k] = true;
			v[n++] = g->v[k];
		}
	return n;
}

/* One slice of those there and what shall be in it. */
struct plan {
	const struct kube_endpoint_slice *old;
	struct group *g;
	struct kube_endpoint *v;
	uint32_t n;
};

static int make_plans(struct work *w, struct groups *all, const struct objects *slices, struct plan *plans)
{
	for (uint32_t i = 0; i < slices->n; i++) {
		const struct kube_endpoint_slice *x = slices->v[i];
		struct plan *p = &plans[i];

		*p = (struct plan){ .old = x, .v = arena_array(&w->s->a, SLICE_MAX, sizeof *p->v) };
		if (!p->v)
			return -ENOMEM;
		for (size_t k = 0; k < all->v.n && !p->g; k++)
			if (same_ports(all->v.v[k].ports, all->v.v[k].n_ports, x->ports, x->n_ports))
				p->g = &all->v.v[k];
		if (p->g)
			p->n = keep_placed(p->g, x, p->v);
	}
	/* A slice whose ports are wanted no more takes up a group that has none. */
	for (size_t k = 0; k < all->v.n; k++) {
		bool has = false;

		for (uint32_t i = 0; i < slices->n; i++)
			has |= plans[i].g == &all->v.v[k];
		for (uint32_t i = 0; i < slices->n && !has; i++)
			if (!plans[i].g) {
				plans[i].g = &all->v.v[k];
				has = true;
			}
	}
	for (uint32_t i = 0; i < slices->n; i++)
		if (plans[i].g)
			plans[i].n = place_new(plans[i].g, plans[i].v, plans[i].n);
	return 0;
}

static int reconcile_wait(struct work *w, struct groups *all, const struct objects *slices, bool placeholder, struct err *e)
{
	struct plan *plans = arena_array(&w->s->a, slices->n, sizeof *plans);
	bool kept = false;
	int r = 0;

	for (size_t k = 0; k < all->v.n; k++) {
		all->v.v[k].is_placed = arena_array(&w->s->a, all->v.v[k].n, sizeof(bool));
		if (!all->v.v[k].is_placed)
			return err_nomem(e);
	}
	if (!plans || make_plans(w, all, slices, plans) < 0)
		return err_nomem(e);
	for (size_t k = 0; k < all->v.n && r == 0; k++) {
		struct group *g = &all->v.v[k];

		for (;;) {
			struct kube_endpoint *v = arena_array(&w->s->a, SLICE_MAX, sizeof *v);
			uint32_t n = v ? place_new(g, v, 0) : 0;

			if (!v)
				return err_nomem(e);
			if (n == 0 || (r = write_wait(w, NULL, g, v, n, e)) < 0)
				break;
			kept = true;
		}
	}
	for (uint32_t i = 0; i < slices->n && r == 0; i++)
		kept |= plans[i].n > 0;
	for (uint32_t i = 0; i < slices->n && r == 0; i++) {
		if (plans[i].n) {
			r = write_wait(w, plans[i].old, plans[i].g, plans[i].v, plans[i].n, e);
		} else if (!kept && placeholder) {
			kept = true;
			r = write_wait(w, plans[i].old, NULL, NULL, 0, e);
		} else {
			r = remove_wait(w, plans[i].old, e);
		}
	}
	return r == 0 && !kept && placeholder ? write_wait(w, NULL, NULL, NULL, 0, e) : r;
}

/* --- */

static unsigned by_service(const struct kobject *o, const char *ret[8])
{
	ret[0] = kube_label(kobject_meta(o), SERVICE_LABEL);
	return ret[0] ? 1 : 0;
}

static int own_slices(struct work *w, const char *family, struct objects *ret)
{
	int r = sync_list(w->s, w->st->written, "service", w->svc->metadata.name, ret);
	uint32_t n = 0;

	for (uint32_t i = 0; i < ret->n && r == 0; i++) {
		const struct kube_endpoint_slice *x = ret->v[i];

		if (text_eq(x->metadata.namespace, w->svc->metadata.namespace) && text_eq(kube_label(&x->metadata, MANAGED_LABEL), w->manager) &&
		    text_eq(x->address_type, family) && !kube_is_deleting(&x->metadata))
			ret->v[n++] = ret->v[i];
	}
	ret->n = n;
	return r;
}

static int sync_family_wait(struct work *w, const struct objects *pods, const struct kube_endpoints *mirrored, struct err *e)
{
	struct groups all = { 0 };
	struct objects slices;
	int r = own_slices(w, w->family, &slices);

	for (uint32_t i = 0; i < (pods ? pods->n : 0) && r == 0; i++)
		if (service_takes(pods->v[i], true))
			r = add_pod(w, pods->v[i], &all);
	if (r == 0 && mirrored)
		r = mirror(w, mirrored, &all);
	if (r < 0)
		err_sys(e, r, "gathering endpoints of %s", w->key);
	else
		r = reconcile_wait(w, &all, &slices, pods, e);
	vec_release(&all.v);
	return r < 0 && is_namespace_ending(e) ? 0 : r;
}

static bool has_family(const struct kube_service *svc, const char *family)
{
	for (uint32_t i = 0; i < svc->spec.n_ip_families; i++)
		if (text_eq(svc->spec.ip_families[i], family))
			return true;
	return !svc->spec.n_ip_families && !strcmp(family, svc->spec.cluster_ip && strchr(svc->spec.cluster_ip, ':') ? "IPv6" : "IPv4");
}

static int sync_wait(struct ctl *k, const char *key, struct err *e)
{
	static const char *const families[] = { "IPv4", "IPv6" };
	struct service_state *st = k->own;
	AUTO(sync) struct sync s;
	struct work w = { .s = &s, .st = st, .key = key, .manager = slice_manager };
	struct objects pods;
	int r = 0;

	sync_begin(&s, k);
	w.svc = sync_get(&s, st->services, key);
	if (!w.svc) {
		expects_forget(st->expects, key);     /* the garbage collector takes the slices */
		return 0;
	}
	if (!w.svc->spec.n_selector || text_eq(w.svc->spec.type, "ExternalName") || kube_is_deleting(&w.svc->metadata) ||
	    !expects_met(st->expects, k, key, st->written))
		return 0;
	w.labels_of = &w.svc->metadata;
	w.owner = (struct owner){ .r = informer_resource(st->services), .m = &w.svc->metadata };
	r = service_pods(&s, st, w.svc, &pods);
	if (r < 0)
		return err_sys(e, r, "listing pods of %s", key);
	for (size_t i = 0; i < ARRAY_LEN(families) && r == 0; i++) {
		w.family = families[i];
		if (has_family(w.svc, w.family)) {
			r = sync_family_wait(&w, &pods, NULL, e);
		} else {
			struct objects stale;

			r = own_slices(&w, w.family, &stale);
			for (uint32_t n = 0; n < stale.n && r == 0; n++)
				r = remove_wait(&w, stale.v[n], e);
		}
	}
	return r;
}

static void on_slice(struct ctl *k, struct kobject *old, struct kobject *now)
{
	const struct kube_object_meta *m = kobject_meta(now ? now : old);
	const char *name = kube_label(m, SERVICE_LABEL);
	char key[600];

	if (name && fmt_into(key, sizeof key, "%s/%s", m->namespace, name))
		ctl_add(k, key);
}

/* --- mirroring */

struct mirror_state {
	struct service_state st;            /* first: the functions above see this */
	struct informer *endpoints;
};

static int mirror_sync_wait(struct ctl *k, const char *key, struct err *e)
{
	static const char *const families[] = { "IPv4", "IPv6" };
	struct mirror_state *ms = k->own;
	struct service_state *st = &ms->st;
	AUTO(sync) struct sync s;
	struct work w = { .s = &s, .st = st, .key = key, .manager = mirror_manager };
	const struct kube_endpoints *ep;
	int r = 0;

	sync_begin(&s, k);
	w.svc = sync_get(&s, st->services, key);
	ep = sync_get(&s, ms->endpoints, key);
	if (!w.svc || w.svc->spec.n_selector || !expects_met(st->expects, k, key, st->written))
		return 0;
	if (ep && (text_eq(kube_label(&ep->metadata, "endpointslice.kubernetes.io/skip-mirror"), "true") ||
		kube_annotation(&ep->metadata, "control-plane.alpha.kubernetes.io/leader") || kube_is_deleting(&ep->metadata)))
		ep = NULL;
	w.labels_of = ep ? &ep->metadata : &w.svc->metadata;
	w.owner = (struct owner){ .r = kube_resource_find("", "v1", "endpoints"), .m = ep ? &ep->metadata : NULL };
	for (size_t i = 0; i < ARRAY_LEN(families) && r == 0; i++) {
		w.family = families[i];
		r = sync_family_wait(&w, NULL, ep, e);
	}
	return r;
}

static void release(struct ctl *k) { expects_free(((struct service_state *)k->own)->expects); }

static int mirror_start(struct control *c)
{
	struct ctl *k = ctl_new(c, "endpointslicemirroring", "endpoint-slice-mirroring-controller", 2, mirror_sync_wait, sizeof(struct mirror_state));
	struct mirror_state *ms;
	int r;

	if (!k)
		return -ENOMEM;
	ms = k->own;
	k->release = release;
	ms->st.services = ctl_need(k, "", "services");
	ms->st.written = ctl_need(k, "discovery.k8s.io", "endpointslices");
	ms->endpoints = ctl_need(k, "", "endpoints");
	r = expects_new(c->loop, &ms->st.expects);
	if (r == 0)
		r = ctl_on(k, ms->endpoints, ctl_enqueue);
	if (r == 0)
		r = ctl_on(k, ms->st.services, ctl_enqueue);
	return r == 0 ? ctl_on(k, ms->st.written, on_slice) : r;
}

int endpointslice_start(struct control *c, struct err *e)
{
	struct ctl *k;
	int r = service_start(c, "endpoint-slice-controller", "discovery.k8s.io", "endpointslices", sync_wait, on_slice, &k);

	if (r == 0)
		r = informer_add_index(((struct service_state *)k->own)->written, "service", by_service);
	return r == 0 ? mirror_start(c) : r;
}
