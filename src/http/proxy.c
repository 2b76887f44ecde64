// SPDX-License-Identifier: Apache-2.0
#include "http/proxy.h"
#include <errno.h>
#include "base/clock.h"
#include "base/num.h"
#include "codec/base64.h"
#include "http/ws.h"

enum { COPY_BYTES = 32 * 1024 };
static const int64_t LINGER_NS = 30 * NS_PER_S;

/* RFC 9110 section 7.6.1, and what is said anew for each connection. */
static const char *const of_connection[] = { "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "TE",
	"Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Expect" };

static bool is_hop_by_hop(const struct http_headers *h, struct slice name)
{
	char text[64];

	for (size_t i = 0; i < ARRAY_LEN(of_connection); i++)
		if (slice_eq_nocase(name, slice_of(of_connection[i])))
			return true;
	return fmt_into(text, sizeof text, "%.*s", SLICE_FMT(name)) && http_header_has(h, "Connection", text);
}

bool http_upgrade_wanted(const struct http_request *r)
{
	return http_header_has(&r->headers, "Connection", "upgrade") && http_header_get(&r->headers, "Upgrade").len;
}

/* --- the request */

struct head {
	struct http_header v[HTTP_HEADERS_MAX];
	size_t n;
};

static bool add(struct head *out, struct slice name, struct slice value)
{
	if (out->n == ARRAY_LEN(out->v))
		return false;
	out->v[out->n++] = (struct http_header){ name, value };
	return true;
}

static bool is_set(const struct http_proxy *p, struct slice name)
{
	for (size_t i = 0; p->set && i < p->set->n; i++)
		if (slice_eq_nocase(p->set->v[i].name, name))
			return true;
	return false;
}

static bool add_forwarded(struct http_request *r, const struct http_proxy *p, struct head *out)
{
	struct slice before = http_header_get(&r->headers, "X-Forwarded-For"), host = http_header_get(&r->headers, "Host"), path, query;
	bool ok = true;

	if (p->peer) {
		char *v = arena_fmt(r->arena, before.len ? "%.*s, %s" : "%.*s%s", SLICE_FMT(before), p->peer);

		ok = v && add(out, SLICE("X-Forwarded-For"), slice_of(v));
	}
	if (!ok || !p->prefix)
		return ok;
	slice_cut(slice_of(p->target), '?', &path, &query);
	char *uri = arena_fmt(r->arena, "%s%.*s", p->prefix, SLICE_FMT(path));

	ok = uri && add(out, SLICE("X-Forwarded-Uri"), slice_of(uri));
	if (host.len)
		ok = ok && add(out, SLICE("X-Forwarded-Host"), host);
	if (p->scheme)
		ok = ok && add(out, SLICE("X-Forwarded-Proto"), slice_of(p->scheme));
	return ok;
}

static bool is_forwarded(const struct http_proxy *p, struct slice name)
{
	return (p->peer && slice_eq_nocase(name, SLICE("X-Forwarded-For"))) ||
		(p->prefix && (slice_eq_nocase(name, SLICE("X-Forwarded-Uri")) || slice_eq_nocase(name, SLICE("X-Forwarded-Host")) ||
			slice_eq_nocase(name, SLICE("X-Forwarded-Proto"))));
}

static bool is_of_websocket(struct slice name)
{
	return slice_eq_nocase(slice_n(name.ptr, MIN(name.len, strlen("Sec-WebSocket-"))), SLICE("Sec-WebSocket-"));
}

static int request_head(struct http_request *r, const struct http_proxy *p, const char *upgrade, struct head *out, struct err *e)
{
	bool ok = true;

	if (upgrade)
		ok = add(out, SLICE("Connection"), SLICE("Upgrade")) && add(out, SLICE("Upgrade"), slice_of(upgrade));
	for (size_t i = 0; ok && i < r->headers.n; i++) {
		const struct http_header *h = &r->headers.v[i];

		if (!is_hop_by_hop(&r->headers, h->name) && !is_set(p, h->name) && !is_forwarded(p, h->name) &&
		    (upgrade || !is_of_websocket(h->name)))
			ok = add(out, h->name, h->value);
	}
	for (size_t i = 0; ok && p->set && i < p->set->n; i++)
		if (p->set->v[i].value.len)
			ok = add(out, p->set->v[i].name, p->set->v[i].value);
	ok = ok && add_forwarded(r, p, out);
	return ok ? 0 : err_set(e, EMSGSIZE, "too many request headers");
}

