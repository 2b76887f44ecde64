// SPDX-License-Identifier: Apache-2.0
/*
 * Events. One that repeats (same object, type, reason and message) is not
 * written again: its count goes up. Writing is a fiber's work that exists only
 * while something waits; an object that talks too much (more than 25 different
 * ones, then one in 5 s) is cut off, and so is the whole recorder past 50 a second.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "kube/client/client_int.h"
#include "schema/tree.h"

enum { KNOWN_MAX = 1024, WAITING_MAX = 1000, MESSAGE_MAX = 1024, OBJECT_BURST = 25 };
static const int64_t EVERY_NS = NS_PER_S / 50, OBJECT_EVERY_NS = 5 * NS_PER_S;

/* An event that was or will be written. */
struct known {
	struct list node;             /* by last use, oldest first */
	struct list waiting;          /* while it must be written */
	struct arena arena;
	char *key;
	struct kube_event e;
	bool is_written, is_waiting, is_busy;
};
/* How much an object has said. */
struct talker {
	struct list node;
	char *key;
	double tokens;
	int64_t at_ns;
};
struct kevents {
	struct kclient *c;
	const struct kube_resource *resource;
	struct arena strings;
	const char *component, *host;
	struct map known, talkers;
	struct list all, waiting, all_talkers;
	unsigned n_waiting;
	struct fiber *writer;
	struct loop_call start;
	bool start_posted, freed;
	uint64_t serial;
	unsigned refs;
};

static void known_free(struct known *k)
{
	list_del(&k->node);
	list_del(&k->waiting);
	free(k->key);
	arena_release(&k->arena);
	free(k);
}

static void talker_free(struct kevents *ev, struct talker *t)
{
	map_dels(&ev->talkers, t->key);
	list_del(&t->node);
	free(t->key);
	free(t);
}

static void kevents_unref(struct kevents *ev)
{
	if (--ev->refs)
		return;
	while (!list_empty(&ev->all))
		known_free(list_first(&ev->all, struct known, node));
	while (!list_empty(&ev->all_talkers))
		talker_free(ev, list_first(&ev->all_talkers, struct talker, node));
	map_release(&ev->known);
	map_release(&ev->talkers);
	kclient_unref(ev->c);
	arena_release(&ev->strings);
	free(ev);
}

/* --- writing */

static int create_wait(struct kevents *ev, struct known *k, struct err *e)
{
	AUTO(arena) struct arena a;

	arena_init(&a, OBJECT_ARENA_MAX);
	return kclient_create_wait(ev->c, ev->resource, k->e.metadata.namespace, &k->e, &a, NULL, e);
}

static int count_up_wait(struct kevents *ev, struct known *k, struct err *e)
{
	AUTO(arena) struct arena a;
	AUTO(buf) struct buf body = BUF_INIT(8192);
	struct tree patch = tree_map(), count = tree_null();
	int r;

	arena_init(&a, OBJECT_ARENA_MAX);
	r = tree_int(&a, k->e.count, &count);
	if (r < 0 || !tree_set(&a, &patch, SLICE("count"), count) ||
	    !tree_set(&a, &patch, SLICE("lastTimestamp"), tree_string(slice_of(k->e.last_timestamp))))
		return err_nomem(e);
	r = tree_to_json(&patch, 0, &body);
	if (r < 0)
		return err_nomem(e);
	return kclient_patch_wait(ev->c, ev->resource, k->e.metadata.namespace, k->e.metadata.name, NULL, KPATCH_MERGE, buf_slice(&body), &a, NULL, e);
}

static void write_one_wait(struct kevents *ev, struct known *k)
{
	struct err e;
	int r;

	k->is_busy = true;
	k->is_waiting = false;
	ev->n_waiting--;
	list_del(&k->waiting);
	r = k->is_written ? count_up_wait(ev, k, &e) : create_wait(ev, k, &e);
	if (r == -ENOENT && k->is_written)     /* it has expired */
		r = create_wait(ev, k, &e);
	if (r == -EEXIST)
		r = 0;
	k->is_busy = false;
	k->is_written |= r == 0;
	/* A namespace that ends takes no more events, and that is nobody's fault. */
	if (r < 0 && r != -ECANCELED)
		log_debug("event not written", "reason=%s error=\"%s\"", k->e.reason, e.text);
}

static void writer_fiber(void *arg)
{
	struct kevents *ev = arg;

	ev->writer = fiber_self();
	while (!ev->freed && !list_empty(&ev->waiting)) {
		write_one_wait(ev, list_first(&ev->waiting, struct known, waiting));
		if (!ev->freed && sleep_wait(EVERY_NS) < 0)
			break;
	}
	ev->writer = NULL;
	kevents_unref(ev);
}

static void start_writer(struct loop_call *c)
{
	struct kevents *ev = container_of(c, struct kevents, start);

	ev->start_posted = false;
	if (!ev->freed && !ev->writer) {
		ev->refs++;
		if (fiber_start(ev->c->loop, "events", writer_fiber, ev) < 0)
			ev->refs--;
	}
	kevents_unref(ev);
}

static void wait_for_writer(struct kevents *ev, struct known *k)
{
	if (!k->is_waiting) {
		k->is_waiting = true;
		ev->n_waiting++;
		list_add_tail(&ev->waiting, &k->waiting);
	}
	if (ev->writer || ev->start_posted)
		return;
	ev->start_posted = true;
	ev->refs++;
	ev->start.fn = start_writer;
	loop_post(ev->c->loop, &ev->start);
}

/* --- adding */

