/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths inside a root file system that strangers made: everything is opened
 * below a descriptor with RESOLVE_IN_ROOT, so links and ".." cannot leave it,
 * and what is missing is made one component at a time below descriptors.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"

/*
 * An O_PATH descriptor of `path` inside rootfd, made when missing: a folder
 * (is_dir) or an empty file, parents 0755, itself `mode`. A dangling link is
 * followed inside the root and its target made, as runc does. fd or -errno.
 */
int sys_root_make(int rootfd, const char *path, bool is_dir, mode_t mode, struct err *e);
/* The folder that holds the last component (made when missing) and that component; for mknodat, symlinkat. fd or -errno. */
int sys_root_parent(int rootfd, const char *path, char name[256], struct err *e);
/* "/proc/self/fd/N" of a descriptor, for calls that only take paths. dst: 32. */
void sys_fd_path(char *dst, int fd);
/* Copies a folder's contents (files, links, folders, devices; owner, mode, xattrs, times) from one descriptor into another. */
int sys_copy_tree(int from, int to, struct err *e);
