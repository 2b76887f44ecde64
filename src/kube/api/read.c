/* SPDX-License-Identifier: Apache-2.0 */
/* Get and list: out of the watch cache, or out of the store for older revisions. */
#include "kube/api/api_int.h"

#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "codec/base64.h"

#define SEEN_NS (3 * NS_PER_S)

static const char *query(const struct api_req *q, const char *name)
{
	const char *v = http_query_get(&q->http->query, name);
	return v ? v : "";
}

int api_parse_rv(struct api_req *q, const char *text, int64_t *ret)
{
	if (num_parse_i64(slice_of(text), 0, INT64_MAX, ret) < 0)
		return api_bad_request(q, "invalid resource version \"%s\": strconv.ParseUint: parsing \"%s\": invalid syntax", text, text);
	return 0;
}

int api_too_large(struct api_req *q, int64_t revision)
{
	int x = api_refuse(q, 504, "Timeout", "Too large resource version: %lld, current: %lld", (long long)revision, (long long)store_revision(q->api->store));
	api_cause(q, "ResourceVersionTooLarge", "Too large resource version", NULL);
	if (q->refusal->details)
		q->refusal->details->retry_after_seconds = 1;
	return x;
}

/* Waits until the cache is as new as asked for: at least `revision`; 0: as the store is now. */
int api_fresh_wait(struct api_req *q, int64_t revision)
{
	int64_t now = store_revision(q->api->store);
	int x = api_seen_wait(q->api, revision ? revision : now, SEEN_NS);
	if (x == -ETIMEDOUT)
		return revision > now ? api_too_large(q, revision) : api_refuse(q, 504, "Timeout", "the watch cache does not follow the store");
	return x;
}

int api_current_wait(struct api_req *q, const struct api_resource *r, const char *ns, const char *name, struct store_object **ret)
{
	int x = api_fresh_wait(q, 0);
	if (x < 0)
		return x;
	struct api_entry *e = api_cache_get(r->cache, r->row->namespaced ? ns : "", name);
	if (!e)
		return api_not_found(q, r, name);
	*ret = store_object_ref(e->o);
	return 0;
}

/* componentstatuses are not stored: the parts are in this process, and answer. */
static int reply_component(struct api_req *q)
{
	static const char *const names[] = { "controller-manager", "scheduler", "etcd-0" };
	struct kube_component_condition ok = { "Healthy", "True", "ok", NULL };
	struct kube_component_status v[ARRAY_LEN(names)];
	struct api_item items[ARRAY_LEN(names)];
	struct err e = { 0 };
	size_t n = 0;
	AUTO(buf) struct buf json = BUF_INIT(64 * 1024);
	api_warn(q, "v1 ComponentStatus is deprecated in v1.19+");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		AUTO(buf) struct buf b = BUF_INIT(4096);
		if (*q->at.name && strcmp(q->at.name, names[i]))
			continue;
		v[n] = (struct kube_component_status){ "ComponentStatus", "v1", .metadata.name = names[i], .conditions = &ok, .n_conditions = 1 };
		schema_to_json(T_kube_component_status, &v[n], 0, &b);
		items[n] = (struct api_item){ slice_n(arena_dup(q->arena, buf_slice(&b)), b.len) };
		/* without a uid there is no place for a version, and none is wanted */
		(void)api_splice_points(items[n].value, &items[n].meta_at, &items[n].rv_at);
		n++;
	}
	if (!n)
		return api_not_found(q, q->res, q->at.name);
	if (q->media.shape == API_TABLE) {
		struct kube_list_meta meta = { 0 };
		if (api_table(q, items, n, &meta, true, &json, &e) < 0)
			return api_from_err(q, &e);
		return api_reply_bytes(q, 200, "application/json", buf_slice(&json));
	}
	q->media.shape = API_WHOLE;
	struct kube_component_status_list l = { "ComponentStatusList", "v1", .items = v, .n_items = (uint32_t)n };
	return *q->at.name ? api_reply_struct(q, 200, T_kube_component_status, v) : api_reply_struct(q, 200, T_kube_component_status_list, &l);
}

