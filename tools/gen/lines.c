/* SPDX-License-Identifier: Apache-2.0 */
/* Lines and words of .kind and .over files; comments start with #. */
#include "gen.h"

#include <stdarg.h>

void die(const char *where, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, "%s: ", where);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

char *copy(struct gen *g, struct slice s)
{
	char *p = arena_dup(&g->a, s);
	if (!p)
		die(g->domain, "out of memory");
	return p;
}

void each_line(struct gen *g, const char *path, void (*fn)(struct gen *g, const char *where, struct slice line, void *data), void *data)
{
	FILE *f = fopen(path, "re");
	if (!f)
		die(path, "cannot be read");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	for (unsigned number = 1; (n = getline(&line, &cap, f)) >= 0; number++) {
		struct slice s = slice_n(line, (size_t)n);
		bool is_indented = n && (line[0] == '\t' || line[0] == ' ');
		s = slice_trim(s);
		if (!s.len || s.ptr[0] == '#')
			continue;
		const char *where = arena_fmt(&g->a, "%s:%u", path, number);
		char *kept = arena_fmt(&g->a, "%s%.*s", is_indented ? "\t" : "", SLICE_FMT(s));
		fn(g, where, slice_of(kept), data);
	}
	free(line);
	fclose(f);
}

unsigned words_split(struct gen *g, const char *where, struct slice line, char **words, unsigned max)
{
	unsigned n = 0;
	size_t i = 0;
	while (i < line.len) {
		if (line.ptr[i] == ' ' || line.ptr[i] == '\t') {
			i++;
			continue;
		}
		if (line.ptr[i] == '#')
			break;
		if (n == max)
			die(where, "too many words");
		char *out = arena_alloc(&g->a, line.len - i + 1);
		size_t o = 0;
		bool quoted = false;
		for (; i < line.len; i++) {
			char c = line.ptr[i];
			if (c == '"')
				quoted = !quoted;
			else if (!quoted && (c == ' ' || c == '\t'))
				break;
			else
				out[o++] = c;
		}
		if (quoted)
			die(where, "a quote is not closed");
		words[n++] = out;
	}
	return n;
}
