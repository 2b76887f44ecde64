/* SPDX-License-Identifier: Apache-2.0 */
/* Help texts from rows. See help.h. */
#include "cli/help.h"

#include <sys/ioctl.h>

#include "cli/man.h"

static unsigned columns(void)
{
	struct winsize ws;
	return ioctl(1, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 20 ? ws.ws_col : 80;
}

/* The word of a row below `group` (NULL: top level); empty when it has none. */
static struct slice word_in(const struct cmd *row, const char *group)
{
	struct slice rest = slice_of(row->paths), path, head, tail;

	while (slice_next(&rest, ';', &path)) {
		bool grouped = slice_cut(path, ' ', &head, &tail);
		if (!group && !grouped)
			return path;
		if (group && grouped && slice_is(head, group))
			return tail;
	}
	return (struct slice){ 0 };
}

static void list_rows(struct cli *c, const char *group, unsigned want, unsigned mask)
{
	for (size_t i = 0; i < cli_n_commands; i++) {
		const struct cmd *row = &cli_commands[i];
		struct slice word = word_in(row, group);
		if (word.len && (row->bits & mask) == want)
			cli_print(c, "  %-11.*s %s\n", SLICE_FMT(word), row->help);
	}
}

void help_top(struct cli *c)
{
	cli_print(c, "Usage:  docker [OPTIONS] COMMAND\n\nThe Docker command line of Coracle\n\nCommon Commands:\n");
	list_rows(c, NULL, CMD_COMMON, CMD_COMMON | CMD_HIDDEN);
	cli_print(c, "\nManagement Commands:\n");
	for (size_t i = 0; i < cli_n_groups; i++)
		cli_print(c, "  %-11s %s\n", cli_groups[i].name, cli_groups[i].help);
	cli_print(c, "\nCommands:\n");
	list_rows(c, NULL, 0, CMD_COMMON | CMD_HIDDEN);
	cli_print(c, "\nGlobal Options:\n");
	flags_help(cli_global_flags, cli_n_global_flags, columns(), &c->out);
	cli_print(c, "\nRun 'docker COMMAND --help' for more information on a command.\n");
}

void help_group(struct cli *c, const struct cmd_group *g)
{
	cli_print(c, "Usage:  docker %s COMMAND\n\n%s\n\nCommands:\n", g->name, g->help);
	list_rows(c, g->name, 0, CMD_HIDDEN);
	cli_print(c, "\nRun 'docker %s COMMAND --help' for more information on a command.\n", g->name);
}

static void list_aliases(struct cli *c, const struct cmd *row)
{
	struct slice rest = slice_of(row->paths), path;
	const char *sep = "";

	if (!strchr(row->paths, ';'))
		return;
	cli_print(c, "\nAliases:\n  ");
	while (slice_next(&rest, ';', &path)) {
		cli_print(c, "%sdocker %.*s", sep, SLICE_FMT(path));
		sep = ", ";
	}
	cli_print(c, "\n");
}

void help_command(struct cli *c, const struct cmd *row, const char *path)
{
	cli_print(c, "Usage:  %s%s%s\n\n%s\n", path, *row->usage ? " " : "", row->usage, row->help);
	list_aliases(c, row);
	if (row->n_flags) {
		cli_print(c, "\nOptions:\n");
		flags_help(row->flags, row->n_flags, columns(), &c->out);
	}
}

/* --- manual ------------------------------------------------------------------ */

void help_man(struct cli *c)
{
	cli_print(c, ".TH CORACLE-DOCKER 1\n.SH NAME\ncoracle\\-docker \\- the Docker command line of Coracle\n.SH SYNOPSIS\n"
		     ".B coracle docker\n[OPTIONS] COMMAND [ARG...]\n.SH OPTIONS\n");
	man_flags(cli_global_flags, cli_n_global_flags, &c->out);
	cli_print(c, ".SH COMMANDS\n");
	for (size_t i = 0; i < cli_n_commands; i++) {
		const struct cmd *row = &cli_commands[i];
		struct slice rest = slice_of(row->paths), path;
		if (row->bits & CMD_HIDDEN)
			continue;
		slice_next(&rest, ';', &path);
		man_command(cli_fmt(c, "docker %.*s %s", SLICE_FMT(path), row->usage), row->help, &c->out);
		if (rest.ptr)
			cli_print(c, "Also: %.*s.\n", SLICE_FMT(rest));
		man_flags(row->flags, row->n_flags, &c->out);
	}
}
