/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The running scheduler: the queue of pods (sched.h draws it), one fiber that
 * decides, one fiber a binding. Everything it knows comes from informers.
 */
#include "kube/sched/sched.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/heap.h"
#include "base/log.h"
#include "kube/sched/sched_int.h"
#include "schema/tree.h"

#define FLUSH_NS (300 * NS_PER_S)
enum { BACKOFF_FIRST_S = 1, BACKOFF_MOST_S = 10, IN_A_ROW = 64 };

enum state { ACTIVE, LATER, DECIDING };
struct entry {
	struct heap_node node;         /* in active (by priority, then age) or in later (by time) */
	char *key;
	enum state state;
	bool changed;                  /* while it was decided about */
	unsigned attempts;
	int64_t failed_ns;
};
struct sched {
	struct loop *loop;
	struct kclient *client;
	const char *name;
	struct kevents *events;
	struct informer *pods, *nodes, *namespaces, *claims, *volumes;
	struct informer_handler on_pod, on_node, on_claim, on_volume;
	struct sched_cluster cluster;
	struct map entries;            /* key → entry */
	struct heap active, later;
	uint64_t seq;
	struct timer timer;
	struct waitq work, ended;
	unsigned n_binding;
	bool stopping, running;
};

/* --- the queue --------------------------------------------------------------------- */
static void entry_free(struct sched *s, struct entry *q)
{
	heap_del(q->state == ACTIVE ? &s->active : &s->later, &q->node);
	map_dels(&s->entries, q->key);
	free(q->key);
	free(q);
}

static void activate(struct sched *s, struct entry *q)
{
	struct kobject *o = informer_get_key(s->pods, q->key);
	if (q->state == LATER)
		heap_del(&s->later, &q->node);
	else if (q->state == ACTIVE)
		heap_del(&s->active, &q->node);
	if (!o) {
		q->state = LATER;
		entry_free(s, q);
		return;
	}
	/* the most important first, then the one that came first */
	uint64_t rank = (uint64_t)((int64_t)INT32_MAX - sched_priority(sched_spec(o)));
	q->state = ACTIVE;
	if (heap_add(&s->active, &q->node, rank << 31 | (++s->seq & 0x7fffffff)) < 0)
		log_error("no memory for a pod in the queue", "pod=%s", q->key);
	waitq_wake_all(&s->work);
}

static void set_timer(struct sched *s);

static void time_has_come(struct timer *t)
{
	struct sched *s = container_of(t, struct sched, timer);
	int64_t now = loop_monotonic_ns(s->loop);
	for (struct heap_node *n; (n = heap_min(&s->later)) && (int64_t)n->key <= now;)
		activate(s, container_of(n, struct entry, node));
	set_timer(s);
}

static void set_timer(struct sched *s)
{
	struct heap_node *n = heap_min(&s->later);
	if (!n)
		timer_cancel(&s->timer);
	else
		timer_set(s->loop, &s->timer, MAX((int64_t)n->key - loop_monotonic_ns(s->loop), (int64_t)0), time_has_come);
}

static int64_t backoff_end(const struct entry *q)
{
	int64_t s = BACKOFF_FIRST_S;
	for (unsigned i = 1; i < q->attempts && s < BACKOFF_MOST_S; i++)
		s *= 2;
	return q->failed_ns + MIN(s, (int64_t)BACKOFF_MOST_S) * NS_PER_S;
}

static void put_later(struct sched *s, struct entry *q, int64_t at_ns)
{
	if (q->state == LATER)
		heap_del(&s->later, &q->node);
	q->state = LATER;
	if (heap_add(&s->later, &q->node, (uint64_t)MAX(at_ns, (int64_t)0)) < 0)
		log_error("no memory for a pod in the queue", "pod=%s", q->key);
	set_timer(s);
}

/* Something changed that may let a waiting pod fit: all of them are tried again, each after its back-off. */
static void cluster_changed(struct sched *s)
{
	size_t pos = 0;
	int64_t now = loop_monotonic_ns(s->loop);
	for (struct map_entry *m; (m = map_next(&s->entries, &pos));) {
		struct entry *q = m->value;
		if (q->state == DECIDING)
			q->changed = true;
		else if (q->state == LATER && backoff_end(q) > now)
			put_later(s, q, backoff_end(q));
		else if (q->state == LATER)
			activate(s, q);
	}
}

