// SPDX-License-Identifier: Apache-2.0
/* What both sides of gRPC share, and the server: each method is a row, each call a request of the HTTP server. */
#include "http/grpc.h"
#include <errno.h>
#include "base/clock.h"
#include "base/num.h"
#include "http/grpc_int.h"

/* In the order of the codes: the errno that stands for one, and those that mean it. */
static const struct {
	int error, more[6];
} codes[GRPC_CODES] = {
	[GRPC_OK] = { 0 },
	[GRPC_CANCELLED] = { ECANCELED },
	[GRPC_UNKNOWN] = { EPROTO, { EIO, ENOMEM, ENOSPC } },
	[GRPC_INVALID_ARGUMENT] = { EINVAL, { EBADMSG, ENAMETOOLONG, ENOTDIR } },
	[GRPC_DEADLINE_EXCEEDED] = { ETIMEDOUT },
	[GRPC_NOT_FOUND] = { ENOENT, { ESRCH } },
	[GRPC_ALREADY_EXISTS] = { EEXIST },
	[GRPC_PERMISSION_DENIED] = { EACCES, { EPERM } },
	[GRPC_RESOURCE_EXHAUSTED] = { E2BIG, { EMSGSIZE, EAGAIN, ENOBUFS } },
	[GRPC_FAILED_PRECONDITION] = { EBUSY, { ENOTEMPTY, EALREADY } },
	[GRPC_ABORTED] = { EINTR },
	[GRPC_OUT_OF_RANGE] = { ESTALE, { ERANGE } },
	[GRPC_UNIMPLEMENTED] = { EOPNOTSUPP, { ENOSYS } },
	[GRPC_INTERNAL] = { ENOTRECOVERABLE },
	[GRPC_UNAVAILABLE] = { EHOSTDOWN, { ECONNREFUSED, ECONNRESET, EPIPE, ENOTCONN } },
	[GRPC_DATA_LOSS] = { EILSEQ },
	[GRPC_UNAUTHENTICATED] = { EKEYREJECTED },
};

enum grpc_code grpc_code_of(int error)
{
	error = error < 0 ? -error : error;
	for (unsigned i = 0; i < GRPC_CODES; i++) {
		if (codes[i].error == error)
			return i;
		for (unsigned k = 0; k < ARRAY_LEN(codes[i].more) && codes[i].more[k]; k++)
			if (codes[i].more[k] == error)
				return i;
	}
	return GRPC_UNKNOWN;
}

int grpc_errno_of(unsigned code) { return code < GRPC_CODES ? codes[code].error : EPROTO; }

int grpc_frame(struct schema_ref t, const void *obj, struct buf *out, struct err *e)
{
	size_t at = out->len;
	uint32_t n;
	int r = buf_add(out, "\0\0\0\0\0", GRPC_PREFIX);

	if (r == 0)
		r = schema_to_protobuf(t, obj, out);
	if (r < 0)
		return err_set(e, r, r == -EMSGSIZE ? "grpc: the message is larger than %d bytes" : "grpc: the message cannot be encoded (%d)",
			r == -EMSGSIZE ? GRPC_MESSAGE_MAX : r);
	n = (uint32_t)(out->len - at - GRPC_PREFIX);
	for (int i = 0; i < 4; i++)
		out->ptr[at + 1 + (size_t)i] = (char)(n >> (24 - 8 * i));
	return 0;
}

int64_t grpc_prefix_length(const unsigned char p[GRPC_PREFIX], struct err *e)
{
	uint32_t n = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];

	if (p[0])
		return err_set(e, EOPNOTSUPP, "grpc: compressed messages are not supported");
	if (n > GRPC_MESSAGE_MAX)
		return err_set(e, E2BIG, "grpc: received message larger than max (%u vs. %d)", n, GRPC_MESSAGE_MAX);
	return n;
}

