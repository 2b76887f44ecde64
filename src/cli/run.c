/* SPDX-License-Identifier: Apache-2.0 */
/* run, start, attach, exec, wait: commands that end with a process's exit code. */
#include <sys/ioctl.h>
#include "cli/commands.h"
#include "cli/create.h"
#include "cli/session.h"
#include "cli/text.h"

/* --- the exit code -------------------------------------------------------------- */

/* Asks for the end of a container; the answer's head comes at once, its body at the end. */
static int wait_open(struct cli *c, const char *id, const char *condition, struct http_call *call, struct err *e)
{
	*call = (struct http_call){ .method = "POST", .target = cli_fmt(c, "/containers/%s/wait%s%s", api_esc(c, id),
									 *condition ? "?condition=" : "", condition) };
	return api_open_wait(c, call, e);
}

static int wait_close(struct cli *c, struct http_call *call, int64_t *ret_status, struct err *e)
{
	AUTO(buf) struct buf body = BUF_INIT(1 << 20);
	struct docker_container_wait w = { 0 };
	int r = http_call_body_wait(call, 1 << 20, &body, e);

	http_call_release(call);
	if (r < 0 || (r = schema_from_json(T_docker_container_wait, buf_slice(&body), SCHEMA_FOLD_CASE, &c->arena, &w, e)) < 0)
		return r;
	*ret_status = w.status_code;
	if (w.error && w.error->message && *w.error->message)
		return err_set(e, EIO, "Error response from daemon: %s", w.error->message);
	return 0;
}

static int attach_open(struct cli *c, const char *id, bool in, bool out, bool err_too, const char *keys, struct stream **ret, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;

	buf_addf(&t.b, "/containers/%s/attach", api_esc(c, id));
	if (*keys)
		target_add(&t, "detachKeys", keys);
	if (err_too)
		target_add(&t, "stderr", "1");
	if (in)
		target_add(&t, "stdin", "1");
	if (out)
		target_add(&t, "stdout", "1");
	target_add(&t, "stream", "1");
	return api_hijack_wait(c, t.b.ptr, (struct slice){ 0 }, ret, NULL, e);
}

static int inspect(struct cli *c, const char *id, struct docker_container_inspect *ret, struct err *e)
{
	return api_get_wait(c, cli_fmt(c, "/containers/%s/json", api_esc(c, id)), T_docker_container_inspect, ret, e);
}

/* --- run ------------------------------------------------------------------------ */

static int code_of_start_error(const char *text)
{
	if (strstr(text, "executable file not found") || strstr(text, "no such file or directory") ||
	    strstr(text, "system cannot find the file specified"))
		return 127;
	return strstr(text, "permission denied") || strstr(text, "is a directory") ? 126 : 125;
}

static int start_container(struct cli *c, const char *id, const char *keys, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;

	buf_addf(&t.b, "/containers/%s/start", api_esc(c, id));
	if (*keys)
		target_add(&t, "detachKeys", keys);
	return api_do_wait(c, "POST", t.b.ptr, e);
}

static int run_prepare(struct cli *c, struct create *x, bool detach, struct err *e)
{
	struct winsize ws;
	int r = create_from_flags(c, x, e);

	if (r < 0)
		return r;
	if (!detach) {
		if ((r = session_check_tty(c, x->body.attach_stdin, x->body.tty, e)) < 0)
			return r;
	} else {
		if (flag_list(&c->f, "attach")->n)
			return err_set(e, EDEADLK, "conflicting options: cannot specify both --attach and --detach");
		x->body.attach_stdin = x->body.attach_stdout = x->body.attach_stderr = x->body.stdin_once = false;
	}
	if (x->body.tty && ioctl(1, TIOCGWINSZ, &ws) == 0 && (x->host.console_size = arena_array(&c->arena, 2, sizeof(uint64_t)))) {
		x->host.console_size[0] = ws.ws_row;
		x->host.console_size[1] = ws.ws_col;
		x->host.n_console_size = 2;
	}
	return 0;
}

static int run_attached(struct cli *c, struct create *x, const char *id, struct err *e)
{
	struct session s = { .c = c, .tty = x->body.tty, .input = x->body.attach_stdin, .keys = session_keys(c) };
	struct http_call waiting;
	int64_t status = 0;
	int r;

	if (flag_bool(&c->f, "sig-proxy"))
		s.kill_path = cli_fmt(c, "/containers/%s", id);
	s.resize_path = cli_fmt(c, "/containers/%s", id);
	if ((r = attach_open(c, id, s.input, x->body.attach_stdout, x->body.attach_stderr, s.keys, &s.conn, e)) < 0)
		return r;
	if ((r = wait_open(c, id, x->host.auto_remove ? "removed" : "next-exit", &waiting, e)) < 0)
		return r;
	session_begin(&s);
	if ((r = start_container(c, id, "", e)) < 0) {
		const char *text = c->long_error;
		session_end(&s);
		c->exit_code = code_of_start_error(text ? text : e->text);
		if (x->host.auto_remove)
			wait_close(c, &waiting, &status, NULL);
		c->long_error = text;
		return r;
	}
	if (s.tty)
		session_resize_wait(&s);
	r = session_run_wait(&s, e);
	session_end(&s);
	if (r < 0)
		return r;
	if (s.detached)
		return 0;
	if ((r = wait_close(c, &waiting, &status, e)) < 0)
		return r;
	return (int)status;
}

