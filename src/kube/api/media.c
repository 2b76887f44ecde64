/* SPDX-License-Identifier: Apache-2.0 */
/* Encodings: what the client sent, what it wants, and the way of every answer out. */
#include "kube/api/api_int.h"

#include <string.h>
#include <strings.h>

#include "codec/compress.h"
#include "codec/json.h"

enum { GZIP_FROM = 128 * 1024 };

/* --- what is wanted */

static struct slice param(struct slice clause, const char *name)
{
	struct slice piece, rest = clause, key, value;
	slice_next(&rest, ';', &piece);
	while (slice_next(&rest, ';', &piece))
		if (slice_cut(slice_trim(piece), '=', &key, &value) && slice_is(key, name))
			return value;
	return SLICE("");
}

static int format_of(struct slice type, enum api_format *ret)
{
	if (slice_is(type, "*/*") || slice_is(type, "application/*") || slice_is(type, "application/json")) {
		*ret = API_JSON;
	} else if (slice_is(type, "application/yaml")) {
		*ret = API_YAML;
	} else if (slice_is(type, "application/vnd.kubernetes.protobuf")) {
		*ret = API_PROTOBUF;
	} else {
		return -ENOENT;
	}
	return 0;
}

static bool fits(struct api_req *q, struct slice clause, bool shapes, struct api_media *m)
{
	struct slice type, rest, as = param(clause, "as"), v = param(clause, "v");
	slice_cut(clause, ';', &type, &rest);
	type = slice_trim(type);
	*m = (struct api_media){ 0 };
	if (format_of(type, &m->format) < 0)
		return false;
	if (!as.len)
		return m->format != API_PROTOBUF || !q->res || !q->res->custom;
	if (!shapes || !slice_is(param(clause, "g"), "meta.k8s.io") || (!slice_is(v, "v1") && !slice_is(v, "v1beta1")))
		return false;
	m->meta_version = slice_is(v, "v1") ? "v1" : "v1beta1";
	if (slice_is(as, "Table"))
		m->shape = API_TABLE;
	else if (slice_is(as, "PartialObjectMetadata"))
		m->shape = API_PARTIAL;
	else if (slice_is(as, "PartialObjectMetadataList"))
		m->shape = API_PARTIAL_LIST;
	else
		return false;
	return m->shape != API_TABLE || m->format != API_PROTOBUF;
}

int api_negotiate(struct api_req *q, bool shapes)
{
	struct slice accept = http_header_get(&q->http->headers, "Accept"), clause;
	q->media = (struct api_media){ 0 };
	if (!slice_trim(accept).len)
		return 0;
	/* quality is not weighed: no client of this API sends it otherwise than in order */
	for (struct slice rest = accept; slice_next(&rest, ',', &clause);)
		if (fits(q, slice_trim(clause), shapes, &q->media))
			return 0;
	q->media = (struct api_media){ 0 };
	return api_refuse(q, 406, "NotAcceptable", "only the following media types are accepted: application/json, application/yaml, "
		"application/vnd.kubernetes.protobuf");
}

const char *api_content_type(const struct api_media *m, bool watch)
{
	switch (m->format) {
	case API_YAML: return "application/yaml";
	case API_PROTOBUF: return watch ? "application/vnd.kubernetes.protobuf;stream=watch" : "application/vnd.kubernetes.protobuf";
	default: return "application/json";
	}
}

/* --- what was sent */

int api_read_body_wait(struct api_req *q)
{
	struct err e = { 0 };
	if (q->has_body)
		return 0;
	int x = http_body_all_wait(q->http, API_BODY_MAX, &q->body, &e);
	if (x == -E2BIG) {
		/* read on for a while: who is still sending would not see the answer */
		char drop[8192];
		for (size_t n = 0; n < 4 * API_BODY_MAX && http_body_read_wait(q->http, drop, sizeof drop) > 0;)
			n += sizeof drop;
		return api_refuse(q, 413, "RequestEntityTooLarge", "Request entity too large: limit is %d", API_BODY_MAX);
	}
	if (x < 0)
		return api_from_err(q, &e);
	q->has_body = true;
	return 0;
}

static int wrong_type(struct api_req *q)
{
	return api_refuse(q, 415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted media types include: "
		"application/json, application/yaml, application/vnd.kubernetes.protobuf");
}

