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
	const char *unix_path;        /* or host + port; or connect */
	int (*connect_wait)(void *arg, struct stream **ret, struct err *e);   /* any other way to get a stream; its arg is connect_arg */
	void *connect_arg;
	const char *host;
	unsigned port;
	struct tls_config *tls;       /* NULL: plain */
	const char *host_header;      /* NULL: host[:port] */
	int64_t connect_timeout_ns;   /* default 30 s */
	int64_t io_timeout_ns;        /* one read or write; 0: none */
};
/* Copies the strings; tls must outlive the client. */
int http_client_new(struct loop *l, const struct http_client_config *c, struct http_client **ret);
/* Calls still open keep working and must still be released. */
void http_client_free(struct http_client *c);

struct http_call {
	/* what to send; strings live until the call is released */
	const char *method, *target;            /* target with query, already encoded */
	struct http_headers headers;            /* Host, Content-Length and Connection are added */
	struct slice body;                      /* whole body, or … */
	struct stream *body_stream;             /* … read to its end (Content-Length if length >= 0, else chunked), beside the answer: it must
						 * live until the call is released, and is not closed */
	int64_t body_length;                    /* for body_stream; -1: chunked */
	/* what came back */
	int status;
	struct http_headers reply_headers;
	int64_t reply_length;                   /* -1 unknown */
	struct http_call_int *x;                /* private */
};
/* Sends and reads the reply's head. 0 or -errno; then read the body, then release (harmless twice, and after a failure). A connection
 * dropped while idle is retried once. Zero the struct first; give body_length = -1 with a body_stream of unknown length. */
int http_call_wait(struct http_client *c, struct http_call *call, struct err *e);
ssize_t http_call_read_wait(struct http_call *call, void *p, size_t n);
/* The reply's body as a stream, which lives until the call is released; need not be closed. */
struct stream *http_call_stream(struct http_call *call);
/* All of the body; -EMSGSIZE past max_bytes. */
int http_call_body_wait(struct http_call *call, size_t max_bytes, struct buf *out, struct err *e);
/* After 101 (or a 200 that is hijacked): the raw connection, the caller's from now on. */
int http_call_hijack(struct http_call *call, struct stream **ret);
void http_call_release(struct http_call *call);
