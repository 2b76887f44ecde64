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
/* The first of the subprotocols the client offers that is among `ours` (n of them), or NULL; *offered: it names any. */
const char *ws_choose(const struct http_request *r, const char *const *ours, size_t n, bool *offered);
/* Asks for one: target as in http_call; protocol may be NULL. *ret is the caller's. */
int ws_connect_wait(struct http_client *c, const char *target, const char *protocol, bool text, struct stream **ret, struct err *e);
/* The same with headers of the caller's (Authorization, …; may be NULL) and several subprotocols ("a, b"; NULL none). *how tells what was
 * answered, also on failure (status 0: nothing was): release it. */
struct http_upgraded;
int ws_ask_wait(struct http_client *c, const char *target, const char *protocols, const struct http_headers *headers, bool text,
	struct http_upgraded *how, struct stream **ret, struct err *e);
/* Frames over a stream whose handshake is done; takes under, also on failure. */
int ws_wrap(struct stream *under, bool client, bool text, struct stream **ret);

/* --- for protocols that count on messages; ws is one of these streams */
/* Were the bytes that the last read gave the first of a message? A read never gives bytes of two. */
bool ws_message_began(const struct stream *ws);
/* Sends one message of the bytes of head and of p (both together at most 32 KB): 0, -EAGAIN (nothing was taken), -errno. */
enum { WS_MESSAGE_MAX = 32 * 1024 };
int ws_message_now(struct stream *ws, struct slice head, struct slice p);
/* Sends one message of any size up to 8 MB, in one frame, and waits until it has left: 0, -EMSGSIZE, -errno. */
int ws_send_wait(struct stream *ws, struct slice p);
/* Reads and drops what the peer says, in a fiber of its own, until it closes; then cancels the fiber that called this. For those who only send:
 * pings are answered so, and a client that leaves is noticed. Stop it, with the same fiber and before ws is closed, by ws_listen_stop_wait,
 * which also says that no more comes and gives the peer 5 s to close. */
struct ws_listener;
int ws_listen_start(struct stream *ws, struct ws_listener **ret);
void ws_listen_stop_wait(struct ws_listener *x);
