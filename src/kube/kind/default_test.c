/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kind/kind.h"

#include <errno.h>

#include "base/test.h"

static struct arena a = { .max_bytes = 64 << 20 };
static struct err e;

static void *object(struct schema_ref t, const char *json)
{
	void *obj = arena_alloc(&a, schema_size(t));
	CHECK_OK(schema_from_json(t, slice_of(json), SCHEMA_STRICT, &a, obj, &e), &e);
	CHECK_INT(kind_default(t, &a, obj), 0);
	return obj;
}

static const char *text(struct schema_ref t, const void *obj)
{
	struct buf b = BUF_INIT(1 << 20);
	CHECK_INT(schema_to_json(t, obj, 0, &b), 0);
	return buf_take(&b);
}

static const char *defaulted(struct schema_ref t, const char *json)
{
	return text(t, object(t, json));
}

#define SPEC_DEFAULTS "\"restartPolicy\":\"Always\",\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\",\"securityContext\":{},\"schedulerName\":\"default-scheduler\""
#define CONTAINER(name, image, policy) "{\"name\":\"" name "\",\"image\":\"" image "\",\"resources\":{},\"terminationMessagePath\":\"/dev/termination-log\"," \
	"\"terminationMessagePolicy\":\"File\",\"imagePullPolicy\":\"" policy "\"}"

TEST(a_pod_gets_the_defaults_of_kubernetes)
{
	CHECK_STR(defaulted(T_kube_pod, "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"nginx\"},"
		"{\"name\":\"b\",\"image\":\"localhost:5000/x:1\"},{\"name\":\"c\",\"image\":\"x@sha256:00\"},{\"name\":\"d\",\"image\":\"r:5000/y\"}],"
		"\"volumes\":[{\"name\":\"v\"},{\"name\":\"w\",\"hostPath\":{\"path\":\"/x\"}}],\"serviceAccount\":\"sa\"}}"),
		"{\"metadata\":{\"name\":\"p\"},\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}},{\"name\":\"w\",\"hostPath\":{\"path\":\"/x\",\"type\":\"\"}}],"
		"\"containers\":[" CONTAINER("a", "nginx", "Always") "," CONTAINER("b", "localhost:5000/x:1", "IfNotPresent") ","
		CONTAINER("c", "x@sha256:00", "IfNotPresent") "," CONTAINER("d", "r:5000/y", "Always") "],\"restartPolicy\":\"Always\","
		"\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\",\"serviceAccountName\":\"sa\",\"serviceAccount\":\"sa\","
		"\"securityContext\":{},\"schedulerName\":\"default-scheduler\",\"enableServiceLinks\":true},\"status\":{}}");
	struct kube_pod *p = object(T_kube_pod, "{\"spec\":{\"hostNetwork\":true,\"containers\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":80}],"
		"\"resources\":{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":0.5}}}]}}");
	CHECK_INT(p->spec.containers[0].ports[0].host_port, 80);
	CHECK_STR(p->spec.containers[0].ports[0].protocol, "TCP");
	CHECK_INT(p->spec.containers[0].resources.n_requests, 2);
	CHECK_STR(p->spec.containers[0].resources.requests[0].value, "500m");
	CHECK_STR(p->spec.containers[0].resources.requests[1].value, "1Gi");
	p = object(T_kube_pod, "{\"spec\":{\"containers\":[{\"name\":\"a\",\"resources\":{\"limits\":{\"cpu\":\"0.0001\",\"memory\":\"16\"},\"requests\":{\"cpu\":\"100n\"}}}]}}");
	CHECK_STR(p->spec.containers[0].resources.limits[0].value, "1m");
	CHECK_STR(p->spec.containers[0].resources.limits[1].value, "16");
	CHECK_STR(p->spec.containers[0].resources.requests[0].value, "1m");
}

