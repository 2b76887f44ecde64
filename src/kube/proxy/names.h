/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cluster names: keeps the dns process (doc/format/dns.md) told of services and
 * their endpoints, and gives it the sockets of the cluster's name server. The
 * process answers on while this one is dead.
 */
#pragma once
#include "kube/client/client.h"

struct names;
struct names_config {
	const char *run;                /* RUN/dns.sock */
	const char *address;            /* of the name server, "10.96.0.10" */
	const char *domain;             /* "cluster.local" */
	const char *link;               /* device that carries the address; NULL: coracle-dns */
	struct informers *informers;
};
int names_start(struct kclient *c, const struct names_config *cfg, struct names **ret, struct err *e);
/* The dns process answers on. Suspends. NULL is fine. */
void names_stop_wait(struct names *n);
/* Removes the device, for `down`. Blocking. */
int names_down(const char *link, struct err *e);
