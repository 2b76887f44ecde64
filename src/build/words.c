/* SPDX-License-Identifier: Apache-2.0 */
#include "build/words.h"

#include <errno.h>
#include <fnmatch.h>

#include "base/auto.h"
#include "base/vec.h"

enum { WORD_MAX = 1 << 20, DEPTH_MAX = 20 };

struct lexer {
	struct slice s;
	size_t at;
	char escape;
	const struct word_env *env;
	struct arena *a;
	struct err *e;
	int depth;
	/* offsets in the output where an unquoted blank stood: splits words */
	VEC(size_t) cuts;
	bool splitting;
};

static int expand(struct lexer *x, char stop, struct buf *out);

static bool name_char(char c, bool first)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (!first && c >= '0' && c <= '9');
}

static struct slice take_name(struct lexer *x)
{
	size_t begin = x->at;
	if (x->at < x->s.len && (strchr("@*#", x->s.ptr[x->at]) || (x->s.ptr[x->at] >= '0' && x->s.ptr[x->at] <= '9'))) {
		x->at++;
		return slice_n(x->s.ptr + begin, 1);
	}
	while (x->at < x->s.len && name_char(x->s.ptr[x->at], x->at == begin))
		x->at++;
	return slice_n(x->s.ptr + begin, x->at - begin);
}

static int bad(struct lexer *x, const char *why)
{
	return err_set(x->e, EINVAL, "failed to process \"%.*s\": %s", SLICE_FMT(x->s), why);
}

static const char *value_of(struct lexer *x, struct slice name)
{
	return x->env->get(x->env->arg, name);
}

/* The word of a modifier, up to `stop` or '}', expanded into the arena; x->at is left on the delimiter. */
static int modifier_word(struct lexer *x, char stop, const char **ret)
{
	AUTO(buf) struct buf b = BUF_INIT(WORD_MAX);
	bool splitting = x->splitting;
	x->splitting = false;
	int r = expand(x, stop, &b);
	x->splitting = splitting;
	if (r < 0)
		return r;
	*ret = arena_dup(x->a, buf_slice(&b));
	return *ret ? 0 : err_nomem(x->e);
}

/* ${x#p} and friends: removes what the pattern matches at one end, shortest or longest. */
static struct slice strip(struct arena *a, struct slice v, const char *pattern, bool front, bool longest)
{
	size_t best = v.len + 1;
	for (size_t n = 0; n <= v.len; n++) {
		char *piece = arena_dup(a, front ? slice_n(v.ptr, n) : slice_n(v.ptr + v.len - n, n));
		if (!piece || fnmatch(pattern, piece, 0))
			continue;
		best = n;
		if (!longest)
			break;
	}
	if (best > v.len)
		return v;
	return front ? slice_n(v.ptr + best, v.len - best) : slice_n(v.ptr, v.len - best);
}

static int replace(struct lexer *x, struct slice v, const char *pattern, const char *with, bool all, struct buf *out)
{
	size_t i = 0;
	bool done = !pattern[0];
	while (i < v.len) {
		size_t hit = 0;
		for (size_t n = v.len - i; n > 0 && !done && !hit; n--) {
			char *piece = arena_dup(x->a, slice_n(v.ptr + i, n));
			if (!piece)
				return err_nomem(x->e);
			hit = fnmatch(pattern, piece, 0) ? 0 : n;
		}
		if (hit) {
			buf_adds(out, with);
			i += hit;
			done = !all;
		} else {
			buf_addc(out, v.ptr[i++]);
		}
	}
	return 0;
}

