/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/node/fake_test.h"

#include <errno.h>

#include "base/clock.h"
#include "base/fd.h"

static struct node_fake *of(struct node_runtime *rt) { return container_of(rt, struct node_fake, rt); }
static struct node_fake *of_api(struct node_api *api) { return container_of(api, struct node_fake, api); }

static void say(struct node_fake *f, const char *what, const char *name)
{
	buf_addf(&f->said, "%s%s%s%s", f->said.len ? "; " : "", what, name ? " " : "", name ? name : "");
}

static struct fake_container *by_id(struct node_fake *f, const char *id)
{
	for (unsigned i = 0; i < f->n_containers; i++)
		if (f->containers[i].exists && !strcmp(f->containers[i].id, id))
			return &f->containers[i];
	return NULL;
}

static struct fake_box *box_by_id(struct node_fake *f, const char *id)
{
	for (unsigned i = 0; i < f->n_boxes; i++)
		if (f->boxes[i].exists && !strcmp(f->boxes[i].id, id))
			return &f->boxes[i];
	return NULL;
}

static const char *filter_uid(const struct schema_pair *v, uint32_t n)
{
	return schema_pair_get(v, n, "io.kubernetes.pod.uid");
}

static struct cri_pod_sandbox_metadata *box_meta(const struct fake_box *b, struct arena *a)
{
	struct cri_pod_sandbox_metadata *m = arena_new(a, struct cri_pod_sandbox_metadata);
	*m = (struct cri_pod_sandbox_metadata){ .name = b->name, .uid = b->uid, .namespace = b->ns, .attempt = b->attempt };
	return m;
}

static struct schema_pair *uid_label(const char *uid, struct arena *a)
{
	struct schema_pair *p = arena_new(a, struct schema_pair);
	*p = (struct schema_pair){ "io.kubernetes.pod.uid", uid };
	return p;
}

static int run_sandbox(struct node_fake *f, const struct cri_run_pod_sandbox_request *q, struct cri_run_pod_sandbox_response *p, struct err *e)
{
	say(f, "run-sandbox", NULL);
	if (f->fail_sandbox)
		return err_set(e, EIO, "%s", f->fail_sandbox);
	struct fake_box *b = &f->boxes[f->n_boxes++];
	*b = (struct fake_box){ .exists = true, .attempt = q->config->metadata->attempt, .state = CRI_SANDBOX_READY };
	fmt_into(b->id, sizeof b->id, "box%u", f->n_boxes);
	fmt_into(b->uid, sizeof b->uid, "%s", q->config->metadata->uid);
	fmt_into(b->name, sizeof b->name, "%s", q->config->metadata->name);
	fmt_into(b->ns, sizeof b->ns, "%s", q->config->metadata->namespace);
	p->pod_sandbox_id = b->id;
	return 0;
}

static int list_boxes(struct node_fake *f, const struct cri_list_pod_sandbox_request *q, struct arena *a, struct cri_list_pod_sandbox_response *p)
{
	const char *uid = q->filter ? filter_uid(q->filter->label_selector, q->filter->n_label_selector) : NULL;
	p->items = arena_array(a, f->n_boxes + 1, sizeof *p->items);
	for (unsigned i = 0; i < f->n_boxes; i++) {
		const struct fake_box *b = &f->boxes[i];
		if (b->exists && (!uid || !strcmp(uid, b->uid)))
			p->items[p->n_items++] = (struct cri_pod_sandbox){ .id = b->id, .metadata = box_meta(b, a), .state = b->state, .created_at = i,
				.labels = uid_label(b->uid, a), .n_labels = 1 };
	}
	return 0;
}

static int box_status(struct node_fake *f, const struct cri_pod_sandbox_status_request *q, struct arena *a, struct cri_pod_sandbox_status_response *p, struct err *e)
{
	struct fake_box *b = box_by_id(f, q->pod_sandbox_id);
	if (!b)
		return err_set(e, ENOENT, "not found");
	p->status = arena_new(a, struct cri_pod_sandbox_status);
	struct cri_pod_sandbox_network_status *net = arena_new(a, struct cri_pod_sandbox_network_status);
	net->ip = b->state == CRI_SANDBOX_READY ? "10.0.0.7" : "";
	*p->status = (struct cri_pod_sandbox_status){ .id = b->id, .metadata = box_meta(b, a), .state = b->state, .network = net };
	return 0;
}

