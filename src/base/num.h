/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers from text, with bounds; and numbers for people. */
#pragma once
#include <stdint.h>
#include "base/buf.h"

/* The whole slice must be the number, without sign games or spaces. 0, -EINVAL (not a number) or -ERANGE. */
int num_parse_i64(struct slice s, int64_t min, int64_t max, int64_t *ret);
int num_parse_u64(struct slice s, uint64_t max, uint64_t *ret);
/* base 8 or 16, no prefix. */
int num_parse_base(struct slice s, int base, uint64_t max, uint64_t *ret);
/* A decimal fraction like "1.5" as ten-to-the-minus-9 units ("0.2" gives 200000000), as --cpus wants it. */
int num_parse_nano(struct slice s, int64_t *ret);
/* "64m", "1.5GiB", "100kb", "12": binary units (1k = 1024), as docker's memory flags. 0 or -EINVAL/-ERANGE. */
int num_parse_bytes(struct slice s, int64_t *ret);
/* Three or four significant digits, units of 1000 ("1.98MB", "3.072kB", "0B"); dst: 16. */
void num_human_size(char *dst, double bytes);
/* Four significant digits, units of 1024 ("1.953GiB", "64MiB"); dst: 16. */
void num_human_bytes(char *dst, double bytes);
