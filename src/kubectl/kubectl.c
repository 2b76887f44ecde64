/* SPDX-License-Identifier: Apache-2.0 */
/* From argv to a command row, its fiber, and the exit code. */
#include "kubectl/kubectl.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/man.h"
#include "io/fiber.h"
#include "kubectl/kctl.h"

enum { ARENA_MAX = 1 << 30, OUT_MAX = 512 << 20, OUT_FLUSH = 64 << 10 };

int kctl_flush(struct kctl *k)
{
	int r = buf_error(&k->out) ? buf_error(&k->out) : fd_write_all(1, k->out.ptr, k->out.len);
	buf_reset(&k->out);
	return r;
}

void kctl_print(struct kctl *k, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	buf_addfv(&k->out, fmt, ap);
	va_end(ap);
	if (k->out.len >= OUT_FLUSH)
		kctl_flush(k);
}

void kctl_warn(struct kctl *k, const char *fmt, ...)
{
	struct buf line AUTO(buf) = BUF_INIT(4 << 20);
	va_list ap;
	va_start(ap, fmt);
	buf_addfv(&line, fmt, ap);
	va_end(ap);
	buf_addc(&line, '\n');
	kctl_flush(k);
	fd_write_all(2, line.ptr, line.len);
}

const char *kctl_fmt(struct kctl *k, const char *fmt, ...)
{
	char *text = NULL, *kept;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	kept = n < 0 ? NULL : arena_strdup(&k->arena, text);
	if (n >= 0)
		free(text);
	return kept ? kept : "";
}

/* Sentences of the server begin with "Error from server", all others get "error: ". */
int kctl_failed(struct kctl *k, const struct err *e)
{
	const char *text = k->long_error ? k->long_error : e->text;
	bool said = !strncmp(text, "Error from server", 17) || (!strncmp(text, "The ", 4) && strncmp(text, "The --", 6)) || !strncmp(text, "Error in ", 9) || !strncmp(text, "error: ", 7) || !strncmp(text, "Unable ", 7) || !strncmp(text, "Error: ", 7);
	said |= !strncmp(text, "the server doesn't have a", 25) && (!strcmp(k->cmd->path, "explain") || !strncmp(k->cmd->path, "create ", 7));
	if (*text)
		kctl_warn(k, "%s%s", said ? "" : "error: ", text);
	k->long_error = NULL;
	return 1;
}

int kctl_usage(struct kctl *k, struct err *e, const char *fmt, ...)
{
	char *text AUTO(free) = NULL;
	va_list ap;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	bool see = text && (!strncmp(text, "invalid restart", 15) || !strncmp(text, "--port must", 11) || !strncmp(text, "expected 'logs", 14));
	k->long_error = kctl_fmt(k, see ? "error: %s\nSee 'kubectl %s -h' for help and examples" : "error: %s", text ? text : "", k->cmd ? k->cmd->path : "");
	return err_set(e, EINVAL, "%s", text ? text : "");
}

/* --- help --------------------------------------------------------------------------- */
static const struct { const char *path, *help, *usage; bool quiet; } groups[] = {
	{ "create secret", "Create a secret with specified type", "(docker-registry | generic | tls) [options]" }, { "create service", "Create a service using a specified subcommand" },
	{ "rollout", "Manage the rollout of one or many resources", "SUBCOMMAND [options]", true }, { "set", "Configure application resources", "SUBCOMMAND [options]" },
	{ "config", "Show and change kubeconfig files: --kubeconfig, else those of $KUBECONFIG, else ~/.kube/config; changes go to the first", "SUBCOMMAND [options]" },
	{ "auth", "Inspect authorization" }, { "certificate", "Modify certificate resources", "SUBCOMMAND [options]", true }, { "top", "Display resource (CPU/memory) usage" },
};

