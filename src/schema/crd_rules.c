/* SPDX-License-Identifier: Apache-2.0 */
/* x-kubernetes-validations: a schema's rules in CEL, compiled with it and run on objects that are otherwise valid. */
#include "schema/cel.h"
#include "schema/crd_int.h"
#include "schema/schema_int.h"

static const char *const vars[] = { "self", "oldSelf", NULL };

struct crd_rule {
	struct cel_program *rule, *message;
	struct slice text, fixed_message, reason, field_path;
	bool is_optional_old;
};

/* --- compiling --- */

static int bad_rule(struct schema_problems *p, const char *path, uint32_t i, const char *what, const struct tree *value, const char *why)
{
	AUTO(free) char *at = fmt_new("%s.x-kubernetes-validations[%u].%s", path, i, what);
	if (!at)
		return -ENOMEM;
	if (value)
		problem_invalid(p, at, value, why);
	else
		problem_required(p, at, why);
	return 0;
}

static int compile_text(struct crd_schema *s, const struct tree *text, const char *path, uint32_t i, const char *what, struct schema_problems *p,
	struct cel_program **ret)
{
	struct err e;
	int r = cel_compile(slice_trim(tree_text(text)), vars, &s->a, ret, &e);
	if (r == -EINVAL)
		return bad_rule(p, path, i, what, text, e.text);
	if (r < 0)
		return r;
	struct cel_program **all = arena_array(&s->a, (size_t)s->n_programs + 1, sizeof(struct cel_program *));
	if (!all) {
		cel_release(*ret);
		return -E2BIG;
	}
	if (s->n_programs)
		memcpy(all, s->programs, s->n_programs * sizeof *all);
	all[s->n_programs++] = *ret;
	s->programs = all;
	return 0;
}

int crd_rules_compile(struct crd_schema *s, struct crd_prop *prop, const char *path, struct schema_problems *p)
{
	const struct tree *list = tree_gets(prop->doc, "x-kubernetes-validations");
	if (!list || list->type != TREE_LIST || !list->n)
		return 0;
	prop->rules = arena_array(&s->a, list->n, sizeof *prop->rules);
	if (!prop->rules)
		return -E2BIG;
	for (uint32_t i = 0; i < list->n; i++) {
		const struct tree *doc = &list->items[i], *text = tree_gets(doc, "rule"), *expression = tree_gets(doc, "messageExpression");
		struct crd_rule *rule = &prop->rules[i];
		*rule = (struct crd_rule){ .text = slice_trim(tree_text(text)), .fixed_message = slice_trim(tree_text(tree_gets(doc, "message"))),
			.reason = tree_text(tree_gets(doc, "reason")), .field_path = tree_text(tree_gets(doc, "fieldPath")),
			.is_optional_old = tree_is_true(tree_gets(doc, "optionalOldSelf")) };
		int r = !rule->text.len ? bad_rule(p, path, i, "rule", NULL, "rule is not specified")
			: compile_text(s, text, path, i, "rule", p, &rule->rule);
		if (r == 0 && tree_text(expression).len)
			r = compile_text(s, expression, path, i, "messageExpression", p, &rule->message);
		if (r < 0)
			return r;
	}
	prop->n_rules = list->n;
	s->n_rules += list->n;
	return 0;
}

void crd_rules_release(struct crd_schema *s)
{
	for (uint32_t i = 0; i < s->n_programs; i++)
		cel_release(s->programs[i]);
}

/* --- running --- */

struct runner {
	struct arena *a;              /* dies with each object */
	struct schema_problems *p;
	struct buf path;
	unsigned budget;
};

static const char *field_of(const struct runner *x)
{
	return x->path.len ? x->path.ptr : "<nil>";
}

