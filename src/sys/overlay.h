/* SPDX-License-Identifier: Apache-2.0 */
/* Overlay file systems as detached mounts. Source: overlayfs documentation of the kernel, fsopen(2), fsconfig(2). */
#pragma once
#include <stddef.h>
#include "base/err.h"

/*
 * A new overlay of `lower` (top first, n >= 1) with upper and work (both NULL:
 * read only). Not attached anywhere: sys_mount_attach does that, or the
 * descriptor is used as a folder. Mount file descriptor or -errno.
 */
int sys_overlay_open(const char *const *lower, size_t n, const char *upper, const char *work, struct err *e);
