/* SPDX-License-Identifier: Apache-2.0 */
/* A line with a schedule, then the bytes of a zoneinfo file. Times found lie behind the one asked for. */
#include "base/arena.h"
#include "base/assert.h"
#include "kube/control/cron_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t from[] = { 0, 1772000000, 1794000000, 4102444800 };
	struct slice line, rest;
	struct zone *z = NULL;
	struct arena a;
	struct cron c;
	struct err e;
	if (size > 1 << 14)
		return 0;
	arena_init(&a, 1 << 20);
	slice_cut(slice_n(data, size), '\n', &line, &rest);
	(void)zone_parse(rest, &z);
	for (size_t i = 0; i < 4; i++)
		(void)zone_offset(z, from[i]);
	if (cron_parse(arena_dup(&a, line), &c, &e) == 0)
		for (size_t i = 0; i < 4; i++) {
			int64_t at = cron_next(&c, z, from[i]);
			must(!at || at > from[i]);
		}
	zone_free(z);
	arena_release(&a);
	return 0;
}
