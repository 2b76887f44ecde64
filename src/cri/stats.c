/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of containers and pods, from the shims' cgroups and the sandboxes' interfaces. */
#include <errno.h>

#include "api/shim.h"
#include "cri/cri_int.h"

#define VALUE(n) ({ struct cri_u_int64_value *v_ = arena_new(a, struct cri_u_int64_value); if (v_) v_->value = (n); v_; })

static uint64_t counter(const struct shim_stats *s, const char *key, const char *other)
{
	uint64_t found = 0;
	for (uint32_t i = 0; i < s->n_memory_stat; i++)
		if (!strcmp(s->memory_stat[i].key, key) || (other && !strcmp(s->memory_stat[i].key, other)))
			found = s->memory_stat[i].value;
	return found;
}

static struct cri_cpu_usage *cpu_of(uint64_t ns, int64_t now, struct arena *a)
{
	struct cri_cpu_usage *p = arena_new(a, struct cri_cpu_usage);
	if (p)
		*p = (struct cri_cpu_usage){ .timestamp = now, .usage_core_nano_seconds = VALUE(ns) };
	return p;
}

struct memory { uint64_t usage, working_set, rss, faults, major, limit; };

static void memory_read(const struct shim_stats *s, struct memory *m)
{
	uint64_t inactive = counter(s, "total_inactive_file", s->is_v2 ? "inactive_file" : NULL);
	*m = (struct memory){ .usage = s->memory_usage, .rss = counter(s, s->is_v2 ? "anon" : "total_rss", NULL),
		.faults = counter(s, s->is_v2 ? "pgfault" : "total_pgfault", NULL), .major = counter(s, s->is_v2 ? "pgmajfault" : "total_pgmajfault", NULL),
		.limit = s->memory_limit ? *s->memory_limit : 0 };
	m->working_set = m->usage > inactive ? m->usage - inactive : 0;
}

static struct cri_memory_usage *memory_of(const struct memory *m, int64_t now, struct arena *a)
{
	struct cri_memory_usage *p = arena_new(a, struct cri_memory_usage);
	if (!p)
		return NULL;
	*p = (struct cri_memory_usage){ .timestamp = now, .working_set_bytes = VALUE(m->working_set), .usage_bytes = VALUE(m->usage), .rss_bytes = VALUE(m->rss),
		.page_faults = VALUE(m->faults), .major_page_faults = VALUE(m->major),
		.available_bytes = VALUE(m->limit && m->limit < 1ULL << 60 && m->limit > m->working_set ? m->limit - m->working_set : 0) };
	return p;
}

/* What a container's numbers add to its pod's. */
struct sum { uint64_t cpu_ns, pids; struct memory memory; };

static int container_fill_wait(struct cri *x, const char *id, struct arena *a, struct cri_container_stats *ret, struct sum *sum, struct err *e)
{
	struct pod_view v;
	struct cri_container_record rec;
	struct shim_stats *s = NULL;
	int r = pod_get(x->engine, id, &v, e);
	if (r == 0)
		r = container_record(&v, a, &rec, e);
	if (r < 0)
		return r;
	const struct cri_container_config *g = rec.config;
	ret->attributes = arena_new(a, struct cri_container_attributes);
	if (!ret->attributes)
		return err_nomem(e);
	*ret->attributes = (struct cri_container_attributes){ .id = arena_strdup(a, v.id), .metadata = g->metadata, .labels = g->labels,
		.n_labels = g->n_labels, .annotations = g->annotations, .n_annotations = g->n_annotations };
	if (v.state == POD_RUNNING)
		pod_stats_wait(x->engine, ret->attributes->id, a, &s, NULL);
	int64_t now = loop_realtime_ns(x->loop);
	struct memory m = { 0 };
	if (s) {
		memory_read(s, &m);
		ret->cpu = cpu_of(s->cpu_usage_ns, now, a);
		ret->memory = memory_of(&m, now, a);
		/* v1 counts memory and swap together */
		uint64_t swap = s->is_v2 ? s->swap_usage : s->swap_usage > s->memory_usage ? s->swap_usage - s->memory_usage : 0;
		ret->swap = arena_new(a, struct cri_swap_usage);
		if (ret->swap)
			*ret->swap = (struct cri_swap_usage){ .timestamp = now, .swap_usage_bytes = VALUE(swap) };
	} else {
		ret->cpu = cpu_of(0, now, a);
		ret->memory = memory_of(&m, now, a);
	}
	if (sum && s) {
		sum->cpu_ns += s->cpu_usage_ns;
		sum->pids += s->pids_current;
		sum->memory.usage += m.usage;
		sum->memory.working_set += m.working_set;
		sum->memory.rss += m.rss;
		sum->memory.faults += m.faults;
		sum->memory.major += m.major;
	}
	uint64_t bytes = 0, inodes = 0;
	if (pod_disk_wait(x->engine, ret->attributes->id, &bytes, &inodes) == 0) {
		ret->writable_layer = arena_new(a, struct cri_filesystem_usage);
		if (!ret->writable_layer || !(ret->writable_layer->fs_id = arena_new(a, struct cri_filesystem_identifier)))
			return err_nomem(e);
		ret->writable_layer->timestamp = now;
		ret->writable_layer->fs_id->mountpoint = arena_fmt(a, "%s/engine/containers", engine_root(x->engine));
		ret->writable_layer->used_bytes = VALUE(bytes);
		ret->writable_layer->inodes_used = VALUE(inodes);
	}
	return ret->cpu && ret->memory ? 0 : err_nomem(e);
}

