/* SPDX-License-Identifier: Apache-2.0 */
/* Help and manual, printed from the command rows into c->out. */
#pragma once
#include "cli/cmd.h"

void help_top(struct cli *c);
void help_group(struct cli *c, const struct cmd_group *g);
void help_command(struct cli *c, const struct cmd *row, const char *path);
/* The manual page of all commands, as roff. */
void help_man(struct cli *c);
