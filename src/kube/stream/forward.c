// SPDX-License-Identifier: Apache-2.0
/*
 * The server's side of port-forward. Whatever carries it, a forwarded
 * connection is a pair of streams and a fiber that runs the handler on it.
 */
#include "kube/stream/forward.h"
#include <errno.h>
#include "base/assert.h"
#include "base/clock.h"
#include "base/num.h"
#include "http/spdy.h"
#include "http/ws.h"
#include "kube/stream/channels.h"

enum { PAIRS_MAX = 500, PORTS_MAX = 50 };
static const int64_t PAIR_NS = 30 * NS_PER_S, FINISH_NS = 5 * NS_PER_S;

struct forwarding;
struct pair {
	struct list node;
	struct forwarding *f;
	struct timer late;              /* SPDY: the other half has not come */
	char id[32];
	unsigned port;
	struct spdy_stream *spdy_data, *spdy_error;
	struct stream *data, *error;
	struct fiber *fiber;            /* NULL until both halves are there */
};
struct forwarding {
	const struct forward_handler *handler;
	struct list pairs;
	unsigned n_pairs, n_running;
	struct fiber *parent;
	struct waitq q;                 /* the connection is over, or a pair is */
	struct spdy *spdy;
	struct channels *channels;      /* one of the two */
};

static bool is_over(const struct forwarding *f) { return f->spdy ? spdy_gone(f->spdy) : channels_gone(f->channels); }

/* --- one forwarded connection */

static void pair_free(struct pair *p)
{
	struct forwarding *f = p->f;

	timer_cancel(&p->late);
	list_del(&p->node);
	f->n_pairs--;
	if (p->spdy_data)
		stream_close(&p->spdy_data->s);
	if (p->spdy_error)
		stream_close(&p->spdy_error->s);
	free(p);
}

static void pair_fiber(void *arg)
{
	struct pair *p = arg;
	struct forwarding *f = p->f;
	struct err e = { 0 };
	int r;

	p->fiber = fiber_self();
	r = f->handler->connection_wait(f->handler->arg, p->port, p->data, &e);
	if (r < 0 && !e.code)
		err_sys(&e, r, "error forwarding port %u", p->port);
	if (r < 0 && !fiber_cancelled(fiber_self()))
		stream_write_wait(p->error, e.text, strlen(e.text));
	stream_shutdown_wait(p->data);
	stream_shutdown_wait(p->error);
	pair_free(p);
	f->n_running--;
	waitq_wake_all(&f->q);
	fiber_wake(f->parent);
}

static void pair_start(struct pair *p)
{
	struct forwarding *f = p->f;

	timer_cancel(&p->late);
	f->n_running++;
	if (fiber_start(fiber_loop(f->parent), "forward", pair_fiber, p) < 0) {
		f->n_running--;
		pair_free(p);
	}
}

static struct pair *pair_new(struct forwarding *f, unsigned port)
{
	struct pair *p = f->n_pairs < PAIRS_MAX ? calloc(1, sizeof *p) : NULL;

	if (!p)
		return NULL;
	p->f = f;
	p->port = port;
	list_add_tail(&f->pairs, &p->node);
	f->n_pairs++;
	return p;
}

/* Until the connection is over (or, with `until_idle`, no pair is left), then until all fibers have ended. */
static void serve_wait(struct forwarding *f, bool until_idle)
{
	struct pair *p;

	while (!is_over(f) && !(until_idle && !f->n_running))
		if (waitq_wait(&f->q, -1) < 0)
			break;
	if (is_over(f) || fiber_cancelled(f->parent))
		list_each(p, &f->pairs, node)
			if (p->fiber)
				fiber_cancel(p->fiber);
	while (f->n_running)
		fiber_suspend_wait();
	while (!list_empty(&f->pairs))
		pair_free(list_first(&f->pairs, struct pair, node));
}

/* --- SPDY: streams are matched by requestID */

static void pair_late(struct timer *t) { pair_free(container_of(t, struct pair, late)); }

static struct pair *pair_find(struct forwarding *f, const char *id)
{
	struct pair *p;

	list_each(p, &f->pairs, node)
		if (!p->fiber && !strcmp(p->id, id))
			return p;
	return NULL;
}

static bool match(struct forwarding *f, struct spdy_stream *st)
{
	struct slice type = http_header_get(&st->headers, "streamtype"), id = http_header_get(&st->headers, "requestid");
	bool is_data = slice_is(type, "data");
	char text[sizeof ((struct pair *)0)->id];
	struct pair *p;
	uint64_t port;

	if ((!is_data && !slice_is(type, "error")) || num_parse_u64(http_header_get(&st->headers, "port"), 65535, &port) < 0 || port == 0)
		return false;
	/* a client that sends no requestID opens the data stream right behind the error stream */
	if (id.ptr ? !fmt_into(text, sizeof text, "%.*s", SLICE_FMT(id)) : !fmt_into(text, sizeof text, "#%u", st->id - (is_data ? 2 : 0)))
		return false;
	p = pair_find(f, text);
	if (!p) {
		p = pair_new(f, (unsigned)port);
		if (!p)
			return false;
		fmt_into(p->id, sizeof p->id, "%s", text);
		timer_set(st->s.loop, &p->late, PAIR_NS, pair_late);
	}
	if ((is_data ? p->spdy_data : p->spdy_error) || p->port != port)
		return false;
	if (is_data) {
		p->spdy_data = st;
		p->data = &st->s;
	} else {
		p->spdy_error = st;
		p->error = &st->s;
	}
	spdy_reply(st, NULL);
	if (p->data && p->error)
		pair_start(p);
	return true;
}

