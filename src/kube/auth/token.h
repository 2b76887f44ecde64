/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bearer tokens. Service-account tokens are JWTs (ES256) signed with a key of
 * this cluster and bound to what they are for; they are good as long as the
 * signature holds, the time is right, and the service account (and the pod,
 * secret or node they are bound to) still exists with the same uid. Beside them
 * static tokens of components in this process, random at each start, kept only
 * in memory as digests.
 */
#pragma once
#include "api/kube.h"
#include "base/arena.h"
#include "base/err.h"
#include "kube/meta/user.h"

/* Who exists: filled by whoever has the objects. Without one no service-account token is good. */
struct kube_token_object { const char *uid, *node_name, *service_account; };     /* the latter two: of pods; NULL or "" otherwise */
struct kube_token_lookup {
	/* plural: serviceaccounts, pods, secrets, nodes (ns ""). 0 and *ret in arena; -ENOENT; another error: unknown, the token is refused.
	 * is_fresh: no cache will do; asked again so before an answer that refuses is believed. May suspend. */
	int (*find_wait)(void *arg, const char *plural, const char *ns, const char *name, bool is_fresh, struct arena *a, struct kube_token_object *ret);
	/* 1: the Secret (of type kubernetes.io/service-account-token) holds exactly this token. NULL: there are no such secrets. May suspend. */
	int (*secret_holds_wait)(void *arg, const char *ns, const char *name, const char *token);
	void *arg;
};

struct kube_tokens;
struct kube_tokens_options {
	const char *key_path;                   /* EC P-256 key in PEM, made when missing (0600) */
	const char *issuer;                     /* NULL: "https://kubernetes.default.svc.cluster.local" */
	const char *server;                     /* for jwks_uri: "https://10.0.0.5:6443"; NULL: the issuer */
	int64_t (*now_ns)(void);                /* realtime; NULL: the clock */
};
int kube_tokens_open(const struct kube_tokens_options *o, struct kube_tokens **ret, struct err *e);
void kube_tokens_free(struct kube_tokens *t);
void kube_tokens_set_lookup(struct kube_tokens *t, const struct kube_token_lookup *lookup);
const char *kube_tokens_issuer(const struct kube_tokens *t);
/* What was set; find_wait NULL: nothing. */
const struct kube_token_lookup *kube_tokens_lookup(const struct kube_tokens *t);

/* What a token is bound to besides its account. */
struct kube_token_binding { const char *kind, *name, *uid; };      /* Pod, Secret, Node; kind NULL: nothing */
struct kube_token_subject { const char *ns, *name, *uid; };
/*
 * Issues one: audiences (n 0: the API server's), seconds to live (600 to 2^32; the answer may be shorter), node (or NULL) goes into the
 * claims of a pod's token. *expires is seconds since the epoch.
 */
int kube_token_issue(struct kube_tokens *t, const struct kube_token_subject *s, const struct kube_token_binding *b, const struct kube_token_binding *node,
	const char *const *audiences, size_t n_audiences, int64_t seconds, struct arena *a, const char **ret, int64_t *expires, struct err *e);
/* The never-expiring token for a legacy Secret. */
int kube_token_issue_legacy(struct kube_tokens *t, const struct kube_token_subject *s, const char *secret, struct arena *a, const char **ret, struct err *e);

/*
 * Who shows this token? audiences (n 0: the API server's): one must match, those that do go to *ret_audiences (may be NULL).
 * -EKEYREJECTED when it is not good, with the reason. May suspend (lookup).
 */
int kube_token_verify_wait(struct kube_tokens *t, const char *token, const char *const *audiences, size_t n_audiences, struct arena *a, struct kube_user *ret,
	const char ***ret_audiences, size_t *n_ret_audiences, struct err *e);

/* A fresh static token for a component: name "system:kube-scheduler", groups copied. In a, 43 characters. */
int kube_token_static(struct kube_tokens *t, const char *name, const char *const *groups, size_t n_groups, struct arena *a, const char **ret, struct err *e);

/* Documents of OpenID discovery, appended. */
int kube_tokens_jwks(struct kube_tokens *t, struct buf *out);
int kube_tokens_discovery(struct kube_tokens *t, struct buf *out);

/* --- the wire form, for tests and the fuzzer: splits and decodes, checks no signature */
struct kube_jwt { struct slice signed_part, signature, header, claims; };
int kube_jwt_split(struct slice token, struct arena *a, struct kube_jwt *ret, struct err *e);
/* The user of a service account: name, uid, its three groups. -ENOMEM. */
int kube_token_account_user(const struct kube_token_subject *s, struct arena *a, struct kube_user *ret);
