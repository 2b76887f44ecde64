/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/meta/resource.h"

#include <stdio.h>
#include <string.h>

#include "api/kube.h"
#include "base/auto.h"
#include "kube/meta/user.h"

/* The generated T_kube_… are expressions; a table wants initialisers. */
#define REF(name) T_kube_##name

const struct kube_resource kube_resources[] = {
	{ "", "v1", "bindings", "binding", "Binding", true, KV_CREATE, NULL, NULL,
		REF(binding), { 0 } },
	{ "", "v1", "componentstatuses", "componentstatus", "ComponentStatus", false, KV_GET | KV_LIST, (const char *const[]){ "cs", NULL }, NULL,
		REF(component_status), REF(component_status_list) },
	{ "", "v1", "configmaps", "configmap", "ConfigMap", true, KV_ALL, (const char *const[]){ "cm", NULL }, NULL,
		REF(config_map), REF(config_map_list) },
	{ "", "v1", "endpoints", "endpoints", "Endpoints", true, KV_ALL, (const char *const[]){ "ep", NULL }, NULL,
		REF(endpoints), REF(endpoints_list) },
	{ "", "v1", "events", "event", "Event", true, KV_ALL, (const char *const[]){ "ev", NULL }, NULL,
		REF(event), REF(event_list) },
	{ "", "v1", "limitranges", "limitrange", "LimitRange", true, KV_ALL, (const char *const[]){ "limits", NULL }, NULL,
		REF(limit_range), REF(limit_range_list) },
	{ "", "v1", "namespaces", "namespace", "Namespace", false, KV_ALL & ~KV_DELETECOLLECTION, (const char *const[]){ "ns", NULL }, NULL,
		REF(namespace), REF(namespace_list) },
	{ "", "v1", "nodes", "node", "Node", false, KV_ALL, (const char *const[]){ "no", NULL }, NULL,
		REF(node), REF(node_list) },
	{ "", "v1", "persistentvolumeclaims", "persistentvolumeclaim", "PersistentVolumeClaim", true, KV_ALL, (const char *const[]){ "pvc", NULL }, NULL,
		REF(persistent_volume_claim), REF(persistent_volume_claim_list) },
	{ "", "v1", "persistentvolumes", "persistentvolume", "PersistentVolume", false, KV_ALL, (const char *const[]){ "pv", NULL }, NULL,
		REF(persistent_volume), REF(persistent_volume_list) },
	{ "", "v1", "pods", "pod", "Pod", true, KV_ALL, (const char *const[]){ "po", NULL }, "all",
		REF(pod), REF(pod_list) },
	{ "", "v1", "podtemplates", "podtemplate", "PodTemplate", true, KV_ALL, NULL, NULL,
		REF(pod_template), REF(pod_template_list) },
	{ "", "v1", "replicationcontrollers", "replicationcontroller", "ReplicationController", true, KV_ALL, (const char *const[]){ "rc", NULL }, "all",
		REF(replication_controller), REF(replication_controller_list) },
	{ "", "v1", "resourcequotas", "resourcequota", "ResourceQuota", true, KV_ALL, (const char *const[]){ "quota", NULL }, NULL,
		REF(resource_quota), REF(resource_quota_list) },
	{ "", "v1", "secrets", "secret", "Secret", true, KV_ALL, NULL, NULL,
		REF(secret), REF(secret_list) },
	{ "", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount", true, KV_ALL, (const char *const[]){ "sa", NULL }, NULL,
		REF(service_account), REF(service_account_list) },
	{ "", "v1", "services", "service", "Service", true, KV_ALL, (const char *const[]){ "svc", NULL }, "all",
		REF(service), REF(service_list) },
	{ "apps", "v1", "controllerrevisions", "controllerrevision", "ControllerRevision", true, KV_ALL, NULL, NULL,
		REF(controller_revision), REF(controller_revision_list) },
	{ "apps", "v1", "daemonsets", "daemonset", "DaemonSet", true, KV_ALL, (const char *const[]){ "ds", NULL }, "all",
		REF(daemon_set), REF(daemon_set_list) },
	{ "apps", "v1", "deployments", "deployment", "Deployment", true, KV_ALL, (const char *const[]){ "deploy", NULL }, "all",
		REF(deployment), REF(deployment_list) },
	{ "apps", "v1", "replicasets", "replicaset", "ReplicaSet", true, KV_ALL, (const char *const[]){ "rs", NULL }, "all",
		REF(replica_set), REF(replica_set_list) },
	{ "apps", "v1", "statefulsets", "statefulset", "StatefulSet", true, KV_ALL, (const char *const[]){ "sts", NULL }, "all",
		REF(stateful_set), REF(stateful_set_list) },
	{ "events.k8s.io", "v1", "events", "event", "Event", true, KV_ALL, (const char *const[]){ "ev", NULL }, NULL,
		REF(events_event), REF(events_event_list), "", "v1" },
	{ "authentication.k8s.io", "v1", "selfsubjectreviews", "selfsubjectreview", "SelfSubjectReview", false, KV_CREATE, NULL, NULL,
		REF(self_subject_review), { 0 } },
	{ "authentication.k8s.io", "v1", "tokenreviews", "tokenreview", "TokenReview", false, KV_CREATE, NULL, NULL,
		REF(token_review), { 0 } },
	{ "authorization.k8s.io", "v1", "localsubjectaccessreviews", "localsubjectaccessreview", "LocalSubjectAccessReview", true, KV_CREATE, NULL, NULL,
		REF(local_subject_access_review), { 0 } },
	{ "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "selfsubjectaccessreview", "SelfSubjectAccessReview", false, KV_CREATE, NULL, NULL,
		REF(self_subject_access_review), { 0 } },
	{ "authorization.k8s.io", "v1", "selfsubjectrulesreviews", "selfsubjectrulesreview", "SelfSubjectRulesReview", false, KV_CREATE, NULL, NULL,
		REF(self_subject_rules_review), { 0 } },
	{ "authorization.k8s.io", "v1", "subjectaccessreviews", "subjectaccessreview", "SubjectAccessReview", false, KV_CREATE, NULL, NULL,
		REF(subject_access_review), { 0 } },
	{ "autoscaling", "v2", "horizontalpodautoscalers", "horizontalpodautoscaler", "HorizontalPodAutoscaler", true, KV_ALL, (const char *const[]){ "hpa", NULL }, "all",
		REF(horizontal_pod_autoscaler), REF(horizontal_pod_autoscaler_list) },
	{ "autoscaling", "v1", "horizontalpodautoscalers", "horizontalpodautoscaler", "HorizontalPodAutoscaler", true, KV_ALL, (const char *const[]){ "hpa", NULL }, "all",
		REF(autoscaling_v1_horizontal_pod_autoscaler), REF(autoscaling_v1_horizontal_pod_autoscaler_list), "autoscaling", "v2" },
	{ "batch", "v1", "cronjobs", "cronjob", "CronJob", true, KV_ALL, (const char *const[]){ "cj", NULL }, "all",
		REF(cron_job), REF(cron_job_list) },
	{ "batch", "v1", "jobs", "job", "Job", true, KV_ALL, NULL, "all",
		REF(job), REF(job_list) },
	{ "certificates.k8s.io", "v1", "certificatesigningrequests", "certificatesigningrequest", "CertificateSigningRequest", false, KV_ALL, (const char *const[]){ "csr", NULL }, NULL,
		REF(certificate_signing_request), REF(certificate_signing_request_list) },
	{ "networking.k8s.io", "v1", "ingressclasses", "ingressclass", "IngressClass", false, KV_ALL, NULL, NULL,
		REF(ingress_class), REF(ingress_class_list) },
	{ "networking.k8s.io", "v1", "ingresses", "ingress", "Ingress", true, KV_ALL, (const char *const[]){ "ing", NULL }, NULL,
		REF(ingress), REF(ingress_list) },
	{ "policy", "v1", "poddisruptionbudgets", "poddisruptionbudget", "PodDisruptionBudget", true, KV_ALL, (const char *const[]){ "pdb", NULL }, NULL,
		REF(pod_disruption_budget), REF(pod_disruption_budget_list) },
	{ "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "clusterrolebinding", "ClusterRoleBinding", false, KV_ALL, NULL, NULL,
		REF(cluster_role_binding), REF(cluster_role_binding_list) },
	{ "rbac.authorization.k8s.io", "v1", "clusterroles", "clusterrole", "ClusterRole", false, KV_ALL, NULL, NULL,
		REF(cluster_role), REF(cluster_role_list) },
	{ "rbac.authorization.k8s.io", "v1", "rolebindings", "rolebinding", "RoleBinding", true, KV_ALL, NULL, NULL,
		REF(role_binding), REF(role_binding_list) },
	{ "rbac.authorization.k8s.io", "v1", "roles", "role", "Role", true, KV_ALL, NULL, NULL,
		REF(role), REF(role_list) },
	{ "storage.k8s.io", "v1", "storageclasses", "storageclass", "StorageClass", false, KV_ALL, (const char *const[]){ "sc", NULL }, NULL,
		REF(storage_class), REF(storage_class_list) },
	{ "apiextensions.k8s.io", "v1", "customresourcedefinitions", "customresourcedefinition", "CustomResourceDefinition", false, KV_ALL, (const char *const[]){ "crd", "crds", NULL }, "api-extensions",
		REF(custom_resource_definition), REF(custom_resource_definition_list) },
	{ "scheduling.k8s.io", "v1", "priorityclasses", "priorityclass", "PriorityClass", false, KV_ALL, (const char *const[]){ "pc", NULL }, NULL,
		REF(priority_class), REF(priority_class_list) },
	{ "coordination.k8s.io", "v1", "leases", "lease", "Lease", true, KV_ALL, NULL, NULL,
		REF(lease), REF(lease_list) },
	{ "node.k8s.io", "v1", "runtimeclasses", "runtimeclass", "RuntimeClass", false, KV_ALL, NULL, NULL,
		REF(runtime_class), REF(runtime_class_list) },
	{ "discovery.k8s.io", "v1", "endpointslices", "endpointslice", "EndpointSlice", true, KV_ALL, NULL, NULL,
		REF(endpoint_slice), REF(endpoint_slice_list) },
};
const unsigned n_kube_resources = ARRAY_LEN(kube_resources);