static void opened(void *arg, struct spdy_stream *st)
{
	if (match(arg, st))
		return;
	spdy_refuse(st, SPDY_REFUSED_STREAM);
	stream_close(&st->s);
}

static void is_gone(void *arg)
{
	waitq_wake_all(&((struct forwarding *)arg)->q);
}

static int serve_spdy_wait(struct forwarding *f, struct stream *s, struct err *e)
{
	static const struct spdy_events events = { opened, is_gone };
	int r = spdy_new(s, true, &events, f, &f->spdy);

	if (r < 0)
		return err_sys(e, r, "port-forward");
	spdy_go(f->spdy);
	serve_wait(f, false);
	spdy_finish_wait(f->spdy, FINISH_NS);
	spdy_free(f->spdy);
	return 0;
}

/* --- WebSocket channels: 2i data, 2i + 1 error, each begins with the port */

static int add_ports(const char *text, uint16_t *ports, size_t *n, struct err *e)
{
	struct slice rest = slice_of(text), one;

	while (slice_next(&rest, ',', &one)) {
		uint64_t port;

		if (num_parse_u64(one, 65535, &port) < 0 || port == 0)
			return err_set(e, EINVAL, "unable to parse \"%.*s\" as a port", SLICE_FMT(one));
		if (*n == PORTS_MAX)
			return err_set(e, EINVAL, "more than %d ports", PORTS_MAX);
		ports[(*n)++] = (uint16_t)port;
	}
	return 0;
}

static int ports_of_query(const struct http_request *r, uint16_t *ports, size_t *n, struct err *e)
{
	for (size_t i = 0; i < r->query.n; i++) {
		const struct http_param *q = &r->query.v[i];
		int got = slice_is(q->name, "port") || slice_is(q->name, "ports") ? add_ports(q->value.ptr, ports, n, e) : 0;

		if (got < 0)
			return got;
	}
	return *n ? 0 : err_set(e, EINVAL, "query parameter \"port\" is required");
}

static void channels_over(struct forwarding *f, size_t n, const uint16_t *ports)
{
	for (size_t i = 0; i < n; i++) {
		const char le[2] = { (char)ports[i], (char)(ports[i] >> 8) };
		struct pair *p;

		if (channels_send_wait(f->channels, (unsigned)(2 * i), slice_n(le, 2)) < 0 ||
		    channels_send_wait(f->channels, (unsigned)(2 * i + 1), slice_n(le, 2)) < 0)
			return;
		p = pair_new(f, ports[i]);
		if (!p)
			return;
		p->data = channels_stream(f->channels, (unsigned)(2 * i));
		p->error = channels_stream(f->channels, (unsigned)(2 * i + 1));
		pair_start(p);
	}
}

static int serve_channels_wait(struct forwarding *f, struct stream *ws, bool base64, const uint16_t *ports, size_t n, struct err *e)
{
	bool reads[2 * PORTS_MAX], writes[2 * PORTS_MAX];
	struct channels_config c = { .n = (unsigned)(2 * n), .reads = reads, .writes = writes, .base64 = base64 };
	int r;

	for (size_t i = 0; i < 2 * n; i++) {
		reads[i] = i % 2 == 0;
		writes[i] = true;
	}
	r = channels_new(ws, &c, &f->q, &f->channels);
	if (r < 0)
		return err_sys(e, r, "port-forward");
	channels_over(f, n, ports);
	serve_wait(f, true);
	channels_finish_wait(f->channels, FINISH_NS);
	channels_free(f->channels);
	return 0;
}

/* --- negotiation */

static int serve_ws_wait(struct http_request *r, struct forwarding *f, const uint16_t *ports, size_t n, struct err *e)
{
	static const char *const names[] = { "SPDY/3.1+portforward.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io" };
	bool offered, tunnel, base64;
	const char *p = ws_choose(r, names, ARRAY_LEN(names), &offered);
	uint16_t asked[PORTS_MAX];
	struct stream *ws;
	int got = 0;

	if (!p && offered)
		return err_set(e, EACCES, "none of the requested subprotocols is supported: the server speaks %s, %s and %s", names[0], names[1], names[2]);
	tunnel = p == names[0];
	base64 = p == names[2];
	if (!tunnel && !n) {
		got = ports_of_query(r, asked, &n, e);
		ports = asked;
	}
	if (got == 0 && n > PORTS_MAX)
		got = err_set(e, EINVAL, "more than %d ports", PORTS_MAX);
	if (got == 0)
		got = ws_accept_wait(r, p, base64, &ws, e);
	if (got < 0)
		return got;
	return tunnel ? serve_spdy_wait(f, ws, e) : serve_channels_wait(f, ws, base64, ports, n, e);
}

int forward_serve_wait(struct http_request *r, const uint16_t *ports, size_t n_ports, const struct forward_handler *h, struct err *e)
{
	static const char *const names[] = { "portforward.k8s.io" };
	struct forwarding f = { .handler = h, .parent = fiber_self() };
	const char *protocol;
	struct stream *s;
	int n;

	list_init(&f.pairs);
	waitq_init(&f.q);
	if (ws_wanted(r))
		return serve_ws_wait(r, &f, ports, n_ports, e);
	n = spdy_accept_wait(r, names, ARRAY_LEN(names), &protocol, &s, e);
	return n < 0 ? n : serve_spdy_wait(&f, s, e);
}
