/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watch cache: for each resource its objects by key and a ring of what
 * happened to them. One store_watch over all keys feeds all caches, so that what
 * was seen is one revision for the whole server.
 */
#include "kube/api/api_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "kube/kind/kind.h"

#define KEEP_NS (120 * NS_PER_S)

/* --- entries */

struct api_entry *api_entry_ref(struct api_entry *x)
{
	x->refs++;
	return x;
}

struct api_entry *api_entry_unref(struct api_entry *x)
{
	if (x && --x->refs == 0) {
		store_object_unref(x->o);
		free(x);
	}
	return NULL;
}

/* Room for copies behind the entry. */
struct room { char *at; };

static const char *put(struct room *m, struct slice s)
{
	char *p = m->at;
	if (s.len)
		memcpy(p, s.ptr, s.len);
	p[s.len] = 0;
	m->at += s.len + 1;
	return p;
}

/* What selectors may ask for besides labels. */
struct fields { unsigned n; struct schema_pair v[32]; };

static int fields_of(const struct api_cache *c, struct slice value, struct arena *a, struct fields *ret)
{
	ret->n = 0;
	if (!c->of)
		return 0;
	if (c->of->custom)
		return api_custom_fields(c->of, value, a, ret->v, ARRAY_LEN(ret->v), &ret->n);
	const struct kind_field *f = kind_fields(c->of->row->type);
	void *obj = f->path ? arena_alloc(a, schema_size(c->of->row->type)) : NULL;
	if (!f->path)
		return 0;
	if (!obj || schema_from_json(c->of->row->type, value, 0, a, obj, NULL) < 0)
		return -EBADMSG;
	for (; f->path && ret->n < ARRAY_LEN(ret->v); f++) {
		char tmp[KIND_FIELD_MAX];
		ret->v[ret->n++] = (struct schema_pair){ f->path, arena_strdup(a, f->get(obj, tmp)) };
	}
	return 0;
}

static size_t pairs_size(const struct kube_object_meta *meta)
{
	size_t n = 0;
	for (uint32_t i = 0; i < meta->n_labels; i++)
		n += sizeof(struct schema_pair) + strlen(meta->labels[i].key) + 2 + strlen(meta->labels[i].value ? meta->labels[i].value : "");
	return n;
}

/* "/pods/ns/name" behind the prefix. */
static void split_key(struct slice key, size_t prefix, struct slice *ns, struct slice *name)
{
	struct slice rest = slice_n(key.ptr + prefix, key.len - prefix);
	if (!slice_cut(rest, '/', ns, name)) {
		*name = rest;
		*ns = SLICE("");
	}
}

struct api_entry *api_entry_new(const struct api_cache *c, struct store_object *o)
{
	AUTO(arena) struct arena a;
	struct slice value = slice_n(o->value, o->value_len), ns, name;
	struct kube_partial_object_metadata head;
	struct fields f;
	uint32_t meta_at, rv_at;
	arena_init(&a, 64 << 20);
	if (api_splice_points(value, &meta_at, &rv_at) < 0 ||
	    schema_from_json(T_kube_partial_object_metadata, value, SCHEMA_NO_COPY, &a, &head, NULL) < 0 || fields_of(c, value, &a, &f) < 0)
		return NULL;
	split_key(slice_n(o->key, o->key_len), c->prefix_len, &ns, &name);
	size_t size = sizeof(struct api_entry) + pairs_size(&head.metadata) + ns.len + name.len + 2;
	for (unsigned i = 0; i < f.n; i++)
		size += sizeof(struct schema_pair) + strlen(f.v[i].value ? f.v[i].value : "") + 1;
	struct api_entry *x = malloc(size);
	if (!x)
		return NULL;
	*x = (struct api_entry){ .refs = 1, .n_labels = (uint16_t)MIN(head.metadata.n_labels, 65535u), .n_fields = (uint16_t)f.n,
		.meta_at = meta_at, .rv_at = rv_at, .o = store_object_ref(o) };
	x->labels = (struct schema_pair *)(x + 1);
	x->fields = x->labels + x->n_labels;
	struct room m = { (char *)(x->fields + f.n) };
	x->ns = put(&m, ns);
	x->name = put(&m, name);
	for (uint32_t i = 0; i < x->n_labels; i++) {
		x->labels[i].key = put(&m, slice_of(head.metadata.labels[i].key));
		x->labels[i].value = put(&m, slice_of(head.metadata.labels[i].value));
	}
	for (unsigned i = 0; i < f.n; i++)
		x->fields[i] = (struct schema_pair){ f.v[i].key, put(&m, slice_of(f.v[i].value)) };
	return x;
}

/* --- lookups */

static int key_cmp(const struct api_entry *x, struct slice key) { return slice_cmp(slice_n(x->o->key, x->o->key_len), key); }

