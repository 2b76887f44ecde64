/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP/1 connection as both sides see it: a stream, what was received and
 * not yet used, and where in a body the reading is.
 */
#pragma once
#include "http/parse.h"
#include "io/stream.h"

enum body_kind { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_TO_END };
struct http_wire {
	struct stream *s;
	struct buf in;                  /* received, not yet used */
	size_t scan;                    /* http_head_length's memory */
	enum body_kind kind;
	bool body_ended;
	int64_t left;                   /* BODY_LENGTH */
	struct http_chunks chunks;
};

void wire_init(struct http_wire *w, struct stream *s);
/* Reads into `in`: bytes, 0 at the end, -EAGAIN, -EMSGSIZE when `in` is full, -errno. */
ssize_t wire_fill_now(struct http_wire *w);
/* Length of the complete head at the front of `in`, 0 without one. Skips empty lines before it. */
size_t wire_head(struct http_wire *w);
/* Removes n used bytes. */
void wire_used(struct http_wire *w, size_t n);
void wire_body_begin(struct http_wire *w, enum body_kind kind, int64_t length);
/* Body bytes, 0 at its end, -EAGAIN, -EBADMSG, -EPIPE when the connection ends before the body. */
ssize_t wire_body_now(struct http_wire *w, void *p, size_t n);
ssize_t wire_body_wait(struct http_wire *w, void *p, size_t n);
/* Sends bytes as chunks of bounded size, each in one write; `out` is scratch. */
int wire_chunk_wait(struct http_wire *w, struct buf *out, const void *p, size_t n);
/* The stream, with what is in `in` before it; the wire is empty afterwards. */
int wire_take_stream(struct http_wire *w, struct stream **ret);
