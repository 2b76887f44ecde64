// SPDX-License-Identifier: Apache-2.0
#include "dns/server.h"

#include <errno.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "dns/server_int.h"

/* --- replies */

static void conn_write(struct conn *c);

void asker_reply(const struct asker *a, const void *p, size_t n)
{
	if (!a->conn) {
		/* A full socket drops, as a network would; the asker tries again. */
		sendto(a->ear->udp.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&a->from, a->from_len);
		return;
	}
	buf_add(&a->conn->out, (char[]){ (char)(n >> 8), (char)n }, 2);
	buf_add(&a->conn->out, p, n);
	conn_write(a->conn);
}

void asker_fail(const struct asker *a, const void *query, const struct dns_query *q, unsigned rcode)
{
	AUTO(buf) struct buf out = BUF_INIT(DNS_MESSAGE_MAX);
	if (dns_answer(&out, query, q, rcode, NULL, 0, NULL, DNS_MESSAGE_MAX) == 0)
		asker_reply(a, out.ptr, out.len);
}

/* Several containers behind one name: each answer starts with another one. */
static void rotate(struct dns_server *s, uint32_t *v, size_t n)
{
	size_t by = n > 1 ? s->seams.random(s->seams.arg) % n : 0;
	uint32_t copy[DNS_ADDRS_MOST];
	memcpy(copy, v, n * sizeof *v);
	for (size_t i = 0; i < n; i++)
		v[i] = copy[(i + by) % n];
}

/* Answers from our own names; false when the question is not about them. */
static bool answer_own(const struct asker *a, const void *query, const struct dns_query *q)
{
	struct dns_server *s = a->ear->server;
	const struct dns_box *box = dns_names_box(&s->names, a->ear->container);
	uint32_t addrs[DNS_ADDRS_MOST], addr;
	char target[DNS_NAME_MAX + 1];
	size_t n = 0, room = a->conn ? DNS_MESSAGE_MAX : q->udp_room;
	bool reverse = false;
	if (!box || !q->is_plain || q->class_ != DNS_CLASS_IN)
		return false;
	if (q->type == DNS_TYPE_PTR && dns_reverse_addr(q->name, &addr))
		reverse = dns_names_reverse(&s->names, box, addr, target, sizeof target);
	if (!reverse && (n = dns_names_find(&s->names, box, q->name, addrs)) == 0)
		return false;
	rotate(s, addrs, n);
	/* A name that is ours and has no record of that type (AAAA): no error, no answer. */
	if (q->type != DNS_TYPE_A)
		n = 0;
	AUTO(buf) struct buf out = BUF_INIT(DNS_MESSAGE_MAX);
	if (dns_answer(&out, query, q, DNS_OK, addrs, n, reverse ? target : NULL, room) == 0)
		asker_reply(a, out.ptr, out.len);
	return true;
}

#define CLUSTER "cluster"       /* the ear's name; a container's is 64 digits */

static bool answer_zone(const struct asker *a, const void *query, const struct dns_query *q)
{
	struct dns_server *s = a->ear->server;
	if (!a->ear->is_cluster || !s->zone || !q->is_plain || q->class_ != DNS_CLASS_IN)
		return false;
	AUTO(free) struct dns_zone_answer *found = malloc(sizeof *found);
	if (!found || !dns_zone_find(s->zone, q->name, q->type, found))
		return false;
	/* the first of several is another one each time */
	size_t by = found->n > 1 ? s->seams.random(s->seams.arg) % found->n : 0;
	for (size_t i = 0; i < by; i++) {
		struct dns_record first = found->v[0];
		memmove(&found->v[0], &found->v[1], (found->n - 1) * sizeof first);
		found->v[found->n - 1] = first;
	}
	AUTO(buf) struct buf out = BUF_INIT(DNS_MESSAGE_MAX);
	if (dns_answer_zone(&out, query, q, found->rcode, found->v, found->n, dns_zone_domain(s->zone), a->conn ? DNS_MESSAGE_MAX : q->udp_room) == 0)
		asker_reply(a, out.ptr, out.len);
	return true;
}

