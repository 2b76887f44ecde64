/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/shim_link.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "api/oci.h"
#include "api/shim.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "engine/attach.h"
#include "engine/exec.h"

enum { PACKET_MAX = 1 << 20, SEND_TRIES = 2000 };
#define ANSWER_NS (60 * NS_PER_S)
#define LOG_SIZE_DEFAULT (20 << 20)
#define LOG_FILES_DEFAULT 5

struct call {
	struct list node;
	uint64_t id;
	struct waitq q;
	bool done;
	struct arena *arena;
	struct shim_message answer;
};
struct shim {
	struct container *c;        /* counted */
	unsigned refs;              /* the container's, and each call's */
	struct watch watch;
	struct child child;
	bool has_child, is_broken, is_closed;
	struct list calls;
	uint64_t last_id;
};

static void shim_unref(struct shim *s)
{
	if (--s->refs)
		return;
	if (s->has_child)
		child_forget(&s->child);
	if (s->watch.fd >= 0) {
		watch_del(&s->watch);
		close(s->watch.fd);
	}
	container_unref(s->c);
	free(s);
}

/* --- messages that come in */
struct ended { struct container *c; int64_t code, at; bool oom, lost; };

static void ended_fiber(void *arg)
{
	struct ended *x = arg;
	if (x->lost) {
		/* the shim died without a word: what it left decides */
		if (shim_last_exit(x->c, &x->code, &x->oom, &x->at) < 0)
			x->code = 137;
		shim_sweep_wait(x->c);
	}
	lifecycle_ended_wait(x->c, x->code, x->oom, x->at);
	container_unref(x->c);
	free(x);
}

static void tell_ended(struct container *c, int64_t code, bool oom, int64_t at, bool lost)
{
	struct ended *x = malloc(sizeof *x);
	if (!x)
		return;
	*x = (struct ended){ container_ref(c), code, at, oom, lost };
	if (fiber_start(c->engine->loop, "container-ended", ended_fiber, x) < 0) {
		log_error("no fiber for a container's end", "container=%s", c->id);
		container_unref(c);
		free(x);
	}
}

static int64_t time_of(const char *text)
{
	int64_t t = 0;
	if (text)
		clock_parse_rfc3339(slice_of(text), &t);
	return t;
}

static void on_event(struct shim *s, const struct shim_message *m)
{
	struct container *c = s->c;
	if (!strcmp(m->event, "exited")) {
		s->is_broken = true;        /* whatever comes now is its goodbye */
		tell_ended(c, m->status ? *m->status : 0, m->oom, time_of(m->time), false);
	} else if (!strcmp(m->event, "oom")) {
		c->is_oom = true;
		container_event(c, "oom", NULL, 0);
	} else if (!strcmp(m->event, "exec_exited")) {
		exec_ended(c, m->exec_id ? m->exec_id : "", m->status ? *m->status : 0);
	} else if (!strcmp(m->event, "detached")) {
		if (m->exec_id && *m->exec_id)
			container_event(c, "exec_detach", (struct schema_pair[]){ { "execID", m->exec_id } }, 1);
		else
			container_event(c, "detach", NULL, 0);
	}
}

static void calls_fail(struct shim *s)
{
	struct call *k;
	list_each(k, &s->calls, node) {
		k->answer.code = ESRCH;
		k->answer.error = "the container is not running";
		k->done = true;
		list_del(&k->node);
		waitq_wake_all(&k->q);
	}
}

static void on_packet(struct shim *s, struct slice text)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 8 << 20);
	struct shim_message m;
	struct err e = { 0 };
	if (schema_from_json(T_shim_message, text, 0, &a, &m, &e) < 0) {
		log_warn("shim message unreadable", "container=%s error=%s", s->c->id, e.text);
		return;
	}
	if (m.event && *m.event) {
		on_event(s, &m);
		return;
	}
	struct call *k;
	list_each(k, &s->calls, node) {
		if (k->id != m.id)
			continue;
		if (schema_copy(T_shim_message, &m, k->arena, &k->answer) < 0)
			k->answer.code = ENOMEM;
		k->done = true;
		list_del(&k->node);
		waitq_wake_all(&k->q);
		return;
	}
}

