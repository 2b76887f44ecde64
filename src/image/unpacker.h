/* SPDX-License-Identifier: Apache-2.0 */
/* The unpacker that runs `coracle-runtime unpack` (doc/format/unpack.md), one process a job. */
#pragma once
#include "image/image.h"

/* runtime: path of coracle-runtime; must live as long as the unpacker is used. */
struct image_unpacker image_unpacker_runtime(const char *runtime);
