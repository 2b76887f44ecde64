// SPDX-License-Identifier: Apache-2.0
/* Endpoints of services with a selector: the older form, which many clients still read. Slices are endpointslice.c's. */
#include <errno.h>

#include "kube/control/service_int.h"

enum { CAPACITY = 1000 };

struct subsets { VEC(struct kube_endpoint_subset) v; uint32_t n_addresses; bool is_cut; };

static int port_cmp(const void *va, const void *vb)
{
	const struct kube_core_endpoint_port *a = va, *b = vb;
	int r = a->port != b->port ? (a->port < b->port ? -1 : 1) : strcmp(a->name ? a->name : "", b->name ? b->name : "");

	return r ? r : strcmp(a->protocol ? a->protocol : "", b->protocol ? b->protocol : "");
}

static int address_cmp(const void *va, const void *vb)
{
	const struct kube_endpoint_address *a = va, *b = vb;
	int r = strcmp(a->ip, b->ip);

	return r ? r : strcmp(a->target_ref->uid, b->target_ref->uid);
}

static bool same_ports(const struct kube_endpoint_subset *s, const struct kube_core_endpoint_port *p, uint32_t n)
{
	if (s->n_ports != n)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (port_cmp(&s->ports[i], &p[i]) != 0 || !text_eq(s->ports[i].app_protocol, p[i].app_protocol))
			return false;
	return true;
}

static struct kube_endpoint_subset *subset_of(struct subsets *all, struct kube_core_endpoint_port *ports, uint32_t n)
{
	struct kube_endpoint_subset fresh = { .ports = n ? ports : NULL, .n_ports = n };

	for (size_t i = 0; i < all->v.n; i++)
		if (same_ports(&all->v.v[i], ports, n))
			return &all->v.v[i];
	return vec_push(&all->v, fresh) < 0 ? NULL : &all->v.v[all->v.n - 1];
}

static int push_address(struct arena *a, struct kube_endpoint_address **v, uint32_t *n, const struct kube_endpoint_address *x)
{
	/* Room doubles at powers of two. */
	if ((*n & (*n - 1)) == 0) {
		struct kube_endpoint_address *more = arena_array(a, *n ? *n * 2 : 1, sizeof *more);

		if (!more)
			return -ENOMEM;
		if (*n)
			memcpy(more, *v, *n * sizeof *more);
		*v = more;
	}
	(*v)[(*n)++] = *x;
	return 0;
}

static int add_pod(struct sync *s, const struct kube_service *svc, const struct kube_pod *p, struct subsets *all)
{
	struct kube_core_endpoint_port *ports = arena_array(&s->a, svc->spec.n_ports, sizeof *ports);
	struct kube_endpoint_address x = { .ip = p->status.pod_ip, .node_name = p->spec.node_name, .hostname = service_hostname(svc, p),
		.target_ref = service_target(&s->a, p) };
	struct kube_endpoint_subset *sub;
	uint32_t n = 0;

	if (!ports || !x.target_ref)
		return -ENOMEM;
	for (uint32_t i = 0; i < svc->spec.n_ports; i++) {
		const struct kube_service_port *q = &svc->spec.ports[i];
		int32_t number;

		if (service_pod_port(p, q, &number) == 0)
			ports[n++] = (struct kube_core_endpoint_port){ q->name, number, q->protocol ? q->protocol : "TCP", q->app_protocol };
	}
	if (n == 0 && svc->spec.n_ports)
		return 0;
	if (all->n_addresses >= CAPACITY) {
		all->is_cut = true;
		return 0;
	}
	if (n)
		qsort(ports, n, sizeof *ports, port_cmp);
	sub = subset_of(all, ports, n);
	if (!sub)
		return -ENOMEM;
	all->n_addresses++;
	if (svc->spec.publish_not_ready_addresses || kube_pod_is_ready(p))
		return push_address(&s->a, &sub->addresses, &sub->n_addresses, &x);
	return push_address(&s->a, &sub->not_ready_addresses, &sub->n_not_ready_addresses, &x);
}

static int subset_cmp(const void *va, const void *vb)
{
	const struct kube_endpoint_subset *a = va, *b = vb;

	for (uint32_t i = 0; i < a->n_ports && i < b->n_ports; i++) {
		int r = port_cmp(&a->ports[i], &b->ports[i]);

		if (r)
			return r;
	}
	return (a->n_ports > b->n_ports) - (a->n_ports < b->n_ports);
}

