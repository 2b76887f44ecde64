/* SPDX-License-Identifier: Apache-2.0 */
/* What grows: logs are rotated, images that nobody uses go when the disk is full. */
#pragma once
#include "kube/node/node_int.h"

void gc_main(void *arg);           /* struct node * */

/* evict.c: one look; *memory_rounds counts looks at which memory was low. */
void evict_wait(struct node *n, unsigned *memory_rounds);
struct evict_candidate { int64_t usage, request; int32_t priority; };
/* Which is to go when memory is low; -1 none. Pure. */
int evict_pick(const struct evict_candidate *v, unsigned n);