void grpc_message_encode(struct buf *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c < 0x7f && c != '%')
			buf_addc(out, (char)c);
		else
			buf_addf(out, "%%%02X", c);
	}
}

void grpc_message_decode(char *dst, size_t size, struct slice s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len && n + 1 < size; i++) {
		uint64_t c;

		if (s.ptr[i] == '%' && i + 2 < s.len && num_parse_base(slice_n(s.ptr + i + 1, 2), 16, 255, &c) == 0 && c) {
			dst[n++] = (char)c;
			i += 2;
		} else {
			dst[n++] = s.ptr[i];
		}
	}
	dst[n] = 0;
}

static const struct { char unit; int64_t ns; } units[] = {
	{ 'n', 1 }, { 'u', NS_PER_US }, { 'm', NS_PER_MS }, { 'S', NS_PER_S }, { 'M', 60 * NS_PER_S }, { 'H', 3600 * NS_PER_S },
};

int grpc_timeout_parse(struct slice s, int64_t *ret_ns)
{
	int64_t n;

	if (s.len < 2 || num_parse_i64(slice_n(s.ptr, s.len - 1), 0, 99999999, &n) < 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (units[i].unit == s.ptr[s.len - 1])
			return __builtin_mul_overflow(n, units[i].ns, ret_ns) ? -EINVAL : 0;
	return -EINVAL;
}

void grpc_timeout_format(char dst[16], int64_t ns)
{
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(units) && ns / units[i].ns > 99999999)
		i++;
	fmt_into(dst, 16, "%lld%c", (long long)MIN(ns / units[i].ns, (int64_t)99999999), units[i].unit);
}

/* --- the server */

struct grpc_server {
	struct grpc_server_config c;
	struct http_server *http;
};

int64_t grpc_time_left_ns(const struct grpc_call *c, int64_t most_ns)
{
	int64_t left;

	if (!c->deadline_ns)
		return most_ns;
	left = c->deadline_ns - loop_monotonic_ns(fiber_loop(fiber_self()));
	return left < 0 ? 0 : MIN(left, most_ns);
}

static int begin_wait(struct grpc_call *c)
{
	return http_begun(c->http) ? 0 : http_begin_wait(c->http, 200, "application/grpc");
}

int grpc_send_wait(struct grpc_call *c, const void *reply, struct err *e)
{
	AUTO(buf) struct buf out = BUF_INIT(GRPC_MESSAGE_MAX + GRPC_PREFIX);
	int r = grpc_frame(c->method->reply, reply, &out, e);

	if (r < 0)
		return r;
	r = begin_wait(c);
	if (r == 0)
		r = http_write_wait(c->http, out.ptr, out.len);
	return r < 0 ? err_sys(e, r, "grpc: cannot send the reply") : 0;
}

static int request_wait(struct grpc_call *c, void *request, struct err *e)
{
	struct slice body;
	int64_t n;
	int r = http_body_all_wait(c->http, GRPC_MESSAGE_MAX + GRPC_PREFIX, &body, e);

	if (r < 0)
		return r;
	if (body.len < GRPC_PREFIX)
		return err_set(e, EBADMSG, "grpc: the request has no message");
	n = grpc_prefix_length((const unsigned char *)body.ptr, e);
	if (n < 0)
		return (int)n;
	if ((uint64_t)n != body.len - GRPC_PREFIX)
		return err_set(e, EBADMSG, "grpc: the request has not exactly one message");
	return schema_from_protobuf(c->method->request, slice_n(body.ptr + GRPC_PREFIX, (size_t)n), c->arena, request, e);
}

