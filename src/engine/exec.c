/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exec's life: created ──start──▶ running ──▶ ended; a failed start is an
 * end too. It is forgotten with its container, or when newer ones need room.
 */
#include "engine/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "api/oci.h"
#include "base/clock.h"
#include "base/rand.h"
#include "engine/attach.h"
#include "engine/jobs.h"
#include "engine/shim_link.h"
#include "engine/spec.h"

struct exec {
	char id[65];
	struct container *c;            /* not counted: the container's list owns it */
	struct list of_container;
	struct arena arena;
	struct docker_exec_create how;
	bool is_starting, is_running, has_ended, is_probe;
	int64_t pid, code;
	struct waitq changed;
	unsigned pins;                  /* fibers that wait on it */
};

static void exec_free(struct exec *x)
{
	map_dels(&x->c->engine->execs, x->id);
	list_del(&x->of_container);
	x->c->n_execs--;
	arena_release(&x->arena);
	free(x);
}

static void exec_unpin(struct exec *x)
{
	x->pins--;
}

static void exec_event(struct exec *x, const char *what, bool with_code)
{
	if (x->is_probe && !with_code && !strcmp(what, "exec_detach"))
		return;
	AUTO(buf) struct buf action = BUF_INIT(64 * 1024);
	char code[24];
	buf_addf(&action, "%s", what);
	if (!with_code) {
		buf_adds(&action, ": ");
		for (uint32_t i = 0; i < x->how.n_cmd; i++)
			buf_addf(&action, "%s%s", i ? " " : "", x->how.cmd[i]);
	}
	fmt_into(code, sizeof code, "%lld", (long long)x->code);
	struct schema_pair p[] = { { "execID", x->id }, { "exitCode", code } };
	container_event(x->c, action.ptr, p, with_code ? 2 : 1);
}

static void exec_mark_ended(struct exec *x, int64_t code)
{
	if (x->has_ended)
		return;
	bool ran = x->is_running;
	x->is_running = x->is_starting = false;
	x->has_ended = true;
	x->code = code;
	x->pid = 0;
	waitq_wake_all(&x->changed);
	if (ran)
		exec_event(x, "exec_die", true);
}

void exec_ended(struct container *c, const char *id, int64_t code)
{
	struct exec *x = map_gets(&c->engine->execs, id);
	if (x && x->c == c)
		exec_mark_ended(x, code);
}

void exec_container_ended(struct container *c)
{
	struct exec *x;
	list_each(x, &c->execs, of_container)
		if (x->is_running || x->is_starting)
			exec_mark_ended(x, 137);
}

void exec_container_removed(struct container *c)
{
	struct exec *x;
	exec_container_ended(c);
	list_each(x, &c->execs, of_container)
		if (!x->pins)
			exec_free(x);
}

int exec_ids(const struct container *c, struct arena *a, const char ***ret, uint32_t *n)
{
	struct exec *x;
	*ret = NULL;
	*n = 0;
	list_each(x, &c->execs, of_container) {
		if (x->has_ended || x->is_probe)
			continue;
		int r = strings_push(a, ret, n, arena_strdup(a, x->id));
		if (r < 0)
			return r;
	}
	return 0;
}

/* Room for one more: the oldest that is over goes. */
static int make_room(struct container *c, struct err *e)
{
	struct exec *x;
	if (c->n_execs < EXECS_MAX)
		return 0;
	list_each(x, &c->execs, of_container) {
		if (x->has_ended && !x->pins) {
			exec_free(x);
			return 0;
		}
	}
	return err_set(e, EBUSY, "container %s has too many execs", c->id);
}

