/* SPDX-License-Identifier: Apache-2.0 */
/* The server: its rows, what it says of itself, names that must be unique. */
#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "cri/cri_int.h"
#include "store/kv.h"

#define API_VERSION "v1"
#define RUNTIME_VERSION "1.0.0"
#define POD_CIDR_KEY "cri/pod-cidr"

static int version(struct grpc_call *c, const void *request, void *reply, struct err *e)
{
	struct cri_version_response *p = reply;
	*p = (struct cri_version_response){ .version = "0.1.0", .runtime_name = "coracle", .runtime_version = RUNTIME_VERSION,
		.runtime_api_version = API_VERSION };
	return 0;
}

static int status(struct grpc_call *c, const void *request, void *reply, struct err *e)
{
	struct cri_status_response *p = reply;
	struct cri_runtime_status *s = p->status = arena_new(c->arena, struct cri_runtime_status);
	struct cri_runtime_condition *v = arena_array(c->arena, 2, sizeof *v);
	struct cri_runtime_handler *h = arena_array(c->arena, 1, sizeof *h);
	if (!s || !v || !h || !(h->features = arena_new(c->arena, struct cri_runtime_handler_features)) ||
	    !(p->features = arena_new(c->arena, struct cri_runtime_features)))
		return err_nomem(e);
	v[0] = (struct cri_runtime_condition){ .type = "RuntimeReady", .status = true };
	v[1] = (struct cri_runtime_condition){ .type = "NetworkReady", .status = true };
	s->conditions = v;
	s->n_conditions = 2;
	h->name = "";
	h->features->recursive_read_only_mounts = true;
	p->runtime_handlers = h;
	p->n_runtime_handlers = 1;
	p->features->supplemental_groups_policy = true;
	return 0;
}

static int runtime_config(struct grpc_call *c, const void *request, void *reply, struct err *e)
{
	struct cri_runtime_config_response *p = reply;
	p->linux = arena_new(c->arena, struct cri_linux_runtime_configuration);
	if (!p->linux)
		return err_nomem(e);
	p->linux->cgroup_driver = CRI_CGROUP_DRIVER_CGROUPFS;
	return 0;
}

static int update_runtime_config(struct grpc_call *c, const void *request, void *reply, struct err *e)
{
	const struct cri_update_runtime_config_request *q = request;
	struct cri *x = cri_of(c);
	const char *cidr = q->runtime_config && q->runtime_config->network_config ? q->runtime_config->network_config->pod_cidr : NULL;
	struct slice first, rest;
	if (!cidr || !*cidr)
		return 0;
	slice_cut(slice_of(cidr), ',', &first, &rest);
	struct net_cidr parsed;
	char text[sizeof x->pod_cidr];
	if (!fmt_into(text, sizeof text, "%.*s", SLICE_FMT(first)) || net_cidr_read(text, &parsed) < 0)
		return err_set(e, EINVAL, "pod CIDR \"%s\" is no subnet", cidr);
	if (!strcmp(text, x->pod_cidr))
		return 0;
	/* takes effect with the next network: one in use keeps its subnet. Kept, as the kubelet says it only once */
	int r = kv_put_wait(x->kv, POD_CIDR_KEY, slice_of(text), e);
	if (r == 0)
		fmt_into(x->pod_cidr, sizeof x->pod_cidr, "%s", text);
	return r;
}

