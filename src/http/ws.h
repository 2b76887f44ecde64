/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket (RFC 6455) as a stream: what is written goes out as messages of at
 * most 16 KB, what comes in is the bytes of all messages one after another.
 * Pings are answered; a close frame is the end of input.
 */
#pragma once
#include "http/client.h"
#include "http/server.h"

/* Is this a request to become a WebSocket? */
bool ws_wanted(const struct http_request *r);
/* Answers the handshake and takes the connection; -EINVAL with e filled (a 400) if it is not a proper one. protocol: the subprotocol
 * that was chosen of those offered, or NULL. text: messages go out as text (their bytes must be UTF-8), else as binary. */
int ws_accept_wait(struct http_request *r, const char *protocol, bool text, struct stream **ret, struct err *e);
/* Asks for one: target as in http_call; protocol may be NULL. *ret is the caller's. */
int ws_connect_wait(struct http_client *c, const char *target, const char *protocol, bool text, struct stream **ret, struct err *e);
/* Frames over a stream whose handshake is done; takes under, also on failure. */
int ws_wrap(struct stream *under, bool client, bool text, struct stream **ret);
