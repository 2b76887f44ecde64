/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam to a container runtime: CRI v1, one row a method. What fills it is
 * gRPC over a socket (runtime.c), to our engine or to containerd alike, or a
 * double in tests. Requests and replies are the messages of api/cri.
 */
#pragma once
#include "api/cri/enums.h"
#include "api/cri.h"
#include "base/arena.h"
#include "base/err.h"
#include "io/loop.h"

enum node_method {
	CRI_VERSION, CRI_STATUS, CRI_UPDATE_CONFIG, CRI_RUN_SANDBOX, CRI_STOP_SANDBOX, CRI_REMOVE_SANDBOX, CRI_SANDBOX_STATUS,
	CRI_LIST_SANDBOXES, CRI_CREATE, CRI_START, CRI_STOP, CRI_REMOVE, CRI_LIST, CRI_CONTAINER_STATUS, CRI_UPDATE_RESOURCES,
	CRI_REOPEN_LOG, CRI_EXEC_SYNC, CRI_EXEC, CRI_ATTACH, CRI_PORT_FORWARD, CRI_LIST_STATS, CRI_LIST_SANDBOX_STATS,
	CRI_LIST_IMAGES, CRI_IMAGE_STATUS, CRI_PULL, CRI_REMOVE_IMAGE, CRI_IMAGE_FS, CRI_METHODS
};
struct node_method_row {
	const char *path;              /* "/runtime.v1.RuntimeService/Version" */
	struct schema_ref request, reply;
	unsigned timeout_s;            /* how long an answer may take; 0: for ever */
};
extern const struct node_method_row node_methods[CRI_METHODS];

struct node_runtime {
	/* reply lives in a. timeout_ns 0: the row's. -ENOENT NotFound, -EHOSTDOWN nobody there, … as grpc_unary_wait. */
	int (*call_wait)(struct node_runtime *rt, enum node_method m, const void *request, struct arena *a, void *reply, int64_t timeout_ns, struct err *e);
	/* Gives events to event() until the stream ends (0) or breaks. -ENOSYS or -EOPNOTSUPP from a runtime without them. */
	int (*events_wait)(struct node_runtime *rt, void (*event)(void *arg, const struct cri_container_event_response *ev), void *arg, struct err *e);
};

/* CRI over a Unix socket. Connects when first used. */
int node_runtime_new(struct loop *l, const char *socket_path, struct node_runtime **ret);
void node_runtime_free(struct node_runtime *rt);
