/* SPDX-License-Identifier: Apache-2.0 */
/* What runs beside the kubelet in its process: the service proxy. */
#pragma once
#include "base/err.h"

struct loop;
struct node_services;
struct node_services_options {
	const char *kubeconfig;         /* of system:kube-proxy */
	const char *node_name;
	const char *table;              /* nftables table; NULL: coracle_node */
};
int node_services_start(struct loop *l, const struct node_services_options *o, struct node_services **ret, struct err *e);
/* Rules stay in the kernel. Suspends. NULL is fine. */
void node_services_stop_wait(struct node_services *s);
