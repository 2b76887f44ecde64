/* SPDX-License-Identifier: Apache-2.0 */
/* From the flags of run and create to the API's message, and the create call with its pull. */
#pragma once
#include "cli/api.h"

struct create {
	struct docker_container_create body;
	struct docker_host_config host;
	struct docker_networking_config networks;
	const char *image;
};
/* Fills *x from the flags; everything lives in c->arena. */
int create_from_flags(struct cli *c, struct create *x, struct err *e);
/* Creates the container (pulling the image as --pull says), writes the cidfile, prints warnings. *ret_id lives in the arena. */
int create_send_wait(struct cli *c, struct create *x, const char **ret_id, struct err *e);