static void on_ready(struct watch *w, unsigned events)
{
	struct shim *s = container_of(w, struct shim, watch);
	s->refs++;
	for (;;) {
		ssize_t n = recv(w->fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		char *p = n > 0 && n <= PACKET_MAX ? malloc((size_t)n) : NULL;
		if (p)
			n = recv(w->fd, p, (size_t)n, MSG_DONTWAIT);
		if (!p || n <= 0) {
			free(p);
			watch_del(w);
			close(w->fd);
			w->fd = -1;
			calls_fail(s);
			if (!s->is_broken && !s->is_closed && s->c->shim == s && container_is_alive(s->c))
				tell_ended(s->c, 137, false, 0, true);
			s->is_broken = true;
			break;
		}
		on_packet(s, slice_n(p, (size_t)n));
		free(p);
		if (s->is_closed || w->fd < 0)
			break;
	}
	shim_unref(s);
}

void shim_catch_up(struct container *c)
{
	if (c->shim && c->shim->watch.fd >= 0 && !c->shim->is_closed)
		on_ready(&c->shim->watch, WATCH_READ);
}

static void on_child(struct child *k, int status)
{
	struct shim *s = container_of(k, struct shim, child);
	s->has_child = false;
}

static int shim_new(struct container *c, int fd, struct shim **ret, struct err *e)
{
	struct shim *s = calloc(1, sizeof *s);
	if (!s)
		return err_nomem(e);
	int size = 2 << 20;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	fd_set_nonblock(fd, true);
	s->refs = 1;
	s->c = container_ref(c);
	list_init(&s->calls);
	s->watch.fd = -1;
	int r = watch_add(c->engine->loop, &s->watch, fd, WATCH_READ, on_ready);
	if (r < 0) {
		s->watch.fd = -1;
		shim_unref(s);
		return err_sys(e, r, "watching a shim");
	}
	*ret = s;
	return 0;
}

/* --- requests */
static int send_wait(struct shim *s, const struct shim_request *q, int fd, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(PACKET_MAX);
	if (schema_to_json(T_shim_request, q, 0, &b) < 0 || buf_error(&b))
		return err_set(e, E2BIG, "the request to the container's shim is too large");
	for (int i = 0; i < SEND_TRIES; i++) {
		if (s->watch.fd < 0 || s->is_closed)
			return err_set(e, ESRCH, "container %s is not running", s->c->id);
		ssize_t n = fd_send(s->watch.fd, b.ptr, b.len, &fd, fd >= 0 ? 1 : 0);
		if (n >= 0)
			return 0;
		if (n != -EAGAIN && n != -EINTR && n != -ENOBUFS)
			return n == -EPIPE || n == -ECONNRESET || n == -ENOTCONN ? err_set(e, ESRCH, "container %s is not running", s->c->id)
				: err_sys(e, (int)n, "asking the container's shim");
		int r = sleep_wait(2 * NS_PER_MS);
		if (r < 0)
			return r;
	}
	return err_set(e, ETIMEDOUT, "the container's shim does not answer");
}

static void call_init(struct call *k, struct shim *s, struct arena *a)
{
	*k = (struct call){ .id = ++s->last_id, .arena = a };
	waitq_init(&k->q);
	list_add_tail(&s->calls, &k->node);
}

/* Takes the call off in every case. */
static int call_end_wait(struct call *k, struct shim *s, struct err *e)
{
	int r = 0;
	while (!k->done && r == 0)
		r = waitq_wait(&k->q, ANSWER_NS);
	if (!k->done) {
		list_del(&k->node);
		return r == -ETIMEDOUT ? err_set(e, ETIMEDOUT, "the container's shim does not answer") : r;
	}
	if (k->answer.code)
		return err_set(e, (int)k->answer.code, "%s", str_or(k->answer.error, strerror((int)k->answer.code)));
	return 0;
}

static int call_wait(struct container *c, struct shim_request *q, int fd, struct arena *a, struct shim_message *ret, struct err *e)
{
	struct shim *s = c->shim;
	if (!s || s->is_closed)
		return err_set(e, ESRCH, "container %s is not running", c->id);
	AUTO(arena) struct arena own;
	arena_init(&own, 8 << 20);
	s->refs++;
	struct call k;
	call_init(&k, s, a ? a : &own);
	q->id = k.id;
	int r = send_wait(s, q, fd, e);
	if (r < 0)
		list_del(&k.node);
	else
		r = call_end_wait(&k, s, e);
	if (r == 0 && ret)
		*ret = k.answer;
	shim_unref(s);
	return r;
}

/* --- launching */
static int bundle_file(const char *dir, const char *name, struct schema_ref t, const void *obj, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(8 << 20);
	char *path = fmt_new("%s/%s", dir, name);
	if (!path)
		return err_nomem(e);
	int r = schema_to_json(t, obj, 0, &b);
	if (r == 0)
		r = buf_error(&b);
	/* not synced: a bundle does not outlive a boot */
	AUTO(close) int fd = r < 0 ? -1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (r == 0)
		r = fd < 0 ? -errno : fd_write_all(fd, b.ptr, b.len);
	if (r < 0)
		err_sys(e, r, "writing %s", path);
	free(path);
	return r;
}

static bool list_has(const char *list, const char *key)
{
	struct slice rest = slice_of(list ? list : ""), one;
	while (slice_next(&rest, ',', &one))
		if (slice_is(slice_trim(one), key))
			return true;
	return false;
}

/* labels=, env=, tag= of the log's options: an object that goes into each line. */
static struct slice log_attrs(struct container *c, struct arena *a)
{
	const struct docker_log_config *l = &c->host->log_config;
	const char *labels = schema_pair_get(l->config, l->n_config, "labels"), *env = schema_pair_get(l->config, l->n_config, "env"),
		*tag = schema_pair_get(l->config, l->n_config, "tag");
	struct docker_labels out = { .items = arena_array(a, c->config->n_labels + c->config->n_env + 1, sizeof *out.items) };
	if (!out.items)
		return (struct slice){ 0 };
	for (uint32_t i = 0; i < c->config->n_labels; i++)
		if (list_has(labels, c->config->labels[i].key))
			out.items[out.n_items++] = c->config->labels[i];
	for (uint32_t i = 0; i < c->config->n_env; i++) {
		struct slice k, v;
		slice_cut(slice_of(c->config->env[i]), '=', &k, &v);
		const char *key = arena_dup(a, k);
		if (key && list_has(env, key))
			out.items[out.n_items++] = (struct schema_pair){ key, arena_dup(a, v) };
	}
	if (tag && *tag)
		out.items[out.n_items++] = (struct schema_pair){ "tag", !strcmp(tag, "{{.Name}}") ? c->name : !strcmp(tag, "{{.ID}}") ? arena_fmt(a, "%.12s", c->id) : tag };
	if (!out.n_items)
		return (struct slice){ 0 };
	AUTO(buf) struct buf b = BUF_INIT(256 * 1024);
	if (schema_to_json(T_docker_labels, &out, 0, &b) < 0 || buf_error(&b))
		return (struct slice){ 0 };
	return slice_of(arena_dup(a, buf_slice(&b)));
}

static void log_config(struct container *c, const char *dir, struct arena *a, struct shim_log *ret)
{
	const struct docker_log_config *l = &c->host->log_config;
	if (c->pod && c->pod->log) {
		/* the kubelet rotates, and says reopen_log */
		*ret = (struct shim_log){ .format = "cri", .path = c->pod->log };
		return;
	}
	if (c->pod || str_is(l->type, "none")) {
		ret->format = "none";
		return;
	}
	ret->format = "json-file";
	ret->path = arena_fmt(a, "%s/%s-json.log", dir, c->id);
	const char *size = schema_pair_get(l->config, l->n_config, "max-size"), *files = schema_pair_get(l->config, l->n_config, "max-file");
	ret->max_size = LOG_SIZE_DEFAULT;
	ret->max_file = LOG_FILES_DEFAULT;
	if (size && strcmp(size, "-1") && num_parse_bytes(slice_of(size), &ret->max_size) == 0)
		ret->max_file = 1;
	else if (size)
		ret->max_size = 0;
	if (files)
		num_parse_i64(slice_of(files), 1, 100000, &ret->max_file);
	ret->attrs = log_attrs(c, a);
}

static int shim_json(struct container *c, struct arena *a, struct shim_config *ret, struct err *e)
{
	const struct engine_config *g = &c->engine->config;
	const char *dir = container_dir(c, a);
	struct shim_rootfs *root = ret->rootfs = arena_new(a, struct shim_rootfs);
	const char **lower;
	size_t n = 0;
	if (!dir || !root)
		return err_nomem(e);
	if (*c->image_id) {
		int r = image_lowerdirs(g->images, c->image_id, a, &lower, &n, e);
		if (r < 0)
			return r;
	}
	uint32_t count = 0;
	strings_push(a, &root->lower, &count, arena_fmt(a, "%s/engine/init-layer", g->root));
	for (size_t i = 0; i < n; i++)
		strings_push(a, &root->lower, &count, lower[i]);
	root->n_lower = count;
	root->upper = arena_fmt(a, "%s/upper", dir);
	root->work = arena_fmt(a, "%s/work", dir);
	ret->id = c->id;
	ret->state_root = arena_fmt(a, "%s/runtime", g->run);
	ret->exit_file = arena_fmt(a, "%s/exit.json", dir);
	ret->open_stdin = c->config->open_stdin;
	ret->stdin_once = c->config->stdin_once;
	ret->shared_mounts = c->pod && c->pod->shared_mounts;
	log_config(c, dir, a, &ret->log);
	struct stat st;
	if (stat("/run/systemd/system", &st) == 0)
		ret->cgroup = SHIM_CGROUP;
	return root->upper && root->work && ret->state_root && ret->exit_file ? 0 : err_nomem(e);
}

struct launch_files {
	const char *bundle, *exit_file;
	const struct oci_spec *spec;
	const struct shim_config *config;
	struct err e;
};

static int files_job(void *arg)
{
	struct launch_files *f = arg;
	if (mkdir(f->bundle, 0700) < 0 && errno != EEXIST)
		return err_sys(&f->e, errno, "mkdir %s", f->bundle);
	unlink(f->exit_file);
	char *sock = fmt_new("%s/shim.sock", f->bundle);
	if (sock)
		unlink(sock);
	free(sock);
	int r = bundle_file(f->bundle, "config.json", T_oci_spec, f->spec, &f->e);
	return r < 0 ? r : bundle_file(f->bundle, "shim.json", T_shim_config, f->config, &f->e);
}

static int spawn(struct shim *s, const char *bundle, int theirs, struct err *e)
{
	const char *program = s->c->engine->config.runtime;
	const char *argv[] = { program, "shim", "--bundle", bundle, NULL };
	int fds[] = { -1, -1, 2, theirs };
	struct spawn how = { .path = program, .argv = argv, .fds = fds, .n_fds = 4 };
	int r = child_spawn(s->c->engine->loop, &s->child, &how, on_child, e);
	if (r == 0)
		s->has_child = true;
	return r;
}

/* create, the clients that wait, start: all sent before the first answer. */
static int begin_wait(struct shim *s, int64_t *ret_pid, struct err *e)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 20);
	struct call create, start;
	struct err start_e = { 0 };
	call_init(&create, s, &a);
	struct shim_request q = { .id = create.id, .op = "create" };
	int r = send_wait(s, &q, -1, e);
	if (r < 0) {
		list_del(&create.node);
		return r;
	}
	r = call_end_wait(&create, s, e);
	if (r < 0)
		return r;
	attach_give_waiting(s->c);
	call_init(&start, s, &a);
	q = (struct shim_request){ .id = start.id, .op = "start" };
	r = send_wait(s, &q, -1, &start_e);
	if (r < 0)
		list_del(&start.node);
	else
		r = call_end_wait(&start, s, &start_e);
	if (r < 0) {
		if (e)
			*e = start_e;
		return r;
	}
	*ret_pid = start.answer.pid ? start.answer.pid : create.answer.pid;
	return 0;
}

