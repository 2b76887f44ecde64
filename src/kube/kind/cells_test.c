/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kind/kind.h"

#include "base/clock.h"
#include "base/test.h"

static struct arena a = { .max_bytes = 16 << 20 };

/* The cells of an object as JSON, ten minutes after 2026-01-01. */
static const char *row(struct schema_ref t, const char *json)
{
	struct err e;
	struct tree cells;
	int64_t now;
	void *obj = arena_alloc(&a, schema_size(t));
	struct buf b = BUF_INIT(1 << 16);
	CHECK_OK(schema_from_json(t, slice_of(json), SCHEMA_STRICT, &a, obj, &e), &e);
	CHECK_INT(clock_parse_rfc3339(SLICE("2026-01-01T00:10:00Z"), &now), 0);
	CHECK_INT(kind_cells(t, obj, now, &a, &cells), 0);
	unsigned n;
	kind_columns(t, &n);
	CHECK_INT(cells.n, n);
	CHECK_INT(tree_to_json(&cells, 0, &b), 0);
	return buf_take(&b);
}
#define META "\"metadata\":{\"name\":\"x\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\""
#define POD(spec, status) "{" META "},\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]" spec "},\"status\":{" status "}}"
#define POD_ROW(ready, status, restarts) "[\"x\",\"" ready "\",\"" status "\",\"" restarts "\",\"10m\",\"<none>\",\"n1\",\"<none>\",\"<none>\"]"

TEST(a_pods_status_column_says_what_its_containers_do)
{
	CHECK_STR(row(T_kube_pod, POD("", "\"phase\":\"Pending\"")), POD_ROW("0/1", "Pending", "0"));
	CHECK_STR(row(T_kube_pod, POD("", "\"phase\":\"Running\",\"podIPs\":[{\"ip\":\"10.0.0.1\"}],\"containerStatuses\":[{\"name\":\"c\",\"ready\":true,"
		"\"restartCount\":2,\"state\":{\"running\":{}},\"lastState\":{\"terminated\":{\"exitCode\":1,\"finishedAt\":\"2026-01-01T00:09:30Z\"}},"
		"\"image\":\"i\",\"imageID\":\"\"}]")),
		"[\"x\",\"1/1\",\"Running\",\"2 (30s ago)\",\"10m\",\"10.0.0.1\",\"n1\",\"<none>\",\"<none>\"]");
	CHECK_STR(row(T_kube_pod, POD("", "\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"c\",\"ready\":false,\"restartCount\":3,"
		"\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}},\"image\":\"i\",\"imageID\":\"\"}]")), POD_ROW("0/1", "CrashLoopBackOff", "3"));
	CHECK_STR(row(T_kube_pod, POD("", "\"phase\":\"Succeeded\",\"containerStatuses\":[{\"name\":\"c\",\"ready\":false,\"restartCount\":0,"
		"\"state\":{\"terminated\":{\"exitCode\":0,\"reason\":\"Completed\"}},\"image\":\"i\",\"imageID\":\"\"}]")), POD_ROW("0/1", "Completed", "0"));
	CHECK_STR(row(T_kube_pod, POD("", "\"phase\":\"Failed\",\"containerStatuses\":[{\"name\":\"c\",\"ready\":false,\"restartCount\":0,"
		"\"state\":{\"terminated\":{\"exitCode\":137,\"signal\":9}},\"image\":\"i\",\"imageID\":\"\"}]")), POD_ROW("0/1", "Signal:9", "0"));
	CHECK_STR(row(T_kube_pod, POD("", "\"phase\":\"Failed\",\"reason\":\"Evicted\"")), POD_ROW("0/1", "Evicted", "0"));
	CHECK_STR(row(T_kube_pod, POD(",\"initContainers\":[{\"name\":\"a\"},{\"name\":\"b\"}]", "\"phase\":\"Pending\",\"initContainerStatuses\":["
		"{\"name\":\"a\",\"ready\":true,\"restartCount\":0,\"state\":{\"terminated\":{\"exitCode\":0}},\"image\":\"i\",\"imageID\":\"\"},"
		"{\"name\":\"b\",\"ready\":false,\"restartCount\":1,\"state\":{\"running\":{}},\"image\":\"i\",\"imageID\":\"\"}]")), POD_ROW("0/1", "Init:1/2", "1"));
	CHECK_STR(row(T_kube_pod, POD(",\"initContainers\":[{\"name\":\"a\"}]", "\"phase\":\"Pending\",\"initContainerStatuses\":["
		"{\"name\":\"a\",\"ready\":false,\"restartCount\":4,\"state\":{\"terminated\":{\"exitCode\":2,\"reason\":\"Error\"}},\"image\":\"i\",\"imageID\":\"\"}]")),
		POD_ROW("0/1", "Init:Error", "4"));
	CHECK_STR(row(T_kube_pod, "{" META ",\"deletionTimestamp\":\"2026-01-01T00:09:00Z\"},\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"c\"}]},"
		"\"status\":{\"phase\":\"Running\"}}"), POD_ROW("0/1", "Terminating", "0"));
	CHECK_STR(row(T_kube_pod, POD(",\"initContainers\":[{\"name\":\"side\",\"restartPolicy\":\"Always\"}]", "\"phase\":\"Running\","
		"\"initContainerStatuses\":[{\"name\":\"side\",\"ready\":true,\"started\":true,\"restartCount\":0,\"state\":{\"running\":{}},\"image\":\"i\",\"imageID\":\"\"}],"
		"\"containerStatuses\":[{\"name\":\"c\",\"ready\":true,\"restartCount\":0,\"state\":{\"running\":{}},\"image\":\"i\",\"imageID\":\"\"}]")),
		POD_ROW("2/2", "Running", "0"));
}

