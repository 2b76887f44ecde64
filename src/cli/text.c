/* SPDX-License-Identifier: Apache-2.0 */
/* Texts and lists. See text.h. */
#include "cli/text.h"
#include <ctype.h>
#include <fcntl.h>
#include "base/auto.h"
#include "base/fd.h"

const char *cli_lower(struct arena *a, const char *s)
{
	char *out = arena_strdup(a, s);

	for (char *p = out; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return out ? out : "";
}

/* Room for one more in an arena list that doubles at powers of two. */
static void *grow(struct arena *a, void *v, uint32_t n, size_t size)
{
	if (v && (n & (n - 1) || n == 0))
		return v;
	void *more = arena_array(a, n ? (size_t)n * 2 : 1, size);
	if (more && n)
		memcpy(more, v, n * size);
	return more;
}

int pair_set(struct arena *a, struct schema_pair **v, uint32_t *n, const char *key, const char *value)
{
	for (uint32_t i = 0; i < *n; i++)
		if (strcmp((*v)[i].key, key) == 0) {
			(*v)[i].value = value;
			return 0;
		}
	struct schema_pair *more = grow(a, *v, *n, sizeof **v);
	if (!more)
		return -ENOMEM;
	*v = more;
	more[(*n)++] = (struct schema_pair){ key, value };
	return 0;
}

int pair_add(struct arena *a, struct schema_pair **v, uint32_t *n, const char *text)
{
	struct slice key, value;

	slice_cut(slice_of(text), '=', &key, &value);
	const char *k = arena_dup(a, key), *x = arena_dup(a, value);
	return k && x ? pair_set(a, v, n, k, x) : -ENOMEM;
}

int text_add(struct arena *a, const char ***v, uint32_t *n, const char *text)
{
	const char **more = grow(a, *v, *n, sizeof **v);

	if (!more || !text)
		return -ENOMEM;
	*v = more;
	more[(*n)++] = text;
	return 0;
}

void text_list(const struct flag_value *f, const char ***v, uint32_t *n)
{
	*v = f->n ? f->v : NULL;
	*n = (uint32_t)f->n;
}

int text_file(struct arena *a, const char *path, bool env, const char ***v, uint32_t *n, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(4 << 20);
	struct slice rest, line;
	int number = 0, r = file_read(AT_FDCWD, path, &b);

	if (r < 0)
		return err_set(e, -r, "open %s: %s", path, r == -ENOENT ? "no such file or directory" : strerror(-r));
	rest = buf_slice(&b);
	while (slice_next(&rest, '\n', &line)) {
		struct slice name, value;
		if (number++ == 0 && slice_starts(line, "\xef\xbb\xbf"))
			line = slice_n(line.ptr + 3, line.len - 3);
		while (line.len && isspace((unsigned char)line.ptr[0]))
			line = slice_n(line.ptr + 1, line.len - 1);
		if (slice_ends(line, "\r"))
			line.len--;
		if (!line.len || line.ptr[0] == '#')
			continue;
		bool has = slice_cut(line, '=', &name, &value);
		for (size_t i = 0; i < name.len; i++)
			if (isspace((unsigned char)name.ptr[i]))
				return err_set(e, EINVAL, "invalid env file (%s): variable '%.*s' contains whitespaces", path, SLICE_FMT(name));
		if (!name.len)
			return err_set(e, EINVAL, "invalid env file (%s): no variable name on line '%.*s'", path, SLICE_FMT(line));
		const char *text = arena_dup(a, line), *ours = env && !has ? getenv(text) : NULL;
		if (env && !has && !ours)
			continue;
		if (ours)
			text = arena_fmt(a, "%s=%s", text, ours);
		if (text_add(a, v, n, text) < 0)
			return err_nomem(e);
	}
	return 0;
}

int text_env(struct arena *a, const struct flags *f, const char ***v, uint32_t *n, struct err *e)
{
	const struct flag_value *files = flag_list(f, "env-file"), *env = flag_list(f, "env");
	int r;

	for (size_t i = 0; i < files->n; i++)
		if ((r = text_file(a, files->v[i], true, v, n, e)) < 0)
			return r;
	for (size_t i = 0; i < env->n; i++) {
		const char *text = env->v[i], *ours = strchr(text, '=') ? NULL : getenv(text);
		if (ours)
			text = arena_fmt(a, "%s=%s", text, ours);
		if (text_add(a, v, n, text) < 0)
			return err_nomem(e);
	}
	return 0;
}
