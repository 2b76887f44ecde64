/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent of one container: `coracle-runtime shim`. One thread, a poll loop
 * of its own, no libraries; it outlives the engine. Protocol and files:
 * doc/format/shim.md.
 */
#pragma once

/* shim --bundle DIR, with a control socket (SOCK_SEQPACKET) as descriptor 3. The process exit code. */
int shim_main(int argc, char **argv);
/* hold: process 1 of a process namespace that several containers share: reaps, ends with SIGTERM or SIGINT. */
int shim_hold_main(int argc, char **argv);
/* init [--] PROGRAM ARGS…: process 1 of a container with --init: starts the program, passes signals on, reaps. */
int shim_init_main(int argc, char **argv);