static int exec_new(struct container *c, const struct docker_exec_create *how, struct exec **ret, struct err *e)
{
	int r = make_room(c, e);
	if (r < 0)
		return r;
	struct exec *x = calloc(1, sizeof *x);
	if (!x)
		return err_nomem(e);
	rand_hex(x->id, 32);
	x->c = c;
	arena_init(&x->arena, 2 << 20);
	waitq_init(&x->changed);
	list_init(&x->of_container);
	if (schema_copy(T_docker_exec_create, how, &x->arena, &x->how) < 0 || map_sets(&c->engine->execs, x->id, x) < 0) {
		arena_release(&x->arena);
		free(x);
		return err_nomem(e);
	}
	list_add_tail(&c->execs, &x->of_container);
	c->n_execs++;
	*ret = x;
	return 0;
}

static int check_running(const struct container *c, struct err *e)
{
	if (c->status == STATUS_PAUSED)
		return err_set(e, EBUSY, "container %s is paused, unpause the container before exec", c->id);
	if (c->status == STATUS_RESTARTING)
		return err_set(e, EBUSY, "container %s is restarting, wait until the container is running", c->id);
	if (c->status != STATUS_RUNNING)
		return err_set(e, EBUSY, "container %s is not running", c->id);
	return 0;
}

int exec_create_in(struct container *c, const struct docker_exec_create *how, char ret_id[65], struct err *e)
{
	int r = how->n_cmd ? 0 : err_set(e, EINVAL, "no exec command specified");
	if (r == 0)
		r = check_running(c, e);
	for (uint32_t i = 0; r == 0 && i < how->n_env; i++)
		if (!*how->env[i] || *how->env[i] == '=')
			r = err_set(e, EINVAL, "invalid environment variable: %s", how->env[i]);
	struct exec *x;
	if (r == 0)
		r = exec_new(c, how, &x, e);
	if (r < 0)
		return r;
	fmt_into(ret_id, 65, "%s", x->id);
	exec_event(x, "exec_create", false);
	return 0;
}

int exec_create_wait(struct engine *eng, const char *container, const struct docker_exec_create *how, char ret_id[65], struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = how->n_cmd ? 0 : err_set(e, EINVAL, "no exec command specified");
	if (r == 0)
		r = container_find(eng, container, &c, e);
	return r < 0 ? r : exec_create_in(c, how, ret_id, e);
}

static int find(struct engine *eng, const char *id, struct exec **ret, struct err *e)
{
	*ret = map_gets(&eng->execs, id);
	return *ret ? 0 : err_set(e, ENOENT, "No such exec instance: %s", id);
}

int exec_start_check(struct engine *eng, const char *id, const struct docker_exec_start *how, struct exec_brief *ret, struct err *e)
{
	struct exec *x;
	int r = find(eng, id, &x, e);
	if (r < 0)
		return r;
	if (x->has_ended)
		return err_set(e, EBUSY, "exec command %s has already run", id);
	if (x->is_running || x->is_starting)
		return err_set(e, EBUSY, "exec command %s is already running", id);
	r = check_running(x->c, e);
	if (r < 0)
		return r;
	*ret = (struct exec_brief){ x->how.tty, x->how.attach_stdin };
	return 0;
}

/* fd is taken; -1: nobody listens. */
static int run_wait(struct exec *x, int fd, struct err *e)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 4 << 20);
	struct container *c = x->c;
	struct spec_user user;
	struct oci_process p;
	const char *who = x->how.user && *x->how.user ? x->how.user : c->config->user;
	int r = user_lookup_wait(c, who, c->host->group_add, c->host->n_group_add, &a, &user, e);
	if (r == 0)
		r = check_running(c, e);
	if (r == 0)
		r = spec_exec_process(c, &x->how, &user, &a, &p, e);
	if (r < 0) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	struct shim_run how = { .id = x->id, .process = &p, .fd = fd,
		.attach = { x->how.attach_stdin, x->how.attach_stdout, x->how.attach_stderr, x->how.detach_keys } };
	exec_event(x, "exec_start", false);
	x->is_running = true;
	x->is_starting = false;
	r = shim_exec_wait(c, &how, &x->pid, e);
	if (r < 0) {
		x->is_running = false;
		err_prefix(e, "OCI runtime exec failed: exec failed: unable to start container process");
	}
	return r;
}

