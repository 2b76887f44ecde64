/* SPDX-License-Identifier: Apache-2.0 */
/* Lists, selectors, pages, watches. */
#include <string.h>

#include "kube/api/world_test.h"

static void make(struct world *w, const char *name, const char *label)
{
	POST(MAPS, arena_fmt(&w->a, "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"l\":\"%s\"}}}", name, label));
	CHECK_INT(w->status, 201);
}

static void pages(struct world *w)
{
	for (int i = 0; i < 7; i++)
		make(w, arena_fmt(&w->a, "m%d", i), i % 2 ? "odd" : "even");
	struct tree t = GET(MAPS "?limit=3");
	CHECK_STR(at(w, &t, "items[2].metadata.name"), "m2");
	CHECK_STR(at(w, &t, "items[3].metadata.name"), "");
	CHECK_STR(at(w, &t, "metadata.remainingItemCount"), "4");
	const char *rv = at(w, &t, "metadata.resourceVersion"), *token = at(w, &t, "metadata.continue");
	CHECK(*token);
	/* what comes between two pages is not seen */
	make(w, "m35", "odd");
	DELETE(MAPS "/m4", NULL);
	t = GET(arena_fmt(&w->a, MAPS "?limit=3&continue=%s", token));
	CHECK_INT(w->status, 200);
	CHECK_STR(at(w, &t, "metadata.resourceVersion"), rv);
	CHECK_STR(at(w, &t, "items[0].metadata.name"), "m3");
	CHECK_STR(at(w, &t, "items[1].metadata.name"), "m4");
	CHECK_STR(at(w, &t, "metadata.remainingItemCount"), "1");
	t = GET(arena_fmt(&w->a, MAPS "?continue=%s", at(w, &t, "metadata.continue")));
	CHECK_STR(at(w, &t, "items[0].metadata.name"), "m6");
	CHECK_STR(at(w, &t, "metadata.continue"), "");
	/* history that is gone */
	CHECK_OK(store_compact_wait(w->store, store_revision(w->store), &w->e), &w->e);
	t = GET(arena_fmt(&w->a, MAPS "?limit=3&continue=%s", token));
	CHECK_INT(w->status, 410);
	CHECK_STR(at(w, &t, "reason"), "Expired");
	t = GET(arena_fmt(&w->a, MAPS "?continue=%s", at(w, &t, "metadata.continue")));
	CHECK_STR(at(w, &t, "items[1].metadata.name"), "m35");
	GET(MAPS "?continue=bogus");
	CHECK_INT(w->status, 400);
}
TEST(pages_are_of_one_revision_and_expire_with_its_history) { api_world_run(pages); }

static void selectors(struct world *w)
{
	make(w, "a", "1");
	make(w, "b", "2");
	make(w, "c", "3");
	struct tree t = GET(MAPS "?labelSelector=l%20in%20(1,3)");
	CHECK_STR(at(w, &t, "items[1].metadata.name"), "c");
	t = GET(MAPS "?labelSelector=l!%3D1");
	CHECK_STR(at(w, &t, "items[0].metadata.name"), "b");
	t = GET(MAPS "?fieldSelector=metadata.name%3Db");
	CHECK_STR(at(w, &t, "items[0].metadata.name"), "b");
	CHECK_STR(at(w, &t, "items[1].metadata.name"), "");
	t = GET(MAPS "?fieldSelector=spec.x%3Db");
	CHECK_INT(w->status, 400);
	CHECK_STR(at(w, &t, "message"), "field label not supported: spec.x");
	GET(MAPS "?labelSelector=%3D%3D");
	CHECK_INT(w->status, 400);
}
TEST(lists_are_selected_by_labels_and_fields) { api_world_run(selectors); }

static void revisions(struct world *w)
{
	make(w, "a", "1");
	struct tree t = GET(MAPS);
	const char *rv = at(w, &t, "metadata.resourceVersion");
	make(w, "b", "1");
	t = GET(arena_fmt(&w->a, MAPS "?resourceVersion=%s&resourceVersionMatch=Exact", rv));
	CHECK_STR(at(w, &t, "items[0].metadata.name"), "a");
	CHECK_STR(at(w, &t, "items[1].metadata.name"), "");
	t = GET(arena_fmt(&w->a, MAPS "?resourceVersion=%s&resourceVersionMatch=NotOlderThan", rv));
	CHECK_STR(at(w, &t, "items[1].metadata.name"), "b");
	GET(MAPS "?resourceVersionMatch=Exact");
	CHECK_INT(w->status, 422);
	t = GET(MAPS "?resourceVersion=999999&resourceVersionMatch=Exact");
	CHECK_INT(w->status, 504);
	CHECK_STR(at(w, &t, "details.causes[0].reason"), "ResourceVersionTooLarge");
	GET(MAPS "?resourceVersion=abc");
	CHECK_INT(w->status, 400);
}
TEST(lists_at_a_revision_and_not_older_than_one) { api_world_run(revisions); }