static int sent_format(struct api_req *q, enum api_format *ret)
{
	struct slice type, rest, sent = http_header_get(&q->http->headers, "Content-Type");
	slice_cut(sent, ';', &type, &rest);
	type = slice_trim(type);
	if (!type.len) {
		*ret = API_JSON;
		return 0;
	}
	if (slice_is(type, "*/*") || format_of(type, ret) < 0)
		return wrong_type(q);
	return 0;
}

/* YAML to JSON, so that one way of reading finds unknown and duplicate fields. */
static int yaml_to_json(struct api_req *q, struct slice *body)
{
	struct tree docs;
	struct err e = { 0 };
	AUTO(buf) struct buf b = BUF_INIT(4 * API_BODY_MAX);
	if (tree_from_yaml(*body, q->fields == API_FIELDS_STRICT ? SCHEMA_STRICT : 0, q->arena, &docs, &e) < 0)
		return api_bad_request(q, "error converting YAML to JSON: %s", e.text);
	if (!docs.n)
		return api_bad_request(q, "the body is empty");
	if (tree_to_json(&docs.items[0], 0, &b) < 0)
		return api_bad_request(q, "the body is too large");
	*body = slice_n(arena_dup(q->arena, buf_slice(&b)), b.len);
	return body->ptr ? 0 : -ENOMEM;
}

