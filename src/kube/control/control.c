// SPDX-License-Identifier: Apache-2.0
/* The table of controllers, and the life they have in common. */
#include "kube/control/control.h"

#include <errno.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "kube/control/control_int.h"

static const struct row {
	const char *name;
	int (*start)(struct control *c, struct err *e);
} rows[] = {
	{ "replicaset", replicaset_start },
	{ "replicationcontroller", replicationcontroller_start },
	{ "deployment", deployment_start },
	{ "daemonset", daemonset_start },
	{ "job", job_start_controller },
	{ "cronjob", cronjob_start },
	{ "statefulset", statefulset_start },
	{ "node-lifecycle", node_start },
	{ "pod-garbage-collector", podgc_start },
	{ "disruption", disruption_start },
	{ "persistentvolume-binder", volume_start },
	{ "endpoint", endpoints_start },
	{ "endpointslice", endpointslice_start },
	{ "namespace", namespace_start },
	{ "serviceaccount", serviceaccount_start },
	{ "root-ca-certificate-publisher", root_ca_start },
	/* last: it uses the caches that the others have */
	{ "garbage-collector", gc_start },
};

/* --- one controller */

struct handler {
	struct informer_handler h;
	struct ctl *k;
	void (*fn)(struct ctl *k, struct kobject *old, struct kobject *now);
};
struct ticker {
	struct ctl *k;
	int64_t every_ns;
	void (*fn_wait)(struct ctl *k);
};

static void control_unref(struct control *c)
{
	struct ctl *k;

	if (--c->refs)
		return;
	/* The informers are still in use by syncs on their way out, so they end last. */
	list_each(k, &c->all, node) {
		if (k->release)
			k->release(k);
		kevents_free(k->events);
	}
	informers_free(c->informers);
	arena_release(&c->arena);
	free(c);
}

static int ready_wait(struct ctl *k)
{
	for (unsigned i = 0; i < k->n_needs && !k->is_ready; i++) {
		int r = informer_synced_wait(k->needs[i], -1);

		if (r < 0)
			return r;
	}
	k->is_ready = true;
	return 0;
}

static int run_sync_wait(void *arg, const char *key, struct err *e)
{
	struct ctl *k = arg;
	struct control *c = k->c;
	int r;

	c->refs++;
	r = ready_wait(k);
	if (r == 0)
		r = k->sync_wait(k, key, e);
	control_unref(c);
	return r;
}

struct ctl *ctl_new(struct control *c, const char *name, const char *component, unsigned workers,
	int (*sync_wait)(struct ctl *k, const char *key, struct err *e), size_t own_size)
{
	struct ctl *k = arena_new(&c->arena, struct ctl);
	struct workqueue_config q = { .name = name, .workers = workers, .sync_wait = run_sync_wait, .arg = k };

	if (!k)
		return NULL;
	k->c = c;
	k->name = name;
	k->sync_wait = sync_wait;
	list_init(&k->node);
	list_add_tail(&c->all, &k->node);
	k->own = arena_alloc(&c->arena, own_size);
	if (!k->own || workqueue_new(c->loop, &q, &k->queue) < 0 || (component && kevents_new(c->client, component, "", &k->events) < 0))
		return NULL;
	return k;
}

struct informer *ctl_need(struct ctl *k, const char *group, const char *plural)
{
	const struct kube_resource *r = kube_resource_find(group, "v1", plural);
	struct informer *i;

	must(r && k->n_needs < ARRAY_LEN(k->needs));
	i = informers_get(k->c->informers, r);
	if (i)
		k->needs[k->n_needs++] = i;
	return i;
}

static void on_event(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	struct handler *x = container_of(h, struct handler, h);

	if (!x->k->c->freed)
		x->fn(x->k, old, now);
}

int ctl_on(struct ctl *k, struct informer *i, void (*fn)(struct ctl *k, struct kobject *old, struct kobject *now))
{
	struct handler *x = i ? arena_new(&k->c->arena, struct handler) : NULL;

	if (!x)
		return -ENOMEM;
	x->h.event = on_event;
	x->k = k;
	x->fn = fn;
	informer_add_handler(i, &x->h);
	return 0;
}

void ctl_add(struct ctl *k, const char *key)
{
	if (k->queue)
		workqueue_add(k->queue, key);
}

void ctl_add_after(struct ctl *k, const char *key, int64_t after_ns)
{
	if (k->queue)
		workqueue_add_after(k->queue, key, after_ns);
}

void ctl_enqueue(struct ctl *k, struct kobject *old, struct kobject *now) { ctl_add(k, now ? now->key : old->key); }

