/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP client over streams, in fibers: keep-alive pool per client, chunked both
 * ways, hijack. No redirects and no authentication here; callers own that policy.
 */
#pragma once
#include "http/http.h"
#include "io/stream.h"

struct http_client;
struct http_client_config {
	const char *unix_path;        /* or host + port */
	const char *host;
	unsigned port;
	struct tls_config *tls;       /* NULL: plain */
	const char *host_header;      /* NULL: host[:port] */
	int64_t connect_timeout_ns;   /* default 30 s */
	int64_t io_timeout_ns;        /* one read or write; 0: none */
};
int http_client_new(struct loop *l, const struct http_client_config *c, struct http_client **ret);
void http_client_free(struct http_client *c);

struct http_call {
	/* what to send; strings live until the call is released */
	const char *method, *target;            /* target with query, already encoded */
	struct http_headers headers;            /* Host, Content-Length and Connection are added */
	struct slice body;                      /* whole body, or … */
	struct stream *body_stream;             /* … read to its end (Content-Length if length >= 0, else chunked) */
	int64_t body_length;                    /* for body_stream; -1: chunked */
	/* what came back */
	int status;
	struct http_headers reply_headers;
	int64_t reply_length;                   /* -1 unknown */
	struct http_call_int *x;                /* private */
};
/* Sends and reads the reply's head. 0 or -errno; then read the body, then release. A connection dropped while idle is retried once. */
int http_call_wait(struct http_client *c, struct http_call *call, struct err *e);
ssize_t http_call_read_wait(struct http_call *call, void *p, size_t n);
int http_call_body_wait(struct http_call *call, size_t max_bytes, struct buf *out, struct err *e);
/* After 101 (or a 200 that is hijacked): the raw connection, the caller's from now on. */
int http_call_hijack(struct http_call *call, struct stream **ret);
void http_call_release(struct http_call *call);