static bool is_component(const struct api_req *q) { return !q->res->custom && !strcmp(q->res->text, "componentstatuses"); }

int api_get_wait(struct api_req *q)
{
	if (is_component(q))
		return reply_component(q);

	const char *rv = query(q, "resourceVersion");
	int64_t revision = 0;
	int x = *rv ? api_parse_rv(q, rv, &revision) : 0;
	if (x == 0 && !(*rv && revision == 0))
		x = api_fresh_wait(q, revision);
	if (x < 0)
		return x;
	struct api_entry *e = api_cache_get(q->res->cache, q->at.namespace_, q->at.name);
	if (!e)
		return api_not_found(q, q->res, q->at.name);
	api_entry_ref(e);
	x = api_reply_object(q, 200, e->o);
	api_entry_unref(e);
	return x;
}

/* --- lists */

struct page {
	int64_t limit, revision;          /* revision: that all of it is of */
	bool exact;                       /* of an older revision: out of the store */
	const char *from;                 /* key to begin at, or NULL */
	struct api_selector sel;
	bool by_name;                     /* of one name */
	VEC(struct api_entry *) found;
	const char *next;                 /* where the next page begins, or NULL */
	int64_t remaining;
};

static int continue_token(struct api_req *q, const struct page *p, const char **ret)
{
	AUTO(buf) struct buf json = BUF_INIT(8192);
	AUTO(buf) struct buf b = BUF_INIT(16384);
	struct kube_continue_token t = { "meta.k8s.io/v1", p->revision, p->next };
	if (schema_to_json(T_kube_continue_token, &t, 0, &json) < 0 || base64_encode(&b, buf_slice(&json), true) < 0)
		return -ENOMEM;
	*ret = arena_dup(q->arena, buf_slice(&b));
	return *ret ? 0 : -ENOMEM;
}

static int read_token(struct api_req *q, const char *text, struct page *p)
{
	AUTO(buf) struct buf json = BUF_INIT(8192);
	struct kube_continue_token t;
	if (base64_decode(&json, slice_of(text)) < 0 || schema_from_json(T_kube_continue_token, buf_slice(&json), 0, q->arena, &t, NULL) < 0 ||
	    !t.v || strcmp(t.v, "meta.k8s.io/v1") || !t.start)
		return api_bad_request(q, "continue key is not valid: %s", text);
	if (strncmp(t.start, q->res->cache->prefix, q->res->cache->prefix_len))
		return api_bad_request(q, "continue key is not valid: %s", text);
	p->from = t.start;
	/* -1: goes on with what is there now, after a token has expired */
	p->revision = t.rv > 0 ? t.rv : 0;
	p->exact = t.rv > 0;
	return 0;
}

