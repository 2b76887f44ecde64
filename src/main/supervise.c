/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor process: one thread that polls its children's pidfds, their
 * log pipes and a signalfd. SIGTERM stops everything, containers included
 * (SIGPWR to the engine); SIGHUP restarts the roles and leaves containers alone.
 *
 *   role:  down ──start──▶ running ──exit──▶ waiting (back-off) ──▶ running
 */
#include "main/supervisor.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "io/stream.h"
#include "main/supervisor_int.h"

enum { LOG_MAX_BYTES = 8 << 20, BACKOFF_FIRST_MS = 100, BACKOFF_MOST_MS = 10000, STOP_MS = 40000 };

const char *const sup_role_names[SUP_ROLES] = { [SUP_DNS] = "dns", [SUP_SERVER] = "server", [SUP_ENGINE] = "engine", [SUP_NODE] = "node" };

struct role {
	pid_t pid;
	int pidfd, log_pipe, log_file;
	off_t log_bytes;
	int64_t started_ns, again_ns;   /* monotonic; again_ns: when to start once more, 0 while running */
	int backoff_ms;
};
struct supervisor {
	struct sup_options o;
	struct role roles[SUP_ROLES];
	int sockets[SUP_ROLES];         /* listening, handed to the role as descriptor 3; -1: none */
	int signal_fd;
	bool stopping;
	char node_kubeconfig[512], proxy_kubeconfig[512];
	char *words;                    /* of the role that was started last */
};

static int open_log(struct supervisor *s, enum sup_role i)
{
	char path[512], old[520];
	if (!fmt_into(path, sizeof path, "%s/log/%s.log", s->o.root, sup_role_names[i]))
		return -ENAMETOOLONG;
	fmt_into(old, sizeof old, "%s.1", path);
	struct role *r = &s->roles[i];
	struct stat st;
	if (r->log_file >= 0 && r->log_bytes >= LOG_MAX_BYTES) {
		close(take_fd(&r->log_file));
		rename(path, old);
	}
	if (r->log_file < 0) {
		r->log_file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
		r->log_bytes = r->log_file >= 0 && fstat(r->log_file, &st) == 0 ? st.st_size : 0;
	}
	return r->log_file < 0 ? -errno : 0;
}

/* Moves what a role printed to its log file; false at the end of the pipe. */
static bool drain_log(struct supervisor *s, enum sup_role i)
{
	char text[8192];
	struct role *r = &s->roles[i];
	ssize_t n = read(r->log_pipe, text, sizeof text);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	if (open_log(s, i) == 0 && fd_write_all(r->log_file, text, (size_t)n) == 0)
		r->log_bytes += n;
	return true;
}

static void write_roles(struct supervisor *s)
{
	struct buf b = BUF_INIT(1024);
	char path[512];
	fmt_into(path, sizeof path, "%s/roles", s->o.run);
	for (int i = 0; i < SUP_ROLES; i++)
		if (sup_role_wanted(&s->o, i))
			buf_addf(&b, "%s %d\n", sup_role_names[i], (int)s->roles[i].pid);
	file_write_atomic(AT_FDCWD, path, buf_slice(&b), 0644, NULL);
	buf_release(&b);
}

/* In the forked child: only async-signal-safe work, then exec. */
_Noreturn static void become(struct supervisor *s, enum sup_role i, const char *program, const char *const *argv, int log_fd)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	int null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(log_fd, 1);
	dup2(log_fd, 2);
	int fd = s->sockets[i];
	if (fd == 3)
		fd_set_cloexec(3, false);
	else if (fd >= 0)
		dup2(fd, 3);
	syscall(SYS_close_range, fd >= 0 ? 4 : 3, ~0U, 0);
	execv(program, (char **)argv);
	_exit(127);
}

