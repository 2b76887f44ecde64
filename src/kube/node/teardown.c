/* SPDX-License-Identifier: Apache-2.0 */
/* Taking away what a pod had on this machine: mounts, folders, logs and the links to them. */
#include "kube/node/node_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "sys/mounts.h"

struct teardown_job { const char *pod_dir; bool all; struct err e; };

/* Everything mounted at or below the folder, the last mounted first. */
static void unmount_below(const char *dir)
{
	AUTO(buf) struct buf text = BUF_INIT(16 << 20);
	size_t len = strlen(dir);

	for (int round = 0; round < 200; round++) {
		char last[4096] = "", path[4096];
		struct slice rest;
		struct sys_mountinfo m;
		buf_reset(&text);
		if (file_read(AT_FDCWD, "/proc/self/mountinfo", &text) < 0)
			return;
		rest = buf_slice(&text);
		while (sys_mountinfo_next(&rest, &m) > 0)
			if (sys_mountinfo_path(m.mount_point, path, sizeof path) && !strncmp(path, dir, len) && (path[len] == '/' || !path[len]))
				fmt_into(last, sizeof last, "%s", path);
		if (!*last || umount2(last, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			return;
	}
}

static int tear_down(void *arg)
{
	struct teardown_job *j = arg;
	char path[4096];
	static const char *const parts[] = { "volumes", "volume-subpaths" };
	int r = 0;

	unmount_below(j->pod_dir);
	if (j->all)
		return dir_remove(AT_FDCWD, j->pod_dir, &j->e);
	for (size_t i = 0; i < ARRAY_LEN(parts) && r == 0; i++) {
		fmt_into(path, sizeof path, "%s/%s", j->pod_dir, parts[i]);
		r = dir_remove(AT_FDCWD, path, &j->e);
	}
	return r;
}

int volumes_teardown_wait(const struct node_settings *set, const char *uid, bool all, struct err *e)
{
	char dir[4096];
	struct teardown_job j = { .pod_dir = dir, .all = all };

	if (!path_is_name(slice_of(uid)))
		return err_set(e, EINVAL, "%s is no uid", uid);
	fmt_into(dir, sizeof dir, "%s/%s", set->pods_dir, uid);
	int r = job_wait(tear_down, &j);
	if (r < 0 && j.e.code)
		*e = j.e;
	return r;
}

static int remove_folder(void *arg)
{
	struct teardown_job *j = arg;
	return dir_remove(AT_FDCWD, j->pod_dir, &j->e);
}

int logs_remove_wait(const struct node_settings *set, const char *ns, const char *name, const char *uid, struct err *e)
{
	struct arena a;
	struct teardown_job j = { 0 };

	arena_init(&a, 64 << 10);
	j.pod_dir = pod_log_dir(set, ns, name, uid, &a);
	int r = job_wait(remove_folder, &j);
	if (r < 0 && j.e.code)
		*e = j.e;
	arena_release(&a);
	return r;
}

/* --- links to logs ------------------------------------------------------------------------------------------- */

#define LINKS "/var/log/containers"
struct link_job { const char *path, *to; };

static int make_link(void *arg)
{
	struct link_job *j = arg;
	int r = dir_make(AT_FDCWD, LINKS, 0755);
	return r < 0 ? r : symlink(j->to, j->path) < 0 && errno != EEXIST ? -errno : 0;
}

void log_link_wait(const struct node_settings *set, const struct kube_pod *pod, const char *container, uint32_t attempt, const char *id)
{
	struct arena a;

	if (strcmp(set->logs_dir, "/var/log/pods"))
		return;
	arena_init(&a, 64 << 10);
	struct link_job j = { .path = arena_fmt(&a, LINKS "/%s_%s_%s-%s.log", pod->metadata.name, pod->metadata.namespace, container, id),
		.to = container_log_path(set, pod, container, attempt, &a) };
	if (j.path && j.to)
		job_wait(make_link, &j);
	arena_release(&a);
}

static int clean_links(void *arg)
{
	DIR *d = opendir(LINKS);
	struct dirent *x;
	struct stat st;

	while (d && (x = readdir(d)))
		if (slice_ends(slice_of(x->d_name), ".log") && fstatat(dirfd(d), x->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) &&
			fstatat(dirfd(d), x->d_name, &st, 0) < 0 && errno == ENOENT)
			unlinkat(dirfd(d), x->d_name, 0);
	if (d)
		closedir(d);
	return 0;
}

void log_links_clean_wait(const struct node_settings *set)
{
	if (!strcmp(set->logs_dir, "/var/log/pods"))
		job_wait(clean_links, NULL);
}
