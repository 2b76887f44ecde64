/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip (RFC 1952) with isa-l, which is two to five times zlib's speed. Levels
 * 1..3 are isa-l's; above that zlib's 6 and 9 serve who asks for size.
 */
#include "codec/compress_int.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/auto.h"

struct gunzip {
	struct inflate_state s;
	bool in_member;
};

static void gunzip_begin(struct gunzip *x)
{
	isal_inflate_reset(&x->s);
	x->s.crc_flag = ISAL_GZIP;
}

static void *gunzip_new(void)
{
	struct gunzip *x = calloc(1, sizeof *x);
	if (!x)
		return NULL;
	isal_inflate_init(&x->s);
	x->s.crc_flag = ISAL_GZIP;
	return x;
}

static void gunzip_free(void *x)
{
	free(x);
}

/* Zeros behind the last member are padding (tapes, and Go's reader is no stricter than gzip here). */
static void skip_padding(struct slice *in)
{
	while (in->len && in->ptr[0] == 0) {
		in->ptr++;
		in->len--;
	}
}

static ssize_t gunzip_step(void *arg, struct slice *in, void *out, size_t n, bool *is_whole)
{
	struct gunzip *x = arg;
	size_t got = 0;
	n = MIN(n, (size_t)INT_MAX);
	while (got < n) {
		if (!x->in_member) {
			if (*is_whole)
				skip_padding(in);
			if (in->len == 0)
				break;
			gunzip_begin(x);
			x->in_member = true;
			*is_whole = false;
		}
		size_t feed = MIN(in->len, (size_t)INT_MAX);
		x->s.next_in = (uint8_t *)in->ptr;
		x->s.avail_in = (uint32_t)feed;
		x->s.next_out = (uint8_t *)out + got;
		x->s.avail_out = (uint32_t)(n - got);
		int r = isal_inflate(&x->s);
		/* After an error, avail_in may have gone below zero: nothing it says is used. */
		if (r != ISAL_DECOMP_OK && r != ISAL_END_INPUT && r != ISAL_OUT_OVERFLOW)
			return -EBADMSG;
		if (x->s.avail_in > feed || x->s.avail_out > n - got)
			return -EBADMSG;
		size_t used = feed - x->s.avail_in, made = n - got - x->s.avail_out;
		in->ptr += used;
		in->len -= used;
		got += made;
		if (x->s.block_state == ISAL_BLOCK_FINISH) {
			x->in_member = false;
			*is_whole = true;
		} else if (used == 0 && made == 0) {
			break;
		}
	}
	return (ssize_t)got;
}

struct gzip {
	bool is_zlib;
	struct isal_zstream s;
	z_stream z;
	uint8_t *level_buf;
};

static void gzip_free(void *arg)
{
	struct gzip *x = arg;
	if (!x)
		return;
	if (x->is_zlib)
		deflateEnd(&x->z);
	free(x->level_buf);
	free(x);
}

static void *gzip_new(int level)
{
	static const uint32_t sizes[] = { 0, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT, ISAL_DEF_LVL3_DEFAULT };
	struct gzip *x = calloc(1, sizeof *x);
	if (!x)
		return NULL;
	if (level <= 0)
		level = 1;
	if (level > 3) {
		if (deflateInit2(&x->z, MIN(level, 9), Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
			free(x);
			return NULL;
		}
		x->is_zlib = true;
		return x;
	}
	isal_deflate_init(&x->s);
	x->s.gzip_flag = IGZIP_GZIP;
	x->s.level = (uint32_t)level;
	x->s.level_buf_size = sizes[level];
	x->s.level_buf = x->level_buf = malloc(sizes[level]);
	if (!x->level_buf) {
		free(x);
		return NULL;
	}
	return x;
}

static ssize_t zlib_step(struct gzip *x, struct slice *in, bool last, void *out, size_t n, bool *is_done)
{
	size_t feed = MIN(in->len, (size_t)INT_MAX);
	n = MIN(n, (size_t)INT_MAX);
	x->z.next_in = (Bytef *)in->ptr;
	x->z.avail_in = (uInt)feed;
	x->z.next_out = out;
	x->z.avail_out = (uInt)n;
	int r = deflate(&x->z, last && feed == in->len ? Z_FINISH : Z_NO_FLUSH);
	if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
		return -EBADMSG;
	in->ptr += feed - x->z.avail_in;
	in->len -= feed - x->z.avail_in;
	*is_done = r == Z_STREAM_END;
	return (ssize_t)(n - x->z.avail_out);
}

static ssize_t gzip_step(void *arg, struct slice *in, bool last, void *out, size_t n, bool *is_done)
{
	struct gzip *x = arg;
	if (x->is_zlib)
		return zlib_step(x, in, last, out, n, is_done);
	size_t feed = MIN(in->len, (size_t)INT_MAX);
	n = MIN(n, (size_t)INT_MAX);
	x->s.next_in = (uint8_t *)in->ptr;
	x->s.avail_in = (uint32_t)feed;
	x->s.next_out = out;
	x->s.avail_out = (uint32_t)n;
	x->s.end_of_stream = last && feed == in->len;
	if (isal_deflate(&x->s) != COMP_OK)
		return -EBADMSG;
	in->ptr += feed - x->s.avail_in;
	in->len -= feed - x->s.avail_in;
	*is_done = x->s.internal_state.state == ZSTATE_END;
	return (ssize_t)(n - x->s.avail_out);
}

const struct codec_ops gzip_ops = { gunzip_new, gunzip_free, gunzip_step, gzip_new, gzip_free, gzip_step };
