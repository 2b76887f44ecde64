/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that connect to a running container: exec, attach, run -i, cp. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "io/fiber.h"
#include "kube/stream/remote.h"
#include "kubectl/commands.h"

struct session {
	struct kctl *k;
	struct remote *r;
	struct termios saved;
	bool raw;
	unsigned copying;               /* fibers that still bring output */
	struct waitq ended;
	/* where bytes go and come from when it is not the terminal (cp) */
	int in_fd, out_fd;
};

static void restore(struct session *s)
{
	if (s->raw)
		tcsetattr(0, TCSANOW, &s->saved);
	s->raw = false;
}

static void make_raw(struct session *s)
{
	struct termios t;
	if (tcgetattr(0, &s->saved) < 0)
		return;
	t = s->saved;
	cfmakeraw(&t);
	s->raw = tcsetattr(0, TCSANOW, &t) == 0;
}

static void send_size(struct session *s)
{
	struct winsize w;
	if (s->r->resize && ioctl(0, TIOCGWINSZ, &w) == 0 && w.ws_col)
		remote_send_size_wait(s->r, (struct remote_size){ w.ws_col, w.ws_row });
}

static void size_fiber(void *arg) { send_size(arg); }

static void on_window(void *arg, int signal)
{
	struct session *s = arg;
	if (s->r)
		fiber_start(s->k->loop, "size", size_fiber, s);
}

struct copy { struct session *s; struct stream *from; int fd; };

static void output_fiber(void *arg)
{
	struct copy *c = arg;
	char part[32768];
	ssize_t n;
	while ((n = stream_read_wait(c->from, part, sizeof part)) > 0)
		if (fd_write_all(c->fd, part, (size_t)n) < 0)
			break;
	if (!--c->s->copying)
		waitq_wake_all(&c->s->ended);
}

struct input { int fd; char part[32768]; ssize_t n; };

static int read_job(void *arg)
{
	struct input *i = arg;
	i->n = read(i->fd, i->part, sizeof i->part);
	return i->n < 0 ? -errno : 0;
}

/* Standard input blocks where it likes: it is read on a worker. */
static void input_fiber(void *arg)
{
	struct session *s = arg;
	struct input *i = malloc(sizeof *i);
	if (!i)
		return;
	i->fd = s->in_fd;
	for (;;) {
		int r = job_wait(read_job, i);
		if (r == -EINTR)
			continue;
		if (r < 0 || i->n <= 0 || !s->r || remote_gone(s->r) || stream_write_wait(s->r->in, i->part, (size_t)i->n) < 0)
			break;
	}
	if (s->r && !remote_gone(s->r))
		stream_shutdown_wait(s->r->in);
	free(i);
}

/* Connects, copies, and gives the command's exit code, or < 0. */
static int connect_and_copy(struct kctl *k, const char *target, const struct remote_wants *w, int in_fd, int out_fd, struct err *e)
{
	static struct session s;        /* outlives this call: a fiber may still be reading standard input when the process ends */
	struct http_header h[1];
	struct http_headers headers = { h, 0 };
	s = (struct session){ .k = k, .in_fd = in_fd, .out_fd = out_fd };
	waitq_init(&s.ended);
	if (kclient_bearer(k->client))
		h[headers.n++] = (struct http_header){ SLICE("Authorization"), slice_of(kclient_bearer(k->client)) };
	kctl_flush(k);
	int r = remote_connect_wait(kclient_http(k->client), target, &headers, w, &s.r, e);
	if (r < 0) {
		k->long_error = kctl_fmt(k, "error: %s", e->text);
		return r;
	}
	if (w->tty) {
		make_raw(&s);
		loop_signal(k->loop, SIGWINCH, on_window, &s);
		send_size(&s);
	}
	struct copy out = { &s, s.r->out, out_fd }, err = { &s, s.r->err, 2 };
	s.copying = !!s.r->out + !!s.r->err;
	if (s.r->out && fiber_start(k->loop, "stdout", output_fiber, &out) < 0)
		s.copying--;
	if (s.r->err && fiber_start(k->loop, "stderr", output_fiber, &err) < 0)
		s.copying--;
	if (s.r->in)
		fiber_start(k->loop, "stdin", input_fiber, &s);
	r = remote_result_wait(s.r, e);
	while (s.copying && waitq_wait(&s.ended, 5 * NS_PER_S) == 0)
		;
	restore(&s);
	struct remote *x = s.r;
	s.r = NULL;
	remote_close_wait(x);
	return r;
}

