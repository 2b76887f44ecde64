/* SPDX-License-Identifier: Apache-2.0 */
/* The API server as the node's files see it, over kube/client. */
#pragma once
#include "kube/node/node_int.h"

int node_api_new(struct kclient *c, const char *node_name, struct node_api **ret, struct err *e);
/* Services are known. */
int node_api_synced_wait(struct node_api *api, int64_t timeout_ns);
/* Tells when a config map or secret that was asked for has changed. */
void node_api_on_change(struct node_api *api, void (*changed)(void *arg, const char *plural, const char *ns, const char *name), void *arg);
void node_api_free(struct node_api *api);

/* objects.c: config maps and secrets in use, each followed by a watch of its own (a node may not see others), kept while it is asked for. */
struct objects;
int objects_new(struct kclient *c, struct objects **ret);
void objects_free(struct objects *x);
void objects_on_change(struct objects *x, void (*changed)(void *arg, const char *plural, const char *ns, const char *name), void *arg);
int objects_get_wait(struct objects *x, const struct kube_resource *r, const char *ns, const char *name, struct arena *a, void *ret, struct err *e);
