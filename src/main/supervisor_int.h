/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the supervisor process and the commands that talk to it. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"

struct sup_options {
	const char *root, *run, *config;
	bool no_docker_sock;          /* do not offer /run/docker.sock */
	bool no_kubernetes;           /* the engine only */
	const char *api_listen;       /* HOST:PORT of the API server */
	const char *kubelet_listen;
	const char *node_name;
	const char *server_flags, *node_flags;   /* further flags of these roles, divided by spaces; NULL: none */
	const char *const *extra;     /* flags passed through to the engine, behind "--" */
	int n_extra;
};
/* Reads the common flags; -EINVAL with a sentence. */
int sup_options_parse(int argc, char **argv, struct sup_options *ret, struct err *e);
/* "DIR/name" of an executable that lies beside the running one. */
int sup_sibling(const char *name, char *dst, size_t size, struct err *e);
/* The running supervisor's pid, 0 when none holds the lock, -errno. */
pid_t sup_running(const char *run);

/* What the supervisor keeps running, in the order it is started; stopped the other way round. */
enum sup_role { SUP_DNS, SUP_SERVER, SUP_ENGINE, SUP_NODE, SUP_ROLES };
extern const char *const sup_role_names[SUP_ROLES];
static inline bool sup_role_wanted(const struct sup_options *o, enum sup_role i) { return !o->no_kubernetes || (i != SUP_SERVER && i != SUP_NODE); }
/* Waits until the cluster answers and its node is Ready. Blocking. (cluster.c) */
int sup_wait_cluster(const struct sup_options *o, struct err *e);
/* The administrator's kubeconfig for this user where there is none yet: true when kubectl finds the cluster there. */
bool sup_offer_kubeconfig(const struct sup_options *o);
void sup_take_kubeconfig_back(const struct sup_options *o);
