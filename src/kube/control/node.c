// SPDX-License-Identifier: Apache-2.0
/*
 * Nodes: one that gives no sign of life (lease or heartbeat) becomes Unknown,
 * its pods are no longer ready; conditions become taints; pods go when they
 * tolerate a NoExecute taint no longer; a new node gets addresses for its pods.
 *
 * Signs of life are compared with each other, never with our clock: what
 * counts is when we last saw one change.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "kube/control/node_int.h"

static const int64_t LOOK_NS = 5 * NS_PER_S;

/* What we saw of a node. */
struct sign { char *last; int64_t seen_ns; };
struct state {
	struct informer *nodes, *pods, *leases;
	struct map signs;                    /* name → struct sign */
	struct ctl *evictions;
	struct map doomed;                   /* pod → when it was first found to have to go (realtime ns) */
	VEC(char *) given;                   /* by number: the node that has this part of the cluster's addresses */
};

static const struct kube_node_condition *ready_of(const struct kube_node *n) { return KUBE_CONDITION(n->status.conditions, n->status.n_conditions, "Ready"); }
static bool is_ready(const struct kube_node *n)
{
	const struct kube_node_condition *c = ready_of(n);

	return c && text_eq(c->status, "True");
}

/* --- signs of life */

static void sign_free(struct sign *g)
{
	if (g)
		free(g->last);
	free(g);
}

/* Nanoseconds since the node's last sign of life. */
static int64_t silence_ns(struct ctl *k, const struct kube_node *n)
{
	struct state *st = k->own;
	struct kobject *lease = informer_get(st->leases, "kube-node-lease", n->metadata.name);
	const struct kube_node_condition *ready = ready_of(n);
	const char *renewed = lease ? ((const struct kube_lease *)lease->obj)->spec.renew_time : NULL, *beat = ready ? ready->last_heartbeat_time : NULL;
	int64_t now = loop_monotonic_ns(k->c->loop);
	struct sign *g = map_gets(&st->signs, n->metadata.name);
	char text[128];

	fmt_into(text, sizeof text, "%s %s", renewed ? renewed : "", ready && !text_eq(ready->status, "Unknown") && beat ? beat : "");
	if (!g) {
		g = calloc(1, sizeof *g);
		if (!g || map_sets(&st->signs, n->metadata.name, g) < 0) {
			free(g);
			return 0;
		}
	}
	if (!g->last || (strcmp(g->last, text) != 0 && strcmp(text, " ") != 0)) {
		free(g->last);
		g->last = slice_dup(slice_of(text));
		g->seen_ns = now;
	}
	return now - g->seen_ns;
}

static int set_unknown_wait(struct sync *s, const struct kube_node *n, struct err *e)
{
	static const char *const types[] = { "Ready", "MemoryPressure", "DiskPressure", "PIDPressure" };
	struct kube_node copy = *n;
	struct kube_node_condition *v = arena_array(&s->a, n->status.n_conditions + ARRAY_LEN(types), sizeof *v);
	const char *now = sync_now_text(s);
	uint32_t count = n->status.n_conditions;

	if (!v || !now)
		return err_nomem(e);
	if (count)
		memcpy(v, n->status.conditions, count * sizeof *v);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct kube_node_condition *c = KUBE_CONDITION(v, count, types[i]);

		if (!c) {
			v[count++] = (struct kube_node_condition){ types[i], "Unknown", n->metadata.creation_timestamp, now, "NodeStatusNeverUpdated",
				"Kubelet never posted node status." };
		} else if (!text_eq(c->status, "Unknown")) {
			c->status = "Unknown";
			c->reason = "NodeStatusUnknown";
			c->message = "Kubelet stopped posting node status.";
			c->last_transition_time = now;
		}
	}
	copy.status.conditions = v;
	copy.status.n_conditions = count;
	return kclient_update_wait(s->c->client, kube_resource_find("", "v1", "nodes"), "status", &copy, &s->a, NULL, e);
}

