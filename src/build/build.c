/* SPDX-License-Identifier: Apache-2.0 */
/* The plan (stages, target, step count) and the loop that runs it; variables. Instructions are in steps.c and settings.c. */
#include "build/build_int.h"

#include <errno.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/num.h"

/* Usable in RUN without ARG, and never part of a cache key or the history. */
static const char *const proxies[] = { "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY",
				       "ftp_proxy",  "NO_PROXY",   "no_proxy",	  "ALL_PROXY",	 "all_proxy" };

int build_tell_wait(struct build *b, enum build_event_kind kind, const char *text, const char *id)
{
	struct build_event ev = { kind, text, id, b->number, b->total };
	return b->observer->event_wait(b->observer->arg, &ev);
}

const char *build_flag(const struct df_step *s, const char *name)
{
	for (uint32_t i = 0; i < s->n_flags; i++)
		if (!strcmp(s->flags[i].name, name))
			return s->flags[i].value;
	return NULL;
}

int build_check_flags(const struct df_step *s, const char *const *known, struct err *e)
{
	for (uint32_t i = 0; i < s->n_flags; i++) {
		const char *const *k = known;
		while (*k && strcmp(*k, s->flags[i].name))
			k++;
		if (!*k)
			return err_set(e, EINVAL, "dockerfile parse error on line %d: unknown flag: --%s", s->line, s->flags[i].name);
		if (!s->flags[i].has_value && strcmp(*k, "link"))
			return err_set(e, EINVAL, "dockerfile parse error on line %d: missing a value on flag: --%s", s->line, s->flags[i].name);
	}
	return 0;
}

/* --- variables -------------------------------------------------------------- */

static const char *platform_arg(struct build *b, const char *name)
{
	const struct build_options *o = b->o;
	const char *os = o->os ? o->os : "linux", *arch = o->architecture ? o->architecture : "amd64", *variant = o->variant ? o->variant : "";
	if (strncmp(name, "TARGET", 6) && strncmp(name, "BUILD", 5))
		return NULL;
	name += name[0] == 'T' ? 6 : 5;
	return !strcmp(name, "OS") ? os : !strcmp(name, "ARCH") ? arch : !strcmp(name, "VARIANT") ? variant :
	       !strcmp(name, "PLATFORM") ? arena_fmt(b->a, "%s/%s%s%s", os, arch, variant[0] ? "/" : "", variant) : NULL;
}

static const struct build_arg *given_arg(struct build *b, const char *name, bool mark)
{
	for (size_t i = b->o->n_args; i-- > 0;)
		if (!strcmp(b->o->args[i].name, name)) {
			if (mark && b->arg_used)
				b->arg_used[i] = true;
			return &b->o->args[i];
		}
	return NULL;
}

static struct build_var *find_var(struct build_var *v, uint32_t n, struct slice name)
{
	for (uint32_t i = 0; i < n; i++)
		if (slice_is(name, v[i].name))
			return &v[i];
	return NULL;
}

/* The value of ARG name[=fallback]: from the command line, the default, an ARG before FROM, the platform. */
static const char *arg_value(struct build *b, const char *name, const char *fallback)
{
	const struct build_arg *given = given_arg(b, name, true);
	if (given && given->value)
		return given->value;
	if (fallback)
		return fallback;
	struct build_var *g = find_var(b->global, b->n_global, slice_of(name));
	return g && g->value ? g->value : platform_arg(b, name);
}

int build_declare_arg(struct build *b, const char *name, const char *fallback, struct err *e)
{
	bool in_stage = b->stage != NULL;
	struct build_var **v = in_stage ? &b->vars : &b->global;
	uint32_t *n = in_stage ? &b->n_vars : &b->n_global;
	struct build_var *x = find_var(*v, *n, slice_of(name));
	const char *value = arg_value(b, name, fallback);
	if (!x) {
		if (!*v && !(*v = arena_array(b->a, BUILD_VARS_MAX, sizeof **v)))
			return err_nomem(e);
		if (*n == BUILD_VARS_MAX)
			return err_set(e, EINVAL, "more than %d build arguments", BUILD_VARS_MAX);
		x = &(*v)[(*n)++];
	}
	*x = (struct build_var){ .name = name, .value = value };
	return 0;
}

static const char *env_get(void *arg, struct slice name)
{
	struct build *b = arg;
	for (uint32_t i = 0; b->stage && i < b->image.config.n_env; i++) {
		struct slice k, v;
		if (slice_cut(slice_of(b->image.config.env[i]), '=', &k, &v) && slice_eq(k, name))
			return v.ptr;
	}
	struct build_var *x = b->stage ? find_var(b->vars, b->n_vars, name) : find_var(b->global, b->n_global, name);
	if (x)
		return x->value;
	char text[64];
	if (!b->stage && fmt_into(text, sizeof text, "%.*s", SLICE_FMT(name)))
		return platform_arg(b, text);
	return NULL;
}

struct word_env build_env(struct build *b)
{
	return (struct word_env){ env_get, b };
}

/* --- the plan --------------------------------------------------------------- */