static int create(struct node_fake *f, const struct cri_create_container_request *q, struct cri_create_container_response *p, struct err *e)
{
	struct fake_box *b = box_by_id(f, q->pod_sandbox_id);
	say(f, "create", q->config->metadata->name);
	if (f->fail_create)
		return err_set(e, EIO, "%s", f->fail_create);
	if (!b)
		return err_set(e, ENOENT, "no sandbox");
	struct fake_container *c = &f->containers[f->n_containers++];
	CHECK(f->n_containers < FAKE_MAX);
	*c = (struct fake_container){ .exists = true, .attempt = q->config->metadata->attempt, .state = CRI_CONTAINER_CREATED, .created_ns = loop_realtime_ns(f->loop) };
	fmt_into(c->id, sizeof c->id, "id%u", f->n_containers);
	fmt_into(c->name, sizeof c->name, "%s", q->config->metadata->name);
	fmt_into(c->box, sizeof c->box, "%s", b->id);
	fmt_into(c->uid, sizeof c->uid, "%s", b->uid);
	fmt_into(c->hash, sizeof c->hash, "%s", annotation(q->config->annotations, q->config->n_annotations, "io.kubernetes.container.hash"));
	fmt_into(c->restarts, sizeof c->restarts, "%s", annotation(q->config->annotations, q->config->n_annotations, "io.kubernetes.container.restartCount"));
	c->r = *q->config->linux->resources;
	p->container_id = c->id;
	return 0;
}

static void changed(struct node_fake *f, const char *uid)
{
	workers_stale(&f->node, uid);
}

static int stop(struct node_fake *f, const struct cri_stop_container_request *q, struct err *e)
{
	struct fake_container *c = by_id(f, q->container_id);
	if (!c)
		return err_set(e, ENOENT, "not found");
	char text[96];
	fmt_into(text, sizeof text, "%s:%lld", c->name, (long long)q->timeout);
	say(f, "stop", text);
	for (int64_t i = 0; c->ignores_term && i < q->timeout && c->state == CRI_CONTAINER_RUNNING; i++)
		if (sleep_wait(NS_PER_S) < 0)
			return -ECANCELED;
	if (c->state == CRI_CONTAINER_RUNNING) {
		c->state = CRI_CONTAINER_EXITED;
		c->exit_code = c->ignores_term ? 137 : 143;
		c->finished_ns = loop_realtime_ns(f->loop);
	}
	changed(f, c->uid);
	return 0;
}

static struct cri_container_status *status_of(struct fake_container *c, struct arena *a)
{
	c->reported = (struct cri_container_resources){ .linux = &c->r };
	struct cri_container_status *s = arena_new(a, struct cri_container_status);
	struct cri_container_metadata *m = arena_new(a, struct cri_container_metadata);
	struct schema_pair *notes = arena_array(a, 2, sizeof *notes);
	*m = (struct cri_container_metadata){ c->name, c->attempt };
	notes[0] = (struct schema_pair){ "io.kubernetes.container.hash", c->hash };
	notes[1] = (struct schema_pair){ "io.kubernetes.container.restartCount", c->restarts };
	*s = (struct cri_container_status){ .id = c->id, .metadata = m, .state = c->state, .created_at = c->created_ns, .started_at = c->started_ns,
		.resources = &c->reported, .finished_at = c->finished_ns, .exit_code = c->exit_code, .annotations = notes, .n_annotations = 2, .image_ref = "sha256:1" };
	return s;
}

static int list(struct node_fake *f, const struct cri_list_containers_request *q, struct arena *a, struct cri_list_containers_response *p)
{
	const char *uid = q->filter ? filter_uid(q->filter->label_selector, q->filter->n_label_selector) : NULL;
	p->containers = arena_array(a, f->n_containers + 1, sizeof *p->containers);
	for (unsigned i = 0; i < f->n_containers; i++) {
		struct fake_container *c = &f->containers[i];
		if (c->exists && (!uid || !strcmp(uid, c->uid)))
			p->containers[p->n_containers++] = (struct cri_container){ .id = c->id, .pod_sandbox_id = c->box, .metadata = status_of(c, a)->metadata,
				.state = c->state, .created_at = c->created_ns };
	}
	return 0;
}

static int image_status(struct node_fake *f, const struct cri_image_status_request *q, struct arena *a, struct cri_image_status_response *p)
{
	if (f->no_image)
		return 0;
	p->image = arena_new(a, struct cri_image);
	*p->image = (struct cri_image){ .id = "sha256:1", .size = 4 };
	return 0;
}

static int pull(struct node_fake *f, const struct cri_pull_image_request *q, struct cri_pull_image_response *p, struct err *e)
{
	say(f, "pull", q->image->image);
	if (f->pull_fails)
		return err_set(e, ENOENT, "not found");
	f->no_image = false;
	p->image_ref = "sha256:1";
	return 0;
}

