/* SPDX-License-Identifier: Apache-2.0 */
/* Short commands on containers. */
#include <fcntl.h>
#include "base/fd.h"
#include "base/num.h"
#include "cli/commands.h"
#include "cli/api.h"
#include "cli/human.h"
#include "cli/session.h"
#include "cli/spec.h"
#include "cli/table.h"
#include "cli/text.h"

/* The same call for each argument; prints the name of each that went well. path has one %s. */
static int for_each(struct cli *c, const char *method, const char *action, const char *query)
{
	int failed = 0;

	for (int i = 0; i < c->f.argc; i++) {
		const char *name = cli_arg(c, i);
		struct err why = { 0 };
		if (api_do_wait(c, method, cli_fmt(c, "/containers/%s%s%s", api_esc(c, name), action, query), &why) < 0) {
			failed = cli_failed(c, &why);
			continue;
		}
		cli_print(c, "%s\n", name);
		cli_flush(c);
	}
	return failed;
}

static int stop_like(struct cli *c, const char *action, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;

	if (flag_changed(&c->f, "time") && flag_changed(&c->f, "timeout"))
		return err_set(e, EINVAL, "conflicting options: cannot specify both --timeout and --time");
	if (*flag_str(&c->f, "signal"))
		target_add(&t, "signal", flag_str(&c->f, "signal"));
	if (flag_changed(&c->f, "timeout") || flag_changed(&c->f, "time"))
		target_add(&t, "t", cli_fmt(c, "%lld", (long long)flag_num(&c->f, flag_changed(&c->f, "time") ? "time" : "timeout")));
	return for_each(c, "POST", action, t.b.ptr);
}

int cmd_stop(struct cli *c, struct err *e) { return stop_like(c, "/stop", e); }
int cmd_restart(struct cli *c, struct err *e) { return stop_like(c, "/restart", e); }
int cmd_pause(struct cli *c, struct err *e) { return for_each(c, "POST", "/pause", ""); }
int cmd_unpause(struct cli *c, struct err *e) { return for_each(c, "POST", "/unpause", ""); }

int cmd_kill(struct cli *c, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;

	if (*flag_str(&c->f, "signal"))
		target_add(&t, "signal", flag_str(&c->f, "signal"));
	return for_each(c, "POST", "/kill", t.b.ptr);
}

int cmd_rm(struct cli *c, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	bool force = flag_bool(&c->f, "force");
	int failed = 0;

	if (force)
		target_add(&t, "force", "1");
	if (flag_bool(&c->f, "link"))
		target_add(&t, "link", "1");
	if (flag_bool(&c->f, "volumes"))
		target_add(&t, "v", "1");
	for (int i = 0; i < c->f.argc; i++) {
		struct err why = { 0 };
		const char *name = cli_arg(c, i);
		struct slice id = slice_of(name);
		while (slice_starts(id, "/"))
			id = slice_n(id.ptr + 1, id.len - 1);
		if (!id.len)
			return err_set(e, EINVAL, "container name cannot be empty");
		int r = api_do_wait(c, "DELETE", cli_fmt(c, "/containers/%s%s", api_esc(c, id.ptr), t.b.ptr), &why);
		if (r == -ENOENT && force) {
			cli_warn(c, "%s", c->long_error);
			continue;
		}
		if (r < 0) {
			failed = cli_failed(c, &why);
			continue;
		}
		cli_print(c, "%s\n", name);
		cli_flush(c);
	}
	return failed;
}

int cmd_rename(struct cli *c, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	const char *from = cli_arg(c, 0), *to = cli_arg(c, 1);

	if (!*from || !*to)
		return err_set(e, EINVAL, "Error: Neither old nor new names may be empty");
	buf_addf(&t.b, "/containers/%s/rename", api_esc(c, from));
	target_add(&t, "name", to);
	if (api_do_wait(c, "POST", t.b.ptr, e) < 0) {
		cli_warn(c, "%s", c->long_error ? c->long_error : e->text);
		c->long_error = NULL;
		return err_set(e, EIO, "Error: failed to rename container named %s", from);
	}
	return 0;
}

