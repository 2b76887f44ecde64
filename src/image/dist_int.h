/* SPDX-License-Identifier: Apache-2.0 */
/* The distribution client's session and how it asks: dist.c (where), auth.c (who), ask.c (one request), blobs and manifests above. */
#pragma once
#include "http/client.h"
#include "image/dist.h"
#include "image/url.h"

enum { DIST_ENDPOINTS_MAX = 16, DIST_REDIRECTS_MAX = 10, DIST_TRIES = 5, DIST_TOKEN_MAX = 64 * 1024 };

struct endpoint {
	struct url url;                  /* target is "" or a prefix like "/mirror" */
	bool may_be_insecure;            /* certificate unchecked, or plain HTTP: next endpoint in the list */
	bool is_mirror;
	struct http_client *client;
	struct tls_config *tls;
};

struct dist {
	struct image_store *s;
	const struct ref *ref;
	const struct image_auth *auth;
	enum dist_access access;
	struct arena a;
	struct endpoint ends[DIST_ENDPOINTS_MAX];
	size_t n_ends, at;               /* at: the one in use */
	bool is_settled;                 /* an endpoint has answered: no more looking */
	char *authorization;             /* header value in use, or NULL */
	const char *extra_scope;         /* repository to mount from, or NULL */
	struct fmutex auth_lock;
	unsigned auth_round;             /* grows with each new authorization */
	char last_code[64];
};

struct ask {
	const char *method;
	const char *path;                /* below /v2/REPO/, or absolute when it begins with '/' */
	const struct url *url;           /* instead of path: an upload's Location */
	struct http_header headers[4];
	size_t n_headers;
	struct slice body;
	const int *body_fd;              /* body from a file, body_length bytes from its start */
	int64_t body_length;
	const struct dist_progress *progress;
	bool keep_errors;                /* statuses >= 400 are for the caller to judge */
};
struct answer {
	struct http_call call;
	struct http_client *client;      /* of a redirect: freed with the answer */
	struct tls_config *tls;
	struct stream *body;             /* what was sent from body_fd */
	struct arena a;
	struct url url;                  /* where it came from in the end */
};
/* One request with tokens, redirects and retries of what can be repeated. 0 and a status below 400 (or any with keep_errors). */
int dist_ask_wait(struct dist *d, const struct ask *q, struct answer *ret, struct err *e);
void answer_release(struct answer *x);
static inline void auto_answer(struct answer *x) { answer_release(x); }
/* Reads the error body and says it in Docker's form ("manifest unknown: manifest unknown"). */
int dist_error_wait(struct dist *d, struct answer *x, const char *method, struct err *e);
/* Gets an authorization for a 401's challenges. */
int dist_authorize_wait(struct dist *d, const struct http_headers *h, const struct url *from, struct err *e);
int dist_tls(struct dist *d, const struct url *u, bool verify, struct tls_config **ret, struct err *e);
int dist_client(struct dist *d, const struct url *u, struct tls_config *tls, struct http_client **ret, struct err *e);
