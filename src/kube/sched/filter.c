/* SPDX-License-Identifier: Apache-2.0 */
/* Where a pod may run at all: one row a rule, in the order reasons are given. The sentences are kube-scheduler's: people grep them. */
#include <string.h>

#include "base/auto.h"
#include "base/num.h"
#include "kube/sched/sched_int.h"

static bool same(const char *a, const char *b) { return !strcmp(a ? a : "", b ? b : ""); }
static bool empty(const char *s) { return !s || !*s; }

bool sched_tolerates(const struct kube_toleration *v, uint32_t n, const struct kube_taint *t)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct kube_toleration *x = &v[i];
		if (!empty(x->effect) && !same(x->effect, t->effect))
			continue;
		bool exists = same(x->operator, "Exists");
		if (empty(x->key) ? exists : same(x->key, t->key) && (exists || same(x->value, t->value)))
			return true;
	}
	return false;
}

static bool requirement_matches(const struct kube_node_selector_requirement *q, const char *have)
{
	bool in = false;
	for (uint32_t i = 0; have && i < q->n_values; i++)
		in |= !strcmp(q->values[i], have);
	if (same(q->operator, "In"))
		return in;
	if (same(q->operator, "NotIn"))
		return !in;
	if (same(q->operator, "Exists"))
		return have;
	if (same(q->operator, "DoesNotExist"))
		return !have;
	int64_t is, than;
	if (!have || q->n_values != 1 || num_parse_i64(slice_of(have), INT64_MIN, INT64_MAX, &is) < 0 || num_parse_i64(slice_of(q->values[0]), INT64_MIN, INT64_MAX, &than) < 0)
		return false;
	return same(q->operator, "Gt") ? is > than : same(q->operator, "Lt") && is < than;
}

bool sched_term_matches(const struct kube_node_selector_term *t, const struct kube_node *n)
{
	if (!t->n_match_expressions && !t->n_match_fields)
		return false;
	for (uint32_t i = 0; i < t->n_match_expressions; i++) {
		const char *have = schema_pair_get(n->metadata.labels, n->metadata.n_labels, t->match_expressions[i].key);
		if (!requirement_matches(&t->match_expressions[i], have))
			return false;
	}
	for (uint32_t i = 0; i < t->n_match_fields; i++)
		if (!requirement_matches(&t->match_fields[i], same(t->match_fields[i].key, "metadata.name") ? n->metadata.name : NULL))
			return false;
	return true;
}

bool sched_node_affinity_matches(const struct kube_pod *p, const struct kube_node *n)
{
	for (uint32_t i = 0; i < p->spec.n_node_selector; i++) {
		const char *have = schema_pair_get(n->metadata.labels, n->metadata.n_labels, p->spec.node_selector[i].key);
		if (!have || strcmp(have, p->spec.node_selector[i].value))
			return false;
	}
	const struct kube_affinity *a = p->spec.affinity;
	const struct kube_node_selector *s = a && a->node_affinity ? a->node_affinity->required_during_scheduling_ignored_during_execution : NULL;
	if (!s)
		return true;
	for (uint32_t i = 0; i < s->n_node_selector_terms; i++)
		if (sched_term_matches(&s->node_selector_terms[i], n))
			return true;
	return false;
}

/* Straight from the object: compiled selectors pay where one is asked often, and here each is asked once. */
bool sched_selector_matches(const struct kube_label_selector *s, const struct schema_pair *labels, uint32_t n)
{
	if (!s)
		return false;
	for (uint32_t i = 0; i < s->n_match_labels; i++)
		if (!schema_pair_get(labels, n, s->match_labels[i].key) || !same(schema_pair_get(labels, n, s->match_labels[i].key), s->match_labels[i].value))
			return false;
	for (uint32_t i = 0; i < s->n_match_expressions; i++) {
		const struct kube_label_selector_requirement *x = &s->match_expressions[i];
		const struct kube_node_selector_requirement q = { x->key, x->operator, x->values, x->n_values };
		if (!requirement_matches(&q, schema_pair_get(labels, n, x->key)))
			return false;
	}
	return true;
}

static bool all_addresses(const char *ip) { return empty(ip) || !strcmp(ip, "0.0.0.0"); }

static bool ports_clash(const struct kube_container *a, const struct kube_container *b)
{
	for (uint32_t i = 0; i < a->n_ports; i++)
		for (uint32_t k = 0; a->ports[i].host_port > 0 && k < b->n_ports; k++) {
			const struct kube_container_port *x = &a->ports[i], *y = &b->ports[k];
			if (x->host_port == y->host_port && same(empty(x->protocol) ? "TCP" : x->protocol, empty(y->protocol) ? "TCP" : y->protocol) &&
				(all_addresses(x->host_ip) || all_addresses(y->host_ip) || same(x->host_ip, y->host_ip)))
				return true;
		}
	return false;
}

static const struct kube_container *container(const struct kube_pod_spec *s, uint32_t i)
{
	if (i < s->n_containers)
		return &s->containers[i];
	i -= s->n_containers;
	return i < s->n_init_containers ? &s->init_containers[i] : NULL;
}

