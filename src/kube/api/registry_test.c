/* SPDX-License-Identifier: Apache-2.0 */
/* Create, read, change, delete: what every resource does the same. */
#include <string.h>

#include "kube/api/world_test.h"

#define MAP(name, more) "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" name "\"" more "}}"
#define POD(name, more) "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{" more "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"

static void created(struct world *w)
{
	struct tree t = POST(MAPS, "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"v\"}}");
	CHECK_INT(w->status, 201);
	CHECK_STR(at(w, &t, "kind"), "ConfigMap");
	CHECK_STR(at(w, &t, "metadata.namespace"), "default");
	CHECK_INT(strlen(at(w, &t, "metadata.uid")), 36);
	CHECK_STR(at(w, &t, "metadata.managedFields[0].manager"), "tester");
	const char *rv = at(w, &t, "metadata.resourceVersion");
	t = GET(MAPS "/a");
	CHECK_INT(w->status, 200);
	CHECK_STR(at(w, &t, "metadata.resourceVersion"), rv);
	CHECK_STR(at(w, &t, "data.k"), "v");
	t = GET(MAPS);
	CHECK_STR(at(w, &t, "kind"), "ConfigMapList");
	CHECK_STR(at(w, &t, "items[0].metadata.name"), "a");
	CHECK_STR(at(w, &t, "items[0].kind"), "");
	t = POST(MAPS, MAP("a", ""));
	CHECK_INT(w->status, 409);
	CHECK_STR(at(w, &t, "message"), "configmaps \"a\" already exists");
	CHECK_STR(at(w, &t, "reason"), "AlreadyExists");
	t = DELETE(MAPS "/a", NULL);
	CHECK_STR(at(w, &t, "status"), "Success");
	CHECK_STR(at(w, &t, "details.kind"), "configmaps");
	t = GET(MAPS "/a");
	CHECK_INT(w->status, 404);
	CHECK_STR(at(w, &t, "message"), "configmaps \"a\" not found");
}
TEST(an_object_is_created_read_listed_and_deleted) { api_world_run(created); }

static void names(struct world *w)
{
	struct tree t = POST(MAPS, "{\"metadata\":{\"generateName\":\"gen-\"}}");
	CHECK_INT(w->status, 201);
	CHECK_INT(strlen(at(w, &t, "metadata.name")), 9);
	t = POST(MAPS, "{\"metadata\":{}}");
	CHECK_INT(w->status, 422);
	CHECK_STR(at(w, &t, "message"), "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required");
	CHECK_STR(at(w, &t, "details.causes[0].field"), "metadata.name");
	POST(MAPS, MAP("b", ",\"namespace\":\"other\""));
	CHECK_INT(w->status, 400);
	POST(MAPS, MAP("b", ",\"resourceVersion\":\"7\""));
	CHECK_INT(w->status, 400);
	t = POST("/api/v1/namespaces/nowhere/configmaps", MAP("b", ""));
	CHECK_INT(w->status, 404);
	CHECK_STR(at(w, &t, "message"), "namespaces \"nowhere\" not found");
	t = POST(PODS, MAP("b", ""));
	CHECK_INT(w->status, 400);
}
TEST(names_are_made_checked_and_kept_in_their_namespace) { api_world_run(names); }

static void updates(struct world *w)
{
	struct tree t = POST(MAPS, MAP("a", ""));
	const char *rv = at(w, &t, "metadata.resourceVersion"), *uid = at(w, &t, "metadata.uid");
	t = PUT(MAPS "/a", "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"1\"}}");
	CHECK_INT(w->status, 200);
	CHECK_STR(at(w, &t, "metadata.uid"), uid);
	const char *rv2 = at(w, &t, "metadata.resourceVersion");
	CHECK(strcmp(rv, rv2));
	t = PUT(MAPS "/a", arena_fmt(&w->a, "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"%s\"}}", rv));
	CHECK_INT(w->status, 409);
	CHECK_STR(at(w, &t, "message"), "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again");
	t = PUT(MAPS "/a", "{\"metadata\":{\"name\":\"a\",\"uid\":\"1234\"}}");
	CHECK_INT(w->status, 409);
	t = PUT(MAPS "/a", "{\"metadata\":{\"name\":\"b\"}}");
	CHECK_STR(at(w, &t, "message"), "the name of the object (b) does not match the name on the URL (a)");
	t = PUT(MAPS "/zz", "{\"metadata\":{\"name\":\"zz\"}}");
	CHECK_INT(w->status, 404);
	/* the same again is no change */
	t = GET(MAPS "/a");
	AUTO(buf) struct buf same = BUF_INIT(1 << 20);
	tree_to_json(&t, 0, &same);
	t = PUT(MAPS "/a", same.ptr);
	CHECK_STR(at(w, &t, "metadata.resourceVersion"), rv2);
}
TEST(an_update_needs_the_newest_version_and_a_void_one_makes_none) { api_world_run(updates); }