static void enqueue(struct sched *s, struct kobject *o)
{
	struct entry *q = map_gets(&s->entries, o->key);
	if (q) {
		if (q->state == DECIDING)
			q->changed = true;
		return;
	}
	q = calloc(1, sizeof *q);
	if (!q || !(q->key = strdup(o->key)) || map_sets(&s->entries, o->key, q) < 0) {
		log_error("no memory for a pod in the queue", "pod=%s", o->key);
		if (q)
			free(q->key);
		free(q);
		return;
	}
	q->state = DECIDING;
	activate(s, q);
}

static void dequeue(struct sched *s, const char *key)
{
	struct entry *q = map_gets(&s->entries, key);
	if (q && q->state != DECIDING)
		entry_free(s, q);
}

/* --- what is told ------------------------------------------------------------------- */
static bool terminal(const struct kube_pod *p)
{
	return p->status.phase && (!strcmp(p->status.phase, "Succeeded") || !strcmp(p->status.phase, "Failed"));
}

static bool wants_node(const struct sched *s, const struct kube_pod *p)
{
	return (!p->spec.node_name || !*p->spec.node_name) && !terminal(p) && !p->metadata.deletion_timestamp && !p->spec.n_scheduling_gates &&
		!strcmp(p->spec.scheduler_name ? p->spec.scheduler_name : "default-scheduler", s->name);
}

static void on_pod(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	struct sched *s = container_of(h, struct sched, on_pod);
	const struct kube_pod *p = now ? sched_spec(now) : NULL;
	const char *key = now ? now->key : old->key;
	if (p && wants_node(s, p)) {
		struct entry *q = map_gets(&s->entries, key);
		/* a change of the specification or of labels may make it fit; a new status does not */
		if (q && q->state == LATER && old && (p->metadata.generation != sched_spec(old)->metadata.generation))
			put_later(s, q, backoff_end(q));
		enqueue(s, now);
		return;
	}
	dequeue(s, key);
	bool runs = p && p->spec.node_name && *p->spec.node_name && !terminal(p);
	if (runs) {
		if (sched_cluster_pod(&s->cluster, now, p->spec.node_name, false) < 0)
			log_error("no memory for a pod", "pod=%s", key);
		/* a pod that others want to be near, or that leaves */
		if (!old || p->metadata.deletion_timestamp)
			cluster_changed(s);
		return;
	}
	bool left = map_gets(&s->cluster.pods, key);
	sched_cluster_forget(&s->cluster, key);
	if (left)
		cluster_changed(s);
}

static bool pairs_equal(const struct schema_pair *a, uint32_t n, const struct schema_pair *b, uint32_t m)
{
	for (uint32_t i = 0; n == m && i < n; i++)
		if (strcmp(a[i].key, b[i].key) || strcmp(a[i].value, b[i].value))
			return false;
	return n == m;
}

static bool node_matters(const struct kube_node *a, const struct kube_node *b)
{
	bool same = pairs_equal(a->metadata.labels, a->metadata.n_labels, b->metadata.labels, b->metadata.n_labels) &&
		a->spec.unschedulable == b->spec.unschedulable && a->spec.n_taints == b->spec.n_taints &&
		a->status.n_allocatable == b->status.n_allocatable;
	for (uint32_t i = 0; same && i < a->spec.n_taints; i++)
		same = schema_equal(T_kube_taint, &a->spec.taints[i], &b->spec.taints[i]);
	for (uint32_t i = 0; same && i < a->status.n_allocatable; i++)
		same = !strcmp(a->status.allocatable[i].key, b->status.allocatable[i].key) &&
			!strcmp(a->status.allocatable[i].value, b->status.allocatable[i].value);
	return !same;
}

static void on_node(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	struct sched *s = container_of(h, struct sched, on_node);
	const char *name = kobject_meta(now ? now : old)->name;
	if (sched_cluster_node(&s->cluster, name, now) < 0)
		log_error("no memory for a node", "node=%s", name);
	if (now && (!old || node_matters(old->obj, now->obj)))
		cluster_changed(s);
}

static void on_claim(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	cluster_changed(container_of(h, struct sched, on_claim));
}

static void on_volume(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	cluster_changed(container_of(h, struct sched, on_volume));
}

