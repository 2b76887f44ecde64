/* SPDX-License-Identifier: Apache-2.0 */
/* The commands up, down and status. */
#include "main/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "main/folders.h"
#include "main/supervisor_int.h"

enum { READY_MS = 20000 };
static const char docker_sock[] = "/run/docker.sock";

int sup_options_parse(int argc, char **argv, struct sup_options *ret, struct err *e)
{
	static char host[256];          /* of this process: written once */
	*ret = (struct sup_options){ .root = DEFAULT_ROOT, .run = DEFAULT_RUN, .config = DEFAULT_CONFIG, .api_listen = "0.0.0.0:6443", .kubelet_listen = "0.0.0.0:10250" };
	if (gethostname(host, sizeof host - 1) < 0 || !*host)
		fmt_into(host, sizeof host, "localhost");
	for (char *p = host; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
	ret->node_name = host;
	static const struct { const char *flag; size_t at; } texts[] = {
		{ "--root", offsetof(struct sup_options, root) }, { "--run", offsetof(struct sup_options, run) }, { "--config", offsetof(struct sup_options, config) },
		{ "--api-listen", offsetof(struct sup_options, api_listen) }, { "--kubelet-listen", offsetof(struct sup_options, kubelet_listen) },
		{ "--node-name", offsetof(struct sup_options, node_name) }, { "--server-flags", offsetof(struct sup_options, server_flags) },
		{ "--node-flags", offsetof(struct sup_options, node_flags) },
	};
	for (int i = 1; i < argc; i++) {
		struct slice name, value;
		bool has = slice_cut(slice_of(argv[i]), '=', &name, &value);
		const char **to = NULL;
		for (size_t k = 0; k < ARRAY_LEN(texts); k++)
			if (slice_is(name, texts[k].flag))
				to = (const char **)((char *)ret + texts[k].at);
		if (!strcmp(argv[i], "--")) {
			ret->extra = (const char *const *)argv + i + 1;
			ret->n_extra = argc - i - 1;
			return 0;
		}
		if (!strcmp(argv[i], "--no-docker-sock")) {
			ret->no_docker_sock = true;
			continue;
		}
		if (!strcmp(argv[i], "--no-kubernetes")) {
			ret->no_kubernetes = true;
			continue;
		}
		if (!to)
			return err_set(e, EINVAL, "%s: unknown flag %s (known: --root --run --config --no-docker-sock --no-kubernetes --api-listen --kubelet-listen "
				"--node-name --server-flags --node-flags, and -- before flags of the engine)",
				       argv[0], argv[i]);
		if (!has && i + 1 == argc)
			return err_set(e, EINVAL, "%s: flag %s needs a value", argv[0], argv[i]);
		*to = has ? value.ptr : argv[++i];
		if (to - (const char **)ret < 3 && (*to)[0] != '/')
			return err_set(e, EINVAL, "%s: %.*s wants an absolute path, not %s", argv[0], SLICE_FMT(name), *to);
	}
	return 0;
}

int sup_sibling(const char *name, char *dst, size_t size, struct err *e)
{
	char self[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n < 0)
		return err_sys(e, errno, "find out where this program lies");
	self[n] = 0;
	char *slash = strrchr(self, '/');
	slash[1] = 0;
	if (!fmt_into(dst, size, "%s%s", self, name))
		return err_set(e, ENAMETOOLONG, "the path of %s is too long", name);
	return 0;
}

pid_t sup_running(const char *run)
{
	char path[512];
	fmt_into(path, sizeof path, "%s/supervisor.pid", run);
	AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 0;
	AUTO(buf) struct buf b = BUF_INIT(32);
	int64_t pid;
	if (fd_slurp(fd, &b) < 0 || num_parse_i64(slice_trim(buf_slice(&b)), 1, INT32_MAX, &pid) < 0)
		return -EBADMSG;
	return (pid_t)pid;
}

static int fail(const struct err *e)
{
	fprintf(stderr, "coracle: %s\n", e->text);
	return err_exit_code(e->code);
}

/* Not root: the same command again through sudo. Returns only when that is impossible. */
static int become_root(char **argv, struct err *e)
{
	char self[512];
	if (geteuid() == 0)
		return 0;
	int r = sup_sibling("coracle", self, sizeof self, e);
	if (r < 0)
		return r;
	char *args[64] = { "sudo", "--", self };
	int n = 3;
	for (int i = 0; argv[i] && n < 63; i++)
		args[n++] = argv[i];
	execvp("sudo", args);
	return err_set(e, EPERM, "%s needs root, and sudo could not be started: %s", argv[0], strerror(errno));
}

/* Asks the engine for /_ping and waits for its answer: ready when it answers 200. */
static int wait_ready(const char *run, struct err *e)
{
	static const char ask[] = "GET /_ping HTTP/1.1\r\nHost: coracle\r\nConnection: close\r\n\r\n";
	char path[512], answer[16];
	fmt_into(path, sizeof path, "%s/docker.sock", run);
	AUTO(close) int fd = unix_connect(path, SOCK_STREAM, e);
	if (fd < 0)
		return fd;
	int r = fd_write_all(fd, ask, sizeof ask - 1);
	if (r < 0)
		return err_sys(e, r, "ask the engine whether it is ready");
	struct pollfd p = { fd, POLLIN, 0 };
	if (poll(&p, 1, READY_MS) <= 0)
		return err_set(e, ETIMEDOUT, "the engine did not answer within %d s", READY_MS / 1000);
	ssize_t n = read(fd, answer, sizeof answer);
	if (n < 12 || memcmp(answer + 9, "200", 3))
		return err_set(e, EIO, "the engine answered, but not as one that is ready");
	return 0;
}

static bool have_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0;
}

