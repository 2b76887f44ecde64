/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cron schedules: five fields ("*\/5 0 1,15 * MON-FRI"), names of months and
 * days, "@hourly" and its like, "@every 90s". Time zones by the system's
 * zoneinfo files (TZif, RFC 8536).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

struct zone;
/* NULL or "": UTC. -ENOENT for an unknown name. Blocking, small. */
int zone_load(const char *name, struct zone **ret);
/* A zoneinfo file's bytes; -EBADMSG. */
int zone_parse(struct slice file, struct zone **ret);
void zone_free(struct zone *z);
static inline void auto_zone(struct zone **z) { zone_free(*z); }
/* Seconds east of UTC at a time in seconds since the epoch. */
int32_t zone_offset(const struct zone *z, int64_t at_s);

struct cron {
	uint64_t minute;                /* bits */
	uint32_t hour, day, month, weekday;
	bool any_day, any_weekday;      /* written as * or ? */
	int64_t every_s;                /* "@every": then nothing else counts */
};
/* -EINVAL with what is wrong. */
int cron_parse(const char *text, struct cron *ret, struct err *e);
/* The first time behind after_s (seconds since the epoch); 0 when there is none within five years. */
int64_t cron_next(const struct cron *c, const struct zone *z, int64_t after_s);
