/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: the last 256 are kept for replay; every reader has a queue with a
 * ceiling and is told when it was too slow. One event is one counted object,
 * shared by the ring and all queues.
 */
#include <errno.h>

#include "base/clock.h"
#include "engine/engine_int.h"

enum { READER_QUEUE_MAX = 4096 };

struct event {
	unsigned refs;
	struct arena arena;
	struct docker_event m;
};
struct event_reader {
	struct engine *eng;
	struct list node;
	const struct filters *filters;
	int64_t until_ns;
	struct event **queue;           /* from at to n */
	size_t at, n, cap;
	bool overflowed;
	struct event *current;
	struct waitq q;
};
struct events {
	struct event *ring[EVENTS_KEPT];
	size_t next;
	struct list readers;
};

static void event_unref(struct event *ev)
{
	if (!ev || --ev->refs)
		return;
	arena_release(&ev->arena);
	free(ev);
}

struct events *events_new(void)
{
	struct events *x = calloc(1, sizeof *x);
	if (x)
		list_init(&x->readers);
	return x;
}

void events_free(struct events *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < EVENTS_KEPT; i++)
		event_unref(x->ring[i]);
	free(x);
}

unsigned events_readers(struct events *x)
{
	unsigned n = 0;
	struct event_reader *r;
	list_each(r, &x->readers, node)
		n++;
	return n;
}

/* An object's own filter: by id (prefix of it) or name. */
static bool actor_matches(const struct filters *f, const char *key, const struct docker_event *m)
{
	const struct filter *x = filters_get(f, key);
	if (!x)
		return true;
	if (strcmp(m->type, key))
		return false;
	const char *name = schema_pair_get(m->actor.attributes, m->actor.n_attributes, "name");
	for (uint32_t i = 0; i < x->n; i++) {
		const char *v = *x->values[i] == '/' ? x->values[i] + 1 : x->values[i];
		if (!strcmp(v, m->actor.id) || (name && !strcmp(v, name)) || (strlen(v) >= 4 && !strncmp(v, m->actor.id, strlen(v))))
			return true;
	}
	return false;
}

static bool image_matches(const struct filters *f, const struct docker_event *m)
{
	const struct filter *x = filters_get(f, "image");
	if (!x)
		return true;
	const char *name = schema_pair_get(m->actor.attributes, m->actor.n_attributes, strcmp(m->type, "image") ? "image" : "name");
	for (uint32_t i = 0; i < x->n; i++) {
		const char *v = x->values[i];
		size_t n = strlen(v);
		if ((!strcmp(m->type, "image") && !strcmp(v, m->actor.id)) || (name && !strcmp(v, name)))
			return true;
		if (name && !strncmp(name, v, n) && name[n] == ':')
			return true;
	}
	return false;
}

static bool action_matches(const struct filters *f, const char *action)
{
	const struct filter *x = filters_get(f, "event");
	if (!x)
		return true;
	for (uint32_t i = 0; i < x->n; i++) {
		size_t n = strlen(x->values[i]);
		if (!strcmp(action, x->values[i]) || (!strncmp(action, x->values[i], n) && action[n] == ':'))
			return true;
	}
	return false;
}

bool event_matches(const struct filters *f, const struct docker_event *m)
{
	static const char *const kinds[] = { "container", "volume", "network", "daemon", "plugin" };
	if (!action_matches(f, m->action) || !filters_exact(f, "type", m->type) || !filters_exact(f, "scope", m->scope))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!actor_matches(f, kinds[i], m))
			return false;
	return image_matches(f, m) && filters_labels(f, m->actor.attributes, m->actor.n_attributes, false);
}

static void reader_push(struct event_reader *r, struct event *ev)
{
	if (r->overflowed || !event_matches(r->filters, &ev->m))
		return;
	if (r->at && r->at == r->n)
		r->at = r->n = 0;
	if (r->n == r->cap) {
		if (r->at) {
			memmove(r->queue, r->queue + r->at, (r->n - r->at) * sizeof *r->queue);
			r->n -= r->at;
			r->at = 0;
		} else {
			size_t cap = r->cap ? r->cap * 2 : 16;
			struct event **q = cap > READER_QUEUE_MAX ? NULL : realloc(r->queue, cap * sizeof *q);
			if (!q) {
				r->overflowed = true;
				waitq_wake_all(&r->q);
				return;
			}
			r->queue = q;
			r->cap = cap;
		}
	}
	ev->refs++;
	r->queue[r->n++] = ev;
	waitq_wake_all(&r->q);
}

