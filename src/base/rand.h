/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes from the kernel (getrandom). Code that a simulation steps takes its randomness from a seam instead. */
#pragma once
#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *p, size_t n);
uint64_t rand_u64(void);
/* n bytes as 2n lower-case hex digits and a NUL; dst holds 2n + 1. */
void rand_hex(char *dst, size_t n);
