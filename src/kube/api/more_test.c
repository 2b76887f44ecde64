/* SPDX-License-Identifier: Apache-2.0 */
/* Patches, subresources, services, custom resources. */
#include <string.h>

#include "kube/api/world_test.h"

#define APPLY "application/apply-patch+yaml"
#define SVC "/api/v1/namespaces/default/services"

static void patches(struct world *w)
{
	POST(PODS, "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"},{\"name\":\"d\",\"image\":\"i\"}]}}");
	CHECK_INT(w->status, 201);
	struct tree t = ask(w, "PATCH", PODS "/p", "{\"spec\":{\"containers\":[{\"name\":\"d\",\"image\":\"j\"}]}}", "application/strategic-merge-patch+json");
	CHECK_STR(at(w, &t, "spec.containers[1].image"), "j");
	CHECK_STR(at(w, &t, "spec.containers[0].image"), "i");
	t = ask(w, "PATCH", PODS "/p", "[{\"op\":\"replace\",\"path\":\"/spec/containers/0/image\",\"value\":\"k\"}]", "application/json-patch+json");
	CHECK_STR(at(w, &t, "spec.containers[0].image"), "k");
	ask(w, "PATCH", PODS "/p", "[{\"op\":\"test\",\"path\":\"/spec/containers/0/image\",\"value\":\"z\"}]", "application/json-patch+json");
	CHECK_INT(w->status, 422);
	ask(w, "PATCH", PODS "/p", "{\"metadata\":{\"resourceVersion\":\"1\"}}", "application/merge-patch+json");
	CHECK_INT(w->status, 409);
	ask(w, "PATCH", PODS "/p", "{}", "application/json");
	CHECK_INT(w->status, 415);
	ask(w, "PATCH", PODS "/p", "{\"spec\":", "application/merge-patch+json");
	CHECK_INT(w->status, 400);
	ask(w, "PATCH", PODS "/nobody", "{}", "application/merge-patch+json");
	CHECK_INT(w->status, 404);
}
TEST(objects_are_patched_in_three_ways) { api_world_run(patches); }

static void applies(struct world *w)
{
	const char *one = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '1'}\n";
	struct tree t = ask(w, "PATCH", MAPS "/a?fieldManager=one", one, APPLY);
	CHECK_INT(w->status, 201);
	CHECK_STR(at(w, &t, "metadata.managedFields[0].operation"), "Apply");
	const char *rv = at(w, &t, "metadata.resourceVersion");
	t = ask(w, "PATCH", MAPS "/a?fieldManager=one", one, APPLY);
	CHECK_INT(w->status, 200);
	CHECK_STR(at(w, &t, "metadata.resourceVersion"), rv);
	const char *two = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '2'}\n";
	t = ask(w, "PATCH", MAPS "/a?fieldManager=two", two, APPLY);
	CHECK_INT(w->status, 409);
	CHECK_STR(at(w, &t, "details.causes[0].reason"), "FieldManagerConflict");
	CHECK_STR(at(w, &t, "details.causes[0].field"), ".data.x");
	t = ask(w, "PATCH", MAPS "/a?fieldManager=two&force=true", two, APPLY);
	CHECK_STR(at(w, &t, "data.x"), "2");
	t = ask(w, "PATCH", MAPS "/a?fieldManager=two", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", APPLY);
	CHECK_STR(at(w, &t, "data.x"), "");
	ask(w, "PATCH", MAPS "/a", one, APPLY);
	CHECK_INT(w->status, 422);
}
TEST(applied_fields_have_owners_and_go_when_they_are_no_longer_applied) { api_world_run(applies); }

