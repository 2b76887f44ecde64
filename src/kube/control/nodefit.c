// SPDX-License-Identifier: Apache-2.0
#include "kube/control/nodefit_int.h"

#include "base/num.h"

static bool requirement_holds(const struct kube_node_selector_requirement *q, const char *value)
{
	const char *op = q->operator ? q->operator : "";
	bool in = false;
	int64_t have, want;

	for (uint32_t i = 0; i < q->n_values && value; i++)
		in |= !strcmp(q->values[i], value);
	if (!strcmp(op, "In"))
		return in;
	if (!strcmp(op, "NotIn"))
		return !in;
	if (!strcmp(op, "Exists"))
		return value;
	if (!strcmp(op, "DoesNotExist"))
		return !value;
	if (!value || q->n_values != 1 || num_parse_i64(slice_of(value), INT64_MIN, INT64_MAX, &have) < 0 ||
	    num_parse_i64(slice_of(q->values[0]), INT64_MIN, INT64_MAX, &want) < 0)
		return false;
	return !strcmp(op, "Gt") ? have > want : !strcmp(op, "Lt") ? have < want : false;
}

static bool term_holds(const struct kube_node_selector_term *t, const struct kube_node *n)
{
	if (!t->n_match_expressions && !t->n_match_fields)
		return false;
	for (uint32_t i = 0; i < t->n_match_expressions; i++)
		if (!requirement_holds(&t->match_expressions[i], kube_label(&n->metadata, t->match_expressions[i].key)))
			return false;
	for (uint32_t i = 0; i < t->n_match_fields; i++)
		if (strcmp(t->match_fields[i].key, "metadata.name") != 0 || !requirement_holds(&t->match_fields[i], n->metadata.name))
			return false;
	return true;
}

bool node_selector_fits(const struct kube_node_selector *s, const struct kube_node *n)
{
	for (uint32_t i = 0; i < s->n_node_selector_terms; i++)
		if (term_holds(&s->node_selector_terms[i], n))
			return true;
	return false;
}

bool node_fits_affinity(const struct kube_pod_spec *p, const struct kube_node *n)
{
	for (uint32_t i = 0; i < p->n_node_selector; i++) {
		const char *v = kube_label(&n->metadata, p->node_selector[i].key);

		if (!v || strcmp(v, p->node_selector[i].value ? p->node_selector[i].value : "") != 0)
			return false;
	}
	if (p->affinity && p->affinity->node_affinity && p->affinity->node_affinity->required_during_scheduling_ignored_during_execution)
		return node_selector_fits(p->affinity->node_affinity->required_during_scheduling_ignored_during_execution, n);
	return true;
}

static bool is(const char *a, const char *b) { return !strcmp(a ? a : "", b ? b : ""); }

bool taint_is_tolerated(const struct kube_taint *t, const struct kube_toleration *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (v[i].effect && *v[i].effect && !is(v[i].effect, t->effect))
			continue;
		if (v[i].key && *v[i].key && !is(v[i].key, t->key))
			continue;
		if (is(v[i].operator, "Exists") || ((!v[i].operator || !*v[i].operator || is(v[i].operator, "Equal")) && is(v[i].value, t->value)))
			return true;
	}
	return false;
}

const struct kube_taint *node_untolerated(const struct kube_node *n, const struct kube_toleration *v, uint32_t n_v, const char *const *effects)
{
	for (uint32_t i = 0; i < n->spec.n_taints; i++)
		for (const char *const *e = effects; *e; e++)
			if (is(n->spec.taints[i].effect, *e) && !taint_is_tolerated(&n->spec.taints[i], v, n_v))
				return &n->spec.taints[i];
	return NULL;
}
