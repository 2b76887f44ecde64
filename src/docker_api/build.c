/* SPDX-License-Identifier: Apache-2.0 */
/* POST /build: the classic builder; its text and progress as a stream of JSON lines. */
#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "base/num.h"
#include "build/text.h"
#include "codec/base64.h"
#include "docker_api/api_int.h"
#include "engine/build.h"
#include "image/image.h"

struct building {
	struct http_request *r;
	bool quiet;
};

/* One {"stream":…} line. NUL bytes, which text cannot hold, are left out. */
static int stream_line(struct http_request *r, const char *p, size_t n)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	for (size_t i = 0; i < n; i++)
		if (p[i])
			buf_addc(&text, p[i]);
	struct docker_message m = { .stream = text.ptr };
	return buf_error(&text) ? buf_error(&text) : json_line(r, T_docker_message, &m);
}

static int on_event(void *arg, const struct build_event *ev)
{
	struct building *b = arg;
	AUTO(buf) struct buf text = BUF_INIT(9 << 20);
	if (ev->kind == BUILD_BUILT && !b->quiet) {
		AUTO(buf) struct buf aux = BUF_INIT(1024);
		struct docker_build_result result = { .id = ev->id };
		schema_to_json(T_docker_build_result, &result, 0, &aux);
		struct docker_message m = { .aux = buf_slice(&aux) };
		int r = json_line(b->r, T_docker_message, &m);
		if (r < 0)
			return r;
	}
	build_text(ev, b->quiet, &text);
	/* each line is a message of its own, as clients of the classic builder split them */
	struct slice rest = buf_slice(&text), line;
	while (rest.len && slice_next(&rest, '\n', &line)) {
		size_t n = line.len + (rest.ptr ? 1 : 0);
		int r = n ? stream_line(b->r, line.ptr, n) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int on_output(void *arg, const void *p, size_t n)
{
	struct building *b = arg;
	return b->quiet ? 0 : stream_line(b->r, p, n);
}

static int on_progress(void *arg, const struct image_progress *p)
{
	struct building *b = arg;
	struct docker_message_progress detail = { .current = p->current, .total = p->total };
	struct docker_message m = { .status = p->status, .id = p->id, .aux = p->aux, .stream = p->stream,
				    .progress_detail = p->current || p->total ? &detail : NULL };
	return b->quiet ? 0 : json_line(b->r, T_docker_message, &m);
}

static bool is_gone(void *arg)
{
	return http_peer_gone(((struct building *)arg)->r);
}

/* --- the query -------------------------------------------------------------------- */

static int parse_args(struct http_request *r, struct build_options *o, struct err *e)
{
	const char *text = query(r, "buildargs");
	struct docker_build_args args;
	if (!text || !text[0])
		return 0;
	if (schema_from_json(T_docker_build_args, slice_of(text), 0, r->arena, &args, e) < 0)
		return err_set(e, EINVAL, "error reading build args: %.300s", text);
	struct build_arg *v = arena_array(r->arena, args.n_items, sizeof *v);
	if (!v)
		return err_nomem(e);
	for (uint32_t i = 0; i < args.n_items; i++)
		v[i] = (struct build_arg){ args.items[i].key, args.items[i].value };
	o->args = v;
	o->n_args = args.n_items;
	return 0;
}

static int parse_labels(struct http_request *r, struct build_options *o, struct err *e)
{
	const char *text = query(r, "labels");
	struct docker_labels labels;
	if (!text || !text[0])
		return 0;
	if (schema_from_json(T_docker_labels, slice_of(text), 0, r->arena, &labels, e) < 0)
		return err_set(e, EINVAL, "error reading labels: %.300s", text);
	o->labels = labels.items;
	o->n_labels = labels.n_items;
	return 0;
}

static int parse_tags(struct http_request *r, struct build_options *o, struct err *e)
{
	uint32_t n;
	const char **tags = query_all(r, "t", &n), *full;
	for (uint32_t i = 0; i < n; i++) {
		int ret = image_ref_normal(tags[i], r->arena, &full, &tags[i], e);
		if (ret < 0)
			return ret;
		if (strchr(tags[i], '@'))
			return err_set(e, EINVAL, "build tag cannot contain a digest");
	}
	o->tags = tags;
	o->n_tags = n;
	return 0;
}

static int parse_limits(struct http_request *r, struct docker_host_config *h, struct err *e)
{
	int ret;
	if ((ret = query_i64(r, "memory", 0, &h->memory, e)) < 0 || (ret = query_i64(r, "memswap", 0, &h->memory_swap, e)) < 0 ||
	    (ret = query_i64(r, "cpushares", 0, &h->cpu_shares, e)) < 0 || (ret = query_i64(r, "cpuperiod", 0, &h->cpu_period, e)) < 0 ||
	    (ret = query_i64(r, "cpuquota", 0, &h->cpu_quota, e)) < 0 || (ret = query_i64(r, "shmsize", 0, &h->shm_size, e)) < 0)
		return ret;
	h->cpuset_cpus = query(r, "cpusetcpus");
	h->cpuset_mems = query(r, "cpusetmems");
	h->cgroup_parent = query(r, "cgroupparent");
	h->network_mode = query(r, "networkmode");
	h->extra_hosts = query_all(r, "extrahosts", &h->n_extra_hosts);
	return 0;
}

static int parse_auths(struct http_request *r, struct docker_auth_configs *auths, struct err *e)
{
	struct slice h = http_header_get(&r->headers, "X-Registry-Config");
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	*auths = (struct docker_auth_configs){ 0 };
	if (!h.len)
		return 0;
	char *copy = base64_decode(&text, h) < 0 ? NULL : arena_dup(r->arena, buf_slice(&text));
	/* a header that does not parse is ignored, as docker does: the registry then says what is missing */
	if (copy && schema_from_json(T_docker_auth_configs, slice_of(copy), SCHEMA_FOLD_CASE, r->arena, auths, e) < 0)
		*auths = (struct docker_auth_configs){ 0 };
	return 0;
}

static int send_error(struct http_request *r, int code, const struct err *e)
{
	struct docker_message_error detail = { .code = code, .message = e->text };
	struct docker_message m = { .error_detail = &detail, .error = e->text };
	return json_line(r, T_docker_message, &m);
}

static int build(struct http_request *r, struct err *e)
{
	struct building b = { r, query_bool(r, "q") };
	struct docker_host_config host = { 0 };
	struct docker_auth_configs auths;
	const char *version = query(r, "version"), *remote = query(r, "remote"), *rm = query(r, "rm");
	struct engine_build how = {
		.options = { .no_cache = query_bool(r, "nocache"), .pull = query_bool(r, "pull"), .force_remove = query_bool(r, "forcerm"),
			     .keep_containers = rm && rm[0] && !query_bool(r, "rm"), .target = query(r, "target") },
		.dockerfile = query(r, "dockerfile"),
		.host = &host,
		.auths = &auths,
		.sink = { on_event, on_output, on_progress, is_gone, &b },
	};
	if (version && !strcmp(version, "2"))
		return err_set(e, EOPNOTSUPP, "this engine has the classic builder only: unset DOCKER_BUILDKIT");
	if (remote && remote[0])
		return err_set(e, EOPNOTSUPP, "building from the remote context %.200s is not supported: send the context", remote);
	if (query_bool(r, "squash"))
		return err_set(e, EINVAL, "squash is only supported with experimental mode");
	int ret;
	if ((ret = parse_args(r, &how.options, e)) < 0 || (ret = parse_labels(r, &how.options, e)) < 0 || (ret = parse_tags(r, &how.options, e)) < 0 ||
	    (ret = parse_limits(r, &host, e)) < 0 || (ret = parse_auths(r, &auths, e)) < 0)
		return ret;
	how.context = http_body_stream(r);
	if (!how.context)
		return err_nomem(e);
	char id[BUILD_ID_MAX];
	int code;
	ret = engine_build_wait(engine_of(r), &how, id, &code, e);
	if (ret >= 0)
		return http_end_wait(r);
	if (!http_begun(r))
		return ret;
	send_error(r, code, e);
	return http_end_wait(r);
}

const struct http_route routes_build[] = { { "POST", "/build", build }, { 0 } };