/* Nobody is there who would say that its pods are not ready. */
static int unready_pods_wait(struct sync *s, struct state *st, const struct kube_node *n, struct err *e)
{
	struct objects pods;
	int r = sync_list(s, st->pods, "node", n->metadata.name, &pods);

	for (uint32_t i = 0; i < pods.n && r == 0; i++) {
		const struct kube_pod *p = pods.v[i];
		struct kube_pod copy = *p;
		struct kube_pod_condition *v = arena_array(&s->a, p->status.n_conditions, sizeof *v), *c;

		if (!kube_pod_is_ready(p) || kube_is_deleting(&p->metadata))
			continue;
		if (!v)
			return err_nomem(e);
		memcpy(v, p->status.conditions, p->status.n_conditions * sizeof *v);
		copy.status.conditions = v;
		c = KUBE_CONDITION(v, p->status.n_conditions, "Ready");
		c->status = "False";
		c->last_transition_time = sync_now_text(s);
		r = kclient_update_wait(s->c->client, kube_resource_find("", "v1", "pods"), "status", &copy, &s->a, NULL, e);
		if (r == 0)
			kevents_add(s->k->events, kube_resource_find("", "v1", "pods"), &p->metadata, NULL, "Warning", "NodeNotReady", "Node is not ready");
		if (r == -ENOENT || r == -EBUSY)
			r = 0;
	}
	return r;
}

/* --- addresses */

static bool is_given(struct state *st, uint32_t i) { return i < st->given.n && st->given.v[i]; }

static int give(struct state *st, uint32_t i, const char *node)
{
	while (st->given.n <= i)
		if (vec_push(&st->given, NULL) < 0)
			return -ENOMEM;
	if (!st->given.v[i])
		st->given.v[i] = slice_dup(slice_of(node));
	return st->given.v[i] ? 0 : -ENOMEM;
}

static int note_given(void *arg, struct kobject *o)
{
	struct ctl *k = arg;
	const struct kube_node *n = o->obj;
	int64_t i = n->spec.pod_cidr ? cidr_index(k->c->cfg.cluster_cidr, n->spec.pod_cidr) : -1;

	return i >= 0 ? give(k->own, (uint32_t)i, n->metadata.name) : 0;
}

static int give_addresses_wait(struct sync *s, struct state *st, const struct kube_node *n, struct kube_node *ret, struct err *e)
{
	struct kube_node copy = *n;
	char *text = arena_alloc(&s->a, 20);
	const char **list = arena_new(&s->a, const char *);
	uint32_t i = 0;
	int r = informer_each(st->nodes, NULL, note_given, s->k);

	if (r < 0 || !text || !list)
		return err_nomem(e);
	while (is_given(st, i) && strcmp(st->given.v[i], n->metadata.name) != 0)
		i++;
	r = cidr_slice(s->c->cfg.cluster_cidr, i, text);
	if (r < 0) {
		kevents_add(s->k->events, kube_resource_find("", "v1", "nodes"), &n->metadata, NULL, "Normal", "CIDRNotAvailable",
			"Node %s status is now: CIDRNotAvailable", n->metadata.name);
		return err_set(e, -r, "there is no network left in %s for node %s", s->c->cfg.cluster_cidr, n->metadata.name);
	}
	if (give(st, i, n->metadata.name) < 0)
		return err_nomem(e);
	*list = text;
	copy.spec.pod_cidr = text;
	copy.spec.pod_cidrs = list;
	copy.spec.n_pod_cidrs = 1;
	return kclient_update_wait(s->c->client, kube_resource_find("", "v1", "nodes"), NULL, &copy, &s->a, ret, e);
}

/* --- one node */

static int any_ready(void *arg, struct kobject *o) { return is_ready(o->obj); }

