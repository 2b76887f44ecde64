// SPDX-License-Identifier: Apache-2.0
/*
 * Published ports. Each is booked here (ports.h), held by a bound socket so
 * that no other program takes it, and led by one element of a map in nftables.
 * Element and record outlive the engine; the socket does not, and is opened
 * again at the next start.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "base/auto.h"
#include "base/log.h"
#include "net/net_int.h"

static const char *const proto_names[] = { [NET_TCP] = "tcp", [NET_UDP] = "udp", [NET_SCTP] = "sctp" };

const char *net_proto_name(enum net_proto p)
{
	return proto_names[p];
}

int net_proto_parse(struct slice s, enum net_proto *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(proto_names); i++)
		if (slice_eq_nocase(s, slice_of(proto_names[i])))
			return *ret = (enum net_proto)i, 0;
	return s.len ? -EINVAL : (*ret = NET_TCP, 0);
}

static uint32_t host_addr(const struct net_port *p)
{
	uint32_t a;
	return net_addr_parse(slice_of(p->host_ip), &a) < 0 ? 0 : a;
}

void ports_elements(struct net *n, struct nft_batch *b, const struct sandbox *s, bool add)
{
	for (size_t i = 0; i < s->ports.n; i++) {
		const struct net_port *p = &s->ports.v[i];
		struct rules_port r = { p->proto, host_addr(p), p->host_port, s->target, p->container_port };
		rules_port(b, n->table, &r, add);
	}
}

struct forget_job { const struct net_kernel *k; uint16_t *ports; size_t n; };
static int forget_job(void *arg)
{
	struct forget_job *j = arg;
	return j->k->forget_udp(j->ports, j->n);
}

void ports_forget_flows_wait(struct net *n, const struct sandbox *s)
{
	AUTO(free) uint16_t *udp = calloc(s->ports.n + 1, sizeof *udp);
	struct forget_job j = { n->kernel, udp, 0 };
	for (size_t i = 0; udp && i < s->ports.n; i++)
		if (s->ports.v[i].proto == NET_UDP)
			udp[j.n++] = s->ports.v[i].host_port;
	int r = j.n ? net_job_wait(forget_job, &j) : 0;
	if (r < 0)
		log_warn("UDP flows under way keep their old way", "container=%.12s error=%s", s->container, err_name(-r));
}

int ports_follow_wait(struct net *n, struct sandbox *s, struct err *e)
{
	struct endpoint *gateway = sandbox_gateway(s);
	uint32_t to = gateway ? gateway->addr : 0;
	if (to == s->target || s->ports.n == 0) {
		s->target = s->ports.n ? to : 0;
		return 0;
	}
	AUTO(nft_batch) struct nft_batch b;
	nft_batch_init(&b);
	if (s->target)
		ports_elements(n, &b, s, false);
	s->target = to;
	if (to)
		ports_elements(n, &b, s, true);
	int r = net_commit_wait(n, &b, e);
	if (r < 0)
		return err_prefix(e, "change published ports");
	ports_forget_flows_wait(n, s);
	return 0;
}

void ports_forget(struct net *n, struct sandbox *s)
{
	for (size_t i = 0; i < s->ports.n; i++) {
		ports_give_back(&n->ports, s->ports.v[i].proto, host_addr(&s->ports.v[i]), s->ports.v[i].host_port);
		if (i < s->holds.n && s->holds.v[i] >= 0)
			close(s->holds.v[i]);
	}
	s->ports.n = s->holds.n = 0;
	s->target = 0;
}

int ports_adopt(struct net *n, struct sandbox *s)
{
	struct endpoint *gateway = sandbox_gateway(s);
	s->target = gateway && s->ports.n ? gateway->addr : 0;
	for (size_t i = 0; i < s->ports.n; i++) {
		struct net_port *p = &s->ports.v[i];
		int fd = ports_take(&n->ports, p->proto, host_addr(p), p->host_port) < 0 ? -EADDRINUSE : n->kernel->hold_port(p->proto, host_addr(p), p->host_port);
		if (fd < 0)
			log_warn("a published port is not held against other programs", "port=%u/%s error=%s", p->host_port, net_proto_name(p->proto), err_name(-fd));
		if (vec_push(&s->holds, fd < 0 ? -1 : fd) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* --- publishing */

