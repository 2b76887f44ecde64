/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a parsed template. See template.h. */
#include "cli/template_int.h"
#include "base/auto.h"

/* a command runs in a fiber, whose stack is small */
enum { LISTS_MAX = 32, PIPES_MAX = 16, ARGS_MAX = 10, VARS_MAX = 128 };

struct variable { struct slice name; struct val v; };
struct run {
	const struct template *t;
	struct arena *a;
	struct buf *out;
	struct val root;
	struct variable vars[VARS_MAX];
	size_t n_vars;
	bool strict;
	int lists, pipes;
	enum { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE } flow;
	struct err *e;
};

static int eval_pipe(struct run *x, const struct val *dot, const struct pipe *p, struct val *ret);

static int fail(struct run *x, const struct term *t, const char *fmt, ...)
{
	char text[300];
	va_list ap;
	int line = 1;
	size_t column = t->at;

	for (size_t i = 0; i < t->at; i++)
		if (x->t->text[i] == '\n') {
			line++;
			column = t->at - i - 1;
		}
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return err_set(x->e, EINVAL, "template: :%d:%zu: executing \"\" at <%.*s>: %s", line, column, SLICE_FMT(t->text), text);
}

/* --- terms --------------------------------------------------------------------- */

static int row_method(struct run *x, const struct term *t, const struct val *v, struct slice name, const struct val *args, size_t n,
		      struct val *ret)
{
	if (!slice_is(name, "Label"))
		return 1;
	if (n != 1)
		return fail(x, t, "wrong number of args for Label: want 1 got %zu", n);
	*ret = val_str(v->row->headings ? "" : "");
	if (v->row->headings) {
		/* the last word of the label's name is its heading */
		struct slice key = args[0].s;
		ptrdiff_t dot = slice_rfind(key, '.');
		*ret = val_slice(slice_n(key.ptr + dot + 1, key.len - (size_t)(dot + 1)));
		return 0;
	}
	for (size_t i = 0; i < v->row->n_labels; i++)
		if (slice_is(args[0].s, v->row->labels[i].key))
			*ret = val_str(v->row->labels[i].value);
	return 0;
}

static int one_field(struct run *x, const struct term *t, struct val *v, struct slice name, const struct val *args, size_t n)
{
	struct val got;

	if (v->kind == VAL_ROW) {
		int r = row_method(x, t, v, name, args, n, &got);
		if (r < 0)
			return r;
		if (r == 1 && !val_field_get(v, name, false, &got))
			return fail(x, t, "can't evaluate field %.*s in type *formatter.SubContext", SLICE_FMT(name));
		*v = got;
		return 0;
	}
	if (v->kind == VAL_NIL || v->kind == VAL_NONE)
		return v->kind == VAL_NONE && !x->strict ? 0 : fail(x, t, "nil pointer evaluating %s.%.*s", "interface {}", SLICE_FMT(name));
	if (!val_is_object(v))
		return fail(x, t, "can't evaluate field %.*s in type %s", SLICE_FMT(name), val_kind_name(v));
	if (!val_field_get(v, name, true, &got)) {
		if (x->strict)
			return fail(x, t, "map has no entry for key \"%.*s\"", SLICE_FMT(name));
		got = (struct val){ .kind = VAL_NONE };
	}
	*v = got;
	return 0;
}

static int walk_chain(struct run *x, const struct term *t, struct val *v, const struct val *args, size_t n)
{
	for (size_t i = 0; i < t->n_chain; i++) {
		bool last = i + 1 == t->n_chain;
		struct term here = *t;
		/* an error names the column of the member that is not there */
		here.at = (size_t)(t->chain[i].ptr - 1 - x->t->text);
		int r = one_field(x, &here, v, t->chain[i], last ? args : NULL, last ? n : 0);
		if (r < 0)
			return r;
	}
	return 0;
}

