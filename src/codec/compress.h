/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressed byte streams, a step at a time: gzip and zstd both ways, plain
 * bytes as a third kind so that callers need no special case; bzip2 and xz are
 * only recognised. Pure: the caller moves the bytes.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "base/buf.h"

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD, COMPRESSION_BZIP2, COMPRESSION_XZ };
enum { COMPRESSION_MAGIC_BYTES = 6 };     /* enough of a stream's start to tell */
enum compression compression_detect(struct slice start);
const char *compression_name(enum compression c);       /* "gzip", … "none" */

struct inflate;
/* 0, -ENOTSUP (bzip2, xz), -ENOMEM. */
int inflate_new(enum compression c, struct inflate **ret);
void inflate_free(struct inflate *x);
static inline void auto_inflate(struct inflate **x) { inflate_free(*x); }
/*
 * Takes bytes off the front of *in and writes at most n to out: how many, or -EBADMSG when the stream is broken. 0 with *in empty:
 * more input is needed. Concatenated members and frames are one stream, as gzip and zstd themselves treat them.
 */
ssize_t inflate_step(struct inflate *x, struct slice *in, void *out, size_t n);
/* True where the input may end: whole members only. */
bool inflate_is_whole(const struct inflate *x);

struct deflate;
/* level 0: the kind's default (fast). The same bytes and level give the same output on one machine. */
int deflate_new(enum compression c, int level, struct deflate **ret);
void deflate_free(struct deflate *x);
static inline void auto_deflate(struct deflate **x) { deflate_free(*x); }
/* Like inflate_step. With `last` set, *in holds the end of the input; call until deflate_is_done. */
ssize_t deflate_step(struct deflate *x, struct slice *in, bool last, void *out, size_t n);
bool deflate_is_done(const struct deflate *x);