static void finalizers(struct world *w)
{
	POST(MAPS, MAP("a", ",\"finalizers\":[\"example.com/x\"]"));
	CHECK_INT(w->status, 201);
	struct tree t = DELETE(MAPS "/a", NULL);
	CHECK_INT(w->status, 200);
	CHECK(*at(w, &t, "metadata.deletionTimestamp"));
	GET(MAPS "/a");
	CHECK_INT(w->status, 200);
	ask(w, "PATCH", MAPS "/a", "{\"metadata\":{\"finalizers\":null}}", "application/merge-patch+json");
	CHECK_INT(w->status, 200);
	GET(MAPS "/a");
	CHECK_INT(w->status, 404);
	POST(MAPS, MAP("b", ""));
	t = DELETE(MAPS "/b", "{\"propagationPolicy\":\"Foreground\"}");
	CHECK_STR(at(w, &t, "metadata.finalizers[0]"), "foregroundDeletion");
	t = DELETE(MAPS "/b", "{\"propagationPolicy\":\"Orphan\"}");
	CHECK_STR(at(w, &t, "metadata.finalizers[0]"), "orphan");
	t = DELETE(MAPS "/b", "{\"preconditions\":{\"uid\":\"1\"}}");
	CHECK_INT(w->status, 409);
	t = DELETE(MAPS "/b", "{\"propagationPolicy\":\"Sideways\"}");
	CHECK_INT(w->status, 422);
}
TEST(finalizers_keep_an_object_until_the_last_is_gone) { api_world_run(finalizers); }

static void graceful(struct world *w)
{
	struct tree t = POST(PODS, POD("p", "\"nodeName\":\"n1\","));
	CHECK_INT(w->status, 201);
	CHECK_STR(at(w, &t, "status.phase"), "Pending");
	t = DELETE(PODS "/p", "{\"gracePeriodSeconds\":20}");
	CHECK_STR(at(w, &t, "metadata.deletionGracePeriodSeconds"), "20");
	const char *when = at(w, &t, "metadata.deletionTimestamp");
	t = DELETE(PODS "/p", "{\"gracePeriodSeconds\":40}");
	CHECK_STR(at(w, &t, "metadata.deletionTimestamp"), when);
	t = DELETE(PODS "/p", "{\"gracePeriodSeconds\":5}");
	CHECK_STR(at(w, &t, "metadata.deletionGracePeriodSeconds"), "5");
	DELETE(PODS "/p", "{\"gracePeriodSeconds\":0}");
	GET(PODS "/p");
	CHECK_INT(w->status, 404);
	POST(PODS, POD("unbound", ""));
	DELETE(PODS "/unbound", NULL);
	GET(PODS "/unbound");
	CHECK_INT(w->status, 404);
}
TEST(pods_on_a_node_go_gracefully_and_only_ever_sooner) { api_world_run(graceful); }

static void status_door(struct world *w)
{
	struct tree t = POST(PODS, POD("p", ""));
	t = ask(w, "PATCH", PODS "/p/status", "{\"spec\":{\"nodeName\":\"x\"},\"status\":{\"phase\":\"Running\"}}", "application/merge-patch+json");
	CHECK_INT(w->status, 200);
	CHECK_STR(at(w, &t, "status.phase"), "Running");
	CHECK_STR(at(w, &t, "spec.nodeName"), "");
	t = ask(w, "PATCH", PODS "/p", "{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"status\":{\"phase\":\"Failed\"}}", "application/merge-patch+json");
	CHECK_STR(at(w, &t, "status.phase"), "Running");
	CHECK_STR(at(w, &t, "metadata.labels.a"), "b");
}
TEST(status_is_written_through_its_own_door_only) { api_world_run(status_door); }

