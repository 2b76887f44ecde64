/* SPDX-License-Identifier: Apache-2.0 */
#include "main/node_cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "kube/proxy/names.h"
#include "kube/proxy/proxy.h"
#include "sys/mounts.h"

/* The last one that was mounted first, until none is left. */
static int unmount_below(const char *folder, struct err *e)
{
	size_t n = strlen(folder);
	for (int rounds = 0; rounds < 4096; rounds++) {
		struct buf text AUTO(buf) = BUF_INIT(64 << 20);
		struct sys_mountinfo m;
		char path[4096], last[4096] = "";
		int r = file_read(AT_FDCWD, "/proc/self/mountinfo", &text);
		if (r < 0)
			return err_sys(e, -r, "read /proc/self/mountinfo");
		struct slice rest = buf_slice(&text);
		while (sys_mountinfo_next(&rest, &m) > 0)
			if (sys_mountinfo_path(m.mount_point, path, sizeof path) && !strncmp(path, folder, n) && path[n] == '/')
				fmt_into(last, sizeof last, "%s", path);
		if (!*last)
			return 0;
		if (umount2(last, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			return err_sys(e, errno, "unmount %s", last);
	}
	return 0;
}

/* Empty control groups, the deepest first; what still has a process stays. */
static void remove_groups(const char *path, unsigned depth)
{
	char below[4096];
	DIR *d = depth < 16 ? opendir(path) : NULL;
	for (struct dirent *x; d && (x = readdir(d));)
		if (x->d_type == DT_DIR && x->d_name[0] != '.' && fmt_into(below, sizeof below, "%s/%s", path, x->d_name))
			remove_groups(below, depth + 1);
	if (d)
		closedir(d);
	rmdir(path);
}

static void remove_pod_groups(const char *root)
{
	char path[4096];
	DIR *d = opendir("/sys/fs/cgroup");
	if (fmt_into(path, sizeof path, "/sys/fs/cgroup%s", root) && access(path, F_OK) == 0)
		remove_groups(path, 0); /* version 2 */
	for (struct dirent *x; d && (x = readdir(d));)
		if (x->d_name[0] != '.' && fmt_into(path, sizeof path, "/sys/fs/cgroup/%s%s", x->d_name, root) && access(path, F_OK) == 0)
			remove_groups(path, 0);
	if (d)
		closedir(d);
}

int node_cleanup(const char *pods, const char *cgroup_root, const char *table, const char *dns_link, struct err *e)
{
	struct err other = { 0 };
	int r = unmount_below(pods, e);
	int q = proxy_down(table, r < 0 ? &other : e);
	r = r < 0 ? r : q;
	remove_pod_groups(cgroup_root);
	q = names_down(dns_link, r < 0 ? &other : e);
	return r < 0 ? r : q;
}
