/* SPDX-License-Identifier: Apache-2.0 */
/* What only kv.c and its tests see. */
#pragma once
#include "store/kv.h"

enum { KV_KEY_MAX = 1024, KV_VALUE_MAX = 16 * 1024 * 1024 };

/* Test seam: called on the worker just before each commit; < 0 fails the group with that errno. */
void kv_set_fault(struct kv *kv, int (*fault)(void *arg), void *arg);
/* Test seam: the file cannot grow past this many pages, as on a full disk. 0: as far as it has grown. */
void kv_set_page_limit(struct kv *kv, unsigned pages);
/* Commits done since it was opened: shows that writers share them. */
unsigned kv_commits(const struct kv *kv);
