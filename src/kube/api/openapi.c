/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /openapi/v3 (an index, and a document a group version), /openapi/v2 (JSON, and
 * protobuf for kubectl 1.28 and before). Documents are made by kube/kind, cost
 * milliseconds, and are kept until what is served changes.
 */
#include "kube/api/openapi.h"

#include <stdlib.h>
#include <string.h>

#include "codec/sha256.h"

enum { DOCUMENT_MAX = 64 << 20 };

struct document { char *text; size_t len; char hash[65]; };
struct api_openapi {
	uint64_t epoch;
	struct map documents;      /* "v3/apps/v1", "v2", "v2pb" → struct document */
	struct fmutex making;
};

static void forget(struct api_openapi *x)
{
	size_t at = 0;
	for (struct map_entry *m; (m = map_next(&x->documents, &at));) {
		free(((struct document *)m->value)->text);
		free(m->value);
	}
	map_release(&x->documents);
	map_init(&x->documents);
}

void api_openapi_free(struct api_openapi *x)
{
	if (!x)
		return;
	forget(x);
	map_release(&x->documents);
	free(x);
}

static struct api_openapi *state(struct kube_api *a)
{
	if (!a->openapi && (a->openapi = calloc(1, sizeof *a->openapi))) {
		map_init(&a->openapi->documents);
		fmutex_init(&a->openapi->making);
		a->openapi->epoch = a->epoch;
	}
	if (a->openapi && a->openapi->epoch != a->epoch) {
		forget(a->openapi);
		a->openapi->epoch = a->epoch;
	}
	return a->openapi;
}

/* --- making, on a worker: rows and frozen schemas only */

struct making {
	const char *group, *version;     /* version 3 */
	enum { V3, V2, V2_PROTOBUF } what;
	const struct kind_openapi_custom *custom;
	size_t n;
	struct buf out;
	char digest[65];
};

static int make(void *arg)
{
	struct making *m = arg;
	int r = m->what == V3 ? kind_openapi_v3(m->group, m->version, m->custom, m->n, &m->out) :
		m->what == V2 ? kind_openapi_v2(m->custom, m->n, &m->out) : kind_openapi_v2_protobuf(m->custom, m->n, &m->out);
	struct sha256 h;
	sha256_init(&h);
	sha256_add(&h, m->out.ptr, m->out.len);
	sha256_end_hex(&h, m->digest);
	return r;
}

static int document_wait(struct api_req *q, struct making *m, const char *key, const struct document **ret)
{
	struct api_openapi *x = state(q->api);
	struct document *d = x ? map_gets(&x->documents, key) : NULL;
	if (!x)
		return -ENOMEM;
	if (d) {
		*ret = d;
		return 0;
	}
	uint64_t epoch = q->api->epoch;
	m->out = BUF_INIT(DOCUMENT_MAX);
	int r = api_custom_documents(q, &m->custom, &m->n);
	if (r == 0)
		r = job_wait(make, m);
	d = r == 0 ? calloc(1, sizeof *d) : NULL;
	if (d) {
		memcpy(d->hash, m->digest, sizeof d->hash);
		d->len = m->out.len;
		d->text = buf_take(&m->out);
	}
	buf_release(&m->out);
	if (r < 0 || !d || !d->text) {
		free(d);
		return r < 0 ? r : -ENOMEM;
	}
	/* made of an older state, or by two at once: for this answer only */
	if (epoch != q->api->epoch || map_gets(&x->documents, key) || map_sets(&x->documents, key, d) < 0) {
		struct document *copy = arena_new(q->arena, struct document);
		if (copy) {
			*copy = *d;
			copy->text = arena_dup(q->arena, slice_n(d->text, d->len));
		}
		free(d->text);
		free(d);
		d = copy;
	}
	*ret = d;
	return d && d->text ? 0 : -ENOMEM;
}

/* --- answering */

static int reply(struct api_req *q, const struct document *d, const char *type)
{
	const char *etag = arena_fmt(q->arena, "\"%s\"", d->hash);
	if (!etag)
		return -ENOMEM;
	http_header_add(q->http, "ETag", etag);
	http_header_add(q->http, "Vary", "Accept");
	if (slice_is(http_header_get(&q->http->headers, "If-None-Match"), etag))
		return http_reply(q->http, 304, NULL, SLICE(""));
	return api_reply_bytes(q, 200, type, slice_n(d->text, d->len));
}

