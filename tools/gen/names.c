/* SPDX-License-Identifier: Apache-2.0 */
/* Names of C members and structs from JSON and Go names. */
#include "gen.h"

#include <ctype.h>

/* Pieces that the general rule would cut wrongly. */
static const struct { const char *text, *snake; } wholes[] = {
	{ "IPv4", "ipv4" }, { "IPv6", "ipv6" }, { "IOps", "iops" }, { "NFd", "n_fd" }, { "OAuth", "oauth" },
};

/* Keywords, and macros of headers that would break a member. */
static const char *const reserved[] = {
	"auto", "bool", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "errno", "extern",
	"false", "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed",
	"sizeof", "static", "stderr", "stdin", "stdout", "struct", "switch", "true", "typedef", "union", "unsigned", "void",
	"volatile", "while",
};

static bool is_plural_acronym(const char *s, size_t i, size_t n)
{
	/* "IDs", "CPUs" before an upper letter or the end: the s belongs to the capitals */
	return s[i] == 's' && i > 1 && isupper((unsigned char)s[i - 1]) && isupper((unsigned char)s[i - 2]) &&
		(i + 1 == n || isupper((unsigned char)s[i + 1]));
}

char *snake_case(struct gen *g, const char *name)
{
	size_t n = strlen(name), o = 0;
	char *out = arena_alloc(&g->a, 2 * n + 3);
	for (size_t i = 0; i < n;) {
		bool is_whole = false;
		for (size_t w = 0; w < sizeof wholes / sizeof *wholes && !is_whole; w++) {
			size_t len = strlen(wholes[w].text);
			if (strncmp(name + i, wholes[w].text, len))
				continue;
			if (o && out[o - 1] != '_')
				out[o++] = '_';
			for (const char *s = wholes[w].snake; *s; s++)
				out[o++] = *s;
			i += len;
			is_whole = true;
			if (i < n && isalnum((unsigned char)name[i]) && !(name[i] == 's' && (i + 1 == n || isupper((unsigned char)name[i + 1]))))
				out[o++] = '_';
		}
		if (is_whole)
			continue;
		char c = name[i];
		if (!isalnum((unsigned char)c)) {
			if (o && out[o - 1] != '_')
				out[o++] = '_';
			i++;
			continue;
		}
		bool upper = isupper((unsigned char)c);
		if (upper && i && o && out[o - 1] != '_') {
			bool after_small = islower((unsigned char)name[i - 1]) || isdigit((unsigned char)name[i - 1]);
			bool before_small = i + 1 < n && islower((unsigned char)name[i + 1]) && !is_plural_acronym(name, i + 1, n);
			if (after_small || (before_small && isupper((unsigned char)name[i - 1])))
				out[o++] = '_';
		}
		out[o++] = (char)tolower((unsigned char)c);
		i++;
	}
	while (o && out[o - 1] == '_')
		o--;
	out[o] = 0;
	for (size_t k = 0; k < sizeof reserved / sizeof *reserved; k++) {
		if (!strcmp(out, reserved[k])) {
			out[o++] = '_';
			out[o] = 0;
			break;
		}
	}
	if (isdigit((unsigned char)out[0])) {
		memmove(out + 1, out, o + 1);
		out[0] = '_';
	}
	return out;
}
