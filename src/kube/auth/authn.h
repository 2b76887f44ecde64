/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks: a client certificate (CN is the user, O its groups), a bearer token
 * (header, or a WebSocket's subprotocol base64url.bearer.authorization.k8s.io.…),
 * else system:anonymous; then impersonation, for those who may.
 */
#pragma once
#include "kube/auth/token.h"
#include "kube/meta/user.h"

struct kube_authn {
	struct kube_tokens *tokens;
	struct kube_authorizer authorizer;      /* asked about impersonation */
	bool no_anonymous;
};
/* x outlives it. */
struct kube_authenticator kube_authn_authenticator(struct kube_authn *x);
