/* SPDX-License-Identifier: Apache-2.0 */
/* /version, /healthz, /livez, /readyz (each check by name, verbose, exclude), /metrics. */
#include "kube/api/api_int.h"

#include <string.h>

static bool check_ping(const struct kube_api *a) { return true; }
static bool check_store(const struct kube_api *a) { return store_revision(a->store) >= 0; }
static bool check_caches(const struct kube_api *a) { return a->started; }
static bool check_stopping(const struct kube_api *a) { return !a->stopping; }

static const struct check { const char *name; bool (*ok)(const struct kube_api *a); bool ready_only; } checks[] = {
	{ "ping", check_ping, false }, { "log", check_ping, false }, { "etcd", check_store, false },
	{ "etcd-readiness", check_store, true }, { "informer-sync", check_caches, true },
	{ "poststarthook/start-apiextensions-controllers", check_caches, false }, { "poststarthook/crd-informer-synced", check_caches, false },
	{ "poststarthook/rbac/bootstrap-roles", check_caches, false }, { "poststarthook/start-system-namespaces-controller", check_caches, false },
	{ "shutdown", check_stopping, true },
};

static bool excluded(const struct api_req *q, const char *name)
{
	for (size_t i = 0; i < q->http->query.n; i++)
		if (slice_is(q->http->query.v[i].name, "exclude") && slice_is(q->http->query.v[i].value, name))
			return true;
	return false;
}

static int one_check(struct api_req *q, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		if (!strcmp(checks[i].name, name)) {
			bool ok = checks[i].ok(q->api);
			return http_reply(q->http, ok ? 200 : 500, "text/plain; charset=utf-8", ok ? SLICE("ok") : SLICE("internal server error: not ok\n"));
		}
	return http_reply(q->http, 404, "text/plain; charset=utf-8", SLICE("404 page not found\n"));
}

static int health(struct api_req *q, const char *which, const char *sub)
{
	AUTO(buf) struct buf b = BUF_INIT(16384);
	const char *verbose = http_query_get(&q->http->query, "verbose");
	bool all = true, ready = !strcmp(which, "readyz");
	if (*sub == '/')
		return one_check(q, sub + 1);
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		if (checks[i].ready_only && !ready)
			continue;
		if (excluded(q, checks[i].name)) {
			buf_addf(&b, "[+]%s excluded: ok\n", checks[i].name);
			continue;
		}
		bool ok = checks[i].ok(q->api);
		all &= ok;
		buf_addf(&b, ok ? "[+]%s ok\n" : "[-]%s failed: reason withheld\n", checks[i].name);
	}
	buf_addf(&b, "%s check %s\n", which, all ? "passed" : "failed");
	http_header_add(q->http, "X-Content-Type-Options", "nosniff");
	if (!all)
		return http_reply(q->http, 500, "text/plain; charset=utf-8", buf_slice(&b));
	return http_reply(q->http, 200, "text/plain; charset=utf-8", verbose ? buf_slice(&b) : SLICE("ok"));
}

static int version(struct api_req *q)
{
	const char *build = q->api->c.build ? q->api->c.build : "dev";
	const struct kube_info info = {
		.major = "1", .minor = "36", .emulation_major = "1", .emulation_minor = "36", .min_compatibility_major = "1", .min_compatibility_minor = "35",
		.git_version = arena_fmt(q->arena, "v1.36.0+coracle-%s", build), .git_commit = "", .git_tree_state = "clean", .build_date = "1970-01-01T00:00:00Z",
		.go_version = "none", .compiler = "gcc",
#if defined __aarch64__
		.platform = "linux/arm64",
#else
		.platform = "linux/amd64",
#endif
	};
	AUTO(buf) struct buf b = BUF_INIT(4096);
	schema_to_json(T_kube_info, &info, SCHEMA_INDENT, &b);
	return http_reply(q->http, 200, "application/json", buf_slice(&b));
}

static int metrics(struct api_req *q)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	struct kube_api *a = q->api;
	buf_adds(&b, "# HELP apiserver_current_inflight_requests Requests that are being served.\n# TYPE apiserver_current_inflight_requests gauge\n");
	buf_addf(&b, "apiserver_current_inflight_requests{request_kind=\"all\"} %u\n", a->n_requests);
	buf_adds(&b, "# HELP apiserver_longrunning_requests Watches that are open.\n# TYPE apiserver_longrunning_requests gauge\n");
	buf_addf(&b, "apiserver_longrunning_requests{verb=\"WATCH\"} %u\n", a->n_watches);
	buf_adds(&b, "# HELP apiserver_request_total Answers by method and first digit of the status.\n# TYPE apiserver_request_total counter\n");
	for (unsigned m = 0; m < API_METHODS; m++)
		for (unsigned c = 1; c < 6; c++)
			if (a->n_answers[m][c])
				buf_addf(&b, "apiserver_request_total{verb=\"%s\",code=\"%uxx\"} %llu\n", api_methods[m], c, (unsigned long long)a->n_answers[m][c]);
	buf_adds(&b, "# HELP apiserver_storage_revision The store's newest revision.\n# TYPE apiserver_storage_revision counter\n");
	buf_addf(&b, "apiserver_storage_revision %lld\n", (long long)store_revision(a->store));
	buf_adds(&b, "# HELP apiserver_resource_objects Number of stored objects by resource.\n# TYPE apiserver_resource_objects gauge\n");
	size_t at = 0;
	for (struct map_entry *m; (m = map_next(&a->caches, &at));) {
		struct slice name, group;
		slice_cut(slice_of(m->key), '.', &name, &group);
		buf_addf(&b, "apiserver_resource_objects{group=\"%.*s\",resource=\"%.*s\"} %zu\n", SLICE_FMT(group), SLICE_FMT(name),
			((struct api_cache *)m->value)->items.n);
	}
	return http_reply(q->http, 200, "text/plain; version=0.0.4; charset=utf-8", buf_slice(&b));
}

int api_health(struct api_req *q, bool *mine)
{
	static const char *const names[] = { "healthz", "livez", "readyz" };
	const char *p = q->http->path;
	*mine = true;
	if (!strcmp(p, "/version") || !strcmp(p, "/version/"))
		return version(q);
	if (!strcmp(p, "/metrics"))
		return metrics(q);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t n = strlen(names[i]);
		if (*p == '/' && !strncmp(p + 1, names[i], n) && (!p[n + 1] || p[n + 1] == '/'))
			return health(q, names[i], p + n + 1);
	}
	*mine = false;
	return 0;
}
