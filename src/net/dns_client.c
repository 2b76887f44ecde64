// SPDX-License-Identifier: Apache-2.0
/*
 * One fiber does all talking:
 *
 *   connect ──▶ list ──▶ set every wanted container, remove every other ──▶ work off changes ──▶ …
 *      ▲  (none answers: start the process, try again)                            │
 *      └──────────────────────── connection lost ◀───────────────────────────────┘
 */
#include "net/dns_client.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/map.h"
#include "base/vec.h"
#include "io/fiber.h"

enum { PACKET_MAX = 128 * 1024, ANSWER_WAIT_S = 5, RETRY_FIRST_MS = 20, RETRY_MOST_MS = 2000 };

struct dns_client {
	struct loop *loop;
	char *path, *run, *program;
	struct dns_source source;
	struct map changed;             /* containers to be told about; the value is the ticket of the last change */
	struct map held;                /* containers whose sockets the process has */
	uint64_t tickets;
	struct waitq work, progress;
	struct fiber *fiber;
	struct child child;
	struct watch idle;              /* on fd while there is nothing to do */
	bool child_runs, closing, warned;
	int fd;
	struct buf packet;
};

/* --- one exchange */

static int send_request_wait(struct dns_client *c, const struct dns_request *q, const int *fds, size_t n_fds)
{
	buf_reset(&c->packet);
	int r = schema_to_json(T_dns_request, q, 0, &c->packet);
	if (r < 0 || (r = buf_error(&c->packet)) < 0)
		return r;
	for (;;) {
		ssize_t sent = fd_send(c->fd, c->packet.ptr, c->packet.len, fds, n_fds);
		if (sent >= 0)
			return 0;
		if (sent != -EAGAIN)
			return (int)sent;
		if ((r = fd_wait(c->fd, WATCH_WRITE, ANSWER_WAIT_S * NS_PER_S)) < 0)
			return r;
	}
}

static int take_answer_wait(struct dns_client *c, struct arena *a, struct dns_answer *ret)
{
	buf_reset(&c->packet);
	if (buf_reserve(&c->packet, PACKET_MAX) < 0)
		return -ENOMEM;
	for (;;) {
		size_t none = 0;
		ssize_t n = fd_recv(c->fd, c->packet.ptr, PACKET_MAX, NULL, &none);
		if (n == 0)
			return -ECONNRESET;
		if (n > 0)
			return schema_from_json(T_dns_answer, slice_n(c->packet.ptr, (size_t)n), 0, a, ret, NULL);
		if (n != -EAGAIN)
			return (int)n;
		int r = fd_wait(c->fd, WATCH_READ, ANSWER_WAIT_S * NS_PER_S);
		if (r < 0)
			return r;
	}
}

/* Brings one container to what the source wants. */
static int settle_wait(struct dns_client *c, const char *container)
{
	AUTO(arena) struct arena a;
	arena_init(&a, PACKET_MAX);
	struct dns_request q = { 0 };
	if (c->closing)
		return -ECANCELED;
	AUTO(close) int udp = -1;
	AUTO(close) int tcp = -1;
	bool held = map_gets(&c->held, container) != NULL;
	bool wanted = c->source.describe(c->source.arg, container, &a, &q);
	if (!wanted && !held)
		return 0;
	if (wanted && !held) {
		int fds[2];
		/* A namespace that cannot be entered is that container's trouble, not the connection's. */
		if (c->source.sockets_wait(c->source.arg, container, fds) < 0)
			return 0;
		udp = fds[0];
		tcp = fds[1];
		if (c->closing)
			return -ECANCELED;
		/* Much may have happened since. */
		arena_release(&a);
		wanted = c->source.describe(c->source.arg, container, &a, &q);
		if (!wanted)
			return 0;
	}
	if (!wanted)
		q = (struct dns_request){ .op = "remove", .container = container };
	q.sockets = wanted && !held;
	int r = send_request_wait(c, &q, (int[]){ udp, tcp }, q.sockets ? 2 : 0);
	struct dns_answer answer;
	if (r < 0 || (r = take_answer_wait(c, &a, &answer)) < 0)
		return r;
	if (answer.error && answer.error[0])
		log_warn("the dns process refused a container's names", "container=%.12s error=\"%s\"", container, answer.error);
	else if (wanted)
		r = map_sets(&c->held, container, c);
	else
		map_dels(&c->held, container);
	return r;
}

