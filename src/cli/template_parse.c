/* SPDX-License-Identifier: Apache-2.0 */
/* Text of a template -> nodes. See template.h. */
#include "cli/template_int.h"
#include <ctype.h>
#include "base/auto.h"
#include "base/num.h"

enum { DEPTH_MAX = 64 };

struct parser {
	struct arena *a;
	const char *text, *p, *end;      /* inside an action: end is its closing */
	const char *rest;                /* behind the action */
	bool trim_next, comment;
	int depth, loops;
	struct slice vars[64];
	size_t n_vars;
	struct err *e;
};

static int bad(struct parser *x, const char *fmt, ...)
{
	char text[300];
	va_list ap;
	int line = 1;

	for (const char *q = x->text; q < x->p && q < x->text + strlen(x->text); q++)
		line += *q == '\n';
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return err_set(x->e, EINVAL, "template: :%d: %s", line, text);
}

static void spaces(struct parser *x)
{
	while (x->p < x->end && isspace((unsigned char)*x->p))
		x->p++;
}

static bool is_word(int c)
{
	return isalnum(c) || c == '_';
}

static struct slice word(struct parser *x)
{
	const char *from = x->p;
	while (x->p < x->end && is_word((unsigned char)*x->p))
		x->p++;
	return slice_n(from, (size_t)(x->p - from));
}

/* --- terms --------------------------------------------------------------------- */

static int parse_pipe(struct parser *x, bool in_parens, struct pipe **ret);

static int parse_chain(struct parser *x, struct term *t)
{
	size_t cap = 0;

	while (x->p + 1 < x->end && *x->p == '.' && is_word((unsigned char)x->p[1])) {
		x->p++;
		if (t->n_chain == cap) {
			size_t more = cap ? cap * 2 : 4;
			struct slice *grown = arena_array(x->a, more, sizeof *grown);
			if (!grown)
				return err_nomem(x->e);
			if (cap)
				memcpy(grown, t->chain, cap * sizeof *grown);
			t->chain = grown;
			cap = more;
		}
		t->chain[t->n_chain++] = word(x);
	}
	return 0;
}

static int unescape(struct parser *x, char **q)
{
	static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
	const char *hit = strchr(from, *x->p);
	uint64_t n;
	int digits = *x->p == 'x' ? 2 : *x->p == 'u' ? 4 : 0;

	if (hit && *x->p) {
		*(*q)++ = to[hit - from];
		x->p++;
		return 0;
	}
	if (!digits || x->end - x->p < digits + 1 || num_parse_base(slice_n(x->p + 1, (size_t)digits), 16, 0xffff, &n) < 0)
		return bad(x, "invalid syntax");
	x->p += digits + 1;
	if (n < 0x80) {
		*(*q)++ = (char)n;
	} else if (n < 0x800) {
		*(*q)++ = (char)(0xc0 | n >> 6);
		*(*q)++ = (char)(0x80 | (n & 63));
	} else {
		*(*q)++ = (char)(0xe0 | n >> 12);
		*(*q)++ = (char)(0x80 | (n >> 6 & 63));
		*(*q)++ = (char)(0x80 | (n & 63));
	}
	return 0;
}

static int parse_quoted(struct parser *x, struct val *v)
{
	char *copy = arena_alloc(x->a, (size_t)(x->end - x->p) + 1), *q = copy;

	if (!copy)
		return err_nomem(x->e);
	for (x->p++; x->p < x->end && *x->p != '"';) {
		if (*x->p == '\n')
			break;
		if (*x->p != '\\') {
			*q++ = *x->p++;
			continue;
		}
		x->p++;
		int r = unescape(x, &q);
		if (r < 0)
			return r;
	}
	if (x->p >= x->end || *x->p != '"')
		return bad(x, "unterminated quoted string");
	x->p++;
	*v = val_slice(slice_n(copy, (size_t)(q - copy)));
	return 0;
}

static int parse_number(struct parser *x, struct val *v)
{
	const char *from = x->p;
	char text[64], *stop;

	while (x->p < x->end && (is_word((unsigned char)*x->p) || strchr("+-.", *x->p)))
		x->p++;
	size_t n = (size_t)(x->p - from);
	if (n >= sizeof text)
		return bad(x, "bad number syntax");
	memcpy(text, from, n);
	text[n] = 0;
	errno = 0;
	long long i = strtoll(text, &stop, 0);
	if (!*stop && !errno) {
		*v = val_int(i);
		return 0;
	}
	double f = strtod(text, &stop);
	if (*stop)
		return bad(x, "bad number syntax: \"%s\"", text);
	*v = (struct val){ .kind = VAL_FLOAT, .f = f };
	return 0;
}

