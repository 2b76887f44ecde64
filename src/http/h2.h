/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP/2 connection (RFC 9113, by nghttp2) over any stream, for either
 * side. It has no fiber: the loop calls it when bytes come or can go. Each of
 * its streams is a struct stream: reading gives the peer's DATA, writing sends
 * ours, under the flow control of both levels.
 */
#pragma once
#include <nghttp2/nghttp2.h>
#include "base/list.h"
#include "http/http.h"
#include "io/stream.h"

struct h2;
struct h2_stream {
	struct stream s;
	struct h2 *c;                   /* NULL once the connection is gone */
	struct list node;               /* among the connection's */
	struct list touched;            /* something to tell about: see `fire` */
	unsigned fire;                  /* bits of STREAM_… */
	unsigned n_refs;
	int32_t id;
	struct arena arena;
	struct http_headers headers;    /* of the head, without the pseudo-headers below; then the trailers behind n_head */
	size_t cap, n_head, header_bytes;
	struct slice method, path, authority, scheme;
	int status;
	bool head_done, in_ended, closed, announced;
	bool out_end, submitted;
	uint32_t error;                 /* RST_STREAM's code */
	struct buf in, out;
	struct http_headers trailers;   /* to send behind the last DATA */
	void *user;
};
struct h2_events {
	/* A stream's head is complete (a request on servers, an answer on clients). On the loop, outside of nghttp2. */
	void (*head)(void *arg, struct h2_stream *st);
	/* The connection is over; the owner forgets it. Its streams live on, reset. */
	void (*gone)(void *arg);
	/* The last stream was closed, or the first one opened. */
	void (*idle)(void *arg, bool is_idle);
};

/* Takes under, also on failure. events and arg must live until gone. */
int h2_new(struct stream *under, bool server, const struct h2_events *events, void *arg, struct h2 **ret);
/* Ends it at once; gone is not called. */
void h2_free(struct h2 *c);
/* Begins to read; before it, nothing is called back. */
void h2_go(struct h2 *c);
/* No new streams; those that are open go on. */
void h2_goaway(struct h2 *c);
/* Sends a head (names in any case, the pseudo-header first); `end`: nothing follows. 0 or -errno. */
int h2_answer(struct h2_stream *st, int status, const struct http_headers *h, bool end);
int h2_request(struct h2 *c, const struct http_headers *h, bool end, struct h2_stream **ret);
/* No more DATA from us; st->trailers go out behind it. */
int h2_end(struct h2_stream *st);
void h2_reset(struct h2_stream *st, uint32_t code);
void h2_stream_ref(struct h2_stream *st);
void h2_stream_unref(struct h2_stream *st);
