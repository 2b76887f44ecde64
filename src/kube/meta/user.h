/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, and for what: the vocabulary between the API server's pipeline, authentication and authorisation. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "schema/schema.h"

struct kube_extra { const char *key; const char *const *values; size_t n_values; };
struct kube_user {
	const char *name;              /* "system:anonymous" for nobody */
	const char *uid;               /* or NULL */
	const char *const *groups;
	size_t n_groups;
	const struct kube_extra *extra;
	size_t n_extra;
};

/* One request, as authorisation sees it. Strings are never NULL; "" where there is none. */
struct kube_attributes {
	const char *verb;              /* get list watch create update patch delete deletecollection, impersonate …; lower-case method for paths */
	const char *group, *version, *resource, *subresource, *namespace_, *name;
	const char *path;              /* "" for resources */
	bool is_resource;
};

/* The two seams that kube/api declares and kube/auth fills. */
struct http_request;
struct kube_authenticator {
	/* The user in the request's arena. -EKEYREJECTED (401) when something was shown and is not valid; anonymous otherwise. May suspend. */
	int (*authenticate_wait)(void *arg, struct http_request *r, struct kube_user *ret, struct err *e);
	void *arg;
};
struct kube_authorizer {
	/* 1 allowed, 0 not; *reason (may stay NULL) for people, in arena. */
	int (*allowed)(void *arg, const struct kube_user *u, const struct kube_attributes *a, struct arena *arena, const char **reason);
	void *arg;
};
bool kube_user_in_group(const struct kube_user *u, const char *group);