static size_t lower(const struct api_cache *c, struct slice key)
{
	size_t lo = 0, hi = c->items.n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (key_cmp(c->items.v[mid], key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t api_cache_lower(const struct api_cache *c, const char *key) { return lower(c, slice_of(key)); }

struct api_entry *api_cache_get(const struct api_cache *c, const char *ns, const char *name)
{
	char fixed[1100];
	if (!fmt_into(fixed, sizeof fixed, "%s%s%s%s", c->prefix, ns && *ns ? ns : "", ns && *ns ? "/" : "", name))
		return NULL;
	size_t i = lower(c, slice_of(fixed));
	return i < c->items.n && key_cmp(c->items.v[i], slice_of(fixed)) == 0 ? c->items.v[i] : NULL;
}

void api_cache_range(const struct api_cache *c, const char *ns, size_t *from, size_t *to)
{
	char fixed[1100];
	*from = 0;
	*to = c->items.n;
	if (!ns || !*ns)
		return;
	if (!fmt_into(fixed, sizeof fixed, "%s%s/", c->prefix, ns)) {
		*to = 0;
		return;
	}
	*from = lower(c, slice_of(fixed));
	fixed[strlen(fixed) - 1] = '/' + 1;
	*to = lower(c, slice_of(fixed));
}

int api_cache_seek(const struct api_cache *c, int64_t revision, uint64_t *ret)
{
	if (revision < c->ring_from)
		return -ESTALE;
	uint64_t lo = c->first, hi = c->next;
	while (lo < hi) {
		uint64_t mid = (lo + hi) / 2;
		if (api_cache_event(c, mid)->revision <= revision)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret = lo;
	return 0;
}

const char *api_key(struct arena *a, const struct api_resource *r, const char *ns, const char *name)
{
	bool in_ns = r->row->namespaced && ns && *ns;
	return arena_fmt(a, "/%s/%s%s%s", r->stored->text, in_ns ? ns : "", in_ns ? "/" : "", name);
}

/* --- events */

static void ring_drop(struct api_cache *c)
{
	struct api_event *ev = &c->ring[c->first++ % c->ring_size];
	c->ring_from = ev->revision;
	api_entry_unref(ev->now);
	api_entry_unref(ev->prev);
}

static bool ring_grow(struct api_cache *c)
{
	size_t size = c->ring_size ? c->ring_size * 4 : API_RING_LEAST;
	if (size > API_RING_MOST)
		return false;
	struct api_event *ring = calloc(size, sizeof *ring);
	if (!ring)
		return false;
	for (uint64_t i = c->first; i < c->next; i++)
		ring[i % size] = *api_cache_event(c, i);
	free(c->ring);
	c->ring = ring;
	c->ring_size = size;
	return true;
}

/* Takes both references. */
static void ring_add(struct api_cache *c, int64_t revision, struct api_entry *now, struct api_entry *prev)
{
	int64_t at = loop_monotonic_ns(c->api->loop);
	/* it grows only for events that are young: quiet resources remember long, busy ones much, none of them both */
	bool young = c->first == c->next || at - api_cache_event(c, c->first)->at_ns < KEEP_NS;
	if (c->next - c->first == c->ring_size && !(young && ring_grow(c))) {
		if (!c->ring_size) {
			c->ring_from = revision;
			api_entry_unref(now);
			api_entry_unref(prev);
			return;
		}
		ring_drop(c);
	}
	c->ring[c->next++ % c->ring_size] = (struct api_event){ revision, at, now, prev };
}

static void apply(struct api_cache *c, struct store_object *o)
{
	struct slice key = slice_n(o->key, o->key_len);
	size_t i = lower(c, key);
	bool is_there = i < c->items.n && key_cmp(c->items.v[i], key) == 0;
	struct api_entry *prev = is_there ? c->items.v[i] : NULL, *now = NULL;
	if (o->value) {
		now = api_entry_new(c, o);
		if (!now) {
			log_error("a stored object cannot be read", "key=%s revision=%lld", o->key, (long long)o->revision);
			return;
		}
		if (is_there)
			c->items.v[i] = now;
		else if (vec_push(&c->items, now) == 0) {
			memmove(&c->items.v[i + 1], &c->items.v[i], (c->items.n - 1 - i) * sizeof *c->items.v);
			c->items.v[i] = now;
		} else {
			api_entry_unref(now);
			return;
		}
		api_entry_ref(now);
	} else if (is_there) {
		vec_remove(&c->items, i);
	} else {
		return;
	}
	ring_add(c, o->revision, now, prev);
	waitq_wake_all(&c->changed);
}

static struct api_cache *cache_for_key(struct kube_api *a, struct slice key)
{
	struct slice text, rest;
	if (key.len < 2 || key.ptr[0] != '/' || !slice_cut(slice_n(key.ptr + 1, key.len - 1), '/', &text, &rest))
		return NULL;
	struct api_cache *c = map_get(&a->caches, text);
	if (c)
		return c;
	AUTO(free) char *name = slice_dup(text);
	return name ? api_cache_of(a, name) : NULL;
}

static void on_event(struct store_watch *w, struct store_object *now, struct store_object *prev)
{
	struct kube_api *a = container_of(w, struct kube_api, watch);
	struct api_cache *c = cache_for_key(a, slice_n(now->key, now->key_len));
	if (c)
		apply(c, now);
	waitq_wake_all(&a->seen);
}

static void on_progress(struct store_watch *w, int64_t revision)
{
	waitq_wake_all(&container_of(w, struct kube_api, watch)->seen);
}

static void on_ended(struct store_watch *w, int error)
{
	struct kube_api *a = container_of(w, struct kube_api, watch);
	if (!a->stopping)
		log_error("the store ended the watch that feeds the cache", "error=%s", err_name(error));
	a->started = false;
	waitq_wake_all(&a->seen);
}

struct api_cache *api_cache_of(struct kube_api *a, const char *text)
{
	struct api_cache *c = map_gets(&a->caches, text);
	if (c)
		return c;
	c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->api = a;
	c->prefix = fmt_new("/%s/", text);
	waitq_init(&c->changed);
	if (!c->prefix || map_sets(&a->caches, text, c) < 0) {
		free((char *)c->prefix);
		free(c);
		return NULL;
	}
	c->prefix_len = strlen(c->prefix);
	c->ring_from = a->watch.told;
	return c;
}

void api_cache_free(struct api_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->items.n; i++)
		api_entry_unref(c->items.v[i]);
	vec_release(&c->items);
	while (c->first < c->next)
		ring_drop(c);
	free(c->ring);
	free((char *)c->prefix);
	free(c);
}

int api_cache_refield(struct api_cache *c, const struct api_resource *r)
{
	c->of = r;
	for (size_t i = 0; i < c->items.n; i++) {
		struct api_entry *x = api_entry_new(c, c->items.v[i]->o);
		if (!x)
			return -ENOMEM;
		api_entry_unref(c->items.v[i]);
		c->items.v[i] = x;
	}
	return 0;
}

static int load(struct kube_api *a, const struct store_list *l, struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		struct api_cache *c = cache_for_key(a, slice_n(l->items[i]->key, l->items[i]->key_len));
		if (!c)
			continue;
		struct api_entry *x = api_entry_new(c, l->items[i]);
		if (!x) {
			log_error("a stored object cannot be read", "key=%s", l->items[i]->key);
			continue;
		}
		/* keys come in order */
		if (vec_push(&c->items, x) < 0) {
			api_entry_unref(x);
			return err_nomem(e);
		}
	}
	return 0;
}

int api_caches_start_wait(struct kube_api *a, struct err *e)
{
	struct store_list l = { 0 };
	int64_t newest = store_revision(a->store), from = MAX(store_compacted(a->store), newest - API_HISTORY);
	/* a little of the past, so that those who watched a server that died can go on where they were */
	int r = store_list_wait(a->store, "/", NULL, 0, newest ? MAX(from, 1) : 0, &l, e);
	if (r == -ESTALE)
		r = store_list_wait(a->store, "/", NULL, 0, 0, &l, e);
	if (r < 0)
		return r;
	a->watch.told = l.revision;
	r = load(a, &l, e);
	size_t at = 0;
	for (struct map_entry *m; (m = map_next(&a->caches, &at));)
		((struct api_cache *)m->value)->ring_from = l.revision;
	if (r == 0) {
		a->watch.event = on_event;
		a->watch.progress = on_progress;
		a->watch.ended = on_ended;
		r = store_watch(a->store, &a->watch, "/", l.revision, e);
	}
	store_list_release(&l);
	if (r == 0 && api_seen_wait(a, newest, API_REQUEST_NS) < 0)
		r = err_set(e, ETIMEDOUT, "reading the store's history took too long");
	return r;
}

void api_caches_stop(struct kube_api *a)
{
	if (a->watch.store)
		store_unwatch(&a->watch);
	size_t at = 0;
	for (struct map_entry *m; (m = map_next(&a->caches, &at));)
		api_cache_free(m->value);
	map_release(&a->caches);
}

int api_seen_wait(struct kube_api *a, int64_t revision, int64_t timeout_ns)
{
	int64_t until = loop_monotonic_ns(a->loop) + timeout_ns;
	while (a->watch.told < revision) {
		int64_t left = until - loop_monotonic_ns(a->loop);
		int r = left > 0 ? waitq_wait(&a->seen, left) : -ETIMEDOUT;
		if (r < 0)
			return r;
	}
	return 0;
}
