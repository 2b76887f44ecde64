/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images: what the engine sees of them. An image is known by the digest of its
 * configuration ("sha256:…", the image ID of docker), has names (tags and
 * repository digests, each with an owner), a parent when it was built here,
 * and a stack of layers, each unpacked once in overlay form and shared.
 *
 * Records and names are in kv (buckets "image/", "ref/", "layer/"), bytes
 * below ROOT/image; kv is the truth, what it does not name is removed at start.
 * Everything runs on the store's loop; *_wait functions run in a fiber.
 * Errors carry Docker's wording: ENOENT "No such image: …", EEXIST/EBUSY for
 * conflicts, EINVAL for references that do not parse.
 */
#pragma once
#include "api/image.h"
#include "base/arena.h"
#include "io/stream.h"
#include "store/kv.h"

struct image_store;

enum image_owner { IMAGE_DOCKER, IMAGE_CRI };

/* One-shot jobs on a root file system; main wires `coracle-runtime unpack` (image/unpacker.h has that one and a double). */
struct image_unpacker {
	/* Applies the (uncompressed) tar read from tar_fd, to its end, below the new empty folder `dir`, in overlay form. Takes tar_fd. */
	int (*layer_wait)(void *arg, int tar_fd, const char *dir, int64_t *ret_size_bytes, struct err *e);
	/* Writes the layer tar of a folder in overlay form (a container's upper) to tar_fd; the same folder always gives the same bytes. Takes tar_fd. */
	int (*pack_wait)(void *arg, const char *dir, int tar_fd, struct err *e);
	void *arg;
};

struct image_settings {
	const char *root;                    /* ROOT; the store uses ROOT/image */
	const char *config_dir;              /* CONFIG: certs.d is looked for there and in /etc/docker */
	struct kv *kv;
	struct image_unpacker unpacker;
	const char *coracled;                /* path of coracled for `coracled fetch`; NULL: registries are spoken to in this process */
	const char *user_agent;              /* NULL: "docker/28.5.2 …" */
	const char *hub;                     /* where docker.io really is: NULL = https://registry-1.docker.io; "http://127.0.0.1:5001" for a stand-in */
	const char *const *mirrors;          /* registry-mirrors for docker.io, URLs, tried in order before it */
	size_t n_mirrors;
	const char *const *insecure;         /* insecure-registries: "host:port", "host" or CIDR */
	size_t n_insecure;
	unsigned parallel_downloads;         /* 0: 3 */
	unsigned parallel_uploads;           /* 0: 5 */
};
/* Makes folders, empties tmp, checks that what kv names is there. Blocking: at start-up. */
int image_open(struct loop *l, const struct image_settings *c, struct image_store **ret, struct err *e);
void image_close(struct image_store *s);
/* No job of the store's own (removing files) is running: what to wait for before image_close. */
bool image_is_idle(const struct image_store *s);

/* --- names ------------------------------------------------------------------ */
/* What the user may type, normalised: "ubuntu" -> "docker.io/library/ubuntu:latest", familiar "ubuntu:latest". Docker's error texts. */
int image_ref_normal(const char *text, struct arena *a, const char **ret_full, const char **ret_familiar, struct err *e);

/* --- looking ------------------------------------------------------------------ */
struct image_layer_info {
	const char *diff_id;                 /* "sha256:…" */
	const char *dir;                     /* ROOT/image/layers/HEX/diff */
	int64_t size_bytes;
};
struct image_info {
	const char *id;                      /* "sha256:…" of the configuration */
	const char *parent;                  /* "" when not built here */
	struct slice config;                 /* the image configuration as stored (OCI/Docker JSON): decode with the docker or oci definition */
	const char *os, *architecture, *variant;   /* "" when absent */
	const char *created;                 /* RFC 3339 as the configuration has it; "" when absent */
	int64_t created_ns;                  /* 0 when absent */
	int64_t last_tag_ns;                 /* 0: never */
	const char **repo_tags;              /* familiar, sorted: "busybox:latest" */
	uint32_t n_repo_tags;
	const char **repo_digests;           /* familiar: "busybox@sha256:…" */
	uint32_t n_repo_digests;
	struct image_layer_info *layers;     /* bottom first; empty_layer history entries have none */
	uint32_t n_layers;
	int64_t size_bytes;                  /* sum of its layers, as docker's Size */
	int64_t shared_bytes;                /* of layers that other images have too; -1 unless asked for */
};
enum image_get_flags { IMAGE_SHARED_SIZE = 1 };
/*
 * By full or short ID (with or without "sha256:"), name, name:tag or name@digest, in Docker's order. Everything in *ret lives in the
 * arena; reads files (the configuration is cached). ENOENT: "No such image: NAME".
 */
