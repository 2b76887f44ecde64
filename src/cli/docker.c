/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `coracle docker`: global options, the search for a command row, help and
 * usage errors, and the fiber that a command runs in.
 */
#include <ctype.h>
#include <signal.h>
#include <sys/ioctl.h>
#include "base/clock.h"
#include "base/fd.h"
#include "cli/api.h"
#include "cli/cmd.h"
#include "cli/docker.h"
#include "cli/help.h"
#include "io/fiber.h"

enum { ARENA_MAX = 512 << 20, OUT_MAX = 256 << 20, OUT_FLUSH = 64 << 10 };

int cli_flush(struct cli *c)
{
	int r = buf_error(&c->out) ? buf_error(&c->out) : fd_write_all(1, c->out.ptr, c->out.len);

	buf_reset(&c->out);
	return r;
}

void cli_print(struct cli *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_addfv(&c->out, fmt, ap);
	va_end(ap);
	if (c->out.len >= OUT_FLUSH)
		cli_flush(c);
}

void cli_warn(struct cli *c, const char *fmt, ...)
{
	struct buf line = BUF_INIT(1 << 20);
	va_list ap;

	va_start(ap, fmt);
	buf_addfv(&line, fmt, ap);
	va_end(ap);
	buf_addc(&line, '\n');
	cli_flush(c);
	fd_write_all(2, line.ptr, line.len);
	buf_release(&line);
}

int cli_failed(struct cli *c, const struct err *e)
{
	cli_warn(c, "%s", c->long_error ? c->long_error : e->text);
	c->long_error = NULL;
	return 1;
}

const char *cli_fmt(struct cli *c, const char *fmt, ...)
{
	char *text = NULL, *kept;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	kept = n < 0 ? NULL : arena_strdup(&c->arena, text);
	if (n >= 0)
		free(text);
	return kept ? kept : "";
}

int64_t cli_now(struct cli *c)
{
	return clock_realtime_ns();
}

bool cli_confirm(struct cli *c, const char *question)
{
	char line[64];
	size_t n = 0;
	char ch;

	cli_print(c, "%s [y/N] ", question);
	cli_flush(c);
	while (read(0, &ch, 1) == 1 && ch != '\n')
		if (n < sizeof line - 1)
			line[n++] = ch;
	line[n] = 0;
	struct slice answer = slice_trim(slice_n(line, n));
	return answer.len && (answer.ptr[0] == 'y' || answer.ptr[0] == 'Y') &&
	       (answer.len == 1 || slice_eq_nocase(answer, SLICE("yes")));
}

/* --- finding the command ------------------------------------------------------ */

/* Does one of the row's paths say these words? *ret_path gets what messages call it. */
static bool row_has_path(struct cli *c, const struct cmd *row, const char *group, const char *name, const char **ret_path)
{
	struct slice rest = slice_of(row->paths), path, first = { 0 };
	char want[128];

	fmt_into(want, sizeof want, "%s%s%s", group ? group : "", group ? " " : "", name);
	while (slice_next(&rest, ';', &path)) {
		bool grouped = slice_find(path, ' ') >= 0;
		if (!first.len && grouped)
			first = path;
		if (!slice_is(path, want))
			continue;
		*ret_path = cli_fmt(c, "docker %.*s", SLICE_FMT(grouped ? first : path));
		return true;
	}
	return false;
}

static const struct cmd *find_command(struct cli *c, const char *group, const char *name, const char **ret_path)
{
	for (size_t i = 0; i < cli_n_commands; i++)
		if (row_has_path(c, &cli_commands[i], group, name, ret_path))
			return &cli_commands[i];
	return NULL;
}

static const struct cmd_group *find_group(const char *name)
{
	for (size_t i = 0; i < cli_n_groups; i++)
		if (strcmp(cli_groups[i].name, name) == 0)
			return &cli_groups[i];
	return NULL;
}

/* --- usage errors ------------------------------------------------------------- */

static int bad_flag(struct cli *c, const char *path, const char *usage, const struct err *e)
{
	cli_warn(c, "%s\n\nUsage:  %s%s%s\n\nRun '%s --help' for more information", e->text, path, *usage ? " " : "", usage, path);
	return 125;
}

static int check_args(struct cli *c)
{
	const struct cmd *row = c->cmd;
	int n = c->f.argc;
	const char *word = "Run", *plural;
	char what[80];

	if (n >= row->least && (row->most < 0 || n <= row->most))
		return 0;
	if (row->most == 0) {
		fmt_into(what, sizeof what, "accepts no arguments");
	} else if (row->least == row->most) {
		plural = row->least == 1 ? "" : "s";
		fmt_into(what, sizeof what, "requires %d argument%s", row->least, plural);
	} else if (row->most < 0) {
		plural = row->least == 1 ? "" : "s";
		word = "See";
		fmt_into(what, sizeof what, "requires at least %d argument%s", row->least, plural);
	} else if (row->least == 0) {
		plural = row->most == 1 ? "" : "s";
		fmt_into(what, sizeof what, "requires at most %d argument%s", row->most, plural);
	} else {
		plural = row->most == 1 ? "" : "s";
		fmt_into(what, sizeof what, "requires at least %d and at most %d argument%s", row->least, row->most, plural);
	}
	cli_warn(c, "docker: '%s' %s\n\nUsage:  %s %s\n\n%s '%s --help' for more information", c->path, what, c->path, row->usage, word,
		 c->path);
	return 1;
}