static int64_t failed_code(const struct err *e)
{
	if (strstr(e->text, "executable file not found") || strstr(e->text, "no such file or directory"))
		return 127;
	return 126;
}

/* The reason goes to the client as if the command had printed it. */
static void tell_failed(int fd, bool tty, const struct err *e)
{
	char text[640];
	unsigned char head[8] = { 1 };
	fmt_into(text, sizeof text, "%s: unknown\r\n", e->text);
	uint32_t n = (uint32_t)strlen(text);
	head[4] = (unsigned char)(n >> 24);
	head[5] = (unsigned char)(n >> 16);
	head[6] = (unsigned char)(n >> 8);
	head[7] = (unsigned char)n;
	/* a fresh connection takes this much without waiting */
	if (!tty && write(fd, head, sizeof head) < 0)
		return;
	if (write(fd, text, n) < 0)
		return;
}

int exec_start_wait(struct engine *eng, const char *id, const struct docker_exec_start *how, struct stream *client, struct err *e)
{
	struct exec *x;
	AUTO(container) struct container *c = NULL;
	struct err why = { 0 };
	int fd = -1, ours = -1;
	int r = find(eng, id, &x, &why);
	if (r == 0 && (x->is_running || x->is_starting || x->has_ended))
		r = err_set(&why, EBUSY, "exec command %s is already running", id);
	if (r < 0) {
		stream_close(client);
		goto out;
	}
	x->is_starting = true;
	x->pins++;
	c = container_ref(x->c);
	if (how->console_size && how->n_console_size == 2 && !x->how.console_size) {
		x->how.console_size = arena_array(&x->arena, 2, sizeof *x->how.console_size);
		if (x->how.console_size) {
			x->how.n_console_size = 2;
			memcpy(x->how.console_size, how->console_size, 2 * sizeof *x->how.console_size);
		}
	}
	if (client)
		r = attach_descriptor(eng, client, &fd, &why);
	if (r == 0 && fd >= 0)
		ours = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (r == 0)
		r = run_wait(x, fd, &why);
	if (r < 0) {
		if (ours >= 0)
			tell_failed(ours, x->how.tty, &why);
		exec_mark_ended(x, failed_code(&why));
	}
	if (ours >= 0)
		close(ours);
	exec_unpin(x);
	if (c->is_gone && !x->pins)
		exec_free(x);
out:
	if (r < 0 && e)
		*e = why;
	return r;
}

int exec_inspect(struct engine *eng, const char *id, struct arena *a, struct docker_exec_inspect *ret, struct err *e)
{
	struct exec *x;
	int r = find(eng, id, &x, e);
	if (r < 0)
		return r;
	if (x->is_running)
		shim_catch_up(x->c);
	if (!x->has_ended && !container_is_alive(x->c))
		return err_set(e, EBUSY, "container %s is not running", x->c->id);
	struct docker_exec_process_config *p = arena_new(a, struct docker_exec_process_config);
	bool *privileged = arena_new(a, bool);
	if (!p || !privileged)
		return err_nomem(e);
	*privileged = x->how.privileged;
	*p = (struct docker_exec_process_config){ .tty = x->how.tty, .entrypoint = arena_strdup(a, x->how.cmd[0]),
		.arguments = strings_copy(a, x->how.cmd + 1, x->how.n_cmd - 1), .n_arguments = x->how.n_cmd - 1, .privileged = privileged,
		.user = arena_strdup(a, x->how.user) };
	*ret = (struct docker_exec_inspect){ .id = arena_strdup(a, x->id), .running = x->is_running, .process_config = p,
		.open_stdin = x->how.attach_stdin, .open_stderr = x->how.attach_stderr, .open_stdout = x->how.attach_stdout, .can_remove = false,
		.container_id = arena_strdup(a, x->c->id), .detach_keys = slice_of(arena_strdup(a, str_or(x->how.detach_keys, ""))), .pid = x->pid };
	if (x->has_ended) {
		ret->exit_code = arena_new(a, int64_t);
		if (!ret->exit_code)
			return err_nomem(e);
		*ret->exit_code = x->code;
	}
	return 0;
}

