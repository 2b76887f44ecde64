/* SPDX-License-Identifier: Apache-2.0 */
#include "docker_api/api_int.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "codec/base64.h"

unsigned api_minor(const struct http_request *r)
{
	return (unsigned)(uintptr_t)r->scratch;
}

/* "/v1.43/x" -> 43 and "/x"; 0 when there is no prefix, -EINVAL when the version does not parse. */
static int version_of(const char *path, const char **rest)
{
	*rest = path;
	if (path[0] != '/' || path[1] != 'v' || path[2] < '0' || path[2] > '9')
		return 0;
	const char *end = strchr(path + 1, '/');
	struct slice s = slice_n(path + 2, end ? (size_t)(end - path - 2) : strlen(path + 2)), major, minor;
	int64_t a, b;
	if (!slice_cut(s, '.', &major, &minor) || num_parse_i64(major, 0, 1000, &a) < 0 || num_parse_i64(minor, 0, 100000, &b) < 0)
		return 0;
	*rest = end ? end : "/";
	return a == 1 ? (int)b : a > 1 ? 100000 : 0;
}

static int before(struct http_request *r, const char **path, struct err *e)
{
	const char *rest;
	int minor = version_of(r->path, &rest);
	bool has_prefix = rest != r->path;
	http_header_add(r, "Api-Version", DOCKER_API_VERSION);
	http_header_add(r, "Docker-Experimental", "false");
	http_header_add(r, "Ostype", "linux");
	http_header_add(r, "Server", "Docker/" DOCKER_VERSION " (linux)");
	r->scratch = (void *)(uintptr_t)(has_prefix ? minor : DOCKER_API_MINOR);
	if (has_prefix && minor > DOCKER_API_MINOR)
		return err_set(e, EINVAL, "client version %.*s is too new. Maximum supported API version is " DOCKER_API_VERSION,
			       (int)strcspn(r->path + 2, "/"), r->path + 2);
	if (has_prefix && minor < DOCKER_API_LEAST)
		return err_set(e, EINVAL, "client version %.*s is too old. Minimum supported API version is " DOCKER_API_LEAST_VERSION
			       ", please upgrade your client to a newer version", (int)strcspn(r->path + 2, "/"), r->path + 2);
	*path = rest;
	return 0;
}

static void write_error(struct http_request *r, int status, const struct err *e)
{
	/* the router's own refusals have Docker's text; an unknown method is an unknown page there */
	if (!r->route && status == 405)
		status = 404;
	struct docker_error m = { .message = status == 404 && !r->route ? "page not found" : e->text };
	AUTO(buf) struct buf b = BUF_INIT(64 * 1024);
	if (status == 304) {
		http_reply(r, 304, NULL, (struct slice){ 0 });
		return;
	}
	schema_to_json(T_docker_error, &m, SCHEMA_NEWLINE, &b);
	if (status >= 500)
		log_error("request failed", "method=%.*s path=%s status=%d error=%s", SLICE_FMT(r->method), r->path, status, e->text);
	http_reply(r, status, "application/json", buf_slice(&b));
}

static void done(struct http_request *r, int status, int64_t duration_ns)
{
	log_debug("request", "method=%.*s path=%s status=%d us=%lld", SLICE_FMT(r->method), r->path, status, (long long)(duration_ns / 1000));
}

int reply_json(struct http_request *r, int status, struct schema_ref t, const void *obj)
{
	AUTO(buf) struct buf b = BUF_INIT(REPLY_MAX);
	int ret = schema_to_json(t, obj, SCHEMA_NEWLINE | SCHEMA_API(api_minor(r)), &b);
	if (ret == 0)
		ret = buf_error(&b);
	return ret < 0 ? ret : http_reply(r, status, "application/json", buf_slice(&b));
}

int reply_empty(struct http_request *r, int status)
{
	return http_reply(r, status, NULL, (struct slice){ 0 });
}

int body_json(struct http_request *r, struct schema_ref t, void *obj, bool may_be_empty, struct err *e)
{
	struct slice text, type = http_header_get(&r->headers, "Content-Type"), media, rest;
	int ret = http_body_all_wait(r, BODY_MAX, &text, e);
	if (ret < 0)
		return ret;
	if (!slice_trim(text).len) {
		if (!may_be_empty)
			return err_set(e, EINVAL, "invalid JSON: got EOF while reading request body");
		text = SLICE("{}");
		return schema_from_json(t, text, 0, r->arena, obj, e);
	}
	slice_cut(type, ';', &media, &rest);
	if (!slice_trim(media).len)
		return err_set(e, EINVAL, "malformed Content-Type header (%.*s): mime: no media type", SLICE_FMT(type));
	if (!slice_eq_nocase(slice_trim(media), SLICE("application/json")))
		return err_set(e, EINVAL, "unsupported Content-Type header (%.*s): must be 'application/json'", SLICE_FMT(type));
	ret = schema_from_json(t, text, SCHEMA_FOLD_CASE, r->arena, obj, e);
	if (ret < 0) {
		err_prefix(e, "invalid JSON");
		e->code = EINVAL;
		return -EINVAL;
	}
	return 0;
}

