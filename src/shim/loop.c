/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "shim/shim_int.h"

int watch_add(struct shim *s, struct watch *w, int fd, uint32_t events, void (*ready)(struct shim *, struct watch *, uint32_t))
{
	struct epoll_event ev = { .events = events, .data.ptr = w };
	*w = (struct watch){ .fd = fd, .events = events, .ready = ready };
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) == 0)
		return 0;
	int r = -errno;
	w->fd = -1;
	close(fd);
	return r;
}

int watch_set(struct shim *s, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };
	if (w->fd < 0 || w->events == events)
		return 0;
	if (epoll_ctl(s->epoll, EPOLL_CTL_MOD, w->fd, &ev) < 0)
		return -errno;
	w->events = events;
	return 0;
}

void watch_close(struct shim *s, struct watch *w)
{
	if (w->fd < 0)
		return;
	/* a child may hold a copy: closing alone would leave it in the set */
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	close(w->fd);
	w->fd = -1;
}

void loop_free_later(struct shim *s, void *p)
{
	/* without memory it is lost rather than freed under somebody's hands */
	if (p && vec_push(&s->later, p) < 0)
		return;
}

int loop_turn(struct shim *s, int timeout_ms)
{
	struct epoll_event ev[32];
	int n = epoll_wait(s->epoll, ev, ARRAY_LEN(ev), timeout_ms);
	if (n < 0 && errno != EINTR)
		return -errno;
	for (int i = 0; i < n; i++) {
		struct watch *w = ev[i].data.ptr;
		/* closed by one before it */
		if (w->fd >= 0)
			w->ready(s, w, ev[i].events);
	}
	while (s->later.n)
		free(s->later.v[--s->later.n]);
	return 0;
}