static int parse_raw(struct parser *x, struct val *v)
{
	const char *from = ++x->p;

	while (x->p < x->end && *x->p != '`')
		x->p++;
	if (x->p >= x->end)
		return bad(x, "unterminated raw quoted string");
	*v = val_slice(slice_n(from, (size_t)(x->p++ - from)));
	return 0;
}

static int parse_character(struct parser *x, struct val *v)
{
	char out[8], *q = out;
	int r = 0;

	x->p++;
	if (x->p < x->end && *x->p == '\\') {
		x->p++;
		r = unescape(x, &q);
	} else if (x->p < x->end) {
		*q++ = *x->p++;
	}
	if (r < 0 || x->p >= x->end || *x->p != '\'')
		return r < 0 ? r : bad(x, "unterminated character constant");
	x->p++;
	*v = val_int((unsigned char)out[0]);
	return 0;
}

static bool var_known(struct parser *x, struct slice name)
{
	for (size_t i = 0; i < x->n_vars; i++)
		if (slice_eq(x->vars[i], name))
			return true;
	return name.len == 0;
}

static int parse_word(struct parser *x, struct term *t)
{
	struct slice w = word(x);

	if (slice_is(w, "true") || slice_is(w, "false")) {
		t->kind = TERM_VALUE;
		t->value = val_bool(w.ptr[0] == 't');
		return 0;
	}
	if (slice_is(w, "nil")) {
		t->kind = TERM_NIL;
		return 0;
	}
	t->kind = TERM_FUNCTION;
	t->name = w;
	t->func = func_find(w);
	return t->func ? 0 : bad(x, "function \"%.*s\" not defined", SLICE_FMT(w));
}

static int parse_term(struct parser *x, struct term *t)
{
	int c = (unsigned char)*x->p;
	const char *from = x->p;
	int r = 0;

	t->at = (size_t)(x->p - x->text);
	t->kind = TERM_VALUE;
	if (c == '"') {
		r = parse_quoted(x, &t->value);
	} else if (c == '`') {
		r = parse_raw(x, &t->value);
	} else if (c == '\'') {
		r = parse_character(x, &t->value);
	} else if (isdigit(c) || c == '-' || c == '+') {
		r = parse_number(x, &t->value);
	} else if (c == '$') {
		x->p++;
		t->kind = TERM_VARIABLE;
		t->name = word(x);
		if (!var_known(x, t->name))
			return bad(x, "undefined variable \"$%.*s\"", SLICE_FMT(t->name));
	} else if (c == '(') {
		x->p++;
		t->kind = TERM_PIPE;
		r = parse_pipe(x, true, &t->pipe);
	} else if (c == '.') {
		t->kind = x->p + 1 < x->end && is_word((unsigned char)x->p[1]) ? TERM_FIELD : TERM_DOT;
		x->p += t->kind == TERM_DOT;
	} else if (isalpha(c) || c == '_') {
		r = parse_word(x, t);
	} else {
		return bad(x, isprint(c) ? "unexpected \"%c\" in operand" : "unrecognized character in action: U+%04X", c);
	}
	if (r == 0)
		r = parse_chain(x, t);
	t->text = slice_n(from, (size_t)(x->p - from));
	if (r == 0 && x->p < x->end && !isspace((unsigned char)*x->p) && !strchr("|)(=,:\"`", *x->p) && *x->p != '\'')
		return bad(x, "bad character U+%04X '%c'", (unsigned char)*x->p, *x->p);
	return r;
}

/* --- pipelines ------------------------------------------------------------------ */

static int parse_command(struct parser *x, bool in_parens, struct command **ret)
{
	struct command *cmd = arena_new(x->a, struct command);
	struct term **tail;
	int r;

	if (!cmd)
		return err_nomem(x->e);
	tail = &cmd->terms;
	for (spaces(x); x->p < x->end && *x->p != '|' && !(in_parens && *x->p == ')'); spaces(x)) {
		struct term *t = arena_new(x->a, struct term);
		if (!t)
			return err_nomem(x->e);
		if (*x->p == ')')
			return bad(x, "unexpected right paren");
		if ((r = parse_term(x, t)) < 0)
			return r;
		*tail = t;
		tail = &t->next;
	}
	if (!cmd->terms)
		return bad(x, "missing value for command");
	*ret = cmd;
	return 0;
}