const char *query(const struct http_request *r, const char *name)
{
	return http_query_get(&r->query, name);
}

bool query_bool(const struct http_request *r, const char *name)
{
	return http_query_bool(&r->query, name);
}

int query_i64(const struct http_request *r, const char *name, int64_t absent, int64_t *ret, struct err *e)
{
	const char *s = query(r, name);
	*ret = absent;
	if (!s || !*s)
		return 0;
	if (num_parse_i64(slice_of(s), INT64_MIN, INT64_MAX, ret) < 0)
		return err_set(e, EINVAL, "strconv.Atoi: parsing \"%s\": invalid syntax", s);
	return 0;
}

int query_filters(struct http_request *r, struct filters *ret, struct err *e)
{
	return filters_parse(r->arena, query(r, "filters"), ret, e);
}

const char **query_all(struct http_request *r, const char *name, uint32_t *n)
{
	const char **v = arena_array(r->arena, r->query.n, sizeof *v);
	*n = 0;
	for (size_t i = 0; v && i < r->query.n; i++)
		if (slice_is(r->query.v[i].name, name))
			v[(*n)++] = arena_dup(r->arena, r->query.v[i].value);
	return v;
}

const char *raw_content_type(const struct http_request *r, bool tty)
{
	return tty || api_minor(r) < 42 ? "application/vnd.docker.raw-stream" : "application/vnd.docker.multiplexed-stream";
}

int hijack_wait(struct http_request *r, bool tty, struct stream **ret)
{
	struct slice up = http_header_get(&r->headers, "Upgrade");
	int done = http_hijack_wait(r, up.len ? 101 : 200, raw_content_type(r, tty), up.len ? "tcp" : NULL, ret);
	/* docker-py loses output that arrives together with the head */
	if (done >= 0)
		stream_drained_wait(*ret, 200 * NS_PER_MS);
	return done;
}

int auth_header(struct http_request *r, struct docker_auth_config *ret, struct err *e)
{
	struct slice h = http_header_get(&r->headers, "X-Registry-Auth");
	*ret = (struct docker_auth_config){ 0 };
	if (!h.len)
		return 0;
	AUTO(buf) struct buf b = BUF_INIT(64 * 1024);
	if (base64_decode(&b, h) < 0)
		return err_set(e, EINVAL, "invalid X-Registry-Auth header: invalid base64");
	char *text = arena_dup(r->arena, buf_slice(&b));
	if (!text)
		return err_nomem(e);
	if (schema_from_json(T_docker_auth_config, slice_of(text), SCHEMA_FOLD_CASE, r->arena, ret, e) < 0) {
		err_prefix(e, "invalid X-Registry-Auth header");
		return -(e->code = EINVAL);
	}
	return 0;
}

int json_line(struct http_request *r, struct schema_ref t, const void *obj)
{
	AUTO(buf) struct buf b = BUF_INIT(4 << 20);
	int ret = schema_to_json(t, obj, 0, &b);
	buf_adds(&b, "\r\n");
	if (ret == 0)
		ret = buf_error(&b);
	if (ret == 0 && !http_begun(r))
		ret = http_begin_wait(r, 200, "application/json");
	return ret < 0 ? ret : http_write_wait(r, b.ptr, b.len);
}

/* --- the server */
static const struct http_route *const tables[] = { routes_build, routes_containers, routes_exec, routes_images, routes_networks, routes_volumes, routes_system,
	routes_absent };

int docker_api_new(struct loop *l, struct engine *eng, struct docker_api **ret, struct err *e)
{
	struct docker_api *api = calloc(1, sizeof *api);
	if (!api)
		return err_nomem(e);
	api->eng = eng;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		for (const struct http_route *row = tables[i]; row->method; row++)
			api->n_routes++;
	api->routes = calloc(api->n_routes + 1, sizeof *api->routes);
	if (!api->routes) {
		free(api);
		return err_nomem(e);
	}
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		for (const struct http_route *row = tables[i]; row->method; row++)
			api->routes[n++] = *row;
	struct http_server_config c = { .routes = api->routes, .n_routes = n, .user = api, .before = before, .write_error = write_error, .done = done };
	int r = http_server_new(l, &c, &api->server);
	if (r < 0) {
		free(api->routes);
		free(api);
		return err_sys(e, r, "making the API server");
	}
	*ret = api;
	return 0;
}

int docker_api_listen(struct docker_api *api, int fd, struct tls_config *tls, struct err *e)
{
	return http_server_listen(api->server, fd, tls, e);
}

void docker_api_free(struct docker_api *api)
{
	if (!api)
		return;
	http_server_free(api->server);
	free(api->routes);
	free(api);
}
