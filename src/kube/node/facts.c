/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine is: from /proc, /sys and a few files. Blocking, small. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "kube/node/register.h"

static void line_of(const char *path, char *dst, size_t size)
{
	AUTO(buf) struct buf b = BUF_INIT(64 << 10);

	dst[0] = 0;
	if (file_read(AT_FDCWD, path, &b) == 0)
		fmt_into(dst, size, "%.*s", SLICE_FMT(slice_trim(buf_slice(&b))));
}

/* Bytes behind a key of /proc/meminfo. */
static int64_t meminfo(struct slice text, const char *key)
{
	struct slice line;
	size_t n = strlen(key);

	while (slice_next(&text, '\n', &line)) {
		int64_t kb;
		struct slice number, unit;
		if (!slice_starts(line, key) || line.len <= n || line.ptr[n] != ':')
			continue;
		slice_cut(slice_trim(slice_n(line.ptr + n + 1, line.len - n - 1)), ' ', &number, &unit);
		return num_parse_i64(number, 0, INT64_MAX / 1024, &kb) == 0 ? kb * 1024 : 0;
	}
	return 0;
}

static int64_t number_in(const char *path)
{
	AUTO(buf) struct buf b = BUF_INIT(256);
	int64_t n = 0;

	if (file_read(AT_FDCWD, path, &b) < 0 || num_parse_i64(slice_trim(buf_slice(&b)), 0, INT64_MAX, &n) < 0)
		return 0;
	return n;
}

static void memory(struct node_facts *f)
{
	AUTO(buf) struct buf b = BUF_INIT(64 << 10);

	file_read(AT_FDCWD, "/proc/meminfo", &b);
	f->memory_bytes = meminfo(buf_slice(&b), "MemTotal");
	f->memory_free = meminfo(buf_slice(&b), "MemAvailable");
	/* inside of a container, what that may use */
	int64_t limit = number_in("/sys/fs/cgroup/memory.max"), used = number_in("/sys/fs/cgroup/memory.current");
	if (!limit) {
		limit = number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes");
		used = number_in("/sys/fs/cgroup/memory/memory.usage_in_bytes");
	}
	if (limit > 0 && limit < f->memory_bytes) {
		f->memory_bytes = limit;
		f->memory_free = MIN(f->memory_free, MAX(limit - used, 0));
	}
}

static void os_image(struct node_facts *f)
{
	AUTO(buf) struct buf b = BUF_INIT(64 << 10);
	struct slice rest, line;

	fmt_into(f->os_image, sizeof f->os_image, "Linux");
	if (file_read(AT_FDCWD, "/etc/os-release", &b) < 0)
		return;
	rest = buf_slice(&b);
	while (slice_next(&rest, '\n', &line)) {
		if (!slice_starts(line, "PRETTY_NAME="))
			continue;
		line = slice_n(line.ptr + 12, line.len - 12);
		if (line.len >= 2 && *line.ptr == '"')
			line = slice_n(line.ptr + 1, line.len - 2);
		fmt_into(f->os_image, sizeof f->os_image, "%.*s", SLICE_FMT(line));
	}
}

void facts_read(struct node_facts *f, const char *root)
{
	struct utsname u;
	struct statvfs v;
	cpu_set_t set;

	*f = (struct node_facts){ .cpus = sysconf(_SC_NPROCESSORS_ONLN) };
	if (sched_getaffinity(0, sizeof set, &set) == 0)
		f->cpus = CPU_COUNT(&set);
	memory(f);
	if (statvfs(root, &v) == 0) {
		f->disk_bytes = (int64_t)v.f_blocks * (int64_t)v.f_frsize;
		f->disk_free = (int64_t)v.f_bavail * (int64_t)v.f_frsize;
		f->inodes = (int64_t)v.f_files;
		f->inodes_free = (int64_t)v.f_favail;
	}
	line_of("/etc/machine-id", f->machine_id, sizeof f->machine_id);
	line_of("/sys/class/dmi/id/product_uuid", f->system_uuid, sizeof f->system_uuid);
	if (!*f->system_uuid)
		fmt_into(f->system_uuid, sizeof f->system_uuid, "%s", f->machine_id);
	line_of("/proc/sys/kernel/random/boot_id", f->boot_id, sizeof f->boot_id);
	os_image(f);
	if (uname(&u) == 0) {
		fmt_into(f->kernel, sizeof f->kernel, "%s", u.release);
		fmt_into(f->arch, sizeof f->arch, "%s", !strcmp(u.machine, "x86_64") ? "amd64" : !strcmp(u.machine, "aarch64") ? "arm64" : u.machine);
	}
}

/* What the kernel would send from; nothing is sent. */
static bool route_ip(char *dst)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(53) }, me;
	socklen_t n = sizeof me;
	AUTO(close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "192.0.2.1", &to.sin_addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0 || getsockname(fd, (struct sockaddr *)&me, &n) < 0)
		return false;
	return inet_ntop(AF_INET, &me.sin_addr, dst, 64) != NULL;
}

void node_find_ip(char *dst)
{
	struct ifaddrs *list = NULL;
	bool found = route_ip(dst);

	if (!found && getifaddrs(&list) == 0)
		for (struct ifaddrs *i = list; i && !found; i = i->ifa_next)
			if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && !(i->ifa_flags & IFF_LOOPBACK) && (i->ifa_flags & IFF_UP))
				found = inet_ntop(AF_INET, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, dst, 64) != NULL;
	if (list)
		freeifaddrs(list);
	if (!found)
		fmt_into(dst, 64, "127.0.0.1");
}
