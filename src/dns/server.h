/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name server: an ear (a UDP and a listening TCP socket) in every
 * container's namespace, answers from names.h, everything else forwarded.
 * Runs on a loop with callbacks; nothing here blocks.
 */
#pragma once
#include "dns/names.h"
#include "dns/zone.h"
#include "io/loop.h"

struct dns_server;
struct dns_seams {
	/* A non-blocking socket connected (or connecting) to the i-th upstream server of the box; -ENOENT past the last, -errno. */
	int (*connect)(void *arg, const struct dns_box *box, unsigned i, bool tcp);
	uint16_t (*random)(void *arg);
	void *arg;
};
int dns_server_new(struct loop *l, const struct dns_seams *seams, struct dns_server **ret);
void dns_server_free(struct dns_server *s);
/* A request of the engine, with the two descriptors that came along (taken when 0 is returned) or -1. */
int dns_server_set(struct dns_server *s, const struct dns_request *r, int udp, int tcp, struct err *e);
void dns_server_remove(struct dns_server *s, const char *container);
/* Containers whose sockets are held; *pos starts at 0, NULL at the end. */
const char *dns_server_next(struct dns_server *s, size_t *pos);

/* An ear for a whole cluster: its zone, then everything else forwarded. Descriptors -1: those that are held go on. domain NULL: the one it has. */
int dns_server_cluster(struct dns_server *s, const char *domain, int udp, int tcp, struct err *e);
/* Its zone, NULL without one. */
struct dns_zone *dns_server_zone(struct dns_server *s);

/* Upstream servers out of resolv.conf text: at most `room`; the port is 53. Pure. */
struct dns_upstream { char addr[64]; };
unsigned dns_upstreams(struct slice resolv_conf, struct dns_upstream *v, unsigned room);
