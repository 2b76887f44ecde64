/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler: gives pods without a node one. It watches pods, nodes,
 * namespaces and claims through kube/client and writes bindings, conditions and
 * events back the same way; it lives on one loop beside the API server, or
 * wherever a client may be.
 *
 * A pod's way:
 *
 *   informer ─▶ active ──picked──▶ assumed ──bound──▶ (told back by the informer as assigned)
 *                 ▲  └─no node fits─▶ waiting ──something changed, or 5 min──▶ back-off ─┐
 *                 └────────────────────────────────────────────────────────────────────┘
 */
#pragma once
#include "kube/client/client.h"

struct sched;
struct sched_config {
	const char *name;               /* pods' spec.schedulerName; NULL: default-scheduler */
	struct informers *informers;    /* shared with others on this loop */
};
/* Starts; runs on kclient's loop until sched_stop. c and informers must outlive it. */
int sched_start(struct kclient *c, const struct sched_config *cfg, struct sched **ret, struct err *e);
void sched_stop(struct sched *s);