static struct variable *variable_find(struct run *x, struct slice name)
{
	for (size_t i = x->n_vars; i-- > 0;)
		if (slice_eq(x->vars[i].name, name))
			return &x->vars[i];
	return NULL;
}

/* args: what stands behind the term in its command, and the piped value last. */
static int eval_term(struct run *x, const struct val *dot, const struct term *t, const struct val *args, size_t n, struct val *ret)
{
	struct variable *var;
	int r = 0;

	switch (t->kind) {
	case TERM_DOT:
	case TERM_FIELD:
		*ret = *dot;
		break;
	case TERM_NIL:
		*ret = (struct val){ .kind = VAL_NIL };
		break;
	case TERM_VALUE:
		*ret = t->value;
		break;
	case TERM_VARIABLE:
		var = variable_find(x, t->name);
		*ret = t->name.len == 0 || !var ? x->root : var->v;
		break;
	case TERM_PIPE:
		r = eval_pipe(x, dot, t->pipe, ret);
		break;
	case TERM_FUNCTION: {
		struct err *why = arena_new(x->a, struct err);
		if (!why)
			return err_nomem(x->e);
		if ((int)n < t->func->least || (t->func->most >= 0 && (int)n > t->func->most))
			return fail(x, t, "wrong number of args for %s: want %s%d got %zu", t->func->name, t->func->most < 0 ? "at least " : "",
				    t->func->least, n);
		r = t->func->call(x->a, args, n, ret, why);
		if (r < 0)
			return fail(x, t, "error calling %s: %s", t->func->name, why->text);
		break;
	}
	}
	return r < 0 ? r : walk_chain(x, t, ret, args, n);
}

static int eval_command(struct run *x, const struct val *dot, const struct command *c, const struct val *piped, struct val *ret)
{
	struct val args[ARGS_MAX];
	size_t n = 0;
	int r;

	for (const struct term *t = c->terms->next; t; t = t->next) {
		if (n + 1 >= ARRAY_LEN(args))
			return fail(x, t, "too many arguments");
		/* and, or stop at the value that decides; evaluating the rest has no effects, only errors */
		if ((r = eval_term(x, dot, t, NULL, 0, &args[n])) < 0)
			return r;
		n++;
		if (c->terms->kind == TERM_FUNCTION && n >= 1) {
			bool truth = val_truth(&args[n - 1]);
			if ((slice_is(c->terms->name, "and") && !truth) || (slice_is(c->terms->name, "or") && truth))
				break;
		}
	}
	if (piped)
		args[n++] = *piped;
	if (n && c->terms->kind != TERM_FUNCTION && !(c->terms->n_chain))
		return fail(x, c->terms, "can't give argument to non-function %.*s", SLICE_FMT(c->terms->text));
	return eval_term(x, dot, c->terms, args, n, ret);
}

static int eval_pipe(struct run *x, const struct val *dot, const struct pipe *p, struct val *ret)
{
	struct val v = { 0 }, next;
	const struct val *piped = NULL;
	int r;

	if (++x->pipes > PIPES_MAX)
		return err_set(x->e, EINVAL, "template: too deep");
	for (const struct command *c = p->commands; c; c = c->next) {
		if ((r = eval_command(x, dot, c, piped, &next)) < 0)
			return r;
		v = next;
		piped = &v;
	}
	x->pipes--;
	*ret = v;
	return 0;
}

/* Sets the pipe's variables to this value (a range sets them itself). */
static int assign(struct run *x, const struct pipe *p, unsigned i, const struct val *v)
{
	struct variable *var = p->declares ? NULL : variable_find(x, p->variables[i]);

	if (var) {
		var->v = *v;
		return 0;
	}
	if (x->n_vars == VARS_MAX)
		return err_set(x->e, EINVAL, "template: too many variables");
	x->vars[x->n_vars++] = (struct variable){ p->variables[i], *v };
	return 0;
}