static const struct kobject *find_namespace(void *arg, const char *name) { return informer_get(((struct sched *)arg)->namespaces, NULL, name); }
static const struct kobject *find_claim(void *arg, const char *ns, const char *name) { return informer_get(((struct sched *)arg)->claims, ns, name); }
static const struct kobject *find_volume(void *arg, const char *name) { return informer_get(((struct sched *)arg)->volumes, NULL, name); }

/* --- writing back ---------------------------------------------------------------------- */
static const struct kube_resource *pods_row(void) { return kube_resource_find("", "v1", "pods"); }

static struct tree *member(struct arena *a, struct tree *map, const char *key, struct tree v) { return tree_set(a, map, slice_of(key), v); }
static void text(struct arena *a, struct tree *map, const char *key, const char *v) { member(a, map, key, tree_string(slice_of(v))); }

/* {"status":{"nominatedNodeName":…,"conditions":[{"type":…}]}} */
static int patch_condition(struct sched *s, const struct kobject *o, const char *type, const char *is, const char *reason, const char *message,
	const char *nominated, struct err *e)
{
	struct arena a AUTO(arena);
	char now[CLOCK_TEXT_MAX];
	struct buf out = BUF_INIT(64 << 10);
	arena_init(&a, 256 << 10);
	clock_rfc3339(now, loop_realtime_ns(s->loop));
	struct tree root = tree_map();
	struct tree *status = member(&a, &root, "status", tree_map());
	struct tree *list = status ? member(&a, status, "conditions", tree_list()) : NULL;
	struct tree *c = list ? tree_append(&a, list, tree_map()) : NULL;
	if (!c)
		return err_nomem(e);
	text(&a, c, "type", type);
	text(&a, c, "status", is);
	text(&a, c, "reason", reason);
	text(&a, c, "message", message);
	text(&a, c, "lastTransitionTime", now);
	if (nominated)
		text(&a, status, "nominatedNodeName", nominated);
	int r = tree_to_json(&root, SCHEMA_ESCAPE_HTML, &out);
	const struct kube_object_meta *m = kobject_meta(o);
	if (r == 0)
		r = kclient_patch_wait(s->client, pods_row(), m->namespace, m->name, "status", KPATCH_STRATEGIC, buf_slice(&out), &a, NULL, e);
	buf_release(&out);
	return r;
}

static bool already_said(const struct kube_pod *p, const char *message)
{
	for (uint32_t i = 0; i < p->status.n_conditions; i++) {
		const struct kube_pod_condition *c = &p->status.conditions[i];
		if (c->type && !strcmp(c->type, "PodScheduled"))
			return c->message && !strcmp(c->message, message) && c->reason && !strcmp(c->reason, "Unschedulable");
	}
	return false;
}

struct binding { struct sched *s; struct kobject *pod; char node[]; };

static void bind_fiber(void *arg)
{
	struct binding *b = arg;
	struct sched *s = b->s;
	struct err e = { 0 };
	struct arena a AUTO(arena);
	arena_init(&a, 1 << 20);
	const struct kube_object_meta *m = kobject_meta(b->pod);
	struct kube_binding what = {
		.kind = "Binding", .api_version = "v1",
		.metadata = { .name = m->name, .namespace = m->namespace, .uid = m->uid },
		.target = { .kind = "Node", .name = b->node },
	};
	struct buf body = BUF_INIT(64 << 10), path = BUF_INIT(4096), answer = BUF_INIT(256 << 10);
	int status = 0, r = schema_to_json(T_kube_binding, &what, SCHEMA_ESCAPE_HTML, &body);
	kube_resource_path(pods_row(), m->namespace, m->name, "binding", &path);
	if (r == 0)
		r = kclient_raw_wait(s->client, "POST", path.ptr, "application/json", buf_slice(&body), &status, &answer, &e);
	if (r == 0 && status >= 300)
		r = err_set(&e, EBUSY, "%.*s", (int)MIN(answer.len, (size_t)400), answer.ptr);
	struct entry *q = map_gets(&s->entries, b->pod->key);
	if (r < 0) {
		sched_cluster_forget(&s->cluster, b->pod->key);
		if (status != 404)
			log_warn("binding failed", "pod=%s node=%s error=\"%s\"", b->pod->key, b->node, e.text);
		if (q) {
			q->failed_ns = loop_monotonic_ns(s->loop);
			put_later(s, q, backoff_end(q));
		}
	} else {
		kevents_add(s->events, pods_row(), m, NULL, "Normal", "Scheduled", "Successfully assigned %s/%s to %s", m->namespace, m->name, b->node);
		if (q) {
			q->state = LATER;
			entry_free(s, q);
		}
	}
	buf_release(&body);
	buf_release(&path);
	buf_release(&answer);
	kobject_unref(b->pod);
	free(b);
	if (!--s->n_binding)
		waitq_wake_all(&s->ended);
}

