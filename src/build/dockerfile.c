/* SPDX-License-Identifier: Apache-2.0 */
#include "build/dockerfile.h"

#include <errno.h>

#include "api/docker.h"
#include "base/auto.h"
#include "base/vec.h"

/* What follows the name of an instruction: blank-separated pieces, one string, or either as a JSON array. */
enum shape { WORDS, ONE, WORDS_OR_JSON, ONE_OR_JSON };

static const struct {
	const char *name;
	enum shape shape;
	bool heredocs;
} kinds[DF_KINDS] = {
	[DF_ADD] = { "ADD", WORDS_OR_JSON, true },
	[DF_ARG] = { "ARG", WORDS },
	[DF_CMD] = { "CMD", ONE_OR_JSON },
	[DF_COPY] = { "COPY", WORDS_OR_JSON, true },
	[DF_ENTRYPOINT] = { "ENTRYPOINT", ONE_OR_JSON },
	[DF_ENV] = { "ENV", WORDS },
	[DF_EXPOSE] = { "EXPOSE", WORDS },
	[DF_FROM] = { "FROM", WORDS },
	[DF_HEALTHCHECK] = { "HEALTHCHECK", ONE },
	[DF_LABEL] = { "LABEL", WORDS },
	[DF_MAINTAINER] = { "MAINTAINER", ONE },
	[DF_ONBUILD] = { "ONBUILD", ONE },
	[DF_RUN] = { "RUN", ONE_OR_JSON, true },
	[DF_SHELL] = { "SHELL", ONE_OR_JSON },
	[DF_STOPSIGNAL] = { "STOPSIGNAL", ONE },
	[DF_USER] = { "USER", ONE },
	[DF_VOLUME] = { "VOLUME", WORDS_OR_JSON },
	[DF_WORKDIR] = { "WORKDIR", ONE },
};

