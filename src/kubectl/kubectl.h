/* SPDX-License-Identifier: Apache-2.0 */
/* `coracle kubectl`: the Kubernetes command line. Speaks HTTP only; the same flags, output and exit codes as kubectl's. */
#pragma once

/* The entry point: argv[0] is "kubectl". Returns the exit code. */
int kubectl_main(int argc, char **argv);
