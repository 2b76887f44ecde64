/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a request: path → attributes → who → may they → verb. */
#include "kube/api/api_int.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "kube/api/custom.h"

/* --- attributes */

struct pieces { const char *v[12]; size_t n; const char *tail; };

/* Pieces of the path; what follows the sixth is also kept as text, for proxies. */
static int split(struct api_req *q, const char *path, struct pieces *p)
{
	*p = (struct pieces){ 0 };
	while (*path == '/')
		path++;
	while (*path && p->n < ARRAY_LEN(p->v)) {
		size_t n = strcspn(path, "/");
		p->v[p->n] = arena_dup(q->arena, slice_n(path, n));
		if (!p->v[p->n++])
			return -ENOMEM;
		path += n;
		while (*path == '/')
			path++;
	}
	return 0;
}

static const char *query(const struct api_req *q, const char *name)
{
	const char *v = http_query_get(&q->http->query, name);
	return v ? v : "";
}

bool api_param_is(const char *v) { return v && *v && strcmp(v, "0") && strcasecmp(v, "f") && strcasecmp(v, "false"); }

/* fieldSelector=metadata.name=x makes a list or watch one of a name, for authorisation. */
static const char *selected_name(struct api_req *q)
{
	struct slice piece, key, value, rest = slice_of(query(q, "fieldSelector"));
	while (slice_next(&rest, ',', &piece))
		if (slice_cut(piece, '=', &key, &value) && slice_is(key, "metadata.name")) {
			if (slice_starts(value, "="))
				value = slice_n(value.ptr + 1, value.len - 1);
			return arena_dup(q->arena, value);
		}
	return "";
}

static const char *verb_of(struct api_req *q, bool watch)
{
	struct slice m = q->http->method;
	bool named = *q->at.name;
	if (slice_is(m, "POST"))
		return "create";
	if (slice_is(m, "PUT"))
		return "update";
	if (slice_is(m, "PATCH"))
		return "patch";
	if (slice_is(m, "DELETE"))
		return named ? "delete" : "deletecollection";
	if (watch || (!named && api_param_is(query(q, "watch"))))
		return "watch";
	return named ? "get" : "list";
}

/* Where the text of a proxied path begins: behind n pieces of the raw path. */
static const char *behind(const char *path, size_t n)
{
	while (*path == '/')
		path++;
	for (; n && *path; n--) {
		path += strcspn(path, "/");
		if (n > 1)
			while (*path == '/')
				path++;
	}
	return path;
}

static bool attributes(struct api_req *q)
{
	struct pieces p;
	struct kube_attributes *at = &q->at;
	size_t i = 0;
	bool watch = false;
	*at = (struct kube_attributes){ "", "", "", "", "", "", "", .path = q->http->path };
	q->rest = "";
	if (split(q, q->http->path, &p) < 0)
		return false;
	bool core = p.n && !strcmp(p.v[0], "api");
	if (p.n < 2 || (!core && strcmp(p.v[0], "apis")) || p.n < (core ? 3u : 4u)) {
		char *verb = arena_dup(q->arena, q->http->method);
		for (char *c = verb; c && *c; c++)
			*c |= 0x20;
		at->verb = verb ? verb : "get";
		return true;
	}
	at->group = core ? "" : p.v[1];
	at->version = p.v[core ? 1 : 2];
	i = core ? 2 : 3;
	if (!strcmp(p.v[i], "watch") && i + 1 < p.n) {
		watch = true;
		i++;
	}
	if (!strcmp(p.v[i], "namespaces") && i + 1 < p.n) {
		at->namespace_ = p.v[i + 1];
		if (i + 2 < p.n && !(i + 3 == p.n && (!strcmp(p.v[i + 2], "status") || !strcmp(p.v[i + 2], "finalize")) && !at->group[0]))
			i += 2;
	}
	at->resource = p.v[i++];
	if (i < p.n)
		at->name = p.v[i++];
	if (i < p.n)
		at->subresource = p.v[i++];
	if (i < p.n && strcmp(at->subresource, "proxy"))
		return false;
	if (!strcmp(at->subresource, "proxy"))
		q->rest = behind(q->http->path, i);
	at->is_resource = true;
	at->path = "";
	at->verb = verb_of(q, watch);
	if (!*at->name && (!strcmp(at->verb, "list") || !strcmp(at->verb, "watch") || !strcmp(at->verb, "deletecollection")))
		at->name = selected_name(q);
	at->field_selector = query(q, "fieldSelector");
	return true;
}

/* --- who */

