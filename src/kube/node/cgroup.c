/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroup of a pod, above those of its containers: QoS in the path, the pod's sums as limits. */
#include "kube/node/node_int.h"

#include <errno.h>

#include "sys/cgroup.h"

struct cgroup_job {
	const char *path;
	const char *const *paths;
	unsigned n_paths;
	struct cri_linux_container_resources r;
	struct err e;
};

static void put(const struct sys_cgroup *cg, const char *controller, const char *file, const char *fmt, long long a, long long b)
{
	char text[64];
	fmt_into(text, sizeof text, fmt, a, b);
	sys_cgroup_write(cg, controller, file, text, NULL);      /* a controller may be missing; containers have their own limits */
}

static int make(void *arg)
{
	struct cgroup_job *j = arg;
	struct sys_cgroup_layout l;
	AUTO(sys_cgroup) struct sys_cgroup cg;

	sys_cgroup_init(&cg);
	int r = sys_cgroup_layout_read(&l, &j->e);
	if (r >= 0)
		r = sys_cgroup_make(&cg, &l, j->path, &j->e);
	if (r < 0)
		return r;
	if (l.is_v2) {
		put(&cg, "cpu", "cpu.weight", "%lld", 1 + (MAX(j->r.cpu_shares, 2) - 2) * 9999 / 262142, 0);
		if (j->r.cpu_quota > 0)
			put(&cg, "cpu", "cpu.max", "%lld %lld", j->r.cpu_quota, j->r.cpu_period);
		if (j->r.memory_limit_in_bytes > 0)
			put(&cg, "memory", "memory.max", "%lld", j->r.memory_limit_in_bytes, 0);
		return 0;
	}
	put(&cg, "cpu", "cpu.shares", "%lld", MAX(j->r.cpu_shares, 2), 0);
	if (j->r.cpu_quota > 0) {
		put(&cg, "cpu", "cpu.cfs_period_us", "%lld", j->r.cpu_period, 0);
		put(&cg, "cpu", "cpu.cfs_quota_us", "%lld", j->r.cpu_quota, 0);
	}
	if (j->r.memory_limit_in_bytes > 0)
		put(&cg, "memory", "memory.limit_in_bytes", "%lld", j->r.memory_limit_in_bytes, 0);
	return 0;
}

int cgroup_make_wait(const struct node_settings *set, const struct kube_pod *pod, struct err *e)
{
	struct cgroup_job j = { 0 };
	struct arena a;

	if (set->no_cgroups)
		return 0;
	arena_init(&a, 64 << 10);
	j.path = config_cgroup(set, pod, &a);
	config_pod_resources(pod, &j.r);
	int r = j.path ? job_wait(make, &j) : err_nomem(e);
	arena_release(&a);
	if (r < 0 && j.e.code)
		*e = j.e;
	return r;
}

static int unmake(void *arg)
{
	struct cgroup_job *j = arg;
	struct sys_cgroup_layout l;
	int r = sys_cgroup_layout_read(&l, &j->e);

	for (unsigned i = 0; r >= 0 && i < j->n_paths; i++)
		sys_cgroup_remove(&l, j->paths[i], NULL);
	return r;
}

void cgroup_remove_wait(const struct node_settings *set, const char *uid)
{
	char text[3][512];
	const char *paths[3] = { text[0], text[1], text[2] }, *root = set->cgroup_root ? set->cgroup_root : "/kubepods";
	struct cgroup_job j = { .paths = paths, .n_paths = 3 };

	if (set->no_cgroups)
		return;
	fmt_into(text[0], sizeof text[0], "%s/pod%s", root, uid);
	fmt_into(text[1], sizeof text[1], "%s/burstable/pod%s", root, uid);
	fmt_into(text[2], sizeof text[2], "%s/besteffort/pod%s", root, uid);
	job_wait(unmake, &j);
}
