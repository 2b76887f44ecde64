/* SPDX-License-Identifier: Apache-2.0 */
/* Wildcards as Go's path/filepath.Match has them: * ? [a-z] [^a] and \, none of which matches a slash. */
#include <errno.h>

#include "unpack/unpack_int.h"

/* One UTF-8 character; a stray byte stands for itself. */
static uint32_t rune(const char **p)
{
	const unsigned char *s = (const unsigned char *)*p;
	int n = s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 1 : s[0] < 0xf0 ? 2 : s[0] < 0xf8 ? 3 : 0;
	uint32_t c = n ? s[0] & (0x3fu >> n) : s[0];
	for (int i = 1; i <= n; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			*p += 1;
			return s[0];
		}
		c = c << 6 | (s[i] & 0x3f);
	}
	*p += n + 1;
	return c;
}

/* One end of a range. */
static int class_end(const char **p, uint32_t *ret)
{
	if (!**p || **p == '-' || **p == ']')
		return -EINVAL;
	if (**p == '\\' && !*++*p)
		return -EINVAL;
	*ret = rune(p);
	return **p ? 0 : -EINVAL;
}

/* Behind a '['; moves *p behind the ']'. 1, 0 or -EINVAL. */
static int class(const char **p, uint32_t c)
{
	bool negated = **p == '^', hit = false;
	if (negated)
		++*p;
	for (int n = 0; **p != ']' || n == 0; n++) {
		uint32_t from, to;
		if (class_end(p, &from) < 0)
			return -EINVAL;
		to = from;
		if (**p == '-') {
			++*p;
			if (class_end(p, &to) < 0)
				return -EINVAL;
		}
		hit |= from <= c && c <= to;
	}
	++*p;
	return hit != negated;
}

/* A pattern that cannot match is still looked through for what is malformed. */
static int rest_is_well_formed(const char *p)
{
	while (*p) {
		if (*p == '\\' && !*++p)
			return -EINVAL;
		if (*p++ == '[' && p[-1] == '[') {
			int r = class(&p, 0);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int unpack_match(const char *p, const char *s)
{
	/* where to go on when the text behind the last star does not fit */
	const char *star = NULL, *from = NULL;
	for (;;) {
		int hit = 0;
		const char *was = p;
		if (*p == '*') {
			star = ++p;
			from = s;
			continue;
		}
		if (!*p && !*s)
			return 1;
		if (*p && *s) {
			const char *next = s;
			uint32_t c = rune(&next);
			if (*p == '?') {
				p++;
				hit = c != '/';
			} else if (*p == '[') {
				p++;
				hit = class(&p, c);
				if (hit < 0)
					return hit;
				hit = hit && c != '/';
			} else {
				if (*p == '\\' && !*++p)
					return -EINVAL;
				hit = rune(&p) == c;
			}
			if (hit) {
				s = next;
				continue;
			}
		}
		if (!star || !*from || *from == '/')
			return rest_is_well_formed(was);
		rune(&from);
		s = from;
		p = star;
	}
}

bool unpack_has_wildcards(const char *p)
{
	for (; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (strchr("*?[", *p))
			return true;
	}
	return false;
}
