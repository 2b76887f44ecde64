// SPDX-License-Identifier: Apache-2.0
/* The client's side of a remote command: asking, and the final Status. */
#include <errno.h>
#include "api/kube.h"
#include "base/num.h"
#include "http/upgrade.h"
#include "http/ws.h"
#include "kube/stream/refusal.h"
#include "kube/stream/remote_int.h"
#include "schema/schema.h"

enum { STATUS_MAX = 64 * 1024, HEADERS_MAX = 32 };

static int open_streams_wait(struct remote_int *x, struct err *e)
{
	static const enum remote_stream order[] = { REMOTE_ERROR, REMOTE_IN, REMOTE_OUT, REMOTE_ERR, REMOTE_RESIZE };
	const struct remote_wants *w = &x->pub.wants;
	const bool wanted[REMOTE_STREAMS] = { w->in, w->out, w->err && !w->tty, true, w->tty && x->pub.version >= 3 };

	for (unsigned i = 0; i < ARRAY_LEN(order); i++) {
		struct http_header v = { SLICE("streamType"), slice_of(remote_stream_types[order[i]]) };
		const struct http_headers h = { &v, 1 };
		int r;

		if (!wanted[order[i]])
			continue;
		r = spdy_open_wait(x->spdy, &h, &x->streams[order[i]]);
		if (r < 0)
			return err_sys(e, r, "cannot open the %s stream", remote_stream_types[order[i]]);
	}
	remote_name_streams(x);
	/* nothing is said on the error stream by a client */
	return 0;
}

static int connect_spdy_wait(struct http_client *c, const char *target, const struct http_headers *headers, struct remote_int *x, struct err *e)
{
	struct http_header v[HEADERS_MAX];
	struct http_headers h = { v, 0 };
	struct http_upgraded how = { 0 };
	struct stream *s;
	int r;

	for (unsigned i = 0; i < ARRAY_LEN(remote_spdy_protocols); i++)
		v[h.n++] = (struct http_header){ SLICE("X-Stream-Protocol-Version"), slice_of(remote_spdy_protocols[i]) };
	for (size_t i = 0; headers && i < headers->n && h.n < ARRAY_LEN(v); i++)
		v[h.n++] = headers->v[i];
	r = http_upgrade_wait(c, "POST", target, "SPDY/3.1", &h, &how, &s, e);
	if (r < 0 && how.status && how.status != 101)
		r = stream_refusal(how.status, buf_slice(&how.body), e);
	if (r == 0) {
		r = remote_over_spdy(x, s, how.protocol[0] ? how.protocol : NULL);
		r = r < 0 ? err_sys(e, r, "SPDY") : open_streams_wait(x, e);
	}
	http_upgraded_release(&how);
	return r;
}

int remote_connect_wait(struct http_client *c, const char *target, const struct http_headers *headers, const struct remote_wants *w,
	struct remote **ret, struct err *e)
{
	struct remote_int *x = remote_int_new(fiber_loop(fiber_self()), w, true);
	struct http_upgraded how = { 0 };
	struct stream *ws;
	int r;

	if (!x)
		return err_nomem(e);
	r = ws_ask_wait(c, target, "v5.channel.k8s.io", headers, false, &how, &ws, e);
	if (r == 0 && strcmp(how.protocol, "v5.channel.k8s.io") != 0) {
		stream_close(ws);
		r = err_set(e, EPROTO, "the server chose no protocol of ours");
	} else if (r == 0) {
		r = remote_over_channels(x, ws, 5, false);
		if (r < 0)
			err_sys(e, r, "remote command over WebSocket");
	} else if (how.status && how.status != 101) {
		r = connect_spdy_wait(c, target, headers, x, e);
	}
	http_upgraded_release(&how);
	if (r < 0)
		remote_int_free(x);
	else
		*ret = &x->pub;
	return r;
}

static int exit_code(const struct kube_status *s, struct err *e)
{
	uint64_t code;

	for (uint32_t i = 0; s->details && i < s->details->n_causes; i++) {
		const struct kube_status_cause *c = &s->details->causes[i];

		if (!c->reason || strcmp(c->reason, "ExitCode") != 0)
			continue;
		if (num_parse_u64(slice_of(c->message), 255, &code) < 0 || code == 0)
			return err_set(e, EPROTO, "error stream protocol error: invalid exit code value \"%s\"", c->message ? c->message : "");
		return (int)code;
	}
	return err_set(e, EPROTO, "error stream protocol error: no ExitCode cause given");
}

static int decode_status(struct slice text, struct err *e)
{
	struct kube_status s;
	struct arena a;
	int r;

	arena_init(&a, 4 * STATUS_MAX);
	r = schema_from_json(T_kube_status, text, 0, &a, &s, e);
	if (r < 0)
		err_prefix(e, "error stream protocol error");
	else if (s.status && !strcmp(s.status, "Success"))
		r = 0;
	else if (!s.status || strcmp(s.status, "Failure") != 0)
		r = err_set(e, EPROTO, "error stream protocol error: unknown error");
	else if (s.reason && !strcmp(s.reason, "NonZeroExitCode"))
		r = exit_code(&s, e);
	else
		r = err_set(e, EIO, "%s", s.message ? s.message : "unknown error");
	arena_release(&a);
	return r;
}

int remote_result_wait(struct remote *x, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(STATUS_MAX);
	char p[4096];
	ssize_t n;

	while ((n = stream_read_wait(x->error, p, sizeof p)) > 0)
		if (buf_add(&b, p, (size_t)n) < 0)
			return err_sys(e, buf_error(&b), "error reading from error stream");
	if (n < 0)
		return err_sys(e, (int)n, "error reading from error stream");
	if (!b.len)
		return 0;
	return x->version >= 4 ? decode_status(buf_slice(&b), e) : err_set(e, EIO, "error executing remote command: %s", b.ptr);
}
