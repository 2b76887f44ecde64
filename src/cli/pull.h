/* SPDX-License-Identifier: Apache-2.0 */
/* Fetching images. */
#pragma once
#include "cli/api.h"

/* Pulls a name (":latest" when it says no tag) and shows the progress on fd (-1: nowhere). May suspend. */
int pull_image_wait(struct cli *c, const char *image, const char *platform, bool all_tags, int fd, struct err *e);
/* The name as people write it, with ":latest" when there is neither tag nor digest; NULL if it is no name. */
const char *pull_familiar(struct cli *c, const char *image);
