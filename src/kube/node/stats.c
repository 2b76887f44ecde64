/* SPDX-License-Identifier: Apache-2.0 */
/* What pods and the node use: /stats/summary, /metrics/resource (what metrics-server reads), /metrics. */
#include <errno.h>
#include <stdio.h>

#include "api/kubelet.h"
#include "base/clock.h"
#include "kube/node/register.h"
#include "kube/node/server.h"

struct stats {
	struct node *n;
	struct arena *a;
	struct cri_list_container_stats_response containers;
	struct cri_list_pod_sandbox_stats_response boxes;
	struct node_facts facts;
};

static const char *time_text(struct arena *a, int64_t ns)
{
	char text[CLOCK_TEXT_MAX];
	clock_rfc3339(text, ns);
	return arena_strdup(a, text);
}

static uint64_t *u64(struct arena *a, const struct cri_u_int64_value *v)
{
	uint64_t *p = v ? arena_new(a, uint64_t) : NULL;
	if (p)
		*p = v->value;
	return p;
}

static uint64_t *u64_of(struct arena *a, uint64_t v)
{
	uint64_t *p = arena_new(a, uint64_t);
	if (p)
		*p = v;
	return p;
}

static int read_facts(void *arg)
{
	struct stats *s = arg;
	facts_read(&s->facts, s->n->set.root);
	return 0;
}

static int read_wait(struct stats *s, struct err *e)
{
	struct cri_list_container_stats_request q = { 0 };
	struct cri_list_pod_sandbox_stats_request bq = { 0 };
	struct err why = { 0 };
	int r = s->n->rt->call_wait(s->n->rt, CRI_LIST_STATS, &q, s->a, &s->containers, 0, e);

	if (r < 0)
		return r;
	/* networks of pods; not every runtime has them */
	if (s->n->rt->call_wait(s->n->rt, CRI_LIST_SANDBOX_STATS, &bq, s->a, &s->boxes, 0, &why) < 0)
		s->boxes = (struct cri_list_pod_sandbox_stats_response){ 0 };
	job_wait(read_facts, s);
	return 0;
}

static const char *label(const struct cri_container_stats *c, const char *key)
{
	return c->attributes ? annotation(c->attributes->labels, c->attributes->n_labels, key) : "";
}

static struct kubelet_cpu_stats *cpu_of(struct stats *s, const struct cri_cpu_usage *u)
{
	struct kubelet_cpu_stats *c = u ? arena_new(s->a, struct kubelet_cpu_stats) : NULL;
	if (c)
		*c = (struct kubelet_cpu_stats){ .time = time_text(s->a, u->timestamp), .usage_nano_cores = u64(s->a, u->usage_nano_cores),
			.usage_core_nano_seconds = u64(s->a, u->usage_core_nano_seconds) };
	return c;
}

static struct kubelet_memory_stats *memory_of(struct stats *s, const struct cri_memory_usage *u)
{
	struct kubelet_memory_stats *m = u ? arena_new(s->a, struct kubelet_memory_stats) : NULL;
	if (m)
		*m = (struct kubelet_memory_stats){ .time = time_text(s->a, u->timestamp), .available_bytes = u64(s->a, u->available_bytes),
			.usage_bytes = u64(s->a, u->usage_bytes), .working_set_bytes = u64(s->a, u->working_set_bytes), .rss_bytes = u64(s->a, u->rss_bytes),
			.page_faults = u64(s->a, u->page_faults), .major_page_faults = u64(s->a, u->major_page_faults) };
	return m;
}

static struct kubelet_network_stats *network_of(struct stats *s, const char *uid)
{
	for (uint32_t i = 0; i < s->boxes.n_stats; i++) {
		const struct cri_pod_sandbox_stats *b = &s->boxes.stats[i];
		if (!b->attributes || strcmp(annotation(b->attributes->labels, b->attributes->n_labels, "io.kubernetes.pod.uid"), uid) || !b->linux ||
			!b->linux->network || !b->linux->network->default_interface)
			continue;
		const struct cri_network_interface_usage *x = b->linux->network->default_interface;
		struct kubelet_network_stats *n = arena_new(s->a, struct kubelet_network_stats);
		if (n)
			*n = (struct kubelet_network_stats){ .time = time_text(s->a, b->linux->network->timestamp), .name = x->name, .rx_bytes = u64(s->a, x->rx_bytes),
				.rx_errors = u64(s->a, x->rx_errors), .tx_bytes = u64(s->a, x->tx_bytes), .tx_errors = u64(s->a, x->tx_errors) };
		return n;
	}
	return NULL;
}