const char *df_name(enum df_kind k)
{
	return kinds[k].name;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

static struct slice skip_blank(struct slice s)
{
	while (s.len && blank(s.ptr[0]))
		s = slice_n(s.ptr + 1, s.len - 1);
	return s;
}

static struct slice trim_right(struct slice s)
{
	while (s.len && blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* The next piece up to a blank; quotes and escapes keep blanks inside. */
static struct slice take_word(struct slice *s, char escape)
{
	char quote = 0;
	size_t i = 0;
	for (; i < s->len; i++) {
		char c = s->ptr[i];
		if (!quote && blank(c))
			break;
		if (c == escape && i + 1 < s->len && quote != '\'')
			i++;
		else if (quote ? c == quote : c == '"' || c == '\'')
			quote = quote ? 0 : c;
	}
	struct slice w = slice_n(s->ptr, MIN(i, s->len));
	*s = skip_blank(slice_n(s->ptr + w.len, s->len - w.len));
	return w;
}

static int fail(struct err *e, int line, const char *what, struct slice about)
{
	return err_set(e, EINVAL, "dockerfile parse error on line %d: %s%.*s", line, what, SLICE_FMT(about));
}

typedef VEC(const char *) word_vec;

static int give_words(word_vec *v, struct arena *a, struct df_step *step, struct err *e)
{
	step->words = arena_array(a, v->n, sizeof *step->words);
	if (!step->words)
		return err_nomem(e);
	if (v->n)
		memcpy(step->words, v->v, v->n * sizeof *v->v);
	step->n_words = (uint32_t)v->n;
	return 0;
}

static int split_words(struct slice rest, char escape, struct arena *a, struct df_step *step, struct err *e)
{
	word_vec v = { 0 };
	int r = 0;
	while (rest.len && r == 0) {
		char *w = arena_dup(a, take_word(&rest, escape));
		r = w ? vec_push(&v, w) : -ENOMEM;
	}
	r = r < 0 ? err_nomem(e) : give_words(&v, a, step, e);
	vec_release(&v);
	return r;
}

/* True if rest is a JSON array of strings only; then the words are set. */
static bool json_words(struct slice rest, struct arena *a, struct df_step *step)
{
	struct docker_strings list;
	if (!rest.len || rest.ptr[0] != '[' || schema_from_json(T_docker_strings, rest, 0, a, &list, NULL) < 0)
		return false;
	for (uint32_t i = 0; i < list.n_items; i++)
		if (!list.items[i])
			return false;
	step->words = list.items;
	step->n_words = list.n_items;
	return true;
}

static int take_flags(struct slice *rest, struct arena *a, struct df_step *step, char escape, struct err *e)
{
	enum { FLAGS_MAX = 32 };
	step->flags = arena_array(a, FLAGS_MAX, sizeof *step->flags);
	if (!step->flags)
		return err_nomem(e);
	while (slice_starts(*rest, "--")) {
		struct slice w = take_word(rest, escape), name, value;
		if (w.len == 2)
			break; /* "--" ends the flags */
		if (step->n_flags == FLAGS_MAX)
			return fail(e, step->line, "too many flags", SLICE(""));
		bool has = slice_cut(slice_n(w.ptr + 2, w.len - 2), '=', &name, &value);
		if (has && value.len >= 2 && (value.ptr[0] == '"' || value.ptr[0] == '\'') && value.ptr[value.len - 1] == value.ptr[0])
			value = slice_n(value.ptr + 1, value.len - 2);
		struct df_flag *f = &step->flags[step->n_flags++];
		*f = (struct df_flag){ arena_dup(a, name), arena_dup(a, value), has };
		if (!f->name || !f->value)
			return err_nomem(e);
	}
	return 0;
}

static int parse_step(struct slice text, int line, char escape, struct arena *a, struct df_step *ret, struct err *e)
{
	struct slice rest = trim_right(skip_blank(text)), all = rest;
	size_t n = 0;
	while (n < rest.len && !blank(rest.ptr[n]))
		n++;
	struct slice name = slice_n(rest.ptr, n);
	rest = skip_blank(slice_n(rest.ptr + n, rest.len - n));
	*ret = (struct df_step){ .kind = DF_KINDS, .line = line };
	for (unsigned k = 0; k < DF_KINDS; k++)
		if (slice_eq_nocase(name, slice_of(kinds[k].name)))
			ret->kind = k;
	if (ret->kind == DF_KINDS)
		return fail(e, line, "unknown instruction: ", name);
	ret->text = arena_fmt(a, "%s%s%.*s", kinds[ret->kind].name, rest.len ? " " : "", SLICE_FMT(rest));
	if (all.len && slice_eq(name, slice_of(kinds[ret->kind].name)))
		ret->text = arena_dup(a, all);
	int r = ret->kind == DF_ONBUILD ? 0 : take_flags(&rest, a, ret, escape, e);
	if (r < 0)
		return r;
	ret->rest = arena_dup(a, rest);
	if (!ret->text || !ret->rest)
		return err_nomem(e);
	if (!rest.len && ret->kind != DF_CMD && ret->kind != DF_ENTRYPOINT)
		return err_set(e, EINVAL, "dockerfile parse error on line %d: %s requires %s", line, kinds[ret->kind].name,
			       ret->kind == DF_FROM ? "either one or three arguments" :
			       ret->kind == DF_COPY || ret->kind == DF_ADD ? "at least two arguments, but only one was provided. Destination could not be determined" :
			       kinds[ret->kind].shape == ONE ? "exactly one argument" : "at least one argument");
	enum shape shape = kinds[ret->kind].shape;
	if (shape == WORDS_OR_JSON || shape == ONE_OR_JSON)
		ret->is_json = json_words(rest, a, ret);
	if (ret->is_json)
		return 0;
	if (shape == WORDS || shape == WORDS_OR_JSON)
		return split_words(rest, escape, a, ret, e);
	word_vec v = { 0 };
	r = rest.len && vec_push(&v, ret->rest) < 0 ? err_nomem(e) : give_words(&v, a, ret, e);
	vec_release(&v);
	return r;
}

int df_parse_line(struct slice text, struct arena *a, struct df_step *ret, struct err *e)
{
	return parse_step(text, 1, '\\', a, ret, e);
}

/* "# name=value" before anything else; true if it was a directive of ours. */
static bool directive(struct slice line, char *escape, bool *bad)
{
	struct slice name, value;
	line = skip_blank(line);
	if (!line.len || line.ptr[0] != '#')
		return false;
	if (!slice_cut(slice_n(line.ptr + 1, line.len - 1), '=', &name, &value))
		return false;
	name = slice_trim(name);
	value = slice_trim(value);
	if (slice_eq_nocase(name, SLICE("escape"))) {
		*bad = value.len != 1 || (value.ptr[0] != '\\' && value.ptr[0] != '`');
		if (!*bad)
			*escape = value.ptr[0];
		return true;
	}
	return slice_eq_nocase(name, SLICE("syntax")) || slice_eq_nocase(name, SLICE("check"));
}

static bool comment(struct slice line)
{
	line = skip_blank(line);
	return line.len && line.ptr[0] == '#';
}

/* True if the line goes on: an escape at its end (blanks may follow) that is not itself escaped. */
static bool continued(struct slice *line, char escape)
{
	struct slice s = *line;
	while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	if (!s.len || s.ptr[s.len - 1] != escape || (s.len > 1 && s.ptr[s.len - 2] == escape))
		return false;
	*line = slice_n(s.ptr, s.len - 1);
	return true;
}

/* Finds "<<NAME", "<<-NAME", "<<'NAME'" words in an instruction and reads their bodies off *rest. */
static int take_heredocs(struct slice *rest, int *line, struct arena *a, struct df_step *step, struct err *e)
{
	enum { MOST = 16 };
	struct slice s = slice_of(step->rest);
	for (size_t i = 0; i + 2 < s.len; i++) {
		if (s.ptr[i] != '<' || s.ptr[i + 1] != '<' || (i && !blank(s.ptr[i - 1]) && !(s.ptr[i - 1] >= '0' && s.ptr[i - 1] <= '9')) || s.ptr[i + 2] == '<')
			continue;
		size_t at = i + 2, end;
		bool chomp = s.ptr[at] == '-';
		at += chomp;
		char quote = at < s.len && (s.ptr[at] == '"' || s.ptr[at] == '\'') ? s.ptr[at++] : 0;
		for (end = at; end < s.len && (quote ? s.ptr[end] != quote : !blank(s.ptr[end])); end++)
			;
		struct slice name = slice_n(s.ptr + at, end - at), piece;
		if (!name.len)
			continue;
		if (step->n_heredocs == MOST)
			return fail(e, step->line, "too many here-documents", SLICE(""));
		if (!step->heredocs && !(step->heredocs = arena_array(a, MOST, sizeof *step->heredocs)))
			return err_nomem(e);
		AUTO(buf) struct buf body = BUF_INIT(DF_MAX_BYTES);
		bool ended = false;
		while (!ended && slice_next(rest, '\n', &piece)) {
			(*line)++;
			struct slice t = piece;
			if (t.len && t.ptr[t.len - 1] == '\r')
				t.len--;
			while (chomp && t.len && t.ptr[0] == '\t')
				t = slice_n(t.ptr + 1, t.len - 1);
			ended = slice_eq(t, name);
			if (!ended) {
				buf_addslice(&body, t);
				buf_addc(&body, '\n');
			}
		}
		if (!ended)
			return fail(e, step->line, "unterminated heredoc: ", name);
		struct df_heredoc *h = &step->heredocs[step->n_heredocs++];
		*h = (struct df_heredoc){ arena_dup(a, name), arena_dup(a, buf_slice(&body)), !quote };
		if (!h->name || !h->text)
			return err_nomem(e);
		i = end;
	}
	return 0;
}

int df_parse(struct slice text, struct arena *a, struct df_file *ret, struct err *e)
{
	VEC(struct df_step) steps = { 0 };
	AUTO(buf) struct buf one = BUF_INIT(DF_MAX_BYTES);
	struct slice rest = text, line;
	int number = 0, begin = 0, r = 0;
	bool directives = true, open = false;
	*ret = (struct df_file){ .escape = '\\' };
	if (text.len > DF_MAX_BYTES)
		return err_set(e, EINVAL, "the Dockerfile is larger than %d MB", DF_MAX_BYTES >> 20);
	if (slice_find(text, 0) >= 0)
		return err_set(e, EINVAL, "dockerfile parse error on line 1: the file holds a NUL byte");
	if (slice_starts(rest, "\xEF\xBB\xBF"))
		rest = slice_n(rest.ptr + 3, rest.len - 3);
	while (r == 0 && slice_next(&rest, '\n', &line)) {
		bool bad = false;
		number++;
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (directives && (directives = directive(line, &ret->escape, &bad))) {
			r = bad ? fail(e, number, "invalid ESCAPE value. Must be ` or \\", SLICE("")) : 0;
			continue;
		}
		if (comment(line) || !skip_blank(line).len)
			continue;
		if (!open) {
			buf_reset(&one);
			begin = number;
			line = skip_blank(line);
		}
		open = continued(&line, ret->escape);
		buf_addslice(&one, line);
		if (open && rest.ptr)
			continue;
		struct df_step s;
		r = parse_step(buf_slice(&one), begin, ret->escape, a, &s, e);
		if (r == 0 && kinds[s.kind].heredocs && !s.is_json)
			r = take_heredocs(&rest, &number, a, &s, e);
		if (r == 0 && (steps.n == DF_MAX_STEPS || vec_push(&steps, s) < 0))
			r = err_set(e, EINVAL, "the Dockerfile has more than %d instructions", DF_MAX_STEPS);
		open = false;
	}
	if (r == 0 && open && one.len) {
		struct df_step s;
		r = parse_step(buf_slice(&one), begin, ret->escape, a, &s, e);
		if (r == 0 && vec_push(&steps, s) < 0)
			r = err_nomem(e);
	}
	if (r == 0 && steps.n == 0)
		r = err_set(e, EINVAL, "file with no instructions");
	if (r == 0) {
		ret->steps = arena_array(a, steps.n, sizeof *ret->steps);
		ret->n_steps = (uint32_t)steps.n;
		if (ret->steps)
			memcpy(ret->steps, steps.v, steps.n * sizeof *steps.v);
		else
			r = err_nomem(e);
	}
	vec_release(&steps);
	return r;
}