TEST(a_deployment_gets_the_defaults_of_kubernetes)
{
	CHECK_STR(defaulted(T_kube_deployment, "{\"spec\":{\"selector\":{},\"template\":{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"x:1\"}]}}}}"),
		"{\"metadata\":{},\"spec\":{\"replicas\":1,\"selector\":{},\"template\":{\"metadata\":{},\"spec\":{\"containers\":["
		CONTAINER("a", "x:1", "IfNotPresent") "]," SPEC_DEFAULTS "}},\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{"
		"\"maxUnavailable\":\"25%\",\"maxSurge\":\"25%\"}},\"revisionHistoryLimit\":10,\"progressDeadlineSeconds\":600},\"status\":{}}");
	struct kube_deployment *d = object(T_kube_deployment, "{\"spec\":{\"selector\":{},\"strategy\":{\"type\":\"Recreate\"},\"template\":{\"spec\":{\"containers\":null}}}}");
	CHECK(!d->spec.strategy.rolling_update);
}

TEST(a_service_gets_the_defaults_of_kubernetes)
{
	CHECK_STR(defaulted(T_kube_service, "{\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80},{\"port\":81,\"targetPort\":\"web\",\"protocol\":\"UDP\"}]}}"),
		"{\"metadata\":{},\"spec\":{\"ports\":[{\"protocol\":\"TCP\",\"port\":80,\"targetPort\":80},{\"protocol\":\"UDP\",\"port\":81,\"targetPort\":\"web\"}],"
		"\"type\":\"NodePort\",\"sessionAffinity\":\"None\",\"externalTrafficPolicy\":\"Cluster\",\"internalTrafficPolicy\":\"Cluster\"},\"status\":{\"loadBalancer\":{}}}");
	struct kube_service *s = object(T_kube_service, "{\"spec\":{\"sessionAffinity\":\"ClientIP\"}}");
	CHECK_INT(*s->spec.session_affinity_config->client_ip->timeout_seconds, 10800);
	CHECK_STR(s->spec.type, "ClusterIP");
	CHECK(!s->spec.external_traffic_policy);
}

TEST(the_other_workloads_get_their_defaults)
{
	struct kube_job *j = object(T_kube_job, "{\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":null}}}}");
	CHECK_INT(*j->spec.completions, 1);
	CHECK_INT(*j->spec.backoff_limit, 6);
	CHECK_STR(j->spec.completion_mode, "NonIndexed");
	CHECK_STR(j->metadata.labels[0].value, "b");
	struct kube_cron_job *c = object(T_kube_cron_job, "{\"spec\":{\"schedule\":\"* * * * *\",\"jobTemplate\":{\"spec\":{\"template\":{\"spec\":{\"containers\":null}}}}}}");
	CHECK_STR(c->spec.concurrency_policy, "Allow");
	CHECK(!c->spec.job_template.spec.completion_mode && !c->spec.job_template.spec.parallelism);
	struct kube_daemon_set *d = object(T_kube_daemon_set, "{\"spec\":{\"selector\":{},\"template\":{\"spec\":{\"containers\":null}}}}");
	CHECK_INT(d->spec.update_strategy.rolling_update->max_unavailable->number, 1);
	struct kube_stateful_set *s = object(T_kube_stateful_set, "{\"spec\":{\"selector\":{},\"serviceName\":\"\",\"template\":{\"spec\":{\"containers\":null}},"
		"\"volumeClaimTemplates\":[{\"metadata\":{\"name\":\"d\"}}]}}");
	CHECK_INT(*s->spec.update_strategy.rolling_update->partition, 0);
	CHECK_STR(s->spec.pod_management_policy, "OrderedReady");
	CHECK_STR(s->spec.persistent_volume_claim_retention_policy->when_deleted, "Retain");
	CHECK_STR(s->spec.volume_claim_templates[0].spec.volume_mode, "Filesystem");
	CHECK_STR(s->spec.volume_claim_templates[0].kind, "PersistentVolumeClaim");
	struct kube_horizontal_pod_autoscaler *h = object(T_kube_horizontal_pod_autoscaler, "{\"spec\":{\"scaleTargetRef\":{\"kind\":\"D\",\"name\":\"d\"},\"maxReplicas\":3}}");
	CHECK_INT(*h->spec.metrics[0].resource->target.average_utilization, 80);
	struct kube_role_binding *b = object(T_kube_role_binding, "{\"subjects\":[{\"kind\":\"User\",\"name\":\"u\"}],\"roleRef\":{\"kind\":\"Role\",\"name\":\"r\",\"apiGroup\":\"\"}}");
	CHECK_STR(b->role_ref.api_group, "rbac.authorization.k8s.io");
	CHECK_STR(b->subjects[0].api_group, "rbac.authorization.k8s.io");
}

