/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions that only change an image's settings: one function each, from
 * words to a member of struct image_config, and the comment that the history
 * shows behind "#(nop)" (its form is docker's, since caches and people read it).
 */
#include "build/build_int.h"

#include <errno.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/num.h"
#include "base/path.h"

typedef int settings_fn(struct build *b, const struct df_step *s, struct buf *comment, struct err *e);

static int one(struct build *b, const struct df_step *s, const char **ret, struct err *e)
{
	struct word_env env = build_env(b);
	return word_expand(slice_of(s->rest), b->file.escape, &env, b->a, ret, e);
}

/* Go's %q for the lists in comments. */
static void quoted(struct buf *out, const char *s)
{
	buf_addc(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_addc(out, '\\');
		if (*s == '\n')
			buf_adds(out, "\\n");
		else if (*s == '\t')
			buf_adds(out, "\\t");
		else
			buf_addc(out, *s);
	}
	buf_addc(out, '"');
}

static void quoted_list(struct buf *out, const char **v, uint32_t n)
{
	buf_addc(out, '[');
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			buf_addc(out, ' ');
		quoted(out, v[i]);
	}
	buf_addc(out, ']');
}

static int list_copy(struct arena *a, const char **v, uint32_t n, uint32_t more, const char ***ret, struct err *e)
{
	if (n + more > BUILD_LIST_MAX)
		return err_set(e, EINVAL, "more than %d entries in one list", BUILD_LIST_MAX);
	*ret = arena_array(a, n + more, sizeof **ret);
	if (!*ret)
		return err_nomem(e);
	if (n)
		memcpy(*ret, v, n * sizeof *v);
	return 0;
}

/* "A=b": replaces the entry with that name or appends one. */
static int set_env(struct arena *a, struct image_config *c, const char *name, const char *value, struct err *e)
{
	size_t len = strlen(name);
	const char **v, *entry = arena_fmt(a, "%s=%s", name, value);
	int r = list_copy(a, c->env, c->n_env, 1, &v, e);
	if (r < 0 || !entry)
		return r < 0 ? r : err_nomem(e);
	c->env = v;
	for (uint32_t i = 0; i < c->n_env; i++)
		if (!strncmp(v[i], name, len) && v[i][len] == '=') {
			v[i] = entry;
			return 0;
		}
	v[c->n_env++] = entry;
	return 0;
}

static int set_label(struct arena *a, struct image_config *c, const char *name, const char *value, struct err *e)
{
	for (uint32_t i = 0; i < c->n_labels; i++)
		if (!strcmp(c->labels[i].key, name)) {
			struct schema_pair *copy = arena_array(a, c->n_labels, sizeof *copy);
			if (!copy)
				return err_nomem(e);
			memcpy(copy, c->labels, c->n_labels * sizeof *copy);
			copy[i].value = value;
			c->labels = copy;
			return 0;
		}
	struct schema_pair *v = c->n_labels < BUILD_LIST_MAX ? arena_array(a, c->n_labels + 1, sizeof *v) : NULL;
	if (!v)
		return err_set(e, EINVAL, "more than %d labels", BUILD_LIST_MAX);
	if (c->n_labels)
		memcpy(v, c->labels, c->n_labels * sizeof *v);
	v[c->n_labels++] = (struct schema_pair){ name, value };
	c->labels = v;
	return 0;
}

static int add_to_set(struct arena *a, struct image_empty_entry **set, uint32_t *n, const char *key, struct err *e)
{
	for (uint32_t i = 0; i < *n; i++)
		if (!strcmp((*set)[i].key, key))
			return 0;
	struct image_empty_entry *v = *n < BUILD_LIST_MAX ? arena_array(a, *n + 1, sizeof *v) : NULL;
	if (!v)
		return err_set(e, EINVAL, "more than %d entries in one list", BUILD_LIST_MAX);
	if (*n)
		memcpy(v, *set, *n * sizeof *v);
	v[(*n)++] = (struct image_empty_entry){ key };
	*set = v;
	return 0;
}