static int read_page(struct api_req *q, struct page *p)
{
	const char *rv = query(q, "resourceVersion"), *match = query(q, "resourceVersionMatch"), *limit = query(q, "limit"), *token = query(q, "continue");
	bool has_rv = *rv && !(*token && !strcmp(rv, "0"));
	int64_t revision = 0;
	int x;
	if (*limit && num_parse_i64(slice_of(limit), 0, INT64_MAX, &p->limit) < 0)
		return api_bad_request(q, "limit: Invalid value: \"%s\"", limit);
	if (has_rv && (x = api_parse_rv(q, rv, &revision)) < 0)
		return x;
	if (*match && !has_rv)
		return api_refuse(q, 422, "Invalid", "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided");
	if (*match && *token)
		return api_refuse(q, 422, "Invalid", "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided");
	if (*match && strcmp(match, "Exact") && strcmp(match, "NotOlderThan"))
		return api_refuse(q, 422, "Invalid", "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Unsupported value: \"%s\": supported values: \"Exact\", \"NotOlderThan\", \"\"", match);
	if (!strcmp(match, "Exact") && revision == 0)
		return api_refuse(q, 422, "Invalid", "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
	if (*token && has_rv)
		return api_bad_request(q, "specifying resource version is not allowed when using continue");
	if (*token) {
		x = read_token(q, token, p);
		if (x < 0 || p->exact)
			return x;
		return api_fresh_wait(q, 0);
	}
	p->exact = !strcmp(match, "Exact") || (revision > 0 && p->limit > 0 && !*match);
	if (p->exact) {
		p->revision = revision;
		return revision > store_revision(q->api->store) ? api_too_large(q, revision) : 0;
	}
	return *rv && revision == 0 ? 0 : api_fresh_wait(q, revision);
}

static bool wanted(const struct api_req *q, const struct page *p, const struct api_entry *x)
{
	return (!*q->at.namespace_ || !strcmp(x->ns, q->at.namespace_)) && api_selector_matches(&p->sel, x);
}

/* *full once the page holds what it may. */
static int take(struct api_req *q, struct page *p, struct api_entry *x, bool *full)
{
	*full = p->limit && (int64_t)p->found.n >= p->limit;
	if (*full) {
		p->next = arena_strdup(q->arena, x->o->key);
		return p->next ? 0 : -ENOMEM;
	}
	if (!wanted(q, p, x))
		return 0;
	if (vec_push(&p->found, x) < 0)
		return -ENOMEM;
	api_entry_ref(x);
	return 0;
}

static int from_cache(struct api_req *q, struct page *p)
{
	const struct api_cache *c = q->res->cache;
	size_t from, to;
	bool full = false;
	p->revision = q->api->watch.told;
	api_cache_range(c, q->at.namespace_, &from, &to);
	if (p->from)
		from = MAX(from, api_cache_lower(c, p->from));
	for (size_t i = from; i < to; i++) {
		int x = take(q, p, c->items.v[i], &full);
		if (x < 0)
			return x;
		if (full) {
			p->remaining = (int64_t)(to - i);
			break;
		}
	}
	return 0;
}

static int expired(struct api_req *q, struct page *p)
{
	const char *next = NULL;
	if (!p->from)
		return api_expired(q, arena_fmt(q->arena, "The resourceVersion for the provided list is too old."));
	int x = api_expired(q, "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue "
		"parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an "
		"inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.");
	struct page again = { .revision = -1, .next = p->from };
	if (continue_token(q, &again, &next) == 0)
		q->refusal->metadata.continue_ = next;
	return x;
}

static int from_store_wait(struct api_req *q, struct page *p)
{
	const struct api_cache *c = q->res->cache;
	struct store_list l = { 0 };
	struct err e = { 0 };
	bool full = false;
	const char *prefix = *q->at.namespace_ ? arena_fmt(q->arena, "%s%s/", c->prefix, q->at.namespace_) : c->prefix;
	if (!prefix)
		return -ENOMEM;
	size_t limit = p->limit && api_selector_empty(&p->sel) ? (size_t)p->limit + 1 : 0;
	int x = store_list_wait(q->api->store, prefix, p->from, limit, p->revision, &l, &e);
	if (x == -ESTALE)
		return expired(q, p);
	if (x < 0)
		return x == -ERANGE ? api_too_large(q, p->revision) : api_from_err(q, &e);
	for (size_t i = 0; i < l.n && !full && x == 0; i++) {
		struct api_entry *entry = api_entry_new(c, l.items[i]);
		if (!entry)
			continue;
		x = take(q, p, entry, &full);
		if (full)
			p->remaining = (int64_t)(l.n - i) + l.remaining;
		api_entry_unref(entry);
	}
	store_list_release(&l);
	return x;
}

/* Views live in a, which may hold more than a request's arena: long lists of another version, or in protobuf. */
static int items(struct api_req *q, const struct page *p, struct arena *a, struct api_item **ret)
{
	struct api_item *v = arena_array(q->arena, p->found.n, sizeof *v);
	struct err e = { 0 };
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < p->found.n; i++) {
		const struct api_entry *x = p->found.v[i];
		v[i] = (struct api_item){ slice_n(x->o->value, x->o->value_len), x->o->revision, x->meta_at, x->rv_at };
		if (!api_needs_view(q->res))
			continue;
		if (api_view(q->res, v[i].value, a, &v[i].value, &e) < 0)
			return api_from_err(q, &e);
		if (api_splice_points(v[i].value, &v[i].meta_at, &v[i].rv_at) < 0)
			return -EBADMSG;
	}
	*ret = v;
	return 0;
}

