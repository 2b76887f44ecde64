/* SPDX-License-Identifier: Apache-2.0 */
/* One kind of compression as compress.c sees it: gzip.c and zstd.c fill a row each. */
#pragma once
#include "codec/compress.h"

struct codec_ops {
	void *(*inflate_new)(void);
	void (*inflate_free)(void *x);
	ssize_t (*inflate_step)(void *x, struct slice *in, void *out, size_t n, bool *is_whole);
	void *(*deflate_new)(int level);
	void (*deflate_free)(void *x);
	ssize_t (*deflate_step)(void *x, struct slice *in, bool last, void *out, size_t n, bool *is_done);
};
extern const struct codec_ops gzip_ops, zstd_ops;
