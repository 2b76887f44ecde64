/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 addresses and subnets as text and numbers (host byte order). Pure. */
#pragma once
#include "net/net.h"

enum { NET_ADDR_TEXT = 16, NET_CIDR_TEXT = 19, NET_MAC_TEXT = 18 };
/* Strict dotted quads, no leading zeros. 0 or -EINVAL. */
int net_addr_parse(struct slice s, uint32_t *ret);
void net_addr_format(char *dst, uint32_t addr);                  /* NET_ADDR_TEXT */
/* "10.1.2.3/24"; the host part is kept in addr. */
int net_cidr_parse(struct slice s, struct net_cidr *ret);
void net_cidr_format(char *dst, struct net_cidr c);              /* NET_CIDR_TEXT */
static inline uint32_t net_mask(uint8_t len) { return len ? 0xffffffffu << (32 - len) : 0; }
static inline bool net_cidr_has(struct net_cidr c, uint32_t addr) { return ((addr ^ c.addr) & net_mask(c.len)) == 0; }
static inline bool net_cidr_overlap(struct net_cidr a, struct net_cidr b) { return ((a.addr ^ b.addr) & net_mask(a.len < b.len ? a.len : b.len)) == 0; }
int net_mac_parse(struct slice s, uint8_t ret[6]);               /* six hex pairs, ':' or '-'; not multicast */
void net_mac_format(char *dst, const uint8_t mac[6]);            /* NET_MAC_TEXT */
/* 02:42 and the address: the same address always has the same MAC, so nobody's neighbour cache goes stale. */
void net_mac_of_addr(uint8_t mac[6], uint32_t addr);
