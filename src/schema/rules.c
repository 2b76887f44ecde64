/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Defaults and validation: the rules of .over files, run over structs. What
 * depends on more than one field is code of the kind, not a rule.
 */
#include "base/num.h"
#include "schema/schema_int.h"

static const struct schema_rule *rules_of(const struct schema_domain *d, const struct schema_field *f, uint32_t *n)
{
	uint32_t index = (uint32_t)(f - d->fields), lo = 0, hi = d->n_rules;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		if (d->rules[mid].field < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (*n = 0; lo + *n < d->n_rules && d->rules[lo + *n].field == index; ++*n)
		;
	return &d->rules[lo];
}

static bool is_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

/* NULL, "", 0 by value, no elements: what a default fills and `required` refuses. */
static bool is_absent(const struct schema_domain *d, const struct schema_field *f, const char *obj)
{
	const char *p = obj + f->offset;
	if (f->shape >= SCHEMA_LIST)
		return !*(const uint32_t *)(obj + f->n_offset);
	if (f->shape == SCHEMA_PTR)
		return !*(const char *const *)p;
	if (kind_is_text(f->kind))
		return !*(const char *const *)p || !**(const char *const *)p;
	return is_zero(p, value_size(d, f));
}

static int set_scalar(const struct schema_field *f, const char *text, void *dst)
{
	int64_t v = 0;
	if (f->kind == SCHEMA_BOOL) {
		*(bool *)dst = !strcmp(text, "true");
		return 0;
	}
	if (kind_is_text(f->kind)) {
		*(const char **)dst = text;
		return 0;
	}
	bool is_number = num_parse_i64(slice_of(text), INT64_MIN, INT64_MAX, &v) == 0;
	if (f->kind == SCHEMA_INTSTR) {
		*(struct schema_int_or_string *)dst = (struct schema_int_or_string){ is_number ? NULL : text, v };
		return 0;
	}
	if (f->kind < SCHEMA_F64 && is_number)
		memcpy(dst, &v, schema_kind_size[f->kind]);
	return f->kind == SCHEMA_MESSAGE || (f->kind < SCHEMA_F64 && is_number) ? 0 : -EINVAL;
}

static int default_message(const struct schema_domain *d, const struct schema_type *t, struct arena *a, char *obj);

/* What the field holds, if it is a message or some of them. */
static int default_below(const struct schema_domain *d, const struct schema_field *f, struct arena *a, char *obj)
{
	if (f->kind != SCHEMA_MESSAGE)
		return 0;
	char *p = f->shape == SCHEMA_ONE ? obj + f->offset : *(char **)(obj + f->offset);
	uint32_t n = !p ? 0 : f->shape < SCHEMA_LIST ? 1 : *(uint32_t *)(obj + f->n_offset);
	size_t size = value_size(d, f);
	for (uint32_t i = 0; i < n; i++) {
		int r = default_message(d, type_at(d, f->sub), a, p + i * size);
		if (r < 0)
			return r;
	}
	return 0;
}

static int default_field(const struct schema_domain *d, const struct schema_field *f, struct arena *a, char *obj)
{
	uint32_t n;
	const struct schema_rule *r = rules_of(d, f, &n);
	for (uint32_t i = 0; i < n; i++) {
		if (r[i].kind != SCHEMA_RULE_DEFAULT || f->shape >= SCHEMA_LIST || !is_absent(d, f, obj))
			continue;
		void *dst = obj + f->offset;
		if (f->shape == SCHEMA_PTR) {
			dst = *(void **)dst = arena_alloc(a, value_size(d, f));
			if (!dst)
				return -E2BIG;
		}
		int k = set_scalar(f, text_at(d, r[i].text), dst);
		if (k < 0)
			return k;
	}
	return 0;
}

static int default_message(const struct schema_domain *d, const struct schema_type *t, struct arena *a, char *obj)
{
	const struct schema_field *f = fields_of(d, t);
	for (uint8_t i = 0; i < t->n_fields; i++) {
		int r = f[i].flags & SCHEMA_RULES ? default_field(d, &f[i], a, obj) : 0;
		if (r == 0)
			r = default_below(d, &f[i], a, obj);
		if (r < 0)
			return r;
	}
	return 0;
}

int schema_default(struct schema_ref t, struct arena *a, void *obj)
{
	return t.domain->n_rules ? default_message(t.domain, type_at(t.domain, t.type), a, obj) : 0;
}

struct check {
	const struct schema_domain *d;
	void (*report)(void *arg, const char *path, const char *message);
	void *arg;
	unsigned n;
};

static void problem(struct check *c, const struct frame *fr, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void problem(struct check *c, const struct frame *fr, const char *fmt, ...)
{
	if (c->n >= SCHEMA_MAX_PROBLEMS)
		return;
	AUTO(buf) struct buf path = BUF_INIT(4096), message = BUF_INIT(1 << 16);
	frame_path(c->d, fr, &path);
	va_list ap;
	va_start(ap, fmt);
	buf_addfv(&message, fmt, ap);
	va_end(ap);
	c->report(c->arg, path.ptr, message.ptr);
	c->n++;
}

static int64_t number_at(const struct schema_field *f, const char *p)
{
	int64_t v = 0;
	memcpy(&v, p, schema_kind_size[f->kind]);
	if (f->kind <= SCHEMA_I64 && f->kind >= SCHEMA_I8) {
		unsigned bits = 64 - 8u * schema_kind_size[f->kind];
		v = (int64_t)((uint64_t)v << bits) >> bits;
	}
	return v;
}

/* "a|b": is it one of them; and Kubernetes' list of what it may be. */
static void check_enum(struct check *c, const struct frame *fr, const char *allowed, const char *value)
{
	AUTO(buf) struct buf list = BUF_INIT(4096);
	struct slice rest = slice_of(allowed), word;
	while (slice_next(&rest, '|', &word)) {
		if (slice_is(word, value))
			return;
		buf_addf(&list, "%s\"%.*s\"", list.len ? ", " : "", SLICE_FMT(word));
	}
	problem(c, fr, "Unsupported value: \"%s\": supported values: %s", value, list.ptr);
}

static bool is_alnum(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9');
}

static bool is_label(struct slice s)
{
	if (!s.len || s.len > 63 || !is_alnum(s.ptr[0]) || !is_alnum(s.ptr[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) && s.ptr[i] != '-')
			return false;
	return true;
}

static bool is_subdomain(struct slice s)
{
	struct slice label;
	if (s.len > 253)
		return false;
	while (slice_next(&s, '.', &label)) {
		if (!label.len || !is_alnum(label.ptr[0]) || !is_alnum(label.ptr[label.len - 1]))
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (!is_alnum(label.ptr[i]) && label.ptr[i] != '-')
				return false;
	}
	return true;
}

static void check_format(struct check *c, const struct frame *fr, const char *format, const char *value)
{
	if (!strcmp(format, "dns1123-label") && !is_label(slice_of(value))) {
		if (strlen(value) > 63)
			problem(c, fr, "Invalid value: \"%s\": must be no more than 63 characters", value);
		else
			problem(c, fr, "Invalid value: \"%s\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
				"and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
				"'[a-z0-9]([-a-z0-9]*[a-z0-9])?')", value);
	}
	if (!strcmp(format, "dns1123-subdomain") && !is_subdomain(slice_of(value))) {
		if (strlen(value) > 253)
			problem(c, fr, "Invalid value: \"%s\": must be no more than 253 characters", value);
		else
			problem(c, fr, "Invalid value: \"%s\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
				"'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
				"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')", value);
	}
}

/* One rule on a value that is there. */
static void check_value(struct check *c, const struct frame *fr, const struct schema_rule *r, const char *p, uint32_t n)
{
	const struct schema_field *f = fr->f;
	const char *arg = text_at(c->d, r->text);
	bool is_text = f->shape < SCHEMA_LIST && kind_is_text(f->kind), is_number = f->shape < SCHEMA_LIST && f->kind < SCHEMA_F64;
	int64_t limit = 0;
	(void)num_parse_i64(slice_of(arg), INT64_MIN, INT64_MAX, &limit);
	if (r->kind == SCHEMA_RULE_ENUM && is_text)
		check_enum(c, fr, arg, *(const char *const *)p);
	else if (r->kind == SCHEMA_RULE_FORMAT && is_text)
		check_format(c, fr, arg, *(const char *const *)p);
	else if (r->kind == SCHEMA_RULE_MIN && is_number && number_at(f, p) < limit)
		problem(c, fr, "Invalid value: %lld: must be greater than or equal to %lld", (long long)number_at(f, p), (long long)limit);
	else if (r->kind == SCHEMA_RULE_MAX && is_number && number_at(f, p) > limit)
		problem(c, fr, "Invalid value: %lld: must be less than or equal to %lld", (long long)number_at(f, p), (long long)limit);
	else if (r->kind == SCHEMA_RULE_MAX_LEN && is_text && (int64_t)strlen(*(const char *const *)p) > limit)
		problem(c, fr, "Too long: may not be more than %lld bytes", (long long)limit);
	else if (r->kind == SCHEMA_RULE_MAX_LEN && !is_text && n > limit)
		problem(c, fr, "Too many: %u: must have at most %lld items", n, (long long)limit);
	else if (r->kind == SCHEMA_RULE_MIN_LEN && n < limit)
		problem(c, fr, "Invalid value: must have at least %lld items", (long long)limit);
}

static void report_changed(struct check *c, const struct frame *fr, const char *p)
{
	const char *text = fr->f->kind == SCHEMA_STRING && fr->f->shape == SCHEMA_ONE && p ? *(const char *const *)p : NULL;
	if (text)
		problem(c, fr, "Invalid value: \"%s\": field is immutable", text);
	else
		problem(c, fr, "Invalid value: field is immutable");
}

static void check_rules(struct check *c, const struct frame *fr, const char *obj, const char *old)
{
	const struct schema_field *f = fr->f;
	uint32_t n_rules, n = f->shape >= SCHEMA_LIST ? *(const uint32_t *)(obj + f->n_offset) : 1;
	const struct schema_rule *r = rules_of(c->d, f, &n_rules);
	const char *p = f->shape == SCHEMA_ONE ? obj + f->offset : *(const char *const *)(obj + f->offset);
	bool absent = is_absent(c->d, f, obj);
	/* 0 by value is a number like others, unless it is also required */
	bool has_value = !absent || (f->shape == SCHEMA_ONE && f->kind < SCHEMA_F64);
	for (uint32_t i = 0; i < n_rules; i++) {
		if (r[i].kind == SCHEMA_RULE_REQUIRED && absent) {
			problem(c, fr, "Required value");
			return;
		}
		if (r[i].kind == SCHEMA_RULE_IMMUTABLE && old && !schema_field_equal(c->d, f, obj, old))
			report_changed(c, fr, p);
		else if (has_value)
			check_value(c, fr, &r[i], p, n);
	}
}

static void check_message(struct check *c, const struct frame *up, const struct schema_type *t, const char *obj, const char *old)
{
	const struct schema_field *f = fields_of(c->d, t), *end = f + t->n_fields;
	struct frame fr = { .up = up, .t = t, .index = -1 };
	for (; f < end && c->n < SCHEMA_MAX_PROBLEMS; f++) {
		fr.f = f;
		fr.key = slice_n(NULL, 0);
		if (f->flags & SCHEMA_RULES)
			check_rules(c, &fr, obj, old);
		if (f->kind != SCHEMA_MESSAGE)
			continue;
		bool by_value = f->shape == SCHEMA_ONE, is_many = f->shape >= SCHEMA_LIST;
		const char *p = by_value ? obj + f->offset : *(const char *const *)(obj + f->offset);
		const char *q = !old || is_many ? NULL : by_value ? old + f->offset : *(const char *const *)(old + f->offset);
		uint32_t n = !p ? 0 : is_many ? *(const uint32_t *)(obj + f->n_offset) : 1;
		size_t size = value_size(c->d, f);
		for (uint32_t i = 0; i < n; i++) {
			if (f->shape == SCHEMA_LIST)
				fr.index = i;
			if (f->shape == SCHEMA_MAP)
				fr.key = slice_of(*(const char *const *)(p + i * size));
			check_message(c, &fr, type_at(c->d, f->sub), p + i * size, q);
		}
		fr.index = -1;
	}
}

unsigned schema_check(struct schema_ref t, const void *obj, const void *old, void (*report)(void *, const char *, const char *), void *arg)
{
	struct check c = { .d = t.domain, .report = report, .arg = arg };
	if (t.domain->n_rules)
		check_message(&c, NULL, type_at(t.domain, t.type), obj, old);
	return c.n;
}

static void report_text(void *arg, const char *path, const char *message)
{
	struct buf *out = arg;
	buf_addf(out, "%s%s: %s", out->len ? ", " : "", path, message);
}

unsigned schema_validate(struct schema_ref t, const void *obj, const void *old, struct buf *problems)
{
	AUTO(buf) struct buf own = BUF_INIT(problems->max);
	unsigned n = schema_check(t, obj, old, report_text, &own);
	buf_addslice(problems, buf_slice(&own));
	return n;
}