static const char *wants_query(struct kctl *k, const char *container, const struct remote_wants *w)
{
	const char *q = kctl_query(k, NULL, "container", container);
	static const struct { const char *name; size_t at; } rows[] = {
		{ "stdin", offsetof(struct remote_wants, in) }, { "stdout", offsetof(struct remote_wants, out) }, { "stderr", offsetof(struct remote_wants, err) },
		{ "tty", offsetof(struct remote_wants, tty) },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (*(const bool *)((const char *)w + rows[i].at))
			q = kctl_query(k, q, rows[i].name, "true");
	return q;
}

static int pods_kind(struct kctl *k, struct kctl_kind *ret, struct err *e) { return kctl_kind_wait(k, "pods", ret, e); }

static const char *container_of_pod(struct kctl *k, const struct tree *pod, struct err *e)
{
	static const char *const lists[] = { "spec.containers", "spec.initContainers", "spec.ephemeralContainers" };
	const char *want = flag_known(&k->f, "container") ? flag_str(&k->f, "container") : "";
	if (!*want)
		return kctl_default_container(k, pod, !flag_known(&k->f, "quiet") || !flag_bool(&k->f, "quiet"));
	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		const struct tree *list = tree_path(pod, lists[l]);
		for (uint32_t i = 0; list && i < list->n; i++)
			if (!strcmp(kctl_text_at(k, tree_at(list, i), "name"), want))
				return want;
	}
	err_set(e, EINVAL, "Error from server (BadRequest): container %s is not valid for pod %s", want, kctl_text_at(k, pod, "metadata.name"));
	return NULL;
}

static int ended_with(struct kctl *k, int code)
{
	if (code > 0)
		kctl_warn(k, "command terminated with exit code %d", code);
	return code;
}

static bool terminal_wanted(struct kctl *k, bool in)
{
	if (!flag_bool(&k->f, "tty"))
		return false;
	if (in && isatty(0))
		return true;
	kctl_warn(k, "Unable to use a TTY - input is not a terminal or the right kind of file");
	return false;
}

int kcmd_exec(struct kctl *k, struct err *e)
{
	struct kctl_target t;
	struct kctl_kind pods;
	struct tree pod;
	int from_file = flag_list(&k->f, "filename")->n != 0, first = k->f.dash >= 0 ? k->f.dash : 1;
	if (!from_file && k->f.argc < 1)
		return kctl_usage(k, e, "pod, type/name or --filename must be specified");
	if (k->f.dash < 0 && k->f.argc > 1)
		return kctl_usage(k, e, "exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead");
	if (first >= k->f.argc)
		return kctl_usage(k, e, "you must specify at least one command for the container");
	int r = from_file ? 0 : kctl_one_wait(k, k->f.argv[0], "pods", &t, e);
	if (from_file) {
		struct kctl_targets all = { 0 };
		r = kctl_read_files_wait(k, &all, e);
		if (r == 0)
			t = all.v[0];
	}
	if (r == 0)
		r = kctl_pod_of_wait(k, &t, &pod, e);
	if (r == 0)
		r = pods_kind(k, &pods, e);
	if (r < 0)
		return r;
	const char *name = kctl_text_at(k, &pod, "metadata.name"), *phase = kctl_text_at(k, &pod, "status.phase"), *container = container_of_pod(k, &pod, e);
	if (!container)
		return -e->code;
	if (!strcmp(phase, "Succeeded") || !strcmp(phase, "Failed"))
		return err_set(e, EINVAL, "cannot exec into a container in a completed pod; current phase is %s", phase);
	bool in = flag_bool(&k->f, "stdin"), tty = terminal_wanted(k, in);
	struct remote_wants w = { .in = in, .out = true, .err = !tty, .tty = tty };
	const char *q = wants_query(k, container, &w);
	for (int i = first; i < k->f.argc; i++)
		q = kctl_query(k, q, "command", k->f.argv[i]);
	r = connect_and_copy(k, kctl_path(k, &pods, kctl_text_at(k, &pod, "metadata.namespace"), name, "exec", q), &w, 0, 1, e);
	return r < 0 ? r : ended_with(k, r);
}

