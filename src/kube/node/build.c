/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doing what was planned for a pod: folders, volumes, sandbox, images,
 * containers, postStart hooks, one after another in a fiber that the worker
 * cancels when the pod is to end. What it leaves half done is seen by the next
 * look at the runtime; nothing here is remembered but waits.
 */
#include "kube/node/node_int.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"

enum { KEEP_DEAD = 1 };       /* containers that have ended, beside the newest */

struct build {
	struct pod_worker *w;
	struct kobject *pod;
	struct arena a;
	struct config_in in;
	bool replace_sandbox;
	uint32_t attempt;
	char **start, **resize;         /* names */
	unsigned n_start, n_resize;
};

/* What one start must know, copied: what was observed may be replaced while this fiber waits. */
struct start_facts {
	uint32_t attempt;
	const char *half_made;        /* id of a container that was created and never started */
	const char *target_id;
	bool has_ended;
	int64_t finished_ns;
	const char **old;             /* ids of containers nobody needs any more */
	unsigned n_old;
};

static const char *sandbox_id(struct build *b)
{
	const struct pod_observed *o = &b->w->observed;
	return o->n_sandboxes ? arena_strdup(&b->a, o->sandboxes[0].id) : NULL;
}

static void note_ip(struct build *b)
{
	const struct pod_observed *o = &b->w->observed;
	const struct cri_pod_sandbox_network_status *net = o->n_sandboxes ? o->sandboxes[0].network : NULL;
	uint32_t n = 0;

	if (pod_is_host_network(b->pod->obj)) {
		b->in.pod_ip = b->w->owner->set.ip;
		b->in.pod_ips = &b->in.pod_ip;
		b->in.n_pod_ips = 1;
		return;
	}
	b->in.pod_ip = "";
	b->in.n_pod_ips = 0;
	if (!net || !net->ip || !*net->ip)
		return;
	const char **v = arena_array(&b->a, net->n_additional_ips + 1, sizeof *v);
	if (!v)
		return;
	v[n++] = b->in.pod_ip = arena_strdup(&b->a, net->ip);
	for (uint32_t i = 0; i < net->n_additional_ips; i++)
		v[n++] = arena_strdup(&b->a, net->additional_ips[i].ip);
	b->in.pod_ips = v;
	b->in.n_pod_ips = n;
}

static void setup_failed(struct pod_worker *w)
{
	unsigned times = MIN(w->setup_retries, 5U);
	int64_t wait = NS_PER_S << times;

	w->setup_retries++;
	w->setup_retry_ns = loop_realtime_ns(w->owner->loop) + MIN(wait, 30 * NS_PER_S);
}

/* A call that makes something: it is waited for even when the pod is to end, so that what it makes is seen and taken away again. */
static int make_wait(struct build *b, enum node_method m, const void *q, void *p, struct err *e)
{
	struct pod_worker *w = b->w;
	struct node_runtime *rt = w->owner->rt;

	if (w->build_is_unwanted)
		return -ECANCELED;
	w->build_must_finish = true;
	int64_t began = clock_monotonic_ns();
	int r = rt->call_wait(rt, m, q, &b->a, p, 0, e);
	w->build_must_finish = false;
	log_debug("runtime has made something", "pod=%s method=%s us=%lld", w->key, node_methods[m].path, (long long)(clock_monotonic_ns() - began) / 1000);
	return w->build_is_unwanted ? -ECANCELED : r;
}

/* --- the sandbox --------------------------------------------------------------------------------------------- */

/* What the pod's RuntimeClass calls the runtime; "" for the usual one. */
static int handler_wait(struct build *b, const char **ret, struct err *e)
{
	const struct kube_pod *pod = b->pod->obj;
	struct node_api *api = b->w->owner->api;
	struct kube_runtime_class c = { 0 };

	*ret = "";
	if (!pod->spec.runtime_class_name || !*pod->spec.runtime_class_name)
		return 0;
	int r = api->get_wait(api, kube_resource_find("node.k8s.io", "v1", "runtimeclasses"), NULL, pod->spec.runtime_class_name, &b->a, &c, e);
	if (r >= 0 && c.handler)
		*ret = c.handler;
	return r;
}

