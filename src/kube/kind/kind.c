/* SPDX-License-Identifier: Apache-2.0 */
/* One row a kind. To add a kind: a row here, and the functions it names in the file of its theme. */
#include "kube/kind/kind_int.h"

/* The members of kinds that have a specification and a status. */
#define SPEC(x) .spec = T_kube_##x##_spec, .spec_at = offsetof(struct kube_##x, spec)
#define STATUS(x) .status_at = offsetof(struct kube_##x, status), .status_size = sizeof(((struct kube_##x *)0)->status)
#define ROW(x) .type = T_kube_##x, .table = &x##_table

static const struct kind_row rows[] = {
	{ ROW(pod), SPEC(pod), STATUS(pod) },
	{ ROW(pod_template) },
	{ ROW(replication_controller), SPEC(replication_controller), STATUS(replication_controller) },
	{ ROW(replica_set), SPEC(replica_set), STATUS(replica_set) },
	{ ROW(deployment), SPEC(deployment), STATUS(deployment) },
	{ ROW(stateful_set), SPEC(stateful_set), STATUS(stateful_set) },
	{ ROW(daemon_set), SPEC(daemon_set), STATUS(daemon_set) },
	{ ROW(controller_revision) },
	{ ROW(job), SPEC(job), STATUS(job) },
	{ ROW(cron_job), SPEC(cron_job), STATUS(cron_job) },
	{ ROW(service), STATUS(service) },
	{ ROW(endpoints) },
	{ ROW(endpoint_slice) },
	{ ROW(ingress), SPEC(ingress), STATUS(ingress) },
	{ ROW(ingress_class), SPEC(ingress_class), .is_cluster = true },
	{ ROW(node), STATUS(node), .is_cluster = true },
	{ ROW(namespace), STATUS(namespace), .is_cluster = true },
	{ ROW(event) },
	{ ROW(events_event) },
	{ ROW(secret) },
	{ ROW(config_map) },
	{ ROW(service_account) },
	{ ROW(persistent_volume), STATUS(persistent_volume), .is_cluster = true },
	{ ROW(persistent_volume_claim), STATUS(persistent_volume_claim) },
	{ ROW(storage_class), .is_cluster = true },
	{ ROW(component_status), .is_cluster = true },
	{ ROW(resource_quota), STATUS(resource_quota) },
	{ ROW(lease) },
	{ ROW(priority_class), .is_cluster = true },
	{ ROW(runtime_class), .is_cluster = true },
	{ ROW(pod_disruption_budget), SPEC(pod_disruption_budget), STATUS(pod_disruption_budget) },
	{ ROW(horizontal_pod_autoscaler), STATUS(horizontal_pod_autoscaler) },
	{ .type = T_kube_autoscaling_v1_horizontal_pod_autoscaler, .table = &horizontal_pod_autoscaler_v1_table, STATUS(autoscaling_v1_horizontal_pod_autoscaler) },
	{ ROW(role_binding) },
	{ ROW(cluster_role_binding), .is_cluster = true },
	{ ROW(certificate_signing_request), STATUS(certificate_signing_request), .is_cluster = true },
	{ ROW(scale) },
};

const struct kind_row *kind_row(struct schema_ref ref)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].type.type == ref.type && ref.domain == &schema_kube)
			return &rows[i];
	return NULL;
}
