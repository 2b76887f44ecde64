/* SPDX-License-Identifier: Apache-2.0 */
/* One running `docker build` inside the engine: build.c (images, containers) and build_files.c (context, COPY). */
#pragma once
#include "engine/build.h"
#include "engine/engine_int.h"

struct engine_building {
	struct engine *eng;
	const struct engine_build *how;
	struct arena a;                 /* dies with the build */
	char dir[512];                  /* ROOT/engine/build/ID: context/ and layers in the making */
	char context[520];
	unsigned n_layers;              /* names of folders in dir */
	VEC(char *) held;               /* image ids that are held */
};

int building_context_wait(struct engine_building *b, struct err *e);
int building_dockerfile(struct engine_building *b, struct slice *ret, struct err *e);
/* Members of struct build_ops; arg is the engine_building. */
int building_copy_sum_wait(void *arg, const struct build_copy *c, char *sum, size_t size, struct err *e);
int building_copy_wait(void *arg, const char *parent, const struct build_copy *c, struct build_layer **ret, struct err *e);
int building_mkdir_wait(void *arg, const char *parent, const char *path, struct build_layer **ret, struct err *e);
