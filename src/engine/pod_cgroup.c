/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control group above a pod's containers. The kubelet makes and removes it;
 * for callers that only name one, what came into being goes again.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "engine/engine_int.h"
#include "engine/pod.h"
#include "sys/cgroup.h"

struct cgroup_job {
	const char *path, *top;
	char missing[512];
};

static bool is_sane(const char *path)
{
	return *path == '/' && path[1] && strlen(path) < 500 && !strstr(path, "..") && !strstr(path, "//") && path[strlen(path) - 1] != '/';
}

static bool exists(const struct sys_cgroup_layout *l, const char *path, size_t n)
{
	char full[1024];
	struct stat st;
	for (unsigned i = 0; i < l->n; i++)
		if (fmt_into(full, sizeof full, "%s%.*s", l->h[i].mount, (int)n, path) && stat(full, &st) == 0)
			return true;
	return false;
}

static int missing_job(void *arg)
{
	struct cgroup_job *j = arg;
	struct sys_cgroup_layout l;
	if (sys_cgroup_layout_read(&l, NULL) < 0)
		return 0;
	for (const char *p = j->path; *p;) {
		const char *slash = strchr(p + 1, '/');
		size_t n = slash ? (size_t)(slash - j->path) : strlen(j->path);
		if (!exists(&l, j->path, n)) {
			fmt_into(j->missing, sizeof j->missing, "%.*s", (int)n, j->path);
			return 0;
		}
		p = j->path + n;
	}
	return 0;
}

const char *pod_cgroup_missing_wait(struct engine *eng, const char *path, struct arena *a)
{
	struct cgroup_job j = { .path = path };
	if (!is_sane(path))
		return "";
	job_wait(missing_job, &j);
	return arena_strdup(a, j.missing);
}

/* From the inside out, as far as they are empty: rmdir refuses the others. */
static int remove_job(void *arg)
{
	struct cgroup_job *j = arg;
	struct sys_cgroup_layout l;
	char full[1024];
	if (sys_cgroup_layout_read(&l, NULL) < 0)
		return 0;
	for (unsigned i = 0; i < l.n; i++)
		for (size_t n = strlen(j->path); n >= strlen(j->top);) {
			if (!fmt_into(full, sizeof full, "%s%.*s", l.h[i].mount, (int)n, j->path) || (rmdir(full) < 0 && errno != ENOENT))
				break;
			while (n && j->path[n - 1] != '/')
				n--;
			if (!n--)
				break;
		}
	return 0;
}

void pod_cgroup_remove_wait(struct engine *eng, const char *path, const char *top)
{
	struct cgroup_job j = { .path = path, .top = top };
	if (is_sane(path) && is_sane(top) && !strncmp(path, top, strlen(top)))
		job_wait(remove_job, &j);
}
