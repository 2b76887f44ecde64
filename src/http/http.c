// SPDX-License-Identifier: Apache-2.0
/* Headers, status texts, query strings: what both sides of HTTP look at. */
#include "http/http.h"
#include <errno.h>
#include "base/auto.h"

enum { QUERY_PARAMS_MAX = 1000 };

struct slice http_header_get(const struct http_headers *h, const char *name)
{
	struct slice n = slice_of(name);

	for (size_t i = 0; i < h->n; i++)
		if (slice_eq_nocase(h->v[i].name, n))
			return h->v[i].value.ptr ? h->v[i].value : SLICE("");
	return (struct slice){ 0 };
}

bool http_header_has(const struct http_headers *h, const char *name, const char *token)
{
	struct slice n = slice_of(name), t = slice_of(token), rest, piece;

	for (size_t i = 0; i < h->n; i++) {
		if (!slice_eq_nocase(h->v[i].name, n))
			continue;
		rest = h->v[i].value;
		while (slice_next(&rest, ',', &piece))
			if (slice_eq_nocase(slice_trim(piece), t))
				return true;
	}
	return false;
}

const char *http_status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} rows[] = {
		{ 100, "Continue" }, { 101, "Switching Protocols" }, { 200, "OK" }, { 201, "Created" }, { 202, "Accepted" },
		{ 203, "Non-Authoritative Information" }, { 204, "No Content" }, { 205, "Reset Content" }, { 206, "Partial Content" },
		{ 300, "Multiple Choices" }, { 301, "Moved Permanently" }, { 302, "Found" }, { 303, "See Other" },
		{ 304, "Not Modified" }, { 307, "Temporary Redirect" }, { 308, "Permanent Redirect" }, { 400, "Bad Request" },
		{ 401, "Unauthorized" }, { 402, "Payment Required" }, { 403, "Forbidden" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 406, "Not Acceptable" }, { 408, "Request Timeout" }, { 409, "Conflict" }, { 410, "Gone" },
		{ 411, "Length Required" }, { 412, "Precondition Failed" }, { 413, "Request Entity Too Large" }, { 414, "Request URI Too Long" },
		{ 415, "Unsupported Media Type" }, { 416, "Requested Range Not Satisfiable" }, { 417, "Expectation Failed" },
		{ 422, "Unprocessable Entity" }, { 423, "Locked" }, { 426, "Upgrade Required" }, { 428, "Precondition Required" },
		{ 429, "Too Many Requests" }, { 431, "Request Header Fields Too Large" }, { 499, "Client Closed Request" },
		{ 500, "Internal Server Error" }, { 501, "Not Implemented" }, { 502, "Bad Gateway" }, { 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" }, { 505, "HTTP Version Not Supported" }, { 507, "Insufficient Storage" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].status == status)
			return rows[i].text;
	return "Unknown";
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int http_percent_decode(struct arena *a, struct slice s, bool plus_is_space, char **ret)
{
	char *p = arena_alloc(a, s.len + 1), *to = p;

	if (!p)
		return -ENOMEM;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '+' && plus_is_space) {
			c = ' ';
		} else if (c == '%') {
			if (i + 2 >= s.len || hex(s.ptr[i + 1]) < 0 || hex(s.ptr[i + 2]) < 0)
				return -EINVAL;
			c = (char)(hex(s.ptr[i + 1]) << 4 | hex(s.ptr[i + 2]));
			i += 2;
		}
		if (!c)
			return -EINVAL;         /* would end the string early */
		*to++ = c;
	}
	*to = 0;
	*ret = p;
	return 0;
}

int http_percent_encode(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c && strchr("-._~", c));

		if (plain)
			buf_addc(out, (char)c);
		else
			buf_addf(out, "%%%02X", c);
	}
	return buf_error(out);
}

int http_query_parse(struct arena *a, struct slice raw, struct http_query *ret)
{
	struct slice rest = raw, piece;
	size_t n = 1;

	*ret = (struct http_query){ 0 };
	for (size_t i = 0; i < raw.len; i++)
		n += raw.ptr[i] == '&';
	if (n > QUERY_PARAMS_MAX)
		return -E2BIG;
	ret->v = arena_array(a, n, sizeof *ret->v);
	if (!ret->v)
		return -ENOMEM;
	while (slice_next(&rest, '&', &piece)) {
		struct slice name, value;
		char *dn, *dv;
		int r;

		if (!piece.len)
			continue;
		slice_cut(piece, '=', &name, &value);
		r = http_percent_decode(a, name, true, &dn);
		if (r == 0)
			r = http_percent_decode(a, value, true, &dv);
		if (r < 0)
			return r;
		ret->v[ret->n++] = (struct http_param){ slice_of(dn), slice_of(dv) };
	}
	return 0;
}

const char *http_query_get(const struct http_query *q, const char *name)
{
	for (size_t i = 0; i < q->n; i++)
		if (slice_is(q->v[i].name, name))
			return q->v[i].value.ptr;
	return NULL;
}

bool http_query_bool(const struct http_query *q, const char *name)
{
	static const char *const falses[] = { "", "0", "f", "false", "no", "none" };
	const char *v = http_query_get(q, name);
	struct slice s = v ? slice_trim(slice_of(v)) : SLICE("");

	for (size_t i = 0; i < ARRAY_LEN(falses); i++)
		if (slice_eq_nocase(s, slice_of(falses[i])))
			return false;
	return true;
}
