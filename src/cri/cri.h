/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container runtime interface v1 (runtime.v1.RuntimeService and
 * ImageService) on the engine: methods are rows, each turns a request into calls
 * of engine/pod.h, net and image. The kubelet and crictl are its clients.
 *
 * A sandbox is a record (kv "sandbox/ID"), a network namespace of net/ on the
 * pods' own bridge, and what engine/pod.h keeps for it; no process runs for it
 * unless its containers share a process namespace. Its life:
 *
 *   run ──▶ READY ──stop, or a boot──▶ NOTREADY ──remove──▶ gone
 *
 * Errors carry containerd's wording where clients match it.
 */
#pragma once
#include "engine/engine.h"

struct cri;
struct cri_config {
	struct engine *engine;
	const char *run;                   /* RUN, for what pods share */
	const char *pod_cidr;              /* subnet of the pods of this machine; NULL: 10.244.0.0/24 */
	const char *pod_bridge;            /* NULL: coracle-pods */
	const char *cgroup_parent;         /* of pods that name none; NULL: the engine's */
	bool debug;                        /* each call is logged */
};
/* Loads sandboxes and compares them with what is there. c's strings outlive it. Suspends. */
int cri_open_wait(struct loop *l, const struct cri_config *c, struct cri **ret, struct err *e);
/* Serves a listening socket (taken). */
int cri_listen(struct cri *x, int fd, struct err *e);
/* For `down`, after the engine has stopped all containers: every sandbox loses its network and becomes NOTREADY. */
void cri_down_wait(struct cri *x);
void cri_free(struct cri *x);