UNARY(container_stats)
{
	const struct cri_container_stats_request *q = request;
	struct cri_container_stats_response *p = reply;
	p->stats = arena_new(c->arena, struct cri_container_stats);
	return p->stats ? container_fill_wait(cri_of(c), text_or(q->container_id, ""), c->arena, p->stats, NULL, e) : err_nomem(e);
}

/* Ids of those that a filter wants: numbers are asked for afterwards, one by one. */
static int wanted(struct cri *x, const struct cri_container_stats_filter *f, struct arena *a, const char ***ret, uint32_t *n, struct err *e)
{
	struct pod_view v;
	size_t pos = 0, room = 0;
	while (pod_next(x->engine, &pos, &v))
		room++;
	*ret = arena_array(a, room, sizeof **ret);
	*n = 0;
	if (!*ret)
		return err_nomem(e);
	pos = 0;
	while (*n < room && pod_next(x->engine, &pos, &v)) {
		struct cri_container_record rec;
		if (container_record(&v, a, &rec, NULL) < 0 || rec.holder)
			continue;
		if (f && f->id && *f->id && strncmp(v.id, f->id, strlen(f->id)))
			continue;
		if (f && f->pod_sandbox_id && *f->pod_sandbox_id && strncmp(v.sandbox, f->pod_sandbox_id, strlen(f->pod_sandbox_id)))
			continue;
		if (f && !labels_match(f->label_selector, f->n_label_selector, rec.config->labels, rec.config->n_labels))
			continue;
		if (!((*ret)[(*n)++] = arena_strdup(a, v.id)))
			return err_nomem(e);
	}
	return 0;
}

static int list_wait(struct cri *x, const struct cri_container_stats_filter *f, struct arena *a, struct cri_container_stats **ret, uint32_t *ret_n,
		     struct sum *sum, struct err *e)
{
	const char **ids;
	uint32_t n;
	int r = wanted(x, f, a, &ids, &n, e);
	if (r < 0)
		return r;
	*ret = arena_array(a, n, sizeof **ret);
	*ret_n = 0;
	if (!*ret)
		return err_nomem(e);
	for (uint32_t i = 0; i < n; i++) {
		r = container_fill_wait(x, ids[i], a, &(*ret)[*ret_n], sum, e);
		if (r < 0 && r != -ENOENT)
			return r;
		*ret_n += r == 0;
	}
	return 0;
}

UNARY(list_container_stats)
{
	const struct cri_list_container_stats_request *q = request;
	struct cri_list_container_stats_response *p = reply;
	return list_wait(cri_of(c), q->filter, c->arena, &p->stats, &p->n_stats, NULL, e);
}

STREAM(stream_container_stats)
{
	const struct cri_stream_container_stats_request *q = request;
	struct cri_stream_container_stats_response p = { 0 };
	int r = list_wait(cri_of(c), q->filter, c->arena, &p.container_stats, &p.n_container_stats, NULL, e);
	return r < 0 ? r : grpc_send_wait(c, &p, e);
}

/* --- pods */

static int network_wait(struct cri *x, const char *id, struct arena *a, struct cri_network_usage **ret, struct err *e)
{
	struct net_interface_stats *v;
	uint32_t n = 0;
	if (net_stats_wait(x->net, id, a, &v, &n) < 0 || !n)
		return 0;
	struct cri_network_usage *p = *ret = arena_new(a, struct cri_network_usage);
	struct cri_network_interface_usage *i = arena_array(a, n, sizeof *i);
	if (!p || !i)
		return err_nomem(e);
	for (uint32_t k = 0; k < n; k++)
		i[k] = (struct cri_network_interface_usage){ .name = arena_strdup(a, v[k].name), .rx_bytes = VALUE(v[k].rx_bytes),
			.rx_errors = VALUE(v[k].rx_errors), .tx_bytes = VALUE(v[k].tx_bytes), .tx_errors = VALUE(v[k].tx_errors) };
	*p = (struct cri_network_usage){ .timestamp = loop_realtime_ns(x->loop), .default_interface = i, .interfaces = i + 1, .n_interfaces = n - 1 };
	return 0;
}

