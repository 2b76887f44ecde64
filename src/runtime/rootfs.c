/* SPDX-License-Identifier: Apache-2.0 */
/* The container's root: a bind of it in the new mount namespace, what is mounted on it (mount_spec.c), pivot_root. */
#include "runtime/runtime_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "sys/kernel.h"
#include "sys/mounts.h"
#include "sys/rootpath.h"

static uint64_t propagation_of(const struct oci_spec *s)
{
	const char *p = s->linux ? s->linux->rootfs_propagation : NULL;
	return p && *p ? sys_propagation(p) : 0;
}

int rootfs_mount(struct job *j, int *ret_rootfd, struct err *e)
{
	uint64_t want = propagation_of(j->spec);
	uint64_t first = want & (MS_SHARED | MS_PRIVATE | MS_UNBINDABLE) ? MS_PRIVATE | MS_REC : MS_SLAVE | MS_REC;
	/* shared: what the container mounts may reach the host's peers, so the tree stays shared, but not the root's own parent. */
	if (!(want & MS_SHARED) && mount(NULL, "/", NULL, (unsigned long)first, NULL) < 0)
		return err_sys(e, errno, "make the mounts private to the container");
	AUTO(close) int tree = sys_bind_open(AT_FDCWD, j->rootfs, true);
	if (tree < 0)
		return err_sys(e, tree, "open the root file system %s", j->rootfs);
	AUTO(close) int at = open(j->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return err_sys(e, errno, "open the root file system %s", j->rootfs);
	if (want & MS_SHARED) {
		/* A mount below a shared parent would show up on the host: the parent becomes private first. */
		char dir[4096];
		fmt_into(dir, sizeof dir, "%s", j->rootfs);
		while (mount(NULL, dir, NULL, MS_PRIVATE, NULL) < 0 && errno == EINVAL && strcmp(dir, "/")) {
			char *slash = strrchr(dir, '/');
			slash[slash == dir] = 0;
		}
	}
	/* A peer of the host's would show it our own mounts; what is bound from outside keeps its peers. */
	struct k_mount_attr alone = { .propagation = MS_PRIVATE };
	if (want & MS_SHARED && k_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &alone) < 0)
		return err_sys(e, errno, "make the root file system's mounts private");
	int r = sys_mount_attach(tree, at);
	if (r < 0)
		return err_sys(e, r, "mount the root file system %s", j->rootfs);
	r = mount_all(j, tree, e);
	if (r < 0)
		return r;
	*ret_rootfd = take_fd(&tree);
	return 0;
}

static int pivot(int rootfd, struct err *e)
{
	AUTO(close) int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (old < 0 || fchdir(rootfd) < 0)
		return err_sys(e, errno, "enter the root file system");
	int r = k_pivot_root(".", ".");
	if (r < 0)
		return err_sys(e, r, "pivot_root");
	/* The old root now lies on top of the new one: detach it without telling its peers. */
	if (fchdir(old) < 0 || mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0 || umount2(".", MNT_DETACH) < 0 ||
	    chdir("/") < 0)
		return err_sys(e, errno, "detach the old root");
	return 0;
}

static int move_root(int rootfd, struct err *e)
{
	if (fchdir(rootfd) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return err_sys(e, errno, "move the root file system to /");
	return 0;
}

int rootfs_finish(struct job *j, int rootfd, struct err *e)
{
	int r = masks_make(j, rootfd, e);
	if (r < 0)
		return r;
	if (j->spec->root && j->spec->root->readonly && (r = sys_mount_setattr(rootfd, MOUNT_ATTR_RDONLY, 0, false)) < 0)
		return err_sys(e, r, "make the root file system read-only");
	r = j->no_pivot ? move_root(rootfd, e) : pivot(rootfd, e);
	if (r < 0)
		return r;
	uint64_t want = propagation_of(j->spec);
	if (want && mount(NULL, "/", NULL, (unsigned long)want, NULL) < 0)
		return err_sys(e, errno, "set the root's propagation to %s", j->spec->linux->rootfs_propagation);
	return 0;
}

/* A path that the container must not read: nothing there is no error. */
static int mask(int rootfd, const char *path, int *tmpfs, struct err *e)
{
	AUTO(close) int at = path_open_in_root(rootfd, path, O_PATH, 0);
	struct stat st;
	if (at == -ENOENT || at == -ENOTDIR || at == -EACCES)
		return 0;
	if (at < 0 || fstat(at, &st) < 0)
		return err_sys(e, at < 0 ? at : errno, "mask %s", path);
	int mnt;
	if (!S_ISDIR(st.st_mode)) {
		mnt = sys_bind_open(AT_FDCWD, "/dev/null", false);
	} else if (*tmpfs >= 0) {
		mnt = sys_bind_open(*tmpfs, "", false);
	} else {
		mnt = sys_tmpfs_open("size=0k,mode=755", MOUNT_ATTR_RDONLY);
		*tmpfs = mnt < 0 ? -1 : fcntl(mnt, F_DUPFD_CLOEXEC, 3);
	}
	int r = mnt < 0 ? mnt : sys_mount_attach(mnt, at);
	if (mnt >= 0)
		close(mnt);
	return r < 0 ? err_sys(e, r, "mask %s", path) : 0;
}

static int read_only(int rootfd, const char *path, struct err *e)
{
	AUTO(close) int at = path_open_in_root(rootfd, path, O_PATH, 0);
	if (at == -ENOENT || at == -ENOTDIR || at == -EACCES)
		return 0;
	AUTO(close) int mnt = at < 0 ? at : sys_bind_open(at, "", true);
	int r = mnt < 0 ? mnt : sys_mount_setattr(mnt, MOUNT_ATTR_RDONLY, 0, false);
	if (r >= 0)
		r = sys_mount_attach(mnt, at);
	return r < 0 ? err_sys(e, r, "make %s read-only", path) : 0;
}

int masks_make(struct job *j, int rootfd, struct err *e)
{
	const struct oci_linux *l = j->spec->linux;
	AUTO(close) int tmpfs = -1;
	int r = 0;
	for (uint32_t i = 0; l && r == 0 && i < l->n_readonly_paths; i++)
		r = read_only(rootfd, l->readonly_paths[i], e);
	for (uint32_t i = 0; l && r == 0 && i < l->n_masked_paths; i++)
		r = mask(rootfd, l->masked_paths[i], &tmpfs, e);
	return r;
}