static int from_protobuf(struct api_req *q, struct schema_ref t, void *obj)
{
	struct kube_unknown u;
	struct err e = { 0 };
	struct api_head *head = obj;
	if (q->body.len < 4 || memcmp(q->body.ptr, "k8s\0", 4))
		return api_bad_request(q, "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
	if (schema_from_protobuf(T_kube_unknown, slice_n(q->body.ptr + 4, q->body.len - 4), q->arena, &u, &e) < 0)
		return api_bad_request(q, "%s", e.text);
	if (u.content_encoding && *u.content_encoding)
		return api_bad_request(q, "unsupported content encoding %s", u.content_encoding);
	if (u.content_type && !strcmp(u.content_type, "application/json")) {
		if (schema_from_json(t, u.raw, 0, q->arena, obj, &e) < 0)
			return api_bad_request(q, "%s", e.text);
	} else if (schema_from_protobuf(t, u.raw, q->arena, obj, &e) < 0) {
		return api_bad_request(q, "%s", e.text);
	}
	head->kind = u.kind;
	head->api_version = u.api_version;
	return 0;
}

/* kind and apiVersion may be left out; when given they must be these. */
static int check_kind(struct api_req *q, const struct api_head *head, const char *api_version, const char *kind)
{
	if (api_version && head->api_version && *head->api_version && strcmp(head->api_version, api_version))
		return api_bad_request(q, "the API version in the data (%s) does not match the expected API version (%s)", head->api_version, api_version);
	if (head->kind && *head->kind && strcmp(head->kind, kind))
		return api_bad_request(q, "%s in version \"%s\" cannot be handled as a %s: converting (%s) to (%s): unknown conversion", head->kind,
			api_version ? api_version : "v1", kind, head->kind, kind);
	return 0;
}

static int strict_error(struct api_req *q, const char *kind, const char *version, const char *problems)
{
	return api_bad_request(q, "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s", kind, version, kind, problems);
}

static const char *version_of(const char *api_version)
{
	if (!api_version)
		return "v1";
	const char *slash = strchr(api_version, '/');
	return slash ? slash + 1 : api_version;
}

/* Warnings come one for each problem. */
void api_warn_each(struct api_req *q, const struct buf *problems)
{
	const char *p = problems->ptr;
	while (*p) {
		const char *end = strstr(p, "\", ");
		const char *text = arena_dup(q->arena, slice_n(p, end ? (size_t)(end + 1 - p) : strlen(p)));
		if (text)
			api_warn(q, text);
		p = end ? end + 3 : p + strlen(p);
	}
}

/* What is no JSON at all, with the beginning of what was sent. */
static int unrecognized(struct api_req *q, const char *kind, struct slice body, const char *why)
{
	AUTO(buf) struct buf b = BUF_INIT(256);
	size_t n = MIN(body.len, (size_t)30);
	if (!body.len)
		buf_adds(&b, "<empty>");
	else if (body.ptr[0] == '{')
		buf_add(&b, body.ptr, n);
	else
		for (size_t i = 0; i < n; i++)
			buf_addf(&b, "%02x", (unsigned char)body.ptr[i]);
	return api_bad_request(q, "the object provided is unrecognized (must be of type %s): couldn't get version/kind; json parse error: %s (%s%s)", kind, why, b.ptr,
		body.len > n ? " ..." : "");
}

int api_decode(struct api_req *q, struct schema_ref t, const char *api_version, const char *kind, void *obj)
{
	enum api_format f;
	struct err e = { 0 };
	unsigned n = 0;
	AUTO(buf) struct buf problems = BUF_INIT(64 * 1024);
	int x = sent_format(q, &f);
	if (x < 0)
		return x;
	if (f == API_PROTOBUF) {
		x = from_protobuf(q, t, obj);
		return x < 0 ? x : check_kind(q, obj, api_version, kind);
	}
	struct slice body = q->body;
	if (f == API_YAML && (x = yaml_to_json(q, &body)) < 0)
		return x;
	x = q->fields == API_FIELDS_IGNORE ? schema_from_json(t, body, 0, q->arena, obj, &e) :
		schema_from_json_report(t, body, SCHEMA_STRICT, q->arena, obj, &problems, &n, &e);
	if (x == -EBADMSG)
		return unrecognized(q, kind, body, e.text);
	if (x < 0)
		return api_bad_request(q, "%s in version \"%s\" cannot be handled as a %s: %s", kind, version_of(api_version), kind, e.text);
	x = check_kind(q, obj, api_version, kind);
	if (x < 0)
		return x;
	if (n && q->fields == API_FIELDS_STRICT)
		return strict_error(q, kind, version_of(api_version), problems.ptr);
	if (n)
		api_warn_each(q, &problems);
	return 0;
}

int api_decode_object(struct api_req *q, struct api_object *ret)
{
	struct api_resource *r = q->res;
	struct api_object o = { .res = r };
	AUTO(buf) struct buf twice = BUF_INIT(64 * 1024);
	unsigned n_twice = 0;
	struct schema_ref type = r->custom ? T_kube_partial_object_metadata : r->row->type;
	o.head = arena_alloc(q->arena, schema_size(type));
	if (!o.head)
		return -ENOMEM;
	if (r->custom) {
		struct err e = { 0 };
		struct slice body = q->body;
		enum api_format f;
		int x = sent_format(q, &f);
		if (x < 0)
			return x;
		if (f == API_PROTOBUF)
			return wrong_type(q);
		if (f == API_YAML && (x = yaml_to_json(q, &body)) < 0)
			return x;
		if (tree_from_json_report(body, 0, q->arena, &o.tree, &twice, &n_twice, &e) < 0)
			return api_bad_request(q, "%s", e.text);
		if (o.tree.type != TREE_MAP)
			return api_bad_request(q, "the object must be a map");
		if (schema_from_json(type, body, 0, q->arena, o.head, &e) < 0)
			return api_bad_request(q, "%s in version \"%s\" cannot be handled as a %s: %s", r->row->kind, r->row->version, r->row->kind, e.text);
		if ((x = check_kind(q, o.head, r->api_version, r->row->kind)) < 0)
			return x;
	} else {
		int x = api_decode(q, type, r->api_version, r->row->kind, o.head);
		if (x < 0)
			return x;
	}
	o.head->kind = r->row->kind;
	o.head->api_version = r->api_version;
	*ret = o;
	return r->custom ? api_custom_check(q, &o.tree, &twice) : 0;
}

/* --- answers */

static int envelope(const char *api_version, const char *kind, struct schema_ref t, const void *obj, struct buf *out)
{
	AUTO(buf) struct buf raw = BUF_INIT(out->max);
	if (schema_to_protobuf(t, obj, &raw) < 0)
		return -E2BIG;
	struct kube_unknown u = { .api_version = api_version, .kind = kind, .raw = buf_slice(&raw) };
	buf_add(out, "k8s\0", 4);
	return schema_to_protobuf(T_kube_unknown, &u, out);
}

static int json_to_yaml(struct slice json, struct arena *a, struct buf *out, struct err *e)
{
	struct tree t;
	int x = tree_from_json(json, SCHEMA_NO_COPY, a, &t, e);
	return x < 0 ? x : tree_to_yaml(&t, SCHEMA_SORTED, out);
}

int api_transcode(const struct api_media *m, const struct api_resource *r, struct schema_ref t, struct slice json, struct arena *a, struct buf *out, struct err *e)
{
	if (m->format == API_JSON)
		return buf_addslice(out, json);
	if (m->format == API_YAML)
		return json_to_yaml(json, a, out, e);
	struct api_head *obj = arena_alloc(a, schema_size(t));
	if (!obj)
		return err_nomem(e);
	int x = schema_from_json(t, json, 0, a, obj, e);
	return x < 0 ? x : envelope(obj->api_version, obj->kind, t, obj, out);
}

static int gzip(struct slice body, struct buf *out)
{
	AUTO(deflate) struct deflate *z = NULL;
	int x = deflate_new(COMPRESSION_GZIP, 0, &z);
	while (x == 0 && !deflate_is_done(z)) {
		if (buf_reserve(out, 64 * 1024) < 0)
			return -ENOMEM;
		ssize_t n = deflate_step(z, &body, true, out->ptr + out->len, 64 * 1024);
		if (n < 0)
			return (int)n;
		out->len += (size_t)n;
	}
	return x;
}

struct gzip_job { struct slice body; struct buf out; };
static int gzip_job(void *arg)
{
	struct gzip_job *j = arg;
	return gzip(j->body, &j->out);
}

int api_reply_bytes(struct api_req *q, int status, const char *type, struct slice body)
{
	if (q->is_local || q->http->is_loopback || body.len < GZIP_FROM || !http_header_has(&q->http->headers, "Accept-Encoding", "gzip"))
		return http_reply(q->http, status, type, body);
	struct gzip_job j = { body, BUF_INIT(API_REPLY_MAX) };
	int x = job_wait(gzip_job, &j);
	if (x == 0) {
		http_header_add(q->http, "Content-Encoding", "gzip");
		http_header_add(q->http, "Vary", "Accept-Encoding");
		body = buf_slice(&j.out);
	}
	x = http_reply(q->http, status, type, body);
	buf_release(&j.out);
	return x;
}

int api_reply_struct(struct api_req *q, int status, struct schema_ref t, const void *obj)
{
	AUTO(buf) struct buf b = BUF_INIT(API_REPLY_MAX);
	struct err e = { 0 };
	const struct api_head *head = obj;
	int x;
	if (q->media.format == API_PROTOBUF) {
		x = envelope(head->api_version, head->kind, t, obj, &b);
	} else if (q->media.format == API_YAML) {
		AUTO(buf) struct buf json = BUF_INIT(API_REPLY_MAX);
		x = schema_to_json(t, obj, 0, &json);
		if (x == 0)
			x = json_to_yaml(buf_slice(&json), q->arena, &b, &e);
	} else {
		x = schema_to_json(t, obj, SCHEMA_ESCAPE_HTML, &b);
		buf_addc(&b, '\n');
	}
	if (x < 0 || buf_error(&b))
		return http_reply(q->http, 500, "text/plain", SLICE("the answer cannot be encoded\n"));
	return api_reply_bytes(q, status, api_content_type(&q->media, false), buf_slice(&b));
}

int api_reply_value(struct api_req *q, int status, struct slice value, int64_t revision)
{
	AUTO(buf) struct buf json = BUF_INIT(API_REPLY_MAX);
	AUTO(buf) struct buf b = BUF_INIT(API_REPLY_MAX);
	struct err e = { 0 };
	struct api_item item = { value, revision };
	int x = 0;
	if (api_needs_view(q->res) && api_view(q->res, value, q->arena, &item.value, &e) < 0)
		return api_from_err(q, &e);
	if (api_splice_points(item.value, &item.meta_at, &item.rv_at) < 0)
		return api_refuse(q, 500, "InternalError", "the stored object cannot be read");
	switch (q->media.shape) {
	case API_TABLE: {
		struct kube_list_meta meta = { .resource_version = arena_fmt(q->arena, "%lld", (long long)revision) };
		x = api_table(q, &item, 1, &meta, true, &json, &e);
		break;
	}
	case API_PARTIAL:
	case API_PARTIAL_LIST: x = api_partial(q, &item, &json, &e); break;
	default: api_splice(&json, item.value, item.rv_at, revision); break;
	}
	struct schema_ref t = q->media.shape == API_TABLE ? T_kube_table : q->media.shape ? T_kube_partial_object_metadata : q->res->row->type;
	if (x == 0 && q->media.format != API_JSON)
		x = api_transcode(&q->media, q->res, t, buf_slice(&json), q->arena, &b, &e);
	else
		buf_addc(&json, '\n');
	if (x < 0)
		return api_from_err(q, &e);
	return api_reply_bytes(q, status, api_content_type(&q->media, false), buf_slice(q->media.format == API_JSON ? &json : &b));
}

int api_reply_object(struct api_req *q, int status, const struct store_object *o)
{
	return api_reply_value(q, status, slice_n(o->value, o->value_len), o->revision);
}

int api_reply_version(struct api_req *q, int status, const struct api_version *v) { return api_reply_value(q, status, v->value, v->revision); }