#define METHODS(R, S) \
	R("RuntimeService/Version", version, version_request, version_response) \
	R("RuntimeService/Status", status, status_request, status_response) \
	R("RuntimeService/RuntimeConfig", runtime_config, runtime_config_request, runtime_config_response) \
	R("RuntimeService/UpdateRuntimeConfig", update_runtime_config, update_runtime_config_request, update_runtime_config_response) \
	R("RuntimeService/RunPodSandbox", cri_run_pod_sandbox, run_pod_sandbox_request, run_pod_sandbox_response) \
	R("RuntimeService/StopPodSandbox", cri_stop_pod_sandbox, stop_pod_sandbox_request, stop_pod_sandbox_response) \
	R("RuntimeService/RemovePodSandbox", cri_remove_pod_sandbox, remove_pod_sandbox_request, remove_pod_sandbox_response) \
	R("RuntimeService/PodSandboxStatus", cri_pod_sandbox_status, pod_sandbox_status_request, pod_sandbox_status_response) \
	R("RuntimeService/ListPodSandbox", cri_list_pod_sandbox, list_pod_sandbox_request, list_pod_sandbox_response) \
	R("RuntimeService/UpdatePodSandboxResources", cri_update_pod_sandbox_resources, update_pod_sandbox_resources_request, \
	  update_pod_sandbox_resources_response) \
	R("RuntimeService/CreateContainer", cri_create_container, create_container_request, create_container_response) \
	R("RuntimeService/StartContainer", cri_start_container, start_container_request, start_container_response) \
	R("RuntimeService/StopContainer", cri_stop_container, stop_container_request, stop_container_response) \
	R("RuntimeService/RemoveContainer", cri_remove_container, remove_container_request, remove_container_response) \
	R("RuntimeService/ContainerStatus", cri_container_status, container_status_request, container_status_response) \
	R("RuntimeService/ListContainers", cri_list_containers, list_containers_request, list_containers_response) \
	R("RuntimeService/UpdateContainerResources", cri_update_container_resources, update_container_resources_request, \
	  update_container_resources_response) \
	R("RuntimeService/ReopenContainerLog", cri_reopen_container_log, reopen_container_log_request, reopen_container_log_response) \
	R("RuntimeService/ExecSync", cri_exec_sync, exec_sync_request, exec_sync_response) \
	R("RuntimeService/Exec", cri_exec, exec_request, exec_response) \
	R("RuntimeService/Attach", cri_attach, attach_request, attach_response) \
	R("RuntimeService/PortForward", cri_port_forward, port_forward_request, port_forward_response) \
	R("RuntimeService/ContainerStats", cri_container_stats, container_stats_request, container_stats_response) \
	R("RuntimeService/ListContainerStats", cri_list_container_stats, list_container_stats_request, list_container_stats_response) \
	R("RuntimeService/PodSandboxStats", cri_pod_sandbox_stats, pod_sandbox_stats_request, pod_sandbox_stats_response) \
	R("RuntimeService/ListPodSandboxStats", cri_list_pod_sandbox_stats, list_pod_sandbox_stats_request, list_pod_sandbox_stats_response) \
	S("RuntimeService/StreamPodSandboxes", cri_stream_pod_sandboxes, stream_pod_sandboxes_request, stream_pod_sandboxes_response) \
	S("RuntimeService/StreamContainers", cri_stream_containers, stream_containers_request, stream_containers_response) \
	S("RuntimeService/StreamContainerStats", cri_stream_container_stats, stream_container_stats_request, stream_container_stats_response) \
	S("RuntimeService/StreamPodSandboxStats", cri_stream_pod_sandbox_stats, stream_pod_sandbox_stats_request, stream_pod_sandbox_stats_response) \
	S("RuntimeService/GetContainerEvents", cri_get_container_events, get_events_request, container_event_response) \
	R("ImageService/ListImages", cri_list_images, list_images_request, list_images_response) \
	S("ImageService/StreamImages", cri_stream_images, stream_images_request, stream_images_response) \
	R("ImageService/ImageStatus", cri_image_status, image_status_request, image_status_response) \
	R("ImageService/PullImage", cri_pull_image, pull_image_request, pull_image_response) \
	R("ImageService/RemoveImage", cri_remove_image, remove_image_request, remove_image_response) \
	R("ImageService/ImageFsInfo", cri_image_fs_info, image_fs_info_request, image_fs_info_response)

#define AS_UNARY(path, fn, in, out) { "/runtime.v1." path, T_cri_##in, T_cri_##out, .unary_wait = fn },
#define AS_STREAM(path, fn, in, out) { "/runtime.v1." path, T_cri_##in, T_cri_##out, .stream_wait = fn },

/* --- unique names: "what" and "name" as containerd words it */

int name_take(struct cri *x, const char *what, const char *name, const char *id, struct err *e)
{
	const char *owner = map_gets(&x->names, name);
	if (owner)
		return err_set(e, EEXIST, "failed to reserve %s name \"%s\": name \"%s\" is reserved for \"%s\"", what, name, name, owner);
	char *copy = strdup(id);
	if (!copy || map_sets(&x->names, name, copy) < 0) {
		free(copy);
		return err_nomem(e);
	}
	return 0;
}

void name_give(struct cri *x, const char *name)
{
	if (name)
		free(map_dels(&x->names, name));
}

const char *pod_sandbox_name(const struct cri_pod_sandbox_metadata *m, struct arena *a)
{
	return arena_fmt(a, "%s_%s_%s_%u", text_or(m->name, ""), text_or(m->namespace, ""), text_or(m->uid, ""), m->attempt);
}

