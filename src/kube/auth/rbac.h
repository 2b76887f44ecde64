/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authorisation: the group system:masters may do everything; nodes what their
 * pods need (node authoriser); everybody else what roles and bindings say.
 * Decisions come from copies in memory that are fed by whoever follows the
 * objects (kube_rbac_put/remove, from a watch); nothing here suspends.
 * Facts: pkg/apis/rbac/v1 evaluation helpers, plugin/pkg/auth/authorizer/{rbac,node}.
 */
#pragma once
#include "api/kube.h"
#include "base/arena.h"
#include "base/err.h"
#include "kube/meta/user.h"

struct kube_rbac;
int kube_rbac_new(struct kube_rbac **ret);
void kube_rbac_free(struct kube_rbac *x);
struct kube_authorizer kube_rbac_authorizer(struct kube_rbac *x);

/* --- feeding. Copies what it needs; 0 or -ENOMEM. */
enum kube_rbac_kind { KUBE_ROLE, KUBE_CLUSTER_ROLE, KUBE_ROLE_BINDING, KUBE_CLUSTER_ROLE_BINDING, KUBE_RBAC_KINDS };
int kube_rbac_put(struct kube_rbac *x, enum kube_rbac_kind kind, const void *obj);     /* struct kube_role …; replaces */
void kube_rbac_remove(struct kube_rbac *x, enum kube_rbac_kind kind, const char *ns, const char *name);
/* Pods, for the node authoriser: which secrets, config maps, claims and accounts a node's pods use. */
int kube_rbac_put_pod(struct kube_rbac *x, const struct kube_pod *pod);
void kube_rbac_remove_pod(struct kube_rbac *x, const char *ns, const char *name);

/*
 * A node may ask for a pod's secrets before our own watch has told of the pod: then this is asked for all pods on the node, and must
 * know at least what any watcher was told. Does not suspend; each NULL: nothing more is known.
 */
struct kube_pod_source {
	int (*each)(void *arg, const char *node, int (*fn)(void *fn_arg, const struct kube_pod *pod), void *fn_arg);
	void *arg;
};
void kube_rbac_set_pods(struct kube_rbac *x, const struct kube_pod_source *source);
/* The pod runs on this node. */
bool kube_rbac_pod_is_on(const struct kube_rbac *x, const char *ns, const char *name, const char *node);

/* 1 allowed, 0 not; *reason (may be NULL) in arena. */
int kube_rbac_allowed(struct kube_rbac *x, const struct kube_user *u, const struct kube_attributes *at, struct arena *a, const char **reason);

/* --- rules ---------------------------------------------------------------------- */
struct kube_rules { const struct kube_policy_rule **v; size_t n, cap; };     /* pointers into the fed copies: until the next feeding */
/* Every rule that holds for the user in a namespace ("" : cluster-wide only). system:masters is not among them. 0 or -ENOMEM; v is the arena's. */
int kube_rbac_rules(struct kube_rbac *x, const struct kube_user *u, const char *ns, struct arena *a, struct kube_rules *ret);
bool kube_rule_allows(const struct kube_policy_rule *r, const struct kube_attributes *at);
/* Do the owner's rules cover all of the wanted ones? If not, up to 100 missing ones are written as upstream does. */
bool kube_rules_cover(const struct kube_rules *owner, const struct kube_policy_rule *wanted, size_t n, struct buf *missing);

/* Escalation and NodeRestriction, as struct kube_reviewer declares them. */
int kube_rbac_check_write(struct kube_rbac *x, const struct kube_user *u, const struct kube_resource *r, const void *obj, const void *old, struct arena *a,
	struct err *e);
int kube_rbac_check_node_write(struct kube_rbac *x, const struct kube_user *u, const struct kube_attributes *at, const void *obj, const void *old, struct err *e);

/*
 * Aggregated roles: the rules that a ClusterRole with an aggregationRule gets
 * from the fed ones, in order of names, each once. *changed: they differ from its own.
 * The controller that writes them calls this.
 */
int kube_rbac_aggregate(struct kube_rbac *x, const struct kube_cluster_role *role, struct arena *a, struct kube_policy_rule **ret, uint32_t *n, bool *changed);
