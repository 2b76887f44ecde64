/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of the kinds that make pods. */
#include "kube/kind/kind_int.h"

#include <ctype.h>

#include "base/clock.h"
#include "kube/meta/text.h"

#define NAME { "Name", "string", "name", 0, "The object's name" }
#define AGE { "Age", "string", "", 0, "Time since it was created" }
#define CONTAINERS { "Containers", "string", "", 1, "Names of the template's containers" }, \
	{ "Images", "string", "", 1, "Images of the template's containers" }
#define SELECTOR { "Selector", "string", "", 1, "Labels of the pods that belong to it" }
#define DESIRED { "Desired", "integer", "", 0, "Pods that are wanted" }
#define CURRENT { "Current", "integer", "", 0, "Pods that exist" }
#define READY { "Ready", "integer", "", 0, "Pods that are ready" }

static int32_t value(const int32_t *p)
{
	return p ? *p : 0;
}

static const struct kind_column replication_controller_columns[] = { NAME, DESIRED, CURRENT, READY, AGE, CONTAINERS, SELECTOR };
static void replication_controller_cells(struct cells *c, const void *obj)
{
	const struct kube_replication_controller *o = obj;
	cell_text(c, o->metadata.name);
	cell_int(c, value(o->spec.replicas));
	cell_int(c, o->status.replicas);
	cell_int(c, o->status.ready_replicas);
	cell_age(c, o->metadata.creation_timestamp);
	cell_containers(c, o->spec.template ? &o->spec.template->spec : NULL);
	cell_labels(c, o->spec.selector, o->spec.n_selector);
}
TABLE(replication_controller);

static const struct kind_column replica_set_columns[] = { NAME, DESIRED, CURRENT, READY, AGE, CONTAINERS, SELECTOR };
static void replica_set_cells(struct cells *c, const void *obj)
{
	const struct kube_replica_set *o = obj;
	cell_text(c, o->metadata.name);
	cell_int(c, value(o->spec.replicas));
	cell_int(c, o->status.replicas);
	cell_int(c, o->status.ready_replicas);
	cell_age(c, o->metadata.creation_timestamp);
	cell_containers(c, &o->spec.template.spec);
	cell_selector(c, o->spec.selector);
}
TABLE(replica_set);

static const struct kind_column deployment_columns[] = { NAME, { "Ready", "string", "", 0, "Pods that are ready, of those wanted" },
	{ "Up-to-date", "string", "", 0, "Pods of the newest template" },
	{ "Available", "string", "", 0, "Pods that have been ready long enough" }, AGE, CONTAINERS, SELECTOR };
static void deployment_cells(struct cells *c, const void *obj)
{
	const struct kube_deployment *o = obj;
	AUTO(buf) struct buf selector = BUF_INIT(1 << 16);
	cell_text(c, o->metadata.name);
	cell_fmt(c, "%d/%d", o->status.ready_replicas, value(o->spec.replicas));
	cell_int(c, o->status.updated_replicas);
	cell_int(c, o->status.available_replicas);
	cell_age(c, o->metadata.creation_timestamp);
	cell_containers(c, &o->spec.template.spec);
	kube_selector_text(o->spec.selector, &selector);
	cell_buf(c, &selector);
}
TABLE(deployment);

static const struct kind_column stateful_set_columns[] = { NAME, { "Ready", "string", "", 0, "Pods that are ready, of those wanted" }, AGE, CONTAINERS };
static void stateful_set_cells(struct cells *c, const void *obj)
{
	const struct kube_stateful_set *o = obj;
	cell_text(c, o->metadata.name);
	cell_fmt(c, "%d/%d", o->status.ready_replicas, value(o->spec.replicas));
	cell_age(c, o->metadata.creation_timestamp);
	cell_containers(c, &o->spec.template.spec);
}
TABLE(stateful_set);

static const struct kind_column daemon_set_columns[] = { NAME, DESIRED, CURRENT, READY,
	{ "Up-to-date", "integer", "", 0, "Machines with a pod of the newest template" },
	{ "Available", "integer", "", 0, "Machines whose pod has been ready long enough" },
	{ "Node Selector", "string", "", 0, "Labels of the machines that get a pod" }, AGE, CONTAINERS, SELECTOR };
