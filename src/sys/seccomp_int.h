/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

/* Columns of the table; the build's own family is what filters are made for. */
enum seccomp_column { COL_X86_64, COL_X86, COL_X32, COL_AARCH64, COL_COUNT };
struct seccomp_syscall {
	const char *name;
	int16_t nr[COL_COUNT];
};
extern const struct seccomp_syscall seccomp_syscalls[];
extern const unsigned seccomp_n_syscalls;