const struct kube_subresource kube_subresources[] = {
	{ "", "v1", "namespaces", "finalize", KV_UPDATE, "", "v1", "Namespace", REF(namespace) },
	{ "", "v1", "namespaces", "status", KV_GPU, "", "v1", "Namespace", REF(namespace) },
	{ "", "v1", "nodes", "proxy", KV_CREATE | KV_DELETE | KV_GET | KV_PATCH | KV_UPDATE, "", "v1", "NodeProxyOptions", REF(node_proxy_options) },
	{ "", "v1", "nodes", "status", KV_GPU, "", "v1", "Node", REF(node) },
	{ "", "v1", "persistentvolumeclaims", "status", KV_GPU, "", "v1", "PersistentVolumeClaim", REF(persistent_volume_claim) },
	{ "", "v1", "persistentvolumes", "status", KV_GPU, "", "v1", "PersistentVolume", REF(persistent_volume) },
	{ "", "v1", "pods", "attach", KV_CREATE | KV_GET, "", "v1", "PodAttachOptions", REF(pod_attach_options) },
	{ "", "v1", "pods", "binding", KV_CREATE, "", "v1", "Binding", REF(binding) },
	{ "", "v1", "pods", "ephemeralcontainers", KV_GPU, "", "v1", "Pod", REF(pod) },
	{ "", "v1", "pods", "eviction", KV_CREATE, "policy", "v1", "Eviction", REF(eviction) },
	{ "", "v1", "pods", "exec", KV_CREATE | KV_GET, "", "v1", "PodExecOptions", REF(pod_exec_options) },
	{ "", "v1", "pods", "log", KV_GET, "", "v1", "Pod", REF(pod) },
	{ "", "v1", "pods", "portforward", KV_CREATE | KV_GET, "", "v1", "PodPortForwardOptions", REF(pod_port_forward_options) },
	{ "", "v1", "pods", "proxy", KV_CREATE | KV_DELETE | KV_GET | KV_PATCH | KV_UPDATE, "", "v1", "PodProxyOptions", REF(pod_proxy_options) },
	{ "", "v1", "pods", "resize", KV_GPU, "", "v1", "Pod", REF(pod) },
	{ "", "v1", "pods", "status", KV_GPU, "", "v1", "Pod", REF(pod) },
	{ "", "v1", "replicationcontrollers", "scale", KV_GPU, "autoscaling", "v1", "Scale", REF(scale) },
	{ "", "v1", "replicationcontrollers", "status", KV_GPU, "", "v1", "ReplicationController", REF(replication_controller) },
	{ "", "v1", "resourcequotas", "status", KV_GPU, "", "v1", "ResourceQuota", REF(resource_quota) },
	{ "", "v1", "serviceaccounts", "token", KV_CREATE, "authentication.k8s.io", "v1", "TokenRequest", REF(token_request) },
	{ "", "v1", "services", "proxy", KV_CREATE | KV_DELETE | KV_GET | KV_PATCH | KV_UPDATE, "", "v1", "ServiceProxyOptions", REF(service_proxy_options) },
	{ "", "v1", "services", "status", KV_GPU, "", "v1", "Service", REF(service) },
	{ "apps", "v1", "daemonsets", "status", KV_GPU, "apps", "v1", "DaemonSet", REF(daemon_set) },
	{ "apps", "v1", "deployments", "scale", KV_GPU, "autoscaling", "v1", "Scale", REF(scale) },
	{ "apps", "v1", "deployments", "status", KV_GPU, "apps", "v1", "Deployment", REF(deployment) },
	{ "apps", "v1", "replicasets", "scale", KV_GPU, "autoscaling", "v1", "Scale", REF(scale) },
	{ "apps", "v1", "replicasets", "status", KV_GPU, "apps", "v1", "ReplicaSet", REF(replica_set) },
	{ "apps", "v1", "statefulsets", "scale", KV_GPU, "autoscaling", "v1", "Scale", REF(scale) },
	{ "apps", "v1", "statefulsets", "status", KV_GPU, "apps", "v1", "StatefulSet", REF(stateful_set) },
	{ "autoscaling", "v2", "horizontalpodautoscalers", "status", KV_GPU, "autoscaling", "v2", "HorizontalPodAutoscaler", REF(horizontal_pod_autoscaler) },
	{ "autoscaling", "v1", "horizontalpodautoscalers", "status", KV_GPU, "autoscaling", "v1", "HorizontalPodAutoscaler", REF(autoscaling_v1_horizontal_pod_autoscaler) },
	{ "batch", "v1", "cronjobs", "status", KV_GPU, "batch", "v1", "CronJob", REF(cron_job) },
	{ "batch", "v1", "jobs", "status", KV_GPU, "batch", "v1", "Job", REF(job) },
	{ "certificates.k8s.io", "v1", "certificatesigningrequests", "approval", KV_GPU, "certificates.k8s.io", "v1", "CertificateSigningRequest", REF(certificate_signing_request) },
	{ "certificates.k8s.io", "v1", "certificatesigningrequests", "status", KV_GPU, "certificates.k8s.io", "v1", "CertificateSigningRequest", REF(certificate_signing_request) },
	{ "networking.k8s.io", "v1", "ingresses", "status", KV_GPU, "networking.k8s.io", "v1", "Ingress", REF(ingress) },
	{ "policy", "v1", "poddisruptionbudgets", "status", KV_GPU, "policy", "v1", "PodDisruptionBudget", REF(pod_disruption_budget) },
	{ "apiextensions.k8s.io", "v1", "customresourcedefinitions", "status", KV_GPU, "apiextensions.k8s.io", "v1", "CustomResourceDefinition", REF(custom_resource_definition) },
};
const unsigned n_kube_subresources = ARRAY_LEN(kube_subresources);