/* --- the answer */

/* Where a redirect of the other server leads, seen from the client: apimachinery's proxy.Transport. NULL: as it is. */
static char *rewrite(struct http_request *r, const struct http_proxy *p, struct slice to)
{
	struct slice host = http_header_get(&r->headers, "Host"), path = to;
	size_t n = p->backend ? strlen(p->backend) : 0;
	ptrdiff_t at;

	if (n && slice_starts(to, p->backend) && (to.len == n || to.ptr[n] == '/')) {
		path = slice_n(to.ptr + n, to.len - n);
	} else if (slice_starts(to, "http://") || slice_starts(to, "https://")) {
		size_t scheme = to.ptr[4] == 's' ? 8 : 7;
		struct slice rest = slice_n(to.ptr + scheme, to.len - scheme);

		at = slice_find(rest, '/');
		if (!host.len || !slice_eq_nocase(at < 0 ? rest : slice_n(rest.ptr, (size_t)at), host))
			return NULL;
		path = at < 0 ? SLICE("") : slice_n(rest.ptr + at, rest.len - (size_t)at);
	} else if (slice_starts(to, "//")) {
		return NULL;
	}
	if (path.len && path.ptr[0] != '/')
		return NULL;
	if (slice_starts(path, p->prefix))
		return NULL;
	if (p->scheme && host.len)
		return arena_fmt(r->arena, "%s://%.*s%s%.*s", p->scheme, SLICE_FMT(host), p->prefix, SLICE_FMT(path));
	return arena_fmt(r->arena, "%s%.*s", p->prefix, SLICE_FMT(path));
}

static int answer_head(struct http_request *r, const struct http_proxy *p, const struct http_call *call)
{
	const struct http_headers *h = &call->reply_headers;

	for (size_t i = 0; i < h->n; i++) {
		struct slice name = h->v[i].name;
		char *n, *v = NULL;
		int e;

		if (is_hop_by_hop(h, name) || slice_eq_nocase(name, SLICE("Date")))
			continue;
		if (p->prefix && slice_eq_nocase(name, SLICE("Location")))
			v = rewrite(r, p, h->v[i].value);
		if (!v)
			v = arena_dup(r->arena, h->v[i].value);
		n = arena_dup(r->arena, name);
		if (!n || !v)
			return -ENOMEM;
		e = http_header_add(r, n, v);
		if (e < 0)
			return e;
	}
	return 0;
}

static int64_t answer_length(struct http_request *r, const struct http_call *call)
{
	struct slice v = http_header_get(&call->reply_headers, "Content-Length");
	int64_t n = -1;

	/* the answer to a HEAD has the length of what is not there */
	if (slice_is(r->method, "HEAD"))
		return num_parse_i64(v, 0, INT64_MAX, &n) == 0 ? n : -1;
	return call->reply_length;
}

static int pass_answer_wait(struct http_request *r, const struct http_proxy *p, struct http_call *call, struct err *e)
{
	AUTO(free) char *buf = malloc(COPY_BYTES);
	int64_t length = answer_length(r, call);
	int n = buf ? answer_head(r, p, call) : -ENOMEM;
	ssize_t got;

	if (n < 0)
		return err_sys(e, n, "cannot pass the answer on");
	n = length >= 0 ? http_begin_length_wait(r, call->status, NULL, length) : http_begin_wait(r, call->status, NULL);
	if (n < 0)
		return n;
	while ((got = http_call_read_wait(call, buf, COPY_BYTES)) > 0) {
		n = http_write_wait(r, buf, (size_t)got);
		if (n < 0)
			return n;
	}
	return got < 0 ? err_sys(e, (int)got, "the answer broke off") : 0;
}

