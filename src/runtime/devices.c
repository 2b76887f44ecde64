/* SPDX-License-Identifier: Apache-2.0 */
/* /dev of a container: the devices of runtime-spec config-linux.md "Default Devices", the specification's own, and links. */
#include "runtime/runtime_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sys/mounts.h"
#include "sys/rootpath.h"

static const struct {
	const char *path;
	unsigned minor, major;
} defaults[] = {
	{ "/dev/null", 3, 1 }, { "/dev/zero", 5, 1 },	 { "/dev/full", 7, 1 },
	{ "/dev/random", 8, 1 }, { "/dev/urandom", 9, 1 }, { "/dev/tty", 0, 5 },
};

/* A user namespace may not make nodes: the host's is bound. */
static int bind_device(int rootfd, const char *path, struct err *e)
{
	AUTO(close) int mnt = sys_bind_open(AT_FDCWD, path, false);
	if (mnt == -ENOENT)
		return 0;
	AUTO(close) int target = mnt < 0 ? -1 : sys_root_make(rootfd, path, false, 0666, e);
	if (mnt >= 0 && target < 0)
		return target;
	int r = mnt < 0 ? mnt : sys_mount_attach(mnt, target);
	return r < 0 ? err_sys(e, r, "bind the device %s", path) : 0;
}

static int make_device(int rootfd, const char *path, mode_t mode, dev_t dev, uid_t uid, gid_t gid, struct err *e)
{
	char name[256];
	struct stat st;
	AUTO(close) int dir = sys_root_parent(rootfd, path, name, e);
	if (dir < 0)
		return dir;
	if (mknodat(dir, name, mode, dev) < 0) {
		if (errno == EPERM)
			return bind_device(rootfd, path, e);
		if (errno != EEXIST)
			return err_sys(e, errno, "make the device %s", path);
		/* The image has something there. The same device is fine, a link or another one is not. */
		if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || ((st.st_mode ^ mode) & S_IFMT) || st.st_rdev != dev) {
			if (unlinkat(dir, name, 0) < 0 && errno == EBUSY)
				return 0; /* the specification mounts something there */
			if (mknodat(dir, name, mode, dev) < 0)
				return err_sys(e, errno, "make the device %s", path);
		}
	}
	if ((uid || gid) && fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "give the device %s its owner", path);
	return 0;
}

static int make_listed(struct job *j, int rootfd, const struct oci_linux_device *d, struct err *e)
{
	mode_t type = !strcmp(d->type, "b") ? S_IFBLK : !strcmp(d->type, "c") || !strcmp(d->type, "u") ? S_IFCHR :
		      !strcmp(d->type, "p") ? S_IFIFO : 0;
	if (!type)
		return err_set(e, EINVAL, "device %s has an unknown type %s", d->path, d->type);
	if (j->in_userns && type != S_IFIFO)
		return bind_device(rootfd, d->path, e);
	mode_t mode = d->file_mode ? *d->file_mode & 07777 : 0666;
	return make_device(rootfd, d->path, type | mode, makedev((unsigned)d->major, (unsigned)d->minor), d->uid ? *d->uid : 0,
			   d->gid ? *d->gid : 0, e);
}

static int make_link(int rootfd, const char *path, const char *to, bool replace, struct err *e)
{
	char name[256];
	AUTO(close) int dir = sys_root_parent(rootfd, path, name, e);
	if (dir < 0)
		return dir;
	if (symlinkat(to, dir, name) == 0)
		return 0;
	if (errno == EEXIST && !replace)
		return 0;
	if (errno == EEXIST && unlinkat(dir, name, 0) == 0 && symlinkat(to, dir, name) == 0)
		return 0;
	return errno == EEXIST || errno == EROFS || errno == EBUSY ? 0 : err_sys(e, errno, "link %s to %s", path, to);
}

int devices_make(struct job *j, int rootfd, struct err *e)
{
	const struct oci_linux *l = j->spec->linux;
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(defaults); i++)
		r = j->in_userns ? bind_device(rootfd, defaults[i].path, e) :
				   make_device(rootfd, defaults[i].path, S_IFCHR | 0666, makedev(defaults[i].major, defaults[i].minor), 0, 0, e);
	for (uint32_t i = 0; l && r == 0 && i < l->n_devices; i++)
		r = make_listed(j, rootfd, &l->devices[i], e);
	if (r == 0)
		r = make_link(rootfd, "/dev/fd", "/proc/self/fd", false, e);
	if (r == 0)
		r = make_link(rootfd, "/dev/stdin", "/proc/self/fd/0", false, e);
	if (r == 0)
		r = make_link(rootfd, "/dev/stdout", "/proc/self/fd/1", false, e);
	if (r == 0)
		r = make_link(rootfd, "/dev/stderr", "/proc/self/fd/2", false, e);
	if (r == 0 && access("/proc/kcore", F_OK) == 0)
		r = make_link(rootfd, "/dev/core", "/proc/kcore", false, e);
	if (r == 0)
		r = make_link(rootfd, "/dev/ptmx", "pts/ptmx", true, e);
	return r;
}