static int pod_fill_wait(struct cri *x, struct sandbox *s, struct arena *a, struct cri_pod_sandbox_stats *ret, struct err *e)
{
	struct cri_container_stats_filter f = { .pod_sandbox_id = s->rec.id };
	struct sum sum = { 0 };
	struct cri_linux_pod_sandbox_stats *l = ret->linux = arena_new(a, struct cri_linux_pod_sandbox_stats);
	ret->attributes = arena_new(a, struct cri_pod_sandbox_attributes);
	struct cri_pod_sandbox_config *g = arena_new(a, struct cri_pod_sandbox_config);
	if (!l || !ret->attributes || !g || schema_copy(T_cri_pod_sandbox_config, s->rec.config, a, g) < 0)
		return err_nomem(e);
	*ret->attributes = (struct cri_pod_sandbox_attributes){ .id = arena_strdup(a, s->rec.id), .metadata = g->metadata, .labels = g->labels,
		.n_labels = g->n_labels, .annotations = g->annotations, .n_annotations = g->n_annotations };
	int r = list_wait(x, &f, a, &l->containers, &l->n_containers, &sum, e);
	if (r == 0)
		r = network_wait(x, s->rec.id, a, &l->network, e);
	if (r < 0)
		return r;
	int64_t now = loop_realtime_ns(x->loop);
	l->cpu = cpu_of(sum.cpu_ns, now, a);
	l->memory = memory_of(&sum.memory, now, a);
	l->process = arena_new(a, struct cri_process_usage);
	if (!l->cpu || !l->memory || !l->process)
		return err_nomem(e);
	*l->process = (struct cri_process_usage){ .timestamp = now, .process_count = VALUE(sum.pids) };
	return 0;
}

UNARY(pod_sandbox_stats)
{
	const struct cri_pod_sandbox_stats_request *q = request;
	struct cri_pod_sandbox_stats_response *p = reply;
	AUTO(sandbox) struct sandbox *s = NULL;
	int r = pod_sandbox_find(cri_of(c), q->pod_sandbox_id, &s, e);
	if (r < 0)
		return r;
	p->stats = arena_new(c->arena, struct cri_pod_sandbox_stats);
	return p->stats ? pod_fill_wait(cri_of(c), s, c->arena, p->stats, e) : err_nomem(e);
}

static int pods_wait(struct cri *x, const struct cri_pod_sandbox_stats_filter *f, struct arena *a, struct cri_pod_sandbox_stats **ret,
		     uint32_t *ret_n, struct err *e)
{
	VEC(struct sandbox *) v = { 0 };
	struct sandbox *s;
	int r = 0;
	list_each(s, &x->sandboxes, node) {
		if (!s->rec.ready || (f && f->id && *f->id && strncmp(s->rec.id, f->id, strlen(f->id))) ||
		    (f && !labels_match(f->label_selector, f->n_label_selector, s->rec.config->labels, s->rec.config->n_labels)))
			continue;
		if (vec_push(&v, s) == 0)
			sandbox_ref(s);
	}
	*ret = arena_array(a, v.n, sizeof **ret);
	*ret_n = 0;
	if (!*ret)
		r = err_nomem(e);
	for (size_t i = 0; i < v.n; i++) {
		if (r == 0 && !v.v[i]->is_gone)
			r = pod_fill_wait(x, v.v[i], a, &(*ret)[(*ret_n)++], e);
		sandbox_unref(v.v[i]);
	}
	vec_release(&v);
	return r;
}

UNARY(list_pod_sandbox_stats)
{
	const struct cri_list_pod_sandbox_stats_request *q = request;
	struct cri_list_pod_sandbox_stats_response *p = reply;
	return pods_wait(cri_of(c), q->filter, c->arena, &p->stats, &p->n_stats, e);
}

STREAM(stream_pod_sandbox_stats)
{
	const struct cri_stream_pod_sandbox_stats_request *q = request;
	struct cri_stream_pod_sandbox_stats_response p = { 0 };
	int r = pods_wait(cri_of(c), q->filter, c->arena, &p.pod_sandbox_stats, &p.n_pod_sandbox_stats, e);
	return r < 0 ? r : grpc_send_wait(c, &p, e);
}