int cmd_run(struct cli *c, struct err *e)
{
	struct create *x = arena_new(&c->arena, struct create);
	bool detach = flag_bool(&c->f, "detach");
	uint8_t keys[16];
	size_t n_keys;
	const char *id;
	int r;

	if (!x)
		return err_nomem(e);
	if (*session_keys(c) && session_keys_parse(session_keys(c), keys, &n_keys, e) < 0)
		return -EINVAL;
	if ((r = run_prepare(c, x, detach, e)) < 0) {
		/* what is wrong with this terminal is no fault of the command line */
		if (r == -ENOTTY || r == -EDEADLK) {
			cli_warn(c, "%s", e->text);
			return 1;
		}
		return r;
	}
	if ((r = create_send_wait(c, x, &id, e)) < 0) {
		c->exit_code = code_of_start_error(c->long_error ? c->long_error : e->text);
		return r;
	}
	if (!detach && (x->body.attach_stdin || x->body.attach_stdout || x->body.attach_stderr))
		return run_attached(c, x, id, e);
	if ((r = start_container(c, id, session_keys(c), e)) < 0) {
		c->exit_code = code_of_start_error(c->long_error ? c->long_error : e->text);
		return r;
	}
	cli_print(c, "%s\n", id);
	return 0;
}

/* --- start ---------------------------------------------------------------------- */

static int start_attached(struct cli *c, struct err *e)
{
	struct docker_container_inspect about = { 0 };
	struct session s = { .c = c, .keys = session_keys(c) };
	struct http_call waiting;
	int64_t status = 0;
	int r;

	if (c->f.argc > 1)
		return err_set(e, EINVAL, "you cannot start and attach multiple containers at once");
	if ((r = inspect(c, cli_arg(c, 0), &about, e)) < 0)
		return r;
	s.tty = about.config->tty;
	s.input = flag_bool(&c->f, "interactive") && about.config->open_stdin;
	if (flag_bool(&c->f, "attach") || s.input) {
		s.resize_path = cli_fmt(c, "/containers/%s", about.id);
		s.kill_path = s.tty ? NULL : s.resize_path;
	}
	if ((r = attach_open(c, about.id, s.input, true, true, s.keys, &s.conn, e)) < 0 ||
	    (r = wait_open(c, about.id, about.host_config->auto_remove ? "removed" : "next-exit", &waiting, e)) < 0)
		return r;
	session_begin(&s);
	if ((r = start_container(c, about.id, "", e)) < 0) {
		session_end(&s);
		return r;
	}
	if (s.tty)
		session_resize_wait(&s);
	r = session_run_wait(&s, e);
	session_end(&s);
	if (r < 0 || s.detached || (r = wait_close(c, &waiting, &status, e)) < 0)
		return r;
	return (int)status;
}

int cmd_start(struct cli *c, struct err *e)
{
	int failed = 0;

	if (flag_bool(&c->f, "attach") || flag_bool(&c->f, "interactive"))
		return start_attached(c, e);
	AUTO(buf) struct buf names = BUF_INIT(1 << 20);
	for (int i = 0; i < c->f.argc; i++) {
		struct err why = { 0 };
		if (start_container(c, cli_arg(c, i), "", &why) < 0) {
			cli_failed(c, &why);
			buf_addf(&names, "%s%s", failed++ ? ", " : "", cli_arg(c, i));
		} else {
			cli_print(c, "%s\n", cli_arg(c, i));
		}
	}
	return failed ? err_set(e, EIO, "Error: failed to start containers: %s", names.ptr) : 0;
}

/* --- attach ---------------------------------------------------------------------- */

int cmd_attach(struct cli *c, struct err *e)
{
	struct docker_container_inspect about = { 0 };
	struct session s = { .c = c, .keys = session_keys(c) };
	struct http_call waiting;
	int64_t status = 0;
	int r = inspect(c, cli_arg(c, 0), &about, e);

	if (r < 0)
		return r;
	if (!about.state->running)
		return err_set(e, EINVAL, "You cannot attach to a stopped container, start it first");
	if (about.state->paused)
		return err_set(e, EINVAL, "You cannot attach to a paused container, unpause it first");
	if (about.state->restarting)
		return err_set(e, EINVAL, "You cannot attach to a restarting container, wait until it is running");
	s.tty = about.config->tty;
	s.input = !flag_bool(&c->f, "no-stdin") && about.config->open_stdin;
	if ((r = session_check_tty(c, s.input, s.tty, e)) < 0)
		return r;
	s.resize_path = cli_fmt(c, "/containers/%s", about.id);
	if (flag_bool(&c->f, "sig-proxy") && !s.tty)
		s.kill_path = s.resize_path;
	if ((r = wait_open(c, about.id, "", &waiting, e)) < 0 || (r = attach_open(c, about.id, s.input, true, true, s.keys, &s.conn, e)) < 0)
		return r;
	session_begin(&s);
	if (s.tty)
		session_resize_wait(&s);
	r = session_run_wait(&s, e);
	session_end(&s);
	if (r >= 0 && s.detached)
		return err_set(e, EINTR, "read escape sequence");
	if (r < 0 || (r = wait_close(c, &waiting, &status, e)) < 0)
		return r;
	return (int)status;
}

