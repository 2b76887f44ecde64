/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

void path_clean(char *dst, const char *p)
{
	bool rooted = p[0] == '/';
	size_t n = 0, floor = 0;
	if (rooted)
		dst[n++] = '/';
	floor = n;
	while (*p) {
		while (*p == '/')
			p++;
		size_t k = strcspn(p, "/");
		if (k == 0)
			break;
		if (k == 1 && p[0] == '.') {
			;
		} else if (k == 2 && p[0] == '.' && p[1] == '.') {
			if (n > floor) {
				while (n > floor && dst[n - 1] != '/')
					n--;
				if (n > floor || (n > 0 && dst[n - 1] == '/' && n > (size_t)rooted))
					n--;
			} else if (!rooted) {
				if (n)
					dst[n++] = '/';
				memcpy(dst + n, "..", 2);
				n += 2;
				floor = n;
			}
		} else {
			if (n > (size_t)rooted)
				dst[n++] = '/';
			memmove(dst + n, p, k);
			n += k;
		}
		p += k;
	}
	if (n == 0)
		dst[n++] = '.';
	dst[n] = 0;
}

const char *path_base(const char *p)
{
	const char *s = strrchr(p, '/');
	return s ? s + 1 : p;
}

bool path_is_name(struct slice s)
{
	return s.len > 0 && s.len <= 255 && !slice_is(s, ".") && !slice_is(s, "..") && slice_find(s, '/') < 0 &&
	       slice_find(s, 0) < 0;
}

static int open_how(int rootfd, const char *path, uint64_t flags, uint32_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve };
	for (int tries = 0; tries < 128; tries++) {
		long r = syscall(SYS_openat2, rootfd, path, &how, sizeof how);
		if (r >= 0)
			return (int)r;
		if (errno != EAGAIN && errno != EINTR) /* EAGAIN: a rename raced with ".." */
			return -errno;
	}
	return -EAGAIN;
}

int path_open_in_root(int rootfd, const char *path, uint64_t flags, uint32_t mode)
{
	return open_how(rootfd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int path_open_beneath(int rootfd, const char *path, uint64_t flags, uint32_t mode)
{
	return open_how(rootfd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}
