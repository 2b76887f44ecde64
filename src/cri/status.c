/* SPDX-License-Identifier: Apache-2.0 */
/* Status and lists of sandboxes and containers. */
#include <errno.h>

#include "cri/cri_int.h"

#define NEW(type, ...) ({ type *new_ = arena_new(a, type); if (new_) *new_ = (type){ __VA_ARGS__ }; new_; })

/* Messages are encoded after the method has returned and perhaps suspended: what is not the call's own is copied. */
#define COPY(T, from) ({ __typeof__(*(from)) *copy_ = arena_new(a, __typeof__(*(from))); \
	copy_ && schema_copy(T, from, a, copy_) == 0 ? copy_ : NULL; })

static struct schema_pair *pairs(const struct schema_pair *v, uint32_t n, struct arena *a)
{
	struct schema_pair *p = arena_array(a, n, sizeof *p);
	for (uint32_t i = 0; p && i < n; i++)
		p[i] = (struct schema_pair){ arena_strdup(a, v[i].key), arena_strdup(a, v[i].value) };
	return p;
}

int info_fill(struct schema_ref t, const void *obj, struct arena *a, struct schema_pair **ret, uint32_t *n, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(8 << 20);
	int r = schema_to_json(t, obj, 0, &text);
	if (r < 0 || (r = buf_error(&text)) < 0)
		return err_sys(e, r, "what is known is too long to tell");
	*ret = arena_array(a, 1, sizeof **ret);
	if (!*ret)
		return err_nomem(e);
	**ret = (struct schema_pair){ "info", arena_dup(a, buf_slice(&text)) };
	*n = 1;
	return (*ret)->value ? 0 : err_nomem(e);
}

/* --- sandboxes */

static int32_t sandbox_state(const struct sandbox *s) { return s->rec.ready ? CRI_SANDBOX_READY : CRI_SANDBOX_NOTREADY; }

int sandbox_status_fill(struct cri *x, struct sandbox *s, struct arena *a, struct cri_pod_sandbox_status *ret, struct err *e)
{
	const struct cri_pod_sandbox_config *c = s->rec.config;
	*ret = (struct cri_pod_sandbox_status){ .id = arena_strdup(a, s->rec.id), .metadata = COPY(T_cri_pod_sandbox_metadata, c->metadata),
		.state = sandbox_state(s), .created_at = s->rec.created, .labels = pairs(c->labels, c->n_labels, a), .n_labels = c->n_labels,
		.annotations = pairs(c->annotations, c->n_annotations, a), .n_annotations = c->n_annotations,
		.runtime_handler = arena_strdup(a, s->rec.handler), .network = NEW(struct cri_pod_sandbox_network_status, .ip = arena_strdup(a, s->ip)),
		.linux = arena_new(a, struct cri_linux_pod_sandbox_status) };
	if (!ret->id || !ret->metadata || !ret->network || !ret->linux)
		return err_nomem(e);
	const struct cri_linux_sandbox_security_context *sc = c->linux ? c->linux->security_context : NULL;
	ret->linux->namespaces = arena_new(a, struct cri_namespace);
	if (!ret->linux->namespaces)
		return err_nomem(e);
	if (sc && sc->namespace_options) {
		ret->linux->namespaces->options = COPY(T_cri_namespace_option, sc->namespace_options);
		if (!ret->linux->namespaces->options)
			return err_nomem(e);
	} else {
		ret->linux->namespaces->options = NEW(struct cri_namespace_option, .pid = CRI_NAMESPACE_MODE_CONTAINER);
	}
	return 0;
}

/* Of a sandbox's containers, but its holder. */
static int statuses_of(struct cri *x, const struct sandbox *s, struct arena *a, struct cri_container_status **ret, uint32_t *ret_n, struct err *e)
{
	struct pod_view v;
	size_t pos = 0;
	uint32_t room = 0;
	while (pod_next(x->engine, &pos, &v))
		room += !strcmp(v.sandbox, s->rec.id);
	*ret = arena_array(a, room, sizeof **ret);
	*ret_n = 0;
	pos = 0;
	while (*ret && *ret_n < room && pod_next(x->engine, &pos, &v)) {
		if (strcmp(v.sandbox, s->rec.id) || (s->rec.holder && !strcmp(s->rec.holder, v.id)))
			continue;
		int r = container_status_fill(x, &v, a, &(*ret)[(*ret_n)++], e);
		if (r < 0)
			return r;
	}
	return *ret ? 0 : err_nomem(e);
}

