/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the image list, and standard input or a file as a request's body. */
#pragma once
#include "api/docker.h"
#include "cli/cmd.h"
#include "cli/value.h"
#include "io/stream.h"

enum { IMAGE_FIELDS = 11 };
size_t image_row(struct cli *c, const struct docker_image_summary *s, const char *repo, const char *tag, const char *digest, bool full,
		 struct val_field fields[IMAGE_FIELDS]);
/* A stream over any readable descriptor, plain files included; it owns fd unless that is 0. */
int image_input_stream(struct cli *c, int fd, struct stream **ret, struct err *e);