/* "$a :=", "$a, $b :=", "$a =" in front of a pipeline */
static int parse_variables(struct parser *x, struct pipe *p)
{
	const char *from = x->p;

	for (;;) {
		spaces(x);
		if (x->p >= x->end || *x->p != '$' || p->n_variables == 2)
			break;
		x->p++;
		p->variables[p->n_variables++] = word(x);
		spaces(x);
		if (x->p < x->end && *x->p == ',') {
			x->p++;
			continue;
		}
		if (x->end - x->p >= 2 && x->p[0] == ':' && x->p[1] == '=') {
			x->p += 2;
			p->declares = true;
			for (unsigned i = 0; i < p->n_variables; i++)
				if (x->n_vars < ARRAY_LEN(x->vars))
					x->vars[x->n_vars++] = p->variables[i];
			return 0;
		}
		if (x->p < x->end && *x->p == '=') {
			x->p++;
			return var_known(x, p->variables[0]) ? 0 : bad(x, "undefined variable \"$%.*s\"", SLICE_FMT(p->variables[0]));
		}
		break;
	}
	x->p = from;
	p->n_variables = 0;
	return 0;
}

static int parse_pipe(struct parser *x, bool in_parens, struct pipe **ret)
{
	struct pipe *p = arena_new(x->a, struct pipe);
	struct command **tail;
	int r;

	if (!p)
		return err_nomem(x->e);
	if (++x->depth > DEPTH_MAX)
		return bad(x, "too deep");
	tail = &p->commands;
	if ((r = parse_variables(x, p)) < 0)
		return r;
	for (;;) {
		if ((r = parse_command(x, in_parens, tail)) < 0)
			return r;
		tail = &(*tail)->next;
		if (x->p < x->end && *x->p == '|') {
			x->p++;
			continue;
		}
		break;
	}
	x->depth--;
	if (in_parens) {
		if (x->p >= x->end)
			return bad(x, "unclosed left paren");
		x->p++;
	}
	*ret = p;
	return 0;
}

/* --- actions -------------------------------------------------------------------- */

enum stop { STOP_END_OF_TEXT, STOP_END, STOP_ELSE };

static int parse_list(struct parser *x, struct node **ret, enum stop *stop);

/* Finds the closing of the action that begins at rest; sets p and end to its inside. */
static int open_action(struct parser *x)
{
	const char *p = x->rest + 2, *q;

	if (p[0] == '-' && isspace((unsigned char)p[1]))
		p++;
	x->p = p;
	x->comment = false;
	while (isspace((unsigned char)*p))
		p++;
	if (p[0] == '/' && p[1] == '*') {
		const char *close = strstr(p, "*/");
		if (!close)
			return bad(x, "unclosed comment");
		q = close + 2;
		while (isspace((unsigned char)*q))
			q++;
		x->trim_next = *q == '-';
		q += *q == '-';
		if (strncmp(q, "}}", 2) != 0)
			return bad(x, "comment ends before closing delimiter");
		x->p = x->end = q;
		x->comment = true;
		x->rest = q + 2;
		return 0;
	}
	for (q = x->p; *q && !(q[0] == '}' && q[1] == '}'); q++) {
		char quote = *q;
		if (quote != '"' && quote != '`' && quote != '\'')
			continue;
		for (q++; *q && *q != quote; q++)
			if (*q == '\\' && quote != '`' && q[1])
				q++;
		if (!*q)
			break;
	}
	if (!*q) {
		x->end = q;
		return bad(x, "unclosed action");
	}
	x->trim_next = q - x->p >= 2 && q[-1] == '-' && isspace((unsigned char)q[-2]);
	x->end = x->trim_next ? q - 1 : q;
	x->rest = q + 2;
	return 0;
}

static int at_end(struct parser *x, const char *what)
{
	spaces(x);
	return x->p == x->end ? 0 : bad(x, "unexpected \"%.*s\" in %s", (int)MIN(x->end - x->p, 20), x->p, what);
}