static int ask_wait(struct http_request *r, const struct http_proxy *p, const char *upgrade, struct http_call *call, struct err *e)
{
	AUTO(free) struct head *h = calloc(1, sizeof *h);
	struct http_header *copy;
	int n = h ? request_head(r, p, upgrade, h, e) : err_nomem(e);

	if (n < 0)
		return n;
	copy = arena_array(r->arena, h->n, sizeof *copy);
	*call = (struct http_call){ .method = arena_dup(r->arena, r->method), .target = p->target, .headers = { copy, h->n } };
	if (!copy || !call->method)
		return err_nomem(e);
	if (h->n)
		memcpy(copy, h->v, h->n * sizeof *copy);
	if (r->has_body && !upgrade) {
		call->body_stream = http_body_stream(r);
		call->body_length = r->content_length;
	}
	return http_call_wait(p->to, call, e);
}

int http_proxy_wait(struct http_request *r, const struct http_proxy *p, struct err *e)
{
	struct http_call call = { 0 };
	int n;

	http_cancel_when_gone(r, true);
	n = ask_wait(r, p, NULL, &call, e);
	if (n == 0)
		n = pass_answer_wait(r, p, &call, e);
	http_call_release(&call);
	return n;
}

int http_proxy_upgrade_wait(struct http_request *r, const struct http_proxy *p, struct err *e)
{
	char *upgrade = arena_dup(r->arena, slice_trim(http_header_get(&r->headers, "Upgrade")));
	struct stream *there = NULL, *here = NULL;
	struct http_call call = { 0 };
	int n;

	if (!http_upgrade_wanted(r))
		return err_set(e, EINVAL, "Upgrade request required");
	n = upgrade ? ask_wait(r, p, upgrade, &call, e) : err_nomem(e);
	if (n < 0)
		return n;
	if (call.status != 101) {
		n = pass_answer_wait(r, p, &call, e);
		http_call_release(&call);
		return n;
	}
	upgrade = arena_dup(r->arena, slice_trim(http_header_get(&call.reply_headers, "Upgrade")));
	n = upgrade ? answer_head(r, p, &call) : -ENOMEM;
	if (n == 0)
		n = http_call_hijack(&call, &there);
	if (n == 0)
		n = http_hijack_wait(r, 101, NULL, upgrade, &here);
	http_call_release(&call);
	if (n == 0)
		stream_pump_wait(here, there, LINGER_NS);       /* how it ends is the two ends' business */
	else
		err_sys(e, n, "cannot pass the upgrade on");
	stream_close(here);
	stream_close(there);
	return n;
}

/* --- an ordinary answer in messages: apimachinery's wsstream.Reader */

static int send_messages_wait(struct http_call *call, struct stream *ws, bool base64)
{
	AUTO(free) char *buf = malloc(COPY_BYTES);
	AUTO(buf) struct buf text = BUF_INIT(2 * COPY_BYTES);
	int n = buf ? ws_send_wait(ws, SLICE("")) : -ENOMEM;
	ssize_t got = 0;

	while (n == 0 && (got = http_call_read_wait(call, buf, COPY_BYTES)) > 0) {
		buf_reset(&text);
		n = base64 ? base64_encode(&text, slice_n(buf, (size_t)got), false) : 0;
		if (n == 0)
			n = ws_send_wait(ws, base64 ? buf_slice(&text) : slice_n(buf, (size_t)got));
	}
	return n < 0 ? n : (int)got;
}

int http_proxy_websocket_wait(struct http_request *r, const struct http_proxy *p, struct err *e)
{
	static const char *const names[] = { "binary.k8s.io", "base64.binary.k8s.io" };
	bool offered;
	const char *protocol = ws_choose(r, names, ARRAY_LEN(names), &offered);
	struct ws_listener *listener;
	struct http_call call = { 0 };
	struct stream *ws;
	int n;

	if (!protocol && offered)
		return err_set(e, EACCES, "none of the requested subprotocols is supported: the server speaks %s and %s", names[0], names[1]);
	n = ask_wait(r, p, NULL, &call, e);
	if (n < 0)
		return n;
	if (call.status != 200)
		n = pass_answer_wait(r, p, &call, e);
	else
		n = ws_accept_wait(r, protocol, protocol == names[1], &ws, e);
	if (n == 0 && call.status == 200) {
		n = ws_listen_start(ws, &listener);
		if (n == 0) {
			n = send_messages_wait(&call, ws, protocol == names[1]);
			ws_listen_stop_wait(listener);
		}
		stream_close(ws);
	}
	http_call_release(&call);
	return n;
}
