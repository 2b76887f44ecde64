/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The distribution client: one repository on one registry, over whichever of
 * its addresses answers (mirrors, HTTPS, plain HTTP where that is allowed).
 * Tokens are fetched when the registry asks for them and never follow a
 * redirect to another host. Everything that arrives is bounded; manifests and
 * blobs are checked against their digest before anybody sees them.
 */
#pragma once
#include "image/store_int.h"

struct dist;
enum dist_access { DIST_PULL, DIST_PUSH };

/* Settings come from the store; r and auth must outlive the session. */
int dist_new(struct image_store *s, const struct ref *r, const struct image_auth *auth, enum dist_access access, struct dist **ret, struct err *e);
void dist_free(struct dist *d);
static inline void auto_dist(struct dist **d) { dist_free(*d); }

/* A manifest by tag or digest; NULL digest in *ret_digest on entry is not looked at. type and text in the arena; digest of the text. */
struct dist_manifest { const char *type, *digest; struct slice text; };
int dist_get_manifest_wait(struct dist *d, const char *reference, struct arena *a, struct dist_manifest *ret, struct err *e);
int dist_put_manifest_wait(struct dist *d, const char *reference, const char *type, struct slice text, struct err *e);
/* A small blob (a configuration) into the arena. */
int dist_get_small_wait(struct dist *d, const char *digest, size_t max, struct arena *a, struct slice *ret, struct err *e);
/* A blob into a new file, resumed by Range when the connection breaks. progress may be NULL. */
struct dist_progress { void (*fn)(void *arg, int64_t done_bytes); void *arg; };
int dist_get_blob_wait(struct dist *d, const char *digest, int64_t size, const char *path, const struct dist_progress *p, struct err *e);
/* 0: it is there; -ENOENT. */
int dist_has_blob_wait(struct dist *d, const char *digest, struct err *e);
/* Mounts from another repository ("path") of the same registry: 1 done, 0 not. */
int dist_mount_wait(struct dist *d, const char *digest, const char *from, struct err *e);
int dist_put_blob_wait(struct dist *d, const char *digest, int fd, int64_t size, const struct dist_progress *p, struct err *e);
int dist_tags_wait(struct dist *d, struct arena *a, const char ***ret, size_t *ret_n, struct err *e);
/* GET /v2/ with credentials: what docker login does. */
int dist_login_wait(struct dist *d, struct arena *a, const char **identity_token, struct err *e);
/* Errors of the last answer that was no success: code of the specification ("MANIFEST_UNKNOWN") or "". */
const char *dist_last_code(const struct dist *d);