/* Runs a program and waits; its exit code, or 127. */
static int run(const char *const *argv)
{
	pid_t pid = fork();
	int status;
	if (pid == 0) {
		execvp(argv[0], (char **)argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 127;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

static const char unit_path[] = "/run/systemd/system/coracle.service";

/* The flags that the background process gets; at most 24 words. */
static int supervise_words(const struct sup_options *o, const char **ret)
{
	const char *const pairs[][2] = {
		{ "--root", o->root }, { "--run", o->run }, { "--config", o->config }, { "--api-listen", o->api_listen }, { "--kubelet-listen", o->kubelet_listen },
		{ "--node-name", o->node_name }, { "--server-flags", o->server_flags }, { "--node-flags", o->node_flags },
	};
	int n = 0;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (pairs[i][1]) {
			ret[n++] = pairs[i][0];
			ret[n++] = pairs[i][1];
		}
	if (o->no_kubernetes)
		ret[n++] = "--no-kubernetes";
	return n;
}

/* systemd runs the same supervisor, in a unit that leaves shims alone. */
static int start_unit(const struct sup_options *o, struct err *e)
{
	char self[512];
	int r = sup_sibling("coracle", self, sizeof self, e);
	if (r < 0)
		return r;
	AUTO(buf) struct buf b = BUF_INIT(4096);
	const char *words[32];
	int n = supervise_words(o, words);
	buf_addf(&b, "[Unit]\nDescription=Coracle\nAfter=network.target\n\n[Service]\nExecStart=%s supervise", self);
	for (int i = 0; i < n; i++)
		buf_addf(&b, " \"%s\"", words[i]);
	if (o->n_extra)
		buf_adds(&b, " --");
	for (int i = 0; i < o->n_extra; i++)
		buf_addf(&b, " %s", o->extra[i]);
	buf_adds(&b, "\nRestart=on-failure\nRestartSec=1\nKillMode=process\nDelegate=yes\nTimeoutStopSec=60\nLimitNOFILE=1048576\nTasksMax=infinity\n");
	if (buf_error(&b))
		return err_set(e, -buf_error(&b), "write the unit: too many flags");
	r = file_write_atomic(AT_FDCWD, unit_path, buf_slice(&b), 0644, e);
	if (r < 0)
		return r;
	const char *const reload[] = { "systemctl", "daemon-reload", NULL }, *const start[] = { "systemctl", "start", "coracle.service", NULL };
	if (run(reload) || run(start))
		return err_set(e, EIO, "systemd could not start coracle.service: see journalctl -u coracle");
	return 0;
}

static int start_background(const struct sup_options *o, struct err *e)
{
	char self[512], path[512];
	int r = sup_sibling("coracle", self, sizeof self, e);
	if (r < 0)
		return r;
	fmt_into(path, sizeof path, "%s/log", o->root);
	r = dir_make(AT_FDCWD, path, 0711);
	if (r < 0)
		return err_sys(e, r, "make %s", path);
	fmt_into(path, sizeof path, "%s/log/supervisor.log", o->root);
	AUTO(close) int log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (log < 0)
		return err_sys(e, errno, "open %s", path);
	const char *argv[96] = { self, "supervise" };
	int n = 2 + supervise_words(o, argv + 2);
	argv[n++] = "--";
	for (int i = 0; i < o->n_extra && i < 50; i++)
		argv[n++] = o->extra[i];
	pid_t pid = fork();
	if (pid < 0)
		return err_sys(e, errno, "start the supervisor");
	if (pid == 0) {
		setsid();
		int null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(log, 1);
		dup2(log, 2);
		syscall(SYS_close_range, 3, ~0U, 0);
		if (chdir("/") == 0)
			execv(self, (char **)argv);
		_exit(127);
	}
	return 0;
}

/* The socket exists a moment after the supervisor has started: wait for its folder to show it. */
static int wait_socket(const char *run_dir, struct err *e)
{
	char path[512];
	fmt_into(path, sizeof path, "%s/docker.sock", run_dir);
	int64_t end = clock_monotonic_ns() + READY_MS * NS_PER_MS;
	while (clock_monotonic_ns() < end) {
		int fd = unix_connect(path, SOCK_STREAM, NULL);
		if (fd >= 0) {
			close(fd);
			return 0;
		}
		poll(NULL, 0, 2);
	}
	return err_set(e, ETIMEDOUT, "the supervisor did not open %s: see its log below the root folder", path);
}

/* Offers /run/docker.sock where nobody else owns it; true if clients find us there. */
static bool offer_socket(const struct sup_options *o)
{
	char mine[512], at[512];
	struct stat st;
	fmt_into(mine, sizeof mine, "%s/docker.sock", o->run);
	if (o->no_docker_sock)
		return false;
	if (lstat(docker_sock, &st) == 0) {
		ssize_t n = readlink(docker_sock, at, sizeof at - 1);
		if (n < 0)
			return false;
		at[n] = 0;
		if (!strcmp(at, mine))
			return true;
		if (access(docker_sock, F_OK) == 0)
			return false;
		unlink(docker_sock);
	}
	return symlink(mine, docker_sock) == 0;
}

/* Roles of a supervisor that was killed still answer on its socket: without the name, only the new one is waited for. */
static void forget_socket(const char *run)
{
	char path[512];
	fmt_into(path, sizeof path, "%s/supervisor.pid", run);
	AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	fmt_into(path, sizeof path, "%s/docker.sock", run);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) /* none starts by itself at this moment */
		unlink(path);
}

static int start(const struct sup_options *o, struct err *e)
{
	forget_socket(o->run);
	int r = have_systemd() ? start_unit(o, e) : start_background(o, e);
	return r < 0 ? r : wait_socket(o->run, e);
}

int up_main(int argc, char **argv)
{
	struct sup_options o;
	struct err e;
	if (sup_options_parse(argc, argv, &o, &e) < 0 || become_root(argv, &e) < 0)
		return fail(&e);
	bool was_up = sup_running(o.run) > 0;
	if (!was_up && start(&o, &e) < 0)
		return fail(&e);
	if (wait_ready(o.run, &e) < 0 || (!o.no_kubernetes && sup_wait_cluster(&o, &e) < 0))
		return fail(&e);
	printf("Coracle is %s.\n", was_up ? "already up" : "up");
	if (offer_socket(&o))
		printf("docker finds it at /run/docker.sock.\n");
	else
		printf("To use it with docker:\n  export DOCKER_HOST=unix://%s/docker.sock\n", o.run);
	if (o.no_kubernetes)
		return 0;
	if (sup_offer_kubeconfig(&o))
		printf("kubectl finds it by its default configuration.\n");
	else
		printf("To use it with kubectl:\n  export KUBECONFIG=%s/kubeconfig\n", o.config);
	return 0;
}

int down_main(int argc, char **argv)
{
	struct sup_options o;
	struct err e;
	char at[512], mine[512];
	if (sup_options_parse(argc, argv, &o, &e) < 0 || become_root(argv, &e) < 0)
		return fail(&e);
	pid_t pid = sup_running(o.run);
	fmt_into(at, sizeof at, "%s/roles", o.run);
	if (pid <= 0 && access(at, F_OK) == 0) { /* the supervisor was killed: a new one ends what it left */
		if (start(&o, &e) < 0 || wait_ready(o.run, &e) < 0)
			return fail(&e);
		pid = sup_running(o.run);
	}
	if (pid <= 0) {
		printf("Coracle is not up.\n");
		return 0;
	}
	AUTO(close) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0 || syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) < 0) {
		err_sys(&e, errno, "ask the supervisor (process %d) to stop", (int)pid);
		return fail(&e);
	}
	struct pollfd p = { pidfd, POLLIN, 0 };
	if (poll(&p, 1, 90000) <= 0) {
		err_set(&e, ETIMEDOUT, "the supervisor (process %d) did not end within 90 s", (int)pid);
		return fail(&e);
	}
	fmt_into(mine, sizeof mine, "%s/docker.sock", o.run);
	ssize_t n = readlink(docker_sock, at, sizeof at - 1);
	if (n > 0 && (at[n] = 0, !strcmp(at, mine)))
		unlink(docker_sock);
	if (have_systemd())
		unlink(unit_path);
	sup_take_kubeconfig_back(&o);
	printf("Coracle is down.\n");
	return 0;
}

