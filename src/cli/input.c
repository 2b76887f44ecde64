/* SPDX-License-Identifier: Apache-2.0 */
/* Standard input or a file as a stream. The descriptor stays blocking (others may share it), so a read holds the loop up;
 * nothing else is to be done meanwhile in the commands that use it. */
#include "cli/image.h"

struct input { struct stream s; int fd; };

static ssize_t input_read(struct stream *s, void *p, size_t n)
{
	struct input *in = container_of(s, struct input, s);
	ssize_t got;

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

static bool input_want(struct stream *s, unsigned what, bool on)
{
	return true;
}

static void input_close(struct stream *s)
{
	struct input *in = container_of(s, struct input, s);

	if (in->fd > 0)
		close(in->fd);
	free(in);
}

int image_input_stream(struct cli *c, int fd, struct stream **ret, struct err *e)
{
	static const struct stream_ops ops = { .name = "input", .read_now = input_read, .write_now = input_write, .shutdown_now = input_shutdown,
					       .close = input_close, .want = input_want };
	struct input *in = calloc(1, sizeof *in);

	if (!in)
		return err_nomem(e);
	in->s.ops = &ops;
	in->s.loop = c->loop;
	in->fd = fd;
	*ret = &in->s;
	return 0;
}
