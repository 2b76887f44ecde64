/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authentication and authorisation as one piece, for main/: fills every seam
 * of kube/meta/user.h.
 *
 *	kube_ca_open(&ca_options, &ca, e);
 *	kube_auth_open(&(struct kube_auth_options){ .key_path = "ROOT/server/pki/sa.key" }, &auth, e);
 *	api_options.authenticator = kube_auth_authenticator(auth); … authorizer, reviewer
 *	… once the API server has started: kube_auth_start_wait bootstraps the roles and follows what decisions need
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

/*
 * Follows roles, bindings and accounts through a client in system:masters,
 * makes the default roles, and runs what belongs to it: aggregated roles, the
 * tokens of legacy secrets, signing of certificate requests. Returns when the roles are known. The client outlives it.
 */
struct kclient;
struct informers;
struct kube_auth_follow {
	struct kclient *client;
	struct kube_ca *ca;                     /* signs requests; NULL: nobody does */
};
int kube_auth_start_wait(struct kube_auth *x, const struct kube_auth_follow *f, struct err *e);
/* Pods and nodes, for the node authoriser and bound tokens: from informers that others on this loop use as well. Leave before they go. */
int kube_auth_follow_pods(struct kube_auth *x, struct informers *shared, struct err *e);
void kube_auth_leave_pods(struct kube_auth *x);
/* Before the client goes. Harmless twice. */
void kube_auth_stop(struct kube_auth *x);