static int answer_wait(struct node_runtime *rt, enum node_method m, const void *q, struct arena *a, void *p, struct err *e)
{
	struct node_fake *f = of(rt);
	struct fake_container *c;
	struct fake_box *b;

	if (fiber_cancelled(fiber_self()))
		return -ECANCELED;
	switch (m) {
	case CRI_RUN_SANDBOX: {
		/* tells of it before it can be listed, as a runtime may */
		changed(f, ((const struct cri_run_pod_sandbox_request *)q)->config->metadata->uid);
		sleep_wait(10 * NS_PER_US);
		int r = run_sandbox(f, q, p, e);
		changed(f, ((const struct cri_run_pod_sandbox_request *)q)->config->metadata->uid);
		return r;
	}
	case CRI_LIST_SANDBOXES: return list_boxes(f, q, a, p);
	case CRI_SANDBOX_STATUS: return box_status(f, q, a, p, e);
	case CRI_CREATE: return create(f, q, p, e);
	case CRI_STOP: return stop(f, q, e);
	case CRI_LIST: return list(f, q, a, p);
	case CRI_IMAGE_STATUS: return image_status(f, q, a, p);
	case CRI_PULL: return pull(f, q, p, e);
	case CRI_START:
		c = by_id(f, ((const struct cri_start_container_request *)q)->container_id);
		say(f, "start", c->name);
		c->state = CRI_CONTAINER_RUNNING;
		c->started_ns = loop_realtime_ns(f->loop);
		changed(f, c->uid);
		return 0;
	case CRI_EXEC_SYNC:
		f->n_execs++;
		((struct cri_exec_sync_response *)p)->exit_code = f->exec_code;
		((struct cri_exec_sync_response *)p)->stdout_ = SLICE("no");
		return 0;
	case CRI_UPDATE_RESOURCES:
		c = by_id(f, ((const struct cri_update_container_resources_request *)q)->container_id);
		say(f, "resize", c->name);
		c->r = *((const struct cri_update_container_resources_request *)q)->linux;
		return 0;
	case CRI_CONTAINER_STATUS:
		c = by_id(f, ((const struct cri_container_status_request *)q)->container_id);
		if (!c)
			return err_set(e, ENOENT, "not found");
		((struct cri_container_status_response *)p)->status = status_of(c, a);
		return 0;
	case CRI_STOP_SANDBOX:
		b = box_by_id(f, ((const struct cri_stop_pod_sandbox_request *)q)->pod_sandbox_id);
		say(f, "stop-sandbox", NULL);
		if (b)
			b->state = CRI_SANDBOX_NOTREADY;
		return 0;
	case CRI_REMOVE:
		c = by_id(f, ((const struct cri_remove_container_request *)q)->container_id);
		if (c) {
			say(f, "remove", c->name);
			c->exists = false;
		}
		return 0;
	case CRI_REMOVE_SANDBOX:
		b = box_by_id(f, ((const struct cri_remove_pod_sandbox_request *)q)->pod_sandbox_id);
		say(f, "remove-sandbox", NULL);
		if (b)
			b->exists = false;
		return 0;
	default:
		return err_set(e, EOPNOTSUPP, "the double does not do this");
	}
}

/* Suspends before and behind each answer: what happens meanwhile must not matter. */
static int call_wait(struct node_runtime *rt, enum node_method m, const void *q, struct arena *a, void *p, int64_t timeout_ns, struct err *e)
{
	if (sleep_wait(NS_PER_US) < 0)
		return -ECANCELED;
	int r = answer_wait(rt, m, q, a, p, e);
	return sleep_wait((m == CRI_LIST_SANDBOXES ? 40 : m == CRI_LIST ? 20 : 1) * NS_PER_US) < 0 ? -ECANCELED : r;
}

/* --- the API server ---------------------------------------------------------------------------------------- */

static int get_wait(struct node_api *api, const struct kube_resource *r, const char *ns, const char *name, struct arena *a, void *ret, struct err *e)
{
	struct node_fake *f = of_api(api);
	if (!f->config_map || strcmp(r->plural, "configmaps"))
		return err_set(e, ENOENT, "not found");
	return schema_from_json(r->type, slice_of(f->config_map), 0, a, ret, e);
}

static int patch_status_wait(struct node_api *api, const struct kube_pod *pod, struct slice body, struct err *e)
{
	struct node_fake *f = of_api(api);
	struct kube_pod got;
	if (f->api_is_down)
		return err_set(e, EHOSTDOWN, "nobody there");
	arena_release(&f->published);
	CHECK_OK(schema_from_json(T_kube_pod, body, 0, &f->published, &got, e), e);
	f->status = got.status;
	f->n_patches++;
	return 0;
}

