// SPDX-License-Identifier: Apache-2.0
/* What both sides do alike, and the server's negotiation. */
#include "kube/stream/remote.h"
#include <errno.h>
#include "api/kube.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/num.h"
#include "http/ws.h"
#include "kube/stream/remote_int.h"
#include "schema/schema.h"

enum { SIZES_MAX = 4096 };
static const int64_t OPEN_NS = 30 * NS_PER_S, FINISH_NS = 5 * NS_PER_S, SETTLE_NS = 3 * NS_PER_MS;

const char *const remote_stream_types[REMOTE_STREAMS] = { "stdin", "stdout", "stderr", "error", "resize" };
const char *const remote_spdy_protocols[4] = { "v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io" };

static struct remote_int *of(struct remote *x) { return container_of(x, struct remote_int, pub); }

/* --- life */

struct remote_int *remote_int_new(struct loop *l, const struct remote_wants *w, bool client)
{
	struct remote_int *x = calloc(1, sizeof *x);

	if (!x)
		return NULL;
	x->loop = l;
	x->client = client;
	x->pub.wants = *w;
	x->pub.x = x;
	x->sizes = BUF_INIT(SIZES_MAX);
	waitq_init(&x->pub.gone);
	waitq_init(&x->opened_q);
	return x;
}

void remote_int_free(struct remote_int *x)
{
	if (!x)
		return;
	for (unsigned i = 0; i < REMOTE_STREAMS; i++)
		if (x->streams[i])
			stream_close(&x->streams[i]->s);
	spdy_free(x->spdy);
	channels_free(x->channels);
	buf_release(&x->sizes);
	free(x);
}

static bool is_wanted(const struct remote_int *x, unsigned i)
{
	const struct remote_wants *w = &x->pub.wants;

	switch (i) {
	case REMOTE_IN: return w->in;
	case REMOTE_OUT: return w->out;
	case REMOTE_ERR: return w->err && !w->tty;
	case REMOTE_RESIZE: return w->tty && x->pub.version >= 3;
	}
	return true;
}

static struct stream **slot(struct remote *x, unsigned i)
{
	struct stream **const slots[] = { &x->in, &x->out, &x->err, &x->error, &x->resize };

	return slots[i];
}

/* --- WebSocket */

int remote_over_channels(struct remote_int *x, struct stream *ws, unsigned version, bool base64)
{
	static const bool from_client[REMOTE_STREAMS] = { true, false, false, false, true }, to_client[REMOTE_STREAMS] = { false, true, true, true, false };
	const struct channels_config f = { .n = REMOTE_STREAMS, .reads = x->client ? to_client : from_client,
		.writes = x->client ? from_client : to_client, .base64 = base64, .closes = version >= 5, .client = x->client };
	int r = channels_new(ws, &f, &x->pub.gone, &x->channels);

	if (r < 0)
		return r;
	x->pub.version = version;
	for (unsigned i = 0; i < REMOTE_STREAMS; i++)
		if (is_wanted(x, i) || (i == REMOTE_RESIZE && x->pub.wants.tty))
			*slot(&x->pub, i) = channels_stream(x->channels, i);
	return 0;
}

static int accept_ws_wait(struct http_request *r, struct remote_int *x, struct err *e)
{
	static const char *const names[] = { "v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io", "channel.k8s.io",
		"base64.channel.k8s.io" };
	static const unsigned versions[] = { 5, 4, 4, 1, 1 };
	bool offered, base64 = false;
	const char *p = ws_choose(r, names, ARRAY_LEN(names), &offered);
	unsigned version = 1;
	struct stream *ws;
	int n;

	if (!p && offered)
		return err_set(e, EACCES, "none of the requested subprotocols is supported: the server speaks v5.channel.k8s.io, v4.channel.k8s.io and others");
	for (unsigned i = 0; p && i < ARRAY_LEN(names); i++)
		if (p == names[i]) {
			version = versions[i];
			base64 = strstr(p, "base64") != NULL;
		}
	n = ws_accept_wait(r, p, base64, &ws, e);
	if (n < 0)
		return n;
	n = remote_over_channels(x, ws, version, base64);
	/*
	 * An empty message tells old clients that the connection works: on the first channel that they will read. kubectl 1.30 and 1.31
	 * (v5) drop, and complain of, what comes before they have made their channels, right behind the handshake: so none to them, and a moment.
	 */
	if (n == 0 && version >= 5)
		n = sleep_wait(SETTLE_NS);
	else if (n == 0)
		n = channels_send_wait(x->channels, x->pub.wants.out ? REMOTE_OUT : x->pub.wants.err ? REMOTE_ERR : REMOTE_ERROR, SLICE(""));
	return n < 0 ? err_sys(e, n, "remote command over WebSocket") : 0;
}

