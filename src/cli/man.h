/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of commands and flags as a manual page (roff, man(7)); for every command line that we have. */
#pragma once
#include "cli/flags.h"

/* A heading with the command and its usage, and the sentence about it (without a full stop). */
void man_command(const char *usage, const char *help, struct buf *out);
/* A paragraph for each flag that is not hidden. */
void man_flags(const struct flag *rows, size_t n, struct buf *out);