static int authenticate_wait(struct api_req *q, const struct front *f)
{
	static const char *const certificate[] = { "system:authenticated" }, *const nobody[] = { "system:unauthenticated" };
	struct err e = { 0 };
	if (f->user) {
		q->user = *f->user;
		q->is_local = true;
		return 0;
	}
	const struct kube_authenticator *a = q->api->c.authenticator;
	if (a) {
		int x = a->authenticate_wait(a->arg, q->http, &q->user, &e);
		if (x == -EKEYREJECTED)
			return api_refuse(q, 401, "Unauthorized", "Unauthorized");
		if (x == -EACCES)
			return api_refuse(q, 403, "Forbidden", "%s", e.text);
		return x < 0 ? api_from_err(q, &e) : 0;
	}
	const char *cn = q->http->peer_name;
	q->user = (struct kube_user){ .name = cn ? cn : "system:anonymous", .groups = cn ? certificate : nobody, .n_groups = 1 };
	return 0;
}

static int forbidden(struct api_req *q, const struct kube_attributes *at, const char *reason)
{
	AUTO(buf) struct buf b = BUF_INIT(64 * 1024);
	kube_forbidden_text(&q->user, at, reason, &b);
	int x = api_refuse(q, 403, "Forbidden", "%s", b.ptr);
	struct kube_status_details *d = q->refusal ? arena_new(q->arena, struct kube_status_details) : NULL;
	if (d) {
		*d = (struct kube_status_details){ .group = at->group, .kind = at->resource, .name = at->name };
		q->refusal->details = d;
	}
	return x;
}

int api_authorize(struct api_req *q, const struct kube_attributes *at)
{
	const struct kube_authorizer *a = q->api->c.authorizer;
	const char *reason = NULL;
	if (!a || kube_user_in_group(&q->user, "system:masters"))
		return 0;
	return a->allowed(a->arg, &q->user, at, q->arena, &reason) > 0 ? 0 : forbidden(q, at, reason);
}

/* --- options of all verbs */

static int options(struct api_req *q)
{
	const char *v = query(q, "dryRun"), *f = query(q, "fieldValidation"), *m = query(q, "fieldManager");
	if (*v && strcmp(v, "All"))
		return api_bad_request(q, "Invalid value: \"%s\": dryRun: Unsupported value: \"%s\": supported values: \"All\"", v, v);
	q->dry_run = *v;
	if (!strcmp(f, "Strict"))
		q->fields = API_FIELDS_STRICT;
	else if (!strcmp(f, "Ignore"))
		q->fields = API_FIELDS_IGNORE;
	else if (*f && strcmp(f, "Warn"))
		return api_bad_request(q, "fieldValidation: Unsupported value: \"%s\": supported values: \"Ignore\", \"Strict\", \"Warn\"", f);
	if (strlen(m) > 128)
		return api_bad_request(q, "fieldManager: Invalid value: \"%s\": may not be more than 128 bytes", m);
	if (*m) {
		q->field_manager = m;
		return 0;
	}
	struct slice agent = http_header_get(&q->http->headers, "User-Agent"), head, rest;
	slice_cut(agent, '/', &head, &rest);
	head.len = MIN(head.len, (size_t)128);
	q->field_manager = head.len ? arena_dup(q->arena, head) : "unknown";
	return q->field_manager ? 0 : -ENOMEM;
}

/* --- dispatch */

static const struct verb {
	const char *name;
	unsigned bit;
	int (*run)(struct api_req *q);
	bool shapes;
} verbs[] = {
	{ "get", KV_GET, api_get_wait, true }, { "list", KV_LIST, api_list_wait, true }, { "watch", KV_WATCH, api_watch_wait, true },
	{ "create", KV_CREATE, api_create_wait, true }, { "update", KV_UPDATE, api_update_wait, true }, { "patch", KV_PATCH, api_patch_wait, true },
	{ "delete", KV_DELETE, api_delete_wait, true }, { "deletecollection", KV_DELETECOLLECTION, api_delete_collection_wait, true },
};

static int nothing_here(struct api_req *q)
{
	http_header_add(q->http, "X-Content-Type-Options", "nosniff");
	return http_reply(q->http, 404, "text/plain; charset=utf-8", SLICE("404 page not found\n"));
}

/* Subresources that are the object itself seen through another door run the same verbs. */
static bool is_view_of_object(const char *sub)
{
	static const char *const names[] = { "status", "ephemeralcontainers", "resize", "approval", "finalize" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(sub, names[i]))
			return true;
	return false;
}

static const struct kube_subresource *find_sub(struct api_req *q, const struct api_resource *r)
{
	struct kube_subresource *s = arena_new(q->arena, struct kube_subresource);
	for (unsigned i = 0; s && i < api_n_subresources(r); i++) {
		*s = api_subresource_at(r, i);
		if (!strcmp(s->name, q->at.subresource))
			return s;
	}
	return NULL;
}