const struct kube_group_version kube_group_versions[] = {
	{ "", "v1" },
	{ "apps", "v1" },
	{ "events.k8s.io", "v1" },
	{ "authentication.k8s.io", "v1" },
	{ "authorization.k8s.io", "v1" },
	{ "autoscaling", "v2" },
	{ "autoscaling", "v1" },
	{ "batch", "v1" },
	{ "certificates.k8s.io", "v1" },
	{ "networking.k8s.io", "v1" },
	{ "policy", "v1" },
	{ "rbac.authorization.k8s.io", "v1" },
	{ "storage.k8s.io", "v1" },
	{ "apiextensions.k8s.io", "v1" },
	{ "scheduling.k8s.io", "v1" },
	{ "coordination.k8s.io", "v1" },
	{ "node.k8s.io", "v1" },
	{ "discovery.k8s.io", "v1" },
};
const unsigned n_kube_group_versions = ARRAY_LEN(kube_group_versions);

const struct kube_resource *kube_resource_find(const char *group, const char *version, const char *plural)
{
	for (unsigned i = 0; i < n_kube_resources; i++) {
		const struct kube_resource *r = &kube_resources[i];
		if (!strcmp(r->plural, plural) && !strcmp(r->group, group) && !strcmp(r->version, version))
			return r;
	}
	return NULL;
}