static int attach_to(struct kctl *k, const struct kctl_kind *pods, const struct tree *pod, const char *container, bool in, bool tty, struct err *e)
{
	struct remote_wants w = { .in = in, .out = true, .err = !tty, .tty = tty };
	if (in && tty)
		kctl_warn(k, "If you don't see a command prompt, try pressing enter.");
	return connect_and_copy(k, kctl_path(k, pods, kctl_text_at(k, pod, "metadata.namespace"), kctl_text_at(k, pod, "metadata.name"), "attach", wants_query(k, container, &w)), &w, 0, 1, e);
}

int kcmd_attach(struct kctl *k, struct err *e)
{
	struct kctl_target t;
	struct kctl_kind pods;
	struct tree pod;
	int r = kctl_one_wait(k, kctl_arg(k, 0), "pods", &t, e);
	if (r == 0)
		r = kctl_pod_of_wait(k, &t, &pod, e);
	if (r == 0)
		r = pods_kind(k, &pods, e);
	const char *container = r == 0 ? container_of_pod(k, &pod, e) : NULL;
	if (r == 0 && !container)
		r = -e->code;
	if (r < 0)
		return r;
	const struct tree *list = tree_path(&pod, "spec.containers");
	bool has_tty = false;
	for (uint32_t i = 0; list && i < list->n; i++)
		if (!strcmp(kctl_text_at(k, tree_at(list, i), "name"), container))
			has_tty = tree_is_true(tree_gets(tree_at(list, i), "tty"));
	if (flag_bool(&k->f, "tty") && !has_tty)
		kctl_warn(k, "error: Unable to use a TTY - container %s did not allocate one", container);
	bool in = flag_bool(&k->f, "stdin");
	r = attach_to(k, &pods, &pod, container, in, has_tty && flag_bool(&k->f, "tty") && terminal_wanted(k, in), e);
	return r < 0 ? r : ended_with(k, r);
}

/* --- run -i ---------------------------------------------------------------------------------------- */
struct until { struct kctl *k; struct tree pod; const char *phase; bool ended_too; };

static int on_phase(void *arg, const char *type, const struct tree *object, struct arena *a)
{
	struct until *u = arg;
	struct slice phase = tree_text(tree_path(object, "status.phase"));
	if (!strcmp(type, "DELETED"))
		return -ENOENT;
	const struct tree *ready = tree_path(object, "status.containerStatuses[0].state.running");
	bool over = slice_is(phase, "Succeeded") || slice_is(phase, "Failed");
	if ((u->ended_too ? over : over || (slice_is(phase, "Running") && ready)) && tree_copy(object, &u->k->arena, &u->pod) == 0)
		return 1;
	return 0;
}

static int wait_phase(struct kctl *k, const struct kctl_target *t, bool ended, int64_t timeout_ns, struct tree *ret, struct err *e)
{
	struct until u = { .k = k, .ended_too = ended };
	int64_t end = clock_monotonic_ns() + timeout_ns;
	const char *q = kctl_query(k, NULL, "fieldSelector", kctl_fmt(k, "metadata.name=%s", t->name));
	for (;;) {
		struct tree list;
		int r = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, NULL, NULL, q), &list, e);
		const struct tree *o = r == 0 ? tree_at(tree_gets(&list, "items"), 0) : NULL;
		if (r == 0 && !o)
			return err_set(e, ENOENT, "pods \"%s\" not found", t->name);
		if (r == 0 && on_phase(&u, "MODIFIED", o, &k->arena) == 1)
			break;
		if (r == 0)
			r = kctl_watch_wait(k, kctl_path(k, &t->kind, t->ns, NULL, NULL, kctl_query(k, q, "resourceVersion", kctl_text_at(k, &list, "metadata.resourceVersion"))), NULL,
				timeout_ns > 0 ? MAX(end - clock_monotonic_ns(), (int64_t)1) : 0, on_phase, &u, e);
		if (r == 1)
			break;
		if (r < 0 && r != -ESTALE)
			return r;
	}
	*ret = u.pod;
	return 0;
}

static int print_log(struct kctl *k, const struct kctl_target *t, struct err *e)
{
	struct kctl_reply reply;
	int r = kctl_request_wait(k, "GET", kctl_path(k, &t->kind, t->ns, t->name, "log", kctl_query(k, NULL, "container", t->name)), "*/*", NULL, slice_n("", 0), &reply, e);
	if (r == 0 && reply.status == 200)
		buf_addslice(&k->out, buf_slice(&reply.body));
	else if (r == 0)
		r = kctl_server_error(k, reply.status, buf_slice(&reply.body), e);
	buf_release(&reply.body);
	return r;
}