static void take_question(const struct asker *a, const void *p, size_t n)
{
	struct dns_query q;
	if (dns_query_parse(p, n, &q) < 0)
		return;
	if (!q.is_query)
		return asker_fail(a, p, &q, q.question_end > 12 ? DNS_NOTIMP : DNS_FORMERR);
	if (!answer_zone(a, p, &q) && !answer_own(a, p, &q))
		forward(a, p, n, &q);
}

/* --- datagrams */

static void udp_ready(struct watch *w, unsigned events)
{
	enum { AT_ONCE = 32 };
	struct ear *ear = container_of(w, struct ear, udp);
	for (int i = 0; i < AT_ONCE; i++) {
		char room[DNS_UDP_MOST];
		struct asker a = { .ear = ear, .from_len = sizeof a.from };
		ssize_t n = recvfrom(w->fd, room, sizeof room, MSG_DONTWAIT, (struct sockaddr *)&a.from, &a.from_len);
		if (n < 0)
			return;
		take_question(&a, room, (size_t)n);
	}
}

/* --- connections */

static void conn_free(struct conn *c)
{
	forward_cancel(c->ear, c);
	watch_del(&c->watch);
	close(c->watch.fd);
	timer_cancel(&c->idle);
	buf_release(&c->in);
	buf_release(&c->out);
	list_del(&c->node);
	c->ear->n_conns--;
	free(c);
}

static void conn_idle(struct timer *t)
{
	conn_free(container_of(t, struct conn, idle));
}

static void conn_write(struct conn *c)
{
	while (c->out.len) {
		ssize_t n = send(c->watch.fd, c->out.ptr, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n <= 0)
			break;
		buf_drop(&c->out, (size_t)n);
	}
	watch_set(&c->watch, c->out.len ? WATCH_READ | WATCH_WRITE : WATCH_READ);
}

void conn_questions(struct conn *c)
{
	if (c->working)
		return;
	c->working = true;
	while (!c->asking && c->in.len >= 2 && !c->out.len) {
		const uint8_t *p = (const uint8_t *)c->in.ptr;
		size_t n = (size_t)p[0] << 8 | p[1];
		if (c->in.len < n + 2)
			break;
		AUTO(free) char *question = slice_dup(slice_n(p + 2, n));
		buf_drop(&c->in, n + 2);
		struct asker a = { .ear = c->ear, .conn = c };
		if (question)
			take_question(&a, question, n);
	}
	c->working = false;
}