/* The subcommands of path (all commands for ""), as kubectl lists them. */
static void help_list(struct kctl *k, const char *path)
{
	size_t n = strlen(path), wide = 0;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < kctl_n_commands; i++) {
			const char *p = kctl_commands[i].path;
			if (kctl_commands[i].bits & KCMD_HIDDEN || (n && (strncmp(p, path, n) || p[n] != ' ')))
				continue;
			const char *word = p + n + (n ? 1 : 0);
			if (pass == 0 && strlen(word) > wide)
				wide = strlen(word);
			else if (pass == 1)
				kctl_print(k, "  %-*s   %s\n", (int)wide, word, kctl_commands[i].help);
		}
}

#define HELP_TAIL "Use \"kubectl options\" for a list of global command-line options (applies to all commands).\n"

static void help_top(struct kctl *k)
{
	kctl_print(k, "kubectl controls the Kubernetes cluster.\n\nAvailable Commands:\n");
	help_list(k, "");
	kctl_print(k, "\nUsage:\n  kubectl [flags] [options]\n\nUse \"kubectl <command> --help\" for more information about a given command.\n" HELP_TAIL);
}

static void help_group(struct kctl *k, const char *group)
{
	const char *help = "Subcommands", *usage = "[flags] [options]";
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (!strcmp(groups[i].path, group)) {
			help = groups[i].help;
			usage = groups[i].usage ? groups[i].usage : usage;
		}
	kctl_print(k, "%s.\n\nAvailable Commands:\n", help);
	help_list(k, group);
	kctl_print(k, "\nUsage:\n  kubectl %s %s\n\nUse \"kubectl %s <command> --help\" for more information about a given command.\n" HELP_TAIL, group, usage, group);
}

static void help_flags(struct kctl *k, const struct flag *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (f[i].bits & FLAG_HIDDEN)
			continue;
		bool list = f[i].type == FLAG_LIST || f[i].type == FLAG_CSV, plain = f[i].type == FLAG_BOOL || f[i].type == FLAG_INT || f[i].type == FLAG_DURATION;
		const char *initial = f[i].initial ? f[i].initial : f[i].type == FLAG_BOOL ? "false" : plain ? "0" : "";
		if (f[i].letter)
			kctl_print(k, "    -%c, ", f[i].letter);
		else
			kctl_print(k, "    ");
		kctl_print(k, list ? "--%s=[%s]:\n" : plain ? "--%s=%s:\n" : "--%s='%s':\n", f[i].name, initial);
		kctl_print(k, "        %s\n\n", f[i].help);
	}
}

static void help_command(struct kctl *k, const struct kcmd *c)
{
	size_t n = strlen(c->path);
	bool group = false;
	for (size_t i = 0; i < kctl_n_commands && !group; i++)
		group = !strncmp(kctl_commands[i].path, c->path, n) && kctl_commands[i].path[n] == ' ';
	kctl_print(k, "%s.\n\n", c->help);
	if (group) {
		kctl_print(k, "Available Commands:\n");
		help_list(k, c->path);
		kctl_print(k, "\n");
	}
	if (c->n_flags) {
		kctl_print(k, "Options:\n");
		help_flags(k, c->flags, c->n_flags);
	}
	kctl_print(k, "Usage:\n  kubectl %s%s%s [options]\n\n", c->path, *c->usage ? " " : "", c->usage);
	if (group)
		kctl_print(k, "Use \"kubectl %s <command> --help\" for more information about a given command.\n", c->path);
	kctl_print(k, HELP_TAIL);
}

/* A group without a subcommand: its help; whether that is an error depends on the group. */
static int group_alone(struct kctl *k, const char *group)
{
	bool quiet = false;
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		quiet |= !strcmp(groups[i].path, group) && groups[i].quiet;
	help_group(k, group);
	if (quiet) {
		kctl_flush(k);
		return strcmp(group, "rollout") == 0; /* as kubectl has it */
	}
	fd_write_all(2, k->out.ptr, k->out.len);
	buf_reset(&k->out);
	return 1;
}

static void help_options(struct kctl *k)
{
	kctl_print(k, "The following options can be passed to any command:\n\n");
	help_flags(k, kctl_global_flags, kctl_n_global_flags);
}

