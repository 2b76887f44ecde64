/* SPDX-License-Identifier: Apache-2.0 */
/* The protobuf wire: varints, tags, lengths. Messages are schema/'s business. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"

enum { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_GROUP = 3, PB_GROUP_END = 4, PB_FIXED32 = 5 };

struct pb_in {
	const uint8_t *p, *end;
};
static inline struct pb_in pb_in(struct slice s)
{
	return (struct pb_in){ (const uint8_t *)s.ptr, (const uint8_t *)s.ptr + s.len };
}

/* Ten bytes at most; false past the end or when longer. */
static inline bool pb_varint(struct pb_in *in, uint64_t *ret)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 70; shift += 7) {
		if (in->p == in->end)
			return false;
		uint8_t c = *in->p++;
		v |= (uint64_t)(c & 0x7f) << (shift < 63 ? shift : 63);
		if (c < 0x80) {
			if (shift == 63 && c > 1)
				return false;
			*ret = v;
			return true;
		}
	}
	return false;
}

struct pb_field {
	uint32_t number;
	uint8_t wire;
	uint64_t value;         /* VARINT, FIXED32, FIXED64 */
	struct slice bytes;     /* BYTES */
};
/* The next field; false at the end (*bad false) or for a broken message (*bad true). Groups are broken. */
bool pb_next(struct pb_in *in, struct pb_field *ret, bool *bad);

/*
 * Writes back to front, so that a length is known when it is written. The
 * memory is malloc'ed; error stays and makes the rest do nothing.
 */
struct pb_out {
	char *base;
	size_t at, cap;         /* what is written: base[at .. cap) */
	size_t max;
	int error;
};
void pb_out_release(struct pb_out *o);
static inline void auto_pb_out(struct pb_out *o) { pb_out_release(o); }
static inline size_t pb_out_len(const struct pb_out *o) { return o->cap - o->at; }
void pb_put(struct pb_out *o, const void *p, size_t n);
void pb_put_varint(struct pb_out *o, uint64_t v);
static inline void pb_put_tag(struct pb_out *o, uint32_t number, uint8_t wire) { pb_put_varint(o, (uint64_t)number << 3 | wire); }
/* In front of the bytes written since `mark` (a pb_out_len): their length and the tag. */
static inline void pb_put_head(struct pb_out *o, uint32_t number, size_t mark)
{
	pb_put_varint(o, pb_out_len(o) - mark);
	pb_put_tag(o, number, PB_BYTES);
}
