/* SPDX-License-Identifier: Apache-2.0 */
/* Authentication and authorisation follow what they need through a client in this process. */
#pragma once
#include "base/err.h"

struct loop;
struct kube_api;
struct kube_auth;
struct kube_ca;
struct server_auth;
/* Makes the default roles, then follows; returns when the roles are known. After the API server has started. Suspends. */
int server_auth_start_wait(struct loop *l, struct kube_api *api, struct kube_auth *auth, struct kube_ca *ca, struct server_auth **ret, struct err *e);
/* NULL is fine. */
void server_auth_stop(struct server_auth *x);
