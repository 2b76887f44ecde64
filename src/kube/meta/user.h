/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, and for what: the vocabulary between the API server's pipeline, authentication and authorisation. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"
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
	const char *field_selector;    /* of list, watch and deletecollection, as sent; may be NULL */
};

/* The two seams that kube/api declares and kube/auth fills. */
struct http_request;
struct kube_authenticator {
	/* The user in the request's arena. -EKEYREJECTED (401) when something was shown and is not valid; -EACCES (403, e has the whole sentence) and -EINVAL
	 * when it wants to be somebody it may not; anonymous otherwise. May suspend. */
	int (*authenticate_wait)(void *arg, struct http_request *r, struct kube_user *ret, struct err *e);
	void *arg;
};
struct kube_authorizer {
	/* 1 allowed, 0 not; *reason (may stay NULL) for people, in arena. */
	int (*allowed)(void *arg, const struct kube_user *u, const struct kube_attributes *a, struct arena *arena, const char **reason);
	void *arg;
};
bool kube_user_in_group(const struct kube_user *u, const char *group);

/*
 * Objects that are answered and never stored, and what else authentication and
 * authorisation know; declared for kube/api, filled by kube/auth/auth.h.
 */
struct kube_resource;
struct kube_service_account;
struct kube_token_request;
struct kube_reviewer {
	/* TokenReview, SubjectAccessReview, LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SelfSubjectReview: obj (a struct
	 * of r->type) is what was sent and gets its status, in arena. ns: of the path, or "". -EINVAL, -EACCES. */
	int (*review_wait)(void *arg, const struct kube_user *u, const struct kube_resource *r, const char *ns, void *obj, struct arena *a, struct err *e);
	/* serviceaccounts/NAME/token: sa is the stored object; the request gets its status. */
	int (*token_wait)(void *arg, const struct kube_user *u, const struct kube_service_account *sa, struct kube_token_request *obj, struct arena *a, struct err *e);
	/* Before a Role, ClusterRole, RoleBinding or ClusterRoleBinding (obj; old NULL on create) is written: no one may give what they have not.
	 * -EACCES with what stands behind "is forbidden: ". */
	int (*rbac_write)(void *arg, const struct kube_user *u, const struct kube_resource *r, const void *obj, const void *old, struct arena *a, struct err *e);
	/* Before a node writes (any resource, when u is one): NodeRestriction. obj NULL on delete; old NULL on create. -EACCES, as above. */
	int (*node_write)(void *arg, const struct kube_user *u, const struct kube_attributes *at, const void *obj, const void *old, struct err *e);
	/* "/openid/v1/jwks" and "/.well-known/openid-configuration": the document and its content type. -ENOENT for any other path. */
	int (*document)(void *arg, const char *path, struct buf *out, const char **content_type, struct err *e);
	void *arg;
};
/* The sentence of a 403: `pods "x" is forbidden: User "u" cannot get resource "pods" in API group "" in the namespace "default"`; reason may be NULL. */
void kube_forbidden_text(const struct kube_user *u, const struct kube_attributes *a, const char *reason, struct buf *out);
/* "system:node:NAME" with the group system:nodes: NAME; otherwise NULL. */
const char *kube_user_node(const struct kube_user *u);
