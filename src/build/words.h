/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of instructions: quotes, escapes and variables, as the Dockerfile
 * reference describes under "Environment replacement". Pure.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"

/* Where variables come from: the value, or NULL when it is not set. */
struct word_env {
	const char *(*get)(void *arg, struct slice name);
	void *arg;
};

/* One word: quotes removed, $x ${x} ${x:-w} ${x-w} ${x:+w} ${x+w} ${x:?w} ${x?w} ${x#p} ${x##p} ${x%p} ${x%%p} ${x/p/r} ${x//p/r} replaced. */
int word_expand(struct slice word, char escape, const struct word_env *env, struct arena *a, const char **ret, struct err *e);
/* The same, then split at blanks that were not quoted: EXPOSE $PORTS gives several. */
int word_expand_split(struct slice word, char escape, const struct word_env *env, struct arena *a, const char ***ret, uint32_t *ret_n, struct err *e);
/* "k=v k2="v 2"" or the old "k rest of line" into pairs, not expanded. name is for errors ("ENV"). */
struct word_pair { struct slice name, value; bool bare; };  /* bare: from the old form */
int word_pairs(const char *instruction, const char *rest, char escape, struct arena *a, struct word_pair **ret, uint32_t *ret_n, struct err *e);
