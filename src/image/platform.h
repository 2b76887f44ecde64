/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms: this machine's, and which member of an index fits one. Pure. */
#pragma once
#include "api/image.h"

/* "linux", "amd64"…, variant "" or "v7", "v8": as Go names them. */
struct image_platform platform_here(void);
/* The first manifest for the platform (NULL, or NULL members: this machine's); entries without a platform fit last. NULL: none. */
const struct image_descriptor *platform_pick(const struct image_index *index, const struct image_platform *want);
