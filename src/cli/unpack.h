/* SPDX-License-Identifier: Apache-2.0 */
/* A tar archive from a container onto this machine, below one folder and never beside it. */
#pragma once
#include <stdbool.h>
#include "base/err.h"
#include "codec/tar.h"

struct unpack {
	tar_read_fn read;
	void *arg;
	const char *rename;      /* what the archive's first name component becomes; "": it is left out */
	bool owner;              /* keep owners */
	int64_t bytes;           /* of file contents, afterwards */
};
int unpack_run_wait(struct unpack *x, const char *folder, struct err *e);