static int sandbox_wait(struct build *b, struct err *e)
{
	struct pod_worker *w = b->w;
	struct node_runtime *rt = w->owner->rt;
	const struct kube_pod *pod = b->pod->obj;
	struct cri_pod_sandbox_config config;
	struct cri_run_pod_sandbox_request q = { .config = &config, .runtime_handler = "" };
	struct cri_run_pod_sandbox_response p = { 0 };
	int r = 0;

	if (b->attempt > 0) {
		worker_event(w, NULL, "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
		r = runtime_pod_stop_wait(rt, w->uid, pod_grace_s(pod), e);
		if (r < 0)
			return r;
	}
	r = config_sandbox(&b->in, b->attempt, &b->a, &config, e);
	if (r >= 0)
		r = handler_wait(b, &q.runtime_handler, e);
	if (r >= 0)
		r = make_wait(b, CRI_RUN_SANDBOX, &q, &p, e);
	if (r < 0 && r != -ECANCELED)
		worker_event(w, NULL, "Warning", "FailedCreatePodSandBox", "Failed to create pod sandbox: %s", e->text);
	return r;
}

/* --- one container ------------------------------------------------------------------------------------------- */

static uint32_t next_attempt(const struct kube_pod *pod, const struct pod_container *c)
{
	const struct kube_container_status *old = pod_old_status(pod, c);
	int64_t n = 0;

	if (c->now) {
		n = c->now->metadata ? c->now->metadata->attempt : 0;
		num_parse_i64(slice_of(annotation(c->now->annotations, c->now->n_annotations, "io.kubernetes.container.restartCount")), 0, INT32_MAX, &n);
		return (uint32_t)n + (c->now->state != CRI_CONTAINER_CREATED);
	}
	return old && old->container_id && *old->container_id ? (uint32_t)old->restart_count + 1 : 0;
}

static int facts_of(struct build *b, const struct pod_container *c, struct pod_container *all, unsigned n_all, struct start_facts *f)
{
	const struct pod_observed *o = &b->w->observed;
	unsigned dead = 0;

	*f = (struct start_facts){ .attempt = next_attempt(b->pod->obj, c), .old = arena_array(&b->a, o->n_containers + 1, sizeof *f->old) };
	if (!f->old)
		return -ENOMEM;
	if (c->now && c->now->state == CRI_CONTAINER_CREATED)
		f->half_made = arena_strdup(&b->a, c->now->id);
	f->has_ended = cri_has_ended(c->now);
	f->finished_ns = f->has_ended ? c->now->finished_at : 0;
	for (uint32_t i = 0; i < o->n_containers; i++) {
		const struct cri_container_status *s = &o->containers[i];
		if (cri_has_ended(s) && s->metadata && !strcmp(s->metadata->name, c->spec->name) && dead++ >= KEEP_DEAD)
			f->old[f->n_old++] = arena_strdup(&b->a, s->id);
	}
	for (unsigned i = 0; c->target && i < n_all; i++)
		if (!strcmp(all[i].spec->name, c->target) && cri_is_running(all[i].now))
			f->target_id = arena_strdup(&b->a, all[i].now->id);
	return 0;
}

/* The container waits because of this, and is tried again later. */
static void start_failed(struct build *b, const struct pod_container *c, const char *reason, const struct err *e, bool with_event)
{
	struct container_memory *m = c->memory;
	unsigned times = MIN(m->retries, 3U);
	int64_t wait = MIN((int64_t)2 << times, 10) * NS_PER_S;

	m->waiting_reason = reason;
	fmt_into(m->waiting_message, sizeof m->waiting_message, "%s", e->text);
	m->retries++;
	m->retry_ns = loop_realtime_ns(b->w->owner->loop) + wait;
	if (with_event)
		worker_event(b->w, c, "Warning", "Failed", "Error: %s", e->text);
}

static void remove_wait(struct build *b, const char *id)
{
	struct node_runtime *rt = b->w->owner->rt;
	struct cri_remove_container_request q = { .container_id = id };
	struct cri_remove_container_response p;
	struct err e = { 0 };

	if (rt->call_wait(rt, CRI_REMOVE, &q, &b->a, &p, 0, &e) < 0)
		log_debug("container cannot be removed", "id=%s error=%s", id, e.text);
}

static int config_wait(struct build *b, const struct pod_container *c, const struct start_facts *f, const struct image_result *image,
	struct cri_container_config *ret, struct err *e)
{
	struct schema_pair *env;
	uint32_t n_env;
	struct cri_mount *mounts;
	struct container_extra x = { .attempt = f->attempt, .image_ref = image->ref, .image_uid = image->uid, .image_username = image->username,
		.target_id = f->target_id };
	int r = env_make_wait(&b->in, c, &b->a, &env, &n_env, e);

	if (r >= 0)
		r = volumes_mounts_wait(&b->in, c, env, n_env, f->attempt, &b->a, &mounts, &x.n_mounts, e);
	if (r < 0)
		return r;
	x.mounts = mounts;
	return config_container_wait(&b->in, c, &x, &b->a, ret, e);
}

static void post_start_wait(struct build *b, const struct pod_container *c, const char *id)
{
	struct node *n = b->w->owner;
	struct probe_target t = { .rt = n->rt, .loop = n->loop, .container_id = id, .pod_ip = b->in.pod_ip, .spec = c->spec };
	struct err e = { 0 };

	if (!c->spec->lifecycle || !c->spec->lifecycle->post_start)
		return;
	c->memory->is_post_starting = true;
	int r = hook_run_wait(&t, c->spec->lifecycle->post_start, 0, &e);
	c->memory->is_post_starting = false;
	worker_wake(b->w);
	if (r >= 0 || r == -ECANCELED)
		return;
	worker_event(b->w, c, "Warning", "FailedPostStartHook", "PostStartHook failed: %s", e.text);
	kill_start(b->w, c->memory, id, pod_grace_s(b->pod->obj), "FailedPostStartHook");
}

static int start_wait(struct build *b, const struct pod_container *c, const struct start_facts *f, const char *box, struct err *e)
{
	struct pod_worker *w = b->w;
	struct image_result image;
	struct cri_container_config config;
	struct cri_pod_sandbox_config box_config;
	const char *reason = NULL;
	int r = images_ensure_wait(w, b->pod->obj, (struct pod_container *)c, &b->a, &image, &reason, e);

	if (r < 0) {
		if (r != -ECANCELED) {
			c->memory->waiting_reason = reason;
			fmt_into(c->memory->waiting_message, sizeof c->memory->waiting_message, "%s", e->text);
		}
		return r;
	}
	r = config_wait(b, c, f, &image, &config, e);
	if (r >= 0)
		r = config_sandbox(&b->in, b->attempt, &b->a, &box_config, e);
	if (r < 0) {
		if (r != -ECANCELED)
			start_failed(b, c, "CreateContainerConfigError", e, true);
		return r;
	}
	if (f->half_made)
		remove_wait(b, f->half_made);
	struct cri_create_container_request q = { .pod_sandbox_id = box, .config = &config, .sandbox_config = &box_config };
	struct cri_create_container_response p = { 0 };
	r = make_wait(b, CRI_CREATE, &q, &p, e);
	if (r < 0) {
		if (r != -ECANCELED)
			start_failed(b, c, "CreateContainerError", e, true);
		return r;
	}
	worker_event(w, c, "Normal", "Created", "Created container: %s", c->spec->name);
	log_link_wait(&w->owner->set, b->pod->obj, c->spec->name, f->attempt, p.container_id);
	if (f->has_ended)
		plan_backoff_next(c->memory, f->finished_ns);
	c->memory->is_post_starting = c->spec->lifecycle && c->spec->lifecycle->post_start;
	struct cri_start_container_request sq = { .container_id = p.container_id };
	struct cri_start_container_response sp;
	r = make_wait(b, CRI_START, &sq, &sp, e);
	w->is_observed_stale = true;
	if (r < 0) {
		c->memory->is_post_starting = false;
		if (r != -ECANCELED)
			start_failed(b, c, "RunContainerError", e, true);
		worker_wake(w);
		return r;
	}
	worker_event(w, c, "Normal", "Started", "Started container %s", c->spec->name);
	c->memory->waiting_reason = NULL;
	c->memory->retries = 0;
	c->memory->retry_ns = 0;
	worker_wake(w);
	for (unsigned i = 0; i < f->n_old; i++)
		remove_wait(b, f->old[i]);
	post_start_wait(b, c, p.container_id);
	return 0;
}

static int start_named_wait(struct build *b, const char *name, struct err *e)
{
	struct pod_container *all, *c = NULL;
	unsigned n;
	struct start_facts f;
	const char *box = sandbox_id(b);
	int r = pod_containers(b->pod->obj, &b->w->observed, &b->w->memories, &b->a, &all, &n);

	for (unsigned i = 0; r == 0 && i < n; i++)
		if (!strcmp(all[i].spec->name, name))
			c = &all[i];
	if (!c || !box)
		return r;
	r = facts_of(b, c, all, n, &f);
	c->now = c->before = NULL;        /* must not be looked at again */
	return r < 0 ? r : start_wait(b, c, &f, box, e);
}

/* --- limits -------------------------------------------------------------------------------------------------- */

static void resize_named_wait(struct build *b, const char *name)
{
	struct node *n = b->w->owner;
	struct pod_container *all, *c = NULL;
	unsigned count;
	struct cri_linux_container_resources want;
	struct cri_update_container_resources_request q = { .linux = &want };
	struct cri_update_container_resources_response p;
	struct err e = { 0 };

	if (pod_containers(b->pod->obj, &b->w->observed, &b->w->memories, &b->a, &all, &count) < 0)
		return;
	for (unsigned i = 0; i < count; i++)
		if (!strcmp(all[i].spec->name, name) && cri_is_running(all[i].now))
			c = &all[i];
	if (!c)
		return;
	config_resources(&n->set, b->pod->obj, c->spec, &want);
	if (want.cpu_quota <= 0)
		want.cpu_quota = -1;
	q.container_id = arena_strdup(&b->a, c->now->id);
	if (n->rt->call_wait(n->rt, CRI_UPDATE_RESOURCES, &q, &b->a, &p, 0, &e) < 0) {
		log_warn("container cannot be resized", "pod=%s container=%s error=%s", b->w->key, name, e.text);
		c->memory->retry_ns = loop_realtime_ns(n->loop) + 5 * NS_PER_S;
	}
}

/* --- all of it ----------------------------------------------------------------------------------------------- */

static int setup_wait(struct build *b, struct err *e)
{
	struct pod_worker *w = b->w;
	const struct kube_pod *pod = b->pod->obj;
	int r = volumes_folders_wait(&w->owner->set, pod, e);

	if (r >= 0)
		r = cgroup_make_wait(&w->owner->set, pod, e);
	if (r >= 0)
		r = volumes_setup_wait(&b->in, e);
	if (r < 0 && r != -ECANCELED)
		worker_event(w, NULL, "Warning", "FailedMount", "%s", e->text);
	if (r >= 0)
		r = images_volumes_wait(w, pod, &b->a, e);
	if (r >= 0)
		r = volumes_hosts_wait(&b->in, e);
	return r;
}

static void build_main(void *arg)
{
	struct build *b = arg;
	struct pod_worker *w = b->w;
	struct err e = { 0 };

	w->builder = fiber_self();
	note_ip(b);
	int64_t began = clock_monotonic_ns();
	int r = setup_wait(b, &e);
	log_debug("pod is set up", "pod=%s us=%lld", w->key, (long long)(clock_monotonic_ns() - began) / 1000);
	if (r >= 0 && b->replace_sandbox)
		r = sandbox_wait(b, &e);
	if (r < 0 && r != -ECANCELED) {
		log_warn("pod cannot be set up", "pod=%s error=%s", w->key, e.text);
		setup_failed(w);
	}
	if (r >= 0) {
		w->setup_retries = 0;
		w->setup_retry_ns = 0;
	}
	for (unsigned i = 0; r >= 0 && i < b->n_resize; i++)
		resize_named_wait(b, b->resize[i]);
	for (unsigned i = 0; r >= 0 && i < b->n_start && !w->build_is_unwanted; i++) {
		struct err ce = { 0 };
		int cr = start_named_wait(b, b->start[i], &ce);
		if (cr < 0 && cr != -ECANCELED)
			log_warn("container cannot be started", "pod=%s container=%s error=%s", w->key, b->start[i], ce.text);
	}
	w->builder = NULL;
	w->is_observed_stale = true;
	kobject_unref(b->pod);
	arena_release(&b->a);
	free(b);
	worker_wake(w);
	worker_unref(w);
}

static int build_new(struct pod_worker *w, const struct pod_plan *plan, struct build **ret)
{
	struct build *b = calloc(1, sizeof *b);
	struct pod_container *all;
	unsigned n;

	if (!b)
		return -ENOMEM;
	arena_init(&b->a, POD_ARENA_MAX);
	b->w = w;
	b->pod = kobject_ref(w->pod);
	b->replace_sandbox = plan->replace_sandbox;
	b->attempt = plan->replace_sandbox ? plan->attempt :
		w->observed.n_sandboxes && w->observed.sandboxes[0].metadata ? w->observed.sandboxes[0].metadata->attempt : 0;
	b->in = (struct config_in){ .set = &w->owner->set, .api = w->owner->api, .pod = b->pod->obj, .pod_ip = "" };
	b->start = arena_array(&b->a, plan->n_start + 1, sizeof *b->start);
	b->resize = arena_array(&b->a, plan->n_resize + 1, sizeof *b->resize);
	int r = b->start && b->resize ? pod_containers(b->pod->obj, &w->observed, &w->memories, &b->a, &all, &n) : -ENOMEM;
	for (unsigned i = 0; r == 0 && i < plan->n_start && plan->start[i] < n; i++)
		b->start[b->n_start++] = arena_strdup(&b->a, all[plan->start[i]].spec->name);
	for (unsigned i = 0; r == 0 && i < plan->n_resize && plan->resize[i] < n; i++)
		b->resize[b->n_resize++] = arena_strdup(&b->a, all[plan->resize[i]].spec->name);
	*ret = b;
	return r;
}

int build_start(struct pod_worker *w, const struct pod_plan *plan)
{
	struct build *b = NULL;
	int r = build_new(w, plan, &b);

	if (r == 0) {
		worker_ref(w);
		r = fiber_start(w->owner->loop, "build pod", build_main, b);
		if (r < 0)
			worker_unref(w);
	}
	if (r < 0 && b) {
		kobject_unref(b->pod);
		arena_release(&b->a);
		free(b);
	}
	return r;
}
