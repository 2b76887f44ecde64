/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "kube/kind/check_pod.h"

/* A schedule of five fields or a descriptor; what is wrong is appended. */
bool cron_is_valid(const char *schedule, struct buf *why);
/* A number that is not negative, or a percentage of at most 100. */
void check_int_or_percent(struct check *c, const char *field, const struct schema_int_or_string *v, bool at_most_100);
