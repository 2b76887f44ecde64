/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service proxy of one node: traffic to a service's address or node port is
 * rewritten by the kernel to one of its endpoints. It watches services and
 * endpoint slices through kube/client and keeps one nftables table; while it is
 * dead, the table goes on working. IPv4.
 *
 * Cluster addresses, external addresses, node ports (on every local address,
 * 127.0.0.1 included), session affinity by client address, traffic policy Local,
 * refusal when there is no endpoint. See proxy_rules.c for how.
 */
#pragma once
#include "kube/client/client.h"

struct proxy;
struct proxy_config {
	const char *node_name;          /* for traffic policy Local */
	const char *table;              /* NULL: coracle_node */
	struct informers *informers;
};
/* Starts; acts in this process' network namespace. c and informers must outlive it. */
int proxy_start(struct kclient *c, const struct proxy_config *cfg, struct proxy **ret, struct err *e);
/* The first rules are in the kernel: 0, -ETIMEDOUT. */
int proxy_ready_wait(struct proxy *p, int64_t timeout_ns);
/* Leaves the table. */
void proxy_stop(struct proxy *p);
/* Removes the table, for `down`. Blocking. */
int proxy_down(const char *table, struct err *e);
