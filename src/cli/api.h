/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine as the commands see it: a connection that knows the API version
 * both sides speak, JSON calls, streams and hijacked connections. An answer of
 * 400 and above becomes an error with docker's wording. Everything that ends
 * in _wait may suspend.
 */
#pragma once
#include "api/docker.h"
#include "cli/cmd.h"
#include "http/client.h"
#include "schema/schema.h"

enum { API_BODY_MAX = 256 << 20 };

struct cli_connection {
	struct http_client *http;
	const char *host;            /* "unix:///run/coracle/docker.sock" */
	const char *version;         /* "1.51" as agreed; "" until then */
	int status;                  /* of the last answer */
	const char *os_type, *builder;
	bool experimental;
	struct tls_config *tls;
};

/* Connects and agrees on a version; done by every call below. */
int api_connect_wait(struct cli *c, struct err *e);
void api_close(struct cli *c);
/* The engine's address as messages name it; does not connect. */
const char *api_host(struct cli *c);
/* True from this API version on, e.g. "1.42". After connecting. */
bool api_at_least(struct cli *c, const char *version);

/* Sends `call` (method, target, headers, body filled in; target without version) and reads the head of the answer. Errors of the
 * engine come as < 0; c->connection->status has the code. Release the call in any case that returned >= 0. */
int api_open_wait(struct cli *c, struct http_call *call, struct err *e);
/* One call without a body worth reading. */
int api_do_wait(struct cli *c, const char *method, const char *target, struct err *e);
/* JSON in and out; the body may be NULL. Replies live in c->arena. */
int api_json_wait(struct cli *c, const char *method, const char *target, struct schema_ref t, const void *body, struct schema_ref reply_t,
		  void *reply, struct err *e);
int api_get_wait(struct cli *c, const char *target, struct schema_ref t, void *reply, struct err *e);
int api_post_wait(struct cli *c, const char *target, struct schema_ref t, const void *body, struct err *e);
/* The raw text of an answer. */
int api_text_wait(struct cli *c, const char *method, const char *target, struct buf *out, struct err *e);
/* POST that turns the connection into a raw stream; body may have ptr NULL. *ret_type (may be NULL): content type, arena. */
int api_hijack_wait(struct cli *c, const char *target, struct slice body, struct stream **ret, const char **ret_type, struct err *e);
/* Copies an answer's body to fd. */
int api_copy_wait(struct cli *c, struct http_call *call, int fd, struct err *e);

/* Lines of an answer that does not end. */
struct api_lines { struct http_call *call; struct buf buf; size_t at; };
void api_lines_init(struct api_lines *l, struct http_call *call);
static inline void auto_api_lines(struct api_lines *l) { buf_release(&l->buf); }
/* 1 with a line (without its end, valid until the next call), 0 at the end, -errno. */
int api_line_wait(struct api_lines *l, struct slice *ret, struct err *e);

/* Targets: a path piece encoded ('/' and ':' stay), and "&name=value" appended (the first with '?'). */
const char *api_esc(struct cli *c, const char *s);
struct target { struct buf b; bool any; };
#define TARGET_INIT { BUF_INIT(1 << 20), false }
static inline void auto_target(struct target *t) { buf_release(&t->b); }
void target_add(struct target *t, const char *name, const char *value);
/* The --filter values as the API's JSON, added as "filters" where there are any. */
int target_add_filters(struct cli *c, struct target *t, const struct flag_value *filters, struct err *e);
void call_header(struct cli *c, struct http_call *call, const char *name, const char *value);

/* Runs the plugin docker-NAME with these words if there is one; else the error about an unknown command. */
int api_plugin(struct cli *c, int argc, const char *const *argv);
int cli_no_command(struct cli *c, const char *name);