const char *container_name(const struct cri_container_metadata *m, const struct cri_pod_sandbox_metadata *pod, struct arena *a)
{
	return arena_fmt(a, "%s_%s_%s_%s_%u", text_or(m->name, ""), text_or(pod->name, ""), text_or(pod->namespace, ""), text_or(pod->uid, ""),
			 m->attempt);
}

bool labels_match(const struct schema_pair *want, uint32_t n_want, const struct schema_pair *have, uint32_t n_have)
{
	for (uint32_t i = 0; i < n_want; i++) {
		const char *v = schema_pair_get(have, n_have, want[i].key);
		if (!v || strcmp(v, text_or(want[i].value, "")))
			return false;
	}
	return true;
}

/* --- life */

static void call_done(void *user, const char *path, enum grpc_code code, const struct err *e, int64_t duration_ns)
{
	struct cri *x = user;
	if (code != GRPC_OK && code != GRPC_NOT_FOUND && code != GRPC_CANCELLED)
		log_warn("call failed", "method=%s code=%d ms=%lld error=\"%s\"", path, code, (long long)(duration_ns / 1000000), e->text);
	else if (x->c.debug)
		log_debug("call", "method=%s code=%d us=%lld", path, code, (long long)(duration_ns / 1000));
}

/* An engine without CAP_SYS_RESOURCE (itself in a container) cannot protect a process more than it is protected. */
static int64_t oom_least(void)
{
	AUTO(buf) struct buf own = BUF_INIT(64);
	int64_t now = 0;
	if (file_read(AT_FDCWD, "/proc/self/oom_score_adj", &own) < 0)
		return -1000;
	struct slice text = slice_trim(buf_slice(&own));
	bool negative = slice_starts(text, "-");
	if (num_parse_i64(negative ? slice_n(text.ptr + 1, text.len - 1) : text, 0, 1000, &now) < 0)
		return -1000;
	now = negative ? -now : now;
	if (now > -1000 && file_poke(AT_FDCWD, "/proc/self/oom_score_adj", "-1000") < 0)
		return now;
	file_poke(AT_FDCWD, "/proc/self/oom_score_adj", own.ptr);
	return -1000;
}

int cri_open_wait(struct loop *l, const struct cri_config *c, struct cri **ret, struct err *e)
{
	const struct grpc_method methods[] = { METHODS(AS_UNARY, AS_STREAM) };
	struct cri *x = calloc(1, sizeof *x);
	struct grpc_method *rows = malloc(sizeof methods);
	if (!x || !rows) {
		free(x);
		free(rows);
		return err_nomem(e);
	}
	memcpy(rows, methods, sizeof methods);
	x->loop = l;
	x->c = *c;
	x->engine = c->engine;
	x->kv = engine_kv(c->engine);
	x->net = engine_net(c->engine);
	x->images = engine_images(c->engine);
	x->rows = rows;
	list_init(&x->sandboxes);
	list_init(&x->watchers);
	map_init(&x->names);
	fmutex_init(&x->network_lock);
	x->oom_least = oom_least();
	gethostname(x->hostname, sizeof x->hostname - 1);
	struct slice told = kv_get(x->kv, POD_CIDR_KEY);
	if (told.len && told.len < sizeof x->pod_cidr)
		fmt_into(x->pod_cidr, sizeof x->pod_cidr, "%.*s", SLICE_FMT(told));
	else
		fmt_into(x->pod_cidr, sizeof x->pod_cidr, "%s", text_or(c->pod_cidr, "10.244.0.0/24"));
	struct grpc_server_config g = { .methods = rows, .n_methods = ARRAY_LEN(methods), .user = x, .done = call_done };
	int r = sandboxes_load_wait(x, e);
	if (r == 0)
		r = streams_open(x, e);
	if (r == 0 && grpc_server_new(l, &g, &x->server) < 0)
		r = err_nomem(e);
	if (r < 0) {
		cri_free(x);
		return r;
	}
	events_open(x);
	*ret = x;
	return 0;
}

int cri_listen(struct cri *x, int fd, struct err *e) { return grpc_server_listen(x->server, fd, NULL, e); }

void cri_free(struct cri *x)
{
	if (!x)
		return;
	/* calls under way end with the process: their fibers may still hold x */
	grpc_server_free(take_ptr(x->server));
	streams_close(x);
	pod_listen(x->engine, NULL, NULL);
}