static void daemon_set_cells(struct cells *c, const void *obj)
{
	const struct kube_daemon_set *o = obj;
	cell_text(c, o->metadata.name);
	cell_int(c, o->status.desired_number_scheduled);
	cell_int(c, o->status.current_number_scheduled);
	cell_int(c, o->status.number_ready);
	cell_int(c, o->status.updated_number_scheduled);
	cell_int(c, o->status.number_available);
	cell_labels(c, o->spec.template.spec.node_selector, o->spec.template.spec.n_node_selector);
	cell_age(c, o->metadata.creation_timestamp);
	cell_containers(c, &o->spec.template.spec);
	cell_selector(c, o->spec.selector);
}
TABLE(daemon_set);

static const struct kind_column controller_revision_columns[] = { NAME, { "Controller", "string", "", 0, "What it is a revision of" },
	{ "Revision", "string", "", 0, "Its number" }, AGE };
static void controller_revision_cells(struct cells *c, const void *obj)
{
	const struct kube_controller_revision *o = obj;
	const struct kube_owner_reference *ref = NULL;
	for (uint32_t i = 0; i < o->metadata.n_owner_references && !ref; i++)
		if (o->metadata.owner_references[i].controller && *o->metadata.owner_references[i].controller)
			ref = &o->metadata.owner_references[i];
	cell_text(c, o->metadata.name);
	if (ref) {
		struct slice group, version;
		AUTO(buf) struct buf b = BUF_INIT(1024);
		bool has_group = slice_cut(slice_of(or_empty(ref->api_version)), '/', &group, &version);
		buf_adds(&b, or_empty(ref->kind));
		for (size_t i = 0; i < b.len; i++)
			b.ptr[i] = (char)tolower((unsigned char)b.ptr[i]);
		cell_fmt(c, "%s%s%.*s/%s", b.ptr, has_group ? "." : "", has_group ? (int)group.len : 0, group.ptr, or_empty(ref->name));
	} else {
		cell_text(c, "<none>");
	}
	cell_int(c, o->revision);
	cell_age(c, o->metadata.creation_timestamp);
}
TABLE(controller_revision);

static bool job_is(const struct kube_job *o, const char *type)
{
	for (uint32_t i = 0; i < o->status.n_conditions; i++)
		if (is(o->status.conditions[i].type, type))
			return is(o->status.conditions[i].status, "True");
	return false;
}

static const char *job_status(const struct kube_job *o)
{
	if (job_is(o, "Complete"))
		return "Complete";
	if (job_is(o, "Failed"))
		return "Failed";
	if (o->metadata.deletion_timestamp)
		return "Terminating";
	if (job_is(o, "Suspended"))
		return "Suspended";
	if (job_is(o, "FailureTarget"))
		return "FailureTarget";
	return job_is(o, "SuccessCriteriaMet") ? "SuccessCriteriaMet" : "Running";
}

static void cell_job_duration(struct cells *c, const struct kube_job_status *s)
{
	int64_t start, end = c->now_ns;
	char text[KUBE_DURATION_MAX];
	if (!s->start_time || clock_parse_rfc3339(slice_of(s->start_time), &start) < 0 ||
		(s->completion_time && clock_parse_rfc3339(slice_of(s->completion_time), &end) < 0))
		cell_text(c, "");
	else
		cell_fmt(c, "%s", kube_human_duration(text, end - start));
}

static const struct kind_column job_columns[] = { NAME, { "Status", "string", "", 0, "How far it is" },
	{ "Completions", "string", "", 0, "Pods that have succeeded, of those wanted" }, { "Duration", "string", "", 0, "Time it took, or takes so far" },
	AGE, CONTAINERS, SELECTOR };
static void job_cells(struct cells *c, const void *obj)
{
	const struct kube_job *o = obj;
	cell_text(c, o->metadata.name);
	cell_text(c, job_status(o));
	if (o->spec.completions)
		cell_fmt(c, "%d/%d", o->status.succeeded, *o->spec.completions);
	else if (value(o->spec.parallelism) > 1)
		cell_fmt(c, "%d/1 of %d", o->status.succeeded, *o->spec.parallelism);
	else
		cell_fmt(c, "%d/1", o->status.succeeded);
	cell_job_duration(c, &o->status);
	cell_age(c, o->metadata.creation_timestamp);
	cell_containers(c, &o->spec.template.spec);
	cell_selector(c, o->spec.selector);
}
TABLE(job);

