/* SPDX-License-Identifier: Apache-2.0 */
/* Events go after an hour, unless they were written again. */
#include <string.h>

#include "kube/api/world_test.h"

#define EVENTS "/api/v1/namespaces/default/events"
#define EVENT(name) "{\"metadata\":{\"name\":\"" name "\"},\"involvedObject\":{\"kind\":\"Pod\",\"namespace\":\"default\",\"name\":\"p\"},\"reason\":\"Seen\"," \
	"\"message\":\"m\",\"type\":\"Normal\"}"

static void minutes(struct world *w, int n)
{
	for (int i = 0; i < n; i++) {
		w->api->expiry.next_ns = 0;
		api_expire_wait(w->api);
	}
}

static void events(struct world *w)
{
	POST(EVENTS, EVENT("old"));
	CHECK_INT(w->status, 201);
	POST(EVENTS, EVENT("repeated"));
	minutes(w, 30);
	POST(EVENTS, EVENT("young"));
	ask(w, "PATCH", EVENTS "/repeated", "{\"count\":2}", "application/merge-patch+json");
	CHECK_INT(w->status, 200);
	minutes(w, 30);
	GET(EVENTS "/old");
	CHECK_INT(w->status, 200);
	minutes(w, 1);
	GET(EVENTS "/old");
	CHECK_INT(w->status, 404);
	GET(EVENTS "/repeated");
	CHECK_INT(w->status, 200);
	minutes(w, 30);
	GET(EVENTS "/repeated");
	CHECK_INT(w->status, 404);
	GET(EVENTS "/young");
	CHECK_INT(w->status, 404);
	POST(PODS, "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}");
	minutes(w, 70);
	GET(PODS "/p");
	CHECK_INT(w->status, 200);
}
TEST(events_go_an_hour_after_they_were_last_written) { api_world_run(events); }
