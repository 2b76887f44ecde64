// SPDX-License-Identifier: Apache-2.0
/*
 * Questions under way to upstream servers. Each has a socket of its own, so a
 * random source port, and a random id; a reply counts only when it answers the
 * same question. Servers are tried in order, two seconds each; SERVFAIL and
 * REFUSED go on to the next.
 *
 *   try ──connected──▶ sent ──reply──▶ answered
 *    ▲                  │ time-out, refused, SERVFAIL
 *    └──── next ◀───────┘   (none left: what the last one said, or SERVFAIL)
 */
#include <errno.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "dns/server_int.h"

struct flight {
	struct list node;               /* in ear.flights */
	struct asker asker;
	struct dns_query query;
	struct watch watch;
	struct timer timer;
	unsigned next;                  /* upstream to be tried next */
	bool tcp;
	struct buf in;
	size_t sent;
	uint16_t id;
	size_t n;
	uint8_t text[];                 /* the question as asked, behind room for TCP's length */
};

static void flight_end(struct flight *f)
{
	if (f->watch.fd >= 0) {
		watch_del(&f->watch);
		close(f->watch.fd);
	}
	timer_cancel(&f->timer);
	if (f->asker.conn)
		f->asker.conn->asking = false;
	f->asker.ear->n_flights--;
	f->asker.ear->server->n_flights--;
	list_del(&f->node);
	buf_release(&f->in);
	free(f);
}

void forward_cancel(struct ear *ear, const struct conn *conn)
{
	struct flight *f;
	list_each(f, &ear->flights, node)
		if (!conn || f->asker.conn == conn)
			flight_end(f);
}

static void try_next(struct flight *f);

static void late(struct timer *t)
{
	try_next(container_of(t, struct flight, timer));
}

/* A whole reply: p, n without TCP's length. True when the flight is over. */
static bool take_reply(struct flight *f, uint8_t *p, size_t n)
{
	unsigned rcode;
	bool cut;
	if (!dns_reply_matches(p, n, f->text + 2, &f->query, &rcode, &cut))
		return false;
	if ((rcode == DNS_SERVFAIL || rcode == DNS_REFUSED) && f->next < UPSTREAMS_MOST) {
		try_next(f);
		return true;
	}
	p[0] = (uint8_t)(f->query.id >> 8);
	p[1] = (uint8_t)f->query.id;
	struct asker asker = f->asker;
	/* A datagram that this asker cannot take is cut to the question; it asks again by TCP. */
	uint8_t *reply = p;
	if (!asker.conn && n > f->query.udp_room) {
		n = f->query.question_end;
		reply[2] |= 2;
		memset(reply + 6, 0, 6);
	}
	if (asker.conn)
		asker.conn->asking = false;
	asker_reply(&asker, reply, n);
	flight_end(f);
	if (asker.conn)
		conn_questions(asker.conn);
	return true;
}

static void read_datagrams(struct flight *f)
{
	uint8_t room[DNS_UDP_MOST];
	for (;;) {
		ssize_t n = recv(f->watch.fd, room, sizeof room, 0);
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				try_next(f);
			return;
		}
		if (take_reply(f, room, (size_t)n))
			return;
	}
}

static void read_stream(struct flight *f)
{
	for (;;) {
		if (buf_reserve(&f->in, 4096) < 0)
			return try_next(f);
		ssize_t n = recv(f->watch.fd, f->in.ptr + f->in.len, 4096, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0)
			return try_next(f);
		f->in.len += (size_t)n;
		uint8_t *p = (uint8_t *)f->in.ptr;
		size_t want = f->in.len >= 2 ? ((size_t)p[0] << 8 | p[1]) + 2 : SIZE_MAX;
		if (f->in.len >= want) {
			if (!take_reply(f, p + 2, want - 2))
				try_next(f);
			return;
		}
	}
}

static void write_question(struct flight *f)
{
	const uint8_t *p = f->tcp ? f->text : f->text + 2;
	size_t len = f->tcp ? f->n + 2 : f->n;
	ssize_t n = send(f->watch.fd, p + f->sent, len - f->sent, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return try_next(f);
	f->sent += n > 0 ? (size_t)n : 0;
	watch_set(&f->watch, f->sent < len ? WATCH_WRITE : WATCH_READ);
}

static void ready(struct watch *w, unsigned events)
{
	struct flight *f = container_of(w, struct flight, watch);
	if (w->events & WATCH_WRITE)
		write_question(f);
	else if (f->tcp)
		read_stream(f);
	else
		read_datagrams(f);
}

/* The next server that can be connected to, or the end. */
static void try_next(struct flight *f)
{
	struct dns_server *s = f->asker.ear->server;
	const struct dns_box *box = dns_names_box(&s->names, f->asker.ear->container);
	if (f->watch.fd >= 0) {
		watch_del(&f->watch);
		close(f->watch.fd);
		f->watch.fd = -1;
	}
	while (box && f->next < UPSTREAMS_MOST) {
		int fd = s->seams.connect(s->seams.arg, box, f->next++, f->tcp);
		if (fd == -ENOENT)
			break;
		if (fd < 0)
			continue;
		f->id = s->seams.random(s->seams.arg);
		f->text[2] = (uint8_t)(f->id >> 8);
		f->text[3] = (uint8_t)f->id;
		f->sent = 0;
		if (watch_add(s->loop, &f->watch, fd, WATCH_WRITE, ready) < 0) {
			close(fd);
			f->watch.fd = -1;
			continue;
		}
		if (f->tcp)
			buf_reset(&f->in);
		if (timer_set(s->loop, &f->timer, UPSTREAM_WAIT_MS * NS_PER_MS, late) < 0)
			break;
		return;
	}
	struct asker asker = f->asker;
	struct dns_query q = f->query;
	uint8_t question[DNS_NAME_MAX + 32];
	memcpy(question, f->text + 2, MIN(f->n, sizeof question));
	flight_end(f);
	asker_fail(&asker, question, &q, DNS_SERVFAIL);
	if (asker.conn)
		conn_questions(asker.conn);
}

void forward(const struct asker *a, const void *query, size_t n, const struct dns_query *q)
{
	struct dns_server *s = a->ear->server;
	const struct dns_box *box = dns_names_box(&s->names, a->ear->container);
	if (!box || box->no_forward || s->n_flights >= FLIGHTS_MOST || a->ear->n_flights >= (a->ear->is_cluster ? CLUSTER_FLIGHTS_MOST : EAR_FLIGHTS_MOST))
		return asker_fail(a, query, q, DNS_SERVFAIL);
	struct flight *f = calloc(1, sizeof *f + n + 2);
	if (!f)
		return asker_fail(a, query, q, DNS_SERVFAIL);
	f->asker = *a;
	f->query = *q;
	f->watch.fd = -1;
	f->tcp = a->conn != NULL;
	buf_init(&f->in, DNS_MESSAGE_MAX + 2 + 4096);
	f->n = n;
	f->text[0] = (uint8_t)(n >> 8);
	f->text[1] = (uint8_t)n;
	memcpy(f->text + 2, query, n);
	list_add_tail(&a->ear->flights, &f->node);
	a->ear->n_flights++;
	s->n_flights++;
	if (a->conn)
		a->conn->asking = true;
	try_next(f);
}
