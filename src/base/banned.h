/* SPDX-License-Identifier: Apache-2.0 */
/* Included before every file (-include): functions that do not compile here, with what to use instead. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define strcpy(a, b) banned_use_fmt_into_or_buf
#define strcat(a, b) banned_use_buf
#define strncpy(a, b, c) banned_use_fmt_into
#define strncat(a, b, c) banned_use_buf
#undef sprintf
#define sprintf(...) banned_use_fmt_into
#undef vsprintf
#define vsprintf(...) banned_use_buf_addfv
#define strtok(a, b) banned_use_slice_next
#define atoi(a) banned_use_num_parse_i64
#define atol(a) banned_use_num_parse_i64
#define atoll(a) banned_use_num_parse_i64
#define localtime(a) banned_use_localtime_r
#define gmtime(a) banned_use_clock_rfc3339
#define ctime(a) banned_use_clock_rfc3339
#define system(a) banned_spawn_an_executable
#define gets(a) banned_use_fd_slurp
