/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This machine as a Node: made or adopted at start, its status written when it
 * changes and every five minutes, its lease every ten seconds.
 */
#include "kube/node/register.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "kube/meta/object.h"
#include "kube/node/node.h"
#include "schema/tree.h"

#define LOOK_NS (10 * NS_PER_S)
#define REPORT_NS (300 * NS_PER_S)
#define MEMORY_LEAST (100LL << 20)        /* eviction thresholds */
enum { IMAGES_MAX = 50, LEASE_S = 40 };

/* --- the status ---------------------------------------------------------------------------------------------- */

static void condition(const struct register_in *in, struct arena *a, struct kube_node_status *s, const char *type, bool value, const char *reason,
	const char *message)
{
	const struct kube_node_condition *old = in->old ? KUBE_CONDITION(in->old->status.conditions, in->old->status.n_conditions, type) : NULL;
	const char *text = value ? "True" : "False", *now = kube_time_text(a, in->now_ns);

	s->conditions[s->n_conditions++] = (struct kube_node_condition){ .type = type, .status = text, .reason = reason, .message = message,
		.last_heartbeat_time = now,
		.last_transition_time = old && old->status && !strcmp(old->status, text) && old->last_transition_time ? old->last_transition_time : now };
}

static int conditions(const struct register_in *in, struct arena *a, struct kube_node_status *s)
{
	static const char *const ours[] = { "MemoryPressure", "DiskPressure", "PIDPressure", "Ready" };
	const struct node_facts *f = in->facts;
	uint32_t n_old = in->old ? in->old->status.n_conditions : 0;
	bool memory = f->memory_free < MEMORY_LEAST;
	bool disk = f->disk_free < f->disk_bytes / 20 || (f->inodes && f->inodes_free < f->inodes / 20);

	s->conditions = arena_array(a, n_old + ARRAY_LEN(ours), sizeof *s->conditions);
	if (!s->conditions)
		return -ENOMEM;
	condition(in, a, s, "MemoryPressure", memory, memory ? "KubeletHasInsufficientMemory" : "KubeletHasSufficientMemory",
		memory ? "kubelet has insufficient memory available" : "kubelet has sufficient memory available");
	condition(in, a, s, "DiskPressure", disk, disk ? "KubeletHasDiskPressure" : "KubeletHasNoDiskPressure",
		disk ? "kubelet has disk pressure" : "kubelet has no disk pressure");
	condition(in, a, s, "PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available");
	condition(in, a, s, "Ready", in->is_ready, in->is_ready ? "KubeletReady" : "KubeletNotReady",
		in->is_ready ? "kubelet is posting ready status" : in->not_ready);
	for (uint32_t i = 0; i < n_old; i++) {
		bool mine = false;
		for (size_t k = 0; k < ARRAY_LEN(ours); k++)
			mine |= in->old->status.conditions[i].type && !strcmp(in->old->status.conditions[i].type, ours[k]);
		if (!mine)
			s->conditions[s->n_conditions++] = in->old->status.conditions[i];
	}
	return 0;
}

static struct kube_quantity_entry *amounts(const struct node_facts *f, bool allocatable, struct arena *a, uint32_t *n)
{
	struct kube_quantity_entry *v = arena_array(a, 8, sizeof *v);
	int64_t memory = f->memory_bytes - (allocatable ? MIN(MEMORY_LEAST, f->memory_bytes / 10) : 0);
	int64_t disk = allocatable ? f->disk_bytes / 10 * 9 : f->disk_bytes;

	if (!v)
		return NULL;
	v[(*n)++] = (struct kube_quantity_entry){ "cpu", arena_fmt(a, "%ld", f->cpus) };
	v[(*n)++] = (struct kube_quantity_entry){ "ephemeral-storage", allocatable ? arena_fmt(a, "%lld", (long long)disk) :
		arena_fmt(a, "%lldKi", (long long)disk / 1024) };
	v[(*n)++] = (struct kube_quantity_entry){ "hugepages-1Gi", "0" };
	v[(*n)++] = (struct kube_quantity_entry){ "hugepages-2Mi", "0" };
	v[(*n)++] = (struct kube_quantity_entry){ "memory", arena_fmt(a, "%lldKi", (long long)memory / 1024) };
	v[(*n)++] = (struct kube_quantity_entry){ "pods", arena_fmt(a, "%d", NODE_MAX_PODS) };
	return v;
}

