/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One job on a root file system in a process of its own: `coracle-runtime
 * unpack`. Layers, cp in and out, export, diff, COPY. The process enters its
 * target (private mount namespace, pivot_root), gives up the network and all
 * capabilities but six, and only then reads a stranger's bytes. Jobs and
 * reports: doc/format/unpack.md.
 */
#pragma once

/* unpack [--job FD] [--report FD]: one job; data on standard input and output. The process exit code. */
int unpack_main(int argc, char **argv);
