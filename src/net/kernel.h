/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What net/ asks of the kernel: one row of functions, filled by net_kernel_real
 * and by a recording double in tests. All of them block for up to a millisecond
 * or so and run as jobs; they touch nothing but their arguments.
 */
#pragma once
#include "net/net.h"
#include "net/rules.h"
#include "sys/nft.h"

struct net_bridge { const char *name; struct net_cidr addr; uint32_t mtu; };
struct net_bridges { const char **v; size_t n; };
struct net_plan {
	const char *netns;              /* path of the bind mount */
	const char *veth;               /* outside */
	const char *ifname;             /* inside */
	uint32_t bridge_index, mtu;
	uint8_t mac[6];
	uint32_t addr, gateway;         /* gateway 0: none */
	uint8_t len;
	bool default_route;             /* replaces one that is there */
	bool isolated;
	bool routed;                    /* every packet goes through the gateway, also to neighbours: the address stands alone (/32) */
	uint32_t index;                 /* out: of the interface inside */
};
struct net_kernel {
	/* Makes or adopts a bridge, with this address and up. */
	int (*bridge_up)(const struct net_bridge *b, uint32_t *ret_index, struct err *e);
	int (*bridge_down)(const char *name, struct err *e);                    /* 0 when there is none */
	/* Subnets that the host routes, default routes apart. */
	int (*routes)(struct net_cidr *v, size_t room, size_t *n, struct err *e);
	int (*forwarding_on)(struct err *e);
	int (*netns_make)(const char *path, struct err *e);                     /* lo up, rules_dns, container sysctls */
	void (*netns_drop)(const char *path);
	bool (*netns_is)(const char *path);
	int (*sysctls)(const char *netns, const struct schema_pair *v, uint32_t n, struct err *e);
	int (*attach)(struct net_plan *p, struct err *e);
	int (*detach)(const char *veth, struct err *e);                         /* 0 when it is gone */
	int (*default_route)(const char *netns, uint32_t index, uint32_t gateway, struct err *e);   /* gateway 0: removes it */
	int (*tcp_socket)(const char *netns, bool v6, struct err *e);           /* descriptor; netns "": the host's */
	int (*dns_sockets)(const char *netns, int fds[2], struct err *e);       /* UDP, TCP on DNS_INNER_ADDR:DNS_INNER_PORT */
	int (*commit)(struct netlink *nl, struct nft_batch *b, struct err *e);   /* nl: as in nft_batch_commit_on */
	/* Flows that are under way to UDP ports meet the new state of publication. */
	int (*forget_udp)(const uint16_t *ports, size_t n);
	/* A bound socket that keeps others off the port; fd or -EADDRINUSE, -EACCES, -EADDRNOTAVAIL. */
	int (*hold_port)(enum net_proto proto, uint32_t addr, uint16_t port);
	int (*stats)(const char *netns, struct net_interface_stats *v, size_t room, size_t *n);
	bool (*link_is)(const char *name);
	/* Our accept rules in others' forward chains with policy drop: for bridges, and no longer for those gone; where tells whose. */
	int (*coexist)(const char *table, const struct net_bridges *there, const struct net_bridges *gone, char *where, size_t where_size);
};
extern const struct net_kernel net_kernel_real;
