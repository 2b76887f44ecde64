/* SPDX-License-Identifier: Apache-2.0 */
/* The unpacker's double: workers copy the tar in and out of one file. */
#include "image/double.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"

struct copy { int from, to; int64_t bytes; };

static int copy_job(void *arg)
{
	struct copy *c = arg;
	char tmp[65536];
	int r = 0;
	for (;;) {
		ssize_t n = read(c->from, tmp, sizeof tmp);
		if (n <= 0) {
			r = n < 0 ? -errno : 0;
			break;
		}
		if ((r = fd_write_all(c->to, tmp, (size_t)n)) < 0)
			break;
		c->bytes += n;
	}
	close(c->from);
	close(c->to);
	return r;
}

static int double_layer_wait(void *arg, int tar_fd, const char *dir, int64_t *ret_size, struct err *e)
{
	AUTO(free) char *path = fmt_new("%s/layer.tar", dir);
	struct copy c = { tar_fd, path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644) : -1, 0 };
	if (c.to < 0) {
		close(tar_fd);
		return err_sys(e, errno, "making %s", dir);
	}
	int r = job_wait(copy_job, &c);
	*ret_size = c.bytes;
	return r < 0 ? err_sys(e, r, "unpacking") : 0;
}

static int double_pack_wait(void *arg, const char *dir, int tar_fd, struct err *e)
{
	AUTO(free) char *path = fmt_new("%s/layer.tar", dir);
	struct copy c = { path ? open(path, O_RDONLY | O_CLOEXEC) : -1, tar_fd, 0 };
	if (c.from < 0) {
		close(tar_fd);
		return err_sys(e, errno, "opening %s", dir);
	}
	int r = job_wait(copy_job, &c);
	return r < 0 ? err_sys(e, r, "packing") : 0;
}

struct image_unpacker image_unpacker_double(void)
{
	return (struct image_unpacker){ double_layer_wait, double_pack_wait, NULL };
}