static int bigger(const void *a, const void *b)
{
	const struct kube_container_image *x = a, *y = b;
	if (x->size_bytes != y->size_bytes)
		return x->size_bytes < y->size_bytes ? 1 : -1;
	return strcmp(x->n_names ? x->names[0] : "", y->n_names ? y->names[0] : "");
}

static int images(const struct register_in *in, struct arena *a, struct kube_node_status *s)
{
	s->images = arena_array(a, in->n_images + 1, sizeof *s->images);
	if (!s->images)
		return -ENOMEM;
	for (uint32_t i = 0; i < in->n_images; i++) {
		const struct cri_image *m = &in->images[i];
		const char **names = arena_array(a, m->n_repo_digests + m->n_repo_tags + 1, sizeof *names);
		uint32_t n = 0;
		if (!names)
			return -ENOMEM;
		for (uint32_t k = 0; k < m->n_repo_digests; k++)
			names[n++] = m->repo_digests[k];
		for (uint32_t k = 0; k < m->n_repo_tags; k++)
			names[n++] = m->repo_tags[k];
		if (n)
			s->images[s->n_images++] = (struct kube_container_image){ .names = names, .n_names = n, .size_bytes = (int64_t)m->size };
	}
	qsort(s->images, s->n_images, sizeof *s->images, bigger);
	s->n_images = MIN(s->n_images, (uint32_t)IMAGES_MAX);
	if (!s->n_images)
		s->images = NULL;
	return 0;
}

int register_status(const struct register_in *in, struct arena *a, struct kube_node_status *ret)
{
	const struct node_facts *f = in->facts;

	*ret = (struct kube_node_status){ 0 };
	if (in->old) {
		ret->volumes_attached = in->old->status.volumes_attached;
		ret->n_volumes_attached = in->old->status.n_volumes_attached;
	}
	ret->capacity = amounts(f, false, a, &ret->n_capacity);
	ret->allocatable = amounts(f, true, a, &ret->n_allocatable);
	ret->addresses = arena_array(a, 2, sizeof *ret->addresses);
	if (!ret->capacity || !ret->allocatable || !ret->addresses)
		return -ENOMEM;
	ret->addresses[ret->n_addresses++] = (struct kube_node_address){ "InternalIP", in->set->ip };
	ret->addresses[ret->n_addresses++] = (struct kube_node_address){ "Hostname", in->set->hostname };
	ret->daemon_endpoints.kubelet_endpoint.port = (int32_t)in->port;
	ret->node_info = (struct kube_node_system_info){ .machine_id = f->machine_id, .system_uuid = f->system_uuid, .boot_id = f->boot_id,
		.kernel_version = f->kernel, .os_image = f->os_image,
		.container_runtime_version = arena_fmt(a, "%s://%s", in->runtime_name, in->runtime_version),
		.kubelet_version = KUBE_NODE_VERSION, .kube_proxy_version = "", .operating_system = "linux", .architecture = f->arch };
	int r = images(in, a, ret);
	return r < 0 ? r : conditions(in, a, ret);
}

/* --- keeping it ---------------------------------------------------------------------------------------------- */

struct keeper {
	struct register_config *c;
	struct node *n;
	const struct kube_resource *nodes;
	struct node_facts facts;
	int64_t reported_ns;
	struct arena last_arena;
	struct kube_node_status *last;
	char told_cidr[64];
};

static int read_facts(void *arg)
{
	struct keeper *k = arg;
	facts_read(&k->facts, k->n->set.root);
	return 0;
}

