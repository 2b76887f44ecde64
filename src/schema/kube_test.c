/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes' own documents (k8s.io/api testdata/HEAD: every field of a kind
 * filled) in JSON, protobuf and YAML. test/schema.mk lays them out in
 * build/kube-testdata from the Go module cache; without Go the test is skipped.
 */
#include "schema/tree.h"

#include <fcntl.h>
#include <stdlib.h>

#include "api/kube.h"
#include "base/auto.h"
#include "base/fd.h"
#include "base/test.h"

static struct arena a = { .max_bytes = 256 << 20 };
static struct err e;

static struct slice document(const char *name, const char *ext)
{
	const char *dir = getenv("CORACLE_KUBE_TESTDATA");
	AUTO(buf) struct buf b = BUF_INIT(16 << 20);
	int r = file_read(AT_FDCWD, arena_fmt(&a, "%s/%s.%s", dir ? dir : "build/kube-testdata", name, ext), &b);
	if (r < 0)
		test_skip("no Kubernetes documents (make kube-testdata needs Go)");
	return slice_n(arena_dup(&a, buf_slice(&b)), b.len);
}

static const char *json(struct schema_ref t, const void *obj)
{
	AUTO(buf) struct buf b = BUF_INIT(16 << 20);
	CHECK_INT(schema_to_json(t, obj, SCHEMA_ESCAPE_HTML, &b), 0);
	return arena_dup(&a, buf_slice(&b));
}

static void round_trips(struct schema_ref t, const char *name)
{
	struct slice text = document(name, "json"), pb = document(name, "pb"), yaml = document(name, "yaml");
	void *obj = arena_alloc(&a, schema_size(t)), *from_pb = arena_alloc(&a, schema_size(t)), *from_yaml = arena_alloc(&a, schema_size(t));
	void *copy = arena_alloc(&a, schema_size(t));

	/* JSON -> struct -> JSON: the same document, nothing lost, same order */
	CHECK_OK(schema_from_json(t, text, SCHEMA_STRICT, &a, obj, &e), &e);
	struct tree tree, docs;
	CHECK_OK(tree_from_json(text, SCHEMA_STRICT, &a, &tree, &e), &e);
	AUTO(buf) struct buf compact = BUF_INIT(16 << 20);
	CHECK_INT(tree_to_json(&tree, SCHEMA_ESCAPE_HTML, &compact), 0);
	CHECK_STR(json(t, obj), compact.ptr);
	CHECK_INT(schema_copy(t, obj, &a, copy), 0);
	CHECK(schema_equal(t, obj, copy));

	/* the same bytes as Kubernetes' own protobuf writer, inside its envelope */
	CHECK(pb.len > 4 && !memcmp(pb.ptr, "k8s\0", 4));
	struct kube_unknown envelope;
	CHECK_OK(schema_from_protobuf(T_kube_unknown, slice_n(pb.ptr + 4, pb.len - 4), &a, &envelope, &e), &e);
	CHECK_SLICE(tree_text(tree_gets(&tree, "kind")), envelope.kind);
	CHECK_OK(schema_from_protobuf(t, envelope.raw, &a, from_pb, &e), &e);
	AUTO(buf) struct buf again = BUF_INIT(16 << 20);
	CHECK_INT(schema_to_protobuf(t, from_pb, &again), 0);
	CHECK(slice_eq(buf_slice(&again), envelope.raw));
	buf_reset(&again);
	/* embedded objects are carried as they came: the documents' protobuf has them without spaces */
	CHECK_OK(schema_from_json(t, buf_slice(&compact), SCHEMA_STRICT, &a, obj, &e), &e);
	CHECK_INT(schema_to_protobuf(t, obj, &again), 0);
	CHECK(slice_eq(buf_slice(&again), envelope.raw));

	/* protobuf does not carry kind and apiVersion; the envelope does */
	struct tree pb_tree;
	CHECK_OK(tree_from_struct(t, from_pb, &a, &pb_tree, &e), &e);
	CHECK(tree_set(&a, &pb_tree, SLICE("kind"), tree_string(slice_of(envelope.kind))) != NULL);
	CHECK(tree_set(&a, &pb_tree, SLICE("apiVersion"), tree_string(slice_of(envelope.api_version))) != NULL);
	CHECK(tree_equal(&tree, &pb_tree));

	/* YAML -> tree -> struct, and tree -> YAML -> tree */
	CHECK_OK(tree_from_yaml(yaml, SCHEMA_STRICT, &a, &docs, &e), &e);
	CHECK_INT(docs.n, 1);
	CHECK(tree_equal(&docs.items[0], &tree));
	CHECK_OK(tree_to_struct(&docs.items[0], t, SCHEMA_STRICT, &a, from_yaml, &e), &e);
	CHECK(schema_equal(t, obj, from_yaml));
	AUTO(buf) struct buf out = BUF_INIT(16 << 20);
	CHECK_INT(tree_to_yaml(&tree, SCHEMA_SORTED, &out), 0);
	CHECK_STR(out.ptr, arena_dup(&a, yaml));
}

