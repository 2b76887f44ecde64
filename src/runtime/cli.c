/* SPDX-License-Identifier: Apache-2.0 */
/* Flags, commands, and where errors are said: stderr, and --log in --log-format. */
#include "runtime/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "runtime/cli_int.h"

enum kind { FLAG, TEXT, LIST };
struct option {
	const char *name;
	char letter;
	enum kind kind;
	size_t at;
};
#define O(n, l, k, m) { n, l, k, offsetof(struct cli, m) }
static const struct option global_options[] = {
	O("root", 0, TEXT, root), O("log", 0, TEXT, log), O("log-format", 0, TEXT, log_format), O("debug", 0, FLAG, debug),
	O("systemd-cgroup", 0, FLAG, systemd_cgroup), O("rootless", 0, TEXT, rootless), O("criu", 0, TEXT, criu),
	O("cgroup-manager", 0, TEXT, cgroup_manager), O("version", 'v', FLAG, version), O("help", 'h', FLAG, help), { 0 },
};
static const struct option create_options[] = {
	O("bundle", 'b', TEXT, bundle), O("config", 'f', TEXT, config), O("console-socket", 0, TEXT, console_socket),
	O("pid-file", 0, TEXT, pid_file), O("no-pivot", 0, FLAG, no_pivot), O("no-new-keyring", 0, FLAG, no_new_keyring),
	O("preserve-fds", 0, TEXT, preserve_fds), O("no-subreaper", 0, FLAG, no_subreaper), O("detach", 'd', FLAG, detach),
	O("keep", 0, FLAG, keep), { 0 },
};
static const struct option exec_options[] = {
	O("console-socket", 0, TEXT, console_socket), O("cwd", 0, TEXT, cwd), O("env", 'e', LIST, env), O("tty", 't', FLAG, tty),
	O("user", 'u', TEXT, user), O("additional-gids", 'g', LIST, gids), O("process", 'p', TEXT, process),
	O("detach", 'd', FLAG, detach), O("pid-file", 0, TEXT, pid_file), O("process-label", 0, TEXT, process_label),
	O("apparmor", 0, TEXT, apparmor), O("no-new-privs", 0, FLAG, no_new_privs), O("cap", 'c', LIST, caps),
	O("preserve-fds", 0, TEXT, preserve_fds), O("cgroup", 0, TEXT, cgroup), O("ignore-paused", 0, FLAG, ignore_paused),
	O("no-subreaper", 0, FLAG, no_subreaper), { 0 },
};
static const struct option list_options[] = { O("format", 'f', TEXT, format), O("quiet", 'q', FLAG, quiet), { 0 } };
static const struct option kill_options[] = { O("all", 'a', FLAG, all), { 0 } };
static const struct option delete_options[] = { O("force", 'f', FLAG, force), { 0 } };
static const struct option events_options[] = { O("stats", 0, FLAG, stats), O("interval", 0, TEXT, interval), { 0 } };
static const struct option spec_options[] = { O("bundle", 'b', TEXT, bundle), O("rootless", 0, FLAG, spec_rootless), { 0 } };
static const struct option update_options[] = {
	O("resources", 'r', TEXT, resources), O("memory", 0, TEXT, memory), O("memory-swap", 0, TEXT, memory_swap),
	O("memory-reservation", 0, TEXT, memory_reservation), O("cpu-share", 0, TEXT, cpu_share),
	O("cpu-quota", 0, TEXT, cpu_quota), O("cpu-period", 0, TEXT, cpu_period), O("cpu-burst", 0, TEXT, cpu_burst),
	O("cpu-idle", 0, TEXT, cpu_idle), O("cpu-rt-runtime", 0, TEXT, cpu_rt_runtime), O("cpu-rt-period", 0, TEXT, cpu_rt_period),
	O("cpuset-cpus", 0, TEXT, cpuset_cpus), O("cpuset-mems", 0, TEXT, cpuset_mems), O("pids-limit", 0, TEXT, pids_limit),
	O("blkio-weight", 0, TEXT, blkio_weight), O("kernel-memory", 0, TEXT, kernel_memory),
	O("kernel-memory-tcp", 0, TEXT, kernel_tcp), O("l3-cache-schema", 0, TEXT, l3), O("mem-bw-schema", 0, TEXT, membw), { 0 },
};
static const struct option no_options[] = { { 0 } };

