/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CVE-2019-5736: a container's root can open /proc/PID/exe of a process of
 * ours that is about to become the container's, and write to the program on
 * the host. So we run from a detached, read-only mount of the program's file:
 * nothing is copied, the pages stay shared. Where that cannot be made (no
 * CAP_SYS_ADMIN), from a sealed copy in memory.
 */
#include "runtime/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "sys/kernel.h"
#include "sys/mounts.h"

#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_GET_SEALS 1034
#define F_SEAL_SEAL 1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW 4
#define F_SEAL_WRITE 8
#endif
#ifndef ST_RDONLY
#define ST_RDONLY 1
#endif

extern char **environ;

static bool is_protected(int exe)
{
	struct statfs fs;
	int seals = fcntl(exe, F_GET_SEALS);
	return (seals >= 0 && seals & F_SEAL_WRITE) || (fstatfs(exe, &fs) == 0 && fs.f_flags & ST_RDONLY);
}

static int sealed_copy(int exe, struct err *e)
{
	struct stat st;
	AUTO(close) int fd = memfd_create("coracle-runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || fstat(exe, &st) < 0)
		return err_sys(e, errno, "copy the program");
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(fd, exe, NULL, (size_t)left);
		if (n <= 0)
			return err_sys(e, n < 0 ? errno : EIO, "copy the program");
		left -= n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return err_sys(e, errno, "seal the program's copy");
	return take_fd(&fd);
}

int runtime_protect(char **argv, struct err *e)
{
	AUTO(close) int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (exe < 0)
		return err_sys(e, errno, "open the program");
	if (is_protected(exe))
		return 0;
	AUTO(close) int mnt = sys_bind_open(exe, "", false);
	if (mnt >= 0 && sys_mount_setattr(mnt, MOUNT_ATTR_RDONLY, 0, false) == 0) {
		syscall(SYS_execveat, mnt, "", argv, environ, AT_EMPTY_PATH);
	}
	AUTO(close) int copy = sealed_copy(exe, e);
	if (copy < 0)
		return copy;
	syscall(SYS_execveat, copy, "", argv, environ, AT_EMPTY_PATH);
	return err_sys(e, errno, "execute the program's copy");
}
