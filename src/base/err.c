/* SPDX-License-Identifier: Apache-2.0 */
/* The error type and the one table that maps codes to the outside world. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/auto.h"

void must_fail(const char *expr, const char *file, int line)
{
	fprintf(stderr, "%s:%d: bug: %s does not hold\n", file, line, expr);
	abort();
}

static const struct {
	int code;
	const char *name;
	int http;
	const char *reason;
	int exit;
} map[] = {
	{ EINVAL, "EINVAL", 400, "BadRequest", 1 },
	{ EBADMSG, "EBADMSG", 400, "BadRequest", 1 },
	{ E2BIG, "E2BIG", 413, "RequestEntityTooLarge", 1 },
	{ EMSGSIZE, "EMSGSIZE", 413, "RequestEntityTooLarge", 1 },
	{ ENAMETOOLONG, "ENAMETOOLONG", 400, "BadRequest", 1 },
	{ EDOM, "EDOM", 422, "Invalid", 1 },
	{ EBADE, "EBADE", 422, "Invalid", 1 },
	{ EKEYREJECTED, "EKEYREJECTED", 401, "Unauthorized", 1 },
	{ EACCES, "EACCES", 403, "Forbidden", 126 },
	{ EPERM, "EPERM", 403, "Forbidden", 126 },
	{ ENOENT, "ENOENT", 404, "NotFound", 127 },
	{ ESRCH, "ESRCH", 404, "NotFound", 1 },
	{ EEXIST, "EEXIST", 409, "AlreadyExists", 1 },
	{ EBUSY, "EBUSY", 409, "Conflict", 1 },
	{ ENOTEMPTY, "ENOTEMPTY", 409, "Conflict", 1 },
	{ EAGAIN, "EAGAIN", 429, "TooManyRequests", 1 },
	{ ESTALE, "ESTALE", 410, "Expired", 1 },
	{ EALREADY, "EALREADY", 304, "NotModified", 0 },
	{ EOPNOTSUPP, "EOPNOTSUPP", 501, "NotImplemented", 1 },
	{ ENOSYS, "ENOSYS", 501, "NotImplemented", 1 },
	{ EHOSTDOWN, "EHOSTDOWN", 503, "ServiceUnavailable", 1 },
	{ ETIMEDOUT, "ETIMEDOUT", 504, "Timeout", 1 },
	{ ENOTCONN, "ENOTCONN", 500, "InternalError", 1 },
	{ ECONNREFUSED, "ECONNREFUSED", 500, "InternalError", 1 },
	{ ECONNRESET, "ECONNRESET", 500, "InternalError", 1 },
	{ EPIPE, "EPIPE", 500, "InternalError", 1 },
	{ EADDRINUSE, "EADDRINUSE", 500, "InternalError", 1 },
	{ EADDRNOTAVAIL, "EADDRNOTAVAIL", 500, "InternalError", 1 },
	{ ENOSPC, "ENOSPC", 500, "InternalError", 1 },
	{ ENOMEM, "ENOMEM", 500, "InternalError", 1 },
	{ EIO, "EIO", 500, "InternalError", 1 },
};

static int row(int code)
{
	if (code < 0)
		code = -code;
	for (unsigned i = 0; i < ARRAY_LEN(map); i++)
		if (map[i].code == code)
			return (int)i;
	return -1;
}

int err_http_status(int code)
{
	int i = row(code);
	return i < 0 ? 500 : map[i].http;
}

const char *err_reason(int code)
{
	int i = row(code);
	return i < 0 ? "InternalError" : map[i].reason;
}

int err_exit_code(int code)
{
	int i = row(code);
	return i < 0 ? 1 : map[i].exit;
}

const char *err_name(int code)
{
	int i = row(code);
	return i < 0 ? "E?" : map[i].name;
}

/* Cuts a string that filled its buffer back to a whole UTF-8 character. */
static void cut_utf8(char *s)
{
	size_t n = strlen(s), i = n;
	while (i > 0 && n - i < 4 && ((unsigned char)s[i - 1] & 0xC0) == 0x80)
		i--;
	if (i == 0)
		return;
	unsigned char lead = (unsigned char)s[i - 1];
	size_t want = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
	if (n - (i - 1) < want)
		s[i - 1] = 0;
}

int err_setv(struct err *e, int code, const char *fmt, va_list ap)
{
	if (code < 0)
		code = -code;
	must(code > 0);
	if (e) {
		struct err t;
		t.code = code;
		int n = vsnprintf(t.text, sizeof t.text, fmt, ap);
		if (n >= (int)sizeof t.text)
			cut_utf8(t.text);
		*e = t;
	}
	return -code;
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int r = err_setv(e, code, fmt, ap);
	va_end(ap);
	return r;
}

int err_sys(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int r = err_setv(e, code, fmt, ap);
	va_end(ap);
	if (e) {
		size_t n = strlen(e->text);
		snprintf(e->text + n, sizeof e->text - n, ": %s", strerror(-r));
	}
	return r;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	if (!e)
		return -EINVAL;
	char old[sizeof e->text];
	memcpy(old, e->text, sizeof old);
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	if (n >= 0 && n < (int)sizeof e->text)
		snprintf(e->text + n, sizeof e->text - (size_t)n, ": %s", old);
	if (strlen(e->text) == sizeof e->text - 1)
		cut_utf8(e->text);
	return -e->code;
}

int err_nomem(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}