static int start_binding(struct sched *s, struct kobject *o, const char *node)
{
	struct binding *b = malloc(sizeof *b + strlen(node) + 1);
	if (!b)
		return -ENOMEM;
	b->s = s;
	b->pod = kobject_ref(o);
	memcpy(b->node, node, strlen(node) + 1);
	s->n_binding++;
	int r = fiber_start(s->loop, "bind", bind_fiber, b);
	if (r < 0) {
		s->n_binding--;
		kobject_unref(b->pod);
		free(b);
	}
	return r;
}

/* Makes room: victims are told why and deleted; the pod waits for them to go. */
static void evict(struct sched *s, struct kobject *o, struct sched_pod **victims, unsigned n)
{
	struct kobject **v AUTO(free) = calloc(n, sizeof(*v));
	for (unsigned i = 0; v && i < n; i++)
		v[i] = kobject_ref(victims[i]->object);
	for (unsigned i = 0; v && i < n; i++) {
		struct err e = { 0 };
		const struct kube_object_meta *m = kobject_meta(v[i]);
		const struct kube_pod *p = sched_spec(o);
		char why[256];
		snprintf(why, sizeof why, "%s: preempting to accommodate a higher priority pod", s->name);
		if (!m->deletion_timestamp && patch_condition(s, v[i], "DisruptionTarget", "True", "PreemptionByScheduler", why, NULL, &e) == 0) {
			kevents_add(s->events, pods_row(), m, NULL, "Normal", "Preempted", "Preempted by pod %s on node %s", p->metadata.uid,
				sched_spec(v[i])->spec.node_name);
			kclient_delete_wait(s->client, pods_row(), m->namespace, m->name, NULL, &e);
		}
		kobject_unref(v[i]);
	}
}

/* No node: say so on the pod, and look for room to be made. */
static void nowhere(struct sched *s, struct kobject *o, struct sched_question *q, const struct sched_refusals *why)
{
	struct sched_pod **victims = NULL;
	unsigned n = 0;
	struct err e = { 0 };
	struct buf out = BUF_INIT(8 << 10);
	const struct kube_object_meta *m = kobject_meta(o);
	struct sched_node *room = why->preemption_may_help ? sched_preempt(q, &victims, &n) : NULL;
	char nominated[256] = "";
	if (room)
		snprintf(nominated, sizeof nominated, "%s", room->name);
	sched_refusals_text(why, *q->claim_problem || !why->n_nodes || room ? NULL :
		why->preemption_may_help ? "No preemption victims found for incoming pod" : "Preemption is not helpful for scheduling", &out);
	if (room)
		evict(s, o, victims, n);
	/* evict suspends: q's picture of the cluster is not used any more */
	if (!already_said(sched_spec(o), out.ptr) || room) {
		if (patch_condition(s, o, "PodScheduled", "False", "Unschedulable", out.ptr, room ? nominated : NULL, &e) < 0 && e.code != ENOENT)
			log_warn("condition not written", "pod=%s error=\"%s\"", o->key, e.text);
	}
	kevents_add(s->events, pods_row(), m, NULL, "Warning", "FailedScheduling", "%s", out.ptr);
	buf_release(&out);
}

static void decide(struct sched *s, struct entry *entry)
{
	struct kobject *o = informer_get_key(s->pods, entry->key);
	if (!o || !wants_node(s, sched_spec(o))) {
		entry->state = LATER;
		entry_free(s, entry);
		return;
	}
	kobject_ref(o);
	struct sched_question q;
	struct sched_refusals why;
	struct sched_node *node = NULL;
	char *key AUTO(free) = strdup(entry->key);
	entry->state = DECIDING;
	entry->changed = false;
	entry->attempts++;
	int r = key ? sched_ask(&s->cluster, o, &q) : -ENOMEM;
	if (r == 0)
		r = sched_pick(&q, &node, &why);
	if (r == 0 && node)
		r = sched_cluster_pod(&s->cluster, o, node->name, true);
	if (r == 0 && node) {
		r = start_binding(s, o, node->name);
		if (r < 0)
			sched_cluster_forget(&s->cluster, o->key);
	} else if (r == 0) {
		nowhere(s, o, &q, &why);
	}
	if (key)
		sched_question_release(&q);
	entry = key ? map_gets(&s->entries, key) : entry;
	if (entry && entry->state == DECIDING && (r < 0 || !node)) {
		int64_t now = loop_monotonic_ns(s->loop);
		entry->failed_ns = now;
		put_later(s, entry, entry->changed || r < 0 ? backoff_end(entry) : now + FLUSH_NS);
	}
	kobject_unref(o);
}