static const struct command {
	const char *name;
	int (*run)(struct cli *c, struct err *e);
	const struct option *options;
	int min_args, max_args;
	bool protect;       /* clones: see runtime_protect */
	int failed;         /* exit code of an error */
	const char *usage;
} commands[] = {
	{ "create", cmd_create, create_options, 1, 1, true, 1, "create a container: [--bundle DIR] ID" },
	{ "run", cmd_run, create_options, 1, 1, true, 1, "create and run a container: [--bundle DIR] [--detach] ID" },
	{ "start", cmd_start, no_options, 1, 1, false, 1, "run the program of a created container: ID" },
	{ "exec", cmd_exec, exec_options, 1, 1 << 20, true, 255, "run a further program in a container: ID PROGRAM [ARGUMENT...]" },
	{ "state", cmd_state, no_options, 1, 1, false, 1, "print a container's state: ID" },
	{ "list", cmd_list, list_options, 0, 0, false, 1, "list containers" },
	{ "kill", cmd_kill, kill_options, 1, 2, false, 1, "signal a container: ID [SIGNAL]" },
	{ "delete", cmd_delete, delete_options, 1, 1, false, 1, "remove a container: [--force] ID" },
	{ "pause", cmd_pause, no_options, 1, 1, false, 1, "freeze a container: ID" },
	{ "resume", cmd_resume, no_options, 1, 1, false, 1, "thaw a container: ID" },
	{ "ps", cmd_ps, list_options, 1, 1 << 20, false, 1, "list a container's processes: ID [PS-OPTION...]" },
	{ "update", cmd_update, update_options, 1, 1, false, 1, "change a container's limits: ID" },
	{ "events", cmd_events, events_options, 1, 1, false, 1, "print a container's counters: [--stats] ID" },
	{ "spec", cmd_spec, spec_options, 0, 0, false, 1, "write a config.json to begin with" },
	{ "features", cmd_features, no_options, 0, 0, false, 1, "print what this runtime can do" },
	{ "checkpoint", cmd_checkpoint, no_options, 0, 1 << 20, false, 1, "not supported" },
	{ "restore", cmd_checkpoint, no_options, 0, 1 << 20, false, 1, "not supported" },
};

static int set_option(struct cli *c, const struct option *o, const char *value, struct err *e)
{
	char *at = (char *)c + o->at;
	if (o->kind == FLAG) {
		*(bool *)at = !value || !strcmp(value, "true");
	} else if (o->kind == TEXT) {
		*(const char **)at = value;
	} else {
		struct cli_list *l = (struct cli_list *)at;
		if (l->n == CLI_LIST_MAX)
			return err_set(e, E2BIG, "flag --%s is given more than %d times", o->name, CLI_LIST_MAX);
		l->v[l->n++] = value;
	}
	return 0;
}

