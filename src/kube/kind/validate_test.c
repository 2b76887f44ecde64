/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kind/kind.h"

#include "base/auto.h"
#include "base/test.h"

static struct arena a = { .max_bytes = 256 << 20 };
static struct err e;

static void *object(struct schema_ref t, const char *json)
{
	void *obj = arena_alloc(&a, schema_size(t));
	CHECK_OK(schema_from_json(t, slice_of(json), SCHEMA_STRICT, &a, obj, &e), &e);
	CHECK_INT(kind_default(t, &a, obj), 0);
	return obj;
}

/* What is wrong, a line each. */
static const char *faults(struct schema_ref t, const void *obj, const void *old)
{
	static struct kind_problems p;
	struct buf b = BUF_INIT(1 << 20);
	p = (struct kind_problems){ .a = &a };
	kind_validate(t, KIND_SPEC, obj, old, &p);
	for (unsigned i = 0; i < p.n; i++)
		buf_addf(&b, "%s%s: %s", i ? "\n" : "", p.v[i].field, p.v[i].message);
	return buf_take(&b);
}

static const char *wrong(struct schema_ref t, const char *json)
{
	return faults(t, object(t, json), NULL);
}

#define META "\"metadata\":{\"name\":\"x\",\"namespace\":\"d\"}"
#define POD(spec) "{" META ",\"spec\":{" spec "}}"
#define C "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]"
#define POD_C(members) POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\"," members "}]")
#define LABEL_TEXT "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric " \
	"character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
#define SUBDOMAIN_TEXT "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an " \
	"alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
#define KEY_TEXT "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or " \
	"'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"

TEST(a_usual_object_of_each_kind_is_valid)
{
	static const char template[] = "\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{" C "}}";
	CHECK_STR(wrong(T_kube_pod, POD(C)), "");
	CHECK_STR(wrong(T_kube_deployment, arena_fmt(&a, "{" META ",\"spec\":{%s}}", template)), "");
	CHECK_STR(wrong(T_kube_replica_set, arena_fmt(&a, "{" META ",\"spec\":{%s}}", template)), "");
	CHECK_STR(wrong(T_kube_daemon_set, arena_fmt(&a, "{" META ",\"spec\":{%s}}", template)), "");
	CHECK_STR(wrong(T_kube_stateful_set, arena_fmt(&a, "{" META ",\"spec\":{\"serviceName\":\"s\",%s}}", template)), "");
	CHECK_STR(wrong(T_kube_service, "{" META ",\"spec\":{\"ports\":[{\"port\":80}],\"selector\":{\"a\":\"b\"}}}"), "");
	CHECK_STR(wrong(T_kube_service, "{" META ",\"spec\":{\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"]}}"), "");
	CHECK_STR(wrong(T_kube_config_map, "{" META ",\"data\":{\"a\":\"b\"}}"), "");
	CHECK_STR(wrong(T_kube_secret, "{" META ",\"data\":{\"a\":\"eA==\"}}"), "");
	CHECK_STR(wrong(T_kube_namespace, "{\"metadata\":{\"name\":\"x\"}}"), "");
	CHECK_STR(wrong(T_kube_node, "{\"metadata\":{\"name\":\"x\"}}"), "");
	CHECK_STR(wrong(T_kube_cron_job, "{" META ",\"spec\":{\"schedule\":\"*/5 0-6 * jan,feb MON\",\"jobTemplate\":{\"spec\":{\"template\":{\"spec\":{" C
		",\"restartPolicy\":\"Never\"}}}}}}"), "");
	CHECK_STR(wrong(T_kube_role, "{" META ",\"rules\":[{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"get\"]}]}"), "");
	CHECK_STR(wrong(T_kube_cluster_role_binding, "{\"metadata\":{\"name\":\"system:x\"},\"roleRef\":{\"kind\":\"ClusterRole\",\"name\":\"system:x\",\"apiGroup\":\"\"},"
		"\"subjects\":[{\"kind\":\"Group\",\"name\":\"g\"}]}"), "");
	CHECK_STR(wrong(T_kube_persistent_volume_claim, "{" META ",\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{\"storage\":\"1Gi\"}}}}"), "");
	CHECK_STR(wrong(T_kube_ingress, "{" META ",\"spec\":{\"rules\":[{\"host\":\"*.a.b\",\"http\":{\"paths\":[{\"path\":\"/\",\"pathType\":\"Prefix\",\"backend\":"
		"{\"service\":{\"name\":\"s\",\"port\":{\"number\":80}}}}]}}]}}"), "");
	CHECK_STR(wrong(T_kube_lease, "{" META ",\"spec\":{\"leaseDurationSeconds\":40}}"), "");
}

