/* SPDX-License-Identifier: Apache-2.0 */
/* JSONPath templates: running them. Maps are walked in the document's order. */
#include "schema/jsonpath.h"

#include "schema/jsonpath_int.h"
#include "schema/number.h"
#include "schema/schema_int.h"

struct run {
	const struct jsonpath *t;
	struct arena *a;
	unsigned flags, depth;
	struct err *e;
	struct buf *out;                  /* print */
	struct jsonpath_results *found;   /* find */
	uint32_t room;
};

struct set {
	const struct tree **v;
	uint32_t n, room;
};

static int no_room(struct run *x) { return err_set(x->e, E2BIG, "the template finds too much"); }

static int add(struct run *x, struct set *s, const struct tree *v)
{
	if (!s->room) {
		uint32_t more = MAX(s->n, 8u);
		const struct tree **p = s->n > JSONPATH_MAX_RESULTS ? NULL : arena_array(x->a, (size_t)s->n + more, sizeof *p);
		if (!p)
			return no_room(x);
		if (s->n)
			memcpy(p, s->v, s->n * sizeof *p);
		s->v = p;
		s->room = more;
	}
	s->v[s->n++] = v;
	s->room--;
	return 0;
}

static int eval(struct run *x, const struct jp_list *l, struct set in, struct set *ret);

static const char *type_name(const struct tree *v)
{
	static const char *const names[] = { "<nil>", "bool", "float64", "string", "[]interface {}", "map[string]interface {}" };
	return names[v->type];
}

static bool is_null(const struct tree *v) { return !v || v->type == TREE_NULL; }

static int eval_field(struct run *x, const struct jp_step *s, const struct set *in, struct set *ret)
{
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < in->n; i++) {
		const struct tree *v = tree_get(in->v[i], s->name);
		if (v)
			r = add(x, ret, v);
	}
	if (r == 0 && in->n && !ret->n && !(x->flags & JSONPATH_ALLOW_MISSING))
		return err_set(x->e, ENOENT, "%.*s is not found", SLICE_FMT(s->name));
	return r;
}

static int eval_array(struct run *x, const struct jp_step *s, const struct set *in, struct set *ret)
{
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < in->n; i++) {
		const struct tree *v = in->v[i];
		if (is_null(v))
			continue;
		if (v->type != TREE_LIST)
			return err_set(x->e, EINVAL, "%s is not array or slice", type_name(v));
		int64_t n = v->n, from = s->param[0].is_known ? s->param[0].value : 0, to = s->param[1].is_known ? s->param[1].value : n, step = 1;
		from += from < 0 ? n : 0;
		if (to < 0 || (to == 0 && s->param[1].is_derived))
			to += n;
		if (from == to)
			continue;
		if (from >= n || from < 0)
			return err_set(x->e, EINVAL, "array index out of bounds: index %lld, length %lld", (long long)from, (long long)n);
		if (to > n || to < 0)
			return err_set(x->e, EINVAL, "array index out of bounds: index %lld, length %lld", (long long)to - 1, (long long)n);
		if (from > to)
			return err_set(x->e, EINVAL, "starting index %lld is greater than ending index %lld", (long long)from, (long long)to);
		if (s->param[2].is_known && (step = s->param[2].value) <= 0)
			return err_set(x->e, EINVAL, "step must be > 0");
		for (int64_t k = from; r == 0 && k < to; k += step)
			r = add(x, ret, &v->items[k]);
	}
	return r;
}

static int eval_wildcard(struct run *x, const struct set *in, struct set *ret)
{
	int r = 0;
	for (uint32_t i = 0; i < in->n; i++) {
		const struct tree *v = in->v[i];
		if (is_null(v) || (v->type != TREE_LIST && v->type != TREE_MAP))
			continue;
		for (uint32_t k = 0; r == 0 && k < v->n; k++)
			r = add(x, ret, v->type == TREE_LIST ? &v->items[k] : &v->members[k].value);
	}
	return r;
}

/* A value and all below it, each before what it holds; scalars but text are not among them. */
static int descend(struct run *x, const struct tree *v, struct set *ret)
{
	if (is_null(v) || v->type == TREE_BOOL || v->type == TREE_NUMBER || !v->n)
		return 0;
	int r = add(x, ret, v);
	for (uint32_t k = 0; r == 0 && v->type != TREE_STRING && k < v->n; k++)
		r = descend(x, v->type == TREE_LIST ? &v->items[k] : &v->members[k].value, ret);
	return r;
}