static bool may_talk(struct kevents *ev, const char *uid)
{
	struct talker *t = map_gets(&ev->talkers, uid);
	int64_t now = loop_monotonic_ns(ev->c->loop);

	if (!t) {
		t = calloc(1, sizeof *t);
		if (!t)
			return false;
		t->key = slice_dup(slice_of(uid));
		if (!t->key || map_sets(&ev->talkers, uid, t) < 0) {
			free(t->key);
			free(t);
			return false;
		}
		t->tokens = OBJECT_BURST;
		t->at_ns = now;
		list_init(&t->node);
	}
	list_del(&t->node);
	list_add_tail(&ev->all_talkers, &t->node);
	t->tokens = MIN(t->tokens + (double)(now - t->at_ns) / (double)OBJECT_EVERY_NS, (double)OBJECT_BURST);
	t->at_ns = now;
	if (ev->talkers.n > KNOWN_MAX)
		talker_free(ev, list_first(&ev->all_talkers, struct talker, node));
	if (t->tokens < 1)
		return false;
	t->tokens -= 1;
	return true;
}

/* What is neither waiting nor being written and was used longest ago. */
static void forget_one(struct kevents *ev)
{
	struct known *k;

	list_each(k, &ev->all, node)
		if (!k->is_waiting && !k->is_busy) {
			map_dels(&ev->known, k->key);
			known_free(k);
			return;
		}
}

static bool fill(struct kevents *ev, struct known *k, const struct kube_resource *r, const struct kube_object_meta *about, const char *field_path,
	const char *type, const char *reason, const char *message, const char *now)
{
	struct arena *a = &k->arena;
	struct kube_event *e = &k->e;
	struct kube_object_reference *o = &e->involved_object;
	char gv[128];

	o->kind = r->kind;
	o->api_version = arena_strdup(a, kube_group_version_text(r->group, r->version, gv, sizeof gv));
	o->namespace = arena_strdup(a, about->namespace);
	o->name = arena_strdup(a, about->name);
	o->uid = arena_strdup(a, about->uid);
	o->resource_version = arena_strdup(a, about->resource_version);
	o->field_path = arena_strdup(a, field_path);
	e->metadata.namespace = o->namespace && *o->namespace ? o->namespace : "default";
	e->metadata.name = arena_fmt(a, "%.200s.%016llx", about->name ? about->name : "",
		(unsigned long long)loop_realtime_ns(ev->c->loop) + (unsigned long long)ev->serial++);
	e->type = arena_strdup(a, type);
	e->reason = arena_strdup(a, reason);
	e->message = arena_strdup(a, message);
	e->source = (struct kube_event_source){ ev->component, ev->host };
	e->reporting_component = ev->component;
	e->reporting_instance = ev->host;
	e->first_timestamp = arena_strdup(a, now);
	e->last_timestamp = arena_strdup(a, now);
	e->count = 1;
	return e->first_timestamp && e->last_timestamp && e->message && e->reason && e->metadata.name && o->api_version;
}

void kevents_add(struct kevents *ev, const struct kube_resource *r, const struct kube_object_meta *about, const char *field_path, const char *type,
	const char *reason, const char *fmt, ...)
{
	AUTO(buf) struct buf key = BUF_INIT(8192);
	char message[MESSAGE_MAX], now[CLOCK_TEXT_MAX];
	struct known *k;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	clock_rfc3339(now, loop_realtime_ns(ev->c->loop));
	buf_addf(&key, "%s\n%s\n%s\n%s\n%s", about->uid && *about->uid ? about->uid : about->name, field_path ? field_path : "", type, reason, message);
	if (buf_error(&key) || ev->freed)
		return;
	k = map_gets(&ev->known, key.ptr);
	if (!k) {
		if (ev->n_waiting >= WAITING_MAX || !may_talk(ev, about->uid && *about->uid ? about->uid : about->name))
			return;
		if (ev->known.n >= KNOWN_MAX)
			forget_one(ev);
		k = calloc(1, sizeof *k);
		if (!k)
			return;
		list_init(&k->node);
		list_init(&k->waiting);
		arena_init(&k->arena, 64 * 1024);
		k->key = slice_dup(buf_slice(&key));
		if (!k->key || !fill(ev, k, r, about, field_path, type, reason, message, now) || map_sets(&ev->known, key.ptr, k) < 0) {
			known_free(k);
			return;
		}
	} else {
		/* In place, it is our own copy and always of one length. */
		memcpy((char *)k->e.last_timestamp, now, strlen(k->e.last_timestamp));
		k->e.count++;
	}
	list_del(&k->node);
	list_add_tail(&ev->all, &k->node);
	wait_for_writer(ev, k);
}

int kevents_new(struct kclient *c, const char *component, const char *host, struct kevents **ret)
{
	struct kevents *ev = calloc(1, sizeof *ev);

	if (!ev)
		return -ENOMEM;
	ev->c = kclient_ref(c);
	ev->resource = kube_resource_find("", "v1", "events");
	arena_init(&ev->strings, 4096);
	ev->component = arena_strdup(&ev->strings, component);
	ev->host = arena_strdup(&ev->strings, host);
	map_init(&ev->known);
	map_init(&ev->talkers);
	list_init(&ev->all);
	list_init(&ev->waiting);
	list_init(&ev->all_talkers);
	ev->refs = 1;
	*ret = ev;
	return 0;
}

void kevents_free(struct kevents *ev)
{
	if (!ev)
		return;
	ev->freed = true;
	if (ev->writer)
		fiber_cancel(ev->writer);
	kevents_unref(ev);
}
