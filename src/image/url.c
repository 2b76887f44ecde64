/* SPDX-License-Identifier: Apache-2.0 */
/* Just enough of RFC 3986 for Location, realm and mirror URLs. */
#include "image/url.h"

#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "base/num.h"

enum { URL_MAX = 16384 };

static int bad(struct slice text, struct err *e)
{
	return err_set(e, EINVAL, "\"%.*s\" is no http or https URL", (int)MIN(text.len, (size_t)200), text.ptr);
}

static int parse_authority(struct slice s, struct arena *a, struct url *u)
{
	struct slice host = s, port = { NULL, 0 };
	int64_t n = u->is_https ? 443 : 80;
	if (s.len == 0 || slice_find(s, '@') >= 0)
		return -EINVAL;
	if (s.ptr[0] == '[') {
		ptrdiff_t end = slice_find(s, ']');
		if (end < 2)
			return -EINVAL;
		host = slice_n(s.ptr + 1, (size_t)end - 1);
		struct slice rest = slice_n(s.ptr + end + 1, s.len - (size_t)end - 1);
		if (rest.len && rest.ptr[0] != ':')
			return -EINVAL;
		port = rest.len ? slice_n(rest.ptr + 1, rest.len - 1) : port;
	} else {
		slice_cut(s, ':', &host, &port);
	}
	if (host.len == 0 || (port.len && num_parse_i64(port, 1, 65535, &n) < 0))
		return -EINVAL;
	u->host = arena_dup(a, host);
	u->port = (unsigned)n;
	u->authority = arena_dup(a, s);
	return u->host && u->authority ? 0 : -ENOMEM;
}

/* "/a/b?c" below the base's folder, without dots being folded: registries do not send any. */
static const char *join(const struct url *base, struct slice text, struct arena *a)
{
	if (text.len && text.ptr[0] == '/')
		return arena_dup(a, text);
	struct slice path, query;
	slice_cut(slice_of(base->target), '?', &path, &query);
	if (text.len && text.ptr[0] == '?')
		return arena_fmt(a, "%.*s%.*s", SLICE_FMT(path), SLICE_FMT(text));
	ptrdiff_t slash = slice_rfind(path, '/');
	return arena_fmt(a, "%.*s/%.*s", (int)MAX(slash, (ptrdiff_t)0), path.ptr, SLICE_FMT(text));
}

int url_parse(struct slice text, const struct url *base, struct arena *a, struct url *ret, struct err *e)
{
	struct url u = { 0 };
	text = slice_trim(text);
	if (text.len > URL_MAX)
		return bad(text, e);
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == 0x7f)
			return bad(text, e);
	struct slice rest;
	if (slice_starts(text, "//") && base) {
		u.is_https = base->is_https;
		rest = slice_n(text.ptr + 2, text.len - 2);
	} else if (slice_starts(text, "http://")) {
		rest = slice_n(text.ptr + 7, text.len - 7);
	} else if (slice_starts(text, "https://")) {
		u.is_https = true;
		rest = slice_n(text.ptr + 8, text.len - 8);
	} else {
		ptrdiff_t colon = slice_find(text, ':'), slash = slice_find(text, '/');
		if (!base || (colon >= 0 && (slash < 0 || colon < slash)))
			return bad(text, e);
		u = *base;
		u.target = join(base, text, a);
		if (!u.target)
			return err_nomem(e);
		*ret = u;
		return 0;
	}
	size_t n = 0;
	while (n < rest.len && rest.ptr[n] != '/' && rest.ptr[n] != '?' && rest.ptr[n] != '#')
		n++;
	int r = parse_authority(slice_n(rest.ptr, n), a, &u);
	if (r < 0)
		return r == -EINVAL ? bad(text, e) : err_nomem(e);
	struct slice target = slice_n(rest.ptr + n, rest.len - n), keep, fragment;
	slice_cut(target, '#', &keep, &fragment);
	u.target = arena_fmt(a, "%s%.*s", keep.len && keep.ptr[0] == '/' ? "" : "/", SLICE_FMT(keep));
	if (!u.target)
		return err_nomem(e);
	*ret = u;
	return 0;
}

bool url_same_place(const struct url *a, const struct url *b)
{
	return a->is_https == b->is_https && a->port == b->port && strcmp(a->host, b->host) == 0;
}