/* One line of status for a process: its resident memory and age, from /proc. */
static void print_role(const char *name, pid_t pid)
{
	char path[64];
	AUTO(buf) struct buf b = BUF_INIT(8192);
	fmt_into(path, sizeof path, "/proc/%d/status", (int)pid);
	const char *rss = file_read(AT_FDCWD, path, &b) == 0 ? strstr(b.ptr, "VmRSS:") : NULL;
	if (!rss) {
		printf("%-12s down\n", name);
		return;
	}
	struct slice kb = slice_trim(slice_n(rss + 6, strcspn(rss + 6, "k\n")));
	int64_t v = 0;
	num_parse_i64(kb, 0, INT64_MAX / 1024, &v);
	char size[16];
	num_human_bytes(size, (double)v * 1024);
	printf("%-12s running   process %-8d %s\n", name, (int)pid, size);
}

int status_main(int argc, char **argv)
{
	struct sup_options o;
	struct err e;
	char path[512];
	if (sup_options_parse(argc, argv, &o, &e) < 0)
		return fail(&e);
	pid_t pid = sup_running(o.run);
	if (pid <= 0) {
		printf("Coracle is down.\n");
		return 3;
	}
	print_role("supervisor", pid);
	AUTO(buf) struct buf b = BUF_INIT(1024);
	fmt_into(path, sizeof path, "%s/roles", o.run);
	file_read(AT_FDCWD, path, &b);
	struct slice rest = buf_slice(&b), line, name, number;
	while (slice_next(&rest, '\n', &line)) {
		int64_t role;
		char text[32];
		if (!slice_cut(line, ' ', &name, &number) || num_parse_i64(number, 0, INT32_MAX, &role) < 0)
			continue;
		fmt_into(text, sizeof text, "%.*s", SLICE_FMT(name));
		print_role(text, (pid_t)role);
	}
	return wait_ready(o.run, &e) < 0 ? fail(&e) : 0;
}
