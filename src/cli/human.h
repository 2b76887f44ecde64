/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes, durations, ids and texts in the forms that docker prints them. */
#pragma once
#include <stdint.h>
#include "base/arena.h"

enum { HUMAN_MAX = 48 };
/* "3.072kB" (precision 4), "1.98MB" (3): units of 1000. dst: HUMAN_MAX. */
void human_size(char *dst, double bytes, int precision);
/* "1.953GiB": units of 1024, four digits. */
void human_binary_size(char *dst, double bytes);
/* "2 minutes", "About an hour". */
void human_duration(char *dst, int64_t ns);
/* "2 minutes ago"; "N/A" for the zero time. seconds since the epoch. */
void human_ago(char *dst, int64_t now_ns, int64_t then_ns);
/* 12 digits of an id, without "sha256:". */
const char *human_id(struct arena *a, const char *id);
/* At most `most` characters; a cut text ends in an ellipsis. */
const char *human_cut(struct arena *a, const char *text, size_t most);
/* "2013-01-02T…", seconds or a duration before now -> "seconds.nanoseconds" as the API wants it; NULL without memory,
 * the text itself where it is none of these. */
const char *human_timestamp(struct arena *a, const char *text, int64_t now_ns);
/* Prints a time in local zone like Go's time.String: "2006-01-02 15:04:05 -0700 MST". dst: 64. */
void human_local_time(char *dst, int64_t realtime_ns);
