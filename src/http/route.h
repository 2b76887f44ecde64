/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the row of a routing table for a method and a decoded path. */
#pragma once
#include "http/server.h"

enum { ROUTE_PARAMS_MAX = 8 };
/* Does pattern match path? Fills params (names point into the pattern, values into the path). */
bool route_match(const char *pattern, const char *path, struct http_param *params, size_t *n_params);
/* The first row that fits; HEAD falls back to GET rows. NULL with *other_method true when only the method was wrong. */
const struct http_route *route_find(const struct http_route *rows, size_t n, struct slice method, const char *path,
	struct http_param *params, size_t *n_params, bool *other_method);
