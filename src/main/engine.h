/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The role `engine`: Docker's API over containers, images, networks and volumes
 * of this machine. SIGTERM and SIGINT end it and leave containers running;
 * SIGPWR stops containers and takes the network down first. The exit code.
 */
int engine_main(int argc, char **argv);
