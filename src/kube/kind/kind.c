/* SPDX-License-Identifier: Apache-2.0 */
/* One row a kind. To add a kind: a row here, and the functions it names in the file of its theme. */
#include "kube/kind/check.h"

/* The members of kinds that have a specification and a status. */
#define SPEC(x) .spec = T_kube_##x##_spec, .spec_at = offsetof(struct kube_##x, spec)
#define STATUS(x) .status_at = offsetof(struct kube_##x, status), .status_size = sizeof(((struct kube_##x *)0)->status)
#define ROW(x) .type = T_kube_##x, .table = &x##_table

#define DEFAULT(x) .defaults = kind_default_##x
#define CREATE(x) .create = kind_create_##x
#define UPDATE(x) .update = kind_update_##x
#define FIELDS(x) .fields = x##_fields
#define GENERATION .has_generation = true
#define CLUSTER .is_cluster = true

static const struct kind_row rows[] = {
	{ ROW(pod), SPEC(pod), STATUS(pod), DEFAULT(pod), CREATE(pod), UPDATE(pod), FIELDS(pod), GENERATION },
	{ ROW(pod_template) },
	{ ROW(replication_controller), SPEC(replication_controller), STATUS(replication_controller), DEFAULT(replication_controller),
		FIELDS(replication_controller), GENERATION },
	{ ROW(replica_set), SPEC(replica_set), STATUS(replica_set), FIELDS(replica_set), GENERATION },
	{ ROW(deployment), SPEC(deployment), STATUS(deployment), DEFAULT(deployment), UPDATE(deployment), GENERATION },
	{ ROW(stateful_set), SPEC(stateful_set), STATUS(stateful_set), DEFAULT(stateful_set), GENERATION },
	{ ROW(daemon_set), SPEC(daemon_set), STATUS(daemon_set), DEFAULT(daemon_set), GENERATION },
	{ ROW(controller_revision) },
	{ ROW(job), SPEC(job), STATUS(job), DEFAULT(job), CREATE(job), FIELDS(job), GENERATION },
	{ ROW(cron_job), SPEC(cron_job), STATUS(cron_job), GENERATION },
	{ ROW(service), SPEC(service), STATUS(service), DEFAULT(service), CREATE(service), UPDATE(service), FIELDS(service) },
	{ ROW(endpoints) },
	{ ROW(endpoint_slice), UPDATE(endpoint_slice), GENERATION },
	{ ROW(ingress), SPEC(ingress), STATUS(ingress), GENERATION },
	{ ROW(ingress_class), SPEC(ingress_class), GENERATION, CLUSTER },
	{ ROW(node), SPEC(node), STATUS(node), DEFAULT(node), FIELDS(node), CLUSTER },
	{ ROW(namespace), SPEC(namespace), STATUS(namespace), DEFAULT(namespace), CREATE(namespace), UPDATE(namespace), FIELDS(namespace), CLUSTER },
	{ ROW(event), FIELDS(event) },
	{ ROW(events_event), FIELDS(events_event) },
	{ ROW(secret), CREATE(secret), UPDATE(secret), FIELDS(secret) },
	{ ROW(config_map) },
	{ ROW(service_account), CREATE(service_account), UPDATE(service_account) },
	{ ROW(persistent_volume), SPEC(persistent_volume), STATUS(persistent_volume), CREATE(persistent_volume), UPDATE(persistent_volume), CLUSTER },
	{ ROW(persistent_volume_claim), SPEC(persistent_volume_claim), STATUS(persistent_volume_claim) },
	{ ROW(storage_class), CLUSTER },
	{ ROW(component_status), CLUSTER },
	{ ROW(resource_quota), SPEC(resource_quota), STATUS(resource_quota) },
	{ .type = T_kube_limit_range, DEFAULT(limit_range) },
	{ ROW(lease) },
	{ ROW(priority_class), GENERATION, CLUSTER },
	{ ROW(runtime_class), CLUSTER },
	{ ROW(pod_disruption_budget), SPEC(pod_disruption_budget), STATUS(pod_disruption_budget), GENERATION },
	{ ROW(horizontal_pod_autoscaler), SPEC(horizontal_pod_autoscaler), STATUS(horizontal_pod_autoscaler), DEFAULT(horizontal_pod_autoscaler) },
	{ .type = T_kube_autoscaling_v1_horizontal_pod_autoscaler, .table = &horizontal_pod_autoscaler_v1_table,
		SPEC(autoscaling_v1_horizontal_pod_autoscaler), STATUS(autoscaling_v1_horizontal_pod_autoscaler) },
	{ .type = T_kube_role, .name = NAME_PATH },
	{ .type = T_kube_cluster_role, .name = NAME_PATH, CLUSTER },
	{ ROW(role_binding), DEFAULT(role_binding), .name = NAME_PATH },
	{ ROW(cluster_role_binding), DEFAULT(cluster_role_binding), .name = NAME_PATH, CLUSTER },
	{ ROW(certificate_signing_request), SPEC(certificate_signing_request), STATUS(certificate_signing_request), CREATE(certificate_signing_request),
		UPDATE(certificate_signing_request), FIELDS(certificate_signing_request), CLUSTER },
	{ .type = T_kube_custom_resource_definition, SPEC(custom_resource_definition), STATUS(custom_resource_definition),
		DEFAULT(custom_resource_definition), CREATE(custom_resource_definition), UPDATE(custom_resource_definition), GENERATION, CLUSTER },
	{ ROW(scale) },
};

const struct kind_row *kind_row(struct schema_ref ref)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].type.type == ref.type && ref.domain == &schema_kube)
			return &rows[i];
	return NULL;
}
