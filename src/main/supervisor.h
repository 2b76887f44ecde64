/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `coracle up`, `down`, `status` and the supervisor process behind them. With
 * systemd as process 1 the roles are units; elsewhere `up` leaves a supervisor
 * in the background that holds the listening socket, starts the roles again
 * when they end, and keeps their log output under a ceiling. Restarting a role
 * refuses no client, since the socket stays open.
 *
 * Files: RUN/supervisor.pid (locked while it runs), RUN/roles (name and pid a
 * line), ROOT/log/ROLE.log (8 MiB, one older kept).
 */
#pragma once

/* Each is a command: argv[0] is its name; returns the exit code. All take --root, --run, --config. */
int up_main(int argc, char **argv);
int down_main(int argc, char **argv);
int status_main(int argc, char **argv);
/* The background process itself (row `supervise`, started by up). */
int supervise_main(int argc, char **argv);