/* --- the connection */

static void mark(void *arg, const char *container)
{
	struct dns_client *c = arg;
	if (map_sets(&c->changed, container, (void *)(uintptr_t)++c->tickets) < 0)
		log_warn("out of memory for names of containers", "container=%.12s", container);
}

static void child_gone(struct child *child, int status)
{
	struct dns_client *c = container_of(child, struct dns_client, child);
	c->child_runs = false;
}

static void start_process(struct dns_client *c)
{
	if (!c->program || c->child_runs)
		return;
	const char *argv[] = { "coracled", "dns", "--run", c->run, "--linger", "10", NULL };
	int fds[3] = { -1, -1, 2 };
	struct spawn how = { .path = c->program, .argv = argv, .fds = fds, .n_fds = 3, .new_session = true, .cwd = "/" };
	struct err e = { 0 };
	if (child_spawn(c->loop, &c->child, &how, child_gone, &e) < 0)
		log_warn("cannot start the dns process", "error=\"%s\"", e.text);
	else
		c->child_runs = true;
}

/* Whether a container wants names; changes of others need no process that is not there. */
static bool is_needed(struct dns_client *c)
{
	size_t pos = 0;
	for (struct map_entry *x; (x = map_next(&c->changed, &pos));) {
		AUTO(arena) struct arena a;
		arena_init(&a, PACKET_MAX);
		struct dns_request q;
		if (c->source.describe(c->source.arg, x->key, &a, &q))
			return true;
		map_dels(&c->changed, x->key);
	}
	waitq_wake_all(&c->progress);
	return false;
}

static int connect_wait(struct dns_client *c)
{
	int64_t pause = RETRY_FIRST_MS * NS_PER_MS;
	while (!c->closing) {
		int fd = unix_connect(c->path, SOCK_SEQPACKET, NULL);
		if (fd >= 0) {
			fd_set_nonblock(fd, true);
			c->fd = fd;
			return 0;
		}
		int r;
		if (is_needed(c)) {
			start_process(c);
			r = sleep_wait(pause);
			pause = MIN(pause * 2, RETRY_MOST_MS * NS_PER_MS);
		} else {
			r = waitq_wait(&c->work, -1);
		}
		if (r < 0)
			return r;
	}
	return -ECANCELED;
}

static int list_held_wait(struct dns_client *c)
{
	map_release(&c->held);
	map_init(&c->held);
	int r = send_request_wait(c, &(struct dns_request){ .op = "list" }, NULL, 0);
	for (bool more = true; r >= 0 && more;) {
		AUTO(arena) struct arena a;
		arena_init(&a, 4 * PACKET_MAX);
		struct dns_answer answer;
		if ((r = take_answer_wait(c, &a, &answer)) < 0)
			break;
		for (uint32_t i = 0; i < answer.n_containers && r >= 0; i++)
			r = map_sets(&c->held, answer.containers[i], c);
		more = answer.more;
	}
	return r;
}

static int begin_wait(struct dns_client *c)
{
	int r = list_held_wait(c);
	if (r < 0)
		return r;
	if (c->closing)
		return -ECANCELED;
	size_t pos = 0;
	for (struct map_entry *x; (x = map_next(&c->held, &pos));)
		mark(c, x->key);
	c->source.each(c->source.arg, mark, c);
	return 0;
}

static void hung_up(struct watch *w, unsigned events)
{
	watch_set(w, 0);
	waitq_wake_all(&container_of(w, struct dns_client, idle)->work);
}

/* Until there is work; an error when the process has gone. */
static int idle_wait(struct dns_client *c)
{
	int r = watch_add(c->loop, &c->idle, c->fd, WATCH_READ | WATCH_HANGUP, hung_up);
	if (r < 0)
		return r;
	r = waitq_wait(&c->work, -1);
	watch_del(&c->idle);
	if (r < 0)
		return r;
	char byte;
	ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -ECONNRESET;
}

static int work_wait(struct dns_client *c)
{
	while (!c->closing) {
		size_t pos = 0;
		struct map_entry *x = map_next(&c->changed, &pos);
		if (!x) {
			waitq_wake_all(&c->progress);
			int r = idle_wait(c);
			if (r < 0)
				return r;
			continue;
		}
		char container[80];
		void *ticket = x->value;
		fmt_into(container, sizeof container, "%s", x->key);
		int r = settle_wait(c, container);
		if (r < 0)
			return r;
		if (map_gets(&c->changed, container) == ticket)
			map_dels(&c->changed, container);
		waitq_wake_all(&c->progress);
	}
	return 0;
}