/* Behind "${name": the modifiers. */
static int braces(struct lexer *x, struct slice name, struct buf *out)
{
	const char *value = value_of(x, name), *word, *with = "";
	struct slice v = slice_of(value ? value : "");
	char c = x->at < x->s.len ? x->s.ptr[x->at++] : 0;
	bool set = value != NULL, colon = c == ':', twice;
	if (c == '}')
		return buf_addslice(out, v);
	if (colon) {
		set = set && v.len;
		c = x->at < x->s.len ? x->s.ptr[x->at++] : 0;
	}
	twice = !colon && (c == '#' || c == '%' || c == '/') && x->at < x->s.len && x->s.ptr[x->at] == c;
	x->at += twice;
	if (!c || !strchr(colon ? "-+?" : "-+?#%/", c))
		return bad(x, "unsupported modifier in substitution");
	int r = modifier_word(x, c == '/' ? '/' : '}', &word);
	if (r == 0 && c == '/' && x->at < x->s.len && x->s.ptr[x->at] == '/') {
		x->at++;
		r = modifier_word(x, '}', &with);
	}
	if (r < 0)
		return r;
	if (x->at >= x->s.len || x->s.ptr[x->at] != '}')
		return bad(x, "syntax error: missing '}'");
	x->at++;
	switch (c) {
	case '-':
		return buf_addslice(out, set ? v : slice_of(word));
	case '+':
		return set ? buf_adds(out, word) : 0;
	case '?':
		if (!set)
			return err_set(x->e, EINVAL, "%.*s: %s", SLICE_FMT(name), word[0] ? word : "not set");
		return buf_addslice(out, v);
	case '/':
		return replace(x, v, word, with, twice, out);
	default:
		return buf_addslice(out, strip(x->a, v, word, c == '#', twice));
	}
}

static int dollar(struct lexer *x, struct buf *out)
{
	if (x->at < x->s.len && x->s.ptr[x->at] == '{') {
		x->at++;
		struct slice name = take_name(x);
		if (!name.len)
			return bad(x, "bad substitution");
		return braces(x, name, out);
	}
	struct slice name = take_name(x);
	if (!name.len)
		return buf_addc(out, '$');
	const char *value = value_of(x, name);
	return value ? buf_adds(out, value) : 0;
}

static int double_quotes(struct lexer *x, struct buf *out)
{
	int r = 0;
	while (r >= 0 && x->at < x->s.len) {
		char c = x->s.ptr[x->at++];
		if (c == '"')
			return 0;
		if (c == '$') {
			r = dollar(x, out);
		} else if (c == x->escape && x->at < x->s.len) {
			char next = x->s.ptr[x->at++];
			if (next != '"' && next != '$' && next != x->escape)
				buf_addc(out, c);
			r = buf_addc(out, next);
		} else {
			r = buf_addc(out, c);
		}
	}
	return r < 0 ? r : bad(x, "unexpected end of statement while looking for matching double-quote");
}

/* Until `stop` (left in place) or '}' inside braces, or the end. */
static int expand(struct lexer *x, char stop, struct buf *out)
{
	int r = 0;
	if (++x->depth > DEPTH_MAX)
		return bad(x, "nested too deeply");
	while (r >= 0 && x->at < x->s.len) {
		char c = x->s.ptr[x->at];
		if (stop && (c == stop || c == '}'))
			break;
		x->at++;
		if (c == '\'') {
			ptrdiff_t end = slice_find(slice_n(x->s.ptr + x->at, x->s.len - x->at), '\'');
			if (end < 0)
				return bad(x, "unexpected end of statement while looking for matching single-quote");
			r = buf_add(out, x->s.ptr + x->at, (size_t)end);
			x->at += (size_t)end + 1;
		} else if (c == '"') {
			r = double_quotes(x, out);
		} else if (c == '$') {
			size_t from = out->len;
			r = dollar(x, out);
			for (size_t i = from; x->splitting && r >= 0 && i < out->len; i++)
				if (out->ptr[i] == ' ' || out->ptr[i] == '\t' || out->ptr[i] == '\n')
					r = vec_push(&x->cuts, i);
		} else if (c == x->escape && x->at < x->s.len) {
			r = buf_addc(out, x->s.ptr[x->at++]);
		} else {
			if (x->splitting && (c == ' ' || c == '\t') && vec_push(&x->cuts, out->len) < 0)
				return err_nomem(x->e);
			r = buf_addc(out, c);
		}
	}
	x->depth--;
	if (r >= 0 && buf_error(out))
		r = buf_error(out);
	if (r == -EMSGSIZE)
		return err_set(x->e, EINVAL, "a word grows past %d bytes when its variables are replaced", WORD_MAX);
	return r == -ENOMEM ? err_nomem(x->e) : r;
}

