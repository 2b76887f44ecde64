/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of one subnet, and subnets out of the pools. Pure: what the kernel
 * routes is handed in. The lowest free address is given out, as Docker does
 * (the first container is .2), except that one given back stays closed until
 * its old interface is gone: the caller says so through `busy`.
 */
#pragma once
#include "base/auto.h"
#include "base/vec.h"
#include "net/net.h"

struct ipam {
	struct net_cidr subnet;
	struct net_cidr range;          /* where free choices come from; len of subnet when not given */
	VEC(uint32_t) used;             /* sorted */
};
void ipam_init(struct ipam *m, struct net_cidr subnet, struct net_cidr range);
void ipam_release(struct ipam *m);
/* 0, -EADDRINUSE, -EINVAL (outside, or the network or broadcast address), -ENOMEM. */
int ipam_take(struct ipam *m, uint32_t addr);
/* The lowest free one that is not busy; 0, -ENOSPC, -ENOMEM. When every free address is busy, the lowest of those is given. */
int ipam_take_any(struct ipam *m, bool (*busy)(void *arg, uint32_t addr), void *arg, uint32_t *ret);
void ipam_give_back(struct ipam *m, uint32_t addr);
bool ipam_has(const struct ipam *m, uint32_t addr);

/* The first piece of the pools that overlaps nothing in taken; -ENOSPC. A pool { addr, len } of piece_len pieces. */
struct ipam_pool { struct net_cidr range; uint8_t piece_len; };
extern const struct ipam_pool ipam_default_pools[];
extern const size_t ipam_n_default_pools;
int ipam_choose(const struct ipam_pool *pools, size_t n, const struct net_cidr *taken, size_t n_taken, struct net_cidr *ret);