/* --- SPDY */

static void opened(void *arg, struct spdy_stream *st)
{
	struct remote_int *x = arg;
	struct slice type = http_header_get(&st->headers, "streamtype");

	for (unsigned i = 0; i < REMOTE_STREAMS; i++)
		if (slice_is(type, remote_stream_types[i]) && !x->streams[i] && !x->client) {
			x->streams[i] = st;
			x->n_streams++;
			spdy_reply(st, NULL);
			waitq_wake_all(&x->opened_q);
			return;
		}
	spdy_refuse(st, SPDY_REFUSED_STREAM);
	stream_close(&st->s);
}

static void is_gone(void *arg)
{
	struct remote_int *x = arg;

	waitq_wake_all(&x->pub.gone);
	waitq_wake_all(&x->opened_q);
}

void remote_name_streams(struct remote_int *x)
{
	for (unsigned i = 0; i < REMOTE_STREAMS; i++)
		if (x->streams[i] && is_wanted(x, i))
			*slot(&x->pub, i) = &x->streams[i]->s;
}

int remote_over_spdy(struct remote_int *x, struct stream *s, const char *protocol)
{
	static const struct spdy_events events = { opened, is_gone };
	int r = spdy_new(s, !x->client, &events, x, &x->spdy);

	if (r < 0)
		return r;
	x->pub.version = 1;
	for (unsigned i = 0; protocol && i < ARRAY_LEN(remote_spdy_protocols); i++)
		if (!strcmp(protocol, remote_spdy_protocols[i]))
			x->pub.version = 4 - i;
	spdy_go(x->spdy);
	return 0;
}

static unsigned n_wanted(const struct remote_int *x)
{
	unsigned n = 0;

	for (unsigned i = 0; i < REMOTE_STREAMS; i++)
		n += is_wanted(x, i);
	return n;
}

static int accept_spdy_wait(struct http_request *r, struct remote_int *x, struct err *e)
{
	int64_t until = loop_monotonic_ns(x->loop) + OPEN_NS;
	const char *protocol;
	struct stream *s;
	int n = spdy_accept_wait(r, remote_spdy_protocols, ARRAY_LEN(remote_spdy_protocols), &protocol, &s, e);

	if (n < 0)
		return n;
	n = remote_over_spdy(x, s, protocol);
	while (n == 0 && x->n_streams < n_wanted(x)) {
		int64_t left = until - loop_monotonic_ns(x->loop);

		n = spdy_gone(x->spdy) ? -EPIPE : left <= 0 ? -ETIMEDOUT : waitq_wait(&x->opened_q, left);
	}
	if (n < 0)
		return err_sys(e, n, "the client has not opened all streams of a remote command");
	remote_name_streams(x);
	/* what it did not open in place of what it asked for is absent */
	return 0;
}

int remote_accept_wait(struct http_request *r, const struct remote_wants *w, struct remote **ret, struct err *e)
{
	struct remote_int *x = remote_int_new(fiber_loop(fiber_self()), w, false);
	int n;

	if (!x)
		return err_nomem(e);
	n = ws_wanted(r) ? accept_ws_wait(r, x, e) : accept_spdy_wait(r, x, e);
	if (n < 0)
		remote_int_free(x);
	else
		*ret = &x->pub;
	return n;
}

static bool asked(const struct http_request *r, const char *api, const char *kubelet)
{
	return http_query_bool(&r->query, api) || http_query_bool(&r->query, kubelet);
}

int remote_wants_from_query(const struct http_request *r, struct remote_wants *ret, struct err *e)
{
	struct remote_wants w = { asked(r, "stdin", "input"), asked(r, "stdout", "output"), asked(r, "stderr", "error"), asked(r, "tty", "tty") };

	if (w.tty)
		w.err = false;
	if (!w.in && !w.out && !w.err)
		return err_set(e, EINVAL, "you must specify at least 1 of stdin, stdout, stderr");
	*ret = w;
	return 0;
}

/* --- terminal sizes: JSON objects one after another */

/* Length of the first whole object in b, 0 without one, -EBADMSG. */
static ssize_t whole_object(const struct buf *b)
{
	size_t start = 0;

	while (start < b->len && strchr(" \r\n\t", b->ptr[start]))
		start++;
	if (start < b->len && b->ptr[start] != '{')
		return -EBADMSG;
	for (size_t i = start; i < b->len; i++)
		if (b->ptr[i] == '}')
			return (ssize_t)i + 1;
	return b->len == SIZES_MAX ? -EBADMSG : 0;
}