int word_expand(struct slice word, char escape, const struct word_env *env, struct arena *a, const char **ret, struct err *e)
{
	AUTO(buf) struct buf out = BUF_INIT(WORD_MAX);
	struct lexer x = { .s = word, .escape = escape, .env = env, .a = a, .e = e };
	int r = expand(&x, 0, &out);
	if (r < 0)
		return r;
	*ret = arena_dup(a, buf_slice(&out));
	return *ret ? 0 : err_nomem(e);
}

int word_expand_split(struct slice word, char escape, const struct word_env *env, struct arena *a, const char ***ret, uint32_t *ret_n, struct err *e)
{
	AUTO(buf) struct buf out = BUF_INIT(WORD_MAX);
	struct lexer x = { .s = word, .escape = escape, .env = env, .a = a, .e = e, .splitting = true };
	VEC(const char *) v = { 0 };
	int r = expand(&x, 0, &out);
	size_t from = 0;
	for (size_t i = 0; r >= 0 && i <= x.cuts.n; i++) {
		size_t to = i < x.cuts.n ? x.cuts.v[i] : out.len;
		if (to > from) {
			char *w = arena_dup(a, slice_n(out.ptr + from, to - from));
			r = w ? vec_push(&v, w) : -ENOMEM;
		}
		from = to + 1;
	}
	if (r >= 0) {
		*ret = arena_array(a, v.n, sizeof **ret);
		if (*ret && v.n)
			memcpy(*ret, v.v, v.n * sizeof *v.v);
		*ret_n = (uint32_t)v.n;
		r = *ret ? 0 : -ENOMEM;
	}
	vec_release(&v);
	vec_release(&x.cuts);
	return r == -ENOMEM ? err_nomem(e) : r;
}

/* The end of one blank-separated piece that may hold quotes. */
static size_t piece_end(struct slice s, char escape)
{
	char quote = 0;
	size_t i = 0;
	for (; i < s.len; i++) {
		char c = s.ptr[i];
		if (!quote && (c == ' ' || c == '\t'))
			break;
		if (c == escape && i + 1 < s.len && quote != '\'')
			i++;
		else if (quote ? c == quote : c == '"' || c == '\'')
			quote = quote ? 0 : c;
	}
	return MIN(i, s.len);
}

int word_pairs(const char *instruction, const char *rest, char escape, struct arena *a, struct word_pair **ret, uint32_t *ret_n, struct err *e)
{
	VEC(struct word_pair) v = { 0 };
	struct slice s = slice_trim(slice_of(rest)), first = slice_n(s.ptr, piece_end(s, escape));
	int r = 0;
	if (slice_find(first, '=') < 0) {
		struct slice value = slice_trim(slice_n(s.ptr + first.len, s.len - first.len));
		if (!value.len)
			return err_set(e, EINVAL, "%s must have two arguments", instruction);
		r = vec_push(&v, (struct word_pair){ first, value, true });
		s.len = 0;
	}
	while (r == 0 && s.len) {
		struct word_pair p = { .bare = false };
		struct slice piece = slice_n(s.ptr, piece_end(s, escape));
		if (!slice_cut(piece, '=', &p.name, &p.value)) {
			vec_release(&v);
			return err_set(e, EINVAL, "Syntax error - can't find = in \"%.*s\". Must be of the form: name=value", SLICE_FMT(piece));
		}
		if (!p.name.len) {
			vec_release(&v);
			return err_set(e, EINVAL, "%s names can not be blank", instruction);
		}
		r = vec_push(&v, p);
		s = slice_trim(slice_n(s.ptr + piece.len, s.len - piece.len));
	}
	if (r == 0) {
		*ret = arena_array(a, v.n, sizeof **ret);
		if (*ret)
			memcpy(*ret, v.v, v.n * sizeof *v.v);
		*ret_n = (uint32_t)v.n;
		r = *ret ? 0 : -ENOMEM;
	}
	vec_release(&v);
	return r < 0 ? err_nomem(e) : 0;
}
