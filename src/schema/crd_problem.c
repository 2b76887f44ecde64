/* SPDX-License-Identifier: Apache-2.0 */
/* Problems in the words of Kubernetes' field errors. */
#include "base/num.h"
#include "schema/crd_int.h"
#include "schema/schema_int.h"

void problem_add(struct schema_problems *p, const char *field, const char *reason, const char *message)
{
	char *f, *m;
	if (p->n >= CRD_MAX_PROBLEMS) {
		p->is_full = true;
		return;
	}
	if (!p->room) {
		uint32_t more = MAX(p->n, 4u);
		struct schema_problem *v = arena_array(p->a, (size_t)p->n + more, sizeof *v);
		if (!v) {
			p->is_full = true;
			return;
		}
		if (p->n)
			memcpy(v, p->v, p->n * sizeof *v);
		p->v = v;
		p->room = more;
	}
	if (!(f = arena_strdup(p->a, field)) || !(m = arena_strdup(p->a, message))) {
		p->is_full = true;
		return;
	}
	p->v[p->n++] = (struct schema_problem){ f, reason, m };
	p->room--;
}

void problem_addf(struct schema_problems *p, const char *field, const char *reason, const char *fmt, ...)
{
	AUTO(buf) struct buf b = BUF_INIT(64 << 10);
	va_list ap;
	va_start(ap, fmt);
	buf_addfv(&b, fmt, ap);
	va_end(ap);
	problem_add(p, field, reason, b.ptr);
}

void go_double(char *dst, double v)
{
	char digits[40];
	int precision = 0;
	do
		(void)fmt_into(digits, sizeof digits, "%.*e", precision, v);
	while (strtod(digits, NULL) != v && ++precision < 17);
	char *e = strchr(digits, 'e');
	long exponent = e ? strtol(e + 1, NULL, 10) : 0;
	if (v != v || v - v != 0)
		(void)fmt_into(dst, 32, "%s", v != v ? "NaN" : v < 0 ? "-Inf" : "+Inf");
	else if (exponent < -4 || exponent >= 6)
		(void)fmt_into(dst, 32, "%s", digits);
	else
		(void)fmt_into(dst, 32, "%.*f", (int)MAX(precision - exponent, 0L), v);
}

void problem_value(const struct tree *v, struct buf *out)
{
	int64_t i;
	char text[32];
	if (v->type != TREE_NUMBER) {
		(void)tree_to_json(v, SCHEMA_SORTED, out);
	} else if (num_parse_i64(tree_text(v), INT64_MIN, INT64_MAX, &i) == 0) {
		buf_addf(out, "%lld", (long long)i);
	} else {
		AUTO(free) char *copy = slice_dup(tree_text(v));
		go_double(text, copy ? strtod(copy, NULL) : 0);
		buf_adds(out, text);
	}
}

void problem_invalid(struct schema_problems *p, const char *field, const struct tree *value, const char *detail)
{
	AUTO(buf) struct buf b = BUF_INIT(64 << 10);
	buf_adds(&b, "Invalid value: ");
	problem_value(value, &b);
	buf_addf(&b, ": %s", detail);
	problem_add(p, field, "FieldValueInvalid", b.ptr);
}

void problem_required(struct schema_problems *p, const char *field, const char *detail)
{
	problem_addf(p, field, "FieldValueRequired", "Required value%s%s", *detail ? ": " : "", detail);
}

void problem_forbidden(struct schema_problems *p, const char *field, const char *detail)
{
	problem_addf(p, field, "FieldValueForbidden", "Forbidden: %s", detail);
}

void schema_problems_print(const struct schema_problems *p, struct buf *out)
{
	if (p->n != 1)
		buf_addc(out, '[');
	for (uint32_t i = 0; i < p->n; i++)
		buf_addf(out, "%s%s: %s", i ? ", " : "", p->v[i].field, p->v[i].message);
	if (p->n != 1)
		buf_addc(out, ']');
}