int cmd_update(struct cli *c, struct err *e)
{
	struct docker_container_update u = { 0 };
	int failed = 0;
	bool any = false;

	for (size_t i = 0; i < c->f.n; i++)
		any |= c->f.values[i].changed;
	if (!any)
		return err_set(e, EINVAL, "you must provide one or more flags when using this command");
	u.blkio_weight = (uint16_t)flag_num(&c->f, "blkio-weight");
	u.cpu_shares = flag_num(&c->f, "cpu-shares");
	u.cpu_period = flag_num(&c->f, "cpu-period");
	u.cpu_quota = flag_num(&c->f, "cpu-quota");
	u.cpu_realtime_period = flag_num(&c->f, "cpu-rt-period");
	u.cpu_realtime_runtime = flag_num(&c->f, "cpu-rt-runtime");
	u.cpuset_cpus = flag_str(&c->f, "cpuset-cpus");
	u.cpuset_mems = flag_str(&c->f, "cpuset-mems");
	u.nano_cpus = flag_num(&c->f, "cpus");
	u.memory = flag_num(&c->f, "memory");
	u.memory_swap = flag_num(&c->f, "memory-swap");
	u.memory_reservation = flag_num(&c->f, "memory-reservation");
	if (flag_changed(&c->f, "pids-limit")) {
		u.pids_limit = arena_new(&c->arena, int64_t);
		*u.pids_limit = flag_num(&c->f, "pids-limit");
	}
	if (spec_restart(&c->arena, flag_str(&c->f, "restart"), &u.restart_policy, e) < 0)
		return -EINVAL;
	for (int i = 0; i < c->f.argc; i++) {
		struct docker_container_updated done = { 0 };
		struct err why = { 0 };
		if (api_json_wait(c, "POST", cli_fmt(c, "/containers/%s/update", api_esc(c, cli_arg(c, i))), T_docker_container_update, &u,
				  T_docker_container_updated, &done, &why) < 0) {
			failed = cli_failed(c, &why);
			continue;
		}
		cli_print(c, "%s\n", cli_arg(c, i));
		for (uint32_t k = 0; k < done.n_warnings; k++)
			cli_warn(c, "%s", done.warnings[k]);
	}
	return failed;
}

int cmd_diff(struct cli *c, struct err *e)
{
	struct docker_container_changes list = { 0 };
	int r = api_get_wait(c, cli_fmt(c, "/containers/%s/changes", api_esc(c, cli_arg(c, 0))), T_docker_container_changes, &list, e);

	for (uint32_t i = 0; r >= 0 && i < list.n_items; i++)
		cli_print(c, "%c %s\n", list.items[i].kind == 0 ? 'C' : list.items[i].kind == 1 ? 'A' : 'D', list.items[i].path);
	return r;
}

int cmd_top(struct cli *c, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	AUTO(buf) struct buf args = BUF_INIT(1 << 16), text = BUF_INIT(16 << 20);
	struct docker_container_top top = { 0 };
	int r;

	buf_addf(&t.b, "/containers/%s/top", api_esc(c, cli_arg(c, 0)));
	for (int i = 1; i < c->f.argc; i++)
		buf_addf(&args, "%s%s", i > 1 ? " " : "", cli_arg(c, i));
	if (args.len)
		target_add(&t, "ps_args", args.ptr);
	if ((r = api_get_wait(c, t.b.ptr, T_docker_container_top, &top, e)) < 0)
		return r;
	for (uint32_t i = 0; i < top.n_titles; i++)
		buf_addf(&text, "%s%s", i ? "\t" : "", top.titles[i]);
	buf_addc(&text, '\n');
	for (uint32_t i = 0; i < top.n_processes; i++) {
		for (uint32_t k = 0; k < top.processes[i].n_items; k++)
			buf_addf(&text, "%s%s", k ? "\t" : "", top.processes[i].items[k]);
		buf_addc(&text, '\n');
	}
	return table_layout(buf_slice(&text), 20, 3, &c->out);
}

/* --- port ----------------------------------------------------------------------- */

static int cmp_lines(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	long n = strtol(*x, NULL, 10), m = strtol(*y, NULL, 10);
	return n != m ? (n > m) - (n < m) : strcmp(*x, *y);
}

static const char *host_port(struct cli *c, const struct docker_port_binding *b)
{
	const char *ip = b->host_ip ? b->host_ip : "";
	return cli_fmt(c, strchr(ip, ':') ? "[%s]:%s" : "%s:%s", ip, b->host_port ? b->host_port : "");
}