static int plan_from(struct build *b, const struct df_step *s, struct build_stage *st, struct err *e)
{
	static const char *const flags[] = { "platform", NULL };
	bool named = s->n_words == 3 && slice_eq_nocase(slice_of(s->words[1]), SLICE("as"));
	if (s->n_words != 1 && !named)
		return err_set(e, EINVAL, "dockerfile parse error on line %d: FROM requires either one or three arguments", s->line);
	int r = build_check_flags(s, flags, e);
	struct word_env env = build_env(b);
	if (r == 0)
		r = word_expand(slice_of(s->words[0]), b->file.escape, &env, b->a, &st->base, e);
	if (r < 0)
		return r;
	if (!st->base[0])
		return err_set(e, EINVAL, "dockerfile parse error on line %d: base name (%s) should not be blank", s->line, s->words[0]);
	char *name = arena_strdup(b->a, named ? s->words[2] : "");
	if (!name)
		return err_nomem(e);
	for (char *p = name; *p; p++) {
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
		bool ok = (*p >= 'a' && *p <= 'z') || (p > name && ((*p >= '0' && *p <= '9') || strchr("-_.", *p)));
		if (!ok)
			return err_set(e, EINVAL, "dockerfile parse error on line %d: invalid name for build stage: \"%s\", name can't start with a number or contain symbols",
				       s->line, s->words[2]);
	}
	st->name = name;
	return 0;
}

static int plan(struct build *b, struct err *e)
{
	struct df_file *f = &b->file;
	b->stages = arena_array(b->a, f->n_steps, sizeof *b->stages);
	if (!b->stages)
		return err_nomem(e);
	for (uint32_t i = 0; i < f->n_steps; i++) {
		struct df_step *s = &f->steps[i];
		int r = 0;
		if (s->kind == DF_FROM) {
			struct build_stage *st = &b->stages[b->n_stages];
			r = plan_from(b, s, st, e);
			st->first = i + 1;
			b->n_stages++;
		} else if (b->n_stages) {
			b->stages[b->n_stages - 1].n++;
		} else if (s->kind == DF_ARG) {
			const char *comment;
			r = build_settings(b, s, &comment, e);
		} else {
			r = err_set(e, EINVAL, "dockerfile parse error on line %d: no build stage in current context", s->line);
		}
		if (r < 0)
			return r;
	}
	return b->n_stages ? 0 : err_set(e, EINVAL, "dockerfile parse error on line 1: no build stage in current context");
}

/* The stage a name or number means among the first n, or NULL. */
static struct build_stage *find_stage(struct build *b, const char *name, uint32_t n)
{
	uint64_t i;
	for (uint32_t k = n; k-- > 0;)
		if (b->stages[k].name[0] && slice_eq_nocase(slice_of(name), slice_of(b->stages[k].name)))
			return &b->stages[k];
	return n && num_parse_u64(slice_of(name), n - 1, &i) == 0 ? &b->stages[i] : NULL;
}

/* Cuts the plan behind the target and counts its steps. */
static int aim(struct build *b, struct err *e)
{
	const char *t = b->o->target;
	struct build_stage *last = &b->stages[b->n_stages - 1];
	if (t && t[0]) {
		last = find_stage(b, t, b->n_stages);
		if (!last)
			return err_set(e, EINVAL, "target stage \"%s\" could not be found", t);
	}
	b->n_stages = (uint32_t)(last - b->stages) + 1;
	b->total = (int)(last->first + last->n) + (b->o->n_labels ? 1 : 0);
	return 0;
}

/* --- running it ----------------------------------------------------------------- */

static int run_triggers_wait(struct build *b, struct err *e)
{
	struct image_config *c = &b->image.config;
	const char **triggers = c->on_build;
	uint32_t n = c->n_on_build;
	if (!n)
		return 0;
	c->on_build = NULL;
	c->n_on_build = 0;
	int r = build_tell_wait(b, BUILD_WARNING, arena_fmt(b->a, "# Executing %u build trigger%s", n, n == 1 ? "" : "s"), NULL);
	for (uint32_t i = 0; r >= 0 && i < n; i++) {
		struct df_step s;
		r = df_parse_line(slice_of(triggers[i]), b->a, &s, e);
		if (r < 0)
			return r;
		r = build_step_wait(b, &s, e);
	}
	return r;
}

static int begin_stage_wait(struct build *b, struct build_stage *st, struct err *e)
{
	uint32_t index = (uint32_t)(st - b->stages);
	struct build_stage *other = find_stage(b, st->base, index);
	b->stage = st;
	b->vars = NULL;
	b->n_vars = 0;
	b->cache_broken = b->o->no_cache;
	b->cmd_set = false;
	b->image = (struct image_image){ .architecture = b->o->architecture ? b->o->architecture : "amd64", .os = "linux", .rootfs.type = "layers" };
	int r = 0;
	if (other && st->base[0] >= '0' && st->base[0] <= '9' && !other->name[0])
		other = NULL; /* FROM 0 is an image name; only COPY --from takes numbers */
	if (other)
		fmt_into(st->id, sizeof st->id, "%s", other->id);
	else if (strcmp(st->base, "scratch"))
		r = b->ops->from_wait(b->ops->arg, st->base, b->o->pull, st->id, e);
	if (r >= 0 && st->id[0])
		r = b->ops->image_wait(b->ops->arg, st->id, b->a, &b->image, e);
	if (r < 0)
		return r;
	r = build_tell_wait(b, BUILD_STEP_DONE, NULL, st->id);
	return r < 0 ? err_set(e, ECANCELED, "the client has gone") : run_triggers_wait(b, e);
}

