/* SPDX-License-Identifier: Apache-2.0 */
/* ResourceQuota: what a namespace may hold. Usage is counted from the caches, never from what was written down. */
#pragma once
#include "kube/api/api_int.h"

/*
 * Before a create: refuses what would be too much. When it gives 1, the creates of namespaces with quotas wait for each other until
 * api_quota_done; 0: no quota is concerned.
 */
int api_quota_wait(struct api_req *q, const struct api_object *o);
void api_quota_done_wait(struct api_req *q, int64_t revision);
/* A fiber that keeps status.used of all quotas as it is. */
int api_quotas_start(struct kube_api *a, struct err *e);
void api_quotas_stop(struct kube_api *a);
bool api_quotas_is_idle(const struct kube_api *a);
void api_quotas_free(struct kube_api *a);
