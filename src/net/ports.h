/* SPDX-License-Identifier: Apache-2.0 */
/* Which host ports are published, by us. Pure; whether another program listens is asked through `usable`. */
#pragma once
#include "base/auto.h"
#include "base/map.h"
#include "net/net.h"

enum { NET_PORT_FIRST = 32768, NET_PORT_LAST = 60999 };
struct ports {
	struct map taken;               /* proto and port -> struct ports_slot */
	uint16_t next[3];               /* where the next random choice of a protocol starts */
};
void ports_init(struct ports *p);
void ports_release(struct ports *p);
/* addr 0 (0.0.0.0) conflicts with every address. 0, -EADDRINUSE, -ENOMEM. */
int ports_take(struct ports *p, enum net_proto proto, uint32_t addr, uint16_t port);
void ports_give_back(struct ports *p, enum net_proto proto, uint32_t addr, uint16_t port);
bool ports_is_free(const struct ports *p, enum net_proto proto, uint32_t addr, uint16_t port);
/*
 * The first port of first … last (0, 0: of the random range, going on behind the last choice) that is free and for which
 * usable returns 0. 0, -EADDRINUSE when all are taken here (or usable's error for a single one), -ENOMEM.
 */
int ports_choose(struct ports *p, enum net_proto proto, uint32_t addr, uint16_t first, uint16_t last,
	int (*usable)(void *arg, uint16_t port), void *arg, uint16_t *ret);
