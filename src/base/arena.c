/* SPDX-License-Identifier: Apache-2.0 */
/* Bump allocation in doubling chunks under a ceiling. */
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
};

enum { FIRST_CHUNK = 1024, LAST_CHUNK = 256 * 1024, HEAD = 16 };

void arena_init(struct arena *a, size_t max_bytes)
{
	*a = (struct arena){ .max_bytes = max_bytes };
}

void arena_release(struct arena *a)
{
	for (struct arena_chunk *c = a->head, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	arena_init(a, a->max_bytes);
}

void *arena_alloc(struct arena *a, size_t n)
{
	if (n > a->max_bytes)
		return NULL;
	n = (MAX(n, (size_t)1) + 15) & ~(size_t)15;
	if (n > (size_t)(a->end - a->at)) {
		size_t size = a->head ? MIN(a->head->size * 2, (size_t)LAST_CHUNK) : (size_t)FIRST_CHUNK;
		size = MAX(size, n + HEAD);
		if (size > a->max_bytes - MIN(a->used_bytes, a->max_bytes))
			size = n + HEAD;
		if (a->used_bytes > a->max_bytes || size > a->max_bytes - a->used_bytes + HEAD)
			return NULL;
		struct arena_chunk *c = malloc(size);
		if (!c)
			return NULL;
		c->size = size;
		c->next = a->head;
		a->head = c;
		a->used_bytes += size;
		a->at = (char *)c + HEAD;
		a->end = (char *)c + size;
	}
	void *p = a->at;
	a->at += n;
	return memset(p, 0, n);
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return arena_alloc(a, bytes);
}

char *arena_dup(struct arena *a, struct slice s)
{
	if (s.len >= a->max_bytes)
		return NULL;
	char *p = arena_alloc(a, s.len + 1);
	if (p && s.len)
		memcpy(p, s.ptr, s.len);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? arena_dup(a, slice_of(s)) : NULL;
}

char *arena_fmt(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
	if (p)
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}
