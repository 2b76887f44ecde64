/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as text. A path from outside is opened below a descriptor (path_open_in_root), never joined and opened. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"

/* Lexical clean-up like Go's path.Clean: "", "a//b/../c" -> ".", "a/c". dst has room for strlen(p) + 2 bytes. */
void path_clean(char *dst, const char *p);
/* The piece behind the last slash; the whole string without one. */
const char *path_base(const char *p);
/* A single safe file name: not empty, not "." or "..", no '/' and no NUL, at most 255 bytes. */
bool path_is_name(struct slice s);
/* openat2 with RESOLVE_IN_ROOT: links and ".." resolve inside rootfd. flags and mode as open(2), O_CLOEXEC added. fd or -errno. */
int path_open_in_root(int rootfd, const char *path, uint64_t flags, uint32_t mode);
/* Same with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS: leaving is -EXDEV instead of clamped. */
int path_open_beneath(int rootfd, const char *path, uint64_t flags, uint32_t mode);