int image_get(struct image_store *s, enum image_owner o, const char *name, unsigned flags, struct arena *a, struct image_info *ret, struct err *e);
/* Only the ID ("sha256:…", 71 characters and a NUL). */
#define IMAGE_ID_MAX 72
int image_resolve(struct image_store *s, enum image_owner o, const char *name, char id[IMAGE_ID_MAX], struct err *e);
/* All images of an owner (those without a name of another owner only): newest first. */
int image_list(struct image_store *s, enum image_owner o, unsigned flags, struct arena *a, struct image_info **ret, size_t *ret_n, struct err *e);
/* Layer folders for an overlay mount, top first; n = 0 for an image without layers. */
int image_lowerdirs(struct image_store *s, const char *id, struct arena *a, const char ***ret, size_t *ret_n, struct err *e);
/* IDs of images whose recorded parent is this one, oldest first: the build cache walks them. */
int image_children(struct image_store *s, const char *id, struct arena *a, const char ***ret, size_t *ret_n, struct err *e);
/* Bytes of all layers, each counted once (docker system df). */
int64_t image_layers_bytes(struct image_store *s);

/* --- keeping: a running use (container being created, build in progress) holds an image so that no removal takes its layers */
int image_hold(struct image_store *s, const char *id, struct err *e);
void image_unhold(struct image_store *s, const char *id);
/*
 * A held image that is removed disappears from lists at once and from the disk with its last hold. Holds are not durable: at start the
 * engine holds the image of every container it knows and then calls this, which clears what was removed and nobody holds any more.
 */
int image_settle_wait(struct image_store *s, struct err *e);

/* --- naming and removing ------------------------------------------------------- */
/* image: any form image_get takes; target: "repo[:tag]"; moves the name if it exists. */
int image_tag_wait(struct image_store *s, enum image_owner o, const char *image, const char *target, struct err *e);

/* One container's claim on an image, as the engine knows it. */
struct image_use { const char *image_id, *container_id; bool running; };
struct image_remove_options {
	bool force, noprune;
	const struct image_use *uses;
	size_t n_uses;
};
struct image_removed { const char *untagged, *deleted; };   /* one of them is set, in Docker's order */
int image_remove_wait(struct image_store *s, enum image_owner o, const char *name, const struct image_remove_options *how,
		      struct arena *a, struct image_removed **ret, size_t *ret_n, struct err *e);
/* Removes images without names (all = false) or all that no container uses; keep(arg, image) = true spares one (filters). */
struct image_prune_options {
	bool all;
	const struct image_use *uses;
	size_t n_uses;
	bool (*keep)(void *arg, const struct image_info *i);
	void *arg;
};
int image_prune_wait(struct image_store *s, enum image_owner o, const struct image_prune_options *how, struct arena *a,
		     struct image_removed **ret, size_t *ret_n, int64_t *ret_bytes, struct err *e);

/* --- making ------------------------------------------------------------------------ */
/*
 * Makes a layer of a folder in overlay form (a container's upper). With `take` the folder itself becomes the layer (renamed away; same
 * file system), else it is copied. *diff_id gets "sha256:…". An identical layer that exists already is used instead.
 * The layer belongs to nobody until image_create_wait names it: hold *lease until then and give it back with image_layer_release.
 */
