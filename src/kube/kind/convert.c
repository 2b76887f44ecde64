/* SPDX-License-Identifier: Apache-2.0 */
/* One object in two versions of the API. What memory can be shared is shared. */
#include "kube/kind/kind_int.h"

#define IS(ref, name) ((ref).domain == &schema_kube && (ref).type == T_kube_##name.type)

/* --- events --- */

static int event_to_new(const struct kube_event *o, struct arena *a, struct kube_events_event *n)
{
	*n = (struct kube_events_event){ .kind = "Event", .api_version = "events.k8s.io/v1", .metadata = o->metadata, .event_time = o->event_time,
		.reporting_controller = o->reporting_component, .reporting_instance = o->reporting_instance, .action = o->action, .reason = o->reason,
		.regarding = o->involved_object, .related = o->related, .note = o->message, .type = o->type, .deprecated_source = o->source,
		.deprecated_first_timestamp = o->first_timestamp, .deprecated_last_timestamp = o->last_timestamp, .deprecated_count = o->count };
	if (!o->series)
		return 0;
	n->series = arena_new(a, struct kube_events_event_series);
	if (!n->series)
		return -E2BIG;
	n->series->count = o->series->count;
	n->series->last_observed_time = o->series->last_observed_time;
	return 0;
}

static int event_to_core(const struct kube_events_event *o, struct arena *a, struct kube_event *n)
{
	*n = (struct kube_event){ .kind = "Event", .api_version = "v1", .metadata = o->metadata, .involved_object = o->regarding, .reason = o->reason,
		.message = o->note, .source = o->deprecated_source, .first_timestamp = o->deprecated_first_timestamp,
		.last_timestamp = o->deprecated_last_timestamp, .count = o->deprecated_count, .type = o->type, .event_time = o->event_time,
		.action = o->action, .related = o->related, .reporting_component = o->reporting_controller, .reporting_instance = o->reporting_instance };
	if (!o->series)
		return 0;
	n->series = arena_new(a, struct kube_event_series);
	if (!n->series)
		return -E2BIG;
	n->series->count = o->series->count;
	n->series->last_observed_time = o->series->last_observed_time;
	return 0;
}

/* --- autoscalers: version 1 knows the processor's use only --- */

static bool is_cpu(const struct kube_metric_spec *m)
{
	return is(m->type, "Resource") && m->resource && is(m->resource->name, "cpu") && m->resource->target.average_utilization;
}

static int hpa_to_v2(const struct kube_autoscaling_v1_horizontal_pod_autoscaler *o, const struct kube_horizontal_pod_autoscaler *old,
	struct arena *a, struct kube_horizontal_pod_autoscaler *n)
{
	*n = (struct kube_horizontal_pod_autoscaler){ .kind = "HorizontalPodAutoscaler", .api_version = "autoscaling/v2", .metadata = o->metadata };
	n->spec.scale_target_ref = (struct kube_cross_version_object_reference){ .kind = o->spec.scale_target_ref.kind,
		.name = o->spec.scale_target_ref.name, .api_version = o->spec.scale_target_ref.api_version };
	n->spec.min_replicas = o->spec.min_replicas;
	n->spec.max_replicas = o->spec.max_replicas;
	n->spec.behavior = old ? old->spec.behavior : NULL;
	uint32_t n_old = old ? old->spec.n_metrics : 0;
	n->spec.metrics = arena_array(a, n_old + 1, sizeof *n->spec.metrics);
	if (!n->spec.metrics)
		return -E2BIG;
	for (uint32_t i = 0; i < n_old; i++)
		if (!is_cpu(&old->spec.metrics[i]))
			n->spec.metrics[n->spec.n_metrics++] = old->spec.metrics[i];
	if (o->spec.target_cpu_utilization_percentage) {
		struct kube_resource_metric_source *s = arena_new(a, struct kube_resource_metric_source);
		if (!s)
			return -E2BIG;
		*s = (struct kube_resource_metric_source){ .name = "cpu", .target = { .type = "Utilization",
			.average_utilization = o->spec.target_cpu_utilization_percentage } };
		n->spec.metrics[n->spec.n_metrics++] = (struct kube_metric_spec){ .type = "Resource", .resource = s };
	}
	if (!n->spec.n_metrics)
		n->spec.metrics = NULL;
	if (old)
		n->status = old->status;
	n->status.observed_generation = o->status.observed_generation;
	n->status.last_scale_time = o->status.last_scale_time;
	n->status.current_replicas = o->status.current_replicas;
	n->status.desired_replicas = o->status.desired_replicas;
	return 0;
}

static void hpa_to_v1(const struct kube_horizontal_pod_autoscaler *o, struct kube_autoscaling_v1_horizontal_pod_autoscaler *n)
{
	*n = (struct kube_autoscaling_v1_horizontal_pod_autoscaler){ .kind = "HorizontalPodAutoscaler", .api_version = "autoscaling/v1", .metadata = o->metadata };
	n->spec.scale_target_ref = (struct kube_autoscaling_v1_cross_version_object_reference){ .kind = o->spec.scale_target_ref.kind,
		.name = o->spec.scale_target_ref.name, .api_version = o->spec.scale_target_ref.api_version };
	n->spec.min_replicas = o->spec.min_replicas;
	n->spec.max_replicas = o->spec.max_replicas;
	for (uint32_t i = 0; i < o->spec.n_metrics; i++)
		if (is_cpu(&o->spec.metrics[i]))
			n->spec.target_cpu_utilization_percentage = o->spec.metrics[i].resource->target.average_utilization;
	n->status.observed_generation = o->status.observed_generation;
	n->status.last_scale_time = o->status.last_scale_time;
	n->status.current_replicas = o->status.current_replicas;
	n->status.desired_replicas = o->status.desired_replicas;
	for (uint32_t i = 0; i < o->status.n_current_metrics; i++) {
		const struct kube_resource_metric_status *s = o->status.current_metrics[i].resource;
		if (s && is(s->name, "cpu"))
			n->status.current_cpu_utilization_percentage = s->current.average_utilization;
	}
}

int kind_convert(struct schema_ref from, const void *obj, struct schema_ref to, const void *old, struct arena *a, void *ret)
{
	if (IS(from, event) && IS(to, events_event))
		return event_to_new(obj, a, ret);
	if (IS(from, events_event) && IS(to, event))
		return event_to_core(obj, a, ret);
	if (IS(from, autoscaling_v1_horizontal_pod_autoscaler) && IS(to, horizontal_pod_autoscaler)) {
		int r = hpa_to_v2(obj, old, a, ret);
		return r < 0 ? r : kind_default_horizontal_pod_autoscaler(a, ret);
	}
	if (IS(from, horizontal_pod_autoscaler) && IS(to, autoscaling_v1_horizontal_pod_autoscaler)) {
		hpa_to_v1(obj, ret);
		return 0;
	}
	return -ENOTSUP;
}
