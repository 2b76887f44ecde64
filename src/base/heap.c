/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/vec.h"

static void put(struct heap *h, size_t i, struct heap_node *n)
{
	h->v[i] = n;
	n->pos = i + 1;
}

static void up(struct heap *h, size_t i, struct heap_node *n)
{
	while (i > 0 && h->v[(i - 1) / 2]->key > n->key) {
		put(h, i, h->v[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(h, i, n);
}

static void down(struct heap *h, size_t i, struct heap_node *n)
{
	for (size_t c; (c = 2 * i + 1) < h->n; i = c) {
		if (c + 1 < h->n && h->v[c + 1]->key < h->v[c]->key)
			c++;
		if (h->v[c]->key >= n->key)
			break;
		put(h, i, h->v[c]);
	}
	put(h, i, n);
}

int heap_add(struct heap *h, struct heap_node *n, uint64_t key)
{
	must(n->pos == 0);
	int r = vec_reserve(h, 1);
	if (r < 0)
		return r;
	n->key = key;
	up(h, h->n++, n);
	return 0;
}

void heap_del(struct heap *h, struct heap_node *n)
{
	if (n->pos == 0)
		return;
	size_t i = n->pos - 1;
	struct heap_node *last = h->v[--h->n];
	n->pos = 0;
	if (last == n)
		return;
	if (i > 0 && h->v[(i - 1) / 2]->key > last->key)
		up(h, i, last);
	else
		down(h, i, last);
}

void heap_release(struct heap *h)
{
	free(h->v);
	*h = (struct heap){ 0 };
}
