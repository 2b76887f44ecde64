/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the supervisor process and the commands that talk to it. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"

struct sup_options {
	const char *root, *run, *config;
	bool no_docker_sock;          /* do not offer /run/docker.sock */
	const char *const *extra;     /* flags passed through to the engine, behind "--" */
	int n_extra;
};
/* Reads the common flags; -EINVAL with a sentence. */
int sup_options_parse(int argc, char **argv, struct sup_options *ret, struct err *e);
/* "DIR/name" of an executable that lies beside the running one. */
int sup_sibling(const char *name, char *dst, size_t size, struct err *e);
/* The running supervisor's pid, 0 when none holds the lock, -errno. */
pid_t sup_running(const char *run);

/* What the supervisor keeps running, in the order it is started; the engine is last and is stopped first. */
enum sup_role { SUP_DNS, SUP_ENGINE, SUP_ROLES };
extern const char *const sup_role_names[SUP_ROLES];
