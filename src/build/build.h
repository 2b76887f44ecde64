/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder: Dockerfile -> plan (stages of steps) -> execution against a seam
 * (struct build_ops, filled by the engine). What happens is told as events; the
 * classic "Step 1/6" text is one observer of them (build/text.h).
 *
 * A step's cache key is its parent image and its `created_by` text, which holds
 * everything that decides its result: the command and the build arguments in
 * force, or the checksum of what is copied. After the first miss of a stage no
 * step of it is looked up again.
 *
 *   stage: FROM ─▶ step ─▶ step … each: cached? ─yes▶ that image
 *                                        └no─▶ run | copy | change settings ─▶ commit ─▶ new image
 *
 * Runs in a fiber; *_wait functions and ops may suspend.
 */
#pragma once
#include "api/image.h"
#include "base/arena.h"
#include "base/err.h"

enum { BUILD_ID_MAX = 72 };    /* "sha256:…" and a NUL */

struct build_arg { const char *name, *value; };   /* value NULL: take the default of the Dockerfile */

struct build_options {
	struct slice dockerfile;
	const struct build_arg *args;
	size_t n_args;
	const struct schema_pair *labels;
	size_t n_labels;
	const char *const *tags;
	size_t n_tags;
	const char *target;            /* "" or NULL: the last stage */
	bool no_cache, pull, keep_containers /* --rm=false */, force_remove;
	const char *architecture, *os, *variant;
};

/* Sources of COPY and ADD, wherever they come from. */
struct build_copy {
	const char *from_image;        /* another stage's or an image's id; NULL: the build context, or inline files */
	const char *const *sources;    /* as written, expanded */
	size_t n_sources;
	const char *destination;       /* absolute, with its trailing slash if it had one */
	const char *chown, *chmod;     /* NULL: 0:0, as they are */
	bool is_add;                   /* archives are unpacked, URLs fetched */
	const struct build_inline { const char *name, *text; } *inlines;   /* here-documents */
	size_t n_inlines;
};

struct build_layer;                    /* the engine's; a layer that is not yet part of an image */

struct build_ops {
	/* The image of that name; pulled when it is not here or `pull` is set. */
	int (*from_wait)(void *arg, const char *name, bool pull, char id[BUILD_ID_MAX], struct err *e);
	/* An image's configuration, decoded into the arena. */
	int (*image_wait)(void *arg, const char *id, struct arena *a, struct image_image *ret, struct err *e);
	/* An image made here from `parent` ("" = scratch) whose last history entry says created_by: 1 and its id, or 0. */
	int (*cached)(void *arg, const char *parent, const char *created_by, char id[BUILD_ID_MAX]);
	/* A new image: `image` with `layer` (NULL: none) on top of parent's. Takes the layer. */
	int (*commit_wait)(void *arg, const char *parent, const struct image_image *image, struct build_layer *layer, char id[BUILD_ID_MAX], struct err *e);
	/* RUN: a container of `parent` with these settings; its 64-digit id. Then start: streams output (out), gives the exit code; then
	 * its changes as a layer; then remove. */
	int (*container_create_wait)(void *arg, const char *parent, const struct image_config *config, char id[BUILD_ID_MAX], struct err *e);
	int (*container_run_wait)(void *arg, const char *id, int *exit_code, struct err *e);
	int (*container_layer_wait)(void *arg, const char *id, struct build_layer **ret, struct err *e);
	void (*container_remove_wait)(void *arg, const char *id);
	/* COPY, ADD: a checksum of what would be copied ("file:HEX", "dir:HEX", "multi:HEX"), then the copy as a layer on `parent`. */
	int (*copy_sum_wait)(void *arg, const struct build_copy *c, char *sum, size_t size, struct err *e);
	int (*copy_wait)(void *arg, const char *parent, const struct build_copy *c, struct build_layer **ret, struct err *e);
	/* WORKDIR: makes the folder; *ret NULL when it is there already. */
	int (*mkdir_wait)(void *arg, const char *parent, const char *path, struct build_layer **ret, struct err *e);
	int (*tag_wait)(void *arg, const char *id, const char *name, struct err *e);
	void *arg;
};

enum build_event_kind {
	BUILD_STEP,            /* text: the instruction; number, total */
	BUILD_CACHED,          /* a step was found in the cache */
	BUILD_RUNNING,         /* id: the intermediate container */
	BUILD_REMOVED,         /* id: it is gone */
	BUILD_STEP_DONE,       /* id: the image ("" for scratch) */
	BUILD_WARNING,         /* text */
	BUILD_BUILT,           /* id */
	BUILD_TAGGED,          /* text: the familiar name */
};
struct build_event {
	enum build_event_kind kind;
	const char *text, *id;
	int number, total;
};
struct build_observer {
	int (*event_wait)(void *arg, const struct build_event *ev);    /* < 0 ends the build (the client is gone) */
	void *arg;
};

/* Builds; *id gets the image. Errors read as docker's: "dockerfile parse error on line …", "The command '…' returned a non-zero code: N"
 * (then *exit_code is N, otherwise 0). */
int build_wait(const struct build_options *o, const struct build_ops *ops, const struct build_observer *observer, char id[BUILD_ID_MAX],
	       int *exit_code, struct err *e);

/* Applies one instruction to settings without building: `commit --change` and `import --change` (CMD ENTRYPOINT ENV EXPOSE LABEL ONBUILD
 * USER VOLUME WORKDIR STOPSIGNAL HEALTHCHECK SHELL). New values live in the arena. */
int build_change(const char *instruction, struct arena *a, struct image_config *config, struct err *e);
