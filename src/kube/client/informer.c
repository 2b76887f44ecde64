// SPDX-License-Identifier: Apache-2.0
/*
 * Informers: one fiber lists in pages, then follows a watch from the list's
 * version for as long as the server can go on from where it was; after 410 it
 * lists again and tells the differences.
 *
 *	LIST ──all pages──▶ WATCH ──ended, peer lost──▶ WATCH (from the last version seen)
 *	 ▲                    │
 *	 └─────── 410 ────────┘        every error waits: 0.1 s doubling to 10 s
 *
 * The cache changes only in that fiber and between two suspends, so whoever
 * walks it without suspending sees one state.
 */
#include <errno.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "base/rand.h"
#include "kube/client/client_int.h"
#include "kube/client/index_int.h"

static const int64_t BACKOFF_LEAST_NS = 100 * NS_PER_MS, BACKOFF_MOST_NS = 10 * NS_PER_S;

struct informer {
	struct kclient *c;
	const struct kube_resource *resource;
	struct arena strings;
	const char *ns, *label_selector, *field_selector;
	struct map objects;              /* key → kobject, one reference */
	struct kindex *indexes;
	struct kindex *by_namespace;
	struct list handlers;
	struct waitq synced_q;
	struct fiber *fiber;
	char revision[32];               /* to watch from; "" lists first */
	int64_t seen;                    /* the same as a number, once all of a list is in */
	int64_t backoff_ns;
	bool synced, freed;
	unsigned refs;                   /* the owner's, the fiber's */
};

static void informer_unref(struct informer *i)
{
	struct map_entry *m;
	size_t pos = 0;

	if (--i->refs)
		return;
	while ((m = map_next(&i->objects, &pos)))
		kobject_unref(m->value);
	map_release(&i->objects);
	kindex_free_all(i->indexes);
	kclient_unref(i->c);
	arena_release(&i->strings);
	free(i);
}

/* --- the cache */

static void tell(struct informer *i, struct kobject *old, struct kobject *now)
{
	struct informer_handler *h;

	list_each(h, &i->handlers, node)
		h->event(h, old, now);
}

/* Takes now. */
static int put(struct informer *i, struct kobject *now)
{
	void *old = NULL;
	int r = map_set(&i->objects, slice_of(now->key), now, &old);

	if (r == 0)
		r = kindex_change(i->indexes, old, now);
	if (r < 0) {
		/* Without memory for it the cache would be wrong: forget and list again. */
		if (map_gets(&i->objects, now->key) == now)
			map_dels(&i->objects, now->key);
		kobject_unref(old);
		kobject_unref(now);
		return r;
	}
	if (!old || ((struct kobject *)old)->revision != now->revision)
		tell(i, old, now);
	kobject_unref(old);
	return 0;
}

static void drop(struct informer *i, const char *key, struct kobject *last)
{
	struct kobject *old = map_dels(&i->objects, key);

	if (!old)
		return;
	kindex_change(i->indexes, old, NULL);
	tell(i, last ? last : old, NULL);
	kobject_unref(old);
}

/* As a number, which Kubernetes promises since 1.35; other texts count as nothing. */
static void see(struct informer *i)
{
	int64_t n;

	if (num_parse_i64(slice_of(i->revision), 0, INT64_MAX, &n) == 0)
		i->seen = MAX(i->seen, n);
}

/* --- listing */

static int take_page(struct informer *i, const struct kube_list_head *page, struct map *seen)
{
	size_t size = schema_size(i->resource->type);
	char *at = page->items;

	for (uint32_t k = 0; k < page->n_items; k++, at += size) {
		struct kube_head *h = (struct kube_head *)at;
		struct kobject *o, *old;
		int r;

		h->metadata.managed_fields = NULL;
		h->metadata.n_managed_fields = 0;
		r = kobject_from_struct(i->resource, h, &o);
		if (r < 0)
			return r;
		r = map_sets(seen, o->key, i);
		old = map_gets(&i->objects, o->key);
		/* Another uid under the same name: one was deleted and one was made while nobody watched. */
		if (r == 0 && old && strcmp(kobject_meta(old)->uid, kobject_meta(o)->uid) != 0)
			drop(i, o->key, NULL);
		if (r == 0)
			r = put(i, o);
		else
			kobject_unref(o);
		if (r < 0)
			return r;
	}
	return 0;
}

