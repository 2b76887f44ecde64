/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the interpreter share: rows made convenient, memory of decoded values. */
#pragma once
#include <errno.h>
#include <stddef.h>
#include "base/arena.h"
#include "base/auto.h"
#include "schema/rows.h"

enum { SCHEMA_MAX_DEPTH = 100, SCHEMA_MAX_PROBLEMS = 100 };

static inline const struct schema_type *type_at(const struct schema_domain *d, uint32_t i) { return &d->types[i]; }
static inline const struct schema_field *fields_of(const struct schema_domain *d, const struct schema_type *t) { return &d->fields[t->first]; }
static inline const char *text_at(const struct schema_domain *d, uint32_t at) { return d->strings + at; }
/* An entry's value. */
static inline const struct schema_field *value_of(const struct schema_domain *d, const struct schema_type *entry) { return &d->fields[entry->first + 1]; }

extern const uint8_t schema_kind_size[SCHEMA_KINDS];
/* Bytes of one value: of the member (ONE), of what it points to (PTR), of an element (LIST, MAP). */
static inline size_t value_size(const struct schema_domain *d, const struct schema_field *f)
{
	if (f->kind == SCHEMA_MESSAGE)
		return d->types[f->sub].size;
	return f->flags & SCHEMA_PAIRS ? sizeof(struct schema_pair) : schema_kind_size[f->kind];
}
static inline bool kind_is_text(uint8_t kind) { return kind >= SCHEMA_STRING && kind <= SCHEMA_QUANTITY; }
static inline bool kind_is_slice(uint8_t kind) { return kind >= SCHEMA_JSON && kind <= SCHEMA_BYTES; }

/* The field that a key names, or NULL. */
static inline const struct schema_field *field_find(const struct schema_domain *d, const struct schema_type *t, const char *key,
	size_t n, bool fold_case)
{
	const struct schema_field *fields = fields_of(d, t);
	const uint8_t *slots = d->slots + t->slots;
	uint32_t mask = (1u << t->slot_bits) - 1;
	for (uint32_t at = schema_hash(key, n, t->seed) >> (32 - t->slot_bits); slots[at]; at = (at + 1) & mask) {
		const struct schema_field *f = &fields[slots[at] - 1];
		if (f->name_len != n)
			continue;
		const char *name = text_at(d, f->name);
		if (memcmp(name, key, n) == 0 || (fold_case && slice_eq_nocase(slice_n(name, n), slice_n(key, n))))
			return f;
	}
	return NULL;
}

/* Bytes without alignment, from the far end of the arena's chunk; not zeroed. */
static inline char *arena_chars(struct arena *a, size_t n)
{
	if (n <= (size_t)(a->end - a->at) && a->at) {
		a->end -= n;
		return a->end;
	}
	return arena_alloc(a, n);
}

/* Where a value sits, for messages; one frame a message that is being read. */
struct frame {
	const struct frame *up;
	const struct schema_type *t;
	const struct schema_field *f;
	int64_t index;            /* in a list, or -1 */
	struct slice key;         /* in a map */
};
/* "spec.containers[0].name" */
void frame_path(const struct schema_domain *d, const struct frame *fr, struct buf *out);

/*
 * Lists of unknown length are gathered here and copied when they end. Their
 * elements lie one behind the other and move only between two pushes, so that
 * an element can be filled in place, and lists may nest.
 */
struct gather_chunk {
	struct gather_chunk *below;
	size_t cap, top;
	char data[] __attribute__((aligned(16)));
};
struct gather {
	struct gather_chunk *top, *spare;
	size_t used_bytes, max_bytes;
};
struct gather_list {
	struct gather_chunk *mark;
	size_t mark_top;
	char *base;
	size_t n, size;
};
void gather_init(struct gather *g, size_t max_bytes);
void gather_release(struct gather *g);
void gather_begin(struct gather *g, struct gather_list *l, size_t size);
/* A zeroed element, or NULL. */
void *gather_push(struct gather *g, struct gather_list *l);
/* Copies the elements into the arena; NULL without memory, non-NULL for none. */
void *gather_end(struct gather *g, struct gather_list *l, struct arena *a);
void gather_drop(struct gather *g, struct gather_list *l);

/* Map entries (key first) as read: of keys that come twice the last stays. Returns their number. */
uint32_t entries_dedup(char *entries, uint32_t n, size_t size);
/* Indexes of entries in the order of their keys; *order is the caller's array of `max` or malloc'ed; NULL without memory. */
uint32_t *entries_sort(const char *entries, uint32_t n, size_t size, uint32_t *fixed, uint32_t max);
/* value.c: the same value of one field of two messages. */
bool schema_field_equal(const struct schema_domain *d, const struct schema_field *f, const char *a, const char *b);