TEST(a_create_starts_with_a_fresh_status_and_generation)
{
	struct kube_pod *p = object(T_kube_pod, "{\"metadata\":{\"generation\":7},\"spec\":{\"containers\":[{\"name\":\"a\",\"resources\":{\"limits\":"
		"{\"cpu\":1,\"memory\":\"1Gi\"}}}]},\"status\":{\"phase\":\"Running\",\"message\":\"m\"}}");
	CHECK_INT(kind_prepare_create(T_kube_pod, &a, p), 0);
	CHECK_INT(p->metadata.generation, 1);
	CHECK_STR(p->status.phase, "Pending");
	CHECK_STR(p->status.qos_class, "Guaranteed");
	CHECK(!p->status.message);
	struct kube_namespace *n = object(T_kube_namespace, "{\"metadata\":{\"name\":\"n\"}}");
	CHECK_INT(kind_prepare_create(T_kube_namespace, &a, n), 0);
	CHECK_STR(text(T_kube_namespace, n), "{\"metadata\":{\"name\":\"n\",\"labels\":{\"kubernetes.io/metadata.name\":\"n\"}},\"spec\":{\"finalizers\":[\"kubernetes\"]},"
		"\"status\":{\"phase\":\"Active\"}}");
	struct kube_secret *s = object(T_kube_secret, "{\"data\":{\"a\":\"eA==\",\"b\":\"eA==\"},\"stringData\":{\"b\":\"y\",\"c\":\"z\"}}");
	CHECK_INT(kind_prepare_create(T_kube_secret, &a, s), 0);
	CHECK_STR(text(T_kube_secret, s), "{\"metadata\":{},\"data\":{\"a\":\"eA==\",\"b\":\"eQ==\",\"c\":\"eg==\"},\"type\":\"Opaque\"}");
	struct kube_job *j = object(T_kube_job, "{\"metadata\":{\"name\":\"j\",\"uid\":\"u-1\"},\"spec\":{\"template\":{\"spec\":{\"containers\":null}}}}");
	CHECK_INT(kind_prepare_create(T_kube_job, &a, j), 0);
	CHECK_INT(j->spec.template.metadata.n_labels, 4);
	CHECK_STR(j->spec.selector->match_labels[0].value, "u-1");
}

TEST(the_quality_of_service_follows_requests_and_limits)
{
	static const char *const rows[][2] = { { "{}", "BestEffort" }, { "{\"requests\":{\"cpu\":1}}", "Burstable" },
		{ "{\"limits\":{\"cpu\":1,\"memory\":1}}", "Guaranteed" }, { "{\"limits\":{\"cpu\":1}}", "Burstable" },
		{ "{\"limits\":{\"cpu\":2,\"memory\":1},\"requests\":{\"cpu\":1}}", "Burstable" } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct kube_pod *p = object(T_kube_pod, arena_fmt(&a, "{\"spec\":{\"containers\":[{\"name\":\"a\",\"resources\":%s}]}}", rows[i][0]));
		CHECK_INT(kind_prepare_create(T_kube_pod, &a, p), 0);
		CHECK_STR(p->status.qos_class, rows[i][1]);
	}
}

