/* SPDX-License-Identifier: Apache-2.0 */
/* Where a pod may run: affinity, tolerations, spreading. Source: pkg/apis/core/validation. */
#include "kube/kind/check_pod.h"

static void check_requirement(struct check *c, const struct kube_node_selector_requirement *r)
{
	if (is(r->operator, "In") || is(r->operator, "NotIn")) {
		if (!r->n_values)
			wrong(c, "values", REQUIRED ": must be specified when `operator` is 'In' or 'NotIn'");
	} else if (is(r->operator, "Exists") || is(r->operator, "DoesNotExist")) {
		if (r->n_values)
			wrong(c, "values", "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
	} else if (is(r->operator, "Gt") || is(r->operator, "Lt")) {
		if (r->n_values != 1)
			wrong(c, "values", REQUIRED ": must be specified single value when `operator` is 'Lt' or 'Gt'");
	} else {
		wrong_text(c, "operator", r->operator, "not a valid selector operator");
	}
	check_qualified_name(c, "key", r->key);
	for (uint32_t k = 0; k < r->n_values; k++)
		WITHIN_ITEM(c, "values", k) check_label_value(c, NULL, r->values[k]);
}

static void check_node_term(struct check *c, const struct kube_node_selector_term *t)
{
	EACH(c, "matchExpressions", i, t->n_match_expressions)
		check_requirement(c, &t->match_expressions[i]);
	EACH(c, "matchFields", i, t->n_match_fields) {
		const struct kube_node_selector_requirement *r = &t->match_fields[i];
		if (is(r->operator, "In") || is(r->operator, "NotIn")) {
			if (r->n_values != 1)
				wrong(c, "values", REQUIRED ": must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
		} else {
			wrong_text(c, "operator", r->operator, "not a valid selector operator");
		}
		if (!is(r->key, "metadata.name"))
			wrong_text(c, "key", r->key, "not a valid field selector key");
	}
}

void check_node_selector(struct check *c, const struct kube_node_selector *s)
{
	if (!s->n_node_selector_terms)
		wrong(c, "nodeSelectorTerms", REQUIRED ": must have at least one node selector term");
	EACH(c, "nodeSelectorTerms", i, s->n_node_selector_terms)
		check_node_term(c, &s->node_selector_terms[i]);
}

static void check_pod_term(struct check *c, const struct kube_pod_affinity_term *t)
{
	check_selector(c, "labelSelector", t->label_selector);
	check_selector(c, "namespaceSelector", t->namespace_selector);
	for (uint32_t i = 0; i < t->n_namespaces; i++)
		if (!name_is(t->namespaces[i], NAME_LABEL))
			check_name(c, "namespace", t->namespaces[i], NAME_LABEL);
	if (!is_set(t->topology_key))
		wrong(c, "topologyKey", REQUIRED ": can not be empty");
	check_qualified_name(c, "topologyKey", t->topology_key);
}

#define REQUIRED_TERMS "requiredDuringSchedulingIgnoredDuringExecution"
#define PREFERRED_TERMS "preferredDuringSchedulingIgnoredDuringExecution"

static void check_pod_terms(struct check *c, const struct kube_pod_affinity_term *v, uint32_t n, const struct kube_weighted_pod_affinity_term *w, uint32_t n_w)
{
	EACH(c, REQUIRED_TERMS, i, n)
		check_pod_term(c, &v[i]);
	EACH(c, PREFERRED_TERMS, i, n_w) {
		if (w[i].weight <= 0 || w[i].weight > 100)
			wrong_int(c, "weight", w[i].weight, "must be in the range 1-100");
		WITHIN(c, "podAffinityTerm") check_pod_term(c, &w[i].pod_affinity_term);
	}
}

void check_affinity(struct check *c, const struct kube_affinity *a)
{
	if (!a)
		return;
	WITHIN(c, "affinity") {
		const struct kube_node_affinity *n = a->node_affinity;
		if (n) WITHIN(c, "nodeAffinity") {
			if (n->required_during_scheduling_ignored_during_execution)
				WITHIN(c, REQUIRED_TERMS) check_node_selector(c, n->required_during_scheduling_ignored_during_execution);
			EACH(c, PREFERRED_TERMS, i, n->n_preferred_during_scheduling_ignored_during_execution) {
				const struct kube_preferred_scheduling_term *t = &n->preferred_during_scheduling_ignored_during_execution[i];
				if (t->weight <= 0 || t->weight > 100)
					wrong_int(c, "weight", t->weight, "must be in the range 1-100");
				WITHIN(c, "preference") check_node_term(c, &t->preference);
			}
		}
		if (a->pod_affinity) WITHIN(c, "podAffinity")
			check_pod_terms(c, a->pod_affinity->required_during_scheduling_ignored_during_execution,
				a->pod_affinity->n_required_during_scheduling_ignored_during_execution,
				a->pod_affinity->preferred_during_scheduling_ignored_during_execution,
				a->pod_affinity->n_preferred_during_scheduling_ignored_during_execution);
		if (a->pod_anti_affinity) WITHIN(c, "podAntiAffinity")
			check_pod_terms(c, a->pod_anti_affinity->required_during_scheduling_ignored_during_execution,
				a->pod_anti_affinity->n_required_during_scheduling_ignored_during_execution,
				a->pod_anti_affinity->preferred_during_scheduling_ignored_during_execution,
				a->pod_anti_affinity->n_preferred_during_scheduling_ignored_during_execution);
	}
}

void check_tolerations(struct check *c, const struct kube_toleration *v, uint32_t n)
{
	EACH(c, "tolerations", i, n) {
		const struct kube_toleration *t = &v[i];
		if (is_set(t->key))
			check_qualified_name(c, "key", t->key);
		if (!is_set(t->key) && !is(t->operator, "Exists"))
			wrong_text(c, "operator", t->operator, "operator must be Exists when `key` is empty, which means \"match all values and all keys\"");
		if (t->toleration_seconds && !is(t->effect, "NoExecute"))
			wrong_text(c, "effect", t->effect, "effect must be 'NoExecute' when `tolerationSeconds` is set");
		if (!is_set(t->operator) || is(t->operator, "Equal")) {
			check_label_value(c, "operator", t->value);
		} else if (is(t->operator, "Exists")) {
			if (is_set(t->value))
				wrong_text(c, "operator", t->value, "value must be empty when `operator` is 'Exists'");
		} else {
			one_of(c, "operator", t->operator, "Equal|Exists");
		}
		if (is_set(t->effect))
			one_of(c, "effect", t->effect, "NoSchedule|PreferNoSchedule|NoExecute");
	}
}

void check_spread(struct check *c, const struct kube_topology_spread_constraint *v, uint32_t n)
{
	EACH(c, "topologySpreadConstraints", i, n) {
		const struct kube_topology_spread_constraint *s = &v[i];
		if (s->max_skew <= 0)
			wrong_int(c, "maxSkew", s->max_skew, "must be greater than zero");
		if (!is_set(s->topology_key))
			wrong(c, "topologyKey", REQUIRED ": can not be empty");
		one_of(c, "whenUnsatisfiable", s->when_unsatisfiable, "DoNotSchedule|ScheduleAnyway");
		for (uint32_t k = i + 1; k < n; k++)
			if (is(v[k].topology_key, or_empty(s->topology_key)) && is(v[k].when_unsatisfiable, or_empty(s->when_unsatisfiable)))
				wrong(c, "{topologyKey, whenUnsatisfiable}", "Duplicate value: \"{%s, %s}\"", or_empty(s->topology_key), or_empty(s->when_unsatisfiable));
		if (s->min_domains) {
			if (*s->min_domains <= 0)
				wrong_int(c, "minDomains", *s->min_domains, "must be greater than zero");
			if (!is(s->when_unsatisfiable, "DoNotSchedule"))
				wrong_int(c, "minDomains", *s->min_domains, "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not %s", or_empty(s->when_unsatisfiable));
		}
		if (s->node_affinity_policy)
			one_of(c, "nodeAffinityPolicy", s->node_affinity_policy, "Honor|Ignore");
		if (s->node_taints_policy)
			one_of(c, "nodeTaintsPolicy", s->node_taints_policy, "Honor|Ignore");
		check_selector(c, "labelSelector", s->label_selector);
	}
}
