/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects against a compiled schema. Order and wordings follow the validator in
 * Kubernetes' API server, with the way it chooses, of the alternatives of anyOf
 * and oneOf that failed, the one that passed most checks.
 */
#include "base/num.h"
#include "schema/crd_int.h"
#include "schema/number.h"
#include "schema/schema_int.h"

struct result {
	struct schema_problems p;
	const char **detail;        /* of each: equal ones are reported once */
	uint32_t room;
	unsigned matches;
};

struct checker {
	struct arena *a;
	struct buf path;
	unsigned depth;
};

static void add(struct checker *c, struct result *r, const char *field, const char *reason, const char *detail, const char *message)
{
	if (r->p.n >= CRD_MAX_PROBLEMS) {
		r->p.is_full = true;
		return;
	}
	for (uint32_t i = 0; i < r->p.n; i++)
		if (!strcmp(r->detail[i], detail))
			return;
	if (!r->room) {
		uint32_t more = MAX(r->p.n, 4u);
		const char **v = arena_array(c->a, (size_t)r->p.n + more, sizeof *v);
		if (!v) {
			r->p.is_full = true;
			return;
		}
		if (r->p.n)
			memcpy(v, r->detail, r->p.n * sizeof *v);
		r->detail = v;
		r->room = more;
	}
	uint32_t n = r->p.n;
	r->p.a = c->a;
	problem_add(&r->p, field, reason, message);
	char *copy = arena_strdup(c->a, detail);
	if (r->p.n == n || !copy) {
		r->p.is_full = true;
		r->p.n = n;
		return;
	}
	r->detail[n] = copy;
	r->room--;
}

static void merge(struct checker *c, struct result *to, const struct result *from)
{
	for (uint32_t i = 0; i < from->p.n; i++)
		add(c, to, from->p.v[i].field, from->p.v[i].reason, from->detail[i], from->p.v[i].message);
	to->p.is_full |= from->p.is_full;
	to->matches += from->matches;
}

/* The path as a field: without the dot that leads it at the root. */
static const char *field_of(const struct checker *c)
{
	return !c->path.len ? "<nil>" : c->path.ptr + (c->path.ptr[0] == '.');
}

static void bad_textv(struct checker *c, struct result *r, const char *reason, const char *value, const char *fmt, va_list ap)
{
	AUTO(buf) struct buf detail = BUF_INIT(64 << 10);
	AUTO(buf) struct buf message = BUF_INIT(128 << 10);
	buf_addf(&detail, "%s in body ", c->path.ptr);
	buf_addfv(&detail, fmt, ap);
	buf_addf(&message, "Invalid value: %s: %s", value, detail.ptr);
	add(c, r, field_of(c), reason, detail.ptr, message.ptr);
}

