/* SPDX-License-Identifier: Apache-2.0 */
/* The API server as the node's files see it, over kube/client. */
#pragma once
#include "kube/node/node_int.h"

int node_api_new(struct kclient *c, const char *node_name, struct node_api **ret, struct err *e);
/* Services are known. */
int node_api_synced_wait(struct node_api *api, int64_t timeout_ns);
void node_api_free(struct node_api *api);