TEST(names_labels_and_owners_are_checked_in_kubernetes_words)
{
	CHECK_STR(wrong(T_kube_config_map, "{\"metadata\":{\"name\":\"A_b\",\"namespace\":\"d\"}}"), "metadata.name: Invalid value: \"A_b\": " SUBDOMAIN_TEXT);
	CHECK_STR(wrong(T_kube_config_map, "{\"metadata\":{\"namespace\":\"d\"}}"), "metadata.name: Required value: name or generateName is required");
	CHECK_STR(wrong(T_kube_namespace, "{\"metadata\":{\"name\":\"a.b\"}}"), "metadata.name: Invalid value: \"a.b\": must not contain dots");
	CHECK_STR(wrong(T_kube_namespace, "{\"metadata\":{\"name\":\"a\",\"namespace\":\"d\"}}"), "metadata.namespace: Forbidden: not allowed on this type");
	CHECK_STR(wrong(T_kube_config_map, "{\"metadata\":{\"name\":\"x\",\"namespace\":\"d\",\"labels\":{\"a b\":\"c\"}}}"),
		"metadata.labels: Invalid value: \"a b\": " KEY_TEXT);
	CHECK_STR(wrong(T_kube_config_map, "{\"metadata\":{\"name\":\"x\",\"namespace\":\"d\",\"labels\":{\"a\":\"-\"}}}"),
		"metadata.labels: Invalid value: \"-\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
		"end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
	CHECK_STR(wrong(T_kube_config_map, "{\"metadata\":{\"name\":\"x\",\"namespace\":\"d\",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"\",\"name\":\"n\",\"uid\":\"\"}]}}"),
		"metadata.ownerReferences.kind: Invalid value: \"\": must not be empty\nmetadata.ownerReferences.uid: Invalid value: \"\": must not be empty");
	CHECK_STR(wrong(T_kube_role, "{\"metadata\":{\"name\":\"a/b\",\"namespace\":\"d\"},\"rules\":[]}"), "metadata.name: Invalid value: \"a/b\": may not contain '/'");
}

TEST(a_pods_faults_are_said_in_kubernetes_words)
{
	CHECK_STR(wrong(T_kube_pod, POD("\"containers\":[]")), "spec.containers: Required value");
	CHECK_STR(wrong(T_kube_pod, POD("\"containers\":[{}]")), "spec.containers[0].name: Required value\nspec.containers[0].image: Required value");
	CHECK_STR(wrong(T_kube_pod, POD("\"containers\":[{\"name\":\"A\",\"image\":\" i\"}]")),
		"spec.containers[0].name: Invalid value: \"A\": " LABEL_TEXT "\nspec.containers[0].image: Invalid value: \" i\": must not have leading or trailing whitespace");
	CHECK_STR(wrong(T_kube_pod, POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\"},{\"name\":\"c\",\"image\":\"i\"}]")), "spec.containers[1].name: Duplicate value: \"c\"");
	CHECK_STR(wrong(T_kube_pod, POD(C ",\"restartPolicy\":\"Sometimes\"")),
		"spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\"");
	CHECK_STR(wrong(T_kube_pod, POD_C("\"ports\":[{\"containerPort\":0},{\"containerPort\":70000,\"protocol\":\"X\",\"name\":\"Web\"}]")),
		"spec.containers[0].ports[0].containerPort: Required value\n"
		"spec.containers[0].ports[1].name: Invalid value: \"Web\": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)\n"
		"spec.containers[0].ports[1].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive\n"
		"spec.containers[0].ports[1].protocol: Unsupported value: \"X\": supported values: \"SCTP\", \"TCP\", \"UDP\"");
	CHECK_STR(wrong(T_kube_pod, POD_C("\"imagePullPolicy\":\"No\"")),
		"spec.containers[0].imagePullPolicy: Unsupported value: \"No\": supported values: \"Always\", \"IfNotPresent\", \"Never\"");
	CHECK_STR(wrong(T_kube_pod, POD_C("\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"}]")), "spec.containers[0].volumeMounts[0].name: Not found: \"v\"");
	CHECK_STR(wrong(T_kube_pod, POD_C("\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"},{\"name\":\"v\",\"mountPath\":\"/v\"}]") ),
		"spec.containers[0].volumeMounts[0].name: Not found: \"v\"\nspec.containers[0].volumeMounts[1].name: Not found: \"v\"\n"
		"spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/v\": must be unique");
	CHECK_STR(wrong(T_kube_pod, POD_C("\"env\":[{\"name\":\"a=b\"},{\"name\":\"x\",\"value\":\"1\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"status.nope\"}}}]")),
		"spec.containers[0].env[0].name: Invalid value: \"a=b\": a valid environment variable name must consist only of printable ASCII characters other than '='\n"
		"spec.containers[0].env[1].valueFrom.fieldRef.fieldPath: Invalid value: \"status.nope\": error converting fieldPath: field label not supported: status.nope\n"
		"spec.containers[0].env[1].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty");
	CHECK_STR(wrong(T_kube_pod, POD_C("\"resources\":{\"requests\":{\"cpu\":2,\"gpu\":1},\"limits\":{\"cpu\":1}}")),
		"spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1\n"
		"spec.containers[0].resources.requests[gpu]: Invalid value: \"gpu\": must be a standard resource type or fully qualified\n"
		"spec.containers[0].resources.requests[gpu]: Invalid value: \"gpu\": must be a standard resource for containers");
	CHECK_STR(wrong(T_kube_pod, POD_C("\"livenessProbe\":{\"successThreshold\":2},\"readinessProbe\":{\"exec\":{\"command\":[\"a\"]},\"tcpSocket\":{\"port\":1}}")),
		"spec.containers[0].livenessProbe: Required value: must specify a handler type\nspec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1\n"
		"spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type");
	CHECK_STR(wrong(T_kube_pod, POD(C ",\"hostNetwork\":true,\"initContainers\":[{\"name\":\"c\",\"image\":\"i\",\"lifecycle\":{}}]")),
		"spec.initContainers[0].name: Duplicate value: \"c\"\nspec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always");
	CHECK_STR(wrong(T_kube_pod, POD(C ",\"volumes\":[{\"name\":\"v\",\"emptyDir\":{},\"secret\":{\"secretName\":\"s\"}},{\"name\":\"v\"},{\"name\":\"v\"}]")),
		"spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type\nspec.volumes[2].name: Duplicate value: \"v\"");
	CHECK_STR(wrong(T_kube_pod, POD(C ",\"tolerations\":[{\"key\":\"a\",\"operator\":\"Is\"}],\"nodeSelector\":{\"a\":\"b c\"}")),
		"spec.nodeSelector: Invalid value: \"b c\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
		"end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')\n"
		"spec.tolerations[0].operator: Unsupported value: \"Is\": supported values: \"Equal\", \"Exists\"");
}

