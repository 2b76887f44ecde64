/* SPDX-License-Identifier: Apache-2.0 */
/* Between the executor (build.c) and the instructions (steps.c). */
#pragma once
#include "build/build.h"
#include "build/dockerfile.h"
#include "build/words.h"

struct build_stage {
	const char *name;              /* AS name, lower case; "" without */
	const char *base;              /* expanded FROM */
	uint32_t first, n;             /* its steps after FROM, in file->steps; `from` is first - 1 */
	char id[BUILD_ID_MAX];         /* result, once built; "" = scratch or not built */
	bool built;
};

struct build_var { const char *name, *value; bool used; };   /* value NULL: declared, not set */

/* One build; lives on the fiber that builds. */
struct build {
	const struct build_options *o;
	const struct build_ops *ops;
	const struct build_observer *observer;
	struct arena *a;
	struct df_file file;
	struct build_stage *stages;
	uint32_t n_stages;
	struct build_var *global;      /* ARG before the first FROM */
	uint32_t n_global;
	bool *arg_used;                /* per o->args: consumed somewhere */
	int number, total;
	int exit_code;

	/* the stage at hand */
	struct build_stage *stage;
	struct image_image image;      /* settings as they grow */
	struct build_var *vars;        /* ARGs in force */
	uint32_t n_vars;
	bool cache_broken;
	bool cmd_set;                  /* CMD was given in this stage: ENTRYPOINT then keeps it */
};

enum { BUILD_VARS_MAX = 512, BUILD_LIST_MAX = 4096 };

/* Runs one step that is not FROM. */
int build_step_wait(struct build *b, const struct df_step *s, struct err *e);
/* Changes settings only; created_by text for the history in *comment. -EOPNOTSUPP: not such an instruction. */
int build_settings(struct build *b, const struct df_step *s, const char **comment, struct err *e);
/* Variables for expansion: ENV of the image first, then ARGs in force. */
struct word_env build_env(struct build *b);
int build_tell_wait(struct build *b, enum build_event_kind kind, const char *text, const char *id);
int build_declare_arg(struct build *b, const char *name, const char *fallback, struct err *e);
const char *build_flag(const struct df_step *s, const char *name);     /* NULL: absent */
/* -EINVAL on a flag that is not in the NULL-terminated list. */
int build_check_flags(const struct df_step *s, const char *const *known, struct err *e);
