/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a pod's own demands let it be on a node: node selector, required affinity, taints. Pure. */
#pragma once
#include "kube/meta/object.h"

bool node_selector_fits(const struct kube_node_selector *s, const struct kube_node *n);
/* spec.nodeSelector and the required node affinity. */
bool node_fits_affinity(const struct kube_pod_spec *p, const struct kube_node *n);
bool taint_is_tolerated(const struct kube_taint *t, const struct kube_toleration *v, uint32_t n);
/* The first taint with one of the effects (as a list, NULL-terminated) that nothing tolerates, or NULL. */
const struct kube_taint *node_untolerated(const struct kube_node *n, const struct kube_toleration *v, uint32_t n_v, const char *const *effects);