static void add(uint64_t **sum, const uint64_t *v, struct arena *a)
{
	if (v && (*sum || (*sum = arena_new(a, uint64_t))))
		**sum += *v;
}

static int pod_stats(struct stats *s, const struct pod_worker *w, struct kubelet_pod_stats *ret)
{
	const struct kube_object_meta *m = &worker_pod(w)->metadata;
	struct kubelet_cpu_stats *cpu = arena_new(s->a, struct kubelet_cpu_stats);
	struct kubelet_memory_stats *memory = arena_new(s->a, struct kubelet_memory_stats);

	*ret = (struct kubelet_pod_stats){ .pod_ref = { .name = m->name, .namespace = m->namespace, .uid = m->uid },
		.start_time = worker_pod(w)->status.start_time, .containers = arena_array(s->a, s->containers.n_stats + 1, sizeof *ret->containers),
		.network = network_of(s, m->uid), .cpu = cpu, .memory = memory };
	if (!cpu || !memory || !ret->containers)
		return -ENOMEM;
	cpu->time = memory->time = time_text(s->a, loop_realtime_ns(s->n->loop));
	for (uint32_t i = 0; i < s->containers.n_stats; i++) {
		const struct cri_container_stats *c = &s->containers.stats[i];
		if (strcmp(label(c, "io.kubernetes.pod.uid"), m->uid))
			continue;
		struct kubelet_container_stats *x = &ret->containers[ret->n_containers++];
		*x = (struct kubelet_container_stats){ .name = label(c, "io.kubernetes.container.name"), .start_time = ret->start_time,
			.cpu = cpu_of(s, c->cpu), .memory = memory_of(s, c->memory) };
		if (x->cpu) {
			add(&cpu->usage_nano_cores, x->cpu->usage_nano_cores, s->a);
			add(&cpu->usage_core_nano_seconds, x->cpu->usage_core_nano_seconds, s->a);
		}
		if (x->memory) {
			add(&memory->usage_bytes, x->memory->usage_bytes, s->a);
			add(&memory->working_set_bytes, x->memory->working_set_bytes, s->a);
			add(&memory->rss_bytes, x->memory->rss_bytes, s->a);
		}
		if (c->writable_layer && (x->rootfs = arena_new(s->a, struct kubelet_fs_stats)))
			*x->rootfs = (struct kubelet_fs_stats){ .time = time_text(s->a, c->writable_layer->timestamp), .used_bytes = u64(s->a, c->writable_layer->used_bytes),
				.inodes_used = u64(s->a, c->writable_layer->inodes_used) };
	}
	return 0;
}

static void node_stats(struct stats *s, struct kubelet_node_stats *ret)
{
	const struct node_facts *f = &s->facts;
	struct arena *a = s->a;
	const char *now = time_text(a, loop_realtime_ns(s->n->loop));

	*ret = (struct kubelet_node_stats){ .node_name = s->n->set.name, .start_time = now, .memory = arena_new(a, struct kubelet_memory_stats),
		.fs = arena_new(a, struct kubelet_fs_stats), .cpu = arena_new(a, struct kubelet_cpu_stats) };
	if (ret->memory)
		*ret->memory = (struct kubelet_memory_stats){ .time = now, .available_bytes = u64_of(a, (uint64_t)f->memory_free),
			.usage_bytes = u64_of(a, (uint64_t)(f->memory_bytes - f->memory_free)), .working_set_bytes = u64_of(a, (uint64_t)(f->memory_bytes - f->memory_free)) };
	if (ret->fs)
		*ret->fs = (struct kubelet_fs_stats){ .time = now, .available_bytes = u64_of(a, (uint64_t)f->disk_free),
			.capacity_bytes = u64_of(a, (uint64_t)f->disk_bytes), .used_bytes = u64_of(a, (uint64_t)(f->disk_bytes - f->disk_free)),
			.inodes = u64_of(a, (uint64_t)f->inodes), .inodes_free = u64_of(a, (uint64_t)f->inodes_free) };
	if (ret->cpu) {
		uint64_t jiffies[4] = { 0 };
		FILE *p = fopen("/proc/stat", "re");
		if (p && fscanf(p, "cpu %lu %lu %lu %lu", &jiffies[0], &jiffies[1], &jiffies[2], &jiffies[3]) < 3)
			jiffies[0] = 0;
		if (p)
			fclose(p);
		*ret->cpu = (struct kubelet_cpu_stats){ .time = now, .usage_core_nano_seconds = u64_of(a, (jiffies[0] + jiffies[1] + jiffies[2]) * 10000000) };
	}
}