TEST(a_pod_that_has_ended_is_a_completed_row)
{
	struct kube_pod p = { .status.phase = "Succeeded" };
	CHECK_STR(kind_row_condition(T_kube_pod, &p)->type, "Completed");
	p.status.phase = "Running";
	CHECK(!kind_row_condition(T_kube_pod, &p));
}

TEST(the_columns_of_workloads_are_those_of_kubectl)
{
	CHECK_STR(row(T_kube_deployment, "{" META "},\"spec\":{\"replicas\":3,\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"spec\":{\"containers\":["
		"{\"name\":\"c\",\"image\":\"i\"},{\"name\":\"d\",\"image\":\"j\"}]}}},\"status\":{\"readyReplicas\":2,\"updatedReplicas\":3,\"availableReplicas\":1}}"),
		"[\"x\",\"2/3\",3,1,\"10m\",\"c,d\",\"i,j\",\"a=b\"]");
	CHECK_STR(row(T_kube_daemon_set, "{" META "},\"spec\":{\"selector\":{},\"template\":{\"spec\":{\"containers\":[]}}},"
		"\"status\":{\"desiredNumberScheduled\":2,\"currentNumberScheduled\":1,\"numberReady\":1,\"numberMisscheduled\":0}}"),
		"[\"x\",2,1,1,0,0,\"<none>\",\"10m\",\"\",\"\",\"<none>\"]");
	CHECK_STR(row(T_kube_job, "{" META "},\"spec\":{\"completions\":2,\"template\":{\"spec\":{\"containers\":[]}}},\"status\":{\"succeeded\":1,"
		"\"startTime\":\"2026-01-01T00:05:00Z\"}}"), "[\"x\",\"Running\",\"1/2\",\"5m\",\"10m\",\"\",\"\",\"<none>\"]");
	CHECK_STR(row(T_kube_cron_job, "{" META "},\"spec\":{\"schedule\":\"* * * * *\",\"suspend\":false,\"jobTemplate\":{\"spec\":{\"template\":{\"spec\":"
		"{\"containers\":[]}}}}},\"status\":{\"active\":[{}]}}"),
		"[\"x\",\"* * * * *\",\"<none>\",\"False\",1,\"<none>\",\"10m\",\"\",\"\",\"<none>\"]");
}

