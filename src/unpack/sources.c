/* SPDX-License-Identifier: Apache-2.0 */
/* The sources of COPY and ADD: paths with wildcards below a folder of the source root. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/path.h"
#include "base/vec.h"
#include "unpack/unpack_int.h"

enum { SOURCES_MAX = 65536 };

struct search {
	struct unpack *u;
	int base;
	VEC(struct source) found;
};

static int add(struct search *s, const char *path, struct err *e)
{
	struct source x = { .fd = unpack_open_in(s->base, path, O_PATH) };
	if (x.fd < 0)
		return x.fd == -ENOENT ? x.fd : err_sys(e, x.fd, "open %s", path);
	x.path = strdup(path);
	if (!x.path || fstat(x.fd, &x.st) < 0 || s->found.n >= SOURCES_MAX || vec_push(&s->found, x) < 0) {
		close(x.fd);
		free(x.path);
		return err_nomem(e);
	}
	return 0;
}

/* prefix is what is settled ("" at first), rest the pattern's pieces still to be matched. */
static int expand(struct search *s, const char *prefix, const char *rest, struct err *e)
{
	size_t n = strcspn(rest, "/");
	const char *more = rest[n] ? rest + n + 1 : NULL;
	AUTO(free) char *piece = slice_dup(slice_n(rest, n));
	if (!piece)
		return err_nomem(e);
	AUTO(close) int dir = unpack_open_in(s->base, *prefix ? prefix : ".", O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		return 0;
	AUTO(names) struct names names = { 0 };
	int r = unpack_names_read(dir, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		int hit = unpack_match(piece, names.v[i]);
		if (hit < 0)
			return err_set(e, EINVAL, "syntax error in pattern \"%s\"", piece);
		if (!hit)
			continue;
		AUTO(free) char *path = *prefix ? fmt_new("%s/%s", prefix, names.v[i]) : strdup(names.v[i]);
		if (!path)
			return err_nomem(e);
		r = more ? expand(s, path, more, e) : add(s, path, e);
		/* a dangling link is nothing to copy */
		if (r == -ENOENT)
			r = 0;
	}
	return r;
}

void unpack_sources_release(struct sources *s)
{
	for (size_t i = 0; i < s->n; i++) {
		close(s->v[i].fd);
		free(s->v[i].path);
	}
	free(s->v);
	*s = (struct sources){ 0 };
}

static int one(struct search *s, const char *pattern, struct err *e)
{
	AUTO(free) char *clean = malloc(strlen(pattern) + 2);
	if (!clean)
		return err_nomem(e);
	/* ".." at the front stays at the root, as in a chroot */
	AUTO(free) char *rooted = fmt_new("/%s", pattern);
	if (!rooted)
		return err_nomem(e);
	path_clean(clean, rooted);
	const char *rel = clean[1] ? clean + 1 : ".";
	if (unpack_has_wildcards(pattern))
		return expand(s, "", rel, e);
	int r = add(s, rel, e);
	if (r != -ENOENT)
		return r;
	const struct unpack_root *from = s->u->job->source ? s->u->job->source : &s->u->job->target;
	return err_set(e, ENOENT, "%sstat %s: file does not exist", from->dir ? "file not found in build context or excluded by .dockerignore: " : "", rel);
}

int unpack_sources_find(struct unpack *u, struct sources *ret, struct err *e)
{
	const char *dir = u->job->source_dir ? u->job->source_dir : ".";
	AUTO(close) int base = unpack_open_in(u->source, *dir ? dir : ".", O_RDONLY | O_DIRECTORY);
	struct search s = { .u = u, .base = base };
	if (base < 0)
		return err_sys(e, base, "open the source %s", dir);
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < u->job->n_paths; i++) {
		ret->wildcards |= unpack_has_wildcards(u->job->paths[i]);
		r = one(&s, u->job->paths[i], e);
	}
	if (r == 0 && !s.found.n)
		r = err_set(e, ENOENT, "no source files were specified");
	ret->v = s.found.v;
	ret->n = s.found.n;
	if (r < 0)
		unpack_sources_release(ret);
	return r;
}
