/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The role `server`: the Kubernetes control plane. The exit code. */
int server_main(int argc, char **argv);
