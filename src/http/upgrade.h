/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a server to change protocols (RFC 9110 section 7.8), and what it said. */
#pragma once
#include "http/client.h"

enum { HTTP_REFUSAL_MAX = 64 * 1024 };
struct http_upgraded {
	int status;                     /* 101, or the refusal's; 0: there was no answer */
	char protocol[128];             /* X-Stream-Protocol-Version or Sec-WebSocket-Protocol of the answer; "" without one */
	char accept[64];                /* Sec-WebSocket-Accept */
	struct buf body;                /* of a refusal, cut at HTTP_REFUSAL_MAX */
};
void http_upgraded_release(struct http_upgraded *how);
/* Sends method and target with Connection: Upgrade, Upgrade: `to` and headers (may be NULL). 0 and the connection, the caller's; -EPROTO when
 * the answer is another one, with *how filled; other errors as http_call_wait. Suspends. */
int http_upgrade_wait(struct http_client *c, const char *method, const char *target, const char *to, const struct http_headers *headers,
	struct http_upgraded *how, struct stream **ret, struct err *e);
