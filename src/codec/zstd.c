/* SPDX-License-Identifier: Apache-2.0 */
/* zstd (RFC 8878) with libzstd; windows up to 128 MiB, as other engines accept. */
#include "codec/compress_int.h"

#include <errno.h>
#include <zstd.h>

enum { WINDOW_LOG_MAX = 27 };

static void *unzstd_new(void)
{
	ZSTD_DStream *x = ZSTD_createDStream();
	if (x)
		ZSTD_DCtx_setParameter(x, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	return x;
}

static void unzstd_free(void *x)
{
	ZSTD_freeDStream(x);
}

static ssize_t unzstd_step(void *x, struct slice *in, void *out, size_t n, bool *is_whole)
{
	ZSTD_outBuffer o = { out, n, 0 };
	ZSTD_inBuffer i = { in->ptr, in->len, 0 };
	while (o.pos < n) {
		size_t before = o.pos + i.pos;
		if (i.pos == i.size && *is_whole)
			break;
		size_t r = ZSTD_decompressStream(x, &o, &i);
		if (ZSTD_isError(r))
			return -EBADMSG;
		if (o.pos + i.pos == before)
			break;
		*is_whole = r == 0;
	}
	in->ptr += i.pos;
	in->len -= i.pos;
	return (ssize_t)o.pos;
}

static void *zstd_new(int level)
{
	ZSTD_CCtx *x = ZSTD_createCCtx();
	if (x) {
		ZSTD_CCtx_setParameter(x, ZSTD_c_compressionLevel, level > 0 ? level : 3);
		ZSTD_CCtx_setParameter(x, ZSTD_c_checksumFlag, 1);
	}
	return x;
}

static void zstd_free(void *x)
{
	ZSTD_freeCCtx(x);
}

static ssize_t zstd_step(void *x, struct slice *in, bool last, void *out, size_t n, bool *is_done)
{
	ZSTD_outBuffer o = { out, n, 0 };
	ZSTD_inBuffer i = { in->ptr, in->len, 0 };
	size_t r = ZSTD_compressStream2(x, &o, &i, last ? ZSTD_e_end : ZSTD_e_continue);
	if (ZSTD_isError(r))
		return -EBADMSG;
	in->ptr += i.pos;
	in->len -= i.pos;
	*is_done = last && r == 0;
	return (ssize_t)o.pos;
}

const struct codec_ops zstd_ops = { unzstd_new, unzstd_free, unzstd_step, zstd_new, zstd_free, zstd_step };
