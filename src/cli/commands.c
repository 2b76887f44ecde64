/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of api/cli as tables. */
#include "cli/commands.h"
#include "cli/checks.h"

#include "../../api/cli/flags.h"

#define F(rows) rows, ARRAY_LEN(rows)
#define NF NULL, 0
#include "../../api/cli/commands.h"

const size_t cli_n_commands = ARRAY_LEN(cli_commands);
const size_t cli_n_groups = ARRAY_LEN(cli_groups);
const size_t cli_n_global_flags = ARRAY_LEN(cli_global_flags);
