/* SPDX-License-Identifier: Apache-2.0 */
/* Mount options of local volumes, and what their data takes on disk. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "volume/volume_int.h"

static const struct { const char *name; bool clear; unsigned long flag; } flags[] = {
	{ "defaults", false, 0 }, { "rw", true, MS_RDONLY }, { "ro", false, MS_RDONLY }, { "nosuid", false, MS_NOSUID }, { "suid", true, MS_NOSUID },
	{ "nodev", false, MS_NODEV }, { "dev", true, MS_NODEV }, { "noexec", false, MS_NOEXEC }, { "exec", true, MS_NOEXEC },
	{ "sync", false, MS_SYNCHRONOUS }, { "async", true, MS_SYNCHRONOUS }, { "remount", false, MS_REMOUNT }, { "dirsync", false, MS_DIRSYNC },
	{ "mand", false, MS_MANDLOCK }, { "nomand", true, MS_MANDLOCK }, { "atime", true, MS_NOATIME }, { "noatime", false, MS_NOATIME },
	{ "diratime", true, MS_NODIRATIME }, { "nodiratime", false, MS_NODIRATIME }, { "bind", false, MS_BIND }, { "rbind", false, MS_BIND | MS_REC },
	{ "relatime", false, MS_RELATIME }, { "norelatime", true, MS_RELATIME }, { "strictatime", false, MS_STRICTATIME },
	{ "nostrictatime", true, MS_STRICTATIME }, { "silent", false, MS_SILENT }, { "loud", true, MS_SILENT },
	{ "private", false, MS_PRIVATE }, { "rprivate", false, MS_PRIVATE | MS_REC }, { "shared", false, MS_SHARED },
	{ "rshared", false, MS_SHARED | MS_REC }, { "slave", false, MS_SLAVE }, { "rslave", false, MS_SLAVE | MS_REC },
};

unsigned long volume_mount_flags(struct slice o, struct buf *data)
{
	unsigned long f = 0;
	struct slice one;
	while (slice_next(&o, ',', &one)) {
		size_t i = 0;
		while (i < ARRAY_LEN(flags) && !slice_is(one, flags[i].name))
			i++;
		if (i < ARRAY_LEN(flags)) {
			f = flags[i].clear ? f & ~flags[i].flag : f | flags[i].flag;
		} else if (one.len) {
			if (data->len)
				buf_addc(data, ',');
			buf_addslice(data, one);
		}
	}
	return f;
}

int volume_mount_data(const char *type, struct buf *data, struct err *e)
{
	if (strncmp(type, "nfs", 3) && strcmp(type, "cifs"))
		return 0;
	AUTO(buf) struct buf out = BUF_INIT(4096);
	struct slice rest = buf_slice(data), one;
	while (slice_next(&rest, ',', &one)) {
		if (out.len)
			buf_addc(&out, ',');
		if (!slice_starts(one, "addr=")) {
			buf_addslice(&out, one);
			continue;
		}
		char host[256], addr[NI_MAXHOST];
		if (!fmt_into(host, sizeof host, "%.*s", (int)(one.len - 5), one.ptr + 5))
			return err_set(e, EINVAL, "volume option addr is too long");
		struct addrinfo *ai, hints = { .ai_socktype = SOCK_STREAM };
		int r = getaddrinfo(host, NULL, &hints, &ai);
		if (r)
			return err_set(e, EINVAL, "error resolving passed in network volume address: %s", gai_strerror(r));
		r = getnameinfo(ai->ai_addr, ai->ai_addrlen, addr, sizeof addr, NULL, 0, NI_NUMERICHOST);
		freeaddrinfo(ai);
		if (r)
			return err_set(e, EINVAL, "error resolving passed in network volume address: %s", gai_strerror(r));
		buf_addf(&out, "addr=%s", addr);
	}
	buf_reset(data);
	return buf_addslice(data, buf_slice(&out));
}

bool volume_is_mounted(const char *path)
{
	struct stat a, b;
	char *up = fmt_new("%s/..", path);
	bool yes = up && stat(path, &a) == 0 && stat(up, &b) == 0 && a.st_dev != b.st_dev;
	free(up);
	return yes;
}

static int64_t bytes_below(int dirfd, unsigned depth, dev_t dev)
{
	DIR *d = fdopendir(dirfd);
	if (!d) {
		close(dirfd);
		return 0;
	}
	int64_t sum = 0;
	for (struct dirent *de; (de = readdir(d));) {
		struct stat st;
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		if (fstatat(dirfd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != dev)
			continue;
		if (S_ISDIR(st.st_mode) && depth < 512) {
			int fd = openat(dirfd, de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (fd >= 0)
				sum += bytes_below(fd, depth + 1, dev);
		} else if (S_ISREG(st.st_mode)) {
			/* a file with several names counts once: by its share */
			sum += st.st_size / (int64_t)MAX(st.st_nlink, (nlink_t)1);
		} else if (S_ISLNK(st.st_mode)) {
			sum += st.st_size;
		}
	}
	closedir(d);
	return sum;
}

int64_t dir_bytes(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0) {
		close(fd);
		return -1;
	}
	return bytes_below(fd, 0, st.st_dev);
}
