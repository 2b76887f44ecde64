/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times are int64_t nanoseconds, since the epoch (realtime) or since boot
 * (monotonic); durations likewise. Text forms are RFC 3339 and Go's durations,
 * as both APIs use. Code on a loop asks its loop for the time, not the kernel.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"

#define NS_PER_US 1000LL
#define NS_PER_MS 1000000LL
#define NS_PER_S 1000000000LL

int64_t clock_realtime_ns(void);
int64_t clock_monotonic_ns(void);

#define CLOCK_TEXT_MAX 40
/* "2026-11-25T03:25:34.123456789Z": as many decimals as needed (0..9), UTC, like Go's RFC3339Nano. dst: CLOCK_TEXT_MAX. */
void clock_rfc3339_nano(char *dst, int64_t realtime_ns);
/* Without decimals, as Kubernetes prints. */
void clock_rfc3339(char *dst, int64_t realtime_ns);
/* Always nine decimals, as log timestamps. */
void clock_rfc3339_fixed(char *dst, int64_t realtime_ns);
/* Parses RFC 3339 with any number of decimals and any offset. 0 or -EINVAL; years 1..9999 (year 1 = Go's zero time saturates to INT64_MIN). */
int clock_parse_rfc3339(struct slice s, int64_t *ret_ns);
/* Go's zero time as text. */
#define CLOCK_ZERO_TEXT "0001-01-01T00:00:00Z"

/* Go's time.ParseDuration: "1h2m3.5s", "300ms", "-1us"; "0". 0 or -EINVAL (also on overflow). */
int duration_parse(struct slice s, int64_t *ret_ns);
/* Go's Duration.String: "1h2m3.5s", "0s". dst: 32. */
void duration_format(char *dst, int64_t ns);

/* Days since 1970-01-01 of a Gregorian date and back; month 1..12. */
int64_t date_to_days(int64_t year, int month, int day);
void date_from_days(int64_t days, int64_t *year, int *month, int *day);