TEST(a_pod_may_change_its_images_and_little_else)
{
	struct kube_pod *old = object(T_kube_pod, POD(C)), *image = object(T_kube_pod, POD("\"containers\":[{\"name\":\"c\",\"image\":\"j\"}]"));
	image->spec.containers[0].image_pull_policy = old->spec.containers[0].image_pull_policy;
	CHECK_STR(faults(T_kube_pod, image, old), "");
	CHECK_STR(faults(T_kube_pod, object(T_kube_pod, POD(C ",\"nodeName\":\"n\"")), old),
		"spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
		"`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n");
	CHECK_STR(faults(T_kube_pod, object(T_kube_pod, POD("\"containers\":[{\"name\":\"c\",\"image\":\"i\"},{\"name\":\"d\",\"image\":\"i\"}]")), old),
		"spec.containers: Forbidden: pod updates may not add or remove containers");
}

#define TEMPLATE(labels, more) "\"template\":{\"metadata\":{\"labels\":" labels "},\"spec\":{" C more "}}"

TEST(a_workloads_faults_are_said_in_kubernetes_words)
{
	struct schema_ref t = T_kube_deployment;
	CHECK_STR(wrong(t, "{" META ",\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}}," TEMPLATE("{\"a\":\"c\"}", "") "}}"),
		"spec.template.metadata.labels: Invalid value: {\"a\":\"c\"}: `selector` does not match template `labels`");
	CHECK_STR(wrong(t, "{" META ",\"spec\":{\"replicas\":-1,\"selector\":{}," TEMPLATE("{\"a\":\"c\"}", ",\"restartPolicy\":\"Never\"") "}}"),
		"spec.selector: Invalid value: {}: empty selector is invalid for deployment\n"
		"spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"\n"
		"spec.replicas: Invalid value: -1: must be greater than or equal to 0");
	CHECK_STR(wrong(t, "{" META ",\"spec\":{" TEMPLATE("{\"a\":\"c\"}", "") ",\"selector\":null}}"),
		"spec.selector: Required value\nspec.template.metadata.labels: Invalid value: {\"a\":\"c\"}: `selector` does not match template `labels`");
	struct kube_deployment *old = object(t, "{" META ",\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}}," TEMPLATE("{\"a\":\"b\"}", "") "}}");
	CHECK_STR(faults(t, object(t, "{" META ",\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"c\"}}," TEMPLATE("{\"a\":\"c\"}", "") "}}"), old),
		"spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"c\"}}: field is immutable");
	CHECK_STR(wrong(T_kube_cron_job, "{" META ",\"spec\":{\"schedule\":\"* * *\",\"concurrencyPolicy\":\"x\",\"jobTemplate\":{\"spec\":{" TEMPLATE("{}", "") "}}}}"),
		"spec.schedule: Invalid value: \"* * *\": expected exactly 5 fields, found 3: [* * *]\n"
		"spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"\n"
		"spec.concurrencyPolicy: Unsupported value: \"x\": supported values: \"Allow\", \"Forbid\", \"Replace\"");
	CHECK_STR(wrong(T_kube_cron_job, "{" META ",\"spec\":{\"schedule\":\"60 * * * *\",\"jobTemplate\":{\"spec\":{" TEMPLATE("{}", ",\"restartPolicy\":\"Never\"") "}}}}"),
		"spec.schedule: Invalid value: \"60 * * * *\": end of range (60) above maximum (59): 60");
	struct kube_job *job = object(T_kube_job, "{\"metadata\":{\"name\":\"j\",\"namespace\":\"d\",\"uid\":\"u\"},\"spec\":{" TEMPLATE("{}", ",\"restartPolicy\":\"Never\"") "}}");
	CHECK_INT(kind_prepare_create(T_kube_job, &a, job), 0);
	CHECK_STR(faults(T_kube_job, job, NULL), "");
}