int exec_resize_wait(struct engine *eng, const char *id, unsigned h, unsigned w, struct err *e)
{
	struct exec *x;
	int r = find(eng, id, &x, e);
	if (r < 0)
		return r;
	AUTO(container) struct container *c = container_ref(x->c);
	/* the CLI resizes as soon as it has asked for the start */
	x->pins++;
	int64_t end = loop_monotonic_ns(eng->loop) + 2 * NS_PER_S;
	while (!x->has_ended && !x->is_running && loop_monotonic_ns(eng->loop) < end)
		if (waitq_wait(&x->changed, 50 * NS_PER_MS) == -ECANCELED)
			break;
	bool running = x->is_running;
	exec_unpin(x);
	if (!running)
		return err_set(e, EBUSY, "exec process is not started");
	return shim_resize_wait(c, id, h, w, e);
}

int exec_probe_wait(struct container *c, const struct docker_exec_create *how, int out_fd, int64_t timeout_ns, int64_t *ret_code, struct err *e)
{
	struct exec *x;
	int r = exec_new(c, how, &x, e);
	if (r < 0) {
		close(out_fd);
		return r;
	}
	x->is_probe = true;
	x->pins++;
	exec_event(x, "exec_create", false);
	r = run_wait(x, out_fd, e);
	if (r < 0)
		exec_mark_ended(x, failed_code(e));
	int64_t end = loop_monotonic_ns(c->engine->loop) + timeout_ns;
	while (r == 0 && !x->has_ended) {
		int64_t left = end - loop_monotonic_ns(c->engine->loop);
		r = left <= 0 ? -ETIMEDOUT : waitq_wait(&x->changed, left);
		if (r == -ETIMEDOUT && !x->has_ended) {
			shim_exec_kill_wait(c, x->id, SIGKILL, NULL);
			break;
		}
		r = r == -ETIMEDOUT ? 0 : r;
	}
	*ret_code = x->code;
	exec_unpin(x);
	if (!x->pins)
		exec_free(x);
	return r;
}

int exec_end_wait(struct engine *eng, const char *id, int64_t timeout_ns, int64_t *ret_code, struct err *e)
{
	struct exec *x;
	int r = find(eng, id, &x, e);
	if (r < 0)
		return r;
	AUTO(container) struct container *c = container_ref(x->c);
	int64_t end = loop_monotonic_ns(eng->loop) + timeout_ns;
	x->pins++;
	while (r == 0 && !x->has_ended) {
		int64_t left = timeout_ns < 0 ? -1 : end - loop_monotonic_ns(eng->loop);
		r = timeout_ns >= 0 && left <= 0 ? -ETIMEDOUT : waitq_wait(&x->changed, left);
		if (x->has_ended)
			r = 0;
	}
	*ret_code = x->code;
	exec_unpin(x);
	if (c->is_gone && !x->pins)
		exec_free(x);
	return r;
}

int exec_run_fd_wait(struct engine *eng, const char *id, int fd, struct err *e)
{
	struct exec *x;
	struct err own = { 0 };
	int r = find(eng, id, &x, e);
	if (r < 0) {
		close(fd);
		return r;
	}
	AUTO(container) struct container *c = container_ref(x->c);
	x->is_starting = true;
	x->pins++;
	r = run_wait(x, fd, &own);
	if (r < 0) {
		exec_mark_ended(x, failed_code(&own));
		if (e)
			*e = own;
	}
	exec_unpin(x);
	if (c->is_gone && !x->pins)
		exec_free(x);
	return r;
}

void exec_forget(struct engine *eng, const char *id)
{
	struct exec *x = map_gets(&eng->execs, id);
	if (x && !x->pins)
		exec_free(x);
}
