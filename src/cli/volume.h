/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the volume list. */
#pragma once
#include "api/docker.h"
#include "cli/cmd.h"
#include "cli/value.h"

enum { VOLUME_FIELDS = 10 };
void volume_row(struct cli *c, const struct docker_volume *v, struct val_field f[VOLUME_FIELDS]);
