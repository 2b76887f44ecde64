/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remote commands: what kubectl exec, attach and cp speak, both sides. One
 * connection carries standard input, output and error, terminal sizes and the
 * final Status, over SPDY/3.1 (v1 to v4.channel.k8s.io) or over WebSocket
 * (channel.k8s.io, v4, v5 and the base64 forms). Who uses a struct remote does
 * not see which.
 *
 * Servers: remote_accept_wait, copy, remote_exit_wait or remote_fail_wait,
 * remote_close_wait. Clients: remote_connect_wait, copy, remote_result_wait,
 * remote_close_wait.
 *
 * Source: the published wire format as client-go's remotecommand speaks it.
 */
#pragma once
#include "http/client.h"
#include "http/server.h"

struct remote_wants { bool in, out, err, tty; };
struct remote_size { unsigned width, height; };
struct remote {
	/*
	 * Those that were asked for, else NULL; they live until remote_close_wait and are not closed by the caller. A server reads `in` and
	 * `resize` and writes the others. Half-closing one (stream_shutdown_wait) says that no more will come; over WebSocket only a
	 * v5 client can say it, so that a server's `in` of other versions ends with the connection. Writing after the peer has gone is -EPIPE.
	 */
	struct stream *in, *out, *err, *error, *resize;
	struct remote_wants wants;
	unsigned version;              /* 1..5 */
	struct waitq gone;             /* woken when the connection is over; then remote_gone is true */
	struct remote_int *x;          /* private */
};

/*
 * Reads wants from the query: stdin, stdout, stderr, tty as the API server takes them, or input, output, error, tty as the kubelet
 * does. -EINVAL when none is asked for; a terminal has no stderr of its own.
 */
int remote_wants_from_query(const struct http_request *r, struct remote_wants *ret, struct err *e);
/*
 * Negotiates, answers 101 and waits (30 s) until the client has opened what was asked for. On failure nothing but the server's error
 * answer is owed: return it from the handler (or, when the connection was taken already, the error is only for the log). Suspends.
 */
int remote_accept_wait(struct http_request *r, const struct remote_wants *w, struct remote **ret, struct err *e);

/* Takes the next terminal size: 1, 0 when no more can come (also without a terminal), -errno. Suspends. */
int remote_size_wait(struct remote *x, struct remote_size *ret);
/* Clients: tells one. */
int remote_send_size_wait(struct remote *x, struct remote_size size);

/* Servers, once, behind all output: the command's exit code (0: Success), or why it could not be run. 0 or -errno. */
int remote_exit_wait(struct remote *x, int code);
int remote_fail_wait(struct remote *x, const struct err *why);
/* The peer has closed the connection, or it broke. */
bool remote_gone(const struct remote *x);
int remote_gone_wait(struct remote *x, int64_t timeout_ns);
/* Half-closes all, lets the peer read what was sent (at most 5 s; not at all in a cancelled fiber), closes, frees x. NULL is fine. */
void remote_close_wait(struct remote *x);

/*
 * Clients. target with its query, as in http_call; headers (may be NULL) are added, e.g. Authorization. Tries WebSocket v5, then SPDY
 * with POST, as kubectl does. On refusal e has the server's Status message and its code's errno.
 */
int remote_connect_wait(struct http_client *c, const char *target, const struct http_headers *headers, const struct remote_wants *w,
	struct remote **ret, struct err *e);
/* Waits for the final Status: 0 success, > 0 the command's exit code, < 0 and e when it could not be run or the connection broke. */
int remote_result_wait(struct remote *x, struct err *e);