static int list_page_wait(struct informer *i, struct map *seen, char **cont, struct err *e)
{
	AUTO(buf) struct buf target = BUF_INIT(64 * 1024);
	AUTO(buf) struct buf out = BUF_INIT(ANSWER_MAX);
	AUTO(arena) struct arena a;
	struct kube_list_head *page;
	int status, r;

	arena_init(&a, CALL_ARENA_MAX);
	kube_resource_path(i->resource, i->ns, NULL, NULL, &target);
	kclient_param(&target, "labelSelector", i->label_selector);
	kclient_param(&target, "fieldSelector", i->field_selector);
	kclient_param(&target, "limit", "500");
	kclient_param(&target, "continue", *cont);
	r = buf_error(&target);
	if (r == 0)
		r = kclient_raw_wait(i->c, "GET", target.ptr, NULL, slice_n(NULL, 0), &status, &out, e);
	/* Behind it, not even the resource's row need be there. */
	if (r < 0 || i->freed)
		return r < 0 ? r : -ECANCELED;
	if (status != 200)
		return kclient_status_error(status, buf_slice(&out), e);
	page = arena_alloc(&a, schema_size(i->resource->list));
	if (!page)
		return err_nomem(e);
	r = schema_from_json(i->resource->list, buf_slice(&out), SCHEMA_NO_COPY, &a, page, e);
	if (r < 0)
		return r;
	free(*cont);
	*cont = NULL;
	if (page->metadata.continue_ && *page->metadata.continue_) {
		*cont = slice_dup(slice_of(page->metadata.continue_));
		if (!*cont)
			return err_nomem(e);
	}
	r = take_page(i, page, seen);
	if (r < 0)
		return err_sys(e, r, "keeping a page of %s", i->resource->plural);
	fmt_into(i->revision, sizeof i->revision, "%s", page->metadata.resource_version ? page->metadata.resource_version : "0");
	return 0;
}

/* Tells what is no longer there. */
static void sweep(struct informer *i, const struct map *seen)
{
	struct map_entry *m;
	size_t pos = 0;

	while ((m = map_next(&i->objects, &pos)))
		if (!map_gets(seen, m->key)) {
			struct kobject *o = kobject_ref(m->value);

			drop(i, o->key, NULL);
			kobject_unref(o);
		}
}

static int list_wait(struct informer *i, struct err *e)
{
	struct map seen;
	char *cont = NULL;
	int r;

	map_init(&seen);
	do
		r = list_page_wait(i, &seen, &cont, e);
	while (r == 0 && cont);
	free(cont);
	if (r == 0 && !i->freed) {
		sweep(i, &seen);
		see(i);
		i->synced = true;
		waitq_wake_all(&i->synced_q);
	} else {
		i->revision[0] = 0;
	}
	map_release(&seen);
	return r;
}

/* --- watching */

static int take_object(struct informer *i, const struct kube_watch_event *w, bool deleted, struct err *e)
{
	struct kobject *o, *old;
	int r = kobject_from_json(i->resource, w->object, &o, e);

	if (r < 0)
		return r;
	if (kobject_meta(o)->resource_version)
		fmt_into(i->revision, sizeof i->revision, "%s", kobject_meta(o)->resource_version);
	if (deleted) {
		see(i);
		drop(i, o->key, o);
		kobject_unref(o);
		return 0;
	}
	see(i);
	old = map_gets(&i->objects, o->key);
	if (old && old->revision >= o->revision && o->revision) {
		kobject_unref(o);
		return 0;
	}
	r = put(i, o);
	return r < 0 ? err_sys(e, r, "keeping a %s", i->resource->kind) : 0;
}

static int take_event(struct informer *i, struct slice line, struct err *e)
{
	AUTO(arena) struct arena a;
	struct kube_watch_event w;
	int r;

	arena_init(&a, 4 * OBJECT_ARENA_MAX);
	r = schema_from_json(T_kube_watch_event, line, SCHEMA_NO_COPY, &a, &w, e);
	if (r < 0)
		return r;
	if (!w.type)
		return err_set(e, EBADMSG, "an event of a watch has no type");
	if (!strcmp(w.type, "ADDED") || !strcmp(w.type, "MODIFIED"))
		return take_object(i, &w, false, e);
	if (!strcmp(w.type, "DELETED"))
		return take_object(i, &w, true, e);
	if (!strcmp(w.type, "BOOKMARK")) {
		struct kube_partial_object_metadata p = { 0 };

		r = schema_from_json(T_kube_partial_object_metadata, w.object, 0, &a, &p, e);
		if (r == 0 && p.metadata.resource_version && *p.metadata.resource_version)
			fmt_into(i->revision, sizeof i->revision, "%s", p.metadata.resource_version);
		see(i);
		return r;
	}
	if (!strcmp(w.type, "ERROR"))
		return kclient_status_error(500, w.object, e);
	return err_set(e, EBADMSG, "an event of a watch has the type \"%s\"", w.type);
}