/* {"kind":"PodList","apiVersion":"v1","metadata":{…},"items":[…]}: the items are spans of stored bytes. */
static int list_json(struct api_req *q, const struct api_item *v, size_t n, const struct kube_list_meta *meta, struct buf *out)
{
	bool bare = !q->res->custom;      /* items of typed lists stand without kind and apiVersion */
	struct err e = { 0 };
	if (q->media.shape)
		buf_addf(out, "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/%s\",\"metadata\":", q->media.meta_version);
	else
		buf_addf(out, "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":", q->res->row->kind, q->res->api_version);
	schema_to_json(T_kube_list_meta, meta, SCHEMA_ESCAPE_HTML, out);
	buf_adds(out, ",\"items\":[");
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_addc(out, ',');
		if (q->media.shape) {
			int x = api_partial(q, &v[i], out, &e);
			if (x < 0)
				return x;
			continue;
		}
		uint32_t skip = bare ? v[i].meta_at : 0;
		if (bare)
			buf_addc(out, '{');
		api_splice(out, slice_n(v[i].value.ptr + skip, v[i].value.len - skip), v[i].rv_at - skip, v[i].revision);
		if ((i & 63) == 63)
			fiber_yield_wait();
	}
	buf_adds(out, "]}");
	return buf_error(out);
}

struct transcoding { const struct api_req *q; struct schema_ref t; struct slice json; struct arena *a; struct buf *out; struct err *e; };

static int transcode_job(void *arg)
{
	struct transcoding *x = arg;
	return api_transcode(&x->q->media, x->q->res, x->t, x->json, x->a, x->out, x->e);
}

/* Long ones on a worker: nobody else waits for them. */
static int transcode_wait(struct transcoding *x)
{
	return x->json.len > 256 * 1024 ? job_wait(transcode_job, x) : transcode_job(x);
}

static int reply_page_wait(struct api_req *q, struct page *p)
{
	struct api_item *v = NULL;
	struct err e = { 0 };
	struct kube_list_meta meta = { .resource_version = arena_fmt(q->arena, "%lld", (long long)p->revision) };
	AUTO(buf) struct buf json = BUF_INIT(API_REPLY_MAX);
	AUTO(buf) struct buf b = BUF_INIT(API_REPLY_MAX);
	AUTO(arena) struct arena big;
	arena_init(&big, API_REPLY_MAX);
	int x = items(q, p, &big, &v);
	if (x == 0 && p->next) {
		x = continue_token(q, p, &meta.continue_);
		if (api_selector_empty(&p->sel))
			meta.remaining_item_count = &p->remaining;
	}
	if (x < 0)
		return x;
	if (q->media.shape == API_TABLE)
		x = api_table(q, v, p->found.n, &meta, true, &json, &e);
	else
		x = list_json(q, v, p->found.n, &meta, &json);
	if (x == 0 && q->media.format != API_JSON) {
		struct schema_ref t = q->media.shape == API_TABLE ? T_kube_table : q->media.shape ? T_kube_partial_object_metadata_list : q->res->row->list;
		struct transcoding work = { q, t, buf_slice(&json), &big, &b, &e };
		x = transcode_wait(&work);
	} else {
		buf_addc(&json, '\n');
	}
	if (x < 0)
		return e.code ? api_from_err(q, &e) : api_refuse(q, 500, "InternalError", "the list cannot be encoded: %s", strerror(-x));
	return api_reply_bytes(q, 200, api_content_type(&q->media, false), buf_slice(q->media.format == API_JSON ? &json : &b));
}

int api_list_wait(struct api_req *q)
{
	struct page p = { 0 };
	if (is_component(q))
		return reply_component(q);
	int x = api_selector_parse(q, query(q, "labelSelector"), query(q, "fieldSelector"), &p.sel);
	if (x == 0)
		x = read_page(q, &p);
	if (x == 0)
		x = p.exact ? from_store_wait(q, &p) : from_cache(q, &p);
	if (x == 0)
		x = reply_page_wait(q, &p);
	for (size_t i = 0; i < p.found.n; i++)
		api_entry_unref(p.found.v[i]);
	vec_release(&p.found);
	return x;
}