int shim_launch_wait(struct container *c, const struct oci_spec *spec, int64_t *ret_pid, struct err *e)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 4 << 20);
	struct shim_config config = { 0 };
	int r = shim_json(c, &a, &config, e);
	const char *bundle = container_bundle(c, &a);
	if (r < 0)
		return r;
	struct launch_files f = { .bundle = bundle, .exit_file = config.exit_file, .spec = spec, .config = &config };
	r = job_wait(files_job, &f);
	if (r < 0)
		return err_set(e, r, "%s", f.e.text);
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(e, errno, "making a socket pair");
	struct shim *s;
	r = shim_new(c, ends[0], &s, e);
	if (r < 0) {
		close(ends[0]);
		close(ends[1]);
		return r;
	}
	r = spawn(s, bundle, ends[1], e);
	close(ends[1]);
	c->shim = s;
	if (r == 0)
		r = begin_wait(s, ret_pid, e);
	if (r < 0) {
		shim_close(c);
		shim_sweep_wait(c);
	}
	return r;
}

int shim_connect_wait(struct container *c, struct err *e)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 4 << 20);
	char path[64];
	AUTO(close) int dir = open(container_bundle(c, &a), O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* by descriptor: the bundle's path may be longer than a socket's may be */
	fmt_into(path, sizeof path, "/proc/self/fd/%d/shim.sock", dir);
	int fd = dir < 0 ? -errno : unix_connect(path, SOCK_SEQPACKET, NULL);
	if (fd < 0)
		return err_set(e, ESRCH, "the shim of container %s does not answer", c->id);
	struct shim *s;
	int r = shim_new(c, fd, &s, e);
	if (r < 0) {
		close(fd);
		return r;
	}
	c->shim = s;
	struct shim_request q = { .op = "state" };
	struct shim_message m;
	r = call_wait(c, &q, -1, &a, &m, e);
	if (r < 0 || !m.state || !str_is(m.state->status, "running")) {
		if (r == 0 && m.state && str_is(m.state->status, "paused")) {
			c->pid = m.state->pid;
			return 0;
		}
		shim_close(c);
		return r < 0 ? r : err_set(e, ESRCH, "container %s is not running", c->id);
	}
	c->pid = m.state->pid;
	c->is_oom = c->is_oom || m.state->oom;
	return 0;
}