static int sync_wait(struct ctl *k, const char *key, struct err *e)
{
	struct state *st = k->own;
	AUTO(sync) struct sync s;
	const struct kube_node *n;
	struct kube_node copy, *answer;
	const struct kube_node_condition *ready;
	int r = 0;

	sync_begin(&s, k);
	n = sync_get(&s, st->nodes, key);
	if (!n) {
		sign_free(map_dels(&st->signs, key));
		return 0;
	}
	answer = arena_new(&s.a, struct kube_node);
	if (!answer)
		return err_nomem(e);
	if (k->c->cfg.cluster_cidr && (!n->spec.pod_cidr || !*n->spec.pod_cidr) && !kube_is_deleting(&n->metadata)) {
		r = give_addresses_wait(&s, st, n, answer, e);
		if (r == -EBUSY || r == -ENOENT)
			return r == -ENOENT ? 0 : r;
		if (r == 0)
			n = answer;
	}
	ready = ready_of(n);
	if (silence_ns(k, n) > k->c->cfg.node_grace_ns && (!ready || !text_eq(ready->status, "Unknown"))) {
		kevents_add(k->events, kube_resource_find("", "v1", "nodes"), &n->metadata, NULL, "Normal", "NodeNotReady", "Node %s status is now: NodeNotReady", key);
		r = set_unknown_wait(&s, n, e);
		return r == -ENOENT ? 0 : r;     /* the change brings us back */
	}
	if (ready && !text_eq(ready->status, "True")) {
		r = unready_pods_wait(&s, st, n, e);
		if (r < 0)
			return r;
	}
	copy = *n;
	/* When no node at all is ready, it is more likely we who are cut off. */
	copy.spec.taints = node_taints(&s.a, n, informer_each(st->nodes, NULL, any_ready, NULL), s.now_ns, &copy.spec.n_taints);
	if (!copy.spec.taints)
		return err_nomem(e);
	if (taints_equal(copy.spec.taints, copy.spec.n_taints, n->spec.taints, n->spec.n_taints))
		return 0;
	r = kclient_update_wait(k->c->client, kube_resource_find("", "v1", "nodes"), NULL, &copy, &s.a, NULL, e);
	return r == -ENOENT ? 0 : r;
}

static int enqueue_one(void *arg, struct kobject *o)
{
	ctl_add(arg, o->key);
	return 0;
}

static int look_one(void *arg, struct kobject *o)
{
	struct ctl *k = arg;
	const struct kube_node *n = o->obj;

	if (silence_ns(k, n) > k->c->cfg.node_grace_ns)
		ctl_add(k, o->key);
	return 0;
}

static void look(struct ctl *k) { informer_each(((struct state *)k->own)->nodes, NULL, look_one, k); }

/* --- eviction by taints: keys are pods */

/* Since when the pod is looked at for eviction. */
static int64_t doomed_since(struct state *st, const char *key, const char *uid, int64_t now_ns)
{
	char name[700];
	int64_t *since;

	fmt_into(name, sizeof name, "%s %s", key, uid);
	since = map_gets(&st->doomed, name);
	if (!since) {
		since = malloc(sizeof *since);
		if (!since || map_sets(&st->doomed, name, since) < 0) {
			free(since);
			return now_ns;
		}
		*since = now_ns;
	}
	return *since;
}

static void no_longer_doomed(struct state *st, const char *key, const char *uid)
{
	char name[700];

	if (fmt_into(name, sizeof name, "%s %s", key, uid))
		free(map_dels(&st->doomed, name));
}

static int eviction_sync_wait(struct ctl *k, const char *key, struct err *e)
{
	struct state *st = *(struct state **)k->own;
	const struct kube_resource *pods = kube_resource_find("", "v1", "pods");
	AUTO(sync) struct sync s;
	struct kube_preconditions pre = { 0 };
	struct kube_delete_options d = { .preconditions = &pre };
	const struct kube_pod *p;
	const struct kube_node *n;
	int64_t at;
	int r;

	sync_begin(&s, k);
	p = sync_get(&s, st->pods, key);
	n = p && p->spec.node_name ? sync_get(&s, st->nodes, p->spec.node_name) : NULL;
	if (!n || kube_is_deleting(&p->metadata))
		return 0;
	at = taint_eviction_ns(n, p, doomed_since(st, key, p->metadata.uid, s.now_ns));
	if (!at) {
		no_longer_doomed(st, key, p->metadata.uid);
		return 0;
	}
	if (at > s.now_ns) {
		ctl_add_after(k, key, at - s.now_ns);
		return 0;
	}
	kevents_add(k->events, pods, &p->metadata, NULL, "Normal", "TaintManagerEviction", "Marking for deletion Pod %s", key);
	pre.uid = p->metadata.uid;
	r = kclient_delete_wait(k->c->client, pods, p->metadata.namespace, p->metadata.name, &d, e);
	return r == -ENOENT ? 0 : r;
}