/* Events from a watch's body until it ends. */
static int follow_wait(struct informer *i, struct http_call *call, unsigned *n_events, struct err *e)
{
	AUTO(buf) struct buf in = BUF_INIT(ANSWER_MAX);
	AUTO(free) char *p = malloc(16384);
	size_t scanned = 0;

	if (!p)
		return err_nomem(e);
	for (;;) {
		ssize_t n = http_call_read_wait(call, p, 16384);
		size_t at = 0;
		char *nl;

		if (i->freed)
			return -ECANCELED;
		if (n <= 0)
			return n < 0 ? err_sys(e, (int)n, "watching %s", i->resource->plural) : 0;
		if (buf_add(&in, p, (size_t)n) < 0)
			return err_set(e, EMSGSIZE, "an event of %s is larger than %d bytes", i->resource->plural, ANSWER_MAX);
		while ((nl = memchr(in.ptr + scanned, '\n', in.len - scanned))) {
			size_t end = (size_t)(nl - in.ptr);
			int r = end > at ? take_event(i, slice_n(in.ptr + at, end - at), e) : 0;

			if (r < 0)
				return r;
			++*n_events;
			i->backoff_ns = 0;
			at = scanned = end + 1;
		}
		buf_drop(&in, at);
		scanned = in.len;
	}
}

static int watch_wait(struct informer *i, unsigned *n_events, struct err *e)
{
	AUTO(buf) struct buf target = BUF_INIT(64 * 1024);
	AUTO(buf) struct buf body = BUF_INIT(64 * 1024);
	AUTO(arena) struct arena a;
	struct http_call call;
	char seconds[24];
	int r;

	arena_init(&a, 256 * 1024);
	/* Spread, so that the watches of one process do not all end in the same second. */
	fmt_into(seconds, sizeof seconds, "%u", 300 + (unsigned)(rand_u64() % 300));
	kube_resource_path(i->resource, i->ns, NULL, NULL, &target);
	kclient_param(&target, "watch", "1");
	kclient_param(&target, "labelSelector", i->label_selector);
	kclient_param(&target, "fieldSelector", i->field_selector);
	kclient_param(&target, "resourceVersion", i->revision);
	kclient_param(&target, "allowWatchBookmarks", "true");
	kclient_param(&target, "timeoutSeconds", seconds);
	r = buf_error(&target);
	if (r == 0)
		r = kclient_call_wait(i->c, i->c->watch_http, "GET", target.ptr, NULL, slice_n(NULL, 0), &a, &call, e);
	if (r < 0)
		return r;
	if (i->freed) {
		r = -ECANCELED;
	} else if (call.status != 200) {
		http_call_body_wait(&call, body.max, &body, NULL);
		r = kclient_status_error(call.status, buf_slice(&body), e);
	} else {
		r = follow_wait(i, &call, n_events, e);
	}
	http_call_release(&call);
	return r;
}

static void run_fiber(void *arg)
{
	struct informer *i = arg;

	i->fiber = fiber_self();
	while (!i->freed) {
		struct err e = { 0 };
		bool listing = !i->revision[0];
		unsigned n_events = 0;
		int r = listing ? list_wait(i, &e) : watch_wait(i, &n_events, &e);

		if (i->freed || r == -ECANCELED)
			break;
		if (r == 0 && (listing || n_events))
			continue;
		if (r == -ESTALE)
			i->revision[0] = 0;
		if (r < 0 && r != -ESTALE)
			log_line(r == -ECONNREFUSED || r == -EPIPE || r == -ECONNRESET ? LOG_DEBUG_ : LOG_WARN_, listing ? "list failed" : "watch failed",
				"resource=%s error=\"%s\"", i->resource->plural, e.text);
		i->backoff_ns = i->backoff_ns ? MIN(i->backoff_ns * 2, BACKOFF_MOST_NS) : BACKOFF_LEAST_NS;
		if (sleep_wait(i->backoff_ns / 2 + (int64_t)(rand_u64() % (uint64_t)(i->backoff_ns / 2))) < 0)
			break;
	}
	i->fiber = NULL;
	informer_unref(i);
}

/* --- for its users */

static unsigned namespace_of(const struct kobject *o, const char *ret[8])
{
	ret[0] = kobject_meta(o)->namespace;
	return ret[0] && *ret[0] ? 1 : 0;
}

