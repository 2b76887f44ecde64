/* SPDX-License-Identifier: Apache-2.0 */
/* system dial-stdio: the engine's socket joined to standard input and output, for ssh:// hosts. */
#include "base/fd.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "io/fiber.h"
#include "io/stream.h"

static void send_input(void *arg)
{
	struct stream *s = arg;
	char chunk[16 << 10];
	ssize_t n;

	for (;;) {
		int r = fd_wait(0, WATCH_READ, -1);
		if (r < 0 && r != -EPERM)
			return;
		if ((n = read(0, chunk, sizeof chunk)) <= 0)
			break;
		if (stream_write_wait(s, chunk, (size_t)n) < 0)
			return;
	}
	stream_shutdown_wait(s);
}

int cmd_dial_stdio(struct cli *c, struct err *e)
{
	const char *host = api_host(c);
	char chunk[16 << 10];
	struct stream *s;
	ssize_t n;
	int r;

	if (strncmp(host, "unix://", 7) != 0)
		return err_set(e, EINVAL, "failed to open the raw stream connection: only unix:// hosts are supported, not %s", host);
	if ((r = stream_connect_unix_wait(host + 7, &s, e)) < 0)
		return err_prefix(e, "failed to open the raw stream connection");
	if (fiber_start(c->loop, "input", send_input, s) < 0)
		return err_nomem(e);
	while ((n = stream_read_wait(s, chunk, sizeof chunk)) > 0)
		if ((r = fd_write_all(1, chunk, (size_t)n)) < 0)
			return err_sys(e, r, "write the output");
	return 0;
}
