/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One SPDY/3.1 connection over any stream, for either side. It has no fiber:
 * the loop calls it when bytes come or can go. Each of its streams is a struct
 * stream: reading gives the peer's DATA, writing sends ours, half-close is FIN,
 * closing one whose input has not ended resets it.
 *
 * Flow control: windows are announced and updated. A peer that sends neither
 * SETTINGS nor WINDOW_UPDATE (Go's spdystream) does none: then nothing but the
 * stream below holds our writes back, and where it overruns one of our
 * streams, nothing more is read of the connection until that one was read.
 *
 * Source: SPDY Protocol draft 3.1 (frames, header blocks, windows), as published by the Chromium project.
 */
#pragma once
#include "base/list.h"
#include "http/client.h"
#include "http/server.h"

struct spdy;
struct spdy_stream {
	struct stream s;
	struct spdy *c;                 /* NULL once the connection is gone */
	struct list node, touched;
	unsigned fire;                  /* bits of STREAM_… to tell about */
	unsigned n_refs;
	uint32_t id;
	struct arena arena;
	struct http_headers headers;    /* of the peer's SYN_STREAM, or SYN_REPLY to ours; names are in lower case */
	bool ours, announced, answered; /* answered: SYN_REPLY was sent or has come */
	bool in_ended, out_ended, reset, dropped /* nobody reads it any more */, settled /* the connection has let go of it */;
	uint32_t status;                /* of a RST_STREAM that came */
	int64_t send_window;
	size_t unacked;                 /* read by the user, not yet given back to the peer's window */
	struct buf in;
	uint64_t mark;                  /* of what the connection has sent, where our last write ends */
	struct waitq answer_q;
	void *user;
};
enum spdy_status { SPDY_PROTOCOL_ERROR = 1, SPDY_INVALID_STREAM, SPDY_REFUSED_STREAM, SPDY_UNSUPPORTED_VERSION, SPDY_CANCEL,
	SPDY_INTERNAL_ERROR, SPDY_FLOW_CONTROL_ERROR, SPDY_STREAM_IN_USE, SPDY_STREAM_CLOSED };
struct spdy_events {
	/* The peer opened a stream. On the loop, outside of a fiber: answer with spdy_reply or spdy_refuse, now or later. The callee owns st and
	 * closes it (stream_close(&st->s)) when done, also after refusing. NULL: all are refused. */
	void (*opened)(void *arg, struct spdy_stream *st);
	/* The connection is over; its streams live on, ended. c is still to be freed (here, or later). May be NULL. */
	void (*gone)(void *arg);
};

/* Takes under, also on failure. events and arg must live until spdy_free. */
int spdy_new(struct stream *under, bool server, const struct spdy_events *events, void *arg, struct spdy **ret);
/* Begins to read; before it, nothing is called back. */
void spdy_go(struct spdy *c);
/* Opens a stream and waits for its SYN_REPLY (30 s): 0, -ECONNREFUSED when it was reset, -ECONNRESET, -ETIMEDOUT, -EBUSY past the ceiling. */
int spdy_open_wait(struct spdy *c, const struct http_headers *h, struct spdy_stream **ret);
/* Accepts a stream; h may be NULL. 0 or -errno. */
int spdy_reply(struct spdy_stream *st, const struct http_headers *h);
/* RST_STREAM with a spdy_status; the stream is over, and still the holder's to close. */
void spdy_refuse(struct spdy_stream *st, uint32_t status);
/* GOAWAY, half-close, and what comes is dropped until the peer closes too, at most most_ns: so nothing that was sent is lost to a reset. */
void spdy_finish_wait(struct spdy *c, int64_t most_ns);
bool spdy_gone(const struct spdy *c);
/* Closes at once; gone is not called. Streams live on, ended. NULL is fine. */
void spdy_free(struct spdy *c);

/* --- Upgrade: SPDY/3.1 with X-Stream-Protocol-Version, as Kubernetes does it */
bool spdy_wanted(const struct http_request *r);
/* Takes the first of the client's versions that is among `protocols`; a client that names none gets NULL. -EINVAL (400), -EACCES (403) with e. */
int spdy_accept_wait(struct http_request *r, const char *const *protocols, size_t n, const char **ret_protocol, struct stream **ret, struct err *e);

/* --- header blocks (http/spdy_block.c); one of them a direction lives as long as the connection */
struct spdy_block;
void spdy_block_free(struct spdy_block *b);
/* Appends the compressed block; *b is made when first used. */
int spdy_block_encode(struct spdy_block **b, const struct http_headers *h, struct buf *out);
/* -EINVAL: the headers are not proper (the stream is to be reset); -EBADMSG, -EMSGSIZE: the connection cannot go on. */
int spdy_block_decode(struct spdy_block **b, struct slice in, struct arena *a, struct http_headers *ret);