int shim_last_exit(struct container *c, int64_t *code, bool *oom, int64_t *finished_ns)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 20);
	AUTO(buf) struct buf text = BUF_INIT(64 * 1024);
	struct shim_exit x;
	const char *path = arena_fmt(&a, "%s/exit.json", container_dir(c, &a));
	int r = path ? file_read(AT_FDCWD, path, &text) : -ENOMEM;
	if (r == 0)
		r = schema_from_json(T_shim_exit, buf_slice(&text), 0, &a, &x, NULL);
	if (r < 0)
		return r;
	*code = x.status;
	*oom = x.oom;
	*finished_ns = time_of(x.time);
	return 0;
}

void shim_close(struct container *c)
{
	struct shim *s = take_ptr(c->shim);
	if (!s)
		return;
	s->is_closed = true;
	calls_fail(s);
	if (s->watch.fd >= 0) {
		watch_del(&s->watch);
		close(s->watch.fd);
		s->watch.fd = -1;
	}
	shim_unref(s);
}

static int bundle_remove(void *arg)
{
	return dir_remove(AT_FDCWD, arg, NULL);
}

void shim_sweep_wait(struct container *c)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 16);
	const char *program = c->engine->config.runtime;
	const char *argv[] = { program, "--root", arena_fmt(&a, "%s/runtime", c->engine->config.run), "delete", "--force", c->id, NULL };
	int fds[] = { -1, -1, -1 };
	struct spawn how = { .path = program, .argv = argv, .fds = fds, .n_fds = 3 };
	child_run_wait(&how, NULL);
	job_wait(bundle_remove, (char *)container_bundle(c, &a));
}