static bool accepts(const struct api_req *q, const char *what)
{
	struct slice a = http_header_get(&q->http->headers, "Accept");
	size_t n = strlen(what);
	for (size_t i = 0; i + n <= a.len; i++)
		if (!memcmp(a.ptr + i, what, n))
			return true;
	return false;
}

static int v2_wait(struct api_req *q)
{
	bool protobuf = accepts(q, "application/com.github.proto-openapi.spec.v2");
	struct making m = { .what = protobuf ? V2_PROTOBUF : V2 };
	const struct document *d;
	int r = document_wait(q, &m, protobuf ? "v2pb" : "v2", &d);
	return r < 0 ? r : reply(q, d, protobuf ? "application/com.github.proto-openapi.spec.v2.v1.0+protobuf" : "application/json");
}

static const char *document_key(struct arena *a, const char *group, const char *version) { return arena_fmt(a, "v3/%s/%s", group, version); }

static int v3_wait(struct api_req *q, const char *group, const char *version)
{
	struct making m = { group, version, V3 };
	const struct document *d;
	int r = document_wait(q, &m, document_key(q->arena, group, version), &d);
	if (r == -ENOENT)
		return http_reply(q->http, 404, "text/plain; charset=utf-8", SLICE("404 page not found\n"));
	return r < 0 ? r : reply(q, d, "application/json");
}

/* Every group version once, with the hash of its document, so that clients may keep it. */
static int index_wait(struct api_req *q)
{
	struct kube_api *a = q->api;
	VEC(struct kube_open_api_index_entry_entry) v = { 0 };
	int r = 0;
	for (size_t i = 0; i < a->resources.n && r == 0; i++) {
		const struct kube_resource *row = a->resources.v[i]->row;
		const char *path = *row->group ? arena_fmt(q->arena, "apis/%s/%s", row->group, row->version) : arena_fmt(q->arena, "api/%s", row->version);
		bool twice = !path;
		for (size_t k = 0; k < v.n && !twice; k++)
			twice = !strcmp(v.v[k].key, path);
		if (twice)
			continue;
		struct making m = { row->group, row->version, V3 };
		const struct document *d;
		const char *group = arena_strdup(q->arena, row->group), *version = arena_strdup(q->arena, row->version);
		m.group = group;
		m.version = version;
		r = document_wait(q, &m, document_key(q->arena, group, version), &d);
		if (r == -ENOENT) {
			r = 0;
			continue;
		}
		if (r == 0)
			r = vec_push(&v, (struct kube_open_api_index_entry_entry){ path, { arena_fmt(q->arena, "/openapi/v3/%s?hash=%s", path, d->hash) } });
	}
	struct kube_open_api_index x = { v.v, (uint32_t)v.n };
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	if (r == 0)
		r = schema_to_json(T_kube_open_api_index, &x, 0, &b);
	vec_release(&v);
	return r < 0 ? r : api_reply_bytes(q, 200, "application/json", buf_slice(&b));
}

int api_openapi_wait(struct api_req *q, bool *mine)
{
	const char *p = q->http->path;
	*mine = true;
	if (!slice_is(q->http->method, "GET") && !slice_is(q->http->method, "HEAD"))
		*mine = false;
	else if (!strcmp(p, "/openapi/v2") || !strcmp(p, "/openapi/v2/"))
		return v2_wait(q);
	else if (!strcmp(p, "/openapi/v3") || !strcmp(p, "/openapi/v3/"))
		return index_wait(q);
	else if (!strncmp(p, "/openapi/v3/api/", 16))
		return v3_wait(q, "", arena_strdup(q->arena, p + 16));
	else if (!strncmp(p, "/openapi/v3/apis/", 17) && strchr(p + 17, '/')) {
		struct slice group, version;
		slice_cut(slice_of(p + 17), '/', &group, &version);
		return v3_wait(q, arena_dup(q->arena, group), arena_dup(q->arena, version));
	} else {
		*mine = false;
	}
	return 0;
}
