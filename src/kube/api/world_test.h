/* SPDX-License-Identifier: Apache-2.0 */
/* An API server over a store in the test's folder, asked through a connection in memory; everybody may do everything. */
#pragma once
#include "base/test.h"
#include "http/client.h"
#include "kube/api/api_int.h"

struct world {
	struct loop *loop;
	struct store *store;
	struct kube_api *api;
	struct http_client *client;
	struct arena a;
	struct err e;
	int status;                   /* of the last answer */
	const char *text;             /* its body */
	const char *type;             /* its content type */
	const char *warning;          /* its first Warning */
	void (*body)(struct world *w);
};
void api_world_run(void (*body)(struct world *w));
/* type NULL: application/json. The answer as a tree (a null one when it is no JSON). */
struct tree ask(struct world *w, const char *method, const char *target, const char *body, const char *type);
struct tree ask_as(struct world *w, const char *method, const char *target, struct slice body, const char *type, const char *accept);
#define GET(target) ask(w, "GET", target, NULL, NULL)
#define POST(target, body) ask(w, "POST", target, body, NULL)
#define PUT(target, body) ask(w, "PUT", target, body, NULL)
#define DELETE(target, body) ask(w, "DELETE", target, body, NULL)
/* Text at a path, "" when it is not there. */
const char *at(struct world *w, const struct tree *t, const char *path);
#define CHECK_AT(tree_, path, want) do { struct tree t_ = (tree_); CHECK_STR(at(w, &t_, path), want); } while (0)
#define PODS "/api/v1/namespaces/default/pods"
#define MAPS "/api/v1/namespaces/default/configmaps"
/* A watch: lines of events. */
struct watching;
struct watching *world_watch(struct world *w, const char *target);
/* The next event; a null tree when the watch has ended. */
struct tree world_event(struct world *w, struct watching *x);
void world_unwatch(struct watching *x);
