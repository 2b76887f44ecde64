/* SPDX-License-Identifier: Apache-2.0 */
/* A loop, a kv and an image store over the unpacker's double, for unit tests: the body runs in a fiber. */
#pragma once
#include "base/test.h"
#include "image/double.h"
#include "image/store_int.h"

struct world {
	struct loop *loop;
	struct kv *kv;
	struct image_store *s;
	struct arena a;
	struct err e;
};
/* Opens the store below test_dir() (as it was left), runs body and closes it. */
void world_run(void (*body)(struct world *w));
/* A layer whose tar is `text`; an image with a config naming layers and a comment. */
struct image_layer *world_layer(struct world *w, const char *text);
void world_image(struct world *w, const char *name, const char *parent, const char *comment, struct image_layer *const *layers, size_t n,
		 char id[IMAGE_ID_MAX]);