/* "Invalid value: VALUE: PATH in body DETAIL" */
static void bad(struct checker *c, struct result *r, const char *reason, const struct tree *v, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
static void bad(struct checker *c, struct result *r, const char *reason, const struct tree *v, const char *fmt, ...)
{
	AUTO(buf) struct buf value = BUF_INIT(64 << 10);
	va_list ap;
	problem_value(v, &value);
	va_start(ap, fmt);
	bad_textv(c, r, reason, value.ptr, fmt, ap);
	va_end(ap);
}

static void bad_text(struct checker *c, struct result *r, const char *value, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void bad_text(struct checker *c, struct result *r, const char *value, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	bad_textv(c, r, "FieldValueInvalid", value, fmt, ap);
	va_end(ap);
}

/* Without a path of its own: Kubernetes prints such an error at no field. */
static void bad_whole(struct checker *c, struct result *r, const char *detail)
{
	AUTO(buf) struct buf message = BUF_INIT(64 << 10);
	buf_addf(&message, "Invalid value: \"\": %s", detail);
	add(c, r, "<nil>", "FieldValueInvalid", detail, message.ptr);
}

static struct tree number_of(char tmp[24], long long v)
{
	(void)fmt_into(tmp, 24, "%lld", v);
	return tree_number(slice_of(tmp));
}

/* --- one value's own checks --- */

static bool is_whole(const struct tree *v)
{
	int64_t i;
	return v->type == TREE_NUMBER && tree_i64(v, &i) == 0;
}

/* As Go reads it: an integer only when it is written as one. */
static bool is_written_whole(const struct tree *v)
{
	int64_t i;
	return v->type == TREE_NUMBER && num_parse_i64(tree_text(v), INT64_MIN, INT64_MAX, &i) == 0;
}

static const char *type_of(const struct tree *v)
{
	static const char *const names[] = { "null", "boolean", "number", "string", "array", "object" };
	return v->type == TREE_NUMBER && is_written_whole(v) ? "integer" : names[v->type];
}

static const char *wanted(const struct crd_prop *p)
{
	return p->is_int_or_string ? "integer,string" : p->type_text ? p->type_text : "";
}

static bool takes(const struct crd_prop *p, const char *type)
{
	if (p->is_int_or_string)
		return !strcmp(type, "integer") || !strcmp(type, "string");
	return p->type_text && !strcmp(p->type_text, type);
}

/* The format, if Kubernetes knows it for this type. */
static const char *format_of(const struct crd_prop *p)
{
	const char *f = p->format;
	if (!f || p->is_int_or_string)
		return NULL;
	if (p->type == CRD_ANY || p->type == CRD_STRING)
		return crd_format_known(f) ? f : NULL;
	if (p->type == CRD_INTEGER)
		return !strcmp(f, "int32") || !strcmp(f, "int64") ? f : NULL;
	return p->type == CRD_NUMBER && (!strcmp(f, "float") || !strcmp(f, "double")) ? f : NULL;
}

static void check_type(struct checker *c, const struct crd_prop *p, const struct tree *v, struct result *r)
{
	const char *type = type_of(v), *format = format_of(p);
	bool has_type = p->type_text || p->is_int_or_string;
	r->matches++;
	if (v->type == TREE_NULL) {
		struct tree null = tree_string(SLICE("null"));
		if (has_type && !p->is_nullable) {
			bad(c, r, "FieldValueTypeInvalid", &null, "must be of type %s: \"null\"", wanted(p));
			r->matches--;
		}
		return;
	}
	bool fits = takes(p, type) || (!strcmp(type, "number") && is_whole(v) && takes(p, "integer")) ||
		(!strcmp(type, "integer") && takes(p, "number"));
	bool is_text = v->type == TREE_STRING || v->type == TREE_LIST;
	if (fits || (is_text && format && !takes(p, "number") && !takes(p, "integer")))
		return;
	struct tree name = tree_string(slice_of(type));
	r->matches--;
	if (!is_text && format) {
		const char *have = !strcmp(type, "integer") ? "int64" : !strcmp(type, "number") ? "float64" : "";
		name = tree_string(slice_of(have));
		bad(c, r, "FieldValueTypeInvalid", &name, "must be of type %s: \"%s\"", format, have);
		return;
	}
	bad(c, r, "FieldValueTypeInvalid", &name, "must be of type %s: \"%s\"", wanted(p), type);
}

static size_t characters(struct slice s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
	return n;
}

static void check_text(struct checker *c, const struct crd_prop *p, const struct tree *v, struct result *r)
{
	struct slice s = tree_text(v);
	char message[64];
	if (p->max_len.is_set && (double)characters(s) > p->max_len.v) {
		long long max = (long long)p->max_len.v;
		(void)fmt_into(message, sizeof message, "Too long: may not be more than %lld byte%s", max, max == 1 ? "" : "s");
		AUTO(buf) struct buf detail = BUF_INIT(64 << 10);
		buf_addf(&detail, "%s in body should be at most %lld chars long", c->path.ptr, max);
		add(c, r, field_of(c), "FieldValueTooLong", detail.ptr, message);
	} else if (p->min_len.is_set && (double)characters(s) < p->min_len.v) {
		bad(c, r, "FieldValueInvalid", v, "should be at least %lld chars long", (long long)p->min_len.v);
	} else if (p->pattern) {
		int k = crd_pattern_match(p->pattern, s);
		if (k <= 0)
			bad(c, r, "FieldValueInvalid", v, k == 0 ? "should match '%s'" : "cannot be compared with '%s'", p->pattern_text);
	}
}

/* A bound as Go prints it. */
static const char *bound(char dst[32], double v, bool is_int)
{
	if (is_int)
		(void)fmt_into(dst, 32, "%lld", (long long)v);
	else
		go_double(dst, v);
	return dst;
}

static void check_range(struct checker *c, const struct crd_prop *p, double v, bool is_int, struct result *r)
{
	const char *format = format_of(p);
	AUTO(buf) struct buf detail = BUF_INIT(64 << 10);
	if (p->type == CRD_INTEGER && !p->is_int_or_string) {
		bool is_32 = format && !strcmp(format, "int32");
		if (is_32 ? v >= -2147483648.0 && v <= 2147483647.0 : v >= -9223372036854775808.0 && v < 9223372036854775808.0)
			return;
		if (format)
			buf_addf(&detail, "Checked value must be of type integer with format %s in %s", format, c->path.ptr);
		else
			buf_addf(&detail, "Checked value must be of type integer (default format) in %s", c->path.ptr);
	} else if (p->type == CRD_NUMBER && format && !strcmp(format, "float") && (v > 3.4028234663852886e+38 || v < -3.4028234663852886e+38)) {
		buf_addf(&detail, "Checked value must be of type number with format float in %s", c->path.ptr);
	}
	if (detail.len)
		bad_whole(c, r, detail.ptr);
}

static double whole_part(double v)
{
	return v > -9e15 && v < 9e15 ? (double)(int64_t)v : v;
}

static bool is_multiple(double v, double factor)
{
	double times = factor < 1 ? 1 / factor * v : v / factor, rest = times - whole_part(times + (times < 0 ? -0.5 : 0.5));
	double limit = 1e-9 * MAX(1.0, times < 0 ? -times : times);
	return rest <= limit && rest >= -limit;
}

/* Integers against a bound that is none are compared, and shown, as what the bound is; and the bound is told off. */
static void check_bound(struct checker *c, const struct crd_prop *p, const struct crd_limit *limit, bool is_max, double d, bool is_int,
	struct result *r)
{
	char value[32], text[32];
	double v = limit->v;
	bool is_odd = p->type == CRD_INTEGER && !p->is_int_or_string && v != whole_part(v), is_exclusive = is_max ? p->is_max_exclusive : p->is_min_exclusive;
	const char *format = format_of(p);
	if (is_odd) {
		AUTO(buf) struct buf b = BUF_INIT(64 << 10);
		buf_addf(&b, "%s boundary value must be of type integer %s%s in %s", is_max ? "Maximum" : "Minimum",
			format ? "with format " : "(default format)", format ? format : "", c->path.ptr);
		bad_whole(c, r, b.ptr);
	} else if (is_int) {
		v = whole_part(v);
	}
	if (is_max ? (is_exclusive ? d < v : d <= v) : (is_exclusive ? d > v : d >= v))
		return;
	bad_text(c, r, bound(value, d, is_int && !is_odd), "should be %s than%s %s", is_max ? "less" : "greater", is_exclusive ? "" : " or equal to",
		bound(text, v, is_int && !is_odd));
}

static void check_number(struct checker *c, const struct crd_prop *p, const struct tree *v, struct result *r)
{
	int64_t i = 0;
	bool is_int = is_written_whole(v);
	AUTO(free) char *copy = slice_dup(tree_text(v));
	double d = copy ? strtod(copy, NULL) : 0;
	char text[32];
	if (is_int)
		(void)tree_i64(v, &i);
	check_range(c, p, d, is_int, r);
	if (p->multiple.is_set) {
		double f = p->multiple.v;
		bool int_factor = is_int && f == whole_part(f) && f < 9e15;
		if (f <= 0 || (int_factor ? i % (int64_t)f != 0 : !is_multiple(d, f)))
			bad(c, r, "FieldValueInvalid", v, "should be a multiple of %s", bound(text, f, int_factor));
	}
	if (p->min.is_set)
		check_bound(c, p, &p->min, false, d, is_int, r);
	if (p->max.is_set)
		check_bound(c, p, &p->max, true, d, is_int, r);
	r->matches++;
}

static void check_enum(struct checker *c, const struct crd_prop *p, const struct tree *v, struct result *r)
{
	AUTO(buf) struct buf message = BUF_INIT(64 << 10);
	AUTO(buf) struct buf detail = BUF_INIT(64 << 10);
	if (!p->enums)
		return;
	for (uint32_t i = 0; v->type != TREE_NULL && i < p->enums->n; i++)
		if (tree_equal(&p->enums->items[i], v))
			return;
	buf_adds(&message, "Unsupported value: ");
	problem_value(v, &message);
	buf_addf(&detail, "%s in body should be one of [", c->path.ptr);
	for (uint32_t i = 0; i < p->enums->n; i++) {
		const struct tree *x = &p->enums->items[i];
		AUTO(buf) struct buf one = BUF_INIT(64 << 10);
		(void)tree_to_json(x, SCHEMA_SORTED, &one);
		struct tree quoted = tree_string(x->type == TREE_STRING ? tree_text(x) : buf_slice(&one));
		buf_adds(&message, i ? ", " : ": supported values: ");
		(void)tree_to_json(&quoted, 0, &message);
		buf_addf(&detail, "%s%.*s", i ? " " : "", SLICE_FMT(tree_text(&quoted)));
	}
	buf_addc(&detail, ']');
	add(c, r, field_of(c), "FieldValueNotSupported", detail.ptr, message.ptr);
}

static void too_many(struct checker *c, struct result *r, uint32_t n, double max, const char *what)
{
	char message[96];
	AUTO(buf) struct buf detail = BUF_INIT(64 << 10);
	long long limit = (long long)max;
	(void)fmt_into(message, sizeof message, "Too many: %u: must have at most %lld item%s", n, limit, limit == 1 ? "" : "s");
	buf_addf(&detail, "%s in body should have at most %lld %s", c->path.ptr, limit, what);
	add(c, r, field_of(c), "FieldValueTooMany", detail.ptr, message);
}

/* --- values that hold values --- */

static void check(struct checker *c, const struct crd_prop *p, const struct tree *v, const struct tree *old, struct result *r);

static void check_list(struct checker *c, const struct crd_prop *p, const struct tree *v, struct result *r)
{
	char tmp[24];
	for (uint32_t i = 0; p->items && i < v->n; i++) {
		size_t len = c->path.len;
		buf_addf(&c->path, "[%u]", i);
		check(c, p->items, &v->items[i], NULL, r);
		buf_truncate(&c->path, len);
	}
	if (p->min_items.is_set && v->n < p->min_items.v) {
		struct tree n = number_of(tmp, v->n);
		bad(c, r, "FieldValueInvalid", &n, "should have at least %lld items", (long long)p->min_items.v);
	}
	if (p->max_items.is_set && v->n > p->max_items.v)
		too_many(c, r, v->n, p->max_items.v, "items");
	r->matches++;
}

static void check_member(struct checker *c, const struct crd_prop *p, struct slice key, const struct tree *v, const struct tree *old,
	bool has_dot, struct result *r)
{
	size_t len = c->path.len;
	buf_addf(&c->path, "%s%.*s", len || has_dot ? "." : "", SLICE_FMT(key));
	check(c, p, v, tree_get(old, key), r);
	buf_truncate(&c->path, len);
}

static void check_map(struct checker *c, const struct crd_prop *p, const struct tree *v, const struct tree *old, struct result *r)
{
	char tmp[24];
	if (p->min_props.is_set && v->n < p->min_props.v) {
		struct tree n = number_of(tmp, v->n);
		bad(c, r, "FieldValueInvalid", &n, "should have at least %lld properties", (long long)p->min_props.v);
	}
	if (p->max_props.is_set && v->n > p->max_props.v)
		too_many(c, r, v->n, p->max_props.v, "properties");
	for (uint32_t i = 0; i < v->n; i++) {
		struct slice key = key_of(&v->members[i]);
		const struct crd_prop *named = crd_find(p, key);
		if (named)
			check_member(c, named, key, &v->members[i].value, old, false, r);
		else if (p->additional)
			check_member(c, p->additional, key, &v->members[i].value, old, true, r);
		else if (p->has_additional && !p->allows_additional) {
			AUTO(buf) struct buf detail = BUF_INIT(64 << 10);
			AUTO(buf) struct buf message = BUF_INIT(64 << 10);
			struct tree name = tree_string(key);
			buf_addf(&detail, "%s.%.*s in body is a forbidden property", c->path.ptr, SLICE_FMT(key));
			buf_adds(&message, "Invalid value: ");
			(void)tree_to_json(&name, 0, &message);
			buf_addf(&message, ": %s", detail.ptr);
			add(c, r, field_of(c), "FieldValueInvalid", detail.ptr, message.ptr);
		}
	}
	for (uint32_t i = 0; p->required && i < p->required->n; i++) {
		struct slice key = tree_text(&p->required->items[i]);
		size_t len = c->path.len;
		if (tree_get(v, key))
			continue;
		buf_addf(&c->path, ".%.*s", SLICE_FMT(key));
		AUTO(buf) struct buf detail = BUF_INIT(64 << 10);
		buf_addf(&detail, "%s in body is required", c->path.ptr);
		add(c, r, field_of(c), "FieldValueRequired", detail.ptr, "Required value");
		buf_truncate(&c->path, len);
	}
}

/* --- allOf and its like --- */

static void whole(struct checker *c, struct result *r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void whole(struct checker *c, struct result *r, const char *fmt, ...)
{
	AUTO(buf) struct buf b = BUF_INIT(64 << 10);
	va_list ap;
	va_start(ap, fmt);
	buf_addf(&b, "\"%s\" ", c->path.ptr);
	buf_addfv(&b, fmt, ap);
	va_end(ap);
	bad_whole(c, r, b.ptr);
}

static bool is_valid(const struct result *r) { return !r->p.n && !r->p.is_full; }

static void check_any(struct checker *c, const struct crd_prop *p, const struct tree *v, struct result *r)
{
	struct result best = { 0 };
	bool has_best = false;
	for (uint32_t i = 0; i < p->n_any; i++) {
		struct result one = { 0 };
		check(c, &p->any_of[i], v, NULL, &one);
		if (is_valid(&one)) {
			merge(c, r, &one);
			return;
		}
		if (!has_best || one.matches > best.matches)
			best = one;
		has_best = true;
	}
	if (!p->n_any)
		return;
	whole(c, r, "must validate at least one schema (anyOf)");
	merge(c, r, &best);
}

static void check_one(struct checker *c, const struct crd_prop *p, const struct tree *v, struct result *r)
{
	struct result best = { 0 }, first = { 0 };
	bool has_best = false;
	unsigned n = 0;
	for (uint32_t i = 0; i < p->n_one; i++) {
		struct result one = { 0 };
		check(c, &p->one_of[i], v, NULL, &one);
		if (is_valid(&one)) {
			if (!n++)
				first = one;
			has_best = false;
		} else if (!n && (!has_best || one.matches > best.matches)) {
			best = one;
			has_best = true;
		}
	}
	if (!p->n_one)
		return;
	if (n == 1) {
		merge(c, r, &first);
		return;
	}
	if (n)
		whole(c, r, "must validate one and only one schema (oneOf). Found %u valid alternatives", n);
	else
		whole(c, r, "must validate one and only one schema (oneOf). Found none valid");
	if (has_best)
		merge(c, r, &best);
}

static void check_all(struct checker *c, const struct crd_prop *p, const struct tree *v, struct result *r)
{
	unsigned n = 0;
	for (uint32_t i = 0; i < p->n_all; i++) {
		struct result one = { 0 };
		check(c, &p->all_of[i], v, NULL, &one);
		n += is_valid(&one);
		merge(c, r, &one);
	}
	if (n != p->n_all)
		whole(c, r, "must validate all the schemas (allOf)%s", n ? "" : ". None validated");
}

static void check_alternatives(struct checker *c, const struct crd_prop *p, const struct tree *v, struct result *r)
{
	check_any(c, p, v, r);
	check_one(c, p, v, r);
	check_all(c, p, v, r);
	if (p->not_) {
		struct result one = { 0 };
		check(c, p->not_, v, NULL, &one);
		if (is_valid(&one))
			whole(c, r, "must not validate the schema (not)");
	}
	r->matches++;
}

static void check(struct checker *c, const struct crd_prop *p, const struct tree *v, const struct tree *old, struct result *r)
{
	if (old && tree_equal(v, old)) {
		r->matches++;
		return;
	}
	if (v->type == TREE_NULL) {
		check_type(c, p, v, r);
		check_enum(c, p, v, r);
		return;
	}
	if (p->type_text || p->is_int_or_string || format_of(p)) {
		check_type(c, p, v, r);
		r->matches++;
	}
	check_alternatives(c, p, v, r);
	if (v->type == TREE_STRING) {
		const char *format = format_of(p);
		check_text(c, p, v, r);
		if (format && crd_format_known(format)) {
			if (!crd_format_matches(format, tree_text(v))) {
				AUTO(buf) struct buf quoted = BUF_INIT(64 << 10);
				(void)tree_to_json(v, 0, &quoted);
				bad(c, r, "FieldValueTypeInvalid", v, "must be of type %s: %s", format, quoted.ptr);
			}
			r->matches++;
		}
		r->matches++;
	} else if (v->type == TREE_NUMBER) {
		check_number(c, p, v, r);
		r->matches++;
	} else if (v->type == TREE_LIST) {
		check_list(c, p, v, r);
		r->matches++;
	}
	check_enum(c, p, v, r);
	r->matches++;
	if (v->type == TREE_MAP) {
		check_map(c, p, v, old, r);
		r->matches++;
	}
	r->matches++;
}

/* --- lists that are sets or maps: each element once --- */

struct twin {
	struct slice text;
	uint32_t index;
};

static int by_text(const void *x, const void *y)
{
	const struct twin *l = x, *r = y;
	int order = slice_cmp(l->text, r->text);
	return order ? order : l->index < r->index ? -1 : l->index > r->index;
}

static int by_index(const void *x, const void *y)
{
	const struct twin *l = x, *r = y;
	return l->index < r->index ? -1 : l->index > r->index;
}

/* What tells an element from others: itself, or its keys. */
static int identity(struct checker *c, const struct crd_prop *p, const struct tree *v, struct slice *ret)
{
	struct tree keys = tree_map();
	struct slice rest = slice_of(p->keys), key;
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	while (p->list_type == 'm' && slice_next(&rest, ',', &key)) {
		const struct tree *x = tree_get(v, key);
		if (x && !tree_set(c->a, &keys, key, *x))
			return -E2BIG;
	}
	if (tree_to_json(p->list_type == 'm' ? &keys : v, SCHEMA_SORTED, &b) < 0)
		return -E2BIG;
	char *text = arena_dup(c->a, buf_slice(&b));
	*ret = slice_n(text, b.len);
	return text ? 0 : -E2BIG;
}

static int check_twins(struct checker *c, const struct crd_prop *p, const struct tree *v, struct schema_problems *out)
{
	struct twin *t = arena_array(c->a, v->n, sizeof *t);
	uint32_t n = 0;
	if (!t)
		return -E2BIG;
	for (uint32_t i = 0; i < v->n; i++) {
		if (p->list_type == 'm' && v->items[i].type != TREE_MAP && v->items[i].type != TREE_NULL) {
			size_t len = c->path.len;
			buf_addf(&c->path, "[%u]", i);
			problem_invalid(out, field_of(c), &v->items[i], "must be an object for an array of list-type map");
			buf_truncate(&c->path, len);
			return 0;
		}
		t[i].index = i;
		if (identity(c, p, &v->items[i], &t[i].text) < 0)
			return -E2BIG;
	}
	if (v->n)
		qsort(t, v->n, sizeof *t, by_text);
	/* the second of each: once */
	for (uint32_t i = 1; i < v->n; i++)
		if (slice_eq(t[i].text, t[i - 1].text) && (i < 2 || !slice_eq(t[i].text, t[i - 2].text)))
			t[n++] = t[i];
	if (n)
		qsort(t, n, sizeof *t, by_index);
	for (uint32_t i = 0; i < n; i++) {
		size_t len = c->path.len;
		buf_addf(&c->path, "[%u]", t[i].index);
		problem_addf(out, field_of(c), "FieldValueDuplicate", "Duplicate value: %.*s", (int)MIN(t[i].text.len, (size_t)4096), t[i].text.ptr);
		buf_truncate(&c->path, len);
	}
	return 0;
}

static int check_lists(struct checker *c, const struct crd_prop *p, const struct tree *v, struct schema_problems *out)
{
	int r = 0;
	if (!p)
		return 0;
	if (v->type == TREE_LIST && (p->list_type == 's' || (p->list_type == 'm' && p->keys)))
		r = check_twins(c, p, v, out);
	for (uint32_t i = 0; r == 0 && (v->type == TREE_LIST || v->type == TREE_MAP) && i < v->n; i++) {
		size_t len = c->path.len;
		if (v->type == TREE_LIST) {
			buf_addf(&c->path, "[%u]", i);
			r = check_lists(c, p->items, &v->items[i], out);
		} else {
			struct slice key = key_of(&v->members[i]);
			const struct crd_prop *named = crd_find(p, key);
			if (named)
				buf_addf(&c->path, "%s%.*s", len ? "." : "", SLICE_FMT(key));
			else
				buf_addf(&c->path, "[%.*s]", SLICE_FMT(key));
			r = check_lists(c, named ? named : p->additional, &v->members[i].value, out);
		}
		buf_truncate(&c->path, len);
	}
	return r;
}

/* --- from outside --- */

static void take(struct schema_problems *p, const struct schema_problems *from)
{
	for (uint32_t i = 0; i < from->n; i++)
		problem_add(p, from->v[i].field, from->v[i].reason, from->v[i].message);
	p->is_full |= from->is_full;
}

unsigned crd_validate(const struct crd_schema *s, const struct tree *obj, const struct tree *old, struct schema_problems *p)
{
	struct arena a;
	struct result r = { 0 };
	uint32_t before = p->n;
	arena_init(&a, CRD_MAX_BYTES);
	struct checker c = { .a = &a, .path = BUF_INIT(64 << 10) };
	check(&c, &s->root, obj, old, &r);
	take(p, &r.p);
	struct schema_problems twins = { .a = &a };
	if (check_lists(&c, &s->root, obj, &twins) < 0 || buf_error(&c.path))
		p->is_full = true;
	take(p, &twins);
	crd_rules_run(s, obj, old, before, p);
	buf_release(&c.path);
	arena_release(&a);
	return p->n - before + p->is_full;
}

void crd_check_default(const struct crd_prop *prop, const char *path, struct schema_problems *p)
{
	struct arena a;
	struct result r = { 0 };
	arena_init(&a, CRD_MAX_BYTES);
	struct checker c = { .a = &a, .path = BUF_INIT(64 << 10) };
	buf_adds(&c.path, path);
	check(&c, prop, prop->default_value, NULL, &r);
	take(p, &r.p);
	buf_release(&c.path);
	arena_release(&a);
}
