/* SPDX-License-Identifier: Apache-2.0 */
/* The instructions that make something: RUN, COPY, ADD, WORKDIR's folder; and the cache look-up and commit that all share. */
#include "build/build_int.h"

#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/rand.h"

static int gone(struct err *e)
{
	return err_set(e, ECANCELED, "the client has gone");
}

/* 1: the step is in the cache, and the stage now stands on that image. */
static int from_cache_wait(struct build *b, const char *created_by, struct err *e)
{
	char id[BUILD_ID_MAX];
	if (b->cache_broken)
		return 0;
	if (!b->ops->cached(b->ops->arg, b->stage->id, created_by, id)) {
		b->cache_broken = true;
		return 0;
	}
	struct image_image found;
	int r = b->ops->image_wait(b->ops->arg, id, b->a, &found, e);
	if (r < 0)
		return r;
	b->image = found;
	fmt_into(b->stage->id, sizeof b->stage->id, "%s", id);
	if (build_tell_wait(b, BUILD_CACHED, NULL, id) < 0 || build_tell_wait(b, BUILD_STEP_DONE, NULL, id) < 0)
		return gone(e);
	return 1;
}

/* Puts the history entry on and stores the image; the stage stands on it afterwards. Takes the layer. */
static int commit_wait(struct build *b, const char *created_by, struct build_layer *layer, struct err *e)
{
	struct image_image *m = &b->image;
	struct image_history *h = arena_array(b->a, m->n_history + 1, sizeof *h);
	char *now = arena_alloc(b->a, CLOCK_TEXT_MAX), id[BUILD_ID_MAX];
	if (!h || !now)
		return err_nomem(e);
	clock_rfc3339_nano(now, clock_realtime_ns());
	if (m->n_history)
		memcpy(h, m->history, m->n_history * sizeof *h);
	h[m->n_history] = (struct image_history){ .created = now, .created_by = created_by, .author = m->author, .empty_layer = !layer };
	m->history = h;
	m->n_history++;
	m->created = now;
	int r = b->ops->commit_wait(b->ops->arg, b->stage->id, m, layer, id, e);
	if (r < 0)
		return r;
	r = b->ops->image_wait(b->ops->arg, id, b->a, m, e);
	if (r < 0)
		return r;
	fmt_into(b->stage->id, sizeof b->stage->id, "%s", id);
	return 0;
}

/* "/bin/sh -c #(nop) " and what follows, as docker's history has it. */
static const char *nop(struct build *b, const char *comment)
{
	const struct image_config *c = &b->image.config;
	AUTO(buf) struct buf t = BUF_INIT(DF_MAX_BYTES);
	for (uint32_t i = 0; i < c->n_shell; i++)
		buf_addf(&t, "%s ", c->shell[i]);
	if (!c->n_shell)
		buf_adds(&t, "/bin/sh -c ");
	buf_addf(&t, "#(nop) %s", comment);
	return buf_error(&t) ? NULL : arena_dup(b->a, buf_slice(&t));
}

static int settings_wait(struct build *b, const struct df_step *s, struct err *e)
{
	const char *comment, *key;
	struct image_image before = b->image;
	int r = build_settings(b, s, &comment, e);
	if (r < 0)
		return r;
	/* the shell named in the history is the one in force before a SHELL instruction changes it */
	struct image_image after = b->image;
	b->image.config.shell = before.config.shell;
	b->image.config.n_shell = before.config.n_shell;
	key = nop(b, arena_fmt(b->a, " %s", comment));
	b->image = after;
	if (!key)
		return err_nomem(e);
	r = from_cache_wait(b, key, e);
	if (r != 0)
		return r;
	char box[65];
	rand_hex(box, 32);
	if (build_tell_wait(b, BUILD_RUNNING, NULL, box) < 0)
		return gone(e);
	struct build_layer *layer = NULL;
	if (s->kind == DF_WORKDIR)
		r = b->ops->mkdir_wait(b->ops->arg, b->stage->id, b->image.config.working_dir, &layer, e);
	if (r == 0)
		r = commit_wait(b, key, layer, e);
	if (r < 0)
		return r;
	if (build_tell_wait(b, BUILD_REMOVED, NULL, box) < 0 || build_tell_wait(b, BUILD_STEP_DONE, NULL, b->stage->id) < 0)
		return gone(e);
	return 0;
}

/* --- RUN --------------------------------------------------------------------------- */

