/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink: links, addresses, routes. Requests are collected in a batch that
 * goes to the kernel in one system call; the kernel works through them in
 * order and acknowledges each. A batch is not a transaction: what came before
 * a refused request stays.
 *
 * Blocking, for jobs and start-up code; a socket acts in the network namespace
 * that its thread was in when it was opened. Source: rtnetlink(7), netlink(7),
 * Documentation/userspace-api/netlink.
 */
#pragma once
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct netlink {
	int fd;
	uint32_t seq;
	bool is_transaction;         /* netfilter: all or nothing */
};
/* protocol: NETLINK_ROUTE or NETLINK_NETFILTER. */
int netlink_open(int protocol, struct netlink *ret);
void netlink_close(struct netlink *nl);
static inline void auto_netlink(struct netlink *nl) { netlink_close(nl); }
#define NETLINK_CLOSED ((struct netlink){ .fd = -1 })

/* --- acknowledgements, apart from the socket so that they can be fuzzed */
struct netlink_acks {
	uint32_t first_seq, last_seq;   /* requests in flight; the kernel answers them in order */
	bool done;                      /* the last one is answered */
	uint32_t failed_seq;            /* of the first refused request, valid when error < 0 */
	int error;                      /* 0 or its -errno */
	char text[128];                 /* the kernel's own words about it, "" when it has none */
};
/* Looks through one datagram; 0, or -EBADMSG when it is not netlink. Messages that belong to nobody are skipped. */
int netlink_take_acks(struct netlink_acks *a, const void *p, size_t n);
/*
 * Sends the requests first_seq … last_seq that lie in p and waits until the last is acknowledged (it must ask for that) or, in
 * an nftables batch, the first is refused: 0 or the first refusal (which: its number from 0).
 */
int netlink_exchange(struct netlink *nl, const void *p, size_t len, uint32_t first_seq, uint32_t last_seq, uint32_t *which, struct err *e);

/* --- batches */
struct netlink_batch {
	struct netlink *nl;
	char *ptr;
	size_t len, cap;
	uint32_t first_seq, n;
	int error;                   /* first failure to build: -ENOMEM, -EINVAL (name too long) */
};
void netlink_batch_init(struct netlink_batch *b, struct netlink *nl);
void netlink_batch_release(struct netlink_batch *b);
static inline void auto_netlink_batch(struct netlink_batch *b) { netlink_batch_release(b); }
/* Sends what was collected and empties the batch; 0 or -errno of the first request refused, with the kernel's text. */
int netlink_batch_send(struct netlink_batch *b, struct err *e);

struct link_mac { uint8_t b[6]; };
struct link_bridge { const char *name; const struct link_mac *mac; uint32_t mtu; };
/* A bridge: no spanning tree, no IPv6 link-local address, up. */
void link_add_bridge(struct netlink_batch *b, const struct link_bridge *l);
struct link_veth {
	const char *name;            /* outside */
	uint32_t master;             /* index of the bridge; 0: none */
	bool isolated;               /* isolated ports of a bridge reach each other only through the host */
	bool hairpin;                /* the bridge may send a frame back where it came from */
	uint32_t mtu;                /* of both ends; 0: the default */
	const char *peer_name;       /* inside */
	int peer_netns;              /* descriptor of the namespace the peer is born in; -1: here */
	uint32_t peer_index;         /* index that the peer gets; 0: any */
	struct link_mac peer_mac;
};
/* The outer end comes up, without an IPv6 address; the inner one stays down (the kernel refuses it up before the pair is whole). */
void link_add_veth(struct netlink_batch *b, const struct link_veth *l);
void link_del(struct netlink_batch *b, const char *name);
void link_up(struct netlink_batch *b, uint32_t index, bool up);
void link_rename(struct netlink_batch *b, uint32_t index, const char *name);
void link_set_mtu(struct netlink_batch *b, uint32_t index, uint32_t mtu);
void link_set_master(struct netlink_batch *b, uint32_t index, uint32_t master);   /* 0: none */

/* Addresses in host byte order. */
void addr_add(struct netlink_batch *b, uint32_t index, uint32_t addr, uint8_t prefix_len);
void addr_del(struct netlink_batch *b, uint32_t index, uint32_t addr, uint8_t prefix_len);
/* dst/len via gateway (0: on link) over index. replace: an existing one changes. */
void route_add(struct netlink_batch *b, uint32_t dst, uint8_t len, uint32_t gateway, uint32_t index, bool replace);
void route_del(struct netlink_batch *b, uint32_t dst, uint8_t len, uint32_t gateway, uint32_t index);

/* --- asking */
struct link_info {
	uint32_t index, master, mtu, flags;
	char name[IFNAMSIZ];
	char kind[16];               /* "bridge", "veth", "" */
	uint8_t mac[6];
	bool has_stats;
	uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped;
};
/* By name; -ENODEV. */
int link_get(struct netlink *nl, const char *name, struct link_info *ret);
/* Calls fn for each link; stops when it returns non-zero and returns that. */
int link_each(struct netlink *nl, int (*fn)(void *arg, const struct link_info *l), void *arg);
struct addr_info { uint32_t index, addr; uint8_t prefix_len; };
int addr_each(struct netlink *nl, int (*fn)(void *arg, const struct addr_info *a), void *arg);   /* IPv4 */
struct route_info { uint32_t dst, gateway, index, table; uint8_t len; };
int route_each(struct netlink *nl, int (*fn)(void *arg, const struct route_info *r), void *arg); /* IPv4, unicast */

/* Forgets tracked IPv4 UDP flows to these destination ports, as first sent. */
int conntrack_forget_udp(const uint16_t *ports, size_t n);

/* Parsers of single answers, for the functions above and for the fuzzer: true if the message is of that kind and well formed. */
bool link_parse(const void *nlmsg, size_t n, struct link_info *ret);
bool addr_parse(const void *nlmsg, size_t n, struct addr_info *ret);
bool route_parse(const void *nlmsg, size_t n, struct route_info *ret);
