// SPDX-License-Identifier: Apache-2.0
/* The client's side of port-forward: SPDY, by preference inside of WebSocket messages. */
#include <errno.h>
#include "base/clock.h"
#include "http/spdy.h"
#include "http/upgrade.h"
#include "http/ws.h"
#include "kube/stream/forward.h"
#include "kube/stream/refusal.h"

enum { HEADERS_MAX = 32 };
static const int64_t REASON_NS = 2 * NS_PER_S;

struct forward {
	struct spdy *spdy;
	struct waitq gone;
	unsigned next_request;
};

static void is_gone(void *arg) { waitq_wake_all(&((struct forward *)arg)->gone); }

static int ask_spdy_wait(struct http_client *c, const char *target, const struct http_headers *headers, struct stream **ret, struct err *e)
{
	struct http_header v[HEADERS_MAX] = { { SLICE("X-Stream-Protocol-Version"), SLICE("portforward.k8s.io") } };
	struct http_headers h = { v, 1 };
	struct http_upgraded how = { 0 };
	int r;

	for (size_t i = 0; headers && i < headers->n && h.n < ARRAY_LEN(v); i++)
		v[h.n++] = headers->v[i];
	r = http_upgrade_wait(c, "POST", target, "SPDY/3.1", &h, &how, ret, e);
	if (r < 0 && how.status && how.status != 101)
		r = stream_refusal(how.status, buf_slice(&how.body), e);
	http_upgraded_release(&how);
	return r;
}

int forward_connect_wait(struct http_client *c, const char *target, const struct http_headers *headers, struct forward **ret, struct err *e)
{
	static const struct spdy_events events = { NULL, is_gone };
	static const char tunnel[] = "SPDY/3.1+portforward.k8s.io";
	struct http_upgraded how = { 0 };
	struct forward *f;
	struct stream *s;
	int r = ws_ask_wait(c, target, tunnel, headers, false, &how, &s, e);

	if (r == 0 && strcmp(how.protocol, tunnel) != 0) {
		stream_close(s);
		r = err_set(e, EPROTO, "the server chose no protocol of ours");
	} else if (r < 0 && how.status && how.status != 101) {
		r = ask_spdy_wait(c, target, headers, &s, e);
	}
	http_upgraded_release(&how);
	if (r < 0)
		return r;
	f = calloc(1, sizeof *f);
	if (!f) {
		stream_close(s);
		return err_nomem(e);
	}
	waitq_init(&f->gone);
	r = spdy_new(s, false, &events, f, &f->spdy);
	if (r < 0) {
		free(f);
		return err_sys(e, r, "port-forward");
	}
	spdy_go(f->spdy);
	*ret = f;
	return 0;
}

/* A server that could not connect may reset the data stream before it has answered for it; the reason is on the error stream. */
static int refused_wait(struct spdy_stream *error, unsigned port, struct err *e)
{
	char text[sizeof e->text];
	ssize_t n;

	error->s.timeout_ns = REASON_NS;
	n = stream_read_wait(&error->s, text, sizeof text);
	stream_close(&error->s);
	if (n > 0)
		return err_set(e, ECONNREFUSED, "%.*s", (int)n, text);
	return err_sys(e, ECONNREFUSED, "error creating forwarding stream for port %u", port);
}

int forward_open_wait(struct forward *f, unsigned port, struct stream **data, struct stream **error, struct err *e)
{
	char port_text[16], id[16];
	struct http_header v[] = { { SLICE("streamType"), SLICE("error") }, { SLICE("port"), { 0 } }, { SLICE("requestID"), { 0 } } };
	const struct http_headers h = { v, ARRAY_LEN(v) };
	struct spdy_stream *de, *da;
	int r;

	fmt_into(port_text, sizeof port_text, "%u", port);
	fmt_into(id, sizeof id, "%u", f->next_request++);
	v[1].value = slice_of(port_text);
	v[2].value = slice_of(id);
	r = spdy_open_wait(f->spdy, &h, &de);
	if (r < 0)
		return err_sys(e, r, "error creating error stream for port %u", port);
	stream_shutdown_wait(&de->s);           /* nothing is said on it by a client */
	v[0].value = SLICE("data");
	r = spdy_open_wait(f->spdy, &h, &da);
	if (r == -ECONNREFUSED)
		return refused_wait(de, port, e);
	if (r < 0) {
		stream_close(&de->s);
		return err_sys(e, r, "error creating forwarding stream for port %u", port);
	}
	*data = &da->s;
	*error = &de->s;
	return 0;
}

bool forward_gone(const struct forward *f) { return spdy_gone(f->spdy); }
int forward_gone_wait(struct forward *f, int64_t timeout_ns) { return forward_gone(f) ? 0 : waitq_wait(&f->gone, timeout_ns); }

void forward_free(struct forward *f)
{
	if (!f)
		return;
	spdy_free(f->spdy);
	free(f);
}