static void terminating(struct world *w)
{
	POST("/api/v1/namespaces", "{\"metadata\":{\"name\":\"going\"}}");
	CHECK_INT(w->status, 201);
	struct tree t = GET("/api/v1/namespaces/going/serviceaccounts/default");
	CHECK_INT(w->status, 200);
	t = DELETE("/api/v1/namespaces/going", NULL);
	CHECK_STR(at(w, &t, "status.phase"), "Terminating");
	t = POST("/api/v1/namespaces/going/configmaps", MAP("a", ""));
	CHECK_INT(w->status, 403);
	CHECK_STR(at(w, &t, "details.causes[0].reason"), "NamespaceTerminating");
	t = PUT("/api/v1/namespaces/going/finalize", "{\"metadata\":{\"name\":\"going\"},\"spec\":{\"finalizers\":[]}}");
	CHECK_INT(w->status, 200);
	GET("/api/v1/namespaces/going");
	CHECK_INT(w->status, 404);
	t = DELETE("/api/v1/namespaces/default", NULL);
	CHECK_INT(w->status, 403);
	CHECK_STR(at(w, &t, "message"), "namespaces \"default\" is forbidden: this namespace may not be deleted");
}
TEST(a_namespace_that_goes_takes_nothing_new) { api_world_run(terminating); }

static void dry(struct world *w)
{
	struct tree t = POST(MAPS "?dryRun=All", MAP("a", ""));
	CHECK_INT(w->status, 201);
	CHECK(*at(w, &t, "metadata.uid"));
	GET(MAPS "/a");
	CHECK_INT(w->status, 404);
	POST(MAPS, MAP("a", ""));
	ask(w, "PATCH", MAPS "/a?dryRun=All", "{\"data\":{\"x\":\"y\"}}", "application/merge-patch+json");
	CHECK_AT(GET(MAPS "/a"), "data.x", "");
	DELETE(MAPS "/a?dryRun=All", NULL);
	GET(MAPS "/a");
	CHECK_INT(w->status, 200);
	POST(MAPS "?dryRun=Some", MAP("b", ""));
	CHECK_INT(w->status, 400);
}
TEST(a_dry_run_stores_nothing) { api_world_run(dry); }

static void strictness(struct world *w)
{
	struct tree t = POST(MAPS "?fieldValidation=Strict", "{\"metadata\":{\"name\":\"a\"},\"dat\":{},\"x\":1}");
	CHECK_INT(w->status, 400);
	CHECK_STR(at(w, &t, "message"), "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"dat\", unknown field \"x\"");
	POST(MAPS, "{\"metadata\":{\"name\":\"a\"},\"dat\":{}}");
	CHECK_INT(w->status, 201);
	CHECK_STR(w->warning, "299 - \"unknown field \\\"dat\\\"\"");
	POST(MAPS "?fieldValidation=Ignore", "{\"metadata\":{\"name\":\"b\"},\"dat\":{}}");
	CHECK_INT(w->status, 201);
	CHECK_STR(w->warning, "");
}
TEST(unknown_fields_are_refused_warned_of_or_ignored) { api_world_run(strictness); }

static void collection(struct world *w)
{
	POST(MAPS, MAP("a", ",\"labels\":{\"x\":\"1\"}"));
	POST(MAPS, MAP("b", ",\"labels\":{\"x\":\"2\"}"));
	POST(MAPS, MAP("c", ",\"labels\":{\"x\":\"1\"}"));
	DELETE(MAPS "?labelSelector=x%3D1", NULL);
	CHECK_INT(w->status, 200);
	struct tree t = GET(MAPS);
	CHECK_STR(at(w, &t, "items[0].metadata.name"), "b");
	CHECK_STR(at(w, &t, "items[1].metadata.name"), "");
	DELETE("/api/v1/namespaces", NULL);
	CHECK_INT(w->status, 405);
}
TEST(a_collection_is_deleted_by_selector) { api_world_run(collection); }
