/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roles and bindings that every cluster has, as rows, and the reconciling
 * that puts missing ones (and missing rules and subjects) back at each start,
 * unless the object says rbac.authorization.kubernetes.io/autoupdate: "false".
 * Facts: plugin/pkg/auth/authorizer/rbac/bootstrappolicy of Kubernetes 1.36.
 */
#pragma once
#include "api/kube.h"
#include "base/arena.h"
#include "base/err.h"
#include "kube/meta/resource.h"

/* How objects are read and written; ns NULL for cluster roles. get: -ENOENT. create: -EEXIST is fine. May suspend. */
struct kube_bootstrap_store {
	int (*get_wait)(void *arg, const struct kube_resource *r, const char *ns, const char *name, struct arena *a, void *ret_obj, struct err *e);
	int (*create_wait)(void *arg, const struct kube_resource *r, const char *ns, const void *obj, struct arena *a, struct err *e);
	int (*update_wait)(void *arg, const struct kube_resource *r, const char *ns, const void *obj, struct arena *a, struct err *e);
	void *arg;
};
/* Namespaces kube-system and kube-public must exist. */
int kube_bootstrap_wait(const struct kube_bootstrap_store *s, struct err *e);

/* The same as objects, for tests and for feeding an authoriser without a store. Stops when fn returns non-zero. */
int kube_bootstrap_each(struct arena *a, int (*fn)(void *arg, const struct kube_resource *r, const char *ns, const void *obj), void *arg);