TEST(a_services_faults_are_said_in_kubernetes_words)
{
	struct schema_ref t = T_kube_service;
	CHECK_STR(wrong(t, "{" META ",\"spec\":{}}"), "spec.ports: Required value");
	CHECK_STR(wrong(t, "{" META ",\"spec\":{\"type\":\"X\",\"ports\":[{\"port\":80},{\"port\":80}]}}"),
		"spec.ports[0].name: Required value\nspec.ports[1].name: Required value\n"
		"spec.type: Unsupported value: \"X\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\"\n"
		"spec.ports[1]: Duplicate value: {\"Name\":\"\",\"Protocol\":\"TCP\",\"AppProtocol\":null,\"Port\":80,\"TargetPort\":0,\"NodePort\":0}");
	CHECK_STR(wrong(t, "{" META ",\"spec\":{\"ports\":[{\"port\":80,\"nodePort\":30000}]}}"), "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'");
	struct kube_service *old = object(t, "{" META ",\"spec\":{\"clusterIP\":\"10.0.0.1\",\"clusterIPs\":[\"10.0.0.1\"],\"ports\":[{\"port\":80}]}}");
	CHECK_STR(faults(t, object(t, "{" META ",\"spec\":{\"clusterIP\":\"10.0.0.2\",\"clusterIPs\":[\"10.0.0.2\"],\"ports\":[{\"port\":80}]}}"), old),
		"spec.clusterIPs[0]: Invalid value: [\"10.0.0.2\"]: may not change once set");
}