/* Takes flags off the front, as Go's flag package does: one dash or two, the value behind "=" or in the next word. */
static int parse(struct cli *c, const struct option *options, int *argc, char ***argv, struct err *e)
{
	while (*argc > 0 && (*argv)[0][0] == '-' && (*argv)[0][1]) {
		const char *word = (*argv)[0] + 1;
		(*argv)++;
		(*argc)--;
		if (!strcmp(word, "-"))
			return 0;
		word += *word == '-';
		struct slice name, value;
		bool has = slice_cut(slice_of(word), '=', &name, &value);
		const struct option *o = options;
		while (o->name && !slice_is(name, o->name) && !(name.len == 1 && o->letter && name.ptr[0] == o->letter))
			o++;
		if (!o->name)
			return err_set(e, EINVAL, "flag provided but not defined: -%.*s", SLICE_FMT(name));
		const char *text = has ? value.ptr : NULL;
		if (o->kind != FLAG && !has) {
			if (*argc == 0)
				return err_set(e, EINVAL, "flag needs an argument: -%s", o->name);
			text = (*argv)[0];
			(*argv)++;
			(*argc)--;
		}
		int r = set_option(c, o, text, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static void say_error(const struct cli *c, const struct err *e)
{
	char now[CLOCK_TEXT_MAX];
	AUTO(buf) struct buf line = BUF_INIT(1 << 16);
	fprintf(stderr, "%s\n", e->text);
	if (!c->log || !*c->log)
		return;
	AUTO(close) int fd = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	clock_rfc3339(now, clock_realtime_ns());
	if (c->log_format && !strcmp(c->log_format, "json")) {
		struct runtime_log_line l = { "error", e->text, now };
		schema_to_json(T_runtime_log_line, &l, SCHEMA_NEWLINE, &line);
	} else {
		buf_addf(&line, "time=\"%s\" level=error msg=\"", now);
		for (const char *p = e->text; *p; p++)
			if (*p == '"' || *p == '\\')
				buf_addf(&line, "\\%c", *p);
			else
				buf_addc(&line, *p == '\n' ? ' ' : *p);
		buf_adds(&line, "\"\n");
	}
	if (fd >= 0 && buf_error(&line) == 0)
		(void)fd_write_all(fd, line.ptr, line.len);
}

int cli_print(struct schema_ref t, const void *obj, unsigned flags, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(64 << 20);
	int r = schema_to_json(t, obj, flags | SCHEMA_NEWLINE, &text);
	if (r == 0)
		r = buf_error(&text);
	if (r == 0)
		r = fd_write_all(1, text.ptr, text.len);
	return r < 0 ? err_sys(e, r, "print") : 0;
}

static int usage(void)
{
	printf("usage: coracle-runtime [flags] COMMAND [flags] [arguments]\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		printf("  %-12s %s\n", commands[i].name, commands[i].usage);
	return 0;
}

static int run_command(struct cli *c, const struct command *cmd, struct err *e)
{
	int r = parse(c, cmd->options, &c->n_args, &c->args, e);
	if (r < 0)
		return r;
	if (c->n_args < cmd->min_args || c->n_args > cmd->max_args)
		return err_set(e, EINVAL, "coracle-runtime: \"%s\" requires %s %d argument(s)", cmd->name,
			       cmd->min_args == cmd->max_args ? "exactly" : c->n_args < cmd->min_args ? "a minimum of" : "a maximum of",
			       c->n_args < cmd->min_args ? cmd->min_args : cmd->max_args);
	if (cmd->protect && (r = runtime_protect(c->argv, e)) < 0)
		return r;
	return cmd->run(c, e);
}

int runtime_cli(int argc, char **argv)
{
	static const char default_root[] = "/run/coracle/runtime";
	struct cli c = { .argv = argv, .args = argv + 1, .n_args = argc - 1 };
	struct err e = { 0 };
	arena_init(&c.arena, RUNTIME_ARENA_MAX);
	int r = parse(&c, global_options, &c.n_args, &c.args, &e), failed = 1;
	if (!c.root)
		c.root = default_root;
	if (r == 0 && c.version) {
		printf("coracle-runtime\nspec: 1.2.1\n");
		return 0;
	}
	if (r == 0 && (c.help || c.n_args == 0 || !strcmp(c.args[0], "help")))
		return usage();
	const struct command *cmd = NULL;
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(commands); i++)
		if (!strcmp(commands[i].name, c.args[0]))
			cmd = &commands[i];
	if (r == 0 && !cmd)
		r = err_set(&e, EINVAL, "unknown command \"%s\"", c.args[0]);
	if (r == 0) {
		c.args++;
		c.n_args--;
		failed = cmd->failed;
		r = run_command(&c, cmd, &e);
	}
	if (r < 0)
		say_error(&c, &e);
	arena_release(&c.arena);
	return r < 0 ? failed : r;
}
