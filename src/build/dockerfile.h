/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dockerfile text -> a list of instructions. Lines are joined, comments and
 * parser directives taken out, flags and JSON arrays split off; nothing is
 * expanded here. Source: Dockerfile reference, "Format", "Parser directives",
 * "Here-documents". Pure.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"

enum df_kind {
	DF_ADD, DF_ARG, DF_CMD, DF_COPY, DF_ENTRYPOINT, DF_ENV, DF_EXPOSE, DF_FROM, DF_HEALTHCHECK, DF_LABEL, DF_MAINTAINER,
	DF_ONBUILD, DF_RUN, DF_SHELL, DF_STOPSIGNAL, DF_USER, DF_VOLUME, DF_WORKDIR, DF_KINDS
};

struct df_flag { const char *name, *value; bool has_value; };   /* "--from=x": "from", "x" */
struct df_heredoc { const char *name, *text; bool expand; };

struct df_step {
	enum df_kind kind;
	int line;                       /* 1-based, of its first line */
	const char *text;               /* the instruction as the user wrote it, lines joined: what "Step 1/6 : " shows */
	const char *rest;               /* behind the instruction and its flags, trimmed */
	struct df_flag *flags;
	uint32_t n_flags;
	bool is_json;                   /* rest is a JSON array of strings: then words are its members, */
	const char **words;             /* else the pieces between blanks (quotes kept), or one piece for RUN, CMD, ENTRYPOINT, SHELL */
	uint32_t n_words;
	struct df_heredoc *heredocs;
	uint32_t n_heredocs;
};

struct df_file {
	struct df_step *steps;
	uint32_t n_steps;
	char escape;                    /* '\\' or '`' */
};

enum { DF_MAX_BYTES = 8 << 20, DF_MAX_STEPS = 10000 };

/* Everything lives in the arena. -EINVAL: "dockerfile parse error on line N: …". */
int df_parse(struct slice text, struct arena *a, struct df_file *ret, struct err *e);
/* One instruction line without continuation, as ONBUILD holds them and `--change` gives them. */
int df_parse_line(struct slice text, struct arena *a, struct df_step *ret, struct err *e);
const char *df_name(enum df_kind k);     /* "FROM" */
