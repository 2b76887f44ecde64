/* SPDX-License-Identifier: Apache-2.0 */
/* The client's config.json, contexts, and credentials of registries. */
#pragma once
#include "api/docker.h"
#include "cli/cmd.h"

/* $DOCKER_CONFIG, --config, or ~/.docker. */
const char *config_dir(struct cli *c);
/* Read once; an empty one where there is no file. A broken file is a warning. */
struct docker_cli_config *config_get(struct cli *c);

/* Contexts: name in use ("default" without one), and where it leads. */
const char *context_current(struct cli *c);
struct context {
	const char *name, *description, *host, *ca, *cert, *key;
	bool skip_verify;
};
/* -ENOENT with docker's wording when there is none of that name. */
int context_load(struct cli *c, const char *name, struct context *ret, struct err *e);

/* Credentials for a registry ("https://index.docker.io/v1/" for the Hub), from helpers or auths; zeroed when there are none. May suspend. */
int auth_get_wait(struct cli *c, const char *registry, struct docker_auth_config *ret, struct err *e);
int auth_store_wait(struct cli *c, const char *registry, const struct docker_auth_config *auth, const char **ret_where, struct err *e);
int auth_erase_wait(struct cli *c, const char *registry, bool *ret_had, struct err *e);
/* X-Registry-Auth of one registry, X-Registry-Config of all. */
int auth_header_wait(struct cli *c, const char *image, const char **ret, struct err *e);
int auth_all_header_wait(struct cli *c, const char **ret, struct err *e);
#define AUTH_HUB "https://index.docker.io/v1/"
/* The registry part of a name; "docker.io" without one. */
const char *image_registry(struct cli *c, const char *name);
