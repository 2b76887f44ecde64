/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches. Each is a fiber with a number in its cache's ring: it sends what lies
 * behind that number and sleeps. Nothing is queued for a watcher; one that is so
 * slow that the ring has overtaken it is told 410 and ended.
 */
#include "kube/api/api_int.h"

#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/rand.h"
#include "http/ws.h"

enum { BATCH_BYTES = 128 * 1024 };
#define BOOKMARK_NS (60 * NS_PER_S)
#define WRITE_NS (60 * NS_PER_S)


struct watching {
	struct api_req *q;
	struct api_cache *c;
	struct api_selector sel;
	uint64_t at;                      /* next event */
	int64_t seen;                     /* revision that bookmarks may say */
	int64_t until_ns, bookmark_ns;    /* monotonic */
	bool bookmarks, initial, initial_end, has_columns, overtaken;
	struct buf out;
	struct stream *ws;                /* over WebSocket: each event is a message of its own */
	struct ws_listener *listener;
};

static const char *query(const struct api_req *q, const char *name)
{
	const char *v = http_query_get(&q->http->query, name);
	return v ? v : "";
}

static bool fits(const struct watching *w, const struct api_entry *x)
{
	const char *ns = w->q->at.namespace_;
	return x && (!*ns || !strcmp(x->ns, ns)) && api_selector_matches(&w->sel, x);
}

/* --- one event out */

static int frame(struct watching *w, const char *type, struct slice object)
{
	const struct api_media *m = &w->q->media;
	if (m->format == API_PROTOBUF) {
		AUTO(buf) struct buf b = BUF_INIT(2 * API_OBJECT_MAX);
		struct kube_watch_event ev = { .type = type, .object = object };
		if (schema_to_protobuf(T_kube_watch_event, &ev, &b) < 0)
			return -E2BIG;
		uint8_t n[4] = { (uint8_t)(b.len >> 24), (uint8_t)(b.len >> 16), (uint8_t)(b.len >> 8), (uint8_t)b.len };
		buf_add(&w->out, n, 4);
		return buf_addslice(&w->out, buf_slice(&b));
	}
	buf_addf(&w->out, "{\"type\":\"%s\",\"object\":", type);
	buf_addslice(&w->out, object);
	return buf_adds(&w->out, "}\n");
}

/* JSON of an object in the format that the watch speaks. */
static int send_json(struct watching *w, const char *type, struct schema_ref t, struct slice json, struct arena *a)
{
	AUTO(buf) struct buf b = BUF_INIT(2 * API_OBJECT_MAX);
	struct err e = { 0 };
	if (w->q->media.format == API_JSON || w->q->media.format == API_YAML)
		return frame(w, type, json);
	int x = api_transcode(&w->q->media, w->q->res, t, json, a, &b, &e);
	return x < 0 ? x : frame(w, type, buf_slice(&b));
}

static int send_entry(struct watching *w, const char *type, const struct api_entry *x, int64_t revision)
{
	AUTO(arena) struct arena a;
	AUTO(buf) struct buf json = BUF_INIT(4 * API_OBJECT_MAX);
	struct api_req *q = w->q;
	struct err e = { 0 };
	struct api_item item = { slice_n(x->o->value, x->o->value_len), revision, x->meta_at, x->rv_at };
	int r = 0;
	arena_init(&a, 64 << 20);
	struct arena *saved = q->arena;
	q->arena = &a;
	if (api_needs_view(q->res)) {
		r = api_view(q->res, item.value, &a, &item.value, &e);
		if (r == 0)
			r = api_splice_points(item.value, &item.meta_at, &item.rv_at);
	}
	struct schema_ref t = q->res->row->type;
	if (r == 0 && q->media.shape == API_TABLE) {
		struct kube_list_meta meta = { .resource_version = arena_fmt(&a, "%lld", (long long)revision) };
		r = api_table(q, &item, 1, &meta, !w->has_columns, &json, &e);
		w->has_columns = true;
		t = T_kube_table;
	} else if (r == 0 && q->media.shape) {
		r = api_partial(q, &item, &json, &e);
		t = T_kube_partial_object_metadata;
	} else if (r == 0 && q->media.format == API_JSON) {
		/* the everyday case: no copy in between */
		buf_addf(&w->out, "{\"type\":\"%s\",\"object\":", type);
		api_splice(&w->out, item.value, item.rv_at, revision);
		buf_adds(&w->out, "}\n");
		q->arena = saved;
		return buf_error(&w->out);
	} else if (r == 0) {
		api_splice(&json, item.value, item.rv_at, revision);
	}
	if (r == 0)
		r = send_json(w, type, t, buf_slice(&json), &a);
	q->arena = saved;
	return r;
}

