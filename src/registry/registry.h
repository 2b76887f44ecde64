/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `coracle registry`: an OCI distribution server (specification 1.1) over plain
 * files. No database: what is on the disk is the truth, and every change is a
 * synced file that is renamed or linked into place.
 */
#pragma once

/*
 * registry [--root DIR] [--addr HOST:PORT] [--tls-cert FILE --tls-key FILE] [--htpasswd FILE]: serves until SIGTERM. The exit code.
 * Files are below DIR/registry; doc/format/registry.md says how.
 */
int registry_main(int argc, char **argv);
