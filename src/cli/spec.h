/* SPDX-License-Identifier: Apache-2.0 */
/* Values of run and build flags with a grammar of their own, as the API's messages; and names of images. */
#pragma once
#include "api/docker.h"
#include "base/arena.h"
#include "base/err.h"

int spec_device(struct arena *a, const char *s, struct docker_device_mapping *ret, struct err *e);
int spec_throttle(struct arena *a, const char *s, bool bytes, struct docker_throttle_device *ret, struct err *e);
int spec_weight(struct arena *a, const char *s, struct docker_weight_device *ret, struct err *e);
int spec_ulimit(struct arena *a, const char *s, struct docker_ulimit *ret, struct err *e);
int spec_restart(struct arena *a, const char *s, struct docker_restart_policy *ret, struct err *e);
int spec_gpus(struct arena *a, const char *s, struct docker_device_request *ret, struct err *e);
/* True for what may name an image: [registry/]path[:tag][@digest]. */
bool spec_reference_ok(const char *s);
/* Why it does not, in docker's words. */
const char *spec_reference_error(struct arena *a, const char *s);
/* Cuts a name; repo has the registry only as far as it was written. tag and digest are empty where there is none. */
struct image_name { struct slice repo, tag, digest; };
struct image_name spec_image(const char *s);
/* "docker.io/library/x" for "x": what the API calls a repository when it wants it whole. */
const char *spec_full_repo(struct arena *a, struct slice repo);
/* And back: without "docker.io/" and "library/". */
const char *spec_familiar(struct arena *a, struct slice repo);
