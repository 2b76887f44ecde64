/* SPDX-License-Identifier: Apache-2.0 */
/* CRI over gRPC: the rows of its methods, and the seam filled with a connection. */
#include "kube/node/runtime.h"

#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/clock.h"
#include "http/grpc.h"

#define RUNTIME(name) "/runtime.v1.RuntimeService/" name
#define IMAGE(name) "/runtime.v1.ImageService/" name
#define TYPES(name) T_cri_##name##_request, T_cri_##name##_response

const struct node_method_row node_methods[CRI_METHODS] = {
	[CRI_VERSION] = { RUNTIME("Version"), TYPES(version), 10 },
	[CRI_STATUS] = { RUNTIME("Status"), TYPES(status), 10 },
	[CRI_UPDATE_CONFIG] = { RUNTIME("UpdateRuntimeConfig"), TYPES(update_runtime_config), 10 },
	[CRI_RUN_SANDBOX] = { RUNTIME("RunPodSandbox"), TYPES(run_pod_sandbox), 240 },
	[CRI_STOP_SANDBOX] = { RUNTIME("StopPodSandbox"), TYPES(stop_pod_sandbox), 120 },
	[CRI_REMOVE_SANDBOX] = { RUNTIME("RemovePodSandbox"), TYPES(remove_pod_sandbox), 120 },
	[CRI_SANDBOX_STATUS] = { RUNTIME("PodSandboxStatus"), TYPES(pod_sandbox_status), 30 },
	[CRI_LIST_SANDBOXES] = { RUNTIME("ListPodSandbox"), TYPES(list_pod_sandbox), 30 },
	[CRI_CREATE] = { RUNTIME("CreateContainer"), TYPES(create_container), 240 },
	[CRI_START] = { RUNTIME("StartContainer"), TYPES(start_container), 240 },
	[CRI_STOP] = { RUNTIME("StopContainer"), TYPES(stop_container), 120 },   /* and the grace */
	[CRI_REMOVE] = { RUNTIME("RemoveContainer"), TYPES(remove_container), 120 },
	[CRI_LIST] = { RUNTIME("ListContainers"), TYPES(list_containers), 30 },
	[CRI_CONTAINER_STATUS] = { RUNTIME("ContainerStatus"), TYPES(container_status), 30 },
	[CRI_UPDATE_RESOURCES] = { RUNTIME("UpdateContainerResources"), TYPES(update_container_resources), 30 },
	[CRI_REOPEN_LOG] = { RUNTIME("ReopenContainerLog"), TYPES(reopen_container_log), 30 },
	[CRI_EXEC_SYNC] = { RUNTIME("ExecSync"), TYPES(exec_sync), 0 },
	[CRI_EXEC] = { RUNTIME("Exec"), TYPES(exec), 30 },
	[CRI_ATTACH] = { RUNTIME("Attach"), TYPES(attach), 30 },
	[CRI_PORT_FORWARD] = { RUNTIME("PortForward"), TYPES(port_forward), 30 },
	[CRI_LIST_STATS] = { RUNTIME("ListContainerStats"), TYPES(list_container_stats), 30 },
	[CRI_LIST_SANDBOX_STATS] = { RUNTIME("ListPodSandboxStats"), TYPES(list_pod_sandbox_stats), 30 },
	[CRI_LIST_IMAGES] = { IMAGE("ListImages"), TYPES(list_images), 60 },
	[CRI_IMAGE_STATUS] = { IMAGE("ImageStatus"), TYPES(image_status), 60 },
	[CRI_PULL] = { IMAGE("PullImage"), TYPES(pull_image), 0 },
	[CRI_REMOVE_IMAGE] = { IMAGE("RemoveImage"), TYPES(remove_image), 120 },
	[CRI_IMAGE_FS] = { IMAGE("ImageFsInfo"), TYPES(image_fs_info), 30 },
};

struct remote_runtime {
	struct node_runtime rt;
	struct grpc_client *client;
};

static int call_wait(struct node_runtime *rt, enum node_method m, const void *request, struct arena *a, void *reply, int64_t timeout_ns, struct err *e)
{
	struct remote_runtime *x = container_of(rt, struct remote_runtime, rt);
	const struct node_method_row *row = &node_methods[m];

	return grpc_unary_wait(x->client, row->path, row->request, request, row->reply, a, reply,
		timeout_ns > 0 ? timeout_ns : row->timeout_s * NS_PER_S, e);
}

static int events_wait(struct node_runtime *rt, void (*event)(void *arg, const struct cri_container_event_response *ev), void *arg, struct err *e)
{
	struct remote_runtime *x = container_of(rt, struct remote_runtime, rt);
	AUTO(grpc_stream) struct grpc_stream *s = NULL;
	struct cri_get_events_request q = { 0 };
	int r = grpc_stream_call_wait(x->client, RUNTIME("GetContainerEvents"), T_cri_get_events_request, &q, 0, &s, e);

	while (r >= 0) {
		struct arena a;
		struct cri_container_event_response ev = { 0 };
		arena_init(&a, 8 << 20);
		r = grpc_stream_next_wait(s, T_cri_container_event_response, &a, &ev, e);
		if (r > 0)
			event(arg, &ev);
		arena_release(&a);
		if (r == 0)
			break;
	}
	return r;
}

int node_runtime_new(struct loop *l, const char *socket_path, struct node_runtime **ret)
{
	struct remote_runtime *x = calloc(1, sizeof *x);
	struct grpc_client_config c = { .unix_path = socket_path };
	int r = x ? grpc_client_new(l, &c, &x->client) : -ENOMEM;

	if (r < 0) {
		free(x);
		return r;
	}
	x->rt.call_wait = call_wait;
	x->rt.events_wait = events_wait;
	*ret = &x->rt;
	return 0;
}

void node_runtime_free(struct node_runtime *rt)
{
	if (!rt)
		return;
	struct remote_runtime *x = container_of(rt, struct remote_runtime, rt);
	grpc_client_free(x->client);
	free(x);
}
