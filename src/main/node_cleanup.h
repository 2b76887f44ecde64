/* SPDX-License-Identifier: Apache-2.0 */
/* `coracle node --cleanup`: takes away what a node leaves in the kernel, once its containers have ended. */
#pragma once
#include "base/err.h"

/* Unmounts what lies below pods (the kubelet's volumes), removes the pods' empty control groups (below cgroup_root, "/kubepods"), the
 * table and the device of services and names. Blocking; does all it can, 0 or the first error. */
int node_cleanup(const char *pods, const char *cgroup_root, const char *table, const char *dns_link, struct err *e);
