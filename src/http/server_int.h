/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the request layer (request.c: what handlers call) and what carries
 * requests (server1.c: HTTP/1 connections, server2.c: HTTP/2 streams).
 */
#pragma once
#include "http/server.h"
#include "base/list.h"
#include "base/vec.h"

enum { REQUEST_ARENA_MAX = 64 * 1024 * 1024, DRAIN_MAX = 256 * 1024, BODY_INLINE_MAX = 64 * 1024 };

struct http_req;
struct http_transport {
	/* Sends the head; length -1: unknown. With `end`, `body` is all of the body and goes along. */
	int (*head_wait)(struct http_req *q, int status, int64_t length, struct slice body, bool end);
	int (*data_wait)(struct http_req *q, const void *p, size_t n);
	int (*end_wait)(struct http_req *q);
	ssize_t (*body_now)(struct http_req *q, void *p, size_t n);
	/* The stream whose readability means that body_now may go on. */
	struct stream *(*body_source)(struct http_req *q);
	int (*hijack_wait)(struct http_req *q, int status, const char *reason, const char *upgrade, struct stream **ret);
};

struct http_req {
	struct http_request pub;
	const struct http_transport *t;
	void *carrier;                  /* struct conn or struct h2_stream */
	struct arena arena;
	struct http_headers extra;      /* answer headers; the array is the arena's */
	size_t extra_cap;
	struct http_headers trailers;   /* behind the body */
	struct http_header trailer_rows[16];
	struct http_param params[8];
	int status;                     /* of the answer; 0 until it has begun */
	bool is_head, begun, ended, hijacked;
	bool no_body;                   /* HEAD, 204, 304: data is dropped */
	int64_t left;                   /* bytes still owed of a given length; -1: none given */
	bool gone, cancel_when_gone;
	struct waitq gone_q;
	struct fiber *fiber;
	struct stream body_stream;
	int64_t began_ns;
};

struct http_server {
	struct loop *loop;
	struct http_server_config c;
	struct list listeners;
	struct list idle;               /* connections without a request, longest idle first */
	struct list heads;              /* with part of a head, oldest first */
	struct list busy;               /* with a fiber, or lingering */
	struct list http2;              /* struct conn2 */
	unsigned n_connections, n_refs;
	bool freed;
	int64_t date_s;
	char date[32];
};

/* Fills in pub from what a head says; target is split and decoded. 0, or the status to refuse with. */
int req_init(struct http_req *q, struct http_server *s, struct slice method, struct slice target);
/* Routes and runs the handler, and makes sure that an answer was sent. < 0: the connection must be cut. */
int req_run_wait(struct http_req *q);
void req_release(struct http_req *q);
/* The peer has closed. */
void req_gone(struct http_req *q);
/* Refuses without a handler. */
int req_refuse_wait(struct http_req *q, int status, const char *text);
/* Appends the answer's headers that both versions have, but status and framing, each as "name: value\r\n". */
const char *server_date(struct http_server *s);
void server_ref(struct http_server *s);
void server_unref(struct http_server *s);
/* HTTP/2 on a stream (taken, like listener's count, also on failure). */
int server2_serve(struct http_server *s, struct listener *listener, struct stream *stream);
void server2_free_all(struct http_server *s);
/* Copies who the peer is into the request; p may be NULL. */
void req_set_peer(struct http_req *q, const struct tls_peer *p);
