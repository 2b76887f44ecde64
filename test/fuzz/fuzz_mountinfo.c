/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/mountinfo, and mount options one a line. */
#include <stdlib.h>

#include "base/arena.h"
#include "sys/mounts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_n(data, size);
	struct sys_mountinfo m;
	char path[64];
	for (size_t lines = 0; sys_mountinfo_next(&text, &m) > 0; lines++) {
		if (lines > size)
			abort();
		if (sys_mountinfo_path(m.mount_point, path, sizeof path) && strlen(path) >= sizeof path)
			abort();
	}
	struct arena a;
	arena_init(&a, 1 << 22);
	const char *options[64];
	uint32_t n = 0;
	struct slice rest = slice_n(data, size), line;
	while (n < 64 && slice_next(&rest, '\n', &line))
		if ((options[n] = arena_dup(&a, line)))
			n++;
	struct sys_mount_opts *o = arena_new(&a, struct sys_mount_opts);
	if (o && sys_mount_options(options, n, o, NULL) == 0 && strlen(o->data) > SYS_MOUNT_DATA_MAX)
		abort();
	arena_release(&a);
	return 0;
}