static void decide_fiber(void *arg)
{
	struct sched *s = arg;
	s->running = true;
	while (!s->stopping) {
		struct heap_node *n = heap_min(&s->active);
		if (!n) {
			if (waitq_wait(&s->work, -1) == -ECANCELED)
				break;
			continue;
		}
		heap_del(&s->active, n);
		decide(s, container_of(n, struct entry, node));
		fiber_yield_wait();
	}
	s->running = false;
	waitq_wake_all(&s->ended);
}

static void start_fiber(void *arg)
{
	struct sched *s = arg;
	struct informer *const all[] = { s->nodes, s->namespaces, s->claims, s->volumes, s->pods };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (informer_synced_wait(all[i], -1) < 0)
			return;
	informer_add_handler(s->nodes, &s->on_node);
	informer_add_handler(s->claims, &s->on_claim);
	informer_add_handler(s->volumes, &s->on_volume);
	informer_add_handler(s->pods, &s->on_pod);
	decide_fiber(s);
}

int sched_start(struct kclient *c, const struct sched_config *cfg, struct sched **ret, struct err *e)
{
	struct sched *s = calloc(1, sizeof *s);
	if (!s)
		return err_nomem(e);
	s->loop = kclient_loop(c);
	s->client = c;
	s->name = cfg->name ? cfg->name : "default-scheduler";
	sched_cluster_init(&s->cluster);
	s->cluster.namespace = find_namespace;
	s->cluster.claim = find_claim;
	s->cluster.volume = find_volume;
	s->cluster.arg = s;
	map_init(&s->entries);
	waitq_init(&s->work);
	waitq_init(&s->ended);
	s->on_pod.event = on_pod;
	s->on_node.event = on_node;
	s->on_claim.event = on_claim;
	s->on_volume.event = on_volume;
	static const struct { const char *plural; size_t at; } rows[] = {
		{ "pods", offsetof(struct sched, pods) },
		{ "nodes", offsetof(struct sched, nodes) },
		{ "namespaces", offsetof(struct sched, namespaces) },
		{ "persistentvolumeclaims", offsetof(struct sched, claims) },
		{ "persistentvolumes", offsetof(struct sched, volumes) },
	};
	int r = kevents_new(c, s->name, NULL, &s->events);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(rows); i++) {
		struct informer *inf = informers_get(cfg->informers, kube_resource_find("", "v1", rows[i].plural));
		if (!inf)
			r = -ENOMEM;
		*(struct informer **)((char *)s + rows[i].at) = inf;
	}
	if (r == 0)
		r = fiber_start(s->loop, "sched", start_fiber, s);
	if (r < 0) {
		kevents_free(s->events);
		free(s);
		return err_set(e, -r, "start the scheduler");
	}
	*ret = s;
	return 0;
}

void sched_stop(struct sched *s)
{
	if (!s)
		return;
	struct informer_handler *const all[] = { &s->on_pod, &s->on_node, &s->on_claim, &s->on_volume };
	s->stopping = true;
	waitq_wake_all(&s->work);
	timer_cancel(&s->timer);
	while ((s->running || s->n_binding) && fiber_self())
		if (waitq_wait(&s->ended, -1) < 0)
			break;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i]->node.next)
			informer_remove_handler(all[i]);
	size_t pos = 0;
	for (struct map_entry *m; (m = map_next(&s->entries, &pos));) {
		struct entry *q = m->value;
		free(q->key);
		free(q);
	}
	map_release(&s->entries);
	heap_release(&s->active);
	heap_release(&s->later);
	sched_cluster_release(&s->cluster);
	kevents_free(s->events);
	free(s);
}