static void scales(struct world *w)
{
	const char *d = "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},"
		"\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}";
	POST("/apis/apps/v1/namespaces/default/deployments", d);
	CHECK_INT(w->status, 201);
	struct tree t = GET("/apis/apps/v1/namespaces/default/deployments/d/scale");
	CHECK_STR(at(w, &t, "kind"), "Scale");
	CHECK_STR(at(w, &t, "status.selector"), "a=b");
	t = ask(w, "PATCH", "/apis/apps/v1/namespaces/default/deployments/d/scale", "{\"spec\":{\"replicas\":4}}", "application/merge-patch+json");
	CHECK_STR(at(w, &t, "spec.replicas"), "4");
	t = GET("/apis/apps/v1/namespaces/default/deployments/d");
	CHECK_STR(at(w, &t, "spec.replicas"), "4");
	CHECK_STR(at(w, &t, "metadata.generation"), "2");
}
TEST(a_deployment_is_scaled_through_its_scale) { api_world_run(scales); }

static void bindings(struct world *w)
{
	POST(PODS, "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}");
	const char *b = "{\"metadata\":{\"name\":\"p\"},\"target\":{\"kind\":\"Node\",\"name\":\"n1\"}}";
	POST(PODS "/p/binding", b);
	CHECK_INT(w->status, 201);
	struct tree t = GET(PODS "/p");
	CHECK_STR(at(w, &t, "spec.nodeName"), "n1");
	CHECK_STR(at(w, &t, "status.conditions[0].type"), "PodScheduled");
	t = POST(PODS "/p/binding", b);
	CHECK_INT(w->status, 409);
	t = GET("/api/v1/pods?fieldSelector=spec.nodeName%3Dn1");
	CHECK_STR(at(w, &t, "items[0].metadata.name"), "p");
}
TEST(a_pod_is_bound_once) { api_world_run(bindings); }

static void evictions(struct world *w)
{
	POST(PODS, "{\"metadata\":{\"name\":\"p\",\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}");
	ask(w, "PATCH", PODS "/p/status", "{\"status\":{\"phase\":\"Running\"}}", "application/merge-patch+json");
	POST("/apis/policy/v1/namespaces/default/poddisruptionbudgets", "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"minAvailable\":1,\"selector\":{\"matchLabels\":{\"a\":\"b\"}}}}");
	CHECK_INT(w->status, 201);
	const char *ev = "{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"p\"}}";
	struct tree t = POST(PODS "/p/eviction", ev);
	CHECK_INT(w->status, 429);
	CHECK_STR(at(w, &t, "message"), "Cannot evict pod as it would violate the pod's disruption budget.");
	ask(w, "PATCH", "/apis/policy/v1/namespaces/default/poddisruptionbudgets/b/status", "{\"status\":{\"disruptionsAllowed\":1,\"observedGeneration\":1}}",
		"application/merge-patch+json");
	POST(PODS "/p/eviction", ev);
	CHECK_INT(w->status, 201);
	GET(PODS "/p");
	CHECK_INT(w->status, 404);
}
TEST(an_eviction_needs_a_disruption_that_the_budget_allows) { api_world_run(evictions); }

static void services(struct world *w)
{
	struct tree t = GET(SVC "/kubernetes");
	CHECK_STR(at(w, &t, "spec.clusterIP"), "10.96.0.1");
	t = POST(SVC, "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"ports\":[{\"port\":80}]}}");
	CHECK_INT(w->status, 201);
	CHECK(!strncmp(at(w, &t, "spec.clusterIP"), "10.", 3));
	CHECK_STR(at(w, &t, "spec.clusterIPs[0]"), at(w, &t, "spec.clusterIP"));
	t = POST(SVC, "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"clusterIP\":\"10.96.0.10\",\"ports\":[{\"port\":53}]}}");
	CHECK_INT(w->status, 201);
	t = POST(SVC, "{\"metadata\":{\"name\":\"c\"},\"spec\":{\"clusterIP\":\"10.96.0.10\",\"ports\":[{\"port\":53}]}}");
	CHECK_INT(w->status, 422);
	CHECK(strstr(at(w, &t, "message"), "provided IP is already allocated"));
	t = POST(SVC, "{\"metadata\":{\"name\":\"n\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80,\"nodePort\":30080}]}}");
	CHECK_INT(w->status, 201);
	t = POST(SVC, "{\"metadata\":{\"name\":\"m\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80,\"nodePort\":30080}]}}");
	CHECK(strstr(at(w, &t, "message"), "provided port is already allocated"));
	POST(SVC, "{\"metadata\":{\"name\":\"m\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80,\"nodePort\":80}]}}");
	CHECK_INT(w->status, 422);
	/* given back: by deleting, and by a change of the type */
	DELETE(SVC "/b", NULL);
	POST(SVC, "{\"metadata\":{\"name\":\"c\"},\"spec\":{\"clusterIP\":\"10.96.0.10\",\"ports\":[{\"port\":53}]}}");
	CHECK_INT(w->status, 201);
	t = ask(w, "PATCH", SVC "/n", "{\"spec\":{\"type\":\"ClusterIP\",\"ports\":[{\"port\":80}]}}", "application/merge-patch+json");
	CHECK_INT(w->status, 200);
	POST(SVC, "{\"metadata\":{\"name\":\"m\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80,\"nodePort\":30080}]}}");
	CHECK_INT(w->status, 201);
	t = POST(SVC, "{\"metadata\":{\"name\":\"h\"},\"spec\":{\"clusterIP\":\"None\",\"ports\":[{\"port\":80}]}}");
	CHECK_STR(at(w, &t, "spec.clusterIP"), "None");
}
TEST(services_get_addresses_and_ports_that_nobody_else_has) { api_world_run(services); }

