/* SPDX-License-Identifier: Apache-2.0 */
/* The picture of the cluster, kept up to date one object at a time. */
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "kube/sched/sched_int.h"
#include "schema/quantity.h"

/* What a container that asks for nothing counts for when nodes are compared (not when they are filtered). */
enum { SCORED_CPU_MILLI = 100, SCORED_MEMORY = 200 << 20 };

void sched_amounts_release(struct sched_amounts *a)
{
	for (size_t i = 0; i < a->extended.n; i++)
		free(a->extended.v[i].name);
	vec_release(&a->extended);
}

int64_t sched_quantity(const char *text, bool milli)
{
	if (!text)
		return 0;
	return milli ? quantity_text_milli(text) : quantity_text_value(text);
}

static int64_t *extended(struct sched_amounts *a, const char *name)
{
	for (size_t i = 0; i < a->extended.n; i++)
		if (!strcmp(a->extended.v[i].name, name))
			return &a->extended.v[i].value;
	struct sched_extended x = { strdup(name), 0 };
	if (!x.name || vec_push(&a->extended, x) < 0) {
		free(x.name);
		return NULL;
	}
	return &a->extended.v[a->extended.n - 1].value;
}

static int64_t *amount(struct sched_amounts *a, const char *name)
{
	if (!strcmp(name, "cpu"))
		return &a->cpu;
	if (!strcmp(name, "memory"))
		return &a->memory;
	if (!strcmp(name, "ephemeral-storage"))
		return &a->ephemeral;
	if (!strcmp(name, "pods"))
		return &a->pods;
	return extended(a, name);
}

/* v[name] = max(v[name], x) or += x */
static int take(struct sched_amounts *a, const struct kube_quantity_entry *v, uint32_t n, bool largest)
{
	for (uint32_t i = 0; i < n; i++) {
		int64_t *p = amount(a, v[i].key), x = sched_quantity(v[i].value, !strcmp(v[i].key, "cpu"));
		if (!p)
			return -ENOMEM;
		if (!largest)
			*p += x;
		else if (x > *p)
			*p = x;
	}
	return 0;
}

static int add_amounts(struct sched_amounts *to, const struct sched_amounts *from, int sign)
{
	to->cpu += sign * from->cpu;
	to->memory += sign * from->memory;
	to->ephemeral += sign * from->ephemeral;
	to->pods += sign;
	for (size_t i = 0; i < from->extended.n; i++) {
		int64_t *p = extended(to, from->extended.v[i].name);
		if (!p)
			return -ENOMEM;
		*p += sign * from->extended.v[i].value;
	}
	return 0;
}

static bool is_sidecar(const struct kube_container *c) { return c->restart_policy && !strcmp(c->restart_policy, "Always"); }

static void add_scored(const struct kube_container *c, int64_t *cpu, int64_t *memory)
{
	const char *cpu_text = NULL, *memory_text = NULL;
	for (uint32_t i = 0; i < c->resources.n_requests; i++) {
		if (!strcmp(c->resources.requests[i].key, "cpu"))
			cpu_text = c->resources.requests[i].value;
		else if (!strcmp(c->resources.requests[i].key, "memory"))
			memory_text = c->resources.requests[i].value;
	}
	*cpu += cpu_text ? sched_quantity(cpu_text, true) : SCORED_CPU_MILLI;
	*memory += memory_text ? sched_quantity(memory_text, false) : SCORED_MEMORY;
}

static int max_amounts(struct sched_amounts *to, const struct sched_amounts *from)
{
	to->cpu = MAX(to->cpu, from->cpu);
	to->memory = MAX(to->memory, from->memory);
	to->ephemeral = MAX(to->ephemeral, from->ephemeral);
	for (size_t i = 0; i < from->extended.n; i++) {
		int64_t *p = extended(to, from->extended.v[i].name);
		if (!p)
			return -ENOMEM;
		*p = MAX(*p, from->extended.v[i].value);
	}
	return 0;
}

int sched_asks(const struct kube_pod *p, struct sched_amounts *ret, int64_t *ret_scored_cpu, int64_t *ret_scored_memory)
{
	const struct kube_pod_spec *s = &p->spec;
	struct sched_amounts init = { 0 }, sidecars = { 0 }, one = { 0 };
	int64_t cpu = 0, memory = 0;
	int r = 0;
	*ret = (struct sched_amounts){ 0 };
	for (uint32_t i = 0; i < s->n_containers && r == 0; i++) {
		r = take(ret, s->containers[i].resources.requests, s->containers[i].resources.n_requests, false);
		add_scored(&s->containers[i], &cpu, &memory);
	}
	for (uint32_t i = 0; i < s->n_init_containers && r == 0; i++) {
		const struct kube_container *c = &s->init_containers[i];
		if (is_sidecar(c)) {
			r = take(&sidecars, c->resources.requests, c->resources.n_requests, false);
			add_scored(c, &cpu, &memory);
			if (r == 0)
				r = max_amounts(&init, &sidecars);
			continue;
		}
		/* runs beside the sidecars that were started before it */
		sched_amounts_release(&one);
		one = (struct sched_amounts){ 0 };
		r = add_amounts(&one, &sidecars, 1);
		if (r == 0)
			r = take(&one, c->resources.requests, c->resources.n_requests, false);
		if (r == 0)
			r = max_amounts(&init, &one);
	}
	if (r == 0)
		r = add_amounts(ret, &sidecars, 1);
	if (r == 0)
		r = max_amounts(ret, &init);
	/* what the pod as a whole asks for counts instead, where it says so */
	if (r == 0 && s->resources)
		for (uint32_t i = 0; i < s->resources->n_requests && r == 0; i++) {
			const struct kube_quantity_entry *q = &s->resources->requests[i];
			int64_t *a = amount(ret, q->key);
			if (!a)
				r = -ENOMEM;
			else
				*a = sched_quantity(q->value, !strcmp(q->key, "cpu"));
		}
	if (r == 0)
		r = take(ret, s->overhead, s->n_overhead, false);
	ret->pods = 0;
	*ret_scored_cpu = MAX(cpu, ret->cpu);
	*ret_scored_memory = MAX(memory, ret->memory);
	sched_amounts_release(&init);
	sched_amounts_release(&sidecars);
	sched_amounts_release(&one);
	return r;
}

