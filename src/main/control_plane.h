/* SPDX-License-Identifier: Apache-2.0 */
/* What runs beside the API server in its process: controllers and scheduler, each a client like any other. */
#pragma once
#include "base/err.h"

struct loop;
struct kube_api;
struct control_plane;
struct kube_auth;
struct control_plane_options {
	const char *ca_file;            /* becomes kube-root-ca.crt; NULL: none */
	const char *cluster_cidr;
	struct kube_auth *auth;         /* follows pods and nodes from the caches that are here; NULL: nobody does */
};
/* After the API server has started. Suspends. */
int control_plane_start_wait(struct loop *l, struct kube_api *api, const struct control_plane_options *o, struct control_plane **ret, struct err *e);
/* Suspends until nothing of it runs. NULL is fine. */
void control_plane_stop_wait(struct control_plane *c);