/* --- nodes --------------------------------------------------------------------- */

static int run_list(struct run *x, const struct val *dot, const struct node *n);

static int run_range(struct run *x, const struct val *dot, const struct node *n)
{
	struct val over, key, item;
	size_t vars = x->n_vars;
	int r = eval_pipe(x, dot, n->pipe, &over);
	int64_t count;

	if (r < 0)
		return r;
	count = val_len(&over);
	if (over.kind == VAL_INT)
		count = over.i;
	else if (over.kind != VAL_NONE && over.kind != VAL_NIL && (count < 0 || over.kind == VAL_STR))
		return err_set(x->e, EINVAL, "template: :1: range can't iterate over %s", val_kind_name(&over));
	if (count <= 0)
		return run_list(x, dot, n->other);
	for (int64_t i = 0; i < count && r >= 0; i++) {
		if (over.kind == VAL_INT)
			key = item = val_int(i);
		else
			val_at(&over, i, &key, &item);
		x->n_vars = vars;
		if (n->pipe->n_variables == 2)
			r = assign(x, n->pipe, 0, &key) < 0 ? -EINVAL : assign(x, n->pipe, 1, &item);
		else if (n->pipe->n_variables == 1)
			r = assign(x, n->pipe, 0, &item);
		if (r >= 0)
			r = run_list(x, &item, n->body);
		if (x->flow == FLOW_BREAK) {
			x->flow = FLOW_ON;
			break;
		}
		x->flow = FLOW_ON;
	}
	x->n_vars = vars;
	return r;
}

static int run_choice(struct run *x, const struct val *dot, const struct node *n)
{
	size_t vars = x->n_vars;
	struct val v;
	int r = eval_pipe(x, dot, n->pipe, &v);

	if (r >= 0 && n->pipe->n_variables)
		r = assign(x, n->pipe, 0, &v);
	if (r < 0)
		return r;
	if (val_truth(&v))
		r = run_list(x, n->kind == NODE_WITH ? &v : dot, n->body);
	else
		r = run_list(x, dot, n->other);
	x->n_vars = vars;
	return r;
}

static int run_node(struct run *x, const struct val *dot, const struct node *n)
{
	struct val v;
	int r;

	switch (n->kind) {
	case NODE_TEXT:
		buf_addslice(x->out, n->text);
		return 0;
	case NODE_ACTION:
		if ((r = eval_pipe(x, dot, n->pipe, &v)) < 0)
			return r;
		if (n->pipe->n_variables)
			return assign(x, n->pipe, 0, &v);
		val_print(&v, x->out);
		return 0;
	case NODE_IF:
	case NODE_WITH:
		return run_choice(x, dot, n);
	case NODE_RANGE:
		return run_range(x, dot, n);
	case NODE_BREAK:
		x->flow = FLOW_BREAK;
		return 0;
	case NODE_CONTINUE:
		x->flow = FLOW_CONTINUE;
		return 0;
	}
	return 0;
}

static int run_list(struct run *x, const struct val *dot, const struct node *n)
{
	size_t vars = x->n_vars;
	int r = 0;

	if (++x->lists > LISTS_MAX)
		return err_set(x->e, EINVAL, "template: too deep");
	for (; n && r >= 0 && x->flow == FLOW_ON; n = n->next)
		r = run_node(x, dot, n);
	x->lists--;
	x->n_vars = vars;
	return r;
}

int template_run(const struct template *t, struct arena *a, const struct val *dot, bool strict, struct buf *out, struct err *e)
{
	struct run *x = arena_new(a, struct run);
	int r;

	if (!x)
		return err_nomem(e);
	*x = (struct run){ .t = t, .a = a, .out = out, .root = *dot, .strict = strict, .e = e };
	r = run_list(x, dot, t->nodes);
	return r < 0 ? r : buf_error(out) ? err_set(e, -buf_error(out), "template: output too large") : 0;
}