int kctl_run_attached_wait(struct kctl *k, const struct kctl_target *t, struct err *e)
{
	struct tree pod;
	bool in = flag_bool(&k->f, "stdin"), tty = flag_bool(&k->f, "tty") && terminal_wanted(k, in), never = !strcmp(flag_str(&k->f, "restart"), "Never");
	int r = wait_phase(k, t, false, flag_num(&k->f, "pod-running-timeout"), &pod, e), code = 0;
	if (r == 0) {
		const char *phase = kctl_text_at(k, &pod, "status.phase");
		if (!strcmp(phase, "Succeeded") || !strcmp(phase, "Failed")) {
			r = print_log(k, t, e);
		} else {
			r = attach_to(k, &t->kind, &pod, t->name, in, tty, e);
			if (r < 0 && (e->code == ENOENT || e->code == EINVAL || e->code == EIO)) {
				/* it ended before we came: what it wrote is in its log */
				k->long_error = NULL;
				r = print_log(k, t, e);
			}
			if (r > 0)
				r = 0;
		}
	}
	if (r == 0 && never && (r = wait_phase(k, t, true, 0, &pod, e)) == 0) {
		int64_t exit_code = 0;
		tree_i64(tree_path(&pod, "status.containerStatuses[0].state.terminated.exitCode"), &exit_code);
		code = (int)exit_code;
	}
	kctl_flush(k);
	if (flag_bool(&k->f, "rm")) {
		struct tree options = tree_map(), got;
		struct err why = { 0 };
		kctl_set_text(k, &options, "kind", "DeleteOptions");
		kctl_set_text(k, &options, "apiVersion", "v1");
		int d = kctl_send_wait(k, "DELETE", kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), NULL, &options, &got, &why);
		if (d == 0 && !flag_bool(&k->f, "quiet"))
			kctl_print(k, "pod \"%s\" deleted from %s namespace\n", t->name, t->ns);
	} else if (r == 0 && in && !never && !flag_bool(&k->f, "quiet")) {
		kctl_print(k, "Session ended, resume using '%s %s -c %s -i%s' command when the pod is running\n", "kubectl attach", t->name, t->name, tty ? " -t" : "");
	}
	if (r == 0 && code)
		kctl_warn(k, "pod %s/%s terminated (Error)", t->ns, t->name);
	return r < 0 ? r : code;
}

/* --- cp: tar on both sides ------------------------------------------------------------------------------- */
struct place { const char *ns, *pod, *path; bool remote; };

static int parse_place(struct kctl *k, const char *arg, struct place *ret, struct err *e)
{
	const char *colon = strchr(arg, ':');
	*ret = (struct place){ .ns = k->ns, .path = arg };
	if (!colon || colon == arg || strchr("./", *arg))
		return 0;
	const char *pod = kctl_fmt(k, "%.*s", (int)(colon - arg), arg);
	const char *slash = strchr(pod, '/');
	ret->remote = true;
	ret->path = colon + 1;
	ret->pod = slash ? slash + 1 : pod;
	if (slash)
		ret->ns = kctl_fmt(k, "%.*s", (int)(slash - pod), pod);
	return *ret->path ? 0 : err_set(e, EINVAL, "filepath can not be empty");
}

