/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's memory: images, layers and names, each the copy of a kv record.
 * Only the store's loop touches it. A change goes to kv first; memory follows
 * when it is durable.
 *
 * A layer lives while an image or a lease (struct image_layer, a pull under
 * way) counts on it. An image that is removed while held (a container's) keeps
 * its record, marked removed, until the last hold goes.
 */
#pragma once
#include <stdbool.h>

#include "base/map.h"
#include "base/vec.h"
#include "image/digest.h"
#include "image/image.h"
#include "image/ref.h"

enum {
	IMAGE_CONFIG_MAX = 8 * 1024 * 1024,
	IMAGE_MANIFEST_MAX = 4 * 1024 * 1024,
	IMAGE_LAYERS_MAX = 127,                  /* what overlay mounts and Docker allow */
	IMAGE_BLOBS_PER_LAYER = 8,
	IMAGE_REPOS_PER_BLOB = 16,
};
#define IMAGE_ARENA_MAX (64u << 20)

struct image_blob {
	char digest[DIGEST_MAX];
	int64_t size_bytes;
	char *media_type;
	VEC(char *) repos;                       /* "domain/path" where a registry is known to have it */
};

struct layer_rec {
	char diff_id[IMAGE_ID_MAX];
	int64_t size_bytes;
	unsigned images, leases;
	bool is_saved;                           /* has a kv record */
	bool is_synced;                          /* its files are on the disk */
	VEC(struct image_blob *) blobs;
};

struct name_rec;
struct image_rec {
	char id[IMAGE_ID_MAX];
	char *parent, *created, *os, *architecture, *variant;   /* never NULL */
	int64_t created_ns, last_tag_ns;
	bool is_removed;
	unsigned holds;
	VEC(struct layer_rec *) layers;          /* bottom first */
	VEC(struct name_rec *) names;
};

struct name_rec {
	enum image_owner owner;
	struct image_rec *image;
	char *text;                              /* full: "docker.io/library/x:latest" */
	bool is_digest;                          /* "…@sha256:…" */
};

struct image_store {
	struct loop *loop;
	struct kv *kv;
	struct image_unpacker unpacker;
	char *root;                              /* ROOT/image */
	char *config_dir, *coracled, *user_agent, *hub;
	VEC(char *) mirrors;
	VEC(char *) insecure;
	unsigned parallel_downloads, parallel_uploads;
	struct map images;                       /* id -> image_rec */
	struct map layers;                       /* diff id -> layer_rec */
	struct map names[2];                     /* full text -> name_rec */
	unsigned removals;                       /* jobs that remove files, not yet ended */
};

struct image_layer {
	struct image_store *store;
	struct layer_rec *rec;
};

/* --- paths; text in the arena, NULL without memory */
const char *image_blob_path(struct image_store *s, struct arena *a, const char *digest);
const char *image_layer_path(struct image_store *s, struct arena *a, const char *diff_id);   /* the folder above diff/ */
/* A fresh name below tmp/, not made yet. */
const char *image_tmp_path(struct image_store *s, struct arena *a);

/* --- memory (records.c) */
struct layer_rec *layer_rec_new(struct image_store *s, const char *diff_id);
void layer_rec_free(struct layer_rec *l);
void image_rec_free(struct image_rec *i);
struct image_blob *layer_add_blob(struct layer_rec *l, const char *digest, int64_t size, const char *media_type);
int blob_add_repo(struct image_blob *b, const char *repo);
bool blob_has_repo(const struct image_blob *b, const char *repo);
/* Reads kv into memory. */
int records_load(struct image_store *s, struct err *e);
/* kv values of records, appended to out. */
int record_encode_layer(const struct layer_rec *l, struct arena *a, struct slice *ret);
int record_encode_image(const struct image_rec *i, struct arena *a, struct slice *ret);
int record_encode_name(const struct image_rec *i, struct arena *a, struct slice *ret);
const char *record_key_image(struct arena *a, const char *id);
const char *record_key_layer(struct arena *a, const char *diff_id);
const char *record_key_name(struct arena *a, enum image_owner o, const char *text);
/* Puts a name in memory (moves it if there); NULL image removes it. Never fails for names that exist. */
int names_set(struct image_store *s, enum image_owner o, const char *text, struct image_rec *i);
/* Saves a layer's record again (a blob became known). */
int layer_save_wait(struct image_store *s, struct layer_rec *l, struct err *e);

/* --- looking (lookup.c) */
/* The visible image that a user's text means; NULL with e set. *by_name gets the name it was found by, or NULL for an ID. */
struct image_rec *image_find(struct image_store *s, enum image_owner o, const char *text, struct arena *a, struct name_rec **by_name, struct err *e);
/* Reads a stored small blob (configuration). */
int image_read_blob(struct image_store *s, const char *digest, struct arena *a, struct slice *ret, struct err *e);
bool image_has_owner(const struct image_rec *i, enum image_owner o);

/* --- layers (layer.c) */
/* Bytes of a layer in a file: a compressed blob, or a part of an archive. */
struct layer_source {
	int fd;
	int64_t offset, len;                     /* len < 0: to the end; offset < 0: a pipe, read as it comes */
	bool keep;                               /* make a compressed blob of it, so that the layer can be pushed as it came */
	void (*progress)(void *arg, int64_t done_bytes);   /* on the loop, now and then; may be NULL */
	void *progress_arg;
};
/* Unpacks it and gives a lease. With expected (DiffID) the result must be that, and is not unpacked when it is there already. */
int image_layer_apply_wait(struct image_store *s, const struct layer_source *from, const char *expected, struct image_layer **ret, struct err *e);
/* A lease on a layer that exists; NULL without memory. */
struct image_layer *image_layer_lease(struct image_store *s, struct layer_rec *l);
/* Removes the layer if nobody counts on it. */
void layer_drop_if_unused(struct image_store *s, struct layer_rec *l);
/* Moves a path below tmp/ and removes it on a worker. */
void image_discard(struct image_store *s, const char *path);
/* A compressed form of the layer on disk, made if there is none: sets *ret (owned by the layer). */
int image_layer_blob_wait(struct image_store *s, struct layer_rec *l, struct image_blob **ret, struct err *e);

/* Decompresses a part of a file (or copies it, when plain) to an unnamed file; digest: of the plain bytes. */
int image_inflate_wait(struct image_store *s, int fd, int64_t offset, int64_t len, int *ret, char digest[DIGEST_MAX], struct err *e);
/* The layer's tar, exactly as its DiffID says, in an unnamed file. */
int image_layer_plain_wait(struct image_store *s, struct layer_rec *l, int *ret, struct err *e);

/* --- files (file.c) */
/*
 * Copies a stream to a new file: the descriptor, read-write, at its start. path NULL: a file below tmp/ without a name. digest (may be
 * NULL) gets the SHA-256 of the bytes, *size their number. Past max_bytes: -EFBIG.
 */
int image_spool_wait(struct image_store *s, struct stream *in, const char *path, int64_t max_bytes, char digest[DIGEST_MAX], int64_t *size,
		     struct err *e);
/* Makes a small file durable on a worker. */
int image_write_file_wait(const char *path, struct slice data, struct err *e);
/* Everything written below ROOT/image is on the disk when it returns. */
int image_sync_wait(struct image_store *s, struct err *e);
/* Sum of file sizes below a folder, each inode once. */
int image_dir_bytes_wait(const char *dir, int64_t *ret, struct err *e);
/* An open file without a name below tmp/. */
int image_tmp_file(struct image_store *s, struct err *e);