static void run(void *arg)
{
	struct dns_client *c = arg;
	int64_t pause = RETRY_FIRST_MS * NS_PER_MS;
	c->fiber = fiber_self();
	c->source.each(c->source.arg, mark, c);
	while (!c->closing) {
		int r = connect_wait(c);
		int64_t since = loop_monotonic_ns(c->loop);
		if (r == 0)
			r = begin_wait(c);
		if (r == 0)
			r = work_wait(c);
		if (c->fd >= 0)
			close(take_fd(&c->fd));
		if (r == -ECANCELED)
			break;
		if (!c->closing) {
			int64_t lasted = loop_monotonic_ns(c->loop) - since;
			pause = lasted > RETRY_MOST_MS * NS_PER_MS ? RETRY_FIRST_MS * NS_PER_MS : MIN(pause * 2, RETRY_MOST_MS * NS_PER_MS);
			log_info("the dns process is not connected; trying again", "error=%s", err_name(-r));
			if (sleep_wait(pause) < 0)
				break;
		}
	}
	c->fiber = NULL;
	if (c->closing) {
		map_release(&c->changed);
		map_release(&c->held);
		buf_release(&c->packet);
		if (c->child_runs)
			child_forget(&c->child);
		free(c->path);
		free(c->run);
		free(c->program);
		free(c);
	}
}

/* --- for the engine */

int dns_client_new(struct loop *l, const char *run_dir, const char *program, const struct dns_source *source, struct dns_client **ret)
{
	struct dns_client *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	*c = (struct dns_client){ .loop = l, .source = *source, .fd = -1, .path = fmt_new("%s/dns.sock", run_dir), .run = slice_dup(slice_of(run_dir)),
		.program = program ? slice_dup(slice_of(program)) : NULL };
	map_init(&c->changed);
	map_init(&c->held);
	buf_init(&c->packet, PACKET_MAX + 1);
	waitq_init(&c->work);
	waitq_init(&c->progress);
	int r = c->path && c->run && (c->program || !program) ? fiber_start(l, "dns client", run, c) : -ENOMEM;
	if (r < 0) {
		free(c->path);
		free(c->run);
		free(c->program);
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

int dns_client_stop_wait(struct dns_client *c)
{
	int fd = unix_connect(c->path, SOCK_SEQPACKET, NULL);
	if (fd < 0)
		return 0;
	AUTO(close) int sock = fd;
	AUTO(buf) struct buf text = BUF_INIT(4096);
	int r = schema_to_json(T_dns_request, &(struct dns_request){ .op = "stop" }, 0, &text);
	if (r >= 0)
		r = (int)fd_send(sock, text.ptr, text.len, NULL, 0);
	/* Its end is the answer. */
	while (r >= 0 && (r = fd_wait(sock, WATCH_READ | WATCH_HANGUP, ANSWER_WAIT_S * NS_PER_S)) >= 0) {
		char room[256];
		if (recv(sock, room, sizeof room, MSG_DONTWAIT) == 0)
			return 0;
	}
	return r;
}

/* The fiber frees it when it has noticed. */
void dns_client_free(struct dns_client *c)
{
	if (!c)
		return;
	c->closing = true;
	if (c->fiber)
		fiber_cancel(c->fiber);
}

int dns_client_sync_wait(struct dns_client *c, const char *container, int64_t timeout_ns)
{
	mark(c, container);
	uint64_t mine = c->tickets;
	/* Nobody there and nobody to start: it is done when the process comes. */
	if (c->fd < 0 && !c->program && timeout_ns > 0)
		return -ENOTCONN;
	waitq_wake_all(&c->work);
	int64_t end = loop_monotonic_ns(c->loop) + timeout_ns;
	while (timeout_ns > 0) {
		uint64_t now = (uint64_t)(uintptr_t)map_gets(&c->changed, container);
		if (now == 0 || now > mine)
			return 0;
		int64_t left = end - loop_monotonic_ns(c->loop);
		int r = left > 0 ? waitq_wait(&c->progress, left) : -ETIMEDOUT;
		if (r < 0)
			return r;
	}
	return 0;
}
