/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events live an hour after they were last written. Their age is told by
 * revisions: what the newest one was is noted every minute, and an event that
 * has not changed since the note of an hour ago goes. After a restart all of
 * them count as new. Caller: the keeper's fiber.
 */
#include "kube/api/api_int.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { BATCH = 500 };
static const int64_t NOTE_EVERY_NS = 60 * NS_PER_S;

struct old { const char *key; int64_t revision; };

/* Up to BATCH events that have not changed since limit. */
static size_t collect(struct api_cache *c, int64_t limit, struct arena *arena, struct old *ret)
{
	size_t n = 0;
	for (size_t i = 0; i < c->items.n && n < BATCH; i++) {
		const struct store_object *o = c->items.v[i]->o;
		if (o->revision > limit)
			continue;
		ret[n].key = arena_strdup(arena, o->key);
		ret[n].revision = o->revision;
		if (!ret[n].key)
			break;
		n++;
	}
	return n;
}

static void expire_wait(struct kube_api *a, int64_t limit)
{
	struct api_cache *c = map_gets(&a->caches, "events");
	size_t n = BATCH;
	while (c && n == BATCH && !a->stopping) {
		AUTO(arena) struct arena arena;
		arena_init(&arena, 4 << 20);
		struct old *v = arena_array(&arena, BATCH, sizeof *v);
		int64_t last = 0;
		n = v ? collect(c, limit, &arena, v) : 0;
		for (size_t i = 0; i < n; i++) {
			struct store_object *gone = NULL;
			struct err e = { 0 };
			int r = store_delete_wait(a->store, v[i].key, v[i].revision, &gone, NULL, &e);
			if (r < 0 && r != -EBUSY && r != -ENOENT) {       /* those have changed, or went by themselves */
				log_warn("old events cannot be removed", "error=%s", e.text);
				return;
			}
			if (gone)
				last = gone->revision;
			store_object_unref(gone);
		}
		if (last && api_seen_wait(a, last, 10 * NS_PER_S) < 0)
			return;
	}
}

void api_expire_wait(struct kube_api *a)
{
	struct api_expiry *x = &a->expiry;
	int64_t now = loop_monotonic_ns(a->loop);
	if (now < x->next_ns)
		return;
	x->next_ns = now + NOTE_EVERY_NS;
	int64_t hour_ago = x->n >= API_EXPIRY_NOTES ? x->notes[x->n % API_EXPIRY_NOTES] : 0;
	x->notes[x->n++ % API_EXPIRY_NOTES] = store_revision(a->store);
	if (hour_ago)
		expire_wait(a, hour_ago);
}