TEST(the_columns_of_services_and_nodes_are_those_of_kubectl)
{
	CHECK_STR(row(T_kube_service, "{" META "},\"spec\":{\"type\":\"NodePort\",\"clusterIPs\":[\"10.96.0.7\"],\"selector\":{\"app\":\"w\"},\"ports\":["
		"{\"port\":80,\"protocol\":\"TCP\",\"nodePort\":30080},{\"port\":53,\"protocol\":\"UDP\"}]}}"),
		"[\"x\",\"NodePort\",\"10.96.0.7\",\"<none>\",\"80:30080/TCP,53/UDP\",\"10m\",\"app=w\"]");
	CHECK_STR(row(T_kube_service, "{" META "},\"spec\":{\"type\":\"LoadBalancer\",\"clusterIPs\":[\"10.96.0.7\"]}}"),
		"[\"x\",\"LoadBalancer\",\"10.96.0.7\",\"<pending>\",\"<none>\",\"10m\",\"<none>\"]");
	CHECK_STR(row(T_kube_node, "{\"metadata\":{\"name\":\"x\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"labels\":{\"node-role.kubernetes.io/control-plane\":\"\"}},"
		"\"spec\":{\"unschedulable\":true},\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}],\"addresses\":["
		"{\"type\":\"InternalIP\",\"address\":\"10.0.0.2\"}],\"nodeInfo\":{\"kubeletVersion\":\"v1.36.0\",\"kernelVersion\":\"6.1\",\"osImage\":\"Debian\","
		"\"containerRuntimeVersion\":\"coracle://1\",\"architecture\":\"amd64\",\"machineID\":\"\",\"systemUUID\":\"\",\"bootID\":\"\",\"kubeProxyVersion\":\"\","
		"\"operatingSystem\":\"linux\"}}}"),
		"[\"x\",\"Ready,SchedulingDisabled\",\"control-plane\",\"10m\",\"v1.36.0\",\"10.0.0.2\",\"<none>\",\"Debian\",\"6.1 (amd64)\",\"coracle://1\"]");
	CHECK_STR(row(T_kube_endpoints, "{" META "},\"subsets\":[{\"addresses\":[{\"ip\":\"1\"},{\"ip\":\"2\"},{\"ip\":\"3\"},{\"ip\":\"4\"}],\"ports\":[{\"port\":80}]}]}"),
		"[\"x\",\"1:80,2:80,3:80 + 1 more...\",\"10m\"]");
}

TEST(the_columns_of_the_rest_are_those_of_kubectl)
{
	CHECK_STR(row(T_kube_config_map, "{" META "},\"data\":{\"a\":\"b\"},\"binaryData\":{\"c\":\"ZA==\"}}"), "[\"x\",2,\"10m\"]");
	CHECK_STR(row(T_kube_event, "{" META "},\"involvedObject\":{\"kind\":\"Pod\",\"name\":\"p\"},\"reason\":\"R\",\"message\":\" m\\n\",\"type\":\"Normal\","
		"\"source\":{\"component\":\"kubelet\",\"host\":\"n\"},\"count\":3,\"firstTimestamp\":\"2026-01-01T00:00:00Z\",\"lastTimestamp\":\"2026-01-01T00:09:00Z\"}"),
		"[\"60s\",\"Normal\",\"R\",\"pod/p\",\"\",\"kubelet, n\",\"m\",\"10m\",3,\"x\"]");
	CHECK_STR(row(T_kube_role, "{" META "},\"rules\":null}"), "[\"x\",\"2026-01-01T00:00:00Z\"]");
	CHECK_STR(row(T_kube_persistent_volume_claim, "{" META "},\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{}},\"status\":{\"phase\":\"Pending\"}}"),
		"[\"x\",\"Pending\",\"\",\"\",\"\",\"\",\"<unset>\",\"10m\",\"<unset>\"]");
}
