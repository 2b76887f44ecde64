/* SPDX-License-Identifier: Apache-2.0 */
/* http and https URLs, as registries hand them out. Pure. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

struct url {
	bool is_https;
	const char *host;            /* without brackets */
	unsigned port;
	const char *authority;       /* host[:port] as it stood */
	const char *target;          /* path and query, at least "/" */
};
/* Absolute, or relative to base (may be NULL). -EINVAL for anything else; user names in URLs are refused. */
int url_parse(struct slice text, const struct url *base, struct arena *a, struct url *ret, struct err *e);
bool url_same_place(const struct url *a, const struct url *b);
