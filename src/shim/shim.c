/* SPDX-License-Identifier: Apache-2.0 */
/* The command: comes loose from who started it, answers, ends when there is nothing left to do. */
#include "shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "schema/schema.h"
#include "shim/shim_int.h"
#include "sys/kernel.h"

enum { CONTROL_FD = 3, ARENA_MAX = 64 << 20 };

/* The one variable: a signal handler has no other way to reach the loop. */
static int child_pipe = -1;

static void on_child(int sig)
{
	int saved = errno;
	ssize_t n = write(child_pipe, "c", 1);
	(void)n;
	errno = saved;
}

static void on_nothing(int sig)
{
}

/* Handlers, not masks and not SIG_IGN: both of those would be handed down to the container. */
static int signals(struct shim *s, struct err *e)
{
	static const int kept_alive[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM };
	struct sigaction nothing = { .sa_handler = on_nothing, .sa_flags = SA_RESTART };
	struct sigaction child = { .sa_handler = on_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP };
	int p[2];
	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(e, errno, "make a pipe");
	child_pipe = p[1];
	for (size_t i = 0; i < ARRAY_LEN(kept_alive); i++)
		sigaction(kept_alive[i], &nothing, NULL);
	sigaction(SIGCHLD, &child, NULL);
	s->child.fd = p[0];
	return 0;
}

static void child_ready(struct shim *s, struct watch *w, uint32_t events)
{
	char drop[64];
	while (read(w->fd, drop, sizeof drop) == sizeof drop)
		;
	life_reap(s);
}

/* Nothing of who started us stays: no terminal, no files, no folder. */
static int come_loose(struct shim *s, struct err *e)
{
	setsid();
	AUTO(close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	AUTO(free) char *path = fmt_new("%s/shim.log", s->bundle);
	AUTO(close) int err = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
	if (null < 0 || err < 0)
		return err_sys(e, errno, "open %s", null < 0 ? "/dev/null" : "shim.log");
	k_close_range(CONTROL_FD + 1, (unsigned)MIN(null, err) - 1, 0);
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(err, 2) < 0)
		return err_sys(e, errno, "come loose");
	close(take_fd(&null));
	close(take_fd(&err));
	k_close_range(CONTROL_FD + 1, ~0U, 0);
	fd_set_cloexec(CONTROL_FD, true);
	umask(0022);
	prctl(PR_SET_NAME, "coracle-shim");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || chdir("/") < 0)
		return err_sys(e, errno, "come loose");
	return 0;
}

static int prepare(struct shim *s, const char *bundle, struct err *e)
{
	int r = setup_config(s, bundle, e);
	if (r < 0 || (r = come_loose(s, e)) < 0)
		return r;
	if ((s->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
		return err_sys(e, errno, "make a loop");
	if ((r = signals(s, e)) < 0)
		return r;
	if ((r = watch_add(s, &s->child, s->child.fd, EPOLLIN, child_ready)) < 0)
		return err_sys(e, r, "watch children");
	if ((r = control_listen(s, e)) < 0)
		return r;
	return setup_world(s, e);
}

/* What the first request would be answered with, when there is no world to do it in. */
static void report_failure(const struct err *e)
{
	char drop[16];
	AUTO(buf) struct buf b = BUF_INIT(8192);
	ssize_t n = recv(CONTROL_FD, drop, sizeof drop, MSG_DONTWAIT);
	(void)n;
	struct shim_message m = { .event = "failed", .code = e->code, .error = e->text };
	if (schema_to_json(T_shim_message, &m, 0, &b) == 0)
		fd_send(CONTROL_FD, b.ptr, b.len, NULL, 0);
}

int shim_main(int argc, char **argv)
{
	static struct shim shim;         /* 33 KB, of which a page is touched until there is output */
	struct shim *s = &shim;
	struct err e = { 0 };
	if (argc != 3 || strcmp(argv[1], "--bundle") || argv[2][0] != '/') {
		fprintf(stderr, "usage: coracle-runtime shim --bundle DIR (absolute; a control socket is descriptor 3)\n");
		return 2;
	}
	log_setup(LOG_INFO_, "shim");
	arena_init(&s->arena, ARENA_MAX);
	list_init(&s->sessions);
	list_init(&s->controls);
	s->epoll = s->child.fd = s->listener.fd = s->oom.fd = s->log.fd = -1;
	s->proc = RUNTIME_PROC_INIT;
	int r = prepare(s, argv[2], &e);
	if (r < 0) {
		report_failure(&e);
		log_error("shim did not start", "error=%s", e.text);
		setup_undo(s);
		return 1;
	}
	if (fcntl(CONTROL_FD, F_GETFD) >= 0)
		control_add(s, CONTROL_FD);
	while (!s->is_over && r == 0) {
		int timeout = life_tick(s);
		if (!s->is_over)
			r = loop_turn(s, timeout);
	}
	if (r < 0)
		log_error("shim's loop failed", "error=%s", err_name(-r));
	AUTO(free) char *sock = fmt_new("%s/shim.sock", s->bundle);
	if (sock)
		unlink(sock);
	setup_undo(s);
	return r < 0 ? 1 : 0;
}
