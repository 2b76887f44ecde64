/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that selectors may name, beside metadata.name and metadata.namespace. */
#include "kube/kind/kind_int.h"

/* A getter of text. */
#define GET(type, id, ...) \
	static const char *type##_##id(const void *obj, char *tmp) \
	{ \
		const struct kube_##type *o = obj; \
		(void)tmp; \
		return or_empty(__VA_ARGS__); \
	}
#define GET_INT(type, id, ...) \
	static const char *type##_##id(const void *obj, char *tmp) \
	{ \
		const struct kube_##type *o = obj; \
		fmt_into(tmp, KIND_FIELD_MAX, "%d", (int)(__VA_ARGS__)); \
		return tmp; \
	}

GET(pod, node_name, o->spec.node_name)
GET(pod, restart_policy, o->spec.restart_policy)
GET(pod, scheduler_name, o->spec.scheduler_name)
GET(pod, service_account_name, o->spec.service_account_name)
GET(pod, host_network, o->spec.host_network ? "true" : "false")
GET(pod, phase, o->status.phase)
GET(pod, pod_ip, o->status.n_pod_ips ? o->status.pod_ips[0].ip : NULL)
GET(pod, nominated_node_name, o->status.nominated_node_name)
const struct kind_field pod_fields[] = {
	{ "spec.nodeName", pod_node_name }, { "spec.restartPolicy", pod_restart_policy }, { "spec.schedulerName", pod_scheduler_name },
	{ "spec.serviceAccountName", pod_service_account_name }, { "spec.hostNetwork", pod_host_network }, { "status.phase", pod_phase },
	{ "status.podIP", pod_pod_ip }, { "status.nominatedNodeName", pod_nominated_node_name }, { NULL, NULL },
};

GET(service, cluster_ip, o->spec.cluster_ip)
GET(service, type, o->spec.type)
const struct kind_field service_fields[] = { { "spec.clusterIP", service_cluster_ip }, { "spec.type", service_type }, { NULL, NULL } };

GET(node, unschedulable, o->spec.unschedulable ? "true" : "false")
const struct kind_field node_fields[] = { { "spec.unschedulable", node_unschedulable }, { NULL, NULL } };

GET(namespace, phase, o->status.phase)
GET(namespace, name, o->metadata.name)
const struct kind_field namespace_fields[] = { { "status.phase", namespace_phase }, { "name", namespace_name }, { NULL, NULL } };

GET(secret, type, o->type)
const struct kind_field secret_fields[] = { { "type", secret_type }, { NULL, NULL } };

GET_INT(replica_set, replicas, o->status.replicas)
const struct kind_field replica_set_fields[] = { { "status.replicas", replica_set_replicas }, { NULL, NULL } };
GET_INT(replication_controller, replicas, o->status.replicas)
const struct kind_field replication_controller_fields[] = { { "status.replicas", replication_controller_replicas }, { NULL, NULL } };
GET_INT(job, succeeded, o->status.succeeded)
const struct kind_field job_fields[] = { { "status.successful", job_succeeded }, { NULL, NULL } };
GET(certificate_signing_request, signer_name, o->spec.signer_name)
const struct kind_field certificate_signing_request_fields[] = { { "spec.signerName", certificate_signing_request_signer_name }, { NULL, NULL } };

GET(event, kind, o->involved_object.kind)
GET(event, object_namespace, o->involved_object.namespace)
GET(event, object_name, o->involved_object.name)
GET(event, uid, o->involved_object.uid)
GET(event, api_version, o->involved_object.api_version)
GET(event, resource_version, o->involved_object.resource_version)
GET(event, field_path, o->involved_object.field_path)
GET(event, reason, o->reason)
GET(event, reporting_component, o->reporting_component)
GET(event, source, is_set(o->source.component) ? o->source.component : o->reporting_component)
GET(event, type, o->type)
const struct kind_field event_fields[] = {
	{ "involvedObject.kind", event_kind }, { "involvedObject.namespace", event_object_namespace }, { "involvedObject.name", event_object_name },
	{ "involvedObject.uid", event_uid }, { "involvedObject.apiVersion", event_api_version },
	{ "involvedObject.resourceVersion", event_resource_version }, { "involvedObject.fieldPath", event_field_path }, { "reason", event_reason },
	{ "reportingComponent", event_reporting_component }, { "source", event_source }, { "type", event_type }, { NULL, NULL },
};

GET(events_event, kind, o->regarding.kind)
GET(events_event, object_namespace, o->regarding.namespace)
GET(events_event, object_name, o->regarding.name)
GET(events_event, uid, o->regarding.uid)
GET(events_event, api_version, o->regarding.api_version)
GET(events_event, resource_version, o->regarding.resource_version)
GET(events_event, field_path, o->regarding.field_path)
GET(events_event, reason, o->reason)
GET(events_event, reporting_controller, o->reporting_controller)
GET(events_event, type, o->type)
const struct kind_field events_event_fields[] = {
	{ "regarding.kind", events_event_kind }, { "regarding.namespace", events_event_object_namespace }, { "regarding.name", events_event_object_name },
	{ "regarding.uid", events_event_uid }, { "regarding.apiVersion", events_event_api_version },
	{ "regarding.resourceVersion", events_event_resource_version }, { "regarding.fieldPath", events_event_field_path },
	{ "reason", events_event_reason }, { "reportingController", events_event_reporting_controller }, { "type", events_event_type }, { NULL, NULL },
};

const struct kind_field *kind_fields(struct schema_ref ref)
{
	static const struct kind_field none[] = { { NULL, NULL } };
	const struct kind_row *row = kind_row(ref);
	return row && row->fields ? row->fields : none;
}