static int send_bookmark(struct watching *w, bool end_of_initial)
{
	AUTO(arena) struct arena a;
	AUTO(buf) struct buf json = BUF_INIT(4096);
	struct schema_pair note = { "k8s.io/initial-events-end", "true" };
	arena_init(&a, 1 << 20);
	struct kube_partial_object_metadata x = { w->q->res->row->kind, w->q->res->api_version };
	x.metadata.resource_version = arena_fmt(&a, "%lld", (long long)w->seen);
	if (end_of_initial) {
		x.metadata.annotations = &note;
		x.metadata.n_annotations = 1;
	}
	struct schema_ref t = w->q->res->row->type;
	if (w->q->media.shape == API_TABLE) {
		AUTO(buf) struct buf head = BUF_INIT(4096);
		schema_to_json(T_kube_partial_object_metadata, &x, 0, &head);
		struct kube_table_row row = { .object = buf_slice(&head), .cells = (struct slice[1]){ { 0 } } };
		struct kube_table table = { "Table", arena_fmt(&a, "meta.k8s.io/%s", w->q->media.meta_version), .rows = &row, .n_rows = 1,
			.column_definitions = (struct kube_table_column_definition[1]){ { 0 } } };
		table.metadata.resource_version = x.metadata.resource_version;
		schema_to_json(T_kube_table, &table, 0, &json);
		return send_json(w, "BOOKMARK", T_kube_table, buf_slice(&json), &a);
	}
	if (w->q->media.shape) {
		x.kind = "PartialObjectMetadata";
		x.api_version = arena_fmt(&a, "meta.k8s.io/%s", w->q->media.meta_version);
		t = T_kube_partial_object_metadata;
	}
	schema_to_json(T_kube_partial_object_metadata, &x, SCHEMA_ESCAPE_HTML, &json);
	return send_json(w, "BOOKMARK", t, buf_slice(&json), &a);
}

static int send_expired(struct watching *w, int64_t revision)
{
	AUTO(buf) struct buf json = BUF_INIT(4096);
	AUTO(arena) struct arena a;
	char text[100];
	arena_init(&a, 1 << 20);
	fmt_into(text, sizeof text, "too old resource version: %lld (%lld)", (long long)revision, (long long)w->c->ring_from);
	struct kube_status s = { "Status", "v1", .status = "Failure", .message = text, .reason = "Expired", .code = 410 };
	api_status_json(&s, &json);
	return send_json(w, "ERROR", T_kube_status, buf_slice(&json), &a);
}

/* The next event's length in what is to be sent; protobuf's own length goes before it, JSON's newline behind. */
static size_t event_length(const struct watching *w, struct slice rest)
{
	const uint8_t *p = (const uint8_t *)rest.ptr;
	if (w->q->media.format == API_PROTOBUF)
		return ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]) + 4;
	ptrdiff_t n = slice_find(rest, '\n');
	return n < 0 ? rest.len : (size_t)n + 1;
}

static int send_messages_wait(struct watching *w)
{
	size_t skip = w->q->media.format == API_PROTOBUF ? 4 : 0;
	struct slice rest = buf_slice(&w->out);
	int x = 0;
	while (x == 0 && rest.len) {
		size_t n = event_length(w, rest);
		x = ws_send_wait(w->ws, slice_n(rest.ptr + skip, n - skip));
		rest = slice_n(rest.ptr + n, rest.len - n);
	}
	return x;
}

