/* SPDX-License-Identifier: Apache-2.0 */
/* The command line that runc has: what main/runtime.c calls. */
#pragma once

/* argv[0] is the program. Returns the exit code. */
int runtime_cli(int argc, char **argv);
