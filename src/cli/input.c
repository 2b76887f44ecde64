/* SPDX-License-Identifier: Apache-2.0 */
/* Standard input or a file as a stream. It stays blocking (others may share it); waiting is for what can be waited for. */
#include "cli/image.h"
#include "io/fiber.h"

struct input { struct stream s; int fd; };

static ssize_t input_read(struct stream *s, void *p, size_t n)
{
	struct input *in = container_of(s, struct input, s);
	int r = fd_wait(in->fd, 1 /* WATCH_READ */, -1);
	ssize_t got;

	if (r < 0 && r != -EPERM)
		return r;
	do
		got = read(in->fd, p, n);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

static ssize_t input_write(struct stream *s, const void *p, size_t n)
{
	return -EBADF;
}

static int input_shutdown(struct stream *s)
{
	return 0;
}

static void input_close(struct stream *s)
{
	struct input *in = container_of(s, struct input, s);

	if (in->fd > 0)
		close(in->fd);
	free(in);
}

static int input_fd(struct stream *s)
{
	return -1;
}

int image_input_stream(struct cli *c, int fd, struct stream **ret, struct err *e)
{
	static const struct stream_ops ops = { .name = "input", .read_wait = input_read, .write_wait = input_write, .shutdown_wait = input_shutdown,
					       .close = input_close, .fd = input_fd };
	struct input *in = calloc(1, sizeof *in);

	if (!in)
		return err_nomem(e);
	in->s.ops = &ops;
	in->fd = fd;
	*ret = &in->s;
	return 0;
}