/* ENV and LABEL: every value is expanded with what was set before the instruction. */
static int pairs(struct build *b, const struct df_step *s, struct buf *comment,
		 int (*set)(struct arena *, struct image_config *, const char *, const char *, struct err *), struct err *e)
{
	struct word_pair *v;
	uint32_t n;
	int r = word_pairs(df_name(s->kind), s->rest, b->file.escape, b->a, &v, &n, e);
	if (r < 0)
		return r;
	struct image_config before = b->image.config, after = before;
	buf_adds(comment, df_name(s->kind));
	for (uint32_t i = 0; i < n; i++) {
		struct word_env env = build_env(b);
		const char *name, *value;
		r = word_expand(v[i].name, b->file.escape, &env, b->a, &name, e);
		if (r == 0)
			r = word_expand(v[i].value, b->file.escape, &env, b->a, &value, e);
		if (r == 0 && !name[0])
			r = err_set(e, EINVAL, "%s names can not be blank", df_name(s->kind));
		if (r == 0)
			r = set(b->a, &after, name, value, e);
		if (r < 0)
			return r;
		buf_addf(comment, " %s=%s", name, value);
	}
	b->image.config = after;
	return 0;
}

static int do_env(struct build *b, const struct df_step *s, struct buf *comment, struct err *e)
{
	return pairs(b, s, comment, set_env, e);
}

static int do_label(struct build *b, const struct df_step *s, struct buf *comment, struct err *e)
{
	return pairs(b, s, comment, set_label, e);
}

/* Exec form as it is; shell form behind the shell in force. */
static int command(struct build *b, const struct df_step *s, const char ***ret, uint32_t *ret_n, struct err *e)
{
	static const char *sh[] = { "/bin/sh", "-c" };
	struct image_config *c = &b->image.config;
	if (s->is_json || s->n_words == 0) {
		*ret = s->words;
		*ret_n = s->n_words;
		return 0;
	}
	const char **shell = c->n_shell ? c->shell : sh;
	uint32_t n = c->n_shell ? c->n_shell : 2;
	int r = list_copy(b->a, shell, n, 1, ret, e);
	if (r == 0) {
		(*ret)[n] = s->words[0];
		*ret_n = n + 1;
	}
	return r;
}

static int do_cmd(struct build *b, const struct df_step *s, struct buf *comment, struct err *e)
{
	struct image_config *c = &b->image.config;
	int r = command(b, s, &c->cmd, &c->n_cmd, e);
	buf_adds(comment, "CMD ");
	quoted_list(comment, c->cmd, c->n_cmd);
	b->cmd_set = true;
	return r;
}

static int do_entrypoint(struct build *b, const struct df_step *s, struct buf *comment, struct err *e)
{
	struct image_config *c = &b->image.config;
	int r = command(b, s, &c->entrypoint, &c->n_entrypoint, e);
	if (!b->cmd_set) {
		c->cmd = NULL;
		c->n_cmd = 0;
	}
	buf_adds(comment, "ENTRYPOINT ");
	quoted_list(comment, c->entrypoint, c->n_entrypoint);
	return r;
}

