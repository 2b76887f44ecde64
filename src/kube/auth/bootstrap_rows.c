// SPDX-License-Identifier: Apache-2.0
#include "kube/auth/bootstrap_rows.h"
#include "base/auto.h"

#define R "get,list,watch"
#define W "create,delete,deletecollection,patch,update"
#define RW "create,delete,deletecollection,get,list,patch,update,watch"
#define EVENTS "create,patch,update|,events.k8s.io|events"
#define RULES(...) (const char *const[]){ __VA_ARGS__, NULL }
#define CSR "certificates.k8s.io"
#define APPS_WRITE "daemonsets,deployments,deployments/rollback,deployments/scale,replicasets,replicasets/scale"
#define APPS_READ "daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,replicasets,replicasets/scale,replicasets/status"

const struct bootstrap_role bootstrap_roles[] = {
	{ .name = "cluster-admin", .rules = RULES("*|*|*", "*|@|*") },
	{ .name = "admin", .collects = AGGREGATE_TO_ADMIN },
	{ .name = "edit", .labels = AGGREGATE_TO_ADMIN, .collects = AGGREGATE_TO_EDIT },
	{ .name = "view", .labels = AGGREGATE_TO_EDIT, .collects = AGGREGATE_TO_VIEW },
	{ .name = "system:aggregate-to-admin", .labels = AGGREGATE_TO_ADMIN, .rules = RULES(
		"create|authorization.k8s.io|localsubjectaccessreviews",
		RW "|rbac.authorization.k8s.io|rolebindings,roles") },
	{ .name = "system:aggregate-to-edit", .labels = AGGREGATE_TO_EDIT, .rules = RULES(
		R "||pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy",
		"impersonate||serviceaccounts",
		W "||pods,pods/attach,pods/exec,pods/portforward,pods/proxy",
		"patch,update||pods/resize",
		"create||pods/eviction",
		W "||configmaps,events,persistentvolumeclaims,replicationcontrollers,replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy",
		"create||serviceaccounts/token",
		W "|apps|" APPS_WRITE ",statefulsets,statefulsets/scale",
		W "|autoscaling|horizontalpodautoscalers",
		W "|batch|cronjobs,jobs",
		W "|extensions|" APPS_WRITE ",ingresses,networkpolicies,replicationcontrollers/scale",
		W "|policy|poddisruptionbudgets",
		W "|networking.k8s.io|ingresses,networkpolicies",
		RW "|coordination.k8s.io|leases") },
	{ .name = "system:aggregate-to-view", .labels = AGGREGATE_TO_VIEW, .rules = RULES(
		R "||configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,replicationcontrollers,replicationcontrollers/scale,"
			"serviceaccounts,services,services/status",
		R "||bindings,events,limitranges,namespaces/status,pods/log,pods/status,replicationcontrollers/status,resourcequotas,resourcequotas/status",
		R "||namespaces",
		R "|discovery.k8s.io|endpointslices",
		R "|apps|controllerrevisions," APPS_READ ",statefulsets,statefulsets/scale,statefulsets/status",
		R "|autoscaling|horizontalpodautoscalers,horizontalpodautoscalers/status",
		R "|batch|cronjobs,cronjobs/status,jobs,jobs/status",
		R "|extensions|" APPS_READ ",ingresses,ingresses/status,networkpolicies,replicationcontrollers/scale",
		R "|policy|poddisruptionbudgets,poddisruptionbudgets/status",
		R "|networking.k8s.io|ingresses,ingresses/status,networkpolicies") },
	{ .name = "system:auth-delegator", .rules = RULES(
		"create|authentication.k8s.io|tokenreviews", "create|authorization.k8s.io|subjectaccessreviews") },
	{ .name = "system:basic-user", .rules = RULES(
		"create|authorization.k8s.io|selfsubjectaccessreviews,selfsubjectrulesreviews", "create|authentication.k8s.io|selfsubjectreviews") },
	{ .name = "system:certificates.k8s.io:certificatesigningrequests:nodeclient", .rules = RULES("create|" CSR "|certificatesigningrequests/nodeclient") },
	{ .name = "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
		.rules = RULES("create|" CSR "|certificatesigningrequests/selfnodeclient") },
	{ .name = "system:certificates.k8s.io:kube-apiserver-client-approver", .rules = RULES("approve|" CSR "|signers|kubernetes.io/kube-apiserver-client") },
	{ .name = "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver",
		.rules = RULES("approve|" CSR "|signers|kubernetes.io/kube-apiserver-client-kubelet") },
	{ .name = "system:certificates.k8s.io:kubelet-serving-approver", .rules = RULES("approve|" CSR "|signers|kubernetes.io/kubelet-serving") },
	{ .name = "system:certificates.k8s.io:legacy-unknown-approver", .rules = RULES("approve|" CSR "|signers|kubernetes.io/legacy-unknown") },
	{ .name = "system:discovery", .rules = RULES(
		"get|@|/api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,/version/") },
	{ .name = "system:heapster", .rules = RULES(R "||events,namespaces,nodes,pods", R "|extensions|deployments") },
	{ .name = "system:kube-aggregator", .rules = RULES(R "||endpoints,services") },
	{ .name = "system:kube-controller-manager", .rules = RULES(
		EVENTS, "create|coordination.k8s.io|leases", "get,update|coordination.k8s.io|leases|kube-controller-manager",
		"create||secrets,serviceaccounts", "delete||secrets", "get||configmaps,namespaces,secrets,serviceaccounts", "update||secrets,serviceaccounts",
		"create|authentication.k8s.io|tokenreviews", "create|authorization.k8s.io|subjectaccessreviews", "list,watch|*|*", "create||serviceaccounts/token") },
	{ .name = "system:kube-dns", .rules = RULES("list,watch||endpoints,services") },
	{ .name = "system:kube-scheduler", .rules = RULES(
		EVENTS, "create|coordination.k8s.io|leases", "get,update|coordination.k8s.io|leases|kube-scheduler", R "||nodes", "delete,get,list,watch||pods",
		"create||bindings,pods/binding", "patch,update||pods/status", R "||replicationcontrollers,services", R "|apps,extensions|replicasets",
		R "|apps|statefulsets", R "|policy|poddisruptionbudgets", R "||persistentvolumeclaims,persistentvolumes",
		"create|authentication.k8s.io|tokenreviews", "create|authorization.k8s.io|subjectaccessreviews", R "|storage.k8s.io|csinodes", R "||namespaces",
		R "|storage.k8s.io|csidrivers", R "|storage.k8s.io|csistoragecapacities") },
	{ .name = "system:kubelet-api-admin", .rules = RULES(
		R "||nodes", "proxy||nodes", "*||nodes/configz,nodes/healthz,nodes/log,nodes/metrics,nodes/pods,nodes/proxy,nodes/stats") },
	{ .name = "system:monitoring", .rules = RULES("get|@|/healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*") },
	{ .name = "system:node", .rules = RULES(
		"create|authentication.k8s.io|tokenreviews", "create|authorization.k8s.io|localsubjectaccessreviews,subjectaccessreviews", R "||services",
		"create,get,list,watch||nodes", "patch,update||nodes/status", "patch,update||nodes", "create,patch,update|,events.k8s.io|events", R "||pods",
		"create,delete||pods", "patch,update||pods/status", "create||pods/eviction", R "||configmaps,secrets",
		"get||persistentvolumeclaims,persistentvolumes", "get||endpoints", "create,get,list,watch|" CSR "|certificatesigningrequests",
		"create,delete,get,patch,update|coordination.k8s.io|leases", "get|storage.k8s.io|volumeattachments", "create||serviceaccounts/token",
		"get,patch,update||persistentvolumeclaims/status", R "|storage.k8s.io|csidrivers", "create,delete,get,patch,update|storage.k8s.io|csinodes",
		R "|node.k8s.io|runtimeclasses") },
	{ .name = "system:node-bootstrapper", .rules = RULES("create,get,list,watch|" CSR "|certificatesigningrequests") },
	{ .name = "system:node-problem-detector", .rules = RULES("get||nodes", "patch||nodes/status", EVENTS) },
	{ .name = "system:node-proxier", .rules = RULES(
		"list,watch||endpoints,services", R "||nodes", EVENTS, "list,watch|discovery.k8s.io|endpointslices", "list,watch|networking.k8s.io|servicecidrs") },
	{ .name = "system:persistent-volume-provisioner", .rules = RULES(
		"create,delete,get,list,watch||persistentvolumes", "get,list,update,watch||persistentvolumeclaims", R "|storage.k8s.io|storageclasses",
		"watch||events", EVENTS) },
	{ .name = "system:public-info-viewer", .rules = RULES("get|@|/healthz,/livez,/readyz,/version,/version/") },
	{ .name = "system:service-account-issuer-discovery", .rules = RULES("get|@|/.well-known/openid-configuration,/.well-known/openid-configuration/,"
		"/openid/v1/jwks,/openid/v1/jwks/") },
	{ .name = "system:volume-scheduler", .rules = RULES(
		"get,list,patch,update,watch||persistentvolumes", R "|storage.k8s.io|storageclasses", "get,list,patch,update,watch||persistentvolumeclaims") },
	{ .ns = "kube-public", .name = "system:controller:bootstrap-signer", .rules = RULES(R "||configmaps", "update||configmaps|cluster-info", EVENTS) },
	{ .ns = "kube-system", .name = "extension-apiserver-authentication-reader", .rules = RULES(R "||configmaps|extension-apiserver-authentication") },
	{ .ns = "kube-system", .name = "system::leader-locking-kube-controller-manager", .rules = RULES(
		"create,get,list,update,watch|coordination.k8s.io|leases", "create,get,list,update,watch|coordination.k8s.io|leasecandidates") },
	{ .ns = "kube-system", .name = "system::leader-locking-kube-scheduler", .rules = RULES(
		"create,get,list,update,watch|coordination.k8s.io|leases", "create,get,list,update,watch|coordination.k8s.io|leasecandidates") },
	{ .ns = "kube-system", .name = "system:controller:bootstrap-signer", .rules = RULES(R "||secrets") },
	{ .ns = "kube-system", .name = "system:controller:cloud-provider", .rules = RULES("create,get,list,watch||configmaps") },
	{ .ns = "kube-system", .name = "system:controller:token-cleaner", .rules = RULES("delete,get,list,watch||secrets", EVENTS) },
};
const size_t n_bootstrap_roles = ARRAY_LEN(bootstrap_roles);