struct image_layer;
int image_layer_from_dir_wait(struct image_store *s, const char *dir, bool take, struct image_layer **ret, struct err *e);
/* The same from a tar stream read to its end (any compression): import, and COPY/ADD steps that have a tar. */
int image_layer_from_tar_wait(struct image_store *s, struct stream *tar, struct image_layer **ret, struct err *e);
const char *image_layer_diff_id(const struct image_layer *l);
int image_layer_dir(const struct image_layer *l, struct arena *a, const char **ret);    /* its diff folder */
int64_t image_layer_size(const struct image_layer *l);
void image_layer_release(struct image_layer *l);      /* harmless on NULL; an unnamed layer goes away */

struct image_create {
	const char *parent;                  /* ID recorded for the build cache and history, or NULL */
	struct slice config;                 /* whole configuration JSON; its rootfs.diff_ids must name existing layers, bottom first */
	const char *const *names;            /* names to give, or none */
	size_t n_names;
};
/* Stores the configuration and the record, durable when it returns. An identical image is found instead (its parent stays). */
int image_create_wait(struct image_store *s, enum image_owner o, const struct image_create *c, char id[IMAGE_ID_MAX], struct err *e);

/* --- to and from elsewhere ------------------------------------------------------------- */
/*
 * What a client is shown: one JSON line of docker's streams. Called on the fiber that called the *_wait function, and may suspend
 * (a slow client slows the pull; progress in between is merged). < 0 cancels the operation.
 */
struct image_progress {
	const char *id;                      /* short layer id, tag, or NULL */
	const char *status;                  /* "Downloading", … or NULL when only aux */
	int64_t current, total;              /* both 0: no progressDetail numbers; total 0: unknown */
	struct slice aux;                    /* JSON object, or empty */
	const char *stream;                  /* load: {"stream": "Loaded image: …\n"} */
};
struct image_progress_sink {
	int (*event)(void *arg, const struct image_progress *p);
	void *arg;
};
struct image_auth {                          /* X-Registry-Auth, decoded; all NULL: anonymous */
	const char *username, *password, *identity_token, *registry_token;
};

/* ref: "repo", "repo:tag", "repo@digest". *id (may be NULL) gets the image. `all_tags`: every tag of the repository. */
struct image_pull {
	const char *ref;
	bool all_tags;
	const struct image_platform *platform;   /* api/image.h; NULL or its members NULL: this machine's */
	struct image_auth auth;
	struct image_progress_sink sink;
};
int image_pull_wait(struct image_store *s, enum image_owner o, const struct image_pull *p, char id[IMAGE_ID_MAX], struct err *e);
/* ref: "repo[:tag]"; all_tags pushes every local tag of the repository. */
struct image_push {
	const char *ref;
	bool all_tags;
	struct image_auth auth;
	struct image_progress_sink sink;
};
int image_push_wait(struct image_store *s, enum image_owner o, const struct image_push *p, struct err *e);
/* docker login: 0 and *identity_token (arena, maybe "") or -EACCES "…unauthorized: incorrect username or password". */
int image_login_wait(struct image_store *s, const char *server, const struct image_auth *auth, struct arena *a, const char **identity_token,
		     struct err *e);
/* Manifest descriptor of a remote reference, without pulling (GET /distribution/{name}/json). raw is the manifest or index as served. */
struct image_remote { const char *media_type, *digest; int64_t size_bytes; struct slice raw; };
int image_inspect_remote_wait(struct image_store *s, const char *ref, const struct image_auth *auth, struct arena *a, struct image_remote *ret,
			      struct err *e);

/* docker save: a tar that is a docker-archive (manifest.json, repositories) and an OCI layout at once; written to `out` as it is made. */
int image_save_wait(struct image_store *s, enum image_owner o, const char *const *names, size_t n_names, struct stream *out, struct err *e);
/* docker load: either format, gzip, zstd or plain (others refused by name). Emits "Loaded image: …" streams. */
int image_load_wait(struct image_store *s, enum image_owner o, struct stream *in, bool quiet, const struct image_progress_sink *sink, struct err *e);
/* docker import: one layer from a tar; config: the "config" object of the new image (JSON) or empty; name may be NULL. */
struct image_import {
	struct stream *tar;
	struct slice config;
	const char *message, *name;
	const struct image_platform *platform;
};
int image_import_wait(struct image_store *s, enum image_owner o, const struct image_import *i, char id[IMAGE_ID_MAX], struct err *e);
