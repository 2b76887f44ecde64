/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authentication and authorisation as one piece, for main/: fills every seam
 * of kube/meta/user.h.
 *
 *	kube_ca_open(&ca_options, &ca, e);
 *	kube_auth_open(&(struct kube_auth_options){ .key_path = "ROOT/server/pki/sa.key" }, &auth, e);
 *	api_options.authenticator = kube_auth_authenticator(auth); … authorizer, reviewer
 *	… once the API server serves: kube_auth_follow_wait(auth, client) bootstraps the roles and follows roles, bindings, pods, accounts
 */
#pragma once
#include "kube/auth/authn.h"
#include "kube/auth/bootstrap.h"
#include "kube/auth/ca.h"
#include "kube/auth/rbac.h"
#include "kube/auth/token.h"

struct kube_auth;
struct kube_auth_options {
	struct kube_tokens_options tokens;
	bool no_anonymous;
};
int kube_auth_open(const struct kube_auth_options *o, struct kube_auth **ret, struct err *e);
void kube_auth_free(struct kube_auth *x);
struct kube_authenticator kube_auth_authenticator(struct kube_auth *x);
struct kube_authorizer kube_auth_authorizer(struct kube_auth *x);
struct kube_reviewer kube_auth_reviewer(struct kube_auth *x);
struct kube_tokens *kube_auth_tokens(struct kube_auth *x);
struct kube_rbac *kube_auth_rbac(struct kube_auth *x);
