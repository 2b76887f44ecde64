/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The controllers: each brings the world a little nearer to what one kind of
 * object says, reading informers and writing through kube/client. They run on
 * one loop, in process with the API server or anywhere else; nothing here is
 * kept but what the API holds, so they may be stopped at any instant.
 */
#pragma once
#include "kube/client/client.h"

struct control;
struct control_config {
	const char *root_ca_pem;            /* goes into every namespace as kube-root-ca.crt; NULL: not */
	const char *cluster_cidr;           /* pod addresses, a /24 of which each node gets ("10.244.0.0/16"); NULL: none are handed out */
	int64_t node_grace_ns;              /* without a lease or heartbeat for so long a node is Unknown; 0: 50 s */
	int64_t terminated_pods;            /* more finished pods than so many are removed, oldest first; 0: 12,500 */
	const char *const *only;            /* NULL-terminated names of the controllers to run; NULL: all */
};
/* Starts them; they begin to work when their caches are there. c and the strings of cfg must outlive it. */
int control_start(struct loop *l, struct kclient *c, const struct control_config *cfg, struct control **ret, struct err *e);
/* Their caches, for others on the same loop; they live as long as the controllers. */
struct informers *control_informers(struct control *c);
/* Stops them: what is under way ends on the loop soon after. NULL is fine. */
void control_free(struct control *c);