/* --- what is asked of a running container */
/* For the API a container that has just ended is a conflict. */
static int busy_if_gone(int r, struct err *e)
{
	if (r != -ESRCH)
		return r;
	if (e)
		e->code = EBUSY;
	return -EBUSY;
}

int shim_kill_wait(struct container *c, int signal, bool all, struct err *e)
{
	struct shim_request q = { .op = "kill", .signal = signal, .all = all };
	return call_wait(c, &q, -1, NULL, NULL, e);
}

int shim_pause_wait(struct container *c, bool pause, struct err *e)
{
	struct shim_request q = { .op = pause ? "pause" : "resume" };
	return busy_if_gone(call_wait(c, &q, -1, NULL, NULL, e), e);
}

int shim_update_wait(struct container *c, const struct oci_linux_resources *r, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(PACKET_MAX / 2);
	if (schema_to_json(T_oci_linux_resources, r, 0, &b) < 0 || buf_error(&b))
		return err_nomem(e);
	struct shim_request q = { .op = "update", .resources = buf_slice(&b) };
	return busy_if_gone(call_wait(c, &q, -1, NULL, NULL, e), e);
}

int shim_reopen_log_wait(struct container *c, struct err *e)
{
	struct shim_request q = { .op = "reopen_log" };
	return busy_if_gone(call_wait(c, &q, -1, NULL, NULL, e), e);
}

