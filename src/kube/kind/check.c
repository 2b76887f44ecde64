/* SPDX-License-Identifier: Apache-2.0 */
/* Places, problems, and texts of many kinds. Source: apimachinery pkg/util/validation and pkg/api/validation. */
#include "kube/kind/check.h"

#include <arpa/inet.h>
#include <stdio.h>

static void add_path(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add_path(struct check *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(c->path + c->len, sizeof c->path - c->len, fmt, ap);
	va_end(ap);
	c->len = MIN(c->len + (size_t)MAX(n, 0), sizeof c->path - 1);
}

size_t check_enter(struct check *c, const char *name)
{
	size_t mark = c->len;
	add_path(c, "%s%s", mark && *name ? "." : "", name);
	return mark;
}

size_t check_enter_item(struct check *c, const char *name, uint32_t i)
{
	size_t mark = check_enter(c, name);
	add_path(c, "[%u]", i);
	return mark;
}

size_t check_enter_key(struct check *c, const char *name, const char *key)
{
	size_t mark = check_enter(c, name);
	add_path(c, "[%s]", key);
	return mark;
}

/* The type of a problem is how its message starts. */
static const char *type_of(const char *message)
{
	static const char *const types[][2] = {
		{ "Required value", "FieldValueRequired" }, { "Invalid value", "FieldValueInvalid" }, { "Unsupported value", "FieldValueNotSupported" },
		{ "Forbidden", "FieldValueForbidden" }, { "Duplicate value", "FieldValueDuplicate" }, { "Too long", "FieldValueTooLong" },
		{ "Too many", "FieldValueTooMany" }, { "Not found", "FieldValueNotFound" }, { "Internal error", "InternalError" },
	};
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (!strncmp(message, types[i][0], strlen(types[i][0])))
			return types[i][1];
	return "FieldValueInvalid";
}

static void add_problem(struct check *c, const char *field, const char *message)
{
	struct kind_problems *p = c->p;
	if (p->n == ARRAY_LEN(p->v))
		return;
	char *path = field ? arena_fmt(c->a, "%s%s%s", c->path, c->len ? "." : "", field) : arena_strdup(c->a, c->path);
	char *text = arena_strdup(c->a, message);
	if (path && text)
		p->v[p->n++] = (struct kind_problem){ type_of(text), path, text };
}

static void add_formatted(struct check *c, const char *field, const char *prefix, const char *fmt, va_list ap)
{
	AUTO(buf) struct buf b = BUF_INIT(64 << 10);
	buf_adds(&b, prefix);
	buf_addfv(&b, fmt, ap);
	add_problem(c, field, b.ptr);
}

void wrong(struct check *c, const char *field, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add_formatted(c, field, "", fmt, ap);
	va_end(ap);
}

void wrong_text(struct check *c, const char *field, const char *value, const char *fmt, ...)
{
	AUTO(buf) struct buf prefix = BUF_INIT(64 << 10);
	va_list ap;
	buf_addf(&prefix, "Invalid value: %s: ", check_quote(c, value));
	va_start(ap, fmt);
	add_formatted(c, field, prefix.ptr, fmt, ap);
	va_end(ap);
}

void wrong_int(struct check *c, const char *field, long long value, const char *fmt, ...)
{
	char prefix[64];
	va_list ap;
	fmt_into(prefix, sizeof prefix, "Invalid value: %lld: ", value);
	va_start(ap, fmt);
	add_formatted(c, field, prefix, fmt, ap);
	va_end(ap);
}

void wrong_value(struct check *c, const char *field, struct schema_ref t, const void *value, const char *detail)
{
	AUTO(buf) struct buf b = BUF_INIT(32 << 10);
	if (!value || schema_to_json(t, value, 0, &b) < 0 || buf_error(&b))
		wrong(c, field, "Invalid value: null: %s", detail);
	else
		wrong(c, field, "Invalid value: %s%s%s", b.ptr, *detail ? ": " : "", detail);
}

bool one_of(struct check *c, const char *field, const char *value, const char *allowed)
{
	AUTO(buf) struct buf list = BUF_INIT(4096);
	struct slice rest = slice_of(allowed), word;
	while (slice_next(&rest, '|', &word)) {
		if (slice_is(word, or_empty(value)))
			return true;
		buf_addf(&list, "%s\"%.*s\"", list.len ? ", " : "", SLICE_FMT(word));
	}
	wrong(c, field, "Unsupported value: %s: supported values: %s", check_quote(c, value), list.ptr);
	return false;
}

const char *check_quote(struct check *c, const char *s)
{
	AUTO(buf) struct buf b = BUF_INIT(16 << 10);
	buf_addc(&b, '"');
	for (const char *p = or_empty(s); *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_addf(&b, "\\%c", *p);
		else if (*p == '\n' || *p == '\t' || *p == '\r')
			buf_addf(&b, "\\%c", *p == '\n' ? 'n' : *p == '\t' ? 't' : 'r');
		else if ((unsigned char)*p < 0x20 || *p == 0x7f)
			buf_addf(&b, "\\x%02x", *p);
		else
			buf_addc(&b, *p);
	}
	buf_addc(&b, '"');
	const char *copy = arena_dup(c->a, buf_slice(&b));
	return copy ? copy : "\"\"";
}

/* --- names --- */

static bool is_lower(char ch) { return ch >= 'a' && ch <= 'z'; }
static bool is_digit(char ch) { return ch >= '0' && ch <= '9'; }
static bool is_small(char ch) { return is_lower(ch) || is_digit(ch); }
static bool is_alnum(char ch) { return is_small(ch) || (ch >= 'A' && ch <= 'Z'); }

/* [a-z0-9]([-a-z0-9]*[a-z0-9])? */
static bool is_label(struct slice s)
{
	if (!s.len || !is_small(s.ptr[0]) || !is_small(s.ptr[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_small(s.ptr[i]) && s.ptr[i] != '-')
			return false;
	return true;
}

static bool is_subdomain(struct slice s)
{
	struct slice label, rest = s;
	if (!s.len)
		return false;
	while (slice_next(&rest, '.', &label))
		if (!is_label(label))
			return false;
	return true;
}

#define LABEL_TEXT "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an " \
	"alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
#define LABEL_1035_TEXT "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end " \
	"with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
#define SUBDOMAIN_TEXT "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an " \
	"alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
#define LABEL_KEY_TEXT "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  " \
	"or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"

/* What is wrong with a name; NULL in order. Length is said apart. */
static const char *name_fault(const char *v, enum name_rule rule)
{
	struct slice s = slice_of(v);
	switch (rule) {
	case NAME_LABEL:
		return is_label(s) ? NULL : is_subdomain(s) ? "must not contain dots" : LABEL_TEXT;
	case NAME_LABEL_1035:
		return is_label(s) && is_lower(v[0]) ? NULL : LABEL_1035_TEXT;
	case NAME_PATH:
		return !strcmp(v, ".") ? "may not be '.'" : !strcmp(v, "..") ? "may not be '..'" : strchr(v, '/') ? "may not contain '/'" :
			strchr(v, '%') ? "may not contain '%'" : NULL;
	default:
		return is_subdomain(s) ? NULL : SUBDOMAIN_TEXT;
	}
}

static size_t name_limit(enum name_rule rule)
{
	return rule == NAME_LABEL || rule == NAME_LABEL_1035 ? 63 : rule == NAME_PATH ? SIZE_MAX : 253;
}

bool name_is(const char *value, enum name_rule rule)
{
	return value && strlen(value) <= name_limit(rule) && !name_fault(value, rule);
}

bool check_name(struct check *c, const char *field, const char *value, enum name_rule rule)
{
	const char *v = or_empty(value), *fault = name_fault(v, rule);
	if (strlen(v) > name_limit(rule))
		wrong_text(c, field, v, "must be no more than %zu %s", name_limit(rule), rule == NAME_LABEL_1035 || rule == NAME_SUBDOMAIN || rule == NAME_LABEL ? "characters" : "bytes");
	if (fault)
		wrong_text(c, field, v, "%s", fault);
	return !fault && strlen(v) <= name_limit(rule);
}

/* ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9] */
static bool is_name_part(struct slice s)
{
	if (!s.len || !is_alnum(s.ptr[0]) || !is_alnum(s.ptr[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) && !strchr("-_.", s.ptr[i]))
			return false;
	return true;
}

/* Calls say(arg, text) for each fault of "prefix/name". */
static unsigned qualified_faults(const char *value, struct check *c, const char *field)
{
	struct slice s = slice_of(value), prefix = { "", 0 }, name = s;
	unsigned n = 0;
#define FAULT(...) do { \
		n++; \
		if (c) \
			wrong_text(c, field, value, __VA_ARGS__); \
	} while (0)
	if (slice_cut(s, '/', &prefix, &name)) {
		if (slice_find(name, '/') >= 0) {
			FAULT("a valid label key " LABEL_KEY_TEXT " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')");
			return n;
		}
		if (!prefix.len)
			FAULT("prefix part must be non-empty");
		else {
			if (prefix.len > 253)
				FAULT("prefix part must be no more than 253 bytes");
			if (!is_subdomain(prefix))
				FAULT("prefix part " SUBDOMAIN_TEXT);
		}
	} else {
		name = s;
	}
	if (!name.len)
		FAULT("name part must be non-empty");
	else if (name.len > 63)
		FAULT("name part must be no more than 63 bytes");
	if (!is_name_part(name))
		FAULT("name part " LABEL_KEY_TEXT);
#undef FAULT
	return n;
}

void check_qualified_name(struct check *c, const char *field, const char *value)
{
	qualified_faults(or_empty(value), c, field);
}

bool is_qualified_name(const char *value)
{
	return !qualified_faults(or_empty(value), NULL, NULL);
}

void check_label_value(struct check *c, const char *field, const char *value)
{
	const char *v = or_empty(value);
	if (strlen(v) > 63)
		wrong_text(c, field, v, "must be no more than 63 bytes");
	if (*v && !is_name_part(slice_of(v)))
		wrong_text(c, field, v, "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end "
			"with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
			"'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
}

void check_labels(struct check *c, const char *field, const struct schema_pair *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		check_qualified_name(c, field, v[i].key);
		check_label_value(c, field, v[i].value);
	}
}

void check_annotations(struct check *c, const char *field, const struct schema_pair *v, uint32_t n)
{
	size_t bytes = 0;
	for (uint32_t i = 0; i < n; i++) {
		AUTO(buf) struct buf lower = BUF_INIT(64 << 10);
		for (const char *p = v[i].key; *p; p++)
			buf_addc(&lower, *p >= 'A' && *p <= 'Z' ? (char)(*p | 32) : *p);
		if (!is_qualified_name(lower.ptr))
			check_qualified_name(c, field, v[i].key);
		bytes += strlen(v[i].key) + strlen(or_empty(v[i].value));
	}
	if (bytes > 256 << 10)
		wrong(c, field, "Too long: may not be more than %d bytes", 256 << 10);
}

void check_selector(struct check *c, const char *field, const struct kube_label_selector *s)
{
	if (!s)
		return;
	WITHIN(c, field) {
		check_labels(c, "matchLabels", s->match_labels, s->n_match_labels);
		EACH(c, "matchExpressions", i, s->n_match_expressions) {
			const struct kube_label_selector_requirement *x = &s->match_expressions[i];
			if (is(x->operator, "In") || is(x->operator, "NotIn")) {
				if (!x->n_values)
					wrong(c, "values", REQUIRED ": must be specified when `operator` is 'In' or 'NotIn'");
			} else if (is(x->operator, "Exists") || is(x->operator, "DoesNotExist")) {
				if (x->n_values)
					wrong(c, "values", "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
			} else {
				wrong_text(c, "operator", x->operator, "not a valid selector operator");
			}
			check_qualified_name(c, "key", x->key);
			for (uint32_t k = 0; k < x->n_values; k++)
				WITHIN_ITEM(c, "values", k)
					check_label_value(c, NULL, x->values[k]);
		}
	}
}

bool selector_is_valid(const struct check *c, const struct kube_label_selector *s)
{
	struct kind_problems *none = arena_new(c->a, struct kind_problems);
	struct check silent = *c;
	if (!none)
		return true;
	none->a = c->a;
	silent.p = none;
	check_selector(&silent, "selector", s);
	return !none->n;
}

void check_port_name(struct check *c, const char *field, const char *value)
{
	const char *v = or_empty(value);
	bool has_letter = false, is_clean = true;
	size_t n = strlen(v);
	for (size_t i = 0; i < n; i++) {
		has_letter |= is_lower(v[i]);
		is_clean &= is_small(v[i]) || v[i] == '-';
	}
	if (n > 15)
		wrong_text(c, field, v, "must be no more than 15 characters");
	if (!is_clean || !n)
		wrong_text(c, field, v, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
	if (!has_letter)
		wrong_text(c, field, v, "must contain at least one letter (a-z)");
	if (strstr(v, "--"))
		wrong_text(c, field, v, "must not contain consecutive hyphens");
	if (n && (v[0] == '-' || v[n - 1] == '-'))
		wrong_text(c, field, v, "must not begin or end with a hyphen");
}

void check_port(struct check *c, const char *field, int64_t port)
{
	if (port < 1 || port > 65535)
		wrong_int(c, field, port, "must be between 1 and 65535, inclusive");
}

void check_nonnegative(struct check *c, const char *field, int64_t v)
{
	if (v < 0)
		wrong_int(c, field, v, "must be greater than or equal to 0");
}

void check_data_key(struct check *c, const char *field, const char *key)
{
	bool is_clean = *key;
	for (const char *p = key; *p; p++)
		is_clean &= is_alnum(*p) || strchr("-._", *p);
	if (strlen(key) > 253)
		wrong_text(c, field, key, "must be no more than 253 characters");
	if (!is_clean)
		wrong_text(c, field, key, "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
			"'key-name', regex used for validation is '[-._a-zA-Z0-9]+')");
	if (!strcmp(key, "."))
		wrong_text(c, field, key, "must not be '.'");
	else if (!strcmp(key, ".."))
		wrong_text(c, field, key, "must not be '..'");
	else if (!strncmp(key, "..", 2))
		wrong_text(c, field, key, "must not start with '..'");
}

bool is_ip(const char *s)
{
	unsigned char b[16];
	return s && (inet_pton(AF_INET, s, b) == 1 || inet_pton(AF_INET6, s, b) == 1);
}

void check_ip(struct check *c, const char *field, const char *s)
{
	if (!is_ip(s))
		wrong_text(c, field, s, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
}

bool kind_is_same(struct schema_ref t, const void *a, const void *b)
{
	if (!a || !b)
		return a == b;
	if (schema_equal(t, a, b))
		return true;
	AUTO(buf) struct buf x = BUF_INIT(8 << 20), y = BUF_INIT(8 << 20);
	return schema_to_protobuf(t, a, &x) == 0 && schema_to_protobuf(t, b, &y) == 0 && slice_eq(buf_slice(&x), buf_slice(&y));
}

void check_immutable(struct check *c, const char *field, struct schema_ref t, const void *now, const void *old)
{
	if (!kind_is_same(t, now, old))
		wrong_value(c, field, t, now, "field is immutable");
}

void check_immutable_text(struct check *c, const char *field, const char *now, const char *old)
{
	if (strcmp(or_empty(now), or_empty(old)))
		wrong_text(c, field, now, "field is immutable");
}
