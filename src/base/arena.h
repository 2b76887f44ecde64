/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An arena: memory for what dies together with a request, a sync or a decoded
 * message. Allocation is a pointer bump; nothing is freed alone. One thread.
 */
#pragma once
#include <stddef.h>
#include "base/buf.h"

struct arena_chunk;
struct arena {
	struct arena_chunk *head;
	char *at, *end;
	size_t used_bytes;  /* sum of chunk sizes */
	size_t max_bytes;   /* ceiling */
};

/* max_bytes is a ceiling on all chunks together. Takes no memory until first used. */
void arena_init(struct arena *a, size_t max_bytes);
void arena_release(struct arena *a);   /* frees everything; a can be used again */
static inline void auto_arena(struct arena *a) { arena_release(a); }
/* Zeroed memory aligned to 16; NULL past the ceiling or without memory. n = 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t n);
/* n members of `size` bytes, overflow checked. */
void *arena_array(struct arena *a, size_t n, size_t size);
#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
/* Terminated copies. */
char *arena_dup(struct arena *a, struct slice s);
char *arena_strdup(struct arena *a, const char *s);    /* NULL for NULL */
char *arena_fmt(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
