/* SPDX-License-Identifier: Apache-2.0 */
/* Indexes of an informer's cache: a list of objects under each string. They hold no references; the cache does. */
#pragma once
#include "kube/client/client.h"

struct kindex;
int kindex_add(struct kindex **list, const char *name, unsigned (*keys)(const struct kobject *o, const char *ret[8]), struct kindex **ret);
struct kindex *kindex_find(struct kindex *list, const char *name);
void kindex_free_all(struct kindex *list);
/* In all indexes of the list, or in one: old leaves, now comes; both may be NULL. 0 or -ENOMEM: then `now` is in none. */
int kindex_change(struct kindex *list, struct kobject *old, struct kobject *now);
int kindex_change_one(struct kindex *x, struct kobject *old, struct kobject *now);
int kindex_each(const struct kindex *x, const char *key, int (*fn)(void *arg, struct kobject *o), void *arg);