static int flush_wait(struct watching *w)
{
	if (buf_error(&w->out))
		return buf_error(&w->out);
	/* who does not take what is sent holds a fiber and a ring's worth of patience, no more */
	if (w->out.len)
		api_watchdog_set(w->q->api, &w->q->watchdog, WRITE_NS);
	int x = w->ws ? send_messages_wait(w) : w->out.len ? http_write_wait(w->q->http, w->out.ptr, w->out.len) : 0;
	timer_cancel(&w->q->watchdog.timer);
	if (w->out.cap > 4 * BATCH_BYTES || !w->out.len)
		buf_release(&w->out);
	else
		buf_reset(&w->out);
	return x;
}

/* --- the life of one */

static int send_event(struct watching *w, const struct api_event *ev)
{
	bool was = fits(w, ev->prev), is = fits(w, ev->now);
	w->seen = ev->revision;
	if (is)
		return send_entry(w, was ? "MODIFIED" : "ADDED", ev->now, ev->revision);
	return was ? send_entry(w, "DELETED", ev->prev, ev->revision) : 0;
}

/* Sends what the ring holds behind w->at. */
static int catch_up_wait(struct watching *w)
{
	int x = 0;
	while (x == 0 && w->at < w->c->next) {
		if (w->at < w->c->first) {
			w->overtaken = true;
			x = send_expired(w, w->seen);
			return x < 0 ? x : flush_wait(w);
		}
		x = send_event(w, api_cache_event(w->c, w->at++));
		if (x == 0 && w->out.len >= BATCH_BYTES)
			x = flush_wait(w);
	}
	return x < 0 ? x : flush_wait(w);
}

/* What is there now, as if it were added. The entries are held while they are sent. */
static int send_initial_wait(struct watching *w)
{
	VEC(struct api_entry *) v = { 0 };
	size_t from, to;
	int x = 0;
	api_cache_range(w->c, w->q->at.namespace_, &from, &to);
	w->at = w->c->next;
	w->seen = w->q->api->watch.told;
	for (size_t i = from; i < to && x == 0; i++) {
		if (!fits(w, w->c->items.v[i]))
			continue;
		x = vec_push(&v, w->c->items.v[i]);
		if (x == 0)
			api_entry_ref(w->c->items.v[i]);
	}
	for (size_t i = 0; i < v.n; i++) {
		if (x == 0)
			x = send_entry(w, "ADDED", v.v[i], v.v[i]->o->revision);
		if (x == 0 && w->out.len >= BATCH_BYTES)
			x = flush_wait(w);
		api_entry_unref(v.v[i]);
	}
	vec_release(&v);
	if (x == 0 && w->initial_end)
		x = send_bookmark(w, true);
	return x < 0 ? x : flush_wait(w);
}

static int follow_wait(struct watching *w)
{
	struct kube_api *a = w->q->api;
	int x = w->initial ? send_initial_wait(w) : 0;
	while (x == 0 && !w->overtaken && !a->stopping && a->started && !w->q->res->is_gone) {
		x = catch_up_wait(w);
		if (x < 0 || w->overtaken)
			return x;
		int64_t now = loop_monotonic_ns(a->loop);
		if (w->bookmarks && now >= w->bookmark_ns) {
			w->seen = MAX(w->seen, a->watch.told);
			x = send_bookmark(w, false);
			if (x == 0)
				x = flush_wait(w);
			w->bookmark_ns = now + BOOKMARK_NS;
			continue;
		}
		if (now >= w->until_ns)
			return 0;
		if (w->at < w->c->next)
			continue;
		int64_t next = w->bookmarks ? MIN(w->until_ns, w->bookmark_ns) : w->until_ns;
		x = waitq_wait(&w->c->changed, next - now);
		if (x == -ETIMEDOUT)
			x = 0;
	}
	return x;
}