const struct bootstrap_binding bootstrap_bindings[] = {
	{ .name = "cluster-admin", .role = "cluster-admin", .subjects = RULES("Group system:masters") },
	{ .name = "system:monitoring", .role = "system:monitoring", .subjects = RULES("Group system:monitoring") },
	{ .name = "system:discovery", .role = "system:discovery", .subjects = RULES("Group system:authenticated") },
	{ .name = "system:public-info-viewer", .role = "system:public-info-viewer", .subjects = RULES("Group system:authenticated", "Group system:unauthenticated") },
	{ .name = "system:basic-user", .role = "system:basic-user", .subjects = RULES("Group system:authenticated") },
	{ .name = "system:node-proxier", .role = "system:node-proxier", .subjects = RULES("User system:kube-proxy") },
	{ .name = "system:kube-controller-manager", .role = "system:kube-controller-manager", .subjects = RULES("User system:kube-controller-manager") },
	{ .name = "system:kube-dns", .role = "system:kube-dns", .subjects = RULES("ServiceAccount kube-system kube-dns") },
	{ .name = "system:kube-scheduler", .role = "system:kube-scheduler", .subjects = RULES("User system:kube-scheduler") },
	{ .name = "system:volume-scheduler", .role = "system:volume-scheduler", .subjects = RULES("User system:kube-scheduler") },
	{ .name = "system:node", .role = "system:node" },
	{ .name = "system:service-account-issuer-discovery", .role = "system:service-account-issuer-discovery", .subjects = RULES("Group system:serviceaccounts") },
	{ .ns = "kube-public", .name = "system:controller:bootstrap-signer", .role = "system:controller:bootstrap-signer",
		.subjects = RULES("ServiceAccount kube-system bootstrap-signer") },
	{ .ns = "kube-system", .name = "system::extension-apiserver-authentication-reader", .role = "extension-apiserver-authentication-reader",
		.subjects = RULES("User system:kube-controller-manager", "User system:kube-scheduler") },
	{ .ns = "kube-system", .name = "system::leader-locking-kube-controller-manager", .role = "system::leader-locking-kube-controller-manager",
		.subjects = RULES("User system:kube-controller-manager", "ServiceAccount kube-system kube-controller-manager",
			"ServiceAccount kube-system leader-election-controller") },
	{ .ns = "kube-system", .name = "system::leader-locking-kube-scheduler", .role = "system::leader-locking-kube-scheduler",
		.subjects = RULES("User system:kube-scheduler", "ServiceAccount kube-system kube-scheduler") },
	{ .ns = "kube-system", .name = "system:controller:bootstrap-signer", .role = "system:controller:bootstrap-signer",
		.subjects = RULES("ServiceAccount kube-system bootstrap-signer") },
	{ .ns = "kube-system", .name = "system:controller:cloud-provider", .role = "system:controller:cloud-provider",
		.subjects = RULES("ServiceAccount kube-system cloud-provider") },
	{ .ns = "kube-system", .name = "system:controller:token-cleaner", .role = "system:controller:token-cleaner",
		.subjects = RULES("ServiceAccount kube-system token-cleaner") },
};
const size_t n_bootstrap_bindings = ARRAY_LEN(bootstrap_bindings);