static double number(const struct tree *v)
{
	AUTO(free) char *copy = slice_dup(tree_text(v));
	return copy ? strtod(copy, NULL) : 0;
}

static int compare(struct run *x, const struct tree *l, const struct tree *r, int *ret)
{
	if (l->type != r->type)
		return err_set(x->e, EINVAL, "incompatible types for comparison");
	if (l->type == TREE_NUMBER) {
		double a = number(l), b = number(r);
		*ret = tree_equal(l, r) ? 0 : a < b ? -1 : 1;
	} else if (l->type == TREE_STRING) {
		*ret = slice_cmp(tree_text(l), tree_text(r));
	} else if (l->type == TREE_BOOL) {
		*ret = l->is_true - r->is_true;
	} else {
		return err_set(x->e, EINVAL, "invalid type for comparison");
	}
	return 0;
}

static int passes(struct run *x, const struct jp_step *s, const struct tree *l, const struct tree *r)
{
	int order = 0;
	bool is_ordering = s->op > JP_NE;
	if (is_ordering && l->type == TREE_BOOL && r->type == TREE_BOOL)
		return err_set(x->e, EINVAL, "invalid type for comparison");
	int k = compare(x, l, r, &order);
	if (k < 0)
		return k;
	switch (s->op) {
	case JP_EQ: return order == 0;
	case JP_NE: return order != 0;
	case JP_LT: return order < 0;
	case JP_LE: return order <= 0;
	case JP_GT: return order > 0;
	}
	return order >= 0;
}

static int eval_filter_one(struct run *x, const struct jp_step *s, const struct tree *v, struct set *ret)
{
	struct set in = { 0 }, left, right;
	struct err ignored, *e = x->e;
	int r = add(x, &in, v);
	if (r < 0)
		return r;
	if (s->op == JP_EXISTS) {
		x->e = &ignored;
		r = eval(x, &s->left, in, &left);
		x->e = e;
		if (r == -E2BIG)
			return no_room(x);
		return r == 0 && left.n ? add(x, ret, v) : 0;
	}
	r = eval(x, &s->left, in, &left);
	if (r < 0 || !left.n)
		return r;
	if (left.n > 1)
		return err_set(x->e, EINVAL, "can only compare one element at a time");
	r = eval(x, &s->right, in, &right);
	if (r < 0 || !right.n)
		return r;
	if (right.n > 1)
		return err_set(x->e, EINVAL, "can only compare one element at a time");
	r = passes(x, s, left.v[0], right.v[0]);
	return r > 0 ? add(x, ret, v) : r;
}

static int eval_filter(struct run *x, const struct jp_step *s, const struct set *in, struct set *ret)
{
	int r = 0;
	for (uint32_t i = 0; i < in->n; i++) {
		const struct tree *v = in->v[i];
		if (!v || v->type != TREE_LIST) {
			AUTO(buf) struct buf b = BUF_INIT(256);
			if (v)
				(void)tree_to_json(v, 0, &b);
			return err_set(x->e, EINVAL, "%.200s is not array or slice and cannot be filtered", v ? b.ptr : "<invalid Value>");
		}
		for (uint32_t k = 0; r == 0 && k < v->n; k++)
			r = eval_filter_one(x, s, &v->items[k], ret);
	}
	return r;
}

static int eval_step(struct run *x, const struct jp_step *s, const struct set *in, struct set *ret)
{
	int r = 0;
	switch (s->kind) {
	case JP_CONST:
		if (s->is_text)
			return add(x, ret, &s->value);
		for (uint32_t i = 0; r == 0 && i < in->n; i++)
			r = add(x, ret, &s->value);
		return r;
	case JP_FIELD: return eval_field(x, s, in, ret);
	case JP_ARRAY: return eval_array(x, s, in, ret);
	case JP_FILTER: return eval_filter(x, s, in, ret);
	case JP_WILDCARD: return eval_wildcard(x, in, ret);
	case JP_RECURSIVE:
		for (uint32_t i = 0; r == 0 && i < in->n; i++)
			r = descend(x, in->v[i], ret);
		return r;
	case JP_UNION:
		for (uint32_t i = 0; r == 0 && i < s->n_branches; i++) {
			struct set one;
			r = eval(x, &s->branch[i], *in, &one);
			for (uint32_t k = 0; r == 0 && k < one.n; k++)
				r = add(x, ret, one.v[k]);
		}
		return r;
	case JP_RANGE:
		*ret = *in;
		ret->room = 0;
		return 0;
	}
	return 0;
}