static bool wants_help(int argc, const char *const *argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

/* --- finding the command ----------------------------------------------------------------- */
static const struct kcmd *find(const char *path)
{
	for (size_t i = 0; i < kctl_n_commands; i++)
		if (!strcmp(kctl_commands[i].path, path))
			return &kctl_commands[i];
	return NULL;
}

static bool is_group(const char *word)
{
	size_t n = strlen(word);
	for (size_t i = 0; i < kctl_n_commands; i++)
		if (!strncmp(kctl_commands[i].path, word, n) && kctl_commands[i].path[n] == ' ')
			return true;
	return false;
}

static bool takes_value(const char *arg)
{
	if (strchr(arg, '='))
		return false;
	for (size_t i = 0; i < kctl_n_global_flags; i++) {
		const struct flag *f = &kctl_global_flags[i];
		bool it = arg[1] == '-' ? !strcmp(arg + 2, f->name) : f->letter && arg[1] == f->letter && !arg[2];
		if (it)
			return f->type != FLAG_BOOL;
	}
	return false;
}

/* Takes the next word that is no flag out of argv; NULL when there is none. Flags stay where they are. */
static const char *take_word(int *argc, const char **argv)
{
	for (int i = 0; i < *argc; i++) {
		if (!strcmp(argv[i], "--"))
			return NULL;
		if (argv[i][0] == '-' && argv[i][1]) {
			i += takes_value(argv[i]);
			continue;
		}
		const char *word = argv[i];
		memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i - 1) * sizeof *argv);
		(*argc)--;
		return word;
	}
	return NULL;
}

static void run_command(void *arg)
{
	struct kctl *k = arg;
	struct err e = { 0 };
	int r = k->cmd->run(k, &e);
	if (r < 0) {
		if (!e.text[0] && !k->long_error)
			err_sys(&e, -r, "kubectl %s", k->cmd->path);
		kctl_failed(k, &e);
		r = k->exit_code ? k->exit_code : 1;
	}
	if (k->skipped && r == 0)
		r = 1;
	if (kctl_flush(k) < 0 && r == 0)
		r = 1;
	kclient_free(k->client);
	k->exit_code = r;
	k->ended = true;
	loop_stop(k->loop);
}

/* Flags without which a command is not run at all. */
static const char *missing_flag(struct kctl *k, const struct kcmd *c)
{
	static const char *const rows[][2] = {
		{ "create deployment", "image" }, { "create cronjob", "image" }, { "create cronjob", "schedule" }, { "create cj", "schedule" }, { "run", "image" }, { "scale", "replicas" },
		{ "autoscale", "max" }, { "create service externalname", "external-name" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!strcmp(rows[i][0], c->path) && !flag_changed(&k->f, rows[i][1]))
			return rows[i][1];
	return NULL;
}

/* What kubectl says of a wrong number of arguments, where it is not the usual sentence. */
static bool wrong_count(struct kctl *k, const struct kcmd *c)
{
	static const struct { const char *path, *text; bool see; } rows[] = {
		{ "version", "extra arguments: [%s]" }, { "create", "Unexpected args: [%s]", true }, { "apply", "Unexpected args: [%s]", true }, { "config view", "unexpected arguments: [%s]", true },
		{ "attach", "at least 1 argument is required for attach" }, { "cp", "source and destination are required" },
		{ "port-forward", "TYPE/NAME and list of ports are required for port-forward", true },
		{ "logs", "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command", true },
		{ "explain", "You must specify the type of resource to explain. Use \"kubectl api-resources\" for a complete list of supported resources." },
		{ "label", "one or more resources must be specified as <resource> <name> or <resource>/<name>" },
		{ "annotate", "one or more resources must be specified as <resource> <name> or <resource>/<name>" },
		{ "config use-context", "Unexpected args: [%s]" }, { "config rename-context", "Unexpected args: [%s]" },
	};
	const char *first = k->f.argc ? k->f.argv[0] : "";
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(rows[i].path, c->path))
			continue;
		const char *at = strstr(rows[i].text, "%s");
		const char *text = at ? kctl_fmt(k, "%.*s%s%s", (int)(at - rows[i].text), rows[i].text, first, at + 2) : rows[i].text;
		if (rows[i].see)
			kctl_warn(k, "error: %s\nSee 'kubectl %s -h' for help and examples", text, c->path);
		else
			kctl_warn(k, "error: %s", text);
		return true;
	}
	if (strncmp(c->path, "create ", 7) || c->least != 1)
		return false;
	kctl_warn(k, "error: exactly one NAME is required, got %d\nSee 'kubectl %s -h' for help and examples", k->f.argc, c->path);
	return true;
}