static bool has_no_execute(const struct kube_node *n)
{
	for (uint32_t i = 0; i < n->spec.n_taints; i++)
		if (text_eq(n->spec.taints[i].effect, "NoExecute"))
			return true;
	return false;
}

static void on_node(struct ctl *k, struct kobject *old, struct kobject *now)
{
	struct state *st = k->own;

	if (!now) {
		for (size_t i = 0; i < st->given.n; i++)
			if (st->given.v[i] && !strcmp(st->given.v[i], old->key)) {
				free(st->given.v[i]);
				st->given.v[i] = NULL;
			}
		ctl_add(k, old->key);
		return;
	}
	silence_ns(k, now->obj);
	ctl_add(k, now->key);
	/* Whether others may be evicted depends on whether one is ready. */
	if (old && is_ready(old->obj) != is_ready(now->obj))
		informer_each(st->nodes, NULL, enqueue_one, k);
	if (has_no_execute(now->obj) || (old && has_no_execute(old->obj)))
		informer_each_indexed(st->pods, "node", now->key, enqueue_one, st->evictions);
}

static void on_lease(struct ctl *k, struct kobject *old, struct kobject *now)
{
	struct state *st = k->own;
	struct kobject *n = now ? informer_get_key(st->nodes, kobject_meta(now)->name) : NULL;

	if (n && text_eq(kobject_meta(now)->namespace, "kube-node-lease"))
		silence_ns(k, n->obj);
}

static void on_pod(struct ctl *k, struct kobject *old, struct kobject *now)
{
	struct state *st = *(struct state **)k->own;
	const struct kube_pod *p = now ? now->obj : NULL;
	struct kobject *n = p && p->spec.node_name ? informer_get_key(st->nodes, p->spec.node_name) : NULL;

	if (!now)
		no_longer_doomed(st, old->key, kobject_meta(old)->uid);
	if (n && has_no_execute(n->obj))
		ctl_add(k, now->key);
}

static unsigned by_node(const struct kobject *o, const char *ret[8])
{
	ret[0] = ((const struct kube_pod *)o->obj)->spec.node_name;
	return ret[0] && *ret[0] ? 1 : 0;
}

static void release(struct ctl *k)
{
	struct state *st = k->own;
	struct map_entry *m;
	size_t pos = 0;

	while ((m = map_next(&st->signs, &pos)))
		sign_free(m->value);
	map_release(&st->signs);
	pos = 0;
	while ((m = map_next(&st->doomed, &pos)))
		free(m->value);
	map_release(&st->doomed);
	for (size_t i = 0; i < st->given.n; i++)
		free(st->given.v[i]);
	vec_release(&st->given);
}

int node_start(struct control *c, struct err *e)
{
	struct ctl *k = ctl_new(c, "node-lifecycle", "node-controller", 1, sync_wait, sizeof(struct state));
	struct ctl *x = k ? ctl_new(c, "taint-eviction", "taint-eviction-controller", 8, eviction_sync_wait, sizeof(struct state *)) : NULL;
	struct state *st;
	int r;

	if (!x)
		return -ENOMEM;
	st = k->own;
	*(struct state **)x->own = st;
	st->evictions = x;
	map_init(&st->signs);
	map_init(&st->doomed);
	k->release = release;
	st->nodes = ctl_need(k, "", "nodes");
	st->pods = ctl_need(k, "", "pods");
	st->leases = ctl_need(k, "coordination.k8s.io", "leases");
	ctl_need(x, "", "nodes");
	ctl_need(x, "", "pods");
	if (!st->nodes || !st->pods || !st->leases)
		return -ENOMEM;
	r = informer_add_index(st->pods, "node", by_node);
	if (r == 0)
		r = ctl_on(k, st->nodes, on_node);
	if (r == 0)
		r = ctl_on(k, st->leases, on_lease);
	if (r == 0)
		r = ctl_on(x, st->pods, on_pod);
	return r == 0 ? ctl_every(k, LOOK_NS, look) : r;
}