static const struct kind_column cron_job_columns[] = { NAME, { "Schedule", "string", "", 0, "When it starts jobs" },
	{ "Timezone", "string", "", 0, "Time zone of the schedule" }, { "Suspend", "boolean", "", 0, "Whether it starts none for now" },
	{ "Active", "integer", "", 0, "Jobs that run" }, { "Last Schedule", "string", "", 0, "When it started the last job" }, AGE, CONTAINERS, SELECTOR };
static void cron_job_cells(struct cells *c, const void *obj)
{
	const struct kube_cron_job *o = obj;
	cell_text(c, o->metadata.name);
	cell_text(c, o->spec.schedule);
	cell_text(c, o->spec.time_zone ? o->spec.time_zone : "<none>");
	cell_text(c, !o->spec.suspend ? "<unset>" : *o->spec.suspend ? "True" : "False");
	cell_int(c, o->status.n_active);
	if (o->status.last_schedule_time)
		cell_age(c, o->status.last_schedule_time);
	else
		cell_text(c, "<none>");
	cell_age(c, o->metadata.creation_timestamp);
	cell_containers(c, &o->spec.job_template.spec.template.spec);
	cell_selector(c, o->spec.job_template.spec.selector);
}
TABLE(cron_job);

static const struct kind_column pod_disruption_budget_columns[] = { NAME, { "Min Available", "string", "", 0, "Pods that must stay" },
	{ "Max Unavailable", "string", "", 0, "Pods that may be missing" }, { "Allowed Disruptions", "integer", "", 0, "Pods that may be evicted now" }, AGE };
static void cell_int_or_string(struct cells *c, const struct schema_int_or_string *v)
{
	if (!v)
		cell_text(c, "N/A");
	else if (v->string)
		cell_text(c, v->string);
	else
		cell_fmt(c, "%lld", (long long)v->number);
}
static void pod_disruption_budget_cells(struct cells *c, const void *obj)
{
	const struct kube_pod_disruption_budget *o = obj;
	cell_text(c, o->metadata.name);
	cell_int_or_string(c, o->spec.min_available);
	cell_int_or_string(c, o->spec.max_unavailable);
	cell_int(c, o->status.disruptions_allowed);
	cell_age(c, o->metadata.creation_timestamp);
}
TABLE(pod_disruption_budget);

#define HPA_COLUMNS { NAME, { "Reference", "string", "", 0, "What is scaled" }, { "Targets", "string", "", 0, "Measured values, and those aimed at" }, \
	{ "MinPods", "string", "", 0, "Fewest pods" }, { "MaxPods", "string", "", 0, "Most pods" }, { "Replicas", "string", "", 0, "Pods there are" }, AGE }
static const struct kind_column horizontal_pod_autoscaler_columns[] = HPA_COLUMNS;

static void percent_or(struct buf *b, const int32_t *p, const char *otherwise)
{
	if (p)
		buf_addf(b, "%d%%", *p);
	else
		buf_adds(b, otherwise);
}

/* A metric that is counted per container or pod: name, measured, aimed at. */
static void resource_metric(struct buf *b, const char *name, const struct kube_metric_target *t, const struct kube_metric_value_status *now)
{
	buf_addf(b, "%s: ", or_empty(name));
	if (t->average_value) {
		buf_addf(b, "%s/%s", now && now->average_value ? now->average_value : now ? "0" : "<unknown>", t->average_value);
		return;
	}
	percent_or(b, now ? now->average_utilization : NULL, "<unknown>");
	buf_addc(b, '/');
	percent_or(b, t->average_utilization, "<auto>");
}

static void value_metric(struct buf *b, const struct kube_metric_target *t, const struct kube_metric_value_status *now)
{
	if (t->average_value)
		buf_addf(b, "%s/%s (avg)", now && now->average_value ? now->average_value : "<unknown>", t->average_value);
	else
		buf_addf(b, "%s/%s", !now ? "<unknown>" : now->value ? now->value : "0", t->value ? t->value : "0");
}

