/* SPDX-License-Identifier: Apache-2.0 */
/* Which kind a stream is, and the one interface over gzip, zstd and plain bytes. */
#include "codec/compress_int.h"

#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"

static const struct {
	const char *name;
	struct slice magic;
	const struct codec_ops *ops;
} kinds[] = {
	[COMPRESSION_NONE] = { "none", { NULL, 0 }, NULL },
	[COMPRESSION_GZIP] = { "gzip", { "\x1f\x8b\x08", 3 }, &gzip_ops },
	[COMPRESSION_ZSTD] = { "zstd", { "\x28\xb5\x2f\xfd", 4 }, &zstd_ops },
	[COMPRESSION_BZIP2] = { "bzip2", { "BZh", 3 }, NULL },
	[COMPRESSION_XZ] = { "xz", { "\xfd""7zXZ\0", 6 }, NULL },
};

struct inflate {
	const struct codec_ops *ops;
	void *x;
	bool is_whole;
};

struct deflate {
	const struct codec_ops *ops;
	void *x;
	bool is_done;
};

enum compression compression_detect(struct slice start)
{
	for (size_t i = 1; i < ARRAY_LEN(kinds); i++)
		if (start.len >= kinds[i].magic.len && memcmp(start.ptr, kinds[i].magic.ptr, kinds[i].magic.len) == 0)
			return (enum compression)i;
	/* zstd: skippable frames 0x184D2A50..5F come before data in seekable files */
	if (start.len >= 4 && ((unsigned char)start.ptr[0] & 0xf0) == 0x50 && memcmp(start.ptr + 1, "\x2a\x4d\x18", 3) == 0)
		return COMPRESSION_ZSTD;
	return COMPRESSION_NONE;
}

const char *compression_name(enum compression c)
{
	return kinds[c].name;
}

static ssize_t copy_step(struct slice *in, void *out, size_t n)
{
	size_t k = MIN(in->len, n);
	if (k)
		memcpy(out, in->ptr, k);
	in->ptr += k;
	in->len -= k;
	return (ssize_t)k;
}

int inflate_new(enum compression c, struct inflate **ret)
{
	if (c != COMPRESSION_NONE && !kinds[c].ops)
		return -ENOTSUP;
	AUTO(free) struct inflate *x = calloc(1, sizeof *x);
	if (!x)
		return -ENOMEM;
	x->ops = kinds[c].ops;
	x->is_whole = !x->ops;
	if (x->ops && !(x->x = x->ops->inflate_new()))
		return -ENOMEM;
	*ret = take_ptr(x);
	return 0;
}

void inflate_free(struct inflate *x)
{
	if (x && x->ops)
		x->ops->inflate_free(x->x);
	free(x);
}

ssize_t inflate_step(struct inflate *x, struct slice *in, void *out, size_t n)
{
	return x->ops ? x->ops->inflate_step(x->x, in, out, n, &x->is_whole) : copy_step(in, out, n);
}

bool inflate_is_whole(const struct inflate *x)
{
	return x->is_whole;
}

int deflate_new(enum compression c, int level, struct deflate **ret)
{
	if (c != COMPRESSION_NONE && !kinds[c].ops)
		return -ENOTSUP;
	AUTO(free) struct deflate *x = calloc(1, sizeof *x);
	if (!x)
		return -ENOMEM;
	x->ops = kinds[c].ops;
	if (x->ops && !(x->x = x->ops->deflate_new(level)))
		return -ENOMEM;
	*ret = take_ptr(x);
	return 0;
}

void deflate_free(struct deflate *x)
{
	if (x && x->ops)
		x->ops->deflate_free(x->x);
	free(x);
}

ssize_t deflate_step(struct deflate *x, struct slice *in, bool last, void *out, size_t n)
{
	if (x->ops)
		return x->ops->deflate_step(x->x, in, last, out, n, &x->is_done);
	ssize_t k = copy_step(in, out, n);
	x->is_done = last && in->len == 0;
	return k;
}

bool deflate_is_done(const struct deflate *x)
{
	return x->is_done;
}