/* --- exec ------------------------------------------------------------------------ */

static int exec_message(struct cli *c, struct docker_exec_create *x, struct err *e)
{
	bool detach = flag_bool(&c->f, "detach");
	struct winsize ws;
	int r;

	x->user = flag_str(&c->f, "user");
	x->privileged = flag_bool(&c->f, "privileged");
	x->tty = flag_bool(&c->f, "tty");
	x->working_dir = flag_str(&c->f, "workdir");
	x->detach_keys = session_keys(c);
	x->cmd = c->f.argv + 1;
	x->n_cmd = (uint32_t)c->f.argc - 1;
	if ((r = text_env(&c->arena, &c->f, &x->env, &x->n_env, e)) < 0)
		return r;
	x->detach = detach;
	if (!detach) {
		x->attach_stdout = x->attach_stderr = true;
		x->attach_stdin = flag_bool(&c->f, "interactive");
	}
	if (x->tty && ioctl(1, TIOCGWINSZ, &ws) == 0 && (x->console_size = arena_array(&c->arena, 2, sizeof(uint64_t)))) {
		x->console_size[0] = ws.ws_row;
		x->console_size[1] = ws.ws_col;
		x->n_console_size = 2;
	}
	return detach ? 0 : session_check_tty(c, x->attach_stdin, x->tty, e);
}

static int exec_attached(struct cli *c, const struct docker_exec_create *x, const char *id, struct err *e)
{
	struct docker_exec_start start = { .tty = x->tty, .console_size = x->console_size, .n_console_size = x->n_console_size };
	struct session s = { .c = c, .tty = x->tty, .input = x->attach_stdin, .keys = session_keys(c) };
	AUTO(buf) struct buf body = BUF_INIT(1 << 16);
	struct docker_exec_inspect about = { 0 };
	int r;

	s.resize_path = cli_fmt(c, "/exec/%s", id);
	if (schema_to_json(T_docker_exec_start, &start, 0, &body) < 0)
		return err_nomem(e);
	if ((r = api_hijack_wait(c, cli_fmt(c, "/exec/%s/start", id), buf_slice(&body), &s.conn, NULL, e)) < 0)
		return r;
	session_begin(&s);
	if (s.tty)
		session_resize_wait(&s);
	r = session_run_wait(&s, e);
	session_end(&s);
	if (r >= 0 && s.detached)
		return err_set(e, EINTR, "read escape sequence");
	if (r < 0)
		return r;
	if ((r = api_get_wait(c, cli_fmt(c, "/exec/%s/json", id), T_docker_exec_inspect, &about, e)) < 0)
		return r;
	return about.exit_code ? (int)*about.exit_code : 0;
}

int cmd_exec(struct cli *c, struct err *e)
{
	struct docker_exec_create x = { 0 };
	struct docker_container_inspect about = { 0 };
	struct docker_id made = { 0 };
	struct docker_exec_start start = { .detach = true };
	int r = exec_message(c, &x, e);

	if (r < 0 || (r = inspect(c, cli_arg(c, 0), &about, e)) < 0)
		return r;
	r = api_json_wait(c, "POST", cli_fmt(c, "/containers/%s/exec", api_esc(c, cli_arg(c, 0))), T_docker_exec_create, &x, T_docker_id, &made,
			  e);
	if (r < 0)
		return r;
	if (!made.id || !*made.id)
		return err_set(e, EIO, "exec ID empty");
	if (x.detach)
		return api_post_wait(c, cli_fmt(c, "/exec/%s/start", made.id), T_docker_exec_start, &start, e);
	return exec_attached(c, &x, made.id, e);
}

int cmd_wait(struct cli *c, struct err *e)
{
	int failed = 0;

	for (int i = 0; i < c->f.argc; i++) {
		struct http_call call;
		struct err why = { 0 };
		int64_t status;
		if (wait_open(c, cli_arg(c, i), "", &call, &why) < 0 || wait_close(c, &call, &status, &why) < 0) {
			failed = cli_failed(c, &why);
			continue;
		}
		cli_print(c, "%lld\n", (long long)status);
		cli_flush(c);
	}
	return failed;
}
