/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the containers of a pod share and no process keeps: UTS and IPC
 * namespaces as bind mounts, /dev/shm as a tmpfs, in RUN/pods/ID. A worker
 * thread goes into new namespaces, furnishes them, binds them and comes back.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/fd.h"
#include "base/path.h"
#include "engine/engine_int.h"
#include "engine/pod.h"

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif

const char *pod_share_path(struct engine *eng, const char *id, const char *what, struct arena *a)
{
	return arena_fmt(a, "%s/pods/%s%s%s", eng->config.run, id, *what ? "/" : "", what);
}

struct share_job {
	const struct pod_share *s;
	const char *dir, *uts, *ipc, *shm;
	struct err e;
};

static void unmount(const char *path)
{
	while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		;
}

static int remove_job(void *arg)
{
	struct share_job *j = arg;
	unmount(j->uts);
	unmount(j->ipc);
	unmount(j->shm);
	return dir_remove(AT_FDCWD, j->dir, NULL);
}

/* "kernel.shmmax" or "fs.mqueue.msg_max" into this thread's namespaces. */
static int sysctl_put(int sys, const struct schema_pair *p, struct err *e)
{
	static const char *const ours[] = { "kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.", "kernel.domainname" };
	char path[256];
	bool known = false;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		known = known || !strncmp(p->key, ours[i], strlen(ours[i]));
	if (!known || strchr(p->key, '/') || strstr(p->key, "..") || !fmt_into(path, sizeof path, "%s", p->key))
		return err_set(e, EINVAL, "sysctl \"%s\" is not in a namespace of the pod", p->key);
	for (char *c = path; *c; c++)
		*c = *c == '.' ? '/' : *c;
	int r = file_poke(sys, path, p->value);
	return r < 0 ? err_sys(e, r, "set sysctl %s=%s", p->key, p->value) : 0;
}

static int bind_here(const char *what, const char *path, struct err *e)
{
	char from[64];
	AUTO(close) int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	fmt_into(from, sizeof from, "/proc/thread-self/ns/%s", what);
	if (fd < 0 || mount(from, path, NULL, MS_BIND, NULL) < 0)
		return err_sys(e, errno, "bind a namespace to %s", path);
	return 0;
}

static int furnish(struct share_job *j)
{
	const struct pod_share *s = j->s;
	AUTO(close) int sys = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = 0;
	if (s->hostname && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return err_sys(&j->e, errno, "set host name %s", s->hostname);
	for (uint32_t i = 0; r == 0 && i < s->n_sysctls; i++)
		if (strncmp(s->sysctls[i].key, "net.", 4))
			r = sysctl_put(sys, &s->sysctls[i], &j->e);
	if (r == 0 && s->hostname)
		r = bind_here("uts", j->uts, &j->e);
	if (r == 0 && s->ipc)
		r = bind_here("ipc", j->ipc, &j->e);
	return r;
}

static int namespaces(struct share_job *j)
{
	const struct pod_share *s = j->s;
	int flags = (s->hostname ? CLONE_NEWUTS : 0) | (s->ipc ? CLONE_NEWIPC : 0);
	if (!flags)
		return s->n_sysctls ? furnish(j) : 0;
	AUTO(close) int uts = open("/proc/thread-self/ns/uts", O_RDONLY | O_CLOEXEC);
	AUTO(close) int ipc = open("/proc/thread-self/ns/ipc", O_RDONLY | O_CLOEXEC);
	if (uts < 0 || ipc < 0)
		return err_sys(&j->e, errno, "open the host's namespaces");
	if (unshare(flags) < 0)
		return err_sys(&j->e, errno, "make namespaces of a pod");
	int r = furnish(j);
	/* the thread serves others next */
	must(setns(uts, CLONE_NEWUTS) == 0 && setns(ipc, CLONE_NEWIPC) == 0);
	return r;
}

static int open_job(void *arg)
{
	struct share_job *j = arg;
	char options[64];
	remove_job(j);
	int r = dir_make(AT_FDCWD, j->dir, 0711);
	if (r < 0)
		return err_sys(&j->e, r, "making %s", j->dir);
	r = namespaces(j);
	if (r == 0 && j->s->ipc) {
		fmt_into(options, sizeof options, "mode=1777,size=%lld", (long long)(j->s->shm_bytes ? j->s->shm_bytes : 64 << 20));
		if ((mkdir(j->shm, 0700) < 0 && errno != EEXIST) || mount("shm", j->shm, "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, options) < 0)
			r = err_sys(&j->e, errno, "mounting /dev/shm of a pod");
	}
	if (r < 0)
		remove_job(j);
	return r;
}

static int job_init(struct engine *eng, const char *id, struct share_job *j, struct arena *a)
{
	j->dir = pod_share_path(eng, id, "", a);
	j->uts = pod_share_path(eng, id, "uts", a);
	j->ipc = pod_share_path(eng, id, "ipc", a);
	j->shm = pod_share_path(eng, id, "shm", a);
	return path_is_name(slice_of(id)) && j->dir && j->uts && j->ipc && j->shm ? 0 : -ENOMEM;
}

int pod_share_open_wait(struct engine *eng, const struct pod_share *s, struct err *e)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 16);
	struct share_job j = { .s = s };
	int r = job_init(eng, s->id, &j, &a);
	if (r < 0)
		return err_nomem(e);
	r = job_wait(open_job, &j);
	return r < 0 ? err_set(e, r, "%s", j.e.text) : 0;
}

void pod_share_close_wait(struct engine *eng, const char *id)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 16);
	struct share_job j = { 0 };
	if (job_init(eng, id, &j, &a) == 0)
		job_wait(remove_job, &j);
}

static bool is_namespace(const char *path)
{
	struct statfs s;
	return path && statfs(path, &s) == 0 && s.f_type == NSFS_MAGIC;
}

bool pod_share_is(struct engine *eng, const struct pod_share *s)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 16);
	if (s->hostname && !is_namespace(pod_share_path(eng, s->id, "uts", &a)))
		return false;
	return !s->ipc || is_namespace(pod_share_path(eng, s->id, "ipc", &a));
}

int pod_share_list(struct engine *eng, struct arena *a, const char ***ret, uint32_t *n)
{
	const char *dir = arena_fmt(a, "%s/pods", eng->config.run);
	DIR *d = dir ? opendir(dir) : NULL;
	int r = 0;
	*ret = NULL;
	*n = 0;
	for (struct dirent *x; d && r == 0 && (x = readdir(d));)
		if (x->d_name[0] != '.')
			r = strings_push(a, ret, n, arena_strdup(a, x->d_name));
	if (d)
		closedir(d);
	return r;
}