struct hold { struct net *n; enum net_proto proto; uint32_t addr; int fd, error; };
static int try_hold(void *arg, uint16_t port)
{
	struct hold *h = arg;
	int fd = h->n->kernel->hold_port(h->proto, h->addr, port);
	/* A kernel without SCTP sockets can still forward it. */
	if (fd == -EPROTONOSUPPORT || fd == -ESOCKTNOSUPPORT) {
		h->fd = -1;
		return 0;
	}
	h->error = fd < 0 ? fd : 0;
	h->fd = fd < 0 ? -1 : fd;
	return fd < 0 ? fd : 0;
}

static int reserve(struct net *n, struct sandbox *s, const struct endpoint *to, const struct net_port_request *q, struct err *e)
{
	struct net_port port = { .proto = q->proto, .container_port = q->container_port };
	struct hold h = { .n = n, .proto = q->proto, .addr = to->network->host_binding, .fd = -1 };
	if (q->host_ip && strchr(q->host_ip, ':'))
		return err_set(e, EOPNOTSUPP, "cannot publish on %s: IPv6 host addresses are not supported", q->host_ip);
	if (q->host_ip && q->host_ip[0] && net_addr_parse(slice_of(q->host_ip), &h.addr) < 0)
		return err_set(e, EINVAL, "invalid host address %s", q->host_ip);
	if (q->host_last < q->host_first || (q->host_first == 0) != (q->host_last == 0) || q->container_port == 0)
		return err_set(e, EINVAL, "invalid port range %u-%u", q->host_first, q->host_last);
	if (vec_reserve(&s->ports, 1) < 0 || vec_reserve(&s->holds, 1) < 0)
		return err_nomem(e);
	net_addr_format(port.host_ip, h.addr);
	int r = ports_choose(&n->ports, q->proto, h.addr, q->host_first, q->host_last, try_hold, &h, &port.host_port);
	if (r == -EADDRINUSE && q->host_first != q->host_last)
		return err_set(e, EADDRINUSE, "all ports are allocated");
	if (r < 0 && h.error)
		return err_set(e, r, "failed to bind host port for %s:%u:%s:%u/%s: %s", port.host_ip, q->host_first, to->pub.ipv4, q->container_port,
			net_proto_name(q->proto), r == -EADDRINUSE ? "address already in use" : r == -EADDRNOTAVAIL ? "cannot assign requested address" :
			r == -EACCES ? "permission denied" : err_name(-r));
	if (r == -EADDRINUSE)
		return err_set(e, r, "Bind for %s:%u failed: port is already allocated", port.host_ip, q->host_first);
	if (r < 0)
		return err_nomem(e);
	(void)vec_push(&s->ports, port);
	(void)vec_push(&s->holds, h.fd);
	return 0;
}

int net_publish_wait(struct net *n, const char *container, const struct net_port_request *q, uint32_t n_q, struct err *e)
{
	struct sandbox *s = sandbox_lock_wait(n, container, e);
	if (!s)
		return -ENOENT;
	struct endpoint *to = sandbox_gateway(s);
	int r = 0;
	if (s->ports.n)
		r = err_set(e, EEXIST, "ports of container %s are published already", s->name);
	if (r == 0 && to && s->path[0]) {
		for (uint32_t i = 0; i < n_q && r == 0; i++)
			r = reserve(n, s, to, &q[i], e);
		if (r == 0 && (r = ports_follow_wait(n, s, e)) == 0)
			r = sandbox_save(n, s, e);
		if (r < 0) {
			err_prefix(e, "driver failed programming external connectivity on endpoint %s (%s)", s->name, to->pub.id);
			AUTO(nft_batch) struct nft_batch b;
			nft_batch_init(&b);
			if (s->target)
				ports_elements(n, &b, s, false);
			net_commit_wait(n, &b, NULL);
			ports_forget(n, s);
		}
	}
	sandbox_unlock(n, s);
	return r;
}

int net_unpublish_wait(struct net *n, const char *container)
{
	struct sandbox *s = sandbox_lock_wait(n, container, NULL);
	if (!s)
		return 0;
	AUTO(nft_batch) struct nft_batch b;
	nft_batch_init(&b);
	if (s->target)
		ports_elements(n, &b, s, false);
	int r = net_commit_wait(n, &b, NULL);
	ports_forget_flows_wait(n, s);
	ports_forget(n, s);
	sandbox_save(n, s, NULL);
	sandbox_unlock(n, s);
	return r;
}

uint32_t net_ports(struct net *n, const char *container, const struct net_port **ret)
{
	struct sandbox *s = sandbox_find(n, container);
	*ret = s ? s->ports.v : NULL;
	return s ? (uint32_t)s->ports.n : 0;
}