static int read_options(struct watching *w, int64_t *revision)
{
	struct api_req *q = w->q;
	const char *rv = query(q, "resourceVersion"), *match = query(q, "resourceVersionMatch"), *timeout = query(q, "timeoutSeconds");
	const char *initial = query(q, "sendInitialEvents");
	int64_t seconds = 0, now = loop_monotonic_ns(q->api->loop);
	int x = *rv ? api_parse_rv(q, rv, revision) : 0;
	if (x < 0)
		return x;
	if (*timeout && num_parse_i64(slice_of(timeout), 0, 1000000000, &seconds) < 0)
		return api_bad_request(q, "timeoutSeconds: Invalid value: \"%s\"", timeout);
	if (*initial && strcmp(match, "NotOlderThan"))
		return api_refuse(q, 422, "Invalid", "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
	if (*match && !*initial)
		return api_refuse(q, 422, "Invalid", "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
	w->bookmarks = api_param_is(query(q, "allowWatchBookmarks"));
	w->initial = *initial ? api_param_is(initial) : *revision == 0;
	w->initial_end = *initial && w->initial && w->bookmarks;
	w->until_ns = now + (seconds ? seconds : 1800 + (int64_t)(rand_u64() % 1800)) * NS_PER_S;
	w->bookmark_ns = now + BOOKMARK_NS;
	/* one near the end, so that the next watch begins there */
	if (w->bookmarks && w->until_ns - 2 * NS_PER_S < w->bookmark_ns && w->until_ns - 2 * NS_PER_S > now)
		w->bookmark_ns = w->until_ns - 2 * NS_PER_S;
	return 0;
}

static int start_wait(struct watching *w, int64_t revision, bool *expired)
{
	bool any = *query(w->q, "resourceVersion") && revision == 0;
	int x = any ? 0 : api_fresh_wait(w->q, revision);
	*expired = false;
	if (x < 0 || w->initial)
		return x;
	if (revision == 0) {
		w->at = w->c->next;
		w->seen = w->q->api->watch.told;
		return 0;
	}
	w->seen = revision;
	*expired = api_cache_seek(w->c, revision, &w->at) < 0;
	return 0;
}

/* A client that offers one subprotocol gets it, whatever it is called. */
static int begin_ws_wait(struct watching *w)
{
	struct slice offer = slice_trim(http_header_get(&w->q->http->headers, "Sec-WebSocket-Protocol"));
	struct err e = { 0 };
	if (slice_find(offer, ',') >= 0)
		return api_bad_request(w->q, "more than one WebSocket subprotocol is offered");
	const char *protocol = offer.len ? arena_dup(w->q->arena, offer) : NULL;
	int x = ws_accept_wait(w->q->http, protocol, w->q->media.format != API_PROTOBUF, &w->ws, &e);
	if (x < 0)
		return http_begun(w->q->http) ? x : api_bad_request(w->q, "%s", e.text);
	return ws_listen_start(w->ws, &w->listener);
}

static void end_ws_wait(struct watching *w)
{
	if (w->listener)
		ws_listen_stop_wait(w->listener);
	stream_close(w->ws);
}

int api_watch_wait(struct api_req *q)
{
	struct watching w = { .q = q, .c = q->res->cache, .out = BUF_INIT(64 << 20) };
	int64_t revision = 0;
	bool expired = false;
	int x = api_selector_parse(q, query(q, "labelSelector"), query(q, "fieldSelector"), &w.sel);
	if (x == 0)
		x = read_options(&w, &revision);
	if (x == 0)
		x = start_wait(&w, revision, &expired);
	if (x == 0 && q->api->n_watches >= API_WATCHES_MAX)
		x = api_refuse(q, 429, "TooManyRequests", "too many watches");
	if (x < 0)
		return x;
	q->api->n_watches++;
	bool ws = ws_wanted(q->http);
	if (!ws)
		timer_cancel(&q->watchdog.timer);
	http_cancel_when_gone(q->http, true);
	x = ws ? begin_ws_wait(&w) : http_begin_wait(q->http, 200, api_content_type(&q->media, true));
	if (x == 0 && expired) {
		x = send_expired(&w, revision);
		if (x == 0)
			x = flush_wait(&w);
	} else if (x == 0) {
		x = follow_wait(&w);
	}
	end_ws_wait(&w);
	buf_release(&w.out);
	q->api->n_watches--;
	return x;
}
