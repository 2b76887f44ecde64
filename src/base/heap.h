/* SPDX-License-Identifier: Apache-2.0 */
/* Intrusive binary min-heap on a 64-bit key; remembers positions, so that removal is O(log n). */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	uint64_t key;
	size_t pos; /* 1-based; 0 while not in a heap */
};
struct heap {
	struct heap_node **v;
	size_t n, cap;
};

int heap_add(struct heap *h, struct heap_node *n, uint64_t key);   /* 0 or -ENOMEM */
void heap_del(struct heap *h, struct heap_node *n);                /* harmless if not in it */
static inline struct heap_node *heap_min(const struct heap *h) { return h->n ? h->v[0] : NULL; }
void heap_release(struct heap *h);
