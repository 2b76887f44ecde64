/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod as an API server might send it, and lines of a log: what the node makes of them without asking anybody (soundness, plan, status,
 * sandbox, resources, names of images and fields). The second document is what the runtime has.
 */
#include "kube/node/server.h"
#include "split.h"

static const struct node_settings set = { .name = "n1", .hostname = "n1", .ip = "192.0.2.1", .pods_dir = "/p", .logs_dir = "/l", .seccomp_dir = "/s",
	.cluster_dns = "10.96.0.10", .cluster_domain = "cluster.local", .resolv_conf = "/dev/null", .memory_bytes = 1 << 30, .cpu_milli = 2000 };

static void look(const struct kube_pod *pod, struct pod_observed *o, struct arena *a)
{
	struct list memories;
	struct pod_view v = { .pod = pod, .observed = o, .now_ns = 1577836800000000000, .runtime_name = "cri", .host_ip = "192.0.2.1", .set = &set };
	struct pod_plan plan;
	struct kube_pod_status s;
	struct container_memory *m;
	struct err e;

	list_init(&memories);
	if (pod_containers(pod, o, &memories, a, &v.containers, &v.n_containers) == 0) {
		AUTO(buf) struct buf out = BUF_INIT(1 << 20);
		(void)plan_make(&v, a, &plan);
		if (status_make(&v, a, &s) == 0)
			(void)status_patch(pod, &s, a, &out, &e);
		v.is_terminated = true;
		(void)status_make(&v, a, &s);
	}
	list_each(m, &memories, node) {
		list_del(&m->node);
		free(m);
	}
}

static void configure(const struct kube_pod *pod, struct arena *a)
{
	struct config_in in = { .set = &set, .pod = pod, .pod_ip = "10.0.0.1" };
	struct cri_pod_sandbox_config config;
	struct cri_linux_container_resources r;
	const char *reason, *text;
	struct err e;

	(void)config_sandbox(&in, 0, a, &config, &e);
	(void)admit_pod(pod, &reason, &e);
	(void)pod_refers(pod, "secrets", "x");
	(void)volumes_are_live(pod);
	for (uint32_t i = 0; i < pod->spec.n_containers; i++) {
		const struct kube_container *c = &pod->spec.containers[i];
		config_resources(&set, pod, c, &r);
		for (uint32_t k = 0; k < c->n_env; k++) {
			const struct kube_env_var_source *s = c->env[k].value_from;
			(void)env_expand(a, c->env[k].value, NULL, 0);
			if (s && s->field_ref && s->field_ref->field_path)
				(void)field_value(&in, s->field_ref->field_path, a, &text, &e);
			if (s && s->resource_field_ref && s->resource_field_ref->resource)
				(void)resource_value(&in, c, s->resource_field_ref->resource, s->resource_field_ref->divisor, a, &text, &e);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_n(data, size), line;
	struct arena a;
	struct err e;
	struct kube_pod pod;
	struct log_line l;

	if (size > 1 << 14)
		return 0;
	while (slice_next(&rest, '\n', &line))
		(void)log_line_parse(line, &l);
	rest = slice_n(data, size);
	arena_init(&a, 64 << 20);
	struct tree x = next_tree(&rest, &a), y = next_tree(&rest, &a);
	struct pod_observed o = { 0 };
	struct cri_list_containers_response list = { 0 };
	if (tree_to_struct(&x, T_kube_pod, 0, &a, &pod, &e) == 0 && pod_is_sound(&pod, &e) == 0) {
		if (tree_to_struct(&y, T_cri_list_containers_response, 0, &a, &list, &e) == 0 && list.n_containers < 100) {
			o.containers = arena_array(&a, list.n_containers + 1, sizeof *o.containers);
			o.sandbox_of = arena_array(&a, list.n_containers + 1, sizeof *o.sandbox_of);
			for (uint32_t i = 0; i < list.n_containers; i++) {
				const struct cri_container *c = &list.containers[i];
				o.sandbox_of[i] = c->pod_sandbox_id;
				o.containers[i] = (struct cri_container_status){ .id = c->id ? c->id : "", .metadata = c->metadata, .state = c->state,
					.created_at = c->created_at, .annotations = c->annotations, .n_annotations = c->n_annotations };
			}
			o.n_containers = list.n_containers;
		}
		look(&pod, &o, &a);
		configure(&pod, &a);
	}
	arena_release(&a);
	return 0;
}
