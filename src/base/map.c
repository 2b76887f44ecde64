/* SPDX-License-Identifier: Apache-2.0 */
/* Dense entries behind an open-addressing index (linear probing, load <= 1/2). */
#include "base/map.h"

#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/auto.h"
#include "base/rand.h"
#include "base/vec.h"

int vec_grow_(void **v, size_t *cap, size_t want, size_t size)
{
	size_t c = MAX(*cap * 2, (size_t)8), bytes;
	c = MAX(c, want);
	if (__builtin_mul_overflow(c, size, &bytes))
		return -ENOMEM;
	void *p = realloc(*v, bytes);
	if (!p)
		return -ENOMEM;
	*v = p;
	*cap = c;
	return 0;
}

static uint64_t rotl(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

/* SipHash-1-3 after Aumasson and Bernstein's description, with a 64-bit seed used twice. */
uint64_t hash_bytes(uint64_t seed, const void *p, size_t n)
{
	uint64_t v0 = seed ^ 0x736f6d6570736575u, v1 = rotl(seed, 32) ^ 0x646f72616e646f6du;
	uint64_t v2 = seed ^ 0x6c7967656e657261u, v3 = rotl(seed, 32) ^ 0x7465646279746573u;
	const unsigned char *s = p;
	size_t left = n;
#define ROUND do { \
	v0 += v1; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32); v2 += v3; v3 = rotl(v3, 16) ^ v2; \
	v0 += v3; v3 = rotl(v3, 21) ^ v0; v2 += v1; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32); } while (0)
	for (; left >= 8; left -= 8, s += 8) {
		uint64_t w;
		memcpy(&w, s, 8);
		v3 ^= w;
		ROUND;
		v0 ^= w;
	}
	uint64_t last = (uint64_t)n << 56;
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)s[i] << (8 * i);
	v3 ^= last;
	ROUND;
	v0 ^= last;
	v2 ^= 0xff;
	ROUND;
	ROUND;
	ROUND;
#undef ROUND
	return v0 ^ v1 ^ v2 ^ v3;
}

void map_init(struct map *m)
{
	*m = (struct map){ .seed = rand_u64() };
}

void map_release(struct map *m)
{
	for (size_t i = 0; i < m->used; i++)
		free(m->entries[i].key);
	free(m->entries);
	free(m->index);
	*m = (struct map){ .seed = m->seed };
}

/* The slot that holds key, or the empty one where it would go. */
static size_t slot_of(const struct map *m, struct slice key, uint32_t hash)
{
	size_t mask = m->slots - 1;
	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		uint32_t e = m->index[i];
		if (e == 0)
			return i;
		const struct map_entry *x = &m->entries[e - 1];
		if (x->key && x->hash == hash && slice_eq(slice_n(x->key, x->key_len), key))
			return i;
	}
}

void *map_get(const struct map *m, struct slice key)
{
	if (m->n == 0)
		return NULL;
	uint32_t e = m->index[slot_of(m, key, (uint32_t)hash_bytes(m->seed, key.ptr, key.len))];
	return e ? m->entries[e - 1].value : NULL;
}

/* Makes room for one more entry: drops the dead ones and rebuilds the index. */
static int grow(struct map *m)
{
	if (m->used < m->cap)
		return 0;
	size_t cap = m->n * 2 < m->cap ? m->cap : MAX(m->cap * 2, (size_t)8);
	struct map_entry *entries = malloc(cap * sizeof *entries);
	uint32_t *index = calloc(cap * 2, sizeof *index);
	if (!entries || !index) {
		free(entries);
		free(index);
		return -ENOMEM;
	}
	size_t n = 0;
	for (size_t i = 0; i < m->used; i++)
		if (m->entries[i].key)
			entries[n++] = m->entries[i];
	free(m->entries);
	free(m->index);
	m->entries = entries;
	m->index = index;
	m->used = n;
	m->cap = cap;
	m->slots = cap * 2;
	for (size_t i = 0; i < n; i++) {
		size_t s = entries[i].hash & (m->slots - 1);
		while (index[s])
			s = (s + 1) & (m->slots - 1);
		index[s] = (uint32_t)i + 1;
	}
	return 0;
}

int map_set(struct map *m, struct slice key, void *value, void **old)
{
	uint32_t hash = (uint32_t)hash_bytes(m->seed, key.ptr, key.len);
	if (old)
		*old = NULL;
	if (m->n) {
		uint32_t e = m->index[slot_of(m, key, hash)];
		if (e) {
			if (old)
				*old = m->entries[e - 1].value;
			m->entries[e - 1].value = value;
			return 0;
		}
	}
	int r = grow(m);
	if (r < 0)
		return r;
	char *copy = slice_dup(key);
	if (!copy)
		return -ENOMEM;
	m->entries[m->used] = (struct map_entry){ copy, key.len, value, hash };
	m->index[slot_of(m, key, hash)] = (uint32_t)++m->used;
	m->n++;
	return 0;
}

void *map_del(struct map *m, struct slice key)
{
	if (m->n == 0)
		return NULL;
	uint32_t e = m->index[slot_of(m, key, (uint32_t)hash_bytes(m->seed, key.ptr, key.len))];
	if (!e)
		return NULL;
	/* The slot keeps pointing at the dead entry, so that probe chains stay whole. */
	struct map_entry *x = &m->entries[e - 1];
	free(x->key);
	x->key = NULL;
	m->n--;
	return x->value;
}

struct map_entry *map_next(const struct map *m, size_t *pos)
{
	while (*pos < m->used) {
		struct map_entry *x = &m->entries[(*pos)++];
		if (x->key)
			return x;
	}
	return NULL;
}
