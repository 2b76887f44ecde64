/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One invocation of `coracle docker`: what its command row says, its flags,
 * its output, its connection. Commands are rows (api/cli/commands.h); each is
 * one function that runs in a fiber and returns the exit code, or < 0 with the
 * sentence for standard error in e.
 */
#pragma once
#include <stdbool.h>
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "cli/flags.h"
#include "io/loop.h"

struct cli;
struct cmd {
	/* "container ls;container list;container ps;ps": words after `docker`; the first of a group is its name in messages. */
	const char *paths;
	const char *usage;          /* behind the path: "[OPTIONS] CONTAINER [CONTAINER...]" */
	int least, most;            /* arguments; most < 0: any number */
	const struct flag *flags;
	size_t n_flags;
	unsigned bits;
	int (*run)(struct cli *c, struct err *e);
	const char *help;
};
enum cmd_bits {
	CMD_ARGS_LAST = 1,          /* nothing behind the first argument is a flag */
	CMD_RUN_ERRORS = 2,         /* errors are "docker: …", exit code 125 */
	CMD_HIDDEN = 4,
	CMD_COMMON = 8,             /* listed under "Common Commands" */
};
struct cmd_group { const char *name, *help; };

extern const struct cmd cli_commands[];
extern const size_t cli_n_commands;
extern const struct cmd_group cli_groups[];
extern const size_t cli_n_groups;
extern const struct flag cli_global_flags[];
extern const size_t cli_n_global_flags;

struct cli_connection;
struct docker_cli_config;
struct cli {
	struct arena arena;         /* lives as long as the process */
	struct loop *loop;
	const struct cmd *cmd;
	const char *path;           /* "docker ps", as errors name it */
	struct flags globals, f;
	struct buf out;             /* standard output, written by cli_flush */
	struct cli_connection *connection;
	struct docker_cli_config *config;   /* read when first asked for */
	const char *long_error;     /* the whole text where struct err had to cut it */
	int exit_code;
	bool ended;                 /* the command has returned */
};

/* Standard output: everything goes through c->out. cli_flush writes it; -errno. */
int cli_flush(struct cli *c);
void cli_print(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cli_warn(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));  /* a line on standard error */
/* Prints an error as the end of a command would, for commands that go on with their next argument; returns 1. */
int cli_failed(struct cli *c, const struct err *e);
const char *cli_fmt(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));   /* arena text, never NULL */
static inline const char *cli_arg(const struct cli *c, int i) { return i < c->f.argc ? c->f.argv[i] : NULL; }
/* "WARNING! … Are you sure you want to continue? [y/N] "; true for yes. */
bool cli_confirm(struct cli *c, const char *question);
int64_t cli_now(struct cli *c);

/* The entry point: argv[0] is "docker". */
int docker_main(int argc, char **argv);
