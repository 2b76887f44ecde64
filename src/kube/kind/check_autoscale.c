/* SPDX-License-Identifier: Apache-2.0 */
/* Autoscalers: what they watch and how fast they move. Source: pkg/apis/autoscaling/validation. */
#include "kube/kind/check_work.h"

#include "schema/quantity.h"

enum { MAX_WINDOW = 3600, MAX_PERIOD = 1800 };

static bool has_group(const char *api_version)
{
	return strchr(or_empty(api_version), '/') != NULL;
}

static void check_reference(struct check *c, const struct kube_cross_version_object_reference *r, bool needs_group)
{
	if (!is_set(r->kind))
		wrong(c, "kind", REQUIRED);
	else
		check_name(c, "kind", r->kind, NAME_PATH);
	if (!is_set(r->name))
		wrong(c, "name", REQUIRED);
	else
		check_name(c, "name", r->name, NAME_PATH);
	if (needs_group && !has_group(r->api_version))
		wrong_text(c, "apiVersion", r->api_version, "apiVersion must specify API group");
}

static void check_positive_amount(struct check *c, const char *field, const char *value)
{
	struct quantity q;
	if (value && quantity_parse(slice_of(value), &q, NULL) == 0 && q.nano <= 0)
		wrong_text(c, field, value, "must be positive");
}

static void check_target(struct check *c, const struct kube_metric_target *t)
{
	WITHIN(c, "target") {
		if (!is_set(t->type))
			wrong(c, "type", REQUIRED ": must specify a metric target type");
		if (!is(t->type, "Utilization") && !is(t->type, "Value") && !is(t->type, "AverageValue"))
			wrong_text(c, "type", t->type, "must be either Utilization, Value, or AverageValue");
		check_positive_amount(c, "value", t->value);
		check_positive_amount(c, "averageValue", t->average_value);
		if (t->average_utilization && *t->average_utilization < 1)
			wrong_int(c, "averageUtilization", *t->average_utilization, "must be greater than 0");
	}
}

static void check_identifier(struct check *c, const struct kube_metric_identifier *m)
{
	WITHIN(c, "metric") {
		if (!is_set(m->name))
			wrong(c, "name", REQUIRED ": must specify a metric name");
		else
			check_name(c, "name", m->name, NAME_PATH);
	}
}

static void check_use_target(struct check *c, const struct kube_metric_target *t)
{
	check_target(c, t);
	WITHIN(c, "target") {
		if (!t->average_utilization && !t->average_value)
			wrong(c, "averageUtilization", REQUIRED ": must set either a target raw value or a target utilization");
		if (t->average_utilization && t->average_value)
			wrong(c, "averageValue", "Forbidden: may not set both a target raw value and a target utilization");
	}
}

/* The first source that is there, in this order, is the one that is looked at. */
static void check_source(struct check *c, const struct kube_metric_spec *m)
{
	if (m->object) WITHIN(c, "object") {
		WITHIN(c, "describedObject") check_reference(c, &m->object->described_object, false);
		check_identifier(c, &m->object->metric);
		check_target(c, &m->object->target);
		if (!m->object->target.value && !m->object->target.average_value)
			WITHIN(c, "target") wrong(c, "averageValue", REQUIRED ": must set either a target value or averageValue");
	} else if (m->external) WITHIN(c, "external") {
		check_identifier(c, &m->external->metric);
		check_target(c, &m->external->target);
		if (!m->external->target.value && !m->external->target.average_value)
			WITHIN(c, "target") wrong(c, "averageValue", REQUIRED ": must set either a target value for metric or a per-pod target");
		if (m->external->target.value && m->external->target.average_value)
			WITHIN(c, "target") wrong(c, "value", "Forbidden: may not set both a target value for metric and a per-pod target");
	} else if (m->pods) WITHIN(c, "pods") {
		check_identifier(c, &m->pods->metric);
		check_target(c, &m->pods->target);
		if (!m->pods->target.average_value)
			WITHIN(c, "target") wrong(c, "averageValue", REQUIRED ": must specify a positive target averageValue");
	} else if (m->resource) WITHIN(c, "resource") {
		if (!is_set(m->resource->name))
			wrong(c, "name", REQUIRED ": must specify a resource name");
		check_use_target(c, &m->resource->target);
	} else if (m->container_resource) WITHIN(c, "containerResource") {
		if (!is_set(m->container_resource->name))
			wrong(c, "name", REQUIRED ": must specify a resource name");
		else
			WITHIN(c, "name") check_resource_name(c, m->container_resource->name);
		if (!is_set(m->container_resource->container))
			wrong(c, "container", REQUIRED ": must specify a container");
		else
			check_name(c, "container", m->container_resource->container, NAME_LABEL);
		check_use_target(c, &m->container_resource->target);
	}
}

