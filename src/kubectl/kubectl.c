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
	bool said = !strncmp(text, "Error from server", 17) || !strncmp(text, "The ", 4) || !strncmp(text, "error: ", 7) || !strncmp(text, "Unable ", 7) || !strncmp(text, "Error: ", 7);
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
	k->long_error = kctl_fmt(k, "error: %s\nSee 'kubectl %s -h' for help and examples", text ? text : "", k->cmd ? k->cmd->path : "");
	return err_set(e, EINVAL, "%s", text ? text : "");
}

/* --- help --------------------------------------------------------------------------- */
static void help_top(struct kctl *k)
{
	kctl_print(k, "kubectl controls the Kubernetes cluster.\n\nCommands:\n");
	for (size_t i = 0; i < kctl_n_commands; i++)
		if (!(kctl_commands[i].bits & KCMD_HIDDEN))
			kctl_print(k, "  %-26s %s\n", kctl_commands[i].path, kctl_commands[i].help);
	kctl_print(k, "\nUsage:\n  kubectl [flags] [options]\n\nUse \"kubectl <command> --help\" for more information about a given command.\n"
		"Use \"kubectl options\" for a list of global command-line options (applies to all commands).\n");
}

static void help_group(struct kctl *k, const char *group)
{
	size_t n = strlen(group);
	kctl_print(k, "Commands of kubectl %s:\n", group);
	for (size_t i = 0; i < kctl_n_commands; i++)
		if (!strncmp(kctl_commands[i].path, group, n) && kctl_commands[i].path[n] == ' ')
			kctl_print(k, "  %-26s %s\n", kctl_commands[i].path + n + 1, kctl_commands[i].help);
	kctl_print(k, "\nUsage:\n  kubectl %s [flags] [options]\n\nUse \"kubectl %s <command> --help\" for more information about a given command.\n"
		"Use \"kubectl options\" for a list of global command-line options (applies to all commands).\n", group, group);
}

static void help_command(struct kctl *k, const struct kcmd *c)
{
	kctl_print(k, "%s.\n\nOptions:\n", c->help);
	flags_help(c->flags, c->n_flags, 120, &k->out);
	kctl_print(k, "\nUsage:\n  kubectl %s %s [options]\n\nUse \"kubectl options\" for a list of global command-line options (applies to all commands).\n",
		c->path, c->usage);
}

static void help_options(struct kctl *k)
{
	kctl_print(k, "The following options can be passed to any command:\n\n");
	flags_help(kctl_global_flags, kctl_n_global_flags, 120, &k->out);
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
	if (kctl_flush(k) < 0 && r == 0)
		r = 1;
	kclient_free(k->client);
	k->exit_code = r;
	k->ended = true;
	loop_stop(k->loop);
}

static bool wants_help(int argc, const char *const *argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
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
	if (k->f.argc < c->least || (c->most >= 0 && k->f.argc > c->most)) {
		if (c->most == 0)
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
	kctl_warn(k, "error: unknown command \"%s%s%s\" for \"kubectl\"", group ? group : "", group ? " " : "", word);
	return 1;
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
			if (!third || help) {
				help_group(k, path);
				return kctl_flush(k) < 0;
			}
			if (fmt_into(path + at, sizeof path - at, " %s", third))
				sub = find(path);
			if (!sub)
				return unknown(k, word, second);
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
		help_group(k, group);
		return kctl_flush(k) < 0;
	}
	if (help || wants_help(argc, argv)) {
		if (group && !strchr(k->cmd->path, ' '))
			help_group(k, group);
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
	int r = dispatch(k, argc - 1, words);
	free(words);
	buf_release(&k->out);
	arena_release(&k->arena);
	free(k);
	return r;
}
