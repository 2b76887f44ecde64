/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of strings in arenas, times as text: what every file here needs. */
#include <errno.h>

#include "base/clock.h"
#include "engine/engine_int.h"

const char **strings_copy(struct arena *a, const char *const *v, uint32_t n)
{
	const char **out = arena_array(a, n, sizeof *out);
	for (uint32_t i = 0; out && i < n; i++)
		out[i] = arena_strdup(a, v[i]);
	return out;
}

int strings_push(struct arena *a, const char ***v, uint32_t *n, const char *s)
{
	/* room grows by doubling: a new array whenever n is a power of two */
	if (!*v || (*n & (*n - 1)) == 0) {
		const char **more = arena_array(a, *n ? (size_t)*n * 2 : 1, sizeof *more);
		if (!more)
			return -ENOMEM;
		if (*n)
			memcpy(more, *v, *n * sizeof *more);
		*v = more;
	}
	(*v)[(*n)++] = s;
	return s ? 0 : -ENOMEM;
}

bool strings_have(const char *const *v, uint32_t n, const char *s)
{
	for (uint32_t i = 0; i < n; i++)
		if (v[i] && !strcmp(v[i], s))
			return true;
	return false;
}

bool str_is(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b);
}

const char *time_text(struct arena *a, int64_t ns)
{
	char t[CLOCK_TEXT_MAX];
	if (!ns)
		return CLOCK_ZERO_TEXT;
	clock_rfc3339_nano(t, ns);
	return arena_strdup(a, t);
}