TEST(an_update_leaves_what_its_endpoint_does_not_own)
{
	static const char *const json = "{\"metadata\":{\"generation\":%d,\"labels\":{\"l\":\"%d\"}},\"spec\":{\"replicas\":%d,\"selector\":{},\"template\":"
		"{\"spec\":{\"containers\":[{\"name\":\"a\"%s}]}}},\"status\":{\"replicas\":%d}}";
	struct schema_ref t = T_kube_deployment;
	struct kube_deployment *old = object(t, arena_fmt(&a, json, 3, 1, 1, "", 1));
	struct kube_deployment *same = object(t, arena_fmt(&a, json, 9, 2, 1, ",\"args\":[]", 5)), *other = object(t, arena_fmt(&a, json, 9, 2, 2, "", 5));
	CHECK_INT(kind_prepare_update(t, KIND_SPEC, &a, same, old), 0);
	CHECK_INT(same->metadata.generation, 3);
	CHECK_INT(same->status.replicas, 1);
	CHECK_INT(kind_prepare_update(t, KIND_SPEC, &a, other, old), 0);
	CHECK_INT(other->metadata.generation, 4);
	struct kube_deployment *status = object(t, arena_fmt(&a, json, 9, 2, 2, "", 5));
	CHECK_INT(kind_prepare_update(t, KIND_STATUS, &a, status, old), 0);
	CHECK_INT(*status->spec.replicas, 1);
	CHECK_INT(status->status.replicas, 5);
	CHECK_INT(status->metadata.generation, 3);
	CHECK_STR(status->metadata.labels[0].value, "1");
}

TEST(a_service_keeps_what_it_was_given)
{
	struct schema_ref t = T_kube_service;
	struct kube_service *old = object(t, "{\"spec\":{\"type\":\"NodePort\",\"clusterIP\":\"10.96.0.3\",\"clusterIPs\":[\"10.96.0.3\"],\"ports\":[{\"port\":80,\"nodePort\":30001}]}}");
	struct kube_service *n = object(t, "{\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":81}]}}");
	CHECK_INT(kind_prepare_update(t, KIND_SPEC, &a, n, old), 0);
	CHECK_STR(n->spec.cluster_ip, "10.96.0.3");
	CHECK_STR(n->spec.cluster_ips[0], "10.96.0.3");
	CHECK_INT(n->spec.ports[0].node_port, 30001);
	struct kube_service *c = object(t, "{\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"10.96.0.3\",\"ports\":[{\"port\":80,\"nodePort\":30001}],\"externalTrafficPolicy\":\"Cluster\"}}");
	CHECK_INT(kind_prepare_update(t, KIND_SPEC, &a, c, old), 0);
	CHECK_INT(c->spec.ports[0].node_port, 0);
	CHECK(!c->spec.external_traffic_policy);
	struct kube_service *x = object(t, "{\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"a.b\",\"clusterIP\":\"10.96.0.3\",\"clusterIPs\":[\"10.96.0.3\"]}}");
	CHECK_INT(kind_prepare_update(t, KIND_SPEC, &a, x, old), 0);
	CHECK(!x->spec.cluster_ip && !x->spec.n_cluster_ips);
}

TEST(objects_are_the_same_in_both_versions)
{
	struct kube_event *o = object(T_kube_event, "{\"metadata\":{\"name\":\"e\"},\"involvedObject\":{\"kind\":\"Pod\"},\"message\":\"m\",\"count\":2,\"series\":{\"count\":3}}");
	struct kube_events_event n;
	struct kube_event back;
	CHECK_INT(kind_convert(T_kube_event, o, T_kube_events_event, NULL, &a, &n), 0);
	CHECK_STR(n.note, "m");
	CHECK_STR(n.regarding.kind, "Pod");
	CHECK_INT(kind_convert(T_kube_events_event, &n, T_kube_event, NULL, &a, &back), 0);
	back.kind = o->kind;
	back.api_version = o->api_version;
	CHECK(schema_equal(T_kube_event, o, &back));
	CHECK_INT(kind_convert(T_kube_event, o, T_kube_pod, NULL, &a, &n), -ENOTSUP);
}

TEST(selectable_fields_are_those_of_kubernetes)
{
	char tmp[KIND_FIELD_MAX];
	struct kube_pod p = { .spec.node_name = "n1" };
	const struct kind_field *f = kind_fields(T_kube_pod);
	CHECK_STR(f[0].path, "spec.nodeName");
	CHECK_STR(f[0].get(&p, tmp), "n1");
	CHECK_STR(f[5].get(&p, tmp), "");
	struct kube_replica_set r = { .status.replicas = 3 };
	CHECK_STR(kind_fields(T_kube_replica_set)[0].get(&r, tmp), "3");
	CHECK(!kind_fields(T_kube_config_map)[0].path);
}
