/* SPDX-License-Identifier: Apache-2.0 */
/* --mount type=…,source=…,target=… */
#pragma once
#include "api/docker.h"
#include "base/arena.h"
#include "base/err.h"

int mount_parse(struct arena *a, const char *spec, struct docker_mount *ret, struct err *e);
/* Cuts off one field of a comma-separated record, with "…" quoting as CSV has it; false at the end. Copies into the arena. */
bool csv_next(struct arena *a, const char **rest, const char **ret);
