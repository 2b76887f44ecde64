/* SPDX-License-Identifier: Apache-2.0 */
/* The protobuf wire. */
#include "codec/protobuf.h"

#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"

static bool fixed(struct pb_in *in, size_t n, uint64_t *ret)
{
	if ((size_t)(in->end - in->p) < n)
		return false;
	*ret = 0;
	memcpy(ret, in->p, n);   /* little endian on the wire and on our machines */
	in->p += n;
	return true;
}

bool pb_next(struct pb_in *in, struct pb_field *ret, bool *bad)
{
	*bad = false;
	if (in->p == in->end)
		return false;
	uint64_t tag, n;
	*bad = true;
	if (!pb_varint(in, &tag) || tag >> 3 == 0 || tag >> 32)
		return false;
	*ret = (struct pb_field){ .number = (uint32_t)(tag >> 3), .wire = tag & 7 };
	switch (ret->wire) {
	case PB_VARINT:
		*bad = !pb_varint(in, &ret->value);
		break;
	case PB_FIXED64:
	case PB_FIXED32:
		*bad = !fixed(in, ret->wire == PB_FIXED64 ? 8 : 4, &ret->value);
		break;
	case PB_BYTES:
		if (!pb_varint(in, &n) || n > (size_t)(in->end - in->p))
			return false;
		ret->bytes = slice_n(in->p, (size_t)n);
		in->p += n;
		*bad = false;
		break;
	default:
		return false;
	}
	return !*bad;
}

void pb_out_release(struct pb_out *o)
{
	free(o->base);
	*o = (struct pb_out){ .max = o->max };
}

static bool room(struct pb_out *o, size_t n)
{
	if (n <= o->at)
		return true;
	if (o->error)
		return false;
	size_t len = o->cap - o->at;
	if (n > o->max || len > o->max - n) {
		o->error = -EMSGSIZE;
		return false;
	}
	size_t least = MAX(len + n, (size_t)512), cap = MIN(2 * o->cap, o->max);
	cap = MAX(cap, least);
	char *p = malloc(cap);
	if (!p) {
		o->error = -ENOMEM;
		return false;
	}
	if (len)
		memcpy(p + cap - len, o->base + o->at, len);
	free(o->base);
	o->base = p;
	o->cap = cap;
	o->at = cap - len;
	return true;
}

void pb_put(struct pb_out *o, const void *p, size_t n)
{
	if (!n || !room(o, n))
		return;
	o->at -= n;
	memcpy(o->base + o->at, p, n);
}

void pb_put_varint(struct pb_out *o, uint64_t v)
{
	uint8_t tmp[10];
	size_t n = 0;
	for (; v >= 0x80; v >>= 7)
		tmp[n++] = (uint8_t)(v | 0x80);
	tmp[n++] = (uint8_t)v;
	pb_put(o, tmp, n);
}