UNARY(pod_sandbox_status)
{
	const struct cri_pod_sandbox_status_request *q = request;
	struct cri_pod_sandbox_status_response *p = reply;
	struct arena *a = c->arena;
	AUTO(sandbox) struct sandbox *s = NULL;
	int r = pod_sandbox_find(cri_of(c), q->pod_sandbox_id, &s, e);
	if (r < 0)
		return r;
	p->status = arena_new(a, struct cri_pod_sandbox_status);
	if (!p->status)
		return err_nomem(e);
	r = sandbox_status_fill(cri_of(c), s, a, p->status, e);
	if (r == 0)
		r = statuses_of(cri_of(c), s, a, &p->containers_statuses, &p->n_containers_statuses, e);
	p->timestamp = loop_realtime_ns(cri_of(c)->loop);
	if (r < 0 || !q->verbose)
		return r;
	struct pod_view v = { 0 };
	struct cri_sandbox_info info = { .process_status = s->rec.ready ? "running" : "deleted", .runtime_type = "coracle",
		.net_namespace = net_sandbox_path(cri_of(c)->net, s->rec.id), .config = s->rec.config,
		.cgroup_parent = s->rec.config->linux ? s->rec.config->linux->cgroup_parent : NULL };
	if (s->rec.holder && pod_get(cri_of(c)->engine, s->rec.holder, &v, NULL) == 0)
		info.pid = v.pid;
	return info_fill(T_cri_sandbox_info, &info, a, &p->info, &p->n_info, e);
}

static bool sandbox_wanted(const struct sandbox *s, const struct cri_pod_sandbox_filter *f)
{
	if (!f)
		return true;
	if (f->id && *f->id && strncmp(s->rec.id, f->id, strlen(f->id)))
		return false;
	if (f->state && f->state->state != sandbox_state(s))
		return false;
	return labels_match(f->label_selector, f->n_label_selector, s->rec.config->labels, s->rec.config->n_labels);
}

static int list_sandboxes(struct cri *x, const struct cri_pod_sandbox_filter *f, struct arena *a, struct cri_pod_sandbox **ret, uint32_t *ret_n,
			  struct err *e)
{
	struct sandbox *s;
	size_t room = 0;
	list_each(s, &x->sandboxes, node)
		room++;
	*ret = arena_array(a, room, sizeof **ret);
	*ret_n = 0;
	if (!*ret)
		return err_nomem(e);
	list_each(s, &x->sandboxes, node) {
		if (*ret_n >= room || !sandbox_wanted(s, f))
			continue;
		const struct cri_pod_sandbox_config *g = s->rec.config;
		struct cri_pod_sandbox *p = &(*ret)[(*ret_n)++];
		*p = (struct cri_pod_sandbox){ .id = arena_strdup(a, s->rec.id), .metadata = COPY(T_cri_pod_sandbox_metadata, g->metadata),
			.state = sandbox_state(s), .created_at = s->rec.created, .labels = pairs(g->labels, g->n_labels, a), .n_labels = g->n_labels,
			.annotations = pairs(g->annotations, g->n_annotations, a), .n_annotations = g->n_annotations,
			.runtime_handler = arena_strdup(a, s->rec.handler) };
		if (!p->id || !p->metadata)
			return err_nomem(e);
	}
	return 0;
}

UNARY(list_pod_sandbox)
{
	const struct cri_list_pod_sandbox_request *q = request;
	struct cri_list_pod_sandbox_response *p = reply;
	return list_sandboxes(cri_of(c), q->filter, c->arena, &p->items, &p->n_items, e);
}

STREAM(stream_pod_sandboxes)
{
	const struct cri_stream_pod_sandboxes_request *q = request;
	struct cri_stream_pod_sandboxes_response p = { 0 };
	int r = list_sandboxes(cri_of(c), q->filter, c->arena, &p.pod_sandboxes, &p.n_pod_sandboxes, e);
	return r < 0 ? r : grpc_send_wait(c, &p, e);
}

