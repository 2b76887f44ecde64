/* SPDX-License-Identifier: Apache-2.0 */
/* Front of cli/: `coracle docker`. */
#pragma once

/* What the client says it is; versions of the interface, not of the program. */
#define DOCKER_CLI_VERSION "28.5.2"
#define DOCKER_CLI_COMMIT "coracle"
#define DOCKER_CLI_API "1.51"

/* argv[0] is "docker"; returns the exit code. */
int docker_main(int argc, char **argv);