#define SURVIVES(type, document) \
	TEST(kubernetes_##type##_survives_json_protobuf_and_yaml) { round_trips(T_kube_##type, document); }

SURVIVES(pod, "core.v1.Pod")
SURVIVES(pod_template, "core.v1.PodTemplate")
SURVIVES(replication_controller, "core.v1.ReplicationController")
SURVIVES(service, "core.v1.Service")
SURVIVES(endpoints, "core.v1.Endpoints")
SURVIVES(secret, "core.v1.Secret")
SURVIVES(config_map, "core.v1.ConfigMap")
SURVIVES(namespace, "core.v1.Namespace")
SURVIVES(node, "core.v1.Node")
SURVIVES(event, "core.v1.Event")
SURVIVES(service_account, "core.v1.ServiceAccount")
SURVIVES(persistent_volume, "core.v1.PersistentVolume")
SURVIVES(persistent_volume_claim, "core.v1.PersistentVolumeClaim")
SURVIVES(resource_quota, "core.v1.ResourceQuota")
SURVIVES(limit_range, "core.v1.LimitRange")
SURVIVES(component_status, "core.v1.ComponentStatus")
SURVIVES(binding, "core.v1.Binding")
SURVIVES(pod_log_options, "core.v1.PodLogOptions")
SURVIVES(pod_exec_options, "core.v1.PodExecOptions")
SURVIVES(pod_attach_options, "core.v1.PodAttachOptions")
SURVIVES(pod_port_forward_options, "core.v1.PodPortForwardOptions")
SURVIVES(pod_proxy_options, "core.v1.PodProxyOptions")
SURVIVES(service_proxy_options, "core.v1.ServiceProxyOptions")
SURVIVES(node_proxy_options, "core.v1.NodeProxyOptions")
SURVIVES(serialized_reference, "core.v1.SerializedReference")
SURVIVES(range_allocation, "core.v1.RangeAllocation")
SURVIVES(status, "core.v1.Status")
SURVIVES(api_group, "core.v1.APIGroup")
SURVIVES(api_versions, "core.v1.APIVersions")
SURVIVES(delete_options, "core.v1.DeleteOptions")
SURVIVES(list_options, "core.v1.ListOptions")
SURVIVES(get_options, "core.v1.GetOptions")
SURVIVES(create_options, "core.v1.CreateOptions")
SURVIVES(update_options, "core.v1.UpdateOptions")
SURVIVES(patch_options, "core.v1.PatchOptions")
SURVIVES(deployment, "apps.v1.Deployment")
SURVIVES(replica_set, "apps.v1.ReplicaSet")
SURVIVES(stateful_set, "apps.v1.StatefulSet")
SURVIVES(daemon_set, "apps.v1.DaemonSet")
SURVIVES(controller_revision, "apps.v1.ControllerRevision")
SURVIVES(job, "batch.v1.Job")
SURVIVES(cron_job, "batch.v1.CronJob")
SURVIVES(events_event, "events.k8s.io.v1.Event")
SURVIVES(endpoint_slice, "discovery.k8s.io.v1.EndpointSlice")
SURVIVES(ingress, "networking.k8s.io.v1.Ingress")
SURVIVES(ingress_class, "networking.k8s.io.v1.IngressClass")
SURVIVES(storage_class, "storage.k8s.io.v1.StorageClass")
SURVIVES(lease, "coordination.k8s.io.v1.Lease")
SURVIVES(role, "rbac.authorization.k8s.io.v1.Role")
SURVIVES(role_binding, "rbac.authorization.k8s.io.v1.RoleBinding")
SURVIVES(cluster_role, "rbac.authorization.k8s.io.v1.ClusterRole")
SURVIVES(cluster_role_binding, "rbac.authorization.k8s.io.v1.ClusterRoleBinding")
SURVIVES(subject_access_review, "authorization.k8s.io.v1.SubjectAccessReview")
SURVIVES(self_subject_access_review, "authorization.k8s.io.v1.SelfSubjectAccessReview")
SURVIVES(local_subject_access_review, "authorization.k8s.io.v1.LocalSubjectAccessReview")
SURVIVES(self_subject_rules_review, "authorization.k8s.io.v1.SelfSubjectRulesReview")
SURVIVES(token_review, "authentication.k8s.io.v1.TokenReview")
SURVIVES(token_request, "authentication.k8s.io.v1.TokenRequest")
SURVIVES(self_subject_review, "authentication.k8s.io.v1.SelfSubjectReview")
SURVIVES(priority_class, "scheduling.k8s.io.v1.PriorityClass")
SURVIVES(pod_disruption_budget, "policy.v1.PodDisruptionBudget")
SURVIVES(eviction, "policy.v1.Eviction")
SURVIVES(scale, "autoscaling.v1.Scale")
SURVIVES(autoscaling_v1_horizontal_pod_autoscaler, "autoscaling.v1.HorizontalPodAutoscaler")
SURVIVES(horizontal_pod_autoscaler, "autoscaling.v2.HorizontalPodAutoscaler")
SURVIVES(certificate_signing_request, "certificates.k8s.io.v1.CertificateSigningRequest")
SURVIVES(runtime_class, "node.k8s.io.v1.RuntimeClass")
SURVIVES(api_group_discovery, "apidiscovery.k8s.io.v2.APIGroupDiscovery")
SURVIVES(admission_review, "admission.k8s.io.v1.AdmissionReview")