int32_t sched_priority(const struct kube_pod *p) { return p->spec.priority ? *p->spec.priority : 0; }

void sched_cluster_init(struct sched_cluster *c)
{
	memset(c, 0, sizeof *c);
	map_init(&c->nodes);
	map_init(&c->pods);
}

static void node_free(struct sched_node *n)
{
	kobject_unref(n->object);
	sched_amounts_release(&n->has);
	sched_amounts_release(&n->used);
	vec_release(&n->pods);
	free(n->name);
	free(n);
}

static void pod_free(struct sched_pod *p)
{
	sched_amounts_release(&p->asks);
	kobject_unref(p->object);
	free(p);
}

void sched_cluster_release(struct sched_cluster *c)
{
	size_t pos = 0;
	for (struct map_entry *m; (m = map_next(&c->pods, &pos));)
		pod_free(m->value);
	pos = 0;
	for (struct map_entry *m; (m = map_next(&c->nodes, &pos));)
		node_free(m->value);
	map_release(&c->pods);
	map_release(&c->nodes);
}

static struct sched_node *node_named(struct sched_cluster *c, const char *name)
{
	struct sched_node *n = map_gets(&c->nodes, name);
	if (n)
		return n;
	n = calloc(1, sizeof *n);
	if (!n || !(n->name = strdup(name)) || map_sets(&c->nodes, name, n) < 0) {
		if (n)
			free(n->name);
		free(n);
		return NULL;
	}
	return n;
}

static void drop_if_empty(struct sched_cluster *c, struct sched_node *n)
{
	if (n->object || n->pods.n)
		return;
	map_dels(&c->nodes, n->name);
	node_free(n);
}

int sched_cluster_node(struct sched_cluster *c, const char *name, struct kobject *now)
{
	struct sched_node *n = now ? node_named(c, name) : map_gets(&c->nodes, name);
	if (!n)
		return now ? -ENOMEM : 0;
	kobject_unref(n->object);
	n->object = now ? kobject_ref(now) : NULL;
	sched_amounts_release(&n->has);
	n->has = (struct sched_amounts){ 0 };
	if (!now) {
		drop_if_empty(c, n);
		return 0;
	}
	const struct kube_node_status *st = &sched_node_of(n)->status;
	return take(&n->has, st->allocatable, st->n_allocatable, false);
}

static bool has_anti(const struct kube_pod *p)
{
	const struct kube_affinity *a = p->spec.affinity;
	return a && a->pod_anti_affinity && a->pod_anti_affinity->n_required_during_scheduling_ignored_during_execution;
}

void sched_cluster_forget(struct sched_cluster *c, const char *key)
{
	struct sched_pod *p = map_dels(&c->pods, key);
	if (!p)
		return;
	struct sched_node *n = p->node;
	for (size_t i = 0; i < n->pods.n; i++)
		if (n->pods.v[i] == p) {
			n->pods.v[i] = n->pods.v[--n->pods.n];
			break;
		}
	add_amounts(&n->used, &p->asks, -1); /* cannot fail: every name is there since the addition */
	n->scored_cpu -= p->scored_cpu;
	n->scored_memory -= p->scored_memory;
	c->n_anti -= has_anti(sched_spec(p->object));
	pod_free(p);
	drop_if_empty(c, n);
}

int sched_cluster_pod(struct sched_cluster *c, struct kobject *object, const char *node, bool assumed)
{
	struct sched_pod *old = map_gets(&c->pods, object->key);
	if (old && old->object == object && !strcmp(old->node->name, node)) {
		old->assumed = assumed;
		return 0;
	}
	sched_cluster_forget(c, object->key);
	struct sched_pod *p = calloc(1, sizeof *p);
	struct sched_node *n = p ? node_named(c, node) : NULL;
	if (!n) {
		free(p);
		return -ENOMEM;
	}
	p->object = kobject_ref(object);
	p->node = n;
	p->assumed = assumed;
	int r = sched_asks(sched_spec(object), &p->asks, &p->scored_cpu, &p->scored_memory);
	if (r == 0)
		r = vec_push(&n->pods, p);
	if (r == 0 && (r = map_sets(&c->pods, object->key, p)) < 0)
		n->pods.n--;
	if (r == 0)
		r = add_amounts(&n->used, &p->asks, 1);
	if (r < 0) {
		if (map_gets(&c->pods, object->key) == p)
			sched_cluster_forget(c, object->key);
		else
			pod_free(p);
		return r;
	}
	n->scored_cpu += p->scored_cpu;
	n->scored_memory += p->scored_memory;
	c->n_anti += has_anti(sched_spec(object));
	return 0;
}
