/* SPDX-License-Identifier: Apache-2.0 */
/* A mount of type "cgroup": v2 as one file system; v1 as a tmpfs with one folder a hierarchy, as on a host. */
#include "runtime/runtime_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "sys/kernel.h"
#include "sys/mounts.h"
#include "sys/rootpath.h"

/* What the container's own cgroup shows of a hierarchy. */
static int bind_own(struct job *j, const struct sys_cgroup_hierarchy *h, int target)
{
	char path[4300];
	if (!fmt_into(path, sizeof path, "%s/%s", h->mount, j->cgroup ? j->cgroup : ""))
		return -ENAMETOOLONG;
	AUTO(close) int mnt = sys_bind_open(AT_FDCWD, path, false);
	int r = mnt < 0 ? mnt : sys_mount_setattr(mnt, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0, false);
	return r < 0 ? r : sys_mount_attach(mnt, target);
}

static bool own_namespace(const struct job *j)
{
	return spec_namespace(j->spec, "cgroup") != NULL;
}

static int mount_v2(struct job *j, int target, const struct oci_mount *m, unsigned long flags, struct err *e)
{
	int r = -EPERM;
	if (own_namespace(j))
		r = sys_mount_fs("cgroup", target, "cgroup2", flags, NULL, e);
	if (r == -EPERM || r == -EBUSY)
		r = j->layout ? bind_own(j, &j->layout->h[0], target) : -EOPNOTSUPP;
	return r < 0 ? err_sys(e, r, "mount cgroup on %s", m->destination) : 0;
}

static int mount_hierarchy(struct job *j, int dir, const struct sys_cgroup_hierarchy *h, unsigned long flags, struct err *e)
{
	const char *name = path_base(h->mount);
	if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "make the folder of cgroup %s", name);
	AUTO(close) int target = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = target < 0 ? -errno : -EPERM;
	if (target >= 0 && own_namespace(j)) {
		char data[80];
		bool named = !strncmp(h->names, "name=", 5);
		fmt_into(data, sizeof data, "%s%s", named ? "none," : "", h->names);
		r = sys_mount_fs("cgroup", target, "cgroup", flags & ~(unsigned long)MS_RDONLY, data, NULL);
	}
	if (target >= 0 && r < 0)
		r = bind_own(j, h, target);
	if (r == 0 && flags & MS_RDONLY) {
		AUTO(close) int mnt = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = mnt < 0 ? -errno : sys_mount_setattr(mnt, MOUNT_ATTR_RDONLY, 0, false);
	}
	if (r == -ENOENT)
		return 0; /* a hierarchy that the container has no folder in */
	if (r < 0)
		return err_sys(e, r, "mount cgroup %s", name);
	/* "cpu,cpuacct" is found under each name */
	struct slice rest = slice_of(h->names), one;
	while (strchr(h->names, ',') && slice_next(&rest, ',', &one)) {
		char link[64];
		if (fmt_into(link, sizeof link, "%.*s", SLICE_FMT(one)) && strcmp(link, name))
			(void)!symlinkat(name, dir, link);
	}
	return 0;
}

int mount_cgroup(struct job *j, int rootfd, const struct oci_mount *m, struct err *e)
{
	struct sys_mount_opts *o = arena_new(j->arena, struct sys_mount_opts);
	struct sys_cgroup_layout *l = j->layout;
	if (!o)
		return err_nomem(e);
	int r = sys_mount_options(m->options, m->n_options, o, e);
	if (r < 0 || (r = init_enter_cgroup(j, e)) < 0)
		return r;
	if (!l) {
		l = arena_new(j->arena, struct sys_cgroup_layout);
		if (!l)
			return err_nomem(e);
		if ((r = sys_cgroup_layout_read(l, e)) < 0)
			return r;
		j->layout = l;
	}
	AUTO(close) int target = sys_root_make(rootfd, m->destination, true, 0755, e);
	if (target < 0)
		return target;
	if (l->is_v2)
		return mount_v2(j, target, m, o->flags, e);
	AUTO(close) int dir = sys_tmpfs_open("mode=755", sys_mount_attrs(o->flags) & ~(uint64_t)MOUNT_ATTR_RDONLY);
	if (dir < 0 || (r = sys_mount_attach(dir, target)) < 0)
		return err_sys(e, dir < 0 ? dir : r, "mount cgroup on %s", m->destination);
	for (unsigned i = 0; r == 0 && i < l->n; i++)
		r = mount_hierarchy(j, dir, &l->h[i], o->flags, e);
	if (r == 0 && o->flags & MS_RDONLY && (r = sys_mount_setattr(dir, MOUNT_ATTR_RDONLY, 0, false)) < 0)
		err_sys(e, r, "make %s read-only", m->destination);
	return r;
}
