/* SPDX-License-Identifier: Apache-2.0 */
/* .dockerignore: patterns with *, ?, [..], **, comments and exceptions; the last pattern that matches decides. */
#pragma once
#include <stdbool.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct ignore {
	struct ignore_pattern { const char *text; bool exception; } *v;
	size_t n;
	bool has_exceptions;
};
int ignore_parse(struct arena *a, struct slice text, struct ignore *ret, struct err *e);
/* Adds "!name" behind the rest. */
int ignore_keep(struct arena *a, struct ignore *x, const char *name);
/* Is this path (relative, clean) left out? A pattern that matches a parent folder matches what is in it. */
bool ignore_matches(const struct ignore *x, const char *path);
/* May something below this left-out folder be kept after all? */
bool ignore_may_keep_below(const struct ignore *x, const char *dir);
