// SPDX-License-Identifier: Apache-2.0
/* Upgrades as clients ask for them, and SPDY's as servers grant them. */
#include "http/upgrade.h"
#include <errno.h>
#include "http/spdy.h"

enum { UPGRADE_HEADERS_MAX = 40 };

void http_upgraded_release(struct http_upgraded *how)
{
	if (how->body.ptr)
		buf_release(&how->body);
}

static void take_header(char *dst, size_t size, const struct http_headers *h, const char *name)
{
	struct slice v = slice_trim(http_header_get(h, name));

	if (v.len < size && v.len)
		fmt_into(dst, size, "%.*s", SLICE_FMT(v));
}

static int answered_wait(struct http_call *call, const char *to, struct http_upgraded *how, struct stream **ret, struct err *e)
{
	char p[4096];
	ssize_t n;
	int r;

	how->status = call->status;
	take_header(how->protocol, sizeof how->protocol, &call->reply_headers, "Sec-WebSocket-Protocol");
	take_header(how->protocol, sizeof how->protocol, &call->reply_headers, "X-Stream-Protocol-Version");
	take_header(how->accept, sizeof how->accept, &call->reply_headers, "Sec-WebSocket-Accept");
	if (call->status == 101 && http_header_has(&call->reply_headers, "Upgrade", to)) {
		r = http_call_hijack(call, ret);
		return r < 0 ? err_sys(e, r, "%s %s", call->method, call->target) : 0;
	}
	while (call->status != 101 && (n = http_call_read_wait(call, p, sizeof p)) > 0)
		if (buf_add(&how->body, p, (size_t)n) < 0)
			break;
	return err_set(e, EPROTO, "%s %s: no upgrade to %s: status %d", call->method, call->target, to, call->status);
}

int http_upgrade_wait(struct http_client *c, const char *method, const char *target, const char *to, const struct http_headers *headers,
	struct http_upgraded *how, struct stream **ret, struct err *e)
{
	struct http_header h[UPGRADE_HEADERS_MAX];
	struct http_call call = { .method = method, .target = target, .headers = { h, 2 } };
	int r;

	*how = (struct http_upgraded){ .body = BUF_INIT(HTTP_REFUSAL_MAX) };
	h[0] = (struct http_header){ SLICE("Connection"), SLICE("Upgrade") };
	h[1] = (struct http_header){ SLICE("Upgrade"), slice_of(to) };
	for (size_t i = 0; headers && i < headers->n; i++) {
		if (call.headers.n == ARRAY_LEN(h))
			return err_set(e, E2BIG, "%s %s: too many headers", method, target);
		h[call.headers.n++] = headers->v[i];
	}
	r = http_call_wait(c, &call, e);
	if (r < 0)
		return r;
	r = answered_wait(&call, to, how, ret, e);
	http_call_release(&call);
	return r;
}

/* --- SPDY, as Kubernetes' servers grant it */

static const char version_header[] = "X-Stream-Protocol-Version";

bool spdy_wanted(const struct http_request *r)
{
	return http_header_has(&r->headers, "Connection", "upgrade") && http_header_has(&r->headers, "Upgrade", "SPDY/3.1");
}

/* The client's order decides. */
static const char *choose(const struct http_request *r, const char *const *protocols, size_t n, bool *named)
{
	*named = false;
	for (size_t i = 0; i < r->headers.n; i++) {
		struct slice rest = r->headers.v[i].value, one;

		if (!slice_eq_nocase(r->headers.v[i].name, slice_of(version_header)))
			continue;
		while (slice_next(&rest, ',', &one)) {
			*named = true;
			for (size_t k = 0; k < n; k++)
				if (slice_is(slice_trim(one), protocols[k]))
					return protocols[k];
		}
	}
	return NULL;
}

int spdy_accept_wait(struct http_request *r, const char *const *protocols, size_t n, const char **ret_protocol, struct stream **ret, struct err *e)
{
	bool named;
	const char *p = choose(r, protocols, n, &named);
	int got = 0;

	if (!spdy_wanted(r))
		return err_set(e, EINVAL, "unable to upgrade: missing upgrade headers in request");
	if (!p && named) {
		for (size_t i = 0; i < n; i++)
			http_header_add(r, "X-Accepted-Stream-Protocol-Versions", protocols[i]);
		return err_set(e, EACCES, "unable to upgrade: unable to negotiate protocol: the server accepts %s and others", protocols[0]);
	}
	if (p)
		got = http_header_add(r, version_header, p);
	if (got == 0)
		got = http_hijack_wait(r, 101, NULL, "SPDY/3.1", ret);
	if (got < 0)
		return err_sys(e, got, "unable to upgrade");
	*ret_protocol = p;
	return 0;
}
