/* SPDX-License-Identifier: Apache-2.0 */
/* What the registry's files share: its state, its folders, its errors. */
#pragma once
#include "base/map.h"
#include "http/server.h"
#include "image/digest.h"

enum { REG_MANIFEST_MAX = 4 * 1024 * 1024, REG_UPLOADS_MAX = 10000, REG_CHUNK = 256 * 1024 };

struct registry {
	struct loop *loop;
	char *root;                    /* DIR/registry */
	struct map uploads;            /* uuid -> struct upload */
	struct map users;              /* htpasswd: name -> bcrypt text; empty and !has_auth: everybody may do everything */
	bool has_auth;
	struct map verified;           /* digest of an Authorization value that was right */
};

/* --- answers (reply.c) */
enum reg_code {
	REG_BLOB_UNKNOWN, REG_BLOB_UPLOAD_INVALID, REG_BLOB_UPLOAD_UNKNOWN, REG_DIGEST_INVALID, REG_MANIFEST_BLOB_UNKNOWN, REG_MANIFEST_INVALID,
	REG_MANIFEST_UNKNOWN, REG_NAME_INVALID, REG_NAME_UNKNOWN, REG_SIZE_INVALID, REG_UNAUTHORIZED, REG_DENIED, REG_UNSUPPORTED,
	REG_TOOMANYREQUESTS, REG_RANGE_INVALID, REG_TOO_LARGE, REG_UNKNOWN,
};
/* Sends the error body with the code's status; detail (may be NULL) is text about it. */
int reg_fail(struct http_request *r, enum reg_code code, const char *detail);
void reg_write_error(struct http_request *r, int status, const struct err *e);
/* A repository name from the path; NULL after an error was sent. */
const char *reg_name(struct http_request *r);
/* A digest from text; NULL after DIGEST_INVALID was sent. */
const char *reg_digest(struct http_request *r, const char *text);

/* --- files (files.c): paths in the request's arena; NULL without memory */
const char *reg_blob_path(struct registry *g, struct arena *a, const char *digest);                     /* content, shared */
const char *reg_repo_blob_path(struct registry *g, struct arena *a, const char *repo, const char *digest);   /* a hard link to it */
const char *reg_manifest_path(struct registry *g, struct arena *a, const char *repo, const char *digest);
const char *reg_tag_path(struct registry *g, struct arena *a, const char *repo, const char *tag);
const char *reg_referrers_dir(struct registry *g, struct arena *a, const char *repo, const char *subject);
const char *reg_upload_path(struct registry *g, struct arena *a, const char *uuid);
bool reg_exists(const char *path, int64_t *size);
bool reg_has_repo(struct registry *g, struct arena *a, const char *repo);
/* mkdir -p of the folder that holds path. */
int reg_make_parent(const char *path);
/* Blocking; for jobs: a small file appears whole and durable. */
int reg_write_file(const char *path, struct slice data, struct err *e);
int reg_read_file(struct arena *a, const char *path, size_t max, struct slice *ret, struct err *e);
/* link(2) with the folder made and synced; an existing target is fine. */
int reg_link(const char *from, const char *to, struct err *e);
int reg_sync_parent(const char *path);
/* Names in a folder, sorted bytewise; a missing folder is empty. */
int reg_list(struct arena *a, const char *dir, const char ***ret, size_t *ret_n);

/* --- handlers */
int reg_base(struct http_request *r, struct err *e);
int reg_get_blob(struct http_request *r, struct err *e);
int reg_delete_blob(struct http_request *r, struct err *e);
int reg_start_upload(struct http_request *r, struct err *e);
int reg_upload_status(struct http_request *r, struct err *e);
int reg_patch_upload(struct http_request *r, struct err *e);
int reg_put_upload(struct http_request *r, struct err *e);
int reg_cancel_upload(struct http_request *r, struct err *e);
int reg_get_manifest(struct http_request *r, struct err *e);
int reg_put_manifest(struct http_request *r, struct err *e);
int reg_delete_manifest(struct http_request *r, struct err *e);
int reg_tags(struct http_request *r, struct err *e);
int reg_catalog(struct http_request *r, struct err *e);
int reg_referrers(struct http_request *r, struct err *e);
void reg_uploads_release(struct registry *g);

/* --- who may (auth.c) */
int reg_auth_load(struct registry *g, const char *path, struct err *e);
/* Before every request; < 0 after a refusal is to be sent. */
int reg_before(struct http_request *r, const char **path, struct err *e);

/* --- main.c */
extern const struct http_route reg_routes[];
extern const size_t reg_n_routes;
int reg_make_folders(struct registry *g, const char *root, struct err *e);