static int stage_wait(struct build *b, struct build_stage *st, struct err *e)
{
	struct df_step *from = &b->file.steps[st->first - 1];
	b->number++;
	if (build_tell_wait(b, BUILD_STEP, from->text, NULL) < 0)
		return err_set(e, ECANCELED, "the client has gone");
	int r = begin_stage_wait(b, st, e);
	for (uint32_t i = 0; r >= 0 && i < st->n; i++) {
		const struct df_step *s = &b->file.steps[st->first + i];
		b->number++;
		if (build_tell_wait(b, BUILD_STEP, s->text, NULL) < 0)
			return err_set(e, ECANCELED, "the client has gone");
		r = build_step_wait(b, s, e);
	}
	st->built = r >= 0;
	return r;
}

/* --label: one more instruction at the end. */
static int labels_wait(struct build *b, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	struct df_step s;
	buf_adds(&text, "LABEL");
	for (size_t i = 0; i < b->o->n_labels; i++) {
		buf_addf(&text, " \"%s\"='", b->o->labels[i].key);
		for (const char *p = b->o->labels[i].value; *p; p++)
			*p == '\'' ? buf_adds(&text, "'\\''") : buf_addc(&text, *p);
		buf_addc(&text, '\'');
	}
	if (buf_error(&text))
		return err_set(e, EINVAL, "the labels are larger than 1 MB");
	int r = df_parse_line(buf_slice(&text), b->a, &s, e);
	if (r < 0)
		return r;
	b->number++;
	if (build_tell_wait(b, BUILD_STEP, s.text, NULL) < 0)
		return err_set(e, ECANCELED, "the client has gone");
	return build_step_wait(b, &s, e);
}

static void warn_unused_wait(struct build *b)
{
	AUTO(buf) struct buf names = BUF_INIT(4096);
	for (size_t i = 0; i < b->o->n_args; i++) {
		bool proxy = false;
		for (size_t k = 0; k < ARRAY_LEN(proxies); k++)
			proxy = proxy || !strcmp(proxies[k], b->o->args[i].name);
		if (!b->arg_used[i] && !proxy)
			buf_addf(&names, "%s%s", names.len ? " " : "", b->o->args[i].name);
	}
	if (names.len)
		build_tell_wait(b, BUILD_WARNING, arena_fmt(b->a, "[Warning] One or more build-args [%s] were not consumed", names.ptr), NULL);
}

static int finish_wait(struct build *b, const char *id, struct err *e)
{
	if (!id[0])
		return err_set(e, EINVAL, "No image was generated. Is your Dockerfile empty?");
	warn_unused_wait(b);
	int r = build_tell_wait(b, BUILD_BUILT, NULL, id);
	for (size_t i = 0; r >= 0 && i < b->o->n_tags; i++) {
		r = b->ops->tag_wait(b->ops->arg, id, b->o->tags[i], e);
		if (r < 0)
			return r;
		r = build_tell_wait(b, BUILD_TAGGED, b->o->tags[i], id);
	}
	return r < 0 ? err_set(e, ECANCELED, "the client has gone") : 0;
}

int build_wait(const struct build_options *o, const struct build_ops *ops, const struct build_observer *observer, char id[BUILD_ID_MAX],
	       int *exit_code, struct err *e)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 64 << 20);
	struct build b = { .o = o, .ops = ops, .observer = observer, .a = &a };
	*exit_code = 0;
	b.arg_used = arena_array(&a, o->n_args, sizeof *b.arg_used);
	int r = b.arg_used ? df_parse(o->dockerfile, &a, &b.file, e) : err_nomem(e);
	if (r >= 0)
		r = plan(&b, e);
	if (r >= 0)
		r = aim(&b, e);
	if (r < 0)
		return r;
	/* ARGs before FROM are counted and shown, but make nothing */
	for (uint32_t i = 0; r >= 0 && i + 1 < b.stages[0].first; i++) {
		b.number++;
		r = build_tell_wait(&b, BUILD_STEP, b.file.steps[i].text, NULL);
	}
	for (uint32_t i = 0; r >= 0 && i < b.n_stages; i++)
		r = stage_wait(&b, &b.stages[i], e);
	if (r >= 0 && o->n_labels)
		r = labels_wait(&b, e);
	*exit_code = b.exit_code;
	if (r < 0)
		return r;
	const char *result = b.stages[b.n_stages - 1].id;
	r = finish_wait(&b, result, e);
	if (r >= 0)
		fmt_into(id, BUILD_ID_MAX, "%s", result);
	return r;
}