void engine_event(struct engine *eng, const char *type, const char *action, const char *id, const struct schema_pair *attributes,
		  uint32_t n_attributes)
{
	struct event *ev = calloc(1, sizeof *ev);
	if (!ev)
		return;
	ev->refs = 1;
	arena_init(&ev->arena, 4 << 20);
	int64_t now = clock_realtime_ns();
	struct docker_event m = { .type = type, .action = action, .scope = "local", .time = now / NS_PER_S, .time_nano = now,
		.actor = { id, (struct schema_pair *)attributes, n_attributes } };
	if (!strcmp(type, "container") || !strcmp(type, "image")) {
		m.status = action;
		m.id = id;
		m.from = strcmp(type, "image") ? schema_pair_get(attributes, n_attributes, "image") : NULL;
	}
	if (!m.actor.attributes)
		m.actor.attributes = (struct schema_pair[1]){ { 0 } };
	if (schema_copy(T_docker_event, &m, &ev->arena, &ev->m) < 0) {
		event_unref(ev);
		return;
	}
	struct events *x = eng->events;
	event_unref(x->ring[x->next]);
	x->ring[x->next] = ev;
	x->next = (x->next + 1) % EVENTS_KEPT;
	struct event_reader *r;
	list_each(r, &x->readers, node)
		reader_push(r, ev);
}

int event_reader_new(struct engine *eng, int64_t since_ns, int64_t until_ns, const struct filters *f, struct event_reader **ret, struct err *e)
{
	if (until_ns && since_ns > until_ns)
		return err_set(e, EINVAL, "`since` time (%lld.%09lld) cannot be after `until` time (%lld.%09lld)", (long long)(since_ns / NS_PER_S),
			       (long long)(since_ns % NS_PER_S), (long long)(until_ns / NS_PER_S), (long long)(until_ns % NS_PER_S));
	struct event_reader *r = calloc(1, sizeof *r);
	if (!r)
		return err_nomem(e);
	r->eng = eng;
	r->filters = f;
	r->until_ns = until_ns;
	waitq_init(&r->q);
	struct events *x = eng->events;
	for (size_t i = 0; (since_ns || until_ns) && i < EVENTS_KEPT; i++) {
		struct event *ev = x->ring[(x->next + i) % EVENTS_KEPT];
		if (ev && ev->m.time_nano >= since_ns && (!until_ns || ev->m.time_nano <= until_ns))
			reader_push(r, ev);
	}
	list_add_tail(&x->readers, &r->node);
	*ret = r;
	return 0;
}

int event_reader_next_wait(struct event_reader *r, int64_t timeout_ns, const struct docker_event **ret)
{
	event_unref(r->current);
	r->current = NULL;
	int64_t start = loop_monotonic_ns(r->eng->loop);
	for (;;) {
		if (r->at < r->n) {
			r->current = r->queue[r->at++];
			if (r->until_ns && r->current->m.time_nano > r->until_ns)
				return 0;
			*ret = &r->current->m;
			return 1;
		}
		if (r->overflowed)
			return -EOVERFLOW;
		int64_t left = timeout_ns - (loop_monotonic_ns(r->eng->loop) - start);
		if (r->until_ns) {
			int64_t end = r->until_ns - clock_realtime_ns();
			if (end <= 0)
				return 0;
			left = MIN(left, end);
		}
		if (left <= 0)
			return -ETIMEDOUT;
		int w = waitq_wait(&r->q, left);
		if (w < 0 && w != -ETIMEDOUT)
			return w;
		if (r->eng->is_closing)
			return 0;
	}
}

void event_reader_free(struct event_reader *r)
{
	if (!r)
		return;
	list_del(&r->node);
	event_unref(r->current);
	while (r->at < r->n)
		event_unref(r->queue[r->at++]);
	free(r->queue);
	free(r);
}