static void check_event(struct world *w, struct watching *x, const char *type, const char *name)
{
	struct tree ev = world_event(w, x);
	CHECK_STR(at(w, &ev, "type"), type);
	CHECK_STR(at(w, &ev, "object.metadata.name"), name);
}

static void watches(struct world *w)
{
	make(w, "a", "1");
	struct tree t = GET(MAPS);
	const char *rv = at(w, &t, "metadata.resourceVersion");
	struct watching *all = world_watch(w, arena_fmt(&w->a, MAPS "?watch=true&resourceVersion=%s", rv));
	struct watching *some = world_watch(w, arena_fmt(&w->a, MAPS "?watch=1&resourceVersion=%s&labelSelector=l%%3D1", rv));
	make(w, "b", "2");
	check_event(w, all, "ADDED", "b");
	ask(w, "PATCH", MAPS "/b", "{\"metadata\":{\"labels\":{\"l\":\"1\"}}}", "application/merge-patch+json");
	check_event(w, all, "MODIFIED", "b");
	check_event(w, some, "ADDED", "b");
	ask(w, "PATCH", MAPS "/a", "{\"metadata\":{\"labels\":{\"l\":\"3\"}}}", "application/merge-patch+json");
	check_event(w, all, "MODIFIED", "a");
	struct tree gone = world_event(w, some);
	CHECK_STR(at(w, &gone, "type"), "DELETED");
	CHECK_STR(at(w, &gone, "object.metadata.labels.l"), "1");
	DELETE(MAPS "/b", NULL);
	check_event(w, all, "DELETED", "b");
	struct tree ev = world_event(w, some);
	CHECK_STR(at(w, &ev, "type"), "DELETED");
	CHECK_STR(at(w, &ev, "object.metadata.resourceVersion"), arena_fmt(&w->a, "%lld", (long long)store_revision(w->store)));
	world_unwatch(all);
	world_unwatch(some);
}
TEST(a_watch_tells_what_comes_changes_leaves_the_selection_and_goes) { api_world_run(watches); }

static void initial(struct world *w)
{
	make(w, "a", "1");
	struct watching *x = world_watch(w, MAPS "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion=");
	check_event(w, x, "ADDED", "a");
	struct tree ev = world_event(w, x);
	CHECK_STR(at(w, &ev, "type"), "BOOKMARK");
	CHECK_STR(at(w, &ev, "object.kind"), "ConfigMap");
	CHECK_STR(at(w, &ev, "object.metadata.annotations[\"k8s.io/initial-events-end\"]"), "true");
	make(w, "b", "1");
	check_event(w, x, "ADDED", "b");
	world_unwatch(x);
	x = world_watch(w, MAPS "?watch=true&resourceVersion=0&timeoutSeconds=1");
	check_event(w, x, "ADDED", "a");
	check_event(w, x, "ADDED", "b");
	ev = world_event(w, x);
	CHECK_INT(ev.type, TREE_NULL);
	world_unwatch(x);
	GET(MAPS "?watch=true&sendInitialEvents=true");
	CHECK_INT(w->status, 422);
}
TEST(a_watch_begins_with_what_is_there_and_says_where_that_ends) { api_world_run(initial); }

static void too_old(struct world *w)
{
	make(w, "a", "0");
	struct tree t = GET(MAPS);
	const char *rv = at(w, &t, "metadata.resourceVersion");
	struct api_cache *c = api_cache_of(w->api, "configmaps");
	struct watching *slow = world_watch(w, arena_fmt(&w->a, MAPS "?watch=true&resourceVersion=%s", rv));
	c->ring_from = store_revision(w->store) + 1;      /* as after more events than the ring holds */
	struct watching *x = world_watch(w, arena_fmt(&w->a, MAPS "?watch=true&resourceVersion=%s", rv));
	struct tree ev = world_event(w, x);
	CHECK_STR(at(w, &ev, "type"), "ERROR");
	CHECK_STR(at(w, &ev, "object.reason"), "Expired");
	CHECK_STR(at(w, &ev, "object.code"), "410");
	ev = world_event(w, x);
	CHECK_INT(ev.type, TREE_NULL);
	world_unwatch(x);
	world_unwatch(slow);
}
TEST(a_watch_from_forgotten_history_is_told_410) { api_world_run(too_old); }

