/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nftables table `inet coracle_engine` (name configurable), as batches.
 * Pure: builds, never sends. doc/why/network.md explains each rule.
 *
 *   guard        prerouting  raw (-300)     127.0.0.0/8 from anything but lo: dropped
 *   prerouting   prerouting  dstnat (-100)  destination local: maps dnat_addr, dnat_any
 *   output       output      dstnat (-100)  the same, for the host's own connections
 *   forward      forward     filter (0)     isolation of bridges; published and established pass
 *   postrouting  postrouting srcnat (100)   masquerade: leaving, from 127/8, hairpin
 *
 * Mark 0x02000000 (one bit, the others are left alone): between forward and postrouting, a published port reached from its own
 * bridge. The interface it came from is not known in postrouting where bridge-nf-call-iptables is on.
 *
 * Sets by interface name: bridges, masq, internal, open (entered from anywhere: pods), icc (bridge . bridge), pairs (bridge . bridge; not of
 * open ones, which are routed and keep their source). Set by address: self (address . the same address).
 * Maps: dnat_any proto . port -> address . port; dnat_addr host address . proto . port -> address . port.
 */
#pragma once
#include "net/net.h"
#include "sys/nft.h"

struct rules_network { const char *bridge; bool masquerade, icc, internal, open; };
struct rules_port { enum net_proto proto; uint32_t host_addr; uint16_t host_port; uint32_t addr; uint16_t port; };

/* pods: what packets from open bridges reach under their own address; len 0 none. Table, chains, rules, sets; whatever stood in chains, sets and maps of the same name is gone afterwards, in one step. */
void rules_base(struct nft_batch *b, const char *table, struct net_cidr pods);
void rules_network(struct nft_batch *b, const char *table, const struct rules_network *w, bool add);
/* An address of an open network: a connection of it to itself, by way of a service, is masqueraded. */
void rules_self(struct nft_batch *b, const char *table, uint32_t addr, bool add);
void rules_port(struct nft_batch *b, const char *table, const struct rules_port *p, bool add);

/*
 * Beside another firewall: a chain of its on the forward hook whose policy is drop overrules every accept of ours, so it gets
 * two rules of ours a bridge (in, out), marked by their comment "coracle TABLE".
 */
void rules_accept(struct nft_batch *b, enum nft_family f, const char *table, const char *chain, const char *bridge, const char *comment);

/* Inside a container's namespace: 127.0.0.11:53 leads to DNS_INNER_PORT, without connection tracking. */
enum { DNS_INNER_PORT = 1021 };
#define DNS_INNER_ADDR 0x7f00000bu
void rules_dns(struct nft_batch *b);
