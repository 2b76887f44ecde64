// SPDX-License-Identifier: Apache-2.0
/* Pods that nobody else would remove: on nodes that are gone, being deleted without ever having had a node, and finished ones beyond what is kept. */
#include <errno.h>

#include "base/clock.h"
#include "kube/control/control_int.h"

static const int64_t EVERY_NS = 20 * NS_PER_S, QUARANTINE_NS = 40 * NS_PER_S;

struct state {
	struct informer *pods, *nodes;
	struct map missing;                  /* node name → struct absence */
};
struct absence { int64_t since_ns; };

static void remove_wait(struct sync *s, const struct kube_pod *p, const char *why)
{
	const struct kube_resource *pods = kube_resource_find("", "v1", "pods");
	int64_t none = 0;
	struct kube_preconditions pre = { .uid = p->metadata.uid };
	struct kube_delete_options d = { .preconditions = &pre, .grace_period_seconds = &none };
	struct err e;

	/* It has ended, whatever it was doing: owners that count ends must see one. */
	if (!kube_pod_is_terminal(p)) {
		struct kube_pod copy = *p;
		struct kube_pod_condition *v = arena_array(&s->a, p->status.n_conditions + 1, sizeof *v);
		uint32_t n = 0;

		if (!v)
			return;
		for (uint32_t i = 0; i < p->status.n_conditions; i++)
			if (!text_eq(p->status.conditions[i].type, "DisruptionTarget"))
				v[n++] = p->status.conditions[i];
		v[n++] = (struct kube_pod_condition){ .type = "DisruptionTarget", .status = "True", .reason = "DeletionByPodGC", .message = why,
			.last_transition_time = sync_now_text(s) };
		copy.status.conditions = v;
		copy.status.n_conditions = n;
		copy.status.phase = "Failed";
		kclient_update_wait(s->c->client, pods, "status", &copy, &s->a, NULL, &e);
	}
	kclient_delete_wait(s->c->client, pods, p->metadata.namespace, p->metadata.name, &d, &e);
}

/* Gone for a while, and the API server says so too. */
static bool is_gone_wait(struct sync *s, struct state *st, const char *node)
{
	struct absence *a = map_gets(&st->missing, node);
	struct kube_node live;
	struct err e;

	if (informer_get_key(st->nodes, node)) {
		free(map_dels(&st->missing, node));
		return false;
	}
	if (!a) {
		a = calloc(1, sizeof *a);
		if (a)
			a->since_ns = loop_monotonic_ns(s->c->loop);
		if (a && map_sets(&st->missing, node, a) < 0)
			free(a);
		return false;
	}
	return loop_monotonic_ns(s->c->loop) - a->since_ns >= QUARANTINE_NS &&
		kclient_get_wait(s->c->client, informer_resource(st->nodes), NULL, node, &s->a, &live, &e) == -ENOENT;
}

static int older_first(const void *a, const void *b)
{
	int64_t p = kube_time_ns((*(struct kube_head *const *)a)->metadata.creation_timestamp),
		q = kube_time_ns((*(struct kube_head *const *)b)->metadata.creation_timestamp);

	return (p > q) - (p < q);
}

static void collect_wait(struct ctl *k)
{
	struct state *st = k->own;
	AUTO(sync) struct sync s;
	struct objects pods;
	const char *known_gone = "";
	uint32_t n = 0;

	sync_begin(&s, k);
	if (sync_list(&s, st->pods, NULL, NULL, &pods) < 0)
		return;
	for (uint32_t i = 0; i < pods.n && !k->c->freed; i++) {
		const struct kube_pod *p = pods.v[i];
		const char *node = p->spec.node_name ? p->spec.node_name : "";

		if (!*node && kube_is_deleting(&p->metadata))
			remove_wait(&s, p, "PodGC: unscheduled and terminating");
		else if (*node && !informer_get_key(st->nodes, node) && (text_eq(known_gone, node) || is_gone_wait(&s, st, node))) {
			known_gone = node;
			remove_wait(&s, p, "PodGC: node no longer exists");
		} else if (kube_pod_is_terminal(p) && !kube_is_deleting(&p->metadata))
			pods.v[n++] = pods.v[i];
	}
	if (n <= k->c->cfg.terminated_pods)
		return;
	qsort(pods.v, n, sizeof *pods.v, older_first);
	for (uint32_t i = 0; i < n - (uint32_t)k->c->cfg.terminated_pods && !k->c->freed; i++)
		remove_wait(&s, pods.v[i], "");
}

static int no_sync(struct ctl *k, const char *key, struct err *e) { return 0; }

static void release(struct ctl *k)
{
	struct state *st = k->own;
	struct map_entry *m;
	size_t pos = 0;

	while ((m = map_next(&st->missing, &pos)))
		free(m->value);
	map_release(&st->missing);
}

int podgc_start(struct control *c, struct err *e)
{
	struct ctl *k = ctl_new(c, "pod-garbage-collector", NULL, 1, no_sync, sizeof(struct state));
	struct state *st;

	if (!k)
		return -ENOMEM;
	st = k->own;
	map_init(&st->missing);
	k->release = release;
	st->pods = ctl_need(k, "", "pods");
	st->nodes = ctl_need(k, "", "nodes");
	return st->pods && st->nodes ? ctl_every(k, EVERY_NS, collect_wait) : -ENOMEM;
}
