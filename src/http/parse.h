/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading HTTP/1.x (RFC 9112): heads and chunked bodies, bytes in, facts out,
 * nothing that waits. Strict where leniency lets two parsers disagree about
 * where a message ends: line ends are CRLF, no folded lines, one
 * Content-Length, never together with Transfer-Encoding.
 */
#pragma once
#include "http/http.h"

struct http_head {
	struct slice method, target;    /* requests */
	int status;                     /* responses */
	struct slice reason;
	int minor;                      /* HTTP/1.minor, 0 or 1 */
	struct http_headers headers;
	int64_t content_length;         /* -1: none */
	bool chunked;
	bool keep_alive;                /* what version and Connection say */
	bool expect_continue;
};

/* Length of the head at the front of p, blank line included; 0 while it is incomplete. *scan starts at 0 and remembers, so that the
 * work is linear however the bytes come. */
size_t http_head_length(const char *p, size_t n, size_t *scan);
/* Parses a whole head; the slices point into text, the header array is the arena's. 0, or with *why filled (static text):
 * -EBADMSG (400), -EPROTONOSUPPORT (505), -EOPNOTSUPP (501), -EMSGSIZE (431), -ENOMEM. */
int http_head_parse(struct arena *a, struct slice text, bool response, struct http_head *ret, const char **why);
int http_parse_status(int error);       /* that table */
bool http_is_token(struct slice s);
bool http_is_value(struct slice s);     /* no control characters but tab */

/* Chunked decoding. Zero-initialise. */
struct http_chunks {
	uint8_t state;
	uint8_t digits;
	unsigned line;                  /* bytes of this size line, then of the trailer */
	uint64_t left;                  /* bytes left of the current chunk's data */
};
/* Takes from the front of *in; *data is a run of body bytes within it, perhaps empty. 1: the body has ended (the rest of *in is the next
 * message's), 0: *in is used up or data was found, call again; -EBADMSG. */
int http_chunks_next(struct http_chunks *c, struct slice *in, struct slice *data);
/* Bytes that may be read straight into the reader's memory now; tell with http_chunks_skip. */
uint64_t http_chunks_direct(const struct http_chunks *c);
void http_chunks_skip(struct http_chunks *c, uint64_t n);
