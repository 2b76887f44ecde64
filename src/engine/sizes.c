/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes on disk of what containers wrote. */
#include "engine/engine_int.h"

struct size_job { const char *path; int64_t bytes; };

static int size_job(void *arg)
{
	struct size_job *j = arg;
	j->bytes = dir_bytes(j->path);
	return 0;
}

int64_t container_size_wait(struct container *c)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 16);
	struct size_job j = { arena_fmt(&a, "%s/upper", container_dir(c, &a)), -1 };
	if (j.path)
		job_wait(size_job, &j);
	return j.bytes;
}
