/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The role `node`: the kubelet of this machine. SIGTERM and SIGINT end it and
 * leave pods running. The exit code.
 */
int node_main(int argc, char **argv);