static int eval(struct run *x, const struct jp_list *l, struct set in, struct set *ret)
{
	in.room = 0;
	for (uint32_t i = 0; i < l->n; i++) {
		struct set out = { 0 };
		int r = eval_step(x, &l->v[i], &in, &out);
		if (r < 0)
			return r;
		in = out;
	}
	*ret = in;
	return 0;
}

int jsonpath_print_value(const struct tree *v, struct buf *out)
{
	if (!v || v->type == TREE_NULL)
		return buf_adds(out, "null");
	if (v->type == TREE_STRING)
		return buf_addslice(out, tree_text(v));
	if (v->type == TREE_NUMBER) {
		go_number(v, out);
		return buf_error(out);
	}
	return tree_to_json(v, SCHEMA_ESCAPE_HTML | SCHEMA_SORTED, out);
}

/* One expression's results. */
static int emit(struct run *x, const struct set *s, bool is_text)
{
	if (x->found) {
		struct set all = { x->found->v, x->found->n, x->room };
		int r = 0;
		for (uint32_t i = 0; r == 0 && !is_text && i < s->n; i++)
			r = add(x, &all, s->v[i]);
		*x->found = (struct jsonpath_results){ all.v, all.n };
		x->room = all.room;
		return r;
	}
	if (x->flags & JSONPATH_AS_JSON) {
		struct tree list = tree_list();
		static const struct tree null;
		for (uint32_t i = 0; i < s->n; i++)
			if (!tree_append(x->a, &list, s->v[i] ? *s->v[i] : null))
				return no_room(x);
		(void)tree_to_json(&list, SCHEMA_INDENT | SCHEMA_ESCAPE_HTML | SCHEMA_SORTED | SCHEMA_NEWLINE, x->out);
	} else {
		for (uint32_t i = 0; i < s->n; i++) {
			if (i)
				buf_addc(x->out, ' ');
			(void)jsonpath_print_value(s->v[i], x->out);
		}
	}
	return buf_error(x->out) ? no_room(x) : 0;
}

static bool has(const struct jp_list *l, enum jp_kind kind)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->v[i].kind == kind)
			return true;
	return false;
}

/* From item *i on; stops at the {end} of the range it is in, whose place *i is then. data NULL: nothing (an empty range). */
static int run_items(struct run *x, uint32_t *i, const struct tree *data, bool is_silent)
{
	for (; *i < x->t->n; ++*i) {
		const struct jp_item *item = &x->t->v[*i];
		const struct tree *text = &item->text;
		struct set in = { &data, 1, 0 }, out = { &text, 1, 0 };
		int r = item->is_text ? 0 : eval(x, &item->steps, in, &out);
		if (r < 0)
			return r;
		if (has(&item->steps, JP_END)) {
			if (!x->depth)
				return err_set(x->e, EINVAL, "not in range, nothing to end");
			return 0;
		}
		if (!has(&item->steps, JP_RANGE)) {
			r = is_silent ? 0 : emit(x, &out, item->is_text);
			if (r < 0)
				return r;
			continue;
		}
		if (x->depth >= JSONPATH_MAX_DEPTH)
			return err_set(x->e, E2BIG, "the template is nested too deeply");
		uint32_t from = *i + 1;
		x->depth++;
		for (uint32_t k = 0; r == 0 && k < MAX(out.n, 1u); k++) {
			*i = from;
			r = run_items(x, i, out.n ? out.v[k] : NULL, is_silent || !out.n);
		}
		x->depth--;
		if (r < 0)
			return r;
	}
	return 0;
}

int jsonpath_print(const struct jsonpath *p, const struct tree *doc, unsigned flags, struct arena *a, struct buf *out, struct err *e)
{
	struct run x = { .t = p, .a = a, .flags = flags, .e = e, .out = out };
	uint32_t i = 0;
	return run_items(&x, &i, doc, false);
}

int jsonpath_find(const struct jsonpath *p, const struct tree *doc, unsigned flags, struct arena *a, struct jsonpath_results *ret,
	struct err *e)
{
	struct jsonpath_results found = { 0 };
	struct run x = { .t = p, .a = a, .flags = flags, .e = e, .found = &found };
	uint32_t i = 0;
	int r = run_items(&x, &i, doc, false);
	if (r == 0)
		*ret = found;
	return r;
}
