/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Port-forward, both sides: one connection carries any number of forwarded
 * TCP connections, each a data stream and an error stream. Over SPDY/3.1
 * (portforward.k8s.io), SPDY inside WebSocket messages
 * (SPDY/3.1+portforward.k8s.io), and WebSocket channels (v4.channel.k8s.io).
 */
#pragma once
#include "http/client.h"
#include "http/server.h"

struct forward_handler {
	/*
	 * One forwarded connection, in a fiber of its own: copies both ways between data and what listens on the port. What goes wrong
	 * is returned in e and sent on the error stream. data lives until it returns and is not closed by it.
	 */
	int (*connection_wait)(void *arg, unsigned port, struct stream *data, struct err *e);
	void *arg;
};
/*
 * Negotiates, answers 101 and serves until the client closes and all connections have ended; a cancel ends them. ports: for WebSocket
 * channels, whose ports are not in the messages; n_ports 0: from the query (ports=80,81 or port=80). < 0 with e filled and nothing
 * sent: refused, return it from the handler. Suspends.
 */
int forward_serve_wait(struct http_request *r, const uint16_t *ports, size_t n_ports, const struct forward_handler *h, struct err *e);
/* (To copy both ways: stream_pump_wait of io/stream.h, for handlers and clients alike.) */

/* Clients: the connection for `kubectl port-forward`, tunnelled in WebSocket, else SPDY. */
struct forward;
int forward_connect_wait(struct http_client *c, const char *target, const struct http_headers *headers, struct forward **ret, struct err *e);
/* One more TCP connection to a port. Both are the caller's to close; *error gives text when the other side failed, and ends. A server
 * that fails at once may refuse: -ECONNREFUSED, e has its text. */
int forward_open_wait(struct forward *f, unsigned port, struct stream **data, struct stream **error, struct err *e);
/* The connection is lost: nothing more can be opened. */
bool forward_gone(const struct forward *f);
int forward_gone_wait(struct forward *f, int64_t timeout_ns);
void forward_free(struct forward *f);
