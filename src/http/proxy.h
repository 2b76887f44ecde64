/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passing a request on to another server: ordinary ones with both bodies
 * streamed, and upgrades (WebSocket, SPDY, any protocol) whose bytes then go
 * both ways as they come.
 */
#pragma once
#include "http/client.h"
#include "http/server.h"

struct http_proxy {
	struct http_client *to;
	const char *target;            /* path and query to ask for, encoded */
	const struct http_headers *set;       /* sent instead of the client's own of these names; an empty value only drops. May be NULL */
	/* For ordinary requests: Location headers of answers that point to the other server (by path, or by this "scheme://host") get
	 * `prefix` before their path; X-Forwarded-For, -Uri, -Host, -Proto are added when prefix is not NULL. */
	const char *prefix;            /* e.g. "/api/v1/namespaces/d/pods/x:80/proxy"; NULL: nothing is rewritten */
	const char *backend;           /* "http://10.244.0.5:80" or NULL */
	const char *scheme;            /* of the client's connection, "https" */
	const char *peer;              /* the client's address for X-Forwarded-For, or NULL */
};
/*
 * Asks p->to the same (method, headers without the hop-by-hop ones, body) and gives its answer to the client. < 0 with e filled and nothing
 * sent when the other server could not be asked: the caller's error format applies (-ECONNREFUSED, -EHOSTUNREACH, … as given). Suspends.
 */
int http_proxy_wait(struct http_request *r, const struct http_proxy *p, struct err *e);
/*
 * The same for a request with Connection: Upgrade. When the other server answers 101, so does this one, and bytes are copied both
 * ways with half-close until both ends are done; any other answer is passed on as it is. Headers of both heads are kept, those
 * that the upgrade needs included. -EINVAL when r asks for no upgrade. Suspends.
 */
int http_proxy_upgrade_wait(struct http_request *r, const struct http_proxy *p, struct err *e);
/*
 * For a WebSocket handshake on something that is not one, such as a log: asks p->target by an ordinary GET and gives the body in
 * messages, binary or base64 as the client chooses (binary.k8s.io, base64.binary.k8s.io, or none), behind an empty one. An answer other
 * than 200 is passed on as it is. Suspends.
 */
int http_proxy_websocket_wait(struct http_request *r, const struct http_proxy *p, struct err *e);
/* Is this a request to change protocols? */
bool http_upgrade_wanted(const struct http_request *r);
