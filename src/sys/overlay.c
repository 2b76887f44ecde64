/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/overlay.h"

#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/fd.h"
#include "sys/kernel.h"
#include "sys/mounts.h"

enum { LOWER_MAX = 500 };

/* What the kernel logged into the context's descriptor says more than errno. */
static int refused(int ctx, int code, const char *what, struct err *e)
{
	char line[256];
	ssize_t n = read(ctx, line, sizeof line - 1);
	if (n <= 2)
		return err_sys(e, code, "mount overlay: %s", what);
	while (n && line[n - 1] == '\n')
		n--;
	line[n] = 0;
	return err_sys(e, code, "mount overlay: %s: %s", what, line + 2);
}

static int set(int ctx, const char *key, const char *value)
{
	return k_fsconfig(ctx, FSCONFIG_SET_STRING, key, value, 0);
}

/*
 * Before Linux 6.5 overlay has no context of its own: any option is taken as text and refused when the mount is made, and a text
 * ends at 256 bytes. The old call takes a page, so layers go in as short descriptor paths.
 */
static int open_old(const char *const *lower, size_t n, const char *upper, const char *work, struct err *e)
{
	AUTO(buf) struct buf opt = BUF_INIT(4095);
	int fds[LOWER_MAX], r = 0;
	size_t n_fds = 0;
	buf_adds(&opt, "index=off,redirect_dir=off,metacopy=off,lowerdir=");
	for (size_t i = 0; i < n && r == 0; i++) {
		int fd = open(lower[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			r = err_sys(e, errno, "open layer %s", lower[i]);
		else
			buf_addf(&opt, "%s/proc/self/fd/%d", i ? ":" : "", fds[n_fds++] = fd);
	}
	if (upper)
		buf_addf(&opt, ",upperdir=%s,workdir=%s", upper, work);
	if (r == 0 && buf_error(&opt) < 0)
		r = err_set(e, E2BIG, "mount overlay: too many layers for this kernel");
	/* attached for an instant on "/proc", in whatever mount namespace this is: the caller has a private one */
	if (r == 0 && mount("overlay", "/proc", "overlay", upper ? 0 : MS_RDONLY, opt.ptr) < 0)
		r = err_sys(e, errno, "mount overlay");
	if (r == 0) {
		r = k_open_tree(AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		umount2("/proc", MNT_DETACH);
		if (r < 0)
			r = err_sys(e, r, "mount overlay");
	}
	while (n_fds)
		close(fds[--n_fds]);
	return r;
}

/* Whether overlay here takes options one by one: a context that does refuses one that no kernel has. */
static bool is_old(const char *folder)
{
	AUTO(close) int probe = k_fsopen("overlay", FSOPEN_CLOEXEC);
	return probe < 0 || set(probe, "coracle_no_such_option", "1") == 0 || set(probe, "lowerdir+", folder) < 0;
}

/* An overlay must have two folders; one alone is shown as it is. */
static int alone(const char *lower, struct err *e)
{
	AUTO(close) int fd = sys_bind_open(AT_FDCWD, lower, false);
	int r = fd < 0 ? fd : sys_mount_setattr(fd, MOUNT_ATTR_RDONLY, 0, false);
	return r < 0 ? err_sys(e, r, "open layer %s", lower) : take_fd(&fd);
}

int sys_overlay_open(const char *const *lower, size_t n, const char *upper, const char *work, struct err *e)
{
	if (n == 0 || n > LOWER_MAX)
		return err_set(e, EINVAL, "mount overlay: %zu layers, 1 to %d are possible", n, LOWER_MAX);
	if (n == 1 && !upper)
		return alone(lower[0], e);
	AUTO(close) int ctx = k_fsopen("overlay", FSOPEN_CLOEXEC);
	if (ctx < 0)
		return ctx == -ENOSYS ? open_old(lower, n, upper, work, e) : err_sys(e, ctx, "mount overlay");
	/* options an old kernel does not know are no loss */
	set(ctx, "index", "off");
	set(ctx, "redirect_dir", "off");
	set(ctx, "metacopy", "off");
	set(ctx, "source", "overlay");
	int r = 0;
	const char *at = lower[0];
	for (size_t i = 0; i < n && r == 0; i++)
		r = set(ctx, "lowerdir+", at = lower[i]);
	if (r == 0 && upper) {
		at = upper;
		if ((r = set(ctx, "upperdir", upper)) == 0)
			r = set(ctx, "workdir", work);
	}
	if (r == 0)
		r = k_fsconfig(ctx, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	/* an old kernel says EINVAL to all of it; a new one, to a real mistake, which the old way then names once more */
	if (r == -EINVAL && is_old(lower[0]))
		return open_old(lower, n, upper, work, e);
	if (r < 0)
		return refused(ctx, r, at, e);
	int fd = k_fsmount(ctx, FSMOUNT_CLOEXEC, upper ? 0 : MOUNT_ATTR_RDONLY);
	return fd < 0 ? err_sys(e, fd, "mount overlay") : fd;
}
