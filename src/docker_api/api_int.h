/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of routes share. */
#pragma once
#include "api/docker.h"
#include "docker_api/api.h"
#include "engine/engine.h"
#include "http/server.h"
#include "schema/schema.h"

enum { BODY_MAX = 8 << 20, REPLY_MAX = 256 << 20 };

struct docker_api {
	struct engine *eng;
	struct http_server *server;
	struct http_route *routes;
	size_t n_routes;
};

/* Tables; ended by a row without method. */
extern const struct http_route routes_build[], routes_containers[], routes_exec[], routes_images[], routes_networks[], routes_volumes[], routes_system[],
	routes_absent[];

static inline struct engine *engine_of(struct http_request *r) { return ((struct docker_api *)r->user)->eng; }
/* Minor of the version that the client speaks (51 without a prefix). */
unsigned api_minor(const struct http_request *r);
/* 200 (or status) and the message. */
int reply_json(struct http_request *r, int status, struct schema_ref t, const void *obj);
int reply_empty(struct http_request *r, int status);
/* The body as a message; an empty one is an error unless may_be_empty (then *obj is zeroed). */
int body_json(struct http_request *r, struct schema_ref t, void *obj, bool may_be_empty, struct err *e);
const char *query(const struct http_request *r, const char *name);       /* NULL when absent */
bool query_bool(const struct http_request *r, const char *name);
/* A number of the query; `absent` when absent or empty; -EINVAL. */
int query_i64(const struct http_request *r, const char *name, int64_t absent, int64_t *ret, struct err *e);
int query_filters(struct http_request *r, struct filters *ret, struct err *e);
/* All values of a name that occurs several times. */
const char **query_all(struct http_request *r, const char *name, uint32_t *n);
/* Takes the connection for raw streams: 101 when the client asks for an upgrade, 200 otherwise. */
int hijack_wait(struct http_request *r, bool tty, struct stream **ret);
const char *raw_content_type(const struct http_request *r, bool tty);
/* X-Registry-Auth. */
int auth_header(struct http_request *r, struct docker_auth_config *ret, struct err *e);
/* A streamed answer of JSON lines; begins it (200) at the first line. */
int json_line(struct http_request *r, struct schema_ref t, const void *obj);
int images_df(struct http_request *r, struct docker_disk_usage *out, struct err *e);
