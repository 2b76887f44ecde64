/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's own world: session, control group, mount namespace, root file system, log. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "schema/schema.h"
#include "shim/shim_int.h"
#include "sys/cgroup.h"
#include "sys/kernel.h"
#include "sys/mounts.h"
#include "sys/overlay.h"

enum { CONFIG_MAX = 4 << 20 };

int setup_config(struct shim *s, const char *bundle, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(CONFIG_MAX);
	AUTO(free) char *path = fmt_new("%s/shim.json", bundle);
	struct shim_config *c = arena_new(&s->arena, struct shim_config);
	if (!path || !c)
		return err_nomem(e);
	int r = file_read(AT_FDCWD, path, &text);
	if (r < 0)
		return err_sys(e, r, "read %s", path);
	if ((r = schema_from_json(T_shim_config, buf_slice(&text), SCHEMA_STRICT, &s->arena, c, e)) < 0)
		return err_prefix(e, "%s", path);
	s->bundle = arena_strdup(&s->arena, bundle);
	if (!s->bundle)
		return err_nomem(e);
	if (!c->id || !c->state_root || !c->exit_file)
		return err_set(e, EINVAL, "%s: id, state_root and exit_file must be there", path);
	const char *m = c->cgroup_manager ? c->cgroup_manager : "";
	s->cgroup_manager = !strcmp(m, "systemd") ? RUNTIME_SYSTEMD : !strcmp(m, "none") ? RUNTIME_NO_CGROUPS : RUNTIME_CGROUPFS;
	s->backend = c->runtime && *c->runtime ? &backend_other : &backend_own;
	s->config = c;
	return 0;
}

static int join_cgroup(const char *path, struct err *e)
{
	struct sys_cgroup_layout layout;
	struct sys_cgroup cg;
	int fds[SYS_CGROUP_MAX], r = sys_cgroup_layout_read(&layout, e);
	if (r < 0)
		return r;
	sys_cgroup_init(&cg);
	if ((r = sys_cgroup_make(&cg, &layout, path, e)) == 0 && (r = sys_cgroup_join_open(&cg, fds, e)) >= 0) {
		int n = r;
		r = sys_cgroup_join(fds, n, e);
		while (n > 0)
			close(fds[--n]);
	}
	sys_cgroup_release(&cg);
	return r;
}

static int mount_rootfs(struct shim *s, struct err *e)
{
	const struct shim_rootfs *f = s->config->rootfs;
	AUTO(free) char *at = fmt_new("%s/rootfs", s->bundle);
	if (!at)
		return err_nomem(e);
	if (mkdir(at, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "create %s", at);
	AUTO(close) int m = sys_overlay_open((const char *const *)f->lower, f->n_lower, f->upper, f->work, e);
	if (m < 0)
		return m;
	AUTO(close) int dir = open(at, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = dir < 0 ? -errno : sys_mount_attach(m, dir);
	if (r < 0)
		return err_sys(e, r, "mount the root file system on %s", at);
	s->is_mounted = true;
	return 0;
}

int setup_world(struct shim *s, struct err *e)
{
	const struct shim_config *c = s->config;
	int r = c->cgroup ? join_cgroup(c->cgroup, e) : 0;
	if (r < 0)
		return r;
	if (!c->shared_mounts) {
		/* what is mounted here ends with this process, however it ends */
		if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
			return err_sys(e, errno, "make a mount namespace");
	}
	if (c->rootfs && (r = mount_rootfs(s, e)) < 0)
		return r;
	return log_open(&s->log, &c->log, e);
}

void setup_undo(struct shim *s)
{
	if (!s->is_mounted)
		return;
	AUTO(free) char *at = fmt_new("%s/rootfs", s->bundle);
	if (at)
		umount2(at, MNT_DETACH);
	s->is_mounted = false;
}