const struct kube_resource *kube_resource_of_kind(const char *group, const char *version, const char *kind)
{
	for (unsigned i = 0; i < n_kube_resources; i++) {
		const struct kube_resource *r = &kube_resources[i];
		if (!strcmp(r->kind, kind) && !strcmp(r->group, group) && !strcmp(r->version, version))
			return r;
	}
	return NULL;
}

const struct kube_subresource *kube_subresource_find(const struct kube_resource *r, const char *name)
{
	for (unsigned i = 0; i < n_kube_subresources; i++) {
		const struct kube_subresource *s = &kube_subresources[i];
		if (!strcmp(s->name, name) && !strcmp(s->plural, r->plural) && !strcmp(s->group, r->group) && !strcmp(s->version, r->version))
			return s;
	}
	return NULL;
}

const char *kube_group_version_text(const char *group, const char *version, char *buf, size_t n)
{
	snprintf(buf, n, "%s%s%s", group, *group ? "/" : "", version);
	return buf;
}

const char *kube_resource_text(const struct kube_resource *r, char *buf, size_t n)
{
	snprintf(buf, n, "%s%s%s", r->plural, *r->group ? "." : "", r->group);
	return buf;
}

void kube_resource_path(const struct kube_resource *r, const char *namespace_, const char *name, const char *sub, struct buf *out)
{
	buf_addf(out, *r->group ? "/apis/%s/%s" : "/api%s/%s", r->group, r->version);
	if (r->namespaced && namespace_ && *namespace_)
		buf_addf(out, "/namespaces/%s", namespace_);
	buf_addf(out, "/%s", r->plural);
	if (name && *name)
		buf_addf(out, "/%s", name);
	if (sub && *sub)
		buf_addf(out, "/%s", sub);
}

bool kube_user_in_group(const struct kube_user *u, const char *group)
{
	for (size_t i = 0; i < u->n_groups; i++)
		if (!strcmp(u->groups[i], group))
			return true;
	return false;
}
