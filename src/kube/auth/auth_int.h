/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "kube/auth/auth.h"
#include "kube/client/client.h"

struct auth_handler {
	struct informer_handler h;
	struct kube_auth *x;
	enum kube_rbac_kind kind;
};
struct kube_auth {
	struct kube_tokens *tokens;
	struct kube_rbac *rbac;
	struct kube_authn authn;

	/* following; NULL while it does not */
	struct kclient *client;
	struct kube_ca *ca;
	struct informers *own;
	struct informer *roles[KUBE_RBAC_KINDS], *accounts, *requests, *secrets, *pods, *nodes;
	struct auth_handler role_handlers[KUBE_RBAC_KINDS], request_handler, secret_handler, account_handler, pod_handler;
	struct workqueue *aggregations, *signings, *secret_tokens;
};

/* control.c: what it does with objects that change. Keys as the informers'. */
int auth_aggregate_wait(void *arg, const char *key, struct err *e);
int auth_sign_wait(void *arg, const char *key, struct err *e);
int auth_secret_token_wait(void *arg, const char *key, struct err *e);