#define REVISIONS "create,delete,get,list,patch,update,watch|apps|controllerrevisions"
const struct bootstrap_controller bootstrap_controllers[] = {
	{ "attachdetach-controller", RULES("list,watch||persistentvolumeclaims,persistentvolumes", R "||nodes", "patch,update||nodes/status", "list,watch||pods",
		EVENTS, "create,delete,get,list,watch|storage.k8s.io|volumeattachments", R "|storage.k8s.io|csidrivers", R "|storage.k8s.io|csinodes") },
	{ "certificate-controller", RULES("delete,get,list,watch|" CSR "|certificatesigningrequests",
		"update|" CSR "|certificatesigningrequests/approval,certificatesigningrequests/status",
		"approve|" CSR "|signers|kubernetes.io/kube-apiserver-client-kubelet",
		"sign|" CSR "|signers|kubernetes.io/kube-apiserver-client,kubernetes.io/kube-apiserver-client-kubelet,kubernetes.io/kubelet-serving,"
			"kubernetes.io/legacy-unknown", "create|authorization.k8s.io|subjectaccessreviews", EVENTS) },
	{ "clusterrole-aggregation-controller", RULES("escalate,get,list,patch,update,watch|rbac.authorization.k8s.io|clusterroles") },
	{ "cronjob-controller", RULES("get,list,update,watch|batch|cronjobs", "create,delete,get,list,patch,update,watch|batch|jobs",
		"update|batch|cronjobs/status", "update|batch|cronjobs/finalizers", "delete,list,watch||pods", EVENTS) },
	{ "daemon-set-controller", RULES(R "|apps,extensions|daemonsets", "update|apps,extensions|daemonsets/status",
		"update|apps,extensions|daemonsets/finalizers", "list,watch||nodes", "create,delete,list,patch,watch||pods", "create||pods/binding", REVISIONS, EVENTS) },
	{ "deployment-controller", RULES("get,list,update,watch|apps,extensions|deployments", "update|apps,extensions|deployments/status",
		"update|apps,extensions|deployments/finalizers", "create,delete,get,list,patch,update,watch|apps,extensions|replicasets",
		"get,list,update,watch||pods", EVENTS) },
	{ "disruption-controller", RULES(R "|apps,extensions|deployments", R "|apps,extensions|replicasets", R "||replicationcontrollers",
		R "|policy|poddisruptionbudgets", R "|apps|statefulsets", "update|policy|poddisruptionbudgets/status", "patch,update||pods/status", "get|*|*/scale",
		EVENTS) },
	{ "endpoint-controller", RULES(R "||pods,services", "create,delete,get,list,update,watch||endpoints", "create||endpoints/restricted", EVENTS) },
	{ "endpointslice-controller", RULES(R "||nodes,pods,services", "update||services/finalizers",
		"create,delete,get,list,update,watch|discovery.k8s.io|endpointslices", EVENTS) },
	{ "endpointslicemirroring-controller", RULES(R "||endpoints,services", "update||services/finalizers", "update||endpoints/finalizers",
		"create,delete,get,list,update,watch|discovery.k8s.io|endpointslices", EVENTS) },
	{ "ephemeral-volume-controller", RULES(R "||pods", "update||pods/finalizers", "create,get,list,watch||persistentvolumeclaims", EVENTS) },
	{ "expand-controller", RULES("get,list,patch,update,watch||persistentvolumes", "patch,update||persistentvolumeclaims/status",
		R "||persistentvolumeclaims", EVENTS) },
	{ "generic-garbage-collector", RULES("delete,get,list,patch,update,watch|*|*", EVENTS) },
	{ "horizontal-pod-autoscaler", RULES(R "|autoscaling|horizontalpodautoscalers", "update|autoscaling|horizontalpodautoscalers/status",
		"get,update|*|*/scale", "list,watch||pods", "list,watch|metrics.k8s.io|pods", R "|custom.metrics.k8s.io|*", R "|external.metrics.k8s.io|*", EVENTS) },
	{ "job-controller", RULES("get,list,patch,update,watch|batch|jobs", "update|batch|jobs/status", "update|batch|jobs/finalizers",
		"create,delete,list,patch,watch||pods", EVENTS) },
	{ "legacy-service-account-token-cleaner", RULES("get||configmaps|kube-apiserver-legacy-service-account-token-tracking", "delete,patch||secrets") },
	{ "namespace-controller", RULES("delete,get,list,watch||namespaces", "update||namespaces/finalize,namespaces/status",
		"delete,deletecollection,get,list,watch|*|*") },
	{ "node-controller", RULES("delete,get,list,patch,update,watch||nodes", "patch,update||nodes/status", "patch,update||pods/status",
		"delete,get,list,watch||pods", EVENTS) },
	{ "persistent-volume-binder", RULES("create,delete,get,list,update,watch||persistentvolumes", "update||persistentvolumes/status",
		"get,list,update,watch||persistentvolumeclaims", "update||persistentvolumeclaims/status", "create,delete,get,list,watch||pods",
		R "|storage.k8s.io|storageclasses", "list,watch||nodes", EVENTS, "watch||events") },
	{ "pod-garbage-collector", RULES("delete,list,watch||pods", R "||nodes", "patch||pods/status") },
	{ "pv-protection-controller", RULES("get,list,update,watch||persistentvolumes", EVENTS) },
	{ "pvc-protection-controller", RULES("get,list,update,watch||persistentvolumeclaims", "update||persistentvolumeclaims/status", R "||pods", EVENTS) },
	{ "replicaset-controller", RULES("get,list,update,watch|apps,extensions|replicasets", "update|apps,extensions|replicasets/status",
		"update|apps,extensions|replicasets/finalizers", "create,delete,list,patch,watch||pods", EVENTS) },
	{ "replication-controller", RULES("get,list,update,watch||replicationcontrollers", "update||replicationcontrollers/status",
		"update||replicationcontrollers/finalizers", "create,delete,list,patch,watch||pods", EVENTS) },
	{ "resourcequota-controller", RULES("list,watch|*|*", "update||resourcequotas/status", EVENTS) },
	{ "root-ca-cert-publisher", RULES("create,update||configmaps", EVENTS) },
	{ "route-controller", RULES("list,watch||nodes", "patch||nodes/status", EVENTS) },
	{ "service-account-controller", RULES("create||serviceaccounts", EVENTS) },
	{ "service-cidrs-controller", RULES("get,list,patch,update,watch|networking.k8s.io|servicecidrs", "patch,update|networking.k8s.io|servicecidrs/finalizers",
		"patch,update|networking.k8s.io|servicecidrs/status", R "|networking.k8s.io|ipaddresses", EVENTS) },
	{ "service-controller", RULES(R "||services", "patch,update||services/status", "list,watch||nodes", EVENTS) },
	{ "statefulset-controller", RULES("list,watch||pods", R "|apps|statefulsets", "update|apps|statefulsets/status", "update|apps|statefulsets/finalizers",
		"create,delete,get,patch,update||pods", REVISIONS, "create,get,list,watch||persistentvolumeclaims", "delete,update||persistentvolumeclaims",
		"update||pods/finalizers", EVENTS) },
	{ "ttl-after-finished-controller", RULES("delete,get,list,watch|batch|jobs", EVENTS) },
	{ "ttl-controller", RULES("list,patch,update,watch||nodes", EVENTS) },
	{ "validatingadmissionpolicy-status-controller", RULES(R "|admissionregistration.k8s.io|validatingadmissionpolicies",
		"get,patch,update|admissionregistration.k8s.io|validatingadmissionpolicies/status", EVENTS) },
};
const size_t n_bootstrap_controllers = ARRAY_LEN(bootstrap_controllers);