int remote_size_wait(struct remote *p, struct remote_size *ret)
{
	struct remote_int *x = of(p);
	char buf[512];

	if (!p->resize)
		return 0;
	for (;;) {
		ssize_t n = whole_object(&x->sizes);

		if (n > 0) {
			struct kube_terminal_size size;
			struct arena a;
			struct err e;
			int r;

			arena_init(&a, 16 * 1024);
			r = schema_from_json(T_kube_terminal_size, slice_n(x->sizes.ptr, (size_t)n), SCHEMA_FOLD_CASE, &a, &size, &e);
			arena_release(&a);
			buf_drop(&x->sizes, (size_t)n);
			if (r < 0)
				return -EBADMSG;
			*ret = (struct remote_size){ size.width, size.height };
			return 1;
		}
		if (n == 0)
			n = stream_read_wait(p->resize, buf, MIN(sizeof buf, SIZES_MAX - x->sizes.len));
		if (n <= 0)
			return (int)n;
		buf_add(&x->sizes, buf, (size_t)n);
	}
}

int remote_send_size_wait(struct remote *p, struct remote_size size)
{
	const struct kube_terminal_size t = { .width = size.width, .height = size.height };
	AUTO(buf) struct buf b = BUF_INIT(256);

	if (!p->resize)
		return 0;
	schema_to_json(T_kube_terminal_size, &t, SCHEMA_NEWLINE, &b);
	return buf_error(&b) < 0 ? buf_error(&b) : stream_write_wait(p->resize, b.ptr, b.len);
}

/* --- the end */

static int send_status_wait(struct remote_int *x, const struct kube_status *s)
{
	AUTO(buf) struct buf b = BUF_INIT(64 * 1024);
	int r = 0;

	if (x->told || x->client)
		return -EALREADY;
	x->told = true;
	if (x->pub.version >= 4)
		r = schema_to_json(T_kube_status, s, SCHEMA_ESCAPE_HTML, &b);
	else if (strcmp(s->status, "Success") != 0)
		r = buf_adds(&b, s->message);
	if (r == 0 && x->pub.error && b.len)
		r = stream_write_wait(x->pub.error, b.ptr, b.len);
	if (r == 0 && x->pub.error)
		r = stream_shutdown_wait(x->pub.error);
	return r;
}

int remote_exit_wait(struct remote *p, int code)
{
	char number[16], message[96];
	struct kube_status_cause cause = { .reason = "ExitCode", .message = number };
	struct kube_status_details details = { .causes = &cause, .n_causes = 1 };
	struct kube_status s = { .status = "Success" };

	if (code != 0) {
		fmt_into(number, sizeof number, "%d", code);
		fmt_into(message, sizeof message, "command terminated with non-zero exit code: exit status %d", code);
		s = (struct kube_status){ .status = "Failure", .reason = "NonZeroExitCode", .message = message, .details = &details };
	}
	return send_status_wait(of(p), &s);
}

int remote_fail_wait(struct remote *p, const struct err *why)
{
	char message[sizeof why->text + 64];
	struct kube_status_cause cause = { .message = why->text };
	struct kube_status_details details = { .causes = &cause, .n_causes = 1 };
	struct kube_status s = { .status = "Failure", .reason = "InternalError", .message = message, .details = &details, .code = 500 };

	fmt_into(message, sizeof message, "Internal error occurred: %s", why->text);
	return send_status_wait(of(p), &s);
}

bool remote_gone(const struct remote *p)
{
	const struct remote_int *x = p->x;

	return x->spdy ? spdy_gone(x->spdy) : channels_gone(x->channels);
}

int remote_gone_wait(struct remote *p, int64_t timeout_ns)
{
	return remote_gone(p) ? 0 : waitq_wait(&p->gone, timeout_ns);
}

void remote_close_wait(struct remote *p)
{
	struct remote_int *x;

	if (!p)
		return;
	x = of(p);
	for (unsigned i = 0; i < REMOTE_STREAMS; i++)
		if (x->streams[i])
			stream_close(&take_ptr(x->streams[i])->s);
	if (x->spdy)
		spdy_finish_wait(x->spdy, FINISH_NS);
	if (x->channels)
		channels_finish_wait(x->channels, FINISH_NS);
	remote_int_free(x);
}