static void pods(struct world *w)
{
	struct tree t = POST(PODS, "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"priorityClassName\":\"system-node-critical\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}");
	CHECK_INT(w->status, 201);
	CHECK_STR(at(w, &t, "spec.serviceAccountName"), "default");
	CHECK_STR(at(w, &t, "spec.priority"), "2000001000");
	CHECK_STR(at(w, &t, "spec.tolerations[0].key"), "node.kubernetes.io/not-ready");
	CHECK_STR(at(w, &t, "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds"), "3607");
	CHECK_STR(at(w, &t, "spec.containers[0].volumeMounts[0].mountPath"), "/var/run/secrets/kubernetes.io/serviceaccount");
	t = POST(PODS, "{\"metadata\":{\"name\":\"q\"},\"spec\":{\"serviceAccountName\":\"nobody\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}");
	CHECK_INT(w->status, 403);
	CHECK_STR(at(w, &t, "message"), "pods \"q\" is forbidden: error looking up service account default/nobody: serviceaccount \"nobody\" not found");
	t = POST(PODS, "{\"metadata\":{\"name\":\"q\"},\"spec\":{\"priorityClassName\":\"none\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}");
	CHECK_STR(at(w, &t, "message"), "pods \"q\" is forbidden: no PriorityClass with name none was found");
	POST("/api/v1/namespaces/default/limitranges", "{\"metadata\":{\"name\":\"l\"},\"spec\":{\"limits\":[{\"type\":\"Container\",\"default\":{\"cpu\":\"500m\"},\"max\":{\"cpu\":\"1\"}}]}}");
	t = POST(PODS, "{\"metadata\":{\"name\":\"r\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}");
	CHECK_STR(at(w, &t, "spec.containers[0].resources.limits.cpu"), "500m");
	t = POST(PODS, "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"resources\":{\"limits\":{\"cpu\":\"2\"}}}]}}");
	CHECK_STR(at(w, &t, "message"), "pods \"s\" is forbidden: maximum cpu usage per Container is 1, but limit is 2");
}
TEST(admission_completes_pods_and_refuses_what_may_not_be) { api_world_run(pods); }

static void views(struct world *w)
{
	struct tree t = POST("/apis/events.k8s.io/v1/namespaces/default/events", "{\"metadata\":{\"name\":\"e\"},\"eventTime\":\"2026-01-01T00:00:00.000000Z\","
		"\"reason\":\"R\",\"action\":\"A\",\"type\":\"Normal\",\"note\":\"hello\",\"reportingController\":\"c\",\"reportingInstance\":\"i\","
		"\"regarding\":{\"kind\":\"Pod\",\"name\":\"p\",\"namespace\":\"default\"}}");
	CHECK_INT(w->status, 201);
	CHECK_STR(at(w, &t, "apiVersion"), "events.k8s.io/v1");
	t = GET("/api/v1/namespaces/default/events/e");
	CHECK_STR(at(w, &t, "message"), "hello");
	CHECK_STR(at(w, &t, "involvedObject.name"), "p");
	t = GET("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dp,reason%3DR");
	CHECK_STR(at(w, &t, "items[0].metadata.name"), "e");
	t = GET("/apis/events.k8s.io/v1/namespaces/default/events");
	CHECK_STR(at(w, &t, "items[0].note"), "hello");
}
TEST(core_events_and_events_k8s_io_are_the_same_objects) { api_world_run(views); }

