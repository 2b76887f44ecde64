/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 messages, shared by server and client. Heads are bounded
 * (HTTP_HEAD_MAX), header names compare without case, values are kept as sent.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { HTTP_HEAD_MAX = 64 * 1024, HTTP_HEADERS_MAX = 200 };

struct http_header { struct slice name, value; };
struct http_headers { struct http_header *v; size_t n; };

/* First value of a header; an empty slice with ptr NULL when absent. */
struct slice http_header_get(const struct http_headers *h, const char *name);
/* True if a comma-separated header holds this token (no case). */
bool http_header_has(const struct http_headers *h, const char *name, const char *token);
const char *http_status_text(int status);

/* Query strings and paths: percent-decoding into the arena. */
struct http_param { struct slice name, value; };
struct http_query { struct http_param *v; size_t n; };
int http_query_parse(struct arena *a, struct slice raw, struct http_query *ret);
/* First value, decoded; NULL when absent ("" when present without a value). */
const char *http_query_get(const struct http_query *q, const char *name);
/* Docker's and Go's idea of a boolean: absent, "", 0, f, F, false, no, none are false; anything else true. */
bool http_query_bool(const struct http_query *q, const char *name);
int http_percent_decode(struct arena *a, struct slice s, bool plus_is_space, char **ret);
int http_percent_encode(struct buf *out, struct slice s);      /* everything but unreserved */