static int resource_wait(struct api_req *q)
{
	struct api_resource *r = q->res = api_resource_find(q->api, q->at.group, q->at.version, q->at.resource);
	const struct verb *v = NULL;
	unsigned bits;
	if (!r)
		return nothing_here(q);
	q->held = api_resource_ref(r);
	if (r->custom && r->custom->is_deprecated)
		api_warn(q, r->custom->deprecation);
	bits = r->row->verbs;
	if (*q->at.subresource) {
		q->sub = find_sub(q, r);
		if (!q->sub)
			return nothing_here(q);
		bits = q->sub->verbs;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (!strcmp(verbs[i].name, q->at.verb))
			v = &verbs[i];
	if (!v || !(bits & v->bit))
		return api_method_refused(q);
	/* objects are created below their collection, and changed by name */
	if (v->bit & (KV_UPDATE | KV_PATCH) ? !*q->at.name : v->bit & KV_CREATE && !q->sub && *q->at.name)
		return api_method_refused(q);
	if (r->row->namespaced != (*q->at.namespace_ != 0) && strcmp(r->row->plural, "namespaces") && !(r->row->namespaced && !*q->at.name && v->bit & (KV_LIST | KV_WATCH)) &&
	    !(r->row->namespaced && v->bit & (KV_LIST | KV_WATCH)))
		return v->bit & KV_CREATE && r->row->namespaced ? api_method_refused(q) : nothing_here(q);
	if (!r->row->namespaced)
		q->at.namespace_ = "";
	if (q->sub && !is_view_of_object(q->at.subresource))
		return api_subresource_wait(q);
	int x = api_negotiate(q, v->shapes);
	return x < 0 ? x : v->run(q);
}

/* OpenID discovery, by kube/auth. */
static int documents(struct api_req *q, bool *mine)
{
	const struct kube_reviewer *v = q->api->c.reviewer;
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	struct err e = { 0 };
	const char *type = "application/json";
	*mine = false;
	if (!v || !v->document || !slice_is(q->http->method, "GET"))
		return 0;
	int x = v->document(v->arg, q->http->path, &b, &type, &e);
	if (x == -ENOENT)
		return 0;
	*mine = true;
	return x < 0 ? api_from_err(q, &e) : http_reply(q->http, 200, type, buf_slice(&b));
}

static int dispatch_wait(struct api_req *q)
{
	bool mine = false;
	int x;
	if (q->at.is_resource)
		return resource_wait(q);
	if ((x = api_health(q, &mine)) < 0 || mine)
		return x;
	if ((x = api_discovery(q, &mine)) < 0 || mine)
		return x;
	if ((x = api_openapi_wait(q, &mine)) < 0 || mine)
		return x;
	if ((x = documents(q, &mine)) < 0 || mine)
		return x;
	return nothing_here(q);
}

static int run_wait(struct api_req *q, const struct front *f)
{
	int x = authenticate_wait(q, f);
	if (x == 0 && !attributes(q))
		return nothing_here(q);
	if (x == 0)
		x = api_authorize(q, &q->at);
	if (x == 0)
		x = options(q);
	return x == 0 ? dispatch_wait(q) : x;
}

static void bark(struct timer *t) { fiber_cancel(container_of(t, struct api_watchdog, timer)->fiber); }

void api_watchdog_set(struct kube_api *a, struct api_watchdog *w, int64_t after_ns)
{
	w->fiber = fiber_self();
	/* without memory for a timer the request is merely not watched */
	(void)timer_set(a->loop, &w->timer, after_ns, bark);
}

int api_handle_wait(struct http_request *r, struct err *e)
{
	const struct front *f = r->user;
	struct api_req *q = arena_new(r->arena, struct api_req);
	if (!q)
		return err_nomem(e);
	*q = (struct api_req){ .http = r, .api = f->api, .arena = r->arena };
	f->api->n_requests++;
	api_watchdog_set(f->api, &q->watchdog, API_REQUEST_NS);
	http_header_add(r, "Cache-Control", "no-cache, private");
	if (!f->api->started && strcmp(r->path, "/livez") && strcmp(r->path, "/readyz") && strcmp(r->path, "/healthz"))
		api_refuse(q, 503, "ServiceUnavailable", "the server is starting");
	int x = q->refusal ? -EAGAIN : run_wait(q, f);
	if (x < 0 && q->refusal && !http_begun(r)) {
		/* a refusal is never a table */
		q->media.shape = API_WHOLE;
		x = api_send_status(q, q->refusal);
	}
	timer_cancel(&q->watchdog.timer);
	api_resource_unref(q->held);
	f->api->n_requests--;
	if (x < 0 && !http_begun(r) && !(e && e->code))
		return err_sys(e, x, "the request failed");
	return x;
}

int64_t api_now_ns(struct api_req *q) { return loop_realtime_ns(q->api->loop); }

const char *api_time_text(struct api_req *q, int64_t ns)
{
	char text[CLOCK_TEXT_MAX];
	clock_rfc3339(text, ns);
	return arena_strdup(q->arena, text);
}