static int labels(struct keeper *k, struct arena *a, struct kube_node *o)
{
	struct slice rest = slice_of(k->c->labels ? k->c->labels : ""), piece, key, value;
	const struct schema_pair base[] = { { "beta.kubernetes.io/arch", k->facts.arch }, { "beta.kubernetes.io/os", "linux" },
		{ "kubernetes.io/arch", k->facts.arch }, { "kubernetes.io/hostname", k->n->set.hostname }, { "kubernetes.io/os", "linux" } };

	for (size_t i = 0; i < ARRAY_LEN(base); i++)
		if (!(o->metadata.labels = kube_pairs_with(a, o->metadata.labels, &o->metadata.n_labels, base[i].key, base[i].value)))
			return -ENOMEM;
	while (rest.len && slice_next(&rest, ',', &piece)) {
		slice_cut(piece, '=', &key, &value);
		if (!key.len)
			continue;
		o->metadata.labels = kube_pairs_with(a, o->metadata.labels, &o->metadata.n_labels, arena_dup(a, key), arena_dup(a, value));
		if (!o->metadata.labels)
			return -ENOMEM;
	}
	o->metadata.annotations = kube_pairs_with(a, o->metadata.annotations, &o->metadata.n_annotations,
		"volumes.kubernetes.io/controller-managed-attach-detach", "true");
	return o->metadata.annotations ? 0 : -ENOMEM;
}

/* Is it there with our labels? Else it is made so. */
static int make_sure_wait(struct keeper *k, struct err *e)
{
	struct kube_node o = { 0 }, want;
	struct arena a;

	arena_init(&a, POD_ARENA_MAX);
	int r = kclient_get_wait(k->c->client, k->nodes, NULL, k->n->set.name, &a, &o, e);
	if (r == -ENOENT) {
		o = (struct kube_node){ .kind = "Node", .api_version = "v1", .metadata = { .name = k->n->set.name } };
		r = labels(k, &a, &o);
		if (r >= 0)
			r = kclient_create_wait(k->c->client, k->nodes, NULL, &o, &a, NULL, e);
		if (r == -EEXIST)
			r = 0;
	} else if (r >= 0) {
		want = o;
		r = labels(k, &a, &want);
		if (r >= 0 && !schema_equal(k->nodes->type, &o, &want))
			r = kclient_update_wait(k->c->client, k->nodes, NULL, &want, &a, NULL, e);
	}
	arena_release(&a);
	return r;
}

static bool same_but_heartbeat(const struct kube_node_status *a, const struct kube_node_status *b)
{
	struct kube_node_status x = *a, y = *b;

	if (x.n_conditions != y.n_conditions)
		return false;
	for (uint32_t i = 0; i < x.n_conditions; i++) {
		const struct kube_node_condition *p = &x.conditions[i], *q = &y.conditions[i];
		if (strcmp(p->type, q->type) || strcmp(p->status, q->status) || strcmp(p->reason ? p->reason : "", q->reason ? q->reason : "") ||
			strcmp(p->message ? p->message : "", q->message ? q->message : ""))
			return false;
	}
	x.conditions = y.conditions = NULL;
	x.n_conditions = y.n_conditions = 0;
	return schema_equal(T_kube_node_status, &x, &y);
}

static int patch_wait(struct keeper *k, const struct kube_node_status *s, struct arena *a, struct err *e)
{
	AUTO(buf) struct buf out = BUF_INIT(4 << 20);
	struct tree status, body = tree_map();
	int r = tree_from_struct(T_kube_node_status, s, a, &status, e);

	if (r >= 0 && !tree_set(a, &body, SLICE("status"), status))
		r = err_nomem(e);
	if (r >= 0)
		r = tree_to_json(&body, 0, &out);
	if (r >= 0)
		r = kclient_patch_wait(k->c->client, k->nodes, NULL, k->n->set.name, "status", KPATCH_MERGE, buf_slice(&out), a, NULL, e);
	return r;
}

static void runtime_wait(struct keeper *k, struct arena *a, struct register_in *in)
{
	struct node_runtime *rt = k->n->rt;
	struct cri_status_request q = { 0 };
	struct cri_status_response p = { 0 };
	struct cri_list_images_request iq = { 0 };
	struct cri_list_images_response ip = { 0 };
	struct err e = { 0 };

	in->is_ready = true;
	if (rt->call_wait(rt, CRI_STATUS, &q, a, &p, 0, &e) < 0 || !p.status) {
		in->is_ready = false;
		in->not_ready = arena_fmt(a, "container runtime is down: %s", e.text);
		return;
	}
	for (uint32_t i = 0; i < p.status->n_conditions; i++) {
		const struct cri_runtime_condition *c = &p.status->conditions[i];
		if (c->status || !c->type || (strcmp(c->type, "RuntimeReady") && strcmp(c->type, "NetworkReady")))
			continue;
		in->is_ready = false;
		in->not_ready = arena_fmt(a, "container runtime %s not ready: %s=false reason:%s message:%s", !strcmp(c->type, "NetworkReady") ? "network" : "status",
			c->type, c->reason ? c->reason : "", c->message ? c->message : "");
	}
	if (rt->call_wait(rt, CRI_LIST_IMAGES, &iq, a, &ip, 0, &e) >= 0) {
		in->images = ip.images;
		in->n_images = ip.n_images;
	}
}