/* --- containers */

static int32_t container_state(const struct pod_view *v)
{
	return v->state == POD_RUNNING ? CRI_CONTAINER_RUNNING : v->state == POD_CREATED ? CRI_CONTAINER_CREATED : CRI_CONTAINER_EXITED;
}

/* What people know the image as: a tag, else what was asked for. image_ref: its repository digest, else the id. */
static void image_names(struct cri *x, const struct pod_view *v, const struct cri_container_record *rec, struct arena *a, const char **name, const char **ref)
{
	struct image_info i;
	*name = text_or(rec->config->image ? rec->config->image->user_specified_image : NULL, text_or(rec->image, v->image));
	*ref = v->image;
	if (cri_image_get(x, v->image, a, &i, NULL) < 0)
		return;
	if (i.n_repo_tags && (!rec->config->image || !rec->config->image->user_specified_image))
		*name = i.repo_tags[0];
	if (i.n_repo_digests)
		*ref = i.repo_digests[0];
}

static void ended(const struct pod_view *v, struct arena *a, struct cri_container_status *p)
{
	if (v->state != POD_EXITED)
		return;
	p->finished_at = v->finished_ns;
	p->exit_code = (int32_t)v->exit_code;
	if (!v->started_ns) {
		p->reason = "StartError";
		p->exit_code = 128;
		p->message = arena_strdup(a, v->error);
	} else {
		p->reason = v->oom ? "OOMKilled" : v->exit_code == 0 ? "Completed" : "Error";
	}
}

static struct cri_container_resources *resources_of(const struct docker_host_config *h, struct arena *a)
{
	struct cri_container_resources *p = arena_new(a, struct cri_container_resources);
	struct cri_linux_container_resources *l = arena_new(a, struct cri_linux_container_resources);
	if (!p || !l)
		return NULL;
	*l = (struct cri_linux_container_resources){ .cpu_period = h->cpu_period, .cpu_quota = h->cpu_quota, .cpu_shares = h->cpu_shares,
		.memory_limit_in_bytes = h->memory, .memory_swap_limit_in_bytes = h->memory_swap, .oom_score_adj = h->oom_score_adj,
		.cpuset_cpus = arena_strdup(a, h->cpuset_cpus), .cpuset_mems = arena_strdup(a, h->cpuset_mems) };
	p->linux = l;
	return p;
}

static struct cri_container_user *user_of(const struct pod_view *v, struct arena *a)
{
	struct cri_container_user *p = arena_new(a, struct cri_container_user);
	struct cri_linux_container_user *l = arena_new(a, struct cri_linux_container_user);
	if (!p || !l || !v->has_user)
		return NULL;
	*l = (struct cri_linux_container_user){ .uid = v->uid, .gid = v->gid, .supplemental_groups = arena_array(a, v->n_groups + 1, sizeof(int64_t)) };
	if (!l->supplemental_groups)
		return NULL;
	/* the kernel's list has the primary group in it, as the kubelet shows it */
	bool has_gid = false;
	for (uint32_t i = 0; i < v->n_groups; i++)
		has_gid = has_gid || v->groups[i] == v->gid;
	if (!has_gid)
		l->supplemental_groups[l->n_supplemental_groups++] = v->gid;
	for (uint32_t i = 0; i < v->n_groups; i++)
		l->supplemental_groups[l->n_supplemental_groups++] = v->groups[i];
	p->linux = l;
	return p;
}

int container_status_fill(struct cri *x, const struct pod_view *v, struct arena *a, struct cri_container_status *ret, struct err *e)
{
	struct cri_container_record rec;
	const char *name, *ref;
	int r = container_record(v, a, &rec, e);
	if (r < 0)
		return r;
	const struct cri_container_config *g = rec.config;
	image_names(x, v, &rec, a, &name, &ref);
	*ret = (struct cri_container_status){ .id = arena_strdup(a, v->id), .metadata = g->metadata, .state = container_state(v), .created_at = v->created_ns,
		.started_at = v->started_ns, .image_ref = arena_strdup(a, ref), .image_id = arena_strdup(a, v->image), .labels = g->labels,
		.n_labels = g->n_labels, .annotations = g->annotations, .n_annotations = g->n_annotations, .mounts = g->mounts, .n_mounts = g->n_mounts,
		.log_path = arena_strdup(a, v->log), .resources = resources_of(v->host, a),
		.image = NEW(struct cri_image_spec, .image = arena_strdup(a, name),
			.user_specified_image = g->image ? g->image->user_specified_image : NULL) };
	ret->user = user_of(v, a);
	ret->stop_signal = g->stop_signal;
	ended(v, a, ret);
	return ret->id && ret->image && ret->image_ref && ret->resources ? 0 : err_nomem(e);
}

