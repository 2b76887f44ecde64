/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

struct attached {
	struct list node;
	int fd;
	struct shim_attach how;
	char *keys;
};

static void attached_free(struct attached *x)
{
	if (x->fd >= 0)
		close(x->fd);
	free(x->keys);
	free(x);
}

/* --- TLS and the like: bytes are copied */
struct relay { struct stream *client, *ours; unsigned refs; };

static void relay_unref(struct relay *r)
{
	if (--r->refs)
		return;
	stream_close(r->client);
	stream_close(r->ours);
	free(r);
}

static void relay_in(void *arg)
{
	struct relay *r = arg;
	stream_copy_wait(r->ours, r->client);
	stream_shutdown_wait(r->ours);
	relay_unref(r);
}

static void relay_out(void *arg)
{
	struct relay *r = arg;
	stream_copy_wait(r->client, r->ours);
	stream_shutdown_wait(r->client);
	relay_unref(r);
}

static int relay_start(struct engine *eng, struct stream *client, int *ret_fd, struct err *e)
{
	int ends[2];
	struct relay *r = calloc(1, sizeof *r);
	if (!r || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		free(r);
		stream_close(client);
		return err_sys(e, errno, "making a socket pair");
	}
	r->client = client;
	r->refs = 1;
	int x = stream_from_fd(eng->loop, ends[0], &r->ours);
	if (x < 0) {
		close(ends[0]);
		close(ends[1]);
		relay_unref(r);
		return err_sys(e, x, "watching a socket");
	}
	r->refs += 2;
	if (fiber_start(eng->loop, "attach-in", relay_in, r) < 0)
		r->refs--;
	if (fiber_start(eng->loop, "attach-out", relay_out, r) < 0)
		r->refs--;
	relay_unref(r);
	*ret_fd = ends[1];
	return 0;
}

int attach_descriptor(struct engine *eng, struct stream *client, int *ret_fd, struct err *e)
{
	int fd = stream_fd(client);
	if (fd < 0)
		return relay_start(eng, client, ret_fd, e);
	*ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	int r = *ret_fd < 0 ? err_sys(e, errno, "duplicating a connection") : 0;
	stream_close(client);
	return r;
}

void attach_give_waiting(struct container *c)
{
	struct attached *x;
	list_each(x, &c->attached, node) {
		list_del(&x->node);
		c->n_attached--;
		shim_attach_send(c, take_fd(&x->fd), &x->how);
		attached_free(x);
	}
}

void attach_drop_all(struct container *c)
{
	struct attached *x;
	list_each(x, &c->attached, node) {
		list_del(&x->node);
		c->n_attached--;
		attached_free(x);
	}
}

/* Those whose client has left. */
static void drop_gone(struct container *c)
{
	struct attached *x;
	list_each(x, &c->attached, node) {
		struct pollfd p = { .fd = x->fd };
		if (poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR)) {
			list_del(&x->node);
			c->n_attached--;
			attached_free(x);
		}
	}
}

static int check_state(const struct container *c, struct err *e)
{
	if (c->status == STATUS_PAUSED)
		return err_set(e, EBUSY, "container %s is paused, unpause the container before attach", c->id);
	if (c->status == STATUS_RESTARTING)
		return err_set(e, EBUSY, "container %s is restarting, wait until the container is running", c->id);
	return 0;
}

int container_attach_check(struct engine *eng, const char *name, const struct container_attach *how, struct container_brief *ret, struct arena *a,
			   struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	if (r == 0)
		r = check_state(c, e);
	if (r < 0)
		return r;
	drop_gone(c);
	if (c->n_attached >= ATTACHED_MAX)
		return err_set(e, EBUSY, "container %s has too many clients", c->id);
	return container_brief(eng, c->id, a, ret, e);
}

static int stream_sink_write(void *arg, const void *p, size_t n)
{
	return stream_write_wait(arg, p, n);
}

static bool stream_sink_gone(void *arg)
{
	return false;
}

int container_attach_wait(struct engine *eng, const char *name, const struct container_attach *how, struct stream *client, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e), fd;
	if (r == 0 && how->logs) {
		struct container_logs l = { .is_stdout = how->is_stdout, .is_stderr = how->is_stderr, .tail = -1 };
		struct byte_sink out = { stream_sink_write, stream_sink_gone, client };
		r = container_logs_wait(eng, c->id, &l, &out, e);
	}
	if (r < 0 || !how->stream) {
		stream_close(client);
		return r;
	}
	r = attach_descriptor(eng, client, &fd, e);
	if (r < 0)
		return r;
	struct shim_attach s = { how->is_stdin && c->config->open_stdin, how->is_stdout, how->is_stderr, how->detach_keys };
	container_event(c, "attach", NULL, 0);
	if (c->shim && c->status == STATUS_RUNNING)
		return shim_attach_wait(c, fd, &s, e);
	struct attached *x = calloc(1, sizeof *x);
	char *keys = how->detach_keys && *how->detach_keys ? strdup(how->detach_keys) : NULL;
	if (!x || c->is_gone || c->n_attached >= ATTACHED_MAX) {
		free(x);
		free(keys);
		close(fd);
		return err_set(e, EBUSY, "container %s cannot be attached to", c->id);
	}
	*x = (struct attached){ .fd = fd, .how = s, .keys = keys };
	x->how.detach_keys = x->keys;
	list_add_tail(&c->attached, &x->node);
	c->n_attached++;
	return 0;
}