int informer_new(struct kclient *c, const struct kube_resource *r, const char *ns, const char *label_selector, const char *field_selector, struct informer **ret,
	struct err *e)
{
	struct informer *i;
	int rc;

	must(r->list.domain);
	i = calloc(1, sizeof *i);
	if (!i)
		return err_nomem(e);
	i->c = kclient_ref(c);
	i->resource = r;
	i->refs = 1;
	arena_init(&i->strings, 64 * 1024);
	i->ns = arena_strdup(&i->strings, ns);
	i->label_selector = arena_strdup(&i->strings, label_selector);
	i->field_selector = arena_strdup(&i->strings, field_selector);
	map_init(&i->objects);
	list_init(&i->handlers);
	waitq_init(&i->synced_q);
	rc = r->namespaced ? kindex_add(&i->indexes, "namespace", namespace_of, &i->by_namespace) : 0;
	if (rc == 0) {
		i->refs++;
		rc = fiber_start(c->loop, "informer", run_fiber, i);
		if (rc < 0)
			i->refs--;
	}
	if (rc < 0) {
		informer_unref(i);
		return err_sys(e, rc, "starting to watch %s", r->plural);
	}
	*ret = i;
	return 0;
}

void informer_free(struct informer *i)
{
	if (!i)
		return;
	i->freed = true;
	while (!list_empty(&i->handlers))
		list_del(i->handlers.next);
	waitq_wake_all(&i->synced_q);
	if (i->fiber)
		fiber_cancel(i->fiber);
	informer_unref(i);
}

void informer_add_handler(struct informer *i, struct informer_handler *h)
{
	struct map_entry *m;
	size_t pos = 0;

	while ((m = map_next(&i->objects, &pos)))
		h->event(h, NULL, m->value);
	list_add_tail(&i->handlers, &h->node);
}

void informer_remove_handler(struct informer_handler *h)
{
	if (h->node.next)
		list_del(&h->node);
}

bool informer_synced(const struct informer *i) { return i->synced; }
int64_t informer_revision(const struct informer *i) { return i->seen; }
const struct kube_resource *informer_resource(const struct informer *i) { return i->resource; }

int informer_synced_wait(struct informer *i, int64_t timeout_ns)
{
	int64_t end = loop_monotonic_ns(i->c->loop) + timeout_ns;
	int r = 0;

	i->refs++;
	while (r == 0 && !i->synced && !i->freed) {
		int64_t left = timeout_ns < 0 ? -1 : end - loop_monotonic_ns(i->c->loop);

		r = timeout_ns >= 0 && left <= 0 ? -ETIMEDOUT : waitq_wait(&i->synced_q, left);
	}
	if (r == 0 && !i->synced)
		r = -ECANCELED;
	informer_unref(i);
	return r;
}

struct kobject *informer_get_key(const struct informer *i, const char *key) { return map_gets(&i->objects, key); }

struct kobject *informer_get(const struct informer *i, const char *ns, const char *name)
{
	char key[600];

	if (!name)
		return NULL;
	if (!i->resource->namespaced || !ns || !*ns)
		return map_gets(&i->objects, name);
	return fmt_into(key, sizeof key, "%s/%s", ns, name) ? map_gets(&i->objects, key) : NULL;
}

int informer_each(const struct informer *i, const char *ns, int (*fn)(void *arg, struct kobject *o), void *arg)
{
	struct map_entry *m;
	size_t pos = 0;

	if (ns && i->by_namespace)
		return kindex_each(i->by_namespace, ns, fn, arg);
	while ((m = map_next(&i->objects, &pos))) {
		int r = fn(arg, m->value);

		if (r)
			return r;
	}
	return 0;
}

int informer_add_index(struct informer *i, const char *index, unsigned (*keys)(const struct kobject *o, const char *ret[8]))
{
	struct kindex *x = kindex_find(i->indexes, index);
	struct map_entry *m;
	size_t pos = 0;
	int r;

	if (x)
		return 0;
	r = kindex_add(&i->indexes, index, keys, &x);
	while (r == 0 && (m = map_next(&i->objects, &pos)))
		r = kindex_change_one(x, NULL, m->value);
	return r;
}

int informer_each_indexed(const struct informer *i, const char *index, const char *key, int (*fn)(void *arg, struct kobject *o), void *arg)
{
	struct kindex *x = kindex_find(i->indexes, index);

	must(x);
	return kindex_each(x, key, fn, arg);
}
