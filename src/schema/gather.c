/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and small things that the readers and writers share. */
#include "schema/schema_int.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/map.h"

const uint8_t schema_kind_size[SCHEMA_KINDS] = {
	[SCHEMA_BOOL] = sizeof(bool), [SCHEMA_I8] = 1, [SCHEMA_I16] = 2, [SCHEMA_I32] = 4, [SCHEMA_I64] = 8,
	[SCHEMA_U8] = 1, [SCHEMA_U16] = 2, [SCHEMA_U32] = 4, [SCHEMA_U64] = 8, [SCHEMA_F64] = 8,
	[SCHEMA_STRING ... SCHEMA_QUANTITY] = sizeof(char *), [SCHEMA_JSON ... SCHEMA_BYTES] = sizeof(struct slice),
	[SCHEMA_INTSTR] = sizeof(struct schema_int_or_string), [SCHEMA_EMPTY] = 1,
};

size_t schema_size(struct schema_ref t)
{
	return type_at(t.domain, t.type)->size;
}

const char *schema_pair_get(const struct schema_pair *v, uint32_t n, const char *key)
{
	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(v[i].key, key))
			return v[i].value;
	return NULL;
}

void frame_path(const struct schema_domain *d, const struct frame *fr, struct buf *out)
{
	if (!fr)
		return;
	frame_path(d, fr->up, out);
	if (!fr->t->flags && fr->f)
		buf_addf(out, "%s%s", out->len ? "." : "", text_at(d, fr->f->name));
	if (fr->index >= 0)
		buf_addf(out, "[%lld]", (long long)fr->index);
	if (fr->key.ptr)
		buf_addf(out, "%s%.*s", out->len ? "." : "", SLICE_FMT(fr->key));
}

void gather_init(struct gather *g, size_t max_bytes)
{
	*g = (struct gather){ .max_bytes = max_bytes };
}

void gather_release(struct gather *g)
{
	for (struct gather_chunk *c = g->top, *below; c; c = below) {
		below = c->below;
		free(c);
	}
	free(g->spare);
}

void gather_begin(struct gather *g, struct gather_list *l, size_t size)
{
	*l = (struct gather_list){ .mark = g->top, .mark_top = g->top ? g->top->top : 0, .size = size };
	if (g->top)   /* aligned here; what is below goes on at mark_top */
		g->top->top = (g->top->top + 15) & ~(size_t)15;
	l->base = g->top ? g->top->data + g->top->top : NULL;
}

/* A chunk that holds the list so far and as much again. */
static int more(struct gather *g, struct gather_list *l)
{
	size_t have = l->n * l->size, cap = MAX(2 * have + l->size, g->top ? 2 * g->top->cap : (size_t)4096);
	struct gather_chunk *c = g->spare;
	if (c && c->cap >= 2 * have + l->size) {
		g->spare = NULL;
	} else {
		if (cap > g->max_bytes - MIN(g->used_bytes, g->max_bytes))
			cap = 2 * have + l->size;
		if (g->used_bytes > g->max_bytes || cap > g->max_bytes - g->used_bytes)
			return -E2BIG;
		c = malloc(sizeof *c + cap);
		if (!c)
			return -ENOMEM;
		c->cap = cap;
		g->used_bytes += cap;
	}
	c->below = g->top;
	if (have)
		memcpy(c->data, l->base, have);
	c->top = have;
	g->top = c;
	l->base = c->data;
	return 0;
}

void *gather_push(struct gather *g, struct gather_list *l)
{
	if (!g->top || g->top->cap - MIN(g->top->top, g->top->cap) < l->size) {
		if (more(g, l) < 0)
			return NULL;
	}
	char *p = l->base + l->n * l->size;
	must(p == g->top->data + g->top->top);
	g->top->top += l->size;
	l->n++;
	return memset(p, 0, l->size);
}

void gather_drop(struct gather *g, struct gather_list *l)
{
	while (g->top != l->mark) {
		struct gather_chunk *c = g->top;
		g->top = c->below;
		if (!g->spare || g->spare->cap < c->cap) {
			struct gather_chunk *old = g->spare;
			g->spare = c;
			c = old;
		}
		if (c)
			g->used_bytes -= c->cap;
		free(c);
	}
	if (g->top)
		g->top->top = l->mark_top;
}

void *gather_end(struct gather *g, struct gather_list *l, struct arena *a)
{
	size_t bytes = l->n * l->size;
	char *p = arena_alloc(a, bytes);
	if (p && bytes)
		memcpy(p, l->base, bytes);
	gather_drop(g, l);
	return p;
}

static const char *key_at(const char *entries, size_t size, uint32_t i)
{
	return *(const char *const *)(entries + i * size);
}

/* For many entries: a table from key to place. */
static uint32_t dedup_many(char *entries, uint32_t n, size_t size)
{
	struct map seen;
	uint32_t kept = 0;
	map_init(&seen);
	for (uint32_t i = 0; i < n; i++) {
		struct slice key = slice_of(key_at(entries, size, i));
		uintptr_t at = (uintptr_t)map_get(&seen, key);
		if (at) {
			memcpy(entries + (at - 1) * size, entries + i * size, size);
			continue;
		}
		if (kept != i)
			memcpy(entries + kept * size, entries + i * size, size);
		kept++;
		/* without memory a later duplicate stays: the first one is what lookups find */
		(void)map_set(&seen, key, (void *)(uintptr_t)kept, NULL);
	}
	map_release(&seen);
	return kept;
}

uint32_t entries_dedup(char *entries, uint32_t n, size_t size)
{
	if (n > 24)
		return dedup_many(entries, n, size);
	uint32_t kept = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = 0;
		while (k < kept && strcmp(key_at(entries, size, k), key_at(entries, size, i)))
			k++;
		if (k != i)
			memcpy(entries + k * size, entries + i * size, size);
		kept += k == kept;
	}
	return kept;
}

struct by_key {
	const char *entries;
	size_t size;
};

static int compare(const void *x, const void *y, void *data)
{
	const struct by_key *b = data;
	return strcmp(key_at(b->entries, b->size, *(const uint32_t *)x), key_at(b->entries, b->size, *(const uint32_t *)y));
}

/* Bottom-up merge sort: neither musl nor every glibc has a qsort_r that takes no memory of its own. */
static void sort(uint32_t *v, uint32_t *tmp, uint32_t n, struct by_key *b)
{
	for (uint32_t width = 1; width < n; width *= 2) {
		for (uint32_t lo = 0; lo < n; lo += 2 * width) {
			uint32_t mid = MIN(lo + width, n), hi = MIN(lo + 2 * width, n), i = lo, j = mid;
			for (uint32_t k = lo; k < hi; k++)
				tmp[k] = i < mid && (j >= hi || compare(&v[i], &v[j], b) <= 0) ? v[i++] : v[j++];
		}
		memcpy(v, tmp, n * sizeof *v);
	}
}

uint32_t *entries_sort(const char *entries, uint32_t n, size_t size, uint32_t *fixed, uint32_t max)
{
	uint32_t *v = 2 * (uint64_t)n <= max ? fixed : malloc(2 * (size_t)n * sizeof *v);
	if (!v)
		return NULL;
	bool sorted = true;
	for (uint32_t i = 0; i < n; i++) {
		v[i] = i;
		if (i && sorted)
			sorted = strcmp(key_at(entries, size, i - 1), key_at(entries, size, i)) <= 0;
	}
	if (!sorted)
		sort(v, v + n, n, &(struct by_key){ entries, size });
	return v;
}