static void tables(struct world *w)
{
	make(w, "a", "1");
	const char *accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
	struct tree t = ask_as(w, "GET", MAPS, slice_of(NULL), NULL, accept);
	CHECK_STR(at(w, &t, "kind"), "Table");
	CHECK_STR(at(w, &t, "columnDefinitions[0].name"), "Name");
	CHECK_STR(at(w, &t, "rows[0].cells[0]"), "a");
	CHECK_STR(at(w, &t, "rows[0].object.kind"), "PartialObjectMetadata");
	t = ask_as(w, "GET", MAPS "/a?includeObject=Object", slice_of(NULL), NULL, accept);
	CHECK_STR(at(w, &t, "rows[0].object.kind"), "ConfigMap");
	t = ask_as(w, "GET", MAPS "/zz", slice_of(NULL), NULL, accept);
	CHECK_STR(at(w, &t, "kind"), "Status");
	t = ask_as(w, "GET", MAPS, slice_of(NULL), NULL, "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
	CHECK_STR(at(w, &t, "kind"), "PartialObjectMetadataList");
	CHECK_STR(at(w, &t, "items[0].metadata.labels.l"), "1");
	ask_as(w, "GET", MAPS, slice_of(NULL), NULL, "text/html");
	CHECK_INT(w->status, 406);
	ask_as(w, "GET", MAPS "/a", slice_of(NULL), NULL, "application/yaml");
	CHECK_STR(w->type, "application/yaml");
	CHECK(strstr(w->text, "kind: ConfigMap\n"));
}
TEST(answers_come_as_tables_metadata_and_yaml) { api_world_run(tables); }

static void protobuf(struct world *w)
{
	struct kube_config_map m = { "ConfigMap", "v1", .metadata.name = "pb" };
	AUTO(buf) struct buf raw = BUF_INIT(4096);
	AUTO(buf) struct buf b = BUF_INIT(4096);
	CHECK_INT(schema_to_protobuf(T_kube_config_map, &m, &raw), 0);
	struct kube_unknown u = { .kind = "ConfigMap", .api_version = "v1", .raw = buf_slice(&raw) };
	buf_add(&b, "k8s\0", 4);
	CHECK_INT(schema_to_protobuf(T_kube_unknown, &u, &b), 0);
	const char *type = "application/vnd.kubernetes.protobuf";
	ask_as(w, "POST", MAPS, buf_slice(&b), type, "application/vnd.kubernetes.protobuf,application/json");
	CHECK_INT(w->status, 201);
	CHECK_STR(w->type, type);
	CHECK_STR(w->text, "k8s");
	CHECK_AT(GET(MAPS "/pb"), "metadata.name", "pb");
	ask_as(w, "GET", MAPS, slice_of(NULL), NULL, type);
	CHECK_STR(w->type, type);
	ask_as(w, "POST", MAPS, SLICE("{}"), type, NULL);
	CHECK_INT(w->status, 400);
	ask_as(w, "POST", MAPS, SLICE("{}"), "text/csv", NULL);
	CHECK_INT(w->status, 415);
}
TEST(protobuf_is_spoken_both_ways) { api_world_run(protobuf); }

static void discovery(struct world *w)
{
	struct tree t = ask_as(w, "GET", "/apis", slice_of(NULL), NULL,
		"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json");
	CHECK_STR(at(w, &t, "apiVersion"), "apidiscovery.k8s.io/v2beta1");
	t = ask_as(w, "GET", "/api", slice_of(NULL), NULL, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
	CHECK_STR(at(w, &t, "apiVersion"), "apidiscovery.k8s.io/v2");
	CHECK_STR(w->type, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
	t = GET("/apis");
	CHECK_STR(at(w, &t, "groups[0].name"), "apps");
	t = GET("/apis/apps/v1");
	CHECK_STR(at(w, &t, "resources[0].name"), "controllerrevisions");
	GET("/apis/nothing/v1");
	CHECK_INT(w->status, 404);
	t = GET("/version");
	CHECK_STR(at(w, &t, "minor"), "36");
	GET("/readyz?verbose");
	CHECK(strstr(w->text, "readyz check passed"));
}
TEST(discovery_is_plain_or_aggregated_as_asked) { api_world_run(discovery); }