TEST(the_faults_of_the_rest_are_said_in_kubernetes_words)
{
	CHECK_STR(wrong(T_kube_secret, "{" META ",\"type\":\"kubernetes.io/tls\",\"data\":{\"a b\":\"\"}}"),
		"data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
		"'key-name', regex used for validation is '[-._a-zA-Z0-9]+')\ndata[tls.crt]: Required value\ndata[tls.key]: Required value");
	struct kube_config_map *old = object(T_kube_config_map, "{" META ",\"immutable\":true,\"data\":{\"a\":\"b\"}}");
	CHECK_STR(faults(T_kube_config_map, object(T_kube_config_map, "{" META ",\"immutable\":true,\"data\":{\"a\":\"c\"}}"), old),
		"data: Forbidden: field is immutable when `immutable` is set");
	CHECK_STR(wrong(T_kube_role, "{" META ",\"rules\":[{\"verbs\":[]}]}"),
		"rules[0].verbs: Required value: verbs must contain at least one value\nrules[0].apiGroups: Required value: resource rules must supply at least one api group\n"
		"rules[0].resources: Required value: resource rules must supply at least one resource");
	CHECK_STR(wrong(T_kube_role_binding, "{" META ",\"roleRef\":{\"kind\":\"X\",\"name\":\"\",\"apiGroup\":\"\"},\"subjects\":[{\"kind\":\"Dog\",\"name\":\"d\"}]}"),
		"roleRef.kind: Unsupported value: \"X\": supported values: \"Role\", \"ClusterRole\"\nroleRef.name: Required value\n"
		"subjects[0].kind: Unsupported value: \"Dog\": supported values: \"ServiceAccount\", \"User\", \"Group\"");
	CHECK_STR(wrong(T_kube_persistent_volume_claim, "{" META ",\"spec\":{\"resources\":{}}}"),
		"spec.accessModes: Required value: at least 1 access mode is required\nspec.resources[storage]: Required value");
	CHECK_STR(wrong(T_kube_ingress, "{" META ",\"spec\":{}}"), "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified");
	CHECK_STR(wrong(T_kube_priority_class, "{\"metadata\":{\"name\":\"system-x\"},\"value\":1}"),
		"metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-x is not a known system priority class");
}

TEST(the_sentence_of_a_status_names_kind_object_and_all_problems)
{
	static struct kind_problems p = { .a = &a };
	struct buf b = BUF_INIT(1 << 16);
	kind_validate(T_kube_pod, KIND_SPEC, object(T_kube_pod, POD("\"containers\":[]")), NULL, &p);
	kind_problems_text(&p, "Pod", "x", &b);
	CHECK_STR(b.ptr, "Pod \"x\" is invalid: spec.containers: Required value");
	CHECK_STR(p.v[0].type, "FieldValueRequired");
	p.n = 0;
	buf_reset(&b);
	kind_validate(T_kube_pod, KIND_SPEC, object(T_kube_pod, POD("\"containers\":[{}]")), NULL, &p);
	kind_problems_text(&p, "Pod", "x", &b);
	CHECK_STR(b.ptr, "Pod \"x\" is invalid: [spec.containers[0].name: Required value, spec.containers[0].image: Required value]");
}

static const char *wrong_change(enum kind_write what, const char *json, const char *json_old)
{
	static struct kind_problems p;
	struct kube_pod *o = object(T_kube_pod, json), *old = object(T_kube_pod, json_old);
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	old->metadata.resource_version = "1";
	CHECK_INT(kind_prepare_create(T_kube_pod, &a, old), 0);
	CHECK_INT(kind_prepare_update(T_kube_pod, what, &a, o, old), 0);
	p = (struct kind_problems){ .a = &a };
	kind_validate(T_kube_pod, what, o, old, &p);
	for (unsigned i = 0; i < p.n; i++)
		buf_addf(&b, "%s%s: %s", i ? "\n" : "", p.v[i].field, p.v[i].message);
	return arena_dup(&a, buf_slice(&b));
}

TEST(a_pods_debug_containers_and_resources_change_through_their_own_paths)
{
#define DEBUG(name, image) "{\"name\":\"" name "\",\"image\":\"" image "\"}"
#define CPU(requests) POD_C("\"resources\":{\"requests\":{" requests "}}")
	CHECK_STR(wrong(T_kube_pod, POD(C ",\"nodeName\":\"n\",\"schedulingGates\":[{\"name\":\"g\"}],\"ephemeralContainers\":[" DEBUG("d", "i") "]")),
		"spec.ephemeralContainers: Forbidden: cannot be set on create\nspec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared");
	CHECK_STR(wrong_change(KIND_EPHEMERAL, POD(C ",\"ephemeralContainers\":[" DEBUG("d", "i") "]"), POD(C)), "");
	CHECK_STR(wrong_change(KIND_EPHEMERAL, POD(C ",\"ephemeralContainers\":[" DEBUG("d", "i") "]"), POD(C ",\"ephemeralContainers\":[" DEBUG("d", "j") "," DEBUG("e", "i") "]")),
		"spec.ephemeralContainers: Forbidden: existing ephemeral containers \"d\" may not be changed\n\n"
		"spec.ephemeralContainers: Forbidden: existing ephemeral containers \"e\" may not be removed\n");
	CHECK_STR(wrong_change(KIND_RESIZE, CPU("\"cpu\":2"), CPU("\"cpu\":1")), "");
	CHECK_STR(wrong_change(KIND_RESIZE, CPU("\"memory\":2,\"ephemeral-storage\":1"), CPU("\"cpu\":1")),
		"spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed\nspec: Forbidden: only cpu and memory resources are mutable");
	CHECK_STR(wrong_change(KIND_RESIZE, POD(C), CPU("\"cpu\":1")),
		"spec: Invalid value: \"Burstable\": Pod QOS Class may not change as a result of resizing\n"
		"spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed");
}