static int unknown_command(struct cli *c, const char *group, const char *name)
{
	if (group)
		cli_warn(c, "docker: unknown command: docker %s %s\n\nUsage:  docker %s\n\nRun 'docker %s --help' for more information", group,
			 name, group, group);
	else
		cli_warn(c, "docker: unknown command: docker %s\n\nRun 'docker --help' for more information", name);
	return 1;
}

/* --- running ------------------------------------------------------------------ */

static void run_command(void *arg)
{
	struct cli *c = arg;
	struct err e = { 0 };
	int r = c->cmd->run(c, &e);

	if (r < 0) {
		const char *text = c->long_error ? c->long_error : e.text;
		if (c->cmd->bits & CMD_RUN_ERRORS) {
			cli_warn(c, "docker: %s\n\nRun '%s --help' for more information", text, c->path);
			r = c->exit_code ? c->exit_code : 125;
		} else {
			cli_warn(c, "%s", *text ? text : strerror(-r));
			r = c->exit_code ? c->exit_code : 1;
		}
	}
	if (cli_flush(c) < 0 && r == 0)
		r = 1;
	api_close(c);
	c->exit_code = r;
	c->ended = true;
	loop_stop(c->loop);
}

static int run_row(struct cli *c, int argc, const char *const *argv)
{
	struct err e = { 0 };
	int r = flags_parse(&c->f, &c->arena, c->cmd->flags, c->cmd->n_flags, argc, argv, !(c->cmd->bits & CMD_ARGS_LAST), &e);

	if (c->f.help) {
		help_command(c, c->cmd, c->path);
		return cli_flush(c) < 0;
	}
	if (r < 0)
		return bad_flag(c, c->path, c->cmd->usage, &e);
	if ((r = check_args(c)) != 0)
		return r;
	if (loop_new(&c->loop, &e) < 0 || fiber_start(c->loop, "command", run_command, c) < 0 ||
	    (!c->ended && loop_run(c->loop) < 0)) {
		cli_warn(c, "docker: %s", e.text[0] ? e.text : "no memory");
		return 1;
	}
	return c->exit_code;
}

static int run_group(struct cli *c, const struct cmd_group *g, int argc, const char *const *argv)
{
	if (argc == 0 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
		help_group(c, g);
		return cli_flush(c) < 0;
	}
	if (argv[0][0] == '-') {
		struct err e = { 0 };
		flags_parse(&c->f, &c->arena, NULL, 0, argc, argv, false, &e);
		return bad_flag(c, cli_fmt(c, "docker %s", g->name), "COMMAND", &e);
	}
	c->cmd = find_command(c, g->name, argv[0], &c->path);
	return c->cmd ? run_row(c, argc - 1, argv + 1) : unknown_command(c, g->name, argv[0]);
}

static int help_words(struct cli *c, int argc, const char *const *argv)
{
	const struct cmd_group *g = argc ? find_group(argv[0]) : NULL;
	const char *path = NULL;
	const struct cmd *row = NULL;

	if (argc == 0) {
		help_top(c);
		return cli_flush(c) < 0;
	}
	row = g && argc > 1 ? find_command(c, argv[0], argv[1], &path) : g ? NULL : find_command(c, NULL, argv[0], &path);
	if (row)
		help_command(c, row, path);
	else if (g)
		help_group(c, g);
	else
		return unknown_command(c, NULL, argv[0]);
	return cli_flush(c) < 0;
}

static int dispatch(struct cli *c, int argc, const char *const *argv)
{
	const struct cmd_group *g = find_group(argv[0]);

	if (strcmp(argv[0], "help") == 0)
		return help_words(c, argc - 1, argv + 1);
	if (g)
		return run_group(c, g, argc - 1, argv + 1);
	c->cmd = find_command(c, NULL, argv[0], &c->path);
	return c->cmd ? run_row(c, argc - 1, argv + 1) : api_plugin(c, argc, argv);
}

int cli_no_command(struct cli *c, const char *name)
{
	return unknown_command(c, NULL, name);
}

int docker_main(int argc, char **argv)
{
	static struct cli c;
	struct err e = { 0 };

	signal(SIGPIPE, SIG_IGN);
	arena_init(&c.arena, ARENA_MAX);
	buf_init(&c.out, OUT_MAX);
	int r = flags_parse(&c.globals, &c.arena, cli_global_flags, cli_n_global_flags, argc - 1, (const char *const *)argv + 1, false, &e);
	if (argc == 2 && strcmp(argv[1], "--generate-man") == 0) {
		help_man(&c);
		return cli_flush(&c) < 0;
	}
	if (r < 0 && !c.globals.help)
		return bad_flag(&c, "docker", "[OPTIONS] COMMAND [ARG...]", &e);
	if (flag_bool(&c.globals, "version")) {
		cli_print(&c, "Docker version %s, build %s\n", DOCKER_CLI_VERSION, DOCKER_CLI_COMMIT);
		return cli_flush(&c) < 0;
	}
	if (c.globals.help || c.globals.argc == 0) {
		help_top(&c);
		return cli_flush(&c) < 0;
	}
	return dispatch(&c, c.globals.argc, c.globals.argv);
}
