/* SPDX-License-Identifier: Apache-2.0 */
/* An unpacker for tests: keeps a layer's tar as the file dir/layer.tar and packs that one again. */
#pragma once
#include "image/image.h"

struct image_unpacker image_unpacker_double(void);
