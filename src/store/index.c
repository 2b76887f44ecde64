// SPDX-License-Identifier: Apache-2.0
#include "store/index.h"
#include "base/assert.h"

enum { BLOCK_MAX = 512 };

struct store_block {
	unsigned n, live;              /* entries; those that are not deleted */
	struct store_entry *v[BLOCK_MAX];
};

static void entry_free(struct store_entry *e)
{
	store_object_unref(e->newest);
	store_object_unref(e->pending);
	vec_release(&e->old);
	free(e);
}

void store_index_release(struct store_index *x)
{
	for (size_t i = 0; i < x->blocks.n; i++) {
		for (unsigned k = 0; k < x->blocks.v[i]->n; k++)
			entry_free(x->blocks.v[i]->v[k]);
		free(x->blocks.v[i]);
	}
	vec_release(&x->blocks);
}

/* Is the entry before the place that is looked for? behind: the end of a prefix of n bytes, else the key itself. */
static bool is_before(const struct store_entry *e, const char *key, size_t n, bool behind)
{
	return behind ? strncmp(store_entry_key(e), key, n) <= 0 : strcmp(store_entry_key(e), key) < 0;
}

static struct store_pos search(const struct store_index *x, const char *key, bool behind)
{
	size_t n = strlen(key), lo = 0, hi = x->blocks.n;

	/* the last block whose first entry is before the place, if there is one */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (is_before(x->blocks.v[mid]->v[0], key, n, behind))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return (struct store_pos){ 0, 0 };
	struct store_block *b = x->blocks.v[lo - 1];
	size_t from = 1, to = b->n;
	while (from < to) {
		size_t mid = from + (to - from) / 2;
		if (is_before(b->v[mid], key, n, behind))
			from = mid + 1;
		else
			to = mid;
	}
	return from < b->n ? (struct store_pos){ lo - 1, from } : (struct store_pos){ lo, 0 };
}

struct store_pos store_index_seek(const struct store_index *x, const char *key) { return search(x, key, false); }
struct store_pos store_index_behind(const struct store_index *x, const char *prefix) { return search(x, prefix, true); }

struct store_entry *store_index_at(const struct store_index *x, struct store_pos p)
{
	return p.block < x->blocks.n ? x->blocks.v[p.block]->v[p.slot] : NULL;
}

struct store_pos store_index_next(const struct store_index *x, struct store_pos p)
{
	return p.slot + 1 < x->blocks.v[p.block]->n ? (struct store_pos){ p.block, p.slot + 1 } : (struct store_pos){ p.block + 1, 0 };
}

struct store_entry *store_index_find(const struct store_index *x, const char *key)
{
	struct store_entry *e = store_index_at(x, store_index_seek(x, key));
	return e && strcmp(store_entry_key(e), key) == 0 ? e : NULL;
}

static unsigned live_in(const struct store_block *b, size_t from, size_t to)
{
	unsigned n = 0;
	for (size_t i = from; i < to; i++)
		n += store_entry_is_live(b->v[i]);
	return n;
}

/* A new block behind block i, with the upper half of it (none: an empty first one). */
static int add_block(struct store_index *x, size_t i)
{
	struct store_block *b = calloc(1, sizeof *b);
	if (!b || vec_reserve(&x->blocks, 1) < 0) {
		free(b);
		return -ENOMEM;
	}
	size_t at = x->blocks.n ? i + 1 : 0;
	if (x->blocks.n) {
		struct store_block *full = x->blocks.v[i];
		/* keys that come in order leave full blocks behind, not half-empty ones */
		unsigned keep = at == x->blocks.n ? BLOCK_MAX - BLOCK_MAX / 16 : BLOCK_MAX / 2;
		b->n = full->n - keep;
		memcpy(b->v, full->v + keep, b->n * sizeof b->v[0]);
		b->live = live_in(b, 0, b->n);
		full->n = keep;
		full->live -= b->live;
	}
	memmove(&x->blocks.v[at + 1], &x->blocks.v[at], (x->blocks.n - at) * sizeof x->blocks.v[0]);
	x->blocks.v[at] = b;
	x->blocks.n++;
	return 0;
}

int store_index_insert(struct store_index *x, struct store_entry *e)
{
	struct store_pos p = store_index_seek(x, store_entry_key(e));

	if (x->blocks.n == 0 && add_block(x, 0) < 0)
		return -ENOMEM;
	if (p.slot == 0 && p.block > 0) {       /* at a border the block before is as good */
		p.block--;
		p.slot = x->blocks.v[p.block]->n;
	}
	if (x->blocks.v[p.block]->n == BLOCK_MAX) {
		if (add_block(x, p.block) < 0)
			return -ENOMEM;
		if (p.slot > x->blocks.v[p.block]->n) {
			p.slot -= x->blocks.v[p.block]->n;
			p.block++;
		}
	}
	struct store_block *b = x->blocks.v[p.block];
	memmove(&b->v[p.slot + 1], &b->v[p.slot], (b->n - p.slot) * sizeof b->v[0]);
	b->v[p.slot] = e;
	b->n++;
	return 0;
}

void store_index_remove(struct store_index *x, struct store_entry *e)
{
	struct store_pos p = store_index_seek(x, store_entry_key(e));

	must(store_index_at(x, p) == e);
	struct store_block *b = x->blocks.v[p.block];
	memmove(&b->v[p.slot], &b->v[p.slot + 1], (b->n - p.slot - 1) * sizeof b->v[0]);
	if (--b->n == 0) {
		free(b);
		vec_remove(&x->blocks, p.block);
	}
	entry_free(e);
}

void store_index_live(struct store_index *x, const char *key, int change)
{
	struct store_pos p = store_index_seek(x, key);

	must(p.block < x->blocks.n);
	x->blocks.v[p.block]->live += (unsigned)change;
}

int64_t store_index_count(const struct store_index *x, struct store_pos from, struct store_pos to)
{
	int64_t n = 0;

	if (!store_pos_is_before(from, to))
		return 0;
	if (from.block == to.block)
		return live_in(x->blocks.v[from.block], from.slot, to.slot);
	n = live_in(x->blocks.v[from.block], from.slot, x->blocks.v[from.block]->n);
	for (size_t i = from.block + 1; i < to.block; i++)
		n += x->blocks.v[i]->live;
	if (to.slot)
		n += live_in(x->blocks.v[to.block], 0, to.slot);
	return n;
}