int stats_summary_wait(struct http_request *r, struct err *e)
{
	struct node *n = server_node(r);
	struct stats s = { .n = n, .a = r->arena };
	struct kubelet_summary sum = { 0 };
	AUTO(buf) struct buf out = BUF_INIT(32 << 20);
	struct pod_worker *w;
	int rc = read_wait(&s, e);

	if (rc < 0)
		return rc;
	size_t count = n->by_uid.n;
	sum.pods = arena_array(r->arena, count + 1, sizeof *sum.pods);
	if (!sum.pods)
		return err_nomem(e);
	node_stats(&s, &sum.node);
	list_each(w, &n->workers, node)
		if (w->state <= WORKER_TERMINATING && sum.n_pods < count && pod_stats(&s, w, &sum.pods[sum.n_pods]) == 0)
			sum.n_pods++;
	schema_to_json(T_kubelet_summary, &sum, 0, &out);
	return http_reply(r, 200, "application/json", buf_slice(&out));
}

int stats_resource_wait(struct http_request *r, struct err *e)
{
	struct node *n = server_node(r);
	struct stats s = { .n = n, .a = r->arena };
	struct kubelet_node_stats node;
	AUTO(buf) struct buf out = BUF_INIT(16 << 20);
	int rc = read_wait(&s, e);

	if (rc < 0)
		return rc;
	node_stats(&s, &node);
	buf_adds(&out, "# HELP node_cpu_usage_seconds_total Cumulative cpu time consumed by the node in core-seconds\n# TYPE node_cpu_usage_seconds_total counter\n");
	if (node.cpu)
		buf_addf(&out, "node_cpu_usage_seconds_total %.9f\n", (double)*node.cpu->usage_core_nano_seconds / 1e9);
	buf_adds(&out, "# HELP node_memory_working_set_bytes Current working set of the node in bytes\n# TYPE node_memory_working_set_bytes gauge\n");
	if (node.memory)
		buf_addf(&out, "node_memory_working_set_bytes %llu\n", (unsigned long long)*node.memory->working_set_bytes);
	static const struct { const char *name, *type, *help; } rows[] = {
		{ "container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the container in core-seconds" },
		{ "container_memory_working_set_bytes", "gauge", "Current working set of the container in bytes" },
	};
	for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
		buf_addf(&out, "# HELP %s %s\n# TYPE %s %s\n", rows[k].name, rows[k].help, rows[k].name, rows[k].type);
		for (uint32_t i = 0; i < s.containers.n_stats; i++) {
			const struct cri_container_stats *c = &s.containers.stats[i];
			const struct cri_u_int64_value *v = k ? (c->memory ? c->memory->working_set_bytes : NULL) : c->cpu ? c->cpu->usage_core_nano_seconds : NULL;
			if (!v)
				continue;
			buf_addf(&out, "%s{container=\"%s\",namespace=\"%s\",pod=\"%s\"} ", rows[k].name, label(c, "io.kubernetes.container.name"),
				label(c, "io.kubernetes.pod.namespace"), label(c, "io.kubernetes.pod.name"));
			if (k)
				buf_addf(&out, "%llu\n", (unsigned long long)v->value);
			else
				buf_addf(&out, "%.9f\n", (double)v->value / 1e9);
		}
	}
	return http_reply(r, 200, "text/plain; version=0.0.4; charset=utf-8", buf_slice(&out));
}

int stats_metrics_wait(struct http_request *r, struct err *e)
{
	struct node *n = server_node(r);
	unsigned pods = 0, running = 0;
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);
	struct pod_worker *w;

	list_each(w, &n->workers, node) {
		pods += w->state <= WORKER_TERMINATING;
		for (uint32_t i = 0; i < w->observed.n_containers; i++)
			running += cri_is_running(&w->observed.containers[i]);
	}
	buf_addf(&out, "# HELP kubelet_node_name The node's name. The count is always 1.\n# TYPE kubelet_node_name gauge\nkubelet_node_name{node=\"%s\"} 1\n",
		n->set.name);
	buf_addf(&out, "# HELP kubelet_running_pods Number of pods that have a running pod sandbox\n# TYPE kubelet_running_pods gauge\nkubelet_running_pods %u\n", pods);
	buf_addf(&out, "# HELP kubelet_running_containers Number of containers currently running\n# TYPE kubelet_running_containers gauge\n"
		"kubelet_running_containers{container_state=\"running\"} %u\n", running);
	return http_reply(r, 200, "text/plain; version=0.0.4; charset=utf-8", buf_slice(&out));
}