static int parse_block(struct parser *x, enum node_kind kind, struct node *n)
{
	size_t vars = x->n_vars;
	enum stop stop;
	int r;

	n->kind = kind;
	if ((r = parse_pipe(x, false, &n->pipe)) < 0)
		return r;
	x->loops += kind == NODE_RANGE;
	r = parse_list(x, &n->body, &stop);
	x->loops -= kind == NODE_RANGE;
	if (r < 0)
		return r;
	if (stop == STOP_END_OF_TEXT)
		return bad(x, "unexpected EOF");
	x->n_vars = vars;
	if (stop == STOP_END)
		return 0;
	/* else, or else if / else with */
	spaces(x);
	struct slice w = word(x);
	if (!w.len) {
		if ((r = at_end(x, "else")) < 0 || (r = parse_list(x, &n->other, &stop)) < 0)
			return r;
		return stop == STOP_END ? 0 : bad(x, stop == STOP_ELSE ? "unexpected {{else}}" : "unexpected EOF");
	}
	if (!slice_is(w, "if") && !slice_is(w, "with"))
		return bad(x, "unexpected \"%.*s\" in else", SLICE_FMT(w));
	n->other = arena_new(x->a, struct node);
	if (++x->depth > DEPTH_MAX)
		return bad(x, "too deep");
	r = n->other ? parse_block(x, slice_is(w, "if") ? NODE_IF : NODE_WITH, n->other) : err_nomem(x->e);
	x->depth--;
	return r;
}

/* *ret NULL: the action leaves nothing (a comment), or *stop says why the list ends. */
static int parse_action(struct parser *x, struct node **ret, enum stop *stop)
{
	struct node *n = arena_new(x->a, struct node);
	const char *from;
	int r;

	if (!n)
		return err_nomem(x->e);
	*ret = NULL;
	*stop = STOP_END_OF_TEXT;
	if (x->comment)
		return 0;
	spaces(x);
	from = x->p;
	struct slice w = word(x);
	if (slice_is(w, "end") || slice_is(w, "else")) {
		*stop = slice_is(w, "end") ? STOP_END : STOP_ELSE;
		return *stop == STOP_END ? at_end(x, "end") : 0;
	}
	*ret = n;
	if (slice_is(w, "if"))
		return parse_block(x, NODE_IF, n);
	if (slice_is(w, "range"))
		return parse_block(x, NODE_RANGE, n);
	if (slice_is(w, "with"))
		return parse_block(x, NODE_WITH, n);
	if (slice_is(w, "break") || slice_is(w, "continue")) {
		n->kind = w.ptr[0] == 'b' ? NODE_BREAK : NODE_CONTINUE;
		return x->loops ? at_end(x, "action") : bad(x, "{{%.*s}} outside {{range}}", SLICE_FMT(w));
	}
	if (slice_is(w, "define") || slice_is(w, "block") || slice_is(w, "template"))
		return bad(x, "{{%.*s}} is not supported", SLICE_FMT(w));
	x->p = from;
	n->kind = NODE_ACTION;
	r = parse_pipe(x, false, &n->pipe);
	return r < 0 ? r : at_end(x, "command");
}

static struct slice text_before(struct parser *x, const char *open)
{
	const char *from = x->rest, *to = open ? open : from + strlen(from);

	if (x->trim_next)
		while (from < to && isspace((unsigned char)*from))
			from++;
	x->trim_next = false;
	if (open && open[2] == '-' && isspace((unsigned char)open[3]))
		while (to > from && isspace((unsigned char)to[-1]))
			to--;
	return slice_n(from, (size_t)(to - from));
}

static int parse_list(struct parser *x, struct node **ret, enum stop *stop)
{
	struct node **tail = ret, *n = NULL;
	int r;

	if (++x->depth > DEPTH_MAX)
		return bad(x, "too deep");
	for (;;) {
		const char *open = strstr(x->rest, "{{");
		struct slice text = text_before(x, open);
		if (text.len) {
			if (!(n = arena_new(x->a, struct node)))
				return err_nomem(x->e);
			n->text = text;
			*tail = n;
			tail = &n->next;
		}
		if (!open) {
			*stop = STOP_END_OF_TEXT;
			break;
		}
		x->rest = open;
		if ((r = open_action(x)) < 0 || (r = parse_action(x, &n, stop)) < 0)
			return r;
		if (n) {
			*tail = n;
			tail = &n->next;
		} else if (*stop != STOP_END_OF_TEXT) {
			break;
		}
	}
	x->depth--;
	return 0;
}

int template_parse(struct arena *a, const char *text, struct template **ret, struct err *e)
{
	struct parser x = { .a = a, .text = text, .p = text, .end = text + strlen(text), .rest = text, .e = e };
	struct template *t = arena_new(a, struct template);
	enum stop stop;
	int r;

	if (!t)
		return err_nomem(e);
	t->text = text;
	if ((r = parse_list(&x, &t->nodes, &stop)) < 0)
		return r;
	if (stop != STOP_END_OF_TEXT)
		return bad(&x, stop == STOP_END ? "unexpected {{end}}" : "unexpected {{else}}");
	*ret = t;
	return 0;
}