static void say(struct runner *x, const struct crd_prop *prop, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void say(struct runner *x, const struct crd_prop *prop, const char *fmt, ...)
{
	AUTO(buf) struct buf b = BUF_INIT(64 << 10);
	struct tree type = tree_string(slice_of(prop->type_text));
	va_list ap;
	va_start(ap, fmt);
	buf_addfv(&b, fmt, ap);
	va_end(ap);
	problem_invalid(x->p, field_of(x), &type, b.ptr);
}

static struct slice told(const struct crd_rule *rule) { return rule->fixed_message.len ? rule->fixed_message : rule->text; }

static void did_not_run(struct runner *x, const struct crd_prop *prop, const struct crd_rule *rule, int r, const struct err *e)
{
	if (r == -E2BIG)
		say(x, prop, "'%s': no further validation rules will be run due to call cost exceeds limit for rule: %.*s", e->text, SLICE_FMT(told(rule)));
	else if (!strncmp(e->text, "no such overload", 16))
		say(x, prop, "'%s': call arguments did not match a supported operator, function or macro signature for rule: %.*s", e->text, SLICE_FMT(told(rule)));
	else
		say(x, prop, "%s evaluating rule: %.*s", e->text, SLICE_FMT(told(rule)));
}

/* The rule said no. */
static void failed(struct runner *x, const struct crd_prop *prop, const struct crd_rule *rule, const struct tree *v, struct slice detail)
{
	AUTO(buf) struct buf text = BUF_INIT(64 << 10);
	AUTO(buf) struct buf field = BUF_INIT(64 << 10);
	buf_addf(&field, "%s%s%.*s", x->path.ptr, rule->field_path.len && rule->field_path.ptr[0] != '.' && rule->field_path.ptr[0] != '[' ? "." : "",
		SLICE_FMT(rule->field_path));
	const char *at = field.len ? field.ptr + (field.ptr[0] == '.') : "<nil>";
	buf_addslice(&text, detail);
	if (slice_is(rule->reason, "FieldValueForbidden")) {
		problem_forbidden(x->p, at, text.ptr);
	} else if (slice_is(rule->reason, "FieldValueRequired")) {
		problem_required(x->p, at, text.ptr);
	} else if (v->type == TREE_MAP || v->type == TREE_LIST) {
		problem_addf(x->p, at, "FieldValueInvalid", "%s value: %s", slice_is(rule->reason, "FieldValueDuplicate") ? "Duplicate" : "Invalid", text.ptr);
	} else if (slice_is(rule->reason, "FieldValueDuplicate")) {
		AUTO(buf) struct buf value = BUF_INIT(64 << 10);
		problem_value(v, &value);
		problem_addf(x->p, at, "FieldValueDuplicate", "Duplicate value: %s", value.ptr);
	} else {
		problem_invalid(x->p, at, v, text.ptr);
	}
}

static int run_rule(struct runner *x, const struct crd_prop *prop, const struct crd_rule *rule, const struct tree *v, const struct tree *old)
{
	bool uses_old = cel_uses(rule->rule, "oldSelf"), holds;
	struct cel_input in[] = { { "self", v, prop, false }, { "oldSelf", old, prop, rule->is_optional_old } };
	uint32_t n = old || rule->is_optional_old ? 2 : 1;
	struct slice message;
	struct err e = { 0 };
	if (uses_old && !old && !rule->is_optional_old)
		return 0;
	int r = cel_eval_bool(rule->rule, in, n, &x->budget, x->a, &holds, &e);
	if (r < 0) {
		did_not_run(x, prop, rule, r, &e);
		return r == -E2BIG ? r : 0;
	}
	if (holds || (!uses_old && old && tree_equal(v, old)))
		return 0;
	bool has_message = rule->message && cel_eval_string(rule->message, in, n, &x->budget, x->a, &message, &e) == 0 && slice_trim(message).len &&
		message.len <= 5120 && slice_find(message, '\n') < 0;
	AUTO(free) char *plain = fmt_new("failed rule: %.*s", SLICE_FMT(rule->text));
	failed(x, prop, rule, v, has_message ? slice_trim(message) : rule->fixed_message.len ? rule->fixed_message : slice_of(plain ? plain : ""));
	return 0;
}

/* The old element that v was: of lists whose elements have keys. */
static const struct tree *old_item(const struct crd_prop *prop, const struct tree *old, const struct tree *v)
{
	if (prop->list_type != 'm' || !prop->keys || !old || old->type != TREE_LIST)
		return NULL;
	for (uint32_t i = 0; i < old->n; i++) {
		struct slice rest = slice_of(prop->keys), key;
		bool is_same = true;
		while (is_same && slice_next(&rest, ',', &key)) {
			const struct tree *l = tree_get(&old->items[i], key), *r = tree_get(v, key);
			is_same = l && r ? tree_equal(l, r) : l == r;
		}
		if (is_same)
			return &old->items[i];
	}
	return NULL;
}

static int run_at(struct runner *x, const struct crd_prop *prop, const struct tree *v, const struct tree *old)
{
	int r = 0;
	if (!prop || v->type == TREE_NULL)
		return 0;
	if (old && old->type == TREE_NULL)
		old = NULL;
	for (uint32_t i = 0; r == 0 && i < prop->n_rules; i++)
		r = run_rule(x, prop, &prop->rules[i], v, old);
	for (uint32_t i = 0; r == 0 && (v->type == TREE_MAP || v->type == TREE_LIST) && i < v->n; i++) {
		size_t len = x->path.len;
		if (v->type == TREE_LIST) {
			buf_addf(&x->path, "[%u]", i);
			r = run_at(x, prop->items, &v->items[i], old_item(prop, old, &v->items[i]));
		} else {
			struct slice key = key_of(&v->members[i]);
			const struct crd_prop *named = crd_find(prop, key);
			if (named)
				buf_addf(&x->path, "%s%.*s", len ? "." : "", SLICE_FMT(key));
			else
				buf_addf(&x->path, "[%.*s]", SLICE_FMT(key));
			r = run_at(x, named ? named : prop->additional, &v->members[i].value, tree_get(old, key));
		}
		if (buf_error(&x->path))
			return -E2BIG;
		buf_truncate(&x->path, len);
	}
	return r;
}

static bool is_blocking(const struct schema_problem *p)
{
	static const char *const reasons[] = { "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid", "FieldValueNotSupported" };
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (!strcmp(p->reason, reasons[i]))
			return true;
	return false;
}

void crd_rules_run(const struct crd_schema *s, const struct tree *obj, const struct tree *old, uint32_t first_problem, struct schema_problems *p)
{
	struct arena a;
	if (!s->n_rules)
		return;
	for (uint32_t i = first_problem; i < p->n; i++) {
		if (!is_blocking(&p->v[i]))
			continue;
		problem_add(p, "<nil>", "FieldValueInvalid", "Invalid value: null: some validation rules were not checked because the object was invalid; "
			"correct the existing errors to complete validation");
		return;
	}
	arena_init(&a, CRD_MAX_BYTES);
	struct runner x = { .a = &a, .p = p, .path = BUF_INIT(64 << 10), .budget = CEL_BUDGET };
	if (run_at(&x, &s->root, obj, old) < 0 && p->n == first_problem)
		p->is_full = true;
	buf_release(&x.path);
	arena_release(&a);
}
