/* SPDX-License-Identifier: Apache-2.0 */
/* .dockerignore. See ignore.h. */
#include "codec/ignore.h"
#include <errno.h>
#include "base/path.h"

enum { PATTERNS_MAX = 10000, STEPS_MAX = 1 << 20 };

static int add(struct arena *a, struct ignore *x, const char *text, bool exception)
{
	if (!(x->n & (x->n - 1))) {
		struct ignore_pattern *more = arena_array(a, x->n ? x->n * 2 : 1, sizeof *more);
		if (!more)
			return -ENOMEM;
		if (x->n)
			memcpy(more, x->v, x->n * sizeof *more);
		x->v = more;
	}
	x->v[x->n++] = (struct ignore_pattern){ text, exception };
	x->has_exceptions |= exception;
	return 0;
}

int ignore_keep(struct arena *a, struct ignore *x, const char *name)
{
	return add(a, x, name, true);
}

int ignore_parse(struct arena *a, struct slice text, struct ignore *ret, struct err *e)
{
	struct slice line;

	*ret = (struct ignore){ 0 };
	if (slice_starts(text, "\xef\xbb\xbf"))
		text = slice_n(text.ptr + 3, text.len - 3);
	while (slice_next(&text, '\n', &line)) {
		bool exception;
		if (line.len && line.ptr[0] == '#')
			continue;
		line = slice_trim(line);
		if (!line.len)
			continue;
		exception = line.ptr[0] == '!';
		if (exception)
			line = slice_trim(slice_n(line.ptr + 1, line.len - 1));
		if (!line.len)
			return err_set(e, EINVAL, "illegal exclusion pattern: \"!\"");
		char *raw = arena_dup(a, line), *clean = arena_alloc(a, line.len + 2);
		if (!raw || !clean || ret->n == PATTERNS_MAX)
			return err_set(e, E2BIG, "too many patterns in .dockerignore");
		path_clean(clean, raw);
		while (clean[0] == '/' && clean[1])
			clean++;
		if (add(a, ret, clean, exception) < 0)
			return err_nomem(e);
	}
	return 0;
}

/* One character class; *p stands behind the '['. */
static bool class_has(const char **p, char c)
{
	bool negate = **p == '^', hit = false;
	const char *q = *p + negate;

	while (*q && *q != ']') {
		char from = *q == '\\' && q[1] ? *++q : *q, to = from;
		q++;
		if (*q == '-' && q[1] && q[1] != ']') {
			q++;
			to = *q == '\\' && q[1] ? *++q : *q;
			q++;
		}
		hit |= (unsigned char)c >= (unsigned char)from && (unsigned char)c <= (unsigned char)to;
	}
	*p = *q ? q + 1 : q;
	return hit != negate;
}

static bool glob(const char *p, const char *s, int *steps)
{
	if (--*steps < 0)
		return false;
	for (; *p; p++) {
		if (p[0] == '*' && p[1] == '*') {
			p += 2;
			if (*p == '/')
				p++;              /* "**" and its slash may stand for nothing */
			else if (!*p)
				return true;
			for (const char *t = s;; t++) {
				if ((t == s || t[-1] == '/' || p[-1] != '/') && glob(p, t, steps))
					return true;
				if (!*t)
					return false;
			}
		}
		if (*p == '*') {
			for (const char *t = s;; t++) {
				if (glob(p + 1, t, steps))
					return true;
				if (!*t || *t == '/')
					return false;
			}
		}
		if (!*s)
			return false;
		if (*p == '?') {
			if (*s == '/')
				return false;
		} else if (*p == '[') {
			p++;
			if (*s == '/' || !class_has(&p, *s))
				return false;
			p--;
		} else {
			if (*p == '\\' && p[1])
				p++;
			if (*p != *s)
				return false;
		}
		s++;
	}
	return !*s;
}

/* The pattern against the path and each folder above it. */
static bool matches_up(const char *pattern, const char *path)
{
	char part[4097];
	int steps = STEPS_MAX;
	size_t n = strlen(path);

	if (n >= sizeof part)
		return false;
	memcpy(part, path, n + 1);
	for (;;) {
		if (glob(pattern, part, &steps))
			return true;
		char *slash = strrchr(part, '/');
		if (!slash)
			return false;
		*slash = 0;
	}
}

bool ignore_matches(const struct ignore *x, const char *path)
{
	bool out = false;

	for (size_t i = 0; i < x->n; i++)
		if (x->v[i].exception == out && matches_up(x->v[i].text, path))
			out = !x->v[i].exception;
	return out;
}

bool ignore_may_keep_below(const struct ignore *x, const char *dir)
{
	size_t n = strlen(dir);

	for (size_t i = 0; i < x->n; i++) {
		const char *p = x->v[i].text;
		size_t fixed = strcspn(p, "*?[\\");
		if (!x->v[i].exception)
			continue;
		/* the literal beginning of the exception lies below dir, or a wildcard may lead there */
		if ((strncmp(p, dir, n) == 0 && p[n] == '/') || (p[fixed] && strncmp(p, dir, fixed < n ? fixed : n) == 0))
			return true;
	}
	return false;
}
