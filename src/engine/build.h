/* SPDX-License-Identifier: Apache-2.0 */
/* `docker build`: the builder (build/build.h) on this engine's containers and images. */
#pragma once
#include "build/build.h"
#include "engine/engine.h"

struct image_progress;

/* Where a build's text and progress go; all may suspend, < 0 ends the build. */
struct engine_build_sink {
	int (*event_wait)(void *arg, const struct build_event *ev);
	int (*output_wait)(void *arg, const void *p, size_t n);               /* what RUN prints */
	int (*progress_wait)(void *arg, const struct image_progress *p);      /* of a pull */
	bool (*gone)(void *arg);                                              /* the client has left */
	void *arg;
};

struct engine_build {
	struct build_options options;          /* all but the Dockerfile's text */
	const char *dockerfile;                /* its path inside the context; NULL or "": Dockerfile */
	struct stream *context;                /* tar, compressed or not */
	const struct docker_host_config *host; /* limits, network mode, shm size, extra hosts for RUN; NULL: defaults */
	const struct docker_auth_configs *auths;   /* X-Registry-Config, or NULL */
	struct engine_build_sink sink;
};

/* *exit_code is that of a failed RUN, else 0. */
int engine_build_wait(struct engine *eng, const struct engine_build *how, char id[BUILD_ID_MAX], int *exit_code, struct err *e);
