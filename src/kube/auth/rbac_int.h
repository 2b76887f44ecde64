/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/auto.h"
#include "base/map.h"
#include "base/vec.h"
#include "kube/auth/rbac.h"

struct rbac_item {
	struct arena arena;
	void *obj;                     /* struct kube_role, kube_cluster_role, … */
	const char *ns, *name;         /* ns "" for cluster-wide kinds */
};
/* Bindings of one namespace. */
struct rbac_namespace { VEC(struct rbac_item *) bindings; };

struct node_graph;
struct kube_rbac {
	struct map objects[KUBE_RBAC_KINDS];   /* "name" or "ns/name" → struct rbac_item */
	struct map namespaces;                 /* ns → struct rbac_namespace */
	struct node_graph *graph;
	struct kube_pod_source pods;
	struct arena arena;                    /* of node_rules */
	struct kube_policy_rule *node_rules;
	uint32_t n_node_rules;
};

/* --- node.c */
int node_graph_new(struct node_graph **ret);
void node_graph_free(struct node_graph *g);
int node_graph_put(struct node_graph *g, const struct kube_pod *pod);
void node_graph_remove(struct node_graph *g, const char *ns, const char *name);
/* May this node do it? *reason for a no. */
bool node_allowed(const struct kube_rbac *x, const char *node, const struct kube_attributes *at, struct arena *a, const char **reason);