/* Tells the runtime which addresses are the pods' here. */
static void cidr_wait(struct keeper *k, struct arena *a)
{
	struct kobject *o = informer_get(k->c->own, NULL, k->n->set.name);
	const char *cidr = o ? ((const struct kube_node *)o->obj)->spec.pod_cidr : NULL;
	char text[64];
	struct cri_network_config net = { .pod_cidr = text };
	struct cri_runtime_config config = { .network_config = &net };
	struct cri_update_runtime_config_request q = { .runtime_config = &config };
	struct cri_update_runtime_config_response p;
	struct err e = { 0 };

	if (!cidr || !*cidr || !strcmp(cidr, k->told_cidr))
		return;
	fmt_into(text, sizeof text, "%s", cidr);
	if (k->n->rt->call_wait(k->n->rt, CRI_UPDATE_CONFIG, &q, a, &p, 0, &e) < 0)
		log_warn("the runtime does not take the pods' subnet", "cidr=%s error=%s", text, e.text);
	else
		fmt_into(k->told_cidr, sizeof k->told_cidr, "%s", text);
}

/* "Node n1 status is now: NodeReady", when it becomes so. */
static void tell(struct keeper *k, const struct kube_node_status *s)
{
	static const struct { const char *type, *status, *reason; } rows[] = {
		{ "Ready", "True", "NodeReady" }, { "Ready", "False", "NodeNotReady" },
		{ "MemoryPressure", "True", "NodeHasInsufficientMemory" }, { "MemoryPressure", "False", "NodeHasSufficientMemory" },
		{ "DiskPressure", "True", "NodeHasDiskPressure" }, { "DiskPressure", "False", "NodeHasNoDiskPressure" },
		{ "PIDPressure", "False", "NodeHasSufficientPID" },
	};
	char text[400];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct kube_node_condition *now = KUBE_CONDITION(s->conditions, s->n_conditions, rows[i].type);
		const struct kube_node_condition *was = k->last ? KUBE_CONDITION(k->last->conditions, k->last->n_conditions, rows[i].type) : NULL;
		if (!now || strcmp(now->status, rows[i].status) || (was && !strcmp(was->status, now->status)))
			continue;
		fmt_into(text, sizeof text, "Node %s status is now: %s", k->n->set.name, rows[i].reason);
		k->n->api->event(k->n->api, NULL, NULL, "Normal", rows[i].reason, text);
	}
}

static int report_wait(struct keeper *k, struct err *e)
{
	struct arena a;
	struct kube_node_status s;
	struct register_in in = { .facts = &k->facts, .set = &k->n->set, .runtime_name = k->n->runtime_name, .runtime_version = k->n->runtime_version,
		.port = k->c->port, .now_ns = loop_realtime_ns(k->n->loop), .not_ready = "" };

	arena_init(&a, POD_ARENA_MAX);
	job_wait(read_facts, k);
	cidr_wait(k, &a);
	runtime_wait(k, &a, &in);
	struct kobject *o = informer_get(k->c->own, NULL, k->n->set.name);
	if (!o) {
		int r = informer_synced(k->c->own) ? make_sure_wait(k, e) : 0;      /* somebody has deleted it */
		arena_release(&a);
		return r;
	}
	o = kobject_ref(o);
	in.old = o->obj;
	int r = register_status(&in, &a, &s);
	bool due = !k->last || in.now_ns - k->reported_ns >= REPORT_NS || !same_but_heartbeat(k->last, &s) || !in.old->status.n_conditions;
	if (r >= 0 && due) {
		r = patch_wait(k, &s, &a, e);
		struct arena fresh;
		arena_init(&fresh, POD_ARENA_MAX);
		struct kube_node_status *copy = r < 0 ? NULL : arena_new(&fresh, struct kube_node_status);
		if (copy && schema_copy(T_kube_node_status, &s, &fresh, copy) >= 0) {
			tell(k, &s);
			arena_release(&k->last_arena);
			k->last_arena = fresh;
			k->last = copy;
			k->reported_ns = in.now_ns;
		} else {
			arena_release(&fresh);
		}
	}
	kobject_unref(o);
	arena_release(&a);
	return r;
}