static int run_row(struct kctl *k, int argc, const char *const *argv)
{
	struct err e = { 0 };
	const struct kcmd *c = k->cmd;
	size_t n = c->n_flags;
	struct flag *rows = arena_array(&k->arena, n + kctl_n_global_flags, sizeof *rows);
	if (!rows)
		return 1;
	if (n)
		memcpy(rows, c->flags, n * sizeof *rows);
	for (size_t i = 0; i < kctl_n_global_flags; i++) {
		bool own = false;
		for (size_t j = 0; j < c->n_flags && !own; j++)
			own = !strcmp(c->flags[j].name, kctl_global_flags[i].name);
		if (own)
			continue;
		rows[n] = kctl_global_flags[i];
		for (size_t j = 0; j < c->n_flags; j++)
			if (c->flags[j].letter == rows[n].letter)
				rows[n].letter = 0;
		n++;
	}
	int r = flags_parse(&k->f, &k->arena, rows, n, argc, argv, !(c->bits & KCMD_ARGS_LAST), &e);
	if (k->f.help) {
		help_command(k, c);
		return kctl_flush(k) < 0;
	}
	if (r < 0) {
		kctl_warn(k, "error: %s\nSee 'kubectl %s --help' for usage.", e.text, c->path);
		return 1;
	}
	const char *missing = missing_flag(k, c);
	if (missing) {
		kctl_warn(k, "error: required flag(s) \"%s\" not set", missing);
		return 1;
	}
	if (!strncmp(c->path, "create ", 7) && c->most < 0 && (k->f.dash < 0 ? k->f.argc : k->f.dash) != 1) {
		kctl_warn(k, "error: exactly one NAME is required, got %d\nSee 'kubectl %s -h' for help and examples", k->f.dash < 0 ? k->f.argc : k->f.dash, c->path);
		return 1;
	}
	if (k->f.argc < c->least || (c->most >= 0 && k->f.argc > c->most)) {
		if (wrong_count(k, c))
			;
		else if (c->most == 0)
			kctl_warn(k, "error: unexpected arguments: [%s]\nSee 'kubectl %s -h' for help and examples", k->f.argv[0], c->path);
		else if (c->least == c->most)
			kctl_warn(k, "error: exactly %d argument%s required, got %d\nSee 'kubectl %s -h' for help and examples", c->least,
				c->least == 1 ? " is" : "s are", k->f.argc, c->path);
		else
			kctl_warn(k, "error: %s arguments: kubectl %s %s\nSee 'kubectl %s -h' for help and examples",
				k->f.argc < c->least ? "required" : "too many", c->path, c->usage, c->path);
		return 1;
	}
	if (loop_new(&k->loop, &e) < 0 || fiber_start(k->loop, "command", run_command, k) < 0 || (!k->ended && loop_run(k->loop) < 0)) {
		kctl_warn(k, "error: %s", e.text[0] ? e.text : "no memory");
		return 1;
	}
	return k->exit_code;
}

static int unknown(struct kctl *k, const char *group, const char *word)
{
	if (group)
		kctl_warn(k, "error: unknown command \"%s\"\nSee 'kubectl %s -h' for help and examples", word, group);
	else
		kctl_warn(k, "error: unknown command \"%s\" for \"kubectl\"", word);
	return 1;
}