static void metric(struct buf *b, const struct kube_metric_spec *m, const struct kube_metric_status *s)
{
	if (is(m->type, "Resource") && m->resource)
		resource_metric(b, m->resource->name, &m->resource->target, s && s->resource ? &s->resource->current : NULL);
	else if (is(m->type, "ContainerResource") && m->container_resource)
		resource_metric(b, m->container_resource->name, &m->container_resource->target,
			s && s->container_resource ? &s->container_resource->current : NULL);
	else if (is(m->type, "External") && m->external)
		value_metric(b, &m->external->target, s && s->external ? &s->external->current : NULL);
	else if (is(m->type, "Object") && m->object)
		value_metric(b, &m->object->target, s && s->object ? &s->object->current : NULL);
	else if (is(m->type, "Pods") && m->pods)
		buf_addf(b, "%s/%s", !s || !s->pods ? "<unknown>" : s->pods->current.average_value ? s->pods->current.average_value : "0",
			m->pods->target.average_value ? m->pods->target.average_value : "0");
	else
		buf_adds(b, "<unknown type>");
}

static void horizontal_pod_autoscaler_cells(struct cells *c, const void *obj)
{
	const struct kube_horizontal_pod_autoscaler *o = obj;
	AUTO(buf) struct buf b = BUF_INIT(1 << 16);
	cell_text(c, o->metadata.name);
	cell_fmt(c, "%s/%s", or_empty(o->spec.scale_target_ref.kind), or_empty(o->spec.scale_target_ref.name));
	for (uint32_t i = 0; i < o->spec.n_metrics && i < 2; i++) {
		buf_adds(&b, i ? ", " : "");
		metric(&b, &o->spec.metrics[i], i < o->status.n_current_metrics ? &o->status.current_metrics[i] : NULL);
	}
	if (o->spec.n_metrics > 2)
		buf_addf(&b, " + %u more...", o->spec.n_metrics - 2);
	if (!o->spec.n_metrics)
		buf_adds(&b, "<none>");
	cell_buf(c, &b);
	if (o->spec.min_replicas)
		cell_fmt(c, "%d", *o->spec.min_replicas);
	else
		cell_text(c, "<unset>");
	cell_int(c, o->spec.max_replicas);
	cell_int(c, o->status.current_replicas);
	cell_age(c, o->metadata.creation_timestamp);
}
TABLE(horizontal_pod_autoscaler);

static const struct kind_column horizontal_pod_autoscaler_v1_columns[] = HPA_COLUMNS;
static void horizontal_pod_autoscaler_v1_cells(struct cells *c, const void *obj)
{
	const struct kube_autoscaling_v1_horizontal_pod_autoscaler *o = obj;
	AUTO(buf) struct buf b = BUF_INIT(256);
	cell_text(c, o->metadata.name);
	cell_fmt(c, "%s/%s", or_empty(o->spec.scale_target_ref.kind), or_empty(o->spec.scale_target_ref.name));
	if (o->spec.target_cpu_utilization_percentage) {
		buf_adds(&b, "cpu: ");
		percent_or(&b, o->status.current_cpu_utilization_percentage, "<unknown>");
		buf_addf(&b, "/%d%%", *o->spec.target_cpu_utilization_percentage);
	} else {
		buf_adds(&b, "<none>");
	}
	cell_buf(c, &b);
	if (o->spec.min_replicas)
		cell_fmt(c, "%d", *o->spec.min_replicas);
	else
		cell_text(c, "<unset>");
	cell_int(c, o->spec.max_replicas);
	cell_int(c, o->status.current_replicas);
	cell_age(c, o->metadata.creation_timestamp);
}
TABLE(horizontal_pod_autoscaler_v1);

static const struct kind_column scale_columns[] = { { "Name", "string", "", 0, "The object's name" }, DESIRED,
	{ "Available", "integer", "", 0, "Pods that exist" }, AGE };
static void scale_cells(struct cells *c, const void *obj)
{
	const struct kube_scale *o = obj;
	cell_text(c, o->metadata.name);
	cell_int(c, o->spec.replicas);
	cell_int(c, o->status.replicas);
	cell_age(c, o->metadata.creation_timestamp);
}
TABLE(scale);