static void check_metric(struct check *c, const struct kube_metric_spec *m)
{
	static const char types[] = "ContainerResource|External|Object|Pods|Resource";
	const struct { const char *type, *field; const void *source; } sources[] = { { "Object", "object", m->object }, { "External", "external", m->external },
		{ "Pods", "pods", m->pods }, { "Resource", "resource", m->resource }, { "ContainerResource", "containerResource", m->container_resource } };
	const char *expected = NULL;
	unsigned n = 0;
	if (!is_set(m->type))
		wrong(c, "type", REQUIRED ": must specify a metric source type");
	one_of(c, "type", m->type, types);
	check_source(c, m);
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		n += sources[i].source != NULL;
		if (!is(m->type, sources[i].type))
			continue;
		expected = sources[i].field;
		if (!sources[i].source)
			wrong(c, sources[i].field, REQUIRED ": must populate information for the given metric source");
	}
	if (!expected)
		one_of(c, "type", m->type, types);
	for (size_t i = 0; n > 1 && i < ARRAY_LEN(sources); i++)
		if (sources[i].source && sources[i].field != expected)
			wrong(c, sources[i].field, "Forbidden: must populate the given metric source only");
}

static void check_scaling(struct check *c, const char *field, const struct kube_hpa_scaling_rules *r)
{
	if (!r)
		return;
	WITHIN(c, field) {
		const int32_t *window = r->stabilization_window_seconds;
		if (window && *window < 0)
			wrong_int(c, "stabilizationWindowSeconds", *window, "must be greater than or equal to zero");
		if (window && *window > MAX_WINDOW)
			wrong_int(c, "stabilizationWindowSeconds", *window, "must be less than or equal to %d", MAX_WINDOW);
		if (r->select_policy)
			one_of(c, "selectPolicy", r->select_policy, "Disabled|Max|Min");
		if (!r->n_policies)
			wrong(c, "policies", REQUIRED ": must specify at least one Policy");
		EACH(c, "policies", i, r->n_policies) {
			const struct kube_hpa_scaling_policy *p = &r->policies[i];
			one_of(c, "type", p->type, "Percent|Pods");
			if (p->value <= 0)
				wrong_int(c, "value", p->value, "must be greater than zero");
			if (p->period_seconds <= 0)
				wrong_int(c, "periodSeconds", p->period_seconds, "must be greater than zero");
			if (p->period_seconds > MAX_PERIOD)
				wrong_int(c, "periodSeconds", p->period_seconds, "must be less than or equal to %d", MAX_PERIOD);
		}
	}
}

void kind_validate_horizontal_pod_autoscaler(struct check *c, const void *obj, const void *old)
{
	const struct kube_horizontal_pod_autoscaler_spec *s = &((const struct kube_horizontal_pod_autoscaler *)obj)->spec;
	const struct kube_horizontal_pod_autoscaler *was = old;
	WITHIN(c, "spec") {
		if (s->min_replicas && *s->min_replicas < 1)
			wrong_int(c, "minReplicas", *s->min_replicas, "must be greater than or equal to 1");
		if (!s->max_replicas)
			wrong(c, "maxReplicas", REQUIRED ": must be set and greater than 0");
		else if (s->max_replicas < 1)
			wrong_int(c, "maxReplicas", s->max_replicas, "must be greater than or equal to 1");
		if (s->min_replicas && s->max_replicas < *s->min_replicas)
			wrong_int(c, "maxReplicas", s->max_replicas, "must be greater than or equal to `minReplicas`");
		WITHIN(c, "scaleTargetRef") check_reference(c, &s->scale_target_ref, !was || has_group(was->spec.scale_target_ref.api_version));
		EACH(c, "metrics", i, s->n_metrics)
			check_metric(c, &s->metrics[i]);
		if (s->behavior) WITHIN(c, "behavior") {
			check_scaling(c, "scaleUp", s->behavior->scale_up);
			check_scaling(c, "scaleDown", s->behavior->scale_down);
		}
	}
}
