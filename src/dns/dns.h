/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `coracled dns`: the name server of containers, an unprivileged process that
 * outlives the engine. The engine hands it sockets and names over RUN/dns.sock
 * (doc/format/dns.md).
 */
#pragma once

/*
 * --run DIR (default /run/coracle), --user NAME (default coracle, else nobody), --resolv-conf FILE, --linger SECONDS (ends when nothing is held
 * and nobody connected for so long; default never). The process exit code.
 */
int dns_main(int argc, char **argv);
