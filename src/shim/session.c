/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of a process: output to the log and to clients, input from clients. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "shim/shim_int.h"

enum { FRAME_BYTES = 8 };

int pipes_make(struct pipes *p, bool with_in, struct err *e)
{
	*p = (struct pipes){ { -1, -1, -1 }, { -1, -1, -1 } };
	for (int i = 0; i < 3; i++) {
		int fd[2];
		if (i == 0 && !with_in) {
			if ((p->theirs[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
				goto fail;
			continue;
		}
		if (pipe2(fd, O_CLOEXEC) < 0)
			goto fail;
		p->theirs[i] = fd[i != 0];
		p->ours[i] = fd[i == 0];
	}
	return 0;
fail:;
	int r = -errno;
	pipes_close(p);
	return err_sys(e, r, "make a pipe");
}

void pipes_close_theirs(struct pipes *p)
{
	for (int i = 0; i < 3; i++) {
		if (p->theirs[i] >= 0)
			close(p->theirs[i]);
		p->theirs[i] = -1;
	}
}

void pipes_close(struct pipes *p)
{
	pipes_close_theirs(p);
	for (int i = 0; i < 3; i++) {
		if (p->ours[i] >= 0)
			close(p->ours[i]);
		p->ours[i] = -1;
	}
}

int session_new(struct shim *s, const char *id, bool tty, struct session **ret)
{
	struct session *x = calloc(1, sizeof *x);
	if (!x || (id && !(x->id = strdup(id)))) {
		free(x);
		return -ENOMEM;
	}
	x->tty = tty;
	x->master = -1;
	x->in.fd = x->out[0].w.fd = x->out[1].w.fd = -1;
	x->out[0].session = x->out[1].session = x;
	x->out[1].is_stderr = true;
	/* filled up to the limit plus what one read of a client adds */
	buf_init(&x->in_queue, SHIM_INPUT_MAX + 2 * SHIM_READ);
	list_init(&x->clients);
	list_add_tail(&s->sessions, &x->link);
	s->n_sessions++;
	*ret = x;
	return 0;
}

/* --- clients ------------------------------------------------------------------ */
static void client_drop(struct shim *s, struct client *c)
{
	struct session *x = c->session;
	bool had_in = c->wants_in;
	watch_close(s, &c->w);
	list_del(&c->link);
	s->n_clients--;
	buf_release(&c->out);
	free(c->name);
	c->name = NULL;
	c->wants_in = false;
	loop_free_later(s, c);
	if (!had_in || (x->id == NULL && !x->stdin_once))
		return;
	struct client *other;
	list_each(other, &x->clients, link)
		if (other->wants_in)
			return;
	session_end_input(s, x);
}

static void streams_unblock(struct shim *s, struct session *x)
{
	struct client *c;
	if (!x->is_blocked)
		return;
	list_each(c, &x->clients, link)
		if (c->out.len > SHIM_CLIENT_MAX)
			return;
	x->is_blocked = false;
	for (int i = 0; i < 2; i++)
		watch_set(s, &x->out[i].w, EPOLLIN);
}

static uint32_t client_events(const struct client *c)
{
	bool reads = c->wants_in && !c->is_ending && c->session->in_queue.len < SHIM_INPUT_MAX;
	return (reads ? EPOLLIN : 0) | (c->out.len ? EPOLLOUT : 0);
}

/* Sends what waits; false when the client is gone (and freed later). */
static bool client_flush(struct shim *s, struct client *c)
{
	size_t sent = 0;
	while (sent < c->out.len) {
		ssize_t n = send(c->w.fd, c->out.ptr + sent, c->out.len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			struct session *x = c->session;
			client_drop(s, c);
			streams_unblock(s, x);
			return false;
		}
		if (n < 0)
			break;
		sent += (size_t)n;
	}
	if (sent) {
		c->moved_ns = clock_monotonic_ns();
		buf_drop(&c->out, sent);
		if (!c->out.len && c->out.cap > SHIM_READ)
			buf_release(&c->out);
		streams_unblock(s, c->session);
	}
	if (!c->out.len && c->is_ending) {
		client_drop(s, c);
		return false;
	}
	watch_set(s, &c->w, client_events(c));
	return true;
}

/* Output for one client: framed unless the session has a terminal. */
static void client_put(struct shim *s, struct client *c, bool is_stderr, struct slice text)
{
	uint8_t head[FRAME_BYTES] = { is_stderr ? 2 : 1, 0, 0, 0, (uint8_t)(text.len >> 24), (uint8_t)(text.len >> 16),
				      (uint8_t)(text.len >> 8), (uint8_t)text.len };
	size_t n_head = c->session->tty ? 0 : FRAME_BYTES, sent = 0;
	if (!c->out.len) {
		struct iovec io[2] = { { head, n_head }, { (void *)text.ptr, text.len } };
		struct msghdr m = { .msg_iov = io, .msg_iovlen = 2 };
		c->moved_ns = clock_monotonic_ns();
		ssize_t n = sendmsg(c->w.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			client_drop(s, c);
			return;
		}
		sent = n < 0 ? 0 : (size_t)n;
	}
	if (sent < n_head)
		buf_add(&c->out, head + sent, n_head - sent);
	size_t skip = sent > n_head ? sent - n_head : 0;
	buf_add(&c->out, text.ptr + skip, text.len - skip);
	if (buf_error(&c->out) < 0) {
		client_drop(s, c);
		return;
	}
	watch_set(s, &c->w, client_events(c));
}

/* --- input --------------------------------------------------------------------- */
static void clients_refresh(struct shim *s, struct session *x)
{
	struct client *c;
	list_each(c, &x->clients, link)
		watch_set(s, &c->w, client_events(c));
}

static void input_write(struct shim *s, struct session *x)
{
	size_t sent = 0;
	while (x->in.fd >= 0 && sent < x->in_queue.len) {
		ssize_t n = write(x->in.fd, x->in_queue.ptr + sent, x->in_queue.len - sent);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			/* nobody reads: what comes is dropped */
			watch_close(s, &x->in);
			break;
		}
		sent += (size_t)n;
	}
	buf_drop(&x->in_queue, x->in.fd < 0 ? x->in_queue.len : sent);
	if (!x->in_queue.len) {
		buf_release(&x->in_queue);
		if (x->in_ends)
			watch_close(s, &x->in);
	}
	watch_set(s, &x->in, x->in_queue.len ? EPOLLOUT : 0);
	clients_refresh(s, x);
}

static void input_ready(struct shim *s, struct watch *w, uint32_t events)
{
	input_write(s, container_of(w, struct session, in));
}

void session_end_input(struct shim *s, struct session *x)
{
	/* a terminal has no end of input: its user types ctrl-d */
	if (x->tty)
		return;
	x->in_ends = true;
	input_write(s, x);
}

static void client_typed(struct shim *s, struct client *c, struct slice text)
{
	struct session *x = c->session;
	if (!x->tty) {
		buf_addslice(&x->in_queue, text);
		input_write(s, x);
		return;
	}
	bool detached = detach_filter(&c->detach, text.ptr, text.len, &x->in_queue);
	if (detached) {
		struct shim_message m = { .event = "detached", .client = c->name, .exec_id = x->id };
		control_event(s, &m);
		c->is_ending = true;
		c->wants[0] = c->wants[1] = false;
		client_flush(s, c);
	}
	input_write(s, x);
}

static void client_ready(struct shim *s, struct watch *w, uint32_t events)
{
	struct client *c = container_of(w, struct client, w);
	if ((events & EPOLLOUT) && !client_flush(s, c))
		return;
	if (events & EPOLLIN) {
		ssize_t n = recv(w->fd, s->data, sizeof s->data, MSG_DONTWAIT);
		if (n > 0) {
			client_typed(s, c, slice_n(s->data, (size_t)n));
			return;
		}
		if (n == 0) {
			/* it will send no more but may still want output */
			struct session *x = c->session;
			bool had_in = c->wants_in, others = false;
			struct client *o;
			c->wants_in = false;
			list_each(o, &x->clients, link)
				others |= o->wants_in;
			if (had_in && !others && (x->id || x->stdin_once))
				session_end_input(s, x);
			watch_set(s, w, client_events(c));
			if (!c->wants[0] && !c->wants[1])
				client_drop(s, c);
			return;
		}
		if (errno != EAGAIN && errno != EINTR) {
			struct session *x = c->session;
			client_drop(s, c);
			streams_unblock(s, x);
			return;
		}
	}
	if (events & (EPOLLHUP | EPOLLERR)) {
		struct session *x = c->session;
		client_drop(s, c);
		streams_unblock(s, x);
	}
}

int session_attach(struct shim *s, struct session *x, int fd, const struct shim_request *q, struct err *e)
{
	AUTO(close) int mine = fd;
	if (fd < 0)
		return err_set(e, EINVAL, "attach without a socket");
	if (s->n_clients >= SHIM_CLIENTS)
		return err_set(e, EMFILE, "%d clients are attached already", SHIM_CLIENTS);
	struct client *c = calloc(1, sizeof *c);
	if (!c)
		return err_nomem(e);
	int r = x->tty ? detach_parse(q->detach_keys, &c->detach, e) : 0;
	if (r < 0) {
		free(c);
		return r;
	}
	c->session = x;
	c->wants_in = q->stdin_;
	c->wants[0] = q->stdout_ || (x->tty && q->stderr_);
	c->wants[1] = q->stderr_;
	c->name = q->client ? strdup(q->client) : NULL;
	c->moved_ns = clock_monotonic_ns();
	/* one read of a stream may come on top of a full buffer, and what is left in the pipes when the process ends */
	buf_init(&c->out, SHIM_CLIENT_MAX + (4 << 20));
	if ((r = watch_add(s, &c->w, take_fd(&mine), client_events(c), client_ready)) < 0) {
		free(c->name);
		free(c);
		return err_sys(e, r, "watch a client");
	}
	list_add_tail(&x->clients, &c->link);
	s->n_clients++;
	return 0;
}

/* --- output ---------------------------------------------------------------------- */
static void stream_end(struct shim *s, struct stream *o)
{
	if (!o->is_open)
		return;
	o->is_open = false;
	if (!o->session->id)
		log_add(&s->log, &o->line, o->is_stderr, slice_n("", 0), true);
	if (o->w.fd == o->session->master)
		o->session->master = -1;
	watch_close(s, &o->w);
}

/* Reads once. False when there is nothing (now, or any more). */
static bool stream_read(struct shim *s, struct stream *o)
{
	struct session *x = o->session;
	ssize_t n = read(o->w.fd, s->data, sizeof s->data);
	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		stream_end(s, o);
		return false;
	}
	struct slice text = slice_n(s->data, (size_t)n);
	if (!x->id)
		log_add(&s->log, &o->line, o->is_stderr, text, false);
	struct client *c;
	bool full = false;
	list_each(c, &x->clients, link)
		if (c->wants[o->is_stderr] && !c->is_ending)
			client_put(s, c, o->is_stderr, text);
	list_each(c, &x->clients, link)
		full |= c->out.len > SHIM_CLIENT_MAX;
	if (full && !x->is_blocked) {
		x->is_blocked = true;
		for (int i = 0; i < 2; i++)
			watch_set(s, &x->out[i].w, 0);
	}
	return true;
}

static void stream_ready(struct shim *s, struct watch *w, uint32_t events)
{
	struct stream *o = container_of(w, struct stream, w);
	if (o->session->is_blocked && w->events == EPOLLET)
		return;
	if (o->session->is_blocked && !(events & EPOLLIN)) {
		/* hung up while blocked: it would wake us again and again; what is in it is read when there is room */
		epoll_ctl(s->epoll, EPOLL_CTL_DEL, w->fd, NULL);
		w->events = EPOLLET;
		struct epoll_event ev = { .events = EPOLLET, .data.ptr = w };
		epoll_ctl(s->epoll, EPOLL_CTL_ADD, w->fd, &ev);
		return;
	}
	stream_read(s, o);
}

int session_streams(struct shim *s, struct session *x, int in, int out, int err, struct err *e)
{
	int fds[2] = { out, err }, r = 0;
	x->master = x->tty ? out : -1;
	for (int i = 0; i < 2; i++) {
		if (fds[i] < 0)
			continue;
		fd_set_nonblock(fds[i], true);
		if (r == 0 && (r = watch_add(s, &x->out[i].w, fds[i], EPOLLIN, stream_ready)) == 0)
			x->out[i].is_open = true;
		else if (x->out[i].w.fd < 0 && r < 0 && i == 1)
			close(fds[i]);
	}
	if (in >= 0 && r == 0) {
		fd_set_nonblock(in, true);
		r = watch_add(s, &x->in, in, 0, input_ready);
	}
	return r < 0 ? err_sys(e, r, "watch the streams") : 0;
}

void session_drain(struct shim *s, struct session *x)
{
	for (int i = 0; i < 2; i++)
		/* a pipe holds a megabyte at most; a process that still runs must not keep us here */
		for (int n = 0; n < 64 && x->out[i].is_open && stream_read(s, &x->out[i]); n++)
			;
}

bool session_is_done(const struct session *x)
{
	return !x->out[0].is_open && !x->out[1].is_open;
}

void session_exited(struct shim *s, struct session *x, int status)
{
	x->status = status;
	x->has_exited = true;
	x->pid = 0;
	watch_close(s, &x->in);
	session_drain(s, x);
	if (session_is_done(x))
		session_finish(s, x);
	else
		x->linger_until_ns = clock_monotonic_ns() + SHIM_LINGER_MS * NS_PER_MS;
}

void session_finish(struct shim *s, struct session *x)
{
	struct client *c;
	x->linger_until_ns = 0;
	stream_end(s, &x->out[0]);
	stream_end(s, &x->out[1]);
	watch_close(s, &x->in);
	list_each(c, &x->clients, link) {
		c->is_ending = true;
		client_flush(s, c);
	}
}

void session_free(struct shim *s, struct session *x)
{
	struct client *c;
	session_finish(s, x);
	list_each(c, &x->clients, link)
		client_drop(s, c);
	list_del(&x->link);
	s->n_sessions--;
	buf_release(&x->in_queue);
	free(x->out[0].line.rest);
	free(x->out[1].line.rest);
	free(x->id);
	loop_free_later(s, x);
}

int session_resize(struct session *x, uint16_t height, uint16_t width, struct err *e)
{
	struct winsize w = { .ws_row = height, .ws_col = width };
	/* a process without a terminal has no size: Docker's clients ask all the same */
	if (x->master < 0)
		return 0;
	return ioctl(x->master, TIOCSWINSZ, &w) < 0 ? err_sys(e, errno, "resize the terminal") : 0;
}

struct session *session_find(struct shim *s, const char *exec_id)
{
	struct session *x;
	list_each(x, &s->sessions, link)
		if (exec_id ? x->id && !strcmp(x->id, exec_id) : !x->id)
			return x;
	return NULL;
}
