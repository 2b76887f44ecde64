/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers on texts and lists in arenas, shared by the commands. */
#pragma once
#include <stdbool.h>
#include "base/arena.h"
#include "base/err.h"
#include "cli/flags.h"
#include "schema/schema.h"

const char *cli_lower(struct arena *a, const char *s);       /* never NULL */
int cli_parse_bool(const char *v, bool *ret);                /* Go's strconv.ParseBool */
/* Adds "key=value" (or "key") to a pair list, replacing a key that is there. */
int pair_add(struct arena *a, struct schema_pair **v, uint32_t *n, const char *text);
int pair_set(struct arena *a, struct schema_pair **v, uint32_t *n, const char *key, const char *value);
int text_add(struct arena *a, const char ***v, uint32_t *n, const char *text);
/* The values of a flag as a message's list; NULL list when the flag was not given. */
void text_list(const struct flag_value *f, const char ***v, uint32_t *n);
/* Lines of a file of variables or labels: comments and empty lines left out; env: a bare NAME takes ours or is left out. */
int text_file(struct arena *a, const char *path, bool env, const char ***v, uint32_t *n, struct err *e);
/* Environment from --env-file and --env, in that order. */
int text_env(struct arena *a, const struct flags *f, const char ***v, uint32_t *n, struct err *e);
