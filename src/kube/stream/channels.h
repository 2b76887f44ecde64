/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels over WebSocket: each message begins with the number of its channel;
 * the base64 forms send that as a digit and the rest as base64 text; v5 adds
 * message {255, n}: no more comes on channel n. Private to kube/stream.
 */
#pragma once
#include "io/stream.h"

enum { CHANNEL_CLOSE = 255 };
struct channels;
struct channels_config {
	unsigned n;                    /* channels 0..n-1 */
	const bool *reads, *writes;    /* n each: our directions */
	bool base64;
	bool closes;                   /* v5 */
	bool client;                   /* v5: only clients send closes, others' libraries do not know what to do with one */
};
/* Takes ws (of ws_accept_wait or ws_ask_wait), also on failure. gone is woken when the connection is over. */
int channels_new(struct stream *ws, const struct channels_config *f, struct waitq *gone, struct channels **ret);
/* A channel as a stream, the connection's: not to be closed. */
struct stream *channels_stream(struct channels *c, unsigned i);
bool channels_gone(const struct channels *c);
/* Sends one message with these bytes (perhaps none). */
int channels_send_wait(struct channels *c, unsigned i, struct slice p);
/* Drops what comes, sends the close frame and waits until the peer closes too, at most most_ns. */
void channels_finish_wait(struct channels *c, int64_t most_ns);
void channels_free(struct channels *c);
