/* SPDX-License-Identifier: Apache-2.0 */
/* Control connections: one JSON message a packet; answers and events go out in order. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "schema/schema.h"
#include "shim/shim_int.h"

struct packet {
	struct list link;
	size_t len;
	char text[];
};

static void control_close(struct shim *s, struct control *c)
{
	struct packet *p;
	watch_close(s, &c->w);
	list_del(&c->link);
	s->n_controls--;
	list_each(p, &c->queue, link) {
		list_del(&p->link);
		free(p);
	}
	loop_free_later(s, c);
}

static bool control_flush(struct shim *s, struct control *c)
{
	struct packet *p;
	list_each(p, &c->queue, link) {
		ssize_t n;
		do
			n = send(c->w.fd, p->text, p->len, MSG_NOSIGNAL | MSG_DONTWAIT);
		while (n < 0 && errno == EINTR);
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
			break;
		if (n < 0) {
			control_close(s, c);
			return false;
		}
		c->queued -= p->len;
		list_del(&p->link);
		free(p);
	}
	watch_set(s, &c->w, EPOLLIN | (list_empty(&c->queue) ? 0 : EPOLLOUT));
	return true;
}

static bool control_send(struct shim *s, struct control *c, struct slice text)
{
	struct packet *p = c->queued + text.len > SHIM_QUEUE_MAX ? NULL : malloc(sizeof *p + text.len);
	if (!p) {
		/* who does not listen for so long asks for the state when it is back */
		control_close(s, c);
		return false;
	}
	list_init(&p->link);
	p->len = text.len;
	memcpy(p->text, text.ptr, text.len);
	c->queued += text.len;
	list_add_tail(&c->queue, &p->link);
	return control_flush(s, c);
}

void control_event(struct shim *s, const struct shim_message *m)
{
	AUTO(buf) struct buf b = BUF_INIT(SHIM_PACKET_MAX);
	struct control *c;
	if (schema_to_json(T_shim_message, m, 0, &b) < 0 || buf_error(&b) < 0)
		return;
	list_each(c, &s->controls, link)
		control_send(s, c, buf_slice(&b));
}

static void answer(struct shim *s, struct control *c, struct shim_message *m)
{
	AUTO(buf) struct buf b = BUF_INIT(SHIM_PACKET_MAX);
	int r = schema_to_json(T_shim_message, m, 0, &b);
	if (r == 0)
		r = buf_error(&b);
	if (r < 0) {
		struct shim_message failed = { .id = m->id, .code = -r, .error = "the answer is too large" };
		buf_reset(&b);
		schema_to_json(T_shim_message, &failed, 0, &b);
	}
	control_send(s, c, buf_slice(&b));
}

static void request(struct shim *s, struct control *c, struct slice text, int fd)
{
	AUTO(arena) struct arena a;
	struct shim_request q = { 0 };
	struct shim_message m = { 0 };
	struct err e = { 0 };
	arena_init(&a, 16 << 20);
	int r = schema_from_json(T_shim_request, text, 0, &a, &q, &e);
	if (r < 0) {
		if (fd >= 0)
			close(fd);
		m = (struct shim_message){ .id = q.id, .code = -r, .error = e.text };
	} else {
		command_run(s, &q, fd, &a, &m);
		m.id = q.id;
	}
	/* an event of the command may have closed the connection */
	if (c->w.fd >= 0)
		answer(s, c, &m);
}

static void control_ready(struct shim *s, struct watch *w, uint32_t events)
{
	struct control *c = container_of(w, struct control, w);
	if ((events & EPOLLOUT) && !control_flush(s, c))
		return;
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	char peek;
	ssize_t n = recv(w->fd, &peek, 1, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	AUTO(free) char *text = n <= 0 || n > SHIM_PACKET_MAX ? NULL : malloc((size_t)n + 1);
	if (!text) {
		control_close(s, c);
		return;
	}
	int fd = -1;
	size_t n_fds = 1;
	ssize_t got = fd_recv(w->fd, text, (size_t)n, &fd, &n_fds);
	if (got != n) {
		if (n_fds == 1 && got >= 0)
			close(fd);
		control_close(s, c);
		return;
	}
	request(s, c, slice_n(text, (size_t)n), n_fds == 1 ? fd : -1);
}

int control_add(struct shim *s, int fd)
{
	int size = SHIM_PACKET_MAX;
	struct control *c = s->n_controls < SHIM_CONTROLS ? calloc(1, sizeof *c) : NULL;
	if (!c) {
		close(fd);
		return -EMFILE;
	}
	list_init(&c->queue);
	fd_set_nonblock(fd, true);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	int r = watch_add(s, &c->w, fd, EPOLLIN, control_ready);
	if (r < 0) {
		free(c);
		return r;
	}
	list_add_tail(&s->controls, &c->link);
	s->n_controls++;
	return 0;
}

static void listener_ready(struct shim *s, struct watch *w, uint32_t events)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		control_add(s, fd);
}

int control_listen(struct shim *s, struct err *e)
{
	/* by a short name from inside the folder: the whole one may be longer than an address can be */
	if (chdir(s->bundle) < 0)
		return err_sys(e, errno, "enter %s", s->bundle);
	int fd = unix_listen("shim.sock", 0600, SOCK_SEQPACKET, e);
	if (chdir("/") < 0 || fd < 0)
		return fd < 0 ? fd : err_sys(e, errno, "enter /");
	fd_set_nonblock(fd, true);
	int r = watch_add(s, &s->listener, fd, EPOLLIN, listener_ready);
	return r < 0 ? err_sys(e, r, "watch shim.sock") : 0;
}
