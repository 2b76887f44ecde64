/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP server: routes are rows, each request runs in a fiber. HTTP/1.1 with
 * keep-alive, chunked both ways, Expect: 100-continue and hijack; HTTP/2 (later
 * file http2.c) hands out the same struct http_request.
 *
 * A handler answers by http_reply*, or by http_begin + http_write_wait + http_end_wait
 * for streams, or takes the connection with http_hijack_wait. A handler that
 * returns < 0 with a filled err and has sent nothing gets the server's error
 * format (server->write_error).
 */
#pragma once
#include "http/http.h"
#include "io/stream.h"

struct http_server;
struct http_request;

/* One row of a routing table. Pattern pieces: "/containers/{id}/json"; "{name:*}" takes several segments (as image names need). */
struct http_route {
	const char *method;           /* "GET"; HEAD is served by GET rows unless a HEAD row exists */
	const char *pattern;
	int (*handle)(struct http_request *r, struct err *e);     /* may suspend */
	const void *data;             /* the row's own facts for its owner (least API version, …) */
};

struct http_request {
	struct http_server *server;
	void *user;                   /* http_server_config.user */
	struct arena *arena;          /* dies with the request */
	struct slice method, target;  /* as sent */
	const char *path;             /* decoded, without query */
	struct http_query query;
	struct http_headers headers;
	const struct http_route *route;
	struct http_param *params;    /* path pieces by name, decoded */
	size_t n_params;
	int64_t content_length;       /* -1: unknown (chunked) or none */
	bool has_body;
	bool is_loopback;             /* the peer is on this machine */
	const char *peer_name;        /* TLS client certificate's common name, or NULL */
	const char *const *peer_organizations;      /* and its organizations */
	size_t n_peer_organizations;
	void *scratch;                /* for the user's before() hook, e.g. the parsed API version */
	int http_minor;               /* HTTP/1.0: 0, 1.1: 1; HTTP/2: 2 */
};

const char *http_param(const struct http_request *r, const char *name);   /* "" when absent */

/* --- the body: bytes > 0, 0 at its end, -errno. http_body_all_wait reads all of it (max_bytes ceiling: -E2BIG). */
ssize_t http_body_read_wait(struct http_request *r, void *p, size_t n);
int http_body_all_wait(struct http_request *r, size_t max_bytes, struct slice *ret, struct err *e);
/* The rest of the body as a stream that lives until the handler returns. */
struct stream *http_body_stream(struct http_request *r);

/* --- the answer */
int http_header_add(struct http_request *r, const char *name, const char *value);      /* before it begins; copies */
/* A header behind the body (gRPC's status): any time before the answer ends, at most 16; HTTP/2 and chunked answers only. */
int http_trailer_add(struct http_request *r, const char *name, const char *value);
int http_reply(struct http_request *r, int status, const char *content_type, struct slice body);  /* whole answer; may suspend */
int http_begin_wait(struct http_request *r, int status, const char *content_type);   /* sends the head now; chunked (or to the end for HTTP/1.0) */
/* With a Content-Length instead of chunks; length bytes must follow. */
int http_begin_length_wait(struct http_request *r, int status, const char *content_type, int64_t length);
int http_write_wait(struct http_request *r, const void *p, size_t n);        /* sent before it returns; -EPIPE when the peer left */
/* Ends a begun answer; done by itself when the handler returns >= 0. A handler that returns < 0 after it has begun cuts the connection,
 * so that the client sees an incomplete answer. */
int http_end_wait(struct http_request *r);
bool http_begun(const struct http_request *r);
/* True once the peer has closed; and a fiber can wait for it while producing nothing: 0 = gone, -ETIMEDOUT. */
bool http_peer_gone(struct http_request *r);
int http_peer_gone_wait(struct http_request *r, int64_t timeout_ns);
/* From now on (on), this handler's fiber is cancelled when the peer closes: every *_wait in it returns -ECANCELED. As in Go's servers, a
 * peer that has closed its sending half counts as gone. */
void http_cancel_when_gone(struct http_request *r, bool on);
/* Takes the raw connection: sends `status` (101 with Upgrade: protocol, or 200) and its headers; *ret reads bytes already buffered
 * first. The caller closes it. status 0 picks what Docker does: 101 UPGRADED with the protocol that the request's Upgrade header names,
 * 200 without one; `upgrade` is then not looked at. What is left of a request body is read and dropped (bounded) before. */
int http_hijack_wait(struct http_request *r, int status, const char *content_type, const char *upgrade, struct stream **ret);

struct http_server_config {
	const struct http_route *routes;
	size_t n_routes;
	void *user;
	/* May rewrite the path (strip "/v1.43"), add headers, refuse: < 0 with e set. Before routing. */
	int (*before)(struct http_request *r, const char **path, struct err *e);
	/* Formats an error answer; NULL: text/plain. Also called for 404/405 of the router itself. */
	void (*write_error)(struct http_request *r, int status, const struct err *e);
	/* After the answer, for the access log; may be NULL. */
	void (*done)(struct http_request *r, int status, int64_t duration_ns);
	int64_t head_timeout_ns, idle_timeout_ns;    /* half-open and idle connections: default 30 s, 180 s */
	unsigned max_connections;                    /* default 4096 */
};
/* c->routes and c->user must outlive the server. */
int http_server_new(struct loop *l, const struct http_server_config *c, struct http_server **ret);
/* Stops listening, closes idle connections, cancels the fibers of busy ones; memory goes with the last of them. */
void http_server_free(struct http_server *s);
/* Serves one stream (taken) as if it had been accepted: tests, and HTTP inside of other protocols. HTTP/2 is recognised by its preface. */
int http_server_serve(struct http_server *s, struct stream *stream);
unsigned http_server_connections(const struct http_server *s);
/* Serves a listening socket (taken); tls may be NULL. Several per server. */
int http_server_listen(struct http_server *s, int fd, struct tls_config *tls, struct err *e);
