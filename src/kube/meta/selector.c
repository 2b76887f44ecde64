// SPDX-License-Identifier: Apache-2.0
#include "kube/meta/selector.h"

#include <errno.h>

#include "base/num.h"
#include "base/vec.h"

enum { TERMS_MAX = 1000, VALUES_MAX = 10000 };

/* --- names, as labels have them */

static bool is_alnum(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static bool is_name(struct slice s)
{
	if (s.len == 0 || s.len > 63 || !is_alnum(s.ptr[0]) || !is_alnum(s.ptr[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) && !strchr("-_.", s.ptr[i]))
			return false;
	return true;
}

static bool is_key(struct slice s)
{
	struct slice prefix, name;

	if (!slice_cut(s, '/', &prefix, &name))
		return is_name(s);
	if (prefix.len == 0 || prefix.len > 253)
		return false;
	for (size_t i = 0; i < prefix.len; i++)
		if (!is_alnum(prefix.ptr[i]) && !strchr("-.", prefix.ptr[i]))
			return false;
	return is_name(name);
}

/* --- reading */

struct reader {
	struct arena *a;
	const char *at;
	struct err *e;
	VEC(struct selector_term) terms;
	VEC(const char *) values;
};

static void skip(struct reader *r)
{
	while (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')
		r->at++;
}

static struct slice word(struct reader *r)
{
	const char *from;

	skip(r);
	from = r->at;
	while (*r->at && !strchr("=!(),<> \t\r\n", *r->at))
		r->at++;
	return slice_n(from, (size_t)(r->at - from));
}

static bool take(struct reader *r, const char *text)
{
	size_t n = strlen(text);

	skip(r);
	if (strncmp(r->at, text, n) != 0)
		return false;
	r->at += n;
	return true;
}

static int bad(struct reader *r, const char *wanted)
{
	skip(r);
	return err_set(r->e, EINVAL, "unable to parse requirement: found '%.20s', expected: %s", r->at, wanted);
}

static int add_value(struct reader *r, struct slice v)
{
	char *s;

	if (v.len && !is_name(v))
		return err_set(r->e, EINVAL, "unable to parse requirement: values[0][%s]: Invalid value: \"%.*s\": a valid label must be an empty string or "
			"consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character", "", SLICE_FMT(v));
	s = arena_dup(r->a, v);
	if (!s || r->values.n >= VALUES_MAX || vec_push(&r->values, s) < 0)
		return err_nomem(r->e);
	return 0;
}

/* "(a,b)" */
static int read_set(struct reader *r)
{
	if (!take(r, "("))
		return bad(r, "'('");
	for (;;) {
		int rc = add_value(r, word(r));

		if (rc < 0)
			return rc;
		if (take(r, ")"))
			return 0;
		if (!take(r, ","))
			return bad(r, "',' or ')'");
	}
}

static int end_term(struct reader *r, struct slice key, enum selector_op op)
{
	struct selector_term t = { .op = op, .n_values = (uint32_t)r->values.n };

	if (!is_key(key))
		return err_set(r->e, EINVAL, "unable to parse requirement: <nil>: Invalid value: \"%.*s\": name part must consist of alphanumeric characters, "
			"'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used "
			"for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')", SLICE_FMT(key));
	t.key = arena_dup(r->a, key);
	t.values = arena_array(r->a, r->values.n, sizeof *t.values);
	if (!t.key || !t.values || r->terms.n >= TERMS_MAX)
		return err_nomem(r->e);
	if (r->values.n)
		memcpy(t.values, r->values.v, r->values.n * sizeof *t.values);
	r->values.n = 0;
	return vec_push(&r->terms, t) < 0 ? err_nomem(r->e) : 0;
}

static int read_compare(struct reader *r, struct slice key, enum selector_op op)
{
	struct slice v = word(r);
	int64_t n;
	int rc;

	if (num_parse_i64(v, INT64_MIN, INT64_MAX, &n) < 0)
		return err_set(r->e, EINVAL, "unable to parse requirement: values[0]: Invalid value: \"%.*s\": for 'Gt', 'Lt' operators, the value must be an integer",
			SLICE_FMT(v));
	rc = add_value(r, v);
	return rc < 0 ? rc : end_term(r, key, op);
}

static int read_term(struct reader *r)
{
	struct slice key, op;
	int rc;

	if (take(r, "!")) {
		key = word(r);
		return key.len ? end_term(r, key, SELECT_ABSENT) : bad(r, "identifier");
	}
	key = word(r);
	if (!key.len)
		return bad(r, "!, identifier, or 'end of string'");
	skip(r);
	if (!*r->at || *r->at == ',')
		return end_term(r, key, SELECT_EXISTS);
	if (take(r, "==") || take(r, "=")) {
		rc = add_value(r, word(r));
		return rc < 0 ? rc : end_term(r, key, SELECT_IN);
	}
	if (take(r, "!=")) {
		rc = add_value(r, word(r));
		return rc < 0 ? rc : end_term(r, key, SELECT_NOT_IN);
	}
	if (take(r, ">"))
		return read_compare(r, key, SELECT_GREATER);
	if (take(r, "<"))
		return read_compare(r, key, SELECT_LESS);
	op = word(r);
	if (!slice_is(op, "in") && !slice_is(op, "notin")) {
		r->at = op.ptr;
		return bad(r, "in, notin, =, ==, !=, gt, lt");
	}
	rc = read_set(r);
	return rc < 0 ? rc : end_term(r, key, slice_is(op, "in") ? SELECT_IN : SELECT_NOT_IN);
}

static int finish(struct reader *r, int rc, struct selector *ret)
{
	struct selector_term *t = rc < 0 ? NULL : arena_array(r->a, r->terms.n, sizeof *t);

	if (rc == 0 && !t)
		rc = err_nomem(r->e);
	if (rc == 0) {
		if (r->terms.n)
			memcpy(t, r->terms.v, r->terms.n * sizeof *t);
		*ret = (struct selector){ t, (uint32_t)r->terms.n };
	}
	vec_release(&r->terms);
	vec_release(&r->values);
	return rc;
}

int selector_parse(struct arena *a, const char *text, struct selector *ret, struct err *e)
{
	struct reader r = { .a = a, .at = text ? text : "", .e = e };
	int rc = 0;

	skip(&r);
	while (rc == 0 && *r.at) {
		rc = read_term(&r);
		if (rc == 0 && !take(&r, ",") && *r.at)
			rc = bad(&r, "',' or 'end of string'");
		else if (rc == 0 && !*r.at && r.at[-1] == ',')
			rc = bad(&r, "identifier after ','");
	}
	return finish(&r, rc, ret);
}

/* --- from objects */

static int requirement(const struct kube_label_selector_requirement *q, struct selector_term *t, struct err *e)
{
	static const struct { const char *name; enum selector_op op; bool values; } ops[] = {
		{ "In", SELECT_IN, true }, { "NotIn", SELECT_NOT_IN, true }, { "Exists", SELECT_EXISTS, false }, { "DoesNotExist", SELECT_ABSENT, false },
	};

	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
		if (q->operator && !strcmp(q->operator, ops[i].name)) {
			if (ops[i].values != (q->n_values > 0))
				return err_set(e, EINVAL, "values: Invalid value: for '%s', the values set must be %s", q->operator, ops[i].values ? "non-empty" : "empty");
			*t = (struct selector_term){ q->key ? q->key : "", ops[i].op, q->values, q->n_values };
			return 0;
		}
	return err_set(e, EINVAL, "\"%s\" is not a valid label selector operator", q->operator ? q->operator : "");
}

static int map_terms(struct arena *a, const struct schema_pair *v, uint32_t n, struct selector_term *t)
{
	for (uint32_t i = 0; i < n; i++) {
		const char **one = arena_new(a, const char *);

		if (!one)
			return -ENOMEM;
		*one = v[i].value ? v[i].value : "";
		t[i] = (struct selector_term){ v[i].key, SELECT_IN, one, 1 };
	}
	return 0;
}

int selector_of(struct arena *a, const struct kube_label_selector *s, struct selector *ret, struct err *e)
{
	uint32_t n = s ? s->n_match_labels + s->n_match_expressions : 1;
	struct selector_term *t = arena_array(a, n, sizeof *t);
	int r;

	if (!t)
		return err_nomem(e);
	if (!s) {
		t[0] = (struct selector_term){ .key = "", .op = SELECT_NOTHING };
		*ret = (struct selector){ t, 1 };
		return 0;
	}
	r = map_terms(a, s->match_labels, s->n_match_labels, t);
	if (r < 0)
		return err_nomem(e);
	for (uint32_t i = 0; i < s->n_match_expressions; i++) {
		r = requirement(&s->match_expressions[i], &t[s->n_match_labels + i], e);
		if (r < 0)
			return r;
	}
	*ret = (struct selector){ t, n };
	return 0;
}

int selector_of_map(struct arena *a, const struct schema_pair *v, uint32_t n, struct selector *ret)
{
	struct selector_term *t = arena_array(a, n ? n : 1, sizeof *t);
	int r = t ? 0 : -ENOMEM;

	if (r == 0 && n == 0)
		t[0] = (struct selector_term){ .key = "", .op = SELECT_NOTHING };
	if (r == 0)
		r = map_terms(a, v, n, t);
	if (r == 0)
		*ret = (struct selector){ t, n ? n : 1 };
	return r;
}

/* --- matching */

static bool holds(const struct selector_term *t, const char *value)
{
	bool in = false;
	int64_t have, want;

	for (uint32_t i = 0; value && i < t->n_values && !in; i++)
		in = !strcmp(value, t->values[i]);
	switch (t->op) {
	case SELECT_IN:
		return in;
	case SELECT_NOT_IN:
		return !in;
	case SELECT_EXISTS:
		return value;
	case SELECT_ABSENT:
		return !value;
	case SELECT_GREATER:
	case SELECT_LESS:
		if (!value || !t->n_values || num_parse_i64(slice_of(value), INT64_MIN, INT64_MAX, &have) < 0 ||
		    num_parse_i64(slice_of(t->values[0]), INT64_MIN, INT64_MAX, &want) < 0)
			return false;
		return t->op == SELECT_GREATER ? have > want : have < want;
	case SELECT_NOTHING:
		return false;
	}
	return false;
}

bool selector_matches(const struct selector *s, const struct schema_pair *labels, uint32_t n)
{
	for (uint32_t i = 0; i < s->n_terms; i++)
		if (!holds(&s->terms[i], schema_pair_get(labels, n, s->terms[i].key)))
			return false;
	return true;
}

bool selector_is_empty(const struct selector *s) { return s->n_terms == 0; }

/* --- printing: by key, as Kubernetes' own */

static int by_key(const void *a, const void *b) { return strcmp((*(const struct selector_term *const *)a)->key, (*(const struct selector_term *const *)b)->key); }
static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void print_set(const struct selector_term *t, struct buf *out)
{
	VEC(const char *) v = { 0 };

	for (uint32_t i = 0; i < t->n_values; i++)
		if (vec_push(&v, t->values[i]) < 0)
			out->error = -ENOMEM;
	if (v.n)
		qsort(v.v, v.n, sizeof *v.v, by_text);
	for (size_t i = 0; i < v.n; i++)
		buf_addf(out, "%s%s", i ? "," : "", v.v[i]);
	vec_release(&v);
}

void selector_text(const struct selector *s, struct buf *out)
{
	VEC(const struct selector_term *) v = { 0 };

	for (uint32_t i = 0; i < s->n_terms; i++)
		if (vec_push(&v, &s->terms[i]) < 0)
			out->error = -ENOMEM;
	if (v.n)
		qsort(v.v, v.n, sizeof *v.v, by_key);
	for (size_t i = 0; i < v.n; i++) {
		const struct selector_term *t = v.v[i];

		if (t->op == SELECT_NOTHING)
			continue;
		buf_adds(out, i ? "," : "");
		buf_addf(out, "%s%s", t->op == SELECT_ABSENT ? "!" : "", t->key);
		if (t->op == SELECT_IN && t->n_values == 1)
			buf_addf(out, "=%s", t->values[0]);
		else if (t->op == SELECT_NOT_IN && t->n_values == 1)
			buf_addf(out, "!=%s", t->values[0]);
		else if (t->op == SELECT_GREATER || t->op == SELECT_LESS)
			buf_addf(out, "%c%s", t->op == SELECT_GREATER ? '>' : '<', t->values[0]);
		else if (t->op == SELECT_IN || t->op == SELECT_NOT_IN) {
			buf_adds(out, t->op == SELECT_IN ? " in (" : " notin (");
			print_set(t, out);
			buf_addc(out, ')');
		}
	}
	vec_release(&v);
}

/* --- fields */

/* Backslash escapes ',' '=' and itself. */
static char *unescape(struct arena *a, struct slice s)
{
	char *p = arena_dup(a, s), *to = p;

	for (const char *from = p; p && *from; from++) {
		if (*from == '\\' && from[1])
			from++;
		*to++ = *from;
	}
	if (p)
		*to = 0;
	return p;
}

static int field_term(struct reader *r, struct slice term)
{
	ptrdiff_t at = -1;
	struct slice value;
	struct selector_term t = { .n_values = 1 };

	for (size_t i = 0; i < term.len && at < 0; i++) {
		if (term.ptr[i] == '\\')
			i++;
		else if (term.ptr[i] == '=' || (term.ptr[i] == '!' && i + 1 < term.len && term.ptr[i + 1] == '='))
			at = (ptrdiff_t)i;
	}
	if (at < 0)
		return err_set(r->e, EINVAL, "invalid selector: '%.*s'; can't understand '%.*s'", SLICE_FMT(term), SLICE_FMT(term));
	t.op = term.ptr[at] == '!' ? SELECT_NOT_IN : SELECT_IN;
	value = slice_n(term.ptr + at + 1, term.len - (size_t)at - 1);
	if (value.len && *value.ptr == '=')
		value = slice_n(value.ptr + 1, value.len - 1);
	t.key = arena_dup(r->a, slice_n(term.ptr, (size_t)at));
	t.values = arena_new(r->a, const char *);
	if (!t.key || !t.values || !(*t.values = unescape(r->a, value)) || r->terms.n >= TERMS_MAX || vec_push(&r->terms, t) < 0)
		return err_nomem(r->e);
	return 0;
}

int field_selector_parse(struct arena *a, const char *text, struct selector *ret, struct err *e)
{
	struct reader r = { .a = a, .e = e };
	const char *at = text ? text : "";
	int rc = 0;

	while (rc == 0 && *at) {
		size_t n = 0;

		while (at[n] && at[n] != ',')
			n += at[n] == '\\' && at[n + 1] ? 2 : 1;
		if (n)
			rc = field_term(&r, slice_n(at, n));
		at += n + (at[n] == ',');
	}
	return finish(&r, rc, ret);
}

bool field_selector_matches(const struct selector *s, const char *(*value)(void *arg, const char *field), void *arg)
{
	for (uint32_t i = 0; i < s->n_terms; i++) {
		const char *v = value(arg, s->terms[i].key);

		if (!v || !holds(&s->terms[i], v))
			return false;
	}
	return true;
}