static int delete_wait(struct node_api *api, const struct kube_pod *pod, struct err *e)
{
	struct node_fake *f = of_api(api);
	struct pod_worker *w = worker_find_uid(&f->node, pod->metadata.uid);
	f->n_deletes++;
	if (w)
		workers_deleted(&f->node, w->pod);
	return 0;
}

static int token_wait(struct node_api *api, const char *ns, const char *sa, const struct kube_token_request *q, struct arena *a, struct kube_token_request *ret,
	struct err *e)
{
	*ret = *q;
	ret->status.token = "token";
	return 0;
}

static void event(struct node_api *api, const struct kube_pod *pod, const char *field_path, const char *type, const char *reason, const char *text)
{
	struct node_fake *f = of_api(api);
	buf_addf(&f->events, "%s%s", f->events.len ? "; " : "", reason);
}

/* --- the test's side ----------------------------------------------------------------------------------------- */

void node_fake_init(struct node_fake *f)
{
	struct err e = { 0 };
	static char pods[300], logs[300];

	*f = (struct node_fake){ .said = BUF_INIT(1 << 20), .events = BUF_INIT(1 << 20) };
	fmt_into(pods, sizeof pods, "%s/pods", test_dir());
	fmt_into(logs, sizeof logs, "%s/logs", test_dir());
	CHECK_OK(sim_loop_new(&f->loop, &e), &e);
	arena_init(&f->published, POD_ARENA_MAX);
	f->rt.call_wait = call_wait;
	f->api = (struct node_api){ get_wait, patch_status_wait, delete_wait, token_wait, NULL, event };
	struct node_settings s = { .name = "n1", .hostname = "n1", .ip = "192.0.2.1", .root = test_dir(), .pods_dir = pods, .logs_dir = logs, .seccomp_dir = "/none",
		.cluster_dns = "10.96.0.10", .cluster_domain = "cluster.local", .resolv_conf = "/dev/null", .no_cgroups = true,
		.memory_bytes = 1LL << 30, .cpu_milli = 2000 };
	node_init(&f->node, f->loop, &s, &f->rt, &f->api);
}

static void halt(struct timer *t) { loop_stop(t->loop); }

void node_fake_run(struct node_fake *f, int64_t ns)
{
	struct timer t = { 0 };
	timer_set(f->loop, &t, ns, halt);
	loop_run(f->loop);
	timer_cancel(&t);
}

void node_fake_release(struct node_fake *f)
{
	node_stop(&f->node);
	node_fake_run(f, NS_PER_S);
	CHECK(list_empty(&f->node.workers));
	map_release(&f->node.by_uid);
	arena_release(&f->published);
	buf_release(&f->said);
	buf_release(&f->events);
	loop_free(f->loop);
}

struct kobject *node_fake_pod(struct node_fake *f, const char *json)
{
	struct arena a;
	struct err e = { 0 };

	arena_init(&a, POD_ARENA_MAX);
	struct kobject *o = arena_new(&a, struct kobject);
	o->refs = 1;
	o->resource = kube_resource_find("", "v1", "pods");
	o->obj = arena_new(&a, struct kube_pod);
	CHECK_OK(schema_from_json(T_kube_pod, slice_of(json), 0, &a, o->obj, &e), &e);
	schema_default(T_kube_pod, &a, o->obj);
	o->key = arena_fmt(&a, "%s/%s", kobject_meta(o)->namespace, kobject_meta(o)->name);
	o->arena = a;
	CHECK_INT(workers_update(&f->node, o), 0);
	return o;
}

struct fake_container *node_fake_find(struct node_fake *f, const char *name)
{
	for (unsigned i = f->n_containers; i-- > 0;)
		if (f->containers[i].exists && !strcmp(f->containers[i].name, name))
			return &f->containers[i];
	test_fail(__FILE__, __LINE__, "no container %s", name);
}

void node_fake_exit(struct node_fake *f, const char *name, int code)
{
	struct fake_container *c = node_fake_find(f, name);
	c->state = CRI_CONTAINER_EXITED;
	c->exit_code = code;
	c->finished_ns = loop_realtime_ns(f->loop);
	changed(f, c->uid);
}

const char *node_fake_state(struct node_fake *f, const char *name)
{
	const struct kube_pod_status *s = &f->status;
	for (uint32_t i = 0; i < s->n_container_statuses + s->n_init_container_statuses; i++) {
		const struct kube_container_status *c = i < s->n_container_statuses ? &s->container_statuses[i] : &s->init_container_statuses[i - s->n_container_statuses];
		if (strcmp(c->name, name))
			continue;
		return c->state.running ? "Running" : c->state.terminated ? c->state.terminated->reason : c->state.waiting ? c->state.waiting->reason : "none";
	}
	return "absent";
}