static void conn_ready(struct watch *w, unsigned events)
{
	struct conn *c = container_of(w, struct conn, watch);
	if (c->out.len)
		conn_write(c);
	if (buf_reserve(&c->in, 4096) < 0)
		return conn_free(c);
	ssize_t n = recv(w->fd, c->in.ptr + c->in.len, 4096, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return conn_free(c);
	if (n > 0)
		c->in.len += (size_t)n;
	timer_set(c->ear->server->loop, &c->idle, CONN_IDLE_S * NS_PER_S, conn_idle);
	conn_questions(c);
}

static void tcp_ready(struct watch *w, unsigned events)
{
	struct ear *ear = container_of(w, struct ear, tcp);
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	struct conn *c = ear->n_conns < (ear->is_cluster ? CLUSTER_CONNS_MOST : EAR_CONNS_MOST) ? calloc(1, sizeof *c) : NULL;
	if (!c) {
		close(fd);
		return;
	}
	c->ear = ear;
	buf_init(&c->in, 2 * (DNS_MESSAGE_MAX + 2) + 4096);
	buf_init(&c->out, 2 * (DNS_MESSAGE_MAX + 2));
	list_add_tail(&ear->conns, &c->node);
	ear->n_conns++;
	if (watch_add(ear->server->loop, &c->watch, fd, WATCH_READ, conn_ready) < 0 ||
	    timer_set(ear->server->loop, &c->idle, CONN_IDLE_S * NS_PER_S, conn_idle) < 0) {
		c->watch.fd = fd;
		conn_free(c);
	}
}

/* --- ears */

static void ear_free(struct ear *ear)
{
	struct conn *c;
	list_each(c, &ear->conns, node)
		conn_free(c);
	forward_cancel(ear, NULL);
	watch_del(&ear->udp);
	watch_del(&ear->tcp);
	close(ear->udp.fd);
	close(ear->tcp.fd);
	free(ear);
}

int dns_server_new(struct loop *l, const struct dns_seams *seams, struct dns_server **ret)
{
	struct dns_server *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->loop = l;
	s->seams = *seams;
	dns_names_init(&s->names);
	map_init(&s->ears);
	*ret = s;
	return 0;
}

void dns_server_free(struct dns_server *s)
{
	if (!s)
		return;
	size_t pos = 0;
	for (struct map_entry *x; (x = map_next(&s->ears, &pos));)
		ear_free(x->value);
	map_release(&s->ears);
	dns_names_release(&s->names);
	dns_zone_free(s->zone);
	free(s);
}

static int ear_new(struct dns_server *s, const char *container, int udp, int tcp)
{
	struct ear *ear = calloc(1, sizeof *ear);
	if (!ear)
		return -ENOMEM;
	ear->server = s;
	ear->is_cluster = !strcmp(container, CLUSTER);
	list_init(&ear->conns);
	list_init(&ear->flights);
	fmt_into(ear->container, sizeof ear->container, "%s", container);
	fd_set_nonblock(udp, true);
	fd_set_nonblock(tcp, true);
	int r = watch_add(s->loop, &ear->udp, udp, WATCH_READ, udp_ready);
	if (r == 0)
		r = watch_add(s->loop, &ear->tcp, tcp, WATCH_READ, tcp_ready);
	if (r == 0)
		r = map_sets(&s->ears, container, ear);
	if (r < 0) {
		watch_del(&ear->udp);
		watch_del(&ear->tcp);
		free(ear);
	}
	return r;
}

int dns_server_set(struct dns_server *s, const struct dns_request *q, int udp, int tcp, struct err *e)
{
	if (!q->container || !q->container[0] || strlen(q->container) > 79)
		return err_set(e, EINVAL, "a container is missing");
	struct ear *ear = map_gets(&s->ears, q->container);
	if (!ear && (udp < 0 || tcp < 0))
		return err_set(e, ENOENT, "no sockets of container %.12s are held", q->container);
	int r = dns_names_set(&s->names, q, e);
	if (r < 0 || udp < 0 || tcp < 0)
		return r;
	if (ear) {
		map_dels(&s->ears, q->container);
		ear_free(ear);
	}
	r = ear_new(s, q->container, udp, tcp);
	return r < 0 ? err_sys(e, r, "listen for container %.12s", q->container) : 0;
}

int dns_server_cluster(struct dns_server *s, const char *domain, int udp, int tcp, struct err *e)
{
	const struct dns_request box = { .container = CLUSTER };
	if (domain && (!s->zone || strcmp(dns_zone_domain(s->zone), domain))) {
		struct dns_zone *z;
		int r = dns_zone_new(domain, &z);
		if (r < 0)
			return err_sys(e, -r, "keep names of the domain %s", domain);
		dns_zone_free(s->zone);
		s->zone = z;
	}
	return dns_server_set(s, &box, udp, tcp, e);
}

struct dns_zone *dns_server_zone(struct dns_server *s) { return s->zone; }

void dns_server_remove(struct dns_server *s, const char *container)
{
	struct ear *ear = map_dels(&s->ears, container);
	if (ear)
		ear_free(ear);
	dns_names_remove(&s->names, container);
}

const char *dns_server_next(struct dns_server *s, size_t *pos)
{
	struct map_entry *x;
	/* the cluster is no container: whoever asks would take it for one that is no longer wanted */
	while ((x = map_next(&s->ears, pos)) && ((struct ear *)x->value)->is_cluster)
		;
	return x ? x->key : NULL;
}
