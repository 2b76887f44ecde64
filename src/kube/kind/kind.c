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
#define CHECK(x) .validate = kind_validate_##x
#define FIELDS(x) .fields = x##_fields
#define GENERATION .has_generation = true
#define CLUSTER .is_cluster = true

static const struct kind_row rows[] = {
	{ ROW(pod), CHECK(pod), SPEC(pod), STATUS(pod), DEFAULT(pod), CREATE(pod), UPDATE(pod), FIELDS(pod), GENERATION },
	{ ROW(pod_template), CHECK(pod_template), .spec = T_kube_pod_template_spec, .spec_at = offsetof(struct kube_pod_template, template), GENERATION },
	{ ROW(replication_controller), CHECK(replication_controller), SPEC(replication_controller), STATUS(replication_controller), DEFAULT(replication_controller),
		FIELDS(replication_controller), GENERATION },
	{ ROW(replica_set), CHECK(replica_set), SPEC(replica_set), STATUS(replica_set), FIELDS(replica_set), GENERATION },
	{ ROW(deployment), CHECK(deployment), SPEC(deployment), STATUS(deployment), DEFAULT(deployment), UPDATE(deployment), GENERATION },
	{ ROW(stateful_set), CHECK(stateful_set), .name = NAME_LABEL, SPEC(stateful_set), STATUS(stateful_set), DEFAULT(stateful_set), GENERATION },
	{ ROW(daemon_set), CHECK(daemon_set), SPEC(daemon_set), STATUS(daemon_set), DEFAULT(daemon_set), CREATE(daemon_set), UPDATE(daemon_set), GENERATION },
	{ ROW(controller_revision), CHECK(controller_revision) },
	{ ROW(job), CHECK(job), SPEC(job), STATUS(job), DEFAULT(job), CREATE(job), FIELDS(job), GENERATION },
	{ ROW(cron_job), CHECK(cron_job), SPEC(cron_job), STATUS(cron_job), GENERATION },
	{ ROW(service), CHECK(service), .name = NAME_LABEL, SPEC(service), STATUS(service), DEFAULT(service), CREATE(service), UPDATE(service), FIELDS(service) },
	{ ROW(endpoints), CHECK(endpoints) },
	{ ROW(endpoint_slice), CHECK(endpoint_slice), UPDATE(endpoint_slice), GENERATION },
	{ ROW(ingress), CHECK(ingress), SPEC(ingress), STATUS(ingress), GENERATION },
	{ ROW(ingress_class), CHECK(ingress_class), SPEC(ingress_class), GENERATION, CLUSTER },
	{ ROW(node), CHECK(node), SPEC(node), STATUS(node), DEFAULT(node), FIELDS(node), CLUSTER },
	{ ROW(namespace), CHECK(namespace), .name = NAME_LABEL, SPEC(namespace), STATUS(namespace), DEFAULT(namespace), CREATE(namespace), UPDATE(namespace), FIELDS(namespace), CLUSTER },
	{ ROW(event), FIELDS(event) },
	{ ROW(events_event), FIELDS(events_event) },
	{ ROW(secret), CHECK(secret), CREATE(secret), UPDATE(secret), FIELDS(secret) },
	{ ROW(config_map), CHECK(config_map) },
	{ ROW(service_account), CREATE(service_account), UPDATE(service_account) },
	{ ROW(persistent_volume), CHECK(persistent_volume), SPEC(persistent_volume), STATUS(persistent_volume), CREATE(persistent_volume), UPDATE(persistent_volume), CLUSTER },
	{ ROW(persistent_volume_claim), CHECK(persistent_volume_claim), SPEC(persistent_volume_claim), STATUS(persistent_volume_claim), CREATE(persistent_volume_claim) },
	{ ROW(storage_class), CHECK(storage_class), CLUSTER },
	{ ROW(component_status), CLUSTER },
	{ ROW(resource_quota), CHECK(resource_quota), SPEC(resource_quota), STATUS(resource_quota) },
	{ .type = T_kube_limit_range, CHECK(limit_range), DEFAULT(limit_range) },
	{ ROW(lease), CHECK(lease) },
	{ ROW(priority_class), CHECK(priority_class), GENERATION, CLUSTER },
	{ ROW(runtime_class), CLUSTER },
	{ ROW(pod_disruption_budget), CHECK(pod_disruption_budget), .name = NAME_PATH, SPEC(pod_disruption_budget), STATUS(pod_disruption_budget), GENERATION },
	{ ROW(horizontal_pod_autoscaler), CHECK(horizontal_pod_autoscaler), SPEC(horizontal_pod_autoscaler), STATUS(horizontal_pod_autoscaler), DEFAULT(horizontal_pod_autoscaler) },
	{ .type = T_kube_autoscaling_v1_horizontal_pod_autoscaler, .table = &horizontal_pod_autoscaler_v1_table,
		SPEC(autoscaling_v1_horizontal_pod_autoscaler), STATUS(autoscaling_v1_horizontal_pod_autoscaler) },
	{ .type = T_kube_role, CHECK(role), .name = NAME_PATH },
	{ .type = T_kube_cluster_role, CHECK(cluster_role), .name = NAME_PATH, CLUSTER },
	{ ROW(role_binding), CHECK(role_binding), .name = NAME_PATH, DEFAULT(role_binding) },
	{ ROW(cluster_role_binding), CHECK(cluster_role_binding), .name = NAME_PATH, DEFAULT(cluster_role_binding), CLUSTER },
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
