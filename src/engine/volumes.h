/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes as the API shows them: volume/ plus who uses what. */
#pragma once
#include "engine/engine.h"

int engine_volume_list(struct engine *eng, const struct filters *f, struct arena *a, struct docker_volume_list *ret, struct err *e);
int engine_volume_create_wait(struct engine *eng, const struct docker_volume_create *how, struct arena *a, struct docker_volume *ret, struct err *e);
int engine_volume_get(struct engine *eng, const char *name, struct arena *a, struct docker_volume *ret, struct err *e);
int engine_volume_remove_wait(struct engine *eng, const char *name, bool force, struct err *e);
/* Before API 1.42 every unused volume, from then on anonymous ones unless filtered by all=1. */
int engine_volume_prune_wait(struct engine *eng, const struct filters *f, unsigned api, struct arena *a, struct docker_volumes_pruned *ret,
			     struct err *e);
/* With sizes and numbers of users (system df). */
int engine_volume_usage_wait(struct engine *eng, struct arena *a, struct docker_volume **ret, uint32_t *n, struct err *e);