static bool in_env(const struct image_config *c, const char *name)
{
	size_t n = strlen(name);
	for (uint32_t i = 0; i < c->n_env; i++)
		if (!strncmp(c->env[i], name, n) && c->env[i][n] == '=')
			return true;
	return false;
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* The arguments in force as "k=v", sorted; ENV hides them. */
static int run_args(struct build *b, const char ***ret, uint32_t *ret_n, struct err *e)
{
	const char **v = arena_array(b->a, b->n_vars, sizeof *v);
	uint32_t n = 0;
	if (!v)
		return err_nomem(e);
	for (uint32_t i = 0; i < b->n_vars; i++)
		if (b->vars[i].value && !in_env(&b->image.config, b->vars[i].name)) {
			v[n] = arena_fmt(b->a, "%s=%s", b->vars[i].name, b->vars[i].value);
			if (!v[n++])
				return err_nomem(e);
		}
	qsort(v, n, sizeof *v, by_text);
	*ret = v;
	*ret_n = n;
	return 0;
}

/* The command line of RUN; here-documents become the script, or follow their command. */
static int run_command(struct build *b, const struct df_step *s, const char ***ret, uint32_t *ret_n, struct err *e)
{
	static const char *sh[] = { "/bin/sh", "-c" };
	const struct image_config *c = &b->image.config;
	if (s->is_json) {
		*ret = s->words;
		*ret_n = s->n_words;
		return s->n_words ? 0 : err_set(e, EINVAL, "RUN requires a command");
	}
	const char **shell = c->n_shell ? c->shell : sh, *text = s->rest;
	uint32_t n = c->n_shell ? c->n_shell : 2;
	if (s->n_heredocs) {
		AUTO(buf) struct buf t = BUF_INIT(DF_MAX_BYTES);
		bool alone = !strncmp(s->rest, "<<", 2) && !strpbrk(s->rest, " \t");
		if (!alone)
			buf_addf(&t, "%s\n", s->rest);
		for (uint32_t i = 0; i < s->n_heredocs; i++) {
			buf_adds(&t, s->heredocs[i].text);
			if (!alone)
				buf_addf(&t, "%s\n", s->heredocs[i].name);
		}
		text = buf_error(&t) ? NULL : arena_dup(b->a, buf_slice(&t));
	}
	const char **v = arena_array(b->a, n + 1, sizeof *v);
	if (!v || !text)
		return err_nomem(e);
	memcpy(v, shell, n * sizeof *v);
	v[n] = text;
	*ret = v;
	*ret_n = n + 1;
	return 0;
}

static const char *run_key(struct build *b, const char **args, uint32_t n_args, const char **cmd, uint32_t n_cmd)
{
	AUTO(buf) struct buf t = BUF_INIT(DF_MAX_BYTES + (1 << 20));
	if (n_args)
		buf_addf(&t, "|%u ", n_args);
	for (uint32_t i = 0; i < n_args; i++)
		buf_addf(&t, "%s ", args[i]);
	for (uint32_t i = 0; i < n_cmd; i++)
		buf_addf(&t, "%s%s", i ? " " : "", cmd[i]);
	return buf_error(&t) ? NULL : arena_dup(b->a, buf_slice(&t));
}

/* What the container of a RUN gets: the image's settings with this command, the arguments as variables, no health check. */
static int run_config(struct build *b, const char **args, uint32_t n_args, const char **cmd, uint32_t n_cmd, struct image_config *ret, struct err *e)
{
	static const char *const proxies[] = { "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY",
					       "ftp_proxy",  "NO_PROXY",   "no_proxy",	  "ALL_PROXY",	 "all_proxy" };
	*ret = b->image.config;
	const char **env = arena_array(b->a, ret->n_env + n_args + ARRAY_LEN(proxies), sizeof *env);
	if (!env)
		return err_nomem(e);
	uint32_t n = 0;
	for (uint32_t i = 0; i < ret->n_env; i++)
		env[n++] = ret->env[i];
	for (uint32_t i = 0; i < n_args; i++)
		env[n++] = args[i];
	for (size_t k = 0; k < ARRAY_LEN(proxies); k++)
		for (size_t i = 0; i < b->o->n_args; i++)
			if (!strcmp(b->o->args[i].name, proxies[k]) && b->o->args[i].value && !in_env(ret, proxies[k])) {
				env[n++] = arena_fmt(b->a, "%s=%s", proxies[k], b->o->args[i].value);
				break;
			}
	ret->env = env;
	ret->n_env = n;
	ret->entrypoint = NULL;
	ret->n_entrypoint = 0;
	ret->cmd = cmd;
	ret->n_cmd = n_cmd;
	ret->healthcheck = NULL;
	return 0;
}

static int run_failed(struct build *b, const char **cmd, uint32_t n_cmd, int code, struct err *e)
{
	AUTO(buf) struct buf t = BUF_INIT(DF_MAX_BYTES);
	for (uint32_t i = 0; i < n_cmd; i++)
		buf_addf(&t, "%s%s", i ? " " : "", cmd[i]);
	b->exit_code = code;
	return err_set(e, EINVAL, "The command '%.400s' returned a non-zero code: %d", t.ptr, code);
}

static int do_run_wait(struct build *b, const struct df_step *s, struct err *e)
{
	static const char *const flags[] = { "network", NULL };
	const char **args = NULL, **cmd = NULL, *key;
	uint32_t n_args = 0, n_cmd = 0;
	int r = build_check_flags(s, flags, e);
	if (r == 0)
		r = run_args(b, &args, &n_args, e);
	if (r == 0)
		r = run_command(b, s, &cmd, &n_cmd, e);
	if (r < 0)
		return r;
	key = run_key(b, args, n_args, cmd, n_cmd);
	if (!key)
		return err_nomem(e);
	r = from_cache_wait(b, key, e);
	if (r != 0)
		return r;
	struct image_config config;
	char box[BUILD_ID_MAX];
	int code = 0;
	struct build_layer *layer = NULL;
	r = run_config(b, args, n_args, cmd, n_cmd, &config, e);
	if (r == 0)
		r = b->ops->container_create_wait(b->ops->arg, b->stage->id, &config, box, e);
	if (r < 0)
		return r;
	r = build_tell_wait(b, BUILD_RUNNING, NULL, box) < 0 ? gone(e) : b->ops->container_run_wait(b->ops->arg, box, &code, e);
	if (r == 0 && code)
		r = run_failed(b, cmd, n_cmd, code, e);
	if (r == 0)
		r = b->ops->container_layer_wait(b->ops->arg, box, &layer, e);
	if (r == 0)
		r = commit_wait(b, key, layer, e);
	bool keep = r == 0 ? b->o->keep_containers : !b->o->force_remove && code;
	if (!keep) {
		b->ops->container_remove_wait(b->ops->arg, box);
		if (build_tell_wait(b, BUILD_REMOVED, NULL, box) < 0 && r == 0)
			r = gone(e);
	}
	if (r == 0 && build_tell_wait(b, BUILD_STEP_DONE, NULL, b->stage->id) < 0)
		r = gone(e);
	return r;
}

/* --- COPY and ADD -------------------------------------------------------------------- */

static int copy_from(struct build *b, const struct df_step *s, struct build_copy *c, struct err *e)
{
	const char *from = build_flag(s, "from"), *name;
	struct word_env env = build_env(b);
	if (!from)
		return 0;
	int r = word_expand(slice_of(from), b->file.escape, &env, b->a, &name, e);
	if (r < 0)
		return r;
	for (uint32_t i = 0; &b->stages[i] < b->stage; i++) {
		char index[12];
		fmt_into(index, sizeof index, "%u", i);
		bool is = !strcmp(name, index) || (b->stages[i].name[0] && slice_eq_nocase(slice_of(name), slice_of(b->stages[i].name)));
		if (is)
			c->from_image = b->stages[i].id;
	}
	if (c->from_image)
		return c->from_image[0] ? 0 : err_set(e, EINVAL, "COPY --from=%s: that stage made no image", name);
	if (b->stage->name[0] && slice_eq_nocase(slice_of(name), slice_of(b->stage->name)))
		return err_set(e, EINVAL, "invalid from flag value %s: a stage can not copy from itself", name);
	char *id = arena_alloc(b->a, BUILD_ID_MAX);
	if (!id)
		return err_nomem(e);
	c->from_image = id;
	return b->ops->from_wait(b->ops->arg, name, false, id, e);
}

static int copy_words(struct build *b, const struct df_step *s, struct build_copy *c, struct err *e)
{
	const char **v = arena_array(b->a, s->n_words, sizeof *v);
	struct word_env env = build_env(b);
	uint32_t n = 0;
	if (!v)
		return err_nomem(e);
	if (s->n_words < 2)
		return err_set(e, EINVAL, "dockerfile parse error on line %d: %s requires at least two arguments, but only one was provided. Destination could not be determined",
			       s->line, df_name(s->kind));
	for (uint32_t i = 0; i + 1 < s->n_words; i++) {
		if (s->n_heredocs && !strncmp(s->words[i], "<<", 2))
			continue;
		int r = word_expand(slice_of(s->words[i]), b->file.escape, &env, b->a, &v[n++], e);
		if (r < 0)
			return r;
	}
	const char *dest, *wd = b->image.config.working_dir;
	int r = word_expand(slice_of(s->words[s->n_words - 1]), b->file.escape, &env, b->a, &dest, e);
	if (r < 0)
		return r;
	if (dest[0] != '/')
		dest = arena_fmt(b->a, "%s/%s", wd && strcmp(wd, "/") ? wd : "", !strcmp(dest, ".") ? "" : !strncmp(dest, "./", 2) ? dest + 2 : dest);
	c->sources = v;
	c->n_sources = n;
	c->destination = dest;
	if ((n + s->n_heredocs) > 1 && dest && dest[strlen(dest) - 1] != '/')
		return err_set(e, EINVAL, "When using %s with more than one source file, the destination must be a directory and end with a /", df_name(s->kind));
	return dest ? 0 : err_nomem(e);
}

static int copy_heredocs(struct build *b, const struct df_step *s, struct build_copy *c, struct err *e)
{
	struct build_inline *v = arena_array(b->a, s->n_heredocs, sizeof *v);
	if (!v)
		return err_nomem(e);
	for (uint32_t i = 0; i < s->n_heredocs; i++) {
		struct word_env env = build_env(b);
		const char *text = s->heredocs[i].text;
		int r = s->heredocs[i].expand ? word_expand(slice_of(text), b->file.escape, &env, b->a, &text, e) : 0;
		if (r < 0)
			return r;
		v[i] = (struct build_inline){ s->heredocs[i].name, text };
	}
	c->inlines = v;
	c->n_inlines = s->n_heredocs;
	return 0;
}

static int do_copy_wait(struct build *b, const struct df_step *s, struct err *e)
{
	static const char *const copy_flags[] = { "from", "chown", "chmod", "link", NULL }, *const add_flags[] = { "chown", "chmod", "link", NULL };
	struct build_copy c = { .is_add = s->kind == DF_ADD };
	struct word_env env = build_env(b);
	char sum[160];
	int r = build_check_flags(s, c.is_add ? add_flags : copy_flags, e);
	if (r == 0)
		r = copy_words(b, s, &c, e);
	if (r == 0)
		r = copy_heredocs(b, s, &c, e);
	if (r == 0 && build_flag(s, "chown"))
		r = word_expand(slice_of(build_flag(s, "chown")), b->file.escape, &env, b->a, &c.chown, e);
	if (r == 0 && build_flag(s, "chmod"))
		r = word_expand(slice_of(build_flag(s, "chmod")), b->file.escape, &env, b->a, &c.chmod, e);
	if (r == 0)
		r = copy_from(b, s, &c, e);
	if (r == 0)
		r = b->ops->copy_sum_wait(b->ops->arg, &c, sum, sizeof sum, e);
	if (r < 0)
		return r;
	const char *key = nop(b, arena_fmt(b->a, "%s %s%s%s%s%s%s%s in %s ", df_name(s->kind), c.chown ? "--chown=" : "", c.chown ? c.chown : "",
					   c.chown ? " " : "", c.chmod ? "--chmod=" : "", c.chmod ? c.chmod : "", c.chmod ? " " : "", sum,
					   c.destination));
	if (!key)
		return err_nomem(e);
	r = from_cache_wait(b, key, e);
	if (r != 0)
		return r;
	struct build_layer *layer = NULL;
	r = b->ops->copy_wait(b->ops->arg, b->stage->id, &c, &layer, e);
	if (r == 0)
		r = commit_wait(b, key, layer, e);
	if (r == 0 && build_tell_wait(b, BUILD_STEP_DONE, NULL, b->stage->id) < 0)
		r = gone(e);
	return r;
}

int build_step_wait(struct build *b, const struct df_step *s, struct err *e)
{
	int r;
	switch (s->kind) {
	case DF_RUN:
		r = do_run_wait(b, s, e);
		break;
	case DF_COPY:
	case DF_ADD:
		r = do_copy_wait(b, s, e);
		break;
	default:
		r = settings_wait(b, s, e);
	}
	return r < 0 ? r : 0;
}