/* "80", "80/tcp", "8000-8010/udp" -> entries "80/tcp" */
static int expose(struct build *b, const char *spec, struct err *e)
{
	struct slice ports, proto, from, to;
	struct image_config *c = &b->image.config;
	uint64_t lo, hi;
	if (!slice_cut(slice_of(spec), '/', &ports, &proto))
		proto = SLICE("tcp");
	char p[8];
	fmt_into(p, sizeof p, "%.*s", SLICE_FMT(proto));
	for (char *x = p; *x; x++)
		*x = *x >= 'A' && *x <= 'Z' ? (char)(*x + 32) : *x;
	if (strcmp(p, "tcp") && strcmp(p, "udp") && strcmp(p, "sctp"))
		return err_set(e, EINVAL, "invalid proto: %.*s", SLICE_FMT(proto));
	ptrdiff_t colon = slice_rfind(ports, ':'); /* host parts are ignored here, as docker does */
	if (colon >= 0)
		ports = slice_n(ports.ptr + colon + 1, ports.len - (size_t)colon - 1);
	if (!slice_cut(ports, '-', &from, &to))
		to = from;
	if (num_parse_u64(from, 65535, &lo) < 0 || num_parse_u64(to, 65535, &hi) < 0 || lo > hi)
		return err_set(e, EINVAL, "invalid containerPort: %.*s", SLICE_FMT(ports));
	for (uint64_t n = lo; n <= hi; n++) {
		const char *key = arena_fmt(b->a, "%llu/%s", (unsigned long long)n, p);
		int r = key ? add_to_set(b->a, &c->exposed_ports, &c->n_exposed_ports, key, e) : err_nomem(e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int do_expose(struct build *b, const struct df_step *s, struct buf *comment, struct err *e)
{
	struct word_env env = build_env(b);
	const char **v;
	uint32_t n;
	int r = word_expand_split(slice_of(s->rest), b->file.escape, &env, b->a, &v, &n, e);
	buf_adds(comment, "EXPOSE");
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		r = expose(b, v[i], e);
		buf_addf(comment, " %s", v[i]);
	}
	return r;
}

static int do_user(struct build *b, const struct df_step *s, struct buf *comment, struct err *e)
{
	int r = one(b, s, &b->image.config.user, e);
	if (r == 0)
		buf_addf(comment, "USER %s", b->image.config.user);
	return r;
}

static int do_volume(struct build *b, const struct df_step *s, struct buf *comment, struct err *e)
{
	struct image_config *c = &b->image.config;
	buf_adds(comment, "VOLUME [");
	for (uint32_t i = 0; i < s->n_words; i++) {
		struct word_env env = build_env(b);
		const char *v;
		int r = word_expand(slice_of(s->words[i]), b->file.escape, &env, b->a, &v, e);
		if (r == 0 && !slice_trim(slice_of(v)).len)
			r = err_set(e, EINVAL, "VOLUME specified can not be an empty string");
		if (r == 0)
			r = add_to_set(b->a, &c->volumes, &c->n_volumes, v, e);
		if (r < 0)
			return r;
		buf_addf(comment, "%s%s", i ? " " : "", v);
	}
	return buf_addc(comment, ']');
}

static int do_workdir(struct build *b, const struct df_step *s, struct buf *comment, struct err *e)
{
	struct image_config *c = &b->image.config;
	const char *v, *joined;
	int r = one(b, s, &v, e);
	if (r < 0)
		return r;
	joined = v[0] == '/' ? v : arena_fmt(b->a, "%s/%s", c->working_dir && c->working_dir[0] ? c->working_dir : "", v);
	char *clean = joined ? arena_alloc(b->a, strlen(joined) + 3) : NULL;
	if (!clean)
		return err_nomem(e);
	path_clean(clean, joined);
	c->working_dir = clean;
	return buf_addf(comment, "WORKDIR %s", clean);
}

static int do_stopsignal(struct build *b, const struct df_step *s, struct buf *comment, struct err *e)
{
	const char *v;
	uint64_t n;
	int r = one(b, s, &v, e);
	if (r < 0)
		return r;
	struct slice name = slice_of(v);
	if (slice_starts(name, "SIG"))
		name = slice_n(name.ptr + 3, name.len - 3);
	bool ok = num_parse_u64(name, 64, &n) == 0 && n > 0;
	static const char known[] = " HUP INT QUIT ILL TRAP ABRT IOT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN "
				    "TTOU URG XCPU XFSZ VTALRM PROF WINCH IO POLL PWR SYS RTMIN RTMAX ";
	char probe[32];
	ok = ok || (name.len && name.len < 12 && fmt_into(probe, sizeof probe, " %.*s ", SLICE_FMT(name)) && strstr(known, probe)) ||
	     slice_starts(name, "RTMIN+") || slice_starts(name, "RTMAX-");
	if (!ok)
		return err_set(e, EINVAL, "invalid signal: %s", v);
	b->image.config.stop_signal = v;
	return buf_addf(comment, "STOPSIGNAL %s", v);
}

static int do_shell(struct build *b, const struct df_step *s, struct buf *comment, struct err *e)
{
	struct image_config *c = &b->image.config;
	if (!s->is_json)
		return err_set(e, EINVAL, "SHELL requires the arguments to be in JSON form");
	if (!s->n_words)
		return err_set(e, EINVAL, "SHELL requires at least one argument");
	c->shell = s->words;
	c->n_shell = s->n_words;
	buf_adds(comment, "SHELL [");
	for (uint32_t i = 0; i < s->n_words; i++)
		buf_addf(comment, "%s%s", i ? " " : "", s->words[i]);
	return buf_addc(comment, ']');
}

static int do_onbuild(struct build *b, const struct df_step *s, struct buf *comment, struct err *e)
{
	struct image_config *c = &b->image.config;
	struct df_step inner;
	const char **v;
	int r = df_parse_line(slice_of(s->rest), b->a, &inner, e);
	if (r < 0)
		return r;
	if (inner.kind == DF_ONBUILD)
		return err_set(e, EINVAL, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	if (inner.kind == DF_FROM || inner.kind == DF_MAINTAINER)
		return err_set(e, EINVAL, "%s isn't allowed as an ONBUILD trigger", df_name(inner.kind));
	r = list_copy(b->a, c->on_build, c->n_on_build, 1, &v, e);
	if (r < 0)
		return r;
	v[c->n_on_build++] = s->rest;
	c->on_build = v;
	return buf_addf(comment, "ONBUILD %s", s->rest);
}

static int do_maintainer(struct build *b, const struct df_step *s, struct buf *comment, struct err *e)
{
	b->image.author = s->rest;
	return buf_addf(comment, "MAINTAINER %s", s->rest);
}

static int health_time(const struct df_step *s, const char *flag, int64_t *ret, struct err *e)
{
	const char *v = build_flag(s, flag);
	if (!v || !v[0])
		return 0;
	if (duration_parse(slice_of(v), ret) < 0)
		return err_set(e, EINVAL, "time: invalid duration \"%s\"", v);
	if (*ret < 0)
		return err_set(e, EINVAL, "Interval \"%s\" cannot be negative", flag);
	if (*ret > 0 && *ret < NS_PER_MS)
		return err_set(e, EINVAL, "Interval \"%s\" cannot be less than 1ms", flag);
	return 0;
}

static int do_healthcheck(struct build *b, const struct df_step *s, struct buf *comment, struct err *e)
{
	static const char *const flags[] = { "interval", "timeout", "start-period", "start-interval", "retries", NULL };
	struct image_healthcheck *h = arena_new(b->a, struct image_healthcheck);
	struct slice text = slice_of(s->rest), kind;
	int r = build_check_flags(s, flags, e);
	if (r < 0 || !h)
		return r < 0 ? r : err_nomem(e);
	size_t n = 0;
	while (n < text.len && text.ptr[n] != ' ' && text.ptr[n] != '\t')
		n++;
	kind = slice_n(text.ptr, n);
	text = slice_trim(slice_n(text.ptr + n, text.len - n));
	if (slice_eq_nocase(kind, SLICE("NONE"))) {
		if (text.len)
			return err_set(e, EINVAL, "HEALTHCHECK NONE takes no arguments");
		h->test = arena_array(b->a, 1, sizeof *h->test);
		h->n_test = 1;
		if (!h->test)
			return err_nomem(e);
		h->test[0] = "NONE";
	} else if (slice_eq_nocase(kind, SLICE("CMD"))) {
		char *line = arena_fmt(b->a, "CMD %.*s", SLICE_FMT(text));
		struct df_step cmd;
		if (!text.len)
			return err_set(e, EINVAL, "Missing command after HEALTHCHECK CMD");
		r = line ? df_parse_line(slice_of(line), b->a, &cmd, e) : err_nomem(e);
		if (r == 0)
			r = list_copy(b->a, NULL, 0, cmd.n_words + 1, &h->test, e);
		if (r < 0)
			return r;
		h->test[0] = cmd.is_json ? "CMD" : "CMD-SHELL";
		memcpy(h->test + 1, cmd.words, cmd.n_words * sizeof *cmd.words);
		h->n_test = cmd.n_words + 1;
	} else {
		return err_set(e, EINVAL, "Unknown type \"%.*s\" in HEALTHCHECK (try CMD)", SLICE_FMT(kind));
	}
	if ((r = health_time(s, "interval", &h->interval, e)) < 0 || (r = health_time(s, "timeout", &h->timeout, e)) < 0 ||
	    (r = health_time(s, "start-period", &h->start_period, e)) < 0 || (r = health_time(s, "start-interval", &h->start_interval, e)) < 0)
		return r;
	const char *retries = build_flag(s, "retries");
	if (retries && retries[0] && num_parse_i64(slice_of(retries), 0, INT32_MAX, &h->retries) < 0)
		return err_set(e, EINVAL, "--retries cannot be negative (%s)", retries);
	b->image.config.healthcheck = h;
	char d[4][32];
	duration_format(d[0], h->interval);
	duration_format(d[1], h->timeout);
	duration_format(d[2], h->start_period);
	duration_format(d[3], h->start_interval);
	buf_adds(comment, "HEALTHCHECK &{");
	quoted_list(comment, h->test, h->n_test);
	return buf_addf(comment, " \"%s\" \"%s\" \"%s\" \"%s\" '\\x%02x'}", d[0], d[1], d[2], d[3], (unsigned)h->retries);
}

static int do_arg(struct build *b, const struct df_step *s, struct buf *comment, struct err *e)
{
	buf_adds(comment, "ARG");
	for (uint32_t i = 0; i < s->n_words; i++) {
		struct slice name, value;
		struct word_env env = build_env(b);
		const char *n, *v = NULL;
		bool has = slice_cut(slice_of(s->words[i]), '=', &name, &value);
		int r = word_expand(name, b->file.escape, &env, b->a, &n, e);
		if (r == 0 && has)
			r = word_expand(value, b->file.escape, &env, b->a, &v, e);
		if (r == 0 && !n[0])
			r = err_set(e, EINVAL, "ARG names can not be blank");
		if (r == 0)
			r = build_declare_arg(b, n, v, e);
		if (r < 0)
			return r;
		buf_addf(comment, v ? " %s=%s" : " %s", n, v);
	}
	return 0;
}

static settings_fn *const handlers[DF_KINDS] = {
	[DF_ARG] = do_arg, [DF_CMD] = do_cmd, [DF_ENTRYPOINT] = do_entrypoint, [DF_ENV] = do_env, [DF_EXPOSE] = do_expose,
	[DF_HEALTHCHECK] = do_healthcheck, [DF_LABEL] = do_label, [DF_MAINTAINER] = do_maintainer, [DF_ONBUILD] = do_onbuild,
	[DF_SHELL] = do_shell, [DF_STOPSIGNAL] = do_stopsignal, [DF_USER] = do_user, [DF_VOLUME] = do_volume, [DF_WORKDIR] = do_workdir,
};

int build_settings(struct build *b, const struct df_step *s, const char **comment, struct err *e)
{
	static const char *const none[] = { NULL };
	if (!handlers[s->kind])
		return err_set(e, EOPNOTSUPP, "%s does not only change settings", df_name(s->kind));
	int r = s->kind == DF_HEALTHCHECK ? 0 : build_check_flags(s, none, e);
	AUTO(buf) struct buf out = BUF_INIT(DF_MAX_BYTES);
	if (r == 0)
		r = handlers[s->kind](b, s, &out, e);
	if (r < 0)
		return r;
	*comment = buf_error(&out) ? NULL : arena_dup(b->a, buf_slice(&out));
	return *comment ? 0 : err_nomem(e);
}

int build_change(const char *instruction, struct arena *a, struct image_config *config, struct err *e)
{
	struct build_options o = { 0 };
	struct build b = { .o = &o, .a = a, .file.escape = '\\' };
	struct df_step s;
	const char *comment;
	b.image.config = *config;
	int r = df_parse_line(slice_of(instruction), a, &s, e);
	if (r < 0)
		return r;
	if (s.kind == DF_ARG || s.kind == DF_MAINTAINER || !handlers[s.kind])
		return err_set(e, EINVAL, "%s is not a valid change command", df_name(s.kind));
	r = build_settings(&b, &s, &comment, e);
	if (r == 0)
		*config = b.image.config;
	return r;
}
