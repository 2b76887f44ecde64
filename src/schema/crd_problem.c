/* SPDX-License-Identifier: Apache-2.0 */
/* Problems in the words of Kubernetes' field errors. */
#include "schema/crd_int.h"
#include "schema/number.h"
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

void problem_value(const struct tree *v, struct buf *out)
{
	if (v->type == TREE_NUMBER)
		go_number(v, out);
	else
		(void)tree_to_json(v, SCHEMA_SORTED, out);
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
