/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Config maps and secrets that pods here use. Each has a watch of its own,
 * because a node may read no others; it ends when nobody has asked for some
 * minutes. Where watching is not possible, each question is a GET.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "kube/node/api.h"

#define KEEP_NS (300 * NS_PER_S)
#define SYNC_NS (2 * NS_PER_S)
enum { OBJECTS_MAX = 2000 };

struct watched {
	struct objects *owner;
	const struct kube_resource *r;
	struct informer *i;
	struct informer_handler h;
	char *ns, *name;
	int64_t used_ns;
	unsigned users;               /* fibers that wait for it */
	bool was_synced;
};
struct objects {
	struct kclient *c;
	struct map by_key;            /* "plural/ns/name" */
	struct timer sweep;
	void (*changed)(void *arg, const char *plural, const char *ns, const char *name);
	void *arg;
};

static void watched_free(struct watched *w)
{
	informer_remove_handler(&w->h);
	if (w->i)
		informer_free(w->i);
	free(w->ns);
	free(w->name);
	free(w);
}

static void on_event(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	struct watched *w = container_of(h, struct watched, h);

	if (w->was_synced && w->owner->changed)
		w->owner->changed(w->owner->arg, w->r->plural, w->ns, w->name);
}

static void sweep(struct timer *t)
{
	struct objects *x = container_of(t, struct objects, sweep);
	int64_t now = loop_monotonic_ns(kclient_loop(x->c));
	struct map_entry *m;
	size_t pos = 0;

	while ((m = map_next(&x->by_key, &pos))) {
		struct watched *w = m->value;
		if (w->users || now - w->used_ns < KEEP_NS)
			continue;
		map_del(&x->by_key, slice_n(m->key, m->key_len));
		watched_free(w);
	}
	if (x->by_key.n)
		timer_set(kclient_loop(x->c), t, KEEP_NS / 5, sweep);
}

static int watched_new(struct objects *x, const struct kube_resource *r, const char *ns, const char *name, const char *key, struct watched **ret, struct err *e)
{
	char selector[300];
	struct watched *w = x->by_key.n < OBJECTS_MAX ? calloc(1, sizeof *w) : NULL;

	if (!w)
		return err_nomem(e);
	w->owner = x;
	w->r = r;
	w->h.event = on_event;
	list_init(&w->h.node);
	w->ns = slice_dup(slice_of(ns));
	w->name = slice_dup(slice_of(name));
	int rc = w->ns && w->name && fmt_into(selector, sizeof selector, "metadata.name=%s", name) ? 0 : -ENOMEM;
	if (rc == 0)
		rc = informer_new(x->c, r, w->ns, NULL, selector, &w->i, e);
	if (rc >= 0)
		rc = map_sets(&x->by_key, key, w);
	if (rc < 0) {
		watched_free(w);
		return rc;
	}
	informer_add_handler(w->i, &w->h);
	if (x->by_key.n == 1)
		timer_set(kclient_loop(x->c), &x->sweep, KEEP_NS / 5, sweep);
	*ret = w;
	return 0;
}

int objects_get_wait(struct objects *x, const struct kube_resource *r, const char *ns, const char *name, struct arena *a, void *ret, struct err *e)
{
	const char *key = arena_fmt(a, "%s/%s/%s", r->plural, ns, name);
	struct watched *w = key ? map_gets(&x->by_key, key) : NULL;
	struct err why = { 0 };

	if (!key)
		return err_nomem(e);
	if (!w && watched_new(x, r, ns, name, key, &w, &why) < 0)
		return kclient_get_wait(x->c, r, ns, name, a, ret, e);
	w->used_ns = loop_monotonic_ns(kclient_loop(x->c));
	w->users++;
	int rc = informer_synced(w->i) ? 0 : informer_synced_wait(w->i, SYNC_NS);
	w->users--;
	if (rc == -ECANCELED)
		return rc;
	w->was_synced |= rc >= 0;
	struct kobject *o = rc < 0 ? NULL : informer_get(w->i, ns, name);
	/* what the watch does not know may be newer than the watch */
	return o ? schema_copy(r->type, o->obj, a, ret) : kclient_get_wait(x->c, r, ns, name, a, ret, e);
}

void objects_on_change(struct objects *x, void (*changed)(void *arg, const char *plural, const char *ns, const char *name), void *arg)
{
	x->changed = changed;
	x->arg = arg;
}

int objects_new(struct kclient *c, struct objects **ret)
{
	struct objects *x = calloc(1, sizeof *x);

	if (!x)
		return -ENOMEM;
	x->c = c;
	map_init(&x->by_key);
	*ret = x;
	return 0;
}

void objects_free(struct objects *x)
{
	struct map_entry *m;
	size_t pos = 0;

	if (!x)
		return;
	timer_cancel(&x->sweep);
	while ((m = map_next(&x->by_key, &pos)))
		watched_free(m->value);
	map_release(&x->by_key);
	free(x);
}
