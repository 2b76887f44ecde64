/* SPDX-License-Identifier: Apache-2.0 */
/* What runs beside the kubelet in its process: the service proxy, and the feed of cluster names. */
#pragma once
#include "base/err.h"

struct loop;
struct node_services;
struct node_services_options {
	const char *kubeconfig;         /* of system:kube-proxy */
	const char *node_name;
	const char *table;              /* nftables table; NULL: coracle_node */
	const char *run;                /* where the dns process listens */
	const char *dns, *domain;       /* the cluster's name server and domain; dns NULL: none */
	const char *dns_link;           /* NULL: coracle-dns */
};
int node_services_start(struct loop *l, const struct node_services_options *o, struct node_services **ret, struct err *e);
/* Rules stay in the kernel. Suspends. NULL is fine. */
void node_services_stop_wait(struct node_services *s);