UNARY(container_status)
{
	const struct cri_container_status_request *q = request;
	struct cri_container_status_response *p = reply;
	struct pod_view v;
	int r = pod_get(cri_of(c)->engine, text_or(q->container_id, ""), &v, e);
	if (r < 0)
		return r;
	p->status = arena_new(c->arena, struct cri_container_status);
	if (!p->status)
		return err_nomem(e);
	r = container_status_fill(cri_of(c), &v, c->arena, p->status, e);
	if (r < 0 || !q->verbose)
		return r;
	struct cri_container_record rec;
	r = container_record(&v, c->arena, &rec, e);
	struct cri_container_info info = { .sandbox_id = v.sandbox, .pid = v.pid, .runtime_type = "coracle", .log_path = v.log, .config = rec.config };
	return r < 0 ? r : info_fill(T_cri_container_info, &info, c->arena, &p->info, &p->n_info, e);
}

static bool container_wanted(const struct pod_view *v, const struct cri_container_record *rec, const struct cri_container_filter *f)
{
	if (rec->holder)
		return false;
	if (!f)
		return true;
	if (f->id && *f->id && strncmp(v->id, f->id, strlen(f->id)))
		return false;
	if (f->pod_sandbox_id && *f->pod_sandbox_id && strncmp(v->sandbox, f->pod_sandbox_id, strlen(f->pod_sandbox_id)))
		return false;
	if (f->state && f->state->state != container_state(v))
		return false;
	return labels_match(f->label_selector, f->n_label_selector, rec->config->labels, rec->config->n_labels);
}

static int list_containers(struct cri *x, const struct cri_container_filter *f, struct arena *a, struct cri_container **ret, uint32_t *ret_n,
			   struct err *e)
{
	struct pod_view v;
	size_t pos = 0;
	uint32_t room = 0;
	while (pod_next(x->engine, &pos, &v))
		room++;
	*ret = arena_array(a, room, sizeof **ret);
	*ret_n = 0;
	if (!*ret)
		return err_nomem(e);
	pos = 0;
	while (*ret_n < room && pod_next(x->engine, &pos, &v)) {
		struct cri_container_record rec;
		if (container_record(&v, a, &rec, NULL) < 0 || !container_wanted(&v, &rec, f))
			continue;
		struct cri_container *p = &(*ret)[(*ret_n)++];
		*p = (struct cri_container){ .id = arena_strdup(a, v.id), .pod_sandbox_id = arena_strdup(a, v.sandbox), .metadata = rec.config->metadata,
			.image = NEW(struct cri_image_spec, .image = arena_strdup(a, rec.image),
				.user_specified_image = rec.config->image ? rec.config->image->user_specified_image : NULL),
			.image_ref = arena_strdup(a, v.image), .image_id = arena_strdup(a, v.image), .state = container_state(&v),
			.created_at = v.created_ns, .labels = rec.config->labels, .n_labels = rec.config->n_labels,
			.annotations = rec.config->annotations, .n_annotations = rec.config->n_annotations };
		if (!p->id || !p->image || !p->image_ref)
			return err_nomem(e);
	}
	return 0;
}

UNARY(list_containers)
{
	const struct cri_list_containers_request *q = request;
	struct cri_list_containers_response *p = reply;
	return list_containers(cri_of(c), q->filter, c->arena, &p->containers, &p->n_containers, e);
}

STREAM(stream_containers)
{
	const struct cri_stream_containers_request *q = request;
	struct cri_stream_containers_response p = { 0 };
	int r = list_containers(cri_of(c), q->filter, c->arena, &p.containers, &p.n_containers, e);
	return r < 0 ? r : grpc_send_wait(c, &p, e);
}
