/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev/shm of containers with --ipc shareable: a tmpfs in RUN/shm/ID on the
 * host, so that others can have it too, while the container runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "engine/engine_int.h"

struct shm_job { char *dir; int64_t size; };

static int mount_job(void *arg)
{
	struct shm_job *j = arg;
	char options[64];
	fmt_into(options, sizeof options, "mode=1777,size=%lld", (long long)j->size);
	int r = dir_make(AT_FDCWD, j->dir, 0700);
	if (r < 0)
		return r;
	umount2(j->dir, MNT_DETACH);    /* of a run that was cut short */
	return mount("shm", j->dir, "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, options) < 0 ? -errno : 0;
}

static int unmount_job(void *arg)
{
	struct shm_job *j = arg;
	umount2(j->dir, MNT_DETACH);
	return rmdir(j->dir) < 0 && errno != ENOENT ? -errno : 0;
}

static int run_wait(struct container *c, int (*fn)(void *arg))
{
	if (!str_is(c->host->ipc_mode, "shareable"))
		return 0;
	struct shm_job j = { fmt_new("%s/shm/%s", c->engine->config.run, c->id), c->host->shm_size };
	int r = j.dir ? job_wait(fn, &j) : -ENOMEM;
	free(j.dir);
	return r;
}

int shm_mount_wait(struct container *c, struct err *e)
{
	int r = run_wait(c, mount_job);
	return r < 0 ? err_sys(e, r, "mounting /dev/shm of the container") : 0;
}

void shm_unmount_wait(struct container *c)
{
	run_wait(c, unmount_job);
}
