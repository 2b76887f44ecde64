/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and node ports of services. */
#pragma once
#include "kube/api/api_int.h"

/* Before a service is stored: what it needs is taken; other objects pass. old NULL: a create. On failure nothing stays taken but what o->is_allocated says. */
int api_allocate_wait(struct api_req *q, const struct api_object *old, struct api_object *o);
/* It was not stored after all. */
void api_unallocate_wait(struct api_req *q, const struct api_object *old, struct api_object *o);
/* It was stored (now NULL: deleted): what only old had is given back. */
void api_allocated_wait(struct api_req *q, const struct api_object *old, const struct api_object *now);
int api_addresses_repair_wait(struct kube_api *a, struct err *e);
/* Of the service "kubernetes". */
const char *api_first_address(const struct kube_api *a, struct arena *arena);
