// SPDX-License-Identifier: Apache-2.0
/*
 * Patterns are walked piece by piece, first row first. "{a:*}" tries the
 * longest stretch of segments and gives back one at a time, so that
 * "/images/{name:*}/json" finds "/images/a/b/json".
 */
#include "http/route.h"
#include <string.h>

bool route_match(const char *pattern, const char *path, struct http_param *params, size_t *n_params)
{
	size_t n0 = *n_params;

	for (;;) {
		if (*pattern != '{') {
			if (*pattern != *path)
				return false;
			if (!*pattern)
				return true;
			pattern++;
			path++;
			continue;
		}
		const char *close = strchr(pattern, '}');
		const char *end = strchr(path, '/');
		struct slice name;
		bool many;

		if (!close || *n_params == ROUTE_PARAMS_MAX)
			return false;
		name = slice_n(pattern + 1, (size_t)(close - pattern - 1));
		many = slice_ends(name, ":*");
		if (many)
			name.len -= 2;
		if (!end || many)
			end = path + strlen(path);
		pattern = close + 1;
		/* What follows a piece begins with a slash or ends; so only there can the stretch end. */
		for (; end > path; end--) {
			if (*end && *end != '/')
				continue;
			params[*n_params] = (struct http_param){ name, slice_n(path, (size_t)(end - path)) };
			*n_params = n0 + 1;
			if (!many)
				break;
			if (route_match(pattern, end, params, n_params))
				return true;
			*n_params = n0;
		}
		if (many || end == path) {
			*n_params = n0;
			return false;
		}
		n0 = *n_params;
		path = end;
	}
}

static bool method_fits(const char *row, struct slice method, bool head_by_get)
{
	return slice_is(method, row) || (head_by_get && slice_is(method, "HEAD") && !strcmp(row, "GET"));
}

const struct http_route *route_find(const struct http_route *rows, size_t n, struct slice method, const char *path,
	struct http_param *params, size_t *n_params, bool *other_method)
{
	*other_method = false;
	for (int by_get = 0; by_get < 2; by_get++) {
		if (by_get && !slice_is(method, "HEAD"))
			break;
		for (size_t i = 0; i < n; i++) {
			*n_params = 0;
			if (!method_fits(rows[i].method, method, by_get)) {
				if (!*other_method && route_match(rows[i].pattern, path, params, n_params))
					*other_method = true;
				continue;
			}
			if (route_match(rows[i].pattern, path, params, n_params))
				return &rows[i];
		}
	}
	*n_params = 0;
	return NULL;
}