bool sched_ports_free(const struct kube_pod *p, const struct sched_node *n)
{
	const struct kube_container *mine, *theirs;
	for (uint32_t i = 0; (mine = container(&p->spec, i)); i++)
		for (uint32_t port = 0; port < mine->n_ports; port++) {
			if (mine->ports[port].host_port <= 0)
				continue;
			for (size_t k = 0; k < n->pods.n; k++)
				for (uint32_t j = 0; (theirs = container(&sched_spec(n->pods.v[k]->object)->spec, j)); j++)
					if (ports_clash(mine, theirs))
						return false;
			break; /* ports_clash has looked at all of mine */
		}
	return true;
}

unsigned sched_filter_resources(const struct sched_question *q, const struct sched_node *n, const char *ret[SCHED_REASONS])
{
	unsigned r = 0;
	const struct sched_amounts *a = &q->asks, *has = &n->has, *used = &n->used;
	if (used->pods + 1 > has->pods)
		ret[r++] = "Too many pods";
	if (a->cpu > 0 && a->cpu > has->cpu - used->cpu)
		ret[r++] = "Insufficient cpu";
	if (a->memory > 0 && a->memory > has->memory - used->memory)
		ret[r++] = "Insufficient memory";
	if (a->ephemeral > 0 && a->ephemeral > has->ephemeral - used->ephemeral)
		ret[r++] = "Insufficient ephemeral-storage";
	for (size_t i = 0; i < a->extended.n && r < SCHED_REASONS; i++) {
		int64_t left = 0;
		for (size_t k = 0; k < has->extended.n; k++)
			if (!strcmp(has->extended.v[k].name, a->extended.v[i].name))
				left += has->extended.v[k].value;
		for (size_t k = 0; k < used->extended.n; k++)
			if (!strcmp(used->extended.v[k].name, a->extended.v[i].name))
				left -= used->extended.v[k].value;
		if (a->extended.v[i].value > 0 && a->extended.v[i].value > left) {
			const char *text = arena_fmt((struct arena *)&q->arena, "Insufficient %s", a->extended.v[i].name);
			ret[r++] = text ? text : "Insufficient resources";
		}
	}
	return r;
}

static const char *taint_refuses(struct sched_question *q, const struct kube_node *n)
{
	const struct kube_pod_spec *s = &sched_spec(q->pod)->spec;
	for (uint32_t i = 0; i < n->spec.n_taints; i++) {
		const struct kube_taint *t = &n->spec.taints[i];
		if (same(t->effect, "PreferNoSchedule") || sched_tolerates(s->tolerations, s->n_tolerations, t))
			continue;
		const char *text = arena_fmt(&q->arena, "node(s) had untolerated taint {%s: %s}", t->key, t->value ? t->value : "");
		return text ? text : "node(s) had untolerated taint";
	}
	return NULL;
}

/* A claim's volume may be tied to some nodes. */
static const char *volumes_refuse(struct sched_question *q, const struct kube_node *n)
{
	const struct kube_pod *p = sched_spec(q->pod);
	for (uint32_t i = 0; i < p->spec.n_volumes; i++) {
		if (!p->spec.volumes[i].persistent_volume_claim || !q->cluster->claim || !q->cluster->volume)
			continue;
		const struct kobject *claim = q->cluster->claim(q->cluster->arg, p->metadata.namespace, p->spec.volumes[i].persistent_volume_claim->claim_name);
		const char *name = claim ? ((const struct kube_persistent_volume_claim *)claim->obj)->spec.volume_name : NULL;
		const struct kobject *volume = empty(name) ? NULL : q->cluster->volume(q->cluster->arg, name);
		const struct kube_persistent_volume *v = volume ? volume->obj : NULL;
		const struct kube_node_selector *s = v && v->spec.node_affinity ? v->spec.node_affinity->required : NULL;
		bool ok = !s;
		for (uint32_t k = 0; s && k < s->n_node_selector_terms && !ok; k++)
			ok = sched_term_matches(&s->node_selector_terms[k], n);
		if (!ok)
			return "node(s) didn't match PersistentVolume's node affinity";
	}
	return NULL;
}

unsigned sched_filter(struct sched_question *q, struct sched_node *n, const char *ret[SCHED_REASONS], bool *hard)
{
	const struct kube_pod *p = sched_spec(q->pod);
	const struct kube_node *node = sched_node_of(n);
	static const struct kube_taint unschedulable = { .key = "node.kubernetes.io/unschedulable", .effect = "NoSchedule" };
	const char *why;
	*hard = true;
	if (node->spec.unschedulable && !sched_tolerates(p->spec.tolerations, p->spec.n_tolerations, &unschedulable))
		return ret[0] = "node(s) were unschedulable", 1;
	if (!empty(p->spec.node_name) && strcmp(p->spec.node_name, n->name))
		return ret[0] = "node(s) didn't match the requested node name", 1;
	if ((why = taint_refuses(q, node)))
		return ret[0] = why, 1;
	if (!sched_node_affinity_matches(p, node))
		return ret[0] = "node(s) didn't match Pod's node affinity/selector", 1;
	*hard = false;
	if (!sched_ports_free(p, n))
		return ret[0] = "node(s) didn't have free ports for the requested pod ports", 1;
	unsigned r = sched_filter_resources(q, n, ret);
	if (r)
		return r;
	if ((why = volumes_refuse(q, node))) {
		*hard = true;
		return ret[0] = why, 1;
	}
	if ((why = sched_affinity_refuses(q, n)))
		return ret[0] = why, 1;
	return 0;
}
