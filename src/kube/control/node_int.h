/* SPDX-License-Identifier: Apache-2.0 */
/* What a node's conditions mean for its taints, and when a taint means the end for a pod. Pure. */
#pragma once
#include "kube/control/control_int.h"

#define TAINT_NOT_READY "node.kubernetes.io/not-ready"
#define TAINT_UNREACHABLE "node.kubernetes.io/unreachable"

/* The taints that the node should have: those of others, and ours by its conditions; NoExecute ones only if may_evict. NULL without memory. */
struct kube_taint *node_taints(struct arena *a, const struct kube_node *n, bool may_evict, int64_t now_ns, uint32_t *ret_n);
bool taints_equal(const struct kube_taint *a, uint32_t n, const struct kube_taint *b, uint32_t n_b);
/* When the pod must go because of the node's NoExecute taints: 0 never, else realtime ns (perhaps past). Taints that do not say since
 * when they are there (kubectl's) count from seen_ns. */
int64_t taint_eviction_ns(const struct kube_node *n, const struct kube_pod *p, int64_t seen_ns);
/* The i-th /24 of a network "a.b.c.d/len", as text into dst (20); -ERANGE behind the last, -EINVAL. */
int cidr_slice(const char *cidr, uint32_t i, char *dst);
/* Its number, or -1 when it is not one of them. */
int64_t cidr_index(const char *cidr, const char *slice24);