static int add_words(const char **argv, int n, int most, char *text)
{
	for (char *save = NULL, *w = text ? strtok_r(text, " ", &save) : NULL; w && n < most - 1; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	return n;
}

/* The command line of a role; its number of words. */
static int role_arguments(struct supervisor *s, enum sup_role i, const char *program, const char **argv, int most)
{
	const struct sup_options *o = &s->o;
	const char *const common[] = { program, sup_role_names[i], "--run", o->run };
	const char *const rest[] = { "--root", o->root, "--config", o->config };
	const char *const own[SUP_ROLES][9] = {
		[SUP_ENGINE] = { "--host", "fd://3" },
		[SUP_SERVER] = { "--listen", "fd://3", "--node-name", o->node_name },
		[SUP_NODE] = { "--listen", o->kubelet_listen, "--node-name", o->node_name, "--kubeconfig", s->node_kubeconfig, "--proxy-kubeconfig", s->proxy_kubeconfig },
	};
	int n = 0;
	for (size_t k = 0; k < ARRAY_LEN(common); k++)
		argv[n++] = common[k];
	for (size_t k = 0; k < ARRAY_LEN(rest) && i != SUP_DNS; k++)
		argv[n++] = rest[k];
	for (size_t k = 0; k < ARRAY_LEN(own[i]) && own[i][k]; k++)
		argv[n++] = own[i][k];
	for (int k = 0; i == SUP_ENGINE && k < o->n_extra && n < most - 1; k++)
		argv[n++] = o->extra[k];
	free(s->words);
	s->words = i == SUP_SERVER && o->server_flags ? strdup(o->server_flags) : i == SUP_NODE && o->node_flags ? strdup(o->node_flags) : NULL;
	return add_words(argv, n, most, s->words);
}

static int start_role(struct supervisor *s, enum sup_role i, struct err *e)
{
	struct role *r = &s->roles[i];
	char program[512];
	int p[2];
	int ret = sup_sibling("coracled", program, sizeof program, e);
	if (ret < 0)
		return ret;
	const char *argv[96];
	int n = role_arguments(s, i, program, argv, (int)ARRAY_LEN(argv));
	argv[n] = NULL;
	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(e, errno, "make a log pipe");
	fd_set_nonblock(p[1], false);
	pid_t pid = fork();
	if (pid == 0)
		become(s, i, program, argv, p[1]);
	close(p[1]);
	if (pid < 0) {
		close(p[0]);
		return err_sys(e, errno, "start %s", sup_role_names[i]);
	}
	r->pid = pid;
	r->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	r->log_pipe = p[0];
	r->started_ns = clock_monotonic_ns();
	r->again_ns = 0;
	write_roles(s);
	return 0;
}

static void role_ended(struct supervisor *s, enum sup_role i)
{
	struct role *r = &s->roles[i];
	int status = 0;
	waitpid(r->pid, &status, 0);
	while (r->log_pipe >= 0 && drain_log(s, i) && errno != EAGAIN)
		;
	close(take_fd(&r->pidfd));
	if (r->log_pipe >= 0)
		close(take_fd(&r->log_pipe));
	r->pid = 0;
	int64_t now = clock_monotonic_ns();
	if (!s->stopping)
		log_warn("role ended", "role=%s status=%d", sup_role_names[i], status);
	r->backoff_ms = now - r->started_ns > 10 * NS_PER_S ? BACKOFF_FIRST_MS : MIN(r->backoff_ms * 2, (int)BACKOFF_MOST_MS);
	r->again_ns = now + r->backoff_ms * NS_PER_MS;
	write_roles(s);
}

/* One wait for children, logs and signals, at most timeout_ms. */
static void turn(struct supervisor *s, int timeout_ms)
{
	struct pollfd p[1 + 2 * SUP_ROLES] = { { .fd = s->signal_fd, .events = POLLIN } };
	for (int i = 0; i < SUP_ROLES; i++) {
		p[1 + 2 * i] = (struct pollfd){ .fd = s->roles[i].pid ? s->roles[i].pidfd : -1, .events = POLLIN };
		p[2 + 2 * i] = (struct pollfd){ .fd = s->roles[i].log_pipe, .events = POLLIN };
	}
	if (poll(p, ARRAY_LEN(p), timeout_ms) <= 0)
		return;
	for (int i = 0; i < SUP_ROLES; i++) {
		if (p[2 + 2 * i].revents && !drain_log(s, i))
			close(take_fd(&s->roles[i].log_pipe));
		if (p[1 + 2 * i].revents)
			role_ended(s, i);
	}
	struct signalfd_siginfo si;
	if (p[0].revents && read(s->signal_fd, &si, sizeof si) == sizeof si) {
		if (si.ssi_signo == SIGHUP) {
			for (int i = 0; i < SUP_ROLES; i++)
				if (s->roles[i].pid)
					kill(s->roles[i].pid, SIGTERM);
		} else {
			s->stopping = true;
		}
	}
}

/* Ends one role: the engine is asked to stop its containers first. Past the time it is killed. */
static void stop_role(struct supervisor *s, enum sup_role i)
{
	struct role *r = &s->roles[i];
	if (!r->pid)
		return;
	kill(r->pid, i == SUP_ENGINE ? SIGPWR : SIGTERM);
	int64_t end = clock_monotonic_ns() + STOP_MS * NS_PER_MS;
	while (r->pid) {
		int64_t left = (end - clock_monotonic_ns()) / NS_PER_MS;
		if (left <= 0) {
			kill(r->pid, SIGKILL);
			left = 1000;
		}
		turn(s, (int)left);
	}
}

/* What the node leaves in the kernel goes once no container needs it. */
static void clean_up_node(struct supervisor *s)
{
	char program[512];
	const char *argv[96];
	struct err e;
	if (!sup_role_wanted(&s->o, SUP_NODE) || sup_sibling("coracled", program, sizeof program, &e) < 0)
		return;
	int n = role_arguments(s, SUP_NODE, program, argv, (int)ARRAY_LEN(argv) - 1);
	argv[n++] = "--cleanup";
	argv[n] = NULL;
	pid_t pid = fork();
	if (pid == 0) {
		execv(program, (char **)argv);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static int next_start_ms(struct supervisor *s)
{
	int64_t now = clock_monotonic_ns(), least = -1;
	for (int i = 0; i < SUP_ROLES; i++) {
		struct role *r = &s->roles[i];
		if (r->pid || !sup_role_wanted(&s->o, i))
			continue;
		struct err e;
		if (r->again_ns <= now && i == SUP_NODE && sup_role_wanted(&s->o, SUP_SERVER) && access(s->node_kubeconfig, R_OK) < 0)
			r->again_ns = now + 50 * NS_PER_MS; /* the server is about to write it, at its first start */
		if (r->again_ns <= now && start_role(s, i, &e) < 0) {
			log_error("cannot start role", "role=%s error=%s", sup_role_names[i], e.text);
			r->again_ns = now + BACKOFF_MOST_MS * NS_PER_MS;
		}
		if (!r->pid)
			least = least < 0 ? r->again_ns - now : MIN(least, r->again_ns - now);
	}
	return least < 0 ? -1 : (int)(least / NS_PER_MS) + 1;
}

static int take_lock(const char *run, struct err *e)
{
	char path[512];
	if (!fmt_into(path, sizeof path, "%s/supervisor.pid", run))
		return err_set(e, ENAMETOOLONG, "the run folder's name is too long");
	AUTO(close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(e, errno, "open %s", path);
	int tries = 0; /* whoever asks whether we run holds it for a moment */
	while (flock(fd, LOCK_EX | LOCK_NB) < 0 && tries++ < 20)
		poll(NULL, 0, 5);
	if (tries > 20)
		return err_set(e, EBUSY, "a supervisor already runs for %s", run);
	char pid[16];
	fmt_into(pid, sizeof pid, "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || fd_write_all(fd, pid, strlen(pid)) < 0)
		return err_sys(e, errno, "write %s", path);
	return take_fd(&fd);
}

/* Is the process one of ours for this run folder? Its number may be somebody else's by now. */
static bool is_role(const struct supervisor *s, pid_t pid)
{
	char path[64];
	AUTO(buf) struct buf b = BUF_INIT(64 << 10);
	fmt_into(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	if (file_read(AT_FDCWD, path, &b) < 0 || !b.len)
		return false;
	size_t program = strnlen(b.ptr, b.len), end = strlen("coracled");
	return program >= end && !memcmp(b.ptr + program - end, "coracled", end) && memmem(b.ptr, b.len, s->o.run, strlen(s->o.run) + 1);
}

/* Roles outlive a supervisor that was killed, with its sockets: they end before new ones start. Containers are not touched. */
static void end_orphans(const struct supervisor *s)
{
	char path[512];
	AUTO(buf) struct buf b = BUF_INIT(1024);
	fmt_into(path, sizeof path, "%s/roles", s->o.run);
	file_read(AT_FDCWD, path, &b);
	struct slice rest = buf_slice(&b), line, name, number;
	while (slice_next(&rest, '\n', &line)) {
		int64_t pid;
		if (!slice_cut(line, ' ', &name, &number) || num_parse_i64(number, 1, INT32_MAX, &pid) < 0)
			continue;
		AUTO(close) int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
		if (fd < 0 || !is_role(s, (pid_t)pid))
			continue;
		log_warn("ending a role whose supervisor was killed", "role=%.*s process=%d", SLICE_FMT(name), (int)pid);
		struct pollfd p = { fd, POLLIN, 0 };
		syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0);
		if (poll(&p, 1, 5000) <= 0) {
			syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
			poll(&p, 1, 1000);
		}
	}
}

static int open_api_socket(struct supervisor *s, struct err *e)
{
	char host[256];
	int64_t port;
	ptrdiff_t colon = slice_rfind(slice_of(s->o.api_listen), ':');
	if (colon < 0 || num_parse_i64(slice_of(s->o.api_listen + colon + 1), 1, 65535, &port) < 0)
		return err_set(e, EINVAL, "--api-listen %s: must be HOST:PORT", s->o.api_listen);
	struct slice name = slice_n(s->o.api_listen, (size_t)colon);
	fmt_into(host, sizeof host, "%.*s", SLICE_FMT(slice_is(name, "0.0.0.0") ? SLICE("") : name));
	fmt_into(s->node_kubeconfig, sizeof s->node_kubeconfig, "%s/node.kubeconfig", s->o.config);
	fmt_into(s->proxy_kubeconfig, sizeof s->proxy_kubeconfig, "%s/proxy.kubeconfig", s->o.config);
	int fd = listen_tcp(host, (unsigned)port, e);
	if (fd < 0)
		return fd;
	s->sockets[SUP_SERVER] = fd;
	return 0;
}

static int prepare(struct supervisor *s, struct err *e)
{
	char path[512];
	fmt_into(path, sizeof path, "%s/log", s->o.root);
	int r = dir_make(AT_FDCWD, path, 0711);
	if (r == 0)
		r = dir_make(AT_FDCWD, s->o.run, 0755);
	if (r < 0)
		return err_sys(e, r, "make %s and %s", path, s->o.run);
	r = take_lock(s->o.run, e);
	if (r < 0)
		return r;
	end_orphans(s);
	fmt_into(path, sizeof path, "%s/docker.sock", s->o.run);
	s->sockets[SUP_ENGINE] = unix_listen(path, 0660, SOCK_STREAM, e);
	if (s->sockets[SUP_ENGINE] < 0)
		return s->sockets[SUP_ENGINE];
	if (!s->o.no_kubernetes && (r = open_api_socket(s, e)) < 0)
		return r;
	struct group *g = getgrnam("docker");
	if (g && chown(path, 0, g->gr_gid) < 0)
		return err_sys(e, errno, "give %s to the group docker", path);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	return s->signal_fd < 0 ? err_sys(e, errno, "watch signals") : 0;
}

int supervise_main(int argc, char **argv)
{
	struct supervisor s = { .signal_fd = -1 };
	struct err e;
	log_setup(LOG_INFO_, "supervisor");
	for (int i = 0; i < SUP_ROLES; i++)
		s.sockets[i] = -1;
	for (int i = 0; i < SUP_ROLES; i++)
		s.roles[i] = (struct role){ .pidfd = -1, .log_pipe = -1, .log_file = -1, .backoff_ms = BACKOFF_FIRST_MS / 2 };
	if (sup_options_parse(argc, argv, &s.o, &e) < 0 || prepare(&s, &e) < 0) {
		log_error("cannot start", "error=%s", e.text);
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	while (!s.stopping)
		turn(&s, next_start_ms(&s));
	for (int i = SUP_ROLES; i-- > 0;)
		stop_role(&s, i);
	clean_up_node(&s);
	char path[512];
	static const char *const files[] = { "docker.sock", "cri.sock", "dns.sock", "dns.lock", "roles", "supervisor.pid" };
	static const char *const folders[] = { "net", "netns", "pods", "runtime", "shim", "shm", "" };
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		fmt_into(path, sizeof path, "%s/%s", s.o.run, files[i]);
		unlink(path);
	}
	fmt_into(path, sizeof path, "%s/shim", s.o.run);
	dir_remove(AT_FDCWD, path, NULL); /* bundles of containers that were just stopped */
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) { /* what is not empty is somebody's, and stays */
		fmt_into(path, sizeof path, "%s/%s", s.o.run, folders[i]);
		rmdir(path);
	}
	return 0;
}