int cmd_port(struct cli *c, struct err *e)
{
	struct docker_container_inspect about = { 0 };
	const char **lines = NULL, *wanted = cli_arg(c, 1);
	uint32_t n = 0;
	int r = api_get_wait(c, cli_fmt(c, "/containers/%s/json", api_esc(c, cli_arg(c, 0))), T_docker_container_inspect, &about, e);
	struct docker_network_settings *net = about.network_settings;

	if (r < 0)
		return r;
	if (wanted) {
		struct slice port, protocol;
		int64_t number;
		if (!slice_cut(slice_of(wanted), '/', &port, &protocol) || !protocol.len)
			protocol = SLICE("tcp");
		if (num_parse_i64(port, 0, 65535, &number) < 0)
			return err_set(e, EINVAL, "Error: invalid port (%.*s): invalid syntax", SLICE_FMT(port));
		const char *key = cli_fmt(c, "%.*s/%.*s", SLICE_FMT(port), SLICE_FMT(protocol));
		for (uint32_t i = 0; net && i < net->n_ports; i++)
			for (uint32_t k = 0; !strcmp(net->ports[i].key, key) && k < net->ports[i].n_value; k++)
				text_add(&c->arena, &lines, &n, host_port(c, &net->ports[i].value[k]));
		if (!n)
			return err_set(e, ENOENT, "Error: No public port '%s' published for %s", wanted, cli_arg(c, 0));
	} else {
		for (uint32_t i = 0; net && i < net->n_ports; i++)
			for (uint32_t k = 0; k < net->ports[i].n_value; k++)
				text_add(&c->arena, &lines, &n,
					 cli_fmt(c, "%s -> %s", net->ports[i].key, host_port(c, &net->ports[i].value[k])));
	}
	if (n)
		qsort(lines, n, sizeof *lines, cmp_lines);
	for (uint32_t i = 0; i < n; i++)
		cli_print(c, "%s\n", lines[i]);
	return 0;
}

/* --- logs ----------------------------------------------------------------------- */

static ssize_t read_call(void *arg, void *p, size_t n)
{
	return http_call_read_wait(arg, p, n);
}

int cmd_logs(struct cli *c, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	struct docker_container_inspect about = { 0 };
	struct http_call call = { .method = "GET" };
	const char *since = flag_str(&c->f, "since"), *until = flag_str(&c->f, "until");
	int r = api_get_wait(c, cli_fmt(c, "/containers/%s/json", api_esc(c, cli_arg(c, 0))), T_docker_container_inspect, &about, e);

	if (r < 0)
		return r;
	buf_addf(&t.b, "/containers/%s/logs", api_esc(c, about.id));
	if (flag_bool(&c->f, "details"))
		target_add(&t, "details", "1");
	if (flag_bool(&c->f, "follow"))
		target_add(&t, "follow", "1");
	if (*since)
		target_add(&t, "since", human_timestamp(&c->arena, since, cli_now(c)));
	target_add(&t, "stderr", "1");
	target_add(&t, "stdout", "1");
	target_add(&t, "tail", flag_str(&c->f, "tail"));
	if (flag_bool(&c->f, "timestamps"))
		target_add(&t, "timestamps", "1");
	if (*until)
		target_add(&t, "until", human_timestamp(&c->arena, until, cli_now(c)));
	call.target = t.b.ptr;
	if ((r = api_open_wait(c, &call, e)) < 0)
		return r;
	r = session_demux_wait(read_call, &call, about.config->tty, e);
	http_call_release(&call);
	return r < 0 && !e->code ? err_sys(e, r, "read the log") : r;
}

/* --- archives ------------------------------------------------------------------- */

int cmd_export(struct cli *c, struct err *e)
{
	const char *path = flag_str(&c->f, "output");
	struct http_call call = { .method = "GET", .target = cli_fmt(c, "/containers/%s/export", api_esc(c, cli_arg(c, 0))) };
	AUTO(close) int file = -1;
	int r;

	if (!*path && isatty(1))
		return err_set(e, EINVAL, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
	if ((r = api_open_wait(c, &call, e)) < 0)
		return r;
	if (*path && (file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
		r = err_sys(e, errno, "failed to export container: open %s", path);
	else
		r = api_copy_wait(c, &call, *path ? file : 1, e);
	http_call_release(&call);
	return r;
}

int cmd_commit(struct cli *c, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	const struct flag_value *changes = flag_list(&c->f, "change");
	struct docker_id made = { 0 };
	const char *name = cli_arg(c, 1);
	int r;

	buf_adds(&t.b, "/commit");
	target_add(&t, "author", flag_str(&c->f, "author"));
	for (size_t i = 0; i < changes->n; i++)
		target_add(&t, "changes", changes->v[i]);
	target_add(&t, "comment", flag_str(&c->f, "message"));
	target_add(&t, "container", cli_arg(c, 0));
	if (!flag_bool(&c->f, "pause"))
		target_add(&t, "pause", "0");
	if (name) {
		struct image_name n = spec_image(name);
		if (!spec_reference_ok(name))
			return err_set(e, EINVAL, "%s", spec_reference_error(&c->arena, name));
		if (n.digest.len)
			return err_set(e, EINVAL, "refusing to create a tag with a digest reference");
		target_add(&t, "repo", spec_full_repo(&c->arena, n.repo));
		target_add(&t, "tag", n.tag.len ? arena_dup(&c->arena, n.tag) : "latest");
	}
	r = api_json_wait(c, "POST", t.b.ptr, T_docker_id, NULL, T_docker_id, &made, e);
	if (r >= 0)
		cli_print(c, "%s\n", made.id);
	return r;
}