#define JOB(members, pod) "{" META ",\"spec\":{" members ",\"template\":{\"spec\":{" C ",\"restartPolicy\":\"" pod "\"}}}}"

static const char *wrong_job(const char *json)
{
	struct kube_job *o = object(T_kube_job, json);
	o->metadata.uid = "u";
	CHECK_INT(kind_prepare_create(T_kube_job, &a, o), 0);
	return faults(T_kube_job, o, NULL);
}

TEST(a_jobs_policies_are_checked)
{
	CHECK_STR(wrong_job(JOB("\"podFailurePolicy\":{\"rules\":[{\"action\":\"Ignore\",\"onPodConditions\":[{\"type\":\"DisruptionTarget\"}]},"
		"{\"action\":\"FailJob\",\"onExitCodes\":{\"operator\":\"In\",\"containerName\":\"c\",\"values\":[1,42]}}]}", "Never")), "");
	CHECK_STR(wrong_job(JOB("\"podFailurePolicy\":{\"rules\":[{\"action\":\"FailIndex\",\"onExitCodes\":{\"operator\":\"In\",\"containerName\":\"x\",\"values\":[3,0,3]}},{\"action\":\"\"}]}", "OnFailure")),
		"spec.podFailurePolicy.rules[0].action: Invalid value: \"FailIndex\": requires the backoffLimitPerIndex to be set\n"
		"spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: \"x\": must be one of the container or initContainer names in the pod template\n"
		"spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator\n"
		"spec.podFailurePolicy.rules[0].onExitCodes.values[2]: Duplicate value: 3\n"
		"spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [3,0,3]: must be ordered\n"
		"spec.podFailurePolicy.rules[1].action: Required value: valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]\n"
		"spec.podFailurePolicy.rules[1]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required\n"
		"spec.template.spec.restartPolicy: Invalid value: \"OnFailure\": only \"Never\" is supported when podFailurePolicy is specified");
	CHECK_STR(wrong_job(JOB("\"completionMode\":\"Indexed\",\"completions\":5,\"successPolicy\":{\"rules\":[{\"succeededIndexes\":\"0,2-4\",\"succeededCount\":3}]}", "Never")), "");
	CHECK_STR(wrong_job(JOB("\"completionMode\":\"Indexed\",\"completions\":5,\"managedBy\":\"x\",\"successPolicy\":{\"rules\":[{\"succeededIndexes\":\"0,2-5\"},"
		"{\"succeededIndexes\":\"3,1\"},{\"succeededIndexes\":\"1-2-3\"},{\"succeededIndexes\":\"a\"},{\"succeededIndexes\":\"0-1\",\"succeededCount\":3},{}]}", "Never")),
		"spec.managedBy: Invalid value: \"x\": must be a domain-prefixed path (such as \"acme.io/foo\")\n"
		"spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"0,2-5\": error parsing succeededIndexes: too large index: \"5\"\n"
		"spec.successPolicy.rules[1].succeededIndexes: Invalid value: \"3,1\": error parsing succeededIndexes: non-increasing order, previous: 3, current: 1\n"
		"spec.successPolicy.rules[2].succeededIndexes: Invalid value: \"1-2-3\": error parsing succeededIndexes: the fragment \"1-2-3\" violates the requirement "
		"that an index interval can have at most two parts separated by '-'\n"
		"spec.successPolicy.rules[3].succeededIndexes: Invalid value: \"a\": error parsing succeededIndexes: cannot convert string to integer for index: \"a\"\n"
		"spec.successPolicy.rules[4].succeededCount: Invalid value: 3: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)\n"
		"spec.successPolicy.rules[5]: Required value: at least one of succeededCount or succeededIndexes must be specified");
}
