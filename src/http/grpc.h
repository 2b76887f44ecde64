/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC over HTTP/2 (PROTOCOL-HTTP2 of the gRPC project): proto3 messages of
 * schema/ behind a 5-byte prefix, status in trailers. No compression is offered
 * or taken, a message has at most GRPC_MESSAGE_MAX bytes.
 *
 * Errors travel both ways as struct err: the errno picks the status code by
 * one table (grpc_code_of, grpc_errno_of), the text is grpc-message unchanged.
 *
 *   struct cri_version_request q = { .version = "v1" };
 *   struct cri_version_response p;
 *   r = grpc_unary_wait(client, "/runtime.v1.RuntimeService/Version", T_cri_version_request, &q,
 *                       T_cri_version_response, &arena, &p, 2 * NS_PER_S, e);
 */
#pragma once
#include "http/http.h"
#include "http/server.h"
#include "io/stream.h"
#include "schema/schema.h"

enum { GRPC_MESSAGE_MAX = 16 * 1024 * 1024 };

enum grpc_code {
	GRPC_OK, GRPC_CANCELLED, GRPC_UNKNOWN, GRPC_INVALID_ARGUMENT, GRPC_DEADLINE_EXCEEDED, GRPC_NOT_FOUND, GRPC_ALREADY_EXISTS,
	GRPC_PERMISSION_DENIED, GRPC_RESOURCE_EXHAUSTED, GRPC_FAILED_PRECONDITION, GRPC_ABORTED, GRPC_OUT_OF_RANGE, GRPC_UNIMPLEMENTED,
	GRPC_INTERNAL, GRPC_UNAVAILABLE, GRPC_DATA_LOSS, GRPC_UNAUTHENTICATED, GRPC_CODES
};
/* Of an errno of either sign: ENOENT is GRPC_NOT_FOUND; GRPC_UNKNOWN where the table has none. */
enum grpc_code grpc_code_of(int error);
/* A positive errno, 0 for GRPC_OK: GRPC_NOT_FOUND is ENOENT, GRPC_UNAVAILABLE EHOSTDOWN, GRPC_DEADLINE_EXCEEDED ETIMEDOUT. */
int grpc_errno_of(unsigned code);

/* --- server: methods are rows, each call runs in a fiber -------------------- */
struct grpc_call {
	void *user;                       /* of the server */
	struct arena *arena;              /* dies with the call; request and reply live there */
	const struct grpc_method *method;
	int64_t deadline_ns;              /* monotonic, of grpc-timeout; 0: none. Nothing is cancelled by it */
	struct http_request *http;
};
struct grpc_method {
	const char *path;                 /* "/runtime.v1.RuntimeService/Version" */
	struct schema_ref request, reply;
	/* One answer: fills *reply (zeroed; memory in c->arena). Runs to its end also when the client goes. May suspend. */
	int (*unary_wait)(struct grpc_call *c, const void *request, void *reply, struct err *e);
	/* Many: grpc_send_wait for each; cancelled when the client goes. One of the two is set. */
	int (*stream_wait)(struct grpc_call *c, const void *request, struct err *e);
};
/* < 0 when the client is gone. */
int grpc_send_wait(struct grpc_call *c, const void *reply, struct err *e);
/* Time left until the call's deadline, or `most` if that is less or there is none. */
int64_t grpc_time_left_ns(const struct grpc_call *c, int64_t most_ns);

struct grpc_server;
/* done (may be NULL): after each call, for the log; code 0 is success. methods and user must outlive it. */
struct grpc_server_config {
	const struct grpc_method *methods;
	size_t n_methods;
	void *user;
	void (*done)(void *user, const char *path, enum grpc_code code, const struct err *e, int64_t duration_ns);
};
int grpc_server_new(struct loop *l, const struct grpc_server_config *c, struct grpc_server **ret);
/* As http_server_free: stops listening and cancels calls. */
void grpc_server_free(struct grpc_server *s);
int grpc_server_listen(struct grpc_server *s, int fd, struct tls_config *tls, struct err *e);   /* takes fd */
int grpc_server_serve(struct grpc_server *s, struct stream *stream);                            /* takes stream */

/* --- client: many calls on one connection, made when first needed and again after it broke --- */
struct grpc_client;
struct grpc_client_config {
	const char *unix_path;            /* or host and port; or connect_wait */
	const char *host;
	unsigned port;
	struct tls_config *tls;           /* for host and port; ALPN h2. NULL: plain, with prior knowledge */
	int (*connect_wait)(void *arg, struct stream **ret, struct err *e);
	void *connect_arg;
	const char *authority;            /* NULL: host:port, "localhost" for Unix sockets */
	const struct http_header *headers;    /* sent with each call (metadata such as authorization); copied */
	size_t n_headers;
	int64_t connect_timeout_ns;       /* 0: 10 s */
};
/* Copies the strings; tls and connect_arg must outlive it. */
int grpc_client_new(struct loop *l, const struct grpc_client_config *c, struct grpc_client **ret);
/* Breaks the connection: calls under way end with -EHOSTDOWN. Streams must still be freed. */
void grpc_client_free(struct grpc_client *c);
AUTO_DEFINE(grpc_client, struct grpc_client *, grpc_client_free)

/*
 * One request, one reply, which lives in a. timeout_ns <= 0: none. -EHOSTDOWN when nobody answers or the connection breaks,
 * -ETIMEDOUT, -ECANCELED (this fiber was cancelled: the call is reset), else the server's status as errno and its message as text.
 */
int grpc_unary_wait(struct grpc_client *c, const char *path, struct schema_ref request_type, const void *request,
		    struct schema_ref reply_type, struct arena *a, void *reply, int64_t timeout_ns, struct err *e);

/*
 * Streams in either direction. Open sends the head; then send requests (one for server streaming), say that there are no more
 * (grpc_stream_done_wait), and read replies until 0. One fiber may send while another reads.
 */
struct grpc_stream;
int grpc_stream_open_wait(struct grpc_client *c, const char *path, int64_t timeout_ns, struct grpc_stream **ret, struct err *e);
int grpc_stream_send_wait(struct grpc_stream *s, struct schema_ref type, const void *request, struct err *e);
int grpc_stream_done_wait(struct grpc_stream *s, struct err *e);
/* Open, one request, done. */
int grpc_stream_call_wait(struct grpc_client *c, const char *path, struct schema_ref type, const void *request, int64_t timeout_ns,
			  struct grpc_stream **ret, struct err *e);
/* 1 and a message (in a), 0 at a good end, < 0: the status or what broke. */
int grpc_stream_next_wait(struct grpc_stream *s, struct schema_ref type, struct arena *a, void *reply, struct err *e);
/* Resets it when it has not ended; NULL is fine. Nobody may wait on it. */
void grpc_stream_free(struct grpc_stream *s);
AUTO_DEFINE(grpc_stream, struct grpc_stream *, grpc_stream_free)