/* tar as a child, with one end of a pipe; the other end in *ret. */
static int local_tar(const char *const *argv, bool reads, int *ret, pid_t *pid, struct err *e)
{
	int p[2];
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe");
	*pid = fork();
	if (*pid == 0) {
		dup2(p[reads ? 0 : 1], reads ? 0 : 1);
		signal(SIGPIPE, SIG_DFL);
		execvp(argv[0], (char **)argv);
		_exit(127);
	}
	close(p[reads ? 0 : 1]);
	*ret = p[reads ? 1 : 0];
	return *pid < 0 ? err_sys(e, errno, "start tar") : 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

static const char *folder_name(struct kctl *k, const char *path)
{
	const char *slash = strrchr(path, '/');
	return !slash ? "." : slash == path ? "/" : kctl_fmt(k, "%.*s", (int)(slash - path), path);
}

static const char *without_end_slash(struct kctl *k, const char *path)
{
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	return kctl_fmt(k, "%.*s", (int)n, path);
}

static int remote_tar(struct kctl *k, const struct place *at, const char *const *command, bool in, int fd, struct err *e)
{
	struct kctl_kind pods;
	struct tree pod;
	int r = pods_kind(k, &pods, e);
	if (r == 0)
		r = kctl_get_wait(k, kctl_path(k, &pods, at->ns, at->pod, NULL, NULL), &pod, e);
	const char *container = r == 0 ? container_of_pod(k, &pod, e) : NULL;
	if (r == 0 && !container)
		r = -e->code;
	if (r < 0)
		return r;
	struct remote_wants w = { .in = in, .out = true, .err = true };
	const char *q = wants_query(k, container, &w);
	for (size_t i = 0; command[i]; i++)
		q = kctl_query(k, q, "command", command[i]);
	r = connect_and_copy(k, kctl_path(k, &pods, at->ns, at->pod, "exec", q), &w, in ? fd : -1, in ? 1 : fd, e);
	if (r > 0)
		return err_set(e, EIO, "tar in the container ended with exit code %d", r);
	return r;
}

static int await_tar(pid_t pid, struct err *e)
{
	int status = 0;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : err_set(e, EIO, "tar on this machine failed");
}

static int copy_in(struct kctl *k, const char *from, const struct place *to, struct err *e)
{
	const char *source = without_end_slash(k, from), *target = without_end_slash(k, to->path), *name = base_name(source);
	struct stat st;
	pid_t pid;
	int fd;
	if (stat(source, &st) < 0)
		return err_set(e, ENOENT, "%s doesn't exist in local filesystem", from);
	/* a target that is a folder gets the file under its own name */
	const char *const probe[] = { "test", "-d", target, NULL };
	bool into = to->path[strlen(to->path) - 1] == '/';
	struct err ignored = { 0 };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (!into && null >= 0)
		into = remote_tar(k, to, probe, false, null, &ignored) == 0;
	k->long_error = NULL;
	if (null >= 0)
		close(null);
	const char *folder = into ? target : folder_name(k, target), *new_name = into ? name : base_name(target);
	const char *const local[] = { "tar", "cf", "-", "-C", folder_name(k, source), kctl_fmt(k, "--transform=flags=r;s|^%s|%s|", name, new_name), "--", name, NULL };
	const char *const there[] = { "tar", "-xmf", "-", "-C", folder, NULL };
	int r = local_tar(local, false, &fd, &pid, e);
	if (r < 0)
		return r;
	r = remote_tar(k, to, there, true, fd, e);
	close(fd);
	int w = await_tar(pid, r < 0 ? &ignored : e);
	return r < 0 ? r : w;
}

static int copy_out(struct kctl *k, const struct place *from, const char *to, struct err *e)
{
	const char *source = without_end_slash(k, from->path), *name = base_name(source);
	struct stat st;
	pid_t pid;
	int fd;
	bool into = stat(to, &st) == 0 && S_ISDIR(st.st_mode);
	const char *folder = into ? to : folder_name(k, without_end_slash(k, to)), *new_name = into ? name : base_name(without_end_slash(k, to));
	/* names in the archive are ours to choose: the local tar refuses absolute ones and ".." by itself */
	const char *const there[] = { "tar", "cf", "-", "-C", folder_name(k, source), name, NULL };
	const char *const local[] = { "tar", "xmf", "-", "-C", folder, kctl_fmt(k, "--transform=flags=r;s|^%s|%s|", name, new_name), "--no-same-owner", NULL };
	int r = local_tar(local, true, &fd, &pid, e);
	if (r < 0)
		return r;
	r = remote_tar(k, from, there, false, fd, e);
	close(fd);
	struct err ignored;
	int w = await_tar(pid, r < 0 ? &ignored : e);
	return r < 0 ? r : w;
}

int kcmd_cp(struct kctl *k, struct err *e)
{
	struct place from, to;
	int r = kctl_client(k, e);
	if (r == 0)
		r = parse_place(k, kctl_arg(k, 0), &from, e);
	if (r == 0)
		r = parse_place(k, kctl_arg(k, 1), &to, e);
	if (r < 0)
		return r;
	if (from.remote && to.remote)
		return err_set(e, EINVAL, "one of src or dest must be a local file specification");
	if (!from.remote && !to.remote)
		return err_set(e, EINVAL, "one of src or dest must be a remote file specification");
	return from.remote ? copy_out(k, &from, to.path, e) : copy_in(k, from.path, &to, e);
}