int shim_resize_wait(struct container *c, const char *exec_id, unsigned h, unsigned w, struct err *e)
{
	struct shim_request q = { .op = exec_id ? "exec_resize" : "resize", .exec_id = exec_id, .height = (uint16_t)h, .width = (uint16_t)w };
	return busy_if_gone(call_wait(c, &q, -1, NULL, NULL, e), e);
}

int shim_attach_wait(struct container *c, int fd, const struct shim_attach *how, struct err *e)
{
	struct shim_request q = { .op = "attach", .client = "attach", .stdin_ = how->is_stdin, .stdout_ = how->is_stdout, .stderr_ = how->is_stderr,
		.detach_keys = how->detach_keys };
	int r = busy_if_gone(call_wait(c, &q, fd, NULL, NULL, e), e);
	close(fd);
	return r;
}

int shim_attach_send(struct container *c, int fd, const struct shim_attach *how)
{
	/* the answer is not waited for: it comes in order, before that of start */
	struct shim_request q = { .id = ++c->shim->last_id, .op = "attach", .client = "attach", .stdin_ = how->is_stdin, .stdout_ = how->is_stdout,
		.stderr_ = how->is_stderr, .detach_keys = how->detach_keys };
	int r = send_wait(c->shim, &q, fd, NULL);
	close(fd);
	return r;
}

int shim_exec_wait(struct container *c, const struct shim_run *how, int64_t *ret_pid, struct err *e)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 20);
	AUTO(buf) struct buf b = BUF_INIT(PACKET_MAX / 2);
	if (schema_to_json(T_oci_process, how->process, 0, &b) < 0 || buf_error(&b)) {
		if (how->fd >= 0)
			close(how->fd);
		return err_set(e, E2BIG, "the command is too long");
	}
	struct shim_request q = { .op = "exec", .exec_id = how->id, .process = buf_slice(&b), .client = "exec", .stdin_ = how->attach.is_stdin,
		.stdout_ = how->attach.is_stdout, .stderr_ = how->attach.is_stderr, .detach_keys = how->attach.detach_keys };
	struct shim_message m;
	int r = busy_if_gone(call_wait(c, &q, how->fd, &a, &m, e), e);
	if (how->fd >= 0)
		close(how->fd);
	if (r == 0)
		*ret_pid = m.pid;
	return r;
}

int shim_exec_kill_wait(struct container *c, const char *exec_id, int signal, struct err *e)
{
	struct shim_request q = { .op = "exec_kill", .exec_id = exec_id, .signal = signal };
	return call_wait(c, &q, -1, NULL, NULL, e);
}

int shim_pids_wait(struct container *c, struct arena *a, int64_t **ret, uint32_t *n, struct err *e)
{
	struct shim_request q = { .op = "top" };
	struct shim_message m;
	int r = busy_if_gone(call_wait(c, &q, -1, a, &m, e), e);
	if (r == 0) {
		*ret = m.pids;
		*n = m.n_pids;
	}
	return r;
}

int shim_stats_wait(struct container *c, struct arena *a, struct shim_stats **ret, struct err *e)
{
	struct shim_request q = { .op = "stats" };
	struct shim_message m;
	int r = call_wait(c, &q, -1, a, &m, e);
	if (r == 0)
		*ret = m.stats;
	return r == 0 && !m.stats ? err_set(e, EIO, "the container's shim gave no numbers") : r;
}