void register_main(void *arg)
{
	struct register_config *c = arg;
	struct keeper k = { .c = c, .n = c->node, .nodes = kube_resource_find("", "v1", "nodes") };
	int64_t pause = NS_PER_S / 10;
	bool is_made = false, is_told = false;

	arena_init(&k.last_arena, POD_ARENA_MAX);
	k.n->api->event(k.n->api, NULL, NULL, "Normal", "Starting", "Starting kubelet.");
	job_wait(read_facts, &k);
	while (!k.n->is_stopping) {
		struct err e = { 0 };
		int r = is_made ? 0 : make_sure_wait(&k, &e);
		if (r >= 0) {
			is_made = true;
			r = informer_synced_wait(c->own, 10 * NS_PER_S);
		}
		if (r >= 0)
			r = report_wait(&k, &e);
		if (r == -ECANCELED)
			break;
		if (r < 0)
			log_warn("node status cannot be written", "node=%s error=%s", k.n->set.name, e.text);
		else if (k.last && !is_told) {
			log_info("node is registered", "node=%s ip=%s", k.n->set.name, k.n->set.ip);
			is_told = true;
		}
		/* until it was ready once, and what the server adds (its subnet) is known, look often */
		bool settled = r >= 0 && k.last && *k.told_cidr;
		pause = r < 0 ? MIN(pause * 2, 10 * NS_PER_S) : settled ? LOOK_NS : MIN(pause * 2, LOOK_NS);
		if (sleep_wait(pause) < 0)
			break;
	}
	arena_release(&k.last_arena);
}

/* --- the lease ----------------------------------------------------------------------------------------------- */

static int renew_wait(struct register_config *c, struct err *e)
{
	const struct kube_resource *leases = kube_resource_find("coordination.k8s.io", "v1", "leases");
	struct node *n = c->node;
	struct kobject *o = informer_get(c->own, NULL, n->set.name);
	struct kube_lease l = { 0 };
	struct arena a;
	int32_t duration = LEASE_S;

	arena_init(&a, 1 << 20);
	int r = kclient_get_wait(c->client, leases, "kube-node-lease", n->set.name, &a, &l, e);
	bool is_new = r == -ENOENT;
	if (is_new)
		l = (struct kube_lease){ .kind = "Lease", .api_version = "coordination.k8s.io/v1",
			.metadata = { .name = n->set.name, .namespace = "kube-node-lease" } };
	if (r < 0 && !is_new) {
		arena_release(&a);
		return r;
	}
	if (o && !l.metadata.n_owner_references) {
		struct kube_owner_reference *ref = arena_new(&a, struct kube_owner_reference);
		if (ref) {
			*ref = (struct kube_owner_reference){ .api_version = "v1", .kind = "Node", .name = n->set.name,
				.uid = arena_strdup(&a, kobject_meta(o)->uid) };
			l.metadata.owner_references = ref;
			l.metadata.n_owner_references = 1;
		}
	}
	l.spec.holder_identity = n->set.name;
	l.spec.lease_duration_seconds = &duration;
	l.spec.renew_time = kube_microtime_text(&a, loop_realtime_ns(n->loop));
	if (is_new)
		r = kclient_create_wait(c->client, leases, "kube-node-lease", &l, &a, NULL, e);
	else
		r = kclient_update_wait(c->client, leases, NULL, &l, &a, NULL, e);
	arena_release(&a);
	return r == -EBUSY || r == -EEXIST ? 0 : r;
}

void lease_main(void *arg)
{
	struct register_config *c = arg;
	int64_t pause = NS_PER_S / 5;

	while (!c->node->is_stopping) {
		struct err e = { 0 };
		int r = renew_wait(c, &e);
		if (r == -ECANCELED)
			break;
		if (r < 0)
			log_debug("lease cannot be renewed", "error=%s", e.text);
		pause = r < 0 ? MIN(pause * 2, 7 * NS_PER_S) : 10 * NS_PER_S;
		if (sleep_wait(pause) < 0)
			break;
	}
}