static int run_wait(struct grpc_call *c, struct err *e)
{
	const struct grpc_method *m = c->method;
	void *request = arena_alloc(c->arena, schema_size(m->request)), *reply = arena_alloc(c->arena, schema_size(m->reply));
	int r;

	if (!request || !reply)
		return err_nomem(e);
	r = request_wait(c, request, e);
	if (r < 0)
		return r;
	if (m->stream_wait) {
		http_cancel_when_gone(c->http, true);
		r = begin_wait(c);      /* an open stream without a message yet is to be seen as open */
		r = r < 0 ? r : m->stream_wait(c, request, e);
		http_cancel_when_gone(c->http, false);
		return r;
	}
	r = m->unary_wait(c, request, reply, e);
	if (r < 0)
		return r;
	if (c->deadline_ns && loop_monotonic_ns(fiber_loop(fiber_self())) > c->deadline_ns)
		return err_set(e, ETIMEDOUT, "context deadline exceeded");
	return grpc_send_wait(c, reply, e);
}

static const struct grpc_method *find(const struct grpc_server *s, const char *path)
{
	for (size_t i = 0; i < s->c.n_methods; i++)
		if (!strcmp(s->c.methods[i].path, path))
			return &s->c.methods[i];
	return NULL;
}

/* Head, if it has not gone, and status. */
static int finish_wait(struct grpc_call *c, int r, const struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);
	char code[12];
	enum grpc_code n = r < 0 ? grpc_code_of(e->code) : GRPC_OK;

	fmt_into(code, sizeof code, "%d", (int)n);
	if (n)
		grpc_message_encode(&text, e->text);
	r = begin_wait(c);
	if (r == 0)
		r = http_trailer_add(c->http, "grpc-status", code);
	if (r == 0 && n)
		r = http_trailer_add(c->http, "grpc-message", text.ptr);
	return r < 0 ? r : http_end_wait(c->http);
}

static int handle(struct http_request *r, struct err *ret_e)
{
	struct grpc_server *s = r->user;
	struct grpc_call c = { .user = s->c.user, .arena = r->arena, .http = r };
	struct slice timeout = http_header_get(&r->headers, "grpc-timeout");
	int64_t ns, began_ns = loop_monotonic_ns(fiber_loop(fiber_self()));
	struct err e = { 0 };
	int n;

	if (!slice_starts(http_header_get(&r->headers, "content-type"), "application/grpc") || r->http_minor != 2)
		return http_reply(r, 415, "text/plain; charset=utf-8", SLICE("gRPC over HTTP/2 is spoken here\n"));
	c.method = find(s, r->path);
	if (timeout.len && grpc_timeout_parse(timeout, &ns) == 0)
		c.deadline_ns = began_ns + ns;
	if (!c.method)
		n = err_set(&e, EOPNOTSUPP, "unknown method %s", r->path);
	else
		n = run_wait(&c, &e);
	if (n < 0 && !e.code)
		err_sys(&e, n, "the call failed");
	if (s->c.done)
		s->c.done(s->c.user, r->path, n < 0 ? grpc_code_of(e.code) : GRPC_OK, &e, loop_monotonic_ns(fiber_loop(fiber_self())) - began_ns);
	return finish_wait(&c, n, &e);
}

int grpc_server_new(struct loop *l, const struct grpc_server_config *c, struct grpc_server **ret)
{
	static const struct http_route routes[] = { { "POST", "/{service}/{method}", handle } };
	struct grpc_server *s = calloc(1, sizeof *s);
	struct http_server_config h = { .routes = routes, .n_routes = ARRAY_LEN(routes), .user = s, .idle_timeout_ns = 3600 * NS_PER_S };
	int r;

	if (!s)
		return -ENOMEM;
	s->c = *c;
	r = http_server_new(l, &h, &s->http);
	if (r < 0) {
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void grpc_server_free(struct grpc_server *s)
{
	if (!s)
		return;
	http_server_free(s->http);
	free(s);
}

int grpc_server_listen(struct grpc_server *s, int fd, struct tls_config *tls, struct err *e)
{
	return http_server_listen(s->http, fd, tls, e);
}

int grpc_server_serve(struct grpc_server *s, struct stream *stream) { return http_server_serve(s->http, stream); }