static void enqueue_one_owner(struct ctl *k, const char *kind, const struct kobject *o)
{
	const struct kube_object_meta *m = kobject_meta(o);
	const struct kube_owner_reference *ref = kube_controller_of(m);
	char key[600];

	if (!ref || !text_eq(ref->kind, kind))
		return;
	if (m->namespace && *m->namespace)
		fmt_into(key, sizeof key, "%s/%s", m->namespace, ref->name);
	else
		fmt_into(key, sizeof key, "%s", ref->name);
	ctl_add(k, key);
}

void ctl_enqueue_owner(struct ctl *k, const char *kind, struct kobject *old, struct kobject *now)
{
	if (now)
		enqueue_one_owner(k, kind, now);
	if (old)
		enqueue_one_owner(k, kind, old);
}

struct selecting {
	struct ctl *k;
	const struct kube_object_meta *m;
	int (*selector)(struct arena *a, const void *owner, struct selector *ret);
	bool found;
};
static int enqueue_if_selecting(void *arg, struct kobject *o)
{
	struct selecting *x = arg;
	AUTO(arena) struct arena a;
	struct selector sel;

	arena_init(&a, 1024 * 1024);
	if (kube_is_deleting(kobject_meta(o)) || x->selector(&a, o->obj, &sel) < 0 || !selector_matches(&sel, x->m->labels, x->m->n_labels))
		return 0;
	x->found = true;
	ctl_add(x->k, o->key);
	return 0;
}

bool ctl_enqueue_selecting(struct ctl *k, struct informer *owners, const struct kobject *o,
	int (*selector)(struct arena *a, const void *owner, struct selector *ret))
{
	struct selecting x = { k, kobject_meta(o), selector, false };

	if (!kube_controller_of(x.m) && !kube_is_deleting(x.m))
		informer_each(owners, x.m->namespace, enqueue_if_selecting, &x);
	return x.found;
}

static void ticker_fiber(void *arg)
{
	struct ticker *t = arg;
	struct control *c = t->k->c;

	t->k->ticker = fiber_self();
	if (ready_wait(t->k) == 0)
		while (!c->freed) {
			t->fn_wait(t->k);
			if (c->freed || sleep_wait(t->every_ns) < 0)
				break;
		}
	t->k->ticker = NULL;
	control_unref(c);
}

int ctl_every(struct ctl *k, int64_t ns, void (*fn_wait)(struct ctl *k))
{
	struct ticker *t = arena_new(&k->c->arena, struct ticker);
	int r;

	if (!t)
		return -ENOMEM;
	*t = (struct ticker){ k, ns, fn_wait };
	k->c->refs++;
	r = fiber_start(k->c->loop, k->name, ticker_fiber, t);
	if (r < 0)
		k->c->refs--;
	return r;
}

static unsigned controller_keys(const struct kobject *o, const char *ret[8])
{
	const struct kube_owner_reference *ref = kube_controller_of(kobject_meta(o));

	ret[0] = ref ? ref->uid : NULL;
	return ret[0] ? 1 : 0;
}

static unsigned orphan_keys(const struct kobject *o, const char *ret[8])
{
	ret[0] = kobject_meta(o)->namespace;
	return ret[0] && !kube_controller_of(kobject_meta(o)) ? 1 : 0;
}

int ctl_index_controller(struct informer *i)
{
	int r = i ? informer_add_index(i, "controller", controller_keys) : -ENOMEM;

	return r < 0 ? r : informer_add_index(i, "orphans", orphan_keys);
}

/* --- all of them */

static bool is_wanted(const struct control_config *f, const char *name)
{
	for (const char *const *p = f->only; p && *p; p++)
		if (!strcmp(*p, name))
			return true;
	return !f->only;
}

int control_start(struct loop *l, struct kclient *client, const struct control_config *f, struct control **ret, struct err *e)
{
	struct control *c = calloc(1, sizeof *c);
	int r = c ? 0 : -ENOMEM;

	if (r < 0)
		return err_nomem(e);
	c->loop = l;
	c->client = client;
	c->cfg = *f;
	if (c->cfg.node_grace_ns <= 0)
		c->cfg.node_grace_ns = 50 * NS_PER_S;
	if (c->cfg.terminated_pods <= 0)
		c->cfg.terminated_pods = 12500;
	c->refs = 1;
	arena_init(&c->arena, 4 * 1024 * 1024);
	list_init(&c->all);
	r = informers_new(client, &c->informers);
	for (size_t i = 0; i < ARRAY_LEN(rows) && r == 0; i++)
		if (is_wanted(f, rows[i].name)) {
			r = rows[i].start(c, e);
			if (r < 0)
				err_sys(e, r, "starting controller %s", rows[i].name);
		}
	if (r < 0) {
		control_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

struct informers *control_informers(struct control *c) { return c->informers; }

void control_free(struct control *c)
{
	struct ctl *k;

	if (!c)
		return;
	c->freed = true;
	list_each(k, &c->all, node) {
		workqueue_free(take_ptr(k->queue));
		if (k->ticker)
			fiber_cancel(k->ticker);
	}
	control_unref(c);
}