static void help_man(struct kctl *k)
{
	buf_adds(&k->out, ".TH CORACLE-KUBECTL 1\n.SH NAME\ncoracle\\-kubectl \\- the Kubernetes command line of Coracle\n.SH SYNOPSIS\n"
			  ".B coracle kubectl\nCOMMAND [ARG...] [OPTIONS]\n.SH OPTIONS OF EVERY COMMAND\n");
	man_flags(kctl_global_flags, kctl_n_global_flags, &k->out);
	buf_adds(&k->out, ".SH COMMANDS\n");
	for (size_t i = 0; i < kctl_n_commands; i++) {
		const struct kcmd *row = &kctl_commands[i];
		char usage[512];
		if ((row->bits & KCMD_HIDDEN) || !fmt_into(usage, sizeof usage, "kubectl %s %s", row->path, row->usage))
			continue;
		man_command(usage, row->help, &k->out);
		man_flags(row->flags, row->n_flags, &k->out);
	}
}

static int dispatch(struct kctl *k, int argc, const char **argv)
{
	char path[128];
	const char *word = take_word(&argc, argv), *group = NULL;
	bool help = false;
	if (word && !strcmp(word, "help")) {
		help = true;
		word = take_word(&argc, argv);
	}
	if (!word) {
		help_top(k);
		return kctl_flush(k) < 0;
	}
	if (!strcmp(word, "options")) {
		help_options(k);
		return kctl_flush(k) < 0;
	}
	k->cmd = find(word);
	if (is_group(word)) {
		group = word;
		/* `create -f x` is a command beside `create deployment` */
		int n = argc;
		const char **copy AUTO(free) = malloc(((size_t)argc + 1) * sizeof(*copy));
		if (!copy)
			return 1;
		memcpy(copy, argv, (size_t)argc * sizeof *copy);
		const char *second = take_word(&n, copy);
		const struct kcmd *sub = NULL;
		if (second && fmt_into(path, sizeof path, "%s %s", word, second))
			sub = find(path);
		if (second && !sub && is_group(path)) {
			/* `create secret generic` */
			const char *third = take_word(&n, copy);
			size_t at = strlen(path);
			if (help || (!third && wants_help(n, copy))) {
				help_group(k, path);
				return kctl_flush(k) < 0;
			}
			if (!third)
				return group_alone(k, path);
			if (fmt_into(path + at, sizeof path - at, " %s", third))
				sub = find(path);
			if (!sub) {
				path[at] = 0;
				return unknown(k, path, third);
			}
		}
		if (sub) {
			k->cmd = sub;
			memcpy(argv, copy, (size_t)n * sizeof *copy);
			argc = n;
		} else if (!k->cmd && second && !help) {
			return unknown(k, group, second);
		}
	}
	if (!k->cmd) {
		if (!group)
			return unknown(k, NULL, word);
		if (!help && !wants_help(argc, argv))
			return group_alone(k, group);
		help_group(k, group);
		return kctl_flush(k) < 0;
	}
	if (help || wants_help(argc, argv)) {
		help_command(k, k->cmd);
		return kctl_flush(k) < 0;
	}
	return run_row(k, argc, argv);
}

int kubectl_main(int argc, char **argv)
{
	struct kctl *k = calloc(1, sizeof *k);
	const char **words = calloc((size_t)argc + 1, sizeof *words);
	if (!k || !words)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	arena_init(&k->arena, ARENA_MAX);
	buf_init(&k->out, OUT_MAX);
	for (int i = 1; i < argc; i++)
		words[i - 1] = argv[i];
	int r;
	if (argc == 2 && !strcmp(argv[1], "--generate-man")) {
		help_man(k);
		r = kctl_flush(k) < 0;
	} else {
		r = dispatch(k, argc - 1, words);
	}
	free(words);
	buf_release(&k->out);
	arena_release(&k->arena);
	free(k);
	return r;
}