#define CRD "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define WIDGETS "/apis/example.com/v1/namespaces/default/widgets"

static void make_widgets(struct world *w)
{
	POST(CRD, "{\"metadata\":{\"name\":\"widgets.example.com\"},\"spec\":{\"group\":\"example.com\",\"scope\":\"Namespaced\","
		"\"names\":{\"plural\":\"widgets\",\"kind\":\"Widget\"},\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"subresources\":{\"status\":{}},"
		"\"schema\":{\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"properties\":{\"size\":{\"type\":\"integer\",\"maximum\":5},"
		"\"color\":{\"type\":\"string\",\"default\":\"red\"}}},\"status\":{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}}}}}]}}");
	CHECK_INT(w->status, 201);
	for (int i = 0; i < 1000; i++) {
		struct tree t = GET(CRD "/widgets.example.com");
		if (strstr(w->text, "\"Established\"") && api_resource_find(w->api, "example.com", "v1", "widgets"))
			break;
		CHECK_INT(w->status, 200);
		(void)t;
		fiber_yield_wait();
		sleep_wait(1000000);
	}
}

static void custom(struct world *w)
{
	GET(WIDGETS);
	CHECK_INT(w->status, 404);
	make_widgets(w);
	struct tree t = POST(WIDGETS, "{\"apiVersion\":\"example.com/v1\",\"kind\":\"Widget\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"size\":3,\"junk\":1},\"status\":{\"x\":1}}");
	CHECK_INT(w->status, 201);
	CHECK_STR(at(w, &t, "spec.color"), "red");
	CHECK_STR(at(w, &t, "spec.junk"), "");
	CHECK_STR(at(w, &t, "status"), "");
	CHECK_STR(w->warning, "299 - \"unknown field \\\"spec.junk\\\"\"");
	t = ask(w, "PATCH", WIDGETS "/a/status", "{\"status\":{\"x\":2},\"spec\":{\"size\":1}}", "application/merge-patch+json");
	CHECK_STR(at(w, &t, "status.x"), "2");
	CHECK_STR(at(w, &t, "spec.size"), "3");
	CHECK_STR(at(w, &t, "metadata.generation"), "1");
	t = ask(w, "PATCH", WIDGETS "/a", "{\"spec\":{\"size\":9}}", "application/merge-patch+json");
	CHECK_INT(w->status, 422);
	t = ask(w, "PATCH", WIDGETS "/a", "{\"spec\":{\"size\":4}}", "application/merge-patch+json");
	CHECK_STR(at(w, &t, "metadata.generation"), "2");
	ask(w, "PATCH", WIDGETS "/a", "{}", "application/strategic-merge-patch+json");
	CHECK_INT(w->status, 415);
	t = GET("/apis/example.com/v1");
	CHECK_STR(at(w, &t, "resources[0].kind"), "Widget");
	struct watching *x = world_watch(w, WIDGETS "?watch=true");
	t = world_event(w, x);
	CHECK_STR(at(w, &t, "object.metadata.name"), "a");
	DELETE(CRD "/widgets.example.com", NULL);
	t = world_event(w, x);
	CHECK_STR(at(w, &t, "type"), "DELETED");
	t = world_event(w, x);
	CHECK_INT(t.type, TREE_NULL);
	world_unwatch(x);
	for (int i = 0; i < 1000 && (GET(CRD "/widgets.example.com"), w->status == 200); i++)
		sleep_wait(1000000);
	CHECK_INT(w->status, 404);
	GET(WIDGETS);
	CHECK_INT(w->status, 404);
}
TEST(custom_resources_come_and_go_with_their_definition) { api_world_run(custom); }