static int gather(struct sync *s, struct service_state *st, const struct kube_service *svc, struct subsets *all)
{
	struct objects pods;
	int r = service_pods(s, st, svc, &pods);

	for (uint32_t i = 0; i < pods.n && r == 0; i++)
		if (service_takes(pods.v[i], svc->spec.publish_not_ready_addresses))
			r = add_pod(s, svc, pods.v[i], all);
	for (size_t i = 0; i < all->v.n; i++) {
		if (all->v.v[i].n_addresses)
			qsort(all->v.v[i].addresses, all->v.v[i].n_addresses, sizeof *all->v.v[i].addresses, address_cmp);
		if (all->v.v[i].n_not_ready_addresses)
			qsort(all->v.v[i].not_ready_addresses, all->v.v[i].n_not_ready_addresses, sizeof *all->v.v[i].not_ready_addresses, address_cmp);
	}
	if (all->v.n)
		qsort(all->v.v, all->v.n, sizeof *all->v.v, subset_cmp);
	return r;
}

static int write_wait(struct sync *s, struct service_state *st, const char *key, const struct kube_service *svc, const struct subsets *all, struct err *e)
{
	static const struct schema_pair managed = { "endpoints.kubernetes.io/managed-by", "endpoint-controller" };
	const struct kube_resource *r = informer_resource(st->written);
	const struct kube_endpoints *old = sync_get(s, st->written, key);
	struct kube_endpoints *answer = arena_new(&s->a, struct kube_endpoints), ep = { 0 };
	const char *over = "endpoints.kubernetes.io/over-capacity", *now = sync_now_text(s);
	int rc;

	if (old)
		ep = *old;
	ep.metadata.name = svc->metadata.name;
	ep.metadata.namespace = svc->metadata.namespace;
	ep.metadata.labels = service_labels(&s->a, svc, &managed, 1, &ep.metadata.n_labels);
	ep.subsets = all->v.n ? all->v.v : NULL;
	ep.n_subsets = (uint32_t)all->v.n;
	if (!answer || !ep.metadata.labels || !now)
		return err_nomem(e);
	if (old && pairs_equal(old->metadata.labels, old->metadata.n_labels, ep.metadata.labels, ep.metadata.n_labels) &&
	    !!kube_annotation(&old->metadata, over) == all->is_cut) {
		struct kube_endpoints was = *old, is = ep;

		was.metadata = is.metadata = (struct kube_object_meta){ 0 };
		if (!was.n_subsets)
			was.subsets = NULL;
		if (schema_equal(T_kube_endpoints, &was, &is))
			return 0;
	}
	ep.metadata.annotations = kube_pairs_with(&s->a, ep.metadata.annotations, &ep.metadata.n_annotations, over, all->is_cut ? "truncated" : NULL);
	if (ep.metadata.annotations)
		ep.metadata.annotations = kube_pairs_with(&s->a, ep.metadata.annotations, &ep.metadata.n_annotations, TRIGGER_ANNOTATION, now);
	if (!ep.metadata.annotations)
		return err_nomem(e);
	if (old)
		rc = kclient_update_wait(s->c->client, r, NULL, &ep, &s->a, answer, e);
	else
		rc = kclient_create_wait(s->c->client, r, ep.metadata.namespace, &ep, &s->a, answer, e);
	if (rc == 0)
		expects_wrote(st->expects, key, &answer->metadata);
	if (rc < 0 && is_namespace_ending(e))
		return 0;
	if (rc < 0 && rc != -EBUSY && rc != -ECANCELED)
		kevents_add(s->k->events, r, &ep.metadata, NULL, "Warning", old ? "FailedToUpdateEndpoint" : "FailedToCreateEndpoint",
			"Failed to %s endpoint %s: %s", old ? "update" : "create", key, e->text);
	return rc;
}

static int sync_wait(struct ctl *k, const char *key, struct err *e)
{
	struct service_state *st = k->own;
	AUTO(sync) struct sync s;
	const struct kube_service *svc;
	const struct kube_endpoints *old;
	struct subsets all = { 0 };
	int r;

	sync_begin(&s, k);
	if (!expects_met(st->expects, k, key, st->written))
		return 0;
	svc = sync_get(&s, st->services, key);
	if (!svc) {
		old = sync_get(&s, st->written, key);
		/* Only what was made here goes with its service. */
		if (!old || !text_eq(kube_label(&old->metadata, "endpoints.kubernetes.io/managed-by"), "endpoint-controller"))
			return 0;
		r = kclient_delete_wait(s.c->client, informer_resource(st->written), old->metadata.namespace, old->metadata.name, NULL, e);
		return r == -ENOENT ? 0 : r;
	}
	if (!svc->spec.n_selector || text_eq(svc->spec.type, "ExternalName") || kube_is_deleting(&svc->metadata))
		return 0;
	r = gather(&s, st, svc, &all);
	r = r < 0 ? err_sys(e, r, "gathering endpoints of %s", key) : write_wait(&s, st, key, svc, &all, e);
	vec_release(&all.v);
	return r;
}

int endpoints_start(struct control *c, struct err *e)
{
	struct ctl *k;

	return service_start(c, "endpoint-controller", "", "endpoints", sync_wait, ctl_enqueue, &k);
}
